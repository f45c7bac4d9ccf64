//! The one client that drives both.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use turnwise::proto::turnwise::v1::{
    self as pb, campaign_service_client::CampaignServiceClient,
    cluster_service_client::ClusterServiceClient, rep_service_client::RepServiceClient,
    routing_service_client::RoutingServiceClient, team_service_client::TeamServiceClient,
};

const CONNECTIONS: usize = 4;

/// No contact is routed twice, in any measurement.
static CONTACTS: AtomicU64 = AtomicU64::new(0);

fn next() -> pb::AssignContactRequest {
    super::request(CONTACTS.fetch_add(1, Ordering::Relaxed))
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// Closed loop: so many callers, each with one call.
    Unary { in_flight: usize },
    /// One stream a connection, so many items in all.
    Stream { in_flight: usize },
}

async fn connect(address: &str) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    endpoint.tcp_nodelay(true).connect().await.unwrap()
}

/// A team of 12 in one ring; gives the leader's address.
pub(crate) async fn set_up(nodes: &[String]) -> String {
    let channel = connect(&nodes[0]).await;
    let team = pb::CreateTeamRequest { team_id: "bench".to_owned(), ..Default::default() };
    TeamServiceClient::new(channel.clone()).create_team(team).await.unwrap();
    for rep in 0..12 {
        let rep = pb::CreateRepRequest {
            parent: "teams/bench".to_owned(),
            rep_id: format!("rep-{rep:02}"),
            rep: Some(pb::Rep { display_name: format!("Rep {rep}"), ..Default::default() }),
            ..Default::default()
        };
        RepServiceClient::new(channel.clone()).create_rep(rep).await.unwrap();
    }
    let mut campaigns = CampaignServiceClient::new(channel.clone());
    let campaign = pb::CreateCampaignRequest {
        parent: "teams/bench".to_owned(),
        campaign_id: "spring".to_owned(),
        campaign: Some(pb::Campaign::default()),
        ..Default::default()
    };
    campaigns.create_campaign(campaign).await.unwrap();
    let name = "teams/bench/campaigns/spring".to_owned();
    let launch = pb::LaunchCampaignRequest { name, ..Default::default() };
    campaigns.launch_campaign(launch).await.unwrap();
    let mut cluster = ClusterServiceClient::new(channel);
    let cluster = cluster.get_cluster(pb::GetClusterRequest::default()).await.unwrap().into_inner();
    let cluster = cluster.cluster.unwrap();
    let leader = cluster.members.iter().find(|m| m.role == i32::from(pb::NodeRole::Leader));
    leader.unwrap().client_address.clone()
}

/// Answers per second, the first fifth of the time not counted.
pub(crate) async fn run(address: &str, shape: Shape, time: Duration) -> f64 {
    let counted = std::sync::Arc::new(AtomicU64::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    let channels = futures_util::future::join_all((0..CONNECTIONS).map(|_| connect(address))).await;
    match shape {
        Shape::Unary { in_flight } => {
            for caller in 0..in_flight {
                let mut client = RoutingServiceClient::new(channels[caller % CONNECTIONS].clone());
                let counted = counted.clone();
                tasks.spawn(async move {
                    loop {
                        client.assign_contact(next()).await.unwrap();
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        }
        Shape::Stream { in_flight } => {
            for channel in channels {
                let counted = counted.clone();
                tasks.spawn(stream(channel, in_flight / CONNECTIONS, counted));
            }
        }
    }
    tokio::time::sleep(time / 5).await;
    let (from, started) = (counted.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(time).await;
    let (to, took) = (counted.load(Ordering::Relaxed), started.elapsed());
    tasks.shutdown().await;
    (to - from) as f64 / took.as_secs_f64()
}

async fn stream(channel: Channel, in_flight: usize, counted: std::sync::Arc<AtomicU64>) {
    let (requests, outgoing) = mpsc::channel(in_flight);
    let item = || pb::AssignContactsRequest { request: Some(next()) };
    for _ in 0..in_flight {
        requests.send(item()).await.unwrap();
    }
    let mut client = RoutingServiceClient::new(channel);
    let answers = client.assign_contacts(ReceiverStream::new(outgoing)).await.unwrap();
    let mut answers = answers.into_inner();
    while let Some(answer) = answers.message().await.unwrap() {
        assert!(
            matches!(answer.result, Some(pb::assign_contacts_response::Result::Response(_))),
            "{answer:?}"
        );
        counted.fetch_add(1, Ordering::Relaxed);
        requests.send(item()).await.unwrap();
    }
}
