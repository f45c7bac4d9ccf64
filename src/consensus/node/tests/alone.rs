//! The only voter has nobody to wait for.

use super::{HOUR_US, World, machine};
use crate::{
    consensus::{Input, NodeId, Now, Role, Versions, founding_snapshot},
    proto::turnwise::log::v1::SnapshotMeta,
};

#[test]
fn the_only_voter_leads_without_waiting_for_anybody_and_one_of_several_does_not() {
    let first_tick = |voters: u64| {
        let ids: Vec<NodeId> = (1..=voters).map(NodeId).collect();
        let mut node = machine(1, Versions::FIRST, founding_snapshot(&ids)).node;
        let now = Now { monotonic_us: HOUR_US, wall_us: HOUR_US };
        drop(node.handle(now, Input::Tick).unwrap());
        node.status().role
    };
    assert_eq!(first_tick(1), Role::Leader);
    assert_eq!(first_tick(2), Role::Follower);
}

/// Its snapshot is of the time when it was alone, and the log behind that says who came.
#[test]
fn one_that_was_the_only_voter_once_does_not_lead_by_itself_after_a_restart() {
    let mut world = World::of(1);
    world.join(2, None);
    world.until(|world| world.leader().is_some() && world.voters().contains(&2));
    world.agree();
    let meta = world.machines[&1].snapshot.meta.clone();
    let meta: SnapshotMeta = prost::Message::decode(meta).unwrap();
    assert_eq!(meta.voters, [1]);
    world.down.insert(2);
    world.restart(1);
    for _ in 0..200 {
        world.tick();
        assert_ne!(world.machines[&1].node.status().role, Role::Leader);
    }
    world.down.remove(&2);
    world.until(|world| world.leader().is_some());
    world.agree();
}
