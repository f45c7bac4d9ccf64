//! From a state to a durable file.

use std::io::{self, Write};
use std::sync::Arc;

use super::super::disk::{Disk, DiskFile, to_u64};
use super::error::SnapshotError;
use super::format::{CHUNK_HEAD_LEN, CHUNK_LEN, Header, SnapshotId, Tally, chunk_head};
use super::store::file_name;

/// A file that is removed again, unless it gets its final name.
pub(super) struct Unfinished<D: Disk> {
    disk: Arc<D>,
    name: String,
    finished: bool,
}

impl<D: Disk> Unfinished<D> {
    pub(super) fn create(disk: Arc<D>, name: String) -> Result<(Self, D::File), SnapshotError> {
        let file = disk.create(&name).map_err(SnapshotError::io("create", &name))?;
        Ok((Self { disk, name, finished: false }, file))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Gives a synced file its final name, durably.
    pub(super) fn finish(mut self, id: SnapshotId) -> Result<String, SnapshotError> {
        let name = file_name(id);
        self.disk.rename(&self.name, &name).map_err(SnapshotError::io("rename", &self.name))?;
        self.finished = true;
        self.disk.sync_dir().map_err(SnapshotError::io("sync", "the data directory"))?;
        Ok(name)
    }
}

impl<D: Disk> Drop for Unfinished<D> {
    fn drop(&mut self) {
        if !self.finished {
            // Only room is lost where this fails; the next start removes it.
            drop(self.disk.remove(&self.name));
        }
    }
}

/// Writes one snapshot. What is written is the body; nothing of it counts before
/// [`finish`](Self::finish), and a writer that is dropped leaves nothing.
pub struct SnapshotWriter<D: Disk> {
    unfinished: Unfinished<D>,
    file: D::File,
    id: SnapshotId,
    tally: Tally,
    at: u64,
    /// Room for a chunk's head, and its bytes.
    chunk: Vec<u8>,
}

impl<D: Disk> SnapshotWriter<D> {
    pub(super) fn create(
        disk: Arc<D>,
        temporary: String,
        header: &Header,
    ) -> Result<Self, SnapshotError> {
        let (bytes, seed) = header.encode();
        let (unfinished, file) = Unfinished::create(disk, temporary)?;
        file.write_at(&bytes, 0).map_err(SnapshotError::io("write", unfinished.name()))?;
        Ok(Self {
            unfinished,
            file,
            id: header.id,
            tally: Tally::new(seed),
            at: to_u64(bytes.len()),
            chunk: vec![0; CHUNK_HEAD_LEN],
        })
    }

    /// Makes it durable and gives it its name. Answers the length of the file.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Io`]; there is no snapshot then.
    pub fn finish(mut self) -> Result<u64, SnapshotError> {
        let name = self.unfinished.name().to_owned();
        self.write_chunk().map_err(SnapshotError::io("write", &name))?;
        let trailer = self.tally.trailer();
        self.file.write_at(&trailer, self.at).map_err(SnapshotError::io("write", &name))?;
        self.file.sync().map_err(SnapshotError::io("sync", &name))?;
        self.unfinished.finish(self.id)?;
        Ok(self.at + to_u64(trailer.len()))
    }

    fn write_chunk(&mut self) -> io::Result<()> {
        let Some((head, bytes)) = self.chunk.split_first_chunk_mut::<CHUNK_HEAD_LEN>() else {
            return Ok(());
        };
        if bytes.is_empty() {
            return Ok(());
        }
        *head = chunk_head(bytes.len(), self.tally.count(bytes));
        self.file.write_at(&self.chunk, self.at)?;
        self.at += to_u64(self.chunk.len());
        self.chunk.truncate(CHUNK_HEAD_LEN);
        Ok(())
    }
}

impl<D: Disk> Write for SnapshotWriter<D> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = CHUNK_HEAD_LEN + CHUNK_LEN - self.chunk.len();
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.chunk.extend(taken);
        if taken.len() == room {
            self.write_chunk()?;
        }
        Ok(taken.len())
    }

    /// Does nothing: chunks are written when they are full.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
