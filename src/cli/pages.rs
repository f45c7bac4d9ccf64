//! Whole lists, fetched page by page.

use super::{
    failure::{Failure, to},
    names,
};
use crate::{
    client::Client,
    proto::turnwise::v1::{
        Assignment, Campaign, Group, ListAssignmentsRequest, ListCampaignsRequest,
        ListGroupsRequest, ListRepsRequest, ListTeamsRequest, Rep, Team,
    },
};

const PAGE_SIZE: i32 = 1_000;

/// All teams.
pub(crate) async fn teams(client: &Client) -> Result<Vec<Team>, Failure> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListTeamsRequest { page_size: PAGE_SIZE, page_token };
        let page = client.call(request).await.map_err(to("list teams"))?;
        all.extend(page.teams);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}

/// All reps of a team.
pub(crate) async fn reps(client: &Client, team: &str) -> Result<Vec<Rep>, Failure> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let parent = names::team(team);
        let request = ListRepsRequest { parent, page_size: PAGE_SIZE, page_token };
        let page = client.call(request).await.map_err(to(format!("list reps of `{team}`")))?;
        all.extend(page.reps);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}

/// All groups of a team.
pub(crate) async fn groups(client: &Client, team: &str) -> Result<Vec<Group>, Failure> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let parent = names::team(team);
        let request = ListGroupsRequest { parent, page_size: PAGE_SIZE, page_token };
        let page = client.call(request).await.map_err(to(format!("list groups of `{team}`")))?;
        all.extend(page.groups);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}

/// All campaigns of a team.
pub(crate) async fn campaigns(client: &Client, team: &str) -> Result<Vec<Campaign>, Failure> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let parent = names::team(team);
        let request = ListCampaignsRequest { parent, page_size: PAGE_SIZE, page_token };
        let page = client.call(request).await.map_err(to(format!("list campaigns of `{team}`")))?;
        all.extend(page.campaigns);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}

/// All assignments of a team, in the order they were made.
pub(crate) async fn assignments(client: &Client, team: &str) -> Result<Vec<Assignment>, Failure> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListAssignmentsRequest {
            parent: names::team(team),
            page_size: PAGE_SIZE,
            page_token,
            ..ListAssignmentsRequest::default()
        };
        let page = client.call(request).await.map_err(to("list assignments"))?;
        all.extend(page.assignments);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}
