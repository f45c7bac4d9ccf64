//! From what the state holds to what callers see, and the few enums that go both ways.
//!
//! | File | Owns |
//! |---|---|
//! | `teams`, `tokens`, `reps`, `groups`, `campaigns` | one kind of resource each; rotations and reports are with groups, rules with campaigns |
//! | `assignments` | assignments, their history, their decision |
//! | `events` | what happened to them |
//! | `enums` | enums that callers send |
//!
//! Every struct is taken apart by name, so that a field added to the state can't be forgotten here.

mod assignments;
mod campaigns;
mod enums;
mod events;
mod groups;
mod reps;
mod teams;
mod tokens;

use crate::{proto::turnwise::v1 as pb, routing::LogPosition};

pub(super) use assignments::{assignment, assignment_state, choice, reason_words};
pub(super) use campaigns::{campaign, campaign_state, rule};
pub(super) use enums::{
    cursor_scope, group_kind, open_assignments, owner_kind, owner_type, presence, strategy, weekday,
};
pub(super) use events::{event, type_and_resource};
pub(super) use groups::{group, member, member_name, report, rotation};
pub(super) use reps::rep;
pub(super) use teams::team;
pub(super) use tokens::token;

pub(super) fn position(position: LogPosition) -> pb::LogPosition {
    let LogPosition { log_index, seq, term } = position;
    pb::LogPosition { term, log_index, seq }
}
