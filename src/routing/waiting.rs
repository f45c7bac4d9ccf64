//! Who waits for what, and what is due when: an index over the PENDING and OFFERED assignments.
//!
//! PENDING ones stand in queues, by priority and then age. All in a queue wait for the same people, so
//! if one of them can't be served, those behind can't either. Derived from the records alone.

use std::cmp::Reverse;

use imbl::{OrdMap, OrdSet};

use super::{
    AssignmentId, AssignmentState, GroupId, RepId, TargetKind, TargetOutcome, Time,
    record::AssignmentRecord,
};

/// Higher priority first, then age.
pub(super) type Rank = (Reverse<i32>, AssignmentId);

/// For whom a contact waits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Queue {
    pub(super) candidates: Candidates,
    include_unavailable: bool,
    require_online: bool,
}

/// See [`Queue`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Candidates {
    /// Nobody in particular: it is to be tried in any case, before its command ends.
    Unsettled,
    /// Its own owners.
    Owners,
    /// A rep.
    Rep(RepId),
    /// The members of a group.
    Group(GroupId),
}

impl Candidates {
    /// Whether those behind somebody who could not be served can't be either.
    pub(super) fn are_common(&self) -> bool {
        match self {
            Self::Unsettled | Self::Owners => false,
            Self::Rep(_) | Self::Group(_) => true,
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Waiting {
    queues: OrdMap<Queue, OrdSet<Rank>>,
    /// Ends of waits and offers.
    timers: OrdSet<(Time, AssignmentId)>,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    pub(super) fn add(&mut self, record: &AssignmentRecord) {
        if let Some(queue) = queue(record) {
            self.queues.entry(queue).or_default().insert(rank(record));
        }
        if let Some(end) = timer(record) {
            self.timers.insert((end, record.assignment.id));
        }
    }

    pub(super) fn remove(&mut self, record: &AssignmentRecord) {
        if let Some(queue) = queue(record) {
            self.leave(&queue, record);
            self.leave(&unsettled(), record);
        }
        if let Some(end) = timer(record) {
            self.timers.remove(&(end, record.assignment.id));
        }
    }

    /// Lets a waiting one be tried in any case.
    pub(super) fn unsettle(&mut self, record: &AssignmentRecord) {
        self.remove(record);
        self.queues.entry(unsettled()).or_default().insert(rank(record));
    }

    fn leave(&mut self, queue: &Queue, record: &AssignmentRecord) {
        let Some(ranks) = self.queues.get_mut(queue) else { return };
        ranks.remove(&rank(record));
        if ranks.is_empty() {
            self.queues.remove(queue);
        }
    }

    pub(super) fn queues(&self) -> Vec<Queue> {
        self.queues.keys().cloned().collect()
    }

    /// The first of a queue behind a rank, or the first.
    pub(super) fn next(&self, queue: &Queue, behind: Option<Rank>) -> Option<Rank> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = behind.map_or(Unbounded, Excluded);
        self.queues.get(queue)?.range((from, Unbounded)).next().copied()
    }

    /// All who wait, in the order in which they are served.
    pub(super) fn all(&self) -> Vec<AssignmentId> {
        let mut ranks: Vec<Rank> = self.queues.values().flatten().copied().collect();
        ranks.sort();
        ranks.into_iter().map(|(_, id)| id).collect()
    }

    /// The next wait or offer to end.
    pub(super) fn next_timer(&self) -> Option<(Time, AssignmentId)> {
        self.timers.get_min().copied()
    }

    /// All whose offers are open, by age.
    pub(super) fn timed(&self) -> Vec<AssignmentId> {
        let mut ids: Vec<AssignmentId> = self.timers.iter().map(|(_, id)| *id).collect();
        ids.sort();
        ids
    }
}

fn unsettled() -> Queue {
    let candidates = Candidates::Unsettled;
    Queue { candidates, include_unavailable: false, require_online: false }
}

fn rank(record: &AssignmentRecord) -> Rank {
    (Reverse(record.assignment.priority), record.assignment.id)
}

/// Where a PENDING one stands. One whose last target does not hold it came back from an offer.
fn queue(record: &AssignmentRecord) -> Option<Queue> {
    let assignment = &record.assignment;
    if assignment.state != AssignmentState::Pending {
        return None;
    }
    let held = assignment.decision.targets.last();
    let Some(held) = held.filter(|trace| trace.outcome == TargetOutcome::Waiting) else {
        return Some(unsettled());
    };
    let candidates = match &held.target.kind {
        TargetKind::Owner(_) => Candidates::Owners,
        TargetKind::Rep(rep) => Candidates::Rep(rep.clone()),
        TargetKind::Group(group) => Candidates::Group(group.clone()),
    };
    let include_unavailable = held.target.include_unavailable;
    Some(Queue { candidates, include_unavailable, require_online: held.target.require_online })
}

fn timer(record: &AssignmentRecord) -> Option<Time> {
    match record.assignment.state {
        AssignmentState::Pending => record.assignment.wait_end,
        AssignmentState::Offered => record.assignment.offer_end,
        AssignmentState::Assigned
        | AssignmentState::Unassigned
        | AssignmentState::Closed
        | AssignmentState::Cancelled => None,
    }
}
