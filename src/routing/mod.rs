//! Whose turn it is: the state machine, and nothing else.
//!
//! This module is pure. [`State::apply`] is a total function of the state, a [`Command`] and a
//! [`Stamp`]; it reads no clock, draws no random number, does no I/O, spawns nothing, and knows
//! neither gRPC nor Raft, nor any byte format but the one in which it keeps assignments. Given equal arguments it gives equal results on every
//! machine, which is what lets Raft replicate it.
//!
//! | File | Owns |
//! |---|---|
//! | `id`, `time` | names of things; instants, half-open intervals, sets of them |
//! | `command`, `settings` | what can be asked; what people set |
//! | `reply`, `decision`, `event` | what is answered; why; what others are told |
//! | `rejection` | why a rule said no |
//! | `limits` | every bound of the state |
//! | `state` | the clock, the teams, and `apply` |
//! | `team` | one team, one answer per request, all of a command or nothing |
//! | `team_commands`, `rep_commands`, `group_commands`, `rule_commands`, `campaign_commands` | what people set up |
//! | `assign`, `life` | a new contact; the steps of an assignment's life |
//! | `walk` | the walk over the targets |
//! | `standing`, `telling` | the classes in the rings kept as the reps' own are; what is told of changes |
//! | `waiting`, `drain` | who waits for what; what is due, and who is served |
//! | `select`, `filter` | the one selection, the one list of reasons to pass somebody over |
//! | `ring`, `seats`, `group` | who comes after a cursor; where a group's rotations stand |
//! | `access`, `token`, `token_commands` | who may do what; what they show; how they get it |
//! | `coverage` | the guard: somebody must be there for an active campaign |
//! | `reps`, `assignments`, `requests`, `places`, `buckets`, `tree` | what is kept, with its indexes |
//! | `pages`, `packed`, `words` | the many assignments and the answers about them, as few bytes |
//! | `engine` | which versions of the rules there are, and what is different between them |
//! | `record`, `digest`, `image`, `together` | what the state consists of, its hash, its form in a snapshot |
//! | `read`, `preview`, `report`, `choice` | what can be read |
//!
//! Behaviour ids such as S0-23 are those of the routing specification.

mod access;
mod assign;
mod assignments;
mod buckets;
mod campaign_commands;
mod choice;
mod command;
mod coverage;
mod decision;
mod digest;
mod drain;
mod engine;
mod event;
mod filter;
mod group;
mod group_commands;
mod id;
mod image;
mod life;
pub mod limits;
mod packed;
mod pages;
mod places;
mod preview;
mod read;
mod record;
mod rejection;
mod rep_commands;
mod reply;
mod report;
mod reps;
mod requests;
mod ring;
mod rule_commands;
mod seats;
mod select;
mod settings;
mod standing;
mod state;
mod team;
mod team_commands;
mod telling;
mod time;
mod together;
mod token;
mod token_commands;
mod tree;
mod visits;
mod waiting;
mod walk;
mod weights;
mod words;

pub use access::{Needed, Reading};
pub use choice::Choice;
pub use command::{
    Assign, Command, Labels, MemberSpec, OpenAssignments, Operation, OwnerKind, OwnerRef,
    OwnerType, RequestKey, Stamp, Via,
};
pub use decision::{
    Assignment, AssignmentState, Cause, Cursor, Decision, PassedOver, PickedOption, Reason,
    RingMove, RotationView, Skipped, Step, TargetOutcome, TargetTrace,
};
pub use engine::{ENGINE_VERSION_MAX, ENGINE_VERSION_MIN};
pub use event::{Change, Event, GroupAction, RotationAction};
pub use id::{
    AssignmentId, CampaignId, ContactId, GroupId, Id, LogPosition, OptionId, RepId, RequestId,
    Revision, RuleId, TeamId, TokenId, kind,
};
pub use image::{Image, ImageError, ImageV1, ImageV2, ImageV3, ImageV4, Loading, Part, Source};
pub use preview::Preview;
pub use read::AssignmentFilter;
pub use rejection::{KindRule, Rejection, ResourceKind};
pub use reply::{
    Assigned, Availability, Campaign, CampaignState, Group, Member, Meta, Outcome, Rep, Reply,
    Rule, Team, Warning,
};
pub use report::{GroupReport, RepReport};
pub use settings::{
    CursorScope, GroupChange, GroupKind, GroupSettings, Hours, MemberName, PeriodCap, Presence,
    RepChange, RepSettings, RestartPolicy, Route, Strategy, Target, TargetKind, TeamChange,
    WeeklySpan,
};
pub use state::State;
pub use time::{Interval, IntervalSet, Time};
pub use together::{Together, in_turn};
pub use token::{Bearer, Principal, Role, SecretHash, Token, TokenChange, TokenSettings};
