//! One turn of the consensus thread: all that waits goes in, effects come out, replies leave.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    mem,
    sync::Arc,
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};

use super::{
    Ended, ReadAt, ReadFn, Request, Status, Submission,
    answers::{Answers, Waiter},
    checkpoints::Checkpoints,
    contacts::Contacts,
    data_dir::WrittenSnapshot,
    snapshots::{self, Saved, Sent, Snapshots},
};
use crate::{
    clock,
    consensus::{
        ChangeId, Changed, Committed, Effect, EventSink, Input, Node, NodeId, NotChanged,
        NotProposed, Now, Persist, Proposal, ProposalId, ReadId, Role, Standing, StateMachine,
        log::{Batch, Disk, Log, LogError, Spare},
        peers::{Addresses, Links, PeerEvent, PeerView, Speaker, addresses},
    },
    telemetry::{self, Metrics},
    unavailable::Unavailable,
};

/// Events of peers taken in one turn; more wait for the next.
const EVENTS_PER_TURN_MAX: usize = 4_096;
/// Calls taken in one turn, of commands and of all others; more wait for the next.
const REQUESTS_PER_TURN_MAX: usize = 16_384;

/// What a thread or task of the driver reports back.
pub(super) enum Report<F> {
    Saved(Saved),
    Sent(Sent),
    Spare(std::io::Result<Spare<F>>),
    /// Segments of the log are gone.
    Dropped(Result<(), LogError>),
}

/// Everything that reaches the thread, in one place.
pub(super) struct Inbox<S: StateMachine, D: Disk> {
    pub(super) submissions: mpsc::Receiver<Submission<S>>,
    pub(super) requests: mpsc::Receiver<Request<S>>,
    pub(super) peers: mpsc::Receiver<PeerEvent>,
    pub(super) reports: mpsc::UnboundedReceiver<Report<D::File>>,
    pub(super) stop: oneshot::Receiver<()>,
}

/// What a driver is made of, from outside.
pub(super) struct Parts<S: StateMachine, D: Disk> {
    pub(super) node_id: NodeId,
    pub(super) node: Node,
    pub(super) log: Log<D>,
    pub(super) disk: Arc<D>,
    pub(super) machine: S,
    pub(super) links: Links,
    pub(super) snapshots: Snapshots<D>,
    pub(super) events: Box<dyn EventSink<S::Event>>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) status: watch::Sender<Status>,
    pub(super) view: watch::Sender<PeerView>,
    pub(super) addresses: watch::Sender<Arc<Addresses>>,
    /// Where this node's configuration says that the others are.
    pub(super) configured: BTreeMap<NodeId, String>,
    /// For what may block or wait: transfers, spare segments.
    pub(super) runtime: Handle,
    pub(super) reports: mpsc::UnboundedSender<Report<D::File>>,
}

/// What became of a change of the members.
type Outcome = Result<Changed, NotChanged>;

/// What the consensus thread owns.
pub(super) struct Driver<S: StateMachine, D: Disk> {
    parts: Parts<S, D>,
    tasks: JoinSet<()>,
    ids: u64,
    waiters: HashMap<ProposalId, Waiter<S::Reply>>,
    reads: HashMap<ReadId, ReadFn<S>>,
    changes: HashMap<ChangeId, oneshot::Sender<Outcome>>,
    /// To be told once what this turn wrote is durable.
    changed: Vec<(oneshot::Sender<Outcome>, Outcome)>,
    /// Where nodes say they are that this one has no record of.
    told: BTreeMap<NodeId, String>,
    /// Replies of this turn: they leave together, once the status tells of what they saw.
    answers: Answers<S::Reply>,
    /// Caused by effects, to be handled within the turn.
    follow_ups: VecDeque<Input>,
    /// The last write of this turn that no fsync covers yet.
    unsynced: Option<u64>,
    checkpoints: Checkpoints,
    contacts: Contacts,
    applied_index: u64,
    /// This machine's clock was off when last looked at.
    clock_is_off: bool,
}

impl<S: StateMachine, D: Disk> Driver<S, D> {
    pub(super) fn new(parts: Parts<S, D>) -> Self {
        Self {
            applied_index: parts.node.status().applied,
            checkpoints: Checkpoints::new(parts.node_id),
            contacts: Contacts::default(),
            parts,
            tasks: JoinSet::new(),
            ids: 0,
            waiters: HashMap::new(),
            reads: HashMap::new(),
            changes: HashMap::new(),
            changed: Vec::new(),
            told: BTreeMap::new(),
            answers: Answers::default(),
            follow_ups: VecDeque::new(),
            unsynced: None,
            clock_is_off: false,
        }
    }

    /// Turns until told to stop or unable to go on.
    pub(super) async fn run(mut self, mut inbox: Inbox<S, D>, tick: Duration) -> Result<(), Ended> {
        let ended = self.turn_until_stopped(&mut inbox, tick).await;
        // What is still in the queue was never proposed.
        inbox.submissions.close();
        while let Ok(Submission { reply, .. }) = inbox.submissions.try_recv() {
            drop(reply.send(Err(Unavailable::ShuttingDown)));
        }
        ended
    }

    async fn turn_until_stopped(
        &mut self,
        inbox: &mut Inbox<S, D>,
        tick: Duration,
    ) -> Result<(), Ended> {
        let mut next_tick = clock::monotonic() + tick;
        let mut requests = Vec::new();
        let mut submissions = Vec::new();
        let mut events = Vec::new();
        let mut reports = Vec::new();
        loop {
            let until_tick = next_tick.saturating_sub(clock::monotonic());
            tokio::select! {
                biased;
                _ = &mut inbox.stop => return Ok(()),
                () = tokio::time::sleep(until_tick) => {}
                _ = inbox.reports.recv_many(&mut reports, 64) => {}
                _ = inbox.peers.recv_many(&mut events, 1_024) => {}
                count = inbox.requests.recv_many(&mut requests, REQUESTS_PER_TURN_MAX) => {
                    if count == 0 {
                        return Ok(());
                    }
                }
                count = inbox.submissions.recv_many(&mut submissions, REQUESTS_PER_TURN_MAX),
                    if self.parts.node.has_room() =>
                {
                    if count == 0 {
                        return Ok(());
                    }
                }
            }
            while events.len() < EVENTS_PER_TURN_MAX
                && let Ok(event) = inbox.peers.try_recv()
            {
                events.push(event);
            }
            while requests.len() < REQUESTS_PER_TURN_MAX
                && let Ok(request) = inbox.requests.try_recv()
            {
                requests.push(request);
            }
            for report in reports.drain(..) {
                self.reported(report)?;
            }
            for event in events.drain(..) {
                self.peer_event(event)?;
            }
            if clock::monotonic() >= next_tick {
                // Ticks missed in a stall are not made up for: that would be an election (RAFT 8).
                next_tick = clock::monotonic() + tick;
                self.handle(Input::Tick)?;
                self.ticked()?;
            }
            self.requested(requests.drain(..))?;
            // What came before may have made room.
            while submissions.len() < REQUESTS_PER_TURN_MAX
                && self.parts.node.has_room()
                && let Ok(submission) = inbox.submissions.try_recv()
            {
                submissions.push(submission);
            }
            let left = inbox.submissions.len();
            self.parts.metrics.queue_depth.set(u64::try_from(left).unwrap_or(u64::MAX));
            self.submitted(submissions.drain(..))?;
            self.finish_turn()?;
            // The tasks' results are reports; here they only leave.
            while self.tasks.try_join_next().is_some() {}
        }
    }

    fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    fn requested(&mut self, requests: impl Iterator<Item = Request<S>>) -> Result<(), Ended> {
        let mut reads = Vec::new();
        for request in requests {
            match request {
                Request::Read(read) => {
                    let id = ReadId(self.next_id());
                    self.reads.insert(id, read);
                    reads.push(id);
                }
                Request::Inspect(read) => {
                    let at = self.read_at();
                    read(Ok((&self.parts.machine, at)));
                }
                Request::HandOver { to } => self.handle(Input::HandOver { to })?,
                Request::Contacts(reply) => {
                    let Status { role, leader, .. } = *self.parts.status.borrow();
                    let raft_talks = |peer| role == Role::Leader || leader == Some(peer);
                    // A caller that has gone away is no error.
                    drop(reply.send(self.contacts.ages(clock::monotonic(), raft_talks)));
                }
                Request::Change { change, reply } => {
                    let id = ChangeId(self.next_id());
                    self.changes.insert(id, reply);
                    self.handle(Input::Change { id, change })?;
                }
            }
        }
        if !reads.is_empty() {
            self.handle(Input::Read(reads))?;
        }
        Ok(())
    }

    fn submitted(&mut self, submissions: impl Iterator<Item = Submission<S>>) -> Result<(), Ended> {
        let mut proposals = Vec::new();
        for Submission { command, reply, since, runtime } in submissions {
            let id = ProposalId(self.next_id());
            self.waiters.insert(id, Waiter { reply, since, runtime });
            proposals.push(Proposal { id, command });
        }
        if !proposals.is_empty() {
            let count = proposals.len();
            self.parts.metrics.proposals.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
            self.parts
                .metrics
                .batch_size
                .observe(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
            self.handle(Input::Propose(proposals))?;
        }
        Ok(())
    }

    fn read_at(&mut self) -> ReadAt {
        let Status { applied_index, term, .. } = *self.parts.status.borrow();
        let now = now();
        ReadAt {
            applied_index: applied_index.max(self.applied_index),
            term,
            wall_us: now.wall_us,
            leader_us: self.parts.node.leader_time_us(now),
        }
    }

    fn peer_event(&mut self, event: PeerEvent) -> Result<(), Ended> {
        match event {
            PeerEvent::Seen(speaker) => {
                let Speaker { peer, incarnation, peer_address, versions, is_admitted: _ } = speaker;
                self.contacts.linked(peer, clock::monotonic());
                if self.parts.node.membership().standing(peer) == Standing::Newer
                    && !peer_address.is_empty()
                    && self.told.insert(peer, peer_address.clone()).as_ref() != Some(&peer_address)
                {
                    self.connect();
                }
                self.handle(Input::PeerSeen { peer, incarnation, peer_address, versions })
            }
            PeerEvent::Clock { peer, wall_us } => {
                self.contacts.heard(peer, clock::monotonic());
                self.handle(Input::PeerClock { peer, wall_us })
            }
            PeerEvent::Message { from, message } if message.snapshot.is_some() => {
                // Its body comes on a call of its own, or it is a snapshot of nothing.
                tracing::warn!(peer = from.0, "a snapshot without its body was refused");
                Ok(())
            }
            PeerEvent::Message { from, message } => self.handle(Input::Receive { from, message }),
            PeerEvent::Unreachable { peer } => {
                self.contacts.lost(peer, clock::monotonic());
                self.handle(Input::Unreachable { peer })
            }
            PeerEvent::Refused { by, why } => Err(Ended::Refused { by, why }),
            PeerEvent::DiskFailed { error } => Err(snapshots::ended(error)),
            PeerEvent::Checkpoint { peer, log_index, state_hash } => {
                let members = self.members();
                Ok(self.checkpoints.note(peer, log_index, state_hash, members)?)
            }
            PeerEvent::Snapshot { from, message, done } => {
                self.handle(Input::Receive { from, message: *message })?;
                // raft-rs has taken it by now, or never will. Either way the file is sound and older
                // ones are no better: whatever it holds was committed.
                // A sender that has gone away is no error.
                done.send(()).unwrap_or_default();
                Ok(())
            }
        }
    }

    fn reported(&mut self, report: Report<D::File>) -> Result<(), Ended> {
        match report {
            Report::Dropped(removed) => Ok(removed?),
            Report::Saved(Saved { index, term, result, removed }) => match result {
                Ok(WrittenSnapshot { meta, len }) => {
                    snapshots::removed(removed)?;
                    self.handle(Input::SnapshotSaved { index, term, meta, len })
                }
                Err(error) if error.is_failed_sync() => Err(snapshots::ended(error)),
                Err(error) => {
                    tracing::error!(index, %error, "snapshot not written; a later one will be tried");
                    self.handle(Input::SnapshotNotSaved)
                }
            },
            Report::Sent(Sent { damage: Some(error), .. }) => Err(snapshots::ended(error)),
            Report::Sent(Sent { to, result, damage: None }) => {
                if let Err(status) = &result {
                    tracing::warn!(peer = to.0, error = status.message(), "snapshot not delivered");
                }
                self.handle(Input::SnapshotSent { to, delivered: result.is_ok() })
            }
            Report::Spare(Ok(spare)) => {
                self.parts.log.offer_spare(spare);
                Ok(())
            }
            Report::Spare(Err(error)) => {
                tracing::warn!(%error, "no spare log segment; the next one is made when it is needed");
                self.parts.log.spare_failed();
                Ok(())
            }
        }
    }

    fn ticked(&mut self) -> Result<(), Ended> {
        self.parts.log.vouch()?;
        if let Some(request) = self.parts.log.spare_wanted() {
            self.spawn(move |disk| Report::Spare(request.fill(disk)));
        }
        Ok(())
    }

    /// Has another thread do what waits for the disk.
    fn spawn(&mut self, work: impl FnOnce(&D) -> Report<D::File> + Send + 'static) {
        let (disk, reports) = (Arc::clone(&self.parts.disk), self.parts.reports.clone());
        // The consensus thread is gone only where the process is ending.
        let work = move || drop(reports.send(work(disk.as_ref())));
        self.tasks.spawn_blocking_on(work, &self.parts.runtime);
    }

    /// Hands one input to the node and performs what comes of it.
    fn handle(&mut self, input: Input) -> Result<(), Ended> {
        self.follow_ups.push_back(input);
        while let Some(input) = self.follow_ups.pop_front() {
            for effect in self.parts.node.handle(now(), input)? {
                self.perform(effect)?;
            }
        }
        Ok(())
    }

    fn perform(&mut self, effect: Effect) -> Result<(), Ended> {
        match effect {
            Effect::Send(messages) => {
                for message in messages {
                    let peer = NodeId(message.to);
                    if !self.parts.links.send(message) {
                        self.follow_ups.push_back(Input::Unreachable { peer });
                    }
                }
            }
            Effect::Persist(persist) => self.persist(persist)?,
            Effect::ReadLog(request) => {
                let entries =
                    match self.parts.log.read(request.low, request.high, request.bytes_max) {
                        // Gone since the request: the follower gets a snapshot instead.
                        Err(LogError::Compacted { .. } | LogError::Beyond { .. }) => Vec::new(),
                        read => read?,
                    };
                self.follow_ups.push_back(Input::LogRead { request, entries });
            }
            Effect::Apply(committed) => self.apply(committed)?,
            Effect::TakeSnapshot { index, term, meta } => {
                let image = self.parts.machine.image();
                self.parts.snapshots.take::<S>(
                    index,
                    term,
                    meta,
                    image,
                    self.parts.reports.clone(),
                );
            }
            Effect::SendSnapshot { to, message } => {
                let task = self.parts.snapshots.send(to, *message);
                let reports = self.parts.reports.clone();
                let send = async move { drop(reports.send(Report::Sent(task.await))) };
                self.tasks.spawn_on(send, &self.parts.runtime);
            }
            Effect::CompactLog { through } => {
                let dropped = self.parts.log.compact(through)?;
                if !dropped.is_empty() {
                    self.spawn(move |disk| Report::Dropped(dropped.remove(disk)));
                }
            }
            Effect::ProposalsFailed { proposals, why } => {
                let leader = self.parts.node.status().leader;
                let why = match why {
                    NotProposed::NotLeader if leader.is_none() => Unavailable::NoLeader,
                    NotProposed::NotLeader => Unavailable::NotLeader { leader },
                    NotProposed::Overloaded => Unavailable::Overloaded,
                    NotProposed::LeadershipLost => Unavailable::LeadershipLost,
                };
                for waiter in proposals.iter().filter_map(|id| self.waiters.remove(id)) {
                    self.answers.push(waiter, Err(why));
                }
            }
            Effect::ReadsReady(ids) => {
                let at = self.read_at();
                for read in ids.iter().filter_map(|id| self.reads.remove(id)) {
                    read(Ok((&self.parts.machine, at)));
                }
            }
            Effect::ReadsFailed(ids) => {
                for read in ids.iter().filter_map(|id| self.reads.remove(id)) {
                    read(Err(Unavailable::NoLeader));
                }
            }
            Effect::Changed { id, outcome } => {
                if let Some(reply) = self.changes.remove(&id) {
                    self.changed.push((reply, outcome));
                }
            }
            Effect::Removed => return Err(Ended::Removed { node: self.parts.node_id }),
        }
        Ok(())
    }

    /// How many members there are.
    fn members(&self) -> usize {
        self.parts.node.membership().members().count()
    }

    /// Tells everybody here where everybody is.
    fn connect(&mut self) {
        let members = self.parts.node.membership();
        self.told.retain(|peer, _| members.standing(*peer) == Standing::Newer);
        let now = addresses(members, &self.parts.configured, &self.told);
        if now != **self.parts.addresses.borrow() {
            self.parts.links.connect(&now);
            self.parts.addresses.send_replace(Arc::new(now));
        }
    }

    fn persist(&mut self, persist: Persist) -> Result<(), Ended> {
        let Persist { number, install, entries, hard_state } = persist;
        let mut reset = None;
        if let Some(install) = install {
            self.parts.machine = self.parts.snapshots.install(&install)?;
            self.parts.events.loaded(install.index);
            self.applied_index = install.index;
            reset = Some((install.index, install.term));
        }
        self.parts.log.write(&Batch { hard_state, entries: &entries, reset, sync: false })?;
        self.unsynced = Some(number);
        Ok(())
    }

    fn apply(&mut self, committed: Vec<Committed>) -> Result<(), Ended> {
        let mut through = self.applied_index;
        let now = clock::monotonic();
        for Committed { index, term, stamp_us, version, commands, proposals } in committed {
            self.parts.machine.raise(index, version)?;
            let mut events = Vec::new();
            let replies =
                self.parts.machine.apply(index, term, stamp_us, &commands, &mut events)?;
            self.parts.events.applied(index, events);
            for (id, reply) in proposals.into_iter().zip(replies) {
                if let Some(waiter) = self.waiters.remove(&id) {
                    let took = now.saturating_sub(waiter.since);
                    self.parts.metrics.commit_seconds.observe(took.as_secs_f64());
                    self.answers.push(waiter, Ok(reply));
                }
            }
            if Checkpoints::is_due(index) {
                let members = self.members();
                self.checkpoints.ours(index, self.parts.machine.hash(), members)?;
            }
            through = index;
        }
        self.applied_index = through;
        self.follow_ups.push_back(Input::Applied { through });
        Ok(())
    }

    /// One fsync for all writes of the turn; what it allows may write again.
    fn finish_turn(&mut self) -> Result<(), Ended> {
        if self.unsynced.is_none() {
            self.answer();
        }
        while let Some(number) = self.unsynced.take() {
            let started = clock::monotonic();
            self.parts.log.write(&Batch { sync: true, ..Batch::default() })?;
            let took = clock::monotonic().saturating_sub(started);
            self.parts.metrics.fsync_seconds.observe(took.as_secs_f64());
            // Before anything is acknowledged: a peer that is told less of this log than was
            // acknowledged would take it for an old copy.
            self.publish_view();
            self.handle(Input::DiskDone { number })?;
            self.answer();
        }
        Ok(())
    }

    /// Tells how the node is, then lets the replies leave.
    fn answer(&mut self) {
        self.publish();
        for (reply, outcome) in self.changed.drain(..) {
            // A caller that has gone away is no error.
            drop(reply.send(outcome));
        }
        self.answers.leave();
    }

    /// Says when this machine's clock goes wrong, and when it is right again.
    fn watch_clock(&mut self, off_us: Option<i64>) {
        let off = Duration::from_micros(off_us.unwrap_or(0).unsigned_abs());
        self.parts.metrics.clock_off_seconds.set(off.as_secs_f64());
        let was_off = std::mem::replace(&mut self.clock_is_off, off_us.is_some());
        let node = self.parts.node_id.0;
        match off_us {
            Some(off_us) if !was_off => tracing::warn!(
                node,
                off_ms = off_us / 1_000,
                "this machine's clock is off the median of the members' by more than a second: \
                 the log's time does not follow it; set it right"
            ),
            None if was_off => tracing::info!(node, "this machine's clock is right again"),
            Some(_) | None => {}
        }
    }

    fn publish(&mut self) {
        self.publish_view();
        let node = self.parts.node.status();
        self.watch_clock(node.clock_alarm_us);
        let new = Status {
            node_id: self.parts.node_id,
            role: node.role,
            term: node.term,
            leader: node.leader,
            commit_index: node.commit,
            applied_index: node.applied,
            snapshot_index: node.snapshot_index,
            stamp_us: node.stamp_us,
            version: node.version,
            ready: node.caught_up,
            checkpoint: self.checkpoints.newest(),
        };
        let old = *self.parts.status.borrow();
        if new == old {
            return;
        }
        if new.leader != old.leader && new.leader.is_some() {
            self.parts.metrics.leader_changes.inc();
        }
        if new.role != old.role {
            tracing::info!(node = self.parts.node_id.0, role = ?new.role, term = new.term, "role");
            self.parts.metrics.set_role(match new.role {
                Role::Leader => telemetry::Role::Leader,
                Role::Follower => telemetry::Role::Follower,
                Role::Candidate => telemetry::Role::Candidate,
                Role::Learner => telemetry::Role::Learner,
            });
        }
        self.parts.metrics.term.set(new.term);
        self.parts.metrics.commit_index.set(new.commit_index);
        self.parts.metrics.applied_index.set(new.applied_index);
        let told = |it: &Status| (it.role, it.term, it.leader, it.version, it.ready);
        // Whoever looks sees all of it. Nobody is woken by what changes with each entry.
        self.parts.status.send_if_modified(|status| {
            *status = new;
            told(&new) != told(&old)
        });
    }

    /// What peers are told of this node, and of whom it talks to.
    fn publish_view(&mut self) {
        let new = PeerView::of(&self.parts.node, self.checkpoints.newest());
        // By the place in memory: to compare all that is known of the members, each turn, costs.
        let moved = !Arc::ptr_eq(&self.parts.view.borrow().members, &new.members);
        self.parts.view.send_if_modified(|view| {
            let changed = moved || *view != new;
            if changed {
                *view = new;
            }
            changed
        });
        if moved {
            self.connect();
        }
    }
}

fn now() -> Now {
    let monotonic_us = u64::try_from(clock::monotonic().as_micros()).unwrap_or(u64::MAX);
    Now { monotonic_us, wall_us: clock::wall().0 }
}

impl<S: StateMachine, D: Disk> Drop for Driver<S, D> {
    fn drop(&mut self) {
        for (_, waiter) in mem::take(&mut self.waiters) {
            drop(waiter.reply.send(Err(Unavailable::LeadershipLost)));
        }
        for (_, read) in mem::take(&mut self.reads) {
            read(Err(Unavailable::ShuttingDown));
        }
    }
}
