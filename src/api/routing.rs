//! `RoutingService`: one contact, a stream of contacts, and what became of them.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

use crate::{
    proto::turnwise::v1::{
        AssignContactRequest, AssignContactResponse, AssignContactsRequest, AssignContactsResponse,
        GetAssignmentRequest, GetAssignmentResponse, ListAssignmentsRequest,
        ListAssignmentsResponse, assign_contacts_response::Result as ItemResult,
        routing_service_server::RoutingService,
    },
    replica::{ReadAt, WhenFull},
    routing::{AssignmentFilter, State},
};

use super::{
    Answer, Call, Gateway, convert,
    deadline::Deadline,
    gateway::Underway,
    limits::{DEADLINE_DEFAULT, STREAM_IDLE_MAX, STREAM_ITEMS_IN_FLIGHT_MAX},
    names, paging, reads, status,
    violations::Violations,
};

#[derive(Debug, Clone)]
pub(super) struct Routing {
    pub(super) gateway: Gateway,
}

impl Routing {
    /// Gives an item its place in the order.
    async fn submit(self, number: u64, item: AssignContactsRequest) -> (u64, Underway) {
        let call = Call::AssignContact(item.request.unwrap_or_default());
        let time = Deadline::after(DEADLINE_DEFAULT);
        (number, self.gateway.submit(call, "", time, WhenFull::Wait).await)
    }
}

/// The answer to an item, whose own failure never ends the stream.
async fn answer(number: u64, item: Underway) -> AssignContactsResponse {
    let result = match item.answer().await {
        Ok(Answer::AssignContact(answer)) => ItemResult::Response(answer),
        Ok(_) => ItemResult::Status(status::item(&status::internal())),
        Err(refused) => ItemResult::Status(status::item(&refused)),
    };
    AssignContactsResponse { item: number, result: Some(result) }
}

#[tonic::async_trait]
impl RoutingService for Routing {
    async fn assign_contact(
        &self,
        request: Request<AssignContactRequest>,
    ) -> Result<Response<AssignContactResponse>, Status> {
        let answer = self.gateway.unary(request, Call::AssignContact).await?;
        let Answer::AssignContact(answer) = answer else { return Err(status::internal()) };
        Ok(Response::new(answer))
    }

    type AssignContactsStream =
        Pin<Box<dyn Stream<Item = Result<AssignContactsResponse, Status>> + Send>>;

    /// Items take effect in their order. Takes a further item only when there is room for its answer, so that a caller who does not
    /// read is slowed by the connection's window and nothing grows here.
    async fn assign_contacts(
        &self,
        request: Request<Streaming<AssignContactsRequest>>,
    ) -> Result<Response<Self::AssignContactsStream>, Status> {
        let this = self.clone();
        let items = tokio_stream::StreamExt::timeout(request.into_inner(), STREAM_IDLE_MAX);
        let mut numbers = 0u64..;
        // What breaks the stream takes its place in the order too: all before it are answered first.
        let answers = items
            .then(move |received| {
                let number = numbers.next().unwrap_or(u64::MAX);
                let this = this.clone();
                async move {
                    let received = received.map_err(|_| status::stream_idle())?;
                    Ok(this.submit(number, received.map_err(status::from_decoder)?).await)
                }
            })
            .map(|begun: Result<_, Status>| async {
                let (number, item) = begun?;
                Ok(answer(number, item).await)
            });
        Ok(Response::new(Box::pin(answers.buffered(STREAM_ITEMS_IN_FLIGHT_MAX))))
    }

    async fn get_assignment(
        &self,
        request: Request<GetAssignmentRequest>,
    ) -> Result<Response<GetAssignmentResponse>, Status> {
        let time = Deadline::of(&request);
        let mut wrong = Violations::default();
        let named = wrong.take("name", names::assignment(&request.get_ref().name));
        let (team, id) = reads::checked(wrong, named)?;
        let of = team.clone();
        let look = move |state: &State, _: ReadAt| state.assignment(&of, id);
        let found = reads::read(self.gateway.replica(), time, &team, look).await?;
        let assignment = Some(convert::assignment(&team, found));
        reads::fitting(GetAssignmentResponse { assignment })
    }

    async fn list_assignments(
        &self,
        request: Request<ListAssignmentsRequest>,
    ) -> Result<Response<ListAssignmentsResponse>, Status> {
        let time = Deadline::of(&request);
        let r = request.into_inner();
        let mut wrong = Violations::default();
        let team = wrong.take("parent", names::team(&r.parent));
        let contact = some(&r.contact).map(names::contact).transpose();
        let contact = wrong.take("contact", contact);
        let campaign = some(&r.campaign)
            .map(|name| names::campaign(name).and_then(|c| names::within(team.as_ref(), c)))
            .transpose();
        let campaign = wrong.take("campaign", campaign);
        let size = wrong.take("page_size", paging::size(r.page_size));
        let after = paging::after(&r.page_token, names::assignment_id);
        let after = wrong.take("page_token", after);
        let built = (|| {
            let filter = AssignmentFilter { contact: contact?, campaign: campaign? };
            Some((team?, filter, size?, after?))
        })();
        let (team, filter, size, after) = reads::checked(wrong, built)?;
        let of = team.clone();
        let look = move |state: &State, _: ReadAt| state.assignments(&of, &filter, after, size + 1);
        let found = reads::read(self.gateway.replica(), time, &team, look).await?;
        let (assignments, next_page_token) =
            paging::page(found, size, |a| a.id.to_string(), |a| convert::assignment(&team, a));
        reads::fitting(ListAssignmentsResponse { assignments, next_page_token })
    }
}

/// A filter that was set.
fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
