//! What is answered: resources as they stood at a log position.
//!
//! These are values for readers. How the state keeps them is its own affair.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    Assignment, CampaignId, GroupId, IntervalSet, Labels, LogPosition, MemberName, RepId, Revision,
    RotationView, RuleId, TeamId, Time, Token,
    filter::availability,
    settings::{
        CursorScope, GroupKind, Hours, PeriodCap, Presence, RestartPolicy, Route, Strategy, Target,
    },
};

/// The answer to a command that was not rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Where the command took effect; a repeat gets the first position.
    pub position: LogPosition,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The team as it is now.
    Team(Team),
    /// The rep as they are now.
    Rep(Rep),
    /// The group as it is now.
    Group(Group),
    /// The rotation as it is now, without who would be next, and without turns and credits where there
    /// are more than [`ANSWERED_MEMBERS_MAX`](super::limits::ANSWERED_MEMBERS_MAX) members.
    Rotation(RotationView),
    /// The rule as it is now.
    Rule(Rule),
    /// The campaign as it is now, with what a launch would refuse or should worry about.
    Campaign(Campaign, Vec<Warning>),
    /// Who got the contact.
    Assigned(Assigned),
    /// Who got each of a batch, in its order.
    Batch(Vec<Assigned>),
    /// The assignment as it is now; shared with the state.
    Assignment(Arc<Assignment>),
    /// It is gone.
    Deleted,
    /// Time has passed.
    Ticked,
    /// The token as it is now.
    Token(Token),
    /// The group as it is now, without its members, who are too many for an answer: more than
    /// [`ANSWERED_MEMBERS_MAX`](super::limits::ANSWERED_MEMBERS_MAX), or of longer payloads than
    /// [`ANSWERED_PAYLOADS_LEN_MAX`](super::limits::ANSWERED_PAYLOADS_LEN_MAX).
    LargeGroup {
        /// With no members.
        group: Group,
        /// How many it has.
        member_count: u32,
    },
}

/// The answer to `AssignContact`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assigned {
    /// The assignment as it stood when this was answered; shared with the state.
    pub assignment: Arc<Assignment>,
    /// An open assignment of the same work was there already.
    pub existing: bool,
}

/// What every configured resource has.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Meta {
    /// Kept for the caller.
    pub labels: Labels,
    /// When created, in log time.
    pub create_time: Time,
    /// When its configuration last changed, in log time.
    pub update_time: Time,
    /// Where in the log that was: its etag.
    pub revision: Revision,
}

/// A team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// What people call it.
    pub display_name: String,
    /// An IANA name, kept for the caller.
    pub time_zone: String,
    /// What calls without `via` go by; `None` = `[owner, default group]`.
    pub default_rule: Option<RuleId>,
    /// Labels, times, revision.
    pub meta: Meta,
}

/// A rep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rep {
    /// Its id.
    pub id: RepId,
    /// What people call them.
    pub display_name: String,
    /// Normalised.
    pub email: Option<String>,
    /// System name to user id.
    pub external_ids: BTreeMap<String, String>,
    /// Never assigned automatically.
    pub disabled: bool,
    /// Open assignments at which they get no more; 0 = no limit.
    pub max_open: u32,
    /// When they work; `None` = always.
    pub hours: Option<Arc<Hours>>,
    /// Whether they are at their desk.
    pub presence: Presence,
    /// When they are away.
    pub out_of_office: IntervalSet,
    /// The note of the latest `SetOutOfOffice`.
    pub out_of_office_note: String,
    /// Who set it: the principal of the latest `SetOutOfOffice`.
    pub out_of_office_set_by: String,
    /// Open assignments they hold.
    pub open_count: u64,
    /// Labels, times, revision.
    pub meta: Meta,
}

impl Rep {
    /// Computed availability at `now`.
    #[must_use]
    pub fn availability(&self, now: Time) -> Availability {
        availability(self, now)
    }
}

/// Whether a rep can be given work, and if not, why; presence is shown apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Availability {
    /// Can be.
    Available,
    /// Switched off.
    Disabled,
    /// Away.
    OutOfOffice,
    /// Outside working hours.
    OffHours,
    /// Has as much open work as they may.
    AtCapacity,
}

/// A group in ring order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// What people call it.
    pub display_name: String,
    /// Of what.
    pub kind: GroupKind,
    /// Who comes first.
    pub strategy: Strategy,
    /// Passes over whoever is not online.
    pub require_online: bool,
    /// Whose cursor a call moves.
    pub cursor_scope: CursorScope,
    /// When the ring starts over.
    pub restart: RestartPolicy,
    /// At most so many picks of a member in each period.
    pub period_cap: Option<PeriodCap>,
    /// In ring order: most recently added last, unless reordered.
    pub members: Vec<Member>,
    /// Labels, times, revision.
    pub meta: Meta,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Who or what.
    pub name: MemberName,
    /// Of an option; empty for others.
    pub payload: String,
    /// 1 to 1,000.
    pub weight: u32,
    /// When last added, in log time.
    pub last_added_time: Time,
    /// The number it got when it was last added or ordered; the ring's order.
    pub key: u64,
}

/// A routing rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// What people call it; unique in the team.
    pub display_name: String,
    /// In order.
    pub targets: Vec<Target>,
    /// Labels, times, revision.
    pub meta: Meta,
}

/// A campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Campaign {
    /// Its id.
    pub id: CampaignId,
    /// What people call it.
    pub display_name: String,
    /// Where its contacts go.
    pub route: Route,
    /// Where it is in its life.
    pub state: CampaignState,
    /// For the caller.
    pub launch_time: Option<Time>,
    /// Labels, times, revision.
    pub meta: Meta,
}

/// Where a campaign is in its life; active = not CANCELLED (S0-22).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CampaignState {
    /// Being set up.
    Draft,
    /// Set up, to be launched by a call.
    Scheduled,
    /// Routing.
    Running,
    /// Routing all the same: conversations in flight still qualify.
    Paused,
    /// Ended for good.
    Cancelled,
}

/// Something to know that refuses nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Warning {
    /// A group target has no available rep now (S0-27); a launch is refused if no target has one.
    GroupHasNoAvailableRep {
        /// Which group.
        group: GroupId,
    },
    /// Some time from now on nobody is available for this campaign.
    FutureGap {
        /// When.
        gap: super::Interval,
    },
}
