//! `turnwise assign`: whose turn it is, for one contact or for a file of them.
//!
//! | File | Owns |
//! |---|---|
//! | `owners` | which rep an owner's name in a file or flag means: pure |
//! | `why` | a decision in plain words: pure |
//! | `file` | a CSV file in, a CSV file out |

mod file;
mod owners;
mod why;

use std::path::PathBuf;

use serde_json::Value;

use super::{
    Context, campaign,
    failure::{Failure, to},
    names, pages,
};
use crate::proto::turnwise::v1::{
    AssignContactRequest, Assignment, Cause, OwnerKind, assign_contact_request::Via,
};
use owners::Owners;

#[derive(clap::Args)]
#[command(after_help = "\
A contact that the campaign has assigned before stays with its rep and uses no turn, so both forms can be \
run again at any time.

Examples:
  turnwise assign c-17 --team sales --campaign spring --owner lead=ana@example.com
  turnwise assign --from leads.csv --team sales --contact lead_id --campaign spring --out assigned.csv
  turnwise assign --from leads.csv --team sales --contact lead_id --campaign-column office \\
      --owner-column agent --owner-kind lead --out assigned.csv")]
pub(super) struct Arguments {
    /// Whom to assign, by your own id
    #[arg(required_unless_present = "from", conflicts_with = "from")]
    contact_id: Option<String>,
    /// Team
    #[arg(long, env = "TURNWISE_TEAM")]
    team: String,
    /// Campaign whose targets to use
    #[arg(long)]
    campaign: Option<String>,
    /// Owner in your CRM, by email, external id or rep id; may be given once for each kind
    #[arg(long, value_name = "KIND=OWNER", value_parser = owner, conflicts_with = "from")]
    owner: Vec<(OwnerKind, String)>,
    #[command(flatten)]
    file: Option<FileArguments>,
}

#[derive(clap::Args)]
#[group(requires_all = ["from", "contact", "out"], multiple = true)]
struct FileArguments {
    /// File with a row for each contact
    #[arg(long, value_name = "FILE.csv", required = false)]
    from: PathBuf,
    /// Column of the contact's id
    #[arg(long, value_name = "COLUMN", required = false)]
    contact: String,
    /// Column of the campaign, where it differs from row to row
    #[arg(long, value_name = "COLUMN", conflicts_with = "campaign")]
    campaign_column: Option<String>,
    /// Column of the owner: email, external id or rep id; an empty cell is no owner
    #[arg(long, value_name = "COLUMN", requires = "owner_kind")]
    owner_column: Option<String>,
    /// Which record that owner was read from: contact, lead, account, opportunity
    #[arg(long, value_name = "KIND", value_parser = campaign::owner_kind, requires = "owner_column")]
    owner_kind: Option<OwnerKind>,
    /// Where to write the result; replaced only when it is whole
    #[arg(long, value_name = "RESULT.csv", required = false)]
    out: PathBuf,
    /// How many to have under way at once
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    concurrency: u16,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<(), Failure> {
    let Arguments { contact_id, team, campaign, owner, file } = arguments;
    if let Some(arguments) = file {
        if campaign.is_none() && arguments.campaign_column.is_none() {
            return Err(Failure::usage("by which campaign?").advise(
                "--campaign CAMPAIGN for all rows, or --campaign-column COLUMN where they differ",
            ));
        }
        return file::run(context, &team, campaign.as_deref(), &arguments).await;
    }
    let contact = contact_id.ok_or_else(|| Failure::usage("whom to assign?"))?;
    let client = context.client()?;
    let owners = match owner.is_empty() {
        true => Owners::default(),
        false => Owners::new(&pages::reps(&client, &team).await?),
    };
    let mut found = Vec::new();
    for (kind, text) in &owner {
        found.extend(owners.resolve(*kind, text).map_err(Failure::failed)?);
    }
    let request = AssignContactRequest {
        parent: names::team(&team),
        contact: contact.clone(),
        owners: found,
        request_id: String::new(),
        via: campaign.map(|campaign| Via::Campaign(names::campaign(&team, &campaign))),
    };
    let answer = client.call(request).await.map_err(to(format!("assign `{contact}`")))?;
    let assignment = answer.assignment.unwrap_or_default();
    let mut row = result_row(&assignment, answer.existing);
    row.push(why::why(&assignment, answer.existing).into());
    let columns: Vec<&str> = RESULT_COLUMNS.iter().copied().chain(["why"]).collect();
    context.output.record(&columns, row)
}

const RESULT_COLUMNS: [&str; 8] =
    ["contact", "campaign", "rep", "target", "cause", "existing", "log_index", "seq"];

/// One assignment as a row; the position is the assignment's own, so it is the same when asked again.
fn result_row(assignment: &Assignment, existing: bool) -> Vec<Value> {
    let position = assignment.position.unwrap_or_default();
    let cause = match assignment.cause() {
        Cause::Owner => "OWNER",
        Cause::Rotation => "ROTATION",
        Cause::Rep => "REP",
        Cause::NoTarget => "NO_TARGET",
        Cause::Unspecified => "UNSPECIFIED",
    };
    vec![
        assignment.contact.as_str().into(),
        names::id(&assignment.campaign).into(),
        names::id(&assignment.rep).into(),
        assignment.target_index.map_or(Value::Null, Value::from),
        cause.into(),
        existing.into(),
        position.log_index.into(),
        position.seq.into(),
    ]
}

fn owner(text: &str) -> Result<(OwnerKind, String), String> {
    let (kind, owner) =
        text.split_once('=').ok_or("not KIND=OWNER, such as lead=ana@example.com")?;
    Ok((campaign::owner_kind(kind)?, owner.to_owned()))
}
