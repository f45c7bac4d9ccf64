//! How one node is told what it is: from a TOML file, the environment and flags, in one vocabulary.
//!
//! Owns what the values mean and which go together. It opens nothing but the file. Every error names
//! the key and where its value came from. The table of keys is `keys`, and `docs/CONFIGURATION.md`.

mod keys;

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    num::NonZero,
    path::{Path, PathBuf},
    str::FromStr,
    thread,
    time::Duration,
};

pub use keys::{FILE_KEY, KEYS, Key, Raw, SWITCH, ServeArgs, Source};

use crate::consensus::{NodeId, driver::JoinToken};

/// Everything `turnwise serve` needs to know, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// This node's number, from 1; `None` only with `join`.
    pub node_id: Option<NodeId>,
    /// The cluster's identity; `None` only with `join`.
    pub cluster_id: Option<ClusterId>,
    /// Where log and snapshots are.
    pub data_dir: PathBuf,
    /// Where callers connect.
    pub client_address: SocketAddr,
    /// Where peers connect.
    pub peer_address: SocketAddr,
    /// Where probes and metrics are read.
    pub admin_address: SocketAddr,
    /// The first members and their peer addresses (`host:port`), this node among them; with `join`, members
    /// to ask.
    pub members: BTreeMap<NodeId, String>,
    /// How an empty data directory becomes that of a member of a running cluster.
    pub join: Option<Join>,
    /// Whether an empty data directory may form a cluster.
    pub bootstrap: bool,
    /// Whether a node that finds its data damaged comes back by itself under a new id.
    pub rejoin: bool,
    /// Heartbeat and election.
    pub timing: Timing,
    /// Threads that serve clients, at least 1.
    pub worker_threads: usize,
    /// Bounds that an operator may set.
    pub limits: Limits,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which log lines there are: a level or a filter.
    pub log_level: String,
    /// The operator's credential, which turns authentication on; `None` = everybody may do everything.
    pub admin_token_file: Option<PathBuf>,
    /// Whether other addresses than loopback are allowed without encryption.
    pub insecure: bool,
}

/// How a node joins a running cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// What admits it.
    pub token: JoinToken,
    /// Where the other nodes find it, `host:port`.
    pub peer_address: String,
    /// Where callers find it, `host:port`.
    pub client_address: String,
}

/// The node's own time, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Length of a tick.
    pub tick: Duration,
    /// A leader shows itself every so many ticks; at least 1.
    pub heartbeat_ticks: usize,
    /// Without a leader for this to twice this many ticks, a node stands for election; at least three
    /// heartbeats.
    pub election_ticks: usize,
}

impl Timing {
    /// Without a leader for this long to twice as long, a node stands for election.
    #[must_use]
    pub fn election(&self) -> Duration {
        self.tick.saturating_mul(u32::try_from(self.election_ticks).unwrap_or(u32::MAX))
    }
}

/// Bounds that an operator may set; all at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Changes that may wait for the leader.
    pub proposal_queue_max: usize,
    /// Open client connections.
    pub connections_max: usize,
    /// Calls under way on one of them.
    pub streams_per_connection_max: u32,
    /// Bytes of log between two snapshots.
    pub snapshot_every_bytes: u64,
    /// Bytes of log kept behind a snapshot.
    pub log_tail_bytes_max: u64,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// 128 random bits that tell one cluster from another; written as 32 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub u128);

impl ClusterId {
    /// Draws one.
    #[must_use]
    pub fn random() -> Self {
        Self(rand::random())
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for ClusterId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match u128::from_str_radix(text, 16) {
            Ok(id) if hex && id != 0 => Ok(Self(id)),
            Ok(_) | Err(_) => Err(format!(
                "`{text}` is not 32 hex digits; `turnwise cluster new-id` draws an id for a new \
                 cluster, and every node of one cluster has the same"
            )),
        }
    }
}

/// Why a configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A value is not what its key takes.
    #[error("{key}: {problem} (from {origin})")]
    Invalid {
        /// Which key.
        key: &'static str,
        /// Where the value came from.
        origin: Source,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// A key without a default has no value.
    #[error("{} is not set; use flag --{}, environment variable {}, or `{} = …` in a file given with \
             --config", .0.name, .0.flag, .0.env, .0.name)]
    Missing(
        /// Which key.
        &'static Key,
    ),
    /// The file has a key that does not exist.
    #[error("unknown key `{key}` in file {}; docs/CONFIGURATION.md lists the keys", path.display())]
    UnknownKey {
        /// As written.
        key: String,
        /// In which file.
        path: PathBuf,
    },
    /// The file is not TOML.
    #[error("file {} is not valid TOML: {problem}", path.display())]
    NotToml {
        /// Which file.
        path: PathBuf,
        /// Line, column and reason.
        problem: String,
    },
    /// The file cannot be read.
    #[error("cannot read file {}: {problem}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        problem: String,
    },
}

impl Config {
    /// Reads the file that `args` names, if any, and merges: flag, environment, file, default.
    ///
    /// # Errors
    ///
    /// Any [`ConfigError`].
    pub fn load(args: &ServeArgs) -> Result<Self, ConfigError> {
        let file = match &args.file {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    ConfigError::Unreadable { path: path.clone(), problem: error.to_string() }
                })?;
                Some((path.as_path(), text))
            }
            None => None,
        };
        Self::resolve(args, file.as_ref().map(|(path, text)| (*path, text.as_str())))
    }

    /// As [`Config::load`], with the file's text already read.
    ///
    /// # Errors
    ///
    /// Any [`ConfigError`] but `Unreadable`.
    pub fn resolve(args: &ServeArgs, file: Option<(&Path, &str)>) -> Result<Self, ConfigError> {
        let mut raw = match file {
            Some((path, text)) => keys::from_toml(text, path)?,
            None => BTreeMap::new(),
        };
        raw.extend(args.given.iter().map(|(name, value)| (*name, value.clone())));
        let values = Values(raw);

        let insecure = values.parse("insecure", switch)?;
        let address = |name| {
            let checked = |text: &str| address(text, insecure);
            values.parse(name, checked)
        };
        let peer_address = address("peer_address")?;
        let client_address = address("client_address")?;
        let join = match values.raw("join") {
            Some(_) => Some(Join {
                token: values.parse("join", join_token)?,
                peer_address: values.advertised("advertise_peer_address", peer_address)?,
                client_address: values.advertised("advertise_client_address", client_address)?,
            }),
            None => None,
        };
        let (node_id, members) = if join.is_some() {
            if let Some(given) = values.raw("node_id") {
                return Err(ConfigError::Invalid {
                    key: "node_id",
                    origin: given.source.clone(),
                    problem: "with join, the cluster gives this node its number".to_owned(),
                });
            }
            (None, values.parse("members", member_list)?)
        } else {
            let node_id = values.parse("node_id", node_id)?;
            let members = match values.raw("members") {
                Some(_) => values.parse("members", |text| members(text, node_id))?,
                None => BTreeMap::from([(node_id, peer_address.to_string())]),
            };
            (Some(node_id), members)
        };
        Ok(Self {
            node_id,
            cluster_id: match values.raw("cluster_id") {
                None if join.is_some() => None,
                Some(_) | None => Some(values.parse("cluster_id", str::parse)?),
            },
            data_dir: values.parse("data_dir", directory)?,
            client_address,
            peer_address,
            admin_address: address("admin_address")?,
            members,
            join,
            bootstrap: values.parse("bootstrap", switch)?,
            rejoin: !values.parse("no_rejoin", switch)?,
            timing: timing(&values)?,
            worker_threads: values.parse("worker_threads", threads)?,
            limits: Limits {
                proposal_queue_max: values.parse("proposal_queue_max", at_least_one)?,
                connections_max: values.parse("connections_max", at_least_one)?,
                streams_per_connection_max: values
                    .parse("streams_per_connection_max", at_least_one)?,
                snapshot_every_bytes: values.parse("snapshot_every", bytes)?,
                log_tail_bytes_max: values.parse("log_tail_max", bytes)?,
            },
            log_format: values.parse("log_format", log_format)?,
            log_level: values.parse("log_level", log_level)?,
            admin_token_file: match values.raw("admin_token_file") {
                Some(_) => Some(values.parse("admin_token_file", credential_file)?),
                None => None,
            },
            insecure,
        })
    }
}

/// The merged values, still as text.
struct Values(BTreeMap<&'static str, Raw>);

impl Values {
    fn raw(&self, name: &str) -> Option<&Raw> {
        self.0.get(name)
    }

    fn parse<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        let key = key(name);
        let (text, source) = match (self.raw(name), key.default) {
            (Some(raw), _) => (raw.text.as_str(), &raw.source),
            (None, Some(default)) => (default, &Source::Default),
            (None, None) => return Err(ConfigError::Missing(key)),
        };
        parse(text).map_err(|problem| ConfigError::Invalid {
            key: key.name,
            origin: source.clone(),
            problem,
        })
    }

    /// Where others find what is bound to `bound`.
    fn advertised(&self, name: &str, bound: SocketAddr) -> Result<String, ConfigError> {
        if self.raw(name).is_some() {
            return self.parse(name, |text| host_port(text).map(str::to_owned));
        }
        if !bound.ip().is_unspecified() {
            return Ok(bound.to_string());
        }
        let problem = format!("nobody finds this node at {bound}; say where they do, as host:port");
        Err(ConfigError::Invalid { key: key(name).name, origin: Source::Default, problem })
    }
}

fn key(name: &str) -> &'static Key {
    KEYS.iter().find(|key| key.name == name).expect("only keys of the table are read")
}

fn join_token(text: &str) -> Result<JoinToken, String> {
    if text.starts_with("tw_join_") {
        return Ok(JoinToken::new(text));
    }
    Err("it is not what `turnwise cluster add` prints, which begins with tw_join_".to_owned())
}

fn host_port(text: &str) -> Result<&str, String> {
    let port = text.rsplit_once(':').and_then(|(host, port)| {
        port.parse::<u16>().ok().filter(|port| *port > 0 && !host.is_empty())
    });
    port.map(|_| text).ok_or(format!("`{text}` is not host:port, such as 127.0.0.1:7401"))
}

fn timing(values: &Values) -> Result<Timing, ConfigError> {
    let tick = values.parse("tick", duration)?;
    let in_ticks = |text: &str| {
        let span = duration(text)?;
        let whole = span.as_nanos() % tick.as_nanos() == 0;
        let ticks = usize::try_from(span.as_nanos() / tick.as_nanos()).ok();
        ticks.filter(|_| whole).ok_or(format!("`{text}` is not a whole number of ticks ({tick:?})"))
    };
    let heartbeat_ticks = values.parse("heartbeat", in_ticks)?;
    let election_ticks = values.parse("election", |text| {
        let ticks = in_ticks(text)?;
        let calm = ticks >= heartbeat_ticks.saturating_mul(3);
        calm.then_some(ticks).ok_or(format!(
            "`{text}` is less than three heartbeats: one lost message would start an election"
        ))
    })?;
    Ok(Timing { tick, heartbeat_ticks, election_ticks })
}

/// Reads a node's number.
///
/// # Errors
/// What is wrong, and what would be right.
pub fn node_id(text: &str) -> Result<NodeId, String> {
    at_least_one(text).map(NodeId)
}

fn at_least_one<T: FromStr + PartialOrd + From<u8>>(text: &str) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| *number >= T::from(1));
    number.ok_or(format!("`{text}` is not a whole number from 1"))
}

/// A number, or one for each processor.
fn threads(text: &str) -> Result<usize, String> {
    if text == "auto" {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        return Ok(processors.clamp(2, 16));
    }
    at_least_one(text).map_err(|problem| format!("{problem}, nor `auto`"))
}

fn switch(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("`{text}` is neither true nor false"))
}

fn directory(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("the path is empty".to_owned()) } else { Ok(PathBuf::from(text)) }
}

fn credential_file(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("the path is empty; leave the key out for no authentication".to_owned());
    }
    Ok(PathBuf::from(text))
}

fn address(text: &str, insecure: bool) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| format!("`{text}` is not ip:port, such as 127.0.0.1:7400"))?;
    if address.ip().is_loopback() || insecure {
        return Ok(address);
    }
    Err(format!(
        "`{text}` can be reached from other machines and nothing is encrypted yet; use an address of \
         127.0.0.0/8 or [::1], or accept that everyone there can read and write with --insecure"
    ))
}

/// Reads members as `id=host:port,…`, of which `this` has to be one.
///
/// # Errors
/// What is wrong, and what would be right.
pub fn members(text: &str, this: NodeId) -> Result<BTreeMap<NodeId, String>, String> {
    let members = member_list(text)?;
    if members.contains_key(&this) {
        return Ok(members);
    }
    Err(format!("this node, {this}, is not among the members"))
}

fn member_list(text: &str) -> Result<BTreeMap<NodeId, String>, String> {
    let mut members = BTreeMap::new();
    for pair in text.split(',').map(str::trim) {
        let (id, address) = pair
            .split_once('=')
            .ok_or(format!("`{pair}` is not id=host:port, such as 1=127.0.0.1:7401"))?;
        let id = node_id(id.trim())?;
        let address = host_port(address.trim())?;
        if members.values().any(|other| other == address) {
            return Err(format!("two members have the address `{address}`"));
        }
        if members.insert(id, address.to_owned()).is_some() {
            return Err(format!("member {id} is there twice"));
        }
    }
    Ok(members)
}

fn duration(text: &str) -> Result<Duration, String> {
    let span = text.parse::<jiff::SignedDuration>().ok().and_then(|span| span.try_into().ok());
    let positive = span.filter(|span: &Duration| !span.is_zero());
    positive.ok_or(format!("`{text}` is not a duration such as 300ms, 5s or 1m"))
}

fn bytes(text: &str) -> Result<u64, String> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1_u64 << 30), ("B", 1)];
    let (digits, unit) = units
        .iter()
        .find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, *unit)))
        .unwrap_or((text, 1));
    let count = digits.trim().parse::<u64>().ok().and_then(|count| count.checked_mul(unit));
    count
        .filter(|count| *count > 0)
        .ok_or(format!("`{text}` is not a size such as 512KiB or 64MiB"))
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        other => Err(format!("`{other}` is neither text nor json")),
    }
}

fn log_level(text: &str) -> Result<String, String> {
    tracing_subscriber::EnvFilter::try_new(text)
        .map(|_| text.to_owned())
        .map_err(|error| format!("`{text}` is not a level or filter: {error}"))
}

#[cfg(test)]
mod tests;
