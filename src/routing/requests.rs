//! What was answered to whom: a repeated request gets the answer it got, and changes nothing.
//!
//! An assignment remembers the request that made it (`assignments`); every other answer is kept here
//! for 24 hours of log time and up to a count, oldest dropped first. Owns the index over both.

use std::sync::Arc;

use imbl::OrdMap;

use super::{
    AssignmentId, LogPosition, RequestId, RequestKey, Time,
    digest::Sum,
    limits::{ANSWER_RETENTION_US, ANSWERS_PER_TEAM_MAX},
    record::AnswerRecord,
};

/// Expired answers that one command drops at most: it adds at most one, so they can't pile up, and no
/// command pays for all of a busy day.
const EXPIRED_DROPPED_MAX: usize = 4;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Requests {
    /// Oldest first.
    answers: OrdMap<LogPosition, Arc<AnswerRecord>>,
    by_id: OrdMap<RequestId, Memory>,
}

/// Where an answer is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// With the assignment that the request made.
    Assignment(AssignmentId),
    /// Among the answers, by position.
    Answer(LogPosition),
}

impl Requests {
    pub(super) fn find(&self, id: &RequestId) -> Option<Memory> {
        self.by_id.get(id).copied()
    }

    /// The answer, unless it has expired.
    pub(super) fn answer(&self, position: LogPosition, now: Time) -> Option<&AnswerRecord> {
        self.answers.get(&position).map(|record| &**record).filter(|record| !expired(record, now))
    }

    /// Oldest first.
    pub(super) fn answers(&self) -> impl Iterator<Item = &Arc<AnswerRecord>> {
        self.answers.values()
    }

    /// Remembers that the request made the assignment.
    pub(super) fn made(&mut self, sum: &mut Sum, key: &RequestKey, assignment: AssignmentId) {
        self.point(sum, key, Memory::Assignment(assignment));
    }

    /// Forgets a request with the assignment it made.
    pub(super) fn forget_assignment(&mut self, key: &RequestKey, assignment: AssignmentId) {
        if self.by_id.get(&key.id) == Some(&Memory::Assignment(assignment)) {
            self.by_id.remove(&key.id);
        }
    }

    /// Remembers an answer that no assignment remembers.
    pub(super) fn remember(&mut self, sum: &mut Sum, record: Arc<AnswerRecord>) {
        self.point(sum, &record.request, Memory::Answer(record.position));
        sum.add(&*record);
        self.answers.insert(record.position, record);
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
        let Some(position) = self.answers.get_min().map(|(position, _)| *position) else { return };
        let Some(record) = self.answers.remove(&position) else { return };
        self.by_id.remove(&record.request.id);
        sum.remove(&*record);
    }

    /// The id is new, or its answer has expired; then that goes at once, so that an id has one memory.
    fn point(&mut self, sum: &mut Sum, key: &RequestKey, memory: Memory) {
        if let Some(Memory::Answer(old)) = self.by_id.insert(key.id.clone(), memory)
            && let Some(record) = self.answers.remove(&old)
        {
            sum.remove(&*record);
        }
    }
}

fn expired(record: &AnswerRecord, now: Time) -> bool {
    now.0.saturating_sub(record.time.0) >= ANSWER_RETENTION_US
}
