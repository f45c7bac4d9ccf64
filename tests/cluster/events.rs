//! Events of a real cluster: every node tells the same, and a watcher misses nothing while nodes die.

use std::ops::ControlFlow;

use tokio::{process::Command, sync::watch, time::timeout};
use turnwise::{
    client::{Client, Error, Watched},
    proto::turnwise::v1::{
        Event, EventType, ListEventsRequest, WatchEventsRequest,
        event_service_client::EventServiceClient,
    },
};

use crate::{
    crowd::Crowd,
    harness::{Cluster, PATIENCE, Setup, eventually},
    service::{Team, once, reason},
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

/// Watches from the start until told to stop, and behind what had happened by then.
async fn watched(client: Client, team: String, mut stop_at: watch::Receiver<u64>) -> Vec<Event> {
    let mut all = Vec::new();
    let each = |told: Watched| {
        let next = match told {
            Watched::Events { events, next_index } => {
                all.extend(events);
                next_index
            }
            Watched::Broken { next_index, .. } => next_index,
        };
        let last = *stop_at.borrow_and_update();
        let is_over = last > 0 && next > last;
        Ok::<_, Error>(if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    client.watch_events(&team, 1, each).await.unwrap();
    all
}

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_sees_every_assignment_once_and_in_order_while_leaders_are_killed() {
    let mut cluster = Cluster::start().await;
    let team = Team::create(&cluster.client(&cluster.ids()), "sales", 3).await;
    let (stop, stop_at) = watch::channel(0);
    let watching = tokio::spawn(watched(cluster.client(&cluster.ids()), team.name(), stop_at));
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
    let mut expected: Vec<_> = answers.iter().map(|a| a.assignment.as_ref().unwrap()).collect();
    expected.sort_by_key(|assignment| {
        let position = assignment.position.unwrap();
        (position.log_index, position.seq)
    });
    let expected: Vec<&str> = expected.iter().map(|assignment| assignment.name.as_str()).collect();
    assert_eq!(assigned, expected, "every assignment has one event, in the order of the log");

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
