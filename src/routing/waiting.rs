//! Who waits for what, and what is due when: an index over the PENDING and OFFERED assignments.
//!
//! PENDING ones stand in queues, by priority and then age. All in a queue wait for the same people, so
//! if one of them can't be served, those behind can't either. Derived from the records alone, but for
//! what has happened since the last drain: who may serve somebody now, whom they could not serve then.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use imbl::{OrdMap, OrdSet};

use super::{
    Assignment, AssignmentId, AssignmentState, GroupId, OwnerKind, OwnerType, RepId, TargetKind,
    TargetOutcome, Time,
    filter::Class,
    record::{AssignmentRecord, RepRecord, RepUid},
    reps::Reps,
};

/// Higher priority first, then age.
pub(super) type Rank = (Reverse<i32>, AssignmentId);

/// For whom a contact waits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Queue {
    pub(super) candidates: Candidates,
    /// The classes up to here are taken; fewer, if the group wants its members online.
    limit: Class,
    /// Who can't have it whatever their class, ascending.
    barred: Arc<[RepUid]>,
}

/// See [`Queue`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Candidates {
    /// Nobody in particular: it is to be tried in any case, before its command ends.
    Unsettled,
    /// Its own owners, by what each is found by.
    Owners(Arc<[Vec<Name>]>),
    /// A rep.
    Rep(RepId),
    /// The members of a group.
    Group(GroupId),
}

/// By what an owner is found among the reps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    ExternalId(Arc<(String, String)>),
    Email(Arc<str>),
}

#[derive(Debug, Clone, Default)]
pub(super) struct Waiting {
    queues: OrdMap<Queue, OrdSet<Rank>>,
    /// The queues for owners, by each name of one.
    by_owner: OrdMap<Name, OrdSet<Queue>>,
    /// Ends of waits and offers.
    timers: OrdSet<(Time, AssignmentId)>,
    roused: Roused,
}

/// Who may serve somebody since the last drain.
#[derive(Debug, Clone, Default)]
struct Roused {
    /// Anybody.
    all: bool,
    /// Their class has bettered.
    reps: BTreeSet<RepUid>,
    /// It is, or was, another rep's.
    names: BTreeSet<Name>,
    /// Members have joined or their class in the ring has bettered; to what at best.
    groups: BTreeMap<GroupId, Class>,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    pub(super) fn add(&mut self, record: &AssignmentRecord) {
        if let Some(queue) = queue(record) {
            for name in queue.names() {
                self.by_owner.entry(name.clone()).or_default().insert(queue.clone());
            }
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
        if !ranks.is_empty() {
            return;
        }
        self.queues.remove(queue);
        for name in queue.names() {
            let Some(queues) = self.by_owner.get_mut(name) else { continue };
            queues.remove(queue);
            if queues.is_empty() {
                self.by_owner.remove(name);
            }
        }
    }

    /// Anybody may serve those who wait, or their targets are gone.
    pub(super) fn rouse_all(&mut self) {
        self.roused.all = !self.is_empty();
    }

    /// A rep's class has bettered.
    pub(super) fn rouse_rep(&mut self, uid: RepUid) {
        if !self.is_empty() {
            self.roused.reps.insert(uid);
        }
    }

    /// The names of a rep are theirs now, or no longer.
    pub(super) fn rouse_names(&mut self, rep: &RepRecord) {
        if !self.by_owner.is_empty() {
            self.roused.names.extend(names_of(rep));
        }
    }

    /// A member of a group is new, or their class in it has bettered.
    pub(super) fn rouse_group(&mut self, group: &GroupId, class: Class) {
        if !self.is_empty() && class < Class::Barred {
            let best = self.roused.groups.entry(group.clone()).or_insert(class);
            *best = class.min(*best);
        }
    }

    /// The queues in which somebody may be served, or is to be tried in any case; what has happened
    /// until now is forgotten.
    pub(super) fn wake(&mut self, reps: &Reps) -> Vec<Queue> {
        let Roused { all, reps: uids, names, groups } = std::mem::take(&mut self.roused);
        if self.is_empty() {
            return Vec::new();
        }
        if all {
            return self.queues.keys().cloned().collect();
        }
        let mut woken = BTreeSet::new();
        let unsettled = unsettled();
        if self.queues.contains_key(&unsettled) {
            woken.insert(unsettled);
        }
        for name in &names {
            woken.extend(self.for_owner(name).cloned());
        }
        for rep in uids.into_iter().filter_map(|uid| reps.get(uid)) {
            let fits = |queue: &&Queue| {
                rep.class <= queue.limit && !queue.barred.contains(&rep.record.uid)
            };
            for name in names_of(&rep.record) {
                woken.extend(self.for_owner(&name).filter(fits).cloned());
            }
            let candidates = Candidates::Rep(rep.record.id.clone());
            woken.extend(self.of(candidates).filter(fits).cloned());
        }
        for (group, class) in groups {
            let queues = self.of(Candidates::Group(group));
            woken.extend(queues.filter(|queue| class <= queue.limit).cloned());
        }
        woken.into_iter().collect()
    }

    /// The queues for these people.
    fn of(&self, candidates: Candidates) -> impl Iterator<Item = &Queue> {
        let least = Queue { candidates, limit: Class::Ready, barred: Arc::default() };
        let from = self.queues.range(least.clone()..).map(|(queue, _)| queue);
        from.take_while(move |queue| queue.candidates == least.candidates)
    }

    /// The queues for an owner of this name, and maybe others.
    fn for_owner(&self, name: &Name) -> impl Iterator<Item = &Queue> {
        self.by_owner.get(name).into_iter().flatten()
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

impl Queue {
    fn names(&self) -> impl Iterator<Item = &Name> {
        let owners: &[Vec<Name>] = match &self.candidates {
            Candidates::Owners(owners) => owners,
            Candidates::Unsettled | Candidates::Rep(_) | Candidates::Group(_) => &[],
        };
        owners.iter().flatten()
    }
}

fn unsettled() -> Queue {
    let candidates = Candidates::Unsettled;
    Queue { candidates, limit: Class::Ready, barred: Arc::default() }
}

/// Each owner of these kinds who can be a rep, by external id before email.
fn owners(assignment: &Assignment, kinds: &[OwnerKind]) -> Arc<[Vec<Name>]> {
    let is_meant = |owner: &&super::OwnerRef| match owner.owner_type {
        OwnerType::User => kinds.contains(&owner.kind),
        OwnerType::Queue => false,
    };
    let names = |owner: &super::OwnerRef| {
        let external_id = owner.external_id.clone().map(|id| Name::ExternalId(Arc::new(id)));
        let email = owner.email.as_deref().map(|email| Name::Email(Arc::from(email)));
        external_id.into_iter().chain(email).collect()
    };
    let owners: BTreeSet<_> = assignment.owners.iter().filter(is_meant).map(names).collect();
    owners.into_iter().collect()
}

fn names_of(rep: &RepRecord) -> impl Iterator<Item = Name> {
    let external_ids = rep.external_ids.iter();
    let ids =
        external_ids.map(|(system, id)| Name::ExternalId(Arc::new((system.clone(), id.clone()))));
    ids.chain(rep.email.as_deref().map(|email| Name::Email(Arc::from(email))))
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
        TargetKind::Owner(kinds) => Candidates::Owners(owners(assignment, kinds)),
        TargetKind::Rep(rep) => Candidates::Rep(rep.clone()),
        TargetKind::Group(group) => Candidates::Group(group.clone()),
    };
    let limit = Class::limit(held.target.include_unavailable, held.target.require_online);
    let barred: BTreeSet<RepUid> = record.rejected.iter().copied().chain(record.excluded).collect();
    Some(Queue { candidates, limit, barred: barred.into_iter().collect() })
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
