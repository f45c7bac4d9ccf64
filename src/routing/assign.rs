//! Deciding whose turn it is for one contact, and what that changes.
//!
//! Owns what a walk's end makes of an assignment: the cursors of the rings picked from, the rep's open
//! count, the assignment with its decision and its history. New contacts, waiting ones and rerouted
//! ones all come through `settle`.

use std::sync::Arc;

use super::{
    Assign, Assignment, AssignmentId, AssignmentState, Cause, ContactId, Decision, LogPosition,
    OwnerRef, Rejection, RepId, RequestKey, Step, TargetTrace, Time, Via,
    assignments::held,
    event::Change,
    group::Move,
    limits::HISTORY_MAX,
    record::{AssignmentRecord, RepUid},
    select::Chosen,
    state::At,
    team::Team,
    walk::{End, Pick, Start, Traveller, Walk, owner_changed, walk},
};
use crate::planted::{self, Bug};

/// What an assign came to.
pub(super) enum Routed {
    /// An assignment that was not there before.
    Made(AssignmentId),
    /// An open assignment of the same work, which was there.
    Existing(AssignmentId),
}

impl Team {
    /// Assigns, unless somebody has the same work already. Refuses before it changes anything.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotFound`], [`Rejection::CampaignNotRunning`], [`Rejection::RepDisabled`].
    pub(super) fn assign(
        &mut self,
        asked: &Assign,
        request: Option<&RequestKey>,
        item: u32,
        by: &str,
        at: At,
    ) -> Result<Routed, Rejection> {
        let targets = self.targets_via(&asked.via)?;
        let manual = match &asked.via {
            Via::Rep(rep) => Some(self.assignable(rep)?),
            Via::DefaultRule | Via::Campaign(_) | Via::Rule(_) | Via::Group(_) => None,
        };
        let Assign { contact, via, owners, prefer_last_rep, priority, labels } = asked;
        let mut existing = self.assignments.open(contact, via);
        if planted::is(Bug::GuardForgotten) {
            existing = None;
        }
        let (mut record, routed) = match existing {
            Some(old) if old.assignment.state != AssignmentState::Unassigned => {
                return Ok(Routed::Existing(old.assignment.id));
            }
            Some(old) => {
                let id = old.assignment.id;
                (self.remembering_first(&old), Routed::Existing(id))
            }
            None => {
                let id = AssignmentId::made_at(at.position, item);
                if let Some(key) = request {
                    self.requests.made(key, id);
                }
                (new_record(id, contact, via.clone(), request, at), Routed::Made(id))
            }
        };
        let assignment = Arc::make_mut(&mut record.assignment);
        assignment.owners.clone_from(owners);
        assignment.prefer_last_rep = *prefer_last_rep;
        assignment.priority = *priority;
        assignment.labels.clone_from(labels);
        match manual {
            Some((uid, id)) => self.give(record, uid, &id, Cause::Manual, by, at),
            None => {
                let walk = walk(self, &targets, &traveller(&record, at.now), Start::First);
                self.settle(record, Vec::new(), walk, by, at);
            }
        }
        Ok(routed)
    }

    /// A rep who can be given work by hand.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotFound`], [`Rejection::RepDisabled`].
    pub(super) fn assignable(&self, rep: &RepId) -> Result<(RepUid, RepId), Rejection> {
        let record = &self.reps.find(rep)?.record;
        if record.disabled {
            return Err(Rejection::RepDisabled { rep: rep.clone() });
        }
        Ok((record.uid, record.id.clone()))
    }

    /// A copy to change, which remembers how its request was answered.
    pub(super) fn remembering_first(&self, record: &AssignmentRecord) -> AssignmentRecord {
        let mut copy = record.clone();
        if copy.first.is_none() && copy.request.is_some() {
            copy.first = Some(Arc::clone(&record.assignment));
        }
        copy
    }

    /// Puts what a walk came to into an assignment.
    pub(super) fn settle(
        &mut self,
        mut record: AssignmentRecord,
        kept: Vec<TargetTrace>,
        walk: Walk,
        by: &str,
        at: At,
    ) {
        let Walk { traces, end } = walk;
        record.starts_again = false;
        record.rep = None;
        let assignment = Arc::make_mut(&mut record.assignment);
        let targets =
            if kept.is_empty() { traces } else { kept.into_iter().chain(traces).collect() };
        assignment.decision = Decision { time: at.now, engine_version: at.engine, targets };
        assignment.rep = None;
        assignment.option = None;
        assignment.owner_changed = false;
        assignment.wait_end = None;
        assignment.offer_end = None;
        match end {
            End::Picked(pick) => {
                let Pick {
                    chosen,
                    cause,
                    index,
                    owner_changed,
                    accept_timeout_us,
                    wait_end,
                    moves,
                } = pick;
                moves.iter().for_each(|step| self.turn(step, at.now));
                assignment.cause = cause;
                assignment.target_index = Some(index);
                assignment.owner_changed = owner_changed;
                match chosen {
                    Chosen::Option(option) => {
                        assignment.option = Some(option);
                        assignment.state = AssignmentState::Closed;
                    }
                    Chosen::Rep(uid, id) => {
                        record.rep = Some(uid);
                        assignment.rep = Some(id);
                        if accept_timeout_us > 0 {
                            let offer_end = Time(at.now.0.saturating_add(accept_timeout_us));
                            assignment.state = AssignmentState::Offered;
                            assignment.offer_end = Some(offer_end);
                            assignment.wait_end = wait_end;
                        } else {
                            assignment.state = AssignmentState::Assigned;
                        }
                        record.excluded = None;
                    }
                }
            }
            End::Waiting(index, wait_end) => {
                assignment.state = AssignmentState::Pending;
                assignment.cause = Cause::Waiting;
                assignment.target_index = Some(index);
                assignment.wait_end = Some(wait_end);
            }
            End::Exhausted => {
                assignment.state = AssignmentState::Unassigned;
                assignment.cause = Cause::NoTarget;
                assignment.target_index = None;
                record.excluded = None;
            }
        }
        let (cause, rep) = (assignment.cause, assignment.rep.clone());
        self.step(record, cause, rep, by, at);
    }

    /// Gives an assignment to a rep by somebody's decision: no filter, no cursor.
    pub(super) fn give(
        &mut self,
        mut record: AssignmentRecord,
        uid: RepUid,
        id: &RepId,
        cause: Cause,
        by: &str,
        at: At,
    ) {
        record.rep = Some(uid);
        record.excluded = None;
        record.starts_again = false;
        let assignment = Arc::make_mut(&mut record.assignment);
        assignment.rep = Some(id.clone());
        assignment.option = None;
        assignment.state = AssignmentState::Assigned;
        assignment.cause = cause;
        assignment.target_index = None;
        assignment.owner_changed = owner_changed(self, &assignment.owners, uid);
        assignment.wait_end = None;
        assignment.offer_end = None;
        let (time, targets) = (at.now, Vec::new());
        assignment.decision = Decision { time, engine_version: at.engine, targets };
        self.step(record, cause, Some(id.clone()), by, at);
    }

    /// Ends a change of an assignment: writes its history, about whom, and keeps it.
    pub(super) fn step(
        &mut self,
        mut record: AssignmentRecord,
        cause: Cause,
        rep: Option<RepId>,
        by: &str,
        at: At,
    ) {
        let assignment = Arc::make_mut(&mut record.assignment);
        assignment.position = at.position;
        assignment.update_time = at.now;
        if assignment.history.len() >= HISTORY_MAX {
            assignment.history.remove(1);
        }
        assignment.history.push(Step {
            time: at.now,
            position: at.position,
            principal: by.to_owned(),
            cause,
            state: assignment.state,
            rep,
        });
        self.keep(record, at.now);
    }

    /// Keeps an assignment, with the open counts that follow from it, and tells.
    fn keep(&mut self, record: AssignmentRecord, now: Time) {
        let record = Arc::new(record);
        let old = self.assignments.put(&mut self.sum, Arc::clone(&record));
        let (was, is) = (old.as_ref().and_then(|old| held(old)), held(&record));
        if was != is {
            was.into_iter().for_each(|rep| self.holds(rep, false, now));
            is.into_iter().for_each(|rep| self.holds(rep, true, now));
        }
        let rep = record.rep.and_then(|rep| self.reps.get(rep));
        let taken = self.taken.take().filter(|taken| taken.id == record.assignment.id);
        self.outbox.push(Change::Assignment {
            before: taken.or_else(|| old.map(|old| Arc::clone(&old.assignment))),
            after: Arc::clone(&record.assignment),
            rep_email: rep.and_then(|rep| rep.record.email.clone()),
        });
    }

    /// Moves a ring by a pick.
    pub(super) fn turn(&mut self, step: &Move, now: Time) {
        let Some(group) = self.groups.get_mut(&step.group) else { return };
        group.picked(&mut self.sum, step, now);
        if group.is_capped(step.key, now) {
            group.capped.insert(step.key);
            let end = group.record.period_cap.map(|cap| cap.window_end(now));
            let rep = group.ring.at(step.key).cloned();
            end.into_iter().for_each(|end| drop(self.rollovers.insert((end, step.group.clone()))));
            if let Some(super::record::Occupant::Rep(uid)) = rep {
                self.stands(uid, now, |_, _| ());
            }
        }
    }
}

/// On whose behalf an assignment is routed.
pub(super) fn traveller(record: &AssignmentRecord, now: Time) -> Traveller<'_> {
    let assignment = &record.assignment;
    Traveller {
        contact: &assignment.contact,
        campaign: match &assignment.via {
            Via::Campaign(campaign) => Some(campaign),
            Via::DefaultRule | Via::Rule(_) | Via::Group(_) | Via::Rep(_) => None,
        },
        owners: &assignment.owners,
        prefer_last_rep: assignment.prefer_last_rep,
        rejected: &record.rejected,
        excluded: record.excluded,
        now,
    }
}

/// An assignment before its first step.
fn new_record(
    id: AssignmentId,
    contact: &ContactId,
    via: Via,
    request: Option<&RequestKey>,
    at: At,
) -> AssignmentRecord {
    let owners: Vec<OwnerRef> = Vec::new();
    let position: LogPosition = at.position;
    let assignment = Assignment {
        id,
        position,
        create_time: at.now,
        update_time: at.now,
        contact: contact.clone(),
        via,
        owners,
        prefer_last_rep: false,
        priority: 0,
        labels: super::Labels::new(),
        state: AssignmentState::Unassigned,
        rep: None,
        option: None,
        cause: Cause::NoTarget,
        target_index: None,
        owner_changed: false,
        wait_end: None,
        offer_end: None,
        rejected_by: Vec::new(),
        decision: Decision { time: at.now, engine_version: at.engine, targets: Vec::new() },
        history: Vec::new(),
    };
    AssignmentRecord {
        assignment: Arc::new(assignment),
        rep: None,
        rejected: Vec::new(),
        excluded: None,
        starts_again: false,
        request: request.cloned(),
        first: None,
    }
}
