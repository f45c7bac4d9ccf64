//! What can be read: pages, filters, and what is not found.

use turnwise::routing::{AssignmentFilter, AssignmentId, ContactId, TeamId};

use super::world::{
    World, campaign, close, even_if_out, group, member, name, out_between, rep, team, to_group, via,
};

fn numbers(world: &World, filter: &AssignmentFilter, page: usize) -> Vec<u64> {
    let mut ids: Vec<AssignmentId> = Vec::new();
    loop {
        let after = ids.last().copied();
        let list = world.state.assignments(&team(), filter, after, page).unwrap();
        assert!(list.len() <= page);
        if list.is_empty() {
            return ids.iter().map(|id| id.log_index).collect();
        }
        ids.extend(list.iter().map(|assignment| assignment.id));
    }
}

#[test]
fn assignments_are_listed_by_age_contact_and_campaign_in_pages_of_any_size() {
    let mut world = World::with_ring("A B");
    world.run_campaign("d", vec![to_group("g")]);
    let mut all = Vec::new();
    for i in 0..12 {
        let campaign = if i % 3 == 0 { "d" } else { "c" };
        let contact = format!("x{}", i / 2);
        world.assign(&contact, &via(campaign), &[]);
        all.push((world.index, contact, campaign));
    }
    // The same contact in the same campaign is the same work, and makes no second assignment.
    let mut seen = Vec::new();
    all.retain(|(_, contact, c)| {
        let new = !seen.contains(&(contact.clone(), *c));
        seen.push((contact.clone(), *c));
        new
    });
    let of = |contact: Option<&str>, c: Option<&str>| -> Vec<u64> {
        let hit = |(_, x, y): &&(u64, String, &str)| {
            contact.is_none_or(|contact| x == contact) && c.is_none_or(|c| *y == c)
        };
        all.iter().filter(hit).map(|(index, _, _)| *index).collect()
    };
    for page in [1, 2, 5, 100] {
        for (contact, c) in
            [(None, None), (Some("x1"), None), (None, Some("d")), (Some("x3"), Some("c"))]
        {
            let filter = AssignmentFilter {
                contact: contact.map(ContactId::new),
                campaign: c.map(campaign),
                ..AssignmentFilter::default()
            };
            assert_eq!(numbers(&world, &filter, page), of(contact, c), "{filter:?}");
        }
        let nobody =
            AssignmentFilter { contact: Some(ContactId::new("x")), ..AssignmentFilter::default() };
        assert_eq!(numbers(&world, &nobody, page), [0_u64; 0]);
    }
}

/// The index by contact has those with a rep apart from those with none.
#[test]
fn a_contact_that_is_sometimes_given_to_nobody_is_listed_by_age_too() {
    let mut world = World::with_ring("A B");
    world.create_options("o", "X Y").unwrap();
    world.run_campaign("d", vec![to_group("o")]);
    let all: Vec<u64> = "ccddcddcdcccddd"
        .chars()
        .map(|c| {
            let id = world.assign("x", &via(&c.to_string()), &[]).assignment.id;
            // Who gets an option has what they came for.
            if world.work("x").state.is_open() {
                world.step("x", close);
            }
            id.log_index
        })
        .collect();
    let filter =
        AssignmentFilter { contact: Some(ContactId::new("x")), ..AssignmentFilter::default() };
    for page in [1, 2, 3, 100] {
        assert_eq!(numbers(&world, &filter, page), all);
    }
    // From a place where none of the contact's is, or none is any more.
    for index in all.iter().flat_map(|index| [index - 1, *index, index + 1]) {
        let after = AssignmentId { log_index: index, seq: 0, item: 0 };
        let rest = world.state.assignments(&team(), &filter, Some(after), 100).unwrap();
        let rest: Vec<u64> = rest.iter().map(|assignment| assignment.id.log_index).collect();
        assert!(rest.iter().eq(all.iter().filter(|other| **other > index)), "after {index}");
    }
}

#[test]
fn resources_are_listed_by_id_in_pages() {
    let mut world = World::with_ring("C A B");
    world.run_campaign("b", vec![to_group("g")]);
    let reps = |after: Option<&str>, limit| -> Vec<String> {
        let after = after.map(rep);
        let list = world.state.reps(&team(), after.as_ref(), limit).unwrap();
        list.iter().map(|rep| rep.id.to_string()).collect()
    };
    assert_eq!(reps(None, 2), ["A", "B"]);
    assert_eq!(reps(Some("B"), 2), ["C"]);
    assert_eq!(reps(Some("AA"), 9), ["B", "C"]);
    let groups = world.state.groups(&team(), Some(&group("default")), 9).unwrap();
    assert_eq!(groups.iter().map(|g| g.id.as_str()).collect::<Vec<_>>(), ["g"]);
    let campaigns = world.state.campaigns(&team(), None, 9).unwrap();
    assert_eq!(campaigns.iter().map(|(c, _)| c.id.as_str()).collect::<Vec<_>>(), ["b", "c"]);
    assert_eq!(world.state.teams(None, 9).len(), 1);
    assert!(world.state.teams(Some(&team()), 9).is_empty());
}

#[test]
fn what_is_not_there_is_not_found() {
    let world = World::with_ring("A");
    let (state, nobody) = (&world.state, TeamId::new("nobody"));
    let now = state.time();
    let errors = [
        state.team(&nobody).unwrap_err(),
        state.reps(&nobody, None, 1).unwrap_err(),
        state.assignments(&nobody, &AssignmentFilter::default(), None, 1).unwrap_err(),
        state.rep(&team(), &rep("Z")).unwrap_err(),
        state.group(&team(), &group("z")).unwrap_err(),
        state.campaign(&team(), &campaign("z")).unwrap_err(),
        state.assignment(&team(), AssignmentId { log_index: 99, seq: 0, item: 0 }).unwrap_err(),
        state.rotation(&team(), &group("z"), None, 0, now).unwrap_err(),
        state.rotation(&team(), &group("g"), Some(&campaign("z")), 0, now).unwrap_err(),
    ];
    assert!(errors.iter().all(|error| name(error) == "NotFound"), "{errors:?}");
}

#[test]
fn a_rotation_shows_where_it_stands_and_the_turns_taken() {
    let mut world = World::with_ring("A B C");
    let view = |world: &World, next| {
        let now = world.state.time();
        world.state.rotation(&team(), &group("g"), Some(&campaign("c")), next, now).unwrap()
    };
    let fresh = view(&world, 4);
    assert_eq!((fresh.last_served, fresh.last_pick_time), (None, None));
    assert_eq!(fresh.next_members, ["A", "B", "C", "A"].map(member));
    world.now = 2_000;
    world.picks("c", 4);
    world.remove("g", "B");
    let used = view(&world, 3);
    assert_eq!(used.last_served, Some(member("A")));
    assert_eq!(used.turns, [(member("A"), 2), (member("C"), 1)]);
    assert_eq!(used.next_members, ["C", "A", "C"].map(member));
    assert_eq!(used.last_pick_time.unwrap().0, 2_000);
    world.add("g", "B");
    assert_eq!(view(&world, 0).turns[2], (member("B"), 0), "a place taken anew starts at none");
}

#[test]
fn a_preview_with_nobody_available_is_empty() {
    let mut world = World::with_reps("A");
    world.ok(out_between("A", 5_000, 6_000));
    world.run_campaign("c", vec![even_if_out(to_group("default"))]);
    let at = |now| {
        let now = turnwise::routing::Time(now);
        let default = group("default");
        world.state.rotation(&team(), &default, None, 2, now).unwrap().next_members.len()
    };
    assert_eq!([at(4_999), at(5_000), at(6_000)], [2, 0, 2]);
}
