//! What a caller gets who does everything right.

use turnwise::proto::turnwise::v1::{
    self as pb, AssignmentState, Availability, CampaignState, Cause,
};

use crate::nodes::{Nodes, contact, member};

async fn rep_of(routing: &mut Routing, id: &str) -> String {
    let answer = routing.assign_contact(contact(id)).await.unwrap().into_inner();
    answer.assignment.unwrap().rep
}

type Routing = pb::routing_service_client::RoutingServiceClient<tonic::transport::Channel>;

#[tokio::test]
async fn s0_1_contacts_go_round_the_ring_and_say_why() {
    let nodes = Nodes::one().await;
    nodes.leader().set_up().await;
    let mut routing = nodes.leader().routing().await;

    let answer = routing.assign_contact(contact("1")).await.unwrap().into_inner();
    let assignment = answer.assignment.clone().unwrap();
    assert!(!answer.existing);
    assert_eq!(assignment.position, answer.position);
    assert_eq!(assignment.rep, "teams/t/reps/a");
    assert_eq!(assignment.campaign, "teams/t/campaigns/run");
    assert_eq!(assignment.state(), AssignmentState::Assigned);
    assert_eq!(assignment.cause(), Cause::Rotation);
    assert_eq!(assignment.target_index, Some(1));
    let decision = assignment.decision.unwrap();
    assert_eq!(decision.targets[0].outcome(), pb::TargetOutcome::NoOwner);
    assert_eq!(decision.targets[1].outcome(), pb::TargetOutcome::Picked);

    let rest = [
        rep_of(&mut routing, "2").await,
        rep_of(&mut routing, "3").await,
        rep_of(&mut routing, "4").await,
    ];
    assert_eq!(rest, ["teams/t/reps/b", "teams/t/reps/c", "teams/t/reps/a"]);

    // The same contact again: no turn, and a position of its own.
    let again = routing.assign_contact(contact("1")).await.unwrap().into_inner();
    assert!(again.existing);
    assert_eq!(again.assignment.unwrap().position, answer.position);
    let (first, second) = (answer.position.unwrap(), again.position.unwrap());
    assert!((second.log_index, second.seq) > (first.log_index, first.seq));

    let name = "teams/t/groups/g/rotations/run".to_owned();
    let request = pb::GetRotationRequest { name: name.clone(), next_count: 4 };
    let mut groups = nodes.leader().groups().await;
    let rotation = groups.get_rotation(request).await.unwrap().into_inner().rotation.unwrap();
    assert_eq!(rotation.name, name);
    assert_eq!(rotation.last_served, "teams/t/reps/a");
    let next = ["b", "c", "a", "b"].map(|r| format!("teams/t/reps/{r}"));
    assert_eq!(rotation.next_members, next);
    assert_eq!(rotation.turns.iter().map(|t| t.turns).collect::<Vec<_>>(), [2, 1, 1]);
}

#[tokio::test]
async fn s1_6_an_owner_is_found_by_email_in_any_case() {
    let nodes = Nodes::one().await;
    nodes.leader().set_up().await;
    let owner = pb::OwnerRef {
        kind: pb::OwnerKind::Lead.into(),
        email: " C@Example.com".to_owned(),
        ..Default::default()
    };
    let request = pb::AssignContactRequest { owners: vec![owner], ..contact("1") };
    let answer = nodes.leader().routing().await.assign_contact(request).await.unwrap();
    let assignment = answer.into_inner().assignment.unwrap();
    assert_eq!((assignment.rep.as_str(), assignment.cause()), ("teams/t/reps/c", Cause::Owner));
    assert!(!assignment.owner_changed);
}

#[tokio::test]
async fn assignments_are_listed_in_order_a_page_at_a_time() {
    let nodes = Nodes::one().await;
    nodes.leader().set_up().await;
    let mut routing = nodes.leader().routing().await;
    for id in 0..5 {
        rep_of(&mut routing, &id.to_string()).await;
    }
    let mut seen = Vec::new();
    let mut request = pb::ListAssignmentsRequest {
        parent: "teams/t".to_owned(),
        campaign: "teams/t/campaigns/run".to_owned(),
        page_size: 2,
        ..Default::default()
    };
    loop {
        let page = routing.list_assignments(request.clone()).await.unwrap().into_inner();
        assert!(page.assignments.len() <= 2);
        seen.extend(page.assignments.into_iter().map(|a| a.contact));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(seen, ["0", "1", "2", "3", "4"]);

    let of_one = pb::ListAssignmentsRequest {
        parent: "teams/t".to_owned(),
        contact: "3".to_owned(),
        ..Default::default()
    };
    let found = routing.list_assignments(of_one).await.unwrap().into_inner().assignments;
    assert_eq!(found.len(), 1);
    let get = pb::GetAssignmentRequest { name: found[0].name.clone() };
    let got = routing.get_assignment(get).await.unwrap().into_inner().assignment;
    assert_eq!(got.as_ref(), found.first());
}

#[tokio::test]
async fn s0_17_a_rep_goes_away_and_comes_back() {
    let nodes = Nodes::one().await;
    nodes.leader().set_up().await;
    let mut reps = nodes.leader().reps().await;
    let name = "teams/t/reps/b".to_owned();
    let away = pb::SetOutOfOfficeRequest {
        name: name.clone(),
        note: "skiing".to_owned(),
        ..Default::default()
    };
    let rep = reps.set_out_of_office(away).await.unwrap().into_inner().rep.unwrap();
    assert_eq!(rep.availability(), Availability::OutOfOffice);
    assert_eq!(rep.out_of_office.len(), 1);
    assert_eq!(rep.out_of_office[0].end_time, None, "no end is known");
    assert_eq!(rep.out_of_office_note, "skiing");
    let read = reps.get_rep(pb::GetRepRequest { name: name.clone() }).await.unwrap();
    assert_eq!(read.into_inner().rep.unwrap(), rep);

    let mut routing = nodes.leader().routing().await;
    assert_eq!(rep_of(&mut routing, "1").await, "teams/t/reps/a");
    assert_eq!(rep_of(&mut routing, "2").await, "teams/t/reps/c");

    let back = pb::ClearOutOfOfficeRequest { name, ..Default::default() };
    let rep = reps.clear_out_of_office(back).await.unwrap().into_inner().rep.unwrap();
    assert_eq!(rep.availability(), Availability::Available);
    assert_eq!(rep_of(&mut routing, "3").await, "teams/t/reps/a");
    assert_eq!(rep_of(&mut routing, "4").await, "teams/t/reps/b");
}

#[tokio::test]
async fn resources_are_created_read_listed_changed_and_deleted() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;

    let name = "teams/t".to_owned();
    let team = node.teams().await.get_team(pb::GetTeamRequest { name }).await.unwrap();
    assert_eq!(team.into_inner().team.unwrap().default_group, "teams/t/groups/default");
    let teams = node.teams().await.list_teams(pb::ListTeamsRequest::default()).await.unwrap();
    assert_eq!(teams.into_inner().teams.len(), 1);

    let mut reps = node.reps().await;
    let list = pb::ListRepsRequest { parent: "teams/t".to_owned(), ..Default::default() };
    let listed = reps.list_reps(list.clone()).await.unwrap().into_inner().reps;
    assert_eq!(
        listed.iter().map(|r| r.email.as_str()).collect::<Vec<_>>(),
        ["a@example.com", "b@example.com", "c@example.com"]
    );

    let mut groups = node.groups().await;
    let remove = pb::RemoveGroupMemberRequest {
        name: "teams/t/groups/g".to_owned(),
        member: Some(pb::remove_group_member_request::Member::Rep("teams/t/reps/a".to_owned())),
        ..Default::default()
    };
    let group = groups.remove_group_member(remove).await.unwrap().into_inner().group.unwrap();
    assert_eq!(group.members.len(), 2);
    let add = pb::AddGroupMemberRequest {
        name: "teams/t/groups/g".to_owned(),
        members: vec![pb::GroupMember { weight: Some(3), ..member("a") }],
        ..Default::default()
    };
    let group = groups.add_group_member(add).await.unwrap().into_inner().group.unwrap();
    assert_eq!(group.members[2].member, member("a").member);
    assert_eq!(group.members[2].weight, Some(3));
    let get = pb::GetGroupRequest { name: group.name.clone() };
    assert_eq!(groups.get_group(get).await.unwrap().into_inner().group, Some(group));

    let mut campaigns = node.campaigns().await;
    let name = "teams/t/campaigns/run".to_owned();
    let request_id = String::new;
    let paused = pb::PauseCampaignRequest {
        name: name.clone(),
        request_id: request_id(),
        ..Default::default()
    };
    let paused = campaigns.pause_campaign(paused).await.unwrap().into_inner().campaign.unwrap();
    assert_eq!(paused.state(), CampaignState::Paused);
    let resumed = pb::ResumeCampaignRequest {
        name: name.clone(),
        request_id: request_id(),
        ..Default::default()
    };
    let resumed = campaigns.resume_campaign(resumed).await.unwrap().into_inner().campaign.unwrap();
    assert_eq!(resumed.state(), CampaignState::Running);
    let update = pb::UpdateCampaignRequest {
        campaign: Some(pb::Campaign {
            name: name.clone(),
            display_name: "Autumn".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let updated = campaigns.update_campaign(update).await.unwrap().into_inner().campaign.unwrap();
    assert_eq!(
        (updated.display_name.as_str(), updated.targets.clone()),
        ("Autumn", resumed.targets)
    );
    for name in [name.clone(), "teams/t/campaigns/draft".to_owned()] {
        let cancel =
            pb::CancelCampaignRequest { name, request_id: request_id(), ..Default::default() };
        let answer = campaigns.cancel_campaign(cancel).await.unwrap().into_inner();
        assert_eq!(answer.campaign.unwrap().state(), CampaignState::Cancelled);
    }
    let of_team = pb::ListCampaignsRequest { parent: "teams/t".to_owned(), ..Default::default() };
    assert_eq!(campaigns.list_campaigns(of_team).await.unwrap().into_inner().campaigns.len(), 2);

    let delete = pb::DeleteGroupRequest {
        name: "teams/t/groups/g".to_owned(),
        request_id: request_id(),
        ..Default::default()
    };
    assert!(groups.delete_group(delete).await.unwrap().into_inner().position.is_some());
    let list_groups = pb::ListGroupsRequest { parent: "teams/t".to_owned(), ..Default::default() };
    assert_eq!(groups.list_groups(list_groups).await.unwrap().into_inner().groups.len(), 1);
    let delete = pb::DeleteRepRequest {
        name: "teams/t/reps/a".to_owned(),
        request_id: request_id(),
        ..Default::default()
    };
    assert!(reps.delete_rep(delete).await.unwrap().into_inner().position.is_some());
    assert_eq!(reps.list_reps(list).await.unwrap().into_inner().reps.len(), 2);
}

#[tokio::test]
async fn s0_27_a_draft_that_could_not_launch_warns() {
    let nodes = Nodes::one().await;
    nodes.leader().set_up().await;
    // A team of its own, whose default group is empty.
    let team = pb::CreateTeamRequest { team_id: "new".to_owned(), ..Default::default() };
    nodes.leader().teams().await.create_team(team).await.unwrap();
    let create = pb::CreateCampaignRequest {
        parent: "teams/new".to_owned(),
        campaign_id: "c".to_owned(),
        ..Default::default()
    };
    let answer = nodes.leader().campaigns().await.create_campaign(create).await.unwrap();
    let campaign = answer.into_inner().campaign.unwrap();
    assert_eq!(campaign.state(), CampaignState::Draft);
    assert_eq!(campaign.targets, None, "the team's default");
    let warned =
        pb::campaign_warning::Kind::GroupHasNoAvailableRep("teams/new/groups/default".to_owned());
    assert!(campaign.warnings.iter().any(|w| w.kind == Some(warned.clone())), "{campaign:?}");
}

#[tokio::test]
async fn s0_27_a_dry_run_warns_of_the_same_and_changes_nothing() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let out = pb::UpdateRepRequest {
        rep: Some(pb::Rep {
            name: "teams/t/reps/c".to_owned(),
            disabled: true,
            ..Default::default()
        }),
        ..Default::default()
    };
    node.reps().await.update_rep(out).await.unwrap();
    let group = pb::CreateGroupRequest {
        parent: "teams/t".to_owned(),
        group_id: "out".to_owned(),
        group: Some(pb::Group { members: vec![member("c")], ..Default::default() }),
        ..Default::default()
    };
    node.groups().await.create_group(group).await.unwrap();
    let to = |groups: &[&str]| {
        let kind = |id: &&str| pb::target::Kind::Group(format!("teams/t/groups/{id}"));
        let target = |id| pb::Target { kind: Some(kind(id)), ..Default::default() };
        Some(pb::TargetList { targets: groups.iter().map(target).collect() })
    };
    let none = |groups: &[&str]| {
        let kind = |id: &&str| {
            pb::campaign_warning::Kind::GroupHasNoAvailableRep(format!("teams/t/groups/{id}"))
        };
        groups.iter().map(|id| Some(kind(id))).collect::<Vec<_>>()
    };
    let kinds = |campaign: &pb::Campaign| {
        campaign.warnings.iter().map(|warning| warning.kind.clone()).collect::<Vec<_>>()
    };
    let mut campaigns = node.campaigns().await;
    let create = pb::CreateCampaignRequest {
        parent: "teams/t".to_owned(),
        campaign_id: "warned".to_owned(),
        campaign: Some(pb::Campaign { targets: to(&["out"]), ..Default::default() }),
        ..Default::default()
    };
    let dry = pb::CreateCampaignRequest { validate_only: true, ..create.clone() };
    let before = node.hash().await;
    let would = campaigns.create_campaign(dry).await.unwrap().into_inner();
    assert_eq!((node.hash().await, would.position), (before, None));
    let would = kinds(&would.campaign.unwrap());
    assert!(would.contains(&none(&["out"])[0]), "{would:?}");
    let did = campaigns.create_campaign(create).await.unwrap().into_inner().campaign.unwrap();
    // A gap that has begun begins when it is asked about.
    let which = |kinds: Vec<Option<pb::campaign_warning::Kind>>| {
        kinds.into_iter().flatten().map(|kind| std::mem::discriminant(&kind)).collect::<Vec<_>>()
    };
    assert_eq!(which(kinds(&did)), which(would));

    // An edit that mends it, and one that breaks it again.
    for (groups, warned) in [(vec!["g"], vec![]), (vec!["out", "g"], none(&["out"]))] {
        let update = pb::UpdateCampaignRequest {
            campaign: Some(pb::Campaign {
                name: "teams/t/campaigns/warned".to_owned(),
                targets: to(&groups),
                ..Default::default()
            }),
            ..Default::default()
        };
        let dry = pb::UpdateCampaignRequest { validate_only: true, ..update.clone() };
        let before = node.hash().await;
        let would = campaigns.update_campaign(dry).await.unwrap().into_inner();
        assert_eq!((node.hash().await, would.position), (before, None));
        let would = would.campaign.unwrap();
        assert_eq!(kinds(&would), warned, "{groups:?}");
        let did = campaigns.update_campaign(update).await.unwrap().into_inner().campaign.unwrap();
        assert_eq!(did.warnings, would.warnings, "{groups:?}");
    }
}

#[tokio::test]
async fn a_retry_gets_the_first_answer() {
    let nodes = Nodes::one().await;
    nodes.leader().set_up().await;
    let mut routing = nodes.leader().routing().await;
    let request = pb::AssignContactRequest { request_id: "once".to_owned(), ..contact("1") };
    let first = routing.assign_contact(request.clone()).await.unwrap().into_inner();
    let before = nodes.leader().picture().await;
    let retry = routing.assign_contact(request).await.unwrap().into_inner();
    assert_eq!(retry, first);
    assert_eq!(nodes.leader().picture().await, before);
}
