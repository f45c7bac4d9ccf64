//! The calls there are: for each request its answer and its path, and whether it changes anything.

use crate::proto::turnwise::v1::*;

/// A request of the public API that is answered once.
pub trait Call: prost::Message + Clone + Default + 'static {
    /// What it is answered with.
    type Answer: prost::Message + Default + 'static;
    /// `/package.Service/Method`.
    const PATH: &'static str;

    /// The request id, of a call that changes something.
    fn request_id(&mut self) -> Option<&mut String> {
        None
    }
}

// A table reads better than sixty times the same eight lines, and a generic cannot name a field.
macro_rules! calls {
    ($($service:literal { $($verb:literal $request:ident -> $answer:ident $($id:ident)?;)* })*) => {
        $($(impl Call for $request {
            type Answer = $answer;
            const PATH: &'static str = concat!("/turnwise.v1.", $service, "/", $verb);
            $(fn request_id(&mut self) -> Option<&mut String> {
                Some(&mut self.$id)
            })?
        })*)*
    };
}

calls! {
    "TeamService" {
        "CreateTeam" CreateTeamRequest -> CreateTeamResponse request_id;
        "GetTeam" GetTeamRequest -> GetTeamResponse;
        "ListTeams" ListTeamsRequest -> ListTeamsResponse;
        "UpdateTeam" UpdateTeamRequest -> UpdateTeamResponse request_id;
        "DeleteTeam" DeleteTeamRequest -> DeleteTeamResponse request_id;
    }
    "TokenService" {
        "CreateToken" CreateTokenRequest -> CreateTokenResponse request_id;
        "GetToken" GetTokenRequest -> GetTokenResponse;
        "ListTokens" ListTokensRequest -> ListTokensResponse;
        "UpdateToken" UpdateTokenRequest -> UpdateTokenResponse request_id;
        "DeleteToken" DeleteTokenRequest -> DeleteTokenResponse request_id;
    }
    "RepService" {
        "CreateRep" CreateRepRequest -> CreateRepResponse request_id;
        "GetRep" GetRepRequest -> GetRepResponse;
        "ListReps" ListRepsRequest -> ListRepsResponse;
        "UpdateRep" UpdateRepRequest -> UpdateRepResponse request_id;
        "DeleteRep" DeleteRepRequest -> DeleteRepResponse request_id;
        "SetOutOfOffice" SetOutOfOfficeRequest -> SetOutOfOfficeResponse request_id;
        "ClearOutOfOffice" ClearOutOfOfficeRequest -> ClearOutOfOfficeResponse request_id;
        "SetPresence" SetPresenceRequest -> SetPresenceResponse request_id;
    }
    "GroupService" {
        "CreateGroup" CreateGroupRequest -> CreateGroupResponse request_id;
        "GetGroup" GetGroupRequest -> GetGroupResponse;
        "ListGroups" ListGroupsRequest -> ListGroupsResponse;
        "ListGroupMembers" ListGroupMembersRequest -> ListGroupMembersResponse;
        "UpdateGroup" UpdateGroupRequest -> UpdateGroupResponse request_id;
        "DeleteGroup" DeleteGroupRequest -> DeleteGroupResponse request_id;
        "AddGroupMember" AddGroupMemberRequest -> AddGroupMemberResponse request_id;
        "RemoveGroupMember" RemoveGroupMemberRequest -> RemoveGroupMemberResponse request_id;
        "UpdateGroupMember" UpdateGroupMemberRequest -> UpdateGroupMemberResponse request_id;
        "ReorderGroup" ReorderGroupRequest -> ReorderGroupResponse request_id;
        "GetRotation" GetRotationRequest -> GetRotationResponse;
        "ListRotations" ListRotationsRequest -> ListRotationsResponse;
        "ResetRotation" ResetRotationRequest -> ResetRotationResponse request_id;
        "AdjustRotation" AdjustRotationRequest -> AdjustRotationResponse request_id;
        "GetGroupReport" GetGroupReportRequest -> GetGroupReportResponse;
    }
    "RoutingRuleService" {
        "CreateRoutingRule" CreateRoutingRuleRequest -> CreateRoutingRuleResponse request_id;
        "GetRoutingRule" GetRoutingRuleRequest -> GetRoutingRuleResponse;
        "ListRoutingRules" ListRoutingRulesRequest -> ListRoutingRulesResponse;
        "UpdateRoutingRule" UpdateRoutingRuleRequest -> UpdateRoutingRuleResponse request_id;
        "DeleteRoutingRule" DeleteRoutingRuleRequest -> DeleteRoutingRuleResponse request_id;
    }
    "CampaignService" {
        "CreateCampaign" CreateCampaignRequest -> CreateCampaignResponse request_id;
        "GetCampaign" GetCampaignRequest -> GetCampaignResponse;
        "ListCampaigns" ListCampaignsRequest -> ListCampaignsResponse;
        "UpdateCampaign" UpdateCampaignRequest -> UpdateCampaignResponse request_id;
        "ScheduleCampaign" ScheduleCampaignRequest -> ScheduleCampaignResponse request_id;
        "LaunchCampaign" LaunchCampaignRequest -> LaunchCampaignResponse request_id;
        "PauseCampaign" PauseCampaignRequest -> PauseCampaignResponse request_id;
        "ResumeCampaign" ResumeCampaignRequest -> ResumeCampaignResponse request_id;
        "CancelCampaign" CancelCampaignRequest -> CancelCampaignResponse request_id;
        "DeleteCampaign" DeleteCampaignRequest -> DeleteCampaignResponse request_id;
    }
    "RoutingService" {
        "AssignContact" AssignContactRequest -> AssignContactResponse request_id;
        "BatchAssignContacts" BatchAssignContactsRequest -> BatchAssignContactsResponse request_id;
        "PreviewAssignContact" PreviewAssignContactRequest -> PreviewAssignContactResponse;
        "GetAssignment" GetAssignmentRequest -> GetAssignmentResponse;
        "ListAssignments" ListAssignmentsRequest -> ListAssignmentsResponse;
        "ExplainAssignment" ExplainAssignmentRequest -> ExplainAssignmentResponse;
        "AcceptAssignment" AcceptAssignmentRequest -> AcceptAssignmentResponse request_id;
        "RejectAssignment" RejectAssignmentRequest -> RejectAssignmentResponse request_id;
        "ClaimAssignment" ClaimAssignmentRequest -> ClaimAssignmentResponse request_id;
        "ReassignAssignment" ReassignAssignmentRequest -> ReassignAssignmentResponse request_id;
        "UnassignAssignment" UnassignAssignmentRequest -> UnassignAssignmentResponse request_id;
        "CloseAssignment" CloseAssignmentRequest -> CloseAssignmentResponse request_id;
        "CancelAssignment" CancelAssignmentRequest -> CancelAssignmentResponse request_id;
    }
    "EventService" {
        "ListEvents" ListEventsRequest -> ListEventsResponse;
    }
    "ClusterService" {
        "GetCluster" GetClusterRequest -> GetClusterResponse;
        "TransferLeader" TransferLeaderRequest -> TransferLeaderResponse;
        "CreateJoinToken" CreateJoinTokenRequest -> CreateJoinTokenResponse;
        "RemoveMember" RemoveMemberRequest -> RemoveMemberResponse;
    }
}
