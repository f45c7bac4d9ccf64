//! Snapshot files: the whole state as of one index, in bytes that this module does not understand.
//!
//! | File | Owns |
//! |---|---|
//! | `format` | the bytes: header, chunks, trailer (`docs/formats/snapshot.md`) |
//! | `encode` | [`SnapshotEncoder`]: a body as those bytes, to any writer |
//! | `write` | [`SnapshotWriter`]: from a state to a durable file |
//! | `read` | [`SnapshotReader`]: back again, every byte checked |
//! | `transfer` | the file in ranges, sent and received |
//! | `store` | [`SnapshotStore`]: which snapshots there are |
//! | `error` | what can go wrong |
//!
//! A file has its final name only when it is whole and durable. What the bytes mean, when a snapshot is
//! taken and when the log may be cut is for the caller.

mod encode;
mod error;
mod format;
mod read;
mod store;
mod transfer;
mod write;

pub use encode::{SnapshotEncoder, SnapshotHead};
pub use error::{SnapshotDamage, SnapshotError};
pub use format::{META_LEN_MAX, SnapshotId};
pub use read::SnapshotReader;
pub use store::{Newest, SnapshotStore};
pub use transfer::{SnapshotBytes, SnapshotReceiver};
pub use write::SnapshotWriter;
