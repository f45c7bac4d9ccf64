//! When a walk round the ring comes to a member for the n-th time, by arithmetic.
//!
//! Who owes turns is passed over that often, up to a hundred times: nobody walks those laps.

use super::{Cursor, ring::Seat};

/// A slot on a walk of any length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Visit {
    /// How often the walk went past the end of the ring.
    lap: u64,
    pub(super) slot: Cursor,
}

impl Visit {
    /// The first visit to a slot, by a walk from a cursor.
    pub(super) fn first(cursor: Cursor, slot: Cursor) -> Self {
        Self { lap: u64::from(slot <= cursor), slot }
    }

    /// Whether a walk from the cursor comes to it past the cursor, and so past everybody.
    pub(super) fn is_round(&self, cursor: Cursor) -> bool {
        *self > Self { lap: 1, slot: cursor }
    }
}

/// The slots of one member, as a walk from a cursor comes to them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visits {
    /// Whose they are.
    pub(super) key: u64,
    /// Slots of a lap, at least 1.
    rounds: u32,
    /// Those in the lap in which the walk begins: the last ones.
    left: u32,
}

impl Visits {
    pub(super) fn new(cursor: Cursor, seat: Seat, rounds: u32) -> Self {
        let rounds = rounds.max(1);
        let past = cursor.round.saturating_add(u32::from(seat.key <= cursor.key));
        Self { key: seat.key, rounds, left: rounds.saturating_sub(past) }
    }

    /// The one after `n` others.
    pub(super) fn nth(&self, n: u32) -> Visit {
        let Self { key, rounds, left } = *self;
        let (lap, round) = match n.checked_sub(left) {
            None => (0, rounds - left + n),
            Some(later) => (1 + u64::from(later / rounds), later % rounds),
        };
        Visit { lap, slot: Cursor { round, key } }
    }

    /// How many come before a visit.
    pub(super) fn before(&self, visit: Visit) -> u64 {
        let Visit { lap, slot } = visit;
        // Of the lap's slots, whether the walk takes them or began after them.
        let of_lap = slot.round.saturating_add(u32::from(self.key < slot.key)).min(self.rounds);
        match lap.checked_sub(1) {
            None => u64::from(of_lap.saturating_sub(self.rounds - self.left)),
            Some(whole) => {
                let laps = whole.saturating_mul(u64::from(self.rounds));
                u64::from(self.left).saturating_add(laps).saturating_add(u64::from(of_lap))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cursor, Seat, Visit, Visits};
    use crate::routing::Time;

    /// A walk, slot by slot.
    fn walked(members: &[(u64, u32)], cursor: Cursor, steps: usize) -> Vec<Visit> {
        let slots = members
            .iter()
            .flat_map(|(key, rounds)| (0..*rounds).map(move |round| Cursor { round, key: *key }));
        let mut slots: Vec<Cursor> = slots.collect();
        slots.sort();
        let laps = (0..).flat_map(|lap| slots.iter().map(move |slot| Visit { lap, slot: *slot }));
        laps.skip_while(|visit| visit.lap == 0 && visit.slot <= cursor).take(steps).collect()
    }

    #[test]
    fn visits_are_those_of_a_walk_slot_by_slot() {
        let members = [(2, 3), (3, 1), (5, 4), (8, 2)];
        for (round, key) in (0..6).flat_map(|round| (0..10).map(move |key| (round, key))) {
            let cursor = Cursor { round, key };
            let walk = walked(&members, cursor, 60);
            for (key, rounds) in members {
                let seat = Seat { key, weight: rounds * 5, last_added_time: Time(0) };
                let visits = Visits::new(cursor, seat, rounds);
                let own: Vec<Visit> = walk.iter().filter(|v| v.slot.key == key).copied().collect();
                let computed: Vec<Visit> = (0..).map(|n| visits.nth(n)).take(own.len()).collect();
                assert_eq!(computed, own, "{cursor:?} {key}");
                assert_eq!(Visit::first(cursor, own[0].slot), own[0]);
                for (i, visit) in walk.iter().enumerate() {
                    let before = walk[..i].iter().filter(|v| v.slot.key == key).count();
                    assert_eq!(visits.before(*visit), u64::try_from(before).unwrap());
                    let everybody = walk[..=i].iter().any(|v| v.lap == 1 && v.slot > cursor);
                    assert_eq!(visit.is_round(cursor), everybody || visit.lap > 1);
                }
            }
        }
    }
}
