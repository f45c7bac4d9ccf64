//! Where rings stand; reset, adjust.

use serde_json::Value;

use super::{Which, members};
use crate::{
    cli::{
        Context,
        change::Change,
        failure::{Failure, to},
        names, pages, time, words,
    },
    client::Client,
    proto::turnwise::v1::{
        AdjustRotationRequest, GetRotationRequest, GroupKind, GroupMember, MemberTurns,
        ResetRotationRequest, Rotation, group_member::Member as Who,
        member_turns::Member as Counted,
    },
};

#[derive(clap::Args)]
pub(crate) struct Show {
    #[command(flatten)]
    which: Which,
    /// Under which campaign; without one, the ring of calls that name none
    #[arg(long)]
    campaign: Option<String>,
    /// How many turns ahead to show
    #[arg(long, default_value_t = 10)]
    next: u16,
}

pub(super) async fn show(
    context: &Context,
    client: &Client,
    arguments: Show,
) -> Result<(), Failure> {
    let Show { which: Which { group, team }, campaign, next } = arguments;
    let name = names::rotation(&team, &group, campaign.as_deref());
    let found = get(client, name, next).await?;
    context.output.record(COLUMNS, row(&found))
}

async fn get(client: &Client, name: String, next: u16) -> Result<Rotation, Failure> {
    let request = GetRotationRequest { name: name.clone(), next_count: next.into() };
    let got = client.call(request).await;
    let got = got.map_err(to(format!("show the {}", words::resource(&name))))?;
    Ok(got.rotation.unwrap_or_default())
}

/// A rotation that was changed, with who is next now: the answer to a change does not tell.
async fn changed(
    context: &Context,
    client: &Client,
    answered: Option<Rotation>,
    change: &Change,
) -> Result<(), Failure> {
    let mut rotation = answered.unwrap_or_default();
    if !change.validate_only {
        rotation.next_members = get(client, rotation.name.clone(), 10).await?.next_members;
    }
    context.output.record(COLUMNS, row(&rotation))
}

#[derive(clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    which: Which,
    /// How many turns ahead to show of each
    #[arg(long, default_value_t = 3)]
    next: u8,
}

pub(super) async fn list(
    context: &Context,
    client: &Client,
    arguments: List,
) -> Result<(), Failure> {
    let List { which: Which { group, team }, next } = arguments;
    let rotations = pages::rotations(client, &team, &group, next.into()).await?;
    let rows: Vec<_> = rotations.iter().map(row).collect();
    context.output.brief(COLUMNS, BRIEF, &rows)
}

#[derive(clap::Args)]
pub(crate) struct Reset {
    #[command(flatten)]
    which: Which,
    /// Under which campaign; without one, the ring of calls that name none
    #[arg(long)]
    campaign: Option<String>,
    #[command(flatten)]
    change: Change,
}

pub(super) async fn reset(
    context: &Context,
    client: &Client,
    arguments: Reset,
) -> Result<(), Failure> {
    let Reset { which: Which { group, team }, campaign, change } = arguments;
    let request = ResetRotationRequest {
        name: names::rotation(&team, &group, campaign.as_deref()),
        request_id: change.request_id.clone(),
        validate_only: change.validate_only,
    };
    let what = format!("reset the rotation of group `{group}`");
    let reset = change.send(client, request, what).await?;
    changed(context, client, reset.rotation, &change).await
}

#[derive(clap::Args)]
pub(crate) struct Adjust {
    /// The group's id
    group: String,
    /// Which member
    member: String,
    /// Team
    #[arg(long, env = "TURNWISE_TEAM")]
    team: String,
    /// Under which campaign; without one, the ring of calls that name none
    #[arg(long)]
    campaign: Option<String>,
    /// Turns they are owed (above 0) or owe (below 0): -100 to 100; 0 for neither
    #[arg(long, allow_negative_numbers = true)]
    credits: i32,
    /// Why, for colleagues
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    change: Change,
}

pub(super) async fn adjust(
    context: &Context,
    client: &Client,
    arguments: Adjust,
) -> Result<(), Failure> {
    let Adjust { group, member, team, campaign, credits, reason, change } = arguments;
    let is_options = super::get(client, &team, &group).await?.kind() == GroupKind::Options;
    let who = members::who(&team, is_options, &member, "").map_err(Failure::usage)?;
    let named = GroupMember { member: Some(who), ..GroupMember::default() };
    let request = AdjustRotationRequest {
        name: names::rotation(&team, &group, campaign.as_deref()),
        member: members::api_name(&named).to_owned(),
        credits,
        reason,
        request_id: change.request_id.clone(),
        validate_only: change.validate_only,
    };
    let what = format!("adjust the rotation of group `{group}`");
    let adjusted = change.send(client, request, what).await?;
    changed(context, client, adjusted.rotation, &change).await
}

const COLUMNS: &[&str] = &[
    "group",
    "campaign",
    "last_served",
    "next",
    "turns",
    "credits",
    "last_pick_time",
    "restart_time",
];

/// What a list shows on a terminal.
const BRIEF: &[&str] = &["campaign", "last_served", "next", "turns", "last_pick_time"];

fn row(rotation: &Rotation) -> Vec<Value> {
    let Rotation {
        name: _,
        group,
        campaign,
        cursor: _,
        last_served,
        next_members,
        turns,
        last_pick_time,
        restart_time,
        log_index: _,
    } = rotation;
    let credits = turns.iter().filter(|turns| turns.credits != 0);
    vec![
        names::id(group).into(),
        names::id(campaign).into(),
        typed(last_served).into(),
        next_members.iter().map(|member| Value::from(typed(member))).collect(),
        turns.iter().map(|turns| (counted(turns), Value::from(turns.turns))).collect(),
        credits.map(|turns| (counted(turns), Value::from(turns.credits))).collect(),
        time::show(last_pick_time.as_ref()),
        time::show(restart_time.as_ref()),
    ]
}

/// A member of a list of names as one would type it.
fn typed(name: &str) -> String {
    let id = names::id(name);
    if name.contains("/groups/") { format!("group:{id}") } else { id.to_owned() }
}

fn counted(turns: &MemberTurns) -> String {
    let member = match turns.member.clone() {
        Some(Counted::Rep(name)) => Some(Who::Rep(name)),
        Some(Counted::Option(id)) => {
            let option = crate::proto::turnwise::v1::GroupOption { id, ..Default::default() };
            Some(Who::Option(option))
        }
        Some(Counted::Group(name)) => Some(Who::Group(name)),
        None => None,
    };
    members::name(&GroupMember { member, ..GroupMember::default() })
}
