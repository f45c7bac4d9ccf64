//! What several files say is the same in all of them.

use turnwise::config::KEYS;

use crate::{INSTALLED, compose, file, image, kubernetes, systemd};

/// The port of an address that the program listens on by default.
fn default_port(key: &str) -> u64 {
    let key = KEYS.iter().find(|each| each.name == key).unwrap();
    key.default.unwrap().rsplit_once(':').unwrap().1.parse().unwrap()
}

#[test]
fn image_and_version_are_the_same_everywhere() {
    let version = env!("CARGO_PKG_VERSION");
    let image = format!("turnwise:{version}");
    for (name, service) in compose::services(&compose::compose()) {
        assert_eq!(service["image"], image.as_str(), "{name}");
    }
    let set = kubernetes::object("StatefulSet", "turnwise");
    assert_eq!(set["spec"]["template"]["spec"]["containers"][0]["image"], image.as_str());
    let kustomization = file("deploy/kubernetes/kustomization.yaml");
    assert!(kustomization.contains(&format!("newTag: {version}\n")));
    for page in
        ["deploy/Dockerfile", "deploy/compose.yaml", "deploy/README.md", "docs/OPERATIONS.md"]
    {
        let text = file(page);
        assert!(text.contains(&format!("-t {image} .")), "{page} builds another image");
        // A name with a port is none.
        let is_version =
            |tag: &&str| tag.starts_with(|c: char| c.is_ascii_digit()) && tag.contains('.');
        let tags =
            text.split("turnwise:").skip(1).filter_map(|rest| rest.split([' ', '\n']).next());
        let others: Vec<&str> = tags.filter(is_version).filter(|tag| *tag != version).collect();
        assert_eq!(others, [""; 0], "{page} names another image");
    }
}

#[test]
fn the_user_is_the_same_everywhere() {
    let user = image::image().user;
    let (uid, _) = user.split_once(':').unwrap();
    let uid: u64 = uid.parse().unwrap();
    for (name, service) in compose::services(&compose::compose()) {
        assert_eq!(service["user"], user.as_str(), "{name}");
    }
    let set = kubernetes::object("StatefulSet", "turnwise");
    let security = &set["spec"]["template"]["spec"]["securityContext"];
    for key in ["runAsUser", "runAsGroup", "fsGroup"] {
        assert_eq!(security[key], uid, "{key}");
    }
}

#[test]
fn ports_are_those_that_the_program_has_by_default() {
    let ports = ["client_address", "peer_address", "admin_address"].map(default_port);
    assert_eq!(image::image().ports, ports);
    let set = kubernetes::object("StatefulSet", "turnwise");
    let template = &set["spec"]["template"];
    let listed = template["spec"]["containers"][0]["ports"].as_array().unwrap();
    let numbers: Vec<_> =
        listed.iter().map(|port| port["containerPort"].as_u64().unwrap()).collect();
    assert_eq!(numbers, ports);
    let scraped = &template["metadata"]["annotations"]["prometheus.io/port"];
    assert_eq!(scraped, default_port("admin_address").to_string().as_str());
    // What the nodes in containers are told to listen on; their commands are run by other tests.
    let told = file("deploy/kubernetes/nodes.yaml");
    for (key, port) in ["CLIENT", "PEER", "ADMIN"].iter().zip(ports) {
        let told = told
            .contains(&format!("TURNWISE_{key}_ADDRESS\n              value: \"0.0.0.0:{port}\""));
        assert!(told, "{key}");
    }
}

#[test]
fn the_program_lies_where_the_image_and_the_unit_look_for_it() {
    assert_eq!(image::image().entrypoint, [INSTALLED]);
    assert_eq!(systemd::command()[0], INSTALLED);
    assert!(file("docs/OPERATIONS.md").contains(INSTALLED));
}
