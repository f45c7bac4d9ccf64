//! Records by id, packed, a page of some at a time: a million of them are some thousands of pieces of memory,
//! and a snapshot takes the pages as they are.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    Time,
    digest::Sum,
    packed::{Common, Packable},
    tree::Tree,
    words::Words,
};

/// Records of a page at most.
const PAGE_RECORDS: usize = 64;
/// With so many bytes, a page gets no more records.
const PAGE_BYTES: usize = 16 << 10;
/// The record is one that this build has packed, or that was read whole when its page was loaded.
const READABLE: &str = "a packed record can be read";

/// Records by ascending ids. A clone shares what neither of the two changes.
#[derive(Debug, Clone)]
pub(super) struct Pages<R: Packable> {
    /// By an id that is no greater than their first one, and greater than all in the page before.
    pages: Tree<R::Id, Arc<Page<R>>>,
    len: usize,
}

impl<R: Packable> Default for Pages<R> {
    fn default() -> Self {
        Self { pages: Tree::default(), len: 0 }
    }
}

/// Some records.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) struct Page<R: Packable> {
    /// Instants are told from this one.
    base: Time,
    /// Ascending.
    ids: Vec<R::Id>,
    /// Where each record ends.
    ends: Vec<u32>,
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
    words: Words,
}

impl<R: Packable> Pages<R> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, id: R::Id) -> Option<R> {
        self.raw(id).map(R::Raw::into)
    }

    /// As it lies in its bytes.
    pub(super) fn raw(&self, id: R::Id) -> Option<R::Raw<'_>> {
        let (page, place) = self.place(id)?;
        Some(page.raw(place).expect(READABLE))
    }

    /// What is looked at most of a record.
    pub(super) fn head(&self, id: R::Id) -> Option<R::Head<'_>> {
        let (page, place) = self.place(id)?;
        Some(page.head(place))
    }

    /// The one with the least id.
    pub(super) fn first(&self) -> Option<(R::Id, R::Head<'_>)> {
        let (_, page) = self.pages.first()?;
        Some((*page.ids.first()?, page.head(0)))
    }

    fn place(&self, id: R::Id) -> Option<(&Page<R>, usize)> {
        let (_, page) = self.pages.back_from(id).next()?;
        page.ids.binary_search(&id).ok().map(|place| (&**page, place))
    }

    /// By age.
    pub(super) fn iter(&self) -> impl Iterator<Item = R> {
        let pages = self.pages.iter().map(|(_, page)| page);
        pages.flat_map(|page| page.raws()).map(R::Raw::into)
    }

    /// Adds all to a sum.
    pub(super) fn count(&self, sum: &mut Sum) {
        let raws = self.pages.iter().flat_map(|(_, page)| page.raws());
        raws.for_each(|record| sum.add(&record));
    }

    /// By age, from an id or the first one after it.
    pub(super) fn heads_from(&self, id: R::Id) -> impl Iterator<Item = (R::Id, R::Head<'_>)> {
        let first = self.pages.back_from(id).next().map_or(id, |(first, _)| *first);
        let pages = self.pages.from(first).map(|(_, page)| page);
        let all = pages.flat_map(|page| {
            let ids = page.ids.iter().enumerate();
            ids.map(move |(place, id)| (*id, page, place))
        });
        all.skip_while(move |(it, ..)| *it < id).map(|(id, page, place)| (id, page.head(place)))
    }

    /// Takes a record, in the place of the one with its id.
    pub(super) fn put(&mut self, record: &R) {
        let id = record.id();
        let last = self.pages.back_from(id).next();
        // Ids ascend, so it is the last page that gets more.
        let first = last.filter(|(_, page)| page.has_room() || page.ids.last() >= Some(&id));
        let first = first.map(|(first, _)| *first);
        match first.and_then(|first| self.pages.get_mut(&first)) {
            Some(page) => {
                let page = Arc::make_mut(page);
                let (had_room, had) = (page.has_room(), page.ids.len());
                page.put(record);
                self.len += page.ids.len() - had;
                if had_room && !page.has_room() {
                    page.fit();
                }
            }
            None => {
                self.pages.insert(id, Arc::new(Page::of([record])));
                self.len += 1;
            }
        }
    }

    /// Drops one, if it is there.
    pub(super) fn remove(&mut self, id: R::Id) {
        let Some((first, page)) = self.pages.back_from(id).next() else { return };
        let (first, Ok(place)) = (*first, page.ids.binary_search(&id)) else { return };
        self.len -= 1;
        if page.ids.len() == 1 {
            self.pages.remove(&first);
        } else if let Some(page) = self.pages.get_mut(&first) {
            Arc::make_mut(page).remove(place);
        }
    }

    pub(super) fn packed(&self) -> Packed<R> {
        Packed(self.pages.iter().map(|(_, page)| Arc::clone(page)).collect())
    }

    /// Of pages, none of which is empty, and whose ids ascend from one to the next.
    pub(super) fn of(pages: Vec<Arc<Page<R>>>) -> Self {
        let len = pages.iter().map(|page| page.ids.len()).sum();
        let keyed = pages.into_iter().filter_map(|page| Some((*page.ids.first()?, page)));
        Self { pages: Tree::of(keyed.collect()), len }
    }
}

impl<R: Packable> Page<R> {
    /// Of records with ascending ids.
    pub(super) fn of<'a>(records: impl IntoIterator<Item = &'a R>) -> Self
    where
        R: 'a,
    {
        let (ids, ends, bytes) = (Vec::new(), Vec::new(), Vec::new());
        let mut page = Self { base: Time(0), ids, ends, bytes, words: Words::default() };
        records.into_iter().for_each(|record| page.put(record));
        page
    }

    pub(super) fn has_room(&self) -> bool {
        self.ids.len() < PAGE_RECORDS && self.bytes.len() < PAGE_BYTES
    }

    /// Adds its records to a sum, if all of it can be read; asked of what was loaded. Nothing else here asks again.
    pub(super) fn checked(&self, sum: &mut Sum) -> Option<()> {
        let whole = self.ends.last().map_or(Some(0), |end| usize::try_from(*end).ok())?;
        let fits = self.ids.len() == self.ends.len() && whole == self.bytes.len();
        let is_sound =
            fits && self.ids.is_sorted_by(|one, next| one < next) && self.words.is_sound();
        if !is_sound || self.ids.is_empty() {
            return None;
        }
        (0..self.ids.len()).try_for_each(|place| {
            sum.add(&self.raw(place)?);
            Some(())
        })
    }

    /// The records as they lie there, by age.
    pub(super) fn raws(&self) -> impl Iterator<Item = R::Raw<'_>> {
        (0..self.ids.len()).map(|place| self.raw(place).expect(READABLE))
    }

    /// What the records begin with, by age.
    pub(super) fn heads(&self) -> impl Iterator<Item = (R::Id, R::Head<'_>)> {
        (0..).zip(&self.ids).map(|(place, id)| (*id, self.head(place)))
    }

    fn bytes(&self, place: usize) -> Option<&[u8]> {
        let (start, end) = self.span(place)?;
        self.bytes.get(start..end)
    }

    fn span(&self, place: usize) -> Option<(usize, usize)> {
        let start = match place.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        let end = *self.ends.get(place)?;
        Some((usize::try_from(start).ok()?, usize::try_from(end).ok()?))
    }

    fn common(&self, place: usize) -> Option<Common<R::Id>> {
        Some(Common { id: *self.ids.get(place)?, base: self.base })
    }

    fn raw(&self, place: usize) -> Option<R::Raw<'_>> {
        R::raw(self.bytes(place)?, &self.words, self.common(place)?)
    }

    fn record(&self, place: usize) -> R {
        self.raw(place).expect(READABLE).into()
    }

    fn head(&self, place: usize) -> R::Head<'_> {
        let head = |bytes| R::head(bytes, &self.words, self.common(place)?);
        self.bytes(place).and_then(head).expect(READABLE)
    }

    fn put(&mut self, record: &R) {
        let id = record.id();
        if self.ids.is_empty() {
            self.base = record.time();
        }
        if self.ids.last().is_none_or(|last| *last < id) {
            record.pack(self.base, &mut self.words, &mut self.bytes);
            self.ids.push(id);
            self.ends.push(place_of(self.bytes.len()));
            return;
        }
        let mut bytes = Vec::new();
        record.pack(self.base, &mut self.words, &mut bytes);
        match self.ids.binary_search(&id) {
            Ok(place) => self.splice(place, &bytes),
            Err(place) => {
                let start = self.span(place).map_or(0, |(start, _)| start);
                self.ids.insert(place, id);
                self.ends.insert(place, place_of(start));
                self.splice(place, &bytes);
            }
        }
    }

    /// Puts bytes in the place of those of a record.
    fn splice(&mut self, place: usize, new: &[u8]) {
        let Some((start, end)) = self.span(place) else { return };
        self.bytes.splice(start..end, new.iter().copied());
        let (old, new) = (place_of(end - start), place_of(new.len()));
        self.ends.iter_mut().skip(place).for_each(|end| *end = *end - old + new);
    }

    fn remove(&mut self, place: usize) {
        self.splice(place, &[]);
        self.ids.remove(place);
        self.ends.remove(place);
        // Now and then, what the others don't need goes as well.
        if self.ids.len().is_power_of_two() {
            let records: Vec<_> = (0..self.ids.len()).map(|place| self.record(place)).collect();
            *self = Self::of(&records);
            self.fit();
        }
    }

    fn fit(&mut self) {
        self.ids.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.bytes.shrink_to_fit();
        self.words.fit();
    }
}

fn place_of(length: usize) -> u32 {
    u32::try_from(length)
        .expect("a page is of less than 4 GiB: records are bounded, and so is their number")
}

/// Pages as they stand in an image: in the order in which they came there, which is not known to be one of ids.
#[derive(Clone)]
pub(super) struct Packed<R: Packable>(pub(super) Vec<Arc<Page<R>>>);

impl<R: Packable> Default for Packed<R> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<R: Packable> Packed<R> {
    /// The records, of pages that this build has made.
    fn records(&self) -> impl Iterator<Item = R> {
        self.0.iter().flat_map(|page| page.raws()).map(R::Raw::into)
    }
}

impl<R: Packable> From<Vec<R>> for Packed<R> {
    /// Records that don't come by their ids make a page more, and stay as they are.
    fn from(records: Vec<R>) -> Self {
        let mut pages: Vec<Page<R>> = Vec::new();
        for record in &records {
            let last = pages.last_mut().filter(|page| page.has_room());
            match last.filter(|page| page.ids.last() < Some(&record.id())) {
                Some(page) => page.put(record),
                None => pages.push(Page::of([record])),
            }
        }
        Self(pages.into_iter().map(Arc::new).collect())
    }
}

/// Equal records make equal pages, however they came to be there.
impl<R: Packable + PartialEq> PartialEq for Packed<R> {
    fn eq(&self, other: &Self) -> bool {
        self.records().eq(other.records())
    }
}
impl<R: Packable + Eq> Eq for Packed<R> {}

impl<R: Packable> fmt::Debug for Packed<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.records()).finish()
    }
}

/// A list of pages; of records, where people read it.
impl<R: Packable + Serialize> Serialize for Packed<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            self.records().collect::<Vec<_>>().serialize(serializer)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de, R: Packable + Deserialize<'de>> Deserialize<'de> for Packed<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            Vec::<R>::deserialize(deserializer).map(Self::from)
        } else {
            Vec::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::routing::{
        Assignment, AssignmentId, AssignmentState, Cause, ContactId, Decision, Labels, LogPosition,
        Step, TeamId, Via, record::AssignmentRecord,
    };

    type Pages = super::Pages<AssignmentRecord>;
    type Page = super::Page<AssignmentRecord>;
    type Packed = super::Packed<AssignmentRecord>;

    fn id(n: u64) -> AssignmentId {
        AssignmentId { log_index: n / 3, seq: u32::try_from(n % 3).unwrap(), item: 0 }
    }

    /// The more `version`s, the more words.
    fn record(n: u64, version: u64) -> AssignmentRecord {
        let position = LogPosition { log_index: n / 3 + version, seq: 0, term: 1 };
        let (state, cause) = (AssignmentState::Unassigned, Cause::NoTarget);
        let principal = format!("{n}/{version}");
        let step = Step { time: Time(n), position, principal, cause, state, rep: None };
        let assignment = Assignment {
            id: id(n),
            position,
            create_time: Time(1_000 + n),
            update_time: Time(n),
            contact: ContactId::new(&format!("c-{n}")),
            via: Via::DefaultRule,
            owners: Vec::new(),
            prefer_last_rep: false,
            priority: 0,
            labels: Labels::new(),
            state,
            rep: None,
            option: None,
            cause,
            target_index: None,
            owner_changed: false,
            wait_end: None,
            offer_end: None,
            rejected_by: Vec::new(),
            decision: Decision { time: Time(n), engine_version: 2, targets: Vec::new() },
            history: vec![step; usize::try_from(version % 5).unwrap()],
        };
        AssignmentRecord {
            assignment: assignment.into(),
            rep: None,
            rejected: Vec::new(),
            excluded: None,
            starts_again: false,
            request: None,
            first: None,
        }
    }

    /// Where most come at the end, some are changed and some are dropped; a copy stays as it was.
    #[test]
    fn pages_hold_what_a_map_holds() {
        let (mut pages, mut model) = (Pages::default(), BTreeMap::new());
        let (mut number, mut next) = (1_u64, 0);
        for round in 0..20_000 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let some = if next == 0 { 0 } else { (number >> 33) % next };
            match number >> 61 {
                0..=2 => {
                    next += 1 + some % 2;
                    pages.put(&record(next, round));
                    model.insert(id(next), record(next, round));
                }
                3 | 4 => {
                    // One that is there, or was, or was left out.
                    pages.put(&record(some, round));
                    model.insert(id(some), record(some, round));
                }
                _ => {
                    pages.remove(id(some));
                    model.remove(&id(some));
                }
            }
            if round % 2_000 == 0 {
                holds(&pages, &model);
                let (copy, was) = (pages.clone(), model.clone());
                model.keys().take(200).for_each(|id| pages.remove(*id));
                model = model.into_iter().skip(200).collect();
                holds(&copy, &was);
                holds(&pages, &model);
                let anew = Packed::from(Vec::from_iter(model.values().cloned()));
                assert_eq!(pages.packed(), anew, "however they came to be there");
            }
            let kept = pages.get(id(some));
            assert_eq!(kept.as_ref(), model.get(&id(some)));
        }
        assert!(model.len() > 1_000, "{}", model.len());
    }

    fn holds(pages: &Pages, model: &BTreeMap<AssignmentId, AssignmentRecord>) {
        assert_eq!(pages.len(), model.len());
        assert_eq!(pages.first().map(|(id, _)| id).as_ref(), model.keys().next());
        assert!(pages.iter().eq(model.values().cloned()));
        let from = id(1_500);
        let heads = pages.heads_from(from).map(|(id, _)| id);
        assert!(heads.eq(model.range(from..).map(|(id, _)| *id)));
        let loaded: Vec<_> = pages.packed().0;
        let mut sum = Sum::new(TeamId::new("t"));
        assert!(loaded.iter().all(|page| page.checked(&mut sum).is_some()));
        let mut expected = Sum::new(TeamId::new("t"));
        model.values().for_each(|record| expected.add(record));
        assert_eq!(sum, expected);
        assert!(Pages::of(loaded).iter().eq(model.values().cloned()));
    }

    #[test]
    fn a_page_that_is_not_whole_is_refused() {
        let whole = || Page::of(&[record(1, 1), record(2, 2), record(3, 3)]);
        let checked = |page: &Page| page.checked(&mut Sum::new(TeamId::new("t")));
        assert!(checked(&whole()).is_some());
        let changes: [fn(&mut Page); 7] = [
            |page| page.ids.swap(0, 1),
            |page| page.ids.truncate(2),
            |page| page.ids[1] = page.ids[0],
            |page| page.ends[0] = page.ends[2] + 1,
            |page| page.ends.truncate(2),
            |page| page.bytes.push(0),
            |page| page.words = Words::default(),
        ];
        for (number, change) in (0..).zip(changes) {
            let mut page = whole();
            change(&mut page);
            assert!(checked(&page).is_none(), "change {number}");
        }
        assert!(checked(&Page::of([])).is_none(), "an empty page has no first id");
    }
}
