//! `backup`, `restore` and `recover` as they are typed: exit codes, refusals, what is left behind.

use std::{fs, path::Path};

use serde_json::Value;

use crate::cluster::{Cluster, Ran, turnwise};

const NEW: &str = "00112233445566778899aabbccddeeff";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A line about one new member in `dir`, at the end of which `more` stands.
fn member<'a>(command: &[&'a str], dir: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    let member = ["--node-id", "1", "--members", "1=127.0.0.1:7401", "--data-dir", text(dir)];
    [command, &member, more].concat()
}

#[test]
fn a_backup_is_taken_verified_and_restored() {
    let cluster = Cluster::start(1);
    cluster.run("team create t").ok();
    let file = cluster.path("a.turnwise");
    let taken = cluster.json(&format!("backup {}", text(&file)));
    assert_eq!(taken["teams"], 1);
    assert_eq!(taken["file"], text(&file));
    assert!(taken["taken_time"].is_string() && taken["leader_time"].is_string());

    let again = cluster.run(&format!("backup {}", text(&file))).failed(1);
    assert!(again.contains("is there already") && again.contains("--force"), "{again}");
    cluster.run("team create u").ok();
    let forced = cluster.json(&format!("backup --force {}", text(&file)));
    assert_eq!(forced["teams"], 2);
    let nowhere = cluster.run(&format!("backup {}/none/a", text(&file))).failed(1);
    assert!(nowhere.contains("cannot create"), "{nowhere}");

    // Verifying and restoring need no node.
    let folder = cluster.stop();
    let file = folder.path().join("a.turnwise");
    let verified =
        Ran::of(turnwise().args(["backup", "verify", text(&file), "--output", "json"])).ok();
    assert_eq!(serde_json::from_str::<Value>(&verified).unwrap()["log_index"], forced["log_index"]);
    let dir = folder.path().join("new");
    let line = ["restore", text(&file), "--new-cluster", NEW];
    let ran = Ran::of(turnwise().args(member(&line, &dir, &["--output", "json"])));
    let next = format!("turnwise serve --node-id 1 --cluster-id {NEW} --data-dir {}", text(&dir));
    assert!(ran.stderr.contains(&next), "{}", ran.stderr);
    let restored: Value = serde_json::from_str(&ran.ok()).unwrap();
    assert_eq!(restored["backup_index"], forced["log_index"]);

    let again = Ran::of(turnwise().args(member(&line, &dir, &[]))).failed(1);
    assert!(again.contains("is not empty"), "{again}");
    let old = forced["cluster_id"].as_str().unwrap();
    let line = ["restore", text(&file), "--new-cluster", old];
    let other = folder.path().join("other");
    let same = Ran::of(turnwise().args(member(&line, &other, &[]))).failed(1);
    assert!(same.contains("turnwise cluster new-id"), "{same}");
    assert!(!other.exists());
}

#[test]
fn a_damaged_backup_exits_4_and_makes_nothing() {
    let cluster = Cluster::start(1);
    cluster.run("team create t").ok();
    let file = cluster.path("a.turnwise");
    cluster.run(&format!("backup {}", text(&file))).ok();
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let dir = cluster.path("new");
    let line = ["restore", text(&file), "--new-cluster", NEW];
    for line in [vec!["backup", "verify", text(&file)], member(&line, &dir, &[])] {
        let refused = Ran::of(turnwise().args(line)).failed(4);
        assert!(refused.contains("is damaged at byte"), "{refused}");
    }
    assert!(!dir.exists());
    fs::write(&file, &bytes[..middle]).unwrap();
    let short = Ran::of(turnwise().args(["backup", "verify", text(&file)])).failed(4);
    assert!(short.contains("is damaged at byte"), "{short}");
    let none = Ran::of(turnwise().args(["backup", "verify", "no-such-file"])).failed(1);
    assert!(none.contains("cannot open no-such-file"), "{none}");
}

#[test]
fn without_a_node_there_is_no_backup_and_nothing_is_left_behind() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.turnwise");
    let endpoint = format!("127.0.0.1:{port}");
    let line = ["backup", text(&file), "--deadline", "300ms", "--endpoints", &endpoint];
    let stderr = Ran::of(turnwise().args(line)).failed(3);
    assert!(stderr.contains(&endpoint), "{stderr}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn wrong_usage_exits_2_and_names_the_flag() {
    let dir = Path::new("never-made");
    let at = |line: &[&str]| Ran::of(turnwise().args(line)).failed(2);
    assert!(at(&["backup"]).contains("FILE"));
    assert!(at(&["backup", "verify"]).contains("FILE"));
    let restore = ["restore", "f", "--new-cluster", "5"];
    assert!(at(&member(&restore, dir, &[])).contains("turnwise cluster new-id"));
    let no_members =
        ["restore", "f", "--new-cluster", NEW, "--node-id", "1", "--data-dir", text(dir)];
    assert!(at(&no_members).contains("--members"));
    let stranger = ["restore", "f", "--new-cluster", NEW, "--node-id", "2", "--members"];
    let stranger = [&stranger[..], &["1=127.0.0.1:7401", "--data-dir", text(dir)]].concat();
    assert!(at(&stranger).contains("this node, 2, is not among the members"));
    let no_source = ["recover", "--new-cluster", NEW];
    assert!(at(&member(&no_source, dir, &[])).contains("--from-data-dir"));
    assert!(!dir.exists());
}

#[test]
fn recover_refuses_what_is_no_directory_of_a_node() {
    let folder = tempfile::tempdir().unwrap();
    let (none, empty) = (folder.path().join("none"), folder.path().join("empty"));
    fs::create_dir(&empty).unwrap();
    let dir = folder.path().join("new");
    for (from, word) in [(&none, "not found"), (&empty, "holds no log")] {
        let line = ["recover", "--from-data-dir", text(from), "--new-cluster", NEW, "--yes"];
        let refused = Ran::of(turnwise().args(member(&line, &dir, &[]))).failed(1);
        assert!(refused.contains(word), "{refused}");
        assert!(refused.contains("a stopped node of the old cluster"), "{refused}");
    }
    assert!(!none.exists() && !dir.exists());
}
