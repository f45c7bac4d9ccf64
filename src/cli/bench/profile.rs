//! Sizes of installations, and whether a cluster is up to one. Pure.

use std::time::Duration;

use crate::{
    cli::{Context, change::say, failure::Failure, output::Format},
    load::Figures,
};

/// The share of what was due that has to be done.
const DONE_MIN_PERCENT: u32 = 90;
const P99_MAX: Duration = Duration::from_millis(100);
const SLOWEST_MAX: Duration = Duration::from_millis(500);

/// How large an installation is: what comes in at its busiest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Profile {
    /// 500 assigns a second, 50 at once: a sales team and its forms
    S,
    /// 2,000 a second, 200 at once: imports beside it
    M,
    /// 8,000 a second, 500 at once: a platform with many teams
    L,
}

impl Profile {
    /// Assigns that become due a second.
    pub(super) fn rate(self) -> u32 {
        match self {
            Self::S => 500,
            Self::M => 2_000,
            Self::L => 8_000,
        }
    }

    /// The most under way at once.
    pub(super) fn in_flight(self) -> u16 {
        match self {
            Self::S => 50,
            Self::M => 200,
            Self::L => 500,
        }
    }
}

/// What was measured of a cluster, as far as it is asked for.
#[derive(Debug, Clone, Copy)]
struct Measured {
    per_second: f64,
    p99: Duration,
    slowest: Duration,
    failed: u64,
}

/// One thing that is asked of a cluster.
struct Check {
    holds: bool,
    text: String,
}

fn checks(profile: Profile, measured: Measured) -> [Check; 4] {
    let Measured { per_second, p99, slowest, failed } = measured;
    let wanted = f64::from(profile.rate());
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    [
        Check {
            holds: per_second * 100.0 >= wanted * f64::from(DONE_MIN_PERCENT),
            text: format!(
                "{per_second:.0} assigns a second of {wanted:.0}; {DONE_MIN_PERCENT}% are asked for"
            ),
        },
        Check {
            holds: p99 <= P99_MAX,
            text: format!("99% within {:.1} ms; {:.0} are allowed", ms(p99), ms(P99_MAX)),
        },
        Check {
            holds: slowest <= SLOWEST_MAX,
            text: format!(
                "the slowest took {:.1} ms; {:.0} are allowed",
                ms(slowest),
                ms(SLOWEST_MAX)
            ),
        },
        Check { holds: failed == 0, text: format!("{failed} failed; none may") },
    ]
}

/// Says PASS or FAIL of each check and of the whole: on stderr where stdout is for programs.
pub(super) fn verdict(
    profile: Profile,
    figures: &Figures,
    context: &Context,
) -> Result<(), Failure> {
    let measured = Measured {
        per_second: figures.rate(),
        p99: figures.latency(0.99),
        slowest: figures.slowest(),
        failed: figures.failures() + figures.never_ended,
    };
    let checks = checks(profile, measured);
    let passed = checks.iter().all(|check| check.holds);
    let word = |holds| if holds { "PASS" } else { "FAIL" };
    let mut lines: Vec<String> =
        checks.iter().map(|check| format!("{}: {}", word(check.holds), check.text)).collect();
    lines.push(word(passed).to_owned());
    for line in lines {
        match context.output.format {
            Format::Table => context.output.line(&line)?,
            Format::Json | Format::Csv => say(&line),
        }
    }
    let failed = checks.iter().filter(|check| !check.holds).count();
    if passed {
        return Ok(());
    }
    Err(Failure::failed(format!("{failed} of {} checks failed", checks.len())).advise(
        "Look at fsync and the processors first: docs/OPERATIONS.md. The client needs processors of its own.",
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Measured, Profile, checks};

    const GOOD: Measured = Measured {
        per_second: 1_800.0,
        p99: Duration::from_millis(100),
        slowest: Duration::from_millis(500),
        failed: 0,
    };

    #[track_caller]
    fn fails(measured: Measured, which: Option<usize>) {
        let checks = checks(Profile::M, measured);
        let failed = checks.iter().position(|check| !check.holds);
        assert_eq!(failed, which, "{measured:?}");
        assert!(checks.iter().filter(|check| !check.holds).count() <= 1);
    }

    #[test]
    fn a_profile_asks_for_rate_latency_and_no_failures() {
        fails(GOOD, None);
        fails(Measured { per_second: 1_799.9, ..GOOD }, Some(0));
        fails(Measured { p99: Duration::from_millis(101), ..GOOD }, Some(1));
        fails(Measured { slowest: Duration::from_millis(501), ..GOOD }, Some(2));
        fails(Measured { failed: 1, ..GOOD }, Some(3));
    }
}
