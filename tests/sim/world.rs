//! The world of one seed: nodes, disks, clocks, links, clients, and one heap of events.
//!
//! Single-threaded. Events are taken in order of (time, number), where the number is the order in
//! which they were put in; nothing reads a real clock or iterates a hash map, so a seed is one
//! history. A hash over what happened is kept, and two runs of a seed must agree on it.

mod builds;
mod disks;
mod event;
mod faults;
mod finish;
mod links;
mod members;
mod old_copies;

use std::collections::BTreeMap;

use turnwise::{
    consensus::{Incarnation, Input, NodeConfig, NodeId, Now},
    routing::State,
};
use xxhash_rust::xxh3::Xxh3;

use self::{
    event::{Event, Letter, node_of},
    old_copies::OldDisks,
};

use crate::{
    checks::Checks,
    client::{Client, Told, Wish},
    marks::{Mark, Marks},
    members::{Growth, Operator},
    memdisk::MemDisk,
    nemesis::Nemesis,
    network::Network,
    plan::{MS, Plan, S, Worlds},
    process::{Context, Down, Out, Process, incarnation},
    rng::Rng,
};

/// When simulated time starts, as wall clocks say it: 2026-01-01.
pub(crate) const EPOCH_US: u64 = 1_767_225_600 * S;

/// A machine: its disk and clocks outlive the process on it.
struct Machinery {
    disk: MemDisk,
    /// Of its data directory, drawn when that was founded.
    incarnation: Incarnation,
    /// Whether an empty directory may become a member's: somebody said so.
    founds: bool,
    /// The newest version of the cluster that the build on it has.
    newest: u32,
    /// What was done to its disk for good.
    is_rotten: bool,
    /// Emptied, or an old copy: what it acknowledged is lost.
    is_wiped: bool,
    old: OldDisks,
    /// By peer: in which run of its own it has checked which run of the peer, and the other way round.
    greeted: BTreeMap<usize, (u64, u64)>,
    /// Where its disk is, since that came back as another node's.
    moved_to: Option<usize>,
    /// It was refused, by itself or by its peers, and stays away.
    is_gone: bool,
    process: Option<Process>,
    /// Which run of the process this is; events of earlier runs are void.
    boot: u64,
    paused_until_us: u64,
    /// When the nemesis lets the process go on.
    frozen_until_us: u64,
    /// Its monotonic clock gains this many microseconds a second, or loses them.
    drift_ppm: i64,
    wall_offset_us: i64,
    /// Its wall clock gains this much a second, since then.
    wall_rate: (i64, u64),
    is_full: bool,
    /// Syncs that failed, as far as the process that was told has ended.
    failed_syncs: u64,
    /// Disk operations take at least until then.
    disk_stalls_until_us: u64,
}

/// See the module.
pub(crate) struct World {
    pub(crate) plan: Plan,
    seed: u64,
    now_us: u64,
    events: BTreeMap<(u64, u64), Event>,
    next_event: u64,
    machines: Vec<Machinery>,
    network: Network,
    clients: Vec<Client>,
    told: Told,
    nemesis: Nemesis,
    checks: Checks,
    marks: Marks,
    /// Snapshot transfers under way: from whom, to whom.
    transfers: BTreeMap<u64, (usize, u64, NodeId)>,
    next_transfer: u64,
    disk_rng: Rng,
    clock_rng: Rng,
    build_rng: Rng,
    /// Who changes the members, where they change.
    operator: Option<Operator>,
    trace: Xxh3,
    healed: bool,
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) trace: u64,
    pub(crate) simulated_us: u64,
    pub(crate) operations: u64,
    pub(crate) checks: u64,
    pub(crate) marks: Marks,
}

impl World {
    pub(crate) fn new(seed: u64, worlds: Worlds) -> Self {
        let plan = Plan::draw(seed, worlds);
        let mut clock_rng = Rng::stream(seed, "clock");
        let offset_max = plan.clock_offset_max_us;
        let machines = (0..plan.nodes).map(|node| {
            let drift = clock_rng.between(0, 2 * plan.clock_drift_ppm_max);
            let offset = clock_rng.between(0, 2 * offset_max);
            Machinery {
                disk: MemDisk::new(),
                incarnation: incarnation(id_of(node)),
                founds: true,
                newest: plan.newest,
                is_rotten: false,
                is_wiped: false,
                old: OldDisks::default(),
                greeted: BTreeMap::new(),
                moved_to: None,
                is_gone: false,
                process: None,
                boot: 0,
                paused_until_us: 0,
                frozen_until_us: 0,
                drift_ppm: drift.cast_signed() - plan.clock_drift_ppm_max.cast_signed(),
                wall_offset_us: offset.cast_signed() - offset_max.cast_signed(),
                wall_rate: (0, 0),
                is_full: false,
                failed_syncs: 0,
                disk_stalls_until_us: 0,
            }
        });
        let spares = (plan.nodes..plan.slots).map(|_| Machinery::spare(plan.newest));
        let machines = machines.chain(spares).collect();
        let clients = (0..plan.clients).map(|id| {
            Client::new(id, seed, plan.nodes, plan.operations_per_client, plan.think_max_us)
        });
        let mut world = Self {
            seed,
            now_us: 0,
            events: BTreeMap::new(),
            next_event: 0,
            machines,
            network: Network::new(seed, plan.slots + plan.clients + 1, plan.link),
            clients: clients.collect(),
            told: Told::default(),
            nemesis: Nemesis::new(seed, &plan),
            checks: Checks::new(plan.nodes, State::new().hash(), plan.clock_offset_max_us),
            marks: Marks::default(),
            transfers: BTreeMap::new(),
            next_transfer: 0,
            disk_rng: Rng::stream(seed, "disk"),
            clock_rng,
            build_rng: Rng::stream(seed, "build"),
            operator: match plan.growth.clone() {
                Some(growth) => Some(Operator::new(seed, growth, true)),
                None if plan.rejoins > 0 => {
                    Some(Operator::new(seed, Growth::none(plan.nodes, plan.rejoins), false))
                }
                None => None,
            },
            trace: Xxh3::new(),
            healed: false,
            plan,
        };
        for node in 0..world.plan.nodes {
            world.at(0, Event::Boot { node });
        }
        for client in 0..world.plan.clients {
            world.at(S, Event::Next { client });
        }
        world.at(3 * S, Event::Strike);
        if world.plan.upgrade {
            world.at(2 * S, Event::ChangeBuild);
        }
        if world.operator.is_some() {
            world.at(S, Event::Operate);
        }
        world.at(world.plan.faults_until_us, Event::Heal);
        world
    }

    /// Runs it to its end.
    pub(crate) fn run(mut self) -> Report {
        while let Some(((at_us, _), event)) = self.events.pop_first() {
            assert!(
                at_us <= self.plan.end_us,
                "no progress after all was healed: {}",
                self.state()
            );
            self.now_us = at_us;
            self.happen(event);
            if self.healed && self.has_settled() {
                break;
            }
        }
        self.check_the_end();
        Report {
            trace: self.trace.digest(),
            simulated_us: self.now_us,
            operations: u64::try_from(self.told.done.len()).unwrap() + self.told.reads,
            checks: self.checks.count,
            marks: self.marks,
        }
    }

    fn at(&mut self, at_us: u64, event: Event) {
        self.next_event += 1;
        self.events.insert((at_us, self.next_event), event);
    }

    fn later(&mut self, delay_us: u64, event: Event) {
        self.at(self.now_us + delay_us, event);
    }

    fn note(&mut self, what: &str, who: usize) {
        self.trace.update(&self.now_us.to_le_bytes());
        self.trace.update(what.as_bytes());
        self.trace.update(&who.to_le_bytes());
    }

    fn happen(&mut self, event: Event) {
        if let Some(node) = node_of(&event) {
            let until_us = self.machines[node].paused_until_us;
            if until_us > self.now_us {
                // The process does not run; what comes waits, in order.
                self.at(until_us, event);
                return;
            }
        }
        if let Some(at_us) = self.reads_at_us(&event)
            && at_us > self.now_us
        {
            self.at(at_us, event);
            return;
        }
        match event {
            Event::Boot { node } => self.boot(node),
            Event::Tick { node, boot } => {
                if self.is_running(node, boot) {
                    self.run_process(node, Process::tick);
                    let drift = self.machines[node].drift_ppm;
                    let tick = self.plan.tick_us.cast_signed();
                    let real = tick - tick * drift / 1_000_000;
                    self.later(real.cast_unsigned(), Event::Tick { node, boot });
                }
            }
            Event::Greet { node, boot } => {
                if self.is_running(node, boot) {
                    self.greet(node);
                    self.later(400 * MS, Event::Greet { node, boot });
                }
            }
            Event::Arrive { from, to, generation, letter } => {
                if self.network.is_alive(from, to, generation) {
                    self.arrive(from, to, letter);
                }
            }
            Event::Call { to, generation, call } => {
                if self.network.is_alive(self.plan.slots + call.client, to, generation) {
                    self.call(to, call);
                }
            }
            Event::Answer { from, client, generation, call, answer } => {
                if self.network.is_alive(from, self.plan.slots + client, generation) {
                    self.note("answer", client);
                    let (told, marks) = (&mut self.told, &mut self.marks);
                    let now_us = self.now_us;
                    let wishes = self.clients[client].answered(call, answer, now_us, told, marks);
                    self.grant(client, wishes);
                }
            }
            Event::Drain { node, boot } => {
                if self.is_running(node, boot) {
                    self.run_process(node, |process, context| process.drain(context));
                }
            }
            Event::Sync { node, boot } => {
                if self.is_running(node, boot) {
                    self.run_process(node, |process, context| process.sync(context));
                }
            }
            Event::ReadLog { node, boot, request } => {
                if self.is_running(node, boot) {
                    self.run_process(node, |process, context| process.read_log(context, request));
                }
            }
            Event::Save { node, boot, save } => {
                if self.is_running(node, boot) {
                    self.run_process(node, |process, context| process.save(context, *save));
                }
            }
            Event::TransferEnds { node, boot, transfer, delivered } => {
                if let Some((_, _, to)) = self.transfers.remove(&transfer)
                    && self.is_running(node, boot)
                {
                    if !delivered {
                        self.marks.hit(Mark::SnapshotTransferCut);
                    }
                    self.input(node, Input::SnapshotSent { to, delivered });
                }
            }
            Event::Unreachable { node, boot, peer } => {
                if self.is_running(node, boot) {
                    self.input(node, Input::Unreachable { peer });
                }
            }
            Event::Wake { client, token } => {
                let (told, marks) = (&mut self.told, &mut self.marks);
                let wishes = self.clients[client].woke(token, self.now_us, told, marks);
                self.grant(client, wishes);
            }
            Event::Next { client } => self.next_of(client),
            Event::Strike => self.strike(),
            Event::Undo(strike) => self.undo(strike),
            Event::ChangeBuild => self.change_a_build(),
            Event::Operate => self.operate(),
            Event::Ask { to, generation, id, change } => self.asked(to, generation, id, *change),
            Event::Told { from, generation, id, outcome, leader } => {
                self.told(from, generation, id, *outcome, leader);
            }
            Event::Heal => self.heal(),
        }
    }

    /// When a process that was frozen comes to read from a connection: which of them it reads first is
    /// nobody's choice.
    fn reads_at_us(&self, event: &Event) -> Option<u64> {
        let Event::Arrive { from, to, .. } = event else { return None };
        let frozen_until_us = self.machines[*to].frozen_until_us;
        (frozen_until_us + 3 * MS > self.now_us).then(|| {
            let name = format!("{to} reads {from} {frozen_until_us}");
            frozen_until_us + Rng::stream(self.seed, &name).between(0, 3 * MS)
        })
    }

    fn is_running(&self, node: usize, boot: u64) -> bool {
        self.machines[node].boot == boot && self.machines[node].process.is_some()
    }

    fn clock(&self, node: usize) -> Now {
        let machine = &self.machines[node];
        let now = self.now_us.cast_signed();
        let monotonic = now + now * machine.drift_ppm / 1_000_000;
        let (rate, since_us) = machine.wall_rate;
        let gained = (self.now_us - since_us).cast_signed() * rate / 1_000_000;
        let wall = EPOCH_US.cast_signed() + monotonic + machine.wall_offset_us + gained;
        Now { monotonic_us: monotonic.cast_unsigned(), wall_us: wall.cast_unsigned() }
    }

    fn boot(&mut self, node: usize) {
        if self.machines[node].process.is_some() || self.machines[node].is_gone {
            return;
        }
        self.note("boot", node);
        let voters: Vec<NodeId> = (0..self.plan.nodes).map(id_of).collect();
        let id = id_of(node);
        let mut config = NodeConfig::new(id, self.machines[node].incarnation);
        config.versions = self.build(node);
        config.seed = self.seed;
        config.boot_nonce = self.clock_rng.next();
        config.memory_tail_bytes = self.plan.memory_tail_bytes;
        config.retained_log_bytes = self.plan.retained_log_bytes;
        config.snapshot_every_bytes = self.plan.snapshot_every_bytes;
        let mut context = Context {
            clock: self.clock(node),
            checks: &mut self.checks,
            marks: &mut self.marks,
            out: Vec::new(),
        };
        context.checks.now_us = self.now_us;
        let machine = &mut self.machines[node];
        context.checks.runs(id, machine.newest);
        machine.boot += 1;
        let boot = machine.boot;
        if boot > 1 {
            context.marks.hit(Mark::Restart);
        }
        let failed_syncs = machine.disk.failed_syncs();
        let started = Process::start(
            config,
            &voters,
            &machine.disk,
            self.plan.segment_bytes,
            self.plan.inline_disk,
            machine.founds,
            &mut context,
        );
        match started {
            Ok(process) => {
                machine.process = Some(process);
                // From here on, only what is there counts.
                machine.founds = false;
                machine.failed_syncs = machine.disk.failed_syncs();
                assert_eq!(failed_syncs, machine.failed_syncs, "{id} starts after a failed fsync");
                self.later(1, Event::Tick { node, boot });
                self.later(2, Event::Greet { node, boot });
            }
            Err(Down::Disk(error)) if error.is_version() => {
                self.outdated(node, Mark::OldBuildDoesNotStart);
            }
            Err(Down::Disk(error)) if self.refuses(node, &error) => {
                self.leave(node);
                if error.is_rot() {
                    self.sets_out_again(node);
                }
            }
            Err(down) => self.down(node, down),
        }
    }

    /// Lets a process do something and carries out what it asks for.
    fn run_process(
        &mut self,
        node: usize,
        step: impl FnOnce(&mut Process, &mut Context<'_>) -> Result<(), Down>,
    ) {
        let mut context = Context {
            clock: self.clock(node),
            checks: &mut self.checks,
            marks: &mut self.marks,
            out: Vec::new(),
        };
        context.checks.now_us = self.now_us;
        let Some(process) = &mut self.machines[node].process else { return };
        let result = step(process, &mut context);
        let status = process.status();
        let numbers = [status.term, status.commit, status.applied, status.last_index];
        let hash = process.machine().hash();
        let out = context.out;
        self.note("step", node);
        self.trace.update(&hash.to_le_bytes());
        for number in numbers {
            self.trace.update(&number.to_le_bytes());
        }
        self.carry_out(node, out);
        let failed_syncs = self.machines[node].disk.failed_syncs();
        match result {
            Err(down) => self.down(node, down),
            Ok(()) => assert!(
                failed_syncs == self.machines[node].failed_syncs,
                "node {} goes on after a failed fsync",
                id_of(node)
            ),
        }
        self.machines[node].failed_syncs = failed_syncs;
    }

    fn input(&mut self, node: usize, input: Input) {
        self.run_process(node, |process, context| process.handle(context, input));
    }

    fn carry_out(&mut self, node: usize, out: Vec<Out>) {
        let boot = self.machines[node].boot;
        for out in out {
            match out {
                Out::Send(message) => {
                    let to = index_of(NodeId(message.to));
                    let wall_us = self.clock(node).wall_us;
                    let letter = Letter::Raft { message, wall_us, said: self.said(node) };
                    if !self.post(node, to, letter) && self.disk_rng.chance(300) {
                        let peer = id_of(to);
                        self.later(MS, Event::Unreachable { node, boot, peer });
                    }
                }
                Out::Transfer { to, message, file } => self.transfer(node, to, message, file),
                Out::Answer { client, call, answer } => self.answer(node, client, call, answer),
                Out::Drain => {
                    let delay = self.disk_rng.between(0, 300);
                    self.later(delay, Event::Drain { node, boot });
                }
                Out::Sync => {
                    let delay = self.disk_delay(node);
                    self.later(delay, Event::Sync { node, boot });
                }
                Out::Blocked => {
                    let until = self.now_us + self.disk_delay(node);
                    let machine = &mut self.machines[node];
                    machine.paused_until_us = machine.paused_until_us.max(until);
                }
                Out::ReadLog(request) => {
                    let delay = self.disk_rng.between(10, 2 * MS);
                    self.later(delay, Event::ReadLog { node, boot, request });
                }
                Out::Save(save) => {
                    let delay = self.disk_rng.between(MS, 150 * MS);
                    self.later(delay, Event::Save { node, boot, save });
                }
                Out::Changed(id, outcome) => self.tell(node, id, outcome),
                Out::Removed => self.sent_away(node, Mark::RemovedEnded),
            }
        }
    }

    fn disk_delay(&mut self, node: usize) -> u64 {
        let delay = self.disk_rng.between(self.plan.sync_min_us, self.plan.sync_max_us);
        let stall = self.machines[node].disk_stalls_until_us.saturating_sub(self.now_us);
        delay + stall
    }

    fn next_of(&mut self, client: usize) {
        if client != 0 && !self.clients[0].has_founded() {
            self.later(50 * MS, Event::Next { client });
            return;
        }
        let wall_us = EPOCH_US + self.now_us;
        let (told, marks) = (&mut self.told, &mut self.marks);
        let wishes = self.clients[client].next(self.now_us, wall_us, told, marks);
        self.grant(client, wishes);
    }

    fn grant(&mut self, client: usize, wishes: Vec<Wish>) {
        for wish in wishes {
            match wish {
                Wish::Send { endpoint, call } => {
                    let from = self.plan.slots + client;
                    for arrival in self.network.send(from, endpoint, self.now_us) {
                        let (generation, call) = (arrival.generation, call.clone());
                        self.at(arrival.at_us, Event::Call { to: endpoint, generation, call });
                    }
                }
                Wish::Wake { at_us, token } => self.at(at_us, Event::Wake { client, token }),
                Wish::Next { at_us } => self.at(at_us, Event::Next { client }),
            }
        }
    }

    /// Ends a process, and the power of its machine if `power_cut`; it starts again later.
    fn crash(&mut self, node: usize, power_cut: bool) {
        self.note("crash", node);
        let machine = &mut self.machines[node];
        machine.process = None;
        machine.paused_until_us = 0;
        machine.boot += 1;
        if power_cut {
            if !machine.disk.is_synced(".log") {
                self.marks.hit(Mark::UnsyncedAtPowerCut);
            }
            machine.disk.crash(self.disk_rng.next());
        } else {
            machine.disk.restart();
        }
        self.nemesis.broken_disk(node);
        let rest = if self.healed { 100 * MS } else { self.disk_rng.between(20 * MS, 3 * S) };
        self.later(rest, Event::Boot { node });
    }
}

fn id_of(node: usize) -> NodeId {
    NodeId(u64::try_from(node).unwrap() + 1)
}

fn index_of(node: NodeId) -> usize {
    usize::try_from(node.0 - 1).unwrap()
}
