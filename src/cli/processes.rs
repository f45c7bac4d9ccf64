//! A cluster of child processes on this machine, each `turnwise serve` of this very executable.
//!
//! Owns starting, killing and restarting them, by their handles only, and their ports. A dropped
//! [`Processes`] leaves no child behind. What they log goes to a file beside their data.

use std::{
    fs::File,
    io::{self, Read as _},
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{failure::Failure, health};
use crate::{clock, config::ClusterId};

/// How many times new ports are reserved when somebody else took one in between.
const PORT_ATTEMPTS_MAX: usize = 5;
const START_MAX: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// Where the nodes listen.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ports {
    /// Node i serves clients on this + 10 · (i − 1), peers on the next port, admin on the one after.
    From(u16),
    /// Wherever there is room.
    Free,
}

/// The child processes of one cluster.
#[derive(Debug)]
pub(crate) struct Processes {
    cluster_id: ClusterId,
    folder: PathBuf,
    nodes: Vec<Node>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Node {
    /// From 1.
    pub(crate) id: u64,
    pub(crate) client_port: u16,
    pub(crate) peer_port: u16,
    pub(crate) admin_port: u16,
    child: Option<Child>,
}

/// Why a start did not work.
enum NotStarted {
    PortTaken(Failure),
    Other(Failure),
}

impl Processes {
    /// Starts `count` nodes with their data in `folder`, and waits until all of them serve.
    pub(crate) async fn start(
        folder: &Path,
        cluster_id: ClusterId,
        count: u16,
        ports: Ports,
    ) -> Result<Self, Failure> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let nodes = nodes(count, ports)?;
            let mut processes = Self { cluster_id, folder: folder.to_path_buf(), nodes };
            match (processes.start_all().await, ports) {
                (Ok(()), _) => return Ok(processes),
                (Err(NotStarted::PortTaken(_)), Ports::Free) if attempts < PORT_ATTEMPTS_MAX => {}
                (Err(NotStarted::PortTaken(failure)), _) => {
                    let advice =
                        "Another port: turnwise dev --client-port 8400; 0 takes free ones.";
                    return Err(failure.advise(advice));
                }
                (Err(NotStarted::Other(failure)), _) => return Err(failure),
            }
        }
    }

    async fn start_all(&mut self) -> Result<(), NotStarted> {
        for id in 1..=self.nodes.len() {
            self.spawn(id).map_err(NotStarted::Other)?;
        }
        self.wait_until_ready().await
    }

    /// Starts a node that was killed, on its old ports and data. Does not wait for it.
    pub(crate) fn restart(&mut self, id: u64) -> Result<(), Failure> {
        self.spawn(usize::try_from(id).unwrap_or(usize::MAX))
    }

    /// Ends a node with SIGKILL, as a power cut would. True if it was running.
    pub(crate) fn kill(&mut self, id: u64) -> bool {
        let node = self.nodes.iter_mut().find(|node| node.id == id);
        let Some(mut child) = node.and_then(|node| node.child.take()) else { return false };
        end(&mut child);
        true
    }

    /// Waits until every running node is ready to serve callers.
    pub(crate) async fn ready(&mut self) -> Result<(), Failure> {
        self.wait_until_ready().await.map_err(|reason| match reason {
            NotStarted::PortTaken(failure) | NotStarted::Other(failure) => failure,
        })
    }

    /// The first node found to have ended by itself, with how it ended.
    pub(crate) fn ended(&mut self) -> Option<(u64, String)> {
        self.nodes.iter_mut().find_map(|node| {
            let status = node.child.as_mut()?.try_wait().ok()??;
            node.child = None;
            Some((node.id, status.to_string()))
        })
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Where callers connect, node by node.
    pub(crate) fn endpoints(&self) -> Vec<String> {
        self.nodes.iter().map(|node| address(node.client_port)).collect()
    }

    /// The process id of a running node.
    pub(crate) fn pid_of(&self, id: u64) -> Option<u32> {
        let node = self.nodes.iter().find(|node| node.id == id)?;
        node.child.as_ref().map(Child::id)
    }

    /// Where a node keeps its data.
    pub(crate) fn data_of(&self, id: u64) -> PathBuf {
        self.folder.join(format!("node-{id}"))
    }

    /// Where a node's log lines go.
    pub(crate) fn log_of(&self, id: u64) -> PathBuf {
        self.folder.join(format!("node-{id}.log"))
    }

    fn spawn(&mut self, id: usize) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::failed(format!("cannot start node {id}: {error}"));
        let members: Vec<String> = self
            .nodes
            .iter()
            .map(|node| format!("{}={}", node.id, address(node.peer_port)))
            .collect();
        let place = id.checked_sub(1).filter(|place| *place < self.nodes.len());
        let Some(node) = place.and_then(|place| self.nodes.get(place)) else {
            return Err(Failure::failed(format!("there is no node {id}")));
        };
        let log = File::options().create(true).append(true).open(self.log_of(node.id));
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        // What the shell configures for its own node is not meant for these.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TURNWISE_") {
                command.env_remove(name);
            }
        }
        command
            .arg("serve")
            .args(["--node-id", &node.id.to_string()])
            .args(["--cluster-id", &self.cluster_id.to_string()])
            .arg("--data-dir")
            .arg(self.data_of(node.id))
            .args(["--client-address", &address(node.client_port)])
            .args(["--peer-address", &address(node.peer_port)])
            .args(["--admin-address", &address(node.admin_port)])
            .args(["--members", &members.join(",")])
            .arg("--bootstrap")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.map_err(failed)?);
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt as _;
            // Ctrl-C is for us: we end the children.
            command.process_group(0);
        }
        let child = command.spawn().map_err(failed)?;
        if let Some(node) = place.and_then(|place| self.nodes.get_mut(place)) {
            node.child = Some(child);
        }
        Ok(())
    }

    async fn wait_until_ready(&mut self) -> Result<(), NotStarted> {
        let deadline = clock::monotonic() + START_MAX;
        for place in 0..self.nodes.len() {
            loop {
                if let Some((id, status)) = self.ended() {
                    return Err(self.why_ended(id, &status));
                }
                let Some(node) = self.nodes.get(place) else { break };
                if node.child.is_none() || is_serving(node.client_port).await {
                    break;
                }
                if clock::monotonic() > deadline {
                    let (id, log) = (node.id, self.log_of(node.id));
                    return Err(NotStarted::Other(Failure::failed(format!(
                        "node {id} is not ready after {START_MAX:?}; its log, {}:\n{}",
                        log.display(),
                        last_lines(&log)
                    ))));
                }
                tokio::time::sleep(POLL).await;
            }
        }
        Ok(())
    }

    fn why_ended(&self, id: u64, status: &str) -> NotStarted {
        let log = self.log_of(id);
        let lines = last_lines(&log);
        let failure = Failure::failed(format!(
            "node {id} ended while it started ({status}); its log, {}:\n{lines}",
            log.display()
        ));
        let lower = lines.to_lowercase();
        if lower.contains("address already in use") || lower.contains("os error 98") {
            NotStarted::PortTaken(failure)
        } else {
            NotStarted::Other(failure)
        }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.nodes.iter_mut().filter_map(|node| node.child.as_mut()).for_each(end);
    }
}

/// SIGKILL, and waits until it is gone. A child that has ended already is fine too.
fn end(child: &mut Child) {
    if child.kill().is_ok() {
        drop(child.wait());
    }
}

fn nodes(count: u16, ports: Ports) -> Result<Vec<Node>, Failure> {
    // Held until all are drawn, so that no port is drawn twice.
    let mut reserved = Vec::new();
    let mut free = || -> Result<u16, Failure> {
        let failed = |error: io::Error| Failure::failed(format!("no free port: {error}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        reserved.push(listener);
        Ok(port)
    };
    let fixed = |base: u16, place: u16, offset: u16| {
        let port = place.checked_mul(10).and_then(|ten| base.checked_add(ten)?.checked_add(offset));
        port.ok_or_else(|| {
            Failure::usage(format!("--client-port {base} leaves no room for {count} nodes"))
        })
    };
    (0..count)
        .map(|place| {
            let [client_port, peer_port, admin_port] = match ports {
                Ports::From(base) => {
                    [fixed(base, place, 0)?, fixed(base, place, 1)?, fixed(base, place, 2)?]
                }
                Ports::Free => [free()?, free()?, free()?],
            };
            Ok(Node { id: u64::from(place) + 1, client_port, peer_port, admin_port, child: None })
        })
        .collect()
}

pub(crate) fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

/// Whether the node there knows a leader and is caught up.
async fn is_serving(port: u16) -> bool {
    let endpoint = address(port);
    let state = health::state(&endpoint, health::ROUTING, Duration::from_secs(1));
    matches!(Box::pin(state).await, Ok(health::SERVING))
}

/// The end of a log, for an error message.
fn last_lines(log: &Path) -> String {
    const LINES: usize = 8;
    let mut text = String::new();
    match File::open(log).and_then(|mut file| file.read_to_string(&mut text)) {
        Ok(_) => {
            let lines: Vec<&str> = text.lines().collect();
            let from = lines.len().saturating_sub(LINES);
            lines.get(from..).unwrap_or_default().join("\n")
        }
        Err(error) => format!("(cannot be read: {error})"),
    }
}

/// Ends with Ctrl-C, SIGTERM, or when the terminal is closed.
pub(crate) async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
            signal(SignalKind::hangup()),
        ) else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Node, Ports, nodes};

    fn ports(nodes: &[Node]) -> Vec<u16> {
        nodes.iter().flat_map(|node| [node.client_port, node.peer_port, node.admin_port]).collect()
    }

    #[test]
    fn ports_are_ten_apart_with_peers_and_admin_next_to_clients() {
        let nodes = nodes(3, Ports::From(7400)).unwrap();
        assert_eq!(ports(&nodes), [7400, 7401, 7402, 7410, 7411, 7412, 7420, 7421, 7422]);
        assert!(super::nodes(2, Ports::From(65_530)).is_err());
    }

    #[test]
    fn free_ports_are_all_different() {
        let drawn = ports(&nodes(5, Ports::Free).unwrap());
        assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), 15);
    }
}
