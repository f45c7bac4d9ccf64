//! A snapshot's bytes as they are made, on their way to wherever they go: a data directory, or a backup.

use std::io::{self, Write};

use super::super::disk::to_u64;
use super::format::{
    CHUNK_HEAD_LEN, CHUNK_LEN, Header, META_LEN_MAX, SnapshotId, Tally, chunk_head,
};

/// Whose snapshot it is, and of what.
#[derive(Debug, Clone, Copy)]
pub struct SnapshotHead<'a> {
    /// The cluster.
    pub cluster_id: u128,
    /// The Raft group.
    pub group_id: u64,
    /// The last entry that it stands for.
    pub id: SnapshotId,
    /// For the caller, at most [`META_LEN_MAX`] bytes: what must be known without the body.
    pub meta: &'a [u8],
}

/// Turns a body into a snapshot file's bytes. One write for the header, one for each chunk of 1 MiB, and
/// one for the trailer, without which nothing of it counts.
pub struct SnapshotEncoder<W> {
    out: W,
    tally: Tally,
    written: u64,
    /// Room for a chunk's head, and its bytes.
    chunk: Vec<u8>,
}

impl<W: Write> SnapshotEncoder<W> {
    /// Writes the header.
    ///
    /// # Errors
    ///
    /// `InvalidInput` where the meta bytes are too long; those of `out`.
    pub fn begin(mut out: W, head: SnapshotHead<'_>) -> io::Result<Self> {
        let SnapshotHead { cluster_id, group_id, id, meta } = head;
        if meta.len() > META_LEN_MAX {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let (bytes, seed) = Header { cluster_id, group_id, id, meta: meta.to_vec() }.encode();
        out.write_all(&bytes)?;
        Ok(Self {
            out,
            tally: Tally::new(seed),
            written: to_u64(bytes.len()),
            chunk: vec![0; CHUNK_HEAD_LEN],
        })
    }

    /// The writer.
    pub(super) fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// Writes what is left and the trailer. Gives the writer back, and how many bytes it got.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn finish(mut self) -> io::Result<(W, u64)> {
        let len = self.end()?;
        Ok((self.out, len))
    }

    /// The same, for whoever needs the writer where that fails too. Nothing may be written after it.
    pub(super) fn end(&mut self) -> io::Result<u64> {
        self.write_chunk()?;
        let trailer = self.tally.trailer();
        self.out.write_all(&trailer)?;
        Ok(self.written + to_u64(trailer.len()))
    }

    pub(super) fn into_out(self) -> W {
        self.out
    }

    fn write_in_chunks(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = self.write(rest)?;
            rest = rest.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    fn write_chunk(&mut self) -> io::Result<()> {
        let Some((head, bytes)) = self.chunk.split_first_chunk_mut::<CHUNK_HEAD_LEN>() else {
            return Ok(());
        };
        if bytes.is_empty() {
            return Ok(());
        }
        *head = chunk_head(bytes.len(), self.tally.count(bytes));
        self.out.write_all(&self.chunk)?;
        self.written += to_u64(self.chunk.len());
        self.chunk.truncate(CHUNK_HEAD_LEN);
        Ok(())
    }
}

impl<W: Write> Write for SnapshotEncoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = CHUNK_HEAD_LEN + CHUNK_LEN - self.chunk.len();
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.chunk.extend(taken);
        if taken.len() == room {
            self.write_chunk()?;
        }
        Ok(taken.len())
    }

    /// Most of a state comes in pieces of a byte or two.
    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let room = CHUNK_HEAD_LEN + CHUNK_LEN - self.chunk.len();
        match bytes {
            [byte] if room > 1 => self.chunk.push(*byte),
            _ if bytes.len() < room => self.chunk.extend_from_slice(bytes),
            _ => return self.write_in_chunks(bytes),
        }
        Ok(())
    }

    /// Does nothing: chunks are written when they are full.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
