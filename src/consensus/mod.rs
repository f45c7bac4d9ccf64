//! One order for all nodes: Raft, its log and its snapshots, over bytes that it does not understand.
//!
//! | File | Owns |
//! |---|---|
//! | `entry` | what a log holds: entries, hard state |
//! | `log` | the durable log over a `Disk`; its byte layout is in `docs/formats/log.md` |
//!
//! It knows nothing of routing, of the public API, or of time zones.

mod entry;
pub mod log;

pub use entry::{Entry, EntryKind, HardState, Incarnation, NodeId};
