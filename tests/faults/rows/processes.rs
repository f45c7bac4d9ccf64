//! Rows 1, 2, 3, 15, 17 and the hand-over: what one does to processes from outside.

use std::{fs, path::PathBuf, time::Duration};

use tokio::net::TcpStream;
use turnwise::clock;

use super::{World, between, now, pause, pick};
use crate::{
    cluster::{Res, words},
    run::{Expect, Struck},
};

pub(super) async fn kill_leader(world: &mut World) -> Res<Struck> {
    let leader = world.cluster.leader().await?;
    let struck = now();
    world.cluster.kill(leader);
    pause(between(1_000, 5_000)).await;
    world.cluster.spawn(leader)?;
    Ok(struck)
}

pub(super) async fn kill_any(world: &mut World) -> Res<Struck> {
    let victim = pick(&world.cluster.ids());
    let struck = now();
    world.cluster.kill(victim);
    pause(between(0, 3_000)).await;
    world.cluster.spawn(victim)?;
    Ok(struck)
}

/// All of them, so that nobody is left who knows what was not synced.
pub(super) async fn kill_all(world: &mut World) -> Res<Struck> {
    let struck = now();
    for id in world.cluster.ids() {
        world.cluster.kill(id);
    }
    for id in world.cluster.ids() {
        pause(between(0, 300)).await;
        world.cluster.spawn(id)?;
    }
    Ok(struck)
}

/// 0.5 to 3 s at first, up to 30 s later.
pub(super) async fn pause_leader(world: &mut World, round: u64) -> Res<Struck> {
    let leader = world.cluster.leader().await?;
    let struck = now();
    world.cluster.pause(leader)?;
    let longest = if round < 4 { 3_000 } else { 30_000 };
    pause(between(500, longest)).await;
    world.cluster.unpause(leader)?;
    Ok(struck)
}

/// One node may open 64 files; somebody asks it for 200 connections.
pub(super) async fn few_descriptors(world: &mut World) -> Res<Struck> {
    let mut struck = now();
    let address = world.cluster.client_address(3);
    let mut connections = Vec::new();
    for _ in 0..200 {
        let connect = TcpStream::connect(&address);
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

/// A group of processes that get a tenth of a CPU.
struct Group(PathBuf);

/// Where groups are made.
const CGROUP: &str = "/sys/fs/cgroup/cpu";

pub(super) fn can_limit_cpu() -> Res<()> {
    Group::new().map(drop).map_err(|why| format!("no cgroup of our own under {CGROUP}: {why}"))
}

impl Group {
    fn new() -> Res<Self> {
        let path = PathBuf::from(CGROUP).join(format!("turnwise-faults-{}", rand::random::<u32>()));
        fs::create_dir(&path).map_err(words)?;
        let group = Self(path);
        fs::write(group.0.join("cpu.cfs_period_us"), "100000").map_err(words)?;
        fs::write(group.0.join("cpu.cfs_quota_us"), "10000").map_err(words)?;
        Ok(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Empty by now: its processes went back.
        fs::remove_dir(&self.0).unwrap_or_default();
    }
}

fn threads(pid: u32) -> Res<Vec<String>> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).map_err(words)?;
    Ok(tasks.flatten().map(|task| task.file_name().to_string_lossy().into_owned()).collect())
}

/// A follower first, then the leader, gets a tenth of a CPU for three seconds.
pub(super) async fn little_cpu(world: &mut World, round: u64) -> Res<Struck> {
    let leader = world.cluster.leader().await?;
    let victim = if round.is_multiple_of(2) { pick(&world.cluster.others(leader)) } else { leader };
    let pid = world.cluster.pid(victim)?;
    let group = Group::new()?;
    let struck = now();
    fs::write(group.0.join("cgroup.procs"), pid.to_string()).map_err(words)?;
    pause(3_000).await;
    fs::write(PathBuf::from(CGROUP).join("cgroup.procs"), pid.to_string()).map_err(words)?;
    for thread in threads(pid)? {
        // A thread may have ended in between.
        fs::write(PathBuf::from(CGROUP).join("tasks"), thread).unwrap_or_default();
    }
    Ok(struck)
}

/// Each node in turn, as an operator would who upgrades them; the leader whenever its turn comes.
pub(super) async fn rolling(world: &mut World) -> Res<Struck> {
    let mut struck = now();
    for id in world.cluster.ids() {
        world.cluster.terminate(id)?;
        let status = world.cluster.exited(id).await?;
        if !status.success() {
            return Err(format!("node {id} did not stop in good order: {status}"));
        }
        world.cluster.spawn(id)?;
        world.cluster.ready(&[id]).await?;
    }
    struck.gap_within = Some(clock::monotonic() - struck.at);
    Ok(struck)
}

/// The window in which [`hand_over`] looks for the longest time without a success.
const WINDOW: Duration = Duration::from_secs(1);

/// The longest time without a success while nothing happens: what is left of [`hand_over`]'s figure if
/// one takes the hand-over away.
pub(super) async fn nothing() -> Res<Struck> {
    let struck = now();
    tokio::time::sleep(WINDOW).await;
    Ok(Struck { gap_within: Some(WINDOW), ..struck })
}

/// Measures the longest time without a success while the leader is told to stop.
pub(super) async fn hand_over(world: &mut World) -> Res<Struck> {
    let leader = world.cluster.leader().await?;
    let mut struck = now();
    world.cluster.terminate(leader)?;
    let status = world.cluster.exited(leader).await?;
    struck.gap_within = Some(WINDOW);
    if !status.success() {
        return Err(format!("the leader did not stop in good order: {status}"));
    }
    pause(1_000).await;
    world.cluster.spawn(leader)?;
    Ok(struck)
}
