//! The engine against the naive model, on random histories over few ids, so that they collide.
//!
//! Every answer is compared: refusals by kind, assigns with their whole trace. A failing history is
//! shrunk before it is shown. The kinds of answers that must have come up are listed, so that a
//! generator gone stale fails too.

use std::collections::{BTreeMap, BTreeSet};

use turnwise::routing::{
    CampaignId, Command, ContactId, GroupId, Image, LogPosition, MemberSpec, Operation, OwnerKind,
    OwnerRef, OwnerType, RepId, RequestId, RequestKey, Stamp, State, Target, TargetKind, TeamId,
    Time, Via,
};

use super::model::{Model, Seen, seen};

/// A small generator of its own (splitmix64): a seed means the same history for ever.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }
    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let n = u64::try_from(from.len()).unwrap();
        from[usize::try_from(self.below(n)).unwrap()].clone()
    }
    fn id(&mut self, prefix: &str, n: u64) -> String {
        format!("{prefix}{}", self.below(n))
    }
    fn list<T>(&mut self, n: u64, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(n)).map(|_| make(self)).collect()
    }
    fn option<T>(&mut self, percent: u64, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.chance(percent).then(|| make(self))
    }
}

#[derive(Debug, Clone)]
struct Step {
    command: Command,
    stamp: Stamp,
}

const KINDS: [OwnerKind; 4] =
    [OwnerKind::Contact, OwnerKind::Lead, OwnerKind::Account, OwnerKind::Opportunity];

fn rep(r: &mut Random) -> RepId {
    RepId::new(&r.id("rep", 7))
}
fn group(r: &mut Random) -> GroupId {
    GroupId::new(r.pick(&["default", "g1", "g2", "g3"]))
}
fn campaign(r: &mut Random) -> CampaignId {
    CampaignId::new(&r.id("c", 9))
}
fn email(r: &mut Random) -> String {
    r.id("mail", 9)
}
fn member(r: &mut Random) -> MemberSpec {
    MemberSpec { rep: rep(r), weight: r.pick(&[1, 1, 1, 2, 3, 6]) }
}
fn target(r: &mut Random) -> Target {
    let kind = match r.below(10) {
        0..3 => TargetKind::Owner(r.list(4, |r| r.pick(&KINDS))),
        3..8 => TargetKind::Group(group(r)),
        _ => TargetKind::Rep(rep(r)),
    };
    Target { kind, include_unavailable: r.chance(15) }
}
fn targets(r: &mut Random) -> Option<Vec<Target>> {
    r.option(80, |r| r.list(4, target))
}
fn owner(r: &mut Random) -> OwnerRef {
    OwnerRef {
        kind: r.pick(&KINDS),
        owner_type: if r.chance(20) { OwnerType::Queue } else { OwnerType::User },
        email: r.option(60, email),
        external_id: r.option(40, |r| ("crm".to_owned(), r.id("ext", 9))),
    }
}
/// Around now, which may be past.
fn instant(r: &mut Random, now: u64) -> Time {
    Time(now.saturating_sub(10) + r.below(60))
}

fn operation(r: &mut Random, now: u64) -> Operation {
    let display_name = String::new();
    match r.below(100) {
        0 => Operation::CreateTeam { display_name },
        1..6 => Operation::CreateRep {
            rep: rep(r),
            display_name,
            email: r.option(70, email),
            external_ids: BTreeMap::from_iter(r.option(50, |r| ("crm".to_owned(), r.id("ext", 9)))),
            disabled: r.chance(10),
        },
        6..8 => Operation::DeleteRep { rep: rep(r) },
        8..20 => Operation::SetOutOfOffice {
            rep: rep(r),
            start: r.option(60, |r| instant(r, now)),
            end: r.option(70, |r| instant(r, now)),
            note: r.id("note", 3),
        },
        20..29 => Operation::ClearOutOfOffice {
            rep: rep(r),
            start: r.option(30, |r| instant(r, now)),
            end: r.option(30, |r| instant(r, now)),
        },
        29..32 => {
            Operation::CreateGroup { group: group(r), display_name, members: r.list(5, member) }
        }
        32 => Operation::DeleteGroup { group: group(r) },
        33..37 => Operation::AddGroupMembers { group: group(r), members: r.list(3, member) },
        37..41 => Operation::RemoveGroupMember { group: group(r), rep: rep(r) },
        41..44 => {
            Operation::CreateCampaign { campaign: campaign(r), display_name, targets: targets(r) }
        }
        44..48 => Operation::UpdateCampaign {
            campaign: campaign(r),
            targets: r.option(80, targets),
            display_name: None,
        },
        48..53 => Operation::LaunchCampaign { campaign: campaign(r) },
        53 => Operation::PauseCampaign { campaign: campaign(r) },
        54 => Operation::ResumeCampaign { campaign: campaign(r) },
        55 if r.chance(40) => Operation::CancelCampaign { campaign: campaign(r) },
        _ => Operation::AssignContact {
            contact: ContactId::new(&r.id("x", 60)),
            via: if r.chance(15) { Via::DefaultRule } else { Via::Campaign(campaign(r)) },
            owners: r.list(4, owner),
        },
    }
}

fn history(seed: u64, length: usize) -> Vec<Step> {
    let mut r = Random(seed);
    let (mut now, mut index, mut seq) = (100, 1, 0);
    let mut steps: Vec<Step> = Vec::new();
    for i in 0..length {
        match r.below(1_000) {
            0..2 => now += 24 * 60 * 60 * 1_000_000 - r.below(3) * 20,
            2..300 => now += r.below(12),
            _ => {}
        }
        (index, seq) = if r.chance(40) { (index, seq + 1) } else { (index + 1 + r.below(2), 0) };
        let fresh = |r: &mut Random| Command {
            request: r.option(40, |_| RequestKey {
                id: RequestId::new(&format!("r{i}")),
                fingerprint: u128::try_from(i).unwrap(),
            }),
            principal: r.id("p", 2),
            team: TeamId::new(if r.chance(5) { "u" } else { "t" }),
            operation: operation(r, now),
        };
        let command = if i < 2 {
            let operation = Operation::CreateTeam { display_name: String::new() };
            Command { operation, ..fresh(&mut r) }
        } else if r.chance(12) {
            // A repeat; sometimes of the id only.
            let old = r.pick(&steps).command;
            let mut new = if r.chance(80) { old.clone() } else { fresh(&mut r) };
            new.request = old.request.map(|key| RequestKey {
                fingerprint: key.fingerprint + u128::from(new.operation != old.operation),
                ..key
            });
            new
        } else {
            fresh(&mut r)
        };
        let time = Time(if r.chance(10) { now - r.below(20) } else { now });
        let position = LogPosition { log_index: index, seq, term: index / 100 };
        steps.push(Step { command, stamp: Stamp { time, position } });
    }
    steps
}

/// Runs both; the first difference, with the index of its step.
fn difference(steps: &[Step], mut see: impl FnMut(&Seen)) -> Option<(usize, String)> {
    let (mut state, mut model) = (State::new(), Model::new());
    for (i, Step { command, stamp }) in steps.iter().enumerate() {
        let answer = state.apply(command, *stamp);
        let expected = model.apply(command, *stamp);
        see(&expected);
        if seen(&answer) != expected {
            return Some((i, format!("engine {answer:#?}\nmodel {expected:#?}")));
        }
        let problem =
            if i % 16 == 0 || i + 1 == steps.len() { compare(&state, &model) } else { None };
        let problem =
            problem.or_else(|| (i % 128 == 0).then(|| saved_and_loaded(&state)).flatten());
        if let Some(problem) = problem {
            return Some((i, problem));
        }
    }
    None
}

/// What is not in an answer.
fn compare(state: &State, model: &Model) -> Option<String> {
    if state.hash() != state.recomputed_hash() {
        return Some("the hash is not that of the records".into());
    }
    for team in state.teams(None, usize::MAX) {
        let team = &team.id;
        for (id, open) in model.open_counts(team) {
            if state.rep(team, &id).unwrap().open_count != open {
                return Some(format!("open count of {id}"));
            }
        }
        let campaigns = model.campaigns(team).into_iter().map(Some).chain([None]);
        let campaigns: Vec<_> = campaigns.collect();
        for (group, members) in model.groups(team) {
            let found = state.group(team, &group).unwrap().members;
            let found: Vec<_> = found.into_iter().map(|m| (m.key, m.rep)).collect();
            if found != members {
                return Some(format!("members of {group}: {found:?}, model {members:?}"));
            }
            for campaign in &campaigns {
                let of = campaign.as_ref();
                let view = state.rotation(team, &group, of, 0, state.time()).unwrap();
                if view.cursor != model.cursor(team, &group, of) {
                    return Some(format!("cursor of {group} under {of:?}"));
                }
            }
        }
    }
    None
}

/// What a snapshot would do to it.
pub(crate) fn saved_and_loaded(state: &State) -> Option<String> {
    let format = bincode::config::standard();
    let bytes = bincode::serde::encode_to_vec(state.image(), format).unwrap();
    let (image, _): (Image, usize) = bincode::serde::decode_from_slice(&bytes, format).unwrap();
    match State::from_image(image) {
        Err(error) => Some(error.to_string()),
        Ok(loaded) if loaded.hash() != state.hash() => Some("hash after loading".into()),
        Ok(loaded) if loaded != *state => Some("state after loading".into()),
        Ok(_) => None,
    }
}

/// Leaves out what the failure does not need.
fn shrink(mut steps: Vec<Step>) -> Vec<Step> {
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut start = 0;
        while start < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(start..(start + size).min(steps.len()));
            if let Some((at, _)) = difference(&fewer, |_| ()) {
                fewer.truncate(at + 1);
                steps = fewer;
            } else {
                start += size;
            }
        }
        size /= 2;
    }
    steps
}

#[test]
fn the_engine_answers_120_000_random_commands_as_the_naive_model_does() {
    let mut marks: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..120 {
        let steps = history(seed, 1_000);
        let found = difference(&steps, |answer| {
            let mut mark = |name: String| *marks.entry(name).or_default() += 1;
            match answer {
                Seen::Refused(name) => mark(name.clone()),
                Seen::Done(_) => mark("Done".into()),
                Seen::Assigned { existing, assignment, .. } => {
                    mark(format!("existing {existing} {:?}", assignment.cause));
                    assignment.traces.iter().for_each(|t| mark(format!("{:?}", t.outcome)));
                }
            }
        });
        if let Some((at, _)) = found {
            let steps = shrink(steps[..=at].to_vec());
            let (_, problem) = difference(&steps, |_| ()).unwrap();
            panic!("seed {seed}, shrunk to {} steps: {steps:#?}\n{problem}", steps.len());
        }
    }
    let expected = "AlreadyExists AlreadyMember CampaignNotRunning DefaultGroupImmutable EmailTaken \
        EmptyWindow ExternalIdTaken GroupHasNoAvailableRep GroupInUse GroupTooSmall LastAvailableRep \
        NotAMember NotFound RepInUse RequestIdReused WrongCampaignState Done NoEligible NoOwner \
        OwnerIsQueue OwnerNotARep Picked";
    let mut expected: BTreeSet<String> = expected.split_whitespace().map(str::to_owned).collect();
    for cause in ["NoTarget", "Owner", "Rep", "Rotation"] {
        expected.extend([format!("existing false {cause}"), format!("existing true {cause}")]);
    }
    let rare: Vec<_> = expected.iter().filter(|m| marks.get(*m).is_none_or(|n| *n < 20)).collect();
    assert!(rare.is_empty(), "too rare: {rare:?} in {marks:#?}");
}
