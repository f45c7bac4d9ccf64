//! Groups, where their rings stand, and how fair they were.

use std::collections::BTreeMap;

use crate::{
    api::{
        duration,
        instant::timestamp,
        limits::PAGE_LEN_MAX,
        names::{campaign_name, group_name, rep_name, rotation_name},
    },
    proto::turnwise::v1::{self as pb, group_member, member_report, member_turns},
    routing::{
        Cursor, CursorScope, Group, GroupKind, GroupReport, Member, MemberName, Meta, PeriodCap,
        RepReport, RestartPolicy, RotationView, Strategy, TeamId,
    },
};

use super::assignments::reason;

pub(in crate::api) fn group(team: &TeamId, group: Group) -> pb::Group {
    let Group {
        id,
        display_name,
        kind,
        strategy,
        require_online,
        cursor_scope,
        restart,
        period_cap,
        members,
        meta,
    } = group;
    let Meta { labels, create_time, update_time, revision } = meta;
    let member_count = u32::try_from(members.len()).unwrap_or(u32::MAX);
    let members = bounded(members.into_iter().map(|m| member(team, m)).collect());
    pb::Group {
        name: group_name(team, &id),
        display_name,
        members,
        create_time: Some(timestamp(create_time)),
        labels,
        update_time: Some(timestamp(update_time)),
        etag: revision.to_string(),
        kind: match kind {
            GroupKind::Reps => pb::GroupKind::Reps,
            GroupKind::Options => pb::GroupKind::Options,
        }
        .into(),
        strategy: self::strategy(strategy).into(),
        require_online,
        cursor_scope: match cursor_scope {
            CursorScope::Campaign => pb::CursorScope::Campaign,
            CursorScope::Group => pb::CursorScope::Group,
        }
        .into(),
        restart_policy: Some(restart_policy(restart)),
        period_cap: period_cap.map(self::period_cap),
        member_count,
    }
}

fn restart_policy(policy: RestartPolicy) -> pb::RestartPolicy {
    let RestartPolicy { idle_period_us, on_member_change } = policy;
    pb::RestartPolicy { idle_period: duration::sent(idle_period_us), on_member_change }
}

fn period_cap(cap: PeriodCap) -> pb::PeriodCap {
    let PeriodCap { count, period_us } = cap;
    pb::PeriodCap { count, period: duration::sent(period_us) }
}

pub(in crate::api) fn member(team: &TeamId, member: Member) -> pb::GroupMember {
    let Member { name, payload, weight, last_added_time, key } = member;
    let member = match name {
        MemberName::Rep(rep) => group_member::Member::Rep(rep_name(team, &rep)),
        MemberName::Option(id) => {
            group_member::Member::Option(pb::GroupOption { id: id.as_str().to_owned(), payload })
        }
        MemberName::Group(group) => group_member::Member::Group(group_name(team, &group)),
    };
    pb::GroupMember {
        member: Some(member),
        weight: Some(weight),
        last_added_time: Some(timestamp(last_added_time)),
        key,
    }
}

/// A list whose length callers decide, left out whole where it would not fit an answer.
fn bounded<M: prost::Message>(list: Vec<M>) -> Vec<M> {
    let len: usize = list.iter().map(|item| item.encoded_len() + 6).sum();
    if len > PAGE_LEN_MAX { Vec::new() } else { list }
}

/// A member in one string: resource name of a rep or a group, or id of an option.
pub(in crate::api) fn member_name(team: &TeamId, member: &MemberName) -> String {
    match member {
        MemberName::Rep(rep) => rep_name(team, rep),
        MemberName::Option(id) => id.as_str().to_owned(),
        MemberName::Group(group) => group_name(team, group),
    }
}

pub(in crate::api) fn rotation(
    team: &TeamId,
    rotation: RotationView,
    log_index: u64,
) -> pb::Rotation {
    let RotationView {
        group,
        campaign,
        cursor,
        last_served,
        next_members,
        turns,
        credits,
        last_pick_time,
        restart_time,
    } = rotation;
    let credits: BTreeMap<_, _> = credits.into_iter().collect();
    let turns = turns.into_iter().map(|(member, turns)| {
        let credits = credits.get(&member).copied().unwrap_or(0);
        let member = match member {
            MemberName::Rep(rep) => member_turns::Member::Rep(rep_name(team, &rep)),
            MemberName::Option(id) => member_turns::Member::Option(id.as_str().to_owned()),
            MemberName::Group(group) => member_turns::Member::Group(group_name(team, &group)),
        };
        pb::MemberTurns { member: Some(member), turns, credits }
    });
    pb::Rotation {
        name: rotation_name(team, &group, campaign.as_ref()),
        group: group_name(team, &group),
        campaign: campaign.map(|c| campaign_name(team, &c)).unwrap_or_default(),
        cursor: Some(self::cursor(cursor)),
        last_served: last_served.map(|m| member_name(team, &m)).unwrap_or_default(),
        next_members: next_members.iter().map(|m| member_name(team, m)).collect(),
        turns: bounded(turns.collect()),
        last_pick_time: last_pick_time.map(timestamp),
        restart_time: restart_time.map(timestamp),
        log_index,
    }
}

pub(super) fn cursor(cursor: Cursor) -> pb::Cursor {
    let Cursor { round, key } = cursor;
    pb::Cursor { round, key }
}

pub(in crate::api) fn report(
    team: &TeamId,
    report: GroupReport,
    log_index: u64,
) -> pb::GroupReport {
    let GroupReport { group, since, decisions, members } = report;
    let member = |member| {
        let RepReport { member, place, turns, owner_hits, passed_over, open } = member;
        let member = match member {
            MemberName::Rep(rep) => member_report::Member::Rep(rep_name(team, &rep)),
            MemberName::Option(id) => member_report::Member::Option(id.as_str().to_owned()),
            MemberName::Group(group) => member_report::Member::Group(group_name(team, &group)),
        };
        let count = |(why, count)| pb::PassOverCount { reason: reason(why).into(), count };
        pb::MemberReport {
            member: Some(member),
            turns,
            owner_hits,
            passed_over: passed_over.into_iter().map(count).collect(),
            place,
            open_count: open,
        }
    };
    pb::GroupReport {
        group: group_name(team, &group),
        since_time: since.map(timestamp),
        log_index,
        members: members.into_iter().map(member).collect(),
        decisions,
    }
}

pub(super) fn strategy(strategy: Strategy) -> pb::Strategy {
    match strategy {
        Strategy::RoundRobin => pb::Strategy::RoundRobin,
        Strategy::LeastOpen => pb::Strategy::LeastOpen,
    }
}

#[cfg(test)]
mod tests {
    use super::{Member, MemberName, TeamId, bounded, member};
    use crate::routing::{RepId, Time};

    /// Whether so many members with resource names of this length are given.
    fn are_given(count: u64, name_len: usize) -> bool {
        let team = TeamId::new(&"t".repeat(name_len.min(268) / 2 - 6));
        let id_len = name_len - "teams//reps/".len() - team.to_string().len();
        let members = (1..=count).map(|key| {
            let name = MemberName::Rep(RepId::new(&"r".repeat(id_len)));
            let last_added_time = Time(4_000_000_000_999_999);
            let payload = String::new();
            member(&team, Member { name, payload, weight: 1_000, last_added_time, key })
        });
        !bounded(members.collect()).is_empty()
    }

    #[test]
    fn members_are_left_out_of_a_group_from_where_its_proto_says() {
        assert!(are_given(6_800, 268) && !are_given(7_200, 268));
        assert!(are_given(26_000, 50) && !are_given(28_000, 50));
    }
}
