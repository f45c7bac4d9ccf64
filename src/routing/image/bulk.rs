//! The assignments of an image and the answers about them, which are many: looked at one by one as they come,
//! indexed all at once.

use std::sync::Arc;

use super::{ImageError, check, dangling, duplicate, impossible, parts::Pile};
use crate::routing::{
    AssignmentId, AssignmentState, Revision, Time, Together,
    assignments::{Assignments, Indexed, Seen},
    packed::{AnswerHead, RawAssignment, RawRecord},
    pages::Page,
    places::Place,
    record::{AnswerRecord, AssignmentAnswer, AssignmentRecord},
    requests::{Memory, Requests},
    team::Team,
};

const WHAT: &str = "assignment";

/// Those that have come.
pub(super) struct Bulk {
    pages: Vec<Arc<Page<AssignmentRecord>>>,
    last: Option<AssignmentId>,
    seen: Seen,
    answers: Vec<Arc<Page<AnswerRecord<AssignmentAnswer>>>>,
    /// Where in the log they were given, and when.
    ages: Vec<(Revision, Time)>,
    /// By which requests they were made, and which were answered about them.
    requests: Vec<(Place, Memory)>,
}

impl Bulk {
    /// None yet.
    pub(super) fn new() -> Self {
        Self {
            pages: Vec::new(),
            last: None,
            seen: Seen::default(),
            answers: Vec::new(),
            ages: Vec::new(),
            requests: Vec::new(),
        }
    }

    /// Takes more, which come in ascending order of their ids.
    pub(super) fn take(
        &mut self,
        team: &mut Team,
        pile: Pile<AssignmentRecord>,
    ) -> Result<(), ImageError> {
        let pages = pile.counted(team, "page of assignments of team")?;
        for record in pages.iter().flat_map(|page| page.raws()) {
            self.add(team, record)?;
        }
        self.pages.extend(pages);
        Ok(())
    }

    fn add(&mut self, team: &mut Team, record: RawRecord<'_>) -> Result<(), ImageError> {
        let id = record.assignment.id;
        check(self.last < Some(id), duplicate(WHAT, &id))?;
        self.last = Some(id);
        checked(team, &record)?;
        if let Some(rep) = Indexed::from(&record).holder() {
            team.reps.count_open(rep, true);
        }
        let memory = Memory::Assignment(id);
        self.requests.extend(record.request.as_ref().map(|key| (Place::of(key.id), memory)));
        self.seen.add(record);
        Ok(())
    }

    /// Takes more answers, oldest first, up to the time of the log.
    pub(super) fn take_answers(
        &mut self,
        team: &mut Team,
        pile: Pile<AnswerRecord<AssignmentAnswer>>,
        now: Time,
    ) -> Result<(), ImageError> {
        let pages = pile.counted(team, "page of answers of team")?;
        for (position, AnswerHead { request, time }) in pages.iter().flat_map(|page| page.heads()) {
            let is_next = self.ages.last().is_none_or(|last| last.0 < position);
            check(is_next, duplicate("request", &request))?;
            check(time <= now, impossible("request", &request))?;
            self.ages.push((position, time));
            self.requests.push((Place::of(request), Memory::Answer(position)));
        }
        self.answers.extend(pages);
        Ok(())
    }

    /// Puts all into the team, which has none. Gives the places of the answers in the log and their times, which are
    /// still to be held against those of all others.
    pub(super) fn put(
        self,
        team: &mut Team,
        together: Together,
    ) -> Result<Vec<(Revision, Time)>, ImageError> {
        let Self { pages, last: _, seen, answers, ages, requests } = self;
        team.assignments = Assignments::loaded(pages, seen, together);
        team.requests = Requests::of(requests, answers);
        if let Some(id) = team.assignments.doubled() {
            return Err(duplicate(WHAT, &id).into());
        }
        if let Some(id) = team.requests.doubled(&team.assignments) {
            return Err(duplicate("request", &id).into());
        }
        Ok(ages)
    }
}

/// Refuses what no command can have made.
fn checked(team: &Team, record: &RawRecord<'_>) -> Result<(), ImageError> {
    let RawRecord { assignment, rep, rejected, .. } = record;
    let RawAssignment { id, state, rep: name, target_index, offer_end, rejected_by, .. } =
        assignment;
    let fits = match state {
        AssignmentState::Assigned => rep.is_some(),
        AssignmentState::Offered => rep.is_some() && offer_end.is_some(),
        AssignmentState::Pending => rep.is_none() && target_index.is_some(),
        AssignmentState::Unassigned => rep.is_none(),
        AssignmentState::Closed | AssignmentState::Cancelled => true,
    };
    let agrees = rep.is_some() == name.is_some() && rejected.len() == rejected_by.len();
    check(fits && agrees, impossible(WHAT, id))?;
    let Some(rep) = *rep else { return Ok(()) };
    check(rep.0 <= team.record.last_rep.0, dangling(WHAT, id))?;
    let holder = team.reps.get(rep).map(|rep| rep.record.id.as_str());
    check(holder.is_none_or(|holder| Some(holder) == *name), dangling(WHAT, id))
}
