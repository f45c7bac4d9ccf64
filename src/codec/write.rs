//! Operations as messages of the log.

use super::values::{
    write_assignment, write_cap, write_hours, write_kind, write_labels, write_member, write_name,
    write_owner, write_removed, write_restart, write_role, write_scope, write_strategy,
    write_target, write_targets,
};
use crate::{
    proto::turnwise::log::v1 as log,
    routing::{
        Assign, AssignmentId, Bearer, CampaignId, GroupChange, GroupId, GroupSettings, MemberSpec,
        OpenAssignments, Operation, RepChange, RepId, RepSettings, Revision, Route, TeamChange,
        TokenChange, TokenId, TokenSettings, Via,
    },
};

pub(super) fn operation(operation: &Operation) -> log::command::Operation {
    use log::command::Operation as Out;
    match operation {
        Operation::CreateTeam { display_name, labels, time_zone } => {
            Out::CreateTeam(log::CreateTeam {
                display_name: display_name.clone(),
                labels: labels.clone(),
                time_zone: time_zone.clone(),
            })
        }
        Operation::UpdateTeam { change } => Out::UpdateTeam(update_team(change)),
        Operation::DeleteTeam { allow_missing } => {
            Out::DeleteTeam(log::DeleteTeam { allow_missing: *allow_missing })
        }
        Operation::CreateRep { rep, settings } => Out::CreateRep(create_rep(rep, settings)),
        Operation::UpdateRep { rep, change } => Out::UpdateRep(update_rep(rep, change)),
        Operation::DeleteRep { rep, open, allow_missing } => Out::DeleteRep(log::DeleteRep {
            rep: text(rep.as_str()),
            reroute: match open {
                OpenAssignments::Keep => false,
                OpenAssignments::Reroute => true,
            },
            allow_missing: *allow_missing,
        }),
        Operation::SetOutOfOffice { rep, start, end, note } => {
            Out::SetOutOfOffice(log::SetOutOfOffice {
                rep: text(rep.as_str()),
                start_us: start.map(|t| t.0),
                end_us: end.map(|t| t.0),
                note: note.clone(),
            })
        }
        Operation::ClearOutOfOffice { rep, start, end } => {
            Out::ClearOutOfOffice(log::ClearOutOfOffice {
                rep: text(rep.as_str()),
                start_us: start.map(|t| t.0),
                end_us: end.map(|t| t.0),
            })
        }
        Operation::SetPresence { rep, online, ttl_us } => Out::SetPresence(log::SetPresence {
            rep: text(rep.as_str()),
            online: *online,
            ttl_us: *ttl_us,
        }),
        Operation::RenewHours { rep, hours } => Out::RenewHours(log::RenewHours {
            rep: text(rep.as_str()),
            hours: Some(write_hours(hours)),
        }),
        Operation::CreateGroup { group, settings, members } => {
            Out::CreateGroup(create_group(group, settings, members))
        }
        Operation::UpdateGroup { group, change } => Out::UpdateGroup(update_group(group, change)),
        Operation::DeleteGroup { group, allow_missing } => Out::DeleteGroup(log::DeleteGroup {
            group: text(group.as_str()),
            allow_missing: *allow_missing,
        }),
        Operation::AddGroupMembers { group, members } => {
            Out::AddGroupMembers(log::AddGroupMembers {
                group: text(group.as_str()),
                members: members.iter().map(write_member).collect(),
            })
        }
        Operation::RemoveGroupMember { group, member } => {
            Out::RemoveGroupMember(log::RemoveGroupMember {
                group: text(group.as_str()),
                member: Some(write_removed(member)),
            })
        }
        Operation::UpdateGroupMember { group, member, weight, payload } => {
            Out::UpdateGroupMember(log::UpdateGroupMember {
                group: text(group.as_str()),
                member: Some(write_name(member)),
                weight: *weight,
                payload: payload.clone(),
            })
        }
        Operation::ReorderGroup { group, members } => Out::ReorderGroup(log::ReorderGroup {
            group: text(group.as_str()),
            members: members.iter().map(write_name).collect(),
        }),
        Operation::ResetRotation { group, campaign } => Out::ResetRotation(log::ResetRotation {
            group: text(group.as_str()),
            campaign: campaign.as_ref().map(|id| text(id.as_str())),
        }),
        Operation::AdjustRotation { group, campaign, member, credits, reason } => {
            Out::AdjustRotation(log::AdjustRotation {
                group: text(group.as_str()),
                campaign: campaign.as_ref().map(|id| text(id.as_str())),
                member: Some(write_name(member)),
                credits: *credits,
                reason: reason.clone(),
            })
        }
        Operation::CreateRule { rule, display_name, labels, targets } => {
            Out::CreateRule(log::CreateRule {
                rule: text(rule.as_str()),
                display_name: display_name.clone(),
                labels: labels.clone(),
                targets: targets.iter().map(write_target).collect(),
            })
        }
        Operation::UpdateRule { rule, display_name, labels, targets } => {
            Out::UpdateRule(log::UpdateRule {
                rule: text(rule.as_str()),
                display_name: display_name.clone(),
                labels: labels.as_ref().map(write_labels),
                targets: targets.as_deref().map(write_targets),
            })
        }
        Operation::DeleteRule { rule, allow_missing } => Out::DeleteRule(log::DeleteRule {
            rule: text(rule.as_str()),
            allow_missing: *allow_missing,
        }),
        Operation::CreateToken { token, settings } => {
            Out::CreateToken(create_token(token, settings))
        }
        Operation::UpdateToken { token, change } => Out::UpdateToken(update_token(token, change)),
        Operation::DeleteToken { token, allow_missing } => Out::DeleteToken(log::DeleteToken {
            token: text(token.as_str()),
            allow_missing: *allow_missing,
        }),
        Operation::CreateCampaign { campaign, display_name, labels, route } => {
            let (targets, rule) = write_route(route);
            Out::CreateCampaign(log::CreateCampaign {
                campaign: text(campaign.as_str()),
                display_name: display_name.clone(),
                targets,
                rule,
                labels: labels.clone(),
            })
        }
        Operation::UpdateCampaign { campaign, display_name, labels, route } => {
            let (targets, rule) = route.as_ref().map(write_route).unwrap_or_default();
            Out::UpdateCampaign(log::UpdateCampaign {
                campaign: text(campaign.as_str()),
                set_targets: route.is_some(),
                targets,
                display_name: display_name.clone(),
                rule,
                labels: labels.as_ref().map(write_labels),
            })
        }
        Operation::DeleteCampaign { campaign, allow_missing } => {
            Out::DeleteCampaign(log::DeleteCampaign {
                campaign: text(campaign.as_str()),
                allow_missing: *allow_missing,
            })
        }
        Operation::ScheduleCampaign { campaign, launch_time } => {
            Out::ScheduleCampaign(log::ScheduleCampaign {
                campaign: text(campaign.as_str()),
                launch_time_us: launch_time.map(|t| t.0),
            })
        }
        Operation::LaunchCampaign { campaign } => {
            Out::LaunchCampaign(log::LaunchCampaign { campaign: of(campaign) })
        }
        Operation::PauseCampaign { campaign } => {
            Out::PauseCampaign(log::PauseCampaign { campaign: of(campaign) })
        }
        Operation::ResumeCampaign { campaign } => {
            Out::ResumeCampaign(log::ResumeCampaign { campaign: of(campaign) })
        }
        Operation::CancelCampaign { campaign } => {
            Out::CancelCampaign(log::CancelCampaign { campaign: of(campaign) })
        }
        Operation::AssignContact(assign) => Out::AssignContact(write_assign(assign)),
        Operation::AssignBatch { items } => {
            Out::AssignBatch(log::AssignBatch { items: items.iter().map(write_assign).collect() })
        }
        Operation::AcceptAssignment { assignment, rep } => {
            Out::AcceptAssignment(log::AcceptAssignment {
                assignment: id(assignment),
                rep: rep.as_ref().map(|rep| text(rep.as_str())),
            })
        }
        Operation::RejectAssignment { assignment, rep } => {
            Out::RejectAssignment(log::RejectAssignment {
                assignment: id(assignment),
                rep: rep.as_ref().map(|rep| text(rep.as_str())),
            })
        }
        Operation::ClaimAssignment { assignment, rep } => {
            Out::ClaimAssignment(log::ClaimAssignment {
                assignment: id(assignment),
                rep: text(rep.as_str()),
            })
        }
        Operation::ReassignAssignment { assignment, to } => {
            Out::ReassignAssignment(log::ReassignAssignment {
                assignment: id(assignment),
                rep: to.as_ref().map(|rep| text(rep.as_str())),
            })
        }
        Operation::UnassignAssignment { assignment } => {
            Out::UnassignAssignment(log::UnassignAssignment { assignment: id(assignment) })
        }
        Operation::CloseAssignment { assignment } => {
            Out::CloseAssignment(log::CloseAssignment { assignment: id(assignment) })
        }
        Operation::CancelAssignment { assignment } => {
            Out::CancelAssignment(log::CancelAssignment { assignment: id(assignment) })
        }
        Operation::Tick => Out::Tick(log::Tick {}),
    }
}

fn text(id: &str) -> String {
    id.to_owned()
}

fn of(campaign: &CampaignId) -> String {
    text(campaign.as_str())
}

fn id(assignment: &AssignmentId) -> Option<log::AssignmentId> {
    Some(write_assignment(*assignment))
}

fn update_team(change: &TeamChange) -> log::UpdateTeam {
    let TeamChange { display_name, labels, time_zone, default_rule } = change;
    log::UpdateTeam {
        display_name: display_name.clone(),
        labels: labels.as_ref().map(write_labels),
        time_zone: time_zone.clone(),
        set_default_rule: default_rule.is_some(),
        default_rule: default_rule.as_ref().and_then(|rule| Some(text(rule.as_ref()?.as_str()))),
    }
}

fn create_rep(rep: &RepId, settings: &RepSettings) -> log::CreateRep {
    let RepSettings { display_name, labels, email, external_ids, disabled, max_open, hours } =
        settings;
    log::CreateRep {
        rep: text(rep.as_str()),
        display_name: display_name.clone(),
        email: email.clone(),
        external_ids: external_ids.clone(),
        disabled: *disabled,
        labels: labels.clone(),
        max_open: *max_open,
        hours: hours.as_ref().map(write_hours),
    }
}

fn update_rep(rep: &RepId, change: &RepChange) -> log::UpdateRep {
    let RepChange { display_name, labels, email, external_ids, disabled, max_open, hours } = change;
    let external_ids = external_ids.clone();
    log::UpdateRep {
        rep: text(rep.as_str()),
        display_name: display_name.clone(),
        labels: labels.as_ref().map(write_labels),
        set_email: email.is_some(),
        email: email.clone().flatten(),
        external_ids: external_ids.map(|external_ids| log::ExternalIds { external_ids }),
        disabled: *disabled,
        max_open: *max_open,
        set_hours: hours.is_some(),
        hours: hours.as_ref().and_then(|hours| hours.as_ref().map(write_hours)),
    }
}

fn create_group(
    group: &GroupId,
    settings: &GroupSettings,
    members: &[MemberSpec],
) -> log::CreateGroup {
    let GroupSettings {
        display_name,
        labels,
        kind,
        strategy,
        require_online,
        cursor_scope,
        restart,
        period_cap,
    } = settings;
    log::CreateGroup {
        group: text(group.as_str()),
        display_name: display_name.clone(),
        members: members.iter().map(write_member).collect(),
        labels: labels.clone(),
        kind: write_kind(*kind),
        strategy: write_strategy(*strategy),
        require_online: *require_online,
        cursor_scope: write_scope(*cursor_scope),
        restart: restart.map(write_restart),
        period_cap: period_cap.map(write_cap),
    }
}

fn update_group(group: &GroupId, change: &GroupChange) -> log::UpdateGroup {
    let GroupChange {
        display_name,
        labels,
        strategy,
        require_online,
        cursor_scope,
        restart,
        period_cap,
    } = change;
    log::UpdateGroup {
        group: text(group.as_str()),
        display_name: display_name.clone(),
        labels: labels.as_ref().map(write_labels),
        strategy: strategy.map(write_strategy),
        require_online: *require_online,
        cursor_scope: cursor_scope.map(write_scope),
        set_restart: restart.is_some(),
        restart: restart.flatten().map(write_restart),
        set_period_cap: period_cap.is_some(),
        period_cap: period_cap.flatten().map(write_cap),
    }
}

/// The targets, and the rule. Neither = the team's default.
fn write_route(route: &Route) -> (Option<log::Targets>, String) {
    match route {
        Route::Default => (None, String::new()),
        Route::Rule(rule) => (None, text(rule.as_str())),
        Route::Targets(targets) => (Some(write_targets(targets)), String::new()),
    }
}

fn write_assign(assign: &Assign) -> log::AssignContact {
    use log::assign_contact::Via as Out;
    let Assign { contact, via, owners, prefer_last_rep, priority, labels } = assign;
    log::AssignContact {
        contact: text(contact.as_str()),
        via: match via {
            Via::DefaultRule => None,
            Via::Campaign(id) => Some(Out::Campaign(text(id.as_str()))),
            Via::Rule(id) => Some(Out::Rule(text(id.as_str()))),
            Via::Group(id) => Some(Out::Group(text(id.as_str()))),
            Via::Rep(id) => Some(Out::Rep(text(id.as_str()))),
        },
        owners: owners.iter().map(write_owner).collect(),
        prefer_last_rep: *prefer_last_rep,
        priority: *priority,
        labels: labels.clone(),
    }
}

fn create_token(token: &TokenId, settings: &TokenSettings) -> log::CreateToken {
    let TokenSettings { display_name, labels, role, secret, expire_time } = settings;
    log::CreateToken {
        token: text(token.as_str()),
        display_name: display_name.clone(),
        labels: labels.clone(),
        role: Some(write_role(role)),
        secret_sha256: secret.0.to_vec().into(),
        expire_time_us: expire_time.map(|time| time.0),
    }
}

fn update_token(token: &TokenId, change: &TokenChange) -> log::UpdateToken {
    let TokenChange { display_name, labels, role, secret, expire_time } = change;
    log::UpdateToken {
        token: text(token.as_str()),
        display_name: display_name.clone(),
        labels: labels.as_ref().map(write_labels),
        role: role.as_ref().map(write_role),
        secret_sha256: secret.map(|secret| secret.0.to_vec().into()).unwrap_or_default(),
        set_expire_time: expire_time.is_some(),
        expire_time_us: expire_time.flatten().map(|time| time.0),
    }
}

pub(super) fn bearer(bearer: &Bearer) -> log::Bearer {
    let Bearer { team, token, secret_revision } = bearer;
    log::Bearer {
        team: text(team.as_str()),
        token: text(token.as_str()),
        secret_revision: Some(revision(*secret_revision)),
    }
}

pub(super) fn revision(Revision { log_index, seq }: Revision) -> log::Revision {
    log::Revision { log_index, seq }
}
