//! Who may be given work: one ordered list of filters, each with the reason it gives.
//!
//! Owns the order (ROUTING 3, "Filters"): the first filter that applies names the reason. The same
//! list serves owner, rep and group targets. It reads the rep and the conditions, and nothing else.

use super::{Reason, Time, record::RepRecord};

/// Under what circumstances somebody is considered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conditions {
    pub(super) now: Time,
    /// The target waives absences, never DISABLED (S0-10E2).
    pub(super) include_unavailable: bool,
}

impl Conditions {
    /// What a target that waives nothing asks.
    pub(super) fn strict(now: Time) -> Self {
        Self { now, include_unavailable: false }
    }
}

/// True if the rep is to be passed over.
type Filter = fn(&RepRecord, &Conditions) -> bool;

/// In the order in which they are asked.
pub(super) const FILTERS: [(Reason, Filter); 2] = [
    (Reason::Disabled, |rep, _| rep.disabled),
    (Reason::OutOfOffice, |rep, asked| {
        !asked.include_unavailable && rep.out_of_office.contains(asked.now)
    }),
];

/// Why the rep is passed over, or `None` if they are eligible.
pub(super) fn reason(rep: &RepRecord, asked: &Conditions) -> Option<Reason> {
    FILTERS.iter().find(|(_, applies)| applies(rep, asked)).map(|(reason, _)| *reason)
}
