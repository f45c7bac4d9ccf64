//! The ring of a group: who sits where, and who comes after a cursor.
//!
//! Owns the order and nothing else: it knows neither availability nor who was served. A member of
//! weight w has the slots (0, key), (1, key) … up to w ÷ gcd rounds, and the slots are served in
//! ascending order, round by round. A cursor is a slot that was served once; it need not exist any
//! more, which is why removing and re-adding members never rewrites one (ROUTING 1.6, vector V4e).

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    ops::{Bound, RangeInclusive},
};

use imbl::{OrdMap, OrdSet};

use super::{
    Cursor, Time,
    filter::Class,
    record::Occupant,
    seats::{Seats, Which},
    weights::SeatsByWeight,
};

/// A member's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seat {
    /// The number it got when it was last added or ordered.
    pub(super) key: u64,
    /// 1 to 1,000.
    pub(super) weight: u32,
    /// When it was last added.
    pub(super) last_added_time: Time,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Ring {
    seats: OrdMap<Occupant, Seat>,
    by_weight: SeatsByWeight,
    /// By class, load and key; empty unless the group goes by load.
    by_load: OrdSet<(Class, Load, u64)>,
    /// Of all weights, whoever is available; 0 while there is no member.
    gcd: u32,
}

/// Open work for a weight, least first, exactly.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) open: u64,
    pub(super) weight: u32,
}

impl Ord for Load {
    fn cmp(&self, other: &Self) -> Ordering {
        let left = u128::from(self.open) * u128::from(other.weight);
        left.cmp(&(u128::from(other.open) * u128::from(self.weight)))
    }
}
impl PartialOrd for Load {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Load {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Load {}

/// A member's turn, as a walk comes to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn<'a> {
    /// Which leg of the walk, from 0: turns of an earlier leg come first.
    pub(super) leg: usize,
    pub(super) slot: Cursor,
    pub(super) occupant: &'a Occupant,
}

impl Turn<'_> {
    /// Orders the turns of one walk.
    pub(super) fn distance(&self) -> (usize, u64) {
        (self.leg, self.slot.key)
    }
}

impl Ring {
    pub(super) fn len(&self) -> usize {
        self.seats.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    pub(super) fn seat(&self, occupant: &Occupant) -> Option<Seat> {
        self.seats.get(occupant).copied()
    }

    /// Who sits at this key.
    pub(super) fn at(&self, key: u64) -> Option<&Occupant> {
        self.by_weight.at(key)
    }

    /// The key in use that comes before this one in the ring: the greatest less than it, else the
    /// greatest of all.
    pub(super) fn key_before(&self, key: u64) -> Option<u64> {
        let keys = || self.seats.values().map(|seat| seat.key);
        keys().filter(|other| *other < key).max().or_else(|| keys().max())
    }

    /// The caller has checked that neither the occupant nor the key is in the ring.
    pub(super) fn insert(&mut self, occupant: Occupant, seat: Seat, class: Class) {
        let old = self.seats.insert(occupant.clone(), seat);
        debug_assert!(old.is_none(), "a member sits in a ring once");
        self.by_weight.put(seat.weight, seat.key, occupant, class);
        self.gcd = gcd(self.gcd, seat.weight);
    }

    /// The caller has taken them out of the order by load.
    pub(super) fn remove(&mut self, occupant: &Occupant) -> Option<Seat> {
        let seat = self.seats.remove(occupant)?;
        self.by_weight.remove(seat.weight, seat.key);
        self.gcd = self.by_weight.weights().fold(0, gcd);
        Some(seat)
    }

    pub(super) fn class(&self, seat: Seat) -> Option<Class> {
        self.by_weight.class(seat.weight, seat.key)
    }

    pub(super) fn set_class(&mut self, occupant: &Occupant, seat: Seat, class: Class) {
        self.by_weight.put(seat.weight, seat.key, occupant.clone(), class);
    }

    /// Puts a seat into the order by load.
    pub(super) fn add_load(&mut self, seat: Seat, class: Class, open: u64) {
        self.by_load.insert((class, Load { open, weight: seat.weight }, seat.key));
    }

    /// Takes a seat out of the order by load.
    pub(super) fn remove_load(&mut self, seat: Seat, class: Class, open: u64) {
        self.by_load.remove(&(class, Load { open, weight: seat.weight }, seat.key));
    }

    pub(super) fn clear_loads(&mut self) {
        self.by_load = OrdSet::new();
    }

    /// Every member of some classes once, in the order in which their next slots come after the cursor.
    ///
    /// A member's next slot is in the cursor's round, if it has that round and lies beyond the
    /// cursor; else in the round after, if it has that one and lies before; else in round 0 after
    /// the wrap. So four legs visit everyone, without meeting anyone twice.
    pub(super) fn walk(&self, cursor: Cursor, which: Which) -> impl Iterator<Item = Turn<'_>> {
        let legs = legs(cursor).into_iter().enumerate();
        legs.flat_map(move |(number, leg)| self.leg(number, leg, which))
    }

    /// The first turn of a walk.
    pub(super) fn next(&self, cursor: Cursor, which: Which) -> Option<Turn<'_>> {
        legs(cursor).into_iter().enumerate().find_map(|(number, leg)| {
            let (key, occupant) = match self.by_weight.only() {
                // One weight is the gcd of all: each has one slot.
                Some(seats) if leg.rounds.contains(&1) => seats.first_in(&leg.keys, which),
                Some(_) => None,
                None => {
                    let lists = self.in_leg(&leg);
                    let firsts = lists.filter_map(|seats| seats.first_in(&leg.keys, which));
                    firsts.min_by_key(|(key, _)| *key)
                }
            }?;
            Some(Turn { leg: number, slot: Cursor { round: leg.round, key }, occupant })
        })
    }

    /// As [`Self::walk`], with one slot for each member, whatever their weight.
    pub(super) fn walk_singly(
        &self,
        cursor: Cursor,
        which: Which,
    ) -> impl Iterator<Item = Turn<'_>> {
        let [Leg { keys: beyond, .. }, Leg { keys: up_to, .. }, ..] = legs(cursor);
        let legs = [beyond, up_to].into_iter().enumerate();
        legs.flat_map(move |(number, keys)| {
            self.leg(number, Leg { round: 0, rounds: 0..=u32::MAX, keys }, which)
        })
    }

    /// How many slots a seat has.
    pub(super) fn rounds(&self, seat: Seat) -> u32 {
        seat.weight / self.gcd.max(1)
    }

    /// The turn at which a walk comes to a seat.
    pub(super) fn turn_of<'a>(
        &self,
        cursor: Cursor,
        occupant: &'a Occupant,
        seat: Seat,
    ) -> Option<Turn<'a>> {
        let rounds = self.rounds(seat);
        let has = |leg: &Leg| leg.rounds.contains(&rounds) && leg.keys.contains(&seat.key);
        let (number, leg) = legs(cursor).into_iter().enumerate().find(|(_, leg)| has(leg))?;
        let slot = Cursor { round: leg.round, key: seat.key };
        Some(Turn { leg: number, slot, occupant })
    }

    /// How many members a walk meets before it comes to a slot, which need not be its owner's next.
    pub(super) fn count_before(&self, cursor: Cursor, slot: Cursor) -> u64 {
        // Legs that end before it, and whether the next one leads to it.
        let (ended, leads) = if slot > cursor {
            match slot.round - cursor.round {
                0 => (0, true),
                1 => (1, true),
                _ => (2, false),
            }
        } else if slot.round == 0 {
            (if slot.key <= cursor.key { 2 } else { 3 }, true)
        } else {
            (4, false)
        };
        let before = slot.key.checked_sub(1).filter(|_| leads);
        let counts = legs(cursor).into_iter().enumerate().map(|(number, leg)| {
            let keys = match (number.cmp(&ended), before) {
                (Ordering::Less, _) => leg.keys.clone(),
                (Ordering::Equal, Some(last)) => *leg.keys.start()..=last.min(*leg.keys.end()),
                (Ordering::Equal, None) | (Ordering::Greater, _) => return 0,
            };
            self.in_leg(&leg).map(|seats| seats.count_in(&keys, Which::All)).sum::<u64>()
        });
        counts.sum()
    }

    pub(super) fn count(&self, which: Which) -> u64 {
        self.by_weight.count(which)
    }

    /// The members of the classes up to a limit, least load first; equal loads in the order in which
    /// the ring comes to them, one slot each.
    pub(super) fn walk_by_load(
        &self,
        cursor: Cursor,
        limit: Class,
    ) -> impl Iterator<Item = (Load, Turn<'_>)> {
        let classes = Class::ALL.into_iter().filter(move |class| *class <= limit);
        let lists = classes.map(|class| ByLoad { ring: self, class, cursor, last: None });
        let mut heads: Vec<_> = lists.map(Head::of).collect();
        std::iter::from_fn(move || {
            let order = |head: &Head<ByLoad<'_>>| {
                head.next.as_ref().map(|(load, turn)| (*load, turn.distance()))
            };
            let present = heads.iter_mut().filter(|head| head.next.is_some());
            let head = present.min_by_key(|head| order(head))?;
            std::mem::replace(&mut head.next, head.rest.next())
        })
    }

    /// In ring order.
    pub(super) fn members(&self) -> impl Iterator<Item = (&Occupant, Seat)> {
        let seat = |turn: Turn<'_>| self.seat(turn.occupant);
        let turns = self.walk(Cursor::default(), Which::All);
        turns.filter_map(move |turn| Some((turn.occupant, seat(turn)?)))
    }

    /// Those with greater keys, in ring order.
    pub(super) fn members_after(&self, key: u64) -> impl Iterator<Item = (&Occupant, Seat)> {
        // The first leg of a walk: round 0, beyond the cursor.
        let turns =
            self.walk(Cursor { round: 0, key }, Which::All).take_while(|turn| turn.leg == 0);
        turns.filter_map(|turn| Some((turn.occupant, self.seat(turn.occupant)?)))
    }

    fn leg(&self, number: usize, leg: Leg, which: Which) -> impl Iterator<Item = Turn<'_>> {
        let (round, keys) = (leg.round, leg.keys.clone());
        let mut lists = self.in_leg(&leg).map(move |seats| seats.range(keys.clone(), which));
        // One list, where all have one weight: it is in order already, and nobody looks ahead in it.
        let (alone, several) = match (lists.next(), lists.next()) {
            (one, None) => (one, None),
            (one, other) => {
                let heads = one.into_iter().chain(other).chain(lists).map(Head::of).collect();
                (None, Some(merged(heads)))
            }
        };
        let seats = alone.into_iter().flatten().chain(several.into_iter().flatten());
        seats.map(move |(key, occupant)| {
            let slot = Cursor { round, key };
            Turn { leg: number, slot, occupant }
        })
    }

    fn in_leg(&self, leg: &Leg) -> impl Iterator<Item = &Seats> {
        // All weights are multiples of the gcd.
        let weight = |rounds: &u32| rounds.saturating_mul(self.gcd);
        self.by_weight.of(weight(leg.rounds.start())..=weight(leg.rounds.end()))
    }
}

/// One class of a ring, by load and then by distance over single slots.
struct ByLoad<'a> {
    ring: &'a Ring,
    class: Class,
    cursor: Cursor,
    /// Whom it gave last: at which load, on which side of the cursor, at which key.
    last: Option<(Load, usize, u64)>,
}

impl<'a> Iterator for ByLoad<'a> {
    type Item = (Load, Turn<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (class, cursor) = (self.class, self.cursor.key);
        let set = &self.ring.by_load;
        let within = |load: Load, from: Bound<u64>, to: u64| {
            let from = from.map(|key| (class, load, key));
            set.range((from, Bound::Included((class, load, to)))).next().map(|entry| entry.2)
        };
        let beyond = |load| within(load, Bound::Excluded(cursor), u64::MAX).map(|key| (0, key));
        let before = |load| within(load, Bound::Included(0), cursor).map(|key| (1, key));
        let at = |load| beyond(load).or_else(|| before(load));
        let after = |from: Bound<(Class, Load, u64)>| {
            let next = set.range((from, Bound::Unbounded)).next()?;
            (next.0 == class).then_some(next.1)
        };
        let (load, (leg, key)) = match self.last {
            None => {
                let least = (class, Load { open: 0, weight: 1 }, 0);
                let load = after(Bound::Included(least))?;
                (load, at(load)?)
            }
            Some((load, leg, key)) => {
                let same = if leg == 0 {
                    let next = within(load, Bound::Excluded(key), u64::MAX).map(|key| (0, key));
                    next.or_else(|| before(load))
                } else {
                    within(load, Bound::Excluded(key), cursor).map(|key| (1, key))
                };
                match same {
                    Some(found) => (load, found),
                    None => {
                        let load = after(Bound::Excluded((class, load, u64::MAX)))?;
                        (load, at(load)?)
                    }
                }
            }
        };
        self.last = Some((load, leg, key));
        let occupant = self.ring.at(key)?;
        Some((load, Turn { leg, slot: Cursor { round: 0, key }, occupant }))
    }
}

fn legs(cursor: Cursor) -> [Leg; 4] {
    let Cursor { round, key } = cursor;
    let next_round = round.saturating_add(1);
    // Empty where there is no key beyond.
    let beyond = if key == u64::MAX { empty() } else { key + 1..=u64::MAX };
    let up_to = 0..=key;
    [
        Leg { round, rounds: next_round..=u32::MAX, keys: beyond.clone() },
        Leg {
            round: next_round,
            rounds: next_round.saturating_add(1)..=u32::MAX,
            keys: up_to.clone(),
        },
        Leg { round: 0, rounds: 0..=next_round, keys: up_to },
        Leg { round: 0, rounds: 0..=round, keys: beyond },
    ]
}

fn empty() -> RangeInclusive<u64> {
    RangeInclusive::new(1, 0)
}

/// A stretch of the walk within one round.
struct Leg {
    round: u32,
    /// How many rounds the members of this stretch have.
    rounds: RangeInclusive<u32>,
    keys: RangeInclusive<u64>,
}

/// An ascending list with its first item at hand.
struct Head<I: Iterator> {
    next: Option<I::Item>,
    rest: I,
}

impl<I: Iterator> Head<I> {
    fn of(mut rest: I) -> Self {
        Self { next: rest.next(), rest }
    }
}

/// Ascending lists with distinct keys, as one.
fn merged<'a, I>(mut heads: Vec<Head<I>>) -> impl Iterator<Item = (u64, &'a Occupant)>
where
    I: Iterator<Item = (u64, &'a Occupant)>,
{
    let mut order: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::with_capacity(heads.len());
    let first = |(i, head): (usize, &Head<I>)| Some(Reverse((head.next.as_ref()?.0, i)));
    order.extend(heads.iter().enumerate().filter_map(first));
    std::iter::from_fn(move || {
        let Reverse((_, i)) = order.pop()?;
        let head = heads.get_mut(i)?;
        let next = std::mem::replace(&mut head.next, head.rest.next());
        if let Some((key, _)) = head.next {
            order.push(Reverse((key, i)));
        }
        next
    })
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Class, Cursor, Occupant, Ring, Seat, Time, Turn, Which};
    use crate::routing::record::RepUid;

    fn rep(n: u64) -> Occupant {
        Occupant::Rep(RepUid(n))
    }

    fn ring(weights: &[u32]) -> Ring {
        let mut ring = Ring::default();
        for (key, weight) in (1..).zip(weights) {
            let seat = Seat { key, weight: *weight, last_added_time: Time(0) };
            ring.insert(rep(key * 10), seat, Class::ALL[usize::try_from(key % 4).unwrap()]);
        }
        ring
    }

    fn slots(ring: &Ring, but: &[Occupant]) -> BTreeMap<Cursor, Occupant> {
        let gcd = ring.seats.values().map(|s| s.weight).fold(0, super::gcd).max(1);
        let others = ring.seats.iter().filter(|(rep, _)| !but.contains(rep));
        let slots = others.flat_map(|(rep, seat)| {
            let key = seat.key;
            (0..seat.weight / gcd).map(move |round| (Cursor { round, key }, rep.clone()))
        });
        slots.collect()
    }

    fn naive_next(ring: &Ring, cursor: Cursor, but: &[Occupant]) -> Option<(Cursor, Occupant)> {
        let slots = slots(ring, but);
        let beyond = slots.range((super::Bound::Excluded(cursor), super::Bound::Unbounded));
        beyond.chain(&slots).next().map(|(slot, rep)| (*slot, rep.clone()))
    }

    #[test]
    fn a_walk_visits_each_member_once_in_the_order_of_their_next_slots() {
        let rings: [&[u32]; 9] = [
            &[],
            &[1],
            &[7],
            &[1, 1, 1, 1],
            &[3, 1],
            &[300, 100],
            &[2, 1, 1, 4, 3],
            &[4, 2, 6, 2, 4, 8],
            &[33, 64, 31, 97, 32, 64],
        ];
        for weights in rings {
            let ring = ring(weights);
            for (round, key) in (0..9).flat_map(|r| (0..8).map(move |k| (r, k))) {
                let cursor = Cursor { round, key };
                for which in [Which::All, Which::UpTo(Class::Offline), Which::Beyond(Class::Ready)]
                {
                    let turn = |turn: Turn<'_>| (turn.leg, turn.slot, turn.occupant.clone());
                    let first = ring.walk(cursor, which).next().map(turn);
                    assert_eq!(ring.next(cursor, which).map(turn), first, "{weights:?} {which:?}");
                }
                let mut seen = Vec::new();
                for turn in ring.walk(cursor, Which::All) {
                    let found = Some((turn.slot, turn.occupant.clone()));
                    assert_eq!(found, naive_next(&ring, cursor, &seen), "{weights:?}");
                    let before = ring.count_before(cursor, turn.slot);
                    assert_eq!(before, u64::try_from(seen.len()).unwrap());
                    let seat = ring.seat(turn.occupant).unwrap();
                    let again = ring.turn_of(cursor, turn.occupant, seat).unwrap();
                    assert_eq!((again.leg, again.slot), (turn.leg, turn.slot));
                    seen.push(turn.occupant.clone());
                }
                assert_eq!(seen.len(), weights.len(), "{weights:?} {cursor:?}");
                for slot in slots(&ring, &[]).into_keys() {
                    let place = |slot: Cursor| (slot <= cursor, slot);
                    let turns = ring.walk(cursor, Which::All);
                    let before = turns.filter(|turn| place(turn.slot) < place(slot)).count();
                    let counted = ring.count_before(cursor, slot);
                    assert_eq!(counted, u64::try_from(before).unwrap(), "{cursor:?} {slot:?}");
                }
                for limit in Class::ALL {
                    let some: Vec<_> = ring.walk(cursor, Which::UpTo(limit)).collect();
                    let all = ring.walk(cursor, Which::All);
                    let same: Vec<_> = all
                        .filter(|t| ring.class(ring.seat(t.occupant).unwrap()).unwrap() <= limit)
                        .collect();
                    let slots = |turns: &[super::Turn<'_>]| -> Vec<Cursor> {
                        turns.iter().map(|t| t.slot).collect()
                    };
                    assert_eq!(slots(&some), slots(&same));
                }
            }
        }
    }

    #[test]
    fn a_walk_by_load_goes_from_the_least_and_in_ring_order_among_equals() {
        let weights = [1, 2, 1, 2, 3, 1, 1, 4];
        let opens = [3, 6, 0, 2, 3, 1, 1, 4];
        let mut ring = ring(&weights);
        for (key, open) in (1..).zip(opens) {
            let seat = ring.seat(&rep(key * 10)).unwrap();
            ring.add_load(seat, ring.class(seat).unwrap(), open);
        }
        for cursor in (0..10).map(|key| Cursor { round: 5, key }) {
            for limit in Class::ALL {
                let found: Vec<u64> =
                    ring.walk_by_load(cursor, limit).map(|(_, turn)| turn.slot.key).collect();
                let mut keys: Vec<u64> = (1..=8)
                    .filter(|key| Class::ALL[usize::try_from(key % 4).unwrap()] <= limit)
                    .collect();
                keys.sort_by_key(|key| {
                    let i = usize::try_from(*key - 1).unwrap();
                    // 12 is a multiple of every weight.
                    (opens[i] * 12 / u64::from(weights[i]), *key <= cursor.key, *key)
                });
                assert_eq!(found, keys, "{cursor:?} {limit:?}");
            }
        }
    }

    #[test]
    fn a_cursor_past_every_round_starts_the_cycle_again() {
        let ring = ring(&[1, 1]);
        let far = Cursor { round: u32::MAX, key: u64::MAX };
        let first = |cursor| ring.walk(cursor, Which::All).next().map(|turn| turn.slot);
        assert_eq!(first(far), first(Cursor::default()));
    }

    #[test]
    fn removal_gives_back_what_insertion_took() {
        let mut ring = ring(&[4, 2]);
        let seat = Seat { key: 9, weight: 3, last_added_time: Time(0) };
        ring.insert(rep(99), seat, Class::Ready);
        assert_eq!(ring.gcd, 1);
        assert_eq!(ring.at(9), Some(&rep(99)));
        ring.remove(&rep(99));
        assert_eq!((ring.gcd, ring.len(), ring.at(9)), (2, 2, None));
        assert_eq!(ring.key_before(9), Some(2));
    }
}
