//! Lists: filters over the documented fields, and pages that go on where they ended.

use tonic::Code;
use turnwise::proto::turnwise::v1 as pb;

use crate::nodes::{Node, Nodes, contact, why};

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
async fn every_list_has_a_filter_over_its_fields() {
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

    let groups = pb::ListGroupsRequest {
        parent: parent(),
        filter: "kind = OPTIONS".to_owned(),
        ..Default::default()
    };
    assert_eq!(node.groups().await.list_groups(groups).await.unwrap().into_inner().groups, []);
    let campaigns = pb::ListCampaignsRequest {
        parent: parent(),
        filter: "state = RUNNING".to_owned(),
        ..Default::default()
    };
    let found = node.campaigns().await.list_campaigns(campaigns).await.unwrap().into_inner();
    assert_eq!(found.campaigns.len(), 1);
    let rules = pb::ListRoutingRulesRequest {
        parent: parent(),
        filter: "display_name = x".to_owned(),
        ..Default::default()
    };
    let found = node.rules().await.list_routing_rules(rules).await.unwrap().into_inner();
    assert_eq!(found.routing_rules, []);
    let teams =
        pb::ListTeamsRequest { filter: "display_name = \"\"".to_owned(), ..Default::default() };
    assert_eq!(node.teams().await.list_teams(teams).await.unwrap().into_inner().teams.len(), 1);
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
