//! The pages: their links lead somewhere, the code they name is there, each can be reached from
//! README.md, and README.md has the commands that `.ci/run` runs.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    assert_clean, source,
    tree::{self, File},
};

/// What a stranger types, in this order.
const COMMANDS: [&str; 2] = ["cargo run --release -- demo", "cargo test --locked"];
/// Comes before each block of commands that `.ci/run` runs.
const CI_MARK: &str = "<!-- ci -->";

/// Lines that are not in a fenced block, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// Targets of the links in a line: `[text](target)`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// What stands between single backticks.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// A heading as the target of a link.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// The path that `link` leads to from the page at `path`.
fn target(path: &str, link: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            other => parts.push(other),
        }
    }
    parts.join("/")
}

fn is_relative(link: &str) -> bool {
    !link.contains("://") && !link.starts_with("mailto:")
}

/// Links that lead nowhere. `there` gives the text of a file, or an empty one for a folder.
fn dead_links(File { path, text }: &File, there: &impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, line) in prose(text) {
        for link in links(line).filter(|link| is_relative(link)) {
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let to = if file.is_empty() { path.clone() } else { target(path, file) };
            let Some(page) = there(&to) else {
                wrong.push(format!("{path}:{number}: `{link}` leads nowhere"));
                continue;
            };
            let headings = prose(&page).filter_map(|(_, line)| line.strip_prefix('#'));
            let mut anchors = headings.map(|heading| anchor(heading.trim_start_matches('#')));
            if !fragment.is_empty() && !anchors.any(|anchor| anchor == fragment) {
                wrong.push(format!("{path}:{number}: `{link}` names no heading of that page"));
            }
        }
    }
    wrong
}

/// Names of code (`Node::handle`, `State::apply()`) and of files (`src/replica.rs`) that are not there.
fn dead_names(
    File { path, text }: &File,
    words: &BTreeSet<String>,
    exists: &impl Fn(&str) -> bool,
) -> Vec<String> {
    let is_word =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_');
    let mut wrong = Vec::new();
    for (number, span) in prose(text).flat_map(|(n, line)| spans(line).map(move |span| (n, span))) {
        let folders = ["src/", "tests/", "benches/", "proto/", "docs/", "deploy/", ".ci/"];
        if folders.iter().any(|folder| span.starts_with(folder)) && !span.contains(['*', '{', ' '])
        {
            if !exists(span.trim_end_matches('/')) {
                wrong.push(format!("{path}:{number}: there is no `{span}`"));
            }
            continue;
        }
        let (name, is_call) = span.strip_suffix("()").map_or((span, false), |name| (name, true));
        if !is_call && !name.contains("::") {
            continue;
        }
        let mut parts = name.split("::");
        if let Some(unknown) = parts.clone().find(|part| !words.contains(*part))
            && parts.all(is_word)
        {
            wrong.push(format!("{path}:{number}: no code has the name `{unknown}` of `{span}`"));
        }
    }
    wrong
}

/// Pages that no chain of links leads to from README.md.
fn unreached(pages: &[File]) -> Vec<String> {
    let leads_to = |page: &File| -> Vec<String> {
        let all = prose(&page.text).flat_map(|(_, line)| links(line)).filter(|l| is_relative(l));
        all.map(|link| target(&page.path, link.split('#').next().unwrap_or(link))).collect()
    };
    let links: BTreeMap<&str, Vec<String>> =
        pages.iter().map(|page| (page.path.as_str(), leads_to(page))).collect();
    let mut reached = BTreeSet::new();
    let mut next = vec!["README.md".to_owned()];
    while let Some(page) = next.pop() {
        if reached.insert(page.clone()) {
            next.extend(links.get(page.as_str()).into_iter().flatten().cloned());
        }
    }
    let missing = pages.iter().filter(|page| !reached.contains(&page.path));
    missing.map(|page| format!("{}: nothing leads here from README.md", page.path)).collect()
}

/// The commands in the blocks of README.md that `.ci/run` runs.
fn marked_commands(readme: &str) -> Vec<&str> {
    let mut commands = Vec::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        if line == CI_MARK {
            let block = lines.by_ref().skip(1).take_while(|line| !line.starts_with("```"));
            commands.extend(block.filter(|line| !line.is_empty()));
        }
    }
    commands
}

fn text_of(path: &str) -> Option<String> {
    let is_page = path.ends_with(".md");
    tree::exists(path).then(|| if is_page { tree::file(path).text } else { String::new() })
}

#[test]
fn every_link_of_the_pages_leads_somewhere() {
    let wrong: Vec<_> = tree::pages().iter().flat_map(|page| dead_links(page, &text_of)).collect();
    assert_clean(&wrong);
}

#[test]
fn the_code_that_the_pages_name_is_there() {
    let mut words: BTreeSet<String> = BTreeSet::new();
    for file in tree::rust() {
        words.extend(source::named(&file.path, &file.text).into_iter().flat_map(|n| n.segments));
    }
    let wrong: Vec<_> =
        tree::pages().iter().flat_map(|page| dead_names(page, &words, &tree::exists)).collect();
    assert_clean(&wrong);
}

#[test]
fn every_page_can_be_reached_from_the_readme() {
    assert_clean(&unreached(&tree::pages()));
}

#[test]
fn the_readme_has_the_two_commands_that_ci_runs() {
    assert_eq!(marked_commands(&tree::file("README.md").text), COMMANDS);
    let ci = tree::file(".ci/run").text;
    assert!(ci.contains(CI_MARK), ".ci/run reads the marked blocks");
    for command in COMMANDS {
        assert!(!ci.contains(command), ".ci/run has `{command}` from the README, not its own copy");
    }
}

#[cfg(test)]
mod bites {
    use std::collections::BTreeSet;

    use super::{File, dead_links, dead_names, marked_commands, unreached};

    fn page(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn links_to_files_and_headings_that_are_not_there_are_found() {
        let there = |path: &str| match path {
            "docs/A.md" => Some("# One Two: three\n\n```\n# Four\n```\n".to_owned()),
            "docs" => Some(String::new()),
            _ => None,
        };
        for (link, dead) in [
            ("A.md", 0),
            ("./A.md", 0),
            ("../docs", 0),
            ("A.md#one-two-three", 0),
            ("https://example.org/none", 0),
            ("B.md", 1),
            ("docs/A.md", 1),
            ("A.md#two", 1),
            ("A.md#four", 1),
            ("#none", 1),
        ] {
            let page = page("docs/A.md", &format!("See [it]({link}).\n"));
            assert_eq!(dead_links(&page, &there).len(), dead, "{link}");
        }
    }

    #[test]
    fn names_of_code_and_files_that_are_not_there_are_found() {
        let words = BTreeSet::from(["Node".to_owned(), "handle".to_owned()]);
        let exists = |path: &str| path == "src/a.rs" || path == "src/a";
        for (span, dead) in [
            ("Node::handle", 0),
            ("handle()", 0),
            ("src/a.rs", 0),
            ("src/a/", 0),
            ("anything", 0),
            ("Node::gone", 1),
            ("gone()", 1),
            ("src/b.rs", 1),
        ] {
            let page = page("docs/A.md", &format!("It is `{span}`.\n"));
            assert_eq!(dead_names(&page, &words, &exists).len(), dead, "{span}");
        }
    }

    #[test]
    fn a_page_that_nothing_leads_to_is_found() {
        let readme = page("README.md", "[a](docs/A.md)");
        let (a, b) = (page("docs/A.md", "[b](B.md#x)"), page("docs/B.md", ""));
        assert_eq!(unreached(&[readme.clone(), a.clone(), b.clone()]).len(), 0);
        assert_eq!(unreached(&[readme, page("docs/A.md", ""), b]).len(), 1);
    }

    #[test]
    fn only_marked_blocks_are_commands() {
        let text = "<!-- ci -->\n```sh\na b\n\nc\n```\n\n```sh\nd\n```\n<!-- ci -->\n```\ne\n```\n";
        assert_eq!(marked_commands(text), ["a b", "c", "e"]);
    }
}
