//! What happened, at the wire: lists, watches that go on where they stopped, and what is no longer kept.

use std::{collections::BTreeMap, time::Duration};

use tonic::{Code, Streaming, transport::Channel};
use tonic_types::StatusExt as _;
use turnwise::{
    events::Bounds,
    proto::turnwise::v1::{
        self as pb, AssignmentState, EventType, event_service_client::EventServiceClient,
    },
};

use crate::nodes::{Node, Nodes, contact, why};

fn list() -> pb::ListEventsRequest {
    pb::ListEventsRequest { parent: "teams/t".to_owned(), ..Default::default() }
}

fn filtered(filter: &str) -> pb::ListEventsRequest {
    pb::ListEventsRequest { filter: filter.to_owned(), ..list() }
}

/// All pages.
async fn listed(node: &Node, request: pb::ListEventsRequest) -> Vec<pb::Event> {
    let mut client = node.events().await;
    let mut request = request;
    let mut all = Vec::new();
    loop {
        let page = client.list_events(request.clone()).await.unwrap().into_inner();
        all.extend(page.events);
        if page.next_page_token.is_empty() {
            return all;
        }
        request.page_token = page.next_page_token;
    }
}

async fn watch(
    client: &mut EventServiceClient<Channel>,
    start_index: u64,
) -> Streaming<pb::WatchEventsResponse> {
    let request = pb::WatchEventsRequest { parent: "teams/t".to_owned(), start_index };
    client.watch_events(request).await.unwrap().into_inner()
}

/// Reads until so many events came. Gives them, and where to go on.
async fn read(
    stream: &mut Streaming<pb::WatchEventsResponse>,
    count: usize,
) -> (Vec<pb::Event>, u64) {
    let mut all = Vec::new();
    let mut next = 0;
    while all.len() < count || next == 0 {
        let message = stream.message().await.unwrap().unwrap();
        all.extend(message.events);
        next = message.next_index;
    }
    assert_eq!(all.len(), count);
    (all, next)
}

fn names(events: &[pb::Event]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

/// Assigns a contact; gives the log index.
async fn assign(node: &Node, request: pb::AssignContactRequest) -> u64 {
    let answer = node.routing().await.assign_contact(request).await.unwrap().into_inner();
    answer.position.unwrap().log_index
}

#[tokio::test]
async fn s1_18_s0_7_an_assignment_is_told_with_the_owner_before_the_rep_now_and_their_email() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let owned = |email: &str| pb::OwnerRef {
        kind: pb::OwnerKind::Contact.into(),
        r#type: pb::OwnerType::User.into(),
        email: email.to_owned(),
        external_id: None,
    };
    let labels = BTreeMap::from([("intent".to_owned(), "high".to_owned())]);
    let hit = pb::AssignContactRequest {
        owners: vec![owned("b@example.com")],
        labels: labels.clone(),
        ..contact("c-1")
    };
    let miss =
        pb::AssignContactRequest { owners: vec![owned("x@elsewhere.org")], ..contact("c-2") };
    assign(node, hit).await;
    assign(node, miss).await;

    let events = listed(node, filtered("type = \"ASSIGNMENT_ASSIGNED\"")).await;
    assert_eq!(events.len(), 2);
    let details: Vec<_> = events.iter().map(|event| event.assignment.clone().unwrap()).collect();
    let seen: Vec<_> = details
        .iter()
        .map(|it| (it.contact.as_str(), it.rep_email.as_str(), it.owner_changed))
        .collect();
    assert_eq!(seen, [("c-1", "b@example.com", false), ("c-2", "a@example.com", true)]);
    assert_eq!(details[0].labels, labels);
    assert_eq!(details[1].owners, [owned("x@elsewhere.org")]);
    assert_eq!(details[1].rep, "teams/t/reps/a");
    assert_eq!(details[1].campaign, "teams/t/campaigns/run");
    assert_eq!(events[0].cause(), pb::Cause::Owner);
    assert_eq!(events[1].cause(), pb::Cause::Rotation);
    let after = events[1].after.clone().unwrap();
    assert_eq!(events[1].before, None);
    assert_eq!(after.assignment_state(), AssignmentState::Assigned);
    assert_eq!(after.rep, "teams/t/reps/a");
    let position = events[1].position.unwrap();
    assert_eq!(events[1].name, format!("teams/t/events/{}-0", position.log_index));
    assert!(events[1].resource.starts_with("teams/t/assignments/"));
}

#[tokio::test]
async fn every_kind_of_change_is_told_with_what_it_was_and_is() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let rep = "teams/t/reps/a".to_owned();
    let mut reps = node.reps().await;
    let note = "two weeks by the sea".to_owned();
    let away = pb::SetOutOfOfficeRequest { name: rep.clone(), note, ..Default::default() };
    reps.set_out_of_office(away).await.unwrap();
    let renamed = pb::UpdateRepRequest {
        rep: Some(pb::Rep { name: rep, display_name: "Ana".to_owned(), ..Default::default() }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["display_name".to_owned()] }),
        ..Default::default()
    };
    let renamed = reps.update_rep(renamed).await.unwrap().into_inner().rep.unwrap();
    let group = "teams/t/groups/g".to_owned();
    let west = pb::UpdateGroupRequest {
        group: Some(pb::Group {
            name: group.clone(),
            display_name: "West".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let west = node.groups().await.update_group(west).await.unwrap().into_inner().group.unwrap();
    let delete = pb::DeleteGroupRequest { name: group, ..Default::default() };
    let cancel = |id: &str| pb::CancelCampaignRequest {
        name: format!("teams/t/campaigns/{id}"),
        ..Default::default()
    };
    for id in ["run", "draft"] {
        node.campaigns().await.cancel_campaign(cancel(id)).await.unwrap();
    }
    node.groups().await.delete_group(delete).await.unwrap();

    let owed = pb::AdjustRotationRequest {
        name: "teams/t/groups/default/rotations/-".to_owned(),
        member: "teams/t/reps/b".to_owned(),
        credits: 2,
        reason: "covered for Ana".to_owned(),
        ..Default::default()
    };
    node.groups().await.adjust_rotation(owed).await.unwrap();
    let back =
        pb::ClearOutOfOfficeRequest { name: "teams/t/reps/a".to_owned(), ..Default::default() };
    reps.clear_out_of_office(back).await.unwrap();

    let events = listed(node, list()).await;
    let seen: Vec<_> =
        events.iter().map(|event| (event.r#type(), event.resource.as_str())).collect();
    let (run, draft) = ("teams/t/campaigns/run", "teams/t/campaigns/draft");
    let expected = [
        (EventType::Created, "teams/t"),
        (EventType::Created, "teams/t/reps/a"),
        (EventType::Created, "teams/t/reps/b"),
        (EventType::Created, "teams/t/reps/c"),
        (EventType::Created, "teams/t/groups/g"),
        (EventType::Created, run),
        (EventType::CampaignState, run),
        (EventType::Created, draft),
        (EventType::OutOfOffice, "teams/t/reps/a"),
        (EventType::Updated, "teams/t/reps/a"),
        (EventType::Updated, "teams/t/groups/g"),
        (EventType::CampaignState, run),
        (EventType::CampaignState, draft),
        (EventType::Deleted, "teams/t/groups/g"),
        (EventType::Rotation, "teams/t/groups/default/rotations/-"),
        (EventType::OutOfOffice, "teams/t/reps/a"),
    ];
    assert_eq!(seen, expected);
    let notes = [8, 9, 15].map(|place| events[place].note.as_str());
    assert_eq!(notes, ["two weeks by the sea", "", ""], "said when it is set, and not again");
    let adjusted = &events[14];
    let told = (adjusted.note.as_str(), adjusted.credits, adjusted.members.as_slice());
    assert_eq!(told, ("covered for Ana", 2, ["teams/t/reps/b".to_owned()].as_slice()));
    assert_eq!(events[4].members.len(), 3, "those the group was created with");
    let update = &events[9];
    let etag = |state: &Option<pb::EventState>| state.clone().unwrap().etag;
    assert_ne!(etag(&update.before), etag(&update.after));
    assert_eq!(etag(&update.after), renamed.etag);
    let launch = &events[6];
    let state = |state: &Option<pb::EventState>| state.clone().unwrap().campaign_state();
    assert_eq!(state(&launch.before), pb::CampaignState::Draft);
    assert_eq!(state(&launch.after), pb::CampaignState::Running);
    let [created, changed, deleted] = [&events[4], &events[10], &events[13]];
    assert_eq!((&created.before, &deleted.after), (&None, &None));
    assert_eq!(etag(&created.after), etag(&changed.before));
    assert_ne!(etag(&changed.before), etag(&changed.after));
    assert_eq!(etag(&changed.after), west.etag);
    assert_eq!(etag(&deleted.before), west.etag);
}

#[tokio::test]
async fn a_list_has_pages_filters_and_a_start_and_is_the_same_on_every_node() {
    let nodes = Nodes::start(2).await;
    let node = nodes.leader();
    node.set_up().await;
    for n in 0..5 {
        assign(node, contact(&format!("c-{n}"))).await;
    }
    let all = listed(node, list()).await;
    assert_eq!(all.len(), 13);
    assert_eq!(listed(nodes.follower(), list()).await, all);
    let paged = listed(node, pb::ListEventsRequest { page_size: 2, ..list() }).await;
    assert_eq!(paged, all);
    let made = listed(node, filtered("type = \"ASSIGNMENT_ASSIGNED\"")).await;
    assert_eq!(made, all[8..]);
    let one = format!("resource = \"{}\" AND type = \"ASSIGNMENT_ASSIGNED\"", all[9].resource);
    assert_eq!(listed(node, filtered(&one)).await, all[9..10]);
    let start_index = all[10].position.unwrap().log_index;
    assert_eq!(listed(node, pb::ListEventsRequest { start_index, ..list() }).await, all[10..]);
    let none = listed(node, filtered("type = \"ASSIGNMENT_CLOSED\"")).await;
    assert_eq!(none, []);
}

#[tokio::test]
async fn a_watch_goes_on_without_a_gap_where_it_was_broken_off_on_another_node_too() {
    let nodes = Nodes::start(2).await;
    let node = nodes.leader();
    node.set_up().await;
    let mut client = node.events().await;
    let mut from_the_start = watch(&mut client, 1).await;
    let (first, next) = read(&mut from_the_start, 8).await;
    drop(from_the_start);
    for n in 0..4 {
        assign(node, contact(&format!("c-{n}"))).await;
    }
    let mut other = nodes.follower().events().await;
    let mut resumed = watch(&mut other, next).await;
    let (second, next) = read(&mut resumed, 4).await;
    let all = listed(node, list()).await;
    assert_eq!(names(&[first, second].concat()), names(&all));

    // While it is open, what happens comes by itself.
    let index = assign(node, contact("c-9")).await;
    let (third, _) = read(&mut resumed, 1).await;
    assert_eq!(third[0].position.unwrap().log_index, index);
    assert_eq!(next, index, "nothing lies between");
}

#[tokio::test]
async fn a_watch_from_now_on_tells_at_once_where_it_stands_and_then_what_happens() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let last = listed(node, list()).await.last().unwrap().position.unwrap().log_index;
    let mut client = node.events().await;
    let mut stream = watch(&mut client, 0).await;
    let hello = stream.message().await.unwrap().unwrap();
    assert_eq!((hello.events.len(), hello.next_index), (0, last + 1));
    // And again though nothing happens.
    let still = stream.message().await.unwrap().unwrap();
    assert_eq!((still.events.len(), still.next_index), (0, last + 1));
    let index = assign(node, contact("c-1")).await;
    let (events, next) = read(&mut stream, 1).await;
    assert_eq!(events[0].position.unwrap().log_index, index);
    assert_eq!(next, index + 1);
}

#[tokio::test]
async fn what_happens_in_other_teams_only_moves_a_watch_on() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let mut client = node.events().await;
    let mut stream = watch(&mut client, 0).await;
    let start = stream.message().await.unwrap().unwrap().next_index;
    let mut teams = node.teams().await;
    for n in 0..600 {
        let team_id = format!("other-{n}");
        let request = pb::CreateTeamRequest { team_id, ..Default::default() };
        teams.create_team(request).await.unwrap();
    }
    assign(node, contact("c-1")).await;
    let (events, next) = read(&mut stream, 1).await;
    assert_eq!(events[0].r#type(), EventType::AssignmentAssigned);
    assert_eq!(next, start + 601);
}

#[tokio::test]
async fn events_of_one_entry_that_do_not_fit_a_message_come_in_several_and_none_is_lost() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let labels: BTreeMap<_, _> = (0..4).map(|n| (format!("l-{n}"), "x".repeat(256))).collect();
    let item = |n| pb::AssignContactRequest {
        parent: String::new(),
        labels: labels.clone(),
        ..contact(&format!("c-{n}"))
    };
    let batch = pb::BatchAssignContactsRequest {
        parent: "teams/t".to_owned(),
        requests: (0..300).map(item).collect(),
        ..Default::default()
    };
    let mut client = node.events().await;
    let mut stream = watch(&mut client, 0).await;
    let start = stream.message().await.unwrap().unwrap().next_index;
    node.routing().await.batch_assign_contacts(batch).await.unwrap();
    let mut messages = Vec::new();
    while messages.iter().map(|m: &pb::WatchEventsResponse| m.events.len()).sum::<usize>() < 300 {
        messages.push(stream.message().await.unwrap().unwrap());
    }
    messages.retain(|message| !message.events.is_empty());
    assert!(messages.len() > 1);
    let (last, before) = messages.split_last().unwrap();
    // To go on at what was told before the end would send all of the entry again.
    assert!(before.iter().all(|message| message.next_index == start));
    assert_eq!(last.next_index, start + 1);
    let seqs: Vec<_> = messages.iter().flat_map(|m| names(&m.events)).collect();
    let expected: Vec<_> = (0..300).map(|seq| format!("teams/t/events/{start}-{seq}")).collect();
    assert_eq!(seqs, expected);
}

#[tokio::test]
async fn what_is_no_longer_kept_is_refused_with_what_to_do() {
    let nodes = Nodes::keeping(1, Bounds { events_max: 5, ..Bounds::default() }).await;
    let node = nodes.leader();
    node.set_up().await;
    let mut client = node.events().await;
    let page = client.list_events(list()).await.unwrap().into_inner();
    assert_eq!(page.events.len(), 5);
    let oldest = page.oldest_index;
    assert_eq!(page.events[0].position.unwrap().log_index, oldest);

    let gone = pb::ListEventsRequest { start_index: oldest - 1, ..list() };
    let refused = client.list_events(gone).await.unwrap_err();
    let start_index = oldest - 1;
    let watch = pb::WatchEventsRequest { parent: "teams/t".to_owned(), start_index };
    let mut stream = client.watch_events(watch).await.unwrap().into_inner();
    let ended = stream.message().await.unwrap_err();
    for refused in [refused, ended] {
        assert_eq!(why(&refused).0, Code::OutOfRange);
        assert_eq!(why(&refused).1, "EVENTS_COMPACTED");
        let details = refused.get_error_details();
        let metadata = &details.error_info().unwrap().metadata;
        assert_eq!(metadata["oldest_index"], oldest.to_string());
        assert!(refused.message().contains("list the resources"), "{}", refused.message());
    }
}

/// What a consumer knows of each assignment: its contact, state and rep.
type Picture = BTreeMap<String, (String, i32, String)>;

fn tell(picture: &mut Picture, events: &[pb::Event]) {
    for event in events {
        let (Some(of), Some(after)) = (&event.assignment, &event.after) else { continue };
        let known = (of.contact.clone(), after.assignment_state, after.rep.clone());
        picture.insert(event.resource.clone(), known);
    }
}

/// Adds the next page of assignments to a picture; gives the token of the one behind it.
async fn add_page(node: &Node, picture: &mut Picture, page_token: String) -> String {
    let parent = "teams/t".to_owned();
    let request =
        pb::ListAssignmentsRequest { parent, page_size: 20, page_token, ..Default::default() };
    let page = node.routing().await.list_assignments(request).await.unwrap().into_inner();
    picture
        .extend(page.assignments.into_iter().map(|it| (it.name, (it.contact, it.state, it.rep))));
    page.next_page_token
}

/// Contacts that come, and what becomes of those who came ten before.
#[derive(Default)]
struct Load {
    made: Vec<String>,
}

impl Load {
    /// So many times two events. Gives the index of the last.
    async fn go_on(&mut self, node: &Node, count: usize) -> u64 {
        let mut routing = node.routing().await;
        let mut last = 0;
        for _ in 0..count {
            let number = self.made.len();
            let made = routing.assign_contact(contact(&format!("c-{number}"))).await.unwrap();
            let made = made.into_inner();
            last = made.position.unwrap().log_index;
            self.made.push(made.assignment.unwrap().name);
            let Some(name) = number.checked_sub(10).map(|old| self.made[old].clone()) else {
                continue;
            };
            let position = match number % 3 {
                0 => {
                    let close = pb::CloseAssignmentRequest { name, ..Default::default() };
                    routing.close_assignment(close).await.unwrap().into_inner().position
                }
                1 => {
                    let unassign = pb::UnassignAssignmentRequest { name, ..Default::default() };
                    routing.unassign_assignment(unassign).await.unwrap().into_inner().position
                }
                _ => {
                    let rep = "teams/t/reps/b".to_owned();
                    let to = Some(pb::reassign_assignment_request::To::Rep(rep));
                    let reassign = pb::ReassignAssignmentRequest { name, to, ..Default::default() };
                    routing.reassign_assignment(reassign).await.unwrap().into_inner().position
                }
            };
            last = position.unwrap().log_index;
        }
        last
    }
}

#[tokio::test]
async fn one_who_came_too_late_begins_anew_as_documented_and_misses_nothing() {
    let nodes = Nodes::keeping(2, Bounds { events_max: 60, ..Bounds::default() }).await;
    let (busy, node) = (nodes.leader(), nodes.follower());
    busy.set_up().await;
    let mut load = Load::default();
    load.go_on(busy, 60).await;
    let mut client = node.events().await;
    let ended = watch(&mut client, 1).await.message().await.unwrap_err();
    assert_eq!(why(&ended).1, "EVENTS_COMPACTED");
    let oldest = ended.get_error_details().error_info().unwrap().metadata["oldest_index"].clone();

    // Where to go on, then the list, then on: and at every step things happen.
    let noted = watch(&mut client, 0).await.message().await.unwrap().unwrap().next_index;
    load.go_on(busy, 3).await;
    let mut picture = Picture::new();
    let mut token = add_page(node, &mut picture, String::new()).await;
    let mut pages = 1;
    while !token.is_empty() {
        load.go_on(busy, 3).await;
        token = add_page(node, &mut picture, token).await;
        pages += 1;
    }
    assert!(pages > 2, "{pages}");
    load.go_on(busy, 3).await;
    // The oldest that was kept is gone by now, which is why it is not what one goes on at.
    let late = watch(&mut client, oldest.parse().unwrap()).await.message().await.unwrap_err();
    assert_eq!(why(&late).1, "EVENTS_COMPACTED");
    let mut stream = watch(&mut client, noted).await;
    let last = load.go_on(busy, 3).await;
    let mut next = noted;
    while next <= last {
        let message = stream.message().await.unwrap().unwrap();
        tell(&mut picture, &message.events);
        next = message.next_index;
    }

    let mut present = Picture::new();
    let mut token = add_page(busy, &mut present, String::new()).await;
    while !token.is_empty() {
        token = add_page(busy, &mut present, token).await;
    }
    assert_eq!(present.len(), load.made.len());
    assert_eq!(picture, present);
}

#[tokio::test]
async fn a_watcher_that_does_not_read_slows_nobody_and_learns_where_it_stopped() {
    let nodes = Nodes::keeping(1, Bounds { events_max: 50, ..Bounds::default() }).await;
    let node = nodes.leader();
    node.set_up().await;
    let slow = Channel::from_shared(format!("http://{}", node.address))
        .unwrap()
        .initial_stream_window_size(65_535)
        .connect()
        .await
        .unwrap();
    let mut client = EventServiceClient::new(slow);
    let mut stream = watch(&mut client, 0).await;
    // Far more than fits the stream's window and what the server keeps.
    let labels: BTreeMap<_, _> = (0..32).map(|n| (format!("l-{n}"), "x".repeat(256))).collect();
    for n in 0..400 {
        let labels = labels.clone();
        assign(node, pb::AssignContactRequest { labels, ..contact(&format!("c-{n}")) }).await;
    }
    let mut next = 0;
    let ended = loop {
        match stream.message().await {
            Ok(message) => next = message.unwrap().next_index,
            Err(ended) => break ended,
        }
    };
    assert_eq!(why(&ended).1, "EVENTS_COMPACTED");
    let details = ended.get_error_details();
    let metadata = &details.error_info().unwrap().metadata;
    assert_eq!(metadata["next_index"], next.to_string());
    assert!(metadata["oldest_index"].parse::<u64>().unwrap() > next);
}

#[tokio::test]
async fn a_node_takes_256_watchers_and_one_more_when_one_leaves() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let (mut one, mut other) = (node.events().await, node.events().await);
    let mut streams = Vec::new();
    for n in 0..256 {
        let client = if n % 2 == 0 { &mut one } else { &mut other };
        streams.push(watch(client, 0).await);
    }
    let request = pb::WatchEventsRequest { parent: "teams/t".to_owned(), start_index: 0 };
    let refused = one.watch_events(request.clone()).await.unwrap_err();
    assert_eq!(why(&refused).0, Code::ResourceExhausted);
    assert_eq!(why(&refused).1, "OVERLOADED");
    streams.pop();
    // The server learns of it a moment later.
    while let Err(refused) = one.watch_events(request.clone()).await {
        assert_eq!(why(&refused).1, "OVERLOADED");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_team_that_never_was_has_no_events_and_one_that_is_gone_tells_of_its_end() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    let mut client = node.events().await;
    let refused = client.list_events(list()).await.unwrap_err();
    assert_eq!(why(&refused).1, "RESOURCE_NOT_FOUND");
    let request = pb::WatchEventsRequest { parent: "teams/t".to_owned(), start_index: 0 };
    let refused = client.watch_events(request).await.unwrap_err();
    assert_eq!(why(&refused).1, "RESOURCE_NOT_FOUND");

    let mut teams = node.teams().await;
    let create = pb::CreateTeamRequest { team_id: "t".to_owned(), ..Default::default() };
    teams.create_team(create).await.unwrap();
    let delete = pb::DeleteTeamRequest { name: "teams/t".to_owned(), ..Default::default() };
    teams.delete_team(delete).await.unwrap();
    let types: Vec<_> = listed(node, list()).await.iter().map(pb::Event::r#type).collect();
    assert_eq!(types, [EventType::Created, EventType::Deleted]);
    let (events, _) = read(&mut watch(&mut client, 1).await, 2).await;
    assert_eq!(events[1].r#type(), EventType::Deleted);
}

#[tokio::test]
async fn wrong_fields_are_named() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let mut client = node.events().await;
    for (request, field) in [
        (pb::ListEventsRequest { parent: "t".to_owned(), ..list() }, "parent"),
        (pb::ListEventsRequest { page_size: -1, ..list() }, "page_size"),
        (filtered("rep = \"a\""), "filter"),
        (pb::ListEventsRequest { page_token: "x".to_owned(), ..list() }, "page_token"),
        (pb::ListEventsRequest { page_token: "07-1".to_owned(), ..list() }, "page_token"),
        (pb::ListEventsRequest { page_token: "0-0".to_owned(), ..list() }, "page_token"),
    ] {
        let refused = client.list_events(request).await.unwrap_err();
        assert_eq!(why(&refused).2, [field]);
    }
}
