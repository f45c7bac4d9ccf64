//! The behaviours of S3 (Kommo's round robin block).

use turnwise::routing::{
    AssignmentState, Cause, Command, Cursor, GroupKind, GroupSettings, MemberSpec, Operation,
    Rejection, RestartPolicy, State, TargetKind, TeamId, Via, limits::OPTIONS_IDLE_PERIOD_US,
};

use super::world::{
    DAY, World, assign, assigned, delete_group, group, key, members, name, new_group, new_team,
    of_options, option, options, taker, to_group, via,
};

fn add(list: &str) -> Operation {
    Operation::AddGroupMembers { group: group("g"), members: options(list) }
}
fn remove(id: &str) -> Operation {
    Operation::RemoveGroupMember { group: group("g"), member: option(id) }
}

#[test]
fn s3_1_steps_run_in_a_circle() {
    assert_eq!(World::with_options("1 2 3").picks("c", 4), "1 2 3 1");
}

#[test]
fn s3_2_an_option_is_any_text_and_comes_back_as_it_is() {
    let mut world = World::with_reps("");
    let payload = "{\"send\": \"Grüße 👋\", \"then\": [\"task\", \"pause\"]}";
    let spec = |id: &str, payload: &str| MemberSpec {
        member: option(id),
        payload: payload.into(),
        weight: 1,
    };
    world.ok(new_group("g", of_options(), vec![spec("hello", payload), spec("stop", "")]));
    world.run_campaign("c", vec![to_group("g")]);
    let assignment = world.assign("x", &via("c"), &[]).assignment;
    let picked = assignment.option.unwrap();
    assert_eq!(
        (picked.group, picked.option.as_str(), &*picked.payload),
        (group("g"), "hello", payload)
    );
    assert_eq!((assignment.state, assignment.cause), (AssignmentState::Closed, Cause::Option));
    assert_eq!((assignment.rep, assignment.owner_changed), (None, false));
}

#[test]
fn s3_2_a_running_step_is_never_open_so_the_next_run_gets_the_next_option() {
    let mut world = World::with_options("1 2 3");
    let mut step = || super::world::taker(&world.assign("same contact", &via("c"), &[]).assignment);
    assert_eq!([step(), step(), step(), step()], ["1", "2", "3", "1"]);
}

#[test]
fn s3_2_availability_is_nothing_to_options() {
    let mut world = World::with_options("1 2");
    world.out("A"); // Nobody guards a campaign that can yield no rep.
    assert_eq!(world.picks("c", 2), "1 2");
    let group = GroupSettings { require_online: true, ..of_options() };
    let refused = world.refused(new_group("h", group, options("1 2")));
    assert_eq!(name(&refused), "GroupKindMismatch");
    let offered = super::world::offering(1, to_group("g"));
    let refused = world.refused(super::world::retarget("c", vec![offered]));
    assert_eq!(name(&refused), "GroupKindMismatch");
}

#[test]
fn s3_3_an_option_can_be_a_round_robin_and_each_ring_moves_once() {
    let mut world = World::with_reps("A");
    world.create_options("inner", "a b c").unwrap();
    world.create_options("g", "1 [inner]").unwrap();
    world.run_campaign("c", vec![to_group("g")]);
    world.run_campaign("d", vec![to_group("inner")]);
    assert_eq!(world.picks("c", 6), "1 a 1 b 1 c");
    let trace = world.work("contact-4").decision.targets.remove(0);
    assert_eq!(trace.target.kind, TargetKind::Group(group("g")));
    assert_eq!(trace.cursor_after, Some(Cursor { round: 0, key: 2 }));
    let [moved] = &trace.inner[..] else { panic!("{:?}", trace.inner) };
    assert_eq!((&moved.group, moved.before.key, moved.after.key), (&group("inner"), 1, 2));
    assert_eq!(world.next("d"), "a", "the inner ring has a place under each campaign too");
}

#[test]
fn s3_3_the_same_inner_group_has_one_place_whatever_the_path() {
    let mut world = World::with_reps("A");
    world.create_options("inner", "a b c").unwrap();
    world.create_options("g", "[inner] [again]").unwrap_err();
    world.create_options("again", "[inner] z").unwrap();
    world.create_options("g", "[inner] [again]").unwrap();
    world.run_campaign("c", vec![to_group("g")]);
    assert_eq!(world.picks("c", 5), "a b c z a", "inner: a, b by again, c; then again's z");
}

#[test]
fn s3_3_no_group_contains_itself() {
    let mut world = World::with_reps("");
    world.create_options("a", "1 2").unwrap();
    world.create_options("b", "1 [a]").unwrap();
    world.create_options("c", "1 [b]").unwrap();
    for inner in ["[a]", "[b]", "[c]"] {
        let members = options(inner);
        let refused = world.refused(Operation::AddGroupMembers { group: group("a"), members });
        assert_eq!(name(&refused), "GroupCycle", "{inner}");
    }
    let reps = world.refused(new_group("d", of_options(), options("1 [default]")));
    assert_eq!(name(&reps), "GroupKindMismatch", "options hold no reps");
}

#[test]
fn s3_5_there_are_at_least_two_options() {
    let mut world = World::with_reps("A");
    for list in ["", "1"] {
        let refused = world.refused(new_group("g", of_options(), options(list)));
        assert_eq!(name(&refused), "GroupTooSmall", "{list}");
    }
    world.create_options("g", "1 2").unwrap();
    world.create_group("one", "A").unwrap();
}

#[test]
fn s3_6_none_can_be_deleted_until_there_are_three() {
    let mut world = World::with_options("1 2");
    let groups = vec![group("g")];
    assert_eq!(world.refused(remove("1")), Rejection::GroupTooSmall { groups });
    world.ok(add("3"));
    world.ok(remove("1"));
    assert_eq!(world.member_names("g"), "2 3");
}

#[test]
fn s3_7_the_fourth_client_gets_the_first_option_again() {
    assert_eq!(World::with_options("hi hello hey").picks("c", 4), "hi hello hey hi");
}

#[test]
fn s3_8_the_split_is_even() {
    let picks = World::with_options("1 2 3").picks("c", 11);
    let count = |id: &str| picks.split(' ').filter(|pick| *pick == id).count();
    assert_eq!([count("1"), count("2"), count("3")], [4, 4, 3]);
}

#[test]
fn s3_9_a_trigger_that_fires_twice_with_one_request_id_takes_one_step() {
    let mut world = World::with_options("1 2 3");
    let fire = || (key("lead-1", 1), assign("lead", &via("c"), &[]));
    let first = world.send(fire().0, fire().1).unwrap();
    assert_eq!(world.send(fire().0, fire().1), Ok(first));
    assert_eq!(world.next("c"), "2");
}

#[test]
fn s3_10_thirty_days_without_use_start_it_over_and_not_a_moment_less() {
    for (idle, next) in [(OPTIONS_IDLE_PERIOD_US - 1, "2"), (OPTIONS_IDLE_PERIOD_US, "1")] {
        let mut world = World::with_options("1 2 3");
        assert_eq!(world.next("c"), "1");
        world.now += DAY;
        world.rotation("g", Some("c"), 3); // A read is no use,
        world.ok(Operation::UpdateGroupMember {
            group: group("g"),
            member: option("2"),
            weight: None,
            payload: Some("edited".into()),
        }); // nor is an edit.
        world.now += idle - DAY;
        let shown = world.rotation("g", Some("c"), 1).next_members;
        assert_eq!(shown, [option(next)], "a read shows where it stands in effect");
        assert_eq!(world.next("c"), next, "after {idle}");
    }
}

#[test]
fn s3_10_a_start_over_holds() {
    let mut world = World::with_options("1 2 3");
    world.picks("c", 2);
    world.now += OPTIONS_IDLE_PERIOD_US;
    assert_eq!(world.picks("c", 4), "1 2 3 1");
}

/// A ring of three options, and one that holds it.
fn nested(outer: &str) -> World {
    let mut world = World::with_reps("A");
    world.create_options("inner", "a b c").unwrap();
    world.create_options("g", outer).unwrap();
    world.run_campaign("c", vec![to_group("g")]);
    world
}

#[test]
fn s3_10_an_inner_ring_counts_its_own_rest() {
    // The outer ring goes on with what is its own; the inner one rests for thirty days, or nearly.
    for (idle, next) in [(OPTIONS_IDLE_PERIOD_US - 1, "b"), (OPTIONS_IDLE_PERIOD_US, "a")] {
        let mut world = nested("1*3 [inner]");
        assert_eq!(world.picks("c", 2), "1 a");
        world.now += DAY;
        assert_eq!(world.picks("c", 2), "1 1");
        world.now += idle - DAY;
        assert_eq!(world.picks("c", 2), format!("1 {next}"), "after {idle}");
    }
}

#[test]
fn s3_10_an_outer_ring_counts_its_own_rest() {
    // The same campaign shows the inner ring alone in the meantime, so only the outer one rests.
    for (idle, next) in [(OPTIONS_IDLE_PERIOD_US - 1, "2 1 c"), (OPTIONS_IDLE_PERIOD_US, "1 c 2")] {
        let mut world = nested("1 [inner] 2");
        assert_eq!(world.picks("c", 2), "1 a");
        world.now += DAY;
        world.ok(super::world::retarget("c", vec![to_group("inner")]));
        assert_eq!(world.next("c"), "b");
        world.ok(super::world::retarget("c", vec![to_group("g")]));
        world.now += idle - DAY;
        assert_eq!(world.picks("c", 3), next, "after {idle}");
    }
}

#[test]
fn s3_11_adding_an_option_starts_it_over() {
    let mut world = World::with_options("1 2 3");
    world.picks("c", 2);
    world.ok(add("4"));
    assert_eq!(world.picks("c", 5), "1 2 3 4 1");
}

#[test]
fn s3_11_edits_and_a_new_order_start_nothing_over() {
    let mut world = World::with_options("1 2 3");
    world.picks("c", 2);
    let (weight, payload) = (None, Some("new text".to_owned()));
    let member = option("1");
    world.ok(Operation::UpdateGroupMember { group: group("g"), member, weight, payload });
    let members = ["2", "1", "3"].map(option).to_vec();
    world.ok(Operation::ReorderGroup { group: group("g"), members });
    assert_eq!(world.picks("c", 3), "1 3 2", "it stands with 2, wherever that is");
}

#[test]
fn s3_12_deleting_an_option_starts_it_over() {
    let mut world = World::with_options("1 2 3 4");
    world.picks("c", 2);
    world.ok(remove("4"));
    assert_eq!(world.picks("c", 4), "1 2 3 1");
}

#[test]
fn s3_12_a_change_of_an_inner_ring_leaves_the_outer_one_alone() {
    let mut world = World::with_reps("A");
    world.create_options("g", "a b c").unwrap();
    world.create_options("outer", "1 [g]").unwrap();
    world.run_campaign("c", vec![to_group("outer")]);
    assert_eq!(world.picks("c", 4), "1 a 1 b");
    world.ok(add("d"));
    assert_eq!(world.picks("c", 4), "1 a 1 b", "the outer ring went on, the inner one began again");
}

#[test]
fn s3_13_the_place_in_the_ring_survives_saving_and_loading() {
    let mut world = World::with_options("1 2 3");
    world.picks("c", 2);
    world.state = State::from_image(world.state.image()).unwrap();
    assert_eq!(world.next("c"), "3");
    let campaign = Some(super::world::campaign("c"));
    world.ok(Operation::ResetRotation { group: group("g"), campaign });
    assert_eq!(world.next("c"), "1", "starting over is somebody's decision");
}

#[test]
fn s3_14_a_group_belongs_to_one_team() {
    let mut world = World::with_options("1 2");
    let other = TeamId::new("other");
    let send = |world: &mut World, operation| {
        let (principal, team) = ("admin".into(), other.clone());
        world.command(&Command { request: None, principal, team, etag: None, operation })
    };
    let by_group = |contact: &str| assign(contact, &Via::Group(group("g")), &[]);
    send(&mut world, new_team()).unwrap();
    let foreign = send(&mut world, by_group("x")).unwrap_err();
    assert_eq!(name(&foreign), "NotFound", "the other team's is nobody else's");

    // Of the same id: other options, another ring, another end.
    send(&mut world, new_group("g", of_options(), options("7 8 9"))).unwrap();
    let picks_by = |world: &mut World, contact: &str| {
        let reply = send(world, by_group(contact)).unwrap();
        taker(&assigned(reply.outcome).assignment)
    };
    assert_eq!(world.next("c"), "1");
    assert_eq!(["x", "y"].map(|contact| picks_by(&mut world, contact)), ["7", "8"]);
    assert_eq!(world.next("c"), "2", "a turn of theirs is none of ours");
    assert_eq!(picks_by(&mut world, "z"), "9");
    send(&mut world, delete_group("g")).unwrap();
    assert_eq!(name(&send(&mut world, by_group("x")).unwrap_err()), "NotFound");
    assert_eq!(world.member_names("g"), "1 2");
    assert_eq!(world.next("c"), "1");
}

#[test]
fn s3_e1_groups_of_reps_start_over_only_if_they_are_told_to() {
    let mut world = World::with_ring("A B C");
    world.create_rep("D").unwrap();
    world.picks("c", 2);
    world.add("g", "D");
    world.now += 10 * OPTIONS_IDLE_PERIOD_US;
    assert_eq!(world.next("c"), "C", "never by itself");

    let mut world = World::with_reps("A B C");
    let policy = RestartPolicy { idle_period_us: DAY, on_member_change: true };
    let settings = GroupSettings { restart: Some(policy), ..GroupSettings::default() };
    assert_eq!(settings.kind, GroupKind::Reps);
    world.ok(new_group("g", settings, members("A B")));
    world.run_campaign("c", vec![to_group("g")]);
    assert_eq!(world.next("c"), "A");
    world.add("g", "C");
    assert_eq!(world.next("c"), "A", "on a change of members");
    world.now += DAY;
    assert_eq!(world.next("c"), "A", "after a day's rest");
}
