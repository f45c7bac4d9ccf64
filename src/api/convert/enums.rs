//! Enums that callers send, where an unknown number is a mistake of theirs.

use crate::{
    api::violations::Wrong,
    proto::turnwise::v1 as pb,
    routing::{CursorScope, GroupKind, OpenAssignments, OwnerKind, OwnerType, Strategy},
};

/// An owner's kind.
pub(in crate::api) fn owner_kind(written: i32) -> Result<OwnerKind, Wrong> {
    match pb::OwnerKind::try_from(written) {
        Ok(pb::OwnerKind::Contact) => Ok(OwnerKind::Contact),
        Ok(pb::OwnerKind::Lead) => Ok(OwnerKind::Lead),
        Ok(pb::OwnerKind::Account) => Ok(OwnerKind::Account),
        Ok(pb::OwnerKind::Opportunity) => Ok(OwnerKind::Opportunity),
        Ok(pb::OwnerKind::Unspecified) | Err(_) => {
            Err(Wrong::new("one of CONTACT, LEAD, ACCOUNT, OPPORTUNITY"))
        }
    }
}

/// An owner's type.
pub(in crate::api) fn owner_type(written: i32) -> Result<OwnerType, Wrong> {
    match pb::OwnerType::try_from(written) {
        Ok(pb::OwnerType::User | pb::OwnerType::Unspecified) => Ok(OwnerType::User),
        Ok(pb::OwnerType::Queue) => Ok(OwnerType::Queue),
        Err(_) => Err(Wrong::new("USER or QUEUE")),
    }
}

/// A group's kind.
pub(in crate::api) fn group_kind(written: i32) -> Result<GroupKind, Wrong> {
    match pb::GroupKind::try_from(written) {
        Ok(pb::GroupKind::Reps | pb::GroupKind::Unspecified) => Ok(GroupKind::Reps),
        Ok(pb::GroupKind::Options) => Ok(GroupKind::Options),
        Err(_) => Err(Wrong::new("REPS or OPTIONS")),
    }
}

/// A group's strategy.
pub(in crate::api) fn strategy(written: i32) -> Result<Strategy, Wrong> {
    match pb::Strategy::try_from(written) {
        Ok(pb::Strategy::RoundRobin | pb::Strategy::Unspecified) => Ok(Strategy::RoundRobin),
        Ok(pb::Strategy::LeastOpen) => Ok(Strategy::LeastOpen),
        Err(_) => Err(Wrong::new("ROUND_ROBIN or LEAST_OPEN")),
    }
}

/// A group's cursor scope.
pub(in crate::api) fn cursor_scope(written: i32) -> Result<CursorScope, Wrong> {
    match pb::CursorScope::try_from(written) {
        Ok(pb::CursorScope::Campaign | pb::CursorScope::Unspecified) => Ok(CursorScope::Campaign),
        Ok(pb::CursorScope::Group) => Ok(CursorScope::Group),
        Err(_) => Err(Wrong::new("CAMPAIGN or GROUP")),
    }
}

/// What becomes of a deleted rep's open assignments.
pub(in crate::api) fn open_assignments(written: i32) -> Result<OpenAssignments, Wrong> {
    match pb::OpenAssignments::try_from(written) {
        Ok(pb::OpenAssignments::Keep | pb::OpenAssignments::Unspecified) => {
            Ok(OpenAssignments::Keep)
        }
        Ok(pb::OpenAssignments::Reroute) => Ok(OpenAssignments::Reroute),
        Err(_) => Err(Wrong::new("KEEP or REROUTE")),
    }
}

/// Whether a rep says that they are online.
pub(in crate::api) fn presence(written: i32) -> Result<bool, Wrong> {
    match pb::PresenceState::try_from(written) {
        Ok(pb::PresenceState::Online) => Ok(true),
        Ok(pb::PresenceState::Offline) => Ok(false),
        Ok(pb::PresenceState::Unspecified) | Err(_) => Err(Wrong::new("ONLINE or OFFLINE")),
    }
}

/// A day of the week, 1 = Monday.
pub(in crate::api) fn weekday(written: i32) -> Result<u8, Wrong> {
    let day = u8::try_from(written).ok().filter(|day| (1..=7).contains(day));
    day.ok_or_else(|| Wrong::new("one of MONDAY to SUNDAY"))
}
