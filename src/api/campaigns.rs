//! `CampaignService`.

use tonic::{Request, Response, Status};

use crate::{
    proto::turnwise::v1::{
        CancelCampaignRequest, CancelCampaignResponse, CreateCampaignRequest,
        CreateCampaignResponse, GetCampaignRequest, GetCampaignResponse, LaunchCampaignRequest,
        LaunchCampaignResponse, ListCampaignsRequest, ListCampaignsResponse, PauseCampaignRequest,
        PauseCampaignResponse, ResumeCampaignRequest, ResumeCampaignResponse,
        UpdateCampaignRequest, UpdateCampaignResponse, campaign_service_server::CampaignService,
    },
    replica::ReadAt,
    routing::State,
};

use super::{
    Answer, Call, Gateway, convert, deadline::Deadline, names, paging, reads, status,
    violations::Violations,
};

#[derive(Debug)]
pub(super) struct Campaigns {
    pub(super) gateway: Gateway,
}

#[tonic::async_trait]
impl CampaignService for Campaigns {
    async fn create_campaign(
        &self,
        request: Request<CreateCampaignRequest>,
    ) -> Result<Response<CreateCampaignResponse>, Status> {
        let answer = self.gateway.unary(request, Call::CreateCampaign).await?;
        let Answer::CreateCampaign(answer) = answer else { return Err(status::internal()) };
        Ok(Response::new(answer))
    }

    async fn get_campaign(
        &self,
        request: Request<GetCampaignRequest>,
    ) -> Result<Response<GetCampaignResponse>, Status> {
        let time = Deadline::of(&request);
        let mut wrong = Violations::default();
        let named = wrong.take("name", names::campaign(&request.get_ref().name));
        let (team, campaign) = reads::checked(wrong, named)?;
        let of = team.clone();
        let look = move |state: &State, _: ReadAt| state.campaign(&of, &campaign);
        let (found, warnings) = reads::read(self.gateway.replica(), time, &team, look).await?;
        let campaign = Some(convert::campaign(&team, found, &warnings));
        reads::fitting(GetCampaignResponse { campaign })
    }

    async fn list_campaigns(
        &self,
        request: Request<ListCampaignsRequest>,
    ) -> Result<Response<ListCampaignsResponse>, Status> {
        let time = Deadline::of(&request);
        let ListCampaignsRequest { parent, page_size, page_token } = request.into_inner();
        let mut wrong = Violations::default();
        let team = wrong.take("parent", names::team(&parent));
        let size = wrong.take("page_size", paging::size(page_size));
        let after = paging::after(&page_token, |token| names::id(token).ok());
        let after = wrong.take("page_token", after);
        let ((team, size), after) = reads::checked(wrong, team.zip(size).zip(after))?;
        let of = team.clone();
        let look = move |state: &State, _: ReadAt| state.campaigns(&of, after.as_ref(), size + 1);
        let found = reads::read(self.gateway.replica(), time, &team, look).await?;
        let (campaigns, next_page_token) = paging::page(
            found,
            size,
            |(c, _)| c.id.as_str().to_owned(),
            |(c, warnings)| convert::campaign(&team, c, &warnings),
        );
        reads::fitting(ListCampaignsResponse { campaigns, next_page_token })
    }

    async fn update_campaign(
        &self,
        request: Request<UpdateCampaignRequest>,
    ) -> Result<Response<UpdateCampaignResponse>, Status> {
        let answer = self.gateway.unary(request, Call::UpdateCampaign).await?;
        let Answer::UpdateCampaign(answer) = answer else { return Err(status::internal()) };
        Ok(Response::new(answer))
    }

    async fn launch_campaign(
        &self,
        request: Request<LaunchCampaignRequest>,
    ) -> Result<Response<LaunchCampaignResponse>, Status> {
        let answer = self.gateway.unary(request, Call::LaunchCampaign).await?;
        let Answer::LaunchCampaign(answer) = answer else { return Err(status::internal()) };
        Ok(Response::new(answer))
    }

    async fn pause_campaign(
        &self,
        request: Request<PauseCampaignRequest>,
    ) -> Result<Response<PauseCampaignResponse>, Status> {
        let answer = self.gateway.unary(request, Call::PauseCampaign).await?;
        let Answer::PauseCampaign(answer) = answer else { return Err(status::internal()) };
        Ok(Response::new(answer))
    }

    async fn resume_campaign(
        &self,
        request: Request<ResumeCampaignRequest>,
    ) -> Result<Response<ResumeCampaignResponse>, Status> {
        let answer = self.gateway.unary(request, Call::ResumeCampaign).await?;
        let Answer::ResumeCampaign(answer) = answer else { return Err(status::internal()) };
        Ok(Response::new(answer))
    }

    async fn cancel_campaign(
        &self,
        request: Request<CancelCampaignRequest>,
    ) -> Result<Response<CancelCampaignResponse>, Status> {
        let answer = self.gateway.unary(request, Call::CancelCampaign).await?;
        let Answer::CancelCampaign(answer) = answer else { return Err(status::internal()) };
        Ok(Response::new(answer))
    }
}
