//! Between nodes: one ordered stream per direction and peer, and snapshots on a call of their own.
//!
//! | File | Owns |
//! |---|---|
//! | `addresses` | where everybody is |
//! | `hello` | who may talk to whom: the handshake and its refusals |
//! | `link` | the outgoing side: queue, reconnect with back-off |
//! | `service` | the incoming side |
//! | `transfer` | a snapshot, in chunks, both sides |
//!
//! Nothing here waits for the consensus thread with a message of its own in hand: an outgoing queue
//! that is full drops, and says so (RAFT 26). It decides nothing about Raft; messages pass unread.

mod addresses;
mod hello;
mod link;
mod service;
mod transfer;

use std::sync::Arc;

use tokio::sync::oneshot;

pub(super) use addresses::addresses;
pub use addresses::{Address, Addresses};
pub use hello::{Local, PROTOCOL_VERSION, Speaker, check_held, is_final};
pub use link::Links;
pub use service::PeerService;
pub use transfer::{PeerAddress, send_snapshot};

use super::{Marks, Membership, Node, NodeId, NodeStatus, log::snapshot::SnapshotError};
use crate::proto::turnwise::peer::v1::RaftMessage;

/// The largest frame and the largest message that a peer may send: 4 MiB.
pub const FRAME_LEN_MAX: usize = 4 << 20;

/// What peers make happen.
#[derive(Debug)]
pub enum PeerEvent {
    /// A handshake succeeded.
    Seen(Speaker),
    /// A peer told its wall clock.
    Clock {
        /// Whose.
        peer: NodeId,
        /// Microseconds since the Unix epoch.
        wall_us: u64,
    },
    /// A peer told the hash of its state at an index.
    Checkpoint {
        /// Whose.
        peer: NodeId,
        /// The index.
        log_index: u64,
        /// The hash.
        state_hash: u128,
    },
    /// A message came.
    Message {
        /// From whom.
        from: NodeId,
        /// As it came.
        message: RaftMessage,
    },
    /// A whole snapshot came and is durable beside the log.
    Snapshot {
        /// From whom.
        from: NodeId,
        /// To be stepped now.
        message: Box<RaftMessage>,
        /// To be told once it was stepped.
        done: oneshot::Sender<()>,
    },
    /// A message was dropped, or a stream broke.
    Unreachable {
        /// To whom.
        peer: NodeId,
    },
    /// The fsync of a snapshot that came failed.
    DiskFailed {
        /// How.
        error: SnapshotError,
    },
    /// A peer will never talk to this data directory.
    Refused {
        /// Who.
        by: NodeId,
        /// What it said.
        why: String,
    },
}

/// What the consensus thread lets peers know of this node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerView {
    /// Who is and who was a member.
    pub members: Arc<Membership>,
    /// Last index in this node's log.
    pub last_index: u64,
    /// This node's term.
    pub term: u64,
    /// If it leads: what each member acknowledged in this term.
    pub matched: Vec<(NodeId, u64)>,
    /// What nodes are known to have on their disks, by all that is in this node's log.
    pub marks: Arc<Marks>,
    /// The version of the cluster, as far as this node has read the log.
    pub version: u32,
    /// The newest checkpoint.
    pub checkpoint: Option<(u64, u128)>,
}

impl PeerView {
    /// As a node is now.
    #[must_use]
    pub fn of(node: &Node, checkpoint: Option<(u64, u128)>) -> Self {
        let NodeStatus { last_index, term, matched, version, .. } = node.status();
        let (members, marks) = (Arc::clone(node.membership()), Arc::clone(node.marks()));
        Self { members, last_index, term, matched, marks, version, checkpoint }
    }
}
