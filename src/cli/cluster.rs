//! `turnwise cluster`: a new cluster's id, how a cluster is, and who leads it.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::{
    Context,
    change::say,
    failure::{Failure, to},
    output::Format,
    time,
};
use crate::{
    config::{self, ClusterId},
    consensus::NodeId,
    proto::turnwise::v1::{
        Cluster, ClusterMember, CreateJoinTokenRequest, GetClusterRequest, NodeRole,
        RemoveMemberRequest, TransferLeaderRequest,
    },
};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Draw an id for a new cluster; every node of one cluster gets the same
    #[command(after_help = "Example: turnwise cluster new-id")]
    NewId,
    /// Show the members: who leads, who lags behind, who is not heard from, whose disk is full
    #[command(after_help = STATUS_HELP)]
    Status {
        /// Hash each node's state where it is now, and show the hashes
        #[arg(long)]
        at_applied_index: bool,
    },
    /// Let another node lead, for instance before maintenance on the one that does
    #[command(after_help = "Calls go on: those under way are answered by the new leader.\n\n\
                            Example: turnwise cluster transfer --to 2")]
    Transfer {
        /// Node id of who should lead; without it, the node that has most of the log
        #[arg(long, value_name = "NODE", value_parser = clap::value_parser!(u64).range(1..))]
        to: Option<u64>,
    },
    /// Print a token that admits one more node, once
    #[command(after_help = ADD_EXAMPLE)]
    Add {
        /// For how long it admits one, 1s to 24h
        #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = time::duration)]
        ttl: Duration,
    },
    /// Print a token that admits a node in the place of another
    #[command(
        after_help = "The other is removed once the new one votes.\n\nExample: turnwise cluster replace 2"
    )]
    Replace {
        /// Whose place is taken
        #[arg(value_parser = config::node_id)]
        node: NodeId,
        /// For how long it admits one, 1s to 24h
        #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = time::duration)]
        ttl: Duration,
    },
    /// Remove a node for ever; one that leads hands over first
    #[command(after_help = "Example: turnwise cluster remove 2")]
    Remove {
        /// Which
        #[arg(value_parser = config::node_id)]
        node: NodeId,
    },
}

const ADD_EXAMPLE: &str = "\
Example, on the machine that is to be the new node:
  turnwise serve --join $(turnwise cluster add) --members 1=10.0.0.1:7401 --data-dir data \\
    --peer-address 10.0.0.4:7401 --client-address 10.0.0.4:7400";

/// Prints a token, and what to do with it.
async fn admit(context: &Context, ttl: Duration, replaces: Option<NodeId>) -> Result<(), Failure> {
    let client = context.client()?;
    let seen = client.call(GetClusterRequest::default()).await.map_err(to("see the cluster"))?;
    let replaces_node_id = replaces.map_or(0, |node| node.0);
    let request = CreateJoinTokenRequest { ttl: Some(time::to_proto(ttl)), replaces_node_id };
    let made = client.call(request).await.map_err(to("create a join token"))?;
    let members = seen.cluster.unwrap_or_default().members;
    let known = members.iter().filter(|it| it.reachable && it.node_id != replaces_node_id);
    let known: Vec<_> = known.map(|it| format!("{}={}", it.node_id, it.peer_address)).collect();
    say("next: on the new node, with an empty data directory and its own addresses:");
    say(&format!(
        "  turnwise serve --join {} --members {} --data-dir DIR --peer-address IP:PORT --client-address \
         IP:PORT",
        made.token,
        known.join(",")
    ));
    if let Some(node) = replaces {
        say(&format!("node {node} is removed once the new one has a vote; do not start it again"));
    }
    context.output.line(&made.token)
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::NewId => context.output.line(&ClusterId::random().to_string()),
        Command::Status { at_applied_index } => {
            let request = GetClusterRequest { at_applied_index };
            let got = context.client()?.call(request).await.map_err(to("see the cluster"))?;
            let Some(cluster) = got.cluster else {
                return Err(Failure::failed("the node answered without a cluster"));
            };
            if matches!(context.output.format, Format::Table) {
                let rows: Vec<_> =
                    cluster.members.iter().map(|member| brief(member, at_applied_index)).collect();
                let hashes = if at_applied_index { HASHES } else { &[] };
                say(&at_version(&cluster));
                cluster.members.iter().filter_map(in_place_of).for_each(|line| say(&line));
                return context.output.list(&[BRIEF, hashes].concat(), &rows);
            }
            let rows: Vec<Vec<Value>> = cluster.members.iter().map(row).collect();
            context.output.document(&whole(&cluster), COLUMNS, &rows)
        }
        Command::Transfer { to: wanted } => {
            let request = TransferLeaderRequest { node_id: wanted.unwrap_or(0) };
            let done = context.client()?.call(request).await.map_err(to("hand over leadership"))?;
            let row = vec![done.leader_node_id.into(), done.term.into()];
            context.output.record(&["leader", "term"], row)
        }
        Command::Add { ttl } => admit(context, ttl, None).await,
        Command::Replace { node, ttl } => admit(context, ttl, Some(node)).await,
        Command::Remove { node } => {
            let request = RemoveMemberRequest { node_id: node.0 };
            context.client()?.call(request).await.map_err(to("remove the node"))?;
            say(&format!("node {node} is removed for ever; its process ends by itself"));
            Ok(())
        }
    }
}

const STATUS_HELP: &str = "\
lag: committed entries that it has not applied yet. last_contact: how long ago the node that was asked heard \
from it; ask the leader to know what the leader hears. disk_free: what it may still write to the disk of its \
data directory. --output json and csv have more: addresses, term, indices, hashes, versions, and what its process \
and its data directory take.

On stderr: the version that the cluster is at, which versions the programs of its nodes have, and for whom it \
waits to be raised to the next one, which it is by itself once all have it; and who came in the place of whom.

Hashes compare only where state_hash_index is equal; without --at-applied-index they are those of the last \
index divisible by 1,024.

Example: turnwise cluster status --endpoints 10.0.0.1:7400";

/// What fits a line of 80 characters, and is looked at first.
const BRIEF: &[&str] = &["node", "role", "lag", "last_contact", "snapshot_index", "disk_free"];
/// More of it, where it was asked for.
const HASHES: &[&str] = &["state_hash_index", "state_hash"];

fn brief(member: &ClusterMember, with_hash: bool) -> Vec<Value> {
    let is_there = member.reachable;
    let known = |value: Value| if is_there { value } else { Value::Null };
    let hash = member.state_hash.as_ref();
    let mut row = vec![
        member.node_id.into(),
        if is_there { role(member.role()) } else { "UNREACHABLE" }.into(),
        known(member.lag_entries.into()),
        last_contact(member),
        known(member.snapshot_index.into()),
        member.disk_free_bytes.map_or(Value::Null, |bytes| size(bytes).into()),
    ];
    if with_hash {
        row.push(hash.map_or(Value::Null, |hash| hash.log_index.into()));
        row.push(hash.map_or(Value::Null, |hash| hash.hash.as_str().into()));
    }
    row
}

/// What an operator of an upgrade wants to know: where the cluster is, which programs there are, and for
/// whom it waits.
fn at_version(cluster: &Cluster) -> String {
    let mut programs: BTreeMap<(u32, u32), Vec<u64>> = BTreeMap::new();
    for member in cluster.members.iter().filter(|member| member.reachable) {
        let has = (member.version_min, member.version_max);
        programs.entry(has).or_default().push(member.node_id);
    }
    let program = |((min, max), its): (&(u32, u32), &Vec<u64>)| {
        let has = if min == max { format!("version {max}") } else { format!("{min} to {max}") };
        format!("{has} on {}", nodes(its))
    };
    let programs: Vec<String> = programs.iter().map(program).collect();
    let version = cluster.version;
    let known = format!("the cluster is at version {version}; programs: {}", programs.join(", "));
    match cluster.raise_waits_for_node_ids.as_slice() {
        [] => known,
        waits_for => format!("{known}; to be at {} it waits for {}", version + 1, nodes(waits_for)),
    }
}

/// Whose place a node took: as `cluster replace` let it, or by itself after its disk was damaged.
fn in_place_of(member: &ClusterMember) -> Option<String> {
    let ClusterMember { node_id, in_place_of_node_id, .. } = member;
    (*in_place_of_node_id != 0)
        .then(|| format!("node {node_id} came in the place of node {in_place_of_node_id}"))
}

fn nodes(ids: &[u64]) -> String {
    let all: Vec<String> = ids.iter().map(ToString::to_string).collect();
    format!("{} {}", if all.len() == 1 { "node" } else { "nodes" }, all.join(", "))
}

fn last_contact(member: &ClusterMember) -> Value {
    member.last_contact.as_ref().map_or(Value::Null, |age| time::show_duration(age).into())
}

/// Bytes for people: three or four digits and a unit.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut whole, mut tenths) = (bytes, 0);
    let mut units = UNITS.iter().peekable();
    let mut unit = units.next().copied().unwrap_or_default();
    while whole >= 1_024
        && let Some(next) = units.next()
    {
        tenths = whole % 1_024 * 10 / 1_024;
        whole /= 1_024;
        unit = next;
    }
    if whole >= 100 || unit == "B" {
        format!("{whole} {unit}")
    } else {
        format!("{whole}.{tenths} {unit}")
    }
}

const COLUMNS: &[&str] = &[
    "node",
    "role",
    "reachable",
    "term",
    "commit_index",
    "applied_index",
    "lag",
    "last_contact",
    "snapshot_index",
    "disk_free_bytes",
    "state_hash_index",
    "state_hash",
    "client_address",
    "peer_address",
    "version_min",
    "version_max",
    "in_place_of",
    "cpu_seconds",
    "memory_bytes",
    "data_bytes",
];

fn row(member: &ClusterMember) -> Vec<Value> {
    let hash = member.state_hash.as_ref();
    vec![
        member.node_id.into(),
        role(member.role()).into(),
        member.reachable.into(),
        member.term.into(),
        member.commit_index.into(),
        member.applied_index.into(),
        member.lag_entries.into(),
        last_contact(member),
        member.snapshot_index.into(),
        member.disk_free_bytes.into(),
        hash.map_or(Value::Null, |hash| hash.log_index.into()),
        hash.map_or(Value::Null, |hash| hash.hash.as_str().into()),
        member.client_address.as_str().into(),
        member.peer_address.as_str().into(),
        member.version_min.into(),
        member.version_max.into(),
        Some(member.in_place_of_node_id).filter(|node| *node != 0).into(),
        member.cpu_time.and_then(time::seconds).into(),
        member.memory_bytes.into(),
        member.data_bytes.into(),
    ]
}

fn whole(cluster: &Cluster) -> Value {
    let member = |member| COLUMNS.iter().map(|name| (*name).to_owned()).zip(row(member)).collect();
    let members: Vec<serde_json::Map<String, Value>> = cluster.members.iter().map(member).collect();
    json!({
        "cluster_id": cluster.cluster_id,
        "leader": cluster.leader_node_id,
        "term": cluster.term,
        "version": cluster.version,
        "raise_waits_for": cluster.raise_waits_for_node_ids,
        "members": members,
    })
}

fn role(role: NodeRole) -> &'static str {
    match role {
        NodeRole::Leader => "LEADER",
        NodeRole::Follower => "FOLLOWER",
        NodeRole::Candidate => "CANDIDATE",
        NodeRole::Learner => "LEARNER",
        NodeRole::Unspecified => "UNKNOWN",
    }
}

#[cfg(test)]
mod tests {
    use super::{Cluster, ClusterMember, at_version, in_place_of, size};

    fn member(node_id: u64, version_max: u32) -> ClusterMember {
        let reachable = version_max > 0;
        ClusterMember {
            node_id,
            reachable,
            version_min: 2,
            version_max,
            ..ClusterMember::default()
        }
    }

    #[test]
    fn an_operator_sees_where_an_upgrade_stands() {
        let mut cluster = Cluster {
            version: 2,
            members: vec![member(1, 3), member(2, 2), member(3, 0), member(4, 3)],
            raise_waits_for_node_ids: vec![2, 3],
            ..Cluster::default()
        };
        assert_eq!(
            at_version(&cluster),
            "the cluster is at version 2; programs: version 2 on node 2, 2 to 3 on nodes 1, 4; to be at 3 it \
             waits for nodes 2, 3"
        );
        cluster.members.truncate(1);
        cluster.raise_waits_for_node_ids.clear();
        assert_eq!(at_version(&cluster), "the cluster is at version 2; programs: 2 to 3 on node 1");
    }

    #[test]
    fn who_came_in_whose_place_is_told() {
        let new = ClusterMember { in_place_of_node_id: 2, ..member(4, 2) };
        assert_eq!(in_place_of(&new).as_deref(), Some("node 4 came in the place of node 2"));
        assert_eq!(in_place_of(&member(3, 2)), None);
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, shown) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (1_536, "1.5 KiB"),
            (100 << 20, "100 MiB"),
            ((12 << 30) + (300 << 20), "12.2 GiB"),
            (u64::MAX, "16777215 TiB"),
        ] {
            assert_eq!(size(bytes), shown, "{bytes}");
        }
    }
}
