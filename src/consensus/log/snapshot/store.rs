//! Which snapshots there are in a data directory.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::disk::{Disk, DiskFile, to_u64};
use super::super::paced::Paced;
use super::encode::SnapshotHead;
use super::error::SnapshotError;
use super::format::{META_LEN_MAX, SnapshotId};
use super::read::SnapshotReader;
use super::transfer::{SnapshotBytes, SnapshotReceiver};
use super::write::{SnapshotWriter, Unfinished};

const FINAL: &str = ".snap";
const TEMPORARY: &str = ".snap.tmp";

/// The snapshots of one group in one data directory. Any thread may use it.
#[derive(Debug)]
pub struct SnapshotStore<D> {
    disk: Arc<D>,
    cluster_id: u128,
    group_id: u64,
    temporary: AtomicU64,
}

/// The newest snapshot that is sound, and what was found on the way to it.
pub struct Newest<F> {
    /// None where there is none.
    pub snapshot: Option<SnapshotReader<F>>,
    /// What is wrong with each newer one. The log may reach back to the older one, or not.
    pub damaged: Vec<SnapshotError>,
}

pub(super) fn file_name(id: SnapshotId) -> String {
    format!("{:020}-{:020}{FINAL}", id.index, id.term)
}

fn parse(name: &str) -> Option<SnapshotId> {
    let (index, term) = name.strip_suffix(FINAL)?.split_once('-')?;
    let id = SnapshotId { index: index.parse().ok()?, term: term.parse().ok()? };
    (file_name(id) == name).then_some(id)
}

impl<D: Disk> SnapshotStore<D> {
    /// Opens it, and removes what was left unfinished. Before it, nobody may write snapshots here.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Io`].
    pub fn open(disk: Arc<D>, cluster_id: u128, group_id: u64) -> Result<Arc<Self>, SnapshotError> {
        let names = disk.list().map_err(SnapshotError::io("list", "the data directory"))?;
        for name in names.iter().filter(|name| name.ends_with(TEMPORARY)) {
            disk.remove(name).map_err(SnapshotError::io("remove", name))?;
        }
        Ok(Self::existing(disk, cluster_id, group_id))
    }

    /// The same for one who only looks: nothing is removed.
    #[must_use]
    pub fn existing(disk: Arc<D>, cluster_id: u128, group_id: u64) -> Arc<Self> {
        Arc::new(Self { disk, cluster_id, group_id, temporary: AtomicU64::new(0) })
    }

    /// All snapshots under their final names, the newest last. Sound or not: see
    /// [`newest`](Self::newest).
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Io`].
    pub fn list(&self) -> Result<Vec<SnapshotId>, SnapshotError> {
        let names = self.disk.list().map_err(SnapshotError::io("list", "the data directory"))?;
        let mut ids: Vec<SnapshotId> = names.iter().filter_map(|name| parse(name)).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// Begins a snapshot. `meta` is for the caller: what must be known without the body.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::TooLong`] where `meta` is over [`META_LEN_MAX`]; [`SnapshotError::Io`].
    pub fn create(&self, id: SnapshotId, meta: &[u8]) -> Result<SnapshotWriter<D>, SnapshotError> {
        if meta.len() > META_LEN_MAX {
            let (len, max) = (to_u64(meta.len()), to_u64(META_LEN_MAX));
            return Err(SnapshotError::TooLong { len, max });
        }
        let Self { cluster_id, group_id, .. } = *self;
        let head = SnapshotHead { cluster_id, group_id, id, meta };
        SnapshotWriter::create(Arc::clone(&self.disk), self.temporary_name(id), head)
    }

    /// Opens the snapshot of this entry. What it says is checked as it is read.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Io`] where there is none; [`SnapshotError::Damaged`] and what else a header can
    /// have wrong.
    pub fn open_snapshot(&self, id: SnapshotId) -> Result<SnapshotReader<D::File>, SnapshotError> {
        self.check(&file_name(id), id)
    }

    /// The newest snapshot of which every byte is sound.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Io`]; a damaged one is no error here.
    pub fn newest(&self) -> Result<Newest<D::File>, SnapshotError> {
        let mut damaged = Vec::new();
        for id in self.list()?.into_iter().rev() {
            match self.open_snapshot(id).and_then(SnapshotReader::verify) {
                Ok(()) => {
                    return Ok(Newest { snapshot: Some(self.open_snapshot(id)?), damaged });
                }
                Err(error @ SnapshotError::Io { .. }) => return Err(error),
                Err(error) => damaged.push(error),
            }
        }
        Ok(Newest { snapshot: None, damaged })
    }

    /// Removes all snapshots before this one, which the caller knows to be sound.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Io`].
    pub fn remove_before(&self, id: SnapshotId) -> Result<(), SnapshotError> {
        for old in self.list()?.into_iter().filter(|old| *old < id) {
            let name = file_name(old);
            match self.disk.remove(&name) {
                // Another thread was faster.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.map_err(SnapshotError::io("remove", &name))?,
            }
        }
        self.disk.sync_dir().map_err(SnapshotError::io("sync", "the data directory"))
    }

    /// Removes what a new snapshot has replaced: all before it but the newest of those. That one is for
    /// whoever checks the new one by the log between them, and for a start that finds the new one damaged.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Io`].
    pub fn keep_two(&self, newest: SnapshotId) -> Result<(), SnapshotError> {
        match self.list()?.into_iter().rfind(|old| *old < newest) {
            Some(previous) => self.remove_before(previous),
            None => Ok(()),
        }
    }

    /// The snapshot's file, to be sent.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Io`] where there is none.
    pub fn bytes(&self, id: SnapshotId) -> Result<SnapshotBytes<D::File>, SnapshotError> {
        let name = file_name(id);
        let file = self.disk.open(&name).map_err(SnapshotError::io("open", &name))?;
        let len = file.len().map_err(SnapshotError::io("measure", &name))?;
        Ok(SnapshotBytes { file, name, len })
    }

    /// Begins to take a snapshot's file of `file_len` bytes from another node.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Io`].
    pub fn receive(
        self: &Arc<Self>,
        id: SnapshotId,
        file_len: u64,
    ) -> Result<SnapshotReceiver<D>, SnapshotError> {
        let name = self.temporary_name(id);
        let (unfinished, file) = Unfinished::create(Arc::clone(&self.disk), name)?;
        let store = Arc::clone(self);
        let file = Paced::new(file);
        Ok(SnapshotReceiver { store, unfinished, file, id, len: file_len, received: 0 })
    }

    /// Opens a file that must be this snapshot of this cluster.
    pub(super) fn check(
        &self,
        name: &str,
        id: SnapshotId,
    ) -> Result<SnapshotReader<D::File>, SnapshotError> {
        let file = self.disk.open(name).map_err(SnapshotError::io("open", name))?;
        SnapshotReader::open(file, name.to_owned())?.expect(self.cluster_id, self.group_id, id)
    }

    fn temporary_name(&self, SnapshotId { index, term }: SnapshotId) -> String {
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        format!("{index:020}-{term:020}-{number}{TEMPORARY}")
    }
}
