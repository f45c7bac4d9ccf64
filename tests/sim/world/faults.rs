//! Carrying out the nemesis's strikes, taking them back, and the end of all of them.

use super::{World, event::Event};
use crate::{marks::Mark, nemesis::Strike, process::Process};
use turnwise::consensus::{Input, Role};

impl World {
    pub(super) fn strike(&mut self) {
        if self.healed {
            return;
        }
        let leader = self.leader();
        let is_there = |node: &usize| self.operator.is_none() || !self.machines[*node].is_gone;
        let there: Vec<usize> = (0..self.machines.len()).filter(is_there).collect();
        if let Some(strike) = self.nemesis.strike(leader, &there) {
            self.note("strike", 0);
            self.carry_out_strike(strike);
        }
        let pause = self.nemesis.pause_us();
        self.later(pause, Event::Strike);
    }

    /// Who leads in the latest term.
    pub(super) fn leader(&self) -> Option<usize> {
        let status = |node: &usize| self.machines[*node].process.as_ref().map(Process::status);
        (0..self.machines.len())
            .filter(|node| status(node).is_some_and(|it| it.role == Role::Leader))
            .max_by_key(|node| status(node).map(|it| it.term))
    }

    fn carry_out_strike(&mut self, strike: Strike) {
        let now_us = self.now_us;
        let mut ends = true;
        match strike {
            Strike::Cut { from, to, both } if from != to => {
                self.marks.hit(Mark::LinkCut);
                self.network.cut(from, to);
                if both {
                    self.network.cut(to, from);
                }
            }
            Strike::Cut { .. } => ends = false,
            Strike::Isolate { node, inward, outward } => {
                self.marks.hit(Mark::LinkCut);
                for other in self.others(node) {
                    if inward {
                        self.network.cut(other, node);
                    }
                    if outward {
                        self.network.cut(node, other);
                    }
                }
            }
            Strike::Storm => {
                self.marks.hit(Mark::Storm);
                self.network.storm(true);
            }
            Strike::DiskFull { node, bytes_left } => {
                self.marks.hit(Mark::DiskFull);
                self.machines[node].disk.fill(bytes_left);
                self.machines[node].is_full = true;
            }
            Strike::Rot { .. }
            | Strike::Wipe { .. }
            | Strike::OldCopy { .. }
            | Strike::ClockRate { .. }
            | Strike::Kill { .. }
            | Strike::PowerCut { .. }
            | Strike::PowerCutMidWrite { .. }
            | Strike::PowerCutAll
            | Strike::Pause { .. }
            | Strike::ClockJump { .. }
            | Strike::DiskStall { .. }
            | Strike::SyncError { .. }
            | Strike::HandOver { .. } => ends = false,
        }
        if ends {
            let lasts = self.nemesis.lasts_us();
            self.later(lasts, Event::Undo(strike));
            return;
        }
        match strike {
            Strike::Kill { node } => self.end(node, false, Mark::Kill),
            Strike::PowerCut { node } => self.end(node, true, Mark::PowerCut),
            Strike::PowerCutAll => {
                for node in 0..self.machines.len() {
                    self.end(node, true, Mark::PowerCut);
                }
            }
            Strike::PowerCutMidWrite { node, operations } => {
                self.machines[node].disk.fail_after(operations);
            }
            Strike::SyncError { node } => self.machines[node].disk.fail_syncs(1),
            Strike::Pause { node, for_us } => {
                self.marks.hit(Mark::Pause);
                self.machines[node].paused_until_us = now_us + for_us;
                self.machines[node].frozen_until_us = now_us + for_us;
            }
            Strike::ClockJump { node, by_us } => {
                self.marks.hit(Mark::ClockJump);
                self.machines[node].wall_offset_us = by_us;
            }
            Strike::DiskStall { node, for_us } => {
                self.marks.hit(Mark::DiskStall);
                self.machines[node].disk_stalls_until_us = now_us + for_us;
            }
            Strike::HandOver { node } => {
                self.marks.hit(Mark::HandOver);
                self.input(node, Input::HandOver { to: None });
            }
            Strike::Rot { node, bytes } => {
                let mut node = node;
                while let Some(now) = self.machines[node].moved_to {
                    node = now;
                }
                self.rot(node, bytes);
            }
            Strike::Wipe { node, founds } => self.wipe(node, founds),
            Strike::OldCopy { node } => self.old_copy(node),
            Strike::ClockRate { node, ppm } => {
                self.marks.hit(Mark::ClockRate);
                self.machines[node].wall_rate = (ppm, now_us);
            }
            Strike::Cut { .. }
            | Strike::Isolate { .. }
            | Strike::Storm
            | Strike::DiskFull { .. } => {}
        }
    }

    pub(super) fn end(&mut self, node: usize, power_cut: bool, mark: Mark) {
        if self.machines[node].process.is_some() {
            self.marks.hit(mark);
            self.crash(node, power_cut);
        }
    }

    fn others(&self, node: usize) -> impl Iterator<Item = usize> + use<> {
        (0..=self.plan.slots + self.plan.clients).filter(move |other| *other != node)
    }

    pub(super) fn undo(&mut self, strike: Strike) {
        match strike {
            Strike::Cut { from, to, both } => {
                self.network.mend(from, to);
                if both {
                    self.network.mend(to, from);
                }
            }
            Strike::Isolate { node, inward, outward } => {
                for other in self.others(node) {
                    if inward {
                        self.network.mend(other, node);
                    }
                    if outward {
                        self.network.mend(node, other);
                    }
                }
            }
            Strike::Storm => self.network.storm(false),
            Strike::DiskFull { node, .. } => {
                self.machines[node].disk.limit(None);
                self.machines[node].is_full = false;
            }
            Strike::Rot { .. }
            | Strike::Wipe { .. }
            | Strike::OldCopy { .. }
            | Strike::ClockRate { .. }
            | Strike::Kill { .. }
            | Strike::PowerCut { .. }
            | Strike::PowerCutMidWrite { .. }
            | Strike::PowerCutAll
            | Strike::Pause { .. }
            | Strike::ClockJump { .. }
            | Strike::DiskStall { .. }
            | Strike::SyncError { .. }
            | Strike::HandOver { .. } => {}
        }
    }

    /// Ends all faults for good. From here on the cluster must come right by itself.
    pub(super) fn heal(&mut self) {
        self.healed = true;
        self.network.heal();
        for machine in &mut self.machines {
            machine.disk.fail_syncs(0);
            machine.disk.fail_after(u64::MAX / 2);
            machine.disk.limit(None);
            machine.is_full = false;
            machine.disk_stalls_until_us = 0;
            machine.paused_until_us = machine.paused_until_us.min(self.now_us);
        }
        for client in &mut self.clients {
            client.stop();
        }
    }
}
