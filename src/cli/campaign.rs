//! `turnwise campaign`: create, get, list, launch, pause, resume, cancel, retarget.

use std::io::Write as _;

use serde_json::Value;

use super::{
    Context,
    failure::{Failure, to},
    names, pages, time,
};
use crate::{
    client::Client,
    proto::turnwise::v1::{
        Campaign, CampaignState, CampaignWarning, CancelCampaignRequest, CreateCampaignRequest,
        GetCampaignRequest, LaunchCampaignRequest, OwnerKind, OwnerTarget, PauseCampaignRequest,
        ResumeCampaignRequest, Target, TargetList, UpdateCampaignRequest,
        campaign_warning::Kind as WarningKind, target::Kind as TargetKind,
    },
};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Create a campaign, as a draft unless --launch is given
    #[command(
        after_help = "Targets are tried in this order: the owner, the groups, the reps. Without \
                            any, the team's default rule: the owner, then all reps in turn.\n\n\
                            Example: turnwise campaign create spring --team sales \
                            --owner contact,lead --group west --launch"
    )]
    Create {
        #[command(flatten)]
        which: Which,
        /// What people call it
        #[arg(long, default_value = "")]
        name: String,
        #[command(flatten)]
        targets: Targets,
        /// Launch it at once
        #[arg(long)]
        launch: bool,
    },
    /// Show one campaign
    #[command(after_help = "Example: turnwise campaign get spring --team sales")]
    Get(Which),
    /// List the campaigns of a team
    #[command(after_help = "Example: turnwise campaign list --team sales")]
    List {
        /// Team
        #[arg(long, env = "TURNWISE_TEAM")]
        team: String,
    },
    /// Start routing; needs somebody available now
    #[command(after_help = "Example: turnwise campaign launch spring --team sales")]
    Launch(Which),
    /// Mark as paused; contacts under way are still routed
    #[command(after_help = "Example: turnwise campaign pause spring --team sales")]
    Pause(Which),
    /// Back from paused to running
    #[command(after_help = "Example: turnwise campaign resume spring --team sales")]
    Resume(Which),
    /// End it for good; its groups become free
    #[command(after_help = "Example: turnwise campaign cancel spring --team sales")]
    Cancel(Which),
    /// Replace its targets, also after launch; contacts already assigned stay
    #[command(after_help = "Example: turnwise campaign retarget spring --team sales --group north")]
    Retarget {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        targets: Targets,
        /// Back to the team's default rule
        #[arg(long, conflicts_with_all = ["owner", "group", "rep"])]
        default: bool,
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

#[derive(clap::Args)]
pub(super) struct Targets {
    /// Whose ownership in the CRM goes before any turn, in order: contact, lead, account, opportunity
    #[arg(long, value_name = "KIND,…", value_delimiter = ',', value_parser = owner_kind)]
    owner: Vec<OwnerKind>,
    /// A group whose reps take turns; may be given several times
    #[arg(long)]
    group: Vec<String>,
    /// A rep who gets what no target before gave away; may be given several times
    #[arg(long)]
    rep: Vec<String>,
}

impl Targets {
    /// In order; `None` if nothing was given.
    fn list(self, team: &str) -> Option<TargetList> {
        let Self { owner, group, rep } = self;
        let kinds: Vec<i32> = owner.into_iter().map(i32::from).collect();
        let owner = (!kinds.is_empty()).then_some(TargetKind::Owner(OwnerTarget { kinds }));
        let groups = group.iter().map(|group| TargetKind::Group(names::group(team, group)));
        let reps = rep.iter().map(|rep| TargetKind::Rep(names::rep(team, rep)));
        let kinds = owner.into_iter().chain(groups).chain(reps);
        let targets: Vec<Target> =
            kinds.map(|kind| Target { kind: Some(kind), ..Target::default() }).collect();
        (!targets.is_empty()).then_some(TargetList { targets })
    }
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    let (campaign, changed) = match command {
        Command::Create { which: Which { campaign, team }, name, targets, launch } => {
            let request = CreateCampaignRequest {
                parent: names::team(&team),
                campaign_id: campaign.clone(),
                campaign: Some(Campaign {
                    display_name: name,
                    targets: targets.list(&team),
                    ..Campaign::default()
                }),
                ..CreateCampaignRequest::default()
            };
            let created = client.call(request).await;
            let created = created.map_err(to(format!("create campaign `{campaign}`")))?.campaign;
            let now = match launch {
                true => self::launch(&client, &team, &campaign).await?,
                false => created,
            };
            (now, true)
        }
        Command::Get(Which { campaign, team }) => {
            let request = GetCampaignRequest { name: names::campaign(&team, &campaign) };
            let got = client.call(request).await;
            (got.map_err(to(format!("get campaign `{campaign}`")))?.campaign, false)
        }
        Command::List { team } => {
            let rows: Vec<_> = pages::campaigns(&client, &team).await?.iter().map(row).collect();
            return context.output.list(COLUMNS, &rows);
        }
        Command::Launch(Which { campaign, team }) => {
            (launch(&client, &team, &campaign).await?, true)
        }
        Command::Pause(Which { campaign, team }) => {
            let name = names::campaign(&team, &campaign);
            let request = PauseCampaignRequest { name, ..PauseCampaignRequest::default() };
            let paused = client.call(request).await;
            (paused.map_err(to(format!("pause campaign `{campaign}`")))?.campaign, true)
        }
        Command::Resume(Which { campaign, team }) => {
            let name = names::campaign(&team, &campaign);
            let request = ResumeCampaignRequest { name, ..ResumeCampaignRequest::default() };
            let resumed = client.call(request).await;
            (resumed.map_err(to(format!("resume campaign `{campaign}`")))?.campaign, true)
        }
        Command::Cancel(Which { campaign, team }) => {
            let name = names::campaign(&team, &campaign);
            let request = CancelCampaignRequest { name, ..CancelCampaignRequest::default() };
            let cancelled = client.call(request).await;
            (cancelled.map_err(to(format!("cancel campaign `{campaign}`")))?.campaign, true)
        }
        Command::Retarget { which: Which { campaign, team }, targets, default } => {
            let targets = targets.list(&team);
            if targets.is_none() && !default {
                return Err(Failure::usage("say where contacts are to go").advise(
                    "--owner, --group or --rep; or --default for the team's default rule",
                ));
            }
            let request = UpdateCampaignRequest {
                campaign: Some(Campaign {
                    name: names::campaign(&team, &campaign),
                    targets,
                    ..Campaign::default()
                }),
                update_mask: Some(prost_types::FieldMask { paths: vec!["targets".to_owned()] }),
                ..UpdateCampaignRequest::default()
            };
            let updated = client.call(request).await;
            (updated.map_err(to(format!("retarget campaign `{campaign}`")))?.campaign, true)
        }
    };
    let campaign = campaign.unwrap_or_default();
    if changed {
        for warning in campaign.warnings.iter().filter_map(describe) {
            drop(writeln!(std::io::stderr().lock(), "warning: {warning}"));
        }
    }
    context.output.record(COLUMNS, row(&campaign))
}

async fn launch(client: &Client, team: &str, campaign: &str) -> Result<Option<Campaign>, Failure> {
    let name = names::campaign(team, campaign);
    let request = LaunchCampaignRequest { name, ..LaunchCampaignRequest::default() };
    let launched = client.call(request).await;
    Ok(launched.map_err(to(format!("launch campaign `{campaign}`")))?.campaign)
}

const COLUMNS: &[&str] =
    &["campaign", "display_name", "state", "targets", "warnings", "create_time"];

fn row(campaign: &Campaign) -> Vec<Value> {
    let Campaign { name, display_name, targets, state: _, warnings, create_time } = campaign;
    let state = match campaign.state() {
        CampaignState::Draft => "DRAFT",
        CampaignState::Running => "RUNNING",
        CampaignState::Paused => "PAUSED",
        CampaignState::Cancelled => "CANCELLED",
        CampaignState::Unspecified => "UNSPECIFIED",
    };
    let targets = match targets {
        None => Value::from(vec!["default"]),
        Some(list) => list.targets.iter().map(target).collect(),
    };
    vec![
        names::id(name).into(),
        display_name.as_str().into(),
        state.into(),
        targets,
        warnings.iter().filter_map(describe).map(Value::from).collect(),
        time::show(create_time.as_ref()),
    ]
}

fn target(target: &Target) -> Value {
    let text = match &target.kind {
        Some(TargetKind::Owner(owner)) => {
            let kinds: Vec<&str> = owner.kinds().map(owner_word).collect();
            format!("owner:{}", kinds.join("+"))
        }
        Some(TargetKind::Group(name)) => format!("group:{}", names::id(name)),
        Some(TargetKind::Rep(name)) => format!("rep:{}", names::id(name)),
        None => "nobody".to_owned(),
    };
    Value::from(if target.include_unavailable { format!("{text} even if away") } else { text })
}

fn describe(warning: &CampaignWarning) -> Option<String> {
    match warning.kind.as_ref()? {
        WarningKind::GroupHasNoAvailableRep(group) => {
            Some(format!("nobody in group `{}` is available now", names::id(group)))
        }
        WarningKind::FutureGap(gap) => {
            let start = time::show_or(gap.start_time.as_ref(), "now");
            let end = time::show_or(gap.end_time.as_ref(), "further notice");
            Some(format!("nobody will be available from {start} until {end}"))
        }
    }
}

/// The word for an owner's kind on the command line.
pub(super) fn owner_word(kind: OwnerKind) -> &'static str {
    match kind {
        OwnerKind::Contact => "contact",
        OwnerKind::Lead => "lead",
        OwnerKind::Account => "account",
        OwnerKind::Opportunity => "opportunity",
        OwnerKind::Unspecified => "unspecified",
    }
}

/// Reads such a word, for clap.
pub(super) fn owner_kind(text: &str) -> Result<OwnerKind, String> {
    let kinds = [OwnerKind::Contact, OwnerKind::Lead, OwnerKind::Account, OwnerKind::Opportunity];
    let found = kinds.into_iter().find(|kind| owner_word(*kind) == text);
    found.ok_or("not one of contact, lead, account, opportunity".to_owned())
}
