//! The rows of the fault matrix: what strikes whom under which load, on what ground, and how often.
//!
//! | File | Rows |
//! |---|---|
//! | `processes` | 1, 2, 3, 17, and the hand-over: kills, pauses, restarts |
//! | `network` | 4 to 7: partitions, loss, resets, slow and long lines |
//! | `disks` | 8 to 10: power cuts, failing and stalling syncs |
//! | `damage` | 11 and 12: rot, a wiped disk, an old copy of one |
//! | `clocks` | 13 |
//! | `members` | 14 |
//! | `limits` | 15: descriptors, CPU, memory |
//! | `many` | 16 and the restart with a million assignments |
//! | `all` | 18 |
//!
//! Kinds of one fault are rows of their own, so that they can be counted apart.

mod all;
pub(crate) mod clocks;
mod damage;
mod disks;
mod limits;
mod many;
mod members;
mod network;
mod processes;

use std::time::Duration;

use turnwise::clock;

use crate::{
    Tools,
    cluster::Res,
    fuse::Moment,
    load::Workload::{self, W1, W2, W3, W4},
    run::Struck,
    world::{Ground, World},
};

/// One line of the matrix.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// Its number in the matrix, or a word.
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) workload: Workload,
    pub(crate) ground: Ground,
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
    LeaderAlone,
    FollowerAlone,
    Bridge,
    Deaf(Who),
    Mute(Who),
    /// The leader and so many followers do not see each other.
    Partial(usize),
    PartialFollowers,
    Star,
    Loss,
    Resets,
    ThinLine,
    LongLines,
    PowerCut(Who),
    PowerCutAll,
    PowerCutAt(Moment),
    DiskErrors,
    SyncStall,
    Rot,
    Wiped,
    OldCopy,
    ClockJumps,
    Members,
    FewDescriptors,
    LittleCpu,
    LittleMemory,
    LittleAddressSpace,
    SlowFollower,
    SlowFollowerMany,
    Rolling,
    HandOver,
    Nothing,
    RestartMany,
    RestartManyRested,
    All,
}

/// Whom a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Leader,
    Follower,
}

const fn row(
    id: &'static str,
    name: &'static str,
    workload: Workload,
    ground: Ground,
    runs: (u64, u64),
    fault: Fault,
) -> Row {
    Row { id, name, workload, ground, runs, fault }
}

const LEADER: Who = Who::Leader;
const FOLLOWER: Who = Who::Follower;

/// All rows, in the order they are run: those of one ground together.
pub(crate) const ROWS: &[Row] = &{
    use Fault::*;
    use Ground as G;
    [
        row("1", "kill -9 the leader", W1, G::Usual, (3, 150), KillLeader),
        row(
            "handover",
            "SIGTERM the leader: time without a success",
            W1,
            G::Usual,
            (3, 100),
            HandOver,
        ),
        row("handover", "the same without SIGTERM, to compare", W1, G::Usual, (3, 100), Nothing),
        row(
            "1",
            "kill -9 the leader, snapshots all the time",
            W1,
            G::Snapshots,
            (2, 150),
            KillLeader,
        ),
        row("2", "kill -9 a random node", W4, G::Snapshots, (1, 60), KillAny),
        row("2", "kill -9 all nodes at once", W4, G::Snapshots, (1, 40), KillAll),
        row("3", "SIGSTOP the leader", W2, G::Snapshots, (2, 40), PauseLeader),
        row("15", "10% of a CPU", W1, G::Snapshots, (1, 6), LittleCpu),
        row("15", "no memory: a cgroup's limit", W1, G::Memory, (1, 6), LittleMemory),
        row(
            "15",
            "no memory: a limit of the address space",
            W1,
            G::Memory,
            (1, 6),
            LittleAddressSpace,
        ),
        row("17", "rolling restart", W4, G::Snapshots, (1, 20), Rolling),
        row(
            "11",
            "bit flips and truncations, then the leader dies",
            W2,
            G::Snapshots,
            (2, 80),
            Rot,
        ),
        row("12", "disk wiped, node replaced", W1, G::Snapshots, (1, 10), Wiped),
        row("12", "old copy of a disk put back, node replaced", W1, G::Snapshots, (1, 10), OldCopy),
        row("4", "partition: leader alone", W2, G::Net, (1, 20), LeaderAlone),
        row("4", "partition: follower alone", W2, G::Net, (1, 20), FollowerAlone),
        row("4", "partition: bridge", W2, G::Net, (1, 20), Bridge),
        row("5", "leader deaf", W2, G::Net, (1, 15), Deaf(LEADER)),
        row("5", "leader mute", W2, G::Net, (1, 15), Mute(LEADER)),
        row("5", "follower deaf", W2, G::Net, (1, 15), Deaf(FOLLOWER)),
        row("5", "follower mute", W2, G::Net, (1, 15), Mute(FOLLOWER)),
        row("7", "loss 5-30%", W4, G::Net, (1, 12), Loss),
        row("7", "resets", W4, G::Net, (1, 12), Resets),
        row("7", "64 kbit/s", W4, G::Net, (1, 12), ThinLine),
        row("14", "members 3-5-3-1-3, leaders killed and cut off", W3, G::Net, (1, 20), Members),
        row("7", "10-300 ms there and back", W4, G::Lines, (1, 12), LongLines),
        row("6", "five nodes: leader and a follower cut", W2, G::FiveOnNet, (1, 12), Partial(1)),
        row("6", "five nodes: leader and two followers cut", W2, G::FiveOnNet, (1, 12), Partial(2)),
        row("6", "five nodes: two followers cut", W2, G::FiveOnNet, (1, 12), PartialFollowers),
        row(
            "6",
            "five nodes: one follower sees all, the others it alone",
            W2,
            G::FiveOnNet,
            (1, 12),
            Star,
        ),
        row("8", "power cut: leader", W4, G::Disks, (1, 30), PowerCut(LEADER)),
        row("8", "power cut: follower", W4, G::Disks, (1, 30), PowerCut(FOLLOWER)),
        row("8", "power cut: all at once", W4, G::Disks, (1, 40), PowerCutAll),
        row(
            "8",
            "power cut: mid-snapshot",
            W4,
            G::Disks,
            (1, 20),
            PowerCutAt(Moment::SnapshotWrite),
        ),
        row(
            "8",
            "power cut: a snapshot gets its name",
            W4,
            G::Disks,
            (1, 20),
            PowerCutAt(Moment::SnapshotName),
        ),
        row("8", "power cut: mid-truncation", W4, G::Disks, (1, 20), PowerCutAt(Moment::LogCut)),
        row(
            "9",
            "fsync EIO, ENOSPC, EROFS: one, leader, majority",
            W2,
            G::Disks,
            (3, 27),
            DiskErrors,
        ),
        row("10", "fsync of the leader stalls", W2, G::Disks, (1, 20), SyncStall),
        row("18", "all of it together", W4, G::DisksOnNet, (1, 40), All),
        row("13", "clock jumps on leader and followers", W2, G::Clocks, (2, 16), ClockJumps),
        row("15", "64 descriptors", W1, G::FewDescriptors, (1, 6), FewDescriptors),
        row("16", "a follower comes back by snapshot", W1, G::ShortLogs, (1, 10), SlowFollower),
        row("16", "the same with 1M assignments", W1, G::Million, (0, 2), SlowFollowerMany),
        row("restart", "restart with 1M assignments", W1, G::Usual, (0, 4), RestartMany),
        row("restart", "the same half a minute later", W1, G::Usual, (0, 4), RestartManyRested),
    ]
};

/// How many assignments a million is.
pub(crate) use many::how_many;

/// Whether a group of processes can be given a part of a CPU.
pub(crate) fn can_limit_cpu() -> Res<()> {
    limits::can_limit_cpu()
}

/// Whether a group of processes can be given a limit of memory.
pub(crate) fn can_limit_memory() -> Res<()> {
    limits::can_limit_memory()
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

/// The leader, or one of the others.
async fn whom(world: &World, who: Who) -> Res<u64> {
    let leader = world.cluster.leader().await?;
    Ok(match who {
        Who::Leader => leader,
        Who::Follower => pick(&world.cluster.others(leader)),
    })
}

impl Row {
    /// Why it can't be run here.
    pub(crate) fn missing(&self, tools: &Tools) -> Option<String> {
        let needed = match self.fault {
            Fault::LittleCpu => tools.cpu.as_ref().err(),
            Fault::LittleMemory => tools.memory.as_ref().err(),
            Fault::LittleAddressSpace => tools.prlimit.as_ref().err(),
            _ => None,
        };
        self.ground.missing(tools).or_else(|| needed.cloned())
    }

    /// How long a run may take.
    pub(crate) fn takes_at_most(&self) -> Duration {
        Duration::from_secs(match self.fault {
            Fault::SlowFollowerMany | Fault::RestartMany | Fault::RestartManyRested => 1_800,
            _ => 300,
        })
    }

    /// What has to be there before the clients come.
    pub(crate) async fn prepare(&self, world: &mut World) -> Res<()> {
        match self.fault {
            Fault::SlowFollowerMany => many::fill_behind_a_follower(world).await,
            Fault::RestartMany | Fault::RestartManyRested => many::fill(world).await,
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
            Fault::Rolling => processes::rolling(world).await,
            Fault::HandOver => processes::hand_over(world).await,
            Fault::Nothing => processes::nothing().await,
            Fault::LeaderAlone => network::alone(world, LEADER).await,
            Fault::FollowerAlone => network::alone(world, FOLLOWER).await,
            Fault::Bridge => network::bridge(world).await,
            Fault::Deaf(who) => network::deaf(world, who).await,
            Fault::Mute(who) => network::mute(world, who).await,
            Fault::Partial(followers) => network::partial(world, followers).await,
            Fault::PartialFollowers => network::partial_followers(world).await,
            Fault::Star => network::star(world).await,
            Fault::Loss => network::loss(world).await,
            Fault::Resets => network::resets(world).await,
            Fault::ThinLine => network::thin_line(world, round).await,
            Fault::LongLines => network::long_lines(world).await,
            Fault::PowerCut(who) => disks::power_cut(world, who).await,
            Fault::PowerCutAll => disks::power_cut_all(world).await,
            Fault::PowerCutAt(moment) => disks::power_cut_at(world, moment, round).await,
            Fault::DiskErrors => disks::errors(world, round).await,
            Fault::SyncStall => disks::stall(world, round).await,
            Fault::Rot => damage::rot(world).await,
            Fault::Wiped => damage::wiped(world).await,
            Fault::OldCopy => damage::old_copy(world).await,
            Fault::ClockJumps => clocks::jump(world, round).await,
            Fault::Members => members::three_five_three_one_three(world).await,
            Fault::FewDescriptors => limits::few_descriptors(world).await,
            Fault::LittleCpu => limits::little_cpu(world, round).await,
            Fault::LittleMemory => limits::little_memory(world, round).await,
            Fault::LittleAddressSpace => limits::little_address_space(world, round).await,
            Fault::SlowFollower => many::slow_follower(world).await,
            Fault::SlowFollowerMany => many::catch_up(world).await,
            Fault::RestartMany => many::restart(world, round).await,
            Fault::RestartManyRested => many::restart_after_a_rest(world, round).await,
            Fault::All => all::all(world).await,
        }
    }
}
