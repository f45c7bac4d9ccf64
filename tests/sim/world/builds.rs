//! Which build each machine runs: a rolling upgrade, and attempts to go back.
//!
//! In a world of two builds all begin with the older one. Machines get the newer one, one at a time, and
//! some the older one again. One that then lacks the cluster's version must end by itself, with the reason;
//! its operator installs the newer build.

use turnwise::{consensus::Versions, replica::VERSIONS};

use super::{World, event::Event};
use crate::{
    marks::Mark,
    plan::{MS, S},
};

impl World {
    /// What the build on a machine has.
    pub(super) fn build(&self, node: usize) -> Versions {
        Versions { max: self.machines[node].newest, ..VERSIONS }
    }

    /// One step of the upgrade, or one back.
    pub(super) fn change_a_build(&mut self) {
        let goes_back = !self.healed && self.build_rng.chance(300);
        let from = if goes_back { VERSIONS.max } else { VERSIONS.min };
        let of_build = |node: &usize| {
            let machine = &self.machines[*node];
            // Who has an old copy of its disk is to hear that, and no other reason.
            machine.newest == from && !machine.is_gone && !machine.old.is_in()
        };
        let machines: Vec<usize> = (0..self.machines.len()).filter(of_build).collect();
        if !machines.is_empty() {
            let node = self.build_rng.pick(&machines);
            let newest = if goes_back { VERSIONS.min } else { VERSIONS.max };
            self.marks.hit(if goes_back { Mark::OlderBuild } else { Mark::NewerBuild });
            self.install(node, newest);
        } else if self.healed {
            return;
        }
        // Who goes back just when all have the newer build meets the version on its way.
        let is_last = machines.len() == 1 && !goes_back;
        let longest = if is_last { 600 * MS } else { 5 * S };
        let pause = if self.healed { 300 * MS } else { self.build_rng.between(20 * MS, longest) };
        self.later(pause, Event::ChangeBuild);
    }

    fn install(&mut self, node: usize, newest: u32) {
        self.machines[node].newest = newest;
        // What the process before said comes on no connection of the next one.
        for other in (0..self.plan.nodes).filter(|other| *other != node) {
            for (from, to) in [(node, other), (other, node)] {
                self.network.cut(from, to);
                self.network.mend(from, to);
            }
        }
        self.crash(node, false);
    }

    /// A build that lacks the cluster's version has ended, as it must.
    pub(super) fn outdated(&mut self, node: usize, mark: Mark) {
        self.note("outdated", node);
        let newest = self.machines[node].newest;
        assert!(newest < VERSIONS.max && self.checks.may_be_raised, "{mark:?}: it has {newest}");
        self.marks.hit(mark);
        self.install(node, VERSIONS.max);
    }

    /// Everybody who is left could go to the newest version, and has.
    pub(super) fn is_raised(&self) -> bool {
        let at_newest = |version| version == VERSIONS.max;
        // Who is gone for ever is a member all the same, and waited for until somebody removes it.
        self.machines.iter().any(|machine| machine.is_gone)
            || self.machines.iter().all(|machine| {
                machine.process.as_ref().is_some_and(|it| at_newest(it.node().status().version))
            })
    }
}
