//! From a state to a member of a new cluster that goes on from it: after a restore, or without a majority.
//!
//! The new cluster begins one entry after what the state holds and one term on, so that no position is
//! given out twice and whatever an old node says is from the past. Each of its founding members is made from
//! the same state and has the same founding snapshot; nothing else has to be agreed on. Who was a member
//! before is forgotten: every data directory is a new one.

use std::{io, path::Path, sync::Arc};

use prost::Message as _;

use super::{
    StartError,
    data_dir::{GROUP_ID, lay},
};
use crate::{
    consensus::{
        Incarnation, Install, NodeId, StateMachine,
        log::{
            Disk, DiskError, Identity, LogConfig, RealDisk,
            snapshot::{SnapshotId, SnapshotStore},
        },
    },
    proto::turnwise::log::v1::SnapshotMeta,
};

/// What is found in a directory that nobody has used: the lock, and what a file system keeps for itself.
const OF_NOBODY: [&str; 2] = ["lock", "lost+found"];

/// What a new cluster goes on from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a, S> {
    /// The last entry that the state holds.
    pub last: SnapshotId,
    /// No command gets an earlier time: microseconds since the Unix epoch.
    pub stamp_us: u64,
    /// The state.
    pub state: &'a S,
}

impl<S> Origin<'_, S> {
    /// The entry that the new cluster's founding stands for.
    #[must_use]
    pub fn founding(&self) -> SnapshotId {
        let SnapshotId { index, term } = self.last;
        SnapshotId { index: index + 1, term: term + 1 }
    }
}

/// A founding member of a new cluster.
#[derive(Debug, Clone)]
pub struct Member<'a> {
    /// The new cluster.
    pub cluster_id: u128,
    /// Which of its members.
    pub node_id: NodeId,
    /// All of them.
    pub voters: &'a [NodeId],
    /// Where its data will lie.
    pub data_dir: &'a Path,
}

/// Why a data directory was not made.
#[derive(Debug, thiserror::Error)]
pub enum RefoundError {
    /// Something is there.
    #[error("{path} is not empty: `{name}` is in it; name a directory that is empty, or not there")]
    NotEmpty {
        /// The directory.
        path: std::path::PathBuf,
        /// What lies there.
        name: String,
    },
    /// It can't be written.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Whether a directory can become a member's: it is not there, or nothing is in it.
///
/// # Errors
/// [`RefoundError::NotEmpty`]; [`StartError::Disk`] where it can't be looked at.
pub fn is_free(path: &Path) -> Result<(), RefoundError> {
    let failed = |source| {
        let dir = path.to_owned();
        StartError::Disk { path: path.to_owned(), source: DiskError::Io { dir, source } }
    };
    let entries = match path.read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error).into()),
    };
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let name = name.to_string_lossy();
        if !OF_NOBODY.contains(&name.as_ref()) {
            return Err(RefoundError::NotEmpty { path: path.to_owned(), name: name.into_owned() });
        }
    }
    Ok(())
}

/// Makes the data directory of a founding member, from which it starts like any other.
///
/// # Errors
/// [`RefoundError`]. What was written by then is no member's: the log comes last.
pub fn refound<S: StateMachine>(
    member: &Member<'_>,
    origin: &Origin<'_, S>,
) -> Result<SnapshotId, RefoundError> {
    let path = member.data_dir;
    is_free(path)?;
    let disk = RealDisk::open(path)
        .map_err(|source| StartError::Disk { path: path.to_owned(), source })?;
    Ok(refound_on(&Arc::new(disk), LogConfig::default(), member, origin)?)
}

/// The same on any disk that is empty.
///
/// # Errors
/// [`StartError`], likewise.
pub fn refound_on<S: StateMachine, D: Disk>(
    disk: &Arc<D>,
    log: LogConfig,
    member: &Member<'_>,
    origin: &Origin<'_, S>,
) -> Result<SnapshotId, StartError> {
    let Member { cluster_id, node_id, voters, data_dir } = *member;
    let store = SnapshotStore::open(Arc::clone(disk), cluster_id, GROUP_ID)
        .map_err(|source| StartError::Snapshot { path: data_dir.to_owned(), source })?;
    let identity = Identity {
        cluster_id,
        node_id,
        incarnation: Incarnation(rand::random()),
        group_id: GROUP_ID,
    };
    let mut voters: Vec<u64> = voters.iter().map(|id| id.0).collect();
    voters.sort_unstable();
    let meta = SnapshotMeta { voters, stamp_us: origin.stamp_us, ..SnapshotMeta::default() };
    let SnapshotId { index, term } = origin.founding();
    let founding = Install { index, term, meta: meta.encode_to_vec().into() };
    lay(data_dir, disk, &store, (identity, log), &founding, origin.state)?;
    Ok(SnapshotId { index, term })
}
