//! The steps of an assignment's life after it was made: accept, reject, claim, reassign, unassign,
//! close, cancel. Each refuses before it changes anything.

use std::sync::Arc;

use super::{
    AssignmentId, AssignmentState, Cause, Rejection, RepId, ResourceKind, Via,
    assign::traveller,
    assignments::held,
    record::{AssignmentRecord, RepUid},
    reps::RepState,
    state::At,
    team::{Done, Targets, Team},
    walk::{Start, walk},
};

/// A step that somebody asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) id: AssignmentId,
    pub(super) by: &'a str,
    pub(super) at: At,
}

impl Team {
    pub(super) fn accept(
        &mut self,
        rep: Option<&RepId>,
        asked: Asked<'_>,
    ) -> Result<Done, Rejection> {
        let mut record = self.offered(asked.id, rep)?;
        let assignment = Arc::make_mut(&mut record.assignment);
        assignment.state = AssignmentState::Assigned;
        assignment.offer_end = None;
        assignment.wait_end = None;
        self.done(record, Cause::Accept, asked)
    }

    /// The drain that follows every command offers it to the next.
    pub(super) fn reject(
        &mut self,
        rep: Option<&RepId>,
        asked: Asked<'_>,
    ) -> Result<Done, Rejection> {
        let record = self.offered(asked.id, rep)?;
        self.take_back_offer(&record, Cause::Reject, asked.by, asked.at);
        Ok(Done::Step(asked.id))
    }

    pub(super) fn claim(&mut self, rep: &RepId, asked: Asked<'_>) -> Result<Done, Rejection> {
        let record = self.assignment(asked.id)?;
        let (uid, rep) = self.assignable(rep)?;
        match record.assignment.state {
            AssignmentState::Pending | AssignmentState::Unassigned => {}
            state @ (AssignmentState::Offered
            | AssignmentState::Assigned
            | AssignmentState::Closed
            | AssignmentState::Cancelled) => {
                return Err(Rejection::AlreadyClaimed { assignment: asked.id, state });
            }
        }
        self.give(record, uid, &rep, Cause::Claim, asked.by, asked.at);
        Ok(Done::Step(asked.id))
    }

    /// To a rep; or by its own targets from the first, without the rep who has it. A cancelled campaign
    /// routes nothing, so nothing anew; where a person decides, it does not matter.
    pub(super) fn reassign(
        &mut self,
        to: Option<&RepId>,
        asked: Asked<'_>,
    ) -> Result<Done, Rejection> {
        let record = self.assignment(asked.id)?;
        let to = to.map(|rep| self.assignable(rep)).transpose()?;
        let state = record.assignment.state;
        if !state.is_open() {
            return Err(Rejection::WrongAssignmentState { assignment: asked.id, state });
        }
        match to {
            Some((uid, rep)) => {
                self.give(record, uid, &rep, Cause::Reassign, asked.by, asked.at);
            }
            None => {
                self.check_routes(&record.assignment.via)?;
                self.reroute(record, asked.by, asked.at);
            }
        }
        Ok(Done::Step(asked.id))
    }

    /// Walks the targets again from the first, without the rep who has it.
    pub(super) fn reroute(&mut self, mut record: AssignmentRecord, by: &str, at: At) {
        let is_manual = matches!(record.assignment.via, Via::Rep(_));
        let via = if is_manual { &Via::DefaultRule } else { &record.assignment.via };
        let targets = self.standing_targets(via).unwrap_or(Targets::None);
        let from = held(&record);
        self.lets_go(&record, at);
        record.excluded = from;
        let walk = walk(self, &targets, &traveller(&record, at.now), Start::First);
        self.settle(record, Vec::new(), walk, by, at);
    }

    pub(super) fn unassign(&mut self, asked: Asked<'_>) -> Result<Done, Rejection> {
        let mut record = self.in_state(asked.id, &[AssignmentState::Assigned])?;
        let from = clear(&mut record, Cause::Unassign);
        self.step(record, Cause::Unassign, from, asked.by, asked.at);
        Ok(Done::Step(asked.id))
    }

    pub(super) fn close(&mut self, asked: Asked<'_>) -> Result<Done, Rejection> {
        let mut record = self.in_state(asked.id, &[AssignmentState::Assigned])?;
        Arc::make_mut(&mut record.assignment).state = AssignmentState::Closed;
        self.done(record, Cause::Close, asked)
    }

    pub(super) fn cancel(&mut self, asked: Asked<'_>) -> Result<Done, Rejection> {
        use AssignmentState::{Assigned, Offered, Pending, Unassigned};
        let open = [Pending, Offered, Assigned, Unassigned];
        let mut record = self.in_state(asked.id, &open)?;
        let assignment = Arc::make_mut(&mut record.assignment);
        assignment.state = AssignmentState::Cancelled;
        assignment.cause = Cause::Cancel;
        assignment.wait_end = None;
        assignment.offer_end = None;
        self.done(record, Cause::Cancel, asked)
    }

    /// PENDING and OFFERED to UNASSIGNED: nobody will be tried for it any more.
    pub(super) fn strand(&mut self, id: AssignmentId, cause: Cause, by: &str, at: At) {
        let Some(record) = self.assignments.get(id) else { return };
        let mut record = self.remembering_first(&record);
        let from = clear(&mut record, cause);
        self.step(record, cause, from, by, at);
    }

    /// Starts a waiting one again at the first target, as its targets have changed; one that is offered
    /// does so if it comes back.
    pub(super) fn restart(&mut self, id: AssignmentId, by: &str, at: At) {
        let Some(record) = self.assignments.get(id) else { return };
        match record.assignment.state {
            AssignmentState::Pending => {
                let record = self.remembering_first(&record);
                let via = &record.assignment.via;
                let targets = self.standing_targets(via).unwrap_or(Targets::None);
                let walk = walk(self, &targets, &traveller(&record, at.now), Start::First);
                self.settle(record, Vec::new(), walk, by, at);
            }
            AssignmentState::Offered => {
                let marked = AssignmentRecord { starts_again: true, ..(*record).clone() };
                self.assignments.put(&mut self.sum, Arc::new(marked));
            }
            AssignmentState::Assigned
            | AssignmentState::Unassigned
            | AssignmentState::Closed
            | AssignmentState::Cancelled => {}
        }
    }

    fn done(
        &mut self,
        record: AssignmentRecord,
        cause: Cause,
        asked: Asked<'_>,
    ) -> Result<Done, Rejection> {
        let rep = record.assignment.rep.clone();
        self.step(record, cause, rep, asked.by, asked.at);
        Ok(Done::Step(asked.id))
    }

    /// Frees the capacity that an assignment takes before it is routed anew. Nothing is told: the step
    /// that follows says what became of it.
    fn lets_go(&mut self, record: &AssignmentRecord, at: At) {
        let Some(rep) = held(record) else { return };
        self.taken = Some(Arc::clone(&record.assignment));
        let mut free = record.clone();
        free.rep = None;
        let assignment = Arc::make_mut(&mut free.assignment);
        assignment.state = AssignmentState::Unassigned;
        assignment.offer_end = None;
        self.assignments.put(&mut self.sum, Arc::new(free));
        self.holds(rep, false, at.now);
    }

    /// A copy to change of one that is offered, to this rep if one is named. By the rep and not by the
    /// name: who got the id of a deleted rep has none of their offers.
    fn offered(&self, id: AssignmentId, to: Option<&RepId>) -> Result<AssignmentRecord, Rejection> {
        self.assignment(id)?;
        let to = to.map(|rep| self.reps.find(rep)).transpose()?;
        let record = self.in_state(id, &[AssignmentState::Offered])?;
        match to {
            Some(RepState { record: rep, .. }) if record.rep != Some(rep.uid) => {
                Err(Rejection::NotOffered { assignment: id, rep: rep.id.clone() })
            }
            Some(_) | None => Ok(record),
        }
    }

    /// A copy to change of one in one of these states.
    fn in_state(
        &self,
        id: AssignmentId,
        states: &[AssignmentState],
    ) -> Result<AssignmentRecord, Rejection> {
        let record = self.assignment(id)?;
        let state = record.assignment.state;
        if states.contains(&state) {
            Ok(record)
        } else {
            Err(Rejection::WrongAssignmentState { assignment: id, state })
        }
    }

    /// A copy to change.
    fn assignment(&self, id: AssignmentId) -> Result<AssignmentRecord, Rejection> {
        let not_found =
            || Rejection::NotFound { kind: ResourceKind::Assignment, id: id.to_string() };
        let record = self.assignments.get(id).ok_or_else(not_found)?;
        Ok(self.remembering_first(&record))
    }
}

/// Takes an assignment from whoever has it; gives who that was.
fn clear(record: &mut AssignmentRecord, cause: Cause) -> Option<RepId> {
    record.rep = None::<RepUid>;
    record.excluded = None;
    record.starts_again = false;
    let assignment = Arc::make_mut(&mut record.assignment);
    assignment.state = AssignmentState::Unassigned;
    assignment.cause = cause;
    assignment.target_index = None;
    assignment.owner_changed = false;
    assignment.wait_end = None;
    assignment.offer_end = None;
    assignment.rep.take()
}
