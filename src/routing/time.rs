//! Instants and sets of half-open intervals, in integers.
//!
//! No time zones, no calendar and no clock: whoever makes a command turns those into instants.

use serde::{Deserialize, Serialize};

/// Microseconds since the Unix epoch, UTC.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Time(pub u64);

impl Time {
    /// The end of an interval that has no end.
    pub const FOREVER: Self = Self(u64::MAX);
}

/// The instants from `start` up to and without `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Interval {
    /// First instant inside.
    pub start: Time,
    /// First instant after; [`Time::FOREVER`] for an open end. Always greater than `start`.
    pub end: Time,
}

/// A set of instants, held as disjoint, non-adjacent intervals in ascending order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct IntervalSet(pub(super) Vec<Interval>);

impl IntervalSet {
    /// The intervals, ascending and disjoint.
    #[must_use]
    pub fn intervals(&self) -> &[Interval] {
        &self.0
    }
}
