//! What operators and load balancers ask.

use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};
use turnwise::proto::turnwise::v1::{GetClusterRequest, NodeRole};

use crate::nodes::{Node, Nodes, contact};

const ROUTING: &str = "turnwise.v1.RoutingService";

#[tokio::test]
async fn the_cluster_is_seen_from_any_node_and_hashes_agree() {
    let nodes = Nodes::start(3).await;
    nodes.leader().set_up().await;
    nodes.leader().routing().await.assign_contact(contact("1")).await.unwrap();
    for node in &nodes.nodes {
        let request = GetClusterRequest { at_applied_index: true };
        let answer = node.clusters().await.get_cluster(request).await.unwrap().into_inner();
        let cluster = answer.cluster.unwrap();
        assert_eq!((cluster.leader_node_id, cluster.term), (1, 1));
        let roles: Vec<_> = cluster.members.iter().map(|m| (m.node_id, m.role())).collect();
        let (leader, follower) = (NodeRole::Leader, NodeRole::Follower);
        assert_eq!(roles, [(1, leader), (2, follower), (3, follower)]);
        assert!(cluster.members.iter().all(|m| m.reachable));
        let hash = format!("{:032x}", node.hash().await);
        for member in &cluster.members {
            assert_eq!(member.state_hash.as_ref().unwrap().hash, hash);
        }
        assert_eq!(cluster.members[0].client_address, nodes.leader().address.to_string());
        assert_eq!(cluster.members[0].lag_entries, 0);
        assert!(cluster.members[1].lag_entries > 0, "these followers never hear of an index");
        for member in &cluster.members {
            assert!(member.disk_free_bytes.is_some_and(|bytes| bytes > 0), "{member:?}");
            assert!(member.data_bytes.is_some() && member.memory_bytes > Some(0), "{member:?}");
            assert!(member.cpu_time.is_some_and(|time| (time.seconds, time.nanos) > (0, 0)));
            let last_contact = member.last_contact.map(|age| age.seconds);
            let expected = (member.node_id != node.id.0).then_some(1);
            assert_eq!(last_contact, expected, "the node that was asked tells of the others");
        }
    }
}

#[tokio::test]
async fn a_node_that_does_not_answer_is_listed_as_unreachable() {
    let mut nodes = Nodes::start(2).await;
    nodes.elect(None, &[1, 2]);
    nodes.cut(1).await;
    let request = GetClusterRequest { at_applied_index: true };
    let answer = nodes.leader().clusters().await.get_cluster(request).await.unwrap().into_inner();
    let cluster = answer.cluster.unwrap();
    assert_eq!(cluster.leader_node_id, 0);
    assert!(cluster.members[0].reachable && !cluster.members[1].reachable);
    assert!(cluster.members[0].state_hash.is_some(), "told without a leader");
    assert_eq!(cluster.members[1].role(), NodeRole::Unspecified);
    assert!(!cluster.members[1].peer_address.is_empty());
    let last_contact = cluster.members[1].last_contact.as_ref().map(|age| age.seconds);
    assert_eq!(last_contact, Some(1), "that is known of a node that does not answer, too");
    assert_eq!(cluster.members[1].disk_free_bytes, None);
    assert_eq!((cluster.members[1].cpu_time, cluster.members[1].memory_bytes), (None, None));
}

async fn is_serving(node: &Node, service: &str) -> bool {
    let mut health = HealthClient::new(node.channel().await);
    let request = HealthCheckRequest { service: service.to_owned() };
    health.check(request).await.unwrap().into_inner().status == 1
}

#[tokio::test]
async fn health_is_serving_only_while_calls_would_work() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    let mut health = HealthClient::new(node.channel().await);
    let request = HealthCheckRequest { service: ROUTING.to_owned() };
    let mut watched = health.watch(request).await.unwrap().into_inner();
    let mut until = async |status: i32| {
        while watched.message().await.unwrap().unwrap().status != status {}
    };
    until(1).await;
    assert!(is_serving(node, ROUTING).await);
    nodes.elect(None, &[1]);
    until(2).await;
    assert!(!is_serving(node, ROUTING).await);
    assert!(is_serving(node, "").await, "the process lives");
    nodes.elect(Some(1), &[1]);
    until(1).await;
}

#[tokio::test]
async fn reflection_shows_the_public_services_and_nothing_of_the_peers() {
    let nodes = Nodes::one().await;
    let mut reflection = ServerReflectionClient::new(nodes.leader().channel().await);
    let ask = |message| {
        tokio_stream::once(ServerReflectionRequest {
            host: String::new(),
            message_request: Some(message),
        })
    };
    let list = ask(MessageRequest::ListServices(String::new()));
    let mut answers = reflection.server_reflection_info(list).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(list) = answer else { panic!("{answer:?}") };
    let mut services: Vec<_> = list.service.into_iter().map(|s| s.name).collect();
    services.sort();
    assert_eq!(
        services,
        [
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "turnwise.v1.CampaignService",
            "turnwise.v1.ClusterService",
            "turnwise.v1.EventService",
            "turnwise.v1.GroupService",
            "turnwise.v1.RepService",
            "turnwise.v1.RoutingRuleService",
            "turnwise.v1.RoutingService",
            "turnwise.v1.TeamService",
            "turnwise.v1.TokenService",
        ]
    );
    let symbol = "turnwise.peer.v1.ForwardService".to_owned();
    let peer = ask(MessageRequest::FileContainingSymbol(symbol));
    let mut answers = reflection.server_reflection_info(peer).await.unwrap().into_inner();
    assert!(answers.message().await.is_err(), "not found");
}
