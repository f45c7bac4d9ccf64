//! `turnwise bench`: how many assigns a second, how fast each, at what cost.
//!
//! | File | Owns |
//! |---|---|
//! | `field` | the team that is played with: its groups, who is asked for which number, tidying up |
//! | `callers` | the calls themselves: unary, or over streams |
//! | `usage` | what the nodes used meanwhile |
//! | `report` | what is shown of it |
//! | `profile` | sizes of installations, and whether a cluster is up to one: pure |
//!
//! The load itself is `load`'s. This file is the order of things: a cluster if none is named, a team, the
//! load, the figures, and the team is gone again.

mod callers;
mod field;
mod profile;
mod report;
mod usage;

use std::{path::PathBuf, sync::Arc, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

use super::{
    Context,
    change::say,
    failure::Failure,
    processes::{Ports, Processes, interrupted},
    time,
};
use crate::{
    client::{Client, Options},
    config::ClusterId,
    load::{Figures, Moment, Pace, Plan},
};
use field::{Field, Keys};
use profile::Profile;
use report::Report;
use usage::Usage;

pub(super) const HELP: &str = "\
In a closed loop (without --rate) each caller calls again once it was answered: how much can be done. In an \
open loop (--rate) calls become due by the clock, and a latency counts from when its call was due, so that \
a pause shows in all that had to wait. On machines of your own: run it on one that is no node, against one \
that has as many processors as you mean to use.

It makes a team `bench-…` of its own and removes it at the end, with what was assigned in it. Nodes that \
ask who calls want the operator's token for that.

--profile ends with 0 for PASS, with 1 for FAIL.

Examples:
  turnwise bench --local 3
  turnwise bench --rate 2000 --duration 1m --keys zipf
  turnwise bench --profile s";

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Calls under way at once
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=16384))]
    in_flight: u16,
    /// Connections to share them, each to one node; as many streams with --stream
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024))]
    connections: u16,
    /// Open loop: so many assigns become due a second
    #[arg(long, value_name = "PER_SECOND", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    rate: Option<u32>,
    /// How long is measured
    #[arg(long, default_value = "10s", value_parser = time::duration)]
    duration: Duration,
    /// Load before that, not measured
    #[arg(long, default_value = "2s", value_parser = time::duration)]
    warm_up: Duration,
    /// Many assigns on one call each way (AssignContacts), instead of one call for each
    #[arg(long)]
    stream: bool,
    /// How contacts are spread over groups
    #[arg(long, value_enum, default_value_t = Keys::One)]
    keys: Keys,
    /// Reps in each group
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    group_size: u32,
    /// All reps but one are out of office
    #[arg(long)]
    one_in: bool,
    /// Measure a cluster of so many nodes that is started on this machine, with the disk of --data
    #[arg(long, value_name = "NODES", value_parser = clap::value_parser!(u16).range(1..=9))]
    local: Option<u16>,
    /// Where the nodes of --local keep their data, which is removed [default: the folder for temporary files]
    #[arg(long, value_name = "DIR", requires = "local")]
    data: Option<PathBuf>,
    /// Whether the cluster is up to an installation of this size
    #[arg(
        long,
        value_enum,
        conflicts_with_all = ["in_flight", "rate", "stream", "keys", "group_size", "one_in", "connections"]
    )]
    profile: Option<Profile>,
    /// Write what happened from interval to interval to this file
    #[arg(long, value_name = "FILE.csv")]
    series: Option<PathBuf>,
    /// How long an interval is, at least 1ms
    #[arg(long, default_value = "1s", value_parser = time::duration, requires = "series")]
    interval: Duration,
    /// Leave the team where it is
    #[arg(long)]
    keep: bool,
}

/// What is measured: of the flags, or of a profile.
struct Measured {
    plan: Plan,
    connections: u16,
    is_stream: bool,
    keys: Keys,
    group_size: u32,
    is_one_in: bool,
}

impl Arguments {
    fn measured(&self) -> Measured {
        let pace = |rate: Option<u32>| match rate {
            None => Pace::Closed,
            Some(per_second) => Pace::Open { per_second },
        };
        let plan = |in_flight: u16, rate| Plan {
            pace: pace(rate),
            interval: self.interval,
            ..Plan::closed(usize::from(in_flight), self.warm_up, self.duration)
        };
        match self.profile {
            Some(profile) => Measured {
                plan: plan(profile.in_flight(), Some(profile.rate())),
                connections: self.connections,
                is_stream: false,
                keys: Keys::Hundred,
                group_size: self.group_size,
                is_one_in: false,
            },
            None => Measured {
                plan: plan(self.in_flight, self.rate),
                connections: self.connections,
                is_stream: self.stream,
                keys: self.keys,
                group_size: self.group_size,
                is_one_in: self.one_in,
            },
        }
    }
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    tokio::select! {
        ended = Box::pin(bench(context, arguments)) => ended,
        // Nodes of --local end with us. A team on others stays: its name was told.
        () = interrupted() => Err(Failure::interrupted()),
    }
}

async fn bench(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let measured = arguments.measured();
    let mut series = arguments.series.as_deref().map(report::Series::create).transpose()?;
    // Declared before the processes, so that it goes after them.
    let folder;
    let (endpoints, _processes, credential) = match arguments.local {
        None => (context.endpoints.clone(), None, context.credential()?),
        Some(nodes) => {
            folder = temporary(arguments.data.as_deref())?;
            let id = ClusterId::random();
            let started = Processes::start(folder.path(), id, nodes, Ports::Free).await?;
            say(&format!("{nodes} nodes are up: {}", started.endpoints().join(" ")));
            (started.endpoints(), Some(started), None)
        }
    };
    let options = Options { deadline: context.deadline, credential, ..Options::default() };
    let leader_first = usage::leader_first(&endpoints, &options).await?;
    let client = client(&leader_first, &options)?;
    let field = Arc::new(Field::new(measured.keys, measured.group_size));
    say(&format!("team `{}`: {}", field.team(), field.describe(measured.is_one_in)));
    field.set_up(&client, measured.is_one_in).await?;

    let clients: Vec<Client> = (0..measured.connections.max(1))
        .map(|_| self::client(&leader_first, &options))
        .collect::<Result<_, _>>()?;
    // The warm-up is not measured.
    let warm = async {
        tokio::time::sleep(measured.plan.warm_up).await;
        Usage::now(&client).await
    };
    let bar = Bar::begin(&measured.plan);
    let mut unwritten = None;
    let each = |moment: &Moment| {
        bar.tell(moment);
        if let Some(series) = &mut series {
            unwritten = unwritten.take().or(series.write(moment).err());
        }
    };
    let (figures, before) =
        tokio::try_join!(callers::run(&clients, &field, &measured, each), warm)?;
    bar.0.finish_and_clear();
    let used = Usage::now(&client).await?.since(&before);
    if let Some(failure) = unwritten {
        return Err(failure);
    }

    let report = Report::new(&measured, &figures, &used);
    report.show(context)?;
    let verdict = match arguments.profile {
        None => nothing_done(&figures),
        Some(profile) => profile::verdict(profile, &figures, context),
    };
    let is_ours = !arguments.keep && arguments.local.is_none();
    let removed = if is_ours { field.remove(&client).await } else { Ok(()) };
    verdict.and(removed)
}

/// A run without any success is none.
fn nothing_done(figures: &Figures) -> Result<(), Failure> {
    if figures.done > 0 {
        return Ok(());
    }
    let classes: Vec<&str> = figures.failed.keys().map(String::as_str).collect();
    Err(Failure::failed(format!("no assign succeeded: {}", classes.join(", "))))
}

fn client(endpoints: &[String], options: &Options) -> Result<Client, Failure> {
    Client::new(endpoints, options.clone())
        .map_err(|error| Failure::usage(format!("--endpoints: {error}")))
}

fn temporary(within: Option<&std::path::Path>) -> Result<tempfile::TempDir, Failure> {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("turnwise-bench-");
    let made = match within {
        None => builder.tempdir(),
        Some(folder) => builder.tempdir_in(folder),
    };
    made.map_err(|error| Failure::failed(format!("no folder for the nodes' data: {error}")))
}

/// A bar on stderr, where that is a terminal, with what happens right now.
struct Bar(ProgressBar);

impl Bar {
    fn begin(plan: &Plan) -> Self {
        let whole = plan.warm_up.saturating_add(plan.duration);
        let style = ProgressStyle::with_template("{bar:30} {elapsed}/{prefix} {msg}");
        let bar = ProgressBar::new(u64::try_from(whole.as_millis()).unwrap_or(u64::MAX))
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
            .with_prefix(format!("{}s", whole.as_secs()));
        Self(bar)
    }

    fn tell(&self, moment: &Moment) {
        let rate = crate::load::per_second(moment.done, moment.length);
        self.0.set_position(u64::try_from(moment.at.as_millis()).unwrap_or(u64::MAX));
        self.0.set_message(format!(
            "{rate:.0}/s, p99 {:.2} ms, {} failed",
            moment.p99.as_secs_f64() * 1e3,
            moment.failed
        ));
    }
}
