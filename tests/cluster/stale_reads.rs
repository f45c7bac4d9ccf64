//! A leader that was paused does not answer from the past.

use std::{fs, net::SocketAddr};

use tokio::task::JoinSet;
use tonic::{Status, transport::Channel};
use turnwise::proto::turnwise::v1::{
    GetRepRequest, GetRepResponse, ListAssignmentsRequest, ListAssignmentsResponse,
    SetOutOfOfficeRequest, rep_service_client::RepServiceClient,
    routing_service_client::RoutingServiceClient,
};

use crate::{
    harness::{Cluster, eventually},
    reference::{check_nodes, check_rotation},
    service::Team,
};

/// What one node alone says, in two kinds of reads, each on a connection of its own.
struct Reads {
    reps: JoinSet<Result<GetRepResponse, Status>>,
    lists: JoinSet<Result<ListAssignmentsResponse, Status>>,
}

impl Reads {
    /// Sends one of each on every connection.
    fn send(channels: &[Channel], rep: &str, parent: &str) -> Self {
        let (mut reps, mut lists) = (JoinSet::new(), JoinSet::new());
        for channel in channels {
            let get = GetRepRequest { name: rep.to_owned() };
            let mut service = RepServiceClient::new(channel.clone());
            reps.spawn(async move { service.get_rep(get).await.map(tonic::Response::into_inner) });
            let list = ListAssignmentsRequest { parent: parent.to_owned(), ..Default::default() };
            let mut service = RoutingServiceClient::new(channel.clone());
            lists.spawn(async move {
                service.list_assignments(list).await.map(tonic::Response::into_inner)
            });
        }
        Self { reps, lists }
    }

    async fn finish(self) {
        self.reps.join_all().await;
        self.lists.join_all().await;
    }

    /// Checks that each answer is the present one or none. Returns how many were answers.
    async fn check(self, contacts: usize) -> usize {
        let mut answered = 0;
        for rep in self.reps.join_all().await.into_iter().flatten() {
            assert_eq!(rep.rep.unwrap().out_of_office.len(), 1, "a read from before the absence");
            answered += 1;
        }
        for list in self.lists.join_all().await.into_iter().flatten() {
            assert_eq!(list.assignments.len(), contacts, "a read from before the last assigns");
            answered += 1;
        }
        answered
    }
}

/// Connections to this port with bytes that its process has not read.
fn unread(address: &SocketAddr) -> usize {
    let port = format!(":{:04X}", address.port());
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let of_port = table.lines().filter_map(|line| {
        let mut columns = line.split_whitespace().skip(1);
        let local = columns.next()?;
        let (_, received) = columns.nth(2)?.split_once(':')?;
        local.ends_with(&port).then(|| u64::from_str_radix(received, 16).unwrap())
    });
    of_port.filter(|received| *received > 0).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_paused_while_another_wrote_serves_no_stale_read() {
    let cluster = Cluster::start().await;
    let client = cluster.client(&cluster.ids());
    let team = Team::create(&client, "sales", 4).await;
    let mut answers = vec![team.assign(&client, "before").await];
    // Twice, so that a node is paused that has led, followed and leads again, or another one.
    for round in 0..2_usize {
        let old = cluster.leader().await;
        let mut channels = Vec::new();
        for _ in 0..4 {
            channels.push(cluster.channel(old).await);
        }
        // So that all connections are idle when the node is paused.
        Reads::send(&channels, &team.ring[3 - round], &team.name()).finish().await;
        let address: SocketAddr = cluster.client_address(old).parse().unwrap();
        // The one whose turn is last, so that the rotation stays as the reference has it.
        let rep = &team.ring[3 - round];
        cluster.pause(old);
        let others = cluster.others(old);
        let new = cluster.leader_among(&others).await;
        let client = cluster.client(&others);
        if round == 0 {
            answers.push(team.assign(&client, "while-paused").await);
        }
        let away = SetOutOfOfficeRequest { name: rep.clone(), ..Default::default() };
        client.call(away).await.unwrap();

        // On their way before the node goes on, so that it meets them before any news.
        let waiting = Reads::send(&channels, rep, &team.name());
        let arrived = eventually(async || (unread(&address) >= channels.len()).then_some(()));
        arrived.await.expect("a paused process's kernel takes what is sent to it");
        cluster.unpause(old);
        let right_after = Reads::send(&channels, rep, &team.name());
        right_after.check(answers.len()).await;
        waiting.check(answers.len()).await;
        let fresh = eventually(async || {
            let again = Reads::send(&channels, rep, &team.name());
            (again.check(answers.len()).await > 0).then_some(())
        });
        fresh.await.expect("the old leader serves reads again");
        assert_ne!(new, old);
        eventually(async || {
            let seen = cluster.seen_by(old).await;
            seen.members.iter().all(|m| m.reachable && m.lag_entries == 0).then_some(())
        })
        .await
        .expect("the old leader catches up");
    }
    check_rotation(&team.ring, &answers);
    check_nodes(&cluster, &team, &answers).await;
}
