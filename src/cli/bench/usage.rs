//! What the nodes used meanwhile, as they say themselves.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    cli::failure::{Failure, to},
    client::{Client, Options},
    clock,
    proto::turnwise::v1::{Cluster, GetClusterRequest},
};

/// Processor time, memory and disk at one time, or between two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// By node; of those that answered.
    nodes: BTreeMap<u64, Node>,
    leader: u64,
    /// Processor time of this process, which makes the load.
    pub(super) client_cpu: Duration,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Node {
    cpu: Option<Duration>,
    memory_bytes: Option<u64>,
    data_bytes: Option<u64>,
}

impl Usage {
    /// Until now.
    pub(super) async fn now(client: &Client) -> Result<Self, Failure> {
        Ok(Self::of(&cluster(client).await?, clock::process_cpu()))
    }

    fn of(cluster: &Cluster, client_cpu: Duration) -> Self {
        let there = cluster.members.iter().filter(|member| member.reachable);
        let nodes = there.map(|member| {
            let cpu = member.cpu_time.and_then(|time| time.try_into().ok());
            let (memory_bytes, data_bytes) = (member.memory_bytes, member.data_bytes);
            (member.node_id, Node { cpu, memory_bytes, data_bytes })
        });
        Self { nodes: nodes.collect(), leader: cluster.leader_node_id, client_cpu }
    }

    /// What was used since then; memory and disk as they are now. Of a node that was not there all the time,
    /// or was started meanwhile, the time is not known.
    pub(super) fn since(mut self, before: &Self) -> Self {
        for (id, node) in &mut self.nodes {
            let was = before.nodes.get(id).and_then(|node| node.cpu);
            node.cpu = node.cpu.zip(was).and_then(|(now, was)| now.checked_sub(was));
        }
        self.client_cpu = self.client_cpu.saturating_sub(before.client_cpu);
        self
    }

    pub(super) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Processor time of all nodes, if each is known.
    pub(super) fn nodes_cpu(&self) -> Option<Duration> {
        self.nodes.values().map(|node| node.cpu).sum()
    }

    /// Of the one that leads now.
    pub(super) fn leader_cpu(&self) -> Option<Duration> {
        self.nodes.get(&self.leader)?.cpu
    }

    /// Of the node that holds most.
    pub(super) fn memory_bytes(&self) -> Option<u64> {
        self.nodes.values().filter_map(|node| node.memory_bytes).max()
    }

    /// Of the node that holds most.
    pub(super) fn data_bytes(&self) -> Option<u64> {
        self.nodes.values().filter_map(|node| node.data_bytes).max()
    }
}

async fn cluster(client: &Client) -> Result<Cluster, Failure> {
    let answer = client.call(GetClusterRequest::default()).await.map_err(to("see the cluster"))?;
    Ok(answer.cluster.unwrap_or_default())
}

/// The nodes with the leader in front, so that calls go there at once. Where the leader is not among those
/// that were named, as they were named.
pub(super) async fn leader_first(
    endpoints: &[String],
    options: &Options,
) -> Result<Vec<String>, Failure> {
    let cluster = cluster(&super::client(endpoints, options)?).await?;
    let leader = cluster.members.iter().find(|member| member.node_id == cluster.leader_node_id);
    let mut endpoints = endpoints.to_vec();
    if let Some(leader) = leader
        && let Some(place) = endpoints.iter().position(|known| *known == leader.client_address)
    {
        endpoints.rotate_left(place);
    }
    Ok(endpoints)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Usage;
    use crate::proto::turnwise::v1::{Cluster, ClusterMember};

    fn cluster(nodes: &[(u64, Option<i64>)]) -> Cluster {
        let member = |&(node_id, seconds): &(u64, Option<i64>)| ClusterMember {
            node_id,
            reachable: true,
            cpu_time: seconds.map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
            memory_bytes: Some(node_id * 100),
            ..ClusterMember::default()
        };
        let members = nodes.iter().map(member).collect();
        Cluster { leader_node_id: 2, members, ..Cluster::default() }
    }

    #[test]
    fn time_is_of_between_and_unknown_of_a_node_that_began_anew() {
        let second = Duration::from_secs;
        let before = Usage::of(&cluster(&[(1, Some(5)), (2, Some(7)), (3, Some(9))]), second(1));
        let used = Usage::of(&cluster(&[(1, Some(6)), (2, Some(9)), (3, Some(9))]), second(4));
        let used = used.since(&before);
        assert_eq!((used.nodes_cpu(), used.leader_cpu()), (Some(second(3)), Some(second(2))));
        assert_eq!((used.client_cpu, used.memory_bytes()), (second(3), Some(300)));
        let used = Usage::of(&cluster(&[(1, Some(6)), (2, Some(1)), (3, None)]), second(4));
        let used = used.since(&before);
        assert_eq!((used.nodes_cpu(), used.leader_cpu()), (None, None));
    }
}
