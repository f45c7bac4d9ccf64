//! One call that changes something, from any node: read here, decided on the leader.
//!
//! It never retries a call that may have taken effect: the client does, with the same request id.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::task::JoinSet;
use tonic::{Request, Status};

use crate::{
    clock,
    consensus::NodeId,
    replica::{self, Replica, Submitted, WhenFull},
    routing::{Command, LogPosition, Principal, Stamp, TeamId, Time},
    unavailable::Unavailable,
};

use super::{
    Peers, answer,
    authenticate::Caller,
    command::{Answer, Call, Checked, command},
    deadline::Deadline,
    forward::{Link, Passed},
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
pub struct Gateway {
    replica: Replica,
    peers: Peers,
    links: Arc<Mutex<Links>>,
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
    /// calls are passed on through. The tasks end once every clone of the gateway is gone.
    #[must_use]
    pub fn new(replica: Replica, peers: Peers) -> Self {
        Self { replica, peers, links: Arc::default() }
    }

    /// The link to where a node is now.
    fn link(&self, node: NodeId) -> Option<Arc<Link>> {
        let addresses = self.peers.addresses();
        let now = &addresses.get(&node)?.peer;
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, link)) = links.to.get(&node).filter(|(known, _)| known == now) {
            return Some(Arc::clone(link));
        }
        while links.tasks.try_join_next().is_some() {}
        let (address, channel) = self.peers.way_to(node)?;
        let (link, task) = Link::new(node, channel, self.replica.watch());
        let link = Arc::new(link);
        links.tasks.spawn(task);
        links.to.insert(node, (address, Arc::clone(&link)));
        Some(link)
    }

    /// This node's copy of the state.
    #[must_use]
    pub fn replica(&self) -> &Replica {
        &self.replica
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
        self.call(call(request.into_inner()), &principal, time).await
    }

    /// Does a call on the leader, here or elsewhere, in its time.
    ///
    /// # Errors
    /// A status that says whether the call may have taken effect.
    async fn call(
        &self,
        call: Call,
        principal: &Principal,
        time: Deadline,
    ) -> Result<Answer, Status> {
        self.submit(call, principal, time, WhenFull::Refuse).await.answer().await
    }

    /// Gives a call its place in the order: one submitted after this returns comes behind it.
    pub(super) async fn submit(
        &self,
        call: Call,
        principal: &Principal,
        time: Deadline,
        when_full: WhenFull,
    ) -> Underway {
        let begun = in_time(time, self.begin(call, principal, time, when_full)).await;
        Underway { gateway: self.clone(), begun, time }
    }

    /// The same for a call that another node passed on: it is done here or not at all.
    pub(super) async fn submit_here(
        &self,
        call: Call,
        principal: &Principal,
        time: Deadline,
    ) -> Underway {
        let begun = in_time(time, self.begin_here(call, principal, time)).await;
        Underway { gateway: self.clone(), begun, time }
    }

    async fn begin(
        &self,
        call: Call,
        principal: &Principal,
        time: Deadline,
        when_full: WhenFull,
    ) -> Result<Begun, Status> {
        let Checked { command, validate_only } = read(&call, principal)?;
        if validate_only {
            return self.try_out(call, command, time).await.map(Begun::Tried);
        }
        let this = self.replica.status();
        match this.leader {
            None => Err(status::unavailable(Unavailable::NoLeader)),
            Some(leader) if leader == this.node_id => {
                let again = Some((principal.clone(), time));
                self.decide(call, command, when_full, again).await
            }
            Some(leader) => {
                let passed = self.pass_on(leader, call, principal, time, when_full).await?;
                Ok(Begun::There(passed))
            }
        }
    }

    async fn begin_here(
        &self,
        call: Call,
        principal: &Principal,
        time: Deadline,
    ) -> Result<Begun, Status> {
        let Checked { command, validate_only } = read(&call, principal)?;
        if validate_only {
            return self.try_out(call, command, time).await.map(Begun::Tried);
        }
        let replica::Status { node_id, leader, .. } = self.replica.status();
        if leader != Some(node_id) {
            return Err(status::unavailable(Unavailable::NotLeader { leader }));
        }
        // The other node's queue is where calls are refused.
        self.decide(call, command, WhenFull::Wait, None).await
    }

    /// What would come of a command: on a copy of the state, which is then thrown away.
    async fn try_out(
        &self,
        call: Call,
        command: Command,
        time: Deadline,
    ) -> Result<Answer, Status> {
        Replica::fits(&command).map_err(status::unavailable)?;
        let team = command.team.clone();
        // Nothing is remembered of it, so nothing can be a repeat of it.
        let command = Command { request: None, ..command };
        // Whether the caller may is for `apply` to say, as of any command.
        let (outcome, now) = reads::tried(&self.replica, time, &team, move |mut state, at| {
            let log_index = at.applied_index.saturating_add(1);
            let position = LogPosition { log_index, seq: 0, term: at.term };
            let reply = state.apply(&command, Stamp { time: at.now, position })?;
            Ok((reply.outcome, at.now))
        })
        .await?;
        answer::answer(&call, &team, outcome, None, now)
    }

    async fn decide(
        &self,
        call: Call,
        command: Command,
        when_full: WhenFull,
        again: Option<(Principal, Deadline)>,
    ) -> Result<Begun, Status> {
        let team = command.team.clone();
        let submitted = self.replica.submit(command, when_full).await;
        let submitted = submitted.map_err(status::unavailable)?;
        Ok(Begun::Here { call, team, submitted, again })
    }

    async fn finish(&self, begun: Begun) -> Result<Answer, Status> {
        let (call, team, submitted, again) = match begun {
            Begun::There(passed) => return passed.answer().await,
            Begun::Tried(answer) => return Ok(answer),
            Begun::Here { call, team, submitted, again } => (call, team, submitted, again),
        };
        let decided = submitted.answer().await;
        if let Err(Unavailable::NotLeader { leader: Some(next) }) = decided
            && next != self.replica.status().node_id
            && let Some((principal, time)) = again
        {
            // Deposed between the look and the proposal. Nothing was done, so it may go on.
            let passed = self.pass_on(next, call, &principal, time, WhenFull::Refuse).await?;
            return passed.answer().await;
        }
        match decided.map_err(status::unavailable)? {
            Ok(reply) => {
                let now = clock::wall().max(Time(self.replica.status().stamp_us));
                answer::answer(&call, &team, reply.outcome, Some(reply.position), now)
            }
            Err(rejection) => Err(status::rejected(&team, &rejection)),
        }
    }

    async fn pass_on(
        &self,
        leader: NodeId,
        call: Call,
        principal: &Principal,
        time: Deadline,
        when_full: WhenFull,
    ) -> Result<Passed, Status> {
        let Some(link) = self.link(leader) else {
            // A member of which this node does not know yet where it is.
            return Err(status::unavailable(Unavailable::LeaderUnreachable));
        };
        link.submit(call, principal, time.left(), when_full).await
    }
}

/// A call that has its place in the order, or was refused at once.
pub(super) struct Underway {
    gateway: Gateway,
    begun: Result<Begun, Status>,
    time: Deadline,
}

impl Underway {
    /// The answer, within the call's time.
    pub(super) async fn answer(self) -> Result<Answer, Status> {
        let Self { gateway, begun, time } = self;
        in_time(time, gateway.finish(begun?)).await
    }
}

enum Begun {
    Here {
        call: Call,
        team: TeamId,
        submitted: Submitted,
        /// What is needed to pass it on after all; `None` where it came from another node.
        again: Option<(Principal, Deadline)>,
    },
    There(Passed),
    /// Nothing was begun: it was only tried out.
    Tried(Answer),
}

/// Checked on the node that was asked, before it costs the leader anything, and there again.
fn read(call: &Call, principal: &Principal) -> Result<Checked, Status> {
    command(call, principal, clock::wall()).map_err(|violations| status::invalid(&violations))
}

async fn in_time<T>(
    time: Deadline,
    work: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    time.or_late(work).await.unwrap_or_else(|late| Err(status::unavailable(late)))
}
