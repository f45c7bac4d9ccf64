//! The fault matrix: real processes on real disks, real sockets and the real client, while they are
//! killed, paused, cut off, robbed of power and worse.
//!
//! ```text
//! cargo test --release --test faults                       the short form, at most ten minutes
//! TURNWISE_FAULTS=long  cargo test --release --test faults  the long form, hours; goes on where it ended
//! TURNWISE_FAULTS=table cargo test --release --test faults  what was found so far, added up
//! ```
//!
//! | Variable | |
//! |---|---|
//! | `TURNWISE_FAULTS_ROW=1,8,bridge` | only these rows, by number or by a part of the name |
//! | `TURNWISE_FAULTS_RUNS=10` | so many runs of each row |
//! | `TURNWISE_FAULTS_KINDS=2` | at most so many kinds of each row, drawn anew each time |
//! | `TURNWISE_FAULTS_MINUTES=40` | ends it, between two runs; 10 in the short form |
//! | `TURNWISE_FAULTS_OUT=file.csv` | where results are appended; `target/faults.csv` otherwise |
//! | `TURNWISE_FAULTS_PROGRAM=path` | tests this program, and says so in the place of the commit |
//! | `TURNWISE_FAULTS_MANY=20000` | takes so many assignments for a million, and says so |
//! | `TURNWISE_FAULTS_COMMIT=abc` | for the table: only results of this commit |
//!
//! A run is one fault under load, under a team of its own; then everything is made whole, every node is
//! asked what it holds, and the checker judges what the clients saw. A row that needs a tool or a
//! privilege that is not there is skipped, and says so.
//!
//! The long form counts what the file of results and `docs/reliability/faults.csv` already hold of the same
//! program (the last commit that changed it, and the same kind of build), and runs what is missing. It goes
//! round twenty times, a part of each row at a time. What is missing in the end is printed.
//!
//! The suite puts itself into network, mount and process namespaces of its own, if it may: nothing that
//! it does to networks and mounts is seen outside, and nothing outlives it.
//!
//! | File | Owns |
//! |---|---|
//! | `plan` | how often, in which order, until when |
//! | `rows` | the matrix |
//! | `run` | one run |
//! | `world` | what rows need: a cluster, and what is under it |
//! | `cluster` | processes, and who types commands |
//! | `load` | clients |
//! | `net`, `lines`, `fuse` | networks, lines and disks that can be broken |
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
mod lines;
mod load;
#[path = "../support/memdisk.rs"]
mod memdisk;
#[path = "../model/mod.rs"]
mod model;
mod net;
mod plan;
#[path = "../support/ports.rs"]
mod ports;
mod report;
mod rows;
mod run;
mod world;

use std::{
    env,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::Duration,
};

use cluster::Res;
use plan::{KINDS, MINUTES, Plan, Planned, ROW, RUNS};
use report::{Provenance, Tally};
use rows::Row;
use turnwise::clock;
use world::{Ground, World};

const FORM: &str = "TURNWISE_FAULTS";
const OUT: &str = "TURNWISE_FAULTS_OUT";
const COMMIT: &str = "TURNWISE_FAULTS_COMMIT";
/// Set for the suite inside of its namespaces.
const INSIDE: &str = "TURNWISE_FAULTS_INSIDE";
const NAMESPACES: [&str; 6] =
    ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
/// Results are appended after so many runs, so that little is lost if somebody ends the suite; and then another
/// cluster is begun, for a state that grows for ever would tell of nothing but its size.
const RUNS_A_LINE: u64 = 20;
/// Or when it has taken so long.
const A_LINE_MAX: Duration = Duration::from_secs(60);
/// A row that is wrong this often is wrong: the rest of its runs would tell no more.
const FAILURES_MAX: u64 = 5;

/// How often the short form tries a run again that was only late, see [`run::Ran::is_only_late`]: what is wrong with
/// the service is wrong every time, and others on the machine are not.
const TRIES_MAX: u64 = 5;

/// What there is on this machine, or why it is not there.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) namespaces: Res<()>,
    pub(crate) filters: Res<()>,
    pub(crate) detours: Res<()>,
    pub(crate) fuse: Res<()>,
    pub(crate) faketime: Res<PathBuf>,
    pub(crate) prlimit: Res<()>,
    pub(crate) cpu: Res<()>,
    pub(crate) memory: Res<()>,
}

fn say(text: &str) {
    writeln!(std::io::stdout().lock(), "{text}").unwrap_or_default();
}

fn main() -> ExitCode {
    let form = env::var(FORM).unwrap_or_default();
    let asked_for =
        [FORM, ROW, RUNS, KINDS, MINUTES].iter().any(|name| env::var_os(name).is_some());
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
    let detours = filters.clone().and_then(|()| {
        net::Net::new(1).and_then(|mut net| net.lead(vec![(2, ([10, 77, 0, 254], 1).into())]))
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
        detours,
        fuse,
        faketime: faketime.ok_or_else(|| "libfaketime is not installed".to_owned()),
        prlimit: tries("prlimit", &["--version"]),
        cpu: rows::can_limit_cpu(),
        memory: rows::can_limit_memory(),
        namespaces,
    }
}

async fn matrix(form: &str) -> Res<u64> {
    let is_long = form == "long";
    let provenance = Provenance::now(if is_long { "long" } else { "short" });
    let tools = look_around();
    let plan = Plan::new(is_long, &out(), &provenance)?;
    let rows = plan.rows();
    say(&format!("{}, {}, {}", provenance.date, provenance.commit, provenance.machine));
    if rows.iter().any(|planned| planned.done > 0) {
        say(&format!(
            "there were runs of it before; {}",
            plan::missing(rows, &vec![0; rows.len()])
        ));
    }
    let mut session = Session {
        tools,
        provenance,
        plan: &plan,
        standing: None,
        totals: rows.iter().map(|planned| empty(planned.row)).collect(),
        begin: clock::monotonic(),
    };
    session.skip()?;
    for (place, runs) in plan.slices() {
        if plan.is_over() {
            break;
        }
        session.slice(place, runs).await?;
    }
    let Session { totals, provenance, .. } = session;
    say(&format!("\n{}, {}, {}", provenance.date, provenance.commit, provenance.machine));
    say(&report::table(&totals));
    say(&format!("appended to {}", out().display()));
    let more: Vec<u64> = totals.iter().map(|tally| tally.runs).collect();
    say(&plan::missing(rows, &more));
    Ok(totals.iter().map(Tally::violations).sum())
}

fn empty(row: &Row) -> Tally {
    Tally { row: row.id.to_owned(), name: row.name.to_owned(), ..Tally::default() }
}

/// What goes on from row to row.
struct Session<'a> {
    tools: Tools,
    provenance: Provenance,
    plan: &'a Plan,
    /// The cluster that stands, on which ground. One on which something went wrong is not used again.
    standing: Option<(Ground, World)>,
    /// By place in the plan.
    totals: Vec<Tally>,
    begin: Duration,
}

impl Session<'_> {
    /// Counts the rows that can't be run, or are not meant to be.
    fn skip(&mut self) -> Res<()> {
        for (planned, total) in self.plan.rows().iter().zip(&mut self.totals) {
            let left_out = planned.left_out.map(str::to_owned);
            if let Some(why) = planned.row.missing(&self.tools).or(left_out) {
                total.skipped = why;
                report::append(&out(), &self.provenance, total)?;
            }
        }
        Ok(())
    }

    /// Some runs of a row.
    async fn slice(&mut self, place: usize, runs: u64) -> Res<()> {
        let plan = self.plan;
        let Planned { row, done, .. } = &plan.rows()[place];
        if runs == 0 || !self.totals[place].skipped.is_empty() {
            return Ok(());
        }
        let mut left = runs;
        while left > 0 && !plan.is_over() && self.totals[place].violations() < FAILURES_MAX {
            let now = left.min(RUNS_A_LINE);
            left -= now;
            let mut line = empty(row);
            line.note_load();
            let line_begin = clock::monotonic();
            for _ in 0..now {
                let round = done + self.totals[place].runs + line.runs;
                self.run(row, round, &mut line).await;
                let is_long = clock::monotonic() > line_begin + A_LINE_MAX;
                if is_long || plan.is_over() || line.violations() > 0 {
                    left += now - (line.runs + line.void).min(now);
                    break;
                }
            }
            line.note_load();
            report::append(&out(), &self.provenance, &line)?;
            let seconds = (clock::monotonic() - self.begin).as_secs();
            say(&format!(
                "{seconds:5} s  row {:8} {:55} {} runs, {} void, {} violations",
                row.id,
                row.name,
                line.runs,
                line.void,
                line.violations()
            ));
            self.totals[place].add_up(&line);
            if self.standing.as_ref().is_some_and(|(_, world)| world.teams >= RUNS_A_LINE) {
                self.standing = None;
            }
        }
        Ok(())
    }

    /// One run, whatever comes of it.
    async fn run(&mut self, row: &Row, round: u64, line: &mut Tally) {
        let mut tries_left = if self.plan.is_long() { 1 } else { TRIES_MAX };
        let ran = loop {
            tries_left -= 1;
            let forgives = tries_left > 0;
            match one(row, round, &self.tools, &mut self.standing, line, forgives).await {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(why) => break Err(why),
            }
        };
        if let Err(why) = ran {
            line.failed += 1;
            line.runs += 1;
            line.note(&why);
        }
        if line.violations() > 0 {
            let last = format!("row {} ({}) run {round}: {}", row.id, row.name, line.notes);
            say(&last);
            if let Some((_, world)) = self.standing.take() {
                keep(&world, row, round, &last);
            }
        }
    }
}

/// Whether it is to be tried again.
async fn one(
    row: &Row,
    round: u64,
    tools: &Tools,
    standing: &mut Option<(Ground, World)>,
    line: &mut Tally,
    forgives: bool,
) -> Res<bool> {
    if standing.as_ref().is_none_or(|(ground, _)| *ground != row.ground) {
        // The old one first: networks have names.
        drop(standing.take());
        *standing = Some((row.ground, row.ground.build(tools).await?));
    }
    let Some((_, world)) = standing else { return Err("no cluster".to_owned()) };
    let run = tokio::time::timeout(row.takes_at_most(), run::run(world, row, round));
    let ran = run.await.map_err(|_| "it took too long".to_owned())??;
    if ran.is_void() && ran.verdict.is_clean() {
        line.void += 1;
        line.note(&format!("void: {:.0} calls a second", ran.rate));
        return Ok(false);
    }
    if forgives && ran.is_only_late() {
        line.count("late, and tried again");
        ran.late.iter().for_each(|note| line.note(note));
        return Ok(true);
    }
    line.runs += 1;
    line.add(&ran.verdict);
    line.failed += u64::from(!ran.broken.is_empty() || !ran.late.is_empty());
    for what in &ran.counts {
        line.count(what);
    }
    for note in ran.broken.iter().chain(&ran.late).chain(&ran.notes) {
        line.note(note);
    }
    if let Some(recovery) = ran.recovery {
        line.recovered(recovery);
    }
    Ok(false)
}

/// What one needs to look into a violation.
fn keep(world: &World, row: &Row, round: u64, why: &str) {
    let folder =
        PathBuf::from(format!("target/faults/row-{}-{round}-{}", row.id, rand::random::<u16>()));
    world.cluster.keep_logs(&folder);
    std::fs::write(folder.join("why.txt"), why).unwrap_or_default();
    say(&format!("logs are in {}", folder.display()));
}
