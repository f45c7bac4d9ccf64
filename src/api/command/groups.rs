//! Changes of groups; of their members, see `members`.

use crate::{
    api::{
        convert,
        duration::{self, DAY_US, SECOND_US},
        limits::{IDLE_PERIOD_DAYS_MAX, PERIOD_CAP_COUNT_MAX, PERIOD_DAYS_MAX},
        names, text,
        violations::{Violations, Wrong},
    },
    proto::turnwise::v1::{
        self as pb, CreateGroupRequest, DeleteGroupRequest, ErrorReason, Group, UpdateGroupRequest,
    },
    routing::{
        GroupChange, GroupKind, GroupSettings, Operation, PeriodCap, RestartPolicy,
        limits::{OPTIONS_MAX, OPTIONS_MIN},
    },
};

use super::{
    draft::{Common, Draft, Mask},
    members::members,
};

pub(super) fn create(r: &CreateGroupRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let none = Group::default();
    let written = r.group.as_ref().unwrap_or(&none);
    let team = wrong.take("parent", names::team(&r.parent));
    let group = wrong.take("group_id", names::id(&r.group_id));
    let display_name = wrong.take("group.display_name", text::display_name(&written.display_name));
    let labels = text::labels(&mut wrong, "group.labels", &written.labels);
    let kind = wrong.take("group.kind", convert::group_kind(written.kind));
    let strategy = wrong.take("group.strategy", convert::strategy(written.strategy));
    let scope = wrong.take("group.cursor_scope", convert::cursor_scope(written.cursor_scope));
    let restart = restart_policy(&mut wrong, written.restart_policy.as_ref());
    let period_cap = period_cap(&mut wrong, written.period_cap.as_ref());
    size(&mut wrong, kind.unwrap_or_default(), written.members.len());
    let members = members(&mut wrong, "group.members", team.as_ref(), &written.members);
    let common = Common::take(&mut wrong, &r.request_id, r.validate_only);
    wrong.finish((|| {
        let settings = GroupSettings {
            display_name: display_name?,
            labels,
            kind: kind?,
            strategy: strategy?,
            require_online: written.require_online,
            cursor_scope: scope?,
            restart,
            period_cap,
        };
        Some(common?.draft(team?, Operation::CreateGroup { group: group?, settings, members }))
    })())
}

/// S0-15, S3-4, S3-5: what a group is never created with.
fn size(wrong: &mut Violations, kind: GroupKind, members: usize) {
    const FIELD: &str = "group.members";
    match kind {
        GroupKind::Reps if members == 0 => {
            let few = Wrong::new("a group of reps needs a member");
            wrong.add(FIELD, few.because(ErrorReason::GroupTooSmall));
        }
        GroupKind::Options if members < OPTIONS_MIN => {
            let few = Wrong::new(format!("a group of options needs {OPTIONS_MIN}"));
            wrong.add(FIELD, few.because(ErrorReason::GroupTooSmall));
        }
        GroupKind::Options if members > OPTIONS_MAX => {
            let many = Wrong::new(format!("at most {OPTIONS_MAX} options"));
            wrong.add(FIELD, many.because(ErrorReason::GroupTooLarge));
        }
        GroupKind::Reps | GroupKind::Options => {}
    }
}

pub(super) fn update(r: &UpdateGroupRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let none = Group::default();
    let written = r.group.as_ref().unwrap_or(&none);
    let named = wrong.take("group.name", names::group(&written.name));
    if r.update_mask.is_none() && !written.members.is_empty() {
        wrong.add("group.members", Wrong::new("members have calls of their own; leave them out"));
    }
    let mask = Mask::read(
        &mut wrong,
        r.update_mask.as_ref(),
        &[
            ("display_name", !written.display_name.is_empty()),
            ("labels", !written.labels.is_empty()),
            ("strategy", written.strategy != 0),
            ("require_online", written.require_online),
            ("cursor_scope", written.cursor_scope != 0),
            ("restart_policy", written.restart_policy.is_some()),
            ("period_cap", written.period_cap.is_some()),
        ],
    );
    let mut change = GroupChange::default();
    if mask.has("display_name") {
        let name = text::display_name(&written.display_name);
        change.display_name = wrong.take("group.display_name", name);
    }
    if mask.has("labels") {
        change.labels = Some(text::labels(&mut wrong, "group.labels", &written.labels));
    }
    if mask.has("strategy") {
        change.strategy = wrong.take("group.strategy", convert::strategy(written.strategy));
    }
    if mask.has("require_online") {
        change.require_online = Some(written.require_online);
    }
    if mask.has("cursor_scope") {
        let scope = convert::cursor_scope(written.cursor_scope);
        change.cursor_scope = wrong.take("group.cursor_scope", scope);
    }
    if mask.has("restart_policy") {
        change.restart = Some(restart_policy(&mut wrong, written.restart_policy.as_ref()));
    }
    if mask.has("period_cap") {
        change.period_cap = Some(period_cap(&mut wrong, written.period_cap.as_ref()));
    }
    let common = Common::with_etag(&mut wrong, &r.request_id, &r.etag, r.validate_only);
    wrong.finish((|| {
        let (team, group) = named?;
        Some(common?.draft(team, Operation::UpdateGroup { group, change }))
    })())
}

pub(super) fn delete(r: &DeleteGroupRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let named = wrong.take("name", names::group(&r.name));
    let common = Common::with_etag(&mut wrong, &r.request_id, &r.etag, r.validate_only);
    wrong.finish((|| {
        let (team, group) = named?;
        let operation = Operation::DeleteGroup { group, allow_missing: r.allow_missing };
        Some(common?.draft(team, operation))
    })())
}

fn restart_policy(
    wrong: &mut Violations,
    written: Option<&pb::RestartPolicy>,
) -> Option<RestartPolicy> {
    let pb::RestartPolicy { idle_period, on_member_change } = written?;
    let idle = duration::optional(
        idle_period.as_ref(),
        SECOND_US,
        IDLE_PERIOD_DAYS_MAX * DAY_US,
        "1 s to 3,650 days",
    );
    let idle_period_us = wrong.take("group.restart_policy.idle_period", idle)?;
    Some(RestartPolicy { idle_period_us, on_member_change: *on_member_change })
}

fn period_cap(wrong: &mut Violations, written: Option<&pb::PeriodCap>) -> Option<PeriodCap> {
    let pb::PeriodCap { count, period } = written?;
    if !(1..=PERIOD_CAP_COUNT_MAX).contains(count) {
        let allowed = Wrong::new(format!("1 to {PERIOD_CAP_COUNT_MAX}"));
        wrong.add("group.period_cap.count", allowed);
    }
    let period = duration::within(
        period.as_ref(),
        SECOND_US,
        PERIOD_DAYS_MAX * DAY_US,
        "1 s to 366 days; required",
    );
    let period_us = wrong.take("group.period_cap.period", period)?;
    Some(PeriodCap { count: *count, period_us })
}
