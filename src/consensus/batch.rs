//! One entry's data: what waited when the leader drained its queue, and the stamp it got.
//!
//! Knows commands as bytes. Packing never drops a command: what does not fit goes into the next entry.

use bytes::Bytes;
use prost::Message as _;

use super::{
    entry::{Entry, EntryKind, NodeId},
    fault::Fault,
    input::{Proposal, ProposalId},
    membership::{self, OpenToken, Record, Step, TokenHash},
};
use crate::proto::turnwise::log::v1::{Batch, ConfChange, MemberChange, MemberRecord, NodeMark};

/// Room for the stamp, of 9 bytes, and the version, of 6, in an encoded batch.
const HEAD_LEN: usize = 15;
/// Room for the framing of one command.
const COMMAND_FRAME_LEN: usize = 6;
/// The framing of one mark, which has less than 128 bytes.
const MARK_FRAME_LEN: usize = 2;

/// The longest command that an entry can carry, in bytes.
pub const COMMAND_LEN_MAX: usize = Entry::DATA_LEN_MAX - HEAD_LEN - COMMAND_FRAME_LEN;

/// One entry's worth of proposals.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) data: Bytes,
    pub(super) proposals: Vec<ProposalId>,
}

/// Packs proposals in order into as few entries as fit. Each command is at most [`COMMAND_LEN_MAX`]. The marks go
/// into the first entry, if they fit there.
pub(super) fn pack(
    stamp_us: u64,
    cluster_version: u32,
    marks: Vec<NodeMark>,
    proposals: Vec<Proposal>,
) -> Vec<Packed> {
    let mut packed = Vec::new();
    let empty = || Batch { stamp_us, cluster_version, ..Batch::default() };
    let mut batch = empty();
    let mut ids = Vec::with_capacity(proposals.len());
    let mut len = HEAD_LEN;
    let marks_len: usize = marks.iter().map(|mark| mark.encoded_len() + MARK_FRAME_LEN).sum();
    let first = proposals.first().map_or(0, |it| it.command.len() + COMMAND_FRAME_LEN);
    if HEAD_LEN + marks_len + first <= Entry::DATA_LEN_MAX {
        len += marks_len;
        batch.marks = marks;
    }
    for proposal in proposals {
        let added = proposal.command.len() + COMMAND_FRAME_LEN;
        if len + added > Entry::DATA_LEN_MAX && !ids.is_empty() {
            let full = std::mem::replace(&mut batch, empty());
            packed.push(Packed {
                data: full.encode_to_vec().into(),
                proposals: std::mem::take(&mut ids),
            });
            len = HEAD_LEN;
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

/// The same for an entry of any kind, for whoever wants the commands only.
pub(super) fn read_any(entry: &Entry) -> Result<Batch, Fault> {
    let &Entry { index, kind, ref data, .. } = entry;
    match kind {
        EntryKind::Normal => read(index, data.clone()),
        EntryKind::ConfChange => {
            let stamp_us = read_change(index, data.clone())?.stamp_us;
            Ok(Batch { stamp_us, ..Batch::default() })
        }
        EntryKind::ConfChangeV2 => Err(Fault::UnknownEntry { index }),
    }
}

/// An entry that raises the cluster to a version, and does nothing else.
pub(super) fn raise(stamp_us: u64, cluster_version: u32) -> Bytes {
    Batch { stamp_us, cluster_version, ..Batch::default() }.encode_to_vec().into()
}

pub(super) fn member_records(stamp_us: u64, member_records: Vec<MemberRecord>) -> Bytes {
    Batch { stamp_us, member_records, ..Batch::default() }.encode_to_vec().into()
}

/// An entry that says what nodes hold, and nothing else.
pub(super) fn marks(stamp_us: u64, marks: Vec<NodeMark>) -> Bytes {
    Batch { stamp_us, marks, ..Batch::default() }.encode_to_vec().into()
}

pub(super) fn join_token(stamp_us: u64, hash: TokenHash, token: &OpenToken) -> Bytes {
    let join_tokens = vec![membership::written_token(hash, token)];
    Batch { stamp_us, join_tokens, ..Batch::default() }.encode_to_vec().into()
}

/// A membership change as an entry holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChangeEntry {
    pub(super) stamp_us: u64,
    pub(super) node: NodeId,
    pub(super) step: Step,
}

/// The numbers of raft-rs's `ConfChangeType`.
pub(super) const ADD_NODE: u32 = 0;
pub(super) const REMOVE_NODE: u32 = 1;
pub(super) const ADD_LEARNER: u32 = 2;

/// An entry of one step, taken apart by our own decoder: what peers and disks give reaches no other.
pub(super) fn read_change(index: u64, data: Bytes) -> Result<ChangeEntry, Fault> {
    let failed = |source| Fault::Entry { index, source };
    let change = ConfChange::decode(data).map_err(failed)?;
    let MemberChange { stamp_us, record, token_hash } =
        MemberChange::decode(change.context).map_err(failed)?;
    let step = match change.change_type {
        ADD_NODE => Step::Promote,
        REMOVE_NODE => Step::Remove,
        ADD_LEARNER => Step::AddLearner {
            record: record.as_ref().map_or_else(Record::default, |it| membership::read(it).1),
            token: token_hash.as_ref().try_into().ok().map(TokenHash),
        },
        _ => return Err(Fault::UnknownEntry { index }),
    };
    Ok(ChangeEntry { stamp_us, node: NodeId(change.node_id), step })
}

/// The context of a membership change.
pub(super) fn change_context(change: &ChangeEntry) -> Bytes {
    let ChangeEntry { stamp_us, node, ref step } = *change;
    let (record, token_hash) = match step {
        Step::AddLearner { record, token } => {
            let hash = token.map(|token| token.0.to_vec()).unwrap_or_default();
            (Some(membership::written(node, record)), hash.into())
        }
        Step::Promote | Step::Remove => (None, Bytes::new()),
    };
    MemberChange { stamp_us, record, token_hash }.encode_to_vec().into()
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
            let mark = NodeMark { node_id: u64::MAX, log_index: u64::MAX, term: u64::MAX };
            let marks = vec![mark; 7];
            let packed = pack(5, u32::MAX, marks.clone(), proposals(&lens));
            let mut put = Vec::new();
            let mut ids = Vec::new();
            let mut read = Vec::new();
            for one in packed {
                assert!(one.data.len() <= Entry::DATA_LEN_MAX, "{} bytes", one.data.len());
                let batch = Batch::decode(one.data).unwrap();
                assert_eq!((batch.stamp_us, batch.cluster_version), (5, u32::MAX));
                assert_eq!(batch.commands.len(), one.proposals.len());
                read.extend(batch.commands.iter().map(Bytes::len));
                ids.extend(one.proposals.iter().map(|id| id.0));
                put.extend(batch.marks);
            }
            assert_eq!(read, lens);
            let have_room = lens.first() != Some(&COMMAND_LEN_MAX);
            assert_eq!(put, if have_room { marks } else { Vec::new() }, "{:?}", lens.first());
            assert!(ids.into_iter().eq(0..u64::try_from(lens.len()).unwrap()));
        }
    }
}
