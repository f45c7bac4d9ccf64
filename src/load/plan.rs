//! How much is offered, and for how long.

use std::time::Duration;

/// What makes a piece of work due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// The end of the one before, of the same caller.
    Closed,
    /// The clock: so many a second, evenly.
    Open {
        /// From 1.
        per_second: u32,
    },
}

/// A run: warm-up, then what is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// What makes work due.
    pub pace: Pace,
    /// The most pieces under way at once, from 1. In an open loop what is due beyond that waits, and its
    /// wait counts.
    pub in_flight: usize,
    /// Load before anything is counted.
    pub warm_up: Duration,
    /// Load that is counted.
    pub duration: Duration,
    /// How often a [`super::Moment`] is told; at least a millisecond.
    pub interval: Duration,
    /// How long to wait, after the end, for what is still under way.
    pub patience: Duration,
}

impl Plan {
    /// A closed loop with `in_flight` callers, told by the second.
    #[must_use]
    pub fn closed(in_flight: usize, warm_up: Duration, duration: Duration) -> Self {
        Self {
            pace: Pace::Closed,
            in_flight,
            warm_up,
            duration,
            interval: Duration::from_secs(1),
            patience: Duration::from_secs(30),
        }
    }

    /// From the start to the end of what is counted.
    pub(super) fn whole(&self) -> Duration {
        self.warm_up.saturating_add(self.duration)
    }
}
