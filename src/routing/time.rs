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

impl Interval {
    fn contains(&self, instant: Time) -> bool {
        self.start <= instant && instant < self.end
    }
}

impl IntervalSet {
    /// The instants of these intervals, which may be in any order and overlap; empty ones count for
    /// nothing.
    #[must_use]
    pub fn of(mut intervals: Vec<Interval>) -> Self {
        intervals.retain(|interval| interval.start < interval.end);
        intervals.sort();
        let mut merged: Vec<Interval> = Vec::with_capacity(intervals.len());
        for interval in intervals {
            match merged.last_mut() {
                Some(last) if interval.start <= last.end => last.end = last.end.max(interval.end),
                _ => merged.push(interval),
            }
        }
        Self(merged)
    }

    /// The intervals, ascending and disjoint.
    #[must_use]
    pub fn intervals(&self) -> &[Interval] {
        &self.0
    }

    /// Whether the instant is in the set.
    #[must_use]
    pub fn contains(&self, instant: Time) -> bool {
        self.covering(instant).is_some()
    }

    /// The interval that the instant is in.
    pub(super) fn covering(&self, instant: Time) -> Option<Interval> {
        let ended = self.0.partition_point(|i| i.end <= instant);
        self.0.get(ended).copied().filter(|i| i.contains(instant))
    }

    /// The first two intervals that have not ended by `instant`.
    pub(super) fn next_from(&self, instant: Time) -> Vec<Interval> {
        let ended = self.0.partition_point(|i| i.end <= instant);
        self.0.iter().skip(ended).take(2).copied().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn first(&self) -> Option<Interval> {
        self.0.first().copied()
    }

    /// All instants from `now` on.
    pub(super) fn from_now(now: Time) -> Self {
        let all = Interval { start: now, end: Time::FOREVER };
        Self(if all.start < all.end { vec![all] } else { Vec::new() })
    }

    /// With `more`, which must not be empty; what it overlaps or touches becomes one with it.
    #[must_use]
    pub fn union(&self, more: Interval) -> Self {
        let mut merged = more;
        let mut result = Vec::with_capacity(self.0.len() + 1);
        let mut later = Vec::new();
        for &interval in &self.0 {
            if interval.end < more.start {
                result.push(interval);
            } else if more.end < interval.start {
                later.push(interval);
            } else {
                merged.start = merged.start.min(interval.start);
                merged.end = merged.end.max(interval.end);
            }
        }
        result.push(merged);
        result.append(&mut later);
        Self(result)
    }

    /// Without the instants of `cut`.
    pub(super) fn minus(&self, cut: Interval) -> Self {
        let mut result = Vec::with_capacity(self.0.len() + 1);
        for &Interval { start, end } in &self.0 {
            let left = Interval { start, end: end.min(cut.start) };
            let right = Interval { start: start.max(cut.end), end };
            result.extend([left, right].into_iter().filter(|i| i.start < i.end));
        }
        Self(result)
    }

    /// Without the instants of `other`.
    pub(super) fn difference(&self, other: &Self) -> Self {
        other.0.iter().fold(self.clone(), |rest, &cut| rest.minus(cut))
    }

    /// The instants in both.
    pub(super) fn intersection(&self, other: &Self) -> Self {
        let mut result = Vec::new();
        for a in &self.0 {
            let near = other.0.partition_point(|b| b.end <= a.start);
            for b in other.0.iter().skip(near).take_while(|b| b.start < a.end) {
                result.push(Interval { start: a.start.max(b.start), end: a.end.min(b.end) });
            }
        }
        Self(result)
    }

    /// Without the intervals that have ended by `now`.
    pub(super) fn without_ended(mut self, now: Time) -> Self {
        self.0.retain(|i| now < i.end);
        self
    }

    /// Whether it is what it claims to be: non-empty intervals, ascending, none touching the next.
    pub(super) fn is_well_formed(&self) -> bool {
        let gaps = self.0.iter().zip(self.0.iter().skip(1)).all(|(a, b)| a.end < b.start);
        gaps && self.0.iter().all(|i| i.start < i.end)
    }
}

#[cfg(test)]
mod tests {
    use super::{Interval, IntervalSet, Time};

    fn set(pairs: &[(u64, u64)]) -> IntervalSet {
        IntervalSet(pairs.iter().map(|&(a, b)| span(a, b)).collect())
    }
    fn span(start: u64, end: u64) -> Interval {
        Interval { start: Time(start), end: Time(end) }
    }

    /// Every set over the instants 0..8, as intervals.
    fn all_sets() -> Vec<(u8, IntervalSet)> {
        let of_bits = |bits: u8| {
            let mut pairs = Vec::new();
            let mut start = None;
            for t in 0..9_u64 {
                let inside = t < 8 && bits >> t & 1 == 1;
                match (inside, start) {
                    (true, None) => start = Some(t),
                    (false, Some(s)) => {
                        pairs.push((s, t));
                        start = None;
                    }
                    (true, Some(_)) | (false, None) => {}
                }
            }
            set(&pairs)
        };
        (0..=u8::MAX).map(|bits| (bits, of_bits(bits))).collect()
    }
    fn bits(set: &IntervalSet) -> u8 {
        (0..8_u8).filter(|t| set.contains(Time(u64::from(*t)))).map(|t| 1 << t).sum()
    }

    #[test]
    fn sets_of_intervals_behave_like_sets_of_instants() {
        let sets = all_sets();
        for (a_bits, a) in &sets {
            assert!(a.is_well_formed());
            assert_eq!(bits(a), *a_bits);
            for (start, end) in (0..8).flat_map(|s| (s + 1..=8).map(move |e| (s, e))) {
                let one = span(start, end);
                let one_bits = bits(&IntervalSet(vec![one]));
                for (result, expected) in
                    [(a.union(one), a_bits | one_bits), (a.minus(one), a_bits & !one_bits)]
                {
                    assert_eq!(bits(&result), expected, "{a:?} {one:?}");
                    assert!(result.is_well_formed(), "{a:?} {one:?}: {result:?}");
                }
            }
            for (b_bits, b) in &sets {
                assert_eq!(bits(&a.intersection(b)), a_bits & b_bits);
                assert_eq!(bits(&a.difference(b)), a_bits & !b_bits);
                assert!(a.intersection(b).is_well_formed());
                assert!(a.difference(b).is_well_formed());
            }
        }
    }

    #[test]
    fn an_interval_holds_its_start_and_not_its_end() {
        let away = set(&[(10, 20)]);
        let inside: Vec<_> = [9, 10, 19, 20].map(|t| away.contains(Time(t))).to_vec();
        assert_eq!(inside, [false, true, true, false]);
    }

    #[test]
    fn the_end_of_time_has_no_instants_left() {
        assert!(IntervalSet::from_now(Time::FOREVER).is_empty());
        assert_eq!(IntervalSet::from_now(Time(5)), set(&[(5, u64::MAX)]));
    }

    #[test]
    fn sets_that_touch_or_are_out_of_order_are_not_well_formed() {
        for bad in [&[(1, 1)][..], &[(2, 1)], &[(1, 2), (2, 3)], &[(5, 6), (1, 2)]] {
            assert!(!set(bad).is_well_formed(), "{bad:?}");
        }
    }
}
