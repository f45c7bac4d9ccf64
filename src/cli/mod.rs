//! The `turnwise` command: what is typed, and what comes of it.
//!
//! | File | Owns |
//! |---|---|
//! | `output` | the one place that writes to stdout: tables, JSON, CSV |
//! | `failure` | exit codes, and how an error reads |
//! | `names`, `time`, `text`, `pages` | resource names, times as people write them, clean text, whole lists |
//! | `team`, `rep`, `group`, `campaign`, `assign`, `cluster` | the commands for callers and admins |
//! | `import` | `rep import`: a CSV file becomes reps and groups |
//! | `serve` | one node |
//! | `processes` | a cluster of child processes, for `dev` and `demo` |
//! | `dev`, `demo` | a cluster to play with; a cluster that is put to the test |
//!
//! stdout is data, stderr is talk. It knows no rule of routing: it asks the service through `client`.

mod assign;
mod campaign;
mod cluster;
mod demo;
mod dev;
mod failure;
mod group;
mod import;
mod names;
mod output;
mod pages;
mod processes;
mod rep;
mod serve;
mod team;
mod text;
mod time;

use std::{ffi::OsString, process::ExitCode, time::Duration};

use clap::{Args, Parser, Subcommand};

use crate::{
    client::{Client, Options},
    config::ServeArgs,
};
use failure::{Exit, Failure};
use output::{Format, Output};

#[derive(Parser)]
#[command(
    name = "turnwise",
    version,
    about = "Decides whose turn it is: shares contacts among people, evenly and without losing any.",
    after_help = failure::EXIT_CODES,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Global {
    /// Nodes to talk to, host:port; any of them will do
    #[arg(
        long,
        global = true,
        env = "TURNWISE_ENDPOINTS",
        value_delimiter = ',',
        default_value = "127.0.0.1:7400,127.0.0.1:7410,127.0.0.1:7420"
    )]
    endpoints: Vec<String>,
    /// How data is written to stdout
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    output: Format,
    /// How long to try before giving up, such as 30s
    #[arg(long, global = true, value_parser = time::duration, default_value = "30s")]
    deadline: Duration,
}

#[derive(Subcommand)]
enum Command {
    /// Run one node
    #[command(after_help = serve::EXAMPLE)]
    Serve(ServeArgs),
    /// Run a cluster on this machine to play with
    Dev(dev::Arguments),
    /// Kill a leader under load and prove that nothing is lost
    Demo(demo::Arguments),
    /// Teams: each with its own reps, groups and campaigns
    #[command(subcommand)]
    Team(team::Command),
    /// Reps: the people whose turn it can be
    #[command(subcommand)]
    Rep(rep::Command),
    /// Groups: rings of reps who take turns
    #[command(subcommand)]
    Group(group::Command),
    /// Campaigns: what contacts are routed through
    #[command(subcommand)]
    Campaign(campaign::Command),
    /// Decide whose turn it is, for one contact or for a file of them
    Assign(assign::Arguments),
    /// The cluster itself
    #[command(subcommand)]
    Cluster(cluster::Command),
}

/// What every command needs.
pub(crate) struct Context {
    output: Output,
    endpoints: Vec<String>,
    deadline: Duration,
}

impl Context {
    /// A client of the nodes that were named. Within a runtime.
    fn client(&self) -> Result<Client, Failure> {
        let options = Options { deadline: self.deadline, ..Options::default() };
        Client::new(&self.endpoints, options)
            .map_err(|error| Failure::usage(format!("--endpoints: {error}")))
    }
}

/// Reads the command line, does what it says, and tells the exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return failure::of_clap(&error),
    };
    let Global { endpoints, output, deadline } = cli.global;
    let context = Context { output: Output::new(output), endpoints, deadline };
    let done = match cli.command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Dev(arguments) => block_on(dev::run(&context, &arguments)),
        Command::Demo(arguments) => block_on(demo::run(&context, &arguments)),
        Command::Team(command) => block_on(team::run(&context, command)),
        Command::Rep(command) => block_on(rep::run(&context, command)),
        Command::Group(command) => block_on(group::run(&context, command)),
        Command::Campaign(command) => block_on(campaign::run(&context, command)),
        Command::Assign(arguments) => block_on(assign::run(&context, arguments)),
        Command::Cluster(command) => block_on(cluster::run(&context, command)),
    };
    match done {
        Ok(()) => Exit::Done.into(),
        Err(failure) => failure.report(),
    }
}

/// Runs a command that talks to nodes.
fn block_on(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|error| Failure::failed(format!("cannot start: {error}")))?.block_on(command)
}
