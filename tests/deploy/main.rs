//! The files of deploy/, held against the real program and against each other. No container engine, no
//! Kubernetes and no systemd are needed: the files are parsed, and the very commands in them are run, with
//! ports and paths of this machine in the place of theirs.
//!
//! | File | Owns |
//! |---|---|
//! | `nodes` | processes that are started as a file says, somewhere else |
//! | `image` | the Dockerfile: what the image holds, and that a node runs in it |
//! | `compose` | compose.yaml: three nodes by its commands |
//! | `kubernetes` | the manifests: three nodes by their commands and probes |
//! | `systemd` | the unit: what it allows, what the node needs, what systemd is told |
//! | `alerts` | the rules for Prometheus name metrics that there are |
//! | `together` | images, users, ports and names are the same in all files |
//!
//! What needs a tool that is not here says so on stderr and checks the rest.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod alerts;
mod compose;
mod image;
mod kubernetes;
mod nodes;
#[path = "../support/ports.rs"]
mod ports;
mod systemd;
mod together;

use std::{path::Path, process::Command};

use serde_json::Value;

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_turnwise");
/// Where the files of deploy/ say that it lies.
const INSTALLED: &str = "/usr/local/bin/turnwise";

/// A file of the repository.
fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every document of a YAML file.
fn yaml(path: &str) -> Vec<Value> {
    let text = file(path);
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The texts of a list.
fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().unwrap_or_else(|| panic!("not a list: {list}"));
    list.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// What a tool prints, or None and a word on stderr where it is not here.
fn tool(name: &str, arguments: &[&str]) -> Option<String> {
    let Ok(output) = Command::new(name).args(arguments).output() else {
        eprintln!("skipped: there is no `{name}` here");
        return None;
    };
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{name} {arguments:?}: {all}");
    Some(all)
}

/// Whether this test may do what only root may.
fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        eprintln!("skipped: only root can do this");
    }
    is_root
}
