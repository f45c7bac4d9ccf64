//! Every call of the public API over the wire, each on another node than the one before: what the
//! answer says, and that a read on yet another node shows it. A call that is declared and not made here
//! fails the test.

use std::collections::BTreeMap;

use tokio_stream::iter;
use tonic::Code;
use turnwise::proto::turnwise::v1::{
    self as pb, AssignmentState as State, CampaignState, assign_contact_request::Via,
    assign_contacts_response::Result as ItemResult, backup_response::Part,
    campaign_service_client::CampaignServiceClient, cluster_service_client::ClusterServiceClient,
    event_service_client::EventServiceClient, group_service_client::GroupServiceClient,
    member_report, member_turns, reassign_assignment_request::To,
    remove_group_member_request as remove, rep_service_client::RepServiceClient,
    routing_rule_service_client::RoutingRuleServiceClient,
    routing_service_client::RoutingServiceClient, team_service_client::TeamServiceClient,
    token_service_client::TokenServiceClient,
};

use crate::{
    harness::{Cluster, eventually},
    service::{reason, to_group},
    wire::Tour,
};

const TEAM: &str = "teams/tour";
const RING: &str = "teams/tour/groups/ring";
const CAMPAIGN: &str = "teams/tour/campaigns/c";
const ROTATION: &str = "teams/tour/groups/ring/rotations/c";

/// One call through its generated client.
macro_rules! ask {
    ($tour:expr, $client:ident::$method:ident, $request:expr) => {
        $tour.ask($request, async |at, request| $client::new(at).$method(request).await).await
    };
}

/// The same for what is now gone.
macro_rules! gone {
    ($tour:expr, $client:ident::$method:ident, $request:expr) => {
        let status = ask!($tour, $client::$method, $request).unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::NotFound, "RESOURCE_NOT_FOUND")
        );
    };
}

fn rep(id: &str) -> String {
    format!("{TEAM}/reps/{id}")
}

fn email(id: &str) -> String {
    format!("{id}@example.com")
}

fn parent() -> String {
    TEAM.to_owned()
}

fn labels(value: &str) -> BTreeMap<String, String> {
    [("tier".to_owned(), value.to_owned())].into()
}

fn hour() -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds: 3_600, nanos: 0 })
}

// Reads, each on the next node.

async fn team(tour: &mut Tour, name: &str) -> pb::Team {
    let get = pb::GetTeamRequest { name: name.to_owned() };
    ask!(tour, TeamServiceClient::get_team, get).unwrap().team.unwrap()
}

async fn read_rep(tour: &mut Tour, name: &str) -> pb::Rep {
    let get = pb::GetRepRequest { name: name.to_owned() };
    ask!(tour, RepServiceClient::get_rep, get).unwrap().rep.unwrap()
}

async fn group(tour: &mut Tour, name: &str) -> pb::Group {
    let get = pb::GetGroupRequest { name: name.to_owned() };
    ask!(tour, GroupServiceClient::get_group, get).unwrap().group.unwrap()
}

async fn rule(tour: &mut Tour, name: &str) -> pb::RoutingRule {
    let get = pb::GetRoutingRuleRequest { name: name.to_owned() };
    let answer = ask!(tour, RoutingRuleServiceClient::get_routing_rule, get);
    answer.unwrap().routing_rule.unwrap()
}

async fn campaign(tour: &mut Tour, name: &str) -> pb::Campaign {
    let get = pb::GetCampaignRequest { name: name.to_owned() };
    ask!(tour, CampaignServiceClient::get_campaign, get).unwrap().campaign.unwrap()
}

/// Where the campaign's ring stands, whatever else the log holds, and the next three.
async fn rotation(tour: &mut Tour) -> pb::Rotation {
    let get = pb::GetRotationRequest { name: ROTATION.to_owned(), next_count: 3 };
    let answer = ask!(tour, GroupServiceClient::get_rotation, get);
    pb::Rotation { log_index: 0, ..answer.unwrap().rotation.unwrap() }
}

async fn assignment(tour: &mut Tour, name: &str) -> pb::Assignment {
    let get = pb::GetAssignmentRequest { name: name.to_owned() };
    as_answered(ask!(tour, RoutingServiceClient::get_assignment, get).unwrap().assignment.unwrap())
}

/// Reads tell the rep's email too, which the answers of changes do not.
fn as_answered(read: pb::Assignment) -> pb::Assignment {
    let email = read.rep.rsplit('/').next().filter(|id| !id.is_empty());
    assert_eq!(read.rep_email, email.map(self::email).unwrap_or_default());
    pb::Assignment { rep_email: String::new(), ..read }
}

/// All of the campaign, in the order they were made.
async fn assignments(tour: &mut Tour) -> Vec<pb::Assignment> {
    let list = pb::ListAssignmentsRequest {
        parent: parent(),
        campaign: CAMPAIGN.to_owned(),
        ..Default::default()
    };
    let page = ask!(tour, RoutingServiceClient::list_assignments, list).unwrap();
    assert_eq!(page.next_page_token, "");
    page.assignments.into_iter().map(as_answered).collect()
}

async fn teams(tour: &mut Tour) {
    for (id, display_name) in [("gone", "Gone"), ("tour", "Tour")] {
        let create = pb::CreateTeamRequest {
            team_id: id.to_owned(),
            team: Some(pb::Team { display_name: display_name.to_owned(), ..Default::default() }),
            ..Default::default()
        };
        let made = ask!(tour, TeamServiceClient::create_team, create).unwrap().team.unwrap();
        assert_eq!(
            (&made.name, made.display_name.as_str()),
            (&format!("teams/{id}"), display_name)
        );
        assert_eq!(team(tour, &made.name).await, made);
    }
    let update = pb::UpdateTeamRequest {
        team: Some(pb::Team {
            name: parent(),
            display_name: "Sales".to_owned(),
            labels: labels("1"),
            ..Default::default()
        }),
        ..Default::default()
    };
    let changed = ask!(tour, TeamServiceClient::update_team, update).unwrap().team.unwrap();
    assert_eq!((changed.display_name.as_str(), &changed.labels), ("Sales", &labels("1")));
    assert_eq!(team(tour, TEAM).await, changed);

    let list = pb::ListTeamsRequest::default();
    let teams = ask!(tour, TeamServiceClient::list_teams, list.clone()).unwrap().teams;
    assert_eq!(teams.len(), 2);
    let delete = pb::DeleteTeamRequest { name: "teams/gone".to_owned(), ..Default::default() };
    let answer = ask!(tour, TeamServiceClient::delete_team, delete).unwrap();
    assert!(answer.position.is_some());
    let name = "teams/gone".to_owned();
    gone!(tour, TeamServiceClient::get_team, pb::GetTeamRequest { name });
    assert_eq!(ask!(tour, TeamServiceClient::list_teams, list).unwrap().teams, [changed]);
}

async fn reps(tour: &mut Tour) {
    for id in ["a", "b", "c", "d"] {
        let email = email(id);
        let create = pb::CreateRepRequest {
            parent: parent(),
            rep_id: id.to_owned(),
            rep: Some(pb::Rep { email: email.clone(), ..Default::default() }),
            ..Default::default()
        };
        let made = ask!(tour, RepServiceClient::create_rep, create).unwrap().rep.unwrap();
        assert_eq!((&made.name, &made.email), (&rep(id), &email));
        assert_eq!(read_rep(tour, &made.name).await, made);
    }
    let update = pb::UpdateRepRequest {
        rep: Some(pb::Rep {
            name: rep("a"),
            max_open: 50,
            labels: labels("2"),
            ..Default::default()
        }),
        ..Default::default()
    };
    let changed = ask!(tour, RepServiceClient::update_rep, update).unwrap().rep.unwrap();
    assert_eq!((changed.max_open, &changed.labels), (50, &labels("2")));
    assert_eq!(read_rep(tour, &rep("a")).await, changed);

    let away = pb::SetOutOfOfficeRequest {
        name: rep("b"),
        note: "at sea".to_owned(),
        ..Default::default()
    };
    let away = ask!(tour, RepServiceClient::set_out_of_office, away).unwrap().rep.unwrap();
    assert_eq!(away.availability(), pb::Availability::OutOfOffice);
    assert_eq!(read_rep(tour, &rep("b")).await, away);
    let back = pb::ClearOutOfOfficeRequest { name: rep("b"), ..Default::default() };
    let back = ask!(tour, RepServiceClient::clear_out_of_office, back).unwrap().rep.unwrap();
    assert_eq!((back.availability(), back.out_of_office.len()), (pb::Availability::Available, 0));
    assert_eq!(read_rep(tour, &rep("b")).await, back);

    let online = pb::SetPresenceRequest {
        name: rep("c"),
        state: pb::PresenceState::Online.into(),
        ttl: hour(),
        ..Default::default()
    };
    let online = ask!(tour, RepServiceClient::set_presence, online).unwrap().rep.unwrap();
    assert_eq!(online.presence.as_ref().unwrap().state(), pb::PresenceState::Online);
    assert_eq!(read_rep(tour, &rep("c")).await, online);

    let delete = pb::DeleteRepRequest { name: rep("d"), ..Default::default() };
    assert!(ask!(tour, RepServiceClient::delete_rep, delete).unwrap().position.is_some());
    gone!(tour, RepServiceClient::get_rep, pb::GetRepRequest { name: rep("d") });
    let list = pb::ListRepsRequest { parent: parent(), ..Default::default() };
    let all = ask!(tour, RepServiceClient::list_reps, list).unwrap().reps;
    assert_eq!(all, [changed, back, online]);
}

fn member(id: &str) -> pb::GroupMember {
    let member = Some(pb::group_member::Member::Rep(rep(id)));
    pb::GroupMember { member, ..Default::default() }
}

/// Who is in the group, and with what weight.
fn weights(group: &pb::Group) -> Vec<(String, u32)> {
    let weight = |member: &pb::GroupMember| {
        let Some(pb::group_member::Member::Rep(name)) = &member.member else {
            panic!("{member:?}")
        };
        (name.clone(), member.weight.unwrap_or(1))
    };
    group.members.iter().map(weight).collect()
}

fn create_group(id: &str, reps: &[&str]) -> pb::CreateGroupRequest {
    let members = reps.iter().map(|id| member(id)).collect();
    pb::CreateGroupRequest {
        parent: parent(),
        group_id: id.to_owned(),
        group: Some(pb::Group { members, ..Default::default() }),
        ..Default::default()
    }
}

/// Leaves the ring `c a`, in which `a` has twice the weight: the turns are `c a a`.
async fn groups(tour: &mut Tour) {
    let create = create_group("ring", &["a", "b"]);
    let made = ask!(tour, GroupServiceClient::create_group, create).unwrap().group.unwrap();
    assert_eq!(weights(&made), [(rep("a"), 1), (rep("b"), 1)]);
    assert_eq!(group(tour, RING).await, made);

    let update = pb::UpdateGroupRequest {
        group: Some(pb::Group {
            name: RING.to_owned(),
            display_name: "Ring".to_owned(),
            ..Default::default()
        }),
        etag: made.etag,
        ..Default::default()
    };
    let named = ask!(tour, GroupServiceClient::update_group, update).unwrap().group.unwrap();
    assert_eq!(named.display_name, "Ring");
    assert_eq!(group(tour, RING).await, named);

    let add = pb::AddGroupMemberRequest {
        name: RING.to_owned(),
        members: vec![member("c")],
        ..Default::default()
    };
    let more = ask!(tour, GroupServiceClient::add_group_member, add).unwrap().group.unwrap();
    assert_eq!(weights(&more), [(rep("a"), 1), (rep("b"), 1), (rep("c"), 1)]);
    assert_eq!(group(tour, RING).await, more);

    let weigh = pb::UpdateGroupMemberRequest {
        name: RING.to_owned(),
        member: Some(pb::GroupMember { weight: Some(2), ..member("a") }),
        ..Default::default()
    };
    let answer = ask!(tour, GroupServiceClient::update_group_member, weigh);
    let weighed = answer.unwrap().group.unwrap();
    assert_eq!(weights(&weighed), [(rep("a"), 2), (rep("b"), 1), (rep("c"), 1)]);
    assert_eq!(group(tour, RING).await, weighed);

    let reorder = pb::ReorderGroupRequest {
        name: RING.to_owned(),
        members: ["c", "b", "a"].map(rep).into(),
        ..Default::default()
    };
    let turned = ask!(tour, GroupServiceClient::reorder_group, reorder).unwrap().group.unwrap();
    assert_eq!(weights(&turned), [(rep("c"), 1), (rep("b"), 1), (rep("a"), 2)]);
    assert_eq!(group(tour, RING).await, turned);

    let remove = pb::RemoveGroupMemberRequest {
        name: RING.to_owned(),
        member: Some(remove::Member::Rep(rep("b"))),
        ..Default::default()
    };
    let answer = ask!(tour, GroupServiceClient::remove_group_member, remove);
    let fewer = answer.unwrap().group.unwrap();
    assert_eq!(weights(&fewer), [(rep("c"), 1), (rep("a"), 2)]);
    assert_eq!(group(tour, RING).await, fewer);

    let spare = create_group("spare", &["a"]);
    let spare = ask!(tour, GroupServiceClient::create_group, spare).unwrap().group.unwrap().name;
    let delete = pb::DeleteGroupRequest { name: spare.clone(), ..Default::default() };
    assert!(ask!(tour, GroupServiceClient::delete_group, delete).unwrap().position.is_some());
    gone!(tour, GroupServiceClient::get_group, pb::GetGroupRequest { name: spare });
    let list = pb::ListGroupMembersRequest { parent: RING.to_owned(), ..Default::default() };
    let members = ask!(tour, GroupServiceClient::list_group_members, list).unwrap().members;
    assert_eq!(members, fewer.members);
    let list = pb::ListGroupsRequest { parent: parent(), ..Default::default() };
    let all = ask!(tour, GroupServiceClient::list_groups, list).unwrap().groups;
    let names: Vec<_> = all.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["teams/tour/groups/default", RING]);
    assert_eq!(all[1], fewer);
}

fn create_rule(id: &str, targets: Vec<pb::Target>) -> pb::CreateRoutingRuleRequest {
    pb::CreateRoutingRuleRequest {
        parent: parent(),
        routing_rule_id: id.to_owned(),
        routing_rule: Some(pb::RoutingRule {
            display_name: id.to_owned(),
            targets,
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Leaves `manual`, by which nobody is assigned, and `offers`, by which the ring is asked.
async fn rules(tour: &mut Tour) {
    let mut kept = Vec::new();
    for id in ["gone", "manual", "offers"] {
        let create = create_rule(id, vec![]);
        let answer = ask!(tour, RoutingRuleServiceClient::create_routing_rule, create);
        let made = answer.unwrap().routing_rule.unwrap();
        assert_eq!((made.display_name.as_str(), made.targets.len()), (id, 0));
        assert_eq!(rule(tour, &made.name).await, made);
        kept.push(made);
    }
    let targets = vec![pb::Target { accept_timeout: hour(), ..to_group(RING) }];
    let update = pb::UpdateRoutingRuleRequest {
        routing_rule: Some(pb::RoutingRule {
            name: kept[2].name.clone(),
            targets: targets.clone(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let answer = ask!(tour, RoutingRuleServiceClient::update_routing_rule, update);
    kept[2] = answer.unwrap().routing_rule.unwrap();
    assert_eq!(kept[2].targets, targets);
    assert_eq!(rule(tour, &kept[2].name).await, kept[2]);

    let name = kept.remove(0).name;
    let delete = pb::DeleteRoutingRuleRequest { name: name.clone(), ..Default::default() };
    let answer = ask!(tour, RoutingRuleServiceClient::delete_routing_rule, delete);
    assert!(answer.unwrap().position.is_some());
    let get = pb::GetRoutingRuleRequest { name };
    gone!(tour, RoutingRuleServiceClient::get_routing_rule, get);
    let list = pb::ListRoutingRulesRequest { parent: parent(), ..Default::default() };
    let answer = ask!(tour, RoutingRuleServiceClient::list_routing_rules, list);
    assert_eq!(answer.unwrap().routing_rules, kept);
}

fn create_campaign(id: &str) -> pb::CreateCampaignRequest {
    let targets = vec![to_group(RING)];
    pb::CreateCampaignRequest {
        parent: parent(),
        campaign_id: id.to_owned(),
        campaign: Some(pb::Campaign {
            targets: Some(pb::TargetList { targets }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Leaves campaign `c` over the ring, running.
async fn campaigns(tour: &mut Tour) {
    let create = create_campaign("c");
    let answer = ask!(tour, CampaignServiceClient::create_campaign, create);
    let made = answer.unwrap().campaign.unwrap();
    assert_eq!((made.name.as_str(), made.state()), (CAMPAIGN, CampaignState::Draft));
    assert_eq!(campaign(tour, CAMPAIGN).await, made);

    let update = pb::UpdateCampaignRequest {
        campaign: Some(pb::Campaign {
            name: CAMPAIGN.to_owned(),
            display_name: "Spring".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let answer = ask!(tour, CampaignServiceClient::update_campaign, update);
    let named = answer.unwrap().campaign.unwrap();
    assert_eq!((named.display_name.as_str(), named.targets.clone()), ("Spring", made.targets));
    assert_eq!(campaign(tour, CAMPAIGN).await, named);

    let launch_time = Some(prost_types::Timestamp { seconds: 1_900_000_000, nanos: 0 });
    let schedule = pb::ScheduleCampaignRequest {
        name: CAMPAIGN.to_owned(),
        launch_time,
        ..Default::default()
    };
    let answer = ask!(tour, CampaignServiceClient::schedule_campaign, schedule);
    let scheduled = answer.unwrap().campaign.unwrap();
    let (state, at) = (scheduled.state(), scheduled.launch_time);
    assert_eq!((state, at), (CampaignState::Scheduled, launch_time));
    assert_eq!(campaign(tour, CAMPAIGN).await, scheduled);

    let launch = pb::LaunchCampaignRequest { name: CAMPAIGN.to_owned(), ..Default::default() };
    let answer = ask!(tour, CampaignServiceClient::launch_campaign, launch);
    let launched = answer.unwrap().campaign.unwrap();
    assert_eq!(launched.state(), CampaignState::Running);
    assert_eq!(campaign(tour, CAMPAIGN).await, launched);
    let pause = pb::PauseCampaignRequest { name: CAMPAIGN.to_owned(), ..Default::default() };
    let answer = ask!(tour, CampaignServiceClient::pause_campaign, pause);
    let paused = answer.unwrap().campaign.unwrap();
    assert_eq!(paused.state(), CampaignState::Paused);
    assert_eq!(campaign(tour, CAMPAIGN).await, paused);
    let resume = pb::ResumeCampaignRequest { name: CAMPAIGN.to_owned(), ..Default::default() };
    let answer = ask!(tour, CampaignServiceClient::resume_campaign, resume);
    let resumed = answer.unwrap().campaign.unwrap();
    assert_eq!(resumed.state(), CampaignState::Running);
    assert_eq!(campaign(tour, CAMPAIGN).await, resumed);

    let create = create_campaign("gone");
    let answer = ask!(tour, CampaignServiceClient::create_campaign, create);
    let name = answer.unwrap().campaign.unwrap().name;
    let cancel = pb::CancelCampaignRequest { name: name.clone(), ..Default::default() };
    let answer = ask!(tour, CampaignServiceClient::cancel_campaign, cancel);
    let cancelled = answer.unwrap().campaign.unwrap();
    assert_eq!(cancelled.state(), CampaignState::Cancelled);
    assert_eq!(campaign(tour, &name).await, cancelled);
    let delete = pb::DeleteCampaignRequest { name: name.clone(), ..Default::default() };
    let answer = ask!(tour, CampaignServiceClient::delete_campaign, delete);
    assert!(answer.unwrap().position.is_some());
    gone!(tour, CampaignServiceClient::get_campaign, pb::GetCampaignRequest { name });
    let list = pb::ListCampaignsRequest { parent: parent(), ..Default::default() };
    let all = ask!(tour, CampaignServiceClient::list_campaigns, list).unwrap().campaigns;
    assert_eq!(all, [resumed]);
}

fn contact(id: &str, via: Via) -> pb::AssignContactRequest {
    pb::AssignContactRequest {
        parent: parent(),
        contact: id.to_owned(),
        via: Some(via),
        ..Default::default()
    }
}

fn lead(id: &str) -> pb::AssignContactRequest {
    contact(id, Via::Campaign(CAMPAIGN.to_owned()))
}

fn reps_of(all: &[pb::Assignment]) -> Vec<String> {
    all.iter().map(|assignment| assignment.rep.clone()).collect()
}

async fn assign(tour: &mut Tour, request: pb::AssignContactRequest) -> pb::Assignment {
    let answer = ask!(tour, RoutingServiceClient::assign_contact, request).unwrap();
    assert!(!answer.existing);
    let made = answer.assignment.unwrap();
    assert_eq!(assignment(tour, &made.name).await, made);
    made
}

/// The turns `c`, `a a`, `c a a`: of one call, of a batch, and of a stream.
async fn turns(tour: &mut Tour) -> Vec<pb::Assignment> {
    let preview = pb::PreviewAssignContactRequest {
        request: Some(lead("lead-1")),
        count: 6,
        ..Default::default()
    };
    let answer = ask!(tour, RoutingServiceClient::preview_assign_contact, preview).unwrap();
    let foreseen: Vec<_> =
        answer.picks.into_iter().map(|pick| pick.assignment.unwrap().rep).collect();
    assert_eq!(foreseen, ["c", "a", "a", "c", "a", "a"].map(rep));
    assert_eq!(assignments(tour).await, []);

    let mut made = vec![assign(tour, lead("lead-1")).await];
    let batch = pb::BatchAssignContactsRequest {
        parent: parent(),
        requests: ["lead-2", "lead-3"].map(lead).into(),
        ..Default::default()
    };
    let answer = ask!(tour, RoutingServiceClient::batch_assign_contacts, batch).unwrap();
    made.extend(answer.responses.into_iter().map(|answer| answer.assignment.unwrap()));
    assert_eq!(assignments(tour).await, made);

    let items = ["lead-4", "lead-5", "lead-6"].map(|id| pb::AssignContactsRequest {
        request: Some(pb::AssignContactRequest { request_id: id.to_owned(), ..lead(id) }),
    });
    let streamed = eventually(async || {
        let mut service = RoutingServiceClient::new(tour.next());
        let mut answers = service.assign_contacts(iter(items.clone())).await.ok()?.into_inner();
        let mut made = Vec::new();
        while let Some(answer) = answers.message().await.ok()? {
            assert_eq!(answer.item, u64::try_from(made.len()).unwrap());
            match answer.result.unwrap() {
                ItemResult::Response(response) => made.push(response.assignment.unwrap()),
                ItemResult::Status(status) if status.retry_delay.is_some() => return None,
                ItemResult::Status(status) => panic!("{status:?}"),
            }
        }
        Some(made)
    });
    made.extend(streamed.await.expect("there is a leader in time"));
    tour.note_answered();
    assert_eq!(assignments(tour).await, made);
    assert_eq!(reps_of(&made), foreseen);

    let explain = pb::ExplainAssignmentRequest { name: made[0].name.clone() };
    let told = ask!(tour, RoutingServiceClient::explain_assignment, explain).unwrap();
    assert_eq!(told.assignment.map(as_answered).as_ref(), Some(&made[0]));
    let text = told.sentences.join("\n");
    assert!(text.contains("Contact `lead-1` is with `c`: it was their turn."), "{text}");
    made
}

/// Where the ring stands, after the turns `c a a c a a`.
async fn rotations(tour: &mut Tour) {
    let before = rotation(tour).await;
    assert_eq!(
        (&before.last_served, &before.next_members[..]),
        (&rep("a"), &["c", "a", "a"].map(rep)[..])
    );
    let adjust = pb::AdjustRotationRequest {
        name: ROTATION.to_owned(),
        member: rep("c"),
        credits: 1,
        reason: "was ill".to_owned(),
        ..Default::default()
    };
    let answer = ask!(tour, GroupServiceClient::adjust_rotation, adjust);
    let adjusted = answer.unwrap().rotation.unwrap();
    let turns = |who: &str, turns, credits| pb::MemberTurns {
        member: Some(member_turns::Member::Rep(rep(who))),
        turns,
        credits,
    };
    assert_eq!(adjusted.turns, [turns("c", 2, 1), turns("a", 4, 0)]);
    let seen = rotation(tour).await;
    assert_eq!((&seen.turns, &seen.cursor), (&adjusted.turns, &before.cursor));
    assert_eq!(seen.next_members, ["c", "c", "a"].map(rep));
    for id in ["lead-7", "lead-8"] {
        assert_eq!(assign(tour, lead(id)).await.rep, rep("c"));
    }
    assert_eq!(rotation(tour).await.next_members, ["a", "a", "c"].map(rep));

    let reset = pb::ResetRotationRequest { name: ROTATION.to_owned(), ..Default::default() };
    let answer = ask!(tour, GroupServiceClient::reset_rotation, reset);
    let reset = answer.unwrap().rotation.unwrap();
    assert!(reset.restart_time.is_some());
    let seen = rotation(tour).await;
    assert_eq!((seen.restart_time, &seen.cursor), (reset.restart_time, &reset.cursor));
    assert_eq!(seen.next_members, ["c", "a", "a"].map(rep));

    let list =
        pb::ListRotationsRequest { parent: RING.to_owned(), next_count: 3, ..Default::default() };
    let mut all = ask!(tour, GroupServiceClient::list_rotations, list).unwrap().rotations;
    all.iter_mut().for_each(|rotation| rotation.log_index = 0);
    assert_eq!(all, [seen]);

    let report = pb::GetGroupReportRequest { name: RING.to_owned(), since: None };
    let report = ask!(tour, GroupServiceClient::get_group_report, report).unwrap().report.unwrap();
    let of = |member: &pb::MemberReport| (member.member.clone(), member.turns, member.place);
    let expected = [("c", 4, Some(1)), ("a", 4, Some(2))];
    let expected = expected
        .map(|(id, turns, place)| (Some(member_report::Member::Rep(rep(id))), turns, place));
    assert_eq!(report.members.iter().map(of).collect::<Vec<_>>(), expected);
    assert_eq!(report.decisions, 8);
}

/// What the answer to a step of an assignment's life says, and what the next node reads.
async fn step(
    tour: &mut Tour,
    after: Option<pb::Assignment>,
    state: State,
    of: &str,
) -> pb::Assignment {
    let after = after.unwrap();
    let who = if of.is_empty() { String::new() } else { rep(of) };
    assert_eq!((after.state(), &after.rep), (state, &who), "{}", after.contact);
    assert_eq!(assignment(tour, &after.name).await, after);
    after
}

/// Offers, claims, moves and ends.
async fn life(tour: &mut Tour, leads: &[pb::Assignment]) {
    let offers = Via::RoutingRule(format!("{TEAM}/routingRules/offers"));
    let offered = assign(tour, contact("offered", offers)).await;
    assert_eq!((offered.state(), &offered.rep), (State::Offered, &rep("c")));
    let name = offered.name;
    let call = pb::RejectAssignmentRequest { name: name.clone(), ..Default::default() };
    let answer = ask!(tour, RoutingServiceClient::reject_assignment, call).unwrap();
    let rejected = step(tour, answer.assignment, State::Offered, "a").await;
    assert_eq!(rejected.rejected_by, [rep("c")]);
    let call = pb::AcceptAssignmentRequest { name, rep: rep("a"), ..Default::default() };
    let answer = ask!(tour, RoutingServiceClient::accept_assignment, call).unwrap();
    step(tour, answer.assignment, State::Assigned, "a").await;

    let manual = Via::RoutingRule(format!("{TEAM}/routingRules/manual"));
    let waiting = assign(tour, contact("by-hand", manual)).await;
    assert_eq!(waiting.state(), State::Unassigned);
    let call =
        pb::ClaimAssignmentRequest { name: waiting.name, rep: rep("b"), ..Default::default() };
    let answer = ask!(tour, RoutingServiceClient::claim_assignment, call).unwrap();
    step(tour, answer.assignment, State::Assigned, "b").await;

    let name = |lead: usize| leads[lead].name.clone();
    for (to, whose) in [(To::ByRule(true), "a"), (To::Rep(rep("b")), "b")] {
        let call =
            pb::ReassignAssignmentRequest { name: name(0), to: Some(to), ..Default::default() };
        let answer = ask!(tour, RoutingServiceClient::reassign_assignment, call).unwrap();
        step(tour, answer.assignment, State::Assigned, whose).await;
    }
    let call = pb::UnassignAssignmentRequest { name: name(1), ..Default::default() };
    let answer = ask!(tour, RoutingServiceClient::unassign_assignment, call).unwrap();
    step(tour, answer.assignment, State::Unassigned, "").await;
    let call = pb::CloseAssignmentRequest { name: name(2), ..Default::default() };
    let answer = ask!(tour, RoutingServiceClient::close_assignment, call).unwrap();
    step(tour, answer.assignment, State::Closed, "a").await;
    let call = pb::CancelAssignmentRequest { name: name(3), ..Default::default() };
    let answer = ask!(tour, RoutingServiceClient::cancel_assignment, call).unwrap();
    step(tour, answer.assignment, State::Cancelled, "c").await;
}

/// What happened, as one node lists it and the next one tells it.
async fn events(tour: &mut Tour) {
    let list = pb::ListEventsRequest { parent: parent(), page_size: 1_000, ..Default::default() };
    let listed = ask!(tour, EventServiceClient::list_events, list).unwrap();
    assert_eq!(listed.next_page_token, "");
    let last = listed.events.last().unwrap();
    assert_eq!(last.r#type(), pb::EventType::AssignmentCancelled);
    let created = listed.events.iter().filter(|event| event.r#type() == pb::EventType::Created);
    let created: Vec<_> = created.map(|event| event.resource.trim_start_matches(TEAM)).collect();
    let expected = "
        /reps/a /reps/b /reps/c /reps/d /groups/ring /groups/spare
        /routingRules/gone /routingRules/manual /routingRules/offers /campaigns/c /campaigns/gone";
    assert_eq!(created[0], "", "the team itself");
    assert_eq!(created[1..], expected.split_whitespace().collect::<Vec<_>>());

    let watch = pb::WatchEventsRequest { parent: parent(), start_index: 1 };
    let watched = eventually(async || {
        let mut service = EventServiceClient::new(tour.next());
        let mut told = service.watch_events(watch.clone()).await.ok()?.into_inner();
        let mut seen = Vec::new();
        while seen.len() < listed.events.len() {
            seen.extend(told.message().await.ok()??.events);
        }
        Some(seen)
    });
    assert!(watched.await.unwrap() == listed.events);
    tour.note_answered();
}

async fn tokens(tour: &mut Tour) {
    let viewer = pb::Role { kind: pb::RoleKind::Viewer.into(), ..Default::default() };
    let token = pb::Token { role: Some(viewer), ..Default::default() };
    let create = pb::CreateTokenRequest {
        parent: parent(),
        token_id: "eye".to_owned(),
        token: Some(token),
        secret_sha256: vec![7; 32].into(),
        ..Default::default()
    };
    let created = ask!(tour, TokenServiceClient::create_token, create).unwrap().token.unwrap();
    let name = created.name.clone();
    let get = pb::GetTokenRequest { name: name.clone() };
    let read = ask!(tour, TokenServiceClient::get_token, get.clone()).unwrap().token;
    assert_eq!(read.as_ref(), Some(&created));
    let renamed = pb::Token { display_name: "Eye".to_owned(), ..created };
    let update = pb::UpdateTokenRequest { token: Some(renamed), ..Default::default() };
    let updated = ask!(tour, TokenServiceClient::update_token, update).unwrap().token.unwrap();
    assert_eq!(updated.display_name, "Eye");
    let list = pb::ListTokensRequest { parent: parent(), ..Default::default() };
    let listed = ask!(tour, TokenServiceClient::list_tokens, list).unwrap().tokens;
    assert_eq!(listed, [updated]);
    let delete = pb::DeleteTokenRequest { name, ..Default::default() };
    ask!(tour, TokenServiceClient::delete_token, delete).unwrap();
    gone!(tour, TokenServiceClient::get_token, get);
}

async fn cluster_seen(tour: &mut Tour, cluster: &Cluster) {
    let call = pb::GetClusterRequest::default();
    let seen = ask!(tour, ClusterServiceClient::get_cluster, call).unwrap().cluster.unwrap();
    assert_eq!(seen.cluster_id, cluster.cluster_id.to_string());
    let ids: Vec<_> = seen.members.iter().map(|member| member.node_id).collect();
    assert_eq!(ids, cluster.ids());

    let made =
        ask!(tour, ClusterServiceClient::create_join_token, pb::CreateJoinTokenRequest::default());
    assert!(made.unwrap().token.starts_with("tw_join_"));
    let remove = pb::RemoveMemberRequest { node_id: 77 };
    let unknown = ask!(tour, ClusterServiceClient::remove_member, remove).unwrap_err();
    assert_eq!(unknown.code(), tonic::Code::NotFound, "{unknown}");

    let taken = eventually(async || {
        let mut service = ClusterServiceClient::new(tour.next());
        let mut parts = service.backup(pb::BackupRequest {}).await.ok()?.into_inner();
        let Some(Part::Metadata(metadata)) = parts.message().await.ok()??.part else {
            panic!("the metadata comes first");
        };
        let mut bytes = Vec::new();
        while let Some(part) = parts.message().await.ok()? {
            let Some(Part::Chunk(chunk)) = part.part else { panic!("then only chunks") };
            assert!((1..=1 << 20).contains(&chunk.len()));
            bytes.extend(chunk);
        }
        Some((metadata, bytes))
    });
    let (metadata, bytes) = taken.await.unwrap();
    tour.note_answered();
    let path = cluster.path("backup");
    std::fs::write(&path, bytes).unwrap();
    let backup = turnwise::backup::read(&path).unwrap();
    assert_eq!(metadata.state_hash, format!("{:032x}", backup.state.hash()));
    assert_eq!(metadata.log_index, backup.about.log_index);
    assert_eq!((metadata.cluster_id, metadata.team_count), (seen.cluster_id, 1));

    let to = cluster.others(seen.leader_node_id)[0];
    let transfer = pb::TransferLeaderRequest { node_id: to };
    let done = ask!(tour, ClusterServiceClient::transfer_leader, transfer).unwrap();
    assert_eq!(done.leader_node_id, to);
    let led = eventually(async || {
        let call = pb::GetClusterRequest::default();
        let seen = ask!(tour, ClusterServiceClient::get_cluster, call).unwrap().cluster.unwrap();
        (seen.leader_node_id == to && seen.term == done.term).then_some(())
    });
    led.await.unwrap();
}

async fn one_leaves(tour: &mut Tour, cluster: &Cluster) {
    let leader = cluster.leader().await;
    let leaves = cluster.others(leader)[0];
    let remove = pb::RemoveMemberRequest { node_id: leaves };
    ask!(tour, ClusterServiceClient::remove_member, remove).unwrap();
    let members = cluster.seen_by(leader).await.members;
    let ids: Vec<_> = members.iter().map(|member| member.node_id).collect();
    assert_eq!(ids, cluster.others(leaves));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_takes_effect_for_all_nodes_whichever_it_is_made_on() {
    let cluster = Cluster::start().await;
    let mut tour = Tour::of(&cluster).await;
    teams(&mut tour).await;
    reps(&mut tour).await;
    groups(&mut tour).await;
    rules(&mut tour).await;
    campaigns(&mut tour).await;
    let leads = turns(&mut tour).await;
    rotations(&mut tour).await;
    life(&mut tour, &leads).await;
    events(&mut tour).await;
    tokens(&mut tour).await;
    cluster_seen(&mut tour, &cluster).await;
    cluster.agreed_hash().await;
    one_leaves(&mut tour, &cluster).await;
    tour.was_complete();
}
