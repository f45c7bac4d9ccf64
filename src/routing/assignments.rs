//! The assignments of one team, found by id, by their work, by contact, by campaign, by rep, by what
//! they wait for, and by when they ended.
//!
//! Owns that there is one open assignment per work, the work being (contact, via). Every change keeps
//! the indexes and the hash. Indexes by a text hold its hash (`places`), so what they find is looked at.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use super::{
    AssignmentId, AssignmentState, ContactId, Time, Via,
    digest::Sum,
    places::{Place, Places, in_order},
    read::AssignmentFilter,
    record::{AssignmentRecord, RepUid},
    together::Together,
    waiting::Waiting,
};

#[derive(Debug, Clone, Default)]
pub(super) struct Assignments {
    /// By age.
    by_id: OrdMap<AssignmentId, Arc<AssignmentRecord>>,
    /// By the work.
    open: Places<AssignmentId>,
    by_contact: OrdSet<(Place, AssignmentId)>,
    /// Those of them that have a rep.
    by_reached: OrdSet<(Place, AssignmentId)>,
    by_campaign: OrdSet<(Place, AssignmentId)>,
    /// Those that count as open work of a rep.
    by_holder: OrdSet<(RepUid, AssignmentId)>,
    /// Closed and cancelled ones, by when that was.
    ended: OrdSet<(Time, AssignmentId)>,
    pub(super) waiting: Waiting,
}

/// What the indexes hold of assignments that are being loaded.
#[derive(Debug, Default)]
pub(super) struct Seen {
    open: Vec<(Place, AssignmentId)>,
    contacts: Vec<(Place, AssignmentId)>,
    reached: Vec<(Place, AssignmentId)>,
    campaigns: Vec<(Place, AssignmentId)>,
    pub(super) holders: Vec<(RepUid, AssignmentId)>,
    ended: Vec<(Time, AssignmentId)>,
    waiting: Vec<Arc<AssignmentRecord>>,
}

impl Seen {
    pub(super) fn add(&mut self, record: &Arc<AssignmentRecord>) {
        let assignment = &record.assignment;
        let (id, contact) = (assignment.id, Place::of(&assignment.contact));
        self.contacts.push((contact, id));
        if record.rep.is_some() {
            self.reached.push((contact, id));
        }
        if let Via::Campaign(campaign) = &assignment.via {
            self.campaigns.push((Place::of(campaign), id));
        }
        if assignment.state.is_open() {
            self.open.push((Place::of_work(&assignment.contact, &assignment.via), id));
        } else {
            self.ended.push((assignment.update_time, id));
        }
        match assignment.state {
            AssignmentState::Pending | AssignmentState::Offered => {
                self.waiting.push(Arc::clone(record));
            }
            AssignmentState::Assigned
            | AssignmentState::Unassigned
            | AssignmentState::Closed
            | AssignmentState::Cancelled => {}
        }
        self.holders.extend(held(record).map(|rep| (rep, id)));
    }
}

impl Assignments {
    pub(super) fn get(&self, id: AssignmentId) -> Option<&Arc<AssignmentRecord>> {
        self.by_id.get(&id)
    }

    /// The open assignment of this work.
    pub(super) fn open(&self, contact: &ContactId, via: &Via) -> Option<&Arc<AssignmentRecord>> {
        let all = self.open.at(Place::of_work(contact, via)).filter_map(|id| self.get(id));
        let mut meant = all.filter(|record| {
            (&record.assignment.contact, &record.assignment.via) == (contact, via)
        });
        meant.next()
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
        listed(&self.by_holder, rep, None).collect()
    }

    /// The rep of the contact's newest assignment that has one.
    pub(super) fn last_rep(&self, contact: &ContactId) -> Option<RepUid> {
        let place = Place::of(contact);
        let range = (place, LEAST)..=(place, GREATEST);
        let mut newest = self.by_reached.range(range).rev().filter_map(|(_, id)| self.get(*id));
        newest.find(|record| record.assignment.contact == *contact)?.rep
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
            let is_theirs = contact.as_ref().is_none_or(|wanted| assignment.contact == *wanted);
            let in_campaign = campaign.as_ref().is_none_or(|wanted| match &assignment.via {
                Via::Campaign(campaign) => wanted == campaign,
                Via::DefaultRule | Via::Rule(_) | Via::Group(_) | Via::Rep(_) => false,
            });
            let in_state = state.is_none_or(|state| assignment.state == state);
            is_theirs && in_campaign && in_state && (rep.is_none() || assignment.rep == *rep)
        };
        match (contact, campaign) {
            (Some(contact), _) => {
                let ids = listed(&self.by_contact, Place::of(contact), after);
                ids.filter_map(|id| self.record(id)).filter(fits).take(limit).collect()
            }
            (None, Some(campaign)) => {
                let ids = listed(&self.by_campaign, Place::of(campaign), after);
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
                    self.by_campaign.insert((Place::of(campaign), id));
                }
                self.by_contact.insert((Place::of(&assignment.contact), id));
            }
        }
        sum.add(&*record);
        if assignment.state.is_open() {
            self.open.insert(Place::of_work(&assignment.contact, &assignment.via), id);
        } else {
            self.ended.insert((assignment.update_time, id));
        }
        if let Some(rep) = held(&record) {
            self.by_holder.insert((rep, id));
        }
        if record.rep.is_some() {
            self.by_reached.insert((Place::of(&assignment.contact), id));
        }
        self.waiting.add(&record);
        self.by_id.insert(id, record);
        old
    }

    fn forget_state(&mut self, record: &AssignmentRecord) {
        let assignment = &record.assignment;
        if assignment.state.is_open() {
            let place = Place::of_work(&assignment.contact, &assignment.via);
            self.open.remove(place, assignment.id);
        } else {
            self.ended.remove(&(assignment.update_time, assignment.id));
        }
        if let Some(rep) = held(record) {
            self.by_holder.remove(&(rep, assignment.id));
        }
        if record.rep.is_some() {
            self.by_reached.remove(&(Place::of(&assignment.contact), assignment.id));
        }
        self.waiting.remove(record);
    }

    /// All that are open, in no order that means anything.
    pub(super) fn all_open(&self) -> impl Iterator<Item = AssignmentId> {
        self.open.iter()
    }

    /// Those that ended at a time or later; `None` if there are more than `max`.
    pub(super) fn ended_since(&self, time: Time, max: usize) -> Option<Vec<AssignmentId>> {
        let since = self.ended.range((time, LEAST)..);
        let ids: Vec<_> = since.map(|(_, id)| *id).take(max.saturating_add(1)).collect();
        (ids.len() <= max).then_some(ids)
    }

    /// How many have ended, and the one that did so first.
    pub(super) fn ended(&self) -> (usize, Option<(Time, AssignmentId)>) {
        (self.ended.len(), self.ended.get_min().copied())
    }

    /// Those of a loaded state, by ascending ids, with what was seen of them.
    pub(super) fn of(records: Vec<Arc<AssignmentRecord>>, seen: Seen, together: Together) -> Self {
        let mut all = Self::default();
        let Seen { open, contacts, reached, campaigns, holders, ended, waiting } = seen;
        waiting.iter().for_each(|record| all.waiting.add(record));
        let Self {
            by_id,
            open: works,
            by_contact,
            by_reached,
            by_campaign,
            by_holder,
            ended: ends,
            waiting: _,
        } = &mut all;
        let mut given = Some((records, open, ended));
        let mut given_too = Some((contacts, reached, campaigns, holders));
        together(
            &mut || {
                let Some((records, open, ended)) = given.take() else { return };
                in_order(records, |record| drop(by_id.insert(record.assignment.id, record)));
                *works = Places::of(open);
                *ends = set_of(ended);
            },
            &mut || {
                let Some((contacts, reached, campaigns, holders)) = given_too.take() else {
                    return;
                };
                *by_contact = set_of(contacts);
                *by_reached = set_of(reached);
                *by_campaign = set_of(campaigns);
                *by_holder = set_of(holders);
            },
        );
        all
    }

    /// An open one whose work another open one is about too.
    pub(super) fn doubled(&self) -> Option<AssignmentId> {
        self.open.doubled(|id| {
            let assignment = &self.get(id)?.assignment;
            Some((&assignment.contact, &assignment.via))
        })
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
        self.by_contact.remove(&(Place::of(&assignment.contact), id));
        if let Via::Campaign(campaign) = &assignment.via {
            self.by_campaign.remove(&(Place::of(campaign), id));
        }
        Some(record)
    }
}

const LEAST: AssignmentId = AssignmentId { log_index: 0, seq: 0, item: 0 };
const GREATEST: AssignmentId = AssignmentId { log_index: u64::MAX, seq: u32::MAX, item: u32::MAX };

/// The rep whose open work it is.
pub(super) fn held(record: &AssignmentRecord) -> Option<RepUid> {
    record.rep.filter(|_| record.assignment.state.is_held())
}

fn set_of<T: Ord + Clone>(mut list: Vec<T>) -> OrdSet<T> {
    let mut set = OrdSet::new();
    list.sort_unstable();
    in_order(list, |thing| drop(set.insert(thing)));
    set
}

fn listed<K: Ord + Copy>(
    index: &OrdSet<(K, AssignmentId)>,
    key: K,
    after: Option<AssignmentId>,
) -> impl Iterator<Item = AssignmentId> {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let start = match after {
        Some(id) => Excluded((key, id)),
        None => Included((key, LEAST)),
    };
    let range = index.range((start, Unbounded));
    range.take_while(move |(of, _)| *of == key).map(|(_, id)| *id)
}
