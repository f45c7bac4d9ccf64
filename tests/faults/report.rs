//! What the rows came to: counted, appended to a file with the commit, and printed as a table.

use std::{collections::BTreeMap, fmt::Write as _, path::Path, process::Command, time::Duration};

use comfy_table::{Table, presets::ASCII_MARKDOWN};
use turnwise::clock;

use crate::{
    checker::Verdict,
    cluster::{PROGRAM, Res, words},
};

/// What one row came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) row: String,
    pub(crate) name: String,
    pub(crate) runs: u64,
    /// Runs with too few calls outside the fault to mean anything; not among `runs`.
    pub(crate) void: u64,
    pub(crate) acknowledged: u64,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) stale: u64,
    pub(crate) out_of_order: u64,
    pub(crate) wrong: u64,
    pub(crate) unanswered: u64,
    /// Runs in which the service did not do what the row says it must.
    pub(crate) failed: u64,
    /// Times to recover, in tenths of milliseconds.
    pub(crate) recoveries: Vec<u64>,
    /// Why it was not run.
    pub(crate) skipped: String,
    /// The first thing that was wrong, or what else there is to know.
    pub(crate) notes: String,
    /// What runs came to, or which kinds there were, and how often.
    pub(crate) counts: BTreeMap<String, u64>,
    /// How busy the machine was at the beginning and at the end of it, in hundredths of a running thread over the
    /// last minute, the suite's own included; the least and the most where lines were added up.
    pub(crate) load: Option<(u64, u64)>,
}

impl Tally {
    /// In the order of the columns.
    fn numbers(&self) -> [u64; 10] {
        [
            self.runs,
            self.void,
            self.acknowledged,
            self.lost,
            self.duplicated,
            self.stale,
            self.out_of_order,
            self.wrong,
            self.unanswered,
            self.failed,
        ]
    }

    pub(crate) fn add(&mut self, verdict: &Verdict) {
        self.acknowledged += verdict.acknowledged;
        self.lost += verdict.lost;
        self.duplicated += verdict.duplicated;
        self.stale += verdict.stale;
        self.out_of_order += verdict.out_of_order;
        self.wrong += verdict.wrong;
        self.unanswered += verdict.unanswered;
        for words in &verdict.words {
            self.note(words);
        }
    }

    pub(crate) fn recovered(&mut self, after: Duration) {
        self.recoveries.push(u64::try_from(after.as_micros() / 100).unwrap_or(u64::MAX));
    }

    /// The first notes are kept.
    pub(crate) fn note(&mut self, note: &str) {
        const LEN_MAX: usize = 600;
        if self.notes.len() < LEN_MAX && !self.notes.contains(note) {
            let end = if self.notes.is_empty() { "" } else { "; " };
            self.notes = format!("{}{end}{note}", self.notes).chars().take(LEN_MAX).collect();
        }
    }

    pub(crate) fn violations(&self) -> u64 {
        self.lost
            + self.duplicated
            + self.stale
            + self.out_of_order
            + self.wrong
            + self.unanswered
            + self.failed
    }

    pub(crate) fn count(&mut self, what: &str) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
    }

    /// Notes how busy the machine is: at the beginning, and again at the end.
    pub(crate) fn note_load(&mut self) {
        let Some(now) = load() else { return };
        self.load = Some((self.load.map_or(now, |(begin, _)| begin), now));
    }

    fn counted(&self) -> String {
        let each: Vec<String> =
            self.counts.iter().map(|(what, count)| format!("{what}={count}")).collect();
        each.join("; ")
    }

    fn loads(&self) -> String {
        let show = |hundredths: u64| format!("{}.{:02}", hundredths / 100, hundredths % 100);
        self.load.map_or_else(String::new, |(a, b)| format!("{} to {}", show(a), show(b)))
    }

    /// So many of a hundred recoveries took at most this long.
    fn percentile(&self, percent: usize) -> String {
        let mut sorted = self.recoveries.clone();
        sorted.sort_unstable();
        let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(place).map_or("-".to_owned(), |tenths| format!("{}", (tenths + 5) / 10))
    }

    /// Takes another count of the same row in.
    pub(crate) fn add_up(&mut self, other: &Self) {
        self.runs += other.runs;
        self.void += other.void;
        self.acknowledged += other.acknowledged;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.stale += other.stale;
        self.out_of_order += other.out_of_order;
        self.wrong += other.wrong;
        self.unanswered += other.unanswered;
        self.failed += other.failed;
        self.recoveries.extend(&other.recoveries);
        for (what, count) in &other.counts {
            *self.counts.entry(what.clone()).or_default() += count;
        }
        let ends = [self.load, other.load].into_iter().flatten().flat_map(|(a, b)| [a, b]);
        let ends: Vec<u64> = ends.collect();
        self.load = ends.iter().min().copied().zip(ends.iter().max().copied());
        if self.skipped.is_empty() {
            self.skipped.clone_from(&other.skipped);
        }
        if !other.notes.is_empty() {
            self.note(&other.notes);
        }
    }
}

const COLUMNS: [&str; 21] = [
    "date",
    "commit",
    "machine",
    "form",
    "row",
    "name",
    "runs",
    "void",
    "acknowledged",
    "lost",
    "duplicated",
    "stale",
    "out_of_order",
    "wrong",
    "unanswered",
    "failed",
    "recoveries_tenth_ms",
    "skipped",
    "notes",
    "counts",
    "load",
];

/// What the program is made of.
const PRODUCT: [&str; 5] = ["src", "proto", "build.rs", "Cargo.toml", "Cargo.lock"];

/// How many threads ran or wanted to over the last minute, in hundredths.
fn load() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    let (whole, part) = text.split_whitespace().next()?.split_once('.')?;
    Some(whole.parse::<u64>().ok()? * 100 + part.parse::<u64>().ok()?)
}

/// Where and with what the rows were run.
#[derive(Debug, Clone)]
pub(crate) struct Provenance {
    pub(crate) date: String,
    pub(crate) commit: String,
    pub(crate) machine: String,
    pub(crate) form: String,
}

/// The columns that every file has, in which two lines that are equal are one.
const OLD_COLUMNS: usize = 19;

fn build() -> &'static str {
    if cfg!(debug_assertions) { "dev build" } else { "release build" }
}

impl Provenance {
    pub(crate) fn now(form: &str) -> Self {
        let micros = i64::try_from(clock::wall().0).unwrap_or(0);
        let date = jiff::Timestamp::from_microsecond(micros)
            .map(|at| at.strftime("%Y-%m-%dT%H:%MZ").to_string())
            .unwrap_or_default();
        let git = |words: &[&str]| {
            let output = Command::new("git").args(words).output().ok()?;
            let text = String::from_utf8(output.stdout).ok()?;
            output.status.success().then(|| text.trim().to_owned())
        };
        // The last that changed what is tested: results of commits that change but the pages add up.
        let mut words = vec!["log", "-1", "--format=%h", "--"];
        words.extend(PRODUCT);
        let commit = git(&words).unwrap_or_else(|| "unknown".into());
        let mut words = vec!["status", "--porcelain", "--"];
        words.extend(PRODUCT);
        let changed = git(&words);
        let changed = if changed.is_none_or(|files| files.is_empty()) { "" } else { "+changes" };
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let kernel = kernel.split('-').next().unwrap_or_default().trim().to_owned();
        // Of which commit that one is, nobody can tell here.
        let (commit, changed) = match std::env::var(PROGRAM) {
            Ok(program) => (program, ""),
            Err(_) => (commit, changed),
        };
        Self {
            date,
            commit: format!("{commit}{changed}"),
            machine: format!("{cores} cores, Linux {kernel}, {}", build()),
            form: form.to_owned(),
        }
    }
}

/// Appends one line; the first one of a file is preceded by the names of its columns.
pub(crate) fn append(file: &Path, provenance: &Provenance, tally: &Tally) -> Res<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(words)?;
    }
    let is_new = !file.exists();
    if !is_new {
        widen(file)?;
    }
    let open = std::fs::OpenOptions::new().create(true).append(true).open(file);
    let mut writer = csv::Writer::from_writer(open.map_err(words)?);
    if is_new {
        writer.write_record(COLUMNS).map_err(words)?;
    }
    let Provenance { date, commit, machine, form } = provenance;
    let recoveries: Vec<String> = tally.recoveries.iter().map(u64::to_string).collect();
    let mut record: Vec<String> =
        [date, commit, machine, form, &tally.row, &tally.name].map(String::clone).to_vec();
    record.extend(tally.numbers().iter().map(u64::to_string));
    record.extend([recoveries.join(" "), tally.skipped.clone(), tally.notes.clone()]);
    record.extend([tally.counted(), tally.loads()]);
    writer.write_record(record).map_err(words)?;
    writer.flush().map_err(words)
}

/// All lines of a file, the names of the columns first. Those of older files have fewer fields.
fn records(file: &Path) -> Res<Vec<csv::StringRecord>> {
    let mut reader = csv::ReaderBuilder::new();
    reader.flexible(true).has_headers(false);
    let mut reader = reader.from_path(file).map_err(words)?;
    reader.records().map(|record| record.map_err(words)).collect()
}

/// Gives a file of before the columns that were added since.
fn widen(file: &Path) -> Res<()> {
    let records = records(file)?;
    let first: Vec<&str> = records.first().map(|names| names.iter().collect()).unwrap_or_default();
    if first == COLUMNS {
        return Ok(());
    }
    if !COLUMNS.starts_with(&first) {
        return Err(format!("{} has other columns: {first:?}", file.display()));
    }
    let mut writer = csv::Writer::from_path(file).map_err(words)?;
    writer.write_record(COLUMNS).map_err(words)?;
    for record in records.iter().skip(1) {
        let missing = COLUMNS.len().saturating_sub(record.len());
        writer
            .write_record(record.iter().chain(std::iter::repeat_n("", missing)))
            .map_err(words)?;
    }
    writer.flush().map_err(words)
}

/// How many runs of each row, by its number and name, these files hold of this commit and build. A line that two
/// files hold counts once.
pub(crate) fn done(files: &[&Path], of: &Provenance) -> Res<BTreeMap<(String, String), u64>> {
    let mut lines = std::collections::BTreeSet::new();
    for file in files.iter().filter(|file| file.exists()) {
        for record in records(file)? {
            lines.insert(record.iter().take(OLD_COLUMNS).map(str::to_owned).collect::<Vec<_>>());
        }
    }
    let mut runs = BTreeMap::new();
    for line in lines {
        let field = |name: &str| {
            let place = COLUMNS.iter().position(|column| *column == name);
            place.and_then(|place| line.get(place)).cloned().unwrap_or_default()
        };
        if field("commit") == of.commit && field("machine").ends_with(build()) {
            let more: u64 = field("runs").parse().unwrap_or(0);
            *runs.entry((field("row"), field("name"))).or_default() += more;
        }
    }
    Ok(runs)
}

/// All lines of a file, those of one row added up; of one commit, if one is named.
pub(crate) fn read(file: &Path, commit: Option<&str>) -> Res<Vec<Tally>> {
    let mut rows: BTreeMap<(u64, String), Tally> = BTreeMap::new();
    for record in records(file)?.into_iter().skip(1) {
        let field = |name: &str| {
            let place = COLUMNS.iter().position(|column| *column == name).unwrap_or(usize::MAX);
            record.get(place).unwrap_or_default().to_owned()
        };
        if commit.is_some_and(|commit| !field("commit").starts_with(commit)) {
            continue;
        }
        let number = |name: &str| field(name).parse::<u64>().unwrap_or(0);
        let tally = Tally {
            row: field("row"),
            name: field("name"),
            runs: number("runs"),
            void: number("void"),
            acknowledged: number("acknowledged"),
            lost: number("lost"),
            duplicated: number("duplicated"),
            stale: number("stale"),
            out_of_order: number("out_of_order"),
            wrong: number("wrong"),
            unanswered: number("unanswered"),
            failed: number("failed"),
            recoveries: field("recoveries_tenth_ms")
                .split_whitespace()
                .filter_map(|tenths| tenths.parse().ok())
                .collect(),
            skipped: field("skipped"),
            notes: field("notes"),
            counts: counts(&field("counts")),
            load: loads(&field("load")),
        };
        let key = (tally.row.parse().unwrap_or(u64::MAX), tally.name.clone());
        let (row, name) = (tally.row.clone(), tally.name.clone());
        let empty = || Tally { row, name, ..Tally::default() };
        rows.entry(key).or_insert_with(empty).add_up(&tally);
    }
    Ok(rows.into_values().collect())
}

/// What [`Tally::counted`] wrote.
fn counts(text: &str) -> BTreeMap<String, u64> {
    let pairs = text.split("; ").filter_map(|pair| pair.rsplit_once('='));
    pairs.filter_map(|(what, count)| Some((what.to_owned(), count.parse().ok()?))).collect()
}

/// What [`Tally::loads`] wrote.
fn loads(text: &str) -> Option<(u64, u64)> {
    let (begin, end) = text.split_once(" to ")?;
    let hundredths = |text: &str| text.replace('.', "").parse().ok();
    Some((hundredths(begin)?, hundredths(end)?))
}

/// The rows as a table that a page can hold.
pub(crate) fn table(rows: &[Tally]) -> String {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header([
        "#",
        "Fault",
        "Runs",
        "Void",
        "Acknowledged",
        "Lost",
        "Duplicated",
        "Stale",
        "Out of order",
        "Wrong",
        "No answer",
        "Failed",
        "p50 ms",
        "p99 ms",
        "Load",
    ]);
    for tally in rows {
        let mut cells = vec![tally.row.clone(), tally.name.clone()];
        if tally.runs == 0 && !tally.skipped.is_empty() {
            cells.push("skipped".to_owned());
            cells.extend((0..12).map(|_| "-".to_owned()));
        } else {
            cells.extend(tally.numbers().iter().map(u64::to_string));
            cells.extend([tally.percentile(50), tally.percentile(99), tally.loads()]);
        }
        table.add_row(cells);
    }
    let mut text = table.to_string();
    for tally in rows {
        if !tally.skipped.is_empty() {
            write!(text, "\nrow {}, {}: skipped: {}", tally.row, tally.name, tally.skipped)
                .unwrap_or_default();
        }
        if !tally.counts.is_empty() {
            write!(text, "\nrow {}, {}: {}", tally.row, tally.name, tally.counted())
                .unwrap_or_default();
        }
        if !tally.notes.is_empty() {
            write!(text, "\nrow {}, {}: {}", tally.row, tally.name, tally.notes)
                .unwrap_or_default();
        }
    }
    text
}
