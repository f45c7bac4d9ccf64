//! Who may know whom. Arrows run one way: `routing` knows nobody, `consensus` knows bytes, `replica`
//! binds the two, `api` knows both, `client` knows the messages, `cli` and `server` compose.

use super::{
    assert_clean,
    source::{self, Named},
    tree::{self, File},
};

/// Each module of the crate, and what of the crate it may name beside itself.
const LAYERS: [(&str, &[&str]); 23] = [
    ("planted", &[]),
    ("routing", &["planted"]),
    (
        "consensus",
        &[
            "proto::turnwise::log",
            "proto::turnwise::peer",
            "clock",
            "telemetry",
            "unavailable",
            "planted",
        ],
    ),
    ("unavailable", &["consensus::NodeId"]),
    ("clock", &["routing::Time"]),
    ("credentials", &[]),
    ("codec", &["proto::turnwise::log", "routing"]),
    ("events", &["consensus::EventSink", "routing"]),
    ("hours", &["routing"]),
    ("image", &["routing"]),
    ("load", &["clock"]),
    ("replica", &["codec", "consensus", "image", "planted", "routing", "unavailable"]),
    ("timers", &["clock", "hours", "replica", "routing", "unavailable"]),
    ("config", &["consensus::NodeId", "consensus::driver::JoinToken"]),
    ("telemetry", &["config::LogFormat", "consensus::NodeId"]),
    ("backup", &["codec", "consensus", "image", "proto::turnwise::log", "replica", "routing"]),
    ("verify", &["codec", "consensus", "routing"]),
    ("admin", &["telemetry"]),
    (
        "api",
        &[
            "backup",
            "clock",
            "consensus::NodeId",
            "credentials",
            "events",
            "hours",
            "proto",
            "replica",
            "routing",
            "telemetry",
            "unavailable",
        ],
    ),
    ("client", &["proto::turnwise::v1", "clock"]),
    ("proto", &[]),
    (
        "server",
        &[
            "admin",
            "api",
            "config",
            "consensus",
            "credentials",
            "events",
            "proto::turnwise::peer",
            "replica",
            "routing::SecretHash",
            "routing::State",
            "telemetry",
            "timers",
        ],
    ),
    (
        "cli",
        &[
            "backup",
            "client",
            "clock",
            "config",
            "consensus::NodeId",
            // What `restore` and `recover` make, and what is lost.
            "consensus::driver::Loss",
            "consensus::driver::Member",
            // Which exit code a node ends with.
            "consensus::driver::Ended",
            "credentials",
            "load",
            "proto::turnwise::v1",
            "server",
            "telemetry",
            "verify",
        ],
    ),
];

/// Crates and types that only some files may name.
const KEPT_IN: [(&str, &[&str]); 6] = [
    // raft-rs's types end where ours begin (src/consensus/wire.rs).
    ("raft", RAFT),
    ("eraftpb", RAFT),
    ("protobuf", RAFT),
    ("slog", &["src/telemetry/raft_log.rs", "src/consensus/node.rs", "src/consensus/node/"]),
    // Unmaintained, to be replaced without touching anything else.
    ("bincode", &["src/image.rs"]),
    ("SystemTime", &["src/clock.rs"]),
];
const RAFT: &[&str] = &[
    "src/consensus/effect.rs",
    "src/consensus/fault.rs",
    "src/consensus/node.rs",
    "src/consensus/node/",
    "src/consensus/storage.rs",
    "src/consensus/wire.rs",
];

/// What would make `routing` depend on anything but its arguments.
const NOT_IN_ROUTING: [&str; 23] = [
    "HashMap",
    "HashSet",
    "Instant",
    "Mutex",
    "RwLock",
    "SystemTime",
    "async",
    "await",
    "codec",
    "f32",
    "f64",
    "fs",
    "jiff",
    "net",
    "process",
    "prost",
    "rand",
    "raft",
    "thread",
    "thread_local",
    "tokio",
    "tonic",
    "tracing",
];

/// A serializer must have a method for every type, to refuse it.
const REFUSES_FLOATS: &str = "src/routing/digest.rs";

fn layer_of(path: &str) -> Option<&str> {
    let within = path.strip_prefix("src/")?;
    let name = within.split('/').next()?;
    Some(name.strip_suffix(".rs").unwrap_or(name))
}

/// Names of another layer that this one does not know.
fn breaches(File { path, text }: &File) -> Vec<String> {
    let Some(layer) = layer_of(path).filter(|layer| !["lib", "main"].contains(layer)) else {
        return Vec::new();
    };
    let Some((_, known)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
        return vec![format!("{path}: module `{layer}` has no place among the layers")];
    };
    let mut wrong = Vec::new();
    for named in source::named(path, text) {
        let Some(other) = named.text().strip_prefix("crate::").map(str::to_owned) else { continue };
        let may = |module: &str| other == module || other.starts_with(&format!("{module}::"));
        if !may(layer) && !known.iter().copied().any(may) {
            wrong.push(format!("{path}:{}: `{layer}` does not know `{other}`", named.line));
        }
    }
    wrong
}

/// Names of crates and types where they are not to be.
fn strays(File { path, text }: &File) -> Vec<String> {
    let named = source::named(path, text);
    let tokios = named.iter().any(|named| named.text() == "tokio::time::Instant");
    let in_routing = layer_of(path) == Some("routing");
    let wrong = |Named { line, segments }: &Named| {
        let has = |word: &str| segments.iter().any(|segment| segment == word);
        let stray = KEPT_IN.iter().find(|(word, files)| {
            // A crate is named by the first word of a path; `raft` may well be a variable.
            let named = if word.chars().any(char::is_uppercase) || *word == "eraftpb" {
                has(word)
            } else {
                segments.len() > 1 && segments.first().is_some_and(|first| first == word)
            };
            named
                && !files
                    .iter()
                    .any(|file| path == file || (file.ends_with('/') && path.starts_with(file)))
        });
        if let Some((word, files)) = stray {
            return Some(format!("{path}:{line}: `{word}` is named in {} only", files.join(", ")));
        }
        let ends_in = |tail: [&str; 2]| segments.iter().rev().take(2).rev().eq(tail);
        if ends_in(["Instant", "now"]) && path != "src/clock.rs" && !tokios {
            return Some(format!("{path}:{line}: ask src/clock.rs for the time"));
        }
        let refused = |word: &str| path == REFUSES_FLOATS && ["f32", "f64"].contains(&word);
        let impure = NOT_IN_ROUTING.iter().find(|word| in_routing && has(word) && !refused(word));
        impure.map(|word| format!("{path}:{line}: `routing` is pure; `{word}` is not for it"))
    };
    named.iter().filter_map(wrong).collect()
}

#[test]
fn every_module_knows_only_the_layers_below_it() {
    let wrong: Vec<_> = tree::below("src", ".rs").iter().flat_map(breaches).collect();
    assert_clean(&wrong);
}

#[test]
fn raft_rs_bincode_and_clocks_stay_in_their_files_and_routing_is_pure() {
    let wrong: Vec<_> = tree::below("src", ".rs").iter().flat_map(strays).collect();
    assert_clean(&wrong);
}

#[cfg(test)]
mod bites {
    use super::{File, LAYERS, breaches, strays};

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_name_of_a_layer_above_is_found_however_it_is_written() {
        for text in [
            "use crate::api::Gateway;",
            "use crate::{clock, api::{Gateway}};",
            "fn f() { crate::server::run() }",
            "use super::super::api;",
            "mod tests { use super::super::super::api; }",
            "use crate::proto::turnwise::v1::Rep;",
            "use crate::routing::State;",
        ] {
            assert_eq!(breaches(&file("src/consensus/node.rs", text)).len(), 1, "{text}");
        }
        for text in [
            "use crate::{clock, consensus::Node};",
            "use super::entry::Entry; // crate::api",
            "use crate::proto::turnwise::log::v1::Batch;",
        ] {
            assert_eq!(breaches(&file("src/consensus/node.rs", text)), Vec::<String>::new());
        }
    }

    #[test]
    fn each_layer_has_something_it_does_not_know() {
        for (layer, _) in LAYERS {
            let above = if layer == "cli" { "api" } else { "cli" };
            let text = format!("use crate::{above}::x;");
            assert_eq!(breaches(&file(&format!("src/{layer}.rs"), &text)).len(), 1, "{layer}");
            assert_eq!(breaches(&file(&format!("src/{layer}/mod.rs"), &text)).len(), 1, "{layer}");
        }
    }

    #[test]
    fn a_new_module_needs_a_place() {
        assert_eq!(breaches(&file("src/extra.rs", "")).len(), 1);
    }

    #[test]
    fn crates_and_clocks_are_found_outside_their_files() {
        for text in [
            "use raft::Storage;",
            "fn f(m: raft::eraftpb::Message) {}",
            "use protobuf::Message;",
            "use slog::Logger;",
            "bincode::serde::encode(x)",
            "std::time::SystemTime::UNIX_EPOCH",
            "use std::time::SystemTime;",
            "use std::time::Instant; fn f() { Instant::now(); }",
        ] {
            assert_eq!(strays(&file("src/api/gateway.rs", text)).len(), 1, "{text}");
        }
        assert_eq!(strays(&file("src/consensus/wire.rs", "use raft::eraftpb;")).len(), 0);
        let tokios = "use tokio::time::Instant; fn f() { Instant::now(); }";
        assert_eq!(strays(&file("src/client/stream.rs", tokios)).len(), 0);
        assert_eq!(strays(&file("src/api/x.rs", "let raft = 1; // raft::Storage")).len(), 0);
    }

    #[test]
    fn routing_is_kept_pure() {
        for text in ["use std::collections::HashMap;", "async fn f() {}", "fn f(x: f64) {}"] {
            assert_eq!(strays(&file("src/routing/ring.rs", text)).len(), 1, "{text}");
            assert_eq!(strays(&file("src/api/x.rs", text)).len(), 0, "{text}");
        }
    }
}
