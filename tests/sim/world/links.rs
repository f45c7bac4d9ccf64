//! What goes over links: frames, handshakes, snapshots, calls and answers, and what becomes of them.

use std::sync::Arc;

use bytes::Bytes;
use tonic::Status;
use turnwise::{
    consensus::{
        Input, NodeId, NodeStatus,
        peers::{Local, PeerView, Speaker, check_held, is_final},
    },
    proto::turnwise::peer::v1::{RaftMessage, RaftMessageType},
};

use super::{
    World,
    event::{Event, Letter, Said},
    id_of, index_of,
};
use crate::{
    marks::Mark,
    plan::S,
    process::{Answer, Call},
    store,
};

/// What counts for a quorum.
const GRANTS: [RaftMessageType; 2] =
    [RaftMessageType::AppendResponse, RaftMessageType::RequestVoteResponse];

impl World {
    /// Sends between nodes; false if it is lost.
    pub(super) fn post(&mut self, from: usize, to: usize, letter: Letter) -> bool {
        let arrivals = self.network.send(from, to, self.now_us);
        match arrivals.len() {
            0 => self.marks.hit(Mark::MessageDropped),
            1 => {}
            _ => self.marks.hit(Mark::MessageDoubled),
        }
        for arrival in &arrivals {
            let (generation, letter) = (arrival.generation, letter.clone());
            self.at(arrival.at_us, Event::Arrive { from, to, generation, letter });
        }
        !arrivals.is_empty()
    }

    /// A snapshot goes over a connection of its own, which takes a while and may break half-way.
    pub(super) fn transfer(
        &mut self,
        node: usize,
        to: NodeId,
        message: Box<RaftMessage>,
        file: Bytes,
    ) {
        self.marks.hit(Mark::SnapshotSent);
        let process = self.machines[node].process.as_ref();
        if process.is_some_and(|it| it.node().membership().learners().contains(&to)) {
            self.marks.hit(Mark::SnapshotToLearner);
        }
        self.next_transfer += 1;
        let (transfer, boot) = (self.next_transfer, self.machines[node].boot);
        self.transfers.insert(transfer, (node, boot, to));
        let letter = Letter::Snapshot { message, file, transfer, said: self.said(node) };
        self.post(node, index_of(to), letter);
        let event = Event::TransferEnds { node, boot, transfer, delivered: false };
        self.later(2 * S, event);
    }

    /// Who a node is to its peers.
    fn local(&self, node: usize) -> Local {
        Local {
            cluster_id: store::CLUSTER_ID,
            node_id: id_of(node),
            incarnation: self.machines[node].incarnation,
            versions: self.build(node),
            peer_address: String::new(),
        }
    }

    /// What a running node lets its peers know.
    fn view(&self, node: usize) -> Option<PeerView> {
        let node = self.machines[node].process.as_ref()?.node();
        Some(PeerView::of(node, None))
    }

    /// What a running node says of itself now.
    pub(super) fn said(&self, node: usize) -> Said {
        let boot = self.machines[node].boot;
        let status = self.machines[node].process.as_ref().map(|it| it.node().status());
        let NodeStatus { last_index, term, .. } = status.unwrap_or_default();
        Said { boot, last_index, term }
    }

    pub(super) fn greet(&mut self, node: usize) {
        let Some(view) = self.view(node) else { return };
        let (local, wall_us) = (self.local(node), self.clock(node).wall_us);
        let is_there = |peer: usize| self.operator.is_none() || !self.machines[peer].is_gone;
        let peers = (0..self.machines.len()).filter(|peer| *peer != node && is_there(*peer));
        for peer in peers.collect::<Vec<_>>() {
            let hello = local.hello(id_of(peer), &view, wall_us);
            self.post(node, peer, Letter::Hello { hello });
        }
    }

    /// Each side of a stream looks at who the other is; refuses for good what is not who it was.
    fn welcomes(&self, node: usize, peer: usize) -> Result<(), Status> {
        let incarnation = self.machines[peer].incarnation;
        let known = self.machines[node].process.as_ref().map(|process| {
            let members = Arc::clone(process.node().membership());
            PeerView { members, ..PeerView::default() }
        });
        known.map_or(Ok(()), |view| {
            let speaker = Speaker {
                peer: id_of(peer),
                incarnation,
                peer_address: String::new(),
                versions: self.build(peer),
                is_admitted: peer >= self.plan.nodes,
            };
            self.local(node).check_member(&speaker, &view)
        })
    }

    fn refuse(&mut self, node: usize, peer: usize, status: Status) {
        self.post(node, peer, Letter::Refused { status: Box::new(status) });
    }

    /// Before the first letter of a stream that counts, both sides have looked at what the other one has. What
    /// the sender says is as old as its letter; what the receiver answers is not.
    fn is_greeted(&mut self, from: usize, to: usize, said: Said) -> bool {
        let runs = (self.machines[to].boot, said.boot);
        if self.machines[to].greeted.get(&from) == Some(&runs) {
            return true;
        }
        let Some(view) = self.view(to) else { return false };
        if let Err(status) = check_held(id_of(from), said.last_index, said.term, &view) {
            self.refuse(to, from, status);
            return false;
        }
        if self.machines[from].boot == said.boot
            && let Some(caller) = self.view(from)
            && check_held(id_of(to), view.last_index, view.term, &caller).is_err()
        {
            return false;
        }
        self.machines[to].greeted.insert(from, runs);
        true
    }

    pub(super) fn arrive(&mut self, from: usize, to: usize, letter: Letter) {
        if self.machines[to].process.is_none() {
            return;
        }
        // Where no disk was ever emptied and nobody changes the members, everybody is who they were.
        let may_change = self.operator.is_some() || self.machines.iter().any(|it| it.is_wiped);
        if !matches!(letter, Letter::Refused { .. }) && may_change {
            if let Err(status) = self.welcomes(to, from) {
                self.refuse(to, from, status);
                return;
            }
            // A letter that left before the sender read of a removal is delivered all the same.
            let is_hello = matches!(letter, Letter::Hello { .. });
            let was_removed = self.checks.configs.is_removed(id_of(to));
            if (is_hello || !was_removed)
                && let Err(status) = self.welcomes(from, to)
            {
                self.refused(to, &status);
                return;
            }
        }
        if let Letter::Raft { said, .. } | Letter::Snapshot { said, .. } = &letter
            && !self.is_greeted(from, to, *said)
        {
            return;
        }
        match letter {
            Letter::Raft { message, wall_us, said: _ } => {
                let is_grant = GRANTS.map(i32::from).contains(&message.r#type) && !message.reject;
                // By whom that has not lost what it knew.
                let is_emptied = self.machines[from].is_wiped && !self.machines[to].is_wiped;
                let from = id_of(from);
                assert!(!(is_grant && is_emptied), "{from} lost its disk and is heard in a quorum");
                self.input(to, Input::PeerClock { peer: from, wall_us });
                self.input(to, Input::Receive { from, message });
            }
            Letter::Hello { hello } => {
                let Some(view) = self.view(to) else { return };
                let checked = self.local(to).check(&hello, &view);
                let Speaker { peer, incarnation, peer_address, versions, is_admitted: _ } =
                    match checked {
                        Ok(speaker) => speaker,
                        // Whether it is final, the other one knows: it may be this one whose build is too old.
                        Err(status) => {
                            self.refuse(to, from, status);
                            return;
                        }
                    };
                self.input(to, Input::PeerSeen { peer, incarnation, peer_address, versions });
                self.input(to, Input::PeerClock { peer, wall_us: hello.wall_clock_us });
            }
            Letter::Refused { status } => self.refused(to, &status),
            Letter::Snapshot { message, file, transfer, said: _ } => {
                if self.disk_rng.chance(200) && !self.healed {
                    return;
                }
                let mut is_sound = false;
                self.run_process(to, |process, _| {
                    is_sound = process.receive_snapshot(&message, &file)?;
                    Ok(())
                });
                if !is_sound {
                    self.marks.hit(Mark::SnapshotRefused);
                    return;
                }
                if self.disk_rng.chance(60) && !self.healed {
                    self.end(to, false, Mark::Kill);
                }
                let from_id = id_of(from);
                self.input(to, Input::Receive { from: from_id, message: *message });
                if self.machines[to].process.is_some() {
                    self.post(to, from, Letter::SnapshotSafe { transfer });
                }
            }
            Letter::SnapshotSafe { transfer } => {
                if let Some((node, boot, _)) = self.transfers.get(&transfer).copied() {
                    self.later(0, Event::TransferEnds { node, boot, transfer, delivered: true });
                }
            }
        }
    }

    /// A peer will never talk to this data directory: the node ends, and stays away.
    fn refused(&mut self, node: usize, status: &Status) {
        let Some(view) = self.view(node) else { return };
        if !is_final(status, &view) {
            if is_final(status, &PeerView::default()) {
                self.marks.hit(Mark::HelloOvertaken);
            }
            return;
        }
        if self.checks.configs.is_removed(id_of(node)) {
            self.sent_away(node, Mark::RefusedAfterRemoval);
            return;
        }
        if self.machines[node].old.is_in() {
            self.refused_as_old(node);
            return;
        }
        if !self.machines[node].is_wiped && self.plan.upgrade {
            self.outdated(node, Mark::OldBuildTurnedAway);
            return;
        }
        let why = status.message();
        assert!(
            self.machines[node].is_wiped,
            "node {} is refused by its peers: {why}",
            id_of(node)
        );
        self.marks.hit(Mark::FoundedAnewRefused);
        self.leave(node);
    }

    pub(super) fn call(&mut self, to: usize, call: Call) {
        if self.machines[to].process.is_none() {
            if self.disk_rng.chance(700) {
                self.answer(to, call.client, call.id, Answer::Refused);
            }
            return;
        }
        self.run_process(to, |process, context| {
            process.call(context, call);
            Ok(())
        });
    }

    pub(super) fn answer(&mut self, from: usize, client: usize, call: u64, answer: Answer) {
        let to = self.plan.slots + client;
        for arrival in self.network.send(from, to, self.now_us) {
            let (generation, answer) = (arrival.generation, answer.clone());
            self.at(arrival.at_us, Event::Answer { from, client, generation, call, answer });
        }
    }
}
