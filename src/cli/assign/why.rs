//! A decision in one sentence, from what was stored with the assignment. Pure. `turnwise explain` tells
//! the whole story.

use crate::{
    cli::{names, words},
    proto::turnwise::v1::{Assignment, AssignmentState, Cause, TargetOutcome, TargetTrace},
};

/// Why this rep, this option or nobody has the contact.
pub(crate) fn why(assignment: &Assignment, existing: bool) -> String {
    let decision = assignment.decision.clone().unwrap_or_default();
    let cause = assignment.cause();
    let mut steps: Vec<String> = decision.targets.iter().map(|trace| step(trace, cause)).collect();
    if !is_of_a_target(cause) {
        // What the targets did is not why it is where it is.
        steps = vec![words::because(cause).to_owned()];
    } else if steps.is_empty() {
        steps.push("there is no target: it waits for a person to claim it".to_owned());
    }
    let mut text = steps.join("; ");
    match assignment.state() {
        AssignmentState::Pending => text = format!("waiting: {text}"),
        AssignmentState::Unassigned => text = format!("nobody: {text}"),
        AssignmentState::Offered => text = format!("offered: {text}"),
        AssignmentState::Assigned
        | AssignmentState::Closed
        | AssignmentState::Cancelled
        | AssignmentState::Unspecified => {}
    }
    match existing {
        true => format!("assigned before, so no turn was used; then: {text}"),
        false => text,
    }
}

/// Whether the walk over the targets led to it, and no person since.
fn is_of_a_target(cause: Cause) -> bool {
    match cause {
        Cause::Owner
        | Cause::Rotation
        | Cause::Rep
        | Cause::LastRep
        | Cause::Option
        | Cause::Waiting
        | Cause::NoTarget
        | Cause::Unspecified => true,
        Cause::Manual
        | Cause::Claim
        | Cause::Reassign
        | Cause::Accept
        | Cause::Reject
        | Cause::OfferTimeout
        | Cause::Unassign
        | Cause::Close
        | Cause::Cancel
        | Cause::CampaignCancelled => false,
    }
}

fn step(trace: &TargetTrace, cause: Cause) -> String {
    let passed_over = words::passed_over(trace, |rep| names::id(rep).to_owned()).join(", ");
    match (trace.outcome(), passed_over.as_str()) {
        (TargetOutcome::Picked, "") => words::because(cause).to_owned(),
        (TargetOutcome::Picked, names) => {
            format!("{} (passed over: {names})", words::because(cause))
        }
        (TargetOutcome::NoOwner, _) => "no owner was given".to_owned(),
        (TargetOutcome::OwnerIsQueue, _) => "the owner is a queue".to_owned(),
        (TargetOutcome::OwnerNotARep, _) => "the owner is not a rep of the team".to_owned(),
        (TargetOutcome::NoEligible | TargetOutcome::Waiting, "") => {
            "nobody could take it".to_owned()
        }
        (TargetOutcome::NoEligible | TargetOutcome::Waiting, names) => {
            format!("nobody could take it: {names}")
        }
        (TargetOutcome::Unspecified, _) => "a reason this version does not know".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::why;
    use crate::proto::turnwise::v1::{
        Assignment, AssignmentState, Cause, Decision, PassOverReason, PassedOver, TargetOutcome,
        TargetTrace,
    };

    fn trace(outcome: TargetOutcome, away: &[&str], passed_over_total: u64) -> TargetTrace {
        let reason = PassOverReason::OutOfOffice.into();
        let passed_over = away
            .iter()
            .map(|rep| PassedOver { rep: format!("teams/t/reps/{rep}"), reason })
            .collect();
        TargetTrace {
            outcome: outcome.into(),
            passed_over,
            passed_over_total,
            ..Default::default()
        }
    }

    fn assignment(rep: &str, cause: Cause, targets: Vec<TargetTrace>) -> Assignment {
        Assignment {
            rep: rep.to_owned(),
            cause: cause.into(),
            state: match rep {
                "" => AssignmentState::Unassigned.into(),
                _ => AssignmentState::Assigned.into(),
            },
            decision: Some(Decision { targets, ..Decision::default() }),
            ..Assignment::default()
        }
    }

    #[test]
    fn the_way_to_the_rep_is_told_target_by_target() {
        let targets = vec![
            trace(TargetOutcome::NoEligible, &["ana"], 1),
            trace(TargetOutcome::Picked, &["bo"], 3),
        ];
        let told = why(&assignment("teams/t/reps/cem", Cause::Rotation, targets), false);
        assert_eq!(
            told,
            "nobody could take it: ana out of office; it was their turn (passed over: bo out of \
             office, 2 more)"
        );
    }

    #[test]
    fn an_assignment_without_a_rep_and_one_from_before_say_so() {
        let nobody = assignment("", Cause::NoTarget, vec![trace(TargetOutcome::NoOwner, &[], 0)]);
        assert_eq!(why(&nobody, false), "nobody: no owner was given");
        let before = assignment("r", Cause::Owner, vec![trace(TargetOutcome::Picked, &[], 0)]);
        assert_eq!(
            why(&before, true),
            "assigned before, so no turn was used; then: they own the contact in the CRM"
        );
        assert_eq!(
            why(&assignment("", Cause::NoTarget, vec![]), false),
            "nobody: there is no target: it waits for a person to claim it"
        );
        let claimed = assignment("r", Cause::Claim, vec![trace(TargetOutcome::NoEligible, &[], 0)]);
        assert_eq!(why(&claimed, false), "they took it themselves");
    }
}
