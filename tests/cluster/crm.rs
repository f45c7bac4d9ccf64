//! A whole CRM against three real processes, one of which, the leader, is killed on the way.
//!
//! The data is looked for at `TURNWISE_CRM_DIR`, then beside the project; where neither is there, a
//! file with the same counts is generated. The agents are imported as a user would, with the command.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::{process::Command, sync::watch, time::timeout};
use turnwise::{
    client::{Client, Error},
    proto::turnwise::v1::{
        AssignContactRequest, AssignContactResponse, Cause, ExternalId, GetRotationRequest,
        ListRepsRequest, OwnerKind, OwnerRef, PassOverReason, Rep, Rotation, SetOutOfOfficeRequest,
        TargetOutcome, assign_contact_request::Via,
    },
};

use crate::{
    harness::{Cluster, PATIENCE},
    service::{assignments, create_team, launch, to_group, to_owner},
};

const AWAY: &str = "Darcel Schlecht";
/// Per office: how many reps get how many contacts, when only turns count.
const EXPECTED: [(&str, [(usize, usize); 2]); 3] = [
    ("Central", [(8, 319), (3, 320)]),
    ("East", [(1, 190), (11, 191)]),
    ("West", [(3, 249), (9, 250)]),
];

/// One opportunity to route.
struct Opportunity {
    id: String,
    agent: String,
    office: String,
}

/// The two files.
struct Crm {
    /// Where `sales_teams.csv` is.
    agents_file: PathBuf,
    /// In the order of the file, each with its agent's office.
    opportunities: Vec<Opportunity>,
    _folder: Option<tempfile::TempDir>,
}

impl Crm {
    fn load() -> Self {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/crm");
        let given = env::var_os("TURNWISE_CRM_DIR").map(PathBuf::from);
        let found = given.or_else(|| beside.join("sales_teams.csv").is_file().then_some(beside));
        match found {
            Some(folder) => {
                eprintln!("the CRM's data is that of {}", folder.display());
                Self::read(&folder)
            }
            None => {
                eprintln!("no CRM data found: a generated file with the same counts is used");
                let folder = tempfile::tempdir().unwrap();
                generate(folder.path());
                let crm = Self::read(folder.path());
                Self { _folder: Some(folder), ..crm }
            }
        }
    }

    fn read(folder: &Path) -> Self {
        let agents_file = folder.join("sales_teams.csv");
        let office_of: BTreeMap<String, String> =
            rows(&agents_file, ["sales_agent", "regional_office"])
                .into_iter()
                .map(|[agent, office]| (agent, office))
                .collect();
        assert_eq!(office_of.len(), 35);
        let of_row = |[id, agent]: [String; 2]| {
            let office = office_of[&agent].clone();
            Opportunity { id, agent, office }
        };
        let file = folder.join("sales_pipeline.csv");
        let opportunities = rows(&file, ["opportunity_id", "sales_agent"]);
        let opportunities: Vec<_> = opportunities.into_iter().map(of_row).collect();
        assert_eq!(opportunities.len(), 8_800);
        Self { agents_file, opportunities, _folder: None }
    }

    fn of_agent<'a>(&'a self, agent: &'a str) -> impl Iterator<Item = &'a Opportunity> {
        self.opportunities.iter().filter(move |opportunity| opportunity.agent == agent)
    }
}

/// These columns of a CSV file.
fn rows<const N: usize>(file: &Path, columns: [&str; N]) -> Vec<[String; N]> {
    let mut reader = csv::Reader::from_path(file).unwrap();
    let header = reader.headers().unwrap().clone();
    let places = columns.map(|column| header.iter().position(|name| name == column).unwrap());
    reader.records().map(|row| row.unwrap()).map(|row| places.map(|i| row[i].to_owned())).collect()
}

/// Agents and opportunities as many per office as in the real files, five agents without any.
fn generate(folder: &Path) {
    let mut agents = csv::Writer::from_path(folder.join("sales_teams.csv")).unwrap();
    let mut pipeline = csv::Writer::from_path(folder.join("sales_pipeline.csv")).unwrap();
    agents.write_record(["sales_agent", "manager", "regional_office"]).unwrap();
    pipeline.write_record(["opportunity_id", "sales_agent", "account"]).unwrap();
    let mut left: Vec<(String, usize)> = Vec::new();
    for (office, counts) in EXPECTED {
        let count: usize = counts.iter().map(|(reps, _)| reps).sum();
        let total: usize = counts.iter().map(|(reps, each)| reps * each).sum();
        let idle = if office == "Central" { 1 } else { 2 };
        for number in 0..count {
            let name = match (office, number) {
                ("Central", 0) => AWAY.to_owned(),
                (_, number) => format!("{office} Agent-{number}"),
            };
            agents.write_record([name.as_str(), "Somebody", office]).unwrap();
            let first = if office == "Central" { 747 } else { total / (count - idle) };
            let others = count - idle - 1;
            let share = match number {
                0 => first,
                1 => total - first - (others - 1) * ((total - first) / others),
                number if number <= others => (total - first) / others,
                _ => 0,
            };
            left.push((name, share));
        }
    }
    // Agent after agent would be too kind to the rings: all in turn, by what they have left.
    let mut number = 0;
    while left.iter().any(|(_, count)| *count > 0) {
        for (name, count) in left.iter_mut().filter(|(_, count)| *count > 0) {
            *count -= 1;
            number += 1;
            pipeline
                .write_record([format!("OPP-{number}").as_str(), name.as_str(), "Acme"])
                .unwrap();
        }
    }
    agents.flush().unwrap();
    pipeline.flush().unwrap();
}

const TEAM: &str = "teams/crm";

/// `turnwise rep import`, as in the README.
async fn import(cluster: &Cluster, agents: &Path) {
    let endpoints = cluster.ids().iter().map(|id| cluster.client_address(*id)).collect::<Vec<_>>();
    let mut command = Command::new(env!("CARGO_BIN_EXE_turnwise"));
    command.args(["rep", "import"]).arg(agents);
    command.args(["--team", "crm", "--name", "sales_agent", "--group", "regional_office"]);
    command.args(["--endpoints", &endpoints.join(",")]);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn group_of(office: &str) -> String {
    format!("{TEAM}/groups/{}", slug::slugify(office))
}

/// A campaign per office; returns their resource names by office.
async fn campaigns(client: &Client, run: &str, owners: bool) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for (office, _) in EXPECTED {
        let mut targets = vec![to_group(&group_of(office))];
        if owners {
            targets.insert(0, to_owner());
        }
        let id = format!("{}-{run}", slug::slugify(office));
        names.insert(office.to_owned(), launch(client, TEAM, &id, targets).await);
    }
    names
}

/// Routes every opportunity, in the order of the file; the answers come in that order.
async fn route(
    client: &Client,
    crm: &Crm,
    campaigns: &BTreeMap<String, String>,
    owners: bool,
    answered: Option<&watch::Sender<usize>>,
) -> Vec<AssignContactResponse> {
    let requests = crm.opportunities.iter().map(|opportunity| AssignContactRequest {
        parent: TEAM.to_owned(),
        contact: opportunity.id.clone(),
        via: Some(Via::Campaign(campaigns[&opportunity.office].clone())),
        owners: owners.then(|| lead_owner(&opportunity.agent)).into_iter().collect(),
        ..AssignContactRequest::default()
    });
    let mut answers = Vec::new();
    let routed = client.assign_many(requests, 256, |number, answer| {
        assert_eq!(usize::try_from(number).unwrap(), answers.len());
        answers.push(answer?);
        if let Some(answered) = answered {
            answered.send_replace(answers.len());
        }
        Ok::<(), Error>(())
    });
    routed.await.unwrap();
    assert_eq!(answers.len(), crm.opportunities.len());
    answers
}

fn lead_owner(agent: &str) -> OwnerRef {
    OwnerRef {
        kind: OwnerKind::Lead.into(),
        external_id: Some(ExternalId { system: "import".to_owned(), id: agent.to_owned() }),
        ..OwnerRef::default()
    }
}

async fn rotation(client: &Client, office: &str, campaign: &str) -> Rotation {
    let campaign = campaign.rsplit('/').next().unwrap();
    let name = format!("{}/rotations/{campaign}", group_of(office));
    let answer = client.call(GetRotationRequest { name, next_count: 0 }).await.unwrap();
    // Whenever it is read.
    Rotation { log_index: 0, ..answer.rotation.unwrap() }
}

/// How many contacts each rep was given.
fn counts<'a>(
    answers: impl Iterator<Item = &'a AssignContactResponse>,
) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.assignment.as_ref().unwrap().rep.as_str()).or_insert(0) += 1;
    }
    counts
}

/// How many reps have how many contacts, the fewest first.
fn spread<'a>(counts: impl Iterator<Item = &'a usize>) -> Vec<(usize, usize)> {
    let mut spread: BTreeMap<usize, usize> = BTreeMap::new();
    for count in counts {
        *spread.entry(*count).or_insert(0) += 1;
    }
    spread.into_iter().map(|(count, reps)| (reps, count)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_crm_is_shared_evenly_by_owner_and_around_an_absence_while_the_leader_is_killed() {
    let crm = Crm::load();
    let mut cluster = Cluster::start().await;
    let client = cluster.client(&cluster.ids());
    create_team(&client, "crm").await;
    import(&cluster, &crm.agents_file).await;
    let list = ListRepsRequest { parent: TEAM.to_owned(), page_size: 100, ..Default::default() };
    let reps: Vec<Rep> = client.call(list).await.unwrap().reps;
    assert_eq!(reps.len(), 35);
    let name_of: BTreeMap<&str, &str> =
        reps.iter().map(|rep| (rep.external_ids["import"].as_str(), rep.name.as_str())).collect();

    // By turns alone, while the leader is killed half-way.
    let by_turns = campaigns(&client, "turns", false).await;
    let (answered, mut half_way) = watch::channel(0);
    let killing = async {
        half_way.wait_for(|count| *count >= 4_400).await.map(drop).unwrap();
        let leader = cluster.leader().await;
        cluster.kill(leader);
        assert!(*half_way.borrow() < crm.opportunities.len(), "killed on the way");
        leader
    };
    let routing = route(&client, &crm, &by_turns, false, Some(&answered));
    let (answers, killed) = tokio::join!(routing, killing);
    cluster.restart(killed).await;
    for (office, expected) in EXPECTED {
        let of_office = crm.opportunities.iter().zip(&answers);
        let of_office = of_office.filter(|(opportunity, _)| opportunity.office == office);
        let counts = counts(of_office.map(|(_, answer)| answer));
        assert_eq!(spread(counts.values()), expected, "{office}");
        let held = assignments(&client, TEAM, &by_turns[office]).await;
        assert_eq!(held.len(), counts.values().sum::<usize>(), "{office}: none lost, none twice");
    }
    cluster.agreed_hash().await;

    // By owner: everybody keeps their own, and no cursor moves.
    let by_owner = campaigns(&client, "owners", true).await;
    let mut before = Vec::new();
    for (office, _) in EXPECTED {
        before.push(rotation(&client, office, &by_turns[office]).await);
        before.push(rotation(&client, office, &by_owner[office]).await);
    }
    let answers = route(&client, &crm, &by_owner, true, None).await;
    for (opportunity, answer) in crm.opportunities.iter().zip(&answers) {
        let assignment = answer.assignment.as_ref().unwrap();
        assert_eq!(assignment.cause(), Cause::Owner);
        assert_eq!(assignment.rep, name_of[opportunity.agent.as_str()]);
        assert!(!assignment.owner_changed);
    }
    let mut after = Vec::new();
    for (office, _) in EXPECTED {
        after.push(rotation(&client, office, &by_turns[office]).await);
        after.push(rotation(&client, office, &by_owner[office]).await);
    }
    assert_eq!(after, before);

    // With one owner away: his fall to the ring of his office, without him.
    let darcel = name_of[AWAY];
    let away = SetOutOfOfficeRequest { name: darcel.to_owned(), ..Default::default() };
    client.call(away).await.unwrap();
    let around = campaigns(&client, "around", true).await;
    let answers = route(&client, &crm, &around, true, None).await;
    let mut fallen = Vec::new();
    for (opportunity, answer) in crm.opportunities.iter().zip(&answers) {
        let assignment = answer.assignment.as_ref().unwrap();
        if opportunity.agent != AWAY {
            assert_eq!(assignment.cause(), Cause::Owner);
            assert_eq!(assignment.rep, name_of[opportunity.agent.as_str()]);
            continue;
        }
        assert_eq!(assignment.cause(), Cause::Rotation);
        let [owner, ring] = assignment.decision.as_ref().unwrap().targets.as_slice() else {
            panic!("the owner's target, then the ring's: {assignment:?}");
        };
        assert_eq!(owner.outcome(), TargetOutcome::NoEligible);
        assert_eq!(owner.passed_over[0].rep, darcel);
        assert_eq!(owner.passed_over[0].reason(), PassOverReason::OutOfOffice);
        assert_eq!(ring.outcome(), TargetOutcome::Picked);
        fallen.push(answer);
    }
    assert_eq!(fallen.len(), crm.of_agent(AWAY).count());
    assert_eq!(fallen.len(), 747);
    let by_rep = counts(fallen.into_iter());
    assert!(!by_rep.contains_key(darcel));
    // Ten others, 747 contacts: within one of each other.
    assert_eq!(spread(by_rep.values()), [(3, 74), (7, 75)]);
    cluster.agreed_hash().await;
}

#[test]
fn the_generated_crm_has_the_counts_of_the_real_one() {
    let folder = tempfile::tempdir().unwrap();
    generate(folder.path());
    let crm = Crm::read(folder.path());
    for (office, expected) in EXPECTED {
        let total: usize = expected.iter().map(|(reps, each)| reps * each).sum();
        let of_office = crm.opportunities.iter().filter(|o| o.office == office);
        assert_eq!(of_office.count(), total, "{office}");
    }
    assert_eq!(crm.of_agent(AWAY).count(), 747);
    let busy: BTreeSet<&str> = crm.opportunities.iter().map(|o| o.agent.as_str()).collect();
    assert_eq!(busy.len(), 30, "five of 35 have none");
}
