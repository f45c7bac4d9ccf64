//! Links between all who talk: delay, loss, duplicates, overtaking, cuts in one direction or both.
//!
//! A link is directed. What is under way when a link is cut is lost with it, as with a broken
//! connection. The network knows nothing of what it carries; it says when it arrives.

use crate::{plan::LinkPlan, rng::Rng};

/// Somebody who talks: nodes from 0, then clients, then who changes the members.
pub(crate) type Endpoint = usize;

#[derive(Debug, Clone, Copy, Default)]
struct Link {
    /// How many cuts are in force.
    cuts: u32,
    /// Raised by every cut: what left before it does not arrive.
    generation: u64,
    last_arrival_us: u64,
}

/// When something arrives, if its link lives that long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) at_us: u64,
    pub(crate) generation: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Network {
    endpoints: usize,
    links: Vec<Link>,
    plan: LinkPlan,
    storm: bool,
    healed: bool,
    rng: Rng,
}

impl Network {
    pub(crate) fn new(seed: u64, endpoints: usize, plan: LinkPlan) -> Self {
        Self {
            endpoints,
            links: vec![Link::default(); endpoints * endpoints],
            plan,
            storm: false,
            healed: false,
            rng: Rng::stream(seed, "network"),
        }
    }

    /// When one message arrives: never, once, or twice.
    pub(crate) fn send(&mut self, from: Endpoint, to: Endpoint, now_us: u64) -> Vec<Arrival> {
        let loss = if self.storm { 400 } else { self.plan.loss_per_mille };
        let rng = &mut self.rng;
        let (is_lost, is_doubled) = (rng.chance(loss), rng.chance(self.plan.duplicate_per_mille));
        let link = &mut self.links[from * self.endpoints + to];
        if link.cuts > 0 || (is_lost && !self.healed) {
            return Vec::new();
        }
        let copies = if is_doubled && !self.healed { 2 } else { 1 };
        let arrival = |_| {
            let mut at_us = now_us + rng.between(self.plan.delay_min_us, self.plan.delay_max_us);
            if !self.plan.reorder {
                at_us = at_us.max(link.last_arrival_us + 1);
            }
            link.last_arrival_us = link.last_arrival_us.max(at_us);
            Arrival { at_us, generation: link.generation }
        };
        (0..copies).map(arrival).collect()
    }

    /// Whether what left under this generation arrives.
    pub(crate) fn is_alive(&self, from: Endpoint, to: Endpoint, generation: u64) -> bool {
        let link = &self.links[from * self.endpoints + to];
        link.cuts == 0 && link.generation == generation
    }

    /// Cuts one direction; each cut is to be mended once.
    pub(crate) fn cut(&mut self, from: Endpoint, to: Endpoint) {
        let link = &mut self.links[from * self.endpoints + to];
        link.cuts += 1;
        link.generation += 1;
    }

    /// Takes one cut back.
    pub(crate) fn mend(&mut self, from: Endpoint, to: Endpoint) {
        let link = &mut self.links[from * self.endpoints + to];
        link.cuts = link.cuts.saturating_sub(1);
    }

    /// Whether any link is cut.
    pub(crate) fn is_cut(&self) -> bool {
        self.links.iter().any(|link| link.cuts > 0)
    }

    /// Heavy loss everywhere, or an end of it.
    pub(crate) fn storm(&mut self, rages: bool) {
        self.storm = rages;
    }

    /// Mends everything for good: from now on each message arrives once.
    pub(crate) fn heal(&mut self) {
        self.healed = true;
        self.storm = false;
        for link in &mut self.links {
            link.cuts = 0;
        }
    }
}
