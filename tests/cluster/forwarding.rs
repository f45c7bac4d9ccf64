//! Any node serves any call; where none can, the answer says when to try again.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use tokio::{process::Command, sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use turnwise::proto::turnwise::v1::{
    AssignContactResponse, AssignContactsRequest, CancelCampaignRequest, ClearOutOfOfficeRequest,
    DeleteGroupRequest, DeleteRepRequest, GetAssignmentRequest, GetCampaignRequest,
    GetGroupRequest, GetRepRequest, GetRotationRequest, GetTeamRequest, ItemStatus,
    ListCampaignsRequest, ListGroupsRequest, ListRepsRequest, ListTeamsRequest,
    PauseCampaignRequest, ResumeCampaignRequest, SetOutOfOfficeRequest,
    assign_contacts_response::Result as ItemResult, routing_service_client::RoutingServiceClient,
    team_service_client::TeamServiceClient,
};

use crate::{
    harness::{Cluster, PATIENCE, eventually},
    reference::{check_nodes, check_rotation},
    service::{Team, reason, says_when_to_retry},
};

/// Runs `work` with a node that did not lead while it ran, which its own count of proposals shows.
async fn on_a_follower(cluster: &Cluster, mut work: impl AsyncFnMut(u64, String)) {
    // An election in between, on a busy machine, is no failure; three in a row are.
    for attempt in 0..3 {
        let follower = cluster.follower().await;
        let proposed = || async { metric(cluster, follower, "turnwise_proposals_total").await };
        let before = proposed().await;
        work(follower, format!("team-{attempt}")).await;
        if proposed().await == before {
            return;
        }
    }
    panic!("the follower took the lead three times in a row");
}

/// The value of one metric of a node.
pub(crate) async fn metric(cluster: &Cluster, id: u64, name: &str) -> f64 {
    let page = cluster.page(id, "/metrics").await;
    let values = page.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let values: Vec<f64> = values.map(|value| value.parse().unwrap()).collect();
    assert_eq!(values.len(), 1, "{name} is on the page once: {page}");
    values[0]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_knows_one_follower_only_can_do_everything() {
    let cluster = Cluster::start().await;
    on_a_follower(&cluster, async |follower, id| {
        let client = cluster.client(&[follower]);
        let team = Team::create(&client, &id, 3).await;
        let name = team.name();
        let (rep, campaign) = (team.ring[0].clone(), team.campaign.clone());

        let answer = team.assign(&client, "x").await;
        let assignment = answer.assignment.unwrap();
        assert_eq!(assignment.rep, rep);
        let get = GetAssignmentRequest { name: assignment.name.clone() };
        assert_eq!(client.call(get).await.unwrap().assignment, Some(assignment));
        assert_eq!(team.assignments(&client).await.len(), 1);

        let away = SetOutOfOfficeRequest { name: rep.clone(), ..Default::default() };
        assert_eq!(client.call(away).await.unwrap().rep.unwrap().out_of_office.len(), 1);
        let back = ClearOutOfOfficeRequest { name: rep.clone(), ..Default::default() };
        assert_eq!(client.call(back).await.unwrap().rep.unwrap().out_of_office.len(), 0);

        let pause = PauseCampaignRequest { name: campaign.clone(), ..Default::default() };
        client.call(pause).await.unwrap();
        let resume = ResumeCampaignRequest { name: campaign.clone(), ..Default::default() };
        client.call(resume).await.unwrap();

        let mut streamed = Vec::new();
        let items = (0..50).map(|n| team.request(&format!("streamed-{n}")));
        let streaming = client.assign_many(items, 16, |_, answer| {
            streamed.push(answer?);
            Ok::<(), turnwise::client::Error>(())
        });
        streaming.await.unwrap();
        assert_eq!(streamed.len(), 50);

        let rotation =
            GetRotationRequest { name: format!("{name}/groups/ring/rotations/c"), next_count: 3 };
        let rotation = client.call(rotation).await.unwrap().rotation.unwrap();
        assert_eq!(rotation.last_served, team.ring[50 % 3]);
        assert_eq!(
            client.call(GetTeamRequest { name: name.clone() }).await.unwrap().team.unwrap().name,
            name
        );
        assert!(!client.call(ListTeamsRequest::default()).await.unwrap().teams.is_empty());
        let list = ListRepsRequest { parent: name.clone(), ..Default::default() };
        assert_eq!(client.call(list).await.unwrap().reps.len(), 3);
        client.call(GetRepRequest { name: rep.clone() }).await.unwrap();
        let list = ListGroupsRequest { parent: name.clone(), ..Default::default() };
        assert_eq!(client.call(list).await.unwrap().groups.len(), 2, "the default group too");
        let group = format!("{name}/groups/ring");
        client.call(GetGroupRequest { name: group.clone() }).await.unwrap();
        let list = ListCampaignsRequest { parent: name.clone(), ..Default::default() };
        assert_eq!(client.call(list).await.unwrap().campaigns.len(), 1);
        client.call(GetCampaignRequest { name: campaign.clone() }).await.unwrap();

        let cancel = CancelCampaignRequest { name: campaign, ..Default::default() };
        client.call(cancel).await.unwrap();
        client.call(DeleteGroupRequest { name: group, ..Default::default() }).await.unwrap();
        client.call(DeleteRepRequest { name: rep, ..Default::default() }).await.unwrap();
        let list = ListRepsRequest { parent: name, ..Default::default() };
        assert_eq!(client.call(list).await.unwrap().reps.len(), 2);
    })
    .await;
    cluster.agreed_hash().await;
}

/// Runs the command line against one node. Returns what it wrote.
async fn turnwise(endpoint: &str, words: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turnwise"));
    command.args(words.split(' ')).args(["--endpoints", endpoint, "--output", "csv"]);
    command.env_remove("TURNWISE_TEAM").kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "turnwise {words}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_line_that_knows_one_follower_only_can_do_everything() {
    let cluster = Cluster::start().await;
    on_a_follower(&cluster, async |follower, team| {
        let endpoint = cluster.client_address(follower);
        let run = async |words: String| turnwise(&endpoint, &words).await;
        run(format!("team create {team}")).await;
        run(format!("rep create ana --team {team}")).await;
        run(format!("rep create ben --team {team}")).await;
        run(format!("group create ring --team {team} ana ben")).await;
        run(format!("campaign create spring --team {team} --group ring --launch")).await;
        let assigned = run(format!("assign lead-1 --team {team} --campaign spring")).await;
        assert!(assigned.contains("ana"), "{assigned}");
        run(format!("rep out-of-office ben --team {team}")).await;
        let assigned = run(format!("assign lead-2 --team {team} --campaign spring")).await;
        assert!(assigned.contains("ana"), "ben is away: {assigned}");
        run(format!("rep back ben --team {team}")).await;
        let reps = run(format!("rep list --team {team}")).await;
        assert!(reps.contains("ana") && reps.contains("ben"), "{reps}");
        let status = run("cluster status".to_owned()).await;
        assert!(status.lines().count() >= 4, "a line for each node: {status}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_majority_every_call_is_unavailable_and_says_when_to_try_again() {
    let mut cluster = Cluster::start().await;
    let team = Team::create(&cluster.client(&cluster.ids()), "sales", 2).await;
    let left = cluster.follower().await;
    let away = cluster.others(left);
    let channel = cluster.channel(left).await;
    let (mut routing, mut teams) =
        (RoutingServiceClient::new(channel.clone()), TeamServiceClient::new(channel));
    for id in &away {
        cluster.kill(*id);
    }

    let mut request = team.request("x");
    request.request_id = "asked-in-vain".to_owned();
    let refused = eventually(async || {
        let status = routing.assign_contact(request.clone()).await.unwrap_err();
        assert!(says_when_to_retry(&status), "{status:?}");
        // Until the leader is missed, the call may be said to have been lost on the way there.
        (reason(&status) == "NO_LEADER").then_some(())
    });
    refused.await.expect("the node notices that nobody leads");
    let status = teams.get_team(GetTeamRequest { name: team.name() }).await.unwrap_err();
    assert!(says_when_to_retry(&status), "a read is not served from memory: {status:?}");
    let page = cluster.page(left, "/readyz").await;
    assert!(page.starts_with("HTTP/1.1 503") && page.contains("no leader is known"), "{page}");

    for id in &away {
        cluster.spawn(*id);
    }
    cluster.ready(&cluster.ids()).await;
    let client = cluster.client(&[left]);
    let answer = client.call(request).await.unwrap();
    check_rotation(&team.ring, std::slice::from_ref(&answer));
    check_nodes(&cluster, &team, &[answer]).await;
}

const ITEMS: usize = 1_500;
const IN_FLIGHT: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_through_a_follower_outlives_the_leader() {
    let mut cluster = Cluster::start().await;
    let team = Team::create(&cluster.client(&cluster.ids()), "sales", 5).await;
    let leader = cluster.leader().await;
    let follower = cluster.others(leader)[0];
    let mut service = RoutingServiceClient::new(cluster.channel(follower).await);
    let (items, outgoing) = mpsc::channel(IN_FLIGHT);
    let mut answers =
        service.assign_contacts(ReceiverStream::new(outgoing)).await.unwrap().into_inner();

    let mut unsent: VecDeque<usize> = (0..ITEMS).collect();
    let mut sent: VecDeque<usize> = VecDeque::new();
    let fill = async |sent: &mut VecDeque<usize>, unsent: &mut VecDeque<usize>| {
        while sent.len() < IN_FLIGHT
            && let Some(number) = unsent.pop_front()
        {
            let mut request = team.request(&format!("contact-{number}"));
            request.request_id = format!("request-{number}");
            items.send(AssignContactsRequest { request: Some(request) }).await.unwrap();
            sent.push_back(number);
        }
    };
    fill(&mut sent, &mut unsent).await;
    let mut done: Vec<AssignContactResponse> = Vec::new();
    let mut refused: Vec<ItemStatus> = Vec::new();
    let mut refused_in_a_row = 0;
    let mut next_item = 0;
    while let Some(number) = sent.pop_front() {
        let answer = timeout(PATIENCE, answers.message()).await.expect("an answer for each item");
        let answer = answer.unwrap().expect("the stream stays open");
        assert_eq!(answer.item, next_item, "answers come in the order of the items, without gaps");
        next_item += 1;
        match answer.result.unwrap() {
            ItemResult::Response(response) => {
                let contact = &response.assignment.as_ref().unwrap().contact;
                assert_eq!(*contact, format!("contact-{number}"), "to the item that was asked");
                done.push(response);
                refused_in_a_row = 0;
            }
            ItemResult::Status(status) => {
                assert_eq!(Code::from_i32(status.code), Code::Unavailable, "{status:?}");
                let delay = status.retry_delay.expect("a retry is safe, and helps");
                // As asked, once for all that were under way together.
                if refused_in_a_row % IN_FLIGHT == 0 {
                    tokio::time::sleep(Duration::try_from(delay).unwrap()).await;
                }
                refused_in_a_row += 1;
                refused.push(status);
                unsent.push_back(number);
            }
        }
        if next_item == 300 {
            cluster.kill(leader);
        }
        fill(&mut sent, &mut unsent).await;
    }
    assert!(!refused.is_empty(), "some items were under way when the leader died");
    drop(items);
    assert_eq!(answers.message().await.unwrap(), None, "the stream ends when the client ends it");

    let contacts: BTreeSet<_> =
        done.iter().map(|answer| answer.assignment.as_ref().unwrap().contact.clone()).collect();
    assert_eq!((contacts.len(), done.len()), (ITEMS, ITEMS));
    check_rotation(&team.ring, &done);
    cluster.restart(leader).await;
    check_nodes(&cluster, &team, &done).await;
}
