//! One record: 24 bytes of head, a body, zeros up to a multiple of 8.
//!
//! Two checksums, for two questions. `crc` covers the record and the one before it: is this the record
//! that was written here, after exactly those? `head_crc` covers the head and its place alone: was a
//! record of this segment ever written here, whatever became of those before it? The second tells a
//! torn tail from rot (see `scan`). Both are seeded with the cluster and the segment's generation, so
//! that no record of a recycled segment or of another cluster is ever taken for one of these.

use bytes::Bytes;
use crc32c::{crc32c, crc32c_append};

use super::disk::{to_u64, to_usize};
use super::header::{Fields, Header};
use crate::consensus::{Entry, EntryKind, HardState};

/// Length of a record's head.
pub(super) const HEAD_LEN: usize = 24;
/// Records start at multiples of this.
pub(super) const ALIGN: usize = 8;
const ENTRY_FIELDS_LEN: usize = 17;
const BODY_LEN_MAX: usize = ENTRY_FIELDS_LEN + Entry::DATA_LEN_MAX;
const FLAG_LAST: u8 = 1;

/// What one record says. `E` is `&Entry` on the way in and `Entry` on the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record<E> {
    /// The next entry.
    Entry(E),
    /// The hard state, from here on.
    HardState(HardState),
    /// Entries from this index on are void; `term` is that of the entry before.
    Truncate { from: u64, term: u64 },
    /// A snapshot stands for everything up to this entry, and nothing follows it yet.
    Reset { index: u64, term: u64 },
    /// Segments before this generation are not part of the log any more.
    Release { oldest: u64 },
}

impl<E> Record<E> {
    fn code(&self) -> u8 {
        match self {
            Self::Entry(_) => 1,
            Self::HardState(_) => 2,
            Self::Truncate { .. } => 3,
            Self::Reset { .. } => 4,
            Self::Release { .. } => 5,
        }
    }
}

impl Record<&Entry> {
    fn body_len(&self) -> usize {
        match self {
            Self::Entry(entry) => ENTRY_FIELDS_LEN + entry.data.len(),
            Self::HardState(_) => 24,
            Self::Truncate { .. } | Self::Reset { .. } => 16,
            Self::Release { .. } => 8,
        }
    }

    /// Bytes on disk.
    pub(super) fn encoded_len(&self) -> u64 {
        to_u64(HEAD_LEN + self.body_len().next_multiple_of(ALIGN))
    }

    fn put_body(&self, buffer: &mut Vec<u8>) {
        match self {
            Self::Entry(entry) => {
                buffer.extend(entry.index.to_le_bytes());
                buffer.extend(entry.term.to_le_bytes());
                buffer.push(kind_code(entry.kind));
                buffer.extend(&entry.data);
            }
            Self::HardState(HardState { term, vote, commit }) => {
                buffer.extend(term.to_le_bytes());
                buffer.extend(vote.to_le_bytes());
                buffer.extend(commit.to_le_bytes());
            }
            Self::Truncate { from: index, term } | Self::Reset { index, term } => {
                buffer.extend(index.to_le_bytes());
                buffer.extend(term.to_le_bytes());
            }
            Self::Release { oldest } => buffer.extend(oldest.to_le_bytes()),
        }
    }
}

fn kind_code(kind: EntryKind) -> u8 {
    match kind {
        EntryKind::Normal => 1,
        EntryKind::ConfChange => 2,
        EntryKind::ConfChangeV2 => 3,
    }
}

fn decode_body(code: u8, body: &[u8]) -> Option<Record<Entry>> {
    let mut fields = Fields(body);
    let record = match code {
        1 => {
            let (index, term) = (fields.u64()?, fields.u64()?);
            let kind = match fields.u8()? {
                1 => EntryKind::Normal,
                2 => EntryKind::ConfChange,
                3 => EntryKind::ConfChangeV2,
                _ => return None,
            };
            let data = Bytes::copy_from_slice(std::mem::take(&mut fields.0));
            Record::Entry(Entry { index, term, kind, data })
        }
        2 => Record::HardState(fields.hard_state()?),
        3 => Record::Truncate { from: fields.u64()?, term: fields.u64()? },
        4 => Record::Reset { index: fields.u64()?, term: fields.u64()? },
        5 => Record::Release { oldest: fields.u64()? },
        _ => return None,
    };
    fields.0.is_empty().then_some(record)
}

/// Where a record is, and all that is needed to check it when it is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) generation: u64,
    pub(super) offset: u64,
    /// With head and padding.
    pub(super) len: u32,
    /// Checksum of the record before it.
    pub(super) before: u32,
}

/// The checksums of one segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seal {
    generation: u64,
    seed: u32,
}

impl Seal {
    pub(super) fn of(header: &Header) -> Self {
        let seed = crc32c(&header.identity.cluster_id.to_le_bytes());
        let seed = crc32c_append(seed, &header.generation.to_le_bytes());
        Self { generation: header.generation, seed }
    }

    pub(super) fn generation(self) -> u64 {
        self.generation
    }

    fn record_crc(self, before: u32, fields: &[u8], body: &[u8]) -> u32 {
        let crc = crc32c_append(self.seed, &before.to_le_bytes());
        crc32c_append(crc32c_append(crc, fields), body)
    }

    fn head_crc(self, offset: u64, fields: &[u8], crc: u32) -> u32 {
        let seed = crc32c_append(self.seed, &offset.to_le_bytes());
        crc32c_append(crc32c_append(seed, fields), &crc.to_le_bytes())
    }

    /// Reads the head at `offset` of the segment, `bytes` starting there. `None` unless a record of
    /// this segment was written exactly there.
    pub(super) fn head(self, offset: u64, bytes: &[u8]) -> Option<Head> {
        let (head, _) = bytes.split_first_chunk::<HEAD_LEN>()?;
        let mut fields = Fields(head);
        let (len, code, flags, zero) = (fields.u32()?, fields.u8()?, fields.u8()?, fields.u16()?);
        let (synced, crc, head_crc) = (fields.u64()?, fields.u32()?, fields.u32()?);
        let body_len = usize::try_from(len).ok()?;
        let plausible = (1..=5).contains(&code)
            && flags & !FLAG_LAST == 0
            && zero == 0
            && body_len <= BODY_LEN_MAX
            && synced <= offset;
        if !plausible || self.head_crc(offset, head.get(..16)?, crc) != head_crc {
            return None;
        }
        Some(Head { body_len, code, last: flags & FLAG_LAST != 0, synced, crc })
    }

    /// Reads the record at `offset`, `bytes` starting there, that follows one with checksum `before`.
    pub(super) fn record(self, before: u32, offset: u64, bytes: &[u8]) -> Option<Read> {
        let head = self.head(offset, bytes)?;
        let len = HEAD_LEN + head.body_len.next_multiple_of(ALIGN);
        let fields = bytes.get(..16)?;
        let padded = bytes.get(HEAD_LEN..len)?;
        if self.record_crc(before, fields, padded) != head.crc {
            return None;
        }
        let record = decode_body(head.code, padded.get(..head.body_len)?)?;
        let len = u32::try_from(len).ok()?;
        let place = Place { generation: self.generation, offset, len, before };
        Some(Read { record, place, head })
    }
}

/// What a record's head says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    body_len: usize,
    code: u8,
    /// Whether it ends its batch.
    pub(super) last: bool,
    /// Everything before this offset was durable when the record was written.
    pub(super) synced: u64,
    /// Checksum, for the record after it.
    pub(super) crc: u32,
}

/// A record that was read and is what was written.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) record: Record<Entry>,
    pub(super) place: Place,
    pub(super) head: Head,
}

/// Encodes one batch: records that are believed all or none.
pub(super) struct Encoder<'a> {
    pub(super) buffer: &'a mut Vec<u8>,
    pub(super) seal: Seal,
    /// Where in the segment the buffer will stand.
    pub(super) start: u64,
    /// Up to where the segment is durable.
    pub(super) synced: u64,
    /// Checksum of the record before; afterwards that of the last one.
    pub(super) crc: u32,
}

impl Encoder<'_> {
    /// Appends a record, `last` for the batch's last one.
    pub(super) fn push(&mut self, record: &Record<&Entry>, last: bool) -> Place {
        let at = self.buffer.len();
        let offset = self.start + to_u64(at);
        self.buffer.resize(at + HEAD_LEN, 0);
        record.put_body(self.buffer);
        self.buffer.resize(self.buffer.len().next_multiple_of(ALIGN), 0);

        let fields = [
            u128::try_from(record.body_len()).expect("a usize has at most 128 bits"),
            u128::from(record.code()) << 32,
            u128::from(if last { FLAG_LAST } else { 0 }) << 40,
            u128::from(self.synced) << 64,
        ];
        let fields = fields.into_iter().fold(0, |all, field| all | field).to_le_bytes();
        let written = self.buffer.get_mut(at..).expect("the buffer only grew");
        let (head, body) =
            written.split_first_chunk_mut::<HEAD_LEN>().expect("room for a head was made");
        let crc = self.seal.record_crc(self.crc, &fields, body);
        let head_crc = self.seal.head_crc(offset, &fields, crc);
        let bytes = fields.into_iter().chain(crc.to_le_bytes()).chain(head_crc.to_le_bytes());
        head.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);

        let len = self.buffer.len() - at;
        let place = Place {
            generation: self.seal.generation,
            offset,
            len: u32::try_from(len).expect("entries are checked to be short"),
            before: self.crc,
        };
        self.crc = crc;
        place
    }
}

impl Place {
    /// Where the record ends.
    pub(super) fn end(self) -> u64 {
        self.offset + u64::from(self.len)
    }

    /// Its length in memory.
    pub(super) fn len(self) -> usize {
        to_usize(u64::from(self.len))
    }
}
