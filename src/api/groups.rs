//! `GroupService`.

use tonic::{Request, Response, Status};

use crate::{
    proto::turnwise::v1::{
        AddGroupMemberRequest, AddGroupMemberResponse, CreateGroupRequest, CreateGroupResponse,
        DeleteGroupRequest, DeleteGroupResponse, GetGroupRequest, GetGroupResponse,
        GetRotationRequest, GetRotationResponse, ListGroupsRequest, ListGroupsResponse,
        RemoveGroupMemberRequest, RemoveGroupMemberResponse, group_service_server::GroupService,
    },
    replica::ReadAt,
    routing::State,
};

use super::{
    Answer, Call, Gateway, convert,
    deadline::Deadline,
    limits::{NEXT_COUNT_DEFAULT, NEXT_COUNT_MAX},
    names, paging, reads, status,
    violations::Violations,
};

#[derive(Debug)]
pub(super) struct Groups {
    pub(super) gateway: Gateway,
}

#[tonic::async_trait]
impl GroupService for Groups {
    async fn create_group(
        &self,
        request: Request<CreateGroupRequest>,
    ) -> Result<Response<CreateGroupResponse>, Status> {
        let answer = self.gateway.unary(request, Call::CreateGroup).await?;
        let Answer::CreateGroup(answer) = answer else { return Err(status::internal()) };
        Ok(Response::new(answer))
    }

    async fn get_group(
        &self,
        request: Request<GetGroupRequest>,
    ) -> Result<Response<GetGroupResponse>, Status> {
        let time = Deadline::of(&request);
        let mut wrong = Violations::default();
        let named = wrong.take("name", names::group(&request.get_ref().name));
        let (team, group) = reads::checked(wrong, named)?;
        let of = team.clone();
        let look = move |state: &State, _: ReadAt| state.group(&of, &group);
        let found = reads::read(self.gateway.replica(), time, &team, look).await?;
        reads::fitting(GetGroupResponse { group: Some(convert::group(&team, found)) })
    }

    async fn list_groups(
        &self,
        request: Request<ListGroupsRequest>,
    ) -> Result<Response<ListGroupsResponse>, Status> {
        let time = Deadline::of(&request);
        let ListGroupsRequest { parent, page_size, page_token } = request.into_inner();
        let mut wrong = Violations::default();
        let team = wrong.take("parent", names::team(&parent));
        let size = wrong.take("page_size", paging::size(page_size));
        let after = paging::after(&page_token, |token| names::id(token).ok());
        let after = wrong.take("page_token", after);
        let ((team, size), after) = reads::checked(wrong, team.zip(size).zip(after))?;
        let of = team.clone();
        let look = move |state: &State, _: ReadAt| state.groups(&of, after.as_ref(), size + 1);
        let found = reads::read(self.gateway.replica(), time, &team, look).await?;
        let (groups, next_page_token) =
            paging::page(found, size, |g| g.id.as_str().to_owned(), |g| convert::group(&team, g));
        reads::fitting(ListGroupsResponse { groups, next_page_token })
    }

    async fn delete_group(
        &self,
        request: Request<DeleteGroupRequest>,
    ) -> Result<Response<DeleteGroupResponse>, Status> {
        let answer = self.gateway.unary(request, Call::DeleteGroup).await?;
        let Answer::DeleteGroup(answer) = answer else { return Err(status::internal()) };
        Ok(Response::new(answer))
    }

    async fn add_group_member(
        &self,
        request: Request<AddGroupMemberRequest>,
    ) -> Result<Response<AddGroupMemberResponse>, Status> {
        let answer = self.gateway.unary(request, Call::AddGroupMember).await?;
        let Answer::AddGroupMember(answer) = answer else { return Err(status::internal()) };
        Ok(Response::new(answer))
    }

    async fn remove_group_member(
        &self,
        request: Request<RemoveGroupMemberRequest>,
    ) -> Result<Response<RemoveGroupMemberResponse>, Status> {
        let answer = self.gateway.unary(request, Call::RemoveGroupMember).await?;
        let Answer::RemoveGroupMember(answer) = answer else { return Err(status::internal()) };
        Ok(Response::new(answer))
    }

    async fn get_rotation(
        &self,
        request: Request<GetRotationRequest>,
    ) -> Result<Response<GetRotationResponse>, Status> {
        let time = Deadline::of(&request);
        let GetRotationRequest { name, next_count } = request.into_inner();
        let mut wrong = Violations::default();
        let named = wrong.take("name", names::rotation(&name));
        let next = paging::count(next_count, NEXT_COUNT_DEFAULT, NEXT_COUNT_MAX);
        let next = wrong.take("next_count", next);
        let ((team, group, campaign), next) = reads::checked(wrong, named.zip(next))?;
        let of = team.clone();
        let look = move |state: &State, at: ReadAt| {
            state.rotation(&of, &group, campaign.as_ref(), next, at.now)
        };
        let found = reads::read(self.gateway.replica(), time, &team, look).await?;
        reads::fitting(GetRotationResponse { rotation: Some(convert::rotation(&team, found)) })
    }
}
