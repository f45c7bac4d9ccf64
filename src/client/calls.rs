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
    }
    "RepService" {
        "CreateRep" CreateRepRequest -> CreateRepResponse request_id;
        "GetRep" GetRepRequest -> GetRepResponse;
        "ListReps" ListRepsRequest -> ListRepsResponse;
        "DeleteRep" DeleteRepRequest -> DeleteRepResponse request_id;
        "SetOutOfOffice" SetOutOfOfficeRequest -> SetOutOfOfficeResponse request_id;
        "ClearOutOfOffice" ClearOutOfOfficeRequest -> ClearOutOfOfficeResponse request_id;
    }
    "GroupService" {
        "CreateGroup" CreateGroupRequest -> CreateGroupResponse request_id;
        "GetGroup" GetGroupRequest -> GetGroupResponse;
        "ListGroups" ListGroupsRequest -> ListGroupsResponse;
        "DeleteGroup" DeleteGroupRequest -> DeleteGroupResponse request_id;
        "AddGroupMember" AddGroupMemberRequest -> AddGroupMemberResponse request_id;
        "RemoveGroupMember" RemoveGroupMemberRequest -> RemoveGroupMemberResponse request_id;
        "GetRotation" GetRotationRequest -> GetRotationResponse;
    }
    "CampaignService" {
        "CreateCampaign" CreateCampaignRequest -> CreateCampaignResponse request_id;
        "GetCampaign" GetCampaignRequest -> GetCampaignResponse;
        "ListCampaigns" ListCampaignsRequest -> ListCampaignsResponse;
        "UpdateCampaign" UpdateCampaignRequest -> UpdateCampaignResponse request_id;
        "LaunchCampaign" LaunchCampaignRequest -> LaunchCampaignResponse request_id;
        "PauseCampaign" PauseCampaignRequest -> PauseCampaignResponse request_id;
        "ResumeCampaign" ResumeCampaignRequest -> ResumeCampaignResponse request_id;
        "CancelCampaign" CancelCampaignRequest -> CancelCampaignResponse request_id;
    }
    "RoutingService" {
        "AssignContact" AssignContactRequest -> AssignContactResponse request_id;
        "GetAssignment" GetAssignmentRequest -> GetAssignmentResponse;
        "ListAssignments" ListAssignmentsRequest -> ListAssignmentsResponse;
    }
    "ClusterService" {
        "GetCluster" GetClusterRequest -> GetClusterResponse;
    }
}
