//! Whose turn it is: the state machine, and nothing else.
//!
//! This module is pure. [`State::apply`] is a total function of the state, a [`Command`] and a
//! [`Stamp`]; it reads no clock, draws no random number, does no I/O, spawns nothing, and knows
//! neither gRPC nor Raft nor any byte format. Given equal arguments it gives equal results on every
//! machine, which is what lets Raft replicate it.
//!
//! | File | Owns |
//! |---|---|
//! | `id` | names of things: one type each |
//! | `time` | instants, half-open intervals, sets of them |
//! | `command` | what can be asked |
//! | `reply` | what is answered |
//! | `rejection` | why a rule said no |
//! | `limits` | every bound of the state |
//!
//! Behaviour ids such as S0-23 are those of the routing specification.

mod command;
mod id;
pub mod limits;
mod rejection;
mod reply;
mod time;

pub use command::{
    Command, MemberSpec, Operation, OwnerKind, OwnerRef, OwnerType, RequestKey, Stamp, Target,
    TargetKind, Via,
};
pub use id::{
    AssignmentId, CampaignId, ContactId, GroupId, Id, LogPosition, RepId, RequestId, TeamId, kind,
};
pub use rejection::{Rejection, ResourceKind};
pub use reply::{
    Assigned, Assignment, AssignmentState, Availability, Campaign, CampaignState, Cause, Cursor,
    Decision, Group, Member, Outcome, PassedOver, Reason, Rep, Reply, RotationView, Skipped,
    TargetOutcome, TargetTrace, Team, Warning,
};
pub use time::{Interval, IntervalSet, Time};
