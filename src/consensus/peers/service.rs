//! The incoming side: checks who calls, then passes messages on in order.

use std::{pin::Pin, sync::Arc, time::Duration};

use futures_util::{Stream, stream};
use tokio::sync::{mpsc, watch};
use tonic::{Request, Response, Status, Streaming};

use super::{Local, PeerEvent, PeerView, Speaker, hello, transfer};
use crate::{
    clock,
    consensus::{
        NodeId,
        log::{Disk, snapshot::SnapshotStore},
    },
    proto::turnwise::peer::v1::{
        Frame, Hello, SendSnapshotResponse, SnapshotChunk, raft_service_server::RaftService,
    },
};

/// A caller that says nothing is let go after this long.
const FIRST_FRAME_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves peers over the data directory `D`.
pub struct PeerService<D: Disk> {
    pub(super) local: Local,
    pub(super) view: watch::Receiver<PeerView>,
    pub(super) events: mpsc::Sender<PeerEvent>,
    pub(super) store: Arc<SnapshotStore<D>>,
}

impl<D: Disk> PeerService<D> {
    /// Passes what comes to `events`; received snapshots go to `store`.
    #[must_use]
    pub fn new(
        local: Local,
        view: watch::Receiver<PeerView>,
        events: mpsc::Sender<PeerEvent>,
        store: Arc<SnapshotStore<D>>,
    ) -> Self {
        Self { local, view, events, store }
    }

    /// Checks a hello and tells of the peer behind it.
    pub(super) async fn welcome(&self, hello: Option<Hello>) -> Result<Speaker, Status> {
        let hello =
            hello.ok_or_else(|| Status::invalid_argument("the first frame must be a hello"))?;
        let view = self.view.borrow().clone();
        let speaker = self
            .local
            .check(&hello, &view)
            .inspect_err(|refusal| refused(NodeId(hello.node_id), refusal))?;
        let (peer, wall_us) = (speaker.peer, hello.wall_clock_us);
        pass(&self.events, PeerEvent::Seen(speaker.clone())).await?;
        pass(&self.events, PeerEvent::Clock { peer, wall_us }).await?;
        Ok(speaker)
    }
}

fn refused(peer: NodeId, refusal: &Status) {
    tracing::warn!(peer = peer.0, reason = refusal.message(), "peer refused");
}

pub(super) async fn pass(events: &mpsc::Sender<PeerEvent>, event: PeerEvent) -> Result<(), Status> {
    events.send(event).await.map_err(|_| Status::unavailable("this node is stopping"))
}

/// An exchange after its handshake.
struct Incoming {
    local: Local,
    view: watch::Receiver<PeerView>,
    speaker: Speaker,
    frames: Streaming<Frame>,
    events: mpsc::Sender<PeerEvent>,
    /// Sent first, then nothing more.
    answer: Option<Frame>,
    last_checkpoint: u64,
}

impl Incoming {
    /// Passes frames on until the stream ends.
    async fn pump(&mut self) -> Result<(), Status> {
        let peer = self.speaker.peer;
        while let Some(frame) = self.frames.message().await? {
            // Again, because a node that has just started learns who is who from its own log: a peer
            // may have been welcomed before that.
            self.local
                .check_member(&self.speaker, &self.view.borrow())
                .inspect_err(|refusal| refused(peer, refusal))?;
            let clock = PeerEvent::Clock { peer, wall_us: frame.wall_clock_us };
            pass(&self.events, clock).await?;
            if let Some(checkpoint) = frame.checkpoint
                && checkpoint.log_index > self.last_checkpoint
                && let Some(state_hash) = hello::read_u128(&checkpoint.state_hash)
            {
                self.last_checkpoint = checkpoint.log_index;
                let log_index = checkpoint.log_index;
                pass(&self.events, PeerEvent::Checkpoint { peer, log_index, state_hash }).await?;
            }
            for message in frame.messages {
                pass(&self.events, PeerEvent::Message { from: peer, message }).await?;
            }
        }
        Ok(())
    }
}

#[tonic::async_trait]
impl<D: Disk> RaftService for PeerService<D> {
    type ExchangeStream = Pin<Box<dyn Stream<Item = Result<Frame, Status>> + Send>>;

    async fn exchange(
        &self,
        request: Request<Streaming<Frame>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        let mut frames = request.into_inner();
        let first = tokio::time::timeout(FIRST_FRAME_TIMEOUT, frames.message())
            .await
            .map_err(|_| Status::deadline_exceeded("no hello came"))??;
        let speaker = self.welcome(first.and_then(|frame| frame.hello)).await?;
        let hello = self.local.hello(speaker.peer, &self.view.borrow(), clock::wall().0);
        let incoming = Incoming {
            local: self.local.clone(),
            view: self.view.clone(),
            speaker,
            frames,
            events: self.events.clone(),
            answer: Some(Frame { hello: Some(hello), ..Frame::default() }),
            last_checkpoint: 0,
        };
        // The answer's own stream passes the frames on: no task that somebody would have to join.
        let answers = stream::unfold(Some(incoming), async |incoming| {
            let mut incoming = incoming?;
            if let Some(answer) = incoming.answer.take() {
                return Some((Ok(answer), Some(incoming)));
            }
            incoming.pump().await.err().map(|status| (Err(status), None))
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn send_snapshot(
        &self,
        request: Request<Streaming<SnapshotChunk>>,
    ) -> Result<Response<SendSnapshotResponse>, Status> {
        transfer::receive(self, request.into_inner()).await?;
        Ok(Response::new(SendSnapshotResponse {}))
    }
}
