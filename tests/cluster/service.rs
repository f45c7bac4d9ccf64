//! What tests ask of a cluster, in few words: a team with a ring, assigns, and all that was assigned.

use prost::Message;
use tonic::{Code, Request, Status, codegen::http::uri::PathAndQuery, transport::Channel};
use tonic_types::StatusExt as _;
use turnwise::{
    client::{Call, Client},
    proto::turnwise::v1::{
        AssignContactRequest, AssignContactResponse, Assignment, Campaign, CreateCampaignRequest,
        CreateGroupRequest, CreateRepRequest, CreateTeamRequest, Group, GroupMember,
        LaunchCampaignRequest, ListAssignmentsRequest, OwnerTarget, Rep, Target, TargetList,
        assign_contact_request::Via, group_member::Member, target::Kind,
    },
};

/// A team with one group and one running campaign over it.
#[derive(Debug, Clone)]
pub(crate) struct Team {
    pub(crate) id: String,
    /// Resource names of the group's members, in the order of their turns.
    pub(crate) ring: Vec<String>,
    pub(crate) campaign: String,
}

impl Team {
    pub(crate) fn name(&self) -> String {
        format!("teams/{}", self.id)
    }

    /// Reps `r0` and on, all of them in the group `ring`, and the running campaign `c` over it.
    pub(crate) async fn create(client: &Client, id: &str, reps: usize) -> Self {
        let parent = format!("teams/{id}");
        create_team(client, id).await;
        let mut ring = Vec::new();
        for number in 0..reps {
            ring.push(create_rep(client, &parent, &format!("r{number}"), Rep::default()).await);
        }
        create_group(client, &parent, "ring", &ring).await;
        let targets = vec![to_group(&format!("{parent}/groups/ring"))];
        let campaign = launch(client, &parent, "c", targets).await;
        Self { id: id.to_owned(), ring, campaign }
    }

    /// What assigns a contact by the team's campaign.
    pub(crate) fn request(&self, contact: &str) -> AssignContactRequest {
        AssignContactRequest {
            parent: self.name(),
            contact: contact.to_owned(),
            via: Some(Via::Campaign(self.campaign.clone())),
            ..AssignContactRequest::default()
        }
    }

    pub(crate) async fn assign(&self, client: &Client, contact: &str) -> AssignContactResponse {
        client.call(self.request(contact)).await.unwrap()
    }

    /// All assignments of the team, as the first node of `client` reads them.
    pub(crate) async fn assignments(&self, client: &Client) -> Vec<Assignment> {
        assignments(client, &self.name(), "").await
    }
}

pub(crate) async fn create_team(client: &Client, id: &str) {
    let team_id = id.to_owned();
    client.call(CreateTeamRequest { team_id, ..CreateTeamRequest::default() }).await.unwrap();
}

/// Returns the new rep's resource name.
pub(crate) async fn create_rep(client: &Client, parent: &str, id: &str, rep: Rep) -> String {
    let request = CreateRepRequest {
        parent: parent.to_owned(),
        rep_id: id.to_owned(),
        rep: Some(rep),
        ..CreateRepRequest::default()
    };
    client.call(request).await.unwrap().rep.unwrap().name
}

pub(crate) async fn create_group(client: &Client, parent: &str, id: &str, reps: &[String]) {
    let member = |rep: &String| {
        let member = Some(Member::Rep(rep.clone()));
        GroupMember { member, ..GroupMember::default() }
    };
    let group = Group { members: reps.iter().map(member).collect(), ..Group::default() };
    let request = CreateGroupRequest {
        parent: parent.to_owned(),
        group_id: id.to_owned(),
        group: Some(group),
        ..CreateGroupRequest::default()
    };
    client.call(request).await.unwrap();
}

/// Creates a campaign and launches it. Returns its resource name.
pub(crate) async fn launch(
    client: &Client,
    parent: &str,
    id: &str,
    targets: Vec<Target>,
) -> String {
    let campaign = Campaign { targets: Some(TargetList { targets }), ..Campaign::default() };
    let request = CreateCampaignRequest {
        parent: parent.to_owned(),
        campaign_id: id.to_owned(),
        campaign: Some(campaign),
        ..CreateCampaignRequest::default()
    };
    let name = client.call(request).await.unwrap().campaign.unwrap().name;
    let launch = LaunchCampaignRequest { name: name.clone(), ..LaunchCampaignRequest::default() };
    client.call(launch).await.unwrap();
    name
}

pub(crate) fn to_group(name: &str) -> Target {
    Target { kind: Some(Kind::Group(name.to_owned())), ..Target::default() }
}

pub(crate) fn to_owner() -> Target {
    Target { kind: Some(Kind::Owner(OwnerTarget::default())), ..Target::default() }
}

/// All assignments of a team, or of one of its campaigns, in the order they were made.
pub(crate) async fn assignments(client: &Client, parent: &str, campaign: &str) -> Vec<Assignment> {
    let mut all = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListAssignmentsRequest {
            parent: parent.to_owned(),
            campaign: campaign.to_owned(),
            page_size: 1_000,
            page_token,
            ..ListAssignmentsRequest::default()
        };
        let page = client.call(request).await.unwrap();
        all.extend(page.assignments);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return all;
        }
    }
}

/// Position of an assignment: where its rep was decided.
pub(crate) fn position(assignment: &Assignment) -> (u64, u32) {
    let position = assignment.position.as_ref().expect("every assignment has a position");
    (position.log_index, position.seq)
}

/// The service's reason, such as `NO_LEADER`.
pub(crate) fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// Whether a status says UNAVAILABLE and when to try again.
pub(crate) fn says_when_to_retry(status: &Status) -> bool {
    let delay = status.get_details_retry_info().and_then(|info| info.retry_delay);
    status.code() == Code::Unavailable && delay.is_some()
}

/// Bytes of a message, to compare answers by.
pub(crate) fn bytes(message: &impl Message) -> Vec<u8> {
    message.encode_to_vec()
}

/// Makes a call once, on one node, as it is: no retry, no request id.
pub(crate) async fn once<C: Call>(channel: &Channel, call: C) -> Result<C::Answer, Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let path = PathAndQuery::from_static(C::PATH);
    let codec = tonic_prost::ProstCodec::<C, C::Answer>::default();
    Ok(grpc.unary(Request::new(call), path, codec).await?.into_inner())
}
