//! What clients ask for: mostly assigns, some absences, some changes of a ring, some reads.
//!
//! Few contacts and few reps, so that calls meet: the same contact is routed again while its first
//! assignment is under way, and the last available rep is asked to stay.

use std::collections::BTreeMap;

use turnwise::routing::{
    CampaignId, Command, ContactId, GroupId, MemberSpec, Operation, OwnerKind, OwnerRef, OwnerType,
    RepId, RequestId, RequestKey, Target, TargetKind, TeamId, Time, Via,
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
    MemberSpec { rep: rep(number), weight: 1 }
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
        principal: String::new(),
        team: team(),
        operation,
    }
}

/// What has to be there before anything can be assigned, in order.
pub(crate) fn founding() -> Vec<Operation> {
    let name = |id: &str| id.to_owned();
    let mut operations = vec![Operation::CreateTeam { display_name: name("team") }];
    operations.extend((0..REPS).map(|number| Operation::CreateRep {
        rep: rep(number),
        display_name: name("rep"),
        email: Some(email(number)),
        external_ids: BTreeMap::new(),
        disabled: number == 5,
    }));
    for (campaign, group) in CAMPAIGNS {
        let members = if group == "east" { vec![0, 1, 2, 5] } else { vec![4, 3, 2] };
        operations.push(Operation::CreateGroup {
            group: GroupId::new(group),
            display_name: name(group),
            members: members.into_iter().map(member).collect(),
        });
        let owner = TargetKind::Owner(vec![OwnerKind::Contact, OwnerKind::Lead]);
        let ring = TargetKind::Group(GroupId::new(group));
        let targets =
            [owner, ring].map(|kind| Target { kind, include_unavailable: false }).to_vec();
        let campaign = CampaignId::new(campaign);
        operations.push(Operation::CreateCampaign {
            campaign: campaign.clone(),
            display_name: name("campaign"),
            targets: Some(targets),
        });
        operations.push(Operation::LaunchCampaign { campaign });
    }
    operations
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
        17..=19 => Operation::RemoveGroupMember { group: GroupId::new(group), rep: rep(who) },
        20 => Operation::PauseCampaign { campaign: CampaignId::new(campaign) },
        21 => Operation::ResumeCampaign { campaign: CampaignId::new(campaign) },
        _ => {
            let owner = OwnerRef {
                kind: OwnerKind::Lead,
                owner_type: OwnerType::User,
                email: Some(email(who)),
                external_id: None,
            };
            Operation::AssignContact {
                contact: ContactId::new(&format!("contact-{}", rng.next() % CONTACTS)),
                via: Via::Campaign(CampaignId::new(campaign)),
                owners: if rng.chance(200) { vec![owner] } else { Vec::new() },
            }
        }
    }
}
