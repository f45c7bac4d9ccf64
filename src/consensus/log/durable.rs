//! [`Log`]: the entries and the hard state of one node, durable.
//!
//! One batch is one write and, if asked, one fdatasync; more only where a segment is full (`roll`).
//! In memory it keeps the place of every entry, not the entries. Once a write or sync has failed, what
//! the disk holds is unknown: the log is poisoned and answers nothing any more.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use super::disk::{Disk, DiskFile, to_u64, to_usize};
use super::error::{Damage, LogError};
use super::header::Identity;
use super::record::{Encoder, Place, Record, Seal};
use super::roll::{self, Spare};
use crate::{
    consensus::{Entry, HardState},
    planted::{self, Bug},
};

/// Sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogConfig {
    /// Length of one segment's file, 4 KiB to 1 GiB; a multiple of 4 KiB. A batch that is longer
    /// makes its segment longer. Default 64 MiB.
    pub segment_bytes: u64,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20 }
    }
}

impl LogConfig {
    pub(super) fn check(self) {
        let Self { segment_bytes } = self;
        assert!(
            (4 << 10..=1 << 30).contains(&segment_bytes) && segment_bytes % (4 << 10) == 0,
            "segments of {segment_bytes} bytes: not a multiple of 4 KiB from 4 KiB to 1 GiB"
        );
    }
}

/// What to make durable in one step: after a crash all of it is there, or nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Batch<'a> {
    /// The hard state from here on, if it changed.
    pub hard_state: Option<HardState>,
    /// Entries without gaps. Where the first has an index that is there already, that one and all
    /// after it are dropped first.
    pub entries: &'a [Entry],
    /// Before the entries: drop the whole log; a durable snapshot stands for everything up to this
    /// index and term.
    pub reset: Option<(u64, u64)>,
    /// Whether to return only once it, and all before it, is durable.
    pub sync: bool,
}

impl Batch<'_> {
    /// A batch may not be longer, entries with their heads.
    pub const BYTES_MAX: u64 = 512 << 20;
}

/// The durable log of one node.
pub struct Log<D: Disk> {
    pub(super) disk: Arc<D>,
    pub(super) config: LogConfig,
    pub(super) identity: Identity,
    pub(super) hard_state: HardState,
    /// Index and term of the entry before the first.
    pub(super) base: (u64, u64),
    /// Term and place of each entry from `base + 1` on.
    pub(super) entries: VecDeque<(u64, Place)>,
    /// Segments with a successor, oldest first.
    pub(super) sealed: VecDeque<Segment<D::File>>,
    pub(super) live: Live<D::File>,
    pub(super) next_generation: u64,
    pub(super) spare: Option<Spare<D::File>>,
    pub(super) spare_requested: bool,
    pub(super) poisoned: bool,
    pub(super) buffer: Vec<u8>,
}

/// One segment's file.
#[derive(Debug)]
pub(super) struct Segment<F> {
    pub(super) name: String,
    pub(super) file: F,
    pub(super) seal: Seal,
    /// Where its records end.
    pub(super) end: u64,
    pub(super) file_len: u64,
}

/// The segment that is written to.
#[derive(Debug)]
pub(super) struct Live<F> {
    pub(super) segment: Segment<F>,
    /// Checksum of its last record, or of its header.
    pub(super) crc: u32,
    /// Records up to here are durable.
    pub(super) synced: u64,
    /// Up to here the last record, or the header, says that all was durable.
    pub(super) claimed: u64,
    /// The same of the last record that is durable itself.
    pub(super) proven: u64,
    /// Up to here the file holds bytes on the disk, which makes overwriting and syncing it cheap.
    pub(super) zeroed: u64,
}

impl<D: Disk> fmt::Debug for Log<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("identity", &self.identity)
            .field("base", &self.base)
            .field("last_index", &self.last_index())
            .field("hard_state", &self.hard_state)
            .field("segment", &self.live.segment.name)
            .field("poisoned", &self.poisoned)
            .finish_non_exhaustive()
    }
}

impl<D: Disk> Log<D> {
    /// Whose it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The latest hard state written.
    pub fn hard_state(&self) -> HardState {
        self.hard_state
    }

    /// Index of the first entry that can be read; one more than the last where there is none.
    pub fn first_index(&self) -> u64 {
        self.base.0 + 1
    }

    /// Index of the last entry; where there is none, that of the entry before the first.
    pub fn last_index(&self) -> u64 {
        self.base.0 + to_u64(self.entries.len())
    }

    /// Term of the entry at `index`, also of the one before the first.
    pub fn term(&self, index: u64) -> Option<u64> {
        let (base, term) = self.base;
        match index.checked_sub(base)? {
            0 => Some(term),
            after => self.entries.get(usize::try_from(after - 1).ok()?).map(|(term, _)| *term),
        }
    }

    /// Bytes in segments, without room not used yet. `compact` brings it down.
    pub fn size_bytes(&self) -> u64 {
        self.sealed.iter().map(|segment| segment.end).sum::<u64>() + self.live.segment.end
    }

    /// Writes a batch after those before it, durable on return if `batch.sync`.
    ///
    /// # Errors
    ///
    /// [`LogError::Gap`], [`LogError::TooLong`], [`LogError::CommitBeyond`] and
    /// [`LogError::Compacted`] refuse a batch that makes no sense, and leave the log as it was.
    /// [`LogError::Io`] poisons it; [`LogError::Poisoned`] ever after.
    pub fn write(&mut self, batch: &Batch<'_>) -> Result<(), LogError> {
        self.check_alive()?;
        let records = self.records(batch)?;
        let written = self.append(&records, batch.sync);
        self.poison_on_error(written)
    }

    /// The batch as records, if it makes sense.
    fn records<'a>(&self, batch: &Batch<'a>) -> Result<Vec<Record<&'a Entry>>, LogError> {
        let Batch { hard_state, entries, reset, sync: _ } = *batch;
        let mut records = Vec::with_capacity(entries.len() + 3);
        if let Some((index, term)) = reset {
            records.push(Record::Reset { index, term });
        }
        let (base, mut last) = match reset {
            Some((index, _)) => (index, index),
            None => (self.base.0, self.last_index()),
        };
        if let Some(first) = entries.first() {
            let index = first.index;
            if index <= base {
                return Err(LogError::Compacted { index, first: base + 1 });
            }
            if index > last + 1 {
                return Err(LogError::Gap { index, expected: last + 1 });
            }
            if index <= last {
                let term = self.term(index - 1).expect("the index is in the log");
                let late = u64::from(planted::is(Bug::TruncatedOneTooLate));
                records.push(Record::Truncate { from: index + late, term });
            }
            last = index - 1;
        }
        for entry in entries {
            if entry.index != last + 1 {
                return Err(LogError::Gap { index: entry.index, expected: last + 1 });
            }
            if entry.data.len() > Entry::DATA_LEN_MAX {
                let (len, max) = (to_u64(entry.data.len()), to_u64(Entry::DATA_LEN_MAX));
                return Err(LogError::TooLong { len, max });
            }
            last = entry.index;
            records.push(Record::Entry(entry));
        }
        if let Some(hard_state) = hard_state {
            records.push(Record::HardState(hard_state));
        }
        let commit = hard_state.unwrap_or(self.hard_state).commit;
        if commit > last {
            return Err(LogError::CommitBeyond { commit, last });
        }
        let len = records.iter().map(Record::encoded_len).sum();
        if len > Batch::BYTES_MAX {
            return Err(LogError::TooLong { len, max: Batch::BYTES_MAX });
        }
        Ok(records)
    }

    /// One write of all these records, and one sync.
    pub(super) fn append(
        &mut self,
        records: &[Record<&Entry>],
        sync: bool,
    ) -> Result<(), LogError> {
        let len = records.iter().map(Record::encoded_len).sum::<u64>();
        if len > 0 {
            self.make_room(len)?;
            let mut buffer = std::mem::take(&mut self.buffer);
            let places = self.write_out(records, &mut buffer)?;
            roll::reuse(&mut self.buffer, buffer);
            for (record, place) in records.iter().zip(places) {
                self.remember(record, place);
            }
        }
        if sync { self.live.sync() } else { Ok(()) }
    }

    fn write_out(
        &mut self,
        records: &[Record<&Entry>],
        buffer: &mut Vec<u8>,
    ) -> Result<Vec<Place>, LogError> {
        let live = &mut self.live;
        let start = live.segment.end;
        let (places, crc) =
            encode(records, buffer, live.segment.seal, start, live.synced, live.crc);
        let end = start + to_u64(buffer.len());
        live.zero_ahead(end, buffer);
        live.segment
            .file
            .write_at(buffer, start)
            .map_err(LogError::io("write", &live.segment.name))?;
        live.segment.end = end;
        live.claimed = live.synced;
        live.crc = crc;
        Ok(places)
    }

    /// Where the last write is durable and no record says so yet, writes one that does, without a sync.
    /// A start can then tell rot in that write from a write that was torn (`scan`).
    ///
    /// # Errors
    ///
    /// [`LogError::Io`], which poisons; [`LogError::Poisoned`].
    pub fn vouch(&mut self) -> Result<(), LogError> {
        self.check_alive()?;
        let Live { segment, synced, claimed, .. } = &self.live;
        if *synced < segment.end || *claimed == *synced {
            return Ok(());
        }
        // Says nothing new: those before the oldest are gone.
        let record = Record::Release { oldest: self.oldest() };
        let written = self.append(&[record], false);
        self.poison_on_error(written)
    }

    /// The live segment's file, and up to where its bytes were durable by what a later durable record,
    /// or the header, says: whatever is wrong before that is rot, after any crash.
    pub fn proven(&self) -> (&str, u64) {
        (&self.live.segment.name, self.live.proven)
    }

    /// The same as [`Replay::take`](super::replay::Replay::take), for a record that was just written.
    fn remember(&mut self, record: &Record<&Entry>, place: Place) {
        match record {
            Record::Entry(entry) => self.entries.push_back((entry.term, place)),
            Record::HardState(hard_state) => self.hard_state = *hard_state,
            Record::Truncate { from, term: _ } => {
                self.entries.truncate(to_usize(from - self.first_index()));
            }
            Record::Reset { index, term } => {
                self.entries.clear();
                self.base = (*index, *term);
            }
            Record::Release { .. } => {}
        }
    }

    /// Reads entries `low..high` from the disk, as many as `bytes_max` hold, but at least one.
    ///
    /// # Errors
    ///
    /// [`LogError::Compacted`] and [`LogError::Beyond`] where there are no such entries;
    /// [`LogError::Rot`] where the disk gives back other bytes than were written; [`LogError::Io`],
    /// [`LogError::Poisoned`].
    pub fn read(&self, low: u64, high: u64, bytes_max: u64) -> Result<Vec<Entry>, LogError> {
        self.check_alive()?;
        let (first, last) = (self.first_index(), self.last_index());
        if low < first {
            return Err(LogError::Compacted { index: low, first });
        }
        if high > last + 1 {
            return Err(LogError::Beyond { index: high - 1, last });
        }
        let wanted = usize::try_from(high.saturating_sub(low)).unwrap_or(usize::MAX);
        let skipped = usize::try_from(low - first).unwrap_or(usize::MAX);
        let mut entries = Vec::new();
        let mut bytes = 0_u64;
        for (_, place) in self.entries.iter().skip(skipped).take(wanted) {
            bytes += u64::from(place.len);
            if bytes > bytes_max && !entries.is_empty() {
                break;
            }
            entries.push(self.read_entry(*place, low + to_u64(entries.len()))?);
        }
        Ok(entries)
    }

    fn read_entry(&self, place: Place, index: u64) -> Result<Entry, LogError> {
        let segment = self.segment(place.generation);
        let mut bytes = vec![0; place.len()];
        segment
            .file
            .read_exact_at(&mut bytes, place.offset)
            .map_err(LogError::io("read", &segment.name))?;
        match segment.seal.record(place.before, place.offset, &bytes).map(|read| read.record) {
            Some(Record::Entry(entry)) if entry.index == index => Ok(entry),
            _ => {
                let damage = Damage::Record { durable: segment.end };
                Err(LogError::rot(&segment.name, place.offset, damage))
            }
        }
    }

    fn segment(&self, generation: u64) -> &Segment<D::File> {
        self.sealed
            .binary_search_by_key(&generation, |segment| segment.seal.generation())
            .ok()
            .and_then(|at| self.sealed.get(at))
            .unwrap_or(&self.live.segment)
    }

    pub(super) fn check_alive(&self) -> Result<(), LogError> {
        if self.poisoned { Err(LogError::Poisoned) } else { Ok(()) }
    }

    pub(super) fn poison_on_error<T>(
        &mut self,
        result: Result<T, LogError>,
    ) -> Result<T, LogError> {
        self.poisoned |= result.is_err();
        result
    }
}

impl<F: DiskFile> Live<F> {
    /// Makes all its records durable.
    pub(super) fn sync(&mut self) -> Result<(), LogError> {
        if self.synced < self.segment.end {
            if !planted::is(Bug::NoFsync) {
                let synced = self.segment.file.sync();
                let goes_on = synced.is_err() && planted::is(Bug::GoesOnAfterFailedFsync);
                if !goes_on {
                    synced.map_err(LogError::io("sync", &self.segment.name))?;
                }
            }
            self.proven = self.claimed;
            self.synced = self.segment.end;
        }
        Ok(())
    }

    /// Where nobody has filled the segment with zeros, each write that comes near the end of what is
    /// filled takes some zeros along: a sync is twice as fast where the file does not grow.
    fn zero_ahead(&mut self, end: u64, buffer: &mut Vec<u8>) {
        if end > self.zeroed {
            let zeroed = (end + roll::ZERO_AHEAD).min(self.segment.file_len).max(end);
            buffer.resize(buffer.len() + to_usize(zeroed - end), 0);
            self.zeroed = zeroed;
        }
    }
}

/// One batch as bytes for offset `start`: the records' places, and the checksum of the last one.
pub(super) fn encode(
    records: &[Record<&Entry>],
    buffer: &mut Vec<u8>,
    seal: Seal,
    start: u64,
    synced: u64,
    crc: u32,
) -> (Vec<Place>, u32) {
    let mut encoder = Encoder { buffer, seal, start, synced, crc };
    let count = records.len();
    let places =
        records.iter().zip(1..).map(|(record, n)| encoder.push(record, n == count)).collect();
    (places, encoder.crc)
}
