//! Ordered targets, as rules and campaigns have them.

use std::collections::BTreeSet;

use crate::{
    api::{
        convert::owner_kind,
        duration::{self, SECOND_US},
        names,
        violations::{Violations, Wrong},
    },
    proto::turnwise::v1::{self as pb, target::Kind},
    routing::{
        OwnerKind, Target, TargetKind, TeamId,
        limits::{ACCEPT_TIMEOUT_MAX_US, TARGETS_MAX, WAIT_MAX_US},
    },
};

pub(super) fn targets(
    wrong: &mut Violations,
    field: &str,
    team: Option<&TeamId>,
    written: &[pb::Target],
) -> Vec<Target> {
    if written.len() > TARGETS_MAX {
        wrong.add(field, Wrong::new(format!("at most {TARGETS_MAX}")));
        return Vec::new();
    }
    let targets = written.iter().enumerate();
    targets
        .filter_map(|(i, written)| target(wrong, &format!("{field}[{i}]"), team, written))
        .collect()
}

fn target(
    wrong: &mut Violations,
    at: &str,
    team: Option<&TeamId>,
    written: &pb::Target,
) -> Option<Target> {
    let kind = match &written.kind {
        None => wrong.take(at, Err(Wrong::new("one of `owner`, `group`, `rep`"))),
        Some(Kind::Owner(owner)) => {
            Some(TargetKind::Owner(owner_kinds(wrong, &format!("{at}.owner.kinds"), owner)))
        }
        Some(Kind::Group(name)) => {
            let group = names::group(name).and_then(|named| names::within(team, named));
            wrong.take(format!("{at}.group"), group).map(TargetKind::Group)
        }
        Some(Kind::Rep(name)) => {
            let rep = names::rep(name).and_then(|named| names::within(team, named));
            wrong.take(format!("{at}.rep"), rep).map(TargetKind::Rep)
        }
    };
    let wait = duration::within(written.wait.as_ref(), 0, WAIT_MAX_US, "0 to 7 days");
    let accept = written.accept_timeout.as_ref();
    let accept = duration::optional(accept, SECOND_US, ACCEPT_TIMEOUT_MAX_US, "1 s to 7 days");
    let wait = wrong.take(format!("{at}.wait"), wait);
    let accept = wrong.take(format!("{at}.accept_timeout"), accept);
    Some(Target {
        kind: kind?,
        include_unavailable: written.include_unavailable,
        require_online: written.require_online,
        wait_us: wait?,
        accept_timeout_us: accept?,
    })
}

fn owner_kinds(wrong: &mut Violations, field: &str, owner: &pb::OwnerTarget) -> Vec<OwnerKind> {
    if owner.kinds.is_empty() {
        return vec![OwnerKind::Contact, OwnerKind::Lead, OwnerKind::Account];
    }
    let mut kinds = Vec::new();
    let mut seen = BTreeSet::new();
    for (i, kind) in owner.kinds.iter().enumerate() {
        let at = format!("{field}[{i}]");
        let Some(kind) = wrong.take(&at, owner_kind(*kind)) else { continue };
        if !seen.insert(kind) {
            wrong.add(at, Wrong::new("each kind once"));
            // Only as many kinds exist as can be listed; the rest would repeat this.
            break;
        }
        kinds.push(kind);
    }
    kinds
}
