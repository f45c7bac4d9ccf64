//! The engine against the naive model and against its own promises, on random histories.
//!
//! After each command, every answer, every assignment, every count and every place in a ring is
//! compared, and the properties of the routing specification are asked of the engine alone. A failing
//! history is shrunk before it is shown. The kinds of answers that must have come up are listed, so
//! that a generator gone stale fails too.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use bytes::Bytes;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use turnwise::routing::{
    Assignment, AssignmentFilter, AssignmentId, AssignmentState, CampaignId, Cause, Change,
    Command, Cursor, Event, GroupId, Image, MemberName, Operation, Outcome, Preview, Principal,
    Reason, Rejection, Reply, Revision, Stamp, State, TargetKind, TargetOutcome, TargetTrace,
    TeamId, Time,
};
use turnwise::{codec, consensus::StateMachine};

use super::{
    model::{self, Model, Seen, seen},
    promises::{self, Marks, Replica},
    wishes::{History, Wish, histories},
};

/// Commands of one history at most, after those that set a team up.
const LENGTH_MAX: usize = 600;
/// Histories of a whole run.
const HISTORIES: u32 = 260;
/// Commands of a whole run at least.
const COMMANDS_MIN: u64 = 100_000;
/// Histories of a run that the optimiser was not asked for.
const HISTORIES_FEW: u32 = 16;

/// The engine, with the naive model beside it.
struct Pair {
    state: State,
    /// Another engine, fed the same through bytes.
    replica: Replica,
    model: Model,
    history: History,
    /// The assignments that each team had, for seeing which are forgotten.
    known: BTreeMap<TeamId, BTreeMap<AssignmentId, AssignmentState>>,
    /// A line for each command so far.
    done: Vec<String>,
}

impl Pair {
    fn new() -> Self {
        let (history, known, done) = (History::new(), BTreeMap::new(), Vec::new());
        let (state, replica, model) = (State::new(), Replica::new(), Model::new());
        Self { state, replica, model, history, known, done }
    }

    /// All of them; the first thing that is wrong, with what led to it.
    fn run(&mut self, wishes: &[Wish], marks: &mut Marks) -> Result<(), String> {
        wishes.iter().enumerate().try_for_each(|(at, wish)| {
            let ahead = &wishes[at + 1..];
            let result = self.step(wish, ahead, marks);
            result.map_err(|wrong| format!("{}\n{wrong}", self.done.join("\n")))
        })
    }

    fn step_count(&self) -> usize {
        self.done.len()
    }

    /// One command through both; what is wrong with the answers, or with what came of it.
    fn step(&mut self, wish: &Wish, ahead: &[Wish], marks: &mut Marks) -> Result<(), String> {
        let (command, stamp) = self.history.command(wish, &self.model);
        let (before, mut events) = (self.state.clone(), Vec::new());
        let answer = self.state.apply_telling(&command, stamp, &mut events);
        let expected = self.model.apply(&command, stamp);
        mark(&expected, marks);
        mark_owing(&before, &self.state, &command, &events, marks);
        if matches!(&command.principal, Principal::Token(_)) && answer.is_ok() {
            *marks.entry("let in".to_owned()).or_default() += 1;
        }
        self.done.push(format!("{} {command:?}", stamp.time.0));
        let found = seen(&answer);
        if found != expected {
            return Err(format!("engine {found:#?}\nmodel {expected:#?}"));
        }
        let wrong = self.compare(&command.team, marks).or_else(|| {
            let done = Done { before: &before, command: &command, stamp, answer: &answer };
            done.broken_promise(&self.state, &events, self.step_count())
        });
        let wrong = wrong
            .or_else(|| self.replica.follow(&command, stamp, &answer, &events))
            .or_else(|| self.of_every_state(stamp, ahead, marks));
        wrong.map_or(Ok(()), |wrong| Err(format!("{answer:?}\n{wrong}")))
    }

    /// What is promised of any state, now of one and now of the other.
    fn of_every_state(
        &mut self,
        stamp: Stamp,
        ahead: &[Wish],
        marks: &mut Marks,
    ) -> Option<String> {
        let (state, team, after) = (&self.state, &TeamId::new("t"), stamp.position);
        let step = self.done.len();
        if state.team(team).is_err() {
            return None;
        }
        match step % 32 {
            0 | 16 => promises::time_alone(state, after, marks),
            4 | 12 | 20 | 28 => {
                let preview = self.supposed(step / 4, ahead)?;
                promises::p7(state, team, after, &preview, marks)
            }
            8 => promises::availability(state, team, after, marks),
            24 => promises::p1(state, team, after, marks),
            31 => self.replica.equals(state),
            _ => None,
        }
    }

    /// Up to two of the changes that come next, mostly such as may be made, and then up to ten contacts.
    fn supposed(&self, n: usize, ahead: &[Wish]) -> Option<Preview> {
        let (candidates, assign) = self.history.supposed(ahead, &self.model)?;
        let mut preview = Preview { changes: Vec::new(), assign, count: 0 };
        let (team, now) = (TeamId::new("t"), self.state.time());
        for change in candidates {
            preview.changes.push(change);
            let is_refused = self.state.preview(&team, &preview, now).is_err();
            if preview.changes.len() > n % 3 || is_refused && !n.is_multiple_of(8) {
                preview.changes.pop();
            }
        }
        preview.count = 1 + n % 10;
        Some(preview)
    }

    /// What is not in an answer.
    fn compare(&mut self, team: &TeamId, marks: &mut Marks) -> Option<String> {
        let (state, model) = (&self.state, &self.model);
        if self.step_count().is_multiple_of(16) && state.hash() != state.recomputed_hash() {
            return Some("the hash is not that of the records".into());
        }
        if self.step_count().is_multiple_of(64)
            && let Some(problem) = saved_and_loaded(state)
        {
            return Some(problem);
        }
        if !model.has(team) {
            self.known.remove(team);
            return state.team(team).is_ok().then(|| "the team is still there".into());
        }
        let all: Vec<_> = assignments(state, team).iter().map(model::Assignment::of).collect();
        let expected = model.assignments(team);
        if all != expected {
            let (a, b): (Vec<_>, Vec<_>) = (
                all.iter().filter(|a| !expected.contains(a)).collect(),
                expected.iter().filter(|b| !all.contains(b)).collect(),
            );
            return Some(format!("engine {a:#?}\nmodel {b:#?}"));
        }
        let there: BTreeMap<_, _> = all.iter().map(|one| (one.id, one.state)).collect();
        let known = self.known.insert(team.clone(), there).unwrap_or_default();
        for (_, ended) in known.iter().filter(|(id, _)| !self.known[team].contains_key(id)) {
            if ended.is_open() {
                return Some(format!("forgotten while {ended:?}"));
            }
            *marks.entry(format!("forgotten {ended:?}")).or_default() += 1;
        }
        let counts: Vec<_> = model.open_counts(team);
        for (id, open) in counts {
            if state.rep(team, &id).unwrap().open_count != open {
                return Some(format!("open count of {id}, model {open}"));
            }
        }
        let (engine, expected) = (revisions(state, team), model.revisions(team));
        if engine != expected {
            return Some(format!("revisions {engine:?}\nmodel {expected:?}"));
        }
        for (id, members) in model.groups(team) {
            let found = state.group(team, &id).unwrap().members;
            let found: Vec<_> = found.into_iter().map(|m| (m.key, m.name)).collect();
            if found != members {
                return Some(format!("members of {id}: {found:?}, model {members:?}"));
            }
        }
        for ((group, campaign), found) in rotations(state, team) {
            let expected = model.rotation(team, &group, campaign.as_ref());
            if found != expected {
                let key = format!("{group} under {campaign:?}");
                return Some(format!("rotation {key}: {found:?}, model {expected:?}"));
            }
        }
        None
    }
}

fn assignments(state: &State, team: &TeamId) -> Vec<Assignment> {
    state.assignments(team, &AssignmentFilter::default(), None, usize::MAX).unwrap()
}

fn revisions(state: &State, team: &TeamId) -> Vec<(String, Revision)> {
    const ALL: usize = usize::MAX;
    let mut all = vec![("team".to_owned(), state.team(team).unwrap().meta.revision)];
    let reps = state.reps(team, None, ALL).unwrap();
    all.extend(reps.iter().map(|r| (format!("rep {}", r.id), r.meta.revision)));
    let groups = state.groups(team, None, ALL).unwrap();
    all.extend(groups.iter().map(|g| (format!("group {}", g.id), g.meta.revision)));
    let rules = state.rules(team, None, ALL).unwrap();
    all.extend(rules.iter().map(|r| (format!("rule {}", r.id), r.meta.revision)));
    let campaigns = state.campaigns(team, None, ALL).unwrap();
    all.extend(campaigns.iter().map(|(c, _)| (format!("campaign {}", c.id), c.meta.revision)));
    let tokens = state.tokens(team, None, ALL).unwrap();
    all.extend(tokens.iter().map(|t| (format!("token {}", t.id), t.meta.revision)));
    all.sort();
    all
}

type Place = (GroupId, Option<CampaignId>);

/// Where every ring stands, under every campaign and under none.
fn rotations(state: &State, team: &TeamId) -> Vec<(Place, model::Rotation)> {
    let Ok(groups) = state.groups(team, None, usize::MAX) else { return Vec::new() };
    let campaigns = state.campaigns(team, None, usize::MAX).unwrap();
    let campaigns: Vec<_> = campaigns.into_iter().map(|(c, _)| Some(c.id)).chain([None]).collect();
    let mut all = Vec::new();
    for group in groups {
        for campaign in &campaigns {
            let of = campaign.as_ref();
            let view = state.rotation(team, &group.id, of, 0, state.time()).unwrap();
            let (cursor, turns, credits) = (view.cursor, view.turns, view.credits);
            let rotation = model::Rotation { cursor, turns, credits };
            all.push(((group.id.clone(), campaign.clone()), rotation));
        }
    }
    all
}

/// A command that was done, and what it was done to.
struct Done<'a> {
    before: &'a State,
    command: &'a Command,
    stamp: Stamp,
    answer: &'a Result<Reply, Rejection>,
}

impl Done<'_> {
    /// The first property of the specification that does not hold.
    fn broken_promise(&self, after: &State, events: &[Event], step: usize) -> Option<String> {
        self.p2_p3_p4(after, events)
            .or_else(|| self.p10(after, events))
            .or_else(|| if step.is_multiple_of(8) { self.p5(after) } else { None })
            .or_else(|| self.p6())
            .or_else(|| if step.is_multiple_of(4) { self.p7() } else { None })
            .or_else(|| if step.is_multiple_of(8) { self.p9(after) } else { None })
    }

    /// A cursor goes somewhere only by a pick from its ring, or with its member to another place.
    fn p2_p3_p4(&self, after: &State, events: &[Event]) -> Option<String> {
        let team = &self.command.team;
        let was = rotations(self.before, team);
        let picked = |group: &GroupId| {
            let traces = changed(events).flat_map(|assignment| &assignment.decision.targets);
            traces.filter(|trace| trace.outcome == TargetOutcome::Picked).any(|trace| {
                trace.target.kind == TargetKind::Group(group.clone())
                    || trace.inner.iter().any(|inner| inner.group == *group)
            })
        };
        let moves_it = |id: &GroupId| match &self.command.operation {
            Operation::ReorderGroup { group, .. } => group == id || picked(id),
            // A longer rest allowed is one that was not too long.
            Operation::UpdateGroup { group, .. } => group == id || picked(id),
            Operation::DeleteTeam { .. } => true,
            _ => picked(id),
        };
        rotations(after, team).into_iter().find_map(|(place, now)| {
            let then = was.iter().find(|(other, _)| *other == place)?.1.cursor;
            let moved = now.cursor != then && now.cursor != Cursor::default();
            (moved && !moves_it(&place.0))
                .then(|| format!("P3: {place:?} from {then:?} to {now:?}"))
        })
    }

    /// The same request gets the same answer and changes nothing.
    fn p5(&self, after: &State) -> Option<String> {
        self.command.request.as_ref()?;
        after.team(&self.command.team).ok()?;
        let mut again = after.clone();
        let mut stamp = self.stamp;
        stamp.position.log_index += 1;
        let principal = match &self.command.principal {
            // They have taken their own token away. Whoever else may ask hears the same.
            Principal::Token(bearer)
                if !self.was_not_let_in() && after.held(bearer, after.time()).is_err() =>
            {
                "p".into()
            }
            same => same.clone(),
        };
        let answer = again.apply(&Command { principal, ..self.command.clone() }, stamp);
        (answer != *self.answer || again != *after).then(|| format!("P5: {answer:#?}"))
    }

    fn was_not_let_in(&self) -> bool {
        let denied = |rejection: &Rejection| {
            matches!(rejection, Rejection::Unauthenticated | Rejection::PermissionDenied { .. })
        };
        self.answer.as_ref().is_err_and(denied)
    }

    /// A batch gives what the calls give in order.
    fn p6(&self) -> Option<String> {
        let Operation::AssignBatch { items } = &self.command.operation else { return None };
        let Ok(Reply { outcome: Outcome::Batch(routed), .. }) = self.answer else { return None };
        let (mut one_by_one, mut stamp) = (self.before.clone(), self.stamp);
        if self.command.request.is_some() {
            return None; // It may be a repeat.
        }
        for (asked, in_batch) in items.iter().zip(routed) {
            let operation = Operation::AssignContact(asked.clone());
            let command = Command { request: None, operation, ..self.command.clone() };
            let reply = one_by_one.apply(&command, stamp).unwrap();
            stamp.position.seq += 1;
            let Outcome::Assigned(alone) = reply.outcome else { unreachable!() };
            let look = |a: &Assignment| (a.state, a.rep.clone(), a.option.clone(), a.cause);
            let same = look(&alone.assignment) == look(&in_batch.assignment);
            if !same || alone.existing != in_batch.existing {
                return Some(format!("P6: alone {alone:#?}\nin a batch {in_batch:#?}"));
            }
        }
        None
    }

    /// What a preview shows is what then happens.
    fn p7(&self) -> Option<String> {
        let Operation::AssignContact(asked) = &self.command.operation else { return None };
        if self.command.request.is_some() {
            return None; // It may be a repeat.
        }
        if self.was_not_let_in() {
            return None; // A preview is asked by nobody in particular.
        }
        let (changes, assign, count) = (Vec::new(), asked.clone(), 1);
        let preview = Preview { changes, assign, count };
        let now = self.stamp.time.max(self.before.time());
        let shown = self.before.preview(&self.command.team, &preview, now);
        let look = |a: &Assignment| (a.state, a.rep.clone(), a.option.clone(), a.cause);
        let shown = shown.map(|shown| look(&shown[0].assignment)).map_err(drop);
        let happened = match self.answer {
            Ok(Reply { outcome: Outcome::Assigned(routed), .. }) => Ok(look(&routed.assignment)),
            _ => Err(()),
        };
        (shown != happened).then(|| format!("P7: previewed {shown:?}, happened {happened:?}"))
    }

    /// The same command on the same state gives the same.
    fn p9(&self, after: &State) -> Option<String> {
        let loaded = State::from_image(self.before.image());
        let mut again = loaded.map_err(|error| error.to_string()).ok()?;
        let answer = again.apply(self.command, self.stamp);
        let same = answer == *self.answer && again == *after && again.hash() == after.hash();
        (!same).then(|| format!("P8 or P9, after loading: {answer:#?}"))
    }

    /// Nobody is given more than they may have, except by hand: followed from step to step, so that
    /// what is done by hand in the same command hides nothing.
    fn p10(&self, after: &State, events: &[Event]) -> Option<String> {
        let team = &self.command.team;
        let reps = self.before.reps(team, None, usize::MAX).unwrap_or_default().into_iter();
        let mut loads: BTreeMap<_, _> = reps.map(|r| (r.id, (r.max_open, r.open_count))).collect();
        let automatic = [Cause::Owner, Cause::Rotation, Cause::Rep, Cause::LastRep];
        for event in events {
            match &event.change {
                Change::Rep { before: _, after: Some(rep) } => {
                    loads.entry(rep.id.clone()).or_default().0 = rep.max_open;
                }
                Change::Assignment { before, after, .. } => {
                    let holder = |a: &Assignment| a.rep.clone().filter(|_| a.state.is_held());
                    let (had, has) = (before.as_ref().and_then(|a| holder(a)), holder(after));
                    if had == has {
                        continue;
                    }
                    // It may be the work of somebody who is gone, under an id that is somebody's again.
                    if let Some((_, open)) = had.and_then(|id| loads.get_mut(&id)) {
                        *open = open.saturating_sub(1);
                    }
                    let Some((id, load)) = has.and_then(|id| loads.get_mut(&id).map(|l| (id, l)))
                    else {
                        continue;
                    };
                    load.1 += 1;
                    let over = load.0 > 0 && load.1 > u64::from(load.0);
                    if over && automatic.contains(&after.cause) {
                        return Some(format!("P10: {id} was given {} of {}", load.1, load.0));
                    }
                }
                _ => {}
            }
        }
        // The counts that were followed are those that are told.
        let is_mixed = |id| {
            let filter = AssignmentFilter { rep: Some(id), ..AssignmentFilter::default() };
            let held = self.before.assignments(team, &filter, None, usize::MAX).unwrap_or_default();
            let held = held.iter().filter(|a| a.state.is_held()).count();
            let counted = |rep: turnwise::routing::Rep| rep.open_count;
            let id = filter.rep.as_ref()?;
            let counted = self.before.rep(team, id).map(counted).ok()?;
            (usize::try_from(counted).ok()? != held).then_some(())
        };
        loads.into_iter().find_map(|(id, (_, open))| {
            let rep = after.rep(team, &id).ok()?;
            (rep.open_count != open && is_mixed(id.clone()).is_none())
                .then(|| format!("P10: {id} holds {}, followed {open}", rep.open_count))
        })
    }
}

/// The assignments that these events tell of, as they became.
fn changed(events: &[Event]) -> impl Iterator<Item = &Assignment> {
    events.iter().filter_map(|event| match &event.change {
        Change::Assignment { after, .. } => Some(&**after),
        _ => None,
    })
}

/// What a snapshot would do to it.
pub(crate) fn saved_and_loaded(state: &State) -> Option<String> {
    let format = bincode::config::standard();
    let bytes = bincode::serde::encode_to_vec(state.image(), format).unwrap();
    let (image, _): (Image, usize) = bincode::serde::decode_from_slice(&bytes, format).unwrap();
    match State::from_image(image) {
        Err(error) => Some(error.to_string()),
        Ok(loaded) if loaded.hash() != state.hash() => Some("hash after loading".into()),
        Ok(loaded) if loaded != *state => Some("state after loading".into()),
        Ok(_) => None,
    }
}

/// Notes what an answer shows.
fn mark(answer: &Seen, marks: &mut Marks) {
    let mut mark = |name: String| *marks.entry(name).or_default() += 1;
    let mut show = |assignment: &model::Assignment| {
        mark(format!("{:?} {:?}", assignment.state, assignment.cause));
        for trace in &assignment.traces {
            mark(format!("target {:?}", trace.outcome));
            trace.skipped.named.iter().for_each(|p| mark(format!("passed {:?}", p.reason)));
            if trace.is_last_rep {
                mark(format!("last rep {:?}", trace.outcome));
            }
            if !trace.inner.is_empty() {
                mark("nested".into());
            }
        }
    };
    match answer {
        Seen::Refused(name) => {
            let name = name.split(' ').next().unwrap();
            mark(format!("refused {name}"));
        }
        Seen::Done(_) => mark("done".into()),
        Seen::Assigned(_, routed) => {
            show(&routed.assignment);
            mark(format!("existing {} {:?}", routed.existing, routed.assignment.state));
        }
        Seen::Batch(_, all) => {
            all.iter().for_each(|routed| show(&routed.assignment));
            mark("batch".into());
        }
        Seen::Life(_, assignment) => show(assignment),
    }
}

/// Notes who owed turns when somebody was picked by turn, and what was paid then.
fn mark_owing(
    before: &State,
    after: &State,
    command: &Command,
    events: &[Event],
    marks: &mut Marks,
) {
    let team = &command.team;
    if !matches!(command.operation, Operation::AssignContact(_)) {
        return; // Others may set credits themselves, or pick often.
    }
    let mut mark = |name: &str| *marks.entry(name.to_owned()).or_default() += 1;
    let now = rotations(after, team);
    for ((id, campaign), was) in rotations(before, team) {
        let Some((_, is)) = now.iter().find(|(key, _)| *key == (id.clone(), campaign.clone()))
        else {
            continue;
        };
        let (was, is): (BTreeMap<_, _>, BTreeMap<_, _>) =
            (was.credits.into_iter().collect(), is.credits.iter().cloned().collect());
        if was == is {
            continue;
        }
        let left = |name: &MemberName| is.get(name).copied().unwrap_or(0);
        let paid: BTreeMap<_, _> = was
            .iter()
            .filter(|(name, owes)| **owes < 0 && left(name) > **owes)
            .map(|(name, owes)| (name, left(name) - owes))
            .collect();
        let members = after.group(team, &id).unwrap().members;
        let owing = was.values().filter(|credits| **credits < 0).count();
        if paid.is_empty() {
            mark("a turn that was owed to one");
            if owing > 0 {
                mark("a turn that was owed to one beside debts");
            }
            continue;
        }
        let weights = members.iter().filter(|member| paid.contains_key(&member.name));
        let weights: BTreeSet<u32> = weights.map(|member| member.weight).collect();
        let picked = |trace: &&TargetTrace| trace.target.kind == TargetKind::Group(id.clone());
        let traces = changed(events).flat_map(|work| &work.decision.targets).filter(picked);
        let barred = traces.flat_map(|trace| &trace.skipped.named).any(|passed| {
            let owes = was.get(&MemberName::Rep(passed.rep.clone()));
            passed.reason != Reason::Credit && owes.is_some_and(|owes| *owes < 0)
        });
        let seen = [
            (paid.len() > 1, "paid by several"),
            (paid.len() > 4, "paid by many"),
            (weights.len() > 2, "paid by unequal weights"),
            (paid.values().sum::<i32>() > 40, "paid more than 40"),
            (owing == members.len(), "paid while everybody owes"),
            (owing + 1 == members.len(), "paid while all but one owe"),
            (barred, "paid by others than those who can't have it"),
            (paid.keys().any(|name| left(name) == 0), "paid in full"),
            (paid.keys().any(|name| left(name) < 0), "paid in part"),
        ];
        seen.into_iter().filter(|(is_so, _)| *is_so).for_each(|(_, name)| mark(name));
    }
}

/// Everything that a run must have seen, often enough to mean something.
const EXPECTED: &str = "done, batch, nested, \
    refused AlreadyClaimed, refused AlreadyExists, refused AlreadyMember, \
    refused CampaignNotRunning, refused DefaultGroupImmutable, refused DisplayNameTaken, \
    refused EmailTaken, refused EmptyWindow, refused EtagMismatch, refused ExternalIdTaken, \
    refused GroupCycle, refused GroupHasNoAvailableRep, refused GroupInUse, \
    refused GroupKindMismatch, refused GroupTooSmall, refused InvalidReorder, refused Item, \
    refused LastAvailableRep, refused NotAMember, refused NotFound, refused NotOffered, \
    refused PermissionDenied, refused Unauthenticated, let in, refused RepDisabled, refused RepInUse, refused RequestIdReused, refused RuleInUse, \
    refused TeamInUse, refused WrongAssignmentState, refused WrongCampaignState, \
    target Picked, target NoOwner, target OwnerIsQueue, target OwnerNotARep, target NoEligible, \
    target Waiting, last rep Picked, last rep NoEligible, \
    passed Disabled, passed OutOfOffice, passed OffHours, passed NotOnline, passed AtCapacity, \
    passed PeriodCap, passed RejectedBefore, passed Excluded, passed Credit, \
    existing true Pending, existing true Offered, existing true Assigned, \
    existing true Unassigned, existing false Pending, existing false Offered, \
    existing false Assigned, existing false Unassigned, existing false Closed, \
    Assigned Claim, Assigned LastRep, Assigned Manual, Assigned Owner, \
    Assigned Reassign, Assigned Rep, Assigned Rotation, Cancelled Cancel, Closed Option, \
    Closed Rotation, Offered Owner, Offered Rep, Offered Rotation, Pending Waiting, \
    Unassigned NoTarget, Unassigned Unassign, \
    P1 of several, P1 by weight, previewed refusal, previewed by load, previewed after changes, \
    previewed Assigned Owner, previewed Assigned Rotation, previewed Assigned Rep, \
    previewed Assigned LastRep, previewed Assigned Manual, previewed Offered Rotation, \
    previewed Pending Waiting, previewed Closed Option, previewed Unassigned NoTarget, \
    not before it is due, nothing is due, happened when it was due, \
    told Available, told Disabled, told OutOfOffice, told OffHours, told AtCapacity, \
    told available and not online, forgotten Closed, forgotten Cancelled, \
    a turn that was owed to one, a turn that was owed to one beside debts, paid by several, \
    paid by many, paid by unequal weights, paid more than 40, paid while everybody owes, \
    paid while all but one owe, paid by others than those who can't have it, paid in full, \
    paid in part";

/// How many histories to run: a whole run under `--release`, a short one otherwise, or so many as
/// `TURNWISE_HISTORIES` says.
fn histories_count() -> u32 {
    let usual = if cfg!(debug_assertions) { HISTORIES_FEW } else { HISTORIES };
    let said = std::env::var("TURNWISE_HISTORIES").ok();
    said.map_or(usual, |count| count.parse().expect("TURNWISE_HISTORIES is a number"))
}

/// Runs histories from the seed in `TURNWISE_SEED`, or from the one of every day.
fn run(histories_count: u32, mut check: impl FnMut(&[Wish]) -> Result<(), String>) {
    let seed = std::env::var("TURNWISE_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&seed.unwrap_or_default().to_le_bytes());
    let config = Config {
        cases: histories_count,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let check = RefCell::new(&mut check);
    let result = TestRunner::new_with_rng(config, rng).run(&histories(LENGTH_MAX), |wishes| {
        check.borrow_mut()(&wishes).map_err(TestCaseError::fail)
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(_, wishes)) => {
            let (wishes, reason) = without_the_idle(wishes, |wishes| check.borrow_mut()(wishes));
            panic!("seed {seed:?}, {} steps:\n{reason}", wishes.len());
        }
        Err(TestError::Abort(reason)) => panic!("aborted: {reason}"),
    }
}

/// Leaves out the steps that the failure does not need, many at once and then one by one.
fn without_the_idle(
    mut wishes: Vec<Wish>,
    mut check: impl FnMut(&[Wish]) -> Result<(), String>,
) -> (Vec<Wish>, String) {
    let mut reason = check(&wishes).unwrap_err();
    let mut size = wishes.len() / 2;
    while size > 0 {
        let mut start = 0;
        while start < wishes.len() {
            let mut fewer = wishes.clone();
            fewer.drain(start..(start + size).min(wishes.len()));
            match check(&fewer) {
                Err(other) => (wishes, reason) = (fewer, other),
                Ok(()) => start += size,
            }
        }
        size /= 2;
    }
    (wishes, reason)
}

#[test]
fn the_engine_does_random_commands_as_the_naive_model_does() {
    let (mut marks, mut count) = (Marks::new(), 0);
    let histories = histories_count();
    run(histories, |wishes| {
        let mut pair = Pair::new();
        let result = pair.run(wishes, &mut marks);
        count += u64::try_from(pair.step_count()).unwrap();
        result
    });
    eprintln!("{histories} histories, {count} commands, no difference; {marks:?}");
    assert!(
        count >= COMMANDS_MIN * u64::from(histories) / u64::from(HISTORIES),
        "{count} commands"
    );
    if histories < HISTORIES {
        return; // Too few for what comes up seldom.
    }
    let rare: Vec<_> = EXPECTED
        .split(", ")
        .filter(|name| marks.get(*name).is_none_or(|count| *count < 5))
        .collect();
    assert!(rare.is_empty(), "too rare: {rare:?} in {marks:#?}");
}

/// The places of a log, as the n-th command: what is left of a text is what does not depend on them.
fn without_places(text: &str, places: &BTreeMap<String, usize>) -> String {
    // What is not there is named by its place.
    const UNKNOWN: &str = "NotFound { kind: Assignment";
    let mut parts = text.split(UNKNOWN);
    let first = parts.next().unwrap_or_default().to_owned();
    let text = parts.fold(first, |text, part| text + UNKNOWN + &part[part.find('}').unwrap()..]);
    let mut parts = text.split("log_index: ");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let number = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
        let index = number(part);
        let rest = &part[index.len()..];
        let seq = number(rest.strip_prefix(", seq: ").unwrap());
        let place = places.get(&format!("{index}-{seq}"));
        text.push_str(&format!("#{place:?}{}", &rest[", seq: ".len() + seq.len()..]));
    }
    text
}

/// Where all rings stand, all assignments, and then every record. The hash of the state is left out: it
/// covers records, and those tell the places of the commands that made and changed them.
fn left(state: &State, places: &BTreeMap<String, usize>) -> Vec<String> {
    let mut all = Vec::new();
    for team in state.teams(None, usize::MAX) {
        all.extend(rotations(state, &team.id).iter().map(|rotation| format!("{rotation:?}")));
        all.extend(assignments(state, &team.id).iter().map(|work| format!("{work:?}")));
    }
    all.push(format!("{:?}", state.image()));
    all.iter().map(|text| without_places(text, places)).collect()
}

#[test]
fn the_same_commands_in_other_batches_come_to_the_same() {
    let mut unlike = 0;
    run(histories_count() / 8, |wishes| {
        let mut hashes = BTreeSet::new();
        // Three at each time: in entries of their own, in one, in two.
        let batched = |same_entry: fn(usize) -> bool| -> Vec<Wish> {
            let steps = wishes.iter().enumerate();
            steps.map(|(i, wish)| wish.in_entry_of_before(same_entry(i), i % 3 != 0)).collect()
        };
        let all = [batched(|_| false), batched(|i| i % 3 != 0), batched(|i| i % 3 == 2)];
        let seen = all.map(|wishes| {
            let (mut model, mut history) = (Model::new(), History::new());
            let mut places = BTreeMap::new();
            let mut entries: BTreeMap<u64, (Time, Vec<Bytes>)> = BTreeMap::new();
            for (n, wish) in wishes.iter().enumerate() {
                let (command, stamp) = history.command(wish, &model);
                model.apply(&command, stamp);
                let at = stamp.position;
                places.insert(format!("{}-{}", at.log_index, at.seq), n);
                let entry = entries.entry(at.log_index).or_insert((stamp.time, Vec::new()));
                assert_eq!(entry.0, stamp.time, "an entry has one time");
                entry.1.push(codec::encode(&command));
            }
            // As a node applies them.
            let (mut state, mut events, mut answers) = (State::new(), Vec::new(), Vec::new());
            for (index, (time, commands)) in entries {
                let replies =
                    StateMachine::apply(&mut state, index, 1, time.0, &commands, &mut events);
                let texts = replies.unwrap().into_iter().map(|answer| format!("{answer:?}"));
                answers.extend(texts.map(|answer| without_places(&answer, &places)));
            }
            hashes.insert(state.hash());
            answers.extend(left(&state, &places));
            answers
        });
        unlike += u32::from(hashes.len() == 3);
        let differs = |other: &[String]| {
            let same = seen[0].iter().zip(other).take_while(|(a, b)| a == b).count();
            let rest = seen[0].get(same).zip(other.get(same));
            let is_different = same < seen[0].len().max(other.len());
            is_different.then(|| format!("from {same} of {} on: {rest:#?}", wishes.len()))
        };
        differs(&seen[1]).or_else(|| differs(&seen[2])).map_or(Ok(()), Err)
    });
    assert!(unlike > 0, "the places in the log were the same");
}
