//! When a leader writes down what each node is known to have on its disk.
//!
//! At most once a second of leader time, and only what nobody has read yet: with commands that are proposed
//! anyway, or, after a second without any, in an entry of their own. Such an entry is nothing that would have to
//! be told of again, so that a cluster in which nothing happens comes to rest.

use std::sync::Arc;

use raft::StateRole;

use super::Node;
use crate::{
    consensus::{
        batch,
        entry::{Entry, NodeId},
        fault::Fault,
        marks::{self, Mark, Marks},
    },
    proto::turnwise::log::v1::NodeMark,
};

/// Between two times that marks are written: 1 s.
const EVERY_US: u64 = 1_000_000;

/// What a node remembers of marks between inputs.
#[derive(Debug, Default)]
pub(super) struct Marking {
    /// All that this node has read, in snapshots and entries, committed or not.
    known: Arc<Marks>,
    /// Leader time when marks were written last. This and what follows in this term of leadership only.
    put_us: u64,
    /// Where the log ended at the last tick, or with the entry of marks alone that was behind it.
    seen: u64,
    /// The last index that is not of an entry of marks alone.
    last: u64,
    /// Leader time of the tick at which that was seen.
    since_us: u64,
}

impl Marking {
    /// Another leads, or this node does from now on.
    pub(super) fn leadership_changed(&mut self) {
        *self = Self { known: Arc::clone(&self.known), ..Self::default() };
    }

    /// Notes what a snapshot tells.
    pub(super) fn note(&mut self, marks: &Marks) {
        let news: Vec<_> = marks.iter().filter(|(id, it)| self.known.is_news(*id, *it)).collect();
        if !news.is_empty() {
            let known = Arc::make_mut(&mut self.known);
            news.into_iter().for_each(|(node, mark)| known.note(node, mark));
        }
    }

    /// Notes what entries tell, before anybody knows whether they are committed: it is true all the same.
    pub(super) fn note_entries(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.note(&Marks::read(&marks::of_entry(entry)));
        }
    }
}

impl Node {
    /// What nodes are known to have on their disks, by all that is in this node's log.
    #[must_use]
    pub fn marks(&self) -> &Arc<Marks> {
        &self.marks.known
    }

    /// The marks to write with commands that are proposed now.
    pub(super) fn marks_to_put(&mut self, stamp_us: u64) -> Vec<NodeMark> {
        if stamp_us < self.marks.put_us.saturating_add(EVERY_US) {
            return Vec::new();
        }
        let news = self.unmarked();
        if !news.is_empty() {
            self.marks.put_us = stamp_us;
        }
        news.into_iter().map(|(node, mark)| marks::written(node, mark)).collect()
    }

    /// Writes marks that no command came to take along.
    pub(super) fn tend_marks(&mut self) -> Result<(), Fault> {
        let raft = &self.raw.raft;
        if raft.state != StateRole::Leader || raft.lead_transferee.is_some() {
            return Ok(());
        }
        let end = raft.raft_log.last_index();
        let stamp_us = self.clock.stamp_us(self.now);
        if end > self.marks.seen {
            (self.marks.seen, self.marks.last, self.marks.since_us) = (end, end, stamp_us);
        }
        if stamp_us < self.marks.since_us.max(self.marks.put_us).saturating_add(EVERY_US) {
            return Ok(());
        }
        let news = self.unmarked();
        let is_behind =
            |(node, _): &(NodeId, Mark)| self.marks.known.of(*node).index < self.marks.last;
        if !news.iter().any(is_behind) {
            return Ok(());
        }
        let news = news.into_iter().map(|(node, mark)| marks::written(node, mark)).collect();
        if self.append(batch::marks(stamp_us, news))? {
            self.marks.put_us = stamp_us;
            self.marks.seen = self.raw.raft.raft_log.last_index();
        }
        Ok(())
    }

    /// What this leader knows of members and nobody has read yet. What a node acknowledged in this term it
    /// did with this term on its disk; a leader has it there itself once it has committed in it, and no sooner
    /// where it votes alone.
    fn unmarked(&self) -> Vec<(NodeId, Mark)> {
        let raft = &self.raw.raft;
        // Where there is one member, nobody is there to whom it would matter.
        if !raft.commit_to_current_term() || raft.prs().iter().count() < 2 {
            return Vec::new();
        }
        let (term, committed) = (raft.term, raft.raft_log.committed);
        let marks = raft.prs().iter().map(|(id, progress)| {
            (NodeId(*id), Mark { index: progress.matched.min(committed), term })
        });
        let is_news = |(node, mark): &(NodeId, Mark)| {
            mark.index > 0 && self.marks.known.is_news(*node, *mark)
        };
        let mut news: Vec<_> = marks.filter(is_news).collect();
        news.sort_unstable_by_key(|(node, _)| *node);
        news
    }
}
