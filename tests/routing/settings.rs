//! Reps, groups, rules and teams as people set them up: hours, etags, guards, what is in use, retention.

use std::sync::Arc;

use turnwise::routing::{
    Assign, AssignmentFilter, AssignmentState, Availability, CampaignState, Command, ContactId,
    Hours, Interval, IntervalSet, Labels, MemberName, Operation, Reason, Rejection, RepChange,
    Revision, Route, TeamChange, Time, Via,
    limits::{ENDED_RETENTION_US, HOURS_RENEWED_UNDER_US},
};

use turnwise::routing::Principal;

use super::world::{
    DAY, HOUR, World, assign, by_rule, cancel, change_rep, close, delete_rep, disable, even_if_out,
    give_up, group, key, launch, name, new_rule, new_team, out, out_between, owned_by, pause, rep,
    reroute, retarget_rule, rule, team, to_group, to_owner, to_rep, via,
};

/// In hours from `start` to `end`, known for 400 days.
fn hours(start: u64, end: u64) -> Hours {
    let open = vec![Interval { start: Time(start), end: Time(end) }];
    Hours {
        time_zone: "UTC".into(),
        weekly: vec![],
        holidays: vec![],
        open: IntervalSet::of(open),
        horizon: Time(400 * DAY),
    }
}
fn set_hours(id: &str, hours: Option<Hours>) -> Operation {
    change_rep(id, RepChange { hours: Some(hours), ..RepChange::default() })
}
fn reason_of(world: &mut World, contact: &str, via: &Via) -> Option<Reason> {
    let assignment = world.assign(contact, via, &[]).assignment;
    assignment.decision.targets[0].skipped.named.first().map(|passed| passed.reason)
}

#[test]
fn outside_working_hours_a_rep_is_passed_over_and_beyond_the_horizon_not() {
    let mut world = World::with_ring("A B");
    world.ok(set_hours("A", Some(hours(10 * HOUR, 12 * HOUR))));
    let mut at = |now| {
        world.now = now;
        world.ok(Operation::Tick);
        world.rep("A").availability(Time(now))
    };
    assert_eq!(at(10 * HOUR - 1), Availability::OffHours);
    assert_eq!(at(10 * HOUR), Availability::Available);
    assert_eq!(at(12 * HOUR), Availability::OffHours);
    assert_eq!(at(400 * DAY), Availability::Available, "what is not known stops nobody");
    let mut world = World::with_ring("A B");
    world.ok(set_hours("A", Some(hours(10 * HOUR, 12 * HOUR))));
    assert_eq!(reason_of(&mut world, "x", &via("c")), Some(Reason::OffHours));
    world.create_rule("always", vec![even_if_out(to_rep("A"))]);
    assert_eq!(reason_of(&mut world, "y", &by_rule("always")), None, "waived like absence");
    world.ok(set_hours("B", Some(hours(10 * HOUR, 12 * HOUR))));
    assert_eq!(world.next("c"), "-", "hours do not count for coverage");
    world.ok(set_hours("A", None));
    assert_eq!(world.next("c"), "A");
}

#[test]
fn hours_are_renewed_before_they_run_out_and_only_if_they_are_still_the_same() {
    let mut world = World::with_reps("A B");
    world.ok(set_hours("A", Some(hours(HOUR, 2 * HOUR))));
    let horizon = 400 * DAY;
    let due = |now: u64| world.state.hours_to_renew(Time(now), 10);
    assert!(due(horizon - HOURS_RENEWED_UNDER_US).is_empty());
    let [(of, who, old)] = &due(horizon - HOURS_RENEWED_UNDER_US + 1)[..] else { panic!() };
    assert_eq!((of, who, old), (&team(), &rep("A"), &hours(HOUR, 2 * HOUR)));
    let further = Hours { horizon: Time(500 * DAY), ..hours(HOUR, 3 * HOUR) };
    let renew = |hours: Hours| Operation::RenewHours { rep: rep("A"), hours };
    let etag = world.rep("A").meta.revision;
    let other_zone = Hours { time_zone: "Europe/Berlin".into(), ..further.clone() };
    world.ok(renew(other_zone));
    assert_eq!(
        world.rep("A").hours,
        Some(Arc::new(hours(HOUR, 2 * HOUR))),
        "they have others by now"
    );
    world.ok(renew(further.clone()));
    assert_eq!(world.rep("A").hours, Some(Arc::new(further)));
    assert_eq!(world.rep("A").meta.revision, etag, "nobody changed what was said");
}

#[test]
fn availability_has_one_reason_the_first_that_holds() {
    let mut world = World::with_reps("A B");
    let seen = |world: &World| world.rep("A").availability(world.state.time());
    assert_eq!(seen(&world), Availability::Available);
    world.limit("A", 1);
    world.assign("x", &Via::Rep(rep("A")), &[]);
    assert_eq!(seen(&world), Availability::AtCapacity);
    world.ok(set_hours("A", Some(hours(10 * HOUR, 12 * HOUR))));
    assert_eq!(seen(&world), Availability::OffHours);
    world.out("A");
    assert_eq!(seen(&world), Availability::OutOfOffice);
    world.ok(disable("A"));
    assert_eq!(seen(&world), Availability::Disabled);
}

#[test]
fn a_stale_etag_is_refused_and_only_configuration_makes_one() {
    let mut world = World::with_ring("A B C");
    let send = |world: &mut World, etag: Revision, operation: Operation| {
        let (request, principal, team, etag) = (None, Principal::default(), team(), Some(etag));
        world.command(&Command { request, principal, team, etag, operation })
    };
    let first = world.rep("A").meta.revision;
    world.picks("c", 4);
    world.online("A");
    world.ok(out_between("B", 5_000, 6_000));
    assert_eq!(world.rep("A").meta.revision, first, "traffic and presence change no etag");
    assert_eq!(first.to_string(), "2-0", "the place of the change");
    send(
        &mut world,
        first,
        change_rep("A", RepChange { max_open: Some(5), ..RepChange::default() }),
    )
    .unwrap();
    let stale = send(&mut world, first, disable("A")).unwrap_err();
    assert_eq!(name(&stale), "EtagMismatch");
    let gone = send(&mut world, first, delete_rep("Z")).unwrap_err();
    assert_eq!(name(&gone), "NotFound", "what is missing comes before what is stale");
    let coverage = send(&mut world, first, delete_rep("A")).unwrap_err();
    assert_eq!(name(&coverage), "EtagMismatch", "and what is stale before what it would break");
    let there = world.rep("A").meta.revision;
    send(&mut world, there, delete_rep("A")).unwrap();
    let campaign = world.state.campaign(&team(), &super::world::campaign("c")).unwrap().0;
    assert_eq!(campaign.meta.create_time, Time(1_000));
    send(&mut world, campaign.meta.revision, pause("c")).unwrap();
    assert_eq!(
        name(&send(&mut world, campaign.meta.revision, cancel("c")).unwrap_err()),
        "EtagMismatch"
    );
}

#[test]
fn s0_23e3_disabling_the_last_available_rep_is_refused() {
    let mut world = World::with_reps("A B");
    world.draft("c", None);
    world.out("A");
    let refused = world.refused(disable("B"));
    assert_eq!(name(&refused), "LastAvailableRep");
    world.back("A");
    world.ok(disable("B"));
    assert_eq!(name(&world.refused(out("A"))), "LastAvailableRep");
}

#[test]
fn s0_22_a_scheduled_campaign_is_active_and_routes_nothing_yet() {
    let mut world = World::with_reps("A");
    world.draft("c", None);
    let (campaign, launch_time) = (super::world::campaign("c"), Some(Time(9_000)));
    world.ok(Operation::ScheduleCampaign { campaign: campaign.clone(), launch_time });
    let (scheduled, _) = world.state.campaign(&team(), &campaign).unwrap();
    assert_eq!((scheduled.state, scheduled.launch_time), (CampaignState::Scheduled, launch_time));
    assert_eq!(name(&world.refused(out("A"))), "LastAvailableRep");
    let early = world.refused(assign("x", &via("c"), &[]));
    assert_eq!(name(&early), "CampaignNotRunning");
    world.now = 10_000;
    world.ok(Operation::Tick);
    let early = world.refused(assign("x", &via("c"), &[]));
    assert_eq!(name(&early), "CampaignNotRunning", "a refusal needs a caller");
    world.ok(launch("c"));
    assert_eq!(world.next("c"), "A");
}

#[test]
fn s0_29_an_edited_rule_or_default_rule_is_an_edit_of_the_campaigns_that_go_by_it() {
    let mut world = World::with_reps("A B");
    world.create_rule("r", vec![to_rep("A")]);
    world.draft_by("by rule", Route::Rule(rule("r")));
    world.draft("by default", None);
    world.ok(launch("by rule"));
    world.ok(launch("by default"));
    world.out("B");
    let refused = world.refused(retarget_rule("r", vec![to_rep("B")]));
    assert_eq!(name(&refused), "GroupHasNoAvailableRep");
    world.create_rule("s", vec![to_rep("B")]);
    let default = |id: Option<&str>| Operation::UpdateTeam {
        change: TeamChange { default_rule: Some(id.map(rule)), ..TeamChange::default() },
    };
    assert_eq!(name(&world.refused(default(Some("s")))), "GroupHasNoAvailableRep");
    assert_eq!(
        name(&world.refused(reroute("by rule", Route::Rule(rule("s"))))),
        "GroupHasNoAvailableRep"
    );
    world.back("B");
    world.ok(default(Some("s")));
    assert_eq!(world.next("by default"), "B");
    world.ok(retarget_rule("r", vec![to_rep("B")]));
    assert_eq!(world.next("by rule"), "B");
}

#[test]
fn s0_29_a_rule_may_not_open_a_gap_for_a_campaign_that_waits_for_its_launch() {
    let mut world = World::with_reps("A B");
    world.create_rule("r", vec![to_rep("A")]);
    world.draft_by("c", Route::Rule(rule("r")));
    world.ok(out_between("B", 5_000, 6_000));
    let refused = world.refused(retarget_rule("r", vec![to_rep("B")]));
    let Rejection::LastAvailableRep { gap, campaigns, .. } = refused else { panic!("{refused:?}") };
    assert_eq!((gap.start, campaigns.len()), (Time(5_000), 1));
}

#[test]
fn s0_31_used_is_also_by_a_rule_an_enclosing_group_or_the_team() {
    let mut world = World::with_reps("A");
    world.create_options("inner", "1 2").unwrap();
    world.create_options("outer", "3 [inner]").unwrap();
    let Rejection::GroupInUse { groups, .. } = world.refused(super::world::delete_group("inner"))
    else {
        panic!()
    };
    assert_eq!(groups, [group("outer")]);
    world.create_rule("r", vec![to_group("outer")]);
    let Rejection::GroupInUse { rules, .. } = world.refused(super::world::delete_group("outer"))
    else {
        panic!()
    };
    assert_eq!(rules, [rule("r")]);
    let delete = || Operation::DeleteRule { rule: rule("r"), allow_missing: false };
    let default_rule = Some(Some(rule("r")));
    world
        .ok(Operation::UpdateTeam { change: TeamChange { default_rule, ..TeamChange::default() } });
    let Rejection::RuleInUse { is_default, .. } = world.refused(delete()) else { panic!() };
    assert!(is_default);
    let default_rule = Some(None);
    world
        .ok(Operation::UpdateTeam { change: TeamChange { default_rule, ..TeamChange::default() } });
    world.draft_by("c", Route::Rule(rule("r")));
    let Rejection::RuleInUse { campaigns, .. } = world.refused(delete()) else { panic!() };
    assert_eq!(campaigns, [super::world::campaign("c")]);
    world.ok(cancel("c"));
    world.ok(delete());
    world.ok(super::world::delete_group("outer"));
}

#[test]
fn s0_32_after_cancelling_a_group_that_a_rule_names_needs_that_rule_edited_too() {
    let mut world = World::with_ring("A B");
    world.create_rule("r", vec![to_group("g")]);
    world.ok(cancel("c"));
    assert_eq!(name(&world.refused(super::world::delete_group("g"))), "GroupInUse");
    world.ok(retarget_rule("r", vec![]));
    world.ok(super::world::delete_group("g"));
}

#[test]
fn s0_16_the_default_groups_members_follow_the_reps_whatever_the_restart_policy() {
    let mut world = World::with_reps("A B");
    let remove = |id: &str| {
        let (group, member) = (group("default"), MemberName::Rep(rep(id)));
        Operation::RemoveGroupMember { group, member }
    };
    assert_eq!(world.refused(remove("A")), Rejection::DefaultGroupImmutable);
    let before = world.state.group(&team(), &group("default")).unwrap().meta.revision;
    world.create_rep("C").unwrap();
    let after = world.state.group(&team(), &group("default")).unwrap();
    assert_eq!((after.members.len(), after.meta.revision), (3, before), "nobody edited it");
}

#[test]
fn what_is_missing_may_be_deleted_if_the_caller_says_so() {
    let mut world = World::with_reps("A");
    let delete = |allow_missing| {
        let open = turnwise::routing::OpenAssignments::Keep;
        [
            Operation::DeleteRep { rep: rep("Z"), open, allow_missing },
            Operation::DeleteGroup { group: group("z"), allow_missing },
            Operation::DeleteRule { rule: rule("z"), allow_missing },
            Operation::DeleteCampaign { campaign: super::world::campaign("z"), allow_missing },
        ]
    };
    for operation in delete(false) {
        assert_eq!(name(&world.refused(operation)), "NotFound");
    }
    delete(true).into_iter().for_each(|operation| drop(world.ok(operation)));
    let nothing = turnwise::routing::TeamId::new("nobody");
    let delete = |allow_missing| {
        let operation = Operation::DeleteTeam { allow_missing };
        let (request, principal, etag) = (None, Principal::default(), None);
        Command { request, principal, team: nothing.clone(), etag, operation }
    };
    assert_eq!(name(&world.command(&delete(false)).unwrap_err()), "NotFound");
    world.command(&delete(true)).unwrap();
}

#[test]
fn a_team_is_deleted_when_nothing_in_it_is_active_or_open() {
    let mut world = World::with_ring("A");
    let delete = || Operation::DeleteTeam { allow_missing: false };
    world.assign("x", &via("c"), &[]);
    let Rejection::TeamInUse { campaigns, open } = world.refused(delete()) else { panic!() };
    assert_eq!((campaigns.len(), open), (1, 1));
    world.ok(cancel("c"));
    assert_eq!(name(&world.refused(delete())), "TeamInUse");
    world.step("x", close);
    world.send(key("r1", 1), delete()).unwrap();
    assert!(world.state.team(&team()).is_err());
    world.send(key("r1", 2), new_team()).unwrap();
}

#[test]
fn labels_and_names_are_kept_with_every_resource() {
    let mut world = World::with_reps("A");
    let labels = Labels::from([("cost centre".to_owned(), "7".to_owned())]);
    let change = RepChange {
        labels: Some(labels.clone()),
        display_name: Some("Ana".into()),
        ..RepChange::default()
    };
    world.now = 2_000;
    world.ok(change_rep("A", change));
    let rep = world.rep("A");
    assert_eq!((&*rep.display_name, &rep.meta.labels), ("Ana", &labels));
    assert_eq!((rep.meta.create_time, rep.meta.update_time), (Time(1_000), Time(2_000)));
    let Operation::CreateRule { rule, display_name, targets, .. } = new_rule("r", vec![]) else {
        panic!()
    };
    let labels_of_rule = labels.clone();
    world.ok(Operation::CreateRule {
        rule: rule.clone(),
        display_name,
        labels: labels_of_rule,
        targets,
    });
    assert_eq!(world.state.rule(&team(), &rule).unwrap().meta.labels, labels);
}

#[test]
fn s1_10_an_owner_who_gets_another_email_is_found_by_it() {
    let mut world = World::with_reps("A B");
    world.run_campaign("c", vec![to_owner(), to_group("default")]);
    let change = RepChange { email: Some(Some("b@example.com".into())), ..RepChange::default() };
    assert_eq!(
        world.refused(change_rep("A", change.clone())),
        Rejection::EmailTaken { rep: rep("B") }
    );
    world.ok(change_rep("B", RepChange { email: Some(None), ..RepChange::default() }));
    world.ok(change_rep("A", change));
    assert_eq!(world.next_of("c", &[owned_by("B")]), "A");
}

#[test]
fn what_ended_is_forgotten_after_90_days_four_a_command_the_oldest_first() {
    let mut world = World::with_ring("A");
    for i in 1..=6 {
        world.now += 1;
        world.next("c");
        // The first is cancelled, the second closed, and so on: neither is kept for longer.
        let step = if i % 2 == 1 { give_up } else { close };
        world.step(&format!("contact-{i}"), step);
    }
    let open = world.next("c");
    assert_eq!(open, "A");
    let ended = ["CANCELLED A", "CLOSED A", "CANCELLED A", "CLOSED A"];
    assert_eq!([1, 2, 3, 4].map(|i| world.at(&format!("contact-{i}"))), ended);
    let first_ended = world.now - 5;
    world.now = first_ended + ENDED_RETENTION_US - 1;
    world.ok(Operation::Tick);
    assert_eq!(world.all_of(None).len(), 7);
    world.now += 1;
    world.ok(Operation::Tick);
    assert_eq!(world.all_of(None).len(), 6, "not a moment too early");
    assert!(world.all_of(Some("contact-1")).is_empty(), "the cancelled one");
    world.now += 1;
    world.ok(Operation::Tick);
    assert!(world.all_of(Some("contact-2")).is_empty(), "the closed one");
    world.now += DAY;
    let left: Vec<usize> = (0..3)
        .map(|_| {
            world.ok(Operation::Tick);
            world.all_of(None).len()
        })
        .collect();
    assert_eq!(left, [1, 1, 1], "open ones never");
}

#[test]
fn a_batch_drops_as_many_as_it_ends_so_that_ended_ones_never_pile_up() {
    let mut world = World::with_options("1 2");
    let batches = |world: &mut World, name: &str| {
        for n in 0..5 {
            let item = |i| Assign::new(ContactId::new(&format!("{name}-{n}-{i}")), via("c"));
            world.ok(Operation::AssignBatch { items: (0..100).map(item).collect() });
        }
    };
    batches(&mut world, "old");
    assert_eq!(world.all_of(None).len(), 500);
    world.now += ENDED_RETENTION_US;
    batches(&mut world, "new");
    let left = world.all_of(None);
    assert_eq!(left.len(), 500);
    assert!(left.iter().all(|work| work.contact.as_str().starts_with("new")));
}

#[test]
fn a_forgotten_contact_is_new_and_its_request_with_it() {
    let mut world = World::with_ring("A B");
    let call = || (key("r1", 1), assign("x", &via("c"), &[]));
    let first = world.send(call().0, call().1).unwrap();
    world.step("x", close);
    world.now += ENDED_RETENTION_US - 1;
    assert_eq!(world.send(call().0, call().1).as_ref(), Ok(&first));
    let id = world.work("x").id;
    world.now += 1;
    world.ok(Operation::Tick);
    let refused = world.refused(Operation::CloseAssignment { assignment: id });
    assert_eq!(name(&refused), "NotFound", "what a step then sees");
    let again = world.send(call().0, call().1).unwrap();
    assert_ne!(again, first, "what a retry then sees is a new call");
    assert_eq!(world.at("x"), "ASSIGNED B");
}

#[test]
fn assignments_are_found_by_state_and_rep() {
    let mut world = World::with_ring("A B");
    world.picks("c", 4);
    world.step("contact-1", close);
    let find = |state, who: Option<&str>| {
        let filter = AssignmentFilter { state, rep: who.map(rep), ..AssignmentFilter::default() };
        let found = world.state.assignments(&team(), &filter, None, 100).unwrap();
        found.iter().map(|a| a.contact.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(find(Some(AssignmentState::Closed), None), ["contact-1"]);
    assert_eq!(find(None, Some("B")), ["contact-2", "contact-4"]);
    assert_eq!(find(Some(AssignmentState::Assigned), Some("A")), ["contact-3"]);
}

#[test]
fn a_batch_is_the_calls_in_order_or_nothing() {
    let mut world = World::with_ring("A B C");
    let item = |contact: &str, campaign: &str| {
        turnwise::routing::Assign::new(turnwise::routing::ContactId::new(contact), via(campaign))
    };
    let items = vec![item("x", "c"), item("y", "nowhere"), item("z", "also nowhere")];
    let Rejection::Item { index, rejection } = world.refused(Operation::AssignBatch { items })
    else {
        panic!()
    };
    assert_eq!((index, name(&rejection)), (1, "NotFound".to_owned()));
    let items = vec![item("x", "c"), item("y", "c"), item("x", "c"), item("z", "c")];
    let call = || (key("batch", 1), Operation::AssignBatch { items: items.clone() });
    let reply = world.send(call().0, call().1).unwrap();
    let turnwise::routing::Outcome::Batch(routed) = &reply.outcome else { panic!() };
    let rows: Vec<_> = routed
        .iter()
        .map(|one| {
            (one.assignment.id.to_string(), super::world::taker(&one.assignment), one.existing)
        })
        .collect();
    let index = world.index;
    let expected = [
        (format!("{index}-0"), "A".to_owned(), false),
        (format!("{index}-0-1"), "B".to_owned(), false),
        (format!("{index}-0"), "A".to_owned(), true),
        (format!("{index}-0-3"), "C".to_owned(), false),
    ];
    assert_eq!(rows, expected);
    assert_eq!(world.send(call().0, call().1), Ok(reply), "one request id for all");
}
