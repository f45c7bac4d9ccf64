//! What a node says: [`Effect`]s to perform in order, and how it is.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    entry::{Entry, HardState, NodeId},
    input::{ChangeId, ProposalId, ReadId},
    membership::Membership,
    versions::Versions,
};
use crate::proto::turnwise::peer::v1::RaftMessage;

/// Which entries are wanted from disk.
#[derive(Debug)]
pub struct LogRequest {
    /// First index.
    pub low: u64,
    /// First index after.
    pub high: u64,
    /// As many as fit, at least one.
    pub bytes_max: u64,
    pub(super) context: raft::GetEntriesContext,
}

/// What to do. Closed, and to be performed in order.
#[derive(Debug)]
pub enum Effect {
    /// Send to peers, in order for each; may be dropped, never reordered.
    Send(Vec<RaftMessage>),
    /// Make durable, in order, then say [`Input::DiskDone`](super::Input::DiskDone).
    Persist(Persist),
    /// Read old entries, then say [`Input::LogRead`](super::Input::LogRead).
    ReadLog(LogRequest),
    /// Apply in order, then say [`Input::Applied`](super::Input::Applied).
    Apply(Vec<Committed>),
    /// Save the state as it is after every `Apply` so far; then say [`Input::SnapshotSaved`](super::Input::SnapshotSaved).
    TakeSnapshot {
        /// Last index applied.
        index: u64,
        /// The term of that entry.
        term: u64,
        /// A `turnwise.log.v1.SnapshotMeta`, without the state's hash.
        meta: Bytes,
    },
    /// Send the newest snapshot and this message after it; then say [`Input::SnapshotSent`](super::Input::SnapshotSent).
    SendSnapshot {
        /// To whom.
        to: NodeId,
        /// To be stepped there once the snapshot is safe.
        message: Box<RaftMessage>,
    },
    /// The log up to here is covered by a durable snapshot and no longer wanted.
    CompactLog {
        /// Last index to forget.
        through: u64,
    },
    /// These never reached the log, or nobody here will learn whether they did.
    ProposalsFailed {
        /// Which.
        proposals: Vec<ProposalId>,
        /// Why.
        why: NotProposed,
    },
    /// These may now read the state as it is.
    ReadsReady(Vec<ReadId>),
    /// These found no leader to vouch for them.
    ReadsFailed(Vec<ReadId>),
    /// What became of an [`Input::Change`](super::Input::Change).
    Changed {
        /// Which.
        id: ChangeId,
        /// What was changed, or why nothing was.
        outcome: Result<Changed, NotChanged>,
    },
    /// This node has read that it was removed: it is to end.
    Removed,
}

/// What was changed about the members. Committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// The token is open.
    TokenCreated {
        /// Until then: leader time, microseconds since the Unix epoch.
        expires_us: u64,
    },
    /// The node is a member, at first without a vote.
    Joined {
        /// Its id.
        node: NodeId,
        /// As the leader knows the cluster.
        membership: Arc<Membership>,
    },
    /// The node is none any more.
    Removed,
}

/// Why nothing was changed about the members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotChanged {
    /// This node does not lead.
    #[error("this node does not lead")]
    NotLeader,
    /// It reached this node's log, then leadership was lost: it may or may not happen.
    #[error("the leader changed while the change was under way")]
    LeadershipLost,
    /// Another change is under way, or the leader is new. Nothing was done.
    #[error("another change of the members is under way")]
    Busy,
    /// The node to remove leads; it is handing over. Nothing else was done.
    #[error("node {node} leads, and hands over first")]
    HandingOver {
        /// It.
        node: NodeId,
    },
    /// No such token is open: it is wrong, was used, or its time is over.
    #[error("the join token is wrong, was used, or its time is over")]
    Token,
    /// As many tokens as there may be are open.
    #[error("too many join tokens are open")]
    TooManyTokens,
    /// The data directory of a node that was removed.
    #[error("node {node} was removed from the cluster")]
    WasRemoved {
        /// It.
        node: NodeId,
    },
    /// The machine of a node that lost its data came back already.
    #[error("the machine of node {node} has lost its data, and came back as node {by}")]
    CameBack {
        /// The node that it was.
        node: NodeId,
        /// The one that it is.
        by: NodeId,
    },
    /// The data directory that was damaged is not the one that is recorded for the node.
    #[error("the data directory is not the one that this cluster knows for node {node}")]
    OtherData {
        /// It.
        node: NodeId,
    },
    /// Whose data is said to be lost runs. Nothing was done.
    #[error("node {node}, whose data is said to be damaged, is running")]
    StillHeard {
        /// It.
        node: NodeId,
    },
    /// Not a member.
    #[error("node {node} is not a member")]
    NoSuchNode {
        /// It.
        node: NodeId,
    },
    /// The build that wants to join does not understand this cluster.
    #[error("the build has {versions} of the cluster, and it needs version {needs}")]
    Version {
        /// What it must have.
        needs: u32,
        /// What it has.
        versions: Versions,
    },
    /// Nobody would be left to vote.
    #[error("node {node} is the last one with a vote")]
    LastVoter {
        /// It.
        node: NodeId,
    },
    /// The others could not agree on anything.
    #[error(
        "without node {node}, {reachable} of the {needed} votes that a majority needs are within reach"
    )]
    NoQuorum {
        /// The node to remove.
        node: NodeId,
        /// Voters that would be left and were heard of late.
        reachable: usize,
        /// A majority of those that would be left.
        needed: usize,
    },
}

/// Why a proposal has no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotProposed {
    /// This node does not lead.
    NotLeader,
    /// Too much waits to be committed. It did not reach the log.
    Overloaded,
    /// It reached this node's log, then leadership was lost: it may or may not commit.
    LeadershipLost,
}

/// One write, and one fsync if `sync`.
#[derive(Debug)]
pub struct Persist {
    /// Names this effect in [`Input::DiskDone`](super::Input::DiskDone); ascending.
    pub number: u64,
    /// First, if any: put the received snapshot in place, load it, and empty the log at its index.
    pub install: Option<Install>,
    /// Then append, replacing whatever stood at the first index and after it.
    pub entries: Vec<Entry>,
    /// Then the hard state.
    pub hard_state: Option<HardState>,
}

/// A received snapshot that raft-rs accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install {
    /// Its last index.
    pub index: u64,
    /// The term of that entry.
    pub term: u64,
    /// A `turnwise.log.v1.SnapshotMeta`.
    pub meta: Bytes,
}

/// A committed entry. Every index comes, also those without commands.
#[derive(Debug, Clone)]
pub struct Committed {
    /// Its place in the log.
    pub index: u64,
    /// The term of its leader.
    pub term: u64,
    /// Leader time, microseconds since the Unix epoch.
    pub stamp_us: u64,
    /// What it says of the cluster's version: one more than before raises it. 0 = nothing.
    pub version: u32,
    /// In order; the place is `seq`.
    pub commands: Vec<Bytes>,
    /// Who waits here for each command's reply; empty if it was not proposed here.
    pub proposals: Vec<ProposalId>,
}

/// Its part in the present term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Follows, or looks for somebody to follow.
    #[default]
    Follower,
    /// Stands for election.
    Candidate,
    /// Leads.
    Leader,
    /// Follows without a vote.
    Learner,
}

/// What a node knows of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeStatus {
    /// Its part.
    pub role: Role,
    /// Its term.
    pub term: u64,
    /// Whom it follows.
    pub leader: Option<NodeId>,
    /// Highest index it knows committed.
    pub commit: u64,
    /// Highest index applied.
    pub applied: u64,
    /// Last index in its log.
    pub last_index: u64,
    /// Last index of its newest snapshot.
    pub snapshot_index: u64,
    /// Greatest leader time committed, microseconds since the Unix epoch.
    pub stamp_us: u64,
    /// Knows a leader, and has applied what it knows that leader committed.
    pub caught_up: bool,
    /// How far its wall clock is off the median, if by more than a second.
    pub clock_alarm_us: Option<i64>,
    /// The cluster's version, as far as this node has read the log.
    pub version: u32,
    /// On the leader: how far each other member's log matches.
    pub matched: Vec<(NodeId, u64)>,
}
