//! What must be true of every step: the invariants, told by the drivers of the nodes as they go.
//!
//! - At most one leader in a term.
//! - The committed prefix never changes: every node applies the same batch at an index, in order,
//!   without gaps, and so also after a restart (I8).
//! - Equal state hash at equal index on all nodes, also of a state loaded from a snapshot (I7, I12).
//! - Equal replies to equal commands on all nodes, and equal events.
//! - No acknowledgement before an fsync that covers it has ended on a majority: what is durable is
//!   told by the disk, after it was asked whether anything is unsynced.
//! - What was durable is there after a crash: entries, term and vote.
//! - All nodes apply an entry at the same version of the cluster, which never goes back, is raised to none
//!   that some node never had a build for, and is none that the node's own build lacks.
//! - Leader time is never more than a second ahead of true time, whatever a minority of clocks says.
//! - A new leader has all that was committed in the terms before.
//! - Who is a member, and what changes that: see `configs`.
//! - A linearizable read sees everything that was answered to anybody before it was called (I9).
//!
//! A violation panics; the runner catches it and prints the seed.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use turnwise::{
    consensus::{Committed, Entry, HardState, NodeId, Recovered},
    replica::VERSIONS,
    routing::{Event, Rejection, Reply, State},
};

use crate::{
    configs::{Configs, Step},
    plan::S,
    world::EPOCH_US,
};

/// A learner may lack so many entries where it is promoted.
const CAUGHT_UP_WITHIN: u64 = 256;

/// What a command came to.
pub(crate) type Outcome = Result<Reply, Rejection>;

/// One index of the committed log, as the first node to apply it did.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) term: u64,
    pub(crate) stamp_us: u64,
    pub(crate) commands: Vec<Bytes>,
    pub(crate) outcomes: Vec<Outcome>,
    events: Vec<Event>,
    hash: u128,
    /// Of the cluster, and so of the rules.
    pub(crate) version: u32,
}

/// A write of the log, as far as it matters here.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) reset: Option<(u64, u64)>,
    /// Index and term of each entry.
    pub(crate) entries: Vec<(u64, u64)>,
    pub(crate) hard_state: Option<HardState>,
}

/// What a node's disk is known to hold.
#[derive(Debug, Clone, Default)]
struct Durable {
    /// Everything up to here is in a durable snapshot.
    snapshot: u64,
    terms: BTreeMap<u64, u64>,
    hard_state: HardState,
}

impl Durable {
    /// Where its log ends.
    fn last(&self) -> u64 {
        self.terms.keys().next_back().copied().unwrap_or_default().max(self.snapshot)
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Checks {
    pub(crate) log: BTreeMap<u64, Batch>,
    leaders: BTreeMap<u64, NodeId>,
    durable: BTreeMap<NodeId, Durable>,
    /// What was durable on a disk until it was emptied. Leaders may count on it for a while.
    lost: Vec<(NodeId, Durable)>,
    applied: BTreeMap<NodeId, u64>,
    /// The newest version that the node's build has, and the newest that any of its builds had.
    builds: BTreeMap<NodeId, (u32, u32)>,
    /// Some leader may have found that all nodes have the next version.
    pub(crate) may_be_raised: bool,
    empty_hash: u128,
    /// Founders.
    nodes: usize,
    pub(crate) configs: Configs,
    /// True time, told by the world.
    pub(crate) now_us: u64,
    /// How far a right clock may be off.
    clock_offset_max_us: u64,
    /// Steps at which something was compared.
    pub(crate) count: u64,
}

impl Checks {
    pub(crate) fn new(nodes: usize, empty_hash: u128, clock_offset_max_us: u64) -> Self {
        Self {
            log: BTreeMap::new(),
            leaders: BTreeMap::new(),
            durable: BTreeMap::new(),
            lost: Vec::new(),
            applied: BTreeMap::new(),
            builds: BTreeMap::new(),
            may_be_raised: false,
            empty_hash,
            nodes,
            configs: Configs::new(nodes),
            now_us: 0,
            clock_offset_max_us,
            count: 0,
        }
    }

    /// True if this is the first that is heard of a leader of this term.
    pub(crate) fn leads(&mut self, node: NodeId, term: u64) -> bool {
        self.count += 1;
        let known = self.leaders.insert(term, node);
        assert!(known.is_none_or(|other| other == node), "{node} and {known:?} lead term {term}");
        known.is_none()
    }

    /// A node runs this build.
    pub(crate) fn runs(&mut self, node: NodeId, newest: u32) {
        let (now, ever) = self.builds.entry(node).or_default();
        *now = newest;
        *ever = newest.max(*ever);
        let all_had = self.builds.values().all(|(_, ever)| *ever == VERSIONS.max);
        let are_all_there = self.builds.len() >= self.nodes;
        self.may_be_raised = are_all_there && all_had && VERSIONS.min < VERSIONS.max;
    }

    fn is_at(&self, node: NodeId, index: u64, version: u32) {
        let (has, _) = self.builds[&node];
        assert!(has >= version, "node {node} is at version {version} at {index}, and has {has}");
        let may_be = version == VERSIONS.min || self.may_be_raised;
        assert!(may_be, "version {version} at {index}, before every node had a build for it");
    }

    /// A node applied a batch and is in this state.
    pub(crate) fn applied(
        &mut self,
        node: NodeId,
        batch: &Committed,
        outcomes: &[Outcome],
        events: Vec<Event>,
        state: &State,
    ) {
        self.count += 1;
        let (hash, version) = (state.hash(), state.engine_version());
        let Committed { index, term, stamp_us, version: _, commands, proposals } = batch;
        self.is_at(node, *index, version);
        assert!(
            proposals.is_empty() || proposals.len() == commands.len(),
            "node {node} has {} waiting for {} commands of index {index}",
            proposals.len(),
            commands.len()
        );
        let last = self.applied.insert(node, *index);
        assert_eq!(last.map(|last| last + 1), Some(*index), "node {node} applies in order");
        let Some(first) = self.log.get(index) else {
            let latest = EPOCH_US + self.now_us + self.clock_offset_max_us + S;
            assert!(
                *stamp_us <= latest,
                "the stamp of index {index} is {} s ahead of true time",
                (*stamp_us - latest) / S + 1
            );
            let before = self.log.range(..index).next_back();
            let before = before.map_or(VERSIONS.min, |(_, batch)| batch.version);
            let steps = version.checked_sub(before);
            assert!(steps.is_some_and(|by| by <= 1), "version {version} at {index} after {before}");
            let batch = Batch {
                term: *term,
                stamp_us: *stamp_us,
                commands: commands.clone(),
                outcomes: outcomes.to_vec(),
                events,
                hash,
                version,
            };
            self.log.insert(*index, batch);
            self.configs.committed(*index, *term);
            return;
        };
        assert_eq!(first.term, *term, "term of committed index {index} on node {node}");
        assert_eq!(first.stamp_us, *stamp_us, "stamp of committed index {index} on node {node}");
        assert_eq!(first.commands, *commands, "commands of index {index} on node {node}");
        assert_eq!(first.outcomes, outcomes, "outcomes of index {index} on node {node}");
        assert_eq!(first.events, events, "events of index {index} on node {node}");
        assert_eq!(first.version, version, "version at index {index} on node {node}");
        assert_eq!(first.hash, hash, "state hash at index {index} on node {node}");
    }

    /// A node's state is now that of a snapshot at this index.
    pub(crate) fn loaded(&mut self, node: NodeId, index: u64, state: &State) {
        self.count += 1;
        let hash = state.hash();
        self.is_at(node, index, state.engine_version());
        let expected = if index <= 1 { self.empty_hash } else { self.hash_at(index) };
        assert_eq!(expected, hash, "hash of the snapshot at {index} loaded by node {node}");
        self.applied.insert(node, index);
        self.snapshot_durable(node, index);
    }

    /// A snapshot of this node's state was made.
    pub(crate) fn snapshot_durable(&mut self, node: NodeId, index: u64) {
        let durable = self.durable.entry(node).or_default();
        durable.snapshot = durable.snapshot.max(index);
    }

    pub(crate) fn hash_at(&self, index: u64) -> u128 {
        self.log.get(&index).expect("a snapshot holds what was committed").hash
    }

    /// A write of the log, and all before it, is durable now.
    pub(crate) fn synced(&mut self, node: NodeId, written: Written) {
        let durable = self.durable.entry(node).or_default();
        if let Some((index, _)) = written.reset {
            durable.terms.clear();
            durable.snapshot = durable.snapshot.max(index);
        }
        if let Some((first, _)) = written.entries.first() {
            durable.terms.split_off(first);
        }
        durable.terms.extend(written.entries);
        if let Some(hard_state) = written.hard_state {
            durable.hard_state = hard_state;
        }
    }

    /// A client is about to be told that this entry took effect.
    pub(crate) fn acknowledges(&mut self, index: u64, term: u64) {
        self.count += 1;
        let holds = |durable: &Durable| {
            durable.snapshot >= index || durable.terms.get(&index) == Some(&term)
        };
        let counts: Vec<_> = self
            .configs
            .about(index)
            .map(|config| (self.holders(&config.voters, holds), config.voters.len()))
            .collect();
        assert!(
            counts.iter().any(|(count, nodes)| *count > nodes / 2),
            "index {index} of term {term} is acknowledged and durable on {} of {} nodes",
            counts[0].0,
            counts[0].1
        );
    }

    /// How many of them have it on their disks, or had before those were emptied.
    fn holders(&self, voters: &BTreeSet<NodeId>, holds: impl Fn(&Durable) -> bool) -> usize {
        let has = |node: &&NodeId| {
            let lost = self.lost.iter().filter(|(lost, _)| lost == *node).map(|(_, it)| it);
            self.durable.get(*node).into_iter().chain(lost).any(&holds)
        };
        voters.iter().filter(has).count()
    }

    /// A new leader has all that was committed in the terms before its own.
    pub(crate) fn has_it_all(&self, node: NodeId, term: u64, last_index: u64) {
        let before = self.log.iter().rev().find(|(_, batch)| batch.term < term);
        let committed = before.map_or(0, |(index, _)| *index);
        assert!(
            committed <= last_index,
            "node {node} leads term {term} with a log up to {last_index}; {committed} is committed"
        );
    }

    /// A node has written a change of the members into its log; `proposes` if it leads that term.
    pub(crate) fn change_written(&mut self, node: NodeId, entry: &Entry, proposes: bool) {
        let Entry { index, term, ref data, .. } = *entry;
        let Some((about, step)) = self.configs.written(index, term, data) else { return };
        if !proposes {
            return;
        }
        self.count += 1;
        let applied = self.applied.get(&node).copied().unwrap_or_default();
        let first = self.log.iter().find(|(_, batch)| batch.term == term).map(|(index, _)| *index);
        let holds = |durable: &Durable| {
            durable.terms.values().any(|held| *held == term)
                || first.is_some_and(|first| durable.snapshot >= first)
        };
        // By whoever were the members then.
        let since = first.unwrap_or(applied + 1);
        let mut configs = self.configs.since(since, applied);
        assert!(
            configs.any(|it| self.holders(&it.voters, holds) > it.voters.len() / 2),
            "node {node} changes the members at {index} and has not committed in term {term}"
        );
        if step == Step::Promoted {
            let held = self.durable.get(&about).map_or(0, Durable::last);
            assert!(
                held + CAUGHT_UP_WITHIN >= index - 1,
                "node {about} is promoted at {index} and has the log up to {held}"
            );
        }
    }

    /// Somebody is about to be told that a change of the members was made at this index.
    pub(crate) fn acknowledges_change(&mut self, node: NodeId, index: Option<u64>, what: &str) {
        self.count += 1;
        let index = index.unwrap_or_else(|| panic!("node {node} says that {what}, and it was not"));
        let durable = &self.durable[&node];
        let known = durable.snapshot.max(durable.hard_state.commit);
        assert!(
            known >= index,
            "node {node} says that {what}, at {index}; on its disk is known committed {known}"
        );
    }

    /// All that a node's disk held is gone.
    pub(crate) fn wiped(&mut self, node: NodeId) {
        self.lost.extend(self.durable.remove(&node).map(|durable| (node, durable)));
        self.applied.remove(&node);
    }

    /// The newest of what was lost is there again.
    pub(crate) fn found_again(&mut self, node: NodeId) {
        let at = self.lost.iter().rposition(|(lost, _)| *lost == node).expect("it was lost");
        self.durable.insert(node, self.lost.remove(at).1);
        self.applied.remove(&node);
    }

    /// Some node has an entry that says this of a node's disk.
    pub(crate) fn marked(&mut self, node: NodeId, index: u64, term: u64) {
        self.count += 1;
        let lost = self.lost.iter().filter(|(lost, _)| *lost == node).map(|(_, it)| it);
        let mut disks = self.durable.get(&node).into_iter().chain(lost);
        assert!(
            disks.any(|it| it.last() >= index && it.hard_state.term >= term),
            "node {node} is said to have had index {index} and term {term} on its disk, which has {:?} {:?}",
            self.durable.get(&node).map(|it| (it.last(), it.hard_state)),
            self.lost.iter().filter(|(lost, _)| *lost == node).count()
        );
    }

    /// A node starts again with this.
    pub(crate) fn recovered(&mut self, node: NodeId, recovered: &Recovered) {
        self.count += 1;
        let durable = self.durable.entry(node).or_default();
        let (now, before) = (recovered.hard_state, durable.hard_state);
        // A vote that was written and not synced may be there all the same.
        let vote_kept = before.vote == 0 || now.vote == before.vote;
        let term_kept = now.term > before.term || (now.term == before.term && vote_kept);
        assert!(term_kept, "node {node} promised {before:?} and remembers {now:?}");
        // A newer one that is rotten is passed over, where the log leads on from the older one.
        let last = recovered.entries.last().map_or(recovered.base.0, |entry| entry.index);
        let leads_on = recovered.base.0 <= recovered.snapshot.index && last >= durable.snapshot;
        assert!(
            recovered.snapshot.index >= durable.snapshot || leads_on,
            "node {node} forgot its snapshot at {}",
            durable.snapshot
        );
        durable.snapshot = durable.snapshot.min(recovered.snapshot.index);
        let base = recovered.base.0.max(recovered.snapshot.index);
        let terms: BTreeMap<u64, u64> =
            recovered.entries.iter().map(|entry| (entry.index, entry.term)).collect();
        // What was written later and not synced may have replaced a suffix, with entries of a later
        // term; it may not have taken anything away.
        for (index, term) in durable.terms.range(base + 1..) {
            let found = terms.get(index);
            assert!(
                found.is_some_and(|found| found >= term)
                    || recovered.entries.last().is_some_and(|last| last.term > *term),
                "node {node}: entry {index} of term {term} was durable; there is {found:?}"
            );
        }
        durable.terms = terms;
        durable.hard_state = now;
    }

    /// A node serves a read; whoever asked has seen this much before.
    pub(crate) fn read(&mut self, node: NodeId, applied: u64, hash: u128, at_least: u64) {
        self.count += 1;
        assert!(
            applied >= at_least,
            "stale read: node {node} is at {applied} and {at_least} was answered before the call"
        );
        if applied > 1 {
            assert_eq!(self.hash_at(applied), hash, "what node {node} reads at {applied}");
        }
    }
}
