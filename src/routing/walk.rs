//! The walk over the ordered targets: the first that gives somebody ends it.
//!
//! It only reads. What a pick changes is said in its [`Pick`], and done by `assign`; so a contact that
//! nobody gets leaves every cursor where it was.

use std::collections::BTreeSet;

use super::{
    CampaignId, Cause, ContactId, OwnerKind, OwnerRef, OwnerType, RingMove, Skipped, Target,
    TargetKind, TargetOutcome, TargetTrace, Time,
    filter::{Asked, Class},
    group::Move,
    record::RepUid,
    reps::RepState,
    select::{Chosen, Selection, from_list, from_ring},
    team::Team,
};

/// On whose behalf the targets are tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traveller<'a> {
    pub(super) contact: &'a ContactId,
    pub(super) campaign: Option<&'a CampaignId>,
    pub(super) owners: &'a [OwnerRef],
    pub(super) prefer_last_rep: bool,
    pub(super) rejected: &'a [RepUid],
    pub(super) excluded: Option<RepUid>,
    pub(super) now: Time,
}

/// Where a walk begins.
#[derive(Debug, Clone, Copy)]
pub(super) enum Start {
    /// At the first target.
    First,
    /// At the one that held the contact: until when, if it may still wait there.
    At(u32, Option<Time>),
}

/// Where it ends.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) traces: Vec<TargetTrace>,
    pub(super) end: End,
}

#[derive(Debug)]
pub(super) enum End {
    Picked(Pick),
    /// Held at a target, until then.
    Waiting(u32, Time),
    /// No target gave anybody.
    Exhausted,
}

/// Whom or what a target gave, and what that changes.
#[derive(Debug)]
pub(super) struct Pick {
    pub(super) chosen: Chosen,
    pub(super) cause: Cause,
    /// Of the target, from 0.
    pub(super) index: u32,
    /// No owner supplied maps to the rep chosen.
    pub(super) owner_changed: bool,
    /// How long the rep may take to accept; 0 = they are not asked.
    pub(super) accept_timeout_us: u64,
    /// Until when the target would hold the contact, if the rep refuses.
    pub(super) wait_end: Option<Time>,
    pub(super) moves: Vec<Move>,
}

/// Tries the targets in order. Changes nothing.
pub(super) fn walk(team: &Team, targets: &[Target], who: &Traveller<'_>, start: Start) -> Walk {
    let mut traces = Vec::with_capacity(targets.len());
    let is_owner = |target: &Target| matches!(target.kind, TargetKind::Owner(_));
    let first_other = targets.iter().position(|target| !is_owner(target));
    let (from, held) = match start {
        Start::First => (0, None),
        Start::At(index, wait_end) => (index, Some(wait_end)),
    };
    for ((index, target), place) in
        (0..).zip(targets).zip(0_usize..).skip_while(|((i, _), _)| *i < from)
    {
        let held_here = held.filter(|_| index == from);
        if who.prefer_last_rep
            && held_here.is_none()
            && first_other == Some(place)
            && let Some(last) = last_rep(team, targets, who.contact)
        {
            let target_of_last_rep = Target::new(TargetKind::Rep(last.record.id.clone()));
            let tried = try_target(team, &target_of_last_rep, Some(last), who);
            traces.push(tried.trace(index, target_of_last_rep.clone(), true));
            if let Some(pick) = tried.pick(team, who, index, &target_of_last_rep, None) {
                return Walk { traces, end: End::Picked(pick) };
            }
        }
        let tried = try_target(team, target, None, who);
        let missed = tried.missed;
        traces.push(tried.trace(index, target.clone(), false));
        let fresh = (target.wait_us > 0).then(|| Time(who.now.0.saturating_add(target.wait_us)));
        let wait_end = held_here.unwrap_or(fresh);
        if let Some(pick) = tried.pick(team, who, index, target, wait_end) {
            return Walk { traces, end: End::Picked(pick) };
        }
        let waits = wait_end.filter(|end| *end > who.now);
        if let (Some(wait_end), TargetOutcome::NoEligible) = (waits, missed) {
            if let Some(trace) = traces.last_mut() {
                trace.outcome = TargetOutcome::Waiting;
            }
            return Walk { traces, end: End::Waiting(index, wait_end) };
        }
    }
    Walk { traces, end: End::Exhausted }
}

/// What a target gave, or what to say if it gave nobody.
struct Tried {
    selection: Selection,
    cause: Cause,
    missed: TargetOutcome,
}

fn try_target(team: &Team, target: &Target, last: Option<&RepState>, who: &Traveller<'_>) -> Tried {
    let limit = |require_online| Class::limit(target.include_unavailable, require_online);
    let Traveller { rejected, excluded, now, .. } = *who;
    let rejected: BTreeSet<RepUid> = rejected.iter().copied().collect();
    let rejected = &rejected;
    let asked = Asked { now, limit: limit(target.require_online), rejected, excluded };
    let no_eligible = TargetOutcome::NoEligible;
    match (&target.kind, last) {
        (_, Some(rep)) => {
            let selection = from_list(std::iter::once(rep), &asked);
            Tried { selection, cause: Cause::LastRep, missed: no_eligible }
        }
        (TargetKind::Owner(kinds), None) => {
            let (reps, missed) = mapped_owners(team, kinds, who.owners);
            let selection = from_list(reps.into_iter(), &asked);
            Tried { selection, cause: Cause::Owner, missed }
        }
        (TargetKind::Rep(rep), None) => {
            let selection = from_list(team.reps.find(rep).ok().into_iter(), &asked);
            Tried { selection, cause: Cause::Rep, missed: no_eligible }
        }
        (TargetKind::Group(group), None) => {
            let Some(group) = team.groups.get(group) else {
                let selection = Selection::default();
                return Tried { selection, cause: Cause::Rotation, missed: no_eligible };
            };
            let limit = limit(target.require_online || group.record.require_online);
            let selection = from_ring(team, group, who.campaign, &Asked { limit, ..asked });
            let cause = match selection.chosen {
                Some(Chosen::Option(_)) => Cause::Option,
                Some(Chosen::Rep(..)) | None => Cause::Rotation,
            };
            Tried { selection, cause, missed: no_eligible }
        }
    }
}

impl Tried {
    fn trace(&self, index: u32, target: Target, is_last_rep: bool) -> TargetTrace {
        let Selection { chosen, skipped, moves, cursor } = &self.selection;
        let outcome = if chosen.is_some() { TargetOutcome::Picked } else { self.missed };
        let mut moves = moves.iter();
        let outer = moves.next();
        let inner = moves.map(|step| RingMove {
            group: step.group.clone(),
            before: step.before,
            after: step.after,
        });
        TargetTrace {
            index,
            target,
            is_last_rep,
            outcome,
            skipped: Skipped::clone(skipped),
            cursor_before: *cursor,
            cursor_after: outer.map(|step| step.after).or(*cursor),
            inner: inner.collect(),
        }
    }

    fn pick(
        self,
        team: &Team,
        who: &Traveller<'_>,
        index: u32,
        target: &Target,
        wait_end: Option<Time>,
    ) -> Option<Pick> {
        let Self { selection: Selection { chosen, moves, .. }, cause, .. } = self;
        let chosen = chosen?;
        let accept_timeout_us = target.accept_timeout_us;
        let owner_changed = match &chosen {
            Chosen::Rep(uid, _) => owner_changed(team, who.owners, *uid),
            Chosen::Option(_) => false,
        };
        Some(Pick { chosen, cause, index, owner_changed, accept_timeout_us, wait_end, moves })
    }
}

/// Whom the contact had last, if one of the targets can still reach them.
fn last_rep<'a>(team: &'a Team, targets: &[Target], contact: &ContactId) -> Option<&'a RepState> {
    let rep = team.reps.get(team.assignments.last_rep(contact)?)?;
    let reaches = |target: &Target| match &target.kind {
        TargetKind::Owner(_) => false,
        TargetKind::Rep(id) => *id == rep.record.id,
        TargetKind::Group(group) => rep.groups.contains(group),
    };
    targets.iter().any(reaches).then_some(rep)
}

/// The reps that the owners of these kinds map to, each once, and what to say if none is eligible.
fn mapped_owners<'a>(
    team: &'a Team,
    kinds: &[OwnerKind],
    owners: &[OwnerRef],
) -> (Vec<&'a RepState>, TargetOutcome) {
    let mut reps: Vec<&RepState> = Vec::new();
    let mut missed = TargetOutcome::NoOwner;
    for kind in kinds {
        for owner in owners.iter().filter(|owner| owner.kind == *kind) {
            if let Some(rep) = mapped(team, owner) {
                missed = TargetOutcome::NoEligible;
                if !reps.iter().any(|other| other.record.uid == rep.record.uid) {
                    reps.push(rep);
                }
                continue;
            }
            missed = match (missed, owner.owner_type) {
                (TargetOutcome::NoEligible, _) => TargetOutcome::NoEligible,
                (_, OwnerType::User) | (TargetOutcome::OwnerNotARep, _) => {
                    TargetOutcome::OwnerNotARep
                }
                (_, OwnerType::Queue) => TargetOutcome::OwnerIsQueue,
            };
        }
    }
    (reps, missed)
}

/// The rep an owner is: by external id if that is known, else by email; a queue is nobody (S1-7).
fn mapped<'a>(team: &'a Team, owner: &OwnerRef) -> Option<&'a RepState> {
    match owner.owner_type {
        OwnerType::Queue => None,
        OwnerType::User => {
            let by_id = owner.external_id.as_ref().and_then(|id| team.reps.with_external_id(id));
            by_id.or_else(|| owner.email.as_ref().and_then(|email| team.reps.with_email(email)))
        }
    }
}

/// Whether none of the owners is this rep (S1-18).
pub(super) fn owner_changed(team: &Team, owners: &[OwnerRef], rep: RepUid) -> bool {
    let is_rep = |owner| mapped(team, owner).is_some_and(|owner| owner.record.uid == rep);
    !owners.iter().any(is_rep)
}
