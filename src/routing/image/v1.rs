//! The image as version 1 wrote it: its types, frozen, and the hash that its records had.
//!
//! Nothing here ever changes: the order of fields and variants is the format. Ids are plain strings,
//! instants plain integers, so that no type in use can change it by accident. What it means today is
//! `from_v1`'s affair.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::routing::{
    TeamId,
    digest::{self, Record, Sum},
};

/// All records of a state, as version 1 kept them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageV1 {
    pub(super) clock: Clock,
    pub(super) teams: Vec<TeamImage>,
}

impl ImageV1 {
    /// The hash of the state that this was saved from, as version 1 computed it.
    #[must_use]
    pub fn hash(&self) -> u128 {
        let Self { clock, teams } = self;
        let nowhere = TeamId::new("");
        let clock = digest::hash(&nowhere, clock);
        teams.iter().fold(clock, |total, team| total.wrapping_add(team.hash()))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Clock {
    pub(super) engine_version: u32,
    pub(super) time: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TeamImage {
    pub(super) team: Team,
    pub(super) reps: Vec<Rep>,
    pub(super) groups: Vec<Group>,
    pub(super) members: Vec<Member>,
    pub(super) campaigns: Vec<Campaign>,
    pub(super) rotations: Vec<Rotation>,
    pub(super) turns: Vec<Turns>,
    pub(super) assignments: Vec<AssignmentRecord>,
    pub(super) answers: Vec<AnswerRecord>,
}

impl TeamImage {
    fn hash(&self) -> u128 {
        let Self { team, reps, groups, members, campaigns, rotations, turns, assignments, answers } =
            self;
        let mut sum = Sum::new(TeamId::new(&team.id));
        sum.add(team);
        reps.iter().for_each(|record| sum.add(record));
        groups.iter().for_each(|record| sum.add(record));
        members.iter().for_each(|record| sum.add(record));
        campaigns.iter().for_each(|record| sum.add(record));
        rotations.iter().for_each(|record| sum.add(record));
        turns.iter().for_each(|record| sum.add(record));
        assignments.iter().for_each(|record| sum.add(record));
        answers.iter().for_each(|record| sum.add(record));
        sum.total()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Team {
    pub(super) id: String,
    pub(super) display_name: String,
    pub(super) create_time: u64,
    pub(super) last_rep: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rep {
    pub(super) uid: u64,
    pub(super) id: String,
    pub(super) display_name: String,
    pub(super) email: Option<String>,
    pub(super) external_ids: BTreeMap<String, String>,
    pub(super) disabled: bool,
    pub(super) out_of_office: Vec<Interval>,
    pub(super) out_of_office_note: String,
    pub(super) out_of_office_set_by: String,
    pub(super) create_time: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Interval {
    pub(super) start: u64,
    pub(super) end: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) id: String,
    pub(super) display_name: String,
    pub(super) create_time: u64,
    pub(super) last_key: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) group: String,
    pub(super) key: u64,
    pub(super) rep: u64,
    pub(super) weight: u32,
    pub(super) last_added_time: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Campaign {
    pub(super) id: String,
    pub(super) display_name: String,
    pub(super) targets: Option<Vec<Target>>,
    pub(super) state: CampaignState,
    pub(super) create_time: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Target {
    pub(super) kind: TargetKind,
    pub(super) include_unavailable: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum TargetKind {
    Owner(Vec<OwnerKind>),
    Group(String),
    Rep(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum CampaignState {
    Draft,
    Running,
    Paused,
    Cancelled,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rotation {
    pub(super) group: String,
    pub(super) campaign: Option<String>,
    pub(super) cursor: Cursor,
    pub(super) last_pick_time: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    pub(super) round: u32,
    pub(super) key: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Turns {
    pub(super) group: String,
    pub(super) campaign: Option<String>,
    pub(super) key: u64,
    pub(super) turns: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AssignmentRecord {
    pub(super) assignment: Assignment,
    pub(super) rep: Option<u64>,
    pub(super) request: Option<RequestKey>,
    pub(super) first: Option<Assignment>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RequestKey {
    pub(super) id: String,
    pub(super) fingerprint: u128,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Assignment {
    pub(super) id: AssignmentId,
    pub(super) position: LogPosition,
    pub(super) create_time: u64,
    pub(super) contact: String,
    pub(super) via: Via,
    pub(super) owners: Vec<OwnerRef>,
    pub(super) state: AssignmentState,
    pub(super) rep: Option<String>,
    pub(super) cause: Cause,
    pub(super) target_index: Option<u32>,
    pub(super) owner_changed: bool,
    pub(super) decision: Decision,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AssignmentId {
    pub(super) log_index: u64,
    pub(super) seq: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LogPosition {
    pub(super) log_index: u64,
    pub(super) seq: u32,
    pub(super) term: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Via {
    DefaultRule,
    Campaign(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OwnerRef {
    pub(super) kind: OwnerKind,
    pub(super) owner_type: OwnerType,
    pub(super) email: Option<String>,
    pub(super) external_id: Option<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum OwnerKind {
    Contact,
    Lead,
    Account,
    Opportunity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum OwnerType {
    User,
    Queue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum AssignmentState {
    Assigned,
    Unassigned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Cause {
    Owner,
    Rotation,
    Rep,
    NoTarget,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Decision {
    pub(super) time: u64,
    pub(super) engine_version: u32,
    pub(super) targets: Vec<TargetTrace>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TargetTrace {
    pub(super) outcome: TargetOutcome,
    pub(super) skipped: Skipped,
    pub(super) cursor_before: Option<Cursor>,
    pub(super) cursor_after: Option<Cursor>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum TargetOutcome {
    Picked,
    NoOwner,
    OwnerIsQueue,
    OwnerNotARep,
    NoEligible,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Skipped {
    pub(super) named: Vec<PassedOver>,
    pub(super) counts: Vec<(Reason, u64)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PassedOver {
    pub(super) rep: String,
    pub(super) reason: Reason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reason {
    Disabled,
    OutOfOffice,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AnswerRecord {
    pub(super) request: RequestKey,
    pub(super) position: LogPosition,
    pub(super) time: u64,
    pub(super) answer: Answer,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    Existing(Assignment),
    Other(Result<Outcome, Rejection>),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Outcome {
    Team(TeamView),
    Rep(RepView),
    Group(GroupView),
    Campaign(Campaign, Vec<Warning>),
    Assigned(Assigned),
    Deleted,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Assigned {
    pub(super) assignment: Assignment,
    pub(super) existing: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TeamView {
    pub(super) id: String,
    pub(super) display_name: String,
    pub(super) create_time: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RepView {
    pub(super) id: String,
    pub(super) display_name: String,
    pub(super) email: Option<String>,
    pub(super) external_ids: BTreeMap<String, String>,
    pub(super) disabled: bool,
    pub(super) out_of_office: Vec<Interval>,
    pub(super) out_of_office_note: String,
    pub(super) out_of_office_set_by: String,
    pub(super) create_time: u64,
    pub(super) open_count: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GroupView {
    pub(super) id: String,
    pub(super) display_name: String,
    pub(super) members: Vec<MemberView>,
    pub(super) create_time: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MemberView {
    pub(super) rep: String,
    pub(super) weight: u32,
    pub(super) last_added_time: u64,
    pub(super) key: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Warning {
    GroupHasNoAvailableRep { group: String },
    FutureGap { gap: Interval },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Rejection {
    NotFound {
        kind: ResourceKind,
        id: String,
    },
    AlreadyExists {
        kind: ResourceKind,
        id: String,
    },
    EmailTaken {
        rep: String,
    },
    ExternalIdTaken {
        rep: String,
        system: String,
    },
    AlreadyMember {
        rep: String,
        group: String,
    },
    NotAMember {
        rep: String,
        group: String,
    },
    RequestIdReused,
    GroupTooSmall {
        groups: Vec<String>,
    },
    TooMany {
        what: String,
        limit: u64,
    },
    DefaultGroupImmutable,
    GroupInUse {
        group: String,
        campaigns: Vec<String>,
    },
    RepInUse {
        rep: String,
        campaigns: Vec<String>,
    },
    LastAvailableRep {
        team: Option<String>,
        campaigns: Vec<String>,
        groups: Vec<String>,
        gap: Interval,
    },
    GroupHasNoAvailableRep {
        campaign: String,
        groups: Vec<String>,
    },
    CampaignNotRunning {
        campaign: String,
        state: CampaignState,
    },
    WrongCampaignState {
        campaign: String,
        state: CampaignState,
    },
    TooManyIntervals {
        limit: u64,
    },
    EmptyWindow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ResourceKind {
    Team,
    Rep,
    Group,
    Campaign,
    Assignment,
}

// The kinds of version 1, which were never used for anything else.
impl Record for Clock {
    const KIND: u8 = 1;
}
impl Record for Team {
    const KIND: u8 = 2;
}
impl Record for Rep {
    const KIND: u8 = 3;
}
impl Record for Group {
    const KIND: u8 = 4;
}
impl Record for Member {
    const KIND: u8 = 5;
}
impl Record for Rotation {
    const KIND: u8 = 6;
}
impl Record for Turns {
    const KIND: u8 = 7;
}
impl Record for Campaign {
    const KIND: u8 = 8;
}
impl Record for AssignmentRecord {
    const KIND: u8 = 9;
}
impl Record for AnswerRecord {
    const KIND: u8 = 10;
}
