//! The manifests: their commands, in their environment and with their config map, form a cluster that answers
//! their probes; what they name is there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_json::{Value, json};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use turnwise::config::KEYS;

use crate::{
    INSTALLED, file, image,
    nodes::{Nodes, Plan},
    texts, tool, yaml,
};

const FOLDER: &str = "deploy/kubernetes";

/// Every object of the folder.
pub(crate) fn objects() -> Vec<Value> {
    let kustomization = &yaml(&format!("{FOLDER}/kustomization.yaml"))[0];
    let listed = texts(&kustomization["resources"]);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
    let there: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "kustomization.yaml")
        .collect();
    assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), there, "all of them are applied");
    listed.iter().flat_map(|name| yaml(&format!("{FOLDER}/{name}"))).collect()
}

/// The object of this kind and name.
pub(crate) fn object(kind: &str, name: &str) -> Value {
    let is_it = |it: &Value| it["kind"] == kind && it["metadata"]["name"] == name;
    objects().into_iter().find(is_it).unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// The pods' template of a StatefulSet.
fn pod(set: &Value) -> &Value {
    &set["spec"]["template"]["spec"]
}

fn container(set: &Value) -> &Value {
    let containers = pod(set)["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 1);
    &containers[0]
}

/// Number of a port by its name.
fn port(set: &Value, name: &str) -> u64 {
    let ports = container(set)["ports"].as_array().unwrap();
    let port = ports.iter().find(|port| port["name"] == name).unwrap_or_else(|| panic!("{name}"));
    port["containerPort"].as_u64().unwrap()
}

const CLUSTER_ID: &str = "5f0c9e2b7d3a4e61b8d2f4a6c8e0a1b3";

/// Name of a pod, by its number.
fn pod_name(set: &Value, number: usize) -> String {
    let first = set["spec"]["ordinals"]["start"].as_u64().unwrap();
    assert_eq!(first, 1, "pods count as nodes do");
    format!("{}-{number}", set["metadata"]["name"].as_str().unwrap())
}

/// The environment that the kubelet gives a pod. It expands what was defined before.
fn environment(set: &Value, number: usize) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for variable in container(set)["env"].as_array().unwrap() {
        let value = match variable["value"].as_str() {
            Some(text) => expanded(text, &all),
            None => {
                let from = &variable["valueFrom"];
                let is_name = from["fieldRef"]["fieldPath"] == "metadata.name";
                let is_id =
                    from["configMapKeyRef"] == json!({"name": "turnwise-cluster", "key": "id"});
                assert!(is_name || is_id, "`{from}` is not known");
                if is_name { pod_name(set, number) } else { CLUSTER_ID.to_owned() }
            }
        };
        all.insert(variable["name"].as_str().unwrap().to_owned(), value);
    }
    all
}

fn expanded(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut text = text.to_owned();
    for (name, value) in variables {
        text = text.replace(&format!("$({name})"), value);
    }
    assert!(!text.contains("$("), "`{text}` asks for what is not defined before");
    text
}

/// The files that say who each pod is, where they are mounted: those of the config map, and `joining` in the
/// place of the Secret.
fn files(set: &Value, joining: &[(String, String)]) -> BTreeMap<String, String> {
    let volumes = pod(set)["volumes"].as_array().unwrap();
    let [volume] = volumes.as_slice() else { panic!("{volumes:?}") };
    let mounts = container(set)["volumeMounts"].as_array().unwrap();
    let mount = mounts.iter().find(|mount| mount["name"] == volume["name"]).unwrap();
    assert_eq!(mount["readOnly"], true);
    let at = mount["mountPath"].as_str().unwrap();
    let sources = &volume["projected"]["sources"];
    let map = object("ConfigMap", sources[0]["configMap"]["name"].as_str().unwrap());
    assert_eq!(sources[1]["secret"], json!({"name": "turnwise-join", "optional": true}));
    let founding = map["data"].as_object().unwrap().iter();
    let founding = founding.map(|(name, text)| (name.clone(), text.as_str().unwrap().to_owned()));
    founding
        .chain(joining.iter().cloned())
        .map(|(name, text)| (format!("{at}/{name}"), text))
        .collect()
}

/// A pod as a process.
fn plan(set: &Value, number: usize, joining: &[(String, String)]) -> Plan {
    let image = image::image();
    let mut env = image.env.clone();
    env.extend(environment(set, number));
    let mut command = image.entrypoint;
    command.extend(texts(&container(set)["args"]).iter().map(|word| expanded(word, &env)));
    Plan { command, env, files: files(set, joining), ..Plan::default() }
}

/// The name of a pod's peer port among the others.
fn peer_address(set: &Value, number: usize) -> String {
    let service = set["spec"]["serviceName"].as_str().unwrap();
    format!("{}.{service}:{}", pod_name(set, number), port(set, "peer"))
}

/// Whether a probe is content with a node.
async fn probe(probe: &Value, nodes: &Nodes, number: usize, set: &Value) -> bool {
    assert_eq!(probe["grpc"]["port"], port(set, "grpc"), "it asks the port of clients");
    let service = probe["grpc"]["service"].as_str().unwrap_or_default().to_owned();
    let address = format!("http://{}", nodes.client_address(number));
    let endpoint = tonic::transport::Endpoint::from_shared(address).unwrap();
    let Ok(channel) = endpoint.connect().await else { return false };
    let mut health = HealthClient::new(channel);
    // What the health service does not know is an error, and never becomes well.
    let answer = health.check(HealthCheckRequest { service }).await;
    answer.is_ok_and(|answer| answer.into_inner().status == 1)
}

#[test]
fn the_founders_form_a_cluster_that_answers_its_probes_and_hands_over_when_stopped() {
    let set = object("StatefulSet", "turnwise");
    assert_eq!(set["spec"]["replicas"], 3);
    let address = |number: usize| peer_address(&set, number);
    let mut nodes = Nodes::new(3, |number| plan(&set, number, &[]), address);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    nodes.start(1);
    let content = |nodes: &Nodes, number, which: &str| {
        runtime.block_on(probe(&container(&set)[which], nodes, number, &set))
    };
    // Alone it lives, and is not ready.
    nodes.until(1, "alive", |nodes| content(nodes, 1, "startupProbe"));
    assert!(content(&nodes, 1, "livenessProbe") && !content(&nodes, 1, "readinessProbe"));
    (2..=3).for_each(|number| nodes.start(number));
    for number in 1..=3 {
        nodes.until(number, "ready", |nodes| content(nodes, number, "readinessProbe"));
    }
    nodes.stop_leader_first();
}

#[test]
fn a_fourth_pod_joins_with_a_token_from_the_secret_and_is_not_asked_again() {
    let set = object("StatefulSet", "turnwise");
    let address = |number: usize| peer_address(&set, number);
    let mut nodes = Nodes::new(4, |number| plan(&set, number, &[]), address);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let probed = &container(&set)["readinessProbe"];
    let is_ready = |nodes: &Nodes, number| runtime.block_on(probe(probed, nodes, number, &set));
    (1..=3).for_each(|number| nodes.start(number));
    (1..=3).for_each(|number| nodes.until(number, "ready", |nodes| is_ready(nodes, number)));
    let endpoint = nodes.client_address(1).to_string();
    let add = [INSTALLED, "cluster", "add", "--endpoints", &endpoint].map(str::to_owned);
    let added = nodes.command(1, &add).output().unwrap();
    assert!(added.status.success(), "{added:?}");
    let token = String::from_utf8(added.stdout).unwrap();
    // As config.yaml says.
    let kind = "turnwise-4.toml='join = \"TOKEN\"'";
    assert!(file("deploy/kubernetes/config.yaml").contains(kind));
    let joining = ("turnwise-4.toml".to_owned(), format!("join = \"{}\"", token.trim()));
    nodes.set_files(4, files(&set, &[joining]));
    nodes.start(4);
    nodes.until(4, "ready", |nodes| is_ready(nodes, 4));
    nodes.until(4, "a member", |nodes| nodes.seen_by(1)["members"].as_array().unwrap().len() == 4);
    // The token is spent; the file stays.
    let status = nodes.stop(4);
    assert!(status.success(), "{status}: {}", nodes.log(4));
    nodes.start(4);
    nodes.until(4, "ready again", |nodes| is_ready(nodes, 4));
}

#[test]
fn every_variable_and_every_founders_file_is_one_that_the_program_reads() {
    let set = object("StatefulSet", "turnwise");
    for variable in environment(&set, 1).keys().filter(|name| *name != "POD_NAME") {
        assert!(KEYS.iter().any(|key| key.env == variable), "{variable}");
    }
    let founders: Vec<String> = files(&set, &[]).into_values().collect();
    let said: Vec<String> =
        (1..=3).map(|number| format!("node_id = {number}\nbootstrap = true\n")).collect();
    assert_eq!(founders, said, "nobody else founds");
}

#[test]
fn pods_start_together_stop_in_order_and_may_do_nothing_that_a_node_does_not_need() {
    let set = object("StatefulSet", "turnwise");
    let (pod, container) = (pod(&set), container(&set));
    assert_eq!(set["spec"]["podManagementPolicy"], "Parallel");
    assert_eq!(set["spec"]["updateStrategy"]["type"], "RollingUpdate");
    let pause = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    // Five seconds for calls that are under way: `DRAIN_MAX`.
    assert!(grace >= pause + 5 + 5, "{grace} s");
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(pod["automountServiceAccountToken"], false);
    let security = &container["securityContext"];
    assert_eq!(security["readOnlyRootFilesystem"], true);
    assert_eq!(security["allowPrivilegeEscalation"], false);
    assert_eq!(texts(&security["capabilities"]["drop"]), ["ALL"]);
    let mounts: Vec<_> = container["volumeMounts"].as_array().unwrap().iter().collect();
    let writable: Vec<_> = mounts.iter().filter(|mount| mount["readOnly"] != true).collect();
    assert_eq!(writable.len(), 1);
    assert_eq!(writable[0]["name"], set["spec"]["volumeClaimTemplates"][0]["metadata"]["name"]);
    assert_eq!([writable[0]["mountPath"].as_str().unwrap()], image::image().volumes[..]);
}

#[test]
fn whatever_the_manifests_name_is_there() {
    let set = object("StatefulSet", "turnwise");
    let all = objects();
    let labels = &set["spec"]["template"]["metadata"]["labels"];
    let matches = |selector: &Value| {
        selector.as_object().unwrap().iter().all(|(label, value)| &labels[label] == value)
    };
    assert!(matches(&set["spec"]["selector"]["matchLabels"]));
    let services: Vec<&Value> = all.iter().filter(|it| it["kind"] == "Service").collect();
    assert_eq!(services.len(), 2);
    for service in services {
        assert!(matches(&service["spec"]["selector"]), "{service}");
        for each in service["spec"]["ports"].as_array().unwrap() {
            assert_eq!(each["port"], port(&set, each["targetPort"].as_str().unwrap()));
        }
    }
    let headless = object("Service", set["spec"]["serviceName"].as_str().unwrap());
    assert_eq!(headless["spec"]["clusterIP"], "None");
    assert_eq!(headless["spec"]["publishNotReadyAddresses"], true, "nodes get ready together");
    let budget = object("PodDisruptionBudget", "turnwise");
    assert!(matches(&budget["spec"]["selector"]["matchLabels"]));
    assert_eq!(budget["spec"]["maxUnavailable"], 1);
    let policy = object("NetworkPolicy", "turnwise");
    assert!(matches(&policy["spec"]["podSelector"]["matchLabels"]));
    for rule in policy["spec"]["ingress"].as_array().unwrap() {
        let names: Vec<&str> = rule["ports"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["port"].as_str().unwrap())
            .collect();
        names.iter().for_each(|name| assert!(port(&set, name) > 0));
        let only_nodes = rule["from"].as_array().unwrap().iter().all(|from| {
            from.get("podSelector").is_some_and(|it| it.get("matchLabels").is_some_and(matches))
        });
        assert!(only_nodes || !names.contains(&"peer"), "peer ports are for nodes only: {rule}");
    }
}

#[test]
fn kubectl_builds_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
    if let Some(built) = tool("kubectl", &["kustomize", folder.to_str().unwrap()]) {
        let built: Vec<Value> = serde_saphyr::from_multiple(&built).unwrap();
        assert_eq!(built.len(), objects().len());
        assert!(built.iter().all(|it| it["metadata"]["namespace"] == "turnwise"), "{built:?}");
    }
}
