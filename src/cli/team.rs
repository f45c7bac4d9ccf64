//! `turnwise team`: create, get, list, update, delete.

use serde_json::Value;

use super::{
    Context,
    change::{self, Change, Deletion, Filter, Labels, Mask, NewLabels, Unchanged},
    failure::{Failure, to},
    names, pages, time,
};
use crate::proto::turnwise::v1::{
    CreateTeamRequest, DeleteTeamRequest, GetTeamRequest, Team, UpdateTeamRequest,
};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Create a team with its empty default group
    #[command(after_help = "Example: turnwise team create sales --name 'Sales, Berlin' \
                            --time-zone Europe/Berlin")]
    Create {
        /// Its id
        team: String,
        /// What people call it
        #[arg(long, default_value = "", hide_default_value = true)]
        name: String,
        /// Zone it works in, such as Europe/Berlin; taken for its reps' hours
        #[arg(long, default_value = "", hide_default_value = true)]
        time_zone: String,
        #[command(flatten)]
        labels: Labels,
        #[command(flatten)]
        change: Change,
    },
    /// Show one team
    #[command(after_help = "Example: turnwise team get sales --output json")]
    Get {
        /// Its id
        team: String,
    },
    /// List all teams
    #[command(after_help = "Example: turnwise team list --filter 'labels.region = \"emea\"'")]
    List {
        #[command(flatten)]
        filter: Filter,
    },
    /// Change what people call it, its default rule, its time zone or its labels
    #[command(after_help = "Without a default rule, contacts that come without a campaign go to \
                            their owner, or else to the next of all reps.\n\n\
                            Example: turnwise team update sales --default-rule standard")]
    Update {
        /// Its id
        team: String,
        /// What people call it
        #[arg(long)]
        name: Option<String>,
        /// Rule for contacts that come without a campaign; '' for none
        #[arg(long, value_name = "RULE")]
        default_rule: Option<String>,
        /// Zone it works in, such as Europe/Berlin; '' for none
        #[arg(long)]
        time_zone: Option<String>,
        #[command(flatten)]
        labels: NewLabels,
        #[command(flatten)]
        unchanged: Unchanged,
        #[command(flatten)]
        change: Change,
    },
    /// Delete a team and all that is in it; not while it has an active campaign or open work
    #[command(after_help = "Example: turnwise team delete sales")]
    Delete {
        /// Its id
        team: String,
        #[command(flatten)]
        deletion: Deletion,
    },
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    let team = match command {
        Command::Create { team, name, time_zone, labels, change } => {
            let request = CreateTeamRequest {
                team_id: team.clone(),
                team: Some(Team {
                    display_name: name,
                    time_zone,
                    labels: labels.map(),
                    ..Team::default()
                }),
                request_id: change.request_id.clone(),
                validate_only: change.validate_only,
            };
            change.send(&client, request, format!("create team `{team}`")).await?.team
        }
        Command::Get { team } => {
            let request = GetTeamRequest { name: names::team(&team) };
            client.call(request).await.map_err(to(format!("get team `{team}`")))?.team
        }
        Command::List { filter } => {
            let teams = pages::teams(&client, &filter.filter).await?;
            let rows: Vec<_> = teams.iter().map(row).collect();
            return context.output.brief(COLUMNS, BRIEF, &rows);
        }
        Command::Update { team, name, default_rule, time_zone, labels, unchanged, change } => {
            let mut mask = Mask::default();
            let rule = default_rule.map(|rule| match rule.as_str() {
                "" => rule,
                id => names::rule(&team, id),
            });
            let request = UpdateTeamRequest {
                team: Some(Team {
                    name: names::team(&team),
                    display_name: mask.take("display_name", name),
                    default_rule: mask.take("default_rule", rule),
                    time_zone: mask.take("time_zone", time_zone),
                    labels: mask.take("labels", labels.map()),
                    ..Team::default()
                }),
                update_mask: mask.finish("--name, --default-rule, --time-zone, --label")?,
                request_id: change.request_id.clone(),
                etag: unchanged.etag,
                validate_only: change.validate_only,
            };
            change.send(&client, request, format!("update team `{team}`")).await?.team
        }
        Command::Delete { team, deletion: Deletion { allow_missing, unchanged, change } } => {
            let request = DeleteTeamRequest {
                name: names::team(&team),
                request_id: change.request_id.clone(),
                etag: unchanged.etag,
                validate_only: change.validate_only,
                allow_missing,
            };
            client.call(request).await.map_err(to(format!("delete team `{team}`")))?;
            return context.deleted("team", &team, &change);
        }
    };
    context.output.record(COLUMNS, row(&team.unwrap_or_default()))
}

const COLUMNS: &[&str] = &[
    "team",
    "display_name",
    "default_rule",
    "time_zone",
    "labels",
    "create_time",
    "update_time",
    "etag",
];

const BRIEF: &[&str] = &["team", "display_name", "default_rule", "time_zone", "create_time"];

fn row(team: &Team) -> Vec<Value> {
    let Team {
        name,
        display_name,
        default_group: _,
        create_time,
        default_rule,
        time_zone,
        labels,
        update_time,
        etag,
    } = team;
    vec![
        names::id(name).into(),
        display_name.as_str().into(),
        names::id(default_rule).into(),
        time_zone.as_str().into(),
        change::labels(labels),
        time::show(create_time.as_ref()),
        time::show(update_time.as_ref()),
        etag.as_str().into(),
    ]
}
