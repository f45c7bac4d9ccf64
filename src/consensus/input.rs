//! What a node is told: at its start, and then one [`Input`] at a time.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{
    effect::{Install, LogRequest},
    entry::{Entry, HardState, Incarnation, NodeId},
    membership::TokenHash,
    versions::Versions,
};
use crate::proto::turnwise::peer::v1::RaftMessage;

/// Names a proposal between the driver and the node, for the life of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProposalId(pub u64);

/// Names a read likewise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadId(pub u64);

/// Names a change of the members likewise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeId(pub u64);

/// What somebody wants changed about the members. Only the leader does it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A secret was drawn that is to admit one node.
    CreateToken {
        /// What is kept of it.
        hash: TokenHash,
        /// For how long, in microseconds of leader time.
        ttl_us: u64,
        /// The member whose place the new node takes.
        replaces: Option<NodeId>,
    },
    /// A node shows why it is to be admitted.
    Join {
        /// Why.
        ticket: Ticket,
        /// Its data directory. Asking again with the same one gives the same answer.
        incarnation: Incarnation,
        /// Where it will serve the other nodes, `host:port`.
        peer_address: String,
        /// Where it will serve clients, `host:port`.
        client_address: String,
        /// What its build understands.
        versions: Versions,
    },
    /// A member is to be one no more.
    Remove {
        /// Which.
        node: NodeId,
    },
}

/// What admits a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ticket {
    /// What is kept of a join token's secret.
    Token(TokenHash),
    /// Its machine was this member until the data there was damaged, and will never be again.
    Lost {
        /// Which member.
        node: NodeId,
        /// Of the data directory that was damaged.
        incarnation: Incarnation,
    },
}

/// A command that wants a place in the log.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// Comes back with the outcome.
    pub id: ProposalId,
    /// At most [`super::COMMAND_LEN_MAX`] bytes, never looked into.
    pub command: Bytes,
}

/// What happened. Closed: the world reaches a node in no other way.
#[derive(Debug)]
pub enum Input {
    /// One tick of `NodeConfig`'s timing has passed.
    Tick,
    /// A peer's message, on that peer's own stream.
    Receive {
        /// Whose stream it came on.
        from: NodeId,
        /// As it came.
        message: RaftMessage,
    },
    /// A peer's handshake succeeded: who it is.
    PeerSeen {
        /// The peer.
        peer: NodeId,
        /// Its data directory.
        incarnation: Incarnation,
        /// Where it says that it serves the other nodes; empty = it did not say.
        peer_address: String,
        /// What its build understands.
        versions: Versions,
    },
    /// A peer told its wall clock.
    PeerClock {
        /// The peer.
        peer: NodeId,
        /// Microseconds since the Unix epoch.
        wall_us: u64,
    },
    /// Everything that waited to be proposed.
    Propose(Vec<Proposal>),
    /// Everything that waits to read.
    Read(Vec<ReadId>),
    /// An [`Effect::Persist`](super::Effect::Persist) and all before it are durable.
    DiskDone {
        /// The effect's number.
        number: u64,
    },
    /// The answer to an [`Effect::ReadLog`](super::Effect::ReadLog); empty if the log no longer has them.
    LogRead {
        /// The effect's request.
        request: LogRequest,
        /// In order, from the first one asked for.
        entries: Vec<Entry>,
    },
    /// Every [`Effect::Apply`](super::Effect::Apply) up to this index was performed.
    Applied {
        /// The last index applied.
        through: u64,
    },
    /// A snapshot is durable on this node's disk.
    SnapshotSaved {
        /// Its last index.
        index: u64,
        /// The term of that entry.
        term: u64,
        /// As given in [`Effect::TakeSnapshot`](super::Effect::TakeSnapshot).
        meta: Bytes,
        /// Its bytes on the disk.
        len: u64,
    },
    /// A snapshot could not be written; a later one will be tried.
    SnapshotNotSaved,
    /// An [`Effect::SendSnapshot`](super::Effect::SendSnapshot) has ended, one way or the other.
    SnapshotSent {
        /// To whom.
        to: NodeId,
        /// Whether it is safe there.
        delivered: bool,
    },
    /// A message to this peer was dropped, or its stream broke.
    Unreachable {
        /// The peer.
        peer: NodeId,
    },
    /// Hand leadership to another voter, if this node leads.
    HandOver {
        /// To whom. Default: the voter that has most of the log.
        to: Option<NodeId>,
    },
    /// Change the members; answered by [`Effect::Changed`](super::Effect::Changed).
    Change {
        /// Comes back with the outcome.
        id: ChangeId,
        /// What is to be changed.
        change: Change,
    },
}

/// How a node behaves; validated by whoever reads the configuration.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// This node, from 1.
    pub id: NodeId,
    /// Of its data directory.
    pub incarnation: Incarnation,
    /// The versions of the cluster that its build understands.
    pub versions: Versions,
    /// Election timeouts are drawn from this.
    pub seed: u64,
    /// Differs between two runs of the same node.
    pub boot_nonce: u64,
    /// Where this node believes the founders' peer ports to be, `host:port`. Recorded where no record says.
    pub addresses: BTreeMap<NodeId, String>,
    /// Ticks between heartbeats: 2.
    pub heartbeat_ticks: u32,
    /// Ticks of the shortest election timeout: 10; the longest is under twice that.
    pub election_ticks: u32,
    /// Entries kept in memory though they are applied: 64 MiB.
    pub memory_tail_bytes: u64,
    /// Entries kept on disk though a snapshot covers them: 64 MiB.
    pub retained_log_bytes: u64,
    /// Log bytes applied between two snapshots at most (`node/pace.rs`): 64 MiB.
    pub snapshot_every_bytes: u64,
}

impl NodeConfig {
    /// The defaults of ARCHITECTURE.
    #[must_use]
    pub fn new(id: NodeId, incarnation: Incarnation) -> Self {
        Self {
            id,
            incarnation,
            versions: Versions::FIRST,
            seed: 0,
            boot_nonce: 0,
            addresses: BTreeMap::new(),
            heartbeat_ticks: 2,
            election_ticks: 10,
            memory_tail_bytes: 64 << 20,
            retained_log_bytes: 64 << 20,
            snapshot_every_bytes: 64 << 20,
        }
    }
}

/// What the disk held when the process started.
#[derive(Debug)]
pub struct Recovered {
    /// The newest snapshot; the state machine is at its index. Bootstrap makes one at index 1, joining one at
    /// index 0, which tells of nothing but whom to hear.
    pub snapshot: Install,
    /// The entry before the first one in the log: index and term.
    pub base: (u64, u64),
    /// The whole retained log.
    pub entries: Vec<Entry>,
    /// As last written.
    pub hard_state: HardState,
}
