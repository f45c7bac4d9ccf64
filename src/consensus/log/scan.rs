//! One segment's bytes: which records are believed, and why the rest is not.
//!
//! The chain of checksums is followed from the header until a record does not fit. Then comes the
//! question that a log must not get wrong: was the write of that record interrupted, or did something
//! that was durable go bad? A torn tail is cut, for nobody was ever told of it. Cutting at rot would
//! make a voter forget what it acknowledged.
//!
//! A later record that is intact does not answer it. One write of many records may be torn in its
//! middle, with later sectors on the disk and earlier ones not; nothing of it was acknowledged, so
//! that is a torn tail. Therefore every record carries `synced`: up to where the segment was durable
//! when the record was written. A record that stands anywhere after the bad one and carries a `synced`
//! beyond it proves that the bad one had been durable: rot. If there is none, nothing that follows the
//! bad record was written after a sync that covers it. Such a record is recognised by its head alone
//! (`head_crc` does not depend on the chain); even if its own body is torn, the proof stands.
//!
//! What this cannot see: rot in the very last write that was synced, with nothing written since, looks
//! the same as that write torn before the sync. Others know better: a leader tells a follower in the
//! handshake what it has acknowledged.
//!
//! A batch is believed whole or not at all: its last record is marked, and records after the last mark
//! are cut with the tail.

use super::disk::{to_u64, to_usize};
use super::error::{Damage, LogError};
use super::header::{HEADER_LEN, Header};
use super::record::{ALIGN, HEAD_LEN, Read, Seal};
use crate::planted::{self, Bug};

/// A segment that was read, before the question is asked what its records mean.
pub(super) struct Scan {
    pub(super) records: Vec<Read>,
    /// Where the last whole batch ends.
    pub(super) end: u64,
    /// Checksum of its last record, or of the header.
    pub(super) crc: u32,
    /// Where the chain broke; `end` or, within a batch, after it.
    broken: u64,
}

/// Follows the chain through `bytes`, the segment from its first byte on.
pub(super) fn follow(header: &Header, header_crc: u32, bytes: &[u8]) -> Scan {
    let seal = Seal::of(header);
    let mut scan =
        Scan { records: Vec::new(), end: HEADER_LEN, crc: header_crc, broken: HEADER_LEN };
    let mut crc = header_crc;
    let mut whole = 0;
    while let Some(rest) = bytes.get(to_usize(scan.broken)..)
        && let Some(read) = seal.record(crc, scan.broken, rest)
    {
        crc = read.head.crc;
        scan.broken = read.place.end();
        let last = read.head.last;
        scan.records.push(read);
        if last {
            (scan.end, scan.crc, whole) = (scan.broken, crc, scan.records.len());
        }
    }
    scan.records.truncate(whole);
    scan
}

/// Reads a segment that has a successor, which says where it ends.
pub(super) fn sealed(
    name: &str,
    header: &Header,
    header_crc: u32,
    bytes: &[u8],
    (end, crc): (u64, u32),
) -> Result<Scan, LogError> {
    let bytes = usize::try_from(end).ok().and_then(|end| bytes.get(..end)).unwrap_or(bytes);
    let scan = follow(header, header_crc, bytes);
    if scan.broken < end {
        return Err(LogError::rot(name, scan.broken, Damage::Record { durable: end }));
    }
    if scan.end != end || scan.crc != crc {
        return Err(LogError::rot(name, scan.end, Damage::Chain));
    }
    Ok(scan)
}

/// Reads the last segment, and says how many bytes of torn tail were cut, at least.
pub(super) fn last(
    name: &str,
    header: &Header,
    header_crc: u32,
    bytes: &[u8],
) -> Result<(Scan, u64), LogError> {
    let scan = follow(header, header_crc, bytes);
    let mut durable = header.initial_end;
    let mut torn_end = scan.broken;
    for (offset, synced) in heads(Seal::of(header), scan.broken, bytes) {
        durable = durable.max(synced);
        torn_end = torn_end.max(offset + to_u64(HEAD_LEN));
    }
    if durable > scan.broken && !planted::is(Bug::RotTakenForTornTail) {
        return Err(LogError::rot(name, scan.broken, Damage::Record { durable }));
    }
    if header.zeroed {
        torn_end = torn_end.max(written_end(bytes));
    }
    let torn = torn_end.saturating_sub(scan.end);
    Ok((scan, torn))
}

const BLOCK: usize = 4096;

/// Where the zeros at the end begin.
fn written_end(bytes: &[u8]) -> u64 {
    let zeros = bytes.rchunks(BLOCK).take_while(|block| [0; BLOCK].starts_with(block)).count();
    let rest = bytes.get(..bytes.len().saturating_sub(zeros * BLOCK)).unwrap_or(&[]);
    rest.iter().rposition(|byte| *byte != 0).map_or(0, |at| to_u64(at) + 1)
}

/// All heads of this segment's records at `from` or after: offset and `synced`.
fn heads(seal: Seal, from: u64, bytes: &[u8]) -> impl Iterator<Item = (u64, u64)> {
    let rest = bytes.get(to_usize(from)..).unwrap_or(&[]);
    (0..rest.len()).step_by(BLOCK).flat_map(move |block| {
        let zero = rest.get(block..block + BLOCK).is_some_and(|block| *block == [0; BLOCK]);
        let places = if zero { 0..0 } else { block..rest.len().min(block + BLOCK) };
        places.step_by(ALIGN).filter_map(move |at| {
            let offset = from + to_u64(at);
            let head = seal.head(offset, rest.get(at..)?)?;
            Some((offset, head.synced))
        })
    })
}
