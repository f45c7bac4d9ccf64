//! The steps of an assignment's life.

use crate::{
    api::{
        names,
        violations::{Violations, Wrong},
    },
    proto::turnwise::v1::{self as pb, reassign_assignment_request::To},
    routing::{AssignmentId, Operation, RepId},
};

use super::draft::{Common, Draft};

pub(super) fn accept(r: &pb::AcceptAssignmentRequest) -> Result<Draft, Violations> {
    answer(&r.name, &r.rep, &r.request_id, r.validate_only, |assignment, rep| {
        Operation::AcceptAssignment { assignment, rep }
    })
}

pub(super) fn reject(r: &pb::RejectAssignmentRequest) -> Result<Draft, Violations> {
    answer(&r.name, &r.rep, &r.request_id, r.validate_only, |assignment, rep| {
        Operation::RejectAssignment { assignment, rep }
    })
}

pub(super) fn claim(r: &pb::ClaimAssignmentRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let named = wrong.take("name", names::assignment(&r.name));
    let team = named.as_ref().map(|(team, _)| team);
    let rep = names::rep(&r.rep).and_then(|named| names::within(team, named));
    let rep = wrong.take("rep", rep);
    let common = Common::take(&mut wrong, &r.request_id, r.validate_only);
    wrong.finish((|| {
        let (team, assignment) = named?;
        Some(common?.draft(team, Operation::ClaimAssignment { assignment, rep: rep? }))
    })())
}

pub(super) fn reassign(r: &pb::ReassignAssignmentRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let named = wrong.take("name", names::assignment(&r.name));
    let team = named.as_ref().map(|(team, _)| team);
    let to = match &r.to {
        None => wrong.take("to", Err(Wrong::new("one of `rep`, `by_rule`"))),
        Some(To::ByRule(false)) => wrong.take("by_rule", Err(Wrong::new("must be true"))),
        Some(To::ByRule(true)) => Some(None),
        Some(To::Rep(rep)) => {
            let rep = names::rep(rep).and_then(|named| names::within(team, named));
            wrong.take("rep", rep).map(Some)
        }
    };
    let common = Common::take(&mut wrong, &r.request_id, r.validate_only);
    wrong.finish((|| {
        let (team, assignment) = named?;
        Some(common?.draft(team, Operation::ReassignAssignment { assignment, to: to? }))
    })())
}

pub(super) fn unassign(r: &pb::UnassignAssignmentRequest) -> Result<Draft, Violations> {
    step(&r.name, &r.request_id, r.validate_only, |assignment| Operation::UnassignAssignment {
        assignment,
    })
}

pub(super) fn close(r: &pb::CloseAssignmentRequest) -> Result<Draft, Violations> {
    step(&r.name, &r.request_id, r.validate_only, |assignment| Operation::CloseAssignment {
        assignment,
    })
}

pub(super) fn cancel(r: &pb::CancelAssignmentRequest) -> Result<Draft, Violations> {
    step(&r.name, &r.request_id, r.validate_only, |assignment| Operation::CancelAssignment {
        assignment,
    })
}

/// To an offer, by the rep who has it or by one who is named.
fn answer(
    name: &str,
    rep: &str,
    request_id: &str,
    validate_only: bool,
    operation: impl FnOnce(AssignmentId, Option<RepId>) -> Operation,
) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let named = wrong.take("name", names::assignment(name));
    let team = named.as_ref().map(|(team, _)| team);
    let rep = match rep {
        "" => Some(None),
        rep => {
            let rep = names::rep(rep).and_then(|named| names::within(team, named));
            wrong.take("rep", rep).map(Some)
        }
    };
    let common = Common::take(&mut wrong, request_id, validate_only);
    wrong.finish((|| {
        let (team, assignment) = named?;
        Some(common?.draft(team, operation(assignment, rep?)))
    })())
}

fn step(
    name: &str,
    request_id: &str,
    validate_only: bool,
    operation: impl FnOnce(AssignmentId) -> Operation,
) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let named = wrong.take("name", names::assignment(name));
    let common = Common::take(&mut wrong, request_id, validate_only);
    wrong.finish((|| {
        let (team, assignment) = named?;
        Some(common?.draft(team, operation(assignment)))
    })())
}
