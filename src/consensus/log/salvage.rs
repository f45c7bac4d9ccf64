//! What can be read of a log that may be damaged, for the one case in which there is no other copy.
//!
//! The chain of segments is followed back from the last one as `open` does, but damage does not end it. It
//! divides the log into stretches, of which each is sound in itself: records before the damage are believed
//! as far as the chain of checksums reaches, and what comes after it begins anew with the next segment,
//! whose header says where. Nothing is written, and nothing is decided: whoever has a snapshot knows which
//! stretch goes on from it.

use std::collections::VecDeque;

use super::disk::Disk;
use super::error::{Damage, LogError};
use super::header::{Header, Identity};
use super::open::{Found, generations};
use super::record::Record;
use super::replay::Replay;
use super::roll::name;
use super::scan::{self, Scan};
use crate::consensus::{Entry, HardState};

/// What is left of a log.
#[derive(Debug)]
pub struct Salvage {
    /// Whose it is.
    pub identity: Identity,
    /// The sound stretches, the newest first. At least one.
    pub stretches: Vec<Stretch>,
    /// What is wrong, the newest first.
    pub damage: Vec<LogError>,
}

/// A part of a log without damage in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Index and term of the entry before the first.
    pub base: (u64, u64),
    /// The entries from there on, without gaps.
    pub entries: Vec<Entry>,
    /// As last written in it. Its commit index may lie beyond the entries.
    pub hard_state: HardState,
    /// Whether it ends where the log does, and not at damage.
    pub is_end: bool,
}

impl Stretch {
    /// Index and term of its last entry.
    #[must_use]
    pub fn last(&self) -> (u64, u64) {
        self.entries.last().map_or(self.base, |entry| (entry.index, entry.term))
    }

    /// The term of the entry at `index`, also of the one before the first.
    #[must_use]
    pub fn term(&self, index: u64) -> Option<u64> {
        match index.checked_sub(self.base.0)? {
            0 => Some(self.base.1),
            after => self.entries.get(usize::try_from(after - 1).ok()?).map(|entry| entry.term),
        }
    }
}

/// Segments that follow each other, the oldest first.
struct Run {
    segments: VecDeque<(String, Header, Scan)>,
    is_end: bool,
}

struct Salvager<'a, D> {
    disk: &'a D,
    generations: Vec<u64>,
    identity: Option<Identity>,
    runs: Vec<Run>,
    damage: Vec<LogError>,
    /// Segments before this generation do not count any more, as far as is known.
    oldest: u64,
}

/// Reads what can be read, whoever's it is.
///
/// # Errors
///
/// [`LogError::Missing`] where there is no log; [`LogError::Io`]; [`LogError::Version`]; the first damage
/// where no segment can be read at all.
pub(super) fn salvage<D: Disk>(disk: &D) -> Result<Salvage, LogError> {
    let names = disk.list().map_err(LogError::io("list", "the data directory"))?;
    let generations = generations(&names);
    let last = *generations.last().ok_or(LogError::Missing)?;
    let mut salvager = Salvager {
        disk,
        generations,
        identity: None,
        runs: Vec::new(),
        damage: Vec::new(),
        oldest: 0,
    };
    let mut next = Some((last, None));
    let mut is_last = true;
    while let Some((generation, end)) = next {
        next = salvager.segment(generation, end, is_last)?;
        is_last = false;
    }
    salvager.finish()
}

/// Where a segment ends and its chain, as its successor says.
type End = Option<(u64, u32)>;

impl<D: Disk> Salvager<'_, D> {
    /// Reads one segment, and says which is the one before it.
    fn segment(
        &mut self,
        generation: u64,
        end: End,
        is_last: bool,
    ) -> Result<Option<(u64, End)>, LogError> {
        let found = Found::read(self.disk, generation).and_then(|found| {
            let identity = *self.identity.get_or_insert(found.header.identity);
            if found.header.identity == identity {
                return Ok(found);
            }
            Err(LogError::rot(&name(generation), 0, Damage::Foreign))
        });
        let found = match found {
            Ok(found) => found,
            Err(error @ LogError::Rot { .. }) => {
                self.damage.push(error);
                return Ok(self.before(generation));
            }
            Err(error) => return Err(error),
        };
        let Found { segment, header, header_crc, bytes } = found;
        let scanned = match end {
            Some(end) => scan::sealed(&segment.name, &header, header_crc, &bytes, end),
            // Behind damage nothing says where a segment ended: the whole batches in it are believed.
            None if !is_last => Ok(scan::follow(&header, header_crc, &bytes)),
            None => scan::last(&segment.name, &header, header_crc, &bytes).map(|(scan, _)| scan),
        };
        let (scan, is_whole) = match scanned {
            Ok(scan) => (scan, true),
            Err(error) => {
                self.damage.push(error);
                (scan::follow(&header, header_crc, &bytes), false)
            }
        };
        if is_last && is_whole {
            self.oldest =
                scan.records.iter().fold(header.oldest, |oldest, read| match read.record {
                    Record::Release { oldest: later } => oldest.max(later),
                    Record::Entry(_)
                    | Record::HardState(_)
                    | Record::Truncate { .. }
                    | Record::Reset { .. } => oldest,
                });
        }
        self.oldest = self.oldest.max(header.oldest);
        let segment = (segment.name, header, scan);
        match self.runs.last_mut() {
            Some(run) if end.is_some() && is_whole => run.segments.push_front(segment),
            Some(_) | None => {
                let is_end = is_last && is_whole;
                self.runs.push(Run { segments: VecDeque::from([segment]), is_end });
            }
        }
        if header.generation <= self.oldest {
            return Ok(None);
        }
        let Some(previous) = header.previous else { return Ok(None) };
        if self.generations.binary_search(&previous.generation).is_ok() {
            return Ok(Some((previous.generation, Some((previous.end, previous.crc)))));
        }
        let damage = Damage::Missing { generation: previous.generation };
        self.damage.push(LogError::rot(&name(generation), 0, damage));
        Ok(self.before(previous.generation))
    }

    /// The newest segment before this generation that is there, with nothing known of its end.
    fn before(&self, generation: u64) -> Option<(u64, End)> {
        let before = self.generations.iter().rev().find(|it| **it < generation)?;
        Some((*before, None))
    }

    fn finish(mut self) -> Result<Salvage, LogError> {
        let runs = std::mem::take(&mut self.runs);
        let mut stretches = Vec::with_capacity(runs.len());
        for run in runs {
            stretches.extend(self.replay(run));
        }
        match self.identity {
            Some(identity) if !stretches.is_empty() => {
                Ok(Salvage { identity, stretches, damage: self.damage })
            }
            Some(_) | None => Err(self.damage.into_iter().next().unwrap_or(LogError::Missing)),
        }
    }

    /// What a run means, up to the first record that contradicts those before it.
    fn replay(&mut self, run: Run) -> Option<Stretch> {
        let Run { segments, mut is_end } = run;
        let (_, first, _) = segments.front()?;
        let mut replay = Replay::new(first);
        for (number, (name, header, scan)) in segments.into_iter().enumerate() {
            let mut wrong = (number > 0 && !replay.may_follow(&header)).then_some(0);
            for read in scan.records {
                if wrong.is_some() {
                    break;
                }
                let offset = read.place.offset;
                if replay.take(read.record, read.place).is_none() {
                    wrong = Some(offset);
                }
            }
            if let Some(offset) = wrong {
                self.damage.push(LogError::rot(&name, offset, Damage::Contradiction));
                is_end = false;
                break;
            }
        }
        let Replay { base, entries, hard_state } = replay;
        let entries = entries.into_iter().map(|(entry, _)| entry).collect();
        Some(Stretch { base, entries, hard_state, is_end })
    }
}
