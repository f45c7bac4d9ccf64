//! Waiting and draining: who is held where, for how long, and who is served first.

use turnwise::routing::{
    Assign, AssignmentState, Cause, GroupChange, Hours, Interval, IntervalSet, OpenAssignments,
    Operation, OwnerKind, PeriodCap, Reason, RepChange, Target, TargetKind, TargetOutcome, Time,
    Via,
};

use super::world::{
    DAY, HOUR, SECOND, World, again_by_rule, assign, by_rule, campaign, cancel, change_rep,
    claim_by, close, delete_rep, email, even_if_out, group, if_online, name, named, offering,
    out_between, owned_by, owner, reassign_to, reject, rep, retarget, retarget_rule, team,
    to_group, to_owner, to_rep, unassign, via, waiting,
};

/// Rule `r` over group `g` of these reps, where contacts wait for an hour; each rep may have one.
fn full(list: &str) -> World {
    let mut world = World::with_ring(list);
    world.create_rule("r", vec![waiting(HOUR, to_group("g"))]);
    for (i, id) in list.split(' ').enumerate() {
        world.limit(id, 1);
        world.assign(&format!("first-{i}"), &Via::Rep(rep(id)), &[]);
    }
    world
}

fn wait_for(world: &mut World, contact: &str, priority: i32) {
    let asked = Assign {
        priority,
        ..Assign::new(turnwise::routing::ContactId::new(contact), by_rule("r"))
    };
    world.ok(Operation::AssignContact(asked));
    assert_eq!(world.at(contact), "PENDING -", "{contact}");
}

/// The contacts that wait, by age.
fn waiting_now(world: &World) -> String {
    let all = world.all_of(None).into_iter().filter(|a| a.state == AssignmentState::Pending);
    all.map(|a| a.contact.to_string()).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_waiting_are_served_by_priority_and_then_by_age() {
    let mut world = full("A B");
    for (contact, priority) in [("old", 0), ("urgent", 5), ("young", 0), ("urgent too", 5)] {
        wait_for(&mut world, contact, priority);
    }
    world.step("first-0", close);
    assert_eq!(world.at("urgent"), "ASSIGNED A");
    world.step("first-1", close);
    assert_eq!(world.at("urgent too"), "ASSIGNED B");
    world.step("urgent", close);
    assert_eq!(world.at("old"), "ASSIGNED A");
    assert_eq!(waiting_now(&world), "young");
}

#[test]
fn whatever_makes_somebody_eligible_serves_the_waiting_in_the_same_command() {
    type Change = fn(&mut World);
    let changes: [(&str, Change); 9] = [
        ("a close", |world| drop(world.step("first-0", close))),
        ("an unassign", |world| drop(world.step("first-0", unassign))),
        ("a cancel", |world| drop(world.step("first-0", super::world::give_up))),
        ("a reassign", |world| {
            world.create_rep("Z").unwrap();
            world.step("first-0", super::world::reassign_to("Z"));
        }),
        ("more capacity", |world| world.limit("A", 2)),
        ("no limit", |world| world.limit("A", 0)),
        ("a new member", |world| {
            world.create_rep("Z").unwrap();
            world.add("g", "Z");
        }),
        ("waiving what is waived", |world| {
            world.create_rep("Z").unwrap();
            world.out("Z");
            world.add("g", "Z");
            world.ok(retarget_rule("r", vec![even_if_out(to_group("g"))]));
        }),
        ("another target", |world| {
            world.create_rep("Z").unwrap();
            world.ok(retarget_rule("r", vec![to_rep("Z")]));
        }),
    ];
    for (what, change) in changes {
        let mut world = full("A");
        wait_for(&mut world, "x", 0);
        change(&mut world);
        let served = world.work("x");
        assert_eq!(served.state, AssignmentState::Assigned, "{what}");
        assert_eq!(served.position.log_index, world.index, "{what}: in that command");
        let picked = served.decision.targets.last().unwrap();
        assert_eq!(picked.outcome, TargetOutcome::Picked, "{what}");
        assert_eq!(served.decision.targets.len(), 1, "{what}: the wait became the pick");
    }
}

#[test]
fn a_return_serves_the_waiting_and_so_does_the_end_of_an_absence() {
    let mut world = World::with_reps("A");
    world.create_rule("r", vec![waiting(DAY, to_rep("A"))]);
    world.out("A");
    wait_for(&mut world, "x", 0);
    world.back("A");
    assert_eq!(world.at("x"), "ASSIGNED A");
    world.ok(out_between("A", world.now, world.now + HOUR));
    wait_for(&mut world, "y", 0);
    assert_eq!(world.state.next_due(), Some(Time(world.now + HOUR)));
    world.now += HOUR;
    assert_eq!(world.state.due_teams(Time(world.now)), [team()]);
    world.ok(Operation::Tick);
    assert_eq!(world.at("y"), "ASSIGNED A");
    assert_eq!(world.state.next_due(), None, "nothing is due any more");
}

#[test]
fn working_hours_serve_the_waiting_when_they_start_and_not_a_moment_before() {
    let (opens, horizon) = (Time(10 * HOUR), Time(30 * HOUR));
    let open = |spans: &[(u64, u64)]| {
        let spans =
            spans.iter().map(|(start, end)| Interval { start: Time(*start), end: Time(*end) });
        IntervalSet::of(spans.collect())
    };
    let of_days = [(10 * HOUR, 12 * HOUR), (20 * HOUR, 22 * HOUR)];
    // When they open, and where nothing is known any more: both are times at which somebody is there.
    for (spans, due) in [(open(&of_days), opens), (open(&[(0, 1)]), horizon)] {
        let mut world = World::with_reps("A");
        world.create_rule("r", vec![waiting(7 * DAY, to_rep("A"))]);
        let (time_zone, weekly, holidays) = ("UTC".to_owned(), vec![], vec![]);
        let hours = Hours { time_zone, weekly, holidays, open: spans, horizon };
        world.ok(change_rep("A", RepChange { hours: Some(Some(hours)), ..RepChange::default() }));
        wait_for(&mut world, "x", 0);
        assert_eq!(world.work("x").decision.targets[0].skipped.named[0].reason, Reason::OffHours);
        assert_eq!(world.state.next_due(), Some(due));
        world.now = due.0 - 1;
        assert!(world.state.due_teams(Time(world.now)).is_empty());
        world.ok(Operation::Tick);
        assert_eq!(world.at("x"), "PENDING -");
        assert_eq!(world.state.next_due(), Some(due), "it is still due then");
        world.now = due.0;
        assert_eq!(world.state.due_teams(Time(world.now)), [team()]);
        world.ok(Operation::Tick);
        assert_eq!(world.at("x"), "ASSIGNED A");
        assert_eq!(world.state.next_due(), None);
    }
}

#[test]
fn enabling_presence_and_a_new_window_of_a_cap_serve_the_waiting() {
    let mut world = World::with_reps("A");
    world.create_group("g", "A").unwrap();
    world.ok(super::world::disable("A"));
    world.create_rule("r", vec![waiting(2 * DAY, to_group("g"))]);
    wait_for(&mut world, "x", 0);
    world.ok(change_rep("A", RepChange { disabled: Some(false), ..RepChange::default() }));
    assert_eq!(world.at("x"), "ASSIGNED A");

    let cap = Some(Some(PeriodCap { count: 1, period_us: DAY }));
    let change = GroupChange { period_cap: cap, ..GroupChange::default() };
    world.ok(Operation::UpdateGroup { group: group("g"), change });
    world.assign("first", &Via::Group(group("g")), &[]);
    assert_eq!(world.at("first"), "ASSIGNED A");
    wait_for(&mut world, "y", 0);
    let reason = world.work("y").decision.targets[0].skipped.named[0].reason;
    assert_eq!(reason, Reason::PeriodCap);
    assert_eq!(world.state.next_due(), Some(Time(DAY)), "windows start at the Unix epoch");
    world.now = DAY - 1;
    world.ok(Operation::Tick);
    assert_eq!(world.at("y"), "PENDING -");
    world.now = DAY;
    world.ok(Operation::Tick);
    assert_eq!(world.at("y"), "ASSIGNED A");

    world.ok(retarget_rule("r", vec![waiting(HOUR, if_online(to_rep("A")))]));
    wait_for(&mut world, "z", 0);
    world.online("A");
    assert_eq!(world.at("z"), "ASSIGNED A");
}

#[test]
fn the_waiting_come_before_the_newcomer() {
    let mut world = World::with_reps("A");
    world.limit("A", 1);
    world.create_rule("r", vec![waiting(DAY, to_rep("A"))]);
    world.ok(out_between("A", 0, 5_000));
    wait_for(&mut world, "old", 0);
    world.now = 5_000;
    world.assign("new", &by_rule("r"), &[]);
    assert_eq!((world.at("old"), world.at("new")), ("ASSIGNED A".into(), "PENDING -".into()));
}

#[test]
fn who_cannot_be_served_does_not_hold_up_the_others() {
    let mut world = World::with_reps("A B");
    world.out("A");
    world.out("B");
    world.create_rule("r", vec![waiting(DAY, to_rep("A"))]);
    world.create_rule("s", vec![waiting(DAY, to_rep("B"))]);
    wait_for(&mut world, "x", 9);
    world.assign("y", &by_rule("s"), &[]);
    world.back("B");
    assert_eq!((world.at("x"), world.at("y")), ("PENDING -".into(), "ASSIGNED B".into()));
}

#[test]
fn a_wait_ends_at_its_end_and_not_a_moment_before() {
    for (after, state) in [(HOUR - 1, "PENDING -"), (HOUR, "UNASSIGNED -")] {
        let mut world = full("A");
        wait_for(&mut world, "x", 0);
        assert_eq!(world.work("x").wait_end, Some(Time(world.now + HOUR)));
        world.now += after;
        world.ok(Operation::Tick);
        assert_eq!(world.at("x"), state);
    }
}

#[test]
fn whose_wait_is_over_is_still_tried_where_it_waited_before_it_goes_on() {
    let mut world = World::with_reps("A B");
    world.create_rule("r", vec![waiting(HOUR, to_rep("A")), to_rep("B")]);
    world.ok(out_between("A", 0, 2 * HOUR));
    wait_for(&mut world, "x", 0);
    world.now += 3 * HOUR; // The tick came late: A is back, and B was never needed.
    world.ok(Operation::Tick);
    assert_eq!(world.at("x"), "ASSIGNED A");
}

#[test]
fn each_target_on_the_way_has_a_wait_of_its_own() {
    let mut world = World::with_reps("A B C");
    ["A", "B"].into_iter().for_each(|id| world.out(id));
    let targets = vec![waiting(HOUR, to_rep("A")), waiting(HOUR, to_rep("B")), to_rep("C")];
    world.create_rule("r", targets);
    wait_for(&mut world, "x", 0);
    world.now += 5 * HOUR;
    world.ok(Operation::Tick);
    let work = world.work("x");
    assert_eq!((work.state, work.target_index), (AssignmentState::Pending, Some(1)));
    assert_eq!(work.wait_end, Some(Time(world.now + HOUR)), "from when it came there");
    let outcomes: Vec<_> = work.decision.targets.iter().map(|t| t.outcome).collect();
    assert_eq!(outcomes, [TargetOutcome::NoEligible, TargetOutcome::Waiting]);
    world.now += HOUR;
    world.ok(Operation::Tick);
    assert_eq!(world.at("x"), "ASSIGNED C");
}

#[test]
fn an_owner_who_is_away_can_be_waited_for_and_one_who_is_nobody_can_not() {
    let mut world = World::with_reps("A B");
    world.create_rule("r", vec![waiting(HOUR, to_owner()), to_rep("B")]);
    let at_once = world.assign("x", &by_rule("r"), &[]).assignment;
    assert_eq!(at_once.rep, Some(rep("B")), "waiting cannot help");
    world.out("A");
    world.assign("y", &by_rule("r"), &[owned_by("A")]);
    assert_eq!(world.at("y"), "PENDING -");
    world.back("A");
    assert_eq!(world.at("y"), "ASSIGNED A");
    assert_eq!(world.work("y").cause, Cause::Owner);
}

#[test]
fn a_failed_try_changes_nothing() {
    let mut world = full("A");
    wait_for(&mut world, "x", 0);
    let before = world.work("x");
    world.create_rep("Z").unwrap();
    world.now += 1;
    world.ok(Operation::Tick);
    assert_eq!(world.work("x"), before);
}

#[test]
fn edited_targets_start_the_waiting_again_and_leave_the_others() {
    let mut world = World::with_reps("A B C D");
    world.out("A");
    world.run_campaign("c", vec![to_rep("D"), waiting(HOUR, to_rep("A"))]);
    world.assign("done", &via("c"), &[]);
    world.limit("D", 1);
    world.assign("x", &via("c"), &[]);
    assert_eq!(world.work("x").target_index, Some(1));
    world.now += HOUR / 2;
    world.ok(retarget("c", vec![waiting(HOUR, to_rep("A")), to_rep("B")]));
    let work = world.work("x");
    assert_eq!((work.target_index, work.wait_end), (Some(0), Some(Time(world.now + HOUR))));
    assert_eq!(work.decision.targets.len(), 1, "a decision of its own");
    assert_eq!(world.at("done"), "ASSIGNED D");
    world.ok(retarget("c", vec![to_rep("C")]));
    assert_eq!(world.at("x"), "ASSIGNED C", "in the same command");
}

#[test]
fn edited_targets_reach_an_offer_when_it_comes_back() {
    let mut world = World::with_reps("A B C");
    world.run_campaign("c", vec![offering(HOUR, to_rep("A"))]);
    world.assign("x", &via("c"), &[]);
    world.ok(retarget("c", vec![to_rep("B"), to_rep("C")]));
    assert_eq!(world.at("x"), "OFFERED A", "it stays until it is answered");
    world.step("x", reject);
    assert_eq!((world.at("x"), world.work("x").target_index), ("ASSIGNED B".into(), Some(0)));
}

#[test]
fn a_deleted_rule_leaves_its_waiting_to_be_claimed() {
    let mut world = full("A");
    wait_for(&mut world, "x", 0);
    world.ok(Operation::DeleteRule { rule: super::world::rule("r"), allow_missing: false });
    assert_eq!(world.at("x"), "UNASSIGNED -");
    world.step("x", claim_by("A"));
}

#[test]
fn a_cancelled_campaign_leaves_what_waits_and_keeps_what_is_done() {
    let mut world = World::with_reps("A B");
    let held = waiting(HOUR, if_online(to_rep("B")));
    world.run_campaign("c", vec![to_owner(), offering(HOUR, to_rep("A")), held]);
    world.assign("done", &via("c"), &[owned_by("B")]);
    world.assign("offered", &via("c"), &[]);
    world.limit("A", 1);
    world.assign("waits", &via("c"), &[]);
    let states = |world: &World| ["done", "offered", "waits"].map(|contact| world.at(contact));
    assert_eq!(states(&world), ["ASSIGNED B", "OFFERED A", "PENDING -"]);
    world.ok(cancel("c"));
    assert_eq!(states(&world), ["ASSIGNED B", "UNASSIGNED -", "UNASSIGNED -"]);
    assert_eq!(world.work("waits").cause, Cause::CampaignCancelled);
    assert_eq!(world.rep("A").open_count, 0);
}

#[test]
fn a_paused_campaign_drains_like_a_running_one() {
    let mut world = World::with_reps("A B");
    world.run_campaign("c", vec![waiting(HOUR, if_online(to_rep("A")))]);
    world.assign("x", &via("c"), &[]);
    world.ok(super::world::pause("c"));
    world.online("A");
    assert_eq!(world.at("x"), "ASSIGNED A");
}

#[test]
fn a_drain_moves_the_cursor_of_the_contacts_own_campaign() {
    let mut world = World::with_ring("A B C");
    world.run_campaign("d", vec![waiting(HOUR, if_online(to_group("g")))]);
    world.assign("x", &via("d"), &[]);
    assert_eq!(world.next("c"), "A");
    let before = world.cursor("g", "c");
    world.online("B");
    assert_eq!(world.at("x"), "ASSIGNED B");
    assert_eq!(world.cursor("g", "c"), before);
    assert_eq!(world.rotation("g", Some("d"), 0).last_served.as_ref().map(named), Some("B".into()));
}

#[test]
fn an_offer_that_is_refused_or_lapses_goes_to_the_next_and_never_back() {
    let mut world = World::with_ring("A B C");
    world.run_campaign("d", vec![offering(60 * SECOND, to_group("g"))]);
    let made = world.assign("x", &via("d"), &[]).assignment;
    assert_eq!(
        (made.state, made.offer_end),
        (AssignmentState::Offered, Some(Time(world.now + 60 * SECOND)))
    );
    world.step("x", reject);
    assert_eq!(world.at("x"), "OFFERED B");
    world.now += 60 * SECOND;
    world.ok(Operation::Tick);
    assert_eq!(world.at("x"), "OFFERED C");
    let refused = world.step("x", reject);
    assert_eq!(
        refused.state,
        AssignmentState::Unassigned,
        "when all have refused, the chain goes on"
    );
    assert_eq!(refused.rejected_by, ["A", "B", "C"].map(rep));
    let reasons: Vec<_> =
        refused.decision.targets[0].skipped.named.iter().map(|p| p.reason).collect();
    assert_eq!(reasons, [Reason::RejectedBefore; 3]);
    let causes: Vec<_> = refused.history.iter().map(|step| step.cause).collect();
    let expected = [
        Cause::Rotation,
        Cause::Reject,
        Cause::Rotation,
        Cause::OfferTimeout,
        Cause::Rotation,
        Cause::Reject,
        Cause::NoTarget,
    ];
    assert_eq!(causes, expected);
    assert_eq!((refused.id, refused.create_time), (made.id, made.create_time), "its age for ever");
    assert_eq!(world.next("c"), "A", "each offer took a turn under `d` and none here");
}

#[test]
fn what_is_accepted_is_assigned_and_what_lapses_at_that_moment_is_not() {
    let mut world = World::with_ring("A B");
    world.run_campaign("d", vec![offering(60, to_group("g"))]);
    world.assign("x", &via("d"), &[]);
    world.assign("y", &via("d"), &[]);
    world.now += 59;
    world.step("x", super::world::accept);
    assert_eq!(world.at("x"), "ASSIGNED A");
    world.now += 1;
    let late = world.do_(super::world::accept(world.work("y").id));
    assert!(late.is_ok(), "it was offered to A by then: the step names the assignment");
    assert_eq!(world.at("y"), "ASSIGNED A");
}

#[test]
fn a_refused_offer_resumes_with_the_wait_it_had() {
    let mut world = World::with_reps("A B");
    world.create_group("g", "A").unwrap();
    let held = Target { accept_timeout_us: 10 * HOUR, ..waiting(HOUR, to_group("g")) };
    world.create_rule("r", vec![held, to_rep("B")]);
    world.assign("x", &by_rule("r"), &[]);
    let end = Time(world.now + HOUR);
    world.now += HOUR / 2;
    world.step("x", reject);
    assert_eq!((world.at("x"), world.work("x").wait_end), ("PENDING -".into(), Some(end)));
    world.assign("y", &by_rule("r"), &[]);
    world.now += HOUR;
    world.step("y", reject);
    assert_eq!(world.at("x"), "ASSIGNED B");
    assert_eq!(world.at("y"), "ASSIGNED B", "its hour was over when the offer came back");
}

#[test]
fn by_its_targets_again_means_without_who_has_it() {
    let mut world = World::with_ring("A B");
    world.assign("x", &via("c"), &[]);
    world.step("x", again_by_rule);
    assert_eq!(world.at("x"), "ASSIGNED B");
    world.out("A");
    let again = world.step("x", again_by_rule);
    assert_eq!(again.state, AssignmentState::Unassigned);
    let reasons: Vec<_> =
        again.decision.targets[0].skipped.named.iter().map(|p| p.reason).collect();
    assert_eq!(reasons, [Reason::OutOfOffice, Reason::Excluded]);
}

#[test]
fn while_it_waits_it_does_not_go_back_to_whom_it_was_taken_from() {
    let mut world = World::with_ring("A B");
    world.run_campaign("d", vec![waiting(HOUR, to_group("g"))]);
    world.out("B");
    world.assign("x", &via("d"), &[]);
    world.step("x", again_by_rule);
    assert_eq!(world.at("x"), "PENDING -", "A is there, and is who it was taken from");
    world.back("B");
    assert_eq!(world.at("x"), "ASSIGNED B");
}

#[test]
fn an_unassigned_contact_stays_so_until_somebody_acts() {
    let mut world = World::with_ring("A B");
    world.assign("x", &via("c"), &[]);
    world.step("x", unassign);
    world.now += DAY;
    world.ok(Operation::Tick);
    assert_eq!(world.at("x"), "UNASSIGNED -");
    let again = world.assign("x", &via("c"), &[]);
    assert!(again.existing);
    assert_eq!(world.at("x"), "ASSIGNED B", "a new call walks it again");
}

#[test]
fn s0_34_with_reroute_the_work_of_a_deleted_rep_goes_to_others_by_age() {
    let mut world = World::with_ring("A B C");
    world.picks("c", 6);
    let open = turnwise::routing::OpenAssignments::Reroute;
    world.ok(Operation::DeleteRep { rep: rep("A"), open, allow_missing: false });
    assert_eq!(
        (world.at("contact-1"), world.at("contact-4")),
        ("ASSIGNED B".into(), "ASSIGNED C".into())
    );
    assert_eq!(world.work("contact-1").cause, Cause::Rotation);

    let mut world = World::with_reps("A");
    world.create_rule("r", vec![to_owner()]);
    world.assign("x", &by_rule("r"), &[owned_by("A")]);
    world.ok(Operation::DeleteRep { rep: rep("A"), open, allow_missing: false });
    assert_eq!(world.at("x"), "UNASSIGNED -", "that nobody is there does not refuse it");
}

#[test]
fn s0_34_without_it_the_work_stays_with_who_is_gone() {
    let mut world = World::with_ring("A B");
    world.assign("x", &via("c"), &[]);
    world.ok(delete_rep("A"));
    assert_eq!(world.at("x"), "ASSIGNED A");
    world.step("x", close);
}

#[test]
fn the_last_rep_comes_before_the_first_target_that_is_no_owner() {
    let mut world = World::with_reps("A B C");
    world.create_group("g", "A B").unwrap();
    let owner = Target::new(TargetKind::Owner(vec![OwnerKind::Lead]));
    world.run_campaign("c", vec![owner, to_group("g")]);
    world.create_rule("again", vec![to_owner(), to_group("g")]);
    let ask = |world: &mut World, owners: &[_]| {
        let asked = Assign {
            prefer_last_rep: true,
            owners: owners.to_vec(),
            ..Assign::new(turnwise::routing::ContactId::new("x"), by_rule("again"))
        };
        let outcome = world.ok(Operation::AssignContact(asked));
        let work = super::world::assigned(outcome).assignment;
        world.step("x", close);
        work
    };
    assert_eq!(ask(&mut world, &[]).cause, Cause::Rotation, "no contact before, no last rep");
    let before = world.rotation("g", None, 0).cursor;
    let again = ask(&mut world, &[]);
    assert_eq!(
        (again.rep.clone(), again.cause, again.target_index),
        (Some(rep("A")), Cause::LastRep, Some(1))
    );
    assert!(again.decision.targets[1].is_last_rep);
    assert_eq!(world.rotation("g", None, 0).cursor, before, "it takes no turn");
    let owned = ask(&mut world, &[owned_by("C")]);
    assert_eq!(
        (owned.rep, owned.cause),
        (Some(rep("C")), Cause::Owner),
        "the owner keeps precedence"
    );
    let outside = ask(&mut world, &[]);
    assert_eq!(
        (outside.rep, outside.cause),
        (Some(rep("B")), Cause::Rotation),
        "C is not in the group"
    );
    world.out("B");
    let away = ask(&mut world, &[]);
    assert_eq!((away.rep, away.cause), (Some(rep("A")), Cause::Rotation));
    assert_eq!(away.decision.targets[1].outcome, TargetOutcome::NoEligible, "the last rep is out");
}

#[test]
fn assign_refuses_what_cannot_be_named() {
    let mut world = World::with_reps("A");
    world.ok(super::world::disable("A"));
    for (via, expected) in [
        (Via::Rep(rep("A")), "RepDisabled"),
        (Via::Rep(rep("Z")), "NotFound"),
        (Via::Group(group("z")), "NotFound"),
        (via("z"), "NotFound"),
    ] {
        assert_eq!(super::world::name(&world.refused(assign("x", &via, &[]))), expected, "{via:?}");
    }
}

#[test]
fn a_cancelled_campaign_routes_nothing_anew_but_a_person_may_give_what_it_gave() {
    let mut world = World::with_ring("A B");
    world.assign("x", &via("c"), &[]);
    assert_eq!(world.at("x"), "ASSIGNED A");
    world.ok(cancel("c"));
    assert_eq!(world.at("x"), "ASSIGNED A", "what is assigned stays");
    let id = world.work("x").id;
    assert_eq!(name(&world.refused(again_by_rule(id))), "CampaignNotRunning");
    assert_eq!(world.at("x"), "ASSIGNED A", "as a new contact, it is refused and not lost");
    world.step("x", reassign_to("B"));
    assert_eq!(world.at("x"), "ASSIGNED B");
    // Of a campaign that is gone there is nothing to go by: nobody has it then.
    world.ok(Operation::DeleteCampaign { campaign: campaign("c"), allow_missing: false });
    world.step("x", again_by_rule);
    assert_eq!(world.at("x"), "UNASSIGNED -");
}

#[test]
fn what_an_owner_is_found_by_can_become_another_reps_or_nobodys() {
    let mut world = World::with_reps("A B");
    world.create_rule("r", vec![waiting(HOUR, to_owner()), to_rep("B")]);
    world.out("A");
    let account = owner(OwnerKind::Account, &email("C"));
    world.assign("x", &by_rule("r"), &[owned_by("A"), account]);
    world.assign("y", &by_rule("r"), &[owned_by("A")]);
    assert_eq!(waiting_now(&world), "x y");
    world.create_rep("C").unwrap();
    assert_eq!(world.at("x"), "ASSIGNED C", "the account owner is a rep now");
    assert_eq!(waiting_now(&world), "y");
    let renamed = Some(Some(email("other")));
    world.ok(change_rep("A", RepChange { email: renamed, ..RepChange::default() }));
    assert_eq!(world.at("y"), "ASSIGNED B", "its owner is nobody now, for whom nobody waits");
    world.assign("z", &by_rule("r"), &[owned_by("other")]);
    assert_eq!(waiting_now(&world), "z");
    world.ok(delete_rep("A"));
    assert_eq!(world.at("z"), "ASSIGNED B", "likewise");
}

#[test]
fn what_waits_by_a_cancelled_campaign_ends_with_it() {
    let mut world = World::with_reps("A B C");
    world.create_group("g", "A B").unwrap();
    world.run_campaign("c", vec![waiting(HOUR, to_group("g"))]);
    world.assign("x", &via("c"), &[]);
    world.ok(cancel("c"));
    world.out("B");
    let (open, allow_missing) = (OpenAssignments::Reroute, false);
    world.ok(Operation::DeleteRep { rep: rep("A"), open, allow_missing });
    assert_eq!(world.at("x"), "PENDING -");
    world.ok(Operation::DeleteCampaign { campaign: campaign("c"), allow_missing: false });
    assert_eq!(world.at("x"), "UNASSIGNED -", "in the same command");
}
