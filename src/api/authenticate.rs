//! Who calls: from the credential in a call's metadata to a [`Principal`], for every public service.
//!
//! A credential is compared on the node that is asked. What its holder may is decided where a command
//! takes effect, and by every read in the state it looks at; so that a token which this node still knows
//! opens nothing once it is gone.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use tonic::{
    Code, Status,
    codegen::http::{HeaderMap, header::AUTHORIZATION},
};

use crate::{
    credentials::{self, Credential, Hash},
    replica::{ReadAt, Replica},
    routing::{self, Bearer, Principal, Reading, Revision, SecretHash, TeamId, TokenId},
    unavailable::Unavailable,
};

use super::{deadline::Deadline, limits::KNOWN_BEARERS_MAX, names, status};

/// What the operator is called in histories and events.
const OPERATOR: &str = "operator";

/// Who asks, and for how long they wait.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) principal: Principal,
    pub(super) time: Deadline,
}

impl Caller {
    /// Of a call that came through [`authenticated`].
    ///
    /// # Errors
    /// Unauthenticated, if it did not.
    pub(super) fn of<T>(request: &tonic::Request<T>) -> Result<Self, Status> {
        let principal = request.extensions().get::<Principal>().cloned();
        let principal = principal.ok_or_else(status::unauthenticated)?;
        Ok(Self { principal, time: Deadline::of(request) })
    }
}

/// Whether somebody may look at something, as far as this node knows.
///
/// # Errors
/// That they may not, or that nobody knows now.
pub(super) async fn may_read(
    replica: &Replica,
    principal: &Principal,
    team: &TeamId,
    reading: Reading,
) -> Result<(), Status> {
    if matches!(principal, Principal::Trusted(_)) {
        return Ok(());
    }
    let (principal, of) = (principal.clone(), team.clone());
    let look = move |state: &routing::State, at: ReadAt| {
        state.may_read(&principal, Some(&of), reading, at.now)
    };
    let may = replica.inspect(look).await.map_err(status::unavailable)?;
    may.map_err(|rejection| status::rejected(team, &rejection))
}

/// What stands before the public services.
#[derive(Debug)]
pub(super) struct Gate {
    replica: Replica,
    /// What is kept of the operator's credential; `None` = nobody is asked for one.
    operator: Option<SecretHash>,
    /// Credentials that were compared, so that not every call asks the thread that owns the state.
    known: Mutex<HashMap<Shown, Revision>>,
}

/// A token's credential, as far as it may be kept.
type Shown = (TeamId, TokenId, Hash);

impl Gate {
    pub(super) fn new(replica: Replica, operator: Option<SecretHash>) -> Self {
        Self { replica, operator, known: Mutex::default() }
    }

    /// Who shows this.
    ///
    /// # Errors
    /// The one answer for all that is no valid credential; or that nobody knows now.
    async fn principal(
        &self,
        headers: &HeaderMap,
        time: Deadline,
    ) -> Result<(Principal, Option<Shown>), Status> {
        let Some(operator) = &self.operator else { return Ok((Principal::default(), None)) };
        let shown = shown(headers).and_then(credentials::read);
        match shown.ok_or_else(status::unauthenticated)? {
            Credential::Operator { secret } => {
                if !credentials::is_equal(&credentials::hash(secret), &operator.0) {
                    return Err(status::unauthenticated());
                }
                Ok((Principal::from(OPERATOR), None))
            }
            Credential::Token { team, token, secret } => {
                let (Ok(team), Ok(token)) = (names::id(team), names::id(token)) else {
                    return Err(status::unauthenticated());
                };
                let shown = (team, token, credentials::hash(secret));
                let found = match self.remembered(&shown) {
                    Some(revision) => Some(revision),
                    None => time
                        .or_late(self.compare(&shown))
                        .await
                        .flatten()
                        .map_err(status::unavailable)?,
                };
                let secret_revision = found.ok_or_else(status::unauthenticated)?;
                let (team, token, _) = shown.clone();
                Ok((Principal::Token(Bearer { team, token, secret_revision }), Some(shown)))
            }
        }
    }

    /// Where in the log the secret was set that was shown, if it is the token's. This node may lag
    /// behind the one that created the token: before it says no, it makes sure.
    async fn compare(&self, shown: &Shown) -> Result<Option<Revision>, Unavailable> {
        let look = || {
            let (team, token, hash) = shown.clone();
            move |state: &routing::State, at: ReadAt| {
                let kept = state.token(&team, &token).ok();
                // Of a token that is not there as well: it takes as long.
                let secret = kept.as_ref().map_or(SecretHash([0; 32]), |token| token.secret);
                let is_equal = credentials::is_equal(&secret.0, &hash);
                let is_valid = |token: &routing::Token| {
                    is_equal && token.expire_time.is_none_or(|end| at.now < end)
                };
                kept.filter(is_valid).map(|token| token.secret_revision)
            }
        };
        let found = match self.replica.inspect(look()).await? {
            Some(revision) => Some(revision),
            None => self.replica.read(look()).await?,
        };
        if let Some(revision) = found {
            self.remember(shown.clone(), revision);
        }
        Ok(found)
    }

    fn remembered(&self, shown: &Shown) -> Option<Revision> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(shown).copied()
    }

    fn remember(&self, shown: Shown, revision: Revision) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_BEARERS_MAX {
            known.clear();
        }
        known.insert(shown, revision);
    }

    fn forget(&self, shown: &Shown) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(shown);
    }
}

/// The one credential of a call.
fn shown(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (Some(written), None) = (all.next(), all.next()) else { return None };
    let (scheme, credential) = written.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(credential)
}

/// Lets calls pass that show a valid credential, with who they are.
pub(super) async fn authenticated(
    State(gate): State<Arc<Gate>>,
    mut request: Request,
    next: Next,
) -> Response {
    let time = Deadline::of_http(&request);
    let (principal, shown) = match gate.principal(request.headers(), time).await {
        Ok(found) => found,
        Err(refused) => return refused.into_http(),
    };
    request.extensions_mut().insert(principal);
    let response = next.run(request).await;
    // Its token has another secret by now, or the same one set anew: it is compared again next time.
    if let Some(shown) = shown
        && Status::from_header_map(response.headers())
            .is_some_and(|status| status.code() == Code::Unauthenticated)
    {
        gate.forget(&shown);
    }
    response
}

#[cfg(test)]
mod tests {
    use tokio::sync::{mpsc, watch};

    use super::*;
    use crate::{consensus::NodeId, replica};

    #[test]
    fn a_node_remembers_so_many_credentials_and_then_begins_anew() {
        let (requests, _taken) = mpsc::channel(1);
        let (_status, seen) = watch::channel(replica::Status {
            node_id: NodeId(1),
            role: replica::Role::Leader,
            term: 1,
            leader: Some(NodeId(1)),
            commit_index: 0,
            applied_index: 0,
            snapshot_index: 0,
            stamp_us: 0,
            ready: true,
            checkpoint: None,
        });
        let gate = Gate::new(Replica::new(requests, seen), Some(SecretHash([0; 32])));
        let shown = |n: usize| (TeamId::new("t"), TokenId::new(&n.to_string()), [0; 32]);
        let revision = Revision { log_index: 7, seq: 0 };
        (0..KNOWN_BEARERS_MAX).for_each(|n| gate.remember(shown(n), revision));
        assert_eq!(gate.remembered(&shown(0)), Some(revision));
        gate.remember(shown(KNOWN_BEARERS_MAX), revision);
        assert_eq!(gate.remembered(&shown(0)), None);
        assert_eq!(gate.remembered(&shown(KNOWN_BEARERS_MAX)), Some(revision));
        gate.forget(&shown(KNOWN_BEARERS_MAX));
        assert_eq!(gate.remembered(&shown(KNOWN_BEARERS_MAX)), None);
        let (team, token, _) = shown(1);
        gate.remember((team.clone(), token.clone(), [0; 32]), revision);
        assert_eq!(gate.remembered(&(team, token, [1; 32])), None, "of another secret");
    }
}
