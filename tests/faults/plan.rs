//! How often which row is run, in which order, and until when.
//!
//! The long form goes round several times, each row a few runs at a time, so that one cut short has something
//! of everything; and it leaves out what the files of results already hold, so that several add up.

use std::{collections::BTreeMap, env, path::Path, time::Duration};

use turnwise::clock;

use crate::{
    cluster::Res,
    report::{self, Provenance},
    rows::{ROWS, Row},
};

pub(crate) const ROW: &str = "TURNWISE_FAULTS_ROW";
pub(crate) const RUNS: &str = "TURNWISE_FAULTS_RUNS";
pub(crate) const KINDS: &str = "TURNWISE_FAULTS_KINDS";
pub(crate) const MINUTES: &str = "TURNWISE_FAULTS_MINUTES";
/// Where results of other sessions are kept.
const KEPT: &str = "docs/reliability/faults.csv";
/// The short form ends by then, whatever it has left out.
const SHORT_MINUTES: u64 = 10;
/// How often the long form goes round.
const ROUNDS: u64 = 20;

/// What is to be run.
pub(crate) struct Plan {
    is_long: bool,
    rows: Vec<Planned>,
    rounds: u64,
    /// None = until all is done.
    until: Option<Duration>,
}

/// A row, and how often.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) row: &'static Row,
    /// So many runs there were before.
    pub(crate) done: u64,
    /// So many there should be.
    pub(crate) wanted: u64,
    /// Why there should be none.
    pub(crate) left_out: Option<&'static str>,
}

fn number(name: &str) -> Res<Option<u64>> {
    match env::var(name) {
        Ok(text) => Ok(Some(text.parse().map_err(|_| format!("{name}={text} is no number"))?)),
        Err(_) => Ok(None),
    }
}

impl Plan {
    /// As the environment says.
    pub(crate) fn new(is_long: bool, out: &Path, provenance: &Provenance) -> Res<Self> {
        let only: Option<Vec<String>> = env::var(ROW)
            .ok()
            .map(|rows| rows.split(',').map(|row| row.trim().to_owned()).collect());
        let is_meant = |it: &str, row: &Row| it == row.id || it.len() > 3 && row.name.contains(it);
        let nobodys = only.iter().flatten().find(|it| !ROWS.iter().any(|row| is_meant(it, row)));
        if let Some(it) = nobodys {
            return Err(format!(
                "{ROW}: no row has the number `{it}`, or it (four letters or more) in its name"
            ));
        }
        let is_asked_for =
            |row: &Row| only.as_ref().is_none_or(|only| only.iter().any(|it| is_meant(it, row)));
        let runs = number(RUNS)?;
        // Whoever says how many wants so many more.
        let adds_up = is_long && runs.is_none();
        let before = match adds_up {
            true => report::done(&[out, Path::new(KEPT)], provenance)?,
            false => BTreeMap::new(),
        };
        let planned = |row: &'static Row| {
            let key = (row.id.to_owned(), row.name.to_owned());
            let done = before.get(&key).copied().unwrap_or(0);
            let usual = if is_long { row.runs.1 } else { row.runs.0 };
            let wanted = runs.unwrap_or(usual);
            let left_out = (wanted == 0).then_some("in the long form only");
            Planned { row, done, wanted, left_out }
        };
        let mut rows: Vec<Planned> =
            ROWS.iter().filter(|row| is_asked_for(row)).map(planned).collect();
        if let Some(kinds) = number(KINDS)? {
            draw(&mut rows, kinds);
        }
        let usual = (!is_long && only.is_none()).then_some(SHORT_MINUTES);
        let minutes = number(MINUTES)?.or(usual);
        let until = minutes.map(|minutes| clock::monotonic() + Duration::from_secs(60 * minutes));
        Ok(Self { is_long, rows, rounds: if adds_up { ROUNDS } else { 1 }, until })
    }

    /// Which row to run next, and how often: each in turn, and as often in each round.
    pub(crate) fn slices(&self) -> impl Iterator<Item = (usize, u64)> {
        let left = |place: usize| self.rows[place].wanted.saturating_sub(self.rows[place].done);
        let share = move |place: usize, round: u64| {
            let until = |round: u64| (left(place) * round).div_ceil(self.rounds);
            until(round + 1) - until(round)
        };
        let round =
            move |round: u64| (0..self.rows.len()).map(move |place| (place, share(place, round)));
        (0..self.rounds).flat_map(round)
    }

    pub(crate) fn is_long(&self) -> bool {
        self.is_long
    }

    pub(crate) fn rows(&self) -> &[Planned] {
        &self.rows
    }

    pub(crate) fn is_over(&self) -> bool {
        self.until.is_some_and(|until| clock::monotonic() >= until)
    }
}

/// Leaves at most so many kinds of each row, anyone as likely as any other, and none that the short form has not.
fn draw(rows: &mut [Planned], kinds: u64) {
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_cached_key(|_| rand::random::<u64>());
    for place in order {
        let planned = &mut rows[place];
        let seen = seen.entry(planned.row.id).or_default();
        if planned.row.runs.0 > 0 && *seen < kinds {
            *seen += 1;
        } else {
            planned.wanted = 0;
            planned.left_out = planned.left_out.or(Some("not among the kinds that were drawn"));
        }
    }
}

/// What is still missing, by kind, after so many more runs of each row.
pub(crate) fn missing(rows: &[Planned], more: &[u64]) -> String {
    let mut text = String::new();
    for (planned, more) in rows.iter().zip(more) {
        let (has, wanted) = (planned.done + more, planned.wanted);
        if has < wanted {
            let Row { id, name, .. } = planned.row;
            text.push_str(&format!("  row {id:8} {name:60} {has} of {wanted}\n"));
        }
    }
    if text.is_empty() { "nothing is missing\n".to_owned() } else { format!("missing:\n{text}") }
}
