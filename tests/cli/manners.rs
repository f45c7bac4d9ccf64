//! What scripts rely on: exit codes, stdout that is only data, errors that say what to type.

use crate::cluster::{Cluster, Ran, turnwise};

#[test]
fn a_command_that_knows_one_follower_only_can_do_everything() {
    let cluster = Cluster::start(3);
    let leader = cluster.leader();
    let follower = (1..=3).find(|node| *node != leader).unwrap();
    let endpoint = cluster.endpoint(follower);
    for line in [
        "team create sales",
        "rep create ana --team sales --email ana@example.com",
        "rep create bo --team sales",
        "group create west --team sales ana bo=2",
        "campaign create spring --team sales --owner contact,lead --group west --launch",
        "assign c-1 --team sales --campaign spring",
        "rep out-of-office ana --team sales --until +1h",
        "rep back ana --team sales",
        "campaign pause spring --team sales",
        "campaign resume spring --team sales",
        "campaign retarget spring --team sales --group west",
        "group list --team sales",
        "campaign cancel spring --team sales",
        "group delete west --team sales",
        "rep delete bo --team sales",
        "cluster status",
    ] {
        let ran = Ran::of(turnwise().args(line.split(' ')).args(["--endpoints", &endpoint]));
        assert!(!ran.ok().is_empty(), "{line}");
    }
}

#[test]
fn an_assign_says_the_rep_and_why_in_plain_words() {
    let cluster = Cluster::start(1);
    for line in [
        "team create t",
        "rep create ana --team t",
        "rep create bo --team t --email bo@example.com",
        "campaign create c --team t --owner lead --group default --launch",
        "rep out-of-office ana --team t",
    ] {
        cluster.run(line).ok();
    }
    let turn = cluster.json("assign c-1 --team t --campaign c");
    assert_eq!(turn["rep"], "bo");
    let why = "no owner was given; it was their turn (passed over: ana out of office)";
    assert_eq!(turn["why"], why);
    let owner = cluster.json("assign c-2 --team t --campaign c --owner lead=BO@example.com");
    assert_eq!(
        (&owner["cause"], &owner["why"]),
        (&"OWNER".into(), &"they own the contact in the CRM".into())
    );
    let again = cluster.json("assign c-1 --team t --campaign c");
    assert_eq!(again["existing"], true);
    assert_eq!([&again["log_index"], &again["seq"]], [&turn["log_index"], &turn["seq"]]);
}

#[test]
fn a_refusal_exits_1_with_the_reason_and_changes_nothing() {
    let cluster = Cluster::start(1);
    let unknown = cluster.run("rep create ana --team nowhere").failed(1);
    assert!(unknown.contains("RESOURCE_NOT_FOUND"), "{unknown}");
    cluster.run("team create t").ok();
    let space = Ran::of(cluster.command("rep create --team t").arg("an a")).failed(1);
    assert!(space.contains("rep_id"), "{space}");
    cluster.run("rep create ana --team t --email ana@example.com").ok();
    let taken = cluster.run("rep create bo --team t --email ANA@example.com").failed(1);
    assert!(taken.contains("EMAIL_TAKEN"), "{taken}");
    cluster.run("campaign create c --team t --group default --launch").ok();
    let last = cluster.run("rep out-of-office ana --team t").failed(1);
    assert!(last.contains("LAST_AVAILABLE_REP"), "{last}");
    assert_eq!(cluster.json("rep get ana --team t")["availability"], "AVAILABLE");
}

#[test]
fn wrong_usage_exits_2_and_says_what_would_be_right() {
    for (line, told) in [
        ("assign c-1", "--team"),
        ("assign --from x.csv --team t --contact id --out y.csv", "--campaign-column"),
        ("campaign retarget c --team t", "--default"),
        ("team list --endpoints nowhere", "host:port"),
        ("rep out-of-office ana --team t --until tomorrow", "+2h"),
        ("serve --node-id 0", "flag --node-id"),
        ("serve --node-id 1 --cluster-id 1 --data-dir d", "turnwise cluster new-id"),
        ("no-such-command", "no-such-command"),
    ] {
        let stderr = Ran::of(turnwise().args(line.split(' '))).failed(2);
        assert!(stderr.contains(told), "{line}: {stderr}");
    }
}

#[test]
fn without_a_node_it_exits_3_and_says_what_to_type() {
    // A port that was free a moment ago: nobody of ours listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoint = format!("127.0.0.1:{port}");
    let line = ["team", "list", "--deadline", "300ms", "--endpoints", &endpoint];
    let stderr = Ran::of(turnwise().args(line)).failed(3);
    assert!(stderr.contains(&endpoint) && stderr.contains("turnwise dev"), "{stderr}");
}

#[test]
fn every_command_has_help_with_an_example() {
    fn visit(path: &[String]) {
        let stdout = Ran::of(turnwise().args(path).arg("--help")).ok();
        let commands: Vec<String> = stdout
            .lines()
            .skip_while(|line| *line != "Commands:")
            .skip(1)
            .take_while(|line| line.starts_with("  "))
            .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
            .filter(|name| name != "help")
            .collect();
        assert!(!commands.is_empty() || stdout.contains("Example"), "{path:?}: {stdout}");
        for command in commands {
            visit(&[path, &[command]].concat());
        }
    }
    visit(&[]);
}

#[test]
fn a_new_cluster_id_is_32_hex_digits_and_nothing_else() {
    let id = |_| Ran::of(turnwise().args(["cluster", "new-id"])).ok();
    let [one, other] = [0, 1].map(id);
    assert_eq!(one.trim_end().len(), 32);
    assert!(one.trim_end().bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_ne!(one, other);
}
