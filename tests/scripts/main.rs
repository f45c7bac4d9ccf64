//! Scenarios in plain words, `tests/scripts/*.txt`: a command a line, what came of it beneath, indented.
//!
//! Each script is performed on `State::apply` alone and compared exactly, to the last word.
//! `TURNWISE_BLESS=1 cargo test --test scripts` writes down what comes out instead; read the difference
//! before you keep it. README.md here says how to write one.

#![expect(
    clippy::unwrap_used,
    reason = "a script that can't be read, or a test that meets the unexpected, ends"
)]

mod stage;
mod words;

use std::{collections::BTreeSet, env, fs, path::Path};

/// Performs a script; gives it with what came of it.
fn perform(script: &str) -> String {
    let mut stage = stage::Stage::default();
    let mut played = String::new();
    for line in script.lines().filter(|line| !line.starts_with("  ")) {
        played.push_str(line.trim_end());
        played.push('\n');
        let command = line.trim();
        if command.is_empty() || command.starts_with('#') {
            continue;
        }
        for said in stage.perform(command) {
            played.push_str("  ");
            played.push_str(&said);
            played.push('\n');
        }
    }
    played
}

fn in_folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts").join(name)
}

#[test]
fn every_command_that_is_documented_is_in_a_script_and_the_reverse() {
    let verb = |command: &str| command.split(' ').next().unwrap().to_owned();
    let page = fs::read_to_string(in_folder("README.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let examples = rows.map(|row| row.split(" | ").next().unwrap().trim_end_matches('`'));
    let documented: BTreeSet<String> =
        examples.flat_map(|examples| examples.split("`, `").map(verb)).collect();
    let files = fs::read_dir(in_folder("")).unwrap().map(|file| file.unwrap().path());
    let scripts = files.filter(|file| file.extension().is_some_and(|e| e == "txt"));
    let mut performed = BTreeSet::new();
    for script in scripts.map(|file| fs::read_to_string(file).unwrap()) {
        let is_command = |line: &&str| !line.is_empty() && !line.starts_with([' ', '#']);
        for line in script.lines().filter(is_command) {
            performed.insert(verb(line));
        }
    }
    assert!(documented.len() > 30, "{documented:?}");
    assert_eq!(documented, performed);
}

#[test]
fn every_script_comes_out_as_written() {
    let folder = in_folder("");
    let bless = env::var_os("TURNWISE_BLESS").is_some();
    let mut wrong = Vec::new();
    let mut count = 0;
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    for file in files.into_iter().filter(|file| file.extension().is_some_and(|e| e == "txt")) {
        count += 1;
        let script = fs::read_to_string(&file).unwrap();
        let played = perform(&script);
        if played != script && bless {
            fs::write(&file, &played).unwrap();
        } else if played != script {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            let mut lines = script.lines().zip(played.lines()).enumerate();
            let (at, (wanted, got)) = lines
                .find(|(_, (wanted, got))| wanted != got)
                .unwrap_or((script.lines().count(), ("(the end)", "(more, or less)")));
            wrong.push(format!("{name}:{}\n  wanted: {wanted}\n  got:    {got}", at + 1));
        }
    }
    assert!(count >= 8, "the scripts are found");
    assert!(wrong.is_empty(), "{} script(s) differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_wrong_word_in_a_script_is_seen() {
    let script =
        "reps A B\ngroup west: A B\ncampaign c: group west\nlaunch c\npicks c 3\n  A B A\n";
    let played = perform(script);
    assert!(played.ends_with("picks c 3\n  A B A\n"), "{played}");
    assert_ne!(perform(&script.replace("A B A", "B A B")), script.replace("A B A", "B A B"));
}
