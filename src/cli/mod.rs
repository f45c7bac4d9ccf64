//! The `turnwise` command: what is typed, and what comes of it.
//!
//! | File | Owns |
//! |---|---|
//! | `output` | the one place that writes to stdout: tables, JSON, CSV |
//! | `failure` | exit codes, and how an error reads |
//! | `names`, `time`, `text`, `pages` | resource names, times as people write them, clean text, whole lists |
//! | `words`, `targets` | what codes mean, in words; targets as people write them |
//! | `change` | flags that changes have in common |
//! | `team`, `rep`, `group`, `rule`, `campaign`, `token`, `cluster` | the commands for admins |
//! | `assign`, `assignment`, `explain`, `events` | whose turn it is, what becomes of it, why, what happened |
//! | `import` | `rep import`: a CSV file becomes reps and groups |
//! | `serve` | one node |
//! | `health` | whether nodes serve |
//! | `verify` | a stopped node's data |
//! | `backup`, `restore`, `recover` | the state in a file, and a new cluster from it or from a node's data |
//! | `founding` | what the last two have in common |
//! | `processes` | a cluster of child processes, for `dev`, `demo` and `bench` |
//! | `bench` | how many assigns a second, how fast, at what cost |
//! | `dev`, `demo` | a cluster to play with; a cluster that is put to the test |
//!
//! stdout is data, stderr is talk. It knows no rule of routing: it asks the service through `client`.

mod assign;
mod assignment;
mod backup;
mod bench;
mod campaign;
mod change;
mod cluster;
mod demo;
mod dev;
mod events;
mod explain;
mod failure;
mod founding;
mod group;
mod health;
mod import;
mod names;
mod output;
mod pages;
mod processes;
mod recover;
mod rep;
mod restore;
mod rule;
mod serve;
mod targets;
mod team;
mod text;
mod time;
mod token;
mod verify;
mod words;

use std::{ffi::OsString, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Parser, Subcommand};

use crate::{
    client::{Client, Credential, Options},
    config::ServeArgs,
};
use change::Change;
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
#[command(next_help_heading = "Nodes and output")]
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
    /// File with the credential to show, one line; without it, environment variable TURNWISE_TOKEN
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
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
    /// Measure how many assigns a second, how fast, at what cost
    #[command(after_help = bench::HELP)]
    Bench(bench::Arguments),
    /// Teams: each with its own reps, groups and campaigns
    #[command(subcommand)]
    Team(team::Command),
    /// Reps: the people whose turn it can be
    #[command(subcommand)]
    Rep(rep::Command),
    /// Groups: rings of reps, or of options, that take turns
    #[command(subcommand)]
    Group(group::Command),
    /// Rules: where contacts go, in order, under a name
    #[command(subcommand)]
    Rule(rule::Command),
    /// Campaigns: what contacts are routed through
    #[command(subcommand)]
    Campaign(campaign::Command),
    /// Tokens: who may call, and what they may
    #[command(subcommand)]
    Token(token::Command),
    /// Decide whose turn it is, for one contact or for a file of them
    Assign(Box<assign::Arguments>),
    /// Assignments: who has what, and what becomes of it
    #[command(subcommand)]
    Assignment(assignment::Command),
    /// Why a contact is with whom it is, in words
    Explain(explain::Arguments),
    /// Events: what happened, in order
    #[command(subcommand)]
    Events(events::Command),
    /// The cluster itself
    #[command(subcommand)]
    Cluster(cluster::Command),
    /// Whether nodes serve, for health checks and scripts
    #[command(after_help = health::EXAMPLE)]
    Health(health::Arguments),
    /// Hold a stopped node's data against its own log
    #[command(after_help = verify::EXAMPLE)]
    Verify(verify::Arguments),
    /// Take a backup of a live cluster, or check one
    #[command(after_help = backup::EXAMPLE)]
    Backup(backup::Arguments),
    /// Make a member of a new cluster from a backup
    #[command(after_help = restore::EXAMPLE)]
    Restore(restore::Arguments),
    /// Make a member of a new cluster from the data of a node that is left
    #[command(after_help = recover::EXAMPLE)]
    Recover(recover::Arguments),
}

/// What every command needs.
pub(crate) struct Context {
    output: Output,
    endpoints: Vec<String>,
    deadline: Duration,
    token_file: Option<PathBuf>,
}

/// The credential itself, never on a command line: there everybody on the machine can read it.
const TOKEN_ENV: &str = "TURNWISE_TOKEN";

impl Context {
    /// A client of the nodes that were named. Within a runtime.
    fn client(&self) -> Result<Client, Failure> {
        let credential = self.credential()?;
        let options = Options { deadline: self.deadline, credential, ..Options::default() };
        Client::new(&self.endpoints, options)
            .map_err(|error| Failure::usage(format!("--endpoints: {error}")))
    }

    /// What is shown to the nodes; none where neither a file nor the environment has one.
    fn credential(&self) -> Result<Option<Credential>, Failure> {
        let (text, origin) = match &self.token_file {
            Some(path) => {
                let origin = format!("--token-file {}", path.display());
                let text = std::fs::read_to_string(path);
                (text.map_err(|error| Failure::usage(format!("{origin}: {error}")))?, origin)
            }
            None => match std::env::var(TOKEN_ENV) {
                Ok(text) => (text, format!("environment variable {TOKEN_ENV}")),
                Err(std::env::VarError::NotPresent) => return Ok(None),
                Err(error @ std::env::VarError::NotUnicode(_)) => {
                    // The error would repeat it.
                    drop(error);
                    (String::new(), format!("environment variable {TOKEN_ENV}"))
                }
            },
        };
        let credential = Credential::new(text.trim());
        credential.map(Some).map_err(|error| Failure::usage(format!("{origin}: {error}")))
    }

    /// Says that something is gone, or would be.
    fn deleted(&self, kind: &str, id: &str, change: &Change) -> Result<(), Failure> {
        change.tell();
        self.output.record(&[kind, "deleted"], vec![id.into(), (!change.validate_only).into()])
    }
}

/// Reads the command line, does what it says, and tells the exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return failure::of_clap(&error),
    };
    let Global { endpoints, output, deadline, token_file } = cli.global;
    let context = Context { output: Output::new(output), endpoints, deadline, token_file };
    let done = match cli.command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Dev(arguments) => block_on(dev::run(&context, &arguments)),
        Command::Demo(arguments) => block_on(demo::run(&context, &arguments)),
        Command::Bench(arguments) => block_on(bench::run(&context, &arguments)),
        Command::Team(command) => block_on(team::run(&context, command)),
        Command::Rep(command) => block_on(rep::run(&context, command)),
        Command::Group(command) => block_on(group::run(&context, command)),
        Command::Rule(command) => block_on(rule::run(&context, command)),
        Command::Campaign(command) => block_on(campaign::run(&context, command)),
        Command::Token(command) => block_on(token::run(&context, command)),
        Command::Assign(arguments) => block_on(assign::run(&context, *arguments)),
        Command::Assignment(command) => block_on(assignment::run(&context, command)),
        Command::Explain(arguments) => block_on(explain::run(&context, arguments)),
        Command::Events(command) => block_on(events::run(&context, command)),
        Command::Cluster(command) => block_on(cluster::run(&context, command)),
        Command::Health(arguments) => block_on(health::run(&context, &arguments)),
        Command::Verify(arguments) => verify::run(&context, &arguments),
        Command::Backup(arguments) => block_on(backup::run(&context, arguments)),
        Command::Restore(arguments) => restore::run(&context, &arguments),
        Command::Recover(arguments) => recover::run(&context, &arguments),
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
