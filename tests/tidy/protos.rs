//! Every part of a `.proto` file says what it means: services, calls, messages, fields, enums, values.
//!
//! One exception: a variant named after its message (`CreateTeam create_team = 10;`) is explained
//! there.

use super::{
    assert_clean,
    tree::{self, File},
};

/// What a line declares, if anything.
fn declared(line: &str) -> Option<&str> {
    let line = line.trim();
    if line.starts_with("//") {
        return None;
    }
    let name =
        |rest: &'_ str| rest.split([' ', '(', '{']).find(|word| !word.is_empty()).map(str::len);
    for word in ["service ", "rpc ", "message ", "enum ", "oneof "] {
        if let Some(rest) = line.strip_prefix(word) {
            return rest.get(..name(rest)?);
        }
    }
    // A field or a value: `[repeated] Type name = 1;` or `NAME = 1;`
    let (left, right) = line.split_once(" = ")?;
    let number = right.trim_end_matches(';').split(' ').next()?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) || !right.ends_with(';') {
        return None;
    }
    left.split(' ').next_back()
}

fn is_named_after_its_message(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let (Some(message), Some(name)) = (words.next(), words.next()) else { return false };
    let starts_upper = message.chars().next().is_some_and(char::is_uppercase);
    let plain = |text: &str| text.replace('_', "").to_lowercase();
    starts_upper && plain(message) == plain(name)
}

fn uncommented(File { path, text }: &File) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut before = "";
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(name) = declared(line)
            && !before.trim().starts_with("//")
            && !is_named_after_its_message(line)
        {
            wrong.push(format!("{path}:{number}: `{name}` has no comment"));
        }
        before = line;
    }
    wrong
}

#[test]
fn every_part_of_the_protos_has_a_comment() {
    let files = tree::below("proto", ".proto");
    assert!(files.len() > 5, "the protos are found");
    let wrong: Vec<_> = files.iter().flat_map(uncommented).collect();
    assert_clean(&wrong);
}

#[cfg(test)]
mod bites {
    use super::{File, declared, uncommented};

    fn count(text: &str) -> usize {
        uncommented(&File { path: "proto/x.proto".to_owned(), text: text.to_owned() }).len()
    }

    #[test]
    fn each_kind_of_declaration_is_seen() {
        for (line, name) in [
            ("service RepService {", "RepService"),
            ("  rpc GetRep(GetRepRequest) returns (GetRepResponse);", "GetRep"),
            ("message Rep {", "Rep"),
            ("message SendSnapshotResponse {}", "SendSnapshotResponse"),
            ("enum State {", "State"),
            ("  oneof via {", "via"),
            ("  string name = 1;", "name"),
            ("  repeated Target targets = 12;", "targets"),
            ("  map<string, string> external_ids = 4;", "external_ids"),
            ("  optional fixed64 end_us = 3;", "end_us"),
            ("  STATE_UNSPECIFIED = 0;", "STATE_UNSPECIFIED"),
            ("  string old = 7 [deprecated = true];", "old"),
        ] {
            assert_eq!(declared(line), Some(name), "{line}");
            assert_eq!(count(&format!("\n{line}\n")), 1, "{line}");
            assert_eq!(count(&format!("// What it is.\n{line}\n")), 0, "{line}");
        }
        for line in ["syntax = \"proto3\";", "package turnwise.v1;", "}", "// a = 1;", ""] {
            assert_eq!(declared(line), None, "{line}");
        }
    }

    #[test]
    fn only_a_variant_named_after_its_message_may_go_without() {
        assert_eq!(count("    CreateTeam create_team = 10;"), 0);
        assert_eq!(count("    CreateTeam made_team = 10;"), 1);
    }
}
