//! Rows 1, 2, 3, 17 and the hand-over: processes are killed, paused and told to stop.

use std::time::Duration;

use turnwise::clock;

use super::{World, between, now, pause, pick};
use crate::{cluster::Res, run::Struck};

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
