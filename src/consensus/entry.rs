//! What a log holds, in types of our own: the disk and the network never see raft-rs's.

use std::fmt;

use bytes::Bytes;

/// A node's number in its cluster, from 1. Never used again after its data was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

impl NodeId {
    /// Of a field in which 0 means none.
    #[must_use]
    pub fn some(id: u64) -> Option<Self> {
        (id != 0).then_some(Self(id))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Drawn at random for each data directory, so that an emptied one is told from the one it replaces. Who knows it may
/// come back in its place, so `Debug` shows the end of it only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u128);

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incarnation(…{:04x})", self.0 & 0xffff)
    }
}

/// One entry of the Raft log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Place in the log, from 1, without gaps.
    pub index: u64,
    /// Term of the leader that made it.
    pub term: u64,
    /// How to read `data`.
    pub kind: EntryKind,
    /// At most [`Entry::DATA_LEN_MAX`] bytes.
    pub data: Bytes,
}

impl Entry {
    /// One entry is at most 512 KiB: less than a message (1 MiB), less than a frame (4 MiB).
    pub const DATA_LEN_MAX: usize = 512 * 1024;
}

/// How to read an entry's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A batch, or nothing: what a new leader commits first.
    Normal,
    /// A membership change of one step.
    ConfChange,
    /// A membership change in the second format. Never proposed by us; refused where it appears.
    ConfChangeV2,
}

/// What a node promised, durable before any message that tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HardState {
    /// Latest term seen.
    pub term: u64,
    /// Whom it voted for in that term; 0 = nobody.
    pub vote: u64,
    /// Highest index known committed; may lag, never leads the entries on disk.
    pub commit: u64,
}
