//! What is told of a group's choice afterwards: right, or not told.

use std::collections::BTreeMap;

use turnwise::proto::turnwise::v1 as pb;

use crate::nodes::{Node, Nodes, member};

const PARENT: &str = "teams/t";
const GROUP: &str = "teams/t/groups/load";

/// How many contacts each rep has open.
async fn open(node: &Node) -> BTreeMap<String, u64> {
    let list = pb::ListRepsRequest { parent: PARENT.to_owned(), ..Default::default() };
    let reps = node.reps().await.list_reps(list).await.unwrap().into_inner().reps;
    reps.into_iter().map(|rep| (rep.name, rep.open_count)).collect()
}

async fn choice(node: &Node, name: &str) -> Option<pb::GroupChoice> {
    let request = pb::ExplainAssignmentRequest { name: name.to_owned() };
    let answer = node.routing().await.explain_assignment(request).await.unwrap().into_inner();
    answer.choice
}

/// The group `load` of all reps, by load.
async fn by_load(node: &Node) {
    node.set_up().await;
    let group = pb::CreateGroupRequest {
        parent: PARENT.to_owned(),
        group_id: "load".to_owned(),
        group: Some(pb::Group {
            strategy: pb::Strategy::LeastOpen.into(),
            members: ["a", "b", "c"].map(member).into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    node.groups().await.create_group(group).await.unwrap();
}

fn to_group(contact: usize) -> pb::AssignContactRequest {
    pb::AssignContactRequest {
        parent: PARENT.to_owned(),
        contact: format!("c-{contact}"),
        via: Some(pb::assign_contact_request::Via::Group(GROUP.to_owned())),
        ..Default::default()
    }
}

#[tokio::test]
async fn s2_5_the_open_count_that_is_told_later_is_the_one_that_decided() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    by_load(node).await;
    let mut routing = node.routing().await;
    // Of each pick: how many the rep had just before it.
    let mut decided: Vec<(String, u64)> = Vec::new();
    let mut random = 7_usize;
    for round in 0..120 {
        let before = open(node).await;
        let made = routing.assign_contact(to_group(round)).await.unwrap().into_inner();
        let made = made.assignment.unwrap();
        assert_eq!(before[&made.rep], *before.values().min().unwrap(), "round {round}");
        decided.push((made.name, before[&made.rep]));
        // Something happens to one of those before, if it is still open.
        random = (random * 1_103_515_245 + 12_345) % 2_147_483_648;
        let name = decided[(random >> 8) % decided.len()].0.clone();
        match (random >> 4) % 4 {
            0 => drop(
                routing
                    .close_assignment(pb::CloseAssignmentRequest { name, ..Default::default() })
                    .await,
            ),
            1 => drop(
                routing
                    .cancel_assignment(pb::CancelAssignmentRequest { name, ..Default::default() })
                    .await,
            ),
            2 => drop(
                routing
                    .unassign_assignment(pb::UnassignAssignmentRequest {
                        name,
                        ..Default::default()
                    })
                    .await,
            ),
            _ => {
                let to =
                    Some(pb::reassign_assignment_request::To::Rep("teams/t/reps/c".to_owned()));
                let request = pb::ReassignAssignmentRequest { name, to, ..Default::default() };
                drop(routing.reassign_assignment(request).await);
            }
        }
    }
    assert!(decided.iter().any(|(_, open)| *open > 3), "loads differ: {decided:?}");
    let mut told = 0;
    for (name, open) in &decided {
        // Of one that a person gave to another since, their decision is kept, and not the group's.
        let Some(choice) = choice(node, name).await else { continue };
        assert_eq!((choice.group.as_str(), choice.strategy()), (GROUP, pb::Strategy::LeastOpen));
        assert!(!choice.group_changed);
        assert_eq!(choice.open_count, Some(*open), "{name}: nothing here makes it uncertain");
        told += 1;
    }
    assert!(told >= 80, "{told}");
}

#[tokio::test]
async fn s2_5_what_is_not_certain_is_not_told() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    by_load(node).await;
    let mut routing = node.routing().await;
    // In one call, where who had what just before each is not kept.
    let batch = pb::BatchAssignContactsRequest {
        parent: PARENT.to_owned(),
        requests: (0..4).map(to_group).collect(),
        ..Default::default()
    };
    routing.batch_assign_contacts(batch).await.unwrap();
    let list = pb::ListAssignmentsRequest { parent: PARENT.to_owned(), ..Default::default() };
    let all = routing.list_assignments(list).await.unwrap().into_inner().assignments;
    for assignment in &all {
        let choice = choice(node, &assignment.name).await.unwrap();
        assert_eq!((choice.strategy(), choice.open_count), (pb::Strategy::LeastOpen, None));
    }
    let alone = routing.assign_contact(to_group(9)).await.unwrap().into_inner().assignment.unwrap();
    assert_eq!(choice(node, &alone.name).await.unwrap().open_count, Some(1));

    let update = pb::UpdateGroupRequest {
        group: Some(pb::Group {
            name: GROUP.to_owned(),
            display_name: "Load".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    node.groups().await.update_group(update).await.unwrap();
    let changed = choice(node, &alone.name).await.unwrap();
    assert_eq!((changed.group_changed, changed.open_count), (true, None));
}
