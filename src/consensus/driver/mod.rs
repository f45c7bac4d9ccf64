//! The production driver: performs a node's effects on real threads, a real disk and a real network.
//!
//! One thread, named `consensus`, owns the node, the log and the state machine. Each turn it takes all
//! that waits (peers, calls, finished snapshots, the clock), hands it to [`super::Node::handle`]
//! and performs the effects in order. Writes of one turn share one fsync, which is natural batching: the slower the
//! disk, the larger the batch. What is said before the fsync is what `Node` allows to be said.
//!
//! | File | Owns |
//! |---|---|
//! | `turn` | one turn: inputs, effects, replies |
//! | `answers` | replies on their way to those who wait for them |
//! | `start` | from a configuration to a running node |
//! | `data_dir` | from a data directory to what a node starts with; over any disk |
//! | `join` | from an empty directory to a member of a running cluster |
//! | `rejoin` | from a directory that lost what was durable to a member under a new id |
//! | `look` | what a data directory holds, without changing it |
//! | `refound` | from a state to a member of a new cluster |
//! | `survivor` | what can be had of a cluster from one directory alone |
//! | `contacts` | when each peer was last heard from |
//! | `checkpoints` | whether this node's state is the one that the others hold |
//! | `snapshots` | taking, installing and sending snapshots |
//!
//! It decides nothing about Raft, and nothing about routing.

mod answers;
mod checkpoints;
mod contacts;
mod data_dir;
mod join;
mod look;
mod refound;
mod rejoin;
mod snapshots;
mod start;
mod survivor;
mod turn;

use std::{
    any::Any,
    collections::BTreeMap,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
};

pub use data_dir::{
    BODY_LEN_MAX, DataDir, Founding, GROUP_ID, Opened, WrittenSnapshot, load_snapshot,
    write_snapshot,
};
pub use join::{JoinError, JoinToken, Joined, Joining, Road, enter, join, set_out};
pub use look::Contents;
pub use refound::{Member, Origin, RefoundError, is_free, refound, refound_on};
pub use rejoin::{Note, Rejoining, come_back, give_up, go_on, note, rejoin};
pub use start::{Setup, StartError, start};
pub use survivor::{Loss, Survivor, SurvivorError};

use super::{
    Change, Changed, Fault, NodeId, NotChanged, Role, StateMachine,
    log::{DiskError, LogError},
    peers::Addresses,
};
use crate::{clock, unavailable::Unavailable};

/// A command to be put into the log, answered once it has taken effect here. They have a queue of their own,
/// where they wait while enough is under way.
pub struct Submission<S: StateMachine> {
    /// At most [`super::COMMAND_LEN_MAX`] bytes.
    pub command: Bytes,
    /// To whom.
    pub reply: oneshot::Sender<Result<S::Reply, Unavailable>>,
    since: Duration,
    /// Where its caller waits, if on a runtime.
    runtime: Option<Handle>,
}

impl<S: StateMachine> Submission<S> {
    /// Submitted now, from where its caller waits: what it waits in the queue is a part of what it takes.
    #[must_use]
    pub fn new(command: Bytes, reply: oneshot::Sender<Result<S::Reply, Unavailable>>) -> Self {
        Self { command, reply, since: clock::monotonic(), runtime: Handle::try_current().ok() }
    }
}

/// What else callers ask of the thread that owns the state.
pub enum Request<S: StateMachine> {
    /// Look at the state once it holds all that was acknowledged before, by any node.
    Read(ReadFn<S>),
    /// Look at the state as it is here and now, leader or not.
    Inspect(ReadFn<S>),
    /// Hand leadership to another node, if this one leads.
    HandOver {
        /// To whom. Default: the voter that has most of the log.
        to: Option<NodeId>,
    },
    /// Tell how long ago each peer was last heard from.
    Contacts(oneshot::Sender<BTreeMap<NodeId, Duration>>),
    /// Change the members, if this node leads.
    Change {
        /// What is to be changed.
        change: Change,
        /// To whom.
        reply: oneshot::Sender<Result<Changed, NotChanged>>,
    },
}

/// Looks at the state, or learns why it can't.
pub type ReadFn<S> = Box<dyn FnOnce(Result<(&S, ReadAt), Unavailable>) + Send>;

/// What a read saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadAt {
    /// Log index up to which the state had applied entries.
    pub applied_index: u64,
    /// The node's term then.
    pub term: u64,
    /// This node's wall clock, microseconds since the Unix epoch.
    pub wall_us: u64,
    /// Leader time, if this node leads: what a command proposed now would be stamped with.
    pub leader_us: Option<u64>,
}

/// How this node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Which node this is.
    pub node_id: NodeId,
    /// What it is in Raft.
    pub role: Role,
    /// Its Raft term.
    pub term: u64,
    /// Whom it follows, or itself.
    pub leader: Option<NodeId>,
    /// Log index up to which it knows entries to be committed.
    pub commit_index: u64,
    /// Log index up to which its state has applied entries. Updated before replies leave.
    pub applied_index: u64,
    /// Last index of its newest snapshot.
    pub snapshot_index: u64,
    /// Greatest leader time applied, microseconds since the Unix epoch.
    pub stamp_us: u64,
    /// Version of the cluster.
    pub version: u32,
    /// Knows a leader and is caught up with it.
    pub ready: bool,
    /// (index, hash) of the state at its last index divisible by 1,024.
    pub checkpoint: Option<(u64, u128)>,
}

/// How the consensus thread ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The disk failed.
    #[error("the log can't be written or read")]
    Log(#[from] LogError),
    /// The disk failed elsewhere.
    #[error("the data directory can't be used")]
    Disk(#[from] DiskError),
    /// The node can't go on.
    #[error("the node can't go on")]
    Fault(#[from] Fault),
    /// Something of the state could not be read back.
    #[error("a snapshot can't be used")]
    Snapshot(#[source] std::io::Error),
    /// A peer will never talk to this data directory.
    #[error("node {by} refuses this node: {why}")]
    Refused {
        /// Who.
        by: NodeId,
        /// What it said.
        why: String,
    },
    /// It has read that it was removed.
    #[error(
        "node {node} was removed from the cluster for ever. To use its machine again, type `turnwise cluster \
         add`, and start a node with an empty --data-dir and the --join token that it prints"
    )]
    Removed {
        /// This node.
        node: NodeId,
    },
    /// A bug: an assertion failed.
    #[error("the consensus thread panicked: {0}")]
    Panicked(String),
}

/// Resolves when the consensus thread ends: `Ok` once it was told to stop.
pub type EndOfThread = oneshot::Receiver<Result<(), Ended>>;

/// A running consensus thread.
#[derive(Debug)]
pub struct Running<S: StateMachine> {
    /// For commands.
    pub submissions: mpsc::Sender<Submission<S>>,
    /// For all other calls.
    pub requests: mpsc::Sender<Request<S>>,
    /// How the node is now. Whoever waits is woken when its role, term, leader, version or readiness changes, and
    /// not by each entry.
    pub status: watch::Receiver<Status>,
    /// Where everybody is, now and whenever that changes.
    pub addresses: watch::Receiver<Arc<Addresses>>,
    /// How the thread ended.
    pub ended: EndOfThread,
    /// Drop to stop the thread.
    pub stop: oneshot::Sender<()>,
    /// The thread, to be joined after `ended`.
    pub thread: JoinHandle<()>,
}

/// Runs `body` on the consensus thread; a panic there is an end like any other, and never silence.
fn spawn(
    body: impl FnOnce() -> Result<(), Ended> + Send + 'static,
) -> std::io::Result<(JoinHandle<()>, EndOfThread)> {
    let (tell, ended) = oneshot::channel();
    let thread = thread::Builder::new().name("consensus".to_owned()).spawn(move || {
        let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body))
            .unwrap_or_else(|panic| Err(Ended::Panicked(panic_text(panic.as_ref()))));
        // Nobody is told only where the process is ending anyway.
        drop(tell.send(end));
    })?;
    Ok((thread, ended))
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// The default time between two ticks.
pub const TICK: Duration = Duration::from_millis(30);
