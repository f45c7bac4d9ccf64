//! Raw records to records of their own.

use std::sync::Arc;

use super::raw::{
    List, RawAssignment, RawDecision, RawMove, RawOption, RawOwner, RawPassedOver, RawRecord,
    RawRequest, RawSkipped, RawStep, RawTarget, RawTargetKind, RawTrace, RawVia,
};
use crate::routing::{
    Assignment, ContactId, Decision, GroupId, Id, OptionId, OwnerRef, PassedOver, PickedOption,
    RepId, RequestId, RequestKey, RingMove, Skipped, Step, Target, TargetKind, TargetTrace, Via,
    record::AssignmentRecord,
};

impl From<RawRecord<'_>> for AssignmentRecord {
    fn from(raw: RawRecord<'_>) -> Self {
        let RawRecord { assignment, rep, rejected, excluded, starts_again, request, first } = raw;
        Self {
            assignment: Arc::new(assignment.into()),
            rep,
            rejected: rejected.all(|rep| rep),
            excluded,
            starts_again,
            request: request.map(RequestKey::from),
            first: first.map(|first| Arc::new((*first).into())),
        }
    }
}

impl From<RawRequest<'_>> for RequestKey {
    fn from(RawRequest { id, fingerprint }: RawRequest<'_>) -> Self {
        Self { id: RequestId::new(id), fingerprint }
    }
}

impl From<RawAssignment<'_>> for Assignment {
    fn from(raw: RawAssignment<'_>) -> Self {
        let RawAssignment {
            id,
            position,
            create_time,
            update_time,
            contact,
            via,
            owners,
            prefer_last_rep,
            priority,
            labels,
            state,
            rep,
            option,
            cause,
            target_index,
            owner_changed,
            wait_end,
            offer_end,
            rejected_by,
            decision,
            history,
        } = raw;
        Self {
            id,
            position,
            create_time,
            update_time,
            contact: ContactId::new(contact),
            via: via.into(),
            owners: owners.all(OwnerRef::from),
            prefer_last_rep,
            priority,
            labels: labels.all(|(key, value)| (key.to_owned(), value.to_owned())),
            state,
            rep: rep.map(RepId::new),
            option: option.map(PickedOption::from),
            cause,
            target_index,
            owner_changed,
            wait_end,
            offer_end,
            rejected_by: ids(&rejected_by),
            decision: decision.into(),
            history: history.all(Step::from),
        }
    }
}

fn ids<'a, Kind>(list: &List<'a, &'a str>) -> Vec<Id<Kind>> {
    list.all(Id::new)
}

impl From<RawVia<'_>> for Via {
    fn from(raw: RawVia<'_>) -> Self {
        match raw {
            RawVia::DefaultRule => Self::DefaultRule,
            RawVia::Campaign(id) => Self::Campaign(Id::new(id)),
            RawVia::Rule(id) => Self::Rule(Id::new(id)),
            RawVia::Group(id) => Self::Group(Id::new(id)),
            RawVia::Rep(id) => Self::Rep(Id::new(id)),
        }
    }
}

impl From<RawOwner<'_>> for OwnerRef {
    fn from(RawOwner { kind, owner_type, email, external_id }: RawOwner<'_>) -> Self {
        let email = email.map(str::to_owned);
        let external_id = external_id.map(|(system, user)| (system.to_owned(), user.to_owned()));
        Self { kind, owner_type, email, external_id }
    }
}

impl From<RawOption<'_>> for PickedOption {
    fn from(RawOption { group, option, payload }: RawOption<'_>) -> Self {
        let (group, option) = (GroupId::new(group), OptionId::new(option));
        Self { group, option, payload: payload.to_owned() }
    }
}

impl From<RawDecision<'_>> for Decision {
    fn from(RawDecision { time, engine_version, targets }: RawDecision<'_>) -> Self {
        Self { time, engine_version, targets: targets.all(TargetTrace::from) }
    }
}

impl From<RawTrace<'_>> for TargetTrace {
    fn from(raw: RawTrace<'_>) -> Self {
        let RawTrace {
            index,
            target,
            is_last_rep,
            outcome,
            skipped,
            cursor_before,
            cursor_after,
            inner,
        } = raw;
        let RawSkipped { named, total } = skipped;
        Self {
            index,
            target: target.into(),
            is_last_rep,
            outcome,
            skipped: Skipped { named: named.all(PassedOver::from), total },
            cursor_before,
            cursor_after,
            inner: inner.all(RingMove::from),
        }
    }
}

impl From<RawTarget<'_>> for Target {
    fn from(raw: RawTarget<'_>) -> Self {
        let RawTarget { kind, include_unavailable, require_online, wait_us, accept_timeout_us } =
            raw;
        let kind = match kind {
            RawTargetKind::Owner(kinds) => TargetKind::Owner(kinds.all(|kind| kind)),
            RawTargetKind::Group(id) => TargetKind::Group(Id::new(id)),
            RawTargetKind::Rep(id) => TargetKind::Rep(Id::new(id)),
        };
        Self { kind, include_unavailable, require_online, wait_us, accept_timeout_us }
    }
}

impl From<RawPassedOver<'_>> for PassedOver {
    fn from(RawPassedOver { rep, reason }: RawPassedOver<'_>) -> Self {
        Self { rep: RepId::new(rep), reason }
    }
}

impl From<RawMove<'_>> for RingMove {
    fn from(RawMove { group, before, after }: RawMove<'_>) -> Self {
        Self { group: GroupId::new(group), before, after }
    }
}

impl From<RawStep<'_>> for Step {
    fn from(RawStep { time, position, principal, cause, state, rep }: RawStep<'_>) -> Self {
        let (principal, rep) = (principal.to_owned(), rep.map(RepId::new));
        Self { time, position, principal, cause, state, rep }
    }
}
