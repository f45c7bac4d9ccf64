//! Load: clients who assign contact after contact, each waiting for its answer, whatever happens.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet, time::timeout};
use turnwise::proto::turnwise::v1::AssignContactResponse;

use crate::{
    harness::{Cluster, PATIENCE},
    service::{Team, position},
};

/// Clients at work.
pub(crate) struct Crowd {
    clients: JoinSet<Vec<AssignContactResponse>>,
    answered: watch::Receiver<u64>,
    stop: watch::Sender<bool>,
}

impl Crowd {
    /// So many clients, each of which asks another node first.
    pub(crate) fn gather(cluster: &Cluster, team: &Team, count: usize) -> Self {
        let (count_up, answered) = watch::channel(0);
        let (stop, stopped) = watch::channel(false);
        let count_up = Arc::new(count_up);
        let contact = Arc::new(AtomicU64::new(0));
        let mut clients = JoinSet::new();
        for number in 0..count {
            let mut nodes = cluster.ids();
            nodes.rotate_left(number % 3);
            let client = cluster.client(&nodes);
            let (team, stopped) = (team.clone(), stopped.clone());
            let (contact, count_up) = (Arc::clone(&contact), Arc::clone(&count_up));
            clients.spawn(async move {
                let mut answers: Vec<AssignContactResponse> = Vec::new();
                while !*stopped.borrow() {
                    let contact = contact.fetch_add(1, Ordering::Relaxed);
                    let answer = team.assign(&client, &format!("contact-{contact}")).await;
                    if let Some(before) = answers.last() {
                        let decided =
                            |a: &AssignContactResponse| position(a.assignment.as_ref().unwrap());
                        assert!(
                            decided(before) < decided(&answer),
                            "what was asked later is later"
                        );
                    }
                    answers.push(answer);
                    count_up.send_modify(|count| *count += 1);
                }
                answers
            });
        }
        Self { clients, answered, stop }
    }

    /// Waits until so many more calls were answered.
    pub(crate) async fn answered(&mut self, more: u64) {
        let goal = *self.answered.borrow() + more;
        let reached = timeout(PATIENCE, self.answered.wait_for(|count| *count >= goal)).await;
        let reached = reached.map(|answered| answered.map(|count| *count));
        assert!(
            matches!(reached, Ok(Ok(_))),
            "the load came to a stop: {:?}",
            self.failure().await
        );
    }

    /// What a client died of, if one did.
    async fn failure(&mut self) -> Option<String> {
        let first = timeout(Duration::from_millis(1), self.clients.join_next()).await.ok()??;
        first.err().map(|error| error.to_string())
    }

    /// Lets every client finish its call. Returns all answers.
    pub(crate) async fn disperse(mut self) -> Vec<AssignContactResponse> {
        self.stop.send_replace(true);
        let mut answers = Vec::new();
        while let Some(client) = self.clients.join_next().await {
            answers.extend(client.unwrap());
        }
        answers
    }
}
