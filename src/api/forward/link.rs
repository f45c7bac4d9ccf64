//! The follower's end of the way to the leader.
//!
//! One task per peer owns the stream and the table of who waits. Every call that was handed to the
//! stream is answered: by the leader, or, when the stream breaks or the leadership goes elsewhere, as
//! `LEADERSHIP_LOST`, because it may have taken effect. A call still in the queue was certainly not
//! done, and is answered so.

use std::{collections::BTreeMap, time::Duration};

use tokio::sync::{mpsc, oneshot, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, transport::Channel};

use crate::{
    api::{
        command::{Answer, Call},
        limits::{ANSWER_LEN_MAX, FORWARD_IN_FLIGHT_MAX, FORWARD_QUEUE_MAX, PEER_CONNECT_MAX},
        status,
    },
    consensus::NodeId,
    proto::turnwise::peer::v1::{
        ForwardRequest, ForwardResponse, forward_service_client::ForwardServiceClient,
    },
    replica::{Status, WhenFull},
    routing::Principal,
    unavailable::Unavailable,
};

use super::principal;

type Answered = Result<Answer, tonic::Status>;

/// Where calls wait for their turn on the stream to one peer.
#[derive(Debug)]
pub(in crate::api) struct Link {
    queue: mpsc::Sender<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    request: ForwardRequest,
    answer: oneshot::Sender<Answered>,
}

impl Link {
    /// The link and the task that serves it; the task ends once the link is dropped.
    pub(in crate::api) fn new(
        peer: NodeId,
        channel: Channel,
        status: watch::Receiver<Status>,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (queue, waiting) = mpsc::channel(FORWARD_QUEUE_MAX);
        (Self { queue }, run(peer, channel, status, waiting))
    }

    /// Passes a call on, behind those passed on before.
    ///
    /// # Errors
    /// [`Unavailable::Overloaded`] where too many wait already.
    pub(in crate::api) async fn submit(
        &self,
        call: Call,
        principal: &Principal,
        time: Duration,
        when_full: WhenFull,
    ) -> Result<Passed, tonic::Status> {
        let (principal, bearer) = principal::written(principal);
        let request = ForwardRequest {
            id: 0,
            timeout: prost_types::Duration::try_from(time).ok(),
            principal,
            bearer,
            call: Some(call),
        };
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { request, answer };
        let queued = match when_full {
            WhenFull::Refuse => self.queue.try_send(waiting).map_err(|e| match e {
                mpsc::error::TrySendError::Full(_) => Unavailable::Overloaded,
                mpsc::error::TrySendError::Closed(_) => Unavailable::ShuttingDown,
            }),
            WhenFull::Wait => self.queue.send(waiting).await.map_err(|_| Unavailable::ShuttingDown),
        };
        queued.map_err(status::unavailable)?;
        Ok(Passed { answered })
    }
}

/// A call that was passed on.
pub(in crate::api) struct Passed {
    answered: oneshot::Receiver<Answered>,
}

impl Passed {
    /// The leader's answer, or a status that says why there is none.
    pub(in crate::api) async fn answer(self) -> Answered {
        self.answered.await.unwrap_or_else(|_| Err(status::unavailable(Unavailable::ShuttingDown)))
    }
}

impl Waiting {
    fn refuse(self, cause: Unavailable) {
        refuse(self.answer, cause);
    }
}

/// Nobody waits any more where the receiver is gone: their time ran out.
fn refuse(answer: oneshot::Sender<Answered>, cause: Unavailable) {
    drop(answer.send(Err(status::unavailable(cause))));
}

async fn run(
    peer: NodeId,
    channel: Channel,
    mut status: watch::Receiver<Status>,
    mut queue: mpsc::Receiver<Waiting>,
) {
    while let Some(first) = queue.recv().await {
        let leader = status.borrow().leader;
        if leader != Some(peer) {
            first.refuse(Unavailable::NotLeader { leader });
            continue;
        }
        match Stream::open(&channel).await {
            Some(stream) => stream.carry(first, &mut queue, &mut status, peer).await,
            None => {
                first.refuse(Unavailable::LeaderUnreachable);
                while let Ok(next) = queue.try_recv() {
                    next.refuse(Unavailable::LeaderUnreachable);
                }
            }
        }
    }
}

struct Stream {
    requests: mpsc::Sender<ForwardRequest>,
    responses: Streaming<ForwardResponse>,
    /// By number, who waits for the answer.
    waiting: BTreeMap<u64, oneshot::Sender<Answered>>,
    next_id: u64,
}

impl Stream {
    /// Opens a stream, on which nothing has been sent yet; `None` if the peer can't be reached.
    async fn open(channel: &Channel) -> Option<Self> {
        // Short: what waits here has left the queue and has not been sent.
        let (requests, outgoing) = mpsc::channel(64);
        let mut client = ForwardServiceClient::new(channel.clone())
            .max_decoding_message_size(ANSWER_LEN_MAX)
            .max_encoding_message_size(ANSWER_LEN_MAX);
        let opening = client.forward(ReceiverStream::new(outgoing));
        let opened = tokio::time::timeout(PEER_CONNECT_MAX, opening).await.ok()?;
        let responses = opened.ok()?.into_inner();
        Some(Self { requests, responses, waiting: BTreeMap::new(), next_id: 0 })
    }

    /// Carries calls and answers until the stream breaks, the peer no longer leads, or there is
    /// nothing left to do.
    async fn carry(
        mut self,
        first: Waiting,
        queue: &mut mpsc::Receiver<Waiting>,
        status: &mut watch::Receiver<Status>,
        peer: NodeId,
    ) {
        // The stream is new and takes the first call without waiting.
        let requests = self.requests.clone();
        match requests.try_reserve() {
            Ok(place) => self.send(place, first),
            Err(_) => return first.refuse(Unavailable::LeaderUnreachable),
        }
        let mut more = true;
        while more || !self.waiting.is_empty() {
            tokio::select! {
                response = self.responses.message() => match response {
                    Ok(Some(response)) => self.answer(response),
                    Ok(None) | Err(_) => break,
                },
                next = take(&requests, queue), if more && self.waiting.len() < FORWARD_IN_FLIGHT_MAX => {
                    match next {
                        Ok(Some((place, waiting))) => self.send(place, waiting),
                        Ok(None) => more = false,
                        Err(Broken) => break,
                    }
                }
                () = deposed(status, peer) => break,
            }
        }
        for answer in self.waiting.into_values() {
            refuse(answer, Unavailable::LeadershipLost);
        }
    }

    fn send(&mut self, place: mpsc::Permit<'_, ForwardRequest>, call: Waiting) {
        let Waiting { mut request, answer } = call;
        if answer.is_closed() {
            // Its time ran out in the queue; that it was not sent makes the leader's work less.
            return;
        }
        self.next_id += 1;
        request.id = self.next_id;
        self.waiting.insert(self.next_id, answer);
        place.send(request);
    }

    fn answer(&mut self, response: ForwardResponse) {
        let Some(answer) = self.waiting.remove(&response.id) else { return };
        let result = match response.result {
            Some(Answer::Status(refused)) => Err(status::from_peer(refused)),
            Some(done) => Ok(done),
            None => Err(status::internal()),
        };
        // Nobody waits any more where the receiver is gone: their time ran out.
        drop(answer.send(result));
    }
}

/// The stream takes no more.
struct Broken;

/// The next call, once the stream has room for it: so that a call leaves the queue only to be sent,
/// and a full stream never keeps answers from being read.
///
/// `None` once there will be no more.
async fn take<'a>(
    requests: &'a mpsc::Sender<ForwardRequest>,
    queue: &mut mpsc::Receiver<Waiting>,
) -> Result<Option<(mpsc::Permit<'a, ForwardRequest>, Waiting)>, Broken> {
    let place = requests.reserve().await.map_err(|_| Broken)?;
    Ok(queue.recv().await.map(|waiting| (place, waiting)))
}

/// Returns once this node knows that `peer` does not lead: a stopped leader would hold the callers
/// until their deadline.
async fn deposed(status: &mut watch::Receiver<Status>, peer: NodeId) {
    // An error says that this node is stopping, which ends the wait just as well.
    drop(status.wait_for(|status| status.leader != Some(peer)).await);
}
