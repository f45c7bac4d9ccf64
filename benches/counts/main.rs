//! How many instructions one assign takes in the state machine and in the codec of the log, by valgrind's callgrind:
//! the same on every run, so that a change which costs more is seen on a noisy machine too.
//!
//! ```text
//! cargo bench --bench counts             # the counts, beside those of baseline.csv
//! cargo bench --bench counts -- --check  # fails where one has risen by more than 5%
//! cargo bench --bench counts -- --save   # writes those of this build into baseline.csv
//! ```
//!
//! Counts depend on the build: on the compiler, its optimiser, the processor's kind. baseline.csv has rows for some, and
//! a check says so where it has none for this one. That of `.ci/run` has an optimiser of level 1 and is saved with
//! `CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_DEBUG=0` before the command.

#![expect(clippy::print_stdout, reason = "the table is its output")]

#[path = "../apply/service.rs"]
mod service;

use std::{
    collections::BTreeMap,
    env, fs,
    hint::black_box,
    path::{Path, PathBuf},
    process::Command as Process,
};

use anyhow::{Context as _, ensure};
use comfy_table::{CellAlignment, Table, presets};
use service::{Service, Shape, WhyNot};
use turnwise::{
    codec,
    routing::{Command, Stamp, Strategy},
};

/// How often each is done under callgrind.
const TIMES: u64 = 256;
/// What one may cost more than its baseline, in percent, before a check fails.
const RISE_MAX: f64 = 5.0;
/// Which builds' counts can be compared with this one's.
fn this_build() -> String {
    let (rustc, level) = (env!("TURNWISE_RUSTC"), env!("TURNWISE_OPT_LEVEL"));
    format!("rustc {rustc}, {}, opt-level {level}", env::consts::ARCH)
}

/// What is counted.
const WORKS: [(&str, fn()); 7] = [
    ("apply: assign, 10 reps", || applied(Shape::all_in(10))),
    ("apply: assign, 10 reps by load", || {
        applied(Shape { strategy: Strategy::LeastOpen, ..Shape::all_in(10) });
    }),
    ("apply: assign, 100 reps, others at their cap", || {
        applied(Shape::one_in(100, WhyNot::PeriodCap));
    }),
    ("apply: assign, 1,000 reps of whom one is in", || {
        applied(Shape::one_in(1_000, WhyNot::OutOfOffice));
    }),
    ("apply: the same request again", repeated),
    ("codec: a command to bytes", encoded),
    ("codec: bytes to a command", decoded),
];

fn main() -> anyhow::Result<()> {
    let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => compare(false),
        (Some("--check"), None) => compare(true),
        (Some("--save"), None) => save(),
        (Some("--work"), Some(name)) => {
            let (_, work) = WORKS.iter().find(|(it, _)| *it == name).context("no such work")?;
            work();
            Ok(())
        }
        (Some(other), _) => {
            anyhow::bail!("`{other}`: say nothing, `--check` or `--save`, after `--`")
        }
    }
}

/// Where callgrind counts: it is told this function's name.
#[inline(never)]
fn counted_by_callgrind(work: &mut dyn FnMut()) {
    work();
}

/// Assigns in a team that has made some already.
fn applied(shape: Shape) {
    let mut service = Service::new(shape);
    let commands: Vec<(Command, Stamp)> = (0..2 * TIMES).map(|_| service.next()).collect();
    let (before, counted) = commands.split_at(commands.len() / 2);
    count_applied(service, before, counted);
}

/// Assigns that were made already, by the same requests.
fn repeated() {
    let mut service = Service::new(Shape::all_in(10));
    let commands: Vec<(Command, Stamp)> = (0..TIMES).map(|_| service.next()).collect();
    count_applied(service, &commands, &commands);
}

fn count_applied(mut service: Service, before: &[(Command, Stamp)], counted: &[(Command, Stamp)]) {
    let mut apply = |(command, stamp): &(Command, Stamp)| {
        drop(black_box(service.state.apply(command, *stamp)));
    };
    before.iter().for_each(&mut apply);
    counted_by_callgrind(&mut || counted.iter().for_each(&mut apply));
}

fn encoded() {
    let mut service = Service::new(Shape::all_in(1));
    let commands: Vec<Command> = (0..TIMES).map(|_| service.next().0).collect();
    counted_by_callgrind(&mut || {
        commands.iter().for_each(|command| drop(black_box(codec::encode(command))));
    });
}

fn decoded() {
    let mut service = Service::new(Shape::all_in(1));
    let all: Vec<_> = (0..TIMES).map(|_| codec::encode(&service.next().0)).collect();
    counted_by_callgrind(&mut || {
        all.iter().for_each(|bytes| drop(black_box(codec::decode(bytes))));
    });
}

/// Instructions of one of these, by a process of its own under valgrind.
fn count(name: &str, folder: &Path) -> anyhow::Result<u64> {
    let file = folder.join("callgrind.out");
    let output = Process::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*counted_by_callgrind*"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(env::current_exe()?)
        .args(["--work", name])
        .output()
        .context("valgrind is not here; on Debian and its kin: apt-get install valgrind")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{name}` under valgrind: {}\n{told}", output.status);
    let text = fs::read_to_string(&file).context("what callgrind wrote")?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total: u64 = total.context("callgrind's file has no line `totals:`")?.trim().parse()?;
    ensure!(total > 0, "`{name}`: callgrind counted nothing; is this build stripped of its names?");
    Ok(total / TIMES)
}

fn count_all() -> anyhow::Result<Vec<(&'static str, u64)>> {
    let folder = tempfile::tempdir()?;
    WORKS.iter().map(|(name, _)| Ok((*name, count(name, folder.path())?))).collect()
}

fn compare(must_hold: bool) -> anyhow::Result<()> {
    let (build, baseline) = (this_build(), read_baseline()?);
    let is_known = baseline.keys().any(|(_, of)| *of == build);
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([build.as_str(), "instructions", "baseline", "change"]);
    let mut risen = Vec::new();
    for (name, now) in count_all()? {
        let before = baseline.get(&(name.to_owned(), build.clone()));
        let change = before.map(|before| percent(*before, now));
        if change.is_none_or(|change| change > RISE_MAX) {
            risen.push(name);
        }
        table.add_row([
            name.to_owned(),
            now.to_string(),
            before.map_or_else(|| "none".to_owned(), u64::to_string),
            change.map_or_else(String::new, |change| format!("{change:+.1}%")),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    if !is_known {
        println!(
            "Nothing was compared: {} has no counts of a build by {build}.",
            baseline_file().display()
        );
        return Ok(());
    }
    ensure!(
        !must_hold || risen.is_empty(),
        "more than {RISE_MAX}% above the baseline, or without one: {}.\nWhere that is meant, say why in the commit, \
         and save the counts of both builds; see the head of benches/counts/main.rs",
        risen.join("; ")
    );
    Ok(())
}

fn percent(before: u64, now: u64) -> f64 {
    let wide = |count: u64| u32::try_from(count).map_or(f64::INFINITY, f64::from);
    (wide(now) / wide(before) - 1.0) * 100.0
}

fn save() -> anyhow::Result<()> {
    let (build, mut baseline) = (this_build(), read_baseline()?);
    baseline.retain(|(name, of), _| *of != build && WORKS.iter().any(|(it, _)| it == name));
    for (name, count) in count_all()? {
        baseline.insert((name.to_owned(), build.clone()), count);
    }
    let mut writer = csv::Writer::from_path(baseline_file())?;
    writer.write_record(["what", "build", "instructions"])?;
    for ((name, build), count) in baseline {
        writer.write_record([name, build, count.to_string()])?;
    }
    writer.flush()?;
    println!("saved for {build}: {}", baseline_file().display());
    Ok(())
}

/// By what was counted and the build.
fn read_baseline() -> anyhow::Result<BTreeMap<(String, String), u64>> {
    let file = baseline_file();
    if !file.exists() {
        return Ok(BTreeMap::new());
    }
    let mut reader = csv::Reader::from_path(&file)?;
    let rows = reader.deserialize::<(String, String, u64)>();
    rows.map(|row| row.map(|(name, build, count)| ((name, build), count)))
        .collect::<Result<_, _>>()
        .with_context(|| format!("{}", file.display()))
}

fn baseline_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/counts/baseline.csv")
}
