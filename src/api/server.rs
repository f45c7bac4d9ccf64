//! The public listener: every limit of a connection, every service, health and reflection.

use std::{path::PathBuf, sync::Arc};

use axum::middleware;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinError, JoinSet},
};
use tonic::{
    service::Routes,
    transport::{Error, Server},
};

use crate::{
    events::EventLog,
    proto::{
        PUBLIC_FILE_DESCRIPTOR_SET,
        turnwise::{
            peer::v1::{
                forward_service_server::ForwardServiceServer,
                membership_service_server::MembershipServiceServer,
                node_service_server::NodeServiceServer,
            },
            v1::{
                campaign_service_server::CampaignServiceServer,
                cluster_service_server::ClusterServiceServer,
                event_service_server::EventServiceServer, group_service_server::GroupServiceServer,
                rep_service_server::RepServiceServer,
                routing_rule_service_server::RoutingRuleServiceServer,
                routing_service_server::RoutingServiceServer,
                team_service_server::TeamServiceServer, token_service_server::TokenServiceServer,
            },
        },
    },
    replica::Replica,
    routing::SecretHash,
    telemetry::{CallMetricsLayer, Metrics},
};

use super::{
    ClusterView, Forwarded, Gateway, Members, NetworkRuntimes, NodeReporter, Peers,
    authenticate::{Gate, authenticated},
    backup::Backups,
    campaigns::Campaigns,
    cluster::Clusters,
    connections,
    events::Events,
    groups::Groups,
    health,
    limits::{
        ANSWER_LEN_MAX, CONNECTIONS_MAX, HEADER_LIST_LEN_MAX, KEEPALIVE_INTERVAL,
        KEEPALIVE_TIMEOUT, MESSAGE_LEN_MAX, RESET_STREAMS_LOCAL_MAX, RESET_STREAMS_PENDING_MAX,
        STREAMS_PER_CONNECTION_MAX,
    },
    reps::Reps,
    routing::Routing,
    rules::Rules,
    stopping::stopped,
    teams::Teams,
    tokens::Tokens,
    wire::OurWords,
};

/// What the public services stand on.
#[derive(Debug, Clone)]
pub struct PublicApi {
    /// The way of changing calls, and this node's state.
    pub gateway: Gateway,
    /// Who is in the cluster.
    pub cluster: ClusterView,
    /// What happened of late.
    pub events: EventLog,
    /// Connections to the others.
    pub peers: Peers,
    /// Where calls are counted.
    pub metrics: Arc<Metrics>,
    /// What is kept of the operator's credential; `None` = nobody is asked for any.
    pub operator: Option<SecretHash>,
    /// What clients may hold open.
    pub connections: ConnectionLimits,
}

/// What clients may hold open; both at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections at a time; one more is closed as it is made.
    pub connections_max: usize,
    /// Calls under way at a time on one of them; more wait.
    pub streams_per_connection_max: u32,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_MAX,
            streams_per_connection_max: STREAMS_PER_CONNECTION_MAX,
        }
    }
}

/// Serves clients on `network` until `shutdown`, then lets calls under way end. An open stream counts as one:
/// the caller bounds the wait.
///
/// # Errors
/// What the listener meets.
///
/// # Panics
/// Never: the descriptor set is made by the build.
pub async fn serve(
    listener: TcpListener,
    api: PublicApi,
    network: &NetworkRuntimes,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let (reporter, health_service) = tonic_health::server::health_reporter();
    let status = api.gateway.replica().watch();
    let counted = CallMetricsLayer::new(Arc::clone(&api.metrics));
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(PUBLIC_FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .expect("build.rs writes a descriptor set that decodes");
    let ConnectionLimits { connections_max, streams_per_connection_max } = api.connections;
    let (stop, stopping) = watch::channel(false);
    let routes = public_services(api, stopping.clone());
    let routes = routes.add_service(health_service).add_service(reflection);
    let (mut handoffs, mut serving) = (Vec::new(), JoinSet::new());
    for runtime in network.iter() {
        let (handoff, incoming) = connections::handoff();
        let server = limited(streams_per_connection_max)
            .layer(counted.clone())
            .layer(OurWords)
            .add_routes(routes.clone());
        let mut stopping = stopping.clone();
        serving.spawn_on(
            async move {
                server.serve_with_incoming_shutdown(incoming, stopped(&mut stopping)).await
            },
            runtime,
        );
        handoffs.push(handoff);
    }
    let healthy = async {
        health::report(reporter, status).await;
        std::future::pending().await
    };
    let served = async {
        tokio::select! {
            () = shutdown => {}
            () = connections::accept(listener, connections_max, &handoffs) => {}
            ended = serving.join_next() => ended.map_or(Ok(()), result)?,
        }
        stop.send_replace(true);
        while let Some(ended) = serving.join_next().await {
            result(ended)?;
        }
        Ok(())
    };
    tokio::select! {
        served = served => served,
        never = healthy => never,
    }
}

/// What a task came to. One that panicked goes on doing so here.
fn result<T>(ended: Result<Result<(), T>, JoinError>) -> Result<(), T> {
    match ended.map_err(JoinError::try_into_panic) {
        Ok(result) => result,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // Its thread ended.
        Err(Err(_)) => Ok(()),
    }
}

/// What the peer port serves beside Raft: calls passed on, how this node is, and who joins.
#[must_use]
pub fn peer_services(
    gateway: Gateway,
    members: Members,
    network: NetworkRuntimes,
    client_address: String,
    data_dir: PathBuf,
) -> (
    ForwardServiceServer<Forwarded>,
    NodeServiceServer<NodeReporter>,
    MembershipServiceServer<Members>,
) {
    let node = NodeReporter::new(gateway.replica().clone(), client_address, data_dir);
    let forward = ForwardServiceServer::new(Forwarded::new(gateway, network))
        .max_decoding_message_size(ANSWER_LEN_MAX)
        .max_encoding_message_size(ANSWER_LEN_MAX);
    (forward, NodeServiceServer::new(node), MembershipServiceServer::new(members))
}

fn public_services(api: PublicApi, stopping: watch::Receiver<bool>) -> Routes {
    let PublicApi { gateway, cluster, events, peers, operator, metrics: _, connections: _ } = api;
    let replica: Replica = gateway.replica().clone();
    let routing = RoutingServiceServer::new(Routing { gateway: gateway.clone() })
        .max_decoding_message_size(MESSAGE_LEN_MAX)
        .max_encoding_message_size(ANSWER_LEN_MAX);
    let reps = RepServiceServer::new(Reps { gateway: gateway.clone() })
        .max_decoding_message_size(MESSAGE_LEN_MAX)
        .max_encoding_message_size(ANSWER_LEN_MAX);
    let groups = GroupServiceServer::new(Groups { gateway: gateway.clone() })
        .max_decoding_message_size(MESSAGE_LEN_MAX)
        .max_encoding_message_size(ANSWER_LEN_MAX);
    let campaigns = CampaignServiceServer::new(Campaigns { gateway: gateway.clone() })
        .max_decoding_message_size(MESSAGE_LEN_MAX)
        .max_encoding_message_size(ANSWER_LEN_MAX);
    let rules = RoutingRuleServiceServer::new(Rules { gateway: gateway.clone() })
        .max_decoding_message_size(MESSAGE_LEN_MAX)
        .max_encoding_message_size(ANSWER_LEN_MAX);
    let tokens = TokenServiceServer::new(Tokens { gateway: gateway.clone() })
        .max_decoding_message_size(MESSAGE_LEN_MAX)
        .max_encoding_message_size(ANSWER_LEN_MAX);
    let teams = TeamServiceServer::new(Teams { gateway })
        .max_decoding_message_size(MESSAGE_LEN_MAX)
        .max_encoding_message_size(ANSWER_LEN_MAX);
    let backups = Backups::new(replica.clone(), cluster.cluster_id, stopping.clone());
    let events = EventServiceServer::new(Events::new(replica.clone(), events, stopping))
        .max_decoding_message_size(MESSAGE_LEN_MAX)
        .max_encoding_message_size(ANSWER_LEN_MAX);
    let members = Members::new(replica.clone(), peers.clone(), cluster.cluster_id);
    let clusters = Clusters { replica: replica.clone(), view: cluster, peers, backups, members };
    let clusters = ClusterServiceServer::new(clusters)
        .max_decoding_message_size(MESSAGE_LEN_MAX)
        .max_encoding_message_size(ANSWER_LEN_MAX);
    let gate = Arc::new(Gate::new(replica.clone(), operator));
    let services = Routes::new(routing)
        .add_service(reps)
        .add_service(groups)
        .add_service(rules)
        .add_service(campaigns)
        .add_service(teams)
        .add_service(tokens)
        .add_service(events)
        .add_service(clusters);
    // Every call of these services, and none of those that are added later: health and reflection.
    let router = services.into_axum_router();
    Routes::from(router.layer(middleware::from_fn_with_state(gate, authenticated)))
}

/// tonic's own defaults leave streams and resets unbounded.
fn limited(streams_per_connection_max: u32) -> Server {
    Server::builder()
        .max_concurrent_streams(streams_per_connection_max)
        .http2_max_header_list_size(HEADER_LIST_LEN_MAX)
        .http2_max_pending_accept_reset_streams(Some(RESET_STREAMS_PENDING_MAX))
        .http2_max_local_error_reset_streams(Some(RESET_STREAMS_LOCAL_MAX))
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{runtime::Handle, sync::mpsc};
    use tonic::{Code, Request};
    use tonic_types::StatusExt as _;
    use tower::Layer as _;

    use super::*;
    use crate::{
        consensus::NodeId,
        events::{Bounds, events},
        proto::turnwise::v1::{AssignContactRequest, routing_service_client::RoutingServiceClient},
        replica::{Role, Status},
    };

    /// In one process, because tonic's client and listener have timers of their own.
    #[tokio::test]
    async fn a_call_that_nobody_decides_ends_at_the_callers_deadline_and_says_why() {
        // Taken by nobody: as if no majority answered.
        let (submissions, _submitted) = mpsc::channel(1);
        let (requests, _asked) = mpsc::channel(1);
        let (_status, seen) = watch::channel(Status {
            node_id: NodeId(1),
            role: Role::Leader,
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
        let (_addresses, addresses) = watch::channel(Arc::default());
        let peers = Peers::new(addresses, Handle::current());
        let replica = Replica::new(submissions, requests, seen);
        let gateway = Gateway::new(replica, peers.clone(), std::time::Duration::ZERO);
        let cluster =
            ClusterView { cluster_id: 1, client_address: String::new(), data_dir: PathBuf::new() };
        let metrics = Arc::new(Metrics::new());
        let connections = ConnectionLimits::default();
        let (_feed, _keeper, events) = events(Bounds::default());
        let api =
            PublicApi { gateway, cluster, events, peers, operator: None, metrics, connections };
        let (_stop, stopping) = watch::channel(false);
        let routes = public_services(api, stopping);
        let mut routing = RoutingServiceClient::new(OurWords.layer(routes.prepare()));

        let mut request = Request::new(AssignContactRequest {
            parent: "teams/t".to_owned(),
            contact: "c".to_owned(),
            ..Default::default()
        });
        request.set_timeout(Duration::from_millis(50));
        let refused = routing.assign_contact(request).await.unwrap_err();
        let details = refused.get_error_details();
        assert_eq!(refused.code(), Code::DeadlineExceeded);
        assert_eq!(details.error_info().unwrap().reason, "DEADLINE_EXCEEDED");
        assert!(details.retry_info().unwrap().retry_delay.is_some());
    }
}
