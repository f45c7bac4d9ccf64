//! Marks over a few nodes in memory: when they are written, that they are true, who knows them, and where it ends.

use super::*;
use crate::consensus::{
    Mark, batch,
    marks::{of_entry, written},
};

/// What a node knows another one to have had.
fn known(world: &World, node: u64, of: u64) -> Mark {
    world.machines[&node].node.marks().of(NodeId(of))
}

/// All entries of a node's log, from one index on, that carry marks; with whether they carry commands.
fn marked(world: &World, node: u64, from: u64) -> Vec<(u64, bool)> {
    let raft = &world.machines[&node].node.raw.raft;
    let context = raft::GetEntriesContext::empty(false);
    let end = raft.raft_log.last_index() + 1;
    let entries = raft.raft_log.slice(from, end, None, context).unwrap();
    let entries = entries.iter().map(crate::consensus::wire::entry_from_raft);
    let entries = entries.filter(|entry| !of_entry(entry).is_empty());
    let has_commands = |data| !batch::read(1, data).unwrap().commands.is_empty();
    entries.map(|entry| (entry.index, has_commands(entry.data))).collect()
}

fn last(world: &World, node: u64) -> u64 {
    world.machines[&node].node.status().last_index
}

fn rest(world: &mut World, ticks: usize) {
    for _ in 0..ticks {
        world.tick();
    }
}

#[test]
fn what_nodes_have_is_written_with_commands_once_a_second_and_once_behind_them() {
    let mut world = World::of(3);
    rest(&mut world, 100);
    let leader = world.leader().unwrap();
    let from = last(&world, leader) + 1;
    // Three seconds, at 30 ms a tick.
    world.propose(100);
    let commands = last(&world, leader);
    let under_load = marked(&world, leader, from);
    assert!((3..=4).contains(&under_load.len()), "{under_load:?}");
    assert!(under_load.iter().all(|(_, has_commands)| *has_commands), "{under_load:?}");
    rest(&mut world, 100);
    let behind = marked(&world, leader, commands + 1);
    assert_eq!(behind, [(commands + 1, false)]);
    for (node, of) in (1..=3).flat_map(|node| (1..=3).map(move |of| (node, of))) {
        let mark = known(&world, node, of);
        assert!(mark.index >= commands, "{node} knows {mark:?} of {of}");
    }
    // Then nothing happens for a minute, and nothing is written.
    rest(&mut world, 2_000);
    assert_eq!(last(&world, leader), commands + 1);
    world.agree();
    assert_eq!(world.led().membership().marks(), &**world.led().marks());
}

#[test]
fn a_new_leader_writes_of_itself_and_the_others_though_nobody_asks_for_anything() {
    let mut world = World::of(3);
    rest(&mut world, 100);
    let first = world.leader().unwrap();
    let before = known(&world, first, first).term;
    world.down.insert(first);
    world.until(|world| world.leader().is_some());
    rest(&mut world, 100);
    let leader = world.leader().unwrap();
    let follower = 6 - first - leader;
    for of in [leader, follower] {
        let mark = known(&world, follower, of);
        assert!(mark.term > before, "{of}: {mark:?}");
    }
    assert_eq!(known(&world, follower, first).term, before, "it was not heard in this term");
    let end = last(&world, leader);
    rest(&mut world, 500);
    assert_eq!(last(&world, leader), end, "who is down is waited for in silence");
    // Once it is there, that is told too.
    world.down.remove(&first);
    rest(&mut world, 200);
    assert!(known(&world, follower, first).index >= end);
    assert!(known(&world, follower, first).term > before);
}

#[test]
fn a_mark_is_known_to_whoever_has_it_in_its_log_committed_or_not_and_after_a_restart() {
    let mut world = World::of(3);
    world.propose(3);
    rest(&mut world, 100);
    let leader = world.leader().unwrap();
    let (one, other) = (1 + leader % 3, 1 + (leader + 1) % 3);
    // From now on one follower hears the leader and nobody else does, and what it answers is lost.
    let is_lost = |letter: &RaftMessage| letter.to != one;
    let id = ProposalId(77);
    world.input(leader, Input::Propose(vec![Proposal { id, command: Bytes::from(vec![1]) }]));
    world.tick_without(is_lost);
    let commit = world.machines[&leader].node.status().commit;
    assert!(last(&world, one) > commit, "it is not committed");
    let mark = known(&world, one, other);
    assert!(mark.index > world.machines[&one].node.membership().marks().of(NodeId(other)).index);
    assert!(mark.index <= last(&world, other), "it is true all the same");
    world.restart(one);
    assert_eq!(known(&world, one, other), mark);
}

#[test]
fn marks_come_with_a_snapshot() {
    let mut world = World::of(3);
    rest(&mut world, 100);
    let leader = world.leader().unwrap();
    let (late, other) = (1 + leader % 3, 1 + (leader + 1) % 3);
    world.join(4, None);
    world.until(|world| world.leader().is_some() && world.voters().contains(&4));
    rest(&mut world, 100);
    world.agree();
    let (of_late, of_other) = (known(&world, 4, late), known(&world, 4, other));
    assert!(of_late.index > 0 && of_other.index > 0);
    assert_eq!(of_other, known(&world, leader, other));
    assert_eq!(world.remove(other), Ok(Changed::Removed));
    world.agree();
    assert_eq!(world.led().membership().marks().of(NodeId(other)), Mark::default());
}

#[test]
fn the_golden_files_of_marks_read_and_write_as_ever() {
    let marks = [(2, 300), (4, 70_000)]
        .map(|(node, index)| written(NodeId(node), Mark { index, term: 9 }))
        .to_vec();
    golden("batch-marks.bin", &batch::marks(1_800_000_000_000_000, marks.clone()));
    let meta =
        SnapshotMeta { voters: vec![1, 2], learners: vec![4], marks, ..SnapshotMeta::default() };
    let bytes = prost::Message::encode_to_vec(&meta);
    golden("snapshot-meta-marks.bin", &bytes);
    let read: SnapshotMeta = prost::Message::decode(&bytes[..]).unwrap();
    let mut again = SnapshotMeta::default();
    Membership::of(&read).write(&mut again);
    assert_eq!(again, meta);
}
