//! The clients: 64 of them, each waiting for its answer before it asks again, whatever happens.
//!
//! A change is asked for under one request id until it is answered. What came of everything is the
//! history that the checker judges.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet};
use turnwise::{
    client::{Call as Request, Client, Error, Options},
    clock,
    proto::turnwise::v1::{self as api, assign_contact_request::Via},
    routing::LogPosition,
};

use crate::{
    cluster::{Cluster, Res, Roster, words},
    history::{Answer, Asked, Call, Held, NodeState},
};

/// What the clients of a run ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workload {
    /// Assigns only.
    W1,
    /// 80% assigns, 10% absences, 10% linearizable reads.
    W2,
    /// W2 while the members change: its clients are those of W2, told of every change; the row makes the
    /// changes.
    W3,
    /// W2 with 30% of the changes sent again to another node, at the same time or after the answer.
    W4,
}

impl Workload {
    /// How long a client waits on average between an answer and the next call.
    fn think_mean_ms(self) -> u64 {
        match self {
            Self::W1 | Self::W2 | Self::W4 => 40,
            // It goes on for a minute: the naive model takes the square of it.
            Self::W3 => 80,
        }
    }
}

const CLIENTS: u64 = 64;
/// Reps of the team; the first and the last of them are never away, so no absence is refused.
pub(crate) const REPS: usize = 6;
/// The time of one try under one request id; then it begins anew.
const TRY_MAX: Duration = Duration::from_secs(8);
/// The same for a request that is sent once more, to one node.
const AGAIN_MAX: Duration = Duration::from_secs(2);
/// How many of the newest assignments readers choose from.
const RECENT: usize = 256;

/// The most assignments in one call.
const BATCH: u64 = 1_000;

/// A team of its own for each run.
#[derive(Debug, Clone)]
pub(crate) struct Team {
    id: String,
}

impl Team {
    fn parent(&self) -> String {
        format!("teams/{}", self.id)
    }

    fn rep(&self, number: usize) -> String {
        format!("teams/{}/reps/r{number}", self.id)
    }

    /// As `checker` has it in the model: reps in one ring, and a running campaign over it.
    pub(crate) async fn found(client: &Client, id: String) -> Res<Self> {
        let team = Self { id };
        let parent = team.parent();
        let team_id = team.id.clone();
        client
            .call(api::CreateTeamRequest { team_id, ..Default::default() })
            .await
            .map_err(words)?;
        let mut members = Vec::new();
        for number in 0..REPS {
            let request = api::CreateRepRequest {
                parent: parent.clone(),
                rep_id: format!("r{number}"),
                rep: Some(api::Rep::default()),
                ..Default::default()
            };
            client.call(request).await.map_err(words)?;
            let member = Some(api::group_member::Member::Rep(team.rep(number)));
            members.push(api::GroupMember { member, ..Default::default() });
        }
        let request = api::CreateGroupRequest {
            parent: parent.clone(),
            group_id: "ring".to_owned(),
            group: Some(api::Group { members, ..Default::default() }),
            ..Default::default()
        };
        client.call(request).await.map_err(words)?;
        let group = Some(api::target::Kind::Group(format!("{parent}/groups/ring")));
        let targets = vec![api::Target { kind: group, ..Default::default() }];
        let request = api::CreateCampaignRequest {
            parent: parent.clone(),
            campaign_id: "c".to_owned(),
            campaign: Some(api::Campaign {
                targets: Some(api::TargetList { targets }),
                ..Default::default()
            }),
            ..Default::default()
        };
        client.call(request).await.map_err(words)?;
        let name = format!("{parent}/campaigns/c");
        client
            .call(api::LaunchCampaignRequest { name, ..Default::default() })
            .await
            .map_err(words)?;
        Ok(team)
    }

    /// Assigns as many contacts as fit a call. `batch` is in their names.
    pub(crate) async fn fill_batch(&self, client: &Client, batch: &str) -> Res<()> {
        let item = |number: u64| api::AssignContactRequest {
            contact: format!("many-{batch}-{number}"),
            via: Some(Via::Campaign(format!("{}/campaigns/c", self.parent()))),
            ..Default::default()
        };
        let request = api::BatchAssignContactsRequest {
            parent: self.parent(),
            requests: (0..BATCH).map(item).collect(),
            ..Default::default()
        };
        client.call(request).await.map(drop).map_err(words)
    }

    /// Assigns so many contacts, [`BATCH`] in a call.
    pub(crate) async fn fill(&self, client: &Client, count: u64) -> Res<()> {
        const AT_ONCE: usize = 4;
        let mut calls: JoinSet<Res<()>> = JoinSet::new();
        for batch in 0..count / BATCH {
            let (team, client) = (self.clone(), client.clone());
            calls.spawn(async move { team.fill_batch(&client, &batch.to_string()).await });
            if calls.len() >= AT_ONCE
                && let Some(call) = calls.join_next().await
            {
                call.map_err(words)??;
            }
        }
        while let Some(call) = calls.join_next().await {
            call.map_err(words)??;
        }
        Ok(())
    }

    /// The time that the log has, by an assignment made now, in microseconds since 1970.
    pub(crate) async fn log_time_us(&self, client: &Client, contact: String) -> Res<i64> {
        let request = api::AssignContactRequest {
            parent: self.parent(),
            contact,
            via: Some(Via::Campaign(format!("{}/campaigns/c", self.parent()))),
            ..Default::default()
        };
        let answer = client.call(request).await.map_err(words)?;
        let time = answer.assignment.and_then(|assignment| assignment.create_time);
        let time = time.ok_or("an assignment without a time")?;
        Ok(time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000)
    }

    /// All assignments of the team, as one node has them.
    pub(crate) async fn held(&self, cluster: &Cluster, node: u64) -> Res<NodeState> {
        let client = cluster.client(&[node], crate::cluster::PATIENCE)?;
        let mut held = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = api::ListAssignmentsRequest {
                parent: self.parent(),
                page_size: 1_000,
                page_token,
                ..Default::default()
            };
            let page = client.call(request).await.map_err(words)?;
            for assignment in page.assignments {
                let rep = number_of(&assignment.rep);
                let (name, contact) = (assignment.name, assignment.contact);
                held.push(Held { name, contact, rep });
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(NodeState { node, held });
            }
        }
    }
}

/// The number of a rep by its name; no rep has `usize::MAX`.
fn number_of(rep: &str) -> usize {
    rep.rsplit_once("/r").and_then(|(_, number)| number.parse().ok()).unwrap_or(usize::MAX)
}

fn place(position: Option<api::LogPosition>) -> LogPosition {
    let position = position.unwrap_or_default();
    LogPosition { term: position.term, log_index: position.log_index, seq: position.seq }
}

fn digest(message: &impl prost::Message) -> u128 {
    xxhash_rust::xxh3::xxh3_128(&message.encode_to_vec())
}

/// A request as it goes out, and what is heard back. Sent as often as one likes.
async fn send(team: &Team, id: &str, asked: &Asked, client: &Client) -> Option<Answer> {
    let request_id = id.to_owned();
    match asked {
        Asked::Assign { contact } => {
            let request = api::AssignContactRequest {
                parent: team.parent(),
                contact: contact.clone(),
                via: Some(Via::Campaign(format!("{}/campaigns/c", team.parent()))),
                request_id,
                ..Default::default()
            };
            heard(client, request, |answer| {
                let digest = digest(&answer);
                let assignment = answer.assignment.unwrap_or_default();
                Answer::Assigned {
                    position: place(answer.position),
                    name: assignment.name,
                    rep: number_of(&assignment.rep),
                    existing: answer.existing,
                    digest,
                }
            })
            .await
        }
        Asked::Away { rep, note } => {
            let name = team.rep(*rep);
            let note = note.clone();
            let request =
                api::SetOutOfOfficeRequest { name, note, request_id, ..Default::default() };
            heard(client, request, |answer| {
                let digest = digest(&answer);
                Answer::Changed { position: place(answer.position), digest }
            })
            .await
        }
        Asked::Back { rep, .. } => {
            let name = team.rep(*rep);
            let request = api::ClearOutOfOfficeRequest { name, request_id, ..Default::default() };
            heard(client, request, |answer| {
                let digest = digest(&answer);
                Answer::Changed { position: place(answer.position), digest }
            })
            .await
        }
        Asked::ReadRep { rep } => {
            let request = api::GetRepRequest { name: team.rep(*rep) };
            heard(client, request, |answer| {
                let rep = answer.rep.unwrap_or_default();
                // Absences without an end; one that was ended may still be listed with its end.
                let away = rep.out_of_office.iter().any(|absence| absence.end_time.is_none());
                Answer::Rep { away, note: rep.out_of_office_note }
            })
            .await
        }
        Asked::ReadAssignment { name, .. } => {
            let request = api::GetAssignmentRequest { name: name.clone() };
            let answer = heard(client, request, |answer| {
                let rep = Some(number_of(&answer.assignment.unwrap_or_default().rep));
                Answer::Assignment { rep }
            });
            match answer.await {
                Some(Answer::Refused(reason)) if reason == "RESOURCE_NOT_FOUND" => {
                    Some(Answer::Assignment { rep: None })
                }
                other => other,
            }
        }
    }
}

/// `None` = nobody could say within the client's deadline.
async fn heard<C: Request>(
    client: &Client,
    request: C,
    read: impl FnOnce(C::Answer) -> Answer,
) -> Option<Answer> {
    match client.call(request).await {
        Ok(answer) => Some(read(answer)),
        Err(Error::Unavailable { .. }) => None,
        Err(refused) => Some(Answer::Refused(
            refused.reason().unwrap_or_else(|| format!("{:?}: {refused}", refused.code())),
        )),
    }
}

/// What all clients of a run share.
struct Shared {
    team: Team,
    workload: Workload,
    roster: Mutex<watch::Receiver<Roster>>,
    known: Mutex<Arc<Known>>,
    stop: AtomicBool,
    abandon: AtomicBool,
    acknowledged: AtomicU64,
    numbers: AtomicU64,
    recent: Mutex<Vec<(String, usize)>>,
}

/// The members as the clients know them.
struct Known {
    /// Asks any node, by client.
    clients: Vec<Client>,
    /// Asks one node.
    alone: Vec<Client>,
}

impl Known {
    fn of(roster: &Roster) -> Res<Self> {
        let of = |addresses: &[String], deadline| {
            Client::new(addresses, Options { deadline, ..Options::default() }).map_err(words)
        };
        let mut addresses: Vec<String> =
            roster.iter().map(|(_, address)| address.clone()).collect();
        let alone = addresses.iter().map(|address| of(std::slice::from_ref(address), AGAIN_MAX));
        let alone: Res<Vec<Client>> = alone.collect();
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            clients.push(of(&addresses, TRY_MAX)?);
            addresses.rotate_left(1);
        }
        Ok(Self { clients, alone: alone? })
    }
}

/// Clients at work.
pub(crate) struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<Vec<Call>>,
}

/// What a finished run's clients saw.
pub(crate) struct Seen {
    pub(crate) team: Team,
    pub(crate) calls: Vec<Call>,
}

impl Load {
    pub(crate) fn start(cluster: &Cluster, team: Team, workload: Workload) -> Res<Self> {
        let mut roster = cluster.roster();
        let known = Known::of(&roster.borrow_and_update())?;
        let shared = Arc::new(Shared {
            team,
            workload,
            roster: Mutex::new(roster),
            known: Mutex::new(Arc::new(known)),
            stop: AtomicBool::new(false),
            abandon: AtomicBool::new(false),
            acknowledged: AtomicU64::new(0),
            numbers: AtomicU64::new(0),
            recent: Mutex::default(),
        });
        let mut clients = JoinSet::new();
        for number in 0..usize::try_from(CLIENTS).map_err(words)? {
            clients.spawn(work(Arc::clone(&shared), number));
        }
        Ok(Self { shared, clients })
    }

    /// Calls answered so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// Lets every client finish its call. With `patience` over, what has no answer stays without.
    pub(crate) async fn finish(mut self, patience: Duration) -> Res<Seen> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut calls = Vec::new();
        let mut left = patience;
        loop {
            let since = clock::monotonic();
            match tokio::time::timeout(left, self.clients.join_next()).await {
                Ok(None) => break,
                Ok(Some(client)) => calls.extend(client.map_err(words)?),
                Err(_) => {
                    self.shared.abandon.store(true, Ordering::Relaxed);
                    left = patience;
                }
            }
            left = left.saturating_sub(clock::monotonic() - since);
        }
        Ok(Seen { team: self.shared.team.clone(), calls })
    }
}

impl Seen {
    /// Sends some of the changes again, to one node after the other: each must be answered as before.
    pub(crate) async fn ask_again(&mut self, cluster: &Cluster) -> Res<()> {
        let ids = cluster.ids();
        let mut clients = Vec::new();
        for id in &ids {
            clients.push(cluster.client(&[*id], crate::cluster::PATIENCE)?);
        }
        let changes = self.calls.iter_mut().filter(|call| call.answer.position().is_some());
        for (number, call) in changes.enumerate().filter(|(number, _)| number % 16 == 0) {
            let client = &clients[(number / 16) % clients.len()];
            let again = send(&self.team, &request_id(&call.asked), &call.asked, client).await;
            call.again.push(again.ok_or("a retry was not answered at the end")?);
        }
        Ok(())
    }
}

/// One for each change: no contact and no note is used twice, and a return names what it ends.
fn request_id(asked: &Asked) -> String {
    match asked {
        Asked::Assign { contact } => contact.clone(),
        Asked::Away { note, .. } => note.clone(),
        Asked::Back { rep, request } => format!("back-{rep}-{request}"),
        Asked::ReadRep { .. } | Asked::ReadAssignment { .. } => String::new(),
    }
}

async fn work(shared: Arc<Shared>, number: usize) -> Vec<Call> {
    let mut calls = Vec::new();
    while !shared.stop.load(Ordering::Relaxed) {
        let think = rand::random_range(0..=2 * shared.workload.think_mean_ms());
        tokio::time::sleep(Duration::from_millis(think)).await;
        let asked = shared.next();
        let id = request_id(&asked);
        let is_change = !id.is_empty();
        let twice = shared.workload == Workload::W4 && is_change && rand::random_range(0..10) < 3;
        let known = shared.known();
        let other = known.alone[(number + 1) % known.alone.len()].clone();
        let at_once = twice && rand::random_bool(0.5);
        let second = async {
            match at_once {
                true => send(&shared.team, &id, &asked, &other).await,
                false => None,
            }
        };
        let called = clock::monotonic();
        let first = async {
            let answer = loop {
                let client = shared.known().clients[number].clone();
                if let Some(answer) = send(&shared.team, &id, &asked, &client).await {
                    break answer;
                }
                if shared.abandon.load(Ordering::Relaxed) {
                    break Answer::Nothing;
                }
            };
            (answer, clock::monotonic())
        };
        let ((answer, answered), second) = tokio::join!(first, second);
        let mut again: Vec<Answer> = second.into_iter().collect();
        if twice && !at_once {
            again.extend(send(&shared.team, &id, &asked, &other).await);
        }
        shared.heard(&asked, &answer);
        calls.push(Call { asked, called, answered, answer, again });
    }
    calls
}

impl Shared {
    /// The members, as the last change left them.
    fn known(&self) -> Arc<Known> {
        let mut roster = self.roster.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if roster.has_changed().unwrap_or(false)
            && let Ok(new) = Known::of(&roster.borrow_and_update())
        {
            *known = Arc::new(new);
        }
        Arc::clone(&known)
    }

    fn next(&self) -> Asked {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let assign = Asked::Assign { contact: format!("contact-{number}") };
        let rep = 1 + rand::random_range(0..REPS - 2);
        if self.workload == Workload::W1 {
            return assign;
        }
        match rand::random_range(0..100) {
            0..5 => Asked::Away { rep, note: format!("away-{number}") },
            5..10 => Asked::Back { rep, request: number },
            10..15 => Asked::ReadRep { rep },
            15..20 => {
                let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
                match recent.get(rand::random_range(0..RECENT)) {
                    Some((name, rep)) => Asked::ReadAssignment { name: name.clone(), rep: *rep },
                    None => Asked::ReadRep { rep },
                }
            }
            _ => assign,
        }
    }

    fn heard(&self, asked: &Asked, answer: &Answer) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        if let (Asked::Assign { .. }, Answer::Assigned { name, rep, .. }) = (asked, answer) {
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            if recent.len() >= RECENT {
                recent.remove(0);
            }
            recent.push((name.clone(), *rep));
        }
    }
}
