//! Rows 11 and 12: disks that rot, are wiped, or are put back as they were some time ago.

use std::{fs, path::Path};

use super::{World, between, now, pause, pick};
use crate::{
    cluster::{Res, words},
    run::Struck,
};

/// One node's files are damaged while it is down. It comes back; or it rejoins by itself under a new id; or
/// it is refused with a message, and an operator puts back what was there before. The leader dies right after.
pub(super) async fn rot(world: &mut World) -> Res<Struck> {
    let leader = world.cluster.leader().await?;
    let victim = pick(&world.cluster.others(leader));
    let mut struck = now();
    world.cluster.kill(victim);
    let data = world.cluster.data_dir(victim);
    let kept = world.cluster.folder().join("kept");
    copy(&data, &kept)?;
    let damage = damage(&data)?;
    let since = world.cluster.log(victim).len();
    world.cluster.spawn(victim)?;
    let came = world.cluster.ready(&[victim]).await;
    let log = world.cluster.log(victim);
    let log = log.get(since..).unwrap_or_default();
    if log.contains("panicked at") {
        return Err(format!("node {victim} panicked after {damage}"));
    }
    let outcome = match came {
        Ok(()) if is_member(world, victim).await? => "came back",
        Ok(()) => {
            world.cluster.admitted(victim).await?;
            world.cluster.voters(&world.cluster.ids()).await?;
            "rejoined under a new id and was promoted"
        }
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
    struck.counts.push(outcome.to_owned());
    struck.notes.push(format!("{outcome} after {damage}"));
    let leader = world.cluster.leader().await?;
    world.cluster.kill(leader);
    pause(between(500, 1_500)).await;
    world.cluster.spawn(leader)?;
    Ok(struck)
}

/// Whether the node that serves on a node's peer port is the one that it was, as the others see it.
async fn is_member(world: &World, id: u64) -> Res<bool> {
    let others = world.cluster.others(id);
    let leader = world.cluster.leader_among(&world.cluster.ids()).await?;
    let asked = if others.contains(&leader) { leader } else { others[0] };
    let members = world.cluster.seen_by(asked).await?.members;
    let its = members.iter().find(|member| member.node_id == id);
    let peer = world.cluster.peer_address(id);
    let another = members.iter().any(|it| it.node_id != id && it.peer_address == peer);
    Ok(its.is_some() && !another)
}

fn copy(from: &Path, to: &Path) -> Res<()> {
    fs::create_dir(to).map_err(words)?;
    for entry in fs::read_dir(from).map_err(words)?.flatten() {
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).map_err(words)?;
        }
    }
    Ok(())
}

/// Turns a bit over somewhere in what a file really holds, or cuts the file there.
fn damage(data: &Path) -> Res<String> {
    let mut files: Vec<_> = fs::read_dir(data)
        .map_err(words)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        // What a node that rejoined put aside is nobody's.
        .filter(|path| path.extension().is_none_or(|extension| extension != "rotten"))
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
    fs::remove_dir_all(&data).map_err(words)?;
    let since = world.cluster.log(victim).len();
    world.cluster.tell_members(victim);
    // It is to be replaced, not to found or to join anything.
    let starts: &[(bool, &str)] = match world.cluster.has_token(victim) {
        true => &[(false, "turnwise cluster replace")],
        false => &[(false, "--bootstrap"), (true, "emptied or replaced")],
    };
    for (bootstrap, says) in starts {
        world.cluster.set_bootstrap(victim, *bootstrap);
        world.cluster.spawn(victim)?;
        let status = world.cluster.exited(victim).await?;
        let log = world.cluster.log(victim);
        let said = log.get(since..).unwrap_or_default();
        if status.success() || said.contains("panicked at") || !said.contains(says) {
            return Err(format!("an emptied node ended with {status} and said: {said}"));
        }
    }
    world.replace(victim).await?;
    Ok(struck)
}

/// How long an old copy is left behind: several times what a mark lags.
const BEHIND_MS: u64 = 4_000;

/// A node's disk is put back as it was seconds ago, and since then every other node was started again, so that
/// none of them remembers what this one has acknowledged. It must be noticed: the node ends with a message, or
/// rejoins by itself under a new id. One that ended is replaced by the command that the message names.
pub(super) async fn old_copy(world: &mut World) -> Res<Struck> {
    let victim = pick(&world.cluster.ids());
    let mut struck = now();
    let (copied, data) = (world.cluster.folder().join("copy"), world.cluster.data_dir(victim));
    world.cluster.kill(victim);
    copy(&data, &copied)?;
    world.cluster.spawn(victim)?;
    world.cluster.ready(&[victim]).await?;
    pause(BEHIND_MS).await;
    world.cluster.kill(victim);
    fs::remove_dir_all(&data).map_err(words)?;
    fs::rename(&copied, &data).map_err(words)?;
    let others = world.cluster.others(victim);
    for id in &others {
        world.cluster.kill(*id);
        world.cluster.spawn(*id)?;
    }
    world.cluster.ready(&others).await?;
    world.cluster.leader_among(&others).await?;
    let since = world.cluster.log(victim).len();
    world.cluster.spawn(victim)?;
    let came = world.cluster.ready(&[victim]).await;
    let log = world.cluster.log(victim);
    let said = log.get(since..).unwrap_or_default();
    if said.contains("panicked at") {
        return Err(format!("node {victim} panicked on an old copy of its disk"));
    }
    match came {
        // It may have served for a moment, and ended when it heard more.
        Ok(()) if world.cluster.ended_within(victim, NOTICED_MS).await => {
            refused(world, victim, since)?;
            world.replace(victim).await?;
            struck.counts.push("was refused after it was ready, and replaced".to_owned());
        }
        Ok(()) if is_member(world, victim).await? => {
            return Err(format!("node {victim} serves from a disk that is {BEHIND_MS} ms old"));
        }
        Ok(()) => {
            world.cluster.admitted(victim).await?;
            world.cluster.voters(&world.cluster.ids()).await?;
            struck.counts.push("rejoined under a new id and was promoted".to_owned());
        }
        Err(_) => {
            refused(world, victim, since)?;
            world.replace(victim).await?;
            struck.counts.push("was refused, and replaced".to_owned());
        }
    }
    Ok(struck)
}

/// How long a node that is ready is watched for whether it notices.
const NOTICED_MS: u64 = 2_000;

/// Whether a node that has ended said why, and what to type.
fn refused(world: &World, id: u64, since: usize) -> Res<()> {
    let log = world.cluster.log(id);
    let said = log.get(since..).unwrap_or_default();
    let command = format!("turnwise cluster replace {id}");
    if said.contains("old copy") && said.contains(&command) {
        return Ok(());
    }
    Err(format!("node {id} ended on an old copy and said: {said}"))
}
