//! The one place where raft-rs's protobuf types meet ours.
//!
//! Nothing outside this file builds or reads an `eraftpb` message from network or disk bytes, so
//! protobuf 2.28 never parses one (RUSTSEC-2024-0437). What a peer must not send is refused here.

use bytes::Bytes;
use prost::Message as _;
use raft::eraftpb::{self, ConfState, EntryType, MessageType, Snapshot};

use super::{
    batch::{self, ChangeEntry},
    entry::{Entry, EntryKind, HardState},
    membership::Step,
    storage::SnapshotRef,
};
use crate::{
    planted::{self, Bug},
    proto::turnwise::{
        log::v1::SnapshotMeta,
        peer::v1::{RaftEntry, RaftMessage, RaftMessageType, SnapshotHeader},
    },
};

/// Why a message of a peer was not stepped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadMessage {
    /// Unknown, or one that only a node says to itself.
    #[error("message type {0} is not for peers")]
    Type(i32),
    /// Not a member, or not the one whose stream it came on.
    #[error("sender {0} is not whom it should be")]
    Sender(u64),
    /// Meant for somebody else.
    #[error("message is for node {0}")]
    Receiver(u64),
    /// An entry of a kind that this version does not write.
    #[error("entry kind {0} is unknown")]
    EntryKind(u32),
    /// Entries do not follow one another.
    #[error("entries have a gap at index {0}")]
    Gap(u64),
    /// A heartbeat that commits what is not in the log.
    #[error("commit {commit} is beyond the log's end {last_index}")]
    CommitBeyondLog {
        /// As claimed.
        commit: u64,
        /// The log's end.
        last_index: u64,
    },
    /// A snapshot message without a readable header.
    #[error("snapshot header is missing or damaged")]
    SnapshotHeader,
    /// A read index without exactly one context.
    #[error("read index carries {0} contexts")]
    ReadContexts(usize),
}

pub(super) fn entry_to_raft(entry: &Entry) -> eraftpb::Entry {
    let mut out = eraftpb::Entry::default();
    out.index = entry.index;
    out.term = entry.term;
    out.set_entry_type(match entry.kind {
        EntryKind::Normal => EntryType::EntryNormal,
        EntryKind::ConfChange => EntryType::EntryConfChange,
        EntryKind::ConfChangeV2 => EntryType::EntryConfChangeV2,
    });
    out.data = entry.data.clone();
    out
}

pub(super) fn entry_from_raft(entry: &eraftpb::Entry) -> Entry {
    Entry {
        index: entry.index,
        term: entry.term,
        kind: match entry.get_entry_type() {
            EntryType::EntryNormal => EntryKind::Normal,
            EntryType::EntryConfChange => EntryKind::ConfChange,
            EntryType::EntryConfChangeV2 => EntryKind::ConfChangeV2,
        },
        data: entry.data.clone(),
    }
}

pub(super) fn hard_state_to_raft(hard_state: HardState) -> eraftpb::HardState {
    let mut out = eraftpb::HardState::default();
    out.term = hard_state.term;
    out.vote = hard_state.vote;
    out.commit = hard_state.commit;
    out
}

pub(super) fn hard_state_from_raft(hard_state: &eraftpb::HardState) -> HardState {
    let vote = if planted::is(Bug::VoteNotPersisted) { 0 } else { hard_state.vote };
    HardState { term: hard_state.term, vote, commit: hard_state.commit }
}

/// What raft-rs is told of a membership change.
pub(super) fn change_to_raft(change: &ChangeEntry) -> eraftpb::ConfChange {
    let mut out = eraftpb::ConfChange::default();
    out.set_change_type(match change.step {
        Step::AddLearner { .. } => eraftpb::ConfChangeType::AddLearnerNode,
        Step::Promote => eraftpb::ConfChangeType::AddNode,
        Step::Remove => eraftpb::ConfChangeType::RemoveNode,
    });
    out.node_id = change.node.0;
    out.context = batch::change_context(change);
    out
}

pub(super) fn conf_state(meta: &SnapshotMeta) -> ConfState {
    let mut out = ConfState::default();
    out.voters = meta.voters.clone();
    out.learners = meta.learners.clone();
    out
}

pub(super) fn snapshot_to_raft(snapshot: &SnapshotRef) -> Snapshot {
    let mut out = Snapshot::default();
    out.data = snapshot.meta.clone();
    let metadata = out.mut_metadata();
    metadata.index = snapshot.index;
    metadata.term = snapshot.term;
    metadata.set_conf_state(snapshot.conf_state.clone());
    out
}

/// Reads a snapshot's reference out of what raft-rs handed back.
pub(super) fn snapshot_from_raft(snapshot: &Snapshot) -> SnapshotRef {
    let metadata = snapshot.get_metadata();
    SnapshotRef {
        index: metadata.index,
        term: metadata.term,
        conf_state: metadata.get_conf_state().clone(),
        meta: snapshot.data.clone(),
    }
}

const TYPES: [(MessageType, RaftMessageType); 12] = [
    (MessageType::MsgAppend, RaftMessageType::Append),
    (MessageType::MsgAppendResponse, RaftMessageType::AppendResponse),
    (MessageType::MsgRequestVote, RaftMessageType::RequestVote),
    (MessageType::MsgRequestVoteResponse, RaftMessageType::RequestVoteResponse),
    (MessageType::MsgSnapshot, RaftMessageType::Snapshot),
    (MessageType::MsgHeartbeat, RaftMessageType::Heartbeat),
    (MessageType::MsgHeartbeatResponse, RaftMessageType::HeartbeatResponse),
    (MessageType::MsgTimeoutNow, RaftMessageType::TimeoutNow),
    (MessageType::MsgReadIndex, RaftMessageType::ReadIndex),
    (MessageType::MsgReadIndexResp, RaftMessageType::ReadIndexResponse),
    (MessageType::MsgRequestPreVote, RaftMessageType::RequestPreVote),
    (MessageType::MsgRequestPreVoteResponse, RaftMessageType::RequestPreVoteResponse),
];

/// `None` for what is never sent to a peer.
pub(super) fn message_from_raft(mut message: eraftpb::Message) -> Option<RaftMessage> {
    let raft_type = message.get_msg_type();
    let (_, kind) = TYPES.iter().find(|(raft, _)| *raft == raft_type)?;
    let snapshot = (raft_type == MessageType::MsgSnapshot).then(|| SnapshotHeader {
        index: message.get_snapshot().get_metadata().index,
        term: message.get_snapshot().get_metadata().term,
        meta: message.get_snapshot().data.clone(),
    });
    Some(RaftMessage {
        r#type: i32::from(*kind),
        to: message.to,
        from: message.from,
        term: message.term,
        log_term: message.log_term,
        index: message.index,
        entries: message
            .take_entries()
            .into_iter()
            .map(|entry| RaftEntry {
                kind: u32::from(entry.get_entry_type() != EntryType::EntryNormal),
                term: entry.term,
                index: entry.index,
                data: entry.data,
            })
            .collect(),
        commit: message.commit,
        commit_term: message.commit_term,
        reject: message.reject,
        reject_hint: message.reject_hint,
        context: message.context,
        request_snapshot: message.request_snapshot,
        priority: message.priority,
        snapshot,
    })
}

/// Refuses whatever raft-rs would take from its own node only, or would panic on.
pub(super) fn message_to_raft(
    message: RaftMessage,
    me: u64,
    last_index: u64,
) -> Result<eraftpb::Message, BadMessage> {
    let kind =
        RaftMessageType::try_from(message.r#type).map_err(|_| BadMessage::Type(message.r#type))?;
    let (raft_type, _) =
        TYPES.iter().find(|(_, ours)| *ours == kind).ok_or(BadMessage::Type(message.r#type))?;
    if message.to != me {
        return Err(BadMessage::Receiver(message.to));
    }
    if kind == RaftMessageType::Heartbeat && message.commit > last_index {
        return Err(BadMessage::CommitBeyondLog { commit: message.commit, last_index });
    }
    let is_read = matches!(kind, RaftMessageType::ReadIndex | RaftMessageType::ReadIndexResponse);
    if is_read && message.entries.len() != 1 {
        return Err(BadMessage::ReadContexts(message.entries.len()));
    }
    let mut out = eraftpb::Message::default();
    let mut expected = message.index;
    let mut entries = Vec::with_capacity(message.entries.len());
    for entry in message.entries {
        expected = expected.wrapping_add(1);
        if kind == RaftMessageType::Append && entry.index != expected {
            return Err(BadMessage::Gap(entry.index));
        }
        let mut raft_entry = eraftpb::Entry::default();
        raft_entry.set_entry_type(match entry.kind {
            0 => EntryType::EntryNormal,
            1 => EntryType::EntryConfChange,
            other => return Err(BadMessage::EntryKind(other)),
        });
        raft_entry.term = entry.term;
        raft_entry.index = entry.index;
        raft_entry.data = entry.data;
        entries.push(raft_entry);
    }
    out.set_msg_type(*raft_type);
    out.to = message.to;
    out.from = message.from;
    out.term = message.term;
    out.log_term = message.log_term;
    out.index = message.index;
    out.set_entries(entries.into());
    out.commit = message.commit;
    out.commit_term = message.commit_term;
    out.reject = message.reject;
    out.reject_hint = message.reject_hint;
    out.context = message.context;
    out.request_snapshot = message.request_snapshot;
    out.priority = message.priority;
    if kind == RaftMessageType::Snapshot {
        // One of index 0 holds nothing, and is nobody's to send.
        let header = message.snapshot.filter(|it| it.index > 0);
        let header = header.ok_or(BadMessage::SnapshotHeader)?;
        out.set_snapshot(snapshot_to_raft(&snapshot_ref(header.index, header.term, header.meta)?));
    }
    Ok(out)
}

/// Reads the configuration out of a snapshot's meta bytes. Only the one at index 0, of a node that was just
/// admitted, has nobody in it.
pub(super) fn snapshot_ref(index: u64, term: u64, meta: Bytes) -> Result<SnapshotRef, BadMessage> {
    let decoded = SnapshotMeta::decode(meta.clone()).map_err(|_| BadMessage::SnapshotHeader)?;
    let (voters, learners) = (&decoded.voters, &decoded.learners);
    let is_set = |ids: &[u64]| ids.first() != Some(&0) && ids.is_sorted_by(|a, b| a < b);
    let sound =
        is_set(voters) && is_set(learners) && !learners.iter().any(|id| voters.contains(id));
    if !sound || (index == 0) != voters.is_empty() {
        return Err(BadMessage::SnapshotHeader);
    }
    Ok(SnapshotRef { index, term, conf_state: conf_state(&decoded), meta })
}
