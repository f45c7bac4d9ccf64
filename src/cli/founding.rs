//! What `restore` and `recover` have in common: which member of which new cluster is made, and what to type
//! then.

use std::path::PathBuf;

use super::{change::say, failure::Failure};
use crate::{
    backup::FoundError,
    config::{self, ClusterId},
    consensus::{NodeId, driver::Member},
};

use super::failure::chain;

/// Which member of the new cluster is made.
#[derive(clap::Args)]
pub(super) struct NewMember {
    /// Id of the new cluster, the same for all its members; `turnwise cluster new-id` draws one
    #[arg(long, value_name = "32 HEX DIGITS")]
    new_cluster: ClusterId,
    /// Which member this directory is made for
    #[arg(long, env = "TURNWISE_NODE_ID", value_name = "NUMBER", value_parser = config::node_id)]
    node_id: NodeId,
    /// All members and their peer addresses, as id=host:port,…; the same for all
    #[arg(long, env = "TURNWISE_MEMBERS", value_name = "ID=HOST:PORT,…")]
    members: String,
    /// The directory to make; empty or not there
    #[arg(long, env = "TURNWISE_DATA_DIR", value_name = "PATH")]
    pub(super) data_dir: PathBuf,
}

impl NewMember {
    pub(super) fn cluster_id(&self) -> u128 {
        self.new_cluster.0
    }

    pub(super) fn node_id(&self) -> u64 {
        self.node_id.0
    }

    /// All members, ascending.
    pub(super) fn voters(&self) -> Result<Vec<NodeId>, Failure> {
        let members = config::members(&self.members, self.node_id);
        let members = members.map_err(|problem| Failure::usage(format!("--members: {problem}")))?;
        Ok(members.into_keys().collect())
    }

    pub(super) fn member<'a>(&'a self, voters: &'a [NodeId]) -> Member<'a> {
        let (cluster_id, node_id) = (self.new_cluster.0, self.node_id);
        Member { cluster_id, node_id, voters, data_dir: &self.data_dir }
    }

    /// Says what to type next.
    pub(super) fn next(&self, voters: &[NodeId], source: &str) {
        if voters.len() > 1 {
            say(&format!(
                "next: make the directory of every other member in the same way, from the same \
                 {source}, with the same --new-cluster and --members. Then start each, without \
                 --bootstrap:"
            ));
        } else {
            say("next: start it, without --bootstrap:");
        }
        say(&format!(
            "  turnwise serve --node-id {} --cluster-id {} --data-dir {} --members {}",
            self.node_id,
            self.new_cluster,
            self.data_dir.display(),
            self.members
        ));
    }
}

/// Why there is no new member.
pub(super) fn not_founded(error: &FoundError) -> Failure {
    let failure = Failure::failed(chain(error));
    match error {
        FoundError::SameCluster { .. } => failure.advise("draw one with `turnwise cluster new-id`"),
        FoundError::Directory(_) => failure,
    }
}
