//! Disks that fail, and machines that are refused for it.
//!
//! A disk may only fail where the nemesis made it, and then in a way that goes with what was done: a
//! process ends, or a machine is refused and stays away. Silence is never right. What is refused is
//! at most a minority, so that the others must come right without it.

use turnwise::consensus::{Fault::Version, Incarnation};

use super::{World, id_of, old_copies::OldDisks};
use crate::{
    marks::Mark,
    memdisk::MemDisk,
    plan::Fault,
    process::{Down, Process},
    store::StoreError,
};

impl World {
    /// A process ended because its disk failed, or for no good reason.
    pub(super) fn down(&mut self, node: usize, down: Down) {
        let error = match down {
            Down::Fault(Version { .. }) if self.plan.upgrade => {
                self.outdated(node, Mark::OldBuildStopped);
                return;
            }
            Down::Fault(fault) => panic!("node {} stopped: {fault:?}", id_of(node)),
            Down::Disk(error) => error,
        };
        let machine = &self.machines[node];
        let (mark, power_cut) = match self.nemesis.broken_disk(node) {
            _ if machine.is_full && error.is_full() => (Mark::StoppedWithoutRoom, false),
            // After a failed sync the machine may well stay up, and its memory tell lies.
            Some(Fault::SyncError) => (Mark::SyncError, self.disk_rng.chance(500)),
            Some(_) => (Mark::PowerCutMidWrite, true),
            None if machine.is_rotten => (Mark::RotNoticed, false),
            None => panic!("node {} on a sound disk: {error}", id_of(node)),
        };
        self.marks.hit(mark);
        self.crash(node, power_cut);
    }

    /// Whether a node that does not start is refused for good.
    pub(super) fn refuses(&mut self, node: usize, error: &StoreError) -> bool {
        let machine = &self.machines[node];
        if machine.is_wiped && error.is_empty() {
            self.marks.hit(Mark::EmptyRefused);
            return true;
        }
        // What the nemesis broke for a while is tried again.
        if machine.is_full && error.is_full() || self.nemesis.has_broken_disk(node) {
            return false;
        }
        if machine.is_rotten {
            self.marks.hit(Mark::RotNoticed);
        }
        machine.is_rotten
    }

    /// The machine is refused and stays away.
    pub(super) fn leave(&mut self, node: usize) {
        self.note("leaves", node);
        let machine = &mut self.machines[node];
        machine.process = None;
        machine.is_gone = true;
        machine.boot += 1;
    }

    /// Turns bits over in what has long been durable.
    pub(super) fn rot(&mut self, node: usize, bytes: u64) {
        let Some((live, proven)) = self.machines[node].process.as_ref().map(Process::proven) else {
            return;
        };
        let disk = self.machines[node].disk.clone();
        let files: Vec<(String, Vec<u8>)> = disk
            .file_names()
            .into_iter()
            .filter(|name| name.ends_with(".log") || name.ends_with(".snap"))
            .map(|name| {
                let mut bytes = disk.contents(&name);
                if name == live {
                    bytes.truncate(usize::try_from(proven).unwrap());
                }
                (name, bytes)
            })
            .collect();
        for _ in 0..bytes {
            let (name, bytes) = &files[self.disk_rng.index(files.len())];
            // Most of a segment is zeros that nobody reads.
            let tries = 0..40;
            let offsets: Vec<usize> = tries.map(|_| self.disk_rng.index(bytes.len())).collect();
            let offset = offsets.iter().find(|at| bytes[**at] != 0).unwrap_or(&offsets[0]);
            disk.flip(name, u64::try_from(*offset).unwrap(), 1 << self.disk_rng.index(8));
            self.marks.hit(Mark::Rot);
        }
        self.machines[node].is_rotten = true;
    }

    /// Empties a disk, once the others know whose it was.
    pub(super) fn wipe(&mut self, node: usize, founds: bool) {
        let id = id_of(node);
        let others = self.machines.iter().enumerate().filter(|(other, _)| *other != node);
        let known = others.filter(|(_, machine)| {
            let process = machine.process.as_ref();
            process.is_some_and(|it| it.node().membership().incarnation(id).is_some())
        });
        // A record that no majority knows may be lost with those who do.
        if self.machines[node].is_gone
            || known.count() <= self.checks.configs.latest().voters.len() / 2
        {
            return;
        }
        self.marks.hit(Mark::Wipe);
        self.crash(node, true);
        self.hang_up(node);
        let drawn = u128::from(self.disk_rng.next());
        let machine = &mut self.machines[node];
        machine.disk = MemDisk::new();
        machine.failed_syncs = 0;
        machine.is_wiped = true;
        machine.old = OldDisks::default();
        machine.founds = founds;
        machine.incarnation = Incarnation(drawn);
        self.checks.wiped(id);
    }

    /// Nothing that a node said before is under way any more: its connections are gone.
    pub(super) fn hang_up(&mut self, node: usize) {
        for other in 0..self.machines.len() {
            self.network.cut(node, other);
            self.network.mend(node, other);
        }
    }
}
