//! Nodes as a file of deploy/ starts them, with ports and paths of this machine.
//!
//! A dropped [`Nodes`] leaves no process and no file behind.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, File},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::{INSTALLED, PROGRAM, ports::Ports};

/// How often something is asked that is sure to come, with a pause between. Only a failure takes so long.
const ATTEMPTS: u32 = 6_000;
const PAUSE: Duration = Duration::from_millis(10);

/// A node as a file describes it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    /// Program and arguments.
    pub(crate) command: Vec<String>,
    /// Its environment.
    pub(crate) env: BTreeMap<String, String>,
    /// Files that it finds, by path.
    pub(crate) files: BTreeMap<String, String>,
    /// What exists there and is elsewhere here, longest first: addresses of others.
    pub(crate) elsewhere: Vec<(String, String)>,
}

/// A command without what the developer's shell says about a cluster.
fn clean(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TURNWISE_")) {
        command.env_remove(name);
    }
    command
}

struct Node {
    plan: Plan,
    ports: Ports,
    child: Option<Child>,
}

/// Some nodes, by the numbers from 1 on.
pub(crate) struct Nodes {
    nodes: Vec<Node>,
    folder: TempDir,
}

impl Nodes {
    /// Prepares nodes. `plan` gives that of each, and `address` where a file says that its peer port is.
    pub(crate) fn new(
        count: usize,
        plan: impl Fn(usize) -> Plan,
        address: impl Fn(usize) -> String,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports: Vec<Ports> = (0..count).map(|_| Ports::reserve().unwrap()).collect();
        let mut peers: Vec<(String, String)> = ports
            .iter()
            .zip(1..)
            .map(|(ports, number)| (address(number), ports.peer.to_string()))
            .collect();
        peers.sort_by_key(|(theirs, _)| std::cmp::Reverse(theirs.len()));
        let nodes = ports.into_iter().zip(1..).map(|(ports, number)| {
            let mut plan = plan(number);
            plan.elsewhere.extend(peers.clone());
            Node { plan, ports, child: None }
        });
        let nodes: Vec<Node> = nodes.collect();
        for number in 1..=nodes.len() {
            fs::create_dir(folder.path().join(number.to_string())).unwrap();
        }
        Self { nodes, folder }
    }

    fn node(&self, number: usize) -> &Node {
        &self.nodes[number - 1]
    }

    /// A path of this node.
    pub(crate) fn path(&self, number: usize, name: &str) -> PathBuf {
        self.folder.path().join(number.to_string()).join(name)
    }

    /// Text of a file with what is here in the place of what is there.
    pub(crate) fn here(&self, number: usize, text: &str) -> String {
        let Node { plan, ports, .. } = self.node(number);
        let mut text = text.to_owned();
        for (theirs, ours) in &plan.elsewhere {
            text = text.replace(theirs, ours);
        }
        let ports = [(7400, ports.client), (7401, ports.peer), (7402, ports.admin)];
        for (port, ours) in ports {
            for host in ["0.0.0.0", "127.0.0.1"] {
                text = text.replace(&format!("{host}:{port}"), &ours.to_string());
            }
        }
        let folder = self.path(number, "");
        let folder = folder.to_str().unwrap().trim_end_matches('/');
        for path in ["/var/lib/turnwise", "/etc/turnwise"] {
            text = text.replace(path, &format!("{folder}{path}"));
        }
        text.replace(INSTALLED, PROGRAM)
    }

    /// A command of a file, to be run as this node.
    pub(crate) fn command(&self, number: usize, words: &[String]) -> Command {
        let mut words = words.iter().map(|word| self.here(number, word));
        let mut command = clean(words.next().unwrap());
        let env = &self.node(number).plan.env;
        command
            .args(words)
            .envs(env.iter().map(|(name, value)| (name, self.here(number, value))))
            .stdin(Stdio::null());
        command
    }

    /// Gives a node other files for its next start.
    pub(crate) fn set_files(&mut self, number: usize, files: BTreeMap<String, String>) {
        self.nodes[number - 1].plan.files = files;
    }

    /// Starts a node, with its files laid where it looks for them.
    pub(crate) fn start(&mut self, number: usize) {
        self.start_with(number, |_| {});
    }

    /// The same with other words in the place of the plan's.
    pub(crate) fn start_as(&mut self, number: usize, words: &[String]) {
        self.nodes[number - 1].plan.command = words.to_vec();
        self.start(number);
    }

    /// The same with a change to its command.
    pub(crate) fn start_with(&mut self, number: usize, change: impl FnOnce(&mut Command)) {
        for (path, text) in &self.node(number).plan.files {
            let here = PathBuf::from(self.here(number, path));
            fs::create_dir_all(here.parent().unwrap()).unwrap();
            fs::write(here, self.here(number, text)).unwrap();
        }
        let log = File::create(self.path(number, "log")).unwrap();
        let mut command = self.command(number, &self.node(number).plan.command);
        command.stdout(Stdio::null()).stderr(log);
        change(&mut command);
        self.nodes[number - 1].child = Some(command.spawn().unwrap());
    }

    pub(crate) fn log(&self, number: usize) -> String {
        fs::read_to_string(self.path(number, "log")).unwrap_or_default()
    }

    pub(crate) fn client_address(&self, number: usize) -> SocketAddr {
        self.node(number).ports.client
    }

    pub(crate) fn admin_address(&self, number: usize) -> SocketAddr {
        self.node(number).ports.admin
    }

    /// Waits until `is_so` of a node that runs.
    pub(crate) fn until(&mut self, number: usize, what: &str, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..ATTEMPTS {
            if is_so(self) {
                return;
            }
            let ended = self.nodes[number - 1].child.as_mut().unwrap().try_wait().unwrap();
            assert_eq!(ended, None, "node {number} ended: {}", self.log(number));
            thread::sleep(PAUSE);
        }
        panic!("node {number} is not {what}: {}", self.log(number));
    }

    /// Waits until a command of a file, run as this node, ends with 0.
    pub(crate) fn until_worked(&mut self, number: usize, words: &[String]) {
        self.until(number, "healthy", |nodes| {
            nodes.command(number, words).output().unwrap().status.success()
        });
    }

    /// The cluster as a node sees it.
    pub(crate) fn seen_by(&self, number: usize) -> Value {
        let endpoint = self.client_address(number).to_string();
        let words = ["cluster", "status", "--output", "json", "--endpoints", &endpoint];
        let output = clean(PROGRAM).args(words).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// SIGTERM, as systemd and container engines stop a process.
    pub(crate) fn stop(&mut self, number: usize) -> ExitStatus {
        let mut child = self.nodes[number - 1].child.take().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        child.wait().unwrap()
    }

    /// Stops the leader of three nodes that serve, and shows that another one leads as it ends; then the
    /// others.
    pub(crate) fn stop_leader_first(mut self) {
        let mut leader = 0;
        self.until(1, "led by anybody", |nodes| nodes.seen_by(1)["leader"] != 0);
        // The leader's own word: a follower may not have heard yet that it changed.
        while leader == 0 {
            let says = |number: &usize| self.seen_by(*number)["leader"] == *number;
            leader = (1..=3).find(says).unwrap_or(0);
        }
        let status = self.stop(leader);
        let log = self.log(leader);
        assert!(status.success(), "{status}: {log}");
        assert!(log.contains("handing over") && !log.contains("nobody took over"), "{log}");
        let others: Vec<usize> = (1..=3).filter(|number| *number != leader).collect();
        let seen = self.seen_by(others[0]);
        let roles = seen["members"].as_array().unwrap().iter().map(|member| &member["role"]);
        assert!(roles.clone().any(|role| role == "LEADER"), "handed over before it ended: {seen}");
        for other in others {
            let status = self.stop(other);
            assert!(status.success(), "{status}: {}", self.log(other));
        }
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            if let Some(mut child) = node.child.take() {
                // It may have ended by itself.
                child.kill().unwrap_or_default();
                drop(child.wait());
            }
        }
        if thread::panicking() {
            for number in 1..=self.nodes.len() {
                eprintln!("--- log of node {number}\n{}", self.log(number));
            }
        }
    }
}
