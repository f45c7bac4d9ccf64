//! Create, get, update with mask and etag, delete: of every resource.

use tonic::Code;
use turnwise::{
    clock,
    proto::turnwise::v1::{self as pb, Availability, PresenceState},
};

use crate::nodes::{Nodes, contact, why};

fn seconds(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}

fn mask(paths: &[&str]) -> Option<prost_types::FieldMask> {
    Some(prost_types::FieldMask { paths: paths.iter().map(|p| (*p).to_owned()).collect() })
}

fn labels(value: &str) -> std::collections::BTreeMap<String, String> {
    [("tier".to_owned(), value.to_owned())].into()
}

#[tokio::test]
async fn a_team_is_updated_and_deleted_once_nothing_is_open() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let mut teams = node.teams().await;
    let get = pb::GetTeamRequest { name: "teams/t".to_owned() };
    let before = teams.get_team(get).await.unwrap().into_inner().team.unwrap();
    let update = pb::UpdateTeamRequest {
        team: Some(pb::Team {
            name: "teams/t".to_owned(),
            display_name: "Sales".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            labels: labels("1"),
            ..Default::default()
        }),
        etag: before.etag.clone(),
        ..Default::default()
    };
    let after = teams.update_team(update.clone()).await.unwrap().into_inner().team.unwrap();
    assert_eq!((after.display_name.as_str(), &after.labels), ("Sales", &labels("1")));
    assert_ne!(after.etag, before.etag);
    assert!(after.update_time.as_ref().unwrap().seconds >= before.create_time.unwrap().seconds);
    let refused = teams.update_team(update).await.unwrap_err();
    assert_eq!(why(&refused), (Code::Aborted, "ETAG_MISMATCH".to_owned(), vec![]));

    let delete = |name: &str| pb::DeleteTeamRequest { name: name.to_owned(), ..Default::default() };
    let refused = teams.delete_team(delete("teams/t")).await.unwrap_err();
    assert_eq!(why(&refused), (Code::FailedPrecondition, "TEAM_IN_USE".to_owned(), vec![]));
    for name in ["teams/t/campaigns/run", "teams/t/campaigns/draft"] {
        let cancel = pb::CancelCampaignRequest { name: name.to_owned(), ..Default::default() };
        node.campaigns().await.cancel_campaign(cancel).await.unwrap();
    }
    teams.delete_team(delete("teams/t")).await.unwrap();
    assert_eq!(why(&teams.delete_team(delete("teams/t")).await.unwrap_err()).0, Code::NotFound);
    let missing = pb::DeleteTeamRequest { allow_missing: true, ..delete("teams/t") };
    teams.delete_team(missing).await.unwrap();
}

#[tokio::test]
async fn s2_1_the_default_rule_of_a_team_can_be_a_rule_without_targets() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let create = pb::CreateRoutingRuleRequest {
        parent: "teams/t".to_owned(),
        routing_rule_id: "manual".to_owned(),
        routing_rule: Some(pb::RoutingRule {
            display_name: "Pick and assign".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let mut rules = node.rules().await;
    let rule = rules.create_routing_rule(create.clone()).await.unwrap().into_inner();
    let rule = rule.routing_rule.unwrap();
    let update = |rule: &str| pb::UpdateTeamRequest {
        team: Some(pb::Team {
            name: "teams/t".to_owned(),
            default_rule: rule.to_owned(),
            ..Default::default()
        }),
        update_mask: mask(&["default_rule"]),
        ..Default::default()
    };
    let mut teams = node.teams().await;
    let team = teams.update_team(update(&rule.name)).await.unwrap().into_inner().team.unwrap();
    assert_eq!(team.default_rule, rule.name);
    let plain = pb::AssignContactRequest { via: None, ..contact("1") };
    let answer = node.routing().await.assign_contact(plain).await.unwrap().into_inner();
    assert_eq!(answer.assignment.unwrap().state(), pb::AssignmentState::Unassigned);

    let delete = pb::DeleteRoutingRuleRequest { name: rule.name.clone(), ..Default::default() };
    let refused = rules.delete_routing_rule(delete.clone()).await.unwrap_err();
    assert_eq!(why(&refused), (Code::FailedPrecondition, "RULE_IN_USE".to_owned(), vec![]));
    assert!(refused.message().contains("`teams/t/routingRules/manual` is named by teams/t;"));

    // S4-2: another rule of that name is refused, this one may be renamed.
    let twin = pb::CreateRoutingRuleRequest { routing_rule_id: "twin".to_owned(), ..create };
    let refused = rules.create_routing_rule(twin).await.unwrap_err();
    assert_eq!(why(&refused).1, "DISPLAY_NAME_TAKEN");
    let rename = pb::UpdateRoutingRuleRequest {
        routing_rule: Some(pb::RoutingRule {
            name: rule.name.clone(),
            display_name: "By hand".to_owned(),
            ..Default::default()
        }),
        etag: rule.etag,
        ..Default::default()
    };
    let renamed = rules.update_routing_rule(rename).await.unwrap().into_inner();
    assert_eq!(renamed.routing_rule.clone().unwrap().display_name, "By hand");
    let get = pb::GetRoutingRuleRequest { name: rule.name };
    let got = rules.get_routing_rule(get).await.unwrap().into_inner();
    assert_eq!(got.routing_rule, renamed.routing_rule);

    teams.update_team(update("")).await.unwrap();
    rules.delete_routing_rule(delete).await.unwrap();
}

#[tokio::test]
async fn a_rep_is_updated_and_their_presence_set() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let mut reps = node.reps().await;
    let name = || "teams/t/reps/a".to_owned();
    let hours = pb::WorkingHours {
        time_zone: "UTC".to_owned(),
        weekly: vec![],
        holidays: vec!["2030-12-24".to_owned()],
    };
    let update = |rep: pb::Rep, etag: &str| pb::UpdateRepRequest {
        rep: Some(pb::Rep { name: name(), ..rep }),
        etag: etag.to_owned(),
        ..Default::default()
    };
    let never = pb::Rep {
        working_hours: Some(hours.clone()),
        max_open: 3,
        labels: labels("1"),
        ..Default::default()
    };
    let rep = reps.update_rep(update(never, "")).await.unwrap().into_inner().rep.unwrap();
    assert_eq!(rep.working_hours, Some(hours));
    assert_eq!((rep.max_open, rep.email.as_str()), (3, "a@example.com"));
    assert_eq!(rep.availability(), Availability::OffHours);
    assert!(rep.availability_reason.starts_with("off hours until "), "{}", rep.availability_reason);

    let presence = |state: PresenceState, ttl| pb::SetPresenceRequest {
        name: name(),
        state: state.into(),
        ttl,
        ..Default::default()
    };
    let online = reps.set_presence(presence(PresenceState::Online, seconds(3_600))).await.unwrap();
    let online = online.into_inner().rep.unwrap();
    assert_eq!(online.presence.as_ref().unwrap().state(), PresenceState::Online);
    assert!(online.presence.unwrap().expire_time.is_some());
    assert_eq!(online.etag, rep.etag, "presence is no configuration");
    let offline = reps.set_presence(presence(PresenceState::Offline, None)).await.unwrap();
    let offline = offline.into_inner().rep.unwrap().presence.unwrap();
    assert_eq!((offline.state(), offline.expire_time), (PresenceState::Offline, None));

    let off = pb::Rep { disabled: true, ..Default::default() };
    let refused = reps.update_rep(update(off.clone(), "1-0")).await.unwrap_err();
    assert_eq!(why(&refused).1, "ETAG_MISMATCH");
    let disabled = reps.update_rep(update(off, &rep.etag)).await.unwrap().into_inner();
    assert_eq!(disabled.rep.unwrap().availability(), Availability::Disabled);

    let manual = pb::AssignContactRequest {
        via: Some(pb::assign_contact_request::Via::Rep(name())),
        ..contact("1")
    };
    let refused = node.routing().await.assign_contact(manual).await.unwrap_err();
    assert_eq!(why(&refused), (Code::FailedPrecondition, "REP_DISABLED".to_owned(), vec![]));
}

#[tokio::test]
async fn s1_5_a_routing_queue_cannot_be_a_rep() {
    let nodes = Nodes::one().await;
    nodes.leader().set_up().await;
    let queue = pb::CreateRepRequest {
        parent: "teams/t".to_owned(),
        rep_id: "queue".to_owned(),
        r#type: pb::OwnerType::Queue.into(),
        ..Default::default()
    };
    let refused = nodes.leader().reps().await.create_rep(queue).await.unwrap_err();
    let fields = vec!["type".to_owned()];
    assert_eq!(why(&refused), (Code::InvalidArgument, "REP_IS_QUEUE".to_owned(), fields));
}

#[tokio::test]
async fn s0_34_a_deleted_reps_work_goes_to_others_if_asked() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let mut routing = node.routing().await;
    let first = routing.assign_contact(contact("1")).await.unwrap().into_inner();
    let name = first.assignment.unwrap().name;
    let delete = pb::DeleteRepRequest {
        name: "teams/t/reps/a".to_owned(),
        open_assignments: pb::OpenAssignments::Reroute.into(),
        ..Default::default()
    };
    node.reps().await.delete_rep(delete).await.unwrap();
    let got = routing.get_assignment(pb::GetAssignmentRequest { name }).await.unwrap();
    assert_eq!(got.into_inner().assignment.unwrap().rep, "teams/t/reps/b");
}

#[tokio::test]
async fn a_group_is_updated_but_for_its_members() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let mut groups = node.groups().await;
    let name = || "teams/t/groups/g".to_owned();
    let get = pb::GetGroupRequest { name: name() };
    let before = groups.get_group(get).await.unwrap().into_inner().group.unwrap();
    assert_eq!((before.kind(), before.member_count), (pb::GroupKind::Reps, 3));
    let update = |group: pb::Group, etag: &str| pb::UpdateGroupRequest {
        group: Some(pb::Group { name: name(), ..group }),
        etag: etag.to_owned(),
        ..Default::default()
    };
    let settings = pb::Group {
        display_name: "Inbound".to_owned(),
        strategy: pb::Strategy::LeastOpen.into(),
        require_online: true,
        cursor_scope: pb::CursorScope::Group.into(),
        restart_policy: Some(pb::RestartPolicy {
            idle_period: seconds(60),
            on_member_change: true,
        }),
        period_cap: Some(pb::PeriodCap { count: 5, period: seconds(86_400) }),
        labels: labels("2"),
        ..Default::default()
    };
    let after = groups.update_group(update(settings.clone(), &before.etag)).await.unwrap();
    let after = after.into_inner().group.unwrap();
    assert_eq!(after.members, before.members);
    for (written, read) in [
        (format!("{:?}", settings.restart_policy), format!("{:?}", after.restart_policy)),
        (format!("{:?}", settings.period_cap), format!("{:?}", after.period_cap)),
        (format!("{:?}", settings.labels), format!("{:?}", after.labels)),
    ] {
        assert_eq!(read, written);
    }
    assert_eq!(
        (after.strategy(), after.cursor_scope()),
        (pb::Strategy::LeastOpen, pb::CursorScope::Group)
    );
    let refused = groups.update_group(update(settings, &before.etag)).await.unwrap_err();
    assert_eq!(why(&refused).1, "ETAG_MISMATCH");

    let delete = pb::DeleteGroupRequest {
        name: "teams/t/groups/none".to_owned(),
        allow_missing: true,
        ..Default::default()
    };
    groups.delete_group(delete).await.unwrap();
}

#[tokio::test]
async fn a_campaign_is_scheduled_launched_and_deleted_once_cancelled() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let mut campaigns = node.campaigns().await;
    let name = || "teams/t/campaigns/draft".to_owned();
    let when = Some(prost_types::Timestamp { seconds: 1_900_000_000, nanos: 0 });
    let schedule =
        pb::ScheduleCampaignRequest { name: name(), launch_time: when, ..Default::default() };
    let scheduled = campaigns.schedule_campaign(schedule).await.unwrap().into_inner();
    let scheduled = scheduled.campaign.unwrap();
    assert_eq!(scheduled.state(), pb::CampaignState::Scheduled);
    assert_eq!(scheduled.launch_time, when);

    let launch = |etag: &str| pb::LaunchCampaignRequest {
        name: name(),
        etag: etag.to_owned(),
        ..Default::default()
    };
    let refused = campaigns.launch_campaign(launch("1-0")).await.unwrap_err();
    assert_eq!(why(&refused).1, "ETAG_MISMATCH");
    let launched = campaigns.launch_campaign(launch(&scheduled.etag)).await.unwrap();
    assert_eq!(launched.into_inner().campaign.unwrap().state(), pb::CampaignState::Running);

    let delete = pb::DeleteCampaignRequest { name: name(), ..Default::default() };
    let refused = campaigns.delete_campaign(delete.clone()).await.unwrap_err();
    assert_eq!(why(&refused).1, "WRONG_CAMPAIGN_STATE");
    let cancel = pb::CancelCampaignRequest { name: name(), ..Default::default() };
    campaigns.cancel_campaign(cancel).await.unwrap();
    campaigns.delete_campaign(delete.clone()).await.unwrap();
    assert_eq!(
        why(&campaigns.delete_campaign(delete.clone()).await.unwrap_err()).0,
        Code::NotFound
    );
    let missing = pb::DeleteCampaignRequest { allow_missing: true, ..delete };
    campaigns.delete_campaign(missing).await.unwrap();
}

#[tokio::test]
async fn a_campaign_routes_by_a_rule_and_keeps_it_in_use() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let kind = pb::target::Kind::Rep("teams/t/reps/c".to_owned());
    let create = pb::CreateRoutingRuleRequest {
        parent: "teams/t".to_owned(),
        routing_rule_id: "r".to_owned(),
        routing_rule: Some(pb::RoutingRule {
            display_name: "To c".to_owned(),
            targets: vec![pb::Target { kind: Some(kind), wait: seconds(60), ..Default::default() }],
            ..Default::default()
        }),
        ..Default::default()
    };
    let mut rules = node.rules().await;
    let made = rules.create_routing_rule(create).await.unwrap().into_inner();
    assert_eq!(made.routing_rule.unwrap().targets[0].wait, seconds(60));
    let update = pb::UpdateCampaignRequest {
        campaign: Some(pb::Campaign {
            name: "teams/t/campaigns/run".to_owned(),
            routing_rule: "teams/t/routingRules/r".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let campaign = node.campaigns().await.update_campaign(update).await.unwrap().into_inner();
    let campaign = campaign.campaign.unwrap();
    assert_eq!(
        (campaign.targets, campaign.routing_rule.as_str()),
        (None, "teams/t/routingRules/r")
    );
    let answer = node.routing().await.assign_contact(contact("1")).await.unwrap().into_inner();
    assert_eq!(answer.assignment.unwrap().rep, "teams/t/reps/c");

    let delete = pb::DeleteRepRequest { name: "teams/t/reps/c".to_owned(), ..Default::default() };
    let refused = node.reps().await.delete_rep(delete).await.unwrap_err();
    assert_eq!(why(&refused).1, "REP_IN_USE");
    assert!(refused.message().contains("teams/t/routingRules/r"), "{refused}");
}

#[tokio::test]
async fn a_rule_is_updated_in_the_fields_that_its_mask_names_and_in_no_other() {
    let nodes = Nodes::start(2).await;
    let node = nodes.follower();
    nodes.leader().set_up().await;
    let to = |rep: &str| {
        let kind = Some(pb::target::Kind::Rep(format!("teams/t/reps/{rep}")));
        pb::Target { kind, ..Default::default() }
    };
    let rule = |display_name: &str, rep: &str, tier: &str| pb::RoutingRule {
        name: "teams/t/routingRules/r".to_owned(),
        display_name: display_name.to_owned(),
        targets: vec![to(rep)],
        labels: labels(tier),
        ..Default::default()
    };
    let create = pb::CreateRoutingRuleRequest {
        parent: "teams/t".to_owned(),
        routing_rule_id: "r".to_owned(),
        routing_rule: Some(pb::RoutingRule { name: String::new(), ..rule("Old", "a", "1") }),
        ..Default::default()
    };
    let mut rules = node.rules().await;
    rules.create_routing_rule(create).await.unwrap();
    let update = |written: pb::RoutingRule, update_mask| pb::UpdateRoutingRuleRequest {
        routing_rule: Some(written),
        update_mask,
        ..Default::default()
    };
    let none = || rule("", "a", "1");
    let none = || pb::RoutingRule { targets: vec![], labels: [].into(), ..none() };
    let only = |name: &str, written: pb::RoutingRule| pb::RoutingRule {
        display_name: name.to_owned(),
        ..written
    };
    // What is written, under which mask, and what the rule is then.
    let steps = [
        (rule("New", "b", "2"), mask(&["display_name"]), rule("New", "a", "1")),
        (rule("Newer", "b", "2"), mask(&["targets"]), rule("New", "b", "1")),
        (rule("Newer", "c", "2"), mask(&["labels"]), rule("New", "b", "2")),
        (rule("Two", "c", "3"), mask(&["labels", "display_name"]), rule("Two", "b", "3")),
        (rule("All", "c", "4"), mask(&["*"]), rule("All", "c", "4")),
        // Without a mask, or with an empty one, what is set.
        (only("Name", none()), None, rule("Name", "c", "4")),
        (pb::RoutingRule { targets: vec![to("a")], ..none() }, mask(&[]), rule("Name", "a", "4")),
        (pb::RoutingRule { labels: labels("5"), ..none() }, None, rule("Name", "a", "5")),
        (rule("Whole", "b", "6"), mask(&[]), rule("Whole", "b", "6")),
        // Named and unset: none.
        (
            none(),
            mask(&["labels"]),
            pb::RoutingRule { labels: [].into(), ..rule("Whole", "b", "") },
        ),
        (none(), mask(&["targets"]), only("Whole", none())),
    ];
    for (written, update_mask, expected) in steps {
        let asked = format!("{written:?} by {update_mask:?}");
        let done = rules.update_routing_rule(update(written, update_mask)).await.unwrap();
        let done = done.into_inner().routing_rule.unwrap();
        let get = pb::GetRoutingRuleRequest { name: done.name.clone() };
        let got = rules.get_routing_rule(get).await.unwrap().into_inner().routing_rule.unwrap();
        assert_eq!(got, done, "{asked}");
        let seen = (&got.display_name, &got.labels, got.targets.len());
        let wanted = (&expected.display_name, &expected.labels, expected.targets.len());
        assert_eq!(seen, wanted, "{asked}");
        let kinds = |rule: &pb::RoutingRule| -> Vec<_> {
            rule.targets.iter().map(|target| target.kind.clone()).collect()
        };
        assert_eq!(kinds(&got), kinds(&expected), "{asked}");
    }

    let before = node.hash().await;
    let unknown = update(rule("Other", "c", "7"), mask(&["labels", "state"]));
    let nothing = update(none(), None);
    for wrong in [unknown, nothing] {
        let refused = rules.update_routing_rule(wrong).await.unwrap_err();
        let fields = vec!["update_mask".to_owned()];
        assert_eq!(why(&refused), (Code::InvalidArgument, "INVALID_FIELD".to_owned(), fields));
    }
    // A rule has a name, so it can't be named and unset.
    let refused = rules.update_routing_rule(update(none(), mask(&["display_name"]))).await;
    assert_eq!(why(&refused.unwrap_err()).2, ["routing_rule.display_name"]);
    assert_eq!(node.hash().await, before);
}

/// Hours in UTC on one day of the week, which is not today nor tomorrow.
fn never_today() -> pb::WorkingHours {
    // Day 0 was a Thursday; Monday is 1.
    let today = clock::wall().0 / (24 * 60 * 60 * 1_000_000);
    let in_three_days = i32::try_from((today + 3 + 3) % 7 + 1).unwrap();
    let span = pb::WorkingSpan { day_of_week: in_three_days, start_minute: 0, end_minute: 24 * 60 };
    pb::WorkingHours { time_zone: "UTC".to_owned(), weekly: vec![span], holidays: vec![] }
}

#[tokio::test]
async fn a_rep_who_is_off_hours_is_passed_over_and_the_decision_says_so() {
    let nodes = Nodes::start(2).await;
    let node = nodes.follower();
    nodes.leader().set_up().await;
    let hours = |working_hours| pb::UpdateRepRequest {
        rep: Some(pb::Rep {
            name: "teams/t/reps/a".to_owned(),
            working_hours,
            ..Default::default()
        }),
        update_mask: mask(&["working_hours"]),
        ..Default::default()
    };
    let mut reps = node.reps().await;
    let off = reps.update_rep(hours(Some(never_today()))).await.unwrap().into_inner();
    assert_eq!(off.rep.unwrap().availability(), Availability::OffHours);

    let mut routing = node.routing().await;
    let picked = routing.assign_contact(contact("1")).await.unwrap().into_inner();
    let picked = picked.assignment.unwrap();
    let get = pb::GetAssignmentRequest { name: picked.name.clone() };
    let kept = routing.get_assignment(get).await.unwrap().into_inner().assignment.unwrap();
    for assignment in [picked, kept] {
        assert_eq!(assignment.rep, "teams/t/reps/b");
        let targets = assignment.decision.unwrap().targets;
        let group = targets.last().unwrap();
        assert_eq!(group.outcome(), pb::TargetOutcome::Picked);
        let passed: Vec<_> =
            group.passed_over.iter().map(|over| (over.rep.as_str(), over.reason())).collect();
        assert_eq!(passed, [("teams/t/reps/a", pb::PassOverReason::OffHours)]);
        assert_eq!(group.passed_over_total, 1);
    }

    // Without hours there is nothing to be off: their turn comes around, with nobody passed over.
    reps.update_rep(hours(None)).await.unwrap();
    for (id, rep) in [("2", "teams/t/reps/c"), ("3", "teams/t/reps/a")] {
        let next = routing.assign_contact(contact(id)).await.unwrap().into_inner();
        let next = next.assignment.unwrap();
        assert_eq!(next.rep, rep);
        let targets = next.decision.unwrap().targets;
        assert_eq!(targets.last().unwrap().passed_over, []);
    }
}
