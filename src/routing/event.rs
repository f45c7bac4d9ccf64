//! What happened, for those who watch: one value for each change, made beside the reply.
//!
//! Events are not part of the state. Every node makes the same ones from the same log.

use std::sync::Arc;

use super::{
    Assignment, Campaign, CampaignId, GroupId, LogPosition, MemberName, Rep, Revision, Rule, Team,
    TeamId, Time, Token,
};

/// One change of one team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Where in the log the command was that made it happen.
    pub position: LogPosition,
    /// Log time.
    pub time: Time,
    /// The team.
    pub team: TeamId,
    /// The name of who made it happen; `""` if time did, or while authentication is off.
    pub principal: String,
    /// What changed.
    pub change: Change,
}

/// What changed. Where there is a `before` and an `after`, `None` = it did not, or does not, exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The team itself.
    Team {
        /// As it was.
        before: Option<Box<Team>>,
        /// As it is.
        after: Option<Box<Team>>,
    },
    /// A rep: configuration, absence, presence.
    Rep {
        /// As they were.
        before: Option<Box<Rep>>,
        /// As they are.
        after: Option<Box<Rep>>,
    },
    /// A group.
    Group {
        /// Which.
        group: GroupId,
        /// Its revision as it was.
        before: Option<Revision>,
        /// As it is.
        after: Option<Revision>,
        /// What about it.
        action: GroupAction,
    },
    /// A rotation, by somebody's hand. (Picks are seen as assignments.)
    Rotation {
        /// Of which group.
        group: GroupId,
        /// Under which campaign; `None` = `-`.
        campaign: Option<CampaignId>,
        /// What about it.
        action: RotationAction,
    },
    /// A routing rule.
    Rule {
        /// As it was.
        before: Option<Arc<Rule>>,
        /// As it is.
        after: Option<Arc<Rule>>,
    },
    /// A campaign.
    Campaign {
        /// As it was.
        before: Option<Arc<Campaign>>,
        /// As it is.
        after: Option<Arc<Campaign>>,
    },
    /// An access token.
    Token {
        /// As it was.
        before: Option<Arc<Token>>,
        /// As it is.
        after: Option<Arc<Token>>,
    },
    /// An assignment: made, or a step of its life.
    Assignment {
        /// As it was.
        before: Option<Arc<Assignment>>,
        /// As it is; its `owners` and `owner_changed` tell what to write into the CRM (S1-18).
        after: Arc<Assignment>,
        /// The email of the rep it now names (S0-7).
        rep_email: Option<String>,
    },
}

/// What about a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupAction {
    /// It was created, with these members.
    Created(Vec<MemberName>),
    /// Its settings changed.
    Updated,
    /// It is gone.
    Deleted,
    /// Members joined.
    MembersAdded(Vec<MemberName>),
    /// A member left.
    MemberRemoved(MemberName),
    /// A member's weight or payload changed.
    MemberUpdated(MemberName),
    /// The members stand in another order.
    Reordered,
}

/// What about a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RotationAction {
    /// Put back before its first pick.
    Reset,
    /// A member's credits were set.
    Adjusted {
        /// Whose.
        member: MemberName,
        /// To what.
        credits: i32,
        /// Why.
        reason: String,
    },
}
