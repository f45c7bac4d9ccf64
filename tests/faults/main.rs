//! The fault matrix: real processes on real disks, real sockets and the real client, while they are
//! killed, paused, cut off, robbed of power and worse.
//!
//! ```text
//! cargo test --release --test faults                       the short form, about five minutes
//! TURNWISE_FAULTS=long  cargo test --release --test faults  the long form, hours
//! TURNWISE_FAULTS=table cargo test --release --test faults  what was found so far, added up
//! ```
//!
//! | Variable | |
//! |---|---|
//! | `TURNWISE_FAULTS_ROW=1,8` | only these rows |
//! | `TURNWISE_FAULTS_RUNS=10` | so many runs of each row |
//! | `TURNWISE_FAULTS_OUT=file.csv` | where results are appended; `target/faults.csv` otherwise |
//! | `TURNWISE_FAULTS_COMMIT=abc` | for the table: only results of this commit |
//!
//! A run is one fault under load, under a team of its own; then everything is made whole, every node is
//! asked what it holds, and the checker judges what the clients saw. A row that needs a tool or a
//! privilege that is not there is skipped, and says so.
//!
//! The suite puts itself into network, mount and process namespaces of its own, if it may: nothing that
//! it does to networks and mounts is seen outside, and nothing outlives it.
//!
//! | File | Owns |
//! |---|---|
//! | `rows` | the matrix |
//! | `run` | one run |
//! | `cluster` | processes |
//! | `load` | clients |
//! | `net`, `fuse` | networks and disks that can be broken |
//! | `report` | the counts, the file of results, the table |
//! | `../history` | what clients saw, and whether it can be; tested by `cargo test --test history` |

#![expect(
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test program: an index that is not there is a mistake of its own; most rows are alike"
)]

#[path = "../history/checker.rs"]
mod checker;
mod cluster;
mod fuse;
#[path = "../history/history.rs"]
mod history;
mod load;
#[path = "../support/memdisk.rs"]
mod memdisk;
#[path = "../model/mod.rs"]
mod model;
mod net;
#[path = "../support/ports.rs"]
mod ports;
mod report;
mod rows;
mod run;

use std::{
    env,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::Duration,
};

use cluster::Res;
use report::{Provenance, Tally};
use rows::{ROWS, Row, World};
use turnwise::clock;

const FORM: &str = "TURNWISE_FAULTS";
const ROW: &str = "TURNWISE_FAULTS_ROW";
const RUNS: &str = "TURNWISE_FAULTS_RUNS";
const OUT: &str = "TURNWISE_FAULTS_OUT";
const COMMIT: &str = "TURNWISE_FAULTS_COMMIT";
/// Set for the suite inside of its namespaces.
const INSIDE: &str = "TURNWISE_FAULTS_INSIDE";
const NAMESPACES: [&str; 6] =
    ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
/// Results are appended after so many runs, so that little is lost if somebody ends the suite.
const RUNS_A_LINE: u64 = 20;
/// A row that is wrong this often is wrong: the rest of its runs would tell no more.
const FAILURES_MAX: u64 = 5;

/// What there is on this machine, or why it is not there.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) namespaces: Res<()>,
    pub(crate) filters: Res<()>,
    pub(crate) fuse: Res<()>,
    pub(crate) faketime: Res<PathBuf>,
    pub(crate) prlimit: Res<()>,
    pub(crate) cgroup: Res<()>,
}

fn say(text: &str) {
    writeln!(std::io::stdout().lock(), "{text}").unwrap_or_default();
}

fn main() -> ExitCode {
    let form = env::var(FORM).unwrap_or_default();
    let asked_for = [FORM, ROW, RUNS].iter().any(|name| env::var_os(name).is_some());
    let named: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_listed = env::args().any(|word| word == "--list");
    if is_listed || named.iter().any(|word| !"faults".contains(word.as_str())) {
        return ExitCode::SUCCESS;
    }
    if form == "table" {
        return print_table();
    }
    if cfg!(debug_assertions) && !asked_for {
        eprintln!(
            "faults: not run: it is meant for the release build: cargo test --release --test faults"
        );
        return ExitCode::SUCCESS;
    }
    if env::var_os(INSIDE).is_none() {
        let probe = unshare(Path::new("true"));
        match probe {
            Ok(_) => {
                let Ok(own) = env::current_exe() else { return ExitCode::FAILURE };
                return unshare(&own).unwrap_or(ExitCode::FAILURE);
            }
            Err(why) => say(&format!("no namespaces of our own: {why}")),
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.map_err(cluster::words).and_then(|runtime| runtime.block_on(matrix(&form))) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(violations) => {
            say(&format!("{violations} violations"));
            ExitCode::FAILURE
        }
        Err(why) => {
            say(&why);
            ExitCode::FAILURE
        }
    }
}

/// Runs a program in namespaces of its own, which end with it, and all that is in them.
fn unshare(program: &Path) -> Res<ExitCode> {
    let is_probe = program == Path::new("true");
    // `unshare` lets no signal through to what it started, so it is to die with us.
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "unshare"])
        .args(NAMESPACES)
        .arg(program)
        .env(INSIDE, "1")
        .stdin(Stdio::null());
    if is_probe {
        let output = command.output().map_err(|error| format!("`unshare`: {error}"))?;
        return match output.status.success() {
            true => Ok(ExitCode::SUCCESS),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        };
    }
    let status = command.status().map_err(cluster::words)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn out() -> PathBuf {
    env::var_os(OUT).map_or_else(|| PathBuf::from("target/faults.csv"), PathBuf::from)
}

fn print_table() -> ExitCode {
    let commit = env::var(COMMIT).ok();
    match report::read(&out(), commit.as_deref()) {
        Ok(rows) => {
            say(&report::table(&rows));
            ExitCode::SUCCESS
        }
        Err(why) => {
            say(&format!("{}: {why}", out().display()));
            ExitCode::FAILURE
        }
    }
}

fn tries(program: &str, words: &[&str]) -> Res<()> {
    let output = Command::new(program).args(words).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("`{program}`: {error}"))?;
    if output.status.success() { Ok(()) } else { Err(format!("`{program}` does not work here")) }
}

/// Tries what the rows need.
fn look_around() -> Tools {
    let namespaces = match env::var_os(INSIDE) {
        // So that the names of our namespaces are seen by nobody else, and their loopback works.
        Some(_) => std::fs::create_dir_all("/run/netns")
            .map_err(cluster::words)
            .and_then(|()| tries("mount", &["-t", "tmpfs", "faults", "/run/netns"]))
            .and_then(|()| tries("ip", &["link", "set", "lo", "up"])),
        None => Err("no namespaces of our own: that takes root and `unshare`".to_owned()),
    };
    let filters = namespaces.clone().and_then(|()| {
        net::Net::new(1).and_then(|net| net.filter(1, &net::Filter::default().cut_from(&[2])))
    });
    let fuse = namespaces.clone().and_then(|()| {
        let folder = tempfile::tempdir().map_err(cluster::words)?;
        let disk = fuse::FuseDisk::mount(&folder.path().join("probe"))
            .map_err(|why| format!("FUSE: {why}"))?;
        std::fs::write(disk.folder().join("file"), "text").map_err(|error| format!("FUSE: {error}"))
    });
    let libraries = ["x86_64-linux-gnu", "aarch64-linux-gnu"]
        .map(|arch| PathBuf::from(format!("/usr/lib/{arch}/faketime/libfaketimeMT.so.1")));
    let faketime = libraries.into_iter().find(|library| library.exists());
    Tools {
        filters,
        fuse,
        faketime: faketime.ok_or_else(|| "libfaketime is not installed".to_owned()),
        prlimit: tries("prlimit", &["--version"]),
        cgroup: rows::can_limit_cpu(),
        namespaces,
    }
}

async fn matrix(form: &str) -> Res<u64> {
    let is_long = form == "long";
    let provenance = Provenance::now(if is_long { "long" } else { "short" });
    let tools = look_around();
    let only: Option<Vec<String>> =
        env::var(ROW).ok().map(|rows| rows.split(',').map(|row| row.trim().to_owned()).collect());
    let runs: Option<u64> = match env::var(RUNS) {
        Ok(text) => Some(text.parse().map_err(|_| format!("{RUNS}={text} is no number"))?),
        Err(_) => None,
    };
    let begin = clock::monotonic();
    let mut rows = Vec::new();
    for row in &ROWS {
        if only.as_ref().is_some_and(|only| !only.iter().any(|id| id == row.id)) {
            continue;
        }
        let usual = if is_long { row.runs.1 } else { row.runs.0 };
        let tally = of_row(row, runs.unwrap_or(usual), &tools, &provenance).await?;
        let seconds = (clock::monotonic() - begin).as_secs();
        let what = if tally.runs > 0 { "runs" } else { "skipped or void" };
        say(&format!(
            "{seconds:5} s  row {:8} {:50} {} {what}, {} violations",
            row.id,
            row.name,
            tally.runs,
            tally.violations()
        ));
        rows.push(tally);
    }
    say(&format!("\n{}, {}, {}", provenance.date, provenance.commit, provenance.machine));
    say(&report::table(&rows));
    say(&format!("appended to {}", out().display()));
    Ok(rows.iter().map(Tally::violations).sum())
}

/// All runs of a row; a cluster on which something went wrong is not used again.
async fn of_row(row: &Row, runs: u64, tools: &Tools, provenance: &Provenance) -> Res<Tally> {
    let empty = || Tally { row: row.id.to_owned(), name: row.name.to_owned(), ..Tally::default() };
    let mut total = empty();
    let only_long = (runs == 0).then(|| "in the long form only".to_owned());
    if let Some(why) = row.missing(tools).or(only_long) {
        total.skipped = why;
        report::append(&out(), provenance, &total)?;
        return Ok(total);
    }
    let mut world = None;
    let mut line = empty();
    for round in 0..runs {
        let ran = one(row, round, tools, &mut world, &mut line).await;
        if let Err(why) = ran {
            line.failed += 1;
            line.runs += 1;
            line.note(&why);
        }
        if line.violations() > 0 {
            let last = format!("row {} run {round}: {}", row.id, line.notes);
            say(&last);
            if let Some(world) = world.take() {
                keep(&world, row, round, &last);
            }
        }
        if (round + 1) % RUNS_A_LINE == 0 || round + 1 == runs || line.violations() > 0 {
            report::append(&out(), provenance, &line)?;
            total.add_up(&std::mem::replace(&mut line, empty()));
        }
        if total.violations() >= FAILURES_MAX {
            break;
        }
    }
    Ok(total)
}

async fn one(
    row: &Row,
    round: u64,
    tools: &Tools,
    world: &mut Option<World>,
    line: &mut Tally,
) -> Res<()> {
    if world.is_none() {
        *world = Some(row.world(tools).await?);
    }
    let Some(world) = world else { return Err("no cluster".to_owned()) };
    let run = tokio::time::timeout(RUN_MAX, run::run(world, row, round));
    let ran = run.await.map_err(|_| "it took too long".to_owned())??;
    if ran.is_void() && ran.verdict.is_clean() {
        line.void += 1;
        line.note(&format!("void: {:.0} calls a second", ran.rate));
        return Ok(());
    }
    line.runs += 1;
    line.add(&ran.verdict);
    line.failed += u64::from(!ran.broken.is_empty());
    for note in ran.broken.iter().chain(&ran.notes) {
        line.note(note);
    }
    if let Some(recovery) = ran.recovery {
        line.recovered(recovery);
    }
    Ok(())
}

/// The longest that anything may take: filling a cluster with a million assignments.
const RUN_MAX: Duration = Duration::from_secs(600);

/// What one needs to look into a violation.
fn keep(world: &World, row: &Row, round: u64, why: &str) {
    let folder =
        PathBuf::from(format!("target/faults/row-{}-{round}-{}", row.id, rand::random::<u16>()));
    world.cluster.keep_logs(&folder);
    std::fs::write(folder.join("why.txt"), why).unwrap_or_default();
    say(&format!("logs are in {}", folder.display()));
}
