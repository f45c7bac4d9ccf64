//! Streams whose token is deleted while they are open.

use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request};
use turnwise::{
    credentials::{hash, of_token},
    proto::turnwise::v1::{
        self as pb, AssignContactsRequest, RoleKind, assign_contacts_response::Result as ItemResult,
    },
};

use super::{
    World, ask, client, contact, credential, new_token, operator, role, secret, t, tells_nothing,
};
use crate::nodes::why;

fn by<T>(message: T, credential: &str) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {credential}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

#[tokio::test]
async fn a_stream_ends_with_the_first_item_after_its_token_was_deleted() {
    let world = World::new().await;
    let nodes = world.nodes(2).await;
    for (node, token) in nodes.nodes.iter().zip(["router", "manager"]) {
        let (items, sent) = mpsc::channel(16);
        let mut routing = node.routing().await;
        let request = by(ReceiverStream::new(sent), &credential(token));
        let mut answers = routing.assign_contacts(request).await.unwrap().into_inner();
        let send = async |id: String| {
            let request = Some(contact(&id, "cy"));
            items.send(AssignContactsRequest { request }).await.unwrap();
        };
        send(format!("{token}-1")).await;
        let first = answers.next().await.unwrap().unwrap().result.unwrap();
        assert!(matches!(first, ItemResult::Response(_)), "{first:?}");

        let delete =
            pb::DeleteTokenRequest { name: t(&format!("tokens/{token}")), ..Default::default() };
        ask(&client(nodes.leader(), &operator()), delete).await.unwrap();
        for number in 2..5 {
            send(format!("{token}-{number}")).await;
        }
        let answer = answers.next().await.unwrap().unwrap();
        let ItemResult::Status(refused) = answer.result.unwrap() else { panic!("let in") };
        assert_eq!((answer.item, Code::from_i32(refused.code)), (1, Code::Unauthenticated));
        assert_eq!(refused.reason, "UNAUTHENTICATED");
        let end = answers.next().await.unwrap().unwrap_err();
        assert_eq!(why(&end), (Code::Unauthenticated, "UNAUTHENTICATED".to_owned(), vec![]));
        tells_nothing(&end);
        assert!(answers.next().await.is_none());
        // No other is opened, whether or not there is an item on it.
        let request = by(tokio_stream::pending(), &credential(token));
        let refused = node.routing().await.assign_contacts(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
        let assignments = pb::ListAssignmentsRequest {
            parent: "teams/t".to_owned(),
            contact: format!("{token}-2"),
            ..Default::default()
        };
        let found = ask(&client(node, &operator()), assignments).await.unwrap().assignments;
        assert!(found.is_empty(), "{found:?}");
    }
}

/// A node remembers what it compared, and none of the calls below has an answer of its own.
#[tokio::test]
async fn a_client_of_streams_only_is_let_in_again_whose_token_gets_its_former_secret_again() {
    let world = World::new().await;
    let nodes = world.nodes(2).await;
    let operator = client(nodes.leader(), &operator());
    let rotate = |number| pb::UpdateTokenRequest {
        token: Some(pb::Token { name: t("tokens/router"), ..Default::default() }),
        secret_sha256: hash(&secret(number)).to_vec().into(),
        ..Default::default()
    };
    for node in &nodes.nodes {
        let open = async || {
            let (items, sent) = mpsc::channel(16);
            let request = by(ReceiverStream::new(sent), &credential("router"));
            let answers = node.routing().await.assign_contacts(request).await?.into_inner();
            Ok::<_, tonic::Status>((items, answers))
        };
        // Refused by an item, and then as a stream is opened.
        let (items, mut answers) = open().await.unwrap();
        ask(&operator, rotate(21)).await.unwrap();
        ask(&operator, rotate(5)).await.unwrap();
        let item = |id: &str| AssignContactsRequest {
            request: Some(contact(&format!("{}-{id}", node.id), "cy")),
        };
        items.send(item("1")).await.unwrap();
        let refused = answers.next().await.unwrap().unwrap().result.unwrap();
        assert!(matches!(refused, ItemResult::Status(_)), "{refused:?}");
        assert_eq!(answers.next().await.unwrap().unwrap_err().code(), Code::Unauthenticated);
        let (items, mut answers) = open().await.unwrap();
        items.send(item("2")).await.unwrap();
        let done = answers.next().await.unwrap().unwrap().result.unwrap();
        assert!(matches!(done, ItemResult::Response(_)), "{done:?}");

        ask(&operator, rotate(21)).await.unwrap();
        ask(&operator, rotate(5)).await.unwrap();
        assert_eq!(open().await.unwrap_err().code(), Code::Unauthenticated);
        open().await.unwrap();
    }
}

#[tokio::test]
async fn a_stream_is_opened_on_a_node_that_is_behind_by_a_new_token() {
    let world = World::new().await;
    let nodes = world.nodes(2).await;
    let node = nodes.follower();
    node.fall_behind().await;
    let create = new_token("t", "new", 21, role(RoleKind::Router));
    ask(&client(nodes.leader(), &operator()), create).await.unwrap();
    let items = tokio_stream::iter([AssignContactsRequest { request: Some(contact("1", "cy")) }]);
    let request = by(items, &of_token("t", "new", &secret(21)));
    let answers = node.routing().await.assign_contacts(request).await.unwrap();
    let done = answers.into_inner().next().await.unwrap().unwrap().result.unwrap();
    assert!(matches!(done, ItemResult::Response(_)), "{done:?}");
}

#[tokio::test]
async fn a_watch_ends_when_its_token_is_deleted_or_may_no_longer_watch() {
    let world = World::new().await;
    let nodes = world.nodes(2).await;
    let operator = client(nodes.leader(), &operator());
    for (node, token) in nodes.nodes.iter().zip(["router", "manager"]) {
        let mut events = node.events().await;
        let request = pb::WatchEventsRequest { parent: "teams/t".to_owned(), start_index: 0 };
        let request = by(request, &credential(token));
        let mut stream = events.watch_events(request).await.unwrap().into_inner();
        stream.message().await.unwrap().unwrap();

        let name = t(&format!("tokens/{token}"));
        let (code, reason) = if token == "router" {
            ask(&operator, pb::DeleteTokenRequest { name, ..Default::default() }).await.unwrap();
            (Code::Unauthenticated, "UNAUTHENTICATED")
        } else {
            let role = Some(role(RoleKind::Viewer));
            let token = Some(pb::Token { name, role, ..Default::default() });
            ask(&operator, pb::UpdateTokenRequest { token, ..Default::default() }).await.unwrap();
            (Code::PermissionDenied, "PERMISSION_DENIED")
        };
        let end = async {
            loop {
                match stream.message().await {
                    Ok(message) => assert!(message.is_some(), "it ends with a word"),
                    Err(refused) => break refused,
                }
            }
        };
        // Only a failure waits so long.
        let end = tokio::time::timeout(std::time::Duration::from_secs(60), end).await.unwrap();
        assert_eq!((end.code(), why(&end).1.as_str()), (code, reason));
        tells_nothing(&end);
    }
}
