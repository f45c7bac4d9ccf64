//! What a stream of records means: base, entries, hard state.

use std::collections::VecDeque;

use super::header::Header;
use super::record::{Place, Record};
use crate::consensus::{Entry, HardState};

/// The log as the records so far tell it.
pub(super) struct Replay {
    /// Index and term of the entry before the first.
    pub(super) base: (u64, u64),
    pub(super) entries: VecDeque<(Entry, Place)>,
    pub(super) hard_state: HardState,
}

impl Replay {
    /// Starts with the oldest segment there is.
    pub(super) fn new(header: &Header) -> Self {
        Self { base: header.start, entries: VecDeque::new(), hard_state: header.hard_state }
    }

    /// Index and term of the last entry.
    pub(super) fn last(&self) -> (u64, u64) {
        self.entries.back().map_or(self.base, |(entry, _)| (entry.index, entry.term))
    }

    /// Whether a segment may follow here. Its header repeats what the records before it say.
    pub(super) fn may_follow(&self, header: &Header) -> bool {
        header.start == self.last() && header.hard_state == self.hard_state
    }

    /// Takes the next record; `None` where it contradicts those before it.
    pub(super) fn take(&mut self, record: Record<Entry>, place: Place) -> Option<()> {
        match record {
            Record::Entry(entry) => {
                if Some(entry.index) != self.last().0.checked_add(1) {
                    return None;
                }
                self.entries.push_back((entry, place));
            }
            Record::HardState(hard_state) => self.hard_state = hard_state,
            Record::Truncate { from, term } => self.truncate(from, term)?,
            Record::Reset { index, term } => {
                self.entries.clear();
                self.base = (index, term);
            }
            // Where the chain of segments begins was settled before any record was replayed.
            Record::Release { .. } => {}
        }
        Some(())
    }

    /// Below the base where the entries before it went with their segments: the base goes down then,
    /// to an entry that a snapshot stands for.
    fn truncate(&mut self, from: u64, term: u64) -> Option<()> {
        let before = from.checked_sub(1)?;
        if before > self.last().0 {
            return None;
        }
        if before <= self.base.0 {
            if before == self.base.0 && term != self.base.1 {
                return None;
            }
            self.entries.clear();
            self.base = (before, term);
            return Some(());
        }
        let keep = usize::try_from(before - self.base.0).ok()?;
        self.entries.truncate(keep);
        (self.last() == (before, term)).then_some(())
    }
}
