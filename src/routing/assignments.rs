//! The assignments of one team, found by id, by their work, by contact, by campaign, by rep, by what
//! they wait for, and by when they ended.
//!
//! Owns that there is one open assignment per work, the work being (contact, via). Every change keeps
//! the indexes and the hash.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use super::{
    AssignmentId, CampaignId, ContactId, Time, Via,
    digest::Sum,
    read::AssignmentFilter,
    record::{AssignmentRecord, RepUid},
    waiting::Waiting,
};

/// What at most one open assignment is about.
pub(super) type Work = (ContactId, Via);

#[derive(Debug, Clone, Default)]
pub(super) struct Assignments {
    /// By age.
    by_id: OrdMap<AssignmentId, Arc<AssignmentRecord>>,
    open: OrdMap<Work, AssignmentId>,
    by_contact: OrdSet<(ContactId, AssignmentId)>,
    /// Those of them that have a rep.
    by_reached: OrdSet<(ContactId, AssignmentId)>,
    by_campaign: OrdSet<(CampaignId, AssignmentId)>,
    /// Those that count as open work of a rep.
    by_holder: OrdSet<(RepUid, AssignmentId)>,
    /// Closed and cancelled ones, by when that was.
    ended: OrdSet<(Time, AssignmentId)>,
    pub(super) waiting: Waiting,
}

impl Assignments {
    pub(super) fn get(&self, id: AssignmentId) -> Option<&Arc<AssignmentRecord>> {
        self.by_id.get(&id)
    }

    /// The open assignment of this work.
    pub(super) fn open(&self, work: &Work) -> Option<&Arc<AssignmentRecord>> {
        self.open.get(work).and_then(|id| self.get(*id))
    }

    pub(super) fn open_len(&self) -> usize {
        self.open.len()
    }

    /// By age.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<AssignmentRecord>> {
        self.by_id.values()
    }

    /// What a rep holds, by age.
    pub(super) fn held_by(&self, rep: RepUid) -> Vec<AssignmentId> {
        listed(&self.by_holder, &rep, None).collect()
    }

    /// The rep of the contact's newest assignment that has one.
    pub(super) fn last_rep(&self, contact: &ContactId) -> Option<RepUid> {
        let least = AssignmentId { log_index: 0, seq: 0, item: 0 };
        let greatest = AssignmentId { log_index: u64::MAX, seq: u32::MAX, item: u32::MAX };
        let range = (contact.clone(), least)..=(contact.clone(), greatest);
        let (_, id) = self.by_reached.range(range).next_back()?;
        self.get(*id)?.rep
    }

    /// By age, from the first one after `after`.
    pub(super) fn list(
        &self,
        filter: &AssignmentFilter,
        after: Option<AssignmentId>,
        limit: usize,
    ) -> Vec<&AssignmentRecord> {
        let AssignmentFilter { contact, campaign, state, rep } = filter;
        let fits = |record: &&AssignmentRecord| {
            let assignment = &record.assignment;
            let in_campaign = campaign.as_ref().is_none_or(|wanted| match &assignment.via {
                Via::Campaign(campaign) => wanted == campaign,
                Via::DefaultRule | Via::Rule(_) | Via::Group(_) | Via::Rep(_) => false,
            });
            let in_state = state.is_none_or(|state| assignment.state == state);
            in_campaign && in_state && (rep.is_none() || assignment.rep == *rep)
        };
        match (contact, campaign) {
            (Some(contact), _) => {
                let ids = listed(&self.by_contact, contact, after);
                ids.filter_map(|id| self.record(id)).filter(fits).take(limit).collect()
            }
            (None, Some(campaign)) => {
                let ids = listed(&self.by_campaign, campaign, after);
                ids.filter_map(|id| self.record(id)).filter(fits).take(limit).collect()
            }
            (None, None) => {
                let all = super::read::after(&self.by_id, after.as_ref());
                all.map(|(_, record)| &**record).filter(fits).take(limit).collect()
            }
        }
    }

    fn record(&self, id: AssignmentId) -> Option<&AssignmentRecord> {
        self.get(id).map(|record| &**record)
    }

    /// Takes an assignment, in the place of the one with its id, which it gives back.
    pub(super) fn put(
        &mut self,
        sum: &mut Sum,
        record: Arc<AssignmentRecord>,
    ) -> Option<Arc<AssignmentRecord>> {
        let assignment = &record.assignment;
        let id = assignment.id;
        let old = self.by_id.get(&id).cloned();
        match &old {
            Some(old) => {
                sum.remove(&**old);
                self.forget_state(old);
            }
            None => {
                if let Via::Campaign(campaign) = &assignment.via {
                    self.by_campaign.insert((campaign.clone(), id));
                }
                self.by_contact.insert((assignment.contact.clone(), id));
            }
        }
        sum.add(&*record);
        if assignment.state.is_open() {
            self.open.insert((assignment.contact.clone(), assignment.via.clone()), id);
        } else {
            self.ended.insert((assignment.update_time, id));
        }
        if let Some(rep) = held(&record) {
            self.by_holder.insert((rep, id));
        }
        if record.rep.is_some() {
            self.by_reached.insert((assignment.contact.clone(), id));
        }
        self.waiting.add(&record);
        self.by_id.insert(id, record);
        old
    }

    fn forget_state(&mut self, record: &AssignmentRecord) {
        let assignment = &record.assignment;
        if assignment.state.is_open() {
            self.open.remove(&(assignment.contact.clone(), assignment.via.clone()));
        } else {
            self.ended.remove(&(assignment.update_time, assignment.id));
        }
        if let Some(rep) = held(record) {
            self.by_holder.remove(&(rep, assignment.id));
        }
        if record.rep.is_some() {
            self.by_reached.remove(&(assignment.contact.clone(), assignment.id));
        }
        self.waiting.remove(record);
    }

    /// All that are open, in no order that means anything.
    pub(super) fn all_open(&self) -> impl Iterator<Item = AssignmentId> {
        self.open.values().copied()
    }

    /// Those that ended at a time or later; `None` if there are more than `max`.
    pub(super) fn ended_since(&self, time: Time, max: usize) -> Option<Vec<AssignmentId>> {
        let least = AssignmentId { log_index: 0, seq: 0, item: 0 };
        let since = self.ended.range((time, least)..);
        let ids: Vec<_> = since.map(|(_, id)| *id).take(max.saturating_add(1)).collect();
        (ids.len() <= max).then_some(ids)
    }

    /// How many have ended, and the one that did so first.
    pub(super) fn ended(&self) -> (usize, Option<(Time, AssignmentId)>) {
        (self.ended.len(), self.ended.get_min().copied())
    }

    /// Drops one for good.
    pub(super) fn drop(
        &mut self,
        sum: &mut Sum,
        id: AssignmentId,
    ) -> Option<Arc<AssignmentRecord>> {
        let record = self.by_id.remove(&id)?;
        sum.remove(&*record);
        self.forget_state(&record);
        let assignment = &record.assignment;
        self.by_contact.remove(&(assignment.contact.clone(), id));
        if let Via::Campaign(campaign) = &assignment.via {
            self.by_campaign.remove(&(campaign.clone(), id));
        }
        Some(record)
    }
}

/// The rep whose open work it is.
pub(super) fn held(record: &AssignmentRecord) -> Option<RepUid> {
    record.rep.filter(|_| record.assignment.state.is_held())
}

fn listed<K: Ord + Clone>(
    index: &OrdSet<(K, AssignmentId)>,
    key: &K,
    after: Option<AssignmentId>,
) -> impl Iterator<Item = AssignmentId> {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let least = AssignmentId { log_index: 0, seq: 0, item: 0 };
    let start = match after {
        Some(id) => Excluded((key.clone(), id)),
        None => Included((key.clone(), least)),
    };
    let range = index.range((start, Unbounded));
    range.take_while(move |(of, _)| of == key).map(|(_, id)| *id)
}
