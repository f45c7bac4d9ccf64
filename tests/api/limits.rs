//! Every bound of the routing model at the wire: n is taken; n + 1 is refused by name and changes
//! nothing.

use std::collections::BTreeMap;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use turnwise::proto::turnwise::v1::{
    self as pb, campaign_retarget, group_member::Member, hypothetical_change,
    remove_group_member_request as remove, target::Kind,
};

use crate::nodes::{Node, Nodes, contact, member, why};

const SECOND: u64 = 1_000_000;

fn micros(us: u64) -> Option<prost_types::Duration> {
    let seconds = i64::try_from(us / SECOND).unwrap();
    let nanos = i32::try_from(us % SECOND).unwrap() * 1_000;
    Some(prost_types::Duration { seconds, nanos })
}

async fn team() -> Nodes {
    let nodes = Nodes::one().await;
    nodes.leader().set_up().await;
    nodes
}

/// A refusal of what is wrong in itself: it names the fields and leaves the state as it was, to the
/// bit, its clock included, so the call never reached the log.
async fn wrong<T: std::fmt::Debug>(
    node: &Node,
    call: impl Future<Output = Result<T, Status>>,
    reason: &str,
    fields: &[&str],
) -> Status {
    let before = node.hash().await;
    let status = call.await.expect_err(reason);
    let fields = fields.iter().map(|field| (*field).to_owned()).collect();
    assert_eq!(why(&status), (Code::InvalidArgument, reason.to_owned(), fields), "{status}");
    assert_eq!(node.hash().await, before, "{reason}");
    status
}

async fn invalid<T: std::fmt::Debug>(
    node: &Node,
    call: impl Future<Output = Result<T, Status>>,
    field: &str,
) {
    wrong(node, call, "INVALID_FIELD", &[field]).await;
}

/// A refusal by what is there already: it says what of what is too much, and changes nothing that
/// anybody can see.
async fn full<T: std::fmt::Debug>(
    node: &Node,
    call: impl Future<Output = Result<T, Status>>,
    reason: &str,
    about: &[(&str, &str)],
) -> Status {
    let before = node.picture().await;
    let status = call.await.expect_err(reason);
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!(info.reason, reason, "{status}");
    for (key, value) in about {
        assert_eq!(info.metadata[*key], *value, "{key} of {status}");
    }
    assert_eq!(node.picture().await, before, "{reason}");
    status
}

fn option(id: &str, payload: String) -> pb::GroupMember {
    let option = pb::GroupOption { id: id.to_owned(), payload };
    pb::GroupMember { member: Some(Member::Option(option)), ..Default::default() }
}

fn options(n: usize, payload_len: usize) -> Vec<pb::GroupMember> {
    (0..n).map(|i| option(&i.to_string(), "x".repeat(payload_len))).collect()
}

fn create(id: &str, kind: pb::GroupKind, members: Vec<pb::GroupMember>) -> pb::CreateGroupRequest {
    pb::CreateGroupRequest {
        parent: "teams/t".to_owned(),
        group_id: id.to_owned(),
        group: Some(pb::Group { kind: kind.into(), members, ..Default::default() }),
        ..Default::default()
    }
}

fn create_options(id: &str, members: Vec<pb::GroupMember>) -> pb::CreateGroupRequest {
    create(id, pb::GroupKind::Options, members)
}

fn add(group: &str, members: Vec<pb::GroupMember>) -> pb::AddGroupMemberRequest {
    let name = format!("teams/t/groups/{group}");
    pb::AddGroupMemberRequest { name, members, ..Default::default() }
}

#[tokio::test]
async fn s3_4_s3_5_s3_6_a_group_of_options_has_2_to_100() {
    let nodes = team().await;
    let node = nodes.leader();
    let mut groups = node.groups().await;
    groups.create_group(create_options("two", options(2, 0))).await.unwrap();
    groups.create_group(create_options("full", options(100, 0))).await.unwrap();

    let few = groups.create_group(create_options("one", options(1, 0)));
    let members = &["group.members"];
    wrong(node, few, "GROUP_TOO_SMALL", members).await;
    let many = groups.create_group(create_options("over", options(101, 0)));
    wrong(node, many, "GROUP_TOO_LARGE", members).await;
    let one_more = groups.add_group_member(add("full", vec![option("more", String::new())]));
    full(node, one_more, "GROUP_TOO_LARGE", &[("group", "teams/t/groups/full"), ("limit", "100")])
        .await;
    let removal = pb::RemoveGroupMemberRequest {
        name: "teams/t/groups/two".to_owned(),
        member: Some(remove::Member::Option("0".to_owned())),
        ..Default::default()
    };
    let one_less = groups.remove_group_member(removal);
    full(node, one_less, "GROUP_TOO_SMALL", &[("groups", "teams/t/groups/two")]).await;
}

#[tokio::test]
async fn s3_2_a_payload_has_4_kib_and_a_group_256_kib_of_them() {
    let nodes = team().await;
    let node = nodes.leader();
    let mut groups = node.groups().await;
    // 64 of 4 KiB are 256 KiB.
    groups.create_group(create_options("full", options(64, 4_096))).await.unwrap();
    let long = groups.create_group(create_options("long", options(2, 4_097)));
    let fields = ["group.members[0].option.payload", "group.members[1].option.payload"];
    wrong(node, long, "INVALID_FIELD", &fields).await;

    let reason = "PAYLOADS_TOO_LARGE";
    let about = [("group", "teams/t/groups/full"), ("limit_bytes", "262144")];
    let mut members = options(64, 4_096);
    members.push(option("more", "x".to_owned()));
    let created = groups.create_group(create_options("over", members));
    full(node, created, reason, &about[1..]).await;
    let added = groups.add_group_member(add("full", vec![option("more", "x".to_owned())]));
    full(node, added, reason, &about).await;
    let update = |id: &str, len: usize| pb::UpdateGroupMemberRequest {
        name: "teams/t/groups/full".to_owned(),
        member: Some(option(id, "y".repeat(len))),
        ..Default::default()
    };
    groups.add_group_member(add("full", vec![option("more", String::new())])).await.unwrap();
    let updated = groups.update_group_member(update("more", 1));
    full(node, updated, reason, &about).await;
    groups.update_group_member(update("0", 4_095)).await.unwrap();
    groups.update_group_member(update("more", 1)).await.unwrap();
    // All 256 KiB are taken again: one byte more, of another.
    let updated = groups.update_group_member(update("more", 2));
    full(node, updated, reason, &about).await;
    groups.update_group_member(update("1", 1)).await.unwrap();
    groups.update_group_member(update("0", 4_096)).await.unwrap();
    let updated = groups.update_group_member(update("0", 4_097));
    invalid(node, updated, "member.option.payload").await;
}

#[tokio::test]
async fn s3_3_groups_nest_to_4() {
    let nodes = team().await;
    let node = nodes.leader();
    let mut groups = node.groups().await;
    let nested = |inner: &str| pb::GroupMember {
        member: Some(Member::Group(format!("teams/t/groups/{inner}"))),
        ..Default::default()
    };
    let around = |inner: &str| vec![nested(inner), option("other", String::new())];
    groups.create_group(create_options("n1", options(2, 0))).await.unwrap();
    groups.create_group(create_options("n2", around("n1"))).await.unwrap();
    groups.create_group(create_options("n3", around("n2"))).await.unwrap();
    groups.create_group(create_options("n4", around("n3"))).await.unwrap();
    // Above the outermost, and beneath the innermost.
    let above = groups.create_group(create_options("n5", around("n4")));
    let refused = full(node, above, "GROUP_CYCLE", &[("limit", "4")]).await;
    assert_eq!(why(&refused).2, ["members"]);
    groups.create_group(create_options("n0", options(2, 0))).await.unwrap();
    let beneath = groups.add_group_member(add("n1", vec![nested("n0")]));
    full(node, beneath, "GROUP_CYCLE", &[("limit", "4")]).await;
}

#[tokio::test]
async fn a_group_of_reps_has_at_least_1() {
    let nodes = team().await;
    let node = nodes.leader();
    let mut groups = node.groups().await;
    let none = groups.create_group(create("none", pb::GroupKind::Reps, vec![]));
    wrong(node, none, "GROUP_TOO_SMALL", &["group.members"]).await;
    groups.create_group(create("one", pb::GroupKind::Reps, vec![member("a")])).await.unwrap();
    let removal = pb::RemoveGroupMemberRequest {
        name: "teams/t/groups/one".to_owned(),
        member: Some(remove::Member::Rep("teams/t/reps/a".to_owned())),
        ..Default::default()
    };
    let about = [("groups", "teams/t/groups/one")];
    full(node, groups.remove_group_member(removal), "GROUP_TOO_SMALL", &about).await;
}

fn weighing(rep: &str, weight: u32) -> pb::GroupMember {
    pb::GroupMember { weight: Some(weight), ..member(rep) }
}

#[tokio::test]
async fn a_weight_is_1_to_1000() {
    let nodes = team().await;
    let node = nodes.leader();
    let mut groups = node.groups().await;
    let both = vec![weighing("a", 1), weighing("b", 1_000)];
    groups.create_group(create("w", pb::GroupKind::Reps, both)).await.unwrap();
    let update = |weight| pb::UpdateGroupMemberRequest {
        name: "teams/t/groups/w".to_owned(),
        member: Some(weighing("a", weight)),
        ..Default::default()
    };
    groups.update_group_member(update(1_000)).await.unwrap();
    for wrong in [0, 1_001] {
        let one = vec![weighing("c", wrong)];
        let created = groups.create_group(create("x", pb::GroupKind::Reps, one.clone()));
        invalid(node, created, "group.members[0].weight").await;
        invalid(node, groups.add_group_member(add("w", one)), "members[0].weight").await;
        invalid(node, groups.update_group_member(update(wrong)), "member.weight").await;
    }
    groups.add_group_member(add("w", vec![weighing("c", 1_000)])).await.unwrap();
}

fn to_group() -> pb::Target {
    let kind = Some(Kind::Group("teams/t/groups/g".to_owned()));
    pb::Target { kind, ..Default::default() }
}

fn rule(id: &str, targets: Vec<pb::Target>) -> pb::CreateRoutingRuleRequest {
    pb::CreateRoutingRuleRequest {
        parent: "teams/t".to_owned(),
        routing_rule_id: id.to_owned(),
        routing_rule: Some(pb::RoutingRule {
            display_name: id.to_owned(),
            targets,
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn campaign(id: &str, targets: Vec<pb::Target>) -> pb::CreateCampaignRequest {
    pb::CreateCampaignRequest {
        parent: "teams/t".to_owned(),
        campaign_id: id.to_owned(),
        campaign: Some(pb::Campaign {
            targets: Some(pb::TargetList { targets }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[tokio::test]
async fn s4_5_rules_and_campaigns_have_0_to_16_targets() {
    let nodes = team().await;
    let node = nodes.leader();
    let (mut rules, mut campaigns) = (node.rules().await, node.campaigns().await);
    for n in [0, 16] {
        let id = format!("with-{n}");
        rules.create_routing_rule(rule(&id, vec![to_group(); n])).await.unwrap();
        campaigns.create_campaign(campaign(&id, vec![to_group(); n])).await.unwrap();
    }
    let over = rules.create_routing_rule(rule("over", vec![to_group(); 17]));
    invalid(node, over, "routing_rule.targets").await;
    let over = campaigns.create_campaign(campaign("over", vec![to_group(); 17]));
    invalid(node, over, "campaign.targets.targets").await;
    let update = pb::UpdateRoutingRuleRequest {
        routing_rule: Some(pb::RoutingRule {
            name: "teams/t/routingRules/with-16".to_owned(),
            targets: vec![to_group(); 17],
            ..Default::default()
        }),
        ..Default::default()
    };
    invalid(node, rules.update_routing_rule(update), "routing_rule.targets").await;
    let update = pb::UpdateCampaignRequest {
        campaign: Some(pb::Campaign {
            name: "teams/t/campaigns/with-16".to_owned(),
            targets: Some(pb::TargetList { targets: vec![to_group(); 17] }),
            ..Default::default()
        }),
        ..Default::default()
    };
    invalid(node, campaigns.update_campaign(update), "campaign.targets.targets").await;
}

/// What would become of a contact if campaign `run` had these targets.
fn supposing(targets: Vec<pb::Target>) -> pb::PreviewAssignContactRequest {
    let retarget = pb::CampaignRetarget {
        campaign: "teams/t/campaigns/run".to_owned(),
        by: Some(campaign_retarget::By::Targets(pb::TargetList { targets })),
    };
    let change = Some(hypothetical_change::Change::CampaignRetargeted(retarget));
    pb::PreviewAssignContactRequest {
        request: Some(contact("supposed")),
        count: 1,
        changes: vec![pb::HypotheticalChange { change }],
    }
}

const SUPPOSED: &str = "changes[0].campaign_retargeted.targets.targets";

#[tokio::test]
async fn s4_5_a_campaign_is_supposed_to_have_0_to_16_targets() {
    let nodes = team().await;
    let node = nodes.leader();
    let mut routing = node.routing().await;
    // Fifteen without an owner, and then the group: all of them are gone through.
    let kind = Some(Kind::Owner(pb::OwnerTarget::default()));
    let mut targets = vec![pb::Target { kind, ..Default::default() }; 15];
    targets.push(to_group());
    let picks = routing.preview_assign_contact(supposing(targets)).await.unwrap().into_inner();
    let [pick] = &picks.picks[..] else { panic!("{picks:?}") };
    let assignment = pick.assignment.as_ref().unwrap();
    assert_eq!(assignment.rep, "teams/t/reps/a");
    assert_eq!(assignment.decision.as_ref().unwrap().targets.len(), 16);
    let none = routing.preview_assign_contact(supposing(vec![])).await.unwrap().into_inner();
    let nobodys = none.picks[0].assignment.as_ref().unwrap();
    assert_eq!(nobodys.state(), pb::AssignmentState::Unassigned);
    let over = routing.preview_assign_contact(supposing(vec![to_group(); 17]));
    invalid(node, over, SUPPOSED).await;
}

#[tokio::test]
async fn s2_6_a_wait_is_up_to_7_days_and_an_offer_1_second_to_7_days() {
    const WEEK: u64 = 7 * 24 * 3_600 * SECOND;
    let nodes = team().await;
    let node = nodes.leader();
    let mut rules = node.rules().await;
    let (mut campaigns, mut routing) = (node.campaigns().await, node.routing().await);
    let of = |wait, accept_timeout| vec![pb::Target { wait, accept_timeout, ..to_group() }];
    rules.create_routing_rule(rule("least", of(micros(0), micros(SECOND)))).await.unwrap();
    rules.create_routing_rule(rule("most", of(micros(WEEK), micros(WEEK)))).await.unwrap();
    let at = "routing_rule.targets[0]";
    let over = rules.create_routing_rule(rule("over", of(micros(WEEK + 1), None)));
    invalid(node, over, &format!("{at}.wait")).await;
    for wrong in [SECOND - 1, WEEK + 1] {
        let offer = rules.create_routing_rule(rule("over", of(None, micros(wrong))));
        invalid(node, offer, &format!("{at}.accept_timeout")).await;
    }
    let update = |targets| pb::UpdateRoutingRuleRequest {
        routing_rule: Some(pb::RoutingRule {
            name: "teams/t/routingRules/least".to_owned(),
            display_name: "least".to_owned(),
            targets,
            ..Default::default()
        }),
        ..Default::default()
    };
    rules.update_routing_rule(update(of(micros(WEEK), micros(WEEK)))).await.unwrap();
    let over = rules.update_routing_rule(update(of(micros(WEEK + 1), None)));
    invalid(node, over, &format!("{at}.wait")).await;

    // The same holds of the targets that a campaign has of its own.
    let at = "campaign.targets.targets[0]";
    let create = campaign("own", of(micros(WEEK), micros(WEEK)));
    let own = campaigns.create_campaign(create).await.unwrap().into_inner().campaign.unwrap();
    let of_own = |targets| pb::UpdateCampaignRequest {
        campaign: Some(pb::Campaign { targets: Some(pb::TargetList { targets }), ..own.clone() }),
        ..Default::default()
    };
    campaigns.update_campaign(of_own(of(micros(0), micros(SECOND)))).await.unwrap();
    campaigns.update_campaign(of_own(of(micros(WEEK), micros(WEEK)))).await.unwrap();
    routing.preview_assign_contact(supposing(of(micros(WEEK), micros(WEEK)))).await.unwrap();
    let wrongs = [
        (of(micros(WEEK + 1), None), "wait"),
        (of(None, micros(WEEK + 1)), "accept_timeout"),
        (of(None, micros(SECOND - 1)), "accept_timeout"),
    ];
    for (targets, field) in wrongs {
        let created = campaigns.create_campaign(campaign("over", targets.clone()));
        invalid(node, created, &format!("{at}.{field}")).await;
        let updated = campaigns.update_campaign(of_own(targets.clone()));
        invalid(node, updated, &format!("{at}.{field}")).await;
        let supposed = routing.preview_assign_contact(supposing(targets));
        invalid(node, supposed, &format!("{SUPPOSED}[0].{field}")).await;
    }
}

fn batch(requests: Vec<pb::AssignContactRequest>) -> pb::BatchAssignContactsRequest {
    pb::BatchAssignContactsRequest { parent: "teams/t".to_owned(), requests, ..Default::default() }
}

fn contacts(n: usize) -> Vec<pb::AssignContactRequest> {
    (0..n).map(|i| contact(&format!("of-{n}-{i}"))).collect()
}

#[tokio::test]
async fn a_batch_has_1_to_1000_items_and_a_page_1_to_1000() {
    let nodes = team().await;
    let node = nodes.leader();
    let mut routing = node.routing().await;
    for wrong in [0, 1_001] {
        let call = routing.batch_assign_contacts(batch(contacts(wrong)));
        invalid(node, call, "requests").await;
    }
    for n in [1, 1_000] {
        let answer = routing.batch_assign_contacts(batch(contacts(n))).await.unwrap().into_inner();
        assert_eq!(answer.responses.len(), n);
    }
    // Of 1,001 assignments.
    for (asked, got) in [(1, 1), (0, 100), (1_000, 1_000), (1_001, 1_000)] {
        let parent = "teams/t".to_owned();
        let list = pb::ListAssignmentsRequest { parent, page_size: asked, ..Default::default() };
        let page = routing.list_assignments(list).await.unwrap().into_inner();
        assert_eq!(page.assignments.len(), got, "page_size {asked}");
        assert!(!page.next_page_token.is_empty());
    }
    let parent = "teams/t".to_owned();
    let negative = pb::ListAssignmentsRequest { parent, page_size: -1, ..Default::default() };
    invalid(node, routing.list_assignments(negative), "page_size").await;
}

/// Bytes that a call takes in the log, and that it may take, as the refusal says.
fn lengths(status: &Status) -> (usize, usize) {
    let details = status.get_error_details();
    let about = &details.error_info().unwrap().metadata;
    (about["bytes"].parse().unwrap(), about["limit"].parse().unwrap())
}

/// Takes so many bytes out of the labels of a batch, and leaves each long enough that its length is
/// told in two bytes, as before.
fn shorten(batch: &mut pb::BatchAssignContactsRequest, mut by: usize) {
    let labels = batch.requests.iter_mut().flat_map(|request| request.labels.values_mut());
    for label in labels {
        let cut = by.min(label.len() - 200);
        label.truncate(label.len() - cut);
        by -= cut;
    }
    assert_eq!(by, 0);
}

#[tokio::test]
async fn a_batch_that_does_not_fit_an_entry_is_refused_at_one_byte_over() {
    let nodes = Nodes::start(2).await;
    nodes.leader().set_up().await;
    let mut requests = contacts(500);
    for request in &mut requests {
        request.labels = (0..4).map(|i| (format!("label-{i}"), "x".repeat(256))).collect();
    }
    let mut over = batch(requests);
    let follower = nodes.follower();
    let mut routing = follower.routing().await;
    let status = routing.batch_assign_contacts(over.clone()).await.unwrap_err();
    let (bytes, limit) = lengths(&status);
    // An entry has 512 KiB; a few of them frame the command.
    assert!((512 * 1024 - 64..=512 * 1024).contains(&limit), "{limit}");
    shorten(&mut over, bytes - (limit + 1));

    for node in &nodes.nodes {
        let dry = pb::BatchAssignContactsRequest { validate_only: true, ..over.clone() };
        for request in [over.clone(), dry] {
            let mut routing = node.routing().await;
            let call = routing.batch_assign_contacts(request);
            let status = wrong(node, call, "CALL_TOO_LARGE", &[]).await;
            assert_eq!(lengths(&status), (limit + 1, limit));
        }
    }
    shorten(&mut over, 1);
    let answer = routing.batch_assign_contacts(over).await.unwrap().into_inner();
    assert_eq!(answer.responses.len(), 500);
}

#[tokio::test]
async fn a_rep_has_100_absences() {
    let nodes = team().await;
    let node = nodes.leader();
    let mut reps = node.reps().await;
    let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    let away = |i: i64| pb::SetOutOfOfficeRequest {
        name: "teams/t/reps/a".to_owned(),
        start_time: at(10_000_000_000 + 1_000 * i),
        end_time: at(10_000_000_500 + 1_000 * i),
        ..Default::default()
    };
    for i in 0..100 {
        reps.set_out_of_office(away(i)).await.unwrap();
    }
    let one_more = reps.set_out_of_office(away(100));
    full(node, one_more, "TOO_MANY_INTERVALS", &[("limit", "100")]).await;
    let split = pb::ClearOutOfOfficeRequest {
        name: "teams/t/reps/a".to_owned(),
        start_time: at(10_000_000_100),
        end_time: at(10_000_000_200),
        ..Default::default()
    };
    let call = reps.clear_out_of_office(split);
    full(node, call, "TOO_MANY_INTERVALS", &[("limit", "100")]).await;
}

#[tokio::test]
async fn a_call_names_up_to_1000_members() {
    let nodes = team().await;
    let node = nodes.leader();
    let mut reps = node.reps().await;
    let ids: Vec<_> = (0..1_001).map(|i| format!("of-many-{i}")).collect();
    for rep_id in &ids {
        let (parent, rep_id) = ("teams/t".to_owned(), rep_id.clone());
        let request = pb::CreateRepRequest { parent, rep_id, ..Default::default() };
        reps.create_rep(request).await.unwrap();
    }
    let all: Vec<_> = ids.iter().map(|id| member(id)).collect();
    let mut groups = node.groups().await;
    let over = groups.create_group(create("big", pb::GroupKind::Reps, all.clone()));
    invalid(node, over, "group.members").await;
    invalid(node, groups.add_group_member(add("g", all.clone())), "members").await;
    let most = all[..1_000].to_vec();
    groups.create_group(create("big", pb::GroupKind::Reps, most)).await.unwrap();
    // More are added by further calls.
    let added = groups.add_group_member(add("big", all[1_000..].to_vec())).await.unwrap();
    assert_eq!(added.into_inner().group.unwrap().member_count, 1_001);
    let added = groups.add_group_member(add("g", all[..1_000].to_vec())).await.unwrap();
    assert_eq!(added.into_inner().group.unwrap().member_count, 1_003);
}

#[tokio::test]
async fn an_id_has_1_to_128_bytes() {
    let nodes = team().await;
    let node = nodes.leader();
    let (mut teams, mut reps, mut groups) =
        (node.teams().await, node.reps().await, node.groups().await);
    let (mut rules, mut campaigns, mut routing, mut tokens) =
        (node.rules().await, node.campaigns().await, node.routing().await, node.tokens().await);
    let viewer = pb::Role { kind: pb::RoleKind::Viewer.into(), ..Default::default() };
    let token = |id: &str| pb::CreateTokenRequest {
        parent: "teams/t".to_owned(),
        token_id: id.to_owned(),
        token: Some(pb::Token { role: Some(viewer.clone()), ..Default::default() }),
        secret_sha256: vec![7; 32].into(),
        ..Default::default()
    };
    let team = |id: &str| pb::CreateTeamRequest { team_id: id.to_owned(), ..Default::default() };
    let rep = |id: &str| pb::CreateRepRequest {
        parent: "teams/t".to_owned(),
        rep_id: id.to_owned(),
        ..Default::default()
    };
    let group = |id: &str| create(id, pb::GroupKind::Reps, vec![member("a")]);
    let named = |id: &str| pb::CreateRoutingRuleRequest {
        routing_rule_id: id.to_owned(),
        ..rule("name", vec![])
    };
    let of_option = |group: &str, id: &str| {
        create_options(group, vec![option("other", String::new()), option(id, String::new())])
    };
    let owner = |system: &str| pb::AssignContactRequest {
        owners: vec![pb::OwnerRef {
            kind: pb::OwnerKind::Lead.into(),
            external_id: Some(pb::ExternalId { system: system.to_owned(), id: "1".to_owned() }),
            ..Default::default()
        }],
        ..contact("owned")
    };
    let labelled = |key: &str| pb::AssignContactRequest {
        labels: BTreeMap::from([(key.to_owned(), String::new())]),
        ..contact("labelled")
    };
    let of_system = |system: &str| pb::CreateRepRequest {
        rep: Some(pb::Rep {
            external_ids: BTreeMap::from([(system.to_owned(), "1".to_owned())]),
            ..Default::default()
        }),
        ..rep("of-system")
    };
    let request =
        |id: &str| pb::AssignContactRequest { request_id: id.to_owned(), ..contact("remembered") };

    // Too long, and where it is not optional, too short.
    let long = "i".repeat(129);
    for wrong in ["", &long] {
        invalid(node, teams.create_team(team(wrong)), "team_id").await;
        invalid(node, reps.create_rep(rep(wrong)), "rep_id").await;
        invalid(node, groups.create_group(group(wrong)), "group_id").await;
        let created = groups.create_group(of_option("o", wrong));
        invalid(node, created, "group.members[1].option.id").await;
        invalid(node, rules.create_routing_rule(named(wrong)), "routing_rule_id").await;
        invalid(node, campaigns.create_campaign(campaign(wrong, vec![])), "campaign_id").await;
        invalid(node, tokens.create_token(token(wrong)), "token_id").await;
        invalid(node, routing.assign_contact(contact(wrong)), "contact").await;
        let call = routing.assign_contact(owner(wrong));
        invalid(node, call, "owners[0].external_id.system").await;
        invalid(node, routing.assign_contact(labelled(wrong)), "labels").await;
        invalid(node, reps.create_rep(of_system(wrong)), "rep.external_ids").await;
    }
    invalid(node, routing.assign_contact(request(&long)), "request_id").await;

    for id in ["i", &"i".repeat(128)] {
        teams.create_team(team(id)).await.unwrap();
        reps.create_rep(rep(id)).await.unwrap();
        groups.create_group(group(id)).await.unwrap();
        groups.create_group(of_option(&format!("o{}", id.len()), id)).await.unwrap();
        let named = named(id);
        let display_name = format!("of {}", id.len());
        let routing_rule = Some(pb::RoutingRule { display_name, ..Default::default() });
        let named = pb::CreateRoutingRuleRequest { routing_rule, ..named };
        rules.create_routing_rule(named).await.unwrap();
        campaigns.create_campaign(campaign(id, vec![])).await.unwrap();
        let created = tokens.create_token(token(id)).await.unwrap().into_inner();
        assert_eq!(created.token.unwrap().name, format!("teams/t/tokens/{id}"));
        routing.assign_contact(contact(id)).await.unwrap();
        routing.assign_contact(owner(id)).await.unwrap();
        routing.assign_contact(labelled(id)).await.unwrap();
        routing.assign_contact(request(id)).await.unwrap();
        let system = pb::CreateRepRequest { rep_id: format!("s{}", id.len()), ..of_system(id) };
        reps.create_rep(system).await.unwrap();
    }
}
