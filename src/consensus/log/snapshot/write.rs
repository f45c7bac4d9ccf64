//! From a state to a durable file.

use std::io::{self, Write};
use std::sync::Arc;

use super::super::disk::{Disk, DiskFile, to_u64};
use super::encode::{SnapshotEncoder, SnapshotHead};
use super::error::SnapshotError;
use super::format::SnapshotId;
use super::store::file_name;
use crate::planted::{self, Bug};

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

/// A file that grows.
struct AtEnd<F> {
    file: F,
    at: u64,
}

impl<F: DiskFile> Write for AtEnd<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(bytes, self.at)?;
        self.at += to_u64(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes one snapshot. What is written is the body; nothing of it counts before
/// [`finish`](Self::finish), and a writer that is dropped leaves nothing.
pub struct SnapshotWriter<D: Disk> {
    unfinished: Unfinished<D>,
    encoder: SnapshotEncoder<AtEnd<D::File>>,
    id: SnapshotId,
}

impl<D: Disk> SnapshotWriter<D> {
    pub(super) fn create(
        disk: Arc<D>,
        temporary: String,
        head: SnapshotHead<'_>,
    ) -> Result<Self, SnapshotError> {
        let (unfinished, file) = Unfinished::create(disk, temporary)?;
        let encoder = SnapshotEncoder::begin(AtEnd { file, at: 0 }, head)
            .map_err(SnapshotError::io("write", unfinished.name()))?;
        Ok(Self { unfinished, encoder, id: head.id })
    }

    /// Makes it durable and gives it its name. Answers the length of the file.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Io`]; there is no snapshot then.
    pub fn finish(self) -> Result<u64, SnapshotError> {
        let Self { unfinished, encoder, id } = self;
        let name = unfinished.name().to_owned();
        let (out, len) = encoder.finish().map_err(SnapshotError::io("write", &name))?;
        if !planted::is(Bug::SnapshotNotSynced) {
            out.file.sync().map_err(SnapshotError::io("sync", &name))?;
        }
        unfinished.finish(id)?;
        Ok(len)
    }
}

impl<D: Disk> Write for SnapshotWriter<D> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.encoder.write(bytes)
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.encoder.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.encoder.flush()
    }
}
