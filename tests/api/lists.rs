//! Lists: filters over the documented fields, and pages that go on where they ended.

use tonic::Code;
use turnwise::proto::turnwise::v1 as pb;

use crate::nodes::{Node, Nodes, contact, member, why};

fn parent() -> String {
    "teams/t".to_owned()
}

async fn reps(node: &Node, filter: &str) -> Vec<String> {
    let request =
        pb::ListRepsRequest { parent: parent(), filter: filter.to_owned(), ..Default::default() };
    let found = node.reps().await.list_reps(request).await.unwrap().into_inner().reps;
    found.into_iter().map(|rep| rep.name).collect()
}

async fn assignments(node: &Node, filter: &str) -> Vec<String> {
    let request = pb::ListAssignmentsRequest {
        parent: parent(),
        filter: filter.to_owned(),
        ..Default::default()
    };
    let answer = node.routing().await.list_assignments(request).await.unwrap().into_inner();
    answer.assignments.into_iter().map(|assignment| assignment.contact).collect()
}

#[tokio::test]
async fn reps_and_campaigns_are_filtered_by_their_fields() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let away =
        pb::SetOutOfOfficeRequest { name: "teams/t/reps/b".to_owned(), ..Default::default() };
    node.reps().await.set_out_of_office(away).await.unwrap();
    let labelled = pb::UpdateRepRequest {
        rep: Some(pb::Rep {
            name: "teams/t/reps/c".to_owned(),
            labels: [("tier".to_owned(), "gold".to_owned())].into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    node.reps().await.update_rep(labelled).await.unwrap();

    let of = |ids: &[&str]| ids.iter().map(|id| format!("teams/t/reps/{id}")).collect::<Vec<_>>();
    assert_eq!(reps(node, "").await, of(&["a", "b", "c"]));
    assert_eq!(reps(node, "availability = OUT_OF_OFFICE").await, of(&["b"]));
    assert_eq!(reps(node, "email = \"a@example.com\"").await, of(&["a"]));
    assert_eq!(reps(node, "labels.tier = gold AND disabled = false").await, of(&["c"]));
    assert_eq!(reps(node, "labels.tier = \"\"").await, of(&["a", "b"]));
    assert_eq!(reps(node, "presence.state = ONLINE").await, of(&[]));

    let campaigns = pb::ListCampaignsRequest {
        parent: parent(),
        filter: "state = RUNNING".to_owned(),
        ..Default::default()
    };
    let found = node.campaigns().await.list_campaigns(campaigns).await.unwrap().into_inner();
    let names: Vec<_> = found.campaigns.into_iter().map(|campaign| campaign.name).collect();
    assert_eq!(names, ["teams/t/campaigns/run"], "not the draft");
}

/// A second team, two rules, a group of options by load beside that of reps, and two tokens.
async fn two_of_each(node: &Node) {
    let gold = || [("tier".to_owned(), "gold".to_owned())].into();
    let team = pb::Team { display_name: "Two".to_owned(), labels: gold(), ..Default::default() };
    let request =
        pb::CreateTeamRequest { team_id: "two".to_owned(), team: Some(team), ..Default::default() };
    node.teams().await.create_team(request).await.unwrap();
    for (id, labels) in [("r1", Default::default()), ("r2", gold())] {
        let rule = pb::RoutingRule { display_name: id.to_owned(), labels, ..Default::default() };
        let request = pb::CreateRoutingRuleRequest {
            parent: parent(),
            routing_rule_id: id.to_owned(),
            routing_rule: Some(rule),
            ..Default::default()
        };
        node.rules().await.create_routing_rule(request).await.unwrap();
    }
    let option = |id: &str| pb::GroupMember {
        member: Some(pb::group_member::Member::Option(pb::GroupOption {
            id: id.to_owned(),
            payload: "{}".to_owned(),
        })),
        ..Default::default()
    };
    let options = pb::Group {
        kind: pb::GroupKind::Options.into(),
        members: vec![option("x"), option("y")],
        labels: gold(),
        ..Default::default()
    };
    let by_load = pb::Group {
        display_name: "Load".to_owned(),
        strategy: pb::Strategy::LeastOpen.into(),
        members: vec![member("a")],
        ..Default::default()
    };
    for (id, group) in [("options", options), ("load", by_load)] {
        let request = pb::CreateGroupRequest {
            parent: parent(),
            group_id: id.to_owned(),
            group: Some(group),
            ..Default::default()
        };
        node.groups().await.create_group(request).await.unwrap();
    }
    let admin = pb::Role { kind: pb::RoleKind::Admin.into(), ..Default::default() };
    let rep = pb::Role {
        kind: pb::RoleKind::Rep.into(),
        rep: "teams/t/reps/b".to_owned(),
        ..Default::default()
    };
    for (id, role, secret) in [("admin", admin, 1), ("b", rep, 2)] {
        let token =
            pb::Token { display_name: format!("of {id}"), role: Some(role), ..Default::default() };
        let request = pb::CreateTokenRequest {
            parent: parent(),
            token_id: id.to_owned(),
            token: Some(token),
            secret_sha256: vec![secret; 32].into(),
            ..Default::default()
        };
        node.tokens().await.create_token(request).await.unwrap();
    }
}

#[tokio::test]
async fn a_filter_keeps_the_one_that_it_names_and_no_other() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    two_of_each(node).await;
    macro_rules! found {
        ($client:ident.$call:ident($request:expr).$items:ident, $filter:expr) => {{
            let filter = $filter.to_owned();
            let mut request = $request;
            request.filter = filter;
            let answer = node.$client().await.$call(request).await.unwrap().into_inner();
            let ids = answer.$items.iter().map(|it| it.name.rsplit('/').next().unwrap().to_owned());
            ids.collect::<Vec<_>>()
        }};
    }
    let teams = pb::ListTeamsRequest::default;
    let of_teams = async |filter: &str| found!(teams.list_teams(teams()).teams, filter);
    assert_eq!(of_teams("").await, ["t", "two"]);
    for filter in ["display_name = Two", "labels.tier = gold"] {
        assert_eq!(of_teams(filter).await, ["two"], "{filter}");
    }
    assert_eq!(of_teams("display_name = \"\"").await, ["t"]);

    let rules = || pb::ListRoutingRulesRequest { parent: parent(), ..Default::default() };
    let of_rules =
        async |filter: &str| found!(rules.list_routing_rules(rules()).routing_rules, filter);
    assert_eq!(of_rules("").await, ["r1", "r2"]);
    assert_eq!(of_rules("display_name = r1").await, ["r1"]);
    assert_eq!(of_rules("labels.tier = gold").await, ["r2"]);
    assert_eq!(of_rules("display_name = r1 AND labels.tier = gold").await, [""; 0]);

    let groups = || pb::ListGroupsRequest { parent: parent(), ..Default::default() };
    let of_groups = async |filter: &str| found!(groups.list_groups(groups()).groups, filter);
    assert_eq!(of_groups("").await, ["default", "g", "load", "options"]);
    assert_eq!(of_groups("kind = OPTIONS").await, ["options"]);
    assert_eq!(of_groups("strategy = LEAST_OPEN").await, ["load"]);
    assert_eq!(of_groups("display_name = Load").await, ["load"]);
    assert_eq!(of_groups("labels.tier = gold").await, ["options"]);

    let tokens = || pb::ListTokensRequest { parent: parent(), ..Default::default() };
    let of_tokens = async |filter: &str| found!(tokens.list_tokens(tokens()).tokens, filter);
    assert_eq!(of_tokens("").await, ["admin", "b"]);
    assert_eq!(of_tokens("role.kind = ADMIN").await, ["admin"]);
    assert_eq!(of_tokens("role.rep = \"teams/t/reps/b\"").await, ["b"]);
    assert_eq!(of_tokens("display_name = \"of b\"").await, ["b"]);
}

#[tokio::test]
async fn assignments_are_filtered_by_who_has_them_and_how_they_came() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let mut routing = node.routing().await;
    for id in ["1", "2", "3"] {
        routing.assign_contact(contact(id)).await.unwrap();
    }
    let plain = pb::AssignContactRequest { via: None, ..contact("4") };
    routing.assign_contact(plain).await.unwrap();
    let by_hand = pb::AssignContactRequest {
        via: Some(pb::assign_contact_request::Via::Rep("teams/t/reps/a".to_owned())),
        ..contact("1")
    };
    let manual = routing.assign_contact(by_hand).await.unwrap().into_inner().assignment.unwrap();
    let close = pb::CloseAssignmentRequest { name: manual.name, ..Default::default() };
    routing.close_assignment(close).await.unwrap();

    assert_eq!(assignments(node, "").await, ["1", "2", "3", "4", "1"]);
    assert_eq!(assignments(node, "contact = 1").await, ["1", "1"]);
    assert_eq!(assignments(node, "contact = 1 AND state = ASSIGNED").await, ["1"]);
    assert_eq!(assignments(node, "campaign = \"teams/t/campaigns/run\"").await, ["1", "2", "3"]);
    assert_eq!(assignments(node, "campaign = \"\"").await, ["4", "1"]);
    assert_eq!(assignments(node, "rep = \"teams/t/reps/b\" AND cause = ROTATION").await, ["2"]);
    assert_eq!(assignments(node, "state = CLOSED").await, ["1"]);
    assert_eq!(assignments(node, "contact = 1 AND contact = 2").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_filtered_list_goes_on_page_by_page() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let mut routing = node.routing().await;
    for id in 0..12 {
        routing.assign_contact(contact(&id.to_string())).await.unwrap();
    }
    let mut request = pb::ListAssignmentsRequest {
        parent: parent(),
        filter: "rep = \"teams/t/reps/b\"".to_owned(),
        page_size: 3,
        ..Default::default()
    };
    let mut seen = Vec::new();
    let mut pages = 0;
    loop {
        let page = routing.list_assignments(request.clone()).await.unwrap().into_inner();
        assert!(page.assignments.len() <= 3);
        assert!(page.assignments.iter().all(|a| a.rep_email == "b@example.com"));
        seen.extend(page.assignments.into_iter().map(|a| a.contact));
        pages += 1;
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(seen, ["1", "4", "7", "10"]);
    assert!(pages >= 2);
}

#[tokio::test]
async fn a_field_that_is_not_supported_is_refused_and_the_supported_ones_are_named() {
    let nodes = Nodes::one().await;
    nodes.leader().set_up().await;
    let request = pb::ListCampaignsRequest {
        parent: parent(),
        filter: "colour = red".to_owned(),
        ..Default::default()
    };
    let mut campaigns = nodes.leader().campaigns().await;
    let refused = campaigns.list_campaigns(request).await.unwrap_err();
    let fields = vec!["filter".to_owned()];
    assert_eq!(why(&refused), (Code::InvalidArgument, "INVALID_FIELD".to_owned(), fields));
    for field in ["`display_name`", "`state`", "`routing_rule`", "`labels.KEY`"] {
        assert!(refused.message().contains(field), "{refused}");
    }
}
