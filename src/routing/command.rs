//! What can be asked of the state: the closed list of operations, as plain data.
//!
//! Commands arrive checked for shape (`api`): ids are well formed, strings are clean, emails are
//! trimmed, NFC-normalised and case-folded, intervals end after they start, lists are within
//! `limits`. Whether they may happen is decided by `apply`, the same on every node.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    AssignmentId, CampaignId, ContactId, GroupId, LogPosition, MemberName, RepId, RequestId,
    Revision, RuleId, TeamId, Time, TokenId,
    settings::{
        GroupChange, GroupSettings, Hours, RepChange, RepSettings, Route, Target, TeamChange,
    },
    token::{Principal, TokenChange, TokenSettings},
};

/// Names and values that callers keep with a resource; never read here.
pub type Labels = BTreeMap<String, String>;

/// One intended change, as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The caller's id of this operation; without one, a repeat is a new call.
    pub request: Option<RequestKey>,
    /// Who asked, as authenticated.
    pub principal: Principal,
    /// The team it happens in; for [`Operation::CreateTeam`], the team to create.
    pub team: TeamId,
    /// The revision that the resource must have; `None` = any (AIP-154).
    pub etag: Option<Revision>,
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
        /// Kept for the caller.
        labels: Labels,
        /// Kept for the caller: an IANA name.
        time_zone: String,
    },
    /// Changes what is said of the team, or its default rule.
    UpdateTeam {
        /// What of it.
        change: TeamChange,
    },
    /// Deletes a team without active campaigns and open assignments.
    DeleteTeam {
        /// A missing team is success.
        allow_missing: bool,
    },
    /// Creates a rep, who joins the default group as its last member (S0-16).
    CreateRep {
        /// Id within the team.
        rep: RepId,
        /// What they are to be.
        settings: RepSettings,
    },
    /// Changes a rep.
    UpdateRep {
        /// Which.
        rep: RepId,
        /// What of them.
        change: RepChange,
    },
    /// Deletes a rep, who leaves every group (S0-34).
    DeleteRep {
        /// Which.
        rep: RepId,
        /// What becomes of their open assignments.
        open: OpenAssignments,
        /// A missing rep is success.
        allow_missing: bool,
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
    /// Says that a rep is online for a while, or offline (S2-6).
    SetPresence {
        /// Whose.
        rep: RepId,
        /// Online or offline.
        online: bool,
        /// For how long, in microseconds from now; 0 for offline.
        ttl_us: u64,
    },
    /// Renews the expansion of a rep's working hours, unless they have others by now.
    RenewHours {
        /// Whose.
        rep: RepId,
        /// The same hours, expanded further.
        hours: Hours,
    },
    /// Creates a group with its members, in the order given (S0-12, S0-15).
    CreateGroup {
        /// Id within the team; `default` is taken.
        group: GroupId,
        /// What it is to be.
        settings: GroupSettings,
        /// Ring order = order here (S0-4E2).
        members: Vec<MemberSpec>,
    },
    /// Changes how a group works; never its members or kind.
    UpdateGroup {
        /// Which.
        group: GroupId,
        /// What of it.
        change: GroupChange,
    },
    /// Deletes a group that nothing uses (S0-30, S0-31).
    DeleteGroup {
        /// Which.
        group: GroupId,
        /// A missing group is success.
        allow_missing: bool,
    },
    /// Adds members at the end of the ring (S0-4, S0-37). All or none.
    AddGroupMembers {
        /// To which.
        group: GroupId,
        /// In ring order.
        members: Vec<MemberSpec>,
    },
    /// Removes a member (S0-35); never one of the last (S0-15, S3-6).
    RemoveGroupMember {
        /// From which.
        group: GroupId,
        /// Whom.
        member: MemberName,
    },
    /// Changes a member's weight or payload; moves nothing.
    UpdateGroupMember {
        /// Of which.
        group: GroupId,
        /// Whom.
        member: MemberName,
        /// `None` = leave.
        weight: Option<u32>,
        /// `None` = leave; options only.
        payload: Option<String>,
    },
    /// Puts the members in another order; each cursor stays with its member.
    ReorderGroup {
        /// Which.
        group: GroupId,
        /// All members, each once, in the order wanted.
        members: Vec<MemberName>,
    },
    /// Puts a rotation back before its first pick (S3-13).
    ResetRotation {
        /// Of which group.
        group: GroupId,
        /// Under which campaign; `None` = `-`.
        campaign: Option<CampaignId>,
    },
    /// Gives a member turns to be served first (positive) or passed over (negative).
    AdjustRotation {
        /// Of which group.
        group: GroupId,
        /// Under which campaign; `None` = `-`.
        campaign: Option<CampaignId>,
        /// Whose.
        member: MemberName,
        /// What they are to have: −100 to 100.
        credits: i32,
        /// Why, for the event.
        reason: String,
    },
    /// Creates a routing rule (S4-2).
    CreateRule {
        /// Id within the team.
        rule: RuleId,
        /// What people call it: required, unique in the team.
        display_name: String,
        /// Kept for the caller.
        labels: Labels,
        /// In order: 0 to 16.
        targets: Vec<Target>,
    },
    /// Changes a routing rule; contacts that wait by it start again.
    UpdateRule {
        /// Which.
        rule: RuleId,
        /// `None` = leave.
        display_name: Option<String>,
        /// `None` = leave.
        labels: Option<Labels>,
        /// `None` = leave.
        targets: Option<Vec<Target>>,
    },
    /// Deletes a routing rule that nothing uses.
    DeleteRule {
        /// Which.
        rule: RuleId,
        /// A missing rule is success.
        allow_missing: bool,
    },
    /// Creates a campaign in DRAFT; only warns where launch would refuse (S0-27).
    CreateCampaign {
        /// Id within the team.
        campaign: CampaignId,
        /// What people call it.
        display_name: String,
        /// Kept for the caller.
        labels: Labels,
        /// Where its contacts go.
        route: Route,
    },
    /// Changes a campaign, also after launch (S0-29).
    UpdateCampaign {
        /// Which.
        campaign: CampaignId,
        /// `None` = leave.
        display_name: Option<String>,
        /// `None` = leave.
        labels: Option<Labels>,
        /// `None` = leave.
        route: Option<Route>,
    },
    /// Deletes a CANCELLED campaign, with its rotations.
    DeleteCampaign {
        /// Which.
        campaign: CampaignId,
        /// A missing campaign is success.
        allow_missing: bool,
    },
    /// DRAFT to SCHEDULED; only warns.
    ScheduleCampaign {
        /// Which.
        campaign: CampaignId,
        /// For the caller; nothing happens then by itself.
        launch_time: Option<Time>,
    },
    /// DRAFT or SCHEDULED to RUNNING; refused unless somebody is available now (S0-28).
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
    AssignContact(Assign),
    /// The same for several, in order, all or none.
    AssignBatch {
        /// 1 to [`super::limits::BATCH_MAX`].
        items: Vec<Assign>,
    },
    /// OFFERED to ASSIGNED.
    AcceptAssignment {
        /// Which.
        assignment: AssignmentId,
        /// Who takes the offer; `None` = whoever has it.
        rep: Option<RepId>,
    },
    /// OFFERED, to the next who is eligible; never again to this rep.
    RejectAssignment {
        /// Which.
        assignment: AssignmentId,
        /// Who turns the offer down; `None` = whoever has it.
        rep: Option<RepId>,
    },
    /// A rep takes what waits (S2-1).
    ClaimAssignment {
        /// Which.
        assignment: AssignmentId,
        /// Who takes it.
        rep: RepId,
    },
    /// Gives an open assignment to somebody else.
    ReassignAssignment {
        /// Which.
        assignment: AssignmentId,
        /// To this rep; `None` = by its targets, from the first, without the present rep.
        to: Option<RepId>,
    },
    /// ASSIGNED to UNASSIGNED.
    UnassignAssignment {
        /// Which.
        assignment: AssignmentId,
    },
    /// ASSIGNED to CLOSED.
    CloseAssignment {
        /// Which.
        assignment: AssignmentId,
    },
    /// Open to CANCELLED.
    CancelAssignment {
        /// Which.
        assignment: AssignmentId,
    },
    /// Creates an access token.
    CreateToken {
        /// Id within the team.
        token: TokenId,
        /// What it is to be.
        settings: TokenSettings,
    },
    /// Changes an access token.
    UpdateToken {
        /// Which.
        token: TokenId,
        /// What of it.
        change: TokenChange,
    },
    /// Deletes an access token, which opens nothing from then on.
    DeleteToken {
        /// Which.
        token: TokenId,
        /// A missing token is success.
        allow_missing: bool,
    },
    /// Nothing by itself: lets what is due in the team happen.
    Tick,
}

/// Whom to route, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assign {
    /// Whom.
    pub contact: ContactId,
    /// By whose targets.
    pub via: Via,
    /// At most one per kind (S0-9, S1-11).
    pub owners: Vec<OwnerRef>,
    /// Asks the contact's last rep before the first target that is not an owner.
    pub prefer_last_rep: bool,
    /// Among those who wait, higher is served first. Default: 0.
    pub priority: i32,
    /// Kept with the assignment and its events (S0-7).
    pub labels: Labels,
}

impl Assign {
    /// A contact by these targets, with nothing else said.
    #[must_use]
    pub fn new(contact: ContactId, via: Via) -> Self {
        let (owners, labels) = (Vec::new(), Labels::new());
        Self { contact, via, owners, prefer_last_rep: false, priority: 0, labels }
    }
}

/// Which ordered targets an assignment goes through; with the contact, the key of "same work".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Via {
    /// The team's default rule; `[owner, default group]` unless the team names one (S0-5).
    DefaultRule,
    /// The campaign's targets.
    Campaign(CampaignId),
    /// A rule's targets (S4-10).
    Rule(RuleId),
    /// A group as the only target.
    Group(GroupId),
    /// This rep, by somebody's decision: no filter but DISABLED.
    Rep(RepId),
}

/// What becomes of the open assignments of a rep who is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OpenAssignments {
    /// They stay as they are (S0-36).
    #[default]
    Keep,
    /// Each is routed again, oldest first.
    Reroute,
}

/// One member to add to a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MemberSpec {
    /// Who or what.
    pub member: MemberName,
    /// Of an option; empty for others.
    pub payload: String,
    /// 1 to [`super::limits::WEIGHT_MAX`].
    pub weight: u32,
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
