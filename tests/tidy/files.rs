//! What a file looks like: one idea, told at the top, and short enough to be one.

use super::{
    assert_clean,
    tree::{self, File},
};

/// Above this a file holds a second idea.
const LINES_MAX: usize = 700;
/// A test file may be a longer list of one kind of thing.
const TEST_LINES_MAX: usize = 800;
/// `main` parses and dispatches.
const MAIN_LINES_MAX: usize = 40;

fn wrong_with(File { path, text }: &File) -> Vec<String> {
    let lines = text.lines().count();
    let max = match path.as_str() {
        "src/main.rs" => MAIN_LINES_MAX - 1,
        test if test.starts_with("tests/") => TEST_LINES_MAX,
        _ => LINES_MAX,
    };
    let mut wrong = Vec::new();
    if !text.starts_with("//! ") {
        wrong.push(format!("{path}: opens without `//!`: what it owns, and what not"));
    }
    if lines > max {
        wrong.push(format!("{path}: {lines} lines, at most {max}: which second idea moved in?"));
    }
    wrong
}

/// Modules that the map in `lib.rs` leaves out.
fn not_on_the_map(lib: &str) -> Vec<String> {
    let modules = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let missing = modules.filter(|module| !lib.contains(&format!("//! | [`{module}`] |")));
    missing.map(|module| format!("src/lib.rs: `{module}` is not on the map")).collect()
}

fn wrong_with_changelog(text: &str) -> Option<String> {
    let mut sections = text.lines().filter(|line| line.starts_with("## "));
    let first = sections.next();
    (first != Some("## Unreleased"))
        .then(|| format!("CHANGELOG.md: the first section is {first:?}, not `## Unreleased`"))
}

#[test]
fn every_rust_file_says_what_it_owns_and_is_one_idea_long() {
    let wrong: Vec<_> = tree::rust().iter().flat_map(wrong_with).collect();
    assert_clean(&wrong);
}

#[test]
fn the_map_of_modules_is_whole() {
    assert_clean(&not_on_the_map(&tree::file("src/lib.rs").text));
}

#[test]
fn the_changelog_takes_what_is_not_released_first() {
    let wrong: Vec<_> =
        wrong_with_changelog(&tree::file("CHANGELOG.md").text).into_iter().collect();
    assert_clean(&wrong);
}

#[cfg(test)]
mod bites {
    use super::{
        File, LINES_MAX, TEST_LINES_MAX, not_on_the_map, wrong_with, wrong_with_changelog,
    };

    fn file(path: &str, lines: usize) -> File {
        File { path: path.to_owned(), text: "//! Owns x.\n".repeat(lines) }
    }

    #[test]
    fn long_files_are_found_at_the_limit() {
        assert_eq!(wrong_with(&file("src/x.rs", LINES_MAX)).len(), 0);
        assert_eq!(wrong_with(&file("src/x.rs", LINES_MAX + 1)).len(), 1);
        assert_eq!(wrong_with(&file("tests/x.rs", TEST_LINES_MAX)).len(), 0);
        assert_eq!(wrong_with(&file("tests/x.rs", TEST_LINES_MAX + 1)).len(), 1);
        assert_eq!(wrong_with(&file("src/main.rs", 39)).len(), 0);
        assert_eq!(wrong_with(&file("src/main.rs", 40)).len(), 1);
    }

    #[test]
    fn files_that_do_not_introduce_themselves_are_found() {
        for text in ["", "use std::fmt;\n", "// Owns x.\n", "/// Owns x.\n"] {
            let file = File { path: "tests/x.rs".to_owned(), text: text.to_owned() };
            assert_eq!(wrong_with(&file).len(), 1, "{text:?}");
        }
    }

    #[test]
    fn a_module_off_the_map_is_found() {
        assert_eq!(not_on_the_map("//! | [`a`] | x | y |\n\npub mod a;\n").len(), 0);
        assert_eq!(not_on_the_map("//! | [`a`] | x | y |\n\npub mod a;\npub mod b;\n").len(), 1);
    }

    #[test]
    fn a_changelog_without_an_unreleased_section_is_found() {
        assert_eq!(wrong_with_changelog("# Changelog\n\n## Unreleased\n\n- x\n"), None);
        assert!(wrong_with_changelog("# Changelog\n\n## 0.1.0\n\n## Unreleased\n").is_some());
        assert!(wrong_with_changelog("# Changelog\n").is_some());
    }
}
