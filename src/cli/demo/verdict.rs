//! What the clients saw, compared with what the cluster holds and with the reference rotation.
//!
//! Pure. An answer counts as acknowledged when a client has got it; from then on it must not change.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::reference::{Event, picks};

/// A position in the log, ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) log_index: u64,
    pub(super) seq: u32,
}

/// An assignment, as a client was told of it or as the cluster shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Its resource name.
    pub(super) name: String,
    pub(super) contact: String,
    /// Which campaign, and so which ring.
    pub(super) campaign: usize,
    pub(super) rep: String,
    pub(super) place: Place,
}

/// An answer that a client got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Acknowledged {
    pub(super) seen: Seen,
    /// The service took the call for a repeat of other work, although each contact is sent once.
    pub(super) existing: bool,
    pub(super) term: u64,
}

/// When somebody went away or came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Presence {
    pub(super) place: Place,
    pub(super) rep: String,
    pub(super) away: bool,
}

/// The figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Figures {
    /// Answers that clients got.
    pub(super) acknowledged: usize,
    /// Contacts that were given twice, one way or another.
    pub(super) duplicates: usize,
    /// Acknowledged answers that the cluster does not show the same any more.
    pub(super) lost: usize,
    /// Picks that the reference rotation would have given to somebody else.
    pub(super) out_of_order: usize,
    /// Terms seen in answers, less the first.
    pub(super) leader_changes: usize,
    pub(super) groups: Vec<GroupFigures>,
}

/// How one group shared its contacts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct GroupFigures {
    pub(super) group: String,
    /// Most less fewest contacts among those who were there all the time.
    pub(super) spread: usize,
    pub(super) reps: Vec<RepFigures>,
}

/// What one rep got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct RepFigures {
    pub(super) rep: String,
    pub(super) contacts: usize,
    /// They were out of office for a part of it.
    pub(super) was_away: bool,
}

/// A group: the ring of one campaign.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    pub(super) group: String,
    pub(super) reps: Vec<String>,
}

/// Judges a run.
pub(super) fn judge(
    rings: &[Ring],
    acknowledged: &[Acknowledged],
    presences: &[Presence],
    held: &[Seen],
) -> Figures {
    let terms: BTreeSet<u64> = acknowledged.iter().map(|answer| answer.term).collect();
    Figures {
        acknowledged: acknowledged.len(),
        duplicates: duplicates(acknowledged, held),
        lost: lost(acknowledged, held),
        out_of_order: out_of_order(rings, acknowledged, presences),
        leader_changes: terms.len().saturating_sub(1),
        groups: groups(rings, acknowledged, presences),
    }
}

fn duplicates(acknowledged: &[Acknowledged], held: &[Seen]) -> usize {
    let repeats = acknowledged.iter().filter(|answer| answer.existing).count();
    let contacts: BTreeSet<_> =
        acknowledged.iter().map(|answer| (&answer.seen.contact, answer.seen.campaign)).collect();
    let places: BTreeSet<Place> = acknowledged.iter().map(|answer| answer.seen.place).collect();
    let told_twice = acknowledged.len() - contacts.len();
    // A contact told twice at one place is one duplicate, not two.
    let places_twice = (acknowledged.len() - places.len()).saturating_sub(told_twice);
    let kept: BTreeSet<_> = held.iter().map(|seen| (&seen.contact, seen.campaign)).collect();
    repeats + told_twice + places_twice + (held.len() - kept.len())
}

fn lost(acknowledged: &[Acknowledged], held: &[Seen]) -> usize {
    let held: HashMap<&str, &Seen> = held.iter().map(|seen| (seen.name.as_str(), seen)).collect();
    let same = |answer: &&Acknowledged| held.get(answer.seen.name.as_str()) == Some(&&answer.seen);
    acknowledged.iter().filter(|answer| !same(answer)).count()
}

fn out_of_order(rings: &[Ring], acknowledged: &[Acknowledged], presences: &[Presence]) -> usize {
    let mut events: Vec<(Place, Event<'_>, Option<&str>)> = Vec::new();
    for Acknowledged { seen, .. } in acknowledged {
        events.push((seen.place, Event::Pick { ring: seen.campaign }, Some(&seen.rep)));
    }
    for Presence { place, rep, away } in presences {
        let event = if *away { Event::Away(rep) } else { Event::Back(rep) };
        events.push((*place, event, None));
    }
    events.sort_by_key(|(place, ..)| *place);
    let order: Vec<Event<'_>> = events.iter().map(|(_, event, _)| *event).collect();
    let rings: Vec<Vec<String>> = rings.iter().map(|ring| ring.reps.clone()).collect();
    let due = picks(&rings, &order);
    let picked = events.iter().filter_map(|(_, _, rep)| *rep);
    due.iter().zip(picked).filter(|(due, picked)| **due != Some(*picked)).count()
}

fn groups(
    rings: &[Ring],
    acknowledged: &[Acknowledged],
    presences: &[Presence],
) -> Vec<GroupFigures> {
    let mut counts: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    for Acknowledged { seen, .. } in acknowledged {
        *counts.entry((seen.campaign, &seen.rep)).or_default() += 1;
    }
    let figures = |(campaign, ring): (usize, &Ring)| {
        let rep = |rep: &String| RepFigures {
            rep: rep.clone(),
            contacts: counts.get(&(campaign, rep.as_str())).copied().unwrap_or_default(),
            was_away: presences.iter().any(|presence| presence.rep == *rep),
        };
        let reps: Vec<RepFigures> = ring.reps.iter().map(rep).collect();
        let steady = reps.iter().filter(|rep| !rep.was_away).map(|rep| rep.contacts);
        let spread = steady.clone().max().unwrap_or(0) - steady.min().unwrap_or(0);
        GroupFigures { group: ring.group.clone(), spread, reps }
    };
    rings.iter().enumerate().map(figures).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::{Acknowledged, Place, Presence, Ring, Seen, judge};

    pub(in super::super) fn rings() -> Vec<Ring> {
        let ring = |group: &str, reps: &[&str]| Ring {
            group: group.to_owned(),
            reps: reps.iter().map(|rep| (*rep).to_owned()).collect(),
        };
        vec![ring("north", &["ana", "bo"]), ring("south", &["cem", "dora"])]
    }

    fn place(log_index: u64) -> Place {
        Place { log_index, seq: 0 }
    }

    /// A right run of six contacts, bo away for two turns of the north; told out of order, as by
    /// several clients.
    pub(in super::super) fn run() -> (Vec<Acknowledged>, Vec<Presence>, Vec<Seen>) {
        let picks = [
            (1, 0, "ana"),
            (2, 1, "cem"),
            // 3: bo goes away
            (4, 0, "ana"),
            (5, 0, "ana"),
            // 6: bo is back
            (7, 1, "dora"),
            (8, 0, "bo"),
        ];
        let mut answers: Vec<Acknowledged> = picks
            .iter()
            .map(|(log_index, campaign, rep)| Acknowledged {
                seen: Seen {
                    name: format!("teams/demo/assignments/{log_index}-0"),
                    contact: format!("c-{log_index}"),
                    campaign: *campaign,
                    rep: (*rep).to_owned(),
                    place: place(*log_index),
                },
                existing: false,
                term: if *log_index < 5 { 2 } else { 4 },
            })
            .collect();
        let held = answers.iter().map(|answer| answer.seen.clone()).collect();
        answers.swap(0, 3);
        let presence =
            |log_index, away| Presence { place: place(log_index), rep: "bo".to_owned(), away };
        (answers, vec![presence(3, true), presence(6, false)], held)
    }

    #[test]
    fn a_right_run_has_nothing_to_blame() {
        let (answers, presences, held) = run();
        let figures = judge(&rings(), &answers, &presences, &held);
        assert_eq!((figures.acknowledged, figures.leader_changes), (6, 1));
        assert_eq!((figures.duplicates, figures.lost, figures.out_of_order), (0, 0, 0));
        let spreads: Vec<usize> = figures.groups.iter().map(|group| group.spread).collect();
        assert_eq!(spreads, [0, 0], "bo was away and does not count");
        assert_eq!(figures.groups[0].reps[0].contacts, 3);
        assert!(figures.groups[0].reps[1].was_away);
    }

    #[test]
    fn an_answer_that_the_cluster_shows_otherwise_or_not_at_all_is_lost() {
        let (answers, presences, mut held) = run();
        held[1].rep = "dora".to_owned();
        held.pop();
        assert_eq!(judge(&rings(), &answers, &presences, &held).lost, 2);
    }

    #[test]
    fn a_contact_given_twice_is_a_duplicate_wherever_it_shows() {
        let (mut answers, presences, mut held) = run();
        held.push(Seen { name: "teams/demo/assignments/9-0".to_owned(), ..held[0].clone() });
        assert_eq!(judge(&rings(), &answers, &presences, &held).duplicates, 1, "held twice");
        held.pop();
        answers[1].existing = true;
        assert_eq!(
            judge(&rings(), &answers, &presences, &held).duplicates,
            1,
            "taken for a repeat"
        );
        answers[1].existing = false;
        answers[1].seen.place = answers[0].seen.place;
        assert_eq!(judge(&rings(), &answers, &presences, &held).duplicates, 1, "one place for two");
    }

    #[test]
    fn an_absence_at_another_position_puts_picks_out_of_order() {
        let (answers, mut presences, held) = run();
        presences[1].place = place(9);
        assert!(judge(&rings(), &answers, &presences, &held).out_of_order > 0);
    }
}
