//! What a ring can do besides going round: scope, order, resets, credits, caps, reports, previews.

use turnwise::routing::{
    Assign, Cause, ContactId, CursorScope, GroupChange, GroupSettings, KindRule, MemberName,
    MemberSpec, Operation, Outcome, PeriodCap, Preview, Reason, Rejection, Route, Time, Via,
    limits::{ANSWERED_MEMBERS_MAX, ANSWERED_PAYLOADS_LEN_MAX},
};

use super::world::{
    DAY, HOUR, SECOND, World, assign, campaign, close, group, if_online, member, members, name,
    named, new_group, offering, option, out, owned_by, rep, retarget, taker, team, to_group,
    to_owner, via, waiting,
};

fn adjust(of: &str, under: Option<&str>, who: MemberName, credits: i32) -> Operation {
    let (group, campaign, reason) = (group(of), under.map(campaign), String::new());
    Operation::AdjustRotation { group, campaign, member: who, credits, reason }
}
fn reorder(list: &str) -> Operation {
    let members = list.split(' ').map(member).collect();
    Operation::ReorderGroup { group: group("g"), members }
}
fn change(change: GroupChange) -> Operation {
    Operation::UpdateGroup { group: group("g"), change }
}

#[test]
fn s0_1_with_scope_group_all_campaigns_share_one_place() {
    let mut world = World::with_ring("A B C");
    world.run_campaign("d", vec![to_group("g")]);
    assert_eq!((world.next("c"), world.next("d")), ("A".into(), "A".into()));
    world.ok(change(GroupChange {
        cursor_scope: Some(CursorScope::Group),
        ..GroupChange::default()
    }));
    let picks = ["c", "d", "c", "d"].map(|id| world.next(id));
    assert_eq!(picks, ["A", "B", "C", "A"]);
    world.ok(change(GroupChange {
        cursor_scope: Some(CursorScope::Campaign),
        ..GroupChange::default()
    }));
    assert_eq!(world.next("c"), "B", "changing the scope keeps every place");
}

#[test]
fn v7_least_open_is_round_robin_with_a_load() {
    let mut world = World::with_reps("A B C");
    let strategy = turnwise::routing::Strategy::LeastOpen;
    let settings = GroupSettings { strategy, ..GroupSettings::default() };
    world.ok(new_group("g", settings, members("A B C")));
    world.run_campaign("c", vec![to_group("g")]);
    assert_eq!(world.picks("c", 6), "A B C A B C");
    world.step("contact-2", close);
    world.step("contact-5", close);
    assert_eq!(world.picks("c", 4), "B B C A");
}

#[test]
fn v8_an_added_option_starts_the_ring_over() {
    let mut world = World::with_options("1 2 3");
    assert_eq!(world.picks("c", 2), "1 2");
    let members = super::world::options("4");
    world.ok(Operation::AddGroupMembers { group: group("g"), members });
    assert_eq!(world.picks("c", 5), "1 2 3 4 1");
}

#[test]
fn a_weight_changed_in_mid_cycle_ends_at_most_one_cycle_early() {
    let mut world = World::with_ring("A*3 B*2 C*2");
    assert_eq!(world.picks("c", 5), "A B C A B");
    let (member, weight, payload) = (member("A"), Some(2), None);
    world.ok(Operation::UpdateGroupMember { group: group("g"), member, weight, payload });
    assert_eq!(world.picks("c", 4), "A B C A");
}

#[test]
fn a_new_order_leaves_the_cursor_with_its_member() {
    let mut world = World::with_ring("A B C D");
    assert_eq!(world.picks("c", 2), "A B");
    world.ok(reorder("D B A C"));
    assert_eq!(world.picks("c", 4), "A C D B");
    for list in ["A B C", "A B C D D", "A B C D Z", "A B C Z"] {
        assert_eq!(name(&world.refused(reorder(list))), "InvalidReorder", "{list}");
    }
    let unknown = [member("A"), MemberName::Group(group("no-such-group"))];
    let list = Operation::ReorderGroup { group: group("g"), members: unknown.to_vec() };
    assert_eq!(name(&world.refused(list)), "InvalidReorder");
    let keys: Vec<u64> =
        world.state.group(&team(), &group("g")).unwrap().members.iter().map(|m| m.key).collect();
    world.ok(reorder("D B A C"));
    let after = world.state.group(&team(), &group("g")).unwrap();
    assert_eq!(
        after.members.iter().map(|m| m.key).collect::<Vec<_>>(),
        keys,
        "said again, done once"
    );
}

#[test]
fn in_a_new_order_who_is_gone_leaves_the_cursor_with_the_one_before_in_the_ring() {
    let mut world = World::with_ring("A B C D");
    assert_eq!(world.picks("c", 3), "A B C");
    world.remove("g", "C");
    world.ok(reorder("B A D"));
    assert_eq!(world.picks("c", 3), "A D B", "it stood behind B");
    let mut world = World::with_ring("A B C D");
    assert_eq!(world.next("c"), "A");
    world.remove("g", "A");
    world.ok(reorder("C D B"));
    assert_eq!(world.picks("c", 3), "B C D", "before the first comes the last: it stood behind D");
}

#[test]
fn a_reset_puts_the_ring_before_its_first_pick() {
    let mut world = World::with_ring("A B C");
    world.picks("c", 2);
    world.run_campaign("d", vec![to_group("g")]);
    world.picks("d", 1);
    world.now += 7;
    world.ok(Operation::ResetRotation { group: group("g"), campaign: Some(campaign("c")) });
    assert_eq!(world.rotation("g", Some("c"), 0).restart_time, Some(Time(world.now)));
    assert_eq!((world.next("c"), world.next("d")), ("A".into(), "B".into()));
}

#[test]
fn a_rotation_lives_with_its_group_and_campaign() {
    let mut world = World::with_ring("A B C");
    assert_eq!(world.next("c"), "A");
    world.ok(super::world::cancel("c"));
    assert_eq!(
        world.rotation("g", Some("c"), 1).next_members,
        [member("B")],
        "cancelling keeps it"
    );
    world.ok(Operation::DeleteCampaign { campaign: campaign("c"), allow_missing: false });
    world.run_campaign("c", vec![to_group("g")]);
    assert_eq!(world.next("c"), "A", "another campaign of that name starts anew");
}

#[test]
fn a_positive_credit_is_served_first_and_moves_nothing() {
    let mut world = World::with_ring("A B C D");
    assert_eq!(world.next("c"), "A");
    world.ok(adjust("g", Some("c"), member("D"), 2));
    let before = world.cursor("g", "c");
    assert_eq!(world.picks("c", 2), "D D");
    assert_eq!(world.cursor("g", "c"), before);
    let trace = world.work("contact-3").decision.targets.remove(0);
    assert_eq!(trace.cursor_before, trace.cursor_after);
    assert_eq!(trace.skipped.total, 0, "nobody was passed over: it was owed");
    assert_eq!(world.picks("c", 4), "B C D A");
    assert!(world.rotation("g", Some("c"), 0).credits.is_empty());
}

#[test]
fn of_several_who_are_owed_a_turn_the_nearest_and_eligible_is_first() {
    let mut world = World::with_ring("A B C D");
    assert_eq!(world.picks("c", 2), "A B");
    for id in ["A", "C", "D"] {
        world.ok(adjust("g", Some("c"), member(id), 1));
    }
    world.out("C");
    assert_eq!(world.picks("c", 2), "D A");
    world.back("C");
    assert_eq!(world.picks("c", 2), "C C", "the credit, and then the turn");
}

#[test]
fn a_negative_credit_is_passed_over_and_said_so() {
    let mut world = World::with_ring("A B C");
    assert_eq!(world.next("c"), "A");
    world.ok(adjust("g", Some("c"), member("B"), -2));
    assert_eq!(world.picks("c", 5), "C A C A B");
    let skipped = world.work("contact-2").decision.targets.remove(0).skipped;
    let named: Vec<_> = skipped.named.iter().map(|p| (p.rep.as_str(), p.reason)).collect();
    assert_eq!((named, skipped.total), (vec![("B", Reason::Credit)], 1));
}

#[test]
fn where_all_owe_turns_who_has_paid_first_is_served() {
    let mut world = World::with_ring("A B");
    world.ok(adjust("g", Some("c"), member("A"), -2));
    world.ok(adjust("g", Some("c"), member("B"), -1));
    assert_eq!(world.next("c"), "B", "A pays, B pays, A pays, B has paid");
    assert_eq!(world.next("c"), "A");
}

#[test]
fn a_credit_is_one_turn_also_for_a_member_of_some_weight() {
    let mut world = World::with_ring("A*4 B");
    assert_eq!(world.picks("c", 5), "A B A A A");
    assert_eq!(world.picks("c", 2), "A B");
    world.ok(adjust("g", Some("c"), member("A"), -1));
    assert_eq!(world.picks("c", 4), "A A A B", "one of the three in a row is gone");
}

#[test]
fn who_cannot_be_served_keeps_their_credits() {
    let mut world = World::with_ring("A B");
    world.ok(adjust("g", Some("c"), member("B"), -1));
    world.ok(adjust("g", Some("c"), member("A"), 1));
    world.out("A");
    assert_eq!(world.next("c"), "B", "alone, B pays and is served");
    let credits = world.rotation("g", Some("c"), 0).credits;
    assert_eq!(credits, [(member("A"), 1)]);
}

#[test]
fn credits_are_for_members_of_rings_that_go_round() {
    let mut world = World::with_ring("A");
    world.create_rep("Z").unwrap();
    for (who, refusal) in [("Z", "NotAMember"), ("Y", "NotFound")] {
        assert_eq!(name(&world.refused(adjust("g", None, member(who), 1))), refusal);
    }
    world.ok(adjust("g", None, member("A"), 5));
    let strategy = Some(turnwise::routing::Strategy::LeastOpen);
    world.ok(change(GroupChange { strategy, ..GroupChange::default() }));
    let refused = world.refused(adjust("g", None, member("A"), 1));
    assert_eq!(name(&refused), "GroupKindMismatch");
    world.add("g", "Z");
    world.remove("g", "A");
    world.add("g", "A");
    assert!(world.rotation("g", None, 0).credits.is_empty(), "removal drops them");
}

#[test]
fn options_have_credits_too() {
    let mut world = World::with_options("1 2 3");
    world.ok(adjust("g", Some("c"), option("3"), 1));
    world.ok(adjust("g", Some("c"), option("1"), -1));
    assert_eq!(world.picks("c", 5), "3 2 3 1 2");
}

#[test]
fn a_turn_owed_to_a_nested_group_moves_its_ring_and_not_the_outer_one() {
    let mut world = World::with_reps("A");
    world.create_options("inner", "x y").unwrap();
    world.create_options("g", "1 2 [inner]").unwrap();
    world.run_campaign("c", vec![to_group("g")]);
    let inner = MemberName::Group(group("inner"));
    world.ok(adjust("g", Some("c"), inner.clone(), 2));
    let place = world.cursor("g", "c");
    assert_eq!(world.picks("c", 2), "x y");
    assert_eq!(world.cursor("g", "c"), place);
    world.ok(adjust("g", Some("c"), inner, -1));
    assert_eq!(world.picks("c", 6), "1 2 1 2 x 1");
}

#[test]
fn a_period_cap_counts_the_picks_of_a_ring_in_fixed_windows() {
    let mut world = World::with_ring("A B");
    world.now = 10 * DAY + HOUR;
    let cap = Some(Some(PeriodCap { count: 2, period_us: DAY }));
    world.ok(change(GroupChange { period_cap: cap, ..GroupChange::default() }));
    world.run_campaign("d", vec![to_owner(), to_group("g")]);
    assert_eq!(
        world.next_of("d", &[owned_by("A")]),
        "A",
        "an owner's contact is no pick of the ring"
    );
    assert_eq!(world.picks("c", 2), "A B");
    assert_eq!(world.picks("d", 2), "A B", "all campaigns together");
    let none = world.assign("x", &via("c"), &[]).assignment;
    let reasons: Vec<_> = none.decision.targets[0].skipped.named.iter().map(|p| p.reason).collect();
    assert_eq!(reasons, [Reason::PeriodCap; 2]);
    assert_eq!(world.next_of("d", &[owned_by("B")]), "B", "it stops nobody elsewhere");
    world.now = 11 * DAY - 1;
    assert_eq!(world.next("c"), "-");
    world.now = 11 * DAY;
    assert_eq!(world.next("c"), "A");
}

#[test]
fn a_cap_with_another_period_counts_anew() {
    let mut world = World::with_ring("A B");
    // Windows of 365 and of 366 days have the same number here, and began at other times.
    world.now = 20_600 * DAY;
    let cap = |days: u64| {
        let cap = PeriodCap { count: 1, period_us: days * DAY };
        change(GroupChange { period_cap: Some(Some(cap)), ..GroupChange::default() })
    };
    assert_eq!(world.now / (365 * DAY), world.now / (366 * DAY));
    world.ok(cap(365));
    assert_eq!(world.picks("c", 3), "A B -");
    world.ok(cap(366));
    assert_eq!(world.picks("c", 2), "A B", "of this window nobody had any");
    let more = PeriodCap { count: 2, period_us: 366 * DAY };
    world.ok(change(GroupChange { period_cap: Some(Some(more)), ..GroupChange::default() }));
    assert_eq!(world.picks("c", 3), "A B -", "one more each: the period is the same");
    assert_eq!(world.state.hash(), world.state.recomputed_hash());
}

#[test]
fn credits_go_where_picks_read_them_and_no_credits_begin_nothing() {
    let mut world = World::with_ring("A B");
    world.ok(adjust("g", Some("c"), member("A"), 0));
    assert!(
        world.state.rotations(&team(), &group("g"), None, 10, Time(world.now)).unwrap().is_empty()
    );
    let scope = Some(CursorScope::Group);
    world.ok(change(GroupChange { cursor_scope: scope, ..GroupChange::default() }));
    let refused = world.refused(adjust("g", Some("c"), member("A"), 1));
    let what = KindRule::CampaignCredits;
    assert_eq!(refused, Rejection::GroupKindMismatch { group: group("g"), what });
    world.ok(adjust("g", None, member("B"), 1));
    assert_eq!(world.picks("c", 3), "B A B");
}

#[test]
fn the_answer_to_a_change_has_the_members_of_a_group_of_a_hundred_and_not_of_more() {
    let names: Vec<String> = (1..=ANSWERED_MEMBERS_MAX + 1).map(|i| format!("m{i}")).collect();
    let mut world = World::with_ring(&names[..ANSWERED_MEMBERS_MAX].join(" "));
    world.create_rep(&names[ANSWERED_MEMBERS_MAX]).unwrap();
    let rename = |name: &str| {
        change(GroupChange { display_name: Some(name.to_owned()), ..GroupChange::default() })
    };
    let rotation = |world: &mut World| {
        let Outcome::Rotation(rotation) = world.ok(adjust("g", Some("c"), member("m1"), 1)) else {
            panic!()
        };
        (rotation.turns.len(), rotation.credits.len())
    };
    let Outcome::Group(whole) = world.ok(rename("whole")) else { panic!() };
    assert_eq!(whole.members.len(), ANSWERED_MEMBERS_MAX);
    assert_eq!(rotation(&mut world), (ANSWERED_MEMBERS_MAX, 1));
    world.add("g", &names[ANSWERED_MEMBERS_MAX]);
    let Outcome::LargeGroup { group: large, member_count } = world.ok(rename("large")) else {
        panic!()
    };
    assert_eq!((large.members.len(), member_count), (0, 101));
    assert_eq!(large.display_name, "large");
    assert_eq!(rotation(&mut world), (0, 0));
    let read = world.state.group(&team(), &group("g")).unwrap();
    assert_eq!(read.members.len(), 101, "who asks for it gets it");

    let long = "x".repeat(ANSWERED_PAYLOADS_LEN_MAX / 4);
    let spec = |id: &str| MemberSpec { member: option(id), payload: long.clone(), weight: 1 };
    let create = |id: &str, ids: &str| {
        new_group(id, super::world::of_options(), ids.split(' ').map(spec).collect())
    };
    assert!(matches!(world.ok(create("four", "a b c d")), Outcome::Group(_)));
    assert!(matches!(world.ok(create("five", "a b c d e")), Outcome::LargeGroup { .. }));
}

#[test]
fn a_preview_is_what_then_happens_and_changes_nothing() {
    let mut world = World::with_ring("A*2 B C");
    world.create_rep("D").unwrap();
    world.picks("c", 2);
    let before = world.state.clone();
    let preview = |changes: Vec<Operation>, count| {
        let assign = Assign::new(ContactId::new("x"), via("c"));
        let preview = Preview { changes, assign, count };
        let shown = world.state.preview(&team(), &preview, Time(world.now)).unwrap();
        shown.iter().map(|one| taker(&one.assignment)).collect::<Vec<_>>().join(" ")
    };
    let plain = preview(vec![], 7);
    let without_c = preview(vec![out("C")], 4);
    let added = Operation::AddGroupMembers { group: group("g"), members: members("D") };
    let with_d = preview(vec![added], 4);
    let elsewhere = preview(vec![retarget("c", vec![to_group("default")])], 3);
    assert!(world.state == before);
    assert_eq!(world.picks("c", 7), plain);
    assert_eq!([without_c, with_d, elsewhere], ["A A B A", "C D A A", "A B C"]);
    let refused = Preview {
        changes: vec![super::world::delete_group("nowhere")],
        assign: Assign::new(ContactId::new("x"), via("c")),
        count: 1,
    };
    assert!(world.state.preview(&team(), &refused, Time(world.now)).is_err());
}

#[test]
fn a_report_counts_turns_owner_hits_and_why_somebody_was_passed_over() {
    let mut world = World::with_ring("A B C");
    world.run_campaign("d", vec![to_owner(), to_group("g")]);
    assert_eq!(world.picks("c", 3), "A B C");
    world.out("B");
    world.now += DAY;
    assert_eq!(world.picks("c", 2), "A C");
    world.next_of("d", &[owned_by("C")]);
    world.step("contact-1", close);
    let report = |since| world.state.report(&team(), &group("g"), since).unwrap();
    let rows = |since: Option<Time>| -> Vec<_> {
        let members = report(since).members;
        let row = |m: &turnwise::routing::RepReport| {
            let passed = m.passed_over.get(&Reason::OutOfOffice).copied().unwrap_or_default();
            (named(&m.member), m.place, m.turns, m.owner_hits, passed, m.open)
        };
        members.iter().map(row).collect()
    };
    let expected = [
        ("A".to_owned(), Some(1), 2, 0, 0, 1),
        ("B".to_owned(), Some(2), 1, 0, 1, 1),
        ("C".to_owned(), Some(3), 2, 1, 0, 3),
    ];
    assert_eq!(rows(None), expected);
    let since = rows(Some(Time(world.now)));
    assert_eq!(since.iter().map(|row| row.2).collect::<Vec<_>>(), [1, 0, 1], "since a day");
}

#[test]
fn a_report_counts_turns_that_were_offered_in_vain_or_taken_away_as_the_rotation_does() {
    let mut world = World::with_reps("A B C");
    world.create_group("g", "A B C").unwrap();
    world.create_group("h", "A B").unwrap();
    world.run_campaign("c", vec![to_owner(), offering(60 * SECOND, to_group("g"))]);
    world.assign("x", &via("c"), &[]);
    let reject = |world: &World, contact: &str| {
        let assignment = world.work(contact).id;
        Operation::RejectAssignment { assignment, rep: None }
    };
    world.ok(reject(&world, "x"));
    // Lapsed for B; then taken away from C, and given to A by hand.
    world.now += 60 * SECOND;
    world.ok(Operation::Tick);
    assert_eq!(world.at("x"), "OFFERED C");
    let assignment = world.work("x").id;
    world.ok(Operation::ReassignAssignment { assignment, to: Some(rep("A")) });
    let turns = |world: &World, of: &str, since| -> Vec<u64> {
        let report = world.state.report(&team(), &group(of), since).unwrap();
        report.members.iter().map(|member| member.turns).collect()
    };
    let rotation = |world: &World| -> Vec<u64> {
        world.rotation("g", Some("c"), 0).turns.iter().map(|(_, turns)| *turns).collect()
    };
    assert_eq!(turns(&world, "g", None), [1, 1, 1]);
    assert_eq!(turns(&world, "g", None), rotation(&world));
    assert_eq!(turns(&world, "g", Some(Time(world.now))), [0, 0, 1], "since the offer to C");
    assert_eq!(turns(&world, "h", None), [0, 0]);

    // With two groups among the targets, a history does not say by which one a turn was.
    let both = [to_group("g"), to_group("h")].map(|target| offering(60 * SECOND, target)).to_vec();
    world.run_campaign("d", both);
    world.assign("y", &via("d"), &[]);
    assert_eq!(world.at("y"), "OFFERED A");
    world.ok(reject(&world, "y"));
    assert_eq!(world.at("y"), "OFFERED B");
    assert_eq!(turns(&world, "g", None), [1, 2, 1], "only the latest, B's, is known");
}

#[test]
fn a_decision_knows_its_step_whatever_came_after_it() {
    let mut world = World::with_reps("A B");
    world.create_group("g", "A B").unwrap();
    world.run_campaign("c", vec![offering(60 * SECOND, waiting(HOUR, to_group("g")))]);
    let decided = |world: &World| {
        let work = world.work("x");
        let step = work.decided().unwrap();
        (step.position.log_index, step.cause)
    };
    world.assign("x", &via("c"), &[]);
    let first = world.index;
    assert_eq!(decided(&world), (first, Cause::Rotation));
    let assignment = world.work("x").id;
    let to = || Operation::RejectAssignment { assignment, rep: None };
    world.ok(to());
    let second = world.index;
    assert_eq!((world.at("x").as_str(), decided(&world)), ("OFFERED B", (second, Cause::Rotation)));
    // Nobody is left: it waits, as decided then.
    world.ok(to());
    let third = world.index;
    assert_eq!(decided(&world), (third, Cause::Waiting));
    world.ok(Operation::ClaimAssignment { assignment, rep: rep("A") });
    let fourth = world.index;
    assert!(first < second && second < third && third < fourth);
    world.ok(Operation::CloseAssignment { assignment });
    assert_eq!(decided(&world), (fourth, Cause::Claim), "a close decides nothing");
}

#[test]
fn the_next_members_shown_are_the_next_picks_whatever_is_in_the_way() {
    let mut world = World::with_ring("A*2 B C D");
    world.ok(adjust("g", Some("c"), member("D"), 1));
    world.ok(adjust("g", Some("c"), member("A"), -1));
    world.out("B");
    let next: Vec<_> = world.rotation("g", Some("c"), 6).next_members.iter().map(named).collect();
    assert_eq!(world.picks("c", 6), next.join(" "));
}

#[test]
fn the_default_group_is_a_ring_like_any_other() {
    let mut world = World::with_reps("A B C");
    let members = ["C", "B", "A"].map(member).to_vec();
    world.ok(Operation::ReorderGroup { group: group("default"), members });
    let (of, who) = (group("default"), member("B"));
    let heavier =
        Operation::UpdateGroupMember { group: of, member: who, weight: Some(2), payload: None };
    world.ok(heavier);
    world.draft_by("c", Route::Default);
    world.ok(super::world::launch("c"));
    assert_eq!(world.picks("c", 5), "C B A B C");
    let again = world.assign("x", &Via::DefaultRule, &[]).assignment;
    assert_eq!((again.rep, again.cause), (Some(rep("C")), Cause::Rotation));
}

#[test]
fn a_ring_waited_for_shows_who_would_be_next_now() {
    let mut world = World::with_ring("A B");
    world.ok(retarget("c", vec![waiting(HOUR, if_online(to_group("g")))]));
    world.ok(assign("x", &via("c"), &[]));
    assert_eq!(world.rotation("g", Some("c"), 2).next_members, ["A", "B"].map(member));
}
