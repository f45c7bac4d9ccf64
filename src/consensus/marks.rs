//! Marks: what each node is known to have had on its disk, by which an old copy of that disk is told from a
//! node that is merely behind.
//!
//! A leader knows what each node acknowledged to it, and writes that into its log now and then. A mark is a
//! fact and no decision: it was true when it was written, and what was committed is never cut again. So whoever
//! reads one may believe it at once, also in an entry that is not committed and never will be. When marks are
//! written is `node`'s affair, what is done by them `peers::hello`'s.

use std::collections::BTreeMap;

use prost::Message as _;

use super::entry::{Entry, EntryKind, NodeId};
use crate::proto::turnwise::log::v1::{BatchMarks, NodeMark};

/// What a node has had on its disk, and so has for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    /// All committed entries up to here.
    pub index: u64,
    /// Its Raft term was this one or a later one.
    pub term: u64,
}

/// The greatest mark of each node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks(BTreeMap<NodeId, Mark>);

impl Marks {
    /// As a snapshot or an entry tells.
    #[must_use]
    pub fn read(written: &[NodeMark]) -> Self {
        let mut marks = Self::default();
        for (node, mark) in written.iter().map(read) {
            marks.note(node, mark);
        }
        marks
    }

    /// A node's; zeros where there is none.
    #[must_use]
    pub fn of(&self, node: NodeId) -> Mark {
        self.0.get(&node).copied().unwrap_or_default()
    }

    /// Whether a mark says more than is known of its node.
    #[must_use]
    pub fn is_news(&self, node: NodeId, mark: Mark) -> bool {
        let known = self.of(node);
        mark.index > known.index || mark.term > known.term
    }

    /// Notes what a mark says more.
    pub fn note(&mut self, node: NodeId, mark: Mark) {
        let known = self.0.entry(node).or_default();
        known.index = known.index.max(mark.index);
        known.term = known.term.max(mark.term);
    }

    /// Of a node that is none any more.
    pub(super) fn forget(&mut self, node: NodeId) {
        self.0.remove(&node);
    }

    /// All of them, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, Mark)> {
        self.0.iter().map(|(node, mark)| (*node, *mark))
    }
}

/// A mark as it stands in the log and in snapshots.
#[must_use]
pub(super) fn written(node: NodeId, mark: Mark) -> NodeMark {
    NodeMark { node_id: node.0, log_index: mark.index, term: mark.term }
}

/// And back.
#[must_use]
pub(super) fn read(mark: &NodeMark) -> (NodeId, Mark) {
    (NodeId(mark.node_id), Mark { index: mark.log_index, term: mark.term })
}

/// The marks in an entry. What else is in it is not looked at: bytes that are no batch are found where they
/// are applied.
#[must_use]
pub(super) fn of_entry(entry: &Entry) -> Vec<NodeMark> {
    match entry.kind {
        EntryKind::Normal => {
            BatchMarks::decode(&entry.data[..]).map(|it| it.marks).unwrap_or_default()
        }
        EntryKind::ConfChange | EntryKind::ConfChangeV2 => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::turnwise::log::v1::Batch;

    fn mark(index: u64, term: u64) -> Mark {
        Mark { index, term }
    }

    #[test]
    fn the_greatest_is_kept_of_index_and_term_each_for_itself() {
        let mut marks = Marks::default();
        assert_eq!(marks.of(NodeId(2)), mark(0, 0));
        for (index, term) in [(7, 3), (9, 2), (5, 4)] {
            assert!(marks.is_news(NodeId(2), mark(index, term)));
            marks.note(NodeId(2), mark(index, term));
        }
        assert_eq!(marks.of(NodeId(2)), mark(9, 4));
        assert!(!marks.is_news(NodeId(2), mark(9, 4)));
        let again: Vec<_> = marks.iter().map(|(node, mark)| written(node, mark)).collect();
        assert_eq!(Marks::read(&again), marks);
        marks.forget(NodeId(2));
        assert_eq!(marks, Marks::default());
    }

    #[test]
    fn marks_are_read_out_of_an_entry_among_all_else() {
        let marks = vec![written(NodeId(2), mark(9, 4)), written(NodeId(3), mark(8, 4))];
        let commands = vec![vec![7; 100].into(); 3];
        let batch = Batch { stamp_us: 1, commands, marks: marks.clone(), ..Batch::default() };
        let data = batch.encode_to_vec();
        let entry = |kind, data: &[u8]| Entry {
            index: 12,
            term: 4,
            kind,
            data: bytes::Bytes::copy_from_slice(data),
        };
        assert_eq!(of_entry(&entry(EntryKind::Normal, &data)), marks);
        assert_eq!(of_entry(&entry(EntryKind::ConfChange, &data)), []);
        assert_eq!(of_entry(&entry(EntryKind::Normal, b"no batch")), []);
        assert_eq!(of_entry(&entry(EntryKind::Normal, b"")), []);
    }
}
