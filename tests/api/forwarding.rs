//! Any node serves any call: one hop to the leader, or an answer that says why not.

use tonic::Code;
use turnwise::proto::turnwise::v1 as pb;

use crate::nodes::{Mode, Node, Nodes, contact, why};

async fn refusal(node: &Node, id: &str) -> (Code, String) {
    let refused = node.routing().await.assign_contact(contact(id)).await.unwrap_err();
    let retry = tonic_types::StatusExt::get_details_retry_info(&refused);
    assert!(retry.is_some(), "says when to try again: {refused:?}");
    let (code, reason, _) = why(&refused);
    (code, reason)
}

#[tokio::test]
async fn a_follower_does_everything_that_the_leader_does() {
    let nodes = Nodes::start(2).await;
    // Creates teams, reps, groups, campaigns, all through the follower.
    nodes.follower().set_up().await;
    let mut here = nodes.follower().routing().await;
    let first = here.assign_contact(contact("1")).await.unwrap().into_inner();
    assert_eq!(first.assignment.as_ref().unwrap().rep, "teams/t/reps/a");
    let mut there = nodes.leader().routing().await;
    let again = there.assign_contact(contact("1")).await.unwrap().into_inner();
    assert!(again.existing);

    // A rule's refusal is the same through either.
    let get = |name: &str| pb::DeleteRepRequest { name: name.to_owned(), ..Default::default() };
    let mut refusals = Vec::new();
    for node in &nodes.nodes {
        let refused = node.reps().await.delete_rep(get("teams/t/reps/none")).await.unwrap_err();
        refusals.push((refused.code(), refused.message().to_owned(), refused.details().to_vec()));
    }
    assert_eq!(refusals[0], refusals[1]);
}

#[tokio::test]
async fn a_call_that_is_wrong_is_refused_where_it_arrives() {
    let mut nodes = Nodes::start(2).await;
    nodes.cut(0).await;
    let refused = nodes.follower().routing().await.assign_contact(contact("a b")).await;
    assert_eq!(why(&refused.unwrap_err()).1, "INVALID_FIELD");
}

#[tokio::test]
async fn without_a_leader_the_answer_is_unavailable() {
    let nodes = Nodes::start(2).await;
    nodes.elect(None, &[1, 2]);
    for node in &nodes.nodes {
        assert_eq!(refusal(node, "1").await, (Code::Unavailable, "NO_LEADER".to_owned()));
        let list = node.teams().await.list_teams(pb::ListTeamsRequest::default()).await;
        assert_eq!(why(&list.unwrap_err()).1, "NO_LEADER");
    }
}

#[tokio::test]
async fn a_call_without_a_leader_is_done_once_there_is_one() {
    let mut nodes = Nodes::start(3).await;
    nodes.leader().set_up().await;
    nodes.cut(0).await;
    // The follower still takes node 1 for the leader, which cannot be reached.
    let mut client = nodes.follower().routing().await;
    let waiting = tokio::spawn(async move { client.assign_contact(contact("1")).await });
    nodes.elect(None, &[2, 3]);
    nodes.elect(Some(3), &[1, 2, 3]);
    let answer = waiting.await.unwrap().unwrap().into_inner();
    assert!(!answer.existing);
}

#[tokio::test]
async fn a_call_is_passed_on_once() {
    let nodes = Nodes::start(2).await;
    // Each takes the other for the leader.
    nodes.elect(Some(2), &[1]);
    assert_eq!(refusal(nodes.follower(), "1").await, (Code::Unavailable, "NOT_LEADER".to_owned()));
}

#[tokio::test]
async fn an_unreachable_leader_is_named_so() {
    let mut nodes = Nodes::start(2).await;
    nodes.cut(0).await;
    let expected = (Code::Unavailable, "LEADER_UNREACHABLE".to_owned());
    assert_eq!(refusal(nodes.follower(), "1").await, expected);
}

#[tokio::test]
async fn calls_under_way_to_a_leader_that_goes_have_an_unknown_outcome() {
    let nodes = Nodes::start(3).await;
    nodes.leader().set_up().await;
    nodes.leader().set(Mode::Hold);
    let mut client = nodes.follower().routing().await;
    let waiting = tokio::spawn(async move { client.assign_contact(contact("1")).await });
    nodes.leader().holds(1).await;
    // Only the follower learns of the new leader: the old one is stopped and says nothing.
    nodes.elect(Some(3), &[2, 3]);
    let refused = waiting.await.unwrap().unwrap_err();
    assert_eq!(why(&refused).1, "LEADERSHIP_LOST");
    // And the next call goes to the new one.
    let mut client = nodes.follower().routing().await;
    let answer = client.assign_contact(contact("1")).await.unwrap().into_inner();
    assert!(!answer.existing);
}

#[tokio::test]
async fn calls_under_way_on_a_connection_that_breaks_have_an_unknown_outcome() {
    let mut nodes = Nodes::start(2).await;
    nodes.leader().set_up().await;
    nodes.leader().set(Mode::Hold);
    let mut client = nodes.follower().routing().await;
    let waiting = tokio::spawn(async move { client.assign_contact(contact("1")).await });
    nodes.leader().holds(1).await;
    nodes.cut(0).await;
    assert_eq!(why(&waiting.await.unwrap().unwrap_err()).1, "LEADERSHIP_LOST");
}
