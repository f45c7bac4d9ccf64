//! What can be had of a cluster from one node's directory, when a majority is lost for good.
//!
//! The newest sound snapshot, and every entry that the log holds behind it, also those of which this node
//! never heard that they are committed: somebody may have been told that they are. What is damaged is told
//! apart from what is merely unknown. The directory is locked for as long as this lives, and nothing in it
//! is changed. Synchronous, and over any [`Disk`].

use std::{path::Path, sync::Arc};

use prost::Message as _;

use super::{
    StartError,
    data_dir::{GROUP_ID, load_snapshot},
    refound::Origin,
};
use crate::{
    consensus::{
        Entry, Fault, NodeId, StateMachine, batch,
        log::{
            Disk, Log, Salvage, Stretch,
            snapshot::{SnapshotId, SnapshotStore},
        },
    },
    proto::turnwise::log::v1::SnapshotMeta,
};

/// What one directory holds.
#[derive(Debug)]
pub struct Survivor<S, D> {
    /// Of which cluster.
    pub cluster_id: u128,
    /// Of which node.
    pub node_id: NodeId,
    /// The last entry of the snapshot that the state began with.
    pub snapshot_index: u64,
    /// The greatest index that this node knew to be committed. Beyond `last` only where something is lost.
    pub commit_index: u64,
    /// The last entry that the state holds.
    pub last: SnapshotId,
    /// The greatest term that this node has seen.
    pub term: u64,
    /// Greatest leader time, in microseconds since the Unix epoch.
    pub stamp_us: u64,
    /// The state after the last entry.
    pub state: S,
    /// Everything that is damaged, in words; harmless where `loss` is none.
    pub damage: Vec<String>,
    /// What damage has cost.
    pub loss: Option<Loss>,
    _disk: Arc<D>,
}

/// Entries that this node had and that can't be read any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// The node had entries up to here at least; those after `last` are lost.
    pub had_index: u64,
}

/// Why nothing can be had.
#[derive(Debug, thiserror::Error)]
pub enum SurvivorError {
    /// The directory can't be read.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There is no state to begin with.
    #[error("{path} has no sound snapshot to begin with; its log begins after index {base_index}")]
    NoSnapshot {
        /// The directory.
        path: std::path::PathBuf,
        /// Index of the entry before the first one in the log.
        base_index: u64,
        /// What is wrong with the snapshots.
        damage: Vec<String>,
    },
    /// An entry that this program can't apply.
    #[error("an entry of the log can't be applied by this version of the program; use a newer one")]
    Entry(#[from] Fault),
}

impl<S: StateMachine, D: Disk> Survivor<S, D> {
    /// Looks at the directory at `path`, which `disk` has locked.
    ///
    /// # Errors
    /// [`SurvivorError`].
    pub fn look(path: &Path, disk: Arc<D>) -> Result<Self, SurvivorError> {
        let Salvage { identity, stretches, damage } = Log::salvage(disk.as_ref())
            .map_err(|source| StartError::Log { path: path.to_owned(), source })?;
        let mut damage: Vec<String> = damage.iter().map(ToString::to_string).collect();
        let store = SnapshotStore::existing(Arc::clone(&disk), identity.cluster_id, GROUP_ID);
        let ids = store
            .list()
            .map_err(|source| StartError::Snapshot { path: path.to_owned(), source })?;
        let mut start: Option<(S, SnapshotId)> = None;
        for id in ids.iter().rev() {
            match load_snapshot(&store, *id) {
                Ok(state) => {
                    start = Some((state, *id));
                    break;
                }
                Err(error) => damage.push(format!("the snapshot {id}: {error}")),
            }
        }
        let stamp_us = start.as_ref().and_then(|(_, id)| stamp_us(&store, *id)).unwrap_or(0);
        // The snapshot that a cluster is founded with holds nothing.
        let founding = SnapshotId { index: 1, term: 1 };
        let is_founding = |stretch: &Stretch| stretch.base == (founding.index, founding.term);
        if start.is_none() && stretches.iter().any(is_founding) {
            start = Some((S::empty(), founding));
        }
        let Some((state, snapshot)) = start else {
            let base_index = stretches.iter().map(|it| it.base.0).min().unwrap_or(0);
            return Err(SurvivorError::NoSnapshot { path: path.to_owned(), base_index, damage });
        };
        let follows = |stretch: &&Stretch| stretch.term(snapshot.index) == Some(snapshot.term);
        let used = stretches.iter().find(follows);
        let committed = |stretch: &Stretch| stretch.hard_state.commit;
        let snapshots = ids.iter().map(|id| id.index).max().unwrap_or(0).max(snapshot.index);
        let mut survivor = Self {
            cluster_id: identity.cluster_id,
            node_id: identity.node_id,
            snapshot_index: snapshot.index,
            commit_index: stretches.iter().map(committed).fold(snapshots, u64::max),
            last: snapshot,
            term: stretches.iter().map(|it| it.hard_state.term).fold(snapshot.term, u64::max),
            stamp_us,
            state,
            damage,
            loss: None,
            _disk: disk,
        };
        let entries = used.map_or(&[][..], |stretch| &stretch.entries);
        for entry in entries.iter().filter(|entry| entry.index > snapshot.index) {
            survivor.apply(entry)?;
        }
        survivor.term = survivor.term.max(survivor.last.term);
        survivor.loss = survivor.lost(&stretches, used);
        Ok(survivor)
    }

    fn apply(&mut self, entry: &Entry) -> Result<(), Fault> {
        let &Entry { index, term, .. } = entry;
        let batch = batch::read_any(entry)?;
        self.stamp_us = self.stamp_us.max(batch.stamp_us);
        self.state.raise(index, batch.cluster_version)?;
        let replies =
            self.state.apply(index, term, batch.stamp_us, &batch.commands, &mut Vec::new())?;
        // Whoever waited for them is gone.
        drop(replies);
        self.last = SnapshotId { index, term };
        Ok(())
    }

    /// What the node had beyond what can be read.
    fn lost(&self, stretches: &[Stretch], used: Option<&Stretch>) -> Option<Loss> {
        let last = self.last.index;
        let is_end = |stretch: &Stretch| stretch.is_end;
        // Where a snapshot was received and the log not emptied yet, what the log ends with is void.
        let is_void = |stretch: &Stretch| is_end(stretch) && stretch.base.0 <= self.snapshot_index;
        let whole = used.is_some_and(is_end) || (used.is_none() && stretches.iter().any(is_void));
        let had = stretches.iter().map(|stretch| stretch.last().0.max(stretch.base.0));
        let had_index = had.fold(self.commit_index.max(last), u64::max);
        let is_lost = !whole || self.commit_index > last;
        is_lost.then_some(Loss { had_index })
    }

    /// What a new cluster goes on from. Its term is beyond all that this node has seen.
    pub fn origin(&self) -> Origin<'_, S> {
        let last = SnapshotId { index: self.last.index, term: self.term };
        Origin { last, stamp_us: self.stamp_us, state: &self.state }
    }
}

/// Greatest leader time that a snapshot knows of.
fn stamp_us<D: Disk>(store: &SnapshotStore<D>, id: SnapshotId) -> Option<u64> {
    let reader = store.open_snapshot(id).ok()?;
    SnapshotMeta::decode(reader.meta()).ok().map(|meta| meta.stamp_us)
}
