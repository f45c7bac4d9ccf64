//! The one selection: among the candidates that no filter rejects, the one with the least
//! (load, ring distance).
//!
//! Candidates come in that order, from a list of reps or from a ring, so the first who passes the
//! filters is the pick. Nothing is changed here: what a pick moves is said, and done by the caller.

use super::{
    CampaignId, Cursor, MemberName, PassedOver, PickedOption, Reason, RepId, Skipped,
    filter::{self, Asked},
    group::{GroupState, Move, name},
    limits::{NESTING_MAX, PASSED_OVER_NAMED_MAX},
    record::{Occupant, RepUid},
    reps::RepState,
    ring::{Ring, Turn},
    seats::Which,
    team::Team,
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
                return Selection { chosen: Some(chosen), skipped, moves: Vec::new() };
            }
            Some(reason) => {
                skipped.total += 1;
                if skipped.named.len() < PASSED_OVER_NAMED_MAX {
                    skipped.named.push(PassedOver { rep: rep.record.id.clone(), reason });
                }
            }
        }
    }
    Selection { chosen: None, skipped, moves: Vec::new() }
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
    let rotation = group.rotation_key(campaign);
    let cursor = group.cursor(&rotation, asked.now);
    let found = if group.is_by_load() {
        by_load(group, cursor, asked)
    } else {
        by_turn(group, &rotation, cursor, asked)
    };
    let skipped = skipped(team, group, cursor, &found, asked);
    let Some(Found { turn, by_credit, credits, came_round: _ }) = found else {
        return Selection { chosen: None, skipped, moves: Vec::new() };
    };
    let after = if by_credit { cursor } else { turn.slot };
    let step = Move {
        group: group.record.id.clone(),
        rotation,
        key: turn.slot.key,
        before: cursor,
        after,
        credits,
    };
    let (chosen, inner) = match turn.occupant {
        Occupant::Rep(uid) => match name(turn.occupant, &team.reps) {
            Some(MemberName::Rep(id)) => (Some(Chosen::Rep(*uid, id)), Vec::new()),
            Some(MemberName::Option(_) | MemberName::Group(_)) | None => (None, Vec::new()),
        },
        Occupant::Option(option) => {
            let payload = group.payload(turn.slot.key).to_string();
            let group = group.record.id.clone();
            let picked = PickedOption { group, option: option.clone(), payload };
            (Some(Chosen::Option(picked)), Vec::new())
        }
        Occupant::Group(inner) => match (team.groups.get(inner), depth.checked_sub(1)) {
            (Some(inner), Some(depth)) => {
                let Selection { chosen, skipped: _, moves } =
                    nested(team, inner, campaign, asked, depth);
                (chosen, moves)
            }
            (Some(_) | None, _) => (None, Vec::new()),
        },
    };
    let moves = std::iter::once(step).chain(inner).collect();
    Selection { chosen, skipped, moves }
}

/// Whose turn it was found to be.
struct Found<'a> {
    turn: Turn<'a>,
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
    let turn = turns.find(|turn| !bars(asked, turn))?;
    Some(Found { turn, by_credit: false, credits: Vec::new(), came_round: false })
}

/// The nearest; before that, whoever is owed a turn; not whoever owes one.
fn by_turn<'a>(
    group: &'a GroupState,
    rotation: &Option<CampaignId>,
    cursor: Cursor,
    asked: &Asked<'_>,
) -> Option<Found<'a>> {
    let ring = &group.ring;
    let which = Which::UpTo(asked.limit);
    let none = imbl::OrdMap::new();
    let credits = group.rotations.get(rotation).map_or(&none, |rotation| &rotation.credits);
    let owed = credits.iter().filter(|(_, credits)| **credits > 0).filter_map(|(key, credits)| {
        let occupant = ring.at(*key)?;
        let seat = ring.seat(occupant)?;
        let turn = ring.turn_of(cursor, occupant, seat)?;
        let eligible = ring.class(seat)? <= asked.limit && !bars(asked, &turn);
        eligible.then_some((turn, *credits))
    });
    if let Some((turn, credits)) = owed.min_by_key(|(turn, _)| turn.distance()) {
        let credits = vec![(turn.slot.key, credits - 1)];
        return Some(Found { turn, by_credit: true, credits, came_round: false });
    }
    // From slot to slot: a credit is one turn, and a member of some weight has several.
    let mut paid: Vec<(u64, i32)> = Vec::new();
    let (mut at, mut came_round) = (cursor, false);
    loop {
        let turn = ring.walk(at, which).find(|turn| !bars(asked, turn))?;
        came_round |= !paid.is_empty() && place(cursor, turn.slot) <= place(cursor, at);
        at = turn.slot;
        let owner = paid.iter_mut().find(|(key, _)| *key == at.key);
        let owes = match &owner {
            Some((_, left)) => *left,
            None => credits.get(&at.key).copied().unwrap_or(0),
        };
        if owes >= 0 {
            let found = Found { turn, by_credit: false, credits: paid, came_round };
            return Some(found);
        }
        match owner {
            Some((_, left)) => *left += 1,
            None => paid.push((at.key, owes + 1)),
        }
    }
}

/// Orders slots by when a walk from the cursor comes to them first.
fn place(cursor: Cursor, slot: Cursor) -> (bool, Cursor) {
    (slot <= cursor, slot)
}

/// Whether this contact can't go to the member, whatever their class.
fn bars(asked: &Asked<'_>, turn: &Turn<'_>) -> bool {
    match turn.occupant {
        Occupant::Rep(uid) => asked.bars(*uid),
        Occupant::Option(_) | Occupant::Group(_) => false,
    }
}

/// The turn at which a walk from the cursor first comes to the member.
fn first_turn<'a>(ring: &'a Ring, cursor: Cursor, turn: &Turn<'a>) -> Option<Turn<'a>> {
    ring.turn_of(cursor, turn.occupant, ring.seat(turn.occupant)?)
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
        let individually = asked.rejected.iter().copied().chain(asked.excluded);
        let mut barred: Vec<(Turn<'_>, Occupant)> = Vec::new();
        let individually: Vec<Occupant> = individually.map(Occupant::Rep).collect();
        for occupant in &individually {
            let Some(seat) = ring.seat(occupant) else { continue };
            let known = barred.iter().any(|(_, other)| other == occupant);
            if !known && ring.class(seat).is_some_and(|class| class <= asked.limit) {
                let leg = usize::from(seat.key <= cursor.key);
                let slot = Cursor { round: 0, key: seat.key };
                barred.push((Turn { leg, slot, occupant }, occupant.clone()));
            }
        }
        let beyond = Which::Beyond(asked.limit);
        let count = u64::try_from(barred.len()).unwrap_or(u64::MAX);
        let total = ring.count(beyond) + count;
        let mut turns: Vec<Turn<'_>> = barred.iter().map(|(turn, _)| *turn).collect();
        turns.extend(ring.walk_singly(cursor, beyond).take(PASSED_OVER_NAMED_MAX));
        turns.sort_by_key(Turn::distance);
        return first(&mut turns.into_iter(), total);
    }
    let total = match found {
        None => ring.count(Which::All),
        Some(found) if found.by_credit => 0,
        Some(found) if found.came_round => ring.count(Which::All),
        Some(Found { turn, credits, .. }) => match first_turn(ring, cursor, turn) {
            Some(first) if first.slot == turn.slot => ring.count_before(cursor, &first, Which::All),
            // They were passed over themselves, at an earlier slot.
            Some(_) | None => {
                debug_assert!(credits.iter().any(|(key, _)| *key == turn.slot.key));
                let before =
                    |other: &Turn<'_>| place(cursor, other.slot) < place(cursor, turn.slot);
                let passed = ring.walk(cursor, Which::All).take_while(before);
                u64::try_from(passed.count()).unwrap_or(u64::MAX)
            }
        },
    };
    first(&mut ring.walk(cursor, Which::All), total)
}
