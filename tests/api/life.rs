//! What becomes of an assignment, call by call: offers, claims, moves, ends; batches and previews.

use std::time::Duration;

use tonic::{Code, transport::Channel};
use tonic_types::StatusExt as _;
use turnwise::proto::turnwise::v1::{
    self as pb, AssignmentState as State, Cause, assign_contact_request::Via,
    hypothetical_change::Change, reassign_assignment_request::To,
    routing_service_client::RoutingServiceClient,
};

use crate::nodes::{Node, Nodes, contact, why};

fn rep(id: &str) -> String {
    format!("teams/t/reps/{id}")
}

fn via(contact_id: &str, via: Via) -> pb::AssignContactRequest {
    pb::AssignContactRequest { via: Some(via), ..contact(contact_id) }
}

/// A rule with one target: group `g`, changed by `change`.
async fn rule(node: &Node, id: &str, change: impl FnOnce(&mut pb::Target)) -> Via {
    let kind = pb::target::Kind::Group("teams/t/groups/g".to_owned());
    let mut target = pb::Target { kind: Some(kind), ..Default::default() };
    change(&mut target);
    let request = pb::CreateRoutingRuleRequest {
        parent: "teams/t".to_owned(),
        routing_rule_id: id.to_owned(),
        routing_rule: Some(pb::RoutingRule {
            display_name: id.to_owned(),
            targets: vec![target],
            ..Default::default()
        }),
        ..Default::default()
    };
    let made = node.rules().await.create_routing_rule(request).await.unwrap().into_inner();
    Via::RoutingRule(made.routing_rule.unwrap().name)
}

fn hour() -> Option<prost_types::Duration> {
    prost_types::Duration::try_from(Duration::from_secs(3_600)).ok()
}

async fn assign(
    routing: &mut RoutingServiceClient<Channel>,
    request: pb::AssignContactRequest,
) -> pb::Assignment {
    routing.assign_contact(request).await.unwrap().into_inner().assignment.unwrap()
}

#[tokio::test]
async fn an_offer_is_rejected_and_accepted() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let by = rule(node, "offers", |target| target.accept_timeout = hour()).await;
    let mut routing = node.routing().await;

    let offered = assign(&mut routing, via("1", by)).await;
    assert_eq!((offered.state(), &offered.rep), (State::Offered, &rep("a")));
    assert!(offered.expire_time.is_some());
    assert_eq!(offered.routing_rule, "teams/t/routingRules/offers");
    let name = offered.name;

    let reject = pb::RejectAssignmentRequest { name: name.clone(), ..Default::default() };
    let next = routing.reject_assignment(reject).await.unwrap().into_inner().assignment.unwrap();
    assert_eq!((next.state(), &next.rep), (State::Offered, &rep("b")));
    assert_eq!(next.rejected_by, [rep("a")]);
    let decided_at = next.position.unwrap().log_index;
    assert_eq!(next.decision.unwrap().log_index, decided_at);

    let accept = pb::AcceptAssignmentRequest { name: name.clone(), ..Default::default() };
    let answer = routing.accept_assignment(accept.clone()).await.unwrap().into_inner();
    let taken = answer.assignment.unwrap();
    assert!(answer.position.is_some());
    assert_eq!((taken.state(), taken.cause()), (State::Assigned, Cause::Rotation));
    assert_eq!(taken.history.last().unwrap().cause(), Cause::Accept);
    assert!(taken.position.unwrap().log_index > decided_at);
    assert_eq!(taken.decision.unwrap().log_index, decided_at, "to accept decides nothing");
    assert_eq!(taken.expire_time, None);

    let refused = routing.accept_assignment(accept).await.unwrap_err();
    let expected = (Code::FailedPrecondition, "WRONG_ASSIGNMENT_STATE".to_owned(), vec![]);
    assert_eq!(why(&refused), expected);
    assert!(refused.message().contains("is with a rep"), "{refused}");

    let explain = pb::ExplainAssignmentRequest { name };
    let told = routing.explain_assignment(explain).await.unwrap().into_inner();
    assert_eq!(told.assignment.unwrap().rep_email, "b@example.com");
    let text = told.sentences.join("\n");
    assert!(text.contains("Contact `1` is with `b`: it was their turn."), "{text}");
    assert!(text.contains("routing rule `offers`"), "{text}");
    assert!(text.contains("Not offered again to `a`, who turned it down."), "{text}");
}

#[tokio::test]
async fn an_answer_to_an_offer_that_moved_on_is_refused_if_it_names_the_rep() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let by = rule(node, "offers", |target| target.accept_timeout = hour()).await;
    let mut routing = node.routing().await;
    let name = assign(&mut routing, via("1", by)).await.name;
    let accept_by = |id: &str| pb::AcceptAssignmentRequest {
        name: name.clone(),
        rep: rep(id),
        ..Default::default()
    };
    let reject_by = |id: &str| pb::RejectAssignmentRequest {
        name: name.clone(),
        rep: rep(id),
        ..Default::default()
    };

    let next = routing.reject_assignment(reject_by("a")).await.unwrap().into_inner().assignment;
    assert_eq!(next.unwrap().rep, rep("b"));
    let not_offered = (Code::FailedPrecondition, "NOT_OFFERED_TO_REP".to_owned(), vec![]);
    let refused = routing.accept_assignment(accept_by("a")).await.unwrap_err();
    assert_eq!(why(&refused), not_offered);
    let details = refused.get_error_details();
    let about = &details.error_info().unwrap().metadata;
    assert_eq!((&about["assignment"], &about["rep"]), (&name, &rep("a")));
    let refused = routing.reject_assignment(reject_by("a")).await.unwrap_err();
    assert_eq!(why(&refused), not_offered);

    let refused = routing.accept_assignment(accept_by("nobody")).await.unwrap_err();
    assert_eq!(why(&refused), (Code::NotFound, "RESOURCE_NOT_FOUND".to_owned(), vec![]));
    for wrong in ["b", "teams/other/reps/b"] {
        let wrong = pb::AcceptAssignmentRequest { rep: wrong.to_owned(), ..accept_by("b") };
        let refused = routing.accept_assignment(wrong).await.unwrap_err();
        let expected = (Code::InvalidArgument, "INVALID_FIELD".to_owned(), vec!["rep".to_owned()]);
        assert_eq!(why(&refused), expected);
    }
    let taken = routing.accept_assignment(accept_by("b")).await.unwrap().into_inner().assignment;
    assert_eq!(taken.unwrap().state(), State::Assigned);
}

#[tokio::test]
async fn s2_1_what_nobody_has_is_claimed_once() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let mut routing = node.routing().await;
    let manual = pb::CreateRoutingRuleRequest {
        parent: "teams/t".to_owned(),
        routing_rule_id: "manual".to_owned(),
        routing_rule: Some(pb::RoutingRule {
            display_name: "Pick and assign".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    node.rules().await.create_routing_rule(manual).await.unwrap();
    let by = Via::RoutingRule("teams/t/routingRules/manual".to_owned());
    let waiting = assign(&mut routing, via("1", by)).await;
    assert_eq!(waiting.state(), State::Unassigned);

    let claim = |id: &str| pb::ClaimAssignmentRequest {
        name: waiting.name.clone(),
        rep: rep(id),
        ..Default::default()
    };
    let claimed = routing.claim_assignment(claim("c")).await.unwrap().into_inner();
    let claimed = claimed.assignment.unwrap();
    assert_eq!((claimed.cause(), &claimed.rep), (Cause::Claim, &rep("c")));
    let refused = routing.claim_assignment(claim("b")).await.unwrap_err();
    assert_eq!(why(&refused), (Code::Aborted, "ALREADY_CLAIMED".to_owned(), vec![]));
}

#[tokio::test]
async fn an_assignment_is_moved_taken_away_closed_and_called_off() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let mut routing = node.routing().await;
    let first = assign(&mut routing, contact("1")).await;
    assert_eq!(first.rep, rep("a"));
    let name = || first.name.clone();

    let reassign =
        |to| pb::ReassignAssignmentRequest { name: name(), to: Some(to), ..Default::default() };
    let moved = routing.reassign_assignment(reassign(To::Rep(rep("c")))).await.unwrap();
    let moved = moved.into_inner().assignment.unwrap();
    assert_eq!((moved.cause(), &moved.rep), (Cause::Reassign, &rep("c")));
    let moved = routing.reassign_assignment(reassign(To::ByRule(true))).await.unwrap();
    let moved = moved.into_inner().assignment.unwrap();
    // Its turn comes as if this were a new contact.
    assert_eq!(moved.rep, rep("b"));

    let unassign = pb::UnassignAssignmentRequest { name: name(), ..Default::default() };
    let free = routing.unassign_assignment(unassign).await.unwrap().into_inner();
    let free = free.assignment.unwrap();
    assert_eq!((free.state(), free.rep.as_str()), (State::Unassigned, ""));

    let cancel = pb::CancelAssignmentRequest { name: name(), ..Default::default() };
    let ended = routing.cancel_assignment(cancel).await.unwrap().into_inner().assignment.unwrap();
    assert_eq!(ended.state(), State::Cancelled);
    let steps: Vec<_> = ended.history.iter().map(|step| step.state()).collect();
    assert_eq!(steps.first(), Some(&State::Assigned));
    assert_eq!(steps.last(), Some(&State::Cancelled));
    assert!(ended.history.iter().all(|step| step.position.is_some() && step.time.is_some()));

    let second = assign(&mut routing, contact("2")).await;
    let close = pb::CloseAssignmentRequest { name: second.name.clone(), ..Default::default() };
    let closed = routing.close_assignment(close.clone()).await.unwrap().into_inner();
    assert_eq!(closed.assignment.unwrap().state(), State::Closed);
    let refused = routing.close_assignment(close).await.unwrap_err();
    assert_eq!(why(&refused).1, "WRONG_ASSIGNMENT_STATE");
    let list = pb::ListRepsRequest { parent: "teams/t".to_owned(), ..Default::default() };
    let reps = node.reps().await.list_reps(list).await.unwrap();
    let open: Vec<_> = reps.into_inner().reps.iter().map(|r| r.open_count).collect();
    assert_eq!(open, [0, 0, 0]);
}

#[tokio::test]
async fn a_contact_goes_by_a_group_by_a_rep_and_by_labels_and_priority() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let mut routing = node.routing().await;
    let labelled = pb::AssignContactRequest {
        priority: 7,
        labels: [("intent".to_owned(), "high".to_owned())].into(),
        ..via("1", Via::Group("teams/t/groups/g".to_owned()))
    };
    let by_group = assign(&mut routing, labelled).await;
    assert_eq!((by_group.group.as_str(), by_group.priority), ("teams/t/groups/g", 7));
    assert_eq!(by_group.labels["intent"], "high");
    let by_rep = assign(&mut routing, via("2", Via::Rep(rep("c")))).await;
    assert_eq!((by_rep.requested_rep, by_rep.rep), (rep("c"), rep("c")));
}

fn batch(ids: &[&str]) -> pb::BatchAssignContactsRequest {
    pb::BatchAssignContactsRequest {
        parent: "teams/t".to_owned(),
        requests: ids.iter().map(|id| contact(id)).collect(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_batch_is_the_calls_in_order_as_one_step() {
    let nodes = Nodes::start(2).await;
    nodes.leader().set_up().await;
    let mut routing = nodes.follower().routing().await;
    let request = pb::BatchAssignContactsRequest {
        request_id: "once".to_owned(),
        ..batch(&["1", "2", "1", "3"])
    };
    let answer = routing.batch_assign_contacts(request.clone()).await.unwrap().into_inner();
    let got: Vec<_> = answer
        .responses
        .iter()
        .map(|r| (r.assignment.as_ref().unwrap().rep.clone(), r.existing))
        .collect();
    let expected = [(rep("a"), false), (rep("b"), false), (rep("a"), true), (rep("c"), false)];
    assert_eq!(got, expected);
    let position = answer.position.unwrap();
    assert!(answer.responses.iter().all(|r| r.position == Some(position)));
    let second = answer.responses[1].assignment.as_ref().unwrap().name.clone();
    assert!(second.ends_with("-0-1"), "{second}");
    let get = pb::GetAssignmentRequest { name: second };
    assert_eq!(
        routing.get_assignment(get).await.unwrap().into_inner().assignment.unwrap().contact,
        "2"
    );
    // The same again: the same answer.
    assert_eq!(routing.batch_assign_contacts(request).await.unwrap().into_inner(), answer);
}

#[tokio::test]
async fn one_refused_item_refuses_the_batch_and_is_named() {
    let nodes = Nodes::one().await;
    nodes.leader().set_up().await;
    let before = nodes.leader().picture().await;
    let mut request = batch(&["1", "2"]);
    request.requests[1].via = Some(Via::Campaign("teams/t/campaigns/draft".to_owned()));
    let mut routing = nodes.leader().routing().await;
    let refused = routing.batch_assign_contacts(request).await.unwrap_err();
    let fields = vec!["requests[1]".to_owned()];
    assert_eq!(
        why(&refused),
        (Code::FailedPrecondition, "CAMPAIGN_NOT_RUNNING".to_owned(), fields)
    );
    assert_eq!(nodes.leader().picture().await, before);
}

#[tokio::test]
async fn a_preview_tells_who_would_be_next_and_changes_nothing() {
    let nodes = Nodes::start(2).await;
    nodes.leader().set_up().await;
    let before = nodes.leader().hash().await;
    let preview = |changes: Vec<Change>, count| pb::PreviewAssignContactRequest {
        request: Some(contact("")),
        count,
        changes: changes
            .into_iter()
            .map(|change| pb::HypotheticalChange { change: Some(change) })
            .collect(),
    };
    // Answered where it arrives.
    let mut routing = nodes.follower().routing().await;
    let picks = async |routing: &mut RoutingServiceClient<Channel>, request| {
        let answer = routing.preview_assign_contact(request).await.unwrap().into_inner();
        assert!(answer.log_index > 0);
        let picks = answer.picks.into_iter().map(|pick| pick.assignment.unwrap());
        let picks: Vec<_> = picks
            .inspect(|a| {
                assert_eq!((a.name.as_str(), a.contact.as_str()), ("", ""));
                assert!(a.position.is_none());
                assert_eq!(a.decision.as_ref().unwrap().log_index, 0);
            })
            .map(|a| a.rep)
            .collect();
        picks
    };
    let plain = picks(&mut routing, preview(vec![], 4)).await;
    assert_eq!(plain, [rep("a"), rep("b"), rep("c"), rep("a")]);
    let out = picks(&mut routing, preview(vec![Change::RepOutOfOffice(rep("b"))], 3)).await;
    assert_eq!(out, [rep("a"), rep("c"), rep("a")]);
    assert_eq!(nodes.leader().hash().await, before);
    // And so it comes.
    for (id, expected) in ["1", "2", "3", "4"].iter().zip(plain) {
        assert_eq!(assign(&mut routing, contact(id)).await.rep, expected);
    }

    // What nobody has is there already; what would become of it has no place in the log.
    let taken = assign(&mut routing, contact("free")).await;
    let unassign = pb::UnassignAssignmentRequest { name: taken.name.clone(), ..Default::default() };
    let free = routing.unassign_assignment(unassign).await.unwrap().into_inner();
    let free = free.assignment.unwrap();
    let again = pb::PreviewAssignContactRequest {
        request: Some(contact("free")),
        count: 1,
        changes: Vec::new(),
    };
    let [pick] = &routing.preview_assign_contact(again).await.unwrap().into_inner().picks[..]
    else {
        panic!("one pick")
    };
    let seen = pick.assignment.as_ref().unwrap();
    assert!(pick.existing);
    assert_eq!((&seen.name, seen.state()), (&free.name, State::Assigned));
    assert_eq!(seen.history, free.history, "what has happened, and not what would");
    assert!(seen.position.is_none());

    assert_eq!(picks(&mut routing, preview(vec![], 1_001)).await.len(), 1_000, "at most");
    // What is supposed is an ordinary change: the rules may refuse it.
    let all_out = ["a", "b", "c"].map(|id| Change::RepOutOfOffice(rep(id))).to_vec();
    let refused = routing.preview_assign_contact(preview(all_out, 1)).await.unwrap_err();
    assert_eq!(why(&refused).1, "LAST_AVAILABLE_REP");
    let impossible = preview(vec![Change::RepOutOfOffice(rep("nobody"))], 1);
    let refused = routing.preview_assign_contact(impossible).await.unwrap_err();
    assert_eq!(why(&refused).1, "RESOURCE_NOT_FOUND");
}
