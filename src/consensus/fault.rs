//! What a node can't go on after: reported once, then the process ends.

use super::entry::NodeId;

/// The disk failed, bytes are corrupt, or an invariant is broken. Never retried, never ignored.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// raft-rs refused to go on.
    #[error("raft stopped")]
    Raft(#[from] raft::Error),
    /// A committed entry does not decode.
    #[error("entry {index} is committed but does not decode")]
    Entry {
        /// Where.
        index: u64,
        /// How.
        source: prost::DecodeError,
    },
    /// A command of a committed entry does not decode, or is of a kind that this version lacks.
    #[error("command {seq} of entry {index} can't be read by this version; start a newer one")]
    Command {
        /// In which entry.
        index: u64,
        /// Its place there.
        seq: u32,
    },
    /// A committed entry of a kind that this version does not know.
    #[error("entry {index} is of a kind that this version does not understand; start a newer one")]
    UnknownEntry {
        /// Where.
        index: u64,
    },
    /// What this build does not understand: never passed over, since others may.
    #[error(
        "index {index} is of version {version} of the cluster, after version {before}, and this build has \
         versions up to {newest}; start a build that has version {version}, with this data directory"
    )]
    Version {
        /// Where.
        index: u64,
        /// What it says.
        version: u32,
        /// What was before it.
        before: u32,
        /// The newest that this build has.
        newest: u32,
    },
    /// A snapshot that this node was to install does not decode.
    #[error("the snapshot at index {index} can't be read")]
    SnapshotMeta {
        /// Where.
        index: u64,
    },
    /// Two nodes hold different states at one index.
    #[error(
        "state differs from node {peer}'s at index {index}; keep this data directory for analysis"
    )]
    StateDiverged {
        /// Whose differs.
        peer: NodeId,
        /// Where.
        index: u64,
    },
}
