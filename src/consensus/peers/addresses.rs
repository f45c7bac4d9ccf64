//! Where everybody is: what the records say, unless this node's configuration says otherwise.

use std::collections::BTreeMap;

use crate::consensus::{Membership, NodeId, Standing};

/// Where a node is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Address {
    /// Where it serves the other nodes, `host:port`; empty = not known.
    pub peer: String,
    /// Where it serves clients, `host:port`; empty = not known.
    pub client: String,
    /// It follows without a vote.
    pub is_learner: bool,
    /// It is a member as far as this node has read; otherwise it said that it was admitted since.
    pub is_member: bool,
    /// The node in whose place it came.
    pub in_place_of: Option<NodeId>,
}

/// Every member, and who says that it was admitted since.
pub type Addresses = BTreeMap<NodeId, Address>;

/// Where everybody is. `configured` wins over the records; `told` is by nodes that no record knows yet.
pub(in crate::consensus) fn addresses(
    members: &Membership,
    configured: &BTreeMap<NodeId, String>,
    told: &BTreeMap<NodeId, String>,
) -> Addresses {
    let member = |node: NodeId| {
        let record = members.record(node);
        let peer = configured.get(&node).cloned();
        let peer = peer.or(record.map(|it| it.peer_address.clone()));
        // Another node serves there now: nobody is to be found under this id any more.
        let peer = peer.filter(|_| members.standing(node) != Standing::Lost);
        let address = Address {
            peer: peer.unwrap_or_default(),
            client: record.map(|it| it.client_address.clone()).unwrap_or_default(),
            is_learner: members.learners().contains(&node),
            is_member: true,
            in_place_of: record.and_then(|it| it.replaces),
        };
        (node, address)
    };
    let newer = |(node, peer): (&NodeId, &String)| {
        (*node, Address { peer: peer.clone(), ..Address::default() })
    };
    let mut all: Addresses = told.iter().map(newer).collect();
    all.extend(members.members().map(member));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        consensus::{Record, written},
        proto::turnwise::log::v1::SnapshotMeta,
    };

    #[test]
    fn configuration_wins_over_records_and_only_members_are_there() {
        let record = |id, removed| {
            let peer_address = format!("record:{id}");
            written(NodeId(id), &Record { peer_address, removed, ..Record::default() })
        };
        let members = Membership::of(&SnapshotMeta {
            voters: vec![1, 2],
            learners: vec![4],
            member_records: vec![record(2, false), record(3, true), record(4, false)],
            ..SnapshotMeta::default()
        });
        let configured = [1, 2, 3].map(|id| (NodeId(id), format!("config:{id}"))).into();
        let told = [(NodeId(4), "told:4".to_owned()), (NodeId(5), "told:5".to_owned())].into();
        let all = addresses(&members, &configured, &told);
        let seen: Vec<_> = all.iter().map(|(id, it)| (id.0, &*it.peer, it.is_member)).collect();
        let expected = [
            (1, "config:1", true),
            (2, "config:2", true),
            (4, "record:4", true),
            (5, "told:5", false),
        ];
        assert_eq!(seen, expected);
        assert!(all[&NodeId(4)].is_learner);
    }

    #[test]
    fn nobody_is_to_be_found_under_an_id_whose_machine_came_back_as_another() {
        let rejoined = Record {
            peer_address: "here:1".to_owned(),
            replaces: Some(NodeId(2)),
            rejoined: true,
            ..Record::default()
        };
        let members = Membership::of(&SnapshotMeta {
            voters: vec![1, 2],
            learners: vec![3],
            member_records: vec![written(NodeId(3), &rejoined)],
            ..SnapshotMeta::default()
        });
        let configured = [1, 2].map(|id| (NodeId(id), format!("config:{id}"))).into();
        let all = addresses(&members, &configured, &BTreeMap::new());
        let seen: Vec<&str> = all.values().map(|it| &*it.peer).collect();
        assert_eq!(seen, ["config:1", "", "here:1"]);
    }
}
