//! Everything that can go wrong with a data directory, in fields.
//!
//! All of these are faults: the caller logs one and ends the process. The exceptions are
//! [`LogError::Compacted`], which says that a snapshot is needed, and the refusals of a batch that
//! makes no sense, which are mistakes of the caller and leave the log as it was.

use std::io;
use std::path::PathBuf;

/// Why a data directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// It is in use.
    #[error(
        "another process has the data directory {} (its lock file is held); stop that process or \
         choose another directory", .dir.display()
    )]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// The system refused.
    #[error("cannot open the data directory {}", .dir.display())]
    Io {
        /// The directory.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What is wrong with the log, or with what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The system refused. After a write or fsync the log is poisoned.
    #[error("cannot {action} {file}")]
    Io {
        /// What was tried: `write`, `sync`, …
        action: &'static str,
        /// The file, in the data directory.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// A write or fsync failed before, and what the disk holds is unknown since.
    #[error("the log failed before and what the disk holds is unknown; end the process")]
    Poisoned,
    /// The directory belongs to another cluster.
    #[error(
        "the data directory belongs to cluster {found:032x} and this node is configured for cluster \
         {expected:032x}; set the cluster id to {found:032x}, or choose an empty data directory"
    )]
    WrongCluster {
        /// Cluster id in the directory.
        found: u128,
        /// Cluster id configured.
        expected: u128,
    },
    /// The directory belongs to another node of the cluster.
    #[error(
        "the data directory belongs to node {found} and this node is configured as node {expected}; \
         set the node id to {found}, or choose an empty data directory"
    )]
    WrongNode {
        /// Node id in the directory.
        found: u64,
        /// Node id configured.
        expected: u64,
    },
    /// An entry of a kind that the caller said it can't do with.
    #[error("entry {index} can't be understood; start a newer version of the program")]
    NotUnderstood {
        /// Where.
        index: u64,
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
    /// What was durable is not what is there. This data must not vote or acknowledge again.
    #[error(
        "{segment} is damaged at byte {offset}: {damage}; keep the directory for inspection, remove \
         this node from the cluster and add a new one in its place, under a new node id"
    )]
    Rot {
        /// The file.
        segment: String,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        damage: Damage,
    },
    /// There is no log to open.
    #[error("the data directory holds no log")]
    Missing,
    /// There is a log where one was to be made.
    #[error("the data directory holds a log already")]
    Exists,
    /// Asked for entries that a snapshot stands for.
    #[error("entry {index} is compacted; the first one is {first}")]
    Compacted {
        /// Asked for.
        index: u64,
        /// The first there is.
        first: u64,
    },
    /// Asked for entries that there are not yet.
    #[error("entry {index} is not there; the last one is {last}")]
    Beyond {
        /// Asked for.
        index: u64,
        /// The last there is.
        last: u64,
    },
    /// A batch whose entries do not follow each other or the log.
    #[error("entry {index} cannot follow; {expected} is next")]
    Gap {
        /// The entry.
        index: u64,
        /// Where it should be.
        expected: u64,
    },
    /// An entry, or a batch, over its limit.
    #[error("{len} bytes are over the limit of {max}")]
    TooLong {
        /// Its length.
        len: u64,
        /// The limit.
        max: u64,
    },
    /// A batch after which the commit index would be durable ahead of the entries.
    #[error("commit index {commit} is ahead of the last entry, {last}")]
    CommitBeyond {
        /// The commit index.
        commit: u64,
        /// The last entry.
        last: u64,
    },
}

impl LogError {
    /// For `map_err` on what a disk answers.
    pub(super) fn io(action: &'static str, file: &str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, file: file.to_owned(), source }
    }

    /// Damage in a segment.
    pub(super) fn rot(segment: &str, offset: u64, damage: Damage) -> Self {
        Self::Rot { segment: segment.to_owned(), offset, damage }
    }
}

/// What is wrong with a damaged file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// A segment's header.
    #[error("the header does not match its checksum")]
    Header,
    /// A file under a name that is not its own, or of another cluster or node among ours.
    #[error("the header tells of another segment, node or cluster than its name and its successor")]
    Foreign,
    /// A file that is shorter than it was made, or too long to be one.
    #[error("the file is {len} bytes long, made with {expected}")]
    Length {
        /// Length found.
        len: u64,
        /// Length in the header.
        expected: u64,
    },
    /// A bad record in what was durable.
    #[error("a record does not match its checksum, though all before byte {durable} was durable")]
    Record {
        /// Where what is known to have been durable ends.
        durable: u64,
    },
    /// An earlier segment that does not end as its successor says.
    #[error("the chain of checksums does not lead into the next segment")]
    Chain,
    /// A segment that must be there is not.
    #[error("segment {generation} is missing")]
    Missing {
        /// Its generation.
        generation: u64,
    },
    /// A record that matches its checksum and makes no sense where it stands.
    #[error("a record contradicts those before it")]
    Contradiction,
}
