//! `RepService`.

use tonic::{Request, Response, Status};

use crate::{
    proto::turnwise::v1::{
        Availability, ClearOutOfOfficeRequest, ClearOutOfOfficeResponse, CreateRepRequest,
        CreateRepResponse, DeleteRepRequest, DeleteRepResponse, GetRepRequest, GetRepResponse,
        ListRepsRequest, ListRepsResponse, PresenceState, Rep, SetOutOfOfficeRequest,
        SetOutOfOfficeResponse, SetPresenceRequest, SetPresenceResponse, UpdateRepRequest,
        UpdateRepResponse, rep_service_server::RepService,
    },
    replica::ReadAt,
    routing::{Reading, RepId, State},
};

use super::{
    Gateway,
    authenticate::Caller,
    convert, filter,
    gateway::change,
    names,
    paging::{self, Asked},
    reads,
    violations::Violations,
};

#[derive(Debug)]
pub(super) struct Reps {
    pub(super) gateway: Gateway,
}

/// What a list may be filtered by.
const FIELDS: &[&str] =
    &["display_name", "email", "disabled", "availability", "presence.state", "labels."];

fn value(rep: &Rep, field: &str) -> Option<String> {
    match field {
        "display_name" => Some(rep.display_name.clone()),
        "email" => Some(rep.email.clone()),
        "disabled" => Some(rep.disabled.to_string()),
        "availability" => {
            let availability = Availability::try_from(rep.availability).ok()?;
            filter::value(availability.as_str_name(), "AVAILABILITY_")
        }
        "presence.state" => {
            let state = PresenceState::try_from(rep.presence.as_ref()?.state).ok()?;
            filter::value(state.as_str_name(), "PRESENCE_STATE_")
        }
        label => filter::label(label, &rep.labels),
    }
}

#[tonic::async_trait]
impl RepService for Reps {
    async fn create_rep(
        &self,
        request: Request<CreateRepRequest>,
    ) -> Result<Response<CreateRepResponse>, Status> {
        change!(self, request, CreateRep)
    }

    async fn get_rep(
        &self,
        request: Request<GetRepRequest>,
    ) -> Result<Response<GetRepResponse>, Status> {
        let caller = Caller::of(&request)?;
        let mut wrong = Violations::default();
        let named = wrong.take("name", names::rep(&request.get_ref().name));
        let (team, rep) = reads::checked(wrong, named)?;
        let of = team.clone();
        let look = move |state: &State, at: ReadAt| Ok((state.rep(&of, &rep)?, at.now));
        let (found, now) =
            reads::read(self.gateway.replica(), caller, Reading::Team, &team, look).await?;
        reads::fitting(GetRepResponse { rep: Some(convert::rep(&team, found, now)) })
    }

    async fn list_reps(
        &self,
        request: Request<ListRepsRequest>,
    ) -> Result<Response<ListRepsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let r = request.into_inner();
        let asked = Asked::read(&r.parent, r.page_size, &r.page_token, &r.filter, FIELDS)?;
        let Asked { team, after, size, filter } = asked;
        let of = team.clone();
        let look = move |state: State, at: ReadAt| {
            paging::scan(
                after,
                size,
                |after, limit| state.reps(&of, after, limit),
                |rep| rep.id.clone(),
                RepId::to_string,
                |rep| convert::rep(&of, rep, at.now),
                |rep| filter.keeps(|field| value(rep, field)),
            )
        };
        let (reps, next_page_token) =
            reads::on_copy(self.gateway.replica(), caller, Reading::Team, &team, look).await?;
        reads::fitting(ListRepsResponse { reps, next_page_token })
    }

    async fn update_rep(
        &self,
        request: Request<UpdateRepRequest>,
    ) -> Result<Response<UpdateRepResponse>, Status> {
        change!(self, request, UpdateRep)
    }

    async fn delete_rep(
        &self,
        request: Request<DeleteRepRequest>,
    ) -> Result<Response<DeleteRepResponse>, Status> {
        change!(self, request, DeleteRep)
    }

    async fn set_out_of_office(
        &self,
        request: Request<SetOutOfOfficeRequest>,
    ) -> Result<Response<SetOutOfOfficeResponse>, Status> {
        change!(self, request, SetOutOfOffice)
    }

    async fn clear_out_of_office(
        &self,
        request: Request<ClearOutOfOfficeRequest>,
    ) -> Result<Response<ClearOutOfOfficeResponse>, Status> {
        change!(self, request, ClearOutOfOffice)
    }

    async fn set_presence(
        &self,
        request: Request<SetPresenceRequest>,
    ) -> Result<Response<SetPresenceResponse>, Status> {
        change!(self, request, SetPresence)
    }
}
