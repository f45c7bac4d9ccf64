//! The first 512 bytes of a segment: whose it is, what came before it, and what was durable with it.
//!
//! A segment gets its final name only after its header has been synced, so under a final name a bad
//! header is always damage, never an interrupted write. The layout is in `docs/formats/log.md`.

use super::error::{Damage, LogError};
use crate::consensus::{HardState, Incarnation, NodeId};

/// Length of a segment's header.
pub(super) const HEADER_LEN: u64 = 512;
const CRC_AT: usize = 508;
const MAGIC: [u8; 8] = *b"TURNWLOG";
/// The one version of the log's format so far.
pub const VERSION: u32 = 1;
const FLAG_ZEROED: u32 = 1;

/// Whose log it is. Written at creation, the same in every segment, never changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The cluster.
    pub cluster_id: u128,
    /// The node in it.
    pub node_id: NodeId,
    /// Drawn for this data directory.
    pub incarnation: Incarnation,
    /// The Raft group; 1 as long as there is one.
    pub group_id: u64,
}

/// Where the segment before ends, and its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Previous {
    pub(super) generation: u64,
    pub(super) end: u64,
    pub(super) crc: u32,
}

/// A segment's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) identity: Identity,
    /// Number of this segment, greater than that of all before, never used again.
    pub(super) generation: u64,
    pub(super) previous: Option<Previous>,
    /// Segments before this generation are not part of the log any more.
    pub(super) oldest: u64,
    /// Index and term of the last entry before this segment.
    pub(super) start: (u64, u64),
    /// The hard state at its start.
    pub(super) hard_state: HardState,
    /// Records up to here were durable before the segment got its name.
    pub(super) initial_end: u64,
    /// Length of the file when it got its name.
    pub(super) file_len: u64,
    /// Whether it held zeros only, rather than an old segment's records.
    pub(super) zeroed: bool,
}

impl Header {
    /// The bytes, and the checksum that the chain of records starts from.
    pub(super) fn encode(&self) -> (Vec<u8>, u32) {
        let previous = self.previous.unwrap_or(Previous { generation: 0, end: 0, crc: 0 });
        let flags = if self.zeroed { FLAG_ZEROED } else { 0 };
        let mut bytes = Vec::with_capacity(512);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        bytes.extend(self.identity.cluster_id.to_le_bytes());
        bytes.extend(self.identity.node_id.0.to_le_bytes());
        bytes.extend(self.identity.incarnation.0.to_le_bytes());
        bytes.extend(self.identity.group_id.to_le_bytes());
        bytes.extend(self.generation.to_le_bytes());
        bytes.extend(previous.generation.to_le_bytes());
        bytes.extend(previous.end.to_le_bytes());
        bytes.extend(previous.crc.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(self.oldest.to_le_bytes());
        bytes.extend(self.start.0.to_le_bytes());
        bytes.extend(self.start.1.to_le_bytes());
        bytes.extend(self.hard_state.term.to_le_bytes());
        bytes.extend(self.hard_state.vote.to_le_bytes());
        bytes.extend(self.hard_state.commit.to_le_bytes());
        bytes.extend(self.initial_end.to_le_bytes());
        bytes.extend(self.file_len.to_le_bytes());
        bytes.resize(CRC_AT, 0);
        let crc = crc32c::crc32c(&bytes);
        bytes.extend(crc.to_le_bytes());
        (bytes, crc)
    }

    /// Reads the first 512 bytes of the file `name`.
    pub(super) fn decode(name: &str, bytes: &[u8; 512]) -> Result<(Self, u32), LogError> {
        let damaged = || LogError::rot(name, 0, Damage::Header);
        let (body, crc) = bytes.split_last_chunk::<4>().ok_or_else(damaged)?;
        let crc = u32::from_le_bytes(*crc);
        let mut fields = Fields(body);
        let (magic, version) = fields.array::<8>().zip(fields.u32()).ok_or_else(damaged)?;
        if crc32c::crc32c(body) != crc || magic != MAGIC || version == 0 {
            return Err(damaged());
        }
        if version > VERSION {
            return Err(LogError::Version {
                file: name.to_owned(),
                found: version,
                supported: VERSION,
            });
        }
        let header = Self::fields(&mut fields).ok_or_else(damaged)?;
        Ok((header, crc))
    }

    fn fields(fields: &mut Fields<'_>) -> Option<Self> {
        let zeroed = match fields.u32()? {
            0 => false,
            FLAG_ZEROED => true,
            _ => return None,
        };
        let identity = Identity {
            cluster_id: fields.u128()?,
            node_id: NodeId(fields.u64()?),
            incarnation: Incarnation(fields.u128()?),
            group_id: fields.u64()?,
        };
        let generation = fields.u64()?;
        let previous =
            Previous { generation: fields.u64()?, end: fields.u64()?, crc: fields.u32()? };
        let previous = (previous.generation != 0).then_some(previous);
        fields.u32()?;
        Some(Self {
            identity,
            generation,
            previous,
            oldest: fields.u64()?,
            start: (fields.u64()?, fields.u64()?),
            hard_state: fields.hard_state()?,
            initial_end: fields.u64()?,
            file_len: fields.u64()?,
            zeroed,
        })
    }
}

/// Little-endian numbers, one after the other; `None` where the bytes end.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_le_bytes)
    }

    pub(super) fn hard_state(&mut self) -> Option<HardState> {
        Some(HardState { term: self.u64()?, vote: self.u64()?, commit: self.u64()? })
    }
}
