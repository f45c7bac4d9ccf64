//! SIGTERM: leadership is handed over first, so that nobody has to wait for an election.

use tonic::Code;
use turnwise::proto::turnwise::v1::{
    ClusterMember, NodeRole, TransferLeaderRequest, cluster_service_client::ClusterServiceClient,
};

use crate::{
    crowd::Crowd,
    harness::{Cluster, Setup},
    reference::{check_nodes, check_rotation},
    service::{Team, reason},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_told_to_stop_hands_over_and_clients_see_no_failed_call() {
    let mut cluster = Cluster::start().await;
    let team = Team::create(&cluster.client(&cluster.ids()), "sales", 3).await;
    let mut crowd = Crowd::gather(&cluster, &team, 4);
    crowd.answered(100).await;
    for _ in 0..2 {
        let leader = cluster.leader().await;
        cluster.terminate(leader);
        let status = cluster.exited(leader).await;
        assert!(status.success(), "{status}");
        // Right away: an election would take longer than to ask.
        let seen = cluster.seen_by(cluster.others(leader)[0]).await;
        let leads = |member: &ClusterMember| member.role() == NodeRole::Leader;
        assert!(seen.members.iter().any(leads), "handed over before it ended: {seen:?}");
        let log = cluster.log(leader);
        assert!(log.contains("stopping: handing over"), "{log}");
        assert!(!log.contains("nobody took over"), "{log}");
        crowd.answered(100).await;
        cluster.restart(leader).await;
        crowd.answered(50).await;
    }
    // The crowd's clients retry; any call that failed for good would have ended its client.
    let answers = crowd.disperse().await;
    check_rotation(&team.ring, &answers);
    check_nodes(&cluster, &team, &answers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_told_to_stop_ends_and_comes_back() {
    let mut cluster = Cluster::start().await;
    let team = Team::create(&cluster.client(&cluster.ids()), "sales", 3).await;
    let mut crowd = Crowd::gather(&cluster, &team, 4);
    crowd.answered(50).await;
    let follower = cluster.follower().await;
    cluster.terminate(follower);
    let status = cluster.exited(follower).await;
    assert!(status.success(), "{status}");
    crowd.answered(50).await;
    cluster.restart(follower).await;
    crowd.answered(50).await;
    let answers = crowd.disperse().await;
    check_rotation(&team.ring, &answers);
    check_nodes(&cluster, &team, &answers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_goes_where_an_operator_wants_it_and_clients_see_no_failed_call() {
    let mut cluster = Cluster::start().await;
    let ids = cluster.ids();
    let team = Team::create(&cluster.client(&ids), "sales", 3).await;
    let mut crowd = Crowd::gather(&cluster, &team, 4);
    crowd.answered(100).await;
    for (asked, to) in [(0, 2), (1, 0), (2, 1), (1, 1), (0, 2)] {
        let to = ids[to];
        let client = cluster.client(&[ids[asked]]);
        let done = client.call(TransferLeaderRequest { node_id: to }).await.unwrap();
        assert_eq!(done.leader_node_id, to);
        crowd.answered(50).await;
    }
    let before = cluster.leader().await;
    let done = cluster.client(&ids).call(TransferLeaderRequest::default()).await.unwrap();
    assert_ne!(done.leader_node_id, before, "whoever has most of the log, but not the same");
    crowd.answered(50).await;

    let leader = cluster.leader().await;
    let mut service = ClusterServiceClient::new(cluster.channel(leader).await);
    let status = service.transfer_leader(TransferLeaderRequest { node_id: 9 }).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "RESOURCE_NOT_FOUND"));

    let down = cluster.others(leader)[0];
    cluster.kill(down);
    let request = TransferLeaderRequest { node_id: down };
    let status = service.transfer_leader(request).await.unwrap_err();
    assert_eq!(reason(&status), "LEADER_NOT_TRANSFERRED", "{status}");
    // Nobody was held up for good by the wait for it.
    crowd.answered(50).await;
    let answers = crowd.disperse().await;
    check_rotation(&team.ring, &answers);
    cluster.restart(down).await;
    check_nodes(&cluster, &team, &answers).await;
}

/// How often a node stood for election because it had heard of no leader for too long.
fn timeouts(log: &str) -> usize {
    log.matches("became pre-candidate").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_told_to_stop_is_followed_without_an_election_timeout() {
    // Long, so that a machine that is slow does not elect by itself.
    let flags = vec!["--election", "3s", "--log-level", "info,raft=debug"];
    let mut cluster = Cluster::start_with(Setup { flags, ..Setup::default() }).await;
    let leader = cluster.leader().await;
    let others = cluster.others(leader);
    // `others` may have stood for election before there was a leader.
    let seen = |cluster: &Cluster| -> Vec<usize> {
        others.iter().map(|id| timeouts(&cluster.log(*id))).collect()
    };
    assert!(timeouts(&cluster.log(leader)) > 0, "the first leader had nobody to hand over to it");
    let before = seen(&cluster);
    cluster.terminate(leader);
    assert!(cluster.exited(leader).await.success());
    let next = cluster.leader_among(&others).await;
    assert_eq!(seen(&cluster), before, "nobody waited for an election timeout");
    let log = cluster.log(next);
    assert!(log.contains("received MsgTimeoutNow"), "the old leader asked it to lead: {log}");
}
