//! Deciding whose turn it is for one contact.
//!
//! Owns the walk over the ordered targets, resolving each to candidates, and what a pick changes: the
//! cursor of the ring picked from, the rep's open count, the assignment with its decision. The walk
//! only reads; so a contact that nobody gets leaves every cursor where it was.

use std::sync::Arc;

use super::{
    Assignment, AssignmentId, AssignmentState, Cause, ContactId, Cursor, Decision, GroupId,
    OwnerKind, OwnerRef, OwnerType, Rejection, RepId, RequestKey, Skipped, Target, TargetKind,
    TargetOutcome, TargetTrace, Time, Via,
    filter::Conditions,
    group::RotationKey,
    record::{AssignmentRecord, RepUid},
    reps::RepState,
    select::{Candidate, Selection, select},
    state::{At, ENGINE_VERSION},
    team::{Done, Team},
};

/// Assigns, unless somebody has the same work already.
///
/// # Errors
///
/// [`Rejection::NotFound`], [`Rejection::CampaignNotRunning`].
pub(super) fn assign(
    team: &mut Team,
    request: Option<&RequestKey>,
    contact: &ContactId,
    via: &Via,
    owners: &[OwnerRef],
    at: At,
) -> Result<Done, Rejection> {
    let targets = team.targets_via(via)?;
    let work = (contact.clone(), via.clone());
    let waiting = match team.assignments.open(&work) {
        None => None,
        Some(record) => match record.assignment.state {
            AssignmentState::Assigned => return Ok(Done::Existing(Arc::clone(&record.assignment))),
            AssignmentState::Unassigned => Some(record.clone()),
        },
    };
    let rotation: RotationKey = match via {
        Via::DefaultRule => None,
        Via::Campaign(campaign) => Some(campaign.clone()),
    };
    let walk = walk(team, &targets, owners, &rotation, at.now);
    let rep = walk.pick.as_ref().map(|pick| pick.rep);
    if let Some(pick) = &walk.pick {
        team.reps.count_open(pick.rep);
        if let Some((group, slot)) = &pick.turn
            && let Some(group) = team.groups.get_mut(group)
        {
            group.picked(&mut team.sum, &rotation, *slot, at.now);
        }
    }
    let (contact, via) = work;
    let decided = |id: AssignmentId, create_time: Time| {
        let (state, name, cause, target_index) = match walk.pick {
            Some(pick) => {
                (AssignmentState::Assigned, Some(pick.name), pick.cause, Some(pick.index))
            }
            None => (AssignmentState::Unassigned, None, Cause::NoTarget, None),
        };
        Arc::new(Assignment {
            id,
            position: at.position,
            create_time,
            contact,
            via,
            owners: owners.to_vec(),
            state,
            rep: name,
            cause,
            target_index,
            owner_changed: walk.owner_changed,
            decision: Decision {
                time: at.now,
                engine_version: ENGINE_VERSION,
                targets: walk.traces,
            },
        })
    };
    if let Some(AssignmentRecord { assignment: old, rep: _, request, first }) = waiting {
        let assignment = decided(old.id, old.create_time);
        let first = first.or_else(|| request.is_some().then_some(old));
        let record = AssignmentRecord { assignment: Arc::clone(&assignment), rep, request, first };
        team.assignments.replace(&mut team.sum, record);
        return Ok(Done::Existing(assignment));
    }
    let id = AssignmentId::from(at.position);
    let assignment = decided(id, at.now);
    let record = AssignmentRecord { assignment, rep, request: request.cloned(), first: None };
    let reply = record.first_reply();
    if let Some(key) = request {
        team.requests.made(&mut team.sum, key, id);
    }
    team.assignments.insert(&mut team.sum, Arc::new(record));
    Ok(Done::Made(reply))
}

/// What the targets gave.
struct Walk {
    traces: Vec<TargetTrace>,
    pick: Option<Pick>,
    owner_changed: bool,
}

struct Pick {
    rep: RepUid,
    name: RepId,
    cause: Cause,
    /// Of the target, from 0.
    index: u32,
    /// The slot it used up, if it came from a ring.
    turn: Option<(GroupId, Cursor)>,
}

/// Tries the targets in order, until one gives somebody. Changes nothing.
fn walk(
    team: &Team,
    targets: &[Target],
    owners: &[OwnerRef],
    rotation: &RotationKey,
    now: Time,
) -> Walk {
    let mut traces = Vec::with_capacity(targets.len());
    for (index, target) in (0..).zip(targets) {
        let asked = Conditions { now, include_unavailable: target.include_unavailable };
        let (selection, cause, missed, ring) = match &target.kind {
            TargetKind::Owner(kinds) => {
                let (candidates, missed) = mapped_owners(team, kinds, owners);
                let selection = select(candidates.into_iter().map(without_slot), &asked);
                (selection, Cause::Owner, missed, None)
            }
            TargetKind::Rep(rep) => {
                let candidates = team.reps.find(rep).ok().into_iter().map(without_slot);
                (select(candidates, &asked), Cause::Rep, TargetOutcome::NoEligible, None)
            }
            TargetKind::Group(group) => {
                let cursor = team.groups.get(group).map(|group| group.cursor(rotation));
                let selection = from_ring(team, group, cursor.unwrap_or_default(), &asked);
                let ring = cursor.map(|cursor| (group, cursor));
                (selection, Cause::Rotation, TargetOutcome::NoEligible, ring)
            }
        };
        let Selection { pick, skipped } = selection;
        let before = ring.map(|(_, cursor)| cursor);
        let after = pick.and_then(|picked| picked.slot).or(before);
        let outcome = if pick.is_some() { TargetOutcome::Picked } else { missed };
        traces.push(trace(outcome, skipped, before, after));
        if let Some(Candidate { rep, load: _, slot }) = pick {
            let turn = ring.zip(slot).map(|((group, _), slot)| (group.clone(), slot));
            let name = rep.record.id.clone();
            let owner_changed = !owners.iter().any(|owner| is_owned_by(team, owner, rep));
            let pick = Pick { rep: rep.record.uid, name, cause, index, turn };
            return Walk { traces, pick: Some(pick), owner_changed };
        }
    }
    Walk { traces, pick: None, owner_changed: false }
}

/// Whose turn it is in a ring that stands at `cursor`. Changes nothing.
pub(super) fn from_ring<'a>(
    team: &'a Team,
    group: &GroupId,
    cursor: Cursor,
    asked: &Conditions,
) -> Selection<'a> {
    let ring = team.groups.get(group).map(|group| &group.ring);
    let slots = ring.into_iter().flat_map(|ring| ring.walk(cursor));
    let candidates = slots.filter_map(|(slot, rep)| {
        Some(Candidate { rep: team.reps.get(rep)?, load: 0, slot: Some(slot) })
    });
    select(candidates, asked)
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

fn is_owned_by(team: &Team, owner: &OwnerRef, rep: &RepState) -> bool {
    mapped(team, owner).is_some_and(|owner| owner.record.uid == rep.record.uid)
}

fn without_slot(rep: &RepState) -> Candidate<'_> {
    Candidate { rep, load: 0, slot: None }
}

fn trace(
    outcome: TargetOutcome,
    skipped: Skipped,
    cursor_before: Option<Cursor>,
    cursor_after: Option<Cursor>,
) -> TargetTrace {
    TargetTrace { outcome, skipped, cursor_before, cursor_after }
}
