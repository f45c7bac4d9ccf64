//! A snapshot from one node to another: the file in chunks, then the message to step.
//!
//! On a call of its own, so that heartbeats never queue behind it. The receiver answers once the file is
//! durable under its final name and the message was stepped; a transfer that breaks leaves nothing.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinError,
};
use tonic::{Status, Streaming};

use super::{Addresses, Local, PeerEvent, PeerService, PeerView, link, service};
use crate::{
    clock,
    consensus::{
        NodeId,
        log::{
            Disk,
            snapshot::{SnapshotBytes, SnapshotError, SnapshotId, SnapshotStore},
        },
    },
    proto::turnwise::peer::v1::{
        RaftMessage, RaftMessageType, SnapshotChunk, SnapshotOffer, snapshot_chunk::Piece,
    },
};

/// Bytes of one chunk.
const CHUNK_LEN: usize = 1 << 20;
/// A sender that says nothing for this long is let go.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(10);
/// No snapshot file is longer: 256 GiB.
const FILE_LEN_MAX: u64 = 1 << 38;

/// Where the peers are, and who calls them.
#[derive(Debug, Clone)]
pub struct PeerAddress {
    /// This node.
    pub local: Local,
    /// Every member's address.
    pub addresses: watch::Receiver<Arc<Addresses>>,
    /// What peers are let know.
    pub view: watch::Receiver<PeerView>,
}

/// Sends the snapshot that `message` speaks of; answered when it is safe there.
///
/// # Errors
/// The status that the transfer ended with.
pub async fn send_snapshot<D: Disk>(
    peers: &PeerAddress,
    store: Arc<SnapshotStore<D>>,
    to: NodeId,
    message: RaftMessage,
) -> Result<(), Status> {
    let address = peers.addresses.borrow().get(&to).map(|it| it.peer.clone());
    let address = address.ok_or_else(|| Status::not_found("no such peer"))?;
    let header = message.snapshot.as_ref().ok_or_else(|| Status::internal("no snapshot header"))?;
    let id = SnapshotId { index: header.index, term: header.term };
    let file = tokio::task::spawn_blocking(move || store.bytes(id));
    let file = file.await.map_err(not_run)?.map_err(unreadable)?;
    let length = file.file_len();
    let hello = peers.local.hello(to, &peers.view.borrow(), clock::wall().0);
    let offer = SnapshotOffer { hello: Some(hello), message: Some(message), length };
    let first = SnapshotChunk { piece: Some(Piece::Offer(offer)) };
    let rest = stream::unfold(Some((file, 0)), async |state| {
        let (file, offset) = state?;
        read_chunk(file, offset).await
    });
    let chunks = futures_util::StreamExt::chain(stream::iter([first]), rest);
    let mut client = link::connect(&address).await?;
    tracing::info!(peer = to.0, index = id.index, length, "sending a snapshot");
    client.send_snapshot(chunks).await.map(|_| ())
}

type Reading<F> = Option<(SnapshotBytes<F>, u64)>;

/// The next chunk. A file that can't be read ends the stream early, which the receiver refuses.
async fn read_chunk<F: crate::consensus::log::DiskFile>(
    file: SnapshotBytes<F>,
    offset: u64,
) -> Option<(SnapshotChunk, Reading<F>)> {
    let read = tokio::task::spawn_blocking(move || (file.read(offset, CHUNK_LEN), file)).await;
    let (bytes, file) = read.ok()?;
    let bytes = bytes.inspect_err(|error| tracing::error!(%error, "snapshot not readable")).ok()?;
    if bytes.is_empty() {
        return None;
    }
    let next = offset + u64::try_from(bytes.len()).ok()?;
    Some((SnapshotChunk { piece: Some(Piece::Data(bytes.into())) }, Some((file, next))))
}

/// What is written to a snapshot that comes.
enum Written {
    Piece(Bytes),
    /// Nothing more comes.
    All,
}

/// Takes a snapshot from a peer.
pub(super) async fn receive<D: Disk>(
    service: &PeerService<D>,
    mut chunks: Streaming<SnapshotChunk>,
) -> Result<(), Status> {
    let Some(Piece::Offer(offer)) = next(&mut chunks).await? else {
        return Err(Status::invalid_argument("the first piece must be an offer"));
    };
    let from = service.welcome(offer.hello).await?.peer;
    let message = offer.message.ok_or_else(|| Status::invalid_argument("no message"))?;
    let header = message.snapshot.clone().ok_or_else(|| Status::invalid_argument("no header"))?;
    if message.r#type != i32::from(RaftMessageType::Snapshot) || message.from != from.0 {
        return Err(Status::invalid_argument("the message is not the sender's snapshot"));
    }
    if offer.length > FILE_LEN_MAX {
        return Err(Status::invalid_argument("the snapshot is too long"));
    }
    let id = SnapshotId { index: header.index, term: header.term };
    // Where it may wait for the disk, with what becomes of it if this call ends on the way: a large file takes
    // time to remove.
    let (pieces, mut coming) = mpsc::channel(1);
    let (store, length) = (Arc::clone(&service.store), offer.length);
    let mut write = move || {
        let mut receiver = store.receive(id, length)?;
        while let Some(piece) = coming.blocking_recv() {
            match piece {
                Written::Piece(data) => receiver.write(receiver.received(), &data)?,
                Written::All => return receiver.finish().map(Some),
            }
        }
        Ok(None)
    };
    let events = service.events.clone();
    let writing = tokio::task::spawn_blocking(move || {
        write().map_err(|error: SnapshotError| {
            if !error.is_failed_sync() {
                return unreadable(error);
            }
            let status = Status::data_loss(error.to_string());
            // From here, because the call may be over by now. Nobody hears it only where the process is ending.
            drop(events.blocking_send(PeerEvent::DiskFailed { error }));
            status
        })
    });
    while let Some(piece) = next(&mut chunks).await? {
        let Piece::Data(data) = piece else {
            return Err(Status::invalid_argument("a second offer"));
        };
        if pieces.send(Written::Piece(data)).await.is_err() {
            // It failed, and says why at its end.
            break;
        }
    }
    drop(pieces.send(Written::All).await);
    let stored = writing.await.map_err(not_run)??;
    let stored = stored.ok_or_else(|| Status::internal("a snapshot was given up"))?;
    if stored.meta() != header.meta {
        return Err(Status::data_loss("the snapshot's meta is not what was announced"));
    }
    let (done, stepped) = oneshot::channel();
    let event = PeerEvent::Snapshot { from, message: Box::new(message), done };
    service::pass(&service.events, event).await?;
    stepped.await.map_err(|_| Status::unavailable("this node is stopping"))
}

async fn next(chunks: &mut Streaming<SnapshotChunk>) -> Result<Option<Piece>, Status> {
    let chunk = tokio::time::timeout(CHUNK_TIMEOUT, chunks.message())
        .await
        .map_err(|_| Status::deadline_exceeded("no chunk came"))??;
    Ok(chunk.and_then(|chunk| chunk.piece))
}

/// What was to be done where it may wait for the disk panicked, or this node is stopping.
fn not_run(error: JoinError) -> Status {
    Status::internal(error.to_string())
}

fn unreadable(error: SnapshotError) -> Status {
    Status::data_loss(error.to_string())
}
