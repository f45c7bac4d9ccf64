//! A run: callers begin work as it becomes due, until the time is over.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{self, MissedTickBehavior},
};

use super::{Failed, Figures, Moment, Plan, Ticket, meter::Meter, tickets::Tickets};
use crate::clock;

/// What is put under load.
pub trait Target: Send + Sync + 'static {
    /// How many pieces of work one call does, where it does several at once.
    const PIECES: u64 = 1;

    /// Makes the call of this number, which no other call of the run has, on behalf of `caller`, from 0 and
    /// fewer than [`Plan::in_flight`]; each makes one at a time.
    fn call(&self, caller: usize, number: u64) -> impl Future<Output = Result<(), Failed>> + Send;
}

/// The work of one run, shared by all who do it.
#[derive(Debug, Clone)]
pub struct Load(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    tickets: Tickets,
    meter: Meter,
    ended: AtomicU64,
}

impl Load {
    fn new(plan: &Plan) -> io::Result<Self> {
        let tickets = Tickets::new(plan)?;
        let meter = Meter::new(tickets.start() + plan.warm_up, tickets.end());
        Ok(Self(Arc::new(Shared { tickets, meter, ended: AtomicU64::new(0) })))
    }

    /// The next piece of work, as soon as it is due; none when the time is over.
    pub async fn next(&self) -> Option<Ticket> {
        self.0.tickets.next().await
    }

    /// A piece of work has ended.
    pub fn ended(&self, ticket: Ticket, result: Result<(), Failed>) {
        self.ended_many(ticket, 1, result);
    }

    fn ended_many(&self, ticket: Ticket, pieces: u64, result: Result<(), Failed>) {
        self.0.meter.ended(ticket, clock::instant(), pieces, result);
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// Has `target` called as planned, and tells each [`Moment`] when it is over.
///
/// # Errors
///
/// Where no thread can be had for the clock of an open loop.
pub async fn run<T: Target>(
    target: &Arc<T>,
    plan: &Plan,
    each: impl FnMut(&Moment),
) -> io::Result<Figures> {
    let callers = |load: &Load| {
        let mut callers = JoinSet::new();
        for caller in 0..plan.in_flight.max(1) {
            let (load, target) = (load.clone(), Arc::clone(target));
            callers.spawn(async move {
                while let Some(ticket) = load.next().await {
                    let result = target.call(caller, ticket.number).await;
                    load.ended_many(ticket, T::PIECES, result);
                }
            });
        }
        callers
    };
    run_with(plan, callers, each).await
}

/// The same where callers are of another shape: `callers` starts them; each takes tickets with
/// [`Load::next`] until there are none, and says [`Load::ended`] for each.
///
/// # Errors
///
/// As [`run`].
pub async fn run_with(
    plan: &Plan,
    callers: impl FnOnce(&Load) -> JoinSet<()>,
    mut each: impl FnMut(&Moment),
) -> io::Result<Figures> {
    let load = Load::new(plan)?;
    let mut callers = callers(&load);
    let mut moments = Vec::new();
    let start = load.0.tickets.start();
    let mut ticks = time::interval_at(
        time::Instant::from_std(start) + plan.interval,
        plan.interval.max(Duration::from_millis(1)),
    );
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = Duration::ZERO;
    let mut tell = |now: Duration| {
        let moment = load.0.meter.moment(now, now.saturating_sub(before));
        before = now;
        each(&moment);
        moments.push(moment);
    };
    let last = time::Instant::from_std(load.0.tickets.end()) + plan.patience;
    loop {
        tokio::select! {
            _ = ticks.tick() => tell(clock::instant().saturating_duration_since(start)),
            joined = callers.join_next() => match joined {
                Some(Ok(())) => {}
                // A caller that panicked is a defect: of the target, or of ours.
                Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Some(Err(_cancelled)) => {}
                None => break,
            },
            () = time::sleep_until(last) => break,
        }
    }
    tell(clock::instant().saturating_duration_since(start));
    let under_way = load.0.tickets.given() - load.0.ended.load(Ordering::Relaxed);
    callers.shutdown().await;
    let mut figures = load.0.meter.figures();
    let end = load.0.tickets.end();
    for ticket in load.0.tickets.never_begun() {
        if load.0.meter.counts(ticket.due) {
            figures.never_begun += 1;
            figures.late(end.saturating_duration_since(ticket.due));
        }
    }
    for _ in 0..under_way {
        figures.late(plan.patience);
    }
    figures.never_ended = under_way;
    figures.moments = moments;
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicBool, AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use super::{Target, run};
    use crate::load::{Failed, Pace, Plan};

    const MS: Duration = Duration::from_millis(1);

    /// Stands still once, for the given time; otherwise answers at once. Every tenth call fails.
    #[derive(Default)]
    struct Stumbling {
        pause: Duration,
        has_stumbled: AtomicBool,
        under_way: AtomicUsize,
        most: AtomicUsize,
    }

    impl Target for Stumbling {
        async fn call(&self, _caller: usize, number: u64) -> Result<(), Failed> {
            let under_way = self.under_way.fetch_add(1, Ordering::Relaxed) + 1;
            self.most.fetch_max(under_way, Ordering::Relaxed);
            if !self.has_stumbled.swap(true, Ordering::Relaxed) {
                tokio::time::sleep(self.pause).await;
            }
            tokio::task::yield_now().await;
            self.under_way.fetch_sub(1, Ordering::Relaxed);
            if number % 10 == 9 { Err(Failed("TENTH".into())) } else { Ok(()) }
        }
    }

    #[tokio::test]
    async fn a_closed_loop_has_so_many_under_way_and_ends_all_of_them() {
        let target = Arc::new(Stumbling::default());
        let plan = Plan { interval: 20 * MS, ..Plan::closed(5, 10 * MS, 100 * MS) };
        let mut told = 0;
        let figures = run(&target, &plan, |_| told += 1).await.unwrap();
        assert_eq!(target.most.load(Ordering::Relaxed), 5);
        assert_eq!(target.under_way.load(Ordering::Relaxed), 0);
        assert!(figures.done > 0 && figures.failed["TENTH"] > 0, "{figures:?}");
        assert_eq!((figures.never_begun, figures.never_ended), (0, 0));
        assert_eq!(told, figures.moments.len());
        let all: u64 = figures.moments.iter().map(|moment| moment.done).sum();
        assert!(all >= figures.done, "moments have the warm-up too");
    }

    #[tokio::test]
    async fn an_open_loop_counts_from_when_work_was_due_so_a_pause_shows_in_all_that_waited() {
        let target = Arc::new(Stumbling { pause: 200 * MS, ..Stumbling::default() });
        let plan = Plan {
            pace: Pace::Open { per_second: 1_000 },
            ..Plan::closed(1, Duration::ZERO, 400 * MS)
        };
        let figures = run(&target, &plan, |_| ()).await.unwrap();
        // Half of the work fell into the pause: a quarter of all waited for half of it or longer.
        assert!(figures.latency(0.8) > 60 * MS, "{:?}", figures.latency(0.8));
        assert!(figures.slowest() >= 199 * MS);
        assert_eq!(figures.done + figures.failures() + figures.never_begun, 400, "{figures:?}");
    }

    #[tokio::test]
    async fn what_could_not_be_begun_or_did_not_end_is_told_and_is_late() {
        let target =
            Arc::new(Stumbling { pause: Duration::from_secs(3_600), ..Stumbling::default() });
        let plan = Plan {
            pace: Pace::Open { per_second: 1_000 },
            patience: 20 * MS,
            ..Plan::closed(1, Duration::ZERO, 100 * MS)
        };
        let figures = run(&target, &plan, |_| ()).await.unwrap();
        assert_eq!((figures.done, figures.never_ended, figures.never_begun), (0, 1, 99));
        assert!(figures.latency(0.5) > 45 * MS, "{:?}", figures.latency(0.5));
    }
}
