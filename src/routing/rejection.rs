//! Why a rule said no: deterministic, part of the replicated answer, remembered for retries.

use serde::{Deserialize, Serialize};

use super::{CampaignId, GroupId, Interval, RepId, TeamId};

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
    /// The rep is in the group already; their place is unchanged (S0-4E3).
    #[error("rep `{rep}` is already a member of group `{group}`")]
    AlreadyMember {
        /// Who.
        rep: RepId,
        /// Where.
        group: GroupId,
    },
    /// A member named for removal is not in the group.
    #[error("rep `{rep}` is not a member of group `{group}`")]
    NotAMember {
        /// Who.
        rep: RepId,
        /// Where.
        group: GroupId,
    },
    /// The request id was used for another method or body (`REQUEST_ID_REUSED`).
    #[error("the request id was used for a different call")]
    RequestIdReused,
    /// A group needs a member (S0-15).
    #[error("it would leave a group without a member")]
    GroupTooSmall {
        /// Which groups would be left empty.
        groups: Vec<GroupId>,
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
    /// An active campaign names the group (S0-31).
    #[error("group `{group}` is used by an active campaign")]
    GroupInUse {
        /// Which group.
        group: GroupId,
        /// By which campaigns.
        campaigns: Vec<CampaignId>,
    },
    /// An active campaign names the rep as a target.
    #[error("rep `{rep}` is a target of an active campaign")]
    RepInUse {
        /// Which rep.
        rep: RepId,
        /// Of which campaigns.
        campaigns: Vec<CampaignId>,
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
        state: super::CampaignState,
    },
    /// The campaign's state does not allow this step.
    #[error("campaign `{campaign}` can't do that in its state")]
    WrongCampaignState {
        /// Which.
        campaign: CampaignId,
        /// What state it is in.
        state: super::CampaignState,
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
    /// `teams/*/campaigns/*`
    Campaign,
    /// `teams/*/assignments/*`
    Assignment,
}

impl std::fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Team => "team",
            Self::Rep => "rep",
            Self::Group => "group",
            Self::Campaign => "campaign",
            Self::Assignment => "assignment",
        })
    }
}
