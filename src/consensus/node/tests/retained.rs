//! The log that stays for those who are being sent a snapshot.

use super::{
    super::retained::{Retained, Taken},
    RaftMessage, World,
};
use crate::consensus::{Input, NodeId};

/// Bytes of the log between two snapshots, of commands of about 1,000.
const EVERY: u64 = 10_000;
const COMMANDS: u64 = 12;

/// Three nodes that keep no log but what is needed, one of which is down until the leader has cut it.
fn behind() -> (World, u64) {
    let mut world = World::of(3);
    for machine in world.machines.values_mut() {
        machine.node.config.snapshot_every_bytes = EVERY;
        machine.node.config.retained_log_bytes = 0;
    }
    let leader = world.leader().unwrap();
    let away = (1..=3).find(|id| *id != leader).unwrap();
    world.down.insert(away);
    world.propose(2 * COMMANDS);
    assert!(base(&world) > world.machines[&away].applied.1, "the log is cut");
    world.held = Some(Vec::new());
    world.down.remove(&away);
    world.until(|world| world.held.as_ref().is_some_and(|held| !held.is_empty()));
    (world, away)
}

/// The index before the leader's log.
fn base(world: &World) -> u64 {
    world.led().raw.raft.raft_log.first_index() - 1
}

/// Lets the snapshot arrive, and gives its index.
fn arrive(world: &mut World) -> u64 {
    let held: Vec<RaftMessage> = world.held.replace(Vec::new()).unwrap_or_default();
    let [message] =
        <[RaftMessage; 1]>::try_from(held).expect("one was sent, and no other meanwhile");
    let (from, to) = (message.from, message.to);
    let index = message.snapshot.as_ref().unwrap().index;
    world.input(to, Input::Receive { from: NodeId(from), message });
    world.input(from, Input::SnapshotSent { to: NodeId(to), delivered: true });
    index
}

#[test]
fn the_log_stays_from_a_snapshot_that_is_on_its_way() {
    let (mut world, away) = behind();
    // Meanwhile the leader takes others.
    world.propose(3 * COMMANDS);
    let index = arrive(&mut world);
    world.agree();
    assert_eq!(world.held, Some(Vec::new()), "no other was needed");
    assert!(base(&world) <= index, "the log reaches back to it");
    let since = world.machines[&away].applied.0;
    assert!(since >= 3 * COMMANDS, "{since} commands came by the log");

    // It has come past the next one, so nothing is kept for it any more.
    world.propose(3 * COMMANDS);
    world.agree();
    assert!(base(&world) > index);
}

#[test]
fn it_does_not_stay_for_ever() {
    let (mut world, _) = behind();
    let before = base(&world);
    world.propose(3 * COMMANDS);
    assert_eq!(base(&world), before, "not while it may come");
    world.propose(6 * COMMANDS);
    let newest = world.machines[&world.leader().unwrap()].snapshot.index;
    assert_eq!(base(&world), newest, "whoever is longer on the way begins anew");
    arrive(&mut world);
    world.held = None;
    world.agree();
}

/// As much log between any two as fifty times stays.
fn taken(retained: &mut Retained, index: u64, matched: impl Fn(u64) -> Option<u64>) -> Option<u64> {
    retained.taken(Taken { index, log_len: 100 }, 5_000, matched)
}

#[test]
fn it_stays_for_whoever_of_two_is_further_behind() {
    let mut retained = Retained::default();
    assert_eq!(taken(&mut retained, 10, |_| Some(0)), None, "it was sent to nobody");
    retained.sends(1, 10);
    assert_eq!(taken(&mut retained, 20, |_| Some(0)), Some(10));
    retained.sends(2, 20);
    let matched = |id| Some(if id == 1 { 15 } else { 0 });
    assert_eq!(
        taken(&mut retained, 30, matched),
        Some(15),
        "one is past the snapshot, but not past the last"
    );
    let matched = |id| Some(if id == 1 { 40 } else { 0 });
    assert_eq!(taken(&mut retained, 40, matched), Some(20), "one has come past all");
    assert_eq!(
        taken(&mut retained, 50, |id| (id == 1).then_some(0)),
        None,
        "the other is no member"
    );
    retained.sends(1, 50);
    retained.leadership_changed();
    assert_eq!(
        taken(&mut retained, 60, |_| Some(0)),
        None,
        "the leader that sent it is another now"
    );
}

#[test]
fn it_stays_as_long_as_the_log_that_stays_is_not_too_long_however_many_snapshots_that_is() {
    let mut retained = Retained::default();
    retained.sends(1, 10);
    let mut take = |index: u64, log_len| retained.taken(Taken { index, log_len }, 400, |_| Some(0));
    assert_eq!(take(10, 1_000), Some(10), "what is before it does not count");
    assert_eq!([20, 30].map(|index| take(index, 200)), [Some(10), Some(10)]);
    assert_eq!(take(40, 1), None, "401 bytes are too many");
    let mut retained = Retained::default();
    retained.sends(1, 10);
    retained.taken(Taken { index: 10, log_len: 1_000 }, 400, |_| Some(0));
    for index in 11..=410 {
        let stays = retained.taken(Taken { index, log_len: 1 }, 400, |_| Some(0));
        assert_eq!(stays, Some(10), "{index}");
    }
    assert_eq!(retained.taken(Taken { index: 411, log_len: 1 }, 400, |_| Some(0)), None);
}

#[test]
fn it_does_not_stay_for_a_snapshot_that_did_not_arrive() {
    let (mut world, away) = behind();
    let before = base(&world);
    let leader = world.leader().unwrap();
    world.down.insert(away);
    world.input(leader, Input::SnapshotSent { to: NodeId(away), delivered: false });
    world.propose(3 * COMMANDS);
    assert!(base(&world) > before);
}
