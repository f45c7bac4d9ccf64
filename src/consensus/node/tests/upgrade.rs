//! Nodes of different builds: when the cluster's version is raised, and who stops or stays out.

use super::*;
use crate::consensus::{batch, versions};

const OLD: Versions = Versions::FIRST;
const NEW: Versions = Versions { min: 2, max: 3 };
const NEVER: [u64; 0] = [];

impl World {
    fn version(&self, id: u64) -> u32 {
        self.machines[&id].node.status().version
    }

    /// Stops a node and starts it again with this build.
    fn start_with(&mut self, id: u64, build: Versions) {
        self.builds.insert(id, build);
        self.restart(id);
        self.down.remove(&id);
    }

    fn ticks(&mut self, count: usize) {
        (0..count).for_each(|_| self.tick());
    }

    fn raised(&mut self) {
        self.until(|world| {
            let mut up = world.machines.iter().filter(|(id, _)| !world.down.contains(id));
            up.all(|(_, it)| it.node.status().version == 3)
        });
    }

    /// Where the version was raised; once, or not at all.
    fn raised_at(&self) -> Vec<u64> {
        let pairs = self.at_version.iter().zip(self.at_version.iter().skip(1));
        pairs.filter(|(before, after)| before.1 != after.1).map(|(_, after)| *after.0).collect()
    }

    /// What the leader puts into its log by force.
    fn force(&mut self, version: u32) {
        let leader = self.leader().unwrap();
        let node = &mut self.machines.get_mut(&leader).unwrap().node;
        assert!(node.append(batch::raise(HOUR_US, version)).unwrap());
    }
}

#[test]
fn the_version_is_raised_when_the_last_member_was_upgraded_and_not_before() {
    let mut world = World::of(3);
    world.agree();
    for id in [1, 2, 3] {
        world.until(|world| world.leader().is_some());
        world.propose(3);
        world.ticks(50);
        assert_eq!(world.raised_at(), NEVER, "before node {id}");
        world.start_with(id, NEW);
    }
    world.raised();
    world.agree();
    world.propose(3);
    world.agree();
    assert_eq!(world.raised_at().len(), 1);
    // It is in the log, for whoever starts from it.
    world.restart(1);
    world.agree();
    assert_eq!(world.version(1), 3);
}

#[test]
fn a_member_that_does_not_answer_is_waited_for() {
    let mut world = World::of_builds(3, [(1, NEW), (2, NEW)].into());
    world.agree();
    world.ticks(10);
    let leader = world.leader().unwrap();
    // It has said that it has the next version, and is gone when the last of the others has it too.
    let (down, last) = if leader == 3 { (1, 3) } else { (3 - leader, 3) };
    world.down.insert(down);
    world.ticks(50);
    world.start_with(last, NEW);
    world.ticks(200);
    assert_eq!(world.raised_at(), NEVER);
    world.down.remove(&down);
    world.raised();
    assert_eq!(world.raised_at().len(), 1);
}

#[test]
fn a_learner_is_asked_too() {
    let mut world = World::of_builds(3, [1, 2, 3].map(|id| (id, NEW)).into());
    // Before there was time to raise it.
    let leader = world.leader().unwrap();
    let others: Vec<u64> = [1, 2, 3].into_iter().filter(|id| *id != leader).collect();
    world.start_with(others[0], OLD);
    world.builds.insert(4, OLD);
    world.join(4, None);
    // It can't catch up, so it stays without a vote.
    world.down.insert(4);
    world.start_with(others[0], NEW);
    world.ticks(100);
    assert_eq!(world.raised_at(), NEVER);
    assert!(world.led().membership().learners().contains(&NodeId(4)));
    world.start_with(4, NEW);
    world.raised();
}

#[test]
fn who_lacks_the_version_that_is_or_comes_is_not_admitted() {
    let mut world = World::of_builds(3, [1, 2, 3].map(|id| (id, NEW)).into());
    world.insist(&Change::CreateToken { hash: TOKEN, ttl_us: HOUR_US, replaces: None }).unwrap();
    let leader = world.leader().unwrap();
    // Raised in the leader's log, and committed nowhere.
    let is_raising = |world: &World| world.machines[&leader].node.changes.raising == Some(3);
    let now = Now { monotonic_us: world.clock_us, wall_us: world.clock_us };
    while !is_raising(&world) && world.raised_at().is_empty() {
        let effects = world.machines.get_mut(&leader).unwrap().node.handle(now, Input::Tick);
        drop(effects.unwrap());
        if !is_raising(&world) {
            world.tick();
        }
    }
    let refused = NotChanged::Version { needs: 3, versions: OLD };
    assert_eq!(world.machines[&leader].node.may_have(OLD), Err(refused));
    world.raised();
    assert_eq!(world.insist(&join_with(OLD, TOKEN, 4)), Err(refused));
    let later = Versions { min: 4, max: 5 };
    let refused = Err(NotChanged::Version { needs: 3, versions: later });
    assert_eq!(world.insist(&join_with(later, TOKEN, 4)), refused);
    let joined = world.insist(&join_with(NEW, TOKEN, 4)).unwrap();
    assert!(matches!(joined, Changed::Joined { node: NodeId(4), .. }));
}

#[test]
fn a_build_that_lacks_the_version_stops_before_it_takes_an_entry_of_it() {
    let mut world = World::of_builds(3, [1, 2, 3].map(|id| (id, OLD)).into());
    let leader = world.leader().unwrap();
    let old = leader % 3 + 1;
    world.agree();
    world.start_with(leader % 3 + 1, OLD);
    let third = (leader + 1) % 3 + 1;
    // As if nobody had asked it.
    world.start_with(third, NEW);
    world.until(|world| world.leader().is_some());
    while world.leader() != Some(third) {
        let to = Some(NodeId(third));
        if let Some(leader) = world.leader() {
            world.input(leader, Input::HandOver { to });
        }
        world.tick();
    }
    let last = world.machines[&old].node.status().last_index;
    world.force(3);
    world.until(|world| world.faults.len() == 2);
    assert!(
        world.faults.values().all(|fault| {
            matches!(fault, Fault::Version { version: 3, before: 2, newest: 2, .. })
        })
    );
    let kept = world.machines[&old].node.status().last_index;
    let context = raft::GetEntriesContext::empty(false);
    let log = &world.machines[&old].node.raw.raft.raft_log;
    let entries = log.slice(last.min(kept), kept + 1, None, context).unwrap();
    assert!(entries.iter().all(|entry| versions::of_entry(&entry.data) < 3));
    // With the build that has it, they go on.
    world.start_with(old, NEW);
    world.start_with(leader, NEW);
    world.raised();
    world.agree();
}

#[test]
fn a_version_that_skips_one_stops_whoever_reads_it() {
    let later = Versions { min: 2, max: 9 };
    let mut world = World::of_builds(1, [(1, later)].into());
    world.raised_to(9);
    assert_eq!(world.raised_at().len(), 7, "one by one");
    let mut world = World::of_builds(1, [(1, OLD)].into());
    world.builds.insert(1, Versions { min: 2, max: 4 });
    world.machines.get_mut(&1).unwrap().node.config.versions = Versions { min: 2, max: 4 };
    world.force(4);
    world.until(|world| !world.faults.is_empty());
    let fault = &world.faults[&1];
    assert!(matches!(fault, Fault::Version { version: 4, before: 2, newest: 4, .. }), "{fault}");
}

impl World {
    fn raised_to(&mut self, version: u32) {
        self.until(|world| world.version(1) == version);
    }
}

#[test]
fn a_later_leader_that_knows_less_does_not_lower_it() {
    let mut world = World::of_builds(3, [1, 2, 3].map(|id| (id, NEW)).into());
    world.raised();
    world.force(2);
    world.propose(3);
    world.agree();
    assert!([1, 2, 3].iter().all(|id| world.version(*id) == 3));
    assert_eq!(world.raised_at().len(), 1);
}
