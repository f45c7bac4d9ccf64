//! A set of small keys that stand at random among all numbers, where any of them is found in a step or two.
//!
//! A linear hash table (W. Litwin, "Linear hashing: a new tool for file and table addressing", VLDB 1980; decision
//! 17): buckets are split one at a time as keys come, and joined as they go, so that no command pays for a larger
//! table. A clone costs nothing and shares all that neither side changes. Invariants: a key is in the bucket that its
//! number gives; keys ascend in a bucket.

use std::sync::Arc;

use imbl::Vector;

use super::tree::{Key, Tree};

/// Keys of a bucket on the average, at most. What comes or goes copies its bucket.
const LOAD: usize = 8;
/// A bucket with more keys is a tree: whatever is done with many keys of one number takes few steps as well.
const FEW_MAX: usize = 48;

/// A key that stands at random.
pub(super) trait Hashed: Key {
    /// Where it stands. Others may stand there as well.
    fn hash(&self) -> u64;
}

#[derive(Debug, Clone)]
pub(super) struct Buckets<K> {
    buckets: Vector<Bucket<K>>,
    /// How many keys.
    len: usize,
    /// Room for the keys of one bucket. What is in it means nothing.
    room: Vec<K>,
}

#[derive(Debug, Clone)]
enum Bucket<K> {
    Few(Arc<[K]>),
    Many(Box<Tree<K>>),
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self { buckets: Vector::new(), len: 0, room: Vec::new() }
    }
}

/// Which of so many buckets is that of a number.
fn index(hash: u64, count: usize) -> usize {
    let wide = count.next_power_of_two();
    // The low half of a number is more than there can be buckets.
    let low = usize::try_from(hash & u64::from(u32::MAX)).unwrap_or_default();
    let at = low & wide.saturating_sub(1);
    if at < count { at } else { at & (wide / 2).saturating_sub(1) }
}

impl<K: Hashed> Buckets<K> {
    /// Of a list that has none twice.
    pub(super) fn of(list: Vec<K>) -> Self {
        let (len, count) = (list.len(), list.len().div_ceil(LOAD));
        // How many keys each has, then where it begins, and in the end where it ends.
        let mut ends = vec![0_usize; count + 1];
        let number = |key: &K| index(key.hash(), count);
        for key in &list {
            ends.get_mut(number(key)).into_iter().for_each(|size| *size += 1);
        }
        let mut sum = 0;
        ends.iter_mut().for_each(|place| sum += std::mem::replace(place, sum));
        let mut ordered = list.clone();
        for key in list {
            let place = ends.get_mut(number(&key));
            let place = place.map_or(0, |place| std::mem::replace(place, *place + 1));
            ordered.get_mut(place).into_iter().for_each(|room| *room = key);
        }
        let mut rest = ordered.as_mut_slice();
        let mut taken = 0;
        let buckets = ends.iter().take(count).map(|end| {
            let (these, others) = std::mem::take(&mut rest).split_at_mut(*end - taken);
            (rest, taken) = (others, *end);
            these.sort_unstable();
            Bucket::of(these)
        });
        let buckets = buckets.collect();
        Self { buckets, len, room: Vec::new() }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Those in the bucket of a key, ascending, from the key or the first one after it.
    pub(super) fn from(&self, key: K) -> impl Iterator<Item = &K> {
        let (few, many) = self.bucket(&key).map(Bucket::parts).unwrap_or_default();
        let few = few.split_at(few.partition_point(|it| it.is_before(&key))).1;
        let many = many.map(|tree| tree.from(key).map(|(key, ())| key));
        few.iter().chain(many.into_iter().flatten())
    }

    /// Those in the bucket of a key, descending, from the key or the last one before it.
    pub(super) fn back_from(&self, key: K) -> impl Iterator<Item = &K> {
        let (few, many) = self.bucket(&key).map(Bucket::parts).unwrap_or_default();
        let few = few.split_at(few.partition_point(|it| !key.is_before(it))).0;
        let many = many.map(|tree| tree.back_from(key).map(|(key, ())| key));
        few.iter().rev().chain(many.into_iter().flatten())
    }

    /// All, those with one number side by side.
    pub(super) fn iter(&self) -> impl Iterator<Item = &K> {
        self.buckets.iter().flat_map(Bucket::iter)
    }

    /// Puts one more there, if it is not there.
    pub(super) fn insert(&mut self, key: K) {
        if self.buckets.is_empty() {
            self.buckets.push_back(Bucket::of(&[]));
        }
        let mut room = std::mem::take(&mut self.room);
        let bucket = self.bucket_mut(&key);
        let is_new = bucket.is_some_and(|bucket| bucket.insert(key, &mut room));
        // A clone would copy what is in it.
        room.clear();
        self.room = room;
        self.len += usize::from(is_new);
        if self.len > self.buckets.len() * LOAD {
            self.split();
        }
    }

    /// Takes one out, if it is there.
    pub(super) fn remove(&mut self, key: &K) {
        let was_there = self.bucket_mut(key).is_some_and(|bucket| bucket.remove(key));
        self.len -= usize::from(was_there);
        if self.len * 4 < self.buckets.len().saturating_sub(1) * LOAD {
            self.join();
        }
    }

    fn bucket(&self, key: &K) -> Option<&Bucket<K>> {
        self.buckets.get(index(key.hash(), self.buckets.len()))
    }

    fn bucket_mut(&mut self, key: &K) -> Option<&mut Bucket<K>> {
        let index = index(key.hash(), self.buckets.len());
        self.buckets.get_mut(index)
    }

    /// The bucket that a last one is split from, and is joined with.
    fn partner(last: usize) -> Option<usize> {
        last.checked_ilog2().map(|bit| last - (1 << bit))
    }

    /// Makes one more bucket, of keys of the one whose turn it is.
    fn split(&mut self) {
        let last = self.buckets.len();
        let partner = Self::partner(last).and_then(|partner| self.buckets.get_mut(partner));
        let Some(partner) = partner else { return };
        let goes = |key: &K| index(key.hash(), last + 1) == last;
        let new = match partner {
            Bucket::Few(keys) => {
                let (going, staying): (Vec<K>, Vec<K>) = keys.iter().partition(|key| goes(key));
                *keys = staying.into();
                Bucket::of(&going)
            }
            Bucket::Many(keys) => {
                // Most may be of one number: they stay in one piece, wherever they belong.
                let going = keys.iter().filter(|(key, ())| goes(key)).count();
                let most_go = going > keys.len() - going;
                let fewer = keys.iter().map(|(key, ())| *key).filter(|key| goes(key) != most_go);
                let fewer: Vec<K> = fewer.collect();
                for key in &fewer {
                    partner.remove(key);
                }
                let mut new = Bucket::of(&fewer);
                if most_go {
                    std::mem::swap(partner, &mut new);
                }
                new
            }
        };
        self.buckets.push_back(new);
    }

    /// Puts the keys of the last bucket where they came from.
    fn join(&mut self) {
        let Some(mut fewer) = self.buckets.pop_back() else { return };
        let partner = Self::partner(self.buckets.len());
        let Some(partner) = partner.and_then(|partner| self.buckets.get_mut(partner)) else {
            return;
        };
        if fewer.len() > partner.len() {
            std::mem::swap(partner, &mut fewer);
        }
        for key in fewer.iter() {
            partner.insert(*key, &mut self.room);
        }
        self.room.clear();
    }
}

impl<K: Hashed> Bucket<K> {
    /// Of ascending keys.
    fn of(keys: &[K]) -> Self {
        if keys.len() <= FEW_MAX {
            Self::Few(keys.into())
        } else {
            let entries = keys.iter().map(|key| (*key, ()));
            Self::Many(Box::new(Tree::of(entries.collect())))
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Few(keys) => keys.len(),
            Self::Many(keys) => keys.len(),
        }
    }

    /// What it has in a list, and what in a tree; one of the two is nothing.
    fn parts(&self) -> (&[K], Option<&Tree<K>>) {
        match self {
            Self::Few(keys) => (keys, None),
            Self::Many(keys) => (&[], Some(keys)),
        }
    }

    fn iter(&self) -> impl Iterator<Item = &K> {
        let (few, many) = self.parts();
        let many = many.map(|tree| tree.iter().map(|(key, ())| key));
        few.iter().chain(many.into_iter().flatten())
    }

    /// Whether it is new there. What is in the room before and after means nothing.
    fn insert(&mut self, key: K, room: &mut Vec<K>) -> bool {
        match self {
            Self::Few(keys) => {
                let place = keys.partition_point(|it| it.is_before(&key));
                let (before, from) = keys.split_at(place);
                if from.first() == Some(&key) {
                    return false;
                }
                room.clear();
                room.extend_from_slice(before);
                room.push(key);
                room.extend_from_slice(from);
                *self = Self::of(room);
                true
            }
            Self::Many(keys) => keys.insert(key, ()).is_none(),
        }
    }

    /// Whether it was there.
    fn remove(&mut self, key: &K) -> bool {
        match self {
            Self::Few(keys) => {
                let place = keys.partition_point(|it| it.is_before(key));
                let (before, from) = keys.split_at(place);
                let Some((_, behind)) = from.split_first().filter(|(it, _)| *it == key) else {
                    return false;
                };
                *keys = before.iter().chain(behind).copied().collect();
                true
            }
            Self::Many(keys) => {
                let was_there = keys.remove(key).is_some();
                if keys.len() < FEW_MAX / 2 {
                    let few: Vec<K> = keys.iter().map(|(key, ())| *key).collect();
                    *self = Self::of(&few);
                }
                was_there
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Buckets, FEW_MAX, Hashed, Key, LOAD, index};

    /// Where it stands, and which it is there.
    type Pair = (u64, u32);
    impl Key for Pair {}
    impl Hashed for Pair {
        fn hash(&self) -> u64 {
            self.0
        }
    }

    /// What the table says of itself holds, and it holds what it should.
    fn check(buckets: &Buckets<Pair>, model: &BTreeSet<Pair>) {
        let mut all: Vec<Pair> = buckets.iter().copied().collect();
        let mut numbers: Vec<u64> = all.iter().map(|(number, _)| *number).collect();
        numbers.dedup();
        let different = BTreeSet::from_iter(&numbers).len();
        assert_eq!(numbers.len(), different, "those of one number are side by side");
        all.sort_unstable();
        assert_eq!((buckets.len(), all), (model.len(), Vec::from_iter(model.iter().copied())));
        for (number, bucket) in buckets.buckets.iter().enumerate() {
            assert!(bucket.iter().is_sorted());
            assert!(bucket.iter().all(|key| index(key.0, buckets.buckets.len()) == number));
        }
    }

    struct Random(u64);
    impl Random {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 33) % limit
        }
    }

    /// One key of two of these shares its number with thousands.
    fn key(random: &mut Random) -> Pair {
        let number = match random.below(2) {
            0 => random.below(3) << 5,
            _ => random.below(1 << 30),
        };
        (number, u32::try_from(random.below(4_000)).unwrap())
    }

    #[test]
    fn keys_come_and_go_and_are_found_in_their_order() {
        let (mut buckets, mut model) = (Buckets::default(), BTreeSet::new());
        let (mut clone, mut model_then) = (buckets.clone(), model.clone());
        let mut random = Random(1);
        for (step, grows) in (0..48_000_u32).map(|step| (step, step < 24_000)) {
            let new = key(&mut random);
            let old = model.range(new..).next().copied().unwrap_or(new);
            // First more come than go, and then more go than come.
            if grows == (random.below(4) > 0) {
                buckets.insert(new);
                model.insert(new);
            } else {
                buckets.remove(&old);
                model.remove(&old);
            }
            if !step.is_multiple_of(499) {
                continue;
            }
            check(&buckets, &model);
            for from in [old, new, (new.0, 0), (new.0, u32::MAX)] {
                let of_number = |it: &&Pair| it.0 == from.0;
                let on: Vec<_> = buckets.from(from).take_while(of_number).collect();
                assert_eq!(on, Vec::from_iter(model.range(from..).take_while(of_number)));
                let back: Vec<_> = buckets.back_from(from).take_while(of_number).collect();
                let expected = model.range(..=from).rev().take_while(of_number);
                assert_eq!(back, Vec::from_iter(expected));
            }
            // What is done to one is not seen in the other, from a time of few keys to one of many and back.
            check(&clone, &model_then);
            clone.insert(new);
            model_then.insert(new);
            check(&clone, &model_then);
            if step.is_multiple_of(4_990) {
                (clone, model_then) = (buckets.clone(), model.clone());
            }
        }
        for key in model.clone() {
            buckets.remove(&key);
        }
        check(&buckets, &BTreeSet::new());
        assert!(buckets.buckets.len() <= 1, "what is empty takes no room");
    }

    #[test]
    fn made_of_a_list_it_is_as_if_all_had_come_one_by_one() {
        let mut random = Random(2);
        for len in [0, 1, LOAD, LOAD + 1, FEW_MAX * 3, 9_999] {
            let model: BTreeSet<Pair> = (0..len).map(|_| key(&mut random)).collect();
            let mut buckets = Buckets::of(model.iter().rev().copied().collect());
            check(&buckets, &model);
            // And goes on.
            buckets.insert((u64::MAX, 0));
            let with_one = model.iter().copied().chain([(u64::MAX, 0)]).collect();
            check(&buckets, &with_one);
        }
    }

    /// As those of one contact are, beside others that come and go.
    #[test]
    fn very_many_of_one_number_move_in_one_piece() {
        let heavy = (0..20_000).map(|n| (6, n));
        let (mut buckets, mut model) = (Buckets::default(), BTreeSet::new());
        for key in heavy {
            buckets.insert(key);
            model.insert(key);
        }
        check(&buckets, &model);
        let others: Vec<Pair> = (0..9_000).map(|n| (u64::from(n) * 2, n)).collect();
        for key in &others {
            buckets.insert(*key);
            model.insert(*key);
        }
        check(&buckets, &model);
        for key in &others {
            buckets.remove(key);
            model.remove(key);
        }
        for n in 0..19_990 {
            buckets.remove(&(6, n));
            model.remove(&(6, n));
        }
        check(&buckets, &model);
    }
}
