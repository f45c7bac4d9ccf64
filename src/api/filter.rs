//! Which resources to list (AIP-160, a small part): `field = "value"` joined by `AND`.
//!
//! Compared is the field as callers see it: text as it is, an enum by the name of its value without
//! prefix, a bool as `true` or `false`, a label as `labels.KEY`. An empty value means "not set".

use super::{
    limits::{FILTER_LEN_MAX, FILTER_TERMS_MAX},
    violations::Wrong,
};

/// A filter that was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Filter(Vec<Term>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    field: String,
    value: String,
}

impl Filter {
    /// Reads a filter over these fields; `labels.` stands for all labels.
    pub(super) fn read(text: &str, fields: &[&str]) -> Result<Self, Wrong> {
        if text.len() > FILTER_LEN_MAX {
            return Err(Wrong::new(format!("at most {FILTER_LEN_MAX} bytes")));
        }
        let mut rest = text.trim();
        let mut terms = Vec::new();
        while !rest.is_empty() {
            if terms.len() == FILTER_TERMS_MAX {
                return Err(Wrong::new(format!("at most {FILTER_TERMS_MAX} comparisons")));
            }
            let (term, after) = term(rest).ok_or_else(|| shape(fields))?;
            if !is_known(&term.field, fields) {
                return Err(shape(fields));
            }
            terms.push(term);
            rest = match after.trim_start() {
                "" => "",
                more => and(more).ok_or_else(|| shape(fields))?,
            };
        }
        Ok(Self(terms))
    }

    /// What the filter asks of a field, if it does so once.
    pub(super) fn asked(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|term| term.field == field).map(|term| term.value.as_str())
    }

    /// Whether a resource is to be listed; `value` gives its fields.
    pub(super) fn keeps(&self, value: impl Fn(&str) -> Option<String>) -> bool {
        self.0.iter().all(|term| value(&term.field).unwrap_or_default() == term.value)
    }
}

/// The value of `labels.KEY`.
pub(super) fn label(
    field: &str,
    labels: &std::collections::BTreeMap<String, String>,
) -> Option<String> {
    labels.get(field.strip_prefix("labels.")?).cloned()
}

/// An enum by the name of its value without the name of the enum.
pub(super) fn value(name: &str, prefix: &str) -> Option<String> {
    name.strip_prefix(prefix).map(str::to_owned)
}

fn is_known(field: &str, fields: &[&str]) -> bool {
    let is_label = field.strip_prefix("labels.").is_some_and(|key| !key.is_empty());
    if is_label {
        fields.contains(&"labels.")
    } else {
        field != "labels." && fields.contains(&field)
    }
}

fn shape(fields: &[&str]) -> Wrong {
    let names: Vec<_> = fields
        .iter()
        .map(
            |name| if *name == "labels." { "`labels.KEY`".to_owned() } else { format!("`{name}`") },
        )
        .collect();
    Wrong::new(format!("`field = \"value\"` joined by `AND`; the fields are {}", names.join(", ")))
}

/// One comparison, and what follows it.
fn term(text: &str) -> Option<(Term, &str)> {
    let (field, rest) = text.split_once('=')?;
    let field = field.trim().to_owned();
    let (value, rest) = match rest.trim_start().strip_prefix('"') {
        Some(quoted) => unquoted(quoted)?,
        None => {
            let bare = rest.trim_start();
            let end = bare.find(char::is_whitespace).unwrap_or(bare.len());
            let (value, rest) = bare.split_at(end);
            // An operator that is not supported is no value.
            if value.is_empty() || value.contains(['"', '=', '(', ')', '<', '>', '*']) {
                return None;
            }
            (value.to_owned(), rest)
        }
    };
    Some((Term { field, value }, rest))
}

/// The text up to the closing quote, and what follows it. `\"` and `\\` stand for themselves.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => value.push(chars.next().filter(|c| ['"', '\\'].contains(c))?),
            c => value.push(c),
        }
    }
}

/// What follows an `AND`.
fn and(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("AND")?;
    rest.starts_with(char::is_whitespace).then(|| rest.trim_start()).filter(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[&str] = &["state", "display_name", "labels."];

    fn terms(text: &str) -> Option<Vec<(String, String)>> {
        let Filter(terms) = Filter::read(text, FIELDS).ok()?;
        Some(terms.into_iter().map(|t| (t.field, t.value)).collect())
    }

    fn of(pairs: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        Some(pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect())
    }

    #[test]
    fn comparisons_are_read_quoted_or_bare() {
        assert_eq!(terms(""), of(&[]));
        assert_eq!(terms(" state = RUNNING "), of(&[("state", "RUNNING")]));
        assert_eq!(terms("state=RUNNING"), of(&[("state", "RUNNING")]));
        assert_eq!(
            terms(r#"state="A B" AND display_name = "say \"AND\" \\" AND labels.x-1 = """#),
            of(&[("state", "A B"), ("display_name", r#"say "AND" \"#), ("labels.x-1", "")])
        );
    }

    #[test]
    fn what_is_not_supported_is_refused_not_ignored() {
        for wrong in [
            "state",
            "state =",
            "= RUNNING",
            "state = \"open",
            "state != RUNNING",
            "state = A OR state = B",
            "state = A AND",
            "state = A state = B",
            "state = A ANDstate = B",
            "NOT state = A",
            "state = (A)",
            "size = 1",
            "labels. = x",
            "labels = x",
            "state = \"\\n\"",
        ] {
            let refused = Filter::read(wrong, FIELDS).expect_err(wrong);
            assert!(refused.description.contains("`labels.KEY`"), "{wrong}");
        }
    }

    #[test]
    fn a_filter_is_bounded() {
        let of = |n: usize| vec!["state = A"; n].join(" AND ");
        assert!(Filter::read(&of(FILTER_TERMS_MAX), FIELDS).is_ok());
        assert!(Filter::read(&of(FILTER_TERMS_MAX + 1), FIELDS).is_err());
        let long = |n: usize| format!("state = {}", "x".repeat(n - 8));
        assert!(Filter::read(&long(FILTER_LEN_MAX), FIELDS).is_ok());
        assert!(Filter::read(&long(FILTER_LEN_MAX + 1), FIELDS).is_err());
    }

    #[test]
    fn a_resource_is_kept_if_every_comparison_holds() {
        let filter = Filter::read("state = A AND labels.x = \"\"", FIELDS).unwrap();
        let value = |x: Option<&str>| {
            let x = x.map(str::to_owned);
            move |field: &str| if field == "state" { Some("A".to_owned()) } else { x.clone() }
        };
        assert!(filter.keeps(value(None)) && filter.keeps(value(Some(""))));
        assert!(!filter.keeps(value(Some("1"))));
        assert!(Filter::default().keeps(|_| None));
    }
}
