//! The assignments of an image, which are many: looked at one by one as they come, indexed all at once.

use std::sync::Arc;

use super::{ImageError, check, dangling, duplicate, impossible, parts::Sheet};
use crate::routing::{
    AssignmentId, AssignmentState, Together,
    assignments::{Assignments, Seen, held},
    digest::Sum,
    pages::Page,
    places::Place,
    record::AssignmentRecord,
    requests::Requests,
    team::Team,
};

const WHAT: &str = "assignment";

/// Those that have come.
pub(super) struct Bulk {
    pages: Vec<Arc<Page>>,
    last: Option<AssignmentId>,
    /// Of the records' hashes, each as it was decoded.
    sum: Sum,
    seen: Seen,
    /// By which requests they were made.
    made: Vec<(Place, AssignmentId)>,
}

impl Bulk {
    /// None yet.
    pub(super) fn of(team: &Team) -> Self {
        let sum = Sum::new(team.record.id.clone());
        Self { pages: Vec::new(), last: None, sum, seen: Seen::default(), made: Vec::new() }
    }

    /// Takes more, which come in ascending order of their ids.
    pub(super) fn take(&mut self, team: &mut Team, sheets: Vec<Sheet>) -> Result<(), ImageError> {
        for Sheet { page, records } in sheets {
            let unread = impossible("page of assignments of team", &team.record.id);
            for record in records.ok_or(unread)? {
                self.add(team, record)?;
            }
            self.pages.push(page);
        }
        Ok(())
    }

    fn add(&mut self, team: &mut Team, record: AssignmentRecord) -> Result<(), ImageError> {
        let id = record.assignment.id;
        check(self.last < Some(id), duplicate(WHAT, &id))?;
        self.last = Some(id);
        checked(team, &record)?;
        if let Some(rep) = held(&record) {
            team.reps.count_open(rep, true);
        }
        self.sum.add(&record);
        self.made.extend(record.request.as_ref().map(|key| (Place::of(&key.id), id)));
        self.seen.add(&record);
        Ok(())
    }

    /// Puts all into the team, which has none.
    pub(super) fn put(self, team: &mut Team, together: Together) -> Result<(), ImageError> {
        let Self { pages, last: _, sum, seen, made } = self;
        team.sum.merge(&sum);
        team.assignments = Assignments::of(pages, seen, together);
        team.requests = Requests::that_made(made);
        if let Some(id) = team.assignments.doubled() {
            return Err(duplicate(WHAT, &id).into());
        }
        if let Some(id) = team.requests.doubled(&team.assignments) {
            return Err(duplicate("request", &id).into());
        }
        Ok(())
    }
}

/// Refuses what no command can have made.
fn checked(team: &Team, record: &AssignmentRecord) -> Result<(), ImageError> {
    let AssignmentRecord {
        assignment,
        rep,
        rejected,
        excluded: _,
        starts_again: _,
        request: _,
        first,
    } = record;
    let id = assignment.id;
    let fits = match assignment.state {
        AssignmentState::Assigned => rep.is_some(),
        AssignmentState::Offered => rep.is_some() && assignment.offer_end.is_some(),
        AssignmentState::Pending => rep.is_none() && assignment.target_index.is_some(),
        AssignmentState::Unassigned => rep.is_none(),
        AssignmentState::Closed | AssignmentState::Cancelled => true,
    };
    let agrees =
        rep.is_some() == assignment.rep.is_some() && rejected.len() == assignment.rejected_by.len();
    check(fits && agrees, impossible(WHAT, &id))?;
    check(first.as_ref().is_none_or(|first| first.id == id), impossible(WHAT, &id))?;
    let Some(rep) = *rep else { return Ok(()) };
    check(rep.0 <= team.record.last_rep.0, dangling(WHAT, &id))?;
    let holder = team.reps.get(rep).map(|rep| &rep.record.id);
    let same = holder.is_none_or(|holder| Some(holder) == assignment.rep.as_ref());
    check(same, dangling(WHAT, &id))
}
