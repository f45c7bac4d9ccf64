//! The steps of an assignment's life: made, lapsed, drained, and what people do with it.

use turnwise::routing::{
    Assign, AssignmentId, AssignmentState, Cause, Operation, RepId, Time, Via,
};

use super::{Assignment, At, Refusal, Routed, Seen, Team, Work};

impl Team {
    /// Offers that nobody took in time go back to where they came from.
    pub(super) fn let_lapse(&mut self, at: At) {
        for work in 0..self.work.len() {
            if self.work[work].shown.offer_end.is_some_and(|end| end.0 <= at.now) {
                self.refuse_offer(work, at);
            }
        }
    }

    fn refuse_offer(&mut self, work: usize, at: At) {
        let Work { shown, rep, .. } = self.work[work].clone();
        self.work[work].rejected.extend(rep);
        self.work[work].shown.rejected_by.extend(shown.rep);
        let index = usize::try_from(shown.target_index.unwrap()).unwrap();
        self.hold(work, index, at);
    }

    /// Serves those who wait: the most urgent first, then the oldest.
    pub(super) fn drain(&mut self, at: At) {
        let pending = |work: &usize| self.work[*work].shown.state == AssignmentState::Pending;
        let mut waiting: Vec<usize> = (0..self.work.len()).filter(pending).collect();
        waiting.sort_by_key(|work| {
            let shown = &self.work[*work].shown;
            (-i64::from(shown.priority), shown.id)
        });
        for work in waiting {
            self.try_again(work, at);
        }
    }

    /// One contact, the `item`th of its command.
    pub(super) fn assign(&mut self, asked: &Assign, item: u32, at: At) -> Result<Routed, Refusal> {
        let Assign { contact, via, owners, prefer_last_rep, priority, labels: _ } = asked;
        self.setup.targets_of(via)?;
        self.setup.check_runs(via)?;
        let given_to = match via {
            Via::Rep(rep) => Some(self.setup.enabled_rep(rep)?),
            Via::DefaultRule | Via::Campaign(_) | Via::Rule(_) | Via::Group(_) => None,
        };
        let same = |w: &Work| {
            w.shown.contact == *contact && w.shown.via == *via && w.shown.state.is_open()
        };
        let there = self.work.iter().position(same);
        let existing = there.is_some();
        if let Some(work) = there
            && self.work[work].shown.state != AssignmentState::Unassigned
        {
            return Ok(Routed { existing, assignment: self.work[work].shown.clone() });
        }
        let work = there.unwrap_or_else(|| {
            let place = (at.position.log_index, at.position.seq);
            let id = AssignmentId { log_index: place.0, seq: place.1, item };
            self.work.push(Work::new(id, asked, at));
            self.work.len() - 1
        });
        let shown = &mut self.work[work].shown;
        shown.owners.clone_from(owners);
        shown.prefer_last_rep = *prefer_last_rep;
        shown.priority = *priority;
        self.work[work].excluded = None;
        match given_to {
            Some(rep) => self.give_by_hand(work, rep, Cause::Manual, at),
            None => self.walk(work, 0, at),
        }
        Ok(Routed { existing, assignment: self.work[work].shown.clone() })
    }

    /// All of them, or nothing.
    pub(super) fn batch(&mut self, items: &[Assign], at: At) -> Seen {
        let before = (self.setup.clone(), self.work.clone());
        let mut routed = Vec::new();
        for (item, asked) in (0..).zip(items) {
            match self.assign(asked, item, at) {
                Ok(one) => routed.push(one),
                Err(name) => {
                    (self.setup, self.work) = before;
                    return Seen::Refused(format!("Item {item} {name}"));
                }
            }
        }
        Seen::Batch(at.position, routed)
    }

    /// A step of one assignment's life; its place in the list.
    pub(super) fn step(
        &mut self,
        id: AssignmentId,
        operation: &Operation,
        at: At,
    ) -> Result<usize, Refusal> {
        use AssignmentState::{Assigned, Cancelled, Closed, Offered, Pending, Unassigned};
        let work = self.work.iter().position(|w| w.shown.id == id).ok_or("NotFound")?;
        let state = self.work[work].shown.state;
        let needs = |allowed: &[AssignmentState], refusal: Refusal| {
            if allowed.contains(&state) { Ok(()) } else { Err(refusal) }
        };
        let open = [Pending, Offered, Assigned, Unassigned];
        match operation {
            Operation::AcceptAssignment { rep, .. } => {
                let named = rep.as_ref().map(|rep| self.setup.rep(rep).map(|rep| rep.number));
                let named = named.transpose()?;
                needs(&[Offered], "WrongAssignmentState")?;
                if named.is_some() && self.work[work].rep != named {
                    return Err("NotOffered");
                }
                let shown = &mut self.work[work].shown;
                shown.state = Assigned;
                shown.offer_end = None;
                shown.position = at.position;
            }
            Operation::RejectAssignment { rep, .. } => {
                let named = rep.as_ref().map(|rep| self.setup.rep(rep).map(|rep| rep.number));
                let named = named.transpose()?;
                needs(&[Offered], "WrongAssignmentState")?;
                if named.is_some() && self.work[work].rep != named {
                    return Err("NotOffered");
                }
                self.refuse_offer(work, at);
            }
            Operation::ClaimAssignment { rep, .. } => {
                let rep = self.setup.enabled_rep(rep)?;
                needs(&[Pending, Unassigned], "AlreadyClaimed")?;
                self.give_by_hand(work, rep, Cause::Claim, at);
            }
            Operation::ReassignAssignment { to: Some(rep), .. } => {
                let rep = self.setup.enabled_rep(rep)?;
                needs(&open, "WrongAssignmentState")?;
                self.give_by_hand(work, rep, Cause::Reassign, at);
            }
            Operation::ReassignAssignment { to: None, .. } => {
                needs(&open, "WrongAssignmentState")?;
                let via = self.work[work].shown.via.clone();
                // One that is gone routes nothing either, but refuses nothing.
                if self.setup.check_runs(&via) == Err("CampaignNotRunning") {
                    return Err("CampaignNotRunning");
                }
                self.reroute(work, at);
            }
            Operation::UnassignAssignment { .. } => {
                needs(&[Assigned], "WrongAssignmentState")?;
                self.leave(work, Cause::Unassign, at);
            }
            Operation::CloseAssignment { .. } => {
                needs(&[Assigned], "WrongAssignmentState")?;
                self.end(work, Closed, at);
            }
            Operation::CancelAssignment { .. } => {
                needs(&open, "WrongAssignmentState")?;
                self.end(work, Cancelled, at);
                self.work[work].shown.cause = Cause::Cancel;
            }
            other => unreachable!("{other:?}"),
        }
        Ok(work)
    }

    fn end(&mut self, work: usize, state: AssignmentState, at: At) {
        let work = &mut self.work[work];
        work.ended = Some(at.now);
        let shown = &mut work.shown;
        (shown.state, shown.position) = (state, at.position);
        (shown.wait_end, shown.offer_end) = (None, None);
    }

    fn give_by_hand(&mut self, work: usize, (number, rep): (usize, RepId), cause: Cause, at: At) {
        self.leave(work, cause, at);
        let owners = self.work[work].shown.owners.clone();
        let work = &mut self.work[work];
        work.rep = Some(number);
        work.from_start = false;
        let shown = &mut work.shown;
        shown.owner_changed = !self.setup.owned_by(&owners, &rep);
        shown.rep = Some(rep);
        shown.state = AssignmentState::Assigned;
        shown.decided = Time(at.now);
        shown.traces.clear();
    }

    /// Walks it again from the first target, without whoever has it.
    pub(super) fn reroute(&mut self, work: usize, at: At) {
        self.work[work].excluded = self.work[work].rep;
        self.leave(work, Cause::NoTarget, at);
        self.walk(work, 0, at);
    }

    /// Walks again, by age, all that this rep had open.
    pub(super) fn reroute_all_of(&mut self, number: usize, at: At) {
        let theirs = |w: &Work| w.rep == Some(number) && w.shown.state.is_open();
        let mut all: Vec<_> =
            self.work.iter().enumerate().filter(|(_, w)| theirs(w)).collect::<Vec<_>>();
        all.sort_by_key(|(_, w)| w.shown.id);
        let all: Vec<usize> = all.into_iter().map(|(work, _)| work).collect();
        for work in all {
            self.reroute(work, at);
        }
    }

    /// Leaves to nobody what waits or was offered by a campaign or a rule that ends.
    pub(super) fn strand(&mut self, via: &Via, cause: Cause, at: At) {
        for work in 0..self.work.len() {
            let shown = &self.work[work].shown;
            let state = shown.state;
            let undecided = matches!(state, AssignmentState::Pending | AssignmentState::Offered);
            if undecided && shown.via == *via {
                self.leave(work, cause, at);
                self.work[work].from_start = false;
            }
        }
    }
}

impl Work {
    fn new(id: AssignmentId, asked: &Assign, at: At) -> Self {
        let shown = Assignment {
            id,
            position: at.position,
            contact: asked.contact.clone(),
            via: asked.via.clone(),
            owners: Vec::new(),
            prefer_last_rep: false,
            priority: 0,
            state: AssignmentState::Unassigned,
            rep: None,
            option: None,
            cause: Cause::NoTarget,
            target_index: None,
            owner_changed: false,
            wait_end: None,
            offer_end: None,
            rejected_by: Vec::new(),
            decided: Time(at.now),
            traces: Vec::new(),
        };
        Self {
            shown,
            rep: None,
            rejected: Vec::new(),
            excluded: None,
            held_until: 0,
            from_start: false,
            ended: None,
        }
    }
}
