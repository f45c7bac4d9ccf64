//! How much log a leader keeps behind a snapshot for those to whom it sends one.
//!
//! Who has been sent a snapshot needs the log from there on. Were it cut before they come to ask, they would
//! need the next snapshot, and so on for as long as one is longer on its way than the log reaches. So it stays
//! until they have come past the snapshot taken last, but not for ever: who takes longer than some snapshots
//! does begin anew.

use std::collections::{BTreeMap, VecDeque};

/// The log is kept for somebody while the leader takes so many snapshots: of a small state, as much log as is
/// written between four at most (`pace`).
const SNAPSHOTS_MAX: usize = 16;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Retained {
    /// The index of the snapshot that this leader sent, by who has not come past the one taken last.
    sent: BTreeMap<u64, u64>,
    /// The indexes of the snapshots taken last, at most one more than [`SNAPSHOTS_MAX`].
    taken: VecDeque<u64>,
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

    /// A snapshot was taken. Gives the index behind which the log has to stay, if somebody needs it; `matched`
    /// says how far a member's log is known to agree.
    pub(super) fn taken(
        &mut self,
        index: u64,
        matched: impl Fn(u64) -> Option<u64>,
    ) -> Option<u64> {
        self.taken.push_back(index);
        if self.taken.len() > SNAPSHOTS_MAX + 1 {
            self.taken.pop_front();
        }
        let oldest = self.taken.front().filter(|_| self.taken.len() > SNAPSHOTS_MAX).copied();
        let needs = |to: u64, sent: u64| {
            let has = matched(to).filter(|matched| *matched < index)?.max(sent);
            // Before that, nothing is kept that would help.
            (oldest <= Some(has)).then_some(has)
        };
        self.sent.retain(|to, sent| needs(*to, *sent).is_some());
        self.sent.iter().filter_map(|(to, sent)| needs(*to, *sent)).min()
    }
}
