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
//! | `state` | the clock, the teams, and `apply` |
//! | `team` | one team, one answer per request, all of a command or nothing |
//! | `rep_commands`, `group_commands`, `campaign_commands` | what people set up |
//! | `assign` | the walk over the targets, and what a pick changes |
//! | `select`, `filter` | the one selection, the one list of reasons to pass somebody over |
//! | `ring`, `group` | who comes after a cursor; where a group's rotations stand |
//! | `coverage` | the guard: somebody must be there for an active campaign |
//! | `reps`, `assignments`, `requests` | what is kept, with its indexes |
//! | `record`, `digest`, `image` | what the state consists of, its hash, its form in a snapshot |
//! | `read` | what can be read |
//!
//! Behaviour ids such as S0-23 are those of the routing specification.

mod assign;
mod assignments;
mod campaign_commands;
mod command;
mod coverage;
mod digest;
mod filter;
mod group;
mod group_commands;
mod id;
mod image;
pub mod limits;
mod read;
mod record;
mod rejection;
mod rep_commands;
mod reply;
mod reps;
mod requests;
mod ring;
mod select;
mod state;
mod team;
mod time;

pub use command::{
    Command, MemberSpec, Operation, OwnerKind, OwnerRef, OwnerType, RequestKey, Stamp, Target,
    TargetKind, Via,
};
pub use id::{
    AssignmentId, CampaignId, ContactId, GroupId, Id, LogPosition, RepId, RequestId, TeamId, kind,
};
pub use image::{Image, ImageError};
pub use read::AssignmentFilter;
pub use rejection::{Rejection, ResourceKind};
pub use reply::{
    Assigned, Assignment, AssignmentState, Availability, Campaign, CampaignState, Cause, Cursor,
    Decision, Group, Member, Outcome, PassedOver, Reason, Rep, Reply, RotationView, Skipped,
    TargetOutcome, TargetTrace, Team, Warning,
};
pub use state::State;
pub use time::{Interval, IntervalSet, Time};
