//! One node, composed: the life of `turnwise serve` from its configuration to its exit.
//!
//! The consensus thread; the threads that serve clients; and the main thread, which has everything else: what
//! goes between nodes, the admin port, the listeners. A signal to stop hands leadership over first, lets calls
//! under way end, and then stops the thread. Whatever the consensus thread can't go on after ends the process. It
//! holds no rule of any layer.

use std::{convert::Infallible, error::Error, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use sd_notify::NotifyState;
use tokio::{
    net::TcpListener,
    runtime::{self, Handle},
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::JoinSet,
};
use tonic::transport::Server;

use crate::{
    admin::{self, Readiness},
    api::{
        self, ClusterView, ConnectionLimits, Gateway, Members, NetworkRuntimes, NetworkThreads,
        Peers, PublicApi,
    },
    config::Config,
    consensus::{
        NodeConfig, Role,
        driver::{
            self, Ended, JoinError, Joined, Joining, Note, Rejoining, Setup, StartError, Status,
        },
        log::{LogError, RealDisk},
        peers::{Addresses, FRAME_LEN_MAX, PeerService},
    },
    credentials,
    events::{self, Bounds, EventLog, Keeper},
    proto::turnwise::peer::v1::raft_service_server::RaftServiceServer,
    replica::Replica,
    routing::{SecretHash, State},
    telemetry::Metrics,
    timers,
};

/// How long a stop waits for calls under way.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// Why a node did not start, or ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The operator's credential is refused.
    #[error(transparent)]
    Operator(#[from] credentials::FileError),
    /// An address can't be listened on.
    #[error("can't listen on {address} ({key})")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// The configuration key.
        key: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// It did not become a member.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// The data directory is another cluster's.
    #[error("{} is the data directory of a node of cluster {holds:032x}; cluster_id says {says:032x}", path.display())]
    OtherCluster {
        /// The directory.
        path: std::path::PathBuf,
        /// Whose it is.
        holds: u128,
        /// What the configuration says.
        says: u128,
    },
    /// The operating system refused something.
    #[error("the operating system refused")]
    System(#[from] std::io::Error),
    /// What serves one of the listeners ended, and nobody had told it to.
    #[error("{key} is no longer served")]
    NotServed {
        /// The configuration key of the listener.
        key: &'static str,
        /// Why, where it says so.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The consensus thread could not go on.
    #[error(transparent)]
    Ended(#[from] Ended),
}

/// Runs a node until it is told to stop.
///
/// # Errors
/// [`ServeError`]; the process is to end with what it says.
pub fn run(config: Config) -> Result<(), ServeError> {
    let network = NetworkThreads::start(config.worker_threads)?;
    // What goes between nodes is little work at a time, and nothing in it waits for a disk: one thread, which
    // nobody has to wake another for.
    let own = runtime::Builder::new_current_thread().enable_all().build()?;
    own.block_on(serve(config, network.runtimes()))
}

async fn serve(config: Config, network: &NetworkRuntimes) -> Result<(), ServeError> {
    // Before anything is opened, so that a stop during start-up is not lost.
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let operator = operator(&config)?;
    let clients = listen(config.client_address, "client_address").await?;
    let peers = listen(config.peer_address, "peer_address").await?;
    let admin = listen(config.admin_address, "admin_address").await?;

    let metrics = Arc::new(Metrics::new());
    let client_address = match &config.join {
        Some(join) => join.client_address.clone(),
        None => clients.local_addr()?.to_string(),
    };
    let started = tokio::select! {
        started = start(&config, &client_address, &metrics) => started?,
        signal = told(&mut terminate, &mut interrupt) => {
            tracing::info!(signal, "stopping before a member admitted this node");
            return Ok(());
        }
    };
    let Started { is: Joined { cluster_id, node_id }, running, raft, keeper, events } = started;
    let replica =
        Replica::new(running.submissions.clone(), running.requests.clone(), running.status.clone());
    // They end with the consensus thread.
    let mut companions = JoinSet::new();
    companions.spawn_on(keeper.run(), network.one());
    companions.spawn(timers::run(replica.clone()));
    let addresses = running.addresses.clone();
    let links = Peers::new(addresses.clone(), Handle::current());
    let gateway = Gateway::new(replica.clone(), links.clone(), config.timing.election() * 2);
    let members = Members::new(replica.clone(), links.clone(), cluster_id);

    let (stop_now, stopping) = watch::channel(false);
    let stopped = |mut stopping: watch::Receiver<bool>| async move {
        // An error means that the sender is gone: the process is ending.
        stopping.wait_for(|stop| *stop).await.map(drop).unwrap_or_default();
    };

    let (forward, node, members) = api::peer_services(
        gateway.clone(),
        members,
        network.clone(),
        client_address.clone(),
        config.data_dir.clone(),
    );
    let raft = RaftServiceServer::new(raft)
        .max_decoding_message_size(FRAME_LEN_MAX)
        .max_encoding_message_size(FRAME_LEN_MAX);
    // Peers are cut when this future is dropped: their streams never end by themselves.
    let serve_peers = Server::builder()
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(8 << 20)
        .http2_keepalive_interval(Some(Duration::from_secs(1)))
        .http2_keepalive_timeout(Some(Duration::from_secs(2)))
        .add_service(raft)
        .add_service(forward)
        .add_service(node)
        .add_service(members)
        .serve_with_incoming(api::accepted(peers).map(Ok::<_, Infallible>));
    let cluster = ClusterView { cluster_id, client_address, data_dir: config.data_dir.clone() };
    let public = PublicApi {
        gateway,
        cluster,
        events,
        peers: links,
        metrics: Arc::clone(&metrics),
        operator,
        connections: ConnectionLimits {
            connections_max: config.limits.connections_max,
            streams_per_connection_max: config.limits.streams_per_connection_max,
        },
    };
    let serve_clients = api::serve(clients, public, network, stopped(stopping.clone()));
    let seen = replica.watch();
    let serve_admin =
        admin::serve(admin, metrics, move || readiness(&seen.borrow()), stopped(stopping));
    tracing::info!(
        node = node_id.0,
        clients = %config.client_address,
        peers = %config.peer_address,
        admin = %config.admin_address,
        "serving"
    );
    tell_manager(NotifyState::Ready);

    let driver::Running { ended, stop, thread, .. } = running;
    let mut ended = ended;
    tokio::pin!(serve_peers, serve_clients, serve_admin);
    let end = tokio::select! {
        served = &mut serve_peers => return Err(not_served("peer_address", served)),
        served = &mut serve_clients => return Err(not_served("client_address", served)),
        served = &mut serve_admin => return Err(not_served("admin_address", served)),
        end = &mut ended => Some(end),
        signal = told(&mut terminate, &mut interrupt) => {
            tracing::info!(signal, "stopping: handing over, then letting calls end");
            tell_manager(NotifyState::Stopping);
            None
        }
    };
    let end = if let Some(end) = end {
        end
    } else {
        let everybody = addresses.borrow().clone();
        let drain = async {
            // The old leader still answers what it has; the new one takes the rest.
            tokio::join!(hand_over(&replica, &config, &everybody), async {
                stop_now.send_replace(true);
                tokio::join!(&mut serve_clients, &mut serve_admin)
            })
        };
        tokio::select! {
            _ = tokio::time::timeout(DRAIN_MAX, drain) => {}
            _ = &mut serve_peers => {}
        }
        drop(stop);
        ended.await
    };
    let end = end.unwrap_or_else(|_| Err(Ended::Panicked("it ended without a word".to_owned())));
    // It has ended, and said how.
    thread.join().unwrap_or_default();
    while companions.join_next().await.is_some() {}
    Ok(end?)
}

/// What ended before it was told to has failed, whatever it says of itself.
fn not_served<E: Error + Send + Sync + 'static>(
    key: &'static str,
    served: Result<(), E>,
) -> ServeError {
    ServeError::NotServed { key, source: served.err().map(Into::into) }
}

/// Which signal told the process to stop.
async fn told(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

/// Tells the service manager that started this process, if it wants to be told (`sd_notify(3)`).
///
/// Ready means that the node serves, not that it knows a leader: nodes that wait for each other to start
/// would never come up. Readiness of that kind is for `/readyz` and the gRPC health service.
fn tell_manager(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}

/// What is kept of the operator's credential, which turns authentication on.
fn operator(config: &Config) -> Result<Option<SecretHash>, ServeError> {
    let Some(path) = &config.admin_token_file else {
        tracing::info!("authentication is off: everybody who reaches the node may do everything");
        return Ok(None);
    };
    Ok(Some(SecretHash(credentials::operator_hash(path)?)))
}

async fn listen(address: SocketAddr, key: &'static str) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, key, source })
}

/// How often a stop asks another node to lead; one that does not answer is passed over next time.
const HAND_OVER_ATTEMPTS: u32 = 3;

/// Waits until another node leads, for a few election timeouts at most.
async fn hand_over(replica: &Replica, config: &Config, addresses: &Addresses) {
    let this = replica.status().node_id;
    if !addresses.iter().any(|(node, it)| *node != this && it.is_member && !it.is_learner) {
        return;
    }
    let mut status = replica.watch();
    let election = config.timing.election() + config.timing.tick;
    for _ in 0..HAND_OVER_ATTEMPTS {
        if replica.status().role != Role::Leader {
            return;
        }
        if let Err(cause) = replica.hand_over(None) {
            tracing::warn!(%cause, "leadership not handed over");
            return;
        }
        let handed = status.wait_for(|now| now.role != Role::Leader && now.leader.is_some());
        if tokio::time::timeout(election, handed).await.is_ok() {
            return;
        }
    }
    tracing::warn!("nobody took over in time");
}

fn readiness(status: &Status) -> Readiness {
    if status.ready {
        return Readiness::Ready;
    }
    Readiness::NotReady(if status.leader.is_none() {
        "no leader is known; are a majority of the members up, and reachable on their peer ports?"
            .to_owned()
    } else {
        format!("catching up: applied index {} of {}", status.applied_index, status.commit_index)
    })
}

/// A node whose consensus thread runs.
struct Started {
    is: Joined,
    running: driver::Running<State>,
    raft: PeerService<RealDisk>,
    keeper: Keeper,
    events: EventLog,
}

/// Starts it. One that finds its data damaged comes back under another id first.
async fn start(
    config: &Config,
    client_address: &str,
    metrics: &Arc<Metrics>,
) -> Result<Started, ServeError> {
    let rejoining = rejoining(config, client_address);
    let rejoin = async |damage: StartError, mine: Option<Joined>| {
        if !config.rejoin {
            return Err(JoinError::from(damage));
        }
        driver::rejoin::<State>(&rejoining, damage, mine).await
    };
    let mut is = match identity(config, &rejoining).await {
        Err(ServeError::Join(JoinError::Start(damage))) if damage.is_rot() => {
            known_as(config, &rejoin(damage, None).await?)?
        }
        known => known?,
    };
    let mut was_damaged = false;
    loop {
        let (feed, keeper, events) = events::events(Bounds::default());
        let setup = setup(config, is);
        match driver::start::<State>(setup, Arc::clone(metrics), Box::new(feed)) {
            Ok((running, raft)) => return Ok(Started { is, running, raft, keeper, events }),
            Err(damage) if damage.is_rot() && !was_damaged => {
                is = known_as(config, &rejoin(damage, Some(is)).await?)?;
                was_damaged = true;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Where this node is, and whom it may ask for another id.
fn rejoining<'a>(config: &'a Config, client_address: &str) -> Rejoining<'a> {
    let peer_address = own_peer_address(config);
    let others = config
        .members
        .iter()
        .filter(|(node, address)| Some(**node) != config.node_id && **address != peer_address);
    Rejoining {
        data_dir: &config.data_dir,
        ask: others.map(|(_, address)| address.clone()).collect(),
        peer_address,
        client_address: client_address.to_owned(),
    }
}

/// Where the other nodes find this one.
fn own_peer_address(config: &Config) -> String {
    let member = config.node_id.and_then(|node| config.members.get(&node)).cloned();
    let joined = config.join.as_ref().map(|join| join.peer_address.clone());
    joined.or(member).unwrap_or_else(|| config.peer_address.to_string())
}

/// Who a node is now that lost its data, by what its directory says of that.
fn known_as(config: &Config, note: &Note) -> Result<Joined, ServeError> {
    let path = config.data_dir.clone();
    let refused = |source| Err(StartError::Log { path, source }.into());
    let Some(joined) = note.back() else {
        return Err(StartError::Rejoining { path: config.data_dir.clone() }.into());
    };
    if let Some(says) = config.cluster_id
        && says.0 != joined.cluster_id
    {
        let (found, expected) = (joined.cluster_id, says.0);
        return refused(LogError::WrongCluster { found, expected });
    }
    if let Some(says) = config.node_id
        && says != joined.node_id
        && !note.was.contains(&says)
    {
        let (found, expected) = (joined.node_id.0, says.0);
        return refused(LogError::WrongNode { found, expected });
    }
    Ok(joined)
}

/// Which node of which cluster this one is. One that is to join asks its way in, unless it has done so.
async fn identity(config: &Config, rejoining: &Rejoining<'_>) -> Result<Joined, ServeError> {
    if let Some(note) = driver::go_on::<State>(rejoining, config.rejoin).await? {
        let is = known_as(config, &note)?;
        if let Some(was) = config.node_id.filter(|was| *was != is.node_id) {
            tracing::info!(
                was = was.0,
                node = is.node_id.0,
                "its data was damaged once: under a new id since"
            );
        }
        return Ok(is);
    }
    let Some(join) = &config.join else {
        let (Some(node_id), Some(cluster_id)) = (config.node_id, config.cluster_id) else {
            // The configuration has both where it has no join.
            return Err(std::io::Error::other("no node_id or no cluster_id").into());
        };
        return Ok(Joined { cluster_id: cluster_id.0, node_id });
    };
    let joining = Joining {
        data_dir: config.data_dir.clone(),
        token: join.token.clone(),
        ask: config.members.values().cloned().collect(),
        peer_address: join.peer_address.clone(),
        client_address: join.client_address.clone(),
    };
    let joined = driver::join::<State>(&joining).await?;
    match config.cluster_id {
        Some(says) if says.0 != joined.cluster_id => Err(ServeError::OtherCluster {
            path: config.data_dir.clone(),
            holds: joined.cluster_id,
            says: says.0,
        }),
        Some(_) | None => Ok(joined),
    }
}

fn setup(config: &Config, Joined { cluster_id, node_id }: Joined) -> Setup {
    let mut members = config.members.clone();
    // It may have another id by now than the one that the configuration says.
    members.retain(|node, _| Some(*node) != config.node_id);
    members.insert(node_id, own_peer_address(config));
    let ticks = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    // The id and the incarnation are filled in from the data directory.
    let mut node = NodeConfig::new(node_id, crate::consensus::Incarnation(0));
    node.heartbeat_ticks = ticks(config.timing.heartbeat_ticks);
    node.election_ticks = ticks(config.timing.election_ticks);
    node.snapshot_every_bytes = config.limits.snapshot_every_bytes;
    node.memory_tail_bytes = config.limits.log_tail_bytes_max;
    node.retained_log_bytes = config.limits.log_tail_bytes_max;
    Setup {
        node_id,
        cluster_id,
        data_dir: config.data_dir.clone(),
        members,
        bootstrap: config.bootstrap && config.join.is_none(),
        tick: config.timing.tick,
        node,
        request_queue_max: config.limits.proposal_queue_max,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_unasked_has_failed_whatever_it_says() {
        let said = |served: Result<(), std::io::Error>| {
            let error = not_served("peer_address", served);
            (error.to_string(), error.source().map(ToString::to_string))
        };
        let what = "peer_address is no longer served".to_owned();
        assert_eq!(said(Ok(())), (what.clone(), None));
        let why = std::io::Error::other("gone");
        assert_eq!(said(Err(why)), (what, Some("gone".to_owned())));
    }
}
