//! Saving and loading: nothing is lost, and an image that contradicts itself is refused.

use serde_json::{Value, json};
use turnwise::routing::{
    Command, ENGINE_VERSION_MAX, ENGINE_VERSION_MIN, GroupChange, GroupSettings, Hours, Image,
    ImageError, IntervalSet, LogPosition, MemberSpec, Operation, PeriodCap, RepChange, Stamp,
    State, TeamChange, Time,
};

use super::{
    random::saved_and_loaded,
    world::{
        DAY, HOUR, World, assign, by_rule, cancel, change_rep, close, group, if_online, key,
        member, members, new_group, of_options, offering, option, options, out, out_between,
        owned_by, reject, rule, to_group, to_owner, via, waiting,
    },
};

/// A team with some of everything.
fn rich() -> World {
    let mut world = World::with_ring("A*2 B C D");
    world.run_campaign("d", vec![to_owner(), to_group("default")]);
    world.create_group("single", "C").unwrap();
    world.picks("c", 5);
    world.send(key("r1", 1), assign("x", &via("d"), &[owned_by("B")])).unwrap();
    world.send(key("r2", 2), assign("x", &via("d"), &[owned_by("B")])).unwrap();
    world.send(key("r3", 3), out("Z")).unwrap_err();
    world.out("B");
    world.ok(out_between("C", 5_000, 6_000));
    world.ok(super::world::delete_rep("A"));
    world.draft("e", None);
    world.ok(cancel("e"));

    let hours = Hours {
        time_zone: "Europe/Berlin".into(),
        weekly: vec![],
        holidays: vec!["2026-12-25".into()],
        open: IntervalSet::of(vec![turnwise::routing::Interval {
            start: Time(0),
            end: Time(9_000),
        }]),
        horizon: Time(400 * DAY),
    };
    let change = RepChange { hours: Some(Some(hours)), max_open: Some(9), ..RepChange::default() };
    world.ok(change_rep("D", change));
    world.online("D");
    world.create_rule("r", vec![waiting(HOUR, if_online(to_group("single")))]);
    let change = TeamChange { default_rule: Some(Some(rule("r"))), ..TeamChange::default() };
    world.ok(Operation::UpdateTeam { change });
    world.assign("waits", &by_rule("r"), &[]);
    world.create_rule("asks", vec![offering(HOUR, to_group("g"))]);
    world.assign("asked", &by_rule("asks"), &[]);
    world.step("asked", reject);
    let cap = Some(PeriodCap { count: 3, period_us: DAY });
    let settings = GroupSettings { period_cap: cap, ..GroupSettings::default() };
    world.ok(new_group("capped", settings, members("C D")));
    world.create_rule("capped", vec![to_group("capped")]);
    world.assign("capped", &by_rule("capped"), &[]);
    world.step("capped", close);
    let credited = Operation::AdjustRotation {
        group: group("g"),
        campaign: None,
        member: member("D"),
        credits: -2,
        reason: "parental leave".into(),
    };
    world.ok(credited);
    world.create_options("inner", "a b").unwrap();
    let spec = MemberSpec { payload: "hello".into(), ..options("1").remove(0) };
    let nested = [vec![spec], options("[inner]")].concat();
    world.ok(new_group("options", of_options(), nested));
    world.run_campaign("o", vec![to_group("options")]);
    world.picks("o", 2);
    world
}

#[test]
fn i12_a_loaded_state_is_equal_and_goes_on_alike() {
    let mut world = rich();
    assert_eq!(saved_and_loaded(&world.state), None);
    let loaded = State::from_image(world.state.image()).unwrap();
    let mut other = world.over(loaded);
    let call = || (key("r2", 2), assign("x", &via("d"), &[owned_by("B")]));
    assert_eq!(
        other.send(call().0, call().1),
        world.send(call().0, call().1),
        "what was answered is remembered",
    );
    other.picks("c", 5);
    world.picks("c", 5);
    assert!(other.state == world.state);
}

#[test]
fn i12_the_first_answer_outlives_a_save_when_the_assignment_has_changed() {
    let mut world = World::with_reps("A B");
    world.ok(out_between("A", 5_000, 6_000));
    world.run_campaign("c", vec![super::world::to_rep("A")]);
    world.now = 5_000;
    let call = || (key("r1", 1), assign("x", &via("c"), &[]));
    let first = world.send(call().0, call().1).unwrap();
    world.now = 6_000;
    world.assign("x", &via("c"), &[]);
    assert_eq!(saved_and_loaded(&world.state), None);
    world.state = State::from_image(world.state.image()).unwrap();
    assert_eq!(world.send(call().0, call().1), Ok(first));
}

/// Bytes of an image are read in parts, of which this has many.
#[test]
fn i12_a_large_state_is_the_same_after_a_save() {
    let mut world = World::with_ring("A B C");
    // Each is found by another request, whose answer is remembered too.
    for n in 0..8_400 {
        world.index += 1;
        // Not through `World`, which looks at the whole state after each.
        let (principal, team, etag) = ("admin".into(), super::world::team(), None);
        let (request, operation) =
            (key(&format!("r-{n}"), n), assign(&(n / 2).to_string(), &via("c"), &[]));
        let command = Command { request, principal, team, etag, operation };
        let position = LogPosition { log_index: world.index, seq: 0, term: 1 };
        world.state.apply(&command, Stamp { time: Time(world.now), position }).unwrap();
    }
    let mut body = Vec::new();
    turnwise::image::save(&world.state, &mut body).unwrap();
    let (loaded, hash) = turnwise::image::load(&body).unwrap();
    assert_eq!(hash, world.state.recomputed_hash());
    assert_eq!((loaded.hash(), loaded.recomputed_hash()), (hash, hash));
    assert!(loaded == world.state);
    let mut other = world.over(loaded);
    assert_eq!(other.picks("c", 3), world.picks("c", 3));
    assert_eq!(other.state.hash(), world.state.hash());
}

/// The error after this change to the image.
fn broken(change: impl FnOnce(&mut Value)) -> ImageError {
    let mut value = serde_json::to_value(rich().state.image()).unwrap();
    let mut team = value["teams"][0].take();
    change(&mut team);
    value["teams"][0] = team;
    let image: Image = serde_json::from_value(value).unwrap();
    State::from_image(image).unwrap_err()
}

fn doubled(list: &str) -> impl FnOnce(&mut Value) {
    let list = list.to_owned();
    move |team| {
        let last = team[&*list].as_array().unwrap().last().unwrap().clone();
        team[&*list].as_array_mut().unwrap().push(last);
    }
}

#[test]
fn an_unknown_engine_version_is_refused() {
    for version in [ENGINE_VERSION_MIN - 1, ENGINE_VERSION_MAX + 1] {
        let mut value = serde_json::to_value(rich().state.image()).unwrap();
        value["clock"]["engine_version"] = json!(version);
        let image: Image = serde_json::from_value(value).unwrap();
        let error = State::from_image(image).unwrap_err();
        assert_eq!(error, ImageError::EngineVersion { version });
    }
}

#[test]
fn a_loaded_state_keeps_its_engine_version_whichever_this_build_has() {
    let mut state = rich().state;
    assert_eq!(state.engine_version(), ENGINE_VERSION_MIN, "a cluster begins with the oldest");
    loop {
        let version = state.engine_version();
        assert_eq!(State::from_image(state.image()).unwrap().engine_version(), version);
        assert_eq!(state.raise_engine(version), Err(version), "it is so already");
        assert_eq!(state.raise_engine(version + 2), Err(version + 2), "it would skip one");
        if state.raise_engine(version + 1).is_err() {
            assert_eq!(version, ENGINE_VERSION_MAX);
            return;
        }
    }
}

#[test]
fn records_that_are_there_twice_are_refused() {
    let lists = "reps hours groups members rules campaigns rotations turns caps assignments \
                 assignment_answers answers";
    for list in lists.split(' ') {
        let error = broken(doubled(list));
        assert!(matches!(error, ImageError::Duplicate { .. }), "{list}: {error:?}");
    }
}

/// Answers are in two lists, and have places and requests of their own in both.
#[test]
fn an_answer_that_has_the_place_or_the_request_of_another_is_refused() {
    let late = broken(|team| {
        let position = team["assignment_answers"][0]["position"].clone();
        let answers = team["answers"].as_array_mut().unwrap();
        answers.truncate(1);
        answers[0]["position"] = position;
        answers[0]["position"]["log_index"] = json!(1_000_000);
        answers[0]["time"] = json!(0);
    });
    assert!(matches!(late, ImageError::Duplicate { .. }), "later, and before: {late:?}");
    let there = broken(|team| {
        let mut answer = team["assignment_answers"].as_array_mut().unwrap().pop().unwrap();
        answer["request"]["id"] = json!("another");
        team["answers"] = json!([answer]);
    });
    assert!(matches!(there, ImageError::Impossible { .. }), "in the other list: {there:?}");
    for field in ["position", "request"] {
        let error = broken(|team| {
            let of_other = team["assignment_answers"][0][field].clone();
            let time = team["assignment_answers"][0]["time"].clone();
            let answers = team["answers"].as_array_mut().unwrap();
            answers.truncate(1);
            answers[0][field] = of_other;
            answers[0]["time"] = time;
        });
        assert!(matches!(error, ImageError::Duplicate { .. }), "{field}: {error:?}");
    }
    let older = broken(|team| {
        let mut answer = team["assignment_answers"][0].clone();
        answer["request"]["id"] = json!("another");
        answer["position"]["log_index"] = json!(0);
        team["assignment_answers"].as_array_mut().unwrap().push(answer);
    });
    assert!(matches!(older, ImageError::Duplicate { .. }), "{older:?}");
    let same = broken(|team| {
        let assignments = team["assignments"].as_array().unwrap();
        let mut requests = assignments.iter().map(|record| record["request"].clone());
        team["assignment_answers"][0]["request"] = requests.find(Value::is_object).unwrap();
    });
    assert!(matches!(same, ImageError::Duplicate { .. }), "{same:?}");
}

#[test]
fn records_that_name_what_is_not_there_are_refused() {
    for (list, field, value) in [
        ("hours", "rep", json!(77)),
        ("members", "group", json!("nowhere")),
        ("members", "occupant", json!({"Rep": 77})),
        ("members", "occupant", json!({"Group": "nowhere"})),
        ("rotations", "group", json!("nowhere")),
        ("rotations", "campaign", json!("nowhere")),
        ("turns", "group", json!("nowhere")),
        ("turns", "campaign", json!("e")),
        ("turns", "key", json!(77)),
        ("caps", "group", json!("nowhere")),
        ("caps", "key", json!(77)),
        ("assignments", "rep", json!(77)),
    ] {
        let error = broken(|team| team[list][0][field] = value.clone());
        assert!(matches!(error, ImageError::Dangling { .. }), "{list}.{field}: {error:?}");
    }
    let target = json!([{"kind": {"Rep": "Z"}, "include_unavailable": false,
        "require_online": false, "wait_us": 0, "accept_timeout_us": 0}]);
    let error = broken(|team| team["campaigns"][0]["route"] = json!({"Targets": target.clone()}));
    assert!(matches!(error, ImageError::Dangling { .. }), "{error:?}");
    let error = broken(|team| team["rules"][0]["targets"] = target.clone());
    assert!(matches!(error, ImageError::Dangling { .. }), "{error:?}");
    let error = broken(|team| team["campaigns"][0]["route"] = json!({"Rule": "nowhere"}));
    assert!(matches!(error, ImageError::Dangling { .. }), "{error:?}");
    let error = broken(|team| team["team"]["default_rule"] = json!("nowhere"));
    assert!(matches!(error, ImageError::Dangling { .. }), "{error:?}");
}

/// Numbers, texts and lists in an image of `rich`, at least.
const PLACES: usize = 1_500;

/// Puts another value in the place of the nth number, text or list in it.
fn damage(value: &mut Value, n: &mut usize, by: usize) {
    let here = *n == 0 && !value.is_object();
    *n = n.wrapping_sub(usize::from(!value.is_object()));
    if here {
        let replacements =
            [json!(0), json!(1), json!(u64::MAX), json!("A"), json!("x"), json!([]), Value::Null];
        *value = replacements[by % replacements.len()].clone();
        return;
    }
    match value {
        Value::Array(list) => list.iter_mut().for_each(|item| damage(item, n, by)),
        Value::Object(map) => map.iter_mut().for_each(|(_, item)| damage(item, n, by)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn a_damaged_image_is_refused_or_is_that_of_another_state_but_never_panics() {
    let world = rich();
    let whole = serde_json::to_value(world.state.image()).unwrap();
    let (mut refused, mut loaded) = (0, 0);
    // Every seventh place with every value, each place with some.
    let places = (0..PLACES).flat_map(|place| (0..7).map(move |by| (place, by)));
    for (place, by) in places.filter(|(place, by)| place % 7 == 0 || place % 5 == by % 5) {
        let mut value = whole.clone();
        damage(&mut value, &mut place.clone(), by);
        let Ok(image) = serde_json::from_value::<Image>(value) else { continue };
        let Ok(state) = State::from_image(image) else {
            refused += 1;
            continue;
        };
        loaded += 1;
        assert_eq!(saved_and_loaded(&state), None, "place {place}, by {by}");
        let mut other = world.over(state);
        other.now += 2 * HOUR;
        for operation in [
            assign("fresh", &via("c"), &[]),
            assign("fresh", &via("d"), &[owned_by("B")]),
            assign("fresh", &via("o"), &[]),
            assign("fresh", &by_rule("asks"), &[]),
            super::world::online("C", HOUR),
            Operation::ReorderGroup {
                group: group("inner"),
                members: vec![option("b"), option("a")],
            },
            Operation::UpdateGroup {
                group: group("g"),
                change: GroupChange {
                    strategy: Some(turnwise::routing::Strategy::LeastOpen),
                    ..GroupChange::default()
                },
            },
            out("C"),
            super::world::new_rep("N"),
            super::world::delete_rep("B"),
            super::world::delete_group("g"),
        ] {
            drop(other.do_(operation));
        }
    }
    assert!(refused > 100 && loaded > 100, "{refused} refused, {loaded} loaded");
}

#[test]
fn values_that_no_command_can_have_made_are_refused() {
    let interval = |start: u64, end: u64| json!({"start": start, "end": end});
    for (list, field, value) in [
        ("reps", "uid", json!(u64::MAX)),
        ("reps", "out_of_office", json!([interval(5, 5)])),
        ("reps", "out_of_office", json!([interval(5, 9), interval(7, 12)])),
        ("groups", "last_key", json!(u64::MAX)),
        ("members", "key", json!(0)),
        ("members", "weight", json!(0)),
        ("members", "weight", json!(1_001)),
        (
            "hours",
            "hours",
            json!({"time_zone": "", "weekly": [], "holidays": [],
            "open": [interval(5, 5)], "horizon": 9}),
        ),
        ("groups", "kind", json!("Options")),
        ("rotations", "cursor", json!({"round": 0, "key": 99})),
        ("turns", "turns", json!(0)),
        ("turns", "credits", json!(101)),
        ("assignments", "rep", Value::Null),
        ("assignment_answers", "time", json!(u64::MAX)),
        ("answers", "time", json!(u64::MAX)),
    ] {
        let error = broken(|team| team[list][0][field] = value.clone());
        assert!(matches!(error, ImageError::Impossible { .. }), "{list}.{field}: {error:?}");
    }
    let no_default = broken(|team| drop(team["groups"].as_array_mut().unwrap().remove(0)));
    assert!(matches!(no_default, ImageError::Dangling { .. }), "{no_default:?}");
    let fewer = broken(|team| {
        let members = team["members"].as_array_mut().unwrap();
        let of_default = members.iter().position(|m| m["group"] == json!("default")).unwrap();
        drop(members.remove(of_default));
    });
    assert!(matches!(fewer, ImageError::Impossible { .. }), "{fewer:?}");
}
