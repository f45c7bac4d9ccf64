//! How much log a leader keeps behind a snapshot for those to whom it sends one.
//!
//! Who has been sent a snapshot needs the log from there on. Were it cut before they come to ask, they would
//! need the next snapshot, and so on for as long as one is longer on its way than the log reaches. So it stays
//! until they have come past the snapshot taken last, but not for ever: when the log that stays gets too long, they
//! begin anew.

use std::collections::{BTreeMap, VecDeque};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Retained {
    /// The index of the snapshot that this leader sent, by who has not come past the one taken last.
    sent: BTreeMap<u64, u64>,
    /// The snapshots taken last, as many as the log may stay for.
    taken: VecDeque<Taken>,
    /// Whether there were others before them.
    is_full: bool,
}

/// A snapshot that was taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    pub(super) index: u64,
    /// Bytes of log between it and the one before.
    pub(super) log_len: u64,
}

impl Retained {
    pub(super) fn sends(&mut self, to: u64, index: u64) {
        self.sent.insert(to, index);
    }

    pub(super) fn not_delivered(&mut self, to: u64) {
        self.sent.remove(&to);
    }

    pub(super) fn leadership_changed(&mut self) {
        self.sent.clear();
    }

    /// A snapshot was taken, and up to `log_len_max` bytes of log may stay behind it. Gives the index behind which
    /// the log has to stay, if somebody needs it; `matched` says how far a member's log is known to agree.
    pub(super) fn taken(
        &mut self,
        taken: Taken,
        log_len_max: u64,
        matched: impl Fn(u64) -> Option<u64>,
    ) -> Option<u64> {
        let index = taken.index;
        self.taken.push_back(taken);
        let mut log_len = 0_u64;
        let fits = |taken: &&Taken| {
            let fits = log_len <= log_len_max;
            log_len = log_len.saturating_add(taken.log_len);
            fits
        };
        let kept = self.taken.iter().rev().take_while(fits).count();
        let dropped = self.taken.len() - kept;
        self.taken.drain(..dropped);
        self.is_full |= dropped > 0;
        let oldest = self.taken.front().filter(|_| self.is_full).map(|taken| taken.index);
        let needs = |to: u64, sent: u64| {
            let has = matched(to).filter(|matched| *matched < index)?.max(sent);
            // Before that, nothing is kept that would help.
            (oldest <= Some(has)).then_some(has)
        };
        self.sent.retain(|to, sent| needs(*to, *sent).is_some());
        self.sent.iter().filter_map(|(to, sent)| needs(*to, *sent)).min()
    }
}
