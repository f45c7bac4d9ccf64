//! What a run came to.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;

/// Latencies are kept from a microsecond to two minutes, to three digits.
const NANOS_MIN: u64 = 1_000;
const NANOS_MAX: u64 = 120_000_000_000;
const DIGITS: u8 = 3;

/// Nothing yet.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(NANOS_MIN, NANOS_MAX, DIGITS).expect("these bounds are allowed")
}

pub(super) fn record(histogram: &mut Histogram<u64>, latency: Duration, count: u64) {
    let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
    histogram
        .record_n(nanos.clamp(NANOS_MIN, NANOS_MAX), count)
        .expect("within the bounds, and a run has fewer than 2^64 calls");
}

/// What a run came to. Warm-up is in none of it.
#[derive(Debug, Clone)]
pub struct Figures {
    /// How long was counted.
    pub elapsed: Duration,
    /// Pieces of work that succeeded within that time.
    pub done: u64,
    /// Pieces that failed, by class, within that time.
    pub failed: BTreeMap<String, u64>,
    /// Pieces that were due and could not be begun, because too many were under way. They are in the
    /// latencies, with how late they were at the end.
    pub never_begun: u64,
    /// Pieces that were still under way when patience ended. Likewise.
    pub never_ended: u64,
    latency: Histogram<u64>,
    /// By the interval, in order; those of the warm-up first, before `Moment::at` passes it.
    pub moments: Vec<Moment>,
}

/// One interval of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moment {
    /// Its end, from the start of the load, warm-up included.
    pub at: Duration,
    /// How long it was.
    pub length: Duration,
    /// Pieces that succeeded in it.
    pub done: u64,
    /// Pieces that failed in it.
    pub failed: u64,
    /// Latency of half of those that ended in it; zero if none did.
    pub p50: Duration,
    /// Of all but one in a hundred.
    pub p99: Duration,
    /// Of all.
    pub max: Duration,
}

impl Figures {
    pub(super) fn new(
        elapsed: Duration,
        done: u64,
        failed: BTreeMap<String, u64>,
        latency: Histogram<u64>,
    ) -> Self {
        Self { elapsed, done, failed, never_begun: 0, never_ended: 0, latency, moments: Vec::new() }
    }

    /// Successes per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        per_second(self.done, self.elapsed)
    }

    /// Failures of all classes.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Within this, the given share of all pieces ended, such as 0.99; to three digits, from 1 µs to 2 min.
    #[must_use]
    pub fn latency(&self, share: f64) -> Duration {
        Duration::from_nanos(self.latency.value_at_quantile(share))
    }

    /// The longest.
    #[must_use]
    pub fn slowest(&self) -> Duration {
        Duration::from_nanos(self.latency.max())
    }

    /// The mean.
    #[must_use]
    pub fn mean(&self) -> Duration {
        Duration::from_secs_f64(self.latency.mean() / 1e9)
    }

    pub(super) fn late(&mut self, latency: Duration) {
        record(&mut self.latency, latency, 1);
    }
}

/// A rate; zero for no time.
#[must_use]
#[expect(clippy::as_conversions, reason = "exact below 2^53, and a rate is no count")]
pub fn per_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { count as f64 / time.as_secs_f64() }
}
