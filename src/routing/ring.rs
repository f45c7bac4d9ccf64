//! The ring of a group: who sits where, and who comes after a cursor.
//!
//! Owns the order and nothing else: it knows neither availability nor who was served. A member of
//! weight w has the slots (0, key), (1, key) … up to w ÷ gcd rounds, and the slots are served in
//! ascending order, round by round. A cursor is a slot that was served once; it need not exist any
//! more, which is why removing and re-adding members never rewrites one (ROUTING 1.6, vector V4e).

use std::{
    collections::BTreeMap,
    ops::{Bound, RangeInclusive},
};

use imbl::OrdMap;

use super::{Cursor, Time, record::RepUid};

/// A member's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seat {
    /// The number it got when it was last added.
    pub(super) key: u64,
    /// 1 to 1,000.
    pub(super) weight: u32,
    /// When that was.
    pub(super) last_added_time: Time,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ring {
    seats: OrdMap<RepUid, Seat>,
    /// By weight, then key. There are few weights, so that a walk merges few lists.
    by_weight: BTreeMap<u32, OrdMap<u64, RepUid>>,
    /// Of all weights, whoever is available; 0 while there is no member.
    gcd: u32,
}

impl Ring {
    pub(super) fn len(&self) -> usize {
        self.seats.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    pub(super) fn seat(&self, rep: RepUid) -> Option<Seat> {
        self.seats.get(&rep).copied()
    }

    /// Who sits at this key.
    pub(super) fn at(&self, key: u64) -> Option<RepUid> {
        self.by_weight.values().find_map(|class| class.get(&key)).copied()
    }

    /// The caller has checked that neither the rep nor the key is in the ring.
    pub(super) fn insert(&mut self, rep: RepUid, seat: Seat) {
        let old = self.seats.insert(rep, seat);
        debug_assert!(old.is_none(), "a rep sits in a ring once");
        self.by_weight.entry(seat.weight).or_default().insert(seat.key, rep);
        self.gcd = gcd(self.gcd, seat.weight);
    }

    pub(super) fn remove(&mut self, rep: RepUid) -> Option<Seat> {
        let seat = self.seats.remove(&rep)?;
        if let Some(class) = self.by_weight.get_mut(&seat.weight) {
            class.remove(&seat.key);
            if class.is_empty() {
                self.by_weight.remove(&seat.weight);
            }
        }
        self.gcd = self.by_weight.keys().fold(0, |a, b| gcd(a, *b));
        Some(seat)
    }

    /// Every member once, in the order in which their next slots come after the cursor.
    ///
    /// A member's next slot is in the cursor's round, if it has that round and lies beyond the
    /// cursor; else in the round after, if it has that one and lies before; else in round 0 after
    /// the wrap. So four legs visit everyone, without meeting anyone twice.
    pub(super) fn walk(&self, cursor: Cursor) -> impl Iterator<Item = (Cursor, RepUid)> + '_ {
        let Cursor { round, key } = cursor;
        let next_round = round.saturating_add(1);
        let beyond = (Bound::Excluded(key), Bound::Unbounded);
        let up_to = (Bound::Unbounded, Bound::Included(key));
        let legs = [
            Leg { round, rounds: next_round..=u32::MAX, keys: beyond },
            Leg { round: next_round, rounds: next_round.saturating_add(1)..=u32::MAX, keys: up_to },
            Leg { round: 0, rounds: 0..=next_round, keys: up_to },
            Leg { round: 0, rounds: 0..=round, keys: beyond },
        ];
        legs.into_iter().flat_map(|leg| self.leg(leg))
    }

    /// In ring order.
    pub(super) fn members(&self) -> impl Iterator<Item = (RepUid, Seat)> + '_ {
        let seat = |(_, rep)| self.seat(rep).map(|seat| (rep, seat));
        self.walk(Cursor::default()).filter_map(seat)
    }

    fn leg(&self, leg: Leg) -> impl Iterator<Item = (Cursor, RepUid)> + '_ {
        let Leg { round, rounds, keys } = leg;
        let divisor = self.gcd.max(1);
        let classes = self.by_weight.iter();
        let classes = classes.filter(move |(weight, _)| rounds.contains(&(**weight / divisor)));
        let heads = classes.map(|(_, class)| Head::of(class.range(keys))).collect();
        Merge { heads }.map(move |(key, rep)| (Cursor { round, key: *key }, *rep))
    }
}

/// A stretch of the walk within one round.
struct Leg {
    round: u32,
    /// How many rounds the members of this stretch have.
    rounds: RangeInclusive<u32>,
    keys: (Bound<u64>, Bound<u64>),
}

/// Ascending lists with distinct keys, as one.
struct Merge<I: Iterator> {
    heads: Vec<Head<I>>,
}

struct Head<I: Iterator> {
    next: Option<I::Item>,
    rest: I,
}

impl<I: Iterator> Head<I> {
    fn of(mut rest: I) -> Self {
        Self { next: rest.next(), rest }
    }
}

impl<'a, I: Iterator<Item = (&'a u64, &'a RepUid)>> Iterator for Merge<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<Self::Item> {
        let heads = self.heads.iter_mut();
        let head = heads.min_by_key(|head| head.next.map_or(u64::MAX, |(key, _)| *key))?;
        std::mem::replace(&mut head.next, head.rest.next())
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::{Cursor, Ring, Seat, Time};
    use crate::routing::record::RepUid;

    fn ring(weights: &[u32]) -> Ring {
        let mut ring = Ring::default();
        for (key, weight) in (1..).zip(weights) {
            let seat = Seat { key, weight: *weight, last_added_time: Time(0) };
            ring.insert(RepUid(key * 10), seat);
        }
        ring
    }

    fn naive_next(ring: &Ring, cursor: Cursor, but: &[RepUid]) -> Option<(Cursor, RepUid)> {
        let gcd = ring.seats.values().map(|s| s.weight).fold(0, super::gcd).max(1);
        let slots =
            ring.seats.iter().filter(|(rep, _)| !but.contains(rep)).flat_map(|(rep, seat)| {
                let key = seat.key;
                (0..seat.weight / gcd).map(move |round| (Cursor { round, key }, *rep))
            });
        let slots: std::collections::BTreeMap<_, _> = slots.collect();
        let beyond = slots.range((super::Bound::Excluded(cursor), super::Bound::Unbounded));
        beyond.chain(&slots).next().map(|(slot, rep)| (*slot, *rep))
    }

    #[test]
    fn a_walk_visits_each_member_once_in_the_order_of_their_next_slots() {
        let rings: [&[u32]; 8] = [
            &[],
            &[1],
            &[7],
            &[1, 1, 1, 1],
            &[3, 1],
            &[300, 100],
            &[2, 1, 1, 4, 3],
            &[4, 2, 6, 2, 4, 8],
        ];
        for weights in rings {
            let ring = ring(weights);
            for (round, key) in (0..9).flat_map(|r| (0..8).map(move |k| (r, k))) {
                let cursor = Cursor { round, key };
                let mut seen = Vec::new();
                for (slot, rep) in ring.walk(cursor) {
                    assert_eq!(Some((slot, rep)), naive_next(&ring, cursor, &seen), "{weights:?}");
                    seen.push(rep);
                }
                assert_eq!(seen.len(), weights.len(), "{weights:?} {cursor:?}");
            }
        }
    }

    #[test]
    fn a_cursor_past_every_round_starts_the_cycle_again() {
        let ring = ring(&[1, 1]);
        let far = Cursor { round: u32::MAX, key: u64::MAX };
        assert_eq!(ring.walk(far).next(), ring.walk(Cursor::default()).next());
    }

    #[test]
    fn removal_gives_back_what_insertion_took() {
        let mut ring = ring(&[4, 2]);
        let before = ring.clone();
        ring.insert(RepUid(99), Seat { key: 9, weight: 3, last_added_time: Time(0) });
        assert_eq!(ring.gcd, 1);
        assert_eq!(ring.at(9), Some(RepUid(99)));
        ring.remove(RepUid(99));
        assert_eq!(ring, before);
        assert_eq!(ring.gcd, 2);
    }
}
