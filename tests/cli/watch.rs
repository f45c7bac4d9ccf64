//! Events: listed, watched, and watched on when the node that told them is gone.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::cluster::{Cluster, signal};

/// A watch under way, line by line.
struct Watching {
    child: Child,
    lines: Box<dyn Iterator<Item = String>>,
}

impl Watching {
    fn start(cluster: &Cluster, line: &str) -> Self {
        let mut command = cluster.command(line);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        Self { child, lines: Box::new(lines) }
    }

    fn next(&mut self) -> String {
        self.lines.next().expect("the watch goes on")
    }

    /// Ends it as Ctrl-C does; what it said on stderr.
    fn stop(self) -> String {
        signal(self.child.id(), Signal::INT);
        let output = self.child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "Ctrl-C is how it is meant to end");
        String::from_utf8(output.stderr).unwrap()
    }
}

#[test]
fn events_are_listed_and_watched_as_lines_json_and_csv() {
    let cluster = Cluster::start(1);
    for line in [
        "team create t",
        "rep create ana --team t --email ana@example.com",
        "rep create bo --team t",
        "campaign create c --team t --owner lead --group default --launch",
        "assign c-1 --team t --campaign c --owner lead=x@example.com --label src=web",
    ] {
        cluster.run(line).ok();
    }
    let listed = cluster.json("events list --team t");
    let types: Vec<&str> =
        listed.as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types[..3], ["CREATED", "CREATED", "CREATED"]);
    assert!(
        types.contains(&"CAMPAIGN_STATE") && types.ends_with(&["ASSIGNMENT_ASSIGNED"]),
        "{types:?}"
    );

    // What a CRM needs to know of its contact's owner.
    let assigned = cluster.json("events list --team t --type assignment_assigned");
    let event = &assigned[0];
    for (field, expected) in [
        ("contact", Value::from("c-1")),
        ("rep", "ana".into()),
        ("rep_email", "ana@example.com".into()),
        ("owner_changed", true.into()),
        ("cause", "ROTATION".into()),
        ("state", "ASSIGNED".into()),
    ] {
        assert_eq!(event[field], expected, "{field}");
    }
    assert_eq!(event["labels"]["src"], "web");
    let from = event["log_index"].as_u64().unwrap();
    let only = cluster.json(&format!("events list --team t --from {from}"));
    assert_eq!(only.as_array().unwrap().len(), 1);

    // Watched from the start it is the same, and ends after as many as were asked for.
    let first = listed[0]["log_index"].as_u64().unwrap();
    let count = types.len();
    let watch = format!("events watch --team t --from {first} --count {count}");
    let json = cluster.run(&format!("{watch} --output json")).ok();
    let watched: Vec<Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(Value::Array(watched), listed);
    let csv = cluster.run(&format!("{watch} --output csv")).ok();
    assert_eq!(csv, cluster.run("events list --team t --output csv").ok());
    let told = cluster.run(&watch).ok();
    let last = told.lines().last().unwrap();
    assert!(
        last.ends_with("c-1 goes to ana: it was their turn (not its owner in the CRM)"),
        "{last}"
    );

    // What was said of an absence, and of an adjustment, and whom it is about.
    cluster.run("rep out-of-office bo --team t --note holiday").ok();
    cluster.run("group adjust-rotation default ana --team t --credits 2 --reason duplicate").ok();
    let events = cluster.json("events list --team t");
    let [.., away, adjusted] = events.as_array().unwrap().as_slice() else { panic!("{events}") };
    let fields = |event: &Value| ["note", "members", "credits"].map(|field| event[field].clone());
    assert_eq!(fields(away), ["holiday".into(), Value::Array(vec![]), Value::Null]);
    assert_eq!(fields(adjusted), ["duplicate".into(), Value::Array(vec!["ana".into()]), 2.into()]);
    let from = away["log_index"].as_u64().unwrap();
    let csv = cluster.run(&format!("events list --team t --from {from} --output csv")).ok();
    let ends: Vec<bool> = csv
        .lines()
        .zip(["note,members,credits", "holiday,,", "duplicate,ana,2"])
        .map(|(line, end)| line.ends_with(end))
        .collect();
    assert_eq!(ends, [true; 3], "{csv}");
    let table = cluster.run(&format!("events list --team t --from {from}")).ok();
    assert!(table.contains("holiday") && table.contains("duplicate"), "{table}");
    let lines = cluster.run(&format!("events watch --team t --from {from} --count 2")).ok();
    assert!(
        lines.contains("rep bo marked as away or back (holiday)\n")
            && lines
                .ends_with("rotation of group default adjusted: ana is owed 2 turns (duplicate)\n"),
        "{lines}"
    );

    // Nothing is missed from the very first index on, at which nothing happened yet.
    let begun = cluster.run("events watch --team t --from 1 --count 1").ok();
    assert!(told.starts_with(&begun), "{begun}");
}

#[test]
fn s1_1_a_watch_goes_on_without_a_gap_when_its_node_is_killed() {
    let cluster = Cluster::start(3);
    for line in [
        "team create t",
        "rep create ana --team t",
        "rep create bo --team t",
        "campaign create c --team t --group default --launch",
    ] {
        cluster.run(line).ok();
    }
    // The endpoints are tried in order, so the first node is the one that tells.
    let first = cluster.nodes[0]["node"].as_u64().unwrap();
    let mut before: u64 = 0;
    let last = cluster.json("events list --team t");
    for event in last.as_array().unwrap() {
        before = before.max(event["log_index"].as_u64().unwrap());
    }
    let line = format!("events watch --team t --from {} --output json", before + 1);
    let mut watching = Watching::start(&cluster, &line);
    let assign =
        |number: u32| cluster.run(&format!("assign c-{number} --team t --campaign c")).ok();
    let mut contact = || -> String {
        let event: Value = serde_json::from_str(&watching.next()).unwrap();
        event["contact"].as_str().unwrap().to_owned()
    };
    assign(1);
    assert_eq!(contact(), "c-1");
    cluster.kill(first);
    for number in 2..6 {
        assign(number);
    }
    for number in 2..6 {
        assert_eq!(contact(), format!("c-{number}"), "each once, in order");
    }
    let stderr = watching.stop();
    assert!(
        stderr.contains("connection lost") && stderr.contains("going on at log index"),
        "{stderr}"
    );
}
