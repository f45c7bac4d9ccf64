//! One call that changes something, from any node: read here, decided on the leader.
//!
//! A call that finds no leader waits for one, for about as long as an election takes: of a leader that is
//! killed, callers of other nodes see a slow answer in the place of an error. What may have taken effect is
//! never tried again here: the client does that, with the same request id.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt as _, TryFutureExt as _, future::BoxFuture};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::Instant,
};
use tonic::{Request, Status};

use crate::{
    clock,
    consensus::NodeId,
    replica::{self, Encoded, Replica, Submitted, WhenFull},
    routing::{Command, LogPosition, Principal, Stamp, TeamId, Time},
    unavailable::Unavailable,
};

use super::{
    Peers, answer,
    authenticate::Caller,
    command::{Answer, Call, Checked, command},
    deadline::Deadline,
    forward::{Link, Passed},
    limits::{LEADER_ASKED_AGAIN, WAITING_FOR_LEADER_MAX},
    reads, status,
};

/// Does a unary call that changes something, by a service's gateway, and gives the call's own answer.
macro_rules! change {
    ($service:expr, $request:expr, $call:ident) => {{
        let call = $crate::api::command::Call::$call;
        let answer = $service.gateway.unary($request, call).await?;
        let $crate::api::command::Answer::$call(answer) = answer else {
            return Err($crate::api::status::internal());
        };
        Ok(tonic::Response::new(answer))
    }};
}
pub(super) use change;

/// The way of changing calls into the log. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Gateway(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    replica: Replica,
    peers: Peers,
    links: Mutex<Links>,
    /// How long a call waits for a leader.
    patience: Duration,
    /// Room for calls that wait for one.
    waiting: Arc<Semaphore>,
}

/// A link to each node that led, and where that was then; and the tasks that serve them.
#[derive(Debug, Default)]
struct Links {
    to: BTreeMap<NodeId, (String, Arc<Link>)>,
    /// Aborted once every clone of the gateway is gone.
    tasks: JoinSet<()>,
}

impl Gateway {
    /// Over this node's copy of the state, and to `peers`: to each that leads, a task keeps the stream that
    /// calls are passed on through. The tasks end once every clone of the gateway is gone. `patience` is how
    /// long a call waits while nobody leads: two election timeouts, as linearizable reads do.
    #[must_use]
    pub fn new(replica: Replica, peers: Peers, patience: Duration) -> Self {
        let waiting = Arc::new(Semaphore::new(WAITING_FOR_LEADER_MAX));
        Self(Arc::new(Shared { replica, peers, links: Mutex::default(), patience, waiting }))
    }

    /// The link to where a node is now.
    fn link(&self, node: NodeId) -> Option<Arc<Link>> {
        let addresses = self.0.peers.addresses();
        let now = &addresses.get(&node)?.peer;
        let mut links = self.0.links.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, link)) = links.to.get(&node).filter(|(known, _)| known == now) {
            return Some(Arc::clone(link));
        }
        while links.tasks.try_join_next().is_some() {}
        let (address, channel) = self.0.peers.way_to(node)?;
        let (link, task) = Link::new(node, channel, self.0.replica.watch());
        let link = Arc::new(link);
        links.tasks.spawn_on(task, self.0.peers.runtime());
        links.to.insert(node, (address, Arc::clone(&link)));
        Some(link)
    }

    /// This node's copy of the state.
    #[must_use]
    pub fn replica(&self) -> &Replica {
        &self.0.replica
    }

    /// A unary call of a client: its deadline, its principal, its answer.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub(super) async fn unary<T>(
        &self,
        request: Request<T>,
        call: impl FnOnce(T) -> Call,
    ) -> Result<Answer, Status> {
        let Caller { principal, time } = Caller::of(&request)?;
        let call = call(request.into_inner());
        self.call(&call, &principal, time).await
    }

    /// Does a call on the leader, here or elsewhere, in its time.
    ///
    /// # Errors
    /// A status that says whether the call may have taken effect.
    async fn call(
        &self,
        call: &Call,
        principal: &Principal,
        time: Deadline,
    ) -> Result<Answer, Status> {
        let mut wait = None;
        loop {
            let asked = self.0.replica.status();
            let underway = self.submit_as_of(asked, call, principal, time, WhenFull::Refuse).await;
            let refused = match underway.answer(call).await {
                Err(refused) if status::is_for_want_of_a_leader(&refused) => refused,
                done => return done,
            };
            let Some(wait) = wait.get_or_insert_with(|| Wait::new(self, time)) else {
                return Err(refused);
            };
            if !wait.for_leader(asked).await {
                return Err(refused);
            }
        }
    }

    /// Gives a call its place in the order: one submitted after this returns comes behind it.
    pub(super) async fn submit(
        &self,
        call: &Call,
        principal: &Principal,
        time: Deadline,
        when_full: WhenFull,
    ) -> Underway {
        self.submit_as_of(self.0.replica.status(), call, principal, time, when_full).await
    }

    /// The same, to the leader that this node had then.
    async fn submit_as_of(
        &self,
        now: replica::Status,
        call: &Call,
        principal: &Principal,
        time: Deadline,
        when_full: WhenFull,
    ) -> Underway {
        let begun = in_time(time, self.begin(now, call, principal, time, when_full)).await;
        Underway { gateway: self.clone(), begun, time }
    }

    /// The same for a call that another node passed on: it is done here or not at all.
    pub(super) async fn submit_here(
        &self,
        call: &Call,
        principal: &Principal,
        time: Deadline,
    ) -> Underway {
        let begun = in_time(time, self.begin_here(call, principal, time)).await;
        Underway { gateway: self.clone(), begun, time }
    }

    async fn begin(
        &self,
        now: replica::Status,
        call: &Call,
        principal: &Principal,
        time: Deadline,
        when_full: WhenFull,
    ) -> Result<Begun, Status> {
        let (command, validate_only) = read(call, principal)?;
        if validate_only {
            return self.try_out(call, command, time).await;
        }
        match now.leader {
            None => Err(status::unavailable(Unavailable::NoLeader)),
            Some(leader) if leader == now.node_id => self.decide(&command, when_full)?.await,
            Some(leader) => self.pass_on(leader, call, principal, time, when_full).await,
        }
    }

    async fn begin_here(
        &self,
        call: &Call,
        principal: &Principal,
        time: Deadline,
    ) -> Result<Begun, Status> {
        let (command, validate_only) = read(call, principal)?;
        if validate_only {
            return self.try_out(call, command, time).await;
        }
        let replica::Status { node_id, leader, .. } = self.0.replica.status();
        if leader != Some(node_id) {
            return Err(status::unavailable(Unavailable::NotLeader { leader }));
        }
        // The other node's queue is where calls are refused.
        self.decide(&command, WhenFull::Wait)?.await
    }

    /// What would come of a command: on a copy of the state, which is then thrown away.
    ///
    /// A future in a box: it is large, rare, and would stand in the future of each call.
    fn try_out<'a>(
        &'a self,
        call: &'a Call,
        command: Box<Command>,
        time: Deadline,
    ) -> BoxFuture<'a, Result<Begun, Status>> {
        Box::pin(self.tried(call, command, time).map_ok(|answer| Begun::Tried(Box::new(answer))))
    }

    async fn tried(
        &self,
        call: &Call,
        command: Box<Command>,
        time: Deadline,
    ) -> Result<Answer, Status> {
        drop(Encoded::new(&command).map_err(status::unavailable)?);
        let team = command.team.clone();
        // Nothing is remembered of it, so nothing can be a repeat of it.
        let command = Command { request: None, ..*command };
        // Whether the caller may is for `apply` to say, as of any command.
        let (outcome, now) = reads::tried(&self.0.replica, time, &team, move |mut state, at| {
            let log_index = at.applied_index.saturating_add(1);
            let position = LogPosition { log_index, seq: 0, term: at.term };
            let reply = state.apply(&command, Stamp { time: at.now, position })?;
            Ok((reply.outcome, at.now))
        })
        .await?;
        answer::answer(call, &team, outcome, None, now)
    }

    /// Encoded before anything is waited for: the command itself need not be kept.
    fn decide<'a>(
        &'a self,
        command: &Command,
        when_full: WhenFull,
    ) -> Result<impl Future<Output = Result<Begun, Status>> + 'a, Status> {
        let team = command.team.clone();
        let command = Encoded::new(command).map_err(status::unavailable)?;
        Ok(async move {
            let submitted = self.0.replica.submit(command, when_full).await;
            let submitted = submitted.map_err(status::unavailable)?;
            Ok(Begun::Here { team, submitted })
        })
    }

    async fn finish(&self, call: &Call, begun: Begun) -> Result<Answer, Status> {
        let (team, submitted) = match begun {
            Begun::There(passed) => return passed.answer().await,
            Begun::Tried(answer) => return Ok(*answer),
            Begun::Here { team, submitted } => (team, submitted),
        };
        match submitted.answer().await.map_err(status::unavailable)? {
            Ok(reply) => {
                let now = clock::wall().max(Time(self.0.replica.status().stamp_us));
                answer::answer(call, &team, reply.outcome, Some(reply.position), now)
            }
            Err(rejection) => Err(status::rejected(&team, &rejection)),
        }
    }

    /// In a box, as [`Self::try_out`]: the node that leads need not carry it.
    fn pass_on<'a>(
        &'a self,
        leader: NodeId,
        call: &'a Call,
        principal: &'a Principal,
        time: Deadline,
        when_full: WhenFull,
    ) -> BoxFuture<'a, Result<Begun, Status>> {
        Box::pin(async move {
            let Some(link) = self.link(leader) else {
                // A member of which this node does not know yet where it is.
                return Err(status::unavailable(Unavailable::LeaderUnreachable));
            };
            let passed = link.submit(call.clone(), principal, time.left(), when_full).await?;
            Ok(Begun::There(passed))
        })
    }
}

/// A call that has its place in the order, or was refused at once.
pub(super) struct Underway {
    gateway: Gateway,
    begun: Result<Begun, Status>,
    time: Deadline,
}

impl Underway {
    /// The answer to the call that was submitted, within its time.
    pub(super) async fn answer(self, call: &Call) -> Result<Answer, Status> {
        let Self { gateway, begun, time } = self;
        in_time(time, gateway.finish(call, begun?)).await
    }
}

enum Begun {
    Here {
        team: TeamId,
        submitted: Submitted,
    },
    There(Passed),
    /// Nothing was begun: it was only tried out.
    Tried(Box<Answer>),
}

/// A call that nobody could do yet, waiting for somebody to lead.
struct Wait {
    status: watch::Receiver<replica::Status>,
    until: Instant,
    /// The next look where nothing is heard of a change: a connection to the same leader may have come back.
    pause: Duration,
    _room: OwnedSemaphorePermit,
}

impl Wait {
    /// `None` where too many wait already.
    fn new(gateway: &Gateway, time: Deadline) -> Option<Self> {
        let room = Arc::clone(&gateway.0.waiting).try_acquire_owned().ok()?;
        let until = time.left().min(gateway.0.patience);
        let (status, until) = (gateway.0.replica.watch(), Instant::now() + until);
        Some(Self { status, until, pause: LEADER_ASKED_AGAIN, _room: room })
    }

    /// Returns once it is worth asking again; false if that was not to be in time. `asked` is how this node
    /// was when the call was tried.
    async fn for_leader(&mut self, asked: replica::Status) -> bool {
        let is_another = |now: &replica::Status| {
            now.leader.is_some() && (now.leader, now.term) != (asked.leader, asked.term)
        };
        let again = asked.leader.map_or(self.until, |_| Instant::now() + self.pause);
        self.pause = self.pause.saturating_mul(2);
        let led = self.status.wait_for(is_another);
        match tokio::time::timeout_at(again.min(self.until), led).await {
            Ok(led) => led.is_ok(),
            Err(_) => again < self.until,
        }
    }
}

/// Checked on the node that was asked, before it costs the leader anything, and there again. In a box, so that
/// it is not moved about.
fn read(call: &Call, principal: &Principal) -> Result<(Box<Command>, ValidateOnly), Status> {
    let checked = command(call, principal, clock::wall());
    let Checked { command, validate_only } =
        checked.map_err(|violations| status::invalid(&violations))?;
    Ok((Box::new(command), validate_only))
}

/// What comes of it is to be told, and nothing done.
type ValidateOnly = bool;

fn in_time<T>(
    time: Deadline,
    work: impl Future<Output = Result<T, Status>>,
) -> impl Future<Output = Result<T, Status>> {
    let late = |late| Err(status::unavailable(late));
    time.or_late(work).map(move |done| done.unwrap_or_else(late))
}

#[cfg(test)]
mod tests {
    use tokio::{runtime::Handle, sync::mpsc};

    use super::*;
    use crate::{
        proto::turnwise::v1::CreateTeamRequest,
        replica::{ReplicaSubmission, Role},
    };

    fn follower(leader: Option<u64>) -> replica::Status {
        replica::Status {
            node_id: NodeId(1),
            role: Role::Follower,
            term: 1,
            leader: leader.map(NodeId),
            commit_index: 0,
            applied_index: 0,
            snapshot_index: 0,
            stamp_us: 0,
            version: 2,
            ready: false,
            checkpoint: None,
        }
    }

    struct Bench {
        gateway: Gateway,
        status: watch::Sender<replica::Status>,
        submissions: mpsc::Receiver<ReplicaSubmission>,
    }

    /// A node that nobody serves; it knows where no other one is.
    fn bench(leader: Option<u64>) -> Bench {
        let (status, seen) = watch::channel(follower(leader));
        let (sender, submissions) = mpsc::channel(8);
        let (requests, _) = mpsc::channel(1);
        let (_, addresses) = watch::channel(Arc::default());
        let patience = Duration::from_secs(600);
        let replica = Replica::new(sender, requests, seen);
        let gateway = Gateway::new(replica, Peers::new(addresses, Handle::current()), patience);
        Bench { gateway, status, submissions }
    }

    async fn create(gateway: &Gateway) -> Result<Answer, Status> {
        let request = CreateTeamRequest { team_id: "t".to_owned(), ..Default::default() };
        let time = Deadline::after(Duration::from_secs(60));
        gateway.call(&Call::CreateTeam(request), &Principal::default(), time).await
    }

    #[tokio::test]
    async fn a_call_waits_for_somebody_to_lead_and_is_then_made_once() {
        for leader in [None, Some(2)] {
            let mut bench = bench(leader);
            let mut call = Box::pin(create(&bench.gateway));
            assert!(call.as_mut().now_or_never().is_none(), "nobody leads, or cannot be reached");
            bench.status.send_modify(|status| status.commit_index = 7);
            assert!(call.as_mut().now_or_never().is_none());
            assert!(bench.submissions.try_recv().is_err());
            bench.status.send_replace(replica::Status { term: 2, ..follower(Some(1)) });
            assert!(call.as_mut().now_or_never().is_none());
            assert!(bench.submissions.try_recv().is_ok());
            assert!(bench.submissions.try_recv().is_err());
        }
    }

    #[tokio::test]
    async fn a_call_that_a_leader_refuses_while_it_hands_over_waits_for_the_next_one() {
        let mut bench = bench(Some(1));
        let mut call = Box::pin(create(&bench.gateway));
        assert!(call.as_mut().now_or_never().is_none());
        let Ok(ReplicaSubmission { reply, .. }) = bench.submissions.try_recv() else {
            panic!("it was not proposed");
        };
        reply.send(Err(Unavailable::NotLeader { leader: Some(NodeId(1)) })).unwrap();
        assert!(call.as_mut().now_or_never().is_none() && bench.submissions.try_recv().is_err());
        bench.status.send_replace(replica::Status { term: 3, ..follower(Some(1)) });
        assert!(call.as_mut().now_or_never().is_none());
        let Ok(ReplicaSubmission { reply, .. }) = bench.submissions.try_recv() else {
            panic!("it was not proposed again");
        };
        // Perhaps done: that is for the caller to ask again.
        reply.send(Err(Unavailable::LeadershipLost)).unwrap();
        let refused = call.await.unwrap_err();
        assert!(refused.message().contains("may have taken effect"), "{refused:?}");
        assert!(bench.submissions.try_recv().is_err());
    }

    #[tokio::test]
    async fn as_many_calls_wait_as_there_is_room_for_and_one_more_is_refused() {
        let bench = bench(None);
        let mut waiting = Vec::new();
        for _ in 0..WAITING_FOR_LEADER_MAX {
            let mut call = Box::pin(create(&bench.gateway));
            assert!(call.as_mut().now_or_never().is_none());
            waiting.push(call);
        }
        let one_more = create(&bench.gateway).now_or_never().expect("it does not wait");
        assert!(status::is_for_want_of_a_leader(&one_more.unwrap_err()));
        waiting.pop();
        assert!(create(&bench.gateway).now_or_never().is_none(), "there is room again");
    }
}
