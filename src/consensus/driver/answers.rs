//! Replies on their way to those who wait for them.
//!
//! Those of a turn that are waited for on one runtime leave as one task there: one wake in the place of one each.
//! Where that runtime has a single thread, what they cause happens together as well: the answers on one
//! connection are one write.

use std::{mem, time::Duration};

use tokio::{runtime::Handle, sync::oneshot};

use crate::unavailable::Unavailable;

/// The reply, or why there is none.
type Replied<R> = Result<R, Unavailable>;
type Slot<R> = oneshot::Sender<Replied<R>>;
type Answer<R> = (Slot<R>, Replied<R>);

/// Whoever waits for the reply to a command.
#[derive(Debug)]
pub(super) struct Waiter<R> {
    pub(super) reply: Slot<R>,
    /// Since when.
    pub(super) since: Duration,
    /// Where, if on a runtime.
    pub(super) runtime: Option<Handle>,
}

/// Replies that leave together.
#[derive(Debug)]
pub(super) struct Answers<R> {
    /// By runtime, of which there are a few.
    waiting: Vec<(Option<Handle>, Vec<Answer<R>>)>,
}

impl<R> Default for Answers<R> {
    fn default() -> Self {
        Self { waiting: Vec::new() }
    }
}

impl<R: Send + 'static> Answers<R> {
    pub(super) fn push(&mut self, Waiter { reply, runtime, since: _ }: Waiter<R>, it: Replied<R>) {
        let id = runtime.as_ref().map(Handle::id);
        let there = self.waiting.iter_mut().find(|(it, _)| it.as_ref().map(Handle::id) == id);
        match there {
            Some((_, answers)) => answers.push((reply, it)),
            None => self.waiting.push((runtime, vec![(reply, it)])),
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

fn send<R>(answers: Vec<Answer<R>>) {
    for (reply, it) in answers {
        // A caller that has gone away is no error.
        drop(reply.send(it));
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        runtime::{Builder, Runtime},
        sync::oneshot::error::TryRecvError,
    };

    use super::*;

    fn runtime() -> Runtime {
        Builder::new_current_thread().build().unwrap()
    }

    /// Replies 0, 1, 2 … to as many waiters, one on each of these.
    fn replies(
        on: &[Option<&Runtime>],
    ) -> (Answers<usize>, Vec<oneshot::Receiver<Replied<usize>>>) {
        let (mut answers, mut waiting) = (Answers::default(), Vec::new());
        for (n, runtime) in on.iter().enumerate() {
            let (reply, answer) = oneshot::channel();
            let runtime = runtime.map(|it| it.handle().clone());
            answers.push(Waiter { reply, since: Duration::ZERO, runtime }, Ok(n));
            waiting.push(answer);
        }
        (answers, waiting)
    }

    #[test]
    fn several_on_one_runtime_come_by_one_task_there_and_all_others_at_once() {
        let (many, one) = (runtime(), runtime());
        let (mut answers, mut waiting) =
            replies(&[Some(&many), None, Some(&many), Some(&one), None, Some(&many)]);
        answers.leave();
        for (n, answer) in waiting.iter_mut().enumerate() {
            let expected =
                if [0, 2, 5].contains(&n) { Err(TryRecvError::Empty) } else { Ok(Ok(n)) };
            assert_eq!(answer.try_recv(), expected, "{n}");
        }
        assert_eq!(many.metrics().num_alive_tasks(), 1);
        many.block_on(tokio::task::yield_now());
        for n in [0, 2, 5] {
            assert_eq!(waiting[n].try_recv(), Ok(Ok(n)));
        }
        assert!(answers.waiting.is_empty());
    }

    #[test]
    fn on_a_runtime_that_has_ended_nobody_is_told_and_nothing_breaks() {
        let ended = runtime();
        let (mut answers, mut waiting) = replies(&[Some(&ended), Some(&ended)]);
        drop(ended);
        answers.leave();
        assert_eq!(waiting[0].try_recv(), Err(TryRecvError::Closed));
    }
}
