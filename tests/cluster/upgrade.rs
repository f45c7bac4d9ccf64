//! A rolling upgrade of real processes, between two builds that differ in an outcome of `apply`.
//!
//! `cargo test --features next --test cluster upgrade`. The feature compiles a later version of the rules in,
//! by which an absence without an end ends after a second. A process that is told to be the older build has
//! the earlier version alone.

use std::{fs, process::Command};

use turnwise::proto::turnwise::v1::{
    CreateJoinTokenRequest, GetRepRequest, OutOfOffice, Rep, SetOutOfOfficeRequest,
};

use crate::{
    crowd::Crowd,
    harness::{Cluster, EXIT_FAILED, EXIT_FAULT, Setup, copy_dir, eventually, turnwise},
    reference::{check_nodes, check_rotation},
    service::{Team, create_rep},
};

const OLDER: &str = "TURNWISE_OLDER_BUILD";

/// Sends a rep out of office without saying until when. Returns whether that has an end.
async fn is_back_some_time(cluster: &Cluster, rep: &str) -> bool {
    let client = cluster.client(&cluster.ids());
    let request = SetOutOfOfficeRequest { name: rep.to_owned(), ..Default::default() };
    client.call(request).await.unwrap();
    let seen: Rep = client.call(GetRepRequest { name: rep.to_owned() }).await.unwrap().rep.unwrap();
    let all: Vec<OutOfOffice> = seen.out_of_office;
    all.last().expect("the rep is out").end_time.is_some()
}

/// Waits until a node says this of the cluster: its version, and whom a raise waits for.
async fn says(cluster: &Cluster, node: u64, version: u32, waits_for: &[u64]) {
    let seen = eventually(async || {
        let seen = cluster.seen_by(node).await;
        (seen.version == version && seen.raise_waits_for_node_ids == waits_for).then_some(())
    });
    seen.await.unwrap_or_else(|| panic!("node {node} does not say {version} and {waits_for:?}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_node_by_node_switches_the_rules_once_all_have_them_and_no_call_fails() {
    let older = || vec![(OLDER.to_owned(), "1".to_owned())];
    let env = (1..=4).map(|id| (id, older())).collect();
    let mut cluster = Cluster::start_with(Setup { env, ..Setup::default() }).await;
    let client = cluster.client(&cluster.ids());
    let team = Team::create(&client, "sales", 5).await;
    let away = create_rep(&client, &team.name(), "away", Rep::default()).await;
    let soon_back = create_rep(&client, &team.name(), "soon-back", Rep::default()).await;
    let mut crowd = Crowd::gather(&cluster, &team, 4);
    crowd.answered(50).await;
    says(&cluster, 1, 2, &[]).await;

    let leader = cluster.leader().await;
    let mut waits_for = cluster.ids();
    let mut order = cluster.others(leader);
    order.push(leader);
    let (asleep, as_it_was) = (order[0], cluster.path("as-it-was"));
    for id in order {
        assert!(!is_back_some_time(&cluster, &away).await, "the rules are the old ones");
        cluster.terminate(id);
        assert!(cluster.exited(id).await.success());
        if id == asleep {
            copy_dir(&cluster.data_dir(id), &as_it_was);
        }
        let mut newer = cluster.command(id);
        cluster.spawn_as(id, newer.env_remove(OLDER));
        cluster.ready(&[id]).await;
        crowd.answered(50).await;
        waits_for.retain(|other| *other != id);
        if !waits_for.is_empty() {
            says(&cluster, id, 2, &waits_for).await;
        }
    }
    for id in cluster.ids() {
        says(&cluster, id, 3, &[]).await;
    }
    assert!(is_back_some_time(&cluster, &soon_back).await, "the rules are the new ones");
    crowd.answered(50).await;
    let answers = crowd.disperse().await;
    check_rotation(&team.ring, &answers);
    check_nodes(&cluster, &team, &answers).await;

    // There is no way back, and none in, for the older build.
    let back = cluster.follower().await;
    cluster.kill(back);
    cluster.spawn(back);
    assert_eq!(cluster.exited(back).await.code(), Some(EXIT_FAILED));
    assert!(cluster.log(back).contains("Start a build that has version 3"), "it says what to do");
    let request = CreateJoinTokenRequest::default();
    let others = cluster.others(back);
    let token = cluster.client(&others).call(request).await.unwrap().token;
    cluster.join(4, &token);
    assert_eq!(cluster.exited(4).await.code(), Some(EXIT_FAILED));
    assert!(cluster.log(4).contains("does not understand"), "{}", cluster.log(4));
    cluster.forget(4);
    let mut newer = cluster.command(back);
    cluster.spawn_as(back, newer.env_remove(OLDER));
    cluster.ready(&[back]).await;
    cluster.agreed_hash().await;

    // One that slept through the switch reads nothing of it in its own log. Its peers tell it.
    cluster.kill(asleep);
    let (dir, now) = (cluster.data_dir(asleep), cluster.path("now"));
    fs::rename(&dir, &now).unwrap();
    fs::rename(&as_it_was, &dir).unwrap();
    cluster.spawn(asleep);
    assert_eq!(cluster.exited(asleep).await.code(), Some(EXIT_FAULT));
    let said = cluster.log(asleep);
    assert!(said.contains(&format!("the build of node {asleep} has")), "{said}");
    fs::remove_dir_all(&dir).unwrap();
    fs::rename(&now, &dir).unwrap();
    let mut newer = cluster.command(asleep);
    cluster.spawn_as(asleep, newer.env_remove(OLDER));
    cluster.ready(&[asleep]).await;
    cluster.agreed_hash().await;

    // Each log, replayed, makes every decision as it was made, on both sides of the switch.
    for id in cluster.ids() {
        cluster.terminate(id);
        assert!(cluster.exited(id).await.success());
        let mut verify: Command = turnwise();
        let verified = verify.arg("verify").arg(cluster.data_dir(id)).output().unwrap();
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    }
}
