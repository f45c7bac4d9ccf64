//! The durable log and the snapshot files: what a node may not forget, over a small `Disk`.
//!
//! | File | Owns |
//! |---|---|
//! | `disk` | the `Disk` trait: all that is asked of a data directory |
//! | `real` | the disk of this machine: permissions, lock file |
//! | `durable` | [`Log`]: write, read, and which state is believed |
//! | `paced` | a long file, made durable piece by piece, so that the log is not held up |
//! | `roll` | a new segment, spares, and dropping old segments |
//! | `open` | from a directory to a log again: torn tails cut, rot refused |
//! | `salvage` | what can be read of a damaged log, without changing it |
//! | `scan` | one segment's bytes: where the chain ends, and whether that is a torn tail or rot |
//! | `record`, `header` | the bytes of a record, of a segment's header (`docs/formats/log.md`) |
//! | `replay` | what a stream of records means |
//! | `snapshot` | snapshot files, whole or in ranges for a follower (`docs/formats/snapshot.md`) |
//! | `error` | everything that can go wrong, with fields |
//!
//! It knows nothing of Raft's rules, of raft-rs, of time or of threads: every call is synchronous, and
//! the caller decides on which thread. After a failed write or fsync it answers nothing any more; the
//! caller ends the process.

mod disk;
mod durable;
mod error;
mod header;
mod open;
mod paced;
mod real;
mod record;
mod replay;
mod roll;
mod salvage;
mod scan;
pub mod snapshot;

pub use disk::{Disk, DiskFile};
pub use durable::{Batch, Log, LogConfig};
pub use error::{Damage, DiskError, LogError};
pub use header::{Identity, VERSION};
pub use open::{Expected, Recovered, TornTail};
pub use real::{RealDisk, RealFile};
pub use roll::{Dropped, Spare, SpareRequest};
pub use salvage::{Salvage, Stretch};
