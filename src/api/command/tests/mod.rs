//! Every class of bad input that a single request can hold, by reason and field.

use crate::{
    api::violations::Violations,
    proto::turnwise::v1::{self as pb, ErrorReason, OwnerKind, group_member, target},
    routing::{Operation, OwnerKind as Kind, Principal, Route, TargetKind, Time, Via},
};

use super::{Call, Checked, command};

mod new;

/// Half past ten on a Monday, so that working hours are about to matter.
const NOW: Time = Time(1_774_261_800_000_000);

fn read(call: &Call) -> Result<Checked, Violations> {
    command(call, &Principal::default(), NOW)
}

/// The reason, and the fields in the order found.
fn wrong(call: &Call) -> (ErrorReason, Vec<String>) {
    let violations = read(call).expect_err("the call is wrong");
    let fields = violations.as_slice().iter().map(|v| v.field.clone()).collect();
    (violations.reason(), fields)
}

fn check(call: Call, reason: ErrorReason, fields: &[&str]) {
    assert_eq!(wrong(&call), (reason, fields.iter().map(|f| (*f).to_owned()).collect()));
}

fn operation(call: &Call) -> Operation {
    read(call).expect("the call is right").command.operation
}

fn assign() -> pb::AssignContactRequest {
    pb::AssignContactRequest {
        parent: "teams/t".to_owned(),
        contact: "c-1".to_owned(),
        ..Default::default()
    }
}

fn owner(kind: OwnerKind, email: &str) -> pb::OwnerRef {
    pb::OwnerRef { kind: kind.into(), email: email.to_owned(), ..Default::default() }
}

fn member(rep: &str, weight: Option<u32>) -> pb::GroupMember {
    let member = Some(group_member::Member::Rep(format!("teams/t/reps/{rep}")));
    pb::GroupMember { member, weight, ..Default::default() }
}

fn group(members: Vec<pb::GroupMember>) -> Call {
    Call::CreateGroup(pb::CreateGroupRequest {
        parent: "teams/t".to_owned(),
        group_id: "g".to_owned(),
        group: Some(pb::Group { members, ..Default::default() }),
        ..Default::default()
    })
}

fn rep(rep: pb::Rep) -> Call {
    Call::CreateRep(pb::CreateRepRequest {
        parent: "teams/t".to_owned(),
        rep_id: "r".to_owned(),
        rep: Some(rep),
        ..Default::default()
    })
}

fn campaign(targets: Vec<pb::Target>) -> Call {
    Call::CreateCampaign(pb::CreateCampaignRequest {
        parent: "teams/t".to_owned(),
        campaign_id: "c".to_owned(),
        campaign: Some(pb::Campaign {
            targets: Some(pb::TargetList { targets }),
            ..Default::default()
        }),
        ..Default::default()
    })
}

fn target(kind: target::Kind) -> pb::Target {
    pb::Target { kind: Some(kind), ..Default::default() }
}

fn owner_target(kinds: &[i32]) -> pb::Target {
    target(target::Kind::Owner(pb::OwnerTarget { kinds: kinds.to_vec() }))
}

fn update(mask: Option<&[&str]>, campaign: pb::Campaign) -> Call {
    let campaign = pb::Campaign { name: "teams/t/campaigns/c".to_owned(), ..campaign };
    let paths = |paths: &[&str]| prost_types::FieldMask {
        paths: paths.iter().map(|p| (*p).to_owned()).collect(),
    };
    Call::UpdateCampaign(pb::UpdateCampaignRequest {
        campaign: Some(campaign),
        update_mask: mask.map(paths),
        ..Default::default()
    })
}

const FIELD: ErrorReason = ErrorReason::InvalidField;

#[test]
fn every_wrong_field_is_named_not_only_the_first() {
    let call = Call::AssignContact(pb::AssignContactRequest {
        parent: "teams/a b".to_owned(),
        contact: String::new(),
        via: Some(pb::assign_contact_request::Via::Campaign("x".to_owned())),
        owners: vec![owner(OwnerKind::Unspecified, "")],
        request_id: "x".repeat(129),
        ..assign()
    });
    check(call, FIELD, &["parent", "contact", "campaign", "owners[0].kind", "request_id"]);
}

#[test]
fn an_id_with_a_space_is_refused_wherever_an_id_is_new() {
    let parent = "teams/t".to_owned();
    let spaced = || "a b".to_owned();
    let team = pb::CreateTeamRequest { team_id: spaced(), ..Default::default() };
    check(Call::CreateTeam(team), FIELD, &["team_id"]);
    let rep =
        pb::CreateRepRequest { parent: parent.clone(), rep_id: spaced(), ..Default::default() };
    check(Call::CreateRep(rep), FIELD, &["rep_id"]);
    let group = pb::CreateGroupRequest {
        parent: parent.clone(),
        group_id: spaced(),
        group: Some(pb::Group { members: vec![member("a", None)], ..Default::default() }),
        ..Default::default()
    };
    check(Call::CreateGroup(group), FIELD, &["group_id"]);
    let campaign =
        pb::CreateCampaignRequest { parent, campaign_id: spaced(), ..Default::default() };
    check(Call::CreateCampaign(campaign), FIELD, &["campaign_id"]);
    check(
        Call::AssignContact(pb::AssignContactRequest { contact: spaced(), ..assign() }),
        FIELD,
        &["contact"],
    );
}

#[test]
fn a_campaign_called_dash_would_hide_the_rotation_without_campaign() {
    let call = pb::CreateCampaignRequest {
        parent: "teams/t".to_owned(),
        campaign_id: "-".to_owned(),
        ..Default::default()
    };
    check(Call::CreateCampaign(call), FIELD, &["campaign_id"]);
}

#[test]
fn s0_15_an_empty_group_is_refused() {
    check(group(vec![]), ErrorReason::GroupTooSmall, &["group.members"]);
    let none =
        pb::AddGroupMemberRequest { name: "teams/t/groups/g".to_owned(), ..Default::default() };
    check(Call::AddGroupMember(none), FIELD, &["members"]);
}

#[test]
fn members_are_of_the_team_once_each_and_weigh_1_to_1000() {
    let members = vec![member("a", Some(1)), member("b", Some(1_000)), member("c", None)];
    let Operation::CreateGroup { members, .. } = operation(&group(members)) else { panic!() };
    assert_eq!(members.iter().map(|m| m.weight).collect::<Vec<_>>(), [1, 1_000, 1]);

    check(group(vec![member("a", Some(0))]), FIELD, &["group.members[0].weight"]);
    check(group(vec![member("a", Some(1_001))]), FIELD, &["group.members[0].weight"]);
    check(group(vec![member("a", None), member("a", None)]), FIELD, &["group.members[1].rep"]);
    let other = group_member::Member::Rep("teams/u/reps/a".to_owned());
    let other = pb::GroupMember { member: Some(other), ..Default::default() };
    check(group(vec![other]), FIELD, &["group.members[0].rep"]);
}

#[test]
fn one_call_names_up_to_1000_members() {
    let of = |n: u32| (0..n).map(|i| member(&i.to_string(), None)).collect();
    assert!(read(&group(of(1_000))).is_ok());
    check(group(of(1_001)), FIELD, &["group.members"]);
}

#[test]
fn a_thousand_wrong_fields_give_a_bounded_answer() {
    let call = group((0..1_000).map(|_| member("a b", Some(0))).collect());
    assert_eq!(wrong(&call).1.len(), 16);
}

#[test]
fn s1_a_reps_email_is_kept_in_one_form_and_refused_when_it_is_none() {
    let email = |text: &str| rep(pb::Rep { email: text.to_owned(), ..Default::default() });
    let Operation::CreateRep { settings, .. } = operation(&email(" Ann@Example.COM ")) else {
        panic!()
    };
    assert_eq!(settings.email.as_deref(), Some("ann@example.com"));
    check(email("ann"), FIELD, &["rep.email"]);
}

#[test]
fn s1_a_rep_has_up_to_16_external_ids() {
    let of = |n: u32| {
        let external_ids = (0..n).map(|i| (format!("s{i}"), "u".to_owned())).collect();
        rep(pb::Rep { external_ids, ..Default::default() })
    };
    assert!(read(&of(16)).is_ok());
    check(of(17), FIELD, &["rep.external_ids"]);
    let one = |system: &str, user: &str| {
        let external_ids = [(system.to_owned(), user.to_owned())].into();
        rep(pb::Rep { external_ids, ..Default::default() })
    };
    check(one("a b", "u"), FIELD, &["rep.external_ids"]);
    check(one("s", ""), FIELD, &["rep.external_ids[s]"]);
}

#[test]
fn s0_17_a_window_that_ends_before_it_starts_is_refused() {
    let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    let set = |start_time, end_time| {
        Call::SetOutOfOffice(pb::SetOutOfOfficeRequest {
            name: "teams/t/reps/r".to_owned(),
            start_time,
            end_time,
            ..Default::default()
        })
    };
    let clear = |start_time, end_time| {
        Call::ClearOutOfOffice(pb::ClearOutOfOfficeRequest {
            name: "teams/t/reps/r".to_owned(),
            start_time,
            end_time,
            ..Default::default()
        })
    };
    assert!(read(&set(at(5), at(6))).is_ok());
    assert!(read(&set(None, None)).is_ok());
    for call in [set(at(5), at(5)), set(at(6), at(5)), clear(at(6), at(5))] {
        check(call, ErrorReason::EmptyWindow, &["end_time"]);
    }
    check(set(at(-1), None), FIELD, &["start_time"]);
}

#[test]
fn s1_11_owners_are_at_most_one_of_each_kind() {
    let of = |owners| Call::AssignContact(pb::AssignContactRequest { owners, ..assign() });
    let two = vec![owner(OwnerKind::Lead, "a@x"), owner(OwnerKind::Lead, "b@x")];
    check(of(two), FIELD, &["owners[1].kind"]);
    check(of(vec![owner(OwnerKind::Lead, "")]), FIELD, &["owners[0]"]);
    check(of(vec![pb::OwnerRef { kind: 99, ..Default::default() }]), FIELD, &["owners[0].kind"]);
    let typed = pb::OwnerRef { r#type: 99, ..owner(OwnerKind::Lead, "a@x") };
    check(of(vec![typed]), FIELD, &["owners[0].type"]);
    let external =
        pb::OwnerRef { external_id: Some(pb::ExternalId::default()), ..owner(OwnerKind::Lead, "") };
    check(of(vec![external]), FIELD, &["owners[0].external_id.system", "owners[0].external_id.id"]);
}

#[test]
fn s1_7_a_queue_needs_neither_email_nor_id() {
    let queue = pb::OwnerRef {
        kind: OwnerKind::Lead.into(),
        r#type: pb::OwnerType::Queue.into(),
        ..Default::default()
    };
    let call = pb::AssignContactRequest { owners: vec![queue], ..assign() };
    assert!(read(&Call::AssignContact(call)).is_ok());
}

#[test]
fn s0_5_a_contact_without_campaign_goes_by_the_default_rule() {
    let Operation::AssignContact(assign) = operation(&Call::AssignContact(assign())) else {
        panic!()
    };
    assert_eq!(assign.via, Via::DefaultRule);
}

#[test]
fn a_campaign_has_up_to_16_targets_of_its_team() {
    let group = |name: &str| target(target::Kind::Group(name.to_owned()));
    let of = |n: usize| campaign(vec![group("teams/t/groups/g"); n]);
    assert!(read(&of(0)).is_ok() && read(&of(16)).is_ok());
    check(of(17), FIELD, &["campaign.targets.targets"]);
    check(campaign(vec![group("teams/u/groups/g")]), FIELD, &["campaign.targets.targets[0].group"]);
    check(campaign(vec![pb::Target::default()]), FIELD, &["campaign.targets.targets[0]"]);
    check(
        campaign(vec![target(target::Kind::Rep("teams/t/reps/".to_owned()))]),
        FIELD,
        &["campaign.targets.targets[0].rep"],
    );
}

#[test]
fn s1_11_owner_kinds_are_contact_lead_account_unless_named() {
    let kinds = |kinds: &[i32]| {
        let Operation::CreateCampaign { route: Route::Targets(targets), .. } =
            operation(&campaign(vec![owner_target(kinds)]))
        else {
            panic!()
        };
        let TargetKind::Owner(kinds) = targets[0].kind.clone() else { panic!() };
        kinds
    };
    assert_eq!(kinds(&[]), [Kind::Contact, Kind::Lead, Kind::Account]);
    assert_eq!(kinds(&[4, 1]), [Kind::Opportunity, Kind::Contact]);
    let at = "campaign.targets.targets[0].owner.kinds";
    check(campaign(vec![owner_target(&[1, 1, 1])]), FIELD, &[&format!("{at}[1]")]);
    check(campaign(vec![owner_target(&[0])]), FIELD, &[&format!("{at}[0]")]);
    check(campaign(vec![owner_target(&[7])]), FIELD, &[&format!("{at}[0]")]);
}

#[test]
fn s0_29_an_update_changes_what_the_mask_names() {
    let changed = |mask: Option<&[&str]>, campaign| {
        let Operation::UpdateCampaign { route, display_name, .. } =
            operation(&update(mask, campaign))
        else {
            panic!()
        };
        (route, display_name)
    };
    let named = || pb::Campaign { display_name: "n".to_owned(), ..Default::default() };
    let empty = || Some(pb::TargetList::default());
    let both = || pb::Campaign { targets: empty(), ..named() };
    let name = Some("n".to_owned());

    assert_eq!(changed(Some(&["display_name"]), both()), (None, name.clone()));
    assert_eq!(changed(Some(&["targets"]), both()), (Some(Route::Targets(vec![])), None));
    // Named in the mask and unset: back to the default.
    assert_eq!(changed(Some(&["targets"]), named()), (Some(Route::Default), None));
    assert_eq!(changed(Some(&["*"]), both()), (Some(Route::Targets(vec![])), name.clone()));
    // Without a mask, what is set.
    assert_eq!(changed(None, named()), (None, name.clone()));
    assert_eq!(changed(None, both()), (Some(Route::Targets(vec![])), name));

    check(update(None, pb::Campaign::default()), FIELD, &["update_mask"]);
    check(update(Some(&["state"]), named()), FIELD, &["update_mask"]);
}

#[test]
fn a_violation_never_repeats_what_was_sent() {
    let secret = "ann secret@example.com";
    let call = Call::AssignContact(pb::AssignContactRequest {
        contact: secret.to_owned(),
        owners: vec![owner(OwnerKind::Lead, secret)],
        ..assign()
    });
    let violations = read(&call).expect_err("both are wrong");
    assert_eq!(violations.as_slice().len(), 2);
    let status = crate::api::status::invalid(&violations);
    let text = format!("{status:?}{:?}", status.details());
    assert!(!text.contains("secret"), "{text}");
    assert!(!String::from_utf8_lossy(status.details()).contains("secret"));
}
