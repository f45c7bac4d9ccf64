//! Who is a member, by the committed log and rules written apart from `consensus::membership`.
//!
//! Told of every change that any node writes, and of the index at which one is first applied. From that it
//! knows the configuration at every index, which every node at that index must have, and what may never
//! happen:
//!
//! - a node id, a data directory or a join token is used for two nodes, or a rotten disk comes back as two;
//! - a change is proposed by a leader that has not committed in its term (Ongaro 2015), or a learner
//!   promoted that is far behind;
//! - a change is acknowledged that is not committed, or not known to be on the disk of who says so.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use prost::Message as _;
use turnwise::{
    consensus::{Incarnation, Membership, NodeId},
    proto::turnwise::log::v1::{ConfChange, MemberChange},
};

/// One step of the members, as an entry holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Promoted,
    Removed,
    /// A machine comes in; `rejoined` in the place of what it was itself.
    Added {
        incarnation: Option<u128>,
        token: Bytes,
        replaces: Option<NodeId>,
        rejoined: bool,
    },
}

/// Those who are there at one index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) voters: BTreeSet<NodeId>,
    pub(crate) learners: BTreeSet<NodeId>,
}

impl Config {
    pub(crate) fn members(&self) -> impl Iterator<Item = NodeId> {
        self.voters.union(&self.learners).copied()
    }

    pub(crate) fn has(&self, node: NodeId) -> bool {
        self.voters.contains(&node) || self.learners.contains(&node)
    }
}

/// A step that was taken.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) node: NodeId,
    pub(crate) step: Step,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Configs {
    /// Every change in any log, by index and term.
    written: BTreeMap<(u64, u64), (NodeId, Step)>,
    /// The configuration from this index on.
    at: BTreeMap<u64, Config>,
    admitted: BTreeMap<NodeId, (u64, Option<u128>)>,
    removed: BTreeMap<NodeId, u64>,
    spent: BTreeMap<Bytes, NodeId>,
    replaces: BTreeMap<NodeId, NodeId>,
    /// Whose disk was rotten, and as whom its machine came back.
    lost: BTreeMap<NodeId, NodeId>,
    greatest: NodeId,
    /// For the world to take.
    pub(crate) taken: Vec<Taken>,
}

impl Configs {
    pub(crate) fn new(founders: usize) -> Self {
        let founders = u64::try_from(founders).unwrap();
        let voters = (1..=founders).map(NodeId).collect();
        Self {
            written: BTreeMap::new(),
            at: BTreeMap::from([(0, Config { voters, ..Config::default() })]),
            admitted: BTreeMap::new(),
            removed: BTreeMap::new(),
            spent: BTreeMap::new(),
            replaces: BTreeMap::new(),
            lost: BTreeMap::new(),
            greatest: NodeId(founders),
            taken: Vec::new(),
        }
    }

    /// As of the last committed change.
    pub(crate) fn latest(&self) -> &Config {
        self.at.values().next_back().expect("there is a first one")
    }

    pub(crate) fn at(&self, index: u64) -> &Config {
        self.at.range(..=index).next_back().expect("there is a first one").1
    }

    /// Those that may have committed what stands at an index: a leader knows of all changes before it but
    /// the last one.
    pub(crate) fn about(&self, index: u64) -> impl Iterator<Item = &Config> {
        self.at.range(..=index).rev().take(2).map(|(_, config)| config)
    }

    /// Those that may have committed something from one index to another.
    pub(crate) fn since(&self, low: u64, high: u64) -> impl Iterator<Item = &Config> {
        let later = self.at.range(low..=high.max(low)).map(|(_, config)| config);
        later.chain(self.about(low.saturating_sub(1)))
    }

    pub(crate) fn is_removed(&self, node: NodeId) -> bool {
        self.removed.contains_key(&node)
    }

    pub(crate) fn removed(&self) -> impl Iterator<Item = NodeId> {
        self.removed.keys().copied()
    }

    /// Whether some member came in the place of this one.
    pub(crate) fn is_replaced(&self, node: NodeId) -> bool {
        let latest = self.latest();
        self.replaces.iter().any(|(by, whom)| *whom == node && latest.has(*by))
    }

    /// Whether this one came in somebody's place.
    pub(crate) fn was_replaced(&self, node: NodeId) -> bool {
        self.replaces.values().any(|whom| *whom == node)
    }

    /// Whether a machine whose disk was rotten when it was this node was another one later.
    pub(crate) fn came_back_as(&self, node: NodeId, by: NodeId) -> bool {
        let after = |node: &NodeId| self.lost.get(node).copied();
        std::iter::successors(after(&node), after).any(|it| it == by)
    }

    /// Whether its machine was another node before.
    pub(crate) fn came_back(&self, node: NodeId) -> bool {
        self.lost.values().any(|by| *by == node)
    }

    /// A node has a change in its log; true, with whom it is about, if nobody had it there before.
    pub(crate) fn written(
        &mut self,
        index: u64,
        term: u64,
        data: &Bytes,
    ) -> Option<(NodeId, Step)> {
        let change = read(data);
        let known = self.written.insert((index, term), change.clone());
        match known {
            None => Some(change),
            Some(known) => {
                assert_eq!(known, change, "the change at {index} of term {term}");
                None
            }
        }
    }

    /// The first node has applied this entry.
    pub(crate) fn committed(&mut self, index: u64, term: u64) {
        let Some((node, step)) = self.written.get(&(index, term)).cloned() else { return };
        let mut config = self.latest().clone();
        let has_place = match &step {
            Step::Added { incarnation, token, replaces, rejoined } => {
                let lost = replaces.filter(|_| *rejoined);
                let is_lost = |lost| !config.has(lost) || self.lost.contains_key(&lost);
                let is_new = node > self.greatest && !lost.is_some_and(is_lost);
                if is_new {
                    self.greatest = node;
                    let other = self.admitted.iter().find(|(_, (_, it))| it == incarnation);
                    assert!(other.is_none(), "{node} has the data directory of {other:?}");
                    assert_eq!(token.is_empty(), *rejoined, "{node} comes with a token, or back");
                    if let Some(lost) = lost {
                        self.lost.insert(lost, node);
                    } else {
                        let twin = self.spent.insert(token.clone(), node);
                        assert!(twin.is_none(), "one token admits {twin:?} and {node}");
                    }
                    self.admitted.insert(node, (index, *incarnation));
                    self.replaces.extend(replaces.map(|whom| (node, whom)));
                    config.learners.insert(node);
                }
                is_new
            }
            Step::Promoted => config.learners.remove(&node) && config.voters.insert(node),
            Step::Removed if config.voters == BTreeSet::from([node]) => false,
            Step::Removed => {
                let was_there = config.voters.remove(&node) || config.learners.remove(&node);
                if was_there {
                    self.removed.insert(node, index);
                }
                was_there
            }
        };
        if has_place {
            self.at.insert(index, config);
            self.taken.push(Taken { node, step });
        }
    }

    /// A node that has applied this much believes this.
    pub(crate) fn believes(&self, node: NodeId, applied: u64, members: &Membership, leads: bool) {
        if applied == 0 {
            return;
        }
        let config = self.at(applied);
        assert_eq!(
            &config.voters,
            members.voters(),
            "voters at {applied}, as node {node} has them"
        );
        assert_eq!(&config.learners, members.learners(), "learners at {applied} on node {node}");
        for other in config.members() {
            let Some((_, incarnation)) = self.admitted.get(&other) else { continue };
            let recorded = members.incarnation(other).map(|it| it.0);
            assert_eq!(*incarnation, recorded, "data directory of {other}, as node {node} has it");
        }
        assert!(!leads || config.has(node), "node {node} leads and has read that it was removed");
    }

    /// Where it says so, if it was admitted, with which data directory.
    pub(crate) fn admitted_at(&self, node: NodeId, incarnation: Incarnation) -> Option<u64> {
        let (index, recorded) = self.admitted.get(&node)?;
        (*recorded == Some(incarnation.0)).then_some(*index)
    }

    pub(crate) fn removed_at(&self, node: NodeId) -> Option<u64> {
        self.removed.get(&node).copied()
    }
}

fn read(data: &Bytes) -> (NodeId, Step) {
    let change = ConfChange::decode(data.clone()).unwrap();
    let with = MemberChange::decode(change.context).unwrap();
    let step = match change.change_type {
        0 => Step::Promoted,
        1 => Step::Removed,
        2 => {
            let record = with.record.unwrap();
            let incarnation = <[u8; 16]>::try_from(record.incarnation.as_ref()).ok();
            Step::Added {
                incarnation: incarnation.map(u128::from_be_bytes),
                token: with.token_hash,
                replaces: (record.replaces_node_id > 0).then_some(NodeId(record.replaces_node_id)),
                rejoined: record.rejoined,
            }
        }
        other => panic!("nobody writes a change of kind {other}"),
    };
    (NodeId(change.node_id), step)
}
