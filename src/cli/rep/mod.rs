//! `turnwise rep`: create, get, list, update, delete, away and back, online and offline, hours.
//!
//! | File | Owns |
//! |---|---|
//! | `hours` | working hours as people write them: pure |
//! | `row` | a rep as it is shown: pure |
//!
//! `rep import` is in `import`.

mod hours;
mod row;

use std::{collections::BTreeMap, time::Duration};

use super::{
    Context,
    change::{self, Change, Deletion, Filter, Labels, Mask, NewLabels, Unchanged},
    failure::{Failure, to},
    import, names, pages,
    time::{self, Instant},
};
use crate::{
    client::Client,
    proto::turnwise::v1::{
        ClearOutOfOfficeRequest, CreateRepRequest, DeleteRepRequest, GetRepRequest,
        OpenAssignments, PresenceState, Rep, SetOutOfOfficeRequest, SetPresenceRequest,
        UpdateRepRequest,
    },
};
use row::{BRIEF, COLUMNS, row};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Create a rep, who joins the team's default group
    #[command(after_help = "Example: turnwise rep create ana --team sales --name 'Ana B.' \
                            --email ana@example.com --external-id salesforce=005A1")]
    Create {
        #[command(flatten)]
        which: Which,
        /// What people call them
        #[arg(long, default_value = "", hide_default_value = true)]
        name: String,
        /// Email, unique in the team
        #[arg(long, default_value = "", hide_default_value = true)]
        email: String,
        /// Their user id in another system; may be given several times
        #[arg(long, value_name = "SYSTEM=ID", value_parser = pair)]
        external_id: Vec<(String, String)>,
        /// Open contacts from which on nothing more is assigned to them automatically; 0 for no limit
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        max_open: u32,
        /// Never assign anything to them automatically
        #[arg(long)]
        disabled: bool,
        #[command(flatten)]
        labels: Labels,
        #[command(flatten)]
        change: Change,
    },
    /// Show one rep
    #[command(after_help = "Example: turnwise rep get ana --team sales")]
    Get(Which),
    /// List the reps of a team
    #[command(after_help = "Examples:\n  turnwise rep list --team sales --output csv\n  \
                            turnwise rep list --team sales --filter 'availability = \"AVAILABLE\"'")]
    List {
        /// Team
        #[arg(long, env = "TURNWISE_TEAM")]
        team: String,
        #[command(flatten)]
        filter: Filter,
    },
    /// Change who they are, how much they take, or whether they are disabled
    #[command(after_help = "Example: turnwise rep update ana --team sales --max-open 40")]
    Update {
        #[command(flatten)]
        which: Which,
        /// What people call them
        #[arg(long)]
        name: Option<String>,
        /// Email, unique in the team; '' for none
        #[arg(long)]
        email: Option<String>,
        /// Their user id in another system; may be given several times, and replaces all there are
        #[arg(long, value_name = "SYSTEM=ID", value_parser = pair)]
        external_id: Vec<(String, String)>,
        /// Remove all their user ids in other systems
        #[arg(long, conflicts_with = "external_id")]
        no_external_ids: bool,
        /// Open contacts from which on nothing more is assigned to them automatically; 0 for no limit
        #[arg(long)]
        max_open: Option<u32>,
        /// Never assign anything to them automatically
        #[arg(long)]
        disabled: bool,
        /// No longer disabled
        #[arg(long, conflicts_with = "disabled")]
        enabled: bool,
        #[command(flatten)]
        labels: NewLabels,
        #[command(flatten)]
        unchanged: Unchanged,
        #[command(flatten)]
        change: Change,
    },
    /// Delete a rep; what is assigned to them stays theirs unless --reroute is given
    #[command(after_help = "Example: turnwise rep delete ana --team sales --reroute")]
    Delete {
        #[command(flatten)]
        which: Which,
        /// Route their open contacts anew, the oldest first
        #[arg(long)]
        reroute: bool,
        #[command(flatten)]
        deletion: Deletion,
    },
    /// Mark a rep as away: no turns until they are back
    #[command(after_help = format!("{}\n\nExample: turnwise rep out-of-office ana --team sales \
                            --from 2026-07-01 --until 2026-07-15 --note holiday", time::FORMS))]
    OutOfOffice {
        #[command(flatten)]
        which: Which,
        /// First instant away [default: now]
        #[arg(long, value_parser = time::instant)]
        from: Option<Instant>,
        /// First instant back; a date means its midnight, so that day is worked [default: no end]
        #[arg(long, value_parser = time::instant)]
        until: Option<Instant>,
        /// Why, for colleagues
        #[arg(long, default_value = "", hide_default_value = true)]
        note: String,
        #[command(flatten)]
        unchanged: Unchanged,
        #[command(flatten)]
        change: Change,
    },
    /// Mark a rep as back; absences that start later stay booked
    #[command(after_help = format!("{}\n\nExample: turnwise rep back ana --team sales", time::FORMS))]
    Back {
        #[command(flatten)]
        which: Which,
        /// First instant back [default: now]
        #[arg(long, value_parser = time::instant)]
        from: Option<Instant>,
        /// First instant away again [default: the end of the present absence]
        #[arg(long, value_parser = time::instant)]
        until: Option<Instant>,
        #[command(flatten)]
        unchanged: Unchanged,
        #[command(flatten)]
        change: Change,
    },
    /// Say that a rep is online, for a while; to be said again before it ends
    #[command(
        after_help = "Matters only where a group or target asks for reps who are online.\n\n\
                            Example: turnwise rep online ana --team sales --ttl 10m"
    )]
    Online {
        #[command(flatten)]
        which: Which,
        /// How long it holds unless it is said again, at most 24h
        #[arg(long, value_parser = time::duration, default_value = "5m")]
        ttl: Duration,
        #[command(flatten)]
        change: Change,
    },
    /// Say that a rep is offline
    #[command(after_help = "Example: turnwise rep offline ana --team sales")]
    Offline {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        change: Change,
    },
    /// Show or set when a rep works
    #[command(after_help = hours::HELP)]
    Hours(hours::Arguments),
    /// Create reps and groups from a CSV file
    Import(import::Arguments),
}

#[derive(clap::Args)]
pub(super) struct Which {
    /// Their id
    rep: String,
    /// Team
    #[arg(long, env = "TURNWISE_TEAM")]
    team: String,
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    let rep = match command {
        Command::Create {
            which: Which { rep, team },
            name,
            email,
            external_id,
            max_open,
            disabled,
            labels,
            change,
        } => {
            let request = CreateRepRequest {
                parent: names::team(&team),
                rep_id: rep.clone(),
                rep: Some(Rep {
                    display_name: name,
                    email,
                    external_ids: BTreeMap::from_iter(external_id),
                    disabled,
                    max_open,
                    labels: labels.map(),
                    ..Rep::default()
                }),
                request_id: change.request_id.clone(),
                validate_only: change.validate_only,
                ..CreateRepRequest::default()
            };
            change.send(&client, request, format!("create rep `{rep}`")).await?.rep
        }
        Command::Get(Which { rep, team }) => Some(get(&client, &team, &rep).await?),
        Command::List { team, filter } => {
            let reps = pages::reps_by(&client, &team, &filter.filter).await?;
            let rows: Vec<_> = reps.iter().map(row).collect();
            return context.output.brief(COLUMNS, BRIEF, &rows);
        }
        Command::Update {
            which: Which { rep, team },
            name,
            email,
            external_id,
            no_external_ids,
            max_open,
            disabled,
            enabled,
            labels,
            unchanged,
            change,
        } => {
            let ids = (no_external_ids || !external_id.is_empty())
                .then(|| BTreeMap::from_iter(external_id));
            let mut mask = Mask::default();
            let rep_after = Rep {
                name: names::rep(&team, &rep),
                display_name: mask.take("display_name", name),
                email: mask.take("email", email),
                external_ids: mask.take("external_ids", ids),
                max_open: mask.take("max_open", max_open),
                disabled: mask.take("disabled", (disabled || enabled).then_some(disabled)),
                labels: mask.take("labels", labels.map()),
                ..Rep::default()
            };
            let advice =
                "--name, --email, --external-id, --max-open, --disabled, --enabled, --label";
            update(&client, rep_after, mask, advice, unchanged, &change).await?
        }
        Command::Delete { which: Which { rep, team }, reroute, deletion } => {
            let Deletion { allow_missing, unchanged, change } = deletion;
            let open = if reroute { OpenAssignments::Reroute } else { OpenAssignments::Keep };
            let request = DeleteRepRequest {
                name: names::rep(&team, &rep),
                request_id: change.request_id.clone(),
                open_assignments: open.into(),
                etag: unchanged.etag,
                validate_only: change.validate_only,
                allow_missing,
            };
            client.call(request).await.map_err(to(format!("delete rep `{rep}`")))?;
            return context.deleted("rep", &rep, &change);
        }
        Command::OutOfOffice {
            which: Which { rep, team },
            from,
            until,
            note,
            unchanged,
            change,
        } => {
            let request = SetOutOfOfficeRequest {
                name: names::rep(&team, &rep),
                start_time: from.map(Instant::to_proto),
                end_time: until.map(Instant::to_proto),
                note,
                request_id: change.request_id.clone(),
                etag: unchanged.etag,
                validate_only: change.validate_only,
            };
            change.send(&client, request, format!("set rep `{rep}` out of office")).await?.rep
        }
        Command::Back { which: Which { rep, team }, from, until, unchanged, change } => {
            let request = ClearOutOfOfficeRequest {
                name: names::rep(&team, &rep),
                start_time: from.map(Instant::to_proto),
                end_time: until.map(Instant::to_proto),
                request_id: change.request_id.clone(),
                etag: unchanged.etag,
                validate_only: change.validate_only,
            };
            change.send(&client, request, format!("mark rep `{rep}` as back")).await?.rep
        }
        Command::Online { which, ttl, change } => {
            presence(&client, which, PresenceState::Online, Some(ttl), &change).await?
        }
        Command::Offline { which, change } => {
            presence(&client, which, PresenceState::Offline, None, &change).await?
        }
        Command::Hours(arguments) => return hours::run(context, &client, arguments).await,
        Command::Import(arguments) => return import::run(context, &client, &arguments).await,
    };
    context.output.record(COLUMNS, row(&rep.unwrap_or_default()))
}

async fn get(client: &Client, team: &str, rep: &str) -> Result<Rep, Failure> {
    let request = GetRepRequest { name: names::rep(team, rep) };
    let got = client.call(request).await.map_err(to(format!("get rep `{rep}`")))?;
    Ok(got.rep.unwrap_or_default())
}

async fn update(
    client: &Client,
    rep: Rep,
    mask: Mask,
    advice: &str,
    unchanged: Unchanged,
    change: &Change,
) -> Result<Option<Rep>, Failure> {
    let id = names::id(&rep.name).to_owned();
    let request = UpdateRepRequest {
        rep: Some(rep),
        update_mask: mask.finish(advice)?,
        request_id: change.request_id.clone(),
        etag: unchanged.etag,
        validate_only: change.validate_only,
    };
    Ok(change.send(client, request, format!("update rep `{id}`")).await?.rep)
}

async fn presence(
    client: &Client,
    Which { rep, team }: Which,
    state: PresenceState,
    ttl: Option<Duration>,
    change: &Change,
) -> Result<Option<Rep>, Failure> {
    let request = SetPresenceRequest {
        name: names::rep(&team, &rep),
        state: state.into(),
        ttl: ttl.map(time::to_proto),
        request_id: change.request_id.clone(),
        validate_only: change.validate_only,
    };
    Ok(change.send(client, request, format!("set the presence of rep `{rep}`")).await?.rep)
}

fn pair(text: &str) -> Result<(String, String), String> {
    change::label(text).map_err(|_| "not SYSTEM=ID, such as salesforce=005A1".to_owned())
}
