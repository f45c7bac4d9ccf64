//! What is wrong with a request: every field, not only the first.
//!
//! Descriptions say what is allowed. They never repeat what was sent: it may be an email.

use crate::proto::turnwise::v1::ErrorReason;

use super::limits::VIOLATIONS_MAX;

/// The fields found wrong while a request was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Violations(Vec<Violation>);

/// One wrong field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    /// Path from the request, e.g. `group.members[3].weight`.
    pub(super) field: String,
    /// What is wrong with it.
    pub(super) wrong: Wrong,
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    /// For programs.
    pub(super) reason: ErrorReason,
    /// For people: what is allowed.
    pub(super) description: String,
}

impl Wrong {
    /// A value that is malformed or out of range.
    pub(super) fn new(description: impl Into<String>) -> Self {
        Self { reason: ErrorReason::InvalidField, description: description.into() }
    }

    /// The same with a reason of its own.
    #[must_use]
    pub(super) fn because(self, reason: ErrorReason) -> Self {
        Self { reason, ..self }
    }
}

impl Violations {
    /// Passes a good value on, and notes a bad one under `field`.
    pub(super) fn take<T>(
        &mut self,
        field: impl Into<String>,
        value: Result<T, Wrong>,
    ) -> Option<T> {
        value.map_err(|wrong| self.add(field, wrong)).ok()
    }

    /// Notes a wrong field.
    pub(super) fn add(&mut self, field: impl Into<String>, wrong: Wrong) {
        // One request may hold thousands of wrong fields; the first ones tell enough.
        if self.0.len() < VIOLATIONS_MAX {
            self.0.push(Violation { field: field.into(), wrong });
        }
    }

    /// What was built, if nothing was wrong.
    ///
    /// # Errors
    /// The violations; there is at least one wherever `built` is `None`.
    pub(super) fn finish<T>(self, built: Option<T>) -> Result<T, Self> {
        assert!(built.is_some() || !self.0.is_empty(), "what is missing was noted as wrong");
        match built {
            Some(built) if self.0.is_empty() => Ok(built),
            Some(_) | None => Err(self),
        }
    }

    /// In the order found.
    #[must_use]
    pub(super) fn as_slice(&self) -> &[Violation] {
        &self.0
    }

    /// The reason of all of them, or `INVALID_FIELD` where they differ.
    #[must_use]
    pub(super) fn reason(&self) -> ErrorReason {
        let mut reasons = self.0.iter().map(|v| v.wrong.reason);
        let first = reasons.next().unwrap_or(ErrorReason::InvalidField);
        if reasons.all(|r| r == first) { first } else { ErrorReason::InvalidField }
    }
}
