//! A backup of a live cluster under load, restored into a new one; a lost majority, recovered from the one
//! node that is left.

use std::{collections::BTreeMap, fs, path::Path, process::Output};

use serde_json::Value;
use turnwise::{
    client::Client,
    proto::turnwise::v1::{
        AssignContactRequest, AssignContactResponse, ClearOutOfOfficeRequest, GetRepRequest,
        SetOutOfOfficeRequest,
    },
};

use crate::{
    crowd::Crowd,
    harness::{Cluster, EXIT_FAILED, EXIT_FAULT, turnwise},
    membership::{grow, shrink, token, voters},
    reference::{check_nodes, check_rotation},
    service::{Team, position},
};

fn run(arguments: &[&str]) -> Output {
    turnwise().args(["--output", "json"]).args(arguments).output().unwrap()
}

/// The data of a command that has to work.
#[track_caller]
fn json(arguments: &[&str]) -> Value {
    let output = run(arguments);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a command says that has to fail with this code.
#[track_caller]
fn failed(arguments: &[&str], code: i32) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Which rep's turn it is after this many turns.
fn next_in_turn(team: &Team, turns: usize) -> &String {
    &team.ring[turns % team.ring.len()]
}

/// By position.
fn by_position(answers: &[AssignContactResponse]) -> BTreeMap<(u64, u32), &AssignContactResponse> {
    let place = |answer: &AssignContactResponse| position(answer.assignment.as_ref().unwrap());
    answers.iter().map(|answer| (place(answer), answer)).collect()
}

/// Assigns one more contact, under a request id that can be sent again.
async fn remembered(team: &Team, client: &Client) -> (AssignContactRequest, AssignContactResponse) {
    let request =
        AssignContactRequest { request_id: "remember-me".to_owned(), ..team.request("remembered") };
    let answer = client.call(request.clone()).await.unwrap();
    (request, answer)
}

async fn set_away(client: &Client, rep: &str) {
    let request =
        SetOutOfOfficeRequest { name: rep.to_owned(), ..SetOutOfOfficeRequest::default() };
    client.call(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_13_a_backup_from_a_follower_under_load_becomes_a_cluster_that_goes_on_where_it_ends() {
    let mut cluster = Cluster::start().await;
    let client = cluster.client(&cluster.ids());
    let team = Team::create(&client, "sales", 3).await;
    let (request, first) = remembered(&team, &client).await;
    let mut crowd = Crowd::gather(&cluster, &team, 4);
    crowd.answered(300).await;
    let acknowledged = cluster.seen_by(1).await.members[0].commit_index;

    let file = cluster.path("monday.turnwise");
    let follower = cluster.follower().await;
    let endpoint = cluster.client_address(follower);
    let taken = json(&["backup", text(&file), "--endpoints", &endpoint]);
    assert!(!cluster.path("monday.turnwise.partial").exists());
    assert_eq!(taken["cluster_id"], cluster.cluster_id.to_string());
    assert_eq!((&taken["node"], &taken["teams"]), (&follower.into(), &1.into()));
    assert_eq!(taken["bytes"], fs::metadata(&file).unwrap().len());
    let index = taken["log_index"].as_u64().unwrap();
    assert!(index >= acknowledged, "all that was acknowledged before is in it");
    crowd.answered(100).await;
    let answers = crowd.disperse().await;
    let verified = json(&["backup", "verify", text(&file)]);
    assert_eq!(verified, taken);
    let there = failed(&["backup", text(&file), "--endpoints", &endpoint], EXIT_FAILED);
    assert!(there.contains("--force"), "{there}");

    for id in cluster.ids() {
        cluster.kill(id);
    }
    let restore = |new: &Cluster, id: u64| {
        let restored = json(&[
            "restore",
            text(&file),
            "--new-cluster",
            &new.cluster_id.to_string(),
            "--node-id",
            &id.to_string(),
            "--members",
            &new.members(),
            "--data-dir",
            text(&new.data_dir(id)),
        ]);
        assert_eq!(restored["log_index"], index + 1);
        assert_eq!(restored["state_hash"], taken["state_hash"]);
    };
    let mut new = Cluster::start_after(&cluster, &[1, 2, 3], restore).await;
    assert_eq!(new.agreed_hash().await, taken["state_hash"], "the state is the backup's");

    // Everything up to the backup's index is there, and nothing else.
    let all: Vec<_> = answers.into_iter().chain([first.clone()]).collect();
    let kept: Vec<_> =
        by_position(&all).range(..=(index, u32::MAX)).map(|(_, it)| (*it).clone()).collect();
    assert!(kept.len() > 300 && kept.len() < all.len(), "{} of {}", kept.len(), all.len());
    check_nodes(&new, &team, &kept).await;

    // The rotation goes on with the backup's cursor, at positions above the backup's.
    let client = new.client(&[2, 3, 1]);
    let next = team.assign(&client, "after").await;
    let assignment = next.assignment.clone().unwrap();
    assert_eq!(&assignment.rep, next_in_turn(&team, kept.len()));
    assert!(position(&assignment).0 > index + 1);
    let again = client.call(request).await.unwrap();
    assert_eq!(again.assignment, first.assignment, "the first answer, at its first position");
    check_nodes(&new, &team, &[kept, vec![next]].concat()).await;

    // A node of the old cluster finds no way in.
    new.kill(3);
    let mut old = new.command(3);
    let words: Vec<_> = old.get_args().map(ToOwned::to_owned).collect();
    let (ours, theirs) = (new.cluster_id.to_string(), cluster.cluster_id.to_string());
    let swapped = words.iter().map(|word| match word.to_str().unwrap() {
        word if word == ours => theirs.clone(),
        word if word == text(&new.data_dir(3)) => text(&cluster.data_dir(3)).to_owned(),
        word => word.to_owned(),
    });
    let swapped: Vec<String> = swapped.collect();
    old = turnwise();
    old.args(swapped);
    new.spawn_as(3, &mut old);
    new.logged(1, "is of cluster").await;
    new.logged(3, "is of cluster").await;
    new.kill(3);
    new.restart(3).await;
    new.agreed_hash().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_cluster_whose_members_changed_has_new_members_and_no_one_elses_tokens() {
    let mut cluster = Cluster::start().await;
    let team = Team::create(&cluster.client(&[2, 3]), "sales", 3).await;
    let mut answers = vec![team.assign(&cluster.client(&[2, 3]), "before").await];
    grow(&mut cluster, 4, 0).await;
    shrink(&mut cluster, 1).await;
    let open = token(&cluster, 600, 0).await.token;
    answers.push(team.assign(&cluster.client(&[4]), "between").await);
    let file = cluster.path("friday.turnwise");
    let taken = json(&["backup", text(&file), "--endpoints", &cluster.client_address(4)]);
    assert_eq!(json(&["backup", "verify", text(&file)]), taken);
    for id in cluster.ids() {
        cluster.kill(id);
    }

    // Number 1 was removed for ever there; here it is a founder.
    let restore = |new: &Cluster, id: u64| {
        let (id, cluster_id) = (id.to_string(), new.cluster_id.to_string());
        let (members, dir) = (new.members(), new.data_dir(id.parse().unwrap()));
        let new = ["--new-cluster", &cluster_id, "--node-id", &id, "--members", &members];
        json(&[&["restore", text(&file)], &new[..], &["--data-dir", text(&dir)]].concat());
    };
    let mut new = Cluster::start_after(&cluster, &[1, 2], restore).await;
    voters(&new, &[1, 2]).await;
    assert_eq!(new.agreed_hash().await, taken["state_hash"]);
    answers.push(team.assign(&new.client(&[1]), "after").await);
    check_rotation(&team.ring, &answers);
    check_nodes(&new, &team, &answers).await;

    new.join(3, &open);
    assert_eq!(new.exited(3).await.code(), Some(EXIT_FAILED));
    assert!(new.log(3).contains("does not admit"), "a token of the other cluster: {}", new.log(3));
    new.forget(3);
    grow(&mut new, 3, 0).await;
    new.restart_all().await;
    voters(&new, &[1, 2, 3]).await;
    check_nodes(&new, &team, &answers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_13_a_cluster_that_lost_two_of_three_goes_on_as_a_new_one_from_the_one_that_is_left() {
    let mut cluster = Cluster::start().await;
    let client = cluster.client(&cluster.ids());
    let team = Team::create(&client, "sales", 3).await;
    let (request, first) = remembered(&team, &client).await;
    let mut crowd = Crowd::gather(&cluster, &team, 4);
    crowd.answered(300).await;
    let answers = crowd.disperse().await;
    set_away(&client, &team.ring[1]).await;
    let hash = cluster.agreed_hash().await;

    let running = cluster.data_dir(1);
    let none = cluster.path("none");
    let line = recover_line(&running, &none);
    let robbed = failed(&[&line[..], &["--yes"]].concat(), EXIT_FAILED);
    assert!(robbed.contains("another process has the data directory"), "{robbed}");

    // Two are lost for good, the third was told to stop.
    for lost in [2, 3] {
        cluster.kill(lost);
        fs::remove_dir_all(cluster.data_dir(lost)).unwrap();
    }
    cluster.kill(1);
    let before = files(&running);

    // Without a word of consent nothing is written.
    let asked = run(&line);
    assert_eq!(asked.status.code(), Some(EXIT_FAILED), "{asked:?}");
    let shown: Value = serde_json::from_slice(&asked.stdout).unwrap();
    assert_eq!((&shown["written"], &shown["state_hash"]), (&false.into(), &hash.clone().into()));
    let told = String::from_utf8(asked.stderr).unwrap();
    let last = shown["last_index"].as_u64().unwrap();
    for words in
        [format!("everything up to index {last}"), "may be missing".to_owned(), "--yes".to_owned()]
    {
        assert!(told.contains(&words), "{words}: {told}");
    }
    assert!(!none.exists());

    let recover = |new: &Cluster, id: u64| {
        let recovered = json(&[
            "recover",
            "--from-data-dir",
            text(&running),
            "--new-cluster",
            &new.cluster_id.to_string(),
            "--node-id",
            &id.to_string(),
            "--members",
            &new.members(),
            "--data-dir",
            text(&new.data_dir(id)),
            "--yes",
        ]);
        assert_eq!((&recovered["from_node"], &recovered["lost_index"]), (&1.into(), &Value::Null));
        assert_eq!(recovered["log_index"], last + 1);
    };
    let mut new = Cluster::start_after(&cluster, &[1], recover).await;
    assert_eq!(files(&running), before, "the old directory is as it was");
    assert_eq!(new.agreed_hash().await, hash);
    let all: Vec<_> = answers.into_iter().chain([first.clone()]).collect();
    check_nodes(&new, &team, &all).await;
    let client = new.client(&[1]);
    let rep = client.call(GetRepRequest { name: team.ring[1].clone() }).await.unwrap();
    assert!(!rep.rep.unwrap().out_of_office.is_empty(), "who was away is away");
    let back = ClearOutOfOfficeRequest { name: team.ring[1].clone(), ..Default::default() };
    client.call(back).await.unwrap();
    let next = team.assign(&client, "after").await.assignment.unwrap();
    assert_eq!(&next.rep, next_in_turn(&team, all.len()));
    assert!(position(&next).0 > last + 1);
    assert_eq!(client.call(request).await.unwrap().assignment, first.assignment);

    // And it comes up again from what it wrote itself.
    new.kill(1);
    new.restart(1).await;
    assert!(team.assignments(&new.client(&[1])).await.iter().any(|it| it.contact == "after"));

    // A directory with rot in it is taken as far as it is sound, and only if one says so.
    let damaged = cluster.path("damaged");
    crate::harness::copy_dir(&running, &damaged);
    let segment = files(&damaged).into_iter().find(|(name, _)| name.ends_with(".log")).unwrap();
    let mut bytes = segment.1;
    let written = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[written / 2] ^= 1;
    fs::write(damaged.join(segment.0), bytes).unwrap();
    let line = [&recover_line(&damaged, &none)[..], &["--yes"]].concat();
    let refused = failed(&line, EXIT_FAULT);
    assert!(refused.contains("LOST") && refused.contains("--accept-damage"), "{refused}");
    assert!(!none.exists());
    let taken = json(&[&line[..], &["--accept-damage"]].concat());
    assert!(taken["last_index"].as_u64().unwrap() < last);
    assert!(taken["lost_index"].as_u64() >= taken["last_index"].as_u64());
    assert_eq!(taken["written"], true);
}

/// A command that makes the one member of a new cluster.
fn recover_line<'a>(from: &'a Path, to: &'a Path) -> Vec<&'a str> {
    let new = ["--new-cluster", "00112233445566778899aabbccddeeff", "--node-id", "1"];
    let members = ["--members", "1=127.0.0.1:7401"];
    let dirs = ["--from-data-dir", text(from), "--data-dir", text(to)];
    [&["recover"][..], &new, &members, &dirs].concat()
}

/// Names and bytes.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let file = |entry: fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    };
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| file(entry.unwrap())).collect();
    files.sort();
    files
}
