//! What is answered: resources as they stood at a log position, and decisions with their reasons.
//!
//! These are values for readers. How the state keeps them is its own affair.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    AssignmentId, CampaignId, ContactId, GroupId, IntervalSet, LogPosition, OwnerRef, RepId,
    Target, TeamId, Time, Via,
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
    /// The campaign as it is now, with what a launch would refuse or should worry about.
    Campaign(Campaign, Vec<Warning>),
    /// Who got the contact.
    Assigned(Assigned),
    /// It is gone.
    Deleted,
}

/// The answer to `AssignContact`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assigned {
    /// The assignment as it stood when this was answered.
    pub assignment: Assignment,
    /// An open assignment of the same work was there already: no turn was used.
    pub existing: bool,
}

/// A team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// What people call it.
    pub display_name: String,
    /// When it was created, in log time.
    pub create_time: Time,
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
    /// When they are away.
    pub out_of_office: IntervalSet,
    /// The note of the latest `SetOutOfOffice`.
    pub out_of_office_note: String,
    /// Who set it: the principal of the latest `SetOutOfOffice`.
    pub out_of_office_set_by: String,
    /// When created, in log time.
    pub create_time: Time,
    /// Open assignments they hold.
    pub open_count: u64,
}

impl Rep {
    /// Computed availability at `now`: DISABLED > OUT_OF_OFFICE > AVAILABLE.
    #[must_use]
    pub fn availability(&self, now: Time) -> Availability {
        if self.disabled {
            return Availability::Disabled;
        }
        if self.out_of_office.contains(now) {
            return Availability::OutOfOffice;
        }
        Availability::Available
    }
}

/// Whether a rep can be given work, and if not, why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Availability {
    /// Can be.
    Available,
    /// Switched off.
    Disabled,
    /// Away.
    OutOfOffice,
}

/// A group of reps in ring order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// What people call it.
    pub display_name: String,
    /// In ring order: most recently added last.
    pub members: Vec<Member>,
    /// When created, in log time.
    pub create_time: Time,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Who.
    pub rep: RepId,
    /// 1 to 1,000.
    pub weight: u32,
    /// When last added, in log time.
    pub last_added_time: Time,
    /// The number it got when it was last added; the ring's order.
    pub key: u64,
}

/// A campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Campaign {
    /// Its id.
    pub id: CampaignId,
    /// What people call it.
    pub display_name: String,
    /// `None` = the team's default, `[owner, default group]`.
    pub targets: Option<Vec<Target>>,
    /// Where it is in its life.
    pub state: CampaignState,
    /// When created, in log time.
    pub create_time: Time,
}

/// Where a campaign is in its life; active = not CANCELLED (S0-22).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CampaignState {
    /// Being set up.
    Draft,
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

/// One contact's assignment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Its id: the position that created it.
    pub id: AssignmentId,
    /// Where the rep was decided.
    pub position: LogPosition,
    /// When created, in log time.
    pub create_time: Time,
    /// Whom it is about.
    pub contact: ContactId,
    /// By whose targets.
    pub via: Via,
    /// The owners given with the call.
    pub owners: Vec<OwnerRef>,
    /// Where it is in its life.
    pub state: AssignmentState,
    /// Who got it, if anybody.
    pub rep: Option<RepId>,
    /// Why: the kind of target that gave it.
    pub cause: Cause,
    /// The index of that target, 0-based.
    pub target_index: Option<u32>,
    /// No owner supplied maps to the rep chosen (S1-18).
    pub owner_changed: bool,
    /// The stored why.
    pub decision: Decision,
}

/// Where an assignment is in its life. Both are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AssignmentState {
    /// A rep has it.
    Assigned,
    /// No target gave anybody; the decision says why.
    Unassigned,
}

/// Why a rep has a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Cause {
    /// They own it in the CRM.
    Owner,
    /// It was their turn.
    Rotation,
    /// The target names them.
    Rep,
    /// Nobody has it.
    NoTarget,
}

/// Why the engine decided as it did: what can't be recomputed, compactly.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Decision {
    /// Log time of the decision.
    pub time: Time,
    /// The rules of which engine.
    pub engine_version: u32,
    /// In order, up to and with the target that gave somebody.
    pub targets: Vec<TargetTrace>,
}

/// What one target did.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TargetTrace {
    /// What came of it.
    pub outcome: TargetOutcome,
    /// Who was passed over before the pick, nearest first.
    pub skipped: Skipped,
    /// The ring's cursor before, for a group target.
    pub cursor_before: Option<Cursor>,
    /// And after; equal to before where nobody was picked.
    pub cursor_after: Option<Cursor>,
}

/// What came of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TargetOutcome {
    /// It gave somebody.
    Picked,
    /// No owner was supplied.
    NoOwner,
    /// Only queues were (S1-7).
    OwnerIsQueue,
    /// Owners were, but none is a rep (S1-15).
    OwnerNotARep,
    /// There are candidates, and every one was passed over.
    NoEligible,
}

/// The members passed over: at most 16 named, all counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Skipped {
    /// The first of them, nearest first.
    pub named: Vec<PassedOver>,
    /// All of them by reason, in filter order.
    pub counts: Vec<(Reason, u64)>,
}

/// One member passed over.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PassedOver {
    /// Who.
    pub rep: RepId,
    /// Why: the first filter that applied.
    pub reason: Reason,
}

/// Why a candidate was passed over, in filter order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// Switched off.
    Disabled,
    /// Away.
    OutOfOffice,
}

/// The slot of a ring that was last served; (0, 0) before the first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Cursor {
    /// Which round of the weighted cycle.
    pub round: u32,
    /// The member's key.
    pub key: u64,
}

/// A rotation as readers see it: `…/groups/{group}/rotations/{campaign or "-"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationView {
    /// Which ring.
    pub group: GroupId,
    /// Under which campaign; `None` = `-`.
    pub campaign: Option<CampaignId>,
    /// Where it stands.
    pub cursor: Cursor,
    /// Who was last served, if still a member.
    pub last_served: Option<RepId>,
    /// Who would be next, in order, if nothing else happened.
    pub next_members: Vec<RepId>,
    /// Turns each present member took in this rotation, in ring order.
    pub turns: Vec<(RepId, u64)>,
    /// Log time of the last pick.
    pub last_pick_time: Option<Time>,
}
