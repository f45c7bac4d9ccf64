//! Who is and who was in the cluster, and which join tokens are open: what each entry of the log does to
//! that.
//!
//! Pure, and the same on every node: it rests on committed entries and their stamps alone. It knows nothing
//! of raft-rs; that the change comes to its configuration too is `node`'s affair. Node ids are never used
//! again, so a record is for ever.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter,
};

use subtle::ConstantTimeEq as _;

use super::{
    entry::{Incarnation, NodeId},
    marks::{self, Marks},
};
use crate::{
    planted::{self, Bug},
    proto::turnwise::log::v1::{Batch, JoinToken, MemberRecord, SnapshotMeta},
};

/// How long a spent token is known after its time would have been over: longer than any call goes on.
const SPENT_KEPT_US: u64 = 10 * 60 * 1_000_000;
/// Join tokens that may be open at a time.
pub const JOIN_TOKENS_MAX: usize = 16;

/// SHA-256 of a join token's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash(pub [u8; 32]);

/// What the cluster knows of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Its data directory; `None` = not recorded yet.
    pub incarnation: Option<Incarnation>,
    /// Where it serves the other nodes, `host:port`; empty = not known.
    pub peer_address: String,
    /// Where it serves clients, `host:port`; empty = not known.
    pub client_address: String,
    /// It never comes back.
    pub removed: bool,
    /// In whose place it came.
    pub replaces: Option<NodeId>,
    /// It is that one's machine, whose data was damaged: that one is not heard any more.
    pub rejoined: bool,
    /// Leader time when it was admitted, microseconds since the Unix epoch; 0 = a founder.
    pub admitted_us: u64,
}

/// A token that admits one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenToken {
    /// From when on it does not: leader time, microseconds since the Unix epoch.
    pub expires_us: u64,
    /// Whose place is taken.
    pub replaces: Option<NodeId>,
}

/// One step of a change of the members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A new node follows, without a vote.
    AddLearner {
        /// Its record.
        record: Record,
        /// The token that is spent.
        token: Option<TokenHash>,
    },
    /// A learner votes from now on.
    Promote,
    /// A member is one no more.
    Remove,
}

/// What a node is to this one, as far as this one has read the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A member.
    Member,
    /// A member still, but what it acknowledged is lost: its machine came back under another id.
    Lost,
    /// Not known; its id is greater than any known one, so it may have been admitted since.
    Newer,
    /// It was removed.
    Removed,
    /// Never one.
    Stranger,
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Membership {
    voters: BTreeSet<NodeId>,
    learners: BTreeSet<NodeId>,
    records: BTreeMap<NodeId, Record>,
    tokens: BTreeMap<TokenHash, OpenToken>,
    /// Those that have admitted their node, and until when that is known. Who creates a token and hears nothing
    /// does so again with the same hash: where that comes behind the node, it opens nothing.
    spent: BTreeMap<TokenHash, u64>,
    /// Of members.
    marks: Marks,
}

impl Membership {
    /// As a snapshot tells.
    #[must_use]
    pub fn of(meta: &SnapshotMeta) -> Self {
        let ids = |list: &[u64]| list.iter().copied().map(NodeId).collect();
        let mut membership =
            Self { voters: ids(&meta.voters), learners: ids(&meta.learners), ..Self::default() };
        for record in &meta.member_records {
            membership.note(record);
        }
        let (spent, open): (Vec<_>, Vec<_>) = meta.join_tokens.iter().partition(|it| it.spent);
        membership.tokens.extend(open.into_iter().filter_map(read_token));
        let spent = spent.into_iter().filter_map(read_token);
        membership.spent.extend(spent.map(|(hash, token)| (hash, token.expires_us)));
        membership.marks = Marks::read(&meta.marks);
        membership
    }

    /// Puts itself into a snapshot's meta, in ascending order.
    pub fn write(&self, meta: &mut SnapshotMeta) {
        let ids = |set: &BTreeSet<NodeId>| set.iter().map(|id| id.0).collect();
        meta.voters = ids(&self.voters);
        meta.learners = ids(&self.learners);
        meta.member_records = self.records.iter().map(|(id, it)| written(*id, it)).collect();
        let open = self.tokens.iter().map(|(hash, it)| written_token(*hash, it));
        let spent = self.spent.iter().map(|(hash, until)| {
            let token = OpenToken { expires_us: *until, replaces: None };
            JoinToken { spent: true, ..written_token(*hash, &token) }
        });
        meta.join_tokens = open.chain(spent).collect();
        meta.marks = self.marks.iter().map(|(id, mark)| marks::written(id, mark)).collect();
    }

    /// Whether an ordinary entry does anything here. Nearly none does.
    pub(super) fn is_touched_by(&self, batch: &Batch) -> bool {
        self.tokens.values().any(|token| token.expires_us <= batch.stamp_us)
            || self.spent.values().any(|until| *until <= batch.stamp_us)
            || !batch.member_records.is_empty()
            || !batch.join_tokens.is_empty()
            || !batch.marks.is_empty()
    }

    /// What an ordinary entry does.
    pub(super) fn batch(&mut self, batch: &Batch) {
        self.tokens.retain(|_, token| token.expires_us > batch.stamp_us);
        self.spent.retain(|_, until| *until > batch.stamp_us);
        for record in &batch.member_records {
            self.note(record);
        }
        for (hash, token) in batch.join_tokens.iter().filter_map(read_token) {
            let is_open = token.expires_us > batch.stamp_us && !self.spent.contains_key(&hash);
            if is_open && self.tokens.len() < JOIN_TOKENS_MAX {
                self.tokens.insert(hash, token);
            }
        }
        for (node, mark) in batch.marks.iter().map(marks::read) {
            // It may have been removed since it was written.
            if self.voters.contains(&node) || self.learners.contains(&node) {
                self.marks.note(node, mark);
            }
        }
    }

    /// Notes what is not known of a node yet, and where it is now. Never another data directory.
    fn note(&mut self, record: &MemberRecord) {
        let (id, new) = read(record);
        let known = self.records.entry(id).or_insert_with(|| new.clone());
        let is_same = known.incarnation.is_none() || known.incarnation == new.incarnation;
        if !is_same || known.removed {
            return;
        }
        known.incarnation = known.incarnation.or(new.incarnation);
        for (known, new) in [
            (&mut known.peer_address, new.peer_address),
            (&mut known.client_address, new.client_address),
        ] {
            if !new.is_empty() {
                *known = new;
            }
        }
    }

    /// What a change does; false, and nothing is changed, where it has no place here.
    #[must_use]
    pub(super) fn change(&mut self, node: NodeId, step: &Step) -> bool {
        match step {
            Step::AddLearner { record, token } => {
                if node.0 == 0 || self.greatest() >= Some(node) {
                    return false;
                }
                let lost = record.replaces.filter(|_| record.rejoined);
                if lost.is_some_and(|lost| self.standing(lost) != Standing::Member) {
                    return false;
                }
                if let Some(token) = token
                    && !planted::is(Bug::TokenNotSpent)
                    && let Some(open) = self.tokens.remove(token)
                {
                    self.spent.insert(*token, open.expires_us.saturating_add(SPENT_KEPT_US));
                }
                self.learners.insert(node);
                self.records.insert(node, record.clone());
            }
            Step::Promote => {
                if !self.learners.remove(&node) {
                    return false;
                }
                self.voters.insert(node);
            }
            Step::Remove => {
                if self.is_last_voter(node) {
                    return false;
                }
                if !self.voters.remove(&node) && !self.learners.remove(&node) {
                    return false;
                }
                self.records.entry(node).or_default().removed = true;
                self.marks.forget(node);
            }
        }
        true
    }

    /// What its members are known to have on their disks.
    #[must_use]
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Those with a vote.
    #[must_use]
    pub fn voters(&self) -> &BTreeSet<NodeId> {
        &self.voters
    }

    /// Those without.
    #[must_use]
    pub fn learners(&self) -> &BTreeSet<NodeId> {
        &self.learners
    }

    /// All of them. On a node that was just admitted and has heard nothing yet: whoever it was told of.
    pub fn members(&self) -> impl Iterator<Item = NodeId> {
        let told = self.records.iter().filter(|(_, it)| self.voters.is_empty() && !it.removed);
        let all = self.voters.union(&self.learners).copied();
        all.chain(told.map(|(id, _)| *id))
    }

    /// What is known of a node, also of one that was removed.
    #[must_use]
    pub fn record(&self, node: NodeId) -> Option<&Record> {
        self.records.get(&node)
    }

    /// The data directory that is recorded for a node.
    #[must_use]
    pub fn incarnation(&self, node: NodeId) -> Option<Incarnation> {
        self.records.get(&node)?.incarnation
    }

    /// Whether this data directory is recorded for a node. Takes as long whatever is wrong about it.
    #[must_use]
    pub fn is_data_of(&self, node: NodeId, incarnation: Incarnation) -> bool {
        let recorded = self.incarnation(node);
        recorded.is_some_and(|it| it.0.to_be_bytes().ct_eq(&incarnation.0.to_be_bytes()).into())
    }

    /// Who has this data directory.
    #[must_use]
    pub fn node_of(&self, incarnation: Incarnation) -> Option<NodeId> {
        let same = |(_, it): &(&NodeId, &Record)| it.incarnation == Some(incarnation);
        self.records.iter().find(same).map(|(id, _)| *id)
    }

    /// As whom the machine of a node came back that lost its data.
    #[must_use]
    pub fn came_back_as(&self, node: NodeId) -> Option<NodeId> {
        let same = |(_, it): &(&NodeId, &Record)| it.rejoined && it.replaces == Some(node);
        self.records.iter().find(same).map(|(id, _)| *id)
    }

    /// As whom the machine of a node that lost its data is in the cluster now, however often it came back; `None`
    /// if it never did, or was removed since.
    #[must_use]
    pub fn lives_on_as(&self, node: NodeId) -> Option<NodeId> {
        // Whoever comes back gets a greater id, so this ends.
        let after = |by: &NodeId| self.came_back_as(*by).filter(|next| next > by);
        let last = iter::successors(self.came_back_as(node), after).last();
        last.filter(|by| !self.is_removed(*by))
    }

    /// Whether it was removed.
    #[must_use]
    pub fn is_removed(&self, node: NodeId) -> bool {
        self.records.get(&node).is_some_and(|record| record.removed)
    }

    /// Whether nobody would be left to vote without it.
    #[must_use]
    pub fn is_last_voter(&self, node: NodeId) -> bool {
        self.voters.len() == 1 && self.voters.contains(&node)
    }

    /// What a node is to this one.
    #[must_use]
    pub fn standing(&self, node: NodeId) -> Standing {
        let is_member = self.voters.contains(&node) || self.learners.contains(&node);
        match self.records.get(&node) {
            Some(record) if record.removed => Standing::Removed,
            _ if self.came_back_as(node).is_some() => Standing::Lost,
            _ if is_member => Standing::Member,
            Some(_) if self.voters.is_empty() => Standing::Member,
            Some(_) | None if self.greatest() < Some(node) => Standing::Newer,
            Some(_) | None => Standing::Stranger,
        }
    }

    /// The id of the next node that is admitted.
    #[must_use]
    pub fn next_id(&self) -> NodeId {
        NodeId(self.greatest().map_or(0, |id| id.0) + 1)
    }

    fn greatest(&self) -> Option<NodeId> {
        let last = [self.voters.last(), self.learners.last()];
        last.into_iter().flatten().chain(self.records.keys().next_back()).max().copied()
    }

    /// The open token with this hash, at this leader time.
    #[must_use]
    pub fn token(&self, hash: TokenHash, now_us: u64) -> Option<OpenToken> {
        // All of them are looked at, whichever it is.
        let same = |(open, token): (&TokenHash, &OpenToken)| {
            bool::from(open.0.ct_eq(&hash.0)).then_some(*token)
        };
        let token = self.tokens.iter().fold(None, |found, open| same(open).or(found));
        token.filter(|token| token.expires_us > now_us)
    }

    /// Whether a token with this hash has admitted its node.
    pub(super) fn is_spent(&self, hash: TokenHash) -> bool {
        self.spent.contains_key(&hash)
    }

    /// What a node is told that was just admitted: everybody's record, and where the leader finds them.
    #[must_use]
    pub fn introduction(&self, address_of: impl Fn(NodeId) -> Option<String>) -> Vec<MemberRecord> {
        let everybody: BTreeSet<NodeId> =
            self.members().chain(self.records.keys().copied()).collect();
        let record = |node: NodeId| {
            let mut record = self.records.get(&node).cloned().unwrap_or_default();
            if let Some(address) = address_of(node).filter(|address| !address.is_empty()) {
                record.peer_address = address;
            }
            written(node, &record)
        };
        everybody.into_iter().map(record).collect()
    }

    /// How many tokens are open at this leader time.
    #[must_use]
    pub fn open_tokens(&self, now_us: u64) -> usize {
        self.tokens.values().filter(|token| token.expires_us > now_us).count()
    }
}

pub(super) fn read(record: &MemberRecord) -> (NodeId, Record) {
    let incarnation = <[u8; 16]>::try_from(record.incarnation.as_ref()).ok();
    let read = Record {
        incarnation: incarnation.map(|bytes| Incarnation(u128::from_be_bytes(bytes))),
        peer_address: record.peer_address.clone(),
        client_address: record.client_address.clone(),
        removed: record.removed,
        replaces: NodeId::some(record.replaces_node_id),
        rejoined: record.rejoined,
        admitted_us: record.admitted_us,
    };
    (NodeId(record.node_id), read)
}

/// A record as it is written to the log, to snapshots and to a node that joins.
#[must_use]
pub fn written(node: NodeId, record: &Record) -> MemberRecord {
    let incarnation = record.incarnation.map(|it| it.0.to_be_bytes().to_vec());
    MemberRecord {
        node_id: node.0,
        incarnation: incarnation.unwrap_or_default().into(),
        peer_address: record.peer_address.clone(),
        client_address: record.client_address.clone(),
        removed: record.removed,
        replaces_node_id: record.replaces.map_or(0, |id| id.0),
        admitted_us: record.admitted_us,
        rejoined: record.rejoined,
    }
}

pub(super) fn written_token(hash: TokenHash, token: &OpenToken) -> JoinToken {
    JoinToken {
        hash: hash.0.to_vec().into(),
        expires_us: token.expires_us,
        replaces_node_id: token.replaces.map_or(0, |id| id.0),
        spent: false,
    }
}

fn read_token(token: &JoinToken) -> Option<(TokenHash, OpenToken)> {
    let hash = TokenHash(token.hash.as_ref().try_into().ok()?);
    let replaces = NodeId::some(token.replaces_node_id);
    Some((hash, OpenToken { expires_us: token.expires_us, replaces }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: TokenHash = TokenHash([7; 32]);

    fn three() -> Membership {
        Membership::of(&SnapshotMeta { voters: vec![1, 2, 3], ..SnapshotMeta::default() })
    }

    fn add() -> Step {
        let record = Record { incarnation: Some(Incarnation(9)), ..Record::default() };
        Step::AddLearner { record, token: Some(HASH) }
    }

    fn token(hash: TokenHash, expires_us: u64) -> Batch {
        let token = written_token(hash, &OpenToken { expires_us, replaces: None });
        Batch { stamp_us: 10, join_tokens: vec![token], ..Batch::default() }
    }

    fn again(membership: &Membership) -> Membership {
        let mut meta = SnapshotMeta::default();
        membership.write(&mut meta);
        Membership::of(&meta)
    }

    #[test]
    fn an_id_is_never_given_twice_also_after_a_snapshot() {
        let mut members = three();
        assert_eq!(members.next_id(), NodeId(4));
        assert!(members.change(NodeId(4), &add()));
        assert!(members.change(NodeId(4), &Step::Promote));
        assert!(members.change(NodeId(4), &Step::Remove));
        let mut members = again(&members);
        assert_eq!(members.next_id(), NodeId(5));
        assert_eq!(members.standing(NodeId(4)), Standing::Removed);
        assert!(!members.change(NodeId(4), &add()), "it was used");
        assert!(!members.change(NodeId(2), &add()), "it is used");
        assert!(!members.change(NodeId(0), &add()), "it is none");
    }

    #[test]
    fn a_step_that_has_no_place_changes_nothing() {
        let mut members = Membership::of(&SnapshotMeta { voters: vec![1], ..Default::default() });
        let before = members.clone();
        assert!(!members.change(NodeId(1), &Step::Remove), "nobody would be left");
        assert!(!members.change(NodeId(1), &Step::Promote));
        assert!(!members.change(NodeId(2), &Step::Remove));
        assert_eq!(members, before);
        assert!(members.change(NodeId(2), &add()));
        assert!(!members.change(NodeId(1), &Step::Remove), "a learner does not vote");
        assert!(members.change(NodeId(2), &Step::Remove));
    }

    #[test]
    fn a_token_is_spent_by_the_node_it_admits_and_gone_when_its_time_is_over() {
        let mut members = three();
        members.batch(&token(HASH, 50));
        assert!(again(&members).token(HASH, 49).is_some());
        assert!(members.token(HASH, 50).is_none(), "its time is over");
        assert!(members.token(TokenHash([8; 32]), 20).is_none());
        let mut spent = members.clone();
        assert!(spent.change(NodeId(4), &add()));
        assert!(spent.token(HASH, 20).is_none());
        members.batch(&Batch { stamp_us: 50, ..Batch::default() });
        assert_eq!(members, three());
    }

    #[test]
    fn a_spent_token_is_not_opened_again_by_who_has_not_heard_that_it_was_created() {
        let mut members = three();
        members.batch(&token(HASH, 50));
        assert!(members.change(NodeId(4), &add()) && members.is_spent(HASH));
        let mut members = again(&members);
        members.batch(&token(HASH, 70));
        assert!(members.token(HASH, 20).is_none() && members.is_spent(HASH));
        // It is forgotten when nobody asks any more.
        let forgotten = Batch { stamp_us: 50 + SPENT_KEPT_US, ..Batch::default() };
        assert!(members.is_touched_by(&forgotten));
        members.batch(&forgotten);
        assert!(!members.is_spent(HASH) && !members.is_touched_by(&forgotten));
    }

    #[test]
    fn open_tokens_are_bounded_and_expired_ones_make_room() {
        let mut members = three();
        for number in 0..20 {
            members.batch(&token(TokenHash([number; 32]), 50));
        }
        assert_eq!(members.open_tokens(20), JOIN_TOKENS_MAX);
        assert_eq!(members.open_tokens(50), 0);
        let mut late = token(HASH, 90);
        late.stamp_us = 60;
        members.batch(&late);
        assert_eq!(members.open_tokens(60), 1);
    }

    #[test]
    fn marks_of_members_only_grow_and_go_with_a_member() {
        use crate::consensus::Mark;
        let mut members = three();
        let put = |node, index, term| Batch {
            marks: vec![marks::written(NodeId(node), Mark { index, term })],
            ..Batch::default()
        };
        for (node, index, term) in [(2, 9, 4), (2, 7, 5), (9, 9, 4)] {
            let batch = put(node, index, term);
            assert!(members.is_touched_by(&batch));
            members.batch(&batch);
        }
        assert_eq!(again(&members), members);
        let all: Vec<_> = members.marks().iter().collect();
        assert_eq!(all, [(NodeId(2), Mark { index: 9, term: 5 })], "nobody else is a member");
        assert!(members.change(NodeId(2), &Step::Remove));
        members.batch(&put(2, 12, 6));
        assert_eq!(members.marks(), &Marks::default());
        assert_eq!(again(&members), members);
    }

    #[test]
    fn a_record_gains_addresses_and_never_another_directory() {
        let mut members = three();
        let record = |incarnation, address: &str| {
            let incarnation = Some(Incarnation(incarnation));
            let record =
                Record { incarnation, peer_address: address.to_owned(), ..Record::default() };
            Batch { member_records: vec![written(NodeId(2), &record)], ..Batch::default() }
        };
        members.batch(&record(12, ""));
        members.batch(&record(12, "a:1"));
        members.batch(&record(13, "b:1"));
        members.batch(&record(12, ""));
        let known = members.record(NodeId(2)).unwrap();
        assert_eq!((known.incarnation, &*known.peer_address), (Some(Incarnation(12)), "a:1"));
        assert_eq!(members.node_of(Incarnation(12)), Some(NodeId(2)));
    }

    #[test]
    fn who_may_have_been_admitted_since_is_told_from_a_stranger() {
        let mut members = three();
        assert_eq!(members.standing(NodeId(3)), Standing::Member);
        assert_eq!(members.standing(NodeId(4)), Standing::Newer);
        assert!(members.change(NodeId(7), &add()));
        assert_eq!(members.standing(NodeId(4)), Standing::Stranger);
        assert_eq!(members.standing(NodeId(7)), Standing::Member);
        // Told of two others, and of nothing else yet.
        let told = [2, 4].map(|id| written(NodeId(id), &Record::default())).to_vec();
        let joiner = Membership::of(&SnapshotMeta { member_records: told, ..Default::default() });
        assert_eq!(joiner.standing(NodeId(2)), Standing::Member);
        assert_eq!(joiner.standing(NodeId(5)), Standing::Newer);
        assert_eq!(joiner.members().collect::<Vec<_>>(), [NodeId(2), NodeId(4)]);
    }
}
