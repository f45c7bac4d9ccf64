//! Who may talk to whom: the handshake of two nodes, and its refusals.
//!
//! Checked on both sides of every stream and of every snapshot transfer: protocol version, cluster,
//! group, membership, that the data directory is the one recorded for the node id, that it holds what it
//! acknowledged, and that its build has the cluster's version. A node whose directory was emptied draws a
//! new incarnation and so is refused for ever under its old id: it may have forgotten a vote or an
//! acknowledgement. So may an old copy of a directory, which is told by what the log knows it had.

use bytes::Bytes;
use tonic::{Code, Status};

use super::PeerView;
use crate::{
    consensus::{Incarnation, NodeId, Standing, Versions},
    planted::{self, Bug},
    proto::turnwise::peer::v1::Hello,
};

/// The one version of the handshake. What is said after it goes by the version of the cluster.
pub const PROTOCOL_VERSION: u32 = 1;
const GROUP_ID: u64 = 1;

/// The header in which a refusal says which check failed.
const REFUSAL_KEY: &str = "turnwise-refusal";
const INCARNATION: &str = "incarnation";
const REMOVED: &str = "removed";
const BEHIND: &str = "behind";
const OUTDATED: &str = "outdated";

/// The header in which a refusal of an old copy says what was held: three numbers.
const HELD_KEY: &str = "turnwise-held";

/// What a node is known to have had on its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    /// Its log reached this far.
    index: u64,
    /// It was in this term.
    term: u64,
    /// Later than this term, another leader may have cut its log.
    until: u64,
}

impl Held {
    /// Whether a node that has this much now has less than it had.
    fn is_lost_by(self, last_index: u64, term: u64) -> bool {
        term < self.term || (last_index < self.index && term <= self.until)
    }

    fn write(self, status: &mut Status) {
        let Self { index, term, until } = self;
        let text = format!("{index} {term} {until}");
        status.metadata_mut().insert(HELD_KEY, text.parse().expect("digits and spaces"));
    }

    fn read(status: &Status) -> Option<Self> {
        let text = status.metadata().get(HELD_KEY)?.to_str().ok()?;
        let mut numbers = text.split(' ').map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Self { index: next()?, term: next()?, until: next()? })
    }
}

/// Who this node is.
#[derive(Debug, Clone)]
pub struct Local {
    /// 128 random bits that all members share.
    pub cluster_id: u128,
    /// This node.
    pub node_id: NodeId,
    /// Of its data directory.
    pub incarnation: Incarnation,
    /// What its build understands.
    pub versions: Versions,
    /// Where it serves the other nodes, `host:port`; empty = not known.
    pub peer_address: String,
}

/// Who introduced itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speaker {
    /// Which node.
    pub peer: NodeId,
    /// Its data directory.
    pub incarnation: Incarnation,
    /// Where it serves the other nodes; empty = it did not say.
    pub peer_address: String,
    /// What its build understands.
    pub versions: Versions,
    /// A leader admitted it.
    pub is_admitted: bool,
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
            peer_address: self.peer_address.clone(),
            term: view.term,
            admitted: view.members.record(self.node_id).is_some_and(|it| it.admitted_us > 0),
            version_min: self.versions.min,
            version_max: self.versions.max,
            cluster_version: view.version,
        }
    }

    /// Whether the speaker of `hello` is a member of our cluster, with the data that we know of.
    ///
    /// # Errors
    /// `FAILED_PRECONDITION` with the check that failed.
    pub fn check(&self, hello: &Hello, view: &PeerView) -> Result<Speaker, Status> {
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
        let peer = NodeId(hello.node_id);
        let incarnation = read_u128(&hello.incarnation)
            .map(Incarnation)
            .ok_or_else(|| refusal("version", "incarnation is not 16 bytes".to_owned()))?;
        let speaker = Speaker {
            peer,
            incarnation,
            peer_address: hello.peer_address.clone(),
            versions: Versions::of(hello),
            is_admitted: hello.admitted,
        };
        // Whomever it looks for: one that is a member no more may know no address that is still right, and nobody
        // else will tell it.
        self.check_member(&speaker, view)?;
        if hello.to_node_id != self.node_id.0 {
            return Err(refusal(
                "address",
                format!(
                    "this is node {}, not node {}; check the addresses in members",
                    self.node_id, hello.to_node_id
                ),
            ));
        }
        self.check_versions(&speaker, hello.cluster_version, view.version)?;
        check_held(peer, hello.last_index, hello.term, view)?;
        Ok(speaker)
    }

    /// Whether both builds have the version that the other node says the cluster is at. It never goes back,
    /// so whoever does not have it now never will.
    fn check_versions(&self, speaker: &Speaker, theirs: u32, ours: u32) -> Result<(), Status> {
        let Speaker { peer, versions, .. } = *speaker;
        if versions.max < ours {
            return Err(refusal(
                OUTDATED,
                format!(
                    "the build of node {peer} has {versions} of the cluster, which is at version {ours} for \
                     good. Start a build that has version {ours}, with the same --data-dir"
                ),
            ));
        }
        if self.versions.max < theirs {
            // It will hear the same from the other side, as the refusal that ends it.
            return Err(refusal(
                "version",
                format!(
                    "the build of node {} has {} of the cluster, which is at version {theirs} for good",
                    self.node_id, self.versions
                ),
            ));
        }
        Ok(())
    }

    /// What one hears that is no member any more: what happened, and what to type.
    fn gone(&self, peer: NodeId, standing: Standing, view: &PeerView) -> String {
        let add = "To use its machine again, type `turnwise cluster add`, and start a node with an empty --data-dir \
                   and the --join token that it prints";
        let cluster = self.cluster_id;
        match view.members.lives_on_as(peer) {
            // Whatever this is, it is not what the machine has now: an older directory, or an empty one that was
            // started with the flags of a founder.
            Some(by) => format!(
                "node {peer} lost what it acknowledged, and its machine came back as node {by}: this data directory \
                 is an old copy, or was emptied or replaced. Put node {by}'s directory back under --data-dir, or {}",
                instead(by)
            ),
            _ if standing == Standing::Lost => {
                format!(
                    "node {peer} lost what it acknowledged, and what its machine came back as was removed. {add}"
                )
            }
            _ => format!("node {peer} was removed from cluster {cluster:032x} for ever. {add}"),
        }
    }

    /// Whether `peer` is a member, with the data directory that is recorded for it, if any is.
    ///
    /// # Errors
    /// `FAILED_PRECONDITION` with the check that failed.
    pub fn check_member(&self, speaker: &Speaker, view: &PeerView) -> Result<(), Status> {
        let Speaker { peer, incarnation, .. } = *speaker;
        match view.members.standing(peer) {
            Standing::Member => {}
            // Admitted since, or so it says: this node learns the rest from it.
            Standing::Newer if speaker.is_admitted => return Ok(()),
            standing @ (Standing::Lost | Standing::Removed) => {
                return Err(refusal(REMOVED, self.gone(peer, standing, view)));
            }
            Standing::Newer | Standing::Stranger => {
                return Err(refusal(
                    "member",
                    format!(
                        "node {peer} is not a member of cluster {:032x}; `turnwise cluster add` prints \
                         what admits a node",
                        self.cluster_id
                    ),
                ));
            }
        }
        if view.members.incarnation(peer).is_some_and(|recorded| recorded != incarnation)
            && !planted::is(Bug::EmptyDiskRejoins)
        {
            return Err(refusal(
                INCARNATION,
                format!(
                    "the data directory of node {peer} is not the one that this cluster knows: it \
                     was emptied or replaced, and what it acknowledged is lost. A node id is never \
                     used again after that. Put the old directory back under --data-dir, or {}",
                    instead(peer)
                ),
            ));
        }
        Ok(())
    }
}

/// Whether a peer with this much log, in this term, still has all that it is known to have had: by the marks in
/// our log, and, where we lead, by what it acknowledged to us.
///
/// # Errors
/// `FAILED_PRECONDITION`, which is final for a peer that finds that it has less now, too: what it said of
/// itself may be from before it acknowledged that ([`is_final`]).
pub fn check_held(peer: NodeId, last_index: u64, term: u64, view: &PeerView) -> Result<(), Status> {
    let mark = view.marks.of(peer);
    // What was committed is never cut.
    let marked = Held { index: mark.index, term: mark.term, until: u64::MAX };
    let matched = view.matched.iter().find(|(node, index)| *node == peer && *index > 0);
    let matched =
        matched.map(|(_, index)| Held { index: *index, term: view.term, until: view.term });
    let mut held = [Some(marked), matched].into_iter().flatten();
    let Some(held) = held.find(|it| it.is_lost_by(last_index, term)) else { return Ok(()) };
    // An emptied disk is one that holds less, too.
    if planted::is(Bug::OldCopyLetIn) || planted::is(Bug::EmptyDiskRejoins) {
        return Ok(());
    }
    let mut status = refusal(
        BEHIND,
        format!(
            "the data directory of node {peer} is an old copy, or was emptied or replaced: its log ends at index \
             {last_index} in term {term}, and it had index {} in term {}. Put the newest directory back under \
             --data-dir, or {}",
            held.index,
            held.term,
            instead(peer)
        ),
    );
    held.write(&mut status);
    Err(status)
}

fn instead(peer: NodeId) -> String {
    format!(
        "leave this node stopped, type `turnwise cluster replace {peer}`, and start a node with an empty \
         --data-dir and the --join token that it prints"
    )
}

fn refusal(check: &'static str, message: String) -> Status {
    let mut status = Status::new(Code::FailedPrecondition, message);
    status.metadata_mut().insert(REFUSAL_KEY, check.parse().expect("a refusal is a plain word"));
    status
}

/// Whether a refusal is for good: we were removed, the peer knows that what our data directory held is lost,
/// or our build is too old. `view` is what we are now. That our directory is an old copy is only so if we have
/// less than we had now, too: the hello that was refused may have been on its way while we acknowledged more.
#[must_use]
pub fn is_final(status: &Status, view: &PeerView) -> bool {
    let Some(check) = status.metadata().get(REFUSAL_KEY) else { return false };
    if check == BEHIND {
        let held = Held::read(status);
        return held.is_none_or(|held| held.is_lost_by(view.last_index, view.term));
    }
    [INCARNATION, REMOVED, OUTDATED].iter().any(|last| check == last)
}

pub(super) fn read_u128(bytes: &[u8]) -> Option<u128> {
    bytes.try_into().ok().map(u128::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        consensus::{Mark, Marks, Membership, Record, written},
        proto::turnwise::log::v1::SnapshotMeta,
    };

    fn local(node: u64, cluster_id: u128, incarnation: u128) -> Local {
        let (node_id, incarnation) = (NodeId(node), Incarnation(incarnation));
        let (versions, peer_address) = (Versions::FIRST, String::new());
        Local { cluster_id, node_id, incarnation, versions, peer_address }
    }

    fn view() -> PeerView {
        let gone = Record { removed: true, ..recorded(14) };
        members(&[1, 2, 3], &[(1, recorded(11)), (2, recorded(12)), (4, gone)])
    }

    fn recorded(incarnation: u128) -> Record {
        Record { incarnation: Some(Incarnation(incarnation)), ..Record::default() }
    }

    fn members(voters: &[u64], records: &[(u64, Record)]) -> PeerView {
        let meta = SnapshotMeta {
            voters: voters.to_vec(),
            member_records: records.iter().map(|(id, it)| written(NodeId(*id), it)).collect(),
            ..SnapshotMeta::default()
        };
        PeerView { members: Arc::new(Membership::of(&meta)), ..PeerView::default() }
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
            assert_eq!((seen.peer, seen.incarnation), (NodeId(node), Incarnation(incarnation)));
        }
    }

    #[test]
    fn others_are_refused_with_the_check_that_failed() {
        assert_eq!(refused(&local(2, 8, 12), 1), "cluster");
        assert_eq!(refused(&local(2, 7, 12), 3), "address");
        assert_eq!(refused(&local(4, 7, 14), 1), "removed");
        assert_eq!(refused(&local(5, 7, 15), 1), "member");
        assert_eq!(refused(&local(2, 7, 13), 1), "incarnation");
    }

    #[test]
    fn one_that_is_no_member_any_more_is_told_so_whomever_it_looks_for() {
        assert_eq!(refused(&local(4, 7, 14), 3), "removed");
        assert_eq!(refused(&local(2, 7, 13), 3), "incarnation");
    }

    #[test]
    fn a_machine_that_came_back_twice_is_told_as_whom_last_and_one_that_was_removed_then_that() {
        let back =
            |of, number| Record { rejoined: true, replaces: Some(NodeId(of)), ..recorded(number) };
        let gone = |record| Record { removed: true, ..record };
        let first = (4, gone(back(2, 14)));
        let told = |records: &[(u64, Record)], voters: &[u64]| {
            let hello = local(2, 7, 12).hello(NodeId(1), &PeerView::default(), 0);
            let refused = local(1, 7, 11).check(&hello, &members(voters, records)).unwrap_err();
            assert!(is_final(&refused, &PeerView::default()), "{refused:?}");
            refused.message().to_owned()
        };
        let said = told(&[(2, gone(recorded(12))), first.clone(), (6, back(4, 16))], &[1, 3, 6]);
        assert!(
            said.contains("came back as node 6") && said.contains("turnwise cluster replace 6"),
            "{said}"
        );
        let said = told(&[(2, gone(recorded(12))), first.clone()], &[1, 3]);
        assert!(
            said.contains("was removed from") && said.contains("turnwise cluster add"),
            "{said}"
        );
    }

    #[test]
    fn a_copy_of_a_disk_that_was_given_up_is_refused_for_good_and_told_who_came_back() {
        let rejoined = Record { rejoined: true, replaces: Some(NodeId(2)), ..recorded(15) };
        let view = members(&[1, 2, 3], &[(2, recorded(12)), (5, rejoined)]);
        let hello = local(2, 7, 12).hello(NodeId(1), &PeerView::default(), 0);
        let refused = local(1, 7, 11).check(&hello, &view).unwrap_err();
        assert!(is_final(&refused, &view), "{refused:?}");
        assert!(refused.message().contains("came back as node 5"), "{refused:?}");
    }

    #[test]
    fn who_was_welcome_before_a_record_was_known_is_not_any_more_where_it_says_otherwise() {
        let before = members(&[2], &[]);
        let hello = local(2, 7, 99).hello(NodeId(1), &PeerView::default(), 0);
        let here = local(1, 7, 11);
        let speaker = here.check(&hello, &before).unwrap();
        here.check_member(&speaker, &before).unwrap();
        let refused = here.check_member(&speaker, &view()).unwrap_err();
        assert!(is_final(&refused, &PeerView::default()));
        here.check_member(&Speaker { incarnation: Incarnation(12), ..speaker }, &view()).unwrap();
    }

    #[test]
    fn one_that_was_admitted_since_is_heard_and_a_founder_of_something_else_is_not() {
        let admitted = Record { admitted_us: 5, ..recorded(15) };
        let its_view = members(&[1, 2, 3, 5], &[(5, admitted)]);
        let speaker = local(5, 7, 15);
        local(1, 7, 11).check(&speaker.hello(NodeId(1), &its_view, 0), &view()).unwrap();
        assert_eq!(refused(&speaker, 1), "member");
    }

    fn has(term: u64, last_index: u64) -> PeerView {
        PeerView { term, last_index, ..PeerView::default() }
    }

    /// What node 2 is told that says it has so much.
    fn said(knows: &PeerView, term: u64, last_index: u64) -> Result<(), Status> {
        let hello = local(2, 7, 12).hello(NodeId(1), &has(term, last_index), 0);
        local(1, 7, 11).check(&hello, knows).map(drop)
    }

    #[test]
    fn an_old_copy_of_a_disk_is_told_by_what_it_acknowledged() {
        let leads = PeerView { term: 6, matched: vec![(NodeId(2), 50)], ..view() };
        said(&leads, 6, 50).unwrap();
        said(&leads, 7, 49).expect("another leader may have cut its log");
        for (term, last_index) in [(5, 49), (6, 49), (5, 50)] {
            let refused = said(&leads, term, last_index).unwrap_err();
            assert!(is_final(&refused, &has(term, last_index)), "{term}, {last_index}");
        }
        let silent = PeerView { term: 6, matched: vec![(NodeId(2), 0)], ..view() };
        said(&silent, 5, 0).expect("it acknowledged nothing yet");
    }

    #[test]
    fn an_old_copy_of_a_disk_is_told_by_its_mark_whoever_leads() {
        let mut marks = Marks::default();
        marks.note(NodeId(2), Mark { index: 50, term: 6 });
        let knows = PeerView { term: 9, marks: Arc::new(marks), ..view() };
        said(&knows, 6, 50).unwrap();
        said(&knows, 8, 60).unwrap();
        for (term, last_index) in [(6, 49), (5, 50), (8, 49), (0, 0)] {
            let refused = said(&knows, term, last_index).unwrap_err();
            assert!(is_final(&refused, &has(term, last_index)), "{term}, {last_index}");
            assert!(refused.message().contains("turnwise cluster replace 2"), "{refused:?}");
        }
    }

    #[test]
    fn a_hello_that_was_overtaken_by_what_was_acknowledged_since_ends_nobody() {
        let mut marks = Marks::default();
        marks.note(NodeId(2), Mark { index: 50, term: 6 });
        let knows = PeerView { marks: Arc::new(marks), ..view() };
        let refused = said(&knows, 6, 40).unwrap_err();
        assert!(!is_final(&refused, &has(6, 50)), "it has it by now");
        assert!(is_final(&refused, &has(6, 49)));
        let leads = PeerView { term: 6, matched: vec![(NodeId(2), 50)], ..view() };
        let refused = said(&leads, 6, 40).unwrap_err();
        assert!(!is_final(&refused, &has(7, 45)), "another leader has cut its log since");
    }

    /// As a build says it that knows nothing of versions of the cluster.
    fn silent(hello: &Hello) -> Hello {
        Hello { version_min: 0, version_max: 0, cluster_version: 0, ..hello.clone() }
    }

    #[test]
    fn a_build_that_lacks_the_clusters_version_is_refused_for_good_and_told_which_it_needs() {
        let at = |version| PeerView { version, ..view() };
        let build = |node, incarnation, max| Local {
            versions: Versions { min: 2, max },
            ..local(node, 7, incarnation)
        };
        let (old, new) = (build(2, 12, 2), build(1, 11, 3));
        let hello = old.hello(NodeId(1), &at(2), 0);
        assert_eq!(new.check(&hello, &at(2)).unwrap().versions, old.versions);
        let refused = new.check(&hello, &at(3)).unwrap_err();
        assert!(
            is_final(&refused, &at(2)) && refused.message().contains("has version 3"),
            "{refused:?}"
        );
        let refused = new.check(&silent(&hello), &at(3)).unwrap_err();
        assert!(is_final(&refused, &at(2)), "{refused:?}");
        // The other way round it is not the new one's fault.
        let refused = old.check(&new.hello(NodeId(2), &at(3), 0), &at(2)).unwrap_err();
        assert!(!is_final(&refused, &at(3)), "{refused:?}");
        // One that lags behind is no older for that.
        new.check(&build(2, 12, 3).hello(NodeId(1), &at(2), 0), &at(3)).unwrap();
    }

    /// With all that was added to it.
    #[test]
    fn the_later_golden_files_of_version_1_read_and_write_as_ever() {
        let admitted = Record { admitted_us: 5, ..recorded(11) };
        let known = members(&[1], &[(1, admitted)]);
        let view = PeerView { last_index: 300, term: 9, version: 2, ..known };
        let speaker =
            Local { peer_address: "10.0.0.1:7401".to_owned(), ..local(1, 7 << 120, 11 << 64) };
        let hello = speaker.hello(NodeId(2), &view, 1_800_000_000_000_000);
        let golden = include_bytes!("../../../tests/golden/hello-v1-addresses.bin");
        let read: Hello = prost::Message::decode(&golden[..]).unwrap();
        assert_eq!(read, silent(&hello));
        assert_eq!(prost::Message::encode_to_vec(&read), golden);
        let golden = include_bytes!("../../../tests/golden/hello-v1-versions.bin");
        assert_eq!(prost::Message::encode_to_vec(&hello), golden, "new bytes need a new file");
        let read: Hello = prost::Message::decode(&golden[..]).unwrap();
        assert_eq!(read, hello);
    }

    /// Version 1, as it was first written: what a newer node must be able to answer.
    #[test]
    fn the_golden_file_of_version_1_reads_and_writes_as_ever() {
        let view = PeerView { last_index: 300, ..PeerView::default() };
        let hello = local(1, 7 << 120, 11 << 64).hello(NodeId(2), &view, 1_800_000_000_000_000);
        let golden = include_bytes!("../../../tests/golden/hello-v1.bin");
        let read: Hello = prost::Message::decode(&golden[..]).unwrap();
        assert_eq!(read, silent(&hello));
        assert_eq!(prost::Message::encode_to_vec(&read), golden, "new bytes need a new version");
    }
}
