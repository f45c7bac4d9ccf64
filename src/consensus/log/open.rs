//! From a directory to a log again.
//!
//! 1. The last segment is read: whose log it is, which records are believed (`scan`), and which
//!    segment is the oldest that counts.
//! 2. Each header names the segment before it and where that ends; all of them, back to the oldest,
//!    must be there and intact. Files that the chain does not lead to are left over from an interrupted
//!    compaction or start.
//! 3. The records are replayed.
//! 4. What lives in the last segment is written anew to a segment that takes its place in the chain,
//!    and synced. A sync may have failed before the process ended, and then what was just read may be
//!    in memory only; older segments were synced before the last one got its name. It also means that
//!    nothing is ever written after a torn tail.
//! 5. Only then what is left over goes, the former last segment with it.
//!
//! A crash anywhere leaves either the old last segment or the new one as the end of the chain.

use std::collections::VecDeque;
use std::sync::Arc;

use super::disk::{Disk, DiskFile, to_usize};
use super::durable::{Log, LogConfig, Segment};
use super::error::{Damage, LogError};
use super::header::{HEADER_LEN, Header, Identity, Previous};
use super::record::{Place, Record, Seal};
use super::replay::Replay;
use super::roll::{Start, generation, name, remove_temporary, temporary_generation};
use super::salvage::{self, Salvage};
use super::scan::{self, Scan};
use crate::consensus::{Entry, HardState};

/// No segment's file can be longer: a header, a full segment and a batch of any length.
const FILE_LEN_MAX: u64 = 2 << 30;

/// Whose log the caller means to open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// The cluster.
    pub cluster_id: u128,
    /// The node in it.
    pub node_id: crate::consensus::NodeId,
}

/// What was found in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Whose it is.
    pub identity: Identity,
    /// The latest durable hard state. Its commit may lag behind a snapshot.
    pub hard_state: HardState,
    /// Index of the entry before the first. Never above the greatest index compacted or reset to;
    /// below it where a segment holds entries on both sides.
    pub base_index: u64,
    /// Term of that entry.
    pub base_term: u64,
    /// All entries, from `base_index + 1` on without gaps.
    pub entries: Vec<Entry>,
    /// A write that a crash interrupted, and that was dropped.
    pub torn_tail: Option<TornTail>,
}

/// A write that a crash interrupted. Nobody was told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The file it was in.
    pub segment: String,
    /// Where it began.
    pub offset: u64,
    /// Bytes known to have been written of it.
    pub bytes: u64,
}

/// Of the segments among these files, in order.
pub(super) fn generations(names: &[String]) -> Vec<u64> {
    let mut generations: Vec<u64> = names.iter().filter_map(|name| generation(name)).collect();
    generations.sort_unstable();
    generations
}

/// A segment as it is on the disk.
pub(super) struct Found<F> {
    pub(super) segment: Segment<F>,
    pub(super) header: Header,
    pub(super) header_crc: u32,
    pub(super) bytes: Vec<u8>,
}

impl<F: DiskFile> Found<F> {
    pub(super) fn read<D: Disk<File = F>>(disk: &D, generation: u64) -> Result<Self, LogError> {
        let name = name(generation);
        let file = disk.open(&name).map_err(LogError::io("open", &name))?;
        let len = file.len().map_err(LogError::io("measure", &name))?;
        if !(HEADER_LEN..=FILE_LEN_MAX).contains(&len) {
            let damage = Damage::Length { len, expected: HEADER_LEN };
            return Err(LogError::rot(&name, 0, damage));
        }
        let mut bytes = vec![0; to_usize(len)];
        file.read_exact_at(&mut bytes, 0).map_err(LogError::io("read", &name))?;
        let first = bytes.first_chunk().expect("the length was checked");
        let (header, header_crc) = Header::decode(&name, first)?;
        if header.generation != generation {
            return Err(LogError::rot(&name, 0, Damage::Foreign));
        }
        if len < header.file_len {
            let damage = Damage::Length { len, expected: header.file_len };
            return Err(LogError::rot(&name, len, damage));
        }
        let seal = Seal::of(&header);
        let segment = Segment { name, file, seal, end: HEADER_LEN, file_len: len };
        Ok(Self { segment, header, header_crc, bytes })
    }
}

/// The chain from the oldest segment to the last.
struct Chain<F> {
    sealed: VecDeque<(Segment<F>, Header, Scan)>,
    last: (Segment<F>, Header, Scan),
    /// Segments before this generation do not count any more.
    oldest: u64,
    torn_tail: Option<TornTail>,
}

impl<F: DiskFile> Chain<F> {
    fn read<D: Disk<File = F>>(
        disk: &D,
        generations: &[u64],
        expected: Option<Expected>,
    ) -> Result<Self, LogError> {
        let last = *generations.last().ok_or(LogError::Missing)?;
        let Found { segment, header, header_crc, bytes } = Found::read(disk, last)?;
        let found = header.identity;
        if let Some(Expected { cluster_id, node_id }) = expected {
            if found.cluster_id != cluster_id {
                let (found, expected) = (found.cluster_id, cluster_id);
                return Err(LogError::WrongCluster { found, expected });
            }
            if found.node_id != node_id {
                let (found, expected) = (found.node_id.0, node_id.0);
                return Err(LogError::WrongNode { found, expected });
            }
        }
        let (scan, torn) = scan::last(&segment.name, &header, header_crc, &bytes)?;
        let torn_tail = (torn > 0).then(|| TornTail {
            segment: segment.name.clone(),
            offset: scan.end,
            bytes: torn,
        });
        let oldest = scan.records.iter().fold(header.oldest, |oldest, read| match read.record {
            Record::Release { oldest: later } => oldest.max(later),
            Record::Entry(_)
            | Record::HardState(_)
            | Record::Truncate { .. }
            | Record::Reset { .. } => oldest,
        });
        let mut chain =
            Self { sealed: VecDeque::new(), last: (segment, header, scan), oldest, torn_tail };
        while let Some(previous) = chain.before()? {
            chain.extend_back(disk, generations, previous, found)?;
        }
        Ok(chain)
    }

    /// The segment before those read so far, unless they reach back to the oldest.
    fn before(&self) -> Result<Option<Previous>, LogError> {
        let (segment, header, _) = self.sealed.front().unwrap_or(&self.last);
        if header.generation == self.oldest {
            return Ok(None);
        }
        let before = header
            .previous
            .filter(|previous| (self.oldest..header.generation).contains(&previous.generation));
        match before {
            Some(previous) => Ok(Some(previous)),
            None => Err(LogError::rot(&segment.name, 0, Damage::Contradiction)),
        }
    }

    fn extend_back<D: Disk<File = F>>(
        &mut self,
        disk: &D,
        generations: &[u64],
        previous: Previous,
        identity: Identity,
    ) -> Result<(), LogError> {
        let Previous { generation, end, crc } = previous;
        if generations.binary_search(&generation).is_err() {
            let (successor, _, _) = self.sealed.front().unwrap_or(&self.last);
            return Err(LogError::rot(&successor.name, 0, Damage::Missing { generation }));
        }
        let Found { mut segment, header, header_crc, bytes } = Found::read(disk, generation)?;
        if header.identity != identity {
            return Err(LogError::rot(&segment.name, 0, Damage::Foreign));
        }
        let scan = scan::sealed(&segment.name, &header, header_crc, &bytes, (end, crc))?;
        segment.end = end;
        self.sealed.push_front((segment, header, scan));
        Ok(())
    }

    /// Replays all of it.
    fn replay(self) -> Result<Replayed<F>, LogError> {
        let Self { sealed, last, oldest, torn_tail: _ } = self;
        let (_, first, _) = sealed.front().unwrap_or(&last);
        let mut replay = Replay::new(first);
        let mut segments = VecDeque::with_capacity(sealed.len() + 1);
        let last_header = last.1;
        for (segment, header, scan) in sealed.into_iter().chain([last]) {
            if !segments.is_empty() && !replay.may_follow(&header) {
                return Err(LogError::rot(&segment.name, 0, Damage::Contradiction));
            }
            for read in scan.records {
                let offset = read.place.offset;
                replay
                    .take(read.record, read.place)
                    .ok_or_else(|| LogError::rot(&segment.name, offset, Damage::Contradiction))?;
            }
            segments.push_back(segment);
        }
        let last = segments.pop_back().expect("the last segment is one of them");
        if replay.hard_state.commit > replay.last().0 {
            return Err(LogError::rot(&last.name, HEADER_LEN, Damage::Contradiction));
        }
        Ok(Replayed { sealed: segments, last: last_header, oldest, replay })
    }
}

/// What the chain means, and what of it stays: all but the last segment's file.
struct Replayed<F> {
    sealed: VecDeque<Segment<F>>,
    last: Header,
    oldest: u64,
    replay: Replay,
}

impl<D: Disk> Log<D> {
    /// Opens the log that is there, and makes sure of it: what is recovered is durable on return.
    ///
    /// # Errors
    ///
    /// [`LogError::Missing`]; [`LogError::WrongCluster`], [`LogError::WrongNode`] where it is another's;
    /// [`LogError::Version`]; [`LogError::Rot`] where something that was durable is gone or changed;
    /// [`LogError::Io`].
    pub fn open(
        disk: Arc<D>,
        expected: Expected,
        config: LogConfig,
    ) -> Result<(Self, Recovered), LogError> {
        Self::open_if(disk, expected, config, |_| true)
    }

    /// The same, if the caller can do with every entry that is there; otherwise nothing is written.
    ///
    /// # Errors
    ///
    /// [`LogError::NotUnderstood`]; as [`Self::open`].
    pub fn open_if(
        disk: Arc<D>,
        expected: Expected,
        config: LogConfig,
        mut understands: impl FnMut(&Entry) -> bool,
    ) -> Result<(Self, Recovered), LogError> {
        config.check();
        let names = disk.list().map_err(LogError::io("list", "the data directory"))?;
        let generations = generations(&names);
        let used = names.iter().filter_map(|name| temporary_generation(name));
        let next_generation = used.chain(generations.iter().copied()).max().unwrap_or(0) + 1;

        let mut chain = Chain::read(&*disk, &generations, Some(expected))?;
        let torn_tail = chain.torn_tail.take();
        let mut replayed = chain.replay()?;
        if let Some((entry, _)) = replayed.replay.entries.iter().find(|(it, _)| !understands(it)) {
            return Err(LogError::NotUnderstood { index: entry.index });
        }
        remove_temporary(&*disk)?;
        let log = Self::rewrite(disk, config, next_generation, &mut replayed)?;
        log.remove_left_over(&generations)?;

        let recovered = Recovered {
            identity: log.identity,
            hard_state: log.hard_state,
            base_index: log.base.0,
            base_term: log.base.1,
            entries: replayed.replay.entries.into_iter().map(|(entry, _)| entry).collect(),
            torn_tail,
        };
        Ok((log, recovered))
    }

    /// What the log says, whoever's it is, without changing or making sure of anything: for those who
    /// only look.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn look(disk: &D) -> Result<Recovered, LogError> {
        let names = disk.list().map_err(LogError::io("list", "the data directory"))?;
        let mut chain = Chain::read(disk, &generations(&names), None)?;
        let torn_tail = chain.torn_tail.take();
        let identity = chain.last.1.identity;
        let Replay { hard_state, base, entries, .. } = chain.replay()?.replay;
        let (base_index, base_term) = base;
        let entries = entries.into_iter().map(|(entry, _)| entry).collect();
        Ok(Recovered { identity, hard_state, base_index, base_term, entries, torn_tail })
    }

    /// Whose log it is, by its newest segment; `None` where there is none. Nothing else of it is looked at.
    ///
    /// # Errors
    ///
    /// [`LogError::Io`]; the damage of that segment's header.
    pub fn whose(disk: &D) -> Result<Option<Identity>, LogError> {
        let names = disk.list().map_err(LogError::io("list", "the data directory"))?;
        let Some(newest) = generations(&names).pop() else { return Ok(None) };
        Self::header(disk, newest).map(|header| Some(header.identity))
    }

    fn header(disk: &D, generation: u64) -> Result<Header, LogError> {
        let name = name(generation);
        let file = disk.open(&name).map_err(LogError::io("open", &name))?;
        let len = file.len().map_err(LogError::io("measure", &name))?;
        if len < HEADER_LEN {
            let damage = Damage::Length { len, expected: HEADER_LEN };
            return Err(LogError::rot(&name, 0, damage));
        }
        let mut first = [0; 512];
        file.read_exact_at(&mut first, 0).map_err(LogError::io("read", &name))?;
        Ok(Header::decode(&name, &first)?.0)
    }

    /// Whose log it is, by every segment whose header is sound, for a log that is damaged elsewhere; `None`
    /// where there is none such, or they contradict each other.
    ///
    /// # Errors
    ///
    /// [`LogError::Io`]; [`LogError::Version`].
    pub fn whose_if_sound(disk: &D) -> Result<Option<Identity>, LogError> {
        let names = disk.list().map_err(LogError::io("list", "the data directory"))?;
        let mut whose = None;
        for generation in generations(&names) {
            match Self::header(disk, generation) {
                Ok(Header { identity, .. }) => {
                    if *whose.get_or_insert(identity) != identity {
                        return Ok(None);
                    }
                }
                Err(LogError::Rot { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(whose)
    }

    /// What is left of a log that may be damaged, without changing anything.
    ///
    /// # Errors
    ///
    /// [`LogError::Missing`] where there is none; [`LogError::Io`]; [`LogError::Version`]; the first damage
    /// where no segment can be read at all.
    pub fn salvage(disk: &D) -> Result<Salvage, LogError> {
        salvage::salvage(disk)
    }

    /// Writes what lives in the last segment to a new one in its place.
    fn rewrite(
        disk: Arc<D>,
        config: LogConfig,
        generation: u64,
        replayed: &mut Replayed<D::File>,
    ) -> Result<Self, LogError> {
        let Replayed { sealed, last, oldest, replay } = replayed;
        let mut sealed = std::mem::take(sealed);
        let in_last =
            replay.entries.partition_point(|(_, place)| place.generation < last.generation);
        let (older, live) = replay.entries.make_contiguous().split_at(in_last);
        let mut records = Vec::with_capacity(live.len() + 2);
        let (previous, oldest_kept, start, hard_state);
        match older.last() {
            // Nothing before the last segment is alive: the new one stands alone.
            None => {
                sealed.clear();
                (previous, oldest_kept, start) = (None, generation, replay.base);
                hard_state = replay.hard_state;
            }
            Some((entry, _)) => {
                (previous, oldest_kept, start) = (last.previous, *oldest, last.start);
                hard_state = last.hard_state;
                if entry.index < start.0 {
                    records.push(Record::Truncate { from: entry.index + 1, term: entry.term });
                }
            }
        }
        records.extend(live.iter().map(|(entry, _)| Record::Entry(entry)));
        if hard_state != replay.hard_state {
            records.push(Record::HardState(replay.hard_state));
        }
        let start = Start {
            identity: last.identity,
            generation,
            previous,
            oldest: oldest_kept,
            start,
            hard_state,
            records: &records,
        };
        let (new, places) = start.make(&*disk, config, None)?;
        let places = records.iter().zip(places).filter_map(|(record, place)| match record {
            Record::Entry(entry) => Some((entry.term, place)),
            Record::HardState(_)
            | Record::Truncate { .. }
            | Record::Reset { .. }
            | Record::Release { .. } => None,
        });
        let older = older.iter().map(|(entry, place): &(Entry, Place)| (entry.term, *place));
        Ok(Self {
            identity: last.identity,
            hard_state: replay.hard_state,
            base: replay.base,
            entries: older.chain(places).collect(),
            sealed,
            live: new,
            next_generation: generation + 1,
            spare: None,
            spare_requested: false,
            poisoned: false,
            buffer: Vec::new(),
            disk,
            config,
        })
    }

    /// Removes the segments that are not part of the log any more.
    fn remove_left_over(&self, generations: &[u64]) -> Result<(), LogError> {
        let kept = |generation| self.sealed.iter().any(|it| it.seal.generation() == generation);
        for generation in generations.iter().filter(|generation| !kept(**generation)) {
            let name = name(*generation);
            self.disk.remove(&name).map_err(LogError::io("remove", &name))?;
        }
        self.disk.sync_dir().map_err(LogError::io("sync", "the data directory"))
    }
}
