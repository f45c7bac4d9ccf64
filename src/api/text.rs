//! Text that callers send: clean, bounded and, for emails, in one normal form.
//!
//! The Unicode tables are here so that the replicated state needs none: two versions of Turnwise may
//! hold different ones, and only what is written in the log counts.

use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization as _;

use crate::{
    hours,
    routing::{
        Labels, Time, kind,
        limits::{LABELS_MAX, PAYLOAD_LEN_MAX},
    },
};

use super::{
    limits::{
        DISPLAY_NAME_LEN_MAX, EMAIL_LEN_MAX, EXTERNAL_ID_LEN_MAX, LABEL_LEN_MAX, NOTE_LEN_MAX,
        TIME_ZONE_LEN_MAX,
    },
    names,
    violations::{Violations, Wrong},
};

/// What people call a thing.
pub(super) fn display_name(text: &str) -> Result<String, Wrong> {
    clean(text, DISPLAY_NAME_LEN_MAX)
}

/// What people call a routing rule, which has no other name to them.
pub(super) fn rule_name(text: &str) -> Result<String, Wrong> {
    if text.is_empty() {
        return Err(Wrong::new("required"));
    }
    display_name(text)
}

/// The caller's own marks.
pub(super) fn labels(
    wrong: &mut Violations,
    field: &str,
    written: &BTreeMap<String, String>,
) -> Labels {
    if written.len() > LABELS_MAX {
        wrong.add(field, Wrong::new(format!("at most {LABELS_MAX}")));
        return Labels::new();
    }
    let mut labels = Labels::new();
    for (key, value) in written {
        // The key is only named in the path once it is known to be clean.
        let Some(key) = wrong.take(field, names::id::<kind::Request>(key)) else { continue };
        if let Some(value) = wrong.take(format!("{field}[{key}]"), clean(value, LABEL_LEN_MAX)) {
            labels.insert(key.as_str().to_owned(), value);
        }
    }
    labels
}

/// What an option stands for: any text, which is given back as it is.
pub(super) fn payload(text: &str) -> Result<String, Wrong> {
    if text.len() > PAYLOAD_LEN_MAX {
        return Err(Wrong::new(format!("at most {PAYLOAD_LEN_MAX} bytes")));
    }
    Ok(text.to_owned())
}

/// An IANA name of a time zone.
pub(super) fn time_zone(text: &str) -> Result<String, Wrong> {
    if text.len() > TIME_ZONE_LEN_MAX || hours::expand(text, &[], &[], Time(0)).is_err() {
        return Err(Wrong::new("an IANA name of a time zone, e.g. `Europe/Berlin`"));
    }
    Ok(text.to_owned())
}

/// The note of an absence.
pub(super) fn note(text: &str) -> Result<String, Wrong> {
    clean(text, NOTE_LEN_MAX)
}

/// A user id in another system.
pub(super) fn external_id(text: &str) -> Result<String, Wrong> {
    if text.is_empty() {
        return Err(Wrong::new("may not be empty"));
    }
    clean(text, EXTERNAL_ID_LEN_MAX)
}

/// An email, trimmed, NFC-normalised and case-folded; empty = none.
pub(super) fn email(text: &str) -> Result<Option<String>, Wrong> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Ok(None);
    }
    // Refused before any work that grows with its length.
    if trimmed.len() > EMAIL_LEN_MAX {
        return Err(Wrong::new(format!("at most {EMAIL_LEN_MAX} bytes")));
    }
    // Folding works on the decomposed form (Unicode 3.13, D145), and may itself decompose.
    let decomposed: String = trimmed.nfd().collect();
    let folded = caseless::default_case_fold_str(&decomposed);
    let email = clean(&folded.nfc().collect::<String>(), EMAIL_LEN_MAX)?;
    let shaped = email
        .split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'));
    if !shaped || email.contains(char::is_whitespace) {
        return Err(Wrong::new("an email is `user@host`, without spaces"));
    }
    Ok(Some(email))
}

fn clean(text: &str, len_max: usize) -> Result<String, Wrong> {
    if text.len() > len_max {
        return Err(Wrong::new(format!("at most {len_max} bytes")));
    }
    if text.contains(is_unsafe) {
        return Err(Wrong::new("control and bidirectional characters are not allowed"));
    }
    Ok(text.to_owned())
}

/// What could forge a line of a log or turn the text around it.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::{display_name, email, external_id, note};

    #[test]
    fn s1_emails_of_other_case_and_composition_are_equal() {
        let expected = Ok(Some("rené@example.com".to_owned()));
        for written in ["rené@example.com", "  RENE\u{301}@Example.COM\t", "René@example.com"] {
            assert_eq!(email(written), expected, "{written:?}");
        }
        assert_eq!(email("STRASSE@x.de"), email("straße@x.de"));
        assert_eq!(email("  "), Ok(None));
    }

    #[test]
    fn an_email_has_two_sides_and_no_spaces() {
        for wrong in ["x", "@x", "x@", "a@b@c", "a b@c", "a\u{a0}b@c", "a\n@b", "a\u{202e}@b"] {
            assert!(email(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn lengths_are_refused_at_one_over() {
        let of = |n: usize| "x".repeat(n);
        assert!(display_name(&of(256)).is_ok() && display_name(&of(257)).is_err());
        assert!(note(&of(1024)).is_ok() && note(&of(1025)).is_err());
        assert!(external_id(&of(256)).is_ok() && external_id(&of(257)).is_err());
        assert!(external_id("").is_err() && display_name("").is_ok() && note("").is_ok());
        let email_of = |n: usize| email(&format!("{}@x", of(n - 2)));
        assert!(email_of(320).is_ok() && email_of(321).is_err());
    }

    #[test]
    fn control_and_bidi_characters_are_refused() {
        for wrong in ["a\0b", "a\nb", "a\u{7f}", "\u{85}", "\u{202e}gpj", "\u{2066}", "\u{2028}"] {
            assert!(display_name(wrong).is_err(), "{wrong:?}");
        }
        assert!(display_name("Анна-Мария O’Neil 李 👩\u{200d}💻").is_ok());
    }
}
