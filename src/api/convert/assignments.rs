//! Assignments: where they are, how they got there, and why.

use crate::{
    api::{
        instant::{end_timestamp, timestamp},
        names::{assignment_name, campaign_name, group_name, rep_name, rule_name},
    },
    proto::turnwise::v1 as pb,
    routing::{
        Assignment, AssignmentState, Cause, Choice, Decision, OwnerKind, OwnerRef, OwnerType,
        PassedOver, PickedOption, Reason, RingMove, Skipped, Step, TargetOutcome, TargetTrace,
        TeamId, Via,
    },
};

use super::{
    campaigns::target,
    groups::{cursor, strategy},
    position,
};

pub(in crate::api) fn assignment(team: &TeamId, assignment: &Assignment) -> pb::Assignment {
    let decided_at = assignment.decided().map_or(0, |step| step.position.log_index);
    let Assignment {
        id,
        position: decided,
        create_time,
        update_time,
        contact,
        via,
        owners,
        prefer_last_rep,
        priority,
        labels,
        state,
        rep,
        option,
        cause,
        target_index,
        owner_changed,
        wait_end,
        offer_end,
        rejected_by,
        decision,
        history,
    } = assignment;
    let mut sent = pb::Assignment {
        name: assignment_name(team, *id),
        contact: contact.as_str().to_owned(),
        state: assignment_state(*state).into(),
        rep: rep.as_ref().map(|r| rep_name(team, r)).unwrap_or_default(),
        cause: self::cause(*cause).into(),
        target_index: *target_index,
        owner_changed: *owner_changed,
        owners: owners.iter().map(owner_ref).collect(),
        position: Some(position(*decided)),
        create_time: Some(timestamp(*create_time)),
        decision: Some(self::decision(team, decision, decided_at)),
        option: option.as_ref().map(|o| self::option(team, o)),
        update_time: Some(timestamp(*update_time)),
        wait_end_time: wait_end.and_then(end_timestamp),
        expire_time: offer_end.and_then(end_timestamp),
        priority: *priority,
        labels: labels.clone(),
        history: history.iter().map(|s| step(team, s)).collect(),
        rejected_by: rejected_by.iter().map(|r| rep_name(team, r)).collect(),
        prefer_last_rep: *prefer_last_rep,
        // The state keeps the rep, not a copy of their email: reads look it up.
        rep_email: String::new(),
        campaign: String::new(),
        routing_rule: String::new(),
        group: String::new(),
        requested_rep: String::new(),
    };
    match via {
        Via::DefaultRule => {}
        Via::Campaign(campaign) => sent.campaign = campaign_name(team, campaign),
        Via::Rule(rule) => sent.routing_rule = rule_name(team, rule),
        Via::Group(group) => sent.group = group_name(team, group),
        Via::Rep(rep) => sent.requested_rep = rep_name(team, rep),
    }
    sent
}

pub(in crate::api) fn assignment_state(state: AssignmentState) -> pb::AssignmentState {
    match state {
        AssignmentState::Pending => pb::AssignmentState::Pending,
        AssignmentState::Offered => pb::AssignmentState::Offered,
        AssignmentState::Assigned => pb::AssignmentState::Assigned,
        AssignmentState::Unassigned => pb::AssignmentState::Unassigned,
        AssignmentState::Closed => pb::AssignmentState::Closed,
        AssignmentState::Cancelled => pb::AssignmentState::Cancelled,
    }
}

pub(super) fn cause(cause: Cause) -> pb::Cause {
    match cause {
        Cause::Owner => pb::Cause::Owner,
        Cause::Rotation => pb::Cause::Rotation,
        Cause::Rep => pb::Cause::Rep,
        Cause::LastRep => pb::Cause::LastRep,
        Cause::Option => pb::Cause::Option,
        Cause::Waiting => pb::Cause::Waiting,
        Cause::NoTarget => pb::Cause::NoTarget,
        Cause::Manual => pb::Cause::Manual,
        Cause::Claim => pb::Cause::Claim,
        Cause::Reassign => pb::Cause::Reassign,
        Cause::Accept => pb::Cause::Accept,
        Cause::Unassign => pb::Cause::Unassign,
        Cause::Close => pb::Cause::Close,
        Cause::Cancel => pb::Cause::Cancel,
        Cause::Reject => pb::Cause::Reject,
        Cause::OfferTimeout => pb::Cause::OfferTimeout,
        Cause::CampaignCancelled => pb::Cause::CampaignCancelled,
    }
}

/// How a group chose.
pub(in crate::api) fn choice(team: &TeamId, choice: Choice) -> pb::GroupChoice {
    let Choice { group, strategy: how, is_changed, open } = choice;
    pb::GroupChoice {
        group: group_name(team, &group),
        strategy: strategy(how).into(),
        group_changed: is_changed,
        open_count: open,
    }
}

pub(super) fn option(team: &TeamId, option: &PickedOption) -> pb::AssignedOption {
    let PickedOption { group, option, payload } = option;
    pb::AssignedOption {
        group: group_name(team, group),
        id: option.as_str().to_owned(),
        payload: payload.clone(),
    }
}

fn step(team: &TeamId, step: &Step) -> pb::HistoryEntry {
    let Step { time, position: at, principal, cause: why, state, rep } = step;
    pb::HistoryEntry {
        time: Some(timestamp(*time)),
        position: Some(position(*at)),
        principal: principal.clone(),
        cause: cause(*why).into(),
        state: assignment_state(*state).into(),
        rep: rep.as_ref().map(|r| rep_name(team, r)).unwrap_or_default(),
    }
}

pub(super) fn owner_ref(owner: &OwnerRef) -> pb::OwnerRef {
    let OwnerRef { kind, owner_type, email, external_id } = owner;
    pb::OwnerRef {
        kind: owner_kind(*kind).into(),
        r#type: match owner_type {
            OwnerType::User => pb::OwnerType::User,
            OwnerType::Queue => pb::OwnerType::Queue,
        }
        .into(),
        email: email.clone().unwrap_or_default(),
        external_id: external_id.clone().map(|(system, id)| pb::ExternalId { system, id }),
    }
}

fn decision(team: &TeamId, decision: &Decision, log_index: u64) -> pb::Decision {
    let Decision { time, engine_version, targets } = decision;
    pb::Decision {
        time: Some(timestamp(*time)),
        engine_version: *engine_version,
        targets: targets.iter().map(|t| trace(team, t)).collect(),
        log_index,
    }
}

fn trace(team: &TeamId, trace: &TargetTrace) -> pb::TargetTrace {
    let TargetTrace {
        index,
        target: asked,
        is_last_rep,
        outcome,
        skipped,
        cursor_before,
        cursor_after,
        inner,
    } = trace;
    let Skipped { named, total } = skipped;
    let passed_over = |passed: &PassedOver| {
        let PassedOver { rep, reason: why } = passed;
        pb::PassedOver { rep: rep_name(team, rep), reason: reason(*why).into() }
    };
    let inner_move = |moved: &RingMove| {
        let RingMove { group, before, after } = moved;
        pb::RingMove {
            group: group_name(team, group),
            cursor_before: Some(cursor(*before)),
            cursor_after: Some(cursor(*after)),
        }
    };
    pb::TargetTrace {
        outcome: match outcome {
            TargetOutcome::Picked => pb::TargetOutcome::Picked,
            TargetOutcome::NoOwner => pb::TargetOutcome::NoOwner,
            TargetOutcome::OwnerIsQueue => pb::TargetOutcome::OwnerIsQueue,
            TargetOutcome::OwnerNotARep => pb::TargetOutcome::OwnerNotARep,
            TargetOutcome::NoEligible => pb::TargetOutcome::NoEligible,
            TargetOutcome::Waiting => pb::TargetOutcome::Waiting,
        }
        .into(),
        passed_over: named.iter().map(passed_over).collect(),
        cursor_before: cursor_before.map(cursor),
        cursor_after: cursor_after.map(cursor),
        index: *index,
        target: Some(target(team, asked)),
        passed_over_total: *total,
        implicit: *is_last_rep,
        inner_moves: inner.iter().map(inner_move).collect(),
    }
}

pub(super) fn reason(reason: Reason) -> pb::PassOverReason {
    match reason {
        Reason::Disabled => pb::PassOverReason::Disabled,
        Reason::OutOfOffice => pb::PassOverReason::OutOfOffice,
        Reason::OffHours => pb::PassOverReason::OffHours,
        Reason::NotOnline => pb::PassOverReason::NotOnline,
        Reason::AtCapacity => pb::PassOverReason::AtCapacity,
        Reason::PeriodCap => pb::PassOverReason::PeriodCap,
        Reason::RejectedBefore => pb::PassOverReason::RejectedBefore,
        Reason::Excluded => pb::PassOverReason::Excluded,
        Reason::Credit => pb::PassOverReason::Credit,
    }
}

/// The same for people.
pub(in crate::api) fn reason_words(reason: Reason) -> &'static str {
    match reason {
        Reason::Disabled => "disabled",
        Reason::OutOfOffice => "out of office",
        Reason::OffHours => "off hours",
        Reason::NotOnline => "not online",
        Reason::AtCapacity => "has as much open work as they take",
        Reason::PeriodCap => "had as many picks as the group allows for now",
        Reason::RejectedBefore => "turned this contact down before",
        Reason::Excluded => "it was taken from them",
        Reason::Credit => "owed a turn",
    }
}

pub(super) fn owner_kind(kind: OwnerKind) -> pb::OwnerKind {
    match kind {
        OwnerKind::Contact => pb::OwnerKind::Contact,
        OwnerKind::Lead => pb::OwnerKind::Lead,
        OwnerKind::Account => pb::OwnerKind::Account,
        OwnerKind::Opportunity => pb::OwnerKind::Opportunity,
    }
}
