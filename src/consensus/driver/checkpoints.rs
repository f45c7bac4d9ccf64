//! Whether this node's state is the one that the others hold (RELIABILITY I7).
//!
//! Nodes tell each other the hash of their state at indices divisible by 1,024. One that differs from
//! what a majority of the members holds is wrong and must stop; the majority goes on and says so. Where
//! no majority is known to agree, nobody is known to be wrong, and it is only said.

use std::collections::BTreeMap;

use crate::consensus::{Fault, NodeId};

/// States are compared at indices divisible by this.
const EVERY: u64 = 1_024;
/// Indices remembered, for nodes that are behind or ahead.
const KEPT: usize = 64;

/// The newest checkpoints, by index and node.
#[derive(Debug)]
pub(super) struct Checkpoints {
    this: NodeId,
    at: BTreeMap<u64, BTreeMap<NodeId, u128>>,
    /// The newest of our own.
    newest: Option<(u64, u128)>,
}

impl Checkpoints {
    pub(super) fn new(this: NodeId) -> Self {
        Self { this, at: BTreeMap::new(), newest: None }
    }

    /// Whether a state is compared at this index.
    pub(super) fn is_due(index: u64) -> bool {
        index.is_multiple_of(EVERY)
    }

    /// The newest of this node's own.
    pub(super) fn newest(&self) -> Option<(u64, u128)> {
        self.newest
    }

    /// Notes this node's own.
    pub(super) fn ours(&mut self, index: u64, hash: u128, members: usize) -> Result<(), Fault> {
        self.newest = Some((index, hash));
        self.note(self.this, index, hash, members)
    }

    /// Notes what a node holds at an index, its own or a peer's.
    ///
    /// Fails with [`Fault::StateDiverged`] where a majority of all `members` agrees on another state
    /// than this node's.
    pub(super) fn note(
        &mut self,
        node: NodeId,
        index: u64,
        hash: u128,
        members: usize,
    ) -> Result<(), Fault> {
        let told = self.at.entry(index).or_default();
        told.insert(node, hash);
        let ours = told.get(&self.this).copied();
        let differs = |(peer, theirs): (&NodeId, &u128)| {
            ours.is_some_and(|ours| ours != *theirs).then_some((*peer, *theirs))
        };
        if let Some((peer, theirs)) = told.iter().find_map(differs) {
            let agree = told.values().filter(|hash| **hash == theirs).count();
            if agree * 2 > members {
                return Err(Fault::StateDiverged { peer, index });
            }
            tracing::error!(
                peer = peer.0,
                index,
                "a peer's state differs; the node that a majority disagrees with stops"
            );
        }
        while self.at.len() > KEPT {
            self.at.pop_first();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBERS: usize = 3;

    fn of(this: u64) -> Checkpoints {
        Checkpoints::new(NodeId(this))
    }

    #[test]
    fn equal_states_are_nothing_to_speak_of() {
        let mut of_1 = of(1);
        of_1.ours(1_024, 7, MEMBERS).unwrap();
        for peer in [2, 3] {
            of_1.note(NodeId(peer), 1_024, 7, MEMBERS).unwrap();
        }
        assert_eq!(of_1.newest(), Some((1_024, 7)));
    }

    #[test]
    fn the_node_that_a_majority_disagrees_with_stops_and_the_others_go_on() {
        let mut wrong = of(1);
        wrong.ours(1_024, 8, MEMBERS).unwrap();
        wrong.note(NodeId(2), 1_024, 7, MEMBERS).unwrap();
        let stopped = wrong.note(NodeId(3), 1_024, 7, MEMBERS);
        assert!(matches!(stopped, Err(Fault::StateDiverged { index: 1_024, .. })));

        let mut right = of(2);
        right.ours(1_024, 7, MEMBERS).unwrap();
        right.note(NodeId(1), 1_024, 8, MEMBERS).unwrap();
        right.note(NodeId(3), 1_024, 7, MEMBERS).unwrap();
    }

    #[test]
    fn a_node_that_is_behind_compares_when_it_gets_there() {
        let mut behind = of(1);
        behind.note(NodeId(2), 2_048, 7, MEMBERS).unwrap();
        behind.note(NodeId(3), 2_048, 7, MEMBERS).unwrap();
        assert!(behind.ours(2_048, 8, MEMBERS).is_err());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut checkpoints = of(1);
        for round in 1..=1_000 {
            checkpoints.note(NodeId(2), round * EVERY, 7, MEMBERS).unwrap();
        }
        assert_eq!(checkpoints.at.len(), KEPT);
    }
}
