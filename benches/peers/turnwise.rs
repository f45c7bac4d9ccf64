//! Turnwise itself, three nodes of it, and the bare echo: both by the same plain tonic client, so that what the
//! client costs is the same for both.

use std::{
    borrow::Cow,
    collections::{BTreeMap, VecDeque},
    env,
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    sync::{Mutex, PoisonError},
};

use ::turnwise::{
    client::{Client, Options},
    load::{Failed, Load, Target, Ticket},
    proto::turnwise::v1::{self as pb, routing_service_client::RoutingServiceClient},
};
use futures_util::stream;
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};

use super::{
    check::{Answer, violations},
    job::{Job, contact_id, ring},
    servers::ended_with_us,
};

/// A process of ours that is told to end, and waited for.
#[derive(Debug)]
pub(crate) struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let pid = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw);
        // It may have ended by itself.
        let _ended =
            pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::TERM));
        drop(self.0.wait());
    }
}

/// The echo as a process of its own, and where it answers.
pub(crate) fn start_echo() -> (Started, String) {
    let mut echo = ended_with_us("TERM");
    let mut child =
        echo.arg(env::current_exe().unwrap()).arg("--echo").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Started(child), line.trim().to_owned())
}

/// Three nodes with their data in `folder`, and where they answer.
pub(crate) fn start_nodes(folder: &std::path::Path) -> (Started, Vec<String>) {
    let mut dev = ended_with_us("TERM");
    dev.args([
        env!("CARGO_BIN_EXE_turnwise"),
        "dev",
        "--output",
        "json",
        "--client-port",
        "0",
        "--data",
    ])
    .arg(folder);
    let mut child = dev.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut text = String::new();
    // One document, and then nothing more.
    for line in lines.map_while(Result::ok) {
        text.push_str(&line);
        if line == "]" {
            break;
        }
    }
    let started = Started(child);
    let nodes: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let address = |node: &serde_json::Value| node["client_address"].as_str().unwrap().to_owned();
    (started, nodes.iter().map(address).collect())
}

/// The nodes, with the leader in front.
pub(crate) async fn leader_first(mut nodes: Vec<String>) -> Vec<String> {
    let client = Client::new(&nodes, Options::default()).unwrap();
    let cluster = client.call(pb::GetClusterRequest::default()).await.unwrap().cluster.unwrap();
    let leads = |member: &&pb::ClusterMember| member.node_id == cluster.leader_node_id;
    let leader = cluster.members.iter().find(leads).unwrap();
    let place = nodes.iter().position(|node| *node == leader.client_address).unwrap();
    nodes.rotate_left(place);
    nodes
}

fn team(job: Job) -> String {
    format!("teams/run-{}", job.run)
}

fn group(job: Job, group: u32) -> String {
    format!("{}/groups/group-{group}", team(job))
}

/// A team of the run's own with its reps and groups.
async fn set_up(client: &Client, job: Job) {
    let team_id = format!("run-{}", job.run);
    client.call(pb::CreateTeamRequest { team_id, ..Default::default() }).await.unwrap();
    for rep_id in ring() {
        let rep = Some(pb::Rep { display_name: rep_id.clone(), ..Default::default() });
        let request = pb::CreateRepRequest { parent: team(job), rep_id, rep, ..Default::default() };
        client.call(request).await.unwrap();
    }
    for number in job.groups() {
        let member = |rep| pb::GroupMember {
            member: Some(pb::group_member::Member::Rep(format!("{}/reps/{rep}", team(job)))),
            ..Default::default()
        };
        let members = ring().map(member).collect();
        let request = pb::CreateGroupRequest {
            parent: team(job),
            group_id: format!("group-{number}"),
            group: Some(pb::Group { members, ..Default::default() }),
            ..Default::default()
        };
        client.call(request).await.unwrap();
    }
}

fn request(job: Job, number: u64) -> pb::AssignContactRequest {
    pb::AssignContactRequest {
        parent: team(job),
        contact: contact_id(number),
        // As callers have one who are careful.
        request_id: format!("{number:032x}"),
        via: Some(pb::assign_contact_request::Via::Group(group(job, job.group(number)))),
        ..Default::default()
    }
}

/// What was answered of a contact: where in the log it was assigned, and to whom.
#[derive(Debug, Clone)]
struct Told {
    contact: u64,
    group: u32,
    position: (u64, u32),
    rep: String,
}

impl Told {
    fn new(job: Job, contact: u64, answer: pb::AssignContactResponse) -> Self {
        let assignment = answer.assignment.unwrap_or_default();
        // Of the first answer, whichever one this is.
        let first = assignment.history.first().and_then(|step| step.position);
        let at = first.or(assignment.position).unwrap_or_default();
        let position = (at.log_index, at.seq);
        Self { contact, group: job.group(contact), position, rep: assignment.rep }
    }
}

/// All that was told, by caller; the last one asks for contacts of others once more.
#[derive(Debug)]
pub(crate) struct Answers {
    callers: Vec<Mutex<Vec<Told>>>,
}

impl Answers {
    fn of(callers: usize) -> Self {
        Self { callers: (0..=callers).map(|_| Mutex::default()).collect() }
    }

    fn add(&self, caller: usize, told: Told) {
        self.callers[caller].lock().unwrap_or_else(PoisonError::into_inner).push(told);
    }

    /// What is wrong. A turn's number is its rank in the group by its place in the log; two contacts at one place
    /// have one number, which is a fault that is found.
    pub(crate) fn violations(&self) -> Vec<String> {
        let callers: Vec<Vec<Told>> = self
            .callers
            .iter()
            .map(|told| told.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .collect();
        let mut ranks: BTreeMap<u32, BTreeMap<(u64, u32), u64>> = BTreeMap::new();
        for Told { group, position, .. } in callers.iter().flatten() {
            ranks.entry(*group).or_default().insert(*position, 0);
        }
        for group in ranks.values_mut() {
            group.values_mut().zip(0..).for_each(|(rank, number)| *rank = number);
        }
        let answer = |told: &Told| {
            let rep = told.rep.rsplit('/').next().unwrap_or_default();
            Answer::new(told.contact, told.group, ranks[&told.group][&told.position], rep)
        };
        let answers: Vec<Vec<Answer>> =
            callers.iter().map(|told| told.iter().map(answer).collect()).collect();
        let (again, answers) = answers.split_last().expect("one more than there are callers");
        // Contacts that nobody was answered for took a turn that is not seen: none is allowed here.
        let asked = answers.iter().map(|answers| answers.len() as u64).sum();
        violations(answers, again, asked)
    }
}

/// A call for each assign, over so many connections to the leader; or to the echo, whose answers say nothing.
#[derive(Debug)]
pub(crate) struct Assign {
    connections: Vec<RoutingServiceClient<Channel>>,
    job: Job,
    pub(crate) answers: Option<Answers>,
}

impl Assign {
    pub(crate) async fn new(nodes: &[String], job: Job) -> Self {
        set_up(&Client::new(nodes, Options::default()).unwrap(), job).await;
        let answers = Some(Answers::of(job.callers));
        Self { connections: connect(&nodes[0], job).await, job, answers }
    }

    pub(crate) async fn echo(address: &str, job: Job) -> Self {
        Self { connections: connect(address, job).await, job, answers: None }
    }
}

async fn connect(address: &str, job: Job) -> Vec<RoutingServiceClient<Channel>> {
    let mut connections = Vec::new();
    for _ in 0..job.connections {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let channel = endpoint.tcp_nodelay(true).connect().await.unwrap();
        connections.push(RoutingServiceClient::new(channel));
    }
    connections
}

fn failed(status: &tonic::Status) -> Failed {
    Failed(Cow::Owned(format!("{:?}", status.code())))
}

impl Target for Assign {
    async fn call(&self, caller: usize, number: u64) -> Result<(), Failed> {
        let mut client = self.connections[caller % self.connections.len()].clone();
        let answer = client.assign_contact(request(self.job, number)).await;
        let answer = answer.map_err(|status| failed(&status))?.into_inner();
        if let Some(answers) = &self.answers {
            answers.add(caller, Told::new(self.job, number, answer));
        }
        Ok(())
    }
}

/// A linearizable read of one assignment.
#[derive(Debug)]
pub(crate) struct Read {
    connections: Vec<RoutingServiceClient<Channel>>,
    name: String,
}

impl Read {
    pub(crate) async fn new(nodes: &[String], job: Job) -> Self {
        let client = Client::new(nodes, Options::default()).unwrap();
        set_up(&client, job).await;
        let made = client.call(request(job, 0)).await.unwrap();
        let name = made.assignment.unwrap_or_default().name;
        Self { connections: connect(&nodes[0], job).await, name }
    }
}

impl Target for Read {
    async fn call(&self, caller: usize, _number: u64) -> Result<(), Failed> {
        let mut client = self.connections[caller % self.connections.len()].clone();
        let request = pb::GetAssignmentRequest { name: self.name.clone() };
        let answer = client.get_assignment(request).await.map_err(|status| failed(&status))?;
        let found = answer.into_inner().assignment.is_some_and(|found| found.name == self.name);
        if found { Ok(()) } else { Err(Failed(Cow::Borrowed("NOT_FOUND"))) }
    }
}

/// One stream a connection.
#[derive(Debug)]
pub(crate) struct Streams {
    clients: Vec<Client>,
    job: Job,
    pub(crate) answers: Answers,
}

impl Streams {
    pub(crate) async fn new(nodes: &[String], job: Job) -> Self {
        let client = || Client::new(nodes, Options::default()).unwrap();
        set_up(&client(), job).await;
        let clients: Vec<_> = (0..job.connections).map(|_| client()).collect();
        Self { clients, job, answers: Answers::of(job.connections) }
    }

    /// Starts them: `job.callers` items under way on all of them together.
    pub(crate) fn start(self: &std::sync::Arc<Self>, load: &Load) -> JoinSet<()> {
        let mut streams = JoinSet::new();
        for place in 0..self.clients.len() {
            streams.spawn(std::sync::Arc::clone(self).run(load.clone(), place));
        }
        streams
    }

    async fn run(self: std::sync::Arc<Self>, load: Load, place: usize) {
        let under_way: Mutex<VecDeque<Ticket>> = Mutex::default();
        let locked = || under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let requests = stream::unfold((), |()| async {
            let ticket = load.next().await?;
            locked().push_back(ticket);
            Some((request(self.job, ticket.number), ()))
        });
        let each = |_, result: Result<pb::AssignContactResponse, turnwise::client::Error>| {
            let ticket = locked().pop_front().expect("an answer to an item");
            let ended = match result {
                Ok(answer) => {
                    self.answers.add(place, Told::new(self.job, ticket.number, answer));
                    Ok(())
                }
                Err(error) => Err(Failed(Cow::Owned(format!("{:?}", error.code())))),
            };
            load.ended(ticket, ended);
            Ok::<(), turnwise::client::Error>(())
        };
        let concurrency = self.job.callers / self.clients.len();
        Box::pin(self.clients[place].assign_stream(requests, concurrency, each)).await.unwrap();
    }
}
