//! What the holder of a token sees of what happened: nothing of a former team, and no room taken from
//! those who may watch.

use tonic::{Code, Request, Streaming};
use turnwise::{
    api::limits::WATCHERS_MAX,
    credentials::of_token,
    proto::turnwise::v1::{self as pb, EventType, RoleKind},
};

use super::{OTHER, World, ask, client, credential, new_token, operator, role, secret};
use crate::nodes::{Node, why};

fn watch(team: &str, start_index: u64, credential: &str) -> Request<pb::WatchEventsRequest> {
    let parent = format!("teams/{team}");
    let mut request = Request::new(pb::WatchEventsRequest { parent, start_index });
    let value = format!("Bearer {credential}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

/// All that is listed from this index on, or from this page.
async fn listed(node: &Node, credential: &str, start_index: u64, page: &str) -> Vec<pb::Event> {
    let list = pb::ListEventsRequest {
        parent: "teams/u".to_owned(),
        start_index,
        page_token: page.to_owned(),
        ..Default::default()
    };
    ask(&client(node, credential), list).await.unwrap().events
}

/// Until the node has told of this index.
async fn told(stream: &mut Streaming<pb::WatchEventsResponse>, index: u64) -> Vec<pb::Event> {
    let mut events = Vec::new();
    loop {
        let message = stream.message().await.unwrap().unwrap();
        events.extend(message.events);
        if message.next_index > index {
            return events;
        }
    }
}

fn name(event: &pb::Event) -> &str {
    &event.name
}

#[tokio::test]
async fn a_team_that_is_created_again_does_not_see_what_happened_in_the_former_one() {
    let world = World::new().await;
    let nodes = world.nodes(2).await;
    let by = client(nodes.leader(), &operator());
    let new_rep = |id: &str| pb::CreateRepRequest {
        parent: "teams/u".to_owned(),
        rep_id: id.to_owned(),
        ..Default::default()
    };
    let first = ask(&by, new_rep("former")).await.unwrap().position.unwrap().log_index;
    let former = of_token("u", "admin", &secret(OTHER));
    let mut open = Vec::new();
    for node in &nodes.nodes {
        let opened = node.events().await.watch_events(watch("u", first, &former)).await;
        open.push(opened.unwrap().into_inner());
    }
    let delete = pb::DeleteTeamRequest { name: "teams/u".to_owned(), ..Default::default() };
    ask(&by, delete).await.unwrap();
    let create = pb::CreateTeamRequest { team_id: "u".to_owned(), ..Default::default() };
    let begun = ask(&by, create).await.unwrap().position.unwrap().log_index;
    ask(&by, new_token("u", "admin", 21, role(RoleKind::Admin))).await.unwrap();
    let last = ask(&by, new_rep("present")).await.unwrap().position.unwrap().log_index;
    let present = of_token("u", "admin", &secret(21));

    for (node, mut open) in nodes.nodes.iter().zip(open) {
        let all = listed(node, &operator(), first, "").await;
        assert_eq!(all[0].resource, "teams/u/reps/former");
        let own: Vec<_> =
            all.iter().filter(|event| event.position.unwrap().log_index >= begun).collect();
        let own: Vec<&str> = own.into_iter().map(name).collect();
        assert!(own.len() >= 3 && own.len() < all.len());
        for (start_index, page) in [(0, ""), (first, ""), (1, ""), (0, &*format!("{first}-0"))] {
            let seen = listed(node, &present, start_index, page).await;
            assert_eq!(seen.iter().map(name).collect::<Vec<_>>(), own, "{start_index} {page}");
            assert_eq!((seen[0].r#type(), &*seen[0].resource), (EventType::Created, "teams/u"));
        }
        let watched = node.events().await.watch_events(watch("u", first, &present)).await;
        let seen = told(&mut watched.unwrap().into_inner(), last).await;
        assert_eq!(seen.iter().map(name).collect::<Vec<_>>(), own);
        // One that was open all the time ends before the present team begins.
        let end = loop {
            match open.message().await {
                Ok(message) => {
                    let events = message.unwrap().events;
                    assert!(events.iter().all(|e| e.position.unwrap().log_index < begun));
                }
                Err(end) => break end,
            }
        };
        assert_eq!(why(&end).1, "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn who_may_not_watch_hears_so_where_there_is_no_room_either() {
    let world = World::new().await;
    let nodes = world.nodes(1).await;
    let node = nodes.leader();
    let mut open = Vec::new();
    // Two connections, as one takes no more streams than there may be watchers.
    let mut clients = [node.events().await, node.events().await];
    for number in 0..WATCHERS_MAX {
        let request = watch("t", 0, &credential("router"));
        open.push(clients[number % 2].watch_events(request).await.unwrap());
    }
    let [client, _] = &mut clients;
    let refused = client.watch_events(watch("t", 0, &credential("router"))).await.unwrap_err();
    assert_eq!(why(&refused).1, "OVERLOADED");
    let refused = client.watch_events(watch("t", 0, &credential("viewer"))).await.unwrap_err();
    assert_eq!(
        (refused.code(), why(&refused).1),
        (Code::PermissionDenied, "PERMISSION_DENIED".to_owned())
    );
}
