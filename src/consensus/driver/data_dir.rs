//! From a data directory to what a node starts with, and the snapshots in it.
//!
//! A new directory gets the founding snapshot (index 1, the members as voters, no state) and an empty
//! log after it, only where it is told to found. A known one gives back its newest sound snapshot and
//! the log; whatever contradicts itself is refused, with what to type. Synchronous, and over any
//! [`Disk`]: the simulator crashes and restarts its nodes through this code.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use prost::Message as _;

use super::{Ended, StartError, rejoin};
use crate::{
    consensus::{
        Entry, EntryKind, Incarnation, Install, NodeId, Recovered, StateMachine, Versions,
        founding_snapshot,
        log::{
            self, Batch, Disk, Expected, Identity, Log, LogConfig, LogError,
            snapshot::{SnapshotError, SnapshotId, SnapshotReader, SnapshotStore},
        },
        versions,
    },
    planted::{self, Bug},
    proto::turnwise::log::v1::SnapshotMeta,
};

/// The one Raft group so far.
pub const GROUP_ID: u64 = 1;
/// The largest state that can be loaded, as bytes of a snapshot's body.
pub const BODY_LEN_MAX: u64 = 1 << 38;

/// Whose data directory it is to be.
#[derive(Debug)]
pub struct DataDir<'a> {
    /// Where it lies, for messages.
    pub path: &'a Path,
    /// Of which cluster.
    pub cluster_id: u128,
    /// Of which node.
    pub node_id: NodeId,
    /// What the build understands.
    pub versions: Versions,
    /// How the log is cut into files.
    pub log: LogConfig,
    /// What an empty directory becomes; `None` = it is refused.
    pub founding: Option<Founding>,
}

/// A new cluster, as one of its members makes it.
#[derive(Debug)]
pub struct Founding {
    /// All of them.
    pub voters: Vec<NodeId>,
    /// Drawn for this directory.
    pub incarnation: Incarnation,
}

/// What was in it.
#[derive(Debug)]
pub struct Opened<S, D: Disk> {
    /// Its snapshots.
    pub store: Arc<SnapshotStore<D>>,
    /// Its log.
    pub log: Log<D>,
    /// Whose it is.
    pub identity: Identity,
    /// What a node starts from.
    pub recovered: Recovered,
    /// The state of the newest snapshot.
    pub machine: S,
    /// A write that a crash interrupted was cut off the log's end.
    pub tail_cut: bool,
    /// A received snapshot was durable, and the log was not emptied at its index yet.
    pub install_finished: bool,
}

impl DataDir<'_> {
    /// Opens it, or makes it.
    ///
    /// # Errors
    /// [`StartError`]; nothing was written then but what a later start finishes.
    pub fn open<S: StateMachine, D: Disk>(self, disk: Arc<D>) -> Result<Opened<S, D>, StartError> {
        let path = self.path();
        let log_error = |source| StartError::Log { path: path.clone(), source };
        let snapshot_error = |source| StartError::Snapshot { path: path.clone(), source };
        // Whatever lies there meanwhile is nobody's.
        if rejoin::note(disk.as_ref(), self.path)?.is_some_and(|note| note.back().is_none()) {
            return Err(StartError::Rejoining { path });
        }
        let store = SnapshotStore::open(Arc::clone(&disk), self.cluster_id, GROUP_ID)
            .map_err(snapshot_error)?;
        if !Log::exists(disk.as_ref()).map_err(log_error)? {
            self.found::<S, D>(&disk, &store)?;
        }
        let newest = store.newest().map_err(snapshot_error)?;
        let (mut log, found) = self.open_log(disk, newest.snapshot.as_ref())?;
        if let Some(torn) = &found.torn_tail {
            tracing::warn!(?torn, "a write that a crash interrupted was cut off the log's end");
        }
        // It may be sound, and of a later build.
        let mut unread = None;
        for error in newest.damaged {
            tracing::error!(%error, "a damaged snapshot is passed over");
            unread = unread.or(Some(error).filter(|error| !error.is_damage()));
        }
        let base = found.base_index;
        let end = newest.snapshot.as_ref().map_or(0, |snapshot| snapshot.id().index);
        let newest = match (newest.snapshot, unread) {
            (Some(newest), _) if end >= base => newest,
            (_, Some(unread)) => return Err(snapshot_error(unread)),
            (_, None) => return Err(StartError::Gap { path, snapshot: end, base }),
        };
        let id = newest.id();
        let meta = newest.meta().to_vec();
        let mut recovered = Recovered {
            snapshot: Install { index: id.index, term: id.term, meta: meta.into() },
            base: (found.base_index, found.base_term),
            entries: found.entries,
            hard_state: found.hard_state,
        };
        let install_finished = log.term(id.index) != Some(id.term);
        if install_finished {
            // A snapshot was received, and the process ended before the log was emptied at its index.
            let reset = Some((id.index, id.term));
            log.write(&Batch { reset, sync: true, ..Batch::default() }).map_err(log_error)?;
            recovered.base = (id.index, id.term);
            recovered.entries.clear();
        }
        let machine = load_snapshot(&store, id).map_err(|error| StartError::State {
            path: path.clone(),
            source: Box::new(Ended::Snapshot(error)),
        })?;
        let tail_cut = found.torn_tail.is_some();
        let identity = found.identity;
        Ok(Opened { store, log, identity, recovered, machine, tail_cut, install_finished })
    }

    /// Opens the log, unless it or the snapshot before it is of a version that this build does not have.
    fn open_log<D: Disk>(
        &self,
        disk: Arc<D>,
        snapshot: Option<&SnapshotReader<D::File>>,
    ) -> Result<(Log<D>, log::Recovered), StartError> {
        let (path, versions) = (self.path(), self.versions);
        let is_any = planted::is(Bug::LaterVersionTaken);
        // What a node joins with, at index 0, says nothing.
        if let Some(snapshot) = snapshot.filter(|it| it.id().index > 0)
            && let Ok(meta) = SnapshotMeta::decode(snapshot.meta())
        {
            let version = versions::of_snapshot(&meta);
            if !versions.has(version) && !is_any {
                return Err(StartError::Version { path, version, versions });
            }
        }
        let mut version = 0;
        let understands = |entry: &Entry| {
            if entry.kind == EntryKind::Normal {
                version = version.max(versions::of_entry(&entry.data));
            }
            version <= versions.max || is_any
        };
        let expected = Expected { cluster_id: self.cluster_id, node_id: self.node_id };
        Log::open_if(disk, expected, self.log, understands).map_err(|source| {
            if matches!(source, LogError::NotUnderstood { .. }) {
                return StartError::Version { path, version, versions };
            }
            StartError::Log { path, source }
        })
    }

    fn path(&self) -> PathBuf {
        self.path.to_owned()
    }

    /// Makes an empty directory a member of a new cluster. The log comes last: with it, it is one.
    fn found<S: StateMachine, D: Disk>(
        &self,
        disk: &Arc<D>,
        store: &SnapshotStore<D>,
    ) -> Result<(), StartError> {
        let Some(Founding { voters, incarnation }) = &self.founding else {
            return Err(StartError::Empty { path: self.path(), node: self.node_id });
        };
        let founding = founding_snapshot(voters);
        let identity = Identity {
            cluster_id: self.cluster_id,
            node_id: self.node_id,
            incarnation: *incarnation,
            group_id: GROUP_ID,
        };
        lay(self.path, disk, store, (identity, self.log), &founding, &S::empty())
    }
}

/// Lays down what a founding member begins with: the snapshot, then an empty log behind it. The log comes
/// last: with it, the directory is a member's.
///
/// # Errors
/// [`StartError::Snapshot`], [`StartError::Log`].
pub(super) fn lay<S: StateMachine, D: Disk>(
    path: &Path,
    disk: &Arc<D>,
    store: &SnapshotStore<D>,
    (identity, log): (Identity, LogConfig),
    founding: &Install,
    state: &S,
) -> Result<(), StartError> {
    let path = path.to_owned();
    let id = SnapshotId { index: founding.index, term: founding.term };
    if let Err(source) = write_snapshot(store, id, &founding.meta, state) {
        return Err(StartError::Snapshot { path, source });
    }
    match Log::create(Arc::clone(disk), identity, log, (id.index, id.term)) {
        Ok(log) => {
            drop(log);
            Ok(())
        }
        Err(source) => Err(StartError::Log { path, source }),
    }
}

/// A snapshot as it was written.
#[derive(Debug)]
pub struct WrittenSnapshot {
    /// Its meta bytes, with the state's hash and version.
    pub meta: Bytes,
    /// Its bytes on the disk.
    pub len: u64,
}

/// Writes a snapshot of `state`, durable on return, with the state's hash and version in its meta bytes.
///
/// # Errors
/// [`SnapshotError`]; there is no snapshot then.
///
/// # Panics
/// If the state's running hash is not that of its records.
pub fn write_snapshot<S: StateMachine, D: Disk>(
    store: &SnapshotStore<D>,
    id: SnapshotId,
    meta: &[u8],
    state: &S,
) -> Result<WrittenSnapshot, SnapshotError> {
    let failed = |source| SnapshotError::Io { action: "write", file: id.to_string(), source };
    let mut meta = SnapshotMeta::decode(meta).map_err(io::Error::other).map_err(failed)?;
    let hash = state.recomputed_hash();
    assert_eq!(hash, state.hash(), "the state's running hash is that of its records");
    meta.state_hash = hash.to_be_bytes().to_vec().into();
    meta.cluster_version = state.version();
    let meta: Bytes = meta.encode_to_vec().into();
    let mut writer = store.create(id, &meta)?;
    if let Err(error) = S::save(state, &mut writer) {
        return Err(writer.failure(error));
    }
    let len = writer.finish()?;
    Ok(WrittenSnapshot { meta, len })
}

/// Loads a snapshot, checking that the state is the one that was saved.
///
/// # Errors
/// `InvalidData` where it is not; those of the disk.
pub fn load_snapshot<S: StateMachine, D: Disk>(
    store: &SnapshotStore<D>,
    id: SnapshotId,
) -> io::Result<S> {
    let mut reader = store.open_snapshot(id).map_err(io::Error::other)?;
    let meta = SnapshotMeta::decode(reader.meta()).map_err(io::Error::other)?;
    let body = reader.read_body(BODY_LEN_MAX).map_err(io::Error::other)?;
    let (state, hash) = S::load(&body)?;
    // Directories founded by the first builds carry no hash: there is nothing in them yet.
    let is_same = meta.state_hash.is_empty() || meta.state_hash.as_ref() == hash.to_be_bytes();
    let is_of_version = [0, state.version()].contains(&meta.cluster_version);
    if !is_same || !is_of_version {
        let text = format!("the snapshot at index {} holds another state than was saved", id.index);
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(state)
}
