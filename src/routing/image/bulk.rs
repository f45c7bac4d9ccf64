//! The assignments of an image, which are many: looked at one by one as they come, indexed all at once.

use std::sync::Arc;

use super::{ImageError, check, dangling, duplicate, impossible, parts::Pile};
use crate::routing::{
    AssignmentId, AssignmentState, Together,
    assignments::{Assignments, Indexed, Seen},
    packed::{RawAssignment, RawRecord},
    pages::Page,
    places::Place,
    requests::Requests,
    team::Team,
};

const WHAT: &str = "assignment";

/// Those that have come.
pub(super) struct Bulk {
    pages: Vec<Arc<Page>>,
    last: Option<AssignmentId>,
    seen: Seen,
    /// By which requests they were made.
    made: Vec<(Place, AssignmentId)>,
}

impl Bulk {
    /// None yet.
    pub(super) fn new() -> Self {
        Self { pages: Vec::new(), last: None, seen: Seen::default(), made: Vec::new() }
    }

    /// Takes more, which come in ascending order of their ids.
    pub(super) fn take(&mut self, team: &mut Team, pile: Pile) -> Result<(), ImageError> {
        let Pile { pages, sum } = pile;
        let unread = impossible("page of assignments of team", &team.record.id);
        team.sum.merge(&sum.ok_or(unread)?);
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
        self.made.extend(record.request.as_ref().map(|key| (Place::of(key.id), id)));
        self.seen.add(record);
        Ok(())
    }

    /// Puts all into the team, which has none.
    pub(super) fn put(self, team: &mut Team, together: Together) -> Result<(), ImageError> {
        let Self { pages, last: _, seen, made } = self;
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
