//! What was answered to whom: a repeated request gets the answer it got, and changes nothing.
//!
//! An assignment remembers the request that made it (`assignments`); every other answer is kept here
//! for 24 hours of log time and up to a count, oldest dropped first. Owns the index over both. Answers about
//! assignments are many, and kept packed, as assignments are.

use std::sync::Arc;

use imbl::OrdMap;

use super::{
    AssignmentId, Rejection, Reply, RequestId, RequestKey, Revision, Time,
    assignments::Assignments,
    digest::Sum,
    limits::{ANSWER_RETENTION_US, ANSWERS_PER_TEAM_MAX},
    pages::{Packed, Page, Pages},
    places::{Least, Place, Places},
    record::{AnswerRecord, AssignmentAnswer},
    tree::Key,
};

/// Expired answers that one command drops at most: it adds at most one, so they can't pile up, and no
/// command pays for all of a busy day.
const EXPIRED_DROPPED_MAX: usize = 4;

#[derive(Debug, Clone, Default)]
pub(super) struct Requests {
    /// Those about assignments, oldest first.
    assignment_answers: Pages<AnswerRecord<AssignmentAnswer>>,
    /// All others, oldest first.
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

impl Key for Revision {}

impl Least for Memory {
    const LEAST: Self = Self::Assignment(AssignmentId::LEAST);
}

impl Requests {
    /// Where the request's answer is remembered, if it is. `assignments` are those of the same team.
    pub(super) fn find(&self, id: &RequestId, assignments: &Assignments) -> Option<Memory> {
        let is_meant = |memory: &Memory| self.id(*memory, assignments) == Some(id.as_str());
        self.by_id.at(Place::of(id.as_str())).find(is_meant)
    }

    fn id<'a>(&'a self, memory: Memory, assignments: &'a Assignments) -> Option<&'a str> {
        match memory {
            Memory::Assignment(assignment) => assignments.request(assignment),
            Memory::Answer(at) => self.answered(at),
        }
    }

    /// The id of the request that was answered at a place in the log.
    fn answered(&self, position: Revision) -> Option<&str> {
        match self.assignment_answers.head(position) {
            Some(head) => Some(head.request),
            None => self.answers.get(&position).map(|record| record.request.id.as_str()),
        }
    }

    /// The answer, with the fingerprint of what was asked, unless it has expired.
    pub(super) fn answer(
        &self,
        position: Revision,
        now: Time,
    ) -> Option<(u128, Result<Reply, Rejection>)> {
        let told = |record: &AnswerRecord| {
            let answer = record.answer.reply(record.position);
            (!expired(record.time, now)).then_some((record.request.fingerprint, answer))
        };
        match self.assignment_answers.get(position) {
            Some(record) => told(&record.into()),
            None => told(self.answers.get(&position)?),
        }
    }

    /// How many answers are remembered here.
    pub(super) fn len(&self) -> usize {
        self.assignment_answers.len() + self.answers.len()
    }

    /// Those about assignments, as they stand in an image.
    pub(super) fn assignment_answers(&self) -> Packed<AnswerRecord<AssignmentAnswer>> {
        self.assignment_answers.packed()
    }

    /// All others, oldest first.
    pub(super) fn answers(&self) -> impl Iterator<Item = &Arc<AnswerRecord>> {
        self.answers.values()
    }

    /// Adds all answers to a sum.
    pub(super) fn count(&self, sum: &mut Sum) {
        self.assignment_answers.count(sum);
        self.answers.values().for_each(|record| sum.add(&**record));
    }

    /// Remembers that the request made the assignment. What was answered to an earlier one of this id has been
    /// forgotten.
    pub(super) fn made(&mut self, key: &RequestKey, assignment: AssignmentId) {
        self.by_id.insert(Place::of(key.id.as_str()), Memory::Assignment(assignment));
    }

    /// Those of a loaded state that made assignments or were answered about some; `all` of them.
    pub(super) fn of(
        all: Vec<(Place, Memory)>,
        answers: Vec<Arc<Page<AnswerRecord<AssignmentAnswer>>>>,
    ) -> Self {
        let (assignment_answers, by_id) = (Pages::of(answers), Places::of(all));
        Self { assignment_answers, answers: OrdMap::new(), by_id }
    }

    /// A request that is remembered twice.
    pub(super) fn doubled(&self, assignments: &Assignments) -> Option<RequestId> {
        let id = |memory| self.id(memory, assignments);
        self.by_id.doubled(id).and_then(id).map(RequestId::new)
    }

    /// Forgets a request with the assignment it made.
    pub(super) fn forget_assignment(&mut self, key: &RequestKey, assignment: AssignmentId) {
        self.by_id.remove(Place::of(key.id.as_str()), Memory::Assignment(assignment));
    }

    /// Remembers an answer that no assignment remembers. What was answered to an earlier request of this id has been
    /// forgotten.
    pub(super) fn remember(&mut self, sum: &mut Sum, record: AnswerRecord) {
        let position = record.position.into();
        self.by_id.insert(Place::of(record.request.id.as_str()), Memory::Answer(position));
        sum.add(&record);
        match record.parted() {
            Ok(record) => self.assignment_answers.put(&record),
            Err(record) => drop(self.answers.insert(position, Arc::new(record))),
        }
        if self.len() > ANSWERS_PER_TEAM_MAX {
            let oldest = self.oldest();
            oldest.into_iter().for_each(|(position, _)| self.drop_answer(sum, position));
        }
    }

    /// Drops some of what has expired. What stays for now is not found any more either.
    pub(super) fn forget_expired(&mut self, sum: &mut Sum, now: Time) {
        for _ in 0..EXPIRED_DROPPED_MAX {
            let oldest = self.oldest().filter(|(_, time)| expired(*time, now));
            let Some((position, _)) = oldest else { return };
            self.drop_answer(sum, position);
        }
    }

    /// Where the oldest answer was given, and when.
    fn oldest(&self) -> Option<(Revision, Time)> {
        let first = self.assignment_answers.first().map(|(position, head)| (position, head.time));
        let other = self.answers.get_min().map(|(position, record)| (*position, record.time));
        first.into_iter().chain(other).min()
    }

    /// Drops the answer that was given at a place in the log, if it is there.
    pub(super) fn drop_answer(&mut self, sum: &mut Sum, position: Revision) {
        let place = match self.assignment_answers.raw(position) {
            Some(record) => {
                sum.remove(&record);
                let place = Place::of(record.request.id);
                self.assignment_answers.remove(position);
                place
            }
            None => {
                let Some(record) = self.answers.remove(&position) else { return };
                sum.remove(&*record);
                Place::of(record.request.id.as_str())
            }
        };
        self.by_id.remove(place, Memory::Answer(position));
    }
}

/// Of an answer that was given then.
fn expired(time: Time, now: Time) -> bool {
    now.0.saturating_sub(time.0) >= ANSWER_RETENTION_US
}
