//! The assignments of an image, which are many: looked at one by one as they come, indexed all at once.

use std::sync::Arc;

use super::{ImageError, check, dangling, duplicate, impossible};
use crate::routing::{
    AssignmentId, AssignmentState, TargetKind, Together,
    assignments::{Assignments, Seen, held},
    digest::Sum,
    places::Place,
    record::{AssignmentRecord, RepRecord},
    requests::Requests,
    team::Team,
};

const WHAT: &str = "assignment";

/// Those that have come.
pub(super) struct Bulk {
    records: Vec<Arc<AssignmentRecord>>,
    /// Of the records' hashes, each as it was decoded.
    sum: Sum,
    seen: Seen,
    /// By which requests they were made.
    made: Vec<(Place, AssignmentId)>,
}

impl Bulk {
    /// None yet.
    pub(super) fn of(team: &Team) -> Self {
        let (records, made) = (Vec::new(), Vec::new());
        Self { records, sum: Sum::new(team.record.id.clone()), seen: Seen::default(), made }
    }

    /// Takes more, which come in ascending order of their ids.
    pub(super) fn take(
        &mut self,
        team: &mut Team,
        records: Vec<Arc<AssignmentRecord>>,
    ) -> Result<(), ImageError> {
        for mut record in records {
            let id = record.assignment.id;
            let last = self.records.last().map(|last| last.assignment.id);
            check(last < Some(id), duplicate(WHAT, &id))?;
            let rep = checked(team, &record)?;
            share(team, rep.as_deref(), &mut record);
            if let Some(rep) = held(&record) {
                team.reps.count_open(rep, true);
            }
            self.sum.add(&*record);
            self.seen.add(&record);
            self.made.extend(record.request.as_ref().map(|key| (Place::of(&key.id), id)));
            self.records.push(record);
        }
        Ok(())
    }

    /// Puts all into the team, which has none.
    pub(super) fn put(self, team: &mut Team, together: Together) -> Result<(), ImageError> {
        let Self { records, sum, seen, made } = self;
        team.sum.merge(&sum);
        team.assignments = Assignments::of(records, seen, together);
        team.requests = Requests::that_made(made);
        if let Some(id) = team.assignments.doubled() {
            return Err(duplicate(WHAT, &id).into());
        }
        if let Some(id) = team.requests.doubled(&team.assignments) {
            return Err(duplicate("request", id).into());
        }
        Ok(())
    }
}

/// Refuses what no command can have made. Gives the rep who has it.
fn checked(team: &Team, record: &AssignmentRecord) -> Result<Option<Arc<RepRecord>>, ImageError> {
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
    let Some(rep) = *rep else { return Ok(None) };
    check(rep.0 <= team.record.last_rep.0, dangling(WHAT, &id))?;
    let holder = team.reps.get(rep).map(|rep| Arc::clone(&rep.record));
    let same = holder.as_ref().is_none_or(|holder| Some(&holder.id) == assignment.rep.as_ref());
    check(same, dangling(WHAT, &id))?;
    Ok(holder)
}

/// Keeps texts that the team's own records hold once, as an assignment that was made here does. No use of it
/// is seen but in memory.
fn share(team: &Team, holder: Option<&RepRecord>, record: &mut Arc<AssignmentRecord>) {
    let assignment = Arc::get_mut(record).and_then(|record| Arc::get_mut(&mut record.assignment));
    // An image in memory shares all of it with a state.
    let Some(assignment) = assignment else { return };
    assignment.via = team.kept_via(&assignment.via);
    if let Some(holder) = holder {
        let steps = assignment.history.iter_mut().filter_map(|step| step.rep.as_mut());
        steps.chain(&mut assignment.rep).for_each(|rep| rep.share(&holder.id));
    }
    for trace in &mut assignment.decision.targets {
        if let TargetKind::Group(id) = &mut trace.target.kind {
            team.groups.get(id).into_iter().for_each(|group| id.share(&group.record.id));
        }
    }
}
