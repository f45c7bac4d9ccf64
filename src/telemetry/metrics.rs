//! Every metric of a node, by name, in a registry of its own.
//!
//! The fields are handles: cheap to clone, safe to touch from any thread. Nothing here is global, so
//! two nodes in one test do not count each other's calls.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// A gauge over whole numbers from 0.
type Level = Gauge<u64, AtomicU64>;

/// The metrics of one node.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// `turnwise_proposals_total`: changes accepted into the queue on this node as leader.
    pub proposals: Counter,
    /// `turnwise_batch_size`: changes per Raft entry.
    pub batch_size: Histogram,
    /// `turnwise_queue_depth`: changes that wait for the leader.
    pub queue_depth: Level,
    /// `turnwise_fsync_seconds`: one write and sync of the log.
    pub fsync_seconds: Histogram,
    /// `turnwise_commit_seconds`: from a change's proposal until it is applied.
    pub commit_seconds: Histogram,
    /// `turnwise_leader_changes_total`: how often this node saw another leader than before.
    pub leader_changes: Counter,
    /// `turnwise_term`.
    pub term: Level,
    /// `turnwise_commit_index`.
    pub commit_index: Level,
    /// `turnwise_applied_index`.
    pub applied_index: Level,
    /// `turnwise_clock_off_seconds`: how far this machine's clock is off the median of the members', if
    /// by more than a second; 0 otherwise.
    pub clock_off_seconds: Gauge<f64, AtomicU64>,
    /// `turnwise_calls_total{method,code}`: gRPC calls ended.
    pub calls: Family<CallLabels, Counter>,
    role: Family<RoleLabel, Level>,
}

/// What a call is counted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CallLabels {
    /// `package.Service/Method`; `unknown` for what this node does not serve.
    pub method: String,
    /// The canonical code, such as `OK` or `UNAVAILABLE`.
    pub code: &'static str,
}

/// What a node is in its cluster, as `turnwise_role{role}` shows it: 1 for the present one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Role {
    /// Orders the changes.
    Leader,
    /// Follows one.
    Follower,
    /// Wants to lead.
    Candidate,
    /// Receives the log without a vote.
    Learner,
}

impl Role {
    const ALL: [Self; 4] = [Self::Leader, Self::Follower, Self::Candidate, Self::Learner];
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RoleLabel {
    role: Role,
}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("turnwise");
        // From 10 µs to 5 s by doubling: a sync takes 0.1 ms here and 10 ms on a bad disk.
        let latency = || Histogram::new(exponential_buckets(10e-6, 2.0, 20));
        let metrics = Self {
            registry: Registry::default(),
            proposals: Counter::default(),
            batch_size: Histogram::new(exponential_buckets(1.0, 2.0, 14)),
            queue_depth: Level::default(),
            fsync_seconds: latency(),
            commit_seconds: latency(),
            leader_changes: Counter::default(),
            term: Level::default(),
            commit_index: Level::default(),
            applied_index: Level::default(),
            clock_off_seconds: Gauge::default(),
            calls: Family::default(),
            role: Family::default(),
        };
        let all = &mut registry;
        all.register("proposals", "Changes accepted into the queue", metrics.proposals.clone());
        all.register("batch_size", "Changes per Raft entry", metrics.batch_size.clone());
        all.register(
            "queue_depth",
            "Changes that wait for the leader",
            metrics.queue_depth.clone(),
        );
        all.register(
            "fsync_seconds",
            "One write and sync of the log",
            metrics.fsync_seconds.clone(),
        );
        all.register(
            "commit_seconds",
            "From a change's proposal until it is applied",
            metrics.commit_seconds.clone(),
        );
        all.register(
            "leader_changes",
            "How often this node saw another leader than before",
            metrics.leader_changes.clone(),
        );
        all.register("term", "Raft term", metrics.term.clone());
        all.register(
            "commit_index",
            "Highest log index known committed",
            metrics.commit_index.clone(),
        );
        all.register("applied_index", "Highest log index applied", metrics.applied_index.clone());
        all.register(
            "clock_off_seconds",
            "How far this machine's clock is off the members' median, if by more than a second",
            metrics.clock_off_seconds.clone(),
        );
        all.register("calls", "gRPC calls ended, by method and code", metrics.calls.clone());
        all.register("role", "1 for what the node is, 0 for what it is not", metrics.role.clone());
        let metrics = Self { registry, ..metrics };
        metrics.set_role(Role::Follower);
        metrics
    }

    /// Shows `role` as the present one.
    pub fn set_role(&self, role: Role) {
        for each in Role::ALL {
            self.role.get_or_create(&RoleLabel { role: each }).set(u64::from(each == role));
        }
    }

    /// All of them in the OpenMetrics text format.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a String does not fail");
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{Metrics, Role};

    #[test]
    fn every_metric_is_shown_under_its_documented_name() {
        let metrics = Metrics::new();
        metrics.proposals.inc_by(3);
        metrics.fsync_seconds.observe(0.000_1);
        metrics.set_role(Role::Leader);
        let text = metrics.encode();
        for line in [
            "turnwise_proposals_total 3",
            "turnwise_fsync_seconds_count 1",
            "turnwise_commit_seconds_count 0",
            "turnwise_batch_size_count 0",
            "turnwise_queue_depth 0",
            "turnwise_leader_changes_total 0",
            "turnwise_term 0",
            "turnwise_commit_index 0",
            "turnwise_applied_index 0",
            "turnwise_role{role=\"Leader\"} 1",
            "turnwise_role{role=\"Follower\"} 0",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
        }
    }
}
