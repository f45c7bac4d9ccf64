//! How a group chose whom a decision picked from it, told afterwards from what is kept.
//!
//! Owns nothing, and no decision keeps anything for it. What is no longer known for certain is left
//! out: a number that is told is right.

use super::{
    Assignment, AssignmentId, GroupId, LogPosition, Rejection, RepId, State, Step, Strategy,
    TargetKind, TargetOutcome, TeamId, Time,
    limits::{ENDED_PER_TEAM_MAX, ENDED_RETENTION_US, HISTORY_MAX},
    team::Team,
};

/// Assignments that are looked at to count what was open at a time; where there are more, nobody counts.
const LOOKED_AT_MAX: usize = 10_000;

/// How the group chose that a decision picked a rep from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Which group.
    pub group: GroupId,
    /// Who comes first there, as the group is now.
    pub strategy: Strategy,
    /// The group was changed after the decision, so its strategy may have been another.
    pub is_changed: bool,
    /// With [`Strategy::LeastOpen`]: open assignments of the rep just before they got this one. `None`
    /// where that is not known for certain.
    pub open: Option<u64>,
}

impl State {
    /// How the group chose from which this assignment's rep was picked; `None` if the decision picked
    /// none from a group, or if the group is gone.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotFound`], if the team does not exist.
    pub fn choice(
        &self,
        team: &TeamId,
        assignment: &Assignment,
    ) -> Result<Option<Choice>, Rejection> {
        let team = self.at(team)?;
        Ok(choice(team, assignment, self.time()))
    }
}

fn choice(team: &Team, assignment: &Assignment, now: Time) -> Option<Choice> {
    let trace = assignment.decision.targets.last()?;
    let TargetKind::Group(group) = &trace.target.kind else { return None };
    let Step { position, time, rep, .. } = assignment.decided()?;
    let rep = rep.as_ref().filter(|_| trace.outcome == TargetOutcome::Picked)?;
    let record = &team.groups.get(group)?.record;
    let changed = record.meta.revision;
    let is_changed = (changed.log_index, changed.seq) >= (position.log_index, position.seq);
    let open = match record.strategy {
        Strategy::LeastOpen if !is_changed => {
            open_before(team, rep, assignment.id, (*position, *time), now)
        }
        Strategy::LeastOpen | Strategy::RoundRobin => None,
    };
    Some(Choice { group: group.clone(), strategy: record.strategy, is_changed, open })
}

/// How many assignments a rep held just before the step at this position that gave them `but`.
fn open_before(
    team: &Team,
    rep: &RepId,
    but: AssignmentId,
    (position, time): (LogPosition, Time),
    now: Time,
) -> Option<u64> {
    // Of an id that was given away anew, what is whose is not told apart.
    let of = team.reps.find(rep).ok()?;
    if of.record.meta.create_time >= time {
        return None;
    }
    let (ended, _) = team.assignments.ended();
    let is_dropped =
        now.0.saturating_sub(time.0) >= ENDED_RETENTION_US || ended >= ENDED_PER_TEAM_MAX;
    if is_dropped || team.assignments.open_len() > LOOKED_AT_MAX {
        return None;
    }
    let ended = team.assignments.ended_since(time, LOOKED_AT_MAX)?;
    let ids = team.assignments.all_open().chain(ended);
    let mut open = 0;
    for id in ids.filter(|id| *id != but) {
        let assignment = &team.assignments.get(id)?.assignment;
        open += u64::from(held(assignment, rep, of.record.meta.create_time, position)?);
    }
    Some(open)
}

/// Whether the rep held it just before a position; `None` if its history does not say.
fn held(assignment: &Assignment, rep: &RepId, since: Time, position: LogPosition) -> Option<bool> {
    let place = |at: LogPosition| (at.log_index, at.seq);
    let history = assignment.history.as_slice();
    let is_before = |step: &&Step| place(step.position) < place(position);
    let (last, next) = match history.iter().rposition(|step| is_before(&step)) {
        Some(last) => (history.get(last), history.get(last.saturating_add(1))),
        None => (None, history.first()),
    };
    // In the same command: before or after, that is not kept.
    if next.is_some_and(|next| place(next.position) == place(position)) {
        return None;
    }
    let Some(last) = last else { return Some(false) };
    // Steps may be missing behind the first one.
    let is_first = history.first().is_some_and(|first| std::ptr::eq(first, last));
    if is_first && history.len() >= HISTORY_MAX {
        return None;
    }
    Some(last.state.is_held() && last.rep.as_ref() == Some(rep) && last.time >= since)
}
