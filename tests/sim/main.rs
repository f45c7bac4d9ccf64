//! The simulator: whole clusters in one thread, from one number, under faults.
//!
//! It drives the production `Node`, log, snapshot files, state machine and client retry through
//! simulated networks, disks and clocks. A seed is a history: which faults strike, what is lost, who
//! is elected. Invariants are checked at every step, and at the end of each run, after all faults have
//! ceased, the cluster must come right by itself.
//!
//! | File | Owns |
//! |---|---|
//! | `plan` | what a seed's world is like, and which faults strike there |
//! | `world` | nodes, disks, clocks, links, clients; the heap of events |
//! | `process` | one running node: performs the production node's effects |
//! | `store` | its data directory: the production log and snapshot files |
//! | `network` | links |
//! | `nemesis` | which fault strikes where and when |
//! | `client`, `workload` | who asks for what, and retries |
//! | `members` | who changes the members, and machines that join |
//! | `checks` | what must be true of every step |
//! | `configs` | who is a member, by the committed log |
//! | `../model` | the naive model, which the committed log is replayed through |
//! | `../support/memdisk` | a disk that loses and tears what was not synced |
//! | `marks` | whether the interesting moments happened at all |
//! | `planted` | bugs that must be found |
//! | `upgrades` | clusters of two builds |
//! | `rng` | randomness from one number |
//!
//! `TURNWISE_SIM_SEEDS=1000` runs the seeds from 0 to 999, `TURNWISE_SIM_SEED=7` runs one. A violation
//! prints its seed; that seed shows it again on any machine, as long as this folder and what it drives
//! are the same.
//!
//! That it bites: with the feature `planted`, bugs are put into the production code one by one, and each
//! must be found (`planted`; the table is in `docs/RELIABILITY.md`).

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test program: a panic is how it says that something is wrong"
)]

mod checks;
mod client;
mod configs;
mod marks;
mod members;
#[path = "../support/memdisk.rs"]
mod memdisk;
#[path = "../model/mod.rs"]
mod model;
mod nemesis;
mod network;
mod plan;
#[cfg(feature = "planted")]
mod planted;
mod process;
mod rng;
mod store;
#[cfg(feature = "next")]
mod upgrades;
mod workload;
mod world;

use std::{
    any::Any,
    io::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicUsize, Ordering},
};

use marks::{Mark, Marks};
use plan::Worlds;
use turnwise::clock;
use world::{Report, World};
use xxhash_rust::xxh3::Xxh3;

/// Where the optimiser was asked, more.
const SEEDS_DEFAULT: u64 = if cfg!(debug_assertions) { 20 } else { 1_000 };
/// So many come upon every mark.
const SEEDS_FOR_MARKS: u64 = 200;
/// Seeds that once found a bug, and what it was. Kept for ever, though a seed is another history since
/// more faults are drawn.
const KEPT: [(u64, &str); 1] =
    [(1401, "an election while an installed snapshot was on its way to the disk stopped the node")];

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}

/// Runs one seed; a violation comes back as its message.
fn run(seed: u64, worlds: Worlds) -> Result<Report, String> {
    catch_unwind(AssertUnwindSafe(|| World::new(seed, worlds).run())).map_err(|panic| text(&*panic))
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

/// Does all of it on all cores, in no order; each is one thread's affair.
fn in_parallel<T, R>(all: &[T], act: impl Fn(T) -> R + Sync) -> Vec<(T, R)>
where
    T: Copy + Ord + Send + Sync,
    R: Send,
{
    let next = AtomicUsize::new(0);
    let worker = || {
        let next = || all.get(next.fetch_add(1, Ordering::Relaxed));
        std::iter::from_fn(next).map(|one| (*one, act(*one))).collect::<Vec<_>>()
    };
    let mut done: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers()).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    done.sort_by_key(|(one, _)| *one);
    done
}

/// How many seeds run at once.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Shown even where the test passes.
fn say(line: &str) {
    writeln!(std::io::stderr().lock(), "{line}").unwrap();
}

#[test]
fn no_fault_breaks_a_promise() {
    let one = number("TURNWISE_SIM_SEED");
    let count = number("TURNWISE_SIM_SEEDS").unwrap_or(SEEDS_DEFAULT);
    let kept = KEPT.iter().map(|(seed, _)| *seed).filter(|seed| *seed >= count);
    let seeds = one.map_or_else(|| (0..count).chain(kept).collect(), |seed| vec![seed]);
    let began = clock::monotonic();
    let all = in_parallel(&seeds, |seed| run(seed, Worlds::ORDINARY));
    let (mut simulated_us, mut operations, mut checks) = (0, 0, 0);
    let (mut marks, mut histories) = (Marks::default(), Xxh3::new());
    let mut violations = Vec::new();
    for (seed, result) in &all {
        match result {
            Ok(report) => {
                simulated_us += report.simulated_us;
                operations += report.operations;
                checks += report.checks;
                histories.update(&report.trace.to_le_bytes());
                marks.add(&report.marks);
            }
            Err(violation) => violations.push((seed, violation)),
        }
    }
    say(&format!(
        "simulator: {} seeds, {} simulated seconds, {operations} operations checked, {checks} checks \
         at steps, {} violations\n  faults injected: {}\n  marks hit, {} of {}: {}\n  speed: {} seeds of \
         30 simulated seconds a minute on {} threads\n  all histories: {:016x}",
        all.len(),
        simulated_us / plan::S,
        violations.len(),
        marks.text(true),
        Mark::ordinary().count() - marks.missing().len(),
        Mark::ordinary().count(),
        marks.text(false),
        simulated_us * 2 / u64::try_from((clock::monotonic() - began).as_micros().max(1)).unwrap(),
        workers(),
        histories.digest(),
    ));
    for (seed, violation) in &violations {
        let kept = KEPT.iter().find(|(kept, _)| kept == *seed).map_or("", |(_, what)| what);
        say(&format!("seed {seed}: {violation} {kept}"));
    }
    assert!(
        violations.is_empty(),
        "seed {} breaks a promise; TURNWISE_SIM_SEED={0} cargo test --test sim shows it again",
        violations[0].0
    );
    if one.is_none() && count >= SEEDS_FOR_MARKS {
        assert!(marks.missing().is_empty(), "never happened: {}", marks.missing().join(", "));
    }
}

#[test]
fn a_seed_is_one_history() {
    for seed in 0..8 {
        let [once, again] = [(); 2].map(|()| run(seed, Worlds::ORDINARY).unwrap());
        assert_eq!(once.trace, again.trace, "two runs of seed {seed}");
    }
}
