//! What a data directory holds, looked at without changing anything in it.
//!
//! It takes the directory's lock, so that no node starts in it meanwhile; where a node runs there is
//! nothing to look at. What may not be committed is left out.

use std::{io, path::Path, sync::Arc};

use super::{
    StartError,
    data_dir::{GROUP_ID, load_snapshot},
};
use crate::consensus::{
    Committed, Entry, Fault, NodeId, StateMachine, batch,
    log::{
        Log, RealDisk,
        snapshot::{SnapshotId, SnapshotStore},
    },
};

/// A directory that somebody looks at.
#[derive(Debug)]
pub struct Contents {
    /// Of which cluster.
    pub cluster_id: u128,
    /// Of which node.
    pub node_id: NodeId,
    /// Index of the entry before the first one in the log.
    pub base_index: u64,
    /// Highest index known to be committed, and still there.
    pub commit_index: u64,
    /// The last index of each snapshot, ascending. Sound or not.
    pub snapshots: Vec<u64>,
    ids: Vec<SnapshotId>,
    store: Arc<SnapshotStore<RealDisk>>,
    entries: Vec<Entry>,
}

impl Contents {
    /// Looks at a directory.
    ///
    /// # Errors
    /// [`StartError::Disk`] where there is none, or a node runs in it; [`StartError::Log`],
    /// [`StartError::Snapshot`] where it can't be read or is damaged.
    pub fn look(path: &Path) -> Result<Self, StartError> {
        let disk_error = |source| StartError::Disk { path: path.to_owned(), source };
        let log_error = |source| StartError::Log { path: path.to_owned(), source };
        let disk = Arc::new(RealDisk::open_existing(path).map_err(disk_error)?);
        let found = Log::look(&*disk).map_err(log_error)?;
        let cluster_id = found.identity.cluster_id;
        let store = SnapshotStore::existing(disk, cluster_id, GROUP_ID);
        let ids = store.list();
        let ids = ids.map_err(|source| StartError::Snapshot { path: path.to_owned(), source })?;
        let snapshots: Vec<_> = ids.iter().map(|id| id.index).collect();
        // What a snapshot holds was committed; the hard state may lag behind.
        let known = snapshots.last().copied().unwrap_or(0).max(found.hard_state.commit);
        let last = found.entries.last().map_or(found.base_index, |entry| entry.index);
        Ok(Self {
            cluster_id,
            node_id: found.identity.node_id,
            base_index: found.base_index,
            commit_index: known.min(last),
            snapshots,
            ids,
            store,
            entries: found.entries,
        })
    }

    /// The state of the snapshot that ends at this index, checked to be the one that was saved.
    ///
    /// # Errors
    /// `NotFound` where there is none; `InvalidData` where it is damaged; those of the disk.
    pub fn state<S: StateMachine>(&self, index: u64) -> io::Result<S> {
        let id = self.ids.iter().find(|id| id.index == index).ok_or(io::ErrorKind::NotFound)?;
        load_snapshot(&self.store, *id)
    }

    /// The committed entries after this index, in order.
    ///
    /// # Errors
    /// One that can't be read gives a [`Fault`].
    pub fn committed(&self, after: u64) -> impl Iterator<Item = Result<Committed, Fault>> {
        let entries = self.entries.iter();
        entries.filter(move |it| it.index > after && it.index <= self.commit_index).map(|entry| {
            let &Entry { index, term, .. } = entry;
            let batch = batch::read_any(entry)?;
            let (stamp_us, version, commands) =
                (batch.stamp_us, batch.cluster_version, batch.commands);
            Ok(Committed { index, term, stamp_us, version, commands, proposals: Vec::new() })
        })
    }
}
