//! `google.protobuf.Duration` to and from microseconds, where 0 is what an unset one means.

use prost_types::Duration;

use super::violations::Wrong;

const MICROS_PER_SECOND: u64 = 1_000_000;

/// One second, in microseconds.
pub(super) const SECOND_US: u64 = MICROS_PER_SECOND;
/// One day, in microseconds.
pub(super) const DAY_US: u64 = 24 * 60 * 60 * MICROS_PER_SECOND;

/// A duration within bounds, in words for the caller; parts of a microsecond are dropped.
pub(super) fn within(
    written: Option<&Duration>,
    min_us: u64,
    max_us: u64,
    allowed: &str,
) -> Result<u64, Wrong> {
    let wrong = || Wrong::new(allowed);
    let Some(written) = written else {
        return if min_us == 0 { Ok(0) } else { Err(wrong()) };
    };
    let seconds = u64::try_from(written.seconds).map_err(|_| wrong())?;
    let nanos = u32::try_from(written.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let micros = u64::from(nanos.ok_or_else(wrong)? / 1_000);
    let all = seconds.checked_mul(MICROS_PER_SECOND).and_then(|whole| whole.checked_add(micros));
    all.filter(|us| (min_us..=max_us).contains(us)).ok_or_else(wrong)
}

/// The same, where unset means "not at all" and anything else has a least value.
pub(super) fn optional(
    written: Option<&Duration>,
    min_us: u64,
    max_us: u64,
    allowed: &str,
) -> Result<u64, Wrong> {
    match written {
        None => Ok(0),
        Some(_) => within(written, min_us, max_us, allowed),
    }
}

/// As callers see it; 0 is left unset.
pub(super) fn sent(micros: u64) -> Option<Duration> {
    (micros > 0).then(|| {
        let part = i32::try_from(micros % MICROS_PER_SECOND).expect("less than a million");
        Duration {
            // Bounded by what callers may send, far below.
            seconds: i64::try_from(micros / MICROS_PER_SECOND).unwrap_or(i64::MAX),
            nanos: part * 1_000,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_back_as_written_and_are_bounded() {
        for micros in [1, 999_999, 1_000_000, DAY_US] {
            let written = sent(micros);
            assert_eq!(within(written.as_ref(), 0, DAY_US, ""), Ok(micros));
        }
        assert_eq!((sent(0), within(None, 0, 1, "")), (None, Ok(0)));
        let with_a_rest = Duration { seconds: 1, nanos: 999 };
        assert_eq!(within(Some(&with_a_rest), 0, SECOND_US, ""), Ok(SECOND_US), "dropped");
        assert!(within(None, 1, 2, "required").is_err());
        assert!(within(sent(DAY_US + 1).as_ref(), 0, DAY_US, "").is_err());
        assert!(within(sent(SECOND_US - 1).as_ref(), SECOND_US, DAY_US, "").is_err());
        for (seconds, nanos) in [(-1, 0), (0, -1), (0, 1_000_000_000), (i64::MAX, 0)] {
            let wrong = Duration { seconds, nanos };
            assert!(within(Some(&wrong), 0, u64::MAX, "").is_err(), "{seconds}.{nanos}");
        }
        assert_eq!(optional(None, SECOND_US, DAY_US, ""), Ok(0));
        assert!(optional(Some(&Duration::default()), SECOND_US, DAY_US, "").is_err());
    }
}
