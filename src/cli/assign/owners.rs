//! Which rep an owner's name means, as a CRM's file writes it: by email, external id or rep id.
//!
//! Pure. The service itself knows emails and pairs of system and id; this finds which of them the
//! text is, from the team's reps.

use std::collections::HashMap;

use crate::{
    cli::{names, text},
    proto::turnwise::v1::{ExternalId, OwnerKind, OwnerRef, OwnerType, Rep},
};

/// The team's reps by all the names that a file may use.
#[derive(Debug, Default)]
pub(super) struct Owners {
    by_external_id: HashMap<String, Vec<ExternalId>>,
    by_rep_id: HashMap<String, Option<Reference>>,
}

/// How the service finds a rep.
#[derive(Debug, Clone)]
enum Reference {
    Email(String),
    ExternalId(ExternalId),
}

impl Owners {
    pub(super) fn new(reps: &[Rep]) -> Self {
        let mut owners = Self::default();
        for rep in reps {
            let ids = rep.external_ids.iter();
            let ids: Vec<ExternalId> = ids
                .map(|(system, id)| ExternalId { system: system.clone(), id: id.clone() })
                .collect();
            let email = (!rep.email.is_empty()).then(|| Reference::Email(rep.email.clone()));
            let reference = email.or_else(|| ids.first().cloned().map(Reference::ExternalId));
            owners.by_rep_id.insert(names::id(&rep.name).to_owned(), reference);
            for external_id in ids {
                owners.by_external_id.entry(external_id.id.clone()).or_default().push(external_id);
            }
        }
        owners
    }

    /// The owner to send for this text; `None` for an empty one. A text that means no rep is sent as it
    /// is: the decision then says that the owner is not a rep.
    pub(super) fn resolve(&self, kind: OwnerKind, text: &str) -> Result<Option<OwnerRef>, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let reference = if text.contains('@') && text::email(&text::normal_email(text)).is_ok() {
            Reference::Email(text.to_owned())
        } else if let Some(ids) = self.by_external_id.get(text) {
            match ids.as_slice() {
                [one] => Reference::ExternalId(one.clone()),
                several => {
                    let systems: Vec<&str> = several.iter().map(|id| id.system.as_str()).collect();
                    return Err(format!(
                        "owner `{text}` is an external id in several systems: {}",
                        systems.join(", ")
                    ));
                }
            }
        } else if let Some(reference) = self.by_rep_id.get(text) {
            reference.clone().ok_or(format!(
                "owner `{text}` is a rep without email and external id, by which owners are found"
            ))?
        } else {
            let (system, id) = ("import".to_owned(), text.to_owned());
            Reference::ExternalId(ExternalId { system, id })
        };
        let mut owner =
            OwnerRef { kind: kind.into(), r#type: OwnerType::User.into(), ..OwnerRef::default() };
        match reference {
            Reference::Email(email) => owner.email = email,
            Reference::ExternalId(external_id) => owner.external_id = Some(external_id),
        }
        Ok(Some(owner))
    }
}

#[cfg(test)]
mod tests {
    use super::Owners;
    use crate::proto::turnwise::v1::{OwnerKind, Rep};

    fn rep(id: &str, email: &str, external_ids: &[(&str, &str)]) -> Rep {
        Rep {
            name: format!("teams/t/reps/{id}"),
            email: email.to_owned(),
            external_ids: external_ids
                .iter()
                .map(|(system, id)| ((*system).to_owned(), (*id).to_owned()))
                .collect(),
            ..Rep::default()
        }
    }

    fn found(text: &str) -> Result<Option<String>, String> {
        let owners = Owners::new(&[
            rep("ana", "ana@example.com", &[("import", "Ana B."), ("crm", "7")]),
            rep("bo", "", &[("import", "Bo"), ("other", "7")]),
            rep("cem", "", &[]),
        ]);
        let owner = owners.resolve(OwnerKind::Lead, text)?;
        Ok(owner.map(|owner| {
            assert_eq!(owner.kind(), OwnerKind::Lead);
            match owner.external_id {
                Some(id) => format!("{}={}", id.system, id.id),
                None => owner.email,
            }
        }))
    }

    #[test]
    fn an_owner_is_found_by_email_external_id_or_rep_id() {
        for (text, expected) in [
            ("Ana@Example.com", "Ana@Example.com"),
            (" Ana B. ", "import=Ana B."),
            ("Bo", "import=Bo"),
            ("ana", "ana@example.com"),
            ("bo", "import=Bo"),
            ("Nobody Here", "import=Nobody Here"),
        ] {
            assert_eq!(found(text).unwrap().as_deref(), Some(expected), "{text}");
        }
        assert_eq!(found("  "), Ok(None));
    }

    #[test]
    fn what_could_mean_two_or_could_never_match_is_said() {
        assert!(found("7").unwrap_err().contains("several systems"));
        assert!(found("cem").unwrap_err().contains("without email"));
    }
}
