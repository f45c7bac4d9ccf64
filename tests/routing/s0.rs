//! The behaviours of S0 (AI Email round robin), as far as this version has them.

use std::collections::BTreeMap;

use turnwise::routing::{
    CampaignState, Cause, GroupSettings, Interval, Operation, Outcome, OwnerKind, Reason,
    Rejection, RepSettings, Skipped, TargetOutcome, Time, Via, Warning,
};

use super::world::{
    World, assign, campaign, cancel, delete_group, delete_rep, email, even_if_out, group, launch,
    members, name, new_group, out, out_between, owned_by, owner, remove, rep, retarget, settings,
    team, to_group, to_owner, to_rep, via,
};

const FOREVER: Time = Time::FOREVER;

/// Who was passed over, each with the reason.
fn reasons(skipped: &Skipped) -> String {
    let named = skipped.named.iter().map(|p| format!("{} {:?}", p.rep, p.reason));
    named.collect::<Vec<_>>().join(", ")
}

fn is_last_available(rejection: &Rejection) -> bool {
    matches!(rejection, Rejection::LastAvailableRep { .. })
}

#[test]
fn s0_1_each_campaign_shares_evenly_on_its_own() {
    let mut world = World::with_ring("A B C");
    world.run_campaign("d", vec![to_group("g")]);
    let mut picks = Vec::new();
    for _ in 0..6 {
        picks.push((world.next("c"), world.next("d")));
    }
    for id in ["A", "B", "C"] {
        assert_eq!(picks.iter().filter(|(c, _)| c == id).count(), 2, "{id} in c");
        assert_eq!(picks.iter().filter(|(_, d)| d == id).count(), 2, "{id} in d");
    }
    assert_eq!(world.picks("c", 1), "A", "c stands where its own six picks left it");
}

#[test]
fn s0_2_a_rep_who_is_out_of_office_gets_none() {
    let mut world = World::with_ring("A B C");
    world.out("B");
    assert_eq!(world.picks("c", 4), "A C A C");
}

#[test]
fn s0_3_the_order_is_circular() {
    assert_eq!(World::with_ring("A B C").picks("c", 4), "A B C A");
}

#[test]
fn s0_4_the_order_is_that_of_the_last_added_time() {
    let mut world = World::with_ring("A B C");
    world.remove("g", "A");
    world.add("g", "A");
    assert_eq!(world.member_names("g"), "B C A");
    assert_eq!(world.picks("c", 3), "B C A");
}

#[test]
fn s0_4e1_the_first_contact_goes_to_the_first_in_the_ring() {
    assert_eq!(World::with_ring("C A B").next("c"), "C");
}

#[test]
fn s0_4e2_one_call_adds_in_the_order_of_the_call() {
    let mut world = World::with_ring("Z");
    for id in ["A", "B", "C"] {
        world.create_rep(id).unwrap();
    }
    world.add("g", "C A B");
    assert_eq!(world.picks("c", 4), "Z C A B");
}

#[test]
fn s0_4e3_adding_a_present_member_is_refused_and_moves_nobody() {
    let mut world = World::with_ring("A B C");
    world.create_rep("D").unwrap();
    let add = |list| Operation::AddGroupMembers { group: group("g"), members: members(list) };
    for list in ["A", "D A", "D D"] {
        assert_eq!(name(&world.refused(add(list))), "AlreadyMember", "{list}");
    }
    assert_eq!(world.member_names("g"), "A B C");
}

#[test]
fn s0_5_without_settings_a_campaign_is_owner_then_default_group() {
    let mut world = World::with_reps("A B");
    world.draft("c", None);
    world.ok(launch("c"));
    assert_eq!(world.picks("c", 3), "A B A");
    assert_eq!(world.next_of("c", &[owned_by("A")]), "A");
    assert_eq!(world.next("c"), "B");
    let without_campaign = world.assign("x", &Via::DefaultRule, &[]).assignment;
    assert_eq!(
        without_campaign.rep,
        Some(rep("A")),
        "calls without campaign have a cursor of their own"
    );
}

#[test]
fn s0_6_a_group_controls_the_campaign() {
    let mut world = World::with_ring("A B");
    world.create_rep("C").unwrap();
    assert_eq!(world.picks("c", 5), "A B A B A");
}

#[test]
fn s0_8_without_an_owner_it_is_round_robin_to_an_available_rep() {
    let mut world = World::with_reps("A B C");
    world.run_campaign("c", vec![to_owner(), to_group("default")]);
    world.out("A");
    let assigned = world.assign("x", &via("c"), &[]).assignment;
    assert_eq!((assigned.rep, assigned.cause), (Some(rep("B")), Cause::Rotation));
    let outcomes: Vec<_> = assigned.decision.targets.iter().map(|t| t.outcome).collect();
    assert_eq!(outcomes, [TargetOutcome::NoOwner, TargetOutcome::Picked]);
    assert_eq!(assigned.target_index, Some(1));
}

#[test]
fn s0_9_the_owner_of_the_request_is_kept_with_the_assignment() {
    let mut world = World::with_reps("A B");
    world.run_campaign("c", vec![to_owner(), to_group("default")]);
    let owners = [owned_by("B")];
    assert_eq!(world.assign("x", &via("c"), &owners).assignment.owners, owners);
}

#[test]
fn s0_10_an_owner_who_is_a_rep_precedes_round_robin_and_moves_no_cursor() {
    let mut world = World::with_reps("A B C");
    world.run_campaign("c", vec![to_owner(), to_group("default")]);
    assert_eq!(world.next("c"), "A");
    let before = world.cursor("default", "c");
    let assigned = world.assign("x", &via("c"), &[owned_by("C")]).assignment;
    assert_eq!((assigned.rep, assigned.cause), (Some(rep("C")), Cause::Owner));
    assert!(!assigned.owner_changed);
    assert_eq!(world.cursor("default", "c"), before);
}

#[test]
fn s0_10e1_an_owner_hit_uses_up_no_turn() {
    let mut world = World::with_reps("A B C");
    world.run_campaign("c", vec![to_owner(), to_group("default")]);
    assert_eq!(world.next("c"), "A");
    for _ in 0..5 {
        assert_eq!(world.next_of("c", &[owned_by("B")]), "B");
    }
    assert_eq!(world.picks("c", 3), "B C A");
}

#[test]
fn s0_10e2_an_owner_who_is_out_is_passed_over_unless_the_target_says_otherwise() {
    let mut world = World::with_reps("A B C");
    world.run_campaign("c", vec![to_owner(), to_group("default")]);
    world.run_campaign("d", vec![even_if_out(to_owner()), to_group("default")]);
    world.out("C");
    let skipped = world.assign("x", &via("c"), &[owned_by("C")]).assignment;
    assert_eq!((skipped.rep, skipped.owner_changed), (Some(rep("A")), true));
    let trace = &skipped.decision.targets[0];
    assert_eq!(trace.outcome, TargetOutcome::NoEligible);
    assert_eq!(trace.skipped.named[0].rep, rep("C"));
    assert_eq!(trace.skipped.named[0].reason, Reason::OutOfOffice);
    let waived = world.assign("x", &via("d"), &[owned_by("C")]).assignment;
    assert_eq!((waived.rep, waived.cause), (Some(rep("C")), Cause::Owner));
}

#[test]
fn s0_10e2_a_disabled_owner_is_never_assigned_not_even_if_absence_is_waived() {
    let mut world = World::with_reps("A");
    let settings = RepSettings { disabled: true, ..settings("B") };
    world.ok(Operation::CreateRep { rep: rep("B"), settings });
    world.run_campaign("c", vec![even_if_out(to_owner()), to_rep("A")]);
    let assigned = world.assign("x", &via("c"), &[owned_by("B")]).assignment;
    assert_eq!(assigned.rep, Some(rep("A")));
    assert_eq!(reasons(&assigned.decision.targets[0].skipped), "B Disabled");
}

#[test]
fn s0_10e3_an_owner_need_not_be_in_the_campaigns_group() {
    let mut world = World::with_ring("A B");
    world.create_rep("C").unwrap();
    world.run_campaign("d", vec![to_owner(), to_group("g")]);
    assert_eq!(world.next_of("d", &[owned_by("C")]), "C");
}

#[test]
fn s0_11_an_owner_who_is_no_rep_falls_to_the_ring() {
    let mut world = World::with_reps("A B");
    world.run_campaign("c", vec![to_owner(), to_group("default")]);
    let stranger = owner(OwnerKind::Lead, "x@other.example");
    let assigned = world.assign("x", &via("c"), &[stranger]).assignment;
    assert_eq!((assigned.rep, assigned.owner_changed), (Some(rep("A")), true));
    assert_eq!(assigned.decision.targets[0].outcome, TargetOutcome::OwnerNotARep);
}

#[test]
fn s0_12_a_group_is_made_then_chosen_for_a_draft_then_launched() {
    let mut world = World::with_reps("A B C");
    world.create_group("sales", "B C").unwrap();
    let (draft, warnings) = world.draft("c", Some(vec![to_owner(), to_group("sales")]));
    assert_eq!((draft.state, warnings), (CampaignState::Draft, vec![]));
    let early = world.refused(assign("x", &via("c"), &[]));
    assert_eq!(name(&early), "CampaignNotRunning");
    world.ok(launch("c"));
    assert_eq!(world.picks("c", 3), "B C B");
}

#[test]
fn s0_13_a_group_takes_only_reps_that_exist() {
    let mut world = World::with_reps("A");
    let create = new_group("g", GroupSettings::default(), members("A Z"));
    assert!(matches!(world.refused(create), Rejection::NotFound { id, .. } if id == "Z"));
    world.out("A");
    world.create_group("g", "A").unwrap();
}

#[test]
fn s0_14_an_existing_group_serves_several_campaigns() {
    let mut world = World::with_ring("A B");
    world.run_campaign("d", vec![to_group("g")]);
    assert_eq!((world.next("c"), world.next("d")), ("A".into(), "A".into()));
}

#[test]
fn s0_15_a_group_has_at_least_one_rep() {
    let mut world = World::with_reps("A B");
    let empty = new_group("g", GroupSettings::default(), vec![]);
    assert_eq!(name(&world.refused(empty)), "GroupTooSmall");
    world.create_group("g", "A B").unwrap();
    world.remove("g", "A");
    assert_eq!(name(&world.refused(remove("g", "B"))), "GroupTooSmall");
    world.create_group("h", "B A").unwrap();
    let Rejection::GroupTooSmall { groups } = world.refused(delete_rep("B")) else { panic!() };
    assert_eq!(groups, [group("g")], "named are the groups that would be empty");
}

#[test]
fn s0_16_the_default_group_follows_the_reps() {
    let mut world = World::with_reps("");
    assert_eq!(world.member_names("default"), "");
    world.create_rep("B").unwrap();
    world.create_rep("A").unwrap();
    assert_eq!(world.member_names("default"), "B A");
    world.ok(delete_rep("B"));
    assert_eq!(world.member_names("default"), "A");
    world.create_rep("B").unwrap();
    assert_eq!(world.member_names("default"), "A B");
    let add = Operation::AddGroupMembers { group: group("default"), members: members("A") };
    for refused in [add, remove("default", "A"), delete_group("default")] {
        assert_eq!(world.refused(refused), Rejection::DefaultGroupImmutable);
    }
    assert_eq!(name(&world.create_group("default", "A").unwrap_err()), "AlreadyExists");
}

#[test]
fn s0_17_out_of_office_leaves_every_ring() {
    let mut world = World::with_reps("A B C");
    for (c, g) in [("c1", "g1"), ("c2", "g2"), ("c3", "g3")] {
        world.create_group(g, "A B C").unwrap();
        world.run_campaign(c, vec![to_group(g)]);
    }
    world.out("A");
    for c in ["c1", "c2", "c3"] {
        assert_eq!(world.picks(c, 3), "B C B");
    }
}

#[test]
fn s0_18_somebody_else_may_set_it_and_is_named() {
    let mut world = World::with_reps("A B");
    let (rep, note) = (rep("A"), "flu".to_owned());
    world.ok(Operation::SetOutOfOffice { rep, start: None, end: None, note });
    let away = world.rep("A");
    assert_eq!((&*away.out_of_office_set_by, &*away.out_of_office_note), ("admin", "flu"));
}

#[test]
fn s0_20_a_returner_waits_until_their_turn_comes_around() {
    let mut world = World::with_ring("A B C D");
    assert_eq!(world.next("c"), "A");
    world.out("B");
    assert_eq!(world.picks("c", 4), "C D A C");
    world.back("B");
    assert_eq!(world.picks("c", 5), "D A B C D");
}

#[test]
fn s0_20e1_who_returns_just_before_their_turn_has_it() {
    let mut world = World::with_ring("A B C");
    world.out("B");
    assert_eq!(world.next("c"), "A");
    world.back("B");
    assert_eq!(world.next("c"), "B");
}

#[test]
fn s0_20e2_going_out_and_back_gains_and_loses_nothing() {
    let mut world = World::with_ring("A B C");
    assert_eq!(world.next("c"), "A");
    for id in ["B", "C", "A", "B"] {
        world.out(id);
        world.back(id);
    }
    assert_eq!(world.picks("c", 3), "B C A");
}

#[test]
fn s0_20e3_open_contacts_stay_with_who_goes_out() {
    let mut world = World::with_ring("A B");
    let before = world.assign("x", &via("c"), &[]).assignment;
    world.out("A");
    assert_eq!(world.state.assignment(&team(), before.id).unwrap(), before);
    assert_eq!(world.rep("A").open_count, 1);
}

#[test]
fn s0_21_an_active_campaign_needs_an_available_rep_in_the_team() {
    let mut world = World::with_reps("A");
    world.draft("c", Some(vec![to_owner()]));
    let Rejection::LastAvailableRep { team, campaigns, groups, gap } = world.refused(out("A"))
    else {
        panic!()
    };
    assert_eq!(
        (team, campaigns, groups),
        (Some(super::world::team()), vec![campaign("c")], vec![])
    );
    assert_eq!(gap, Interval { start: Time(1_000), end: FOREVER });
}

#[test]
fn s0_22_draft_running_and_paused_are_active_and_cancelled_is_not() {
    let mut world = World::with_reps("A");
    world.draft("c", None);
    assert!(is_last_available(&world.refused(out("A"))));
    world.ok(launch("c"));
    assert!(is_last_available(&world.refused(out("A"))));
    world.ok(Operation::PauseCampaign { campaign: campaign("c") });
    assert!(is_last_available(&world.refused(out("A"))));
    assert_eq!(world.next("c"), "A", "a paused campaign still routes");
    world.ok(Operation::ResumeCampaign { campaign: campaign("c") });
    world.ok(cancel("c"));
    world.out("A");
    assert_eq!(name(&world.refused(assign("x", &via("c"), &[]))), "CampaignNotRunning");
}

#[test]
fn s0_23_last_available_rep_cannot_go_out_of_office() {
    let mut world = World::with_reps("A B");
    world.draft("c", None);
    world.out("A");
    assert!(is_last_available(&world.refused(out("B"))));
}

#[test]
fn s0_23_of_two_who_go_at_once_exactly_one_succeeds_whatever_the_order() {
    for order in [["A", "B"], ["B", "A"]] {
        let mut world = World::with_reps("A B");
        world.draft("c", None);
        let results = order.map(|id| world.do_(out(id)).is_ok());
        assert_eq!(results, [true, false]);
    }
}

#[test]
fn s0_23e1_going_out_again_is_no_error_and_no_change() {
    let mut world = World::with_reps("A B");
    world.draft("c", None);
    world.out("A");
    let before = world.rep("A");
    world.out("A");
    world.ok(out_between("A", 2_000, 3_000));
    assert_eq!(world.rep("A"), before);
}

#[test]
fn s0_23e2_absences_to_come_may_not_overlap_to_nobody() {
    let mut world = World::with_reps("A B");
    world.draft("c", None);
    world.ok(out_between("A", 10_000, 20_000));
    let Rejection::LastAvailableRep { gap, .. } = world.refused(out_between("B", 15_000, 25_000))
    else {
        panic!()
    };
    assert_eq!(gap, Interval { start: Time(15_000), end: Time(20_000) });
    assert!(is_last_available(&world.refused(out("B"))), "an open end covers it too");
    world.ok(out_between("B", 20_000, 25_000));
    world.ok(out_between("B", 5_000, 10_000));
}

#[test]
fn s0_23e3_the_last_available_rep_cannot_be_deleted_or_removed() {
    let mut world = World::with_reps("A B C");
    world.create_group("g", "A B").unwrap();
    world.draft("c", Some(vec![to_group("g")]));
    world.out("A");
    assert!(is_last_available(&world.refused(remove("g", "B"))));
    assert!(is_last_available(&world.refused(delete_rep("B"))));
    world.back("A");
    world.ok(delete_rep("B"));
}

#[test]
fn s0_24_another_available_rep_or_no_active_campaign_lets_the_same_call_through() {
    let mut world = World::with_reps("A B");
    world.draft("c", None);
    world.out("A");
    assert!(is_last_available(&world.refused(out("B"))));
    world.create_rep("C").unwrap();
    world.out("B");
    assert!(is_last_available(&world.refused(out("C"))));
    world.ok(cancel("c"));
    world.out("C");
}

#[test]
fn s0_25_a_group_in_no_active_campaign_may_be_wholly_out() {
    let mut world = World::with_reps("A B C");
    world.create_group("g", "A B").unwrap();
    world.draft("c", None);
    world.out("A");
    world.out("B");
}

#[test]
fn s0_26_the_last_available_rep_of_a_used_group_stays() {
    let mut world = World::with_reps("A B C");
    world.create_group("g", "A B").unwrap();
    world.draft("c", Some(vec![to_owner(), to_group("g")]));
    world.out("A");
    let Rejection::LastAvailableRep { team, campaigns, groups, gap: _ } = world.refused(out("B"))
    else {
        panic!()
    };
    assert_eq!((team, campaigns, groups), (None, vec![campaign("c")], vec![group("g")]));
}

#[test]
fn s0_26_a_group_with_a_fallback_may_be_wholly_out() {
    let mut world = World::with_reps("A B C");
    world.create_group("g", "A B").unwrap();
    world.draft("c", Some(vec![to_group("g"), to_rep("C")]));
    world.out("A");
    world.out("B");
    assert!(is_last_available(&world.refused(out("C"))));
}

#[test]
fn s0_27_a_draft_over_a_wholly_absent_group_warns_and_is_made() {
    let mut world = World::with_reps("A B C");
    world.create_group("g", "A B").unwrap();
    world.out("A");
    world.ok(out_between("B", 0, 5_000));
    let (_, warnings) = world.draft("c", Some(vec![to_group("g")]));
    let gap = Interval { start: Time(1_000), end: Time(5_000) };
    let expected =
        [Warning::GroupHasNoAvailableRep { group: group("g") }, Warning::FutureGap { gap }];
    assert_eq!(warnings, expected);
    let display_name = Some("renamed".to_owned());
    let campaign = campaign("c");
    let rename = Operation::UpdateCampaign { campaign, display_name, labels: None, route: None };
    let Outcome::Campaign(_, warnings) = world.ok(rename) else { panic!() };
    assert_eq!(warnings, expected);
    world.now = 5_000;
    assert!(matches!(world.ok(launch("c")), Outcome::Campaign(_, warnings) if warnings.is_empty()));
}

#[test]
fn s0_28_a_launch_needs_an_available_rep() {
    let mut world = World::with_reps("A B C");
    world.create_group("g", "A B").unwrap();
    world.out("A");
    world.out("B");
    world.draft("c", Some(vec![to_owner(), to_group("g")]));
    let refused = world.refused(launch("c"));
    let groups = vec![group("g")];
    assert_eq!(refused, Rejection::GroupHasNoAvailableRep { campaign: campaign("c"), groups });
    world.add("g", "C");
    world.ok(launch("c"));

    let mut world = World::with_reps("A B");
    world.out("A");
    world.draft("c", Some(vec![to_rep("A")]));
    assert_eq!(name(&world.refused(launch("c"))), "GroupHasNoAvailableRep");
    world.back("A");
    world.ok(launch("c"));
}

#[test]
fn s0_28_an_empty_team_can_draft_and_not_launch() {
    let mut world = World::with_reps("");
    world.draft("c", None);
    assert_eq!(name(&world.refused(launch("c"))), "GroupHasNoAvailableRep");
    world.draft("manual", Some(vec![]));
    world.ok(launch("manual"));
    assert_eq!(world.next("manual"), "-");
}

#[test]
fn s0_29_the_group_may_change_after_launch_and_its_turn_is_kept() {
    let mut world = World::with_reps("A B C X Y");
    world.create_group("g", "A B C").unwrap();
    world.create_group("h", "X Y").unwrap();
    world.run_campaign("c", vec![to_group("g")]);
    let first = world.assign("x", &via("c"), &[]).assignment;
    world.ok(retarget("c", vec![to_group("h")]));
    assert_eq!(world.picks("c", 3), "X Y X");
    assert_eq!(world.state.assignment(&team(), first.id).unwrap(), first);
    world.ok(retarget("c", vec![to_group("g")]));
    assert_eq!(world.picks("c", 2), "B C");
    world.ok(retarget("c", vec![to_rep("Y")]));
    assert_eq!(world.picks("c", 2), "Y Y");
}

#[test]
fn s0_29_a_wholly_absent_group_is_refused_while_running_or_paused() {
    let mut world = World::with_reps("A B C");
    world.create_group("g", "A").unwrap();
    world.create_group("h", "B").unwrap();
    world.out("B");
    world.run_campaign("c", vec![to_group("g")]);
    assert_eq!(name(&world.refused(retarget("c", vec![to_group("h")]))), "GroupHasNoAvailableRep");
    world.ok(Operation::PauseCampaign { campaign: campaign("c") });
    assert_eq!(name(&world.refused(retarget("c", vec![to_group("h")]))), "GroupHasNoAvailableRep");
}

#[test]
fn s0_29_a_retarget_may_not_open_a_gap_in_what_was_covered() {
    let mut world = World::with_reps("A B C");
    world.create_group("g", "A").unwrap();
    world.create_group("h", "B").unwrap();
    world.ok(out_between("B", 5_000, 6_000));
    world.run_campaign("c", vec![to_group("g")]);
    let Rejection::LastAvailableRep { gap, .. } = world.refused(retarget("c", vec![to_group("h")]))
    else {
        panic!()
    };
    assert_eq!(gap, Interval { start: Time(5_000), end: Time(6_000) });
    world.now = 6_000;
    world.ok(retarget("c", vec![to_group("h")]));
}

#[test]
fn s0_30_a_group_in_no_active_campaign_can_be_deleted() {
    let mut world = World::with_reps("A");
    world.create_group("g", "A").unwrap();
    world.ok(delete_group("g"));
    assert!(world.state.group(&team(), &group("g")).is_err());
}

#[test]
fn s0_31_a_used_group_cannot_be_deleted() {
    let mut world = World::with_ring("A B");
    world.draft("d", Some(vec![to_rep("A"), to_group("g")]));
    let (group, campaigns) = (group("g"), vec![campaign("c"), campaign("d")]);
    let (rules, groups) = (vec![], vec![]);
    assert_eq!(
        world.refused(delete_group("g")),
        Rejection::GroupInUse { group, campaigns, rules, groups }
    );
}

#[test]
fn s0_31_a_rep_named_by_an_active_campaign_cannot_be_deleted() {
    let mut world = World::with_reps("A B");
    world.draft("c", Some(vec![to_rep("B"), to_group("default")]));
    let (rep, campaigns, rules) = (rep("B"), vec![campaign("c")], vec![]);
    assert_eq!(world.refused(delete_rep("B")), Rejection::RepInUse { rep, campaigns, rules });
    world.ok(cancel("c"));
    world.ok(delete_rep("B"));
}

#[test]
fn s0_32_after_cancelling_the_group_can_be_deleted() {
    let mut world = World::with_ring("A B");
    world.ok(cancel("c"));
    world.ok(delete_group("g"));
    let resumed = world.refused(Operation::ResumeCampaign { campaign: campaign("c") });
    assert_eq!(name(&resumed), "WrongCampaignState", "cancelled is for good");
}

#[test]
fn s0_33_deleting_a_group_deletes_no_rep() {
    let mut world = World::with_reps("A B");
    world.create_group("g", "A B").unwrap();
    world.ok(delete_group("g"));
    assert_eq!(world.member_names("default"), "A B");
    world.create_group("g", "B A").unwrap();
    world.run_campaign("c", vec![to_group("g")]);
    assert_eq!(world.next("c"), "B", "a group made again starts at its first member");
}

#[test]
fn s0_34_deleting_a_rep_is_the_way_to_remove_one() {
    let mut world = World::with_ring("A B C");
    world.ok(delete_rep("B"));
    assert_eq!(world.picks("c", 3), "A C A");
    assert!(world.state.rep(&team(), &rep("B")).is_err());
}

#[test]
fn s0_34_a_rep_created_under_an_old_id_is_somebody_else() {
    let mut world = World::with_ring("A B");
    let of_a = world.assign("x", &via("c"), &[]).assignment;
    world.ok(delete_rep("A"));
    world.create_rep("A").unwrap();
    assert_eq!(world.rep("A").open_count, 0);
    assert_eq!(world.state.assignment(&team(), of_a.id).unwrap().rep, Some(rep("A")));
}

#[test]
fn s0_35_a_removed_rep_gets_no_more_from_the_ring_but_stays_an_owner() {
    let mut world = World::with_reps("A B C");
    world.create_group("g", "A B C").unwrap();
    world.run_campaign("c", vec![to_owner(), to_group("g")]);
    world.remove("g", "B");
    assert_eq!(world.picks("c", 4), "A C A C");
    assert_eq!(world.next_of("c", &[owned_by("B")]), "B");
}

#[test]
fn s0_36_contacts_already_routed_do_not_change() {
    let mut world = World::with_ring("A B C");
    world.picks("c", 6);
    let list =
        |world: &World| world.state.assignments(&team(), &Default::default(), None, 100).unwrap();
    let before = list(&world);
    world.remove("g", "A");
    world.ok(delete_rep("B"));
    world.create_rep("D").unwrap();
    world.add("g", "D");
    assert_eq!(list(&world), before);
}

#[test]
fn s0_37_a_newcomer_is_last_in_the_ring_even_if_that_is_next() {
    let mut world = World::with_ring("A B C");
    world.create_rep("D").unwrap();
    assert_eq!(world.picks("c", 3), "A B C");
    world.add("g", "D");
    assert_eq!(world.picks("c", 4), "D A B C");
}

#[test]
fn s0_19_who_is_passed_over_is_named_and_a_ring_without_a_pick_stands_still() {
    let mut world = World::with_reps("A B C");
    world.create_group("g", "A B").unwrap();
    world.run_campaign("c", vec![to_owner(), to_group("g"), to_rep("C")]);
    assert_eq!(world.next("c"), "A");
    let before = world.cursor("g", "c");
    world.out("A");
    world.out("B");
    let assigned = world.assign("x", &via("c"), &[owned_by("A")]).assignment;
    assert_eq!((assigned.rep, assigned.cause), (Some(rep("C")), Cause::Rep));
    let [owner, ring, fallback] = &assigned.decision.targets[..] else { panic!() };
    assert_eq!(owner.outcome, TargetOutcome::NoEligible);
    assert_eq!(owner.skipped.named[0].rep, rep("A"));
    assert_eq!(ring.outcome, TargetOutcome::NoEligible);
    let named: Vec<_> = ring.skipped.named.iter().map(|p| p.rep.to_string()).collect();
    assert_eq!(named, ["B", "A"], "nearest first");
    assert_eq!(ring.skipped.total, 2);
    assert_eq!((ring.cursor_before, ring.cursor_after), (Some(before), Some(before)));
    assert_eq!(fallback.outcome, TargetOutcome::Picked);
    assert_eq!(world.cursor("g", "c"), before);
}

#[test]
fn s0_19_a_decision_names_sixteen_and_counts_all() {
    let ids: Vec<String> = (1..=40).map(|i| format!("r{i:02}")).collect();
    let mut world = World::with_ring(&ids.join(" "));
    for id in &ids[..16] {
        world.out(id);
    }
    let sixteen = world.assign("x", &via("c"), &[]).assignment.decision.targets.remove(0).skipped;
    assert_eq!((sixteen.named.len(), sixteen.total), (16, 16));
    for id in &ids[16..39] {
        world.out(id);
    }
    assert_eq!(world.next("c"), "r40");
    let all = world.assign("y", &via("c"), &[]).assignment.decision.targets.remove(0).skipped;
    assert_eq!((all.named.len(), all.total), (16, 39));
    assert_eq!(all.named[0].rep, rep("r01"));
}

#[test]
fn s0_11_an_external_id_counts_before_the_email() {
    let mut world = World::with_reps("A B");
    world.run_campaign("c", vec![to_owner(), to_group("default")]);
    let mut both = owned_by("A");
    both.external_id = Some(("crm".into(), "id-B".into()));
    assert_eq!(world.next_of("c", &[both.clone()]), "B");
    both.external_id = Some(("crm".into(), "unknown".into()));
    assert_eq!(world.next_of("c", &[both]), "A");
}

#[test]
fn s0_16_emails_and_external_ids_belong_to_one_rep_disabled_ones_included() {
    let mut world = World::with_reps("");
    let create = |id: &str, email_of: &str, ext: &str, disabled| {
        let external_ids = BTreeMap::from([("crm".to_owned(), ext.to_owned())]);
        let email = Some(email(email_of));
        let settings = RepSettings { email, external_ids, disabled, ..RepSettings::default() };
        Operation::CreateRep { rep: rep(id), settings }
    };
    world.ok(create("A", "A", "1", true));
    assert_eq!(
        world.refused(create("B", "A", "2", false)),
        Rejection::EmailTaken { rep: rep("A") }
    );
    let system = "crm".to_owned();
    let taken = Rejection::ExternalIdTaken { rep: rep("A"), system };
    assert_eq!(world.refused(create("B", "B", "1", false)), taken);
    assert_eq!(name(&world.refused(create("A", "C", "3", false))), "AlreadyExists");
    world.ok(delete_rep("A"));
    world.ok(create("B", "A", "1", false));
}
