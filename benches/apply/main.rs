//! What one `AssignContact` costs in `State::apply`, decision and idempotency record included: by size
//! of the group, by who is there and why not, by strategy, weights, caps and credits. And what a command
//! costs as bytes, and the state as a snapshot.
//!
//! The state grows as it would in service: every iteration is a new contact with a new request. Only where
//! turns are owed, each iteration has a copy of one state, since a single pick pays what is owed.

mod service;

use std::{cell::RefCell, hint::black_box};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use service::{Service, Shape, WhyNot};
use turnwise::{
    codec, image,
    routing::{
        Assign, Assigned, Command, ContactId, GroupId, GroupSettings, Labels, MemberName,
        MemberSpec, Operation, Outcome, RepId, RepSettings, RuleId, Stamp, State, Strategy, Target,
        TargetKind, Via,
    },
};

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
    let bench = std::cell::LazyCell::new(|| RefCell::new(Service::new(shape)));
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
    let bench = std::cell::LazyCell::new(|| RefCell::new(Service::new(shape)));
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
        let bench = std::cell::LazyCell::new(|| RefCell::new(beside(groups)));
        criterion.bench_function(&name, |bencher| {
            bencher.iter_batched(
                || next_close(&mut bench.borrow_mut()),
                |(command, stamp)| black_box(bench.borrow_mut().state.apply(&command, stamp)),
                BatchSize::PerIteration,
            );
        });
    }
}

/// A rep of no group, and groups whose only member is away while a contact waits for it.
fn beside(groups: u32) -> Service {
    let mut bench = Service { state: State::new(), index: 0 };
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
fn next_close(bench: &mut Service) -> (Command, Stamp) {
    bench.index += 1;
    let contact = ContactId::new(&format!("contact-{:08}", bench.index));
    let assign = Assign::new(contact, Via::Rep(RepId::new("in")));
    let (command, stamp) = bench.stamped(None, Operation::AssignContact(assign));
    let reply = bench.state.apply(&command, stamp).expect("the rep is there");
    let Outcome::Assigned(Assigned { assignment, .. }) = reply.outcome else {
        panic!("an assign is answered by an assignment")
    };
    bench.index += 1;
    bench.stamped(None, Operation::CloseAssignment { assignment: assignment.id })
}

/// Commands as bytes of the log, and back.
fn command_and_bytes(criterion: &mut Criterion) {
    let (command, _) = Service::new(Shape::all_in(1)).next();
    let bytes = codec::encode(&command);
    criterion.bench_function("a command to bytes", |bencher| {
        bencher.iter(|| codec::encode(black_box(&command)));
    });
    criterion.bench_function("bytes to a command", |bencher| {
        bencher.iter(|| codec::decode(black_box(&bytes)));
    });
}

/// A snapshot: what keeps `apply` waiting, and what another thread does.
fn snapshot(criterion: &mut Criterion) {
    const ASSIGNMENTS: u32 = 100_000;
    let mut service = Service::new(Shape::all_in(10));
    for _ in 0..ASSIGNMENTS {
        let (command, stamp) = service.next();
        service.state.apply(&command, stamp).expect("everybody is in");
    }
    let state = service.state;
    criterion.bench_function("snapshot: taken, of 100,000 assignments", |bencher| {
        bencher.iter(|| black_box(&state).clone());
    });
    let mut body = Vec::new();
    image::save(&state, &mut body).expect("memory can be written");
    criterion.bench_function("snapshot: written to memory", |bencher| {
        bencher.iter_batched(
            || Vec::with_capacity(body.len()),
            |mut out| image::save(&state, &mut out).map(|()| out),
            BatchSize::LargeInput,
        );
    });
    criterion.bench_function("snapshot: loaded from memory", |bencher| {
        bencher.iter_with_large_drop(|| image::load(black_box(&body)));
    });
}

criterion_group!(
    benches,
    assign_contact,
    with_more,
    close_beside_others,
    command_and_bytes,
    snapshot
);
criterion_main!(benches);
