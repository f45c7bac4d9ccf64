//! The bounds of the state, at n and at n + 1. Those of a single call (targets, weights) are the API's;
//! the 16 names in a decision are with S0-19.

use turnwise::routing::{
    Assign, AssignmentFilter, Command, ContactId, LogPosition, MemberSpec, Operation, Rejection,
    RepSettings, Stamp, State, Time, Via,
    limits::{
        ANSWER_RETENTION_US, ANSWERS_PER_TEAM_MAX, BATCH_MAX, ENDED_PER_TEAM_MAX, HISTORY_MAX,
        NESTING_MAX, OPTIONS_MAX, OUT_OF_OFFICE_INTERVALS_MAX, PAYLOAD_LEN_MAX, PAYLOADS_LEN_MAX,
        REPS_PER_TEAM_MAX, TARGETS_MAX,
    },
};

use turnwise::routing::Principal;

use super::world::{
    World, delete_rep, group, key, name, new_group, new_team, of_options, option, options,
    out_between, reassign_to, rep, team, to_group, via,
};

fn limit(n: usize) -> u64 {
    u64::try_from(n).unwrap()
}

#[test]
fn a_rep_has_a_hundred_absences_and_no_more() {
    let mut world = World::with_reps("A");
    for i in 1..=limit(OUT_OF_OFFICE_INTERVALS_MAX) {
        world.ok(out_between("A", 10_000 * i, 10_000 * i + 100));
    }
    let too_many = Rejection::TooManyIntervals { limit: limit(OUT_OF_OFFICE_INTERVALS_MAX) };
    assert_eq!(world.refused(out_between("A", 5, 2_000)), too_many);
    let (start, end) = (Some(Time(10_010)), Some(Time(10_020)));
    let split = Operation::ClearOutOfOffice { rep: rep("A"), start, end };
    assert_eq!(world.refused(split), too_many);
    world.ok(out_between("A", 9_000, 10_000)); // One that only grows is no new one.
    world.now = 10_100;
    world.ok(out_between("A", 15_000, 15_001)); // What has ended no longer counts.
    assert_eq!(world.rep("A").out_of_office.intervals().len(), OUT_OF_OFFICE_INTERVALS_MAX);
}

/// Applies without the checks that `World` makes after every step.
fn apply(
    state: &mut State,
    index: u64,
    id: Option<&str>,
    operation: Operation,
) -> Result<(), Rejection> {
    let (request, principal, etag) = (id.and_then(|id| key(id, 1)), Principal::default(), None);
    let command = Command { request, principal, team: team(), etag, operation };
    let position = LogPosition { log_index: index, seq: 0, term: 1 };
    state.apply(&command, Stamp { time: Time(index), position }).map(drop)
}

fn nameless(i: u64) -> Operation {
    Operation::CreateRep { rep: rep(&format!("r{i}")), settings: RepSettings::default() }
}

#[test]
fn a_team_has_a_hundred_thousand_reps_and_no_more() {
    let mut state = State::new();
    apply(&mut state, 0, None, new_team()).unwrap();
    let most = limit(REPS_PER_TEAM_MAX);
    for i in 1..=most {
        apply(&mut state, i, None, nameless(i)).unwrap();
    }
    let refused = apply(&mut state, most + 1, None, nameless(most + 1)).unwrap_err();
    assert!(matches!(refused, Rejection::TooMany { limit, .. } if limit == most), "{refused}");
    apply(&mut state, most + 2, None, delete_rep("r7")).unwrap();
    apply(&mut state, most + 3, None, nameless(most + 3)).unwrap();
    assert_eq!(state.hash(), state.recomputed_hash());
}

#[test]
fn a_team_remembers_a_million_answers_and_drops_the_oldest() {
    let mut state = State::new();
    for (index, operation) in (0..).zip([new_team(), nameless(1), by_hand()]) {
        apply(&mut state, index, None, operation).unwrap();
    }
    // Some are about assignments, most are refusals: kept apart, and dropped in one order.
    let send = |state: &mut State, i: u64| {
        let pause = Operation::PauseCampaign { campaign: super::world::campaign("none") };
        let operation = if i.is_multiple_of(8) { by_hand() } else { pause };
        let answer = apply(state, i + 2, Some(&format!("r{i}")), operation);
        assert_eq!(answer.is_ok(), i.is_multiple_of(8));
    };
    let most = limit(ANSWERS_PER_TEAM_MAX);
    (1..=most).for_each(|i| send(&mut state, i));
    let remembers = |state: &State, id: &str| {
        let (request, principal, etag) = (key(id, 2), Principal::default(), None);
        let command = Command { request, principal, team: team(), etag, operation: nameless(1) };
        let position = LogPosition { log_index: most + 100, seq: 0, term: 1 };
        let answer = state.clone().apply(&command, Stamp { time: Time(0), position });
        answer == Err(Rejection::RequestIdReused)
    };
    assert!(remembers(&state, "r1"), "the first of a million is remembered");
    for i in 1..=20 {
        send(&mut state, most + i);
        assert!(!remembers(&state, &format!("r{i}")), "dropped for one more");
        assert!(remembers(&state, &format!("r{}", i + 1)));
    }
    assert_eq!(state.hash(), state.recomputed_hash());
}

/// Somebody's work.
fn by_hand() -> Operation {
    super::world::assign("c", &Via::Rep(rep("r1")), &[])
}

/// A team in which every assignment has ended when it is made: each takes an option.
struct Ended {
    state: State,
    index: u64,
    made: usize,
}

impl Ended {
    fn new() -> Self {
        let mut ended = Self { state: State::new(), index: 0, made: 0 };
        ended.send(0, new_team());
        ended.send(0, new_group("g", of_options(), numbered(2)));
        ended
    }

    fn send(&mut self, now: u64, operation: Operation) {
        self.index += 1;
        let (request, principal, etag) = (None, Principal::default(), None);
        let command = Command { request, principal, team: team(), etag, operation };
        let position = LogPosition { log_index: self.index, seq: 0, term: 1 };
        self.state.apply(&command, Stamp { time: Time(now), position }).unwrap();
    }

    /// So many more, by one command.
    fn make(&mut self, now: u64, n: usize) {
        let item = |i: usize| Assign::new(ContactId::new(&i.to_string()), Via::Group(group("g")));
        let items = (self.made..self.made + n).map(item).collect();
        self.made += n;
        self.send(now, Operation::AssignBatch { items });
    }

    /// The oldest that is still there, of the first few.
    fn oldest(&self) -> usize {
        let is_kept = |i: &usize| {
            let contact = Some(ContactId::new(&i.to_string()));
            let filter = AssignmentFilter { contact, ..AssignmentFilter::default() };
            !self.state.assignments(&team(), &filter, None, 1).unwrap().is_empty()
        };
        (0..10).find(is_kept).unwrap()
    }
}

#[test]
fn a_team_keeps_a_million_of_what_has_ended_and_more_only_within_the_request_window() {
    let mut ended = Ended::new();
    let first = 1_000;
    ended.make(first, 1);
    ended.make(first, BATCH_MAX - 1);
    while ended.made < ENDED_PER_TEAM_MAX {
        ended.make(first + 1, BATCH_MAX);
    }
    assert_eq!(ended.made, ENDED_PER_TEAM_MAX);
    let window = first + ANSWER_RETENTION_US;
    ended.make(window - 1, 1);
    ended.send(window - 1, Operation::Tick);
    assert_eq!(ended.oldest(), 0, "one too many, but a retry of the first may still come");
    ended.send(window, Operation::Tick);
    assert_eq!(ended.oldest(), 1, "the oldest goes");
    ended.send(window + 100, Operation::Tick);
    assert_eq!(ended.oldest(), 1, "and a million stay, past the window");
    ended.make(window + 100, 1);
    ended.send(window + 100, Operation::Tick);
    assert_eq!(ended.oldest(), 2);
    assert_eq!(ended.state.hash(), ended.state.recomputed_hash());
}

/// So many options, `1` to `n`.
fn numbered(n: usize) -> Vec<MemberSpec> {
    options(&(1..=n).map(|i| i.to_string()).collect::<Vec<_>>().join(" "))
}

#[test]
fn s3_4_a_group_has_two_to_a_hundred_options() {
    let mut world = World::with_reps("");
    let create = |id: &str, n| new_group(id, of_options(), numbered(n));
    for (n, refusal) in [(0, "GroupTooSmall"), (1, "GroupTooSmall"), (101, "GroupTooLarge")] {
        assert_eq!(name(&world.refused(create("g", n))), refusal, "{n}");
    }
    world.ok(create("two", 2));
    world.ok(create("hundred", OPTIONS_MAX));
    world.ok(create("g", OPTIONS_MAX - 1));
    let add = |list: &str| Operation::AddGroupMembers { group: group("g"), members: options(list) };
    assert_eq!(name(&world.refused(add("last over"))), "GroupTooLarge");
    world.ok(add("last"));
    let refused = world.refused(add("over"));
    assert_eq!(refused, Rejection::GroupTooLarge { group: group("g"), limit: limit(OPTIONS_MAX) });
    world.run_campaign("c", vec![to_group("hundred")]);
    world.picks("c", 99);
    assert_eq!(world.picks("c", 2), "100 1");
}

#[test]
fn s3_3_groups_nest_four_deep_and_no_deeper_from_whichever_end_the_chain_grows() {
    let mut world = World::with_reps("");
    world.create_options("d", "1 2").unwrap();
    world.create_options("c", "1 [d]").unwrap();
    world.create_options("b", "1 [c]").unwrap();
    world.create_options("a", "1 [b]").unwrap();
    let deep = world.refused(new_group("z", of_options(), options("1 [a]")));
    assert_eq!(deep, Rejection::NestedTooDeep { limit: limit(NESTING_MAX) });
    world.create_options("e", "1 2").unwrap();
    let below = Operation::AddGroupMembers { group: group("d"), members: options("[e]") };
    assert_eq!(name(&world.refused(below)), "NestedTooDeep");
    let middle = Operation::AddGroupMembers { group: group("c"), members: options("[e]") };
    world.ok(middle);
    world.run_campaign("c", vec![to_group("a")]);
    world.picks("c", 15);
    let taken = world.work("contact-8").option.unwrap();
    assert_eq!((taken.group, taken.option.as_str()), (group("d"), "1"), "the innermost of four");
    assert_eq!(world.work("contact-8").decision.targets[0].inner.len(), NESTING_MAX - 1);
}

#[test]
fn the_payloads_of_a_group_have_256_kib_together_and_no_byte_more() {
    let mut world = World::with_reps("");
    let spec = |i: usize, len: usize| MemberSpec {
        member: option(&i.to_string()),
        payload: "x".repeat(len),
        weight: 1,
    };
    let full = PAYLOADS_LEN_MAX / PAYLOAD_LEN_MAX;
    let most: Vec<_> = (1..=full).map(|i| spec(i, PAYLOAD_LEN_MAX)).collect();
    world.ok(new_group("g", of_options(), most.clone()));
    let too_large =
        Rejection::PayloadsTooLarge { group: group("g"), limit: limit(PAYLOADS_LEN_MAX) };
    let more = Operation::AddGroupMembers { group: group("g"), members: vec![spec(0, 1)] };
    assert_eq!(world.refused(more), too_large);
    let edit = |payload: &str| Operation::UpdateGroupMember {
        group: group("g"),
        member: option("1"),
        weight: None,
        payload: Some(payload.to_owned()),
    };
    assert_eq!(world.refused(edit(&"x".repeat(PAYLOAD_LEN_MAX + 1))), too_large);
    world.ok(edit(&"y".repeat(PAYLOAD_LEN_MAX)));
    let over = [most, vec![spec(0, 1)]].concat();
    assert_eq!(name(&world.refused(new_group("h", of_options(), over))), "PayloadsTooLarge");
}

#[test]
fn a_history_keeps_its_first_step_and_the_newest_63() {
    let mut world = World::with_ring("A B");
    let made = world.assign("x", &via("c"), &[]).assignment;
    for step in 2..=HISTORY_MAX {
        world.step("x", reassign_to(if step.is_multiple_of(2) { "B" } else { "A" }));
    }
    let full = world.work("x").history;
    assert_eq!(full.len(), HISTORY_MAX);
    world.step("x", reassign_to("A"));
    let after = world.work("x").history;
    assert_eq!(after.len(), HISTORY_MAX);
    assert_eq!(after[0], made.history[0]);
    assert_eq!(after[1..HISTORY_MAX - 1], full[2..]);
}

#[test]
fn s4_5_a_rule_of_sixteen_targets_is_walked_to_its_end() {
    let mut world = World::with_reps("A");
    let owner = super::world::to_owner();
    let mut targets = vec![owner; TARGETS_MAX - 1];
    targets.push(super::world::to_rep("A"));
    world.create_rule("r", targets);
    let work = world.assign("x", &super::world::by_rule("r"), &[]).assignment;
    assert_eq!(work.decision.targets.len(), TARGETS_MAX);
    assert_eq!(work.rep, Some(rep("A")));
}
