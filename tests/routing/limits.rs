//! The bounds of the state, at n and at n + 1. Those of a single call (targets, weights) are the API's;
//! the 16 names in a decision are with S0-19.

use std::collections::BTreeMap;

use turnwise::routing::{
    Command, LogPosition, Operation, Rejection, Stamp, State, Time,
    limits::{ANSWERS_PER_TEAM_MAX, OUT_OF_OFFICE_INTERVALS_MAX, REPS_PER_TEAM_MAX},
};

use super::world::{World, key, out_between, rep, team};

fn limit(n: usize) -> u64 {
    u64::try_from(n).unwrap()
}

#[test]
fn a_rep_has_a_hundred_absences_and_no_more() {
    let mut world = World::with_reps("A");
    for i in 1..=limit(OUT_OF_OFFICE_INTERVALS_MAX) {
        world.ok(out_between("A", 10_000 * i, 10_000 * i + 100));
    }
    let too_many = Rejection::TooManyIntervals { limit: limit(OUT_OF_OFFICE_INTERVALS_MAX) };
    assert_eq!(world.refused(out_between("A", 5, 2_000)), too_many);
    let (start, end) = (Some(Time(10_010)), Some(Time(10_020)));
    let split = Operation::ClearOutOfOffice { rep: rep("A"), start, end };
    assert_eq!(world.refused(split), too_many);
    world.ok(out_between("A", 9_000, 10_000)); // One that only grows is no new one.
    world.now = 10_100;
    world.ok(out_between("A", 15_000, 15_001)); // What has ended no longer counts.
    assert_eq!(world.rep("A").out_of_office.intervals().len(), OUT_OF_OFFICE_INTERVALS_MAX);
}

/// Applies without the checks that `World` makes after every step.
fn apply(
    state: &mut State,
    index: u64,
    id: Option<&str>,
    operation: Operation,
) -> Result<(), Rejection> {
    let (request, principal) = (id.and_then(|id| key(id, 1)), String::new());
    let command = Command { request, principal, team: team(), operation };
    let position = LogPosition { log_index: index, seq: 0, term: 1 };
    state.apply(&command, Stamp { time: Time(index), position }).map(drop)
}

fn nameless(i: u64) -> Operation {
    Operation::CreateRep {
        rep: rep(&format!("r{i}")),
        display_name: String::new(),
        email: None,
        external_ids: BTreeMap::new(),
        disabled: false,
    }
}

#[test]
fn a_team_has_a_hundred_thousand_reps_and_no_more() {
    let mut state = State::new();
    apply(&mut state, 0, None, Operation::CreateTeam { display_name: String::new() }).unwrap();
    let most = limit(REPS_PER_TEAM_MAX);
    for i in 1..=most {
        apply(&mut state, i, None, nameless(i)).unwrap();
    }
    let refused = apply(&mut state, most + 1, None, nameless(most + 1)).unwrap_err();
    assert!(matches!(refused, Rejection::TooMany { limit, .. } if limit == most), "{refused}");
    apply(&mut state, most + 2, None, Operation::DeleteRep { rep: rep("r7") }).unwrap();
    apply(&mut state, most + 3, None, nameless(most + 3)).unwrap();
    assert_eq!(state.hash(), state.recomputed_hash());
}

#[test]
fn a_team_remembers_a_million_answers_and_drops_the_oldest() {
    let mut state = State::new();
    apply(&mut state, 0, None, Operation::CreateTeam { display_name: String::new() }).unwrap();
    let pause = || Operation::PauseCampaign { campaign: super::world::campaign("none") };
    let most = limit(ANSWERS_PER_TEAM_MAX);
    for i in 1..=most {
        apply(&mut state, i, Some(&format!("r{i}")), pause()).unwrap_err();
    }
    let remembers = |state: &State, id: &str| {
        let (request, principal) = (key(id, 2), String::new());
        let command = Command { request, principal, team: team(), operation: nameless(1) };
        let position = LogPosition { log_index: most + 2, seq: 0, term: 1 };
        let answer = state.clone().apply(&command, Stamp { time: Time(0), position });
        answer == Err(Rejection::RequestIdReused)
    };
    assert!(remembers(&state, "r1"), "the first of a million is remembered");
    apply(&mut state, most + 1, Some("one more"), pause()).unwrap_err();
    assert!(!remembers(&state, "r1"), "and dropped for one more");
    assert!(remembers(&state, "r2"));
    assert_eq!(state.hash(), state.recomputed_hash());
}
