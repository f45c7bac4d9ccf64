//! The one place that makes a `tonic::Status`: canonical code, `ErrorInfo`, and what else helps.
//!
//! The text says what happened and what to do next. It names resources, never an email or a contact.
//! Each reason has a section in `docs/ERRORS.md`.

use std::{collections::HashMap, fmt::Display};

use bytes::Bytes;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, PreconditionViolation, StatusExt as _};

use crate::{
    consensus::NodeId,
    proto::turnwise::{
        peer::v1::ForwardStatus,
        v1::{ErrorReason, ItemStatus},
    },
    replica::{LOG_VERSION, NotChanged, PROTOCOL_VERSION},
    routing::{Interval, Time},
    unavailable::Unavailable,
};

use super::{
    instant::rfc3339,
    limits::{ANSWER_LEN_MAX, ASSIGN_MESSAGE_LEN_MAX},
    violations::Violations,
};

mod rejected;

pub(super) use rejected::rejected;

/// The domain of every `ErrorInfo` of ours.
pub const DOMAIN: &str = "turnwise";

/// How a reason is spelled in `ErrorInfo`: the proto name without its prefix.
#[must_use]
pub fn spelled(reason: ErrorReason) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix("ERROR_REASON_").unwrap_or(name)
}

/// A request whose fields are wrong.
pub(super) fn invalid(violations: &Violations) -> Status {
    let named = violations.as_slice();
    let mut answer = Answer::new(Code::InvalidArgument, violations.reason());
    for violation in named {
        answer = answer.field(&violation.field, &violation.wrong.description);
    }
    let first = named.first().map(|v| format!("{}: {}", v.field, v.wrong.description));
    let more = match named.len() {
        0 | 1 => String::new(),
        n => format!(" (and {} more, see the details)", n - 1),
    };
    answer.say(format!("{}{more}; correct it and call again", first.unwrap_or_default()))
}

/// A call without a valid credential.
pub(super) fn unauthenticated() -> Status {
    rejected::unauthenticated().status()
}

/// It can't be done now.
pub(super) fn unavailable(cause: Unavailable) -> Status {
    use ErrorReason as R;
    let again = "try again with the same request id";
    let (code, reason, text) = match cause {
        Unavailable::NoLeader => (
            Code::Unavailable,
            R::NoLeader,
            format!("no leader is known; nothing was done, {again}"),
        ),
        Unavailable::NotLeader { .. } => (
            Code::Unavailable,
            R::NotLeader,
            format!("the node asked does not lead; nothing was done, {again}"),
        ),
        Unavailable::LeadershipLost => (
            Code::Unavailable,
            R::LeadershipLost,
            "the leader changed while the call was under way: it may have taken effect; a retry is \
             safe with the same request id"
                .to_owned(),
        ),
        Unavailable::LeaderUnreachable => (
            Code::Unavailable,
            R::LeaderUnreachable,
            format!("the leader can't be reached; nothing was done, {again}"),
        ),
        Unavailable::ShuttingDown => (
            Code::Unavailable,
            R::ShuttingDown,
            format!("the node is stopping; {again} on another node"),
        ),
        Unavailable::Overloaded => (
            Code::ResourceExhausted,
            R::Overloaded,
            format!("too many calls are waiting; nothing was done, {again} a little later"),
        ),
        Unavailable::TooLarge { len, max } => {
            return Answer::new(Code::InvalidArgument, R::CallTooLarge)
                .about("bytes", len)
                .about("limit", max)
                .say(format!(
                    "the call takes {len} bytes of the log and one entry holds {max}; split it into \
                     smaller calls"
                ));
        }
        Unavailable::DeadlineExceeded => (
            Code::DeadlineExceeded,
            R::DeadlineExceeded,
            "the time ran out: the call may have taken effect; a retry is safe with the same \
             request id"
                .to_owned(),
        ),
    };
    let mut answer = Answer::new(code, reason);
    if let Unavailable::NotLeader { leader: Some(leader) } = cause {
        answer = answer.about("leader_node_id", leader);
    }
    answer.details.set_retry_info(Some(cause.retry_delay()));
    answer.say(text)
}

/// A defect of ours.
pub(super) fn internal() -> Status {
    Answer::new(Code::Internal, ErrorReason::Internal)
        .say("a defect of Turnwise; the node's log says more, please report it")
}

/// A call that a newer node passed on.
pub(super) fn unknown_call() -> Status {
    Answer::new(Code::Unimplemented, ErrorReason::Internal)
        .say("the leader does not know this call; bring all nodes to one version")
}

/// An answer that does not fit a message.
pub(super) fn answer_too_large() -> Status {
    Answer::new(Code::ResourceExhausted, ErrorReason::MessageTooLarge)
        .about("limit_bytes", ANSWER_LEN_MAX)
        .say(format!("the answer would be longer than {ANSWER_LEN_MAX} bytes; ask for less"))
}

/// A contact to assign that is longer than one may be.
pub(super) fn message_too_large() -> Status {
    Answer::new(Code::ResourceExhausted, ErrorReason::MessageTooLarge)
        .about("limit_bytes", ASSIGN_MESSAGE_LEN_MAX)
        .say("the message is longer than the call allows; send less in one call")
}

/// Events from an index that is no longer kept. `stopped_at` is where a watcher was that fell behind.
pub(super) fn compacted(oldest: u64, stopped_at: Option<u64>) -> Status {
    let answer =
        Answer::new(Code::OutOfRange, ErrorReason::EventsCompacted).about("oldest_index", oldest);
    let answer = match stopped_at {
        Some(index) => answer.about("next_index", index),
        None => answer,
    };
    answer.say(format!(
        "this node keeps events from log index {oldest} on only; watch from 0, note the `next_index` \
         that comes first, list the resources anew and go on there; or watch from the same index on a \
         node that keeps more"
    ))
}

/// One more watcher than a node takes.
pub(super) fn too_many_watchers(limit: usize) -> Status {
    let mut answer = Answer::new(Code::ResourceExhausted, ErrorReason::Overloaded);
    answer.details.set_retry_info(Some(std::time::Duration::from_secs(1)));
    answer.about("limit", limit).say(format!(
        "{limit} streams of events are open on this node; end some, or watch on another node"
    ))
}

/// Why nothing was changed about the members.
pub(super) fn not_changed(not: &NotChanged) -> Status {
    use ErrorReason as R;
    let (answer, advice) = match not {
        NotChanged::NotLeader => return unavailable(Unavailable::NotLeader { leader: None }),
        NotChanged::LeadershipLost => return unavailable(Unavailable::LeadershipLost),
        NotChanged::Busy | NotChanged::HandingOver { .. } | NotChanged::StillHeard { .. } => {
            let mut answer = Answer::new(Code::Unavailable, R::MembersChanging);
            answer.details.set_retry_info(Some(std::time::Duration::from_millis(100)));
            return answer.say(format!("{not}; nothing was changed, try again"));
        }
        NotChanged::Token => {
            return Answer::new(Code::FailedPrecondition, R::JoinTokenRefused)
                .say(format!("{not}; type `turnwise cluster add` for a new one"));
        }
        NotChanged::Version { needs, .. } => return version_too_old(*needs),
        NotChanged::TooManyTokens => {
            return Answer::new(Code::ResourceExhausted, R::TooManyJoinTokens)
                .say(format!("{not}; use one of them, or wait until their time is over"));
        }
        NotChanged::WasRemoved { node } => {
            let answer = Answer::new(Code::FailedPrecondition, R::NodeRemoved);
            let advice =
                "empty its --data-dir, and start it with a new token of `turnwise cluster add`";
            (answer.about("node", node), advice)
        }
        NotChanged::CameBack { node, by } => {
            let answer = Answer::new(Code::FailedPrecondition, R::NodeRemoved);
            let advice = format!(
                "if node {by} is a member and does not run any more, another takes its place with `turnwise \
                 cluster replace {by}`; otherwise a new node comes with `turnwise cluster add`"
            );
            return answer.about("node", node).say(format!("{not}; {advice}"));
        }
        NotChanged::OtherData { node } => {
            let answer = Answer::new(Code::FailedPrecondition, R::NodeRemoved);
            let advice = "a machine comes back once; start it with an empty --data-dir and a new token of \
                          `turnwise cluster add`";
            (answer.about("node", node), advice)
        }
        NotChanged::NoSuchNode { node } => {
            let answer = Answer::new(Code::NotFound, R::ResourceNotFound).about("node", node);
            return answer.say(format!("{not}; `turnwise cluster status` lists the members"));
        }
        NotChanged::LastVoter { node } => {
            let answer = Answer::new(Code::FailedPrecondition, R::QuorumAtRisk);
            (answer.about("node", node), "add another with `turnwise cluster add` first")
        }
        NotChanged::NoQuorum { node, reachable, needed } => {
            let answer = Answer::new(Code::FailedPrecondition, R::QuorumAtRisk);
            let answer = answer.about("node", node).about("reachable", reachable);
            let advice =
                "start the nodes that are down, or remove those first (`turnwise cluster status`)";
            (answer.about("needed", needed), advice)
        }
    };
    answer.violation("cluster").say(format!("{not}; {advice}"))
}

/// A node that wants to join is of a version that this cluster has left behind.
pub(super) fn version_too_old(engine_version: u32) -> Status {
    Answer::new(Code::FailedPrecondition, ErrorReason::VersionTooOld)
        .about("engine_version", engine_version)
        .say(format!(
            "this cluster writes what the joining node does not understand (peer protocol \
             {PROTOCOL_VERSION}, log {LOG_VERSION}, version {engine_version} of the cluster); install the \
             version that the members run"
        ))
}

/// One backup more than a node takes at a time.
pub(super) fn too_many_backups(limit: usize) -> Status {
    let mut answer = Answer::new(Code::ResourceExhausted, ErrorReason::Overloaded);
    answer.details.set_retry_info(Some(std::time::Duration::from_secs(1)));
    answer.about("limit", limit).say(format!(
        "{limit} backups are under way on this node; wait for one, or take it from another node"
    ))
}

/// A node that is no member.
pub(super) fn no_such_node(node: NodeId) -> Status {
    Answer::new(Code::NotFound, ErrorReason::ResourceNotFound)
        .about("node_id", node)
        .say(format!("node {node} is no member of this cluster; see `turnwise cluster status`"))
}

/// A node that should have led by now. `leader` is who does.
pub(super) fn leader_not_transferred(to: Option<NodeId>, leader: Option<NodeId>) -> Status {
    let mut answer = Answer::new(Code::Unavailable, ErrorReason::LeaderNotTransferred);
    if let Some(leader) = leader {
        answer = answer.about("leader_node_id", leader);
    }
    let who = to.map_or("no other node took".to_owned(), |to| format!("node {to} did not take"));
    let now = leader.map_or(String::new(), |leader| format!(", and node {leader} leads"));
    answer.say(format!(
        "{who} over in time{now}; `turnwise cluster status` shows who is down, far behind or without \
         a vote"
    ))
}

/// A stream on which nothing came for too long.
pub(super) fn stream_idle() -> Status {
    let mut answer = Answer::new(Code::DeadlineExceeded, ErrorReason::DeadlineExceeded);
    answer.details.set_retry_info(Some(std::time::Duration::ZERO));
    answer.say("no item came for too long; every item was answered, open a new stream")
}

/// What tonic says of a message that it could not take, in our words.
pub(super) fn from_decoder(status: Status) -> Status {
    let code = status.code();
    if code == Code::OutOfRange && status.message().contains("message length too large") {
        return Answer::new(Code::ResourceExhausted, ErrorReason::MessageTooLarge)
            .say("the message is longer than the call allows; send less in one call");
    }
    if code == Code::Internal && is_malformed(status.message()) {
        return Answer::new(Code::InvalidArgument, ErrorReason::MalformedMessage).say(
            "the message is not well-formed protobuf of this call, or text in it is not UTF-8; \
             check what the client sends",
        );
    }
    status
}

/// The texts of tonic and prost for bytes that are no message; a test pins them.
fn is_malformed(message: &str) -> bool {
    message.starts_with("failed to decode Protobuf message")
        || message.starts_with("Missing request message")
}

/// The same for an item of a stream, whose status has no envelope.
pub(super) fn item(status: &Status) -> ItemStatus {
    let details = status.get_error_details();
    let field = details.bad_request().and_then(|b| b.field_violations.first());
    ItemStatus {
        code: status.code().into(),
        message: status.message().to_owned(),
        reason: details.error_info().map(|i| i.reason.clone()).unwrap_or_default(),
        field: field.map(|v| v.field.clone()).unwrap_or_default(),
        retry_delay: details
            .retry_info()
            .and_then(|r| r.retry_delay)
            .and_then(|d| prost_types::Duration::try_from(d).ok()),
    }
}

/// Whether nothing was done because nobody led, or the leader could not be reached.
pub(super) fn is_for_want_of_a_leader(status: &Status) -> bool {
    use ErrorReason as R;
    let is = |info: tonic_types::ErrorInfo| {
        [R::NoLeader, R::NotLeader, R::LeaderUnreachable]
            .map(spelled)
            .contains(&info.reason.as_str())
    };
    status.code() == Code::Unavailable && status.get_details_error_info().is_some_and(is)
}

/// A status as one node passes it to another.
pub(super) fn to_peer(status: &Status) -> ForwardStatus {
    ForwardStatus {
        code: status.code().into(),
        message: status.message().to_owned(),
        details: Bytes::copy_from_slice(status.details()),
    }
}

/// And back.
pub(super) fn from_peer(status: ForwardStatus) -> Status {
    Status::with_details(Code::from_i32(status.code), status.message, status.details)
}

/// A status in the making.
struct Answer {
    code: Code,
    reason: ErrorReason,
    text: String,
    metadata: HashMap<String, String>,
    details: ErrorDetails,
    fields: Vec<FieldViolation>,
    subjects: Vec<String>,
}

impl Answer {
    fn new(code: Code, reason: ErrorReason) -> Self {
        Self {
            code,
            reason,
            text: String::new(),
            metadata: HashMap::new(),
            details: ErrorDetails::new(),
            fields: Vec::new(),
            subjects: Vec::new(),
        }
    }

    /// A fact for programs.
    fn about(mut self, key: &str, value: impl Display) -> Self {
        self.metadata.insert(key.to_owned(), value.to_string());
        self
    }

    /// When nobody would be there.
    fn gap(self, gap: &Interval) -> Self {
        let answer = self.about("gap_start_time", rfc3339(gap.start));
        if gap.end == Time::FOREVER {
            answer
        } else {
            answer.about("gap_end_time", rfc3339(gap.end))
        }
    }

    /// A field that is wrong.
    fn field(mut self, field: &str, description: &str) -> Self {
        self.fields.push(FieldViolation::new(field, description));
        self
    }

    /// What stands in the way.
    fn violation(mut self, subject: &str) -> Self {
        self.subjects.push(subject.to_owned());
        self
    }

    /// What happened and what to do next.
    fn saying(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    fn say(self, text: impl Into<String>) -> Status {
        self.saying(text).status()
    }

    fn status(self) -> Status {
        let Self { code, reason, text, metadata, mut details, fields, subjects } = self;
        let reason = spelled(reason);
        details.set_error_info(reason, DOMAIN, metadata);
        if !fields.is_empty() {
            details.set_bad_request(fields);
        }
        if !subjects.is_empty() {
            let violation = |subject| PreconditionViolation::new(reason, subject, text.as_str());
            details
                .set_precondition_failure(subjects.into_iter().map(violation).collect::<Vec<_>>());
        }
        Status::with_error_details(code, text, details)
    }
}

#[cfg(test)]
mod tests;
