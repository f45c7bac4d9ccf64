//! Members of a ring: add, remove, change one, reorder.

use std::path::PathBuf;

use super::{MEMBERS_PER_CALL_MAX, Which, get, members};
use crate::{
    cli::{
        change::{Change, Mask, Unchanged},
        failure::{Failure, to},
        names,
    },
    client::Client,
    proto::turnwise::v1::{
        AddGroupMemberRequest, Group, GroupKind, GroupMember, GroupOption,
        RemoveGroupMemberRequest, ReorderGroupRequest, UpdateGroupMemberRequest,
        group_member::Member as Who, remove_group_member_request::Member as Removed,
    },
};

pub(super) const ADD_HELP: &str = "\
Written as for `turnwise group create`.

Examples:
  turnwise group add west --team sales dora emil=2
  turnwise group add greetings --team sales evening='Good evening!'";

#[derive(clap::Args)]
pub(crate) struct Add {
    #[command(flatten)]
    which: Which,
    /// Whom or what, in order
    #[arg(required_unless_present = "from", value_name = "MEMBER")]
    members: Vec<String>,
    /// CSV file of members, with columns id, and where needed payload, group, weight
    #[arg(long, value_name = "FILE.csv", conflicts_with = "members")]
    from: Option<PathBuf>,
    #[command(flatten)]
    unchanged: Unchanged,
    #[command(flatten)]
    change: Change,
}

pub(super) async fn add(client: &Client, arguments: Add) -> Result<Option<Group>, Failure> {
    let Add { which: Which { group, team }, members, from, unchanged, change } = arguments;
    let kind = get(client, &team, &group).await?.kind();
    let members = members::given(&team, kind, &members, from.as_deref())?;
    in_calls(members.get(MEMBERS_PER_CALL_MAX..).unwrap_or_default(), &change)?;
    let added = add_all(client, &team, &group, &members, &unchanged, &change).await?;
    change.tell();
    Ok(added)
}

/// Refuses what one call can't check.
pub(super) fn in_calls(more: &[GroupMember], change: &Change) -> Result<(), Failure> {
    if change.validate_only && !more.is_empty() {
        return Err(Failure::usage(format!(
            "--validate-only checks one call, and that takes {MEMBERS_PER_CALL_MAX} members"
        )));
    }
    Ok(())
}

/// Adds all of them, in as many calls as it takes.
pub(super) async fn add_all(
    client: &Client,
    team: &str,
    group: &str,
    members: &[GroupMember],
    unchanged: &Unchanged,
    change: &Change,
) -> Result<Option<Group>, Failure> {
    let (mut last, mut etag) = (None, unchanged.etag.clone());
    let calls = members.chunks(MEMBERS_PER_CALL_MAX);
    let count = calls.len();
    for (members, number) in calls.zip(1..) {
        let request = AddGroupMemberRequest {
            name: names::group(team, group),
            members: members.to_vec(),
            request_id: change.numbered(number, count),
            etag: etag.clone(),
            validate_only: change.validate_only,
        };
        let added = client.call(request).await;
        let after: Group =
            added.map_err(to(format!("add to group `{group}`")))?.group.unwrap_or_default();
        if !etag.is_empty() {
            etag.clone_from(&after.etag);
        }
        last = Some(after);
    }
    Ok(last)
}

#[derive(clap::Args)]
pub(crate) struct Remove {
    #[command(flatten)]
    which: Which,
    /// Whom or what: a rep, an option, or group:GROUP
    #[arg(required = true, value_name = "MEMBER")]
    members: Vec<String>,
    #[command(flatten)]
    unchanged: Unchanged,
    #[command(flatten)]
    change: Change,
}

pub(super) async fn remove(client: &Client, arguments: Remove) -> Result<Option<Group>, Failure> {
    let Remove { which: Which { group, team }, members, unchanged, change } = arguments;
    if change.validate_only && members.len() > 1 {
        return Err(Failure::usage("--validate-only checks the removal of one member at a time"));
    }
    let is_options = get(client, &team, &group).await?.kind() == GroupKind::Options;
    let (mut left, mut etag) = (None, unchanged.etag);
    for (id, number) in members.iter().zip(1..) {
        let member = match members::who(&team, is_options, id, "").map_err(Failure::usage)? {
            Who::Rep(name) => Removed::Rep(name),
            Who::Option(option) => Removed::Option(option.id),
            Who::Group(name) => Removed::Group(name),
        };
        let request = RemoveGroupMemberRequest {
            name: names::group(&team, &group),
            member: Some(member),
            request_id: change.numbered(number, members.len()),
            etag: etag.clone(),
            validate_only: change.validate_only,
        };
        let removed = client.call(request).await;
        let after: Group = removed
            .map_err(to(format!("remove `{id}` from group `{group}`")))?
            .group
            .unwrap_or_default();
        if !etag.is_empty() {
            etag.clone_from(&after.etag);
        }
        left = Some(after);
    }
    change.tell();
    Ok(left)
}

#[derive(clap::Args)]
pub(crate) struct Member {
    /// The group's id
    group: String,
    /// Which member: a rep, an option, or group:GROUP
    member: String,
    /// Team
    #[arg(long, env = "TURNWISE_TEAM")]
    team: String,
    /// Turns in each round, relative to the others
    #[arg(long)]
    weight: Option<u32>,
    /// What an option stands for
    #[arg(long)]
    payload: Option<String>,
    #[command(flatten)]
    unchanged: Unchanged,
    #[command(flatten)]
    change: Change,
}

pub(super) async fn member(client: &Client, arguments: Member) -> Result<Option<Group>, Failure> {
    let Member { group, member, team, weight, payload, unchanged, change } = arguments;
    let is_options = get(client, &team, &group).await?.kind() == GroupKind::Options;
    let mut mask = Mask::default();
    let weight = mask.take("weight", weight.map(Some));
    let payload = mask.take("option.payload", payload);
    let who = match members::who(&team, is_options, &member, "").map_err(Failure::usage)? {
        Who::Option(option) => Who::Option(GroupOption { payload, ..option }),
        who @ (Who::Rep(_) | Who::Group(_)) => who,
    };
    let request = UpdateGroupMemberRequest {
        name: names::group(&team, &group),
        member: Some(GroupMember { member: Some(who), weight, ..GroupMember::default() }),
        update_mask: mask.finish("--weight or --payload")?,
        request_id: change.request_id.clone(),
        etag: unchanged.etag,
        validate_only: change.validate_only,
    };
    Ok(change.send(client, request, format!("update `{member}` of group `{group}`")).await?.group)
}

#[derive(clap::Args)]
pub(crate) struct Reorder {
    #[command(flatten)]
    which: Which,
    /// All members in their new order, each once
    #[arg(required = true, value_name = "MEMBER")]
    members: Vec<String>,
    #[command(flatten)]
    unchanged: Unchanged,
    #[command(flatten)]
    change: Change,
}

pub(super) async fn reorder(client: &Client, arguments: Reorder) -> Result<Option<Group>, Failure> {
    let Reorder { which: Which { group, team }, members, unchanged, change } = arguments;
    let is_options = get(client, &team, &group).await?.kind() == GroupKind::Options;
    let mut names_in_order = Vec::new();
    for id in &members {
        let who = members::who(&team, is_options, id, "").map_err(Failure::usage)?;
        let member = GroupMember { member: Some(who), ..GroupMember::default() };
        names_in_order.push(members::api_name(&member).to_owned());
    }
    let request = ReorderGroupRequest {
        name: names::group(&team, &group),
        members: names_in_order,
        request_id: change.request_id.clone(),
        etag: unchanged.etag,
        validate_only: change.validate_only,
    };
    Ok(change.send(client, request, format!("reorder group `{group}`")).await?.group)
}
