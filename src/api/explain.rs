//! Why an assignment is with whom it is, in words that a sales manager understands.
//!
//! From the stored decision and what is known of how a group chose: nothing is decided again here.

use crate::routing::{
    Assignment, AssignmentState, Cause, Choice, Cursor, OwnerKind, PassedOver, Step, Strategy,
    TargetKind, TargetOutcome, TargetTrace, Time, Via,
};

use super::{convert::reason_words, instant::rfc3339};

/// The whole story: where it is, how it came, what each target did, what happened since.
pub(super) fn sentences(assignment: &Assignment, choice: Option<&Choice>) -> Vec<String> {
    let mut story = vec![now(assignment, choice), way(assignment)];
    let decision = &assignment.decision;
    if decision.targets.is_empty() {
        story.push("No target was tried.".to_owned());
    } else {
        story.push(format!("The decision was made at {}.", rfc3339(decision.time)));
    }
    story.extend(decision.targets.iter().map(|trace| target(assignment, trace)));
    story.extend(choice.map(chosen));
    if !assignment.rejected_by.is_empty() {
        let reps: Vec<_> = assignment.rejected_by.iter().map(|rep| format!("`{rep}`")).collect();
        story.push(format!("Not offered again to {}, who turned it down.", reps.join(", ")));
    }
    if assignment.history.len() > 1 {
        story.extend(assignment.history.iter().map(|entry| step(entry, choice)));
    }
    story
}

fn now(assignment: &Assignment, choice: Option<&Choice>) -> String {
    let Assignment { contact, rep, option, state, cause, .. } = assignment;
    let rep = rep.as_ref().map_or_else(|| "nobody".to_owned(), |rep| format!("`{rep}`"));
    let why = because(*cause, choice);
    let until = |time: Option<Time>| {
        time.map(|time| format!(" until {}", rfc3339(time))).unwrap_or_default()
    };
    match state {
        AssignmentState::Pending => {
            let until = until(assignment.wait_end);
            format!("Contact `{contact}` waits{until} for somebody to become available.")
        }
        AssignmentState::Offered => {
            let until = until(assignment.offer_end);
            format!("Contact `{contact}` is offered to {rep}{until}: {why}.")
        }
        AssignmentState::Assigned => format!("Contact `{contact}` is with {rep}: {why}."),
        AssignmentState::Unassigned => format!("Nobody has contact `{contact}`: {why}."),
        AssignmentState::Closed => match option {
            Some(option) => format!(
                "Contact `{contact}` got option `{}` of group `{}`: it was its turn.",
                option.option, option.group
            ),
            None => format!("The work with contact `{contact}` is done; {rep} had it."),
        },
        AssignmentState::Cancelled => {
            format!("The assignment of contact `{contact}` was called off; {rep} had it.")
        }
    }
}

/// How a group chose, and how sure that is.
fn chosen(choice: &Choice) -> String {
    let Choice { group, strategy, is_changed, open } = choice;
    let how = match (strategy, open) {
        (Strategy::RoundRobin, _) => "gives to the next in its ring".to_owned(),
        (Strategy::LeastOpen, None) => FEWEST.to_owned(),
        (Strategy::LeastOpen, Some(open)) => format!("{FEWEST}; who got it had {open} open"),
    };
    if *is_changed {
        return format!("Group `{group}` was changed since; as it is now, it {how}.");
    }
    format!("Group `{group}` {how}.")
}

const FEWEST: &str = "gives to whoever of those who can take it has the fewest open assignments for \
                      their weight, and among equals to the next in its ring";

fn because(cause: Cause, choice: Option<&Choice>) -> &'static str {
    match cause {
        Cause::Owner => "they own it in the CRM",
        Cause::Rotation => match choice.map(|choice| choice.strategy) {
            Some(Strategy::RoundRobin) => "it was their turn",
            Some(Strategy::LeastOpen) | None => "the group chose them",
        },
        Cause::Rep => "the target names them",
        Cause::LastRep => "they had the contact before",
        Cause::Option => "it was the option's turn",
        Cause::Waiting => "it waits",
        Cause::NoTarget => "no target gave anybody",
        Cause::Manual => "the call named them",
        Cause::Claim => "they took it themselves",
        Cause::Reassign => "somebody gave it to them",
        Cause::Accept => "they accepted it",
        Cause::Unassign => "somebody took it away",
        Cause::Close => "it was closed",
        Cause::Cancel => "it was called off",
        Cause::Reject => "it was turned down",
        Cause::OfferTimeout => "an offer ended without an answer",
        Cause::CampaignCancelled => "its campaign was cancelled",
    }
}

fn way(assignment: &Assignment) -> String {
    let Assignment { id, create_time, via, .. } = assignment;
    let by = match via {
        Via::DefaultRule => "the team's default rule".to_owned(),
        Via::Campaign(campaign) => format!("campaign `{campaign}`"),
        Via::Rule(rule) => format!("routing rule `{rule}`"),
        Via::Group(group) => format!("group `{group}`"),
        Via::Rep(rep) => format!("a call that named `{rep}`"),
    };
    format!("It came at {} by {by}, as assignment {id}.", rfc3339(*create_time))
}

fn target(assignment: &Assignment, trace: &TargetTrace) -> String {
    let place = trace.index.saturating_add(1);
    let what = match &trace.target.kind {
        _ if trace.is_last_rep => "who had the contact last".to_owned(),
        TargetKind::Owner(kinds) => {
            let kinds: Vec<_> = kinds.iter().map(|kind| owner_kind(*kind)).collect();
            format!("the owner ({})", kinds.join(", then "))
        }
        TargetKind::Group(group) => format!("group `{group}`"),
        TargetKind::Rep(rep) => format!("rep `{rep}`"),
    };
    let head = if trace.is_last_rep {
        format!("Before target {place}")
    } else {
        format!("Target {place}")
    };
    let mut text = format!("{head}, {what}: {}", outcome(assignment, trace));
    if trace.skipped.total > 0 {
        text.push_str(&format!("; passed over: {}", passed_over(trace)));
    }
    if let (Some(before), Some(after)) = (trace.cursor_before, trace.cursor_after) {
        text.push_str(&format!("; the cursor {}", moved(before, after)));
    }
    for ring in &trace.inner {
        let moved = moved(ring.before, ring.after);
        text.push_str(&format!("; that of group `{}` {moved}", ring.group));
    }
    text.push('.');
    text
}

fn outcome(assignment: &Assignment, trace: &TargetTrace) -> String {
    match trace.outcome {
        TargetOutcome::Picked => match (&assignment.option, &assignment.rep) {
            (Some(option), _) => format!("gave option `{}`", option.option),
            // Whoever has it now may have got it later.
            (None, Some(rep)) if is_picked(assignment.cause) => format!("gave `{rep}`"),
            (None, _) => "gave somebody".to_owned(),
        },
        TargetOutcome::NoOwner => "no owner was given with the call".to_owned(),
        TargetOutcome::OwnerIsQueue => "the owner is a queue, not a person".to_owned(),
        TargetOutcome::OwnerNotARep => "no owner given is a rep of the team".to_owned(),
        TargetOutcome::NoEligible => "nobody could take it".to_owned(),
        TargetOutcome::Waiting => "nobody could take it, so it waits here".to_owned(),
    }
}

/// Whether whoever has it got it from a target, by this decision.
fn is_picked(cause: Cause) -> bool {
    match cause {
        Cause::Owner | Cause::Rotation | Cause::Rep | Cause::LastRep | Cause::Accept => true,
        Cause::Option
        | Cause::Waiting
        | Cause::NoTarget
        | Cause::Manual
        | Cause::Claim
        | Cause::Reassign
        | Cause::Unassign
        | Cause::Close
        | Cause::Cancel
        | Cause::Reject
        | Cause::OfferTimeout
        | Cause::CampaignCancelled => false,
    }
}

fn passed_over(trace: &TargetTrace) -> String {
    let named: Vec<_> = trace
        .skipped
        .named
        .iter()
        .map(|PassedOver { rep, reason }| format!("`{rep}` ({})", reason_words(*reason)))
        .collect();
    let rest =
        usize::try_from(trace.skipped.total).unwrap_or(usize::MAX).saturating_sub(named.len());
    let named = named.join(", ");
    if rest == 0 { named } else { format!("{named} and {rest} more") }
}

fn moved(before: Cursor, after: Cursor) -> String {
    let place = |cursor: Cursor| match cursor {
        Cursor { round: 0, key: 0 } => "the start".to_owned(),
        Cursor { round: 0, key } => format!("place {key}"),
        Cursor { round, key } => format!("place {key} in round {}", round.saturating_add(1)),
    };
    if before == after {
        return format!("stayed at {}", place(before));
    }
    format!("went from {} to {}", place(before), place(after))
}

fn owner_kind(kind: OwnerKind) -> &'static str {
    match kind {
        OwnerKind::Contact => "of the contact",
        OwnerKind::Lead => "of the lead",
        OwnerKind::Account => "of the account",
        OwnerKind::Opportunity => "of the opportunity",
    }
}

fn step(step: &Step, choice: Option<&Choice>) -> String {
    let Step { time, position: _, principal, cause, state, rep } = step;
    let whom = rep.as_ref().map(|rep| format!(" (`{rep}`)")).unwrap_or_default();
    let who = if principal.is_empty() { String::new() } else { format!(", by `{principal}`") };
    let state = match state {
        AssignmentState::Pending => "waiting",
        AssignmentState::Offered => "offered",
        AssignmentState::Assigned => "assigned",
        AssignmentState::Unassigned => "unassigned",
        AssignmentState::Closed => "closed",
        AssignmentState::Cancelled => "cancelled",
    };
    format!("At {}: {state}{whom}, {}{who}.", rfc3339(*time), because(*cause, choice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::{
        AssignmentId, CampaignId, ContactId, Decision, GroupId, Labels, LogPosition, Reason, RepId,
        Skipped, Target,
    };

    fn trace(kind: TargetKind, outcome: TargetOutcome) -> TargetTrace {
        TargetTrace {
            index: 0,
            target: Target::new(kind),
            is_last_rep: false,
            outcome,
            skipped: Skipped::default(),
            cursor_before: None,
            cursor_after: None,
            inner: vec![],
        }
    }

    fn assigned(targets: Vec<TargetTrace>) -> Assignment {
        Assignment {
            id: AssignmentId { log_index: 5, seq: 3, item: 0 },
            position: LogPosition::default(),
            create_time: Time(0),
            update_time: Time(0),
            contact: ContactId::new("c-1"),
            via: Via::Campaign(CampaignId::new("spring")),
            owners: vec![],
            prefer_last_rep: false,
            priority: 0,
            labels: Labels::new(),
            state: AssignmentState::Assigned,
            rep: Some(RepId::new("ann")),
            option: None,
            cause: Cause::Rotation,
            target_index: Some(1),
            owner_changed: true,
            wait_end: None,
            offer_end: None,
            rejected_by: vec![],
            decision: Decision { time: Time(0), engine_version: 2, targets },
            history: vec![],
        }
    }

    #[test]
    fn s0_2_who_was_passed_over_and_where_the_cursor_went_is_told() {
        let owner = trace(
            TargetKind::Owner(vec![OwnerKind::Contact, OwnerKind::Lead]),
            TargetOutcome::OwnerNotARep,
        );
        let named = |rep: &str, reason| PassedOver { rep: RepId::new(rep), reason };
        let ring = TargetTrace {
            index: 1,
            skipped: Skipped {
                named: vec![named("bo", Reason::OutOfOffice), named("cem", Reason::AtCapacity)],
                total: 5,
            },
            cursor_before: Some(Cursor::default()),
            cursor_after: Some(Cursor { round: 1, key: 4 }),
            ..trace(TargetKind::Group(GroupId::new("inbound")), TargetOutcome::Picked)
        };
        let turns = Choice {
            group: GroupId::new("inbound"),
            strategy: Strategy::RoundRobin,
            is_changed: false,
            open: None,
        };
        let assigned = assigned(vec![owner, ring]);
        assert_eq!(
            sentences(&assigned, Some(&turns)),
            [
                "Contact `c-1` is with `ann`: it was their turn.",
                "It came at 1970-01-01T00:00:00Z by campaign `spring`, as assignment 5-3.",
                "The decision was made at 1970-01-01T00:00:00Z.",
                "Target 1, the owner (of the contact, then of the lead): no owner given is a rep of \
                 the team.",
                "Target 2, group `inbound`: gave `ann`; passed over: `bo` (out of office), `cem` (has \
                 as much open work as they take) and 3 more; the cursor went from the start to place \
                 4 in round 2.",
                "Group `inbound` gives to the next in its ring.",
            ]
        );
        let by_load = Choice { strategy: Strategy::LeastOpen, open: Some(2), ..turns.clone() };
        let told = sentences(&assigned, Some(&by_load));
        assert_eq!(told[0], "Contact `c-1` is with `ann`: the group chose them.");
        assert_eq!(
            told[5],
            "Group `inbound` gives to whoever of those who can take it has the fewest open \
             assignments for their weight, and among equals to the next in its ring; who got it had \
             2 open."
        );
        let changed = Choice { is_changed: true, ..turns };
        assert_eq!(
            sentences(&assigned, Some(&changed))[5],
            "Group `inbound` was changed since; as it is now, it gives to the next in its ring."
        );
    }

    #[test]
    fn s2_1_nobody_is_told_with_the_reason() {
        let nobody = Assignment {
            state: AssignmentState::Unassigned,
            rep: None,
            cause: Cause::NoTarget,
            ..assigned(vec![])
        };
        let told = sentences(&nobody, None);
        assert_eq!(told[0], "Nobody has contact `c-1`: no target gave anybody.");
        assert_eq!(told[2], "No target was tried.");
    }
}
