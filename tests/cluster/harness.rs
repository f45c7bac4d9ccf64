//! Starts, kills, pauses and ends the processes of a cluster, by their handles only.
//!
//! A dropped [`Cluster`] leaves no process and no file behind. When a test fails, the end of every
//! node's log is printed. At most two clusters run at once: CI has two cores.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{Semaphore, SemaphorePermit},
};
use turnwise::{
    client::{Client, Credential, Options},
    config::ClusterId,
    proto::turnwise::v1::{Cluster as ClusterSeen, GetClusterRequest},
};

use crate::{ports::Ports, service};

/// How long a condition may take that is sure to come. Only a failure waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);
/// How many times a whole cluster is started anew because somebody took one of its ports.
const START_ATTEMPTS_MAX: usize = 5;
const LOG_LINES_SHOWN: usize = 60;

/// The exit code of a node that could not go on.
pub(crate) const EXIT_FAULT: i32 = 4;
/// The exit code of a node that was refused its start.
pub(crate) const EXIT_FAILED: i32 = 1;

static CLUSTERS: Semaphore = Semaphore::const_new(2);

/// How the nodes of a cluster are started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setup {
    /// More flags of `turnwise serve`.
    pub(crate) flags: Vec<&'static str>,
    /// Environment, by node.
    pub(crate) env: BTreeMap<u64, Vec<(String, String)>>,
    /// A command that runs each node, with its log's path in the place of `{}`.
    pub(crate) under: Vec<String>,
    /// What clients show.
    pub(crate) credential: Option<Credential>,
}

/// Three nodes.
pub(crate) struct Cluster {
    pub(crate) cluster_id: ClusterId,
    nodes: Vec<Node>,
    folder: TempDir,
    /// None where another cluster of the same test had it, and has ended.
    _permit: Option<SemaphorePermit<'static>>,
}

/// One of them.
struct Node {
    id: u64,
    ports: Ports,
    child: Option<Child>,
    bootstrap: bool,
    /// What admits it; a founder has none.
    join: Option<String>,
    setup: Setup,
}

/// The program, without what the developer's shell says about a cluster.
pub(crate) fn turnwise() -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_turnwise")))
}

fn clean(mut command: Command) -> Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TURNWISE_")) {
        command.env_remove(name);
    }
    command
}

impl Cluster {
    /// Three nodes as users start them.
    pub(crate) async fn start() -> Self {
        Self::start_with(Setup::default()).await
    }

    /// Three nodes, ready to serve.
    pub(crate) async fn start_with(setup: Setup) -> Self {
        let permit = CLUSTERS.acquire().await.unwrap();
        Self::form(&[1, 2, 3], setup, Some(permit), None::<fn(&Self, u64)>).await
    }

    /// The nodes `ids` of a new cluster, each on the data directory that `lay` makes for it, on the ground
    /// of a cluster whose nodes have ended.
    pub(crate) async fn start_after(old: &Self, ids: &[u64], lay: impl Fn(&Self, u64)) -> Self {
        assert!(old.nodes.iter().all(|node| node.child.is_none()), "the old nodes have ended");
        Self::form(ids, Setup::default(), None, Some(lay)).await
    }

    async fn form(
        ids: &[u64],
        setup: Setup,
        permit: Option<SemaphorePermit<'static>>,
        lay: Option<impl Fn(&Self, u64)>,
    ) -> Self {
        let mut cluster = Self {
            cluster_id: ClusterId::random(),
            nodes: Vec::new(),
            folder: tempfile::tempdir().unwrap(),
            _permit: permit,
        };
        for attempt in 1.. {
            cluster.nodes = ids
                .iter()
                .map(|id| Node {
                    id: *id,
                    ports: Ports::reserve().unwrap(),
                    child: None,
                    bootstrap: lay.is_none(),
                    join: None,
                    setup: setup.clone(),
                })
                .collect();
            for id in ids {
                if let Some(lay) = &lay {
                    lay(&cluster, *id);
                }
                cluster.spawn(*id);
            }
            let all = cluster.ids();
            let Err(why) = cluster.became_ready(&all).await else { break };
            assert!(
                attempt < START_ATTEMPTS_MAX && why.contains("can't listen on"),
                "the cluster did not start: {why}"
            );
            for id in ids {
                cluster.kill(*id);
                fs::remove_dir_all(cluster.data_dir(*id)).unwrap_or_default();
            }
        }
        cluster
    }

    pub(crate) fn ids(&self) -> Vec<u64> {
        self.nodes.iter().map(|node| node.id).collect()
    }

    pub(crate) fn others(&self, than: u64) -> Vec<u64> {
        self.ids().into_iter().filter(|id| *id != than).collect()
    }

    fn node(&self, id: u64) -> &Node {
        self.nodes.iter().find(|node| node.id == id).expect("it is of the cluster")
    }

    fn node_mut(&mut self, id: u64) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.id == id).expect("it is of the cluster")
    }

    pub(crate) fn data_dir(&self, id: u64) -> PathBuf {
        self.folder.path().join(format!("node-{id}"))
    }

    /// A path of its own in the cluster's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn client_address(&self, id: u64) -> String {
        self.node(id).ports.client.to_string()
    }

    /// All that a node has logged, over all its lives.
    pub(crate) fn log(&self, id: u64) -> String {
        fs::read_to_string(self.log_path(id)).unwrap_or_default()
    }

    fn log_path(&self, id: u64) -> PathBuf {
        self.path(&format!("node-{id}.log"))
    }

    /// All founders and their peer addresses, as the flag takes them.
    pub(crate) fn members(&self) -> String {
        let member = |node: &Node| format!("{}={}", node.id, node.ports.peer);
        let founders = self.nodes.iter().filter(|node| node.join.is_none());
        founders.map(member).collect::<Vec<_>>().join(",")
    }

    /// The command line of a node, for tests that change it.
    pub(crate) fn command(&self, id: u64) -> Command {
        let node = self.node(id);
        let binary = env!("CARGO_BIN_EXE_turnwise");
        let mut words = node.setup.under.iter();
        let mut command = match words.next() {
            None => Command::new(binary),
            Some(program) => {
                let output = self.path(&format!("node-{id}.out"));
                let mut command = Command::new(program);
                command.args(words.map(|word| word.replace("{}", output.to_str().unwrap())));
                command.arg(binary);
                command
            }
        };
        command = clean(command);
        command
            .arg("serve")
            .args(match &node.join {
                Some(token) => vec!["--join".to_owned(), token.clone()],
                None => vec![
                    "--node-id".to_owned(),
                    id.to_string(),
                    "--cluster-id".to_owned(),
                    self.cluster_id.to_string(),
                ],
            })
            .arg("--data-dir")
            .arg(self.data_dir(id))
            .args(["--client-address", &node.ports.client.to_string()])
            .args(["--peer-address", &node.ports.peer.to_string()])
            .args(["--admin-address", &node.ports.admin.to_string()])
            .args(["--members", &self.members()])
            .args(&node.setup.flags)
            .envs(node.setup.env.get(&id).into_iter().flatten().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if node.bootstrap && node.join.is_none() {
            command.arg("--bootstrap");
        }
        command
    }

    /// Starts one more node, which joins with a token and is to become number `id`. Does not wait for it.
    pub(crate) fn join(&mut self, id: u64, token: &str) {
        let setup = self.nodes[0].setup.clone();
        let join = Some(token.to_owned());
        let (ports, child) = (Ports::reserve().unwrap(), None);
        self.nodes.push(Node { id, ports, child, bootstrap: false, join, setup });
        self.spawn(id);
    }

    /// A node that has ended is no longer of the cluster. Its files stay.
    pub(crate) fn forget(&mut self, id: u64) {
        let node = self.node(id);
        assert!(node.child.is_none(), "node {id} has ended");
        self.nodes.retain(|node| node.id != id);
    }

    /// Starts a node that is not running. Does not wait for it.
    pub(crate) fn spawn(&mut self, id: u64) {
        let mut command = self.command(id);
        self.spawn_as(id, &mut command);
    }

    /// Kills everybody, then starts everybody again, and waits until they serve.
    pub(crate) async fn restart_all(&mut self) {
        for id in self.ids() {
            self.kill(id);
        }
        for id in self.ids() {
            self.spawn(id);
        }
        self.ready(&self.ids()).await;
    }

    /// The same with another command line.
    pub(crate) fn spawn_as(&mut self, id: u64, command: &mut Command) {
        let log = OpenOptions::new().create(true).append(true).open(self.log_path(id)).unwrap();
        let child = command.stderr(log).spawn().unwrap();
        let before = self.node_mut(id).child.replace(child);
        assert!(before.is_none(), "node {id} is running");
    }

    /// From now on a node starts with or without `--bootstrap`.
    pub(crate) fn set_bootstrap(&mut self, id: u64, bootstrap: bool) {
        self.node_mut(id).bootstrap = bootstrap;
    }

    /// Starts a node again, on its own ports and data, and waits until it is ready.
    pub(crate) async fn restart(&mut self, id: u64) {
        self.spawn(id);
        self.ready(&[id]).await;
    }

    /// SIGKILL, and no trace of it left among the processes.
    pub(crate) fn kill(&mut self, id: u64) {
        if let Some(mut child) = self.node_mut(id).child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn signal(&self, id: u64, signal: Signal) {
        let child = self.node(id).child.as_ref().expect("the node runs");
        // It was not waited for, so the id is still its own.
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// SIGTERM; [`Self::exited`] tells how it went.
    pub(crate) fn terminate(&self, id: u64) {
        self.signal(id, Signal::TERM);
    }

    /// SIGSTOP. Until [`Self::unpause`] the process does nothing at all.
    pub(crate) fn pause(&self, id: u64) {
        self.signal(id, Signal::STOP);
    }

    /// SIGCONT.
    pub(crate) fn unpause(&self, id: u64) {
        self.signal(id, Signal::CONT);
    }

    /// Waits until a node has ended by itself.
    pub(crate) async fn exited(&mut self, id: u64) -> ExitStatus {
        let mut child = self.node_mut(id).child.take().expect("the node runs");
        let ended = eventually(async || child.try_wait().unwrap()).await;
        match ended {
            Some(status) => status,
            None => {
                self.node_mut(id).child = Some(child);
                panic!("node {id} did not end by itself");
            }
        }
    }

    /// Waits until these nodes say that they are ready.
    pub(crate) async fn ready(&mut self, ids: &[u64]) {
        self.became_ready(ids).await.unwrap_or_else(|why| panic!("{why}"));
    }

    async fn became_ready(&mut self, ids: &[u64]) -> Result<(), String> {
        for id in ids {
            let admin = self.node(*id).ports.admin;
            let mut child = self.node_mut(*id).child.take().expect("the node runs");
            let up = eventually(async || {
                if let Some(status) = child.try_wait().unwrap() {
                    return Some(Err(status));
                }
                let answer = http_get(admin, "/readyz").await.unwrap_or_default();
                answer.starts_with("HTTP/1.1 200").then_some(Ok(()))
            })
            .await;
            self.node_mut(*id).child = Some(child);
            match up {
                Some(Ok(())) => {}
                Some(Err(status)) => {
                    self.node_mut(*id).child = None;
                    return Err(format!("node {id} ended with {status}: {}", self.log(*id)));
                }
                None => return Err(format!("node {id} did not become ready")),
            }
        }
        Ok(())
    }

    /// A page of a node's admin port.
    pub(crate) async fn page(&self, id: u64, page: &str) -> String {
        http_get(self.node(id).ports.admin, page).await.unwrap()
    }

    /// A client that knows these nodes, the first one first.
    pub(crate) fn client(&self, ids: &[u64]) -> Client {
        let endpoints: Vec<String> = ids.iter().map(|id| self.client_address(*id)).collect();
        let credential = self.nodes[0].setup.credential.clone();
        let options = Options { deadline: PATIENCE, credential, ..Options::default() };
        Client::new(&endpoints, options).unwrap()
    }

    /// The same, for somebody else.
    pub(crate) fn client_of(&self, ids: &[u64], credential: &str) -> Client {
        let endpoints: Vec<String> = ids.iter().map(|id| self.client_address(*id)).collect();
        let credential = Some(Credential::new(credential).unwrap());
        let options = Options { deadline: PATIENCE, credential, ..Options::default() };
        Client::new(&endpoints, options).unwrap()
    }

    /// A connection to one node, for calls that are not retried.
    pub(crate) async fn channel(&self, id: u64) -> tonic::transport::Channel {
        let address = format!("http://{}", self.client_address(id));
        tonic::transport::Endpoint::from_shared(address).unwrap().connect().await.unwrap()
    }

    /// The cluster as one node sees it.
    pub(crate) async fn seen_by(&self, id: u64) -> ClusterSeen {
        let request = GetClusterRequest { at_applied_index: true };
        self.client(&[id]).call(request).await.unwrap().cluster.unwrap()
    }

    /// Waits until a node knows of a leader among `ids`.
    pub(crate) async fn leader_among(&self, ids: &[u64]) -> u64 {
        let known = eventually(async || {
            for id in ids {
                let seen = self.seen_by(*id).await;
                // The leader's own word: a follower may not have heard yet that it changed.
                let leader = seen.leader_node_id;
                if leader == *id && ids.contains(&leader) {
                    return Some(leader);
                }
            }
            None
        });
        known.await.unwrap_or_else(|| panic!("no leader among {ids:?}"))
    }

    /// The leader, when all nodes run.
    pub(crate) async fn leader(&self) -> u64 {
        self.leader_among(&self.ids()).await
    }

    /// A node that does not lead.
    pub(crate) async fn follower(&self) -> u64 {
        self.others(self.leader().await)[0]
    }

    /// Waits until all nodes have applied the same index, and checks that they hold the same state.
    /// Returns its hash.
    pub(crate) async fn agreed_hash(&self) -> String {
        let agreed = eventually(async || {
            let members = self.seen_by(self.nodes[0].id).await.members;
            let hashes: Vec<_> = members.into_iter().filter_map(|m| m.state_hash).collect();
            let same_index = hashes.windows(2).all(|two| two[0].log_index == two[1].log_index);
            if hashes.len() < self.nodes.len() || !same_index {
                return None;
            }
            let first = hashes[0].hash.clone();
            assert!(hashes.iter().all(|hash| hash.hash == first), "states differ: {hashes:?}");
            assert!(!first.is_empty());
            Some(first)
        });
        agreed.await.expect("all nodes apply the same index in time")
    }

    /// Waits for a line in a node's log.
    pub(crate) async fn logged(&self, id: u64, text: &str) {
        let seen = eventually(async || self.log(id).contains(text).then_some(()));
        seen.await.unwrap_or_else(|| panic!("node {id} did not log `{text}`"));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            if let Some(mut child) = node.child.take() {
                // It may have ended by itself.
                child.kill().unwrap_or_default();
                drop(child.wait());
            }
        }
        if std::thread::panicking() {
            for id in self.ids() {
                let log = self.log(id);
                let lines: Vec<&str> = log.lines().collect();
                let shown = lines.len().saturating_sub(LOG_LINES_SHOWN);
                eprintln!("--- end of the log of node {id}\n{}", lines[shown..].join("\n"));
            }
        }
    }
}

/// Asks until there is an answer, for as long as [`PATIENCE`] lasts.
pub(crate) async fn eventually<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let asked = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.ok()
}

async fn http_get(address: SocketAddr, page: &str) -> std::io::Result<String> {
    let get = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {page} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    };
    tokio::time::timeout(Duration::from_secs(5), get).await.unwrap_or_else(|late| Err(late.into()))
}

/// Copies a data directory, as somebody would who restores a backup.
pub(crate) fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Marks that something is to happen, or may go on.
pub(crate) fn touch(path: &Path) {
    File::create(path).unwrap();
}

#[tokio::test]
async fn three_processes_form_a_cluster_and_all_of_them_see_it_alike() {
    let cluster = Cluster::start().await;
    service::Team::create(&cluster.client(&cluster.ids()), "sales", 3).await;
    cluster.agreed_hash().await;
    for id in cluster.ids() {
        let seen = cluster.seen_by(id).await;
        assert_eq!(seen.cluster_id, cluster.cluster_id.to_string());
        assert_eq!(seen.members.iter().map(|m| m.node_id).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(seen.members.iter().all(|m| m.reachable));
        let of_node = |id| seen.members.iter().find(|m| m.node_id == id).unwrap();
        assert_eq!(of_node(id).client_address, cluster.client_address(id));
    }
    let one_leader = eventually(async || {
        let mut leaders = Vec::new();
        for id in cluster.ids() {
            leaders.push(cluster.seen_by(id).await.leader_node_id);
        }
        (leaders[0] != 0 && leaders.iter().all(|leader| *leader == leaders[0])).then_some(())
    });
    one_leader.await.expect("all nodes follow one leader");
}
