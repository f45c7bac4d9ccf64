//! How long a node waits for a leader before it stands for election.
//!
//! Between one and two election timeouts, as in Raft (thesis, 3.4). Those who may succeed a leader draw from
//! stretches of their own, so that two of them hardly ever stand at once and split the vote. Which of them has
//! the first stretch changes with the term: one that can't win does not hold up the others for ever.

use std::collections::BTreeSet;

use crate::consensus::entry::NodeId;

/// What a timeout is a function of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw {
    /// Differs between nodes, and between two runs of one.
    pub(super) seed: u64,
    /// Whose it is.
    pub(super) node: NodeId,
    /// Its term.
    pub(super) term: u64,
    /// Whom it follows; 0 = nobody.
    pub(super) leader: u64,
}

impl Draw {
    /// The timeout in ticks, from `shortest` to twice that.
    pub(super) fn ticks(self, shortest: u32, voters: &BTreeSet<NodeId>) -> u32 {
        let successors = || voters.iter().filter(|voter| voter.0 != self.leader);
        let place = successors().position(|voter| *voter == self.node);
        // Without a place: the leader, or a node without a vote.
        let (place, places) = match (place, u64::try_from(successors().count())) {
            (Some(place), Ok(places)) => {
                let place = u64::try_from(place).unwrap_or(0);
                (place.wrapping_add(self.term) % places.max(1), places.max(1))
            }
            (None, _) | (_, Err(_)) => (0, 1),
        };
        let all = u64::from(shortest);
        let (from, until) = (all * place / places, all * (place + 1) / places);
        let words = [self.seed, self.node.0, self.term].map(u64::to_le_bytes);
        let drawn = from + xxhash_rust::xxh3::xxh3_64(words.as_flattened()) % (until - from).max(1);
        shortest.saturating_add(u32::try_from(drawn).unwrap_or(shortest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(node: u64, term: u64, leader: u64, voters: u64, seed: u64) -> u32 {
        let voters: BTreeSet<NodeId> = (1..=voters).map(NodeId).collect();
        Draw { seed, node: NodeId(node), term, leader }.ticks(10, &voters)
    }

    #[test]
    fn a_timeout_is_from_one_to_two_election_timeouts() {
        for voters in 0..30 {
            for (node, leader, seed) in (1..=30).flat_map(|node| [(node, 0, 5), (node, 3, 9)]) {
                for term in [0, 1, 7, u64::MAX] {
                    let drawn = drawn(node, term, leader, voters, seed);
                    assert!((10..20).contains(&drawn), "{drawn}");
                }
            }
        }
    }

    #[test]
    fn those_who_may_succeed_a_leader_do_not_stand_at_once_and_take_turns_in_being_first() {
        let mut first = BTreeSet::new();
        for (term, seed) in (1..50).flat_map(|term| (0..20).map(move |seed| (term, seed))) {
            let (one, other) = (drawn(1, term, 2, 3, seed), drawn(3, term, 2, 3, seed + 1_000));
            assert_ne!(one, other);
            assert!(one.min(other) < 15, "the first of two stands in the first half");
            first.insert((term % 2, one < other));
        }
        assert_eq!(first.len(), 2, "whose turn it is goes by the term alone");
    }

    #[test]
    fn all_of_a_stretch_is_drawn_and_two_runs_of_a_node_differ() {
        let drawn: BTreeSet<u32> = (0..100).map(|seed| drawn(1, 1, 2, 3, seed)).collect();
        assert_eq!(drawn.len(), 5);
    }
}
