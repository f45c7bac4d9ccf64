//! What one `AssignContact` costs in `State::apply`, decision and idempotency record included: by size
//! of the group, by who is there and why not, by strategy, weights, caps and credits.
//!
//! The state grows as it would in service: every iteration is a new contact with a new request. Only where
//! turns are owed, each iteration has a copy of one state, since a single pick pays what is owed.

use std::{cell::RefCell, hint::black_box};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use turnwise::routing::{
    Assign, Assigned, CampaignId, Command, ContactId, GroupId, GroupSettings, Labels, LogPosition,
    MemberName, MemberSpec, Operation, Outcome, PeriodCap, Principal, RepId, RepSettings,
    RequestId, RequestKey, Route, RuleId, Stamp, State, Strategy, Target, TargetKind, TeamId, Time,
    Via,
};

/// What a group is like.
#[derive(Debug, Clone, Copy)]
struct Shape {
    size: u32,
    /// All but so many can't have a contact; the last of the ring can.
    available: u32,
    why_not: WhyNot,
    strategy: Strategy,
    /// Of the i-th member.
    weight: fn(u32) -> u32,
    period_cap: Option<PeriodCap>,
    /// Of how many, from the first on, and how much each of them owes.
    owe: (u32, i32),
}

/// Why somebody can't have a contact.
#[derive(Debug, Clone, Copy)]
enum WhyNot {
    Disabled,
    OutOfOffice,
    PeriodCap,
}

impl Shape {
    fn all_in(size: u32) -> Self {
        Self {
            size,
            available: size,
            why_not: WhyNot::Disabled,
            strategy: Strategy::RoundRobin,
            weight: |_| 1,
            period_cap: None,
            owe: (0, 0),
        }
    }

    fn one_in(size: u32, why_not: WhyNot) -> Self {
        let shape = Self { available: 1, why_not, ..Self::all_in(size) };
        match why_not {
            WhyNot::Disabled | WhyNot::OutOfOffice => shape,
            WhyNot::PeriodCap => {
                Self { period_cap: Some(PeriodCap { count: 1, period_us: u64::MAX }), ..shape }
            }
        }
    }
}

struct Bench {
    state: State,
    index: u64,
}

impl Bench {
    /// A campaign over such a group.
    fn new(shape: Shape) -> Self {
        let mut bench = Self { state: State::new(), index: 0 };
        let rep = |i: u32| RepId::new(&format!("rep-{i:06}"));
        let (group, campaign) = (GroupId::new("g"), CampaignId::new("c"));
        let (name, labels) = (String::new, Labels::new);
        bench.apply(Operation::CreateTeam {
            display_name: name(),
            labels: labels(),
            time_zone: name(),
        });
        let away = shape.size - shape.available;
        for i in 0..shape.size {
            let disabled = i < away && matches!(shape.why_not, WhyNot::Disabled);
            let settings = RepSettings { disabled, ..RepSettings::default() };
            bench.apply(Operation::CreateRep { rep: rep(i), settings });
            if i < away && matches!(shape.why_not, WhyNot::OutOfOffice) {
                let (start, end, note) = (None, None, String::new());
                bench.apply(Operation::SetOutOfOffice { rep: rep(i), start, end, note });
            }
        }
        let member = |i| MemberSpec {
            member: MemberName::Rep(rep(i)),
            payload: String::new(),
            weight: (shape.weight)(i),
        };
        let members = (0..shape.size).map(member).collect();
        let Shape { strategy, period_cap, .. } = shape;
        let settings = GroupSettings { strategy, period_cap, ..GroupSettings::default() };
        bench.apply(Operation::CreateGroup { group: group.clone(), settings, members });
        bench.apply(Operation::CreateCampaign {
            campaign: campaign.clone(),
            display_name: name(),
            labels: labels(),
            route: Route::Targets(vec![Target::new(TargetKind::Group(group.clone()))]),
        });
        bench.apply(Operation::LaunchCampaign { campaign: campaign.clone() });
        let (owing, turns) = shape.owe;
        for i in 0..owing {
            bench.apply(Operation::AdjustRotation {
                group: group.clone(),
                campaign: Some(campaign.clone()),
                member: MemberName::Rep(rep(i)),
                credits: -turns,
                reason: String::new(),
            });
        }
        if matches!(shape.why_not, WhyNot::PeriodCap) {
            for _ in 0..away {
                let (command, stamp) = bench.next();
                bench.state.apply(&command, stamp).expect("somebody is free");
            }
        }
        bench
    }

    fn next(&mut self) -> (Command, Stamp) {
        self.index += 1;
        let contact = ContactId::new(&format!("contact-{:08}", self.index));
        let assign = Assign::new(contact, Via::Campaign(CampaignId::new("c")));
        let id = RequestId::new(&format!("request-{:08}", self.index));
        let request = Some(RequestKey { id, fingerprint: u128::from(self.index) });
        self.stamped(request, Operation::AssignContact(assign))
    }

    fn stamped(&self, request: Option<RequestKey>, operation: Operation) -> (Command, Stamp) {
        let position = LogPosition { log_index: self.index, seq: 0, term: 1 };
        let (principal, team) = (Principal::default(), TeamId::new("t"));
        let command = Command { request, principal, team, etag: None, operation };
        (command, Stamp { time: Time(self.index), position })
    }

    fn apply(&mut self, operation: Operation) {
        self.index += 1;
        let (command, stamp) = self.stamped(None, operation);
        self.state.apply(&command, stamp).expect("the benchmark's setup is sound");
    }
}

fn assign_contact(criterion: &mut Criterion) {
    for (strategy, by) in [(Strategy::RoundRobin, "in turn"), (Strategy::LeastOpen, "by load")] {
        for size in [10, 1_000, 100_000] {
            let shapes = [
                ("all in", Shape::all_in(size)),
                ("one in", Shape::one_in(size, WhyNot::Disabled)),
                ("one in, others out of office", Shape::one_in(size, WhyNot::OutOfOffice)),
            ];
            for (who, shape) in shapes {
                let shape = Shape { strategy, ..shape };
                one_after_the_other(criterion, &format!("assign {by}, {size} reps, {who}"), shape);
            }
        }
    }
}

/// What a group may have besides.
fn with_more(criterion: &mut Criterion) {
    for size in [10, 1_000] {
        let shape = Shape { weight: |i| i % 1_000 + 1, ..Shape::all_in(size) };
        let name = format!("assign in turn, {size} reps, each of another weight");
        one_after_the_other(criterion, &name, shape);
    }
    for size in [10, 1_000, 100_000] {
        let cap = Shape::one_in(size, WhyNot::PeriodCap);
        from_one_state(
            criterion,
            &format!("assign in turn, {size} reps, others at their cap"),
            cap,
        );
    }
    for size in [10, 1_000] {
        let all = Shape { owe: (size, 100), ..Shape::all_in(size) };
        from_one_state(criterion, &format!("assign in turn, {size} reps, all owe 100 turns"), all);
        let others = Shape { owe: (size - 1, 100), ..Shape::all_in(size) };
        let name = format!("assign in turn, {size} reps, all but one owe 100 turns");
        from_one_state(criterion, &name, others);
    }
}

/// Every pick from the state that the one before left.
fn one_after_the_other(criterion: &mut Criterion, name: &str, shape: Shape) {
    // Not even made where a filter leaves it out.
    let bench = std::cell::LazyCell::new(|| RefCell::new(Bench::new(shape)));
    criterion.bench_function(name, |bencher| {
        bencher.iter_batched(
            || bench.borrow_mut().next(),
            |(command, stamp)| black_box(bench.borrow_mut().state.apply(&command, stamp)),
            BatchSize::SmallInput,
        );
    });
}

/// Every pick from a copy of one state: what it changes, it copies first, which costs more than in service.
fn from_one_state(criterion: &mut Criterion, name: &str, shape: Shape) {
    let bench = std::cell::LazyCell::new(|| RefCell::new(Bench::new(shape)));
    criterion.bench_function(name, |bencher| {
        bencher.iter_batched(
            || {
                let (command, stamp) = bench.borrow_mut().next();
                (bench.borrow().state.clone(), command, stamp)
            },
            |(mut state, command, stamp)| {
                let outcome = black_box(state.apply(&command, stamp));
                (state, outcome)
            },
            BatchSize::SmallInput,
        );
    });
}

/// A close by a rep for whom nobody waits, beside so many groups with a contact that waits for each.
fn close_beside_others(criterion: &mut Criterion) {
    for groups in [0, 1_000] {
        let name = format!("close, {groups} groups with a contact waiting for each");
        let bench = std::cell::LazyCell::new(|| RefCell::new(Bench::beside(groups)));
        criterion.bench_function(&name, |bencher| {
            bencher.iter_batched(
                || bench.borrow_mut().next_close(),
                |(command, stamp)| black_box(bench.borrow_mut().state.apply(&command, stamp)),
                BatchSize::PerIteration,
            );
        });
    }
}

impl Bench {
    /// A rep of no group, and groups whose only member is away while a contact waits for it.
    fn beside(groups: u32) -> Self {
        let mut bench = Self { state: State::new(), index: 0 };
        let (display_name, labels, time_zone) = (String::new(), Labels::new(), String::new());
        bench.apply(Operation::CreateTeam { display_name, labels, time_zone });
        let (rep, settings) = (RepId::new("in"), RepSettings::default());
        bench.apply(Operation::CreateRep { rep, settings });
        let (away, settings) = (RepId::new("away"), RepSettings::default());
        bench.apply(Operation::CreateRep { rep: away.clone(), settings });
        let (start, end, note) = (None, None, String::new());
        bench.apply(Operation::SetOutOfOffice { rep: away.clone(), start, end, note });
        for i in 0..groups {
            let (group, rule) = (GroupId::new(&format!("g{i}")), RuleId::new(&format!("r{i}")));
            let (member, payload, weight) = (MemberName::Rep(away.clone()), String::new(), 1);
            let members = vec![MemberSpec { member, payload, weight }];
            let settings = GroupSettings::default();
            bench.apply(Operation::CreateGroup { group: group.clone(), settings, members });
            let (display_name, labels) = (format!("{i}"), Labels::new());
            let wait_us = 7 * 24 * 3_600 * 1_000_000;
            let targets = vec![Target { wait_us, ..Target::new(TargetKind::Group(group)) }];
            let id = rule.clone();
            bench.apply(Operation::CreateRule { rule: id, display_name, labels, targets });
            let contact = ContactId::new(&format!("waits-{i}"));
            let assign = Assign::new(contact, Via::Rule(rule));
            bench.apply(Operation::AssignContact(assign));
        }
        bench
    }

    /// The close of a contact that the rep has just been given.
    fn next_close(&mut self) -> (Command, Stamp) {
        self.index += 1;
        let contact = ContactId::new(&format!("contact-{:08}", self.index));
        let assign = Assign::new(contact, Via::Rep(RepId::new("in")));
        let (command, stamp) = self.stamped(None, Operation::AssignContact(assign));
        let reply = self.state.apply(&command, stamp).expect("the rep is there");
        let Outcome::Assigned(Assigned { assignment, .. }) = reply.outcome else {
            panic!("an assign is answered by an assignment")
        };
        self.index += 1;
        self.stamped(None, Operation::CloseAssignment { assignment: assignment.id })
    }
}

criterion_group!(benches, assign_contact, with_more, close_beside_others);
criterion_main!(benches);
