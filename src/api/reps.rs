//! `RepService`.

use tonic::{Request, Response, Status};

use crate::{
    proto::turnwise::v1::{
        ClearOutOfOfficeRequest, ClearOutOfOfficeResponse, CreateRepRequest, CreateRepResponse,
        DeleteRepRequest, DeleteRepResponse, GetRepRequest, GetRepResponse, ListRepsRequest,
        ListRepsResponse, SetOutOfOfficeRequest, SetOutOfOfficeResponse,
        rep_service_server::RepService,
    },
    replica::ReadAt,
    routing::State,
};

use super::{
    Answer, Call, Gateway, convert, deadline::Deadline, names, paging, reads, status,
    violations::Violations,
};

#[derive(Debug)]
pub(super) struct Reps {
    pub(super) gateway: Gateway,
}

#[tonic::async_trait]
impl RepService for Reps {
    async fn create_rep(
        &self,
        request: Request<CreateRepRequest>,
    ) -> Result<Response<CreateRepResponse>, Status> {
        let answer = self.gateway.unary(request, Call::CreateRep).await?;
        let Answer::CreateRep(answer) = answer else { return Err(status::internal()) };
        Ok(Response::new(answer))
    }

    async fn get_rep(
        &self,
        request: Request<GetRepRequest>,
    ) -> Result<Response<GetRepResponse>, Status> {
        let time = Deadline::of(&request);
        let mut wrong = Violations::default();
        let named = wrong.take("name", names::rep(&request.get_ref().name));
        let (team, rep) = reads::checked(wrong, named)?;
        let of = team.clone();
        let look = move |state: &State, at: ReadAt| Ok((state.rep(&of, &rep)?, at.now));
        let (found, now) = reads::read(self.gateway.replica(), time, &team, look).await?;
        reads::fitting(GetRepResponse { rep: Some(convert::rep(&team, found, now)) })
    }

    async fn list_reps(
        &self,
        request: Request<ListRepsRequest>,
    ) -> Result<Response<ListRepsResponse>, Status> {
        let time = Deadline::of(&request);
        let ListRepsRequest { parent, page_size, page_token } = request.into_inner();
        let mut wrong = Violations::default();
        let team = wrong.take("parent", names::team(&parent));
        let size = wrong.take("page_size", paging::size(page_size));
        let after = paging::after(&page_token, |token| names::id(token).ok());
        let after = wrong.take("page_token", after);
        let ((team, size), after) = reads::checked(wrong, team.zip(size).zip(after))?;
        let of = team.clone();
        let look = move |state: &State, at: ReadAt| {
            Ok((state.reps(&of, after.as_ref(), size + 1)?, at.now))
        };
        let (found, now) = reads::read(self.gateway.replica(), time, &team, look).await?;
        let (reps, next_page_token) = paging::page(
            found,
            size,
            |r| r.id.as_str().to_owned(),
            |r| convert::rep(&team, r, now),
        );
        reads::fitting(ListRepsResponse { reps, next_page_token })
    }

    async fn delete_rep(
        &self,
        request: Request<DeleteRepRequest>,
    ) -> Result<Response<DeleteRepResponse>, Status> {
        let answer = self.gateway.unary(request, Call::DeleteRep).await?;
        let Answer::DeleteRep(answer) = answer else { return Err(status::internal()) };
        Ok(Response::new(answer))
    }

    async fn set_out_of_office(
        &self,
        request: Request<SetOutOfOfficeRequest>,
    ) -> Result<Response<SetOutOfOfficeResponse>, Status> {
        let answer = self.gateway.unary(request, Call::SetOutOfOffice).await?;
        let Answer::SetOutOfOffice(answer) = answer else { return Err(status::internal()) };
        Ok(Response::new(answer))
    }

    async fn clear_out_of_office(
        &self,
        request: Request<ClearOutOfOfficeRequest>,
    ) -> Result<Response<ClearOutOfOfficeResponse>, Status> {
        let answer = self.gateway.unary(request, Call::ClearOutOfOffice).await?;
        let Answer::ClearOutOfOffice(answer) = answer else { return Err(status::internal()) };
        Ok(Response::new(answer))
    }
}
