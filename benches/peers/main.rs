//! Turnwise beside what people would use in its place: `benches/peers/run`, see the README there.
//!
//! All of them are up all the time; who is measured has the machine for itself but for the heartbeats of the
//! others. In each round every measurement is made once, of one after the other, so that what happens to the
//! machine happens to all. Everything shares the machine's processors, the client too: read the ratios.
//!
//! `TURNWISE_BENCH_SECONDS` (3 by default) is the length of one measurement, `TURNWISE_BENCH_ROUNDS` (3) how many
//! there are of each, `TURNWISE_BENCH_DATA` the folder whose disk is used.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::as_conversions,
    reason = "a benchmark: it measures, prints, and fails by a panic"
)]

mod check;
#[path = "../throughput/echo.rs"]
mod echo;
mod etcd;
mod job;
mod postgres;
mod redis;
mod servers;
mod turnwise;

use std::{
    env,
    fs::File,
    io::Write as _,
    net::TcpListener,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use ::turnwise::load::{self, Figures, Plan, Target};
use job::Job;
use serde_json::json;
use servers::Servers;

/// What Turnwise is built with here, and so the echo and the client as well.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Contacts that are asked for once more after each measurement.
const AGAIN: u64 = 20;

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Echo,
    Turnwise,
    Etcd,
    Postgres,
    Redis,
}

/// What they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// One assign a call.
    Assign,
    /// As many as its form for volume takes: a stream, or 64 a transaction.
    Volume,
    /// A put of 256 bytes, without any logic.
    Put,
    /// A linearizable read.
    Read,
}

#[derive(Debug, Clone, Copy)]
struct Measurement {
    who: Who,
    what: What,
    groups: u32,
    in_flight: usize,
}

/// Everything there is to measure, in the order of the table.
fn measurements() -> Vec<Measurement> {
    let mut all = Vec::new();
    let mut add = |who, what, groups, in_flight| {
        all.push(Measurement { who, what, groups, in_flight });
    };
    for in_flight in [1, 64, 256] {
        for who in [Who::Turnwise, Who::Echo, Who::Etcd, Who::Postgres, Who::Redis] {
            add(who, What::Assign, 1, in_flight);
        }
    }
    for who in [Who::Turnwise, Who::Etcd, Who::Postgres, Who::Redis] {
        add(who, What::Assign, 100, 64);
    }
    add(Who::Turnwise, What::Volume, 1, 1_024);
    add(Who::Etcd, What::Volume, 1, 1);
    add(Who::Postgres, What::Volume, 1, 1);
    add(Who::Redis, What::Volume, 1, 4);
    add(Who::Turnwise, What::Assign, 1, 64);
    add(Who::Etcd, What::Put, 1, 64);
    add(Who::Turnwise, What::Read, 1, 64);
    add(Who::Etcd, What::Read, 1, 64);
    all
}

/// All processes, and where they answer.
struct Contenders {
    nodes: Vec<String>,
    echo: String,
    etcd: Servers,
    postgres: Servers,
    redis: Servers,
}

fn main() {
    if env::args().nth(1).as_deref() == Some("--echo") {
        return echo::serve();
    }
    check::finds_what_is_wrong();
    let seconds = Duration::from_secs(number("TURNWISE_BENCH_SECONDS", 3));
    let rounds = number("TURNWISE_BENCH_ROUNDS", 3);
    let folder = match env::var_os("TURNWISE_BENCH_DATA") {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    }
    .unwrap();
    eprintln!("starting etcd, PostgreSQL, Redis, the echo and Turnwise");
    let (_echo, echo) = turnwise::start_echo();
    let (_nodes, nodes) = turnwise::start_nodes(&folder.path().join("turnwise"));
    let mut contenders = Contenders {
        nodes,
        echo,
        etcd: Servers::etcd(folder.path(), ports()),
        postgres: Servers::postgres(folder.path(), ports()),
        redis: Servers::redis(folder.path(), ports()),
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    // For somebody who wants to watch them.
    let peers = [
        ("etcd", &contenders.etcd),
        ("postgres", &contenders.postgres),
        ("redis", &contenders.redis),
    ];
    for (name, servers) in peers {
        let processes: Vec<_> =
            servers.list().map(|server| server.pid().as_raw_nonzero().to_string()).collect();
        eprintln!("{name}: {}, processes {}", servers.addresses.join(" "), processes.join(" "));
    }
    contenders.nodes = runtime.block_on(turnwise::leader_first(contenders.nodes));

    let calibration = Measurement { who: Who::Echo, what: What::Assign, groups: 1, in_flight: 64 };
    let calibrate = || {
        let echo = runtime.block_on(measure(&contenders, calibration, 0, seconds));
        (fdatasync(folder.path()), echo.figures.rate())
    };
    let before = calibrate();
    let all = measurements();
    let mut results: Vec<Vec<Measured>> = all.iter().map(|_| Vec::new()).collect();
    let mut run = 0;
    for round in 1..=rounds {
        for (measurement, results) in all.iter().zip(&mut results) {
            run += 1;
            eprintln!("round {round} of {rounds}: {measurement:?}");
            results.push(runtime.block_on(measure(&contenders, *measurement, run, seconds)));
        }
    }
    let after = calibrate();

    let medians: Vec<Median> =
        all.iter().zip(&results).map(|(it, all)| Median::of(*it, all)).collect();
    println!("{rounds} rounds of {seconds:?} each; medians, lowest and highest");
    println!(
        "{:<10} {:<8} {:>6} {:>9} {:>10} {:>21} {:>9} {:>9} {:>9} {:>7} {:>10}",
        "who",
        "what",
        "groups",
        "in flight",
        "each/s",
        "",
        "p50 ms",
        "p99 ms",
        "turnwise",
        "failed",
        "violations"
    );
    for (place, it) in medians.iter().enumerate() {
        let ours = ratio(&medians, place).map_or(String::new(), |ratio| format!("{ratio:.2}x"));
        println!(
            "{:<10} {:<8} {:>6} {:>9} {:>10.0} {:>21} {:>9.2} {:>9.2} {:>9} {:>7} {:>10}",
            format!("{:?}", it.measurement.who).to_lowercase(),
            format!("{:?}", it.measurement.what).to_lowercase(),
            it.measurement.groups,
            it.measurement.in_flight,
            it.rate,
            format!("{:.0} to {:.0}", it.lowest, it.highest),
            it.p50_ms,
            it.p99_ms,
            ours,
            it.failed,
            it.violations.map_or("-".to_owned(), |count| count.to_string()),
        );
    }
    println!("-: its answers say nothing that could be wrong");
    println!("fdatasync of 4 KiB, p50: {:?} before, {:?} after", before.0, after.0);
    println!("echo with 64 in flight: {:.0} before, {:.0} after", before.1, after.1);
    let rows: Vec<_> = (0..).zip(&medians).map(|(at, it)| it.json(ratio(&medians, at))).collect();
    let told = |(fdatasync, echo): (Duration, f64)| json!({ "fdatasync_p50_us": fdatasync.as_micros() as u64, "echo_per_second": echo });
    let whole = json!({
        "machine": machine(),
        "versions": servers::versions(),
        "rounds": rounds,
        "seconds": seconds.as_secs(),
        "calibration": { "before": told(before), "after": told(after) },
        "measurements": rows,
    });
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers.json");
    std::fs::write(&file, serde_json::to_string_pretty(&whole).unwrap()).unwrap();
    println!("written: target/peers.json");
    let wrong: Vec<&String> = results.iter().flatten().flat_map(Measured::wrong).collect();
    assert!(wrong.is_empty(), "answers that can't be right: {wrong:#?}");
}

/// What all of it runs on.
fn machine() -> serde_json::Value {
    let read = |file| std::fs::read_to_string(file).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    json!({
        "processor": model.map(|(_, name)| name),
        "processors": std::thread::available_parallelism().map_or(0, usize::from),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
    })
}

/// How many times as much Turnwise did as whoever is at this place: the last one of it before, in the table's order.
fn ratio(medians: &[Median], place: usize) -> Option<f64> {
    let it = &medians[place];
    if it.measurement.who == Who::Turnwise {
        return None;
    }
    let ours = medians[..place].iter().rev().find(|ours| ours.measurement.who == Who::Turnwise);
    ours.map(|ours| ours.rate / it.rate)
}

fn number(key: &str, default: u64) -> u64 {
    env::var(key).ok().map_or(default, |text| text.parse().unwrap())
}

fn ports<const N: usize>() -> [u16; N] {
    // Held until all are drawn, so that no port is drawn twice.
    let listeners: Vec<_> = (0..N).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    std::array::from_fn(|place| listeners[place].local_addr().unwrap().port())
}

/// What the disk takes to make 4 KiB durable: the median of 200.
fn fdatasync(folder: &Path) -> Duration {
    let mut file = File::create(folder.join("calibration")).unwrap();
    let mut took: Vec<Duration> = (0..200)
        .map(|_| {
            let start = Instant::now();
            file.write_all(&[7; 4_096]).unwrap();
            file.sync_data().unwrap();
            start.elapsed()
        })
        .collect();
    took.sort_unstable();
    took[took.len() / 2]
}

/// One run of one measurement.
#[derive(Debug)]
struct Measured {
    figures: Figures,
    /// `None` where answers say nothing that could be wrong.
    violations: Option<Vec<String>>,
}

impl Measured {
    fn wrong(&self) -> impl Iterator<Item = &String> {
        self.violations.iter().flatten()
    }
}

async fn measure(
    contenders: &Contenders,
    Measurement { who, what, groups, in_flight }: Measurement,
    run: u32,
    seconds: Duration,
) -> Measured {
    let Contenders { nodes, echo, etcd, postgres, redis } = contenders;
    // gRPC shares connections among callers; a call of PostgreSQL or Redis has one for itself.
    let connections = match who {
        Who::Echo | Who::Turnwise | Who::Etcd => 4.min(in_flight),
        Who::Postgres | Who::Redis => in_flight,
    };
    let job = Job { run, groups, callers: in_flight, connections };
    let plan = Plan::closed(in_flight, seconds / 4, seconds);
    let (etcd, postgres, redis) = (&etcd.addresses, &postgres.addresses, &redis.addresses);
    match (who, what) {
        (Who::Echo, _) => {
            let target = Arc::new(turnwise::Assign::echo(echo, job).await);
            drive(target, job, &plan, |_| None).await
        }
        (Who::Turnwise, What::Assign | What::Put) => {
            let target = Arc::new(turnwise::Assign::new(nodes, job).await);
            let check =
                |it: &turnwise::Assign| it.answers.as_ref().map(turnwise::Answers::violations);
            drive(target, job, &plan, check).await
        }
        (Who::Turnwise, What::Read) => {
            let target = Arc::new(turnwise::Read::new(nodes, job).await);
            drive(target, job, &plan, |_| None).await
        }
        (Who::Turnwise, What::Volume) => {
            let streams = Arc::new(turnwise::Streams::new(nodes, job).await);
            let figures = load::run_with(&plan, |load| streams.start(load), |_| ()).await.unwrap();
            Measured { figures, violations: Some(streams.answers.violations()) }
        }
        (Who::Etcd, What::Assign) => {
            let target = Arc::new(etcd::Assign::new(etcd, job).await);
            drive(target, job, &plan, |it: &etcd::Assign| Some(it.answers.violations())).await
        }
        (Who::Etcd, What::Volume) => {
            let target = Arc::new(etcd::AssignBatch::new(etcd, job).await);
            drive(target, job, &plan, |it: &etcd::AssignBatch| Some(it.answers.violations())).await
        }
        (Who::Etcd, What::Put) => {
            let target = Arc::new(etcd::Put::new(etcd, job).await);
            drive(target, job, &plan, |_| None).await
        }
        (Who::Etcd, What::Read) => {
            let target = Arc::new(etcd::Read::new(etcd, job).await);
            drive(target, job, &plan, |_| None).await
        }
        (Who::Postgres, What::Volume) => {
            let target = Arc::new(postgres::AssignBatch::new(postgres, job).await);
            drive(target, job, &plan, |it: &postgres::AssignBatch| Some(it.answers.violations()))
                .await
        }
        (Who::Postgres, _) => {
            let target = Arc::new(postgres::Assign::new(postgres, job).await);
            drive(target, job, &plan, |it: &postgres::Assign| Some(it.answers.violations())).await
        }
        (Who::Redis, What::Volume) => {
            let target = Arc::new(redis::AssignBatch::new(redis, job).await);
            drive(target, job, &plan, |it: &redis::AssignBatch| Some(it.answers.violations())).await
        }
        (Who::Redis, _) => {
            let target = Arc::new(redis::Assign::new(redis, job).await);
            drive(target, job, &plan, |it: &redis::Assign| Some(it.answers.violations())).await
        }
    }
}

/// Puts it under load, asks for some contacts once more, and looks through the answers.
async fn drive<T: Target>(
    target: Arc<T>,
    job: Job,
    plan: &Plan,
    violations: impl Fn(&T) -> Option<Vec<String>>,
) -> Measured {
    let figures = load::run(&target, plan, |_| ()).await.unwrap();
    let mut wrong: Vec<String> = Vec::new();
    for again in 0..AGAIN.min(figures.done / T::PIECES) {
        if let Err(error) = target.call(job.callers, again).await {
            wrong.push(format!("asked for again: {}", error.0));
        }
    }
    let violations = match violations(&target) {
        Some(found) => Some(wrong.into_iter().chain(found).collect()),
        None => Some(wrong).filter(|wrong| !wrong.is_empty()),
    };
    Measured { figures, violations }
}

/// All runs of a measurement.
#[derive(Debug)]
struct Median {
    measurement: Measurement,
    rate: f64,
    lowest: f64,
    highest: f64,
    p50_ms: f64,
    p99_ms: f64,
    failed: u64,
    violations: Option<usize>,
}

impl Median {
    fn of(measurement: Measurement, all: &[Measured]) -> Self {
        let sorted = |number: &dyn Fn(&Figures) -> f64| {
            let mut numbers: Vec<f64> = all.iter().map(|run| number(&run.figures)).collect();
            numbers.sort_by(f64::total_cmp);
            numbers
        };
        let median = |numbers: &[f64]| numbers[numbers.len() / 2];
        let ms =
            |share: f64| median(&sorted(&|figures| figures.latency(share).as_secs_f64() * 1e3));
        let rates = sorted(&Figures::rate);
        Self {
            measurement,
            rate: median(&rates),
            lowest: rates[0],
            highest: rates[rates.len() - 1],
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
            failed: all.iter().map(|run| run.figures.failures()).sum(),
            violations: all
                .iter()
                .filter_map(|run| run.violations.as_ref().map(Vec::len))
                .reduce(|sum, count| sum + count),
        }
    }

    fn json(&self, ratio: Option<f64>) -> serde_json::Value {
        let Measurement { who, what, groups, in_flight } = self.measurement;
        json!({
            "who": format!("{who:?}").to_lowercase(),
            "what": format!("{what:?}").to_lowercase(),
            "groups": groups,
            "in_flight": in_flight,
            "per_second": self.rate,
            "lowest": self.lowest,
            "highest": self.highest,
            "p50_ms": self.p50_ms,
            "p99_ms": self.p99_ms,
            "failed": self.failed,
            "violations": self.violations,
            "turnwise_over_it": ratio,
        })
    }
}
