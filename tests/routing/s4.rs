//! The behaviours of S4 (LeadSquared Converse routing rules).

use turnwise::routing::{
    Assignment, AssignmentState, Cause, Operation, OwnerKind, Reason, Rejection, Target,
    TargetKind, TargetOutcome, Via,
};

use super::world::{
    HOUR, SECOND, World, assign, by_rule, email, even_if_out, name, new_rule, out_between,
    owned_by, owner, rep, rule, team, to_group, to_owner, to_rep, waiting,
};

fn to_opportunity_owner() -> Target {
    Target::new(TargetKind::Owner(vec![OwnerKind::Opportunity]))
}
fn opportunity_of(id: &str) -> turnwise::routing::OwnerRef {
    owner(OwnerKind::Opportunity, &email(id))
}

/// The rule of the text: opportunity owner, chat group, admin.
fn converse() -> World {
    let mut world = World::with_reps("A B Boss");
    world.create_group("chat", "A B").unwrap();
    world.create_rule("r", vec![to_opportunity_owner(), to_group("chat"), to_rep("Boss")]);
    world
}

fn routed(world: &mut World, owners: &[turnwise::routing::OwnerRef]) -> Assignment {
    let contact = format!("lead-{}", world.index);
    world.assign(&contact, &by_rule("r"), owners).assignment
}

fn outcomes(assignment: &Assignment) -> Vec<TargetOutcome> {
    assignment.decision.targets.iter().map(|trace| trace.outcome).collect()
}

#[test]
fn s4_1_each_of_the_five_kinds_of_target_routes_alone() {
    let mut world = World::with_reps("A B C Boss");
    world.create_group("chat", "B").unwrap();
    world.create_group("admins", "Boss").unwrap();
    let lead = Target::new(TargetKind::Owner(vec![OwnerKind::Lead]));
    for (id, target, expected) in [
        ("lead owner", lead, "A"),
        ("opportunity owner", to_opportunity_owner(), "C"),
        ("chat group", to_group("chat"), "B"),
        ("specific user", to_rep("A"), "A"),
        ("admin", to_group("admins"), "Boss"),
    ] {
        world.create_rule(id, vec![target]);
        let owners = [owned_by("A"), opportunity_of("C")];
        let assignment = world.assign("x", &by_rule(id), &owners).assignment;
        assert_eq!(assignment.rep, Some(rep(expected)), "{id}");
    }
}

#[test]
fn s4_2_a_rule_has_a_name_that_no_other_rule_of_the_team_has() {
    let mut world = converse();
    let Operation::CreateRule { display_name, labels, targets, .. } = new_rule("r", vec![]) else {
        panic!()
    };
    let twin = Operation::CreateRule { rule: rule("other"), display_name, labels, targets };
    assert_eq!(world.refused(twin), Rejection::DisplayNameTaken { rule: rule("r") });
    world.create_rule("other", vec![]);
    let (rule, display_name) = (rule("other"), Some("r".to_owned()));
    let rename = Operation::UpdateRule { rule, display_name, labels: None, targets: None };
    assert_eq!(name(&world.refused(rename)), "DisplayNameTaken");
}

#[test]
fn s4_3_the_first_target_is_the_default_routing() {
    let mut world = converse();
    let assignment = routed(&mut world, &[opportunity_of("B")]);
    assert_eq!((assignment.rep, assignment.target_index), (Some(rep("B")), Some(0)));
    assert_eq!(assignment.decision.targets.len(), 1, "nothing else was tried");
}

#[test]
fn s4_4_the_first_fallback_takes_over_when_the_default_is_unavailable() {
    let mut world = converse();
    world.out("B");
    let assignment = routed(&mut world, &[opportunity_of("B")]);
    assert_eq!((assignment.rep.clone(), assignment.target_index), (Some(rep("A")), Some(1)));
    assert_eq!(outcomes(&assignment), [TargetOutcome::NoEligible, TargetOutcome::Picked]);
    assert_eq!(assignment.decision.targets[0].skipped.named[0].reason, Reason::OutOfOffice);
}

#[test]
fn s4_5_fallbacks_are_optional_and_as_many_as_are_wanted() {
    let mut world = World::with_reps("A B");
    world.create_rule("one", vec![to_rep("A")]);
    let mut targets = vec![to_opportunity_owner(); 15];
    targets.push(to_rep("B"));
    world.create_rule("many", targets);
    let take = |world: &mut World, id: &str| world.assign("x", &by_rule(id), &[]).assignment;
    assert_eq!(take(&mut world, "one").rep, Some(rep("A")));
    let last = take(&mut world, "many");
    assert_eq!((last.rep, last.target_index), (Some(rep("B")), Some(15)));
}

#[test]
fn s4_6_an_existing_opportunity_goes_to_its_owner() {
    let mut world = converse();
    let assignment = routed(&mut world, &[opportunity_of("A"), owned_by("B")]);
    assert_eq!((assignment.rep, assignment.cause), (Some(rep("A")), Cause::Owner));
    assert!(!assignment.owner_changed);
}

#[test]
fn s4_7_a_new_opportunity_goes_to_the_chat_group_in_turn() {
    let mut world = converse();
    let mut take = || routed(&mut world, &[]);
    let first = take();
    assert_eq!(outcomes(&first), [TargetOutcome::NoOwner, TargetOutcome::Picked]);
    let picks = [first.rep, take().rep, take().rep].map(|rep| rep.unwrap().to_string());
    assert_eq!(picks, ["A", "B", "A"]);
    assert_eq!(world.rotation("chat", None, 0).turns.iter().map(|t| t.1).sum::<u64>(), 3);
}

#[test]
fn s4_8_with_nobody_in_the_group_it_goes_to_the_admin_and_the_ring_stands_still() {
    let mut world = converse();
    routed(&mut world, &[]);
    let before = world.rotation("chat", None, 0).cursor;
    world.out("A");
    world.out("B");
    let assignment = routed(&mut world, &[]);
    assert_eq!((assignment.rep, assignment.cause), (Some(rep("Boss")), Cause::Rep));
    assert_eq!(assignment.decision.targets[1].skipped.total, 2);
    assert_eq!(world.rotation("chat", None, 0).cursor, before);
}

#[test]
fn s4_9_leads_take_the_same_steps() {
    let mut world = World::with_reps("A B Boss");
    world.create_group("chat", "A").unwrap();
    world.create_rule("r", vec![to_owner(), to_group("chat"), to_rep("Boss")]);
    assert_eq!(routed(&mut world, &[owned_by("B")]).rep, Some(rep("B")));
    assert_eq!(routed(&mut world, &[]).rep, Some(rep("A")));
    world.out("A");
    assert_eq!(routed(&mut world, &[]).rep, Some(rep("Boss")));
}

#[test]
fn s4_10_a_handover_is_a_call_by_rule_without_a_campaign() {
    let mut world = converse();
    world.run_campaign("c", vec![to_group("chat")]);
    let handed_over = routed(&mut world, &[]);
    assert_eq!(handed_over.via, Via::Rule(rule("r")));
    assert_eq!(handed_over.rep, Some(rep("A")));
    assert_eq!(world.next("c"), "A", "a campaign stands elsewhere in the ring");
    world.create_rule("other", vec![to_group("chat")]);
    let other = world.assign("x", &by_rule("other"), &[]).assignment;
    assert_eq!(other.rep, Some(rep("B")), "all rules share one place");
    let nowhere = world.refused(assign("x", &by_rule("nowhere"), &[]));
    assert_eq!(name(&nowhere), "NotFound");
}

#[test]
fn s4_10e1_an_admin_who_must_always_take_it_takes_it_even_if_out() {
    let mut world = World::with_reps("A Boss");
    world.create_rule("r", vec![to_rep("A"), even_if_out(to_rep("Boss"))]);
    world.out("A");
    world.out("Boss");
    assert_eq!(routed(&mut world, &[]).rep, Some(rep("Boss")));
    world.limit("Boss", 1);
    let over = routed(&mut world, &[]);
    assert_eq!(over.state, AssignmentState::Unassigned, "capacity is never waived");
    assert_eq!(over.decision.targets[1].skipped.named[0].reason, Reason::AtCapacity);
}

#[test]
fn s4_10e2_when_all_targets_fail_it_is_left_with_every_reason() {
    let mut world = converse();
    ["A", "B", "Boss"].into_iter().for_each(|id| world.out(id));
    let assignment = routed(&mut world, &[opportunity_of("A")]);
    assert_eq!(
        (assignment.state, assignment.cause),
        (AssignmentState::Unassigned, Cause::NoTarget)
    );
    assert_eq!(outcomes(&assignment), [TargetOutcome::NoEligible; 3]);
    let counts: Vec<_> = assignment.decision.targets.iter().map(|t| t.skipped.total).collect();
    assert_eq!(counts, [1, 2, 1]);
    world.back("B");
    let stays = world.state.assignment(&team(), assignment.id).unwrap();
    assert_eq!(stays.state, AssignmentState::Unassigned, "nobody tries it again by himself");
}

#[test]
fn s4_10e3_a_rep_twice_in_the_chain_is_passed_over_twice_for_the_same_reason() {
    let mut world = converse();
    world.limit("A", 1);
    routed(&mut world, &[opportunity_of("A")]);
    let assignment = routed(&mut world, &[opportunity_of("A")]);
    assert_eq!(assignment.rep, Some(rep("B")));
    let reasons: Vec<_> =
        assignment.decision.targets.iter().map(|t| t.skipped.named[0].reason).collect();
    assert_eq!(reasons, [Reason::AtCapacity, Reason::AtCapacity]);
}

#[test]
fn s4_10e3_who_refused_as_owner_is_not_asked_again_in_the_group() {
    let mut world = World::with_reps("A B");
    let offered = super::world::offering(HOUR, to_owner());
    world.create_rule("r", vec![offered, to_group("default")]);
    world.assign("x", &by_rule("r"), &[owned_by("A")]);
    assert_eq!(world.at("x"), "OFFERED A");
    world.step("x", super::world::reject);
    assert_eq!(world.at("x"), "ASSIGNED B");
    assert_eq!(world.work("x").rejected_by, [rep("A")]);
}

#[test]
fn s4_10e4_a_wait_in_the_middle_holds_before_it_falls_through() {
    let mut world = World::with_reps("A B Boss");
    world.create_group("chat", "A").unwrap();
    let held = waiting(30 * SECOND, to_group("chat"));
    world.create_rule("r", vec![to_rep("B"), held, to_rep("Boss")]);
    world.out("A");
    world.out("B");
    world.assign("x", &by_rule("r"), &[]);
    let work = world.work("x");
    assert_eq!((work.state, work.target_index), (AssignmentState::Pending, Some(1)));
    assert_eq!(work.wait_end.unwrap().0, world.now + 30 * SECOND);
    world.back("B");
    assert_eq!(world.at("x"), "PENDING -", "earlier targets are not tried again");
    world.now += 30 * SECOND;
    world.ok(Operation::Tick);
    assert_eq!(world.at("x"), "ASSIGNED Boss");
    let outcomes = outcomes(&world.work("x"));
    let expected = [TargetOutcome::NoEligible, TargetOutcome::NoEligible, TargetOutcome::Picked];
    assert_eq!(outcomes, expected);
}

#[test]
fn s4_11_the_chat_group_is_a_group_like_any_other() {
    let mut world = converse();
    let used = world.refused(super::world::delete_group("chat"));
    let Rejection::GroupInUse { rules, campaigns, .. } = used else { panic!("{used:?}") };
    assert_eq!((rules, campaigns), (vec![rule("r")], vec![]));
    let named = world.refused(super::world::delete_rep("Boss"));
    assert!(matches!(named, Rejection::RepInUse { rules, .. } if rules == [rule("r")]));
    world.ok(out_between("A", 5_000, 6_000));
    world.ok(Operation::DeleteRule { rule: rule("r"), allow_missing: false });
    world.ok(super::world::delete_group("chat"));
}
