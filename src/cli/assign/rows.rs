//! A CSV file of contacts as requests, checked before anything is sent.

use std::path::Path;

use super::owners::Owners;
use crate::{
    cli::{failure::Failure, names, text},
    proto::turnwise::v1::{AssignContactRequest, OwnerKind, assign_contact_request::Via},
};

/// The rows of a file as requests.
pub(super) struct Rows<'a> {
    pub(super) file: &'a Path,
    pub(super) team: &'a str,
    /// What all have in common.
    pub(super) common: AssignContactRequest,
    /// Each row's is this with a dot and its number behind; empty: fresh ones.
    pub(super) request_id: &'a str,
    pub(super) contact_column: &'a str,
    pub(super) campaign_column: Option<&'a str>,
    pub(super) owner: Option<(&'a str, OwnerKind)>,
    pub(super) owners: Owners,
}

/// Problems shown of a file that has many.
const PROBLEMS_SHOWN_MAX: usize = 20;

impl Rows<'_> {
    /// Reads all of it and counts the rows; what is wrong is named by line.
    pub(super) fn check(&self) -> Result<u64, Failure> {
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
    pub(super) fn requests(
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
        Ok(reader.into_records().zip(1_u64..).map(move |(record, number)| {
            let record = record.map_err(|error| error.to_string())?;
            let line = record.position().map_or(0, csv::Position::line);
            let cell = |at: usize| record.get(at).unwrap_or_default().trim();
            let owner = owner_at.map(|(at, kind)| (cell(at), kind));
            let mut request = self
                .request(cell(contact_at), campaign_at.map(cell), owner)
                .map_err(|problem| format!("line {line}: {problem}"))?;
            if !self.request_id.is_empty() {
                request.request_id = format!("{}.{number}", self.request_id);
            }
            Ok(request)
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
        let mut request =
            AssignContactRequest { contact: contact.to_owned(), ..self.common.clone() };
        request.owners.extend(owner);
        if let Some(campaign) = campaign {
            request.via = Some(Via::Campaign(names::campaign(self.team, campaign)));
        }
        Ok(request)
    }
}
