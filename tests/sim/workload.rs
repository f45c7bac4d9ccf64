//! What clients ask for: mostly assigns, some absences, some changes of a ring, some reads.
//!
//! Few contacts and few reps, so that calls meet: the same contact is routed again while its first
//! assignment is under way, and the last available rep is asked to stay.

use turnwise::routing::{
    Assign, AssignmentId, CampaignId, Command, ContactId, GroupId, GroupSettings, Labels,
    MemberName, MemberSpec, Operation, OwnerKind, OwnerRef, OwnerType, Principal, RepId,
    RepSettings, RequestId, RequestKey, Route, Strategy, Target, TargetKind, TeamId, Time, Via,
};

use crate::rng::Rng;

const REPS: u64 = 6;
const CONTACTS: u64 = 1_000;
const CAMPAIGNS: [(&str, &str); 2] = [("spring", "east"), ("autumn", "west")];

/// The one team.
pub(crate) fn team() -> TeamId {
    TeamId::new("team")
}

fn rep(number: u64) -> RepId {
    RepId::new(&format!("rep-{number}"))
}

fn member(number: u64) -> MemberSpec {
    MemberSpec { member: MemberName::Rep(rep(number)), payload: String::new(), weight: 1 }
}

fn email(number: u64) -> String {
    format!("rep-{number}@example.com")
}

/// One intended change, under a request id of its own.
pub(crate) fn command(request: &str, operation: Operation) -> Command {
    let fingerprint = xxhash_rust::xxh3::xxh3_128(format!("{operation:?}").as_bytes());
    let id = RequestId::new(request);
    Command {
        request: Some(RequestKey { id, fingerprint }),
        principal: Principal::default(),
        team: team(),
        etag: None,
        operation,
    }
}

/// What has to be there before anything can be assigned, in order. East goes by turns and does not wait;
/// west goes by load, holds contacts for a while and asks before it assigns.
pub(crate) fn founding() -> Vec<Operation> {
    let name = |id: &str| id.to_owned();
    let mut operations = vec![Operation::CreateTeam {
        display_name: name("team"),
        labels: Labels::new(),
        time_zone: String::new(),
    }];
    operations.extend((0..REPS).map(|number| {
        let settings = RepSettings {
            display_name: name("rep"),
            email: Some(email(number)),
            disabled: number == 5,
            max_open: if number == 3 { 4 } else { 0 },
            ..RepSettings::default()
        };
        Operation::CreateRep { rep: rep(number), settings }
    }));
    for (campaign, group) in CAMPAIGNS {
        let is_east = group == "east";
        let members = if is_east { vec![0, 1, 2, 5] } else { vec![4, 3, 2] };
        let strategy = if is_east { Strategy::RoundRobin } else { Strategy::LeastOpen };
        operations.push(Operation::CreateGroup {
            group: GroupId::new(group),
            settings: GroupSettings {
                display_name: name(group),
                strategy,
                ..GroupSettings::default()
            },
            members: members.into_iter().map(member).collect(),
        });
        let owner = TargetKind::Owner(vec![OwnerKind::Contact, OwnerKind::Lead]);
        let mut ring = Target::new(TargetKind::Group(GroupId::new(group)));
        if !is_east {
            ring.wait_us = 2_000_000;
            ring.accept_timeout_us = 700_000;
            ring.require_online = true;
        }
        let campaign = CampaignId::new(campaign);
        operations.push(Operation::CreateCampaign {
            campaign: campaign.clone(),
            display_name: name("campaign"),
            labels: Labels::new(),
            route: Route::Targets(vec![Target::new(owner), ring]),
        });
        operations.push(Operation::LaunchCampaign { campaign });
    }
    operations
}

/// Some assignment that may have been made, by the place it would have.
fn assignment(rng: &mut Rng) -> AssignmentId {
    let log_index = 10 + rng.next() % 300;
    AssignmentId { log_index, seq: u32::try_from(rng.next() % 3).unwrap(), item: 0 }
}

/// Whose offer is answered, if that is said.
fn may_be(rng: &mut Rng, who: u64) -> Option<RepId> {
    rng.chance(300).then(|| rep(who))
}

/// A change that somebody might want; `wall_us` is about now.
pub(crate) fn operation(rng: &mut Rng, wall_us: u64) -> Operation {
    let who = rng.next() % REPS;
    let (campaign, _) = rng.pick(&CAMPAIGNS);
    let (_, group) = rng.pick(&CAMPAIGNS);
    match rng.next() % 100 {
        0..=5 => {
            let start = rng.chance(300).then(|| Time(wall_us + rng.next() % 3_000_000));
            let from = start.map_or(wall_us, |start| start.0);
            let end = rng.chance(700).then(|| Time(from + 1 + rng.next() % 5_000_000));
            Operation::SetOutOfOffice { rep: rep(who), start, end, note: String::new() }
        }
        6..=13 => Operation::ClearOutOfOffice { rep: rep(who), start: None, end: None },
        14..=16 => {
            let group = GroupId::new(group);
            Operation::AddGroupMembers { group, members: vec![member(who)] }
        }
        17..=19 => {
            let member = MemberName::Rep(rep(who));
            Operation::RemoveGroupMember { group: GroupId::new(group), member }
        }
        20 => Operation::PauseCampaign { campaign: CampaignId::new(campaign) },
        21 => Operation::ResumeCampaign { campaign: CampaignId::new(campaign) },
        22..=29 => Operation::SetPresence {
            rep: rep(who),
            online: rng.chance(800),
            ttl_us: 1 + rng.next() % 4_000_000,
        },
        30..=33 => {
            Operation::AcceptAssignment { assignment: assignment(rng), rep: may_be(rng, who) }
        }
        34..=36 => {
            Operation::RejectAssignment { assignment: assignment(rng), rep: may_be(rng, who) }
        }
        37..=40 => Operation::CloseAssignment { assignment: assignment(rng) },
        41 => Operation::ReassignAssignment { assignment: assignment(rng), to: None },
        42 => Operation::ClaimAssignment { assignment: assignment(rng), rep: rep(who) },
        43..=44 => Operation::Tick,
        45 => Operation::AssignBatch { items: (0..3).map(|_| assign(rng)).collect() },
        _ => Operation::AssignContact(assign(rng)),
    }
}

fn assign(rng: &mut Rng) -> Assign {
    let who = rng.next() % REPS;
    let (campaign, _) = rng.pick(&CAMPAIGNS);
    let owner = OwnerRef {
        kind: OwnerKind::Lead,
        owner_type: OwnerType::User,
        email: Some(email(who)),
        external_id: None,
    };
    let contact = ContactId::new(&format!("contact-{}", rng.next() % CONTACTS));
    Assign {
        owners: if rng.chance(200) { vec![owner] } else { Vec::new() },
        prefer_last_rep: rng.chance(100),
        priority: i32::try_from(rng.next() % 3).unwrap(),
        ..Assign::new(contact, Via::Campaign(CampaignId::new(campaign)))
    }
}
