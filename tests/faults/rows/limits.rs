//! Row 15: a node has little of something: descriptors, CPU, memory.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use tokio::{net::TcpStream, task::JoinSet};
use turnwise::clock;

use super::{World, now, pause, pick};
use crate::{
    cluster::{Res, words},
    load::Team,
    run::{Expect, Struck},
};

/// One node may open 64 files; somebody asks each of its ports for 200 connections.
pub(super) async fn few_descriptors(world: &mut World) -> Res<Struck> {
    let mut struck = now();
    let addresses = [world.cluster.client_address(3), world.cluster.peer_address(3)];
    let mut connections = Vec::new();
    for address in addresses.iter().cycle().take(400) {
        let connect = TcpStream::connect(address);
        if let Ok(Ok(stream)) = tokio::time::timeout(Duration::from_millis(50), connect).await {
            connections.push(stream);
        }
    }
    pause(1_000).await;
    if !world.cluster.is_running(3) {
        return Err("the node ended for want of descriptors".to_owned());
    }
    struck.expects.push(Expect::LeaderChanges { max: 1 });
    drop(connections);
    Ok(struck)
}

/// A group of processes with a limit.
struct Group {
    /// Where groups of its kind are made.
    root: &'static str,
    path: PathBuf,
}

const CPU: &str = "/sys/fs/cgroup/cpu";
const MEMORY: &str = "/sys/fs/cgroup/memory";

/// Whether a group can be given a tenth of a CPU.
pub(super) fn can_limit_cpu() -> Res<()> {
    let group = Group::new(CPU)?;
    group.set("cpu.cfs_period_us", "100000")?;
    group.set("cpu.cfs_quota_us", "10000")
}

/// Whether a group can be given a limit of memory.
pub(super) fn can_limit_memory() -> Res<()> {
    Group::new(MEMORY)?.set("memory.limit_in_bytes", "1000000000")
}

impl Group {
    fn new(root: &'static str) -> Res<Self> {
        let path = PathBuf::from(root).join(format!("turnwise-faults-{}", rand::random::<u32>()));
        fs::create_dir(&path).map_err(|why| format!("no cgroup of our own under {root}: {why}"))?;
        Ok(Self { root, path })
    }

    fn set(&self, file: &str, value: &str) -> Res<()> {
        let path = self.path.join(file);
        fs::write(&path, value).map_err(|why| format!("{value} to {}: {why}", path.display()))
    }

    fn number(&self, file: &str) -> Res<u64> {
        let text = fs::read_to_string(self.path.join(file)).map_err(words)?;
        text.trim().parse().map_err(words)
    }

    fn take(&self, pid: u32) -> Res<()> {
        self.set("cgroup.procs", &pid.to_string())
    }

    /// Its processes go back to where they came from.
    fn let_go(&self, pid: u32) -> Res<()> {
        fs::write(PathBuf::from(self.root).join("cgroup.procs"), pid.to_string()).map_err(words)?;
        for thread in threads(pid)? {
            // A thread may have ended in between.
            fs::write(PathBuf::from(self.root).join("tasks"), thread).unwrap_or_default();
        }
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Empty by now: its processes went back, or ended.
        fs::remove_dir(&self.path).unwrap_or_default();
    }
}

fn threads(pid: u32) -> Res<Vec<String>> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).map_err(words)?;
    Ok(tasks.flatten().map(|task| task.file_name().to_string_lossy().into_owned()).collect())
}

/// A follower first, then the leader.
async fn victim(world: &World, round: u64) -> Res<u64> {
    let leader = world.cluster.leader().await?;
    Ok(if round.is_multiple_of(2) { pick(&world.cluster.others(leader)) } else { leader })
}

/// One gets a tenth of a CPU for three seconds.
pub(super) async fn little_cpu(world: &mut World, round: u64) -> Res<Struck> {
    let victim = victim(world, round).await?;
    let pid = world.cluster.pid(victim)?;
    let group = Group::new(CPU)?;
    group.set("cpu.cfs_period_us", "100000")?;
    group.set("cpu.cfs_quota_us", "10000")?;
    let struck = now();
    group.take(pid)?;
    pause(3_000).await;
    group.let_go(pid)?;
    Ok(struck)
}

/// What a node may take beyond what it has when the limit is set. Less than a batch needs.
const ROOM_BYTES: u64 = 1 << 20;
/// How long it is pressed for more.
const PRESSED_MAX: Duration = Duration::from_secs(5);

/// One may not take more memory than it has, for a while: the kernel kills whoever does.
pub(super) async fn little_memory(world: &mut World, round: u64) -> Res<Struck> {
    let victim = victim(world, round).await?;
    let group = Group::new(MEMORY)?;
    // What a process has is not counted when it comes, so it comes with nothing.
    world.cluster.kill(victim);
    world.cluster.spawn(victim)?;
    let pid = world.cluster.pid(victim)?;
    group.take(pid)?;
    world.cluster.ready(&[victim]).await?;
    if !round.is_multiple_of(2) {
        world.have_lead(victim).await?;
    }
    let struck = now();
    let limit = group.number("memory.usage_in_bytes")? + ROOM_BYTES;
    group.set("memory.limit_in_bytes", &limit.to_string())?;
    let struck = press(world, victim, struck).await?;
    if world.cluster.is_running(victim) {
        group.let_go(pid)?;
    }
    come_back(world, victim, struck)
}

/// The same by a limit that the node's own allocator meets.
pub(super) async fn little_address_space(world: &mut World, round: u64) -> Res<Struck> {
    let victim = victim(world, round).await?;
    let pid = world.cluster.pid(victim)?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(words)?;
    let has = kib(&status, "VmSize:").ok_or("a process without a size")? * 1_024;
    let struck = now();
    limit_address_space(pid, &(has + ROOM_BYTES).to_string())?;
    let struck = press(world, victim, struck).await?;
    if world.cluster.is_running(victim) {
        limit_address_space(pid, "unlimited")?;
    }
    come_back(world, victim, struck)
}

fn limit_address_space(pid: u32, bytes: &str) -> Res<()> {
    let words = [format!("--pid={pid}"), format!("--as={bytes}:unlimited")];
    let output = Command::new("prlimit").args(words).output().map_err(self::words)?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

fn kib(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// What a process holds in memory, in bytes.
pub(super) fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    kib(&status, "VmRSS:").unwrap_or(0) * 1_024
}

/// Asks a node for what takes memory, by many large calls at once, for a while or until it has ended.
async fn press(world: &mut World, victim: u64, struck: Struck) -> Res<Struck> {
    const CALLS_AT_ONCE: u64 = 8;
    let ids = world.cluster.ids();
    let client = world.cluster.client(&ids, Duration::from_secs(10))?;
    let team = Team::found(&client, format!("pressed-{}", world.teams)).await?;
    let one = world.cluster.client(&[victim], Duration::from_secs(2))?;
    let mut calls = JoinSet::new();
    for number in 0..CALLS_AT_ONCE {
        let (team, one) = (team.clone(), one.clone());
        calls.spawn(async move {
            for batch in 0.. {
                // It may refuse, or be gone: what matters is what it does to the node.
                drop(team.fill_batch(&one, &format!("{number}-{batch}")).await);
            }
        });
    }
    let begin = clock::monotonic();
    while world.cluster.is_running(victim) && clock::monotonic() < begin + PRESSED_MAX {
        pause(10).await;
    }
    calls.shutdown().await;
    Ok(struck)
}

/// Starts it again if it has ended; it must not have ended in disorder.
fn come_back(world: &mut World, victim: u64, mut struck: Struck) -> Res<Struck> {
    let outcome = if world.cluster.is_running(victim) {
        "stayed within the limit"
    } else {
        world.cluster.kill(victim);
        world.cluster.spawn(victim)?;
        "ended and came back"
    };
    struck.counts.push(outcome.to_owned());
    // The others go on: nobody but the victim's successor comes to lead, and the victim perhaps once more.
    struck.expects.push(Expect::LeaderChanges { max: 2 });
    Ok(struck)
}
