//! What a node has before its first entry: the snapshot that it is founded with, or joins with.

use prost::Message as _;

use super::{effect::Install, entry::NodeId};
use crate::proto::turnwise::log::v1::{MemberRecord, SnapshotMeta};

/// The snapshot that every founding node starts from: nothing yet, and who votes.
#[must_use]
pub fn founding_snapshot(voters: &[NodeId]) -> Install {
    let mut voters: Vec<u64> = voters.iter().map(|id| id.0).collect();
    voters.sort_unstable();
    let meta = SnapshotMeta { voters, ..SnapshotMeta::default() };
    Install { index: 1, term: 1, meta: meta.encode_to_vec().into() }
}

/// What a node starts from that was just admitted: nothing, and whom to hear. It waits for the leader.
#[must_use]
pub fn joining_snapshot(member_records: Vec<MemberRecord>) -> Install {
    let meta = SnapshotMeta { member_records, ..SnapshotMeta::default() };
    Install { index: 0, term: 0, meta: meta.encode_to_vec().into() }
}
