//! `EventService`: what happened, from what this node keeps of it.
//!
//! Any node answers, from its own stretch of the log ([`EventLog`]); nothing is passed on. A watcher
//! reads there at its own pace and has no queue: one that is slower than the stretch lasts is told where
//! it stopped. It decides nothing.

use std::{pin::Pin, sync::Arc, time::Duration};

use futures_util::{Stream, stream};
use prost::Message as _;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{self, Instant},
};
use tonic::{Request, Response, Status};

use crate::{
    clock,
    events::{Compacted, Entry, EventLog, Stretch},
    proto::turnwise::v1::{
        Event, EventType, ListEventsRequest, ListEventsResponse, WatchEventsRequest,
        WatchEventsResponse, event_service_server::EventService,
    },
    replica::{ReadAt, Replica},
    routing::{self, Principal, Reading, State, TeamId},
    unavailable::Unavailable,
};

use super::{
    authenticate::{Caller, may_read},
    convert,
    filter::{self, Filter},
    limits::{
        PAGE_LEN_MAX, PAGE_SCAN_MAX, WATCH_CHECKED_EVERY, WATCH_LOOKED_AT_ONCE,
        WATCH_MESSAGE_EVENTS_MAX, WATCH_MESSAGE_LEN_MAX, WATCH_PROGRESS_EVERY, WATCHERS_MAX,
    },
    names, paging, reads, status,
    stopping::stopped,
    violations::Violations,
};

/// A watcher that was woken waits this long for more before it looks, so that a busy log does not wake
/// it for every entry.
const GATHER: Duration = Duration::from_millis(5);
/// What a list may be filtered by.
const FIELDS: &[&str] = &["type", "resource"];

#[derive(Debug)]
pub(super) struct Events {
    replica: Replica,
    log: EventLog,
    watchers: Arc<Semaphore>,
    /// True once the node is stopping: an open stream would hold it up.
    stopping: watch::Receiver<bool>,
}

impl Events {
    pub(super) fn new(replica: Replica, log: EventLog, stopping: watch::Receiver<bool>) -> Self {
        Self { replica, log, watchers: Arc::new(Semaphore::new(WATCHERS_MAX)), stopping }
    }

    /// Waits until this node keeps the events of all that was acknowledged before the call. Gives the
    /// index up to which that is, and whether the team is there.
    async fn caught_up(
        &self,
        caller: Caller,
        reading: Reading,
        team: &TeamId,
    ) -> Result<(u64, bool), Status> {
        let time = caller.time;
        let id = team.clone();
        let look = move |state: &State, at: ReadAt| Ok((at.applied_index, state.team(&id).is_ok()));
        let (index, exists) = reads::read(&self.replica, caller, reading, team, look).await?;
        let kept = time.or_late(self.log.reached(index)).await.map_err(status::unavailable)?;
        if !kept {
            return Err(status::unavailable(Unavailable::ShuttingDown));
        }
        Ok((index, exists))
    }
}

fn not_found(team: &TeamId) -> Status {
    let (kind, id) = (routing::ResourceKind::Team, team.to_string());
    status::rejected(team, &routing::Rejection::NotFound { kind, id })
}

#[tonic::async_trait]
impl EventService for Events {
    async fn list_events(
        &self,
        request: Request<ListEventsRequest>,
    ) -> Result<Response<ListEventsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let r = request.into_inner();
        let mut wrong = Violations::default();
        let team = wrong.take("parent", names::team(&r.parent));
        let size = wrong.take("page_size", paging::size(r.page_size));
        let from = wrong.take("page_token", paging::after(&r.page_token, place));
        let filter = wrong.take("filter", Filter::read(&r.filter, FIELDS));
        let built = team.zip(size).zip(from.zip(filter));
        let ((team, size), (from, filter)) = reads::checked(wrong, built)?;
        let principal = caller.principal.clone();
        let (_, exists) = self.caught_up(caller, Reading::Team, &team).await?;

        let (oldest_index, last) = self.log.range();
        let from = from.unwrap_or((r.start_index, 0));
        let from = if from.0 == 0 { (oldest_index, 0) } else { from };
        let from = from.max(since(&self.log, &principal, &team));
        let stretch = self.log.read(from.0, PAGE_SCAN_MAX);
        let stretch = stretch.map_err(|Compacted { oldest }| status::compacted(oldest, None))?;
        let (events, next) = page(&stretch, &team, from, size, &filter);
        let next = next.or((stretch.next <= last).then_some((stretch.next, 0)));
        if !exists && events.is_empty() && next.is_none() {
            return Err(not_found(&team));
        }
        let next_page_token = next.map(|(index, seq)| format!("{index}-{seq}"));
        let next_page_token = next_page_token.unwrap_or_default();
        reads::fitting(ListEventsResponse { events, next_page_token, oldest_index })
    }

    type WatchEventsStream =
        Pin<Box<dyn Stream<Item = Result<WatchEventsResponse, Status>> + Send>>;

    async fn watch_events(
        &self,
        request: Request<WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let caller = Caller::of(&request)?;
        let r = request.into_inner();
        let mut wrong = Violations::default();
        let team = wrong.take("parent", names::team(&r.parent));
        let team = reads::checked(wrong, team)?;
        let (index, exists) = self.caught_up(caller.clone(), Reading::Watch, &team).await?;
        let permit = Arc::clone(&self.watchers).try_acquire_owned();
        let permit = permit.map_err(|_| status::too_many_watchers(WATCHERS_MAX))?;
        // One that goes on may have to hear that its team is gone.
        if !exists && r.start_index == 0 {
            return Err(not_found(&team));
        }
        let next = if r.start_index == 0 { index + 1 } else { r.start_index };
        let since = since(&self.log, &caller.principal, &team);
        let (next, sent) = (next, 0).max(since);
        let watcher = Watcher {
            replica: self.replica.clone(),
            principal: caller.principal,
            check_at: now() + WATCH_CHECKED_EVERY,
            log: self.log.clone(),
            team,
            since,
            next,
            sent,
            // At once: the caller learns where it stands.
            progress_at: now(),
            stopping: self.stopping.clone(),
            _permit: permit,
        };
        let messages = stream::unfold(Some(watcher), |watcher| async {
            let mut watcher = watcher?;
            match watcher.message().await {
                Ok(message) => Some((Ok(message), Some(watcher))),
                Err(end) => Some((Err(end), None)),
            }
        });
        Ok(Response::new(Box::pin(messages)))
    }
}

fn now() -> Instant {
    Instant::from_std(clock::instant())
}

/// The index of an entry, and the number of an event in it.
type Place = (u64, usize);

/// Where the team begins that a caller knows. A token is of a team that is there: what happened to
/// another one, which was called so before and is deleted, is not for its holder. The operator sees all.
fn since(log: &EventLog, principal: &Principal, team: &TeamId) -> Place {
    let begins = match principal {
        Principal::Token(_) => log.created(team),
        Principal::Trusted(_) => None,
    };
    begins.unwrap_or_default()
}

/// A page token: the place of the next event to look at.
fn place(token: &str) -> Option<Place> {
    let (index, seq) = token.split_once('-')?;
    let place: Place = (index.parse().ok()?, seq.parse().ok()?);
    (format!("{}-{}", place.0, place.1) == token && place.0 > 0).then_some(place)
}

/// The team's events of a stretch from a place on, as far as they fit a page; and where to go on, if not
/// at the stretch's end.
fn page(
    stretch: &Stretch,
    team: &TeamId,
    from: Place,
    size: usize,
    filter: &Filter,
) -> (Vec<Event>, Option<Place>) {
    let mut page = Vec::new();
    let (mut len, mut looked) = (0, 0);
    for (here, event) in places(&stretch.entries).skip_while(|(place, _)| *place < from) {
        if event.team != *team {
            continue;
        }
        looked += 1;
        let (r#type, resource) = convert::type_and_resource(event);
        if filter.keeps(|field| value(field, r#type, &resource)) {
            let event = convert::event(here.0, here.1, event);
            len += event.encoded_len();
            // One is always given, or the list would end here for ever.
            if page.len() == size || (len > PAGE_LEN_MAX && !page.is_empty()) {
                return (page, Some(here));
            }
            page.push(event);
        }
        if looked > PAGE_SCAN_MAX {
            return (page, Some((here.0, here.1 + 1)));
        }
    }
    (page, None)
}

fn places(entries: &[Arc<Entry>]) -> impl Iterator<Item = (Place, &routing::Event)> {
    entries.iter().flat_map(|entry| {
        let places = (0..).map(|seq| (entry.index, seq));
        places.zip(&entry.events)
    })
}

fn value(field: &str, r#type: EventType, resource: &str) -> Option<String> {
    match field {
        "type" => filter::value(r#type.as_str_name(), "EVENT_TYPE_"),
        _ => Some(resource.to_owned()),
    }
}

/// One open stream.
struct Watcher {
    replica: Replica,
    principal: Principal,
    /// When it is asked again whether they may watch.
    check_at: Instant,
    log: EventLog,
    team: TeamId,
    /// Where the caller's team begins.
    since: Place,
    /// The index to go on at.
    next: u64,
    /// Events of that index that were looked at already: those of one index may take several messages.
    sent: usize,
    /// When the caller is told where it stands, even if nothing happened.
    progress_at: Instant,
    stopping: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
}

impl Watcher {
    /// The next message; waits until there is something to tell.
    async fn message(&mut self) -> Result<WatchEventsResponse, Status> {
        loop {
            if now() >= self.check_at {
                may_read(&self.replica, &self.principal, &self.team, Reading::Watch).await?;
                self.check_at = now() + WATCH_CHECKED_EVERY;
            }
            let stretch = self.log.read(self.next, WATCH_LOOKED_AT_ONCE);
            let stretch = stretch
                .map_err(|Compacted { oldest }| status::compacted(oldest, Some(self.next)))?;
            let since = since(&self.log, &self.principal, &self.team);
            if self.since != since {
                // Another team is called so by now, or the creation of this one is no longer kept.
                may_read(&self.replica, &self.principal, &self.team, Reading::Watch).await?;
                self.since = since;
            }
            let is_end = stretch.entries.len() < WATCH_LOOKED_AT_ONCE;
            let events = self.take(&stretch);
            if !events.is_empty() || now() >= self.progress_at {
                self.progress_at = now() + WATCH_PROGRESS_EVERY;
                return Ok(WatchEventsResponse { events, next_index: self.next });
            }
            if is_end {
                self.wait().await?;
            }
        }
    }

    /// Until something more is kept, or it is time to tell where the caller stands.
    async fn wait(&mut self) -> Result<(), Status> {
        let stopping = || Err(status::unavailable(Unavailable::ShuttingDown));
        tokio::select! {
            () = stopped(&mut self.stopping) => stopping(),
            more = self.log.reached(self.next) => {
                if !more {
                    return stopping();
                }
                time::sleep(GATHER).await;
                Ok(())
            }
            () = time::sleep_until(self.progress_at.min(self.check_at)) => Ok(()),
        }
    }

    /// The team's events as far as they fit a message, and moves on behind them.
    fn take(&mut self, stretch: &Stretch) -> Vec<Event> {
        let mut events = Vec::new();
        let mut len = 0;
        let from = (self.next, self.sent);
        for (here, event) in places(&stretch.entries).skip_while(|(place, _)| *place < from) {
            if event.team != self.team {
                continue;
            }
            let event = convert::event(here.0, here.1, event);
            len += event.encoded_len();
            let is_full = events.len() == WATCH_MESSAGE_EVENTS_MAX || len > WATCH_MESSAGE_LEN_MAX;
            if is_full && !events.is_empty() {
                (self.next, self.sent) = here;
                return events;
            }
            events.push(event);
        }
        (self.next, self.sent) = (stretch.next, 0);
        events
    }
}
