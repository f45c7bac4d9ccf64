//! What is wrong is refused with a code, a reason and the field, and changes nothing.

use prost::bytes::Bytes;
use tonic::{Code, Status};
use tonic_prost::ProstCodec;
use turnwise::proto::turnwise::v1 as pb;

use crate::nodes::{Node, Nodes, contact, member, why};

/// A node set up, refusing `call` as told, its state as before, and a good caller served beside it.
async fn check<T: std::fmt::Debug>(
    call: impl AsyncFnOnce(&Node) -> Result<T, Status>,
    code: Code,
    reason: &str,
    fields: &[&str],
) {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let before = node.picture().await;
    let refused = call(node).await.expect_err("the call is wrong");
    let fields = fields.iter().map(|f| (*f).to_owned()).collect();
    assert_eq!(why(&refused), (code, reason.to_owned(), fields), "{refused}");
    assert_eq!(node.picture().await, before);
    node.routing().await.assign_contact(contact("good")).await.unwrap();
}

#[tokio::test]
async fn an_unknown_team_is_not_found() {
    let call = async |node: &Node| {
        let request = pb::AssignContactRequest {
            parent: "teams/nobody".to_owned(),
            contact: "1".to_owned(),
            ..Default::default()
        };
        node.routing().await.assign_contact(request).await
    };
    check(call, Code::NotFound, "RESOURCE_NOT_FOUND", &[]).await;
    let read = async |node: &Node| {
        let name = "teams/nobody".to_owned();
        node.teams().await.get_team(pb::GetTeamRequest { name }).await
    };
    check(read, Code::NotFound, "RESOURCE_NOT_FOUND", &[]).await;
}

#[tokio::test]
async fn an_id_with_a_space_is_invalid() {
    let call = async |node: &Node| node.routing().await.assign_contact(contact("a b")).await;
    check(call, Code::InvalidArgument, "INVALID_FIELD", &["contact"]).await;
    let read = async |node: &Node| {
        let request = pb::ListAssignmentsRequest {
            parent: "teams/t t".to_owned(),
            contact: "a b".to_owned(),
            campaign: "teams/t".to_owned(),
            page_size: -1,
            page_token: "?".to_owned(),
            filter: "size > 3".to_owned(),
        };
        node.routing().await.list_assignments(request).await
    };
    let fields = ["parent", "filter", "contact", "campaign", "page_size", "page_token"];
    check(read, Code::InvalidArgument, "INVALID_FIELD", &fields).await;
}

#[tokio::test]
async fn s0_15_an_empty_group_is_too_small() {
    let call = async |node: &Node| {
        let request = pb::CreateGroupRequest {
            parent: "teams/t".to_owned(),
            group_id: "empty".to_owned(),
            ..Default::default()
        };
        node.groups().await.create_group(request).await
    };
    check(call, Code::InvalidArgument, "GROUP_TOO_SMALL", &["group.members"]).await;
}

#[tokio::test]
async fn s1_a_second_rep_with_the_same_email_in_other_case_is_refused() {
    let call = async |node: &Node| {
        let request = pb::CreateRepRequest {
            parent: "teams/t".to_owned(),
            rep_id: "d".to_owned(),
            rep: Some(pb::Rep { email: "A@EXAMPLE.com".to_owned(), ..Default::default() }),
            ..Default::default()
        };
        let refused = node.reps().await.create_rep(request).await;
        let text = format!("{:?}", refused.as_ref().unwrap_err()).to_lowercase();
        assert!(!text.contains("a@example"), "no email in an error: {text}");
        refused
    };
    check(call, Code::AlreadyExists, "EMAIL_TAKEN", &["rep.email"]).await;
}

#[tokio::test]
async fn s0_17_a_window_that_ends_before_it_starts_or_now_is_empty() {
    let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    // Before its start, and before now.
    for (start_time, end_time) in [(at(9_000_000_000), at(8_000_000_000)), (None, at(1))] {
        let call = async |node: &Node| {
            let request = pb::SetOutOfOfficeRequest {
                name: "teams/t/reps/a".to_owned(),
                start_time,
                end_time,
                ..Default::default()
            };
            node.reps().await.set_out_of_office(request).await
        };
        check(call, Code::InvalidArgument, "EMPTY_WINDOW", &["end_time"]).await;
    }
}

#[tokio::test]
async fn a_retry_with_another_body_or_method_is_refused() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let request_id = || "once".to_owned();
    let mut routing = node.routing().await;
    let first = pb::AssignContactRequest { request_id: request_id(), ..contact("1") };
    routing.assign_contact(first).await.unwrap();
    let before = node.picture().await;
    let expected =
        (Code::InvalidArgument, "REQUEST_ID_REUSED".to_owned(), vec!["request_id".to_owned()]);

    let other = pb::AssignContactRequest { request_id: request_id(), ..contact("2") };
    let refused = routing.assign_contact(other).await.unwrap_err();
    assert_eq!(why(&refused), expected);
    let other = pb::DeleteRepRequest {
        name: "teams/t/reps/a".to_owned(),
        request_id: request_id(),
        ..Default::default()
    };
    let refused = node.reps().await.delete_rep(other).await.unwrap_err();
    assert_eq!(why(&refused), expected);
    assert_eq!(node.picture().await, before);
}

#[tokio::test]
async fn a_message_is_refused_at_one_byte_over_its_limit() {
    // A contact with so many owners of one email that the message has exactly `len` bytes: refused
    // for its content where the length is allowed.
    let of_len = |len: usize| {
        let mut request = contact("");
        let room = len - prost::Message::encoded_len(&request);
        request.contact = "x".repeat(room - 4);
        assert_eq!(prost::Message::encoded_len(&request), len);
        request
    };
    let at = async |node: &Node| node.routing().await.assign_contact(of_len(64 * 1024)).await;
    check(at, Code::InvalidArgument, "INVALID_FIELD", &["contact"]).await;
    let over = async |node: &Node| node.routing().await.assign_contact(of_len(64 * 1024 + 1)).await;
    check(over, Code::ResourceExhausted, "MESSAGE_TOO_LARGE", &[]).await;

    let over = async |node: &Node| {
        let members = (0..40_000).map(|i| member(&format!("{i:010}"))).collect();
        let request = pb::CreateGroupRequest {
            parent: "teams/t".to_owned(),
            group_id: "big".to_owned(),
            group: Some(pb::Group { members, ..Default::default() }),
            ..Default::default()
        };
        assert!(prost::Message::encoded_len(&request) > 1024 * 1024);
        node.groups().await.create_group(request).await
    };
    check(over, Code::ResourceExhausted, "MESSAGE_TOO_LARGE", &[]).await;
}

/// Sends a message whose field 1 holds these bytes, whatever they are.
async fn send_field_1(node: &Node, bytes: &'static [u8]) -> Result<(), Status> {
    let mut grpc = tonic::client::Grpc::new(node.channel().await);
    grpc.ready().await.unwrap();
    let path = "/turnwise.v1.RoutingService/AssignContact".parse().unwrap();
    let codec = ProstCodec::<Bytes, Bytes>::default();
    let request = tonic::Request::new(Bytes::from_static(bytes));
    grpc.unary(request, path, codec).await.map(drop)
}

#[tokio::test]
async fn text_that_is_not_utf8_is_malformed() {
    let call = async |node: &Node| send_field_1(node, b"teams/\xff\xfe").await;
    check(call, Code::InvalidArgument, "MALFORMED_MESSAGE", &[]).await;
}

#[tokio::test]
async fn s0_23_the_last_available_rep_cannot_go_out_of_office() {
    let call = async |node: &Node| {
        let mut reps = node.reps().await;
        let away = |rep: &str| pb::SetOutOfOfficeRequest {
            name: format!("teams/t/reps/{rep}"),
            ..Default::default()
        };
        for rep in ["a", "b"] {
            reps.set_out_of_office(away(rep)).await.unwrap();
        }
        let before = node.picture().await;
        let refused = reps.set_out_of_office(away("c")).await;
        assert_eq!(node.picture().await, before);
        for rep in ["a", "b"] {
            let name = format!("teams/t/reps/{rep}");
            let back = pb::ClearOutOfOfficeRequest { name, ..Default::default() };
            reps.clear_out_of_office(back).await.unwrap();
        }
        refused
    };
    let nodes = Nodes::one().await;
    nodes.leader().set_up().await;
    let refused = call(nodes.leader()).await.unwrap_err();
    assert_eq!(why(&refused), (Code::FailedPrecondition, "LAST_AVAILABLE_REP".to_owned(), vec![]));
    assert!(refused.message().contains("teams/t/campaigns/run"), "{refused}");
}

#[tokio::test]
async fn a_draft_campaign_routes_nothing() {
    let call = async |node: &Node| {
        let draft = "teams/t/campaigns/draft".to_owned();
        let via = Some(pb::assign_contact_request::Via::Campaign(draft));
        let request = pb::AssignContactRequest { via, ..contact("1") };
        node.routing().await.assign_contact(request).await
    };
    check(call, Code::FailedPrecondition, "CAMPAIGN_NOT_RUNNING", &[]).await;
}
