//! What happened of late, for those who watch: a stretch of the log's events, kept in each node's memory.
//!
//! The thread that owns the state only hands events over ([`EventFeed`]), which neither blocks nor
//! waits, and wakes nobody but a reader that waits for them. Whoever reads ([`EventLog`]) puts what was handed
//! over into the bounded stretch first; where nobody reads for long, a task of its own ([`Keeper`]) does. Within
//! the stretch no index is missing: what is let go goes from its old end, and where something could not be
//! kept, it begins anew. It is no part of the state: after a start it begins behind the snapshot that was loaded.

mod size;

use std::{
    collections::{HashMap, VecDeque},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, watch};

use crate::{
    consensus::EventSink,
    routing::{Change, Event, TeamId},
};

/// How much is kept: whichever is reached first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Events.
    pub events_max: usize,
    /// What they take, in bytes, as estimated.
    pub bytes_max: usize,
}

impl Default for Bounds {
    /// 100,000 events, 64 MiB.
    fn default() -> Self {
        Self { events_max: 100_000, bytes_max: 64 << 20 }
    }
}

/// Events and empty entries that may have been handed over and not kept yet. More are not kept: it never
/// happens unless the machine gives the keeper no time at all.
const UNDERWAY_MAX: usize = 200_000;
/// At so many of them the keeper is woken, if no reader has come before.
const KEPT_AT_ONCE: usize = 1_024;
/// The index of the state that a cluster begins with, in which there is nothing.
const FOUNDING: u64 = 1;

/// What one entry of the log made happen: at least one event. An event's place here is its `seq`.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// The entry's place in the log.
    pub index: u64,
    /// In order.
    pub events: Vec<Event>,
    bytes: usize,
}

/// The start asked for lies before what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// The least index from which all events are kept.
    pub oldest: u64,
}

/// Entries in order, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Those in which something happened.
    pub entries: Vec<Arc<Entry>>,
    /// The first index that this does not cover.
    pub next: u64,
}

/// The events of late. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EventLog {
    shared: Arc<Shared>,
    last: watch::Receiver<u64>,
}

/// The end that the thread which owns the state holds.
#[derive(Debug)]
pub struct EventFeed {
    shared: Arc<Shared>,
    /// The last index handed over.
    last: watch::Sender<u64>,
    /// Something was not handed over.
    lost: bool,
}

/// Keeps what is handed over while nobody reads.
#[derive(Debug)]
pub struct Keeper {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Held by whoever keeps, and then reads.
    kept: Mutex<Kept>,
    /// Held for as long as it takes to put something there, or to take all.
    underway: Mutex<Underway>,
    /// Much is under way.
    much: Notify,
}

/// Handed over, and not kept yet.
#[derive(Debug, Default)]
struct Underway {
    told: Vec<Told>,
    /// Events and empty entries.
    weight: usize,
    /// Nothing more will come.
    ended: bool,
}

#[derive(Debug)]
enum Told {
    Loaded(u64),
    Applied(u64, Vec<Event>),
}

/// The three ends of a new one. What is handed over stays bounded while [`Keeper::run`] runs.
#[must_use]
pub fn events(bounds: Bounds) -> (EventFeed, Keeper, EventLog) {
    let kept = Mutex::new(Kept::new(bounds));
    let shared = Arc::new(Shared { kept, underway: Mutex::default(), much: Notify::new() });
    let (last, seen) = watch::channel(0);
    let feed = EventFeed { shared: Arc::clone(&shared), last, lost: false };
    (feed, Keeper { shared: Arc::clone(&shared) }, EventLog { shared, last: seen })
}

impl EventFeed {
    fn tell(&self, index: u64, told: impl IntoIterator<Item = Told>) {
        let is_much = {
            let mut underway = lock(&self.shared.underway);
            let mut lets_go = false;
            for told in told {
                // All that was kept before.
                lets_go |= matches!(told, Told::Loaded(_));
                underway.weight += told.weight();
                underway.told.push(told);
            }
            lets_go || underway.weight >= KEPT_AT_ONCE
        };
        if is_much {
            self.shared.much.notify_one();
        }
        // Nobody is woken by this who does not wait for it.
        self.last.send_replace(index);
    }
}

impl Drop for EventFeed {
    fn drop(&mut self) {
        lock(&self.shared.underway).ended = true;
        self.shared.much.notify_one();
    }
}

impl Told {
    fn weight(&self) -> usize {
        match self {
            Self::Loaded(_) => 1,
            Self::Applied(_, events) => events.len().max(1),
        }
    }
}

impl EventSink<Event> for EventFeed {
    fn loaded(&mut self, index: u64) {
        self.lost = false;
        self.tell(index, [Told::Loaded(index)]);
    }

    fn applied(&mut self, index: u64, events: Vec<Event>) {
        let told = Told::Applied(index, events);
        // Nobody else adds to it.
        if lock(&self.shared.underway).weight + told.weight() > UNDERWAY_MAX {
            self.lost = true;
            return;
        }
        let anew = mem::take(&mut self.lost).then(|| Told::Loaded(index.saturating_sub(1)));
        self.tell(index, anew.into_iter().chain([told]));
    }
}

impl Keeper {
    /// Keeps events until the feed is gone.
    pub async fn run(self) {
        while !self.shared.with(|_, ended| ended) {
            self.shared.much.notified().await;
        }
    }
}

impl Shared {
    /// Keeps what was handed over, and looks at what is kept; and whether the feed is gone.
    fn with<T>(&self, look: impl FnOnce(&Kept, bool) -> T) -> T {
        let mut let_go = Vec::new();
        let mut kept = lock(&self.kept);
        let (told, ended) = {
            let mut underway = lock(&self.underway);
            underway.weight = 0;
            (mem::take(&mut underway.told), underway.ended)
        };
        for told in told {
            match told {
                Told::Loaded(index) => kept.begin_after(index, &mut let_go),
                Told::Applied(index, events) => kept.add(index, events, &mut let_go),
            }
        }
        let seen = look(&kept, ended);
        // What is let go is freed without the lock.
        drop(kept);
        seen
    }
}

impl EventLog {
    /// Entries from this index on, at most so many; and where to go on. An index to come is no error:
    /// then there are none yet.
    ///
    /// # Errors
    /// [`Compacted`], if not all from there on are kept.
    pub fn read(&self, from: u64, entries_max: usize) -> Result<Stretch, Compacted> {
        self.shared.with(|kept, _| kept.read(from, entries_max))
    }

    /// The least index from which all events are kept, and the last one told.
    #[must_use]
    pub fn range(&self) -> (u64, u64) {
        self.shared.with(|kept, _| (kept.first, kept.last))
    }

    /// Where the team was created, as an index and the event's place in that entry; the last time, if
    /// there were several of its name. `None` = before all that is kept, or never.
    #[must_use]
    pub fn created(&self, team: &TeamId) -> Option<(u64, usize)> {
        self.shared.with(|kept, _| kept.created.get(team).copied())
    }

    /// Returns once the events of this index can be read, or nothing more will come: then with `false`.
    pub async fn reached(&self, index: u64) -> bool {
        self.last.clone().wait_for(|last| *last >= index).await.is_ok()
    }
}

fn lock<T>(guarded: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change under the locks is whole before anything in it can panic.
    guarded.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All that happened from `first` to `last`.
#[derive(Debug)]
struct Kept {
    bounds: Bounds,
    first: u64,
    last: u64,
    entries: VecDeque<Arc<Entry>>,
    /// The last creation of each team, as far as that event is kept.
    created: HashMap<TeamId, (u64, usize)>,
    events: usize,
    bytes: usize,
}

impl Kept {
    fn new(bounds: Bounds) -> Self {
        let (entries, created) = (VecDeque::new(), HashMap::new());
        Self { bounds, first: 1, last: 0, entries, created, events: 0, bytes: 0 }
    }

    fn begin_after(&mut self, index: u64, let_go: &mut Vec<Arc<Entry>>) {
        let_go.extend(self.entries.drain(..));
        self.created.clear();
        (self.events, self.bytes) = (0, 0);
        // At the founding state's index nothing has happened yet.
        self.first = if index > FOUNDING { index.saturating_add(1) } else { 1 };
        self.last = index;
    }

    fn add(&mut self, index: u64, events: Vec<Event>, let_go: &mut Vec<Arc<Entry>>) {
        self.last = index;
        if events.is_empty() {
            return;
        }
        let bytes = events.iter().map(size::of).sum();
        self.created.extend(creations(index, &events).map(|(team, place)| (team.clone(), place)));
        (self.events, self.bytes) = (self.events + events.len(), self.bytes + bytes);
        self.entries.push_back(Arc::new(Entry { index, events, bytes }));
        // The newest stays whatever its size, or those who keep up would miss it.
        while self.entries.len() > 1
            && (self.events > self.bounds.events_max || self.bytes > self.bounds.bytes_max)
            && let Some(old) = self.entries.pop_front()
        {
            (self.events, self.bytes) = (self.events - old.events.len(), self.bytes - old.bytes);
            self.first = old.index + 1;
            for (team, place) in creations(old.index, &old.events) {
                if self.created.get(team) == Some(&place) {
                    self.created.remove(team);
                }
            }
            let_go.push(old);
        }
    }

    fn read(&self, from: u64, entries_max: usize) -> Result<Stretch, Compacted> {
        if from < self.first {
            return Err(Compacted { oldest: self.first });
        }
        let start = self.entries.partition_point(|entry| entry.index < from);
        let entries: Vec<_> = self.entries.iter().skip(start).take(entries_max).cloned().collect();
        let is_all = start + entries.len() == self.entries.len();
        let next = match entries.last() {
            Some(last) if !is_all => last.index + 1,
            Some(_) | None => from.max(self.last.saturating_add(1)),
        };
        Ok(Stretch { entries, next })
    }
}

fn creations(index: u64, events: &[Event]) -> impl Iterator<Item = (&TeamId, (u64, usize))> {
    let of_team = move |(seq, event): (usize, &'_ Event)| {
        let is_creation = matches!(event.change, Change::Team { before: None, after: Some(_) });
        is_creation.then_some((index, seq))
    };
    let places = events.iter().enumerate();
    places.filter_map(move |(seq, event)| of_team((seq, event)).map(|place| (&event.team, place)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::{self, GroupAction, GroupId, LogPosition, Meta, Revision, Time};

    fn event(index: u64, principal: &str) -> Event {
        Event {
            position: LogPosition { log_index: index, seq: 0, term: 1 },
            time: Time(index),
            team: TeamId::new("sales"),
            principal: principal.to_owned(),
            change: Change::Group {
                group: GroupId::new("west"),
                before: Some(Revision { log_index: 1, seq: 0 }),
                after: Some(Revision { log_index: 2, seq: 0 }),
                action: GroupAction::Updated,
            },
        }
    }
    fn some(index: u64, count: usize) -> Vec<Event> {
        vec![event(index, ""); count]
    }
    fn bounds(events_max: usize, bytes_max: usize) -> Bounds {
        Bounds { events_max, bytes_max }
    }
    fn indexes(stretch: &Stretch) -> Vec<u64> {
        stretch.entries.iter().map(|entry| entry.index).collect()
    }
    /// A stretch told directly: (index, number of events).
    fn kept(bounds: Bounds, loaded: u64, told: &[(u64, usize)]) -> Kept {
        let mut kept = Kept::new(bounds);
        kept.begin_after(loaded, &mut Vec::new());
        for &(index, count) in told {
            kept.add(index, some(index, count), &mut Vec::new());
        }
        kept
    }

    #[test]
    fn a_reader_gets_every_entry_once_and_goes_on_where_it_was_told() {
        let kept = kept(Bounds::default(), 4, &[(5, 1), (6, 0), (7, 2), (8, 0), (9, 1), (10, 0)]);
        let mut next = 5;
        let mut seen = Vec::new();
        loop {
            let stretch = kept.read(next, 1).unwrap();
            seen.push((indexes(&stretch), stretch.next));
            if stretch.entries.is_empty() {
                break;
            }
            next = stretch.next;
        }
        assert_eq!(seen, [(vec![5], 6), (vec![7], 8), (vec![9], 11), (vec![], 11)]);
        assert_eq!(kept.read(11, 9).unwrap(), Stretch { entries: vec![], next: 11 });
        // Another node is ahead of this one.
        assert_eq!(kept.read(99, 9).unwrap(), Stretch { entries: vec![], next: 99 });
        assert_eq!(kept.read(4, 9), Err(Compacted { oldest: 5 }));
    }

    #[test]
    fn the_oldest_go_first_at_either_bound_and_the_newest_stays() {
        let by_count = kept(bounds(3, usize::MAX), 0, &[(1, 1), (2, 1), (3, 1), (4, 0)]);
        assert_eq!(by_count.read(1, 9).map(|all| indexes(&all)), Ok(vec![1, 2, 3]));
        let by_count = kept(bounds(3, usize::MAX), 0, &[(1, 1), (2, 1), (3, 1), (4, 1)]);
        assert_eq!(by_count.read(1, 9), Err(Compacted { oldest: 2 }));
        assert_eq!(by_count.read(2, 9).map(|all| indexes(&all)), Ok(vec![2, 3, 4]));

        let one = size::of(&event(1, ""));
        let by_bytes = kept(bounds(9, 2 * one), 0, &[(1, 1), (2, 1)]);
        assert_eq!(by_bytes.read(1, 9).map(|all| indexes(&all)), Ok(vec![1, 2]));
        let by_bytes = kept(bounds(9, 2 * one), 0, &[(1, 1), (2, 1), (3, 1)]);
        assert_eq!(by_bytes.read(1, 9), Err(Compacted { oldest: 2 }));
        assert_eq!((by_bytes.events, by_bytes.bytes), (2, 2 * one));

        let huge = kept(bounds(3, 1), 0, &[(1, 1), (2, 9)]);
        assert_eq!(huge.read(2, 9).map(|all| indexes(&all)), Ok(vec![2]));
    }

    #[test]
    fn where_a_team_was_created_last_is_known_as_long_as_that_is_kept() {
        let team = |before: bool, after: bool| {
            let team = || {
                Box::new(routing::Team {
                    id: TeamId::new("sales"),
                    display_name: String::new(),
                    time_zone: String::new(),
                    default_rule: None,
                    meta: Meta::default(),
                })
            };
            let (before, after) = (before.then(team), after.then(team));
            Event { change: Change::Team { before, after }, ..event(1, "") }
        };
        let [created, changed, deleted] = [(false, true), (true, true), (true, false)];
        let mut kept = kept(bounds(4, usize::MAX), 1, &[]);
        let mut add = |index, what: &[(bool, bool)]| {
            let events = what.iter().map(|(before, after)| team(*before, *after)).collect();
            kept.add(index, events, &mut Vec::new());
            kept.created.get(&TeamId::new("sales")).copied()
        };
        assert_eq!(add(2, &[created, changed]), Some((2, 0)));
        assert_eq!(add(3, &[deleted, created]), Some((3, 1)));
        assert_eq!(add(4, &[changed]), Some((3, 1)), "the former one's is let go");
        assert_eq!(add(5, &[changed, changed, changed]), None, "all that is kept is its own");
        assert_eq!(add(6, &[deleted, created]), Some((6, 1)));
        kept.begin_after(9, &mut Vec::new());
        assert!(kept.created.is_empty());
    }

    #[test]
    fn longer_events_count_for_more() {
        assert_eq!(size::of(&event(1, "four")), size::of(&event(1, "")) + 4);
    }

    #[tokio::test]
    async fn what_is_told_can_be_read_and_a_loaded_state_begins_anew() {
        let (mut feed, keeper, log) = events(Bounds::default());
        let keeping = tokio::spawn(keeper.run());
        feed.loaded(1);
        feed.applied(2, some(2, 1));
        feed.applied(3, some(3, 2));
        assert!(log.reached(3).await);
        assert_eq!(log.read(1, 9).map(|all| indexes(&all)), Ok(vec![2, 3]), "from the beginning");
        feed.loaded(70);
        feed.applied(71, some(71, 1));
        assert!(log.reached(71).await);
        assert_eq!(log.read(3, 9), Err(Compacted { oldest: 71 }));
        assert_eq!(log.range(), (71, 71));
        drop(feed);
        keeping.await.unwrap();
        assert!(!log.reached(72).await, "nothing more will come");
    }

    #[tokio::test]
    async fn a_keeper_without_time_costs_readers_a_gap_and_the_feed_nothing() {
        let (mut feed, keeper, log) = events(Bounds::default());
        feed.loaded(0);
        // One more than fits, since the load counts too.
        let full = u64::try_from(UNDERWAY_MAX).unwrap();
        (1..=full).for_each(|index| feed.applied(index, Vec::new()));
        assert_eq!(lock(&feed.shared.underway).weight, UNDERWAY_MAX);
        assert!(feed.lost);
        assert_eq!(log.range(), (1, full - 1), "a reader keeps what there is");
        feed.applied(full + 1, some(full + 1, 1));
        assert!(log.reached(full + 1).await);
        assert_eq!(log.read(full, 9), Err(Compacted { oldest: full + 1 }));
        assert_eq!(log.read(full + 1, 9).map(|all| indexes(&all)), Ok(vec![full + 1]));
        drop(feed);
        keeper.run().await;
    }

    #[tokio::test]
    async fn what_nobody_reads_is_kept_by_the_keeper_and_a_little_wakes_nobody() {
        let (mut feed, keeper, _log) = events(Bounds::default());
        let shared = Arc::clone(&feed.shared);
        let keeping = tokio::spawn(keeper.run());
        feed.loaded(9);
        while lock(&shared.kept).last < 9 {
            tokio::task::yield_now().await;
        }
        let much = u64::try_from(KEPT_AT_ONCE).unwrap();
        (10..9 + much).for_each(|index| feed.applied(index, Vec::new()));
        tokio::task::yield_now().await;
        assert_eq!(lock(&shared.kept).last, 9, "there is one too few");
        feed.applied(9 + much, Vec::new());
        while lock(&shared.kept).last < 9 + much {
            tokio::task::yield_now().await;
        }
        drop(feed);
        keeping.await.unwrap();
    }
}
