//! Campaigns, routing rules and the targets that both have.

use crate::{
    api::{
        instant::{time_span, timestamp},
        names::{campaign_name, group_name, rep_name, rule_name},
    },
    proto::turnwise::v1::{self as pb, campaign_warning, target as sent},
    routing::{Campaign, CampaignState, Meta, Route, Rule, Target, TargetKind, TeamId, Warning},
};

use super::assignments::owner_kind;

pub(in crate::api) fn rule(team: &TeamId, rule: Rule) -> pb::RoutingRule {
    let Rule { id, display_name, targets, meta } = rule;
    let Meta { labels, create_time, update_time, revision } = meta;
    pb::RoutingRule {
        name: rule_name(team, &id),
        display_name,
        targets: targets.iter().map(|t| target(team, t)).collect(),
        create_time: Some(timestamp(create_time)),
        labels,
        update_time: Some(timestamp(update_time)),
        etag: revision.to_string(),
    }
}

pub(in crate::api) fn campaign(
    team: &TeamId,
    campaign: Campaign,
    warnings: &[Warning],
) -> pb::Campaign {
    let Campaign { id, display_name, route, state, launch_time, meta } = campaign;
    let Meta { labels, create_time, update_time, revision } = meta;
    let list = |targets: Vec<Target>| pb::TargetList {
        targets: targets.iter().map(|t| target(team, t)).collect(),
    };
    let (targets, routing_rule) = match route {
        Route::Default => (None, String::new()),
        Route::Rule(rule) => (None, rule_name(team, &rule)),
        Route::Targets(targets) => (Some(list(targets)), String::new()),
    };
    pb::Campaign {
        name: campaign_name(team, &id),
        display_name,
        targets,
        state: campaign_state(state).into(),
        warnings: warnings.iter().map(|w| warning(team, w)).collect(),
        create_time: Some(timestamp(create_time)),
        routing_rule,
        launch_time: launch_time.map(timestamp),
        labels,
        update_time: Some(timestamp(update_time)),
        etag: revision.to_string(),
    }
}

pub(in crate::api) fn campaign_state(state: CampaignState) -> pb::CampaignState {
    match state {
        CampaignState::Draft => pb::CampaignState::Draft,
        CampaignState::Scheduled => pb::CampaignState::Scheduled,
        CampaignState::Running => pb::CampaignState::Running,
        CampaignState::Paused => pb::CampaignState::Paused,
        CampaignState::Cancelled => pb::CampaignState::Cancelled,
    }
}

pub(in crate::api) fn target(team: &TeamId, target: &Target) -> pb::Target {
    let Target { kind, include_unavailable, require_online, wait_us, accept_timeout_us } = target;
    let kind = match kind {
        TargetKind::Owner(kinds) => sent::Kind::Owner(pb::OwnerTarget {
            kinds: kinds.iter().map(|k| owner_kind(*k).into()).collect(),
        }),
        TargetKind::Group(group) => sent::Kind::Group(group_name(team, group)),
        TargetKind::Rep(rep) => sent::Kind::Rep(rep_name(team, rep)),
    };
    pb::Target {
        kind: Some(kind),
        include_unavailable: *include_unavailable,
        wait: crate::api::duration::sent(*wait_us),
        require_online: *require_online,
        accept_timeout: crate::api::duration::sent(*accept_timeout_us),
    }
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
