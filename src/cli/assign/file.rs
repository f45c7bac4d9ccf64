//! A CSV file of contacts in, a CSV file of assignments out.
//!
//! The file is read twice: first checked whole, then streamed, so its size does not matter. The result
//! is written beside its place and takes it only when it is whole. Nothing needs to be remembered
//! between runs: what is assigned stays assigned, so running it again gives the same file, with
//! `existing` true.

use std::{collections::BTreeMap, fs::File, io::Write as _, path::Path};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::{FileArguments, Owners, RESULT_COLUMNS, result_row};
use crate::{
    cli::{
        Context,
        failure::{Failure, to},
        names, pages, text,
    },
    client,
    proto::turnwise::v1::{
        AssignContactRequest, AssignContactResponse, OwnerKind, assign_contact_request::Via,
    },
};

pub(super) async fn run(
    context: &Context,
    team: &str,
    campaign: Option<&str>,
    arguments: &FileArguments,
) -> Result<(), Failure> {
    let FileArguments {
        from,
        contact,
        campaign_column,
        owner_column,
        owner_kind,
        out,
        concurrency,
    } = arguments;
    let client = context.client()?;
    let owners = match owner_column {
        Some(_) => Owners::new(&pages::reps(&client, team).await?),
        None => Owners::default(),
    };
    let rows = Rows {
        file: from,
        team,
        campaign,
        contact_column: contact,
        campaign_column: campaign_column.as_deref(),
        owner: owner_column.as_deref().zip(*owner_kind),
        owners,
    };
    let total = rows.check()?;

    let progress = bar(total);
    let mut result = ResultFile::create(out)?;
    let requests = rows.requests()?.map_while(Result::ok);
    let done = client
        .assign_many(requests, usize::from(*concurrency), |number, answer| {
            progress.inc(1);
            result.write(number, answer)
        })
        .await;
    progress.finish_and_clear();
    if let Err(failure) = done {
        return Err(failure.advise(
            "What was assigned stays assigned; no result was written. Run the same command again: it \
             goes on where this ended.",
        ));
    }
    let summary = result.finish(out)?;
    if summary.rows != total {
        return Err(Failure::failed(format!("{} was changed while it was read", from.display())));
    }
    let existing = summary.existing;
    drop(writeln!(
        std::io::stderr().lock(),
        "{total} contacts, {existing} of them assigned before; written to {}",
        out.display()
    ));
    let counts = summary.by_rep.into_iter();
    let rows: Vec<Vec<Value>> = counts.map(|(rep, count)| vec![rep.into(), count.into()]).collect();
    context.output.list(&["rep", "contacts"], &rows)
}

/// The rows of a file as requests.
struct Rows<'a> {
    file: &'a Path,
    team: &'a str,
    campaign: Option<&'a str>,
    contact_column: &'a str,
    campaign_column: Option<&'a str>,
    owner: Option<(&'a str, OwnerKind)>,
    owners: Owners,
}

/// Problems shown of a file that has many.
const PROBLEMS_SHOWN_MAX: usize = 20;

impl Rows<'_> {
    /// Reads all of it and counts the rows; what is wrong is named by line.
    fn check(&self) -> Result<u64, Failure> {
        let (mut count, mut problems) = (0, Vec::new());
        for request in self.requests()? {
            count += 1;
            problems.extend(request.err());
            if problems.len() > PROBLEMS_SHOWN_MAX {
                problems.truncate(PROBLEMS_SHOWN_MAX);
                problems.push("and more".to_owned());
                break;
            }
        }
        if problems.is_empty() {
            return Ok(count);
        }
        let text = format!("{}:\n  {}", self.file.display(), problems.join("\n  "));
        Err(Failure::failed(text).advise("Nothing was sent. Correct the file and run it again."))
    }

    /// A request for each row, or what is wrong with it.
    fn requests(
        &self,
    ) -> Result<impl Iterator<Item = Result<AssignContactRequest, String>> + '_, Failure> {
        let shown = self.file.display();
        let failed = |error: String| Failure::failed(format!("cannot read {shown}: {error}"));
        let mut reader = csv::Reader::from_path(self.file).map_err(|e| failed(e.to_string()))?;
        let header = reader.headers().map_err(|error| failed(error.to_string()))?.clone();
        let place = |column: &str| {
            // A spreadsheet's byte order mark sticks to the first name.
            let plain = |name: &str| name.trim_start_matches('\u{feff}').trim() == column;
            let known = || header.iter().collect::<Vec<_>>().join(", ");
            header.iter().position(plain).ok_or_else(|| {
                Failure::failed(format!("{shown} has no column `{column}`; it has: {}", known()))
            })
        };
        let contact_at = place(self.contact_column)?;
        let campaign_at = self.campaign_column.map(place).transpose()?;
        let owner_at = match self.owner {
            Some((column, kind)) => Some((place(column)?, kind)),
            None => None,
        };
        Ok(reader.into_records().map(move |record| {
            let record = record.map_err(|error| error.to_string())?;
            let line = record.position().map_or(0, csv::Position::line);
            let cell = |at: usize| record.get(at).unwrap_or_default().trim();
            let owner = owner_at.map(|(at, kind)| (cell(at), kind));
            self.request(cell(contact_at), campaign_at.map(cell), owner)
                .map_err(|problem| format!("line {line}: {problem}"))
        }))
    }

    fn request(
        &self,
        contact: &str,
        campaign: Option<&str>,
        owner: Option<(&str, OwnerKind)>,
    ) -> Result<AssignContactRequest, String> {
        text::id(contact).map_err(|problem| format!("the contact: {problem}"))?;
        if let Some(campaign) = campaign {
            text::id(campaign).map_err(|problem| format!("the campaign: {problem}"))?;
        }
        let owner = match owner {
            Some((text, kind)) => self.owners.resolve(kind, text)?,
            None => None,
        };
        let via = campaign.or(self.campaign);
        Ok(AssignContactRequest {
            parent: names::team(self.team),
            contact: contact.to_owned(),
            owners: owner.into_iter().collect(),
            request_id: String::new(),
            via: via.map(|campaign| Via::Campaign(names::campaign(self.team, campaign))),
        })
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
