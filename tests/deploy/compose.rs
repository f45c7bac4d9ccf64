//! compose.yaml: its commands, in its environment, form a cluster.

use std::collections::BTreeMap;

use serde_json::Value;
use turnwise::config::KEYS;

use crate::{
    image,
    nodes::{Nodes, Plan},
    texts, yaml,
};

const CLUSTER_ID: &str = "5f0c9e2b7d3a4e61b8d2f4a6c8e0a1b3";

/// The file, with anchors and merges resolved.
pub(crate) fn compose() -> Value {
    let [compose] = <[Value; 1]>::try_from(yaml("deploy/compose.yaml")).unwrap();
    compose
}

/// Its nodes, in order.
pub(crate) fn services(compose: &Value) -> Vec<(String, Value)> {
    let services = compose["services"].as_object().unwrap();
    services.iter().map(|(name, service)| (name.clone(), service.clone())).collect()
}

/// The environment of a service, with what the shell has to give it.
fn environment(service: &Value) -> BTreeMap<String, String> {
    let given = |text: &str| match text.strip_prefix("${TURNWISE_CLUSTER_ID:?") {
        Some(_) => CLUSTER_ID.to_owned(),
        None => text.to_owned(),
    };
    let all = service["environment"].as_object().unwrap().iter();
    all.map(|(name, value)| (name.clone(), given(value.as_str().unwrap()))).collect()
}

#[test]
fn the_commands_of_the_file_form_a_cluster_whose_leader_hands_over_when_stopped() {
    let (compose, image) = (compose(), image::image());
    let services = services(&compose);
    assert_eq!(services.len(), 3);
    let plan = |number: usize| {
        let (_, service) = &services[number - 1];
        let mut env = image.env.clone();
        env.extend(environment(service));
        assert_eq!(env["TURNWISE_NODE_ID"], number.to_string());
        let command = [image.entrypoint.clone(), texts(&service["command"])].concat();
        Plan { command, env, ..Plan::default() }
    };
    let mut nodes = Nodes::new(3, plan, |number| format!("{}:7401", services[number - 1].0));
    (1..=3).for_each(|number| nodes.start(number));
    (1..=3).for_each(|number| nodes.until_worked(number, &image.health));
    let unhealthy = nodes.seen_by(1)["members"]
        .as_array()
        .unwrap()
        .iter()
        .any(|member| member["reachable"] != true);
    assert!(!unhealthy, "all three are in it");
    nodes.stop_leader_first();
}

#[test]
fn every_variable_is_one_that_the_program_reads_and_every_name_is_defined() {
    let compose = compose();
    for (name, service) in services(&compose) {
        for variable in environment(&service).keys() {
            assert!(KEYS.iter().any(|key| key.env == variable), "{name}: {variable}");
        }
        for network in texts(&service["networks"]) {
            assert!(compose["networks"].get(&network).is_some(), "{name}: {network}");
        }
        for volume in texts(&service["volumes"]) {
            let (volume, path) = volume.split_once(':').unwrap();
            assert!(compose["volumes"].get(volume).is_some(), "{name}: {volume}");
            assert_eq!(volume, name, "each node has its own");
            assert_eq!([path], image::image().volumes[..]);
        }
    }
    assert_eq!(compose["networks"]["peers"]["internal"], true, "peer ports are for nodes only");
}

#[test]
fn the_containers_may_do_nothing_that_a_node_does_not_need() {
    let mut ports = Vec::new();
    for (name, service) in services(&compose()) {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(texts(&service["cap_drop"]), ["ALL"], "{name}");
        assert_eq!(texts(&service["security_opt"]), ["no-new-privileges:true"], "{name}");
        for port in texts(&service["ports"]) {
            let rest = port.strip_prefix("127.0.0.1:").expect("outside, only loopback is open");
            ports.push(rest.split_once(':').unwrap().0.to_owned());
            assert!(!rest.ends_with(":7401"), "{name}: the peer port stays inside");
        }
    }
    // Where `turnwise` looks when nobody says otherwise.
    for client in ["7400", "7410", "7420"] {
        assert!(ports.iter().any(|port| port == client), "{ports:?}");
    }
}
