//! The golden file of every version, and bytes that are no state.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::routing::{
    Assign, AssignmentId, CampaignId, Command, ContactId, GroupId, GroupKind, GroupSettings, Hours,
    Image, Interval, IntervalSet, Labels, LogPosition, MemberName, MemberSpec, Operation, OptionId,
    OwnerKind, OwnerRef, OwnerType, PeriodCap, RepId, RepSettings, RequestId, RequestKey, Role,
    Route, RuleId, SecretHash, Stamp, Target, TargetKind, TeamId, Time, TokenId, TokenSettings,
    Via, WeeklySpan,
};

fn spring() -> CampaignId {
    CampaignId::new("spring")
}
fn member(id: &str, weight: u32) -> MemberSpec {
    let (member, payload) = (MemberName::Rep(RepId::new(id)), String::new());
    MemberSpec { member, payload, weight }
}
fn rep(id: &str, settings: RepSettings) -> Operation {
    let settings = RepSettings {
        display_name: id.to_uppercase(),
        email: Some(format!("{id}@example.com")),
        external_ids: [("crm".to_owned(), format!("005{id}"))].into(),
        disabled: id == "cem",
        ..settings
    };
    Operation::CreateRep { rep: RepId::new(id), settings }
}
fn assign(contact: &str, via: Via, owners: Vec<OwnerRef>) -> Operation {
    Operation::AssignContact(Assign { owners, ..Assign::new(ContactId::new(contact), via) })
}

/// What the state of version 1 was made by: one of each record.
fn version_1() -> Vec<Operation> {
    let members = ["ana", "bo", "cem"].map(|id| member(id, 2));
    let owner = OwnerRef {
        kind: OwnerKind::Lead,
        owner_type: OwnerType::User,
        email: Some("bo@example.com".to_owned()),
        external_id: None,
    };
    let via = || Via::Campaign(spring());
    let targets = vec![
        Target::new(TargetKind::Owner(vec![OwnerKind::Lead])),
        Target::new(TargetKind::Group(GroupId::new("west"))),
    ];
    let (labels, settings) = (Labels::new(), RepSettings::default());
    let west = GroupSettings { display_name: "West".to_owned(), ..GroupSettings::default() };
    vec![
        Operation::CreateTeam {
            display_name: "Sales".to_owned(),
            labels: labels.clone(),
            time_zone: String::new(),
        },
        rep("ana", settings.clone()),
        rep("bo", settings.clone()),
        rep("cem", settings),
        Operation::CreateGroup {
            group: GroupId::new("west"),
            settings: west,
            members: members.to_vec(),
        },
        Operation::CreateCampaign {
            campaign: spring(),
            display_name: String::new(),
            labels,
            route: Route::Targets(targets),
        },
        Operation::LaunchCampaign { campaign: spring() },
        Operation::SetOutOfOffice {
            rep: RepId::new("ana"),
            start: None,
            end: Some(Time(9_000)),
            note: "lunch".to_owned(),
        },
        assign("c-1", via(), Vec::new()),
        assign("c-2", via(), vec![owner]),
        assign("c-1", via(), Vec::new()),
    ]
}

/// What version 2 added: the records that there were none of.
fn version_2() -> Vec<Operation> {
    let labels = || Labels::from([("tier".to_owned(), "gold".to_owned())]);
    let hours = Hours {
        time_zone: "Europe/Berlin".to_owned(),
        weekly: vec![WeeklySpan { weekday: 1, start_minute: 540, end_minute: 1_020 }],
        holidays: vec!["2026-12-24".to_owned()],
        open: IntervalSet::of(vec![Interval { start: Time(500), end: Time(90_000) }]),
        horizon: Time(100_000),
    };
    let options = GroupSettings { kind: GroupKind::Options, ..GroupSettings::default() };
    let option = |id: &str| MemberSpec {
        member: MemberName::Option(OptionId::new(id)),
        payload: format!("{{\"send\":\"{id}\"}}"),
        weight: 1,
    };
    let capped = GroupSettings {
        labels: labels(),
        period_cap: Some(PeriodCap { count: 2, period_us: 1_000_000 }),
        ..GroupSettings::default()
    };
    let group = |id: &str| GroupId::new(id);
    let offered = Target { accept_timeout_us: 5_000, ..to_group("capped") };
    let waiting = Target { wait_us: 60_000, require_online: true, ..to_group("capped") };
    let rule = |id: &str, targets| Operation::CreateRule {
        rule: RuleId::new(id),
        display_name: id.to_uppercase(),
        labels: labels(),
        targets,
    };
    vec![
        rep("dana", RepSettings { max_open: 2, hours: Some(hours), ..RepSettings::default() }),
        Operation::SetPresence { rep: RepId::new("bo"), online: true, ttl_us: 50 },
        Operation::CreateGroup {
            group: group("steps"),
            settings: options,
            members: vec![option("mail"), option("call")],
        },
        Operation::CreateGroup {
            group: group("capped"),
            settings: capped,
            members: vec![member("bo", 1), member("dana", 3)],
        },
        rule("asks", vec![offered]),
        rule("waits", vec![waiting]),
        Operation::AdjustRotation {
            group: group("west"),
            campaign: Some(spring()),
            member: MemberName::Rep(RepId::new("bo")),
            credits: -2,
            reason: "had two".to_owned(),
        },
        assign("c-3", Via::Rule(RuleId::new("asks")), Vec::new()),
        assign("c-4", Via::Group(group("steps")), Vec::new()),
        assign("c-5", Via::Rep(RepId::new("bo")), Vec::new()),
        Operation::CloseAssignment { assignment: AssignmentId { log_index: 5, seq: 20, item: 0 } },
        Operation::SetPresence { rep: RepId::new("bo"), online: false, ttl_us: 0 },
        assign("c-6", Via::Rule(RuleId::new("waits")), Vec::new()),
        Operation::AssignBatch {
            items: ["c-7", "c-8"]
                .map(|contact| Assign {
                    priority: 7,
                    labels: labels(),
                    ..Assign::new(ContactId::new(contact), Via::Group(group("capped")))
                })
                .to_vec(),
        },
        Operation::UnassignAssignment {
            assignment: AssignmentId { log_index: 5, seq: 9, item: 0 },
        },
        Operation::ScheduleCampaign { campaign: spring(), launch_time: Some(Time(5)) },
    ]
}

fn to_group(id: &str) -> Target {
    Target::new(TargetKind::Group(GroupId::new(id)))
}

/// The state after these, each at a place of its own; and how many were refused.
fn after(operations: Vec<Operation>) -> (State, usize) {
    let mut state = State::new();
    let mut refused = 0;
    for (seq, operation) in (0..).zip(operations) {
        let command = Command {
            request: Some(RequestKey {
                id: RequestId::new(&format!("r-{seq}")),
                fingerprint: u128::from(seq),
            }),
            principal: "ops".into(),
            team: TeamId::new("sales"),
            etag: None,
            operation,
        };
        let position = LogPosition { log_index: 5, seq, term: 2 };
        let answer = state.apply(&command, Stamp { time: Time(1_000), position });
        refused += usize::from(answer.is_err());
    }
    (state, refused)
}

/// What version 3 added: access tokens.
fn version_3() -> Vec<Operation> {
    let token = |id: &str, role, expire_time| Operation::CreateToken {
        token: TokenId::new(id),
        settings: TokenSettings {
            display_name: id.to_uppercase(),
            labels: Labels::from([("tier".to_owned(), "gold".to_owned())]),
            role,
            secret: SecretHash([7; 32]),
            expire_time,
        },
    };
    vec![
        token("crm", Role::Router, None),
        token("lead", Role::GroupManager(vec![GroupId::new("west")]), Some(Time(70_000))),
        token("bo", Role::Rep(RepId::new("bo")), None),
    ]
}

/// A state with one of each record, and an answer that is a refusal.
fn full() -> State {
    let (state, refused) = after([version_1(), version_2(), version_3()].concat());
    assert_eq!(refused, 1, "a running campaign is not scheduled");
    state
}

/// The same before there were tokens.
fn without_tokens() -> State {
    after([version_1(), version_2()].concat()).0
}

/// Version 1, as it was first written: read for ever.
#[test]
fn the_golden_file_of_version_1_reads_as_the_state_that_the_same_commands_make_now() {
    let golden = include_bytes!("../../tests/golden/state-v1.bin");
    let (loaded, hash) = load(golden).unwrap();
    // As the nodes of that version computed it, and wrote it beside the snapshot.
    assert_eq!(hash, 0x2c77_8764_5f5f_9985_b3dd_2f42_57f7_7cf8);
    assert_eq!(loaded.hash(), loaded.recomputed_hash());

    let (now, _) = after(version_1());
    assert_ne!(json(&loaded), json(&now));
    assert_eq!(without_news(json(&loaded)), without_news(json(&now)));
}

/// The records of a state.
fn json(state: &State) -> Value {
    serde_json::from_str(&serde_json::to_string(&state.image()).unwrap()).unwrap()
}

/// The same but for what version 1 can't tell: where a resource last changed, by which rules something
/// was decided, and who made a step of an assignment's life happen.
fn without_news(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let is_new = ["revision", "engine_version", "principal"].contains(&key.as_str());
                *value = if is_new { Value::Null } else { without_news(value.take()) };
            }
        }
        Value::Array(items) => {
            items.iter_mut().for_each(|item| *item = without_news(item.take()));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    value
}

#[test]
fn the_golden_state_has_one_of_each_record() {
    let full = json(&full());
    assert_eq!(full["tokens"].as_array().unwrap().len(), 3);
    let lists = full["teams"][0].as_object().unwrap();
    assert!(lists.len() > 10);
    for (name, list) in lists {
        assert!(list.as_array().is_none_or(|list| !list.is_empty()), "{name}");
    }
    let states: BTreeSet<_> = lists["assignments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["assignment"]["state"].as_str().unwrap())
        .collect();
    assert_eq!(Vec::from_iter(states), ["Assigned", "Closed", "Offered", "Pending", "Unassigned"]);
}

/// Version 2, as it was first written: read for ever.
#[test]
fn the_golden_file_of_version_2_reads_as_the_state_that_the_same_commands_make_now() {
    let golden = include_bytes!("../../tests/golden/state-v2.bin");
    let (loaded, hash) = load(golden).unwrap();
    assert_eq!(loaded, without_tokens());
    let now = without_tokens().hash();
    assert_eq!((hash, loaded.hash(), loaded.recomputed_hash()), (now, now, now));
}

/// Version 3, as it was first written: read for ever.
#[test]
fn the_golden_file_of_version_3_reads_as_the_state_that_the_same_commands_make_now() {
    is_full(include_bytes!("../../tests/golden/state-v3.bin"));
}

/// Version 4, as it was first written: read for ever.
#[test]
fn the_golden_file_of_version_4_reads_as_the_state_that_the_same_commands_make_now() {
    is_full(include_bytes!("../../tests/golden/state-v4.bin"));
}

/// Version 5, as it was first written: read for ever, and still written so.
#[test]
fn the_golden_file_of_version_5_reads_and_writes_as_ever() {
    let mut written = Vec::new();
    save(&full(), &mut written).unwrap();
    let golden = include_bytes!("../../tests/golden/state-v5.bin");
    assert_eq!(written, golden, "new bytes need a new version");
    is_full(golden);
}

fn is_full(body: &[u8]) {
    let (loaded, hash) = load(body).unwrap();
    assert_eq!(loaded, full());
    let now = full().hash();
    assert_eq!((hash, loaded.hash(), loaded.recomputed_hash()), (now, now, now));
}

/// Small ones are loaded on one, but for here.
#[test]
fn an_image_is_loaded_alike_on_one_thread_and_on_two() {
    let mut body = Vec::new();
    save(&full(), &mut body).unwrap();
    let image = &body[4..];
    assert_eq!(on_one_thread(image).unwrap(), full());
    assert_eq!(on_two_threads(image).unwrap(), full());
    let of = |loaded: io::Result<State>| loaded.map_err(|error| error.to_string());
    for at in 0..image.len() {
        let mut damaged = image.to_vec();
        damaged[at] ^= 0x55;
        assert_eq!(of(on_one_thread(&damaged)), of(on_two_threads(&damaged)), "byte {at}");
        let cut = &image[..at];
        assert_eq!(of(on_one_thread(cut)), of(on_two_threads(cut)), "the first {at} bytes");
    }
}

#[test]
fn damaged_bodies_are_refused_and_ask_for_no_memory() {
    let old = include_bytes!("../../tests/golden/state-v1.bin").to_vec();
    let second = include_bytes!("../../tests/golden/state-v2.bin").to_vec();
    let third = include_bytes!("../../tests/golden/state-v3.bin").to_vec();
    let fourth = include_bytes!("../../tests/golden/state-v4.bin").to_vec();
    let mut new = Vec::new();
    save(&full(), &mut new).unwrap();
    for mut body in [old, second, third, fourth, new] {
        for len in 0..body.len() {
            assert!(load(&body[..len]).is_err(), "the first {len} bytes");
        }
        body.push(0);
        assert!(load(&body).is_err(), "one byte more");
    }
    for version in [0, 6, 9] {
        assert!(load(&[version, 0, 0, 0, 0]).is_err(), "version {version}");
    }
    for version in [1, 2, 3, 4, 5] {
        assert!(load(&[version, 0, 0, 0, 0, 253, 255, 255, 255, 255, 255, 255, 255, 127]).is_err());
    }
}

/// What is read on one thread is refused by another, which says why.
#[test]
fn bytes_of_an_image_that_contradicts_itself_are_refused_with_the_reason() {
    fn loaded(change: fn(&mut Vec<Value>)) -> Result<bool, String> {
        let mut image = json(&full());
        change(image["teams"][0]["assignments"].as_array_mut().unwrap());
        let image: Image = serde_json::from_value(image).unwrap();
        let body = [VERSION.to_le_bytes().to_vec(), encode(&image)].concat();
        load(&body).map(|(state, _)| state == full()).map_err(|error| error.to_string())
    }
    assert_eq!(loaded(|_| ()), Ok(true));
    let changes: [fn(&mut Vec<Value>); 3] = [
        |all| all.push(all.last().unwrap().clone()),
        // The same request made two that are far from each other.
        |all| all.last_mut().unwrap()["request"] = all[0]["request"].clone(),
        // Two that are open are about the same work.
        |all| {
            let is_open = |one: &Value| one["assignment"]["state"] != "Closed";
            let open: Vec<usize> = (0..all.len()).filter(|n| is_open(&all[*n])).collect();
            let (first, last) = (open[0], open[open.len() - 1]);
            for part in ["contact", "via"] {
                all[last]["assignment"][part] = all[first]["assignment"][part].clone();
            }
        },
    ];
    for change in changes {
        let error = loaded(change).unwrap_err();
        assert!(error.contains("there twice"), "{error}");
    }
}

/// A node with 40,000 assignments could not load its own snapshot: 7 MB, within 16 MiB as bytes, and
/// beyond as numbers in memory.
#[test]
fn numbers_that_are_wider_in_memory_than_on_disk_do_not_pass_the_limit() {
    for count in [1 << 20, (1 << 20) + (1 << 18)] {
        let numbers = vec![1_u128; count];
        let image = encode(&numbers);
        assert!(image.len() < LIMITS.0 && image.len() * CLAIM_MAX >= LIMITS.0);
        assert_eq!(decode::<Vec<u128>>(&image).unwrap(), numbers);
    }
    // Few bytes may still not ask for much.
    let mut short = encode([1_u128; 8].as_slice());
    short.splice(0..1, [253, 0, 0, 0, 0, 1, 0, 0, 0]);
    let refused = decode::<Vec<u128>>(&short).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
}
