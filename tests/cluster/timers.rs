//! What happens by time alone, on a cluster that nobody else asks anything.

use std::{ops::ControlFlow, time::Duration};

use tonic::Streaming;
use turnwise::{
    client::{Client, Error, Watched},
    clock,
    proto::turnwise::v1::{
        AssignContactRequest, Assignment, AssignmentState, Availability, Cause, ClusterMember,
        CreateRoutingRuleRequest, Event, EventType, GetAssignmentRequest, GetRepRequest,
        PresenceState, Rep, RoutingRule, SetOutOfOfficeRequest, SetPresenceRequest, Target,
        WatchEventsRequest, WatchEventsResponse, assign_contact_request::Via,
        event_service_client::EventServiceClient,
    },
};

use crate::{
    harness::{Cluster, eventually},
    service::{create_group, create_rep, create_team, to_group},
};

const TEAM: &str = "teams/sales";

/// Reps `a` and `b` in the group `near`, `last` in the group `far`, and a rule with these targets.
async fn set_up(client: &Client, targets: Vec<Target>) {
    create_team(client, "sales").await;
    let mut near = Vec::new();
    for id in ["a", "b"] {
        near.push(create_rep(client, TEAM, id, Rep::default()).await);
    }
    let last = create_rep(client, TEAM, "last", Rep::default()).await;
    create_group(client, TEAM, "near", &near).await;
    create_group(client, TEAM, "far", &[last]).await;
    let rule = RoutingRule { display_name: "Rule".to_owned(), targets, ..RoutingRule::default() };
    let request = CreateRoutingRuleRequest {
        parent: TEAM.to_owned(),
        routing_rule_id: "rule".to_owned(),
        routing_rule: Some(rule),
        ..CreateRoutingRuleRequest::default()
    };
    client.call(request).await.unwrap();
}

/// Held for so long at a group of whom nobody is online; then the other group.
fn waits(wait: Duration) -> Vec<Target> {
    let near = Target {
        require_online: true,
        wait: Some(wait.try_into().unwrap()),
        ..to_group("teams/sales/groups/near")
    };
    vec![near, to_group("teams/sales/groups/far")]
}

async fn assign(client: &Client) -> (Assignment, u64) {
    let request = AssignContactRequest {
        parent: TEAM.to_owned(),
        contact: "c-1".to_owned(),
        via: Some(Via::RoutingRule("teams/sales/routingRules/rule".to_owned())),
        ..AssignContactRequest::default()
    };
    let answer = client.call(request).await.unwrap();
    (answer.assignment.unwrap(), answer.position.unwrap().log_index)
}

async fn watch(cluster: &Cluster, start_index: u64) -> Streaming<WatchEventsResponse> {
    let node = cluster.follower().await;
    let mut service = EventServiceClient::new(cluster.channel(node).await);
    let request = WatchEventsRequest { parent: TEAM.to_owned(), start_index };
    service.watch_events(request).await.unwrap().into_inner()
}

/// Events until one of this type, that one included; and where to go on.
async fn until(stream: &mut Streaming<WatchEventsResponse>, last: EventType) -> (Vec<Event>, u64) {
    let mut seen = Vec::new();
    let next = eventually(async || {
        let message = stream.message().await.unwrap().unwrap();
        seen.extend(message.events);
        seen.iter().any(|event| event.r#type() == last).then_some(message.next_index)
    });
    let next = next.await.unwrap_or_else(|| panic!("no {last:?}"));
    (seen, next)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s4_10e4_a_wait_ends_by_time_alone_and_then_the_log_stands_still() {
    let cluster = Cluster::start().await;
    let client = cluster.client(&cluster.ids());
    set_up(&client, waits(Duration::from_secs(1))).await;
    let (waiting, index) = assign(&client).await;
    assert_eq!(waiting.state(), AssignmentState::Pending);

    let mut stream = watch(&cluster, index).await;
    let (seen, next) = until(&mut stream, EventType::AssignmentAssigned).await;
    let types: Vec<_> = seen.iter().map(Event::r#type).collect();
    assert_eq!(types, [EventType::AssignmentPending, EventType::AssignmentAssigned]);
    let assigned = seen.last().unwrap();
    assert_eq!(assigned.assignment.as_ref().unwrap().rep, "teams/sales/reps/last");
    assert_eq!(assigned.principal, "", "nobody asked");
    // Ticks only when there is something due: one. An election or two may have come between, and marks.
    let position = assigned.position.as_ref().unwrap();
    assert!(position.log_index <= index + 6, "a second of waiting from {index}: {position:?}");
    let (made, moved) = (waiting.create_time.unwrap(), assigned.time.unwrap());
    let micros = |at: prost_types::Timestamp| at.seconds * 1_000_000 + i64::from(at.nanos) / 1_000;
    assert!(micros(moved) - micros(made) >= 1_000_000, "not before its time, in log time");

    // Nothing is due, so nothing is written, but once what each node has of it: not in a hundred looks.
    let (mut at, mut still) = (next, 0);
    while still < 5 {
        let message = stream.message().await.unwrap().unwrap();
        assert_eq!(message.events, []);
        still = if message.next_index == at { still + 1 } else { 0 };
        at = message.next_index;
        assert!(at <= next + 4, "from {next} to {at}: the log does not come to rest");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offer_that_nobody_answers_goes_from_rep_to_rep_by_time_alone() {
    let cluster = Cluster::start().await;
    let client = cluster.client(&cluster.ids());
    let accept_timeout = Some(Duration::from_secs(1).try_into().unwrap());
    let near = to_group("teams/sales/groups/near");
    set_up(&client, vec![Target { accept_timeout, ..near }]).await;
    let (offered, index) = assign(&client).await;
    assert_eq!(offered.state(), AssignmentState::Offered);
    assert_eq!(offered.rep, "teams/sales/reps/a");

    let mut stream = watch(&cluster, index).await;
    let (seen, _) = until(&mut stream, EventType::AssignmentUnassigned).await;
    let seen: Vec<_> = seen
        .iter()
        .map(|event| (event.r#type(), event.cause(), event.after.as_ref().unwrap().rep.as_str()))
        .collect();
    let expected = [
        (EventType::AssignmentOffered, Cause::Rotation, "teams/sales/reps/a"),
        (EventType::AssignmentRejected, Cause::OfferTimeout, ""),
        (EventType::AssignmentOffered, Cause::Rotation, "teams/sales/reps/b"),
        (EventType::AssignmentRejected, Cause::OfferTimeout, ""),
        (EventType::AssignmentUnassigned, Cause::NoTarget, ""),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_ends_though_the_leader_was_killed_in_the_middle() {
    let mut cluster = Cluster::start().await;
    let client = cluster.client(&cluster.ids());
    set_up(&client, waits(Duration::from_secs(3))).await;
    let leader = cluster.leader().await;
    let (waiting, index) = assign(&client).await;
    assert_eq!(waiting.state(), AssignmentState::Pending);
    cluster.kill(leader);

    let client = cluster.client(&cluster.others(leader));
    let mut events = Vec::new();
    let each = |told: Watched| {
        if let Watched::Events { events: more, .. } = told {
            events.extend(more);
        }
        let is_over = events.iter().any(|e: &Event| e.r#type() == EventType::AssignmentAssigned);
        Ok::<_, Error>(if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    client.watch_events(TEAM, index, each).await.unwrap();
    let request = GetAssignmentRequest { name: waiting.name };
    let now = client.call(request).await.unwrap().assignment.unwrap();
    assert_eq!(now.rep, "teams/sales/reps/last");
    let position = events.last().unwrap().position.unwrap();
    assert!(position.term > waiting.position.unwrap().term, "by the next leader");
}

/// A node as it sees itself.
async fn itself(cluster: &Cluster, node: u64) -> ClusterMember {
    let members = cluster.seen_by(node).await.members;
    members.into_iter().find(|member| member.node_id == node).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s2_6e2_presence_and_an_absence_that_are_over_are_shown_so_and_nothing_is_written() {
    let cluster = Cluster::start().await;
    let client = cluster.client(&cluster.ids());
    create_team(&client, "sales").await;
    // Nobody waits, so that nothing is due when they are back.
    let name = create_rep(&client, TEAM, "a", Rep::default()).await;
    let short = Duration::from_secs(5);
    let end = i64::try_from(clock::wall().0 / 1_000_000 + short.as_secs()).unwrap();
    let away = SetOutOfOfficeRequest {
        name: name.clone(),
        end_time: Some(prost_types::Timestamp { seconds: end, nanos: 0 }),
        ..SetOutOfOfficeRequest::default()
    };
    let away = client.call(away).await.unwrap().rep.unwrap();
    assert_eq!(away.availability(), Availability::OutOfOffice);
    let online = SetPresenceRequest {
        name: name.clone(),
        state: PresenceState::Online.into(),
        ttl: Some(short.try_into().unwrap()),
        ..SetPresenceRequest::default()
    };
    let done = client.call(online).await.unwrap();
    let (online, index) = (done.rep.unwrap(), done.position.unwrap().log_index);
    assert_eq!(online.presence.unwrap().state(), PresenceState::Online);

    let node = cluster.follower().await;
    let alone = cluster.client(&[node]);
    let read = async || {
        let get = GetRepRequest { name: name.clone() };
        alone.call(get).await.unwrap().rep.unwrap()
    };
    // A read of this node is behind what was acknowledged: it has applied it by then.
    read().await;
    let before = itself(&cluster, node).await;
    assert!(before.applied_index >= index);
    let seen = eventually(async || {
        let rep = read().await;
        let is_offline = rep.presence.as_ref().is_none_or(|p| p.state() == PresenceState::Offline);
        (rep.availability() == Availability::Available && is_offline).then_some(rep)
    });
    let seen = seen.await.expect("both are over in time");
    assert_eq!(seen.etag, online.etag);
    let after = itself(&cluster, node).await;
    let elections = after.term - before.term;
    for (before, after) in
        [(before.applied_index, after.applied_index), (before.commit_index, after.commit_index)]
    {
        // A new leader writes an entry of its own, and a second after what was last asked for, what each node
        // has of it; that may take two. Nobody else writes any.
        let most = 2 + 3 * elections;
        assert!(after - before <= most, "{before} to {after} in {elections} elections");
    }
    assert_eq!(after.state_hash.unwrap().hash, before.state_hash.unwrap().hash);
    cluster.agreed_hash().await;
}
