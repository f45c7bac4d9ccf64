//! Offers that moved on: whose answer counts.

use turnwise::routing::{Operation, Rejection, RepId};

use crate::world::{HOUR, SECOND, World, delete_rep, group, offering, rep, to_group, via};

fn accept_by(world: &World, contact: &str, who: &str) -> Operation {
    Operation::AcceptAssignment { assignment: world.work(contact).id, rep: Some(rep(who)) }
}

fn reject_by(world: &World, contact: &str, who: &str) -> Operation {
    Operation::RejectAssignment { assignment: world.work(contact).id, rep: Some(rep(who)) }
}

/// A contact of campaign `c`, offered to A for a minute.
fn offered() -> World {
    let mut world = World::with_reps("A B C");
    world.create_group("g", "A B").unwrap();
    world.run_campaign("c", vec![offering(60 * SECOND, to_group("g"))]);
    world.assign("x", &via("c"), &[]);
    assert_eq!(world.at("x"), "OFFERED A");
    world
}

fn not_offered(world: &World, to: &RepId) -> Rejection {
    Rejection::NotOffered { assignment: world.work("x").id, rep: to.clone() }
}

#[test]
fn an_offer_that_moved_on_is_not_accepted_by_who_had_it() {
    let mut world = offered();
    world.now += 60 * SECOND;
    world.ok(Operation::Tick);
    assert_eq!(world.at("x"), "OFFERED B");

    for late in [accept_by(&world, "x", "A"), reject_by(&world, "x", "A")] {
        let rejection = world.refused(late);
        assert_eq!(rejection, not_offered(&world, &rep("A")));
    }
    assert_eq!(world.at("x"), "OFFERED B");
    world.ok(accept_by(&world, "x", "B"));
    assert_eq!(world.at("x"), "ASSIGNED B");
}

/// The command that comes too late is the very one that lets the offer lapse.
#[test]
fn a_late_answer_is_refused_whoever_notices_first_that_the_offer_lapsed() {
    for answer in [accept_by, reject_by] {
        let mut world = offered();
        world.now += HOUR;
        let rejection = world.do_(answer(&world, "x", "A")).unwrap_err();
        assert_eq!(rejection, not_offered(&world, &rep("A")));
    }
}

#[test]
fn an_answer_to_an_offer_names_what_is_wrong_with_it() {
    let mut world = offered();
    let unknown = Operation::AcceptAssignment {
        assignment: turnwise::routing::AssignmentId { log_index: 99, seq: 0, item: 0 },
        rep: Some(rep("nobody")),
    };
    let rejection = world.refused(unknown);
    assert!(rejection.to_string().contains("assignment `99-0`"), "{rejection}");
    let rejection = world.refused(accept_by(&world, "x", "nobody"));
    assert!(rejection.to_string().contains("rep `nobody`"), "{rejection}");
    let rejection = world.refused(accept_by(&world, "x", "C"));
    assert_eq!(rejection, not_offered(&world, &rep("C")));
    world.ok(reject_by(&world, "x", "A"));
    world.ok(accept_by(&world, "x", "B"));
    let rejection = world.refused(accept_by(&world, "x", "A"));
    assert!(matches!(rejection, Rejection::WrongAssignmentState { .. }), "{rejection}");
}

#[test]
fn who_got_the_id_of_a_deleted_rep_has_none_of_their_offers() {
    let mut world = offered();
    world.ok(delete_rep("A"));
    world.create_rep("A").unwrap();
    world.ok(Operation::AddGroupMembers { group: group("g"), members: crate::world::members("A") });
    assert_eq!(world.at("x"), "OFFERED A");
    let rejection = world.refused(accept_by(&world, "x", "A"));
    assert_eq!(rejection, not_offered(&world, &rep("A")));
}
