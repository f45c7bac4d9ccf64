//! How long a call may take: what the caller says, within bounds.

use std::time::Duration;

use futures_util::TryFutureExt as _;
use tokio::time::Instant;
use tonic::{Request, codegen::http};

use crate::{clock, unavailable::Unavailable};

use super::limits::{DEADLINE_DEFAULT, DEADLINE_MAX};

/// Answers go out this much before the caller gives up, so that it learns why; but no more than a
/// tenth of its time.
const MARGIN: Duration = Duration::from_millis(10);

/// The header that says how long the caller waits.
const TIMEOUT: &str = "grpc-timeout";

/// When a request was first seen. tonic starts a timer of its own a moment later, whose answer says
/// nothing; the time that a request waits for its turn must not give that one a lead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrived(pub(super) std::time::Instant);

/// The end of a call's time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Instant);

impl Deadline {
    /// What the caller says in `grpc-timeout`, counted from when the request was first seen.
    pub(super) fn of<T>(request: &Request<T>) -> Self {
        let written = request.metadata().get(TIMEOUT).and_then(|v| v.to_str().ok());
        Self::counted(request.extensions().get(), written)
    }

    /// The same of a request that was not read yet.
    pub(super) fn of_http<B>(request: &http::Request<B>) -> Self {
        let written = request.headers().get(TIMEOUT).and_then(|v| v.to_str().ok());
        Self::counted(request.extensions().get(), written)
    }

    fn counted(arrived: Option<&Arrived>, written: Option<&str>) -> Self {
        let arrived = arrived.map_or_else(clock::instant, |arrived| arrived.0);
        let time = time(written);
        Self(Instant::from_std(arrived + (time - MARGIN.min(time / 10))))
    }

    /// So long from now.
    pub(super) fn after(time: Duration) -> Self {
        Self(Instant::from_std(clock::instant() + time))
    }

    /// How long it is until then.
    pub(super) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::from_std(clock::instant()))
    }

    /// Waits for `work` until then. No `async fn`, which would hold `work` twice: as what it was given, and as
    /// what it waits for.
    pub(super) fn or_late<T>(
        self,
        work: impl Future<Output = T>,
    ) -> impl Future<Output = Result<T, Unavailable>> {
        tokio::time::timeout_at(self.0, work).map_err(|_| Unavailable::DeadlineExceeded)
    }
}

/// How long a call may take.
fn time(written: Option<&str>) -> Duration {
    written.and_then(parse).unwrap_or(DEADLINE_DEFAULT).min(DEADLINE_MAX)
}

/// At most 8 digits and a unit, after the gRPC specification; anything else counts as not said.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let n: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(n * 3600)),
        "M" => Some(Duration::from_secs(n * 60)),
        "S" => Some(Duration::from_secs(n)),
        "m" => Some(Duration::from_millis(n)),
        "u" => Some(Duration::from_micros(n)),
        "n" => Some(Duration::from_nanos(n)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_text(text: &'static str) -> Duration {
        time(Some(text))
    }

    #[test]
    fn a_call_has_5_seconds_unless_it_says_otherwise_and_never_more_than_60() {
        assert_eq!(time(None), Duration::from_secs(5));
        assert_eq!(of_text("250m"), Duration::from_millis(250));
        assert_eq!(of_text("60S"), Duration::from_secs(60));
        assert_eq!(of_text("61S"), Duration::from_secs(60));
        assert_eq!(of_text("99999999H"), Duration::from_secs(60));
        for absurd in ["", "S", "5", "-5S", "+5S", "5 S", "123456789S", "5x", "5.5S", "0x5S"] {
            assert_eq!(of_text(absurd), Duration::from_secs(5), "{absurd:?}");
        }
    }
}
