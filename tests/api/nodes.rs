//! Nodes for tests: each a real server over one shared state, in the order its commands arrive.
//!
//! What is missing is Raft: one task applies commands at once, and who leads is what the test says.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Handle,
    sync::{mpsc, watch},
    task::{AbortHandle, JoinSet},
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Status as Refused, transport::Channel};
use tonic_types::StatusExt as _;
use turnwise::{
    api::{self, ClusterView, Gateway, Members, NetworkThreads, Peers, PublicApi},
    clock,
    consensus::{
        EventSink as _, NodeId, StateMachine,
        driver::{ReadAt as Seen, Request, Submission},
    },
    events::{Bounds, EventFeed, events},
    proto::turnwise::v1::{
        self as pb, campaign_service_client::CampaignServiceClient,
        cluster_service_client::ClusterServiceClient, event_service_client::EventServiceClient,
        group_service_client::GroupServiceClient, rep_service_client::RepServiceClient,
        routing_rule_service_client::RoutingRuleServiceClient,
        routing_service_client::RoutingServiceClient, team_service_client::TeamServiceClient,
        token_service_client::TokenServiceClient,
    },
    replica::{
        Address, Addresses, Change, Changed, NotChanged, ReadAt, Replica, ReplicaRequest,
        ReplicaSubmission, Role, Status,
    },
    routing::{AssignmentFilter, CampaignId, GroupId, SecretHash, State, TeamId},
    telemetry::Metrics,
    unavailable::Unavailable,
};

/// What every node applies to.
struct Log {
    state: State,
    applied: u64,
    /// Of every node.
    feeds: Vec<EventFeed>,
}

/// What a test can do to a node's consensus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Commands take effect as they come.
    Serve,
    /// Commands wait, as they do while a majority does not answer.
    Hold,
    /// Those that wait lose their leader, without having taken effect; new ones wait again.
    Lose,
}

pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) address: SocketAddr,
    pub(crate) replica: Replica,
    status: Arc<watch::Sender<Status>>,
    mode: watch::Sender<Mode>,
    /// What it has applied, where that is not all.
    behind: Arc<Mutex<Option<State>>>,
    held: watch::Receiver<usize>,
}

/// How long a call waits where nobody leads.
pub(crate) const PATIENCE: Duration = Duration::from_millis(300);
const CLUSTER: u128 = 0xcccc_cccc_cccc_cccc_cccc_cccc_cccc_cccc;

/// Nodes 1 to n; node 1 leads.
pub(crate) struct Nodes {
    pub(crate) nodes: Vec<Node>,
    tasks: JoinSet<()>,
    cables: Vec<AbortHandle>,
    _network: Vec<NetworkThreads>,
}

impl Nodes {
    pub(crate) async fn start(n: u64) -> Self {
        Self::keeping(n, Bounds::default()).await
    }

    /// The same, each keeping so many events.
    pub(crate) async fn keeping(n: u64, bounds: Bounds) -> Self {
        Self::going_on(n, bounds, State::default(), 0, None).await
    }

    /// The same, going on with a state, and asking everybody who they are if there is an operator.
    pub(crate) async fn going_on(
        n: u64,
        bounds: Bounds,
        state: State,
        applied: u64,
        operator: Option<SecretHash>,
    ) -> Self {
        let log = Arc::new(Mutex::new(Log { state, applied, feeds: Vec::new() }));
        let mut tasks = JoinSet::new();
        let mut listeners = Vec::new();
        for id in 1..=n {
            let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let peer = TcpListener::bind("127.0.0.1:0").await.unwrap();
            listeners.push((NodeId(id), public, peer));
        }
        let members: BTreeMap<_, _> = listeners
            .iter()
            .map(|(id, _, peer)| (*id, peer.local_addr().unwrap().to_string()))
            .collect();
        let mut nodes = Vec::new();
        let mut cables = Vec::new();
        let mut threads = Vec::new();
        for (id, public, peer) in listeners {
            let address = public.local_addr().unwrap();
            let (submissions, submitted) = mpsc::channel(1024);
            let (requests, asked) = mpsc::channel(1024);
            let (status, seen) = watch::channel(first_status(id));
            let status = Arc::new(status);
            let (mode, modes) = watch::channel(Mode::Serve);
            let (holding, held) = watch::channel(0);
            let replica = Replica::new(submissions, requests, seen);
            let (mut feed, keeper, events) = events(bounds);
            feed.loaded(applied);
            log.lock().unwrap().feeds.push(feed);
            tasks.spawn(keeper.run());
            let lag = Arc::default();
            let log = (Arc::clone(&log), Arc::clone(&lag));
            tasks.spawn(apply((submitted, asked), log, Arc::clone(&status), modes, holding));

            let whereabouts = |(node, peer): (&NodeId, &String)| {
                let address = Address { peer: peer.clone(), is_member: true, ..Address::default() };
                (*node, address)
            };
            let addresses: Addresses = members.iter().map(whereabouts).collect();
            let (_, addresses) = watch::channel(Arc::new(addresses));
            let peers = Peers::new(addresses, Handle::current());
            let gateway = Gateway::new(replica.clone(), peers.clone(), PATIENCE);
            let changes = Members::new(replica.clone(), peers.clone(), CLUSTER);
            let network = NetworkThreads::start(2).unwrap();
            let runtimes = network.runtimes().clone();
            threads.push(network);
            let (forward, node, changes) = api::peer_services(
                gateway.clone(),
                changes,
                runtimes.clone(),
                address.to_string(),
                std::env::temp_dir(),
            );
            let behind = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let hidden = behind.local_addr().unwrap();
            let peer_port = tonic::transport::Server::builder()
                .add_service(forward)
                .add_service(node)
                .add_service(changes)
                .serve_with_incoming(TcpListenerStream::new(behind));
            tasks.spawn(async move { peer_port.await.unwrap() });
            cables.push(tasks.spawn(cable(peer, hidden)));
            let cluster = ClusterView {
                cluster_id: CLUSTER,
                client_address: address.to_string(),
                data_dir: std::env::temp_dir(),
            };
            let metrics = Arc::new(Metrics::new());
            let public_api = PublicApi {
                gateway,
                cluster,
                events,
                peers,
                metrics,
                operator,
                connections: api::ConnectionLimits::default(),
            };
            tasks.spawn(async move {
                api::serve(public, public_api, &runtimes, std::future::pending()).await.unwrap();
            });
            nodes.push(Node { id, address, replica, status, mode, behind: lag, held });
        }
        Self { nodes, tasks, cables, _network: threads }
    }

    /// The leader.
    pub(crate) async fn one() -> Self {
        Self::start(1).await
    }

    pub(crate) fn leader(&self) -> &Node {
        &self.nodes[0]
    }

    pub(crate) fn follower(&self) -> &Node {
        &self.nodes[1]
    }

    /// Every node, or some, learn who leads.
    pub(crate) fn elect(&self, leader: Option<u64>, who_knows: &[u64]) {
        for node in self.nodes.iter().filter(|n| who_knows.contains(&n.id.0)) {
            node.status.send_modify(|status| {
                status.leader = leader.map(NodeId);
                status.ready = leader.is_some();
                status.role =
                    if status.leader == Some(node.id) { Role::Leader } else { Role::Follower };
            });
        }
    }

    /// Closes a node's peer port and every connection to it.
    pub(crate) async fn cut(&mut self, node: usize) {
        self.cables[node].abort();
        // The aborted task is the first to end: all others run for ever.
        assert!(self.tasks.join_next().await.unwrap().unwrap_err().is_cancelled());
    }
}

impl Node {
    /// From now on what it sees by itself is what there is now; what it asks the leader for is all.
    pub(crate) async fn fall_behind(&self) {
        let now = self.replica.read(|state, _| state.clone()).await.unwrap();
        *self.behind.lock().unwrap() = Some(now);
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Returns once `n` commands wait.
    pub(crate) async fn holds(&self, n: usize) {
        self.held.clone().wait_for(|held| *held == n).await.unwrap();
    }

    pub(crate) async fn channel(&self) -> Channel {
        let address = format!("http://{}", self.address);
        Channel::from_shared(address).unwrap().connect().await.unwrap()
    }

    pub(crate) async fn routing(&self) -> RoutingServiceClient<Channel> {
        RoutingServiceClient::new(self.channel().await)
    }

    pub(crate) async fn teams(&self) -> TeamServiceClient<Channel> {
        TeamServiceClient::new(self.channel().await)
    }

    pub(crate) async fn reps(&self) -> RepServiceClient<Channel> {
        RepServiceClient::new(self.channel().await)
    }

    pub(crate) async fn groups(&self) -> GroupServiceClient<Channel> {
        GroupServiceClient::new(self.channel().await)
    }

    pub(crate) async fn campaigns(&self) -> CampaignServiceClient<Channel> {
        CampaignServiceClient::new(self.channel().await)
    }

    pub(crate) async fn rules(&self) -> RoutingRuleServiceClient<Channel> {
        RoutingRuleServiceClient::new(self.channel().await)
    }

    pub(crate) async fn events(&self) -> EventServiceClient<Channel> {
        EventServiceClient::new(self.channel().await)
    }

    pub(crate) async fn clusters(&self) -> ClusterServiceClient<Channel> {
        ClusterServiceClient::new(self.channel().await)
    }

    pub(crate) async fn tokens(&self) -> TokenServiceClient<Channel> {
        TokenServiceClient::new(self.channel().await)
    }

    /// The state's hash, as seen from here.
    pub(crate) async fn hash(&self) -> u128 {
        self.replica.read(|state, _| state.hash()).await.unwrap()
    }

    /// All that callers can see of team `t`, and of who else there is.
    pub(crate) async fn picture(&self) -> String {
        let look = |state: &State, at: ReadAt| {
            let team = TeamId::new("t");
            let reps = state.reps(&team, None, 1_000);
            let groups = state.groups(&team, None, 1_000);
            let rules = state.rules(&team, None, 1_000);
            let campaigns = state.campaigns(&team, None, 1_000);
            let all = AssignmentFilter::default();
            let assignments = state.assignments(&team, &all, None, 1_000);
            let (group, run) = (GroupId::new("g"), CampaignId::new("run"));
            let rotation = state.rotation(&team, &group, Some(&run), 9, at.now);
            let teams = state.teams(None, 1_000);
            let tokens = state.tokens(&team, None, 1_000);
            let set_up = format!("{teams:?} {reps:?} {groups:?} {rules:?} {campaigns:?}");
            format!("{tokens:?} {set_up} {assignments:?} {rotation:?}")
        };
        self.replica.read(look).await.unwrap()
    }

    /// Team `t` with reps `a`, `b`, `c` in group `g` and running campaign `run` of owner, then `g`.
    pub(crate) async fn set_up(&self) {
        let mut teams = self.teams().await;
        let team = pb::CreateTeamRequest { team_id: "t".to_owned(), ..Default::default() };
        teams.create_team(team).await.unwrap();
        let mut reps = self.reps().await;
        for id in ["a", "b", "c"] {
            let email = format!("{id}@example.com");
            reps.create_rep(pb::CreateRepRequest {
                parent: "teams/t".to_owned(),
                rep_id: id.to_owned(),
                rep: Some(pb::Rep { email, ..Default::default() }),
                ..Default::default()
            })
            .await
            .unwrap();
        }
        let members = ["a", "b", "c"].map(member).into();
        let group = pb::CreateGroupRequest {
            parent: "teams/t".to_owned(),
            group_id: "g".to_owned(),
            group: Some(pb::Group { members, ..Default::default() }),
            ..Default::default()
        };
        self.groups().await.create_group(group).await.unwrap();
        self.campaign("run", true).await;
        self.campaign("draft", false).await;
    }

    async fn campaign(&self, id: &str, launch: bool) {
        let owner = pb::target::Kind::Owner(pb::OwnerTarget::default());
        let group = pb::target::Kind::Group("teams/t/groups/g".to_owned());
        let targets =
            [owner, group].map(|kind| pb::Target { kind: Some(kind), ..Default::default() }).into();
        let mut campaigns = self.campaigns().await;
        let create = pb::CreateCampaignRequest {
            parent: "teams/t".to_owned(),
            campaign_id: id.to_owned(),
            campaign: Some(pb::Campaign {
                targets: Some(pb::TargetList { targets }),
                ..Default::default()
            }),
            ..Default::default()
        };
        campaigns.create_campaign(create).await.unwrap();
        if launch {
            let name = format!("teams/t/campaigns/{id}");
            let launch = pb::LaunchCampaignRequest { name, ..Default::default() };
            campaigns.launch_campaign(launch).await.unwrap();
        }
    }
}

pub(crate) fn member(rep: &str) -> pb::GroupMember {
    let member = Some(pb::group_member::Member::Rep(format!("teams/t/reps/{rep}")));
    pb::GroupMember { member, ..Default::default() }
}

/// A contact for campaign `run`.
pub(crate) fn contact(id: &str) -> pb::AssignContactRequest {
    pb::AssignContactRequest {
        parent: "teams/t".to_owned(),
        contact: id.to_owned(),
        via: Some(pb::assign_contact_request::Via::Campaign("teams/t/campaigns/run".to_owned())),
        ..Default::default()
    }
}

/// Code, reason and wrong fields of a refusal.
pub(crate) fn why(refused: &Refused) -> (Code, String, Vec<String>) {
    let details = refused.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo: {refused:?}"));
    assert_eq!(info.domain, "turnwise");
    let violations = details.bad_request().map(|b| b.field_violations.as_slice());
    let fields = violations.unwrap_or_default().iter().map(|v| v.field.clone()).collect();
    (refused.code(), info.reason.clone(), fields)
}

fn first_status(node_id: NodeId) -> Status {
    let role = if node_id == NodeId(1) { Role::Leader } else { Role::Follower };
    Status {
        node_id,
        role,
        term: 1,
        leader: Some(NodeId(1)),
        commit_index: 0,
        applied_index: 0,
        snapshot_index: 0,
        stamp_us: 0,
        version: 2,
        ready: true,
        checkpoint: None,
    }
}

/// Carries connections from one port to another; cut with all of them when it is aborted.
async fn cable(from: TcpListener, to: SocketAddr) {
    let mut connections = JoinSet::new();
    loop {
        let (mut near, _) = from.accept().await.unwrap();
        connections.spawn(async move {
            let mut far = TcpStream::connect(to).await.unwrap();
            // However a connection ends is fine.
            drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
        });
    }
}

/// What the thread that owns the state would take.
enum Taken {
    Submission(ReplicaSubmission),
    Request(ReplicaRequest),
}

async fn apply(
    (mut submissions, mut requests): (
        mpsc::Receiver<ReplicaSubmission>,
        mpsc::Receiver<ReplicaRequest>,
    ),
    (log, behind): (Arc<Mutex<Log>>, Arc<Mutex<Option<State>>>),
    status: Arc<watch::Sender<Status>>,
    mut modes: watch::Receiver<Mode>,
    holding: watch::Sender<usize>,
) {
    let mut held = Vec::new();
    loop {
        let taken = tokio::select! {
            submission = submissions.recv() => submission.map(Taken::Submission),
            request = requests.recv() => request.map(Taken::Request),
            changed = modes.changed() => {
                if changed.is_err() {
                    return;
                }
                if *modes.borrow_and_update() == Mode::Lose {
                    for reply in held.drain(..) {
                        answer(reply, Err(Unavailable::LeadershipLost));
                    }
                    holding.send_replace(0);
                }
                continue;
            }
        };
        let this = *status.borrow();
        let request = match taken {
            None => return,
            Some(Taken::Request(request)) => request,
            Some(Taken::Submission(Submission { reply, .. }))
                if this.leader != Some(this.node_id) =>
            {
                answer(reply, Err(Unavailable::NotLeader { leader: this.leader }));
                continue;
            }
            Some(Taken::Submission(Submission { reply, .. })) if *modes.borrow() != Mode::Serve => {
                held.push(reply);
                holding.send_replace(held.len());
                continue;
            }
            Some(Taken::Submission(Submission { command, reply, .. })) => {
                let mut log = log.lock().unwrap();
                log.applied += 1;
                let (index, stamp) = (log.applied, clock::wall().0);
                let (state, mut told) = (&mut log.state, Vec::new());
                let done = StateMachine::apply(state, index, 1, stamp, &[command], &mut told);
                let done = done.unwrap().into_iter().next().unwrap();
                log.feeds.iter_mut().for_each(|feed| feed.applied(index, told.clone()));
                status.send_modify(|status| {
                    status.commit_index = log.applied;
                    status.applied_index = log.applied;
                    status.stamp_us = log.state.time().0;
                });
                answer(reply, Ok(done));
                continue;
            }
        };
        match request {
            Request::Read(look) if this.leader.is_none() => look(Err(Unavailable::NoLeader)),
            Request::Inspect(look) if behind.lock().unwrap().is_some() => {
                let behind = behind.lock().unwrap();
                let wall_us = clock::wall().0;
                let seen = Seen { applied_index: 0, term: 1, wall_us, leader_us: None };
                look(Ok((behind.as_ref().unwrap(), seen)));
            }
            Request::Read(look) | Request::Inspect(look) => {
                let log = log.lock().unwrap();
                let wall_us = clock::wall().0;
                let leader_us = (this.leader == Some(this.node_id)).then_some(wall_us);
                let applied_index = log.applied;
                look(Ok((&log.state, Seen { applied_index, term: 1, wall_us, leader_us })));
            }
            Request::HandOver { .. } => {}
            // As if everybody had been heard from a second ago.
            Request::Contacts(reply) => {
                let others = (1..=3).map(NodeId).filter(|id| *id != this.node_id);
                drop(reply.send(others.map(|id| (id, Duration::from_secs(1))).collect()));
            }
            Request::Change { change, reply } => {
                let done = match change {
                    Change::CreateToken { ttl_us, .. } => {
                        Ok(Changed::TokenCreated { expires_us: clock::wall().0 + ttl_us })
                    }
                    Change::Remove { .. } => Ok(Changed::Removed),
                    Change::Join { .. } => Err(NotChanged::Token),
                };
                drop(reply.send(done));
            }
        }
    }
}

/// The caller may have given up.
fn answer<T>(reply: tokio::sync::oneshot::Sender<T>, with: T) {
    drop(reply.send(with));
}
