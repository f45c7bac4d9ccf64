//! A node whose disk lost what was durable comes back by itself, under a new id, and nobody types anything.

use std::{fs, path::Path};

use crate::{
    crowd::Crowd,
    harness::{Cluster, EXIT_FAILED, EXIT_FAULT, copy_dir, eventually},
    identity::{says, with},
    membership::{voters, with_large_snapshots},
    reference::{check_nodes, check_rotation},
    service::Team,
};

/// The files of a data directory that end so, in order.
fn files(dir: &Path, end: &str) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(end)).collect();
    names.sort_unstable();
    names
}

/// Turns a bit over.
fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 1;
    fs::write(file, bytes).unwrap();
}

/// Damages a record in the middle of what was synced, long before the end of the log.
fn rot_log(dir: &Path) {
    let log = dir.join(files(dir, ".log").last().unwrap());
    let bytes = fs::read(&log).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    assert!(end > 2_048, "it holds something");
    // No padding: that is of nobody's concern.
    let middle = 512 + (end - 512) / 2;
    let at = middle + bytes[middle..].iter().position(|byte| *byte != 0).unwrap();
    flip(&log, at);
}

/// Starts a node with the command line that it always had; it comes back as `id`, and is a member.
async fn comes_back(cluster: &mut Cluster, node: u64, id: u64, voting: &[u64]) {
    cluster.spawn(node);
    cluster.logged(node, "back under a new id").await;
    cluster.ready(&[node]).await;
    voters(cluster, voting).await;
    let members = cluster.seen_by(voting[0]).await.members;
    let place = members.iter().find(|member| member.node_id == id).unwrap().in_place_of_node_id;
    assert!((1..id).contains(&place) && !voting.contains(&place), "{place}");
    let said = cluster.log(node);
    assert!(said.contains("is damaged at byte") || said.contains("is damaged:"), "{said}");
    assert!(
        said.contains(&format!("node={id}")) || said.contains(&format!("\"node\":{id}")),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_with_a_rotten_middle_comes_back_and_nothing_is_missing_when_the_leader_dies() {
    let mut cluster = Cluster::start().await;
    let team = Team::create(&cluster.client(&cluster.ids()), "sales", 4).await;
    let mut crowd = Crowd::gather(&cluster, &team, 4);
    crowd.answered(200).await;
    let rotten = cluster.follower().await;
    cluster.kill(rotten);
    let before = cluster.path("before");
    copy_dir(&cluster.data_dir(rotten), &before);
    rot_log(&cluster.data_dir(rotten));
    crowd.answered(50).await;

    let others = cluster.others(rotten);
    let now = [others[0], others[1], 4];
    comes_back(&mut cluster, rotten, 4, &now).await;
    let put_aside = files(&cluster.data_dir(rotten), ".rotten");
    assert!(put_aside.iter().any(|name| name.contains(".log")), "{put_aside:?}");
    crowd.answered(50).await;
    // Its vote is needed from here on.
    let leader = cluster.leader_among(&others).await;
    cluster.kill(leader);
    crowd.answered(100).await;
    let answers = crowd.disperse().await;
    cluster.restart(leader).await;
    check_rotation(&team.ring, &answers);
    check_nodes(&cluster, &team, &answers).await;
    cluster.agreed_hash().await;

    // The same command line starts it again, and again it is node 4.
    cluster.kill(rotten);
    cluster.restart(rotten).await;
    voters(&cluster, &now).await;
    check_nodes(&cluster, &team, &answers).await;

    // A copy of what it was is of no use to anybody.
    cluster.kill(rotten);
    let (dir, kept) = (cluster.data_dir(rotten), cluster.path("kept"));
    fs::rename(&dir, &kept).unwrap();
    copy_dir(&before, &dir);
    cluster.spawn(rotten);
    assert_eq!(cluster.exited(rotten).await.code(), Some(EXIT_FAULT));
    let said = cluster.log(rotten);
    says(&said, &["came back as node 4", "is an old copy", "turnwise cluster replace 4"]);
    // Nor is an emptied one that is started as it was at first, or one that rots as well.
    fs::remove_dir_all(&dir).unwrap();
    let since = said.len();
    cluster.set_bootstrap(rotten, true);
    cluster.spawn(rotten);
    assert_eq!(cluster.exited(rotten).await.code(), Some(EXIT_FAULT));
    let said = cluster.log(rotten).split_off(since);
    says(&said, &["came back as node 4", "or was emptied", "turnwise cluster replace 4"]);
    cluster.set_bootstrap(rotten, false);
    fs::remove_dir_all(&dir).unwrap();
    copy_dir(&before, &dir);
    rot_log(&dir);
    cluster.spawn(rotten);
    assert_eq!(cluster.exited(rotten).await.code(), Some(EXIT_FAILED));
    says(&cluster.log(rotten), &["does not take the node back", "turnwise cluster replace 4"]);
    fs::remove_dir_all(&dir).unwrap();
    fs::rename(&kept, &dir).unwrap();
    cluster.restart(rotten).await;

    // And if it happens again, what was put aside is of this time only.
    cluster.kill(rotten);
    rot_log(&dir);
    fs::write(dir.join("of-before.log.rotten"), "").unwrap();
    let data = [files(&dir, ".log"), files(&dir, ".snap")].concat();
    let mut data: Vec<String> = data.iter().map(|name| format!("{name}.rotten")).collect();
    data.sort_unstable();
    let now = [others[0], others[1], 5];
    comes_back(&mut cluster, rotten, 5, &now).await;
    assert_eq!(files(&dir, ".rotten"), data);
    check_nodes(&cluster, &team, &answers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_snapshots_are_rotten_waits_for_a_majority_and_takes_another_from_the_leader()
{
    let (mut cluster, team) = with_large_snapshots().await;
    let client = cluster.client(&cluster.ids());
    let mut answers = vec![team.assign(&client, "before").await];
    let rotten = cluster.follower().await;
    let dir = cluster.data_dir(rotten);
    // The founding one goes once there are two others.
    let has_two = eventually(async || {
        let names = files(&dir, ".snap");
        (!names.is_empty() && names.iter().all(|name| !name.contains("0000000001-"))).then_some(())
    });
    has_two.await.expect("snapshots are taken");
    let others = cluster.others(rotten);
    for id in cluster.ids() {
        cluster.kill(id);
    }
    for name in files(&dir, ".snap") {
        let file = dir.join(name);
        let len = fs::read(&file).unwrap().len();
        flip(&file, len / 2);
    }
    // Without a majority of the others it asks, and changes nothing.
    let before = files(&dir, ".snap");
    cluster.spawn(others[0]);
    cluster.spawn(rotten);
    cluster.logged(rotten, "not admitted yet").await;
    cluster.kill(rotten);
    assert_eq!(files(&dir, ".snap"), before);
    assert!(!files(&dir, ".log").is_empty() && files(&dir, ".rotten").is_empty());

    cluster.spawn(others[1]);
    comes_back(&mut cluster, rotten, 4, &[others[0], others[1], 4]).await;
    cluster.ready(&cluster.ids()).await;
    answers.push(team.assign(&cluster.client(&[rotten]), "after").await);
    check_rotation(&team.ring, &answers);
    check_nodes(&cluster, &team, &answers).await;
    cluster.agreed_hash().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_told_to_stay_or_is_alone_is_refused_with_what_to_type() {
    let mut cluster = Cluster::start().await;
    let team = Team::create(&cluster.client(&cluster.ids()), "sales", 2).await;
    let client = cluster.client(&cluster.ids());
    // So many that the log has a middle.
    let mut answers = Vec::new();
    for number in 0..20 {
        answers.push(team.assign(&client, &format!("c-{number}")).await);
    }
    cluster.agreed_hash().await;
    let rotten = cluster.follower().await;
    cluster.kill(rotten);
    let dir = cluster.data_dir(rotten);
    rot_log(&dir);
    let before = fs::read_dir(&dir).unwrap().count();
    let told_to_stay = |cluster: &Cluster| {
        let mut command = cluster.command(rotten);
        command.arg("--no-rejoin");
        command
    };
    let alone = |cluster: &Cluster| {
        let (members, own) = (cluster.members(), format!("{rotten}="));
        let own = members.split(',').find(|member| member.starts_with(&own)).unwrap();
        with(&cluster.command(rotten), "--members", own)
    };
    for mut command in [told_to_stay(&cluster), alone(&cluster)] {
        cluster.spawn_as(rotten, &mut command);
        assert_eq!(cluster.exited(rotten).await.code(), Some(EXIT_FAILED));
        let said = cluster.log(rotten);
        assert!(said.contains("remove this node from the cluster"), "{said}");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), before, "nothing was changed");
    }
    let others = cluster.others(rotten);
    comes_back(&mut cluster, rotten, 4, &[others[0], others[1], 4]).await;
    check_nodes(&cluster, &team, &answers).await;
}
