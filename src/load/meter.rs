//! What is counted while it runs.
//!
//! Many callers end pieces of work at once, so there are several shards, each behind a lock of its own
//! that is held for nanoseconds.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

use super::{
    Failed, Ticket,
    figures::{Figures, Moment, histogram, record},
};

const SHARDS: usize = 4;

#[derive(Debug)]
pub(super) struct Meter {
    /// What ends within this counts; so does the latency of what was due within it.
    from: Instant,
    to: Instant,
    shards: [Mutex<Shard>; SHARDS],
    turn: AtomicUsize,
}

#[derive(Debug)]
struct Shard {
    done: u64,
    failed: BTreeMap<String, u64>,
    latency: Histogram<u64>,
    /// Since the last moment.
    lately: Lately,
}

#[derive(Debug)]
struct Lately {
    done: u64,
    failed: u64,
    latency: Histogram<u64>,
}

impl Meter {
    pub(super) fn new(from: Instant, to: Instant) -> Self {
        let shard = || {
            Mutex::new(Shard {
                done: 0,
                failed: BTreeMap::new(),
                latency: histogram(),
                lately: Lately { done: 0, failed: 0, latency: histogram() },
            })
        };
        Self { from, to, shards: std::array::from_fn(|_| shard()), turn: AtomicUsize::new(0) }
    }

    /// A piece of work has ended. One ticket may have stood for several: they are counted one by one.
    pub(super) fn ended(
        &self,
        ticket: Ticket,
        now: Instant,
        pieces: u64,
        result: Result<(), Failed>,
    ) {
        let latency = now.saturating_duration_since(ticket.due);
        let mut shard = self.shard();
        let shard = &mut *shard;
        let counts = self.from <= now && now < self.to;
        if self.from <= ticket.due && ticket.due < self.to {
            record(&mut shard.latency, latency, 1);
        }
        record(&mut shard.lately.latency, latency, 1);
        match result {
            Ok(()) => {
                shard.lately.done += pieces;
                shard.done += if counts { pieces } else { 0 };
            }
            Err(Failed(class)) => {
                shard.lately.failed += pieces;
                if counts {
                    *shard.failed.entry(class.into_owned()).or_default() += pieces;
                }
            }
        }
    }

    fn shard(&self) -> MutexGuard<'_, Shard> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let shard = self.shards.get(turn % SHARDS).expect("less than there are");
        // A panic in between leaves counts that are one off at worst.
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happened since the last moment.
    pub(super) fn moment(&self, at: Duration, length: Duration) -> Moment {
        let (mut done, mut failed, mut latency) = (0, 0, histogram());
        for shard in &self.shards {
            let lately = &mut shard.lock().unwrap_or_else(PoisonError::into_inner).lately;
            done += std::mem::take(&mut lately.done);
            failed += std::mem::take(&mut lately.failed);
            latency.add(&lately.latency).expect("the same bounds");
            lately.latency.reset();
        }
        let [p50, p99, max] =
            [0.5, 0.99, 1.0].map(|share| Duration::from_nanos(latency.value_at_quantile(share)));
        Moment { at, length, done, failed, p50, p99, max }
    }

    /// What all of it comes to.
    pub(super) fn figures(&self) -> Figures {
        let (mut done, mut failed, mut latency) = (0, BTreeMap::new(), histogram());
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            done += shard.done;
            for (class, count) in &shard.failed {
                *failed.entry(class.clone()).or_default() += count;
            }
            latency.add(&shard.latency).expect("the same bounds");
        }
        Figures::new(self.to - self.from, done, failed, latency)
    }

    /// Whether the latency of what was due then counts.
    pub(super) fn counts(&self, due: Instant) -> bool {
        self.from <= due && due < self.to
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Meter;
    use crate::{
        clock,
        load::{Failed, Ticket},
    };

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn only_what_ends_within_the_time_is_counted_and_only_what_was_due_within_it_is_timed() {
        let start = clock::instant();
        let meter = Meter::new(start + 100 * MS, start + 200 * MS);
        let end = |due: u32, ended: u32, result| {
            let ticket = Ticket { number: 0, due: start + due * MS };
            meter.ended(ticket, start + ended * MS, 1, result);
        };
        end(10, 50, Ok(()));
        end(90, 130, Ok(()));
        end(110, 112, Ok(()));
        end(120, 123, Err(Failed("UNAVAILABLE".into())));
        end(190, 260, Ok(()));
        let figures = meter.figures();
        assert_eq!((figures.done, figures.failures(), figures.elapsed), (2, 1, 100 * MS));
        assert_eq!(figures.failed["UNAVAILABLE"], 1);
        let near = |shown: Duration, ms: u32| shown.abs_diff(ms * MS) < MS / 10;
        assert!(near(figures.latency(0.01), 2), "{figures:?}");
        assert!(near(figures.latency(0.5), 3), "{figures:?}");
        assert!(near(figures.slowest(), 70), "{figures:?}");
    }

    #[test]
    fn a_moment_holds_what_happened_since_the_last_one() {
        let start = clock::instant();
        let meter = Meter::new(start, start + 1_000 * MS);
        let ticket = Ticket { number: 0, due: start };
        for _ in 0..99 {
            meter.ended(ticket, start + MS, 2, Ok(()));
        }
        meter.ended(ticket, start + 50 * MS, 1, Err(Failed("X".into())));
        let moment = meter.moment(100 * MS, 100 * MS);
        assert_eq!((moment.done, moment.failed), (198, 1));
        assert!(moment.p50 < 2 * MS && moment.max > 49 * MS, "{moment:?}");
        let after = meter.moment(200 * MS, 100 * MS);
        assert_eq!((after.done, after.failed, after.max), (0, 0, Duration::ZERO));
        assert_eq!(meter.figures().done, 198, "it stays in the whole");
    }
}
