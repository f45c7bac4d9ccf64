//! How much room the data directory takes, and how much there is for it.

use std::{os::unix::fs::MetadataExt as _, path::Path};

use super::limits::PEER_STATUS_MAX;

/// What there is to say of the disk. Each is none if it can't be told in time: a disk that does not answer must
/// not keep the rest of a node's report from being told.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// Bytes that this process may still write there.
    pub(super) free_bytes: Option<u64>,
    /// Bytes that the directory takes, with all that is in it.
    pub(super) used_bytes: Option<u64>,
}

/// Looks at the file system of `data_dir`, and through the directory.
pub(super) async fn room(data_dir: &Path) -> Room {
    let path = data_dir.to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        let free = rustix::fs::statvfs(&path).ok();
        let free_bytes = free.map(|told| told.f_bavail.saturating_mul(told.f_frsize));
        Room { free_bytes, used_bytes: used(&path) }
    });
    tokio::time::timeout(PEER_STATUS_MAX / 2, asked)
        .await
        .ok()
        .and_then(Result::ok)
        .unwrap_or_default()
}

/// What the directory and all below it take, in whole blocks. Files come and go meanwhile: what is gone when it
/// is looked at takes nothing.
fn used(directory: &Path) -> Option<u64> {
    /// `st_blocks` counts in these, whatever the file system's own are (stat(2)).
    const BLOCK: u64 = 512;
    let entries = std::fs::read_dir(directory).ok()?;
    Some(entries.filter_map(Result::ok).fold(0, |sum, entry| {
        let taken = match entry.file_type() {
            Ok(kind) if kind.is_dir() => used(&entry.path()).unwrap_or(0),
            Ok(_) | Err(_) => entry.metadata().map_or(0, |file| file.blocks() * BLOCK),
        };
        sum + taken
    }))
}

#[cfg(test)]
mod tests {
    use super::{Room, room};

    #[tokio::test]
    async fn a_directory_takes_what_is_in_it_and_a_missing_one_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(inner.join("file"), vec![7; 100_000]).unwrap();
        let Room { free_bytes, used_bytes } = room(folder.path()).await;
        assert!(free_bytes.is_some_and(|bytes| bytes > 0));
        assert!(
            used_bytes.is_some_and(|bytes| (100_000..1_000_000).contains(&bytes)),
            "{used_bytes:?}"
        );
        assert_eq!(room(&folder.path().join("gone")).await, Room::default());
    }
}
