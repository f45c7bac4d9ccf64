//! The disk of this machine: one directory, for its owner only, and for one process at a time.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::disk::{Disk, DiskFile};
use super::error::DiskError;

const LOCK: &str = "lock";

/// A data directory. Locked against other processes for as long as it lives.
#[derive(Debug)]
pub struct RealDisk {
    dir: PathBuf,
    _lock: File,
}

impl RealDisk {
    /// Opens the directory, made (0700) where it is missing, and locks it.
    ///
    /// # Errors
    ///
    /// [`DiskError::Locked`] where another process has it; [`DiskError::Io`] otherwise.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, DiskError> {
        let dir = dir.as_ref();
        let io = |source| DiskError::Io { dir: dir.to_owned(), source };
        if !dir.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io)?;
            let parent = dir.canonicalize().map_err(io)?;
            if let Some(parent) = parent.parent() {
                File::open(parent).and_then(|parent| parent.sync_all()).map_err(io)?;
            }
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(dir.join(LOCK))
            .map_err(io)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { dir: dir.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DiskError::Locked { dir: dir.to_owned() }),
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }

    /// The same for a directory that has to be there.
    ///
    /// # Errors
    ///
    /// As [`Self::open`]; `NotFound` where there is none.
    pub fn open_existing(dir: impl AsRef<Path>) -> Result<Self, DiskError> {
        let dir = dir.as_ref();
        if dir.is_dir() {
            return Self::open(dir);
        }
        Err(DiskError::Io { dir: dir.to_owned(), source: io::ErrorKind::NotFound.into() })
    }

    fn path(&self, name: &str) -> io::Result<PathBuf> {
        let plain = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0']);
        if plain { Ok(self.dir.join(name)) } else { Err(io::ErrorKind::InvalidInput.into()) }
    }
}

impl Disk for RealDisk {
    type File = RealFile;

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in self.dir.read_dir()? {
            let entry = entry?;
            if entry.file_type()?.is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<RealFile> {
        let path = self.path(name)?;
        OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map(RealFile)
    }

    fn open(&self, name: &str) -> io::Result<RealFile> {
        OpenOptions::new().read(true).write(true).open(self.path(name)?).map(RealFile)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.path(from)?, self.path(to)?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path(name)?)
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }
}

/// An open file of a [`RealDisk`].
#[derive(Debug)]
pub struct RealFile(File);

impl RealFile {
    /// A file that lies anywhere, only to be read.
    ///
    /// # Errors
    ///
    /// Whatever the file system answers.
    pub fn open_to_read(path: &Path) -> io::Result<Self> {
        File::open(path).map(Self)
    }
}

impl DiskFile for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match FileExt::read_at(&self.0, buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                answer => return answer,
            }
        }
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_data_directory_is_its_owners_alone_and_one_process_has_it() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("data");
        let disk = RealDisk::open(&dir).unwrap();
        disk.create("a").unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir), 0o700);
        assert_eq!(mode(&dir.join("a")), 0o600);
        assert_eq!(mode(&dir.join(LOCK)), 0o600);

        let refused = RealDisk::open(&dir).unwrap_err();
        assert!(matches!(refused, DiskError::Locked { .. }));
        assert!(refused.to_string().contains("another process"), "{refused}");
        drop(disk);
        RealDisk::open(&dir).unwrap();
    }

    #[test]
    fn names_do_not_lead_out_of_the_directory() {
        let temp = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(temp.path()).unwrap();
        for name in ["", ".", "..", "../a", "a/b", "/a"] {
            assert_eq!(disk.create(name).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn files_are_read_written_renamed_and_removed() {
        let temp = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(temp.path()).unwrap();
        let file = disk.create("a").unwrap();
        assert_eq!(disk.create("a").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        file.write_at(b"turn", 2).unwrap();
        file.sync().unwrap();
        disk.rename("a", "b").unwrap();
        disk.sync_dir().unwrap();
        let mut read = [9; 6];
        disk.open("b").unwrap().read_exact_at(&mut read, 0).unwrap();
        assert_eq!(&read, b"\0\0turn");
        let over = disk.open("b").unwrap().read_exact_at(&mut read, 1).unwrap_err();
        assert_eq!(over.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(disk.list().unwrap(), ["b", "lock"]);
        disk.remove("b").unwrap();
        assert_eq!(disk.open("b").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
