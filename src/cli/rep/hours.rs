//! `turnwise rep hours`: when a rep works, as people write it: `mon-fri 09:00-17:00`.
//!
//! Hours past midnight become two spans here, and one again when they are shown.

use std::collections::BTreeMap;

use super::{get, row, update};
use crate::{
    cli::{
        Context,
        change::{Change, Mask, Unchanged},
        failure::{Failure, to},
        names, words,
    },
    client::Client,
    proto::turnwise::v1::{DayOfWeek, GetTeamRequest, Rep, WorkingHours, WorkingSpan},
};

pub(super) const HELP: &str = "\
Hours are days and then times, by the clock on the wall: mon-fri 09:00-17:00 sat 10:00-14:00. Several \
times a day: mon-fri 09:00-12:00 13:00-17:00. Past midnight: fri 22:00-06:00. Hours given replace all \
hours there are, holidays all holidays; what is not given stays. Without any, they are shown.

Examples:
  turnwise rep hours ana --team sales mon-fri 09:00-17:00 --time-zone Europe/Berlin
  turnwise rep hours ana --team sales --holiday 2026-12-25,2026-12-26
  turnwise rep hours ana --team sales";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Their id
    rep: String,
    /// Team
    #[arg(long, env = "TURNWISE_TEAM")]
    team: String,
    /// When they work
    #[arg(value_name = "HOURS")]
    hours: Vec<String>,
    /// Zone of the hours, such as Europe/Berlin [default: as before, or else the team's]
    #[arg(long)]
    time_zone: Option<String>,
    /// Days off, such as 2026-12-25; may be given several times
    #[arg(long, value_name = "DATE", value_delimiter = ',', value_parser = date)]
    holiday: Vec<String>,
    /// No days off
    #[arg(long, conflicts_with = "holiday")]
    no_holidays: bool,
    /// Always at work: forget hours and holidays
    #[arg(long, conflicts_with_all = ["hours", "time_zone", "holiday", "no_holidays"])]
    always: bool,
    #[command(flatten)]
    unchanged: Unchanged,
    #[command(flatten)]
    change: Change,
}

pub(super) async fn run(
    context: &Context,
    client: &Client,
    arguments: Arguments,
) -> Result<(), Failure> {
    let Arguments { rep, team, hours, time_zone, holiday, no_holidays, always, unchanged, change } =
        arguments;
    let weekly = read(&hours).map_err(|wrong| Failure::usage(wrong).advise(HELP))?;
    let is_asked = hours.is_empty() && time_zone.is_none() && holiday.is_empty() && !no_holidays;
    let present = get(client, &team, &rep).await?;
    if is_asked && !always {
        return answer(context, &present);
    }
    let mut unchanged = unchanged;
    let after = if always {
        None
    } else {
        if unchanged.etag.is_empty() && change.request_id.is_empty() {
            // What is not given stays as it was read.
            unchanged.etag.clone_from(&present.etag);
        }
        let before = present.working_hours;
        if hours.is_empty() && before.is_none() {
            return Err(Failure::usage(format!(
                "rep `{rep}` has no hours yet: say when they work"
            ))
            .advise("turnwise rep hours … mon-fri 09:00-17:00"));
        }
        let before = before.unwrap_or_default();
        let zone = match time_zone {
            Some(zone) => zone,
            None if before.time_zone.is_empty() => zone_of(client, &team).await?,
            None => before.time_zone,
        };
        let keeps_holidays = holiday.is_empty() && !no_holidays;
        Some(WorkingHours {
            time_zone: zone,
            weekly: if hours.is_empty() { before.weekly } else { weekly },
            holidays: if keeps_holidays { before.holidays } else { holiday },
        })
    };
    let mut mask = Mask::default();
    let rep = Rep {
        name: names::rep(&team, &rep),
        working_hours: mask.take("working_hours", Some(after)),
        ..Rep::default()
    };
    let updated = update(client, rep, mask, "HOURS", unchanged, &change).await?;
    answer(context, &updated.unwrap_or_default())
}

fn answer(context: &Context, rep: &Rep) -> Result<(), Failure> {
    let [weekly, zone, holidays] = row::hours(rep.working_hours.as_ref());
    let availability = words::value(rep.availability().as_str_name(), "AVAILABILITY_");
    context.output.record(
        &["rep", "working_hours", "time_zone", "holidays", "availability", "availability_reason"],
        vec![
            names::id(&rep.name).into(),
            weekly,
            zone,
            holidays,
            availability.into(),
            rep.availability_reason.as_str().into(),
        ],
    )
}

async fn zone_of(client: &Client, team: &str) -> Result<String, Failure> {
    let request = GetTeamRequest { name: names::team(team) };
    let got = client.call(request).await.map_err(to(format!("get team `{team}`")))?;
    match got.team.unwrap_or_default().time_zone {
        zone if zone.is_empty() => {
            Err(Failure::usage("hours in which time zone?").advise(format!(
                "--time-zone Europe/Berlin, or for all: turnwise team update {team} --time-zone …"
            )))
        }
        zone => Ok(zone),
    }
}

/// The days from Monday, as words.
const DAYS: [(&str, DayOfWeek); 7] = [
    ("mon", DayOfWeek::Monday),
    ("tue", DayOfWeek::Tuesday),
    ("wed", DayOfWeek::Wednesday),
    ("thu", DayOfWeek::Thursday),
    ("fri", DayOfWeek::Friday),
    ("sat", DayOfWeek::Saturday),
    ("sun", DayOfWeek::Sunday),
];

const MIDNIGHT: u32 = 24 * 60;

/// Reads days and times.
fn read(words: &[String]) -> Result<Vec<WorkingSpan>, String> {
    let (mut spans, mut days, mut is_used) = (Vec::new(), Vec::new(), true);
    for word in words.iter().flat_map(|words| words.split_whitespace()) {
        if !word.starts_with(|first: char| first.is_ascii_digit()) {
            if !is_used {
                return Err(format!("no time stands before `{word}`, such as 09:00-17:00"));
            }
            (days, is_used) = (read_days(word)?, false);
            continue;
        }
        let (start, end) = read_times(word)?;
        if days.is_empty() {
            return Err(format!("no day stands before `{word}`, such as mon-fri"));
        }
        for day in &days {
            spans.extend(on(*day, start, end));
        }
        is_used = true;
    }
    if is_used {
        Ok(spans)
    } else {
        Err("no time stands at the end, such as 09:00-17:00".to_owned())
    }
}

/// The spans of one day's hours, which may go past midnight.
fn on(day: usize, start: u32, end: u32) -> Vec<WorkingSpan> {
    let span = |day: usize, start_minute, end_minute| {
        let (_, day) = DAYS.get(day % 7)?;
        Some(WorkingSpan { day_of_week: i32::from(*day), start_minute, end_minute })
    };
    match start < end {
        true => span(day, start, end).into_iter().collect(),
        false if end == 0 => span(day, start, MIDNIGHT).into_iter().collect(),
        false => {
            [span(day, start, MIDNIGHT), span(day + 1, 0, end)].into_iter().flatten().collect()
        }
    }
}

/// `mon`, `mon-fri`, `mon,wed`, `daily`: places in the week.
fn read_days(word: &str) -> Result<Vec<usize>, String> {
    let lower = word.to_ascii_lowercase();
    if lower == "daily" {
        return Ok((0..7).collect());
    }
    let place = |name: &str| {
        let found = DAYS.iter().position(|(day, _)| *day == name);
        found.ok_or(format!("`{word}` is not like mon, mon-fri, mon,wed or daily"))
    };
    let mut days = Vec::new();
    for part in lower.split(',') {
        match part.split_once('-') {
            None => days.push(place(part)?),
            Some((first, last)) => {
                let (first, last) = (place(first)?, place(last)?);
                // fri-mon goes over the weekend.
                let length = (last + 7 - first) % 7;
                days.extend((first..=first + length).map(|day| day % 7));
            }
        }
    }
    Ok(days)
}

/// `09:00-17:00` as minutes of the day.
fn read_times(word: &str) -> Result<(u32, u32), String> {
    let wrong = || format!("`{word}` is not like 09:00-17:00");
    let minute = |text: &str| {
        let (hours, minutes) = text.split_once(':')?;
        let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
        let minute = hours * 60 + minutes;
        (hours <= 24 && minutes < 60 && minute <= MIDNIGHT).then_some(minute)
    };
    let (start, end) = word.split_once('-').ok_or_else(wrong)?;
    let (start, end) = (minute(start).ok_or_else(wrong)?, minute(end).ok_or_else(wrong)?);
    if start == end || start == MIDNIGHT { Err(wrong()) } else { Ok((start, end)) }
}

/// Spans as one would type them, days with the same hours together.
pub(super) fn show(spans: &[WorkingSpan]) -> Vec<String> {
    let mut by_day: BTreeMap<usize, Vec<(u32, u32)>> = BTreeMap::new();
    for span in spans {
        let place = DAYS.iter().position(|(_, day)| *day == span.day_of_week());
        by_day.entry(place.unwrap_or(0)).or_default().push((span.start_minute, span.end_minute));
    }
    for times in by_day.values_mut() {
        times.sort_unstable();
    }
    let mut runs: Vec<Run> = Vec::new();
    for (day, times) in by_day {
        match runs.last_mut() {
            Some(run) if run.last + 1 == day && run.times == times => run.last = day,
            Some(_) | None => runs.push(Run { first: day, last: day, times }),
        }
    }
    runs.iter().map(Run::text).collect()
}

/// Days in a row with the same hours.
struct Run {
    first: usize,
    last: usize,
    times: Vec<(u32, u32)>,
}

impl Run {
    fn text(&self) -> String {
        let day = |place: usize| DAYS.get(place).map_or("?", |(name, _)| *name);
        let clock = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
        let days = match (self.first, self.last) {
            (0, 6) => "daily".to_owned(),
            (first, last) if first == last => day(first).to_owned(),
            (first, last) => format!("{}-{}", day(first), day(last)),
        };
        let times = self.times.iter();
        let times: Vec<String> =
            times.map(|(start, end)| format!("{}-{}", clock(*start), clock(*end))).collect();
        format!("{days} {}", times.join(" "))
    }
}

/// A date, for clap.
fn date(text: &str) -> Result<String, String> {
    let date: jiff::civil::Date =
        text.parse().map_err(|_| "not a date such as 2026-12-25".to_owned())?;
    Ok(date.to_string())
}

#[cfg(test)]
mod tests {
    use super::{date, read, show};

    fn shown(text: &str) -> Result<Vec<String>, String> {
        Ok(show(&read(&[text.to_owned()])?))
    }

    #[test]
    fn hours_are_shown_as_they_are_typed_with_like_days_together() {
        for text in ["mon-fri 09:00-17:00", "daily 00:00-24:00", "sat 10:00-14:00 15:00-16:30"] {
            assert_eq!(shown(text).unwrap(), [text]);
        }
        assert_eq!(
            shown("mon,tue,wed 09:00-17:00 sat 10:00-14:00").unwrap(),
            ["mon-wed 09:00-17:00", "sat 10:00-14:00"]
        );
        assert_eq!(shown("fri-mon 8:00-9:00").unwrap(), ["mon 08:00-09:00", "fri-sun 08:00-09:00"]);
    }

    #[test]
    fn hours_past_midnight_go_on_the_next_day() {
        assert_eq!(shown("sun 22:00-06:00").unwrap(), ["mon 00:00-06:00", "sun 22:00-24:00"]);
        assert_eq!(shown("fri 18:00-00:00").unwrap(), ["fri 18:00-24:00"]);
    }

    #[test]
    fn several_words_are_one_line() {
        let words = ["mon-fri".to_owned(), "09:00-12:00".to_owned(), "13:00-17:00".to_owned()];
        assert_eq!(show(&read(&words).unwrap()), ["mon-fri 09:00-12:00 13:00-17:00"]);
        assert!(read(&[]).unwrap().is_empty());
    }

    #[test]
    fn what_are_no_hours_is_refused() {
        for (text, told) in [
            ("09:00-17:00", "no day"),
            ("mon", "no time"),
            ("mon tue 09:00-17:00", "no time"),
            ("monday 09:00-17:00", "mon-fri"),
            ("mon 9-17", "09:00-17:00"),
            ("mon 09:00-09:00", "09:00-17:00"),
            ("mon 25:00-26:00", "09:00-17:00"),
            ("mon 24:00-06:00", "09:00-17:00"),
        ] {
            let error = read(&[text.to_owned()]).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
        assert_eq!(date("2026-12-25").as_deref(), Ok("2026-12-25"));
        assert!(date("25.12.2026").is_err());
    }
}
