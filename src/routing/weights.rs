//! The seats of a ring by weight: few lists for any weights up to a bound or from one on.
//!
//! There may be a thousand weights in one ring. So seats are also kept by blocks of weights, and a walk
//! merges a bounded number of lists. Where all have one weight, there is one list and nothing beside it.

use std::{collections::BTreeMap, ops::RangeInclusive};

use super::{
    filter::Class,
    record::Occupant,
    seats::{Seats, Which},
};

/// Weights in a block: about the root of the greatest weight, so that neither blocks nor the weights of
/// one become many.
const WEIGHTS_IN_BLOCK: u32 = 32;

#[derive(Debug, Clone, Default)]
pub(super) struct SeatsByWeight {
    /// None of them is empty.
    by_weight: BTreeMap<u32, Seats>,
    /// By weight ÷ [`WEIGHTS_IN_BLOCK`].
    blocks: BTreeMap<u32, Block>,
}

#[derive(Debug, Clone)]
struct Block {
    /// The weight that was in it first.
    first: u32,
    /// The seats of its other weights together.
    others: Seats,
}

impl SeatsByWeight {
    pub(super) fn weights(&self) -> impl Iterator<Item = u32> {
        self.by_weight.keys().copied()
    }

    /// The seats, where all have one weight.
    pub(super) fn only(&self) -> Option<&Seats> {
        let (_, seats) = self.by_weight.first_key_value()?;
        (self.by_weight.len() == 1).then_some(seats)
    }

    /// Who sits at this key.
    pub(super) fn at(&self, key: u64) -> Option<&Occupant> {
        self.of(0..=u32::MAX).find_map(|seats| seats.get(key)).map(|(occupant, _)| occupant)
    }

    pub(super) fn class(&self, weight: u32, key: u64) -> Option<Class> {
        self.by_weight.get(&weight)?.get(key).map(|(_, class)| class)
    }

    /// Puts somebody at a key, in the place of whoever sat there with this weight.
    pub(super) fn put(&mut self, weight: u32, key: u64, occupant: Occupant, class: Class) {
        let new = || Block { first: weight, others: Seats::default() };
        let block = self.blocks.entry(weight / WEIGHTS_IN_BLOCK).or_insert_with(new);
        if block.first != weight {
            block.others.put(key, occupant.clone(), class);
        }
        self.by_weight.entry(weight).or_default().put(key, occupant, class);
    }

    pub(super) fn remove(&mut self, weight: u32, key: u64) {
        let Some(seats) = self.by_weight.get_mut(&weight) else { return };
        seats.remove(key);
        if seats.is_empty() {
            self.by_weight.remove(&weight);
        }
        let number = weight / WEIGHTS_IN_BLOCK;
        let Some(block) = self.blocks.get_mut(&number) else { return };
        if block.first != weight {
            block.others.remove(key);
        }
        if block.others.is_empty() && !self.by_weight.contains_key(&block.first) {
            self.blocks.remove(&number);
        }
    }

    pub(super) fn count(&self, which: Which) -> u64 {
        self.of(0..=u32::MAX).map(|seats| seats.count(which)).sum()
    }

    /// The seats of some weights in lists that have no key in common: at most two for each whole block,
    /// and one for each weight where the range ends in the midst of one.
    pub(super) fn of(&self, weights: RangeInclusive<u32>) -> impl Iterator<Item = &Seats> {
        let numbers = weights.start() / WEIGHTS_IN_BLOCK..=weights.end() / WEIGHTS_IN_BLOCK;
        let blocks = if weights.is_empty() { None } else { Some(self.blocks.range(numbers)) };
        blocks.into_iter().flatten().flat_map(move |(number, block)| {
            let least = number * WEIGHTS_IN_BLOCK;
            let greatest = least + (WEIGHTS_IN_BLOCK - 1);
            let is_whole = *weights.start() <= least && greatest <= *weights.end();
            let first = is_whole.then(|| self.by_weight.get(&block.first)).flatten();
            let others = (is_whole && !block.others.is_empty()).then_some(&block.others);
            let within = least.max(*weights.start())..=greatest.min(*weights.end());
            let singly = (!is_whole).then(|| self.by_weight.range(within));
            first.into_iter().chain(others).chain(singly.into_iter().flatten().map(|(_, s)| s))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Class, Occupant, SeatsByWeight, Which};
    use crate::routing::{record::RepUid, seats::tests::random};

    #[test]
    fn any_range_of_weights_is_in_few_lists_which_have_each_seat_once() {
        let mut seed = 11;
        let mut seats = SeatsByWeight::default();
        let mut plain: BTreeMap<u64, u32> = BTreeMap::new();
        for step in 0..6_000_u64 {
            // Full, and empty again.
            let often = if step % 3_000 < 1_500 { 4 } else { 1 };
            let key = random(&mut seed) % 1_500;
            if let Some(weight) = plain.remove(&key) {
                seats.remove(weight, key);
            }
            if random(&mut seed) % 5 < often {
                let weight = 1 + u32::try_from(random(&mut seed) % 1_000).unwrap();
                seats.put(weight, key, Occupant::Rep(RepUid(key)), Class::Ready);
                plain.insert(key, weight);
            }
            assert_eq!(seats.at(key).is_some(), plain.contains_key(&key));
            let bound = u32::try_from(random(&mut seed) % 1_002).unwrap();
            let empty = std::ops::RangeInclusive::new(5, 4);
            for range in [0..=bound, bound..=u32::MAX, 0..=u32::MAX, bound..=bound + 3, empty] {
                let lists: Vec<_> = seats.of(range.clone()).collect();
                assert!(lists.len() <= 96, "{} lists for {range:?}", lists.len());
                let found: u64 = lists.iter().map(|seats| seats.count(Which::All)).sum();
                let expected = plain.values().filter(|weight| range.contains(weight)).count();
                assert_eq!(found, u64::try_from(expected).unwrap(), "{range:?}");
                if step % 100 == 0 {
                    for (key, weight) in &plain {
                        let holding = lists.iter().filter(|seats| seats.get(*key).is_some());
                        assert_eq!(holding.count(), usize::from(range.contains(weight)));
                    }
                }
            }
        }
        for (key, weight) in plain {
            seats.remove(weight, key);
        }
        assert!(seats.by_weight.is_empty() && seats.blocks.is_empty());
    }

    #[test]
    fn one_weight_is_one_list() {
        let mut seats = SeatsByWeight::default();
        (1..=100).for_each(|key| seats.put(7, key, Occupant::Rep(RepUid(key)), Class::Ready));
        assert_eq!(seats.of(0..=u32::MAX).count(), 1);
        assert_eq!(seats.of(8..=u32::MAX).count(), 0);
    }
}
