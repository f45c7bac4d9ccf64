//! When the next snapshot is due.
//!
//! A node that starts again loads its newest snapshot and applies the log behind it. Applying a byte of log takes
//! some eight times as long as loading one of a snapshot (`docs/RELIABILITY.md`), so the log behind a snapshot is
//! to be short; and a snapshot costs the whole state's time and bytes, so they are not to be many. Hence:
//!
//! - At rest, a snapshot is taken where there is a little log, more than a 64th of what is allowed and a 32nd of the
//!   last snapshot, if they take a twentieth of the time at most: the next one begins no sooner after the last one
//!   than twenty times as long as that one took.
//! - Where commands come faster than that, one is taken when the log is a third as long as the last one, but not
//!   before an eighth of what is allowed.
//! - More log than is allowed there never is, however large the state.

/// Of the snapshots of one node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Log bytes applied since the last one was taken.
    log_len: u64,
    /// Log bytes between the last one and the one that was saved before.
    between: u64,
    /// Log bytes before those, since a snapshot was saved: others were taken, and not saved.
    unsaved: u64,
    /// Bytes of the last one, if there is none or this process has saved it.
    snapshot_len: Option<u64>,
    /// Ticks that saving it took.
    took: u64,
    /// Ticks since this process began.
    now: u64,
    /// When the last one was taken.
    taken: u64,
}

/// Ticks between two snapshots for each that saving the first of them took: a twentieth of the time.
const REST: u64 = 20;
/// Ticks that a snapshot is taken to take where there is one and this process has not saved it, so that a start is over
/// before the next begins.
const TOOK_AT_FIRST: u64 = 20;

impl Pace {
    /// Of a process that begins, with a snapshot or without one.
    pub(super) fn new(has_snapshot: bool) -> Self {
        let (snapshot_len, took) = if has_snapshot { (None, TOOK_AT_FIRST) } else { (Some(0), 1) };
        Self { log_len: 0, between: 0, unsaved: 0, snapshot_len, took, now: 0, taken: 0 }
    }

    pub(super) fn tick(&mut self) {
        self.now += 1;
    }

    /// An entry of so many bytes was applied.
    pub(super) fn applied(&mut self, len: u64) {
        self.log_len = self.log_len.saturating_add(len + ENTRY_LEN);
    }

    /// The state is that of a snapshot that was received.
    pub(super) fn received(&mut self) {
        self.log_len = 0;
    }

    /// The state is that of a snapshot, which is to be saved.
    pub(super) fn taken(&mut self) {
        self.between = self.unsaved.saturating_add(std::mem::take(&mut self.log_len));
        self.taken = self.now;
    }

    /// The one that was taken last is saved, and has so many bytes.
    pub(super) fn saved(&mut self, len: u64) {
        self.unsaved = 0;
        self.snapshot_len = Some(len);
        self.took = (self.now - self.taken).max(1);
    }

    /// The one that was taken last could not be saved; another one is tried as if it were the last.
    pub(super) fn not_saved(&mut self) {
        self.unsaved = self.between;
    }

    /// Log bytes between the snapshot that was taken last and the one that was saved before.
    pub(super) fn between(&self) -> u64 {
        self.between
    }

    /// Whether a snapshot is due, if there are to be `every` bytes of log between two at most.
    pub(super) fn is_due(&self, every: u64) -> bool {
        let hurry = self.snapshot_len.map_or(every, |len| (len / 3).clamp(every / 8, every));
        let rest = (self.snapshot_len.unwrap_or(0) / 32).clamp(every / 64, every);
        let has_rested = self.now - self.taken >= self.took.saturating_mul(REST);
        self.log_len > 0 && (self.log_len >= hurry || (has_rested && self.log_len > rest))
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
        let mut pace = Pace::new(false);
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
    fn in_a_hurry_at_a_third_of_the_snapshot_between_an_eighth_of_what_is_allowed_and_all_of_it() {
        for (len, log) in [(0, 800), (2_399, 800), (6_000, 2_000), (19_200, 6_400), (90_000, 6_400)]
        {
            assert!(with_log(after(len, 5), log).is_due(EVERY), "{len}, {log}");
            assert!(!with_log(after(len, 5), log - 1).is_due(EVERY), "{len}, {log}");
        }
        for has_snapshot in [false, true] {
            let new = || Pace::new(has_snapshot);
            assert!(with_log(new(), ENTRY_LEN).is_due(0), "always, where that is asked for");
            assert!(!new().is_due(0), "nothing was applied");
        }
    }

    #[test]
    fn at_rest_after_a_little_log_but_never_without_any() {
        let rested = |len, took| {
            let mut pace = after(len, took);
            (took..took * REST).for_each(|_| pace.tick());
            pace
        };
        for (len, log) in [(0, 100), (3_231, 100), (32_000, 1_000), (900_000, 6_400)] {
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

    /// That there is no snapshot, it knows, and that one of little takes little.
    #[test]
    fn one_that_has_just_begun_without_a_snapshot_soon_has_one() {
        assert!(with_log(Pace::new(false), 800).is_due(EVERY));
        let mut pace = with_log(Pace::new(false), 101);
        for _ in 0..REST {
            assert!(!pace.is_due(EVERY));
            pace.tick();
        }
        assert!(pace.is_due(EVERY));
    }

    /// How large its snapshot is, it does not know; and what is behind it was just applied.
    #[test]
    fn a_process_that_has_just_begun_has_other_things_to_do() {
        let mut pace = with_log(Pace::new(true), EVERY - 1);
        for _ in 0..TOOK_AT_FIRST * REST {
            assert!(!pace.is_due(EVERY));
            pace.tick();
        }
        assert!(pace.is_due(EVERY));
        pace.taken();
        assert!(!pace.is_due(EVERY));
        assert!(with_log(Pace::new(true), EVERY).is_due(EVERY));
    }

    #[test]
    fn one_that_was_not_saved_is_tried_again_later_and_the_log_before_it_counts_for_those_who_need_it()
     {
        let mut pace = with_log(Pace::new(true), EVERY);
        pace.taken();
        pace.not_saved();
        assert!(!pace.is_due(EVERY), "the disk gets time");
        pace = with_log(pace, 300);
        pace.taken();
        assert_eq!(pace.between(), EVERY + 300);
        pace.saved(1);
        pace = with_log(pace, 400);
        pace.taken();
        assert_eq!(pace.between(), 400);
    }

    #[test]
    fn one_that_is_received_while_one_is_saved_does_not_make_that_one_quick() {
        let mut pace = after(0, 1);
        pace.taken();
        (0..50).for_each(|_| pace.tick());
        pace.received();
        pace.saved(0);
        assert_eq!(pace.took, 50);
    }
}
