//! A node with somebody else's data, or with none, is refused, and told what to type.

use std::{
    fs,
    process::{Command, Output},
};

use crate::{
    crowd::Crowd,
    harness::{Cluster, EXIT_FAILED, EXIT_FAULT, PATIENCE, copy_dir},
    reference::{check_nodes, check_rotation},
    service::Team,
};

/// Runs a node that is expected to end by itself. Returns its exit code and what it said.
async fn refused(command: Command) -> (i32, String) {
    let mut command = tokio::process::Command::from(command);
    command.kill_on_drop(true).stderr(std::process::Stdio::piped());
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let Output { status, stderr, .. } = output.expect("it ends by itself").unwrap();
    (status.code().expect("it exits"), String::from_utf8(stderr).unwrap())
}

pub(crate) fn says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "`{word}` is not in: {said}");
    }
}

/// The same command line with another value of one flag.
pub(crate) fn with(command: &Command, flag: &str, value: &str) -> Command {
    let mut words: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let place = words.iter().position(|word| word == flag).unwrap();
    words[place + 1] = value.into();
    let mut changed = Command::new(command.get_program());
    changed.args(words);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => changed.env(name, value),
            None => changed.env_remove(name),
        };
    }
    changed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_of_another_cluster_or_another_node_is_refused_with_what_to_type() {
    let mut cluster = Cluster::start().await;
    let team = Team::create(&cluster.client(&cluster.ids()), "sales", 2).await;
    cluster.kill(2);
    let ours = cluster.cluster_id.to_string();
    let theirs = "00112233445566778899aabbccddeeff";

    let (code, said) = refused(with(&cluster.command(2), "--cluster-id", theirs)).await;
    assert_eq!(code, EXIT_FAILED, "{said}");
    says(&said, &[&format!("belongs to cluster {ours}"), &format!("set the cluster id to {ours}")]);

    cluster.kill(1);
    let copy = cluster.path("restored");
    copy_dir(&cluster.data_dir(1), &copy);
    let misplaced = with(&cluster.command(2), "--data-dir", copy.to_str().unwrap());
    let (code, said) = refused(misplaced).await;
    assert_eq!(code, EXIT_FAILED, "{said}");
    says(&said, &["belongs to node 1", "configured as node 2", "set the node id to 1"]);

    cluster.restart(1).await;
    let in_use = cluster.data_dir(1);
    let twice = with(&cluster.command(2), "--data-dir", in_use.to_str().unwrap());
    let (code, said) = refused(twice).await;
    assert_eq!(code, EXIT_FAILED, "{said}");
    says(&said, &["another process has the data directory", "stop that process"]);

    cluster.restart(2).await;
    let answer = team.assign(&cluster.client(&[2]), "x").await;
    check_nodes(&cluster, &team, &[answer]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emptied_directory_under_an_old_id_is_refused_with_what_to_type() {
    let mut cluster = Cluster::start().await;
    let team = Team::create(&cluster.client(&cluster.ids()), "sales", 2).await;
    let mut crowd = Crowd::gather(&cluster, &team, 2);
    crowd.answered(100).await;
    let victim = cluster.follower().await;
    cluster.kill(victim);
    let kept = cluster.path("kept");
    fs::rename(cluster.data_dir(victim), &kept).unwrap();

    cluster.set_bootstrap(victim, false);
    let (code, said) = refused(cluster.command(victim)).await;
    assert_eq!(code, EXIT_FAILED, "{said}");
    says(&said, &["is empty", "--bootstrap", "put it back"]);

    let replace = format!("turnwise cluster replace {victim}");
    // The flag is easily left in a unit file: then it is the others who refuse.
    cluster.set_bootstrap(victim, true);
    let (code, said) = refused(cluster.command(victim)).await;
    assert_eq!(code, EXIT_FAULT, "{said}");
    says(&said, &["refuses this node", "emptied or replaced", "--data-dir", &replace]);
    // And again, now that the directory is not empty any more.
    let (code, said) = refused(cluster.command(victim)).await;
    assert_eq!(code, EXIT_FAULT, "{said}");
    says(&said, &["emptied or replaced", "--data-dir"]);

    fs::remove_dir_all(cluster.data_dir(victim)).unwrap();
    fs::rename(&kept, cluster.data_dir(victim)).unwrap();
    cluster.restart(victim).await;
    crowd.answered(50).await;
    let answers = crowd.disperse().await;
    check_rotation(&team.ring, &answers);
    check_nodes(&cluster, &team, &answers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_emptied_while_all_were_down_is_refused_by_those_who_come_back() {
    let mut cluster = Cluster::start().await;
    let team = Team::create(&cluster.client(&cluster.ids()), "sales", 2).await;
    let mut crowd = Crowd::gather(&cluster, &team, 2);
    crowd.answered(100).await;
    let answers = crowd.disperse().await;
    cluster.agreed_hash().await;
    for id in cluster.ids() {
        cluster.kill(id);
    }
    let kept = cluster.path("kept");
    fs::rename(cluster.data_dir(3), &kept).unwrap();
    // The one without data first, so that it is there when the others look for a majority.
    for id in [3, 1, 2] {
        cluster.spawn(id);
    }
    let status = cluster.exited(3).await;
    assert_eq!(status.code(), Some(EXIT_FAULT), "{status}");
    says(&cluster.log(3), &["emptied or replaced", "--data-dir"]);
    cluster.ready(&[1, 2]).await;
    fs::remove_dir_all(cluster.data_dir(3)).unwrap();
    fs::rename(&kept, cluster.data_dir(3)).unwrap();
    cluster.restart(3).await;
    check_rotation(&team.ring, &answers);
    check_nodes(&cluster, &team, &answers).await;
}
