//! The commands of docs/OPERATIONS.md, run as they stand, in a folder that stands for `/var/lib`.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use crate::cluster::{Cluster, Ran, turnwise};

/// The commands of the page under each mark, in order: how they are to be run, and their text.
fn commands() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/OPERATIONS.md");
    let page = fs::read_to_string(path).unwrap();
    let mut commands = Vec::new();
    let (mut mark, mut is_block) = (None, false);
    for line in page.lines() {
        if let Some(how) = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")) {
            mark = Some(how.to_owned());
        } else if line.starts_with("```") {
            is_block = !is_block;
            assert!(!is_block || mark.is_some(), "a block without a mark is looked at by nobody");
            if !is_block {
                mark = None;
            }
        } else if is_block {
            let command = line.strip_prefix("$ ").expect("a block has nothing but commands");
            commands.push((mark.clone().unwrap(), command.to_owned()));
        }
    }
    commands
}

fn run(command: &str, endpoints: &str) -> Output {
    let programs = Path::new(env!("CARGO_BIN_EXE_turnwise")).parent().unwrap().display();
    let path = std::env::var("PATH").unwrap();
    let mut bash = Command::new("bash");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TURNWISE_")) {
        bash.env_remove(name);
    }
    bash.args(["-euo", "pipefail", "-c", command])
        .env("PATH", format!("{programs}:{path}"))
        .env("TURNWISE_ENDPOINTS", endpoints)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap()
}

/// What needs something that is not here can't be run. Its files are there, and its `turnwise` commands are
/// ones.
fn looks_right(command: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in command.split(' ').filter(|word| word.starts_with("deploy/")) {
        assert!(root.join(path).exists(), "$ {command}\nthere is no {path}");
    }
    // Typed as it is, in a container, or for its output; `docker run IMAGE` leaves the name out.
    let starts =
        ["turnwise ", "-- turnwise ", "node-1 turnwise ", "$(turnwise ", "--rm turnwise:0.1.0 "];
    for start in starts {
        let words = match start {
            "turnwise " => command.strip_prefix(start),
            within => command.split_once(within).map(|(_, rest)| rest),
        };
        if let Some(words) = words.and_then(|words| words.split(')').next()) {
            let ran = Ran::of(turnwise().args(words.split(' ')).arg("--help"));
            assert_eq!(ran.code, 0, "$ {command}\n{}", ran.stderr);
        }
    }
}

#[test]
fn every_command_of_the_page_does_what_it_says() {
    let cluster = Cluster::start(3);
    for line in ["team create t", "rep create ana --team t"] {
        cluster.run(line).ok();
    }
    let endpoints = cluster.endpoint(2);
    let hash = cluster.json("cluster status --at-applied-index");
    // Others may not have heard yet that it is committed.
    let mut members = hash["members"].as_array().unwrap().iter();
    let leader = members.find(|member| member["role"] == "LEADER").unwrap();
    let hash = leader["state_hash"].as_str().unwrap().to_owned();
    let mut cluster = Some(cluster);
    let folder = tempfile::tempdir().unwrap();
    let lib = folder.path().to_str().unwrap().to_owned();
    fs::create_dir(folder.path().join("backup")).unwrap();

    let commands = commands();
    assert!(commands.len() >= 7, "{commands:?}");
    for (how, command) in commands {
        if let Some(what) = how.strip_prefix("needs: ") {
            assert!(["systemd", "docker", "kubernetes"].contains(&what), "{what}");
            looks_right(&command);
            continue;
        }
        let here = command.replace("/var/lib", &lib);
        if command.contains("--from-data-dir")
            && let Some(cluster) = cluster.take()
        {
            // Two of three are lost.
            let nodes = cluster.stop();
            fs::rename(nodes.path().join("node-2"), folder.path().join("turnwise")).unwrap();
        }
        let (line, code) = match how.as_str() {
            "run" => (here, 0),
            "run: asks" => (here, 1),
            // It would not end by itself.
            "parse" => (format!("{here} --help"), 0),
            other => panic!("`{other}` is not known"),
        };
        let ran = run(&line, &endpoints);
        assert_eq!(ran.status.code(), Some(code), "$ {command}\n{ran:?}");
    }
    for made in ["turnwise-new", "turnwise-recovered"] {
        let path = folder.path().join(made);
        let verified = Ran::of(turnwise().args(["verify", "--output", "json"]).arg(path)).ok();
        assert!(verified.contains(&hash), "{made}: {verified}");
    }
}
