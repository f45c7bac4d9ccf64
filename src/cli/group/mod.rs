//! `turnwise group`: create, get, list, update, delete, members, where the ring stands, the report.
//!
//! | File | Owns |
//! |---|---|
//! | `members` | members as people write them, on the command line and in a file: pure |
//! | `settings` | how a group picks, as people write it: pure |
//! | `row` | a group as it is shown: pure |
//! | `ring` | add, remove, reorder, change one member |
//! | `rotation` | where rings stand; reset, adjust |
//! | `report` | who got how many turns, and whether that was fair |

mod members;
mod report;
mod ring;
mod rotation;
mod row;
mod settings;

use std::path::PathBuf;

use super::{
    Context,
    change::{Change, Deletion, Filter, Labels, Mask, NewLabels, Unchanged},
    failure::{Failure, to},
    names, pages,
};
use crate::{
    client::Client,
    proto::turnwise::v1::{
        CreateGroupRequest, DeleteGroupRequest, GetGroupRequest, Group, GroupKind, GroupMember,
        UpdateGroupRequest,
    },
};
use row::{BRIEF, COLUMNS, row};
use settings::{Kind, Settings};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Create a group; the order of the members is the order of their turns
    #[command(after_help = members::HELP)]
    Create {
        #[command(flatten)]
        which: Which,
        /// What people call it
        #[arg(long, default_value = "", hide_default_value = true)]
        name: String,
        /// What its members are
        #[arg(long, value_enum, default_value_t = Kind::Reps)]
        kind: Kind,
        /// Its members in order
        #[arg(required_unless_present = "from", value_name = "MEMBER")]
        members: Vec<String>,
        /// CSV file of members, with columns id, and where needed payload, group, weight
        #[arg(long, value_name = "FILE.csv", conflicts_with = "members")]
        from: Option<PathBuf>,
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        labels: Labels,
        #[command(flatten)]
        change: Change,
    },
    /// Show one group
    #[command(after_help = "Example: turnwise group get west --team sales")]
    Get(Which),
    /// List all members of a group in the order of their turns, however many
    #[command(after_help = "Example: turnwise group members west --team sales --output csv")]
    Members(Which),
    /// List the groups of a team
    #[command(after_help = "Example: turnwise group list --team sales")]
    List {
        /// Team
        #[arg(long, env = "TURNWISE_TEAM")]
        team: String,
        #[command(flatten)]
        filter: Filter,
    },
    /// Change what people call it and how it picks; no turn is lost or won by that
    #[command(
        after_help = "Example: turnwise group update west --team sales --strategy least-open \
                            --require-online --cap 40/1d"
    )]
    Update {
        #[command(flatten)]
        which: Which,
        /// What people call it
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        labels: NewLabels,
        #[command(flatten)]
        unchanged: Unchanged,
        #[command(flatten)]
        change: Change,
    },
    /// Delete a group that nothing active uses; its reps stay
    #[command(after_help = "Example: turnwise group delete west --team sales")]
    Delete {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        deletion: Deletion,
    },
    /// Add members at the end of the ring
    #[command(after_help = ring::ADD_HELP)]
    Add(ring::Add),
    /// Remove members from the ring
    #[command(after_help = "Example: turnwise group remove west --team sales dora")]
    Remove(ring::Remove),
    /// Change the weight or the payload of one member
    #[command(
        after_help = "Examples:\n  turnwise group member west bo --team sales --weight 2\n  \
                            turnwise group member greetings hello --team sales --payload 'Hi!'"
    )]
    Member(ring::Member),
    /// Put the members into another order; each ring stays with the member it stood on
    #[command(after_help = "Example: turnwise group reorder west --team sales cem ana bo")]
    Reorder(ring::Reorder),
    /// Show where a ring stands and who is next
    #[command(after_help = "Example: turnwise group rotation west --team sales --campaign spring")]
    Rotation(rotation::Show),
    /// Show where all rings of a group stand, one for each campaign
    #[command(after_help = "Example: turnwise group rotations west --team sales")]
    Rotations(rotation::List),
    /// Put a ring back to the start: the first member is next
    #[command(after_help = "Example: turnwise group reset-rotation west --team sales \
                            --campaign spring")]
    ResetRotation(rotation::Reset),
    /// Give a member turns beyond their share, or take turns away
    #[command(
        after_help = "With 2 the next two turns are theirs; with -1 their next turn is passed \
                            over; 0 clears it.\n\nExample: turnwise group adjust-rotation west ana \
                            --team sales --credits 1 --reason 'lead was a duplicate'"
    )]
    AdjustRotation(rotation::Adjust),
    /// Show who got how many turns, how many were due, and why somebody got fewer
    #[command(after_help = report::HELP)]
    Report(report::Arguments),
}

#[derive(clap::Args)]
pub(super) struct Which {
    /// Its id
    group: String,
    /// Team
    #[arg(long, env = "TURNWISE_TEAM")]
    team: String,
}

/// Reads one member as `group create` does.
pub(super) fn member(team: &str, kind: GroupKind, word: &str) -> Result<GroupMember, String> {
    members::read(team, kind, word)
}

/// The service takes this many members in one call.
const MEMBERS_PER_CALL_MAX: usize = 1_000;

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    let group = match command {
        Command::Create { which, name, kind, members, from, settings, labels, change } => {
            let (Which { group, team }, kind) = (which, kind.into());
            let members = members::given(&team, kind, &members, from.as_deref())?;
            let group = Group {
                name: names::group(&team, &group),
                display_name: name,
                kind: kind.into(),
                members,
                labels: labels.map(),
                ..settings.of_new()
            };
            create(&client, &team, group, &change).await?
        }
        Command::Get(Which { group, team }) => Some(get(&client, &team, &group).await?),
        Command::Members(Which { group, team }) => {
            let members = pages::group_members(&client, &team, &group).await?;
            let rows: Vec<_> = members.iter().map(row::member).collect();
            return context.output.list(row::MEMBER_COLUMNS, &rows);
        }
        Command::List { team, filter } => {
            let groups = pages::groups_by(&client, &team, &filter.filter).await?;
            let rows: Vec<_> = groups.iter().map(row).collect();
            return context.output.brief(COLUMNS, BRIEF, &rows);
        }
        Command::Update { which, name, settings, labels, unchanged, change } => {
            let Which { group, team } = which;
            let mut mask = Mask::default();
            let after = Group {
                name: names::group(&team, &group),
                display_name: mask.take("display_name", name),
                labels: mask.take("labels", labels.map()),
                ..settings.of_present(&mut mask)
            };
            let request = UpdateGroupRequest {
                group: Some(after),
                update_mask: mask
                    .finish("--name, --strategy, --require-online, --cap, --label, …")?,
                request_id: change.request_id.clone(),
                etag: unchanged.etag,
                validate_only: change.validate_only,
            };
            change.send(&client, request, format!("update group `{group}`")).await?.group
        }
        Command::Delete { which: Which { group, team }, deletion } => {
            let Deletion { allow_missing, unchanged, change } = deletion;
            let request = DeleteGroupRequest {
                name: names::group(&team, &group),
                request_id: change.request_id.clone(),
                etag: unchanged.etag,
                validate_only: change.validate_only,
                allow_missing,
            };
            client.call(request).await.map_err(to(format!("delete group `{group}`")))?;
            return context.deleted("group", &group, &change);
        }
        Command::Add(arguments) => ring::add(&client, arguments).await?,
        Command::Remove(arguments) => ring::remove(&client, arguments).await?,
        Command::Member(arguments) => ring::member(&client, arguments).await?,
        Command::Reorder(arguments) => ring::reorder(&client, arguments).await?,
        Command::Rotation(arguments) => {
            return rotation::show(context, &client, arguments).await;
        }
        Command::Rotations(arguments) => {
            return rotation::list(context, &client, arguments).await;
        }
        Command::ResetRotation(arguments) => {
            return rotation::reset(context, &client, arguments).await;
        }
        Command::AdjustRotation(arguments) => {
            return rotation::adjust(context, &client, arguments).await;
        }
        Command::Report(arguments) => return report::run(context, &client, arguments).await,
    };
    context.output.record(COLUMNS, row(&group.unwrap_or_default()))
}

async fn get(client: &Client, team: &str, group: &str) -> Result<Group, Failure> {
    let request = GetGroupRequest { name: names::group(team, group) };
    let got = client.call(request).await.map_err(to(format!("get group `{group}`")))?;
    let mut got = got.group.unwrap_or_default();
    // An answer leaves the members of a large group out.
    if got.members.is_empty() {
        got.members = pages::group_members(client, team, group).await?;
    }
    Ok(got)
}

/// Creates it with as many members as a call takes, and adds the rest.
async fn create(
    client: &Client,
    team: &str,
    mut group: Group,
    change: &Change,
) -> Result<Option<Group>, Failure> {
    let id = names::id(&group.name).to_owned();
    let rest = group.members.split_off(group.members.len().min(MEMBERS_PER_CALL_MAX));
    let request = CreateGroupRequest {
        parent: names::team(team),
        group_id: id.clone(),
        group: Some(group),
        request_id: change.request_id.clone(),
        validate_only: change.validate_only,
    };
    ring::in_calls(&rest, change)?;
    let created = client.call(request).await.map_err(to(format!("create group `{id}`")))?.group;
    change.tell();
    let change = Change { request_id: change.also("members"), ..change.clone() };
    let added = ring::add_all(client, team, &id, &rest, &Unchanged::default(), &change).await?;
    Ok(added.or(created))
}
