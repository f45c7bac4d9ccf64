//! Changes of reps.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    api::{
        convert::{self, owner_type},
        duration::{self, SECOND_US},
        instant,
        limits::{EXTERNAL_IDS_MAX, MAX_OPEN_MAX},
        names, text,
        violations::{Violations, Wrong},
    },
    hours::{self, HoursError, WEEKLY_SPANS_MAX},
    proto::turnwise::v1::{
        ClearOutOfOfficeRequest, CreateRepRequest, DeleteRepRequest, ErrorReason, Rep,
        SetOutOfOfficeRequest, SetPresenceRequest, UpdateRepRequest, WorkingHours, WorkingSpan,
    },
    routing::{
        Hours, Operation, OwnerType, RepChange, RepSettings, Time, WeeklySpan, kind,
        limits::PRESENCE_TTL_MAX_US,
    },
};

use super::draft::{Common, Draft, Mask};

pub(super) fn create(r: &CreateRepRequest, now: Time) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let none = Rep::default();
    let written = r.rep.as_ref().unwrap_or(&none);
    let team = wrong.take("parent", names::team(&r.parent));
    let rep = wrong.take("rep_id", names::id(&r.rep_id));
    let person = owner_type(r.r#type).and_then(|kind| match kind {
        OwnerType::User => Ok(()),
        // S1-5
        OwnerType::Queue => Err(Wrong::new("a routing queue can't be a rep; add its people")
            .because(ErrorReason::RepIsQueue)),
    });
    let person = wrong.take("type", person);
    let display_name = wrong.take("rep.display_name", text::display_name(&written.display_name));
    let email = wrong.take("rep.email", text::email(&written.email));
    let external_ids = external_ids(&mut wrong, &written.external_ids);
    let labels = text::labels(&mut wrong, "rep.labels", &written.labels);
    let max_open = wrong.take("rep.max_open", max_open(written.max_open));
    let hours = written.working_hours.as_ref().map(|h| working_hours(&mut wrong, h, now));
    let common = Common::take(&mut wrong, &r.request_id, r.validate_only);
    wrong.finish((|| {
        person?;
        let settings = RepSettings {
            display_name: display_name?,
            labels,
            email: email?,
            external_ids,
            disabled: written.disabled,
            max_open: max_open?,
            hours: match hours {
                Some(read) => Some(read?),
                None => None,
            },
        };
        Some(common?.draft(team?, Operation::CreateRep { rep: rep?, settings }))
    })())
}

pub(super) fn update(r: &UpdateRepRequest, now: Time) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let none = Rep::default();
    let written = r.rep.as_ref().unwrap_or(&none);
    let named = wrong.take("rep.name", names::rep(&written.name));
    let mask = Mask::read(
        &mut wrong,
        r.update_mask.as_ref(),
        &[
            ("display_name", !written.display_name.is_empty()),
            ("email", !written.email.is_empty()),
            ("external_ids", !written.external_ids.is_empty()),
            ("disabled", written.disabled),
            ("labels", !written.labels.is_empty()),
            ("working_hours", written.working_hours.is_some()),
            ("max_open", written.max_open > 0),
        ],
    );
    let mut change = RepChange::default();
    if mask.has("display_name") {
        let name = text::display_name(&written.display_name);
        change.display_name = wrong.take("rep.display_name", name);
    }
    if mask.has("email") {
        change.email = wrong.take("rep.email", text::email(&written.email));
    }
    if mask.has("external_ids") {
        change.external_ids = Some(external_ids(&mut wrong, &written.external_ids));
    }
    if mask.has("disabled") {
        change.disabled = Some(written.disabled);
    }
    if mask.has("labels") {
        change.labels = Some(text::labels(&mut wrong, "rep.labels", &written.labels));
    }
    if mask.has("working_hours") {
        let hours = written.working_hours.as_ref();
        change.hours = Some(hours.and_then(|hours| working_hours(&mut wrong, hours, now)));
    }
    if mask.has("max_open") {
        change.max_open = wrong.take("rep.max_open", max_open(written.max_open));
    }
    let common = Common::with_etag(&mut wrong, &r.request_id, &r.etag, r.validate_only);
    wrong.finish((|| {
        let (team, rep) = named?;
        Some(common?.draft(team, Operation::UpdateRep { rep, change }))
    })())
}

pub(super) fn delete(r: &DeleteRepRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let named = wrong.take("name", names::rep(&r.name));
    let open = wrong.take("open_assignments", convert::open_assignments(r.open_assignments));
    let common = Common::with_etag(&mut wrong, &r.request_id, &r.etag, r.validate_only);
    wrong.finish((|| {
        let (team, rep) = named?;
        let operation = Operation::DeleteRep { rep, open: open?, allow_missing: r.allow_missing };
        Some(common?.draft(team, operation))
    })())
}

pub(super) fn set_out_of_office(r: &SetOutOfOfficeRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let named = wrong.take("name", names::rep(&r.name));
    let (start, end) = instant::window(&mut wrong, r.start_time.as_ref(), r.end_time.as_ref());
    let note = wrong.take("note", text::note(&r.note));
    let common = Common::with_etag(&mut wrong, &r.request_id, &r.etag, r.validate_only);
    wrong.finish((|| {
        let (team, rep) = named?;
        let operation = Operation::SetOutOfOffice { rep, start, end, note: note? };
        Some(common?.draft(team, operation))
    })())
}

pub(super) fn clear_out_of_office(r: &ClearOutOfOfficeRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let named = wrong.take("name", names::rep(&r.name));
    let (start, end) = instant::window(&mut wrong, r.start_time.as_ref(), r.end_time.as_ref());
    let common = Common::with_etag(&mut wrong, &r.request_id, &r.etag, r.validate_only);
    wrong.finish((|| {
        let (team, rep) = named?;
        Some(common?.draft(team, Operation::ClearOutOfOffice { rep, start, end }))
    })())
}

pub(super) fn set_presence(r: &SetPresenceRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let named = wrong.take("name", names::rep(&r.name));
    let online = wrong.take("state", convert::presence(r.state));
    let ttl = match (online, r.ttl.as_ref()) {
        (Some(false), None) | (None, _) => Ok(0),
        (Some(false), Some(_)) => Err(Wrong::new("only with ONLINE")),
        (Some(true), ttl) => {
            let allowed = "1 s to 24 h; required with ONLINE";
            duration::within(ttl, SECOND_US, PRESENCE_TTL_MAX_US, allowed)
        }
    };
    let ttl = wrong.take("ttl", ttl);
    let common = Common::take(&mut wrong, &r.request_id, r.validate_only);
    wrong.finish((|| {
        let (team, rep) = named?;
        let operation = Operation::SetPresence { rep, online: online?, ttl_us: ttl? };
        Some(common?.draft(team, operation))
    })())
}

fn max_open(written: u32) -> Result<u32, Wrong> {
    if written > MAX_OPEN_MAX {
        return Err(Wrong::new(format!("0 to {MAX_OPEN_MAX}")));
    }
    Ok(written)
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

fn working_hours(wrong: &mut Violations, written: &WorkingHours, now: Time) -> Option<Hours> {
    const FIELD: &str = "rep.working_hours";
    let zone = wrong.take(format!("{FIELD}.time_zone"), text::time_zone(&written.time_zone));
    // Refused before any work that grows with its length.
    if written.weekly.len() > WEEKLY_SPANS_MAX {
        wrong.add(format!("{FIELD}.weekly"), Wrong::new(format!("at most {WEEKLY_SPANS_MAX}")));
        return None;
    }
    let mut weekly = Vec::with_capacity(written.weekly.len());
    for (i, span) in written.weekly.iter().enumerate() {
        weekly.push(weekly_span(wrong, &format!("{FIELD}.weekly[{i}]"), span));
    }
    let weekly: Vec<_> = weekly.into_iter().collect::<Option<_>>()?;
    let time_zone = zone?;
    let expanded = hours::expand(&time_zone, &weekly, &written.holidays, now);
    let (open, horizon) = wrong.take(
        match &expanded {
            Ok(_) => FIELD.to_owned(),
            Err(error) => format!("{FIELD}.{}", field_of(error)),
        },
        // The texts name nothing but the zone, which was found above, and places in lists.
        expanded.map_err(|error| Wrong::new(error.to_string())),
    )?;
    let holidays: BTreeSet<_> = written.holidays.iter().cloned().collect();
    let holidays = holidays.into_iter().collect();
    Some(Hours { time_zone, weekly, holidays, open, horizon })
}

/// Where in the hours.
fn field_of(error: &HoursError) -> String {
    match error {
        HoursError::TimeZone { .. } => "time_zone".to_owned(),
        HoursError::Span { index } => format!("weekly[{index}]"),
        HoursError::Holiday { index } => format!("holidays[{index}]"),
        HoursError::TooManyHolidays => "holidays".to_owned(),
        HoursError::TooManySpans | HoursError::OutOfRange => "weekly".to_owned(),
    }
}

fn weekly_span(wrong: &mut Violations, at: &str, span: &WorkingSpan) -> Option<WeeklySpan> {
    let weekday = wrong.take(format!("{at}.day_of_week"), convert::weekday(span.day_of_week));
    let minute = |written: u32, max: u16| {
        let minute = u16::try_from(written).ok().filter(|minute| *minute <= max);
        minute.ok_or_else(|| Wrong::new(format!("minutes of the day, up to {max}")))
    };
    let start = wrong.take(format!("{at}.start_minute"), minute(span.start_minute, 1_439));
    let end = wrong.take(format!("{at}.end_minute"), minute(span.end_minute, 1_440));
    let (weekday, start_minute, end_minute) = (weekday?, start?, end?);
    if end_minute <= start_minute {
        wrong.add(format!("{at}.end_minute"), Wrong::new("must be after start_minute"));
        return None;
    }
    Some(WeeklySpan { weekday, start_minute, end_minute })
}
