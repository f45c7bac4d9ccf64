//! From what the state holds to what callers see, and the few enums that go both ways.
//!
//! Every struct is taken apart by name, so that a field added to the state can't be forgotten here.

use crate::{
    proto::turnwise::v1::{self as pb, campaign_warning, target},
    routing::{
        Assignment, AssignmentState, Availability, Campaign, CampaignState, Cause, Cursor,
        Decision, Group, LogPosition, Member, OwnerKind, OwnerRef, OwnerType, PassedOver, Reason,
        Rep, RotationView, Skipped, Target, TargetKind, TargetOutcome, TargetTrace, Team, TeamId,
        Time, Via, Warning,
    },
};

use super::{
    instant::{end_timestamp, out_of_office, time_span, timestamp},
    names::{
        assignment_name, campaign_name, child_name, group_name, rep_name, rotation_name, team_name,
    },
    violations::Wrong,
};

pub(super) fn position(position: LogPosition) -> pb::LogPosition {
    let LogPosition { log_index, seq, term } = position;
    pb::LogPosition { term, log_index, seq }
}

pub(super) fn team(team: Team) -> pb::Team {
    let Team { id, display_name, create_time } = team;
    pb::Team {
        name: team_name(&id),
        display_name,
        default_group: child_name(&id, "groups", "default"),
        create_time: Some(timestamp(create_time)),
    }
}

pub(super) fn rep(team: &TeamId, rep: Rep, now: Time) -> pb::Rep {
    let availability = availability(rep.availability(now));
    let Rep {
        id,
        display_name,
        email,
        external_ids,
        disabled,
        out_of_office: absences,
        out_of_office_note,
        out_of_office_set_by,
        create_time,
        open_count,
    } = rep;
    pb::Rep {
        name: rep_name(team, &id),
        display_name,
        email: email.unwrap_or_default(),
        external_ids,
        disabled,
        out_of_office: absences.intervals().iter().map(out_of_office).collect(),
        out_of_office_note,
        out_of_office_set_by,
        availability: availability.into(),
        open_count,
        create_time: Some(timestamp(create_time)),
    }
}

fn availability(availability: Availability) -> pb::Availability {
    match availability {
        Availability::Available => pb::Availability::Available,
        Availability::Disabled => pb::Availability::Disabled,
        Availability::OutOfOffice => pb::Availability::OutOfOffice,
    }
}

pub(super) fn group(team: &TeamId, group: Group) -> pb::Group {
    let Group { id, display_name, members, create_time } = group;
    let member = |member| {
        let Member { rep, weight, last_added_time, key } = member;
        pb::GroupMember {
            rep: rep_name(team, &rep),
            weight: Some(weight),
            last_added_time: Some(timestamp(last_added_time)),
            key,
        }
    };
    pb::Group {
        name: group_name(team, &id),
        display_name,
        members: members.into_iter().map(member).collect(),
        create_time: Some(timestamp(create_time)),
    }
}

pub(super) fn campaign(team: &TeamId, campaign: Campaign, warnings: &[Warning]) -> pb::Campaign {
    let Campaign { id, display_name, targets, state, create_time } = campaign;
    let list = |targets: Vec<Target>| pb::TargetList {
        targets: targets.into_iter().map(|t| self::target(team, t)).collect(),
    };
    pb::Campaign {
        name: campaign_name(team, &id),
        display_name,
        targets: targets.map(list),
        state: campaign_state(state).into(),
        warnings: warnings.iter().map(|w| warning(team, w)).collect(),
        create_time: Some(timestamp(create_time)),
    }
}

pub(super) fn campaign_state(state: CampaignState) -> pb::CampaignState {
    match state {
        CampaignState::Draft => pb::CampaignState::Draft,
        CampaignState::Running => pb::CampaignState::Running,
        CampaignState::Paused => pb::CampaignState::Paused,
        CampaignState::Cancelled => pb::CampaignState::Cancelled,
    }
}

fn target(team: &TeamId, target: Target) -> pb::Target {
    let Target { kind, include_unavailable } = target;
    let kind = match kind {
        TargetKind::Owner(kinds) => target::Kind::Owner(pb::OwnerTarget {
            kinds: kinds.into_iter().map(|k| owner_kind_sent(k).into()).collect(),
        }),
        TargetKind::Group(group) => target::Kind::Group(group_name(team, &group)),
        TargetKind::Rep(rep) => target::Kind::Rep(rep_name(team, &rep)),
    };
    pb::Target { kind: Some(kind), include_unavailable }
}

fn warning(team: &TeamId, warning: &Warning) -> pb::CampaignWarning {
    let kind = match warning {
        Warning::GroupHasNoAvailableRep { group } => {
            campaign_warning::Kind::GroupHasNoAvailableRep(group_name(team, group))
        }
        Warning::FutureGap { gap } => campaign_warning::Kind::FutureGap(time_span(gap)),
    };
    pb::CampaignWarning { kind: Some(kind) }
}

pub(super) fn rotation(team: &TeamId, rotation: RotationView) -> pb::Rotation {
    let RotationView { group, campaign, cursor, last_served, next_members, turns, last_pick_time } =
        rotation;
    pb::Rotation {
        name: rotation_name(team, &group, campaign.as_ref()),
        group: group_name(team, &group),
        campaign: campaign.map(|c| campaign_name(team, &c)).unwrap_or_default(),
        cursor: Some(self::cursor(cursor)),
        last_served: last_served.map(|r| rep_name(team, &r)).unwrap_or_default(),
        next_members: next_members.iter().map(|r| rep_name(team, r)).collect(),
        turns: turns
            .into_iter()
            .map(|(rep, turns)| pb::MemberTurns { rep: rep_name(team, &rep), turns })
            .collect(),
        last_pick_time: last_pick_time.and_then(end_timestamp),
    }
}

fn cursor(cursor: Cursor) -> pb::Cursor {
    let Cursor { round, key } = cursor;
    pb::Cursor { round, key }
}

pub(super) fn assignment(team: &TeamId, assignment: Assignment) -> pb::Assignment {
    let Assignment {
        id,
        position: decided,
        create_time,
        contact,
        via,
        owners,
        state,
        rep,
        cause,
        target_index,
        owner_changed,
        decision,
    } = assignment;
    pb::Assignment {
        name: assignment_name(team, id),
        contact: contact.as_str().to_owned(),
        campaign: match via {
            Via::DefaultRule => String::new(),
            Via::Campaign(campaign) => campaign_name(team, &campaign),
        },
        state: match state {
            AssignmentState::Assigned => pb::AssignmentState::Assigned,
            AssignmentState::Unassigned => pb::AssignmentState::Unassigned,
        }
        .into(),
        rep: rep.map(|r| rep_name(team, &r)).unwrap_or_default(),
        cause: match cause {
            Cause::Owner => pb::Cause::Owner,
            Cause::Rotation => pb::Cause::Rotation,
            Cause::Rep => pb::Cause::Rep,
            Cause::NoTarget => pb::Cause::NoTarget,
        }
        .into(),
        target_index,
        owner_changed,
        owners: owners.into_iter().map(owner_ref).collect(),
        position: Some(position(decided)),
        create_time: Some(timestamp(create_time)),
        decision: Some(self::decision(team, decision)),
    }
}

fn owner_ref(owner: OwnerRef) -> pb::OwnerRef {
    let OwnerRef { kind, owner_type, email, external_id } = owner;
    pb::OwnerRef {
        kind: owner_kind_sent(kind).into(),
        r#type: match owner_type {
            OwnerType::User => pb::OwnerType::User,
            OwnerType::Queue => pb::OwnerType::Queue,
        }
        .into(),
        email: email.unwrap_or_default(),
        external_id: external_id.map(|(system, id)| pb::ExternalId { system, id }),
    }
}

fn decision(team: &TeamId, decision: Decision) -> pb::Decision {
    let Decision { time, engine_version, targets } = decision;
    pb::Decision {
        time: Some(timestamp(time)),
        engine_version,
        targets: targets.into_iter().map(|t| trace(team, t)).collect(),
    }
}

fn trace(team: &TeamId, trace: TargetTrace) -> pb::TargetTrace {
    let TargetTrace { outcome, skipped, cursor_before, cursor_after } = trace;
    let Skipped { named, counts } = skipped;
    let passed_over = |passed| {
        let PassedOver { rep, reason } = passed;
        pb::PassedOver { rep: rep_name(team, &rep), reason: self::reason(reason).into() }
    };
    let count = |(reason, count)| pb::PassOverCount { reason: self::reason(reason).into(), count };
    pb::TargetTrace {
        outcome: match outcome {
            TargetOutcome::Picked => pb::TargetOutcome::Picked,
            TargetOutcome::NoOwner => pb::TargetOutcome::NoOwner,
            TargetOutcome::OwnerIsQueue => pb::TargetOutcome::OwnerIsQueue,
            TargetOutcome::OwnerNotARep => pb::TargetOutcome::OwnerNotARep,
            TargetOutcome::NoEligible => pb::TargetOutcome::NoEligible,
        }
        .into(),
        passed_over: named.into_iter().map(passed_over).collect(),
        passed_over_counts: counts.into_iter().map(count).collect(),
        cursor_before: cursor_before.map(cursor),
        cursor_after: cursor_after.map(cursor),
    }
}

fn reason(reason: Reason) -> pb::PassOverReason {
    match reason {
        Reason::Disabled => pb::PassOverReason::Disabled,
        Reason::OutOfOffice => pb::PassOverReason::OutOfOffice,
    }
}

fn owner_kind_sent(kind: OwnerKind) -> pb::OwnerKind {
    match kind {
        OwnerKind::Contact => pb::OwnerKind::Contact,
        OwnerKind::Lead => pb::OwnerKind::Lead,
        OwnerKind::Account => pb::OwnerKind::Account,
        OwnerKind::Opportunity => pb::OwnerKind::Opportunity,
    }
}

/// An owner's kind as it was sent.
pub(super) fn owner_kind(written: i32) -> Result<OwnerKind, Wrong> {
    match pb::OwnerKind::try_from(written) {
        Ok(pb::OwnerKind::Contact) => Ok(OwnerKind::Contact),
        Ok(pb::OwnerKind::Lead) => Ok(OwnerKind::Lead),
        Ok(pb::OwnerKind::Account) => Ok(OwnerKind::Account),
        Ok(pb::OwnerKind::Opportunity) => Ok(OwnerKind::Opportunity),
        Ok(pb::OwnerKind::Unspecified) | Err(_) => {
            Err(Wrong::new("one of CONTACT, LEAD, ACCOUNT, OPPORTUNITY"))
        }
    }
}

/// An owner's type as it was sent.
pub(super) fn owner_type(written: i32) -> Result<OwnerType, Wrong> {
    match pb::OwnerType::try_from(written) {
        Ok(pb::OwnerType::User | pb::OwnerType::Unspecified) => Ok(OwnerType::User),
        Ok(pb::OwnerType::Queue) => Ok(OwnerType::Queue),
        Err(_) => Err(Wrong::new("USER or QUEUE")),
    }
}
