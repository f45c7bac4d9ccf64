//! Who leads: what comes of gaining leadership and of losing it, and how it is handed over.

use raft::StateRole;

use super::Node;
use crate::{
    consensus::{
        effect::{Effect, NotProposed},
        entry::NodeId,
        fault::Fault,
        input::ProposalId,
    },
    planted::{self, Bug},
};

/// Entries of a leader that wait for a majority, beyond which it takes no more proposals. What comes meanwhile
/// makes the next batch larger: each costs every node an fsync and some wake-ups, however much it holds. One would
/// have the disks and the network idle by turns; see docs/PERFORMANCE.md.
const UNDER_WAY_MAX: u64 = 3;

impl Node {
    /// Whether proposals are to be given to it now. If not, they are to wait; what is under way will end, or this
    /// node's leadership will.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let log = &self.raw.raft.raft_log;
        let is_leader = self.raw.raft.state == StateRole::Leader;
        !is_leader || log.last_index() < log.committed.saturating_add(UNDER_WAY_MAX)
    }

    /// Tells followers what is committed, where nothing told them since the last tick. By itself raft-rs would tell
    /// of each commit at once, by a message of its own which is answered by another. The next entries tell it as
    /// well, and where there are some, they come soon. Where there is no room for more, none come: then this also
    /// sends again what was lost on its way to a follower.
    pub(super) fn tell_commit(&mut self) {
        let is_full = !self.has_room();
        let raft = &mut self.raw.raft;
        let tells = is_full || self.told_commit < raft.raft_log.committed;
        if raft.state == StateRole::Leader && tells {
            self.told_commit = raft.raft_log.committed;
            raft.bcast_append();
        }
    }

    /// Lets another voter lead: this one, or whichever has most of the log.
    pub(super) fn hand_over(&mut self, to: Option<NodeId>) {
        let raft = &self.raw.raft;
        // A change that is under way may be the end of whoever is chosen.
        if raft.state != StateRole::Leader || self.is_change_under_way() {
            return;
        }
        let voters = raft.prs().conf().voters();
        // Who was heard lately comes first. What raft-rs knows of that, it forgets once per election timeout,
        // and just then every peer looks idle.
        let may = |id: u64| {
            id != self.config.id.0 && voters.contains(id) && to.is_none_or(|to| to.0 == id)
        };
        let best = raft.prs().iter().filter(|(id, _)| may(**id));
        let best =
            best.max_by_key(|(id, it)| (self.is_heard_within(NodeId(**id), 1), it.matched, **id));
        if let Some(successor) = best.map(|(id, _)| *id) {
            self.raw.transfer_leader(successor);
        }
    }

    /// The only voter has nobody to hear from, and does not wait for an election timeout.
    pub(super) fn stand_if_alone(&mut self) -> Result<(), Fault> {
        let raft = &self.raw.raft;
        let waits = raft.state == StateRole::Follower && raft.leader_id == 0 && raft.promotable();
        // A vote that is not durable yet is not counted twice.
        let waits = waits && self.pending.is_empty();
        if waits && raft.prs().conf().voters().ids().iter().eq([raft.id]) {
            self.raw.campaign()?;
        }
        Ok(())
    }

    /// Does what comes of gaining leadership and of losing it.
    pub(super) fn notice_leadership(&mut self, effects: &mut Vec<Effect>) {
        let raft = &self.raw.raft;
        let leading_term = (raft.state == StateRole::Leader).then_some(raft.term);
        let leader = raft.leader_id;
        if leader != self.leader || leading_term != self.leading_term {
            self.leader = leader;
            self.reads.leader_changed();
        }
        if leading_term == self.leading_term {
            return;
        }
        self.leading_term = leading_term;
        let told = planted::choose(Bug::WaitersOutliveLeadership, 0, self.waiting.len());
        let lost: Vec<ProposalId> = self.waiting.drain(..told).flat_map(|(_, ids)| ids).collect();
        if !lost.is_empty() {
            let why = NotProposed::LeadershipLost;
            effects.push(Effect::ProposalsFailed { proposals: lost, why });
        }
        self.changes.leadership_lost(effects);
        self.marks.leadership_changed();
        self.retained.leadership_changed();
        if leading_term.is_some() {
            self.clock.elected(self.stamp_us, self.now);
        }
    }
}
