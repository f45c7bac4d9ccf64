//! Reps, and whether they can be given work.

use crate::{
    api::{
        instant::{end_timestamp, out_of_office, rfc3339, timestamp},
        names::rep_name,
    },
    proto::turnwise::v1 as pb,
    routing::{Availability, Hours, Meta, Presence, Rep, TeamId, Time, WeeklySpan},
};

pub(in crate::api) fn rep(team: &TeamId, rep: Rep, now: Time) -> pb::Rep {
    let availability = rep.availability(now);
    let availability_reason = words(availability, &rep, now);
    let Rep {
        id,
        display_name,
        email,
        external_ids,
        disabled,
        max_open,
        hours,
        presence,
        out_of_office: absences,
        out_of_office_note,
        out_of_office_set_by,
        open_count,
        meta,
    } = rep;
    let Meta { labels, create_time, update_time, revision } = meta;
    pb::Rep {
        name: rep_name(team, &id),
        display_name,
        email: email.unwrap_or_default(),
        external_ids,
        disabled,
        out_of_office: absences.intervals().iter().map(out_of_office).collect(),
        out_of_office_note,
        out_of_office_set_by,
        availability: sent(availability).into(),
        open_count,
        create_time: Some(timestamp(create_time)),
        labels,
        update_time: Some(timestamp(update_time)),
        etag: revision.to_string(),
        working_hours: hours.as_deref().map(working_hours),
        presence: Some(self::presence(presence, now)),
        max_open,
        availability_reason,
    }
}

fn sent(availability: Availability) -> pb::Availability {
    match availability {
        Availability::Available => pb::Availability::Available,
        Availability::Disabled => pb::Availability::Disabled,
        Availability::OutOfOffice => pb::Availability::OutOfOffice,
        Availability::OffHours => pb::Availability::OffHours,
        Availability::AtCapacity => pb::Availability::AtCapacity,
    }
}

/// Why, for people; nothing for who is available.
fn words(availability: Availability, rep: &Rep, now: Time) -> String {
    match availability {
        Availability::Available => String::new(),
        Availability::Disabled => "disabled".to_owned(),
        Availability::OutOfOffice => {
            let absence = rep.out_of_office.intervals().iter().find(|i| now < i.end);
            match absence.map(|i| i.end).filter(|end| *end != Time::FOREVER) {
                Some(end) => format!("out of office until {}", rfc3339(end)),
                None => "out of office, no end is known".to_owned(),
            }
        }
        Availability::OffHours => {
            let next = rep.hours.as_ref().map(|hours| {
                let open = hours.open.intervals().iter().find(|i| now < i.start);
                open.map_or(hours.horizon, |i| i.start)
            });
            match next {
                Some(next) => format!("off hours until {}", rfc3339(next)),
                None => "off hours".to_owned(),
            }
        }
        Availability::AtCapacity => {
            format!("has {} open assignments and takes {}", rep.open_count, rep.max_open)
        }
    }
}

fn working_hours(hours: &Hours) -> pb::WorkingHours {
    let Hours { time_zone, weekly, holidays, open: _, horizon: _ } = hours;
    let span = |span: &WeeklySpan| {
        let WeeklySpan { weekday, start_minute, end_minute } = *span;
        pb::WorkingSpan {
            // The numbers of the two are the same: Monday is 1.
            day_of_week: i32::from(weekday),
            start_minute: u32::from(start_minute),
            end_minute: u32::from(end_minute),
        }
    };
    let weekly = weekly.iter().map(span).collect();
    let (time_zone, holidays) = (time_zone.clone(), holidays.clone());
    pb::WorkingHours { time_zone, weekly, holidays }
}

fn presence(presence: Presence, now: Time) -> pb::Presence {
    if !presence.is_online(now) {
        return pb::Presence { state: pb::PresenceState::Offline.into(), expire_time: None };
    }
    let Presence { online: _, expire_time } = presence;
    pb::Presence {
        state: pb::PresenceState::Online.into(),
        expire_time: end_timestamp(expire_time),
    }
}
