//! Planted bugs, and the rules of a version that no release has, stay where nobody can ship them: their
//! features are set by steps of CI and by nothing else, never under `--release`, and a build without debug
//! assertions refuses them.

use super::{
    assert_clean,
    tree::{self, File},
};

/// Each feature, and the file that keeps it out of every build that could be shipped.
const FEATURES: [(&str, &str); 2] =
    [("planted", "src/planted.rs"), ("next", "src/routing/engine.rs")];
/// Who may name them in a command.
const MAY_SET: [&str; 5] = [
    ".ci/run",
    "docs/RELIABILITY.md",
    "tests/cluster/upgrade.rs",
    "tests/sim/planted.rs",
    "tests/sim/upgrades.rs",
];

fn refusal(feature: &str) -> String {
    format!("#[cfg(all(feature = \"{feature}\", not(debug_assertions)))]\ncompile_error!(")
}

/// Whether a line, of a command or a manifest, sets one of them.
fn sets_one(line: &str) -> bool {
    let Some((_, after)) = line.split_once("features") else { return false };
    let after = after.trim_start_matches(['=', ' ']);
    let list = match after.strip_prefix('[') {
        Some(list) => list.split(']').next(),
        None => after.split_whitespace().next(),
    };
    let mut named = list.unwrap_or_default().split([',', '"', ' ', '`']);
    named.any(|name| FEATURES.iter().any(|(feature, _)| *feature == name))
}

fn wrong_with(File { path, text }: &File) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let all = line.contains("--all-features");
        let sets = sets_one(line);
        if all || (sets && !MAY_SET.contains(&path.as_str())) {
            wrong.push(format!("{path}:{number}: compiles in what nobody may ship"));
        }
        if sets && (line.contains("--release") || line.contains("--profile")) {
            wrong.push(format!(
                "{path}:{number}: such features are for builds with debug assertions"
            ));
        }
    }
    wrong
}

fn wrong_with_manifest(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let default = text.lines().find(|line| line.trim_start().starts_with("default"));
    let ships = |line: &&str| FEATURES.iter().any(|(it, _)| line.contains(&format!("\"{it}\"")));
    if let Some(line) = default.filter(ships) {
        wrong.push(format!("Cargo.toml: `{line}` ships what nobody may"));
    }
    if text.lines().any(|line| line.trim_start().starts_with("debug-assertions")) {
        wrong.push(
            "Cargo.toml: which builds have debug assertions is what keeps bugs out".to_owned(),
        );
    }
    wrong
}

#[test]
fn nothing_that_ships_can_hold_a_planted_bug_or_rules_of_no_release() {
    let mut files = vec![tree::file(".ci/run"), tree::file("build.rs")];
    files.extend(tree::pages());
    for folder in ["deploy", "src", "tests/sim", "tests/cluster", "benches", ".cargo"] {
        files.extend(tree::below(folder, ""));
    }
    let mut wrong: Vec<_> = files.iter().flat_map(wrong_with).collect();
    wrong.extend(wrong_with_manifest(&tree::file("Cargo.toml").text));
    for (feature, file) in FEATURES {
        if !tree::file(file).text.contains(&refusal(feature)) {
            wrong.push(format!("{file}: a build without debug assertions must refuse {feature}"));
        }
    }
    assert_clean(&wrong);
}

#[cfg(test)]
mod bites {
    use super::{File, wrong_with, wrong_with_manifest};

    fn wrong(path: &str, text: &str) -> usize {
        wrong_with(&File { path: path.to_owned(), text: text.to_owned() }).len()
    }

    #[test]
    fn a_command_that_sets_it_is_found() {
        let sets = "cargo test --features planted --test sim";
        assert_eq!(wrong(".ci/run", sets), 0);
        assert_eq!(wrong("README.md", sets), 1);
        assert_eq!(wrong("deploy/Dockerfile", "RUN cargo build --features=planted"), 1);
        assert_eq!(wrong(".ci/run", "cargo build --release --features planted"), 1);
        assert_eq!(wrong(".ci/run", "cargo clippy --all-features"), 1);
        assert_eq!(wrong("README.md", "bugs that were planted, features that come next"), 0);
        assert_eq!(wrong(".ci/run", "cargo test --features planted,next --test sim"), 0);
        assert_eq!(wrong("README.md", "cargo run --features planted,next"), 1);
        assert_eq!(wrong("deploy/Dockerfile", "RUN cargo build --features next"), 1);
        assert_eq!(wrong("deploy/x.toml", "features = [\"tls\", \"next\"]"), 1);
    }

    #[test]
    fn a_manifest_that_ships_it_is_found() {
        assert_eq!(wrong_with_manifest("[features]\nplanted = []\n").len(), 0);
        assert_eq!(wrong_with_manifest("[features]\ndefault = [\"planted\"]\n").len(), 1);
        assert_eq!(wrong_with_manifest("[features]\ndefault = [\"next\"]\n").len(), 1);
        assert_eq!(wrong_with_manifest("[profile.release]\ndebug-assertions = true\n").len(), 1);
    }
}
