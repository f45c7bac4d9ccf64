//! What operations carry, as messages and back: members, targets, owners, hours, policies.

use bytes::Bytes;

use super::DecodeError;
use crate::{
    proto::turnwise::log::v1 as log,
    routing::{
        AssignmentId, CursorScope, GroupId, GroupKind, Hours, Interval, IntervalSet, Labels,
        MemberName, MemberSpec, OptionId, OwnerKind, OwnerRef, OwnerType, PeriodCap, RepId,
        RestartPolicy, Role, SecretHash, Strategy, Target, TargetKind, Time, WeeklySpan,
    },
};

pub(super) type Read<T> = Result<T, DecodeError>;

pub(super) fn write_labels(labels: &Labels) -> log::Labels {
    log::Labels { labels: labels.clone() }
}

pub(super) fn read_labels(labels: log::Labels) -> Labels {
    labels.labels
}

pub(super) fn write_assignment(id: AssignmentId) -> log::AssignmentId {
    let AssignmentId { log_index, seq, item } = id;
    log::AssignmentId { log_index, seq, item }
}

pub(super) fn read_assignment(id: Option<log::AssignmentId>) -> Read<AssignmentId> {
    let log::AssignmentId { log_index, seq, item } = id.ok_or(DecodeError::Field("assignment"))?;
    Ok(AssignmentId { log_index, seq, item })
}

pub(super) fn write_member(member: &MemberSpec) -> log::MemberSpec {
    use log::member_spec::Member as Out;
    let MemberSpec { member, payload, weight } = member;
    let member = match member {
        MemberName::Rep(id) => Out::Rep(id.as_str().to_owned()),
        MemberName::Option(id) => Out::Option(id.as_str().to_owned()),
        MemberName::Group(id) => Out::Group(id.as_str().to_owned()),
    };
    log::MemberSpec { member: Some(member), weight: *weight, payload: payload.clone() }
}

pub(super) fn read_member(member: log::MemberSpec) -> Read<MemberSpec> {
    use log::member_spec::Member as In;
    let log::MemberSpec { member, weight, payload } = member;
    let member = match member.ok_or(DecodeError::Field("member"))? {
        In::Rep(id) => MemberName::Rep(RepId::new(&id)),
        In::Option(id) => MemberName::Option(OptionId::new(&id)),
        In::Group(id) => MemberName::Group(GroupId::new(&id)),
    };
    Ok(MemberSpec { member, payload, weight })
}

pub(super) fn write_name(name: &MemberName) -> log::MemberName {
    use log::member_name::Name as Out;
    let name = match name {
        MemberName::Rep(id) => Out::Rep(id.as_str().to_owned()),
        MemberName::Option(id) => Out::Option(id.as_str().to_owned()),
        MemberName::Group(id) => Out::Group(id.as_str().to_owned()),
    };
    log::MemberName { name: Some(name) }
}

pub(super) fn read_name(name: Option<log::MemberName>) -> Read<MemberName> {
    use log::member_name::Name as In;
    Ok(match name.and_then(|name| name.name).ok_or(DecodeError::Field("member"))? {
        In::Rep(id) => MemberName::Rep(RepId::new(&id)),
        In::Option(id) => MemberName::Option(OptionId::new(&id)),
        In::Group(id) => MemberName::Group(GroupId::new(&id)),
    })
}

/// A member as it stands in `RemoveGroupMember`, whose first version knew reps only.
pub(super) fn write_removed(name: &MemberName) -> log::remove_group_member::Member {
    use log::remove_group_member::Member as Out;
    match name {
        MemberName::Rep(id) => Out::Rep(id.as_str().to_owned()),
        MemberName::Option(id) => Out::Option(id.as_str().to_owned()),
        MemberName::Group(id) => Out::MemberGroup(id.as_str().to_owned()),
    }
}

pub(super) fn read_removed(name: Option<log::remove_group_member::Member>) -> Read<MemberName> {
    use log::remove_group_member::Member as In;
    Ok(match name.ok_or(DecodeError::Field("member"))? {
        In::Rep(id) => MemberName::Rep(RepId::new(&id)),
        In::Option(id) => MemberName::Option(OptionId::new(&id)),
        In::MemberGroup(id) => MemberName::Group(GroupId::new(&id)),
    })
}

pub(super) fn write_targets(targets: &[Target]) -> log::Targets {
    log::Targets { targets: targets.iter().map(write_target).collect() }
}

pub(super) fn read_targets(targets: Vec<log::Target>) -> Read<Vec<Target>> {
    targets.into_iter().map(read_target).collect()
}

pub(super) fn write_target(target: &Target) -> log::Target {
    use log::target::Kind as Out;
    let Target { kind, include_unavailable, require_online, wait_us, accept_timeout_us } = target;
    let kind = match kind {
        TargetKind::Owner(kinds) => Out::Owner(log::OwnerTarget {
            kinds: kinds.iter().map(|kind| i32::from(write_owner_kind(*kind))).collect(),
        }),
        TargetKind::Group(group) => Out::Group(group.as_str().to_owned()),
        TargetKind::Rep(rep) => Out::Rep(rep.as_str().to_owned()),
    };
    log::Target {
        kind: Some(kind),
        include_unavailable: *include_unavailable,
        require_online: *require_online,
        wait_us: *wait_us,
        accept_timeout_us: *accept_timeout_us,
    }
}

fn read_target(target: log::Target) -> Read<Target> {
    use log::target::Kind as In;
    let log::Target { kind, include_unavailable, require_online, wait_us, accept_timeout_us } =
        target;
    let kind = match kind.ok_or(DecodeError::Field("target.kind"))? {
        In::Owner(owner) => {
            TargetKind::Owner(owner.kinds.into_iter().map(read_owner_kind).collect::<Read<_>>()?)
        }
        In::Group(group) => TargetKind::Group(GroupId::new(&group)),
        In::Rep(rep) => TargetKind::Rep(RepId::new(&rep)),
    };
    Ok(Target { kind, include_unavailable, require_online, wait_us, accept_timeout_us })
}

fn write_owner_kind(kind: OwnerKind) -> log::OwnerKind {
    match kind {
        OwnerKind::Contact => log::OwnerKind::Contact,
        OwnerKind::Lead => log::OwnerKind::Lead,
        OwnerKind::Account => log::OwnerKind::Account,
        OwnerKind::Opportunity => log::OwnerKind::Opportunity,
    }
}

fn read_owner_kind(kind: i32) -> Read<OwnerKind> {
    match log::OwnerKind::try_from(kind) {
        Ok(log::OwnerKind::Contact) => Ok(OwnerKind::Contact),
        Ok(log::OwnerKind::Lead) => Ok(OwnerKind::Lead),
        Ok(log::OwnerKind::Account) => Ok(OwnerKind::Account),
        Ok(log::OwnerKind::Opportunity) => Ok(OwnerKind::Opportunity),
        Ok(log::OwnerKind::Unspecified) | Err(_) => Err(DecodeError::Field("owner.kind")),
    }
}

pub(super) fn write_owner(owner: &OwnerRef) -> log::OwnerRef {
    let (external_system, external_id) = owner.external_id.clone().unwrap_or_default();
    log::OwnerRef {
        kind: i32::from(write_owner_kind(owner.kind)),
        queue: owner.owner_type == OwnerType::Queue,
        email: owner.email.clone(),
        external_system,
        external_id,
    }
}

pub(super) fn read_owner(owner: log::OwnerRef) -> Read<OwnerRef> {
    Ok(OwnerRef {
        kind: read_owner_kind(owner.kind)?,
        owner_type: if owner.queue { OwnerType::Queue } else { OwnerType::User },
        email: owner.email,
        external_id: (!owner.external_id.is_empty())
            .then_some((owner.external_system, owner.external_id)),
    })
}

pub(super) fn write_hours(hours: &Hours) -> log::Hours {
    let Hours { time_zone, weekly, holidays, open, horizon } = hours;
    let span = |span: &WeeklySpan| log::WeeklySpan {
        weekday: span.weekday.into(),
        start_minute: span.start_minute.into(),
        end_minute: span.end_minute.into(),
    };
    let interval = |at: &Interval| log::Interval { start_us: at.start.0, end_us: at.end.0 };
    log::Hours {
        time_zone: time_zone.clone(),
        weekly: weekly.iter().map(span).collect(),
        holidays: holidays.clone(),
        open: open.intervals().iter().map(interval).collect(),
        horizon_us: horizon.0,
    }
}

pub(super) fn read_hours(hours: log::Hours) -> Read<Hours> {
    let log::Hours { time_zone, weekly, holidays, open, horizon_us } = hours;
    let open = open.iter().map(|at| Interval { start: Time(at.start_us), end: Time(at.end_us) });
    Ok(Hours {
        time_zone,
        weekly: weekly.iter().map(read_span).collect::<Read<_>>()?,
        holidays,
        open: IntervalSet::of(open.collect()),
        horizon: Time(horizon_us),
    })
}

fn read_span(span: &log::WeeklySpan) -> Read<WeeklySpan> {
    let wrong = |_| DecodeError::Field("hours.weekly");
    Ok(WeeklySpan {
        weekday: span.weekday.try_into().map_err(wrong)?,
        start_minute: span.start_minute.try_into().map_err(wrong)?,
        end_minute: span.end_minute.try_into().map_err(wrong)?,
    })
}

pub(super) fn write_kind(kind: GroupKind) -> i32 {
    i32::from(match kind {
        GroupKind::Reps => log::GroupKind::Unspecified,
        GroupKind::Options => log::GroupKind::Options,
    })
}

pub(super) fn read_kind(kind: i32) -> Read<GroupKind> {
    match log::GroupKind::try_from(kind) {
        Ok(log::GroupKind::Unspecified) => Ok(GroupKind::Reps),
        Ok(log::GroupKind::Options) => Ok(GroupKind::Options),
        Err(_) => Err(DecodeError::Field("group.kind")),
    }
}

pub(super) fn write_strategy(strategy: Strategy) -> i32 {
    i32::from(match strategy {
        Strategy::RoundRobin => log::Strategy::Unspecified,
        Strategy::LeastOpen => log::Strategy::LeastOpen,
    })
}

pub(super) fn read_strategy(strategy: i32) -> Read<Strategy> {
    match log::Strategy::try_from(strategy) {
        Ok(log::Strategy::Unspecified) => Ok(Strategy::RoundRobin),
        Ok(log::Strategy::LeastOpen) => Ok(Strategy::LeastOpen),
        Err(_) => Err(DecodeError::Field("group.strategy")),
    }
}

pub(super) fn write_scope(scope: CursorScope) -> i32 {
    i32::from(match scope {
        CursorScope::Campaign => log::CursorScope::Unspecified,
        CursorScope::Group => log::CursorScope::Group,
    })
}

pub(super) fn read_scope(scope: i32) -> Read<CursorScope> {
    match log::CursorScope::try_from(scope) {
        Ok(log::CursorScope::Unspecified) => Ok(CursorScope::Campaign),
        Ok(log::CursorScope::Group) => Ok(CursorScope::Group),
        Err(_) => Err(DecodeError::Field("group.cursor_scope")),
    }
}

pub(super) fn write_restart(policy: RestartPolicy) -> log::RestartPolicy {
    let RestartPolicy { idle_period_us, on_member_change } = policy;
    log::RestartPolicy { idle_period_us, on_member_change }
}

pub(super) fn read_restart(policy: log::RestartPolicy) -> RestartPolicy {
    let log::RestartPolicy { idle_period_us, on_member_change } = policy;
    RestartPolicy { idle_period_us, on_member_change }
}

pub(super) fn write_cap(cap: PeriodCap) -> log::PeriodCap {
    let PeriodCap { count, period_us } = cap;
    log::PeriodCap { count, period_us }
}

pub(super) fn read_cap(cap: log::PeriodCap) -> PeriodCap {
    let log::PeriodCap { count, period_us } = cap;
    PeriodCap { count, period_us }
}

pub(super) fn write_role(role: &Role) -> log::Role {
    use log::role::{Groups, Nothing, Role as Out};
    let role = match role {
        Role::Admin => Out::Admin(Nothing {}),
        Role::Manager => Out::Manager(Nothing {}),
        Role::GroupManager(groups) => Out::GroupManager(Groups {
            groups: groups.iter().map(|group| group.as_str().to_owned()).collect(),
        }),
        Role::Router => Out::Router(Nothing {}),
        Role::Rep(rep) => Out::Rep(rep.as_str().to_owned()),
        Role::Viewer => Out::Viewer(Nothing {}),
    };
    log::Role { role: Some(role) }
}

pub(super) fn read_role(role: log::Role) -> Read<Role> {
    use log::role::{Nothing, Role as In};
    Ok(match role.role.ok_or(DecodeError::Field("role"))? {
        In::Admin(Nothing {}) => Role::Admin,
        In::Manager(Nothing {}) => Role::Manager,
        In::GroupManager(groups) => {
            Role::GroupManager(groups.groups.iter().map(|group| GroupId::new(group)).collect())
        }
        In::Router(Nothing {}) => Role::Router,
        In::Rep(rep) => Role::Rep(RepId::new(&rep)),
        In::Viewer(Nothing {}) => Role::Viewer,
    })
}

pub(super) fn read_secret(bytes: &Bytes) -> Read<SecretHash> {
    let bytes = bytes.as_ref().try_into().map_err(|_| DecodeError::Field("secret_sha256"))?;
    Ok(SecretHash(bytes))
}
