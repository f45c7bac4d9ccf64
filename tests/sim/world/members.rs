//! Carrying out what the operator wants: calls about the members, machines that join by the production
//! road, disks that are lost, machines that come back after they were removed.

use std::{path::Path, rc::Rc, sync::Arc};

use turnwise::{
    consensus::{
        Change, ChangeId, Changed, Incarnation, NodeId, NotChanged,
        driver::{Joined, Road, enter, set_out},
        log::LogConfig,
    },
    proto::turnwise::peer::v1::Admitted,
    replica::VERSIONS,
    routing::State,
};

use super::{Machinery, World, event::Event, id_of, index_of};
use crate::{
    configs::Step,
    marks::Mark,
    members::{Asked, Joiner, Operator, Wanted},
    memdisk::MemDisk,
    plan::{MS, S},
    store::CLUSTER_ID,
};

const PATH: &str = "memory";

/// What came of a call about the members.
pub(super) type Outcome = Result<Changed, NotChanged>;

impl World {
    /// Where the operator and machines that join are in the network.
    fn outside(&self) -> usize {
        self.plan.slots + self.plan.clients
    }

    /// What happens now and then.
    pub(super) fn operate(&mut self) {
        let Some(mut operator) = self.operator.take() else { return };
        self.note_changes(&mut operator);
        if self.now_us >= operator.idea_at_us {
            let gap = if self.healed { 300 * MS } else { operator.growth.gap_max_us };
            operator.idea_at_us = self.now_us + operator.rng.between(100 * MS, gap);
            self.have_an_idea(&mut operator);
        }
        self.lead_in(&mut operator);
        self.ask(&mut operator);
        self.start_again(&mut operator);
        let pause = operator.rng.between(20 * MS, 120 * MS);
        self.operator = Some(operator);
        self.later(pause, Event::Operate);
    }

    fn note_changes(&mut self, operator: &mut Operator) {
        let power_cuts = [Mark::PowerCut, Mark::PowerCutMidWrite];
        let power_cuts = power_cuts.map(|mark| self.marks.count(mark)).iter().sum();
        if power_cuts > operator.power_cuts {
            operator.power_cuts = power_cuts;
            operator.power_cut_us = self.now_us;
        }
        let taken = std::mem::take(&mut self.checks.configs.taken);
        for taken in &taken {
            self.note("change", index_of(taken.node));
            let mark = match taken.step {
                Step::Added { .. } => Mark::Joined,
                Step::Promoted => Mark::Promoted,
                Step::Removed => Mark::Removed,
            };
            self.marks.hit(mark);
            if taken.step == Step::Removed {
                if self.checks.configs.was_replaced(taken.node) {
                    self.marks.hit(Mark::Replaced);
                }
                if operator.led.contains(&taken.node) {
                    self.marks.hit(Mark::LeaderRemoved);
                }
            }
            if self.network.is_cut() {
                self.marks.hit(Mark::ChangeDuringCut);
            }
            if operator.power_cuts > 0 && self.now_us < operator.power_cut_us + 2 * S {
                self.marks.hit(Mark::ChangeAfterPowerCut);
            }
        }
        if !taken.is_empty() {
            let members: Rc<[usize]> =
                self.checks.configs.latest().members().map(index_of).collect();
            for client in &mut self.clients {
                client.learns(Rc::clone(&members));
            }
        }
    }

    fn have_an_idea(&mut self, operator: &mut Operator) {
        let configs = &self.checks.configs;
        let latest = configs.latest().clone();
        let lost = latest.members().find(|node| self.machines[index_of(*node)].is_wiped);
        if let Some(lost) = lost {
            if !operator.leaving().contains(&lost) && !configs.is_replaced(lost) {
                if operator.spares > 0 && operator.rng.chance(800) {
                    operator.wants_token(Some(lost));
                } else {
                    operator.wants(Wanted::Remove { node: lost });
                }
            }
            return;
        }
        if self.healed || operator.tasks.len() + operator.joiners.len() >= 3 {
            return;
        }
        let leaving = operator.leaving();
        let stays = |node: &NodeId| !leaving.contains(node) && !configs.is_replaced(*node);
        let staying: Vec<NodeId> = latest.members().filter(stays).collect();
        if staying.is_empty() {
            return;
        }
        let count = staying.len() + operator.coming();
        let some = operator.rng.pick(&staying);
        let leads = self.leader().map(id_of).filter(|leader| staying.contains(leader));
        let some = leads.filter(|_| operator.rng.chance(400)).unwrap_or(some);
        match operator.rng.next() % 100 {
            0..15 if operator.spares > 0 => operator.wants_token(Some(some)),
            15..35 if self.may_lose_a_disk(operator) && latest.voters.contains(&some) => {
                self.wipe(index_of(some), false);
            }
            _ if count < operator.want && operator.spares > 0 => operator.wants_token(None),
            _ if count > operator.want => operator.wants(Wanted::Remove { node: some }),
            _ => operator.want = operator.rng.pick(&operator.growth.sizes),
        }
    }

    /// Whether the others could do without any one disk, whoever of them starts again.
    fn may_lose_a_disk(&self, operator: &Operator) -> bool {
        let configs = &self.checks.configs;
        let latest = configs.latest();
        let knows = |node: &NodeId| {
            let process = self.machines[index_of(*node)].process.as_ref();
            process.is_some_and(|it| *it.node().membership().voters() == latest.voters)
        };
        latest.voters.len() >= 3
            && operator.leaving().is_empty()
            && !latest.members().any(|node| configs.is_replaced(node))
            && latest.voters.iter().all(knows)
    }

    /// What machines do that join: their own disks, by the production road.
    fn lead_in(&mut self, operator: &mut Operator) {
        let mut joiners = std::mem::take(&mut operator.joiners);
        joiners.retain_mut(|joiner| {
            if joiner.change().is_some() && operator.rng.chance(980) {
                return true;
            }
            if operator.rng.chance(300) && !self.healed {
                joiner.disk.fail_after(operator.rng.between(0, 25));
            }
            let stepped = match joiner.admitted.clone().zip(joiner.incarnation) {
                None => set_out(&joiner.disk, Path::new(PATH), || {
                    u128::from(operator.rng.next()) << 64 | u128::from(operator.rng.next())
                }),
                Some((admitted, incarnation)) => {
                    let disk = Arc::new(joiner.disk.clone());
                    let log = LogConfig { segment_bytes: self.plan.segment_bytes };
                    enter::<State, _>(&disk, Path::new(PATH), log, incarnation, admitted)
                        .map(Road::Joined)
                }
            };
            match stepped {
                Ok(Road::Asks(incarnation)) => joiner.incarnation = Some(incarnation),
                Ok(Road::Joined(joined)) => {
                    joiner.disk.restart();
                    self.take_in(&mut operator.rng, joined, &joiner.disk);
                    return false;
                }
                Err(_) => {
                    self.marks.hit(Mark::JoinInterrupted);
                    joiner.crash(operator.rng.next());
                }
            }
            true
        });
        operator.joiners.extend(joiners);
    }

    /// A directory has become a member's.
    fn take_in(&mut self, rng: &mut crate::rng::Rng, joined: Joined, disk: &MemDisk) {
        let Joined { cluster_id, node_id } = joined;
        assert_eq!(cluster_id, CLUSTER_ID);
        let node = index_of(node_id);
        self.note("joins", node);
        let machine = &mut self.machines[node];
        assert!(machine.is_gone && machine.boot == 0, "node {node_id} is there twice");
        let identity = turnwise::consensus::log::Log::whose(disk).unwrap().unwrap();
        machine.disk = disk.clone();
        machine.incarnation = identity.incarnation;
        let (drift, offset) = (self.plan.clock_drift_ppm_max, self.plan.clock_offset_max_us);
        machine.drift_ppm = rng.between(0, 2 * drift).cast_signed() - drift.cast_signed();
        machine.wall_offset_us = rng.between(0, 2 * offset).cast_signed() - offset.cast_signed();
        machine.failed_syncs = machine.disk.failed_syncs();
        machine.is_gone = false;
        self.later(0, Event::Boot { node });
    }

    fn ask(&mut self, operator: &mut Operator) {
        let now_us = self.now_us;
        let due = |asked: &Asked| asked.until_us <= now_us;
        let mut changes = Vec::new();
        let tasks_asked = operator.tasks.iter().map(|task| task.asked);
        let mut asked = tasks_asked.chain(operator.joiners.iter().map(|joiner| joiner.asked));
        if asked.any(|asked| asked.id != 0 && due(&asked)) {
            // No answer: it may be down.
            operator.leader = None;
        }
        let tasks = (0..operator.tasks.len()).filter(|at| due(&operator.tasks[*at].asked));
        for at in tasks.collect::<Vec<_>>() {
            let asked = operator.next_ask(now_us);
            let task = &mut operator.tasks[at];
            task.asked = asked;
            changes.push((
                asked.id,
                match &task.wanted {
                    Wanted::Token { hash, ttl_us, replaces, .. } => {
                        Change::CreateToken { hash: *hash, ttl_us: *ttl_us, replaces: *replaces }
                    }
                    Wanted::Remove { node } => Change::Remove { node: *node },
                },
            ));
        }
        for at in 0..operator.joiners.len() {
            if due(&operator.joiners[at].asked)
                && let Some(change) = operator.joiners[at].change()
            {
                let asked = operator.next_ask(now_us);
                operator.joiners[at].asked = asked;
                changes.push((asked.id, change));
            }
        }
        let members: Vec<NodeId> = self.checks.configs.latest().members().collect();
        for (id, change) in changes {
            let any = operator.rng.pick(&members);
            let to = operator.leader.filter(|_| operator.rng.chance(800)).unwrap_or(any);
            if let (Change::Remove { node }, Some(leader)) = (&change, self.leader().map(id_of))
                && *node == leader
            {
                operator.led.insert(leader);
            }
            let (to, change) = (index_of(to), Box::new(change));
            // A call is made once; who asks again makes another one.
            if let Some(arrival) = self.network.send(self.outside(), to, self.now_us).first() {
                let generation = arrival.generation;
                self.at(arrival.at_us, Event::Ask { to, generation, id, change });
            }
        }
    }

    /// A call about the members has come to a node.
    pub(super) fn asked(&mut self, to: usize, generation: u64, id: u64, change: Change) {
        if self.network.is_alive(self.outside(), to, generation) {
            self.run_process(to, |process, context| process.change(context, ChangeId(id), change));
        }
    }

    /// A node answers such a call.
    pub(super) fn tell(&mut self, from: usize, id: ChangeId, outcome: Outcome) {
        let leader = self.machines[from].process.as_ref().and_then(|it| it.node().status().leader);
        let to = self.outside();
        if let Some(arrival) = self.network.send(from, to, self.now_us).first() {
            let (generation, outcome) = (arrival.generation, Box::new(outcome));
            let told = Event::Told { from, generation, id: id.0, outcome, leader };
            self.at(arrival.at_us, told);
        }
    }

    /// The answer has come.
    pub(super) fn told(
        &mut self,
        from: usize,
        generation: u64,
        id: u64,
        outcome: Outcome,
        leader: Option<NodeId>,
    ) {
        if !self.network.is_alive(from, self.outside(), generation) {
            return;
        }
        let Some(mut operator) = self.operator.take() else { return };
        operator.leader = leader;
        let task = operator.tasks.iter().position(|task| task.asked.id == id);
        let joiner = operator.joiners.iter().position(|joiner| joiner.asked.id == id);
        let pause = operator.rng.between(20 * MS, 400 * MS);
        let later = Asked { id: 0, until_us: self.now_us + pause };
        if let Some(at) = task {
            let wanted = operator.tasks[at].wanted.clone();
            if self.is_over(&mut operator, &wanted, &outcome) {
                operator.tasks.remove(at);
            } else {
                operator.tasks[at].asked = later;
            }
        } else if let Some(at) = joiner {
            operator.joiners[at].asked = later;
            match outcome {
                Ok(Changed::Joined { node, membership }) => {
                    operator.joiners[at].admitted = Some(Admitted {
                        cluster_id: CLUSTER_ID.to_be_bytes().to_vec().into(),
                        node_id: node.0,
                        members: membership.introduction(|_| None),
                    });
                }
                Err(NotChanged::Token) => {
                    self.marks.hit(Mark::JoinRefused);
                    operator.joiners.remove(at);
                }
                // Before it had even begun.
                Err(NotChanged::WasRemoved { node }) => {
                    assert!(self.checks.configs.is_removed(node), "{node}");
                    operator.joiners.remove(at);
                }
                Err(NotChanged::NotLeader | NotChanged::LeadershipLost | NotChanged::Busy) => {}
                other => panic!("who joins is told {other:?}"),
            }
        }
        self.operator = Some(operator);
    }

    /// Whether there is nothing more to ask.
    fn is_over(&mut self, operator: &mut Operator, wanted: &Wanted, outcome: &Outcome) -> bool {
        match (wanted, outcome) {
            (Wanted::Token { hash, replaces, machines, .. }, Ok(Changed::TokenCreated { .. })) => {
                operator.joiners.extend((0..*machines).map(|_| Joiner {
                    disk: MemDisk::new(),
                    token: *hash,
                    replaces: *replaces,
                    incarnation: None,
                    admitted: None,
                    asked: Asked::default(),
                }));
                true
            }
            (Wanted::Remove { .. }, Ok(Changed::Removed)) => true,
            (Wanted::Token { .. }, Err(NotChanged::TooManyTokens)) => true,
            (_, Err(NotChanged::NoSuchNode { node })) => {
                // It went in the meantime; whoever is removed is known for ever.
                let is_token = matches!(wanted, Wanted::Token { .. });
                assert!(is_token && self.checks.configs.is_removed(*node), "{wanted:?}");
                true
            }
            (Wanted::Remove { node }, Err(NotChanged::LastVoter { .. })) => {
                !self.machines[index_of(*node)].is_wiped
            }
            (_, Err(_)) => {
                self.marks.hit(Mark::ChangeNotMade);
                false
            }
            (_, Ok(other)) => panic!("{wanted:?} came to {other:?}"),
        }
    }

    /// A node has read that it was removed, or a peer told it so.
    pub(super) fn sent_away(&mut self, node: usize, mark: Mark) {
        let id = id_of(node);
        assert!(self.checks.configs.is_removed(id), "node {id} ends as if it were removed");
        self.marks.hit(mark);
        self.leave(node);
        if let Some(operator) = &mut self.operator {
            operator.sent_away(node, self.now_us);
        }
    }

    fn start_again(&mut self, operator: &mut Operator) {
        let now_us = self.now_us;
        for (_, node) in operator.returns.extract_if(.., |(at_us, _)| *at_us <= now_us) {
            self.marks.hit(Mark::RemovedReturns);
            self.machines[node].is_gone = false;
            self.later(0, Event::Boot { node });
        }
    }

    /// Nobody is on the way in or out, all members vote and run, and whoever was removed has ended.
    pub(super) fn members_have_settled(&self) -> bool {
        let Some(operator) = &self.operator else { return true };
        let latest = self.checks.configs.latest();
        let is_up = |node: NodeId| self.machines[index_of(node)].process.is_some();
        operator.is_done()
            && latest.learners.is_empty()
            && latest.voters.iter().all(|node| is_up(*node))
            && self.checks.configs.removed().all(|node| self.machines[index_of(node)].is_gone)
            && !latest.members().any(|node| self.checks.configs.is_replaced(node))
    }
}

impl Machinery {
    /// Nobody has joined with it yet.
    pub(super) fn spare() -> Self {
        Self {
            disk: MemDisk::new(),
            incarnation: Incarnation(0),
            founds: false,
            is_rotten: false,
            is_wiped: false,
            is_gone: true,
            newest: VERSIONS.max,
            process: None,
            boot: 0,
            paused_until_us: 0,
            frozen_until_us: 0,
            drift_ppm: 0,
            wall_offset_us: 0,
            wall_rate: (0, 0),
            is_full: false,
            failed_syncs: 0,
            disk_stalls_until_us: 0,
        }
    }
}
