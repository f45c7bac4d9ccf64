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
//! - Leader time is never more than a second ahead of true time, whatever a minority of clocks says.
//! - A linearizable read sees everything that was answered to anybody before it was called (I9).
//!
//! A violation panics; the runner catches it and prints the seed.

use std::collections::BTreeMap;

use bytes::Bytes;
use turnwise::{
    consensus::{Committed, HardState, NodeId, Recovered},
    routing::{Event, Rejection, Reply},
};

use crate::{plan::S, world::EPOCH_US};

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

/// See the module.
#[derive(Debug)]
pub(crate) struct Checks {
    pub(crate) log: BTreeMap<u64, Batch>,
    leaders: BTreeMap<u64, NodeId>,
    durable: BTreeMap<NodeId, Durable>,
    /// What was durable on a disk until it was emptied. Leaders may count on it for a while.
    lost: Vec<Durable>,
    applied: BTreeMap<NodeId, u64>,
    empty_hash: u128,
    nodes: usize,
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
            empty_hash,
            nodes,
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

    /// A node applied a batch and is at this hash.
    pub(crate) fn applied(
        &mut self,
        node: NodeId,
        batch: &Committed,
        outcomes: Vec<Outcome>,
        events: Vec<Event>,
        hash: u128,
    ) {
        self.count += 1;
        let Committed { index, term, stamp_us, commands, proposals } = batch;
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
            let batch = Batch {
                term: *term,
                stamp_us: *stamp_us,
                commands: commands.clone(),
                outcomes,
                events,
                hash,
            };
            self.log.insert(*index, batch);
            return;
        };
        assert_eq!(first.term, *term, "term of committed index {index} on node {node}");
        assert_eq!(first.stamp_us, *stamp_us, "stamp of committed index {index} on node {node}");
        assert_eq!(first.commands, *commands, "commands of index {index} on node {node}");
        assert_eq!(first.outcomes, outcomes, "outcomes of index {index} on node {node}");
        assert_eq!(first.events, events, "events of index {index} on node {node}");
        assert_eq!(first.hash, hash, "state hash at index {index} on node {node}");
    }

    /// A node's state is now that of a snapshot at this index.
    pub(crate) fn loaded(&mut self, node: NodeId, index: u64, hash: u128) {
        self.count += 1;
        let expected = if index == 1 { self.empty_hash } else { self.hash_at(index) };
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
        let holds = |durable: &&Durable| {
            durable.snapshot >= index || durable.terms.get(&index) == Some(&term)
        };
        let count = self.durable.values().chain(&self.lost).filter(holds).count();
        assert!(
            count > self.nodes / 2,
            "index {index} of term {term} is acknowledged and durable on {count} of {} nodes",
            self.nodes
        );
    }

    /// All that a node's disk held is gone.
    pub(crate) fn wiped(&mut self, node: NodeId) {
        self.lost.extend(self.durable.remove(&node));
        self.applied.remove(&node);
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
