//! `turnwise cluster`: a new cluster's id, how a cluster is, and who leads it.

use serde_json::{Value, json};

use super::{
    Context,
    failure::{Failure, to},
};
use crate::{
    config::ClusterId,
    proto::turnwise::v1::{
        Cluster, ClusterMember, GetClusterRequest, NodeRole, TransferLeaderRequest,
    },
};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Draw an id for a new cluster; every node of one cluster gets the same
    #[command(after_help = "Example: turnwise cluster new-id")]
    NewId,
    /// Show the members, who leads, how far each is, and the hash of its state
    #[command(after_help = "Hashes compare only where state_hash_index is equal.\n\n\
                            Example: turnwise cluster status --at-applied-index")]
    Status {
        /// Hash each node's state where it is now, not at its last index divisible by 1,024
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
            let rows: Vec<Vec<Value>> = cluster.members.iter().map(row).collect();
            context.output.document(&whole(&cluster), COLUMNS, &rows)
        }
        Command::Transfer { to: wanted } => {
            let request = TransferLeaderRequest { node_id: wanted.unwrap_or(0) };
            let done = context.client()?.call(request).await.map_err(to("hand over leadership"))?;
            let row = vec![done.leader_node_id.into(), done.term.into()];
            context.output.record(&["leader", "term"], row)
        }
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
    "state_hash_index",
    "state_hash",
    "client_address",
    "peer_address",
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
        hash.map_or(Value::Null, |hash| hash.log_index.into()),
        hash.map_or(Value::Null, |hash| hash.hash.as_str().into()),
        member.client_address.as_str().into(),
        member.peer_address.as_str().into(),
    ]
}

fn whole(cluster: &Cluster) -> Value {
    let member = |member| COLUMNS.iter().map(|name| (*name).to_owned()).zip(row(member)).collect();
    let members: Vec<serde_json::Map<String, Value>> = cluster.members.iter().map(member).collect();
    json!({
        "cluster_id": cluster.cluster_id,
        "leader": cluster.leader_node_id,
        "term": cluster.term,
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
