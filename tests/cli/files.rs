//! CSV files in and out: `rep import` and `assign --from`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cluster::{Cluster, Ran, write};

const PEOPLE: &str = "\
agent,office,mail
Mei-Mei Johns,Central,mei@example.com
Cecily Lampkin,Central,
Zane Levy,West,
";

fn import(cluster: &Cluster, more: &str) -> Ran {
    let file = cluster.path("people.csv");
    let line = format!(
        "rep import {} --team t --name agent --email mail --group office --output json {more}",
        file.display()
    );
    cluster.run(&line)
}

fn changes(ran: Ran) -> Vec<Value> {
    serde_json::from_str(&ran.ok()).unwrap()
}

#[test]
fn an_import_shows_its_difference_makes_it_and_changes_nothing_the_second_time() {
    let cluster = Cluster::start(1);
    cluster.run("team create t").ok();
    write(&cluster.path("people.csv"), PEOPLE);

    let planned = changes(import(&cluster, "--dry-run"));
    assert_eq!(planned.len(), 5, "3 reps and 2 groups: {planned:#?}");
    assert_eq!(cluster.json("rep list --team t"), Value::Array(vec![]), "a dry run writes nothing");
    assert_eq!(changes(import(&cluster, "")), planned);
    assert_eq!(changes(import(&cluster, "")), Vec::<Value>::new());

    let rep = cluster.json("rep get mei-mei-johns --team t");
    assert_eq!(rep["display_name"], "Mei-Mei Johns");
    assert_eq!(rep["external_ids"]["import"], "Mei-Mei Johns");
    assert_eq!(rep["email"], "mei@example.com");
    let central = cluster.json("group get central --team t");
    assert_eq!(central["members"], serde_json::json!(["mei-mei-johns", "cecily-lampkin"]));

    // What an interruption left: a member is missing.
    cluster.run("group remove central --team t cecily-lampkin").ok();
    let finished = changes(import(&cluster, ""));
    assert_eq!(finished.len(), 1);
    assert_eq!((&finished[0]["change"], &finished[0]["id"]), (&"add".into(), &"central".into()));
}

#[test]
fn an_import_with_a_bad_row_names_its_line_and_writes_nothing() {
    let cluster = Cluster::start(1);
    cluster.run("team create t").ok();
    write(&cluster.path("people.csv"), &format!("{PEOPLE}mei mei johns,West,\n"));
    let told = import(&cluster, "").failed(1);
    assert!(told.contains("line 5") && told.contains("mei-mei-johns"), "{told}");
    assert_eq!(cluster.json("rep list --team t"), Value::Array(vec![]));
}

/// `count` rows of contacts, by turns for the two offices, each owned by somebody.
fn contacts(cluster: &Cluster, count: usize) {
    let mut text = "id,office,agent\n".to_owned();
    for number in 0..count {
        let (office, agent) = [("central", "Cecily Lampkin"), ("west", "Nobody Here")][number % 2];
        text.push_str(&format!("c-{number},{office},{agent}\n"));
    }
    write(&cluster.path("contacts.csv"), &text);
}

fn set_up(cluster: &Cluster) {
    cluster.run("team create t").ok();
    write(&cluster.path("people.csv"), PEOPLE);
    import(cluster, "").ok();
    for office in ["central", "west"] {
        let line = format!("campaign create {office} --team t --group {office} --launch");
        cluster.run(&line).ok();
    }
}

fn assign(cluster: &Cluster, out: &str, more: &str) -> String {
    let (from, out) = (cluster.path("contacts.csv"), cluster.path(out));
    format!("assign --from {} --team t --contact id --out {} {more}", from.display(), out.display())
}

fn result(cluster: &Cluster, out: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(cluster.path(out)).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

#[test]
fn a_file_is_assigned_in_order_and_running_it_again_differs_only_in_existing() {
    let cluster = Cluster::start(3);
    set_up(&cluster);
    contacts(&cluster, 100);
    cluster.run(&assign(&cluster, "first.csv", "--campaign-column office")).ok();
    cluster.run(&assign(&cluster, "again.csv", "--campaign-column office")).ok();
    let first = std::fs::read_to_string(cluster.path("first.csv")).unwrap();
    let again = std::fs::read_to_string(cluster.path("again.csv")).unwrap();
    assert_eq!(
        first.lines().next(),
        Some(
            "contact,campaign,rep,target,cause,existing,log_index,seq,state,assignment,option,payload"
        )
    );
    assert_eq!(first.replace(",false,", ",true,"), again);

    let rows = result(&cluster, "first.csv");
    let order: Vec<String> = rows.iter().map(|row| row["contact"].clone()).collect();
    assert_eq!(order, (0..100).map(|number| format!("c-{number}")).collect::<Vec<_>>());
    let central: Vec<&str> = rows.iter().step_by(2).map(|row| row["rep"].as_str()).collect();
    let turns = |rep| central.iter().filter(|served| **served == rep).count();
    assert_eq!((turns("mei-mei-johns"), turns("cecily-lampkin")), (25, 25));
    assert!(rows.iter().skip(1).step_by(2).all(|row| row["rep"] == "zane-levy"));
}

#[test]
fn an_owner_in_the_file_is_found_by_the_name_it_was_imported_under() {
    let cluster = Cluster::start(1);
    set_up(&cluster);
    cluster.run("campaign create owned --team t --owner lead --group west --launch").ok();
    contacts(&cluster, 10);
    let more = "--campaign owned --owner-column agent --owner-kind lead";
    cluster.run(&assign(&cluster, "owned.csv", more)).ok();
    for (number, row) in result(&cluster, "owned.csv").iter().enumerate() {
        let expected =
            [("cecily-lampkin", "OWNER", "0"), ("zane-levy", "ROTATION", "1")][number % 2];
        let (rep, cause, target) = expected;
        assert_eq!(
            (&*row["rep"], &*row["cause"], &*row["target"]),
            (rep, cause, target),
            "{row:?}"
        );
    }
}

#[test]
fn a_file_with_a_bad_row_is_refused_before_anything_is_sent() {
    let cluster = Cluster::start(1);
    set_up(&cluster);
    write(&cluster.path("contacts.csv"), "id,office\nc-1,central\nc 2,central\n");
    let told = cluster.run(&assign(&cluster, "out.csv", "--campaign-column office")).failed(1);
    assert!(told.contains("line 3"), "{told}");
    assert!(!cluster.path("out.csv").exists());
    let rotation = cluster.json("group rotation central --team t --campaign central");
    assert_eq!(rotation["last_served"], "", "no turn was used: {rotation}");
}

#[test]
fn a_leader_killed_during_a_file_costs_a_pause_and_nothing_else() {
    const COUNT: usize = 8_000;
    let cluster = Cluster::start(3);
    set_up(&cluster);
    contacts(&cluster, COUNT);
    let leader = cluster.leader();
    let commit_index = || {
        let status = cluster.json("cluster status");
        let members = status["members"].as_array().unwrap();
        members.iter().filter_map(|member| member["commit_index"].as_u64()).max().unwrap()
    };
    let before = commit_index();
    // Few at a time, so that it lasts until the kill.
    let line = assign(&cluster, "out.csv", "--campaign-column office --concurrency 2");
    let mut assigning = cluster.command(&line);
    let mut assigning = assigning.stdout(std::process::Stdio::null()).spawn().unwrap();
    while commit_index() < before + 100 {}
    assert!(matches!(assigning.try_wait(), Ok(None)), "it is not over before the kill");
    cluster.kill(leader);
    assert_eq!(assigning.wait().unwrap().code(), Some(0));

    let rows = result(&cluster, "out.csv");
    assert_eq!(rows.len(), COUNT);
    assert!(rows.iter().all(|row| row["existing"] == "false"), "each contact used one turn");
    let mut turns: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for row in &rows {
        *turns.entry((&row["campaign"], &row["rep"])).or_default() += 1;
    }
    let expected = [
        (("central", "cecily-lampkin"), COUNT / 4),
        (("central", "mei-mei-johns"), COUNT / 4),
        (("west", "zane-levy"), COUNT / 2),
    ];
    assert_eq!(turns, BTreeMap::from(expected));
    assert_ne!(cluster.leader(), leader);
}
