//! The bare echo: tonic, and a fixed answer.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Server, server::TcpIncoming},
};
use turnwise::proto::turnwise::v1::{
    self as pb,
    routing_service_server::{RoutingService, RoutingServiceServer},
};

struct Echo;

/// As long as what a node answers.
fn answer() -> pb::AssignContactResponse {
    let cursor = |key| Some(pb::Cursor { key, ..pb::Cursor::default() });
    let position = Some(pb::LogPosition { term: 3, log_index: 123_456, seq: 17 });
    let time = Some(prost_types::Timestamp { seconds: 1_800_000_000, nanos: 123_456_000 });
    pb::AssignContactResponse {
        assignment: Some(pb::Assignment {
            name: "teams/bench/assignments/123456-17".to_owned(),
            contact: "contact-0123456789abcdef".to_owned(),
            campaign: "teams/bench/campaigns/spring".to_owned(),
            state: 1,
            rep: "teams/bench/reps/rep-07".to_owned(),
            cause: 2,
            target_index: Some(1),
            owner_changed: true,
            owners: Vec::new(),
            position,
            create_time: time,
            update_time: time,
            history: vec![pb::HistoryEntry {
                time,
                position,
                cause: 2,
                state: 1,
                rep: "teams/bench/reps/rep-07".to_owned(),
                ..pb::HistoryEntry::default()
            }],
            decision: Some(pb::Decision {
                log_index: 1,
                time,
                engine_version: 1,
                targets: vec![pb::TargetTrace {
                    outcome: 1,
                    cursor_before: cursor(6),
                    cursor_after: cursor(7),
                    ..pb::TargetTrace::default()
                }],
            }),
            ..pb::Assignment::default()
        }),
        existing: false,
        position,
    }
}

#[tonic::async_trait]
impl RoutingService for Echo {
    type AssignContactsStream =
        Pin<Box<dyn Stream<Item = Result<pb::AssignContactsResponse, Status>> + Send>>;

    async fn assign_contact(
        &self,
        _request: Request<pb::AssignContactRequest>,
    ) -> Result<Response<pb::AssignContactResponse>, Status> {
        Ok(Response::new(answer()))
    }

    async fn assign_contacts(
        &self,
        request: Request<Streaming<pb::AssignContactsRequest>>,
    ) -> Result<Response<Self::AssignContactsStream>, Status> {
        let answers = request.into_inner().enumerate().map(|(item, request)| {
            request.map(|_| pb::AssignContactsResponse {
                item: item as u64,
                result: Some(pb::assign_contacts_response::Result::Response(answer())),
            })
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn get_assignment(
        &self,
        _request: Request<pb::GetAssignmentRequest>,
    ) -> Result<Response<pb::GetAssignmentResponse>, Status> {
        Err(Status::unimplemented("an echo"))
    }

    async fn list_assignments(
        &self,
        _request: Request<pb::ListAssignmentsRequest>,
    ) -> Result<Response<pb::ListAssignmentsResponse>, Status> {
        Err(Status::unimplemented("an echo"))
    }

    async fn batch_assign_contacts(
        &self,
        _request: Request<pb::BatchAssignContactsRequest>,
    ) -> Result<Response<pb::BatchAssignContactsResponse>, Status> {
        Err(Status::unimplemented("an echo"))
    }

    async fn preview_assign_contact(
        &self,
        _request: Request<pb::PreviewAssignContactRequest>,
    ) -> Result<Response<pb::PreviewAssignContactResponse>, Status> {
        Err(Status::unimplemented("an echo"))
    }

    async fn accept_assignment(
        &self,
        _request: Request<pb::AcceptAssignmentRequest>,
    ) -> Result<Response<pb::AcceptAssignmentResponse>, Status> {
        Err(Status::unimplemented("an echo"))
    }

    async fn reject_assignment(
        &self,
        _request: Request<pb::RejectAssignmentRequest>,
    ) -> Result<Response<pb::RejectAssignmentResponse>, Status> {
        Err(Status::unimplemented("an echo"))
    }

    async fn claim_assignment(
        &self,
        _request: Request<pb::ClaimAssignmentRequest>,
    ) -> Result<Response<pb::ClaimAssignmentResponse>, Status> {
        Err(Status::unimplemented("an echo"))
    }

    async fn reassign_assignment(
        &self,
        _request: Request<pb::ReassignAssignmentRequest>,
    ) -> Result<Response<pb::ReassignAssignmentResponse>, Status> {
        Err(Status::unimplemented("an echo"))
    }

    async fn unassign_assignment(
        &self,
        _request: Request<pb::UnassignAssignmentRequest>,
    ) -> Result<Response<pb::UnassignAssignmentResponse>, Status> {
        Err(Status::unimplemented("an echo"))
    }

    async fn close_assignment(
        &self,
        _request: Request<pb::CloseAssignmentRequest>,
    ) -> Result<Response<pb::CloseAssignmentResponse>, Status> {
        Err(Status::unimplemented("an echo"))
    }

    async fn cancel_assignment(
        &self,
        _request: Request<pb::CancelAssignmentRequest>,
    ) -> Result<Response<pb::CancelAssignmentResponse>, Status> {
        Err(Status::unimplemented("an echo"))
    }

    async fn explain_assignment(
        &self,
        _request: Request<pb::ExplainAssignmentRequest>,
    ) -> Result<Response<pb::ExplainAssignmentResponse>, Status> {
        Err(Status::unimplemented("an echo"))
    }
}

pub(crate) fn serve() {
    // As many workers as a node has by default.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        // Said of the incoming connections themselves: the server's own setting is for those that it accepts.
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let incoming = incoming.with_nodelay(Some(true));
        println!("{}", incoming.local_addr().unwrap());
        Server::builder()
            .add_service(RoutingServiceServer::new(Echo))
            .serve_with_incoming(incoming)
            .await
            .unwrap();
    });
}
