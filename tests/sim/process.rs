//! One running node: the second driver of the production `Node`, log and state machine.
//!
//! It performs effects in order over the simulated disk. The disk is asked in one of two ways, by
//! seed: inline, where the node does nothing until its write is synced, or with the fsync under way
//! while the node goes on, so that what was written can still be lost. It owns what a process has in
//! memory and nothing more: a crash drops it. It does not know where messages go or what time it is;
//! it is told, and it leaves in [`Context::out`] what the world is to do.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use prost::Message as _;
use turnwise::consensus::{
    Change, ChangeId, Changed, Committed, Effect, Entry, EntryKind, Fault, Incarnation, Input,
    LogRequest, Membership, Node, NodeConfig, NodeId, NodeStatus, NotChanged, NotProposed, Now,
    Persist, Proposal, ProposalId, ReadId, Role, StateMachine,
};
use turnwise::{
    consensus::driver::WrittenSnapshot,
    proto::turnwise::{
        log::v1::{BatchMarks, NodeMark},
        peer::v1::RaftMessage,
    },
    routing::State,
};

use crate::{
    checks::{Checks, Outcome, Written},
    marks::{Mark, Marks},
    memdisk::MemDisk,
    store::{self, Store, StoreError},
};

/// What a client asks of a node.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Who asks.
    pub(crate) client: usize,
    /// Unique in the run.
    pub(crate) id: u64,
    pub(crate) what: What,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    Propose(Bytes),
    /// The greatest log index that anybody had been told of when this was first called.
    Read {
        at_least: u64,
    },
}

/// What a node answers.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Done {
        term: u64,
        outcome: Box<Outcome>,
    },
    Read {
        applied: u64,
    },
    NotLeader {
        leader: Option<NodeId>,
    },
    Overloaded,
    /// Nobody knows: it may happen yet.
    Lost,
    /// There was nobody to talk to.
    Refused,
}

/// What a process asks of the world.
#[derive(Debug)]
pub(crate) enum Out {
    Send(RaftMessage),
    /// A snapshot file and the message that goes with it.
    Transfer {
        to: NodeId,
        message: Box<RaftMessage>,
        file: Bytes,
    },
    Answer {
        client: usize,
        call: u64,
        answer: Answer,
    },
    /// Call [`Process::drain`] soon.
    Drain,
    /// Call [`Process::sync`] when the disk has had its time.
    Sync,
    /// Give nothing to this process until the disk has had its time.
    Blocked,
    /// Call [`Process::read_log`] soon.
    ReadLog(LogRequest),
    /// Call [`Process::save`] after a while.
    Save(Box<Save>),
    /// What became of a change of the members.
    Changed(ChangeId, Result<Changed, NotChanged>),
    /// This node was removed: the process ends.
    Removed,
}

/// A snapshot to write.
#[derive(Debug)]
pub(crate) struct Save {
    pub(crate) index: u64,
    pub(crate) term: u64,
    pub(crate) meta: Bytes,
    pub(crate) state: State,
}

/// What surrounds one step.
pub(crate) struct Context<'a> {
    pub(crate) clock: Now,
    pub(crate) checks: &'a mut Checks,
    pub(crate) marks: &'a mut Marks,
    pub(crate) out: Vec<Out>,
}

/// Why a process ended.
#[derive(Debug)]
pub(crate) enum Down {
    /// The disk failed, which it does only where the nemesis made it.
    Disk(StoreError),
    /// Nothing made it: a violation.
    Fault(Fault),
}

impl From<StoreError> for Down {
    fn from(error: StoreError) -> Self {
        Self::Disk(error)
    }
}

impl From<Fault> for Down {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

#[derive(Debug, Clone, Copy)]
struct Waiter {
    client: usize,
    call: u64,
    at_least: u64,
}

/// See the module.
pub(crate) struct Process {
    id: NodeId,
    node: Node,
    /// As of the last input: asked for by many, changed by nothing else.
    status: NodeStatus,
    machine: State,
    store: Store,
    disk: MemDisk,
    inline_disk: bool,
    /// Written and not synced, with the number of the effect.
    unsynced: VecDeque<(u64, Written)>,
    sync_asked: bool,
    proposals: Vec<Proposal>,
    reads: Vec<ReadId>,
    drain_asked: bool,
    waiters: BTreeMap<u64, Waiter>,
    next_waiter: u64,
    applied: u64,
    members: Arc<Membership>,
    /// What is asked to be changed about the members.
    changes: BTreeMap<ChangeId, Change>,
    /// To be told once what was written by then is durable.
    changed: Vec<(ChangeId, Result<Changed, NotChanged>)>,
}

impl Process {
    /// Starts from what the disk holds.
    pub(crate) fn start(
        config: NodeConfig,
        voters: &[NodeId],
        disk: &MemDisk,
        segment_bytes: u64,
        inline_disk: bool,
        founds: bool,
        context: &mut Context<'_>,
    ) -> Result<Self, Down> {
        let (id, incarnation) = (config.id, config.incarnation);
        let opened =
            store::open(disk, id, incarnation, config.versions, voters, segment_bytes, founds)?;
        if opened.tail_cut {
            context.marks.hit(Mark::TornTailCut);
        }
        if opened.install_finished {
            context.marks.hit(Mark::ReceivedButNotInstalled);
        }
        let applied = opened.recovered.snapshot.index;
        if applied > 1 {
            context.marks.hit(Mark::SnapshotOnRestart);
        }
        context.checks.recovered(id, &opened.recovered);
        context.checks.loaded(id, applied, &opened.machine);
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let node = Node::new(config, opened.recovered, &logger)?;
        Ok(Self {
            id,
            status: node.status(),
            node,
            machine: opened.machine,
            store: Store::new(opened.log, opened.store, disk.clone()),
            disk: disk.clone(),
            inline_disk,
            unsynced: VecDeque::new(),
            sync_asked: false,
            proposals: Vec::new(),
            reads: Vec::new(),
            drain_asked: false,
            waiters: BTreeMap::new(),
            next_waiter: 0,
            applied,
            members: Arc::default(),
            changes: BTreeMap::new(),
            changed: Vec::new(),
        })
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    /// What the node knew of itself after its last input.
    pub(crate) fn status(&self) -> &NodeStatus {
        &self.status
    }

    pub(crate) fn machine(&self) -> &State {
        &self.machine
    }

    /// Takes a call into the queue.
    pub(crate) fn call(&mut self, context: &mut Context<'_>, call: Call) {
        self.next_waiter += 1;
        let id = self.next_waiter;
        let mut waiter = Waiter { client: call.client, call: call.id, at_least: 0 };
        match call.what {
            What::Propose(command) => {
                self.proposals.push(Proposal { id: ProposalId(id), command });
            }
            What::Read { at_least } => {
                waiter.at_least = at_least;
                self.reads.push(ReadId(id));
            }
        }
        self.waiters.insert(id, waiter);
        if !self.drain_asked {
            self.drain_asked = true;
            context.out.push(Out::Drain);
        }
    }

    /// Asks for a change of the members.
    pub(crate) fn change(
        &mut self,
        context: &mut Context<'_>,
        id: ChangeId,
        change: Change,
    ) -> Result<(), Down> {
        self.changes.insert(id, change.clone());
        self.handle(context, Input::Change { id, change })
    }

    /// Gives the node everything that waited.
    pub(crate) fn drain(&mut self, context: &mut Context<'_>) -> Result<(), Down> {
        self.drain_asked = false;
        let reads = std::mem::take(&mut self.reads);
        if !reads.is_empty() {
            self.handle(context, Input::Read(reads))?;
        }
        if !self.node.has_room() {
            return Ok(());
        }
        let proposals = std::mem::take(&mut self.proposals);
        if proposals.len() > 1 {
            context.marks.hit(Mark::Batched);
        }
        if !proposals.is_empty() {
            self.handle(context, Input::Propose(proposals))?;
        }
        Ok(())
    }

    /// Proposals that wait for room have it now.
    fn drain_again(&mut self, context: &mut Context<'_>) {
        if !self.proposals.is_empty() && !self.drain_asked && self.node.has_room() {
            self.drain_asked = true;
            context.out.push(Out::Drain);
        }
    }

    /// Syncs everything that was written.
    pub(crate) fn sync(&mut self, context: &mut Context<'_>) -> Result<(), Down> {
        self.sync_asked = false;
        let Some(number) = self.unsynced.back().map(|(number, _)| *number) else { return Ok(()) };
        self.make_durable(context)?;
        self.handle(context, Input::DiskDone { number })
    }

    /// Reads old entries for a follower.
    pub(crate) fn read_log(
        &mut self,
        context: &mut Context<'_>,
        request: LogRequest,
    ) -> Result<(), Down> {
        context.marks.hit(Mark::LogRead);
        let entries = self.store.read(request.low, request.high, request.bytes_max)?;
        self.handle(context, Input::LogRead { request, entries })
    }

    /// Writes a snapshot. One that can't be written is left, as the driver does, for a later one.
    pub(crate) fn save(&mut self, context: &mut Context<'_>, save: Save) -> Result<(), Down> {
        let Save { index, term, meta, state } = save;
        let WrittenSnapshot { meta, len } = match self.store.save(index, term, &meta, &state) {
            Err(error) if !error.is_failed_sync() => {
                context.marks.hit(Mark::SnapshotNotSaved);
                return self.handle(context, Input::SnapshotNotSaved);
            }
            saved => saved?,
        };
        context.marks.hit(Mark::SnapshotTaken);
        context.checks.snapshot_durable(self.id, index);
        self.handle(context, Input::SnapshotSaved { index, term, meta, len })
    }

    /// What the driver does at a tick beside telling the node.
    pub(crate) fn tick(&mut self, context: &mut Context<'_>) -> Result<(), Down> {
        self.handle(context, Input::Tick)?;
        Ok(self.store.vouch()?)
    }

    /// The live segment, and up to where rot in it can be told from a torn write.
    pub(crate) fn proven(&self) -> (String, u64) {
        self.store.proven()
    }

    /// Puts a received snapshot on the disk; false where it is not a snapshot, or there is no room.
    pub(crate) fn receive_snapshot(
        &mut self,
        message: &RaftMessage,
        file: &[u8],
    ) -> Result<bool, Down> {
        match self.store.receive(message, file) {
            Err(error) if !error.is_failed_sync() => Ok(false),
            received => Ok(received.map(|()| true)?),
        }
    }

    /// Gives the node an input and performs what comes of it.
    pub(crate) fn handle(&mut self, context: &mut Context<'_>, input: Input) -> Result<(), Down> {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for effect in self.node.handle(context.clock, input)? {
                self.perform(context, effect, &mut inputs)?;
            }
            self.status = self.node.status();
            let status = &self.status;
            let leads = status.role == Role::Leader;
            if leads && context.checks.leads(self.id, status.term) {
                context.marks.hit(Mark::LeaderChange);
                context.checks.has_it_all(self.id, status.term, status.last_index);
            }
            if !Arc::ptr_eq(&self.members, self.node.membership()) {
                self.members = Arc::clone(self.node.membership());
                context.checks.configs.believes(self.id, self.applied, &self.members, leads);
            }
        }
        self.drain_again(context);
        if self.unsynced.is_empty() {
            for (id, outcome) in std::mem::take(&mut self.changed) {
                self.changed(context, id, outcome);
            }
        }
        Ok(())
    }

    fn perform(
        &mut self,
        context: &mut Context<'_>,
        effect: Effect,
        inputs: &mut VecDeque<Input>,
    ) -> Result<(), Down> {
        match effect {
            Effect::Send(messages) => context.out.extend(messages.into_iter().map(Out::Send)),
            Effect::Persist(persist) => self.persist(context, &persist, inputs)?,
            Effect::ReadLog(request) => context.out.push(Out::ReadLog(request)),
            Effect::Apply(batches) => {
                for batch in batches {
                    self.apply(context, &batch)?;
                }
                inputs.push_back(Input::Applied { through: self.applied });
            }
            Effect::TakeSnapshot { index, term, meta } => {
                assert_eq!(index, self.applied, "a snapshot is of what was applied");
                let state = self.machine.clone();
                context.out.push(Out::Save(Box::new(Save { index, term, meta, state })));
            }
            Effect::SendSnapshot { to, message } => match self.store.snapshot_file(&message)? {
                Some(file) => context.out.push(Out::Transfer { to, message, file }),
                None => inputs.push_back(Input::SnapshotSent { to, delivered: false }),
            },
            Effect::CompactLog { through } => {
                context.marks.hit(Mark::LogCompacted);
                self.store.compact(through)?;
            }
            Effect::ProposalsFailed { proposals, why } => {
                let leader = self.node.status().leader;
                for ProposalId(id) in proposals {
                    let answer = match why {
                        NotProposed::NotLeader => {
                            context.marks.hit(Mark::NotLeader);
                            Answer::NotLeader { leader }
                        }
                        NotProposed::Overloaded => Answer::Overloaded,
                        NotProposed::LeadershipLost => {
                            context.marks.hit(Mark::ProposalLost);
                            Answer::Lost
                        }
                    };
                    self.answer(context, id, answer);
                }
            }
            Effect::ReadsReady(ids) => {
                for ReadId(id) in ids {
                    self.serve(context, id);
                }
            }
            Effect::Changed { id, outcome } => self.changed.push((id, outcome)),
            Effect::Removed => context.out.push(Out::Removed),
            Effect::ReadsFailed(ids) => {
                for ReadId(id) in ids {
                    context.marks.hit(Mark::ReadRefused);
                    self.answer(context, id, Answer::NotLeader { leader: None });
                }
            }
        }
        Ok(())
    }

    fn persist(
        &mut self,
        context: &mut Context<'_>,
        persist: &Persist,
        inputs: &mut VecDeque<Input>,
    ) -> Result<(), Down> {
        let last = self.store.last_index();
        if persist.entries.first().is_some_and(|first: &Entry| first.index <= last) {
            context.marks.hit(Mark::ConflictTruncated);
        }
        if let Some(machine) = self.store.write(persist)? {
            let install = persist.install.as_ref().expect("it was installed");
            context.marks.hit(Mark::SnapshotInstalled);
            context.checks.loaded(self.id, install.index, &machine);
            if machine.engine_version() > self.machine.engine_version() {
                context.marks.hit(Mark::RaisedBySnapshot);
            }
            self.machine = machine;
            self.applied = install.index;
        }
        for entry in persist.entries.iter().filter(|it| it.kind == EntryKind::Normal) {
            let marks = BatchMarks::decode(entry.data.clone()).expect("a batch").marks;
            for NodeMark { node_id, log_index, term } in marks {
                context.checks.marked(NodeId(node_id), log_index, term);
            }
        }
        for entry in persist.entries.iter().filter(|it| it.kind == EntryKind::ConfChange) {
            let status = self.node.status();
            let proposes = status.role == Role::Leader && status.term == entry.term;
            context.checks.change_written(self.id, entry, proposes);
        }
        let written = Written {
            reset: persist.install.as_ref().map(|install| (install.index, install.term)),
            entries: persist.entries.iter().map(|entry| (entry.index, entry.term)).collect(),
            hard_state: persist.hard_state,
        };
        self.unsynced.push_back((persist.number, written));
        if self.inline_disk {
            self.make_durable(context)?;
            inputs.push_back(Input::DiskDone { number: persist.number });
            context.out.push(Out::Blocked);
        } else {
            context.marks.hit(Mark::DelayedDisk);
            if !self.sync_asked {
                self.sync_asked = true;
                context.out.push(Out::Sync);
            }
        }
        Ok(())
    }

    fn make_durable(&mut self, context: &mut Context<'_>) -> Result<(), Down> {
        self.store.sync()?;
        if self.disk.is_synced(".log") {
            for (_, written) in self.unsynced.drain(..) {
                context.checks.synced(self.id, written);
            }
        }
        self.unsynced.clear();
        Ok(())
    }

    fn apply(&mut self, context: &mut Context<'_>, batch: &Committed) -> Result<(), Down> {
        let Committed { index, term, stamp_us, version, commands, proposals } = batch;
        let (machine, mut events) = (&mut self.machine, Vec::new());
        let before = machine.engine_version();
        machine.raise(*index, *version)?;
        if machine.engine_version() > before {
            context.marks.hit(Mark::Raised);
        }
        let outcomes =
            StateMachine::apply(machine, *index, *term, *stamp_us, commands, &mut events)?;
        self.applied = *index;
        context.checks.applied(self.id, batch, &outcomes, events, &self.machine);
        if !proposals.is_empty() {
            context.checks.acknowledges(*index, *term);
        }
        for (ProposalId(id), outcome) in proposals.iter().zip(outcomes) {
            self.answer(context, *id, Answer::Done { term: *term, outcome: Box::new(outcome) });
        }
        Ok(())
    }

    /// Tells what became of a change.
    fn changed(
        &mut self,
        context: &mut Context<'_>,
        id: ChangeId,
        outcome: Result<Changed, NotChanged>,
    ) {
        let change = self.changes.remove(&id).expect("answered once");
        let configs = &context.checks.configs;
        match (&outcome, change) {
            (Ok(Changed::Joined { node, .. }), Change::Join { incarnation, .. }) => {
                let at = configs.admitted_at(*node, incarnation);
                context.checks.acknowledges_change(self.id, at, &format!("{node} is admitted"));
            }
            (Ok(Changed::Removed), Change::Remove { node }) => {
                let at = configs.removed_at(node);
                context.checks.acknowledges_change(self.id, at, &format!("{node} is removed"));
            }
            (Ok(Changed::TokenCreated { .. }), Change::CreateToken { .. }) | (Err(_), _) => {}
            (Ok(other), change) => panic!("{change:?} came to {other:?}"),
        }
        context.out.push(Out::Changed(id, outcome));
    }

    fn serve(&mut self, context: &mut Context<'_>, id: u64) {
        let Some(waiter) = self.waiters.get(&id) else { return };
        context.marks.hit(Mark::ReadServed);
        if self.node.status().role != Role::Leader {
            context.marks.hit(Mark::ReadByFollower);
        }
        context.checks.read(self.id, self.applied, self.machine.hash(), waiter.at_least);
        self.answer(context, id, Answer::Read { applied: self.applied });
    }

    fn answer(&mut self, context: &mut Context<'_>, id: u64, answer: Answer) {
        let waiter = self.waiters.remove(&id).expect("answered once");
        let Waiter { client, call, at_least: _ } = waiter;
        context.out.push(Out::Answer { client, call, answer });
    }
}

/// A node's data directory is made once, with this.
pub(crate) fn incarnation(node: NodeId) -> Incarnation {
    Incarnation(u128::from(node.0) << 64 | 0x5eed)
}
