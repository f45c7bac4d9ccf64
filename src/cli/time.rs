//! Times as people write them, and as they are shown.
//!
//! A time without an offset is meant in the time zone of the machine where it is typed; the service
//! gets an instant.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo, Timestamp, Zoned, civil, tz::TimeZone};
use serde_json::Value;

use crate::clock;

/// What a time may look like, for help texts.
pub(crate) const FORMS: &str = "\
Times: 2026-05-01T09:00:00+02:00; 2026-05-01T09:00 and 2026-05-01 (its midnight) in this machine's time \
zone; +2h or +3d from now; now.";

/// A time given on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instant(Timestamp);

impl Instant {
    /// As the API writes it.
    pub(crate) fn to_proto(self) -> prost_types::Timestamp {
        let nanos = self.0.subsec_nanosecond();
        prost_types::Timestamp { seconds: self.0.as_second(), nanos }
    }
}

/// Reads a time, for clap.
pub(crate) fn instant(text: &str) -> Result<Instant, String> {
    read(text, &now()).map(Instant)
}

/// Reads a positive duration such as `30s` or `2d`, for clap; a day is 24 hours.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let exact = |span: Span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok();
    let span = text.parse::<Span>().ok().and_then(exact).and_then(|span| span.try_into().ok());
    let positive = span.filter(|span: &Duration| !span.is_zero());
    positive.ok_or("not a duration such as 500ms, 30s, 2m, 8h or 7d".to_owned())
}

/// A duration as the API writes it.
pub(crate) fn to_proto(duration: Duration) -> prost_types::Duration {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    let nanos = i32::try_from(duration.subsec_nanos()).expect("less than a second");
    prost_types::Duration { seconds, nanos }
}

/// A duration of the API in seconds; none of one below zero.
pub(crate) fn seconds(duration: prost_types::Duration) -> Option<f64> {
    Duration::try_from(duration).ok().map(|duration| duration.as_secs_f64())
}

/// A duration as one would type it: `1d12h`, `1m30s`.
pub(crate) fn show_duration(duration: &prost_types::Duration) -> String {
    let mut rest = u64::try_from(duration.seconds).unwrap_or(0);
    let mut text = String::new();
    for (unit, seconds) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
        if rest >= seconds {
            text.push_str(&format!("{}{unit}", rest / seconds));
            rest %= seconds;
        }
    }
    let millis = duration.nanos / 1_000_000;
    if millis > 0 || text.is_empty() {
        text.push_str(&format!("{millis}ms"));
    }
    text
}

fn now() -> Zoned {
    let micros = i64::try_from(clock::wall().0).unwrap_or(i64::MAX);
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX).to_zoned(TimeZone::system())
}

fn read(text: &str, now: &Zoned) -> Result<Timestamp, String> {
    let text = text.trim();
    if text == "now" {
        return Ok(now.timestamp());
    }
    if let Some(span) = text.strip_prefix('+') {
        let span: Span = span.parse().map_err(|_| format!("`+{span}` is not like +2h or +3d"))?;
        let then = now.checked_add(span).map_err(|error| error.to_string())?;
        return Ok(then.timestamp());
    }
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant);
    }
    let civil: civil::DateTime = text.parse().map_err(|_| FORMS.to_owned())?;
    let zoned = civil.to_zoned(now.time_zone().clone()).map_err(|error| error.to_string())?;
    Ok(zoned.timestamp())
}

/// An instant of the API in RFC 3339, UTC; null if there is none.
pub(crate) fn show(instant: Option<&prost_types::Timestamp>) -> Value {
    shown(instant).map_or(Value::Null, Value::from)
}

/// The same as text, with `otherwise` if there is none.
pub(crate) fn show_or(instant: Option<&prost_types::Timestamp>, otherwise: &str) -> String {
    shown(instant).unwrap_or_else(|| otherwise.to_owned())
}

/// The same to the second and without the letters, for sentences: `2026-05-01 09:00:00 UTC`.
pub(crate) fn said(instant: Option<&prost_types::Timestamp>) -> String {
    let whole = instant.and_then(|instant| Timestamp::from_second(instant.seconds).ok());
    match whole {
        Some(instant) => instant.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        None => "an unknown time".to_owned(),
    }
}

/// Microseconds since the Unix epoch likewise.
pub(crate) fn of_micros(micros: u64) -> Value {
    let instant = i64::try_from(micros).ok().and_then(|it| Timestamp::from_microsecond(it).ok());
    instant.map_or(Value::Null, |instant| instant.to_string().into())
}

fn shown(instant: Option<&prost_types::Timestamp>) -> Option<String> {
    let instant = instant?;
    Timestamp::new(instant.seconds, instant.nanos).ok().map(|instant| instant.to_string())
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, Zoned};

    use super::{duration, read, show_duration, to_proto};

    fn instant(text: &str) -> Result<Timestamp, String> {
        // The Saturday before clocks go forward in Berlin, 23:30.
        let now: Zoned = "2026-03-28T23:30:00[Europe/Berlin]".parse().unwrap();
        read(text, &now)
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, expected) in [
            ("2026-05-01T09:00:00Z", "2026-05-01T09:00:00Z"),
            ("2026-05-01T09:00:00+02:00", "2026-05-01T07:00:00Z"),
            ("2026-05-01T09:00", "2026-05-01T07:00:00Z"),
            ("2026-05-01", "2026-04-30T22:00:00Z"),
            ("2026-01-01", "2025-12-31T23:00:00Z"),
            ("now", "2026-03-28T22:30:00Z"),
            ("+2h", "2026-03-29T00:30:00Z"),
            // A day later on the clock on the wall, although this one has 23 hours.
            ("+1d", "2026-03-29T21:30:00Z"),
        ] {
            assert_eq!(instant(text), Ok(expected.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn durations_are_shown_as_they_are_typed() {
        for text in ["500ms", "30s", "1m30s", "8h", "1d12h", "7d"] {
            assert_eq!(show_duration(&to_proto(duration(text).unwrap())), text);
        }
        assert_eq!(show_duration(&to_proto(duration("36h").unwrap())), "1d12h");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "tomorrow", "+", "+2x", "2026-13-01", "09:00"] {
            assert!(instant(text).is_err(), "{text}");
        }
        for text in ["", "5", "0s", "-3s", "soon"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
