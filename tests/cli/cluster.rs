//! A cluster for a test, through `turnwise dev`, and commands against it.

use std::{
    io::Read as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// The command under test, without what the developer's shell says about a cluster.
pub(crate) fn turnwise() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turnwise"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TURNWISE_") {
            command.env_remove(name);
        }
    }
    command
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Its stdout, if it exited 0.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}\n{}", self.stdout, self.stderr);
        self.stdout
    }

    /// Its stderr, if it exited with this code.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "", "stdout is data only");
        self.stderr
    }
}

/// A `turnwise dev` that is up.
pub(crate) struct Cluster {
    dev: Child,
    pub(crate) nodes: Vec<Value>,
    pub(crate) folder: TempDir,
}

impl Cluster {
    pub(crate) fn start(nodes: u16) -> Self {
        Self::start_in(nodes, tempfile::tempdir().unwrap())
    }

    pub(crate) fn start_in(nodes: u16, folder: TempDir) -> Self {
        let mut dev = turnwise()
            .args(["dev", "--client-port", "0", "--output", "json"])
            .args(["--nodes", &nodes.to_string(), "--data"])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It prints one JSON list when all nodes serve, and then nothing more.
        let (mut text, mut byte) = (Vec::new(), [0]);
        let mut stdout = dev.stdout.take().unwrap();
        while !text.ends_with(b"\n]\n") {
            assert_eq!(stdout.read(&mut byte).unwrap(), 1, "`turnwise dev` ended early");
            text.push(byte[0]);
        }
        let nodes: Vec<Value> = serde_json::from_slice(&text).unwrap();
        Self { dev, nodes, folder }
    }

    /// Stops it as Ctrl-C does and gives its folder back.
    pub(crate) fn stop(mut self) -> TempDir {
        self.end();
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }

    fn end(&mut self) {
        signal(self.dev.id(), Signal::INT);
        self.dev.wait().unwrap();
    }

    pub(crate) fn endpoint(&self, node: u64) -> String {
        let entry = self.nodes.iter().find(|entry| entry["node"] == node).unwrap();
        entry["client_address"].as_str().unwrap().to_owned()
    }

    fn endpoints(&self) -> String {
        let addresses = self.nodes.iter().map(|node| node["client_address"].as_str().unwrap());
        addresses.collect::<Vec<_>>().join(",")
    }

    /// A command that knows all nodes.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = turnwise();
        command.env("TURNWISE_ENDPOINTS", self.endpoints()).args(line.split_whitespace());
        command
    }

    pub(crate) fn run(&self, line: &str) -> Ran {
        Ran::of(&mut self.command(line))
    }

    /// The data of a command that has to work.
    #[track_caller]
    pub(crate) fn json(&self, line: &str) -> Value {
        let text = self.run(&format!("{line} --output json")).ok();
        serde_json::from_str(&text).unwrap()
    }

    /// The leader, once there is one.
    pub(crate) fn leader(&self) -> u64 {
        loop {
            let leader = self.json("cluster status")["leader"].as_u64().unwrap();
            if leader != 0 {
                return leader;
            }
        }
    }

    pub(crate) fn kill(&self, node: u64) {
        let entry = self.nodes.iter().find(|entry| entry["node"] == node).unwrap();
        signal(u32::try_from(entry["pid"].as_u64().unwrap()).unwrap(), Signal::KILL);
    }

    pub(crate) fn path(&self, file: &str) -> std::path::PathBuf {
        self.folder.path().join(file)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if matches!(self.dev.try_wait(), Ok(None)) {
            self.end();
        }
    }
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

pub(crate) fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}
