//! Many assigns over one stream, resumed on another node when it breaks.
//!
//! Up to `concurrency` items are under way. Results are handed over in the order of the items. What
//! was answered UNAVAILABLE, or not at all because the stream broke, is sent again with its own request
//! id. After trouble nothing new is sent until the rest has been answered or given up; then `retry`
//! says when and where to go on.

use std::pin::{Pin, pin};

use futures_util::{
    FutureExt as _, Stream, StreamExt as _,
    stream::{self, FusedStream},
};
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::{
    answer::{Error, retryable, retryable_item},
    connection::{Client, fresh_request_id},
    retry::{Answer, Event, Step},
    window::Window,
};
use crate::proto::turnwise::v1::{
    AssignContactRequest, AssignContactResponse, AssignContactsRequest, AssignContactsResponse,
    ItemStatus, assign_contacts_response::Result as ItemResult,
    routing_service_client::RoutingServiceClient,
};

type Pending = Window<AssignContactRequest, Result<AssignContactResponse, Error>>;

/// Both directions of an open stream.
struct Open {
    endpoint: usize,
    items: mpsc::Sender<AssignContactsRequest>,
    answers: Streaming<AssignContactsResponse>,
    /// Answers had on this stream, which is the number of the next.
    answered: u64,
}

/// Why a stream can't go on for now.
struct Trouble {
    answer: Answer,
    what: String,
    /// Whether the stream itself is of no more use.
    broken: bool,
}

impl Client {
    /// Assigns all of `requests`, at most `concurrency` at a time, and calls `each` with the number of
    /// each (from 0) and its result, in order. An `Err` that `each` returns ends it.
    ///
    /// Every item gets a fresh request id, unless it brings one. A refused item is a result like
    /// any other.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] after the client's deadline without any progress, [`Error::Refused`] if a
    /// node refuses the stream as such, or what `each` returned.
    pub async fn assign_many<E: From<Error>>(
        &self,
        requests: impl IntoIterator<Item = AssignContactRequest>,
        concurrency: usize,
        each: impl FnMut(u64, Result<AssignContactResponse, Error>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.assign_stream(stream::iter(requests), concurrency, each).await
    }

    /// The same for requests that come bit by bit: each is sent as soon as it is there. Ends when all that
    /// came have been answered and no more will come.
    ///
    /// # Errors
    ///
    /// As [`Client::assign_many`]. To wait for a request is no lack of progress.
    pub async fn assign_stream<E: From<Error>>(
        &self,
        requests: impl Stream<Item = AssignContactRequest>,
        concurrency: usize,
        mut each: impl FnMut(u64, Result<AssignContactResponse, Error>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut requests = pin!(requests.map(with_request_id).fuse());
        let mut window = Pending::new(concurrency);
        let mut open: Option<Open> = None;
        let mut start = Instant::now();
        let mut retry = self.retry(self.options.deadline);
        let mut last = "it was never sent".to_owned();
        let mut event = Event::Start;
        loop {
            let endpoint = match retry.step(event, start.elapsed(), rand::random()) {
                Step::GiveUp => {
                    let deadline = self.options.deadline;
                    return Err(Error::Unavailable { deadline, last }.into());
                }
                Step::Wait { until } => {
                    tokio::time::sleep_until(start + until).await;
                    event = Event::Woke;
                    continue;
                }
                Step::Send { endpoint, until: _ } => endpoint,
            };
            while window.has_room()
                && let Some(request) = requests.next().now_or_never().flatten()
            {
                window.push(request);
            }
            if window.is_empty() {
                let Some(request) = requests.next().await else { return Ok(()) };
                window.push(request);
                start = Instant::now();
            }
            let ran = self.run(&mut open, endpoint, concurrency, &mut window, requests.as_mut());
            let ran = Box::pin(ran).await;
            let mut progress = ran.is_ok();
            while let Some((number, result)) = window.pop_done() {
                progress = true;
                each(number, result)?;
            }
            if progress {
                // The deadline and the pauses count from the last progress.
                start = Instant::now();
                retry = self.retry(self.options.deadline);
            }
            event = match ran {
                Ok(()) => Event::Start,
                Err(Stop::Refused(error)) => return Err(error.into()),
                Err(Stop::Trouble(trouble)) => {
                    if trouble.broken {
                        open = None;
                        window.broke();
                    }
                    last = trouble.what;
                    Event::Answered(trouble.answer)
                }
            };
        }
    }

    /// Sends what is unsent, and what comes meanwhile, and takes answers until one has come, or there is
    /// trouble and nothing unanswered is left.
    async fn run(
        &self,
        open: &mut Option<Open>,
        endpoint: usize,
        concurrency: usize,
        window: &mut Pending,
        mut requests: Pin<&mut impl FusedStream<Item = AssignContactRequest>>,
    ) -> Result<(), Stop> {
        if open.as_ref().is_none_or(|open| open.endpoint != endpoint) {
            window.broke();
            *open = Some(self.open(endpoint, concurrency, window).await?);
        }
        let Some(open) = open else { return Ok(()) };
        send(&open.items, window)?;
        let mut trouble = None;
        let mut until = Instant::now() + self.options.policy.attempt_max;
        loop {
            let takes_more = trouble.is_none() && window.has_room() && !requests.is_terminated();
            let answer = tokio::select! {
                biased;
                answer = self.next_answer(open, until) => answer?,
                Some(request) = requests.next(), if takes_more => {
                    window.push(request);
                    send(&open.items, window)?;
                    continue;
                }
            };
            until = Instant::now() + self.options.policy.attempt_max;
            match answer {
                Ok(response) => window.answered(Ok(response)),
                Err(status) => {
                    let delay = status.retry_delay.and_then(|delay| delay.try_into().ok());
                    let code = Code::from_i32(status.code);
                    match retryable_item(code, delay) {
                        Some(answer) => {
                            let what = status.message;
                            trouble = Some(Trouble { answer, what, broken: false });
                            window.answered_try_again()
                        }
                        None => window.answered(Err(refused(&status))),
                    }
                }
            };
            match trouble {
                None => {
                    self.prefer(endpoint);
                    return Ok(());
                }
                Some(trouble) if window.unanswered() == 0 => return Err(Stop::Trouble(trouble)),
                Some(_) => {}
            }
        }
    }

    /// Opens a stream, with as many items already on it as it takes.
    async fn open(
        &self,
        endpoint: usize,
        concurrency: usize,
        window: &mut Pending,
    ) -> Result<Open, Stop> {
        let (items, outgoing) = mpsc::channel(concurrency.max(1));
        // The node may answer only once there is something to answer.
        send(&items, window)?;
        let mut service = RoutingServiceClient::new(self.channel(endpoint));
        let opening =
            Box::pin(service.assign_contacts(self.request(ReceiverStream::new(outgoing))));
        let opened = tokio::time::timeout(self.options.policy.attempt_max, opening).await;
        match opened.unwrap_or_else(|_| Err(Status::cancelled("no answer in time"))) {
            Ok(response) => {
                Ok(Open { endpoint, items, answers: response.into_inner(), answered: 0 })
            }
            Err(status) => Err(self.stopped(endpoint, status)),
        }
    }

    async fn next_answer(
        &self,
        open: &mut Open,
        until: Instant,
    ) -> Result<Result<AssignContactResponse, ItemStatus>, Stop> {
        let message = tokio::time::timeout_at(until, open.answers.message());
        let message = message.await.unwrap_or_else(|_| Err(Status::cancelled("no answer in time")));
        let AssignContactsResponse { item, result } = match message {
            Ok(Some(answer)) => answer,
            Ok(None) => return Err(broken("the node ended the stream")),
            Err(status) => return Err(self.stopped(open.endpoint, status)),
        };
        if item != open.answered {
            return Err(broken("an answer out of order"));
        }
        open.answered += 1;
        match result {
            Some(ItemResult::Response(response)) => Ok(Ok(response)),
            Some(ItemResult::Status(status)) => Ok(Err(status)),
            None => Err(broken("an answer without a result")),
        }
    }

    fn stopped(&self, endpoint: usize, status: Status) -> Stop {
        match retryable(&status, |address| self.endpoint_of(address)) {
            Some(answer) => {
                let what = self.describe(endpoint, &status);
                Stop::Trouble(Trouble { answer, what, broken: true })
            }
            None => Stop::Refused(Error::Refused(Box::new(status))),
        }
    }
}

/// Sends what is unsent, as far as there is room on the way.
fn send(items: &mpsc::Sender<AssignContactsRequest>, window: &mut Pending) -> Result<(), Stop> {
    while items.capacity() > 0
        && let Some(request) = window.send_next()
    {
        let item = AssignContactsRequest { request: Some(request) };
        items.try_send(item).map_err(|_| broken("the stream was closed"))?;
    }
    Ok(())
}

fn with_request_id(mut request: AssignContactRequest) -> AssignContactRequest {
    if request.request_id.is_empty() {
        request.request_id = fresh_request_id();
    }
    request
}

enum Stop {
    Trouble(Trouble),
    Refused(Error),
}

fn broken(what: &str) -> Stop {
    Stop::Trouble(Trouble { answer: Answer::Unreachable, what: what.to_owned(), broken: true })
}

/// An item's status as a status of its own, with its reason and field.
fn refused(item: &ItemStatus) -> Error {
    use tonic_types::{ErrorDetails, StatusExt as _};
    let mut details = ErrorDetails::new();
    if !item.reason.is_empty() {
        details.set_error_info(&item.reason, "turnwise", std::collections::HashMap::new());
    }
    if !item.field.is_empty() {
        details.add_bad_request_violation(&item.field, &item.message);
    }
    let code = Code::from_i32(item.code);
    Error::Refused(Box::new(Status::with_error_details(code, &item.message, details)))
}
