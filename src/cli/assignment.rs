//! `turnwise assignment`: get, list, and the steps in the life of one: accept, reject, claim, reassign,
//! unassign, close, cancel.

use serde_json::Value;

use super::{
    Context,
    assign::why,
    change::{self, Change, Filter},
    failure::{Failure, to},
    names,
    pages::{self, Which},
    time, words,
};
use crate::proto::turnwise::v1::{
    AcceptAssignmentRequest, Assignment, AssignmentState, CancelAssignmentRequest,
    ClaimAssignmentRequest, CloseAssignmentRequest, GetAssignmentRequest,
    ReassignAssignmentRequest, RejectAssignmentRequest, UnassignAssignmentRequest,
    reassign_assignment_request::To,
};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Show one assignment; `turnwise explain` tells why it is as it is
    #[command(after_help = "Example: turnwise assignment get 5-3 --team sales")]
    Get(One),
    /// List assignments in the order they were made
    #[command(
        after_help = "Examples:\n  turnwise assignment list --team sales --state pending\n  \
                            turnwise assignment list --team sales --rep ana --output csv"
    )]
    List(List),
    /// The rep to whom it is offered takes it
    #[command(after_help = "Example: turnwise assignment accept 5-3 --team sales --rep ana")]
    Accept(Answer),
    /// The rep to whom it is offered turns it down; it goes to the next one and never back
    #[command(after_help = "Example: turnwise assignment reject 5-3 --team sales --rep ana")]
    Reject(Answer),
    /// A rep takes what nobody has
    #[command(after_help = "Example: turnwise assignment claim 5-3 --team sales --rep ana")]
    Claim {
        #[command(flatten)]
        step: Step,
        /// Who takes it
        #[arg(long)]
        rep: String,
    },
    /// Give it to a rep, or route it anew without the present one
    #[command(
        after_help = "Examples:\n  turnwise assignment reassign 5-3 --team sales --to bo\n  \
                            turnwise assignment reassign 5-3 --team sales --by-rule"
    )]
    Reassign {
        #[command(flatten)]
        step: Step,
        #[command(flatten)]
        to: Whom,
    },
    /// Take it from its rep; it waits until somebody claims it or the contact comes again
    #[command(after_help = "Example: turnwise assignment unassign 5-3 --team sales")]
    Unassign(Step),
    /// The work is done: the rep has one open contact less
    #[command(after_help = "Example: turnwise assignment close 5-3 --team sales")]
    Close(Step),
    /// Call it off
    #[command(after_help = "Example: turnwise assignment cancel 5-3 --team sales")]
    Cancel(Step),
}

#[derive(clap::Args)]
pub(super) struct One {
    /// Its id, such as 5-3
    assignment: String,
    /// Team
    #[arg(long, env = "TURNWISE_TEAM")]
    team: String,
}

#[derive(clap::Args)]
pub(super) struct Step {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    change: Change,
}

#[derive(clap::Args)]
pub(super) struct Answer {
    #[command(flatten)]
    step: Step,
    /// Only if it is offered to this rep now
    #[arg(long)]
    rep: Option<String>,
}

impl Answer {
    /// The name of the rep, empty for whoever has the offer.
    fn rep(&self) -> String {
        let named = |rep: &String| names::rep(&self.step.one.team, rep);
        self.rep.as_ref().map(named).unwrap_or_default()
    }
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Whom {
    /// To this rep, whoever is available
    #[arg(long, value_name = "REP")]
    to: Option<String>,
    /// To whom its targets give it now, from the first one
    #[arg(long)]
    by_rule: bool,
}

#[derive(clap::Args)]
pub(super) struct List {
    /// Team
    #[arg(long, env = "TURNWISE_TEAM")]
    team: String,
    /// Only in this state: pending, offered, assigned, unassigned, closed, cancelled
    #[arg(long, value_parser = state)]
    state: Option<AssignmentState>,
    /// Only with this rep
    #[arg(long)]
    rep: Option<String>,
    /// Only of this contact
    #[arg(long, default_value = "", hide_default_value = true)]
    contact: String,
    /// Only by this campaign
    #[arg(long)]
    campaign: Option<String>,
    /// Only by this rule
    #[arg(long)]
    rule: Option<String>,
    /// Stop after so many
    #[arg(long)]
    limit: Option<usize>,
    #[command(flatten)]
    filter: Filter,
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    let assignment = match command {
        Command::Get(One { assignment, team }) => {
            let request = GetAssignmentRequest { name: names::assignment(&team, &assignment) };
            let got = client.call(request).await;
            got.map_err(to(format!("get assignment `{assignment}`")))?.assignment
        }
        Command::List(arguments) => return list(context, arguments).await,
        Command::Accept(answer) => {
            let rep = answer.rep();
            let Step { one: One { assignment, team }, change } = answer.step;
            let request = AcceptAssignmentRequest {
                name: names::assignment(&team, &assignment),
                rep,
                request_id: change.request_id.clone(),
                validate_only: change.validate_only,
            };
            change
                .send(&client, request, format!("accept assignment `{assignment}`"))
                .await?
                .assignment
        }
        Command::Reject(answer) => {
            let rep = answer.rep();
            let Step { one: One { assignment, team }, change } = answer.step;
            let request = RejectAssignmentRequest {
                name: names::assignment(&team, &assignment),
                rep,
                request_id: change.request_id.clone(),
                validate_only: change.validate_only,
            };
            change
                .send(&client, request, format!("reject assignment `{assignment}`"))
                .await?
                .assignment
        }
        Command::Claim { step: Step { one: One { assignment, team }, change }, rep } => {
            let request = ClaimAssignmentRequest {
                name: names::assignment(&team, &assignment),
                rep: names::rep(&team, &rep),
                request_id: change.request_id.clone(),
                validate_only: change.validate_only,
            };
            change
                .send(&client, request, format!("claim assignment `{assignment}`"))
                .await?
                .assignment
        }
        Command::Reassign { step, to: Whom { to: rep, by_rule } } => {
            let Step { one: One { assignment, team }, change } = step;
            let whom = match rep {
                Some(rep) => To::Rep(names::rep(&team, &rep)),
                None => To::ByRule(by_rule),
            };
            let request = ReassignAssignmentRequest {
                name: names::assignment(&team, &assignment),
                to: Some(whom),
                request_id: change.request_id.clone(),
                validate_only: change.validate_only,
            };
            change
                .send(&client, request, format!("reassign assignment `{assignment}`"))
                .await?
                .assignment
        }
        Command::Unassign(Step { one: One { assignment, team }, change }) => {
            let request = UnassignAssignmentRequest {
                name: names::assignment(&team, &assignment),
                request_id: change.request_id.clone(),
                validate_only: change.validate_only,
            };
            change
                .send(&client, request, format!("unassign assignment `{assignment}`"))
                .await?
                .assignment
        }
        Command::Close(Step { one: One { assignment, team }, change }) => {
            let request = CloseAssignmentRequest {
                name: names::assignment(&team, &assignment),
                request_id: change.request_id.clone(),
                validate_only: change.validate_only,
            };
            change
                .send(&client, request, format!("close assignment `{assignment}`"))
                .await?
                .assignment
        }
        Command::Cancel(Step { one: One { assignment, team }, change }) => {
            let request = CancelAssignmentRequest {
                name: names::assignment(&team, &assignment),
                request_id: change.request_id.clone(),
                validate_only: change.validate_only,
            };
            change
                .send(&client, request, format!("cancel assignment `{assignment}`"))
                .await?
                .assignment
        }
    };
    context.output.record(COLUMNS, row(&assignment.unwrap_or_default()))
}

async fn list(context: &Context, arguments: List) -> Result<(), Failure> {
    let List { team, state, rep, contact, campaign, rule, limit, filter } = arguments;
    let state = state.map(|state| format!("state = \"{}\"", words::state(state)));
    let rep = rep.map(|rep| format!("rep = \"{}\"", names::rep(&team, &rep)));
    let rule = rule.map(|rule| format!("routing_rule = \"{}\"", names::rule(&team, &rule)));
    let given = (!filter.filter.is_empty()).then_some(filter.filter);
    let terms: Vec<String> = [state, rep, rule, given].into_iter().flatten().collect();
    let which = Which { contact, campaign, filter: terms.join(" AND ") };
    let limit = limit.unwrap_or(usize::MAX);
    let found = pages::assignments_by(&context.client()?, &team, &which, limit).await?;
    let rows: Vec<_> = found.iter().map(row).collect();
    context.output.brief(COLUMNS, BRIEF, &rows)
}

const COLUMNS: &[&str] = &[
    "assignment",
    "contact",
    "state",
    "rep",
    "rep_email",
    "option",
    "payload",
    "cause",
    "campaign",
    "rule",
    "group",
    "target",
    "owner_changed",
    "priority",
    "wait_end_time",
    "expire_time",
    "rejected_by",
    "labels",
    "create_time",
    "update_time",
    "why",
];

/// What a list shows on a terminal.
const BRIEF: &[&str] =
    &["assignment", "contact", "state", "rep", "option", "cause", "campaign", "update_time"];

fn row(assignment: &Assignment) -> Vec<Value> {
    let option = assignment.option.as_ref();
    let rejected_by = assignment.rejected_by.iter();
    vec![
        names::id(&assignment.name).into(),
        assignment.contact.as_str().into(),
        words::state(assignment.state()).into(),
        names::id(&assignment.rep).into(),
        assignment.rep_email.as_str().into(),
        option.map_or("", |option| option.id.as_str()).into(),
        option.map_or("", |option| option.payload.as_str()).into(),
        words::cause(assignment.cause()).into(),
        names::id(&assignment.campaign).into(),
        names::id(&assignment.routing_rule).into(),
        names::id(&assignment.group).into(),
        assignment.target_index.map_or(Value::Null, Value::from),
        assignment.owner_changed.into(),
        assignment.priority.into(),
        time::show(assignment.wait_end_time.as_ref()),
        time::show(assignment.expire_time.as_ref()),
        rejected_by.map(|rep| Value::from(names::id(rep))).collect(),
        change::labels(&assignment.labels),
        time::show(assignment.create_time.as_ref()),
        time::show(assignment.update_time.as_ref()),
        why(assignment, false).into(),
    ]
}

/// Reads a state in any letter case, for clap.
fn state(text: &str) -> Result<AssignmentState, String> {
    let name = format!("ASSIGNMENT_STATE_{}", text.to_ascii_uppercase());
    let found = AssignmentState::from_str_name(&name);
    let found = found.filter(|state| *state != AssignmentState::Unspecified);
    let all = "not one of pending, offered, assigned, unassigned, closed, cancelled";
    found.ok_or(all.to_owned())
}
