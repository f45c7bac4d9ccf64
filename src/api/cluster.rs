//! `ClusterService`, and what one node tells another of itself for it.
//!
//! Works without a leader: it asks each node, and says which ones did not answer.

use std::path::{Path, PathBuf};

use futures_util::future;
use tonic::{Request, Response, Status, transport::Channel};

use crate::{
    clock,
    consensus::NodeId,
    proto::turnwise::{
        peer::v1::{
            GetNodeRequest, GetNodeResponse, change_members_request::Call,
            change_members_response::Answer, node_service_client::NodeServiceClient,
            node_service_server::NodeService,
        },
        v1::{
            BackupRequest, Cluster, ClusterMember, CreateJoinTokenRequest, CreateJoinTokenResponse,
            GetClusterRequest, GetClusterResponse, NodeRole, RemoveMemberRequest,
            RemoveMemberResponse, StateHash, TransferLeaderRequest, TransferLeaderResponse,
            cluster_service_server::ClusterService,
        },
    },
    replica::{Address, Replica, Role, versions},
    routing::{Reading, State, TeamId},
};

use super::{
    Peers,
    authenticate::{Caller, may_read},
    backup::{Backups, Parts},
    deadline::Deadline,
    disk,
    limits::PEER_STATUS_MAX,
    membership::Members,
    process, status, transfer,
};

/// Which cluster it is, and where this node is.
#[derive(Debug, Clone)]
pub struct ClusterView {
    /// Drawn when the cluster was formed.
    pub cluster_id: u128,
    /// `host:port` where this node serves clients.
    pub client_address: String,
    /// Where this node keeps its data.
    pub data_dir: PathBuf,
}

#[derive(Debug)]
pub(super) struct Clusters {
    pub(super) replica: Replica,
    pub(super) view: ClusterView,
    pub(super) peers: Peers,
    pub(super) backups: Backups,
    pub(super) members: Members,
}

#[tonic::async_trait]
impl ClusterService for Clusters {
    async fn get_cluster(
        &self,
        request: Request<GetClusterRequest>,
    ) -> Result<Response<GetClusterResponse>, Status> {
        let time = self.permit(&request).await?;
        let at_applied_index = request.into_inner().at_applied_index;
        let this = self.replica.status();
        // Of a node that is too busy to say, the rest is worth knowing all the same.
        let contacts = time.or_late(self.replica.contacts()).await.ok().and_then(Result::ok);
        let contacts = contacts.unwrap_or_default();
        let addresses = self.peers.addresses();
        let ask = async |(node, address): (&NodeId, &Address)| {
            let answer = if *node == this.node_id {
                let ClusterView { client_address, data_dir, .. } = &self.view;
                Some(report(&self.replica, client_address, data_dir, at_applied_index).await)
            } else {
                ask(self.peers.get(*node), at_applied_index).await
            };
            let known = ClusterMember {
                client_address: address.client.clone(),
                ..ClusterMember::default()
            };
            ClusterMember {
                node_id: node.0,
                peer_address: address.peer.clone(),
                reachable: answer.is_some(),
                last_contact: contacts.get(node).and_then(|age| (*age).try_into().ok()),
                in_place_of_node_id: address.in_place_of.map_or(0, |node| node.0),
                ..answer.unwrap_or(known)
            }
        };
        let members = addresses.iter().filter(|(_, address)| address.is_member);
        let mut members = future::join_all(members.map(ask)).await;
        let commit_max = members.iter().map(|m| m.commit_index).max().unwrap_or(0);
        for member in members.iter_mut().filter(|m| m.reachable) {
            member.lag_entries = commit_max.saturating_sub(member.applied_index);
        }
        let cluster = Cluster {
            cluster_id: format!("{:032x}", self.view.cluster_id),
            leader_node_id: this.leader.map_or(0, |leader| leader.0),
            term: this.term,
            version: this.version,
            raise_waits_for_node_ids: raise_waits_for(&members, this.version),
            members,
        };
        Ok(Response::new(GetClusterResponse { cluster: Some(cluster) }))
    }

    type BackupStream = Parts;

    async fn backup(&self, request: Request<BackupRequest>) -> Result<Response<Parts>, Status> {
        self.backups.take(Caller::of(&request)?).await.map(Response::new)
    }

    async fn transfer_leader(
        &self,
        request: Request<TransferLeaderRequest>,
    ) -> Result<Response<TransferLeaderResponse>, Status> {
        let time = self.permit(&request).await?;
        let to = NodeId::some(request.get_ref().node_id);
        if let Some(unknown) = to.filter(|to| !self.is_member(*to)) {
            return Err(status::no_such_node(unknown));
        }
        transfer::anywhere(&self.replica, &self.peers, to, time).await.map(Response::new)
    }

    async fn create_join_token(
        &self,
        request: Request<CreateJoinTokenRequest>,
    ) -> Result<Response<CreateJoinTokenResponse>, Status> {
        let time = self.permit(&request).await?;
        match self.members.call(time, Call::CreateJoinToken(request.into_inner())).await? {
            Answer::CreateJoinToken(answer) => Ok(Response::new(answer)),
            Answer::RemoveMember(_) => Err(status::internal()),
        }
    }

    async fn remove_member(
        &self,
        request: Request<RemoveMemberRequest>,
    ) -> Result<Response<RemoveMemberResponse>, Status> {
        let time = self.permit(&request).await?;
        match self.members.call(time, Call::RemoveMember(request.into_inner())).await? {
            Answer::RemoveMember(answer) => Ok(Response::new(answer)),
            Answer::CreateJoinToken(_) => Err(status::internal()),
        }
    }
}

impl Clusters {
    /// How long the caller waits, if they may see and steer the whole cluster.
    async fn permit<T>(&self, request: &Request<T>) -> Result<Deadline, Status> {
        let Caller { principal, time } = Caller::of(request)?;
        // No rejection names a team here.
        let none = TeamId::new("-");
        let may = may_read(&self.replica, &principal, &none, Reading::Cluster);
        time.or_late(may).await.map_err(status::unavailable)??;
        Ok(time)
    }

    fn is_member(&self, node: NodeId) -> bool {
        self.peers.addresses().get(&node).is_some_and(|address| address.is_member)
    }
}

/// Tells other nodes how this one is, on the peer port.
#[derive(Debug, Clone)]
pub struct NodeReporter {
    replica: Replica,
    client_address: String,
    data_dir: PathBuf,
}

impl NodeReporter {
    pub(super) fn new(replica: Replica, client_address: String, data_dir: PathBuf) -> Self {
        Self { replica, client_address, data_dir }
    }
}

#[tonic::async_trait]
impl NodeService for NodeReporter {
    async fn get_node(
        &self,
        request: Request<GetNodeRequest>,
    ) -> Result<Response<GetNodeResponse>, Status> {
        let at_applied_index = request.get_ref().at_applied_index;
        let Self { replica, client_address, data_dir } = self;
        let member = report(replica, client_address, data_dir, at_applied_index).await;
        Ok(Response::new(GetNodeResponse { member: Some(member) }))
    }

    async fn transfer_leader(
        &self,
        request: Request<TransferLeaderRequest>,
    ) -> Result<Response<TransferLeaderResponse>, Status> {
        let time = Deadline::of(&request);
        transfer::here(&self.replica, NodeId::some(request.get_ref().node_id), time)
            .await
            .map(Response::new)
    }
}

/// Who keeps the cluster at this version, where some build has the next one.
fn raise_waits_for(members: &[ClusterMember], version: u32) -> Vec<u64> {
    let lacks = |member: &&ClusterMember| member.version_max <= version;
    if members.iter().all(|member| lacks(&member)) {
        return Vec::new();
    }
    members.iter().filter(lacks).map(|member| member.node_id).collect()
}

async fn ask(channel: Option<Channel>, at_applied_index: bool) -> Option<ClusterMember> {
    let mut client = NodeServiceClient::new(channel?);
    let asked = client.get_node(GetNodeRequest { at_applied_index });
    let answer = tokio::time::timeout(PEER_STATUS_MAX, asked).await.ok()?;
    answer.ok()?.into_inner().member
}

/// How this node is.
async fn report(
    replica: &Replica,
    client_address: &str,
    data_dir: &Path,
    at_applied_index: bool,
) -> ClusterMember {
    let room = disk::room(data_dir).await;
    let hash = if at_applied_index { hash_now(replica).await } else { None };
    let (status, versions) = (replica.status(), versions());
    let hash = if at_applied_index { hash } else { status.checkpoint };
    ClusterMember {
        node_id: status.node_id.0,
        role: match status.role {
            Role::Leader => NodeRole::Leader,
            Role::Follower => NodeRole::Follower,
            Role::Candidate => NodeRole::Candidate,
            Role::Learner => NodeRole::Learner,
        }
        .into(),
        client_address: client_address.to_owned(),
        reachable: true,
        term: status.term,
        commit_index: status.commit_index,
        applied_index: status.applied_index,
        snapshot_index: status.snapshot_index,
        disk_free_bytes: room.free_bytes,
        data_bytes: room.used_bytes,
        cpu_time: clock::process_cpu().try_into().ok(),
        memory_bytes: process::memory_bytes(),
        version_min: versions.min,
        version_max: versions.max,
        state_hash: hash
            .map(|(log_index, hash)| StateHash { log_index, hash: format!("{hash:032x}") }),
        ..ClusterMember::default()
    }
}

/// None where the node has no time to answer.
async fn hash_now(replica: &Replica) -> Option<(u64, u128)> {
    let look = |state: &State, at: crate::replica::ReadAt| (at.applied_index, state.hash());
    // Half of what the asking node waits, so that the rest of the answer arrives all the same.
    Deadline::after(PEER_STATUS_MAX / 2).or_late(replica.inspect(look)).await.flatten().ok()
}
