//! The part of the log that raft-rs reads synchronously, in memory.
//!
//! Holds the terms of the whole retained log, every entry that is not yet both durable and applied,
//! and a tail bounded in bytes. Older entries are on disk: a request for them is noted here, answered
//! with `LogTemporarilyUnavailable`, and turned into `Effect::ReadLog` by `Node`. It owns no file and
//! never says whether something is durable; `Node` keeps that order.

use std::{cell::RefCell, collections::VecDeque};

use raft::{
    GetEntriesContext, RaftState, Storage, StorageError,
    eraftpb::{ConfState, Entry, HardState, Snapshot},
};

use super::wire;

/// Bytes that one entry costs beside its data, for the bounds below.
const ENTRY_OVERHEAD: u64 = 64;

/// A run of consecutive entries of one term.
#[derive(Debug, Clone, Copy)]
struct TermRun {
    first_index: u64,
    term: u64,
}

/// Entries that raft-rs wants and the disk has.
#[derive(Debug)]
pub(super) struct WantedEntries {
    pub(super) low: u64,
    pub(super) high: u64,
    pub(super) bytes_max: u64,
    pub(super) context: GetEntriesContext,
}

/// What raft-rs asked for and could not get at once.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) entries: Vec<WantedEntries>,
    pub(super) snapshot: bool,
}

/// The newest durable snapshot, as raft-rs hands it to a follower that is too far behind.
#[derive(Debug, Clone)]
pub(super) struct SnapshotRef {
    pub(super) index: u64,
    pub(super) term: u64,
    pub(super) conf_state: ConfState,
    /// A `turnwise.log.v1.SnapshotMeta`.
    pub(super) meta: bytes::Bytes,
}

impl SnapshotRef {
    fn tells_of(&self, node: u64) -> bool {
        self.conf_state.voters.contains(&node) || self.conf_state.learners.contains(&node)
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct MemoryLog {
    hard_state: HardState,
    conf_state: ConfState,
    /// The entry before the first retained one.
    base: (u64, u64),
    terms: VecDeque<TermRun>,
    last_index: u64,
    /// Entries `tail_first..=last_index`.
    tail: VecDeque<Entry>,
    tail_first: u64,
    tail_bytes: u64,
    snapshot: Option<SnapshotRef>,
    /// One answer from disk, kept until raft-rs has asked again.
    fetched: RefCell<Vec<Entry>>,
    wanted: RefCell<Wanted>,
}

fn cost(entry: &Entry) -> u64 {
    u64::try_from(entry.data.len()).unwrap_or(u64::MAX).saturating_add(ENTRY_OVERHEAD)
}

impl MemoryLog {
    /// `entries` follow `base` without a gap.
    pub(super) fn new(
        base: (u64, u64),
        entries: Vec<Entry>,
        hard_state: HardState,
        conf_state: ConfState,
        snapshot: Option<SnapshotRef>,
    ) -> Self {
        let mut log = Self {
            hard_state,
            conf_state,
            base,
            terms: VecDeque::new(),
            last_index: base.0,
            tail: VecDeque::new(),
            tail_first: base.0 + 1,
            tail_bytes: 0,
            snapshot,
            fetched: RefCell::default(),
            wanted: RefCell::default(),
        };
        log.append(entries);
        log
    }

    /// Appends, first dropping whatever stood at the first new index and after it.
    pub(super) fn append(&mut self, entries: Vec<Entry>) {
        let Some(first) = entries.first() else { return };
        assert!(
            first.index > self.base.0 && first.index <= self.last_index + 1,
            "entry {} does not follow a log of {} to {}",
            first.index,
            self.base.0 + 1,
            self.last_index
        );
        self.truncate_from(first.index);
        self.fetched.borrow_mut().clear();
        for entry in entries {
            assert_eq!(entry.index, self.last_index + 1, "entries have no gaps");
            if self.terms.back().is_none_or(|run| run.term != entry.term) {
                self.terms.push_back(TermRun { first_index: entry.index, term: entry.term });
            }
            self.last_index = entry.index;
            self.tail_bytes += cost(&entry);
            self.tail.push_back(entry);
        }
    }

    fn truncate_from(&mut self, index: u64) {
        while self.last_index >= index {
            if let Some(entry) = self.tail.pop_back() {
                self.tail_bytes -= cost(&entry);
            } else {
                // Entries older than the tail are applied, and what is applied is never replaced.
                self.tail_first = self.last_index;
            }
            self.last_index -= 1;
        }
        while self.terms.back().is_some_and(|run| run.first_index >= index) {
            self.terms.pop_back();
        }
    }

    /// Drops entries up to `durable_applied` from memory while the tail is over its bound.
    pub(super) fn shrink_tail(&mut self, durable_applied: u64, bytes_max: u64) {
        while self.tail_bytes > bytes_max && self.tail_first <= durable_applied {
            let Some(entry) = self.tail.pop_front() else { break };
            self.tail_bytes -= cost(&entry);
            self.tail_first += 1;
        }
    }

    /// The greatest index up to which the log may go so that about `bytes_keep` stay, at most `limit`.
    ///
    /// Looks at the entries in memory only; what is not there is beyond the bound already.
    pub(super) fn compaction_point(&self, limit: u64, bytes_keep: u64) -> u64 {
        let mut kept = 0;
        let mut point = self.last_index;
        for entry in self.tail.iter().rev() {
            kept += cost(entry);
            if kept > bytes_keep {
                return point.min(limit);
            }
            point = entry.index - 1;
        }
        point.min(limit)
    }

    /// Forgets everything up to `through`, keeping its term.
    pub(super) fn compact(&mut self, through: u64) {
        if through <= self.base.0 {
            return;
        }
        let Some(term) = self.term_of(through) else { return };
        self.base = (through, term);
        while self.tail_first <= through {
            if let Some(entry) = self.tail.pop_front() {
                self.tail_bytes -= cost(&entry);
            }
            self.tail_first += 1;
        }
        while self.terms.get(1).is_some_and(|next| next.first_index <= through + 1) {
            self.terms.pop_front();
        }
        self.fetched.borrow_mut().clear();
    }

    /// The log as a snapshot leaves it: nothing but where it ends.
    pub(super) fn reset(&mut self, snapshot: SnapshotRef) {
        self.base = (snapshot.index, snapshot.term);
        self.terms.clear();
        self.last_index = snapshot.index;
        self.tail.clear();
        self.tail_first = snapshot.index + 1;
        self.tail_bytes = 0;
        self.fetched.borrow_mut().clear();
        self.conf_state = snapshot.conf_state.clone();
        self.snapshot = Some(snapshot);
    }

    /// Keeps what the disk answered for the next time raft-rs asks.
    pub(super) fn offer_fetched(&mut self, entries: Vec<Entry>) {
        *self.fetched.borrow_mut() = entries;
    }

    pub(super) fn clear_fetched(&mut self) {
        self.fetched.borrow_mut().clear();
    }

    pub(super) fn take_wanted(&mut self) -> Wanted {
        std::mem::take(&mut *self.wanted.borrow_mut())
    }

    pub(super) fn set_snapshot(&mut self, snapshot: SnapshotRef) {
        self.snapshot = Some(snapshot);
    }

    pub(super) fn snapshot_ref(&self) -> Option<&SnapshotRef> {
        self.snapshot.as_ref()
    }

    pub(super) fn set_hard_state(&mut self, hard_state: HardState) {
        self.hard_state = hard_state;
    }

    pub(super) fn last(&self) -> u64 {
        self.last_index
    }

    /// The term at an index of the retained log, or of the entry just before it.
    pub(super) fn term_of(&self, index: u64) -> Option<u64> {
        if index == self.base.0 {
            return Some(self.base.1);
        }
        if index < self.base.0 || index > self.last_index {
            return None;
        }
        let after = self.terms.partition_point(|run| run.first_index <= index);
        self.terms.get(after.checked_sub(1)?).map(|run| run.term)
    }

    fn tail_range(&self, low: u64, high: u64, bytes_max: u64) -> Vec<Entry> {
        let skip = usize::try_from(low - self.tail_first).unwrap_or(usize::MAX);
        let take = usize::try_from(high - low).unwrap_or(usize::MAX);
        limited(self.tail.iter().skip(skip).take(take), bytes_max)
    }
}

/// As many as fit into `bytes_max`, at least one (raft-rs: `Storage::entries`).
fn limited<'a>(entries: impl Iterator<Item = &'a Entry>, bytes_max: u64) -> Vec<Entry> {
    let mut bytes = 0;
    let mut out = Vec::new();
    for entry in entries {
        bytes += cost(entry);
        if bytes > bytes_max && !out.is_empty() {
            break;
        }
        out.push(entry.clone());
    }
    out
}

impl Storage for MemoryLog {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState::new(self.hard_state.clone(), self.conf_state.clone()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        let bytes_max = max_size.into().unwrap_or(u64::MAX);
        if low <= self.base.0 {
            return Err(StorageError::Compacted.into());
        }
        assert!(high <= self.last_index + 1, "entries up to {high} of {}", self.last_index);
        if low >= self.tail_first {
            return Ok(self.tail_range(low, high, bytes_max));
        }
        let fetched = self.fetched.borrow();
        if fetched.first().is_some_and(|first| first.index <= low)
            && fetched.last().is_some_and(|last| last.index >= low)
        {
            let wanted = fetched.iter().filter(|e| low <= e.index && e.index < high);
            return Ok(limited(wanted, bytes_max));
        }
        drop(fetched);
        assert!(context.can_async(), "entries not yet applied are in memory; {low} is not");
        self.wanted.borrow_mut().entries.push(WantedEntries { low, high, bytes_max, context });
        Err(StorageError::LogTemporarilyUnavailable.into())
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index < self.base.0 {
            return Err(StorageError::Compacted.into());
        }
        self.term_of(index).ok_or_else(|| StorageError::Unavailable.into())
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.base.0 + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last_index)
    }

    fn snapshot(&self, request_index: u64, to: u64) -> raft::Result<Snapshot> {
        match &self.snapshot {
            // One taken before a node was added does not tell it that it is a member.
            Some(newest)
                if newest.index >= request_index
                    && newest.index >= self.base.0
                    && newest.tells_of(to) =>
            {
                Ok(wire::snapshot_to_raft(newest))
            }
            _ => {
                self.wanted.borrow_mut().snapshot = true;
                Err(StorageError::SnapshotTemporarilyUnavailable.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u64, term: u64) -> Entry {
        let mut entry = Entry::default();
        entry.index = index;
        entry.term = term;
        entry.data = vec![0; 100].into();
        entry
    }

    fn log(base: u64, entries: impl IntoIterator<Item = (u64, u64)>) -> MemoryLog {
        let entries = entries.into_iter().map(|(i, t)| entry(i, t)).collect();
        MemoryLog::new((base, 1), entries, HardState::default(), ConfState::default(), None)
    }

    #[test]
    fn terms_are_known_for_the_whole_log_and_the_entry_before_it() {
        let mut log = log(5, [(6, 1), (7, 2), (8, 2), (9, 4)]);
        log.shrink_tail(9, 0);
        let terms: Vec<_> = (4..=10).map(|i| log.term_of(i)).collect();
        assert_eq!(terms, [None, Some(1), Some(1), Some(2), Some(2), Some(4), None]);
        log.compact(7);
        assert_eq!(log.term_of(6), None);
        assert_eq!(log.term_of(7), Some(2));
        assert_eq!(log.term_of(8), Some(2));
        assert_eq!(log.term_of(9), Some(4));
    }

    #[test]
    fn a_conflicting_suffix_is_replaced() {
        let mut log = log(0, [(1, 1), (2, 1), (3, 1)]);
        log.append(vec![entry(2, 2)]);
        assert_eq!(log.last(), 2);
        assert_eq!(log.term_of(2), Some(2));
        assert_eq!(log.term_of(3), None);
    }

    #[test]
    fn entries_beyond_the_tail_are_asked_for_and_then_served() {
        let mut log = log(0, (1..=10).map(|i| (i, 1)));
        log.shrink_tail(8, 3 * 164);
        assert_eq!(log.tail_first, 8);
        let read = |log: &MemoryLog| log.entries(2, 5, None, GetEntriesContext::empty(true));
        assert_eq!(
            read(&log).unwrap_err(),
            raft::Error::Store(StorageError::LogTemporarilyUnavailable)
        );
        let wanted = log.take_wanted().entries;
        assert_eq!((wanted[0].low, wanted[0].high), (2, 5));
        log.offer_fetched(vec![entry(2, 1), entry(3, 1)]);
        assert_eq!(read(&log).unwrap().len(), 2);
        assert_eq!(log.entries(9, 11, Some(1), GetEntriesContext::empty(true)).unwrap().len(), 1);
    }

    #[test]
    fn only_what_is_applied_leaves_memory_or_the_log() {
        let mut log = log(0, (1..=10).map(|i| (i, 1)));
        log.shrink_tail(4, 0);
        assert_eq!(log.tail_first, 5);
        assert_eq!(log.compaction_point(4, 2 * 164), 4);
        assert_eq!(log.compaction_point(9, 2 * 164), 8);
        log.compact(8);
        assert_eq!(log.first_index().unwrap(), 9);
        assert_eq!(
            log.entries(8, 9, None, GetEntriesContext::empty(true)).unwrap_err(),
            raft::Error::Store(StorageError::Compacted)
        );
    }
}
