//! Groups of either kind, where their rings stand, and what their members got.

use tonic::{Code, transport::Channel};
use turnwise::proto::turnwise::v1::{
    self as pb, assign_contact_request::Via, group_member::Member,
    group_service_client::GroupServiceClient, member_turns, remove_group_member_request as remove,
};

use crate::nodes::{Node, Nodes, contact, member, why};

const OPTIONS: &str = "teams/t/groups/o";

fn option(id: &str, payload: &str) -> pb::GroupMember {
    let option = pb::GroupOption { id: id.to_owned(), payload: payload.to_owned() };
    pb::GroupMember { member: Some(Member::Option(option)), ..Default::default() }
}

/// Group `o` of options `x`, `y`, `z`.
async fn options(node: &Node) -> GroupServiceClient<Channel> {
    let mut groups = node.groups().await;
    let request = pb::CreateGroupRequest {
        parent: "teams/t".to_owned(),
        group_id: "o".to_owned(),
        group: Some(pb::Group {
            kind: pb::GroupKind::Options.into(),
            members: vec![option("x", "say x"), option("y", "say y"), option("z", "say z")],
            ..Default::default()
        }),
        ..Default::default()
    };
    groups.create_group(request).await.unwrap();
    groups
}

fn ids(group: &pb::Group) -> Vec<String> {
    let id = |member: &pb::GroupMember| match member.member.as_ref().unwrap() {
        Member::Rep(name) | Member::Group(name) => name.clone(),
        Member::Option(option) => option.id.clone(),
    };
    group.members.iter().map(id).collect()
}

#[tokio::test]
async fn s3_2_options_are_given_back_as_they_are() {
    let nodes = Nodes::one().await;
    nodes.leader().set_up().await;
    options(nodes.leader()).await;
    let mut routing = nodes.leader().routing().await;
    let mut got = Vec::new();
    for _ in 0..4 {
        let request = pb::AssignContactRequest {
            via: Some(Via::Group(OPTIONS.to_owned())),
            ..contact("lead")
        };
        let answer = routing.assign_contact(request).await.unwrap().into_inner();
        let assignment = answer.assignment.unwrap();
        assert_eq!(assignment.state(), pb::AssignmentState::Closed);
        assert_eq!(assignment.cause(), pb::Cause::Option);
        let option = assignment.option.unwrap();
        assert_eq!(option.group, OPTIONS);
        got.push((option.id, option.payload));
    }
    let expected = ["x", "y", "z", "x"].map(|id| (id.to_owned(), format!("say {id}")));
    assert_eq!(got, expected);
}

#[tokio::test]
async fn members_of_a_group_are_changed_one_by_one_and_put_in_order() {
    let nodes = Nodes::one().await;
    nodes.leader().set_up().await;
    let mut groups = options(nodes.leader()).await;
    let name = || OPTIONS.to_owned();

    let update = pb::UpdateGroupMemberRequest {
        name: name(),
        member: Some(pb::GroupMember { weight: Some(3), ..option("y", "say more") }),
        ..Default::default()
    };
    let group = groups.update_group_member(update).await.unwrap().into_inner().group.unwrap();
    assert_eq!(group.members[1].weight, Some(3));
    assert_eq!(group.members[1].member, option("y", "say more").member);

    let reorder = |members: &[&str]| pb::ReorderGroupRequest {
        name: name(),
        members: members.iter().map(|m| (*m).to_owned()).collect(),
        ..Default::default()
    };
    let ordered = groups.reorder_group(reorder(&["z", "x", "y"])).await.unwrap().into_inner();
    assert_eq!(ids(&ordered.group.unwrap()), ["z", "x", "y"]);
    let refused = groups.reorder_group(reorder(&["z", "x"])).await.unwrap_err();
    let fields = vec!["members".to_owned()];
    assert_eq!(why(&refused), (Code::InvalidArgument, "INVALID_REORDER".to_owned(), fields));

    let removed = |id: &str| pb::RemoveGroupMemberRequest {
        name: name(),
        member: Some(remove::Member::Option(id.to_owned())),
        ..Default::default()
    };
    let group = groups.remove_group_member(removed("x")).await.unwrap().into_inner().group.unwrap();
    assert_eq!(ids(&group), ["z", "y"]);
    // S3-6
    let refused = groups.remove_group_member(removed("y")).await.unwrap_err();
    assert_eq!(why(&refused).1, "GROUP_TOO_SMALL");

    let add = pb::AddGroupMemberRequest {
        name: name(),
        members: vec![member("a")],
        ..Default::default()
    };
    let refused = groups.add_group_member(add).await.unwrap_err();
    assert_eq!(why(&refused).1, "GROUP_KIND_MISMATCH");
}

#[tokio::test]
async fn s3_3_groups_nest_four_deep_and_never_in_a_circle() {
    let nodes = Nodes::one().await;
    nodes.leader().set_up().await;
    let mut groups = options(nodes.leader()).await;
    let nested = |name: &str| pb::GroupMember {
        member: Some(Member::Group(format!("teams/t/groups/{name}"))),
        ..Default::default()
    };
    let around = |id: &str, inner: &str| pb::CreateGroupRequest {
        parent: "teams/t".to_owned(),
        group_id: id.to_owned(),
        group: Some(pb::Group {
            kind: pb::GroupKind::Options.into(),
            members: vec![nested(inner), option("w", "")],
            ..Default::default()
        }),
        ..Default::default()
    };
    for (id, inner) in [("o2", "o"), ("o3", "o2"), ("o4", "o3")] {
        groups.create_group(around(id, inner)).await.unwrap();
    }
    let refused = groups.create_group(around("o5", "o4")).await.unwrap_err();
    assert_eq!(why(&refused).1, "GROUP_CYCLE");
    let back = pb::AddGroupMemberRequest {
        name: OPTIONS.to_owned(),
        members: vec![nested("o2")],
        ..Default::default()
    };
    let refused = groups.add_group_member(back).await.unwrap_err();
    let fields = vec!["members".to_owned()];
    assert_eq!(why(&refused), (Code::InvalidArgument, "GROUP_CYCLE".to_owned(), fields));

    let request = pb::AssignContactRequest {
        via: Some(Via::Group("teams/t/groups/o3".to_owned())),
        ..contact("lead")
    };
    let answer = nodes.leader().routing().await.assign_contact(request).await.unwrap();
    let assignment = answer.into_inner().assignment.unwrap();
    assert_eq!(assignment.option.unwrap().group, OPTIONS);
    let moves = &assignment.decision.unwrap().targets[0].inner_moves;
    let moved: Vec<_> = moves.iter().map(|m| m.group.as_str()).collect();
    assert_eq!(moved, ["teams/t/groups/o2", OPTIONS]);
}

#[tokio::test]
async fn a_ring_is_adjusted_reset_and_listed() {
    let nodes = Nodes::one().await;
    nodes.leader().set_up().await;
    let mut groups = nodes.leader().groups().await;
    let mut routing = nodes.leader().routing().await;
    routing.assign_contact(contact("1")).await.unwrap();
    let by_group = pb::AssignContactRequest {
        via: Some(Via::Group("teams/t/groups/g".to_owned())),
        ..contact("2")
    };
    routing.assign_contact(by_group).await.unwrap();

    let name = || "teams/t/groups/g/rotations/run".to_owned();
    let adjust = pb::AdjustRotationRequest {
        name: name(),
        member: "teams/t/reps/c".to_owned(),
        credits: 2,
        reason: "helped out".to_owned(),
        ..Default::default()
    };
    let answer = groups.adjust_rotation(adjust).await.unwrap().into_inner();
    let rotation = answer.rotation.unwrap();
    assert_eq!(rotation.log_index, answer.position.unwrap().log_index);
    let turns = rotation.turns.iter().map(|turns| (turns.member.clone().unwrap(), turns.credits));
    let of = |id: &str| member_turns::Member::Rep(format!("teams/t/reps/{id}"));
    assert_eq!(turns.collect::<Vec<_>>(), [(of("a"), 0), (of("b"), 0), (of("c"), 2)]);

    let list = pb::ListRotationsRequest {
        parent: "teams/t/groups/g".to_owned(),
        page_size: 1,
        next_count: 3,
        ..Default::default()
    };
    let first = groups.list_rotations(list.clone()).await.unwrap().into_inner();
    assert_eq!(first.rotations[0].name, "teams/t/groups/g/rotations/-");
    let next = pb::ListRotationsRequest { page_token: first.next_page_token, ..list.clone() };
    let second = groups.list_rotations(next).await.unwrap().into_inner();
    assert_eq!((second.rotations[0].name.clone(), second.next_page_token), (name(), String::new()));
    let next = ["c", "c", "b"].map(|id| format!("teams/t/reps/{id}"));
    assert_eq!(second.rotations[0].next_members, next);
    let filtered = pb::ListRotationsRequest {
        filter: "campaign = \"teams/t/campaigns/run\"".to_owned(),
        page_size: 0,
        ..list
    };
    let found = groups.list_rotations(filtered).await.unwrap().into_inner().rotations;
    assert_eq!(found.iter().map(|r| r.name.clone()).collect::<Vec<_>>(), [name()]);

    let reset = pb::ResetRotationRequest { name: name(), ..Default::default() };
    let rotation = groups.reset_rotation(reset).await.unwrap().into_inner().rotation.unwrap();
    assert_eq!(rotation.cursor, Some(pb::Cursor::default()));
    assert!(rotation.restart_time.is_some());
}

#[tokio::test]
async fn a_report_counts_turns_owner_hits_and_who_was_passed_over() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let away =
        pb::SetOutOfOfficeRequest { name: "teams/t/reps/b".to_owned(), ..Default::default() };
    node.reps().await.set_out_of_office(away).await.unwrap();
    let mut routing = node.routing().await;
    for id in ["1", "2", "3"] {
        routing.assign_contact(contact(id)).await.unwrap();
    }
    let owner = pb::OwnerRef {
        kind: pb::OwnerKind::Lead.into(),
        email: "c@example.com".to_owned(),
        ..Default::default()
    };
    let owned = pb::AssignContactRequest { owners: vec![owner], ..contact("4") };
    routing.assign_contact(owned).await.unwrap();

    let mut groups = node.groups().await;
    let request = |since| pb::GetGroupReportRequest { name: "teams/t/groups/g".to_owned(), since };
    let report = groups.get_group_report(request(None)).await.unwrap().into_inner();
    let report = report.report.unwrap();
    assert_eq!(report.group, "teams/t/groups/g");
    assert!(report.log_index > 0);
    let seen: Vec<_> =
        report.members.iter().map(|m| (m.turns, m.owner_hits, m.place, m.open_count)).collect();
    assert_eq!(seen, [(2, 0, Some(1), 2), (0, 0, Some(2), 0), (1, 1, Some(3), 2)]);
    let passed = &report.members[1].passed_over;
    assert_eq!(passed.len(), 1);
    assert_eq!((passed[0].reason(), passed[0].count), (pb::PassOverReason::OutOfOffice, 1));

    let later = Some(prost_types::Timestamp { seconds: 9_000_000_000, nanos: 0 });
    let none = groups.get_group_report(request(later)).await.unwrap().into_inner();
    assert!(none.report.unwrap().members.iter().all(|m| m.turns == 0 && m.owner_hits == 0));
    let wrong = Some(prost_types::Timestamp { seconds: -1, nanos: 0 });
    let refused = groups.get_group_report(request(wrong)).await.unwrap_err();
    assert_eq!(why(&refused).2, ["since"]);
}

/// Whatever a team may name, it names nothing of another team's.
#[tokio::test]
async fn s3_14_no_other_team_routes_to_a_group_or_nests_it() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let mut groups = options(node).await;
    let other = pb::CreateTeamRequest { team_id: "other".to_owned(), ..Default::default() };
    node.teams().await.create_team(other).await.unwrap();
    let parent = || "teams/other".to_owned();
    let before = node.hash().await;
    let refused = |status: Option<tonic::Status>, field: &str| {
        let field = vec![field.to_owned()];
        let expected = (Code::InvalidArgument, "INVALID_FIELD".to_owned(), field);
        assert_eq!(why(&status.unwrap()), expected);
    };

    let via = Some(Via::Group(OPTIONS.to_owned()));
    let call = pb::AssignContactRequest { parent: parent(), via, ..contact("lead") };
    let mut routing = node.routing().await;
    refused(routing.assign_contact(call.clone()).await.err(), "group");
    let kind = Some(pb::target::Kind::Group(OPTIONS.to_owned()));
    let targets = vec![pb::Target { kind, ..Default::default() }];
    let rule = pb::CreateRoutingRuleRequest {
        parent: parent(),
        routing_rule_id: "r".to_owned(),
        routing_rule: Some(pb::RoutingRule {
            display_name: "r".to_owned(),
            targets: targets.clone(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let made = node.rules().await.create_routing_rule(rule).await;
    refused(made.err(), "routing_rule.targets[0].group");
    let campaign = pb::CreateCampaignRequest {
        parent: parent(),
        campaign_id: "c".to_owned(),
        campaign: Some(pb::Campaign {
            targets: Some(pb::TargetList { targets }),
            ..Default::default()
        }),
        ..Default::default()
    };
    let made = node.campaigns().await.create_campaign(campaign).await;
    refused(made.err(), "campaign.targets.targets[0].group");
    let nested =
        pb::GroupMember { member: Some(Member::Group(OPTIONS.to_owned())), ..Default::default() };
    let around = |parent: String, nested: &pb::GroupMember| pb::CreateGroupRequest {
        parent,
        group_id: "around".to_owned(),
        group: Some(pb::Group {
            kind: pb::GroupKind::Options.into(),
            members: vec![option("1", ""), nested.clone()],
            ..Default::default()
        }),
        ..Default::default()
    };
    let made = groups.create_group(around(parent(), &nested)).await;
    refused(made.err(), "group.members[1].group");
    assert_eq!(node.hash().await, before, "none of it reached the log");

    // Its own team may.
    groups.create_group(around("teams/t".to_owned(), &nested)).await.unwrap();
    let own = pb::AssignContactRequest { parent: "teams/t".to_owned(), ..call };
    let answer = routing.assign_contact(own).await.unwrap().into_inner();
    assert_eq!(answer.assignment.unwrap().option.unwrap().id, "x");
}
