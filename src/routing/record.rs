//! What the state consists of: records, each a plain value with its own place in the state hash and
//! in a snapshot image. Everything else the state holds is an index over them, or a count.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    Assigned, Assignment, Campaign, CampaignId, Cursor, GroupId, IntervalSet, LogPosition, Meta,
    OptionId, Outcome, Rejection, Rep, RepId, Reply, RequestKey, Rule, RuleId, TeamId, Time, Token,
    digest::Record,
    settings::{CursorScope, GroupKind, Hours, PeriodCap, Presence, RestartPolicy, Strategy},
};

/// A rep for the state's own use: never given twice in a team, so that a rep created under the id of
/// a deleted one is somebody else, without their assignments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct RepUid(pub(super) u64);

/// What is true of the whole cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ClockRecord {
    pub(super) engine_version: u32,
    pub(super) time: Time,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TeamRecord {
    pub(super) id: TeamId,
    pub(super) display_name: String,
    pub(super) time_zone: String,
    pub(super) default_rule: Option<RuleId>,
    pub(super) meta: Meta,
    /// The last one given.
    pub(super) last_rep: RepUid,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RepRecord {
    pub(super) uid: RepUid,
    pub(super) id: RepId,
    pub(super) display_name: String,
    pub(super) email: Option<String>,
    pub(super) external_ids: BTreeMap<String, String>,
    pub(super) disabled: bool,
    pub(super) max_open: u32,
    pub(super) presence: Presence,
    pub(super) out_of_office: IntervalSet,
    pub(super) out_of_office_note: String,
    pub(super) out_of_office_set_by: String,
    pub(super) meta: Meta,
}

/// A rep's working hours: long, and changed seldom, so a record of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HoursRecord {
    pub(super) rep: RepUid,
    pub(super) hours: Arc<Hours>,
}

impl RepRecord {
    pub(super) fn view(&self, hours: Option<Arc<Hours>>, open_count: u64) -> Rep {
        let Self {
            uid: _,
            id,
            display_name,
            email,
            external_ids,
            disabled,
            max_open,
            presence,
            out_of_office,
            out_of_office_note,
            out_of_office_set_by,
            meta,
        } = self.clone();
        Rep {
            id,
            display_name,
            email,
            external_ids,
            disabled,
            max_open,
            hours,
            presence,
            out_of_office,
            out_of_office_note,
            out_of_office_set_by,
            open_count,
            meta,
        }
    }
}

/// Who or what sits in a ring.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Occupant {
    Rep(RepUid),
    Option(OptionId),
    Group(GroupId),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GroupRecord {
    pub(super) id: GroupId,
    pub(super) display_name: String,
    pub(super) kind: GroupKind,
    pub(super) strategy: Strategy,
    pub(super) require_online: bool,
    pub(super) cursor_scope: CursorScope,
    /// `None` = as is usual for the kind.
    pub(super) restart: Option<RestartPolicy>,
    pub(super) period_cap: Option<PeriodCap>,
    pub(super) meta: Meta,
    /// The last ring key given.
    pub(super) last_key: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MemberRecord {
    pub(super) group: GroupId,
    pub(super) key: u64,
    pub(super) occupant: Occupant,
    /// Of an option.
    pub(super) payload: Arc<str>,
    pub(super) weight: u32,
    pub(super) last_added_time: Time,
}

/// Where a ring stands; there is none before the first pick or adjustment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RotationRecord {
    pub(super) group: GroupId,
    pub(super) campaign: Option<CampaignId>,
    pub(super) cursor: Cursor,
    pub(super) last_pick_time: Option<Time>,
    pub(super) restart_time: Option<Time>,
}

/// How often a member was picked in a rotation, and its credits; there is none while both are 0. A
/// record of its own, so that a pick does not hash the whole ring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TurnsRecord {
    pub(super) group: GroupId,
    pub(super) campaign: Option<CampaignId>,
    pub(super) key: u64,
    pub(super) turns: u64,
    pub(super) credits: i32,
}

/// How often a member was picked in a window of the group's cap, the latest in which they were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CapRecord {
    pub(super) group: GroupId,
    pub(super) key: u64,
    pub(super) window: u64,
    pub(super) picks: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AssignmentRecord {
    pub(super) assignment: Arc<Assignment>,
    /// Who [`Assignment::rep`] is.
    pub(super) rep: Option<RepUid>,
    /// Who [`Assignment::rejected_by`] are.
    pub(super) rejected: Vec<RepUid>,
    /// From whom the work was taken, until it is given to somebody or nobody.
    pub(super) excluded: Option<RepUid>,
    /// Its targets were edited while it was offered: if it comes back, it starts again.
    pub(super) starts_again: bool,
    /// The request that made it, remembered for as long as the assignment is.
    pub(super) request: Option<RequestKey>,
    /// As that request was answered, if the assignment has changed since.
    pub(super) first: Option<Arc<Assignment>>,
}

impl AssignmentRecord {
    /// The answer to the request that made it.
    pub(super) fn first_reply(&self) -> Reply {
        let first = self.first.as_ref().unwrap_or(&self.assignment);
        let assigned = Assigned { assignment: Arc::clone(first), existing: false };
        Reply { position: first.position, outcome: Outcome::Assigned(assigned) }
    }
}

/// An answer that no assignment remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AnswerRecord<A = Answer> {
    pub(super) request: RequestKey,
    pub(super) position: LogPosition,
    pub(super) time: Time,
    pub(super) answer: A,
}

impl AnswerRecord {
    /// What is kept packed, or all of it.
    pub(super) fn parted(self) -> Result<AnswerRecord<AssignmentAnswer>, Self> {
        let Self { request, position, time, answer } = self;
        let answer = match answer {
            Answer::Existing(assignment) => AssignmentAnswer::Existing(assignment),
            Answer::Batch(items) => AssignmentAnswer::Batch(items),
            Answer::Step(assignment) => AssignmentAnswer::Step(assignment),
            Answer::Other(_) => return Err(Self { request, position, time, answer }),
        };
        Ok(AnswerRecord { request, position, time, answer })
    }
}

impl From<AnswerRecord<AssignmentAnswer>> for AnswerRecord {
    fn from(parted: AnswerRecord<AssignmentAnswer>) -> Self {
        let AnswerRecord { request, position, time, answer } = parted;
        let answer = match answer {
            AssignmentAnswer::Existing(assignment) => Answer::Existing(assignment),
            AssignmentAnswer::Batch(items) => Answer::Batch(items),
            AssignmentAnswer::Step(assignment) => Answer::Step(assignment),
        };
        Self { request, position, time, answer }
    }
}

/// An [`Answer`] about assignments, with its number in the hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum AssignmentAnswer {
    Existing(Arc<Assignment>),
    Batch(Vec<(Arc<Assignment>, bool)>),
    Step(Arc<Assignment>),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    /// An assignment that was there already, as it was.
    Existing(Arc<Assignment>),
    /// A batch of assigns; those marked were there already.
    Batch(Vec<(Arc<Assignment>, bool)>),
    /// A step of an assignment's life.
    Step(Arc<Assignment>),
    /// Anything else.
    Other(Box<Result<Outcome, Rejection>>),
}

impl Answer {
    pub(super) fn other(result: Result<Outcome, Rejection>) -> Self {
        Self::Other(Box::new(result))
    }

    pub(super) fn reply(&self, position: LogPosition) -> Result<Reply, Rejection> {
        let assigned = |assignment: &Arc<Assignment>, existing| {
            let assignment = Arc::clone(assignment);
            Assigned { assignment, existing }
        };
        let outcome = match self {
            Self::Existing(assignment) => Outcome::Assigned(assigned(assignment, true)),
            Self::Batch(items) => Outcome::Batch(
                items.iter().map(|(item, existing)| assigned(item, *existing)).collect(),
            ),
            Self::Step(assignment) => Outcome::Assignment(Arc::clone(assignment)),
            Self::Other(result) => Result::clone(result)?,
        };
        Ok(Reply { position, outcome })
    }
}

impl Record for ClockRecord {
    const KIND: u8 = 1;
}
impl Record for TeamRecord {
    const KIND: u8 = 2;
}
impl Record for RepRecord {
    const KIND: u8 = 3;
}
impl Record for GroupRecord {
    const KIND: u8 = 4;
}
impl Record for MemberRecord {
    const KIND: u8 = 5;
}
impl Record for RotationRecord {
    const KIND: u8 = 6;
}
impl Record for TurnsRecord {
    const KIND: u8 = 7;
}
impl Record for Campaign {
    const KIND: u8 = 8;
}
impl Record for AssignmentRecord {
    const KIND: u8 = 9;
}
impl<A: Serialize> Record for AnswerRecord<A> {
    const KIND: u8 = 10;
}
impl Record for HoursRecord {
    const KIND: u8 = 11;
}
impl Record for CapRecord {
    const KIND: u8 = 12;
}
impl Record for Rule {
    const KIND: u8 = 13;
}
impl Record for Token {
    const KIND: u8 = 14;
}
