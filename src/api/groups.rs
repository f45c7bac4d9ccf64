//! `GroupService`: groups, where their rings stand, and how fair they were.

use tonic::{Request, Response, Status};

use crate::{
    proto::turnwise::v1::{
        AddGroupMemberRequest, AddGroupMemberResponse, AdjustRotationRequest,
        AdjustRotationResponse, CreateGroupRequest, CreateGroupResponse, DeleteGroupRequest,
        DeleteGroupResponse, GetGroupReportRequest, GetGroupReportResponse, GetGroupRequest,
        GetGroupResponse, GetRotationRequest, GetRotationResponse, Group, GroupKind,
        ListGroupMembersRequest, ListGroupMembersResponse, ListGroupsRequest, ListGroupsResponse,
        ListRotationsRequest, ListRotationsResponse, RemoveGroupMemberRequest,
        RemoveGroupMemberResponse, ReorderGroupRequest, ReorderGroupResponse, ResetRotationRequest,
        ResetRotationResponse, Rotation, Strategy, UpdateGroupMemberRequest,
        UpdateGroupMemberResponse, UpdateGroupRequest, UpdateGroupResponse,
        group_service_server::GroupService,
    },
    replica::ReadAt,
    routing::{CampaignId, GroupId, Reading, RotationView, State},
};

use super::{
    Gateway,
    authenticate::Caller,
    convert,
    filter::{self, Filter},
    gateway::change,
    instant,
    limits::{LISTED_NEXT_COUNT_MAX, NEXT_COUNT_DEFAULT, NEXT_COUNT_MAX},
    names,
    paging::{self, Asked},
    reads,
    violations::Violations,
};

#[derive(Debug)]
pub(super) struct Groups {
    pub(super) gateway: Gateway,
}

/// What a list of groups may be filtered by.
const FIELDS: &[&str] = &["display_name", "kind", "strategy", "labels."];

fn value(group: &Group, field: &str) -> Option<String> {
    match field {
        "display_name" => Some(group.display_name.clone()),
        "kind" => {
            let kind = GroupKind::try_from(group.kind).ok()?;
            filter::value(kind.as_str_name(), "GROUP_KIND_")
        }
        "strategy" => {
            let strategy = Strategy::try_from(group.strategy).ok()?;
            filter::value(strategy.as_str_name(), "STRATEGY_")
        }
        label => filter::label(label, &group.labels),
    }
}

/// A page token of members: the key of the last one, which nobody gets again.
fn member_key(token: &str) -> Option<u64> {
    token.parse().ok().filter(|key: &u64| *key > 0 && key.to_string() == token)
}

/// What a list of rotations may be filtered by.
const ROTATION_FIELDS: &[&str] = &["campaign"];

fn rotation_value(rotation: &Rotation, field: &str) -> Option<String> {
    (field == "campaign").then(|| rotation.campaign.clone())
}

#[tonic::async_trait]
impl GroupService for Groups {
    async fn create_group(
        &self,
        request: Request<CreateGroupRequest>,
    ) -> Result<Response<CreateGroupResponse>, Status> {
        change!(self, request, CreateGroup)
    }

    async fn get_group(
        &self,
        request: Request<GetGroupRequest>,
    ) -> Result<Response<GetGroupResponse>, Status> {
        let caller = Caller::of(&request)?;
        let mut wrong = Violations::default();
        let named = wrong.take("name", names::group(&request.get_ref().name));
        let (team, group) = reads::checked(wrong, named)?;
        let of = team.clone();
        let look = move |state: State, _: ReadAt| state.group(&of, &group);
        let found =
            reads::on_copy(self.gateway.replica(), caller, Reading::Team, &team, look).await?;
        reads::fitting(GetGroupResponse { group: Some(convert::group(&team, found)) })
    }

    async fn list_groups(
        &self,
        request: Request<ListGroupsRequest>,
    ) -> Result<Response<ListGroupsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let r = request.into_inner();
        let asked = Asked::read(&r.parent, r.page_size, &r.page_token, &r.filter, FIELDS)?;
        let Asked { team, after, size, filter } = asked;
        let of = team.clone();
        let look = move |state: State, _: ReadAt| {
            paging::scan(
                after,
                size,
                |after, limit| state.groups(&of, after, limit),
                |group| group.id.clone(),
                GroupId::to_string,
                |group| convert::group(&of, group),
                |group| filter.keeps(|field| value(group, field)),
            )
        };
        let (groups, next_page_token) =
            reads::on_copy(self.gateway.replica(), caller, Reading::Team, &team, look).await?;
        reads::fitting(ListGroupsResponse { groups, next_page_token })
    }

    async fn list_group_members(
        &self,
        request: Request<ListGroupMembersRequest>,
    ) -> Result<Response<ListGroupMembersResponse>, Status> {
        let caller = Caller::of(&request)?;
        let r = request.into_inner();
        let mut wrong = Violations::default();
        let named = wrong.take("parent", names::group(&r.parent));
        let size = wrong.take("page_size", paging::size(r.page_size));
        let after = wrong.take("page_token", paging::after(&r.page_token, member_key));
        let built = named.zip(size.zip(after));
        let ((team, group), (size, after)) = reads::checked(wrong, built)?;
        let of = team.clone();
        let look = move |state: State, _: ReadAt| {
            paging::scan(
                after,
                size,
                |after, limit| state.group_members(&of, &group, after.copied(), limit),
                |member| member.key,
                u64::to_string,
                |member| convert::member(&of, member),
                |_| true,
            )
        };
        let (members, next_page_token) =
            reads::on_copy(self.gateway.replica(), caller, Reading::Team, &team, look).await?;
        reads::fitting(ListGroupMembersResponse { members, next_page_token })
    }

    async fn update_group(
        &self,
        request: Request<UpdateGroupRequest>,
    ) -> Result<Response<UpdateGroupResponse>, Status> {
        change!(self, request, UpdateGroup)
    }

    async fn delete_group(
        &self,
        request: Request<DeleteGroupRequest>,
    ) -> Result<Response<DeleteGroupResponse>, Status> {
        change!(self, request, DeleteGroup)
    }

    async fn add_group_member(
        &self,
        request: Request<AddGroupMemberRequest>,
    ) -> Result<Response<AddGroupMemberResponse>, Status> {
        change!(self, request, AddGroupMember)
    }

    async fn remove_group_member(
        &self,
        request: Request<RemoveGroupMemberRequest>,
    ) -> Result<Response<RemoveGroupMemberResponse>, Status> {
        change!(self, request, RemoveGroupMember)
    }

    async fn update_group_member(
        &self,
        request: Request<UpdateGroupMemberRequest>,
    ) -> Result<Response<UpdateGroupMemberResponse>, Status> {
        change!(self, request, UpdateGroupMember)
    }

    async fn reorder_group(
        &self,
        request: Request<ReorderGroupRequest>,
    ) -> Result<Response<ReorderGroupResponse>, Status> {
        change!(self, request, ReorderGroup)
    }

    async fn get_rotation(
        &self,
        request: Request<GetRotationRequest>,
    ) -> Result<Response<GetRotationResponse>, Status> {
        let caller = Caller::of(&request)?;
        let GetRotationRequest { name, next_count } = request.into_inner();
        let mut wrong = Violations::default();
        let named = wrong.take("name", names::rotation(&name));
        let next = paging::count(next_count, NEXT_COUNT_DEFAULT, NEXT_COUNT_MAX);
        let next = wrong.take("next_count", next);
        let ((team, group, campaign), next) = reads::checked(wrong, named.zip(next))?;
        let of = team.clone();
        let look = move |state: State, at: ReadAt| {
            let found = state.rotation(&of, &group, campaign.as_ref(), next, at.now)?;
            Ok((found, at.applied_index))
        };
        let (found, index) =
            reads::on_copy(self.gateway.replica(), caller, Reading::Team, &team, look).await?;
        let rotation = Some(convert::rotation(&team, found, index));
        reads::fitting(GetRotationResponse { rotation })
    }

    async fn list_rotations(
        &self,
        request: Request<ListRotationsRequest>,
    ) -> Result<Response<ListRotationsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let r = request.into_inner();
        let mut wrong = Violations::default();
        let named = wrong.take("parent", names::group(&r.parent));
        let size = wrong.take("page_size", paging::size(r.page_size));
        let after = paging::after(&r.page_token, |token| names::rotation_id(token).ok());
        let after = wrong.take("page_token", after);
        let next = paging::count(r.next_count, 0, LISTED_NEXT_COUNT_MAX);
        let next = wrong.take("next_count", next);
        let filter = wrong.take("filter", Filter::read(&r.filter, ROTATION_FIELDS));
        let built = named.zip(size).zip(after.zip(next.zip(filter)));
        let (((team, group), size), (after, (next, filter))) = reads::checked(wrong, built)?;
        let of = team.clone();
        let look = move |state: State, at: ReadAt| {
            paging::scan(
                after,
                size,
                |after: Option<&Option<CampaignId>>, limit| {
                    let found = state.rotations(&of, &group, after, limit, at.now)?;
                    let with_next = |rotation: RotationView| {
                        let campaign = rotation.campaign.as_ref();
                        state.rotation(&of, &group, campaign, next, at.now)
                    };
                    if next == 0 { Ok(found) } else { found.into_iter().map(with_next).collect() }
                },
                |rotation| rotation.campaign.clone(),
                |campaign| names::rotation_id_name(campaign.as_ref()).to_owned(),
                |rotation| convert::rotation(&of, rotation, at.applied_index),
                |rotation| filter.keeps(|field| rotation_value(rotation, field)),
            )
        };
        let (rotations, next_page_token) =
            reads::on_copy(self.gateway.replica(), caller, Reading::Team, &team, look).await?;
        reads::fitting(ListRotationsResponse { rotations, next_page_token })
    }

    async fn reset_rotation(
        &self,
        request: Request<ResetRotationRequest>,
    ) -> Result<Response<ResetRotationResponse>, Status> {
        change!(self, request, ResetRotation)
    }

    async fn adjust_rotation(
        &self,
        request: Request<AdjustRotationRequest>,
    ) -> Result<Response<AdjustRotationResponse>, Status> {
        change!(self, request, AdjustRotation)
    }

    async fn get_group_report(
        &self,
        request: Request<GetGroupReportRequest>,
    ) -> Result<Response<GetGroupReportResponse>, Status> {
        let caller = Caller::of(&request)?;
        let r = request.into_inner();
        let mut wrong = Violations::default();
        let named = wrong.take("name", names::group(&r.name));
        let since = r.since.as_ref().map(instant::time).transpose();
        let since = wrong.take("since", since);
        let ((team, group), since) = reads::checked(wrong, named.zip(since))?;
        let of = team.clone();
        let look = move |state: State, at: ReadAt| {
            Ok((state.report(&of, &group, since)?, at.applied_index))
        };
        let (found, index) =
            reads::on_copy(self.gateway.replica(), caller, Reading::Team, &team, look).await?;
        let report = Some(convert::report(&team, found, index));
        reads::fitting(GetGroupReportResponse { report })
    }
}
