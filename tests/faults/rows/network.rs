//! Rows 4 to 7: what becomes of packets. Clients reach every node all the time.

use turnwise::clock;

use super::{World, between, now, pause, pick};
use crate::{
    cluster::Res,
    net::Filter,
    run::{Expect, Struck},
};

/// Alone are: the leader, a follower, or two of the three from each other.
pub(super) async fn partition(world: &mut World, round: u64) -> Res<Struck> {
    let leader = world.cluster.leader().await?;
    let followers = world.cluster.others(leader);
    let (alone, from) = match round % 3 {
        0 => (leader, followers.clone()),
        1 => (followers[0], vec![leader, followers[1]]),
        // The third one sees both.
        _ => (leader, vec![followers[0]]),
    };
    let struck = now();
    world.net()?.filter(alone, &Filter::default().cut_from(&from))?;
    pause(between(2_000, 5_000)).await;
    world.net()?.heal()?;
    Ok(struck)
}

/// One way only.
pub(super) async fn asymmetric(world: &mut World, round: u64) -> Res<Struck> {
    let leader = world.cluster.leader().await?;
    let victim = if round % 4 < 2 { leader } else { pick(&world.cluster.others(leader)) };
    let from = world.cluster.others(victim);
    let filter = Filter::default();
    let filter =
        if round.is_multiple_of(2) { filter.deaf_to(&from) } else { filter.mute_to(&from) };
    let mut struck = now();
    world.net()?.filter(victim, &filter)?;
    pause(between(2_000, 5_000)).await;
    world.net()?.heal()?;
    struck.expects.push(Expect::LeaderChanges { max: 2 });
    Ok(struck)
}

/// Of five nodes, the leader and a follower do not see each other; the other three see both.
pub(super) async fn partial(world: &mut World) -> Res<Struck> {
    let leader = world.cluster.leader().await?;
    let follower = pick(&world.cluster.others(leader));
    let mut struck = now();
    world.net()?.filter(leader, &Filter::default().cut_from(&[follower]))?;
    // Five election timeouts.
    pause(1_500).await;
    let from = clock::monotonic();
    pause(3_000).await;
    let until = clock::monotonic();
    world.net()?.heal()?;
    struck.expects.push(Expect::OneLeader { from, until });
    Ok(struck)
}

/// Packets are lost everywhere, connections reset, or the leader or a follower is on a thin line.
pub(super) async fn bad_links(world: &mut World, round: u64) -> Res<Struck> {
    let leader = world.cluster.leader().await?;
    let ids = world.cluster.ids();
    let net = world.net()?;
    let mut struck = now();
    match round % 3 {
        0 => {
            let percent = between(5, 30);
            let loss = vec![format!("numgen random mod 100 < {percent} drop")];
            let filter = Filter { input: loss, output: Vec::new() };
            ids.iter().try_for_each(|id| net.filter(*id, &filter))?;
            pause(4_000).await;
        }
        1 => {
            let reset = "meta l4proto tcp numgen random mod 100 < 1 reject with tcp reset";
            let filter = Filter { input: vec![reset.to_owned()], output: Vec::new() };
            ids.iter().try_for_each(|id| net.filter(*id, &filter))?;
            pause(4_000).await;
        }
        _ => {
            let victim =
                if round.is_multiple_of(2) { leader } else { pick(&world.cluster.others(leader)) };
            net.slow(victim, Some(64))?;
            pause(4_000).await;
            net.slow(victim, None)?;
        }
    }
    net.heal()?;
    for id in ids {
        let resident = resident_mib(world.cluster.pid(id)?);
        if resident > RESIDENT_MAX_MIB {
            let most = RESIDENT_MAX_MIB;
            struck.broken.push(format!("node {id} takes {resident} MiB, {most} allowed"));
        }
    }
    Ok(struck)
}

/// Far more than queues and buffers may hold, far less than without bounds.
const RESIDENT_MAX_MIB: u64 = 512;

fn resident_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok());
    kib.unwrap_or(0) / 1_024
}
