//! All that the log and the snapshot files ask of a data directory, so that the simulator can be one.
//!
//! The contract is the weakest that real file systems give, and users of it must not lean on more:
//!
//! - what was written to a file may be kept, lost or torn at a power cut until `sync` on it has
//!   returned, in any order;
//! - that a name exists, was renamed or removed is durable only once `sync_dir` has returned; until
//!   then each of these may have happened or not, whatever became of those before it;
//! - after a failed `sync` nothing is known about what the file holds: the process must end.
//!
//! Names are plain file names in one directory.

use std::io;

/// One data directory.
pub trait Disk: Send + Sync + 'static {
    /// An open file in it. It stays usable when its name is renamed or removed.
    type File: DiskFile;

    /// The names of all regular files, in order.
    ///
    /// # Errors
    ///
    /// Whatever the file system answers; so for every method here.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes an empty file, readable and writable.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` where the name is taken.
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// Opens a file for reading and writing.
    ///
    /// # Errors
    ///
    /// `NotFound` where there is none.
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// Gives a file another name; a file that has that name is replaced, in one step.
    ///
    /// # Errors
    ///
    /// `NotFound` where there is none.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a name.
    ///
    /// # Errors
    ///
    /// `NotFound` where there is none.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes every creation, renaming and removal so far durable.
    ///
    /// # Errors
    ///
    /// When they may not be.
    fn sync_dir(&self) -> io::Result<()>;
}

/// One open file.
pub trait DiskFile: Send + Sync + 'static {
    /// Reads up to `buffer.len()` bytes at `offset`; 0 at and after the end.
    ///
    /// # Errors
    ///
    /// Whatever the file system answers; so for every method here.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`, the file growing as needed. One write, not durable yet.
    ///
    /// # Errors
    ///
    /// Some of the bytes may be written then.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes all bytes written so far, and the length, durable (`fdatasync`).
    ///
    /// # Errors
    ///
    /// When they may not be. Never to be tried again: a second try may lie.
    fn sync(&self) -> io::Result<()>;

    /// Length in bytes.
    ///
    /// # Errors
    ///
    /// Whatever the file system answers.
    fn len(&self) -> io::Result<u64>;

    /// Whether there is no byte in it.
    ///
    /// # Errors
    ///
    /// Whatever the file system answers.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts the file, or lengthens it with zeros that take no room.
    ///
    /// # Errors
    ///
    /// Whatever the file system answers.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Fills `buffer` from `offset`.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` where the file ends before.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut rest = buffer;
        let mut at = offset;
        while !rest.is_empty() {
            let read = self.read_at(rest, at)?;
            rest = match rest.get_mut(read..) {
                Some(after) if read > 0 => after,
                _ => return Err(io::ErrorKind::UnexpectedEof.into()),
            };
            at += to_u64(read);
        }
        Ok(())
    }
}

/// A length in memory as a length on disk.
pub(super) fn to_u64(len: usize) -> u64 {
    u64::try_from(len).expect("a usize has at most 64 bits on every target")
}

/// A length on disk that was checked against a limit, as a length in memory.
pub(super) fn to_usize(len: u64) -> usize {
    usize::try_from(len).expect("limits on lengths are below 4 GiB, and targets have 64 bits")
}
