//! A campaign as it is shown. Pure.

use serde_json::Value;

use crate::{
    cli::{change, names, targets, time, words},
    proto::turnwise::v1::{Campaign, CampaignWarning, campaign_warning::Kind as WarningKind},
};

pub(super) const COLUMNS: &[&str] = &[
    "campaign",
    "display_name",
    "state",
    "routing_rule",
    "targets",
    "warnings",
    "launch_time",
    "labels",
    "create_time",
    "update_time",
    "etag",
];

/// What a list shows on a terminal.
pub(super) const BRIEF: &[&str] =
    &["campaign", "display_name", "state", "routing_rule", "targets", "warnings"];

pub(super) fn row(campaign: &Campaign) -> Vec<Value> {
    let Campaign {
        name,
        display_name,
        targets,
        state: _,
        warnings,
        create_time,
        routing_rule,
        launch_time,
        labels,
        update_time,
        etag,
    } = campaign;
    let targets = match targets {
        // Those of the rule are shown with the rule.
        None if !routing_rule.is_empty() => Vec::new(),
        None => vec!["default".to_owned()],
        Some(list) => targets::show_all(&list.targets),
    };
    vec![
        names::id(name).into(),
        display_name.as_str().into(),
        words::value(campaign.state().as_str_name(), "CAMPAIGN_STATE_").into(),
        names::id(routing_rule).into(),
        targets.into(),
        warnings.iter().filter_map(warning).map(Value::from).collect(),
        time::show(launch_time.as_ref()),
        change::labels(labels),
        time::show(create_time.as_ref()),
        time::show(update_time.as_ref()),
        etag.as_str().into(),
    ]
}

/// A warning in words.
pub(super) fn warning(warning: &CampaignWarning) -> Option<String> {
    match warning.kind.as_ref()? {
        WarningKind::GroupHasNoAvailableRep(group) => {
            Some(format!("nobody in group `{}` is available now", names::id(group)))
        }
        WarningKind::FutureGap(gap) => {
            let start = time::show_or(gap.start_time.as_ref(), "now");
            let end = time::show_or(gap.end_time.as_ref(), "further notice");
            Some(format!("nobody will be available from {start} until {end}"))
        }
    }
}
