//! What is promised of every state, whatever led to it: each asked on a copy, which is then thrown away.
//!
//! Each function gives what is wrong, if anything is. Those that take marks note what they came upon, so
//! that one which no longer comes upon anything is seen.

use std::{collections::BTreeMap, sync::Arc};

use turnwise::{
    codec, image,
    routing::{
        Assign, Assignment, AssignmentFilter, AssignmentState, Availability, Command, ContactId,
        Event, Group, GroupKind, LogPosition, Operation, Outcome, Preview, Principal, Reason,
        Rejection, RepChange, RepId, Reply, RuleId, Stamp, State, Strategy, Target, TargetKind,
        TeamId, Time, Via,
    },
};

use super::{
    model::refusal_name,
    world::{DAY, named},
};

/// How often what came up.
pub(crate) type Marks = BTreeMap<String, u64>;

const ALL: usize = usize::MAX;
/// Picks of one cycle that are still tried one by one.
const CYCLE_MAX: u32 = 64;

/// A copy on which things are tried, all at one time, after all that happened.
struct Trial<'a> {
    state: State,
    team: &'a TeamId,
    log_index: u64,
    now: Time,
}

impl<'a> Trial<'a> {
    fn of(state: &State, team: &'a TeamId, after: LogPosition) -> Self {
        Self { state: state.clone(), team, log_index: after.log_index, now: state.time() }
    }

    fn try_(&mut self, operation: Operation) -> Result<Outcome, Rejection> {
        self.log_index += 1;
        let position = LogPosition { log_index: self.log_index, seq: 0, term: 1 };
        let (request, principal, etag) = (None, Principal::default(), None);
        let command = Command { request, principal, team: self.team.clone(), etag, operation };
        self.state.apply(&command, Stamp { time: self.now, position }).map(|reply| reply.outcome)
    }

    fn assign(&mut self, assign: Assign) -> Result<Assignment, Rejection> {
        let outcome = self.try_(Operation::AssignContact(assign))?;
        let Outcome::Assigned(assigned) = outcome else { panic!("{outcome:?}") };
        Ok(Arc::unwrap_or_clone(assigned.assignment))
    }

    fn assign_anybody(&mut self, via: Via) -> Assignment {
        let contact = ContactId::new(&format!("tried-{}", self.log_index));
        self.assign(Assign::new(contact, via)).unwrap()
    }
}

fn open(state: &State) -> Vec<Assignment> {
    let teams = state.teams(None, ALL).into_iter();
    let all = teams.flat_map(|team| {
        state.assignments(&team.id, &AssignmentFilter::default(), None, ALL).unwrap()
    });
    all.filter(|assignment| assignment.state.is_open()).collect()
}

/// P1: while the eligible are the same, they take turns, each as often as their weight says.
pub(crate) fn p1(
    state: &State,
    team: &TeamId,
    after: LogPosition,
    marks: &mut Marks,
) -> Option<String> {
    let is_plain = |group: &Group| {
        group.kind == GroupKind::Reps
            && group.strategy == Strategy::RoundRobin
            && group.period_cap.is_none()
    };
    let mut groups = state.groups(team, None, ALL).unwrap().into_iter().filter(is_plain);
    groups.find_map(|group| p1_of(state, team, after, &group, marks))
}

fn p1_of(
    state: &State,
    team: &TeamId,
    after: LogPosition,
    group: &Group,
    marks: &mut Marks,
) -> Option<String> {
    if !state.rotation(team, &group.id, None, 0, state.time()).unwrap().credits.is_empty() {
        return None; // Some are to be served before or after their turn.
    }
    let mut trial = Trial::of(state, team, after);
    for member in &group.members {
        let rep = RepId::new(&named(&member.name));
        let change = RepChange { max_open: Some(0), ..RepChange::default() };
        trial.try_(Operation::UpdateRep { rep, change }).unwrap();
    }
    if !trial.state.rotation(team, &group.id, None, 0, trial.now).unwrap().credits.is_empty() {
        return None;
    }
    let divisor = group.members.iter().map(|m| m.weight).fold(0, gcd);
    let mut turns = BTreeMap::new();
    for member in &group.members {
        let id = named(&member.name);
        let rep = trial.state.rep(team, &RepId::new(&id)).unwrap();
        let is_here = rep.availability(trial.now) == Availability::Available
            && (!group.require_online || rep.presence.is_online(trial.now));
        if is_here {
            turns.insert(id, member.weight / divisor);
        }
    }
    let cycle: u32 = turns.values().sum();
    if cycle > CYCLE_MAX {
        return None; // It would take too long.
    }
    for _ in 0..2 {
        let mut taken: BTreeMap<String, u32> = BTreeMap::new();
        for _ in 0..cycle {
            let made = trial.assign_anybody(Via::Group(group.id.clone()));
            *taken.entry(made.rep.map_or("-".to_owned(), |rep| rep.to_string())).or_default() += 1;
        }
        if taken != turns {
            return Some(format!("P1: of {} {turns:?}, picked {taken:?}", group.id));
        }
    }
    if turns.len() > 1 {
        *marks.entry("P1 of several".to_owned()).or_default() += 1;
        if turns.values().any(|turns| *turns > 1) {
            *marks.entry("P1 by weight".to_owned()).or_default() += 1;
        }
    }
    None
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// P7: what a preview shows is what then happens, contact by contact, after the changes it supposes.
pub(crate) fn p7(
    state: &State,
    team: &TeamId,
    after: LogPosition,
    preview: &Preview,
    marks: &mut Marks,
) -> Option<String> {
    let mut trial = Trial::of(state, team, after);
    let mut changes = preview.changes.iter();
    let changed = changes.try_for_each(|change| trial.try_(change.clone()).map(drop));
    let happened = changed.and_then(|()| {
        let contacts = (0..preview.count).map(|n| match n {
            0 => preview.assign.contact.clone(),
            _ => ContactId::new(&format!("another-{n}")),
        });
        let assign = |contact| trial.assign(Assign { contact, ..preview.assign.clone() });
        contacts.map(assign).collect::<Result<Vec<_>, _>>()
    });
    let shown = state.preview(team, preview, state.time());
    let shown = shown.map(|all| {
        all.into_iter().map(|one| Arc::unwrap_or_clone(one.assignment)).collect::<Vec<_>>()
    });
    let look = |all: &Result<Vec<Assignment>, Rejection>| match all {
        Ok(all) => Ok(all
            .iter()
            .map(|a| {
                let what = (a.state, a.rep.clone(), a.option.clone(), a.cause, a.target_index);
                (what, a.wait_end, a.offer_end, a.owner_changed, a.decision.targets.clone())
            })
            .collect::<Vec<_>>()),
        Err(rejection) => Err(refusal_name(rejection)),
    };
    let (shown, happens) = (look(&shown), look(&happened));
    if shown != happens {
        return Some(format!("P7: {preview:?}\nshown {shown:#?}\nhappened {happens:#?}"));
    }
    let mut mark = |name: String| *marks.entry(name).or_default() += 1;
    match happened {
        Err(_) => mark("previewed refusal".to_owned()),
        Ok(all) => {
            let by_load = |a: &Assignment| {
                a.decision.targets.last().is_some_and(|trace| match &trace.target.kind {
                    TargetKind::Group(id) => trial
                        .state
                        .group(team, id)
                        .is_ok_and(|group| group.strategy == Strategy::LeastOpen),
                    TargetKind::Owner(_) | TargetKind::Rep(_) => false,
                })
            };
            let reps: Vec<_> = all.iter().filter_map(|a| a.rep.as_ref()).collect();
            if all.len() > 2
                && all.iter().all(by_load)
                && reps.windows(2).any(|two| two[0] != two[1])
            {
                mark("previewed by load".to_owned());
            }
            if !preview.changes.is_empty() {
                mark("previewed after changes".to_owned());
            }
            all.iter().for_each(|a| mark(format!("previewed {:?} {:?}", a.state, a.cause)));
        }
    }
    None
}

/// P8: two replicas fed the same log hold the same, to the last byte; one of them reads it from bytes.
pub(crate) struct Replica(State);

impl Replica {
    pub(crate) fn new() -> Self {
        Self(State::new())
    }

    /// The same command, as it stands in the log.
    pub(crate) fn follow(
        &mut self,
        command: &Command,
        stamp: Stamp,
        answer: &Result<Reply, Rejection>,
        events: &[Event],
    ) -> Option<String> {
        let read = codec::decode(&codec::encode(command)).unwrap();
        let mut told = Vec::new();
        let own = self.0.apply_telling(&read, stamp, &mut told);
        (read != *command || own != *answer || told != events)
            .then(|| format!("P8: a replica read {read:?} and answered {own:#?}, told {told:#?}"))
    }

    /// Compares the bytes of both, and goes on from those.
    pub(crate) fn equals(&mut self, state: &State) -> Option<String> {
        let bytes = |state: &State| {
            let mut bytes = Vec::new();
            image::save(state, &mut bytes).unwrap();
            bytes
        };
        let own = bytes(&self.0);
        if own != bytes(state) {
            return Some("P8: the replica's state has other bytes".to_owned());
        }
        let (loaded, hash) = image::load(&own).unwrap();
        let same = hash == state.hash() && loaded.hash() == hash && loaded == *state;
        self.0 = loaded;
        (!same).then(|| "P8: loading the state makes another of it".to_owned())
    }
}

/// Nothing changes by time alone before it is due; and once it is, a Tick is what it needs.
pub(crate) fn time_alone(state: &State, after: LogPosition, marks: &mut Marks) -> Option<String> {
    let (now, due) = (state.time(), state.next_due());
    if due.is_some_and(|due| due <= now) {
        return None; // An answer that was remembered, or denied, leaves it to the next command.
    }
    let before = open(state);
    let last = due.map_or(Time(now.0 + 40 * DAY), |due| Time(due.0 - 1));
    let teams: Vec<_> = state.teams(None, ALL).into_iter().map(|team| team.id).collect();
    let tick = |state: &mut State, teams: &[TeamId], time: Time| {
        for team in teams {
            let mut trial = Trial::of(state, team, after);
            trial.now = time;
            trial.try_(Operation::Tick).unwrap();
            *state = trial.state;
        }
    };
    // One that was loaded takes nothing for granted: it tries everybody who waits.
    let mut copy = State::from_image(state.image()).unwrap();
    for time in [Time(now.0 + (last.0 - now.0) / 2), last] {
        tick(&mut copy, &teams, time);
        let then = open(&copy);
        if then != before {
            let changed: Vec<_> = then.iter().filter(|one| !before.contains(one)).collect();
            return Some(format!("due {due:?}, but at {} already {changed:#?}", time.0));
        }
    }
    let name = if due.is_some() { "not before it is due" } else { "nothing is due" };
    *marks.entry(name.to_owned()).or_default() += 1;
    let due = due?;
    let mut copy = state.clone();
    tick(&mut copy, &state.due_teams(due), due);
    if open(&copy) != before {
        *marks.entry("happened when it was due".to_owned()).or_default() += 1;
    }
    let next = copy.next_due();
    next.filter(|next| *next <= due).map(|next| format!("due {due:?}, and then {next:?} again"))
}

/// What readers are told of a rep is what a pick goes by: available is who a target that names them, and
/// neither waits nor waives anything, gives; and where it requires it, who is online besides.
pub(crate) fn availability(
    state: &State,
    team: &TeamId,
    after: LogPosition,
    marks: &mut Marks,
) -> Option<String> {
    let mut trial = Trial::of(state, team, after);
    trial.try_(Operation::Tick).unwrap();
    let ids: Vec<_> = state.reps(team, None, ALL).unwrap().into_iter().map(|rep| rep.id).collect();
    let rule = |id: &str, online: bool| RuleId::new(&format!("only-{id}-{online}"));
    for id in &ids {
        for online in [false, true] {
            let target = Target::new(TargetKind::Rep(id.clone()));
            let targets = vec![Target { require_online: online, ..target }];
            let (rule, labels) = (rule(id.as_str(), online), BTreeMap::new());
            let display_name = rule.to_string();
            let create = Operation::CreateRule { rule, display_name, labels, targets };
            trial.try_(create).unwrap();
        }
    }
    ids.iter().find_map(|id| {
        let rep = trial.state.rep(team, id).unwrap();
        let told = rep.availability(trial.now);
        let asked = |online: bool| {
            let mut trial = Trial::of(&trial.state, team, after);
            trial.log_index += 1_000;
            let made = trial.assign_anybody(Via::Rule(rule(id.as_str(), online)));
            (made.state == AssignmentState::Assigned && made.rep.as_ref() == Some(id), made)
        };
        let ((given, made), (given_online, made_online)) = (asked(false), asked(true));
        let reason = made.decision.targets[0].skipped.named.first().map(|passed| passed.reason);
        *marks.entry(format!("told {told:?}")).or_default() += 1;
        let is_online = rep.presence.is_online(trial.now);
        if told == Availability::Available && !is_online && !given_online {
            *marks.entry("told available and not online".to_owned()).or_default() += 1;
        }
        if (given, reason) != (told == Availability::Available, passed_over(told)) {
            Some(format!("{id} is told to be {told:?}, and then {made:#?}"))
        } else if given_online != (given && is_online) {
            Some(format!("{id} is {told:?}, online {is_online}, and then {made_online:#?}"))
        } else {
            None
        }
    })
}

/// For what reason somebody of whom that is told is passed over.
fn passed_over(told: Availability) -> Option<Reason> {
    match told {
        Availability::Available => None,
        Availability::Disabled => Some(Reason::Disabled),
        Availability::OutOfOffice => Some(Reason::OutOfOffice),
        Availability::OffHours => Some(Reason::OffHours),
        Availability::AtCapacity => Some(Reason::AtCapacity),
    }
}
