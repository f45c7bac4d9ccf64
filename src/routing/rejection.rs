//! Why a rule said no: deterministic, part of the replicated answer, remembered for retries.

use serde::{Deserialize, Serialize};

use super::{
    AssignmentId, AssignmentState, CampaignId, CampaignState, GroupId, Interval, MemberName, RepId,
    RuleId, TeamId, TokenId, access::Needed, token::Role,
};

/// A refusal. Nothing was changed.
///
/// `api` turns it into a status; its text there says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Rejection {
    /// The thing named does not exist.
    #[error("{kind} `{id}` not found")]
    NotFound {
        /// What kind of thing.
        kind: ResourceKind,
        /// Its id as given.
        id: String,
    },
    /// The id is taken.
    #[error("{kind} `{id}` already exists")]
    AlreadyExists {
        /// What kind of thing.
        kind: ResourceKind,
        /// Its id as given.
        id: String,
    },
    /// Another rep of the team has this email, in any letter case. The email itself is not repeated.
    #[error("the email belongs to rep `{rep}`")]
    EmailTaken {
        /// Who has it.
        rep: RepId,
    },
    /// Another rep of the team has this external id.
    #[error("the external id of system `{system}` belongs to rep `{rep}`")]
    ExternalIdTaken {
        /// Who has it.
        rep: RepId,
        /// In which system.
        system: String,
    },
    /// Another rule of the team has this display name (S4-2).
    #[error("the display name belongs to rule `{rule}`")]
    DisplayNameTaken {
        /// Which has it.
        rule: RuleId,
    },
    /// The member is in the group already; its place is unchanged (S0-4E3).
    #[error("{member} is already a member of group `{group}`")]
    AlreadyMember {
        /// Who.
        member: MemberName,
        /// Where.
        group: GroupId,
    },
    /// A member named is not in the group.
    #[error("{member} is not a member of group `{group}`")]
    NotAMember {
        /// Who.
        member: MemberName,
        /// Where.
        group: GroupId,
    },
    /// The resource has changed since the caller read it.
    #[error("{kind} `{id}` has changed")]
    EtagMismatch {
        /// What kind of thing.
        kind: ResourceKind,
        /// Its id as given.
        id: String,
    },
    /// The request id was used for another method or body (`REQUEST_ID_REUSED`).
    #[error("the request id was used for a different call")]
    RequestIdReused,
    /// A group of reps needs a member (S0-15), one of options two (S3-6).
    #[error("it would leave a group with too few members")]
    GroupTooSmall {
        /// Which groups.
        groups: Vec<GroupId>,
    },
    /// More members than a group of its kind may have (S3-4).
    #[error("group `{group}` can have at most {limit} members")]
    GroupTooLarge {
        /// Which.
        group: GroupId,
        /// The limit.
        limit: u64,
    },
    /// A group would contain itself (S3-3).
    #[error("group `{group}` would contain itself")]
    GroupCycle {
        /// Which.
        group: GroupId,
    },
    /// Groups would be nested too deep (S3-3).
    #[error("groups can be nested {limit} deep")]
    NestedTooDeep {
        /// The limit, the outermost included.
        limit: u64,
    },
    /// The payloads of a group would be too long together.
    #[error("the payloads of group `{group}` can have {limit} bytes together")]
    PayloadsTooLarge {
        /// Which.
        group: GroupId,
        /// The limit, in bytes.
        limit: u64,
    },
    /// It does not go with a group of this kind.
    #[error("group `{group}` is not of the kind for that")]
    GroupKindMismatch {
        /// Which group.
        group: GroupId,
        /// What does not go with it.
        what: KindRule,
    },
    /// The list is not exactly the members of the group, each once.
    #[error("the list is not exactly the members of group `{group}`")]
    InvalidReorder {
        /// Which.
        group: GroupId,
    },
    /// A team is at its limit of reps, or a group at that of members.
    #[error("at most {limit} {what}")]
    TooMany {
        /// What there would be too many of.
        what: String,
        /// The limit.
        limit: u64,
    },
    /// The default group's membership follows the reps, and it can't be deleted (S0-16).
    #[error("the default group's members follow the team's reps")]
    DefaultGroupImmutable,
    /// Something names the group (S0-31).
    #[error("group `{group}` is in use")]
    GroupInUse {
        /// Which group.
        group: GroupId,
        /// By which active campaigns.
        campaigns: Vec<CampaignId>,
        /// By which rules.
        rules: Vec<RuleId>,
        /// By which enclosing groups.
        groups: Vec<GroupId>,
    },
    /// Something names the rep as a target.
    #[error("rep `{rep}` is in use")]
    RepInUse {
        /// Which rep.
        rep: RepId,
        /// Of which active campaigns.
        campaigns: Vec<CampaignId>,
        /// Of which rules.
        rules: Vec<RuleId>,
    },
    /// Something names the rule.
    #[error("rule `{rule}` is in use")]
    RuleInUse {
        /// Which rule.
        rule: RuleId,
        /// By which active campaigns.
        campaigns: Vec<CampaignId>,
        /// It is the team's default.
        is_default: bool,
    },
    /// The team has active campaigns or open assignments.
    #[error("the team is in use")]
    TeamInUse {
        /// Its active campaigns, the first few.
        campaigns: Vec<CampaignId>,
        /// How many open assignments.
        open: u64,
    },
    /// Nobody would be left for an active campaign (S0-23, S0-26).
    #[error("it would leave nobody available")]
    LastAvailableRep {
        /// Whose coverage breaks: the team's, if true; then `campaigns` are all active ones.
        team: Option<TeamId>,
        /// The campaigns left without anybody.
        campaigns: Vec<CampaignId>,
        /// The groups that those campaigns name.
        groups: Vec<GroupId>,
        /// The first gap.
        gap: Interval,
    },
    /// A launch, or a retarget after launch, needs somebody available now (S0-28).
    #[error("nobody is available for campaign `{campaign}`")]
    GroupHasNoAvailableRep {
        /// Which campaign.
        campaign: CampaignId,
        /// Its groups without an available rep.
        groups: Vec<GroupId>,
    },
    /// Contacts are routed by RUNNING and PAUSED campaigns only.
    #[error("campaign `{campaign}` is not running")]
    CampaignNotRunning {
        /// Which.
        campaign: CampaignId,
        /// What it is instead.
        state: CampaignState,
    },
    /// The campaign's state does not allow this step.
    #[error("campaign `{campaign}` can't do that in its state")]
    WrongCampaignState {
        /// Which.
        campaign: CampaignId,
        /// What state it is in.
        state: CampaignState,
    },
    /// The rep is disabled, and so is given nothing, not even by hand.
    #[error("rep `{rep}` is disabled")]
    RepDisabled {
        /// Who.
        rep: RepId,
    },
    /// Somebody has it, or it has ended.
    #[error("assignment `{assignment}` is taken")]
    AlreadyClaimed {
        /// Which.
        assignment: AssignmentId,
        /// What state it is in.
        state: AssignmentState,
    },
    /// The assignment's state does not allow this step.
    #[error("assignment `{assignment}` can't do that in its state")]
    WrongAssignmentState {
        /// Which.
        assignment: AssignmentId,
        /// What state it is in.
        state: AssignmentState,
    },
    /// It is offered, but not to this rep: the offer has lapsed and moved on, or was never theirs.
    #[error("assignment `{assignment}` is not offered to rep `{rep}`")]
    NotOffered {
        /// Which.
        assignment: AssignmentId,
        /// Who asked.
        rep: RepId,
    },
    /// An item of a batch is refused, and with it all.
    #[error("item {index}: {rejection}")]
    Item {
        /// 0-based place in the batch.
        index: u32,
        /// Why.
        rejection: Box<Rejection>,
    },
    /// Clearing or adding would split the absence into too many intervals.
    #[error("at most {limit} out-of-office intervals")]
    TooManyIntervals {
        /// The limit.
        limit: u64,
    },
    /// After clamping the start to now, the window ends before it starts.
    #[error("the window ends before it starts")]
    EmptyWindow,
    /// The token shown does not exist, has another secret, or has expired.
    #[error("no valid credential")]
    Unauthenticated,
    /// The role of the token does not allow it (ROUTING 2.7).
    #[error("token `{token}` may not do this")]
    PermissionDenied {
        /// Whose holder asked.
        token: TokenId,
        /// What they are.
        role: Role,
        /// What it takes.
        needed: Needed,
    },
}

/// What does not go with a group of the other kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KindRule {
    /// LEAST_OPEN: for reps only.
    LeastOpen,
    /// `require_online`: for reps only.
    RequireOnline,
    /// `period_cap`: for reps only.
    PeriodCap,
    /// `accept_timeout` of a target naming the group: for reps only.
    AcceptTimeout,
    /// A rep as member: for reps only.
    RepMember,
    /// An option or a group as member, or being one: for options only.
    OptionMember,
    /// A payload: of options only.
    Payload,
    /// Credits: with ROUND_ROBIN only.
    Credits,
    /// Credits in a campaign's own rotation: with cursor scope CAMPAIGN only, else no pick reads it.
    CampaignCredits,
}

/// What kind of thing a rejection speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResourceKind {
    /// `teams/*`
    Team,
    /// `teams/*/reps/*`
    Rep,
    /// `teams/*/groups/*`
    Group,
    /// `teams/*/routingRules/*`
    Rule,
    /// `teams/*/campaigns/*`
    Campaign,
    /// `teams/*/assignments/*`
    Assignment,
    /// `teams/*/tokens/*`
    Token,
}

impl std::fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Team => "team",
            Self::Rep => "rep",
            Self::Group => "group",
            Self::Rule => "routing rule",
            Self::Campaign => "campaign",
            Self::Assignment => "assignment",
            Self::Token => "token",
        })
    }
}
