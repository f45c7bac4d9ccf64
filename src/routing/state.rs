//! The state of the cluster, and the one function that changes it.
//!
//! Owns the clock and the teams. Invariants: `apply` is total and deterministic; a rejection changes
//! nothing but the clock and the remembered answer; the hash is that of the records held.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use super::{
    Command, Event, Hours, LogPosition, Operation, Outcome, Rejection, RepId, Reply, ResourceKind,
    Stamp, TeamId, Time, digest,
    engine::{ENGINE_VERSION_MAX, ENGINE_VERSION_MIN},
    event::Change,
    limits::HOURS_RENEWED_UNDER_US,
    record::{Answer, ClockRecord},
    team::Team,
};
use crate::planted;

/// Everything routing knows. A clone shares what neither side changes afterwards, so it is cheap
/// enough to take for every snapshot.
#[derive(Debug, Clone)]
pub struct State {
    pub(super) clock: ClockRecord,
    pub(super) teams: OrdMap<TeamId, Arc<Team>>,
    /// Of the records of all teams; the clock's is added when asked for.
    pub(super) total: u128,
    /// When time alone does something, and where.
    pub(super) dues: OrdSet<(Time, TeamId)>,
}

/// Two states are equal if their records are; what is derived from them may be at different times.
impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.image() == other.image()
    }
}
impl Eq for State {}

/// Changes for which a team keeps room from one command to the next.
const OUTBOX_ROOM: usize = 16;

/// When and where the command at hand takes effect; `now` never goes back.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    pub(super) now: Time,
    pub(super) position: LogPosition,
    /// The version of the rules in force.
    pub(super) engine: u32,
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// A cluster before its first command, with the oldest rules that this build has.
    #[must_use]
    pub fn new() -> Self {
        let clock = ClockRecord { engine_version: ENGINE_VERSION_MIN, time: Time(0) };
        Self { clock, teams: OrdMap::new(), total: 0, dues: OrdSet::new() }
    }

    /// Performs a command at a time and a place in the log. Equal states and arguments give equal
    /// states and answers, on every machine.
    ///
    /// A command that repeats an answered request changes nothing but the clock and gets the first
    /// answer. Answers that name a team which does not exist have nowhere to be remembered.
    ///
    /// # Errors
    ///
    /// Any [`Rejection`]; then nothing has changed but the clock and the remembered answer.
    ///
    /// # Panics
    ///
    /// If one log position is given to two commands that both make an assignment.
    pub fn apply(&mut self, command: &Command, stamp: Stamp) -> Result<Reply, Rejection> {
        self.apply_telling(command, stamp, &mut Vec::new())
    }

    /// The same, and tells what happened.
    ///
    /// # Errors
    ///
    /// As [`Self::apply`].
    ///
    /// # Panics
    ///
    /// As [`Self::apply`].
    pub fn apply_telling(
        &mut self,
        command: &Command,
        stamp: Stamp,
        events: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        self.clock.time = self.clock.time.max(stamp.time);
        let engine = planted::rules(self.clock.engine_version);
        let at = At { now: self.clock.time, position: stamp.position, engine };
        self.admits(command, at.now)?;
        let id = &command.team;
        let event = |change| Event {
            position: at.position,
            time: at.now,
            team: id.clone(),
            principal: command.principal.name().to_owned(),
            change,
        };
        match self.teams.get_mut(id) {
            None => {
                let (answer, told) = self.answer_without_team(command, at);
                events.extend(told.map(event));
                answer
            }
            Some(team) => {
                let team = Arc::make_mut(team);
                let (before, due) = (team.sum.total(), team.next_due());
                let answer = team.answer(command, at);
                events.extend(team.outbox.drain(..).map(event));
                team.outbox.shrink_to(OUTBOX_ROOM);
                let (after, next_due) = (team.sum.total(), team.next_due());
                self.total = self.total.wrapping_sub(before).wrapping_add(after);
                if due != next_due {
                    due.into_iter().for_each(|due| drop(self.dues.remove(&(due, id.clone()))));
                    next_due.into_iter().for_each(|due| drop(self.dues.insert((due, id.clone()))));
                }
                let is_gone =
                    answer.is_ok() && matches!(command.operation, Operation::DeleteTeam { .. });
                if is_gone {
                    events.extend(self.forget(id).map(event));
                }
                answer
            }
        }
    }

    fn answer_without_team(
        &mut self,
        command: &Command,
        at: At,
    ) -> (Result<Reply, Rejection>, Option<Change>) {
        let Operation::CreateTeam { display_name, labels, time_zone } = &command.operation else {
            let missing_ok =
                matches!(command.operation, Operation::DeleteTeam { allow_missing: true });
            let id = command.team.to_string();
            let answer = if missing_ok {
                Ok(Reply { position: at.position, outcome: Outcome::Deleted })
            } else {
                Err(Rejection::NotFound { kind: ResourceKind::Team, id })
            };
            return (answer, None);
        };
        let mut team = Team::new(command.team.clone(), display_name, labels, time_zone, at);
        let answer = Answer::other(Ok(Outcome::Team(team.view())));
        let reply = team.remember(command.request.as_ref(), answer, at);
        let told = Change::Team { before: None, after: Some(Box::new(team.view())) };
        self.total = self.total.wrapping_add(team.sum.total());
        self.teams.insert(command.team.clone(), Arc::new(team));
        (reply, Some(told))
    }

    /// Takes a team out, with all that is remembered of it.
    fn forget(&mut self, id: &TeamId) -> Option<Change> {
        let team = self.teams.remove(id)?;
        self.total = self.total.wrapping_sub(team.sum.total());
        let due = team.next_due();
        due.into_iter().for_each(|due| drop(self.dues.remove(&(due, id.clone()))));
        Some(Change::Team { before: Some(Box::new(team.view())), after: None })
    }

    /// The next instant at which time alone does something, if it ever does: a wait or an offer ends, or
    /// somebody may become eligible while contacts wait. May be past; then a command is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Time> {
        self.dues.get_min().map(|(time, _)| *time)
    }

    /// The teams in which something is due by `now`, longest due first.
    #[must_use]
    pub fn due_teams(&self, now: Time) -> Vec<TeamId> {
        self.dues.iter().take_while(|(time, _)| *time <= now).map(|(_, id)| id.clone()).collect()
    }

    /// Some of the reps whose working hours have to be expanded further.
    #[must_use]
    pub fn hours_to_renew(&self, now: Time, limit: usize) -> Vec<(TeamId, RepId, Hours)> {
        let near = Time(now.0.saturating_add(HOURS_RENEWED_UNDER_US));
        let all = self.teams.iter().flat_map(|(id, team)| {
            team.reps.iter().filter_map(move |rep| {
                let hours = rep.hours.as_ref().filter(|hours| hours.horizon < near)?;
                Some((id.clone(), rep.record.id.clone(), Hours::clone(hours)))
            })
        });
        all.take(limit).collect()
    }

    /// Puts the next version of the rules in force, for all commands from here on.
    ///
    /// # Errors
    ///
    /// Gives back a version that is not one more than the present one, or that this build does not have.
    pub fn raise_engine(&mut self, version: u32) -> Result<(), u32> {
        let is_next = version == self.clock.engine_version + 1;
        if !is_next || version > ENGINE_VERSION_MAX {
            return Err(version);
        }
        self.clock.engine_version = version;
        Ok(())
    }

    /// Version of the rules in force.
    #[must_use]
    pub fn engine_version(&self) -> u32 {
        self.clock.engine_version
    }

    /// How many teams there are.
    #[must_use]
    pub fn team_count(&self) -> usize {
        self.teams.len()
    }

    /// The latest time any command was given.
    #[must_use]
    pub fn time(&self) -> Time {
        self.clock.time
    }

    /// The state hash: equal on all nodes that have applied the same log.
    #[must_use]
    pub fn hash(&self) -> u128 {
        let cluster = TeamId::new("");
        self.total.wrapping_add(digest::hash(&cluster, &self.clock))
    }

    /// The same, from every record; a difference is a fault of this program or of the memory.
    #[must_use]
    pub fn recomputed_hash(&self) -> u128 {
        let teams = self.teams.values();
        let total = teams.fold(0_u128, |sum, team| sum.wrapping_add(team.recomputed_total()));
        let cluster = TeamId::new("");
        total.wrapping_add(digest::hash(&cluster, &self.clock))
    }
}
