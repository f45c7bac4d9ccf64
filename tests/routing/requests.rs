//! Repeats: the same request gets the answer it got, and the same work is not done twice.

use turnwise::routing::{
    AssignmentState, LogPosition, Operation, Outcome, Rejection, State, limits,
};

use super::world::{
    Assigned, World, assign, assigned, key, launch, name, new_rep, new_team, out, out_between, rep,
    team, to_group, to_owner, to_rep, via,
};

#[test]
fn i2_a_retry_gets_the_first_answer_and_uses_no_turn() {
    let mut world = World::with_ring("A B C");
    let first = world.send(key("r1", 1), assign("x", &via("c"), &[])).unwrap();
    let before = world.state.clone();
    let again = world.send(key("r1", 1), assign("x", &via("c"), &[])).unwrap();
    assert_eq!(again, first);
    assert!(world.state == before);
    assert_eq!(world.next("c"), "B");
}

#[test]
fn i2_the_same_id_with_another_body_is_refused_and_the_answer_stays() {
    let mut world = World::with_ring("A B C");
    let first = world.send(key("r1", 1), assign("x", &via("c"), &[])).unwrap();
    let other = world.send(key("r1", 2), assign("y", &via("c"), &[])).unwrap_err();
    assert_eq!(other, Rejection::RequestIdReused);
    assert_eq!(world.send(key("r1", 1), assign("x", &via("c"), &[])), Ok(first));
}

#[test]
fn i2_a_rejection_is_remembered_even_when_its_cause_is_gone() {
    let mut world = World::with_reps("A B");
    world.draft("c", None);
    let call = || assign("x", &via("c"), &[]);
    assert_eq!(name(&world.send(key("r1", 1), call()).unwrap_err()), "CampaignNotRunning");
    world.ok(launch("c"));
    assert_eq!(name(&world.send(key("r1", 1), call()).unwrap_err()), "CampaignNotRunning");
    assert!(world.send(key("r2", 1), call()).is_ok());
}

#[test]
fn i2_other_operations_are_remembered_too() {
    let mut world = World::with_reps("A");
    let first = world.send(key("r1", 1), new_rep("B")).unwrap();
    world.out("B");
    assert_eq!(world.send(key("r1", 1), new_rep("B")), Ok(first));
    assert_eq!(name(&world.create_rep("B").unwrap_err()), "AlreadyExists");
}

#[test]
fn i2_creating_a_team_is_remembered_in_that_team() {
    let mut world = World::with_reps("");
    let create = new_team;
    assert_eq!(name(&world.send(key("late", 1), create()).unwrap_err()), "AlreadyExists");
    world.state = State::new();
    let first = world.send(key("r1", 1), create()).unwrap();
    assert_eq!(world.send(key("r1", 1), create()), Ok(first));
    assert_eq!(world.send(key("r1", 2), new_rep("A")), Err(Rejection::RequestIdReused));
}

#[test]
fn i2_a_team_that_does_not_exist_remembers_nothing() {
    let mut world = World::with_reps("");
    world.state = State::new();
    assert_eq!(name(&world.send(key("r1", 1), new_rep("A")).unwrap_err()), "NotFound");
    assert!(world.send(key("r1", 2), new_team()).is_ok());
}

#[test]
fn same_work_is_returned_as_it_is_with_a_position_of_its_own() {
    let mut world = World::with_ring("A B C");
    let first = world.send(key("r1", 1), assign("x", &via("c"), &[])).unwrap();
    let again = world.send(key("r2", 2), assign("x", &via("c"), &[])).unwrap();
    assert!(first.position < again.position);
    let (first, again) = (assigned(first.outcome), assigned(again.outcome));
    assert_eq!((first.existing, again.existing), (false, true));
    assert_eq!(again.assignment, first.assignment);
    assert_eq!(world.next("c"), "B");
    let mut other = World::with_ring("A B C");
    other.run_campaign("d", vec![to_group("g")]);
    let in_c = other.assign("x", &via("c"), &[]).assignment;
    let in_d = other.assign("x", &via("d"), &[]);
    assert!(!in_d.existing && in_d.assignment.id != in_c.id, "another campaign is other work");
}

/// A campaign whose only rep is away from 5,000 to 6,000.
fn with_a_gap() -> World {
    let mut world = World::with_reps("A B");
    world.ok(out_between("A", 5_000, 6_000));
    world.run_campaign("c", vec![to_owner(), to_rep("A")]);
    world.now = 5_000;
    world
}

#[test]
fn an_unassigned_contact_is_walked_again_on_the_same_assignment() {
    let mut world = with_a_gap();
    let first = world.assign("x", &via("c"), &[]);
    assert_eq!(first.assignment.state, AssignmentState::Unassigned);
    let still = world.assign("x", &via("c"), &[]);
    assert!(still.existing);
    assert_eq!(still.assignment.rep, None);
    world.now = 6_000;
    let Assigned { assignment, existing } = world.assign("x", &via("c"), &[]);
    assert_eq!((assignment.id, existing), (first.assignment.id, true));
    assert_eq!(assignment.rep, Some(rep("A")));
    assert_eq!(assignment.position.log_index, world.index, "where the rep was decided");
    assert_eq!(assignment.create_time, first.assignment.create_time);
    assert_eq!(world.rep("A").open_count, 1);
    assert_eq!(world.state.assignments(&team(), &Default::default(), None, 9).unwrap().len(), 1);
}

#[test]
fn i2_a_retry_of_the_request_that_made_it_gets_the_answer_before_it_was_walked_again() {
    let mut world = with_a_gap();
    let call = || assign("x", &via("c"), &[]);
    let first = world.send(key("r1", 1), call()).unwrap();
    world.now = 6_000;
    let second = world.send(key("r2", 1), call()).unwrap();
    assert_ne!(second, first);
    world.now += 48 * 3_600 * 1_000_000;
    assert_eq!(
        world.send(key("r1", 1), call()),
        Ok(first),
        "for as long as the assignment is kept"
    );
    let third = world.send(key("r2", 1), call()).unwrap();
    assert!(second.position < third.position, "the other answer has expired");
    assert_eq!(assigned(third.outcome).assignment, assigned(second.outcome).assignment);
}

#[test]
fn i2_an_answer_is_remembered_for_exactly_24_hours_of_log_time() {
    for (later, remembered) in
        [(limits::ANSWER_RETENTION_US - 1, true), (limits::ANSWER_RETENTION_US, false)]
    {
        let mut world = World::with_reps("A B");
        let first = world.send(key("r1", 1), out("A")).unwrap();
        world.back("A");
        world.now += later;
        let again = world.send(key("r1", 1), out("A")).unwrap();
        assert_eq!(again == first, remembered, "{later}");
        let other_body = world.send(key("r1", 2), out("B"));
        assert_eq!(other_body, Err(Rejection::RequestIdReused));
    }
}

#[test]
fn i2_expired_answers_are_dropped_as_new_commands_come() {
    let mut world = World::with_reps("A B");
    let empty = size(&world);
    for i in 0..100 {
        world.send(key(&format!("r{i}"), 1), out("A")).unwrap();
    }
    let full = size(&world);
    world.now += limits::ANSWER_RETENTION_US;
    for _ in 0..25 {
        world.out("A");
    }
    assert!(empty < full);
    assert_eq!(size(&world), empty, "four a command, until none is left");
}

/// Whatever becomes of it, and also where others that have expired would be dropped first.
#[test]
fn i2_an_id_that_is_used_again_after_its_answer_expired_has_one_answer() {
    type Again = (&'static str, fn() -> Operation, bool);
    let again: [Again; 4] = [
        ("an assignment is made", || assign("new", &via("c"), &[]), true),
        ("one is found", || assign("old", &via("c"), &[]), true),
        ("a rep goes out", || out("A"), true),
        ("it is refused", || out("nobody"), false),
    ];
    for first in [|| assign("old", &via("c"), &[]), || out("A")] {
        for (what, operation, is_done) in again {
            let mut world = World::with_ring("A B");
            world.send(key("first", 1), assign("old", &via("c"), &[])).unwrap();
            for n in 0..20 {
                world.send(key(&format!("r{n}"), 1), first()).unwrap();
            }
            world.now += limits::ANSWER_RETENTION_US;
            let answer = world.send(key("r19", 2), operation());
            assert_eq!(answer.is_ok(), is_done, "{what}: {answer:?}");
            assert_eq!(world.send(key("r19", 2), operation()), answer, "{what}");
            assert_eq!(
                world.send(key("r19", 1), first()),
                Err(Rejection::RequestIdReused),
                "{what}: what was asked first counts no more"
            );
            // An image with two answers to one id could not be loaded.
            let loaded = State::from_image(world.state.image()).unwrap();
            assert_eq!(loaded, world.state, "{what}");
            assert_eq!(loaded.hash(), world.state.recomputed_hash(), "{what}");
        }
    }
}

/// Answers about assignments are kept apart from all others, which nobody can tell.
#[test]
fn i2_answers_of_all_kinds_are_dropped_in_the_order_in_which_they_were_given() {
    let mut world = World::with_ring("A B");
    let hour = 3_600_000_000;
    for n in 0..300 {
        // Assignments that are found by others, and absences.
        let operation =
            if n % 4 == 3 { out("A") } else { assign(&format!("{}", n / 8), &via("c"), &[]) };
        world.send(key(&format!("r{n}"), 1), operation).unwrap();
        world.now += hour / 20;
    }
    let loaded = |world: &World| State::from_image(world.state.image()).unwrap();
    let given = positions(&world.state);
    let about = given.iter().filter(|(_, is_about)| *is_about).count();
    assert!(about > 70 && given.len() - about > 70, "{about} of {}", given.len());
    let mut other = world.over(loaded(&world));
    let mut left = given.len();
    world.now += 12 * hour;
    while left > 0 {
        world.now += hour / 10;
        world.out("A");
        other.now = world.now;
        other.out("A");
        assert!(other.state == world.state && loaded(&world) == world.state);
        let remaining = positions(&world.state);
        assert!(given.ends_with(&remaining), "the newest stay");
        assert!(left - remaining.len() <= 4);
        left = remaining.len();
    }
}

/// Of all answers that are remembered, in order: the places, and whether they are about an assignment.
fn positions(state: &State) -> Vec<(u64, bool)> {
    let image = serde_json::to_value(state.image()).unwrap();
    let of = |list: &str| {
        let all = image["teams"][0][list].as_array().unwrap().clone();
        all.into_iter().map(|record| record["position"]["log_index"].as_u64().unwrap())
    };
    let about = of("assignment_answers").map(|place| (place, true));
    let mut all: Vec<_> = about.chain(of("answers").map(|place| (place, false))).collect();
    all.sort_unstable();
    all
}

/// The length of the image as text: what is remembered takes room in it.
fn size(world: &World) -> usize {
    let text = serde_json::to_string(&world.state.image()).unwrap();
    text.matches("\"request\"").count()
}

#[test]
fn log_time_never_goes_back() {
    let mut world = World::with_reps("A B");
    world.now = 5_000;
    world.out("A");
    world.now = 2_000;
    world.back("A");
    assert_eq!(world.state.time().0, 5_000);
    assert!(world.rep("A").out_of_office.intervals().is_empty());
}

#[test]
fn the_position_of_an_answer_is_that_of_its_command() {
    let mut world = World::with_reps("A");
    let reply = world.send(None, new_rep("B")).unwrap();
    assert_eq!(reply.position, LogPosition { log_index: world.index, seq: 0, term: 1 });
    assert!(matches!(reply.outcome, Outcome::Rep(_)));
}
