//! From a file back to a state, every byte checked.

use std::io::{self, Read};

use super::super::disk::{DiskFile, to_u64};
use super::error::{SnapshotDamage, SnapshotError};
use super::format::{
    BadHeader, CHUNK_HEAD_LEN, HEADER_LEN, Header, Next, SnapshotId, TRAILER_LEN, Tally, VERSION,
    next,
};

/// Reads one snapshot. The body comes through [`Read`]; each chunk is checked before any byte of it is
/// given out, and the end is an end only after the trailer has been checked.
pub struct SnapshotReader<F> {
    file: F,
    name: String,
    header: Header,
    tally: Tally,
    at: u64,
    chunk: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<F: DiskFile> SnapshotReader<F> {
    /// Opens a file of any snapshot, named `name` in errors.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Damaged`], [`SnapshotError::Version`], [`SnapshotError::Io`].
    pub fn open(file: F, name: String) -> Result<Self, SnapshotError> {
        let mut first = [0; HEADER_LEN];
        let damaged = |damage| SnapshotError::Damaged { file: name.clone(), offset: 0, damage };
        read(&file, &name, &mut first, 0)?;
        let meta_len = Header::meta_len(&first).ok_or_else(|| damaged(SnapshotDamage::Header))?;
        let mut meta = vec![0; meta_len];
        read(&file, &name, &mut meta, to_u64(HEADER_LEN))?;
        let (header, seed) = Header::decode(&first, meta).map_err(|bad| match bad {
            BadHeader::Damaged => damaged(SnapshotDamage::Header),
            BadHeader::Version(found) => {
                SnapshotError::Version { file: name.clone(), found, supported: VERSION }
            }
        })?;
        Ok(Self {
            file,
            name,
            header,
            tally: Tally::new(seed),
            at: to_u64(HEADER_LEN + meta_len),
            chunk: Vec::new(),
            given: 0,
            ended: false,
        })
    }

    /// Refuses the snapshot of another cluster or of another entry.
    pub(super) fn expect(
        self,
        cluster_id: u128,
        group_id: u64,
        expected: SnapshotId,
    ) -> Result<Self, SnapshotError> {
        let file = self.name.clone();
        let Header { cluster_id: cluster, group_id: group, id, meta: _ } = self.header;
        if cluster != cluster_id {
            return Err(SnapshotError::WrongCluster { file, found: cluster, expected: cluster_id });
        }
        if id != expected || group != group_id {
            return Err(SnapshotError::WrongSnapshot { file, found: id, expected });
        }
        Ok(self)
    }

    /// Of which cluster it is.
    pub fn cluster_id(&self) -> u128 {
        self.header.cluster_id
    }

    /// Which snapshot it is.
    pub fn id(&self) -> SnapshotId {
        self.header.id
    }

    /// The bytes given when it was made: what must be known of it without the body.
    pub fn meta(&self) -> &[u8] {
        &self.header.meta
    }

    /// Reads the whole body.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::TooLong`] as soon as the body has more than `bytes_max` bytes;
    /// [`SnapshotError::Damaged`]; [`SnapshotError::Io`].
    pub fn read_body(&mut self, bytes_max: u64) -> Result<Vec<u8>, SnapshotError> {
        let mut body = Vec::new();
        while self.next_chunk()? {
            if self.tally.bytes > bytes_max {
                return Err(SnapshotError::TooLong { len: self.tally.bytes, max: bytes_max });
            }
            body.extend(&self.chunk);
        }
        Ok(body)
    }

    /// Reads to the end, and answers whether all of it is what was written.
    ///
    /// # Errors
    ///
    /// As [`read_body`](Self::read_body), without a limit.
    pub fn verify(mut self) -> Result<(), SnapshotError> {
        while self.next_chunk()? {}
        Ok(())
    }

    /// Reads the next chunk into `self.chunk`; false at the end.
    fn next_chunk(&mut self) -> Result<bool, SnapshotError> {
        if self.ended {
            return Ok(false);
        }
        let mut head = [0; CHUNK_HEAD_LEN];
        read(&self.file, &self.name, &mut head, self.at)?;
        match next(head) {
            None => Err(self.damaged(SnapshotDamage::Chunk)),
            Some(Next::Chunk { len, crc }) => {
                self.chunk.resize(len, 0);
                self.given = 0;
                let at = self.at + to_u64(CHUNK_HEAD_LEN);
                read(&self.file, &self.name, &mut self.chunk, at)?;
                if self.tally.count(&self.chunk) != crc {
                    self.chunk.clear();
                    return Err(self.damaged(SnapshotDamage::Chunk));
                }
                self.at = at + to_u64(len);
                Ok(true)
            }
            Some(Next::Trailer) => {
                self.chunk.clear();
                self.given = 0;
                self.check_trailer()?;
                self.ended = true;
                Ok(false)
            }
        }
    }

    fn check_trailer(&self) -> Result<(), SnapshotError> {
        let mut trailer = [0; TRAILER_LEN];
        read(&self.file, &self.name, &mut trailer, self.at)?;
        if trailer != self.tally.trailer() {
            return Err(self.damaged(SnapshotDamage::Trailer));
        }
        let len = self.file.len().map_err(SnapshotError::io("measure", &self.name))?;
        if len != self.at + to_u64(TRAILER_LEN) {
            return Err(self.damaged(SnapshotDamage::Long));
        }
        Ok(())
    }

    fn damaged(&self, damage: SnapshotDamage) -> SnapshotError {
        SnapshotError::Damaged { file: self.name.clone(), offset: self.at, damage }
    }
}

impl<F: DiskFile> Read for SnapshotReader<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.given == self.chunk.len() && !self.next_chunk().map_err(io::Error::other)? {
            return Ok(0);
        }
        let left = self.chunk.get(self.given..).unwrap_or(&[]);
        let count = left.len().min(buffer.len());
        buffer.iter_mut().zip(left).for_each(|(to, byte)| *to = *byte);
        self.given += count;
        Ok(count)
    }
}

fn read<F: DiskFile>(
    file: &F,
    name: &str,
    buffer: &mut [u8],
    offset: u64,
) -> Result<(), SnapshotError> {
    file.read_exact_at(buffer, offset).map_err(|source| {
        if source.kind() == io::ErrorKind::UnexpectedEof {
            let file = name.to_owned();
            return SnapshotError::Damaged { file, offset, damage: SnapshotDamage::Short };
        }
        SnapshotError::io("read", name)(source)
    })
}
