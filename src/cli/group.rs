//! `turnwise group`: create, get, list, delete, members, and who is next.

use serde_json::Value;

use super::{
    Context,
    failure::{Failure, to},
    names, pages, time,
};
use crate::proto::turnwise::v1::{
    AddGroupMemberRequest, CreateGroupRequest, DeleteGroupRequest, GetGroupRequest,
    GetRotationRequest, Group, GroupMember, RemoveGroupMemberRequest, Rotation,
};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Create a group; the order of the reps is the order of their turns
    #[command(after_help = "Example: turnwise group create west --team sales ana bo=2 cem\n\
                            `bo=2` takes two turns in each round.")]
    Create {
        /// Its id
        group: String,
        /// Team
        #[arg(long, env = "TURNWISE_TEAM")]
        team: String,
        /// What people call it
        #[arg(long, default_value = "")]
        name: String,
        /// Its members in order, each a rep's id or id=weight
        #[arg(required = true, value_name = "REP", value_parser = member)]
        reps: Vec<Member>,
    },
    /// Show one group
    #[command(after_help = "Example: turnwise group get west --team sales")]
    Get {
        /// Its id
        group: String,
        /// Team
        #[arg(long, env = "TURNWISE_TEAM")]
        team: String,
    },
    /// List the groups of a team
    #[command(after_help = "Example: turnwise group list --team sales")]
    List {
        /// Team
        #[arg(long, env = "TURNWISE_TEAM")]
        team: String,
    },
    /// Delete a group that no active campaign uses; its reps stay
    #[command(after_help = "Example: turnwise group delete west --team sales")]
    Delete {
        /// Its id
        group: String,
        /// Team
        #[arg(long, env = "TURNWISE_TEAM")]
        team: String,
    },
    /// Add reps at the end of the ring
    #[command(after_help = "Example: turnwise group add west --team sales dora emil=2")]
    Add {
        /// Its id
        group: String,
        /// Team
        #[arg(long, env = "TURNWISE_TEAM")]
        team: String,
        /// Whom, each a rep's id or id=weight
        #[arg(required = true, value_name = "REP", value_parser = member)]
        reps: Vec<Member>,
    },
    /// Remove reps from the ring
    #[command(after_help = "Example: turnwise group remove west --team sales dora")]
    Remove {
        /// Its id
        group: String,
        /// Team
        #[arg(long, env = "TURNWISE_TEAM")]
        team: String,
        /// Whom
        #[arg(required = true, value_name = "REP")]
        reps: Vec<String>,
    },
    /// Show where a ring stands and who is next
    #[command(after_help = "Example: turnwise group rotation west --team sales --campaign spring")]
    Rotation {
        /// Its id
        group: String,
        /// Team
        #[arg(long, env = "TURNWISE_TEAM")]
        team: String,
        /// Under which campaign; without one, the ring of the team's default rule
        #[arg(long)]
        campaign: Option<String>,
        /// How many turns ahead to show
        #[arg(long, default_value_t = 10)]
        next: u16,
    },
}

/// A rep and how many turns they take in a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    rep: String,
    weight: Option<u32>,
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    let group = match command {
        Command::Create { group, team, name, reps } => {
            let request = CreateGroupRequest {
                parent: names::team(&team),
                group_id: group.clone(),
                group: Some(Group {
                    display_name: name,
                    members: members(&team, reps),
                    ..Group::default()
                }),
                ..CreateGroupRequest::default()
            };
            client.call(request).await.map_err(to(format!("create group `{group}`")))?.group
        }
        Command::Get { group, team } => {
            let request = GetGroupRequest { name: names::group(&team, &group) };
            client.call(request).await.map_err(to(format!("get group `{group}`")))?.group
        }
        Command::List { team } => {
            let rows: Vec<_> = pages::groups(&client, &team).await?.iter().map(row).collect();
            return context.output.list(COLUMNS, &rows);
        }
        Command::Delete { group, team } => {
            let name = names::group(&team, &group);
            let request = DeleteGroupRequest { name, ..DeleteGroupRequest::default() };
            client.call(request).await.map_err(to(format!("delete group `{group}`")))?;
            return context.output.record(&["group", "deleted"], vec![group.into(), true.into()]);
        }
        Command::Add { group, team, reps } => {
            let request = AddGroupMemberRequest {
                name: names::group(&team, &group),
                members: members(&team, reps),
                ..AddGroupMemberRequest::default()
            };
            client.call(request).await.map_err(to(format!("add to group `{group}`")))?.group
        }
        Command::Remove { group, team, reps } => {
            let mut left = None;
            for rep in reps {
                let request = RemoveGroupMemberRequest {
                    name: names::group(&team, &group),
                    rep: names::rep(&team, &rep),
                    ..RemoveGroupMemberRequest::default()
                };
                let removed = client.call(request).await;
                left = removed.map_err(to(format!("remove `{rep}` from group `{group}`")))?.group;
            }
            left
        }
        Command::Rotation { group, team, campaign, next } => {
            let request = GetRotationRequest {
                name: names::rotation(&team, &group, campaign.as_deref()),
                next_count: next.into(),
            };
            let got = client.call(request).await.map_err(to(format!("show group `{group}`")))?;
            return rotation(context, &got.rotation.unwrap_or_default());
        }
    };
    context.output.record(COLUMNS, row(&group.unwrap_or_default()))
}

const COLUMNS: &[&str] = &["group", "display_name", "members", "create_time"];

fn row(group: &Group) -> Vec<Value> {
    let Group { name, display_name, members, create_time } = group;
    let member = |member: &GroupMember| match member.weight {
        None | Some(1) => Value::from(names::id(&member.rep)),
        Some(weight) => Value::from(format!("{}={weight}", names::id(&member.rep))),
    };
    vec![
        names::id(name).into(),
        display_name.as_str().into(),
        members.iter().map(member).collect(),
        time::show(create_time.as_ref()),
    ]
}

fn rotation(context: &Context, rotation: &Rotation) -> Result<(), Failure> {
    let Rotation { name: _, group, campaign, cursor: _, last_served, next_members, turns, .. } =
        rotation;
    let turn = |turn: &crate::proto::turnwise::v1::MemberTurns| {
        (names::id(&turn.rep).to_owned(), Value::from(turn.turns))
    };
    context.output.record(
        &["group", "campaign", "last_served", "next", "turns", "last_pick_time"],
        vec![
            names::id(group).into(),
            names::id(campaign).into(),
            names::id(last_served).into(),
            next_members.iter().map(|rep| Value::from(names::id(rep))).collect(),
            turns.iter().map(turn).collect(),
            time::show(rotation.last_pick_time.as_ref()),
        ],
    )
}

fn members(team: &str, members: Vec<Member>) -> Vec<GroupMember> {
    let member = |Member { rep, weight }: Member| GroupMember {
        rep: names::rep(team, &rep),
        weight,
        ..GroupMember::default()
    };
    members.into_iter().map(member).collect()
}

fn member(text: &str) -> Result<Member, String> {
    let Some((rep, weight)) = text.split_once('=') else {
        return Ok(Member { rep: text.to_owned(), weight: None });
    };
    let weight = weight.parse().map_err(|_| "not REP=WEIGHT, such as bo=2")?;
    Ok(Member { rep: rep.to_owned(), weight: Some(weight) })
}
