//! `TeamService`.

use tonic::{Request, Response, Status};

use crate::{
    proto::turnwise::v1::{
        CreateTeamRequest, CreateTeamResponse, DeleteTeamRequest, DeleteTeamResponse,
        GetTeamRequest, GetTeamResponse, ListTeamsRequest, ListTeamsResponse, Team,
        UpdateTeamRequest, UpdateTeamResponse, team_service_server::TeamService,
    },
    routing::{Reading, State, TeamId},
};

use super::{
    Gateway,
    authenticate::Caller,
    convert,
    filter::{self, Filter},
    gateway::change,
    names, paging, reads,
    violations::Violations,
};

#[derive(Debug)]
pub(super) struct Teams {
    pub(super) gateway: Gateway,
}

/// What a list may be filtered by.
const FIELDS: &[&str] = &["display_name", "labels."];

fn value(team: &Team, field: &str) -> Option<String> {
    match field {
        "display_name" => Some(team.display_name.clone()),
        label => filter::label(label, &team.labels),
    }
}

#[tonic::async_trait]
impl TeamService for Teams {
    async fn create_team(
        &self,
        request: Request<CreateTeamRequest>,
    ) -> Result<Response<CreateTeamResponse>, Status> {
        change!(self, request, CreateTeam)
    }

    async fn get_team(
        &self,
        request: Request<GetTeamRequest>,
    ) -> Result<Response<GetTeamResponse>, Status> {
        let caller = Caller::of(&request)?;
        let mut wrong = Violations::default();
        let team = wrong.take("name", names::team(&request.get_ref().name));
        let team = reads::checked(wrong, team)?;
        let id = team.clone();
        let look = move |state: &State, _| state.team(&id);
        let found = reads::read(self.gateway.replica(), caller, Reading::Team, &team, look).await?;
        reads::fitting(GetTeamResponse { team: Some(convert::team(found)) })
    }

    async fn list_teams(
        &self,
        request: Request<ListTeamsRequest>,
    ) -> Result<Response<ListTeamsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let r = request.into_inner();
        let mut wrong = Violations::default();
        let size = wrong.take("page_size", paging::size(r.page_size));
        let after = paging::after(&r.page_token, |token| names::id(token).ok());
        let after = wrong.take("page_token", after);
        let filter = wrong.take("filter", Filter::read(&r.filter, FIELDS));
        let (size, (after, filter)) = reads::checked(wrong, size.zip(after.zip(filter)))?;
        let look = move |state: State, _| {
            paging::scan(
                after,
                size,
                |after, limit| Ok(state.teams(after, limit)),
                |team| team.id.clone(),
                TeamId::to_string,
                convert::team,
                |team| filter.keeps(|field| value(team, field)),
            )
        };
        // No rejection names a team here: a list of all has no parent.
        let none = TeamId::new("-");
        let (teams, next_page_token) =
            reads::on_copy(self.gateway.replica(), caller, Reading::Cluster, &none, look).await?;
        reads::fitting(ListTeamsResponse { teams, next_page_token })
    }

    async fn update_team(
        &self,
        request: Request<UpdateTeamRequest>,
    ) -> Result<Response<UpdateTeamResponse>, Status> {
        change!(self, request, UpdateTeam)
    }

    async fn delete_team(
        &self,
        request: Request<DeleteTeamRequest>,
    ) -> Result<Response<DeleteTeamResponse>, Status> {
        change!(self, request, DeleteTeam)
    }
}
