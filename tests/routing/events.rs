//! What watchers are told: one event for each change, with all that a mailer or a CRM needs.

use turnwise::routing::{
    AssignmentState, Change, Event, GroupAction, OpenAssignments, Operation, RepId, RotationAction,
    Time,
};

use super::world::{
    HOUR, SECOND, World, again_by_rule, close, group, key, member, offering, owned_by, rep, team,
    to_group, to_owner, via, waiting,
};

/// The assignment events of the last command, in words: contact, what it became, whose, the email.
fn told(world: &World) -> Vec<String> {
    let told = world.events.iter().filter_map(|event| match &event.change {
        Change::Assignment { before, after, rep_email } => {
            let from = before.as_ref().map_or("new".to_owned(), |a| format!("{:?}", a.state));
            let who = after.rep.as_ref().map_or("-", |rep| rep.as_str());
            let email = rep_email.as_deref().unwrap_or("-");
            Some(format!("{} {from} -> {:?} {who} {email}", after.contact, after.state))
        }
        Change::Team { .. }
        | Change::Rep { .. }
        | Change::Group { .. }
        | Change::Rotation { .. }
        | Change::Rule { .. }
        | Change::Campaign { .. }
        | Change::Token { .. } => None,
    });
    told.collect()
}

#[test]
fn s0_7_the_event_of_an_assignment_carries_the_reps_email_and_the_contacts_labels() {
    let mut world = World::with_ring("A B");
    let mut assign = super::world::assign("x", &via("c"), &[]);
    if let Operation::AssignContact(asked) = &mut assign {
        asked.labels.insert("intent".into(), "high".into());
    }
    world.ok(assign);
    let [event] = &world.events[..] else { panic!("{:?}", world.events) };
    assert_eq!((&event.team, &*event.principal, event.time), (&team(), "admin", Time(world.now)));
    let Change::Assignment { before: None, after, rep_email } = &event.change else { panic!() };
    assert_eq!(rep_email.as_deref(), Some("a@example.com"));
    assert_eq!(after.labels.get("intent").map(String::as_str), Some("high"));
}

#[test]
fn s1_1_every_assignment_is_told_once_and_a_repeat_not_again() {
    let mut world = World::with_ring("A B");
    let call = || (key("r", 1), super::world::assign("x", &via("c"), &[]));
    world.send(call().0, call().1).unwrap();
    assert_eq!(told(&world), ["x new -> Assigned A a@example.com"]);
    world.send(call().0, call().1).unwrap();
    assert!(world.events.is_empty());
    world.assign("x", &via("c"), &[]);
    assert!(world.events.is_empty(), "the same work is nothing new");
}

#[test]
fn s1_2_each_later_step_names_the_rep_who_is_to_be_copied_on_the_conversation() {
    let mut world = World::with_ring("A B");
    world.assign("x", &via("c"), &[]);
    world.step("x", super::world::reassign_to("B"));
    assert_eq!(told(&world), ["x Assigned -> Assigned B b@example.com"]);
    world.step("x", close);
    assert_eq!(told(&world), ["x Assigned -> Closed B b@example.com"]);
}

#[test]
fn s1_18_the_event_tells_whether_the_crm_has_another_owner_and_who_it_was() {
    let mut world = World::with_reps("A B");
    world.run_campaign("c", vec![to_owner(), to_group("default")]);
    let mut told = |contact: &str, owners: &[_]| {
        world.assign(contact, &via("c"), owners);
        let Change::Assignment { after, .. } = &world.events[0].change else { panic!() };
        (after.rep.as_ref().unwrap().to_string(), after.owner_changed, after.owners.clone())
    };
    let owned = [owned_by("B")];
    assert_eq!(told("x", &owned), ("B".into(), false, owned.to_vec()));
    assert_eq!(told("y", &[]), ("A".into(), true, vec![]));
}

#[test]
fn s1_18_the_event_of_work_that_is_routed_again_tells_from_whom_it_was_taken() {
    let mut world = World::with_ring("A B C");
    assert_eq!(world.next("c"), "A");
    let holders = |world: &World| {
        let of = |event: &Event| {
            let Change::Assignment { before: Some(before), after, .. } = &event.change else {
                return None;
            };
            let id = |rep: &Option<RepId>| rep.as_ref().map_or("-".into(), RepId::to_string);
            Some((before.state, id(&before.rep), id(&after.rep)))
        };
        world.events.iter().filter_map(of).collect::<Vec<_>>()
    };
    let taken = |from: &str, to: &str| vec![(AssignmentState::Assigned, from.into(), to.into())];
    world.step("contact-1", again_by_rule);
    assert_eq!(holders(&world), taken("A", "B"));
    let (open, allow_missing) = (OpenAssignments::Reroute, false);
    world.ok(Operation::DeleteRep { rep: rep("B"), open, allow_missing });
    assert_eq!(holders(&world), taken("B", "C"));
    world.out("A");
    world.step("contact-1", again_by_rule);
    assert_eq!(holders(&world), taken("C", "-"), "to nobody");
}

#[test]
fn what_time_did_before_a_command_is_told_ahead_of_what_the_command_changed() {
    let mut world = World::with_reps("A B");
    world.create_group("g", "A B").unwrap();
    let offered = waiting(HOUR, offering(60 * SECOND, to_group("g")));
    world.run_campaign("c", vec![offered]);
    world.limit("B", 1);
    world.assign("x", &via("c"), &[]);
    world.assign("y", &via("c"), &[]);
    world.assign("z", &via("c"), &[]);
    assert_eq!(
        ["x", "y", "z"].map(|contact| world.at(contact)),
        ["OFFERED A", "OFFERED B", "OFFERED A"]
    );
    // All lapse, and two of them find somebody else; the third does once B may have another.
    world.now += 60 * SECOND;
    world.limit("B", 2);
    let words = |event: &Event| match &event.change {
        Change::Assignment { after, .. } => format!("{} {:?}", after.contact, after.state),
        Change::Rep { .. } => "limit".to_owned(),
        Change::Team { .. }
        | Change::Group { .. }
        | Change::Rotation { .. }
        | Change::Rule { .. }
        | Change::Campaign { .. }
        | Change::Token { .. } => panic!("{event:?}"),
    };
    let order: Vec<_> = world.events.iter().map(words).collect();
    let lapsed = ["x Pending", "y Pending", "z Pending"];
    assert_eq!(order[..3], lapsed);
    assert_eq!(order[3..], ["x Offered", "y Offered", "z Pending", "limit", "z Offered"]);
}

#[test]
fn one_command_may_tell_of_many_assignments_in_the_order_in_which_they_changed() {
    let mut world = World::with_reps("A B");
    world.create_group("g", "A").unwrap();
    world.run_campaign("c", vec![waiting(HOUR, to_group("g"))]);
    world.limit("A", 2);
    for contact in ["1", "2", "3", "4", "5"] {
        world.assign(contact, &via("c"), &[]);
    }
    world.limit("A", 4);
    let served = ["3 Pending -> Assigned A a@example.com", "4 Pending -> Assigned A a@example.com"];
    assert_eq!(told(&world), served);
    assert!(matches!(world.events[0].change, Change::Rep { .. }), "the cause comes first");
    let positions: Vec<_> = world.events.iter().map(|event| event.position.log_index).collect();
    assert_eq!(positions, vec![world.index; 3]);
}

#[test]
fn what_time_does_is_told_by_the_command_that_notices_and_is_nobodys_doing() {
    let mut world = World::with_ring("A B");
    world.run_campaign("d", vec![offering(60 * SECOND, to_group("g"))]);
    world.assign("x", &via("d"), &[]);
    world.now += 60 * SECOND;
    world.ok(Operation::Tick);
    let expected = ["x Offered -> Pending - -", "x Pending -> Offered B b@example.com"];
    assert_eq!(told(&world), expected);
    let state = AssignmentState::Offered;
    assert_eq!(world.work("x").state, state);
    assert_eq!(world.work("x").history[1].principal, "", "time did it");
}

#[test]
fn setting_up_is_told_with_before_and_after() {
    let mut world = World::with_ring("A B");
    world.ok(super::world::out("A"));
    let Change::Rep { before: Some(before), after: Some(after) } = &world.events[0].change else {
        panic!("{:?}", world.events)
    };
    assert_eq!((before.id.clone(), before.out_of_office.intervals().len()), (rep("A"), 0));
    assert_eq!((&*after.out_of_office_set_by, after.out_of_office.intervals().len()), ("admin", 1));

    world.remove("g", "A");
    let Change::Group { group: of, action, .. } = &world.events[0].change else { panic!() };
    assert_eq!((of, action), (&group("g"), &GroupAction::MemberRemoved(member("A"))));

    let (campaign, reason) = (None, "on call".to_owned());
    let (group, member) = (group("g"), member("B"));
    world.ok(Operation::AdjustRotation { group, campaign, member, credits: 3, reason });
    let Change::Rotation { action, .. } = &world.events[0].change else { panic!() };
    let RotationAction::Adjusted { credits, reason, .. } = action else { panic!("{action:?}") };
    assert_eq!((*credits, &**reason), (3, "on call"));

    world.ok(super::world::cancel("c"));
    let Change::Campaign { before: Some(_), after: Some(after) } = &world.events[0].change else {
        panic!()
    };
    assert_eq!(after.state, turnwise::routing::CampaignState::Cancelled);
    world.ok(Operation::DeleteCampaign {
        campaign: super::world::campaign("c"),
        allow_missing: false,
    });
    assert!(matches!(&world.events[0].change, Change::Campaign { before: Some(_), after: None }));
}

#[test]
fn what_changes_nothing_is_not_told() {
    let mut world = World::with_ring("A B");
    world.out("A");
    world.out("A");
    assert!(world.events.is_empty());
    world.ok(Operation::Tick);
    assert!(world.events.is_empty());
    world.refused(super::world::out("Z"));
}
