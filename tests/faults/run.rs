//! One run: clients at work, one fault, everything whole again, and the verdict.

use std::time::Duration;

use turnwise::clock;

use crate::{
    checker::{Verdict, check},
    cluster::{PATIENCE, Res, words},
    history::Call,
    load::{Load, REPS, Team},
    rows::Row,
    world::World,
};

/// A run below this rate outside of the fault shows nothing.
const RATE_MIN: f64 = 200.0;
/// How long the clients work before the fault and after it, at least.
const CALM: Duration = Duration::from_millis(800);
const CALLS_MIN: u64 = 200;
/// How long clients may wait for an answer once everything is whole.
const ANSWER_MAX: Duration = Duration::from_secs(40);

/// What a fault did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Struck {
    /// From when on it was there.
    pub(crate) at: Duration,
    /// What is measured in the place of the time to the next success, if something else is.
    pub(crate) gap_within: Option<Duration>,
    /// The same, where the row has measured it itself.
    pub(crate) measured: Option<Duration>,
    /// What must hold of the history beside the checker's rules.
    pub(crate) expects: Vec<Expect>,
    /// What must hold and did not, where the row has seen it itself.
    pub(crate) broken: Vec<String>,
    /// What it came to, or which kind of it this was: counted.
    pub(crate) counts: Vec<String>,
    /// What else is to be told of the row.
    pub(crate) notes: Vec<String>,
}

/// What must hold of the changes that were acknowledged after the fault began.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expect {
    /// The leader changed at most so often.
    LeaderChanges { max: usize },
    /// From then on, until then, nobody else came to lead.
    OneLeader { from: Duration, until: Duration },
    /// The next success came within this.
    RecoveryWithin(Duration),
    /// The 99th percentile of the time of a call is, between these instants, at most so many times what
    /// it was before, and in any case may be this long.
    Slower { from: Duration, until: Duration, times: f64, always: Duration },
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) verdict: Verdict,
    /// Acknowledged calls a second outside of the fault.
    pub(crate) rate: f64,
    pub(crate) recovery: Option<Duration>,
    /// What the row says must hold and did not.
    pub(crate) broken: Vec<String>,
    /// The same of what hangs on time: who led for how long, how long calls took.
    pub(crate) late: Vec<String>,
    pub(crate) counts: Vec<String>,
    pub(crate) notes: Vec<String>,
}

impl Ran {
    /// Whether nothing is wrong but what a machine that is busy with other things may be the cause of.
    pub(crate) fn is_only_late(&self) -> bool {
        self.verdict.is_clean() && self.broken.is_empty() && !self.late.is_empty()
    }

    pub(crate) fn is_void(&self) -> bool {
        self.rate < RATE_MIN
    }
}

/// Waits until so many more calls were answered, and for a moment at least.
async fn calm(load: &Load) -> Res<()> {
    let goal = load.acknowledged() + CALLS_MIN;
    let begin = clock::monotonic();
    while load.acknowledged() < goal || clock::monotonic() < begin + CALM {
        if clock::monotonic() > begin + PATIENCE {
            return Err(format!("the clients came to a stop at {}", load.acknowledged()));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Runs a row once, under a team of its own.
pub(crate) async fn run(world: &mut World, row: &Row, round: u64) -> Res<Ran> {
    row.prepare(world).await?;
    world.teams += 1;
    let ids = world.cluster.ids();
    let client = world.cluster.client(&ids, PATIENCE)?;
    let team = Team::found(&client, format!("team-{}", world.teams)).await?;
    let load = Load::start(&world.cluster, team, row.workload)?;
    let begin = clock::monotonic();
    calm(&load).await?;
    let before = clock::monotonic();
    let struck = row.strike(world, round).await?;
    // Not always the same as before.
    let ids = world.cluster.ids();
    world.cluster.ready(&ids).await?;
    let whole = clock::monotonic();
    calm(&load).await?;
    let end = clock::monotonic();
    let mut seen = load.finish(ANSWER_MAX).await?;
    world.cluster.agreed().await?;
    seen.ask_again(&world.cluster).await?;
    let mut nodes = Vec::new();
    for id in &ids {
        nodes.push(seen.team.held(&world.cluster, *id).await?);
    }
    let calls = seen.calls;
    let answered = |from: Duration, until: Duration| {
        calls.iter().filter(|call| (from..until).contains(&call.answered)).count()
    };
    // Connections are made at the beginning, and again when a node has come back.
    let (begin, whole) = (begin + CALM / 4, whole + CALM / 4);
    let outside = (before.saturating_sub(begin) + end.saturating_sub(whole)).as_secs_f64();
    let count = u32::try_from(answered(begin, before) + answered(whole, end)).map_err(words)?;
    let recovery = match (struck.measured, struck.gap_within) {
        (Some(measured), _) => Some(measured),
        (None, Some(within)) => longest_gap(&calls, struck.at, within),
        (None, None) => next_success(&calls, struck.at),
    };
    let expected = struck.expects.iter();
    let late = expected.filter_map(|it| it.broken(&calls, struck.at, recovery)).collect();
    let verdict = tokio::task::spawn_blocking(move || check(REPS, &calls, &nodes));
    Ok(Ran {
        verdict: verdict.await.map_err(words)?,
        rate: f64::from(count) / outside,
        recovery,
        broken: struck.broken,
        late,
        counts: struck.counts,
        notes: struck.notes,
    })
}

fn changes(calls: &[Call]) -> impl Iterator<Item = &Call> {
    calls.iter().filter(|call| call.answer.position().is_some())
}

/// From an instant to the first answer to a change that was asked for after it.
fn next_success(calls: &[Call], at: Duration) -> Option<Duration> {
    let first = changes(calls).filter(|call| call.called >= at).map(|call| call.answered).min();
    first.map(|answered| answered - at)
}

/// The longest time between an answer to any change and the next, of which a part at least is in the window.
fn longest_gap(calls: &[Call], at: Duration, within: Duration) -> Option<Duration> {
    let mut answers: Vec<Duration> = changes(calls).map(|call| call.answered).collect();
    answers.sort_unstable();
    let touches = |two: &&[Duration]| two[1] > at && two[0] < at + within;
    answers.windows(2).filter(touches).map(|two| two[1] - two[0]).max()
}

fn percentile_99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len().saturating_sub(1) * 99 / 100).copied().unwrap_or_default()
}

impl Expect {
    /// What is wrong, in words.
    fn broken(&self, calls: &[Call], at: Duration, recovery: Option<Duration>) -> Option<String> {
        let terms = |from: Duration, until: Duration| {
            let of_time =
                changes(calls).filter(|call| call.called >= from && call.answered < until);
            let mut terms: Vec<u64> =
                of_time.filter_map(|call| Some(call.answer.position()?.term)).collect();
            terms.sort_unstable();
            terms.dedup();
            terms
        };
        match self {
            Self::LeaderChanges { max } => {
                let terms = terms(Duration::ZERO, Duration::MAX);
                (terms.len() > max + 1).then(|| format!("more than {max} new leaders: {terms:?}"))
            }
            Self::OneLeader { from, until } => {
                let terms = terms(*from, *until);
                (terms.len() != 1).then(|| format!("not one steady leader: terms {terms:?}"))
            }
            Self::RecoveryWithin(most) => match recovery {
                Some(recovery) if recovery <= *most => None,
                Some(recovery) => Some(format!("no success for {recovery:?}, {most:?} allowed")),
                None => Some("no success at all after the fault".to_owned()),
            },
            Self::Slower { from, until, times, always } => {
                let took = |from: Duration, until: Duration| {
                    let of_time =
                        changes(calls).filter(|call| call.called >= from && call.called < until);
                    percentile_99(of_time.map(|call| call.answered - call.called).collect())
                };
                let (usual, then) = (took(Duration::ZERO, at), took(*from, *until));
                let most = usual.mul_f64(*times).max(*always);
                (then > most).then(|| format!("p99 was {then:?} in the place of {usual:?}"))
            }
        }
    }
}
