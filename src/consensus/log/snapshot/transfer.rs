//! A snapshot's file in ranges of bytes, so that it can be sent as it stands.
//!
//! Ranges need no checksum of their own: the receiver checks the whole file before it gets its name.

use super::super::disk::{Disk, DiskFile, to_u64, to_usize};
use super::super::paced::{Failed, Paced};
use super::error::SnapshotError;
use super::format::SnapshotId;
use super::read::SnapshotReader;
use super::store::SnapshotStore;
use super::write::Unfinished;
use std::sync::Arc;

/// A snapshot's file as bytes. It stays readable when the snapshot is removed meanwhile.
#[derive(Debug)]
pub struct SnapshotBytes<F> {
    pub(super) file: F,
    pub(super) name: String,
    pub(super) len: u64,
}

impl<F: DiskFile> SnapshotBytes<F> {
    /// Length of the file; the receiver is told beforehand. Never 0: a file has a header.
    pub fn file_len(&self) -> u64 {
        self.len
    }

    /// The bytes from `offset` on, `len_max` of them or as many as there are; none at the end.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Io`].
    pub fn read(&self, offset: u64, len_max: usize) -> Result<Vec<u8>, SnapshotError> {
        let len = self.len.saturating_sub(offset).min(to_u64(len_max));
        let mut bytes = vec![0; to_usize(len)];
        self.file
            .read_exact_at(&mut bytes, offset)
            .map_err(SnapshotError::io("read", &self.name))?;
        Ok(bytes)
    }
}

/// Takes a snapshot's file in ranges, in order. One that is dropped leaves nothing.
pub struct SnapshotReceiver<D: Disk> {
    pub(super) store: Arc<SnapshotStore<D>>,
    pub(super) unfinished: Unfinished<D>,
    pub(super) file: Paced<D::File>,
    pub(super) id: SnapshotId,
    pub(super) len: u64,
    pub(super) received: u64,
}

impl<D: Disk> SnapshotReceiver<D> {
    /// How many bytes have come: where the next range has to begin.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Whether all bytes have come.
    pub fn is_complete(&self) -> bool {
        self.received == self.len
    }

    /// Takes the next range.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::OutOfOrder`]; [`SnapshotError::TooLong`] where it goes beyond the announced
    /// length; nothing is taken then. [`SnapshotError::Io`].
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), SnapshotError> {
        if offset != self.received {
            return Err(SnapshotError::OutOfOrder { offset, expected: self.received });
        }
        let len = offset + to_u64(bytes.len());
        if len > self.len {
            return Err(SnapshotError::TooLong { len, max: self.len });
        }
        self.file.append(bytes).map_err(|failed| match failed {
            Failed::Write(error) => SnapshotError::io("write", self.unfinished.name())(error),
            Failed::Sync(error) => SnapshotError::io("sync", self.unfinished.name())(error),
        })?;
        self.received = len;
        Ok(())
    }

    /// Checks the whole file, makes it durable and gives it its name.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Damaged`], [`SnapshotError::WrongCluster`], [`SnapshotError::WrongSnapshot`],
    /// [`SnapshotError::Version`] where it is not the snapshot that was announced, and
    /// [`SnapshotError::Io`]: there is no snapshot then.
    pub fn finish(self) -> Result<SnapshotReader<D::File>, SnapshotError> {
        let Self { store, unfinished, file, id, len: _, received: _ } = self;
        drop(file.finish().map_err(SnapshotError::io("sync", unfinished.name()))?);
        store.check(unfinished.name(), id)?.verify()?;
        unfinished.finish(id)?;
        store.open_snapshot(id)
    }
}
