//! A long file, written from its beginning to its end, and made durable piece by piece.
//!
//! Beside it the log goes on, on the same disk. One that is given a hundred megabytes at once syncs nothing else
//! before it has taken most of them: calls waited for 60 to 80 ms. A sync now waits for a piece at most.

use std::io;

use super::disk::{DiskFile, to_u64};

/// No more than this, and one write, is not durable yet.
const PIECE: u64 = 1 << 20;

/// A file of which nobody has written anything yet.
#[derive(Debug)]
pub(super) struct Paced<F> {
    file: F,
    len: u64,
    unsynced: u64,
    /// Whether it is made durable at all: not where the simulator is to find that it is not.
    is_synced: bool,
}

/// What failed. After a sync nothing is known of what was written: for want of a snapshot's the process must end, a
/// spare segment is made anew.
#[derive(Debug)]
pub(super) enum Failed {
    Write(io::Error),
    Sync(io::Error),
}

impl From<Failed> for io::Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Write(error) | Failed::Sync(error) => error,
        }
    }
}

impl<F: DiskFile> Paced<F> {
    pub(super) fn new(file: F) -> Self {
        Self { file, len: 0, unsynced: 0, is_synced: true }
    }

    /// One with a planted bug.
    pub(super) fn never_synced(file: F) -> Self {
        Self { is_synced: false, ..Self::new(file) }
    }

    /// Writes some more at its end, in one write.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        if self.unsynced >= PIECE {
            self.unsynced = 0;
            self.sync().map_err(Failed::Sync)?;
        }
        self.file.write_at(bytes, self.len).map_err(Failed::Write)?;
        self.len += to_u64(bytes.len());
        self.unsynced += to_u64(bytes.len());
        Ok(())
    }

    /// Makes all of it durable.
    pub(super) fn finish(self) -> io::Result<F> {
        self.sync()?;
        Ok(self.file)
    }

    fn sync(&self) -> io::Result<()> {
        if self.is_synced { self.file.sync() } else { Ok(()) }
    }
}
