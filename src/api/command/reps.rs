//! Changes of reps.

use std::collections::BTreeMap;

use crate::{
    api::{
        instant,
        limits::EXTERNAL_IDS_MAX,
        names, text,
        violations::{Violations, Wrong},
    },
    proto::turnwise::v1::{
        ClearOutOfOfficeRequest, CreateRepRequest, DeleteRepRequest, Rep, SetOutOfOfficeRequest,
    },
    routing::{Operation, kind},
};

use super::call::Draft;

pub(super) fn create(r: &CreateRepRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let none = Rep::default();
    let written = r.rep.as_ref().unwrap_or(&none);
    let team = wrong.take("parent", names::team(&r.parent));
    let rep = wrong.take("rep_id", names::id(&r.rep_id));
    let display_name = wrong.take("rep.display_name", text::display_name(&written.display_name));
    let email = wrong.take("rep.email", text::email(&written.email));
    let external_ids = external_ids(&mut wrong, &written.external_ids);
    let request_id = wrong.take("request_id", names::request_id(&r.request_id));
    wrong.finish((|| {
        Some(Draft {
            team: team?,
            request_id: request_id?,
            operation: Operation::CreateRep {
                rep: rep?,
                display_name: display_name?,
                email: email?,
                external_ids,
                disabled: written.disabled,
            },
        })
    })())
}

pub(super) fn delete(r: &DeleteRepRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let named = wrong.take("name", names::rep(&r.name));
    let request_id = wrong.take("request_id", names::request_id(&r.request_id));
    wrong.finish((|| {
        let (team, rep) = named?;
        Some(Draft { team, request_id: request_id?, operation: Operation::DeleteRep { rep } })
    })())
}

pub(super) fn set_out_of_office(r: &SetOutOfOfficeRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let named = wrong.take("name", names::rep(&r.name));
    let (start, end) = instant::window(&mut wrong, r.start_time.as_ref(), r.end_time.as_ref());
    let note = wrong.take("note", text::note(&r.note));
    let request_id = wrong.take("request_id", names::request_id(&r.request_id));
    wrong.finish((|| {
        let (team, rep) = named?;
        let operation = Operation::SetOutOfOffice { rep, start, end, note: note? };
        Some(Draft { team, request_id: request_id?, operation })
    })())
}

pub(super) fn clear_out_of_office(r: &ClearOutOfOfficeRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let named = wrong.take("name", names::rep(&r.name));
    let (start, end) = instant::window(&mut wrong, r.start_time.as_ref(), r.end_time.as_ref());
    let request_id = wrong.take("request_id", names::request_id(&r.request_id));
    wrong.finish((|| {
        let (team, rep) = named?;
        let operation = Operation::ClearOutOfOffice { rep, start, end };
        Some(Draft { team, request_id: request_id?, operation })
    })())
}

fn external_ids(
    wrong: &mut Violations,
    written: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    const FIELD: &str = "rep.external_ids";
    if written.len() > EXTERNAL_IDS_MAX {
        wrong.add(FIELD, Wrong::new(format!("at most {EXTERNAL_IDS_MAX}")));
        return BTreeMap::new();
    }
    let mut ids = BTreeMap::new();
    for (system, user) in written {
        // The key is only named in the path once it is known to be clean.
        let Some(system) = wrong.take(FIELD, names::id::<kind::Request>(system)) else { continue };
        let field = format!("{FIELD}[{system}]");
        if let Some(user) = wrong.take(field, text::external_id(user)) {
            ids.insert(system.as_str().to_owned(), user);
        }
    }
    ids
}
