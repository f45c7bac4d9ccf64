//! `turnwise demo`: what it proves, that it would notice otherwise, and that it cleans up.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpStream,
    process::Stdio,
};

use rustix::process::Signal;
use serde_json::Value;

use crate::cluster::{Ran, signal, turnwise};

#[test]
fn a_leader_killed_under_load_loses_nothing_and_the_figures_say_so() {
    let temporary = tempfile::tempdir().unwrap();
    let ran =
        Ran::of(turnwise().args(["demo", "--output", "json"]).env("TMPDIR", temporary.path()));
    let stderr = ran.stderr.clone();
    let figures: Value = serde_json::from_str(&ran.ok()).unwrap();
    for (name, expected) in [
        ("acknowledged", Value::from(2_000)),
        ("duplicates", Value::from(0)),
        ("lost", Value::from(0)),
        ("out_of_order", Value::from(0)),
        ("state_hashes_agree", Value::from(true)),
        ("passed", Value::from(true)),
    ] {
        assert_eq!(figures[name], expected, "{name}");
    }
    assert!(figures["leader_changes"].as_u64().unwrap() >= 1, "{figures}");
    assert!(figures["ms_from_kill_to_next_success"].is_u64(), "{figures}");
    let contacts: u64 = figures["groups"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|group| group["reps"].as_array().unwrap())
        .map(|rep| rep["contacts"].as_u64().unwrap())
        .sum();
    assert_eq!(contacts, 2_000);
    for told in
        ["nodes are up", "out of office", "SIGKILL", "served again", "started again", "is back"]
    {
        assert!(stderr.contains(told), "`{told}` was not told:\n{stderr}");
    }
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0, "it cleans up");
}

/// Runs it with falsified answers; each has to end with 1 and to name what is wrong.
#[track_caller]
fn noticed(how: &str, figure: &str) {
    let ran = Ran::of(turnwise().args(["demo", "--output", "json", "--break", how]));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let figures: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(figures[figure].as_u64().unwrap() > 0, "{figures}");
    assert_eq!(figures["passed"], false);
    assert!(ran.stderr.contains("error: it did not hold"), "{}", ran.stderr);
}

#[test]
fn a_contact_acknowledged_twice_would_be_noticed() {
    noticed("duplicate", "duplicates");
}

#[test]
fn a_pick_out_of_turn_would_be_noticed() {
    noticed("order", "out_of_order");
}

#[test]
fn an_acknowledged_assignment_that_is_lost_would_be_noticed() {
    noticed("lose", "lost");
}

#[test]
fn ctrl_c_in_the_middle_leaves_no_process_and_no_file() {
    let temporary = tempfile::tempdir().unwrap();
    let mut demo = turnwise()
        .arg("demo")
        .env("TMPDIR", temporary.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(demo.stderr.take().unwrap()).lines().map(Result::unwrap);
    let up = told.find(|line| line.contains("nodes are up: ")).unwrap();
    let endpoints: Vec<&str> = up
        .split_once("up: ")
        .unwrap()
        .1
        .split_whitespace()
        .filter(|word| word.contains(':'))
        .collect();
    assert_eq!(endpoints.len(), 3);
    told.find(|line| line.contains("out of office")).unwrap();
    signal(demo.id(), Signal::INT);
    assert_eq!(demo.wait().unwrap().code(), Some(130));
    for endpoint in endpoints {
        assert!(TcpStream::connect(endpoint).is_err(), "{endpoint} still answers");
    }
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
}
