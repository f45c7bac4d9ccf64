//! A CSV file of contacts in, a CSV file of assignments out.
//!
//! The file is read twice: first checked whole, then streamed, so its size does not matter. The result
//! is written beside its place and takes it only when it is whole. Nothing needs to be remembered
//! between runs: what is assigned stays assigned, so running it again gives the same file, with
//! `existing` true.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::{RESULT_COLUMNS, how::How, owners::Owners, result_row, rows::Rows};
use crate::{
    cli::{
        Context,
        change::{Change, say},
        failure::{Failure, to},
        names, pages, words,
    },
    client::{self, Client},
    proto::turnwise::v1::{
        AssignContactRequest, AssignContactResponse, BatchAssignContactsRequest, OwnerKind,
    },
};

/// Contacts in a batch, unless another number is given: with any owners and labels, well below what an
/// entry of the log takes.
const BATCH: &str = "500";

#[derive(clap::Args)]
#[group(requires_all = ["from", "contact", "out"], multiple = true)]
pub(super) struct FileArguments {
    /// File with a row for each contact
    #[arg(long, value_name = "FILE.csv", required = false)]
    from: PathBuf,
    /// Column of the contact's id
    #[arg(long, value_name = "COLUMN", required = false)]
    contact: String,
    /// Column of the campaign, where it differs from row to row
    #[arg(long, value_name = "COLUMN", conflicts_with_all = ["campaign", "rule", "group", "rep"])]
    campaign_column: Option<String>,
    /// Column of the owner: email, external id or rep id; an empty cell is no owner
    #[arg(long, value_name = "COLUMN", requires = "owner_kind")]
    owner_column: Option<String>,
    /// Which record that owner was read from: contact, lead, account, opportunity
    #[arg(long, value_name = "KIND", value_parser = words::owner_kind, requires = "owner_column")]
    owner_kind: Option<OwnerKind>,
    /// Where to write the result; replaced only when it is whole
    #[arg(long, value_name = "RESULT.csv", required = false)]
    out: PathBuf,
    /// How many to have under way at once
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    concurrency: u16,
    /// Assign so many in one step, all or none of them, with nothing of others in between
    #[arg(
        long,
        value_name = "SIZE",
        num_args = 0..=1,
        default_missing_value = BATCH,
        conflicts_with = "concurrency",
        value_parser = clap::value_parser!(u16).range(1..=1000)
    )]
    batch: Option<u16>,
}

pub(super) async fn run(
    context: &Context,
    how: How,
    arguments: &FileArguments,
    change: &Change,
) -> Result<(), Failure> {
    let team = how.team()?.to_owned();
    if !how.has_way() && arguments.campaign_column.is_none() {
        return Err(Failure::usage("by which campaign?").advise(
            "--campaign CAMPAIGN for all rows (or --rule, --group, --rep), or --campaign-column COLUMN \
             where they differ",
        ));
    }
    if how.has_owner() {
        return Err(Failure::usage("--owner is for one contact")
            .advise("of a file: --owner-column COLUMN --owner-kind KIND"));
    }
    if change.validate_only && arguments.batch.is_none() {
        return Err(Failure::usage("--validate-only of a file needs --batch")
            .advise("one batch is checked as a whole; or see: turnwise assign preview --help"));
    }
    let client = context.client()?;
    let owners = match arguments.owner_column {
        Some(_) => Owners::new(&pages::reps(&client, &team).await?),
        None => Owners::default(),
    };
    let rows = Rows {
        file: &arguments.from,
        team: &team,
        common: how.request(&client).await?,
        // Of batches, the batch has one.
        request_id: if arguments.batch.is_some() { "" } else { &change.request_id },
        contact_column: &arguments.contact,
        campaign_column: arguments.campaign_column.as_deref(),
        owner: arguments.owner_column.as_deref().zip(arguments.owner_kind),
        owners,
    };
    let total = rows.check()?;

    let progress = bar(total);
    let mut result = ResultFile::create(&arguments.out)?;
    let mut requests = rows.requests()?.map_while(Result::ok);
    let each = |number, answer| {
        progress.inc(1);
        result.write(number, answer)
    };
    let done = match arguments.batch {
        None => client.assign_many(requests, usize::from(arguments.concurrency), each).await,
        Some(size) if change.validate_only && total > u64::from(size) => {
            return Err(Failure::usage(format!(
                "{total} contacts are more than one batch of {size}: what comes of the next one \
                 depends on it, and can't be checked before"
            )));
        }
        Some(size) => {
            let batches = Batches { team: &team, size: usize::from(size), total, change };
            batches.assign(&client, &mut requests, each).await
        }
    };
    progress.finish_and_clear();
    if let Err(failure) = done {
        return Err(failure.advise(
            "What was assigned stays assigned; no result was written. Run the same command again: it \
             goes on where this ended.",
        ));
    }
    let out = &arguments.out;
    let summary = result.finish(out)?;
    if summary.rows != total {
        let from = arguments.from.display();
        return Err(Failure::failed(format!("{from} was changed while it was read")));
    }
    let existing = summary.existing;
    change.tell();
    let out = out.display();
    say(&format!("{total} contacts, {existing} of them assigned before; written to {out}"));
    let counts = summary.by_rep.into_iter();
    let rows: Vec<Vec<Value>> = counts.map(|(rep, count)| vec![rep.into(), count.into()]).collect();
    context.output.list(&["rep", "contacts"], &rows)
}

/// So many in one step.
struct Batches<'a> {
    team: &'a str,
    size: usize,
    total: u64,
    change: &'a Change,
}

impl Batches<'_> {
    /// Assigns all of `requests` and hands the answers over in order.
    async fn assign(
        &self,
        client: &Client,
        requests: &mut impl Iterator<Item = AssignContactRequest>,
        mut each: impl FnMut(u64, Result<AssignContactResponse, client::Error>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Self { team, size, total, change } = self;
        let batches = usize::try_from(*total).unwrap_or(usize::MAX).div_ceil(*size);
        let mut done = 0;
        for batch in 1..=batches {
            let requests: Vec<_> = requests.by_ref().take(*size).collect();
            let count = requests.len();
            let last = done + u64::try_from(count).unwrap_or(u64::MAX);
            let what = format!("assign the contacts of rows {} to {last}", done + 1);
            let request = BatchAssignContactsRequest {
                parent: names::team(team),
                requests,
                request_id: change.numbered(batch, batches),
                validate_only: change.validate_only,
            };
            let answer = client.call(request).await.map_err(to(&what))?;
            if answer.responses.len() != count {
                return Err(Failure::failed(format!("cannot {what}: not every one was answered")));
            }
            for response in answer.responses {
                each(done, Ok(response))?;
                done += 1;
            }
        }
        Ok(())
    }
}

/// The result file while it is written, and what is in it.
struct ResultFile {
    writer: csv::Writer<tempfile::NamedTempFile>,
    summary: Summary,
}

#[derive(Debug, Default)]
struct Summary {
    rows: u64,
    existing: u64,
    /// Contacts by rep; without a rep under the empty id.
    by_rep: BTreeMap<String, u64>,
}

impl ResultFile {
    /// Opens a file beside `out`, readable like any file that is written here.
    fn create(out: &Path) -> Result<Self, Failure> {
        let failed =
            |error: String| Failure::failed(format!("cannot write {}: {error}", out.display()));
        let folder = match out.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        let builder = {
            use std::os::unix::fs::PermissionsExt as _;
            builder.permissions(std::fs::Permissions::from_mode(0o666))
        };
        let file = builder.tempfile_in(folder).map_err(|error| failed(error.to_string()))?;
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(RESULT_COLUMNS).map_err(|error| failed(error.to_string()))?;
        Ok(Self { writer, summary: Summary::default() })
    }

    fn write(
        &mut self,
        number: u64,
        answer: Result<AssignContactResponse, client::Error>,
    ) -> Result<(), Failure> {
        let row = number + 1;
        let answer = answer.map_err(to(format!("assign the contact of row {row}")))?;
        let assignment = answer.assignment.unwrap_or_default();
        let cells = result_row(&assignment, answer.existing);
        let cells = cells.iter().map(|cell| match cell {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                cell.to_string()
            }
        });
        self.writer
            .write_record(cells)
            .map_err(|error| Failure::failed(format!("cannot write the result: {error}")))?;
        self.summary.rows += 1;
        self.summary.existing += u64::from(answer.existing);
        *self.summary.by_rep.entry(names::id(&assignment.rep).to_owned()).or_default() += 1;
        Ok(())
    }

    /// Puts the file in its place.
    fn finish(self, out: &Path) -> Result<Summary, Failure> {
        let failed =
            |error: String| Failure::failed(format!("cannot write {}: {error}", out.display()));
        let file = self.writer.into_inner().map_err(|error| failed(error.to_string()))?;
        file.as_file().sync_all().map_err(|error| failed(error.to_string()))?;
        let _kept: File = file.persist(out).map_err(|error| failed(error.to_string()))?;
        Ok(self.summary)
    }
}

/// A bar on stderr, where that is a terminal.
fn bar(total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec} {eta}");
    ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
