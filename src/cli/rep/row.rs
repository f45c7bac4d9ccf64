//! A rep as it is shown. Pure.

use serde_json::Value;

use super::hours;
use crate::{
    cli::{change, names, time, words},
    proto::turnwise::v1::{OutOfOffice, Rep, WorkingHours},
};

pub(super) const COLUMNS: &[&str] = &[
    "rep",
    "display_name",
    "email",
    "availability",
    "availability_reason",
    "presence",
    "presence_expire_time",
    "out_of_office",
    "note",
    "open_count",
    "max_open",
    "working_hours",
    "time_zone",
    "holidays",
    "external_ids",
    "labels",
    "create_time",
    "update_time",
    "etag",
];

/// What a list shows on a terminal.
pub(super) const BRIEF: &[&str] = &[
    "rep",
    "display_name",
    "email",
    "availability",
    "availability_reason",
    "presence",
    "open_count",
    "max_open",
];

pub(super) fn row(rep: &Rep) -> Vec<Value> {
    let Rep {
        name,
        display_name,
        email,
        external_ids,
        disabled: _,
        out_of_office,
        out_of_office_note,
        out_of_office_set_by: _,
        availability: _,
        open_count,
        create_time,
        labels,
        update_time,
        etag,
        working_hours,
        presence,
        max_open,
        availability_reason,
    } = rep;
    let availability = words::value(rep.availability().as_str_name(), "AVAILABILITY_");
    let presence = presence.unwrap_or_default();
    let online = words::value(presence.state().as_str_name(), "PRESENCE_STATE_");
    let [weekly, zone, holidays] = hours(working_hours.as_ref());
    vec![
        names::id(name).into(),
        display_name.as_str().into(),
        email.as_str().into(),
        availability.into(),
        availability_reason.as_str().into(),
        online.into(),
        time::show(presence.expire_time.as_ref()),
        out_of_office.iter().map(window).collect(),
        out_of_office_note.as_str().into(),
        (*open_count).into(),
        // No limit is not a limit of 0.
        (*max_open > 0).then_some(*max_open).into(),
        weekly,
        zone,
        holidays,
        change::labels(external_ids),
        change::labels(labels),
        time::show(create_time.as_ref()),
        time::show(update_time.as_ref()),
        etag.as_str().into(),
    ]
}

/// Hours, zone and holidays; without hours, who they are always in.
pub(super) fn hours(hours: Option<&WorkingHours>) -> [Value; 3] {
    let Some(WorkingHours { time_zone, weekly, holidays }) = hours else {
        return ["always".into(), "".into(), Value::Array(Vec::new())];
    };
    let weekly = match weekly.as_slice() {
        [] => "never".into(),
        spans => hours::show(spans).into(),
    };
    [weekly, time_zone.as_str().into(), holidays.clone().into()]
}

/// An absence as an ISO 8601 interval; `..` for an end that is not known.
fn window(absence: &OutOfOffice) -> Value {
    let start = time::show_or(absence.start_time.as_ref(), "..");
    let end = time::show_or(absence.end_time.as_ref(), "..");
    format!("{start}/{end}").into()
}
