//! Row 16 and the restart: a follower that comes back by snapshot under load, and what a million
//! assignments cost.

use std::time::Duration;

use turnwise::clock;

use super::{World, now, pause, pick};
use crate::{
    cluster::{PATIENCE, Res},
    load::Team,
    run::{Expect, Struck},
};

/// How many a million is, to try the rows out on a slow build.
const MANY: &str = "TURNWISE_FAULTS_MANY";
const MILLION: u64 = 1_000_000;
/// The leader's p99 may double; on two cores that also run the clients, anything below this is noise.
const NOISE: Duration = Duration::from_millis(40);

/// A million, or as many as the environment says.
pub(crate) fn how_many() -> u64 {
    std::env::var(MANY).ok().and_then(|text| text.parse().ok()).unwrap_or(MILLION)
}

/// Nodes and a state of a million assignments.
pub(super) async fn fill(world: &mut World) -> Res<()> {
    if world.many.is_none() {
        world.many = Some(how_many());
        more(world, how_many()).await?;
    }
    Ok(())
}

/// So many more, in a team of their own.
async fn more(world: &mut World, count: u64) -> Res<()> {
    let leader = world.cluster.leader().await?;
    let client = world.cluster.client(&[leader], PATIENCE)?;
    world.teams += 1;
    let team = Team::found(&client, format!("many-{}", world.teams)).await?;
    team.fill(&client, count).await
}

/// The same, made while a follower is down. Where they are there already, enough is made for the log not to reach
/// back to it.
pub(super) async fn fill_behind_a_follower(world: &mut World) -> Res<()> {
    let leader = world.cluster.leader().await?;
    let follower = pick(&world.cluster.others(leader));
    world.cluster.kill(follower);
    match world.many {
        None => fill(world).await?,
        // More than stays in the log for one that was sent a snapshot and was not seen to come past the next.
        Some(_) => more(world, how_many() / 4 * 3).await?,
    }
    world.behind = Some(follower);
    Ok(())
}

/// How a node says that it has taken a snapshot from another.
const INSTALLED: &str = "snapshot installed";

async fn back(world: &mut World, follower: u64, mut struck: Struck) -> Res<Struck> {
    let before = world.cluster.log(follower).matches(INSTALLED).count();
    let from = clock::monotonic();
    world.cluster.spawn(follower)?;
    // Ready is who has applied what the leader had when it was asked.
    world.cluster.ready(&[follower]).await?;
    let until = clock::monotonic();
    if world.cluster.log(follower).matches(INSTALLED).count() == before {
        return Err(format!("node {follower} was ready without a snapshot"));
    }
    struck.measured = Some(until - from);
    struck.expects.push(Expect::LeaderChanges { max: 0 });
    struck.expects.push(Expect::Slower { from, until, times: 2.0, always: NOISE });
    Ok(struck)
}

/// How many there are, if not a million.
fn note(world: &World, struck: &mut Struck) {
    if let Some(many) = world.many.filter(|many| *many != MILLION) {
        struck.notes.push(format!("with {many} assignments in the place of a million"));
    }
}

/// A follower is away until the log no longer reaches back to where it was.
pub(super) async fn slow_follower(world: &mut World) -> Res<Struck> {
    let leader = world.cluster.leader().await?;
    let follower = pick(&world.cluster.others(leader));
    let struck = now();
    world.cluster.kill(follower);
    pause(3_000).await;
    back(world, follower, struck).await
}

/// Who was down while the million was made.
pub(super) async fn catch_up(world: &mut World) -> Res<Struck> {
    let follower = world.behind.take().ok_or("nobody is behind")?;
    let mut struck = now();
    note(world, &mut struck);
    back(world, follower, struck).await
}

/// How long the clients work after the million was made, where its nodes are not to be in the midst of it: long
/// enough for a snapshot of all of it.
const REST_MS: u64 = 30_000;

/// The same half a minute after the million was made, with none but the usual load.
pub(super) async fn restart_after_a_rest(world: &mut World, round: u64) -> Res<Struck> {
    pause(REST_MS).await;
    restart(world, round).await
}

/// One node, then all of them: from the start of the process until it says that it is ready.
pub(super) async fn restart(world: &mut World, round: u64) -> Res<Struck> {
    let leader = world.cluster.leader().await?;
    let one = vec![pick(&world.cluster.others(leader))];
    let who = if round.is_multiple_of(2) { one } else { world.cluster.ids() };
    let mut struck = now();
    note(world, &mut struck);
    for id in &who {
        world.cluster.kill(*id);
    }
    let from = clock::monotonic();
    for id in &who {
        world.cluster.spawn(*id)?;
    }
    world.cluster.ready(&who).await?;
    let took = clock::monotonic() - from;
    struck.measured = Some(took);
    struck.counts.push(if who.len() == 1 { "one" } else { "all" }.to_owned());
    struck.notes.push(format!("{} of 3 nodes ready after {} ms", who.len(), took.as_millis()));
    Ok(struck)
}
