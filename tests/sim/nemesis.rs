//! Who decides which fault strikes where and when, and how long it lasts.
//!
//! It only decides; the world carries out. It prefers the leader, for that is where faults hurt, and
//! it remembers whose disk it broke: a disk that fails anywhere else is a violation.

use crate::{
    plan::{Fault, MS, Plan, S},
    rng::Rng,
};

/// One fault, with its victims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strike {
    /// From the first to the second; both ways if so.
    Cut {
        from: usize,
        to: usize,
        both: bool,
    },
    /// No link of this node works; or only those into it, or only those out of it.
    Isolate {
        node: usize,
        inward: bool,
        outward: bool,
    },
    Kill {
        node: usize,
    },
    PowerCut {
        node: usize,
    },
    /// After this many more operations of its disk.
    PowerCutMidWrite {
        node: usize,
        operations: u64,
    },
    PowerCutAll,
    Pause {
        node: usize,
        for_us: u64,
    },
    ClockJump {
        node: usize,
        by_us: i64,
    },
    DiskStall {
        node: usize,
        for_us: u64,
    },
    SyncError {
        node: usize,
    },
    DiskFull {
        node: usize,
        bytes_left: u64,
    },
    /// Bits of this many bytes.
    Rot {
        node: usize,
        bytes: u64,
    },
    /// Whether somebody founds a new directory there, or it is just started.
    Wipe {
        node: usize,
        founds: bool,
    },
    /// Copies its disk, or puts the copy back.
    OldCopy {
        node: usize,
    },
    /// By so much a second.
    ClockRate {
        node: usize,
        ppm: i64,
    },
    HandOver {
        node: usize,
    },
    Storm,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Nemesis {
    rng: Rng,
    faults: Vec<Fault>,
    gap_max_us: u64,
    nodes: usize,
    broken_disks: Vec<Option<Fault>>,
    /// The first of those whose clocks may be wrong.
    wrong_clocks: usize,
    /// How many those are.
    minority: usize,
    /// The first of those whose disks may lose what was durable.
    bad_disks: usize,
    /// The first client, as the network counts.
    first_client: usize,
    clients: usize,
}

impl Nemesis {
    pub(crate) fn new(seed: u64, plan: &Plan) -> Self {
        let mut rng = Rng::stream(seed, "nemesis");
        Self {
            wrong_clocks: rng.index(plan.nodes),
            bad_disks: rng.index(plan.nodes),
            // Of however few members there may be.
            minority: if plan.growth.is_some() { 1 } else { (plan.nodes.max(3) - 1) / 2 },
            first_client: plan.slots,
            clients: plan.clients,
            rng,
            faults: plan.faults.clone(),
            gap_max_us: plan.fault_gap_max_us,
            nodes: plan.nodes,
            broken_disks: vec![None; plan.slots],
        }
    }

    /// How long to wait until the next strike.
    pub(crate) fn pause_us(&mut self) -> u64 {
        self.rng.between(20 * MS, self.gap_max_us)
    }

    /// How long a strike lasts that has an end.
    pub(crate) fn lasts_us(&mut self) -> u64 {
        if self.rng.chance(300) { self.rng.between(S, 4 * S) } else { self.rng.between(20 * MS, S) }
    }

    /// The next strike, if any fault is in the plan, at one of those who are there.
    pub(crate) fn strike(&mut self, leader: Option<usize>, there: &[usize]) -> Option<Strike> {
        if self.faults.is_empty() {
            return None;
        }
        let fault = self.rng.pick(&self.faults);
        let any = self.rng.pick(there);
        let node = leader.filter(|_| self.rng.chance(500)).unwrap_or(any);
        let at = there.iter().position(|it| *it == node).unwrap_or_default();
        let other = there[(at + 1 + self.rng.index(there.len().max(2) - 1)) % there.len()];
        Some(match fault {
            Fault::Cut => Strike::Cut { from: node, to: other, both: true },
            Fault::CutOneWay if self.rng.chance(500) => {
                Strike::Cut { from: node, to: other, both: false }
            }
            Fault::CutOneWay => Strike::Cut { from: other, to: node, both: false },
            Fault::Isolate => Strike::Isolate { node, inward: true, outward: true },
            Fault::DeafOrMute => {
                let inward = self.rng.chance(500);
                Strike::Isolate { node, inward, outward: !inward }
            }
            Fault::Kill => Strike::Kill { node },
            Fault::PowerCut => Strike::PowerCut { node },
            Fault::PowerCutMidWrite => {
                self.broken_disks[node] = Some(fault);
                Strike::PowerCutMidWrite { node, operations: self.rng.between(0, 12) }
            }
            Fault::PowerCutAll => Strike::PowerCutAll,
            Fault::Pause => Strike::Pause { node, for_us: self.lasts_us() },
            // There is no minority.
            Fault::ClockJump | Fault::ClockRate | Fault::Rot | Fault::Wipe | Fault::OldCopy
                if self.nodes < 3 =>
            {
                return None;
            }
            Fault::ClockRate => {
                let node = self.of_minority(self.wrong_clocks);
                let ppm = self.rng.pick(&[-500_000, -10_000, 10_000, 200_000, 1_000_000]);
                Strike::ClockRate { node, ppm }
            }
            Fault::Rot => {
                let node = self.of_minority(self.bad_disks);
                Strike::Rot { node, bytes: self.rng.between(1, 3) }
            }
            Fault::Wipe => {
                let node = self.of_minority(self.bad_disks);
                Strike::Wipe { node, founds: self.rng.chance(500) }
            }
            Fault::OldCopy => Strike::OldCopy { node: self.of_minority(self.bad_disks) },
            Fault::DiskFull => {
                // Too little for a snapshot may be enough for the log.
                let bytes_left = self.rng.pick(&[0, 0, 4 << 10, 8 << 10]);
                Strike::DiskFull { node, bytes_left }
            }
            Fault::CutClient => {
                let client = self.first_client + self.rng.index(self.clients);
                let (from, to) = if self.rng.chance(500) { (node, client) } else { (client, node) };
                Strike::Cut { from, to, both: false }
            }
            Fault::ClockJump => {
                let node = self.of_minority(self.wrong_clocks);
                let far = self.rng.pick(&[900 * MS, 10 * S, 3_600 * S, 87_600 * 3_600 * S]);
                let by_us = self.rng.between(0, far).cast_signed();
                let by_us = if self.rng.chance(500) { by_us } else { -by_us };
                Strike::ClockJump { node, by_us }
            }
            Fault::DiskStall => Strike::DiskStall { node, for_us: self.lasts_us() },
            Fault::SyncError => {
                self.broken_disks[node] = Some(fault);
                Strike::SyncError { node }
            }
            Fault::HandOver => Strike::HandOver { node: leader.unwrap_or(node) },
            Fault::Storm => Strike::Storm,
        })
    }

    fn of_minority(&mut self, first: usize) -> usize {
        (first + self.rng.index(self.minority)) % self.nodes
    }

    /// Whether it did something to this node's disk that has an end.
    pub(crate) fn has_broken_disk(&self, node: usize) -> bool {
        self.broken_disks[node].is_some()
    }

    /// What it did to this node's disk, which is whole again from here on.
    pub(crate) fn broken_disk(&mut self, node: usize) -> Option<Fault> {
        self.broken_disks[node].take()
    }
}
