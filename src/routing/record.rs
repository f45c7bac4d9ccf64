//! What the state consists of: records, each a plain value with its own place in the state hash and
//! in a snapshot image. Everything else the state holds is an index over them, or a count.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    Assigned, Assignment, Campaign, CampaignId, Cursor, GroupId, IntervalSet, LogPosition, Outcome,
    Rejection, Rep, RepId, Reply, RequestKey, TeamId, Time, digest::Record,
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
    pub(super) create_time: Time,
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
    pub(super) out_of_office: IntervalSet,
    pub(super) out_of_office_note: String,
    pub(super) out_of_office_set_by: String,
    pub(super) create_time: Time,
}

impl RepRecord {
    pub(super) fn view(&self, open_count: u64) -> Rep {
        let Self {
            uid: _,
            id,
            display_name,
            email,
            external_ids,
            disabled,
            out_of_office,
            out_of_office_note,
            out_of_office_set_by,
            create_time,
        } = self.clone();
        Rep {
            id,
            display_name,
            email,
            external_ids,
            disabled,
            out_of_office,
            out_of_office_note,
            out_of_office_set_by,
            create_time,
            open_count,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GroupRecord {
    pub(super) id: GroupId,
    pub(super) display_name: String,
    pub(super) create_time: Time,
    /// The last ring key given.
    pub(super) last_key: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MemberRecord {
    pub(super) group: GroupId,
    pub(super) key: u64,
    pub(super) rep: RepUid,
    pub(super) weight: u32,
    pub(super) last_added_time: Time,
}

/// Where a ring stands; there is none before the first pick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RotationRecord {
    pub(super) group: GroupId,
    pub(super) campaign: Option<CampaignId>,
    pub(super) cursor: Cursor,
    pub(super) last_pick_time: Time,
}

/// How often a member was picked in a rotation; there is none before the first time. A record of its
/// own, so that a pick does not hash the whole ring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TurnsRecord {
    pub(super) group: GroupId,
    pub(super) campaign: Option<CampaignId>,
    pub(super) key: u64,
    pub(super) turns: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AssignmentRecord {
    pub(super) assignment: Arc<Assignment>,
    /// Who [`Assignment::rep`] is.
    pub(super) rep: Option<RepUid>,
    /// The request that made it, remembered for as long as the assignment is.
    pub(super) request: Option<RequestKey>,
    /// As that request was answered, if the assignment has changed since.
    pub(super) first: Option<Arc<Assignment>>,
}

impl AssignmentRecord {
    /// The answer to the request that made it.
    pub(super) fn first_reply(&self) -> Reply {
        let first = self.first.as_ref().unwrap_or(&self.assignment);
        assigned(first.position, first, false)
    }
}

/// An answer that no assignment remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AnswerRecord {
    pub(super) request: RequestKey,
    pub(super) position: LogPosition,
    pub(super) time: Time,
    pub(super) answer: Answer,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    /// An assignment that was there already; shared with it, for there may be many.
    Existing(Arc<Assignment>),
    /// Anything else.
    Other(Result<Outcome, Rejection>),
}

impl Answer {
    pub(super) fn reply(&self, position: LogPosition) -> Result<Reply, Rejection> {
        match self {
            Self::Existing(assignment) => Ok(assigned(position, assignment, true)),
            Self::Other(result) => result.clone().map(|outcome| Reply { position, outcome }),
        }
    }
}

fn assigned(position: LogPosition, assignment: &Assignment, existing: bool) -> Reply {
    let assigned = Assigned { assignment: assignment.clone(), existing };
    Reply { position, outcome: Outcome::Assigned(assigned) }
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
impl Record for AnswerRecord {
    const KIND: u8 = 10;
}
