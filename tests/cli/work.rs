//! Contacts: every way to assign one, what becomes of it, why, and who would be next.

use serde_json::{Value, json};

use crate::cluster::{Cluster, Ran, write};

/// A team with the group `west` of ana, bo and cem, and the campaign `spring` over it.
fn spring(nodes: u16) -> Cluster {
    let cluster = Cluster::start(nodes);
    cluster.run("team create t").ok();
    for rep in ["ana", "bo", "cem"] {
        let line = format!("rep create {rep} --team t --email {rep}@example.com");
        cluster.run(&line).ok();
    }
    cluster.run("group create west --team t ana bo cem").ok();
    cluster.run("campaign create spring --team t --owner lead --group west --launch").ok();
    cluster
}

#[test]
fn a_contact_goes_by_campaign_rule_group_rep_or_the_default() {
    let cluster = spring(1);
    cluster.run("rule create chat --team t --target rep:cem").ok();
    cluster.run("rule create manual --team t").ok();
    for (line, rep, cause) in [
        ("assign c-1 --team t --campaign spring", "ana", "ROTATION"),
        ("assign c-2 --team t --rule chat", "cem", "REP"),
        ("assign c-3 --team t --group west", "ana", "ROTATION"),
        ("assign c-4 --team t --rep bo", "bo", "MANUAL"),
        ("assign c-5 --team t", "ana", "ROTATION"),
        ("assign c-6 --team t --rule manual", "", "NO_TARGET"),
        ("assign c-4 --team t --campaign spring --prefer-last-rep", "bo", "LAST_REP"),
    ] {
        let got = cluster.json(line);
        assert_eq!((&got["rep"], &got["cause"]), (&rep.into(), &cause.into()), "{line}");
    }
    let nobody = cluster.run("assign c-6 --team t --rule manual").ok();
    assert!(nobody.contains("UNASSIGNED") && nobody.contains("waits for a person"), "{nobody}");
    let labelled =
        cluster.run("assign c-7 --team t --group west --label src=web --priority -2").ok();
    assert!(labelled.contains("ASSIGNED"), "{labelled}");
    let got = cluster.json("assignment list --team t --contact c-7");
    assert_eq!((&got[0]["labels"]["src"], &got[0]["priority"]), (&"web".into(), &(-2).into()));
    let id = got[0]["assignment"].as_str().unwrap();
    let one = cluster.json(&format!("assignment get {id} --team t"));
    assert_eq!((&one["assignment"], &one["contact"]), (&id.into(), &"c-7".into()));

    let dry = cluster.run("assign c-8 --team t --campaign spring --validate-only --output json");
    assert!(dry.stderr.contains("nothing was changed"), "{}", dry.stderr);
    let would: Value = serde_json::from_str(&dry.ok()).unwrap();
    assert_eq!(would["log_index"], Value::Null, "it has no place in the log");
    assert_eq!(cluster.json("assign c-8 --team t --campaign spring")["rep"], would["rep"]);
    assert!(cluster.run("assign c-9 --team t --group west --rep bo").failed(2).contains("--rep"));
    assert!(cluster.run("assign c-9").failed(2).contains("--team"));
}

#[test]
fn s2_5_a_pick_by_load_is_explained_by_load_and_with_the_number_that_decided() {
    let cluster = spring(3);
    cluster.run("group create load --team t --strategy least-open ana bo cem").ok();
    let assign = |contact: &str| cluster.json(&format!("assign {contact} --team t --group load"));
    // Cem has two, Ana one, Bo none.
    for (contact, rep) in [("x-1", "cem"), ("x-2", "cem"), ("x-3", "ana")] {
        cluster.run(&format!("assign {contact} --team t --rep {rep}")).ok();
    }
    let picks = ["l-1", "l-2", "l-3"].map(|contact| assign(contact)["rep"].clone());
    assert_eq!(picks, ["bo", "ana", "bo"], "a tie of Ana and Bo falls to the next in the ring");
    for (contact, rep, open) in [
        ("l-1", "bo", "0 open contacts"),
        ("l-2", "ana", "1 open contact"),
        ("l-3", "bo", "1 open"),
    ] {
        let told = cluster.run(&format!("explain {contact} --team t")).ok();
        let line = format!("{rep} had the fewest open contacts for their weight ({open}");
        assert!(told.contains(&line), "`{line}` was not told:\n{told}");
        assert!(
            told.contains(&format!("{contact} is with {rep}: the group chose them.")),
            "{told}"
        );
        assert!(!told.contains("it was the turn of"), "{told}");
    }
    // What came later does not change what was so then.
    cluster.run("assign x-4 --team t --rep bo").ok();
    let first = cluster.json("assignment list --team t --contact x-3");
    let id = first[0]["assignment"].as_str().unwrap();
    cluster.run(&format!("assignment close {id} --team t")).ok();
    let told = cluster.run("explain l-2 --team t").ok();
    assert!(told.contains("for their weight (1 open contact)"), "{told}");
    // A group that has changed may have chosen otherwise then.
    cluster.run("group update load --team t --strategy round-robin").ok();
    let told = cluster.run("explain l-2 --team t").ok();
    assert!(told.contains("Group load was changed since; as it is now, the next in its"), "{told}");
    assert!(!told.contains("open contact)"), "{told}");
}

#[test]
fn a_preview_is_what_then_happens_and_what_would_if() {
    let cluster = spring(1);
    cluster.run("rep create dora --team t").ok();
    cluster.run("assign c-0 --team t --campaign spring").ok();
    cluster.run("rep out-of-office cem --team t").ok();
    let preview = |more: &str| {
        let line =
            format!("assign preview --team t --campaign spring --count 4 {more} --output json");
        let ran = cluster.run(&line);
        assert!(ran.stderr.contains("nothing was changed"), "{}", ran.stderr);
        let whole: Value = serde_json::from_str(&ran.ok()).unwrap();
        assert!(whole["log_index"].as_u64().unwrap() > 0);
        let picks = whole["picks"].as_array().unwrap().iter();
        picks.map(|pick| pick["rep"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let next = preview("");
    assert_eq!(preview("--if-out bo"), ["ana"; 4]);
    assert_eq!(preview("--if-out bo --if-member west=dora"), ["dora", "ana", "dora", "ana"]);
    assert_eq!(preview("--if-target spring=rep:dora"), ["dora"; 4]);
    let table = cluster.run("assign preview --team t --campaign spring --count 2").ok();
    assert!(table.lines().nth(2).unwrap().contains("passed over: cem out of office"), "{table}");
    let owner =
        cluster.json("assign preview x --team t --campaign spring --owner lead=ana@example.com");
    assert_eq!(
        (&owner["picks"][0]["rep"], &owner["picks"][0]["cause"]),
        (&"ana".into(), &"OWNER".into())
    );
    // Nothing of it has moved anything.
    assert_eq!(preview(""), next);
    let happened: Vec<String> = (1..5)
        .map(|number| cluster.json(&format!("assign c-{number} --team t --campaign spring")))
        .map(|pick| pick["rep"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(happened, next);
}

#[test]
fn an_offer_is_rejected_accepted_claimed_reassigned_and_closed() {
    let cluster = spring(1);
    cluster.run("rule create offer --team t --target group:west,accept=1h,wait=1h").ok();
    let offered = cluster.json("assign o-1 --team t --rule offer");
    assert_eq!((&offered["rep"], &offered["state"]), (&"ana".into(), &"OFFERED".into()));
    let id = offered["assignment"].as_str().unwrap();
    let step = |step: &str| cluster.json(&format!("assignment {step} --team t").replace("ID", id));
    let listed = cluster.json("assignment list --team t --state offered --rep ana");
    assert_eq!(listed[0]["assignment"], id);

    let dry = cluster.run(&format!("assignment reject {id} --team t --validate-only"));
    assert!(dry.stderr.contains("nothing was changed") && dry.ok().contains("bo"));
    let next = step("reject ID");
    assert_eq!((&next["rep"], &next["rejected_by"]), (&"bo".into(), &json!(["ana"])));
    let late = cluster.run(&format!("assignment accept {id} --team t --rep ana")).failed(1);
    assert!(late.contains("NOT_OFFERED_TO_REP"), "{late}");
    let taken = step("accept ID --rep bo");
    assert_eq!((&taken["rep"], &taken["state"]), (&"bo".into(), &"ASSIGNED".into()));
    let late = cluster.run(&format!("assignment reject {id} --team t")).failed(1);
    assert!(late.contains("WRONG_ASSIGNMENT_STATE"), "{late}");

    assert_eq!(step("reassign ID --to cem")["rep"], "cem");
    let nobody = step("unassign ID");
    assert_eq!((&nobody["rep"], &nobody["state"]), (&"".into(), &"UNASSIGNED".into()));
    let claimed = step("claim ID --rep ana");
    assert_eq!((&claimed["rep"], &claimed["cause"]), (&"ana".into(), &"CLAIM".into()));
    assert!(
        cluster
            .run(&format!("assignment claim {id} --rep bo --team t"))
            .failed(1)
            .contains("ALREADY_CLAIMED")
    );
    let told = cluster.run("explain o-1 --team t").ok();
    for line in [
        "o-1 is with ana: they took it themselves.",
        "It will not be offered again to ana.",
        "offered to ana: the group chose them.",
        "turned down by ana.",
        "accepted by bo.",
        "given to cem by somebody.",
        "taken away from cem, now with nobody.",
        "taken by ana.",
    ] {
        assert!(told.contains(line), "`{line}` was not told:\n{told}");
    }
    assert_eq!(step("close ID")["state"], "CLOSED");
    assert_eq!(cluster.json("rep get ana --team t")["open_count"], 0);
    let other = cluster.json("assign o-2 --team t --rep bo");
    let other = other["assignment"].as_str().unwrap();
    // A contact that was given by hand goes by the team's default rule.
    let rerouted = cluster.json(&format!("assignment reassign {other} --team t --by-rule"));
    assert_eq!(rerouted["rep"], "ana");
    assert_eq!(cluster.json(&format!("assignment cancel {other} --team t"))["state"], "CANCELLED");
    assert!(
        cluster
            .run(&format!("assignment reassign {other} --team t"))
            .failed(2)
            .contains("--by-rule")
    );
    assert_eq!(cluster.json("assignment list --team t --limit 1").as_array().unwrap().len(), 1);
    assert!(cluster.run("assignment list --team t --state open").failed(2).contains("pending"));
}

#[test]
fn s2_6e1_a_contact_waits_and_is_served_when_somebody_comes() {
    let cluster = spring(1);
    cluster.run("rule create chat --team t --target group:west,wait=1h,online").ok();
    let waiting = cluster.json("assign w-1 --team t --rule chat");
    assert_eq!((&waiting["state"], &waiting["cause"]), (&"PENDING".into(), &"WAITING".into()));
    let told = cluster.run("explain w-1 --team t").ok();
    assert!(told.starts_with("w-1 is waiting for somebody to become available, until "), "{told}");
    assert!(
        told.contains(
            "The next in group west, only who is online: nobody could take it, so it waits here."
        ),
        "{told}"
    );
    assert!(
        told.contains("Passed over bo: not online.") && told.contains("No turn was used"),
        "{told}"
    );
    cluster.run("rep online bo --team t").ok();
    let served = cluster.json("assignment list --team t --contact w-1");
    assert_eq!((&served[0]["rep"], &served[0]["state"]), (&"bo".into(), &"ASSIGNED".into()));
}

#[test]
fn an_explanation_names_people_reasons_and_where_the_ring_went() {
    let cluster = spring(1);
    let named = Ran::of(cluster.command("rep update cem --team t").args(["--name", "Cem D."]));
    named.ok();
    cluster.run("assign c-1 --team t --campaign spring").ok();
    cluster.run("rep out-of-office bo --team t").ok();
    let turn = cluster.json("assign c-2 --team t --campaign spring");
    let id = turn["assignment"].as_str().unwrap();
    let told = cluster.run("explain c-2 --team t").ok();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], "c-2 is with Cem D. (cem): it was their turn.");
    assert!(
        lines[1].starts_with("It came at 2")
            && lines[1].ends_with(&format!("by campaign spring and is assignment {id}."))
    );
    assert_eq!(
        lines[2..],
        [
            "",
            "How it was decided:",
            "  1. The owner of the lead: no owner was given with the contact.",
            "  2. The next in group west: it was the turn of Cem D. (cem).",
            "     Passed over bo: out of office.",
            "     The last turn before was that of ana; the last turn is now that of Cem D. (cem).",
        ]
    );
    assert_eq!(cluster.run(&format!("explain {id} --team t")).ok(), told, "by its own id");
    let whole = cluster.json("explain c-2 --team t");
    assert_eq!((&whole["rep"], &whole["sentences"][0]), (&"cem".into(), &lines[0].into()));
    let csv = cluster.run("explain c-2 --team t --output csv").ok();
    assert!(
        csv.starts_with("part,sentence\nnow,c-2 is with Cem D. (cem): it was their turn.\n"),
        "{csv}"
    );

    // Several ways: the newest is told, the others are named; a campaign chooses.
    cluster.run("assign c-2 --team t --group west").ok();
    let both = cluster.run("explain c-2 --team t");
    assert!(both.stderr.contains(&format!("earlier: {id}, ASSIGNED with cem")), "{}", both.stderr);
    assert!(both.ok().contains("by group west"));
    assert_eq!(cluster.run("explain c-2 --team t --campaign spring").ok(), told);
    let nobody = cluster.run("explain c-99 --team t").failed(1);
    assert!(
        nobody.contains("no assignment of `c-99`") && nobody.contains("turnwise assign preview"),
        "{nobody}"
    );
}

#[test]
fn a_file_is_assigned_in_batches_as_it_would_be_one_by_one() {
    let cluster = spring(3);
    let mut rows = "id,agent\n".to_owned();
    for number in 0..25 {
        let agent = if number % 5 == 0 { "bo@example.com" } else { "" };
        rows.push_str(&format!("c-{number},{agent}\n"));
    }
    let file = cluster.path("in.csv");
    write(&file, &rows);
    let line = |campaign: &str, out: &str, more: &str| {
        format!(
            "assign --from {} --team t --contact id --owner-column agent --owner-kind lead --campaign \
             {campaign} --out {} {more}",
            file.display(),
            cluster.path(out).display()
        )
    };
    cluster.run("campaign create single --team t --owner lead --group west --launch").ok();
    cluster.run(&line("single", "single.csv", "--concurrency 1")).ok();

    let dry = cluster.run(&line("spring", "dry.csv", "--batch --validate-only"));
    assert!(dry.stderr.contains("nothing was changed"), "{}", dry.stderr);
    dry.ok();
    let batched = cluster.run(&line("spring", "batched.csv", "--batch 10 --request-id night"));
    assert!(
        batched.stderr.contains("25 contacts, 0 of them assigned before"),
        "{}",
        batched.stderr
    );
    let counts = batched.ok();
    assert_eq!(counts.lines().count(), 4, "{counts}");
    let picks = |out: &str| -> Vec<(String, String)> {
        let mut reader = csv::Reader::from_path(cluster.path(out)).unwrap();
        let rows = reader.records().map(Result::unwrap);
        rows.map(|row| (row[0].to_owned(), row[2].to_owned())).collect()
    };
    assert_eq!(picks("batched.csv"), picks("single.csv"));
    assert_eq!(picks("batched.csv"), picks("dry.csv"));
    let whole = |out: &str| std::fs::read_to_string(cluster.path(out)).unwrap();
    cluster.run(&line("spring", "repeat.csv", "--batch 10 --request-id night")).ok();
    assert_eq!(whole("repeat.csv"), whole("batched.csv"), "the answers as first given");
    cluster.run(&line("spring", "again.csv", "--batch 10")).ok();
    assert_eq!(whole("again.csv"), whole("batched.csv").replace(",false,", ",true,"));

    let several = cluster.run(&line("spring", "x.csv", "--batch 10 --validate-only")).failed(2);
    assert!(several.contains("more than one batch"), "{several}");
    let stream = cluster.run(&line("spring", "x.csv", "--validate-only")).failed(2);
    assert!(stream.contains("--batch"), "{stream}");
    assert!(!cluster.path("x.csv").exists());
}
