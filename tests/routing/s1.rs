//! The behaviours of S1 (CRM owner mapping), as far as this version has them.

use turnwise::routing::{
    AssignmentState, Cause, Interval, Outcome, OwnerKind, OwnerRef, OwnerType, Target, TargetKind,
    TargetOutcome, Time, Warning,
};

use super::world::{
    World, delete_rep, email, launch, name, out, out_between, owned_by, owner, rep, to_group,
    to_owner, to_rep, via,
};

fn routed(list: &str) -> World {
    let mut world = World::with_reps(list);
    world.run_campaign("c", vec![to_owner(), to_group("default")]);
    world
}

fn queue(kind: OwnerKind, of: &str) -> OwnerRef {
    OwnerRef { owner_type: OwnerType::Queue, ..owner(kind, &email(of)) }
}

/// Who gets a contact with these owners, and what the owner target came to.
fn of_owners(world: &mut World, owners: &[OwnerRef]) -> (String, TargetOutcome) {
    let contact = format!("owned-{}", world.index);
    let assignment = world.assign(&contact, &via("c"), owners).assignment;
    (assignment.rep.unwrap().to_string(), assignment.decision.targets[0].outcome)
}

#[test]
fn s1_4_without_owner_data_the_next_target_decides() {
    let mut world = routed("A B");
    assert_eq!(of_owners(&mut world, &[]), ("A".into(), TargetOutcome::NoOwner));
}

#[test]
fn s1_6_a_user_is_an_owner() {
    let mut world = routed("A B");
    let owners = [owner(OwnerKind::Contact, &email("B"))];
    assert_eq!(of_owners(&mut world, &owners), ("B".into(), TargetOutcome::Picked));
}

#[test]
fn s1_7_a_queue_is_no_owner_even_with_the_email_of_a_rep() {
    let mut world = routed("A B");
    let owners = [queue(OwnerKind::Lead, "B")];
    assert_eq!(of_owners(&mut world, &owners), ("A".into(), TargetOutcome::OwnerIsQueue));
}

#[test]
fn s1_8_a_rep_in_no_group_is_routable_through_the_default_group() {
    let mut world = routed("A B");
    assert_eq!(world.picks("c", 2), "A B");
}

#[test]
fn s1_9_reps_are_added_removed_and_grouped() {
    let mut world = routed("A B");
    world.create_rep("C").unwrap();
    world.create_group("g", "C").unwrap();
    world.add("g", "B");
    world.remove("g", "C");
    world.ok(delete_rep("C"));
    assert_eq!(world.member_names("g"), "B");
    assert_eq!(world.member_names("default"), "A B");
}

#[test]
fn s1_10_a_generic_address_is_no_rep() {
    let mut world = routed("A B");
    let owners = [owner(OwnerKind::Lead, "marketingops@example.com")];
    assert_eq!(of_owners(&mut world, &owners), ("A".into(), TargetOutcome::OwnerNotARep));
}

#[test]
fn s1_11_owners_are_tried_in_the_order_of_the_targets_kinds() {
    let owners = [
        owner(OwnerKind::Opportunity, &email("D")),
        owner(OwnerKind::Account, &email("C")),
        owner(OwnerKind::Lead, &email("B")),
        owner(OwnerKind::Contact, &email("A")),
    ];
    let mut world = routed("X A B C D");
    assert_eq!(of_owners(&mut world, &owners).0, "A");
    assert_eq!(of_owners(&mut world, &owners[..3]).0, "B");
    assert_eq!(of_owners(&mut world, &owners[..2]).0, "C");
    let only_opportunity = of_owners(&mut world, &owners[..1]);
    assert_eq!(only_opportunity, ("X".into(), TargetOutcome::NoOwner), "only where it is named");
    let kind = TargetKind::Owner(vec![OwnerKind::Opportunity, OwnerKind::Contact]);
    world.run_campaign("d", vec![Target::new(kind)]);
    assert_eq!(world.next_of("d", &owners), "D");
}

#[test]
fn s1_12_the_owner_comes_before_the_ring() {
    let mut world = routed("A B");
    assert_eq!(world.next_of("c", &[owned_by("B")]), "B");
    assert_eq!(world.next("c"), "A");
}

#[test]
fn s1_13_an_unmapped_contact_owner_does_not_hide_a_mapped_account_owner() {
    let mut world = routed("A B");
    let account = owner(OwnerKind::Account, &email("B"));
    let stranger = owner(OwnerKind::Contact, "stranger@example.com");
    let owners = [stranger, queue(OwnerKind::Lead, "A"), account];
    assert_eq!(of_owners(&mut world, &owners), ("B".into(), TargetOutcome::Picked));
    world.out("B");
    assert_eq!(of_owners(&mut world, &owners), ("A".into(), TargetOutcome::NoEligible));
    assert_eq!(of_owners(&mut world, &owners[..2]), ("A".into(), TargetOutcome::OwnerNotARep));
}

#[test]
fn s1_13_an_absent_contact_owner_leaves_it_to_the_account_owner() {
    let mut world = routed("A B C");
    world.out("B");
    let owners = [owner(OwnerKind::Contact, &email("B")), owner(OwnerKind::Account, &email("C"))];
    let assignment = world.assign("x", &via("c"), &owners).assignment;
    assert_eq!((assignment.rep, assignment.cause), (Some(rep("C")), Cause::Owner));
    assert_eq!(assignment.decision.targets[0].skipped.named[0].rep, rep("B"));
    assert!(!assignment.owner_changed, "one of the owners has it");
}

#[test]
fn s1_14_without_an_owner_the_campaigns_own_settings_decide() {
    let mut world = World::with_reps("A B C");
    world.create_group("g", "C B").unwrap();
    world.run_campaign("c", vec![to_owner(), to_group("g")]);
    assert_eq!(world.picks("c", 3), "C B C");
}

#[test]
fn s1_15_an_owner_who_is_no_rep_is_never_sent_to() {
    let mut world = routed("A B");
    world.create_rep("Z").unwrap();
    world.ok(delete_rep("Z"));
    for _ in 0..4 {
        assert_ne!(world.next_of("c", &[owned_by("Z")]), "Z");
    }
}

#[test]
fn s1_16_all_reps_a_group_or_one_rep() {
    let mut world = World::with_reps("A B C");
    world.create_group("g", "B C").unwrap();
    world.run_campaign("all", vec![to_owner(), to_group("default")]);
    world.run_campaign("some", vec![to_owner(), to_group("g")]);
    world.run_campaign("one", vec![to_owner(), to_rep("C")]);
    assert_eq!(world.picks("all", 4), "A B C A");
    assert_eq!(world.picks("some", 3), "B C B");
    assert_eq!(world.picks("one", 2), "C C");
    assert_eq!(world.next_of("one", &[owned_by("A")]), "A");
}

#[test]
fn s1_16e1_a_single_rep_who_is_out_leaves_it_to_the_next_target() {
    let mut world = World::with_reps("A B");
    world.run_campaign("c", vec![to_rep("B"), to_group("default")]);
    world.out("B");
    assert_eq!(world.next("c"), "A");
}

#[test]
fn s1_16e1_without_a_next_target_nobody_gets_it_and_the_reason_is_kept() {
    let mut world = World::with_reps("A B");
    world.ok(out_between("A", 5_000, 6_000));
    world.draft("c", Some(vec![to_owner(), to_rep("A")]));
    let gap = Interval { start: Time(5_000), end: Time(6_000) };
    let Outcome::Campaign(_, warnings) = world.ok(launch("c")) else { panic!() };
    assert_eq!(warnings, [Warning::FutureGap { gap }]);
    world.now = 5_000;
    let assignment = world.assign("x", &via("c"), &[]).assignment;
    assert_eq!((assignment.rep, assignment.cause), (None, Cause::NoTarget));
    assert_eq!(assignment.state, AssignmentState::Unassigned);
    let outcomes: Vec<_> = assignment.decision.targets.iter().map(|t| t.outcome).collect();
    assert_eq!(outcomes, [TargetOutcome::NoOwner, TargetOutcome::NoEligible]);
}

#[test]
fn s1_16e2_a_single_rep_is_guarded_if_they_are_the_only_target() {
    let mut world = World::with_reps("A B");
    world.run_campaign("c", vec![to_owner(), to_rep("A")]);
    assert_eq!(name(&world.refused(out("A"))), "LastAvailableRep");
    let mut world = World::with_reps("A B");
    world.run_campaign("c", vec![to_owner(), to_rep("A"), to_rep("B")]);
    world.out("A");
}

#[test]
fn s1_17_one_rep_takes_all_and_is_kept() {
    let mut world = routed("A");
    assert_eq!(world.picks("c", 4), "A A A A");
    let stranger = owner(OwnerKind::Lead, "x@other.example");
    assert_eq!(world.next_of("c", &[stranger]), "A");
    assert_eq!(name(&world.refused(out("A"))), "LastAvailableRep");
    assert_eq!(name(&world.refused(delete_rep("A"))), "LastAvailableRep");
}

#[test]
fn s1_18_the_owner_changes_unless_one_of_the_owners_has_it() {
    let mut world = routed("A B");
    let mut changed = |owners: &[OwnerRef]| {
        let contact = format!("x{}", owners.len());
        world.assign(&contact, &via("c"), owners).assignment.owner_changed
    };
    assert!(changed(&[]), "nobody owned it");
    assert!(!changed(&[owned_by("B")]));
    assert!(changed(&[queue(OwnerKind::Lead, "B"), queue(OwnerKind::Contact, "A")]));
}
