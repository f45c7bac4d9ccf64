//! What one `AssignContact` costs in `State::apply`, decision and idempotency record included: by size
//! of the group, by who is there, by strategy.
//!
//! The state grows as it would in service: every iteration is a new contact with a new request.

use std::{cell::RefCell, hint::black_box};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use turnwise::routing::{
    Assign, CampaignId, Command, ContactId, GroupId, GroupSettings, Labels, LogPosition,
    MemberName, MemberSpec, Operation, Principal, RepId, RepSettings, RequestId, RequestKey, Route,
    Stamp, State, Strategy, Target, TargetKind, TeamId, Time, Via,
};

struct Bench {
    state: State,
    index: u64,
}

impl Bench {
    /// A campaign over a group of `size` reps, of whom all but the last `available` are away.
    fn new(size: u32, available: u32, strategy: Strategy) -> Self {
        let mut bench = Self { state: State::new(), index: 0 };
        let rep = |i: u32| RepId::new(&format!("rep-{i:06}"));
        let (group, campaign) = (GroupId::new("g"), CampaignId::new("c"));
        let (name, labels) = (String::new, Labels::new);
        bench.apply(Operation::CreateTeam {
            display_name: name(),
            labels: labels(),
            time_zone: name(),
        });
        for i in 0..size {
            let disabled = i + available < size;
            let settings = RepSettings { disabled, ..RepSettings::default() };
            bench.apply(Operation::CreateRep { rep: rep(i), settings });
        }
        let member =
            |i| MemberSpec { member: MemberName::Rep(rep(i)), payload: String::new(), weight: 1 };
        let members = (0..size).map(member).collect();
        let settings = GroupSettings { strategy, ..GroupSettings::default() };
        bench.apply(Operation::CreateGroup { group: group.clone(), settings, members });
        bench.apply(Operation::CreateCampaign {
            campaign: campaign.clone(),
            display_name: name(),
            labels: labels(),
            route: Route::Targets(vec![Target::new(TargetKind::Group(group))]),
        });
        bench.apply(Operation::LaunchCampaign { campaign });
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
            for (available, who) in [(size, "all in"), (1, "one in")] {
                let bench = RefCell::new(Bench::new(size, available, strategy));
                criterion.bench_function(&format!("assign {by}, {size} reps, {who}"), |bencher| {
                    bencher.iter_batched(
                        || bench.borrow_mut().next(),
                        |(command, stamp)| {
                            black_box(bench.borrow_mut().state.apply(&command, stamp))
                        },
                        BatchSize::SmallInput,
                    );
                });
            }
        }
    }
}

criterion_group!(benches, assign_contact);
criterion_main!(benches);
