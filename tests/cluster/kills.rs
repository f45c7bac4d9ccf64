//! SIGKILL at any moment: nothing acknowledged is lost, nothing is done twice, and the rotations go on
//! where they stood (S3-13).

use turnwise::proto::turnwise::v1::{
    AddGroupMemberRequest, ClearOutOfOfficeRequest, CreateCampaignRequest, CreateGroupRequest,
    CreateRepRequest, CreateTeamRequest, Group, GroupMember, LaunchCampaignRequest,
    RemoveGroupMemberRequest, Rep, SetOutOfOfficeRequest, group_member,
    remove_group_member_request,
};

use crate::{
    crowd::Crowd,
    harness::{Cluster, Setup, eventually},
    reference::{check_nodes, check_rotation},
    service::{Team, bytes},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_13_killing_the_leader_under_load_loses_and_duplicates_nothing() {
    let mut cluster = Cluster::start().await;
    let team = Team::create(&cluster.client(&cluster.ids()), "sales", 5).await;
    let mut crowd = Crowd::gather(&cluster, &team, 8);
    crowd.answered(300).await;
    let leader = cluster.leader().await;
    cluster.kill(leader);
    crowd.answered(300).await;
    let next = cluster.leader_among(&cluster.others(leader)).await;
    assert_ne!(next, leader);
    cluster.restart(leader).await;
    crowd.answered(300).await;
    let answers = crowd.disperse().await;
    assert!(answers.len() >= 900);
    check_rotation(&team.ring, &answers);
    check_nodes(&cluster, &team, &answers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_13_whichever_node_is_killed_and_whenever_nothing_acknowledged_is_lost() {
    let mut cluster = Cluster::start().await;
    let team = Team::create(&cluster.client(&cluster.ids()), "sales", 3).await;
    let mut crowd = Crowd::gather(&cluster, &team, 4);
    for id in cluster.ids() {
        crowd.answered(rand::random_range(1..150)).await;
        cluster.kill(id);
        crowd.answered(rand::random_range(1..150)).await;
        cluster.restart(id).await;
    }
    crowd.answered(rand::random_range(1..150)).await;
    cluster.restart_all().await;
    crowd.answered(50).await;
    let answers = crowd.disperse().await;
    check_rotation(&team.ring, &answers);
    check_nodes(&cluster, &team, &answers).await;
}

/// Repeats a call, with the same request id, and has its answer's bytes.
macro_rules! ask {
    ($client:expr, $answers:expr, $call:expr) => {
        $answers.push(bytes(&$client.call($call).await.unwrap()))
    };
}

/// One call of most kinds, each with a request id of its own. Returns the bytes of the answers.
async fn calls(client: &turnwise::client::Client) -> Vec<Vec<u8>> {
    let id = |what: &str| format!("the-one-and-only-{what}");
    let parent = || "teams/steady".to_owned();
    let mut answers = Vec::new();
    let team_id = "steady".to_owned();
    ask!(
        client,
        answers,
        CreateTeamRequest {
            team_id,
            team: None,
            request_id: id("team"),
            ..CreateTeamRequest::default()
        }
    );
    let name = |rep| format!("{}/reps/{rep}", parent());
    let member = |rep| {
        let member = Some(group_member::Member::Rep(name(rep)));
        GroupMember { member, ..GroupMember::default() }
    };
    for rep in ["a", "b", "c"] {
        ask!(
            client,
            answers,
            CreateRepRequest {
                parent: parent(),
                rep_id: rep.to_owned(),
                rep: Some(Rep { email: format!("{rep}@example.com"), ..Rep::default() }),
                request_id: id(rep),
                ..CreateRepRequest::default()
            }
        );
    }
    ask!(
        client,
        answers,
        CreateGroupRequest {
            parent: parent(),
            group_id: "ring".to_owned(),
            group: Some(Group { members: vec![member("a"), member("b")], ..Group::default() }),
            request_id: id("group"),
            ..CreateGroupRequest::default()
        }
    );
    let group = || format!("{}/groups/ring", parent());
    ask!(
        client,
        answers,
        AddGroupMemberRequest {
            name: group(),
            members: vec![member("c")],
            request_id: id("add"),
            ..AddGroupMemberRequest::default()
        }
    );
    ask!(
        client,
        answers,
        RemoveGroupMemberRequest {
            name: group(),
            member: Some(remove_group_member_request::Member::Rep(name("b"))),
            request_id: id("remove"),
            ..RemoveGroupMemberRequest::default()
        }
    );
    ask!(
        client,
        answers,
        CreateCampaignRequest {
            parent: parent(),
            campaign_id: "c".to_owned(),
            campaign: None,
            request_id: id("campaign"),
            ..CreateCampaignRequest::default()
        }
    );
    let campaign = format!("{}/campaigns/c", parent());
    ask!(
        client,
        answers,
        LaunchCampaignRequest {
            name: campaign.clone(),
            request_id: id("launch"),
            ..LaunchCampaignRequest::default()
        }
    );
    let team = Team { id: "steady".to_owned(), ring: Vec::new(), campaign };
    for contact in ["x", "y", "z"] {
        let mut request = team.request(contact);
        request.request_id = id(contact);
        ask!(client, answers, request);
    }
    ask!(
        client,
        answers,
        SetOutOfOfficeRequest {
            name: name("a"),
            request_id: id("away"),
            ..SetOutOfOfficeRequest::default()
        }
    );
    ask!(
        client,
        answers,
        ClearOutOfOfficeRequest {
            name: name("a"),
            request_id: id("back"),
            ..ClearOutOfOfficeRequest::default()
        }
    );
    // A refusal is an answer too, and stays what it was although its cause is gone later.
    let reused = CreateTeamRequest {
        team_id: "steady".to_owned(),
        team: None,
        request_id: id("team-again"),
        ..CreateTeamRequest::default()
    };
    let refused = client.call(reused).await.unwrap_err();
    assert_eq!(refused.reason().as_deref(), Some("RESOURCE_ALREADY_EXISTS"));
    answers.push(refused.to_string().into_bytes());
    answers
}

/// Last index of the newest snapshot that a node says it has written.
fn snapshot_written(log: &str) -> u64 {
    let lines = log.lines().filter(|line| line.contains("snapshot written"));
    let index = |line: &str| line.split("index=").nth(1)?.split_whitespace().next()?.parse().ok();
    lines.filter_map(index).max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_id_gets_the_same_answer_after_a_snapshot_and_a_restart_of_all_nodes() {
    let flags = vec!["--snapshot-every", "8KiB", "--log-tail-max", "8KiB"];
    let mut cluster = Cluster::start_with(Setup { flags, ..Setup::default() }).await;
    let client = cluster.client(&cluster.ids());
    let first = calls(&client).await;
    assert_eq!(calls(&client).await, first, "at once");

    let other = Team::create(&client, "other", 2).await;
    let last = other.assign(&client, "first").await.position.unwrap().log_index;
    let mut contact = 0;
    let covered = eventually(async || {
        for _ in 0..32 {
            contact += 1;
            other.assign(&client, &format!("contact-{contact}")).await;
        }
        cluster.ids().iter().all(|id| snapshot_written(&cluster.log(*id)) > last).then_some(())
    });
    covered.await.expect("every node takes snapshots");
    assert_eq!(calls(&client).await, first, "after a snapshot");

    cluster.restart_all().await;
    for id in cluster.ids() {
        assert_eq!(calls(&cluster.client(&[id])).await, first, "from node {id} after a restart");
    }
    let changed = CreateRepRequest {
        parent: "teams/steady".to_owned(),
        rep_id: "d".to_owned(),
        request_id: "the-one-and-only-a".to_owned(),
        ..CreateRepRequest::default()
    };
    let refused = client.call(changed).await.unwrap_err();
    assert_eq!(refused.reason().as_deref(), Some("REQUEST_ID_REUSED"));
    cluster.agreed_hash().await;
}
