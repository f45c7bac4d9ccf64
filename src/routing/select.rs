//! The one selection: among the candidates that no filter rejects, the one with the least
//! (load, ring distance).
//!
//! Owns neither the candidates nor the cursor: whoever calls resolves a target to candidates in the
//! order of their distance, and moves what is to be moved once somebody is picked. For round robin
//! every load is 0, so the nearest eligible candidate ends the walk.

use super::{
    Cursor, PassedOver, Reason, Skipped,
    filter::{self, Conditions, FILTERS},
    limits::PASSED_OVER_NAMED_MAX,
    reps::RepState,
};

/// Somebody a target could give the contact to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) rep: &'a RepState,
    /// Less is better; 0 is least.
    pub(super) load: u64,
    /// The slot whose turn it would be, if they stand in a ring.
    pub(super) slot: Option<Cursor>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Selection<'a> {
    pub(super) pick: Option<Candidate<'a>>,
    /// Those before the pick; all, if there is none.
    pub(super) skipped: Skipped,
}

/// Picks among candidates that come nearest first.
pub(super) fn select<'a>(
    candidates: impl Iterator<Item = Candidate<'a>>,
    asked: &Conditions,
) -> Selection<'a> {
    let mut tally = Tally::new();
    let mut pick: Option<Candidate<'a>> = None;
    for candidate in candidates {
        if let Some(reason) = filter::reason(&candidate.rep.record, asked) {
            tally.add(&candidate, reason);
        } else if pick.is_none_or(|best| candidate.load < best.load) {
            pick = Some(candidate);
            if candidate.load == 0 {
                break; // Nobody further away can beat that.
            }
        }
    }
    Selection { pick, skipped: tally.finish() }
}

/// Counts everybody passed over and names the first of them.
struct Tally {
    named: Vec<PassedOver>,
    counts: [(Reason, u64); FILTERS.len()],
}

impl Tally {
    fn new() -> Self {
        Self { named: Vec::new(), counts: FILTERS.map(|(reason, _)| (reason, 0)) }
    }

    fn add(&mut self, candidate: &Candidate<'_>, reason: Reason) {
        if self.named.len() < PASSED_OVER_NAMED_MAX {
            self.named.push(PassedOver { rep: candidate.rep.record.id.clone(), reason });
        }
        for (_, count) in self.counts.iter_mut().filter(|(of, _)| *of == reason) {
            *count += 1;
        }
    }

    fn finish(self) -> Skipped {
        let counts = self.counts.into_iter().filter(|(_, count)| *count > 0).collect();
        Skipped { named: self.named, counts }
    }
}
