//! A node's data directory: the production log, snapshot files and recovery over the simulated disk.
//!
//! It owns which of the two is written first, as the production driver does: a snapshot is durable
//! before the log forgets what it stands for, on the way in and on the way out. It knows nothing of
//! when; every call is synchronous.

use std::{io, path::Path, sync::Arc};

use bytes::Bytes;
use turnwise::{
    consensus::{
        Entry, Incarnation, Install, NodeId, Persist, Recovered, Versions,
        driver::{
            self, DataDir, Founding, GROUP_ID, StartError, WrittenSnapshot, load_snapshot,
            write_snapshot,
        },
        log::{
            self, Batch, Log, LogConfig, LogError,
            snapshot::{SnapshotError, SnapshotId, SnapshotReader, SnapshotStore},
        },
    },
    proto::turnwise::peer::v1::RaftMessage,
    routing::State,
};

use crate::memdisk::MemDisk;

pub(crate) const CLUSTER_ID: u128 = 0x7475_726e_7769_7365;

/// What the disk, or what is on it, has wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("{0}: {0:?}")]
    Start(#[from] StartError),
    #[error("{0}: {0:?}")]
    Log(#[from] LogError),
    #[error("{0}: {0:?}")]
    Snapshot(#[from] SnapshotError),
    #[error("{0}")]
    Load(#[from] io::Error),
}

impl StoreError {
    /// Whether it says that the disk has no room.
    pub(crate) fn is_full(&self) -> bool {
        self.io().is_some_and(|error| error.kind() == io::ErrorKind::StorageFull)
    }

    /// Whether it says that an fsync failed.
    pub(crate) fn is_failed_sync(&self) -> bool {
        matches!(self, Self::Snapshot(error) if error.is_failed_sync())
            || matches!(self, Self::Log(LogError::Io { action: "sync", .. }))
    }

    /// Whether it says that there is nothing on the disk.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Start(StartError::Empty { .. }))
    }

    /// Whether it says that the directory is of a version that the build lacks.
    pub(crate) fn is_version(&self) -> bool {
        matches!(self, Self::Start(StartError::Version { .. }))
    }

    /// Whether it says that what was durable is lost.
    pub(crate) fn is_rot(&self) -> bool {
        matches!(self, Self::Start(error) if error.is_rot())
    }

    fn io(&self) -> Option<&io::Error> {
        let mut error: &(dyn std::error::Error + 'static) = self;
        loop {
            if let Some(io) = error.downcast_ref::<io::Error>() {
                return Some(io);
            }
            error = error.source()?;
        }
    }
}

/// What was in a data directory.
pub(crate) type Opened = driver::Opened<State, MemDisk>;

/// See the module.
pub(crate) struct Store {
    log: Log<MemDisk>,
    snapshots: Arc<SnapshotStore<MemDisk>>,
    disk: MemDisk,
}

/// Opens a data directory, which is made where there is none and `founds`.
pub(crate) fn open(
    disk: &MemDisk,
    node_id: NodeId,
    incarnation: Incarnation,
    versions: Versions,
    voters: &[NodeId],
    segment_bytes: u64,
    founds: bool,
) -> Result<Opened, StoreError> {
    let data_dir = DataDir {
        path: Path::new("memory"),
        cluster_id: CLUSTER_ID,
        node_id,
        versions,
        log: LogConfig { segment_bytes },
        founding: founds.then(|| Founding { voters: voters.to_vec(), incarnation }),
    };
    let opened: Opened = data_dir.open(Arc::new(disk.clone()))?;
    assert_eq!(opened.identity.incarnation, incarnation);
    Ok(opened)
}

/// What [`open`] would find there, but for the state, and without changing anything; `None` where it would not
/// open. Which build and which incarnation it belongs to is not looked at.
pub(crate) fn look(disk: &MemDisk, node_id: NodeId) -> Option<Recovered> {
    if driver::note(disk, Path::new("memory")).ok()?.is_some_and(|note| note.back().is_none()) {
        return None;
    }
    let log::Recovered { identity, hard_state, base_index, base_term, entries, .. } =
        Log::look(disk).ok()?;
    if identity.cluster_id != CLUSTER_ID || identity.node_id != node_id {
        return None;
    }
    let snapshots = SnapshotStore::existing(Arc::new(disk.clone()), CLUSTER_ID, GROUP_ID);
    let newest = snapshots.newest().ok()?.snapshot?;
    let SnapshotId { index, term } = newest.id();
    let after = usize::try_from(index.checked_sub(base_index)?).unwrap();
    let in_log = match after.checked_sub(1) {
        None => Some(base_term),
        Some(at) => entries.get(at).map(|entry| entry.term),
    };
    let snapshot = Install { index, term, meta: Bytes::copy_from_slice(newest.meta()) };
    Some(if in_log == Some(term) {
        Recovered { snapshot, base: (base_index, base_term), entries, hard_state }
    } else {
        Recovered { snapshot, base: (index, term), entries: Vec::new(), hard_state }
    })
}

impl Store {
    pub(crate) fn new(
        log: Log<MemDisk>,
        snapshots: Arc<SnapshotStore<MemDisk>>,
        disk: MemDisk,
    ) -> Self {
        Self { log, snapshots, disk }
    }

    pub(crate) fn last_index(&self) -> u64 {
        self.log.last_index()
    }

    /// Writes, without a sync; the state of the snapshot to install, if there is one.
    pub(crate) fn write(&mut self, persist: &Persist) -> Result<Option<State>, StoreError> {
        let Persist { number: _, install, entries, hard_state } = persist;
        let mut machine = None;
        let mut reset = None;
        if let Some(Install { index, term, meta: _ }) = *install {
            let id = SnapshotId { index, term };
            machine = Some(load_snapshot(&self.snapshots, id)?);
            self.snapshots.remove_before(id)?;
            reset = Some((index, term));
        }
        self.log.write(&Batch { hard_state: *hard_state, entries, reset, sync: false })?;
        Ok(machine)
    }

    /// Makes everything written durable.
    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        Ok(self.log.write(&Batch { sync: true, ..Batch::default() })?)
    }

    /// Old entries; none where the log no longer has them.
    pub(crate) fn read(
        &self,
        low: u64,
        high: u64,
        bytes_max: u64,
    ) -> Result<Vec<Entry>, StoreError> {
        match self.log.read(low, high, bytes_max) {
            Ok(entries) => Ok(entries),
            Err(LogError::Compacted { .. } | LogError::Beyond { .. }) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// As the driver does now and then.
    pub(crate) fn vouch(&mut self) -> Result<(), StoreError> {
        Ok(self.log.vouch()?)
    }

    /// The live segment, and up to where rot in it can be told from a torn write.
    pub(crate) fn proven(&self) -> (String, u64) {
        let (name, end) = self.log.proven();
        (name.to_owned(), end)
    }

    pub(crate) fn compact(&mut self, through: u64) -> Result<(), StoreError> {
        Ok(self.log.compact(through)?.remove(&self.disk)?)
    }

    /// Writes a snapshot of this node's state, durably, and removes what it has replaced.
    pub(crate) fn save(
        &self,
        index: u64,
        term: u64,
        meta: &[u8],
        state: &State,
    ) -> Result<WrittenSnapshot, StoreError> {
        let id = SnapshotId { index, term };
        let written = write_snapshot(&self.snapshots, id, meta, state)?;
        self.snapshots.keep_two(id)?;
        Ok(written)
    }

    /// The file that goes with this message; `None` where it has been replaced by a newer one. Checked
    /// before it is sent.
    pub(crate) fn snapshot_file(&self, message: &RaftMessage) -> Result<Option<Bytes>, StoreError> {
        let id = id_of(message);
        if !self.snapshots.list()?.contains(&id) {
            return Ok(None);
        }
        self.snapshots.open_snapshot(id).and_then(SnapshotReader::verify)?;
        let file = self.snapshots.bytes(id)?;
        let len = usize::try_from(file.file_len()).unwrap();
        Ok(Some(file.read(0, len)?.into()))
    }

    /// Puts the file of another node's snapshot on the disk, durably.
    pub(crate) fn receive(&self, message: &RaftMessage, file: &[u8]) -> Result<(), StoreError> {
        const RANGE_LEN: usize = 4096;
        let len = u64::try_from(file.len()).unwrap();
        let mut receiver = self.snapshots.receive(id_of(message), len)?;
        for range in file.chunks(RANGE_LEN) {
            receiver.write(receiver.received(), range)?;
        }
        let stored = receiver.finish()?;
        let header = message.snapshot.as_ref().expect("it was looked at above");
        assert_eq!(stored.meta(), header.meta, "the file is the snapshot that was announced");
        Ok(())
    }
}

fn id_of(message: &RaftMessage) -> SnapshotId {
    let header = message.snapshot.as_ref().expect("a snapshot message says which");
    SnapshotId { index: header.index, term: header.term }
}
