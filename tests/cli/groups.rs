//! Groups: members, options, rings, credits, and the report that tells whether it was fair.

use serde_json::{Value, json};

use crate::cluster::{Cluster, Ran, write};

fn with_reps(reps: &[&str]) -> Cluster {
    let cluster = Cluster::start(1);
    cluster.run("team create t").ok();
    for rep in reps {
        cluster.run(&format!("rep create {rep} --team t")).ok();
    }
    cluster
}

/// Assigns contacts by a way and tells who got them.
fn picks(cluster: &Cluster, way: &str, contacts: std::ops::Range<u32>) -> Vec<String> {
    let pick = |number| cluster.json(&format!("assign c-{number} --team t {way}"));
    let who = |pick: Value| pick["rep"].as_str().unwrap().to_owned();
    contacts.map(pick).map(who).collect()
}

#[test]
fn a_group_of_reps_is_made_changed_reordered_and_deleted() {
    let cluster = with_reps(&["ana", "bo", "cem", "dora"]);
    let group = cluster.json(
        "group create west --team t ana bo=2 cem --cap 40/1d --scope group --restart idle=30d \
         --strategy round-robin --label office=west",
    );
    assert_eq!(group["members"], json!(["ana", "bo=2", "cem"]));
    for (field, expected) in [
        ("kind", "REPS"),
        ("period_cap", "40/1d"),
        ("cursor_scope", "GROUP"),
        ("restart", "idle=30d"),
        ("strategy", "ROUND_ROBIN"),
    ] {
        assert_eq!(group[field], expected, "{field}");
    }
    let tag = group["etag"].as_str().unwrap().to_owned();
    let group = cluster.json(&format!(
        "group update west --team t --strategy least-open --require-online --cap none --etag {tag}"
    ));
    assert_eq!(
        (&group["strategy"], &group["require_online"]),
        (&"LEAST_OPEN".into(), &true.into())
    );
    assert_eq!((&group["period_cap"], &group["restart"]), (&json!(null), &"idle=30d".into()));
    let group =
        cluster.json("group update west --team t --strategy round-robin --require-online false");
    assert_eq!(group["require_online"], false);
    assert!(
        cluster
            .run(&format!("group add west --team t dora --etag {tag}"))
            .failed(1)
            .contains("ETAG_MISMATCH")
    );

    assert_eq!(
        cluster.json("group add west --team t dora=3")["members"],
        json!(["ana", "bo=2", "cem", "dora=3"])
    );
    assert_eq!(
        cluster.json("group member west dora --team t --weight 1")["members"],
        json!(["ana", "bo=2", "cem", "dora"])
    );
    // With an etag, every removal goes from the state that the one before left.
    let tag = cluster.json("group get west --team t")["etag"].as_str().unwrap().to_owned();
    let group = cluster.json(&format!("group remove west --team t bo cem --etag {tag}"));
    assert_eq!(group["members"], json!(["ana", "dora"]));
    let dry = cluster.run("group reorder west --team t dora ana --validate-only");
    assert!(dry.stderr.contains("nothing was changed"));
    assert_eq!(cluster.json("group get west --team t")["members"], json!(["ana", "dora"]));
    assert_eq!(
        cluster.json("group reorder west --team t dora ana")["members"],
        json!(["dora", "ana"])
    );
    assert!(cluster.run("group reorder west --team t dora").failed(1).contains("INVALID_REORDER"));
    assert!(cluster.run("group create west --team t bo=x").failed(2).contains("bo=2"));
    let listed = cluster.run("group list --team t").ok();
    assert!(listed.lines().any(|line| line.split_whitespace().next() == Some("west")), "{listed}");
    assert_eq!(cluster.json("group delete west --team t")["deleted"], true);
}

#[test]
fn all_members_of_a_group_are_listed_in_the_order_of_their_turns_however_many() {
    let cluster = with_reps(&[]);
    // One more than a page has.
    let reps: String = (0..1_001).map(|number| format!("r{number:04},west\n")).collect();
    let file = cluster.path("reps.csv");
    write(&file, &format!("id,groups\n{reps}"));
    cluster.run(&format!("rep import {} --team t --name id --group groups", file.display())).ok();
    cluster.run("group member west r0001 --team t --weight 3").ok();
    let listed = cluster.json("group members west --team t");
    let ids: Vec<&str> =
        listed.as_array().unwrap().iter().map(|one| one["member"].as_str().unwrap()).collect();
    let expected: Vec<String> = (0..1_001).map(|number| format!("r{number:04}")).collect();
    assert_eq!(ids, expected);
    assert_eq!((&listed[1]["weight"], &listed[2]["weight"]), (&3.into(), &1.into()));
    assert!(listed[0]["last_added_time"].is_string());

    cluster.run("group create hi --team t --kind options short=Hi long='Good*day'").ok();
    let csv = cluster.run("group members hi --team t --output csv").ok();
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0], ["member", "weight", "payload", "last_added_time", "key"]);
    let cells: Vec<[&str; 4]> = rows[1..].iter().map(|r| [r[0], r[1], r[2], r[4]]).collect();
    assert_eq!(cells, [["short", "1", "Hi", "1"], ["long", "1", "'Good*day'", "2"]]);
    assert!(cluster.run("group members none --team t").failed(1).contains("RESOURCE_NOT_FOUND"));
}

#[test]
fn s3_2_options_come_from_words_or_a_file_nest_and_are_given_back_unread() {
    let cluster = with_reps(&[]);
    cluster.run("group create inner --team t --kind options a=1 b=2").ok();
    let create = "group create greet --team t --kind options";
    let created = Ran::of(cluster.command(create).args([
        "hello=Good morning, you!",
        "group:inner",
        "--output",
        "json",
    ]));
    let group: Value = serde_json::from_str(&created.ok()).unwrap();
    assert_eq!(
        (&group["kind"], &group["restart"]),
        (&"OPTIONS".into(), &"idle=30d,member-change".into())
    );
    assert_eq!(group["members"], json!(["hello", "group:inner"]));
    assert_eq!(group["payloads"], json!({ "hello": "Good morning, you!" }));
    let options: Vec<Value> = (0..4)
        .map(|number| cluster.json(&format!("assign g-{number} --team t --group greet")))
        .collect();
    let given: Vec<&str> = options.iter().map(|one| one["option"].as_str().unwrap()).collect();
    assert_eq!(given, ["hello", "a", "hello", "b"], "the inner ring moves once for each turn");
    assert_eq!(
        (&options[0]["payload"], &options[0]["state"]),
        (&"Good morning, you!".into(), &"CLOSED".into())
    );
    let told = cluster.run("explain g-1 --team t").ok();
    assert!(told.starts_with("g-1 got option a of group inner"), "{told}");
    assert!(
        told.contains(
            "Inside, group inner: The ring was at its start; the last turn is now that of option a."
        ),
        "{told}"
    );

    let file = cluster.path("options.csv");
    write(&file, "id,payload,weight\none,\"First, of three\",\ntwo,,2\nthree,3,\n");
    let group = cluster
        .json(&format!("group create filed --team t --kind options --from {}", file.display()));
    assert_eq!(group["members"], json!(["one", "two*2", "three"]));
    let updated = Ran::of(
        cluster
            .command("group member filed two --team t --output json")
            .args(["--payload", "Second"]),
    );
    assert!(updated.ok().contains("\"two\": \"Second\""));
    write(&file, "id,weight\nfour,x\n");
    let wrong =
        cluster.run(&format!("group add filed --team t --from {}", file.display())).failed(1);
    assert!(wrong.contains("line 2") && wrong.contains("Nothing was sent"), "{wrong}");
    assert!(
        cluster
            .run("group create one --team t --kind options a=1")
            .failed(1)
            .contains("GROUP_TOO_SMALL")
    );
}

#[test]
fn rings_are_shown_reset_and_adjusted() {
    let cluster = with_reps(&["ana", "bo", "cem"]);
    cluster.run("group create west --team t ana bo cem").ok();
    for campaign in ["one", "two"] {
        cluster.run(&format!("campaign create {campaign} --team t --group west --launch")).ok();
    }
    assert_eq!(picks(&cluster, "--campaign one", 0..2), ["ana", "bo"]);
    assert_eq!(picks(&cluster, "--group west", 2..3), ["ana"]);
    let rings = cluster.json("group rotations west --team t --next 1");
    let shown: Vec<_> =
        rings.as_array().unwrap().iter().map(|ring| (&ring["campaign"], &ring["next"])).collect();
    assert_eq!(shown, [(&"".into(), &json!(["bo"])), (&"one".into(), &json!(["cem"]))]);

    let adjusted = cluster
        .json("group adjust-rotation west ana --team t --campaign one --credits 2 --reason lost");
    assert_eq!((&adjusted["credits"], &adjusted["next"][0]), (&json!({ "ana": 2 }), &"ana".into()));
    assert_eq!(picks(&cluster, "--campaign one", 3..6), ["ana", "ana", "cem"]);
    let told = cluster.run("explain c-4 --team t").ok();
    assert!(told.contains("it was the turn of ana."), "{told}");
    assert!(
        told.contains("That was a turn beyond their share: the last turn is still that of bo."),
        "{told}"
    );
    let owed = cluster.json(
        "group adjust-rotation west ana --team t --campaign one --credits -1 --validate-only",
    );
    assert_eq!(owed["credits"], json!({ "ana": -1 }));
    assert_eq!(cluster.json("group rotation west --team t --campaign one")["credits"], json!({}));

    let reset = cluster.json("group reset-rotation west --team t --campaign one");
    assert_eq!((&reset["last_served"], &reset["next"][0]), (&"".into(), &"ana".into()));
    assert!(reset["restart_time"].is_string());
}

#[test]
fn a_report_tells_at_a_glance_whether_it_was_fair() {
    let cluster = with_reps(&["ana", "bo"]);
    cluster.run("group create west --team t ana bo").ok();
    cluster.run("campaign create c --team t --owner lead --group west --launch").ok();
    let none = cluster.run("group report west --team t");
    assert!(none.stderr.contains("No turns yet."), "{}", none.stderr);
    assert_eq!(picks(&cluster, "--campaign c", 0..4), ["ana", "bo", "ana", "bo"]);
    let even = cluster.run("group report west --team t");
    assert!(even.stderr.contains("group west: 4 decisions, all that are kept"), "{}", even.stderr);
    assert!(even.stderr.contains("Even: everybody has their share"), "{}", even.stderr);

    // Of six contacts the first is ana's turn anyway; five pass bo over.
    cluster.run("rep out-of-office bo --team t").ok();
    picks(&cluster, "--campaign c", 4..10);
    let uneven = cluster.run("group report west --team t");
    let verdict = "Not even: bo has 3.0 turns fewer, and was passed over 5 times: OUT_OF_OFFICE 5.";
    assert!(uneven.stderr.contains(verdict), "{}", uneven.stderr);
    let table: Vec<Vec<String>> = uneven
        .ok()
        .lines()
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect();
    assert_eq!(table[1], ["1", "ana", "1", "8", "5.0", "+3.0", "0", "8"]);
    assert_eq!(table[2], ["2", "bo", "1", "2", "5.0", "-3.0", "0", "2", "OUT_OF_OFFICE=5"]);

    let whole = cluster.json("group report west --team t");
    assert_eq!((&whole["verdict"], &whole["decisions"]), (&verdict.into(), &10.into()));
    assert_eq!(whole["members"][1]["passed_over"], json!({ "OUT_OF_OFFICE": 5 }));
    let csv = cluster.run("group report west --team t --output csv").ok();
    assert_eq!(
        csv,
        "place,member,weight,turns,even_share,difference,owner_hits,open_count,passed_over\n\
         1,ana,1,8,5.0,+3.0,0,8,\n2,bo,1,2,5.0,-3.0,0,2,OUT_OF_OFFICE=5\n"
    );
    // From the fifth on there are six; from a time after all of it, nothing is left to report.
    let fifth = cluster.json("assignment list --team t --contact c-4");
    let since = fifth[0]["create_time"].as_str().unwrap();
    let some = cluster.json(&format!("group report west --team t --since {since}"));
    assert_eq!((&some["decisions"], &some["members"][0]["turns"]), (&6.into(), &6.into()));
    let later = cluster.json("group report west --team t --since +1h");
    assert_eq!((&later["decisions"], &later["verdict"]), (&0.into(), &"No turns yet.".into()));
}
