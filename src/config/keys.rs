//! The words of the configuration: each key once, with its flag, its environment variable and its
//! default, and where a given value came from.
//!
//! Owns names and precedence (flag, then environment, then file, then default). It does not know what
//! a value means: that is `config`. `docs/CONFIGURATION.md` holds the same table; a test compares.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use clap::{Arg, ArgMatches, parser::ValueSource};

use super::ConfigError;

/// One thing that can be configured.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// In the file.
    pub name: &'static str,
    /// On the command line, without the dashes.
    pub flag: &'static str,
    /// In the environment.
    pub env: &'static str,
    /// As it would be written; `None` where a value is required.
    pub default: Option<&'static str>,
    /// How a value is written.
    pub unit: &'static str,
    /// What it is for, in one sentence.
    pub help: &'static str,
}

const fn key(
    [name, flag, env]: [&'static str; 3],
    default: Option<&'static str>,
    unit: &'static str,
    help: &'static str,
) -> Key {
    Key { name, flag, env, default, unit, help }
}

/// The unit of a key that is on or off; its flag needs no value.
pub const SWITCH: &str = "true or false";

/// Every key there is.
pub const KEYS: &[Key] = &[
    key(
        ["node_id", "node-id", "TURNWISE_NODE_ID"],
        None,
        "whole number from 1",
        "This node's number in the cluster; never used again after its data was lost",
    ),
    key(
        ["cluster_id", "cluster-id", "TURNWISE_CLUSTER_ID"],
        None,
        "32 hex digits",
        "The cluster's identity, the same on every node; `turnwise cluster new-id` draws one",
    ),
    key(
        ["data_dir", "data-dir", "TURNWISE_DATA_DIR"],
        None,
        "directory",
        "Where this node keeps its log and snapshots; created if it is not there",
    ),
    key(
        ["client_address", "client-address", "TURNWISE_CLIENT_ADDRESS"],
        Some("127.0.0.1:7400"),
        "ip:port",
        "Where callers connect (gRPC)",
    ),
    key(
        ["peer_address", "peer-address", "TURNWISE_PEER_ADDRESS"],
        Some("127.0.0.1:7401"),
        "ip:port",
        "Where the other nodes connect",
    ),
    key(
        ["admin_address", "admin-address", "TURNWISE_ADMIN_ADDRESS"],
        Some("127.0.0.1:7402"),
        "ip:port",
        "Where probes and metrics are read (HTTP: /livez, /readyz, /metrics)",
    ),
    key(
        ["members", "members", "TURNWISE_MEMBERS"],
        Some("this node alone"),
        "id=host:port,…",
        "The first members with their peer addresses, the same list on every node; with join, members \
         to ask. In the file, a table of id to address",
    ),
    key(
        ["join", "join", "TURNWISE_JOIN"],
        Some("none"),
        "token",
        "Makes a node with an empty data directory a member of a running cluster, which gives it its \
         number; `turnwise cluster add` prints the token. Without effect afterwards",
    ),
    key(
        ["advertise_peer_address", "advertise-peer-address", "TURNWISE_ADVERTISE_PEER_ADDRESS"],
        Some("peer_address"),
        "host:port",
        "With join: where the other nodes find this one",
    ),
    key(
        [
            "advertise_client_address",
            "advertise-client-address",
            "TURNWISE_ADVERTISE_CLIENT_ADDRESS",
        ],
        Some("client_address"),
        "host:port",
        "With join: where callers find this node, as `turnwise cluster status` shows it",
    ),
    key(
        ["bootstrap", "bootstrap", "TURNWISE_BOOTSTRAP"],
        Some("false"),
        SWITCH,
        "Lets a node with an empty data directory form a new cluster; without effect afterwards",
    ),
    key(
        ["no_rejoin", "no-rejoin", "TURNWISE_NO_REJOIN"],
        Some("false"),
        SWITCH,
        "A node that finds its data damaged ends and says what to type, rather than come back by itself under a \
         new number",
    ),
    key(
        ["tick", "tick", "TURNWISE_TICK"],
        Some("30ms"),
        "duration",
        "The step of the node's own time; heartbeat and election are counted in whole ticks",
    ),
    key(
        ["heartbeat", "heartbeat", "TURNWISE_HEARTBEAT"],
        Some("60ms"),
        "duration",
        "How often a leader shows that it is there",
    ),
    key(
        ["election", "election", "TURNWISE_ELECTION"],
        Some("300ms"),
        "duration",
        "How long without a leader before a new one is sought, drawn from this to twice this; 1s \
         across regions",
    ),
    key(
        ["worker_threads", "worker-threads", "TURNWISE_WORKER_THREADS"],
        Some("auto"),
        "threads",
        "Threads that serve clients, each some of their connections; `auto`: as many as the processors that this \
         process may use, from 2 to 16. Consensus and what goes between nodes have their own",
    ),
    key(
        ["proposal_queue_max", "proposal-queue-max", "TURNWISE_PROPOSAL_QUEUE_MAX"],
        Some("8192"),
        "calls",
        "Changes that may wait for the leader; above it, callers are told to slow down",
    ),
    key(
        ["connections_max", "connections-max", "TURNWISE_CONNECTIONS_MAX"],
        Some("1024"),
        "connections",
        "Open client connections",
    ),
    key(
        [
            "streams_per_connection_max",
            "streams-per-connection-max",
            "TURNWISE_STREAMS_PER_CONNECTION_MAX",
        ],
        Some("256"),
        "calls",
        "Calls under way at once on one client connection",
    ),
    key(
        ["snapshot_every", "snapshot-every", "TURNWISE_SNAPSHOT_EVERY"],
        Some("64MiB"),
        "bytes",
        "How much log is written between two snapshots at most; less where the last one was small, or where there is time",
    ),
    key(
        ["log_tail_max", "log-tail-max", "TURNWISE_LOG_TAIL_MAX"],
        Some("64MiB"),
        "bytes",
        "How much log is kept behind a snapshot for nodes that were away; more, up to four times `snapshot_every`, while one is being sent a snapshot",
    ),
    key(
        ["log_format", "log-format", "TURNWISE_LOG_FORMAT"],
        Some("text"),
        "text or json",
        "How log lines are written to stderr",
    ),
    key(
        ["log_level", "log-level", "TURNWISE_LOG_LEVEL"],
        Some("info"),
        "level or filter",
        "What is logged: error, warn, info, debug, trace, or a filter such as info,raft=warn",
    ),
    key(
        ["admin_token_file", "admin-token-file", "TURNWISE_ADMIN_TOKEN_FILE"],
        Some("none"),
        "file",
        "Holds the operator's credential, readable by its owner only, and turns authentication on; \
         without it everybody may do everything",
    ),
    key(
        ["insecure", "insecure", "TURNWISE_INSECURE"],
        Some("false"),
        SWITCH,
        "Allows addresses other than loopback although nothing is encrypted yet",
    ),
];

/// Where a value came from, as an error names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The command line.
    Flag(&'static str),
    /// The environment.
    Env(&'static str),
    /// The file.
    File(PathBuf),
    /// Nowhere: the default.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag --{flag}"),
            Self::Env(env) => write!(f, "environment variable {env}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value as it was written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// As written.
    pub text: String,
    /// Where.
    pub source: Source,
}

/// What the command line and the environment gave to `turnwise serve`.
#[derive(Debug, Clone, Default)]
pub struct ServeArgs {
    pub(super) file: Option<PathBuf>,
    pub(super) given: BTreeMap<&'static str, Raw>,
}

/// The flag and the environment variable that name the file itself.
pub const FILE_KEY: [&str; 2] = ["config", "TURNWISE_CONFIG"];

impl clap::Args for ServeArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        let [flag, env] = FILE_KEY;
        let file = Arg::new(flag)
            .long(flag)
            .env(env)
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("TOML file with the keys below, underscores for dashes");
        let keys = KEYS.iter().map(|key| {
            let arg = Arg::new(key.name).long(key.flag).env(key.env).value_name(key.unit);
            let arg = if key.unit == SWITCH {
                arg.num_args(0..=1).require_equals(true).default_missing_value("true")
            } else {
                arg
            };
            // Shown but not set here: a default given to clap would hide the file's value.
            arg.help(match key.default {
                Some(default) => format!("{} [default: {default}]", key.help),
                None => format!("{} [required]", key.help),
            })
        });
        command.arg(file).args(keys)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for ServeArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let [flag, _] = FILE_KEY;
        let given = KEYS.iter().filter_map(|key| {
            let text = matches.get_one::<String>(key.name)?.clone();
            let source = match matches.value_source(key.name)? {
                ValueSource::CommandLine => Source::Flag(key.flag),
                ValueSource::EnvVariable => Source::Env(key.env),
                // Not given: `ValueSource` may grow, and no default is set.
                ValueSource::DefaultValue | _ => return None,
            };
            Some((key.name, Raw { text, source }))
        });
        Ok(Self { file: matches.get_one::<PathBuf>(flag).cloned(), given: given.collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Reads the file's text into raw values; a key that does not exist is refused by name.
pub(super) fn from_toml(
    text: &str,
    path: &std::path::Path,
) -> Result<BTreeMap<&'static str, Raw>, ConfigError> {
    let source = Source::File(path.to_path_buf());
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        ConfigError::NotToml { path: path.to_path_buf(), problem: error.to_string() }
    })?;
    let mut values = BTreeMap::new();
    for (name, value) in table {
        let Some(key) = KEYS.iter().find(|key| key.name == name) else {
            return Err(ConfigError::UnknownKey { key: name, path: path.to_path_buf() });
        };
        let Some(text) = scalar(&value).or_else(|| pairs(&value)) else {
            return Err(ConfigError::Invalid {
                key: key.name,
                origin: source.clone(),
                problem: format!("expected {}, found {}", key.unit, value.type_str()),
            });
        };
        values.insert(key.name, Raw { text, source: source.clone() });
    }
    Ok(values)
}

fn scalar(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(switch) => Some(switch.to_string()),
        toml::Value::Float(_)
        | toml::Value::Datetime(_)
        | toml::Value::Array(_)
        | toml::Value::Table(_) => None,
    }
}

/// `[members]` as a table, or a list of `id=address`, in the form that flag and environment use.
fn pairs(value: &toml::Value) -> Option<String> {
    let pairs: Option<Vec<String>> = match value {
        toml::Value::Table(table) => table
            .iter()
            .map(|(id, address)| address.as_str().map(|address| format!("{id}={address}")))
            .collect(),
        toml::Value::Array(list) => {
            list.iter().map(|pair| pair.as_str().map(str::to_owned)).collect()
        }
        toml::Value::String(_)
        | toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_) => None,
    };
    pairs.map(|pairs| pairs.join(","))
}
