//! The Dockerfile: its last stage, and that a node runs in the root that it makes.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use crate::{
    INSTALLED, PROGRAM, file, is_root,
    nodes::{Nodes, Plan},
};

/// What an image says of itself.
#[derive(Debug, Default)]
pub(crate) struct Image {
    pub(crate) entrypoint: Vec<String>,
    pub(crate) command: Vec<String>,
    /// The command of its health check.
    pub(crate) health: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) ports: Vec<u64>,
    pub(crate) user: String,
    pub(crate) volumes: Vec<String>,
}

/// Instructions in order: name and the rest, in one line each.
fn instructions() -> Vec<(String, String)> {
    let text = file("deploy/Dockerfile");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let whole = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let split = |line: &str| {
        let (name, rest) = line.trim().split_once(' ').unwrap();
        (name.to_owned(), rest.trim().to_owned())
    };
    whole.lines().map(split).collect()
}

fn words(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_else(|_| panic!("not in the form [\"…\"]: {json}"))
}

/// The image that the last stage makes.
pub(crate) fn image() -> Image {
    let all = instructions();
    let last = all.iter().rposition(|(name, _)| name == "FROM").unwrap();
    assert_eq!(all[last].1, "scratch", "there is nothing in it but what is copied");
    let mut image = Image::default();
    for (name, rest) in &all[last + 1..] {
        match name.as_str() {
            "ENTRYPOINT" => image.entrypoint = words(rest),
            "CMD" => image.command = words(rest),
            "HEALTHCHECK" => image.health = words(rest.split_once("CMD ").unwrap().1),
            "ENV" => {
                let (name, value) = rest.split_once('=').unwrap();
                image.env.insert(name.to_owned(), value.to_owned());
            }
            "EXPOSE" => image.ports = rest.split(' ').map(|port| port.parse().unwrap()).collect(),
            "USER" => image.user = rest.clone(),
            "VOLUME" => image.volumes.push(rest.clone()),
            "COPY" | "STOPSIGNAL" => {}
            other => panic!("`{other}` is not looked at"),
        }
    }
    image
}

#[test]
fn the_build_copies_what_is_there_with_the_rust_that_cargo_toml_asks_for() {
    let all = instructions();
    let cargo: toml::Table = file("Cargo.toml").parse().unwrap();
    let rust = cargo["package"]["rust-version"].as_str().unwrap();
    assert!(all[0].1.starts_with(&format!("rust:{rust}-")), "{}", all[0].1);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ignored = file("deploy/Dockerfile.dockerignore");
    let kept: Vec<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let copies = all.iter().filter(|(name, rest)| name == "COPY" && !rest.starts_with("--from"));
    let mut sources: Vec<&str> = Vec::new();
    for (_, rest) in copies {
        let mut words: Vec<&str> = rest.split(' ').collect();
        words.pop();
        sources.extend(words);
    }
    for source in &sources {
        assert!(root.join(source).exists(), "{source} is not there to be copied");
        assert!(kept.contains(source), "{source} is ignored");
    }
    assert_eq!(sources.len(), kept.len(), "{kept:?}");
    // Whatever the manifest names has to be there for cargo, built or not.
    for (kind, fallback) in [("bench", "benches"), ("example", "examples")] {
        assert!(cargo.get(kind).is_none() || sources.contains(&fallback), "{kind}");
    }
}

#[test]
fn the_image_runs_as_nobody_in_particular_and_writes_to_one_place() {
    let image = image();
    let (user, group) = image.user.split_once(':').unwrap();
    assert!(user.parse::<u32>().unwrap() >= 10_000 && user == group, "{}", image.user);
    assert_eq!(image.volumes, ["/var/lib/turnwise"]);
    assert!(image.env["TURNWISE_DATA_DIR"].starts_with("/var/lib/turnwise/"));
    assert_eq!(image.entrypoint, [INSTALLED]);
    assert_eq!(image.command, ["serve"]);
    assert_eq!(image.health[0], INSTALLED);
}

/// The root of the image, made by the Dockerfile's own command with our program.
fn make_root(at: &Path) {
    let all = instructions();
    let (_, make) = all.iter().find(|(name, rest)| name == "RUN" && rest.contains("ldd")).unwrap();
    let make = make.replace("/image", at.to_str().unwrap()).replace(INSTALLED, PROGRAM);
    let output = Command::new("bash").args(["-euo", "pipefail", "-c", &make]).output().unwrap();
    assert!(output.status.success(), "{make}\n{output:?}");
}

#[test]
fn a_node_serves_in_the_image_and_can_write_nowhere_but_in_its_volume() {
    if !is_root() {
        return;
    }
    let image = image();
    let root = tempfile::tempdir().unwrap();
    make_root(root.path());
    // What an engine adds.
    fs::write(root.path().join("etc/hosts"), "127.0.0.1 localhost node-1\n").unwrap();
    let passwd = fs::read_to_string(root.path().join("etc/passwd")).unwrap();
    assert!(passwd.contains(&format!("turnwise:x:{}:", image.user)), "{passwd}");
    let within = |words: &[String]| {
        let user = format!("--userspec={}", image.user);
        let root = root.path().to_str().unwrap().to_owned();
        [&["chroot".to_owned(), user, root], words].concat()
    };
    let version = [PROGRAM.to_owned(), "--version".to_owned()];
    let runs = |words: &[String]| Command::new(&words[0]).args(&words[1..]).output().unwrap();
    if !runs(&[&["chroot".to_owned(), "/".to_owned()], &version[..]].concat()).status.success() {
        eprintln!("skipped: chroot is not allowed here");
        return;
    }
    let ran = runs(&within(&version));
    assert!(ran.status.success(), "the image lacks something that the program loads: {ran:?}");
    let env = [
        ("TURNWISE_NODE_ID", "1"),
        ("TURNWISE_CLUSTER_ID", "5f0c9e2b7d3a4e61b8d2f4a6c8e0a1b3"),
        ("TURNWISE_BOOTSTRAP", "true"),
        ("TURNWISE_CLIENT_ADDRESS", "127.0.0.1:7400"),
        ("TURNWISE_PEER_ADDRESS", "127.0.0.1:7401"),
        ("TURNWISE_ADMIN_ADDRESS", "127.0.0.1:7402"),
    ];
    let command = within(&[image.entrypoint.clone(), image.command.clone()].concat());
    let mut plan = Plan { command, ..Plan::default() };
    plan.env.extend(env.map(|(name, value)| (name.to_owned(), value.to_owned())));
    // The volume is the one in the image, under the same path: no other is to take its place.
    let unmapped = |text: &String| text.replace("/var/lib/turnwise", "/var/lib/./turnwise");
    plan.env.extend(image.env.iter().map(|(name, value)| (name.clone(), unmapped(value))));
    let mut nodes = Nodes::new(1, |_| plan.clone(), |_| "nowhere:0".to_owned());
    nodes.start(1);
    nodes.until_worked(1, &within(&image.health));
    // By name: the image has what it takes to look one up.
    let by_name = format!("node-1:{}", nodes.client_address(1).port());
    let named = |word: &String| word.replace("127.0.0.1:7400", &by_name);
    let health: Vec<String> = image.health.iter().map(named).collect();
    nodes.until_worked(1, &within(&health));
    let written: Vec<String> = list(root.path(), &image.user);
    assert!(written.iter().any(|path| path.contains("var/lib/turnwise/data/")), "{written:?}");
    assert!(written.iter().all(|path| path.contains("var/lib/turnwise")), "{written:?}");
    let status = nodes.stop(1);
    assert!(status.success(), "{status}: {}", nodes.log(1));
}

/// What in a folder belongs to the image's user.
fn list(folder: &Path, user: &str) -> Vec<String> {
    let (user, _) = user.split_once(':').unwrap();
    let output = Command::new("find").arg(folder).args(["-user", user]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}
