//! `ClusterService.Backup`: a copy of the state, encoded and sent by a thread of its own.
//!
//! The thread that owns the state only clones it, once it holds all that was acknowledged before the call.
//! The caller sets the pace: at most a few chunks wait. One who takes none for a minute is cut off, since
//! for as long as a copy lives, what has changed in the meantime is in memory twice.

use std::{
    io::{self, Write},
    mem,
    pin::Pin,
    sync::Arc,
};

use futures_util::{Stream, stream};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    time,
};
use tonic::Status;

use crate::{
    backup::{self, About, Taken},
    proto::turnwise::v1::{BackupMetadata, BackupResponse, backup_response::Part},
    replica::{ReadAt, Replica},
    routing::{Reading, State, TeamId},
    unavailable::Unavailable,
};

use super::{
    authenticate::Caller,
    instant::timestamp,
    limits::{BACKUP_CHUNK_LEN, BACKUP_CHUNKS_WAITING_MAX, BACKUP_STALL_MAX, BACKUPS_MAX},
    reads, status,
    stopping::stopped,
};

/// The parts of a backup, on their way.
pub(super) type Parts = Pin<Box<dyn Stream<Item = Result<BackupResponse, Status>> + Send>>;
type Sender = mpsc::Sender<Result<BackupResponse, Status>>;

/// Takes backups, a few at a time.
#[derive(Debug)]
pub(super) struct Backups {
    replica: Replica,
    cluster_id: u128,
    slots: Arc<Semaphore>,
    /// True once the node is stopping: an open stream would hold it up.
    stopping: watch::Receiver<bool>,
}

impl Backups {
    pub(super) fn new(replica: Replica, cluster_id: u128, stopping: watch::Receiver<bool>) -> Self {
        Self { replica, cluster_id, slots: Arc::new(Semaphore::new(BACKUPS_MAX)), stopping }
    }

    /// Begins one, for whoever may see the whole cluster: it holds every team.
    pub(super) async fn take(&self, caller: Caller) -> Result<Parts, Status> {
        let slot = Arc::clone(&self.slots).try_acquire_owned();
        let slot = slot.map_err(|_| status::too_many_backups(BACKUPS_MAX))?;
        // No rejection names a team here.
        let none = TeamId::new("-");
        let clone = |state: &State, at: ReadAt| Ok((state.clone(), at));
        let (state, at) =
            reads::read(&self.replica, caller, Reading::Cluster, &none, clone).await?;
        let taken = Taken {
            cluster_id: self.cluster_id,
            node_id: self.replica.status().node_id,
            log_index: at.applied_index,
            term: at.term,
            time: at.now,
        };
        let (to, parts) = mpsc::channel(BACKUP_CHUNKS_WAITING_MAX);
        let runtime = Handle::current();
        // It reports through the channel, and ends when nobody takes from it.
        drop(tokio::task::spawn_blocking(move || send(&taken, state, to, runtime, slot)));
        Ok(until_stopped(parts, self.stopping.clone()))
    }
}

/// What comes from the thread, until the node stops.
fn until_stopped(
    parts: mpsc::Receiver<Result<BackupResponse, Status>>,
    stopping: watch::Receiver<bool>,
) -> Parts {
    Box::pin(stream::unfold(Some((parts, stopping)), |open| async move {
        let (mut parts, mut stopping) = open?;
        let part = tokio::select! {
            () = stopped(&mut stopping) => None,
            part = parts.recv() => Some(part?),
        };
        Some(match part {
            Some(part) => (part, Some((parts, stopping))),
            None => (Err(status::unavailable(Unavailable::ShuttingDown)), None),
        })
    }))
}

/// Encodes and sends a state.
fn send(taken: &Taken, state: State, to: Sender, runtime: Handle, slot: OwnedSemaphorePermit) {
    let mut chunks = Chunks { to, runtime, waiting: Vec::new() };
    let sent = About::of(taken, &state).and_then(|about| {
        chunks.send(Part::Metadata(metadata(&about, &state)))?;
        let len = backup::write(&about, &state, &mut chunks)?;
        chunks.flush()?;
        Ok((about.log_index, len))
    });
    match sent {
        Ok((index, len)) => tracing::info!(index, len, "backup sent"),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            tracing::warn!("a backup ended: its caller has gone, or took nothing for too long");
        }
        Err(error) => {
            tracing::error!(%error, "a backup failed");
            // A caller that has gone away needs no answer.
            drop(chunks.to.try_send(Err(status::internal())));
        }
    }
    drop(state);
    drop(slot);
}

fn metadata(about: &About, state: &State) -> BackupMetadata {
    BackupMetadata {
        cluster_id: format!("{:032x}", about.cluster_id),
        node_id: about.node_id.0,
        log_index: about.log_index,
        term: about.term,
        leader_time: Some(timestamp(about.leader_time)),
        taken_time: Some(timestamp(about.taken)),
        state_hash: format!("{:032x}", about.state_hash),
        image_version: about.image_version,
        engine_version: about.engine_version,
        team_count: u64::try_from(state.team_count()).unwrap_or(u64::MAX),
    }
}

/// Bytes as chunks to the caller; blocks while enough of them wait.
struct Chunks {
    to: Sender,
    runtime: Handle,
    waiting: Vec<u8>,
}

impl Chunks {
    fn send(&self, part: Part) -> io::Result<()> {
        let send = self.to.send(Ok(BackupResponse { part: Some(part) }));
        let sent = self.runtime.block_on(async { time::timeout(BACKUP_STALL_MAX, send).await });
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = BACKUP_CHUNK_LEN - self.waiting.len();
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.waiting.extend(taken);
        if self.waiting.len() == BACKUP_CHUNK_LEN {
            self.flush()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let chunk = mem::take(&mut self.waiting);
        if chunk.is_empty() { Ok(()) } else { self.send(Part::Chunk(chunk.into())) }
    }
}
