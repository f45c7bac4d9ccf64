//! The version of the cluster: one number for all that must be understood alike by all its nodes: what the
//! log, snapshots and peers say, and by which rules it is applied.
//!
//! It stands in the log and never goes back. Each build understands a range of versions. One that does not
//! understand the present one refuses to start or to join; it never passes over what it can't read. When the
//! version is raised is `node`'s affair.

use prost::Message as _;

use crate::proto::turnwise::{
    log::v1::{BatchVersion, SnapshotMeta},
    peer::v1::{Hello, RaftMessage},
};

/// The version of all that was written before it said of which version it is.
const FIRST: u32 = 2;

/// The versions of the cluster that a build understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// The oldest one.
    pub min: u32,
    /// The newest one.
    pub max: u32,
}

impl Versions {
    /// Those of a build that does not say.
    pub const FIRST: Self = Self { min: FIRST, max: FIRST };

    /// What a node says of its build.
    pub(super) fn of(hello: &Hello) -> Self {
        Self { min: or_first(hello.version_min), max: or_first(hello.version_max) }
    }

    /// Whether the build understands it.
    #[must_use]
    pub fn has(self, version: u32) -> bool {
        (self.min..=self.max).contains(&version)
    }
}

impl std::fmt::Display for Versions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { min, max } = self;
        if min == max { write!(f, "version {max}") } else { write!(f, "versions {min} to {max}") }
    }
}

pub(super) const fn or_first(said: u32) -> u32 {
    if said == 0 { FIRST } else { said }
}

/// The version of the cluster that a snapshot is of.
pub(super) fn of_snapshot(meta: &SnapshotMeta) -> u32 {
    or_first(meta.cluster_version)
}

/// The version that an ordinary entry says; 0 if none. What else is in it is not looked at: bytes that are
/// no batch are found where they are applied.
pub(super) fn of_entry(data: &[u8]) -> u32 {
    BatchVersion::decode(data).map_or(0, |it| it.cluster_version)
}

/// The newest version that a peer's message needs, and at which index; nothing where it does not say.
pub(super) fn of_message(message: &RaftMessage) -> Option<(u64, u32)> {
    let entries = message.entries.iter().filter(|entry| entry.kind == 0);
    let of_entries = entries.map(|entry| (entry.index, of_entry(&entry.data)));
    let snapshot = message.snapshot.as_ref();
    let of_snapshot = snapshot.and_then(|header| {
        let meta = SnapshotMeta::decode(header.meta.clone()).ok()?;
        Some((header.index, meta.cluster_version))
    });
    of_entries.chain(of_snapshot).max_by_key(|(_, version)| *version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::turnwise::{
        log::v1::Batch,
        peer::v1::{RaftEntry, SnapshotHeader},
    };

    fn entry(index: u64, cluster_version: u32) -> RaftEntry {
        let commands = vec![vec![7; 100].into(); 3];
        let batch = Batch { stamp_us: 1, commands, cluster_version, ..Batch::default() };
        RaftEntry { index, data: batch.encode_to_vec().into(), ..RaftEntry::default() }
    }

    #[test]
    fn what_a_message_needs_is_the_most_that_any_part_of_it_needs() {
        let change = RaftEntry { kind: 1, ..entry(9, 9) };
        let entries = vec![entry(4, 2), entry(5, 3), entry(6, 0), change];
        let message = RaftMessage { entries, ..RaftMessage::default() };
        assert_eq!(of_message(&message), Some((5, 3)), "a membership change says nothing");
        let meta = SnapshotMeta { cluster_version: 4, ..SnapshotMeta::default() };
        let meta = meta.encode_to_vec().into();
        let snapshot = Some(SnapshotHeader { index: 12, term: 1, meta });
        assert_eq!(of_message(&RaftMessage { snapshot, ..message }), Some((12, 4)));
        assert_eq!(of_message(&RaftMessage::default()), None);
    }

    #[test]
    fn who_does_not_say_is_of_the_first() {
        assert_eq!(Versions::of(&Hello::default()), Versions::FIRST);
        assert_eq!(of_snapshot(&SnapshotMeta::default()), FIRST);
        assert_eq!(of_entry(b"no batch"), 0);
    }
}
