//! The assignments of one team, found by id, by their work, by contact, by campaign, by rep, by what
//! they wait for, and by when they ended.
//!
//! Owns that there is one open assignment per work, the work being (contact, via). Every change keeps
//! the indexes and the hash. Indexes by a text hold its hash (`places`), so what they find is looked at.

use std::sync::Arc;

use super::{
    Assignment, AssignmentId, AssignmentState, ContactId, Time, Via,
    digest::Sum,
    packed::{Head, RawAssignment, RawRecord, RawVia},
    pages::{Packed, Page, Pages},
    places::{Least, Place, doubled, sorted},
    read::AssignmentFilter,
    record::{AssignmentRecord, RepUid},
    together::Together,
    tree::{Key, Tree},
    waiting::Waiting,
};

#[derive(Debug, Clone, Default)]
pub(super) struct Assignments {
    records: Pages<AssignmentRecord>,
    /// What was put last, for whoever asks for it next.
    newest: Option<Arc<AssignmentRecord>>,
    /// Of a contact, those that have a rep before those that have none, each by age.
    by_contact: Tree<ByContact>,
    /// Those that are open, by the work.
    open: Tree<(Place, AssignmentId)>,
    by_campaign: Tree<(Place, AssignmentId)>,
    /// Those that count as open work of a rep.
    by_holder: Tree<(RepUid, AssignmentId)>,
    /// Closed and cancelled ones, by when that was.
    ended: Tree<(Time, AssignmentId)>,
    pub(super) waiting: Waiting,
}

/// The contact, whether it has no rep, and which it is.
type ByContact = (Place, bool, AssignmentId);

/// Where an assignment stands in the indexes.
#[derive(Debug, Clone, Copy)]
struct Entries {
    contact: ByContact,
    campaign: Option<(Place, AssignmentId)>,
    open: Option<(Place, AssignmentId)>,
    ended: Option<(Time, AssignmentId)>,
    holder: Option<(RepUid, AssignmentId)>,
}

/// What decides where an assignment stands in the indexes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Indexed<'a> {
    id: AssignmentId,
    contact: &'a str,
    via: RawVia<'a>,
    state: AssignmentState,
    update_time: Time,
    rep: Option<RepUid>,
}

impl<'a> From<&'a AssignmentRecord> for Indexed<'a> {
    fn from(record: &'a AssignmentRecord) -> Self {
        let Assignment { id, contact, via, state, update_time, .. } = &*record.assignment;
        Self {
            id: *id,
            contact: contact.as_str(),
            via: via.into(),
            state: *state,
            update_time: *update_time,
            rep: record.rep,
        }
    }
}

impl<'a> From<&RawRecord<'a>> for Indexed<'a> {
    fn from(record: &RawRecord<'a>) -> Self {
        let RawAssignment { id, contact, via, state, update_time, .. } = record.assignment;
        Self { id, contact, via, state, update_time, rep: record.rep }
    }
}

impl Indexed<'_> {
    /// The rep whose open work it is.
    pub(super) fn holder(&self) -> Option<RepUid> {
        self.rep.filter(|_| self.state.is_held())
    }
}

impl From<Indexed<'_>> for Entries {
    fn from(of: Indexed<'_>) -> Self {
        let holder = of.holder().map(|rep| (rep, of.id));
        let Indexed { id, contact, via, state, update_time, rep } = of;
        let campaign = match via {
            RawVia::Campaign(campaign) => Some((Place::of(campaign), id)),
            RawVia::DefaultRule | RawVia::Rule(_) | RawVia::Group(_) | RawVia::Rep(_) => None,
        };
        let is_open = state.is_open();
        Self {
            contact: (Place::of(contact), rep.is_none(), id),
            campaign,
            open: is_open.then(|| (Place::of_work(contact, via), id)),
            ended: (!is_open).then_some((update_time, id)),
            holder,
        }
    }
}

/// What the indexes hold of assignments that are being loaded.
#[derive(Debug, Default)]
pub(super) struct Seen {
    contacts: Vec<ByContact>,
    open: Vec<(Place, AssignmentId)>,
    campaigns: Vec<(Place, AssignmentId)>,
    pub(super) holders: Vec<(RepUid, AssignmentId)>,
    ended: Vec<(Time, AssignmentId)>,
    waiting: Waiting,
}

impl Seen {
    pub(super) fn add(&mut self, record: RawRecord<'_>) {
        let Entries { contact, campaign, open, ended, holder } = Indexed::from(&record).into();
        self.contacts.push(contact);
        self.campaigns.extend(campaign);
        self.open.extend(open);
        self.ended.extend(ended);
        self.holders.extend(holder);
        match record.assignment.state {
            AssignmentState::Pending | AssignmentState::Offered => {
                self.waiting.add(&record.into());
            }
            AssignmentState::Assigned
            | AssignmentState::Unassigned
            | AssignmentState::Closed
            | AssignmentState::Cancelled => {}
        }
    }
}

impl Assignments {
    pub(super) fn get(&self, id: AssignmentId) -> Option<Arc<AssignmentRecord>> {
        match &self.newest {
            Some(newest) if newest.assignment.id == id => Some(Arc::clone(newest)),
            Some(_) | None => self.records.get(id).map(Arc::new),
        }
    }

    pub(super) fn is_via(&self, id: AssignmentId, via: &Via) -> bool {
        self.records.head(id).is_some_and(|head| head.is_via(via))
    }

    /// The open assignment of this work.
    pub(super) fn open(&self, contact: &ContactId, via: &Via) -> Option<Arc<AssignmentRecord>> {
        let mut open = listed(&self.open, Place::of_work(contact.as_str(), via.into()), None);
        let is_meant = |head: Head<'_>| head.is_of(contact) && head.is_via(via);
        self.get(open.find(|id| self.records.head(*id).is_some_and(is_meant))?)
    }

    pub(super) fn open_len(&self) -> usize {
        self.open.len()
    }

    /// By age.
    pub(super) fn iter(&self) -> impl Iterator<Item = AssignmentRecord> {
        self.records.iter()
    }

    /// Adds all to a sum.
    pub(super) fn count(&self, sum: &mut Sum) {
        self.records.count(sum);
    }

    /// As they stand in an image.
    pub(super) fn packed(&self) -> Packed<AssignmentRecord> {
        self.records.packed()
    }

    /// What a rep holds, by age.
    pub(super) fn held_by(&self, rep: RepUid) -> Vec<AssignmentId> {
        listed(&self.by_holder, rep, None).collect()
    }

    /// The rep of the contact's newest assignment that has one.
    pub(super) fn last_rep(&self, contact: &ContactId) -> Option<RepUid> {
        let place = Place::of(contact.as_str());
        let newest = self.by_contact.back_from((place, false, GREATEST));
        let theirs = newest.take_while(|((it, ..), ())| *it == place);
        let mut heads = theirs.filter_map(|((_, _, id), ())| self.records.head(*id));
        heads.find(|head| head.is_of(contact))?.holder
    }

    /// By age, from the first one after `after`.
    pub(super) fn list(
        &self,
        filter: &AssignmentFilter,
        after: Option<AssignmentId>,
        limit: usize,
    ) -> Vec<AssignmentRecord> {
        let AssignmentFilter { contact, campaign, state, rep } = filter;
        let fits = |(_, head): &(AssignmentId, Head<'_>)| {
            contact.as_ref().is_none_or(|wanted| head.is_of(wanted))
                && campaign.as_ref().is_none_or(|wanted| head.is_in(wanted))
                && state.is_none_or(|state| head.state == state)
                && rep.as_ref().is_none_or(|wanted| head.has(wanted))
        };
        let head = |id| Some((id, self.records.head(id)?));
        let ids: Vec<_> = match (contact, campaign) {
            (Some(contact), _) => {
                let all = self.of_contact(Place::of(contact.as_str()), after).filter_map(head);
                all.filter(fits).take(limit).map(|(id, _)| id).collect()
            }
            (None, Some(campaign)) => {
                let ids = listed(&self.by_campaign, Place::of(campaign.as_str()), after);
                ids.filter_map(head).filter(fits).take(limit).map(|(id, _)| id).collect()
            }
            (None, None) => {
                let all = self.records.heads_from(after.unwrap_or(AssignmentId::LEAST));
                let all = all.skip_while(|(id, _)| Some(*id) == after);
                all.filter(fits).take(limit).map(|(id, _)| id).collect()
            }
        };
        let records = ids.into_iter().filter_map(|id| self.get(id));
        records.map(Arc::unwrap_or_clone).collect()
    }

    /// By age, from the first one after `after`.
    fn of_contact(
        &self,
        contact: Place,
        after: Option<AssignmentId>,
    ) -> impl Iterator<Item = AssignmentId> {
        let all = [false, true].map(|has_no_rep| {
            let from = (contact, has_no_rep, after.unwrap_or(AssignmentId::LEAST));
            let some = self.by_contact.from(from).map(|(entry, ())| *entry);
            let some = some.take_while(move |entry| (entry.0, entry.1) == (contact, has_no_rep));
            some.map(|(_, _, id)| id).skip_while(move |id| Some(*id) == after).peekable()
        });
        let [mut with_rep, mut without] = all;
        std::iter::from_fn(move || match (with_rep.peek(), without.peek()) {
            (Some(one), Some(other)) if other < one => without.next(),
            (Some(_), _) => with_rep.next(),
            (None, _) => without.next(),
        })
    }

    /// Takes an assignment, in the place of the one with its id, which it gives back.
    pub(super) fn put(
        &mut self,
        sum: &mut Sum,
        record: Arc<AssignmentRecord>,
    ) -> Option<Arc<AssignmentRecord>> {
        let id = record.assignment.id;
        let old = self.get(id);
        if let Some(old) = &old {
            sum.remove(&**old);
            self.waiting.remove(old);
        }
        sum.add(&*record);
        self.waiting.add(&record);
        self.index(old.as_deref(), Some(&record));
        self.records.put(&record);
        self.newest = Some(record);
        old
    }

    /// Puts the entries of one in the place of those of another; what both have stays as it is.
    fn index(&mut self, old: Option<&AssignmentRecord>, new: Option<&AssignmentRecord>) {
        fn change<T: Key>(index: &mut Tree<T>, old: Option<T>, new: Option<T>) {
            if old != new {
                if let Some(entry) = old {
                    index.remove(&entry);
                }
                if let Some(entry) = new {
                    index.insert(entry, ());
                }
            }
        }
        let entries = |record: &AssignmentRecord| Entries::from(Indexed::from(record));
        let (old, new) = (old.map(entries), new.map(entries));
        let contact = |it: Option<Entries>| it.map(|it| it.contact);
        change(&mut self.by_contact, contact(old), contact(new));
        let campaign = |it: Option<Entries>| it.and_then(|it| it.campaign);
        change(&mut self.by_campaign, campaign(old), campaign(new));
        let open = |it: Option<Entries>| it.and_then(|it| it.open);
        change(&mut self.open, open(old), open(new));
        let ended = |it: Option<Entries>| it.and_then(|it| it.ended);
        change(&mut self.ended, ended(old), ended(new));
        let holder = |it: Option<Entries>| it.and_then(|it| it.holder);
        change(&mut self.by_holder, holder(old), holder(new));
    }

    /// All that are open, in no order that means anything.
    pub(super) fn all_open(&self) -> impl Iterator<Item = AssignmentId> {
        self.open.iter().map(|((_, id), ())| *id)
    }

    /// Those that ended at a time or later; `None` if there are more than `max`.
    pub(super) fn ended_since(&self, time: Time, max: usize) -> Option<Vec<AssignmentId>> {
        let since = self.ended.from((time, AssignmentId::LEAST));
        let ids: Vec<_> = since.map(|((_, id), ())| *id).take(max.saturating_add(1)).collect();
        (ids.len() <= max).then_some(ids)
    }

    /// How many have ended, and the one that did so first.
    pub(super) fn ended(&self) -> (usize, Option<(Time, AssignmentId)>) {
        (self.ended.len(), self.ended.first().map(|(end, ())| *end))
    }

    /// Those of a loaded state, by ascending ids, with what was seen of them.
    pub(super) fn of(
        pages: Vec<Arc<Page<AssignmentRecord>>>,
        seen: Seen,
        together: Together,
    ) -> Self {
        let Seen { contacts, open, campaigns, holders, ended, waiting } = seen;
        let mut all = Self { waiting, ..Self::default() };
        let Self {
            records,
            newest: _,
            by_contact,
            open: works,
            by_campaign,
            by_holder,
            ended: ends,
            waiting: _,
        } = &mut all;
        let mut given = Some((pages, holders, ended));
        let mut given_too = Some((contacts, open, campaigns));
        together(
            &mut || {
                let Some((pages, holders, ended)) = given.take() else { return };
                *records = Pages::of(pages);
                *by_holder = sorted(holders);
                *ends = sorted(ended);
            },
            &mut || {
                let Some((contacts, open, campaigns)) = given_too.take() else { return };
                *by_contact = sorted(contacts);
                *works = sorted(open);
                *by_campaign = sorted(campaigns);
            },
        );
        all
    }

    /// An open one whose work another open one is about too.
    pub(super) fn doubled(&self) -> Option<AssignmentId> {
        doubled(self.open.iter().map(|(entry, ())| *entry), |id| {
            let assignment = &self.get(id)?.assignment;
            Some((assignment.contact.clone(), assignment.via.clone()))
        })
    }

    /// Drops one for good.
    pub(super) fn drop(
        &mut self,
        sum: &mut Sum,
        id: AssignmentId,
    ) -> Option<Arc<AssignmentRecord>> {
        let record = self.get(id)?;
        self.newest = None;
        self.records.remove(id);
        sum.remove(&*record);
        self.waiting.remove(&record);
        self.index(Some(&record), None);
        Some(record)
    }
}

impl Key for AssignmentId {
    fn is_before(&self, other: &Self) -> bool {
        let wide = |Self { log_index, seq, item }: &Self| {
            u128::from(*log_index) << 64 | u128::from(*seq) << 32 | u128::from(*item)
        };
        wide(self) < wide(other)
    }
}
impl Key for (RepUid, AssignmentId) {
    fn is_before(&self, other: &Self) -> bool {
        if self.0 == other.0 { self.1.is_before(&other.1) } else { self.0.0 < other.0.0 }
    }
}
impl Key for (Time, AssignmentId) {
    fn is_before(&self, other: &Self) -> bool {
        if self.0 == other.0 { self.1.is_before(&other.1) } else { self.0.0 < other.0.0 }
    }
}
impl Key for ByContact {
    fn rank(&self) -> Option<u64> {
        Some(self.0.rank())
    }
    fn is_before(&self, other: &Self) -> bool {
        if self.0 == other.0 {
            (self.1, self.2) < (other.1, other.2)
        } else {
            self.0.rank() < other.0.rank()
        }
    }
}

impl Least for AssignmentId {
    const LEAST: Self = Self { log_index: 0, seq: 0, item: 0 };
}

const GREATEST: AssignmentId = AssignmentId { log_index: u64::MAX, seq: u32::MAX, item: u32::MAX };

/// The rep whose open work it is.
pub(super) fn held(record: &AssignmentRecord) -> Option<RepUid> {
    Indexed::from(record).holder()
}

/// Those under a key, from the first one after `after`.
fn listed<K: Ord + Copy>(
    index: &Tree<(K, AssignmentId)>,
    key: K,
    after: Option<AssignmentId>,
) -> impl Iterator<Item = AssignmentId>
where
    (K, AssignmentId): Key,
{
    let all = index.from((key, after.unwrap_or(AssignmentId::LEAST)));
    let all = all.take_while(move |((of, _), ())| *of == key).map(|((_, id), ())| *id);
    all.skip_while(move |id| Some(*id) == after)
}
