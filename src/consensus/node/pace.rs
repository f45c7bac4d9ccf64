//! When the next snapshot is due.
//!
//! A node that starts again loads its newest snapshot and applies the log behind it. Applying a byte of log takes
//! some five times as long as loading a byte of snapshot (`docs/RELIABILITY.md`), so a snapshot is taken when the
//! log behind it is a third as long: a start then applies for at most about twice as long as it loads, and what is
//! written is at most three bytes of snapshots for one of log. A small state's is not worth taking that often, and
//! behind a large one there is never more log than the operator says.

/// Of the snapshots of one node.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    /// Log bytes applied since the last one was taken.
    pub(super) log_len: u64,
    /// Bytes of the last one that this process has saved; 0 before the first.
    pub(super) snapshot_len: u64,
}

impl Pace {
    /// Whether a snapshot is due, if there are to be `every` bytes of log between two at most.
    pub(super) fn is_due(self, every: u64) -> bool {
        self.log_len >= (self.snapshot_len / 3).clamp(every / 4, every)
    }
}

#[cfg(test)]
mod tests {
    use super::Pace;

    #[test]
    fn a_third_of_the_snapshot_between_a_quarter_of_what_is_allowed_and_all_of_it() {
        let is_due = |snapshot_len, log_len| Pace { log_len, snapshot_len }.is_due(400);
        for (snapshot_len, log_len) in
            [(0, 100), (299, 100), (330, 110), (1_200, 400), (9_000, 400)]
        {
            assert!(is_due(snapshot_len, log_len), "{snapshot_len}, {log_len}");
            assert!(!is_due(snapshot_len, log_len - 1), "{snapshot_len}, {log_len}");
        }
        assert!(Pace::default().is_due(0), "always, where that is asked for");
    }
}
