//! A node that lost its data comes back under a new id: when the leader takes it in, and who is not heard then.

use super::*;
use crate::{
    consensus::{batch, membership::Step},
    proto::turnwise::peer::v1::RaftMessageType as Type,
};

/// What the machine of `lost` asks with, as the one that will be node `id`.
fn back(lost: u64, id: u64) -> Change {
    with_data(lost, incarnation(lost), id)
}

fn with_data(lost: u64, data: Incarnation, id: u64) -> Change {
    let ticket = Ticket::Lost { node: NodeId(lost), incarnation: data };
    let Change::Join { ticket: _, incarnation, peer_address, client_address, versions } =
        join(TOKEN, id)
    else {
        unreachable!("it joins")
    };
    Change::Join { ticket, incarnation, peer_address, client_address, versions }
}

impl World {
    /// Three, of whom one that does not lead has ended; and its id.
    fn with_one_rotten() -> (Self, u64) {
        let mut world = Self::of(3);
        world.propose(3);
        world.agree();
        let rotten = (1..=3).find(|id| Some(*id) != world.leader()).unwrap();
        world.down.insert(rotten);
        (world, rotten)
    }

    /// Until whoever is down is not counted any more.
    fn wait(&mut self) {
        (0..60).for_each(|_| self.tick());
    }

    fn begin(&mut self, lost: u64, id: u64) {
        let joined = self.insist(&back(lost, id)).unwrap();
        let Changed::Joined { node, membership } = joined else { panic!("{joined:?}") };
        assert_eq!(node, NodeId(id));
        let begin = joining_snapshot(membership.introduction(|_| None));
        self.machines.insert(id, machine(id, self.build(id), begin));
    }
}

#[test]
fn who_lost_its_data_comes_back_under_a_new_id_and_what_it_was_goes() {
    let (mut world, rotten) = World::with_one_rotten();
    world.wait();
    world.begin(rotten, 4);
    world.until(|world| world.leader().is_some() && world.voters().contains(&4));
    let voters: Vec<u64> = (1..=4).filter(|id| *id != rotten).collect();
    world.until(|world| world.leader().is_some() && world.voters() == voters);
    let members = world.led().membership();
    assert_eq!(members.standing(NodeId(rotten)), Standing::Removed);
    let record = members.record(NodeId(4)).unwrap();
    assert!(record.rejoined && record.replaces == Some(NodeId(rotten)));
    // And once more.
    world.down.insert(4);
    world.wait();
    world.begin(4, 5);
    world.until(|world| world.leader().is_some() && world.voters().contains(&5));
    world.propose(3);
    world.agree();
    assert!(!world.voters().contains(&4));
}

#[test]
fn asked_again_by_the_same_directory_the_leader_gives_the_same_id_and_another_copy_none() {
    let (mut world, rotten) = World::with_one_rotten();
    world.wait();
    for _ in 0..3 {
        let joined = world.insist(&back(rotten, 4)).unwrap();
        assert!(matches!(joined, Changed::Joined { node: NodeId(4), .. }), "{joined:?}");
        world.tick();
    }
    let node = NodeId(rotten);
    let copy = world.insist(&back(rotten, 5)).unwrap_err();
    let gone = NotChanged::CameBack { node, by: NodeId(4) };
    assert_eq!(copy, gone);
    world.until(|world| world.leader().is_some() && !world.voters().contains(&rotten));
    assert_eq!(world.insist(&back(rotten, 5)).unwrap_err(), gone, "also once it is removed");
    assert_eq!(world.led().membership().next_id(), NodeId(5), "one id was given out");
}

#[test]
fn whoever_is_no_member_does_not_know_whose_the_data_was_or_runs_is_not_taken_in() {
    let (mut world, rotten) = World::with_one_rotten();
    let node = NodeId(rotten);
    let leader = world.leader().unwrap();
    let heard = world.ask(back(rotten, 4)).unwrap_err();
    assert_eq!(heard, NotChanged::StillHeard { node }, "it has just ended, or this is a copy");
    world.wait();
    let other = with_data(rotten, Incarnation(7), 4);
    assert_eq!(world.insist(&other).unwrap_err(), NotChanged::OtherData { node });
    let stranger = world.insist(&back(9, 4)).unwrap_err();
    assert_eq!(stranger, NotChanged::NoSuchNode { node: NodeId(9) });
    let itself = world.insist(&back(leader, 4)).unwrap_err();
    assert_eq!(itself, NotChanged::StillHeard { node: NodeId(leader) });
    assert_eq!(world.led().membership().next_id(), NodeId(4), "nobody was taken in");
    assert!(world.insist(&back(rotten, 4)).is_ok());
}

#[test]
fn without_a_majority_of_others_nobody_comes_back() {
    let mut world = World::of(5);
    world.agree();
    let leader = world.leader().unwrap();
    let down: Vec<u64> = (1..=5).filter(|id| *id != leader).take(2).collect();
    world.down.extend(&down);
    world.wait();
    // Three of four.
    assert!(world.insist(&back(down[0], 6)).is_ok());
    // Of two, both are needed.
    let mut two = World::of(2);
    two.propose(3);
    two.agree();
    let other = 3 - two.leader().unwrap();
    two.down.insert(other);
    for _ in 0..60 {
        two.tick();
        if two.leader().is_some() {
            let refused = two.ask(back(other, 3)).unwrap_err();
            let is_late = matches!(
                refused,
                NotChanged::StillHeard { .. } | NotChanged::NotLeader | NotChanged::Busy
            );
            assert!(is_late || matches!(refused, NotChanged::NoQuorum { .. }), "{refused:?}");
        }
    }
    assert!(two.leader().is_none(), "it does not lead alone");
}

#[test]
fn from_the_admission_on_the_old_id_is_not_heard_not_even_before_it_is_removed() {
    let (mut world, rotten) = World::with_one_rotten();
    world.wait();
    let leader = world.leader().unwrap();
    let third = (1..=3).find(|id| *id != leader && *id != rotten).unwrap();
    // The leader takes it in and can't go on: who else is there does not hear it any more.
    let id = ChangeId(7_000);
    world.input(leader, Input::Change { id, change: back(rotten, 4) });
    let is_admitted = |world: &World| {
        let members = world.machines[&leader].node.membership();
        members.standing(NodeId(rotten)) == Standing::Lost
    };
    for _ in 0..20 {
        if is_admitted(&world) {
            break;
        }
        world.tick_without(|letter| letter.to == third && is_removal(letter));
    }
    assert!(is_admitted(&world), "it is a member still, and lost");
    // A copy of the old disk starts: its vote and what it acknowledges are not heard.
    world.down.remove(&rotten);
    world.restart(rotten);
    let vote = |node: u64, kind: Type| RaftMessage {
        r#type: kind.into(),
        from: rotten,
        to: node,
        term: world.machines[&leader].node.status().term,
        index: 1_000,
        ..RaftMessage::default()
    };
    let letters = [Type::AppendResponse, Type::RequestVoteResponse, Type::RequestVote];
    let letters = letters.map(|kind| vote(leader, kind));
    let before = world.machines[&leader].node.status();
    for message in letters {
        world.input(leader, Input::Receive { from: NodeId(rotten), message });
    }
    let after = world.machines[&leader].node.status();
    assert_eq!((before.role, before.term, before.commit), (after.role, after.term, after.commit));
    let old = |status: &NodeStatus| status.matched.iter().find(|(id, _)| id.0 == rotten).copied();
    assert_eq!(old(&before), old(&after));
}

/// Whether a change of the members comes with it, beside the one that takes the node in.
fn is_removal(letter: &RaftMessage) -> bool {
    let changes = letter.entries.iter().filter(|entry| entry.kind == 1);
    let mut changes = changes.map(|it| batch::read_change(it.index, it.data.clone()).unwrap());
    changes.any(|change| change.step == Step::Remove)
}

#[test]
fn a_learner_that_lost_its_data_comes_back_and_whom_it_replaced_goes_all_the_same() {
    let (mut world, dead) = World::with_one_rotten();
    world
        .insist(&Change::CreateToken { hash: TOKEN, ttl_us: HOUR_US, replaces: Some(NodeId(dead)) })
        .unwrap();
    world.insist(&join(TOKEN, 4)).unwrap();
    // It never got as far as to vote: its data was lost before.
    world.wait();
    world.begin(4, 5);
    world.until(|world| world.leader().is_some() && world.voters().contains(&5));
    world.until(|world| world.leader().is_some() && !world.voters().contains(&dead));
    let members = world.led().membership();
    assert!(members.learners().is_empty() && members.voters().len() == 3, "{members:?}");
}
