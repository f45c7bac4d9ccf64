//! Bad input changes nothing on any node, whichever was asked; metrics count what happened.

use prost_types::Timestamp;
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt as _;
use turnwise::proto::turnwise::v1::{
    AssignContactRequest, CreateGroupRequest, CreateRepRequest, GetRotationRequest, Group,
    ListAssignmentsRequest, ListCampaignsRequest, ListGroupsRequest, ListRepsRequest,
    ListTeamsRequest, Rep, SetOutOfOfficeRequest, assign_contact_request::Via,
};

use crate::{
    forwarding::metric,
    harness::Cluster,
    service::{Team, bytes, create_rep, once, reason},
};

/// A call that is wrong, and how it is answered.
struct Wrong {
    what: &'static str,
    answer: Status,
    code: Code,
    reason: &'static str,
    /// The field that a `BadRequest` names; empty where no field is wrong.
    field: &'static str,
}

impl Wrong {
    fn check(&self) {
        let Self { what, answer, code, reason: expected, field } = self;
        assert_eq!((answer.code(), reason(answer).as_str()), (*code, *expected), "{what}");
        let named = answer.get_details_bad_request().map(|bad| bad.field_violations);
        let named: Vec<String> =
            named.unwrap_or_default().into_iter().map(|violation| violation.field).collect();
        assert_eq!(named.first().map_or("", String::as_str), *field, "{what}");
    }
}

/// Calls that no state has to be asked about: they never reach the log.
async fn malformed_calls(channel: &Channel, team: &Team) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let mut add = |what, answer: Status, code, reason, field| {
        wrong.push(Wrong { what, answer, code, reason, field });
    };
    let answer = once(channel, team.request("a contact")).await.unwrap_err();
    add("an id with a space", answer, Code::InvalidArgument, "INVALID_FIELD", "contact");

    let group = CreateGroupRequest {
        parent: team.name(),
        group_id: "empty".to_owned(),
        group: Some(Group::default()),
        ..CreateGroupRequest::default()
    };
    let answer = once(channel, group).await.unwrap_err();
    add("an empty group", answer, Code::InvalidArgument, "GROUP_TOO_SMALL", "group.members");

    let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
    let away = SetOutOfOfficeRequest {
        name: team.ring[0].clone(),
        start_time: at(4_000_000_000),
        end_time: at(3_999_999_999),
        ..SetOutOfOfficeRequest::default()
    };
    let answer = once(channel, away).await.unwrap_err();
    add("a window that ends first", answer, Code::InvalidArgument, "EMPTY_WINDOW", "end_time");

    let long = AssignContactRequest { contact: "x".repeat(65_536), ..team.request("") };
    let answer = once(channel, long).await.unwrap_err();
    let code = Code::ResourceExhausted;
    add("a message over the limit", answer, code, "MESSAGE_TOO_LARGE", "");
    wrong
}

/// Calls that the state is asked about. Only its clock may move.
async fn refused_calls(channel: &Channel, team: &Team) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let mut add = |what, answer: Status, code, reason, field| {
        wrong.push(Wrong { what, answer, code, reason, field });
    };
    let mut request = team.request("x");
    request.parent = "teams/nobodys".to_owned();
    request.via = Some(Via::Campaign("teams/nobodys/campaigns/c".to_owned()));
    let answer = once(channel, request).await.unwrap_err();
    add("an unknown team", answer, Code::NotFound, "RESOURCE_NOT_FOUND", "");

    let rep = CreateRepRequest {
        parent: team.name(),
        rep_id: "double".to_owned(),
        rep: Some(Rep { email: " ANA@Example.com".to_owned(), ..Rep::default() }),
        ..CreateRepRequest::default()
    };
    let answer = once(channel, rep).await.unwrap_err();
    add("a second rep with the email", answer, Code::AlreadyExists, "EMAIL_TAKEN", "rep.email");

    let mut request = team.request("another-contact");
    request.request_id = "used-before".to_owned();
    let answer = once(channel, request).await.unwrap_err();
    let code = Code::InvalidArgument;
    add("another body", answer, code, "REQUEST_ID_REUSED", "request_id");
    wrong
}

/// All that can be read of a team, on one node.
async fn everything(channel: &Channel, team: &Team) -> Vec<Vec<u8>> {
    let parent = team.name();
    let reps = ListRepsRequest { parent: parent.clone(), ..Default::default() };
    let groups = ListGroupsRequest { parent: parent.clone(), ..Default::default() };
    let campaigns = ListCampaignsRequest { parent: parent.clone(), ..Default::default() };
    let assignments = ListAssignmentsRequest { parent: parent.clone(), ..Default::default() };
    let rotation = GetRotationRequest {
        name: format!("{parent}/groups/ring/rotations/c"),
        ..Default::default()
    };
    let mut rotation = once(channel, rotation).await.unwrap();
    // Whenever it is read.
    rotation.rotation.as_mut().unwrap().log_index = 0;
    vec![
        bytes(&once(channel, ListTeamsRequest::default()).await.unwrap()),
        bytes(&once(channel, reps).await.unwrap()),
        bytes(&once(channel, groups).await.unwrap()),
        bytes(&once(channel, campaigns).await.unwrap()),
        bytes(&once(channel, assignments).await.unwrap()),
        bytes(&rotation),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_is_named_and_changes_nothing_on_any_node() {
    let cluster = Cluster::start().await;
    let client = cluster.client(&cluster.ids());
    let team = Team::create(&client, "sales", 2).await;
    let ana = Rep { email: "ana@example.com".to_owned(), ..Rep::default() };
    create_rep(&client, &team.name(), "ana", ana).await;
    let mut request = team.request("x");
    request.request_id = "used-before".to_owned();
    client.call(request).await.unwrap();
    let hash = cluster.agreed_hash().await;
    for id in cluster.ids() {
        let wrong = malformed_calls(&cluster.channel(id).await, &team).await;
        wrong.iter().for_each(Wrong::check);
        assert_eq!(cluster.agreed_hash().await, hash, "asked on node {id}");
    }
    let before = everything(&cluster.channel(1).await, &team).await;
    for id in cluster.ids() {
        let wrong = refused_calls(&cluster.channel(id).await, &team).await;
        wrong.iter().for_each(Wrong::check);
    }
    cluster.agreed_hash().await;
    for id in cluster.ids() {
        assert_eq!(everything(&cluster.channel(id).await, &team).await, before, "node {id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_count_proposals_fsyncs_commits_and_calls() {
    let cluster = Cluster::start().await;
    let asked = cluster.follower().await;
    let client = cluster.client(&[asked]);
    let team = Team::create(&client, "sales", 2).await;
    for contact in 0..10 {
        team.assign(&client, &format!("contact-{contact}")).await;
    }
    cluster.agreed_hash().await;
    // A team, two reps, a group, a campaign and its launch, ten contacts: on whoever led then.
    let mut proposals = 0.0;
    for id in cluster.ids() {
        proposals += metric(&cluster, id, "turnwise_proposals_total").await;
        assert!(metric(&cluster, id, "turnwise_fsync_seconds_count").await >= 1.0);
        assert!(metric(&cluster, id, "turnwise_applied_index").await >= 16.0);
        assert!(metric(&cluster, id, "turnwise_term").await >= 1.0);
        assert!(metric(&cluster, id, "turnwise_leader_changes_total").await >= 1.0);
    }
    assert!(proposals >= 16.0, "{proposals}");
    let calls =
        "turnwise_calls_total{method=\"turnwise.v1.RoutingService/AssignContact\",code=\"OK\"}";
    assert!(metric(&cluster, asked, calls).await >= 10.0);
    let leader = cluster.leader().await;
    assert!(metric(&cluster, leader, "turnwise_role{role=\"Leader\"}").await >= 1.0);
}
