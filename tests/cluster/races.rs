//! Calls that race from several nodes at once: whatever the order turns out to be, there is one, and
//! every promise holds in it.
//!
//! The guard, a claim, a capacity, a cap, one request and one piece of work, each asked for on different
//! nodes in the same moment, again and again. `TURNWISE_RACE_ROUNDS` sets how often (1,000 unless it says otherwise).

use std::{collections::BTreeMap, env};

use futures_util::future::join_all;
use turnwise::{
    client::{Client, Error},
    proto::turnwise::v1::{
        AssignContactRequest, AssignmentState, ClaimAssignmentRequest, ClearOutOfOfficeRequest,
        CloseAssignmentRequest, CreateRoutingRuleRequest, GetGroupRequest, GetRepRequest, Group,
        PeriodCap, Rep, RoutingRule, SetOutOfOfficeRequest, Target, UpdateGroupRequest,
        assign_contact_request::Via,
    },
};

use crate::{
    harness::Cluster,
    service::{Team, assignments, bytes, create_group, create_rep, create_team, to_group},
};

fn rounds() -> usize {
    let given = env::var("TURNWISE_RACE_ROUNDS").ok();
    given.map_or(1_000, |rounds| rounds.parse().expect("TURNWISE_RACE_ROUNDS is a number"))
}

/// A client per node, which asks that node first.
fn clients(cluster: &Cluster) -> Vec<Client> {
    let ids = cluster.ids();
    let first = |first: usize| {
        let mut nodes = ids.clone();
        nodes.rotate_left(first);
        cluster.client(&nodes)
    };
    (0..ids.len()).map(first).collect()
}

async fn rule(client: &Client, parent: &str, id: &str, targets: Vec<Target>) -> String {
    let rule = RoutingRule { display_name: id.to_owned(), targets, ..RoutingRule::default() };
    let request = CreateRoutingRuleRequest {
        parent: parent.to_owned(),
        routing_rule_id: id.to_owned(),
        routing_rule: Some(rule),
        ..CreateRoutingRuleRequest::default()
    };
    client.call(request).await.unwrap().routing_rule.unwrap().name
}

fn by_rule(parent: &str, contact: &str, rule: &str) -> AssignContactRequest {
    AssignContactRequest {
        parent: parent.to_owned(),
        contact: contact.to_owned(),
        via: Some(Via::RoutingRule(rule.to_owned())),
        ..AssignContactRequest::default()
    }
}

fn refused_for(answer: &Result<(), Error>, reason: &str) -> bool {
    answer.as_ref().is_err_and(|error| error.reason().as_deref() == Some(reason))
}

/// Two calls at once that would send the last two reps away, on different nodes: exactly one succeeds,
/// each time.
#[tokio::test(flavor = "multi_thread")]
async fn s0_23_of_two_last_reps_who_leave_at_once_exactly_one_may() {
    let cluster = Cluster::start().await;
    let clients = clients(&cluster);
    let team = Team::create(&clients[0], "guard", 2).await;
    let mut won: BTreeMap<usize, usize> = BTreeMap::new();
    for round in 0..rounds() {
        let leave = async |who: usize| {
            let name = team.ring[who].clone();
            let request = SetOutOfOfficeRequest { name, ..SetOutOfOfficeRequest::default() };
            clients[(round + who) % 3].call(request).await.map(|_| ())
        };
        let (a, b) = tokio::join!(leave(0), leave(1));
        assert!(a.is_ok() != b.is_ok(), "round {round}: {a:?} {b:?}");
        let (winner, refusal) = if a.is_ok() { (0, &b) } else { (1, &a) };
        assert!(refused_for(refusal, "LAST_AVAILABLE_REP"), "round {round}: {refusal:?}");
        *won.entry(winner).or_default() += 1;
        let name = team.ring[winner].clone();
        let back = ClearOutOfOfficeRequest { name, ..ClearOutOfOfficeRequest::default() };
        clients[round % 3].call(back).await.unwrap();
    }
    eprintln!("{} rounds; the first rep won {:?}", rounds(), won.get(&0));
    assert_eq!(won.len(), 2, "each of them was first at times: {won:?}");
}

/// Three reps claim the same contact on three nodes: one has it, the others are told so.
#[tokio::test(flavor = "multi_thread")]
async fn s2_1_a_contact_that_many_claim_at_once_goes_to_one() {
    let cluster = Cluster::start().await;
    let clients = clients(&cluster);
    let parent = "teams/claims";
    create_team(&clients[0], "claims").await;
    let mut reps = Vec::new();
    for number in 0..3 {
        let id = format!("r{number}");
        reps.push(create_rep(&clients[0], parent, &id, Rep::default()).await);
    }
    let manual = rule(&clients[0], parent, "manual", Vec::new()).await;
    for round in 0..rounds() / 10 {
        let contact = format!("c-{round}");
        let made = clients[0].call(by_rule(parent, &contact, &manual)).await.unwrap();
        let made = made.assignment.unwrap();
        assert_eq!(made.state(), AssignmentState::Unassigned);
        let claim = async |who: usize| {
            let (name, rep) = (made.name.clone(), reps[who].clone());
            let request = ClaimAssignmentRequest { name, rep, ..ClaimAssignmentRequest::default() };
            clients[(round + who) % 3].call(request).await
        };
        let answers = join_all((0..3).map(claim)).await;
        let winners: Vec<String> = answers
            .iter()
            .filter_map(|answer| Some(answer.as_ref().ok()?.assignment.as_ref()?.rep.clone()))
            .collect();
        assert_eq!(winners.len(), 1, "round {round}: {answers:?}");
        for answer in answers {
            let answer = answer.map(|_| ());
            assert!(answer.is_ok() || refused_for(&answer, "ALREADY_CLAIMED"), "{answer:?}");
        }
    }
}

/// Many contacts at once for reps who may hold two: never a third, and all that can be held is.
#[tokio::test(flavor = "multi_thread")]
async fn p10_a_capacity_holds_however_many_ask_at_once() {
    let cluster = Cluster::start().await;
    let clients = clients(&cluster);
    let parent = "teams/caps";
    create_team(&clients[0], "caps").await;
    let mut reps = Vec::new();
    for number in 0..4 {
        let rep = Rep { max_open: 2, ..Rep::default() };
        reps.push(create_rep(&clients[0], parent, &format!("r{number}"), rep).await);
    }
    create_group(&clients[0], parent, "few", &reps).await;
    let target = to_group(&format!("{parent}/groups/few"));
    let rule = rule(&clients[0], parent, "few", vec![target]).await;
    for round in 0..rounds() / 50 {
        let contacts = (0..12).map(|i| format!("c-{round}-{i}"));
        let calls = contacts.enumerate().map(|(i, contact)| {
            let request = by_rule(parent, &contact, &rule);
            let client = &clients[i % 3];
            async move { client.call(request).await.unwrap().assignment.unwrap() }
        });
        let made = join_all(calls).await;
        let held: Vec<_> = made.iter().filter(|a| a.state() == AssignmentState::Assigned).collect();
        assert_eq!(held.len(), 8, "round {round}: all that four reps can hold");
        for rep in &reps {
            let request = GetRepRequest { name: rep.clone() };
            let rep = clients[round % 3].call(request).await.unwrap().rep.unwrap();
            assert_eq!(rep.open_count, 2, "round {round}");
        }
        for assignment in held {
            let name = assignment.name.clone();
            let request = CloseAssignmentRequest { name, ..CloseAssignmentRequest::default() };
            clients[round % 3].call(request).await.unwrap();
        }
    }
}

/// Many contacts at once for a group whose members get two picks a day: never a third, though all that
/// they had is closed and nothing else holds them back.
#[tokio::test(flavor = "multi_thread")]
async fn p10_a_period_cap_holds_however_many_ask_at_once() {
    let cluster = Cluster::start().await;
    let clients = clients(&cluster);
    let parent = "teams/capped";
    create_team(&clients[0], "capped").await;
    let mut reps = Vec::new();
    for number in 0..4 {
        reps.push(create_rep(&clients[0], parent, &format!("r{number}"), Rep::default()).await);
    }
    for round in 0..rounds() / 50 {
        // A group of its own for each round: what was picked counts until the period is over. A long one,
        // so that no round sees it end.
        let id = format!("few-{round}");
        create_group(&clients[0], parent, &id, &reps).await;
        let name = format!("{parent}/groups/{id}");
        let period = Some(prost_types::Duration { seconds: 366 * 86_400, nanos: 0 });
        let period_cap = Some(PeriodCap { count: 2, period });
        let group = Some(Group { name: name.clone(), period_cap, ..Group::default() });
        let cap = UpdateGroupRequest { group, ..UpdateGroupRequest::default() };
        clients[round % 3].call(cap).await.unwrap();
        let calls = (0..12).map(|i| {
            let request = AssignContactRequest {
                parent: parent.to_owned(),
                contact: format!("c-{round}-{i}"),
                via: Some(Via::Group(name.clone())),
                ..AssignContactRequest::default()
            };
            let client = &clients[i % 3];
            async move {
                let made = client.call(request).await.unwrap().assignment.unwrap();
                if made.state() == AssignmentState::Assigned {
                    let name = made.name.clone();
                    let close =
                        CloseAssignmentRequest { name, ..CloseAssignmentRequest::default() };
                    client.call(close).await.unwrap();
                }
                made
            }
        });
        let made = join_all(calls).await;
        let mut picks: BTreeMap<&str, usize> = BTreeMap::new();
        for assignment in made.iter().filter(|a| a.state() == AssignmentState::Assigned) {
            *picks.entry(&assignment.rep).or_default() += 1;
        }
        let two_each = reps.iter().map(|rep| (rep.as_str(), 2)).collect();
        assert_eq!(picks, two_each, "round {round}");
        let others = made.iter().filter(|a| a.state() == AssignmentState::Unassigned).count();
        assert_eq!(others, 4, "round {round}: the rest is nobody's");
        let get = GetGroupRequest { name };
        let group = clients[round % 3].call(get).await.unwrap().group.unwrap();
        assert_eq!(group.period_cap, period_cap);
    }
}

/// One call with one request id that reaches three nodes at once, as a caller makes it who has lost
/// patience twice: three equal answers, one turn.
#[tokio::test(flavor = "multi_thread")]
async fn one_request_on_all_nodes_at_once_is_done_once_and_answered_alike() {
    let cluster = Cluster::start().await;
    let clients = clients(&cluster);
    let team = Team::create(&clients[0], "patience", 3).await;
    for round in 0..rounds() / 10 {
        let request_id = format!("request-{round}");
        let request = AssignContactRequest { request_id, ..team.request(&format!("c-{round}")) };
        let answers = join_all(clients.iter().map(|client| client.call(request.clone()))).await;
        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        let first = answers[0].assignment.as_ref().unwrap();
        assert_eq!(first.rep, team.ring[round % 3], "round {round}: one turn for each request");
        assert!(!answers[0].existing, "round {round}: each is the first answer");
        for answer in &answers {
            assert_eq!(bytes(answer), bytes(&answers[0]), "round {round}");
        }
    }
    let all = team.assignments(&clients[2]).await;
    assert_eq!(all.len(), rounds() / 10, "nothing was made twice, nothing was lost");
}

/// The same contact from three nodes at once: one assignment, one turn.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_work_asked_for_on_all_nodes_at_once_is_one_assignment() {
    let cluster = Cluster::start().await;
    let clients = clients(&cluster);
    let team = Team::create(&clients[0], "same", 3).await;
    for round in 0..rounds() / 10 {
        let contact = format!("c-{round}");
        let calls = (0..6).map(|i| team.assign(&clients[i % 3], &contact));
        let answers = join_all(calls).await;
        let first: Vec<_> = answers.iter().filter(|answer| !answer.existing).collect();
        assert_eq!(first.len(), 1, "round {round}");
        let names = answers.iter().map(|answer| &answer.assignment.as_ref().unwrap().name);
        let mut names: Vec<_> = names.collect();
        names.dedup();
        assert_eq!(names.len(), 1, "round {round}");
    }
    let all = assignments(&clients[1], &team.name(), "").await;
    assert_eq!(all.len(), rounds() / 10);
    let turns: Vec<String> = all.into_iter().map(|assignment| assignment.rep).collect();
    for (turn, rep) in turns.iter().enumerate() {
        assert_eq!(rep, &team.ring[turn % 3], "turn {turn}: no turn was used twice, none was lost");
    }
}
