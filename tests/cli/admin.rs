//! Setting up: teams, reps, rules, campaigns; dry runs, etags, request ids, as an admin types them.

use serde_json::json;

use crate::cluster::{Cluster, Ran};

/// The etag of what a command shows.
fn etag(cluster: &Cluster, line: &str) -> String {
    cluster.json(line)["etag"].as_str().unwrap().to_owned()
}

#[test]
fn a_team_is_created_changed_listed_and_deleted() {
    let cluster = Cluster::start(1);
    let line = "team create sales --name Sales --time-zone Europe/Berlin --label region=emea";
    let dry = cluster.run(&format!("{line} --validate-only"));
    assert!(dry.stderr.contains("nothing was changed (--validate-only)"), "{}", dry.stderr);
    assert!(dry.ok().contains("Europe/Berlin"));
    assert_eq!(cluster.json("team list"), json!([]), "a dry run makes nothing");

    let team = cluster.json(line);
    assert_eq!(
        (&team["time_zone"], &team["labels"]["region"]),
        (&"Europe/Berlin".into(), &"emea".into())
    );
    let first = team["etag"].as_str().unwrap();
    let changed = cluster.json(&format!("team update sales --name Vertrieb --etag {first}"));
    assert_eq!(
        (&changed["display_name"], &changed["time_zone"]),
        (&"Vertrieb".into(), &"Europe/Berlin".into())
    );
    let stale = cluster.run(&format!("team update sales --name X --etag {first}")).failed(1);
    assert!(stale.contains("ETAG_MISMATCH"), "{stale}");
    let nothing = cluster.run("team update sales").failed(2);
    assert!(nothing.contains("say what to change") && nothing.contains("--time-zone"), "{nothing}");

    cluster.run("team create ops").ok();
    let found = Ran::of(
        cluster.command("team list --output csv").args(["--filter", "labels.region = \"emea\""]),
    );
    let rows = found.ok();
    assert!(rows.starts_with("team,display_name,default_rule,time_zone,labels,"), "{rows}");
    assert!(
        rows.contains("\nsales,Vertrieb,,Europe/Berlin,region=emea,") && !rows.contains("ops"),
        "{rows}"
    );

    let deleted = cluster.json("team delete ops");
    assert_eq!(deleted, json!({ "team": "ops", "deleted": true }));
    assert!(cluster.run("team delete ops").failed(1).contains("RESOURCE_NOT_FOUND"));
    cluster.run("team delete ops --allow-missing").ok();
}

#[test]
fn a_rep_is_changed_away_online_in_hours_and_deleted() {
    let cluster = Cluster::start(1);
    cluster.run("team create t --time-zone Europe/Berlin").ok();
    let line = "rep create ana --team t --email ana@example.com --max-open 40 --label office=west";
    let rep = cluster.json(line);
    assert_eq!((&rep["max_open"], &rep["presence"]), (&40.into(), &"OFFLINE".into()));
    cluster.run("rep create bo --team t").ok();

    let rep = cluster.json("rep update ana --team t --max-open 0 --no-labels --external-id crm=7");
    assert_eq!((&rep["max_open"], &rep["labels"]), (&json!(null), &json!({})));
    assert_eq!(
        (&rep["external_ids"], &rep["email"]),
        (&json!({ "crm": "7" }), &"ana@example.com".into())
    );
    assert_eq!(cluster.json("rep update ana --team t --disabled")["availability"], "DISABLED");
    assert_eq!(cluster.json("rep update ana --team t --enabled")["availability"], "AVAILABLE");

    let rep = cluster.json("rep online ana --team t --ttl 10m");
    assert_eq!(rep["presence"], "ONLINE");
    assert!(rep["presence_expire_time"].is_string());
    assert_eq!(cluster.json("rep offline ana --team t")["presence"], "OFFLINE");

    let away = cluster.json("rep out-of-office ana --team t --until +2h --note lunch");
    assert!(
        away["availability_reason"].as_str().unwrap().contains("out of office until"),
        "{away}"
    );
    assert_eq!(cluster.json("rep back ana --team t")["availability"], "AVAILABLE");

    // Hours: in the team's zone; what is not given stays.
    let hours = cluster.json("rep hours ana --team t daily 00:00-24:00 --holiday 2031-12-25");
    assert_eq!(
        (&hours["working_hours"], &hours["time_zone"]),
        (&json!(["daily 00:00-24:00"]), &"Europe/Berlin".into())
    );
    assert_eq!(hours["availability"], "AVAILABLE");
    let hours =
        cluster.json("rep hours ana --team t mon-fri 09:00-12:00 13:00-17:00 sat 22:00-02:00");
    assert_eq!(hours["holidays"], json!(["2031-12-25"]));
    assert_eq!(
        hours["working_hours"],
        json!(["mon-fri 09:00-12:00 13:00-17:00", "sat 22:00-24:00", "sun 00:00-02:00"])
    );
    assert_eq!(cluster.json("rep hours ana --team t")["working_hours"], hours["working_hours"]);
    assert_eq!(cluster.json("rep hours ana --team t --always")["working_hours"], "always");
    let wrong = cluster.run("rep hours ana --team t 09:00-17:00").failed(2);
    assert!(wrong.contains("no day stands before `09:00-17:00`"), "{wrong}");
    assert!(
        cluster.run("rep hours bo --team t --no-holidays").failed(2).contains("has no hours yet")
    );

    let found = Ran::of(
        cluster
            .command("rep list --team t --output csv")
            .args(["--filter", "email = \"ana@example.com\""]),
    );
    assert_eq!(found.ok().lines().count(), 2);
    let dry = cluster.run("rep delete bo --team t --validate-only --output json");
    assert_eq!(dry.ok(), "{\n  \"rep\": \"bo\",\n  \"deleted\": false\n}\n");
    assert_eq!(cluster.json("rep delete bo --team t --reroute")["deleted"], true);
    assert_eq!(cluster.json("rep list --team t").as_array().unwrap().len(), 1);
}

#[test]
fn s4_2_a_rule_is_targets_with_a_name_shown_as_they_are_typed() {
    let cluster = Cluster::start(1);
    cluster.run("team create t").ok();
    for rep in ["ana", "bo"] {
        cluster.run(&format!("rep create {rep} --team t")).ok();
    }
    cluster.run("group create west --team t ana bo").ok();
    let targets = [
        "owner:contact,lead",
        "group:west,wait=10m,online",
        "rep:ana,include-unavailable,accept=2m",
    ];
    let flags = targets.map(|target| format!("--target {target}")).join(" ");
    let rule = cluster.json(&format!("rule create chat --team t {flags}"));
    assert_eq!((&rule["display_name"], &rule["targets"]), (&"chat".into(), &json!(targets)));
    let tag = etag(&cluster, "rule get chat --team t");
    assert_eq!(rule["etag"], tag.as_str());
    let rule = cluster.json(&format!("rule update chat --team t --target group:west --etag {tag}"));
    assert_eq!(rule["targets"], json!(["group:west"]));
    assert_eq!(rule["display_name"], "chat", "what was not named stays");
    cluster.run("rule create manual --team t").ok();
    let rules = cluster.run("rule list --team t").ok();
    let words: Vec<Vec<&str>> =
        rules.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        words,
        [
            vec!["rule", "display_name", "targets"],
            vec!["chat", "chat", "group:west"],
            vec!["manual", "manual", "nobody"]
        ]
    );
    let wrong = cluster.run("rule create x --team t --target west").failed(2);
    assert!(wrong.contains("group:GROUP"), "{wrong}");
    let both = cluster.run("rule create x --team t --target nobody --target rep:ana").failed(2);
    assert!(both.contains("stands alone"), "{both}");

    cluster.run("team update t --default-rule chat").ok();
    assert!(cluster.run("rule delete chat --team t").failed(1).contains("RULE_IN_USE"));
    let team =
        Ran::of(cluster.command("team update t --default-rule").arg("").args(["--output", "json"]));
    assert!(team.ok().contains("\"default_rule\": \"\""));
    assert_eq!(cluster.json("rule delete chat --team t")["deleted"], true);
}

#[test]
fn a_campaign_goes_through_its_life_and_every_way_to_say_where_contacts_go() {
    let cluster = Cluster::start(1);
    for line in [
        "team create t",
        "rep create ana --team t",
        "rep create bo --team t",
        "group create west --team t ana bo",
        "rule create chat --team t --target owner --target group:west",
    ] {
        cluster.run(line).ok();
    }
    let draft =
        cluster.json("campaign create c --team t --owner lead --group west --rep bo --label q=1");
    assert_eq!(draft["state"], "DRAFT");
    assert_eq!(draft["targets"], json!(["owner:lead", "group:west", "rep:bo"]));
    assert!(
        cluster.run("assign x --team t --campaign c").failed(1).contains("CAMPAIGN_NOT_RUNNING")
    );
    let scheduled = cluster.json("campaign schedule c --team t --at 2031-03-20T09:00:00Z");
    assert_eq!(
        (&scheduled["state"], &scheduled["launch_time"]),
        (&"SCHEDULED".into(), &"2031-03-20T09:00:00Z".into())
    );
    let tag = etag(&cluster, "campaign get c --team t");
    let dry = cluster.run(&format!("campaign launch c --team t --etag {tag} --validate-only"));
    assert!(dry.stderr.contains("nothing was changed"), "{}", dry.stderr);
    assert!(dry.ok().contains("RUNNING"), "what would come of it");
    assert_eq!(cluster.json("campaign get c --team t")["state"], "SCHEDULED");
    assert_eq!(
        cluster.json(&format!("campaign launch c --team t --etag {tag}"))["state"],
        "RUNNING"
    );
    assert!(
        cluster
            .run(&format!("campaign pause c --team t --etag {tag}"))
            .failed(1)
            .contains("ETAG_MISMATCH")
    );
    assert_eq!(cluster.json("campaign pause c --team t")["state"], "PAUSED");
    assert_eq!(cluster.json("campaign resume c --team t")["state"], "RUNNING");

    for (flags, rule, targets) in [
        (
            "--target owner:account --target group:west,wait=1m",
            "",
            json!(["owner:account", "group:west,wait=1m"]),
        ),
        ("--rule chat", "chat", json!([])),
        ("--group west", "", json!(["group:west"])),
        ("--target nobody", "", json!(["nobody"])),
        ("--default", "", json!(["default"])),
    ] {
        let after = cluster.json(&format!("campaign retarget c --team t {flags}"));
        assert_eq!(
            (&after["routing_rule"], &after["targets"]),
            (&rule.into(), &targets),
            "{flags}"
        );
    }
    let both = cluster.run("campaign retarget c --team t --rule chat --group west").failed(2);
    assert!(both.contains("--rule") && both.contains("--group"), "{both}");
    let named = cluster.json("campaign update c --team t --name Spring --label q=2");
    assert_eq!((&named["display_name"], &named["labels"]["q"]), (&"Spring".into(), &"2".into()));

    // Nobody there: a draft warns, a launch is refused.
    cluster.run("rep create cem --team t").ok();
    cluster.run("group create away --team t cem").ok();
    cluster.run("rep out-of-office cem --team t").ok();
    let warned = cluster.run("campaign create empty --team t --group away");
    assert!(
        warned.stderr.contains("warning: nobody in group `away` is available now"),
        "{}",
        warned.stderr
    );
    warned.ok();
    let refused = cluster.run("campaign launch empty --team t").failed(1);
    assert!(refused.contains("GROUP_HAS_NO_AVAILABLE_REP"), "{refused}");

    assert!(cluster.run("campaign delete c --team t").failed(1).contains("WRONG_CAMPAIGN_STATE"));
    assert_eq!(cluster.json("campaign cancel c --team t")["state"], "CANCELLED");
    let live = Ran::of(
        cluster
            .command("campaign list --team t --output csv")
            .args(["--filter", "state = \"CANCELLED\""]),
    );
    assert_eq!(live.ok().lines().count(), 2);
    assert_eq!(cluster.json("campaign delete c --team t")["deleted"], true);
}

#[test]
fn the_same_request_id_changes_something_once_and_a_reused_one_is_refused() {
    let cluster = Cluster::start(1);
    cluster.run("team create t").ok();
    let line = "rep create ana --team t --request-id r-1";
    let first = cluster.run(line).ok();
    assert_eq!(cluster.run(line).ok(), first, "the answer as first given");
    let reused = cluster.run("rep create bo --team t --request-id r-1").failed(1);
    assert!(reused.contains("REQUEST_ID_REUSED"), "{reused}");
    // Several calls of one command have ids of their own, and a repeat has the same.
    let line = "campaign create c --team t --group default --launch --request-id r-2";
    let first = cluster.run(line).ok();
    assert_eq!(cluster.run(line).ok(), first);
    assert!(first.contains("RUNNING"), "{first}");
}
