//! What can be done to access tokens: create, update, delete.

use std::sync::Arc;

use super::{
    Change, GroupId, Rejection, RepId, ResourceKind, Revision, Token, TokenChange, TokenId,
    TokenSettings,
    limits::TOKENS_PER_TEAM_MAX,
    rep_commands::too_many,
    state::At,
    team::{Done, Team},
    team_commands::{new_meta, set, touch},
    token::Role,
};

impl Team {
    pub(super) fn create_token(
        &mut self,
        id: &TokenId,
        settings: &TokenSettings,
        at: At,
    ) -> Result<Done, Rejection> {
        if self.tokens.contains_key(id) {
            let id = id.to_string();
            return Err(Rejection::AlreadyExists { kind: ResourceKind::Token, id });
        }
        if self.tokens.len() >= TOKENS_PER_TEAM_MAX {
            return Err(too_many("tokens", TOKENS_PER_TEAM_MAX));
        }
        let TokenSettings { display_name, labels, role, secret, expire_time } = settings;
        self.check_role(role)?;
        let token = Token {
            id: id.clone(),
            display_name: display_name.clone(),
            role: role.clone(),
            secret: *secret,
            secret_revision: Revision::from(at.position),
            expire_time: *expire_time,
            meta: new_meta(labels, at),
        };
        self.sum.add(&token);
        self.tokens.insert(id.clone(), Arc::new(token));
        Ok(Done::Token(id.clone()))
    }

    pub(super) fn update_token(
        &mut self,
        id: &TokenId,
        change: &TokenChange,
        at: At,
    ) -> Result<Done, Rejection> {
        let old = Arc::clone(self.token(id)?);
        let TokenChange { display_name, labels, role, secret, expire_time } = change;
        let mut token = Token::clone(&old);
        set(&mut token.display_name, display_name.as_ref());
        set(&mut token.meta.labels, labels.as_ref());
        if let Some(role) = role {
            self.check_role(role)?;
            token.role = role.clone();
        }
        set(&mut token.expire_time, expire_time.as_ref());
        if let Some(secret) = secret.filter(|secret| *secret != old.secret) {
            (token.secret, token.secret_revision) = (secret, Revision::from(at.position));
        }
        if token == *old {
            return Ok(Done::Token(id.clone()));
        }
        touch(&mut token.meta, at);
        self.sum.replace(Some(&*old), &token);
        self.tokens.insert(id.clone(), Arc::new(token));
        Ok(Done::Token(id.clone()))
    }

    pub(super) fn delete_token(
        &mut self,
        id: &TokenId,
        allow_missing: bool,
    ) -> Result<Done, Rejection> {
        let token = match self.token(id) {
            Err(_) if allow_missing => return Ok(Done::Deleted),
            found => Arc::clone(found?),
        };
        self.sum.remove(&*token);
        self.tokens.remove(id);
        Ok(Done::Deleted)
    }

    /// Takes away the tokens of a rep who is deleted: whoever gets the id next is somebody else.
    pub(super) fn delete_tokens_of(&mut self, rep: &RepId) {
        let is_theirs = |token: &Token| matches!(&token.role, Role::Rep(own) if own == rep);
        let theirs: Vec<_> =
            self.tokens.values().filter(|token| is_theirs(token)).map(Arc::clone).collect();
        theirs.into_iter().for_each(|token| self.take_away(token));
    }

    /// Takes a group that is deleted out of the roles of its managers: whatever gets the id next is
    /// another group.
    pub(super) fn delete_group_from_tokens(&mut self, group: &GroupId, at: At) {
        let manages = |token: &&Arc<Token>| match &token.role {
            Role::GroupManager(groups) => groups.contains(group),
            Role::Admin | Role::Manager | Role::Router | Role::Rep(_) | Role::Viewer => false,
        };
        let of_it: Vec<_> = self.tokens.values().filter(manages).map(Arc::clone).collect();
        for old in of_it {
            let mut token = Token::clone(&old);
            let Role::GroupManager(groups) = &mut token.role else { continue };
            groups.retain(|other| other != group);
            if groups.is_empty() {
                self.take_away(old);
                continue;
            }
            touch(&mut token.meta, at);
            self.sum.replace(Some(&*old), &token);
            let token = Arc::new(token);
            self.tokens.insert(token.id.clone(), Arc::clone(&token));
            self.outbox.push(Change::Token { before: Some(old), after: Some(token) });
        }
    }

    fn take_away(&mut self, token: Arc<Token>) {
        self.sum.remove(&*token);
        self.tokens.remove(&token.id);
        self.outbox.push(Change::Token { before: Some(token), after: None });
    }

    /// # Errors
    ///
    /// [`Rejection::NotFound`].
    pub(super) fn token(&self, id: &TokenId) -> Result<&Arc<Token>, Rejection> {
        let not_found = || Rejection::NotFound { kind: ResourceKind::Token, id: id.to_string() };
        self.tokens.get(id).ok_or_else(not_found)
    }

    fn check_role(&self, role: &Role) -> Result<(), Rejection> {
        match role {
            Role::Admin | Role::Manager | Role::Router | Role::Viewer => Ok(()),
            Role::GroupManager(groups) => {
                groups.iter().try_for_each(|group| self.group(group).map(drop))
            }
            Role::Rep(rep) => self.reps.find(rep).map(drop),
        }
    }
}
