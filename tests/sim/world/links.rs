//! What goes over links: frames, handshakes, snapshots, calls and answers, and what becomes of them.

use bytes::Bytes;
use turnwise::{
    consensus::{Input, NodeId},
    proto::turnwise::peer::v1::RaftMessage,
};

use super::{
    World,
    event::{Event, Letter},
    id_of, index_of,
};
use crate::{
    marks::Mark,
    plan::S,
    process::{Answer, Call, incarnation},
};

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
        self.next_transfer += 1;
        let (transfer, boot) = (self.next_transfer, self.machines[node].boot);
        self.transfers.insert(transfer, (node, boot, to));
        let letter = Letter::Snapshot { message, file, transfer };
        self.post(node, index_of(to), letter);
        let event = Event::TransferEnds { node, boot, transfer, delivered: false };
        self.later(2 * S, event);
    }

    pub(super) fn arrive(&mut self, from: usize, to: usize, letter: Letter) {
        if self.machines[to].process.is_none() {
            return;
        }
        match letter {
            Letter::Raft { message, wall_us } => {
                let from = id_of(from);
                self.input(to, Input::PeerClock { peer: from, wall_us });
                self.input(to, Input::Receive { from, message });
            }
            Letter::Hello { wall_us } => {
                let peer = id_of(from);
                self.input(to, Input::PeerSeen { peer, incarnation: incarnation(peer) });
                self.input(to, Input::PeerClock { peer, wall_us });
            }
            Letter::Snapshot { message, file, transfer } => {
                if self.disk_rng.chance(200) && !self.healed {
                    return;
                }
                self.run_process(to, |process, _| process.receive_snapshot(&message, &file));
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
        let to = self.plan.nodes + client;
        for arrival in self.network.send(from, to, self.now_us) {
            let (generation, answer) = (arrival.generation, answer.clone());
            self.at(arrival.at_us, Event::Answer { from, client, generation, call, answer });
        }
    }
}
