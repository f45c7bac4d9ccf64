//! The rules for Prometheus: each names metrics that a node shows, and docs/OPERATIONS.md tells what to do.

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::TcpStream,
};

use crate::{
    INSTALLED, file,
    nodes::{Nodes, Plan},
    yaml,
};

/// Names of metrics in an expression, with the labels that are asked for.
fn metrics(expression: &str) -> BTreeSet<String> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = expression.split(|c| !is_of_name(c));
    words.filter(|word| word.starts_with("turnwise_")).map(str::to_owned).collect()
}

#[test]
fn every_alert_asks_for_metrics_that_a_node_shows_and_has_its_place_in_the_runbook() {
    let env = [
        ("TURNWISE_NODE_ID", "1"),
        ("TURNWISE_CLUSTER_ID", "5f0c9e2b7d3a4e61b8d2f4a6c8e0a1b3"),
        ("TURNWISE_DATA_DIR", "/var/lib/turnwise"),
        ("TURNWISE_BOOTSTRAP", "true"),
        ("TURNWISE_CLIENT_ADDRESS", "127.0.0.1:7400"),
        ("TURNWISE_PEER_ADDRESS", "127.0.0.1:7401"),
        ("TURNWISE_ADMIN_ADDRESS", "127.0.0.1:7402"),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let command = vec![INSTALLED.to_owned(), "serve".to_owned()];
    let plan = Plan { command, env, ..Plan::default() };
    let mut nodes = Nodes::new(1, |_| plan.clone(), |_| "nowhere:0".to_owned());
    nodes.start(1);
    nodes.until(1, "led", |nodes| {
        nodes.log(1).contains("serving") && nodes.seen_by(1)["leader"] == 1
    });
    let mut page = String::new();
    let mut admin = TcpStream::connect(nodes.admin_address(1)).unwrap();
    admin.write_all(b"GET /metrics HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n").unwrap();
    admin.read_to_string(&mut page).unwrap();

    let rules = &yaml("deploy/prometheus/turnwise.rules.yaml")[0]["groups"][0]["rules"];
    let rules = rules.as_array().unwrap();
    assert!(rules.len() >= 6);
    let runbook = file("docs/OPERATIONS.md");
    for rule in rules {
        let name = rule["alert"].as_str().unwrap();
        assert!(
            runbook.contains(&format!("`{name}`")),
            "docs/OPERATIONS.md does not tell of {name}"
        );
        let expression = rule["expr"].as_str().unwrap();
        for metric in metrics(expression) {
            let is_shown = page.lines().any(|line| {
                line.strip_prefix(&metric).is_some_and(|rest| rest.starts_with(['{', ' ']))
            });
            assert!(is_shown, "{name}: no node shows {metric}:\n{page}");
        }
        for label in ["role=\"Leader\"", "code=\""] {
            let name = label.split('=').next().unwrap();
            let wanted = expression.contains(&format!("{name}=\""));
            assert!(!wanted || page.contains(label), "{expression}");
        }
        assert!(
            rule["annotations"]["summary"].is_string() && rule["labels"]["severity"].is_string()
        );
    }
}
