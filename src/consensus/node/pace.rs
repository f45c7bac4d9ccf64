//! When the next snapshot is due.
//!
//! A node that starts again loads its newest snapshot and applies the log behind it. Applying a byte of log takes
//! some eight times as long as loading one of a snapshot (`docs/RELIABILITY.md`), so the log behind a snapshot is
//! to be short; and a snapshot costs the whole state's time and bytes, so they are not to be many. Hence:
//!
//! - A snapshot is taken where there is a little log, at least a 64th of what is allowed and of the last snapshot,
//!   if they take a twentieth of the time at most: the next one begins no sooner after the last one than twenty times
//!   as long as that one took.
//! - Where commands come faster than that, one is taken when the log is a third as long as the last one, but not
//!   before a quarter of what is allowed; so what is written is at most three bytes of snapshots for one of log.
//! - There is never more log than is allowed.

/// Of the snapshots of one node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Log bytes applied since the last one was taken.
    log_len: u64,
    /// Log bytes between the last one and the one before.
    between: u64,
    /// Bytes of the last one that this process has saved; 0 before the first.
    snapshot_len: u64,
    /// Ticks that saving it took.
    took: u64,
    /// Ticks since the last one was taken, or this process began.
    ticks: u64,
}

/// Ticks between two snapshots for each that saving the first of them took: a twentieth of the time.
const REST: u64 = 20;
/// Ticks that a snapshot is taken to take before one was saved, so that a start is over before the first begins.
const TOOK_AT_FIRST: u64 = 100;

impl Pace {
    pub(super) fn new() -> Self {
        Self { log_len: 0, between: 0, snapshot_len: 0, took: TOOK_AT_FIRST, ticks: 0 }
    }

    pub(super) fn tick(&mut self) {
        self.ticks += 1;
    }

    /// An entry of so many bytes was applied.
    pub(super) fn applied(&mut self, len: u64) {
        self.log_len = self.log_len.saturating_add(len + ENTRY_LEN);
    }

    /// The state is that of a snapshot, which is being saved or was received.
    pub(super) fn taken(&mut self) {
        self.between = std::mem::take(&mut self.log_len);
        self.ticks = 0;
    }

    /// The one that was taken last is saved, and has so many bytes.
    pub(super) fn saved(&mut self, len: u64) {
        self.snapshot_len = len;
        self.took = self.ticks.max(1);
    }

    /// Log bytes between the snapshot that was taken last and the one before.
    pub(super) fn between(&self) -> u64 {
        self.between
    }

    /// Whether a snapshot is due, if there are to be `every` bytes of log between two at most.
    pub(super) fn is_due(&self, every: u64) -> bool {
        let some =
            |part: u64, of_last: u64| (self.snapshot_len / of_last).clamp(every / part, every);
        let has_rested = self.ticks >= self.took.saturating_mul(REST);
        let is_due = self.log_len >= some(4, 3) || (has_rested && self.log_len > some(64, 64));
        self.log_len > 0 && is_due
    }
}

/// What an entry takes beside its data.
const ENTRY_LEN: u64 = 64;

#[cfg(test)]
mod tests {
    use super::{ENTRY_LEN, Pace, REST, TOOK_AT_FIRST};

    const EVERY: u64 = 6_400;

    /// After a snapshot of so many bytes that took so many ticks.
    fn after(snapshot_len: u64, took: u64) -> Pace {
        let mut pace = Pace::new();
        pace.taken();
        (0..took).for_each(|_| pace.tick());
        pace.saved(snapshot_len);
        pace
    }

    fn with_log(mut pace: Pace, len: u64) -> Pace {
        pace.applied(len - ENTRY_LEN);
        pace
    }

    #[test]
    fn in_a_hurry_at_a_third_of_the_snapshot_between_a_quarter_of_what_is_allowed_and_all_of_it() {
        for (len, log) in
            [(0, 1_600), (4_799, 1_600), (6_000, 2_000), (19_200, 6_400), (90_000, 6_400)]
        {
            assert!(with_log(after(len, 5), log).is_due(EVERY), "{len}, {log}");
            assert!(!with_log(after(len, 5), log - 1).is_due(EVERY), "{len}, {log}");
        }
        assert!(with_log(Pace::new(), ENTRY_LEN).is_due(0), "always, where that is asked for");
    }

    #[test]
    fn at_rest_after_a_little_log_but_never_without_any() {
        let rested = |len, took| {
            let mut pace = after(len, took);
            (took..took * REST).for_each(|_| pace.tick());
            pace
        };
        for (len, log) in [(0, 100), (6_399, 100), (64_000, 1_000), (900_000, 6_400)] {
            let rested = rested(len, 7);
            assert!(with_log(rested, log + 1).is_due(EVERY), "{len}, {log}");
            assert!(log == EVERY || !with_log(rested, log).is_due(EVERY), "{len}, {log}");
        }
        let mut nearly = with_log(after(0, 7), 200);
        (7..7 * REST).for_each(|_| {
            assert!(!nearly.is_due(EVERY));
            nearly.tick();
        });
        assert!(nearly.is_due(EVERY));
        assert!(!rested(0, 1).is_due(1), "nothing was applied");
    }

    #[test]
    fn a_process_that_has_just_begun_has_other_things_to_do() {
        let mut pace = with_log(Pace::new(), 200);
        for _ in 0..TOOK_AT_FIRST * REST {
            assert!(!pace.is_due(EVERY));
            pace.tick();
        }
        assert!(pace.is_due(EVERY));
        pace.taken();
        assert!(!pace.is_due(EVERY));
    }
}
