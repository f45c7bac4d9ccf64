//! Changes of the members: proposed by the leader one at a time, matched when they are applied.
//!
//! What a change does to the records is `membership`'s. Here is when one may be proposed (RAFT 17, 19): by
//! a leader that has committed in its term, with no other on its way, and only if those who are left could
//! go on. A leader promotes a learner that has caught up by itself, and then removes whom it replaces.

use std::{collections::BTreeMap, iter, sync::Arc};

use bytes::Bytes;
use raft::StateRole;

use super::Node;
use crate::{
    consensus::{
        batch::{self, ChangeEntry},
        effect::{Changed, Effect, NotChanged},
        entry::{Incarnation, NodeId},
        fault::Fault,
        input::{Change, ChangeId, NodeConfig, Ticket},
        membership::{self, JOIN_TOKENS_MAX, OpenToken, Record, Standing, Step, TokenHash},
        versions::Versions,
        wire,
    },
    planted::{self, Bug},
    proto::turnwise::log::v1::Batch,
};

/// A learner that lacks no more entries than this has caught up: a few batches under load.
const CAUGHT_UP_WITHIN: u64 = 256;

type Outcome = Result<Changed, NotChanged>;

/// What a node remembers of changes between inputs.
#[derive(Debug)]
pub(super) struct Changes {
    seen: BTreeMap<NodeId, Seen>,
    /// The record that was proposed for a node, and in which term.
    proposed: BTreeMap<NodeId, (u64, Record)>,
    /// In this term of leadership only, by log index.
    waiting: Vec<Waiting>,
    /// The version that was proposed last, in this term of leadership only.
    pub(super) raising: Option<u32>,
    /// To be told after the entries that they rest on.
    done: Vec<(ChangeId, Outcome)>,
    ticks: u64,
    /// At which tick a message of each peer came last.
    heard: BTreeMap<NodeId, u64>,
    /// At which tick it last handed over by itself, because it is to be replaced.
    handed_over_at: u64,
    /// At which tick it first knew that it was removed.
    removed_at: Option<u64>,
}

#[derive(Debug, Clone)]
struct Seen {
    incarnation: Incarnation,
    peer_address: String,
    versions: Versions,
}

#[derive(Debug)]
struct Waiting {
    index: u64,
    term: u64,
    /// `None` = the leader's own idea.
    id: Option<ChangeId>,
    what: What,
}

#[derive(Debug)]
enum What {
    Token { hash: TokenHash, expires_us: u64 },
    Step { node: NodeId, step: Step },
}

impl Changes {
    pub(super) fn of(config: &NodeConfig) -> Self {
        let own = Seen {
            incarnation: config.incarnation,
            peer_address: config.addresses.get(&config.id).cloned().unwrap_or_default(),
            versions: config.versions,
        };
        Self {
            seen: BTreeMap::from([(config.id, own)]),
            proposed: BTreeMap::new(),
            waiting: Vec::new(),
            raising: None,
            done: Vec::new(),
            ticks: 0,
            heard: BTreeMap::new(),
            handed_over_at: 0,
            removed_at: None,
        }
    }

    pub(super) fn seen(
        &mut self,
        peer: NodeId,
        incarnation: Incarnation,
        peer_address: String,
        versions: Versions,
    ) {
        self.seen.insert(peer, Seen { incarnation, peer_address, versions });
    }

    /// What the build of a node has, by its last handshake.
    pub(super) fn versions(&self, node: NodeId) -> Option<Versions> {
        self.seen.get(&node).map(|seen| seen.versions)
    }

    /// A message of a peer came.
    pub(super) fn heard(&mut self, peer: NodeId) {
        self.heard.insert(peer, self.ticks);
    }

    /// Nobody here learns any more what becomes of what waits.
    pub(super) fn leadership_lost(&mut self, effects: &mut Vec<Effect>) {
        self.raising = None;
        let lost = self.waiting.drain(..).filter_map(|waiting| waiting.id);
        self.done.extend(lost.map(|id| (id, Err(NotChanged::LeadershipLost))));
        self.tell(effects);
    }

    pub(super) fn tell(&mut self, effects: &mut Vec<Effect>) {
        let done = self.done.drain(..);
        effects.extend(done.map(|(id, outcome)| Effect::Changed { id, outcome }));
    }

    fn take(&mut self, index: u64, term: u64) -> Option<Waiting> {
        let at = self.waiting.iter().position(|it| (it.index, it.term) == (index, term))?;
        Some(self.waiting.swap_remove(at))
    }
}

impl Node {
    /// Does what is asked, or says why not.
    pub(super) fn change(
        &mut self,
        id: ChangeId,
        change: Change,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Fault> {
        let begun = match self.may_change() {
            Err(not) => Err(not),
            Ok(()) => match change {
                Change::CreateToken { hash, ttl_us, replaces } => {
                    self.create_token(id, hash, ttl_us, replaces)?
                }
                Change::Join { ticket, incarnation, peer_address, client_address, versions } => {
                    let record = Record {
                        incarnation: Some(incarnation),
                        peer_address,
                        client_address,
                        ..Record::default()
                    };
                    match self.may_have(versions) {
                        Ok(()) => self.admit(id, ticket, incarnation, record)?,
                        Err(not) => Err(not),
                    }
                }
                Change::Remove { node } => self.remove(id, node)?,
            },
        };
        match begun {
            Ok(None) => {}
            Ok(Some(changed)) => effects.push(Effect::Changed { id, outcome: Ok(changed) }),
            Err(not) => effects.push(Effect::Changed { id, outcome: Err(not) }),
        }
        Ok(())
    }

    /// Whether this node may decide about the members now.
    fn may_change(&self) -> Result<(), NotChanged> {
        let raft = &self.raw.raft;
        if raft.state != StateRole::Leader {
            return Err(NotChanged::NotLeader);
        }
        // What it decides by has to be all that was committed before its term.
        let has_committed =
            raft.commit_to_current_term() || planted::is(Bug::ChangeBeforeOwnCommit);
        let is_settled = has_committed && raft.lead_transferee.is_none();
        if is_settled { Ok(()) } else { Err(NotChanged::Busy) }
    }

    /// raft-rs replaces a second change by an empty entry, without a word (RAFT 17).
    pub(super) fn is_change_under_way(&self) -> bool {
        let raft = &self.raw.raft;
        raft.pending_conf_index > raft.raft_log.applied
    }

    fn create_token(
        &mut self,
        id: ChangeId,
        hash: TokenHash,
        ttl_us: u64,
        replaces: Option<NodeId>,
    ) -> Result<Result<Option<Changed>, NotChanged>, Fault> {
        let stamp_us = self.clock.stamp_us(self.now);
        if let Some(node) = replaces
            && !self.membership.members().any(|member| member == node)
        {
            return Ok(Err(NotChanged::NoSuchNode { node }));
        }
        if self.membership.open_tokens(stamp_us) >= JOIN_TOKENS_MAX {
            return Ok(Err(NotChanged::TooManyTokens));
        }
        let expires_us = stamp_us.saturating_add(ttl_us);
        let token = OpenToken { expires_us, replaces };
        if !self.append(batch::join_token(stamp_us, hash, &token))? {
            return Ok(Err(NotChanged::Busy));
        }
        self.wait_for(Some(id), What::Token { hash, expires_us });
        Ok(Ok(None))
    }

    fn admit(
        &mut self,
        id: ChangeId,
        ticket: Ticket,
        incarnation: Incarnation,
        record: Record,
    ) -> Result<Result<Option<Changed>, NotChanged>, Fault> {
        if let Some(node) = self.membership.node_of(incarnation) {
            if self.membership.is_removed(node) {
                return Ok(Err(NotChanged::WasRemoved { node }));
            }
            let membership = Arc::clone(&self.membership);
            return Ok(Ok(Some(Changed::Joined { node, membership })));
        }
        let now_us = self.clock.stamp_us(self.now);
        if self.is_change_under_way() {
            return Ok(Err(NotChanged::Busy));
        }
        // Zero is the mark of a founder.
        let record = Record { admitted_us: now_us.max(1), ..record };
        let step = match ticket {
            Ticket::Token(hash) => {
                let Some(token) = self.membership.token(hash, now_us) else {
                    return Ok(Err(NotChanged::Token));
                };
                let record = Record { replaces: token.replaces, ..record };
                Step::AddLearner { record, token: Some(hash) }
            }
            Ticket::Lost { node, incarnation } => {
                if let Err(not) = self.may_come_back(node, incarnation) {
                    return Ok(Err(not));
                }
                let record = Record { replaces: Some(node), rejoined: true, ..record };
                Step::AddLearner { record, token: None }
            }
        };
        self.propose_step(Some(id), self.membership.next_id(), step)
    }

    /// Whether a machine may be taken in under a new id that was `node` until its data was damaged, and that
    /// knows whose that was.
    fn may_come_back(&self, node: NodeId, incarnation: Incarnation) -> Result<(), NotChanged> {
        if let Some(by) = self.membership.lives_on_as(node) {
            return Err(NotChanged::CameBack { node, by });
        }
        match self.membership.standing(node) {
            Standing::Member => {}
            Standing::Removed => return Err(NotChanged::WasRemoved { node }),
            Standing::Lost | Standing::Newer | Standing::Stranger => {
                // It was removed since, and so will this one be.
                let by = self.membership.came_back_as(node);
                let stranger = NotChanged::NoSuchNode { node };
                return Err(by.map_or(stranger, |by| NotChanged::CameBack { node, by }));
            }
        }
        if !self.membership.is_data_of(node, incarnation) {
            return Err(NotChanged::OtherData { node });
        }
        // Then this is a copy, or the others have not noticed yet that it ended.
        if self.is_reachable(node) {
            return Err(NotChanged::StillHeard { node });
        }
        self.may_remove(node)
    }

    fn remove(
        &mut self,
        id: ChangeId,
        node: NodeId,
    ) -> Result<Result<Option<Changed>, NotChanged>, Fault> {
        if self.membership.is_removed(node) {
            return Ok(Ok(Some(Changed::Removed)));
        }
        if let Err(not) = self.may_remove(node) {
            return Ok(Err(not));
        }
        if self.is_change_under_way() {
            return Ok(Err(NotChanged::Busy));
        }
        if node == self.config.id && !planted::is(Bug::RemovedLeaderStays) {
            self.hand_over(None);
            return Ok(Err(NotChanged::HandingOver { node }));
        }
        self.propose_step(Some(id), node, Step::Remove)
    }

    /// Whether those who would be left could go on without it.
    fn may_remove(&self, node: NodeId) -> Result<(), NotChanged> {
        let (voters, learners) = (self.membership.voters(), self.membership.learners());
        if learners.contains(&node) {
            return Ok(());
        }
        if !voters.contains(&node) {
            return Err(NotChanged::NoSuchNode { node });
        }
        if self.membership.is_last_voter(node) {
            return Err(NotChanged::LastVoter { node });
        }
        let left = voters.iter().filter(|voter| **voter != node);
        let reachable = left.filter(|voter| self.is_reachable(**voter)).count();
        let needed = (voters.len() - 1) / 2 + 1;
        if reachable < needed {
            return Err(NotChanged::NoQuorum { node, reachable, needed });
        }
        Ok(())
    }

    pub(super) fn is_reachable(&self, node: NodeId) -> bool {
        node == self.config.id || self.is_heard_within(node, 2)
    }

    /// Whether a peer was heard within so many of the shortest election timeouts.
    pub(super) fn is_heard_within(&self, node: NodeId, timeouts: u64) -> bool {
        let lately = u64::from(self.config.election_ticks) * timeouts;
        let heard = self.changes.heard.get(&node);
        heard.is_some_and(|at| at + lately >= self.changes.ticks)
    }

    fn propose_step(
        &mut self,
        id: Option<ChangeId>,
        node: NodeId,
        step: Step,
    ) -> Result<Result<Option<Changed>, NotChanged>, Fault> {
        let stamp_us = self.clock.stamp_us(self.now);
        let change = ChangeEntry { stamp_us, node, step };
        match self.raw.propose_conf_change(Vec::new(), wire::change_to_raft(&change)) {
            Ok(()) => {
                tracing::info!(node = node.0, step = ?change.step, "membership change proposed");
                if planted::is(Bug::ChangeToldAtAppend) && change.step == Step::Remove {
                    return Ok(Ok(id.map(|_| Changed::Removed)));
                }
                self.wait_for(id, What::Step { node, step: change.step });
                Ok(Ok(None))
            }
            Err(raft::Error::ProposalDropped) => Ok(Err(NotChanged::Busy)),
            Err(error) => Err(error.into()),
        }
    }

    /// What was just proposed stands at the log's end.
    fn wait_for(&mut self, id: Option<ChangeId>, what: What) {
        let raft = &self.raw.raft;
        let (index, term) = (raft.raft_log.last_index(), raft.term);
        self.changes.waiting.push(Waiting { index, term, id, what });
    }

    /// An ordinary entry.
    pub(super) fn read_batch(&mut self, index: u64, data: Bytes) -> Result<Batch, Fault> {
        let batch = batch::read(index, data)?;
        if self.membership.is_touched_by(&batch) {
            Arc::make_mut(&mut self.membership).batch(&batch);
        }
        if let Some(waiting) = self.changes.waiting.iter().position(|it| it.index == index) {
            let Waiting { id, what, .. } = self.changes.waiting.swap_remove(waiting);
            let outcome = match what {
                What::Token { hash, expires_us } => {
                    let is_open = self.membership.token(hash, batch.stamp_us).is_some();
                    // Whoever asks again learns that it was created, though it has admitted somebody since.
                    let is_open = is_open || self.membership.is_spent(hash);
                    let open = Changed::TokenCreated { expires_us };
                    if is_open { Ok(open) } else { Err(NotChanged::TooManyTokens) }
                }
                // raft-rs put an empty entry in its place.
                What::Step { .. } => Err(NotChanged::Busy),
            };
            self.changes.done.extend(id.map(|id| (id, outcome)));
        }
        Ok(batch)
    }

    /// A change of the members. Gives what of it is like an ordinary entry: its stamp.
    pub(super) fn apply_change(
        &mut self,
        index: u64,
        term: u64,
        data: Bytes,
    ) -> Result<Batch, Fault> {
        let change = batch::read_change(index, data)?;
        let node = change.node;
        let has_place = Arc::make_mut(&mut self.membership).change(node, &change.step);
        if has_place {
            let conf_state = self.raw.apply_conf_change(&wire::change_to_raft(&change))?;
            self.clock.set_members(self.membership.voters());
            tracing::info!(node = node.0, step = ?change.step, ?conf_state, "members changed");
            let is_leader = self.raw.raft.state == StateRole::Leader;
            let stays = planted::is(Bug::RemovedLeaderStays);
            if is_leader && !stays && self.membership.is_removed(self.config.id) {
                // raft-rs leaves it to us (RAFT 19). Who was told of the commit by now elects another.
                let term = self.raw.raft.term;
                self.raw.raft.become_follower(term, 0);
            }
        } else {
            tracing::warn!(node = node.0, step = ?change.step, index, "a membership change has no place");
        }
        if let Some(Waiting { id: Some(id), what, .. }) = self.changes.take(index, term) {
            let is_same = matches!(&what, What::Step { node: proposed, step }
                if *proposed == node && *step == change.step);
            let membership = Arc::clone(&self.membership);
            let outcome = match change.step {
                _ if !is_same || !has_place => Err(NotChanged::Busy),
                Step::AddLearner { .. } => Ok(Changed::Joined { node, membership }),
                Step::Promote | Step::Remove => Ok(Changed::Removed),
            };
            self.changes.done.push((id, outcome));
        }
        Ok(Batch { stamp_us: change.stamp_us, ..Batch::default() })
    }

    /// What a leader does by itself, at each tick.
    pub(super) fn tend_members(&mut self, effects: &mut Vec<Effect>) -> Result<(), Fault> {
        self.changes.ticks += 1;
        if self.membership.is_removed(self.config.id) {
            // It still votes for a while: the others may need that to elect who tells them of it.
            let since = *self.changes.removed_at.get_or_insert(self.changes.ticks);
            if self.changes.ticks >= since + u64::from(self.config.election_ticks) * 3 {
                effects.push(Effect::Removed);
            }
        }
        if self.may_change().is_err() {
            return Ok(());
        }
        self.propose_member_records()?;
        if self.is_change_under_way() {
            return Ok(());
        }
        self.propose_raise()?;
        // Before the newcomer has a vote: of those who vote, one less is down then.
        if let Some(lost) = self.lost_member() {
            return self.propose_step(None, lost, Step::Remove).map(drop);
        }
        if let Some(learner) = self.caught_up_learner() {
            // Dropped where too much waits: tried again at the next tick.
            return self.propose_step(None, learner, Step::Promote).map(drop);
        }
        match self.replaced_member() {
            Some(replaced) if replaced == self.config.id => {
                // Nothing is proposed while one is under way: not again right after one that failed.
                let pause = u64::from(self.config.election_ticks) * 2;
                if self.changes.ticks >= self.changes.handed_over_at + pause {
                    self.changes.handed_over_at = self.changes.ticks;
                    self.hand_over(None);
                }
                Ok(())
            }
            Some(replaced) => self.propose_step(None, replaced, Step::Remove).map(drop),
            None => Ok(()),
        }
    }

    fn caught_up_learner(&self) -> Option<NodeId> {
        let raft = &self.raw.raft;
        let last = raft.raft_log.last_index();
        let is_caught_up = |node: &NodeId| {
            planted::is(Bug::PromotedFarBehind)
                || self.is_reachable(*node)
                    && raft
                        .prs()
                        .get(node.0)
                        .is_some_and(|it| it.matched > 0 && it.matched + CAUGHT_UP_WITHIN >= last)
        };
        self.membership.learners().iter().copied().find(is_caught_up)
    }

    /// A member whose machine came back under another id.
    fn lost_member(&self) -> Option<NodeId> {
        let is_lost = |node: &NodeId| {
            *node != self.config.id && self.membership.standing(*node) == Standing::Lost
        };
        self.membership.members().find(|node| is_lost(node) && self.may_remove(*node).is_ok())
    }

    fn replaced_member(&self) -> Option<NodeId> {
        // Whoever is replaced may have come in somebody's place itself, and not have lived to vote.
        let replaces = |node: &NodeId| {
            let replaced = self.membership.record(*node)?.replaces;
            replaced.filter(|replaced| replaced < node)
        };
        let voters = self.membership.voters().iter();
        let mut replaced = voters.flat_map(|voter| iter::successors(replaces(voter), replaces));
        replaced.find(|node| {
            self.membership.members().any(|member| member == *node)
                && self.may_remove(*node).is_ok()
        })
    }

    /// The first entries of a cluster record which data directory each node id belongs to; later ones, where
    /// a node has moved to.
    fn propose_member_records(&mut self) -> Result<(), Fault> {
        let term = self.raw.raft.term;
        let mut new = Vec::new();
        for (node, seen) in &self.changes.seen {
            if !self.membership.members().any(|member| member == *node) {
                continue;
            }
            let known = self.membership.record(*node);
            let told = [Some(&seen.peer_address), self.config.addresses.get(node)];
            let address = told.into_iter().flatten().find(|address| !address.is_empty());
            let is_known = known.is_some_and(|it| {
                it.incarnation.is_some()
                    && address.is_none_or(|address| *address == it.peer_address)
            });
            let is_other = known
                .is_some_and(|it| it.incarnation.is_some_and(|known| known != seen.incarnation));
            let record = Record {
                incarnation: Some(seen.incarnation),
                peer_address: address.cloned().unwrap_or_default(),
                ..Record::default()
            };
            let proposed = self.changes.proposed.get(node);
            let is_proposed = proposed.is_some_and(|(at, it)| *at == term && *it == record);
            if !is_known && !is_other && !is_proposed {
                new.push((*node, record));
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        let stamp_us = self.clock.stamp_us(self.now);
        let records = new.iter().map(|(node, record)| membership::written(*node, record));
        if self.append(batch::member_records(stamp_us, records.collect()))? {
            let proposed = new.into_iter().map(|(node, record)| (node, (term, record)));
            self.changes.proposed.extend(proposed);
        }
        Ok(())
    }
}
