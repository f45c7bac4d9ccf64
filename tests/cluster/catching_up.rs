//! A node that was away until the log moved past it comes back by snapshot.

use std::{collections::BTreeMap, fs};

use turnwise::proto::turnwise::v1::Rep;

use crate::{
    harness::{Cluster, Setup, eventually, touch},
    preload,
    reference::{check_nodes, check_rotation},
    service::{Team, create_rep, create_team},
};

/// A rep that takes 4 KiB, so that a snapshot takes several chunks.
pub(crate) fn bulky(number: usize) -> Rep {
    let id = format!("{number:0>256}");
    let external_ids = (0..16).map(|system| (format!("system-{system}"), id.clone()));
    Rep { external_ids: external_ids.collect(), ..Rep::default() }
}

/// The files of a node's data directory that are of snapshots on their way in.
fn unfinished(cluster: &Cluster, id: u64) -> usize {
    let names = fs::read_dir(cluster.data_dir(id)).unwrap();
    names
        .filter(|name| name.as_ref().unwrap().path().to_str().unwrap().ends_with(".snap.tmp"))
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_left_behind_comes_back_by_snapshot_though_its_sender_dies_in_the_middle() {
    let signs = tempfile::tempdir().unwrap();
    // Each has files of its own: the others write snapshots of their own meanwhile.
    let (stall, stalled) = (
        |id: u64| signs.path().join(format!("stall-{id}")),
        |id: u64| signs.path().join(format!("stalled-{id}")),
    );
    let obedient = |id| {
        preload::env(&[(preload::STALL_SNAPSHOT, &stall(id)), (preload::STALLED, &stalled(id))])
    };
    let setup = Setup {
        flags: vec!["--snapshot-every", "256KiB", "--log-tail-max", "64KiB"],
        env: (1..=3).map(|id| (id, obedient(id))).collect::<BTreeMap<_, _>>(),
        ..Setup::default()
    };
    let mut cluster = Cluster::start_with(setup).await;
    let team = Team::create(&cluster.client(&cluster.ids()), "sales", 3).await;
    let away = cluster.follower().await;
    cluster.kill(away);
    let up = cluster.others(away);
    let client = cluster.client(&up);
    create_team(&client, "bulk").await;
    for number in 0..700 {
        create_rep(&client, "teams/bulk", &format!("rep-{number}"), bulky(number)).await;
    }
    let mut answers = vec![team.assign(&client, "while-away").await];

    let (stall, stalled) = (stall(away), stalled(away));
    touch(&stall);
    cluster.spawn(away);
    let in_the_middle = eventually(async || stalled.exists().then_some(()));
    in_the_middle.await.expect("a snapshot is on its way");
    let offered = format!("sending a snapshot peer={away}");
    let sender = cluster.leader_among(&up).await;
    cluster.logged(sender, &offered).await;
    cluster.kill(sender);
    assert_eq!(unfinished(&cluster, away), 1, "a part of a snapshot came");
    assert!(!cluster.log(away).contains("snapshot installed"));
    fs::remove_file(&stall).unwrap();

    // A majority again, though one of the two has yet to get its state from the other.
    let other = cluster.others(sender).into_iter().find(|id| *id != away).unwrap();
    let client = cluster.client(&[other, away]);
    answers.push(team.assign(&client, "sender-dead").await);
    cluster.logged(other, &offered).await;
    cluster.logged(away, "snapshot installed").await;
    cluster.ready(&[away]).await;
    assert_eq!(unfinished(&cluster, away), 0, "the broken transfer left nothing");

    cluster.restart(sender).await;
    answers.push(team.assign(&cluster.client(&[away]), "after").await);
    check_rotation(&team.ring, &answers);
    check_nodes(&cluster, &team, &answers).await;
}
