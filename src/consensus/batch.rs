//! One entry's data: what waited when the leader drained its queue, and the stamp it got.
//!
//! Knows commands as bytes. Packing never drops a command: what does not fit goes into the next entry.

use bytes::Bytes;
use prost::Message as _;

use super::{
    entry::{Entry, Incarnation, NodeId},
    fault::Fault,
    input::{Proposal, ProposalId},
};
use crate::proto::turnwise::log::v1::{Batch, MemberRecord};

/// Room for the stamp and the framing of one command in an encoded batch.
const STAMP_LEN: usize = 9;
const COMMAND_FRAME_LEN: usize = 6;

/// The longest command that an entry can carry, in bytes.
pub const COMMAND_LEN_MAX: usize = Entry::DATA_LEN_MAX - STAMP_LEN - COMMAND_FRAME_LEN;

/// One entry's worth of proposals.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) data: Bytes,
    pub(super) proposals: Vec<ProposalId>,
}

/// Packs proposals in order into as few entries as fit. Each command is at most [`COMMAND_LEN_MAX`].
pub(super) fn pack(stamp_us: u64, proposals: Vec<Proposal>) -> Vec<Packed> {
    let mut packed = Vec::new();
    let mut batch = Batch { stamp_us, ..Batch::default() };
    let mut ids = Vec::with_capacity(proposals.len());
    let mut len = STAMP_LEN;
    for proposal in proposals {
        let added = proposal.command.len() + COMMAND_FRAME_LEN;
        if len + added > Entry::DATA_LEN_MAX && !ids.is_empty() {
            let commands = std::mem::take(&mut batch.commands);
            let full = Batch { stamp_us, commands, ..Batch::default() };
            packed.push(Packed {
                data: full.encode_to_vec().into(),
                proposals: std::mem::take(&mut ids),
            });
            len = STAMP_LEN;
        }
        len += added;
        ids.push(proposal.id);
        batch.commands.push(proposal.command);
    }
    if !ids.is_empty() {
        packed.push(Packed { data: batch.encode_to_vec().into(), proposals: ids });
    }
    packed
}

/// What an entry carries; nothing, if it has no data: what a new leader commits first.
pub(super) fn read(index: u64, data: Bytes) -> Result<Batch, Fault> {
    Batch::decode(data).map_err(|source| Fault::Entry { index, source })
}

pub(super) fn member_records(stamp_us: u64, seen: &[(NodeId, Incarnation)]) -> Bytes {
    let member_records = seen.iter().copied().map(member_record).collect();
    Batch { stamp_us, member_records, ..Batch::default() }.encode_to_vec().into()
}

pub(super) fn member_record((node, incarnation): (NodeId, Incarnation)) -> MemberRecord {
    MemberRecord { node_id: node.0, incarnation: incarnation.0.to_be_bytes().to_vec().into() }
}

pub(super) fn read_member_record(record: &MemberRecord) -> Option<(NodeId, Incarnation)> {
    let bytes: [u8; 16] = record.incarnation.as_ref().try_into().ok()?;
    Some((NodeId(record.node_id), Incarnation(u128::from_be_bytes(bytes))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposals(lens: &[usize]) -> Vec<Proposal> {
        (0..)
            .zip(lens)
            .map(|(id, &len)| Proposal { id: ProposalId(id), command: vec![7; len].into() })
            .collect()
    }

    #[test]
    fn batches_are_cut_at_the_entry_limit_and_lose_nothing() {
        for lens in [
            vec![1],
            vec![COMMAND_LEN_MAX],
            vec![COMMAND_LEN_MAX, 1, COMMAND_LEN_MAX],
            vec![300_000, 200_000, 30_000, 5, 500_000],
            vec![10; 100_000],
        ] {
            let packed = pack(5, proposals(&lens));
            let mut ids = Vec::new();
            let mut read = Vec::new();
            for one in packed {
                assert!(one.data.len() <= Entry::DATA_LEN_MAX, "{} bytes", one.data.len());
                let batch = Batch::decode(one.data).unwrap();
                assert_eq!(batch.stamp_us, 5);
                assert_eq!(batch.commands.len(), one.proposals.len());
                read.extend(batch.commands.iter().map(Bytes::len));
                ids.extend(one.proposals.iter().map(|id| id.0));
            }
            assert_eq!(read, lens);
            assert!(ids.into_iter().eq(0..u64::try_from(lens.len()).unwrap()));
        }
    }
}
