//! `validate_only`: the answer that the call would get, and nothing is changed, on any node.

use tonic::{Request, Response, Status};
use turnwise::proto::turnwise::v1::{
    self as pb, LogPosition, reassign_assignment_request::To, remove_group_member_request as remove,
};

use crate::nodes::{Node, Nodes, contact, member, why};

/// Makes a call in earnest or not, and tells at which position it took effect.
macro_rules! call {
    ($client:expr, $method:ident, $request:expr, $dry:expr) => {{
        let mut request = $request;
        request.validate_only = $dry;
        let done: Result<Response<_>, Status> = $client.$method(Request::new(request)).await;
        done.map(|answer| answer.into_inner().position)
    }};
}

type Done = Result<Option<LogPosition>, Status>;

fn t(rest: &str) -> String {
    format!("teams/t/{rest}")
}

/// Every call that changes something, each of which would succeed after those before.
async fn all(node: &Node, offered: &str, open: &str, dry: bool) -> Vec<(&'static str, Done)> {
    let (mut teams, mut reps, mut groups) =
        (node.teams().await, node.reps().await, node.groups().await);
    let mut tokens = node.tokens().await;
    let (mut rules, mut campaigns, mut routing) =
        (node.rules().await, node.campaigns().await, node.routing().await);
    let parent = || "teams/t".to_owned();
    let mut done = Vec::new();
    macro_rules! all {
        ($($client:ident.$method:ident($request:expr);)*) => {
            $(done.push((stringify!($method), call!($client, $method, $request, dry)));)*
        };
    }
    let rep = pb::Rep { name: t("reps/a"), max_open: 9, ..Default::default() };
    let group =
        pb::Group { name: t("groups/g"), display_name: "G".to_owned(), ..Default::default() };
    let rule = || pb::RoutingRule { display_name: "R".to_owned(), ..Default::default() };
    let named_rule = pb::RoutingRule { name: t("routingRules/old"), ..rule() };
    let campaign = pb::Campaign {
        name: t("campaigns/run"),
        display_name: "C".to_owned(),
        ..Default::default()
    };
    let to = Some(To::Rep(t("reps/b")));
    let order = ["c", "b", "a", "d"].map(|id| t(&format!("reps/{id}"))).to_vec();
    let removed = Some(remove::Member::Rep(t("reps/d")));
    let by_hand = pb::AssignContactRequest { contact: "by-hand".to_owned(), ..contact("") };
    let by_hand = pb::BatchAssignContactsRequest {
        parent: parent(),
        requests: vec![pb::AssignContactRequest { via: None, ..by_hand }],
        ..Default::default()
    };
    let online = pb::PresenceState::Online.into();
    let ttl = Some(prost_types::Duration { seconds: 60, nanos: 0 });
    all! {
        routing.assign_contact(contact("new"));
        routing.batch_assign_contacts(by_hand);
        routing.accept_assignment(pb::AcceptAssignmentRequest { name: offered.to_owned(), ..Default::default() });
        routing.reassign_assignment(pb::ReassignAssignmentRequest { name: open.to_owned(), to, ..Default::default() });
        routing.unassign_assignment(pb::UnassignAssignmentRequest { name: open.to_owned(), ..Default::default() });
    }
    // What the one needs is only there in earnest, and what the other needs only in a dry run.
    if dry {
        all! {
            routing.reject_assignment(pb::RejectAssignmentRequest { name: offered.to_owned(), ..Default::default() });
        }
    } else {
        all! {
            routing.claim_assignment(pb::ClaimAssignmentRequest { name: open.to_owned(), rep: t("reps/c"), ..Default::default() });
        }
    }
    all! {
        routing.close_assignment(pb::CloseAssignmentRequest { name: open.to_owned(), ..Default::default() });
        routing.cancel_assignment(pb::CancelAssignmentRequest { name: offered.to_owned(), ..Default::default() });
        reps.create_rep(pb::CreateRepRequest { parent: parent(), rep_id: "new".to_owned(), ..Default::default() });
        reps.update_rep(pb::UpdateRepRequest { rep: Some(rep), ..Default::default() });
        reps.set_presence(pb::SetPresenceRequest { name: t("reps/a"), state: online, ttl, ..Default::default() });
        reps.set_out_of_office(pb::SetOutOfOfficeRequest { name: t("reps/a"), ..Default::default() });
        reps.clear_out_of_office(pb::ClearOutOfOfficeRequest { name: t("reps/a"), ..Default::default() });
        groups.create_group(pb::CreateGroupRequest {
            parent: parent(),
            group_id: "new".to_owned(),
            group: Some(pb::Group { members: vec![member("a")], ..Default::default() }),
            ..Default::default()
        });
        groups.update_group(pb::UpdateGroupRequest { group: Some(group), ..Default::default() });
        groups.update_group_member(pb::UpdateGroupMemberRequest {
            name: t("groups/g"),
            member: Some(pb::GroupMember { weight: Some(2), ..member("a") }),
            ..Default::default()
        });
        groups.reorder_group(pb::ReorderGroupRequest { name: t("groups/g"), members: order, ..Default::default() });
        groups.remove_group_member(pb::RemoveGroupMemberRequest { name: t("groups/g"), member: removed, ..Default::default() });
        groups.add_group_member(pb::AddGroupMemberRequest { name: t("groups/spare"), members: vec![member("b")], ..Default::default() });
        groups.adjust_rotation(pb::AdjustRotationRequest { name: t("groups/g/rotations/run"), member: t("reps/a"), credits: 1, ..Default::default() });
        groups.reset_rotation(pb::ResetRotationRequest { name: t("groups/g/rotations/run"), ..Default::default() });
        groups.delete_group(pb::DeleteGroupRequest { name: t("groups/spare"), ..Default::default() });
        reps.delete_rep(pb::DeleteRepRequest { name: t("reps/d"), ..Default::default() });
        rules.update_routing_rule(pb::UpdateRoutingRuleRequest { routing_rule: Some(named_rule), ..Default::default() });
        rules.delete_routing_rule(pb::DeleteRoutingRuleRequest { name: t("routingRules/old"), ..Default::default() });
        rules.create_routing_rule(pb::CreateRoutingRuleRequest {
            parent: parent(),
            routing_rule_id: "new".to_owned(),
            routing_rule: Some(rule()),
            ..Default::default()
        });
        campaigns.create_campaign(pb::CreateCampaignRequest { parent: parent(), campaign_id: "new".to_owned(), ..Default::default() });
        campaigns.update_campaign(pb::UpdateCampaignRequest { campaign: Some(campaign), ..Default::default() });
        campaigns.schedule_campaign(pb::ScheduleCampaignRequest { name: t("campaigns/draft"), ..Default::default() });
        campaigns.launch_campaign(pb::LaunchCampaignRequest { name: t("campaigns/draft"), ..Default::default() });
        campaigns.pause_campaign(pb::PauseCampaignRequest { name: t("campaigns/run"), ..Default::default() });
        campaigns.resume_campaign(pb::ResumeCampaignRequest { name: t("campaigns/paused"), ..Default::default() });
        campaigns.cancel_campaign(pb::CancelCampaignRequest { name: t("campaigns/draft"), ..Default::default() });
        campaigns.delete_campaign(pb::DeleteCampaignRequest { name: t("campaigns/over"), ..Default::default() });
        tokens.create_token(pb::CreateTokenRequest {
            parent: parent(),
            token_id: "new".to_owned(),
            token: Some(token("")),
            secret_sha256: vec![1; 32].into(),
            ..Default::default()
        });
        tokens.update_token(pb::UpdateTokenRequest {
            token: Some(token("tokens/old")),
            secret_sha256: vec![2; 32].into(),
            ..Default::default()
        });
        tokens.delete_token(pb::DeleteTokenRequest { name: t("tokens/old"), ..Default::default() });
        teams.create_team(pb::CreateTeamRequest { team_id: "new".to_owned(), ..Default::default() });
        teams.update_team(pb::UpdateTeamRequest {
            team: Some(pb::Team { name: parent(), display_name: "T".to_owned(), ..Default::default() }),
            ..Default::default()
        });
        teams.delete_team(pb::DeleteTeamRequest { name: "teams/u".to_owned(), ..Default::default() });
    }
    done
}

/// A viewer's token; without a name for one that is not there yet.
fn token(rest: &str) -> pb::Token {
    let role = pb::Role { kind: pb::RoleKind::Viewer.into(), ..Default::default() };
    let name = if rest.is_empty() { String::new() } else { t(rest) };
    pb::Token { name, role: Some(role), ..Default::default() }
}

/// Team `t` with something in every state that a call needs; an offered and an open assignment.
async fn set_up(node: &Node) -> (String, String) {
    node.set_up().await;
    let mut teams = node.teams().await;
    let team = pb::CreateTeamRequest { team_id: "u".to_owned(), ..Default::default() };
    teams.create_team(team).await.unwrap();
    let parent = || "teams/t".to_owned();
    let d = pb::CreateRepRequest { parent: parent(), rep_id: "d".to_owned(), ..Default::default() };
    node.reps().await.create_rep(d).await.unwrap();
    let mut groups = node.groups().await;
    let add = pb::AddGroupMemberRequest {
        name: t("groups/g"),
        members: vec![member("d")],
        ..Default::default()
    };
    groups.add_group_member(add).await.unwrap();
    let spare = pb::CreateGroupRequest {
        parent: parent(),
        group_id: "spare".to_owned(),
        group: Some(pb::Group { members: vec![member("a")], ..Default::default() }),
        ..Default::default()
    };
    groups.create_group(spare).await.unwrap();
    let kind = pb::target::Kind::Group(t("groups/g"));
    let accept_timeout = Some(prost_types::Duration { seconds: 3_600, nanos: 0 });
    let target = pb::Target { kind: Some(kind), accept_timeout, ..Default::default() };
    let old = pb::CreateRoutingRuleRequest {
        parent: parent(),
        routing_rule_id: "old".to_owned(),
        routing_rule: Some(pb::RoutingRule {
            display_name: "Old".to_owned(),
            targets: vec![target],
            ..Default::default()
        }),
        ..Default::default()
    };
    node.rules().await.create_routing_rule(old).await.unwrap();
    let old = pb::CreateTokenRequest {
        parent: parent(),
        token_id: "old".to_owned(),
        token: Some(token("")),
        secret_sha256: vec![0; 32].into(),
        ..Default::default()
    };
    node.tokens().await.create_token(old).await.unwrap();
    let mut campaigns = node.campaigns().await;
    for id in ["paused", "over"] {
        let campaign = pb::Campaign::default();
        let create = pb::CreateCampaignRequest {
            parent: parent(),
            campaign_id: id.to_owned(),
            campaign: Some(campaign),
            ..Default::default()
        };
        campaigns.create_campaign(create).await.unwrap();
    }
    let name = || t("campaigns/paused");
    let launch = pb::LaunchCampaignRequest { name: name(), ..Default::default() };
    campaigns.launch_campaign(launch).await.unwrap();
    let pause = pb::PauseCampaignRequest { name: name(), ..Default::default() };
    campaigns.pause_campaign(pause).await.unwrap();
    let cancel = pb::CancelCampaignRequest { name: t("campaigns/over"), ..Default::default() };
    campaigns.cancel_campaign(cancel).await.unwrap();

    let mut routing = node.routing().await;
    let offered = pb::AssignContactRequest {
        via: Some(pb::assign_contact_request::Via::RoutingRule(t("routingRules/old"))),
        ..contact("offered")
    };
    let offered = routing.assign_contact(offered).await.unwrap().into_inner().assignment.unwrap();
    assert_eq!(offered.state(), pb::AssignmentState::Offered);
    let open = routing.assign_contact(contact("open")).await.unwrap().into_inner();
    (offered.name, open.assignment.unwrap().name)
}

#[tokio::test]
async fn every_call_can_be_tried_out_without_changing_anything() {
    let nodes = Nodes::start(2).await;
    let (offered, open) = set_up(nodes.leader()).await;
    let before = nodes.leader().hash().await;
    for node in &nodes.nodes {
        for (method, done) in all(node, &offered, &open, true).await {
            let position = done.unwrap_or_else(|refused| panic!("{method}: {refused}"));
            assert_eq!(position, None, "{method}");
            assert_eq!(node.hash().await, before, "{method}");
        }
    }
    // In earnest, through the follower, the same calls take effect.
    for (method, done) in all(nodes.follower(), &offered, &open, false).await {
        let position = done.unwrap_or_else(|refused| panic!("{method}: {refused}"));
        assert!(position.is_some(), "{method}");
    }
    assert_ne!(nodes.leader().hash().await, before);
}

#[tokio::test]
async fn a_call_tried_out_is_refused_like_one_in_earnest_and_remembers_nothing() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let mut reps = node.reps().await;
    let create = |rep_id: &str, validate_only| pb::CreateRepRequest {
        parent: "teams/t".to_owned(),
        rep_id: rep_id.to_owned(),
        request_id: "once".to_owned(),
        validate_only,
        ..Default::default()
    };
    let refused = reps.create_rep(create("a", true)).await.unwrap_err();
    assert_eq!(why(&refused).1, "RESOURCE_ALREADY_EXISTS");
    let tried = reps.create_rep(create("d", true)).await.unwrap().into_inner();
    assert_eq!((tried.position, tried.rep.unwrap().etag.as_str()), (None, ""));
    // The request id is free still, for another body too.
    let made = reps.create_rep(create("e", false)).await.unwrap().into_inner();
    assert!(made.position.is_some());

    let dry = pb::AssignContactRequest { validate_only: true, ..contact("1") };
    let tried = node.routing().await.assign_contact(dry).await.unwrap().into_inner();
    let assignment = tried.assignment.unwrap();
    assert_eq!((assignment.name.as_str(), assignment.rep.as_str()), ("", "teams/t/reps/a"));
    assert_eq!((assignment.position, tried.position), (None, None));
    assert_eq!(assignment.decision.unwrap().log_index, 0);
}

#[tokio::test]
async fn a_batch_tried_out_answers_what_the_batch_in_earnest_will_and_changes_nothing() {
    let nodes = Nodes::start(2).await;
    nodes.leader().set_up().await;
    let item = |id: &str| pb::AssignContactRequest { parent: String::new(), ..contact(id) };
    let batch = |validate_only| pb::BatchAssignContactsRequest {
        parent: "teams/t".to_owned(),
        requests: ["1", "2", "1", "3", "4"].map(item).into(),
        validate_only,
        ..Default::default()
    };
    let before = (nodes.leader().hash().await, nodes.leader().picture().await);
    let mut tried = Vec::new();
    for node in [nodes.follower(), nodes.leader(), nodes.follower()] {
        let dry = node.routing().await.batch_assign_contacts(batch(true)).await.unwrap();
        let dry = dry.into_inner();
        assert_eq!(dry.position, None);
        for answer in &dry.responses {
            let assignment = answer.assignment.as_ref().unwrap();
            assert_eq!((assignment.name.as_str(), assignment.position), ("", None));
            assert_eq!(answer.position, None);
        }
        assert_eq!((node.hash().await, node.picture().await), before);
        tried.push(who(&dry));
    }
    let [a, b, c] = ["a", "b", "c"].map(|id| t(&format!("reps/{id}")));
    let expected =
        [(a.clone(), false), (b, false), (a.clone(), true), (c, false), (a, false)].to_vec();
    assert_eq!(tried, vec![expected.clone(); 3]);

    let done = nodes.follower().routing().await.batch_assign_contacts(batch(false)).await.unwrap();
    assert_eq!(who(&done.into_inner()), expected);
    assert_ne!(nodes.leader().hash().await, before.0);

    // It is for all items or none.
    let one = pb::AssignContactRequest { validate_only: true, ..item("5") };
    let mixed = pb::BatchAssignContactsRequest { requests: vec![item("6"), one], ..batch(false) };
    let refused = nodes.leader().routing().await.batch_assign_contacts(mixed).await.unwrap_err();
    assert_eq!(why(&refused).2, ["requests[1].validate_only"]);
}

/// The rep of each item, and whether it was there.
fn who(answer: &pb::BatchAssignContactsResponse) -> Vec<(String, bool)> {
    let one = |answer: &pb::AssignContactResponse| {
        (answer.assignment.as_ref().unwrap().rep.clone(), answer.existing)
    };
    answer.responses.iter().map(one).collect()
}
