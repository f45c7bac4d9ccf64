//! What can happen in the world, and to which process.

use bytes::Bytes;
use tonic::Status;
use turnwise::{
    consensus::{Change, LogRequest, NodeId},
    proto::turnwise::peer::v1::{Hello, RaftMessage},
};

use super::members::Outcome;
use crate::{
    nemesis::Strike,
    network::Endpoint,
    process::{Answer, Call, Save},
};

/// What the hello says that stands before a letter on its stream, as far as it counts here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said {
    pub(super) boot: u64,
    pub(super) last_index: u64,
    pub(super) term: u64,
}

/// What goes over a link between nodes.
#[derive(Debug, Clone)]
pub(super) enum Letter {
    /// A frame: a message, and what the sender's wall clock said.
    Raft {
        message: RaftMessage,
        wall_us: u64,
        said: Said,
    },
    /// The handshake.
    Hello {
        hello: Hello,
    },
    /// The handshake was refused.
    Refused {
        status: Box<Status>,
    },
    /// A snapshot file, whole.
    Snapshot {
        message: Box<RaftMessage>,
        file: Bytes,
        transfer: u64,
        said: Said,
    },
    SnapshotSafe {
        transfer: u64,
    },
}

/// `boot` says which run of a process is meant; events of earlier runs are void.
#[derive(Debug)]
pub(super) enum Event {
    Boot { node: usize },
    Tick { node: usize, boot: u64 },
    Greet { node: usize, boot: u64 },
    Arrive { from: Endpoint, to: Endpoint, generation: u64, letter: Letter },
    Call { to: usize, generation: u64, call: Call },
    Answer { from: usize, client: usize, generation: u64, call: u64, answer: Answer },
    Drain { node: usize, boot: u64 },
    Sync { node: usize, boot: u64 },
    ReadLog { node: usize, boot: u64, request: LogRequest },
    Save { node: usize, boot: u64, save: Box<Save> },
    TransferEnds { node: usize, boot: u64, transfer: u64, delivered: bool },
    Unreachable { node: usize, boot: u64, peer: NodeId },
    Wake { client: usize, token: u64 },
    Next { client: usize },
    Strike,
    Undo(Strike),
    ChangeBuild,
    Operate,
    Ask { to: usize, generation: u64, id: u64, change: Box<Change> },
    Told { from: usize, generation: u64, id: u64, outcome: Box<Outcome>, leader: Option<NodeId> },
    Heal,
}

/// Which process an event waits for, if that does not run just now.
pub(super) fn node_of(event: &Event) -> Option<usize> {
    match event {
        Event::Tick { node, .. }
        | Event::Greet { node, .. }
        | Event::Drain { node, .. }
        | Event::Sync { node, .. }
        | Event::ReadLog { node, .. }
        | Event::Save { node, .. }
        | Event::TransferEnds { node, .. }
        | Event::Unreachable { node, .. } => Some(*node),
        Event::Arrive { to, .. } | Event::Call { to, .. } | Event::Ask { to, .. } => Some(*to),
        Event::Boot { .. }
        | Event::Answer { .. }
        | Event::Wake { .. }
        | Event::Next { .. }
        | Event::Strike
        | Event::Undo(_)
        | Event::ChangeBuild
        | Event::Operate
        | Event::Told { .. }
        | Event::Heal => None,
    }
}
