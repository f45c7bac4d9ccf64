//! `google.protobuf.Timestamp` to and from microseconds since the epoch.

use prost_types::Timestamp;

use crate::{
    proto::turnwise::v1::{ErrorReason, OutOfOffice, TimeSpan},
    routing::{Interval, Time},
};

use super::violations::{Violations, Wrong};

const MICROS_PER_SECOND: u64 = 1_000_000;
const NANOS_PER_MICRO: u32 = 1_000;
/// The last second of the year 9999, the end of what `Timestamp` allows.
const SECONDS_MAX: i64 = 253_402_300_799;

/// From 1970 on; parts of a microsecond are dropped.
pub(super) fn time(written: &Timestamp) -> Result<Time, Wrong> {
    let seconds = u64::try_from(written.seconds).ok().filter(|_| written.seconds <= SECONDS_MAX);
    let nanos = u32::try_from(written.nanos).ok().filter(|n| *n < 1_000_000_000);
    match (seconds, nanos) {
        (Some(seconds), Some(nanos)) => {
            Ok(Time(seconds * MICROS_PER_SECOND + u64::from(nanos / NANOS_PER_MICRO)))
        }
        (None, _) | (_, None) => Err(Wrong::new("an instant from 1970 to 9999")),
    }
}

/// Both ends of a window, if given, in order.
pub(super) fn window(
    wrong: &mut Violations,
    start: Option<&Timestamp>,
    end: Option<&Timestamp>,
) -> (Option<Time>, Option<Time>) {
    let start = start.and_then(|t| wrong.take("start_time", time(t)));
    let end = end.and_then(|t| wrong.take("end_time", time(t)));
    if let (Some(start), Some(end)) = (start, end)
        && end <= start
    {
        let late = Wrong::new("must be after start_time").because(ErrorReason::EmptyWindow);
        wrong.add("end_time", late);
    }
    (start, end)
}

pub(super) fn timestamp(time: Time) -> Timestamp {
    let part = u32::try_from(time.0 % MICROS_PER_SECOND).expect("less than a million");
    Timestamp {
        // Times come from requests, which end in 9999, and from clocks; clamped all the same.
        seconds: i64::try_from(time.0 / MICROS_PER_SECOND).unwrap_or(SECONDS_MAX).min(SECONDS_MAX),
        nanos: i32::try_from(part * NANOS_PER_MICRO).expect("less than a thousand million"),
    }
}

/// An instant for people and for metadata.
pub(super) fn rfc3339(time: Time) -> String {
    i64::try_from(time.0)
        .ok()
        .and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok())
        .map_or_else(|| "for ever".to_owned(), |t| t.to_string())
}

/// The end of an interval; open ends stay unset.
pub(super) fn end_timestamp(end: Time) -> Option<Timestamp> {
    (end != Time::FOREVER).then(|| timestamp(end))
}

pub(super) fn out_of_office(interval: &Interval) -> OutOfOffice {
    let Interval { start, end } = *interval;
    OutOfOffice { start_time: Some(timestamp(start)), end_time: end_timestamp(end) }
}

pub(super) fn time_span(interval: &Interval) -> TimeSpan {
    let Interval { start, end } = *interval;
    TimeSpan { start_time: Some(timestamp(start)), end_time: end_timestamp(end) }
}

#[cfg(test)]
mod tests {
    use super::{time, timestamp};
    use crate::routing::Time;
    use prost_types::Timestamp;

    #[test]
    fn times_read_back_as_written() {
        for micros in [0, 1, 999_999, 1_000_000, 1_700_000_000_123_456, 253_402_300_799_999_999] {
            assert_eq!(time(&timestamp(Time(micros))), Ok(Time(micros)));
        }
    }

    #[test]
    fn instants_outside_of_1970_to_9999_are_refused() {
        for (seconds, nanos) in [
            (-1, 0),
            (i64::MIN, 0),
            (253_402_300_800, 0),
            (i64::MAX, 0),
            (0, -1),
            (0, 1_000_000_000),
            (0, i32::MIN),
        ] {
            assert!(time(&Timestamp { seconds, nanos }).is_err(), "{seconds}.{nanos}");
        }
        assert_eq!(time(&Timestamp { seconds: 0, nanos: 1_999 }), Ok(Time(1)));
    }
}
