//! SIGTERM: leadership is handed over first, so that nobody has to wait for an election.

use turnwise::proto::turnwise::v1::{ClusterMember, NodeRole};

use crate::{
    crowd::Crowd,
    harness::Cluster,
    reference::{check_nodes, check_rotation},
    service::Team,
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
