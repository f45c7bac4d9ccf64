//! The one selection: among the candidates that no filter rejects, the one with the least
//! (load, ring distance).
//!
//! Candidates come in that order, from a list of reps or from a ring, so the first who passes the
//! filters is the pick. Nothing is changed here: what a pick moves is said, and done by the caller.

use super::{
    CampaignId, Cursor, MemberName, PassedOver, PickedOption, Reason, RepId, Skipped,
    filter::{self, Asked},
    group::{GroupState, Move, Rotation, name},
    limits::{NESTING_MAX, PASSED_OVER_NAMED_MAX},
    record::{Occupant, RepUid},
    reps::RepState,
    ring::{Ring, Turn},
    seats::Which,
    team::Team,
    visits::{Visit, Visits},
};

/// Who or what was picked.
#[derive(Debug, Clone)]
pub(super) enum Chosen {
    Rep(RepUid, RepId),
    Option(PickedOption),
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection {
    pub(super) chosen: Option<Chosen>,
    pub(super) skipped: Skipped,
    /// What the pick moves, outermost ring first; empty if it came from a list.
    pub(super) moves: Vec<Move>,
    /// Where the ring stands, if it came from one.
    pub(super) cursor: Option<Cursor>,
}

/// Picks the first of a list who may have it.
pub(super) fn from_list<'a>(
    reps: impl Iterator<Item = &'a RepState>,
    asked: &Asked<'_>,
) -> Selection {
    let mut skipped = Skipped::default();
    for rep in reps {
        match filter::reason(&rep.standing(false), asked) {
            None => {
                let chosen = Chosen::Rep(rep.record.uid, rep.record.id.clone());
                return Selection { chosen: Some(chosen), skipped, ..Selection::default() };
            }
            Some(reason) => {
                skipped.total += 1;
                if skipped.named.len() < PASSED_OVER_NAMED_MAX {
                    skipped.named.push(PassedOver { rep: rep.record.id.clone(), reason });
                }
            }
        }
    }
    Selection { skipped, ..Selection::default() }
}

/// Picks whose turn it is in a group's ring.
pub(super) fn from_ring(
    team: &Team,
    group: &GroupState,
    campaign: Option<&CampaignId>,
    asked: &Asked<'_>,
) -> Selection {
    nested(team, group, campaign, asked, NESTING_MAX)
}

fn nested(
    team: &Team,
    group: &GroupState,
    campaign: Option<&CampaignId>,
    asked: &Asked<'_>,
    depth: usize,
) -> Selection {
    let key = group.rotation_key(campaign);
    let rotation = group.rotations.get(&key);
    let cursor = group.cursor_of(rotation, asked.now);
    let found = if group.is_by_load() {
        by_load(group, cursor, asked)
    } else {
        by_turn(&group.ring, rotation, cursor, asked)
    };
    let skipped = skipped(team, group, cursor, &found, asked);
    let Some(Found { slot, occupant, by_credit, credits, came_round: _ }) = found else {
        return Selection { skipped, cursor: Some(cursor), ..Selection::default() };
    };
    let after = if by_credit { cursor } else { slot };
    let step = Move {
        group: group.record.id.clone(),
        rotation: key,
        key: slot.key,
        before: cursor,
        after,
        credits,
    };
    let (chosen, inner) = match occupant {
        Occupant::Rep(uid) => match name(occupant, &team.reps) {
            Some(MemberName::Rep(id)) => (Some(Chosen::Rep(*uid, id)), Vec::new()),
            Some(MemberName::Option(_) | MemberName::Group(_)) | None => (None, Vec::new()),
        },
        Occupant::Option(option) => {
            let payload = group.payload(slot.key).to_string();
            let group = group.record.id.clone();
            let picked = PickedOption { group, option: option.clone(), payload };
            (Some(Chosen::Option(picked)), Vec::new())
        }
        Occupant::Group(inner) => match (team.groups.get(inner), depth.checked_sub(1)) {
            (Some(inner), Some(depth)) => {
                let Selection { chosen, moves, .. } = nested(team, inner, campaign, asked, depth);
                (chosen, moves)
            }
            (Some(_) | None, _) => (None, Vec::new()),
        },
    };
    let moves = std::iter::once(step).chain(inner).collect();
    Selection { chosen, skipped, moves, cursor: Some(cursor) }
}

/// Whose turn it was found to be.
struct Found<'a> {
    slot: Cursor,
    occupant: &'a Occupant,
    /// It was owed to them: the cursor stays.
    by_credit: bool,
    /// What becomes of credits.
    credits: Vec<(u64, i32)>,
    /// The walk passed its start on the way to them, and so everybody.
    came_round: bool,
}

/// The least load, among equals the nearest.
fn by_load<'a>(group: &'a GroupState, cursor: Cursor, asked: &Asked<'_>) -> Option<Found<'a>> {
    let mut turns = group.ring.walk_by_load(cursor, asked.limit).map(|(_, turn)| turn);
    let Turn { slot, occupant, .. } = turns.find(|turn| !bars(asked, turn.occupant))?;
    Some(Found { slot, occupant, by_credit: false, credits: Vec::new(), came_round: false })
}

/// The nearest; before that, whoever is owed a turn; not whoever owes one.
///
/// Costs a descent, and one for each member with credits: a credit is one turn, but the turns that are
/// passed over to pay it are counted, not walked.
fn by_turn<'a>(
    ring: &'a Ring,
    rotation: Option<&'a Rotation>,
    cursor: Cursor,
    asked: &Asked<'_>,
) -> Option<Found<'a>> {
    let may_have_it = |turn: &Turn<'_>| !bars(asked, turn.occupant);
    let credits = rotation.map(|rotation| &rotation.credits);
    let Some(credits) = credits.filter(|credits| !credits.is_empty()) else {
        let which = Which::UpTo(asked.limit);
        let next = ring.next(cursor, which)?;
        let found = Some(next).filter(may_have_it);
        let found = found.or_else(|| ring.walk(cursor, which).find(may_have_it));
        let Turn { slot, occupant, .. } = found?;
        return Some(Found {
            slot,
            occupant,
            by_credit: false,
            credits: Vec::new(),
            came_round: false,
        });
    };
    let eligible = credits.iter().filter_map(|(key, credits)| {
        let occupant = ring.at(*key)?;
        let seat = ring.seat(occupant)?;
        let is_eligible = ring.class(seat)? <= asked.limit && !bars(asked, occupant);
        is_eligible.then_some((occupant, seat, *credits))
    });
    let (owed, owing): (Vec<_>, Vec<_>) = eligible.partition(|(_, _, credits)| *credits > 0);
    let owed = owed.into_iter().filter_map(|(occupant, seat, credits)| {
        let turn = ring.turn_of(cursor, occupant, seat)?;
        Some((turn, credits - 1))
    });
    if let Some((turn, left)) = owed.min_by_key(|(turn, _)| turn.distance()) {
        let Turn { slot, occupant, .. } = turn;
        let credits = vec![(slot.key, left)];
        return Some(Found { slot, occupant, by_credit: true, credits, came_round: false });
    }
    let owes_nothing = |turn: &Turn<'_>| may_have_it(turn) && !credits.contains_key(&turn.slot.key);
    let first = ring.walk(cursor, Which::UpTo(asked.limit)).find(owes_nothing);
    let first = first.map(|turn| (Visit::first(cursor, turn.slot), turn.occupant));
    let with_visits = |(occupant, seat, credits)| {
        (occupant, Visits::new(cursor, seat, ring.rounds(seat)), credits)
    };
    let owing: Vec<(&Occupant, Visits, i32)> = owing.into_iter().map(with_visits).collect();
    // Who owes n turns can be served at the visit after n others.
    let paid_up = owing
        .iter()
        .map(|(occupant, visits, credits)| (visits.nth(credits.unsigned_abs()), *occupant));
    let (visit, occupant) = paid_up.chain(first).min_by_key(|(visit, _)| *visit)?;
    let pays = |(_, visits, credits): &(&Occupant, Visits, i32)| {
        let paid = i32::try_from(visits.before(visit)).unwrap_or(i32::MAX);
        (paid > 0).then(|| (visits.key, credits.saturating_add(paid)))
    };
    let credits = owing.iter().filter_map(pays).collect();
    let came_round = visit.is_round(cursor);
    Some(Found { slot: visit.slot, occupant, by_credit: false, credits, came_round })
}

/// Whether this contact can't go to the member, whatever their class.
fn bars(asked: &Asked<'_>, occupant: &Occupant) -> bool {
    match occupant {
        Occupant::Rep(uid) => asked.bars(*uid),
        Occupant::Option(_) | Occupant::Group(_) => false,
    }
}

/// The slot that comes next, whoever's it is.
fn next_slot(ring: &Ring, cursor: Cursor) -> Option<Cursor> {
    ring.next(cursor, Which::All).map(|turn| turn.slot)
}

/// Who was passed over: those before the pick; where load decides, and where nobody was picked, all
/// who can't have it.
fn skipped(
    team: &Team,
    group: &GroupState,
    cursor: Cursor,
    found: &Option<Found<'_>>,
    asked: &Asked<'_>,
) -> Skipped {
    let ring = &group.ring;
    let passed_over = |turn: &Turn<'_>| match turn.occupant {
        Occupant::Rep(uid) => {
            let rep = team.reps.get(*uid)?;
            let standing = rep.standing(group.is_capped(turn.slot.key, asked.now));
            let reason = filter::reason(&standing, asked).unwrap_or(Reason::Credit);
            Some(PassedOver { rep: rep.record.id.clone(), reason })
        }
        Occupant::Option(_) | Occupant::Group(_) => None,
    };
    let first = |turns: &mut dyn Iterator<Item = Turn<'_>>, total: u64| {
        let most = usize::try_from(total).unwrap_or(usize::MAX).min(PASSED_OVER_NAMED_MAX);
        let named = turns.take(most).filter_map(|turn| passed_over(&turn)).collect();
        Skipped { named, total }
    };
    if group.is_by_load() {
        // Those of the classes beyond the limit, and those below whom this contact can't go to.
        let individually: Vec<Occupant> = asked.barred().map(Occupant::Rep).collect();
        let barred = individually.iter().filter_map(|occupant| {
            let seat = ring.seat(occupant)?;
            let leg = usize::from(seat.key <= cursor.key);
            let slot = Cursor { round: 0, key: seat.key };
            (ring.class(seat)? <= asked.limit).then_some(Turn { leg, slot, occupant })
        });
        let mut turns: Vec<Turn<'_>> = barred.collect();
        let beyond = Which::Beyond(asked.limit);
        let count = u64::try_from(turns.len()).unwrap_or(u64::MAX);
        let total = ring.count(beyond) + count;
        turns.extend(ring.walk_singly(cursor, beyond).take(PASSED_OVER_NAMED_MAX));
        turns.sort_by_key(Turn::distance);
        return first(&mut turns.into_iter(), total);
    }
    let total = match found {
        None => ring.count(Which::All),
        Some(found) if found.by_credit => 0,
        Some(found) if found.came_round => ring.count(Which::All),
        // The next one, as it mostly is.
        Some(found) if next_slot(ring, cursor) == Some(found.slot) => 0,
        Some(found) => ring.count_before(cursor, found.slot),
    };
    if total == 0 {
        return Skipped::default();
    }
    first(&mut ring.walk(cursor, Which::All), total)
}
