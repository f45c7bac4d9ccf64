//! What a failed call means: a final answer, or something worth another try.
//!
//! Turnwise signs its own errors with an `ErrorInfo` of domain `turnwise`. An error without it was
//! made by the transport on the way: nothing is known of the call, and to send it again with the same
//! request id is safe.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::retry::Answer;

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The service said no, or the call is wrong: to try again does not help.
    #[error("{}", explain(.0))]
    Refused(
        /// As it was answered.
        Box<Status>,
    ),
    /// No node could serve it before the deadline. Whether a change took effect is not known; to try
    /// again with the same request id is safe.
    #[error("no node could serve the call within {deadline:?}: {last}")]
    Unavailable {
        /// How long it was tried.
        deadline: Duration,
        /// What the last try came back with.
        last: String,
    },
}

impl Error {
    /// The service's reason, such as `LAST_AVAILABLE_REP`.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Refused(status) => reason(status),
            Self::Unavailable { .. } => None,
        }
    }

    /// The canonical code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Refused(status) => status.code(),
            Self::Unavailable { .. } => Code::Unavailable,
        }
    }
}

/// Message, wrong fields and reason in one line.
fn explain(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let violations = status.get_details_bad_request().map(|wrong| wrong.field_violations);
    for violation in violations.unwrap_or_default() {
        // The service may name the field in its message already.
        if !text.contains(&violation.description) {
            text = format!("{text}; {}: {}", violation.field, violation.description);
        }
    }
    match reason(status) {
        Some(reason) => format!("{text} [{reason}]"),
        None => format!("{text} [{:?}]", status.code()),
    }
}

fn reason(status: &Status) -> Option<String> {
    let info = status.get_details_error_info()?;
    (info.domain == "turnwise").then_some(info.reason)
}

/// Whether another try makes sense; `None` = the answer is final.
///
/// `endpoint_of` finds which of our endpoints an address is.
pub(super) fn retryable(
    status: &Status,
    endpoint_of: impl Fn(&str) -> Option<usize>,
) -> Option<Answer> {
    let Some(info) = status.get_details_error_info().filter(|info| info.domain == "turnwise")
    else {
        return transport(status.code());
    };
    let leader = info.metadata.get("leader_address").and_then(|address| endpoint_of(address));
    let retry_delay = status.get_details_retry_info().and_then(|info| info.retry_delay);
    by_code(status.code(), retry_delay, leader)
}

/// The same for an item of a stream, which carries its delay if a retry helps.
pub(super) fn retryable_item(code: Code, retry_delay: Option<Duration>) -> Option<Answer> {
    by_code(code, retry_delay, None)
}

fn by_code(code: Code, retry_delay: Option<Duration>, leader: Option<usize>) -> Option<Answer> {
    match code {
        Code::Unavailable => Some(Answer::Unavailable { retry_delay, leader }),
        Code::DeadlineExceeded => Some(Answer::Unreachable),
        // Without a delay it is a limit that the call itself breaks.
        Code::ResourceExhausted if retry_delay.is_some() => {
            Some(Answer::Overloaded { retry_delay })
        }
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Internal
        | Code::DataLoss
        | Code::Unauthenticated => None,
    }
}

/// An error that Turnwise did not sign.
fn transport(code: Code) -> Option<Answer> {
    match code {
        // Refused or broken connections, resets, a try cut by its time: tonic uses all of these.
        Code::Unavailable
        | Code::Unknown
        | Code::Internal
        | Code::Cancelled
        | Code::DeadlineExceeded => Some(Answer::Unreachable),
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::DataLoss
        | Code::Unauthenticated => None,
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, time::Duration};

    use tonic::{Code, Status};
    use tonic_types::{ErrorDetails, StatusExt as _};

    use super::{Answer, Error, retryable};

    fn signed(code: Code, reason: &str, retry_ms: Option<u64>, leader: Option<&str>) -> Status {
        let metadata: HashMap<String, String> = leader
            .map(|leader| ("leader_address".to_owned(), leader.to_owned()))
            .into_iter()
            .collect();
        let mut details = ErrorDetails::with_error_info(reason, "turnwise", metadata);
        if let Some(ms) = retry_ms {
            details.set_retry_info(Some(Duration::from_millis(ms)));
        }
        Status::with_error_details(code, "it did not work", details)
    }

    fn asked(status: &Status) -> Option<Answer> {
        retryable(status, |address| (address == "127.0.0.1:7410").then_some(1))
    }

    #[test]
    fn what_turnwise_signed_is_retried_only_where_it_says_so() {
        let status = signed(Code::Unavailable, "NO_LEADER", Some(100), None);
        let retry_delay = Some(Duration::from_millis(100));
        assert_eq!(asked(&status), Some(Answer::Unavailable { retry_delay, leader: None }));
        let hint = signed(Code::Unavailable, "NOT_LEADER", None, Some("127.0.0.1:7410"));
        assert_eq!(asked(&hint), Some(Answer::Unavailable { retry_delay: None, leader: Some(1) }));
        let busy = signed(Code::ResourceExhausted, "OVERLOADED", Some(100), None);
        assert_eq!(asked(&busy), Some(Answer::Overloaded { retry_delay }));
        let large = signed(Code::ResourceExhausted, "MESSAGE_TOO_LARGE", None, None);
        assert_eq!(asked(&large), None);
        let late = signed(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", None, None);
        assert_eq!(asked(&late), Some(Answer::Unreachable));
        assert_eq!(asked(&signed(Code::Internal, "INTERNAL", None, None)), None);
        assert_eq!(asked(&signed(Code::FailedPrecondition, "GROUP_IN_USE", None, None)), None);
    }

    #[test]
    fn what_the_transport_made_is_retried_but_a_wrong_address_is_not() {
        assert_eq!(asked(&Status::unavailable("tcp connect error")), Some(Answer::Unreachable));
        assert_eq!(asked(&Status::unknown("h2 protocol error")), Some(Answer::Unreachable));
        assert_eq!(asked(&Status::unimplemented("not a turnwise node")), None);
    }

    #[test]
    fn a_refusal_shows_message_and_reason() {
        let refused =
            Error::Refused(Box::new(signed(Code::NotFound, "RESOURCE_NOT_FOUND", None, None)));
        assert_eq!(refused.to_string(), "it did not work [RESOURCE_NOT_FOUND]");
        assert_eq!(refused.reason().as_deref(), Some("RESOURCE_NOT_FOUND"));
    }
}
