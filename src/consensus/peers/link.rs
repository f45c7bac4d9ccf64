//! The outgoing side: for each peer a bounded queue and one stream, connected again with back-off.

use std::{collections::BTreeMap, time::Duration};

use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
    task::{AbortHandle, JoinSet},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming, transport::Endpoint};

use super::{Addresses, FRAME_LEN_MAX, Local, PeerEvent, PeerView, hello};
use crate::{
    clock,
    consensus::NodeId,
    proto::turnwise::peer::v1::{
        Checkpoint, Frame, RaftMessage, raft_service_client::RaftServiceClient,
    },
};

/// Messages that wait for one peer; more are dropped, since Raft sends again what matters.
const QUEUE_LEN_MAX: usize = 1024;
/// A frame is closed at this many bytes of entries: under `FRAME_LEN_MAX` with any one message more.
const FRAME_LEN: usize = 1 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1_000);
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// The queues to all peers, and the tasks that empty them.
#[derive(Debug)]
pub struct Links {
    local: Local,
    view: watch::Receiver<PeerView>,
    events: mpsc::Sender<PeerEvent>,
    runtime: Handle,
    peers: BTreeMap<NodeId, Peer>,
    /// Aborted when this is dropped.
    tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Peer {
    address: String,
    queue: mpsc::Sender<RaftMessage>,
    task: AbortHandle,
}

impl Links {
    /// Links to nobody yet. Must be called on a runtime, which runs the tasks.
    #[must_use]
    pub fn new(
        local: Local,
        view: watch::Receiver<PeerView>,
        events: mpsc::Sender<PeerEvent>,
    ) -> Self {
        let runtime = Handle::current();
        Self { local, view, events, runtime, peers: BTreeMap::new(), tasks: JoinSet::new() }
    }

    /// Keeps a link to everybody there but this node, and to nobody else.
    pub fn connect(&mut self, addresses: &Addresses) {
        while self.tasks.try_join_next().is_some() {}
        let wanted =
            |peer: &NodeId, address: &str| addresses.get(peer).is_some_and(|it| it.peer == address);
        self.peers.retain(|peer, link| {
            let keep = wanted(peer, &link.address);
            if !keep {
                link.task.abort();
            }
            keep
        });
        for (&peer, address) in addresses {
            let is_other = peer != self.local.node_id && !self.peers.contains_key(&peer);
            if is_other && !address.peer.is_empty() {
                self.start(peer, address.peer.clone());
            }
        }
    }

    fn start(&mut self, peer: NodeId, address: String) {
        let (queue, waiting) = mpsc::channel(QUEUE_LEN_MAX);
        let link = Link {
            local: self.local.clone(),
            peer,
            address: address.clone(),
            view: self.view.clone(),
            events: self.events.clone(),
        };
        let task = self.tasks.spawn_on(link.run(waiting), &self.runtime);
        self.peers.insert(peer, Peer { address, queue, task });
    }

    /// Queues a message; false if it was dropped.
    #[must_use]
    pub fn send(&self, message: RaftMessage) -> bool {
        let peer = self.peers.get(&NodeId(message.to));
        peer.is_some_and(|peer| peer.queue.try_send(message).is_ok())
    }
}

struct Link {
    local: Local,
    peer: NodeId,
    address: String,
    view: watch::Receiver<PeerView>,
    events: mpsc::Sender<PeerEvent>,
}

impl Link {
    async fn run(self, mut waiting: mpsc::Receiver<RaftMessage>) {
        let (shortest, longest) = BACK_OFF;
        let mut back_off = shortest;
        let mut last_error = String::new();
        loop {
            let mut connected = false;
            let Err(status) = self.pump(&mut waiting, &mut connected).await else { return };
            if connected {
                back_off = shortest;
            }
            if hello::is_final(&status, &self.view.borrow()) {
                let why = status.message().to_owned();
                let refused = PeerEvent::Refused { by: self.peer, why };
                if self.events.send(refused).await.is_err() {
                    return;
                }
            }
            // Once for each cause: a peer that is down would otherwise fill the log.
            let error = format!("{:?}: {}", status.code(), status.message());
            if connected || error != last_error {
                tracing::info!(peer = self.peer.0, address = %self.address, %error, "no link to peer");
                last_error = error;
            }
            while waiting.try_recv().is_ok() {}
            if self.events.send(PeerEvent::Unreachable { peer: self.peer }).await.is_err() {
                return;
            }
            tokio::time::sleep(back_off.mul_f64(rand::random_range(0.5..1.0))).await;
            back_off = (back_off * 2).min(longest);
        }
    }

    /// One connection, from handshake to end. Returns `Ok` only when this node stops.
    async fn pump(
        &self,
        waiting: &mut mpsc::Receiver<RaftMessage>,
        connected: &mut bool,
    ) -> Result<(), Status> {
        let (frames, outgoing) = mpsc::channel(4);
        let hello = self.local.hello(self.peer, &self.view.borrow(), clock::wall().0);
        let first = Frame { hello: Some(hello), ..Frame::default() };
        let closed = |_| Status::unavailable("the stream is closed");
        frames.send(first).await.map_err(closed)?;
        let mut client = connect(&self.address).await?;
        let mut answers = client.exchange(ReceiverStream::new(outgoing)).await?.into_inner();
        self.greet(&mut answers).await?;
        *connected = true;
        tracing::info!(peer = self.peer.0, "link to peer is up");
        let mut messages = Vec::new();
        loop {
            tokio::select! {
                count = waiting.recv_many(&mut messages, QUEUE_LEN_MAX) => {
                    if count == 0 {
                        return Ok(());
                    }
                    for frame in self.frames(std::mem::take(&mut messages)) {
                        frames.send(frame).await.map_err(closed)?;
                    }
                }
                answer = answers.message() => {
                    if answer?.is_none() {
                        return Err(Status::unavailable("the peer ended the stream"));
                    }
                }
            }
        }
    }

    /// Checks who answered; the other side has checked us by then.
    async fn greet(&self, answers: &mut Streaming<Frame>) -> Result<(), Status> {
        let answer = answers.message().await?.and_then(|frame| frame.hello);
        let answer = answer.ok_or_else(|| Status::internal("the peer answered without a hello"))?;
        let view = self.view.borrow().clone();
        // A refusal of ours is about the peer. Returned as it is, it would read like one of the peer's
        // about us, and end this node in the place of the one that lost its data.
        let ours = |refusal: Status| Status::failed_precondition(refusal.message());
        let speaker = self.local.check(&answer, &view).map_err(ours)?;
        let (peer, wall_us) = (speaker.peer, answer.wall_clock_us);
        for event in [PeerEvent::Seen(speaker), PeerEvent::Clock { peer, wall_us }] {
            self.events
                .send(event)
                .await
                .map_err(|_| Status::cancelled("this node is stopping"))?;
        }
        Ok(())
    }

    fn frames(&self, messages: Vec<RaftMessage>) -> Vec<Frame> {
        let checkpoint = self.view.borrow().checkpoint.map(|(log_index, hash)| Checkpoint {
            log_index,
            state_hash: hash.to_be_bytes().to_vec().into(),
        });
        let wall_clock_us = clock::wall().0;
        let frame = |messages| Frame {
            hello: None,
            messages,
            wall_clock_us,
            checkpoint: checkpoint.clone(),
        };
        let mut frames = Vec::new();
        let mut open = Vec::new();
        let mut len = 0;
        for message in messages {
            len += 64 + message.entries.iter().map(|entry| entry.data.len() + 32).sum::<usize>();
            open.push(message);
            if len >= FRAME_LEN {
                frames.push(frame(std::mem::take(&mut open)));
                len = 0;
            }
        }
        if !open.is_empty() {
            frames.push(frame(open));
        }
        frames
    }
}

pub(super) async fn connect(
    address: &str,
) -> Result<RaftServiceClient<tonic::transport::Channel>, Status> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|error| Status::invalid_argument(format!("peer address {address}: {error}")))?
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_secs(1))
        .keep_alive_timeout(Duration::from_secs(2))
        .keep_alive_while_idle(true)
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(8 << 20);
    let channel = endpoint
        .connect()
        .await
        .map_err(|error| Status::unavailable(format!("can't connect to {address}: {error}")))?;
    Ok(RaftServiceClient::new(channel)
        .max_decoding_message_size(FRAME_LEN_MAX)
        .max_encoding_message_size(FRAME_LEN_MAX))
}
