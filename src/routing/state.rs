//! The state of the cluster, and the one function that changes it.
//!
//! Owns the clock and the teams. Invariants: `apply` is total and deterministic; a rejection changes
//! nothing but the clock and the remembered answer; the hash is that of the records held.

use std::sync::Arc;

use imbl::OrdMap;

use super::{
    Command, LogPosition, Operation, Outcome, Rejection, Reply, ResourceKind, Stamp, TeamId, Time,
    digest,
    record::{Answer, ClockRecord},
    team::Team,
};

/// The rules in force. A change to any outcome of [`State::apply`] needs a new number, and keeps the
/// old rules for as long as a log may hold entries that were applied by them.
pub(super) const ENGINE_VERSION: u32 = 1;

/// Everything routing knows. A clone shares what neither side changes afterwards, so it is cheap
/// enough to take for every snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    pub(super) clock: ClockRecord,
    pub(super) teams: OrdMap<TeamId, Arc<Team>>,
    /// Of the records of all teams; the clock's is added when asked for.
    pub(super) total: u128,
}

/// When and where the command at hand takes effect; `now` never goes back.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    pub(super) now: Time,
    pub(super) position: LogPosition,
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// A cluster before its first command.
    #[must_use]
    pub fn new() -> Self {
        let clock = ClockRecord { engine_version: ENGINE_VERSION, time: Time(0) };
        Self { clock, teams: OrdMap::new(), total: 0 }
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
        self.clock.time = self.clock.time.max(stamp.time);
        let at = At { now: self.clock.time, position: stamp.position };
        let Some(team) = self.teams.get_mut(&command.team) else {
            return self.answer_without_team(command, at);
        };
        let team = Arc::make_mut(team);
        let before = team.sum.total();
        let answer = team.answer(command, at);
        self.total = self.total.wrapping_sub(before).wrapping_add(team.sum.total());
        answer
    }

    fn answer_without_team(&mut self, command: &Command, at: At) -> Result<Reply, Rejection> {
        let Operation::CreateTeam { display_name } = &command.operation else {
            let id = command.team.to_string();
            return Err(Rejection::NotFound { kind: ResourceKind::Team, id });
        };
        let mut team = Team::new(command.team.clone(), display_name.clone(), at.now);
        let answer = Answer::Other(Ok(Outcome::Team(team.view())));
        let reply = team.remember(command.request.as_ref(), answer, at);
        self.total = self.total.wrapping_add(team.sum.total());
        self.teams.insert(command.team.clone(), Arc::new(team));
        reply
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
