//! What would happen: ordinary commands on a copy of the state, which is then thrown away.

use super::{
    Assign, Assigned, Command, ContactId, GroupId, LogPosition, MemberName, Operation, Outcome,
    Principal, Rejection, Stamp, State, TeamId, Time,
    filter::{Asked, Class},
    group::{RotationKey, name},
    record::Occupant,
    select::from_ring,
    team::Team,
};

/// What to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// Changes to suppose first, as ordinary operations, in order.
    pub changes: Vec<Operation>,
    /// Whom to route then.
    pub assign: Assign,
    /// How many contacts in a row: the first is `assign`, the others differ from all by their contact.
    pub count: usize,
}

impl Preview {
    /// Where what is only supposed is said to have happened: beyond every index of a log.
    pub const LOG_INDEX: u64 = u64::MAX;
}

impl State {
    /// What assigning would give, if nothing else happened: the very answers that the calls would get
    /// (P7), but for their ids. Changes nothing.
    ///
    /// # Errors
    ///
    /// The [`Rejection`] of the first change, or assign, that would be refused.
    pub fn preview(
        &self,
        team: &TeamId,
        preview: &Preview,
        now: Time,
    ) -> Result<Vec<Assigned>, Rejection> {
        let mut copy = self.clone();
        let mut seq = 0;
        let mut perform = |operation: Operation| {
            let command = Command {
                request: None,
                principal: Principal::default(),
                team: team.clone(),
                etag: None,
                operation,
            };
            let position = LogPosition { log_index: Preview::LOG_INDEX, seq, term: u64::MAX };
            seq += 1;
            copy.apply(&command, Stamp { time: now, position })
        };
        for change in &preview.changes {
            perform(change.clone())?;
        }
        let mut picks = Vec::with_capacity(preview.count);
        for n in 0..preview.count {
            let mut assign = preview.assign.clone();
            if n > 0 {
                // No caller can name a contact so.
                assign.contact = ContactId::new(&format!("{} {n}", preview.assign.contact));
            }
            if let Outcome::Assigned(assigned) = perform(Operation::AssignContact(assign))?.outcome
            {
                picks.push(assigned);
            }
        }
        Ok(picks)
    }
}

impl Team {
    /// Who would be picked next from a ring, by a target that asks for nothing special.
    pub(super) fn next_members(
        &self,
        id: &GroupId,
        key: &RotationKey,
        count: usize,
        now: Time,
    ) -> Vec<MemberName> {
        let mut copy = self.clone();
        copy.refresh(now);
        let mut members = Vec::new();
        while members.len() < count {
            let Some(group) = copy.groups.get(id) else { break };
            let limit = Class::limit(false, group.record.require_online);
            let asked = Asked { limit, ..Asked::strict(now) };
            let moves = from_ring(&copy, group, key.as_ref(), &asked).moves;
            let Some(step) = moves.first() else { break };
            let Some(occupant) = group.ring.at(step.key).cloned() else { break };
            members.extend(name(&occupant, &self.reps));
            moves.iter().for_each(|step| copy.turn(step, now));
            if let Occupant::Rep(uid) = occupant {
                copy.holds(uid, true, now);
            }
        }
        members
    }
}
