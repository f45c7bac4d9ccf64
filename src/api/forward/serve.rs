//! The leader's end: does what a follower passes on, or says that it does not lead.

use std::{
    pin::{Pin, pin},
    time::Duration,
};

use futures_util::{FutureExt as _, Stream, StreamExt as _, TryStreamExt as _};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::{
    api::{
        Gateway, NetworkRuntimes,
        command::{Answer, Call},
        deadline::Deadline,
        gateway::Underway,
        limits::{
            DEADLINE_DEFAULT, DEADLINE_MAX, FORWARD_ANSWERS_WAITING_MAX, FORWARD_IN_FLIGHT_MAX,
        },
        status,
    },
    proto::turnwise::peer::v1::{
        ForwardRequest, ForwardResponse, forward_service_server::ForwardService,
    },
};

use super::principal;

/// Serves the calls of other nodes' clients, on the peer port.
#[derive(Debug, Clone)]
pub struct Forwarded {
    gateway: Gateway,
    network: NetworkRuntimes,
}

impl Forwarded {
    pub(in crate::api) fn new(gateway: Gateway, network: NetworkRuntimes) -> Self {
        Self { gateway, network }
    }

    /// Gives a call its place in the order; `None` for one that only a newer node knows.
    async fn submit(self, request: ForwardRequest) -> (u64, Option<(Call, Underway)>) {
        let ForwardRequest { id, timeout, principal, bearer, call } = request;
        let principal = principal::read(principal, bearer);
        let time = timeout
            .and_then(|t| Duration::try_from(t).ok())
            .unwrap_or(DEADLINE_DEFAULT)
            .min(DEADLINE_MAX);
        match call {
            Some(call) => {
                let time = Deadline::after(time);
                let underway = self.gateway.submit_here(&call, &principal, time).await;
                (id, Some((call, underway)))
            }
            None => (id, None),
        }
    }
}

async fn answer(id: u64, underway: Option<(Call, Underway)>) -> ForwardResponse {
    let done = match underway {
        Some((call, underway)) => underway.answer(&call).await,
        None => Err(status::unknown_call()),
    };
    let result = done.unwrap_or_else(|refused| Answer::Status(status::to_peer(&refused)));
    ForwardResponse { id, result: Some(result) }
}

#[tonic::async_trait]
impl ForwardService for Forwarded {
    type ForwardStream = Pin<Box<dyn Stream<Item = Result<ForwardResponse, Status>> + Send>>;

    async fn forward(
        &self,
        request: Request<Streaming<ForwardRequest>>,
    ) -> Result<Response<Self::ForwardStream>, Status> {
        let this = self.clone();
        let answers = request
            .into_inner()
            .and_then(move |request| this.clone().submit(request).map(Ok))
            .map_ok(|(id, underway)| answer(id, underway).map(Ok))
            .try_buffer_unordered(FORWARD_IN_FLIGHT_MAX);
        // As calls of this node's own clients are: heartbeats do not wait behind what reading one takes. It ends
        // with the stream, or when nobody takes the answers any more.
        let (to, waiting) = mpsc::channel(FORWARD_ANSWERS_WAITING_MAX);
        self.network.one().spawn(async move {
            let mut answers = pin!(answers);
            while let Some(answer) = answers.next().await {
                if to.send(answer).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(waiting))))
    }
}
