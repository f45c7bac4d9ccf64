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

const MANY: u64 = 1_000_000;
/// The leader's p99 may double; on two cores that also run the clients, anything below this is noise.
const NOISE: Duration = Duration::from_millis(40);

/// Nodes and a state of a million assignments.
pub(super) async fn fill(world: &mut World) -> Res<()> {
    if !world.many {
        let leader = world.cluster.leader().await?;
        let client = world.cluster.client(&[leader], PATIENCE)?;
        let team = Team::found(&client, "many".to_owned()).await?;
        team.fill(&client, MANY).await?;
        world.many = true;
    }
    Ok(())
}

/// The same, made while a follower is down.
pub(super) async fn fill_behind_a_follower(world: &mut World) -> Res<()> {
    let leader = world.cluster.leader().await?;
    let follower = pick(&world.cluster.others(leader));
    world.cluster.kill(follower);
    fill(world).await?;
    world.behind = Some(follower);
    Ok(())
}

/// How a node says that it has taken a snapshot from another.
const INSTALLED: &str = "snapshot installed";

async fn back(world: &mut World, follower: u64, mut struck: Struck) -> Res<Struck> {
    let before = world.cluster.log(follower).matches(INSTALLED).count();
    let from = clock::monotonic();
    world.cluster.spawn(follower)?;
    // A node says that it is ready once it hears of a leader, and learns later how far behind it is.
    while world.cluster.log(follower).matches(INSTALLED).count() == before {
        if clock::monotonic() > from + PATIENCE {
            return Err(format!("node {follower} came back without a snapshot"));
        }
        pause(10).await;
    }
    world.cluster.ready(&[follower]).await?;
    let until = clock::monotonic();
    struck.measured = Some(until - from);
    struck.expects.push(Expect::LeaderChanges { max: 0 });
    struck.expects.push(Expect::Slower { from, until, times: 2.0, always: NOISE });
    Ok(struck)
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
    back(world, follower, now()).await
}

/// One node, then all of them: from the start of the process until it says that it is ready.
pub(super) async fn restart(world: &mut World, round: u64) -> Res<Struck> {
    let leader = world.cluster.leader().await?;
    let one = vec![pick(&world.cluster.others(leader))];
    let who = if round.is_multiple_of(2) { one } else { world.cluster.ids() };
    let mut struck = now();
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
    struck.notes.push(format!("{} of 3 nodes ready after {} ms", who.len(), took.as_millis()));
    Ok(struck)
}
