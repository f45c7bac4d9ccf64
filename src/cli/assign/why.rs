//! A decision in plain words, from what was stored with the assignment. Pure.

use crate::{
    cli::names,
    proto::turnwise::v1::{
        Assignment, Cause, PassOverReason, PassedOver, TargetOutcome, TargetTrace,
    },
};

/// Why this rep, or nobody, has the contact: one sentence.
pub(super) fn why(assignment: &Assignment, existing: bool) -> String {
    let decision = assignment.decision.clone().unwrap_or_default();
    let mut steps: Vec<String> =
        decision.targets.iter().map(|trace| step(trace, assignment.cause())).collect();
    if steps.is_empty() {
        steps.push("the campaign has no target".to_owned());
    }
    let steps = steps.join("; ");
    match (existing, assignment.rep.is_empty()) {
        (true, _) => format!("assigned before, so no turn was used; then: {steps}"),
        (false, true) => format!("nobody: {steps}"),
        (false, false) => steps,
    }
}

fn step(trace: &TargetTrace, cause: Cause) -> String {
    let passed_over = passed_over(trace);
    match trace.outcome() {
        TargetOutcome::Picked => {
            let because = match cause {
                Cause::Owner => "they own the contact in the CRM",
                Cause::Rotation => "it was their turn",
                Cause::Rep => "the campaign names them",
                Cause::NoTarget | Cause::Unspecified => "they were picked",
            };
            match passed_over {
                Some(names) => format!("{because} (passed over: {names})"),
                None => because.to_owned(),
            }
        }
        TargetOutcome::NoOwner => "no owner was given".to_owned(),
        TargetOutcome::OwnerIsQueue => "the owner is a queue".to_owned(),
        TargetOutcome::OwnerNotARep => "the owner is not a rep of the team".to_owned(),
        TargetOutcome::NoEligible => match passed_over {
            Some(names) => format!("nobody could take it: {names}"),
            None => "nobody could take it".to_owned(),
        },
        TargetOutcome::Unspecified => "a reason this version does not know".to_owned(),
    }
}

/// Who was passed over and why; those not named are counted.
fn passed_over(trace: &TargetTrace) -> Option<String> {
    let mut names: Vec<String> = trace.passed_over.iter().map(named).collect();
    let all: u64 = trace.passed_over_counts.iter().map(|count| count.count).sum();
    let unnamed = all.saturating_sub(u64::try_from(names.len()).unwrap_or(u64::MAX));
    if unnamed > 0 {
        names.push(format!("{unnamed} more"));
    }
    (!names.is_empty()).then(|| names.join(", "))
}

fn named(passed_over: &PassedOver) -> String {
    let reason = match passed_over.reason() {
        PassOverReason::OutOfOffice => "out of office",
        PassOverReason::Disabled => "disabled",
        PassOverReason::Unspecified => "for a reason this version does not know",
    };
    format!("{} {reason}", names::id(&passed_over.rep))
}

#[cfg(test)]
mod tests {
    use super::why;
    use crate::proto::turnwise::v1::{
        Assignment, Cause, Decision, PassOverCount, PassOverReason, PassedOver, TargetOutcome,
        TargetTrace,
    };

    fn trace(outcome: TargetOutcome, away: &[&str], count: u64) -> TargetTrace {
        let reason = PassOverReason::OutOfOffice.into();
        let passed_over = away
            .iter()
            .map(|rep| PassedOver { rep: format!("teams/t/reps/{rep}"), reason })
            .collect();
        let passed_over_counts = vec![PassOverCount { reason, count }];
        TargetTrace {
            outcome: outcome.into(),
            passed_over,
            passed_over_counts,
            ..Default::default()
        }
    }

    fn assignment(rep: &str, cause: Cause, targets: Vec<TargetTrace>) -> Assignment {
        Assignment {
            rep: rep.to_owned(),
            cause: cause.into(),
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
            "nobody: the campaign has no target"
        );
    }
}
