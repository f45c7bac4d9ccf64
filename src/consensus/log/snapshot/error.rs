//! What can go wrong with a snapshot file.

use std::io;

use super::format::SnapshotId;

impl SnapshotError {
    /// Whether an fsync failed: what the disk holds is unknown then, and the process must end.
    #[must_use]
    pub fn is_failed_sync(&self) -> bool {
        matches!(self, Self::Io { action: "sync", .. })
    }

    /// Whether a snapshot is not what was written.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }
}

/// Why a snapshot was not written, read or received.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The system refused.
    #[error("cannot {action} {file}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file, in the data directory.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// The file is not what was written.
    #[error("{file} is damaged at byte {offset}: {damage}")]
    Damaged {
        /// The file.
        file: String,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        damage: SnapshotDamage,
    },
    /// A later version of the program wrote it.
    #[error(
        "{file} has format version {found} and this program reads up to {supported}; start a newer \
         version of it"
    )]
    Version {
        /// The file.
        file: String,
        /// Its version.
        found: u32,
        /// The greatest that is known here.
        supported: u32,
    },
    /// It is a snapshot of another cluster.
    #[error("{file} is a snapshot of cluster {found:032x}, and this one is {expected:032x}")]
    WrongCluster {
        /// The file.
        file: String,
        /// Cluster id in it.
        found: u128,
        /// Cluster id expected.
        expected: u128,
    },
    /// It is another snapshot than its name, or its sender, says.
    #[error("{file} is the snapshot {found}, not {expected}")]
    WrongSnapshot {
        /// The file.
        file: String,
        /// What it says that it is.
        found: SnapshotId,
        /// What it should be.
        expected: SnapshotId,
    },
    /// The meta bytes, the body or a received range are over their limit.
    #[error("{len} bytes are over the limit of {max}")]
    TooLong {
        /// The length.
        len: u64,
        /// The limit.
        max: u64,
    },
    /// A received range that does not begin where the last one ended.
    #[error("a range begins at byte {offset}; {expected} is next")]
    OutOfOrder {
        /// Where it begins.
        offset: u64,
        /// Where it should begin.
        expected: u64,
    },
}

impl SnapshotError {
    /// For `map_err` on what a disk answers.
    pub(super) fn io(action: &'static str, file: &str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, file: file.to_owned(), source }
    }
}

/// What is wrong with a damaged snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotDamage {
    /// The header.
    #[error("the header does not match its checksum")]
    Header,
    /// A part of the body.
    #[error("a chunk does not match its checksum")]
    Chunk,
    /// The end.
    #[error("the trailer does not match its checksum, or the chunks before it")]
    Trailer,
    /// The file ends too early.
    #[error("the file ends there")]
    Short,
    /// The file goes on after its end.
    #[error("the file goes on after the trailer")]
    Long,
}
