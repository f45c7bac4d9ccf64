//! What is found by a text, without keeping the text: by its hash.
//!
//! A hash is never believed. Whoever looks says, of each thing under the hash, whether it is the one
//! meant, from the thing's own record; texts that share a hash, by chance or by somebody's craft, cost
//! time and nothing else. The order of hashes means nothing, so nothing that can be seen comes from it.

use std::collections::BTreeSet;

use imbl::{OrdMap, OrdSet};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::{ContactId, Id, Via};

/// Where a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(u64);

impl Place {
    pub(super) fn of<Kind>(id: &Id<Kind>) -> Self {
        Self::at(xxh3_64(id.as_str().as_bytes()))
    }

    /// Of a contact's work by these targets.
    pub(super) fn of_work(contact: &ContactId, via: &Via) -> Self {
        let seed = match via {
            Via::DefaultRule => 0,
            Via::Campaign(id) => xxh3_64_with_seed(id.as_str().as_bytes(), 1),
            Via::Rule(id) => xxh3_64_with_seed(id.as_str().as_bytes(), 2),
            Via::Group(id) => xxh3_64_with_seed(id.as_str().as_bytes(), 3),
            Via::Rep(id) => xxh3_64_with_seed(id.as_str().as_bytes(), 4),
        };
        Self::at(xxh3_64_with_seed(contact.as_str().as_bytes(), seed))
    }

    #[cfg(not(test))]
    fn at(hash: u64) -> Self {
        Self(hash)
    }

    /// In the tests of this crate most texts share a place with others.
    #[cfg(test)]
    fn at(hash: u64) -> Self {
        Self(hash % 4)
    }
}

/// Things of which each has a text of its own, by place.
#[derive(Debug, Clone)]
pub(super) struct Places<T: Ord + Copy> {
    first: OrdMap<Place, T>,
    /// Those that came to a place that was taken.
    others: OrdMap<Place, OrdSet<T>>,
    len: usize,
}

impl<T: Ord + Copy> Default for Places<T> {
    fn default() -> Self {
        Self { first: OrdMap::new(), others: OrdMap::new(), len: 0 }
    }
}

impl<T: Ord + Copy> Places<T> {
    /// Those at a place, in no order.
    pub(super) fn at(&self, place: Place) -> impl Iterator<Item = T> {
        let first = self.first.get(&place).copied();
        let others = first.and_then(|_| self.others.get(&place));
        first.into_iter().chain(others.into_iter().flatten().copied())
    }

    /// Puts one more at a place, if it is not there.
    pub(super) fn insert(&mut self, place: Place, thing: T) {
        let Some(first) = self.first.get(&place).copied() else {
            self.first.insert(place, thing);
            self.len += 1;
            return;
        };
        if first != thing && self.others.entry(place).or_default().insert(thing).is_none() {
            self.len += 1;
        }
    }

    /// Takes one from its place, if it is there.
    pub(super) fn remove(&mut self, place: Place, thing: T) {
        let Some(first) = self.first.get(&place).copied() else { return };
        let mut others = self.others.get(&place).cloned().unwrap_or_default();
        if first == thing {
            match others.remove_min() {
                Some(next) => drop(self.first.insert(place, next)),
                None => drop(self.first.remove(&place)),
            }
        } else if others.remove(&thing).is_none() {
            return;
        }
        self.len -= 1;
        if others.is_empty() {
            self.others.remove(&place);
        } else {
            self.others.insert(place, others);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = T> {
        self.first.values().chain(self.others.values().flatten()).copied()
    }

    /// One whose text is that of another.
    pub(super) fn doubled<K: Ord>(&self, text: impl Fn(T) -> Option<K>) -> Option<T> {
        self.others.iter().find_map(|(place, others)| {
            let mut texts: BTreeSet<_> =
                self.first.get(place).and_then(|first| text(*first)).into_iter().collect();
            let mut all = others.iter().copied();
            all.find(|thing| text(*thing).is_some_and(|text| !texts.insert(text)))
        })
    }

    /// Those of a list, which holds none twice.
    pub(super) fn of(mut list: Vec<(Place, T)>) -> Self {
        list.sort_unstable();
        let mut places = Self { len: list.len(), ..Self::default() };
        let mut alone = Vec::with_capacity(list.len());
        let mut last = None;
        for (place, thing) in list {
            if last.replace(place) == Some(place) {
                places.others.entry(place).or_default().insert(thing);
            } else {
                alone.push((place, thing));
            }
        }
        in_order(alone, |(place, thing)| {
            places.first.insert(place, thing);
        });
        places
    }
}

/// Inserts what is in ascending order into a tree so that its nodes fill: every second first, which parts full
/// nodes in the middle, and then the others, which find room in each. In order they would stay half empty.
pub(super) fn in_order<T>(list: Vec<T>, mut insert: impl FnMut(T)) {
    let mut others = Vec::with_capacity(list.len() / 2);
    for (number, thing) in list.into_iter().enumerate() {
        if number % 2 == 0 {
            insert(thing);
        } else {
            others.push(thing);
        }
    }
    others.into_iter().for_each(insert);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use imbl::OrdSet;

    use super::{Place, Places, in_order};
    use crate::routing::{CampaignId, ContactId, GroupId, RepId, RuleId, Via};

    fn place(n: u64) -> Place {
        Place(n % 3)
    }

    fn held(places: &Places<u64>) -> BTreeSet<u64> {
        let by_place: Vec<u64> = (0..3).flat_map(|n| places.at(Place(n))).collect();
        let mut all: Vec<u64> = places.iter().collect();
        all.sort_unstable();
        assert_eq!(all.len(), places.len(), "none is counted that is not there");
        let sorted = BTreeSet::from_iter(by_place.iter().copied());
        assert_eq!((by_place.len(), Vec::from_iter(sorted.clone())), (all.len(), all));
        sorted
    }

    #[test]
    fn things_that_share_a_place_come_and_go_each_by_itself() {
        let (mut places, mut model) = (Places::default(), BTreeSet::new());
        let mut number = 1_u64;
        for _ in 0..2_000 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let thing = (number >> 33) % 24;
            if number >> 63 == 0 {
                places.insert(place(thing), thing);
                model.insert(thing);
            } else {
                places.remove(place(thing), thing);
                model.remove(&thing);
            }
            assert_eq!(held(&places), model);
            assert!(places.at(place(thing)).all(|other| other % 3 == thing % 3));
        }
        let list = model.iter().map(|thing| (place(*thing), *thing)).collect();
        assert_eq!(held(&Places::of(list)), model);
    }

    #[test]
    fn a_text_that_is_there_twice_is_found_whatever_shares_its_place() {
        let list = |things: [u64; 5]| things.map(|thing| (place(thing), thing)).to_vec();
        let alone = Places::of(list([0, 3, 6, 9, 10]));
        assert_eq!(alone.doubled(Some), None);
        let by_thirds = alone.doubled(|thing| Some(thing / 3));
        assert_eq!(by_thirds, None, "9 and 10 have one text, but stand in two places");
        let shared = Places::of(list([0, 3, 9, 6, 10]));
        assert_eq!(shared.doubled(|thing| Some(thing.min(6))), Some(9));
    }

    #[test]
    fn a_set_made_in_order_has_all_that_was_given() {
        for count in [0, 1, 2, 15, 16, 17, 300, 1_001] {
            let mut set = OrdSet::new();
            in_order((0..count).collect(), |thing: u32| assert_eq!(set.insert(thing), None));
            assert!(set.iter().copied().eq(0..count), "{count}");
        }
    }

    /// Four places are all that tests have, so what is told apart here is not told apart by them alone.
    #[test]
    fn works_of_a_contact_stand_in_more_than_one_place() {
        let contact = ContactId::new("x");
        let ways = ["a", "b", "c", "d"].map(|id| {
            [
                Via::DefaultRule,
                Via::Campaign(CampaignId::new(id)),
                Via::Rule(RuleId::new(id)),
                Via::Group(GroupId::new(id)),
                Via::Rep(RepId::new(id)),
            ]
        });
        let places = ways.iter().flatten().map(|via| Place::of_work(&contact, via));
        assert!(BTreeSet::from_iter(places).len() > 1);
    }
}
