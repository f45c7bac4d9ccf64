//! Rows 8 to 12: what becomes of a disk.

use std::{fs, path::Path, time::Duration};

use super::{World, between, now, pause, pick};
use crate::{
    cluster::{Res, words},
    run::{Expect, Struck},
};

/// The power of the leader, of a follower: each write that was not synced is kept, lost or torn.
pub(super) async fn power_cut(world: &mut World, round: u64) -> Res<Struck> {
    let leader = world.cluster.leader().await?;
    let victim = if round.is_multiple_of(2) { leader } else { pick(&world.cluster.others(leader)) };
    // Anywhere between two snapshots.
    pause(between(0, 300)).await;
    let struck = now();
    world.cluster.kill(victim);
    world.disk(victim)?.cut_power(rand::random());
    pause(between(0, 1_500)).await;
    world.cluster.spawn(victim)?;
    Ok(struck)
}

pub(super) async fn power_cut_all(world: &mut World) -> Res<Struck> {
    pause(between(0, 300)).await;
    let struck = now();
    for id in world.cluster.ids() {
        world.cluster.kill(id);
    }
    for id in world.cluster.ids() {
        world.disk(id)?.cut_power(rand::random());
    }
    for id in world.cluster.ids() {
        pause(between(0, 300)).await;
        world.cluster.spawn(id)?;
    }
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
    let struck = now();
    for victim in &victims {
        let disk = world.disk(*victim)?;
        match (round / 3 + round) % 3 {
            0 => disk.fail_syncs(true),
            1 => disk.leave_room(Some(between(0, 20_000))),
            _ => disk.set_read_only(true),
        }
    }
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

/// One node's files are damaged while it is down. It comes back, or is refused with a message; then an
/// operator puts back what was there before. The leader dies right after.
pub(super) async fn rot(world: &mut World) -> Res<Struck> {
    let leader = world.cluster.leader().await?;
    let victim = pick(&world.cluster.others(leader));
    let mut struck = now();
    world.cluster.kill(victim);
    let data = world.cluster.data_dir(victim);
    let kept = world.cluster.folder().join("kept");
    copy(&data, &kept)?;
    let damage = damage(&data)?;
    world.cluster.spawn(victim)?;
    let came = world.cluster.ready(&[victim]).await;
    let log = world.cluster.log(victim);
    if log.contains("panicked at") {
        return Err(format!("node {victim} panicked after {damage}"));
    }
    let outcome = match came {
        Ok(()) => "came back",
        Err(said) if said.contains("ended:") && said.contains("damaged") => {
            world.cluster.kill(victim);
            fs::remove_dir_all(&data).map_err(words)?;
            copy(&kept, &data)?;
            world.cluster.spawn(victim)?;
            world.cluster.ready(&[victim]).await?;
            "was refused"
        }
        Err(said) => return Err(format!("after {damage}: {said}")),
    };
    fs::remove_dir_all(&kept).map_err(words)?;
    struck.notes.push(format!("{outcome} after {damage}"));
    world.cluster.kill(leader);
    pause(between(500, 1_500)).await;
    world.cluster.spawn(leader)?;
    Ok(struck)
}

fn copy(from: &Path, to: &Path) -> Res<()> {
    fs::create_dir(to).map_err(words)?;
    for entry in fs::read_dir(from).map_err(words)?.flatten() {
        fs::copy(entry.path(), to.join(entry.file_name())).map_err(words)?;
    }
    Ok(())
}

/// Turns a bit over somewhere in what a file really holds, or cuts the file there.
fn damage(data: &Path) -> Res<String> {
    let mut files: Vec<_> = fs::read_dir(data)
        .map_err(words)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|name| name != "lock"))
        .collect();
    files.sort();
    let file = pick(&files);
    let mut bytes = fs::read(&file).map_err(words)?;
    // Segments end in zeros that were never written.
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if used == 0 {
        return Ok(format!("nothing, for {name} is empty"));
    }
    let place = rand::random_range(0..used);
    if rand::random_bool(0.7) {
        let bit = rand::random_range(0..8_u8);
        bytes[place] ^= 1 << bit;
        fs::write(&file, bytes).map_err(words)?;
        Ok(format!("a flipped bit in byte {place} of {used} of {name}"))
    } else {
        let open = fs::OpenOptions::new().write(true).open(&file).map_err(words)?;
        open.set_len(u64::try_from(place).unwrap_or(0)).map_err(words)?;
        Ok(format!("a cut at byte {place} of {used} of {name}"))
    }
}

/// An emptied disk under the old node id: refused, with a message that says what to type.
pub(super) async fn wiped(world: &mut World) -> Res<Struck> {
    let victim = pick(&world.cluster.ids());
    let struck = now();
    world.cluster.kill(victim);
    let data = world.cluster.data_dir(victim);
    let kept = world.cluster.folder().join("kept");
    fs::rename(&data, &kept).map_err(words)?;
    let since = world.cluster.log(victim).len();
    for (bootstrap, says) in [(false, "--bootstrap"), (true, "emptied or replaced")] {
        world.cluster.set_bootstrap(victim, bootstrap);
        world.cluster.spawn(victim)?;
        let status = world.cluster.exited(victim).await?;
        let log = world.cluster.log(victim);
        let said = log.get(since..).unwrap_or_default();
        if status.success() || said.contains("panicked at") || !said.contains(says) {
            return Err(format!("an emptied node ended with {status} and said: {said}"));
        }
    }
    fs::remove_dir_all(&data).map_err(words)?;
    fs::rename(&kept, &data).map_err(words)?;
    world.cluster.spawn(victim)?;
    Ok(struck)
}
