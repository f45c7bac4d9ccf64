//! What one `AssignContact` costs in `State::apply`, decision and idempotency record included.
//!
//! The state grows as it would in service: every iteration is a new contact with a new request.

use std::{collections::BTreeMap, hint::black_box};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use turnwise::routing::{
    CampaignId, Command, ContactId, GroupId, LogPosition, MemberSpec, Operation, RepId, RequestId,
    RequestKey, Stamp, State, Target, TargetKind, TeamId, Time, Via,
};

struct Bench {
    state: State,
    index: u64,
}

impl Bench {
    /// A campaign over a group of `size` reps, of whom all but the last `available` are away.
    fn new(size: u32, available: u32) -> Self {
        let mut bench = Self { state: State::new(), index: 0 };
        let rep = |i: u32| RepId::new(&format!("rep-{i:06}"));
        let (group, campaign) = (GroupId::new("g"), CampaignId::new("c"));
        let name = String::new;
        bench.apply(None, Operation::CreateTeam { display_name: name() });
        for i in 0..size {
            bench.apply(
                None,
                Operation::CreateRep {
                    rep: rep(i),
                    display_name: name(),
                    email: None,
                    external_ids: BTreeMap::new(),
                    disabled: i + available < size,
                },
            );
        }
        let members = (0..size).map(|i| MemberSpec { rep: rep(i), weight: 1 }).collect();
        let create = Operation::CreateGroup { group: group.clone(), display_name: name(), members };
        bench.apply(None, create);
        let target = Target { kind: TargetKind::Group(group), include_unavailable: false };
        bench.apply(
            None,
            Operation::CreateCampaign {
                campaign: campaign.clone(),
                display_name: name(),
                targets: Some(vec![target]),
            },
        );
        bench.apply(None, Operation::LaunchCampaign { campaign });
        bench
    }

    fn next(&mut self) -> (Command, Stamp) {
        self.index += 1;
        let operation = Operation::AssignContact {
            contact: ContactId::new(&format!("contact-{:08}", self.index)),
            via: Via::Campaign(CampaignId::new("c")),
            owners: Vec::new(),
        };
        let id = RequestId::new(&format!("request-{:08}", self.index));
        let request = Some(RequestKey { id, fingerprint: u128::from(self.index) });
        self.stamped(request, operation)
    }

    fn stamped(&self, request: Option<RequestKey>, operation: Operation) -> (Command, Stamp) {
        let position = LogPosition { log_index: self.index, seq: 0, term: 1 };
        let (principal, team) = (String::new(), TeamId::new("t"));
        let command = Command { request, principal, team, operation };
        (command, Stamp { time: Time(self.index), position })
    }

    fn apply(&mut self, request: Option<RequestKey>, operation: Operation) {
        self.index += 1;
        let (command, stamp) = self.stamped(request, operation);
        self.state.apply(&command, stamp).expect("the benchmark's setup is sound");
    }
}

fn assign_contact(criterion: &mut Criterion) {
    for (name, size, available) in [
        ("assign, 10 reps", 10, 10),
        ("assign, 1000 reps", 1_000, 1_000),
        ("assign, 1000 reps, one in", 1_000, 1),
    ] {
        let bench = std::cell::RefCell::new(Bench::new(size, available));
        criterion.bench_function(name, |bencher| {
            bencher.iter_batched(
                || bench.borrow_mut().next(),
                |(command, stamp)| black_box(bench.borrow_mut().state.apply(&command, stamp)),
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(benches, assign_contact);
criterion_main!(benches);
