//! Text that a file or a flag brings, checked before anything is sent, so that a bad row is named by
//! its line and not found half-way through.
//!
//! The service checks again; this only has to be as strict.

use unicode_normalization::UnicodeNormalization as _;

/// An id of the API.
pub(crate) fn id(text: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:@+-".contains(&byte);
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if text.len() > 128 || !text.bytes().all(allowed) {
        return Err(format!("`{text}` is not 1 to 128 of A-Z a-z 0-9 . _ : @ + -"));
    }
    Ok(())
}

/// The form in which emails are compared: trimmed, case-folded, in one composition.
pub(crate) fn normal_email(text: &str) -> String {
    let decomposed: String = text.trim().nfd().collect();
    caseless::default_case_fold_str(&decomposed).nfc().collect()
}

/// Whether it looks like an email at all; `text` is normalised.
pub(crate) fn email(text: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.split('@').collect();
    let shaped = parts.len() == 2 && parts.iter().all(|part| !part.is_empty());
    if shaped && text.len() <= 320 && !text.contains(char::is_whitespace) {
        return Ok(());
    }
    Err(format!("`{text}` is not an email"))
}

/// An id made of a name: lower-case letters of the Latin alphabet, digits and single dashes.
pub(crate) fn slug(name: &str) -> Result<String, String> {
    let slug = slug::slugify(name);
    if slug.is_empty() {
        return Err(format!("no id can be made of `{name}`"));
    }
    id(&slug)?;
    Ok(slug)
}

#[cfg(test)]
mod tests {
    use super::{email, id, normal_email, slug};

    #[test]
    fn a_slug_is_an_id_that_people_recognise() {
        for (name, expected) in [
            ("Mei-Mei Johns", "mei-mei-johns"),
            ("  Élodie  O'Neil ", "elodie-o-neil"),
            ("Central", "central"),
            ("Łukasz Żak", "lukasz-zak"),
        ] {
            assert_eq!(slug(name).as_deref(), Ok(expected), "{name}");
            assert_eq!(id(expected), Ok(()));
        }
        assert!(slug("!!!").is_err());
        assert!(slug(&"long ".repeat(60)).is_err());
    }

    #[test]
    fn emails_are_compared_without_case_and_composition() {
        assert_eq!(normal_email(" RENE\u{301}@Example.com"), "rené@example.com");
        for wrong in ["", "ana", "@example.com", "ana@", "a@b@c", "an a@example.com"] {
            assert!(email(wrong).is_err(), "{wrong}");
        }
    }
}
