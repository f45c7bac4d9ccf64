//! Replies on their way to those who wait for them.
//!
//! Those of a turn that are waited for on one runtime leave as one task there: one wake in the place of one each.
//! Where that runtime has a single thread, what they cause happens together as well: the answers on one
//! connection are one write.

use std::{mem, time::Duration};

use tokio::{runtime::Handle, sync::oneshot};

use super::Submission;
use crate::{consensus::StateMachine, unavailable::Unavailable};

/// The reply, or why there is none.
type Replied<S> = Result<<S as StateMachine>::Reply, Unavailable>;
type Slot<S> = oneshot::Sender<Replied<S>>;
type Answer<S> = (Slot<S>, Replied<S>);

/// Whoever waits for the reply to a command.
pub(super) struct Waiter<S: StateMachine> {
    reply: Slot<S>,
    /// Since when.
    pub(super) since: Duration,
    /// Where, if on a runtime.
    runtime: Option<Handle>,
}

/// Replies that leave together.
pub(super) struct Answers<S: StateMachine> {
    /// By runtime, of which there are a few.
    waiting: Vec<(Option<Handle>, Vec<Answer<S>>)>,
}

impl<S: StateMachine> Waiter<S> {
    /// Parts a command from whoever submitted it.
    pub(super) fn of(
        Submission { command, reply, since, runtime }: Submission<S>,
    ) -> (bytes::Bytes, Self) {
        (command, Self { reply, since, runtime })
    }

    /// At once.
    pub(super) fn answer(self, outcome: Replied<S>) {
        // A caller that has gone away is no error.
        drop(self.reply.send(outcome));
    }
}

impl<S: StateMachine> Default for Answers<S> {
    fn default() -> Self {
        Self { waiting: Vec::new() }
    }
}

impl<S: StateMachine> Answers<S> {
    pub(super) fn push(&mut self, Waiter { reply, runtime, .. }: Waiter<S>, outcome: Replied<S>) {
        let id = runtime.as_ref().map(Handle::id);
        let there = self.waiting.iter_mut().find(|(it, _)| it.as_ref().map(Handle::id) == id);
        match there {
            Some((_, answers)) => answers.push((reply, outcome)),
            None => self.waiting.push((runtime, vec![(reply, outcome)])),
        }
    }

    /// Sends all of them.
    pub(super) fn leave(&mut self) {
        for (runtime, answers) in mem::take(&mut self.waiting) {
            match runtime {
                // It ends when it is first polled. On a runtime that has ended nobody waits any more.
                Some(runtime) if answers.len() > 1 => drop(runtime.spawn(async { send(answers) })),
                Some(_) | None => send(answers),
            }
        }
    }
}

fn send<R>(answers: Vec<(oneshot::Sender<R>, R)>) {
    for (reply, outcome) in answers {
        // A caller that has gone away is no error.
        drop(reply.send(outcome));
    }
}
