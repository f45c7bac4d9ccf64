//! The properties of the routing specification (1.6), on rings of every small shape.

use turnwise::routing::{Command, LogPosition, Outcome, Stamp, State, Time, Via};

use turnwise::routing::Principal;

use super::world::{
    World, assign, assigned, group, key, named, new_rep, new_team, owned_by, retarget, team,
    to_group, to_owner, to_rep, via,
};

fn ids(n: usize) -> Vec<String> {
    (0..n).map(|i| char::from_u32(65 + u32::try_from(i).unwrap()).unwrap().to_string()).collect()
}

fn count(picks: &str, id: &str) -> usize {
    picks.split(' ').filter(|pick| *pick == id).count()
}

#[test]
fn p1_counts_differ_by_at_most_one_while_the_eligible_set_is_constant() {
    for n in 1..7 {
        for out in 0..n {
            let mut world = World::with_ring(&ids(n).join(" "));
            world.picks("c", out + 1);
            ids(n).iter().take(out).for_each(|id| world.out(id));
            let stayed = &ids(n)[out..];
            let mut picks = String::new();
            for _ in 0..3 * n {
                picks = format!("{picks} {}", world.next("c"));
                let counts: Vec<_> = stayed.iter().map(|id| count(&picks, id)).collect();
                let spread = counts.iter().max().unwrap() - counts.iter().min().unwrap();
                assert!(spread <= 1, "{n} members, {out} out: {picks}");
            }
        }
    }
}

#[test]
fn p1_a_full_cycle_gives_each_member_exactly_its_weight() {
    for (ring, cycle, weights) in [
        ("A*3 B", 4, vec![("A", 3), ("B", 1)]),
        ("A*300 B*100", 4, vec![("A", 3), ("B", 1)]),
        ("A*2 B*3 C*5", 10, vec![("A", 2), ("B", 3), ("C", 5)]),
        ("A*6 B*4 C*10", 10, vec![("A", 3), ("B", 2), ("C", 5)]),
    ] {
        let mut world = World::with_ring(ring);
        for round in 0..3 {
            let picks = world.picks("c", cycle);
            for (id, weight) in &weights {
                assert_eq!(count(&picks, id), *weight, "{ring}, cycle {round}: {picks}");
            }
        }
    }
}

#[test]
fn p2_availability_never_moves_a_cursor() {
    let mut world = World::with_ring("A B C");
    world.picks("c", 2);
    let before = world.cursor("g", "c");
    for id in ["B", "C", "A"] {
        world.out(id);
        assert_eq!(world.cursor("g", "c"), before);
        world.back(id);
        assert_eq!(world.cursor("g", "c"), before);
    }
}

#[test]
fn p3_a_pick_from_the_ring_moves_its_cursor_and_nothing_else_does() {
    let mut world = World::with_ring("A B C");
    world.run_campaign("d", vec![to_group("g")]);
    world.picks("d", 1);
    let other = world.cursor("g", "d");
    let mut last = world.cursor("g", "c");
    for _ in 0..6 {
        world.next("c");
        assert_ne!(world.cursor("g", "c"), last);
        last = world.cursor("g", "c");
    }
    assert_eq!(world.cursor("g", "d"), other);
    world.create_rep("D").unwrap();
    world.add("g", "D");
    world.remove("g", "B");
    world.ok(retarget("c", vec![to_owner()]));
    world.ok(retarget("c", vec![to_group("g")]));
    assert_eq!(world.cursor("g", "c"), last);
}

#[test]
fn p4_owner_and_single_rep_move_no_cursor() {
    let mut world = World::with_reps("A B C");
    world.create_group("g", "A B C").unwrap();
    world.run_campaign("c", vec![to_owner(), to_group("g")]);
    world.next("c");
    let before = world.cursor("g", "c");
    world.next_of("c", &[owned_by("C")]);
    world.ok(retarget("c", vec![to_rep("B"), to_group("g")]));
    assert_eq!(world.next("c"), "B");
    assert_eq!(world.cursor("g", "c"), before);
}

#[test]
fn p5_a_repeated_request_gives_the_same_answer_and_changes_nothing() {
    let mut world = World::with_ring("A B C");
    let calls: Vec<_> = (0..9)
        .map(|i| (key(&format!("r{i}"), i), assign(&format!("x{}", i % 5), &via("c"), &[])))
        .collect();
    let first: Vec<_> = calls.iter().map(|(k, op)| world.send(k.clone(), op.clone())).collect();
    let before = world.state.clone();
    let again: Vec<_> = calls.iter().map(|(k, op)| world.send(k.clone(), op.clone())).collect();
    assert_eq!(again, first);
    assert!(world.state == before);
}

/// Applies the commands in batches of this size.
fn in_batches(commands: &[Command], size: usize) -> (State, Vec<String>) {
    let mut state = State::new();
    let mut outcomes = Vec::new();
    for (index, batch) in (1..).zip(commands.chunks(size)) {
        for (seq, command) in (0..).zip(batch) {
            let position = LogPosition { log_index: index, seq, term: 1 };
            let reply = state.apply(command, Stamp { time: Time(7), position }).unwrap();
            if let Outcome::Assigned(assigned) = reply.outcome {
                outcomes.push(assigned.assignment.rep.as_ref().unwrap().to_string());
            }
        }
    }
    (state, outcomes)
}

#[test]
fn p6_a_batch_gives_what_the_calls_give_in_order() {
    let mut operations = vec![new_team()];
    operations.extend(["A", "B", "C"].map(new_rep));
    operations.extend((0..20).map(|i| assign(&format!("x{i}"), &Via::DefaultRule, &[])));
    let command = |operation| {
        let (request, principal, etag) = (None, Principal::default(), None);
        Command { request, principal, team: team(), etag, operation }
    };
    let commands: Vec<_> = operations.into_iter().map(command).collect();
    let (_, one_by_one) = in_batches(&commands, 1);
    assert_eq!(one_by_one.len(), 20);
    for size in [2, 5, 24] {
        assert_eq!(in_batches(&commands, size).1, one_by_one);
    }
}

#[test]
fn p7_the_members_shown_as_next_are_the_next_picks() {
    let mut world = World::with_ring("A*2 B C*3 D");
    world.picks("c", 5);
    world.out("B");
    let under = super::world::campaign("c");
    let view = world.state.rotation(&team(), &group("g"), Some(&under), 12, Time(1_000)).unwrap();
    let next: Vec<_> = view.next_members.iter().map(named).collect();
    assert_eq!(world.picks("c", 12), next.join(" "));
}

#[test]
fn p8_equal_logs_give_equal_states_and_a_clone_goes_its_own_way() {
    let mut one = World::with_ring("A B C");
    let mut two = World::with_ring("A B C");
    assert_eq!(one.picks("c", 9), two.picks("c", 9));
    assert!(one.state == two.state && one.state.hash() == two.state.hash());
    let frozen = one.state.clone();
    one.picks("c", 5);
    assert!(frozen == two.state);
    assert_ne!(one.state.hash(), frozen.hash());
}

#[test]
fn p9_executing_an_entry_again_gives_the_recorded_decision() {
    let mut world = World::with_ring("A B C");
    world.out("B");
    for i in 0..20 {
        let mut again = world.over(world.state.clone());
        let operation = assign(&format!("x{i}"), &via("c"), &[]);
        let recorded = assigned(world.ok(operation.clone())).assignment;
        assert_eq!(assigned(again.ok(operation)).assignment, recorded);
        let kept = world.state.assignment(&team(), recorded.id).unwrap();
        assert_eq!(kept.decision, recorded.decision);
    }
}

#[test]
fn p10_the_open_count_of_a_rep_is_the_number_of_their_open_assignments() {
    let mut world = World::with_ring("A B C");
    world.run_campaign("d", vec![to_owner(), to_group("default")]);
    world.picks("c", 7);
    for _ in 0..3 {
        world.next_of("d", &[owned_by("B")]);
    }
    let all = world.state.assignments(&team(), &Default::default(), None, 100).unwrap();
    for id in ["A", "B", "C"] {
        let held = all.iter().filter(|a| a.rep == Some(super::world::rep(id))).count();
        assert_eq!(world.rep(id).open_count, u64::try_from(held).unwrap(), "{id}");
    }
}
