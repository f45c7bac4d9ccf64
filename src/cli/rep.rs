//! `turnwise rep`: create, get, list, delete, away and back. `rep import` is in `import`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Context,
    failure::{Failure, to},
    import, names, pages,
    time::{self, Instant},
};
use crate::proto::turnwise::v1::{
    Availability, ClearOutOfOfficeRequest, CreateRepRequest, DeleteRepRequest, GetRepRequest,
    OutOfOffice, Rep, SetOutOfOfficeRequest,
};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Create a rep, who joins the team's default group
    #[command(after_help = "Example: turnwise rep create ana --team sales --name 'Ana B.' \
                            --email ana@example.com --external-id salesforce=005A1")]
    Create {
        /// Their id
        rep: String,
        /// Team
        #[arg(long, env = "TURNWISE_TEAM")]
        team: String,
        /// What people call them
        #[arg(long, default_value = "")]
        name: String,
        /// Email, unique in the team
        #[arg(long, default_value = "")]
        email: String,
        /// Their user id in another system; may be given several times
        #[arg(long, value_name = "SYSTEM=ID", value_parser = pair)]
        external_id: Vec<(String, String)>,
        /// Never assign anything to them automatically
        #[arg(long)]
        disabled: bool,
    },
    /// Show one rep
    #[command(after_help = "Example: turnwise rep get ana --team sales")]
    Get {
        /// Their id
        rep: String,
        /// Team
        #[arg(long, env = "TURNWISE_TEAM")]
        team: String,
    },
    /// List the reps of a team
    #[command(after_help = "Example: turnwise rep list --team sales --output csv")]
    List {
        /// Team
        #[arg(long, env = "TURNWISE_TEAM")]
        team: String,
    },
    /// Delete a rep; what is assigned to them stays theirs
    #[command(after_help = "Example: turnwise rep delete ana --team sales")]
    Delete {
        /// Their id
        rep: String,
        /// Team
        #[arg(long, env = "TURNWISE_TEAM")]
        team: String,
    },
    /// Mark a rep as away: no turns until they are back
    #[command(after_help = format!("{}\n\nExample: turnwise rep out-of-office ana --team sales \
                            --from 2026-07-01 --until 2026-07-15 --note holiday", time::FORMS))]
    OutOfOffice {
        /// Their id
        rep: String,
        /// Team
        #[arg(long, env = "TURNWISE_TEAM")]
        team: String,
        /// First instant away [default: now]
        #[arg(long, value_parser = time::instant)]
        from: Option<Instant>,
        /// First instant back; a date means its midnight, so that day is worked [default: no end]
        #[arg(long, value_parser = time::instant)]
        until: Option<Instant>,
        /// Why, for colleagues
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Mark a rep as back; absences that start later stay booked
    #[command(after_help = format!("{}\n\nExample: turnwise rep back ana --team sales", time::FORMS))]
    Back {
        /// Their id
        rep: String,
        /// Team
        #[arg(long, env = "TURNWISE_TEAM")]
        team: String,
        /// First instant back [default: now]
        #[arg(long, value_parser = time::instant)]
        from: Option<Instant>,
        /// First instant away again [default: the end of the present absence]
        #[arg(long, value_parser = time::instant)]
        until: Option<Instant>,
    },
    /// Create reps and groups from a CSV file
    Import(import::Arguments),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    let rep = match command {
        Command::Create { rep, team, name, email, external_id, disabled } => {
            let request = CreateRepRequest {
                parent: names::team(&team),
                rep_id: rep.clone(),
                rep: Some(Rep {
                    display_name: name,
                    email,
                    external_ids: BTreeMap::from_iter(external_id),
                    disabled,
                    ..Rep::default()
                }),
                ..CreateRepRequest::default()
            };
            client.call(request).await.map_err(to(format!("create rep `{rep}`")))?.rep
        }
        Command::Get { rep, team } => {
            let request = GetRepRequest { name: names::rep(&team, &rep) };
            client.call(request).await.map_err(to(format!("get rep `{rep}`")))?.rep
        }
        Command::List { team } => {
            let rows: Vec<_> = pages::reps(&client, &team).await?.iter().map(row).collect();
            return context.output.list(COLUMNS, &rows);
        }
        Command::Delete { rep, team } => {
            let name = names::rep(&team, &rep);
            let request = DeleteRepRequest { name, ..DeleteRepRequest::default() };
            client.call(request).await.map_err(to(format!("delete rep `{rep}`")))?;
            return context.output.record(&["rep", "deleted"], vec![rep.into(), true.into()]);
        }
        Command::OutOfOffice { rep, team, from, until, note } => {
            let request = SetOutOfOfficeRequest {
                name: names::rep(&team, &rep),
                start_time: from.map(Instant::to_proto),
                end_time: until.map(Instant::to_proto),
                note,
                ..SetOutOfOfficeRequest::default()
            };
            let set = client.call(request).await;
            set.map_err(to(format!("set rep `{rep}` out of office")))?.rep
        }
        Command::Back { rep, team, from, until } => {
            let request = ClearOutOfOfficeRequest {
                name: names::rep(&team, &rep),
                start_time: from.map(Instant::to_proto),
                end_time: until.map(Instant::to_proto),
                ..ClearOutOfOfficeRequest::default()
            };
            let cleared = client.call(request).await;
            cleared.map_err(to(format!("mark rep `{rep}` as back")))?.rep
        }
        Command::Import(arguments) => return import::run(context, &client, &arguments).await,
    };
    context.output.record(COLUMNS, row(&rep.unwrap_or_default()))
}

const COLUMNS: &[&str] = &[
    "rep",
    "display_name",
    "email",
    "availability",
    "out_of_office",
    "note",
    "open_count",
    "external_ids",
    "create_time",
];

fn row(rep: &Rep) -> Vec<Value> {
    let Rep {
        name,
        display_name,
        email,
        external_ids,
        disabled: _,
        out_of_office,
        out_of_office_note,
        out_of_office_set_by: _,
        availability: _,
        open_count,
        create_time,
    } = rep;
    let availability = match rep.availability() {
        Availability::Available => "AVAILABLE",
        Availability::Disabled => "DISABLED",
        Availability::OutOfOffice => "OUT_OF_OFFICE",
        Availability::Unspecified => "UNSPECIFIED",
    };
    vec![
        names::id(name).into(),
        display_name.as_str().into(),
        email.as_str().into(),
        availability.into(),
        out_of_office.iter().map(window).collect(),
        out_of_office_note.as_str().into(),
        (*open_count).into(),
        external_ids
            .iter()
            .map(|(system, id)| (system.clone(), Value::from(id.as_str())))
            .collect(),
        time::show(create_time.as_ref()),
    ]
}

/// An absence as an ISO 8601 interval; `..` for an end that is not known.
fn window(absence: &OutOfOffice) -> Value {
    let start = time::show_or(absence.start_time.as_ref(), "..");
    let end = time::show_or(absence.end_time.as_ref(), "..");
    format!("{start}/{end}").into()
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (system, id) = text.split_once('=').ok_or("not SYSTEM=ID, such as salesforce=005A1")?;
    Ok((system.to_owned(), id.to_owned()))
}
