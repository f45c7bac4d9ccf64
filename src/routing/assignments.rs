//! The assignments of one team, found by id, by their work, by contact, by campaign, by rep, by what
//! they wait for, and by when they ended.
//!
//! Owns that there is one open assignment per work, the work being (contact, via). Every change keeps
//! the indexes and the hash. Indexes by a text hold its hash (`places`), so what they find is looked at.

use std::sync::Arc;

use super::{
    Assignment, AssignmentId, AssignmentState, ContactId, Time, Via,
    buckets::{Buckets, Hashed},
    digest::Sum,
    packed::{Head, RawAssignment, RawRecord, RawVia},
    pages::{Packed, Page, Pages},
    places::{Least, Place, ViaMark, doubled, sorted},
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
    by_contact: Buckets<ByContact>,
    by_campaign: Tree<(Place, AssignmentId)>,
    /// Those that count as open work of a rep.
    by_holder: Tree<(RepUid, AssignmentId)>,
    /// Those that are open and nobody's.
    nobodys: Tree<AssignmentId>,
    /// Closed and cancelled ones, by when that was.
    ended: Tree<(Time, AssignmentId)>,
    pub(super) waiting: Waiting,
}

/// The contact, what it is of theirs, and which it is; of each kind by age.
type ByContact = (Place, (OfContact, AssignmentId));

/// What an assignment is among those of its contact. An open one is there twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum OfContact {
    WithRep,
    WithoutRep,
    Open(ViaMark),
}

/// Where an assignment stands in the indexes.
#[derive(Debug, Clone, Copy)]
struct Entries {
    contact: ByContact,
    campaign: Option<(Place, AssignmentId)>,
    open: Option<ByContact>,
    ended: Option<(Time, AssignmentId)>,
    holder: Option<(RepUid, AssignmentId)>,
    nobodys: Option<AssignmentId>,
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
        let (is_open, place) = (state.is_open(), Place::of(contact));
        let of_contact = if rep.is_some() { OfContact::WithRep } else { OfContact::WithoutRep };
        Self {
            contact: (place, (of_contact, id)),
            campaign,
            open: is_open.then(|| (place, (OfContact::Open(via.into()), id))),
            ended: (!is_open).then_some((update_time, id)),
            holder,
            nobodys: (is_open && holder.is_none()).then_some(id),
        }
    }
}

/// What the indexes hold of assignments that are being loaded.
#[derive(Debug, Default)]
pub(super) struct Seen {
    contacts: Vec<ByContact>,
    campaigns: Vec<(Place, AssignmentId)>,
    pub(super) holders: Vec<(RepUid, AssignmentId)>,
    nobodys: Vec<AssignmentId>,
    ended: Vec<(Time, AssignmentId)>,
    waiting: Waiting,
}

impl Seen {
    pub(super) fn add(&mut self, record: RawRecord<'_>) {
        let Entries { contact, campaign, open, ended, holder, nobodys } =
            Indexed::from(&record).into();
        self.contacts.push(contact);
        self.contacts.extend(open);
        self.campaigns.extend(campaign);
        self.ended.extend(ended);
        self.holders.extend(holder);
        self.nobodys.extend(nobodys);
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

    /// The id of the request that made it.
    pub(super) fn request(&self, id: AssignmentId) -> Option<&str> {
        self.records.raw(id)?.request.map(|request| request.id)
    }

    pub(super) fn is_via(&self, id: AssignmentId, via: &Via) -> bool {
        self.records.head(id).is_some_and(|head| head.is_via(via))
    }

    /// The open assignment of this work.
    pub(super) fn open(&self, contact: &ContactId, via: &Via) -> Option<Arc<AssignmentRecord>> {
        let via_mark = RawVia::from(via).into();
        let mut open = self.of_kind(Place::of(contact.as_str()), OfContact::Open(via_mark), None);
        let is_meant = |head: Head<'_>| head.is_of(contact) && head.is_via(via);
        self.get(open.find(|id| self.records.head(*id).is_some_and(is_meant))?)
    }

    pub(super) fn open_len(&self) -> usize {
        self.by_holder.len() + self.nobodys.len()
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
        let newest = self.by_contact.back_from((place, (OfContact::WithRep, GREATEST)));
        let theirs = newest.take_while(|(it, _)| *it == place);
        let mut heads = theirs.filter_map(|(_, (_, id))| self.records.head(*id));
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

    /// Those of one kind that a contact has, by age, from the first one after `after`.
    fn of_kind(
        &self,
        contact: Place,
        kind: OfContact,
        after: Option<AssignmentId>,
    ) -> impl Iterator<Item = AssignmentId> {
        let from = (contact, (kind, after.unwrap_or(AssignmentId::LEAST)));
        let some = self.by_contact.from(from);
        let some = some.take_while(move |(it, (of, _))| (*it, *of) == (contact, kind));
        some.map(|(_, (_, id))| *id).skip_while(move |id| Some(*id) == after)
    }

    /// By age, from the first one after `after`.
    fn of_contact(
        &self,
        contact: Place,
        after: Option<AssignmentId>,
    ) -> impl Iterator<Item = AssignmentId> {
        let kinds = [OfContact::WithRep, OfContact::WithoutRep];
        let all = kinds.map(|kind| self.of_kind(contact, kind, after).peekable());
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
        fn change<T: Copy + Eq>(
            old: Option<Entries>,
            new: Option<Entries>,
            entry: fn(Entries) -> Option<T>,
            mut put: impl FnMut(T, bool),
        ) {
            let (old, new) = (old.and_then(entry), new.and_then(entry));
            if old != new {
                old.into_iter().for_each(|entry| put(entry, false));
                new.into_iter().for_each(|entry| put(entry, true));
            }
        }
        fn hashed<K: Hashed>(index: &mut Buckets<K>) -> impl FnMut(K, bool) {
            |key, is_new| if is_new { index.insert(key) } else { index.remove(&key) }
        }
        fn ordered<K: Key>(index: &mut Tree<K>) -> impl FnMut(K, bool) {
            |key, is_new| {
                let _had: Option<()> =
                    if is_new { index.insert(key, ()) } else { index.remove(&key) };
            }
        }
        let entries = |record: &AssignmentRecord| Entries::from(Indexed::from(record));
        let (old, new) = (old.map(entries), new.map(entries));
        change(old, new, |it| Some(it.contact), hashed(&mut self.by_contact));
        change(old, new, |it| it.open, hashed(&mut self.by_contact));
        change(old, new, |it| it.campaign, ordered(&mut self.by_campaign));
        change(old, new, |it| it.holder, ordered(&mut self.by_holder));
        change(old, new, |it| it.nobodys, ordered(&mut self.nobodys));
        change(old, new, |it| it.ended, ordered(&mut self.ended));
    }

    /// All that are open, in no order that means anything.
    pub(super) fn all_open(&self) -> impl Iterator<Item = AssignmentId> {
        let held = self.by_holder.iter().map(|((_, id), ())| *id);
        held.chain(self.nobodys.iter().map(|(id, ())| *id))
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
    pub(super) fn loaded(
        pages: Vec<Arc<Page<AssignmentRecord>>>,
        seen: Seen,
        together: Together,
    ) -> Self {
        let Seen { contacts, campaigns, holders, nobodys, ended, waiting } = seen;
        let mut all = Self { waiting, ..Self::default() };
        let Self {
            records,
            newest: _,
            by_contact,
            by_campaign,
            by_holder,
            nobodys: unheld,
            ended: ends,
            waiting: _,
        } = &mut all;
        let mut given = Some((pages, holders, nobodys, ended, campaigns));
        let mut given_too = Some(contacts);
        together(
            &mut || {
                let Some((pages, holders, nobodys, ended, campaigns)) = given.take() else {
                    return;
                };
                *records = Pages::of(pages);
                *by_holder = sorted(holders);
                *unheld = sorted(nobodys);
                *ends = sorted(ended);
                *by_campaign = sorted(campaigns);
            },
            &mut || {
                let Some(contacts) = given_too.take() else { return };
                *by_contact = Buckets::of(contacts);
            },
        );
        all
    }

    /// An open one whose work another open one is about too.
    pub(super) fn doubled(&self) -> Option<AssignmentId> {
        let open = self.by_contact.iter().filter_map(|(place, (kind, id))| match kind {
            OfContact::Open(mark) => Some(((*place, *mark), *id)),
            OfContact::WithRep | OfContact::WithoutRep => None,
        });
        doubled(open, |id| {
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
