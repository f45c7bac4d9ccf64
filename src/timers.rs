//! What has to happen by time alone: the node that leads proposes it, and only when something is due.
//!
//! Waits and offers that end, people who come back: a `Tick` for each team where the state says that
//! something is due. Working hours that were expanded long ago: the same hours, expanded further. An
//! idle cluster writes nothing. It decides nothing: the state says what is due, and what then happens.

use std::time::Duration;

use crate::{
    clock, hours,
    replica::{Encoded, Replica, Role, WhenFull},
    routing::{Command, Hours, Operation, Principal, RepId, State, TeamId, Time},
    unavailable::Unavailable,
};

/// How often it looks whether something is due.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often it looks for working hours to expand.
const RENEW_EVERY: Duration = Duration::from_secs(60);
/// Teams that get a `Tick` at a time; the others are due a moment later.
const TEAMS_AT_ONCE: usize = 256;
/// Working hours expanded at a time: over 100,000 a day.
const HOURS_AT_ONCE: usize = 100;
/// Hours looked at for that, since some may not be expandable.
const HOURS_LOOKED_AT: usize = 1_000;

/// Runs for the life of a node; returns when it stops.
pub async fn run(replica: Replica) {
    let mut status = replica.watch();
    let mut next_renewal = Duration::ZERO;
    loop {
        // An error means that the thread which owns the state has ended.
        if status.borrow().role != Role::Leader {
            next_renewal = Duration::ZERO;
            if status.wait_for(|now| now.role == Role::Leader).await.is_err() {
                return;
            }
        }
        match round(&replica, &mut next_renewal).await {
            Err(Unavailable::ShuttingDown) => return,
            // The next look finds it due still.
            Err(cause) => tracing::debug!(%cause, "what is due was not proposed"),
            Ok(()) => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// One look, and what is due.
async fn round(replica: &Replica, next_renewal: &mut Duration) -> Result<(), Unavailable> {
    let look = |state: &State, now: Time| {
        let is_due = state.next_due().is_some_and(|due| due <= now);
        let mut teams = if is_due { state.due_teams(now) } else { Vec::new() };
        teams.truncate(TEAMS_AT_ONCE);
        teams
    };
    let due = inspect(replica, look).await?.unwrap_or_default();
    let ticks = due.into_iter().map(|team| (team, Operation::Tick));
    propose(replica, ticks.collect()).await?;
    if clock::monotonic() < *next_renewal {
        return Ok(());
    }
    // A look at every rep: on a copy, not on the thread that owns the state.
    let Some((state, now)) = inspect(replica, |state, now| (state.clone(), now)).await? else {
        return Ok(());
    };
    *next_renewal = clock::monotonic() + RENEW_EVERY;
    let renewed = tokio::task::spawn_blocking(move || {
        renewed(state.hours_to_renew(now, HOURS_LOOKED_AT), now)
    });
    propose(replica, renewed.await.unwrap_or_default()).await
}

/// What `look` sees of the state at leader time; `None` if this node does not lead.
async fn inspect<T: Send + 'static>(
    replica: &Replica,
    look: impl FnOnce(&State, Time) -> T + Send + 'static,
) -> Result<Option<T>, Unavailable> {
    replica.inspect(move |state, at| at.leader_time.map(|now| look(state, now))).await
}

/// The same hours as operations that expand them from now on.
fn renewed(old: Vec<(TeamId, RepId, Hours)>, now: Time) -> Vec<(TeamId, Operation)> {
    let expanded = old.into_iter().filter_map(|(team, rep, old)| match hours::renewed(&old, now) {
        Ok(hours) => Some((team, Operation::RenewHours { rep, hours })),
        Err(error) => {
            tracing::warn!(%team, %rep, %error, "working hours can't be expanded");
            None
        }
    });
    expanded.take(HOURS_AT_ONCE).collect()
}

/// Proposes all before it waits for any.
async fn propose(
    replica: &Replica,
    operations: Vec<(TeamId, Operation)>,
) -> Result<(), Unavailable> {
    let mut underway = Vec::with_capacity(operations.len());
    for (team, operation) in operations {
        let command =
            Command { request: None, principal: Principal::default(), team, etag: None, operation };
        underway.push(replica.submit(Encoded::new(&command)?, WhenFull::Wait).await?);
    }
    for submitted in underway {
        if let Err(rejection) = submitted.answer().await? {
            // Deleted in the meantime, or given other hours.
            tracing::debug!(%rejection, "nothing was due any more");
        }
    }
    Ok(())
}
