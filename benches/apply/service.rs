//! A team in service, as benchmarks make it: one campaign over one group of a given shape, and its next command.

use turnwise::routing::{
    Assign, CampaignId, Command, ContactId, GroupId, GroupSettings, Labels, LogPosition,
    MemberName, MemberSpec, Operation, PeriodCap, Principal, RepId, RepSettings, RequestId,
    RequestKey, Route, Stamp, State, Strategy, Target, TargetKind, TeamId, Time, Via,
};

/// What a group is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) size: u32,
    /// All but so many can't have a contact; the last of the ring can.
    pub(crate) available: u32,
    pub(crate) why_not: WhyNot,
    pub(crate) strategy: Strategy,
    /// Of the i-th member.
    pub(crate) weight: fn(u32) -> u32,
    pub(crate) period_cap: Option<PeriodCap>,
    /// Of how many, from the first on, and how much each of them owes.
    pub(crate) owe: (u32, i32),
}

/// Why somebody can't have a contact.
#[derive(Debug, Clone, Copy)]
pub(crate) enum WhyNot {
    Disabled,
    OutOfOffice,
    PeriodCap,
}

impl Shape {
    pub(crate) fn all_in(size: u32) -> Self {
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

    pub(crate) fn one_in(size: u32, why_not: WhyNot) -> Self {
        let shape = Self { available: 1, why_not, ..Self::all_in(size) };
        match why_not {
            WhyNot::Disabled | WhyNot::OutOfOffice => shape,
            WhyNot::PeriodCap => {
                Self { period_cap: Some(PeriodCap { count: 1, period_us: u64::MAX }), ..shape }
            }
        }
    }
}

pub(crate) struct Service {
    pub(crate) state: State,
    pub(crate) index: u64,
}

impl Service {
    /// A campaign over such a group.
    pub(crate) fn new(shape: Shape) -> Self {
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

    pub(crate) fn next(&mut self) -> (Command, Stamp) {
        self.index += 1;
        let contact = ContactId::new(&format!("contact-{:08}", self.index));
        let assign = Assign::new(contact, Via::Campaign(CampaignId::new("c")));
        let id = RequestId::new(&format!("request-{:08}", self.index));
        let request = Some(RequestKey { id, fingerprint: u128::from(self.index) });
        self.stamped(request, Operation::AssignContact(assign))
    }

    pub(crate) fn stamped(
        &self,
        request: Option<RequestKey>,
        operation: Operation,
    ) -> (Command, Stamp) {
        let position = LogPosition { log_index: self.index, seq: 0, term: 1 };
        let (principal, team) = (Principal::default(), TeamId::new("t"));
        let command = Command { request, principal, team, etag: None, operation };
        (command, Stamp { time: Time(self.index), position })
    }

    pub(crate) fn apply(&mut self, operation: Operation) {
        self.index += 1;
        let (command, stamp) = self.stamped(None, operation);
        self.state.apply(&command, stamp).expect("the benchmark's setup is sound");
    }
}
