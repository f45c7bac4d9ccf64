//! What is found by a text, without keeping the text: by its hash.
//!
//! A hash is never believed. Whoever looks says, of each thing under the hash, whether it is the one
//! meant, from the thing's own record; texts that share a hash, by chance or by somebody's craft, cost
//! time and nothing else. The order of hashes means nothing, so nothing that can be seen comes from it.

use std::collections::BTreeSet;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::{
    buckets::{Buckets, Hashed},
    packed::RawVia,
    tree::{Key, Tree},
};

/// Where a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(u64);

impl Place {
    /// Of an id.
    pub(super) fn of(id: &str) -> Self {
        Self::at(xxh3_64(id.as_bytes()))
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

impl<T: Copy + Ord> Key for (Place, T) {
    fn is_before(&self, other: &Self) -> bool {
        if self.0 == other.0 { self.1 < other.1 } else { self.0.0 < other.0.0 }
    }
}
impl<T: Copy + Ord> Hashed for (Place, T) {
    fn hash(&self) -> u64 {
        self.0.0
    }
}

/// A mark that tells most ways to an assignment apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ViaMark(u32);

impl From<RawVia<'_>> for ViaMark {
    fn from(via: RawVia<'_>) -> Self {
        let hash = match via {
            RawVia::DefaultRule => 0,
            RawVia::Campaign(id) => xxh3_64_with_seed(id.as_bytes(), 1),
            RawVia::Rule(id) => xxh3_64_with_seed(id.as_bytes(), 2),
            RawVia::Group(id) => xxh3_64_with_seed(id.as_bytes(), 3),
            RawVia::Rep(id) => xxh3_64_with_seed(id.as_bytes(), 4),
        };
        Self::at(hash)
    }
}

impl ViaMark {
    #[cfg(not(test))]
    fn at(hash: u64) -> Self {
        Self(u32::try_from(hash >> 32).unwrap_or_default())
    }

    /// In the tests of this crate most ways share their mark with others.
    #[cfg(test)]
    fn at(hash: u64) -> Self {
        Self(u32::try_from(hash % 2).unwrap_or_default())
    }
}

/// Things of which each has a text of its own, by place.
#[derive(Debug, Clone)]
pub(super) struct Places<T>(Buckets<(Place, T)>);

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self(Buckets::default())
    }
}

impl<T: Least> Places<T> {
    /// Those at a place, in no order.
    pub(super) fn at(&self, place: Place) -> impl Iterator<Item = T> {
        let from = self.0.from((place, T::LEAST));
        from.take_while(move |(it, _)| *it == place).map(|(_, thing)| *thing)
    }

    /// Puts one more at a place, if it is not there.
    pub(super) fn insert(&mut self, place: Place, thing: T) {
        self.0.insert((place, thing));
    }

    /// Takes one from its place, if it is there.
    pub(super) fn remove(&mut self, place: Place, thing: T) {
        self.0.remove(&(place, thing));
    }

    /// One whose text is that of another.
    pub(super) fn doubled<K: Ord>(&self, text: impl Fn(T) -> Option<K>) -> Option<T> {
        doubled(self.0.iter().copied(), text)
    }

    /// Those of a list, which holds none twice.
    pub(super) fn of(list: Vec<(Place, T)>) -> Self {
        Self(Buckets::of(list))
    }
}

/// One of these, which come side by side where they share a place, whose text is that of another.
pub(super) fn doubled<P: PartialEq, T: Copy, K: Ord>(
    all: impl Iterator<Item = (P, T)>,
    text: impl Fn(T) -> Option<K>,
) -> Option<T> {
    let mut all = all.peekable();
    let mut texts = BTreeSet::new();
    while let Some((place, thing)) = all.next() {
        let is_followed = all.peek().is_some_and(|(next, _)| *next == place);
        // Most are alone in their place, and not looked at.
        if (is_followed || !texts.is_empty()) && !text(thing).is_none_or(|it| texts.insert(it)) {
            return Some(thing);
        }
        if !is_followed {
            texts.clear();
        }
    }
    None
}

/// What has a first of its kind.
pub(super) trait Least: Copy + Ord {
    /// None is less.
    const LEAST: Self;
}

/// A set of a list, which holds none twice.
pub(super) fn sorted<T: Key>(mut list: Vec<T>) -> Tree<T> {
    list.sort_unstable();
    Tree::of(list.into_iter().map(|thing| (thing, ())).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Least, Place, Places, RawVia, ViaMark};
    use crate::routing::{CampaignId, GroupId, RepId, RuleId, Via};

    impl Least for u64 {
        const LEAST: Self = Self::MIN;
    }

    fn place(n: u64) -> Place {
        Place(n % 3)
    }

    fn held(places: &Places<u64>) -> BTreeSet<u64> {
        let by_place: Vec<u64> = (0..3).flat_map(|n| places.at(Place(n))).collect();
        let mut all: Vec<u64> = places.0.iter().map(|(_, thing)| *thing).collect();
        all.sort_unstable();
        assert_eq!(all.len(), places.0.len(), "none is counted that is not there");
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

    /// Two marks are all that tests have, so what is told apart here is not told apart by them alone.
    #[test]
    fn ways_to_an_assignment_have_more_than_one_mark() {
        let ways = ["a", "b", "c", "d"].map(|id| {
            [
                Via::DefaultRule,
                Via::Campaign(CampaignId::new(id)),
                Via::Rule(RuleId::new(id)),
                Via::Group(GroupId::new(id)),
                Via::Rep(RepId::new(id)),
            ]
        });
        let marks = ways.iter().flatten().map(|via| ViaMark::from(RawVia::from(via)));
        assert!(BTreeSet::from_iter(marks).len() > 1);
    }
}
