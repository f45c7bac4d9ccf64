//! `turnwise campaign`: create, get, list, update, retarget, schedule, launch, pause, resume, cancel,
//! delete.
//!
//! | File | Owns |
//! |---|---|
//! | `row` | a campaign as it is shown: pure |

mod row;

use super::{
    Context,
    change::{Change, Deletion, Filter, Labels, Mask, NewLabels, Unchanged, say},
    failure::{Failure, to},
    names, pages,
    targets::{self, Kind, Target},
    time::{self, Instant},
    words,
};
use crate::{
    client::Client,
    proto::turnwise::v1::{
        Campaign, CancelCampaignRequest, CreateCampaignRequest, DeleteCampaignRequest,
        GetCampaignRequest, LaunchCampaignRequest, OwnerKind, PauseCampaignRequest,
        ResumeCampaignRequest, ScheduleCampaignRequest, TargetList, UpdateCampaignRequest,
    },
};
use row::{BRIEF, COLUMNS, row, warning};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Create a campaign, as a draft unless --launch is given
    #[command(after_help = format!("By --owner, --group and --rep the order is: the owner, the groups, \
                            the reps; by --target as given. Without any, the team's default \
                            rule.\n\n{}\n\nExamples:\n  \
                            turnwise campaign create spring --team sales --owner contact,lead \
                            --group west --launch\n  \
                            turnwise campaign create chat --team sales --target owner \
                            --target group:west,wait=10m,online --target rep:ana,include-unavailable",
                            targets::FORMS))]
    Create {
        #[command(flatten)]
        which: Which,
        /// What people call it
        #[arg(long, default_value = "", hide_default_value = true)]
        name: String,
        #[command(flatten)]
        targets: Targets,
        #[command(flatten)]
        labels: Labels,
        /// Launch it at once
        #[arg(long)]
        launch: bool,
        #[command(flatten)]
        change: Change,
    },
    /// Show one campaign
    #[command(after_help = "Example: turnwise campaign get spring --team sales")]
    Get(Which),
    /// List the campaigns of a team
    #[command(after_help = "Examples:\n  turnwise campaign list --team sales\n  \
                            turnwise campaign list --team sales --filter 'state = \"RUNNING\"'")]
    List {
        /// Team
        #[arg(long, env = "TURNWISE_TEAM")]
        team: String,
        #[command(flatten)]
        filter: Filter,
    },
    /// Change what people call it, or its labels
    #[command(
        after_help = "Example: turnwise campaign update spring --team sales --name 'Spring 2026'"
    )]
    Update {
        #[command(flatten)]
        which: Which,
        /// What people call it
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        labels: NewLabels,
        #[command(flatten)]
        unchanged: Unchanged,
        #[command(flatten)]
        change: Change,
    },
    /// Set down when it is meant to be launched; nothing launches by itself
    #[command(after_help = format!("{}\n\nExample: turnwise campaign schedule spring --team sales \
                            --at 2026-03-20T09:00", time::FORMS))]
    Schedule {
        #[command(flatten)]
        which: Which,
        /// When, for information [default: not known yet]
        #[arg(long, value_parser = time::instant)]
        at: Option<Instant>,
        #[command(flatten)]
        unchanged: Unchanged,
        #[command(flatten)]
        change: Change,
    },
    /// Start routing; needs somebody available now
    #[command(after_help = "Example: turnwise campaign launch spring --team sales")]
    Launch(Step),
    /// Mark as paused; contacts under way are still routed
    #[command(after_help = "Example: turnwise campaign pause spring --team sales")]
    Pause(Step),
    /// Back from paused to running
    #[command(after_help = "Example: turnwise campaign resume spring --team sales")]
    Resume(Step),
    /// End it for good; its groups become free, and what waits by it waits for a person
    #[command(after_help = "Example: turnwise campaign cancel spring --team sales")]
    Cancel(Step),
    /// Replace where contacts go, also after launch; contacts already assigned stay
    #[command(after_help = format!("{}\n\nExamples:\n  \
                            turnwise campaign retarget spring --team sales --group north\n  \
                            turnwise campaign retarget spring --team sales --rule chat",
                            targets::FORMS))]
    Retarget {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        targets: Targets,
        /// Back to the team's default rule
        #[arg(long, conflicts_with_all = ["owner", "group", "rep", "target", "rule"])]
        default: bool,
        #[command(flatten)]
        unchanged: Unchanged,
        #[command(flatten)]
        change: Change,
    },
    /// Delete a cancelled campaign; its assignments stay
    #[command(after_help = "Example: turnwise campaign delete spring --team sales")]
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
    campaign: String,
    /// Team
    #[arg(long, env = "TURNWISE_TEAM")]
    team: String,
}

/// A step in the life of a campaign.
#[derive(clap::Args)]
pub(super) struct Step {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    unchanged: Unchanged,
    #[command(flatten)]
    change: Change,
}

#[derive(clap::Args)]
pub(super) struct Targets {
    /// Whose ownership in the CRM goes before any turn, in order: contact, lead, account, opportunity
    #[arg(
        long,
        value_name = "KIND,…",
        value_delimiter = ',',
        value_parser = words::owner_kind,
        conflicts_with = "target"
    )]
    owner: Vec<OwnerKind>,
    /// A group whose reps take turns; may be given several times
    #[arg(long, conflicts_with = "target")]
    group: Vec<String>,
    /// A rep who gets what no target before gave away; may be given several times
    #[arg(long, conflicts_with = "target")]
    rep: Vec<String>,
    /// A target with all its options; several are tried in the order given
    #[arg(long, value_parser = targets::read)]
    target: Vec<Target>,
    /// A rule whose targets to use
    #[arg(long, conflicts_with_all = ["owner", "group", "rep", "target"])]
    rule: Option<String>,
}

/// What a campaign routes by.
#[derive(Debug, Clone, PartialEq, Default)]
struct Way {
    targets: Option<TargetList>,
    /// Its resource name.
    rule: Option<String>,
}

impl Targets {
    fn way(self, team: &str) -> Result<Way, Failure> {
        let Self { owner, group, rep, target, rule } = self;
        let owner = (!owner.is_empty()).then_some(Kind::Owner(owner));
        let groups = group.into_iter().map(Kind::Group);
        let reps = rep.into_iter().map(Kind::Rep);
        let plain = owner.into_iter().chain(groups).chain(reps).map(Target::plain);
        let all: Vec<Target> = plain.chain(target).collect();
        let targets = targets::list(team, &all).map_err(Failure::usage)?;
        Ok(Way { targets, rule: rule.map(|rule| names::rule(team, &rule)) })
    }
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    let campaign = match command {
        Command::Create { which, name, targets, labels, launch, change } => {
            create(&client, which, name, targets, labels, launch, &change).await?
        }
        Command::Get(Which { campaign, team }) => {
            let request = GetCampaignRequest { name: names::campaign(&team, &campaign) };
            let got = client.call(request).await;
            let got = got.map_err(to(format!("get campaign `{campaign}`")))?.campaign;
            return context.output.record(COLUMNS, row(&got.unwrap_or_default()));
        }
        Command::List { team, filter } => {
            let campaigns = pages::campaigns(&client, &team, &filter.filter).await?;
            let rows: Vec<_> = campaigns.iter().map(row).collect();
            return context.output.brief(COLUMNS, BRIEF, &rows);
        }
        Command::Update { which: Which { campaign, team }, name, labels, unchanged, change } => {
            let mut mask = Mask::default();
            let after = Campaign {
                name: names::campaign(&team, &campaign),
                display_name: mask.take("display_name", name),
                labels: mask.take("labels", labels.map()),
                ..Campaign::default()
            };
            let mask =
                mask.finish("--name, --label; where contacts go: turnwise campaign retarget")?;
            update(&client, after, mask, unchanged, &change, "update").await?
        }
        Command::Schedule { which: Which { campaign, team }, at, unchanged, change } => {
            let request = ScheduleCampaignRequest {
                name: names::campaign(&team, &campaign),
                launch_time: at.map(Instant::to_proto),
                request_id: change.request_id.clone(),
                etag: unchanged.etag,
                validate_only: change.validate_only,
            };
            change.send(&client, request, format!("schedule campaign `{campaign}`")).await?.campaign
        }
        Command::Launch(step) => launch(&client, step).await?,
        Command::Pause(Step { which: Which { campaign, team }, unchanged, change }) => {
            let request = PauseCampaignRequest {
                name: names::campaign(&team, &campaign),
                request_id: change.request_id.clone(),
                etag: unchanged.etag,
                validate_only: change.validate_only,
            };
            change.send(&client, request, format!("pause campaign `{campaign}`")).await?.campaign
        }
        Command::Resume(Step { which: Which { campaign, team }, unchanged, change }) => {
            let request = ResumeCampaignRequest {
                name: names::campaign(&team, &campaign),
                request_id: change.request_id.clone(),
                etag: unchanged.etag,
                validate_only: change.validate_only,
            };
            change.send(&client, request, format!("resume campaign `{campaign}`")).await?.campaign
        }
        Command::Cancel(Step { which: Which { campaign, team }, unchanged, change }) => {
            let request = CancelCampaignRequest {
                name: names::campaign(&team, &campaign),
                request_id: change.request_id.clone(),
                etag: unchanged.etag,
                validate_only: change.validate_only,
            };
            change.send(&client, request, format!("cancel campaign `{campaign}`")).await?.campaign
        }
        Command::Retarget { which, targets, default, unchanged, change } => {
            let Which { campaign, team } = which;
            let Way { targets, rule } = targets.way(&team)?;
            if targets.is_none() && rule.is_none() && !default {
                return Err(Failure::usage("say where contacts are to go").advise(
                    "--target, --owner, --group, --rep or --rule; or --default for the team's \
                     default rule",
                ));
            }
            // Either replaces the other; unset targets are the team's default rule.
            let path = if rule.is_some() { "routing_rule" } else { "targets" };
            let paths = vec![path.to_owned()];
            let after = Campaign {
                name: names::campaign(&team, &campaign),
                targets,
                routing_rule: rule.unwrap_or_default(),
                ..Campaign::default()
            };
            let mask = Some(prost_types::FieldMask { paths });
            update(&client, after, mask, unchanged, &change, "retarget").await?
        }
        Command::Delete { which: Which { campaign, team }, deletion } => {
            let Deletion { allow_missing, unchanged, change } = deletion;
            let request = DeleteCampaignRequest {
                name: names::campaign(&team, &campaign),
                request_id: change.request_id.clone(),
                etag: unchanged.etag,
                validate_only: change.validate_only,
                allow_missing,
            };
            client.call(request).await.map_err(to(format!("delete campaign `{campaign}`")))?;
            return context.deleted("campaign", &campaign, &change);
        }
    };
    let campaign = campaign.unwrap_or_default();
    for warning in campaign.warnings.iter().filter_map(warning) {
        say(&format!("warning: {warning}"));
    }
    context.output.record(COLUMNS, row(&campaign))
}

async fn create(
    client: &Client,
    which: Which,
    name: String,
    targets: Targets,
    labels: Labels,
    is_launched: bool,
    change: &Change,
) -> Result<Option<Campaign>, Failure> {
    let Which { campaign, team } = which;
    let Way { targets, rule } = targets.way(&team)?;
    let request = CreateCampaignRequest {
        parent: names::team(&team),
        campaign_id: campaign.clone(),
        campaign: Some(Campaign {
            display_name: name,
            targets,
            routing_rule: rule.unwrap_or_default(),
            labels: labels.map(),
            ..Campaign::default()
        }),
        request_id: change.request_id.clone(),
        validate_only: change.validate_only,
    };
    let created = client.call(request).await;
    let created = created.map_err(to(format!("create campaign `{campaign}`")))?.campaign;
    change.tell();
    if !is_launched {
        return Ok(created);
    }
    if change.validate_only {
        say(
            "the launch can't be checked before the campaign is there; a warning says what it would \
             meet",
        );
        return Ok(created);
    }
    let change = Change { request_id: change.also("launch"), ..change.clone() };
    let which = Which { campaign, team };
    launch(client, Step { which, unchanged: Unchanged::default(), change }).await
}

async fn launch(client: &Client, step: Step) -> Result<Option<Campaign>, Failure> {
    let Step { which: Which { campaign, team }, unchanged, change } = step;
    let request = LaunchCampaignRequest {
        name: names::campaign(&team, &campaign),
        request_id: change.request_id.clone(),
        etag: unchanged.etag,
        validate_only: change.validate_only,
    };
    Ok(change.send(client, request, format!("launch campaign `{campaign}`")).await?.campaign)
}

async fn update(
    client: &Client,
    campaign: Campaign,
    update_mask: Option<prost_types::FieldMask>,
    unchanged: Unchanged,
    change: &Change,
    verb: &str,
) -> Result<Option<Campaign>, Failure> {
    let id = names::id(&campaign.name).to_owned();
    let request = UpdateCampaignRequest {
        campaign: Some(campaign),
        update_mask,
        request_id: change.request_id.clone(),
        etag: unchanged.etag,
        validate_only: change.validate_only,
    };
    Ok(change.send(client, request, format!("{verb} campaign `{id}`")).await?.campaign)
}
