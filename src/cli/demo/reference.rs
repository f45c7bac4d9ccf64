//! Whose turn it was, worked out once more in the plainest way, to compare with.
//!
//! Written apart from `src/routing` on purpose and sharing nothing with it: a ring is a list of names,
//! the last one served is a place in it, and whoever is away is stepped over. It knows no groups that
//! change and no owners; the demo has neither.

use std::collections::BTreeSet;

/// Something that happened, as the clients were told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event<'a> {
    /// Somebody of this ring was picked.
    Pick {
        /// Which ring, by its place in the list of rings.
        ring: usize,
    },
    /// This rep went away.
    Away(&'a str),
    /// And came back.
    Back(&'a str),
}

/// Who had to be picked, pick by pick; `None` where everybody of the ring was away.
///
/// `events` come in the order of their positions in the log.
pub(super) fn picks<'a>(rings: &'a [Vec<String>], events: &[Event<'_>]) -> Vec<Option<&'a str>> {
    let mut last_served: Vec<Option<usize>> = vec![None; rings.len()];
    let mut away = BTreeSet::new();
    let mut picks = Vec::new();
    for event in events {
        match event {
            Event::Away(rep) => {
                away.insert(*rep);
            }
            Event::Back(rep) => {
                away.remove(rep);
            }
            Event::Pick { ring } => {
                let (Some(reps), Some(last)) = (rings.get(*ring), last_served.get_mut(*ring))
                else {
                    picks.push(None);
                    continue;
                };
                let after_last = last.map_or(0, |last| last + 1);
                let around = (0..reps.len()).map(|step| (after_last + step) % reps.len());
                let mut present = around.filter_map(|place| {
                    let rep = reps.get(place).map(String::as_str);
                    rep.filter(|rep| !away.contains(rep)).map(|rep| (place, rep))
                });
                let pick = present.next();
                if let Some((place, _)) = pick {
                    *last = Some(place);
                }
                picks.push(pick.map(|(_, rep)| rep));
            }
        }
    }
    picks
}

#[cfg(test)]
mod tests {
    use super::{Event, picks};

    /// One ring of the letters; `-A` sends A away, `+A` brings A back, a dot is a pick.
    fn check(ring: &str, events: &str, expected: &str) {
        let rings = vec![ring.chars().map(String::from).collect::<Vec<_>>()];
        let events: Vec<Event<'_>> = events
            .split_whitespace()
            .map(|event| match event.split_at(1) {
                ("-", rep) => Event::Away(rep),
                ("+", rep) => Event::Back(rep),
                _ => Event::Pick { ring: 0 },
            })
            .collect();
        let picked: String =
            picks(&rings, &events).iter().map(|pick| pick.unwrap_or("?")).collect();
        assert_eq!(picked, expected, "{events:?}");
    }

    #[test]
    fn s0_3_the_ring_goes_round() {
        check("ABC", ". . . . . . .", "ABCABCA");
        check("A", ". . .", "AAA");
    }

    #[test]
    fn s0_20_who_comes_back_waits_for_their_turn() {
        check("ABCD", ". -B . . . . +B . . . . .", "ACDACDABCD");
        check("ABC", ". -B . . . . . . . . . +B . . . . .", "ACACACACACABCAB");
    }

    #[test]
    fn a_ring_of_which_all_are_away_picks_nobody_and_keeps_its_place() {
        check("AB", ". -A -B . . +A +B .", "A??B");
    }

    #[test]
    fn rings_do_not_disturb_each_other() {
        let rings = vec![vec!["A".to_owned(), "B".to_owned()], vec!["X".to_owned()]];
        let events = [0, 1, 1, 0, 0].map(|ring| Event::Pick { ring });
        let picked: Vec<_> = picks(&rings, &events).into_iter().flatten().collect();
        assert_eq!(picked, ["A", "X", "X", "B", "A"]);
    }
}
