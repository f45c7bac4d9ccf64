//! The threads that serve clients: each has a runtime of its own, and a connection stays on one for its life.
//!
//! A runtime that shares its tasks among threads runs a connection's task right after each call that has
//! something for it, so that each answer is a write of its own; one with a single thread runs it behind all calls
//! that were woken together, and their answers are one write. Nor does one thread wake another to look whether
//! there is something to share (decision 16).

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    runtime::{self, Handle},
    sync::oneshot,
};

/// A runtime wakes itself for each timer that is due before all that it knew of as it went to sleep: calls would
/// do that, with their deadlines. It always knows of one that is due sooner than those of most.
const SOONER_THAN_DEADLINES: Duration = Duration::from_millis(100);

/// Threads that run what is spawned on them until this is dropped; then what they run ends where it waits.
#[derive(Debug)]
pub struct NetworkThreads {
    runtimes: NetworkRuntimes,
    /// Ended when they are dropped.
    _threads: Vec<NetworkThread>,
}

/// The runtimes of those threads, for as long as they run. Cheap to clone.
#[derive(Debug, Clone)]
pub struct NetworkRuntimes {
    all: Arc<[Handle]>,
    /// How many were asked for by [`Self::one`].
    asked: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct NetworkThread {
    /// Dropped to end it.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl NetworkThreads {
    /// So many of them, at least one.
    ///
    /// # Errors
    /// The operating system has no thread, or no file descriptor, for one of them.
    pub fn start(count: usize) -> io::Result<Self> {
        let started = (0..count.max(1)).map(|_| NetworkThread::start());
        let (threads, all): (Vec<_>, Vec<_>) =
            started.collect::<io::Result<Vec<_>>>()?.into_iter().unzip();
        let runtimes = NetworkRuntimes { all: all.into(), asked: Arc::default() };
        Ok(Self { runtimes, _threads: threads })
    }

    /// Where they run what they are given.
    #[must_use]
    pub fn runtimes(&self) -> &NetworkRuntimes {
        &self.runtimes
    }
}

impl NetworkRuntimes {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Handle> {
        self.all.iter()
    }

    /// Each in turn, for a task that does not care.
    ///
    /// # Panics
    /// Never: there is at least one.
    #[must_use]
    pub fn one(&self) -> &Handle {
        let place = self.asked.fetch_add(1, Ordering::Relaxed) % self.all.len();
        self.all.get(place).expect("a remainder is less than what was divided by")
    }
}

impl NetworkThread {
    fn start() -> io::Result<(Self, Handle)> {
        let own = runtime::Builder::new_current_thread().enable_all().build()?;
        let runtime = own.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let run = move || own.block_on(until(stopped));
        let thread = thread::Builder::new().name("network".to_owned()).spawn(run)?;
        Ok((Self { stop: Some(stop), thread: Some(thread) }, runtime))
    }
}

async fn until(mut stopped: oneshot::Receiver<()>) {
    loop {
        tokio::select! {
            // An error means just this: the other end is gone.
            _ = &mut stopped => return,
            () = tokio::time::sleep(SOONER_THAN_DEADLINES) => {}
        }
    }
}

impl Drop for NetworkThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has panicked only where a task's destructor did, and said so.
            thread.join().unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_has_its_turn_and_what_they_run_ends_with_them() {
        let threads = NetworkThreads::start(2).unwrap();
        let asked = (0..4).map(|_| threads.runtimes().one().id());
        let ids: Vec<_> = asked.collect();
        assert_eq!((ids[0], ids[1]), (ids[2], ids[3]));
        assert_ne!(ids[0], ids[1]);

        let here = || (thread::current().name().map(str::to_owned), thread::current().id());
        let (tell, told) = std::sync::mpsc::channel();
        let mut held = Vec::new();
        for runtime in threads.runtimes().iter() {
            let (hold, ends) = oneshot::channel::<()>();
            held.push(ends);
            let tell = tell.clone();
            runtime.spawn(async move {
                tell.send(here()).unwrap();
                std::future::pending::<()>().await;
                drop(hold);
            });
        }
        drop(tell);
        let ran: BTreeSet<_> = [told.recv().unwrap(), told.recv().unwrap()]
            .map(|(name, id)| (name, format!("{id:?}")))
            .into();
        assert_eq!(ran.len(), 2, "on two threads");
        assert!(ran.iter().all(|(name, _)| name.as_deref() == Some("network")), "{ran:?}");
        drop(threads);
        for mut ends in held {
            assert!(matches!(ends.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
        }
    }
}
