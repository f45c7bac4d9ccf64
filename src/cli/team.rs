//! `turnwise team`: create, get, list.

use serde_json::Value;

use super::{
    Context,
    failure::{Failure, to},
    names, pages, time,
};
use crate::proto::turnwise::v1::{CreateTeamRequest, GetTeamRequest, Team};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Create a team with its empty default group
    #[command(after_help = "Example: turnwise team create sales --name 'Sales, Berlin'")]
    Create {
        /// Its id
        team: String,
        /// What people call it
        #[arg(long, default_value = "")]
        name: String,
    },
    /// Show one team
    #[command(after_help = "Example: turnwise team get sales --output json")]
    Get {
        /// Its id
        team: String,
    },
    /// List all teams
    #[command(after_help = "Example: turnwise team list")]
    List,
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::Create { team, name } => {
            let request = CreateTeamRequest {
                team_id: team.clone(),
                team: Some(Team { display_name: name, ..Team::default() }),
                ..CreateTeamRequest::default()
            };
            let created =
                client.call(request).await.map_err(to(format!("create team `{team}`")))?;
            context.output.record(COLUMNS, row(&created.team.unwrap_or_default()))
        }
        Command::Get { team } => {
            let request = GetTeamRequest { name: names::team(&team) };
            let got = client.call(request).await.map_err(to(format!("get team `{team}`")))?;
            context.output.record(COLUMNS, row(&got.team.unwrap_or_default()))
        }
        Command::List => {
            let rows: Vec<_> = pages::teams(&client).await?.iter().map(row).collect();
            context.output.list(COLUMNS, &rows)
        }
    }
}

const COLUMNS: &[&str] = &["team", "display_name", "create_time"];

fn row(team: &Team) -> Vec<Value> {
    let Team { name, display_name, default_group: _, create_time } = team;
    vec![names::id(name).into(), display_name.as_str().into(), time::show(create_time.as_ref())]
}
