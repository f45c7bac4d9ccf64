//! `turnwise health` and `turnwise cluster status`: what an operator looks at first.

use serde_json::{Value, json};

use crate::cluster::{Cluster, Ran, turnwise};

#[test]
fn health_is_0_only_while_every_node_that_was_named_serves() {
    let cluster = Cluster::start(3);
    let serving = cluster.json("health --wait");
    let states: Vec<_> = serving.as_array().unwrap().iter().map(|node| &node["state"]).collect();
    assert_eq!(states, ["SERVING"; 3]);
    let leader = cluster.leader();
    let others: Vec<u64> = (1..=3).filter(|node| *node != leader).collect();
    for node in &others {
        cluster.kill(*node);
    }
    let gone = cluster.run("health").failed(1);
    let dead = format!("{} is UNREACHABLE", cluster.endpoint(others[0]));
    assert!(gone.contains(&dead) && gone.contains("/readyz"), "{gone}");
    // Without a majority it lives and does not serve.
    let left = cluster.endpoint(leader);
    let ask =
        |flags: &[&str]| Ran::of(turnwise().arg("health").args(["--endpoints", &left]).args(flags));
    ask(&["--alive"]).ok();
    while ask(&[]).code == 0 {}
    let waited = ask(&["--wait", "--deadline", "300ms"]).failed(1);
    assert!(waited.contains("NOT_SERVING"), "{waited}");
    let wrong = Ran::of(turnwise().args(["health", "--endpoints", "no where"])).failed(2);
    assert!(wrong.contains("--endpoints"), "{wrong}");
}

#[test]
fn the_status_fits_a_line_and_tells_of_a_node_that_is_gone() {
    let cluster = Cluster::start(3);
    let leader = cluster.leader();
    let endpoint = cluster.endpoint(leader);
    let ask = |flags: &str| {
        let line = format!("cluster status --endpoints {endpoint} {flags}");
        Ran::of(turnwise().args(line.split_whitespace())).ok()
    };
    let json = || -> Value { serde_json::from_str(&ask("--output json")).unwrap() };
    let member = |id: u64| {
        let members = json()["members"].as_array().unwrap().clone();
        members.into_iter().find(|member| member["node"] == id).unwrap()
    };
    let dead = (1..=3).find(|node| *node != leader).unwrap();
    assert!(member(dead)["last_contact"].is_string(), "a leader hears from its followers");
    assert_eq!(member(leader)["last_contact"], Value::Null, "it does not hear from itself");
    let table = ask("");
    for line in table.lines() {
        assert!(line.chars().count() <= 70, "with borders it fits 80 characters: {line}");
    }
    let row = |id: u64| {
        let starts = format!("{id} ");
        let table = ask("");
        let row = table.lines().find(|line| line.trim_start().starts_with(&starts));
        row.unwrap_or_else(|| panic!("{table}")).to_owned()
    };
    assert!(row(leader).contains("LEADER") && row(leader).ends_with("iB"), "{table}");
    assert!(row(dead).contains("FOLLOWER"), "{table}");

    cluster.kill(dead);
    while member(dead)["reachable"] == true {}
    let gone = row(dead);
    assert!(gone.contains("UNREACHABLE") && !gone.contains("iB"), "{gone}");
    let age = member(dead)["last_contact"].clone();
    assert!(age.is_string(), "and how long ago that was: {age}");
    let hashes = ask("--at-applied-index");
    assert!(hashes.lines().next().unwrap().contains("state_hash"), "{hashes}");
    let csv = ask("--output csv");
    assert_eq!(
        (json()["version"].clone(), json()["raise_waits_for"].clone()),
        (2.into(), json!([]))
    );
    assert_eq!(member(leader)["version_max"], 2, "what its program has");
    assert!(csv.starts_with("node,role,reachable,") && csv.contains(",disk_free_bytes,"), "{csv}");
}
