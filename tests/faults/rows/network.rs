//! Rows 4 to 7: what becomes of packets. Clients reach every node all the time.

use turnwise::clock;

use super::{Who, World, between, limits::resident, now, pause, pick, whom};
use crate::{
    cluster::Res,
    net::Filter,
    run::{Expect, Struck},
};

/// For two to five seconds a node's packets pass a filter; then all is well.
async fn filtered(world: &mut World, node: u64, filter: Filter) -> Res<Struck> {
    let struck = now();
    world.net()?.filter(node, &filter)?;
    pause(between(2_000, 5_000)).await;
    world.net()?.heal()?;
    Ok(struck)
}

/// One sees nobody, and nobody sees it.
pub(super) async fn alone(world: &mut World, who: Who) -> Res<Struck> {
    let victim = whom(world, who).await?;
    let from = world.cluster.others(victim);
    filtered(world, victim, Filter::default().cut_from(&from)).await
}

/// The leader and a follower do not see each other; the third sees both.
pub(super) async fn bridge(world: &mut World) -> Res<Struck> {
    let leader = world.cluster.leader().await?;
    let follower = pick(&world.cluster.others(leader));
    filtered(world, leader, Filter::default().cut_from(&[follower])).await
}

/// One hears nobody, but is heard.
pub(super) async fn deaf(world: &mut World, who: Who) -> Res<Struck> {
    let victim = whom(world, who).await?;
    let to = world.cluster.others(victim);
    let mut struck = filtered(world, victim, Filter::default().deaf_to(&to)).await?;
    struck.expects.push(Expect::LeaderChanges { max: 2 });
    Ok(struck)
}

/// One is not heard, but hears.
pub(super) async fn mute(world: &mut World, who: Who) -> Res<Struck> {
    let victim = whom(world, who).await?;
    let to = world.cluster.others(victim);
    let mut struck = filtered(world, victim, Filter::default().mute_to(&to)).await?;
    struck.expects.push(Expect::LeaderChanges { max: 2 });
    Ok(struck)
}

/// Links are cut, each by a filter at one of its ends: five election timeouts later somebody leads, and goes
/// on leading.
async fn cut_links(world: &mut World, cuts: &[(u64, Vec<u64>)]) -> Res<Struck> {
    let mut struck = now();
    for (node, from) in cuts {
        world.net()?.filter(*node, &Filter::default().cut_from(from))?;
    }
    pause(1_500).await;
    let from = clock::monotonic();
    pause(3_000).await;
    let until = clock::monotonic();
    world.net()?.heal()?;
    struck.expects.push(Expect::OneLeader { from, until });
    Ok(struck)
}

/// Of five nodes, the leader and some followers do not see each other; all others see all.
pub(super) async fn partial(world: &mut World, followers: usize) -> Res<Struck> {
    let leader = world.cluster.leader().await?;
    let mut others = world.cluster.others(leader);
    others.truncate(followers);
    cut_links(world, &[(leader, others)]).await
}

/// The same of two followers.
pub(super) async fn partial_followers(world: &mut World) -> Res<Struck> {
    let leader = world.cluster.leader().await?;
    let others = world.cluster.others(leader);
    cut_links(world, &[(others[0], vec![others[1]])]).await
}

/// One follower sees everybody, and nobody else sees anybody but it: only it can lead.
pub(super) async fn star(world: &mut World) -> Res<Struck> {
    let leader = world.cluster.leader().await?;
    let middle = pick(&world.cluster.others(leader));
    let rim = world.cluster.others(middle);
    let from = |id: &u64| (*id, rim.iter().copied().filter(|other| other != id).collect());
    let cuts: Vec<(u64, Vec<u64>)> = rim.iter().map(from).collect();
    cut_links(world, &cuts).await
}

/// Everywhere, for four seconds.
async fn everywhere(world: &mut World, rule: &str) -> Res<Struck> {
    let struck = now();
    let filter = Filter { input: vec![rule.to_owned()], output: Vec::new() };
    for id in world.cluster.ids() {
        world.net()?.filter(id, &filter)?;
    }
    pause(4_000).await;
    world.net()?.heal()?;
    Ok(bounded(world, struck))
}

/// Packets are lost.
pub(super) async fn loss(world: &mut World) -> Res<Struck> {
    let percent = between(5, 30);
    everywhere(world, &format!("numgen random mod 100 < {percent} drop")).await
}

/// Connections are reset.
pub(super) async fn resets(world: &mut World) -> Res<Struck> {
    let rule = "meta l4proto tcp numgen random mod 100 < 1 reject with tcp reset";
    everywhere(world, rule).await
}

/// The leader, or a follower, is on a line of 64 kbit/s.
pub(super) async fn thin_line(world: &mut World, round: u64) -> Res<Struck> {
    let who = if round.is_multiple_of(2) { Who::Leader } else { Who::Follower };
    let victim = whom(world, who).await?;
    let mut struck = now();
    world.net()?.slow(victim, Some(64))?;
    pause(4_000).await;
    world.net()?.slow(victim, None)?;
    struck.counts.push(format!("{who:?}").to_lowercase());
    Ok(bounded(world, struck))
}

/// All lines between nodes take their time, more or less. Beyond an election timeout nobody can lead for long;
/// nothing may come of that but refusals.
pub(super) async fn long_lines(world: &mut World) -> Res<Struck> {
    let most = between(5, 150);
    let least = between(5, most);
    let mut struck = now();
    world.lines()?.delay(least, most);
    pause(4_000).await;
    world.lines()?.delay(0, 0);
    let length = match 2 * most {
        ..=60 => "10-60 ms",
        61..=150 => "61-150 ms",
        _ => "151-300 ms",
    };
    struck.counts.push(length.to_owned());
    Ok(bounded(world, struck))
}

/// Far more than queues and buffers may hold, far less than without bounds.
const RESIDENT_MAX_MIB: u64 = 512;

/// Nobody has piled up what could not be sent.
fn bounded(world: &World, mut struck: Struck) -> Struck {
    for id in world.cluster.ids() {
        let resident = world.cluster.pid(id).map_or(0, resident) >> 20;
        if resident > RESIDENT_MAX_MIB {
            let most = RESIDENT_MAX_MIB;
            struck.broken.push(format!("node {id} takes {resident} MiB, {most} allowed"));
        }
    }
    struck
}
