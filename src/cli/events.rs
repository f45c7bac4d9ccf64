//! `turnwise events`: what happened, listed or as it happens.

use std::ops::ControlFlow;

use serde_json::Value;

use super::{
    Context,
    change::{self, Filter, say},
    failure::{Failure, to},
    names,
    output::Lines,
    pages, time, words,
};
use crate::{
    client::{self, Watched},
    proto::turnwise::v1::{Cause, Event, EventState, EventType},
};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// List the events that the nodes still keep, the oldest first
    #[command(after_help = "Examples:\n  turnwise events list --team sales\n  \
                            turnwise events list --team sales --from 812 --type assignment_assigned")]
    List {
        /// Team
        #[arg(long, env = "TURNWISE_TEAM")]
        team: String,
        /// First log index [default: the oldest that is kept]
        #[arg(long, value_name = "INDEX", default_value_t = 0, hide_default_value = true)]
        from: u64,
        /// Only of this type, such as assignment_assigned or out_of_office
        #[arg(long, value_name = "TYPE", value_parser = event_type)]
        r#type: Option<EventType>,
        /// Stop after so many
        #[arg(long)]
        limit: Option<usize>,
        #[command(flatten)]
        filter: Filter,
    },
    /// Show every event as it happens, one a line, until Ctrl-C
    #[command(after_help = "\
A broken connection is opened anew, on another node if need be, and nothing is missed or shown twice. To go \
on later where this ended, give --from the log index of the last event, plus one. With --output json, an \
object on each line.

Examples:
  turnwise events watch --team sales
  turnwise events watch --team sales --from 812 --output json")]
    Watch {
        /// Team
        #[arg(long, env = "TURNWISE_TEAM")]
        team: String,
        /// First log index [default: from now on]
        #[arg(long, value_name = "INDEX", default_value_t = 0, hide_default_value = true)]
        from: u64,
        /// End after so many events
        #[arg(long)]
        count: Option<u64>,
    },
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::List { team, from, r#type, limit, filter } => {
            let of_type =
                r#type.map(|one| format!("type = \"{}\"", words::value(one.as_str_name(), PREFIX)));
            let given = (!filter.filter.is_empty()).then_some(filter.filter);
            let terms: Vec<String> = of_type.into_iter().chain(given).collect();
            let (filter, limit) = (terms.join(" AND "), limit.unwrap_or(usize::MAX));
            let client = context.client()?;
            let events = pages::events(&client, &team, from, &filter, limit).await?;
            let rows: Vec<_> = events.iter().map(row).collect();
            context.output.brief(COLUMNS, BRIEF, &rows)
        }
        Command::Watch { team, from, count } => {
            let watching = watch(context, &team, from, count);
            let interrupted = tokio::signal::ctrl_c();
            tokio::select! {
                done = watching => done,
                caught = interrupted => caught
                    .map_err(|error| Failure::failed(format!("cannot wait for Ctrl-C: {error}"))),
            }
        }
    }
}

async fn watch(
    context: &Context,
    team: &str,
    from: u64,
    count: Option<u64>,
) -> Result<(), Failure> {
    let client = context.client()?;
    let mut lines = context.output.lines(COLUMNS);
    let mut left = count;
    let each = |watched| show(watched, &mut lines, &mut left);
    client.watch_events(&names::team(team), from, each).await.map_err(|stopped| match stopped {
        Stopped::Output(failure) => failure,
        Stopped::Client(error) => {
            let is_gone = error.reason().as_deref() == Some("EVENTS_COMPACTED");
            let failure = to("watch events")(error);
            match is_gone {
                true => failure
                    .advise("`turnwise events list --limit 1` shows the oldest one that is kept"),
                false => failure,
            }
        }
    })
}

/// Why watching ended.
enum Stopped {
    Client(client::Error),
    Output(Failure),
}

impl From<client::Error> for Stopped {
    fn from(error: client::Error) -> Self {
        Self::Client(error)
    }
}

fn show(
    watched: Watched,
    lines: &mut Lines<'_>,
    left: &mut Option<u64>,
) -> Result<ControlFlow<()>, Stopped> {
    let events = match watched {
        Watched::Events { events, next_index: _ } => events,
        Watched::Broken { what, next_index } => {
            say(&format!("connection lost ({what}); going on at log index {next_index}"));
            return Ok(ControlFlow::Continue(()));
        }
    };
    for event in &events {
        if *left == Some(0) {
            break;
        }
        *left = left.map(|left| left - 1);
        if !lines.write(row(event), &line(event)).map_err(Stopped::Output)? {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(if *left == Some(0) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
}

const PREFIX: &str = "EVENT_TYPE_";

const COLUMNS: &[&str] = &[
    "event",
    "log_index",
    "time",
    "type",
    "resource",
    "contact",
    "state_before",
    "state",
    "rep_before",
    "rep",
    "rep_email",
    "owner_changed",
    "option",
    "payload",
    "campaign",
    "cause",
    "principal",
    "labels",
    "etag",
    "note",
    "members",
    "credits",
];

/// What a list shows on a terminal.
const BRIEF: &[&str] = &[
    "event",
    "time",
    "type",
    "resource",
    "contact",
    "rep_before",
    "rep",
    "cause",
    "note",
    "members",
];

fn row(event: &Event) -> Vec<Value> {
    let [before, after] =
        [&event.before, &event.after].map(|state| state.clone().unwrap_or_default());
    let assignment = event.assignment.clone().unwrap_or_default();
    let option = assignment.option.as_ref();
    let position = event.position.unwrap_or_default();
    let owner_changed = event.assignment.is_some().then_some(assignment.owner_changed);
    vec![
        names::id(&event.name).into(),
        position.log_index.into(),
        time::show(event.time.as_ref()),
        words::value(event.r#type().as_str_name(), PREFIX).into(),
        words::resource(&event.resource).into(),
        assignment.contact.as_str().into(),
        state(&before).into(),
        state(&after).into(),
        names::id(&before.rep).into(),
        names::id(&assignment.rep).into(),
        assignment.rep_email.as_str().into(),
        owner_changed.into(),
        option.map_or("", |option| option.id.as_str()).into(),
        option.map_or("", |option| option.payload.as_str()).into(),
        names::id(&assignment.campaign).into(),
        // Only what concerns assignments has one.
        (event.cause() != Cause::Unspecified).then(|| words::cause(event.cause())).into(),
        event.principal.as_str().into(),
        change::labels(&assignment.labels),
        after.etag.as_str().into(),
        event.note.as_str().into(),
        event.members.iter().map(|name| Value::from(member(name))).collect(),
        // Only an adjustment has them.
        is_adjusted(event).then_some(event.credits).into(),
    ]
}

/// A member as `turnwise group` writes it.
fn member(name: &str) -> String {
    let id = names::id(name);
    if name.contains("/groups/") { format!("group:{id}") } else { id.to_owned() }
}

fn is_adjusted(event: &Event) -> bool {
    event.r#type() == EventType::Rotation && !event.members.is_empty()
}

/// Members that a line names; the rest is counted.
const MEMBERS_NAMED: usize = 5;

fn members(event: &Event) -> String {
    let mut named: Vec<String> = event.members.iter().map(|name| member(name)).collect();
    let more = named.split_off(named.len().min(MEMBERS_NAMED)).len();
    if more > 0 {
        named.push(format!("{more} more"));
    }
    words::and(&named)
}

/// The state of what has one; empty otherwise.
fn state(state: &EventState) -> &'static str {
    let assignment = words::state(state.assignment_state());
    let campaign = words::value(state.campaign_state().as_str_name(), "CAMPAIGN_STATE_");
    match (assignment, campaign) {
        ("UNSPECIFIED", "UNSPECIFIED") => "",
        ("UNSPECIFIED", campaign) => campaign,
        (assignment, _) => assignment,
    }
}

/// An event as a line for people.
fn line(event: &Event) -> String {
    let (id, at) = (names::id(&event.name), time::said(event.time.as_ref()));
    let assignment = event.assignment.clone().unwrap_or_default();
    let (contact, rep) = (&assignment.contact, names::id(&assignment.rep));
    let resource = words::resource(&event.resource);
    let before = event.before.clone().unwrap_or_default();
    let after = event.after.clone().unwrap_or_default();
    let because = words::because(event.cause());
    let from = match names::id(&before.rep) {
        "" => String::new(),
        before if before == rep => String::new(),
        before => format!(", from {before}"),
    };
    let what = match event.r#type() {
        EventType::AssignmentAssigned => match (&assignment.option, rep) {
            (Some(option), _) => format!("{contact} got option {}: {because}", option.id),
            (None, rep) => format!("{contact} goes to {rep}{from}: {because}"),
        },
        EventType::AssignmentOffered => format!("{contact} is offered to {rep}"),
        EventType::AssignmentPending => format!("{contact} waits for somebody to become available"),
        EventType::AssignmentRejected => {
            let who = names::id(&before.rep);
            format!("{contact} is not taken by {who}: {because}")
        }
        EventType::AssignmentUnassigned => format!("{contact} is with nobody{from}: {because}"),
        EventType::AssignmentClosed => format!("{contact} is done"),
        EventType::AssignmentCancelled => format!("{contact} is called off"),
        EventType::Created if event.members.is_empty() => format!("{resource} created"),
        EventType::Created => format!("{resource} created with {}", members(event)),
        EventType::Updated if event.members.is_empty() => format!("{resource} changed"),
        EventType::Updated => format!("{resource} changed: {}", members(event)),
        EventType::Deleted => format!("{resource} deleted"),
        EventType::OutOfOffice => format!("{resource} marked as away or back"),
        EventType::Presence => format!("{resource} said whether they are online"),
        EventType::CampaignState => {
            format!("{resource} is {}, was {}", state(&after), state(&before))
        }
        EventType::Rotation if is_adjusted(event) => {
            let credits = words::count(event.credits.unsigned_abs().into(), "turn");
            match event.credits {
                0 => format!("{resource} adjusted: {} is owed nothing", members(event)),
                1.. => format!("{resource} adjusted: {} is owed {credits}", members(event)),
                ..0 => format!("{resource} adjusted: {} owes {credits}", members(event)),
            }
        }
        EventType::Rotation => format!("{resource} put back to the start"),
        EventType::Unspecified => format!("{resource}: something this version does not know"),
    };
    let owner = match assignment.owner_changed && event.r#type() == EventType::AssignmentAssigned {
        true if assignment.option.is_none() => " (not its owner in the CRM)",
        true | false => "",
    };
    let note = match event.note.as_str() {
        "" => String::new(),
        note => format!(" ({note})"),
    };
    format!("{id}  {at}  {what}{owner}{note}")
}

/// Reads a type in any letter case, for clap.
fn event_type(text: &str) -> Result<EventType, String> {
    let name = format!("{PREFIX}{}", text.to_ascii_uppercase().replace('-', "_"));
    let found = EventType::from_str_name(&name);
    found.filter(|one| *one != EventType::Unspecified).ok_or(
        "not a type of event, such as created, updated, deleted, out_of_office, campaign_state, \
         assignment_assigned, assignment_closed"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::{event_type, line};
    use crate::proto::turnwise::v1::{AssignmentEvent, Cause, Event, EventState, EventType};

    #[test]
    fn an_event_is_a_line_that_people_read() {
        let mut event = Event {
            name: "teams/t/events/12-0".to_owned(),
            r#type: EventType::AssignmentAssigned.into(),
            time: Some(prost_types::Timestamp { seconds: 1_000, nanos: 0 }),
            cause: Cause::Rotation.into(),
            resource: "teams/t/assignments/12-0".to_owned(),
            assignment: Some(AssignmentEvent {
                contact: "c-1".to_owned(),
                rep: "teams/t/reps/ana".to_owned(),
                owner_changed: true,
                ..AssignmentEvent::default()
            }),
            ..Event::default()
        };
        assert_eq!(
            line(&event),
            "12-0  1970-01-01 00:16:40 UTC  c-1 goes to ana: it was their turn (not its owner in the \
             CRM)"
        );
        event.before =
            Some(EventState { rep: "teams/t/reps/bo".to_owned(), ..EventState::default() });
        assert!(line(&event).contains("c-1 goes to ana, from bo: "), "{}", line(&event));
        event.r#type = EventType::Deleted.into();
        event.resource = "teams/t/routingRules/chat".to_owned();
        assert!(line(&event).ends_with("rule chat deleted"), "{}", line(&event));
    }

    #[test]
    fn a_line_says_the_note_the_members_and_the_turns_owed() {
        let line = |event: &Event| {
            let line = line(event);
            line.rsplit_once("UTC  ").unwrap().1.to_owned()
        };
        let reps = |ids: &[&str]| ids.iter().map(|id| format!("teams/t/reps/{id}")).collect();
        let mut event = Event {
            r#type: EventType::OutOfOffice.into(),
            time: Some(prost_types::Timestamp { seconds: 1_000, nanos: 0 }),
            resource: "teams/t/reps/ana".to_owned(),
            note: "by the sea".to_owned(),
            ..Event::default()
        };
        assert_eq!(line(&event), "rep ana marked as away or back (by the sea)");

        event.note.clear();
        event.r#type = EventType::Created.into();
        event.resource = "teams/t/groups/west".to_owned();
        event.members = reps(&["a", "b", "c", "d", "e", "f", "g"]);
        assert_eq!(line(&event), "group west created with a, b, c, d, e and 2 more");
        event.r#type = EventType::Updated.into();
        event.members = vec!["hello".to_owned(), "teams/t/groups/polite".to_owned()];
        assert_eq!(line(&event), "group west changed: hello and group:polite");

        event.r#type = EventType::Rotation.into();
        event.resource = "teams/t/groups/west/rotations/-".to_owned();
        event.members = reps(&["a"]);
        for (credits, expected) in [
            (2, "a is owed 2 turns (a duplicate)"),
            (-1, "a owes 1 turn (a duplicate)"),
            (0, "a is owed nothing (a duplicate)"),
        ] {
            event.credits = credits;
            event.note = "a duplicate".to_owned();
            assert_eq!(line(&event), format!("rotation of group west adjusted: {expected}"));
        }
        event.members.clear();
        event.note.clear();
        assert_eq!(line(&event), "rotation of group west put back to the start");
    }

    #[test]
    fn types_are_read_in_any_case() {
        assert_eq!(event_type("out_of_office"), Ok(EventType::OutOfOffice));
        assert_eq!(event_type("assignment-ASSIGNED"), Ok(EventType::AssignmentAssigned));
        assert!(event_type("unspecified").is_err());
    }
}
