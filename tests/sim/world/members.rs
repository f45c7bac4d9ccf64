//! Carrying out what the operator wants: calls about the members, machines that join by the production
//! road, disks that are lost, machines that come back after they were removed.

use std::{collections::BTreeMap, path::Path, rc::Rc, sync::Arc};

use turnwise::{
    consensus::{
        Change, ChangeId, Changed, Incarnation, NodeId, NotChanged,
        driver::{JoinError, Joined, Road, StartError, come_back, enter, give_up, note, set_out},
        log::LogConfig,
    },
    proto::turnwise::peer::v1::Admitted,
    routing::State,
};

use super::{Machinery, World, event::Event, id_of, index_of, old_copies::OldDisks};
use crate::{
    configs::Step,
    marks::Mark,
    members::{Asked, By, Joiner, Operator, Wanted},
    memdisk::MemDisk,
    plan::{MS, S},
    process::Process,
    store::{self, CLUSTER_ID, StoreError},
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
        if operator.has_ideas && self.now_us >= operator.idea_at_us {
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
                Step::Promoted if self.checks.configs.came_back(taken.node) => Mark::Rejoined,
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
                if operator.rng.chance(500) {
                    self.wipe(index_of(some), false);
                } else {
                    self.old_copy(index_of(some));
                }
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
            if self.healed {
                joiner.disk.limit(None);
            }
            if joiner.change().is_some() && operator.rng.chance(980) {
                return true;
            }
            if operator.rng.chance(300) && !self.healed {
                joiner.disk.fail_after(operator.rng.between(0, joiner.steps()));
            }
            match self.step(joiner, &mut operator.rng) {
                Ok(Road::Asks(incarnation)) => joiner.incarnation = Some(incarnation),
                Ok(Road::Joined(joined)) => {
                    joiner.disk.restart();
                    self.take_in(&mut operator.rng, joined, &joiner.disk);
                    if let By::Rot(lost, _) = joiner.by {
                        self.machines[index_of(lost)].moved_to = Some(index_of(joined.node_id));
                    }
                    return false;
                }
                Err(JoinError::Start(error @ StartError::Note { .. })) => panic!("{error}"),
                Err(_) => {
                    self.marks.hit(Mark::JoinInterrupted);
                    joiner.crash(operator.rng.next());
                }
            }
            true
        });
        operator.joiners.extend(joiners);
    }

    /// The next step of a machine on its way, by the production road.
    fn step(&self, joiner: &mut Joiner, rng: &mut crate::rng::Rng) -> Result<Road, JoinError> {
        let path = Path::new(PATH);
        let draw = || u128::from(rng.next()) << 64 | u128::from(rng.next());
        let log = LogConfig { segment_bytes: self.plan.segment_bytes };
        let answer = joiner.admitted.clone().zip(joiner.incarnation);
        let disk = Arc::new(joiner.disk.clone());
        match (&mut joiner.by, answer) {
            (By::Token(_), None) => set_out(&*disk, path, draw),
            (By::Token(_), Some((admitted, incarnation))) => {
                enter::<State, _>(&disk, path, log, incarnation, admitted).map(Road::Joined)
            }
            (By::Rot(lost, known), None) => {
                let before = note(&*disk, path)?.filter(|note| note.lost() == *lost);
                let note = match before {
                    Some(note) => note,
                    None => {
                        let mine = Joined { cluster_id: CLUSTER_ID, node_id: *lost };
                        let damage = self.rotten(*lost, &disk);
                        let damage =
                            damage.unwrap_or_else(|| panic!("{lost} is rotten, and started"));
                        give_up(&*disk, path, damage, Some(mine), draw)?
                    }
                };
                let road = note.back().map_or(Road::Asks(note.incarnation), Road::Joined);
                *known = Some(note);
                Ok(road)
            }
            (By::Rot(_, note), Some((admitted, _))) => {
                let note = note.take().expect("it has asked with it");
                come_back::<State, _>(&disk, path, log, note, admitted).map(Road::Joined)
            }
        }
    }

    /// Why a node does not start from this disk.
    fn rotten(&self, node: NodeId, disk: &MemDisk) -> Option<StartError> {
        let Machinery { incarnation, .. } = self.machines[index_of(node)];
        let versions = self.build(index_of(node));
        let segment_bytes = self.plan.segment_bytes;
        match store::open(disk, node, incarnation, versions, &[], segment_bytes, false) {
            Ok(_) => None,
            Err(StoreError::Start(damage)) => Some(damage),
            Err(other) => panic!("{other}"),
        }
    }

    /// A machine whose disk is rotten asks to be taken back, where the plan has room for it. Its disk as it is
    /// stays where it was, and may be started again: a copy, of no use to anybody.
    pub(super) fn sets_out_again(&mut self, node: usize) {
        if self.plan.rejoins == 0 {
            return;
        }
        // With nothing on its way to the disk: an older snapshot may still come to light, and all be well.
        let disk = self.machines[node].disk.fork();
        disk.crash(self.disk_rng.next());
        let Some(damage) = self.rotten(id_of(node), &disk.fork()) else { return };
        // Where nothing sound says whose it is, it stays away.
        let mine = Some(Joined { cluster_id: CLUSTER_ID, node_id: id_of(node) });
        if give_up(&disk.fork(), Path::new(PATH), damage, mine, || 1).is_err() {
            return;
        }
        let Some(operator) = &mut self.operator else { return };
        if operator.spares > 0 {
            operator.spares -= 1;
            operator.joiners.push(Joiner::rotten(disk, self.plan.newest, id_of(node)));
            operator.sent_away(node, self.now_us);
            self.marks.hit(Mark::RejoinAsked);
        }
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
                // Before it had even begun; or another copy of its disk came back.
                Err(NotChanged::WasRemoved { node }) => {
                    assert!(self.checks.configs.is_removed(node), "{node}");
                    if matches!(operator.joiners.remove(at).by, By::Rot(..)) {
                        self.marks.hit(Mark::CopyRefused);
                    }
                }
                Err(NotChanged::CameBack { node, by }) => {
                    assert!(self.checks.configs.came_back_as(node, by), "{node} as {by}");
                    self.marks.hit(Mark::CopyRefused);
                    operator.joiners.remove(at);
                }
                // It rotted before any leader had recorded whose it was; or it had been founded anew.
                Err(NotChanged::OtherData { node }) => {
                    let mut all = self.machines.iter().filter_map(|it| it.process.as_ref());
                    let is_known =
                        |it: &Process| it.node().membership().incarnation(node).is_some();
                    if !all.all(is_known) || self.machines[index_of(node)].is_wiped {
                        operator.joiners.remove(at);
                    }
                }
                Err(NotChanged::NotLeader | NotChanged::LeadershipLost | NotChanged::Busy) => {}
                Err(NotChanged::StillHeard { .. } | NotChanged::NoQuorum { .. }) => {}
                other => panic!("who joins is told {other:?}"),
            }
        }
        self.operator = Some(operator);
    }

    /// Whether there is nothing more to ask.
    fn is_over(&mut self, operator: &mut Operator, wanted: &Wanted, outcome: &Outcome) -> bool {
        match (wanted, outcome) {
            (Wanted::Token { hash, replaces, machines, .. }, Ok(Changed::TokenCreated { .. })) => {
                let newest = self.plan.newest;
                let joiner = |_| Joiner::with_token(newest, *hash, *replaces);
                operator.joiners.extend((0..*machines).map(joiner));
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
        let is_up = |node: NodeId| {
            let machine = &self.machines[index_of(node)];
            // Nobody replaces it, where nobody wants anything.
            let is_dead = machine.is_gone && (machine.is_wiped || machine.is_rotten);
            machine.process.is_some() || (is_dead && !operator.has_ideas)
        };
        operator.is_done()
            && latest.learners.is_empty()
            && latest.voters.iter().all(|node| is_up(*node))
            && self.checks.configs.removed().all(|node| self.machines[index_of(node)].is_gone)
            && !latest.members().any(|node| self.checks.configs.is_replaced(node))
    }
}

impl Machinery {
    /// Nobody has joined with it yet.
    pub(super) fn spare(newest: u32) -> Self {
        Self {
            disk: MemDisk::new(),
            incarnation: Incarnation(0),
            founds: false,
            is_rotten: false,
            is_wiped: false,
            old: OldDisks::default(),
            greeted: BTreeMap::new(),
            moved_to: None,
            is_gone: true,
            newest,
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
