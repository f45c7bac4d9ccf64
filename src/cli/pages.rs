//! Whole lists, fetched page by page.

use super::{
    failure::{Failure, to},
    names,
};
use crate::{
    client::{Call, Client},
    proto::turnwise::v1::{
        Assignment, Campaign, Event, Group, GroupMember, ListAssignmentsRequest,
        ListCampaignsRequest, ListEventsRequest, ListGroupMembersRequest, ListGroupsRequest,
        ListRepsRequest, ListRotationsRequest, ListRoutingRulesRequest, ListTeamsRequest,
        ListTokensRequest, Rep, Rotation, RoutingRule, Team, Token,
    },
};

const PAGE_SIZE: i32 = 1_000;

/// Calls until the last page, or until there are `limit` things.
async fn all<C: Call, T>(
    client: &Client,
    what: &str,
    limit: usize,
    request: impl Fn(String) -> C,
    page: impl Fn(C::Answer) -> (Vec<T>, String),
) -> Result<Vec<T>, Failure> {
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let answer = client.call(request(token)).await.map_err(to(format!("list {what}")))?;
        let (things, next) = page(answer);
        all.extend(things);
        token = next;
        if token.is_empty() || all.len() >= limit {
            all.truncate(limit);
            return Ok(all);
        }
    }
}

/// The teams that a filter keeps; all by an empty one.
pub(crate) async fn teams(client: &Client, filter: &str) -> Result<Vec<Team>, Failure> {
    let request = |page_token| ListTeamsRequest {
        page_size: PAGE_SIZE,
        page_token,
        filter: filter.to_owned(),
    };
    all(client, "teams", usize::MAX, request, |page| (page.teams, page.next_page_token)).await
}

/// All reps of a team.
pub(crate) async fn reps(client: &Client, team: &str) -> Result<Vec<Rep>, Failure> {
    reps_by(client, team, "").await
}

/// The reps of a team that a filter keeps.
pub(crate) async fn reps_by(
    client: &Client,
    team: &str,
    filter: &str,
) -> Result<Vec<Rep>, Failure> {
    let request = |page_token| ListRepsRequest {
        parent: names::team(team),
        page_size: PAGE_SIZE,
        page_token,
        filter: filter.to_owned(),
    };
    let what = format!("reps of `{team}`");
    all(client, &what, usize::MAX, request, |page| (page.reps, page.next_page_token)).await
}

/// All groups of a team.
pub(crate) async fn groups(client: &Client, team: &str) -> Result<Vec<Group>, Failure> {
    groups_by(client, team, "").await
}

/// The groups of a team that a filter keeps.
pub(crate) async fn groups_by(
    client: &Client,
    team: &str,
    filter: &str,
) -> Result<Vec<Group>, Failure> {
    let request = |page_token| ListGroupsRequest {
        parent: names::team(team),
        page_size: PAGE_SIZE,
        page_token,
        filter: filter.to_owned(),
    };
    let what = format!("groups of `{team}`");
    all(client, &what, usize::MAX, request, |page| (page.groups, page.next_page_token)).await
}

/// All members of a group, in ring order.
pub(crate) async fn group_members(
    client: &Client,
    team: &str,
    group: &str,
) -> Result<Vec<GroupMember>, Failure> {
    let request = |page_token| ListGroupMembersRequest {
        parent: names::group(team, group),
        page_size: PAGE_SIZE,
        page_token,
    };
    let what = format!("members of group `{group}`");
    all(client, &what, usize::MAX, request, |page| (page.members, page.next_page_token)).await
}

/// All rotations of a group, each with the next members.
pub(crate) async fn rotations(
    client: &Client,
    team: &str,
    group: &str,
    next_count: i32,
) -> Result<Vec<Rotation>, Failure> {
    let request = |page_token| ListRotationsRequest {
        parent: names::group(team, group),
        page_size: PAGE_SIZE,
        page_token,
        next_count,
        ..ListRotationsRequest::default()
    };
    let what = format!("rotations of group `{group}`");
    all(client, &what, usize::MAX, request, |page| (page.rotations, page.next_page_token)).await
}

/// The rules of a team that a filter keeps.
pub(crate) async fn rules(
    client: &Client,
    team: &str,
    filter: &str,
) -> Result<Vec<RoutingRule>, Failure> {
    let request = |page_token| ListRoutingRulesRequest {
        parent: names::team(team),
        page_size: PAGE_SIZE,
        page_token,
        filter: filter.to_owned(),
    };
    let what = format!("rules of `{team}`");
    all(client, &what, usize::MAX, request, |page| (page.routing_rules, page.next_page_token)).await
}

/// The tokens of a team that a filter keeps.
pub(crate) async fn tokens(
    client: &Client,
    team: &str,
    filter: &str,
) -> Result<Vec<Token>, Failure> {
    let request = |page_token| ListTokensRequest {
        parent: names::team(team),
        page_size: PAGE_SIZE,
        page_token,
        filter: filter.to_owned(),
    };
    let what = format!("tokens of `{team}`");
    all(client, &what, usize::MAX, request, |page| (page.tokens, page.next_page_token)).await
}

/// The campaigns of a team that a filter keeps.
pub(crate) async fn campaigns(
    client: &Client,
    team: &str,
    filter: &str,
) -> Result<Vec<Campaign>, Failure> {
    let request = |page_token| ListCampaignsRequest {
        parent: names::team(team),
        page_size: PAGE_SIZE,
        page_token,
        filter: filter.to_owned(),
    };
    let what = format!("campaigns of `{team}`");
    all(client, &what, usize::MAX, request, |page| (page.campaigns, page.next_page_token)).await
}

/// Which assignments to list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Which {
    /// Only of this contact.
    pub(crate) contact: String,
    /// Only by this campaign.
    pub(crate) campaign: Option<String>,
    /// Only those that it keeps.
    pub(crate) filter: String,
}

/// All assignments of a team, in the order they were made.
pub(crate) async fn assignments(client: &Client, team: &str) -> Result<Vec<Assignment>, Failure> {
    assignments_by(client, team, &Which::default(), usize::MAX).await
}

/// Some assignments of a team, in the order they were made.
pub(crate) async fn assignments_by(
    client: &Client,
    team: &str,
    which: &Which,
    limit: usize,
) -> Result<Vec<Assignment>, Failure> {
    let campaign = which.campaign.as_ref().map(|campaign| names::campaign(team, campaign));
    let request = |page_token| ListAssignmentsRequest {
        parent: names::team(team),
        contact: which.contact.clone(),
        campaign: campaign.clone().unwrap_or_default(),
        page_size: PAGE_SIZE,
        page_token,
        filter: which.filter.clone(),
    };
    all(client, "assignments", limit, request, |page| (page.assignments, page.next_page_token))
        .await
}

/// The events of a team from a log index on that the node still keeps and a filter lets through.
pub(crate) async fn events(
    client: &Client,
    team: &str,
    start_index: u64,
    filter: &str,
    limit: usize,
) -> Result<Vec<Event>, Failure> {
    let request = |page_token| ListEventsRequest {
        parent: names::team(team),
        page_size: PAGE_SIZE,
        page_token,
        filter: filter.to_owned(),
        start_index,
    };
    all(client, "events", limit, request, |page| (page.events, page.next_page_token)).await
}
