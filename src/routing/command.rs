//! What can be asked of the state: the closed list of operations, as plain data.
//!
//! Commands arrive checked for shape (`api`): ids are well formed, strings are clean, emails are
//! trimmed, NFC-normalised and case-folded, intervals end after they start, lists are within
//! `limits`. Whether they may happen is decided by `apply`, the same on every node.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CampaignId, ContactId, GroupId, LogPosition, RepId, RequestId, TeamId, Time};

/// One intended change, as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The caller's id of this operation; without one, a repeat is a new call.
    pub request: Option<RequestKey>,
    /// Who asked, as authenticated; `""` while there is no authentication.
    pub principal: String,
    /// The team it happens in; for [`Operation::CreateTeam`], the team to create.
    pub team: TeamId,
    /// What to do.
    pub operation: Operation,
}

/// What identifies a repeat (ROUTING 2.5, layer "retry").
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RequestKey {
    /// Unique per team, whoever calls and whatever the method.
    pub id: RequestId,
    /// Hash of the operation without this key; a differing one under the same id is refused.
    pub fingerprint: u128,
}

/// When and where a command takes effect. Decided by the proposer and the log, never by `apply`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Leader time; `apply` uses the greater of this and the last one it saw.
    pub time: Time,
    /// Place in the log.
    pub position: LogPosition,
}

/// The changes there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Creates the team and its empty default group `default` (S0-16).
    CreateTeam {
        /// What people call it.
        display_name: String,
    },
    /// Creates a rep, who joins the default group as its last member (S0-16).
    CreateRep {
        /// Id within the team.
        rep: RepId,
        /// What people call them.
        display_name: String,
        /// Normalised; unique in the team; `None` if unknown.
        email: Option<String>,
        /// System name to user id, e.g. `salesforce` to `005…`; each pair unique in the team.
        external_ids: BTreeMap<String, String>,
        /// Never assigned automatically.
        disabled: bool,
    },
    /// Deletes a rep, who leaves every group (S0-34). Their assignments stay as they are (S0-36).
    DeleteRep {
        /// Which.
        rep: RepId,
    },
    /// Adds `[start or now, end or for ever)` to the rep's absence (S0-17, S0-23).
    SetOutOfOffice {
        /// Whose.
        rep: RepId,
        /// `None` = now; clamped to now.
        start: Option<Time>,
        /// `None` = for ever.
        end: Option<Time>,
        /// Free text, kept with the rep.
        note: String,
    },
    /// Subtracts `[start or now, end or the end of the absence that covers start)`.
    ClearOutOfOffice {
        /// Whose.
        rep: RepId,
        /// `None` = now; clamped to now.
        start: Option<Time>,
        /// `None` = the end of the interval that covers `start`.
        end: Option<Time>,
    },
    /// Creates a group of reps with at least one member, in the order given (S0-12, S0-15).
    CreateGroup {
        /// Id within the team; `default` is taken.
        group: GroupId,
        /// What people call it.
        display_name: String,
        /// Ring order = order here (S0-4E2).
        members: Vec<MemberSpec>,
    },
    /// Deletes a group that no active campaign uses (S0-30, S0-31).
    DeleteGroup {
        /// Which.
        group: GroupId,
    },
    /// Adds members at the end of the ring (S0-4, S0-37). All or none.
    AddGroupMembers {
        /// To which.
        group: GroupId,
        /// In ring order.
        members: Vec<MemberSpec>,
    },
    /// Removes a member (S0-35); never the last one (S0-15).
    RemoveGroupMember {
        /// From which.
        group: GroupId,
        /// Whom.
        rep: RepId,
    },
    /// Creates a campaign in DRAFT; only warns where launch would refuse (S0-27).
    CreateCampaign {
        /// Id within the team.
        campaign: CampaignId,
        /// What people call it.
        display_name: String,
        /// `None` = the team's default, `[owner, default group]` (S0-5). `Some([])` = manual.
        targets: Option<Vec<Target>>,
    },
    /// Replaces the targets, also after launch (S0-29).
    UpdateCampaign {
        /// Which.
        campaign: CampaignId,
        /// As in `CreateCampaign`; outer `None` = leave.
        targets: Option<Option<Vec<Target>>>,
        /// `None` = leave.
        display_name: Option<String>,
    },
    /// DRAFT to RUNNING; refused unless every coverage set is satisfied now (S0-28).
    LaunchCampaign {
        /// Which.
        campaign: CampaignId,
    },
    /// RUNNING to PAUSED, which routes exactly like RUNNING.
    PauseCampaign {
        /// Which.
        campaign: CampaignId,
    },
    /// PAUSED to RUNNING.
    ResumeCampaign {
        /// Which.
        campaign: CampaignId,
    },
    /// Any state to CANCELLED, for good; the campaign is no longer active (S0-22, S0-32).
    CancelCampaign {
        /// Which.
        campaign: CampaignId,
    },
    /// Decides whose turn it is for one contact.
    AssignContact {
        /// Whom to route.
        contact: ContactId,
        /// By whose targets.
        via: Via,
        /// At most one per kind (S0-9, S1-11).
        owners: Vec<OwnerRef>,
    },
}

/// Which ordered targets an assignment goes through; with the contact, the key of "same work".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Via {
    /// The team's default rule, `[owner, default group]`.
    DefaultRule,
    /// The campaign's targets.
    Campaign(CampaignId),
}

/// One member to add to a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MemberSpec {
    /// Who.
    pub rep: RepId,
    /// 1 to [`super::limits::WEIGHT_MAX`].
    pub weight: u32,
}

/// One step of the ordered list that an assignment goes through.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    /// Where candidates come from.
    pub kind: TargetKind,
    /// Lifts OUT_OF_OFFICE for this target, never DISABLED (S0-10E2).
    pub include_unavailable: bool,
}

/// Where a target's candidates come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TargetKind {
    /// The owners supplied with the call, in the order of these kinds, which is never empty.
    Owner(Vec<OwnerKind>),
    /// The ring of a group.
    Group(GroupId),
    /// One rep.
    Rep(RepId),
}

/// Which CRM field an owner was read from (S1-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum OwnerKind {
    /// Of the contact record.
    Contact,
    /// Of the lead record.
    Lead,
    /// Of the account record.
    Account,
    /// Of the opportunity record; considered only where a target names it.
    Opportunity,
}

/// An owner as the caller's CRM holds it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OwnerRef {
    /// Which field.
    pub kind: OwnerKind,
    /// A person or a queue (S1-7).
    pub owner_type: OwnerType,
    /// Normalised like a rep's; tried after `external_id`.
    pub email: Option<String>,
    /// (system, user id); tried first.
    pub external_id: Option<(String, String)>,
}

/// What an owner field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum OwnerType {
    /// A user lookup (S1-6).
    User,
    /// A routing queue, which is never matched to a rep (S1-7).
    Queue,
}
