//! Which piece of work is next, and when it was due.
//!
//! In an open loop a thread of its own lets work through when it is due, because the timers of tokio have
//! a grain of a millisecond, which would stand in every latency.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use super::plan::{Pace, Plan};
use crate::clock;

/// The longest nap of the thread that lets work through, so that an end is noticed.
const NAP_MAX: Duration = Duration::from_millis(50);
/// The shortest: at high rates several pieces are let through at once.
const NAP_MIN: Duration = Duration::from_micros(100);

/// Leave to begin one piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// From 0, no two alike in a run.
    pub number: u64,
    /// Since when it should have been under way.
    pub due: Instant,
}

#[derive(Debug)]
pub(super) struct Tickets {
    start: Instant,
    end: Instant,
    pace: Pace,
    given: AtomicU64,
    /// In an open loop one permit for each piece that is due; closed at the end.
    due: Arc<Semaphore>,
}

impl Tickets {
    pub(super) fn new(plan: &Plan) -> io::Result<Self> {
        let start = clock::instant();
        let tickets = Self {
            start,
            end: start + plan.whole(),
            pace: plan.pace,
            given: AtomicU64::new(0),
            due: Arc::new(Semaphore::new(0)),
        };
        if let Pace::Open { per_second } = plan.pace {
            let (due, end) = (Arc::clone(&tickets.due), tickets.end);
            let thread = thread::Builder::new().name("pace".to_owned());
            // It ends by itself, soon after the end or when `due` is closed.
            drop(thread.spawn(move || let_through(&due, start, end, per_second))?);
        }
        Ok(tickets)
    }

    pub(super) fn start(&self) -> Instant {
        self.start
    }

    pub(super) fn end(&self) -> Instant {
        self.end
    }

    /// The next piece of work, as soon as it is due; none after the end.
    pub(super) async fn next(&self) -> Option<Ticket> {
        match self.pace {
            Pace::Closed => {
                let now = clock::instant();
                (now < self.end).then(|| Ticket {
                    number: self.given.fetch_add(1, Ordering::Relaxed),
                    due: now,
                })
            }
            Pace::Open { per_second } => {
                self.due.acquire().await.ok()?.forget();
                let number = self.given.fetch_add(1, Ordering::Relaxed);
                Some(Ticket { number, due: self.start + due_after(number, per_second) })
            }
        }
    }

    /// How many have been given out.
    pub(super) fn given(&self) -> u64 {
        self.given.load(Ordering::Relaxed)
    }

    /// After the end: those that were due and never begun, because too many were under way.
    pub(super) fn never_begun(&self) -> Vec<Ticket> {
        let Pace::Open { per_second } = self.pace else { return Vec::new() };
        let all = due_by(self.end - self.start, per_second);
        let left = self.given()..all;
        left.map(|number| Ticket { number, due: self.start + due_after(number, per_second) })
            .collect()
    }
}

impl Drop for Tickets {
    fn drop(&mut self) {
        self.due.close();
    }
}

fn let_through(due: &Semaphore, start: Instant, end: Instant, per_second: u32) {
    let mut through = 0;
    loop {
        let now = clock::instant().min(end);
        let by_now = due_by(now - start, per_second);
        let more = usize::try_from(by_now - through).unwrap_or(usize::MAX);
        due.add_permits(more);
        through = by_now;
        if now >= end || due.is_closed() {
            due.close();
            return;
        }
        let next = start + due_after(through, per_second);
        thread::sleep(next.saturating_duration_since(now).clamp(NAP_MIN, NAP_MAX));
    }
}

/// When a piece is due, from the start.
fn due_after(number: u64, per_second: u32) -> Duration {
    let nanos = u128::from(number) * 1_000_000_000 / u128::from(per_second.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// How many are due within a time: those whose [`due_after`] is before its end.
fn due_by(time: Duration, per_second: u32) -> u64 {
    let pieces = (time.as_nanos() * u128::from(per_second.max(1))).div_ceil(1_000_000_000);
    u64::try_from(pieces).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Tickets, due_after, due_by};
    use crate::load::{Pace, Plan};

    #[test]
    fn what_is_due_by_a_time_was_due_before_it() {
        for per_second in [1, 3, 7, 1_000, 999_983, u32::MAX] {
            for nanos in [0, 1, 999, 1_000_000, 123_456_789, 5_000_000_000] {
                let time = Duration::from_nanos(nanos);
                let count = due_by(time, per_second);
                assert!(due_after(count, per_second) >= time, "{per_second} {nanos}");
                if let Some(last) = count.checked_sub(1) {
                    assert!(due_after(last, per_second) < time, "{per_second} {nanos}");
                }
            }
        }
    }

    #[tokio::test]
    async fn an_open_loop_gives_what_is_due_and_knows_what_nobody_took() {
        let plan = Plan {
            pace: Pace::Open { per_second: 1_000 },
            ..Plan::closed(1, Duration::ZERO, Duration::from_millis(50))
        };
        let tickets = Tickets::new(&plan).unwrap();
        for number in 0..20 {
            let ticket = tickets.next().await.unwrap();
            assert_eq!(ticket.number, number);
            assert_eq!(ticket.due - tickets.start(), Duration::from_millis(number));
        }
        while !tickets.due.is_closed() {
            tokio::task::yield_now().await;
        }
        assert_eq!(tickets.next().await, None, "it is over, whatever is left");
        let left: Vec<u64> = tickets.never_begun().iter().map(|ticket| ticket.number).collect();
        assert_eq!(left, (20..50).collect::<Vec<_>>());
    }
}
