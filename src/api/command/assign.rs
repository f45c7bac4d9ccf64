//! The call that decides whose turn it is.

use std::collections::BTreeSet;

use crate::{
    api::{
        convert::{owner_kind, owner_type},
        names, text,
        violations::{Violations, Wrong},
    },
    proto::turnwise::v1::{self as pb, assign_contact_request},
    routing::{Operation, OwnerKind, OwnerRef, OwnerType, Via, kind},
};

use super::call::Draft;

pub(super) fn assign_contact(r: &pb::AssignContactRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let team = wrong.take("parent", names::team(&r.parent));
    let contact = wrong.take("contact", names::contact(&r.contact));
    let via = match &r.via {
        None => Some(Via::DefaultRule),
        Some(assign_contact_request::Via::Campaign(name)) => {
            let campaign =
                names::campaign(name).and_then(|named| names::within(team.as_ref(), named));
            wrong.take("campaign", campaign).map(Via::Campaign)
        }
    };
    let owners = owners(&mut wrong, &r.owners);
    let request_id = wrong.take("request_id", names::request_id(&r.request_id));
    wrong.finish((|| {
        Some(Draft {
            team: team?,
            request_id: request_id?,
            operation: Operation::AssignContact { contact: contact?, via: via?, owners },
        })
    })())
}

fn owners(wrong: &mut Violations, written: &[pb::OwnerRef]) -> Vec<OwnerRef> {
    let mut seen = BTreeSet::new();
    let mut owners = Vec::new();
    for (i, owner) in written.iter().enumerate() {
        let at = format!("owners[{i}]");
        let Some(kind) = wrong.take(format!("{at}.kind"), owner_kind(owner.kind)) else { continue };
        if !seen.insert(kind) {
            wrong.add(format!("{at}.kind"), Wrong::new("at most one owner of each kind"));
            // Only as many kinds exist as can be listed; the rest would repeat this.
            break;
        }
        owners.extend(owner_ref(wrong, &at, kind, owner));
    }
    owners
}

fn owner_ref(
    wrong: &mut Violations,
    at: &str,
    kind: OwnerKind,
    written: &pb::OwnerRef,
) -> Option<OwnerRef> {
    let owner_type = wrong.take(format!("{at}.type"), owner_type(written.r#type));
    let email = wrong.take(format!("{at}.email"), text::email(&written.email));
    let external_id = match &written.external_id {
        None => Some(None),
        Some(pb::ExternalId { system, id }) => {
            let system = names::id::<kind::Request>(system);
            let system = wrong.take(format!("{at}.external_id.system"), system);
            let id = wrong.take(format!("{at}.external_id.id"), text::external_id(id));
            system.zip(id).map(|(system, id)| Some((system.as_str().to_owned(), id)))
        }
    };
    let owner =
        OwnerRef { kind, owner_type: owner_type?, email: email?, external_id: external_id? };
    if owner.owner_type == OwnerType::User && owner.email.is_none() && owner.external_id.is_none() {
        wrong.add(at, Wrong::new("a person needs an email or an external id"));
    }
    Some(owner)
}
