//! What a page says would be noticed is held by tests and planted bugs that exist.

use super::{assert_clean, tree};

const PAGE: &str = "docs/RELIABILITY.md";
const SECTION: &str = "## Lessons that others paid for";

/// Names in backticks, row by row.
fn rows(page: &str) -> Vec<Vec<String>> {
    let section = page.split(SECTION).nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    let names = |row: &str| row.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    rows.map(names).collect()
}

/// Whether a test or a bug of that name is there.
fn is_there(name: &str, tests: &[tree::File], bugs: &str) -> bool {
    match name.strip_prefix("Bug::") {
        Some(bug) => bugs.lines().any(|line| line.trim().starts_with(&format!("{bug} = "))),
        None => tests.iter().any(|file| file.text.contains(&format!("fn {name}()"))),
    }
}

#[test]
fn each_lesson_has_a_test_or_a_planted_bug_that_exists() {
    let mut tests = tree::below("tests", "rs");
    tests.extend(tree::below("src", "rs"));
    let bugs = tree::file("src/planted.rs").text;
    let rows = rows(&tree::file(PAGE).text);
    assert!(rows.len() >= 15, "{rows:?}");
    let named = rows.iter().filter(|row| !row.is_empty()).count();
    assert!(named >= 14, "{named} rows name something");
    let missing = rows.iter().flatten().filter(|name| !is_there(name, &tests, &bugs));
    let wrong: Vec<String> = missing.map(|name| format!("{PAGE}: there is no `{name}`")).collect();
    assert_clean(&wrong);
}

#[test]
fn a_name_that_is_nowhere_is_found() {
    let tests = [tree::File { path: String::new(), text: "fn it_holds() {}".to_owned() }];
    assert!(is_there("it_holds", &tests, ""));
    assert!(!is_there("it_hold", &tests, ""));
    assert!(is_there("Bug::LocalRead", &[], "    LocalRead = \"a read\",\n"));
    assert!(!is_there("Bug::Local", &[], "    LocalRead = \"a read\",\n"));
}
