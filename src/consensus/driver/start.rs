//! From a configuration to a running node, or to why there is none and what to type.
//!
//! Only `bootstrap` lets an empty data directory become a member of a new cluster. What a directory
//! holds is `data_dir`'s affair.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    runtime::{self, Handle},
    sync::{mpsc, oneshot, watch},
};

use super::{
    Ended, Running, Status,
    data_dir::{DataDir, Founding, Opened},
    snapshots::Snapshots,
    spawn,
    turn::{Driver, Inbox, Parts},
};
use crate::{
    consensus::{
        EventSink, Incarnation, Node, NodeConfig, NodeId, Role, StateMachine, Versions,
        log::{Disk, DiskError, LogConfig, LogError, RealDisk, snapshot::SnapshotError},
        peers::{Links, Local, PeerAddress, PeerEvent, PeerService, PeerView, addresses},
    },
    telemetry::{Metrics, raft_logger},
};

/// What a node is told about itself.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Which node.
    pub node_id: NodeId,
    /// Of which cluster.
    pub cluster_id: u128,
    /// Where its data lies.
    pub data_dir: PathBuf,
    /// Every member's peer address, its own among them.
    pub members: BTreeMap<NodeId, String>,
    /// Whether an empty directory may become a member of a new cluster.
    pub bootstrap: bool,
    /// Time between two ticks.
    pub tick: Duration,
    /// Heartbeats, elections, sizes. `id`, `incarnation`, `versions`, `seed` and `boot_nonce` are filled in.
    pub node: NodeConfig,
    /// Calls that may wait for the consensus thread.
    pub request_queue_max: usize,
}

/// Why a node does not start. The text says what to type.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory can't be used.
    #[error("the data directory {path} can't be used")]
    Disk {
        /// Which.
        path: PathBuf,
        /// Why.
        source: DiskError,
    },
    /// The log is not this node's, or not sound.
    #[error("the log in {path} can't be used")]
    Log {
        /// Which directory.
        path: PathBuf,
        /// Why, and what to do.
        source: LogError,
    },
    /// The snapshots can't be read.
    #[error("the snapshots in {path} can't be used")]
    Snapshot {
        /// Which directory.
        path: PathBuf,
        /// Why.
        source: SnapshotError,
    },
    /// Nothing is here, and nobody said that a new cluster is to be formed.
    #[error(
        "the data directory {path} is empty. To form a new cluster, start every member once with \
         --bootstrap; to join a running one, use --join. If node {node} had data before, put it back: \
         a node whose data is lost never comes back under its old id, and `turnwise cluster replace \
         {node}` says how another takes its place"
    )]
    Empty {
        /// Which directory.
        path: PathBuf,
        /// Which node.
        node: NodeId,
    },
    /// A log without a snapshot, or with a gap after it.
    #[error(
        "the data directory {path} is damaged: its newest sound snapshot ends at index {snapshot}, \
         its log begins after {base}. Keep it for analysis, and let another take this node's \
         place with `turnwise cluster replace`"
    )]
    Gap {
        /// Which directory.
        path: PathBuf,
        /// Where the newest sound snapshot ends; 0 if there is none.
        snapshot: u64,
        /// Where the log begins.
        base: u64,
    },
    /// What the directory says of coming back under a new id is damaged.
    #[error(
        "the file `rejoin` in the data directory {path} is damaged, and it alone says which node this is. Keep \
         the directory for analysis, and let another take this node's place with `turnwise cluster replace`"
    )]
    Note {
        /// Which directory.
        path: PathBuf,
    },
    /// The directory is on its way back under a new id.
    #[error(
        "the data directory {path} was found damaged, and its node is on its way back under a new id: start it \
         without --no-rejoin"
    )]
    Rejoining {
        /// Which directory.
        path: PathBuf,
    },
    /// The directory is of a version of the cluster that this build does not have.
    #[error(
        "the data directory {path} is of a cluster at version {version}, and this build has {versions}. Start a \
         build that has version {version}; nothing in the directory was changed"
    )]
    Version {
        /// Which directory.
        path: PathBuf,
        /// Of the cluster.
        version: u32,
        /// Of this build.
        versions: Versions,
    },
    /// The node's own state can't be read back.
    #[error("the node can't start from {path}")]
    State {
        /// Which directory.
        path: PathBuf,
        /// Why.
        source: Box<Ended>,
    },
    /// The node is not among the members.
    #[error("node {node} is not in members; add {node}=ADDRESS there")]
    NotAMember {
        /// Which node.
        node: NodeId,
    },
    /// No thread could be started.
    #[error("no thread could be started")]
    Thread(#[from] std::io::Error),
}

impl StartError {
    /// Whether something that was durable is gone or changed: whoever starts there must not be heard as before.
    #[must_use]
    pub fn is_rot(&self) -> bool {
        match self {
            Self::Log { source, .. } => matches!(source, LogError::Rot { .. }),
            Self::Gap { .. } => true,
            Self::Disk { .. }
            | Self::Snapshot { .. }
            | Self::Empty { .. }
            | Self::Note { .. }
            | Self::Rejoining { .. }
            | Self::Version { .. }
            | Self::State { .. }
            | Self::NotAMember { .. }
            | Self::Thread(_) => false,
        }
    }
}

/// Opens the data directory and starts the consensus thread, which tells `events` what happens.
///
/// Gives the running node and the service to mount on the peer port. Must be called on a runtime.
///
/// # Errors
/// [`StartError`]; nothing was written then but what a later start finishes.
pub fn start<S: StateMachine>(
    setup: Setup,
    metrics: Arc<Metrics>,
    events: Box<dyn EventSink<S::Event>>,
) -> Result<(Running<S>, PeerService<RealDisk>), StartError> {
    let path = setup.data_dir.clone();
    if !setup.members.contains_key(&setup.node_id) {
        return Err(StartError::NotAMember { node: setup.node_id });
    }
    let disk =
        RealDisk::open(&path).map_err(|source| StartError::Disk { path: path.clone(), source })?;
    let disk = Arc::new(disk);
    let founding = setup.bootstrap.then(|| Founding {
        voters: setup.members.keys().copied().collect(),
        incarnation: Incarnation(rand::random()),
    });
    let (cluster_id, node_id) = (setup.cluster_id, setup.node_id);
    let log = LogConfig::default();
    let data_dir =
        DataDir { path: &path, cluster_id, node_id, versions: S::versions(), log, founding };
    let opened = data_dir.open::<S, _>(Arc::clone(&disk))?;
    launch(setup, disk, opened, metrics, events)
}

fn launch<S: StateMachine, D: Disk>(
    setup: Setup,
    disk: Arc<D>,
    opened: Opened<S, D>,
    metrics: Arc<Metrics>,
    mut events: Box<dyn EventSink<S::Event>>,
) -> Result<(Running<S>, PeerService<D>), StartError> {
    let Opened { store, log, identity, recovered, machine, .. } = opened;
    let node_id = setup.node_id;
    let config = NodeConfig {
        id: node_id,
        incarnation: identity.incarnation,
        versions: S::versions(),
        seed: rand::random(),
        boot_nonce: rand::random(),
        addresses: setup.members.clone(),
        ..setup.node
    };
    events.loaded(recovered.snapshot.index);
    let node = Node::new(config, recovered, &raft_logger(node_id)).map_err(|fault| {
        StartError::State { path: setup.data_dir.clone(), source: Box::new(fault.into()) }
    })?;
    let membership = Arc::clone(node.membership());
    let recorded = membership.record(node_id).map(|it| it.peer_address.clone());
    let local = Local {
        cluster_id: setup.cluster_id,
        node_id,
        incarnation: identity.incarnation,
        versions: S::versions(),
        peer_address: setup.members.get(&node_id).cloned().or(recorded).unwrap_or_default(),
    };
    let everybody = addresses(&membership, &setup.members, &BTreeMap::new());
    let (addresses, addresses_seen) = watch::channel(Arc::new(everybody));
    let view = PeerView::of(&node, None);
    let (view, view_seen) = watch::channel(view);
    let (status, status_seen) = watch::channel(first_status(node_id, &node));
    let (peer_events, peers) = mpsc::channel::<PeerEvent>(4_096);
    let (submissions, submitted) = mpsc::channel(setup.request_queue_max);
    let (requests, requested) = mpsc::channel(setup.request_queue_max);
    let (reports, reported) = mpsc::unbounded_channel();
    let (stop, stopped) = oneshot::channel();
    let mut links = Links::new(local.clone(), view_seen.clone(), peer_events.clone());
    links.connect(&addresses_seen.borrow());
    let address = PeerAddress {
        local: local.clone(),
        addresses: addresses_seen.clone(),
        view: view_seen.clone(),
    };
    let service = PeerService::new(local, view_seen, peer_events, Arc::clone(&store));
    let parts = Parts {
        node_id,
        node,
        log,
        disk,
        machine,
        links,
        snapshots: Snapshots { store, peers: address },
        events,
        metrics,
        status,
        view,
        addresses,
        configured: setup.members,
        runtime: Handle::current(),
        reports,
    };
    let inbox = Inbox {
        submissions: submitted,
        requests: requested,
        peers,
        reports: reported,
        stop: stopped,
    };
    let tick = setup.tick;
    let (thread, ended) = spawn(move || {
        let own = runtime::Builder::new_current_thread().enable_time().build();
        let own = own.map_err(|error| Ended::Panicked(error.to_string()))?;
        own.block_on(Driver::new(parts).run(inbox, tick))
    })?;
    let running = Running {
        submissions,
        requests,
        status: status_seen,
        addresses: addresses_seen,
        ended,
        stop,
        thread,
    };
    Ok((running, service))
}

fn first_status(node_id: NodeId, node: &Node) -> Status {
    let node = node.status();
    Status {
        node_id,
        role: Role::Follower,
        term: node.term,
        leader: None,
        commit_index: node.commit,
        applied_index: node.applied,
        snapshot_index: node.snapshot_index,
        stamp_us: node.stamp_us,
        version: node.version,
        ready: false,
        checkpoint: None,
    }
}
