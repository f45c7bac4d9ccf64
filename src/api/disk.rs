//! How much room there is for the data directory.

use std::path::Path;

use super::limits::PEER_STATUS_MAX;

/// Bytes that this process may still write there. None if that can't be told in time: a disk that does
/// not answer must not keep the rest from being told.
pub(super) async fn free_bytes(data_dir: &Path) -> Option<u64> {
    let path = data_dir.to_owned();
    let asked = tokio::task::spawn_blocking(move || rustix::fs::statvfs(&path));
    let told = tokio::time::timeout(PEER_STATUS_MAX / 2, asked).await.ok()?.ok()?.ok()?;
    Some(told.f_bavail.saturating_mul(told.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::free_bytes;

    #[tokio::test]
    async fn a_directory_has_room_and_a_missing_one_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free_bytes(folder.path()).await.is_some_and(|bytes| bytes > 0));
        assert_eq!(free_bytes(&folder.path().join("gone")).await, None);
    }
}
