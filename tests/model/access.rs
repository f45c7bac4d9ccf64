//! The naive model's tokens: a list, and for each role the names of what it may.

use turnwise::routing::{
    AssignmentId, Bearer, Command, GroupId, MemberName, Operation, Principal, RepId, Revision,
    Role, SecretHash, TokenId,
};

use super::{At, Model, Refusal, Team};

#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) id: TokenId,
    role: Role,
    secret: SecretHash,
    secret_set: Revision,
    end: Option<u64>,
    pub(super) revision: Revision,
}

const OF_NOBODY: [&str; 3] = ["CreateTeam", "RenewHours", "Tick"];
const OF_ADMINS: [&str; 5] =
    ["UpdateTeam", "DeleteTeam", "CreateToken", "UpdateToken", "DeleteToken"];
const OF_ROUTERS: [&str; 9] = [
    "AssignContact",
    "AssignBatch",
    "AcceptAssignment",
    "RejectAssignment",
    "ClaimAssignment",
    "ReassignAssignment",
    "UnassignAssignment",
    "CloseAssignment",
    "CancelAssignment",
];

impl Model {
    /// Who holds a token now, one after the other, over all teams.
    pub(crate) fn bearers(&self) -> Vec<Bearer> {
        let of = |team: &Team| {
            let id = team.setup.id.clone();
            let bearer = move |token: &Token| Bearer {
                team: id.clone(),
                token: token.id.clone(),
                secret_revision: token.secret_set,
            };
            team.tokens.iter().map(bearer).collect::<Vec<_>>()
        };
        self.teams.iter().flat_map(of).collect()
    }

    /// Whoever shows no token of the team is not heard at all.
    pub(super) fn refuses(&self, command: &Command) -> Option<Refusal> {
        let Principal::Token(Bearer { team, token, secret_revision }) = &command.principal else {
            return None;
        };
        let team = self.teams.iter().find(|other| other.setup.id == *team);
        let token = team.and_then(|team| team.tokens.iter().find(|other| other.id == *token));
        let (Some(team), Some(token)) = (team, token) else { return Some("Unauthenticated") };
        if token.secret_set != *secret_revision || token.end.is_some_and(|end| self.now >= end) {
            return Some("Unauthenticated");
        }
        (team.setup.id != command.team).then_some("PermissionDenied")
    }
}

impl Team {
    pub(super) fn permits(&self, command: &Command) -> bool {
        let Principal::Token(bearer) = &command.principal else { return true };
        let token = self.tokens.iter().find(|token| token.id == bearer.token).unwrap();
        self.lets(&token.role, &command.operation)
    }

    fn lets(&self, role: &Role, operation: &Operation) -> bool {
        let debug = format!("{operation:?}");
        let name = debug.split(|c: char| !c.is_alphanumeric()).next().unwrap();
        if OF_NOBODY.contains(&name) {
            return false;
        }
        match role {
            Role::Admin => true,
            Role::Manager => !OF_ADMINS.contains(&name),
            Role::Router => OF_ROUTERS.contains(&name),
            Role::Viewer => false,
            Role::GroupManager(groups) => match operation {
                Operation::AddGroupMembers { group, .. }
                | Operation::RemoveGroupMember { group, .. }
                | Operation::UpdateGroupMember { group, .. }
                | Operation::ReorderGroup { group, .. }
                | Operation::ResetRotation { group, .. }
                | Operation::AdjustRotation { group, .. } => groups.contains(group),
                Operation::SetOutOfOffice { rep, .. }
                | Operation::ClearOutOfOffice { rep, .. }
                | Operation::SetPresence { rep, .. } => {
                    groups.iter().any(|group| self.has_member(group, rep))
                }
                _ => false,
            },
            Role::Rep(own) => match operation {
                Operation::SetOutOfOffice { rep, .. }
                | Operation::ClearOutOfOffice { rep, .. }
                | Operation::SetPresence { rep, .. }
                | Operation::ClaimAssignment { rep, .. } => rep == own,
                Operation::AcceptAssignment { assignment, rep }
                | Operation::RejectAssignment { assignment, rep } => {
                    (rep.is_none() || rep.as_ref() == Some(own)) && self.has(own, *assignment)
                }
                Operation::CloseAssignment { assignment } => self.has(own, *assignment),
                _ => false,
            },
        }
    }

    fn has_member(&self, group: &GroupId, rep: &RepId) -> bool {
        let group = self.setup.groups.iter().find(|g| g.id == *group);
        let member = MemberName::Rep(rep.clone());
        group.is_some_and(|group| group.members.iter().any(|m| m.name == member))
    }

    /// Who has it is told by number: an id may have been somebody else's.
    fn has(&self, rep: &RepId, assignment: AssignmentId) -> bool {
        let number = self.setup.reps.iter().find(|r| r.id == *rep).map(|r| r.number);
        let mut work = self.work.iter().filter(|w| w.shown.id == assignment);
        number.is_some() && work.any(|w| w.rep == number)
    }

    pub(super) fn change_tokens(
        &mut self,
        operation: &Operation,
        etag: Option<Revision>,
        at: At,
    ) -> Result<(), Refusal> {
        let revision = Revision::from(at.position);
        let find = |tokens: &[Token], id: &TokenId| tokens.iter().position(|t| t.id == *id);
        let is_stale = |token: &Token| etag.is_some_and(|etag| etag != token.revision);
        match operation {
            Operation::CreateToken { token: id, settings } => {
                if let Some(there) = find(&self.tokens, id) {
                    let stale = is_stale(&self.tokens[there]);
                    return Err(if stale { "EtagMismatch" } else { "AlreadyExists" });
                }
                self.check_role(&settings.role)?;
                self.tokens.push(Token {
                    id: id.clone(),
                    role: settings.role.clone(),
                    secret: settings.secret,
                    secret_set: revision,
                    end: settings.expire_time.map(|end| end.0),
                    revision,
                });
                self.tokens.sort_by(|a, b| a.id.cmp(&b.id));
            }
            Operation::UpdateToken { token: id, change } => {
                let there = find(&self.tokens, id).ok_or("NotFound")?;
                if let Some(role) = &change.role {
                    self.check_role(role)?;
                }
                let token = &mut self.tokens[there];
                if is_stale(token) {
                    return Err("EtagMismatch");
                }
                let role = change.role.clone().unwrap_or_else(|| token.role.clone());
                let secret = change.secret.unwrap_or(token.secret);
                let end = change.expire_time.map_or(token.end, |end| end.map(|end| end.0));
                if (&role, secret, end) != (&token.role, token.secret, token.end) {
                    token.revision = revision;
                }
                if secret != token.secret {
                    token.secret_set = revision;
                }
                (token.role, token.secret, token.end) = (role, secret, end);
            }
            Operation::DeleteToken { token: id, allow_missing } => match find(&self.tokens, id) {
                None if *allow_missing => {}
                None => return Err("NotFound"),
                Some(there) if is_stale(&self.tokens[there]) => return Err("EtagMismatch"),
                Some(there) => drop(self.tokens.remove(there)),
            },
            other => unreachable!("{other:?}"),
        }
        Ok(())
    }

    fn check_role(&self, role: &Role) -> Result<(), Refusal> {
        let there = match role {
            Role::Rep(rep) => self.setup.reps.iter().any(|other| other.id == *rep),
            Role::GroupManager(groups) => {
                groups.iter().all(|id| self.setup.groups.iter().any(|group| group.id == *id))
            }
            _ => true,
        };
        if there { Ok(()) } else { Err("NotFound") }
    }

    /// Tokens of a rep who is gone.
    pub(super) fn drop_tokens_of(&mut self, rep: &RepId) {
        self.tokens.retain(|token| token.role != Role::Rep(rep.clone()));
    }

    /// A group that is gone; who managed nothing else has no token any more.
    pub(super) fn drop_from_roles(&mut self, group: &GroupId, at: At) {
        for token in &mut self.tokens {
            if let Role::GroupManager(groups) = &mut token.role
                && groups.contains(group)
            {
                groups.retain(|other| other != group);
                token.revision = Revision::from(at.position);
            }
        }
        self.tokens.retain(|token| token.role != Role::GroupManager(Vec::new()));
    }
}
