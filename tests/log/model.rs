//! What a log must hold, kept the simplest way, and short words for the tests.

use std::sync::Arc;

use bytes::Bytes;
use turnwise::consensus::log::{Batch, Expected, Identity, Log, LogConfig, LogError, Recovered};
use turnwise::consensus::{Entry, EntryKind, HardState, Incarnation, NodeId};

use crate::memdisk::MemDisk;

pub(crate) const CLUSTER: u128 = 0x0123_4567_89ab_cdef_0011_2233_4455_6677;
pub(crate) const SMALL: LogConfig = LogConfig { segment_bytes: 4096 };

pub(crate) fn identity() -> Identity {
    Identity {
        cluster_id: CLUSTER,
        node_id: NodeId(2),
        incarnation: Incarnation(0xfeed_0000_0000_0000_0000_0000_0000_beef),
        group_id: 1,
    }
}

pub(crate) fn create(disk: &MemDisk) -> Log<MemDisk> {
    Log::create(Arc::new(disk.clone()), identity(), SMALL, (0, 0)).unwrap()
}

pub(crate) fn open(disk: &MemDisk) -> Result<(Log<MemDisk>, Recovered), LogError> {
    let expected = Expected { cluster_id: CLUSTER, node_id: NodeId(2) };
    Log::open(Arc::new(disk.clone()), expected, SMALL)
}

pub(crate) fn entry(index: u64, term: u64, data: impl Into<Bytes>) -> Entry {
    Entry { index, term, kind: EntryKind::Normal, data: data.into() }
}

/// `count` entries of `len` bytes from `first` on, their data telling index and term.
pub(crate) fn entries(first: u64, count: u64, term: u64, len: usize) -> Vec<Entry> {
    let data = |index: u64| {
        let text = format!("{index} of {term}, ");
        text.bytes().cycle().take(len).collect::<Vec<u8>>()
    };
    (first..first + count).map(|index| entry(index, term, data(index))).collect()
}

pub(crate) fn append(log: &mut Log<MemDisk>, entries: &[Entry]) {
    log.write(&Batch { entries, sync: true, ..Batch::default() }).unwrap();
}

pub(crate) fn hard_state(term: u64, vote: u64, commit: u64) -> HardState {
    HardState { term, vote, commit }
}

pub(crate) fn batch(entries: &[Entry], hard_state: Option<HardState>, sync: bool) -> Batch<'_> {
    Batch { hard_state, entries, reset: None, sync }
}

/// The log after some batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Model {
    /// What it was created or reset with.
    pub(crate) base: (u64, u64),
    pub(crate) entries: Vec<Entry>,
    pub(crate) hard_state: HardState,
}

impl Model {
    pub(crate) fn new() -> Self {
        Self { base: (0, 0), entries: Vec::new(), hard_state: HardState::default() }
    }

    pub(crate) fn last(&self) -> u64 {
        self.base.0 + self.entries.len() as u64
    }

    pub(crate) fn term(&self, index: u64) -> u64 {
        match index - self.base.0 {
            0 => self.base.1,
            after => self.entries[after as usize - 1].term,
        }
    }

    pub(crate) fn write(&mut self, batch: &Batch<'_>) {
        if let Some(base) = batch.reset {
            self.base = base;
            self.entries.clear();
        }
        if let Some(first) = batch.entries.first() {
            self.entries.truncate((first.index - self.base.0) as usize - 1);
            self.entries.extend_from_slice(batch.entries);
        }
        if let Some(hard_state) = batch.hard_state {
            self.hard_state = hard_state;
        }
    }

    /// Whether this is what was recovered, entries up to `compacted` being there or not.
    pub(crate) fn matches(&self, recovered: &Recovered, compacted: u64) -> bool {
        let Recovered { base_index, base_term, entries, hard_state, .. } = recovered;
        let greatest_base = compacted.max(self.base.0).min(self.last());
        (self.base.0..=greatest_base).contains(base_index)
            && self.term(*base_index) == *base_term
            && self.hard_state == *hard_state
            && self.entries[(base_index - self.base.0) as usize..] == entries[..]
    }
}
