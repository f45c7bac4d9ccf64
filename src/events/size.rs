//! What an event takes in memory, about: its own fields and everything that it keeps alive.

use std::collections::BTreeMap;

use crate::routing::{
    Assignment, Campaign, Change, Decision, Event, GroupAction, Hours, Labels, Meta, PassedOver,
    Rep, Role, RotationAction, Route, Rule, Step, Target, TargetTrace, Team, Token,
};

/// Of an id, with its counts.
const ID: usize = 32;
/// Of an entry of a map, beside its texts.
const MAP_ENTRY: usize = 64;
/// Of an owner reference with its texts.
const OWNER: usize = 128;

pub(super) fn of(event: &Event) -> usize {
    let Event { position: _, time: _, team: _, principal, change } = event;
    let change = match change {
        Change::Team { before, after } => both(before.as_deref(), after.as_deref(), team),
        Change::Rep { before, after } => both(before.as_deref(), after.as_deref(), rep),
        Change::Group { group: _, before: _, after: _, action } => ID + group_action(action),
        Change::Rotation { group: _, campaign: _, action } => 2 * ID + rotation_action(action),
        Change::Rule { before, after } => both(before.as_deref(), after.as_deref(), rule),
        Change::Campaign { before, after } => both(before.as_deref(), after.as_deref(), campaign),
        Change::Token { before, after } => both(before.as_deref(), after.as_deref(), token),
        Change::Assignment { before, after, rep_email } => {
            let email = rep_email.as_ref().map_or(0, String::len);
            both(before.as_deref(), Some(after), assignment) + email
        }
    };
    size_of::<Event>() + ID + principal.len() + change
}

fn both<T>(before: Option<&T>, after: Option<&T>, size: fn(&T) -> usize) -> usize {
    before.map_or(0, size) + after.map_or(0, size)
}

fn texts(map: &BTreeMap<String, String>) -> usize {
    map.iter().map(|(key, value)| MAP_ENTRY + key.len() + value.len()).sum()
}

fn labels(labels: &Labels) -> usize {
    texts(labels)
}

fn meta(meta: &Meta) -> usize {
    labels(&meta.labels)
}

fn team(team: &Team) -> usize {
    size_of::<Team>() + 2 * ID + team.display_name.len() + team.time_zone.len() + meta(&team.meta)
}

fn rep(rep: &Rep) -> usize {
    let text = rep.display_name.len()
        + rep.email.as_ref().map_or(0, String::len)
        + rep.out_of_office_note.len()
        + rep.out_of_office_set_by.len();
    let away = size_of_val(rep.out_of_office.intervals());
    let hours = rep.hours.as_deref().map_or(0, hours);
    size_of::<Rep>() + ID + text + texts(&rep.external_ids) + away + hours + meta(&rep.meta)
}

fn hours(hours: &Hours) -> usize {
    let Hours { time_zone, weekly, holidays, open, horizon: _ } = hours;
    let holidays: usize = holidays.iter().map(|day| size_of::<String>() + day.len()).sum();
    time_zone.len() + size_of_val(weekly.as_slice()) + holidays + size_of_val(open.intervals())
}

fn group_action(action: &GroupAction) -> usize {
    match action {
        GroupAction::Created(members) | GroupAction::MembersAdded(members) => {
            members.len() * (size_of::<crate::routing::MemberName>() + ID)
        }
        GroupAction::MemberRemoved(_) | GroupAction::MemberUpdated(_) => ID,
        GroupAction::Updated | GroupAction::Deleted | GroupAction::Reordered => 0,
    }
}

fn rotation_action(action: &RotationAction) -> usize {
    match action {
        RotationAction::Reset => 0,
        RotationAction::Adjusted { member: _, credits: _, reason } => ID + reason.len(),
    }
}

fn targets(targets: &[Target]) -> usize {
    targets.len() * (size_of::<Target>() + ID)
}

fn rule(rule: &Rule) -> usize {
    let Rule { id: _, display_name, targets: list, meta: of } = rule;
    size_of::<Rule>() + ID + display_name.len() + targets(list) + meta(of)
}

fn token(token: &Token) -> usize {
    let groups = match &token.role {
        Role::GroupManager(groups) => groups.len() * ID,
        Role::Admin | Role::Manager | Role::Router | Role::Rep(_) | Role::Viewer => ID,
    };
    size_of::<Token>() + ID + token.display_name.len() + groups + meta(&token.meta)
}

fn campaign(campaign: &Campaign) -> usize {
    let route = match &campaign.route {
        Route::Default => 0,
        Route::Rule(_) => ID,
        Route::Targets(list) => targets(list),
    };
    size_of::<Campaign>() + ID + campaign.display_name.len() + route + meta(&campaign.meta)
}

fn assignment(assignment: &Assignment) -> usize {
    let option = assignment.option.as_ref().map_or(0, |option| 2 * ID + option.payload.len());
    let history: usize =
        assignment.history.iter().map(|step| size_of::<Step>() + ID + step.principal.len()).sum();
    size_of::<Assignment>()
        + 3 * ID
        + assignment.owners.len() * OWNER
        + labels(&assignment.labels)
        + option
        + assignment.rejected_by.len() * ID
        + decision(&assignment.decision)
        + history
}

fn decision(decision: &Decision) -> usize {
    let trace = |trace: &TargetTrace| {
        let named = trace.skipped.named.len() * (size_of::<PassedOver>() + ID);
        size_of::<TargetTrace>() + ID + named + trace.inner.len() * MAP_ENTRY
    };
    decision.targets.iter().map(trace).sum()
}
