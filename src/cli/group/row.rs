//! A group as it is shown. Pure.

use serde_json::Value;

use super::{members, settings};
use crate::{
    cli::{change, names, time, words},
    proto::turnwise::v1::{
        CursorScope, Group, GroupKind, GroupMember, Strategy, group_member::Member,
    },
};

pub(super) const COLUMNS: &[&str] = &[
    "group",
    "display_name",
    "kind",
    "members",
    "payloads",
    "member_count",
    "strategy",
    "require_online",
    "cursor_scope",
    "period_cap",
    "restart",
    "labels",
    "create_time",
    "update_time",
    "etag",
];

/// What a list shows on a terminal.
pub(super) const BRIEF: &[&str] =
    &["group", "display_name", "kind", "members", "strategy", "require_online", "period_cap"];

pub(super) fn row(group: &Group) -> Vec<Value> {
    let Group {
        name,
        display_name,
        members,
        create_time,
        labels,
        update_time,
        etag,
        kind: _,
        strategy: _,
        require_online,
        cursor_scope: _,
        restart_policy,
        period_cap,
        member_count,
    } = group;
    let payloads = members.iter().filter_map(|member| match &member.member {
        Some(Member::Option(option)) => Some((option.id.clone(), option.payload.as_str().into())),
        Some(Member::Rep(_) | Member::Group(_)) | None => None,
    });
    vec![
        names::id(name).into(),
        display_name.as_str().into(),
        kind(group.kind()).into(),
        members.iter().map(|member| Value::from(members::show(member))).collect(),
        payloads.collect::<serde_json::Map<String, Value>>().into(),
        (*member_count).into(),
        strategy(group.strategy()).into(),
        (*require_online).into(),
        scope(group.cursor_scope()).into(),
        settings::show_cap(period_cap.as_ref()).into(),
        settings::show_restart(restart_policy.as_ref()).into(),
        change::labels(labels),
        time::show(create_time.as_ref()),
        time::show(update_time.as_ref()),
        etag.as_str().into(),
    ]
}

/// Of a list of members.
pub(super) const MEMBER_COLUMNS: &[&str] =
    &["member", "weight", "payload", "last_added_time", "key"];

pub(super) fn member(member: &GroupMember) -> Vec<Value> {
    let payload = match &member.member {
        Some(Member::Option(option)) => Some(option.payload.as_str()),
        Some(Member::Rep(_) | Member::Group(_)) | None => None,
    };
    vec![
        members::name(member).into(),
        member.weight.unwrap_or(1).into(),
        payload.into(),
        time::show(member.last_added_time.as_ref()),
        member.key.into(),
    ]
}

fn kind(kind: GroupKind) -> &'static str {
    words::value(kind.as_str_name(), "GROUP_KIND_")
}

pub(super) fn strategy(strategy: Strategy) -> &'static str {
    words::value(strategy.as_str_name(), "STRATEGY_")
}

fn scope(scope: CursorScope) -> &'static str {
    words::value(scope.as_str_name(), "CURSOR_SCOPE_")
}
