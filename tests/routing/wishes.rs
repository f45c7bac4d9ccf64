//! Random histories: what is wished for, over few ids, so that wishes collide.
//!
//! A wish is a command without what only its moment can tell: times are told from two hours before
//! now, assignments by their place in a list, etags as right or wrong, repeats as steps back. So a
//! history stays sensible when steps are left out, and can be laid over any positions in a log.

mod owing;
mod start;

use std::collections::BTreeMap;

use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
};
use turnwise::routing::{
    Assign, AssignmentId, AssignmentState, CampaignId, Command, ContactId, CursorScope,
    GroupChange, GroupId, GroupKind, GroupSettings, Hours, Interval, IntervalSet, Labels,
    LogPosition, MemberName, MemberSpec, OpenAssignments, Operation, OptionId, OwnerKind, OwnerRef,
    OwnerType, PeriodCap, Principal, RepChange, RepId, RepSettings, RequestId, RequestKey,
    RestartPolicy, Revision, Role, Route, RuleId, SecretHash, Stamp, Strategy as Order, Target,
    TargetKind, TeamChange, TeamId, Time, TokenChange, TokenId, TokenSettings, Via,
};

use super::{
    model::Model,
    world::{DAY, HOUR, SECOND},
};

/// One step of a history.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// Time since the step before, in microseconds.
    later_us: u64,
    /// It is the next command of the same log entry.
    same_entry: bool,
    request: RequestWish,
    etag: EtagWish,
    asker: AskerWish,
    other_team: bool,
    operation: Operation,
}

impl Wish {
    /// The same in the log entry of the step before, or in one of its own; at its time, or later.
    pub(crate) fn in_entry_of_before(&self, same_entry: bool, same_time: bool) -> Self {
        let later_us = if same_time { 0 } else { self.later_us };
        Self { same_entry, later_us, ..self.clone() }
    }
}

#[derive(Debug, Clone, Copy)]
enum RequestWish {
    None,
    Fresh,
    /// The whole command so many requests back once more.
    Repeat(usize),
    /// The id of that one for another command.
    Reuse(usize),
}

#[derive(Debug, Clone, Copy)]
enum EtagWish {
    Any,
    Right,
    Wrong,
}

/// Who is to ask.
#[derive(Debug, Clone, Copy)]
enum AskerWish {
    /// Somebody who may do everything.
    Anyone,
    /// Who holds this token of those that there are; true = with a secret that it never had.
    Holder(usize, bool),
}

/// Makes commands of wishes, one after the other.
#[derive(Debug, Default)]
pub(crate) struct History {
    now: u64,
    index: u64,
    seq: u32,
    sent: Vec<Command>,
    count: u128,
}

impl History {
    pub(crate) fn new() -> Self {
        Self { now: 100 * DAY, ..Self::default() }
    }

    /// The command, on a log where each entry holds what `same_entry` says.
    pub(crate) fn command(&mut self, wish: &Wish, model: &Model) -> (Command, Stamp) {
        self.now += wish.later_us;
        (self.index, self.seq) =
            if wish.same_entry { (self.index, self.seq + 1) } else { (self.index + 1, 0) };
        self.count += 1;
        let position = LogPosition { log_index: self.index, seq: self.seq, term: 1 };
        let stamp = Stamp { time: Time(self.now), position };
        (self.resolve(wish, model), stamp)
    }

    fn resolve(&mut self, wish: &Wish, model: &Model) -> Command {
        let back = |n: usize| self.sent.len().checked_sub(n % 8 + 1).map(|at| &self.sent[at]);
        let id = RequestId::new(&format!("r{}", self.count));
        let fresh = RequestKey { id, fingerprint: self.count };
        let request = match wish.request {
            RequestWish::None => None,
            RequestWish::Fresh => Some(fresh),
            RequestWish::Repeat(n) => match back(n) {
                Some(command) => return command.clone(),
                None => Some(fresh),
            },
            RequestWish::Reuse(n) => {
                let other = back(n).and_then(|command| command.request.clone());
                other.map(|key| RequestKey { fingerprint: self.count, ..key })
            }
        };
        let team = TeamId::new(if wish.other_team { "u" } else { "t" });
        let operation = self.placed(&wish.operation, &team, model);
        let etag = match (wish.etag, etag_of(&operation)) {
            (EtagWish::Any, _) | (_, None) => None,
            (EtagWish::Wrong, Some(_)) => Some(Revision { log_index: 0, seq: 0 }),
            (EtagWish::Right, Some(name)) if model.has(&team) => {
                let mut revisions = model.revisions(&team).into_iter();
                revisions.find(|(other, _)| *other == name).map(|(_, revision)| revision)
            }
            (EtagWish::Right, Some(_)) => None,
        };
        let bearers = model.bearers();
        let principal = match wish.asker {
            AskerWish::Holder(n, wrong) if !bearers.is_empty() => {
                let mut bearer = bearers[n % bearers.len()].clone();
                if wrong {
                    bearer.secret_revision = Revision { log_index: 0, seq: 0 };
                }
                Principal::Token(bearer)
            }
            AskerWish::Anyone | AskerWish::Holder(..) => "p".into(),
        };
        let command = Command { request, principal, team, etag, operation };
        if command.request.is_some() {
            self.sent.push(command.clone());
        }
        command
    }

    /// The first assign of what comes next, after the changes that come next, as if asked now.
    pub(crate) fn supposed(
        &self,
        ahead: &[Wish],
        model: &Model,
    ) -> Option<(Vec<Operation>, Assign)> {
        let team = TeamId::new("t");
        let mut next = ahead.iter().filter(|wish| !wish.other_team).map(|wish| &wish.operation);
        let changes = next.clone().filter(|next| !matches!(next, Operation::AssignContact(_)));
        let changes = changes.take(8).map(|change| self.placed(change, &team, model)).collect();
        let assign = next.find_map(|next| match next {
            Operation::AssignContact(assign) => Some(assign.clone()),
            _ => None,
        });
        Some((changes, assign?))
    }

    fn time(&self, wished: Time) -> Time {
        if wished == Time::FOREVER { wished } else { Time(self.now - 2 * HOUR + wished.0) }
    }

    fn hours(&self, wished: &Hours) -> Hours {
        let shift = |i: &Interval| Interval { start: self.time(i.start), end: self.time(i.end) };
        let open = IntervalSet::of(wished.open.intervals().iter().map(shift).collect());
        Hours { open, horizon: self.time(wished.horizon), ..wished.clone() }
    }

    /// With the times and assignments that the wish meant.
    fn placed(&self, wished: &Operation, team: &TeamId, model: &Model) -> Operation {
        let mut operation = wished.clone();
        let at = |time: &mut Option<Time>| *time = time.map(|time| self.time(time));
        let which = |id: &mut AssignmentId| {
            let mut all = if model.has(team) { model.assignments(team) } else { Vec::new() };
            if id.item > 0 {
                all.retain(|assignment| fits(wished, assignment.state));
            }
            let n = usize::try_from(id.log_index).unwrap();
            *id = match all.len() {
                0 => AssignmentId { log_index: 999_999, seq: 0, item: 0 },
                some => all[n % some].id,
            };
        };
        match &mut operation {
            Operation::SetOutOfOffice { start, end, .. }
            | Operation::ClearOutOfOffice { start, end, .. } => {
                at(start);
                at(end);
            }
            Operation::CreateRep { settings, .. } => {
                settings.hours = settings.hours.as_ref().map(|hours| self.hours(hours));
            }
            Operation::UpdateRep { change, .. } => {
                if let Some(Some(hours)) = &mut change.hours {
                    *hours = self.hours(hours);
                }
            }
            Operation::RenewHours { hours, .. } => *hours = self.hours(hours),
            Operation::AcceptAssignment { assignment, .. }
            | Operation::RejectAssignment { assignment, .. }
            | Operation::ClaimAssignment { assignment, .. }
            | Operation::ReassignAssignment { assignment, .. }
            | Operation::UnassignAssignment { assignment }
            | Operation::CloseAssignment { assignment }
            | Operation::CancelAssignment { assignment } => which(assignment),
            Operation::CreateToken { settings, .. } => {
                settings.expire_time = settings.expire_time.map(|time| self.time(time));
            }
            Operation::UpdateToken { change, .. } => {
                if let Some(Some(time)) = &mut change.expire_time {
                    *time = self.time(*time);
                }
            }
            Operation::ReorderGroup { group, members } => {
                // A wish of few members is one for a true order.
                if members.len() < 3 && model.has(team) {
                    let groups = model.groups(team);
                    if let Some((_, there)) = groups.iter().find(|(id, _)| id == group) {
                        *members = there.iter().map(|(_, name)| name.clone()).collect();
                        members.rotate_left(1.min(there.len()));
                    }
                }
            }
            _ => {}
        }
        operation
    }
}

/// Whether the step is one that an assignment in this state may take.
fn fits(step: &Operation, state: AssignmentState) -> bool {
    use AssignmentState::{Assigned, Offered, Pending, Unassigned};
    match step {
        Operation::AcceptAssignment { .. } | Operation::RejectAssignment { .. } => state == Offered,
        Operation::ClaimAssignment { .. } => matches!(state, Pending | Unassigned),
        Operation::UnassignAssignment { .. } | Operation::CloseAssignment { .. } => {
            state == Assigned
        }
        _ => state.is_open(),
    }
}

/// What the operation changes, if an etag may go with it.
fn etag_of(operation: &Operation) -> Option<String> {
    let name = match operation {
        Operation::UpdateTeam { .. } | Operation::DeleteTeam { .. } => "team".to_owned(),
        Operation::UpdateRep { rep, .. }
        | Operation::DeleteRep { rep, .. }
        | Operation::SetOutOfOffice { rep, .. }
        | Operation::ClearOutOfOffice { rep, .. } => format!("rep {rep}"),
        Operation::UpdateGroup { group, .. }
        | Operation::DeleteGroup { group, .. }
        | Operation::AddGroupMembers { group, .. }
        | Operation::RemoveGroupMember { group, .. }
        | Operation::UpdateGroupMember { group, .. }
        | Operation::ReorderGroup { group, .. } => format!("group {group}"),
        Operation::UpdateRule { rule, .. } | Operation::DeleteRule { rule, .. } => {
            format!("rule {rule}")
        }
        Operation::UpdateCampaign { campaign, .. }
        | Operation::DeleteCampaign { campaign, .. }
        | Operation::LaunchCampaign { campaign }
        | Operation::CancelCampaign { campaign } => format!("campaign {campaign}"),
        Operation::UpdateToken { token, .. } | Operation::DeleteToken { token, .. } => {
            format!("token {token}")
        }
        _ => return None,
    };
    Some(name)
}

fn text(prefix: &'static str, n: u32) -> impl Strategy<Value = String> + Clone {
    (0..n).prop_map(move |i| format!("{prefix}{i}"))
}
fn rep() -> impl Strategy<Value = RepId> + Clone {
    text("r", 7).prop_map(|id| RepId::new(&id))
}
fn ring() -> impl Strategy<Value = GroupId> + Clone {
    let own = || select(vec!["default", "g0", "g1", "g2"]);
    prop_oneof![9 => own(), 1 => Just("w0")].prop_map(GroupId::new)
}
fn of_options() -> impl Strategy<Value = GroupId> + Clone {
    text("o", 5).prop_map(|id| GroupId::new(&id))
}
fn group() -> impl Strategy<Value = GroupId> + Clone {
    prop_oneof![3 => ring(), 1 => of_options()]
}
fn rule() -> impl Strategy<Value = RuleId> + Clone {
    text("k", 3).prop_map(|id| RuleId::new(&id))
}
fn campaign() -> impl Strategy<Value = CampaignId> + Clone {
    text("c", 5).prop_map(|id| CampaignId::new(&id))
}
fn member() -> impl Strategy<Value = MemberName> + Clone {
    prop_oneof![
        5 => rep().prop_map(MemberName::Rep),
        2 => text("", 5).prop_map(|id| MemberName::Option(OptionId::new(&id))),
        1 => group().prop_map(MemberName::Group),
    ]
}
fn one_in(n: u32) -> impl Strategy<Value = bool> + Clone {
    (0..n).prop_map(|i| i == 1)
}
fn labels() -> impl Strategy<Value = Labels> + Clone {
    Just(Labels::new())
}
/// From two hours before now to four after.
fn instant() -> impl Strategy<Value = Time> + Clone {
    (0..6 * HOUR).prop_map(Time)
}
fn weight() -> impl Strategy<Value = u32> + Clone {
    prop_oneof![24 => select(vec![1, 1, 1, 2, 3, 6]), 1 => 1..=1_000_u32]
}

fn target() -> impl Strategy<Value = Target> {
    let kinds =
        vec![OwnerKind::Contact, OwnerKind::Lead, OwnerKind::Account, OwnerKind::Opportunity];
    let kind = prop_oneof![
        3 => vec(select(kinds), 1..4).prop_map(TargetKind::Owner),
        5 => ring().prop_map(TargetKind::Group),
        2 => rep().prop_map(TargetKind::Rep),
        1 => of_options().prop_map(TargetKind::Group),
    ];
    let wait = select(vec![0, 0, 0, 30 * SECOND, 600 * SECOND, 6 * HOUR]);
    let offer = select(vec![0, 0, 0, 0, 30 * SECOND, 600 * SECOND]);
    (kind, one_in(7), one_in(6), wait, offer).prop_map(
        |(kind, include_unavailable, require_online, wait_us, accept_timeout_us)| Target {
            kind,
            include_unavailable,
            require_online,
            wait_us,
            accept_timeout_us,
        },
    )
}
fn targets() -> impl Strategy<Value = Vec<Target>> {
    vec(target(), 0..4)
}
fn route() -> impl Strategy<Value = Route> {
    prop_oneof![
        1 => Just(Route::Default),
        2 => rule().prop_map(Route::Rule),
        5 => targets().prop_map(Route::Targets),
    ]
}
fn owner() -> impl Strategy<Value = OwnerRef> {
    let kinds =
        vec![OwnerKind::Contact, OwnerKind::Lead, OwnerKind::Account, OwnerKind::Opportunity];
    let external_id = text("ext", 9).prop_map(|id| ("crm".to_owned(), id));
    let queue = one_in(5);
    (select(kinds), queue, option::of(text("mail", 9)), option::of(external_id)).prop_map(
        |(kind, queue, email, external_id)| OwnerRef {
            kind,
            owner_type: if queue { OwnerType::Queue } else { OwnerType::User },
            email,
            external_id,
        },
    )
}
fn via() -> impl Strategy<Value = Via> {
    prop_oneof![
        10 => campaign().prop_map(Via::Campaign),
        3 => Just(Via::DefaultRule),
        4 => rule().prop_map(Via::Rule),
        3 => group().prop_map(Via::Group),
        1 => rep().prop_map(Via::Rep),
    ]
}
fn assign() -> impl Strategy<Value = Assign> {
    let contact = text("x", 16).prop_map(|id| ContactId::new(&id));
    (contact, via(), vec(owner(), 0..3), one_in(4), select(vec![0, 0, 0, 1, -3])).prop_map(
        |(contact, via, owners, prefer_last_rep, priority)| Assign {
            owners,
            prefer_last_rep,
            priority,
            ..Assign::new(contact, via)
        },
    )
}
fn hours() -> impl Strategy<Value = Hours> {
    let spans = vec((0..6 * HOUR, 1..2 * HOUR), 0..3);
    (select(vec!["a", "b"]), spans, 2 * HOUR..6 * HOUR).prop_map(|(zone, spans, horizon)| {
        let open = spans
            .into_iter()
            .map(|(start, length)| Interval { start: Time(start), end: Time(start + length) });
        Hours {
            time_zone: zone.to_owned(),
            weekly: Vec::new(),
            holidays: Vec::new(),
            open: IntervalSet::of(open.collect()),
            horizon: Time(horizon),
        }
    })
}
fn external_ids() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map(Just("crm".to_owned()), text("ext", 9), 0..2)
}
fn max_open() -> impl Strategy<Value = u32> {
    select(vec![0, 0, 1, 2, 3])
}
fn restart() -> impl Strategy<Value = Option<RestartPolicy>> {
    option::weighted(
        0.3,
        (select(vec![0, HOUR, DAY]), any::<bool>()).prop_map(
            |(idle_period_us, on_member_change)| RestartPolicy { idle_period_us, on_member_change },
        ),
    )
}
fn cap() -> impl Strategy<Value = Option<PeriodCap>> {
    let cap = (1..3_u32, select(vec![60 * SECOND, HOUR, DAY]));
    option::weighted(0.25, cap.prop_map(|(count, period_us)| PeriodCap { count, period_us }))
}
fn order() -> impl Strategy<Value = Order> {
    prop_oneof![2 => Just(Order::RoundRobin), 1 => Just(Order::LeastOpen)]
}
fn scope() -> impl Strategy<Value = CursorScope> {
    prop_oneof![2 => Just(CursorScope::Campaign), 1 => Just(CursorScope::Group)]
}

fn on_reps() -> impl Strategy<Value = Operation> {
    let instants = || (option::of(instant()), option::of(instant()));
    let open = prop_oneof![Just(OpenAssignments::Keep), Just(OpenAssignments::Reroute)];
    let settings = (option::of(text("mail", 9)), external_ids(), one_in(9), max_open());
    let settings = (settings, option::weighted(0.2, hours())).prop_map(
        |((email, external_ids, disabled, max_open), hours)| RepSettings {
            email,
            external_ids,
            disabled,
            max_open,
            hours,
            ..RepSettings::default()
        },
    );
    let change = (
        option::weighted(0.2, option::of(text("mail", 9))),
        option::weighted(0.2, external_ids()),
        option::weighted(0.4, any::<bool>()),
        option::weighted(0.5, max_open()),
        option::weighted(0.2, option::of(hours())),
    )
        .prop_map(|(email, external_ids, disabled, max_open, hours)| RepChange {
            email,
            external_ids,
            disabled,
            max_open,
            hours,
            ..RepChange::default()
        });
    let ttl = select(vec![10 * SECOND, 600 * SECOND, 8 * HOUR]);
    prop_oneof![
        8 => (rep(), settings).prop_map(|(rep, settings)| Operation::CreateRep { rep, settings }),
        9 => (rep(), change).prop_map(|(rep, change)| Operation::UpdateRep { rep, change }),
        3 => (rep(), open, any::<bool>()).prop_map(|(rep, open, allow_missing)| {
            Operation::DeleteRep { rep, open, allow_missing }
        }),
        12 => (rep(), instants()).prop_map(|(rep, (start, end))| {
            Operation::SetOutOfOffice { rep, start, end, note: String::new() }
        }),
        10 => (rep(), instants()).prop_map(|(rep, (start, end))| {
            Operation::ClearOutOfOffice { rep, start, end }
        }),
        12 => (rep(), one_in(4), ttl).prop_map(|(rep, offline, ttl)| {
            let ttl_us = if offline { 0 } else { ttl };
            Operation::SetPresence { rep, online: !offline, ttl_us }
        }),
        1 => (rep(), hours()).prop_map(|(rep, hours)| Operation::RenewHours { rep, hours }),
    ]
}

/// Mostly of members that go with the group.
fn specs(of: &GroupId, fewest: usize) -> BoxedStrategy<Vec<MemberSpec>> {
    let options = of.as_str().starts_with('o');
    let fitting = if options {
        prop_oneof![
            4 => text("", 5).prop_map(|id| MemberName::Option(OptionId::new(&id))),
            1 => of_options().prop_map(MemberName::Group),
        ]
        .boxed()
    } else {
        rep().prop_map(MemberName::Rep).boxed()
    };
    let name = prop_oneof![12 => fitting, 1 => member()];
    let payload = select(vec!["", "", "", "hi"]);
    let spec = (name, weight(), payload).prop_map(|(member, weight, payload)| {
        let is_option = matches!(member, MemberName::Option(_));
        let payload = if is_option { payload.to_owned() } else { String::new() };
        MemberSpec { member, payload, weight }
    });
    vec(spec, fewest..5).boxed()
}

fn on_groups() -> impl Strategy<Value = Operation> {
    let created = group().prop_flat_map(|id| {
        let kind = if id.as_str().starts_with('o') { GroupKind::Options } else { GroupKind::Reps };
        let rest = (order(), one_in(6), scope(), restart(), cap(), one_in(12));
        (Just(id.clone()), Just(kind), rest, specs(&id, 0))
    });
    let created = created.prop_map(|(group, kind, rest, members)| {
        let (strategy, require_online, cursor_scope, restart, period_cap, odd) = rest;
        let plain = kind == GroupKind::Options && !odd;
        let settings = GroupSettings {
            kind,
            strategy: if plain { Order::RoundRobin } else { strategy },
            require_online: require_online && !plain,
            cursor_scope,
            restart,
            period_cap: period_cap.filter(|_| !plain),
            ..GroupSettings::default()
        };
        Operation::CreateGroup { group, settings, members }
    });
    let change = (
        option::of(order()),
        option::weighted(0.3, any::<bool>()),
        option::weighted(0.2, scope()),
        option::weighted(0.2, restart()),
        option::weighted(0.3, cap()),
    );
    let change =
        change.prop_map(|(strategy, require_online, cursor_scope, restart, period_cap)| {
            GroupChange {
                strategy,
                require_online,
                cursor_scope,
                restart,
                period_cap,
                ..GroupChange::default()
            }
        });
    let added = group().prop_flat_map(|id| (Just(id.clone()), specs(&id, 1)));
    let under = || option::of(campaign());
    let credits = || prop_oneof![3 => -3..=3, 1 => -100..=100];
    prop_oneof![
        8 => created,
        9 => (group(), change).prop_map(|(group, change)| Operation::UpdateGroup { group, change }),
        2 => (group(), any::<bool>()).prop_map(|(group, allow_missing)| {
            Operation::DeleteGroup { group, allow_missing }
        }),
        10 => added.prop_map(|(group, members)| Operation::AddGroupMembers { group, members }),
        8 => (group(), member()).prop_map(|(group, member)| {
            Operation::RemoveGroupMember { group, member }
        }),
        5 => (group(), member(), option::of(weight()), option::weighted(0.2, text("pay", 3)))
            .prop_map(|(group, member, weight, payload)| {
                Operation::UpdateGroupMember { group, member, weight, payload }
            }),
        4 => (group(), vec(member(), 0..5)).prop_map(|(group, members)| {
            Operation::ReorderGroup { group, members }
        }),
        2 => (group(), under()).prop_map(|(group, campaign)| {
            Operation::ResetRotation { group, campaign }
        }),
        10 => (group(), under(), member(), credits()).prop_map(
            |(group, campaign, member, credits)| {
                let reason = String::new();
                Operation::AdjustRotation { group, campaign, member, credits, reason }
            }
        ),
    ]
}

fn on_routes() -> impl Strategy<Value = Operation> {
    let display_name = || text("rule ", 4);
    let no_labels = || Just(None::<Labels>);
    prop_oneof![
        5 => (rule(), display_name(), labels(), targets()).prop_map(
            |(rule, display_name, labels, targets)| {
                Operation::CreateRule { rule, display_name, labels, targets }
            }
        ),
        6 => (rule(), option::weighted(0.2, display_name()), no_labels(), option::of(targets()))
            .prop_map(|(rule, display_name, labels, targets)| {
                Operation::UpdateRule { rule, display_name, labels, targets }
            }),
        2 => (rule(), any::<bool>()).prop_map(|(rule, allow_missing)| {
            Operation::DeleteRule { rule, allow_missing }
        }),
        2 => option::of(rule()).prop_map(|rule| Operation::UpdateTeam {
            change: TeamChange { default_rule: Some(rule), ..TeamChange::default() },
        }),
        6 => (campaign(), labels(), route()).prop_map(|(campaign, labels, route)| {
            Operation::CreateCampaign { campaign, display_name: String::new(), labels, route }
        }),
        8 => (campaign(), no_labels(), option::weighted(0.8, route())).prop_map(
            |(campaign, labels, route)| {
                Operation::UpdateCampaign { campaign, display_name: None, labels, route }
            }
        ),
        1 => (campaign(), any::<bool>()).prop_map(|(campaign, allow_missing)| {
            Operation::DeleteCampaign { campaign, allow_missing }
        }),
        1 => campaign().prop_map(|campaign| {
            Operation::ScheduleCampaign { campaign, launch_time: None }
        }),
        8 => campaign().prop_map(|campaign| Operation::LaunchCampaign { campaign }),
        1 => campaign().prop_map(|campaign| Operation::PauseCampaign { campaign }),
        1 => campaign().prop_map(|campaign| Operation::ResumeCampaign { campaign }),
        1 => campaign().prop_map(|campaign| Operation::CancelCampaign { campaign }),
    ]
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![
        2 => Just(Role::Admin),
        3 => Just(Role::Manager),
        4 => vec(ring(), 1..3).prop_map(Role::GroupManager),
        3 => Just(Role::Router),
        6 => rep().prop_map(Role::Rep),
        1 => Just(Role::Viewer),
    ]
}

fn on_tokens() -> impl Strategy<Value = Operation> {
    let token = || text("t", 6).prop_map(|id| TokenId::new(&id));
    let secret = || (0..2_u8).prop_map(|byte| SecretHash([byte; 32]));
    let end = || option::weighted(0.3, 2 * HOUR..6 * HOUR).prop_map(|end| end.map(Time));
    let settings = (role(), secret(), end()).prop_map(|(role, secret, expire_time)| {
        let (display_name, labels) = (String::new(), Labels::new());
        TokenSettings { display_name, labels, role, secret, expire_time }
    });
    let change = (option::of(role()), option::of(secret()), option::weighted(0.4, end())).prop_map(
        |(role, secret, expire_time)| TokenChange {
            role,
            secret,
            expire_time,
            ..TokenChange::default()
        },
    );
    prop_oneof![
        6 => (token(), settings).prop_map(|(token, settings)| {
            Operation::CreateToken { token, settings }
        }),
        4 => (token(), change).prop_map(|(token, change)| {
            Operation::UpdateToken { token, change }
        }),
        2 => (token(), any::<bool>()).prop_map(|(token, allow_missing)| {
            Operation::DeleteToken { token, allow_missing }
        }),
    ]
}

fn on_assignments() -> impl Strategy<Value = Operation> {
    // By place in the list; `item` 1 = among those that may take the step.
    let which = || {
        (0..60_u64, 0..8_u32).prop_map(|(log_index, n)| AssignmentId {
            log_index,
            seq: 0,
            item: n.min(1),
        })
    };
    prop_oneof![
        30 => assign().prop_map(Operation::AssignContact),
        2 => vec(assign(), 1..5).prop_map(|items| Operation::AssignBatch { items }),
        4 => (which(), option::weighted(0.3, rep())).prop_map(|(assignment, rep)| {
            Operation::AcceptAssignment { assignment, rep }
        }),
        5 => (which(), option::weighted(0.3, rep())).prop_map(|(assignment, rep)| {
            Operation::RejectAssignment { assignment, rep }
        }),
        3 => (which(), rep()).prop_map(|(assignment, rep)| {
            Operation::ClaimAssignment { assignment, rep }
        }),
        5 => (which(), option::weighted(0.4, rep())).prop_map(|(assignment, to)| {
            Operation::ReassignAssignment { assignment, to }
        }),
        3 => which().prop_map(|assignment| Operation::UnassignAssignment { assignment }),
        8 => which().prop_map(|assignment| Operation::CloseAssignment { assignment }),
        2 => which().prop_map(|assignment| Operation::CancelAssignment { assignment }),
        2 => Just(Operation::Tick),
    ]
}

fn new_team() -> Operation {
    Operation::CreateTeam {
        display_name: String::new(),
        labels: Labels::new(),
        time_zone: String::new(),
    }
}

fn wish() -> impl Strategy<Value = Wish> {
    let later = prop_oneof![
        100 => Just(0),
        50 => 1..20 * SECOND,
        30 => 1..1_800 * SECOND,
        16 => 1..8 * HOUR,
        4 => Just(DAY),
        2 => Just(31 * DAY),
        1 => select(vec![90 * DAY - 1, 90 * DAY, 91 * DAY]),
    ];
    let request = prop_oneof![
        12 => Just(RequestWish::None),
        6 => Just(RequestWish::Fresh),
        2 => (0..8_usize).prop_map(RequestWish::Repeat),
        1 => (0..8_usize).prop_map(RequestWish::Reuse),
    ];
    let etag = prop_oneof![
        20 => Just(EtagWish::Any),
        2 => Just(EtagWish::Right),
        1 => Just(EtagWish::Wrong),
    ];
    let operation = prop_oneof![
        30 => on_reps().boxed(),
        13 => on_groups().boxed(),
        12 => on_routes().boxed(),
        60 => on_assignments().boxed(),
        6 => on_tokens().boxed(),
        1 => Just(new_team()).boxed(),
        1 => any::<bool>()
            .prop_map(|allow_missing| Operation::DeleteTeam { allow_missing })
            .boxed(),
    ];
    let asker = prop_oneof![
        9 => Just(AskerWish::Anyone),
        2 => (0..12_usize, one_in(8)).prop_map(|(n, wrong)| AskerWish::Holder(n, wrong)),
    ];
    (later, one_in(3), request, (etag, asker), one_in(40), operation).prop_map(
        |(later_us, same_entry, request, (etag, asker), elsewhere, operation)| {
            // The team that all is about is to stay.
            let deletes = matches!(operation, Operation::DeleteTeam { .. });
            let other_team = elsewhere || deletes;
            Wish { later_us, same_entry, request, etag, asker, other_team, operation }
        },
    )
}

/// A team with something in it, and then anything.
pub(crate) fn histories(length_max: usize) -> impl Strategy<Value = Vec<Wish>> {
    let scene = prop_oneof![
        80 => wish().prop_map(|wish| vec![wish]).boxed(),
        1 => owing::scene().boxed(),
    ];
    vec(scene, 0..=length_max).prop_map(|scenes| {
        let mut all: Vec<Wish> = start::operations().into_iter().map(plain).collect();
        all.insert(1, Wish { other_team: true, ..plain(new_team()) });
        all.extend(scenes.into_iter().flatten());
        all
    })
}

fn plain(operation: Operation) -> Wish {
    Wish {
        later_us: 0,
        same_entry: false,
        request: RequestWish::None,
        etag: EtagWish::Any,
        asker: AskerWish::Anyone,
        other_team: false,
        operation,
    }
}
