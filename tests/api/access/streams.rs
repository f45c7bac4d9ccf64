//! Streams whose token is deleted while they are open.

use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request};
use turnwise::proto::turnwise::v1::{
    self as pb, AssignContactsRequest, RoleKind, assign_contacts_response::Result as ItemResult,
};

use super::{World, ask, client, contact, credential, operator, role, t, tells_nothing};
use crate::nodes::why;

fn by<T>(message: T, credential: &str) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {credential}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

#[tokio::test]
async fn items_of_a_stream_are_refused_from_when_its_token_is_deleted() {
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
            let answer = answers.next().await.unwrap().unwrap();
            let ItemResult::Status(refused) = answer.result.unwrap() else { panic!("let in") };
            assert_eq!(Code::from_i32(refused.code), Code::Unauthenticated);
            assert_eq!(refused.reason, "UNAUTHENTICATED");
        }
        let assignments = pb::ListAssignmentsRequest {
            parent: "teams/t".to_owned(),
            contact: format!("{token}-2"),
            ..Default::default()
        };
        let found = ask(&client(node, &operator()), assignments).await.unwrap().assignments;
        assert!(found.is_empty(), "{found:?}");
    }
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
