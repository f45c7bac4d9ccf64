//! The rows of the fault matrix: what strikes whom under which load, how often, and what it needs.
//!
//! | File | Rows |
//! |---|---|
//! | `processes` | 1, 2, 3, 15, 17, and the hand-over: kills, pauses, limits, restarts |
//! | `network` | 4 to 7: partitions, loss, resets, slow links |
//! | `disks` | 8 to 12: power cuts, failing and stalling syncs, rot, a wiped disk |
//! | `clocks` | 13 |
//! | `many` | 16 and the restart with a million assignments |
//! | `all` | 18 |
//!
//! Row 14, changes of the membership, is not written yet; it belongs here with workload W3.

mod all;
mod clocks;
mod disks;
mod many;
mod network;
mod processes;

use std::{collections::BTreeMap, time::Duration};

use turnwise::clock;

use crate::{
    Tools,
    cluster::{Cluster, Res, Setup},
    fuse::FuseDisk,
    load::Workload::{self, W1, W2, W4},
    net::{self, Net},
    run::Struck,
};

/// One line of the matrix.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// Its number in the matrix, or a word.
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) workload: Workload,
    /// Runs in the short form and in the long one.
    pub(crate) runs: (u64, u64),
    fault: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    KillLeader,
    KillAny,
    KillAll,
    PauseLeader,
    Partition,
    Asymmetric,
    Partial,
    BadLinks,
    PowerCut,
    PowerCutAll,
    DiskErrors,
    SyncStall,
    Rot,
    Wiped,
    ClockJumps,
    FewDescriptors,
    LittleCpu,
    SlowFollower,
    SlowFollowerMany,
    Rolling,
    HandOver,
    Nothing,
    RestartMany,
    All,
}

const fn row(
    id: &'static str,
    name: &'static str,
    workload: Workload,
    runs: (u64, u64),
    fault: Fault,
) -> Row {
    Row { id, name, workload, runs, fault }
}

/// All rows, in the order they are run.
pub(crate) const ROWS: [Row; 24] = [
    row("1", "kill -9 the leader", W1, (4, 300), Fault::KillLeader),
    row("2", "kill -9 a random node", W4, (2, 60), Fault::KillAny),
    row("2", "kill -9 all nodes at once", W4, (1, 40), Fault::KillAll),
    row("3", "SIGSTOP the leader", W2, (2, 40), Fault::PauseLeader),
    row("4", "partition: leader alone, follower alone, bridge", W2, (3, 60), Fault::Partition),
    row("5", "leader deaf, leader mute, follower deaf, mute", W2, (4, 60), Fault::Asymmetric),
    row("6", "five nodes, one link cut", W2, (1, 12), Fault::Partial),
    row("7", "loss 5-30%, resets, 64 kbit/s", W4, (3, 36), Fault::BadLinks),
    row("8", "power cut: leader, follower", W4, (2, 70), Fault::PowerCut),
    row("8", "power cut: all at once", W4, (1, 50), Fault::PowerCutAll),
    row("9", "fsync EIO, ENOSPC, EROFS: one, leader, majority", W2, (3, 27), Fault::DiskErrors),
    row("10", "fsync of the leader stalls", W2, (1, 20), Fault::SyncStall),
    row("11", "bit flips and truncations, then the leader dies", W2, (3, 80), Fault::Rot),
    row("12", "disk wiped", W1, (1, 10), Fault::Wiped),
    row("13", "clock jumps on leader and followers", W2, (2, 16), Fault::ClockJumps),
    row("15", "64 descriptors", W1, (1, 6), Fault::FewDescriptors),
    row("15", "10% of a CPU", W1, (1, 6), Fault::LittleCpu),
    row("16", "a follower comes back by snapshot", W1, (1, 10), Fault::SlowFollower),
    row("16", "the same with 1M assignments", W1, (0, 1), Fault::SlowFollowerMany),
    row("17", "rolling restart", W4, (1, 20), Fault::Rolling),
    row("18", "all of it together", W4, (1, 40), Fault::All),
    row("handover", "SIGTERM the leader: time without a success", W1, (3, 100), Fault::HandOver),
    row("handover", "the same without SIGTERM, to compare", W1, (2, 100), Fault::Nothing),
    row("restart", "restart with 1M assignments", W1, (0, 4), Fault::RestartMany),
];

/// Whether a group of processes can be given a part of a CPU.
pub(crate) fn can_limit_cpu() -> Res<()> {
    processes::can_limit_cpu()
}

/// A cluster, and what it stands on.
pub(crate) struct World {
    // Dropped in this order: who runs, before what they run on.
    pub(crate) cluster: Cluster,
    pub(crate) disks: BTreeMap<u64, FuseDisk>,
    pub(crate) net: Option<Net>,
    /// How many teams were made on it.
    pub(crate) teams: u64,
    /// Whether the million assignments are there.
    many: bool,
    /// Who was not there when they were made.
    behind: Option<u64>,
    _folder: tempfile::TempDir,
}

impl World {
    fn disk(&self, id: u64) -> Res<&FuseDisk> {
        self.disks.get(&id).ok_or_else(|| format!("node {id} has no disk of ours"))
    }

    fn net(&self) -> Res<&Net> {
        self.net.as_ref().ok_or_else(|| "no network of ours".to_owned())
    }
}

/// A number from a range, the ends included.
fn between(least: u64, most: u64) -> u64 {
    rand::random_range(least..=most)
}

fn pick<T: Clone>(all: &[T]) -> T {
    all[rand::random_range(0..all.len())].clone()
}

async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// A fault that begins now.
fn now() -> Struck {
    Struck { at: clock::monotonic(), ..Struck::default() }
}

impl Row {
    fn on_disks(&self) -> bool {
        matches!(
            self.fault,
            Fault::PowerCut
                | Fault::PowerCutAll
                | Fault::DiskErrors
                | Fault::SyncStall
                | Fault::All
        )
    }

    fn on_net(&self) -> bool {
        matches!(
            self.fault,
            Fault::Partition | Fault::Asymmetric | Fault::Partial | Fault::BadLinks | Fault::All
        )
    }

    /// Why it can't be run here.
    pub(crate) fn missing(&self, tools: &Tools) -> Option<String> {
        let mut needed = Vec::new();
        if self.on_net() {
            needed.extend([tools.namespaces.as_ref().err(), tools.filters.as_ref().err()]);
        }
        if self.on_disks() {
            needed.push(tools.fuse.as_ref().err());
        }
        match self.fault {
            Fault::ClockJumps => needed.push(tools.faketime.as_ref().err()),
            Fault::FewDescriptors => needed.push(tools.prlimit.as_ref().err()),
            Fault::LittleCpu => needed.push(tools.cgroup.as_ref().err()),
            _ => {}
        }
        needed.into_iter().flatten().next().cloned()
    }

    /// A new cluster for it.
    pub(crate) async fn world(&self, tools: &Tools) -> Res<World> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let count: u64 = if self.fault == Fault::Partial { 5 } else { 3 };
        let mut setup = Setup { count, ..Setup::default() };
        let mut disks = BTreeMap::new();
        let mut net = None;
        if self.on_net() {
            net = Some(Net::new(count)?);
            setup.flags.push("--insecure".to_owned());
            for id in 1..=count {
                setup.address.insert(id, net::address(id));
                setup.under.insert(id, Net::under(id));
            }
        }
        if self.on_disks() {
            for id in 1..=count {
                let disk = FuseDisk::mount(&folder.path().join(format!("disk-{id}")))?;
                setup.data.insert(id, disk.folder().to_owned());
                disks.insert(id, disk);
            }
        }
        // Small, so that snapshots are written and logs cut all the time.
        let often = ["--snapshot-every", "64KiB", "--log-tail-max", "64KiB"].map(str::to_owned);
        match self.fault {
            Fault::RestartMany => {}
            Fault::SlowFollower => {
                let flags = ["--snapshot-every", "16KiB", "--log-tail-max", "8KiB"];
                setup.flags.extend(flags.map(str::to_owned));
            }
            Fault::SlowFollowerMany => {
                let flags = ["--snapshot-every", "16MiB", "--log-tail-max", "1MiB"];
                setup.flags.extend(flags.map(str::to_owned));
            }
            Fault::FewDescriptors => {
                // The last one, so that there is a leader among the others.
                let under = ["prlimit", "--nofile=64:64"].map(str::to_owned).to_vec();
                setup.under.insert(3, under);
            }
            Fault::ClockJumps => setup.env = clocks::env(tools, folder.path())?,
            _ => setup.flags.extend(often),
        }
        let cluster = Cluster::start(setup).await?;
        Ok(World { cluster, disks, net, teams: 0, many: false, behind: None, _folder: folder })
    }

    /// What has to be there before the clients come.
    pub(crate) async fn prepare(&self, world: &mut World) -> Res<()> {
        match self.fault {
            Fault::SlowFollowerMany => many::fill_behind_a_follower(world).await,
            Fault::RestartMany => many::fill(world).await,
            _ => Ok(()),
        }
    }

    /// Does it once, and lets everything be whole again: all nodes run, though they may not be ready.
    pub(crate) async fn strike(&self, world: &mut World, round: u64) -> Res<Struck> {
        match self.fault {
            Fault::KillLeader => processes::kill_leader(world).await,
            Fault::KillAny => processes::kill_any(world).await,
            Fault::KillAll => processes::kill_all(world).await,
            Fault::PauseLeader => processes::pause_leader(world, round).await,
            Fault::FewDescriptors => processes::few_descriptors(world).await,
            Fault::LittleCpu => processes::little_cpu(world, round).await,
            Fault::Rolling => processes::rolling(world).await,
            Fault::HandOver => processes::hand_over(world).await,
            Fault::Nothing => processes::nothing().await,
            Fault::Partition => network::partition(world, round).await,
            Fault::Asymmetric => network::asymmetric(world, round).await,
            Fault::Partial => network::partial(world).await,
            Fault::BadLinks => network::bad_links(world, round).await,
            Fault::PowerCut => disks::power_cut(world, round).await,
            Fault::PowerCutAll => disks::power_cut_all(world).await,
            Fault::DiskErrors => disks::errors(world, round).await,
            Fault::SyncStall => disks::stall(world, round).await,
            Fault::Rot => disks::rot(world).await,
            Fault::Wiped => disks::wiped(world).await,
            Fault::ClockJumps => clocks::jump(world, round).await,
            Fault::SlowFollower => many::slow_follower(world).await,
            Fault::SlowFollowerMany => many::catch_up(world).await,
            Fault::RestartMany => many::restart(world, round).await,
            Fault::All => all::all(world).await,
        }
    }
}
