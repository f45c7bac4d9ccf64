//! The behaviours of S2 (respond.io assignment strategies).

use turnwise::routing::{
    AssignmentState, Availability, Cause, CursorScope, GroupChange, GroupSettings, Operation,
    Outcome, Reason, Route, Strategy, TargetOutcome, TeamChange, Via,
};

use turnwise::routing::Principal;

use super::world::{
    HOUR, SECOND, World, accept, assign, by_rule, claim_by, close, group, if_online, key, members,
    name, new_group, online, owned_by, reassign_to, retarget, rule, to_group, to_owner, unassign,
    via, waiting,
};

/// A running campaign `c` over a group `g` where the one with the least open work comes first.
fn least_open(list: &str) -> World {
    let mut world = World::with_reps("");
    for word in list.split_whitespace() {
        world.create_rep(word.split('*').next().unwrap()).unwrap();
    }
    let strategy = Strategy::LeastOpen;
    let settings = GroupSettings { strategy, ..GroupSettings::default() };
    world.ok(new_group("g", settings, members(list)));
    world.run_campaign("c", vec![to_group("g")]);
    world
}

#[test]
fn s2_1_without_targets_a_contact_waits_to_be_picked_and_assigned_by_hand() {
    let mut world = World::with_reps("A B");
    world.create_rule("by-hand", vec![]);
    let change = TeamChange { default_rule: Some(Some(rule("by-hand"))), ..TeamChange::default() };
    world.ok(Operation::UpdateTeam { change });
    let open = world.assign("x", &Via::DefaultRule, &[owned_by("A")]).assignment;
    assert_eq!((open.state, open.cause), (AssignmentState::Unassigned, Cause::NoTarget));
    assert!(open.decision.targets.is_empty(), "nobody was tried, not even the owner");
    let claimed = world.step("x", claim_by("B"));
    assert_eq!((claimed.cause, claimed.target_index), (Cause::Claim, None));
    assert_eq!(world.at("x"), "ASSIGNED B");
    assert!(claimed.owner_changed, "A owned it");
    let late = world.refused(claim_by("A")(claimed.id));
    assert_eq!(name(&late), "AlreadyClaimed");
}

#[test]
fn s2_2_both_strategies_are_settings_of_a_group() {
    let mut world = World::with_ring("A B");
    world.create_group("h", "A B").unwrap();
    let change = GroupChange {
        strategy: Some(Strategy::LeastOpen),
        require_online: Some(true),
        ..GroupChange::default()
    };
    world.ok(Operation::UpdateGroup { group: group("h"), change });
    world.run_campaign("d", vec![to_group("h")]);
    ["A", "B"].into_iter().for_each(|id| world.online(id));
    assert_eq!(world.picks("c", 3), "A B A", "in turn");
    assert_eq!(world.picks("d", 2), "B A", "to who has less, and then in turn");
}

#[test]
fn s2_3_a_conversation_id_as_request_id_makes_a_retry_safe() {
    let mut world = World::with_ring("A B");
    let open = || (key("conversation-7", 7), assign("x", &via("c"), &[]));
    let first = world.send(open().0, open().1).unwrap();
    assert_eq!(world.send(open().0, open().1), Ok(first));
    assert_eq!(world.next("c"), "B", "one turn for one conversation");
}

#[test]
fn s2_4_round_robin_shares_equally() {
    let mut world = World::with_ring("A B C D");
    let picks = world.picks("c", 10);
    for id in ["A", "B", "C", "D"] {
        let count = picks.split(' ').filter(|pick| *pick == id).count();
        assert!((2..=3).contains(&count), "{id} in {picks}");
    }
}

#[test]
fn s2_5_the_one_with_the_least_open_contacts_gets_it() {
    let mut world = least_open("A B C");
    for (contact, id) in [("1", "A"), ("2", "A"), ("3", "C"), ("4", "C")] {
        world.assign(contact, &Via::Rep(super::world::rep(id)), &[]);
    }
    assert_eq!(
        world.picks("c", 3),
        "B B C",
        "2, 0, 2: the second; then all have two, and C is next in the ring"
    );
}

#[test]
fn s2_5_open_means_open_in_the_whole_team_however_it_came() {
    let mut world = least_open("A B");
    world.run_campaign("owners", vec![to_owner()]);
    world.next_of("owners", &[owned_by("A")]);
    assert_eq!(world.next("c"), "B");
    world.assign("x", &via("owners"), &[owned_by("B")]);
    world.assign("y", &via("owners"), &[owned_by("B")]);
    world.step("x", close);
    world.step("y", unassign);
    assert_eq!(world.next("c"), "A", "closed and unassigned ones are nobody's");
}

#[test]
fn s2_5_an_offer_counts_as_open() {
    let mut world = least_open("A B");
    world.run_campaign("d", vec![super::world::offering(HOUR, to_group("g"))]);
    assert_eq!(world.next("d"), "A");
    assert_eq!((world.at("contact-1"), world.rep("A").open_count), ("OFFERED A".into(), 1));
    assert_eq!(world.picks("c", 2), "B A");
}

#[test]
fn s2_5_with_weights_it_is_open_by_weight_and_weight_counts_once() {
    assert_eq!(least_open("A*3 B").picks("c", 12), "A B A A B A A A B A A A");
}

#[test]
fn s2_5e1_ties_go_by_the_ring() {
    let mut world = least_open("A B C");
    assert_eq!(world.picks("c", 3), "A B C");
    for contact in ["contact-1", "contact-2", "contact-3"] {
        world.step(contact, close);
    }
    assert_eq!(
        world.picks("c", 2),
        "A B",
        "on from the last served, not from the first of the list"
    );
    for contact in ["contact-4", "contact-5"] {
        world.step(contact, close);
    }
    assert_eq!(world.next("c"), "C");
}

#[test]
fn s2_5e1_a_cursor_left_by_round_robin_is_read_without_its_round() {
    let mut world = World::with_ring("A*3 B C");
    assert_eq!(world.picks("c", 4), "A B C A");
    assert_eq!(world.cursor("g", "c").round, 1);
    for i in 1..=4 {
        world.step(&format!("contact-{i}"), close);
    }
    let change = GroupChange { strategy: Some(Strategy::LeastOpen), ..GroupChange::default() };
    world.ok(Operation::UpdateGroup { group: group("g"), change });
    assert_eq!(world.next("c"), "B", "after A, where it stood");
    assert_eq!(world.cursor("g", "c").round, 0);
}

#[test]
fn s2_5e2_work_assigned_elsewhere_is_not_counted() {
    let mut world = least_open("A B");
    assert_eq!(world.picks("c", 2), "A B");
    assert_eq!(world.rep("A").open_count, 1, "what was given here, and nothing else");
}

#[test]
fn s2_6_offline_is_passed_over_where_online_is_required_and_not_elsewhere() {
    let mut world = World::with_ring("A B C");
    world.run_campaign("online", vec![if_online(to_group("g"))]);
    world.online("B");
    assert_eq!(world.picks("online", 2), "B B");
    let trace = world.work("contact-2").decision.targets.remove(0);
    let passed: Vec<_> = trace.skipped.named.iter().map(|p| (p.rep.as_str(), p.reason)).collect();
    assert_eq!(passed, [("C", Reason::NotOnline), ("A", Reason::NotOnline)]);
    assert_eq!(world.picks("c", 3), "A B C");
    world.out("B");
    assert_eq!(world.picks("c", 2), "A C", "out of office excludes without the toggle");
    assert_eq!(world.next("online"), "-");
}

#[test]
fn s2_6_the_toggle_of_the_group_holds_for_every_target() {
    let mut world = World::with_ring("A B");
    let change = GroupChange { require_online: Some(true), ..GroupChange::default() };
    world.ok(Operation::UpdateGroup { group: group("g"), change });
    assert_eq!(world.next("c"), "-");
    world.online("B");
    assert_eq!(world.next("c"), "B");
}

#[test]
fn s2_6_an_owner_target_can_require_online_too() {
    let mut world = World::with_reps("A B");
    world.run_campaign("c", vec![if_online(to_owner()), to_group("default")]);
    assert_eq!(world.next_of("c", &[owned_by("B")]), "A");
    world.online("B");
    assert_eq!(world.next_of("c", &[owned_by("B")]), "B");
}

#[test]
fn s2_6e1_nobody_online_goes_on_at_once_or_waits_as_the_target_says() {
    let mut world = World::with_ring("A B");
    world.create_group("late", "B").unwrap();
    let online = if_online(to_group("g"));
    world.run_campaign("now", vec![online.clone(), to_group("late")]);
    world.run_campaign("wait", vec![waiting(600 * SECOND, online), to_group("late")]);
    assert_eq!(world.next("now"), "B", "wait 0: the next target");
    world.assign("x", &via("wait"), &[]);
    assert_eq!(world.at("x"), "PENDING -");
    assert_eq!(world.work("x").decision.targets[0].outcome, TargetOutcome::Waiting);
    world.online("A");
    assert_eq!(
        world.at("x"),
        "ASSIGNED A",
        "served by the very command that makes somebody eligible"
    );
    world.offline("A");
    world.assign("y", &via("wait"), &[]);
    world.now += 600 * SECOND - 1;
    world.ok(Operation::Tick);
    assert_eq!(world.at("y"), "PENDING -");
    world.now += 1;
    world.ok(Operation::Tick);
    assert_eq!(world.at("y"), "ASSIGNED B", "the timeout branch");
}

#[test]
fn s2_6e2_presence_lives_as_long_as_it_was_said_to() {
    let mut world = World::with_ring("A");
    world.run_campaign("d", vec![if_online(to_group("g"))]);
    world.ok(online("A", 10));
    world.now += 9;
    assert_eq!(world.next("d"), "A");
    world.now += 1;
    assert_eq!(world.next("d"), "-");
    let rep = world.rep("A");
    assert!(!rep.presence.is_online(world.state.time()));
    assert_eq!(rep.availability(world.state.time()), Availability::Available, "shown apart");
}

#[test]
fn s2_7_a_group_is_the_target_of_a_call() {
    let mut world = World::with_ring("A B");
    let first = world.assign("x", &Via::Group(group("g")), &[owned_by("B")]).assignment;
    assert_eq!((first.rep.as_ref().unwrap().as_str(), first.cause), ("A", Cause::Rotation));
    assert!(first.owner_changed, "the group alone decides");
    let second = world.assign("y", &Via::Group(group("g")), &[]).assignment;
    assert_eq!(second.rep.unwrap().as_str(), "B");
    assert_eq!(
        world.rotation("g", None, 0).turns.len(),
        2,
        "one place for all calls without campaign"
    );
    assert_eq!(world.next("c"), "A", "and another for a campaign");
}

#[test]
fn s2_8_the_caller_names_the_rule_and_so_the_team_that_is_asked_first() {
    let mut world = World::with_reps("A B X Y");
    world.create_group("sales", "A B").unwrap();
    world.create_group("support", "X Y").unwrap();
    world.create_rule("sales", vec![to_group("sales")]);
    world.create_rule("support", vec![to_group("support"), to_group("sales")]);
    let ask = |world: &mut World, contact: &str, of: &str| {
        let assignment = world.assign(contact, &by_rule(of), &[]).assignment;
        assignment.rep.unwrap().to_string()
    };
    let picks = [("1", "sales"), ("2", "support"), ("3", "sales"), ("4", "support")]
        .map(|(contact, of)| ask(&mut world, contact, of));
    assert_eq!(picks, ["A", "X", "B", "Y"]);
}

#[test]
fn s2_9_an_edit_takes_effect_at_once_and_wholly() {
    let mut world = World::with_ring("A B");
    world.create_rep("C").unwrap();
    world.create_group("h", "C").unwrap();
    let edit = retarget("c", vec![waiting(HOUR, if_online(to_group("h"))), to_group("g")]);
    world.ok(edit);
    world.assign("x", &via("c"), &[]);
    assert_eq!(world.at("x"), "PENDING -", "the whole edit holds for the next contact");
    let stale = world.state.campaign(&super::world::team(), &super::world::campaign("c"));
    let etag = Some(stale.unwrap().0.meta.revision);
    world.ok(retarget("c", vec![to_group("g")]));
    assert_eq!(world.at("x"), "ASSIGNED A", "and for those who wait");
    let command = turnwise::routing::Command {
        request: None,
        principal: Principal::default(),
        team: super::world::team(),
        etag,
        operation: retarget("c", vec![to_group("h")]),
    };
    assert_eq!(name(&world.command(&command).unwrap_err()), "EtagMismatch");
}

#[test]
fn s2_10_two_campaigns_of_the_same_people_by_other_strategies_are_two_groups() {
    let mut world = World::with_ring("A B C");
    let settings = GroupSettings {
        strategy: Strategy::LeastOpen,
        cursor_scope: CursorScope::Group,
        ..GroupSettings::default()
    };
    world.ok(new_group("h", settings, members("A B C")));
    world.run_campaign("d", vec![to_group("h")]);
    world.ok(super::world::out("B"));
    assert_eq!(world.picks("c", 2), "A C");
    world.back("B");
    assert_eq!(world.next("d"), "B", "who was away has least");
    assert_eq!(world.next("c"), "A", "and gets no burst in the ring");
}

#[test]
fn s2_1_only_what_waits_can_be_claimed_and_a_disabled_rep_claims_nothing() {
    let mut world = World::with_reps("A B");
    world.create_rule("wait", vec![waiting(HOUR, if_online(to_group("default")))]);
    let id = world.assign("x", &by_rule("wait"), &[]).assignment.id;
    world.ok(super::world::disable("B"));
    assert_eq!(name(&world.refused(claim_by("B")(id))), "RepDisabled");
    assert_eq!(name(&world.refused(claim_by("Z")(id))), "NotFound");
    world.limit("A", 1);
    world.assign("y", &Via::Rep(super::world::rep("A")), &[]);
    world.step("x", claim_by("A"));
    assert_eq!(world.at("x"), "ASSIGNED A", "a person decided: no filter but disabled");
    assert_eq!(world.rep("A").open_count, 2);
    assert_eq!(name(&world.refused(accept(id))), "WrongAssignmentState");
    let given = world.step("x", reassign_to("A"));
    assert_eq!((given.cause, given.decision.targets.len()), (Cause::Reassign, 0));
}

#[test]
fn s2_1_a_campaign_may_leave_all_to_be_claimed() {
    let mut world = World::with_reps("A");
    let (_, warnings) = world.draft_by("c", Route::Targets(vec![]));
    assert!(warnings.is_empty(), "it can yield nobody, and needs nobody");
    let launched = world.ok(super::world::launch("c"));
    assert!(matches!(launched, Outcome::Campaign(_, warnings) if warnings.is_empty()));
    world.out("A");
    assert_eq!(world.next("c"), "-");
}
