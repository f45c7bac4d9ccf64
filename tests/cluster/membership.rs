//! Nodes join, are replaced and removed while clients call; what is not a member is told so.

use std::fs;

use turnwise::{
    client::Error,
    clock,
    proto::turnwise::v1::{
        CreateJoinTokenRequest, CreateJoinTokenResponse, NodeRole, RemoveMemberRequest,
        cluster_service_client::ClusterServiceClient,
    },
};

use crate::{
    catching_up::bulky,
    crowd::Crowd,
    harness::{Cluster, EXIT_FAILED, EXIT_FAULT, Setup, copy_dir, eventually, turnwise},
    reference::{check_nodes, check_rotation},
    service::{Team, create_rep, create_team},
};

pub(crate) async fn token(cluster: &Cluster, ttl_s: i64, replaces: u64) -> CreateJoinTokenResponse {
    let request = CreateJoinTokenRequest {
        ttl: Some(prost_types::Duration { seconds: ttl_s, nanos: 0 }),
        replaces_node_id: replaces,
    };
    cluster.client(&cluster.ids()).call(request).await.unwrap()
}

async fn remove(cluster: &Cluster, id: u64) -> Result<(), Error> {
    let client = cluster.client(&cluster.ids());
    client.call(RemoveMemberRequest { node_id: id }).await.map(drop)
}

/// Waits until exactly these nodes vote, as one of them sees it, and nobody else is there.
pub(crate) async fn voters(cluster: &Cluster, ids: &[u64]) {
    let seen = eventually(async || {
        let members = cluster.seen_by(ids[0]).await.members;
        let votes = |role| [NodeRole::Leader, NodeRole::Follower].contains(&role);
        let all = members.iter().all(|member| votes(member.role()));
        (all && members.iter().map(|member| member.node_id).eq(ids.iter().copied())).then_some(())
    });
    seen.await.unwrap_or_else(|| panic!("the voters are not {ids:?}"));
}

/// A cluster that takes snapshots often, of a state that is larger than the log behind them.
pub(crate) async fn with_large_snapshots() -> (Cluster, Team) {
    let setup = Setup {
        flags: vec!["--snapshot-every", "64KiB", "--log-tail-max", "16KiB"],
        ..Setup::default()
    };
    let cluster = Cluster::start_with(setup).await;
    let client = cluster.client(&cluster.ids());
    let team = Team::create(&client, "sales", 3).await;
    create_team(&client, "bulk").await;
    for number in 0..60 {
        create_rep(&client, "teams/bulk", &format!("rep-{number}"), bulky(number)).await;
    }
    (cluster, team)
}

/// Starts a node that joins, and waits until it votes.
pub(crate) async fn grow(cluster: &mut Cluster, id: u64, replaces: u64) {
    let mut ids = cluster.ids();
    let token = token(cluster, 60, replaces).await.token;
    cluster.join(id, &token);
    cluster.ready(&[id]).await;
    ids.push(id);
    ids.retain(|id| *id != replaces);
    voters(cluster, &ids).await;
}

/// Removes a node, whose process ends by itself and says why.
pub(crate) async fn shrink(cluster: &mut Cluster, id: u64) {
    remove(cluster, id).await.unwrap();
    let status = cluster.exited(id).await;
    assert_eq!(status.code(), Some(EXIT_FAULT), "{status}");
    assert!(cluster.log(id).contains("was removed from"), "it says why");
    assert!(cluster.log(id).contains("turnwise cluster add"), "it says what to type");
    cluster.forget(id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_become_five_and_three_again_under_load_and_no_call_fails() {
    let mut cluster = Cluster::start().await;
    let team = Team::create(&cluster.client(&cluster.ids()), "sales", 5).await;
    let mut crowd = Crowd::gather(&cluster, &team, 4);
    crowd.answered(100).await;
    for id in [4, 5] {
        grow(&mut cluster, id, 0).await;
        crowd.answered(50).await;
    }
    // The leader, and one of the others. Every client still knows one founder.
    let leader = cluster.leader().await;
    let founders = [1, 2, 3].into_iter().filter(|id| *id != leader);
    let first = if leader <= 3 { leader } else { 1 };
    let second = founders.filter(|id| *id != first).max().unwrap();
    for id in [first, second] {
        shrink(&mut cluster, id).await;
        crowd.answered(50).await;
    }
    voters(&cluster, &cluster.ids()).await;
    let answers = crowd.disperse().await;
    check_rotation(&team.ring, &answers);
    check_nodes(&cluster, &team, &answers).await;

    // All of it is still so after everybody was down.
    cluster.restart_all().await;
    voters(&cluster, &cluster.ids()).await;
    check_nodes(&cluster, &team, &answers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_is_removed_and_a_removed_node_never_comes_back() {
    let mut cluster = Cluster::start().await;
    let team = Team::create(&cluster.client(&cluster.ids()), "sales", 2).await;
    let leader = cluster.leader().await;
    remove(&cluster, leader).await.unwrap();
    assert_eq!(cluster.exited(leader).await.code(), Some(EXIT_FAULT));
    remove(&cluster, leader).await.expect("asked again, it is done");

    cluster.spawn(leader);
    assert_eq!(cluster.exited(leader).await.code(), Some(EXIT_FAULT));
    let said = cluster.log(leader);
    assert!(said.contains("was removed from") && said.contains("--join"), "{said}");
    cluster.forget(leader);
    let answer = team.assign(&cluster.client(&cluster.ids()), "x").await;
    check_nodes(&cluster, &team, &[answer]).await;

    // Of two, one is needed.
    let down = cluster.follower().await;
    let up = cluster.others(down)[0];
    cluster.kill(down);
    let mut alone = ClusterServiceClient::new(cluster.channel(up).await);
    let refused = alone.remove_member(RemoveMemberRequest { node_id: up }).await;
    refused.expect_err("a lone node has no majority to agree with");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_node_is_replaced_by_what_the_command_line_prints() {
    let (mut cluster, team) = with_large_snapshots().await;
    let client = cluster.client(&cluster.ids());
    let mut answers = vec![team.assign(&client, "before").await];
    let dead = cluster.follower().await;
    cluster.kill(dead);
    let up = cluster.others(dead);

    let mut command = turnwise();
    let endpoint = cluster.client_address(up[0]);
    command.args(["cluster", "replace", &dead.to_string(), "--endpoints", &endpoint]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let token = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("turnwise serve --join {}", token.trim())), "{said}");

    // Killed on its way in, it goes on where it was: with the token that it has used.
    cluster.join(4, token.trim());
    cluster.logged(4, "admitted to the cluster").await;
    cluster.kill(4);
    cluster.restart(4).await;
    cluster.logged(4, "snapshot installed").await;
    let now = [up[0], up[1], 4];
    voters(&cluster, &now).await;
    cluster.spawn(dead);
    assert_eq!(cluster.exited(dead).await.code(), Some(EXIT_FAULT));
    assert!(cluster.log(dead).contains("was removed from"));
    cluster.forget(dead);
    answers.push(team.assign(&cluster.client(&[4]), "after").await);
    check_rotation(&team.ring, &answers);
    check_nodes(&cluster, &team, &answers).await;

    // What it is now can be taken along.
    let file = cluster.path("after.turnwise");
    let mut backup = turnwise();
    backup.arg("backup").arg(&file).args(["--endpoints", &cluster.client_address(4)]);
    assert!(backup.output().unwrap().status.success());
    cluster.kill(up[0]);
    let verify = turnwise().arg("verify").arg(cluster.data_dir(up[0])).output().unwrap();
    assert!(verify.status.success(), "its log has changes of members in it: {verify:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_wrong_used_or_too_old_admits_nobody() {
    let mut cluster = Cluster::start().await;
    let late = token(&cluster, 1, 0).await;
    let good = token(&cluster, 60, 0).await.token;
    cluster.join(4, &good);
    cluster.ready(&[4]).await;
    let end = late.expire_time.unwrap();
    let over = eventually(async || {
        let now = clock::wall().0 / 1_000_000;
        (now > u64::try_from(end.seconds).unwrap() + 2).then_some(())
    });
    over.await.unwrap();
    let wrong = format!("tw_join_{}", "0".repeat(64));
    for (id, token) in [(5, good), (6, late.token), (7, wrong), (8, "tw_join_x".to_owned())] {
        cluster.join(id, &token);
        assert_eq!(cluster.exited(id).await.code(), Some(EXIT_FAILED), "{token}");
        let said = cluster.log(id);
        assert!(said.contains("does not admit") && said.contains("turnwise cluster add"), "{said}");
        cluster.forget(id);
    }
    voters(&cluster, &[1, 2, 3, 4]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_to_be_admitted_stops_when_told_and_may_try_again() {
    let mut cluster = Cluster::start().await;
    let token = token(&cluster, 600, 0).await.token;
    // One of three can't admit anybody.
    let down = cluster.others(1);
    down.iter().for_each(|id| cluster.kill(*id));
    cluster.join(4, &token);
    cluster.logged(4, "not admitted yet").await;
    cluster.terminate(4);
    let status = cluster.exited(4).await;
    assert!(status.success(), "{status}");
    assert!(cluster.log(4).contains("stopping before"), "{}", cluster.log(4));
    assert!(!cluster.log(4).contains(&token), "a secret is not logged");
    for id in down {
        cluster.restart(id).await;
    }
    cluster.restart(4).await;
    voters(&cluster, &[1, 2, 3, 4]).await;
    assert!(!cluster.data_dir(4).join("joining").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_copy_of_a_disk_is_refused_with_what_to_type() {
    let mut cluster = Cluster::start().await;
    let team = Team::create(&cluster.client(&cluster.ids()), "sales", 2).await;
    let client = cluster.client(&cluster.ids());
    let mut answers = vec![team.assign(&client, "before").await];
    cluster.agreed_hash().await;
    let victim = cluster.follower().await;
    cluster.kill(victim);
    let (copy, kept) = (cluster.path("copy"), cluster.path("kept"));
    copy_dir(&cluster.data_dir(victim), &copy);
    cluster.restart(victim).await;
    answers.push(team.assign(&client, "after").await);
    cluster.agreed_hash().await;
    cluster.kill(victim);
    fs::rename(cluster.data_dir(victim), &kept).unwrap();
    fs::rename(&copy, cluster.data_dir(victim)).unwrap();

    cluster.spawn(victim);
    assert_eq!(cluster.exited(victim).await.code(), Some(EXIT_FAULT));
    let said = cluster.log(victim);
    assert!(said.contains("is an old copy"), "{said}");
    assert!(said.contains(&format!("turnwise cluster replace {victim}")), "{said}");

    fs::remove_dir_all(cluster.data_dir(victim)).unwrap();
    fs::rename(&kept, cluster.data_dir(victim)).unwrap();
    cluster.restart(victim).await;
    check_nodes(&cluster, &team, &answers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_copy_is_refused_though_nobody_remembers_what_the_newest_disk_acknowledged() {
    let mut cluster = Cluster::start().await;
    let team = Team::create(&cluster.client(&cluster.ids()), "sales", 2).await;
    let client = cluster.client(&cluster.ids());
    let mut answers = vec![team.assign(&client, "before").await];
    cluster.agreed_hash().await;
    let victim = cluster.follower().await;
    let others = cluster.others(victim);
    cluster.kill(victim);
    let (copy, kept) = (cluster.path("copy"), cluster.path("kept"));
    copy_dir(&cluster.data_dir(victim), &copy);
    cluster.restart(victim).await;
    answers.push(team.assign(&client, "after").await);
    // A second after the last command, what everybody has is written down.
    let last = answers[1].position.as_ref().unwrap().log_index;
    let written = eventually(async || {
        let members = cluster.seen_by(others[0]).await.members;
        members.iter().all(|member| member.applied_index > last).then_some(())
    });
    written.await.expect("a mark behind the last command");
    for id in cluster.ids() {
        cluster.kill(id);
    }
    fs::rename(cluster.data_dir(victim), &kept).unwrap();
    copy_dir(&copy, &cluster.data_dir(victim));
    for id in &others {
        cluster.spawn(*id);
    }
    cluster.ready(&others).await;
    cluster.spawn(victim);
    assert_eq!(cluster.exited(victim).await.code(), Some(EXIT_FAULT));
    let said = cluster.log(victim);
    assert!(said.contains("is an old copy"), "{said}");
    assert!(said.contains("Put the newest directory back under --data-dir"), "{said}");
    assert!(said.contains(&format!("turnwise cluster replace {victim}")), "{said}");

    // The one thing that it says to do, and then the other.
    fs::remove_dir_all(cluster.data_dir(victim)).unwrap();
    fs::rename(&kept, cluster.data_dir(victim)).unwrap();
    cluster.restart(victim).await;
    check_nodes(&cluster, &team, &answers).await;
    cluster.kill(victim);
    fs::remove_dir_all(cluster.data_dir(victim)).unwrap();
    fs::rename(&copy, cluster.data_dir(victim)).unwrap();
    cluster.spawn(victim);
    assert_eq!(cluster.exited(victim).await.code(), Some(EXIT_FAULT));
    cluster.forget(victim);
    let token = token(&cluster, 60, victim).await.token;
    cluster.join(4, &token);
    let now: Vec<u64> = others.into_iter().chain([4]).collect();
    cluster.ready(&now).await;
    voters(&cluster, &now).await;
    check_nodes(&cluster, &team, &answers).await;
}
