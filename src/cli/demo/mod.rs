//! `turnwise demo`: three nodes, two thousand contacts, a leader killed half-way, and the proof that
//! nothing was lost, given twice, or given out of turn.
//!
//! | File | Owns |
//! |---|---|
//! | `traffic` | the clients |
//! | `verdict` | what they saw against what the cluster holds: pure |
//! | `reference` | whose turn it was, worked out apart from `src/routing`: pure |
//! | `tamper` | falsified answers, to show that the verdict would notice |
//!
//! This file is the story: set up, route, send away, kill, restart, bring back, judge.

mod reference;
mod tamper;
mod traffic;
mod verdict;

use std::{io::Write as _, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    Context,
    failure::{Failure, to},
    names,
    output::Format,
    pages,
    processes::{Ports, Processes, interrupted},
};
use crate::{
    client::{Client, Options},
    config::ClusterId,
    proto::turnwise::v1::{
        Campaign, ClearOutOfOfficeRequest, ClusterMember, CreateCampaignRequest,
        CreateGroupRequest, CreateRepRequest, CreateTeamRequest, GetClusterRequest, Group,
        GroupMember, LaunchCampaignRequest, LogPosition, Rep, SetOutOfOfficeRequest, Target,
        TargetList, group_member::Member, target::Kind,
    },
};
use tamper::Break;
use verdict::{Acknowledged, Figures, Place, Presence, Ring};

const NODES: u16 = 3;
const CLIENTS: usize = 8;
const CONTACTS: usize = 2_000;
const TEAM: &str = "demo";
/// Each routes through the group at the same place.
const CAMPAIGNS: [&str; 2] = ["spring", "autumn"];
const GROUPS: [(&str, [&str; 6]); 2] = [
    ("north", ["ana", "bo", "cem", "dora", "emil", "fay"]),
    ("south", ["gil", "hana", "ivo", "jun", "kim", "leo"]),
];
/// Who goes away and comes back.
const AWAY: &str = "cem";

/// After how many answers things happen.
const AWAY_AT: usize = 500;
const KILL_AT: usize = 1_000;
const RESTART_AT: usize = 1_200;
const BACK_AT: usize = 1_500;

#[derive(clap::Args)]
#[command(after_help = "\
Exit 0 only if nothing acknowledged was lost, nothing was given twice, every pick was the one that a \
rotation worked out apart gives, and the state of all nodes is the same.

Example: turnwise demo --output json")]
pub(super) struct Arguments {
    /// Falsify what the clients saw, which must be noticed
    #[arg(long = "break", value_enum, hide = true)]
    how_to_break: Option<Break>,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    tokio::select! {
        told = Box::pin(tell(context, arguments.how_to_break)) => told,
        // What was begun is dropped: the nodes are killed, the folder is removed.
        () = interrupted() => Err(Failure::interrupted()),
    }
}

async fn tell(context: &Context, how_to_break: Option<Break>) -> Result<(), Failure> {
    let story = Story::begin();
    let cannot = |error: std::io::Error| Failure::failed(format!("no temporary folder: {error}"));
    // Declared before the processes, so that it is removed after they have ended.
    let folder = tempfile::Builder::new().prefix("turnwise-demo-").tempdir().map_err(cannot)?;
    let cluster_id = ClusterId::random();
    let mut processes = Processes::start(folder.path(), cluster_id, NODES, Ports::Free).await?;
    let endpoints = processes.endpoints();
    story.say(&format!("{NODES} nodes are up: {}", endpoints.join(" ")));

    let options = Options { deadline: context.deadline, ..Options::default() };
    let client = Client::new(&endpoints, options.clone())
        .map_err(|error| Failure::failed(error.to_string()))?;
    set_up(&client).await?;
    let reps: usize = GROUPS.iter().map(|(_, reps)| reps.len()).sum();
    story.say(&format!("team `{TEAM}`: {reps} reps in 2 groups, 2 campaigns launched"));

    let mut run = route(&story, &mut processes, &client, &options).await?;
    story.bar.finish_and_clear();
    processes.ready().await?;
    let held = pages::assignments(&client, TEAM).await?;
    let held: Vec<_> = held.iter().map(traffic::seen).collect();
    let members = settled(&client, context.deadline).await?;
    if let Some(how) = how_to_break {
        tamper::tamper(how, &mut run.acknowledged);
        story.say(&format!("(falsified what the clients saw: {how:?})"));
    }
    let figures = verdict::judge(&rings(), &run.acknowledged, &run.presences, &held);
    report(context, &figures, run.outage, &members)
}

/// What came of the routing.
struct Run {
    acknowledged: Vec<Acknowledged>,
    presences: Vec<Presence>,
    /// From the kill to the first answer of another leader.
    outage: Option<Duration>,
}

async fn route(
    story: &Story,
    processes: &mut Processes,
    client: &Client,
    options: &Options,
) -> Result<Run, Failure> {
    let (_clients, mut told) = traffic::start(&processes.endpoints(), options)?;
    let mut run = Run { acknowledged: Vec::new(), presences: Vec::new(), outage: None };
    let mut killed: Option<Killed> = None;
    while let Some(answer) = told.recv().await {
        let (answer, at) = answer?;
        if let Some(killed) = &killed
            && run.outage.is_none()
            && answer.term > killed.term
        {
            let outage = at.saturating_duration_since(killed.at);
            story.say(&format!(
                "served again {} ms after the kill, in term {}",
                outage.as_millis(),
                answer.term
            ));
            run.outage = Some(outage);
        }
        run.acknowledged.push(answer);
        story.bar.set_position(u64::try_from(run.acknowledged.len()).unwrap_or(u64::MAX));
        match run.acknowledged.len() {
            AWAY_AT => {
                run.presences.push(go_away(client).await?);
                story.say(&format!("{AWAY} is out of office: passed over until they are back"));
            }
            KILL_AT => {
                let leader = kill_leader(processes, client, options.deadline).await?;
                story.say(&format!("node {}, the leader, killed with SIGKILL", leader.node));
                killed = Some(leader);
            }
            RESTART_AT => {
                if let Some(killed) = &killed {
                    processes.restart(killed.node)?;
                    story.say(&format!("node {} started again", killed.node));
                }
            }
            BACK_AT => {
                run.presences.push(come_back(client).await?);
                story.say(&format!("{AWAY} is back, and waits for their turn"));
            }
            _ => {}
        }
    }
    story.say(&format!("{} contacts routed by {CLIENTS} clients", run.acknowledged.len()));
    Ok(run)
}

/// The leader that was killed.
struct Killed {
    node: u64,
    term: u64,
    at: Instant,
}

async fn kill_leader(
    processes: &mut Processes,
    client: &Client,
    deadline: Duration,
) -> Result<Killed, Failure> {
    let start = Instant::now();
    loop {
        let got = client.call(GetClusterRequest::default()).await.map_err(to("find the leader"))?;
        let cluster = got.cluster.unwrap_or_default();
        if processes.kill(cluster.leader_node_id) {
            return Ok(Killed {
                node: cluster.leader_node_id,
                term: cluster.term,
                at: Instant::now(),
            });
        }
        if start.elapsed() > deadline {
            return Err(Failure::failed(format!("no leader to kill after {deadline:?}")));
        }
        // An election is under way.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn go_away(client: &Client) -> Result<Presence, Failure> {
    let request = SetOutOfOfficeRequest {
        name: names::rep(TEAM, AWAY),
        note: "demo".to_owned(),
        ..SetOutOfOfficeRequest::default()
    };
    let set = client.call(request).await.map_err(to(format!("set `{AWAY}` out of office")))?;
    Ok(Presence { place: place(set.position), rep: AWAY.to_owned(), away: true })
}

async fn come_back(client: &Client) -> Result<Presence, Failure> {
    let name = names::rep(TEAM, AWAY);
    let request = ClearOutOfOfficeRequest { name, ..ClearOutOfOfficeRequest::default() };
    let cleared = client.call(request).await.map_err(to(format!("bring `{AWAY}` back")))?;
    Ok(Presence { place: place(cleared.position), rep: AWAY.to_owned(), away: false })
}

fn place(position: Option<LogPosition>) -> Place {
    let position = position.unwrap_or_default();
    Place { log_index: position.log_index, seq: position.seq }
}

async fn set_up(client: &Client) -> Result<(), Failure> {
    let team_id = TEAM.to_owned();
    let request = CreateTeamRequest { team_id, ..CreateTeamRequest::default() };
    client.call(request).await.map_err(to("create the team"))?;
    for ((group, reps), campaign) in GROUPS.into_iter().zip(CAMPAIGNS) {
        for rep in reps {
            let request = CreateRepRequest {
                parent: names::team(TEAM),
                rep_id: rep.to_owned(),
                rep: Some(Rep { email: format!("{rep}@example.com"), ..Rep::default() }),
                ..CreateRepRequest::default()
            };
            client.call(request).await.map_err(to(format!("create rep `{rep}`")))?;
        }
        let member = |rep| GroupMember {
            member: Some(Member::Rep(names::rep(TEAM, rep))),
            ..GroupMember::default()
        };
        let request = CreateGroupRequest {
            parent: names::team(TEAM),
            group_id: group.to_owned(),
            group: Some(Group { members: reps.map(member).into(), ..Group::default() }),
            ..CreateGroupRequest::default()
        };
        client.call(request).await.map_err(to(format!("create group `{group}`")))?;
        let kind = Some(Kind::Group(names::group(TEAM, group)));
        let targets = vec![Target { kind, ..Target::default() }];
        let request = CreateCampaignRequest {
            parent: names::team(TEAM),
            campaign_id: campaign.to_owned(),
            campaign: Some(Campaign {
                targets: Some(TargetList { targets }),
                ..Campaign::default()
            }),
            ..CreateCampaignRequest::default()
        };
        client.call(request).await.map_err(to(format!("create campaign `{campaign}`")))?;
        let name = names::campaign(TEAM, campaign);
        let request = LaunchCampaignRequest { name, ..LaunchCampaignRequest::default() };
        client.call(request).await.map_err(to(format!("launch campaign `{campaign}`")))?;
    }
    Ok(())
}

fn rings() -> Vec<Ring> {
    let ring = |(group, reps): (&str, [&str; 6])| Ring {
        group: group.to_owned(),
        reps: reps.map(str::to_owned).into(),
    };
    GROUPS.map(ring).into()
}

/// The members once all of them have applied the same index.
async fn settled(client: &Client, deadline: Duration) -> Result<Vec<ClusterMember>, Failure> {
    let start = Instant::now();
    loop {
        let request = GetClusterRequest { at_applied_index: true };
        let got = client.call(request).await.map_err(to("compare the nodes"))?;
        let members = got.cluster.unwrap_or_default().members;
        let index = |member: &ClusterMember| member.state_hash.as_ref().map(|hash| hash.log_index);
        let first = members.first().and_then(index);
        let all = members.len() == usize::from(NODES)
            && members.iter().all(|member| member.reachable && index(member) == first);
        if first.is_some() && all {
            return Ok(members);
        }
        if start.elapsed() > deadline {
            return Err(Failure::failed(format!("the nodes are not level after {deadline:?}")));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn report(
    context: &Context,
    figures: &Figures,
    outage: Option<Duration>,
    members: &[ClusterMember],
) -> Result<(), Failure> {
    let hashes: Vec<&str> = members
        .iter()
        .filter_map(|member| member.state_hash.as_ref().map(|hash| hash.hash.as_str()))
        .collect();
    let agree = hashes.len() == usize::from(NODES)
        && hashes.iter().all(|hash| hashes.first() == Some(hash));
    let outage_ms = outage.and_then(|outage| u64::try_from(outage.as_millis()).ok());
    let mut wrong: Vec<String> = Vec::new();
    for (count, what) in [
        (figures.lost, "acknowledged but lost"),
        (figures.duplicates, "given twice"),
        (figures.out_of_order, "out of turn"),
        (CONTACTS.saturating_sub(figures.acknowledged), "never acknowledged"),
    ] {
        if count > 0 {
            wrong.push(format!("{count} {what}"));
        }
    }
    if !agree {
        wrong.push(format!("the nodes' states differ: {}", hashes.join(" ")));
    }

    let totals: Vec<(&str, Value)> = vec![
        ("acknowledged", figures.acknowledged.into()),
        ("duplicates", figures.duplicates.into()),
        ("lost", figures.lost.into()),
        ("out_of_order", figures.out_of_order.into()),
        ("leader_changes", figures.leader_changes.into()),
        ("ms_from_kill_to_next_success", outage_ms.map_or(Value::Null, Value::from)),
        ("state_hashes_agree", agree.into()),
        ("passed", wrong.is_empty().into()),
    ];
    let rows: Vec<Vec<Value>> = figures
        .groups
        .iter()
        .flat_map(|group| {
            group.reps.iter().map(|rep| {
                let note = if rep.was_away { "away for a while" } else { "" };
                vec![
                    group.group.as_str().into(),
                    group.spread.into(),
                    rep.rep.as_str().into(),
                    rep.contacts.into(),
                    note.into(),
                ]
            })
        })
        .collect();
    let mut whole: serde_json::Map<String, Value> =
        totals.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    whole.insert("groups".to_owned(), json!(figures.groups));
    context.output.document(&whole, &["group", "spread", "rep", "contacts", "note"], &rows)?;
    if context.output.format == Format::Table {
        context.output.line("")?;
        let (names, values): (Vec<&str>, Vec<Value>) = totals.into_iter().unzip();
        context.output.record(&names, values)?;
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(Failure::failed(format!("it did not hold: {}", wrong.join("; ")))),
    }
}

/// Tells on stderr what happens, beside a progress bar where that is a terminal.
struct Story {
    bar: ProgressBar,
    start: Instant,
}

impl Story {
    fn begin() -> Self {
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} contacts");
        let bar = ProgressBar::new(u64::try_from(CONTACTS).unwrap_or(u64::MAX))
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, start: Instant::now() }
    }

    fn say(&self, line: &str) {
        let line = format!("{:>7.3} s  {line}", self.start.elapsed().as_secs_f64());
        self.bar.suspend(|| drop(writeln!(std::io::stderr().lock(), "{line}")));
    }
}
