//! Events: what happened, and to what.

use std::{collections::BTreeMap, slice};

use crate::{
    proto::turnwise::v1::{self as pb, EventType},
    routing::{
        Assignment, AssignmentState, Campaign, Cause, Change, Event, GroupAction, Interval,
        MemberName, Meta, Rep, Revision, RotationAction, Rule, Team, TeamId, Token, Via,
    },
};

use super::{
    super::{
        instant::timestamp,
        names::{
            assignment_name, campaign_name, group_name, rep_name, rotation_name, rule_name,
            team_name, token_name,
        },
    },
    assignments::{assignment_state, cause, option, owner_ref},
    campaign_state,
    groups::member_name,
    position,
};

/// An event by its place: the index of its entry, and its number there.
pub(in crate::api) fn event(log_index: u64, seq: usize, event: &Event) -> pb::Event {
    let Event { position: at, time, team, principal, change } = event;
    let What { r#type, resource, before, after } = what(team, change);
    let mut converted = pb::Event {
        name: format!("{}/events/{log_index}-{seq}", team_name(team)),
        r#type: r#type.into(),
        time: Some(timestamp(*time)),
        principal: principal.clone(),
        cause: pb::Cause::Unspecified.into(),
        resource,
        before,
        after,
        assignment: None,
        position: Some(position(*at)),
        note: note(r#type, change),
        members: members(change).iter().map(|member| member_name(team, member)).collect(),
        credits: credits(change),
    };
    if let Change::Assignment { before: _, after, rep_email } = change {
        // A command may set free what others wait for: that step is nobody's doing.
        let step = after.history.last();
        converted.cause = cause(step.map_or(after.cause, |step| step.cause)).into();
        if let Some(step) = step {
            converted.principal.clone_from(&step.principal);
        }
        converted.assignment = Some(details(team, after, rep_email.as_deref()));
    }
    converted
}

/// The team, type and resource of an event, for those who look for some.
pub(in crate::api) fn type_and_resource(event: &Event) -> (EventType, String) {
    let What { r#type, resource, .. } = what(&event.team, &event.change);
    (r#type, resource)
}

/// What whoever did it said of it.
fn note(r#type: EventType, change: &Change) -> String {
    match change {
        // To come back says nothing: the note that stays was said before.
        Change::Rep { before, after: Some(after) } if r#type == EventType::OutOfOffice => {
            let old = before.as_ref().map(|before| &before.out_of_office);
            let is_new = |away: &Interval| old.is_none_or(|old| old.union(*away) != *old);
            let is_said = after.out_of_office.intervals().iter().any(is_new);
            if is_said { after.out_of_office_note.clone() } else { String::new() }
        }
        Change::Rotation { action: RotationAction::Adjusted { reason, .. }, .. } => reason.clone(),
        Change::Rep { .. }
        | Change::Rotation { .. }
        | Change::Team { .. }
        | Change::Group { .. }
        | Change::Rule { .. }
        | Change::Campaign { .. }
        | Change::Token { .. }
        | Change::Assignment { .. } => String::new(),
    }
}

/// The members of a group that it is about.
fn members(change: &Change) -> &[MemberName] {
    match change {
        Change::Group { action, .. } => match action {
            GroupAction::Created(members) | GroupAction::MembersAdded(members) => members,
            GroupAction::MemberRemoved(member) | GroupAction::MemberUpdated(member) => {
                slice::from_ref(member)
            }
            GroupAction::Updated | GroupAction::Deleted | GroupAction::Reordered => &[],
        },
        Change::Rotation { action: RotationAction::Adjusted { member, .. }, .. } => {
            slice::from_ref(member)
        }
        Change::Rotation { .. }
        | Change::Team { .. }
        | Change::Rep { .. }
        | Change::Rule { .. }
        | Change::Campaign { .. }
        | Change::Token { .. }
        | Change::Assignment { .. } => &[],
    }
}

fn credits(change: &Change) -> i32 {
    match change {
        Change::Rotation { action: RotationAction::Adjusted { credits, .. }, .. } => *credits,
        Change::Rotation { .. }
        | Change::Group { .. }
        | Change::Team { .. }
        | Change::Rep { .. }
        | Change::Rule { .. }
        | Change::Campaign { .. }
        | Change::Token { .. }
        | Change::Assignment { .. } => 0,
    }
}

struct What {
    r#type: EventType,
    resource: String,
    before: Option<pb::EventState>,
    after: Option<pb::EventState>,
}

fn what(team: &TeamId, change: &Change) -> What {
    match change {
        Change::Team { before, after } => {
            let state = |team: &Team| configured(&team.meta);
            resource(team_name(team), before.as_deref(), after.as_deref(), state, |_, _| None)
        }
        Change::Rep { before, after } => {
            let (before, after) = (before.as_deref(), after.as_deref());
            let id = after.or(before).map(|rep| rep_name(team, &rep.id));
            let state = |rep: &Rep| configured(&rep.meta);
            resource(id.unwrap_or_default(), before, after, state, rep_step)
        }
        Change::Group { group, before, after, action: _ } => {
            let state = |revision: &Revision| with_etag(*revision);
            let name = group_name(team, group);
            resource(name, before.as_ref(), after.as_ref(), state, |_, _| None)
        }
        Change::Rotation { group, campaign, action: _ } => What {
            r#type: EventType::Rotation,
            resource: rotation_name(team, group, campaign.as_ref()),
            before: Some(pb::EventState::default()),
            after: Some(pb::EventState::default()),
        },
        Change::Rule { before, after } => {
            let (before, after) = (before.as_deref(), after.as_deref());
            let id = after.or(before).map(|rule| rule_name(team, &rule.id));
            let state = |rule: &Rule| configured(&rule.meta);
            resource(id.unwrap_or_default(), before, after, state, |_, _| None)
        }
        Change::Campaign { before, after } => {
            let (before, after) = (before.as_deref(), after.as_deref());
            let id = after.or(before).map(|campaign| campaign_name(team, &campaign.id));
            let state = |campaign: &Campaign| pb::EventState {
                campaign_state: campaign_state(campaign.state).into(),
                ..configured(&campaign.meta)
            };
            let step = |before: &Campaign, after: &Campaign| {
                (before.state != after.state).then_some(EventType::CampaignState)
            };
            resource(id.unwrap_or_default(), before, after, state, step)
        }
        Change::Token { before, after } => {
            let (before, after) = (before.as_deref(), after.as_deref());
            let id = after.or(before).map(|token| token_name(team, &token.id));
            let state = |token: &Token| configured(&token.meta);
            resource(id.unwrap_or_default(), before, after, state, |_, _| None)
        }
        Change::Assignment { before, after, rep_email: _ } => What {
            r#type: assignment_step(after),
            resource: assignment_name(team, after.id),
            before: before.as_deref().map(|before| assigned(team, before)),
            after: Some(assigned(team, after)),
        },
    }
}

/// A resource that people set up; `step` says where a change is more than one of its configuration.
fn resource<T>(
    name: String,
    before: Option<&T>,
    after: Option<&T>,
    state: impl Fn(&T) -> pb::EventState,
    step: impl Fn(&T, &T) -> Option<EventType>,
) -> What {
    let r#type = match (before, after) {
        (None, _) => EventType::Created,
        (Some(_), None) => EventType::Deleted,
        (Some(before), Some(after)) => step(before, after).unwrap_or(EventType::Updated),
    };
    What { r#type, resource: name, before: before.map(&state), after: after.map(&state) }
}

fn configured(meta: &Meta) -> pb::EventState {
    with_etag(meta.revision)
}

fn with_etag(revision: Revision) -> pb::EventState {
    pb::EventState { etag: revision.to_string(), ..pb::EventState::default() }
}

fn rep_step(before: &Rep, after: &Rep) -> Option<EventType> {
    let away = |rep: &Rep| {
        let (note, by) = (rep.out_of_office_note.clone(), rep.out_of_office_set_by.clone());
        (rep.out_of_office.clone(), note, by)
    };
    if away(before) != away(after) {
        return Some(EventType::OutOfOffice);
    }
    (before.presence != after.presence).then_some(EventType::Presence)
}

fn assigned(team: &TeamId, assignment: &Assignment) -> pb::EventState {
    pb::EventState {
        etag: String::new(),
        assignment_state: assignment_state(assignment.state).into(),
        campaign_state: pb::CampaignState::Unspecified.into(),
        rep: assignment.rep.as_ref().map(|rep| rep_name(team, rep)).unwrap_or_default(),
    }
}

fn assignment_step(after: &Assignment) -> EventType {
    let cause = after.history.last().map_or(after.cause, |step| step.cause);
    if matches!(cause, Cause::Reject | Cause::OfferTimeout) {
        return EventType::AssignmentRejected;
    }
    match after.state {
        AssignmentState::Pending => EventType::AssignmentPending,
        AssignmentState::Offered => EventType::AssignmentOffered,
        AssignmentState::Assigned => EventType::AssignmentAssigned,
        AssignmentState::Unassigned => EventType::AssignmentUnassigned,
        // An option's turn begins and ends in one step.
        AssignmentState::Closed if cause == Cause::Option => EventType::AssignmentAssigned,
        AssignmentState::Closed => EventType::AssignmentClosed,
        AssignmentState::Cancelled => EventType::AssignmentCancelled,
    }
}

fn details(team: &TeamId, after: &Assignment, rep_email: Option<&str>) -> pb::AssignmentEvent {
    let labels: BTreeMap<_, _> = after.labels.clone();
    pb::AssignmentEvent {
        contact: after.contact.as_str().to_owned(),
        campaign: match &after.via {
            Via::Campaign(campaign) => campaign_name(team, campaign),
            Via::DefaultRule | Via::Rule(_) | Via::Group(_) | Via::Rep(_) => String::new(),
        },
        owners: after.owners.iter().map(owner_ref).collect(),
        rep: after.rep.as_ref().map(|rep| rep_name(team, rep)).unwrap_or_default(),
        rep_email: rep_email.unwrap_or_default().to_owned(),
        owner_changed: after.owner_changed,
        option: after.option.as_ref().map(|picked| option(team, picked)),
        labels,
    }
}
