//! From a state to a durable file.

use std::io::{self, Write};
use std::sync::Arc;

use super::super::disk::{Disk, DiskFile};
use super::super::paced::{Failed, Paced};
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

/// Its file, for what writes to any [`Write`].
struct Out<F> {
    file: Paced<F>,
    /// Whoever writes is told of one error as of any other.
    failed_sync: Option<io::Error>,
}

impl<F: DiskFile> Write for Out<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.file.append(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(Failed::Write(error)) => Err(error),
            Err(Failed::Sync(error)) => {
                let told = io::Error::new(error.kind(), "it could not be made durable");
                self.failed_sync = Some(error);
                Err(told)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes one snapshot. What is written is the body; nothing of it counts before
/// [`finish`](Self::finish), and a writer that is dropped leaves nothing.
pub struct SnapshotWriter<D: Disk> {
    unfinished: Unfinished<D>,
    encoder: SnapshotEncoder<Out<D::File>>,
    id: SnapshotId,
}

impl<D: Disk> SnapshotWriter<D> {
    pub(super) fn create(
        disk: Arc<D>,
        temporary: String,
        head: SnapshotHead<'_>,
    ) -> Result<Self, SnapshotError> {
        let (unfinished, file) = Unfinished::create(disk, temporary)?;
        let is_planted = planted::is(Bug::SnapshotNotSynced);
        let file = if is_planted { Paced::never_synced(file) } else { Paced::new(file) };
        let out = Out { file, failed_sync: None };
        let encoder = SnapshotEncoder::begin(out, head)
            .map_err(SnapshotError::io("write", unfinished.name()))?;
        Ok(Self { unfinished, encoder, id: head.id })
    }

    /// Makes it durable and gives it its name. Answers the length of the file.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Io`]; there is no snapshot then.
    pub fn finish(mut self) -> Result<u64, SnapshotError> {
        let len = match self.encoder.end() {
            Ok(len) => len,
            Err(error) => return Err(self.failure(error)),
        };
        let Self { unfinished, encoder, id } = self;
        let synced = encoder.into_out().file.finish();
        synced.map_err(SnapshotError::io("sync", unfinished.name()))?;
        unfinished.finish(id)?;
        Ok(len)
    }

    /// Why it could not be written, where writing to it failed with this error.
    pub fn failure(mut self, error: io::Error) -> SnapshotError {
        match self.encoder.out().failed_sync.take() {
            Some(failed) => SnapshotError::io("sync", self.unfinished.name())(failed),
            None => SnapshotError::io("write", self.unfinished.name())(error),
        }
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
