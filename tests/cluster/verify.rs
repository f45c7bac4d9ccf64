//! `turnwise verify`: a node's data against its own log, with and without something wrong in it.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    sync::Arc,
};

use serde_json::Value;
use turnwise::{
    consensus::{
        NodeId,
        driver::write_snapshot,
        log::{
            RealDisk,
            snapshot::{SnapshotId, SnapshotStore},
        },
    },
    routing::{
        Assign, AssignmentFilter, Command as Change, ContactId, LogPosition, Operation, Principal,
        RepId, Stamp, State, TeamId, Via,
    },
    verify::{Report, verify},
};

use crate::{
    crowd::Crowd,
    harness::{Cluster, EXIT_FAILED, EXIT_FAULT, Setup, copy_dir, eventually},
    service::Team,
};

fn turnwise(arguments: &[&str], dir: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turnwise"));
    command.arg("verify").arg(dir).args(arguments).output().unwrap()
}

/// A cluster with a snapshot or two, whose log reaches back to its beginning; all nodes stopped.
async fn stopped() -> (Cluster, u64) {
    let flags = vec!["--snapshot-every", "64KiB", "--log-tail-max", "64MiB"];
    let mut cluster = Cluster::start_with(Setup { flags, ..Setup::default() }).await;
    let team = Team::create(&cluster.client(&cluster.ids()), "sales", 3).await;
    let mut crowd = Crowd::gather(&cluster, &team, 4);
    crowd.answered(300).await;
    let leader = cluster.leader().await;
    cluster.kill(leader);
    crowd.answered(300).await;
    cluster.restart(leader).await;
    let snapshot = eventually(async || {
        crowd.answered(100).await;
        let seen = cluster.log(leader);
        seen.lines().rfind(|line| line.contains("snapshot written")).map(str::to_owned)
    });
    assert!(!snapshot.await.expect("a snapshot is taken").contains("index=1 "));
    crowd.answered(50).await;
    crowd.disperse().await;
    for id in cluster.ids() {
        cluster.terminate(id);
        assert!(cluster.exited(id).await.success());
    }
    (cluster, leader)
}

/// A cluster of which one node was away until its log was gone elsewhere, so that its own begins after
/// a snapshot which it was sent; it has taken others since. All nodes stopped.
async fn stopped_with_a_compacted_log() -> (Cluster, u64) {
    let flags = vec!["--snapshot-every", "32KiB", "--log-tail-max", "16KiB"];
    let mut cluster = Cluster::start_with(Setup { flags, ..Setup::default() }).await;
    let team = Team::create(&cluster.client(&cluster.ids()), "sales", 3).await;
    let away = cluster.follower().await;
    cluster.kill(away);
    let mut crowd = Crowd::gather(&cluster, &team, 4);
    let taken = |seen: String| seen.matches("snapshot written").count();
    let others = cluster.others(away);
    let gone = eventually(async || {
        crowd.answered(100).await;
        others.iter().all(|id| taken(cluster.log(*id)) >= 3).then_some(())
    });
    gone.await.expect("the others take snapshots");
    cluster.restart(away).await;
    cluster.logged(away, "snapshot installed").await;
    let seen = eventually(async || {
        crowd.answered(100).await;
        let log = cluster.log(away);
        let (_, since) = log.rsplit_once("snapshot installed")?;
        (taken(since.to_owned()) >= 2).then_some(())
    });
    seen.await.expect("it takes its own again");
    crowd.answered(50).await;
    crowd.disperse().await;
    for id in cluster.ids() {
        cluster.terminate(id);
        assert!(cluster.exited(id).await.success());
    }
    (cluster, away)
}

fn report(dir: &Path) -> Report {
    verify(dir, |_| ()).unwrap()
}

/// The newest snapshot's index and term, from the name of its file.
fn newest(dir: &Path) -> SnapshotId {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    let name = names.filter(|name| name.ends_with(".snap")).max().unwrap();
    let (index, term) = name.trim_end_matches(".snap").split_once('-').unwrap();
    SnapshotId { index: index.parse().unwrap(), term: term.parse().unwrap() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p9_every_decision_of_a_real_cluster_comes_out_as_recorded() {
    let (cluster, node) = stopped().await;
    let dir = cluster.data_dir(node);
    let before: Vec<_> = files(&dir);
    let report = report(&dir);
    assert_eq!(report.named, []);
    assert_eq!((report.differences, report.other_engine), (0, 0));
    assert_eq!(report.node_id, node);
    assert_eq!(report.start_index, 1, "from the founding state on");
    assert!(report.snapshots >= 1 && report.recorded >= 100, "{report:?}");
    assert!(report.decisions >= 650 && report.commands > report.decisions, "{report:?}");
    assert_eq!(files(&dir), before, "nothing is changed");

    let told = turnwise(&["--output", "json"], &dir);
    assert!(told.status.success(), "{told:?}");
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(told["differences"], 0);
    assert_eq!(told["decisions"], report.decisions);
    assert_eq!(told["state_hash"], format!("{:032x}", report.state_hash));
    assert_eq!(told["cluster_id"], cluster.cluster_id.to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p9_behind_a_compacted_log_it_goes_on_from_the_oldest_snapshot_to_the_newest() {
    let (cluster, node) = stopped_with_a_compacted_log().await;
    let dir = cluster.data_dir(node);
    let found = report(&dir);
    assert_eq!((&found.named, found.differences, found.other_engine), (&vec![], 0, 0));
    assert!(found.start_index > 1, "from a snapshot, not from the founding state: {found:?}");
    assert!(found.start_index < newest(&dir).index, "not from the newest one: {found:?}");
    assert!(found.snapshots >= 1 && found.recorded >= 100, "{found:?}");
    assert!(found.decisions >= 50, "{found:?}");

    // What the newest snapshot says of one decision: that another rep got the contact.
    let copy = cluster.path("copy");
    copy_dir(&dir, &copy);
    let named = {
        let disk = Arc::new(RealDisk::open(&copy).unwrap());
        let store = SnapshotStore::open(disk, cluster.cluster_id.0, 1).unwrap();
        let id = newest(&copy);
        let mut state: State = turnwise::consensus::driver::load_snapshot(&store, id).unwrap();
        let meta = store.open_snapshot(id).unwrap().meta().to_vec();
        let team = TeamId::new("sales");
        let all = state.assignments(&team, &AssignmentFilter::default(), None, 1).unwrap();
        let (assignment, rep) = (all[0].id, all[0].rep.clone().unwrap());
        let other = if rep == RepId::new("r0") { "r1" } else { "r0" };
        let to = Some(RepId::new(other));
        let operation = Operation::ReassignAssignment { assignment, to };
        let principal = Principal::default();
        let change = Change { request: None, principal, team, etag: None, operation };
        let position = LogPosition { log_index: id.index, seq: 9_999, term: id.term };
        state.apply(&change, Stamp { time: state.time(), position }).unwrap();
        write_snapshot(&store, id, &meta, &state).unwrap();
        format!("teams/sales/assignments/{assignment}")
    };
    let tampered = report(&copy);
    let what: Vec<_> = tampered.named.iter().map(|it| it.what.clone()).collect();
    assert_eq!(what, [named, "snapshot".to_owned()]);
    assert_eq!(tampered.start_index, found.start_index);
}

/// Names and lengths.
fn files(dir: &Path) -> Vec<(String, u64)> {
    let file = |entry: fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len())
    };
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| file(entry.unwrap())).collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_the_log_does_not_lead_to_is_found() {
    let (cluster, node) = stopped().await;
    let dir = cluster.path("copy");
    copy_dir(&cluster.data_dir(node), &dir);
    let id = newest(&dir);
    {
        let disk = Arc::new(RealDisk::open(&dir).unwrap());
        let store = SnapshotStore::open(disk, cluster.cluster_id.0, 1).unwrap();
        let mut state: State = turnwise::consensus::driver::load_snapshot(&store, id).unwrap();
        let meta = store.open_snapshot(id).unwrap().meta().to_vec();
        // One contact more than the log has, as a bit that flipped in memory might make it.
        let team = TeamId::new("sales");
        let extra = Assign::new(ContactId::new("nobody"), Via::DefaultRule);
        let change = Change {
            request: None,
            principal: Principal::default(),
            team,
            etag: None,
            operation: Operation::AssignContact(extra),
        };
        let position = LogPosition { log_index: id.index, seq: 9_999, term: id.term };
        state.apply(&change, Stamp { time: state.time(), position }).unwrap();
        write_snapshot(&store, id, &meta, &state).unwrap();
    }
    let report = report(&dir);
    let what: Vec<_> = report.named.iter().map(|it| (it.index, it.what.clone())).collect();
    let extra = format!("teams/sales/assignments/{}-9999", id.index);
    assert_eq!(what, [(id.index, extra.clone()), (id.index, "snapshot".to_owned())]);

    let told = turnwise(&[], &dir);
    assert_eq!(told.status.code(), Some(EXIT_FAULT));
    let (out, err) =
        (String::from_utf8(told.stdout).unwrap(), String::from_utf8(told.stderr).unwrap());
    assert!(out.contains(&extra), "{out}");
    assert!(err.contains("2 differences"), "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_is_told_from_a_directory_that_is_none_or_in_use() {
    let mut cluster = Cluster::start().await;
    Team::create(&cluster.client(&cluster.ids()), "sales", 3).await;
    let in_use = turnwise(&[], &cluster.data_dir(1));
    assert_eq!(in_use.status.code(), Some(EXIT_FAILED));
    let none = turnwise(&[], &cluster.path("none"));
    assert_eq!(none.status.code(), Some(EXIT_FAILED));
    assert!(!cluster.path("none").exists(), "looking makes nothing");

    cluster.terminate(1);
    assert!(cluster.exited(1).await.success());
    let dir = cluster.path("damaged");
    copy_dir(&cluster.data_dir(1), &dir);
    let segment = files(&dir).into_iter().find(|(name, _)| name.ends_with(".log")).unwrap().0;
    let mut bytes = fs::read(dir.join(&segment)).unwrap();
    bytes[600] ^= 1;
    fs::write(dir.join(&segment), bytes).unwrap();
    let damaged = turnwise(&[], &dir);
    assert_eq!(damaged.status.code(), Some(EXIT_FAULT), "{damaged:?}");
    assert_eq!(NodeId(report(&cluster.data_dir(1)).node_id), NodeId(1), "the original is sound");
}
