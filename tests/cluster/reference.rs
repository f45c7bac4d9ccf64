//! The rotation computed once more, apart from `src/routing`, from the answers as clients got them.

use std::collections::{BTreeMap, BTreeSet};

use turnwise::{
    client::Client,
    proto::turnwise::v1::{AssignContactResponse, Assignment, AssignmentState},
};

use crate::{
    harness::Cluster,
    service::{Team, position},
};

/// Checks what clients were told of the contacts that they had assigned, each of them once: no turn is
/// used twice, none is skipped, and by position the reps follow each other as in a ring.
pub(crate) fn check_rotation(ring: &[String], answers: &[AssignContactResponse]) {
    let mut assignments: Vec<&Assignment> = Vec::new();
    for answer in answers {
        let assignment = answer.assignment.as_ref().unwrap();
        assert!(!answer.existing, "{} was assigned before", assignment.contact);
        assert_eq!(answer.position, assignment.position);
        assert_eq!(assignment.state(), AssignmentState::Assigned);
        assignments.push(assignment);
    }
    let contacts: BTreeSet<&str> = assignments.iter().map(|a| a.contact.as_str()).collect();
    assert_eq!(contacts.len(), answers.len(), "every contact was asked for once");
    assignments.sort_by_key(|assignment| position(assignment));
    let positions: BTreeSet<(u64, u32)> = assignments.iter().map(|a| position(a)).collect();
    assert_eq!(positions.len(), answers.len(), "no position is used twice");
    for (turn, assignment) in assignments.iter().enumerate() {
        assert_eq!(assignment.rep, ring[turn % ring.len()], "turn {turn}: {assignment:?}");
    }
}

/// Checks that every node, asked alone, has exactly what was acknowledged, and that all hashes agree.
pub(crate) async fn check_nodes(cluster: &Cluster, team: &Team, answers: &[AssignContactResponse]) {
    let acknowledged: BTreeMap<_, _> = answers
        .iter()
        .map(|answer| answer.assignment.as_ref().unwrap())
        .map(|assignment| (position(assignment), assignment))
        .collect();
    for id in cluster.ids() {
        let held = team.assignments(&alone(cluster, id)).await;
        let held: BTreeMap<_, _> = held.iter().map(|a| (position(a), a)).collect();
        assert_eq!(held.len(), acknowledged.len(), "node {id} holds as many as were acknowledged");
        for (place, assignment) in &acknowledged {
            assert_eq!(held.get(place), Some(assignment), "node {id}");
        }
    }
    cluster.agreed_hash().await;
}

fn alone(cluster: &Cluster, id: u64) -> Client {
    cluster.client(&[id])
}
