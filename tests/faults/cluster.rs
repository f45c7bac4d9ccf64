//! The processes of one cluster: started, killed, paused and ended by their handles only.
//!
//! Everything that can go wrong is an `Err` with words: the row that meets it goes on with another
//! cluster. A dropped [`Cluster`] leaves no process behind; where the suite runs in namespaces of its
//! own, not even a killed suite does.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::sync::watch;
use turnwise::{
    client::{Client, Options},
    clock,
    config::ClusterId,
    proto::turnwise::v1::{Cluster as ClusterSeen, ClusterMember, GetClusterRequest, NodeRole},
};

use crate::ports::Ports;

/// What may go wrong, in words.
pub(crate) type Res<T> = Result<T, String>;

/// How long a condition may take that is sure to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);
const START_ATTEMPTS_MAX: usize = 5;

/// Any error in words.
pub(crate) fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// How a cluster is started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setup {
    /// More flags of `turnwise serve`.
    pub(crate) flags: Vec<String>,
    /// Environment, by node.
    pub(crate) env: BTreeMap<u64, Vec<(String, String)>>,
    /// Words in front of a node's command line, by node.
    pub(crate) under: BTreeMap<u64, Vec<String>>,
    /// Where a node listens, if not on loopback; on ports of its own choice.
    pub(crate) address: BTreeMap<u64, IpAddr>,
    /// Data directories that are there already, by node.
    pub(crate) data: BTreeMap<u64, PathBuf>,
    /// How many nodes, if more than three.
    pub(crate) count: u64,
}

struct Node {
    id: u64,
    /// Where it stands: its folder, its log, its address. A founder's is its first id; one that joins gets
    /// the next one.
    seat: u64,
    ports: Ports,
    child: Option<Child>,
    bootstrap: bool,
    /// What it is started with in the place of an id, if it is no founder.
    join: Option<Joins>,
}

/// What lets a node in, as `turnwise cluster add` prints it.
#[derive(Debug, Clone)]
pub(crate) struct Joins {
    pub(crate) token: String,
    pub(crate) members: String,
}

/// Who serves clients where.
pub(crate) type Roster = Vec<(u64, String)>;

/// The id of a node that is not admitted yet is its seat and this.
const NOT_ADMITTED: u64 = 1 << 32;

/// The exit code of a node that can't go on: damage, or refused by its cluster.
pub(crate) const EXIT_FAULT: i32 = 4;

/// See the module.
pub(crate) struct Cluster {
    cluster_id: ClusterId,
    /// The members.
    nodes: Vec<Node>,
    /// Who is not a member: not yet, or no more.
    aside: Vec<Node>,
    /// The founders' peer addresses, as the flag takes them.
    founders: String,
    seats: u64,
    roster: watch::Sender<Roster>,
    folder: TempDir,
    pub(crate) setup: Setup,
}

impl Cluster {
    /// Starts its nodes, three unless the setup says otherwise, and waits until all of them serve.
    pub(crate) async fn start(setup: Setup) -> Res<Self> {
        let folder = tempfile::tempdir().map_err(words)?;
        let cluster_id = ClusterId::random();
        let count = setup.count.max(3);
        let mut cluster = Self {
            cluster_id,
            nodes: Vec::new(),
            aside: Vec::new(),
            founders: String::new(),
            seats: count,
            roster: watch::Sender::default(),
            folder,
            setup,
        };
        for attempt in 1.. {
            cluster.nodes.clear();
            for id in 1..=count {
                let ports = cluster.ports(id)?;
                let (child, join) = (None, None);
                cluster.nodes.push(Node { id, seat: id, ports, child, bootstrap: true, join });
            }
            let member = |node: &Node| format!("{}={}", node.id, node.ports.peer);
            cluster.founders = cluster.nodes.iter().map(member).collect::<Vec<_>>().join(",");
            for id in cluster.ids() {
                cluster.spawn(id)?;
            }
            match cluster.ready(&cluster.ids()).await {
                Ok(()) => break,
                Err(why) if attempt < START_ATTEMPTS_MAX && why.contains("can't listen on") => {
                    for id in cluster.ids() {
                        cluster.kill(id);
                        if !cluster.setup.data.contains_key(&id) {
                            fs::remove_dir_all(cluster.data_dir(id)).unwrap_or_default();
                        }
                    }
                }
                Err(why) => return Err(why),
            }
        }
        cluster.tell();
        Ok(cluster)
    }

    fn ports(&self, seat: u64) -> Res<Ports> {
        match self.setup.address.get(&seat) {
            Some(ip) => Ok(Ports::alone(*ip)),
            None => Ports::reserve().map_err(words),
        }
    }

    /// Lets the clients know who serves where.
    fn tell(&self) {
        let member = |node: &Node| (node.id, node.ports.client.to_string());
        self.roster.send_replace(self.nodes.iter().map(member).collect());
    }

    /// Who serves where, now and whenever it changes.
    pub(crate) fn roster(&self) -> watch::Receiver<Roster> {
        self.roster.subscribe()
    }

    /// The seat of the next node that joins.
    pub(crate) fn next_seat(&self) -> u64 {
        self.seats + 1
    }

    pub(crate) fn seat(&self, id: u64) -> u64 {
        self.node(id).seat
    }

    /// Starts one more node, on the next seat. Returns what to call it until it is admitted.
    pub(crate) fn join(&mut self, joins: Joins) -> Res<u64> {
        self.seats += 1;
        let (seat, id) = (self.seats, self.seats + NOT_ADMITTED);
        let (ports, child, join) = (self.ports(seat)?, None, Some(joins));
        self.aside.push(Node { id, seat, ports, child, bootstrap: false, join });
        self.spawn(id)?;
        Ok(id)
    }

    /// Waits until a node is a member, as the others see it, and returns its id, which it goes by from now on.
    /// `id` is what it was called before; a node may become another one on the same seat.
    pub(crate) async fn admitted(&mut self, id: u64) -> Res<u64> {
        let deadline = clock::monotonic() + PATIENCE;
        let peer = self.node(id).ports.peer.to_string();
        while clock::monotonic() < deadline {
            for other in self.others(id) {
                let seen = self.seen_by(other).await.unwrap_or_default();
                let new =
                    seen.members.iter().find(|it| it.peer_address == peer && it.node_id != id);
                if let Some(new) = new {
                    let new = new.node_id;
                    self.node_mut(id).id = new;
                    if let Some(place) = self.aside.iter().position(|node| node.id == new) {
                        let node = self.aside.remove(place);
                        self.nodes.push(node);
                    }
                    self.tell();
                    return Ok(new);
                }
            }
            tokio::time::sleep(POLL).await;
        }
        Err(format!("node {id} was not admitted: {}", last_line(&self.log(id))))
    }

    /// A node is no member any more. Its files stay, and it may be started all the same.
    pub(crate) fn put_aside(&mut self, id: u64) {
        if let Some(place) = self.nodes.iter().position(|node| node.id == id) {
            let node = self.nodes.remove(place);
            self.aside.push(node);
        }
        self.tell();
    }

    /// Waits until exactly these nodes vote, as each of them sees it, and nobody else is there.
    pub(crate) async fn voters(&self, ids: &[u64]) -> Res<()> {
        let deadline = clock::monotonic() + PATIENCE;
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        let mut last = Vec::new();
        for asked in &ids {
            loop {
                last = self.seen_by(*asked).await.unwrap_or_default().members;
                let votes = |role| [NodeRole::Leader, NodeRole::Follower].contains(&role);
                let same = last.iter().map(|member| member.node_id).eq(ids.iter().copied());
                if same && last.iter().all(|member| votes(member.role())) {
                    break;
                }
                if clock::monotonic() > deadline {
                    return Err(format!("node {asked} does not see {ids:?} vote: {last:?}"));
                }
                tokio::time::sleep(POLL).await;
            }
        }
        drop(last);
        Ok(())
    }

    pub(crate) fn ids(&self) -> Vec<u64> {
        self.nodes.iter().map(|node| node.id).collect()
    }

    pub(crate) fn others(&self, than: u64) -> Vec<u64> {
        self.ids().into_iter().filter(|id| *id != than).collect()
    }

    fn node(&self, id: u64) -> &Node {
        let mut all = self.nodes.iter().chain(&self.aside);
        all.find(|node| node.id == id).expect("it was started here")
    }

    fn node_mut(&mut self, id: u64) -> &mut Node {
        let mut all = self.nodes.iter_mut().chain(&mut self.aside);
        all.find(|node| node.id == id).expect("it was started here")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data_dir(&self, id: u64) -> PathBuf {
        let seat = self.seat(id);
        let own = || self.folder.path().join(format!("node-{seat}"));
        self.setup.data.get(&seat).cloned().unwrap_or_else(own)
    }

    pub(crate) fn client_address(&self, id: u64) -> String {
        self.node(id).ports.client.to_string()
    }

    pub(crate) fn peer_address(&self, id: u64) -> String {
        self.node(id).ports.peer.to_string()
    }

    pub(crate) fn admin_address(&self, id: u64) -> SocketAddr {
        self.node(id).ports.admin
    }

    fn log_path(&self, id: u64) -> PathBuf {
        self.folder.path().join(format!("node-{}.log", self.seat(id)))
    }

    /// All that a node has logged, over all its lives.
    pub(crate) fn log(&self, id: u64) -> String {
        fs::read(self.log_path(id))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Whether its next start may found a cluster on an empty disk.
    pub(crate) fn set_bootstrap(&mut self, id: u64, bootstrap: bool) {
        self.node_mut(id).bootstrap = bootstrap;
    }

    /// Whether it is started with a join token.
    pub(crate) fn has_token(&self, id: u64) -> bool {
        self.node(id).join.is_some()
    }

    /// Says anew whom a node that joins is to ask, as whoever runs it keeps its flags: those of its token may be
    /// gone since.
    pub(crate) fn tell_members(&mut self, id: u64) {
        let others = self.nodes.iter().filter(|node| node.id != id);
        let asked = others
            .map(|node| format!("{}={}", node.id, node.ports.peer))
            .collect::<Vec<_>>()
            .join(",");
        if let Some(join) = &mut self.node_mut(id).join {
            join.members = asked;
        }
    }

    fn command(&self, id: u64) -> Command {
        let node = self.node(id);
        let binary = program();
        let mut front = self.setup.under.get(&node.seat).into_iter().flatten();
        let mut command = match front.next() {
            None => Command::new(&binary),
            Some(program) => {
                let mut command = Command::new(program);
                command.args(front).arg(&binary);
                command
            }
        };
        for name in ours() {
            command.env_remove(name);
        }
        command.arg("serve");
        match &node.join {
            // As it was typed at first, whatever the node has become since.
            None => command
                .args(["--node-id", &node.seat.to_string()])
                .args(["--cluster-id", &self.cluster_id.to_string()])
                .args(["--members", &self.founders]),
            Some(Joins { token, members }) => {
                command.args(["--join", token]).args(["--members", members])
            }
        };
        command
            .arg("--data-dir")
            .arg(self.data_dir(id))
            .args(["--client-address", &node.ports.client.to_string()])
            .args(["--peer-address", &node.ports.peer.to_string()])
            .args(["--admin-address", &node.ports.admin.to_string()])
            .args(&self.setup.flags)
            .envs(self.setup.env.get(&node.seat).into_iter().flatten().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if node.bootstrap {
            command.arg("--bootstrap");
        }
        command
    }

    /// Starts a node that is not running. Does not wait for it.
    pub(crate) fn spawn(&mut self, id: u64) -> Res<()> {
        let log = OpenOptions::new().create(true).append(true).open(self.log_path(id));
        let mut command = self.command(id);
        let child = command.stderr(log.map_err(words)?).spawn().map_err(words)?;
        match self.node_mut(id).child.replace(child) {
            None => Ok(()),
            Some(_) => Err(format!("node {id} was running")),
        }
    }

    /// SIGKILL, without waiting until it is gone.
    pub(crate) fn strike_down(&self, id: u64) -> Res<()> {
        self.signal(id, Signal::KILL)
    }

    /// SIGKILL, and no trace of it left among the processes.
    pub(crate) fn kill(&mut self, id: u64) {
        if let Some(mut child) = self.node_mut(id).child.take() {
            // It may have ended by itself.
            child.kill().unwrap_or_default();
            drop(child.wait());
        }
    }

    pub(crate) fn is_running(&mut self, id: u64) -> bool {
        let child = self.node_mut(id).child.as_mut();
        child.is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    pub(crate) fn pid(&self, id: u64) -> Res<u32> {
        let child = self.node(id).child.as_ref();
        child.map(Child::id).ok_or_else(|| format!("node {id} does not run"))
    }

    fn signal(&self, id: u64, signal: Signal) -> Res<()> {
        // It was not waited for, so the id is still its own.
        let pid = i32::try_from(self.pid(id)?).ok().and_then(Pid::from_raw);
        kill_process(pid.ok_or("no process id")?, signal).map_err(words)
    }

    pub(crate) fn terminate(&self, id: u64) -> Res<()> {
        self.signal(id, Signal::TERM)
    }

    pub(crate) fn pause(&self, id: u64) -> Res<()> {
        self.signal(id, Signal::STOP)
    }

    pub(crate) fn unpause(&self, id: u64) -> Res<()> {
        self.signal(id, Signal::CONT)
    }

    /// Waits until a node has ended by itself.
    pub(crate) async fn exited(&mut self, id: u64) -> Res<ExitStatus> {
        let deadline = clock::monotonic() + PATIENCE;
        loop {
            let child = self.node_mut(id).child.as_mut().ok_or("the node does not run")?;
            if let Some(status) = child.try_wait().map_err(words)? {
                self.node_mut(id).child = None;
                return Ok(status);
            }
            if clock::monotonic() > deadline {
                return Err(format!("node {id} did not end by itself"));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Whether a node ends by itself within so many milliseconds.
    pub(crate) async fn ended_within(&mut self, id: u64, ms: u64) -> bool {
        let deadline = clock::monotonic() + Duration::from_millis(ms);
        while self.is_running(id) && clock::monotonic() < deadline {
            tokio::time::sleep(POLL).await;
        }
        !self.is_running(id)
    }

    /// Waits until these nodes say that they are ready.
    pub(crate) async fn ready(&mut self, ids: &[u64]) -> Res<()> {
        let deadline = clock::monotonic() + PATIENCE;
        for id in ids {
            let admin = self.admin_address(*id);
            loop {
                if !self.is_running(*id) {
                    self.kill(*id);
                    let log = self.log(*id);
                    let last: Vec<&str> = log.lines().rev().take(3).collect();
                    return Err(format!("node {id} ended: {}", last.join(" | ")));
                }
                let answer = http_get(admin, "/readyz").await.unwrap_or_default();
                if answer.starts_with("HTTP/1.1 200") {
                    break;
                }
                if clock::monotonic() > deadline {
                    return Err(format!("node {id} did not become ready: {}", last_line(&answer)));
                }
                tokio::time::sleep(POLL).await;
            }
        }
        Ok(())
    }

    /// Somebody who types commands, for these nodes.
    pub(crate) fn operator(&self, ids: &[u64]) -> Operator {
        let endpoints: Vec<String> = ids.iter().map(|id| self.client_address(*id)).collect();
        Operator { endpoints: endpoints.join(",") }
    }

    /// A client that knows these nodes, the first one first.
    pub(crate) fn client(&self, ids: &[u64], deadline: Duration) -> Res<Client> {
        let endpoints: Vec<String> = ids.iter().map(|id| self.client_address(*id)).collect();
        Client::new(&endpoints, Options { deadline, ..Options::default() }).map_err(words)
    }

    /// The cluster as one node sees it.
    pub(crate) async fn seen_by(&self, id: u64) -> Res<ClusterSeen> {
        let client = self.client(&[id], Duration::from_secs(2))?;
        let request = GetClusterRequest { at_applied_index: true };
        let answer = client.call(request).await.map_err(words)?;
        answer.cluster.ok_or_else(|| "an answer without a cluster".to_owned())
    }

    /// Waits until one of these nodes says that it leads.
    pub(crate) async fn leader_among(&self, ids: &[u64]) -> Res<u64> {
        let deadline = clock::monotonic() + PATIENCE;
        while clock::monotonic() < deadline {
            for id in ids {
                // The leader's own word: a follower may not have heard yet that it changed.
                if self.seen_by(*id).await.is_ok_and(|seen| seen.leader_node_id == *id) {
                    return Ok(*id);
                }
            }
            tokio::time::sleep(POLL).await;
        }
        Err(format!("no leader among {ids:?}"))
    }

    pub(crate) async fn leader(&self) -> Res<u64> {
        self.leader_among(&self.ids()).await
    }

    /// Waits until all nodes have applied the same index, and compares their states.
    pub(crate) async fn agreed(&self) -> Res<()> {
        let deadline = clock::monotonic() + PATIENCE;
        let mut seen: Vec<ClusterMember> = Vec::new();
        while clock::monotonic() < deadline {
            seen =
                self.seen_by(self.nodes[0].id).await.map(|seen| seen.members).unwrap_or_default();
            let hashes: Vec<_> = seen.iter().filter_map(|m| m.state_hash.as_ref()).collect();
            let same_index = hashes.windows(2).all(|two| two[0].log_index == two[1].log_index);
            if hashes.len() == self.nodes.len() && seen.len() == hashes.len() && same_index {
                return match hashes.iter().all(|hash| hash.hash == hashes[0].hash) {
                    true => Ok(()),
                    false => Err(format!("the nodes' states differ: {hashes:?}")),
                };
            }
            tokio::time::sleep(POLL).await;
        }
        Err(format!("the nodes do not come to the same index: {seen:?}"))
    }

    /// The logs of all nodes, kept for whoever looks into a violation.
    pub(crate) fn keep_logs(&self, into: &Path) {
        if fs::create_dir_all(into).is_ok() {
            for seat in 1..=self.seats {
                let name = format!("node-{seat}.log");
                fs::copy(self.folder().join(&name), into.join(name)).unwrap_or_default();
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for id in self.nodes.iter().chain(&self.aside).map(|node| node.id).collect::<Vec<_>>() {
            self.kill(id);
        }
    }
}

/// Who types `turnwise` commands.
#[derive(Debug, Clone)]
pub(crate) struct Operator {
    endpoints: String,
}

/// What a command said: its result, and what it told beside.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) beside: String,
}

impl Operator {
    /// Types a command, again and again until it is done.
    pub(crate) async fn types(&self, command: &[&str]) -> Res<Said> {
        let deadline = clock::monotonic() + PATIENCE;
        loop {
            let why = match self.tries(command).await {
                Ok(said) => return Ok(said),
                Err(why) => why,
            };
            if clock::monotonic() > deadline {
                return Err(format!("`turnwise {}`: {why}", command.join(" ")));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Types it once.
    pub(crate) async fn tries(&self, typed: &[&str]) -> Res<Said> {
        let mut command = tokio::process::Command::new(program());
        for name in ours() {
            command.env_remove(name);
        }
        command.args(typed).args(["--endpoints", &self.endpoints]);
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE / 2, command.output()).await.map_err(words)?;
        let output = output.map_err(words)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        let said = Said { out: text(&output.stdout), beside: text(&output.stderr) };
        if output.status.success() { Ok(said) } else { Err(said.beside) }
    }
}

/// Runs nodes and commands from another build.
pub(crate) const PROGRAM: &str = "TURNWISE_FAULTS_PROGRAM";

fn program() -> String {
    std::env::var(PROGRAM).unwrap_or_else(|_| env!("CARGO_BIN_EXE_turnwise").to_owned())
}

/// What the developer's shell says about a cluster, which is none of ours.
fn ours() -> impl Iterator<Item = String> {
    std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("TURNWISE_"))
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}

async fn http_get(address: SocketAddr, page: &str) -> std::io::Result<String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let get = async {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        let request = format!("GET {page} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    };
    tokio::time::timeout(Duration::from_secs(2), get).await.unwrap_or_else(|late| Err(late.into()))
}
