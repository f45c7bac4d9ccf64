//! Scenes in which many owe turns: a ring of members with many weights, debts and credits on all or most
//! of them at once, some away, some who refuse, and then contacts that have to find somebody.
//!
//! Owns these scenes only. They are made of ordinary commands over ids that other steps know as well, so
//! that whatever else happens may come between and after.

use proptest::{collection::vec, option, prelude::*, sample::select, sample::subsequence};
use turnwise::routing::{
    Assign, AssignmentId, CampaignId, ContactId, GroupId, GroupKind, GroupSettings, Labels,
    MemberName, MemberSpec, Operation, OptionId, RepChange, RepId, Route, Target, TargetKind, Via,
};

use super::{SECOND, Wish, one_in, plain, text};

/// A ring made anew, a debt for most of its members, and what is asked of it then.
pub(super) fn scene() -> impl Strategy<Value = Vec<Wish>> {
    let operations = prop_oneof![3 => of_reps().boxed(), 1 => of_options().boxed()];
    (operations, one_in(4)).prop_map(|(operations, in_one_entry)| {
        let wishes = operations.into_iter().map(plain);
        let together = |n| in_one_entry && n > 0;
        wishes.enumerate().map(|(n, wish)| wish.in_entry_of_before(together(n), false)).collect()
    })
}

/// Of many values; mostly with a divisor in common, so that few rounds come of them.
fn weights(count: usize) -> impl Strategy<Value = Vec<u32>> {
    let times = |divisor: u32, most: u32| vec((1..=most).prop_map(move |n| n * divisor), count);
    prop_oneof![
        3 => times(1, 20),
        3 => times(50, 20),
        2 => times(10, 100),
        2 => times(125, 8),
        1 => times(1, 1_000),
    ]
}

/// What so many members owe, or are owed.
fn balances(count: usize) -> impl Strategy<Value = Vec<i32>> {
    let mixed = prop_oneof![
        6 => -100..=-1,
        1 => Just(0),
        2 => 1..=2,
        1 => 1..=100,
    ];
    let all = prop_oneof![
        3 => vec(-100..=-1, count),
        2 => vec(-4..=-1, count),
        2 => vec(mixed, count),
        1 => (-100..=-1).prop_map(move |debt| vec![debt; count]),
    ];
    (all, option::weighted(0.4, 0..count)).prop_map(|(mut all, but)| {
        if let Some(but) = but {
            all[but] = 0;
        }
        all
    })
}

fn specs(members: Vec<MemberName>, weights: Vec<u32>) -> Vec<MemberSpec> {
    let with = |(member, weight)| MemberSpec { member, payload: String::new(), weight };
    members.into_iter().zip(weights).map(with).collect()
}

/// Made anew, whatever it was before.
fn renew(group: &GroupId, kind: GroupKind, members: Vec<MemberSpec>) -> [Operation; 2] {
    let settings = GroupSettings { kind, ..GroupSettings::default() };
    [
        Operation::DeleteGroup { group: group.clone(), allow_missing: true },
        Operation::CreateGroup { group: group.clone(), settings, members },
    ]
}

fn adjust(
    group: &GroupId,
    campaign: Option<&CampaignId>,
    members: Vec<MemberName>,
    balances: Vec<i32>,
) -> impl Iterator<Item = Operation> {
    let (group, campaign) = (group.clone(), campaign.cloned());
    members.into_iter().zip(balances).map(move |(member, credits)| Operation::AdjustRotation {
        group: group.clone(),
        campaign: campaign.clone(),
        member,
        credits,
        reason: String::new(),
    })
}

fn contacts(via: &Via, most: usize) -> impl Strategy<Value = Vec<Operation>> + use<> {
    let via = via.clone();
    let contact = text("y", 300).prop_map(move |id| {
        Operation::AssignContact(Assign::new(ContactId::new(&id), via.clone()))
    });
    vec(contact, 1..=most)
}

fn of_reps() -> impl Strategy<Value = Vec<Operation>> {
    let all: Vec<RepId> = (0..7).map(|n| RepId::new(&format!("r{n}"))).collect();
    let reps = subsequence(all, 2..=7).prop_shuffle();
    reps.prop_flat_map(|reps| {
        let (count, via) = (reps.len(), Via::Campaign(CampaignId::new("c4")));
        let away = subsequence(reps.clone(), 0..=count / 2);
        let limited = subsequence(reps.clone(), 0..=1);
        let with_offers = prop_oneof![Just(0), Just(30 * SECOND), Just(600 * SECOND)];
        let people = (Just(reps), weights(count), balances(count), away, limited);
        let asked = (contacts(&via, 5), vec(0..60_u64, 0..4), contacts(&via, 4));
        (people, with_offers, asked, select(vec![0, 600 * SECOND]))
    })
    .prop_map(|(people, accept_timeout_us, (first, refused, then), wait_us)| {
        let (reps, weights, balances, away, limited) = people;
        let (group, campaign) = (GroupId::new("w0"), CampaignId::new("c4"));
        let members: Vec<_> = reps.into_iter().map(MemberName::Rep).collect();
        let target = Target::new(TargetKind::Group(group.clone()));
        let route = Route::Targets(vec![Target { accept_timeout_us, wait_us, ..target }]);
        let mut all = vec![
            Operation::CancelCampaign { campaign: campaign.clone() },
            Operation::DeleteCampaign { campaign: campaign.clone(), allow_missing: true },
        ];
        all.extend(renew(&group, GroupKind::Reps, specs(members.clone(), weights)));
        all.push(Operation::CreateCampaign {
            campaign: campaign.clone(),
            display_name: String::new(),
            labels: Labels::new(),
            route,
        });
        all.push(Operation::LaunchCampaign { campaign: campaign.clone() });
        all.extend(adjust(&group, Some(&campaign), members, balances));
        all.extend(away.iter().map(|rep| Operation::SetOutOfOffice {
            rep: rep.clone(),
            start: None,
            end: None,
            note: String::new(),
        }));
        all.extend(limited.into_iter().map(|rep| Operation::UpdateRep {
            rep,
            change: RepChange { max_open: Some(1), ..RepChange::default() },
        }));
        all.extend(first);
        all.extend(refused.into_iter().map(|log_index| {
            let assignment = AssignmentId { log_index, seq: 0, item: 1 };
            Operation::RejectAssignment { assignment, rep: None }
        }));
        all.extend(away.into_iter().map(|rep| Operation::ClearOutOfOffice {
            rep,
            start: None,
            end: None,
        }));
        all.extend(then);
        all
    })
}

fn of_options() -> impl Strategy<Value = Vec<Operation>> {
    (2..=16_usize)
        .prop_flat_map(|count| {
            let via = Via::Group(GroupId::new("o3"));
            (weights(count), balances(count), contacts(&via, 6))
        })
        .prop_map(|(weights, balances, contacts)| {
            let group = GroupId::new("o3");
            let member = |n| MemberName::Option(OptionId::new(&format!("{n}")));
            let members: Vec<_> = (0..weights.len()).map(member).collect();
            let specs = specs(members.clone(), weights);
            let mut all = renew(&group, GroupKind::Options, specs).to_vec();
            all.extend(adjust(&group, None, members, balances));
            all.extend(contacts);
            all
        })
}
