//! The clients of the demo: eight of them, each with connections of its own, sharing out the contacts.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{sync::mpsc, task::JoinSet, time::Instant};

use super::{
    CAMPAIGNS, CLIENTS, CONTACTS, TEAM,
    verdict::{Acknowledged, Place, Seen},
};
use crate::{
    cli::{
        failure::{Failure, to},
        names,
    },
    client::{Client, Options},
    proto::turnwise::v1::{AssignContactRequest, Assignment, assign_contact_request::Via},
};

const ANSWERS_AHEAD_MAX: usize = 64;

/// An answer and when it came.
pub(super) type Told = Result<(Acknowledged, Instant), Failure>;

/// Starts the clients; their answers come over the channel, which ends after the last. The clients
/// end when the set is dropped.
pub(super) fn start(
    endpoints: &[String],
    options: &Options,
) -> Result<(JoinSet<()>, mpsc::Receiver<Told>), Failure> {
    // Small, so that the story keeps up: while it brings a rep back, the clients don't run to the end.
    let (answers, told) = mpsc::channel(ANSWERS_AHEAD_MAX);
    let next = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        // Each begins with another node.
        let mut own: Vec<String> = endpoints.to_vec();
        own.rotate_left(number % endpoints.len().max(1));
        let client = Client::new(&own, options.clone())
            .map_err(|error| Failure::failed(error.to_string()))?;
        clients.spawn(route(client, Arc::clone(&next), answers.clone()));
    }
    Ok((clients, told))
}

async fn route(client: Client, next: Arc<AtomicUsize>, answers: mpsc::Sender<Told>) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= CONTACTS {
            return;
        }
        let told = assign(&client, number).await.map(|answer| (answer, Instant::now()));
        let failed = told.is_err();
        if answers.send(told).await.is_err() || failed {
            return;
        }
    }
}

async fn assign(client: &Client, number: usize) -> Result<Acknowledged, Failure> {
    let contact = format!("contact-{number:04}");
    let campaign = CAMPAIGNS.get(number % CAMPAIGNS.len()).copied().unwrap_or_default();
    let request = AssignContactRequest {
        parent: names::team(TEAM),
        contact: contact.clone(),
        via: Some(Via::Campaign(names::campaign(TEAM, campaign))),
        ..AssignContactRequest::default()
    };
    let answer = client.call(request).await.map_err(to(format!("assign `{contact}`")))?;
    let seen = seen(&answer.assignment.unwrap_or_default());
    let position = answer.position.unwrap_or_default();
    Ok(Acknowledged { seen, existing: answer.existing, term: position.term })
}

/// What counts of an assignment.
pub(super) fn seen(assignment: &Assignment) -> Seen {
    let position = assignment.position.unwrap_or_default();
    let campaign = names::id(&assignment.campaign);
    Seen {
        name: assignment.name.clone(),
        contact: assignment.contact.clone(),
        campaign: CAMPAIGNS.iter().position(|name| *name == campaign).unwrap_or(usize::MAX),
        rep: names::id(&assignment.rep).to_owned(),
        place: Place { log_index: position.log_index, seq: position.seq },
    }
}
