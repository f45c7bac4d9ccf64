//! `turnwise dev`: what it prints works, and what was done in it is there the next time.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use rustix::process::Signal;

use crate::cluster::{Cluster, Ran, signal, turnwise};

#[test]
fn every_command_that_it_prints_works_when_pasted() {
    let folder = tempfile::tempdir().unwrap();
    let mut dev = turnwise()
        .args(["dev", "--client-port", "0", "--data"])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(dev.stdout.take().unwrap()).lines().map(Result::unwrap);
    let printed: Vec<String> =
        lines.take_while(|line| !line.contains("Ctrl-C stops all")).collect();
    assert!(printed.iter().any(|line| line.contains("not for production")), "{printed:#?}");
    let is_command = |line: &&String| line.starts_with("export ") || line.starts_with('/');
    let script: Vec<&str> = printed.iter().filter(is_command).map(String::as_str).collect();
    assert!(script.len() > 5, "{printed:#?}");
    let stdout = Ran::of(Command::new("sh").args(["-ec", &script.join("\n")])).ok();
    assert!(stdout.contains("it was their turn"), "{stdout}");
    assert!(stdout.contains("they own the contact"), "{stdout}");
    signal(dev.id(), Signal::INT);
    assert_eq!(dev.wait().unwrap().code(), Some(0), "Ctrl-C is how it is meant to end");
}

#[test]
fn with_data_it_goes_on_where_it_stopped_and_only_with_as_many_nodes() {
    let cluster = Cluster::start(3);
    cluster.run("team create sales --name Vertrieb").ok();
    let created = cluster.json("team get sales");
    let folder = cluster.stop();
    let other_size = Ran::of(turnwise().args(["dev", "--nodes", "1", "--data"]).arg(folder.path()));
    assert!(other_size.failed(2).contains("--nodes 3"));
    let cluster = Cluster::start_in(3, folder);
    assert_eq!(cluster.json("team get sales"), created);
}
