//! What readers see of an assignment: where it is in its life, how it got there, and why.
//!
//! These are values. How the state keeps them is its own affair.

use serde::{Deserialize, Serialize};

use super::{
    AssignmentId, CampaignId, ContactId, GroupId, Labels, LogPosition, MemberName, OptionId,
    OwnerRef, RepId, Target, Time, Via,
};

/// One contact's assignment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Its id: the place that created it. Also its age.
    pub id: AssignmentId,
    /// Where it last changed.
    pub position: LogPosition,
    /// When created, in log time.
    pub create_time: Time,
    /// When last changed, in log time.
    pub update_time: Time,
    /// Whom it is about.
    pub contact: ContactId,
    /// By whose targets.
    pub via: Via,
    /// The owners given with the call.
    pub owners: Vec<OwnerRef>,
    /// Asks the contact's last rep before the first target that is not an owner.
    pub prefer_last_rep: bool,
    /// Among those who wait, higher is served first.
    pub priority: i32,
    /// Kept for the caller.
    pub labels: Labels,
    /// Where it is in its life.
    pub state: AssignmentState,
    /// Who has it, was offered it, or had it when it ended.
    pub rep: Option<RepId>,
    /// The option taken, of a group of options.
    pub option: Option<PickedOption>,
    /// Why it is as it is.
    pub cause: Cause,
    /// 0-based index of the target that gave the rep or option, or at which it waits.
    pub target_index: Option<u32>,
    /// No owner supplied maps to the rep who has it (S1-18).
    pub owner_changed: bool,
    /// While it waits: until when at this target.
    pub wait_end: Option<Time>,
    /// While it is offered: until when.
    pub offer_end: Option<Time>,
    /// Who refused it, or let the offer lapse; they are never offered it again.
    pub rejected_by: Vec<RepId>,
    /// Why, as the engine last decided.
    pub decision: Decision,
    /// The steps of its life: the first, and the newest of the others.
    pub history: Vec<Step>,
}

impl Assignment {
    /// The step of its history that took its decision: the newest one that fits it. Steps that decide
    /// nothing (an acceptance, an end) come after it at most.
    #[must_use]
    pub fn decided(&self) -> Option<&Step> {
        let outcome = self.decision.targets.last().map(|trace| trace.outcome);
        let fits = |cause| match outcome {
            Some(TargetOutcome::Picked) => is_pick(cause),
            Some(TargetOutcome::Waiting) => cause == Cause::Waiting,
            Some(
                TargetOutcome::NoOwner
                | TargetOutcome::OwnerIsQueue
                | TargetOutcome::OwnerNotARep
                | TargetOutcome::NoEligible,
            ) => cause == Cause::NoTarget,
            None => {
                matches!(cause, Cause::NoTarget | Cause::Manual | Cause::Claim | Cause::Reassign)
            }
        };
        let steps = self.history.iter().rev();
        steps.filter(|step| step.time == self.decision.time).find(|step| fits(step.cause))
    }
}

fn is_pick(cause: Cause) -> bool {
    match cause {
        Cause::Owner | Cause::Rotation | Cause::Rep | Cause::LastRep | Cause::Option => true,
        Cause::Waiting
        | Cause::NoTarget
        | Cause::Manual
        | Cause::Claim
        | Cause::Reassign
        | Cause::Accept
        | Cause::Unassign
        | Cause::Close
        | Cause::Cancel
        | Cause::Reject
        | Cause::OfferTimeout
        | Cause::CampaignCancelled => false,
    }
}

/// Where an assignment is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AssignmentState {
    /// Waits at a target for somebody to become eligible.
    Pending,
    /// A rep was asked and has not answered.
    Offered,
    /// A rep has it.
    Assigned,
    /// No target will be tried until somebody claims it, assigns it or calls again.
    Unassigned,
    /// Done.
    Closed,
    /// Given up.
    Cancelled,
}

impl AssignmentState {
    /// Whether work is left.
    #[must_use]
    pub fn is_open(self) -> bool {
        match self {
            Self::Pending | Self::Offered | Self::Assigned | Self::Unassigned => true,
            Self::Closed | Self::Cancelled => false,
        }
    }

    /// Whether it counts as open work of its rep.
    #[must_use]
    pub fn is_held(self) -> bool {
        match self {
            Self::Offered | Self::Assigned => true,
            Self::Pending | Self::Unassigned | Self::Closed | Self::Cancelled => false,
        }
    }
}

/// Why an assignment is as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Cause {
    /// They own it in the CRM.
    Owner,
    /// It was their turn.
    Rotation,
    /// The target names them.
    Rep,
    /// They had the contact before.
    LastRep,
    /// It was the option's turn.
    Option,
    /// It waits.
    Waiting,
    /// Every target was tried, or there is none.
    NoTarget,
    /// The call named the rep.
    Manual,
    /// The rep took it.
    Claim,
    /// Somebody gave it to the rep.
    Reassign,
    /// The rep accepted.
    Accept,
    /// Somebody took it from the rep.
    Unassign,
    /// It was closed.
    Close,
    /// It was cancelled.
    Cancel,
    /// The rep refused.
    Reject,
    /// The rep did not answer in time.
    OfferTimeout,
    /// Its campaign was cancelled.
    CampaignCancelled,
}

/// A step of an assignment's life.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Step {
    /// Log time.
    pub time: Time,
    /// Where in the log.
    pub position: LogPosition,
    /// Who made it happen; `""` if time did, or while there is no authentication.
    pub principal: String,
    /// What happened.
    pub cause: Cause,
    /// The state it led to.
    pub state: AssignmentState,
    /// Whom it was about.
    pub rep: Option<RepId>,
}

/// An option that a group of options gave.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PickedOption {
    /// The group it is a member of: the innermost of nested ones.
    pub group: GroupId,
    /// Its id there.
    pub option: OptionId,
    /// As it was then.
    pub payload: String,
}

/// Why the engine decided as it did: what can't be recomputed, compactly.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Decision {
    /// Log time of the decision.
    pub time: Time,
    /// The rules of which engine.
    pub engine_version: u32,
    /// In order, up to and with the target that gave somebody or where it waits. Empty where a person
    /// decided.
    pub targets: Vec<TargetTrace>,
}

/// What one target did.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TargetTrace {
    /// 0-based place among the targets; the last rep counts as part of the target after it.
    pub index: u32,
    /// The target as it was.
    pub target: Target,
    /// Not a target of the rule, but the contact's last rep.
    pub is_last_rep: bool,
    /// What came of it.
    pub outcome: TargetOutcome,
    /// Who was passed over: before the pick; with LEAST_OPEN, and where nobody was picked, all.
    pub skipped: Skipped,
    /// The ring's cursor before, for a group target.
    pub cursor_before: Option<Cursor>,
    /// And after; equal to before where nobody was picked, or somebody by credit.
    pub cursor_after: Option<Cursor>,
    /// What the pick moved in groups nested in the target's, outermost first.
    pub inner: Vec<RingMove>,
}

/// The move of a nested ring.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RingMove {
    /// Which ring.
    pub group: GroupId,
    /// Where it stood.
    pub before: Cursor,
    /// Where it stands.
    pub after: Cursor,
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
    /// The same, and the contact waits here.
    Waiting,
}

/// The members passed over: at most 16 named, all counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Skipped {
    /// The first of them, nearest first.
    pub named: Vec<PassedOver>,
    /// How many there are, named or not.
    pub total: u64,
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
    /// Outside working hours.
    OffHours,
    /// Not online, where that is required.
    NotOnline,
    /// Has as much open work as they may.
    AtCapacity,
    /// Was picked as often in this period as they may.
    PeriodCap,
    /// Refused this contact before.
    RejectedBefore,
    /// Is who the work is taken from.
    Excluded,
    /// Owes a turn: eligible, but had negative credits.
    Credit,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationView {
    /// Which ring.
    pub group: GroupId,
    /// Under which campaign; `None` = `-`.
    pub campaign: Option<CampaignId>,
    /// Where it stands: (0, 0) also if it has been idle so long that the next pick starts over.
    pub cursor: Cursor,
    /// Who was last served, if still a member.
    pub last_served: Option<MemberName>,
    /// Who would be next, in order, if nothing else happened.
    pub next_members: Vec<MemberName>,
    /// Turns each present member took in this rotation, in ring order.
    pub turns: Vec<(MemberName, u64)>,
    /// Credits other than 0, in ring order.
    pub credits: Vec<(MemberName, i32)>,
    /// Log time of the last pick.
    pub last_pick_time: Option<Time>,
    /// Log time at which it was last started over.
    pub restart_time: Option<Time>,
}
