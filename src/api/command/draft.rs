//! What all calls have in common: an id of the operation, an etag, a dry run; and field masks.

use prost_types::FieldMask;

use crate::{
    api::{
        names,
        violations::{Violations, Wrong},
    },
    routing::{Operation, RequestId, Revision, TeamId},
};

/// A call that was read, before it is known who made it.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) team: TeamId,
    pub(super) request_id: Option<RequestId>,
    pub(super) etag: Option<Revision>,
    pub(super) validate_only: bool,
    pub(super) operation: Operation,
}

/// The part of it that every call has.
#[derive(Debug)]
pub(super) struct Common {
    request_id: Option<RequestId>,
    etag: Option<Revision>,
    validate_only: bool,
}

impl Common {
    /// Of a call without an etag.
    pub(super) fn take(
        wrong: &mut Violations,
        request_id: &str,
        validate_only: bool,
    ) -> Option<Self> {
        Self::with_etag(wrong, request_id, "", validate_only)
    }

    /// Of a call that acts on one configured resource.
    pub(super) fn with_etag(
        wrong: &mut Violations,
        request_id: &str,
        etag: &str,
        validate_only: bool,
    ) -> Option<Self> {
        let request_id = wrong.take("request_id", names::request_id(request_id));
        let etag = wrong.take("etag", names::etag(etag));
        Some(Self { request_id: request_id?, etag: etag?, validate_only })
    }

    pub(super) fn draft(self, team: TeamId, operation: Operation) -> Draft {
        let Self { request_id, etag, validate_only } = self;
        Draft { team, request_id, etag, validate_only, operation }
    }
}

/// Which fields an update changes (AIP-134).
#[derive(Debug)]
pub(super) struct Mask(Vec<&'static str>);

impl Mask {
    /// Reads a mask over `fields`; without one, those of them that are set.
    pub(super) fn read(
        wrong: &mut Violations,
        mask: Option<&FieldMask>,
        fields: &[(&'static str, bool)],
    ) -> Self {
        const FIELD: &str = "update_mask";
        let paths = mask.map_or([].as_slice(), |mask| &mask.paths);
        let named = |path: &str| fields.iter().map(|(name, _)| *name).find(|name| *name == path);
        let mut found = Vec::new();
        for path in paths {
            if path == "*" {
                found.extend(fields.iter().map(|(name, _)| *name));
            } else if let Some(name) = named(path) {
                found.push(name);
            } else {
                let names: Vec<_> = fields.iter().map(|(name, _)| format!("`{name}`")).collect();
                wrong.add(FIELD, Wrong::new(format!("the fields are {}", names.join(", "))));
                break;
            }
        }
        if paths.is_empty() {
            found.extend(fields.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| *name));
            if found.is_empty() {
                wrong.add(FIELD, Wrong::new("name a field to change, or set one"));
            }
        }
        Self(found)
    }

    /// Whether the field is to change.
    pub(super) fn has(&self, field: &str) -> bool {
        self.0.contains(&field)
    }
}
