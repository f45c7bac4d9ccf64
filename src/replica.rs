//! Binds the two: bytes of the log to `routing::Command`, snapshot bodies to `routing::State`, and
//! callers to the thread that owns the state.
//!
//! It holds no rule of routing and nothing of Raft.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

pub use crate::consensus::{
    Change, Changed, Incarnation, NotChanged, Role, Ticket, TokenHash, Versions,
    driver::Status,
    log::VERSION as LOG_VERSION,
    peers::{Address, Addresses, PROTOCOL_VERSION},
};
use crate::{
    codec,
    consensus::{
        COMMAND_LEN_MAX, Fault, NodeId, StateMachine,
        driver::{self, Request, Submission},
    },
    image,
    planted::{self, Bug},
    routing::{
        Command, ENGINE_VERSION_MAX, ENGINE_VERSION_MIN, Event, LogPosition, Operation, Rejection,
        Reply, Stamp, State, Time,
    },
    unavailable::Unavailable,
};

/// The versions of the cluster that this build has. They are those of the routing rules: what else changes of
/// the log, of snapshots or between peers takes a new number there too, even if no outcome does.
pub const VERSIONS: Versions = Versions { min: ENGINE_VERSION_MIN, max: ENGINE_VERSION_MAX };

/// The versions that a process has: those of its build.
#[cfg(not(feature = "next"))]
#[must_use]
pub const fn versions() -> Versions {
    VERSIONS
}

/// The versions that a process has. In the test build it can be told to be one of the build before.
#[cfg(feature = "next")]
#[must_use]
pub fn versions() -> Versions {
    let is_older = std::env::var_os("TURNWISE_OLDER_BUILD").is_some();
    Versions { max: VERSIONS.max - u32::from(is_older), ..VERSIONS }
}

impl StateMachine for State {
    type Reply = Result<Reply, Rejection>;
    type Event = Event;

    fn versions() -> Versions {
        versions()
    }

    fn empty() -> Self {
        Self::new()
    }

    fn version(&self) -> u32 {
        self.engine_version()
    }

    fn raise(&mut self, index: u64, version: u32) -> Result<(), Fault> {
        let before = self.engine_version();
        if version <= before {
            return Ok(());
        }
        let newest = ENGINE_VERSION_MAX;
        self.raise_engine(version).map_err(|_| Fault::Version { index, version, before, newest })
    }

    fn apply(
        &mut self,
        index: u64,
        term: u64,
        stamp_us: u64,
        commands: &[Bytes],
        events: &mut Vec<Event>,
    ) -> Result<Vec<Self::Reply>, Fault> {
        let mut replies = Vec::with_capacity(commands.len());
        for (seq, bytes) in (0..).zip(planted::in_order(commands)) {
            let mut command = codec::decode(bytes).map_err(|error| {
                tracing::error!(index, seq, %error, "a committed command can't be read");
                Fault::Command { index, seq }
            })?;
            let is_absence = matches!(command.operation, Operation::SetOutOfOffice { .. });
            if planted::is(Bug::OutOfOfficeOnLeaderOnly) && is_absence && !planted::leads() {
                command.operation = Operation::Tick;
            }
            let position = LogPosition { log_index: index, seq, term };
            let stamp = Stamp { time: Time(stamp_us), position };
            replies.push(self.apply_telling(&command, stamp, events));
        }
        Ok(replies)
    }

    fn hash(&self) -> u128 {
        Self::hash(self)
    }

    fn recomputed_hash(&self) -> u128 {
        Self::recomputed_hash(self)
    }

    fn image(&self) -> Self {
        self.clone()
    }

    fn save(image: &Self, out: &mut dyn Write) -> io::Result<()> {
        image::save(image, out)
    }

    fn load(body: &[u8]) -> io::Result<(Self, u128)> {
        image::load(body)
    }
}

/// A command for the thread that owns the state.
pub type ReplicaSubmission = Submission<State>;

/// What else that thread is asked.
pub type ReplicaRequest = Request<State>;

/// This node's copy of the state, in order with the others'. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Replica {
    submissions: mpsc::Sender<ReplicaSubmission>,
    requests: mpsc::Sender<ReplicaRequest>,
    status: watch::Receiver<Status>,
}

/// What a read saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadAt {
    /// Log index up to which the state had applied entries.
    pub applied_index: u64,
    /// The node's term then.
    pub term: u64,
    /// The time that computed fields are computed at: the greater of log time and this node's clock.
    pub now: Time,
    /// Leader time, if this node leads: what a command proposed now would be stamped with.
    pub leader_time: Option<Time>,
}

/// What becomes of a command for which the queue has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// The caller hears at once: one call of many that know nothing of each other.
    Refuse,
    /// It waits: the next one of a stream, whose sender is slowed by that.
    Wait,
}

/// A command on its way.
#[derive(Debug)]
#[must_use = "a command may be refused"]
pub struct Submitted {
    answer: oneshot::Receiver<Result<Result<Reply, Rejection>, Unavailable>>,
}

impl Submitted {
    /// Returns once the command has taken effect here, or is known not to, or nobody knows.
    ///
    /// # Errors
    /// As [`Replica::propose`].
    pub async fn answer(self) -> Result<Result<Reply, Rejection>, Unavailable> {
        self.answer.await.unwrap_or(Err(Unavailable::LeadershipLost))
    }
}

/// A command in the form in which it stands in the log. Cheap to keep where it has to wait.
#[derive(Debug)]
pub struct Encoded(Bytes);

impl Encoded {
    /// # Errors
    /// [`Unavailable::TooLarge`] where it does not fit an entry.
    pub fn new(command: &Command) -> Result<Self, Unavailable> {
        let command = codec::encode(command);
        if command.len() > COMMAND_LEN_MAX {
            return Err(Unavailable::TooLarge { len: command.len(), max: COMMAND_LEN_MAX });
        }
        Ok(Self(command))
    }
}

impl Replica {
    /// A handle to the thread that takes `submissions` and `requests` and updates `status`.
    #[must_use]
    pub fn new(
        submissions: mpsc::Sender<ReplicaSubmission>,
        requests: mpsc::Sender<ReplicaRequest>,
        status: watch::Receiver<Status>,
    ) -> Self {
        Self { submissions, requests, status }
    }

    /// Puts a command into the log; answers once it has taken effect here.
    ///
    /// # Errors
    /// [`Unavailable::NotLeader`] on any node but the leader, [`Unavailable::Overloaded`] where too
    /// many wait, [`Unavailable::TooLarge`] where the command does not fit an entry.
    pub async fn propose(&self, command: Command) -> Result<Result<Reply, Rejection>, Unavailable> {
        self.submit(Encoded::new(&command)?, WhenFull::Refuse).await?.answer().await
    }

    /// Gives a command its place in the order: one submitted after this returns comes behind it.
    ///
    /// # Errors
    /// As [`Self::propose`], but for what only the answer can tell.
    pub async fn submit(
        &self,
        Encoded(command): Encoded,
        when_full: WhenFull,
    ) -> Result<Submitted, Unavailable> {
        let (reply, answer) = oneshot::channel();
        let submission = Submission::new(command, reply);
        match when_full {
            WhenFull::Refuse => send(&self.submissions, submission)?,
            WhenFull::Wait => {
                let sent = self.submissions.send(submission).await;
                sent.map_err(|_| Unavailable::ShuttingDown)?;
            }
        }
        Ok(Submitted { answer })
    }

    /// Looks at the state once it holds all that was acknowledged before the call, by any node.
    ///
    /// # Errors
    /// [`Unavailable`] if the leader can't confirm in time what that is.
    pub async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&State, ReadAt) -> T + Send + 'static,
    ) -> Result<T, Unavailable> {
        self.look(Request::Read, look).await
    }

    /// Looks at the state as it is on this node, leader or not.
    ///
    /// # Errors
    /// [`Unavailable::ShuttingDown`], [`Unavailable::Overloaded`].
    pub async fn inspect<T: Send + 'static>(
        &self,
        look: impl FnOnce(&State, ReadAt) -> T + Send + 'static,
    ) -> Result<T, Unavailable> {
        self.look(Request::Inspect, look).await
    }

    async fn look<T: Send + 'static>(
        &self,
        request: fn(driver::ReadFn<State>) -> ReplicaRequest,
        look: impl FnOnce(&State, ReadAt) -> T + Send + 'static,
    ) -> Result<T, Unavailable> {
        let (reply, answer) = oneshot::channel();
        let read: driver::ReadFn<State> = Box::new(move |seen| {
            let answer = seen.map(|(state, at)| {
                let now = state.time().max(Time(at.wall_us));
                let leader_time = at.leader_us.map(|us| state.time().max(Time(us)));
                let driver::ReadAt { applied_index, term, .. } = at;
                let at = ReadAt { applied_index, term, now, leader_time };
                look(state, at)
            });
            // Nobody waits any more if the receiver is gone.
            drop(reply.send(answer));
        });
        send(&self.requests, request(read))?;
        answer.await.unwrap_or(Err(Unavailable::ShuttingDown))
    }

    /// Asks this node to hand leadership over, if it leads: to the voter named, or to the one that has most
    /// of the log. Whether that one takes it shows in [`Self::watch`].
    ///
    /// # Errors
    /// [`Unavailable::ShuttingDown`], [`Unavailable::Overloaded`].
    pub fn hand_over(&self, to: Option<NodeId>) -> Result<(), Unavailable> {
        send(&self.requests, Request::HandOver { to })
    }

    /// How long ago this node last heard from each other one on the peer port; zero where two nodes
    /// that Raft keeps silent have a connection. None for one not heard from since this node started.
    ///
    /// # Errors
    /// [`Unavailable::ShuttingDown`], [`Unavailable::Overloaded`].
    pub async fn contacts(&self) -> Result<BTreeMap<NodeId, Duration>, Unavailable> {
        let (reply, answer) = oneshot::channel();
        send(&self.requests, Request::Contacts(reply))?;
        answer.await.map_err(|_| Unavailable::ShuttingDown)
    }

    /// Changes the members, if this node leads.
    ///
    /// # Errors
    /// [`Unavailable::ShuttingDown`], [`Unavailable::Overloaded`].
    pub async fn change_members(
        &self,
        change: Change,
    ) -> Result<Result<Changed, NotChanged>, Unavailable> {
        let (reply, answer) = oneshot::channel();
        send(&self.requests, Request::Change { change, reply })?;
        answer.await.map_err(|_| Unavailable::LeadershipLost)
    }

    /// How this node is now.
    #[must_use]
    pub fn status(&self) -> Status {
        *self.status.borrow()
    }

    /// How this node is now, and a wake whenever its role, term, leader, version or readiness changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }
}

/// A full queue is an answer: the caller hears at once, and the memory stays bounded.
fn send<T>(queue: &mpsc::Sender<T>, item: T) -> Result<(), Unavailable> {
    queue.try_send(item).map_err(|error| match error {
        mpsc::error::TrySendError::Full(_) => Unavailable::Overloaded,
        mpsc::error::TrySendError::Closed(_) => Unavailable::ShuttingDown,
    })
}
