//! `CampaignService`.

use tonic::{Request, Response, Status};

use crate::{
    proto::turnwise::v1::{
        Campaign, CampaignState, CancelCampaignRequest, CancelCampaignResponse,
        CreateCampaignRequest, CreateCampaignResponse, DeleteCampaignRequest,
        DeleteCampaignResponse, GetCampaignRequest, GetCampaignResponse, LaunchCampaignRequest,
        LaunchCampaignResponse, ListCampaignsRequest, ListCampaignsResponse, PauseCampaignRequest,
        PauseCampaignResponse, ResumeCampaignRequest, ResumeCampaignResponse,
        ScheduleCampaignRequest, ScheduleCampaignResponse, UpdateCampaignRequest,
        UpdateCampaignResponse, campaign_service_server::CampaignService,
    },
    replica::ReadAt,
    routing::{CampaignId, Reading, State},
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
pub(super) struct Campaigns {
    pub(super) gateway: Gateway,
}

/// What a list may be filtered by.
const FIELDS: &[&str] = &["display_name", "state", "routing_rule", "labels."];

fn value(campaign: &Campaign, field: &str) -> Option<String> {
    match field {
        "display_name" => Some(campaign.display_name.clone()),
        "state" => {
            let state = CampaignState::try_from(campaign.state).ok()?;
            filter::value(state.as_str_name(), "CAMPAIGN_STATE_")
        }
        "routing_rule" => Some(campaign.routing_rule.clone()),
        label => filter::label(label, &campaign.labels),
    }
}

#[tonic::async_trait]
impl CampaignService for Campaigns {
    async fn create_campaign(
        &self,
        request: Request<CreateCampaignRequest>,
    ) -> Result<Response<CreateCampaignResponse>, Status> {
        change!(self, request, CreateCampaign)
    }

    async fn get_campaign(
        &self,
        request: Request<GetCampaignRequest>,
    ) -> Result<Response<GetCampaignResponse>, Status> {
        let caller = Caller::of(&request)?;
        let mut wrong = Violations::default();
        let named = wrong.take("name", names::campaign(&request.get_ref().name));
        let (team, campaign) = reads::checked(wrong, named)?;
        let of = team.clone();
        let look = move |state: &State, _: ReadAt| state.campaign(&of, &campaign);
        let (found, warnings) =
            reads::read(self.gateway.replica(), caller, Reading::Team, &team, look).await?;
        let campaign = Some(convert::campaign(&team, found, &warnings));
        reads::fitting(GetCampaignResponse { campaign })
    }

    async fn list_campaigns(
        &self,
        request: Request<ListCampaignsRequest>,
    ) -> Result<Response<ListCampaignsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let r = request.into_inner();
        let asked = Asked::read(&r.parent, r.page_size, &r.page_token, &r.filter, FIELDS)?;
        let Asked { team, after, size, filter } = asked;
        let of = team.clone();
        let look = move |state: State, _: ReadAt| {
            paging::scan(
                after,
                size,
                |after, limit| state.campaigns(&of, after, limit),
                |(campaign, _)| campaign.id.clone(),
                CampaignId::to_string,
                |(campaign, warnings)| convert::campaign(&of, campaign, &warnings),
                |campaign| filter.keeps(|field| value(campaign, field)),
            )
        };
        let (campaigns, next_page_token) =
            reads::on_copy(self.gateway.replica(), caller, Reading::Team, &team, look).await?;
        reads::fitting(ListCampaignsResponse { campaigns, next_page_token })
    }

    async fn update_campaign(
        &self,
        request: Request<UpdateCampaignRequest>,
    ) -> Result<Response<UpdateCampaignResponse>, Status> {
        change!(self, request, UpdateCampaign)
    }

    async fn delete_campaign(
        &self,
        request: Request<DeleteCampaignRequest>,
    ) -> Result<Response<DeleteCampaignResponse>, Status> {
        change!(self, request, DeleteCampaign)
    }

    async fn schedule_campaign(
        &self,
        request: Request<ScheduleCampaignRequest>,
    ) -> Result<Response<ScheduleCampaignResponse>, Status> {
        change!(self, request, ScheduleCampaign)
    }

    async fn launch_campaign(
        &self,
        request: Request<LaunchCampaignRequest>,
    ) -> Result<Response<LaunchCampaignResponse>, Status> {
        change!(self, request, LaunchCampaign)
    }

    async fn pause_campaign(
        &self,
        request: Request<PauseCampaignRequest>,
    ) -> Result<Response<PauseCampaignResponse>, Status> {
        change!(self, request, PauseCampaign)
    }

    async fn resume_campaign(
        &self,
        request: Request<ResumeCampaignRequest>,
    ) -> Result<Response<ResumeCampaignResponse>, Status> {
        change!(self, request, ResumeCampaign)
    }

    async fn cancel_campaign(
        &self,
        request: Request<CancelCampaignRequest>,
    ) -> Result<Response<CancelCampaignResponse>, Status> {
        change!(self, request, CancelCampaign)
    }
}
