//! The unit: it starts a node that tells systemd when it serves and when it stops, and it allows what the node
//! needs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::net::UnixDatagram,
    process::Command,
    time::Duration,
};

use crate::{
    INSTALLED, PROGRAM, file,
    nodes::{Nodes, Plan},
    tool,
};

const UNIT: &str = "deploy/systemd/turnwise.service";
const CONFIG: &str = "deploy/systemd/turnwise.toml";
const CONFIG_AT: &str = "/etc/turnwise/turnwise.toml";

/// Directives in order: section, name, value.
fn unit() -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut all = Vec::new();
    let text = file(UNIT);
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_owned();
        } else {
            let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("{line}"));
            all.push((section.clone(), name.to_owned(), value.to_owned()));
        }
    }
    all
}

/// The values of a directive of the service.
fn of_service(name: &str) -> Vec<String> {
    let is_it =
        |(section, each, _): &&(String, String, String)| section == "Service" && each == name;
    unit().iter().filter(is_it).map(|(_, _, value)| value.clone()).collect()
}

/// What it runs.
pub(crate) fn command() -> Vec<String> {
    let [line] = <[String; 1]>::try_from(of_service("ExecStart")).unwrap();
    line.split(' ').map(str::to_owned).collect()
}

/// The configuration as it is on machine `number`: the file says what differs.
fn config(number: usize) -> String {
    let mine = format!("10.0.0.{number}");
    file(CONFIG)
        .replace("node_id = 1\n", &format!("node_id = {number}\n"))
        .replace("_address = \"10.0.0.1", &format!("_address = \"{mine}"))
}

fn plan(number: usize) -> Plan {
    // The client address is not that of a member; the peer address is.
    let text = config(number).replace(&format!("10.0.0.{number}:7400"), "127.0.0.1:7400");
    let files = BTreeMap::from([(CONFIG_AT.to_owned(), text)]);
    Plan { command: command(), files, ..Plan::default() }
}

fn nodes() -> Nodes {
    Nodes::new(3, plan, |number| format!("10.0.0.{number}:7401"))
}

#[test]
fn three_machines_with_the_unit_and_its_configuration_form_a_cluster() {
    let mut nodes = nodes();
    (1..=3).for_each(|number| nodes.start(number));
    for number in 1..=3 {
        let endpoint = nodes.client_address(number).to_string();
        let health = [INSTALLED, "health", "--endpoints", &endpoint].map(str::to_owned);
        nodes.until_worked(number, &health);
    }
    nodes.stop_leader_first();
}

/// What the service manager was told next.
fn told(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 4_096];
    let len = socket.recv(&mut bytes).expect("the node tells of itself within a minute");
    String::from_utf8(bytes[..len].to_vec()).unwrap()
}

#[test]
fn systemd_is_told_when_a_node_serves_and_when_it_stops() {
    assert_eq!(of_service("Type"), ["notify"]);
    assert_eq!(of_service("NotifyAccess"), ["main"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut nodes = nodes();
    // One of three: it must not wait for the others, whose start may wait for its own.
    nodes.start_with(1, |command| {
        command.env("NOTIFY_SOCKET", &path);
    });
    assert_eq!(told(&socket), "READY=1\n");
    // It serves from then on: the first call is answered, though nobody leads.
    let seen = nodes.seen_by(1);
    assert_eq!(seen["members"][0]["reachable"], true, "{seen}");
    assert_eq!(seen["leader"], 0);
    let status = nodes.stop(1);
    assert!(status.success(), "{status}: {}", nodes.log(1));
    assert_eq!(told(&socket), "STOPPING=1\n");
    socket.set_nonblocking(true).unwrap();
    assert!(socket.recv(&mut [0; 16]).is_err(), "and nothing else");
}

#[test]
fn a_node_whose_manager_does_not_listen_serves_all_the_same() {
    let mut nodes = nodes();
    nodes.start_with(1, |command| {
        command.env("NOTIFY_SOCKET", "/nowhere/notify");
    });
    nodes.until(1, "told", |nodes| nodes.log(1).contains("the service manager could not be told"));
    assert_eq!(nodes.seen_by(1)["members"][0]["reachable"], true);
}

#[test]
fn a_node_that_does_not_get_to_serve_does_not_say_that_it_is_ready() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut nodes = nodes();
    nodes.start(1);
    nodes.until(1, "serving", |nodes| nodes.log(1).contains("serving"));
    // A second one in the same data directory, on the same ports.
    let mut second = nodes.command(1, &command());
    let output = second.env("NOTIFY_SOCKET", &path).output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    socket.set_nonblocking(true).unwrap();
    assert!(socket.recv(&mut [0; 16]).is_err(), "nothing was told");
}

#[test]
fn the_unit_stops_as_the_node_does_and_keeps_its_data_to_itself() {
    assert_eq!(of_service("KillSignal"), ["SIGTERM"]);
    assert_eq!(of_service("User"), ["turnwise"]);
    assert_eq!(of_service("StateDirectory"), ["turnwise"]);
    assert_eq!(of_service("StateDirectoryMode"), ["0700"]);
    assert!(file(CONFIG).contains("data_dir = \"/var/lib/turnwise\""));
    assert!(file("deploy/systemd/turnwise.sysusers").contains("\nu turnwise "));
    let stop: u64 = of_service("TimeoutStopSec")[0].trim_end_matches('s').parse().unwrap();
    // Five seconds for calls that are under way: `DRAIN_MAX`.
    assert!(stop >= 5 + 5, "{stop} s");
    // A wrong configuration exits with 2 and is not tried again.
    assert_eq!(of_service("RestartPreventExitStatus"), ["2"]);
    // The place of the credential is the one that systemd makes.
    assert!(file(UNIT).contains("#LoadCredential=admin-token:"));
    assert!(file(CONFIG).contains("/run/credentials/turnwise.service/admin-token"));
}

#[test]
fn systemd_understands_every_line_and_finds_little_to_lock_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("turnwise.service");
    fs::write(&path, file(UNIT).replace(INSTALLED, PROGRAM)).unwrap();
    let path = path.to_str().unwrap();
    if let Some(said) = tool("systemd-analyze", &["verify", "--man=no", path]) {
        // About other units of this machine it may say what it likes.
        let ours: Vec<&str> = said.lines().filter(|line| line.contains("turnwise")).collect();
        assert_eq!(ours, [""; 0]);
    }
    tool("systemd-analyze", &["security", "--offline=yes", "--threshold=15", path]);
}

/// Every system call of a set, as systemd knows it.
fn syscalls(set: &str) -> Option<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    for line in tool("systemd-analyze", &["syscall-filter", set])?.lines().skip(1) {
        let line = line.trim();
        if line.starts_with('@') {
            all.extend(syscalls(line)?);
        } else if !line.starts_with('#') && !line.is_empty() {
            all.insert(line.to_owned());
        }
    }
    Some(all)
}

#[test]
fn a_node_makes_no_system_call_and_no_socket_that_the_unit_forbids() {
    let mut allowed = BTreeSet::new();
    for filter in of_service("SystemCallFilter") {
        let (is_kept, sets) = match filter.strip_prefix('~') {
            Some(rest) => (false, rest),
            None => (true, filter.as_str()),
        };
        for set in sets.split(' ') {
            let Some(calls) = syscalls(set) else { return };
            if is_kept {
                allowed.extend(calls);
            } else {
                allowed.retain(|call| !calls.contains(call));
            }
        }
    }
    if Command::new("strace").arg("--version").output().is_err() {
        eprintln!("skipped: there is no `strace` here");
        return;
    }
    // From its start over its first calls to its end.
    let mut nodes = nodes();
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    // -D: the node is our child, and stops as it would without.
    let strace = ["strace", "-D", "-f", "-o", trace.to_str().unwrap()].map(str::to_owned);
    let traced = [strace.to_vec(), command()].concat();
    nodes.start_as(1, &traced);
    (2..=3).for_each(|number| nodes.start(number));
    let endpoint = nodes.client_address(1).to_string();
    let health = [INSTALLED, "health", "--endpoints", &endpoint].map(str::to_owned);
    nodes.until_worked(1, &health);
    assert!(nodes.seen_by(1)["members"][0]["disk_free_bytes"].is_u64());
    nodes.stop_leader_first();
    let families: BTreeSet<String> =
        of_service("RestrictAddressFamilies")[0].split(' ').map(str::to_owned).collect();
    // Who traces ends after the node.
    let text = loop {
        let text = fs::read_to_string(&trace).unwrap();
        if text.trim_end().ends_with("+++ exited with 0 +++") {
            break text;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let mut made = BTreeSet::new();
    for line in text.lines() {
        let Some((_process, call)) = line.trim_start().split_once(' ') else { continue };
        let Some((name, rest)) = call.trim_start().split_once('(') else { continue };
        if name.starts_with('<') || name.contains([' ', '-', '+']) {
            continue;
        }
        made.insert(name.to_owned());
        if name == "socket" {
            let family = rest.split(',').next().unwrap();
            assert!(families.contains(family), "{line}");
        }
        let is_both = rest.contains("PROT_WRITE|PROT_EXEC");
        assert!(!is_both, "MemoryDenyWriteExecute: {line}");
    }
    assert!(made.contains("fdatasync") && made.contains("accept4"), "{made:?}");
    let forbidden: Vec<_> = made.difference(&allowed).collect();
    // The exec is systemd's own, and strace's here.
    assert_eq!(forbidden, [""; 0], "the unit forbids what the node does");
}
