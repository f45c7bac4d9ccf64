//! Who may do what: the one table of roles, asked for every command and every read (S1-3).
//!
//! Denied by default: a permission that no row grants is refused. It is asked where the command takes
//! effect, so that a token which was deleted a moment ago opens nothing, on any node.
//!
//! A command comes past this twice. Without a valid token of the team it leaves no trace in the team:
//! [`State::admits`]. What the role says comes after the remembered answer, as ROUTING 3 orders
//! refusals, and is remembered like any: [`Team::permits`].

use serde::{Deserialize, Serialize};

use super::{
    AssignmentId, Command, GroupId, Operation, Rejection, RepId, State, TeamId, Time,
    team::Team,
    token::{Bearer, Principal, Role, Token},
};

/// What is looked at, besides what every role may look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// What a team consists of, its assignments, its events so far.
    Team,
    /// Who would be next.
    Preview,
    /// Events as they happen.
    Watch,
    /// Its tokens.
    Tokens,
    /// The cluster, or all teams.
    Cluster,
}

/// What a refused caller would have needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Needed {
    /// To be the operator.
    Operator,
    /// A token of the team that is named.
    TokenOfTheTeam,
    /// To administer the team.
    Admin,
    /// To set up reps, groups, rules and campaigns.
    Manager,
    /// To manage the group.
    ManagerOfTheGroup,
    /// To manage the rep, or to be them.
    ManagerOfTheRepOrSelf,
    /// To route contacts.
    Router,
    /// To route contacts, or to be the rep whose work it is.
    RouterOrOwnRep,
}

/// What an operation takes.
enum Permission<'a> {
    Operate,
    Administer,
    SetUp,
    Arrange(&'a GroupId),
    Excuse(&'a RepId),
    Route,
    /// A step that a rep takes with their own work; named where the caller names them.
    Work(&'a AssignmentId, Option<&'a RepId>),
    Claim(&'a RepId),
}

impl State {
    /// The token that somebody holds, if it still is what they showed.
    ///
    /// # Errors
    ///
    /// [`Rejection::Unauthenticated`], whatever is wrong with it.
    pub fn held(&self, bearer: &Bearer, now: Time) -> Result<&Token, Rejection> {
        let Bearer { team, token, secret_revision } = bearer;
        let held = self.teams.get(team).and_then(|team| team.tokens.get(token));
        held.filter(|token| token.secret_revision == *secret_revision)
            .filter(|token| token.expire_time.is_none_or(|end| now < end))
            .map(|token| &**token)
            .ok_or(Rejection::Unauthenticated)
    }

    /// Whether somebody may look at something of a team; `None` for what belongs to no team.
    ///
    /// # Errors
    ///
    /// [`Rejection::Unauthenticated`], [`Rejection::PermissionDenied`].
    pub fn may_read(
        &self,
        principal: &Principal,
        team: Option<&TeamId>,
        reading: Reading,
        now: Time,
    ) -> Result<(), Rejection> {
        let Principal::Token(bearer) = principal else { return Ok(()) };
        let token = self.held(bearer, now)?;
        let is_trusted = matches!(token.role, Role::Admin | Role::Manager | Role::Router);
        let (may, needed) = match reading {
            Reading::Cluster => (false, Needed::Operator),
            Reading::Team | Reading::Preview | Reading::Watch | Reading::Tokens
                if team != Some(&bearer.team) =>
            {
                (false, Needed::TokenOfTheTeam)
            }
            Reading::Team => (true, Needed::TokenOfTheTeam),
            Reading::Preview | Reading::Watch => (is_trusted, Needed::Router),
            Reading::Tokens => (token.role == Role::Admin, Needed::Admin),
        };
        decided(may, token, needed)
    }

    /// Whether somebody may ask anything of the team that the command is about.
    pub(super) fn admits(&self, command: &Command, now: Time) -> Result<(), Rejection> {
        let Principal::Token(bearer) = &command.principal else { return Ok(()) };
        let token = self.held(bearer, now)?;
        let needed = match permission(&command.operation) {
            Permission::Operate => Needed::Operator,
            Permission::Administer
            | Permission::SetUp
            | Permission::Arrange(_)
            | Permission::Excuse(_)
            | Permission::Route
            | Permission::Work(..)
            | Permission::Claim(_) => Needed::TokenOfTheTeam,
        };
        decided(command.team == bearer.team, token, needed)
    }
}

fn decided(may: bool, token: &Token, needed: Needed) -> Result<(), Rejection> {
    if may {
        return Ok(());
    }
    Err(Rejection::PermissionDenied { token: token.id.clone(), role: token.role.clone(), needed })
}

impl Permission<'_> {
    fn needed(&self) -> Needed {
        match self {
            Self::Operate => Needed::Operator,
            Self::Administer => Needed::Admin,
            Self::SetUp => Needed::Manager,
            Self::Arrange(_) => Needed::ManagerOfTheGroup,
            Self::Excuse(_) => Needed::ManagerOfTheRepOrSelf,
            Self::Route => Needed::Router,
            Self::Work(..) | Self::Claim(_) => Needed::RouterOrOwnRep,
        }
    }
}

impl Team {
    /// Whether the role of whoever asks, a holder of a token of this team, allows it.
    pub(super) fn permits(&self, command: &Command) -> Result<(), Rejection> {
        let Principal::Token(bearer) = &command.principal else { return Ok(()) };
        let token = self.tokens.get(&bearer.token).ok_or(Rejection::Unauthenticated)?;
        let permission = permission(&command.operation);
        decided(self.grants(token, &permission), token, permission.needed())
    }

    /// The table: roles down, permissions across.
    fn grants(&self, token: &Token, permission: &Permission<'_>) -> bool {
        use Permission::{Administer, Arrange, Claim, Excuse, Operate, Route, SetUp, Work};

        match &token.role {
            Role::Admin => match permission {
                Operate => false,
                Administer | SetUp | Arrange(_) | Excuse(_) | Route | Work(..) | Claim(_) => true,
            },
            Role::Manager => match permission {
                Operate | Administer => false,
                SetUp | Arrange(_) | Excuse(_) | Route | Work(..) | Claim(_) => true,
            },
            Role::GroupManager(groups) => match permission {
                Arrange(group) => groups.contains(group),
                Excuse(rep) => groups.iter().any(|group| self.is_member(group, rep)),
                Operate | Administer | SetUp | Route | Work(..) | Claim(_) => false,
            },
            Role::Router => match permission {
                Route | Work(..) | Claim(_) => true,
                Operate | Administer | SetUp | Arrange(_) | Excuse(_) => false,
            },
            Role::Rep(own) => match permission {
                Excuse(rep) | Claim(rep) => *rep == own,
                Work(assignment, named) => {
                    named.is_none_or(|rep| rep == own) && self.is_theirs(**assignment, own)
                }
                Operate | Administer | SetUp | Arrange(_) | Route => false,
            },
            Role::Viewer => match permission {
                Operate | Administer | SetUp | Arrange(_) | Excuse(_) | Route | Work(..)
                | Claim(_) => false,
            },
        }
    }

    fn is_member(&self, group: &GroupId, rep: &RepId) -> bool {
        self.reps.find(rep).is_ok_and(|rep| rep.groups.contains(group))
    }

    /// By who the rep is, not by their id: it may have been somebody else's before.
    fn is_theirs(&self, assignment: AssignmentId, rep: &RepId) -> bool {
        let own = self.reps.find(rep).map(|rep| rep.record.uid);
        let record = self.assignments.get(assignment);
        record.is_some_and(|record| own.is_ok_and(|own| record.rep == Some(own)))
    }
}

fn permission(operation: &Operation) -> Permission<'_> {
    match operation {
        Operation::CreateTeam { .. } | Operation::RenewHours { .. } | Operation::Tick => {
            Permission::Operate
        }
        Operation::UpdateTeam { .. }
        | Operation::DeleteTeam { .. }
        | Operation::CreateToken { .. }
        | Operation::UpdateToken { .. }
        | Operation::DeleteToken { .. } => Permission::Administer,
        Operation::CreateRep { .. }
        | Operation::UpdateRep { .. }
        | Operation::DeleteRep { .. }
        | Operation::CreateGroup { .. }
        | Operation::UpdateGroup { .. }
        | Operation::DeleteGroup { .. }
        | Operation::CreateRule { .. }
        | Operation::UpdateRule { .. }
        | Operation::DeleteRule { .. }
        | Operation::CreateCampaign { .. }
        | Operation::UpdateCampaign { .. }
        | Operation::DeleteCampaign { .. }
        | Operation::ScheduleCampaign { .. }
        | Operation::LaunchCampaign { .. }
        | Operation::PauseCampaign { .. }
        | Operation::ResumeCampaign { .. }
        | Operation::CancelCampaign { .. } => Permission::SetUp,
        Operation::AddGroupMembers { group, .. }
        | Operation::RemoveGroupMember { group, .. }
        | Operation::UpdateGroupMember { group, .. }
        | Operation::ReorderGroup { group, .. }
        | Operation::ResetRotation { group, .. }
        | Operation::AdjustRotation { group, .. } => Permission::Arrange(group),
        Operation::SetOutOfOffice { rep, .. }
        | Operation::ClearOutOfOffice { rep, .. }
        | Operation::SetPresence { rep, .. } => Permission::Excuse(rep),
        Operation::AssignContact(_)
        | Operation::AssignBatch { .. }
        | Operation::ReassignAssignment { .. }
        | Operation::UnassignAssignment { .. }
        | Operation::CancelAssignment { .. } => Permission::Route,
        Operation::AcceptAssignment { assignment, rep }
        | Operation::RejectAssignment { assignment, rep } => {
            Permission::Work(assignment, rep.as_ref())
        }
        Operation::CloseAssignment { assignment } => Permission::Work(assignment, None),
        Operation::ClaimAssignment { assignment: _, rep } => Permission::Claim(rep),
    }
}
