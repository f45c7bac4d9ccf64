//! Working hours as people say them, turned into instants: the one file that reads time-zone data.
//!
//! Whoever makes a command expands the hours and writes both into it, since two nodes may hold different
//! time-zone data. It decides nothing: what the instants mean is `routing`'s affair.

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time as LocalTime},
    tz::{AmbiguousOffset, TimeZone},
};

use crate::routing::{Hours, Interval, IntervalSet, Time, WeeklySpan, limits::HOURS_AHEAD_US};

/// Spans of one week. So many can't come to more than [`crate::routing::limits::HOURS_INTERVALS_MAX`]
/// intervals in 400 days.
pub const WEEKLY_SPANS_MAX: usize = 70;
/// Holidays that one rep's hours may name.
pub const HOLIDAYS_MAX: usize = 400;

const MINUTES_OF_A_DAY: u16 = 24 * 60;

/// Why hours say nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoursError {
    /// No such time zone is known here.
    #[error("`{name}` is no time zone of the IANA database, such as Europe/Berlin")]
    TimeZone {
        /// As given.
        name: String,
    },
    /// A span is none.
    #[error("span {index} is not within one day, or has no length")]
    Span {
        /// 0-based place in the list.
        index: usize,
    },
    /// A holiday is no date.
    #[error("holiday {index} is not a date such as 2026-12-24")]
    Holiday {
        /// 0-based place in the list.
        index: usize,
    },
    /// More spans than a week may have.
    #[error("at most {WEEKLY_SPANS_MAX} spans a week")]
    TooManySpans,
    /// More holidays than may be named.
    #[error("at most {HOLIDAYS_MAX} holidays")]
    TooManyHolidays,
    /// So early or late that there is no calendar.
    #[error("no calendar reaches that far")]
    OutOfRange,
}

/// The instants inside the hours from `from` on for 400 days, and where that ends.
///
/// A span holds every instant at which a clock on the wall shows a time in it: where the clock is put
/// forward over its start or end, it starts or ends at that moment. Where the clock is put back, so that
/// a time comes twice, it starts at the first and ends at the second. A span that starts on a holiday is
/// dropped.
///
/// # Errors
/// [`HoursError`]: every one but [`HoursError::OutOfRange`] is for the caller to mend.
pub fn expand(
    time_zone: &str,
    weekly: &[WeeklySpan],
    holidays: &[String],
    from: Time,
) -> Result<(IntervalSet, Time), HoursError> {
    let zone = TimeZone::get(time_zone)
        .map_err(|_| HoursError::TimeZone { name: time_zone.to_owned() })?;
    check_spans(weekly)?;
    let holidays = read_holidays(holidays)?;
    let horizon = Time(from.0.saturating_add(HOURS_AHEAD_US));
    let local_date = |at: Time| Ok(zone.to_datetime(timestamp(at)?).date());
    let (mut date, last) = (local_date(from)?, local_date(horizon)?);
    let mut open = Vec::new();
    while date <= last {
        if !holidays.contains(&date) {
            let weekday = u8::try_from(date.weekday().to_monday_one_offset()).unwrap_or_default();
            for span in weekly.iter().filter(|span| span.weekday == weekday) {
                let start = instant(&zone, local(date, span.start_minute)?, Twice::First)?;
                let end = instant(&zone, local(date, span.end_minute)?, Twice::Second)?;
                open.push(Interval { start: start.max(from), end: end.min(horizon) });
            }
        }
        date = date.tomorrow().map_err(|_| HoursError::OutOfRange)?;
    }
    Ok((IntervalSet::of(open), horizon))
}

/// The same hours, expanded from `from` on.
///
/// # Errors
/// As [`expand`].
pub fn renewed(hours: &Hours, from: Time) -> Result<Hours, HoursError> {
    let (open, horizon) = expand(&hours.time_zone, &hours.weekly, &hours.holidays, from)?;
    Ok(Hours { open, horizon, ..hours.clone() })
}

fn check_spans(weekly: &[WeeklySpan]) -> Result<(), HoursError> {
    if weekly.len() > WEEKLY_SPANS_MAX {
        return Err(HoursError::TooManySpans);
    }
    let bad = weekly.iter().position(|span| {
        !(1..=7).contains(&span.weekday)
            || span.start_minute >= span.end_minute
            || span.end_minute > MINUTES_OF_A_DAY
    });
    bad.map_or(Ok(()), |index| Err(HoursError::Span { index }))
}

fn read_holidays(holidays: &[String]) -> Result<Vec<Date>, HoursError> {
    if holidays.len() > HOLIDAYS_MAX {
        return Err(HoursError::TooManyHolidays);
    }
    let mut dates = Vec::with_capacity(holidays.len());
    for (index, text) in holidays.iter().enumerate() {
        // jiff reads more than this one form, and "20261224" must not be another day's name.
        let date = text.parse::<Date>().ok().filter(|date| date.to_string() == *text);
        dates.push(date.ok_or(HoursError::Holiday { index })?);
    }
    Ok(dates)
}

fn local(date: Date, minute: u16) -> Result<DateTime, HoursError> {
    if minute == MINUTES_OF_A_DAY {
        return Ok(date.tomorrow().map_err(|_| HoursError::OutOfRange)?.at(0, 0, 0, 0));
    }
    let (hour, minute) = (i8::try_from(minute / 60), i8::try_from(minute % 60));
    let (Ok(hour), Ok(minute)) = (hour, minute) else { return Err(HoursError::OutOfRange) };
    let time = LocalTime::new(hour, minute, 0, 0).map_err(|_| HoursError::OutOfRange)?;
    Ok(date.to_datetime(time))
}

/// Which of two instants that a clock shows alike.
#[derive(Clone, Copy)]
enum Twice {
    First,
    Second,
}

/// When a clock in this zone shows that, or has been put forward over it.
fn instant(zone: &TimeZone, local: DateTime, twice: Twice) -> Result<Time, HoursError> {
    let out_of_range = |_| HoursError::OutOfRange;
    let at = match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local),
        AmbiguousOffset::Gap { after, .. } => {
            // Read by the offset to come, a time that is skipped lies before the moment of change.
            let before = after.to_timestamp(local).map_err(out_of_range)?;
            Ok(zone.following(before).next().map_or(before, |change| change.timestamp()))
        }
        AmbiguousOffset::Fold { before, after } => match twice {
            Twice::First => before.to_timestamp(local),
            Twice::Second => after.to_timestamp(local),
        },
    };
    let micros = at.map_err(out_of_range)?.as_microsecond();
    // Before 1970 is before any instant that the state knows.
    Ok(Time(u64::try_from(micros).unwrap_or_default()))
}

fn timestamp(at: Time) -> Result<Timestamp, HoursError> {
    let micros = i64::try_from(at.0).map_err(|_| HoursError::OutOfRange)?;
    Timestamp::from_microsecond(micros).map_err(|_| HoursError::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::limits::HOURS_INTERVALS_MAX;

    fn at(text: &str) -> Time {
        let timestamp: Timestamp = text.parse().unwrap();
        Time(u64::try_from(timestamp.as_microsecond()).unwrap())
    }
    fn span(weekday: u8, start: (u16, u16), end: (u16, u16)) -> WeeklySpan {
        let minute = |(hours, minutes): (u16, u16)| hours * 60 + minutes;
        WeeklySpan { weekday, start_minute: minute(start), end_minute: minute(end) }
    }
    /// The first intervals in UTC, as text.
    fn first(zone: &str, weekly: &[WeeklySpan], from: &str, count: usize) -> Vec<String> {
        let (open, _) = expand(zone, weekly, &[], at(from)).unwrap();
        open.intervals().iter().take(count).map(show).collect()
    }
    fn show(interval: &Interval) -> String {
        let text = |time: Time| timestamp(time).unwrap().to_string();
        format!("{} {}", text(interval.start), text(interval.end))
    }

    #[test]
    fn a_span_starts_now_at_the_earliest_and_the_last_ends_at_the_horizon() {
        let all: Vec<_> = (1..=7).map(|day| span(day, (0, 0), (24, 0))).collect();
        let from = at("2026-05-01T12:34:56Z");
        let (open, horizon) = expand("Europe/Berlin", &all, &[], from).unwrap();
        assert_eq!(horizon, Time(from.0 + HOURS_AHEAD_US));
        // Midnight to midnight, day after day, is one interval.
        assert_eq!(open.intervals(), [Interval { start: from, end: horizon }]);
    }

    #[test]
    fn local_hours_follow_the_zone_through_the_year() {
        let monday = [span(1, (9, 0), (17, 0))];
        let open = first("Europe/Berlin", &monday, "2026-10-19T00:00:00Z", 2);
        let expected = [
            "2026-10-19T07:00:00Z 2026-10-19T15:00:00Z",
            "2026-10-26T08:00:00Z 2026-10-26T16:00:00Z",
        ];
        assert_eq!(open, expected);
    }

    #[test]
    fn a_time_that_is_skipped_is_the_moment_of_the_change() {
        // 29 March 2026, a Sunday: 02:00 becomes 03:00 in Berlin, at 01:00 UTC.
        for (start, end, expected) in [
            ((2, 30), (5, 0), "2026-03-29T01:00:00Z 2026-03-29T03:00:00Z"),
            ((2, 0), (5, 0), "2026-03-29T01:00:00Z 2026-03-29T03:00:00Z"),
            ((1, 0), (2, 30), "2026-03-29T00:00:00Z 2026-03-29T01:00:00Z"),
        ] {
            let sunday = [span(7, start, end)];
            let open = first("Europe/Berlin", &sunday, "2026-03-28T12:00:00Z", 1);
            assert_eq!(open, [expected], "{start:?} to {end:?}");
        }
        // A span that the clock skips as a whole is none that day.
        let skipped = [span(7, (2, 10), (2, 50))];
        let open = first("Europe/Berlin", &skipped, "2026-03-28T12:00:00Z", 1);
        assert_eq!(open, ["2026-04-05T00:10:00Z 2026-04-05T00:50:00Z"]);
    }

    #[test]
    fn a_time_that_comes_twice_starts_at_the_first_and_ends_at_the_second() {
        // 25 October 2026, a Sunday: 03:00 becomes 02:00 in Berlin, at 01:00 UTC.
        for (start, end, expected) in [
            ((2, 30), (5, 0), "2026-10-25T00:30:00Z 2026-10-25T04:00:00Z"),
            ((1, 0), (2, 30), "2026-10-24T23:00:00Z 2026-10-25T01:30:00Z"),
        ] {
            let sunday = [span(7, start, end)];
            let open = first("Europe/Berlin", &sunday, "2026-10-24T12:00:00Z", 1);
            assert_eq!(open, [expected], "{start:?} to {end:?}");
        }
    }

    #[test]
    fn the_spans_of_a_holiday_are_dropped() {
        let days: Vec<_> = (1..=7).map(|day| span(day, (9, 0), (10, 0))).collect();
        let holidays = ["2026-12-25".to_owned(), "2026-12-26".to_owned()];
        let from = at("2026-12-24T12:00:00Z");
        let (open, _) = expand("UTC", &days, &holidays, from).unwrap();
        assert_eq!(
            open.intervals().first().map(show).unwrap(),
            "2026-12-27T09:00:00Z 2026-12-27T10:00:00Z"
        );
    }

    #[test]
    fn as_many_spans_as_allowed_stay_within_the_limit_of_intervals() {
        // As many as can be on the days that come most often, none touching the next.
        let many: Vec<_> = (0_u16..)
            .take(WEEKLY_SPANS_MAX)
            .map(|n| WeeklySpan { weekday: 5, start_minute: n * 20, end_minute: n * 20 + 10 })
            .collect();
        let (open, _) = expand("UTC", &many, &[], at("2026-05-01T00:00:00Z")).unwrap();
        assert!(open.intervals().len() > 57 * WEEKLY_SPANS_MAX, "{}", open.intervals().len());
        assert!(open.intervals().len() <= HOURS_INTERVALS_MAX);
        let one_more = [many, vec![span(1, (1, 0), (2, 0))]].concat();
        let refused = expand("UTC", &one_more, &[], at("2026-05-01T00:00:00Z"));
        assert_eq!(refused, Err(HoursError::TooManySpans));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_place() {
        let from = at("2026-05-01T00:00:00Z");
        let good = span(1, (9, 0), (17, 0));
        let bad = |weekly: &[WeeklySpan], holidays: &[&str]| {
            let holidays: Vec<_> = holidays.iter().map(|&text| text.to_owned()).collect();
            expand("UTC", weekly, &holidays, from).unwrap_err()
        };
        for span in [
            span(0, (9, 0), (17, 0)),
            span(8, (9, 0), (17, 0)),
            span(1, (9, 0), (9, 0)),
            span(1, (9, 0), (24, 1)),
        ] {
            assert_eq!(bad(&[good, span], &[]), HoursError::Span { index: 1 }, "{span:?}");
        }
        for date in ["2026-02-30", "20261224", "tomorrow", "", "2026-12-24T00:00"] {
            let error = bad(&[good], &["2026-12-24", date]);
            assert_eq!(error, HoursError::Holiday { index: 1 }, "{date}");
        }
        let no_zone = expand("Mars/Olympus", &[good], &[], from).unwrap_err();
        assert_eq!(no_zone, HoursError::TimeZone { name: "Mars/Olympus".to_owned() });
        assert_eq!(expand("UTC", &[good], &[], Time::FOREVER), Err(HoursError::OutOfRange));
    }
}
