//! What was answered to whom: a repeated request gets the answer it got, and changes nothing.
//!
//! An assignment remembers the request that made it (`assignments`); every other answer is kept here
//! for 24 hours of log time and up to a count, oldest dropped first. Owns the index over both.

use std::sync::Arc;

use imbl::OrdMap;

use super::{
    AssignmentId, RequestId, RequestKey, Revision, Time,
    assignments::Assignments,
    digest::Sum,
    limits::{ANSWER_RETENTION_US, ANSWERS_PER_TEAM_MAX},
    places::{Least, Place, Places},
    record::AnswerRecord,
};

/// Expired answers that one command drops at most: it adds at most one, so they can't pile up, and no
/// command pays for all of a busy day.
const EXPIRED_DROPPED_MAX: usize = 4;

#[derive(Debug, Clone, Default)]
pub(super) struct Requests {
    /// Oldest first.
    answers: OrdMap<Revision, Arc<AnswerRecord>>,
    /// By the request's id, which is read from what it points at.
    by_id: Places<Memory>,
}

/// Where an answer is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Memory {
    /// With the assignment that the request made.
    Assignment(AssignmentId),
    /// Among the answers, by the place in the log of its command.
    Answer(Revision),
}

impl Least for Memory {
    const LEAST: Self = Self::Assignment(AssignmentId::LEAST);
}

impl Requests {
    /// Where the request's answer is remembered, if it is. `assignments` are those of the same team.
    pub(super) fn find(&self, id: &RequestId, assignments: &Assignments) -> Option<Memory> {
        let is_meant =
            |memory: &Memory| self.key(*memory, assignments).is_some_and(|key| key.id == *id);
        self.by_id.at(Place::of(id.as_str())).find(is_meant)
    }

    fn key(&self, memory: Memory, assignments: &Assignments) -> Option<RequestKey> {
        match memory {
            Memory::Assignment(assignment) => assignments.get(assignment)?.request.clone(),
            Memory::Answer(at) => self.answers.get(&at).map(|record| record.request.clone()),
        }
    }

    /// The answer, unless it has expired.
    pub(super) fn answer(&self, position: Revision, now: Time) -> Option<&AnswerRecord> {
        self.answers.get(&position).map(|record| &**record).filter(|record| !expired(record, now))
    }

    /// Oldest first.
    pub(super) fn answers(&self) -> impl Iterator<Item = &Arc<AnswerRecord>> {
        self.answers.values()
    }

    /// Remembers that the request made the assignment.
    pub(super) fn made(&mut self, sum: &mut Sum, key: &RequestKey, assignment: AssignmentId) {
        self.forget_answer(sum, key);
        self.by_id.insert(Place::of(key.id.as_str()), Memory::Assignment(assignment));
    }

    /// Those of a loaded state that made assignments.
    pub(super) fn that_made(made: Vec<(Place, AssignmentId)>) -> Self {
        let memory = |(place, id)| (place, Memory::Assignment(id));
        Self { by_id: Places::of(made.into_iter().map(memory).collect()), ..Self::default() }
    }

    /// A request that is remembered twice.
    pub(super) fn doubled(&self, assignments: &Assignments) -> Option<RequestId> {
        let id = |memory| self.key(memory, assignments).map(|key| key.id);
        self.by_id.doubled(id).and_then(id)
    }

    /// Forgets a request with the assignment it made.
    pub(super) fn forget_assignment(&mut self, key: &RequestKey, assignment: AssignmentId) {
        self.by_id.remove(Place::of(key.id.as_str()), Memory::Assignment(assignment));
    }

    /// Remembers an answer that no assignment remembers.
    pub(super) fn remember(&mut self, sum: &mut Sum, record: Arc<AnswerRecord>) {
        self.forget_answer(sum, &record.request);
        let position = record.position.into();
        self.by_id.insert(Place::of(record.request.id.as_str()), Memory::Answer(position));
        sum.add(&*record);
        self.answers.insert(position, record);
        if self.answers.len() > ANSWERS_PER_TEAM_MAX {
            self.drop_oldest(sum);
        }
    }

    /// Drops some of what has expired. What stays for now is not found any more either.
    pub(super) fn forget_expired(&mut self, sum: &mut Sum, now: Time) {
        for _ in 0..EXPIRED_DROPPED_MAX {
            let oldest = self.answers.get_min();
            if !oldest.is_some_and(|(_, record)| expired(record, now)) {
                return;
            }
            self.drop_oldest(sum);
        }
    }

    fn drop_oldest(&mut self, sum: &mut Sum) {
        let oldest = self.answers.get_min().map(|(position, _)| *position);
        oldest.into_iter().for_each(|position| self.drop_answer(sum, position));
    }

    fn drop_answer(&mut self, sum: &mut Sum, position: Revision) {
        let Some(record) = self.answers.remove(&position) else { return };
        self.by_id.remove(Place::of(record.request.id.as_str()), Memory::Answer(position));
        sum.remove(&*record);
    }

    /// The id is new, or its answer has expired; then that goes at once, so that an id has one memory.
    fn forget_answer(&mut self, sum: &mut Sum, key: &RequestKey) {
        let old = self.by_id.at(Place::of(key.id.as_str())).find_map(|memory| match memory {
            Memory::Assignment(_) => None,
            Memory::Answer(position) => {
                self.answers.get(&position).filter(|old| old.request.id == key.id).map(|_| position)
            }
        });
        old.into_iter().for_each(|position| self.drop_answer(sum, position));
    }
}

fn expired(record: &AnswerRecord, now: Time) -> bool {
    now.0.saturating_sub(record.time.0) >= ANSWER_RETENTION_US
}
