//! `turnwise assign`: whose turn it is, for one contact or for a file of them; who would be next.
//!
//! | File | Owns |
//! |---|---|
//! | `owners` | which rep an owner's name in a file or flag means: pure |
//! | `how` | by what a contact is routed, and with what |
//! | `why` | a decision in plain words: pure |
//! | `rows` | a CSV file of contacts as requests |
//! | `file` | a CSV file in, a CSV file out |
//! | `preview` | who would be next, also if something were different |

mod file;
mod how;
mod owners;
mod preview;
mod rows;
mod why;

use serde_json::Value;

use super::{
    Context,
    change::Change,
    failure::{Failure, to},
    names, words,
};
use crate::proto::turnwise::v1::{AssignContactRequest, Assignment};
use how::How;

pub(super) use why::why;

#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Without --campaign, --rule, --group or --rep, the team's default rule decides. A contact that has been \
assigned the same way before stays with its rep and uses no turn, so all forms can be run again at any \
time. Nobody being available is no failure: the state is then PENDING or UNASSIGNED, and the exit code 0.

Examples:
  turnwise assign c-17 --team sales --campaign spring --owner lead=ana@example.com
  turnwise assign c-18 --team sales --rep ana
  turnwise assign preview --team sales --campaign spring --count 5
  turnwise assign --from leads.csv --team sales --contact lead_id --campaign spring --out assigned.csv
  turnwise assign --from leads.csv --team sales --contact lead_id --campaign-column office \\
      --owner-column agent --owner-kind lead --out assigned.csv"
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Whom to assign, by your own id
    #[arg(required_unless_present = "from", conflicts_with = "from")]
    contact_id: Option<String>,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    file: Option<file::FileArguments>,
    #[command(flatten)]
    change: Change,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Show who would be next, and why; nothing is changed
    #[command(after_help = preview::HELP)]
    Preview(preview::Arguments),
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<(), Failure> {
    let Arguments { command, contact_id, how, file, change } = arguments;
    if let Some(Command::Preview(arguments)) = command {
        return preview::run(context, arguments).await;
    }
    if let Some(arguments) = file {
        return file::run(context, how, &arguments, &change).await;
    }
    let contact = contact_id.ok_or_else(|| Failure::usage("whom to assign?"))?;
    let client = context.client()?;
    let request = AssignContactRequest {
        contact: contact.clone(),
        request_id: change.request_id.clone(),
        validate_only: change.validate_only,
        ..how.request(&client).await?
    };
    let answer = client.call(request).await.map_err(to(format!("assign `{contact}`")))?;
    let assignment = answer.assignment.unwrap_or_default();
    change.tell();
    let mut row = result_row(&assignment, answer.existing);
    row.push(why(&assignment, answer.existing).into());
    let columns: Vec<&str> = RESULT_COLUMNS.iter().copied().chain(["why"]).collect();
    context.output.record(&columns, row)
}

const RESULT_COLUMNS: [&str; 12] = [
    "contact",
    "campaign",
    "rep",
    "target",
    "cause",
    "existing",
    "log_index",
    "seq",
    "state",
    "assignment",
    "option",
    "payload",
];

/// One assignment as a row; the position is that of its last change, so it is the same when asked again.
fn result_row(assignment: &Assignment, existing: bool) -> Vec<Value> {
    // A dry run has none.
    let position = assignment.position.as_ref();
    let option = assignment.option.as_ref();
    vec![
        assignment.contact.as_str().into(),
        names::id(&assignment.campaign).into(),
        names::id(&assignment.rep).into(),
        assignment.target_index.map_or(Value::Null, Value::from),
        words::cause(assignment.cause()).into(),
        existing.into(),
        position.map(|position| position.log_index).into(),
        position.map(|position| position.seq).into(),
        words::state(assignment.state()).into(),
        names::id(&assignment.name).into(),
        option.map_or("", |option| option.id.as_str()).into(),
        option.map_or("", |option| option.payload.as_str()).into(),
    ]
}
