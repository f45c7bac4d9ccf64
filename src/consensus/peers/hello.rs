//! Who may talk to whom: the handshake of two nodes, and its refusals.
//!
//! Checked on both sides of every stream and of every snapshot transfer: protocol version, cluster,
//! group, membership, and that the data directory is the one recorded for the node id. A node whose
//! directory was emptied draws a new incarnation and so is refused for ever under its old id: it may
//! have forgotten a vote or an acknowledgement.

use bytes::Bytes;
use tonic::{Code, Status};

use super::PeerView;
use crate::{
    consensus::{Incarnation, NodeId},
    planted::{self, Bug},
    proto::turnwise::peer::v1::Hello,
};

/// The one version of this protocol so far.
pub const PROTOCOL_VERSION: u32 = 1;
const GROUP_ID: u64 = 1;

/// The header in which a refusal says which check failed.
const REFUSAL_KEY: &str = "turnwise-refusal";
const INCARNATION: &str = "incarnation";

/// Who this node is.
#[derive(Debug, Clone)]
pub struct Local {
    /// 128 random bits that all members share.
    pub cluster_id: u128,
    /// This node.
    pub node_id: NodeId,
    /// Of its data directory.
    pub incarnation: Incarnation,
}

impl Local {
    /// What this node says of itself to `to`.
    #[must_use]
    pub fn hello(&self, to: NodeId, view: &PeerView, wall_us: u64) -> Hello {
        Hello {
            protocol_version: PROTOCOL_VERSION,
            cluster_id: Bytes::copy_from_slice(&self.cluster_id.to_be_bytes()),
            node_id: self.node_id.0,
            incarnation: Bytes::copy_from_slice(&self.incarnation.0.to_be_bytes()),
            group_id: GROUP_ID,
            to_node_id: to.0,
            wall_clock_us: wall_us,
            last_index: view.last_index,
        }
    }

    /// Whether the speaker of `hello` is a member of our cluster, with the data that we know of.
    ///
    /// # Errors
    /// `FAILED_PRECONDITION` with the check that failed.
    pub fn check(&self, hello: &Hello, view: &PeerView) -> Result<(NodeId, Incarnation), Status> {
        if hello.protocol_version != PROTOCOL_VERSION {
            return Err(refusal(
                "version",
                format!(
                    "node {} speaks peer protocol {PROTOCOL_VERSION}, not {}",
                    self.node_id, hello.protocol_version
                ),
            ));
        }
        if read_u128(&hello.cluster_id) != Some(self.cluster_id) || hello.group_id != GROUP_ID {
            return Err(refusal(
                "cluster",
                format!(
                    "node {} is of cluster {:032x}; check cluster_id and members on both sides",
                    self.node_id, self.cluster_id
                ),
            ));
        }
        if hello.to_node_id != self.node_id.0 {
            return Err(refusal(
                "address",
                format!(
                    "this is node {}, not node {}; check the addresses in members",
                    self.node_id, hello.to_node_id
                ),
            ));
        }
        let peer = NodeId(hello.node_id);
        let incarnation = read_u128(&hello.incarnation)
            .map(Incarnation)
            .ok_or_else(|| refusal("version", "incarnation is not 16 bytes".to_owned()))?;
        self.check_member(peer, incarnation, view)?;
        Ok((peer, incarnation))
    }

    /// Whether `peer` is a member, with the data directory that is recorded for it, if any is.
    ///
    /// # Errors
    /// `FAILED_PRECONDITION` with the check that failed.
    pub fn check_member(
        &self,
        peer: NodeId,
        incarnation: Incarnation,
        view: &PeerView,
    ) -> Result<(), Status> {
        let Some(recorded) = view.members.get(&peer) else {
            return Err(refusal(
                "member",
                format!("node {peer} is not a member of cluster {:032x}", self.cluster_id),
            ));
        };
        if recorded.is_some_and(|recorded| recorded != incarnation)
            && !planted::is(Bug::EmptyDiskRejoins)
        {
            return Err(refusal(
                INCARNATION,
                format!(
                    "the data directory of node {peer} is not the one that this cluster knows: it \
                     was emptied or replaced, and what it acknowledged is lost. A node id is never \
                     used again after that. Put the old directory back under --data-dir, or leave \
                     this node stopped and add one under a new node id"
                ),
            ));
        }
        Ok(())
    }
}

fn refusal(check: &'static str, message: String) -> Status {
    let mut status = Status::new(Code::FailedPrecondition, message);
    status.metadata_mut().insert(REFUSAL_KEY, check.parse().expect("a refusal is a plain word"));
    status
}

/// Whether a refusal is for good: the peer knows another data directory under our id.
#[must_use]
pub fn is_final(status: &Status) -> bool {
    status.metadata().get(REFUSAL_KEY).is_some_and(|check| check == INCARNATION)
}

pub(super) fn read_u128(bytes: &[u8]) -> Option<u128> {
    bytes.try_into().ok().map(u128::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use super::*;

    fn local(node: u64, cluster_id: u128, incarnation: u128) -> Local {
        Local { cluster_id, node_id: NodeId(node), incarnation: Incarnation(incarnation) }
    }

    fn view() -> PeerView {
        let members = [(1, Some(11)), (2, Some(12)), (3, None)];
        let members: BTreeMap<_, _> =
            members.map(|(id, i)| (NodeId(id), i.map(Incarnation))).into_iter().collect();
        PeerView { members: Arc::new(members), ..PeerView::default() }
    }

    fn refused(speaker: &Local, to: u64) -> String {
        let hello = speaker.hello(NodeId(to), &PeerView::default(), 0);
        let status = local(1, 7, 11).check(&hello, &view()).unwrap_err();
        status.metadata().get(REFUSAL_KEY).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn a_member_with_the_data_that_is_known_is_welcome() {
        for (node, incarnation) in [(2, 12), (3, 99)] {
            let hello = local(node, 7, incarnation).hello(NodeId(1), &PeerView::default(), 0);
            let seen = local(1, 7, 11).check(&hello, &view()).unwrap();
            assert_eq!(seen, (NodeId(node), Incarnation(incarnation)));
        }
    }

    #[test]
    fn others_are_refused_with_the_check_that_failed() {
        assert_eq!(refused(&local(2, 8, 12), 1), "cluster");
        assert_eq!(refused(&local(2, 7, 12), 3), "address");
        assert_eq!(refused(&local(4, 7, 12), 1), "member");
        assert_eq!(refused(&local(2, 7, 13), 1), "incarnation");
    }

    #[test]
    fn who_was_welcome_before_a_record_was_known_is_not_any_more_where_it_says_otherwise() {
        let nothing_recorded: BTreeMap<_, _> = [(NodeId(2), None)].into_iter().collect();
        let before = PeerView { members: Arc::new(nothing_recorded), ..PeerView::default() };
        let hello = local(2, 7, 99).hello(NodeId(1), &PeerView::default(), 0);
        let here = local(1, 7, 11);
        let (peer, incarnation) = here.check(&hello, &before).unwrap();
        here.check_member(peer, incarnation, &before).unwrap();
        assert!(is_final(&here.check_member(peer, incarnation, &view()).unwrap_err()));
        here.check_member(peer, Incarnation(12), &view()).unwrap();
    }

    /// Version 1, as it was first written: what a newer node must be able to answer.
    #[test]
    fn the_golden_file_of_version_1_reads_and_writes_as_ever() {
        let view = PeerView { last_index: 300, ..PeerView::default() };
        let hello = local(1, 7 << 120, 11 << 64).hello(NodeId(2), &view, 1_800_000_000_000_000);
        let golden = include_bytes!("../../../tests/golden/hello-v1.bin");
        assert_eq!(prost::Message::encode_to_vec(&hello), golden, "new bytes need a new version");
        let read: Hello = prost::Message::decode(&golden[..]).unwrap();
        assert_eq!(read, hello);
    }
}
