//! The naive model: the same rules as `src/routing`, written apart, by scanning lists.
//!
//! Shares with the product only the words of commands and answers. It is slow and short on purpose:
//! every answer is computed from scratch, nothing is indexed, and time is asked instant by instant.
//! Not modelled: limits, warnings, texts in resources, histories. Included by path from any test
//! binary.
//!
//! | File | Owns |
//! |---|---|
//! | `mod` | what is compared; one answer a request; the order of the steps of a command |
//! | `setup` | what people set up |
//! | `groups` | groups, their members, and whose turn it is in one |
//! | `guard` | coverage sets, launches, what is in use |
//! | `walk` | the targets in their order, and who is passed over |
//! | `access` | tokens, and what their holders may |
//! | `life` | the steps of an assignment's life, and the drain |

#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::single_match,
    reason = "each part of the model knows a part of the operations, and passes the others on"
)]
#![allow(dead_code, reason = "each test binary that includes this file uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code, included by binaries of which each needs some of it"
)]

mod access;
mod groups;
mod guard;
mod life;
mod setup;
mod walk;

use turnwise::routing::{
    AssignmentId, AssignmentState, CampaignId, Cause, Command, ContactId, Cursor, GroupId,
    LogPosition, MemberName, Operation, Outcome, OwnerRef, PickedOption, Rejection, RepId, Reply,
    RequestKey, Revision, Stamp, TargetTrace, TeamId, Time, Via,
};

use access::Token;
use setup::Setup;

/// What of an answer is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Refused, with the name of the rejection.
    Refused(String),
    /// Anything that shows no assignment.
    Done(LogPosition),
    /// An assign.
    Assigned(LogPosition, Routed),
    /// Several.
    Batch(LogPosition, Vec<Routed>),
    /// A step of an assignment's life.
    Life(LogPosition, Assignment),
}

/// What an assign came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Routed {
    pub(crate) existing: bool,
    pub(crate) assignment: Assignment,
}

/// What of an assignment is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) id: AssignmentId,
    pub(crate) position: LogPosition,
    pub(crate) contact: ContactId,
    pub(crate) via: Via,
    pub(crate) owners: Vec<OwnerRef>,
    pub(crate) prefer_last_rep: bool,
    pub(crate) priority: i32,
    pub(crate) state: AssignmentState,
    pub(crate) rep: Option<RepId>,
    pub(crate) option: Option<PickedOption>,
    pub(crate) cause: Cause,
    pub(crate) target_index: Option<u32>,
    pub(crate) owner_changed: bool,
    pub(crate) wait_end: Option<Time>,
    pub(crate) offer_end: Option<Time>,
    pub(crate) rejected_by: Vec<RepId>,
    pub(crate) decided: Time,
    pub(crate) traces: Vec<TargetTrace>,
}

impl Assignment {
    /// The product's in the model's words.
    pub(crate) fn of(seen: &turnwise::routing::Assignment) -> Self {
        Self {
            id: seen.id,
            position: seen.position,
            contact: seen.contact.clone(),
            via: seen.via.clone(),
            owners: seen.owners.clone(),
            prefer_last_rep: seen.prefer_last_rep,
            priority: seen.priority,
            state: seen.state,
            rep: seen.rep.clone(),
            option: seen.option.clone(),
            cause: seen.cause,
            target_index: seen.target_index,
            owner_changed: seen.owner_changed,
            wait_end: seen.wait_end.filter(|_| seen.state == AssignmentState::Pending),
            offer_end: seen.offer_end,
            rejected_by: seen.rejected_by.clone(),
            decided: seen.decision.time,
            traces: seen.decision.targets.clone(),
        }
    }
}

/// The product's answer in the model's words.
pub(crate) fn seen(answer: &Result<Reply, Rejection>) -> Seen {
    let routed = |assigned: &turnwise::routing::Assigned| Routed {
        existing: assigned.existing,
        assignment: Assignment::of(&assigned.assignment),
    };
    match answer {
        Err(rejection) => Seen::Refused(refusal_name(rejection)),
        Ok(reply) => match &reply.outcome {
            Outcome::Assigned(assigned) => Seen::Assigned(reply.position, routed(assigned)),
            Outcome::Batch(items) => {
                Seen::Batch(reply.position, items.iter().map(routed).collect())
            }
            Outcome::Assignment(assignment) => {
                Seen::Life(reply.position, Assignment::of(assignment))
            }
            Outcome::Team(_)
            | Outcome::Rep(_)
            | Outcome::Group(_)
            | Outcome::LargeGroup { .. }
            | Outcome::Rotation(_)
            | Outcome::Rule(_)
            | Outcome::Campaign(..)
            | Outcome::Token(_)
            | Outcome::Deleted
            | Outcome::Ticked => Seen::Done(reply.position),
        },
    }
}

/// The name of a refusal; of a batch, with the item and its own.
pub(crate) fn refusal_name(rejection: &Rejection) -> String {
    if let Rejection::Item { index, rejection } = rejection {
        return format!("Item {index} {}", refusal_name(rejection));
    }
    let name = format!("{rejection:?}");
    name.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned()
}

/// What of a rotation is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rotation {
    pub(crate) cursor: Cursor,
    pub(crate) turns: Vec<(MemberName, u64)>,
    pub(crate) credits: Vec<(MemberName, i32)>,
}

type Refusal = &'static str;

/// The time and place of the command that is being done.
#[derive(Debug, Clone, Copy)]
struct At {
    now: u64,
    position: LogPosition,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    now: u64,
    teams: Vec<Team>,
}

#[derive(Debug)]
struct Team {
    setup: Setup,
    tokens: Vec<Token>,
    work: Vec<Work>,
    answers: Vec<Answer>,
}

/// An assignment, with what is not shown of it.
#[derive(Debug, Clone)]
struct Work {
    shown: Assignment,
    /// The number of the rep who has it: an id may be given to somebody else.
    rep: Option<usize>,
    /// The numbers of those who refused it.
    rejected: Vec<usize>,
    /// From whom it was taken, until somebody is found.
    excluded: Option<usize>,
    /// Until when it may be held at the target it is at, whether it waits there or not.
    held_until: u64,
    /// Its targets were edited: it goes on from the first.
    from_start: bool,
    /// When it was closed or cancelled.
    ended: Option<u64>,
}

#[derive(Debug)]
struct Answer {
    key: RequestKey,
    time: u64,
    /// The assignment it made, for as long as which it is remembered.
    made: Option<AssignmentId>,
    seen: Seen,
}

const DAY: u64 = 24 * 60 * 60 * 1_000_000;

impl Model {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn apply(&mut self, command: &Command, stamp: Stamp) -> Seen {
        self.now = self.now.max(stamp.time.0);
        let (now, position) = (self.now, stamp.position);
        let at = At { now, position };
        if let Some(refusal) = self.refuses(command) {
            return Seen::Refused(refusal.to_owned());
        }
        let there = self.teams.iter().position(|team| team.setup.id == command.team);
        let index = match (&command.operation, there) {
            (_, Some(index)) => index,
            (Operation::CreateTeam { .. }, None) => {
                let setup = Setup::new(command.team.clone(), at);
                let (tokens, work, answers) = (Vec::new(), Vec::new(), Vec::new());
                self.teams.push(Team { setup, tokens, work, answers });
                self.teams.len() - 1
            }
            (Operation::DeleteTeam { allow_missing: true }, None) => return Seen::Done(position),
            _ => return Seen::Refused("NotFound".into()),
        };
        let team = &mut self.teams[index];
        if let Some(key) = &command.request {
            let lives =
                |a: &&Answer| a.key.id == key.id && (a.made.is_some() || now - a.time < DAY);
            match team.answers.iter().rev().find(lives) {
                Some(old) if old.key == *key => return old.seen.clone(),
                Some(_) => return Seen::Refused("RequestIdReused".into()),
                None => {}
            }
        }
        if there.is_some() && matches!(command.operation, Operation::DeleteTeam { .. }) {
            team.before(command, at);
            let denied = (!team.permits(command)).then_some("PermissionDenied");
            let refused = denied.or_else(|| team.refuses_deletion(command.etag));
            if refused.is_none() {
                self.teams.remove(index);
                return Seen::Done(position);
            }
            return team.remember(command, at, Seen::Refused(refused.unwrap().into()));
        }
        let seen = if there.is_none() { Seen::Done(position) } else { team.answer(command, at) };
        team.remember(command, at, seen)
    }

    /// Whether there is such a team.
    pub(crate) fn has(&self, team: &TeamId) -> bool {
        self.teams.iter().any(|other| other.setup.id == *team)
    }

    fn team(&self, id: &TeamId) -> &Team {
        self.teams.iter().find(|team| team.setup.id == *id).unwrap()
    }

    /// Open assignments of each present rep.
    pub(crate) fn open_counts(&self, team: &TeamId) -> Vec<(RepId, u64)> {
        let team = self.team(team);
        team.setup.reps.iter().map(|rep| (rep.id.clone(), team.open(rep.number))).collect()
    }

    /// Every group with its members and keys in ring order.
    pub(crate) fn groups(&self, team: &TeamId) -> Vec<(GroupId, Vec<(u64, MemberName)>)> {
        let groups = self.team(team).setup.groups.iter();
        groups
            .map(|g| {
                let members = g.members.iter().map(|m| (m.key, m.name.clone())).collect();
                (g.id.clone(), members)
            })
            .collect()
    }

    /// Where a ring stands, the turns and the credits of its members in ring order.
    pub(crate) fn rotation(
        &self,
        team: &TeamId,
        group: &GroupId,
        campaign: Option<&CampaignId>,
    ) -> Rotation {
        let group = self.team(team).setup.groups.iter().find(|g| g.id == *group).unwrap();
        let turns = |m: &groups::Member| (m.name.clone(), group.turns(campaign, m.key));
        let credits = |m: &groups::Member| (m.name.clone(), group.credit(campaign, m.key));
        let credits = group.members.iter().map(credits).filter(|(_, n)| *n != 0).collect();
        let cursor = group.cursor(campaign, self.now);
        Rotation { cursor, turns: group.members.iter().map(turns).collect(), credits }
    }

    /// The campaigns there are.
    pub(crate) fn campaigns(&self, team: &TeamId) -> Vec<CampaignId> {
        self.team(team).setup.campaigns.iter().map(|c| c.id.clone()).collect()
    }

    /// All assignments, by age.
    pub(crate) fn assignments(&self, team: &TeamId) -> Vec<Assignment> {
        let mut all: Vec<_> = self.team(team).work.iter().map(|w| w.shown.clone()).collect();
        all.sort_by_key(|assignment| assignment.id);
        all
    }

    /// The revision of everything that has one, by its name.
    pub(crate) fn revisions(&self, team: &TeamId) -> Vec<(String, Revision)> {
        let Team { setup, tokens, .. } = self.team(team);
        let mut all = vec![("team".to_owned(), setup.revision)];
        all.extend(setup.reps.iter().map(|r| (format!("rep {}", r.id), r.revision)));
        all.extend(setup.groups.iter().map(|g| (format!("group {}", g.id), g.revision)));
        all.extend(setup.rules.iter().map(|r| (format!("rule {}", r.id), r.revision)));
        all.extend(setup.campaigns.iter().map(|c| (format!("campaign {}", c.id), c.revision)));
        all.extend(tokens.iter().map(|t| (format!("token {}", t.id), t.revision)));
        all.sort();
        all
    }
}

impl Team {
    /// A command to a team that is there, from its first step to its last.
    fn answer(&mut self, command: &Command, at: At) -> Seen {
        self.before(command, at);
        if !self.permits(command) {
            return Seen::Refused("PermissionDenied".to_owned());
        }
        let Command { etag, operation, .. } = command;
        let answer = match operation {
            Operation::AssignContact(assign) => {
                self.assign(assign, 0, at).map(|routed| Seen::Assigned(at.position, routed))
            }
            Operation::AssignBatch { items } => {
                return self.batch(items, at);
            }
            Operation::AcceptAssignment { assignment, .. }
            | Operation::RejectAssignment { assignment, .. }
            | Operation::ClaimAssignment { assignment, .. }
            | Operation::ReassignAssignment { assignment, .. }
            | Operation::UnassignAssignment { assignment }
            | Operation::CloseAssignment { assignment }
            | Operation::CancelAssignment { assignment } => {
                let done = self.step(*assignment, operation, at);
                done.map(|index| {
                    self.drain(at);
                    Seen::Life(at.position, self.work[index].shown.clone())
                })
            }
            Operation::CreateTeam { .. } => Err("AlreadyExists"),
            Operation::CreateToken { .. }
            | Operation::UpdateToken { .. }
            | Operation::DeleteToken { .. } => self.change_tokens(operation, *etag, at).map(|()| {
                self.drain(at);
                Seen::Done(at.position)
            }),
            other => self.change(other, *etag, at).map(|()| {
                match other {
                    Operation::DeleteRep { rep, .. } => self.drop_tokens_of(rep),
                    Operation::DeleteGroup { group, .. } => self.drop_from_roles(group, at),
                    _ => {}
                }
                self.drain(at);
                Seen::Done(at.position)
            }),
        };
        answer.unwrap_or_else(|name| Seen::Refused(name.to_owned()))
    }

    /// What comes before the command itself.
    fn before(&mut self, command: &Command, at: At) {
        self.forget_ended(command, at.now);
        self.let_lapse(at);
        self.drain(at);
    }

    fn remember(&mut self, command: &Command, at: At, seen: Seen) -> Seen {
        if let Some(key) = command.request.clone() {
            let made = match &seen {
                Seen::Assigned(_, Routed { existing: false, assignment }) => Some(assignment.id),
                _ => None,
            };
            self.answers.push(Answer { key, time: at.now, made, seen: seen.clone() });
        }
        seen
    }

    fn refuses_deletion(&self, etag: Option<Revision>) -> Option<Refusal> {
        if etag.is_some_and(|etag| etag != self.setup.revision) {
            return Some("EtagMismatch");
        }
        let busy = self.work.iter().any(|w| w.shown.state.is_open())
            || self.setup.active().next().is_some();
        busy.then_some("TeamInUse")
    }

    /// Open assignments of the rep with this number.
    fn open(&self, number: usize) -> u64 {
        self.open_of(&[Some(number)])[0]
    }

    /// The same of several, in one go over all work; 0 for nobody.
    fn open_of(&self, numbers: &[Option<usize>]) -> Vec<u64> {
        let mut held = vec![0; self.setup.reps_ever + 1];
        for work in &self.work {
            if let Some(rep) = work.rep
                && let AssignmentState::Assigned | AssignmentState::Offered = work.shown.state
            {
                held[rep] += 1;
            }
        }
        numbers.iter().map(|number| number.map_or(0, |number| held[number])).collect()
    }

    /// Drops what ended 90 days ago, the oldest first, four in a command and one for each of a batch.
    fn forget_ended(&mut self, command: &Command, now: u64) {
        let batch = match &command.operation {
            Operation::AssignBatch { items } => items.len(),
            _ => 0,
        };
        for _ in 0..4 + batch {
            let old = |w: &&Work| w.ended.is_some_and(|ended| now - ended >= 90 * DAY);
            let oldest = self.work.iter().filter(old).map(|w| (w.ended, w.shown.id)).min();
            let Some((_, id)) = oldest else { return };
            self.work.retain(|w| w.shown.id != id);
            self.answers.retain(|answer| answer.made != Some(id));
        }
    }
}

/// The time the model has reached.
pub(crate) fn time_of(model: &Model) -> Time {
    Time(model.now)
}
