//! Planted bugs stay where nobody can ship them: the feature is set by the simulator's step of CI and
//! by nothing else, never under `--release`, and a build without debug assertions refuses it.

use super::{
    assert_clean,
    tree::{self, File},
};

/// Who may name the feature in a command.
const MAY_SET: [&str; 3] = [".ci/run", "docs/RELIABILITY.md", "tests/sim/planted.rs"];
/// What keeps it out of every build that could be shipped.
const REFUSAL: &str = "#[cfg(all(feature = \"planted\", not(debug_assertions)))]\ncompile_error!(";

fn wrong_with(File { path, text }: &File) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let all = line.contains("--all-features");
        let sets = line.contains("features") && line.contains("planted");
        if all || (sets && !MAY_SET.contains(&path.as_str())) {
            wrong.push(format!("{path}:{number}: compiles planted bugs in"));
        }
        if sets && (line.contains("--release") || line.contains("--profile")) {
            wrong.push(format!(
                "{path}:{number}: planted bugs are for builds with debug assertions"
            ));
        }
    }
    wrong
}

fn wrong_with_manifest(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let default = text.lines().find(|line| line.trim_start().starts_with("default"));
    if let Some(line) = default.filter(|line| line.contains("planted")) {
        wrong.push(format!("Cargo.toml: `{line}` ships planted bugs"));
    }
    if text.lines().any(|line| line.trim_start().starts_with("debug-assertions")) {
        wrong.push(
            "Cargo.toml: which builds have debug assertions is what keeps bugs out".to_owned(),
        );
    }
    wrong
}

#[test]
fn nothing_that_ships_can_hold_a_planted_bug() {
    let mut files = vec![tree::file(".ci/run"), tree::file("build.rs")];
    files.extend(tree::pages());
    for folder in ["deploy", "src", "tests/sim", "benches", ".cargo"] {
        files.extend(tree::below(folder, ""));
    }
    let mut wrong: Vec<_> = files.iter().flat_map(wrong_with).collect();
    wrong.extend(wrong_with_manifest(&tree::file("Cargo.toml").text));
    let switch = tree::file("src/planted.rs").text;
    if !switch.contains(REFUSAL) {
        wrong.push("src/planted.rs: a build without debug assertions must refuse it".to_owned());
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
        assert_eq!(wrong("README.md", "bugs that were planted"), 0);
    }

    #[test]
    fn a_manifest_that_ships_it_is_found() {
        assert_eq!(wrong_with_manifest("[features]\nplanted = []\n").len(), 0);
        assert_eq!(wrong_with_manifest("[features]\ndefault = [\"planted\"]\n").len(), 1);
        assert_eq!(wrong_with_manifest("[profile.release]\ndebug-assertions = true\n").len(), 1);
    }
}
