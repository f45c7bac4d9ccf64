//! README.md's tour, run as it stands against `turnwise dev`: every command of the blocks marked
//! `<!-- run -->`, in order, in one cluster. Each must come out as shown, where `…` stands for anything:
//! within a line for any text, alone on a line for any lines.
//!
//! It knows nothing of what the commands mean. The Rust example of the README is run too.

#[expect(dead_code, reason = "its `main` is for users")]
#[path = "../../examples/assign.rs"]
mod example;

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

const MARK: &str = "<!-- run -->";
const ANYTHING: &str = "…";
const NODES: u16 = 3;
const ATTEMPTS_MAX: usize = 10;

/// A file of the repository.
fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(path).expect("it is part of the repository")
}

/// One command and the lines that it is to show.
#[derive(Debug, PartialEq, Eq)]
struct Shown<'a> {
    command: &'a str,
    lines: Vec<&'a str>,
}

/// The commands in the marked blocks, in order.
fn shown(readme: &str) -> Vec<Shown<'_>> {
    let mut all: Vec<Shown<'_>> = Vec::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        if line != MARK {
            continue;
        }
        assert_eq!(lines.next(), Some("```console"), "a marked block is a console");
        for line in lines.by_ref().take_while(|line| *line != "```") {
            match (line.strip_prefix("$ "), all.last_mut()) {
                (Some(command), _) => all.push(Shown { command, lines: Vec::new() }),
                (None, Some(last)) => last.lines.push(line),
                (None, None) => panic!("a marked block begins with a command, not {line:?}"),
            }
        }
    }
    all
}

/// Whether a line is as shown.
fn line_matches(shown: &str, line: &str) -> bool {
    let mut parts = shown.split(ANYTHING);
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

/// Whether lines are as shown.
fn matches(shown: &[&str], lines: &[&str]) -> bool {
    match (shown.split_first(), lines.split_first()) {
        (None, None) => true,
        (Some((&ANYTHING, more)), Some((_, rest))) => matches(more, lines) || matches(shown, rest),
        (Some((&ANYTHING, more)), None) => matches(more, lines),
        (Some((first, more)), Some((line, rest))) => {
            line_matches(first, line.trim_end()) && matches(more, rest)
        }
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// `turnwise dev`, told to stop when dropped; it ends its nodes itself.
struct Dev {
    process: Child,
    endpoints: Vec<String>,
}

impl Dev {
    /// Starts it on ports that were free a moment ago, and on others if somebody took one.
    fn start() -> Self {
        let started = (0..ATTEMPTS_MAX).find_map(|_| Self::start_at(free_ports()?));
        started.expect("three nodes start within ten attempts")
    }

    fn start_at(port: u16) -> Option<Self> {
        let mut process = Command::new(env!("CARGO_BIN_EXE_turnwise"))
            .args(["dev", "--output", "json", "--client-port", &port.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program that cargo built can be run");
        // It prints its nodes once all of them serve, and nothing if one of them can't.
        let stdout = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let mut text = String::new();
        for line in stdout.lines() {
            let line = line.expect("its output is text");
            text.push_str(&line);
            if line == "]" {
                break;
            }
        }
        if text.is_empty() {
            process.wait().expect("it ended by itself");
            return None;
        }
        let nodes: serde_json::Value = serde_json::from_str(&text).expect("it prints JSON");
        let address = |node: &serde_json::Value| node["client_address"].as_str().map(str::to_owned);
        let endpoints = nodes.as_array().into_iter().flatten().filter_map(address).collect();
        Some(Self { process, endpoints })
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let pid = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        let told = pid.map(|pid| kill_process(pid, Signal::INT));
        assert!(matches!(told, Some(Ok(()))), "it was still there to be stopped");
        self.process.wait().expect("it ends once it is told to");
    }
}

/// A port from which on everything that `dev` needs was free.
fn free_ports() -> Option<u16> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let first = bind(0).ok()?;
    let port = first.local_addr().ok()?.port();
    let needed = (0..NODES).flat_map(|node| (0..3).map(move |which| 10 * node + which)).skip(1);
    let others: Option<Vec<_>> =
        needed.map(|offset| bind(port.checked_add(offset)?).ok()).collect();
    others.map(|_| port)
}

/// What a command shows on stdout and stderr, and whether it worked.
fn run(command: &str, folder: &Path, dev: &Dev) -> (String, bool) {
    let program = Path::new(env!("CARGO_BIN_EXE_turnwise"));
    let programs = program.parent().expect("a program lies in a folder").display();
    let path = std::env::var("PATH").unwrap_or_default();
    let (mut reader, writer) = std::io::pipe().expect("a pipe can be made");
    let mut child = Command::new("bash")
        .args(["-euo", "pipefail", "-c", command])
        .current_dir(folder)
        .env("PATH", format!("{programs}:{path}"))
        .env("TURNWISE_ENDPOINTS", dev.endpoints.join(","))
        .stdin(Stdio::null())
        .stdout(writer.try_clone().expect("a pipe can be shared"))
        .stderr(writer)
        .spawn()
        .expect("bash runs");
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("what it shows is text");
    (text, child.wait().expect("it ends").success())
}

#[test]
fn every_command_of_the_tour_comes_out_as_shown() {
    let readme = file("README.md");
    let tour = shown(&readme);
    assert!(tour.len() > 10, "the tour is found");
    let dev = Dev::start();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for Shown { command, lines } in tour {
        let (text, worked) = run(command, folder.path(), &dev);
        let got: Vec<&str> = text.lines().collect();
        assert!(matches(&lines, &got), "$ {command}\nshown:\n{}\ngot:\n{text}", lines.join("\n"));
        let refused = lines.iter().any(|line| line.starts_with("error: "));
        assert_eq!(worked, !refused, "$ {command}\nits exit code is not what it says:\n{text}");
    }
    // The example is for a cluster after the tour.
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let assigned = runtime.block_on(example::assign(&dev.endpoints, "c-17"));
    assert_eq!(assigned.expect("the example's call works").contact, "c-17");
}

#[test]
fn the_readme_shows_the_example_as_it_is() {
    let example = file("examples/assign.rs");
    let body = example.split_once("\n\nuse ").map_or("", |(_, body)| body);
    let block = format!("```rust\nuse {body}```\n");
    assert!(file("README.md").contains(&block), "README.md has another example");
}

#[test]
fn what_is_shown_bites() {
    for (wanted, line, is_same) in [
        ("rep  ana", "rep  ana", true),
        ("rep  ana", "rep  bo", false),
        ("rep  ana", "rep  ana b", false),
        ("at …", "at 12:00", true),
        ("from … until …;", "from 1 until 2;", true),
        ("from … until …;", "from 1 to 2;", false),
        ("…", "anything", true),
    ] {
        assert_eq!(line_matches(wanted, line), is_same, "{wanted:?} {line:?}");
    }
    for (wanted, lines, is_same) in [
        (&["a", "b"][..], &["a", "b"][..], true),
        (&["a", "b"], &["a"], false),
        (&["a"], &["a", "b"], false),
        (&["…"], &[], true),
        (&["…", "c", "…"], &["a", "b", "c"], true),
        (&["…", "d", "…"], &["a", "b", "c"], false),
        (&[], &["a"], false),
    ] {
        assert_eq!(matches(wanted, lines), is_same, "{wanted:?} {lines:?}");
    }
    let text = "<!-- run -->\n```console\n$ a\nb\n$ c\n```\n```console\n$ d\n```\n";
    let expected =
        [Shown { command: "a", lines: vec!["b"] }, Shown { command: "c", lines: Vec::new() }];
    assert_eq!(shown(text), expected);
}
