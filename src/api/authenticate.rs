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
use tokio::sync::Semaphore;
use tonic::{
    Code, Status,
    codegen::http::{HeaderMap, header::AUTHORIZATION},
};

use crate::{
    credentials::{self, Credential},
    replica::{ReadAt, Replica},
    routing::{self, Bearer, Principal, Reading, Revision, SecretHash, TeamId, TokenId},
    unavailable::Unavailable,
};

use super::{
    deadline::Deadline,
    limits::{KNOWN_BEARERS_MAX, UNKNOWN_BEARER_WAIT, UNKNOWN_BEARERS_AT_ONCE},
    names, reads, status,
};

/// What the operator is called in histories and events; no token is called so.
pub(in crate::api) const OPERATOR: &str = "operator";

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

/// Whether a credential still opens anything, for a call that goes on for long. A node may lag behind
/// what it was told by the leader as it let the call in: before this says no, it makes sure.
///
/// # Errors
/// That it does not, or that nobody knows now.
pub(super) async fn still_opens(replica: &Replica, caller: &Caller) -> Result<(), Status> {
    let Principal::Token(Bearer { team, .. }) = &caller.principal else { return Ok(()) };
    // Whoever has a token may read its team.
    match may_read(replica, &caller.principal, team, Reading::Team).await {
        Err(refused) if refused.code() == Code::Unauthenticated => {
            let nothing = |_: &routing::State, _: ReadAt| Ok(());
            reads::read(replica, caller.clone(), Reading::Team, team, nothing).await
        }
        known => known,
    }
}

/// What stands before the public services.
#[derive(Debug)]
pub(super) struct Gate {
    replica: Replica,
    /// What is kept of the operator's credential; `None` = nobody is asked for one.
    operator: Option<SecretHash>,
    /// Credentials that were compared, so that not every call asks the thread that owns the state: of
    /// each token the last one.
    known: Mutex<HashMap<(TeamId, TokenId), (SecretHash, Revision)>>,
    /// Turns of all others, so that whoever tries some does not keep the state from those who have one.
    unknown: Semaphore,
}

/// A token's credential, as far as it may be kept.
#[derive(Debug, Clone)]
struct Shown {
    team: TeamId,
    token: TokenId,
    secret: SecretHash,
}

impl Shown {
    fn whose(&self) -> (TeamId, TokenId) {
        (self.team.clone(), self.token.clone())
    }

    fn is(&self, secret: &SecretHash) -> bool {
        credentials::is_equal(&self.secret.0, &secret.0)
    }
}

/// With a call whose answer tells nothing of its credential: how its node forgets that one.
#[derive(Debug, Clone)]
pub(super) struct Remembered {
    gate: Arc<Gate>,
    shown: Shown,
}

impl Remembered {
    /// Of a call that came through [`authenticated`] with a token.
    pub(super) fn of<T>(request: &tonic::Request<T>) -> Option<Self> {
        request.extensions().get().cloned()
    }

    /// It is compared again next time.
    pub(super) fn forget(&self) {
        self.gate.forget(&self.shown);
    }
}

impl Gate {
    pub(super) fn new(replica: Replica, operator: Option<SecretHash>) -> Self {
        let unknown = Semaphore::new(UNKNOWN_BEARERS_AT_ONCE);
        Self { replica, operator, known: Mutex::default(), unknown }
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
                let shown = Shown { team, token, secret: SecretHash(credentials::hash(secret)) };
                let found = match self.remembered(&shown) {
                    Some(revision) => Some(revision),
                    None => time
                        .or_late(self.compare_in_turn(&shown))
                        .await
                        .flatten()
                        .map_err(status::unavailable)?,
                };
                let secret_revision = found.ok_or_else(status::unauthenticated)?;
                let (team, token) = shown.whose();
                Ok((Principal::Token(Bearer { team, token, secret_revision }), Some(shown)))
            }
        }
    }

    async fn compare_in_turn(&self, shown: &Shown) -> Result<Option<Revision>, Unavailable> {
        let turn = tokio::time::timeout(UNKNOWN_BEARER_WAIT, self.unknown.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(Unavailable::Overloaded) };
        self.compare(shown).await
    }

    /// Where in the log the secret was set that was shown, if it is the token's. This node may lag
    /// behind the one that created the token: before it says no, it makes sure.
    async fn compare(&self, shown: &Shown) -> Result<Option<Revision>, Unavailable> {
        let look = || {
            let Shown { team, token, secret: hash } = shown.clone();
            move |state: &routing::State, at: ReadAt| {
                let kept = state.token(&team, &token).ok();
                // Of a token that is not there as well: it takes as long.
                let secret = kept.as_ref().map_or(SecretHash([0; 32]), |token| token.secret);
                let is_equal = credentials::is_equal(&secret.0, &hash.0);
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
            self.remember(shown, revision);
        }
        Ok(found)
    }

    fn remembered(&self, shown: &Shown) -> Option<Revision> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (secret, revision) = known.get(&shown.whose())?;
        shown.is(secret).then_some(*revision)
    }

    fn remember(&self, shown: &Shown, revision: Revision) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_BEARERS_MAX {
            known.clear();
        }
        known.insert(shown.whose(), (shown.secret, revision));
    }

    fn forget(&self, shown: &Shown) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let whose = shown.whose();
        if known.get(&whose).is_some_and(|(secret, _)| shown.is(secret)) {
            known.remove(&whose);
        }
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
    if let Some(shown) = &shown {
        let remembered = Remembered { gate: Arc::clone(&gate), shown: shown.clone() };
        request.extensions_mut().insert(remembered);
    }
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

    type Taken = mpsc::Receiver<replica::ReplicaRequest>;

    /// A gate before a state that answers nothing by itself.
    fn gate() -> (Gate, Taken, watch::Sender<replica::Status>) {
        let (requests, taken) = mpsc::channel(2 * UNKNOWN_BEARERS_AT_ONCE);
        let (status, seen) = watch::channel(replica::Status {
            node_id: NodeId(1),
            role: replica::Role::Leader,
            term: 1,
            leader: Some(NodeId(1)),
            commit_index: 0,
            applied_index: 0,
            snapshot_index: 0,
            stamp_us: 0,
            version: 2,
            ready: true,
            checkpoint: None,
        });
        let (submissions, _) = mpsc::channel(1);
        let replica = Replica::new(submissions, requests, seen);
        let gate = Gate::new(replica, Some(SecretHash([0; 32])));
        (gate, taken, status)
    }

    #[tokio::test]
    async fn so_many_unknown_credentials_are_compared_at_a_time_and_known_ones_need_no_turn() {
        let (gate, mut taken, _status) = gate();
        let gate = Arc::new(gate);
        let secret = "0".repeat(64);
        let show = |token: &str| {
            let (gate, mut headers) = (Arc::clone(&gate), HeaderMap::new());
            let written = credentials::of_token("t", token, &secret);
            headers.insert(AUTHORIZATION, format!("Bearer {written}").parse().unwrap());
            let time = Deadline::after(std::time::Duration::from_secs(60));
            async move { gate.principal(&headers, time).await }
        };
        let mut open = tokio::task::JoinSet::new();
        let mut asked = Vec::new();
        for n in 0..UNKNOWN_BEARERS_AT_ONCE {
            open.spawn(show(&n.to_string()));
            asked.push(taken.recv().await.unwrap());
        }
        let refused = show("more").await.unwrap_err();
        let overloaded = status::unavailable(Unavailable::Overloaded);
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert_eq!(refused.message(), overloaded.message());
        assert!(taken.try_recv().is_err(), "it cost nothing");

        let known = Shown {
            team: TeamId::new("t"),
            token: TokenId::new("known"),
            secret: SecretHash(credentials::hash(&secret)),
        };
        gate.remember(&known, Revision { log_index: 7, seq: 0 });
        assert!(show("known").await.is_ok());

        // One is answered, so that there is a turn.
        drop(asked.pop());
        open.join_next().await.unwrap().unwrap().unwrap_err();
        open.spawn(show("more"));
        assert!(taken.recv().await.is_some());
    }

    #[test]
    fn a_node_remembers_so_many_credentials_and_then_begins_anew() {
        let (gate, _taken, _status) = gate();
        let shown = |n: usize| Shown {
            team: TeamId::new("t"),
            token: TokenId::new(&n.to_string()),
            secret: SecretHash([0; 32]),
        };
        let other = |n| Shown { secret: SecretHash([1; 32]), ..shown(n) };
        let revision = Revision { log_index: 7, seq: 0 };
        (0..KNOWN_BEARERS_MAX).for_each(|n| gate.remember(&shown(n), revision));
        assert_eq!(gate.remembered(&shown(0)), Some(revision));
        assert_eq!(gate.remembered(&other(0)), None, "of another secret");
        gate.forget(&other(0));
        assert_eq!(gate.remembered(&shown(0)), Some(revision));
        gate.remember(&shown(KNOWN_BEARERS_MAX), revision);
        assert_eq!(gate.remembered(&shown(0)), None);
        assert_eq!(gate.remembered(&shown(KNOWN_BEARERS_MAX)), Some(revision));
        gate.forget(&shown(KNOWN_BEARERS_MAX));
        assert_eq!(gate.remembered(&shown(KNOWN_BEARERS_MAX)), None);
        assert!(!format!("{gate:?} {:?}", shown(1)).contains("0, 0"), "no hash is shown");
    }
}
