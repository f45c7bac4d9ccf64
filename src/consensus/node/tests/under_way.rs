//! How much a leader has under way at a time, and how followers hear of what is committed.

use bytes::Bytes;

use super::World;
use crate::{
    consensus::{Input, NodeId, Proposal, ProposalId},
    proto::turnwise::peer::v1::{RaftMessage, RaftMessageType},
};

fn proposal(id: u64) -> Input {
    Input::Propose(vec![Proposal { id: ProposalId(id), command: Bytes::from_static(b"c") }])
}

impl World {
    fn applied(&self, id: u64) -> u64 {
        self.machines[&id].node.status().applied
    }
}

#[test]
fn a_leader_takes_no_more_proposals_than_a_few_batches_and_more_as_they_are_committed() {
    let mut world = World::of(3);
    let leader = world.leader().unwrap();
    let others: Vec<u64> = (1..=3).filter(|id| *id != leader).collect();
    for id in 0..3 {
        assert!(world.machines[&leader].node.has_room(), "{id} are under way");
        world.input(leader, proposal(id));
    }
    assert!(!world.machines[&leader].node.has_room());
    assert!(others.iter().all(|id| world.machines[id].node.has_room()), "they refuse them at once");
    world.carry(|_| false);
    assert!(world.machines[&leader].node.has_room(), "they were committed");
    // One that has lost its majority goes on having none, until it does not lead any more.
    world.down.extend(&others);
    (3..6).for_each(|id| world.input(leader, proposal(id)));
    assert!(!world.machines[&leader].node.has_room());
    (0..100).for_each(|_| world.tick());
    assert!(world.machines[&leader].node.has_room(), "it stepped down");
}

#[test]
fn followers_hear_of_a_commit_with_the_next_entries_or_else_at_the_next_tick() {
    let mut world = World::of(3);
    (0..5).for_each(|_| world.tick());
    let leader = world.leader().unwrap();
    let follower = (1..=3).find(|id| *id != leader).unwrap();
    world.input(leader, proposal(1));
    let appends = |letters: &[RaftMessage]| {
        letters.iter().filter(|it| it.r#type == i32::from(RaftMessageType::Append)).count()
    };
    assert_eq!(
        appends(&world.carry(|_| false)),
        2,
        "one for each follower, and none that only tells"
    );
    let first = world.applied(leader);
    assert_eq!(world.applied(follower), first - 1);
    world.input(leader, proposal(2));
    assert_eq!(appends(&world.carry(|_| false)), 2);
    assert_eq!((world.applied(leader), world.applied(follower)), (first + 1, first));
    world.input(leader, Input::Tick);
    world.carry(|_| false);
    assert_eq!(world.applied(follower), first + 1, "nothing came next, so the tick told");
    world.input(leader, Input::Tick);
    assert_eq!(appends(&world.carry(|_| false)), 0, "there is nothing to tell");
}

#[test]
fn what_was_lost_on_its_way_is_sent_again_though_there_is_no_room_for_more() {
    let mut world = World::of(3);
    (0..5).for_each(|_| world.tick());
    let leader = world.leader().unwrap();
    (0..3).for_each(|id| world.input(leader, proposal(id)));
    assert!(!world.machines[&leader].node.has_room());
    // All of it, and the driver says so.
    world.letters.clear();
    for peer in (1..=3).filter(|id| *id != leader).map(NodeId) {
        world.input(leader, Input::Unreachable { peer });
    }
    world.input(leader, Input::Tick);
    world.carry(|_| false);
    assert!(world.machines[&leader].node.has_room(), "one tick was enough");
}
