//! A new segment when one is full, spare files for it, and dropping old segments.
//!
//! A segment is written under another name, header and first records, synced, renamed, and the
//! directory synced: under a final name everything up to `initial_end` is durable. Before that the
//! segment that it follows is synced, and its end stands in the new header.
//!
//! Zeroing a whole segment takes a fifth of a second, so another thread does it ahead of time
//! ([`SpareRequest::fill`]), or a segment that is not needed any more becomes the spare.

use std::io;
use std::sync::Arc;

use super::disk::{Disk, DiskFile, to_u64, to_usize};
use super::durable::{Live, Log, LogConfig, Segment, encode};
use super::error::LogError;
use super::header::{HEADER_LEN, Header, Identity, Previous};
use super::paced::Paced;
use super::record::{Place, Record, Seal};
use crate::{
    consensus::{Entry, HardState},
    planted::{self, Bug},
};

/// How far a write fills a segment with zeros that was not filled before.
pub(super) const ZERO_AHEAD: u64 = 256 << 10;
const BUFFER_KEPT: usize = 4 << 20;
const TEMPORARY: &str = ".log.tmp";
const FINAL: &str = ".log";

/// A file of a segment's length to be filled with zeros, on whatever thread.
#[derive(Debug)]
#[must_use = "the next segment is slower to write without it"]
pub struct SpareRequest {
    name: String,
    bytes: u64,
}

impl SpareRequest {
    /// Makes the file and fills it; it takes as long as writing a segment does.
    ///
    /// # Errors
    ///
    /// Whatever the disk answers: tell [`Log::spare_failed`]. The log does without.
    pub fn fill<D: Disk>(self, disk: &D) -> io::Result<Spare<D::File>> {
        const CHUNK: u64 = 1 << 20;
        match disk.remove(&self.name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = Paced::new(disk.create(&self.name)?);
        let zeros = vec![0; to_usize(CHUNK.min(self.bytes))];
        let mut at = 0;
        while at < self.bytes {
            let len = to_usize(CHUNK.min(self.bytes - at));
            file.append(zeros.get(..len).unwrap_or(&zeros))?;
            at += CHUNK;
        }
        let file = file.finish()?;
        Ok(Spare { name: self.name, file, bytes: self.bytes, zeroed: true })
    }
}

/// A file to become the next segment.
#[derive(Debug)]
pub struct Spare<F> {
    name: String,
    file: F,
    bytes: u64,
    /// Or it holds an old segment's records.
    zeroed: bool,
}

/// Segments that nobody misses, still to be removed, on whatever thread: a file of 64 MiB takes 15 ms here.
#[must_use = "they take room until the next start removes them"]
#[derive(Debug)]
pub struct Dropped<F>(Vec<Segment<F>>);

impl<F> Dropped<F> {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes their files.
    ///
    /// # Errors
    ///
    /// [`LogError::Io`]: the process must end, for nobody would hear of a failed sync again.
    pub fn remove<D: Disk<File = F>>(self, disk: &D) -> Result<(), LogError> {
        if self.is_empty() {
            return Ok(());
        }
        for Segment { name, file, .. } in self.0 {
            disk.remove(&name).map_err(LogError::io("remove", &name))?;
            // What was open until now is freed here.
            drop(file);
        }
        disk.sync_dir().map_err(LogError::io("sync", "the data directory"))
    }
}

/// Name of a segment's file.
pub(super) fn name(generation: u64) -> String {
    format!("{generation:020}{FINAL}")
}

fn temporary_name(generation: u64) -> String {
    format!("{generation:020}{TEMPORARY}")
}

/// The generation in a segment's name.
pub(super) fn generation(name: &str) -> Option<u64> {
    parse(name, FINAL)
}

/// The generation in the name of a segment that is being made, or of a spare.
pub(super) fn temporary_generation(name: &str) -> Option<u64> {
    parse(name, TEMPORARY)
}

fn parse(name: &str, suffix: &str) -> Option<u64> {
    let number = name.strip_suffix(suffix)?;
    let digits = number.len() == 20 && number.bytes().all(|byte| byte.is_ascii_digit());
    if digits { number.parse().ok() } else { None }
}

/// Gives an encoding buffer back for the next batch, unless it has become large.
pub(super) fn reuse(to: &mut Vec<u8>, mut buffer: Vec<u8>) {
    if buffer.capacity() <= BUFFER_KEPT {
        buffer.clear();
        *to = buffer;
    }
}

/// Whether there is a log in this directory, sound or not.
fn exists<D: Disk>(disk: &D) -> Result<bool, LogError> {
    let names = disk.list().map_err(LogError::io("list", "the data directory"))?;
    Ok(names.iter().any(|name| generation(name).is_some()))
}

/// What a new segment begins with.
pub(super) struct Start<'a> {
    pub(super) identity: Identity,
    pub(super) generation: u64,
    pub(super) previous: Option<Previous>,
    pub(super) oldest: u64,
    pub(super) start: (u64, u64),
    pub(super) hard_state: HardState,
    pub(super) records: &'a [Record<&'a Entry>],
}

impl Start<'_> {
    /// Makes the segment, durable in all that it begins with; also says where its records are.
    pub(super) fn make<D: Disk>(
        self,
        disk: &D,
        config: LogConfig,
        spare: Option<Spare<D::File>>,
    ) -> Result<(Live<D::File>, Vec<Place>), LogError> {
        let records_len = self.records.iter().map(Record::encoded_len).sum::<u64>();
        let end = HEADER_LEN + records_len;
        let final_name = name(self.generation);
        let temporary = match &spare {
            Some(spare) => spare.name.clone(),
            None => temporary_name(self.generation),
        };
        let (file, file_len, zeroed, filled) = match spare {
            Some(Spare { file, bytes, zeroed, name: _ }) => (file, bytes, zeroed, bytes),
            None => {
                let file = disk.create(&temporary).map_err(LogError::io("create", &temporary))?;
                let file_len = config.segment_bytes.max(end);
                file.set_len(file_len).map_err(LogError::io("lengthen", &temporary))?;
                (file, file_len, true, 0)
            }
        };
        let header = Header {
            identity: self.identity,
            generation: self.generation,
            previous: self.previous,
            oldest: self.oldest,
            start: self.start,
            hard_state: self.hard_state,
            initial_end: end,
            file_len,
            zeroed,
        };
        let seal = Seal::of(&header);
        let (mut bytes, header_crc) = header.encode();
        let mut body = Vec::new();
        let (places, crc) =
            encode(self.records, &mut body, seal, HEADER_LEN, HEADER_LEN, header_crc);
        bytes.append(&mut body);
        let zeroed = if filled == 0 { (end + ZERO_AHEAD).min(file_len) } else { filled };
        if filled == 0 {
            bytes.resize(to_usize(zeroed), 0);
        }
        file.write_at(&bytes, 0).map_err(LogError::io("write", &temporary))?;
        file.sync().map_err(LogError::io("sync", &temporary))?;
        disk.rename(&temporary, &final_name).map_err(LogError::io("rename", &temporary))?;
        if !planted::is(Bug::NameNotSynced) {
            disk.sync_dir().map_err(LogError::io("sync", "the data directory"))?;
        }
        let segment = Segment { name: final_name, file, seal, end, file_len };
        Ok((Live { segment, crc, synced: end, claimed: end, proven: end, zeroed }, places))
    }
}

impl<D: Disk> Log<D> {
    /// Whether there is a log in this directory, sound or not.
    ///
    /// # Errors
    ///
    /// [`LogError::Io`] where the directory cannot be read.
    pub fn exists(disk: &D) -> Result<bool, LogError> {
        exists(disk)
    }

    /// Makes an empty log, durable. Its first entry will be the one after `base` (index, term):
    /// (0, 0), or where a durable snapshot ends.
    ///
    /// # Errors
    ///
    /// [`LogError::Exists`] where there is one; [`LogError::Io`].
    pub fn create(
        disk: Arc<D>,
        identity: Identity,
        config: LogConfig,
        base: (u64, u64),
    ) -> Result<Self, LogError> {
        config.check();
        if exists(&*disk)? {
            return Err(LogError::Exists);
        }
        remove_temporary(&*disk)?;
        let hard_state = HardState { term: base.1, vote: 0, commit: base.0 };
        let start = Start {
            identity,
            generation: 1,
            previous: None,
            oldest: 1,
            start: base,
            hard_state,
            records: &[],
        };
        let (live, _) = start.make(&*disk, config, None)?;
        Ok(Self {
            disk,
            config,
            identity,
            hard_state,
            base,
            entries: Default::default(),
            sealed: Default::default(),
            live,
            next_generation: 2,
            spare: None,
            spare_requested: false,
            poisoned: false,
            buffer: Vec::new(),
        })
    }

    /// Rolls to a new segment where `len` more bytes do not fit the live one. An empty segment takes
    /// a batch of any length.
    pub(super) fn make_room(&mut self, len: u64) -> Result<(), LogError> {
        let segment = &self.live.segment;
        if segment.end + len <= segment.file_len || segment.end == HEADER_LEN {
            return Ok(());
        }
        let oldest = self.oldest();
        self.roll(oldest)
    }

    /// Generation of the oldest segment.
    pub(super) fn oldest(&self) -> u64 {
        self.sealed.front().unwrap_or(&self.live.segment).seal.generation()
    }

    fn roll(&mut self, oldest: u64) -> Result<(), LogError> {
        if !planted::is(Bug::FullSegmentNotSynced) {
            self.live.sync()?;
        }
        let segment = &self.live.segment;
        let previous = Previous {
            generation: segment.seal.generation(),
            end: segment.end,
            crc: self.live.crc,
        };
        let last = self.last_index();
        let start = Start {
            identity: self.identity,
            generation: self.next_generation,
            previous: Some(previous),
            oldest,
            start: (last, self.term(last).expect("the last index has a term")),
            hard_state: self.hard_state,
            records: &[],
        };
        let (live, _) = start.make(&*self.disk, self.config, self.spare.take())?;
        self.next_generation += 1;
        let full = std::mem::replace(&mut self.live, live);
        self.sealed.push_back(full.segment);
        Ok(())
    }

    /// Drops the segments that hold only entries up to `through`, which a durable snapshot covers.
    /// Entries before `through` may stay; [`first_index`](Self::first_index) tells. Files that are not needed as
    /// spares are the caller's to remove.
    ///
    /// # Errors
    ///
    /// [`LogError::Io`], which poisons; [`LogError::Poisoned`].
    pub fn compact(&mut self, through: u64) -> Result<Dropped<D::File>, LogError> {
        self.check_alive()?;
        let dropped = self.drop_segments(through);
        self.poison_on_error(dropped)
    }

    fn drop_segments(&mut self, through: u64) -> Result<Dropped<D::File>, LogError> {
        let first_kept = through.saturating_add(1).max(self.first_index());
        let skip = usize::try_from(first_kept - self.first_index()).unwrap_or(usize::MAX);
        let live = self.live.segment.seal.generation();
        let oldest = self.entries.get(skip).map_or(live, |(_, place)| place.generation);
        let mut dropped = Vec::new();
        if oldest == self.oldest() {
            return Ok(Dropped(dropped));
        }
        let gone = self.entries.partition_point(|(_, place)| place.generation < oldest);
        let base = self.base.0 + to_u64(gone);
        self.base = (base, self.term(base).expect("the entry is still there"));
        self.entries.drain(..gone);

        // Durable before a file goes: from here on nobody misses them.
        self.append(&[Record::Release { oldest }], true)?;
        while let Some(segment) = self.sealed.front()
            && segment.seal.generation() < oldest
        {
            let segment = self.sealed.pop_front().expect("it was just looked at");
            dropped.extend(self.discard(segment)?);
        }
        // Before anything is written to a file that was renamed: it must not come back under its old name.
        self.disk.sync_dir().map_err(LogError::io("sync", "the data directory"))?;
        Ok(Dropped(dropped))
    }

    /// Keeps a dropped segment's file as the next spare, or gives it back.
    fn discard(&mut self, segment: Segment<D::File>) -> Result<Option<Segment<D::File>>, LogError> {
        let wanted = self.spare.is_none() && !self.spare_requested;
        if !wanted || segment.file_len != self.config.segment_bytes {
            return Ok(Some(segment));
        }
        let Segment { name, file, seal, end: _, file_len } = segment;
        let temporary = temporary_name(seal.generation());
        self.disk.rename(&name, &temporary).map_err(LogError::io("rename", &name))?;
        self.spare = Some(Spare { name: temporary, file, bytes: file_len, zeroed: false });
        Ok(None)
    }

    /// Work for another thread, where the log has no spare and has not asked for one: give what
    /// [`SpareRequest::fill`] makes to [`offer_spare`](Self::offer_spare).
    pub fn spare_wanted(&mut self) -> Option<SpareRequest> {
        if self.spare.is_some() || self.spare_requested || self.poisoned {
            return None;
        }
        self.spare_requested = true;
        // Named after the live segment, whose own temporary name is free since it has its final one.
        let name = temporary_name(self.live.segment.seal.generation());
        Some(SpareRequest { name, bytes: self.config.segment_bytes })
    }

    /// Takes a spare for the next segment.
    pub fn offer_spare(&mut self, spare: Spare<D::File>) {
        self.spare_requested = false;
        self.spare = Some(spare);
    }

    /// Says that a request could not be filled. The log does without, and asks again.
    pub fn spare_failed(&mut self) {
        self.spare_requested = false;
    }
}

/// Removes what was never finished. What is left over after a crash here goes the next time.
pub(super) fn remove_temporary<D: Disk>(disk: &D) -> Result<(), LogError> {
    let names = disk.list().map_err(LogError::io("list", "the data directory"))?;
    for name in names.iter().filter(|name| temporary_generation(name).is_some()) {
        disk.remove(name).map_err(LogError::io("remove", name))?;
    }
    Ok(())
}
