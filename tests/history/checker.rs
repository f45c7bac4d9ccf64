//! Whether what clients saw can be: replay by place in the log, then real-time order, then the final
//! state of every node.
//!
//! - Every change has a place in the log. Sorted by it and replayed on the naive model
//!   (`tests/model`), each must come to the answer that the client got.
//! - A call that was answered before another was sent has the smaller place.
//! - A read sees a state that some order of the changes allows: all that were answered before the read
//!   was sent, none that was sent after the read was answered.
//! - Every node holds each acknowledged assignment, unchanged, and no other.
//! - The same request gets the same answer, byte by byte, whoever is asked and whenever.
//!
//! It knows nothing of processes, and looks at nothing but the history.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use turnwise::routing::{
    Assign, CampaignId, Command, ContactId, GroupId, GroupSettings, Labels, LogPosition,
    MemberName, MemberSpec, Operation, Principal, RepId, RepSettings, Route, Stamp, Target,
    TargetKind, TeamId, Time, Via,
};

use crate::{
    history::{Answer, Asked, Call, Held, NodeState},
    model::{Model, Seen},
};

/// What is wrong with a history, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Calls that got an answer.
    pub(crate) acknowledged: u64,
    /// Acknowledged, and not there in the end, or changed.
    pub(crate) lost: u64,
    /// Done twice, or answered in two ways.
    pub(crate) duplicated: u64,
    /// Read from before what the reader could know.
    pub(crate) stale: u64,
    /// Placed before what had been answered when it was asked.
    pub(crate) out_of_order: u64,
    /// Not what the model answers, or refused without a reason in the rules.
    pub(crate) wrong: u64,
    /// Never answered although everything was whole again.
    pub(crate) unanswered: u64,
    /// The first of each kind, in words.
    pub(crate) words: Vec<String>,
}

impl Verdict {
    pub(crate) fn is_clean(&self) -> bool {
        let Self { lost, duplicated, stale, out_of_order, wrong, unanswered, .. } = self;
        [lost, duplicated, stale, out_of_order, wrong, unanswered].iter().all(|count| **count == 0)
    }

    fn say(&mut self, kind: impl Fn(&mut Self) -> &mut u64, words: impl Fn() -> String) {
        let count = kind(self);
        *count += 1;
        if *count == 1 {
            self.words.push(words());
        }
    }
}

/// Judges the history of one team, of so many reps in one ring.
pub(crate) fn check(reps: usize, calls: &[Call], nodes: &[NodeState]) -> Verdict {
    let mut verdict = Verdict::default();
    answers(calls, &mut verdict);
    places(calls, &mut verdict);
    let changes = replay(reps, calls, &mut verdict);
    order(calls, &mut verdict);
    reads(calls, &changes, &mut verdict);
    for node in nodes {
        held(calls, node, &mut verdict);
    }
    verdict
}

fn answers(calls: &[Call], verdict: &mut Verdict) {
    for call in calls {
        match &call.answer {
            Answer::Nothing => {
                verdict.say(|v| &mut v.unanswered, || format!("no answer: {call:?}"))
            }
            Answer::Refused(_) => verdict.say(|v| &mut v.wrong, || format!("refused: {call:?}")),
            Answer::Assigned { .. }
            | Answer::Changed { .. }
            | Answer::Rep { .. }
            | Answer::Assignment { .. } => verdict.acknowledged += 1,
        }
        if call.again.iter().any(|again| *again != call.answer) {
            verdict.say(|v| &mut v.duplicated, || format!("answered in two ways: {call:?}"));
        }
        if matches!(call.answer, Answer::Assigned { existing: true, .. }) {
            verdict.say(|v| &mut v.duplicated, || format!("was assigned before: {call:?}"));
        }
    }
}

fn places(calls: &[Call], verdict: &mut Verdict) {
    let mut taken = BTreeSet::new();
    for call in calls {
        if let Some(place) = call.answer.position()
            && !taken.insert((place.log_index, place.seq))
        {
            verdict.say(|v| &mut v.duplicated, || format!("a place with two calls: {call:?}"));
        }
    }
}

/// A rep from some place in the log on.
#[derive(Debug)]
struct Change {
    position: LogPosition,
    called: Duration,
    away: bool,
    note: String,
}

fn rep_id(number: usize) -> RepId {
    RepId::new(&format!("r{number}"))
}

fn command(operation: Operation) -> Command {
    Command {
        // The places are told apart already: the model need not look for a request that it knows.
        request: None,
        principal: Principal::default(),
        team: TeamId::new("team"),
        etag: None,
        operation,
    }
}

fn campaign() -> CampaignId {
    CampaignId::new("c")
}

/// The team as `load` founds it.
fn founded(reps: usize) -> Model {
    let mut model = Model::new();
    let mut operations = vec![Operation::CreateTeam {
        display_name: String::new(),
        labels: Labels::new(),
        time_zone: String::new(),
    }];
    for number in 0..reps {
        let settings = RepSettings::default();
        operations.push(Operation::CreateRep { rep: rep_id(number), settings });
    }
    let member = |number| MemberSpec {
        member: MemberName::Rep(rep_id(number)),
        payload: String::new(),
        weight: 1,
    };
    let group = GroupId::new("ring");
    operations.push(Operation::CreateGroup {
        group: group.clone(),
        settings: GroupSettings::default(),
        members: (0..reps).map(member).collect(),
    });
    operations.push(Operation::CreateCampaign {
        campaign: campaign(),
        display_name: String::new(),
        labels: Labels::new(),
        route: Route::Targets(vec![Target::new(TargetKind::Group(group))]),
    });
    operations.push(Operation::LaunchCampaign { campaign: campaign() });
    for (seq, operation) in (0_u32..).zip(operations) {
        let position = LogPosition { term: 1, log_index: 0, seq };
        let seen = model.apply(&command(operation), Stamp { time: Time(BASE_US), position });
        assert!(matches!(seen, Seen::Done(_)), "the model is founded: {seen:?}");
    }
    model
}

/// Any instant: no window, retention or hour of the day matters here.
const BASE_US: u64 = 1_800_000_000_000_000;

/// Replays all changes by place. Returns what became of each rep, by place.
fn replay(reps: usize, calls: &[Call], verdict: &mut Verdict) -> BTreeMap<usize, Vec<Change>> {
    let mut model = founded(reps);
    let mut by_place: Vec<(LogPosition, &Call)> =
        calls.iter().filter_map(|call| Some((call.answer.position()?, call))).collect();
    by_place.sort_by_key(|(place, _)| (place.log_index, place.seq));
    let mut changes: BTreeMap<usize, Vec<Change>> = BTreeMap::new();
    let mut diverged = false;
    for (position, call) in by_place {
        let operation = match &call.asked {
            Asked::Assign { contact } => Operation::AssignContact(Assign::new(
                ContactId::new(contact),
                Via::Campaign(campaign()),
            )),
            Asked::Away { rep, note } => Operation::SetOutOfOffice {
                rep: rep_id(*rep),
                start: None,
                end: None,
                note: note.clone(),
            },
            Asked::Back { rep, .. } => {
                Operation::ClearOutOfOffice { rep: rep_id(*rep), start: None, end: None }
            }
            Asked::ReadRep { .. } | Asked::ReadAssignment { .. } => continue,
        };
        let stamp = Stamp { time: Time(BASE_US + position.log_index * 10), position };
        let seen = model.apply(&command(operation), stamp);
        let agrees = match (&seen, &call.answer) {
            (Seen::Assigned(_, routed), Answer::Assigned { rep, .. }) => {
                routed.assignment.rep == Some(rep_id(*rep)) && !routed.existing
            }
            (Seen::Done(_), Answer::Changed { .. }) => true,
            _ => false,
        };
        // What comes after a difference differs too: one says enough.
        if !agrees && !diverged {
            diverged = true;
            let seen = || match &seen {
                Seen::Assigned(_, routed) => format!("{:?}", routed.assignment.rep),
                other => format!("{other:?}"),
            };
            verdict.say(|v| &mut v.wrong, || format!("the model says {}: {call:?}", seen()));
        }
        let (rep, away) = match &call.asked {
            Asked::Away { rep, .. } => (*rep, true),
            Asked::Back { rep, .. } => (*rep, false),
            Asked::Assign { .. } | Asked::ReadRep { .. } | Asked::ReadAssignment { .. } => continue,
        };
        let of_rep = changes.entry(rep).or_default();
        let (was_away, was_noted) =
            of_rep.last().map(|last| (last.away, last.note.clone())).unwrap_or_default();
        // Who is away for good is not told again why, and keeps the first note.
        let note = match &call.asked {
            Asked::Away { note, .. } if !was_away => note.clone(),
            _ => was_noted,
        };
        of_rep.push(Change { position, called: call.called, away, note });
    }
    changes
}

/// The greatest place that had been answered at any time.
struct Answered(Vec<(Duration, LogPosition)>);

impl Answered {
    fn new<'a>(calls: impl Iterator<Item = &'a Call>) -> Self {
        let mut all: Vec<_> =
            calls.filter_map(|call| Some((call.answered, call.answer.position()?))).collect();
        all.sort_by_key(|(answered, _)| *answered);
        let mut greatest: Option<LogPosition> = None;
        for (_, place) in &mut all {
            greatest = greatest.max(Some(*place));
            *place = greatest.unwrap_or(*place);
        }
        Self(all)
    }

    fn before(&self, instant: Duration) -> Option<LogPosition> {
        let count = self.0.partition_point(|(answered, _)| *answered < instant);
        count.checked_sub(1).map(|last| self.0[last].1)
    }
}

fn order(calls: &[Call], verdict: &mut Verdict) {
    let answered = Answered::new(calls.iter());
    for call in calls {
        let (Some(place), Some(before)) = (call.answer.position(), answered.before(call.called))
        else {
            continue;
        };
        if place <= before {
            verdict.say(
                |v| &mut v.out_of_order,
                || format!("{before:?} was answered before it was sent: {call:?}"),
            );
        }
    }
}

fn reads(calls: &[Call], changes: &BTreeMap<usize, Vec<Change>>, verdict: &mut Verdict) {
    let answered = Answered::new(calls.iter());
    for call in calls {
        match (&call.asked, &call.answer) {
            (Asked::ReadAssignment { rep, .. }, Answer::Assignment { rep: read }) => match read {
                None => verdict.say(|v| &mut v.stale, || format!("not there yet: {call:?}")),
                Some(read) if read != rep => {
                    verdict.say(|v| &mut v.wrong, || format!("somebody else's: {call:?}"));
                }
                Some(_) => {}
            },
            (Asked::ReadRep { rep }, Answer::Rep { away, note }) => {
                let of_rep = changes.get(rep).map(Vec::as_slice).unwrap_or_default();
                let known = answered.before(call.called);
                // How many changes the reader must see, and how many it may.
                let least = of_rep.partition_point(|change| Some(change.position) <= known);
                let most = of_rep.iter().rposition(|change| change.called < call.answered);
                let most = most.map_or(0, |last| last + 1);
                let is_state = |count: usize| match count.checked_sub(1) {
                    None => !away && note.is_empty(),
                    Some(last) => of_rep[last].away == *away && of_rep[last].note == *note,
                };
                if (least..=most.max(least)).any(is_state) {
                    continue;
                }
                if (0..least).any(is_state) {
                    verdict.say(|v| &mut v.stale, || format!("read from before: {call:?}"));
                } else {
                    verdict.say(|v| &mut v.wrong, || format!("no state it was in: {call:?}"));
                }
            }
            _ => {}
        }
    }
}

fn held(calls: &[Call], node: &NodeState, verdict: &mut Verdict) {
    let id = node.node;
    let mut by_contact: BTreeMap<&str, Vec<&Held>> = BTreeMap::new();
    for held in &node.held {
        by_contact.entry(&held.contact).or_default().push(held);
    }
    for call in calls {
        let Asked::Assign { contact } = &call.asked else { continue };
        let there = by_contact.remove(contact.as_str()).unwrap_or_default();
        if there.len() > 1 {
            verdict.say(|v| &mut v.duplicated, || format!("node {id} has {there:?}"));
        }
        if let Answer::Assigned { name, rep, .. } = &call.answer
            && !there.iter().any(|held| held.name == *name && held.rep == *rep)
        {
            verdict.say(|v| &mut v.lost, || format!("node {id} has {there:?} for {call:?}"));
        }
    }
    for unasked in by_contact.values() {
        verdict.say(|v| &mut v.wrong, || format!("node {id} has what nobody asked: {unasked:?}"));
    }
}
