//! raft-rs without I/O: inputs in, effects out.
//!
//! [`Node`] is driven by one caller at a time. [`Node::handle`] takes one [`Input`], with what the
//! clocks said, and answers with [`Effect`]s to perform **in order**. It opens no file, sends nothing,
//! spawns nothing, reads no clock and draws no random number: election timeouts are a function of
//! (seed, node, term), so a seed replays. Production performs effects on threads; the simulator is a
//! second driver of the same code.
//!
//! The order that keeps promises (RAFT 1, 2): a leader's messages leave before its own fsync, anybody
//! else's leave only after [`Input::DiskDone`]; entries are readable from memory before raft-rs hears
//! that they were appended; what is applied is durable here and on a majority.

mod changes;
mod leadership;
mod marks;
mod pace;
mod retained;
#[cfg(test)]
mod tests;
mod timeout;
mod upgrade;

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use prost::Message as _;
use raft::{
    Config, RawNode,
    ReadOnlyOption::{LeaseBased, Safe},
    SnapshotStatus, StateRole,
    eraftpb::{self, EntryType},
};

use super::{
    batch,
    effect::{Committed, Effect, Install, LogRequest, NodeStatus, NotProposed, Persist, Role},
    entry::{Entry, HardState, NodeId},
    fault::Fault,
    input::{Input, NodeConfig, Proposal, ProposalId, Recovered},
    leader_clock::{LeaderClock, Now},
    membership::{Membership, Standing},
    reads::Reads,
    storage::{MemoryLog, SnapshotRef, WantedEntries},
    wire::{self, BadMessage},
};
use crate::{
    planted::{self, Bug},
    proto::turnwise::{log::v1::SnapshotMeta, peer::v1::RaftMessage},
};

#[derive(Debug)]
struct Pending {
    number: u64,
    /// What may only be said once it is durable.
    messages: Vec<eraftpb::Message>,
    /// Whether it was given to the disk; otherwise it only keeps its place in the order.
    on_disk: bool,
}

/// See the module.
pub struct Node {
    config: NodeConfig,
    raw: RawNode<MemoryLog>,
    now: Now,
    clock: LeaderClock,
    reads: Reads,
    applied: u64,
    /// Last index handed out in `Apply`.
    handed_out: u64,
    /// Last index known durable here.
    durable: u64,
    pending: VecDeque<Pending>,
    unsaved_hard_state: Option<HardState>,
    /// By log index, in this term of leadership only.
    waiting: VecDeque<(u64, Vec<ProposalId>)>,
    leading_term: Option<u64>,
    leader: u64,
    /// The greatest commit index that a leader told of.
    leader_commit: u64,
    /// What followers were told of, as leader.
    told_commit: u64,
    stamp_us: u64,
    /// Of the cluster, as of the last index handed out.
    version: u32,
    /// As of the last index handed out.
    membership: Arc<Membership>,
    changes: changes::Changes,
    marks: marks::Marking,
    retained: retained::Retained,
    pace: pace::Pace,
    snapshot_under_way: bool,
    /// The Ready that brings a snapshot, and that snapshot's index.
    installing: Option<(u64, u64)>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("id", &self.config.id).field("status", &self.status()).finish()
    }
}

const MAX_SIZE_PER_MSG: u64 = 1 << 20;
const MAX_UNCOMMITTED_SIZE: u64 = 64 << 20;
const MAX_COMMITTED_SIZE_PER_READY: u64 = 16 << 20;
const MAX_INFLIGHT_MSGS: usize = 256;
/// So often [`NodeConfig::snapshot_every_bytes`] of log stays at most for those to whom a snapshot is sent.
const LOG_FOR_SNAPSHOTS_SENT: u64 = 4;

impl Node {
    /// Starts from what the disk held.
    ///
    /// # Errors
    /// [`Fault::SnapshotMeta`] if the snapshot's configuration can't be read, [`Fault::Raft`] if
    /// raft-rs finds the state inconsistent.
    pub fn new(
        config: NodeConfig,
        recovered: Recovered,
        logger: &slog::Logger,
    ) -> Result<Self, Fault> {
        const { assert!(Entry::DATA_LEN_MAX < 1 << 20, "an entry fits a message") };
        let Install { index, term, meta } = recovered.snapshot;
        let unreadable = |_| Fault::SnapshotMeta { index };
        let snapshot = wire::snapshot_ref(index, term, meta.clone()).map_err(unreadable)?;
        let decoded = SnapshotMeta::decode(meta).map_err(|_| Fault::SnapshotMeta { index })?;
        let mut hard_state = recovered.hard_state;
        if hard_state.term < term {
            hard_state = HardState { term, vote: 0, commit: hard_state.commit };
        }
        hard_state.commit = hard_state.commit.max(index);
        let entries = recovered.entries.iter().map(wire::entry_to_raft).collect();
        let store = MemoryLog::new(
            recovered.base,
            entries,
            wire::hard_state_to_raft(hard_state),
            snapshot.conf_state.clone(),
            Some(snapshot),
        );
        let (durable, base) = (store.last(), recovered.base.0);
        let raft_config = Config {
            id: config.id.0,
            election_tick: ticks(config.election_ticks),
            heartbeat_tick: ticks(config.heartbeat_ticks),
            applied: planted::choose(
                Bug::AppliedBehindState,
                index.saturating_sub(1).max(base),
                index,
            ),
            read_only_option: planted::choose(Bug::LeaseRead, LeaseBased, Safe),
            max_size_per_msg: MAX_SIZE_PER_MSG,
            max_inflight_msgs: MAX_INFLIGHT_MSGS,
            check_quorum: true,
            // See `tell_commit`.
            skip_bcast_commit: true,
            pre_vote: true,
            max_uncommitted_size: MAX_UNCOMMITTED_SIZE,
            max_committed_size_per_ready: MAX_COMMITTED_SIZE_PER_READY,
            ..Config::default()
        };
        let raw = RawNode::new(&raft_config, store, logger)?;
        let mut node = Self {
            reads: Reads::new(config.id.0, config.boot_nonce),
            raw,
            now: Now::default(),
            clock: LeaderClock::new(decoded.voters.len()),
            changes: changes::Changes::of(&config),
            applied: index,
            handed_out: index,
            durable,
            pending: VecDeque::new(),
            unsaved_hard_state: None,
            waiting: VecDeque::new(),
            leading_term: None,
            leader: 0,
            leader_commit: 0,
            told_commit: 0,
            stamp_us: 0,
            version: 0,
            membership: Arc::default(),
            marks: marks::Marking::default(),
            retained: retained::Retained::default(),
            pace: pace::Pace::new(index > 0),
            snapshot_under_way: false,
            installing: None,
            config,
        };
        node.adopt_meta(index, &decoded)?;
        node.marks.note_entries(&recovered.entries);
        node.draw_election_timeout();
        Ok(node)
    }

    /// Takes one input; the effects are to be performed in order.
    ///
    /// # Errors
    /// A [`Fault`]: the node must not be used again.
    pub fn handle(&mut self, now: Now, input: Input) -> Result<Vec<Effect>, Fault> {
        self.now = now;
        planted::note_leads(self.leading_term.is_some());
        planted::note_newest(self.config.versions.max);
        let mut effects = Vec::new();
        match input {
            Input::Tick => self.tick(&mut effects)?,
            Input::Receive { from, message } => self.receive(from, message)?,
            Input::PeerSeen { peer, incarnation, peer_address, versions } => {
                self.changes.seen(peer, incarnation, peer_address, versions);
            }
            Input::PeerClock { peer, wall_us } => {
                if self.membership.voters().contains(&peer) {
                    self.clock.heard(peer, wall_us, now);
                }
            }
            Input::Propose(proposals) => self.propose(proposals, &mut effects)?,
            Input::Read(ids) => self.reads.arrived(ids),
            Input::DiskDone { number } => self.disk_done(number, &mut effects),
            Input::LogRead { request, entries } => {
                let entries = entries.iter().map(wire::entry_to_raft).collect();
                self.raw.mut_store().offer_fetched(entries);
                self.raw.on_entries_fetched(request.context);
                self.raw.mut_store().clear_fetched();
            }
            Input::Applied { through } => self.applied_through(through),
            Input::SnapshotSaved { index, term, meta, len } => {
                self.pace.saved(len);
                self.snapshot_saved(index, term, meta, &mut effects)?;
            }
            Input::SnapshotNotSaved => {
                self.snapshot_under_way = false;
                self.pace.not_saved();
            }
            Input::SnapshotSent { to, delivered } => {
                let status =
                    if delivered { SnapshotStatus::Finish } else { SnapshotStatus::Failure };
                self.raw.report_snapshot(to.0, status);
                if !delivered {
                    self.retained.not_delivered(to.0);
                }
            }
            Input::Unreachable { peer } => self.raw.report_unreachable(peer.0),
            Input::HandOver { to } => self.hand_over(to),
            Input::Change { id, change } => self.change(id, change, &mut effects)?,
        }
        self.settle(&mut effects)?;
        Ok(effects)
    }

    /// What it knows of itself.
    #[must_use]
    pub fn status(&self) -> NodeStatus {
        let raft = &self.raw.raft;
        let is_leader = raft.state == StateRole::Leader;
        let known = raft.leader_id != 0;
        let settled = if is_leader {
            raft.commit_to_current_term()
        } else {
            self.applied >= self.leader_commit
        };
        let matched = raft.prs().iter().filter(|(id, _)| is_leader && **id != self.config.id.0);
        NodeStatus {
            role: match raft.state {
                StateRole::Leader => Role::Leader,
                StateRole::Follower if self.is_without_vote() => Role::Learner,
                StateRole::Follower => Role::Follower,
                StateRole::Candidate | StateRole::PreCandidate => Role::Candidate,
            },
            term: raft.term,
            leader: known.then_some(NodeId(raft.leader_id)),
            commit: raft.raft_log.committed,
            applied: self.applied,
            last_index: raft.raft_log.last_index(),
            snapshot_index: self.raw.store().snapshot_ref().map_or(0, |s| s.index),
            stamp_us: self.stamp_us,
            caught_up: known
                && settled
                && self.applied >= raft.raft_log.committed
                && self.reads.is_caught_up(),
            clock_alarm_us: self.clock.alarm_us(self.now),
            version: self.version,
            matched: matched.map(|(id, progress)| (NodeId(*id), progress.matched)).collect(),
        }
    }

    /// What a command proposed at `now` would be stamped with, if this node leads and has applied all
    /// that was committed before its term.
    pub fn leader_time_us(&mut self, now: Now) -> Option<u64> {
        let raft = &self.raw.raft;
        let leads = raft.state == StateRole::Leader && raft.commit_to_current_term();
        let is_caught_up = self.applied >= raft.raft_log.committed;
        (leads && is_caught_up).then(|| self.clock.stamp_us(now))
    }

    /// Who is and who was a member, as of the last entry that this node has read.
    #[must_use]
    pub fn membership(&self) -> &Arc<Membership> {
        &self.membership
    }

    fn is_without_vote(&self) -> bool {
        !self.membership.voters().contains(&self.config.id)
    }

    fn tick(&mut self, effects: &mut Vec<Effect>) -> Result<(), Fault> {
        self.pace.tick();
        if self.may_stand() {
            self.raw.tick();
            self.stand_if_alone()?;
        }
        let given_up =
            self.reads.tick(self.config.election_ticks / 2, self.config.election_ticks * 2);
        if !given_up.is_empty() {
            effects.push(Effect::ReadsFailed(given_up));
        }
        self.tell_commit();
        self.tend_marks()?;
        self.tend_members(effects)
    }

    /// While a snapshot is on its way to the disk, raft-rs counts it as committed and not yet applied.
    /// Before an election it would look for membership changes in the entries between, which the
    /// snapshot has replaced, and stop the process for want of them. So a follower whose disk takes
    /// longer than an election timeout does not stand; the others elect without it.
    fn may_stand(&self) -> bool {
        self.installing.is_none()
    }

    fn receive(&mut self, from: NodeId, message: RaftMessage) -> Result<(), Fault> {
        let sender = message.from;
        let last_index = self.raw.raft.raft_log.last_index();
        // Also from one that was admitted since: what it sends may be what tells of that.
        let is_heard = match self.membership.standing(from) {
            Standing::Member | Standing::Newer => sender == from.0,
            Standing::Lost | Standing::Removed | Standing::Stranger => false,
        };
        if is_heard {
            self.understands(&message)?;
        }
        let checked = if is_heard {
            wire::message_to_raft(message, self.config.id.0, last_index)
        } else {
            Err(BadMessage::Sender(sender))
        };
        let message = match checked {
            Ok(message) => message,
            Err(bad) => {
                tracing::warn!(node = self.config.id.0, peer = from.0, %bad, "peer message refused");
                return Ok(());
            }
        };
        self.changes.heard(from);
        if message.get_msg_type() == eraftpb::MessageType::MsgAppend
            && message.term >= self.raw.raft.term
        {
            self.leader_commit = self.leader_commit.max(message.commit);
        }
        if message.get_msg_type() == eraftpb::MessageType::MsgTimeoutNow && !self.may_stand() {
            return Ok(());
        }
        match self.raw.step(message) {
            // What raft-rs ignores, we ignore (RAFT 26): a peer that left, a proposal while deposed.
            Ok(()) | Err(raft::Error::StepPeerNotFound | raft::Error::ProposalDropped) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn propose(
        &mut self,
        proposals: Vec<Proposal>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Fault> {
        if self.raw.raft.state != StateRole::Leader || self.raw.raft.lead_transferee.is_some() {
            let proposals = proposals.iter().map(|p| p.id).collect();
            effects.push(Effect::ProposalsFailed { proposals, why: NotProposed::NotLeader });
            return Ok(());
        }
        let stamp_us = self.clock.stamp_us(self.now);
        let marks = self.marks_to_put(stamp_us);
        for packed in batch::pack(stamp_us, self.version, marks, proposals) {
            if self.append(packed.data)? {
                let index = self.raw.raft.raft_log.last_index();
                self.waiting.push_back((index, packed.proposals));
            } else {
                effects.push(Effect::ProposalsFailed {
                    proposals: packed.proposals,
                    why: NotProposed::Overloaded,
                });
            }
        }
        Ok(())
    }

    /// Appends one entry as leader; false if raft-rs has too much uncommitted.
    fn append(&mut self, data: Bytes) -> Result<bool, Fault> {
        match self.raw.propose(Vec::new(), data.into()) {
            Ok(()) => {
                self.told_commit = self.raw.raft.raft_log.committed;
                Ok(true)
            }
            Err(raft::Error::ProposalDropped) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn disk_done(&mut self, number: u64, effects: &mut Vec<Effect>) {
        let mut messages = Vec::new();
        let mut done = None;
        while let Some(front) = self.pending.front()
            && (front.number <= number || !front.on_disk)
        {
            if let Some(mut pending) = self.pending.pop_front() {
                messages.append(&mut pending.messages);
                done = Some(pending.number);
            }
        }
        if let Some(number) = done {
            self.persisted(number, messages, effects);
        }
    }

    /// Tells raft-rs that everything up to `number` is durable, and says what waited for that.
    fn persisted(
        &mut self,
        number: u64,
        messages: Vec<eraftpb::Message>,
        effects: &mut Vec<Effect>,
    ) {
        self.raw.on_persist_ready(number);
        self.durable = self.raw.raft.raft_log.persisted;
        self.send(messages, effects);
        if let Some((installed_by, index)) = self.installing
            && installed_by <= number
        {
            // A snapshot is applied as a whole, by being installed.
            self.installing = None;
            self.applied = index;
            self.raw.advance_apply_to(index);
        }
    }

    fn applied_through(&mut self, through: u64) {
        if through <= self.applied {
            return;
        }
        self.applied = through;
        self.raw.advance_apply_to(through);
        let durable_applied = through.min(self.durable);
        let bytes_max = self.config.memory_tail_bytes;
        self.raw.mut_store().shrink_tail(durable_applied, bytes_max);
    }

    fn snapshot_saved(
        &mut self,
        index: u64,
        term: u64,
        meta: Bytes,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Fault> {
        self.snapshot_under_way = false;
        if self.raw.store().snapshot_ref().is_some_and(|newest| newest.index >= index) {
            return Ok(());
        }
        let unreadable = |_| Fault::SnapshotMeta { index };
        let saved = wire::snapshot_ref(index, term, meta).map_err(unreadable)?;
        self.raw.mut_store().set_snapshot(saved);
        let limit = index.min(self.applied).min(self.durable);
        let limit = planted::choose(Bug::LogCutPastSnapshot, self.raw.store().last(), limit);
        let keep = self.config.retained_log_bytes;
        let prs = self.raw.raft.prs();
        let taken = retained::Taken { index, log_len: self.pace.between() };
        let stays = self.config.snapshot_every_bytes.saturating_mul(LOG_FOR_SNAPSHOTS_SENT);
        let needed = self.retained.taken(taken, stays, |id| prs.get(id).map(|it| it.matched));
        let through = self.raw.store().compaction_point(limit, keep);
        let through = needed.map_or(through, |needed| through.min(needed));
        self.raw.mut_store().compact(through);
        effects.push(Effect::CompactLog { through });
        Ok(())
    }

    /// Lets raft-rs do all it can now, turning each Ready into effects.
    fn settle(&mut self, effects: &mut Vec<Effect>) -> Result<(), Fault> {
        self.draw_election_timeout();
        loop {
            self.notice_leadership(effects);
            self.ask_for_reads();
            if !self.raw.has_ready() {
                break;
            }
            self.take_ready(effects)?;
        }
        let wanted = self.raw.mut_store().take_wanted();
        for WantedEntries { low, high, bytes_max, context } in wanted.entries {
            effects.push(Effect::ReadLog(LogRequest { low, high, bytes_max, context }));
        }
        let due = self.pace.is_due(self.config.snapshot_every_bytes);
        if (due || wanted.snapshot) && !self.snapshot_under_way {
            self.take_snapshot(effects);
        }
        let ready = self.reads.take_ready(self.applied);
        if !ready.is_empty() {
            effects.push(Effect::ReadsReady(ready));
        }
        Ok(())
    }

    /// raft-rs draws timeouts from the thread's generator; ours are a function, so that a seed replays.
    fn draw_election_timeout(&mut self) {
        let raft = &self.raw.raft;
        let draw = timeout::Draw {
            seed: self.config.seed,
            node: self.config.id,
            term: raft.term,
            leader: raft.leader_id,
        };
        let drawn = draw.ticks(self.config.election_ticks, self.membership.voters());
        let drawn = ticks(drawn);
        if raft.randomized_election_timeout() != drawn {
            self.raw.raft.set_randomized_election_timeout(drawn);
        }
    }

    /// raft-rs drops a read index without a word where nobody can answer it (RAFT 20).
    fn ask_for_reads(&mut self) {
        let raft = &self.raw.raft;
        let answerable = match raft.state {
            StateRole::Leader => raft.commit_to_current_term(),
            StateRole::Follower => raft.leader_id != 0,
            StateRole::Candidate | StateRole::PreCandidate => false,
        };
        if planted::is(Bug::ReadBeforeOwnCommit) && raft.state == StateRole::Leader && !answerable {
            let committed = raft.raft_log.committed;
            let context = self.reads.next_context().unwrap_or_default();
            self.reads.confirmed(&context, committed);
        } else if answerable && let Some(context) = self.reads.next_context() {
            self.raw.read_index(context);
        }
    }

    fn take_ready(&mut self, effects: &mut Vec<Effect>) -> Result<(), Fault> {
        let mut ready = self.raw.ready();
        let messages = ready.take_messages();
        self.send(messages, effects);
        for state in ready.take_read_states() {
            self.reads.confirmed(&state.request_ctx, state.index);
        }
        let install = if ready.snapshot().get_metadata().index == 0 {
            None
        } else {
            Some(self.accept_snapshot(wire::snapshot_from_raft(ready.snapshot()))?)
        };
        let entries = ready.take_entries();
        let to_disk: Vec<_> = entries.iter().map(wire::entry_from_raft).collect();
        self.marks.note_entries(&to_disk);
        self.raw.mut_store().append(entries);
        if let Some(hard_state) = ready.hs() {
            self.unsaved_hard_state = Some(wire::hard_state_from_raft(hard_state));
            self.raw.mut_store().set_hard_state(hard_state.clone());
        }
        let committed = ready.take_committed_entries();
        let mut after_disk = ready.take_persisted_messages();
        if planted::is(Bug::MessagesBeforeFsync) {
            self.send(std::mem::take(&mut after_disk), effects);
        }
        // After a restart the members are those of the last change that is known to be committed. Whoever
        // was removed by it need not be there any more, so that is not left to the next batch.
        let is_change = |entry: &eraftpb::Entry| entry.get_entry_type() != EntryType::EntryNormal;
        let number = ready.number();
        let changes = committed.iter().any(is_change) && !planted::is(Bug::ChangeNotPersisted);
        let must_sync = ready.must_sync() || changes;
        self.raw.advance_append_async(ready);
        if let Some(install) = &install {
            self.installing = Some((number, install.index));
        }
        if must_sync {
            let hard_state = self.unsaved_hard_state.take();
            let hard_state = planted::choose(Bug::TermNotPersisted, None, hard_state);
            let persist = Persist { number, install, entries: to_disk, hard_state };
            effects.push(Effect::Persist(persist));
            self.pending.push_back(Pending { number, messages: after_disk, on_disk: true });
        } else if self.pending.is_empty() {
            // Only the commit index moved: it is written with the next batch (RAFT 4, 10).
            self.persisted(number, after_disk, effects);
        } else {
            self.pending.push_back(Pending { number, messages: after_disk, on_disk: false });
        }
        if planted::is(Bug::AcknowledgedBeforeFsync) {
            self.disk_done(number, effects);
        }
        self.hand_out(committed, effects)
    }

    fn accept_snapshot(&mut self, snapshot: SnapshotRef) -> Result<Install, Fault> {
        let index = snapshot.index;
        let decoded = SnapshotMeta::decode(snapshot.meta.clone())
            .map_err(|_| Fault::SnapshotMeta { index })?;
        let install = Install { index, term: snapshot.term, meta: snapshot.meta.clone() };
        self.adopt_meta(index, &decoded)?;
        self.handed_out = index;
        self.pace.received();
        self.raw.mut_store().reset(snapshot);
        Ok(install)
    }

    fn adopt_meta(&mut self, index: u64, meta: &SnapshotMeta) -> Result<(), Fault> {
        self.adopt_version(index, meta)?;
        self.stamp_us = self.stamp_us.max(meta.stamp_us);
        self.membership = Arc::new(Membership::of(meta));
        self.marks.note(self.membership.marks());
        self.clock.set_members(self.membership.voters());
        Ok(())
    }

    /// Decodes what is committed, once, and hands it out to be applied.
    fn hand_out(
        &mut self,
        entries: Vec<eraftpb::Entry>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Fault> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut out = Vec::with_capacity(entries.len());
        for entry in entries {
            let index = entry.index;
            let len = u64::try_from(entry.data.len()).unwrap_or(u64::MAX);
            self.pace.applied(len);
            // The type comes first: membership changes have empty data too (RAFT 18).
            let batch = match entry.get_entry_type() {
                EntryType::EntryNormal => self.read_batch(index, entry.data)?,
                EntryType::EntryConfChange => self.apply_change(index, entry.term, entry.data)?,
                EntryType::EntryConfChangeV2 => return Err(Fault::UnknownEntry { index }),
            };
            self.stamp_us = self.stamp_us.max(batch.stamp_us);
            self.follow_version(index, batch.cluster_version)?;
            out.push(Committed {
                index,
                term: entry.term,
                stamp_us: planted::choose(Bug::OwnClockInApply, self.now.wall_us, batch.stamp_us),
                version: batch.cluster_version,
                commands: batch.commands,
                proposals: self.waiting_for(index),
            });
            self.handed_out = index;
        }
        effects.push(Effect::Apply(out));
        self.changes.tell(effects);
        Ok(())
    }

    /// Who waits for this index. All who wait proposed in the present term of leadership.
    fn waiting_for(&mut self, index: u64) -> Vec<ProposalId> {
        if self.waiting.front().is_some_and(|(first, _)| *first == index) {
            return self.waiting.pop_front().map(|(_, ids)| ids).unwrap_or_default();
        }
        Vec::new()
    }

    fn take_snapshot(&mut self, effects: &mut Vec<Effect>) {
        let index = self.handed_out;
        let newest = self.raw.store().snapshot_ref().map_or(0, |s| s.index);
        let Some(term) = self.raw.store().term_of(index) else { return };
        if index <= newest {
            return;
        }
        let mut meta = SnapshotMeta { stamp_us: self.stamp_us, ..SnapshotMeta::default() };
        self.membership.write(&mut meta);
        meta.voters.truncate(planted::choose(Bug::SnapshotWithoutMembers, 1, meta.voters.len()));
        self.snapshot_under_way = true;
        self.pace.taken();
        if planted::is(Bug::LogCutBeforeSnapshot) {
            effects.push(Effect::CompactLog { through: index });
        }
        effects.push(Effect::TakeSnapshot { index, term, meta: meta.encode_to_vec().into() });
    }

    fn send(&mut self, messages: Vec<eraftpb::Message>, effects: &mut Vec<Effect>) {
        let mut ordinary = Vec::with_capacity(messages.len());
        for message in messages.into_iter().filter_map(wire::message_from_raft) {
            if let Some(header) = &message.snapshot {
                self.retained.sends(message.to, header.index);
                let to = NodeId(message.to);
                effects.push(Effect::SendSnapshot { to, message: Box::new(message) });
            } else {
                ordinary.push(message);
            }
        }
        if !ordinary.is_empty() {
            effects.push(Effect::Send(ordinary));
        }
    }
}

fn ticks(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
