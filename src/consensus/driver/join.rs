//! From an empty data directory to a member of a running cluster.
//!
//! The incarnation is drawn and durable before anybody is asked, so that whoever is asked again, after a
//! crash on either side, gives the same id. The log comes last: with it, the directory is a member's and the
//! token is of no use any more. From then on the node waits for the leader; it never stands by itself.

use std::{
    collections::VecDeque,
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tonic::{Code, Status, transport::Endpoint};
use tonic_types::StatusExt as _;

use super::{
    StartError,
    data_dir::{GROUP_ID, lay},
};
use crate::{
    consensus::{
        Incarnation, NodeId, StateMachine, joining_snapshot,
        log::{
            self, Disk, DiskFile, Identity, Log, LogConfig, LogError, RealDisk,
            snapshot::SnapshotStore,
        },
        peers::PROTOCOL_VERSION,
    },
    proto::turnwise::peer::v1::{
        Admitted, JoinRequest, join_response::Result as Answer,
        membership_service_client::MembershipServiceClient,
    },
};

/// Holds the incarnation until the log does.
const DRAWN: &str = "joining";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// With a token.
const PATIENCE: Patience = Patience { rounds: 60, pause: Duration::from_millis(200) };
/// Rounds of asking for each line about it in the log.
const ROUNDS_PER_LINE: u32 = 10;

/// How long to ask: a round takes longer where nobody answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) rounds: u32,
    /// Between two of them.
    pub(super) pause: Duration,
}

/// What admits one node, once. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken(String);

impl JoinToken {
    /// As `turnwise cluster add` printed it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A node that wants to be a member.
#[derive(Debug, Clone)]
pub struct Joining {
    /// Where its data will lie.
    pub data_dir: PathBuf,
    /// What admits it.
    pub token: JoinToken,
    /// Peer addresses of members, `host:port`.
    pub ask: Vec<String>,
    /// Where it will serve the other nodes.
    pub peer_address: String,
    /// Where it will serve clients.
    pub client_address: String,
}

/// Whose a data directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Joined {
    /// Of which cluster.
    pub cluster_id: u128,
    /// Of which node.
    pub node_id: NodeId,
}

/// Why a node did not become a member.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The data directory can't be used.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The incarnation can't be kept.
    #[error("the data directory {path} can't be written")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The cluster said no.
    #[error(
        "the cluster does not admit this node: {why}. If this machine was a member and its data is lost, the \
         token is to come from `turnwise cluster replace` with the node id it had, not from `turnwise cluster add`"
    )]
    Refused {
        /// In the leader's words.
        why: String,
    },
    /// The cluster said no to one that wants to come back under a new id.
    #[error(
        "the data directory {path} is damaged: {found}. The cluster does not take the node back by itself: \
         {why}. Keep the directory for analysis, and let another take this node's place with `turnwise cluster \
         replace {node}`, or with a later id where this says one"
    )]
    NotTakenBack {
        /// The data directory.
        path: PathBuf,
        /// What was found in it.
        found: String,
        /// Whose it was.
        node: NodeId,
        /// In the leader's words.
        why: String,
    },
    /// Nobody could say anything to one that wants to come back.
    #[error(
        "the data directory {path} is damaged: {found}. No member has taken the node back yet: {last}. Start it \
         again once a majority of the others ({asked}) is up; its log and its snapshots were left as they are. \
         If the others are lost for good, `turnwise recover` makes a new cluster of the best directory there is"
    )]
    NotYetBack {
        /// The data directory.
        path: PathBuf,
        /// What was found in it.
        found: String,
        /// Who was asked.
        asked: String,
        /// What was heard last.
        last: String,
    },
    /// Nobody who was asked could say anything.
    #[error(
        "no member admitted this node: {last}. Are the addresses in --members those of running members' peer \
         ports ({asked})? The same command may be tried again"
    )]
    Nobody {
        /// Who was asked.
        asked: String,
        /// What was heard last.
        last: String,
    },
}

/// Whose a data directory is already; `None` where there is no log in it.
fn identity<D: Disk>(disk: &D, path: &Path) -> Result<Option<Joined>, StartError> {
    let found = Log::whose(disk)
        .map_err(|source: LogError| StartError::Log { path: path.to_owned(), source })?;
    Ok(found.map(|it| Joined { cluster_id: it.cluster_id, node_id: it.node_id }))
}

/// Makes the directory a member's, unless it is one already.
///
/// # Errors
/// [`JoinError`]. The same call may be made again.
pub async fn join<S: StateMachine>(joining: &Joining) -> Result<Joined, JoinError> {
    let path = &joining.data_dir;
    let disk =
        RealDisk::open(path).map_err(|source| StartError::Disk { path: path.clone(), source })?;
    let disk = Arc::new(disk);
    let incarnation = match set_out(&*disk, path, rand::random)? {
        Road::Joined(joined) => return Ok(joined),
        Road::Asks(incarnation) => incarnation,
    };
    let request = JoinRequest {
        token: joining.token.0.clone(),
        incarnation: incarnation.0.to_be_bytes().to_vec().into(),
        peer_address: joining.peer_address.clone(),
        client_address: joining.client_address.clone(),
        ..request::<S>()
    };
    let admitted = match ask(&joining.ask, &request, PATIENCE).await {
        Admission::Granted(admitted) => admitted,
        Admission::Refused { why } => return Err(JoinError::Refused { why }),
        Admission::Nobody { last } => {
            return Err(JoinError::Nobody { asked: joining.ask.join(", "), last });
        }
    };
    let joined = enter::<S, _>(&disk, path, LogConfig::default(), incarnation, admitted)?;
    tracing::info!(node = joined.node_id.0, "admitted to the cluster; waiting for the leader");
    Ok(joined)
}

/// What a data directory has to do to become a member's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Road {
    /// Nothing: it is one.
    Joined(Joined),
    /// Ask to be admitted, with this incarnation, which is durable.
    Asks(Incarnation),
}

/// The first step: before anybody is asked. `draw` gives any number, not the same twice.
///
/// # Errors
/// [`JoinError::Start`], [`JoinError::Io`]. The same call may be made again.
pub fn set_out<D: Disk>(
    disk: &D,
    path: &Path,
    draw: impl FnOnce() -> u128,
) -> Result<Road, JoinError> {
    let failed = |source| JoinError::Io { path: path.to_owned(), source };
    if let Some(joined) = identity(disk, path)? {
        forget_drawn(disk).map_err(failed)?;
        return Ok(Road::Joined(joined));
    }
    Ok(Road::Asks(drawn(disk, draw).map_err(failed)?))
}

/// The last step: with the leader's answer, the directory becomes a member's.
///
/// # Errors
/// [`JoinError`]. After [`set_out`], the same call may be made again with the same answer.
pub fn enter<S: StateMachine, D: Disk>(
    disk: &Arc<D>,
    path: &Path,
    log: LogConfig,
    incarnation: Incarnation,
    admitted: Admitted,
) -> Result<Joined, JoinError> {
    let failed = |source| JoinError::Io { path: path.to_owned(), source };
    let cluster_id = <[u8; 16]>::try_from(admitted.cluster_id.as_ref()).map(u128::from_be_bytes);
    let (Ok(cluster_id), node_id @ 1..) = (cluster_id, admitted.node_id) else {
        return Err(JoinError::Refused { why: "its answer makes no sense".to_owned() });
    };
    let node_id = NodeId(node_id);
    let store = SnapshotStore::open(Arc::clone(disk), cluster_id, GROUP_ID)
        .map_err(|source| StartError::Snapshot { path: path.to_owned(), source })?;
    let identity = Identity { cluster_id, node_id, incarnation, group_id: GROUP_ID };
    let begin = joining_snapshot(admitted.members);
    lay(path, disk, &store, (identity, log), &begin, &S::empty())?;
    forget_drawn(&**disk).map_err(failed)?;
    Ok(Joined { cluster_id, node_id })
}

/// The incarnation of an earlier try, or a new one, durable.
fn drawn<D: Disk>(disk: &D, draw: impl FnOnce() -> u128) -> io::Result<Incarnation> {
    let mut bytes = [0; 16];
    if is_drawn(disk)? {
        let file = disk.open(DRAWN)?;
        // Shorter, or of zeros, only where it was not durable yet, and so before anybody was asked.
        if file.len()? == 16 {
            file.read_exact_at(&mut bytes, 0)?;
        }
        if bytes != [0; 16] {
            return Ok(Incarnation(u128::from_be_bytes(bytes)));
        }
        disk.remove(DRAWN)?;
    }
    let incarnation = draw().max(1);
    let file = disk.create(DRAWN)?;
    file.write_at(&incarnation.to_be_bytes(), 0)?;
    file.sync()?;
    disk.sync_dir()?;
    Ok(Incarnation(incarnation))
}

/// The log holds it now.
fn forget_drawn<D: Disk>(disk: &D) -> io::Result<()> {
    if is_drawn(disk)? {
        disk.remove(DRAWN)?;
        disk.sync_dir()?;
    }
    Ok(())
}

fn is_drawn<D: Disk>(disk: &D) -> io::Result<bool> {
    Ok(disk.list()?.iter().any(|name| name == DRAWN))
}

/// What the members say to one that asks.
pub(super) enum Admission {
    Granted(Admitted),
    Refused {
        why: String,
    },
    Nobody {
        /// What was heard last.
        last: String,
    },
}

/// What every request says of the build.
pub(super) fn request<S: StateMachine>() -> JoinRequest {
    JoinRequest {
        protocol_version: PROTOCOL_VERSION,
        log_version_max: log::VERSION,
        engine_version_min: S::versions().min,
        engine_version_max: S::versions().max,
        ..JoinRequest::default()
    }
}

/// Asks one member after the other, and whoever they say leads.
pub(super) async fn ask(to: &[String], request: &JoinRequest, patience: Patience) -> Admission {
    let mut last = String::new();
    for round in 0..patience.rounds {
        let mut next: VecDeque<String> = to.iter().cloned().collect();
        // A leader that says who leads is none any more: the next round asks again.
        let mut hops = 2;
        while let Some(address) = next.pop_front() {
            match ask_one(&address, request).await {
                Ok(Some(Answer::Admitted(admitted))) => return Admission::Granted(admitted),
                Ok(Some(Answer::Leader(leader))) if hops > 0 && !leader.peer_address.is_empty() => {
                    hops -= 1;
                    next.push_front(leader.peer_address);
                }
                Ok(Some(Answer::Leader(_)) | None) => last = format!("{address} knows no leader"),
                Err(status) if is_refusal(&status) => {
                    return Admission::Refused { why: status.message().to_owned() };
                }
                Err(status) => last = format!("{address}: {}", status.message()),
            }
        }
        if round % ROUNDS_PER_LINE == 0 {
            tracing::info!(%last, "not admitted yet; asking again");
        }
        tokio::time::sleep(patience.pause).await;
    }
    Admission::Nobody { last }
}

async fn ask_one(address: &str, request: &JoinRequest) -> Result<Option<Answer>, Status> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|error| Status::unavailable(error.to_string()))?
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(CALL_TIMEOUT);
    let channel = endpoint.connect().await.map_err(|_| Status::unavailable("no connection"))?;
    let answer = MembershipServiceClient::new(channel).join(request.clone()).await?;
    Ok(answer.into_inner().result)
}

fn is_refusal(status: &Status) -> bool {
    // The others may only be late.
    let reason = status.get_details_error_info().map(|info| info.reason);
    if reason.is_some_and(|reason| reason == "QUORUM_AT_RISK") {
        return false;
    }
    [Code::FailedPrecondition, Code::InvalidArgument, Code::PermissionDenied]
        .contains(&status.code())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{DRAWN, JoinToken, RealDisk, drawn, forget_drawn};

    #[test]
    fn an_incarnation_is_drawn_once_and_again_where_it_never_reached_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(dir.path()).unwrap();
        let first = drawn(&disk, rand::random).unwrap();
        assert_eq!(drawn(&disk, rand::random).unwrap(), first);
        for torn in [&[][..], &[7; 5], &[0; 16], &[7; 17]] {
            fs::write(dir.path().join(DRAWN), torn).unwrap();
            let again = drawn(&disk, rand::random).unwrap();
            assert!(again != first && again.0 != 0, "{torn:?}");
            assert_eq!(drawn(&disk, rand::random).unwrap(), again, "{torn:?}");
        }
        forget_drawn(&disk).unwrap();
        forget_drawn(&disk).unwrap();
        assert!(!dir.path().join(DRAWN).exists());
    }

    #[test]
    fn a_token_is_not_shown() {
        let token = JoinToken::new("tw_join_secret");
        assert_eq!(format!("{token:?}"), "***");
    }
}
