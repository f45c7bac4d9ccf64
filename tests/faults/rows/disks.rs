//! Rows 8 to 10: disks lose power, fail and stall.

use std::time::Duration;

use turnwise::clock;

use super::{Who, World, between, now, pause, whom};
use crate::{
    cluster::Res,
    fuse::Moment,
    run::{Expect, Struck},
};

/// The power of one: each write that was not synced is kept, lost or torn.
pub(super) async fn power_cut(world: &mut World, who: Who) -> Res<Struck> {
    let victim = whom(world, who).await?;
    // Anywhere between two snapshots.
    pause(between(0, 300)).await;
    let struck = now();
    world.cut_power(victim)?;
    pause(between(0, 1_500)).await;
    world.cluster.spawn(victim)?;
    Ok(struck)
}

pub(super) async fn power_cut_all(world: &mut World) -> Res<Struck> {
    pause(between(0, 300)).await;
    let struck = now();
    for id in world.cluster.ids() {
        world.cluster.strike_down(id)?;
    }
    for id in world.cluster.ids() {
        world.cut_power(id)?;
    }
    for id in world.cluster.ids() {
        pause(between(0, 300)).await;
        world.cluster.spawn(id)?;
    }
    Ok(struck)
}

/// How long a node is given to come to a moment.
const MOMENT_MAX: Duration = Duration::from_secs(10);

/// The power goes in the middle of what a node does with its disk: of the leader, of a follower.
pub(super) async fn power_cut_at(world: &mut World, moment: Moment, round: u64) -> Res<Struck> {
    let who = if round.is_multiple_of(2) { Who::Leader } else { Who::Follower };
    let victim = whom(world, who).await?;
    // The first write of a snapshot or a later one; the new segment's name, or the end of the former.
    let after = match moment {
        Moment::SnapshotWrite => between(0, 3),
        Moment::SnapshotName => 0,
        Moment::LogCut => between(0, 1),
    };
    if moment == Moment::LogCut {
        world.cluster.kill(victim);
    }
    world.disk(victim)?.stand_still_at(moment, after);
    if moment == Moment::LogCut {
        world.cluster.spawn(victim)?;
    }
    let begin = clock::monotonic();
    while !world.disk(victim)?.stands_still() && clock::monotonic() < begin + MOMENT_MAX {
        pause(1).await;
    }
    let hit = world.disk(victim)?.stands_still();
    let mut struck = now();
    world.cut_power(victim)?;
    struck.counts.push(if hit { moment.words() } else { "at another moment" }.to_owned());
    pause(between(0, 1_500)).await;
    world.cluster.spawn(victim)?;
    Ok(struck)
}

/// Syncs fail, there is no room, or nothing can be written: on a follower, on the leader, on a majority.
/// Whoever is struck must end by itself, with a message.
pub(super) async fn errors(world: &mut World, round: u64) -> Res<Struck> {
    let leader = world.cluster.leader().await?;
    let followers = world.cluster.others(leader);
    let victims = match round % 3 {
        0 => vec![followers[0]],
        1 => vec![leader],
        _ => vec![leader, followers[0]],
    };
    let mut struck = now();
    for victim in &victims {
        let disk = world.disk(*victim)?;
        match (round / 3 + round) % 3 {
            0 => disk.fail_syncs(true),
            1 => disk.leave_room(Some(between(0, 20_000))),
            _ => disk.set_read_only(true),
        }
    }
    let what = ["EIO", "ENOSPC", "EROFS"][usize::try_from((round / 3 + round) % 3).unwrap_or(0)];
    let whose = ["one", "leader", "majority"][usize::try_from(round % 3).unwrap_or(0)];
    struck.counts.push(format!("{what} on {whose}"));
    for victim in &victims {
        let status = world.cluster.exited(*victim).await?;
        let log = world.cluster.log(*victim);
        let last = log.lines().last().unwrap_or_default().to_owned();
        if status.success() || log.contains("panicked at") || !last.contains("log can't be written")
        {
            return Err(format!("node {victim} ended with {status} and said: {last}"));
        }
    }
    // Without room it does not come back either, and says so.
    pause(300).await;
    for victim in &victims {
        world.disk(*victim)?.heal();
        world.cluster.spawn(*victim)?;
    }
    Ok(struck)
}

/// No sync of the leader's returns for 0.2 to 4 s at first, up to 60 s later.
pub(super) async fn stall(world: &mut World, round: u64) -> Res<Struck> {
    let leader = world.cluster.leader().await?;
    let longest = if round < 4 { 4_000 } else { 60_000 };
    let length = Duration::from_millis(if round == 0 { 4_000 } else { between(200, longest) });
    let mut struck = now();
    world.disk(leader)?.stall_syncs(true);
    tokio::time::sleep(length).await;
    world.disk(leader)?.stall_syncs(false);
    if length > STEPPED_DOWN + ELECTED {
        struck.expects.push(Expect::RecoveryWithin(STEPPED_DOWN + ELECTED));
    }
    Ok(struck)
}

/// Two election timeouts.
const STEPPED_DOWN: Duration = Duration::from_millis(600);
/// The longest an election takes with one split vote, and the client's pauses.
const ELECTED: Duration = Duration::from_millis(1_800);
