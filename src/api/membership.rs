//! Who is in the cluster, as operators and joining nodes change it: on the leader, wherever it was asked.
//!
//! A call waits for the leader, for another change that is under way, and for a leader that is to be removed
//! to hand over, as long as its deadline allows. What may be changed is decided in `consensus`.

use std::time::Duration;

use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

use crate::{
    consensus::NodeId,
    credentials,
    proto::turnwise::{
        peer::v1::{
            Admitted, ChangeMembersRequest, ChangeMembersResponse, JoinRequest, JoinResponse,
            LeaderAddress, change_members_request::Call, change_members_response::Answer,
            join_response, membership_service_client::MembershipServiceClient,
            membership_service_server::MembershipService,
        },
        v1::{CreateJoinTokenRequest, CreateJoinTokenResponse, ErrorReason, RemoveMemberResponse},
    },
    replica::{
        Change, Changed, Incarnation, LOG_VERSION, NotChanged, PROTOCOL_VERSION, Replica, Ticket,
        TokenHash, Versions,
    },
    routing::Time,
    unavailable::Unavailable,
};

use super::{
    Peers,
    deadline::Deadline,
    duration::{DAY_US, SECOND_US, within},
    instant::timestamp,
    limits::DEADLINE_DEFAULT,
    spelled, status,
    violations::{Violations, Wrong},
};

const TTL_DEFAULT_US: u64 = 3_600 * SECOND_US;
/// Between two tries of the same call.
const PAUSE: Duration = Duration::from_millis(50);
/// `host:port` takes no more.
const ADDRESS_LEN_MAX: usize = 256;

/// Changes the members. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Members {
    replica: Replica,
    peers: Peers,
    cluster_id: u128,
}

/// Why a try came to nothing.
enum Failed {
    /// Certainly nothing was changed.
    NotDone(Status),
    /// The leader changed, or the way to it broke, while it was under way.
    PerhapsDone,
}

impl Failed {
    /// The leader's own words have details; without, the way there broke.
    fn of(status: Status) -> Self {
        let lost = spelled(ErrorReason::LeadershipLost);
        let reason = status.get_details_error_info().map(|info| info.reason);
        match reason {
            Some(reason) if reason != lost => Self::NotDone(status),
            Some(_) | None => Self::PerhapsDone,
        }
    }
}

impl Members {
    /// Of the cluster with this id.
    #[must_use]
    pub fn new(replica: Replica, peers: Peers, cluster_id: u128) -> Self {
        Self { replica, peers, cluster_id }
    }

    /// A call of somebody who may make it.
    pub(super) async fn call(&self, time: Deadline, call: Call) -> Result<Answer, Status> {
        // What stood in the way of the last try, if none of them can have taken effect.
        let mut hindrance = None;
        let done = time.or_late(async {
            let mut perhaps_done = false;
            loop {
                hindrance = None;
                match self.try_once(&call).await {
                    Err(Failed::NotDone(status)) if status.code() == Code::Unavailable => {
                        hindrance = Some(status).filter(|_| !perhaps_done);
                    }
                    Err(Failed::PerhapsDone) => perhaps_done = true,
                    Err(Failed::NotDone(status)) => return Err(status),
                    Ok(answer) => return Ok(answer),
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
        let done = done.await;
        let late =
            || hindrance.unwrap_or_else(|| status::unavailable(Unavailable::DeadlineExceeded));
        done.unwrap_or_else(|_| Err(late()))
    }

    async fn try_once(&self, call: &Call) -> Result<Answer, Failed> {
        let status = self.replica.status();
        match status.leader {
            Some(leader) if leader == status.node_id => self.here(call).await.map_err(Failed::of),
            Some(leader) => self.there(leader, call).await,
            None => Err(Failed::NotDone(status::unavailable(Unavailable::NoLeader))),
        }
    }

    async fn there(&self, leader: NodeId, call: &Call) -> Result<Answer, Failed> {
        let unreachable = || Failed::NotDone(status::unavailable(Unavailable::LeaderUnreachable));
        let channel = self.peers.get(leader).ok_or_else(unreachable)?;
        let request = ChangeMembersRequest { call: Some(*call) };
        let mut client = MembershipServiceClient::new(channel);
        let asked = tokio::time::timeout(DEADLINE_DEFAULT, client.change_members(request)).await;
        let answer = asked.map_err(|_| Failed::PerhapsDone)?.map_err(Failed::of)?;
        answer.into_inner().answer.ok_or_else(|| Failed::NotDone(status::internal()))
    }

    /// On this node, if it leads.
    async fn here(&self, call: &Call) -> Result<Answer, Status> {
        match call {
            Call::CreateJoinToken(request) => {
                self.create_token(request).await.map(Answer::CreateJoinToken)
            }
            Call::RemoveMember(request) => {
                let mut wrong = Violations::default();
                let node = NodeId::some(request.node_id).ok_or(Wrong::new("a node id, from 1"));
                let node = wrong.take("node_id", node);
                let Some(node) = node else { return Err(status::invalid(&wrong)) };
                self.change(Change::Remove { node }).await?;
                Ok(Answer::RemoveMember(RemoveMemberResponse {}))
            }
        }
    }

    async fn create_token(
        &self,
        request: &CreateJoinTokenRequest,
    ) -> Result<CreateJoinTokenResponse, Status> {
        let mut wrong = Violations::default();
        let ttl_us = match &request.ttl {
            None => Some(TTL_DEFAULT_US),
            some => wrong.take("ttl", within(some.as_ref(), SECOND_US, DAY_US, "1 s to 24 h")),
        };
        let Some(ttl_us) = ttl_us else { return Err(status::invalid(&wrong)) };
        let secret = credentials::draw().map_err(|_| status::internal())?;
        let change = Change::CreateToken {
            hash: TokenHash(credentials::hash(&secret)),
            ttl_us,
            replaces: NodeId::some(request.replaces_node_id),
        };
        let Changed::TokenCreated { expires_us } = self.change(change).await? else {
            return Err(status::internal());
        };
        Ok(CreateJoinTokenResponse {
            token: credentials::of_join(&secret),
            expire_time: Some(timestamp(Time(expires_us))),
        })
    }

    async fn change(&self, change: Change) -> Result<Changed, Status> {
        let changed = self.replica.change_members(change).await.map_err(status::unavailable)?;
        changed.map_err(|not| status::not_changed(&not))
    }

    /// Admits a node, or says who could.
    async fn admit(&self, request: JoinRequest) -> Result<join_response::Result, Status> {
        let this = self.replica.status();
        if let Some(node_id) = this.leader.filter(|leader| *leader != this.node_id) {
            let addresses = self.peers.addresses();
            let peer_address = addresses.get(&node_id).map(|it| it.peer.clone());
            let (node_id, peer_address) = (node_id.0, peer_address.unwrap_or_default());
            return Ok(join_response::Result::Leader(LeaderAddress { node_id, peer_address }));
        }
        let JoinRequest { protocol_version, log_version_max, .. } = request;
        if protocol_version != PROTOCOL_VERSION || log_version_max < LOG_VERSION {
            return Err(status::version_too_old(this.version));
        }
        let versions =
            Versions { min: request.engine_version_min, max: request.engine_version_max };
        let mut wrong = Violations::default();
        let ticket = match NodeId::some(request.lost_node_id) {
            Some(node) => {
                let lost = wrong.take("lost_incarnation", incarnation(&request.lost_incarnation));
                lost.map(|incarnation| Ticket::Lost { node, incarnation })
            }
            None => {
                let secret = credentials::join_secret(&request.token);
                let secret = secret.ok_or_else(|| status::not_changed(&NotChanged::Token))?;
                Some(Ticket::Token(TokenHash(credentials::hash(secret))))
            }
        };
        let incarnation = wrong.take("incarnation", incarnation(&request.incarnation));
        let peer_address = wrong.take("peer_address", address(request.peer_address));
        let client_address = wrong.take("client_address", address(request.client_address));
        let (Some(ticket), Some(incarnation), Some(peer_address), Some(client_address)) =
            (ticket, incarnation, peer_address, client_address)
        else {
            return Err(status::invalid(&wrong));
        };
        let change = Change::Join { ticket, incarnation, peer_address, client_address, versions };
        let Changed::Joined { node, membership } = self.change(change).await? else {
            return Err(status::internal());
        };
        let addresses = self.peers.addresses();
        let address_of = |node: NodeId| addresses.get(&node).map(|it| it.peer.clone());
        Ok(join_response::Result::Admitted(Admitted {
            cluster_id: self.cluster_id.to_be_bytes().to_vec().into(),
            node_id: node.0,
            members: membership.introduction(address_of),
        }))
    }
}

fn incarnation(bytes: &[u8]) -> Result<Incarnation, Wrong> {
    let bytes = <[u8; 16]>::try_from(bytes).map_err(|_| Wrong::new("16 bytes"))?;
    Ok(Incarnation(u128::from_be_bytes(bytes)))
}

fn address(text: String) -> Result<String, Wrong> {
    let port = text.rsplit_once(':').and_then(|(host, port)| {
        let port = port.parse::<u16>().ok().filter(|port| *port > 0)?;
        (!host.is_empty() && text.len() <= ADDRESS_LEN_MAX).then_some(port)
    });
    if port.is_some() { Ok(text) } else { Err(Wrong::new("host:port, such as 10.0.0.4:7401")) }
}

#[tonic::async_trait]
impl MembershipService for Members {
    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        let admit = self.admit(request.into_inner());
        let result = Deadline::after(DEADLINE_DEFAULT).or_late(admit).await;
        let result = result.map_err(status::unavailable)??;
        Ok(Response::new(JoinResponse { result: Some(result) }))
    }

    async fn change_members(
        &self,
        request: Request<ChangeMembersRequest>,
    ) -> Result<Response<ChangeMembersResponse>, Status> {
        let call = request.into_inner().call.ok_or_else(status::unknown_call)?;
        let here = self.here(&call);
        let answer = Deadline::after(DEADLINE_DEFAULT).or_late(here).await;
        let answer = answer.map_err(status::unavailable)??;
        Ok(Response::new(ChangeMembersResponse { answer: Some(answer) }))
    }
}
