//! What a random history starts with: a team with reps, groups of both kinds, rules and running campaigns.

use std::collections::BTreeMap;

use turnwise::routing::{
    CampaignId, GroupId, GroupKind, GroupSettings, Labels, MemberName, MemberSpec, Operation,
    OptionId, OwnerKind, RepId, RepSettings, Route, RuleId, Target, TargetKind,
};

use super::{HOUR, SECOND, new_team};

/// Commands, each to be granted.
pub(super) fn operations() -> Vec<Operation> {
    let rep = |n: u32| {
        let email = Some(format!("mail{n}"));
        let external_ids = BTreeMap::from([("crm".to_owned(), format!("ext{n}"))]);
        let settings = RepSettings { email, external_ids, ..RepSettings::default() };
        Operation::CreateRep { rep: RepId::new(&format!("r{n}")), settings }
    };
    let group = |id: &str, kind, names: &[MemberName]| {
        let spec = |member: &MemberName| MemberSpec {
            member: member.clone(),
            payload: String::new(),
            weight: 1,
        };
        let settings = GroupSettings { kind, ..GroupSettings::default() };
        let members = names.iter().map(spec).collect();
        Operation::CreateGroup { group: GroupId::new(id), settings, members }
    };
    let reps =
        |ids: &[&str]| -> Vec<_> { ids.iter().map(|id| MemberName::Rep(RepId::new(id))).collect() };
    let option = |id: &str| MemberName::Option(OptionId::new(id));
    let inner = MemberName::Group(GroupId::new("o0"));
    let to = |id: &str| Target::new(TargetKind::Group(GroupId::new(id)));
    let owner = Target::new(TargetKind::Owner(vec![OwnerKind::Contact, OwnerKind::Lead]));
    let offered = Target { wait_us: 600 * SECOND, accept_timeout_us: 60 * SECOND, ..to("g0") };
    let held = Target { require_online: true, wait_us: 6 * HOUR, ..to("g1") };
    let rule = |id: &str, targets: Vec<Target>| {
        let (rule, display_name, labels) = (RuleId::new(id), id.to_owned(), Labels::new());
        Operation::CreateRule { rule, display_name, labels, targets }
    };
    let campaign = |id: &str, route: Route| {
        let (campaign, labels) = (CampaignId::new(id), Labels::new());
        Operation::CreateCampaign { campaign, display_name: String::new(), labels, route }
    };
    let launch = |id: &str| Operation::LaunchCampaign { campaign: CampaignId::new(id) };
    let mut all = vec![new_team()];
    all.extend((0..6).map(rep));
    all.extend([
        group("g0", GroupKind::Reps, &reps(&["r0", "r1"])),
        group("g1", GroupKind::Reps, &reps(&["r1", "r2", "r3"])),
        group("o0", GroupKind::Options, &[option("0"), option("1")]),
        group("o1", GroupKind::Options, &[option("2"), inner]),
        group("g2", GroupKind::Reps, &reps(&["r4", "r5"])),
        rule("k0", vec![owner.clone(), offered.clone()]),
        rule("k1", vec![to("g2")]),
        campaign("c0", Route::Rule(RuleId::new("k0"))),
        campaign("c1", Route::Targets(vec![held, to("default")])),
        campaign("c2", Route::Targets(vec![owner, offered, to("g1")])),
        campaign("c3", Route::Targets(vec![to("o1")])),
    ]);
    all.extend(["c0", "c1", "c2", "c3"].map(launch));
    all
}
