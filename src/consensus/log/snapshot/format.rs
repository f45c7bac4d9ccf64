//! The bytes of a snapshot file: header, chunks, trailer. `docs/formats/snapshot.md` is the page.
//!
//! Every checksum but the first is seeded with the header's, so that a chunk of one snapshot is never
//! taken for one of another; a chunk's covers its number, so that none can be left out or moved.

use std::fmt;

use crc32c::{crc32c, crc32c_append};

use super::super::disk::to_u64;
use super::super::header::Fields;

/// The caller's bytes in the header may not be longer.
pub const META_LEN_MAX: usize = 1 << 20;
/// Length of all chunks but the last.
pub(super) const CHUNK_LEN: usize = 1 << 20;
/// Length of the header without the meta bytes.
pub(super) const HEADER_LEN: usize = 64;
/// Length of what stands before a chunk's bytes.
pub(super) const CHUNK_HEAD_LEN: usize = 8;
/// Length of the trailer.
pub(super) const TRAILER_LEN: usize = 32;
const MAGIC: [u8; 8] = *b"TURNSNAP";
/// The version written, and the greatest read.
pub(super) const VERSION: u32 = 1;
const TRAILER_MARK: u32 = u32::MAX;

/// Which snapshot: the last entry that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotId {
    /// Index of that entry.
    pub index: u64,
    /// Its term.
    pub term: u64,
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of term {}", self.index, self.term)
    }
}

/// What stands before the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) cluster_id: u128,
    pub(super) group_id: u64,
    pub(super) id: SnapshotId,
    pub(super) meta: Vec<u8>,
}

/// Why a header was not read.
pub(super) enum BadHeader {
    Damaged,
    Version(u32),
}

impl Header {
    /// The bytes, and the seed of all later checksums.
    pub(super) fn encode(&self) -> (Vec<u8>, u32) {
        let meta_len = u32::try_from(self.meta.len()).expect("meta bytes are checked to be short");
        let mut bytes = Vec::with_capacity(HEADER_LEN + self.meta.len());
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(meta_len.to_le_bytes());
        bytes.extend(self.cluster_id.to_le_bytes());
        bytes.extend(self.group_id.to_le_bytes());
        bytes.extend(self.id.index.to_le_bytes());
        bytes.extend(self.id.term.to_le_bytes());
        bytes.extend([0; 4]);
        let crc = crc32c_append(crc32c(&bytes), &self.meta);
        bytes.extend(crc.to_le_bytes());
        bytes.extend(&self.meta);
        (bytes, crc)
    }

    /// How many meta bytes follow a header's first 64; `None` where that cannot be one.
    pub(super) fn meta_len(bytes: &[u8; HEADER_LEN]) -> Option<usize> {
        let mut fields = Fields(bytes);
        let magic = fields.array::<8>()?;
        let _version = fields.u32()?;
        let len = usize::try_from(fields.u32()?).ok()?;
        (magic == MAGIC && len <= META_LEN_MAX).then_some(len)
    }

    /// Reads a header and the seed of all later checksums.
    pub(super) fn decode(
        bytes: &[u8; HEADER_LEN],
        meta: Vec<u8>,
    ) -> Result<(Self, u32), BadHeader> {
        let (body, crc) = bytes.split_last_chunk::<4>().ok_or(BadHeader::Damaged)?;
        let crc = u32::from_le_bytes(*crc);
        if crc32c_append(crc32c(body), &meta) != crc {
            return Err(BadHeader::Damaged);
        }
        let mut fields = Fields(body);
        let header = Self::fields(&mut fields, meta).ok_or(BadHeader::Damaged)?;
        match header {
            (VERSION, header) => Ok((header, crc)),
            (version, _) => Err(BadHeader::Version(version)),
        }
    }

    fn fields(fields: &mut Fields<'_>, meta: Vec<u8>) -> Option<(u32, Self)> {
        let _magic = fields.u64()?;
        let version = fields.u32()?;
        let _meta_len = fields.u32()?;
        let header = Self {
            cluster_id: fields.u128()?,
            group_id: fields.u64()?,
            id: SnapshotId { index: fields.u64()?, term: fields.u64()? },
            meta,
        };
        Some((version, header))
    }
}

/// What the trailer repeats of the body; both sides count along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    seed: u32,
    pub(super) chunks: u64,
    pub(super) bytes: u64,
    crc: u32,
}

impl Tally {
    pub(super) fn new(seed: u32) -> Self {
        Self { seed, chunks: 0, bytes: 0, crc: seed }
    }

    /// Counts a chunk; answers its checksum.
    pub(super) fn count(&mut self, chunk: &[u8]) -> u32 {
        let crc = crc32c_append(self.seed, &self.chunks.to_le_bytes());
        let crc = crc32c_append(crc, &to_u64(chunk.len()).to_le_bytes());
        self.chunks += 1;
        self.bytes += to_u64(chunk.len());
        self.crc = crc32c_append(self.crc, chunk);
        crc32c_append(crc, chunk)
    }

    pub(super) fn trailer(&self) -> [u8; TRAILER_LEN] {
        let mut rest = Vec::with_capacity(TRAILER_LEN);
        rest.extend(self.chunks.to_le_bytes());
        rest.extend(self.bytes.to_le_bytes());
        rest.extend(self.crc.to_le_bytes());
        rest.extend([0; 4]);
        let crc = crc32c_append(crc32c_append(self.seed, &TRAILER_MARK.to_le_bytes()), &rest);
        let mut bytes = Vec::with_capacity(TRAILER_LEN);
        bytes.extend(TRAILER_MARK.to_le_bytes());
        bytes.extend(crc.to_le_bytes());
        bytes.extend(rest);
        bytes.try_into().expect("8 and 24 bytes are 32")
    }
}

/// What comes next in a file.
pub(super) enum Next {
    Chunk { len: usize, crc: u32 },
    Trailer,
}

/// Reads what stands before a chunk, or begins the trailer.
pub(super) fn next(bytes: [u8; CHUNK_HEAD_LEN]) -> Option<Next> {
    let mut fields = Fields(&bytes);
    let (len, crc) = (fields.u32()?, fields.u32()?);
    if len == TRAILER_MARK {
        return Some(Next::Trailer);
    }
    let len = usize::try_from(len).ok()?;
    (1..=CHUNK_LEN).contains(&len).then_some(Next::Chunk { len, crc })
}

/// What stands before a chunk.
pub(super) fn chunk_head(len: usize, crc: u32) -> [u8; CHUNK_HEAD_LEN] {
    let len = u32::try_from(len).expect("a chunk has at most 1 MiB");
    (u64::from(len) | u64::from(crc) << 32).to_le_bytes()
}
