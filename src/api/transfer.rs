//! `ClusterService.TransferLeader`: done by the node that leads, whichever was asked.

use tonic::{Request, Status};

use crate::{
    consensus::NodeId,
    proto::turnwise::{
        peer::v1::node_service_client::NodeServiceClient,
        v1::{TransferLeaderRequest, TransferLeaderResponse},
    },
    replica::{self, Replica, Role},
    unavailable::Unavailable,
};

use super::{Peers, deadline::Deadline, limits::TRANSFER_MAX, status};

/// By this node if it leads, otherwise by the one that does.
///
/// # Errors
/// As [`here`], and that no leader is known, or that it can't be reached.
pub(super) async fn anywhere(
    replica: &Replica,
    peers: &Peers,
    to: Option<NodeId>,
    time: Deadline,
) -> Result<TransferLeaderResponse, Status> {
    let this = replica.status();
    let leader = this.leader.ok_or_else(|| status::unavailable(Unavailable::NoLeader))?;
    if leader == this.node_id {
        return here(replica, to, time).await;
    }
    let unreachable = || status::unavailable(Unavailable::LeaderUnreachable);
    let mut leader = NodeServiceClient::new(peers.get(leader).ok_or_else(unreachable)?);
    let mut request = Request::new(TransferLeaderRequest { node_id: to.map_or(0, |to| to.0) });
    request.set_timeout(time.left());
    let answer =
        time.or_late(leader.transfer_leader(request)).await.map_err(status::unavailable)?;
    match answer {
        Ok(answer) => Ok(answer.into_inner()),
        // The leader's own words have details; without, the way there is broken.
        Err(refused) if !refused.details().is_empty() => Err(refused),
        Err(broken) => {
            tracing::warn!(%broken, "the leader did not take the call to hand over");
            Err(unreachable())
        }
    }
}

/// By this node, which leads.
///
/// # Errors
/// `UNAVAILABLE`: it does not lead, or nobody took over in time.
pub(super) async fn here(
    replica: &Replica,
    to: Option<NodeId>,
    time: Deadline,
) -> Result<TransferLeaderResponse, Status> {
    let this = replica.status();
    if this.role != Role::Leader {
        return Err(status::unavailable(Unavailable::NotLeader { leader: this.leader }));
    }
    if to == Some(this.node_id) {
        return Ok(answer(this.node_id, &this));
    }
    let mut changes = replica.watch();
    replica.hand_over(to).map_err(status::unavailable)?;
    let another = |now: &replica::Status| now.leader.is_some_and(|leader| leader != this.node_id);
    let handed = tokio::time::timeout(time.left().min(TRANSFER_MAX), changes.wait_for(another));
    let now = match handed.await {
        Ok(Ok(now)) => *now,
        Ok(Err(_)) => return Err(status::unavailable(Unavailable::ShuttingDown)),
        Err(_) => replica.status(),
    };
    match now.leader {
        Some(leader) if another(&now) && to.is_none_or(|to| to == leader) => {
            Ok(answer(leader, &now))
        }
        leader => Err(status::leader_not_transferred(to, leader)),
    }
}

fn answer(leader: NodeId, now: &replica::Status) -> TransferLeaderResponse {
    TransferLeaderResponse { leader_node_id: leader.0, term: now.term }
}
