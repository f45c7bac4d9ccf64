//! `turnwise rule`: create, get, list, update, delete.

use serde_json::Value;

use super::{
    Context,
    change::{self, Change, Deletion, Filter, Labels, Mask, NewLabels, Unchanged},
    failure::{Failure, to},
    names, pages,
    targets::{self, Target},
    time,
};
use crate::proto::turnwise::v1::{
    CreateRoutingRuleRequest, DeleteRoutingRuleRequest, GetRoutingRuleRequest, RoutingRule,
    TargetList, UpdateRoutingRuleRequest,
};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Create a rule: targets with a name, for campaigns, teams and calls
    #[command(after_help = format!("{}\n\nExample: turnwise rule create chat --team sales \
                            --name 'Chat handover' --target owner:opportunity \
                            --target group:west,wait=10m,online --target rep:ana,include-unavailable",
                            targets::FORMS))]
    Create {
        #[command(flatten)]
        which: Which,
        /// What people call it, unique in the team [default: its id]
        #[arg(long)]
        name: Option<String>,
        /// Where contacts go, in order; none: they wait for a person to claim them
        #[arg(long, value_parser = targets::read)]
        target: Vec<Target>,
        #[command(flatten)]
        labels: Labels,
        #[command(flatten)]
        change: Change,
    },
    /// Show one rule
    #[command(after_help = "Example: turnwise rule get chat --team sales")]
    Get(Which),
    /// List the rules of a team
    #[command(after_help = "Example: turnwise rule list --team sales")]
    List {
        /// Team
        #[arg(long, env = "TURNWISE_TEAM")]
        team: String,
        #[command(flatten)]
        filter: Filter,
    },
    /// Change its name, its targets or its labels, for all that use it
    #[command(after_help = format!("{}\n\nThose given replace all there are. Contacts that wait by \
                            the rule start again at its first target.\n\n\
                            Example: turnwise rule update chat --team sales --target group:north",
                            targets::FORMS))]
    Update {
        #[command(flatten)]
        which: Which,
        /// What people call it
        #[arg(long)]
        name: Option<String>,
        /// Where contacts go, in order
        #[arg(long, value_parser = targets::read)]
        target: Vec<Target>,
        #[command(flatten)]
        labels: NewLabels,
        #[command(flatten)]
        unchanged: Unchanged,
        #[command(flatten)]
        change: Change,
    },
    /// Delete a rule that no active campaign and no team's default uses
    #[command(after_help = "Example: turnwise rule delete chat --team sales")]
    Delete {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        deletion: Deletion,
    },
}

#[derive(clap::Args)]
pub(super) struct Which {
    /// Its id
    rule: String,
    /// Team
    #[arg(long, env = "TURNWISE_TEAM")]
    team: String,
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    let rule = match command {
        Command::Create { which: Which { rule, team }, name, target, labels, change } => {
            let list = targets::list(&team, &target).map_err(Failure::usage)?;
            let request = CreateRoutingRuleRequest {
                parent: names::team(&team),
                routing_rule_id: rule.clone(),
                routing_rule: Some(RoutingRule {
                    display_name: name.unwrap_or_else(|| rule.clone()),
                    targets: list.unwrap_or_default().targets,
                    labels: labels.map(),
                    ..RoutingRule::default()
                }),
                request_id: change.request_id.clone(),
                validate_only: change.validate_only,
            };
            change.send(&client, request, format!("create rule `{rule}`")).await?.routing_rule
        }
        Command::Get(Which { rule, team }) => {
            let request = GetRoutingRuleRequest { name: names::rule(&team, &rule) };
            client.call(request).await.map_err(to(format!("get rule `{rule}`")))?.routing_rule
        }
        Command::List { team, filter } => {
            let rules = pages::rules(&client, &team, &filter.filter).await?;
            let rows: Vec<_> = rules.iter().map(row).collect();
            return context.output.brief(COLUMNS, BRIEF, &rows);
        }
        Command::Update { which, name, target, labels, unchanged, change } => {
            let Which { rule, team } = which;
            let list = targets::list(&team, &target).map_err(Failure::usage)?;
            let mut mask = Mask::default();
            let request = UpdateRoutingRuleRequest {
                routing_rule: Some(RoutingRule {
                    name: names::rule(&team, &rule),
                    display_name: mask.take("display_name", name),
                    targets: mask.take("targets", list.map(|TargetList { targets }| targets)),
                    labels: mask.take("labels", labels.map()),
                    ..RoutingRule::default()
                }),
                update_mask: mask.finish("--name, --target, --label")?,
                request_id: change.request_id.clone(),
                etag: unchanged.etag,
                validate_only: change.validate_only,
            };
            change.send(&client, request, format!("update rule `{rule}`")).await?.routing_rule
        }
        Command::Delete { which: Which { rule, team }, deletion } => {
            let Deletion { allow_missing, unchanged, change } = deletion;
            let request = DeleteRoutingRuleRequest {
                name: names::rule(&team, &rule),
                request_id: change.request_id.clone(),
                etag: unchanged.etag,
                validate_only: change.validate_only,
                allow_missing,
            };
            client.call(request).await.map_err(to(format!("delete rule `{rule}`")))?;
            return context.deleted("rule", &rule, &change);
        }
    };
    context.output.record(COLUMNS, row(&rule.unwrap_or_default()))
}

const COLUMNS: &[&str] =
    &["rule", "display_name", "targets", "labels", "create_time", "update_time", "etag"];

const BRIEF: &[&str] = &["rule", "display_name", "targets"];

fn row(rule: &RoutingRule) -> Vec<Value> {
    let RoutingRule { name, display_name, targets, create_time, labels, update_time, etag } = rule;
    vec![
        names::id(name).into(),
        display_name.as_str().into(),
        targets::show_all(targets).into(),
        change::labels(labels),
        time::show(create_time.as_ref()),
        time::show(update_time.as_ref()),
        etag.as_str().into(),
    ]
}
