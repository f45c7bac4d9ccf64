//! `turnwise rep import`: a CSV file of people becomes reps and groups.
//!
//! | File | Owns |
//! |---|---|
//! | `rows` | the file: columns, rows, what is wrong with which line |
//! | `plan` | the difference between the file and the team: pure |
//!
//! The whole file is checked, against the team too, before the first write. Running it again finds
//! what is there already, so it changes nothing, or finishes what an interruption left.

mod plan;
mod rows;

use std::{io::Write as _, path::PathBuf};

use serde_json::Value;

use super::{
    Context,
    failure::{Failure, to},
    names, pages,
};
use crate::{
    client::Client,
    proto::turnwise::v1::{
        AddGroupMemberRequest, CreateGroupRequest, CreateRepRequest, Group, GroupMember, Rep,
        group_member::Member,
    },
};
use plan::Change;
use rows::Columns;

#[derive(clap::Args)]
#[command(after_help = "\
Ids are made of the names: `Mei-Mei Johns` becomes mei-mei-johns. The name as written is kept as the \
external id `import`, so that files of the same system find their owner. Groups are made of the values of \
their column; members take turns in the order of the file.

Example:
  turnwise rep import sales_teams.csv --team sales --name sales_agent --group regional_office --dry-run")]
pub(super) struct Arguments {
    /// The file, with a header
    #[arg(value_name = "FILE.csv")]
    file: PathBuf,
    /// Team, which is there already
    #[arg(long, env = "TURNWISE_TEAM")]
    team: String,
    /// Column of the people's names
    #[arg(long, value_name = "COLUMN")]
    name: String,
    /// Column of their emails
    #[arg(long, value_name = "COLUMN")]
    email: Option<String>,
    /// Column of the group they are in
    #[arg(long, value_name = "COLUMN")]
    group: Option<String>,
    /// Only show what would be done
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(
    context: &Context,
    client: &Client,
    arguments: &Arguments,
) -> Result<(), Failure> {
    let Arguments { file, team, name, email, group, dry_run } = arguments;
    let shown = file.display();
    let text = std::fs::read(file)
        .map_err(|error| Failure::failed(format!("cannot read {shown}: {error}")))?;
    let columns = Columns { name, email: email.as_deref(), group: group.as_deref() };
    let checked = |problems: Vec<String>| {
        let advice = "Nothing was written. Correct the file and run it again.";
        Failure::failed(format!("{shown}:\n  {}", problems.join("\n  "))).advise(advice)
    };
    let people = rows::read(&text, &columns).map_err(checked)?;

    let reps = pages::reps(client, team).await?;
    let groups = pages::groups(client, team).await?;
    let changes = plan::plan(&people, &reps, &groups).map_err(checked)?;

    let told: Vec<Vec<Value>> = changes.iter().map(row).collect();
    if !dry_run {
        for change in &changes {
            make(client, team, change).await.map_err(|failure| {
                failure.advise(
                    "What was written before stays. Run the same command again: it goes on here.",
                )
            })?;
        }
    }
    let summary = match (changes.len(), dry_run) {
        (0, _) => "nothing to change".to_owned(),
        (count, true) => format!("{count} changes to make; without --dry-run they are made"),
        (count, false) => format!("{count} changes made"),
    };
    drop(writeln!(std::io::stderr().lock(), "{shown}: {} people, {summary}", people.len()));
    context.output.list(&["change", "kind", "id", "detail"], &told)
}

async fn make(client: &Client, team: &str, change: &Change) -> Result<(), Failure> {
    match change {
        Change::CreateRep { id, name, email } => {
            let request = CreateRepRequest {
                parent: names::team(team),
                rep_id: id.clone(),
                rep: Some(Rep {
                    display_name: name.clone(),
                    email: email.clone().unwrap_or_default(),
                    external_ids: [(plan::SYSTEM.to_owned(), name.clone())].into(),
                    ..Rep::default()
                }),
                ..CreateRepRequest::default()
            };
            client.call(request).await.map_err(to(format!("create rep `{id}`")))?;
        }
        Change::CreateGroup { id, name, members } => {
            let request = CreateGroupRequest {
                parent: names::team(team),
                group_id: id.clone(),
                group: Some(Group {
                    display_name: name.clone(),
                    members: group_members(team, members),
                    ..Group::default()
                }),
                ..CreateGroupRequest::default()
            };
            client.call(request).await.map_err(to(format!("create group `{id}`")))?;
        }
        Change::AddMembers { group, members } => {
            let request = AddGroupMemberRequest {
                name: names::group(team, group),
                members: group_members(team, members),
                ..AddGroupMemberRequest::default()
            };
            client.call(request).await.map_err(to(format!("add to group `{group}`")))?;
        }
    }
    Ok(())
}

fn group_members(team: &str, members: &[String]) -> Vec<GroupMember> {
    let member = |rep: &String| GroupMember {
        member: Some(Member::Rep(names::rep(team, rep))),
        ..GroupMember::default()
    };
    members.iter().map(member).collect()
}

fn row(change: &Change) -> Vec<Value> {
    let [change, kind, id, detail] = match change {
        Change::CreateRep { id, name, email } => {
            let email = email.as_ref().map(|email| format!(" <{email}>")).unwrap_or_default();
            ["create", "rep", id, &format!("{name}{email}")].map(Value::from)
        }
        Change::CreateGroup { id, name: _, members } => {
            ["create", "group", id, &members.join(" ")].map(Value::from)
        }
        Change::AddMembers { group, members } => {
            ["add", "group", group, &members.join(" ")].map(Value::from)
        }
    };
    vec![change, kind, id, detail]
}
