//! Taking, installing and sending snapshots, none of it on the consensus thread but the loading.
//!
//! A snapshot has its final name only when it is whole and durable. The hash of the state that it holds
//! travels in its meta bytes and is computed from scratch on both sides, so that a state which would
//! not survive saving is found where it is saved, and one that changed on the way where it is loaded.

use std::{future::Future, sync::Arc, thread};

use bytes::Bytes;
use tokio::sync::mpsc;
use tonic::Status;

use super::{
    Ended,
    data_dir::{WrittenSnapshot, load_snapshot, write_snapshot},
    turn::Report,
};
use crate::{
    clock,
    consensus::{
        Install, NodeId, StateMachine,
        log::{
            Disk,
            snapshot::{SnapshotError, SnapshotId, SnapshotReader, SnapshotStore},
        },
        peers::{PeerAddress, send_snapshot},
    },
    proto::turnwise::peer::v1::RaftMessage,
};

/// The end of a node whose snapshots can't be had.
pub(super) fn ended(error: SnapshotError) -> Ended {
    Ended::Snapshot(std::io::Error::other(error))
}

/// What is wrong with the snapshot that is to be sent. Every receiver would refuse it, for ever.
async fn own_damage<D: Disk>(
    store: &Arc<SnapshotStore<D>>,
    message: &RaftMessage,
) -> Option<SnapshotError> {
    let header = message.snapshot.as_ref()?;
    let id = SnapshotId { index: header.index, term: header.term };
    let store = Arc::clone(store);
    let verify = move || store.open_snapshot(id).and_then(SnapshotReader::verify);
    let verified = tokio::task::spawn_blocking(verify).await.ok()?;
    verified.err().filter(SnapshotError::is_damage)
}

/// How taking a snapshot ended.
pub(super) struct Saved {
    pub(super) index: u64,
    pub(super) term: u64,
    pub(super) result: Result<WrittenSnapshot, SnapshotError>,
    /// How it went to remove the one before the last: on the way, for a long file takes a while.
    pub(super) removed: Result<(), SnapshotError>,
}

/// How sending one ended.
pub(super) struct Sent {
    pub(super) to: NodeId,
    pub(super) result: Result<(), Status>,
    /// What is wrong with this node's own snapshot, which was not sent then.
    pub(super) damage: Option<SnapshotError>,
}

/// The snapshots of this node.
pub(super) struct Snapshots<D: Disk> {
    pub(super) store: Arc<SnapshotStore<D>>,
    pub(super) peers: PeerAddress,
}

impl<D: Disk> Snapshots<D> {
    /// Writes `state` on a thread of its own, which reports.
    pub(super) fn take<S: StateMachine>(
        &self,
        index: u64,
        term: u64,
        meta: Bytes,
        state: S,
        reports: mpsc::UnboundedSender<Report<D::File>>,
    ) {
        let store = Arc::clone(&self.store);
        let failed = reports.clone();
        let write = move || {
            let began = clock::monotonic();
            let id = SnapshotId { index, term };
            let result = write_snapshot(&store, id, &meta, &state);
            if let Ok(WrittenSnapshot { len, .. }) = &result {
                let took_ms = clock::monotonic().saturating_sub(began).as_millis();
                tracing::info!(index, len, took_ms, "snapshot written");
            }
            let removed = if result.is_ok() { store.keep_two(id) } else { Ok(()) };
            // The consensus thread is gone only where the process is ending.
            drop(reports.send(Report::Saved(Saved { index, term, result, removed })));
        };
        if let Err(source) = thread::Builder::new().name("snapshot".to_owned()).spawn(write) {
            let file = "a snapshot".to_owned();
            let result = Err(SnapshotError::Io { action: "start a thread for", file, source });
            let removed = Ok(());
            drop(failed.send(Report::Saved(Saved { index, term, result, removed })));
        }
    }

    /// Loads the snapshot that a peer sent and raft-rs accepted; it is durable already.
    pub(super) fn install<S: StateMachine>(&self, install: &Install) -> Result<S, Ended> {
        let id = SnapshotId { index: install.index, term: install.term };
        let state = load_snapshot(&self.store, id).map_err(Ended::Snapshot)?;
        tracing::info!(index = install.index, "snapshot installed");
        // No log of this node's leads from an older one to it.
        removed(self.store.remove_before(id))?;
        Ok(state)
    }

    /// The task of sending the snapshot that `message` speaks of.
    pub(super) fn send(
        &self,
        to: NodeId,
        message: RaftMessage,
    ) -> impl Future<Output = Sent> + Send + use<D> {
        let (store, peers) = (Arc::clone(&self.store), self.peers.clone());
        async move {
            let damage = own_damage(&store, &message).await;
            let result = match damage {
                None => send_snapshot(&peers, store, to, message).await,
                Some(_) => Err(Status::data_loss("this node's own snapshot is damaged")),
            };
            Sent { to, result, damage }
        }
    }
}

/// Only room is lost where an old snapshot can't be removed, but for a failed fsync: the next one would
/// not tell that the directory was not synced.
pub(super) fn removed(result: Result<(), SnapshotError>) -> Result<(), Ended> {
    match result {
        Err(error) if error.is_failed_sync() => Err(ended(error)),
        Err(error) => {
            tracing::warn!(%error, "old snapshots not removed");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}
