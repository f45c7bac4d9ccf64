//! Messages of the log as operations.

use super::{
    DecodeError,
    values::{
        Read, read_assignment, read_cap, read_hours, read_kind, read_labels, read_member,
        read_name, read_owner, read_removed, read_restart, read_role, read_scope, read_secret,
        read_strategy, read_targets,
    },
};
use crate::{
    proto::turnwise::log::v1 as log,
    routing::{
        Assign, Bearer, CampaignId, ContactId, GroupChange, GroupId, GroupSettings, MemberSpec,
        OpenAssignments, Operation, RepChange, RepId, RepSettings, Revision, Route, RuleId,
        TeamChange, TeamId, Time, TokenChange, TokenId, TokenSettings, Via,
    },
};

pub(super) fn operation(operation: log::command::Operation) -> Read<Operation> {
    use log::command::Operation as In;
    Ok(match operation {
        In::CreateTeam(m) => Operation::CreateTeam {
            display_name: m.display_name,
            labels: m.labels,
            time_zone: m.time_zone,
        },
        In::UpdateTeam(m) => Operation::UpdateTeam { change: team_change(m) },
        In::DeleteTeam(m) => Operation::DeleteTeam { allow_missing: m.allow_missing },
        In::CreateRep(m) => create_rep(m)?,
        In::UpdateRep(m) => update_rep(m)?,
        In::DeleteRep(m) => Operation::DeleteRep {
            rep: RepId::new(&m.rep),
            open: if m.reroute { OpenAssignments::Reroute } else { OpenAssignments::Keep },
            allow_missing: m.allow_missing,
        },
        In::SetOutOfOffice(m) => Operation::SetOutOfOffice {
            rep: RepId::new(&m.rep),
            start: m.start_us.map(Time),
            end: m.end_us.map(Time),
            note: m.note,
        },
        In::ClearOutOfOffice(m) => Operation::ClearOutOfOffice {
            rep: RepId::new(&m.rep),
            start: m.start_us.map(Time),
            end: m.end_us.map(Time),
        },
        In::SetPresence(m) => {
            Operation::SetPresence { rep: RepId::new(&m.rep), online: m.online, ttl_us: m.ttl_us }
        }
        In::RenewHours(m) => Operation::RenewHours {
            rep: RepId::new(&m.rep),
            hours: read_hours(m.hours.ok_or(DecodeError::Field("hours"))?)?,
        },
        In::CreateGroup(m) => create_group(m)?,
        In::UpdateGroup(m) => update_group(m)?,
        In::DeleteGroup(m) => {
            Operation::DeleteGroup { group: GroupId::new(&m.group), allow_missing: m.allow_missing }
        }
        In::AddGroupMembers(m) => Operation::AddGroupMembers {
            group: GroupId::new(&m.group),
            members: members(m.members)?,
        },
        In::RemoveGroupMember(m) => Operation::RemoveGroupMember {
            group: GroupId::new(&m.group),
            member: read_removed(m.member)?,
        },
        In::UpdateGroupMember(m) => Operation::UpdateGroupMember {
            group: GroupId::new(&m.group),
            member: read_name(m.member)?,
            weight: m.weight,
            payload: m.payload,
        },
        In::ReorderGroup(m) => Operation::ReorderGroup {
            group: GroupId::new(&m.group),
            members: m
                .members
                .into_iter()
                .map(|name| read_name(Some(name)))
                .collect::<Read<_>>()?,
        },
        In::ResetRotation(m) => Operation::ResetRotation {
            group: GroupId::new(&m.group),
            campaign: m.campaign.as_deref().map(CampaignId::new),
        },
        In::AdjustRotation(m) => Operation::AdjustRotation {
            group: GroupId::new(&m.group),
            campaign: m.campaign.as_deref().map(CampaignId::new),
            member: read_name(m.member)?,
            credits: m.credits,
            reason: m.reason,
        },
        In::CreateRule(m) => Operation::CreateRule {
            rule: RuleId::new(&m.rule),
            display_name: m.display_name,
            labels: m.labels,
            targets: read_targets(m.targets)?,
        },
        In::UpdateRule(m) => Operation::UpdateRule {
            rule: RuleId::new(&m.rule),
            display_name: m.display_name,
            labels: m.labels.map(read_labels),
            targets: m.targets.map(|list| read_targets(list.targets)).transpose()?,
        },
        In::DeleteRule(m) => {
            Operation::DeleteRule { rule: RuleId::new(&m.rule), allow_missing: m.allow_missing }
        }
        In::CreateToken(m) => create_token(m)?,
        In::UpdateToken(m) => update_token(m)?,
        In::DeleteToken(m) => {
            Operation::DeleteToken { token: TokenId::new(&m.token), allow_missing: m.allow_missing }
        }
        In::CreateCampaign(m) => Operation::CreateCampaign {
            campaign: CampaignId::new(&m.campaign),
            display_name: m.display_name,
            labels: m.labels,
            route: read_route(m.targets, &m.rule)?,
        },
        In::UpdateCampaign(m) => {
            let route = read_route(m.targets, &m.rule)?;
            Operation::UpdateCampaign {
                campaign: CampaignId::new(&m.campaign),
                display_name: m.display_name,
                labels: m.labels.map(read_labels),
                route: m.set_targets.then_some(route),
            }
        }
        In::DeleteCampaign(m) => Operation::DeleteCampaign {
            campaign: CampaignId::new(&m.campaign),
            allow_missing: m.allow_missing,
        },
        In::ScheduleCampaign(m) => Operation::ScheduleCampaign {
            campaign: CampaignId::new(&m.campaign),
            launch_time: m.launch_time_us.map(Time),
        },
        In::LaunchCampaign(m) => {
            Operation::LaunchCampaign { campaign: CampaignId::new(&m.campaign) }
        }
        In::PauseCampaign(m) => Operation::PauseCampaign { campaign: CampaignId::new(&m.campaign) },
        In::ResumeCampaign(m) => {
            Operation::ResumeCampaign { campaign: CampaignId::new(&m.campaign) }
        }
        In::CancelCampaign(m) => {
            Operation::CancelCampaign { campaign: CampaignId::new(&m.campaign) }
        }
        In::AssignContact(m) => Operation::AssignContact(assign(m)?),
        In::AssignBatch(m) => {
            Operation::AssignBatch { items: m.items.into_iter().map(assign).collect::<Read<_>>()? }
        }
        In::AcceptAssignment(m) => Operation::AcceptAssignment {
            assignment: read_assignment(m.assignment)?,
            rep: m.rep.as_deref().map(RepId::new),
        },
        In::RejectAssignment(m) => Operation::RejectAssignment {
            assignment: read_assignment(m.assignment)?,
            rep: m.rep.as_deref().map(RepId::new),
        },
        In::ClaimAssignment(m) => Operation::ClaimAssignment {
            assignment: read_assignment(m.assignment)?,
            rep: RepId::new(&m.rep),
        },
        In::ReassignAssignment(m) => Operation::ReassignAssignment {
            assignment: read_assignment(m.assignment)?,
            to: m.rep.as_deref().map(RepId::new),
        },
        In::UnassignAssignment(m) => {
            Operation::UnassignAssignment { assignment: read_assignment(m.assignment)? }
        }
        In::CloseAssignment(m) => {
            Operation::CloseAssignment { assignment: read_assignment(m.assignment)? }
        }
        In::CancelAssignment(m) => {
            Operation::CancelAssignment { assignment: read_assignment(m.assignment)? }
        }
        In::Tick(log::Tick {}) => Operation::Tick,
    })
}

fn members(list: Vec<log::MemberSpec>) -> Read<Vec<MemberSpec>> {
    list.into_iter().map(read_member).collect()
}

fn team_change(message: log::UpdateTeam) -> TeamChange {
    let rule = message.default_rule.as_deref().map(RuleId::new);
    TeamChange {
        display_name: message.display_name,
        labels: message.labels.map(read_labels),
        time_zone: message.time_zone,
        default_rule: message.set_default_rule.then_some(rule),
    }
}

fn create_rep(message: log::CreateRep) -> Read<Operation> {
    let settings = RepSettings {
        display_name: message.display_name,
        labels: message.labels,
        email: message.email,
        external_ids: message.external_ids,
        disabled: message.disabled,
        max_open: message.max_open,
        hours: message.hours.map(read_hours).transpose()?,
    };
    Ok(Operation::CreateRep { rep: RepId::new(&message.rep), settings })
}

fn update_rep(message: log::UpdateRep) -> Read<Operation> {
    let hours = message.hours.map(read_hours).transpose()?;
    let change = RepChange {
        display_name: message.display_name,
        labels: message.labels.map(read_labels),
        email: message.set_email.then_some(message.email),
        external_ids: message.external_ids.map(|ids| ids.external_ids),
        disabled: message.disabled,
        max_open: message.max_open,
        hours: message.set_hours.then_some(hours),
    };
    Ok(Operation::UpdateRep { rep: RepId::new(&message.rep), change })
}

fn create_group(message: log::CreateGroup) -> Read<Operation> {
    let settings = GroupSettings {
        display_name: message.display_name,
        labels: message.labels,
        kind: read_kind(message.kind)?,
        strategy: read_strategy(message.strategy)?,
        require_online: message.require_online,
        cursor_scope: read_scope(message.cursor_scope)?,
        restart: message.restart.map(read_restart),
        period_cap: message.period_cap.map(read_cap),
    };
    let group = GroupId::new(&message.group);
    Ok(Operation::CreateGroup { group, settings, members: members(message.members)? })
}

fn update_group(message: log::UpdateGroup) -> Read<Operation> {
    let change = GroupChange {
        display_name: message.display_name,
        labels: message.labels.map(read_labels),
        strategy: message.strategy.map(read_strategy).transpose()?,
        require_online: message.require_online,
        cursor_scope: message.cursor_scope.map(read_scope).transpose()?,
        restart: message.set_restart.then_some(message.restart.map(read_restart)),
        period_cap: message.set_period_cap.then_some(message.period_cap.map(read_cap)),
    };
    Ok(Operation::UpdateGroup { group: GroupId::new(&message.group), change })
}

fn read_route(targets: Option<log::Targets>, rule: &str) -> Read<Route> {
    Ok(match (targets, rule) {
        (Some(list), "") => Route::Targets(read_targets(list.targets)?),
        (None, "") => Route::Default,
        (None, rule) => Route::Rule(RuleId::new(rule)),
        (Some(_), _) => return Err(DecodeError::Field("campaign.targets")),
    })
}

fn assign(message: log::AssignContact) -> Read<Assign> {
    use log::assign_contact::Via as In;
    Ok(Assign {
        contact: ContactId::new(&message.contact),
        via: match message.via {
            None => Via::DefaultRule,
            Some(In::Campaign(id)) => Via::Campaign(CampaignId::new(&id)),
            Some(In::Rule(id)) => Via::Rule(RuleId::new(&id)),
            Some(In::Group(id)) => Via::Group(GroupId::new(&id)),
            Some(In::Rep(id)) => Via::Rep(RepId::new(&id)),
        },
        owners: message.owners.into_iter().map(read_owner).collect::<Read<_>>()?,
        prefer_last_rep: message.prefer_last_rep,
        priority: message.priority,
        labels: message.labels,
    })
}

fn create_token(message: log::CreateToken) -> Read<Operation> {
    let role = message.role.ok_or(DecodeError::Field("create_token.role"))?;
    let settings = TokenSettings {
        display_name: message.display_name,
        labels: message.labels,
        role: read_role(role)?,
        secret: read_secret(&message.secret_sha256)?,
        expire_time: message.expire_time_us.map(Time),
    };
    Ok(Operation::CreateToken { token: TokenId::new(&message.token), settings })
}

fn update_token(message: log::UpdateToken) -> Read<Operation> {
    let secret = &message.secret_sha256;
    let change = TokenChange {
        display_name: message.display_name,
        labels: message.labels.map(read_labels),
        role: message.role.map(read_role).transpose()?,
        secret: (!secret.is_empty()).then(|| read_secret(secret)).transpose()?,
        expire_time: message.set_expire_time.then(|| message.expire_time_us.map(Time)),
    };
    Ok(Operation::UpdateToken { token: TokenId::new(&message.token), change })
}

pub(super) fn bearer(message: log::Bearer) -> Read<Bearer> {
    let set = message.secret_revision.ok_or(DecodeError::Field("bearer.secret_revision"))?;
    Ok(Bearer {
        team: TeamId::new(&message.team),
        token: TokenId::new(&message.token),
        secret_revision: revision(set),
    })
}

pub(super) fn revision(log::Revision { log_index, seq }: log::Revision) -> Revision {
    Revision { log_index, seq }
}
