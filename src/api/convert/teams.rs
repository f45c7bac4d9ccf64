//! Teams.

use crate::{
    api::{
        instant::timestamp,
        names::{child_name, rule_name, team_name},
    },
    proto::turnwise::v1 as pb,
    routing::{Meta, Team},
};

pub(in crate::api) fn team(team: Team) -> pb::Team {
    let Team { id, display_name, time_zone, default_rule, meta } = team;
    let Meta { labels, create_time, update_time, revision } = meta;
    pb::Team {
        name: team_name(&id),
        display_name,
        default_group: child_name(&id, "groups", "default"),
        create_time: Some(timestamp(create_time)),
        default_rule: default_rule.map(|rule| rule_name(&id, &rule)).unwrap_or_default(),
        time_zone,
        labels,
        update_time: Some(timestamp(update_time)),
        etag: revision.to_string(),
    }
}
