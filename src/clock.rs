//! The time of this machine: the one place that asks the operating system for it.
//!
//! Owns the two clocks a node has, and the one of its work. It never decides anything: leader time is made from these readings
//! by `consensus`, and `routing` sees only stamps. The monotonic clock never goes back; the wall clock
//! may do anything.

use std::{
    sync::LazyLock,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::routing::Time;

static PROCESS_START: LazyLock<Instant> = LazyLock::new(instant);

/// Time since this process first asked for it. Never goes back.
#[must_use]
pub fn monotonic() -> Duration {
    let start = *PROCESS_START;
    instant().saturating_duration_since(start)
}

/// A reading of the monotonic clock, for libraries that want the standard type.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub fn instant() -> Instant {
    Instant::now()
}

/// What this machine believes the time of day is. May jump in both directions.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub fn wall() -> Time {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
}

/// Processor time that this process has used since it started, in all its threads.
#[must_use]
pub fn process_cpu() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    used.try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{monotonic, process_cpu, wall};
    use crate::routing::Time;

    #[test]
    fn monotonic_time_does_not_go_back() {
        let readings: Vec<_> = (0..1_000).map(|_| monotonic()).collect();
        assert!(readings.is_sorted());
    }

    #[test]
    fn work_takes_processor_time() {
        let before = process_cpu();
        while process_cpu() == before {
            std::hint::spin_loop();
        }
        assert!(process_cpu() > before);
    }

    #[test]
    fn wall_time_counts_microseconds_since_1970() {
        // 2020-01-01 and 2200-01-01: a unit mistaken by 1,000 falls outside.
        let plausible = Time(1_577_836_800_000_000)..Time(7_258_118_400_000_000);
        assert!(plausible.contains(&wall()));
    }
}
