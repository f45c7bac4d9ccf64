//! Events over one stream, resumed on another node when it breaks.
//!
//! Every message says at which index to go on. While more events of one index follow, that is the index
//! itself: a stream resumed there begins with events that were told before, on whichever node, and they
//! are passed over here.

use std::{ops::ControlFlow, time::Duration};

use tokio::time::Instant;
use tonic::Status;

use super::{
    answer::{Error, retryable},
    connection::Client,
    retry::{Event as Happened, Step},
};
use crate::proto::turnwise::v1::{
    Event, WatchEventsRequest, WatchEventsResponse, event_service_client::EventServiceClient,
};

/// What a watcher is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Watched {
    /// The events of one or more log indexes, in order; none, where only the index moved on.
    Events {
        /// What happened.
        events: Vec<Event>,
        /// Where to go on later.
        next_index: u64,
    },
    /// The stream broke and is opened anew; nothing is missed.
    Broken {
        /// What went wrong.
        what: String,
        /// Where it goes on.
        next_index: u64,
    },
}

/// Why a stream ended.
enum Ended<E> {
    /// The watcher has seen enough.
    Enough,
    Watcher(E),
    Broken(Status),
}

impl Client {
    /// Calls `each` with every event of the team (its resource name) from `start_index` on, without
    /// gaps, until that breaks off or fails. With 0: from now on.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`], such as for an index that is no longer kept; [`Error::Unavailable`] if no node
    /// could be reached within the client's deadline; or what `each` returned.
    pub async fn watch_events<E: From<Error>>(
        &self,
        team: &str,
        start_index: u64,
        mut each: impl FnMut(Watched) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let mut next_index = start_index;
        let mut told = None;
        let mut start = Instant::now();
        let mut retry = self.retry(self.options.deadline);
        let mut last = "it was never sent".to_owned();
        let mut happened = Happened::Start;
        loop {
            let endpoint = match retry.step(happened, start.elapsed(), rand::random()) {
                Step::GiveUp => {
                    let deadline = self.options.deadline;
                    return Err(Error::Unavailable { deadline, last }.into());
                }
                Step::Wait { until } => {
                    tokio::time::sleep_until(start + until).await;
                    happened = Happened::Woke;
                    continue;
                }
                Step::Send { endpoint, until: _ } => endpoint,
            };
            let before = next_index;
            let mut opened = None;
            let so_far = (&mut next_index, &mut told);
            let following = self.follow(endpoint, team, so_far, &mut opened, &mut each);
            let ended = Box::pin(following).await;
            let status = match ended {
                Ended::Enough => return Ok(()),
                Ended::Watcher(error) => return Err(error),
                Ended::Broken(status) => status,
            };
            let Some(answer) = retryable(&status, |address| self.endpoint_of(address)) else {
                return Err(Error::Refused(Box::new(status)).into());
            };
            last = self.describe(endpoint, &status);
            let lasted = opened
                .is_some_and(|opened: Instant| opened.elapsed() > self.options.policy.attempt_max);
            if next_index != before || lasted {
                // It worked for a while: the deadline and the pauses count from here.
                start = Instant::now();
                retry = self.retry(self.options.deadline);
                let broken = Watched::Broken { what: last.clone(), next_index };
                if each(broken)?.is_break() {
                    return Ok(());
                }
            }
            happened = Happened::Answered(answer);
        }
    }

    /// Follows one stream until it ends.
    async fn follow<E>(
        &self,
        endpoint: usize,
        team: &str,
        (next_index, told): (&mut u64, &mut Option<(u64, u64)>),
        opened: &mut Option<Instant>,
        each: &mut impl FnMut(Watched) -> Result<ControlFlow<()>, E>,
    ) -> Ended<E> {
        let mut service = EventServiceClient::new(self.channel(endpoint));
        let request = WatchEventsRequest { parent: team.to_owned(), start_index: *next_index };
        let opening =
            within(self.options.policy.attempt_max, service.watch_events(self.request(request)));
        let mut stream = match opening.await {
            Ok(response) => response.into_inner(),
            Err(status) => return Ended::Broken(status),
        };
        self.prefer(endpoint);
        *opened = Some(Instant::now());
        loop {
            // Nothing may happen for hours; a node that is gone is found out by keep-alive.
            let message = match stream.message().await {
                Ok(Some(message)) => message,
                Ok(None) => return Ended::Broken(Status::cancelled("the node ended the stream")),
                Err(status) => return Ended::Broken(status),
            };
            let WatchEventsResponse { mut events, next_index: next } = message;
            events.retain(|event| place(event) > *told);
            *told = events.last().map_or(*told, place);
            *next_index = next;
            match each(Watched::Events { events, next_index: next }) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return Ended::Enough,
                Err(error) => return Ended::Watcher(error),
            }
        }
    }
}

/// The index of an event, and its number there.
fn place(event: &Event) -> Option<(u64, u64)> {
    let (index, seq) = event.name.rsplit('/').next()?.split_once('-')?;
    Some((index.parse().ok()?, seq.parse().ok()?))
}

async fn within<T>(
    time: Duration,
    call: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    let answer = tokio::time::timeout(time, Box::pin(call)).await;
    answer.unwrap_or_else(|_| Err(Status::cancelled("no answer in time")))
}
