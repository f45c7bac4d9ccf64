//! Events of a real cluster: every node tells the same, and a watcher misses nothing while nodes die, nor
//! when it begins anew; one that does not read holds up nobody.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::ControlFlow,
};

use prost::Message as _;
use tokio::{process::Command, sync::watch, time::timeout};
use tonic::{Streaming, transport::Endpoint};
use tonic_types::StatusExt as _;
use turnwise::{
    client::{Client, Error, Watched},
    proto::turnwise::v1::{
        AssignContactRequest, AssignContactResponse, Assignment, BatchAssignContactsRequest,
        CloseAssignmentRequest, Event, EventType, ListEventsRequest, ReassignAssignmentRequest,
        UnassignAssignmentRequest, WatchEventsRequest, WatchEventsResponse,
        event_service_client::EventServiceClient, reassign_assignment_request::To,
    },
};

use crate::{
    crowd::Crowd,
    harness::{Cluster, PATIENCE, Setup, eventually},
    service::{Team, once, position, reason},
};

/// Everything that one node keeps.
async fn listed(cluster: &Cluster, node: u64, parent: &str) -> Vec<Event> {
    let channel = cluster.channel(node).await;
    let mut all = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListEventsRequest {
            parent: parent.to_owned(),
            page_size: 1_000,
            page_token,
            ..ListEventsRequest::default()
        };
        let page = once(&channel, request).await.unwrap();
        all.extend(page.events);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return all;
        }
    }
}

/// Watches from an index until told to stop, and behind what had happened by then; keeps of each event
/// what it is asked to.
async fn watched<T>(
    (client, team, from): (Client, String, u64),
    mut stop_at: watch::Receiver<u64>,
    keep: fn(Event) -> T,
) -> Vec<T> {
    let mut all = Vec::new();
    let each = |told: Watched| {
        let next = match told {
            Watched::Events { events, next_index } => {
                all.extend(events.into_iter().map(keep));
                next_index
            }
            Watched::Broken { next_index, .. } => next_index,
        };
        let last = *stop_at.borrow_and_update();
        let is_over = last > 0 && next > last;
        Ok::<_, Error>(if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    client.watch_events(&team, from, each).await.unwrap();
    all
}

/// Names of what was assigned, in the order of the log.
fn in_order(answers: &[AssignContactResponse]) -> Vec<&str> {
    let mut all: Vec<_> = answers.iter().map(|a| a.assignment.as_ref().unwrap()).collect();
    // Stable: those of one batch keep the order of their items.
    all.sort_by_key(|assignment| position(assignment));
    all.iter().map(|assignment| assignment.name.as_str()).collect()
}

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_sees_every_assignment_once_and_in_order_while_leaders_are_killed() {
    let mut cluster = Cluster::start().await;
    let team = Team::create(&cluster.client(&cluster.ids()), "sales", 3).await;
    let (stop, stop_at) = watch::channel(0);
    let from_the_start = (cluster.client(&cluster.ids()), team.name(), 1);
    let watching = tokio::spawn(watched(from_the_start, stop_at, |event| event));
    let mut crowd = Crowd::gather(&cluster, &team, 4);
    for _ in 0..2 {
        crowd.answered(150).await;
        let leader = cluster.leader().await;
        cluster.kill(leader);
        crowd.answered(150).await;
        cluster.restart(leader).await;
    }
    let answers = crowd.disperse().await;
    let last = answers.iter().map(|answer| answer.position.unwrap().log_index).max().unwrap();
    stop.send_replace(last);
    let seen = watching.await.unwrap();

    let assigned: Vec<&str> = seen
        .iter()
        .filter(|event| event.r#type() == EventType::AssignmentAssigned)
        .map(|event| event.resource.as_str())
        .collect();
    assert_eq!(
        assigned,
        in_order(&answers),
        "every assignment has one event, in the order of the log"
    );

    // No node has let anything go, so each tells the same from the beginning.
    for node in cluster.ids() {
        let all = listed(&cluster, node, &team.name()).await;
        assert_eq!(names(&all), names(&seen), "node {node}");
        assert!(all == seen, "node {node} tells them alike");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stops_ends_its_watchers_and_they_go_on_elsewhere() {
    let mut cluster = Cluster::start().await;
    let team = Team::create(&cluster.client(&cluster.ids()), "sales", 2).await;
    let leader = cluster.leader().await;
    let mut service = EventServiceClient::new(cluster.channel(leader).await);
    let request = WatchEventsRequest { parent: team.name(), start_index: 0 };
    let mut stream = service.watch_events(request).await.unwrap().into_inner();
    let next = stream.message().await.unwrap().unwrap().next_index;

    cluster.terminate(leader);
    let ended = loop {
        match stream.message().await {
            Ok(message) => assert!(message.is_some(), "it ends with a reason"),
            Err(ended) => break ended,
        }
    };
    assert_eq!(reason(&ended), "SHUTTING_DOWN");
    assert!(cluster.exited(leader).await.success());

    let other = cluster.others(leader)[0];
    let answer = team.assign(&cluster.client(&[other]), "later").await;
    let mut service = EventServiceClient::new(cluster.channel(other).await);
    let request = WatchEventsRequest { parent: team.name(), start_index: next };
    let mut stream = service.watch_events(request).await.unwrap().into_inner();
    let event = eventually(async || stream.message().await.unwrap().unwrap().events.pop()).await;
    assert_eq!(event.unwrap().resource, answer.assignment.unwrap().name);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_starts_tells_what_its_log_still_holds() {
    let mut cluster = Cluster::start().await;
    let team = Team::create(&cluster.client(&cluster.ids()), "sales", 2).await;
    team.assign(&cluster.client(&cluster.ids()), "before").await;
    let before = listed(&cluster, 1, &team.name()).await;
    cluster.kill(1);
    cluster.restart(1).await;
    assert_eq!(listed(&cluster, 1, &team.name()).await, before);
}

/// `turnwise events …` of team `sales` against one node: its exit code, stdout and stderr.
async fn events(cluster: &Cluster, node: u64, words: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turnwise"));
    command.arg("events").args(words.split(' ')).args(["--team", "sales", "--endpoints"]);
    command.arg(cluster.client_address(node)).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The index of the newest snapshot that a node says it wrote.
fn snapshot_of(cluster: &Cluster, node: u64) -> u64 {
    let log = cluster.log(node);
    let lines = log.lines().filter(|line| line.contains("snapshot written"));
    let index = |line: &str| line.split("index=").nth(1)?.split(' ').next()?.parse().ok();
    lines.filter_map(index).max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_from_an_index_that_is_compacted_says_how_to_go_on() {
    let setup = Setup { flags: vec!["--snapshot-every", "8KiB"], ..Setup::default() };
    let mut cluster = Cluster::start_with(setup).await;
    let client = cluster.client(&cluster.ids());
    let team = Team::create(&client, "sales", 2).await;
    let early = team.assign(&client, "early").await.position.unwrap().log_index;
    let node = cluster.follower().await;
    for number in 0..1_000 {
        if snapshot_of(&cluster, node) >= early {
            break;
        }
        team.assign(&client, &format!("filler-{number}")).await;
    }
    assert!(snapshot_of(&cluster, node) >= early, "a snapshot covers it");
    // From its snapshot on, a node that starts knows nothing of what happened before.
    cluster.kill(node);
    cluster.restart(node).await;
    let late = team.assign(&cluster.client(&[node]), "late").await.position.unwrap().log_index;

    let (code, told, said) = events(&cluster, node, &format!("watch --from {early}")).await;
    assert_eq!((code, told.as_str()), (1, ""), "{said}");
    let advice = "`turnwise events list --limit 1` shows the oldest one that is kept";
    assert!(said.contains("EVENTS_COMPACTED") && said.contains(advice), "{said}");
    // What it advises works.
    let (_, listed, _) = events(&cluster, node, "list --limit 1 --output csv").await;
    let oldest = listed.lines().nth(1).unwrap().split(',').nth(1).unwrap().to_owned();
    let oldest: u64 = oldest.parse().unwrap();
    assert!(early < oldest && oldest <= late, "{oldest}");
    let (code, told, said) =
        events(&cluster, node, &format!("watch --from {oldest} --count 1")).await;
    assert_eq!((code, told.lines().count()), (0, 1), "{said}");
}

/// What a consumer knows of each assignment: its contact, state and rep.
type Picture = BTreeMap<String, (String, i32, String)>;

fn picture(listed: Vec<Assignment>) -> Picture {
    listed.into_iter().map(|it| (it.name, (it.contact, it.state, it.rep))).collect()
}

/// Of an assignment's event: what the consumer knows then.
fn known(event: Event) -> Option<(String, (String, i32, String))> {
    let (of, after) = (event.assignment?, event.after?);
    Some((event.resource, (of.contact, after.assignment_state, after.rep)))
}

/// Until told to stop, assigns contacts and closes, unassigns or reassigns those assigned ten before.
/// Gives the index of the last step.
async fn steps(client: Client, team: Team, stopped: watch::Receiver<bool>) -> u64 {
    let mut made = VecDeque::new();
    let mut last = 0;
    for number in 0.. {
        let answer = team.assign(&client, &format!("step-{number}")).await;
        made.push_back(answer.assignment.unwrap().name);
        let name = if made.len() > 10 { made.pop_front() } else { None };
        let Some(name) = name else { continue };
        let position = match number % 3 {
            0 => {
                let close = CloseAssignmentRequest { name, ..Default::default() };
                client.call(close).await.unwrap().position
            }
            1 => {
                let unassign = UnassignAssignmentRequest { name, ..Default::default() };
                client.call(unassign).await.unwrap().position
            }
            _ => {
                let to = Some(To::Rep(team.ring[0].clone()));
                let reassign = ReassignAssignmentRequest { name, to, ..Default::default() };
                client.call(reassign).await.unwrap().position
            }
        };
        last = position.unwrap().log_index;
        if *stopped.borrow() {
            break;
        }
    }
    last
}

/// Where a consumer stands after the first message, or why it is refused.
async fn first_index(client: &Client, team: &Team, from: u64) -> Result<u64, Error> {
    let mut next = 0;
    let each = |told: Watched| {
        let (Watched::Events { next_index, .. } | Watched::Broken { next_index, .. }) = told;
        next = next_index;
        Ok::<_, Error>(if next > 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    client.watch_events(&team.name(), from, each).await?;
    Ok(next)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_a_consumer_that_came_too_late_begins_anew_as_documented_and_misses_nothing() {
    let setup = Setup { flags: vec!["--snapshot-every", "32KiB"], ..Setup::default() };
    let mut cluster = Cluster::start_with(setup).await;
    let client = cluster.client(&cluster.ids());
    let team = Team::create(&client, "sales", 3).await;
    let mut crowd = Crowd::gather(&cluster, &team, 2);
    let (stop_steps, stopped) = watch::channel(false);
    let stepping = tokio::spawn(steps(client.clone(), team.clone(), stopped));

    // At work on one node, then away for so long that this node keeps nothing of what came next.
    let node = cluster.follower().await;
    let alone = cluster.client(&[node]);
    let (mut count, mut left_at) = (0, 0);
    let each = |told: Watched| {
        if let Watched::Events { events, next_index } = told {
            (count, left_at) = (count + events.len(), next_index);
        }
        Ok::<_, Error>(if count > 100 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    alone.watch_events(&team.name(), 1, each).await.unwrap();
    let covered = eventually(async || (snapshot_of(&cluster, node) >= left_at).then_some(()));
    covered.await.expect("the load makes for snapshots");
    cluster.kill(node);
    crowd.answered(50).await;
    cluster.restart(node).await;
    let refused = first_index(&alone, &team, left_at).await.unwrap_err();
    assert_eq!(refused.reason().as_deref(), Some("EVENTS_COMPACTED"), "{refused}");

    // What docs/ERRORS.md says to do: where to go on, the list, and on from there.
    let noted = first_index(&alone, &team, 0).await.unwrap();
    crowd.answered(20).await;
    let mut seen = picture(team.assignments(&alone).await);
    let listed = seen.len();
    crowd.answered(20).await;
    let (stop, stop_at) = watch::channel(0);
    let going_on = (alone, team.name(), noted);
    let watching = tokio::spawn(watched(going_on, stop_at, known));
    crowd.answered(100).await;

    let answers = crowd.disperse().await;
    stop_steps.send_replace(true);
    let last_step = stepping.await.unwrap();
    let indexes = answers.iter().map(|answer| answer.position.unwrap().log_index);
    stop.send_replace(indexes.chain([last_step]).max().unwrap());
    seen.extend(watching.await.unwrap().into_iter().flatten());
    let present = picture(team.assignments(&client).await);
    assert!(listed > 100 && present.len() > listed + 100, "{listed}, {}", present.len());
    assert!(seen == present, "{:?}", differences(&seen, &present));
}

/// What is in one and not in the other.
fn differences<'a>(one: &'a Picture, other: &'a Picture) -> Vec<&'a str> {
    let missing = |a: &'a Picture, b: &'a Picture| {
        a.iter().filter(|(name, known)| b.get(*name) != Some(*known)).map(|(name, _)| name.as_str())
    };
    missing(one, other).chain(missing(other, one)).collect()
}

/// A stream of events from now on, of a consumer that has read the first message.
async fn opened(cluster: &Cluster, node: u64, team: &Team) -> Streaming<WatchEventsResponse> {
    let endpoint = Endpoint::from_shared(format!("http://{}", cluster.client_address(node)));
    let endpoint = endpoint.unwrap().initial_stream_window_size(65_535);
    let mut service = EventServiceClient::new(endpoint.connect().await.unwrap());
    let request = WatchEventsRequest { parent: team.name(), start_index: 0 };
    let mut stream = service.watch_events(request).await.unwrap().into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap().events, []);
    stream
}

/// A thousand contacts. Their events are short on the wire and long as a node counts what it keeps.
fn thousand(team: &Team, number: usize) -> BatchAssignContactsRequest {
    let labels: BTreeMap<_, _> = (0..32).map(|n| (format!("l{n}"), String::new())).collect();
    let item = |n| AssignContactRequest {
        labels: labels.clone(),
        ..team.request(&format!("batch-{number}-{n}"))
    };
    BatchAssignContactsRequest {
        parent: team.name(),
        requests: (0..1_000).map(item).collect(),
        ..BatchAssignContactsRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_does_not_read_slows_nobody_on_any_node_and_learns_where_it_stopped() {
    let cluster = Cluster::start().await;
    let client = cluster.client(&cluster.ids());
    let team = Team::create(&client, "sales", 3).await;
    let nodes = [cluster.leader().await, cluster.follower().await];
    let (stop, stop_at) = watch::channel(0);
    let (mut idle, mut busy) = (Vec::new(), Vec::new());
    for node in nodes {
        idle.push(opened(&cluster, node, &team).await);
        let alone = cluster.client(&[node]);
        let from = first_index(&alone, &team, 0).await.unwrap();
        let watching = watched((alone, team.name(), from), stop_at.clone(), |event| event.resource);
        busy.push(tokio::spawn(watching));
    }

    // More than a node keeps, which is 64 MiB, while others go about their work.
    let mut crowd = Crowd::gather(&cluster, &team, 2);
    let mut answers = Vec::new();
    for number in 0..25 {
        answers.extend(client.call(thousand(&team, number)).await.unwrap().responses);
    }
    crowd.answered(50).await;
    answers.extend(crowd.disperse().await);
    let expected = in_order(&answers);
    let indexes = answers.iter().map(|answer| answer.position.as_ref().unwrap().log_index);
    let last = indexes.max().unwrap();
    stop.send_replace(last);
    for watching in busy {
        let seen = watching.await.unwrap();
        assert!(seen == expected, "{} of {}", seen.len(), expected.len());
    }

    for mut stream in idle {
        let (mut seen, mut next, mut bytes) = (Vec::new(), 0, 0);
        let ended = loop {
            match stream.message().await {
                Ok(message) => {
                    let message = message.unwrap();
                    bytes += message.encoded_len();
                    next = message.next_index;
                    assert!(next <= last, "it is not ended, and has seen {}", seen.len());
                    seen.extend(message.events.into_iter().map(|event| event.resource));
                }
                Err(ended) => break ended,
            }
        };
        assert_eq!(reason(&ended), "EVENTS_COMPACTED");
        let metadata = ended.get_error_details().error_info().unwrap().metadata.clone();
        assert_eq!(metadata["next_index"], next.to_string());
        assert!(metadata["oldest_index"].parse::<u64>().unwrap() > next);
        // What was on its way when it stopped to read, and no more was kept for it.
        assert!(bytes < 1 << 20, "{bytes}");
        assert!(seen.len() < expected.len() / 2 && seen == expected[..seen.len()]);
    }
}
