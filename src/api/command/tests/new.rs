//! The same for what the whole model adds: masks, etags, settings, options, hours, life, batches,
//! previews.

use prost_types::{Duration, FieldMask};

use crate::{
    proto::turnwise::v1::{
        assign_contact_request, campaign_retarget, hypothetical_change,
        reassign_assignment_request, remove_group_member_request,
    },
    routing::{
        AssignmentId, CursorScope, GroupKind, MemberName, OpenAssignments, OptionId, PeriodCap,
        RepId, RestartPolicy, Revision, Strategy,
    },
};

use super::{super::preview, *};

fn seconds(seconds: i64) -> Option<Duration> {
    Some(Duration { seconds, nanos: 0 })
}

fn paths(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask { paths: paths.iter().map(|p| (*p).to_owned()).collect() })
}

fn option(id: &str, payload: &str) -> pb::GroupMember {
    let option = pb::GroupOption { id: id.to_owned(), payload: payload.to_owned() };
    let member = Some(group_member::Member::Option(option));
    pb::GroupMember { member, ..Default::default() }
}

fn group_of(group: pb::Group) -> Call {
    Call::CreateGroup(pb::CreateGroupRequest {
        parent: "teams/t".to_owned(),
        group_id: "g".to_owned(),
        group: Some(group),
        ..Default::default()
    })
}

fn options(members: Vec<pb::GroupMember>) -> Call {
    group_of(pb::Group { kind: pb::GroupKind::Options.into(), members, ..Default::default() })
}

fn update_rep(rep: pb::Rep, mask: Option<FieldMask>) -> Call {
    let rep = pb::Rep { name: "teams/t/reps/r".to_owned(), ..rep };
    Call::UpdateRep(pb::UpdateRepRequest {
        rep: Some(rep),
        update_mask: mask,
        ..Default::default()
    })
}

fn update_group(group: pb::Group, mask: Option<FieldMask>) -> Call {
    let group = pb::Group { name: "teams/t/groups/g".to_owned(), ..group };
    Call::UpdateGroup(pb::UpdateGroupRequest {
        group: Some(group),
        update_mask: mask,
        ..Default::default()
    })
}

fn span(day_of_week: i32, start_minute: u32, end_minute: u32) -> pb::WorkingSpan {
    pb::WorkingSpan { day_of_week, start_minute, end_minute }
}

fn hours(weekly: Vec<pb::WorkingSpan>, holidays: &[&str]) -> pb::Rep {
    let holidays = holidays.iter().map(|h| (*h).to_owned()).collect();
    let working_hours = pb::WorkingHours { time_zone: "UTC".to_owned(), weekly, holidays };
    pb::Rep { working_hours: Some(working_hours), ..Default::default() }
}

#[test]
fn an_etag_and_a_dry_run_are_read_of_every_call_that_has_them() {
    let read = read(&Call::DeleteRep(pb::DeleteRepRequest {
        name: "teams/t/reps/r".to_owned(),
        etag: "7-3".to_owned(),
        validate_only: true,
        allow_missing: true,
        open_assignments: pb::OpenAssignments::Reroute.into(),
        ..Default::default()
    }));
    let Checked { command, validate_only } = read.unwrap();
    assert!(validate_only);
    assert_eq!(command.etag, Some(Revision { log_index: 7, seq: 3 }));
    let (rep, open) = (RepId::new("r"), OpenAssignments::Reroute);
    assert_eq!(command.operation, Operation::DeleteRep { rep, open, allow_missing: true });

    let call = pb::DeleteTeamRequest {
        name: "teams/t".to_owned(),
        etag: "yesterday".to_owned(),
        ..Default::default()
    };
    check(Call::DeleteTeam(call), FIELD, &["etag"]);
}

#[test]
fn labels_are_bounded_in_number_and_length() {
    let of = |n: usize| {
        let labels = (0..n).map(|i| (format!("k{i}"), "v".repeat(256))).collect();
        rep(pb::Rep { labels, ..Default::default() })
    };
    assert!(read(&of(32)).is_ok());
    check(of(33), FIELD, &["rep.labels"]);
    let one = |key: &str, value: String| {
        rep(pb::Rep { labels: [(key.to_owned(), value)].into(), ..Default::default() })
    };
    check(one("a b", String::new()), FIELD, &["rep.labels"]);
    check(one("k", "v".repeat(257)), FIELD, &["rep.labels[k]"]);
}

#[test]
fn s1_5_a_routing_queue_is_no_rep() {
    let of = |r#type| {
        Call::CreateRep(pb::CreateRepRequest {
            parent: "teams/t".to_owned(),
            rep_id: "r".to_owned(),
            r#type,
            ..Default::default()
        })
    };
    assert!(read(&of(pb::OwnerType::User.into())).is_ok());
    check(of(pb::OwnerType::Queue.into()), ErrorReason::RepIsQueue, &["type"]);
    check(of(9), FIELD, &["type"]);
}

#[test]
fn an_update_of_a_rep_changes_what_the_mask_names() {
    let change = |rep, mask| {
        let Operation::UpdateRep { change, .. } = operation(&update_rep(rep, mask)) else {
            panic!()
        };
        change
    };
    let off = change(pb::Rep::default(), paths(&["disabled", "max_open", "email"]));
    assert_eq!((off.disabled, off.max_open, off.email), (Some(false), Some(0), Some(None)));
    assert_eq!((off.labels, off.hours, off.display_name), (None, None, None));
    let set = change(pb::Rep { max_open: 40, ..Default::default() }, None);
    assert_eq!((set.max_open, set.disabled), (Some(40), None));
    assert_eq!(change(pb::Rep::default(), paths(&["working_hours"])).hours, Some(None));

    check(update_rep(pb::Rep::default(), None), FIELD, &["update_mask"]);
    check(update_rep(pb::Rep::default(), paths(&["open_count"])), FIELD, &["update_mask"]);
    let over = pb::Rep { max_open: 1_000_001, ..Default::default() };
    check(update_rep(over, None), FIELD, &["rep.max_open"]);
}

#[test]
fn working_hours_are_within_a_day_of_a_known_zone() {
    let Operation::CreateRep { settings, .. } =
        operation(&rep(hours(vec![span(1, 0, 1_440)], &["2026-12-24", "2026-01-01"])))
    else {
        panic!()
    };
    let read = settings.hours.unwrap();
    assert_eq!(read.holidays, ["2026-01-01", "2026-12-24"]);
    assert!(!read.are_over(NOW), "it is Monday");
    assert!(read.are_over(Time(NOW.0 + 24 * 3_600_000_000)));

    let at = "rep.working_hours";
    for (wrong, field) in [
        (span(0, 0, 1), "weekly[0].day_of_week"),
        (span(8, 0, 1), "weekly[0].day_of_week"),
        (span(1, 1_440, 1_441), "weekly[0].start_minute"),
        (span(1, 60, 60), "weekly[0].end_minute"),
    ] {
        let (_, fields) = super::wrong(&rep(hours(vec![wrong], &[])));
        assert_eq!(fields[0], format!("{at}.{field}"));
    }
    check(rep(hours(vec![span(1, 0, 1); 71], &[])), FIELD, &[&format!("{at}.weekly")]);
    assert!(super::read(&rep(hours(vec![span(1, 0, 1); 70], &[]))).is_ok());
    check(rep(hours(vec![], &["2026-02-30"])), FIELD, &[&format!("{at}.holidays[0]")]);
    let days = vec!["2026-02-03"; 401];
    check(rep(hours(vec![], &days)), FIELD, &[&format!("{at}.holidays")]);
    assert!(super::read(&rep(hours(vec![], &days[..400]))).is_ok());
    let mars = pb::WorkingHours { time_zone: "Mars/Olympus".to_owned(), ..Default::default() };
    let mars = pb::Rep { working_hours: Some(mars), ..Default::default() };
    check(rep(mars), FIELD, &[&format!("{at}.time_zone")]);
}

#[test]
fn s2_6_presence_lives_from_1_second_to_24_hours() {
    let of = |state: pb::PresenceState, ttl| {
        Call::SetPresence(pb::SetPresenceRequest {
            name: "teams/t/reps/r".to_owned(),
            state: state.into(),
            ttl,
            ..Default::default()
        })
    };
    use pb::PresenceState::{Offline, Online, Unspecified};
    assert!(read(&of(Online, seconds(1))).is_ok() && read(&of(Online, seconds(86_400))).is_ok());
    assert!(read(&of(Offline, None)).is_ok());
    for ttl in [None, seconds(0), seconds(86_401), seconds(-1)] {
        check(of(Online, ttl), FIELD, &["ttl"]);
    }
    check(of(Offline, seconds(1)), FIELD, &["ttl"]);
    check(of(Unspecified, None), FIELD, &["state"]);
}

#[test]
fn s3_4_a_group_of_options_is_created_with_2_to_100() {
    let of = |n: usize| options((0..n).map(|i| option(&i.to_string(), "")).collect());
    assert!(read(&of(2)).is_ok() && read(&of(100)).is_ok());
    check(of(1), ErrorReason::GroupTooSmall, &["group.members"]);
    check(of(101), ErrorReason::GroupTooLarge, &["group.members"]);
    let twice = options(vec![option("a", ""), option("a", "")]);
    check(twice, FIELD, &["group.members[1].option"]);
    check(
        options(vec![option("a", ""), option("b c", "")]),
        FIELD,
        &["group.members[1].option.id"],
    );
}

#[test]
fn s3_2_a_payload_has_up_to_4_kib() {
    let of = |n: usize| options(vec![option("a", &"x".repeat(n)), option("b", "")]);
    assert!(read(&of(4_096)).is_ok());
    check(of(4_097), FIELD, &["group.members[0].option.payload"]);
}

#[test]
fn the_settings_of_a_group_are_read_and_bounded() {
    let written = pb::Group {
        strategy: pb::Strategy::LeastOpen.into(),
        require_online: true,
        cursor_scope: pb::CursorScope::Group.into(),
        restart_policy: Some(pb::RestartPolicy {
            idle_period: seconds(60),
            on_member_change: true,
        }),
        period_cap: Some(pb::PeriodCap { count: 3, period: seconds(3_600) }),
        ..Default::default()
    };
    let created = pb::Group { members: vec![member("a", None)], ..written.clone() };
    let Operation::CreateGroup { settings, .. } = operation(&group_of(created)) else { panic!() };
    assert_eq!((settings.kind, settings.strategy), (GroupKind::Reps, Strategy::LeastOpen));
    assert_eq!((settings.require_online, settings.cursor_scope), (true, CursorScope::Group));
    let restart = RestartPolicy { idle_period_us: 60_000_000, on_member_change: true };
    assert_eq!(settings.restart, Some(restart));
    let cap = PeriodCap { count: 3, period_us: 3_600_000_000 };
    assert_eq!(settings.period_cap, Some(cap));

    let Operation::UpdateGroup { change, .. } = operation(&update_group(written, None)) else {
        panic!()
    };
    assert_eq!((change.restart, change.period_cap), (Some(Some(restart)), Some(Some(cap))));
    let back = paths(&["restart_policy", "period_cap", "strategy"]);
    let Operation::UpdateGroup { change, .. } =
        operation(&update_group(pb::Group::default(), back))
    else {
        panic!()
    };
    assert_eq!((change.restart, change.period_cap), (Some(None), Some(None)));
    assert_eq!((change.strategy, change.require_online), (Some(Strategy::RoundRobin), None));

    let idle = |idle_period| pb::Group {
        restart_policy: Some(pb::RestartPolicy { idle_period, on_member_change: false }),
        ..Default::default()
    };
    assert!(read(&update_group(idle(seconds(3_650 * 86_400)), None)).is_ok());
    for wrong in [seconds(0), seconds(3_650 * 86_400 + 1)] {
        let field = "group.restart_policy.idle_period";
        check(update_group(idle(wrong), None), FIELD, &[field]);
    }
    let cap = |count, period| pb::Group {
        period_cap: Some(pb::PeriodCap { count, period }),
        ..Default::default()
    };
    assert!(read(&update_group(cap(1_000_000, seconds(366 * 86_400)), None)).is_ok());
    check(update_group(cap(0, seconds(1)), None), FIELD, &["group.period_cap.count"]);
    check(update_group(cap(1_000_001, seconds(1)), None), FIELD, &["group.period_cap.count"]);
    check(update_group(cap(1, None), None), FIELD, &["group.period_cap.period"]);
    check(
        update_group(cap(1, seconds(366 * 86_400 + 1)), None),
        FIELD,
        &["group.period_cap.period"],
    );
}

#[test]
fn an_update_of_a_group_never_takes_members_or_a_kind() {
    let group = || pb::Group { members: vec![member("a", None)], ..Default::default() };
    let named = pb::Group { display_name: "n".to_owned(), ..group() };
    check(update_group(named, None), FIELD, &["group.members"]);
    check(update_group(group(), paths(&["members"])), FIELD, &["update_mask"]);
    check(update_group(group(), paths(&["kind"])), FIELD, &["update_mask"]);
}

#[test]
fn a_member_is_removed_updated_ordered_and_adjusted_by_its_name() {
    use remove_group_member_request::Member as Removed;
    let name = || "teams/t/groups/g".to_owned();
    let remove = |member| {
        Call::RemoveGroupMember(pb::RemoveGroupMemberRequest {
            name: name(),
            member,
            ..Default::default()
        })
    };
    let Operation::RemoveGroupMember { member, .. } =
        operation(&remove(Some(Removed::Option("o".to_owned()))))
    else {
        panic!()
    };
    assert_eq!(member, MemberName::Option(OptionId::new("o")));
    check(remove(None), FIELD, &["member"]);
    check(remove(Some(Removed::Rep("teams/u/reps/a".to_owned()))), FIELD, &["rep"]);
    check(remove(Some(Removed::Group("g".to_owned()))), FIELD, &["group"]);

    let update = |member, mask| {
        Call::UpdateGroupMember(pb::UpdateGroupMemberRequest {
            name: name(),
            member: Some(member),
            update_mask: mask,
            ..Default::default()
        })
    };
    let Operation::UpdateGroupMember { weight, payload, .. } =
        operation(&update(option("o", ""), paths(&["option.payload"])))
    else {
        panic!()
    };
    assert_eq!((weight, payload), (None, Some(String::new())));
    check(update(member_of("a", 0), None), FIELD, &["member.weight"]);
    check(update(option("o", ""), None), FIELD, &["update_mask"]);

    let reorder = |members: &[&str]| {
        Call::ReorderGroup(pb::ReorderGroupRequest {
            name: name(),
            members: members.iter().map(|m| (*m).to_owned()).collect(),
            ..Default::default()
        })
    };
    let Operation::ReorderGroup { members, .. } = operation(&reorder(&["teams/t/reps/a", "o"]))
    else {
        panic!()
    };
    let expected = [MemberName::Rep(RepId::new("a")), MemberName::Option(OptionId::new("o"))];
    assert_eq!(members, expected);
    check(reorder(&["o", "teams/u/reps/a"]), FIELD, &["members[1]"]);

    let adjust = |credits| {
        Call::AdjustRotation(pb::AdjustRotationRequest {
            name: "teams/t/groups/g/rotations/-".to_owned(),
            member: "o".to_owned(),
            credits,
            ..Default::default()
        })
    };
    assert!(read(&adjust(100)).is_ok() && read(&adjust(-100)).is_ok());
    check(adjust(101), FIELD, &["credits"]);
    check(adjust(-101), FIELD, &["credits"]);
}

fn member_of(rep: &str, weight: u32) -> pb::GroupMember {
    member(rep, Some(weight))
}

#[test]
fn s2_6_waits_and_offers_have_bounds() {
    let of = |wait, accept_timeout| {
        let group = target::Kind::Group("teams/t/groups/g".to_owned());
        campaign(vec![pb::Target { wait, accept_timeout, ..target(group) }])
    };
    let week = 7 * 86_400;
    assert!(read(&of(seconds(0), None)).is_ok());
    assert!(read(&of(seconds(week), seconds(week))).is_ok());
    let at = "campaign.targets.targets[0]";
    check(of(seconds(week + 1), None), FIELD, &[&format!("{at}.wait")]);
    check(of(seconds(-1), None), FIELD, &[&format!("{at}.wait")]);
    check(of(None, seconds(0)), FIELD, &[&format!("{at}.accept_timeout")]);
    check(of(None, seconds(week + 1)), FIELD, &[&format!("{at}.accept_timeout")]);
}

#[test]
fn s4_2_a_rule_has_a_name_and_up_to_16_targets() {
    let of = |display_name: &str, n: usize| {
        let group = || target(target::Kind::Group("teams/t/groups/g".to_owned()));
        Call::CreateRoutingRule(pb::CreateRoutingRuleRequest {
            parent: "teams/t".to_owned(),
            routing_rule_id: "r".to_owned(),
            routing_rule: Some(pb::RoutingRule {
                display_name: display_name.to_owned(),
                targets: (0..n).map(|_| group()).collect(),
                ..Default::default()
            }),
            ..Default::default()
        })
    };
    assert!(read(&of("Inbound", 0)).is_ok() && read(&of("Inbound", 16)).is_ok());
    check(of("", 1), FIELD, &["routing_rule.display_name"]);
    check(of("Inbound", 17), FIELD, &["routing_rule.targets"]);
}

#[test]
fn a_campaign_goes_by_a_rule_or_by_targets_not_by_both() {
    let rule = || "teams/t/routingRules/r".to_owned();
    let targets = || Some(pb::TargetList::default());
    let both = pb::Campaign { routing_rule: rule(), targets: targets(), ..Default::default() };
    check(update(None, both.clone()), FIELD, &["campaign.routing_rule"]);
    let route = |mask: &[&str], campaign| {
        let Operation::UpdateCampaign { route, .. } = operation(&update(Some(mask), campaign))
        else {
            panic!()
        };
        route
    };
    // What the mask leaves out does not count.
    assert_eq!(route(&["targets"], both.clone()), Some(Route::Targets(vec![])));
    assert!(matches!(route(&["routing_rule"], both), Some(Route::Rule(_))));
    assert_eq!(route(&["routing_rule"], pb::Campaign::default()), Some(Route::Default));
    let other =
        pb::Campaign { routing_rule: "teams/u/routingRules/r".to_owned(), ..Default::default() };
    check(update(None, other), FIELD, &["campaign.routing_rule"]);
}

#[test]
fn a_team_is_told_apart_from_its_rules_and_zones() {
    let create = |team| {
        Call::CreateTeam(pb::CreateTeamRequest {
            team_id: "t".to_owned(),
            team: Some(team),
            ..Default::default()
        })
    };
    let zone = |zone: &str| pb::Team { time_zone: zone.to_owned(), ..Default::default() };
    assert!(read(&create(zone("Europe/Berlin"))).is_ok());
    check(create(zone("Berlin")), FIELD, &["team.time_zone"]);
    let rule = |rule: &str| pb::Team { default_rule: rule.to_owned(), ..Default::default() };
    check(create(rule("teams/t/routingRules/r")), FIELD, &["team.default_rule"]);
    let update = |team, mask| {
        let team = pb::Team { name: "teams/t".to_owned(), ..team };
        Call::UpdateTeam(pb::UpdateTeamRequest {
            team: Some(team),
            update_mask: mask,
            ..Default::default()
        })
    };
    let Operation::UpdateTeam { change } =
        operation(&update(pb::Team::default(), paths(&["default_rule"])))
    else {
        panic!()
    };
    assert_eq!(change.default_rule, Some(None));
    check(update(rule("teams/u/routingRules/r"), None), FIELD, &["team.default_rule"]);
}

#[test]
fn s2_1_the_steps_of_a_life_name_an_assignment_and_a_rep() {
    let name = || "teams/t/assignments/5-3-1".to_owned();
    let claim = |rep: &str| {
        Call::ClaimAssignment(pb::ClaimAssignmentRequest {
            name: name(),
            rep: rep.to_owned(),
            ..Default::default()
        })
    };
    let assignment = AssignmentId { log_index: 5, seq: 3, item: 1 };
    let rep = RepId::new("a");
    let claimed = operation(&claim("teams/t/reps/a"));
    assert_eq!(claimed, Operation::ClaimAssignment { assignment, rep: rep.clone() });
    check(claim(""), FIELD, &["rep"]);
    check(claim("teams/u/reps/a"), FIELD, &["rep"]);

    use reassign_assignment_request::To;
    let reassign = |to| {
        Call::ReassignAssignment(pb::ReassignAssignmentRequest {
            name: name(),
            to,
            ..Default::default()
        })
    };
    let by_rule = operation(&reassign(Some(To::ByRule(true))));
    assert_eq!(by_rule, Operation::ReassignAssignment { assignment, to: None });
    let to = operation(&reassign(Some(To::Rep("teams/t/reps/a".to_owned()))));
    assert_eq!(to, Operation::ReassignAssignment { assignment, to: Some(rep) });
    check(reassign(None), FIELD, &["to"]);
    check(reassign(Some(To::ByRule(false))), FIELD, &["by_rule"]);

    let close = |name: &str| {
        Call::CloseAssignment(pb::CloseAssignmentRequest {
            name: name.to_owned(),
            ..Default::default()
        })
    };
    assert_eq!(operation(&close(&name())), Operation::CloseAssignment { assignment });
    check(close("teams/t/assignments/5"), FIELD, &["name"]);
}

#[test]
fn a_contact_goes_by_one_way_of_its_own_team() {
    use assign_contact_request::Via as Sent;
    let of = |via| Call::AssignContact(pb::AssignContactRequest { via: Some(via), ..assign() });
    for (via, field) in [
        (Sent::RoutingRule("teams/u/routingRules/r".to_owned()), "routing_rule"),
        (Sent::Group("teams/u/groups/g".to_owned()), "group"),
        (Sent::Rep("teams/u/reps/r".to_owned()), "rep"),
    ] {
        check(of(via), FIELD, &[field]);
    }
    let Operation::AssignContact(read) = operation(&of(Sent::Rep("teams/t/reps/r".to_owned())))
    else {
        panic!()
    };
    assert_eq!(read.via, Via::Rep(RepId::new("r")));
}

#[test]
fn a_batch_has_1_to_1000_items_without_ids_of_their_own() {
    let of = |requests| {
        Call::BatchAssignContacts(pb::BatchAssignContactsRequest {
            parent: "teams/t".to_owned(),
            requests,
            ..Default::default()
        })
    };
    let item = || pb::AssignContactRequest { contact: "c".to_owned(), ..Default::default() };
    assert!(read(&of(vec![item(); 1_000])).is_ok() && read(&of(vec![assign()])).is_ok());
    check(of(vec![]), FIELD, &["requests"]);
    check(of(vec![item(); 1_001]), FIELD, &["requests"]);
    let wrong = pb::AssignContactRequest {
        parent: "teams/u".to_owned(),
        request_id: "r".to_owned(),
        validate_only: true,
        owners: vec![owner(OwnerKind::Lead, "")],
        ..Default::default()
    };
    check(
        of(vec![item(), wrong]),
        FIELD,
        &[
            "requests[1].parent",
            "requests[1].request_id",
            "requests[1].validate_only",
            "requests[1].contact",
            "requests[1].owners[0]",
        ],
    );
}

#[test]
fn a_preview_supposes_changes_as_ordinary_operations() {
    use hypothetical_change::Change;
    let of = |changes: Vec<Change>, count, request| pb::PreviewAssignContactRequest {
        request: Some(request),
        count,
        changes: changes
            .into_iter()
            .map(|change| pb::HypotheticalChange { change: Some(change) })
            .collect(),
    };
    let out = || Change::RepOutOfOffice("teams/t/reps/r".to_owned());
    let added = Change::GroupMemberAdded(pb::GroupMemberAddition {
        group: "teams/t/groups/g".to_owned(),
        member: Some(member("b", None)),
    });
    let retargeted = Change::CampaignRetargeted(pb::CampaignRetarget {
        campaign: "teams/t/campaigns/c".to_owned(),
        by: Some(campaign_retarget::By::RoutingRule("teams/t/routingRules/r".to_owned())),
    });
    let nobody = pb::AssignContactRequest { contact: String::new(), ..assign() };
    let read = preview(&of(vec![out(), added, retargeted], 0, nobody.clone())).unwrap();
    assert!(!read.is_named);
    assert_eq!(read.preview.count, 1);
    assert!(matches!(
        read.preview.changes[..],
        [
            Operation::SetOutOfOffice { .. },
            Operation::AddGroupMembers { .. },
            Operation::UpdateCampaign { route: Some(Route::Rule(_)), .. },
        ]
    ));
    assert!(preview(&of(vec![], 1_001, assign())).unwrap().preview.count == 1_000);

    let fields = |request| {
        let wrong = preview(&request).unwrap_err();
        wrong.as_slice().iter().map(|v| v.field.clone()).collect::<Vec<_>>()
    };
    let remembered = pb::AssignContactRequest { request_id: "r".to_owned(), ..nobody.clone() };
    assert_eq!(fields(of(vec![], -1, remembered)), ["request.request_id", "count"]);
    assert_eq!(fields(of(vec![out(); 101], 1, nobody.clone())), ["changes"]);
    assert!(preview(&of(vec![out(); 100], 1, nobody.clone())).is_ok());
    let other = Change::RepOutOfOffice("teams/u/reps/r".to_owned());
    assert_eq!(fields(of(vec![out(), other], 1, nobody)), ["changes[1].rep_out_of_office"]);
}
