//! When this node last heard from each other one, for whoever asks how the cluster is.
//!
//! Every frame is a sign of life. Raft sends some between a leader and a follower all the time, and none
//! between two followers: there, the connection stands for it, whose own keep-alive notices within three
//! seconds that the other end is gone. It decides nothing.

use std::{collections::BTreeMap, time::Duration};

use crate::consensus::NodeId;

#[derive(Debug)]
struct Contact {
    /// When the last sign came, by the monotonic clock.
    at: Duration,
    /// Whether the connection has not broken since.
    is_linked: bool,
}

/// The last signs of life, since this node started.
#[derive(Debug, Default)]
pub(super) struct Contacts(BTreeMap<NodeId, Contact>);

impl Contacts {
    /// A handshake succeeded.
    pub(super) fn linked(&mut self, peer: NodeId, now: Duration) {
        self.0.insert(peer, Contact { at: now, is_linked: true });
    }

    /// A frame came.
    pub(super) fn heard(&mut self, peer: NodeId, now: Duration) {
        if let Some(contact) = self.0.get_mut(&peer) {
            contact.at = now;
        }
    }

    /// There is no connection, perhaps for long.
    pub(super) fn lost(&mut self, peer: NodeId, now: Duration) {
        if let Some(contact) = self.0.get_mut(&peer)
            && std::mem::take(&mut contact.is_linked)
        {
            contact.at = now;
        }
    }

    /// How long ago each was heard from; none for a peer that never was. `raft_talks` tells with whom
    /// this node exchanges messages of Raft, so that silence means something.
    pub(super) fn ages(
        &self,
        now: Duration,
        raft_talks: impl Fn(NodeId) -> bool,
    ) -> BTreeMap<NodeId, Duration> {
        let age = |(peer, contact): (&NodeId, &Contact)| {
            let is_quiet = contact.is_linked && !raft_talks(*peer);
            let age = if is_quiet { Duration::ZERO } else { now.saturating_sub(contact.at) };
            (*peer, age)
        };
        self.0.iter().map(age).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: NodeId = NodeId(2);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn age(contacts: &Contacts, now: u64, raft_talks: bool) -> Option<Duration> {
        contacts.ages(at(now), |_| raft_talks).get(&PEER).copied()
    }

    #[test]
    fn a_peer_that_raft_talks_with_is_as_old_as_its_last_frame() {
        let mut contacts = Contacts::default();
        assert_eq!(age(&contacts, 1, true), None, "never heard from");
        contacts.heard(PEER, at(1));
        assert_eq!(age(&contacts, 1, true), None, "a stranger until its handshake");
        contacts.linked(PEER, at(2));
        contacts.heard(PEER, at(5));
        assert_eq!(age(&contacts, 9, true), Some(at(4)), "silent on a connection that stands");
        assert_eq!(age(&contacts, 9, false), Some(Duration::ZERO), "it has nothing to say");
    }

    #[test]
    fn a_lost_peer_grows_older_from_when_its_connection_broke() {
        let mut contacts = Contacts::default();
        contacts.linked(PEER, at(1));
        contacts.lost(PEER, at(10));
        // One for each vain attempt to connect.
        contacts.lost(PEER, at(11));
        contacts.lost(PEER, at(12));
        assert_eq!(age(&contacts, 14, false), Some(at(4)));
        contacts.linked(PEER, at(15));
        assert_eq!(age(&contacts, 16, false), Some(Duration::ZERO));
    }
}
