//! What happens by itself: what is due moves on, and those who wait are served.
//!
//! Owns the order of ROUTING 3, "What a command does": due timers, drain, the command, drain. Nothing
//! here happens between commands; a late command gives one well-defined result.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};

use imbl::OrdSet;

use super::{
    AssignmentState, Cause, Command, Operation, Time,
    assign::traveller,
    limits::{ANSWER_RETENTION_US, ENDED_PER_TEAM_MAX, ENDED_RETENTION_US},
    record::{AssignmentRecord, Occupant},
    state::At,
    team::{Targets, Team},
    waiting::Candidates,
    walk::{End, Start, walk},
};

/// Ended assignments that one command drops at most, beside as many as it can end itself: so they can't
/// pile up, and no command pays for all of a busy day.
const ENDED_DROPPED_MAX: usize = 4;

impl Team {
    /// Steps 1 and 2 of every command.
    pub(super) fn catch_up(&mut self, at: At) {
        self.refresh(at.now);
        self.end_timers(at);
        if std::mem::take(&mut self.is_fresh) {
            self.assignments.waiting.rouse_all();
        }
        self.drain(at);
    }

    /// Brings the classes of reps and members up to now.
    pub(super) fn refresh(&mut self, now: Time) {
        while let Some(uid) = self.reps.changed_by(now) {
            self.stands(uid, now, |_, _| ());
        }
        while let Some((end, group)) = self.rollovers.get_min().cloned().filter(|(t, _)| *t <= now)
        {
            self.rollovers.remove(&(end, group.clone()));
            let Some(group) = self.groups.get_mut(&group) else { continue };
            let capped = std::mem::take(&mut group.capped);
            // Some still are, if the period was changed since.
            let (still, over) = capped.into_iter().partition(|key| group.is_capped(*key, now));
            group.capped = still;
            let over: OrdSet<u64> = over;
            let reps: Vec<_> = over
                .iter()
                .filter_map(|key| match group.ring.at(*key)? {
                    Occupant::Rep(uid) => Some(*uid),
                    Occupant::Option(_) | Occupant::Group(_) => None,
                })
                .collect();
            reps.into_iter().for_each(|uid| self.stands(uid, now, |_, _| ()));
        }
    }

    /// Every wait and offer that has ended moves on, without picking.
    fn end_timers(&mut self, at: At) {
        while let Some((end, id)) = self.assignments.waiting.next_timer()
            && end <= at.now
        {
            let Some(record) = self.assignments.get(id) else { break };
            if record.assignment.state == AssignmentState::Offered {
                self.take_back_offer(&record, Cause::OfferTimeout, "", at);
            } else {
                self.assignments.waiting.unsettle(&record);
            }
        }
    }

    /// OFFERED to PENDING at the same target; the rep is not asked again.
    pub(super) fn take_back_offer(
        &mut self,
        record: &AssignmentRecord,
        cause: Cause,
        by: &str,
        at: At,
    ) {
        let mut record = self.remembering_first(record);
        let rep = record.rep.take();
        record.rejected.extend(rep);
        let assignment = Arc::make_mut(&mut record.assignment);
        let id = assignment.rep.take();
        assignment.rejected_by.extend(id.clone());
        assignment.state = AssignmentState::Pending;
        assignment.cause = Cause::Waiting;
        assignment.owner_changed = false;
        assignment.offer_end = None;
        assignment.wait_end = assignment.wait_end.filter(|end| *end > at.now);
        self.step(record, cause, id, by, at);
    }

    /// One pass over all who wait, by priority and then age. A pick only uses capacity up, so one
    /// suffices.
    ///
    /// Only queues for whom something has bettered since the last drain are looked at; in the others
    /// nobody could be served then, so nobody can be now.
    pub(super) fn drain(&mut self, at: At) {
        let queues = self.assignments.waiting.wake(&self.reps);
        let next = |team: &Self, place: usize, behind| {
            let rank = team.assignments.waiting.next(queues.get(place)?, behind)?;
            Some(Reverse((rank, place)))
        };
        let mut heads: BinaryHeap<_> =
            (0..queues.len()).filter_map(|place| next(self, place, None)).collect();
        while let Some(Reverse((rank, place))) = heads.pop() {
            let must_move =
                queues.get(place).is_some_and(|q| q.candidates == Candidates::Unsettled);
            let record = self.assignments.get(rank.1);
            // If the first of a queue can't be served, those behind can't be either.
            if record.is_some_and(|record| self.try_again(&record, must_move, at)) {
                heads.extend(next(self, place, Some(rank)));
            }
        }
    }

    /// Tries a waiting assignment where it stands, and if its wait is over on the targets after. False
    /// if it stays as it was.
    fn try_again(&mut self, record: &AssignmentRecord, must_move: bool, at: At) -> bool {
        let assignment = &record.assignment;
        let targets = self.standing_targets(&assignment.via);
        // Of a rule or campaign that is gone; then there is nothing to go on with.
        let is_gone = targets.is_err();
        let targets = targets.unwrap_or(Targets::None);
        let mut kept = assignment.decision.targets.clone();
        let start = match assignment.target_index {
            Some(index) if !record.starts_again && !is_gone => {
                kept.pop();
                Start::At(index, assignment.wait_end)
            }
            Some(_) | None => {
                kept.clear();
                Start::First
            }
        };
        let walk = walk(self, &targets, &traveller(record, at.now), start);
        let stays = match walk.end {
            End::Waiting(index, _) => Some(index) == assignment.target_index,
            End::Picked(_) | End::Exhausted => false,
        };
        if stays && !must_move {
            return false;
        }
        let record = self.remembering_first(record);
        self.settle(record, kept, walk, "", at);
        true
    }

    /// Drops some of the assignments that ended long ago, and what they remember.
    pub(super) fn drop_ended(&mut self, command: &Command, now: Time) {
        for _ in 0..ENDED_DROPPED_MAX + ended_by(command) {
            let (count, Some((time, id))) = self.assignments.ended() else { return };
            let age = now.0.saturating_sub(time.0);
            let crowded = count > ENDED_PER_TEAM_MAX && age >= ANSWER_RETENTION_US;
            if age < ENDED_RETENTION_US && !crowded {
                return;
            }
            if let Some(record) = self.assignments.drop(&mut self.sum, id)
                && let Some(key) = &record.request
            {
                self.requests.forget_assignment(key, id);
            }
        }
    }

    /// The next instant at which time alone does something here.
    pub(super) fn next_due(&self) -> Option<Time> {
        let timer = self.assignments.waiting.next_timer().map(|(time, _)| time);
        if self.assignments.waiting.is_empty() {
            return timer;
        }
        if self.is_fresh {
            return Some(Time(0));
        }
        let rollover = self.rollovers.get_min().map(|(time, _)| *time);
        [timer, self.reps.next_better(), rollover].into_iter().flatten().min()
    }
}

/// Assignments that a command can end, beyond one: an option that gets a contact is done with it.
fn ended_by(command: &Command) -> usize {
    if let Operation::AssignBatch { items } = &command.operation { items.len() } else { 0 }
}
