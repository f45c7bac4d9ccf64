//! `docs/ERRORS.md` explains every reason that a program can get, and no other.

use turnwise::{api::spelled, proto::turnwise::v1::ErrorReason};

#[test]
fn every_reason_has_a_section_that_says_what_why_and_what_to_do() {
    let doc = include_str!("../../docs/ERRORS.md");
    let sections: Vec<(&str, &str)> =
        doc.split("\n## ").skip(1).map(|s| s.split_once('\n').unwrap()).collect();
    let documented: Vec<_> = sections.iter().map(|(reason, _)| *reason).collect();
    let reasons: Vec<_> =
        (1..).map_while(|number| ErrorReason::try_from(number).ok()).map(spelled).collect();
    assert!(reasons.len() > 20);
    assert_eq!(documented, reasons, "one section each, in the order of the proto file");
    for (reason, text) in sections {
        for part in ["\nCode: ", "**What happened.** ", "**Why.** ", "**What to do.** "] {
            assert!(text.contains(part), "{reason} lacks {part:?}");
        }
    }
}

#[test]
fn the_codes_in_the_doc_are_those_of_the_proto_file() {
    let doc = include_str!("../../docs/ERRORS.md");
    let proto = include_str!("../../proto/turnwise/v1/errors.proto");
    for number in (1..).map_while(|n| ErrorReason::try_from(n).ok()) {
        let before = proto.split(&format!("  {} = ", number.as_str_name())).next().unwrap();
        let comment: Vec<_> =
            before.lines().rev().take_while(|line| line.trim().starts_with("//")).collect();
        let comment = comment.concat();
        let section = doc.split(&format!("\n## {}\n\n", spelled(number))).nth(1).unwrap();
        let codes = section.strip_prefix("Code: ").unwrap().lines().next().unwrap();
        for code in codes.split(" or ") {
            let said = comment.contains(code) || code == "UNIMPLEMENTED";
            assert!(said, "{}: {code} is not in {comment:?}", spelled(number));
        }
    }
}
