//! Who may be given work: one ordered list of filters, each with the reason it gives.
//!
//! Owns the order (ROUTING 3, "Filters"): the first filter that applies names the reason. The same
//! list serves owner, rep, last-rep and group targets, tells readers a rep's availability, and sorts
//! members into classes, so that a ring can step over whole classes without asking anybody.

use std::collections::BTreeSet;

use super::{
    Availability, IntervalSet, Reason, Rep, Time,
    record::RepUid,
    settings::{Hours, Presence},
};
use crate::planted::{self, Bug};

/// How far somebody is from being given work. A target takes classes up to a limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Nothing is in the way.
    Ready,
    /// Only not online, which some targets require.
    Offline,
    /// Away or off hours, which some targets waive.
    Away,
    /// Never, whatever the target says.
    Barred,
}

impl Class {
    pub(super) const ALL: [Self; 4] = [Self::Ready, Self::Offline, Self::Away, Self::Barred];

    pub(super) fn number(self) -> usize {
        match self {
            Self::Ready => 0,
            Self::Offline => 1,
            Self::Away => 2,
            Self::Barred => 3,
        }
    }

    /// What a target takes: `include_unavailable` lifts OUT_OF_OFFICE, OFF_HOURS and NOT_ONLINE.
    pub(super) fn limit(include_unavailable: bool, require_online: bool) -> Self {
        match (include_unavailable, require_online) {
            (true, _) => Self::Away,
            (false, true) => Self::Ready,
            (false, false) => Self::Offline,
        }
    }
}

/// All that a filter may look at of a rep.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing<'a> {
    pub(super) uid: RepUid,
    pub(super) disabled: bool,
    pub(super) out_of_office: &'a IntervalSet,
    pub(super) hours: Option<&'a Hours>,
    pub(super) presence: Presence,
    pub(super) max_open: u32,
    pub(super) open: u64,
    /// In the ring at hand, they had their picks of this period.
    pub(super) is_capped: bool,
}

/// Under what circumstances somebody is considered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) now: Time,
    /// The classes up to here are taken.
    pub(super) limit: Class,
    /// Who refused this contact before.
    pub(super) rejected: &'a BTreeSet<RepUid>,
    /// From whom the work is taken.
    pub(super) excluded: Option<RepUid>,
}

impl Asked<'_> {
    /// What a target that waives and requires nothing asks, for anybody.
    pub(super) fn strict(now: Time) -> Self {
        Self { now, limit: Class::Offline, rejected: const { &BTreeSet::new() }, excluded: None }
    }

    /// To whom this contact in particular can't go, each once.
    pub(super) fn barred(&self) -> impl Iterator<Item = RepUid> {
        let excluded = self.excluded.filter(|rep| !self.rejected.contains(rep));
        self.rejected.iter().copied().chain(excluded)
    }

    /// Whether this contact in particular can't go to the rep.
    pub(super) fn bars(&self, rep: RepUid) -> bool {
        self.rejected.contains(&rep) || self.excluded == Some(rep)
    }
}

struct Filter {
    reason: Reason,
    /// Whoever it applies to is at least of this class.
    class: Class,
    applies: fn(&Standing<'_>, &Asked<'_>) -> bool,
}

/// In the order in which they are asked.
const FILTERS: [Filter; 8] = [
    Filter { reason: Reason::Disabled, class: Class::Barred, applies: |rep, _| rep.disabled },
    Filter {
        reason: Reason::OutOfOffice,
        class: Class::Away,
        applies: |rep, asked| rep.out_of_office.contains(asked.now),
    },
    Filter {
        reason: Reason::OffHours,
        class: Class::Away,
        applies: |rep, asked| rep.hours.is_some_and(|hours| hours.are_over(asked.now)),
    },
    Filter {
        reason: Reason::NotOnline,
        class: Class::Offline,
        applies: |rep, asked| !rep.presence.is_online(asked.now),
    },
    Filter {
        reason: Reason::AtCapacity,
        class: Class::Barred,
        applies: |rep, _| {
            let more = u64::from(planted::is(Bug::CapacityOffByOne));
            rep.max_open > 0 && rep.open >= u64::from(rep.max_open) + more
        },
    },
    Filter { reason: Reason::PeriodCap, class: Class::Barred, applies: |rep, _| rep.is_capped },
    Filter {
        reason: Reason::RejectedBefore,
        class: Class::Barred,
        applies: |rep, asked| asked.rejected.contains(&rep.uid),
    },
    Filter {
        reason: Reason::Excluded,
        class: Class::Barred,
        applies: |rep, asked| asked.excluded == Some(rep.uid),
    },
];

/// Why the rep is passed over, or `None` if they are eligible.
pub(super) fn reason(rep: &Standing<'_>, asked: &Asked<'_>) -> Option<Reason> {
    let counts = |filter: &&Filter| filter.class > asked.limit && (filter.applies)(rep, asked);
    FILTERS.iter().find(counts).map(|filter| filter.reason)
}

/// The class of a rep for anybody's contact.
pub(super) fn class(rep: &Standing<'_>, now: Time) -> Class {
    let asked = Asked { limit: Class::Ready, ..Asked::strict(now) };
    let applying = FILTERS.iter().filter(|filter| (filter.applies)(rep, &asked));
    applying.map(|filter| filter.class).max().unwrap_or(Class::Ready)
}

/// The first instant after `now` at which time alone may change the class, and the first at which it
/// may better it.
pub(super) fn next_changes(rep: &Standing<'_>, now: Time) -> (Time, Time) {
    let after = |set: &IntervalSet| {
        let near = set.next_from(now);
        let start = near.iter().map(|i| i.start).filter(|t| *t > now).min();
        let end = near.iter().map(|i| i.end).filter(|t| *t > now).min();
        (start.unwrap_or(Time::FOREVER), end.unwrap_or(Time::FOREVER))
    };
    let (out, back) = after(rep.out_of_office);
    let (opens, closes) = match rep.hours {
        None => (Time::FOREVER, Time::FOREVER),
        Some(hours) => {
            let (opens, closes) = after(&hours.open);
            let horizon = if now < hours.horizon { hours.horizon } else { Time::FOREVER };
            (opens.min(horizon), closes)
        }
    };
    let expires =
        if rep.presence.is_online(now) { rep.presence.expire_time } else { Time::FOREVER };
    let better = back.min(opens);
    (better.min(out).min(closes).min(expires), better)
}

/// What readers are told: DISABLED > OUT_OF_OFFICE > OFF_HOURS > AT_CAPACITY > AVAILABLE.
pub(super) fn availability(rep: &Rep, now: Time) -> Availability {
    let standing = Standing {
        uid: RepUid(0),
        disabled: rep.disabled,
        out_of_office: &rep.out_of_office,
        hours: rep.hours.as_deref(),
        presence: rep.presence,
        max_open: rep.max_open,
        open: rep.open_count,
        is_capped: false,
    };
    match reason(&standing, &Asked::strict(now)) {
        Some(Reason::Disabled) => Availability::Disabled,
        Some(Reason::OutOfOffice) => Availability::OutOfOffice,
        Some(Reason::OffHours) => Availability::OffHours,
        Some(Reason::AtCapacity) => Availability::AtCapacity,
        None
        | Some(
            Reason::NotOnline
            | Reason::PeriodCap
            | Reason::RejectedBefore
            | Reason::Excluded
            | Reason::Credit,
        ) => Availability::Available,
    }
}
