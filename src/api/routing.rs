//! `RoutingService`: one contact, a stream of contacts, and what became of them.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _, stream};
use prost::Message as _;
use tonic::{Code, Request, Response, Status, Streaming};

use crate::{
    proto::turnwise::v1::{
        AcceptAssignmentRequest, AcceptAssignmentResponse, AssignContactRequest,
        AssignContactResponse, AssignContactsRequest, AssignContactsResponse, Assignment,
        AssignmentState, BatchAssignContactsRequest, BatchAssignContactsResponse,
        CancelAssignmentRequest, CancelAssignmentResponse, Cause, ClaimAssignmentRequest,
        ClaimAssignmentResponse, CloseAssignmentRequest, CloseAssignmentResponse,
        ExplainAssignmentRequest, ExplainAssignmentResponse, GetAssignmentRequest,
        GetAssignmentResponse, ListAssignmentsRequest, ListAssignmentsResponse, LogPosition,
        PreviewAssignContactRequest, PreviewAssignContactResponse, PreviewedPick,
        ReassignAssignmentRequest, ReassignAssignmentResponse, RejectAssignmentRequest,
        RejectAssignmentResponse, UnassignAssignmentRequest, UnassignAssignmentResponse,
        assign_contacts_response::Result as ItemResult, routing_service_server::RoutingService,
    },
    replica::{ReadAt, WhenFull},
    routing::{
        self, Assigned, AssignmentFilter, AssignmentId, Principal, Reading, Rejection, State,
        TeamId,
    },
};

use super::{
    Answer, Call, Gateway,
    authenticate::{Caller, Remembered, still_opens},
    command::{CheckedPreview, preview},
    convert,
    deadline::Deadline,
    explain,
    filter::{self, Filter},
    gateway::{Underway, change},
    limits::{
        ASSIGN_MESSAGE_LEN_MAX, DEADLINE_DEFAULT, STREAM_IDLE_MAX, STREAM_ITEMS_IN_FLIGHT_MAX,
    },
    names, paging, reads, status,
    violations::Violations,
};

/// What a list may be filtered by.
const FIELDS: &[&str] =
    &["contact", "campaign", "routing_rule", "group", "rep", "state", "cause", "labels."];

fn value(assignment: &Assignment, field: &str) -> Option<String> {
    match field {
        "contact" => Some(assignment.contact.clone()),
        "campaign" => Some(assignment.campaign.clone()),
        "routing_rule" => Some(assignment.routing_rule.clone()),
        "group" => Some(assignment.group.clone()),
        "rep" => Some(assignment.rep.clone()),
        "state" => {
            let state = AssignmentState::try_from(assignment.state).ok()?;
            filter::value(state.as_str_name(), "ASSIGNMENT_STATE_")
        }
        "cause" => {
            let cause = Cause::try_from(assignment.cause).ok()?;
            filter::value(cause.as_str_name(), "CAUSE_")
        }
        label => filter::label(label, &assignment.labels),
    }
}

#[derive(Debug, Clone)]
pub(super) struct Routing {
    pub(super) gateway: Gateway,
}

impl Routing {
    /// Gives an item its place in the order.
    async fn submit(
        self,
        principal: &Principal,
        number: u64,
        item: AssignContactsRequest,
    ) -> (u64, Call, Underway) {
        let call = Call::AssignContact(item.request.unwrap_or_default());
        let time = Deadline::after(DEADLINE_DEFAULT);
        let underway = self.gateway.submit(&call, principal, time, WhenFull::Wait).await;
        (number, call, underway)
    }
}

/// An assignment with what only a read can tell: the email of its rep.
fn shown(state: &State, team: &TeamId, found: routing::Assignment) -> Assignment {
    // A deleted rep has none.
    let rep = found.rep.as_ref().and_then(|rep| state.rep(team, rep).ok());
    let mut shown = convert::assignment(team, &found);
    shown.rep_email = rep.and_then(|rep| rep.email).unwrap_or_default();
    shown
}

/// A pick that was not made has no name and no place in the log, and of a contact never seen there is
/// no id.
fn previewed(team: &TeamId, number: usize, is_named: bool, pick: Assigned) -> PreviewedPick {
    let Assigned { assignment, existing } = pick;
    let mut assignment = convert::assignment(team, &assignment);
    if let Some(decision) = assignment.decision.as_mut() {
        decision.log_index = 0;
    }
    if !existing {
        assignment.name.clear();
    }
    // A contact that nobody had may be given to somebody: what it was stays, that step is supposed.
    let is_supposed = |at: &Option<LogPosition>| {
        at.as_ref().is_some_and(|at| at.log_index == routing::Preview::LOG_INDEX)
    };
    if is_supposed(&assignment.position) {
        assignment.position = None;
    }
    assignment.history.retain(|step| !is_supposed(&step.position));
    if number > 0 || !is_named {
        assignment.contact.clear();
    }
    PreviewedPick { assignment: Some(assignment), existing }
}

/// The answer to an item, whose own failure never ends the stream.
async fn answer(number: u64, call: Call, item: Underway) -> AssignContactsResponse {
    let result = match item.answer(&call).await {
        Ok(Answer::AssignContact(answer)) => ItemResult::Response(answer),
        Ok(_) => ItemResult::Status(status::item(&status::internal())),
        Err(refused) => ItemResult::Status(status::item(&refused)),
    };
    AssignContactsResponse { item: number, result: Some(result) }
}

fn is_unauthenticated(answer: &AssignContactsResponse) -> bool {
    let AssignContactsResponse { result, .. } = answer;
    matches!(result, Some(ItemResult::Status(refused))
        if Code::from_i32(refused.code) == Code::Unauthenticated)
}

#[tonic::async_trait]
impl RoutingService for Routing {
    async fn assign_contact(
        &self,
        request: Request<AssignContactRequest>,
    ) -> Result<Response<AssignContactResponse>, Status> {
        if request.get_ref().encoded_len() > ASSIGN_MESSAGE_LEN_MAX {
            return Err(status::message_too_large());
        }
        change!(self, request, AssignContact)
    }

    type AssignContactsStream =
        Pin<Box<dyn Stream<Item = Result<AssignContactsResponse, Status>> + Send>>;

    /// Items take effect in their order. Takes a further item only when there is room for its answer,
    /// so that a caller who does not read is slowed by the connection's window and nothing grows here.
    async fn assign_contacts(
        &self,
        request: Request<Streaming<AssignContactsRequest>>,
    ) -> Result<Response<Self::AssignContactsStream>, Status> {
        let this = self.clone();
        // Asked here for an answer without an item, and of each item where it takes effect.
        let caller = Caller::of(&request)?;
        still_opens(self.gateway.replica(), &caller).await?;
        let Caller { principal, time: _ } = caller;
        let remembered = Remembered::of(&request);
        let items = tokio_stream::StreamExt::timeout(request.into_inner(), STREAM_IDLE_MAX);
        let mut numbers = 0u64..;
        // What breaks the stream takes its place in the order too: all before it are answered first.
        let answers = items
            .then(move |received| {
                let number = numbers.next().unwrap_or(u64::MAX);
                let (this, principal) = (this.clone(), principal.clone());
                async move {
                    let received = received.map_err(|_| status::stream_idle())?;
                    let item = received.map_err(status::from_decoder)?;
                    if item.encoded_len() > ASSIGN_MESSAGE_LEN_MAX {
                        return Err(status::message_too_large());
                    }
                    Ok(this.submit(&principal, number, item).await)
                }
            })
            .map(|begun: Result<_, Status>| async {
                let (number, call, item) = begun?;
                Ok(answer(number, call, item).await)
            });
        let answers = answers.buffered(STREAM_ITEMS_IN_FLIGHT_MAX).flat_map(move |answered| {
            // Its token opens nothing any more: no item after it would be done.
            let end = answered.as_ref().is_ok_and(is_unauthenticated).then(|| {
                remembered.iter().for_each(Remembered::forget);
                Err(status::unauthenticated())
            });
            stream::iter([Some(answered), end].into_iter().flatten())
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn batch_assign_contacts(
        &self,
        request: Request<BatchAssignContactsRequest>,
    ) -> Result<Response<BatchAssignContactsResponse>, Status> {
        change!(self, request, BatchAssignContacts)
    }

    async fn preview_assign_contact(
        &self,
        request: Request<PreviewAssignContactRequest>,
    ) -> Result<Response<PreviewAssignContactResponse>, Status> {
        let caller = Caller::of(&request)?;
        let read = preview(request.get_ref()).map_err(|wrong| status::invalid(&wrong))?;
        let CheckedPreview { team, preview, is_named } = read;
        let of = team.clone();
        let look = move |state: State, at: ReadAt| {
            Ok((state.preview(&of, &preview, at.now)?, at.applied_index))
        };
        let (picks, log_index) =
            reads::on_copy(self.gateway.replica(), caller, Reading::Preview, &team, look).await?;
        let picks = picks.into_iter().enumerate();
        let picks = picks.map(|(i, pick)| previewed(&team, i, is_named, pick)).collect();
        reads::fitting(PreviewAssignContactResponse { picks, log_index })
    }

    async fn get_assignment(
        &self,
        request: Request<GetAssignmentRequest>,
    ) -> Result<Response<GetAssignmentResponse>, Status> {
        let caller = Caller::of(&request)?;
        let mut wrong = Violations::default();
        let named = wrong.take("name", names::assignment(&request.get_ref().name));
        let (team, id) = reads::checked(wrong, named)?;
        let of = team.clone();
        let look =
            move |state: &State, _: ReadAt| Ok(shown(state, &of, state.assignment(&of, id)?));
        let found = reads::read(self.gateway.replica(), caller, Reading::Team, &team, look).await?;
        reads::fitting(GetAssignmentResponse { assignment: Some(found) })
    }

    async fn list_assignments(
        &self,
        request: Request<ListAssignmentsRequest>,
    ) -> Result<Response<ListAssignmentsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let r = request.into_inner();
        let mut wrong = Violations::default();
        let team = wrong.take("parent", names::team(&r.parent));
        let filter = wrong.take("filter", Filter::read(&r.filter, FIELDS)).unwrap_or_default();
        // These two have an index; the field of the request comes before the filter.
        let contact = some(&r.contact).map(names::contact).transpose();
        let contact = wrong.take("contact", contact);
        let campaign = some(&r.campaign)
            .map(|name| names::campaign(name).and_then(|c| names::within(team.as_ref(), c)))
            .transpose();
        let campaign = wrong.take("campaign", campaign);
        let asked = |field: &str| filter.asked(field).filter(|value| !value.is_empty());
        let by_filter = asked("contact").and_then(|value| names::contact(value).ok());
        let contact = contact.map(|contact| contact.or(by_filter));
        let by_filter = asked("campaign")
            .and_then(|name| names::within(team.as_ref(), names::campaign(name).ok()?).ok());
        let campaign = campaign.map(|campaign| campaign.or(by_filter));
        let size = wrong.take("page_size", paging::size(r.page_size));
        let after = paging::after(&r.page_token, names::assignment_id);
        let after = wrong.take("page_token", after);
        let built = (|| {
            let indexed = AssignmentFilter {
                contact: contact?,
                campaign: campaign?,
                ..AssignmentFilter::default()
            };
            Some((team?, indexed, size?, after?))
        })();
        let (team, indexed, size, after) = reads::checked(wrong, built)?;
        let of = team.clone();
        let look = move |state: State, _: ReadAt| {
            paging::scan(
                after,
                size,
                |after, limit| state.assignments(&of, &indexed, after.copied(), limit),
                |found| found.id,
                AssignmentId::to_string,
                |found| shown(&state, &of, found),
                |found| filter.keeps(|field| value(found, field)),
            )
        };
        let (assignments, next_page_token) =
            reads::on_copy(self.gateway.replica(), caller, Reading::Team, &team, look).await?;
        reads::fitting(ListAssignmentsResponse { assignments, next_page_token })
    }

    async fn accept_assignment(
        &self,
        request: Request<AcceptAssignmentRequest>,
    ) -> Result<Response<AcceptAssignmentResponse>, Status> {
        change!(self, request, AcceptAssignment)
    }

    async fn reject_assignment(
        &self,
        request: Request<RejectAssignmentRequest>,
    ) -> Result<Response<RejectAssignmentResponse>, Status> {
        change!(self, request, RejectAssignment)
    }

    async fn claim_assignment(
        &self,
        request: Request<ClaimAssignmentRequest>,
    ) -> Result<Response<ClaimAssignmentResponse>, Status> {
        change!(self, request, ClaimAssignment)
    }

    async fn reassign_assignment(
        &self,
        request: Request<ReassignAssignmentRequest>,
    ) -> Result<Response<ReassignAssignmentResponse>, Status> {
        change!(self, request, ReassignAssignment)
    }

    async fn unassign_assignment(
        &self,
        request: Request<UnassignAssignmentRequest>,
    ) -> Result<Response<UnassignAssignmentResponse>, Status> {
        change!(self, request, UnassignAssignment)
    }

    async fn close_assignment(
        &self,
        request: Request<CloseAssignmentRequest>,
    ) -> Result<Response<CloseAssignmentResponse>, Status> {
        change!(self, request, CloseAssignment)
    }

    async fn cancel_assignment(
        &self,
        request: Request<CancelAssignmentRequest>,
    ) -> Result<Response<CancelAssignmentResponse>, Status> {
        change!(self, request, CancelAssignment)
    }

    async fn explain_assignment(
        &self,
        request: Request<ExplainAssignmentRequest>,
    ) -> Result<Response<ExplainAssignmentResponse>, Status> {
        let caller = Caller::of(&request)?;
        let mut wrong = Violations::default();
        let named = wrong.take("name", names::assignment(&request.get_ref().name));
        let (team, id) = reads::checked(wrong, named)?;
        let of = team.clone();
        let look = move |state: State, _: ReadAt| -> Result<_, Rejection> {
            let found = state.assignment(&of, id)?;
            let choice = state.choice(&of, &found)?;
            let sentences = explain::sentences(&found, choice.as_ref());
            let choice = choice.map(|choice| convert::choice(&of, choice));
            let assignment = Some(shown(&state, &of, found));
            Ok(ExplainAssignmentResponse { assignment, sentences, choice })
        };
        let replica = self.gateway.replica();
        reads::fitting(reads::on_copy(replica, caller, Reading::Team, &team, look).await?)
    }
}

/// A filter that was set.
fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
