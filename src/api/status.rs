//! The one place that makes a `tonic::Status`: canonical code, `ErrorInfo`, and what else helps.
//!
//! The text says what happened and what to do next. It names resources, never an email or a contact.
//! Each reason has a section in `docs/ERRORS.md`.

use std::{collections::HashMap, fmt::Display};

use bytes::Bytes;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, PreconditionViolation, StatusExt as _};

use crate::{
    proto::turnwise::{
        peer::v1::ForwardStatus,
        v1::{ErrorReason, ItemStatus},
    },
    routing::{CampaignId, GroupId, Interval, Rejection, ResourceKind, TeamId, Time},
    unavailable::Unavailable,
};

use super::{
    limits::{ANSWER_LEN_MAX, NAMED_RESOURCES_MAX},
    names,
    violations::Violations,
};

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

/// A rule said no. `team` is the one that the call was about.
pub(super) fn rejected(team: &TeamId, rejection: &Rejection) -> Status {
    use ErrorReason as R;
    let failed = |reason| Answer::new(Code::FailedPrecondition, reason);
    let exists = |reason| Answer::new(Code::AlreadyExists, reason);
    let group_names = |groups: &[GroupId]| list(groups, |g| names::group_name(team, g));
    let campaign_names =
        |campaigns: &[CampaignId]| list(campaigns, |c| names::campaign_name(team, c));
    match rejection {
        Rejection::NotFound { kind, id } => {
            let name = resource_name(team, *kind, id);
            Answer::new(Code::NotFound, R::ResourceNotFound)
                .about("resource", &name)
                .say(format!("`{name}` does not exist; check the name, or create it first"))
        }
        Rejection::AlreadyExists { kind, id } => {
            let name = resource_name(team, *kind, id);
            exists(R::ResourceAlreadyExists)
                .about("resource", &name)
                .say(format!("`{name}` exists already; use it, or choose another id"))
        }
        Rejection::EmailTaken { rep } => {
            let rep = names::rep_name(team, rep);
            exists(R::EmailTaken)
                .about("rep", &rep)
                .field("rep.email", "unique in the team, in any letter case")
                .say(format!("the email belongs to `{rep}`; use that rep, or another email"))
        }
        Rejection::ExternalIdTaken { rep, system } => {
            let rep = names::rep_name(team, rep);
            exists(R::ExternalIdTaken)
                .about("rep", &rep)
                .about("system", system)
                .field(&format!("rep.external_ids[{system}]"), "unique in the team")
                .say(format!(
                    "the external id of system `{system}` belongs to `{rep}`; use that rep, or \
                     another id"
                ))
        }
        Rejection::AlreadyMember { rep, group } => {
            let (rep, group) = (names::rep_name(team, rep), names::group_name(team, group));
            exists(R::AlreadyMember)
                .about("rep", &rep)
                .about("group", &group)
                .say(format!("`{rep}` is in `{group}` already, in the same place; leave them out"))
        }
        Rejection::NotAMember { rep, group } => {
            let (rep, group) = (names::rep_name(team, rep), names::group_name(team, group));
            Answer::new(Code::NotFound, R::NotAMember)
                .about("rep", &rep)
                .about("group", &group)
                .say(format!("`{rep}` is not in `{group}`; nothing needs to be done"))
        }
        Rejection::RequestIdReused => Answer::new(Code::InvalidArgument, R::RequestIdReused)
            .field("request_id", "one id for each intended call")
            .say("the request id was used for a different call; use a fresh id for a new call"),
        Rejection::GroupTooSmall { groups } => {
            let groups = group_names(groups);
            failed(R::GroupTooSmall).about("groups", &groups).violation(&groups).say(format!(
                "it would leave {groups} without a member; add another member first, or delete the \
                 group"
            ))
        }
        Rejection::TooMany { what, limit } => failed(R::LimitReached)
            .about("what", what)
            .about("limit", limit)
            .violation(&names::team_name(team))
            .say(format!("at most {limit} {what}; remove some first")),
        Rejection::DefaultGroupImmutable => failed(R::DefaultGroupImmutable)
            .violation(&names::child_name(team, "groups", "default"))
            .say("the default group's members follow the team's reps; use a group of your own"),
        Rejection::GroupInUse { group, campaigns } => {
            let (group, campaigns) = (names::group_name(team, group), campaign_names(campaigns));
            failed(R::GroupInUse)
                .about("group", &group)
                .about("campaigns", &campaigns)
                .violation(&campaigns)
                .say(format!("`{group}` is a target of {campaigns}; retarget or cancel them first"))
        }
        Rejection::RepInUse { rep, campaigns } => {
            let (rep, campaigns) = (names::rep_name(team, rep), campaign_names(campaigns));
            failed(R::RepInUse)
                .about("rep", &rep)
                .about("campaigns", &campaigns)
                .violation(&campaigns)
                .say(format!("`{rep}` is a target of {campaigns}; retarget or cancel them first"))
        }
        Rejection::LastAvailableRep { team: whole, campaigns, groups, gap } => {
            let (campaigns, groups) = (campaign_names(campaigns), group_names(groups));
            let answer = failed(R::LastAvailableRep)
                .about("campaigns", &campaigns)
                .about("groups", &groups)
                .gap(gap)
                .violation(if whole.is_some() { &groups } else { &campaigns });
            let answer = match whole {
                Some(team) => answer.about("team", names::team_name(team)),
                None => answer,
            };
            answer.say(format!(
                "it would leave nobody available for {campaigns} {}; make another rep available \
                 first, or cancel the campaign",
                spoken(gap)
            ))
        }
        Rejection::GroupHasNoAvailableRep { campaign, groups } => {
            let (campaign, groups) = (names::campaign_name(team, campaign), group_names(groups));
            failed(R::GroupHasNoAvailableRep)
                .about("campaign", &campaign)
                .about("groups", &groups)
                .violation(&groups)
                .say(format!(
                    "nobody is available for `{campaign}`; add at least one available rep to one of \
                     its groups first"
                ))
        }
        Rejection::CampaignNotRunning { campaign, state } => {
            let campaign = names::campaign_name(team, campaign);
            let state = super::convert::campaign_state(*state).as_str_name();
            failed(R::CampaignNotRunning)
                .about("campaign", &campaign)
                .about("state", state)
                .violation(&campaign)
                .say(format!("`{campaign}` does not route contacts ({state}); launch it first"))
        }
        Rejection::WrongCampaignState { campaign, state } => {
            let campaign = names::campaign_name(team, campaign);
            let state = super::convert::campaign_state(*state).as_str_name();
            failed(R::WrongCampaignState)
                .about("campaign", &campaign)
                .about("state", state)
                .violation(&campaign)
                .say(format!("`{campaign}` can't do that in its state ({state}); see its states"))
        }
        Rejection::TooManyIntervals { limit } => failed(R::TooManyIntervals)
            .about("limit", limit)
            .say(format!("at most {limit} separate absences; clear some first")),
        Rejection::EmptyWindow => Answer::new(Code::InvalidArgument, R::EmptyWindow)
            .field("end_time", "must be after start_time and after now")
            .say("the window ends before it starts; nothing can be away in it"),
    }
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

    fn say(self, text: impl Into<String>) -> Status {
        let Self { code, reason, metadata, mut details, fields, subjects } = self;
        let text = text.into();
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

fn resource_name(team: &TeamId, kind: ResourceKind, id: &str) -> String {
    let collection = match kind {
        // The id of the rejection: on CreateTeam it is the same as the call's team.
        ResourceKind::Team => return format!("teams/{id}"),
        ResourceKind::Rep => "reps",
        ResourceKind::Group => "groups",
        ResourceKind::Campaign => "campaigns",
        ResourceKind::Assignment => "assignments",
    };
    names::child_name(team, collection, id)
}

/// Names for people and for metadata: the first few, and how many more.
fn list<T>(things: &[T], name: impl Fn(&T) -> String) -> String {
    let named: Vec<_> = things.iter().take(NAMED_RESOURCES_MAX).map(name).collect();
    let more = things.len() - named.len();
    let named = named.join(", ");
    if more == 0 { named } else { format!("{named} and {more} more") }
}

fn spoken(gap: &Interval) -> String {
    let start = rfc3339(gap.start);
    if gap.end == Time::FOREVER {
        return format!("from {start} on");
    }
    format!("from {start} until {}", rfc3339(gap.end))
}

fn rfc3339(time: Time) -> String {
    i64::try_from(time.0)
        .ok()
        .and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok())
        .map_or_else(|| "for ever".to_owned(), |t| t.to_string())
}

#[cfg(test)]
mod tests;
