//! Access tokens of a team: who holds one may do what its role may.
//!
//! The state keeps only a hash of the secret. What each role may is in `access`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{GroupId, Labels, Meta, RepId, Revision, TeamId, Time, TokenId};

/// Who asked for a command, as authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Whoever needs no token, by name: time itself and everybody while authentication is off (`""`),
    /// or the operator. May do everything.
    Trusted(String),
    /// The holder of a token, who may do what its role may when the command takes effect.
    Token(Bearer),
}

impl Principal {
    /// What histories and events call them.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Trusted(name) => name,
            Self::Token(bearer) => bearer.token.as_str(),
        }
    }
}

/// Nobody in particular: time, or anybody while authentication is off.
impl Default for Principal {
    fn default() -> Self {
        Self::Trusted(String::new())
    }
}

impl From<&str> for Principal {
    fn from(name: &str) -> Self {
        Self::Trusted(name.to_owned())
    }
}

/// Somebody who showed the secret of a token.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bearer {
    /// Whose token.
    pub team: TeamId,
    /// Which.
    pub token: TokenId,
    /// Which of its secrets: [`Token::secret_revision`] when it was compared. A token with another
    /// secret by now is not the one that was shown.
    pub secret_revision: Revision,
}

/// SHA-256 of a token's secret. Never shown, not even in part.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretHash(pub [u8; 32]);

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What the holder of a token is to the team (ROUTING 2.7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Everything in the team.
    Admin,
    /// Sets up reps, groups, rules and campaigns, and may all that a router may.
    Manager,
    /// Members, order, weights and credits of these groups; absence and presence of their members.
    GroupManager(Vec<GroupId>),
    /// A backend service: assigns, previews, watches, and reports what became of the work.
    Router,
    /// Their own absence and presence; accepts, rejects, claims and closes their own work.
    Rep(RepId),
    /// Reads.
    Viewer,
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// What people call it.
    pub display_name: String,
    /// What its holder may.
    pub role: Role,
    /// What its secret hashes to.
    pub secret: SecretHash,
    /// Where in the log that was set.
    pub secret_revision: Revision,
    /// From then on it opens nothing; `None` = never.
    pub expire_time: Option<Time>,
    /// Labels, times, revision.
    pub meta: Meta,
}

/// What a new token is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSettings {
    /// What people call it.
    pub display_name: String,
    /// Kept for the caller.
    pub labels: Labels,
    /// What its holder may.
    pub role: Role,
    /// What its secret hashes to.
    pub secret: SecretHash,
    /// `None` = never.
    pub expire_time: Option<Time>,
}

/// What of a token is to change; `None` = stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenChange {
    /// What people call it.
    pub display_name: Option<String>,
    /// Kept for the caller.
    pub labels: Option<Labels>,
    /// What its holder may.
    pub role: Option<Role>,
    /// Another secret; the old one opens nothing any more.
    pub secret: Option<SecretHash>,
    /// `Some(None)` = never.
    pub expire_time: Option<Option<Time>>,
}
