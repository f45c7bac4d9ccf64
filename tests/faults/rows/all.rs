//! Row 18: any of the faults, several at a time, in any order.

use super::{World, between, now, pause, pick};
use crate::{cluster::Res, net::Filter, run::Struck};

/// Strikes some times, then makes everything whole.
pub(super) async fn all(world: &mut World) -> Res<Struck> {
    let mut paused = Vec::new();
    for _ in 0..between(4, 8) {
        let ids = world.cluster.ids();
        let victim = pick(&ids);
        let others = world.cluster.others(victim);
        let runs = world.cluster.is_running(victim);
        match between(0, 8) {
            0 | 1 => {
                if runs {
                    world.cluster.strike_down(victim)?;
                }
                // Whoever waits for the disk could not end.
                world.disk(victim)?.stall_syncs(false);
                world.cluster.kill(victim);
            }
            2 => world.cut_power(victim)?,
            3 if runs && !paused.contains(&victim) => {
                world.cluster.pause(victim)?;
                paused.push(victim);
            }
            4 => world.net()?.filter(victim, &Filter::default().cut_from(&others))?,
            5 => world.net()?.filter(victim, &Filter::default().deaf_to(&others))?,
            6 => {
                let loss = vec![format!("numgen random mod 100 < {} drop", between(5, 30))];
                world.net()?.filter(victim, &Filter { input: loss, output: Vec::new() })?;
            }
            7 => world.disk(victim)?.fail_syncs(true),
            _ => world.disk(victim)?.stall_syncs(true),
        }
        pause(between(100, 1_500)).await;
        // Half of what is broken is mended at any time, so that there may be a quorum.
        if rand::random_bool(0.5) {
            let mended = pick(&ids);
            world.disk(mended)?.heal();
            world.net()?.filter(mended, &Filter::default())?;
            if let Some(place) = paused.iter().position(|id| *id == mended) {
                paused.remove(place);
                if world.cluster.is_running(mended) {
                    world.cluster.unpause(mended)?;
                }
            }
            if !world.cluster.is_running(mended) {
                world.cluster.kill(mended);
                world.cluster.spawn(mended)?;
            }
        }
    }
    world.net()?.heal()?;
    for id in world.cluster.ids() {
        world.disk(id)?.heal();
        if paused.contains(&id) && world.cluster.is_running(id) {
            world.cluster.unpause(id)?;
        }
        // What ends by itself may take a moment to do so.
        pause(100).await;
        if !world.cluster.is_running(id) {
            world.cluster.kill(id);
            world.cluster.spawn(id)?;
        }
    }
    // From when on it can recover.
    Ok(now())
}
