//! Changes of the members over a few nodes in memory: disks that are done at once, and letters in order.

mod alone;
mod marks;
mod rejoin;
mod retained;
mod under_way;
mod upgrade;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use super::Node;
use crate::{
    consensus::{
        Change, ChangeId, Changed, Effect, Fault, HardState, Incarnation, Input, Install,
        Membership, NodeConfig, NodeId, NodeStatus, NotChanged, Now, Proposal, ProposalId,
        Recovered, Role, Standing, Ticket, TokenHash, Versions, founding_snapshot,
        joining_snapshot, written,
    },
    proto::turnwise::{
        log::v1::{Batch, MemberRecord, SnapshotMeta},
        peer::v1::{RaftMessage, RaftMessageType},
    },
};

const TOKEN: TokenHash = TokenHash([3; 32]);
const HOUR_US: u64 = 3_600_000_000;

/// What a process would have in memory, and on its disk.
struct Machine {
    node: Node,
    /// Number of commands applied, and at which index.
    applied: (u64, u64),
    snapshot: Install,
    /// The last that was written.
    hard_state: HardState,
    removed: bool,
}

struct World {
    machines: BTreeMap<u64, Machine>,
    /// What the builds of nodes have, where it is not the first version alone.
    builds: BTreeMap<u64, Versions>,
    /// The version at which an index was applied, by whoever was first.
    at_version: BTreeMap<u64, u32>,
    faults: BTreeMap<u64, Fault>,
    down: BTreeSet<u64>,
    letters: VecDeque<RaftMessage>,
    /// Snapshots on a long way, where there is one.
    held: Option<Vec<RaftMessage>>,
    outcomes: BTreeMap<ChangeId, Result<Changed, NotChanged>>,
    clock_us: u64,
    ids: u64,
}

fn logger() -> slog::Logger {
    slog::Logger::root(slog::Discard, slog::o!())
}

fn config(id: u64, versions: Versions) -> NodeConfig {
    let mut config = NodeConfig::new(NodeId(id), incarnation(id));
    config.versions = versions;
    config.boot_nonce = id;
    config.addresses = (1..=3).map(|id| (NodeId(id), format!("10.0.0.{id}:7401"))).collect();
    config
}

fn incarnation(id: u64) -> Incarnation {
    Incarnation(u128::from(id) + 100)
}

fn machine(id: u64, versions: Versions, snapshot: Install) -> Machine {
    let recovered = Recovered {
        base: (snapshot.index, snapshot.term),
        snapshot: snapshot.clone(),
        entries: Vec::new(),
        hard_state: HardState::default(),
    };
    let node = Node::new(config(id, versions), recovered, &logger()).unwrap();
    let hard_state = HardState::default();
    Machine { node, applied: (0, snapshot.index), snapshot, hard_state, removed: false }
}

impl World {
    fn of(voters: u64) -> Self {
        Self::of_builds(voters, BTreeMap::new())
    }

    fn of_builds(voters: u64, builds: BTreeMap<u64, Versions>) -> Self {
        let ids: Vec<NodeId> = (1..=voters).map(NodeId).collect();
        let founding = founding_snapshot(&ids);
        let mut world = Self {
            machines: BTreeMap::new(),
            builds,
            at_version: BTreeMap::new(),
            faults: BTreeMap::new(),
            down: BTreeSet::new(),
            letters: VecDeque::new(),
            held: None,
            outcomes: BTreeMap::new(),
            clock_us: HOUR_US,
            ids: 0,
        };
        for NodeId(id) in ids {
            world.machines.insert(id, machine(id, world.build(id), founding.clone()));
        }
        world.until(|world| world.leader().is_some());
        world
    }

    fn build(&self, id: u64) -> Versions {
        self.builds.get(&id).copied().unwrap_or(Versions::FIRST)
    }

    fn leader(&self) -> Option<u64> {
        let leads = |(id, it): &(&u64, &Machine)| {
            it.node.status().role == Role::Leader
                && it.node.status().caught_up
                && !self.down.contains(id)
        };
        self.machines
            .iter()
            .filter(leads)
            .max_by_key(|(_, it)| it.node.status().term)
            .map(|(id, _)| *id)
    }

    fn led(&self) -> &Node {
        &self.machines[&self.leader().unwrap()].node
    }

    fn input(&mut self, id: u64, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let now = Now { monotonic_us: self.clock_us, wall_us: self.clock_us };
            let handled = self.machines.get_mut(&id).unwrap().node.handle(now, input);
            match handled {
                Ok(effects) => {
                    effects.into_iter().for_each(|effect| self.perform(id, effect, &mut inputs));
                }
                Err(fault @ Fault::Version { .. }) => {
                    self.faults.insert(id, fault);
                    self.down.insert(id);
                    return;
                }
                Err(fault) => panic!("node {id}: {fault}"),
            }
        }
    }

    fn perform(&mut self, id: u64, effect: Effect, inputs: &mut VecDeque<Input>) {
        let machine = self.machines.get_mut(&id).unwrap();
        match effect {
            Effect::Send(letters) => self.letters.extend(letters),
            Effect::Persist(persist) => {
                if let Some(install) = persist.install {
                    machine.applied = (machine.applied.0, install.index);
                    machine.snapshot = install;
                }
                machine.hard_state = persist.hard_state.unwrap_or(machine.hard_state);
                inputs.push_back(Input::DiskDone { number: persist.number });
            }
            Effect::Apply(all) => {
                for committed in all {
                    assert_eq!(
                        committed.index,
                        machine.applied.1 + 1,
                        "every index comes, in order"
                    );
                    let before = self.at_version.range(..committed.index).next_back();
                    let before = before.map_or(2, |(_, version)| *version);
                    let at = before.max(committed.version);
                    let first = *self.at_version.entry(committed.index).or_insert(at);
                    assert_eq!(first, at, "all apply index {} at one version", committed.index);
                    let commands = u64::try_from(committed.commands.len()).unwrap();
                    machine.applied = (machine.applied.0 + commands, committed.index);
                }
                inputs.push_back(Input::Applied { through: machine.applied.1 });
            }
            Effect::TakeSnapshot { index, term, meta } => {
                // As the driver does, from the state.
                let mut written: SnapshotMeta = prost::Message::decode(meta).unwrap();
                written.cluster_version = self.at_version[&index];
                let meta: Bytes = prost::Message::encode_to_vec(&written).into();
                machine.snapshot = Install { index, term, meta: meta.clone() };
                inputs.push_back(Input::SnapshotSaved { index, term, meta, len: 0 });
            }
            Effect::SendSnapshot { to, message } => {
                if let Some(held) = &mut self.held {
                    held.push(*message);
                    return;
                }
                self.letters.push_back(*message);
                inputs.push_back(Input::SnapshotSent { to, delivered: true });
            }
            Effect::Changed { id, outcome } => {
                assert!(self.outcomes.insert(id, outcome).is_none(), "answered once");
            }
            Effect::Removed => machine.removed = true,
            Effect::ReadLog(_) => unreachable!("the whole log is in memory"),
            Effect::CompactLog { .. } | Effect::ProposalsFailed { .. } => {}
            Effect::ReadsReady(_) | Effect::ReadsFailed(_) => {}
        }
    }

    /// Starts a node again with what is on its disk.
    fn restart(&mut self, id: u64) {
        let machine = &self.machines[&id];
        let last = machine.node.raw.raft.raft_log.last_index();
        let base = machine.snapshot.index;
        let entries = (base + 1..=last).map(|index| {
            let context = raft::GetEntriesContext::empty(false);
            let read = machine.node.raw.raft.raft_log.slice(index, index + 1, None, context);
            super::wire::entry_from_raft(&read.unwrap()[0])
        });
        let snapshot = machine.snapshot.clone();
        let hard_state = machine.hard_state;
        let recovered = Recovered {
            snapshot: snapshot.clone(),
            base: (base, snapshot.term),
            entries: entries.collect(),
            hard_state,
        };
        let node = Node::new(config(id, self.build(id)), recovered, &logger()).unwrap();
        let again = Machine { node, applied: (0, base), snapshot, hard_state, removed: false };
        self.machines.insert(id, again);
    }

    /// One tick of everybody, and all letters that come of it.
    fn tick(&mut self) {
        self.tick_without(|_| false);
    }

    /// The same, but some letters get lost.
    fn tick_without(&mut self, gets_lost: impl Fn(&RaftMessage) -> bool) {
        self.clock_us += 30_000;
        let ids: Vec<u64> = self.machines.keys().copied().collect();
        for id in ids.iter().filter(|id| !self.down.contains(id)).copied().collect::<Vec<_>>() {
            for peer in ids.iter().filter(|peer| **peer != id) {
                let (versions, is_down) = (self.build(*peer), self.down.contains(peer));
                let (peer, incarnation) = (NodeId(*peer), incarnation(*peer));
                if !is_down {
                    let peer_address = String::new();
                    let seen = Input::PeerSeen { peer, incarnation, peer_address, versions };
                    self.input(id, seen);
                }
                self.input(id, Input::PeerClock { peer, wall_us: self.clock_us });
            }
            self.input(id, Input::Tick);
        }
        self.carry(gets_lost);
    }

    /// Carries all letters, and those that come of them. Gives what was on its way.
    fn carry(&mut self, gets_lost: impl Fn(&RaftMessage) -> bool) -> Vec<RaftMessage> {
        let mut carried = Vec::new();
        while let Some(letter) = self.letters.pop_front() {
            carried.push(letter.clone());
            let (from, to) = (letter.from, letter.to);
            let lost = self.down.contains(&to) || self.down.contains(&from) || gets_lost(&letter);
            if self.machines.contains_key(&to) && !lost {
                self.input(to, Input::Receive { from: NodeId(from), message: letter });
            }
        }
        carried
    }

    fn until(&mut self, done: impl Fn(&Self) -> bool) {
        for _ in 0..2_000 {
            if done(self) {
                return;
            }
            self.tick();
        }
        panic!("it did not come to pass");
    }

    fn ask(&mut self, change: Change) -> Result<Changed, NotChanged> {
        let leader = self.leader().unwrap();
        self.ask_at(leader, change)
    }

    fn ask_at(&mut self, node: u64, change: Change) -> Result<Changed, NotChanged> {
        self.ids += 1;
        let id = ChangeId(self.ids);
        self.input(node, Input::Change { id, change });
        self.until(|world| world.outcomes.contains_key(&id));
        self.outcomes.remove(&id).unwrap()
    }

    /// Asks again for as long as something else is under way.
    fn insist(&mut self, change: &Change) -> Result<Changed, NotChanged> {
        for _ in 0..200 {
            if self.leader().is_none() {
                self.tick();
                continue;
            }
            match self.ask(change.clone()) {
                Err(NotChanged::Busy | NotChanged::HandingOver { .. } | NotChanged::NotLeader) => {
                    self.tick();
                }
                other => return other,
            }
        }
        panic!("always busy");
    }

    fn join(&mut self, id: u64, replaces: Option<u64>) {
        let replaces = replaces.map(NodeId);
        // Each has a token of its own: one that was spent is not opened again.
        let hash = TokenHash([u8::try_from(id).unwrap(); 32]);
        self.insist(&Change::CreateToken { hash, ttl_us: HOUR_US, replaces }).unwrap();
        let joined = self.insist(&join_with(self.build(id), hash, id)).unwrap();
        let Changed::Joined { node, membership } = joined else { panic!("{joined:?}") };
        assert_eq!(node, NodeId(id));
        let begin = joining_snapshot(membership.introduction(|_| None));
        self.machines.insert(id, machine(id, self.build(id), begin));
    }

    fn remove(&mut self, id: u64) -> Result<Changed, NotChanged> {
        self.insist(&Change::Remove { node: NodeId(id) })
    }

    fn propose(&mut self, count: u64) {
        let leader = self.leader().unwrap();
        for id in 0..count {
            let command = Bytes::from(vec![1; 1_000]);
            self.input(leader, Input::Propose(vec![Proposal { id: ProposalId(id), command }]));
            self.tick();
        }
    }

    fn voters(&self) -> Vec<u64> {
        self.led().membership().voters().iter().map(|id| id.0).collect()
    }

    /// Everybody who is up has applied the same, and believes the same.
    fn agree(&mut self) {
        self.until(|world| {
            let Some(leader) = world.leader() else { return false };
            let lead = &world.machines[&leader];
            world.machines.iter().filter(|(id, _)| !world.down.contains(id)).all(|(_, it)| {
                it.applied.1 == lead.applied.1 && it.node.membership() == lead.node.membership()
            })
        });
    }
}

fn join(token: TokenHash, id: u64) -> Change {
    join_with(Versions::FIRST, token, id)
}

fn join_with(versions: Versions, token: TokenHash, id: u64) -> Change {
    let address = format!("10.0.0.{id}");
    Change::Join {
        ticket: Ticket::Token(token),
        incarnation: incarnation(id),
        peer_address: format!("{address}:7401"),
        client_address: format!("{address}:7400"),
        versions,
    }
}

#[test]
fn nodes_join_are_promoted_by_themselves_and_are_removed_again() {
    let mut world = World::of(3);
    world.propose(20);
    for id in [4, 5] {
        world.join(id, None);
        world.until(|world| world.leader().is_some() && world.voters().contains(&id));
        world.propose(5);
    }
    world.agree();
    assert_eq!(world.voters(), [1, 2, 3, 4, 5]);
    for id in [1, 2] {
        assert_eq!(world.remove(id), Ok(Changed::Removed));
        assert_eq!(world.remove(id), Ok(Changed::Removed), "asked again");
        world.down.insert(id);
    }
    world.propose(5);
    world.agree();
    assert_eq!(world.voters(), [3, 4, 5]);
    let record = |id| world.led().membership().record(NodeId(id)).cloned().unwrap();
    assert_eq!(record(2).peer_address, "10.0.0.2:7401", "its founders' addresses are recorded");
    assert_eq!(record(5).client_address, "10.0.0.5:7400");
    assert!(record(2).removed && !record(5).removed && record(5).admitted_us > 0);
}

#[test]
fn who_starts_again_is_not_caught_up_before_it_has_what_was_acknowledged() {
    let mut world = World::of(3);
    world.agree();
    let leader = world.leader().unwrap();
    let late = 1 + leader % 3;
    world.down.insert(late);
    world.propose(5);
    world.down.remove(&late);
    world.restart(late);
    let status = |world: &World| world.machines[&late].node.status();
    let is_append =
        |letter: &RaftMessage| letter.to == late && letter.r#type() == RaftMessageType::Append;
    for _ in 0..5 {
        world.tick_without(is_append);
        let NodeStatus { leader, commit, applied, caught_up, .. } = status(&world);
        // All that it heard fits: it follows, and has applied what it knows to be committed.
        assert!(leader.is_some() && applied >= commit && !caught_up);
    }
    world.until(|world| status(world).caught_up);
    let lead = world.machines[&leader].node.status();
    assert!(status(&world).applied >= lead.applied);
}

#[test]
fn a_removed_leader_hands_over_first_and_learns_of_its_end_from_its_successor_or_the_log() {
    let mut world = World::of(3);
    let leader = world.leader().unwrap();
    let refused = world.ask(Change::Remove { node: NodeId(leader) });
    assert_eq!(refused, Err(NotChanged::HandingOver { node: NodeId(leader) }));
    assert_eq!(world.remove(leader), Ok(Changed::Removed));
    assert_ne!(world.leader(), Some(leader));
    for _ in 0..60 {
        world.tick();
    }
    let gone = &world.machines[&leader];
    let knows = gone.node.membership().is_removed(NodeId(leader));
    assert_eq!(gone.removed, knows);
    world.down.insert(leader);
    world.propose(3);
    world.agree();
    assert_eq!(world.voters().len(), 2);
}

#[test]
fn a_dead_node_is_replaced_in_one_go() {
    let mut world = World::of(3);
    let dead = (1..=3).find(|id| Some(*id) != world.leader()).unwrap();
    world.down.insert(dead);
    world.propose(3);
    world.join(4, Some(dead));
    world.until(|world| !world.voters().contains(&dead) && world.voters().contains(&4));
    assert_eq!(world.voters().len(), 3);
    assert_eq!(world.led().membership().standing(NodeId(dead)), Standing::Removed);
}

#[test]
fn what_would_stop_the_cluster_is_refused() {
    let mut world = World::of(3);
    let leader = world.leader().unwrap();
    let others: Vec<u64> = (1..=3).filter(|id| *id != leader).collect();
    world.down.insert(others[0]);
    for _ in 0..30 {
        world.tick();
    }
    let refused = world.remove(others[1]).unwrap_err();
    let node = NodeId(others[1]);
    assert_eq!(refused, NotChanged::NoQuorum { node, reachable: 1, needed: 2 });
    assert_eq!(world.remove(9), Err(NotChanged::NoSuchNode { node: NodeId(9) }));
    assert_eq!(world.remove(others[0]), Ok(Changed::Removed), "it is the dead one that may go");

    let mut alone = World::of(1);
    assert_eq!(alone.remove(1), Err(NotChanged::LastVoter { node: NodeId(1) }));
}

#[test]
fn a_token_admits_one_node_once_and_not_after_its_time() {
    let mut world = World::of(1);
    assert_eq!(world.insist(&join(TOKEN, 2)).unwrap_err(), NotChanged::Token);
    let create = |hash, ttl_us| Change::CreateToken { hash, ttl_us, replaces: None };
    world.insist(&create(TOKEN, HOUR_US)).unwrap();
    let first = world.insist(&join(TOKEN, 2)).unwrap();
    let Changed::Joined { node, .. } = first else { panic!("{first:?}") };
    let again = world.insist(&join(TOKEN, 2)).unwrap();
    assert!(matches!(again, Changed::Joined { node: same, .. } if same == node));
    assert_eq!(world.insist(&join(TOKEN, 3)).unwrap_err(), NotChanged::Token, "it is spent");

    let short = TokenHash([4; 32]);
    world.insist(&create(short, 60_000)).unwrap();
    for _ in 0..3 {
        world.tick();
    }
    assert_eq!(world.insist(&join(short, 3)).unwrap_err(), NotChanged::Token, "its time is over");

    assert_eq!(world.remove(2), Ok(Changed::Removed));
    let back = world.insist(&join(TOKEN, 2)).unwrap_err();
    assert_eq!(back, NotChanged::WasRemoved { node: NodeId(2) });
}

#[test]
fn at_most_sixteen_tokens_are_open_also_where_they_come_together() {
    let mut world = World::of(1);
    let leader = world.leader().unwrap();
    for number in 0..20 {
        let change =
            Change::CreateToken { hash: TokenHash([number; 32]), ttl_us: HOUR_US, replaces: None };
        world.ids += 1;
        let id = ChangeId(world.ids);
        world.input(leader, Input::Change { id, change });
    }
    world.until(|world| world.outcomes.len() == 20);
    let open = world.outcomes.values().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(open, 16);
}

#[test]
fn two_at_once_never_both_believe_that_they_were_done() {
    let mut world = World::of(3);
    let leader = world.leader().unwrap();
    for hash in [TokenHash([1; 32]), TokenHash([2; 32])] {
        world.insist(&Change::CreateToken { hash, ttl_us: HOUR_US, replaces: None }).unwrap();
    }
    for number in [1, 2] {
        let change = join(TokenHash([number; 32]), 10 + u64::from(number));
        let id = ChangeId(1_000 + u64::from(number));
        world.input(leader, Input::Change { id, change });
    }
    world.until(|world| world.outcomes.len() == 2);
    assert_eq!(world.outcomes[&ChangeId(1_002)], Err(NotChanged::Busy));
    assert!(world.outcomes[&ChangeId(1_001)].is_ok());
}

#[test]
fn a_follower_that_was_away_learns_of_new_members_from_one_of_them() {
    let mut world = World::of(3);
    let away = (1..=3).find(|id| Some(*id) != world.leader()).unwrap();
    world.down.insert(away);
    for id in [4, 5] {
        world.join(id, None);
        world.until(|world| world.leader().is_some() && world.voters().contains(&id));
    }
    // Whoever it knew is gone: only the new ones and it are left of five.
    world.agree();
    for id in (1..=3).filter(|id| *id != away) {
        world.down.insert(id);
    }
    world.down.remove(&away);
    world.until(|world| world.leader().is_some());
    world.propose(3);
    world.agree();
    assert_eq!(world.voters(), [1, 2, 3, 4, 5]);
}

#[test]
fn a_restart_replays_changes_behind_its_snapshot_once() {
    let mut world = World::of(1);
    world.join(2, None);
    world.until(|world| world.leader().is_some() && world.voters().contains(&2));
    world.agree();
    let before = world.led().membership().clone();
    world.restart(1);
    world.restart(2);
    world.until(|world| world.leader().is_some());
    world.agree();
    assert_eq!(world.led().membership(), &before);
    world.propose(2);
    world.agree();
}

/// What peers and disks may hold: no panic, and never half of it.
#[test]
fn bytes_that_are_no_change_are_refused() {
    use crate::consensus::batch::read_change;
    for bytes in [&[0xff_u8, 0xff][..], &[0x10, 0x09], &[0x22, 0x01, 0xff]] {
        assert!(read_change(7, Bytes::copy_from_slice(bytes)).is_err(), "{bytes:?}");
    }
    let mut membership = Membership::default();
    let change = read_change(7, Bytes::new()).unwrap();
    assert!(!membership.change(change.node, &change.step), "nobody is meant");
}

/// Our message is byte for byte what raft-rs writes and reads.
#[test]
fn a_change_is_written_by_raft_rs_and_read_by_us() {
    use crate::consensus::{
        batch,
        membership::{Record, Step},
        wire,
    };
    let record = Record { peer_address: "a:1".to_owned(), admitted_us: 9, ..Record::default() };
    for step in [Step::Promote, Step::Remove, Step::AddLearner { record, token: Some(TOKEN) }] {
        let change = batch::ChangeEntry { stamp_us: 77, node: NodeId(4), step };
        let bytes = protobuf::Message::write_to_bytes(&wire::change_to_raft(&change)).unwrap();
        assert_eq!(batch::read_change(1, bytes.into()).unwrap(), change);
    }
}

fn golden(name: &str, bytes: &[u8]) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let known = std::fs::read(folder.join("tests/golden").join(name)).unwrap();
    assert_eq!(known, bytes, "{name}: new bytes need a new file");
}

#[test]
fn the_golden_files_of_members_read_and_write_as_ever() {
    use crate::consensus::{
        batch,
        membership::{self, OpenToken, Record, Step},
        wire,
    };
    let record = Record {
        incarnation: Some(Incarnation(0x0102 << 96)),
        peer_address: "10.0.0.4:7401".to_owned(),
        client_address: "10.0.0.4:7400".to_owned(),
        removed: false,
        replaces: Some(NodeId(2)),
        rejoined: false,
        admitted_us: 1_800_000_000_000_000,
    };
    let removed = Record { removed: true, ..record.clone() };
    let token = OpenToken { expires_us: 1_800_000_003_600_000, replaces: Some(NodeId(2)) };
    let records: Vec<MemberRecord> = vec![written(NodeId(4), &record)];
    let batch = Batch {
        stamp_us: 1_800_000_000_000_000,
        member_records: records,
        join_tokens: vec![membership::written_token(TOKEN, &token)],
        ..Batch::default()
    };
    golden("batch-members.bin", &prost::Message::encode_to_vec(&batch));
    let step = Step::AddLearner { record: record.clone(), token: Some(TOKEN) };
    let change = batch::ChangeEntry { stamp_us: 1_800_000_000_000_000, node: NodeId(4), step };
    let bytes = protobuf::Message::write_to_bytes(&wire::change_to_raft(&change)).unwrap();
    golden("conf-change-v1.bin", &bytes);
    let meta = SnapshotMeta {
        voters: vec![1, 3],
        learners: vec![4],
        member_records: vec![written(NodeId(2), &removed), written(NodeId(4), &record)],
        join_tokens: vec![membership::written_token(TOKEN, &token)],
        ..SnapshotMeta::default()
    };
    let bytes = prost::Message::encode_to_vec(&meta);
    golden("snapshot-meta-members.bin", &bytes);
    let read: SnapshotMeta = prost::Message::decode(&bytes[..]).unwrap();
    let mut again = SnapshotMeta::default();
    Membership::of(&read).write(&mut again);
    assert_eq!(again, meta);
}

#[test]
fn who_is_left_leads_after_a_restart_though_the_removed_are_gone() {
    let mut world = World::of(2);
    let left = world.leader().unwrap();
    let gone = 3 - left;
    assert_eq!(world.remove(gone), Ok(Changed::Removed));
    world.down.insert(gone);
    // Idle since: that the change is committed was written for its own sake.
    world.restart(left);
    world.until(|world| world.leader() == Some(left));
    assert_eq!(world.voters(), [left]);
}

#[test]
fn a_leader_that_applies_its_own_removal_steps_down_and_the_others_elect_another() {
    let mut world = World::of(3);
    world.agree();
    let first = world.leader().unwrap();
    let (gone, third) = (first % 3 + 1, (first + 1) % 3 + 1);
    let change = Change::Remove { node: NodeId(gone) };
    world.input(first, Input::Change { id: ChangeId(99), change });
    // The change is in the log of whom it removes, and nobody else hears of it.
    let letters: Vec<_> = world.letters.drain(..).filter(|letter| letter.to == gone).collect();
    assert!(letters.iter().any(|letter| !letter.entries.is_empty()));
    for letter in letters {
        world.input(gone, Input::Receive { from: NodeId(first), message: letter });
    }
    world.letters.clear();
    world.down.insert(first);
    // It has more of the log than the third, so it is elected, and commits its own end.
    let knows = |world: &World| world.machines[&gone].node.membership().is_removed(NodeId(gone));
    world.until(knows);
    assert_ne!(world.machines[&gone].node.status().role, Role::Leader);
    world.until(|world| world.machines[&gone].removed);
    world.down.remove(&first);
    world.down.insert(gone);
    world.until(|world| world.leader().is_some());
    world.propose(3);
    world.agree();
    let mut left = [first, third];
    left.sort_unstable();
    assert_eq!(world.voters(), left);
}
