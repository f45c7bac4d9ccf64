//! `turnwise explain`: why a contact is with whom it is, in words for people.
//!
//! | File | Owns |
//! |---|---|
//! | `story` | an assignment and its decision as sentences: pure |
//! | `cast` | the names of all who take part in it |
//!
//! Nothing is decided again: it tells what was stored with the assignment, and what the service knows of
//! how the group chose. A decision keeps places in a
//! ring by number; whose place that is, is looked up, so that people read names.

mod cast;
mod story;

use serde_json::{Value, json};

use super::{
    Context,
    change::say,
    failure::{Failure, to},
    names,
    output::Format,
    pages::{self, Which},
    words,
};
use crate::{
    client::{self, Client},
    proto::turnwise::v1::{Assignment, ExplainAssignmentRequest, GroupChoice},
};
use cast::Cast;

#[derive(clap::Args)]
#[command(after_help = "\
Of a contact that came several ways, the newest one is told, and the others are named.

Examples:
  turnwise explain c-17 --team sales
  turnwise explain c-17 --team sales --campaign spring
  turnwise explain 5-3 --team sales")]
pub(super) struct Arguments {
    /// A contact, by your own id, or an assignment such as 5-3
    #[arg(value_name = "CONTACT|ASSIGNMENT")]
    what: String,
    /// Team
    #[arg(long, env = "TURNWISE_TEAM")]
    team: String,
    /// Of a contact, only by this campaign
    #[arg(long)]
    campaign: Option<String>,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<(), Failure> {
    let Arguments { what, team, campaign } = arguments;
    let client = context.client()?;
    let found = match is_assignment(&what) && campaign.is_none() {
        true => explained(&client, &names::assignment(&team, &what)).await?,
        false => None,
    };
    let (assignment, choice) = match found {
        Some(found) => found,
        None => newest(&client, &team, &what, campaign).await?,
    };
    let cast = Cast::of(&client, &team, &assignment).await?;
    let sentences = story::told(&assignment, choice.as_ref(), &cast);
    match context.output.format {
        Format::Table => context.output.line(&story::laid_out(&sentences)),
        Format::Json => {
            let told: Vec<&str> = sentences.iter().map(story::Sentence::text).collect();
            let whole = json!({
                "assignment": names::id(&assignment.name),
                "contact": assignment.contact,
                "state": words::state(assignment.state()),
                "rep": names::id(&assignment.rep),
                "cause": words::cause(assignment.cause()),
                "sentences": told,
            });
            context.output.document(&whole, &[], &[])
        }
        Format::Csv => {
            let row = |sentence: &story::Sentence| {
                vec![Value::from(sentence.part()), Value::from(sentence.text())]
            };
            let rows: Vec<Vec<Value>> = sentences.iter().map(row).collect();
            context.output.list(&["part", "sentence"], &rows)
        }
    }
}

/// Whether a text is shaped like an assignment's id: `5-3` or `5-3-1`.
fn is_assignment(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = text.split('-').collect();
    (2..=3).contains(&parts.len()) && parts.into_iter().all(is_number)
}

/// An assignment with its decision and history, and how the group chose that it was picked from.
type Explained = (Assignment, Option<GroupChoice>);

/// One of them; `None` if there is none of this name.
async fn explained(client: &Client, name: &str) -> Result<Option<Explained>, Failure> {
    let request = ExplainAssignmentRequest { name: name.to_owned() };
    match client.call(request).await {
        Ok(answer) => Ok(answer.assignment.map(|assignment| (assignment, answer.choice))),
        Err(client::Error::Refused(status)) if status.code() == tonic::Code::NotFound => Ok(None),
        Err(error) => Err(to(format!("explain `{}`", names::id(name)))(error)),
    }
}

/// The newest assignment of a contact; the others are named on stderr.
async fn newest(
    client: &Client,
    team: &str,
    contact: &str,
    campaign: Option<String>,
) -> Result<Explained, Failure> {
    let which = Which { contact: contact.to_owned(), campaign, ..Which::default() };
    let mut all = pages::assignments_by(client, team, &which, usize::MAX).await?;
    let Some(newest) = all.pop() else {
        return Err(Failure::failed(format!("there is no assignment of `{contact}`")).advise(
            "`turnwise assignment list` shows all; `turnwise assign preview` shows who would be next",
        ));
    };
    for other in &all {
        let (id, state) = (names::id(&other.name), words::state(other.state()));
        let with = match names::id(&other.rep) {
            "" => String::new(),
            rep => format!(" with {rep}"),
        };
        say(&format!("earlier: {id}, {state}{with}; turnwise explain {id} --team {team}"));
    }
    match explained(client, &newest.name).await? {
        Some(found) => Ok(found),
        // It was dropped between the two calls.
        None => Ok((newest, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::is_assignment;

    #[test]
    fn an_assignment_is_two_or_three_numbers() {
        for (text, expected) in [
            ("5-3", true),
            ("5-3-1", true),
            ("5", false),
            ("c-17", false),
            ("5-3-1-2", false),
            ("5-", false),
        ] {
            assert_eq!(is_assignment(text), expected, "{text}");
        }
    }
}
