//! `TeamService`.

use tonic::{Request, Response, Status};

use crate::proto::turnwise::v1::{
    CreateTeamRequest, CreateTeamResponse, GetTeamRequest, GetTeamResponse, ListTeamsRequest,
    ListTeamsResponse, team_service_server::TeamService,
};

use super::{
    Answer, Call, Gateway, convert, deadline::Deadline, names, paging, reads, status,
    violations::Violations,
};

#[derive(Debug)]
pub(super) struct Teams {
    pub(super) gateway: Gateway,
}

#[tonic::async_trait]
impl TeamService for Teams {
    async fn create_team(
        &self,
        request: Request<CreateTeamRequest>,
    ) -> Result<Response<CreateTeamResponse>, Status> {
        let answer = self.gateway.unary(request, Call::CreateTeam).await?;
        let Answer::CreateTeam(answer) = answer else { return Err(status::internal()) };
        Ok(Response::new(answer))
    }

    async fn get_team(
        &self,
        request: Request<GetTeamRequest>,
    ) -> Result<Response<GetTeamResponse>, Status> {
        let time = Deadline::of(&request);
        let mut wrong = Violations::default();
        let team = wrong.take("name", names::team(&request.get_ref().name));
        let team = reads::checked(wrong, team)?;
        let id = team.clone();
        let look = move |state: &crate::routing::State, _| state.team(&id);
        let found = reads::read(self.gateway.replica(), time, &team, look).await?;
        reads::fitting(GetTeamResponse { team: Some(convert::team(found)) })
    }

    async fn list_teams(
        &self,
        request: Request<ListTeamsRequest>,
    ) -> Result<Response<ListTeamsResponse>, Status> {
        let time = Deadline::of(&request);
        let ListTeamsRequest { page_size, page_token } = request.into_inner();
        let mut wrong = Violations::default();
        let size = wrong.take("page_size", paging::size(page_size));
        let after = paging::after(&page_token, |token| names::id(token).ok());
        let after = wrong.take("page_token", after);
        let (size, after) = reads::checked(wrong, size.zip(after))?;
        let look = move |state: &crate::routing::State, _| state.teams(after.as_ref(), size + 1);
        let read = self.gateway.replica().read(look);
        let found = time.or_late(read).await.flatten().map_err(status::unavailable)?;
        let (teams, next_page_token) =
            paging::page(found, size, |t| t.id.as_str().to_owned(), convert::team);
        reads::fitting(ListTeamsResponse { teams, next_page_token })
    }
}
