//! Row 13: wall clocks that jump or run fast, by libfaketime, which every node is started with.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use turnwise::clock;

use super::{World, now, pause, pick};
use crate::{
    Tools,
    cluster::{Res, words},
    load::Team,
    run::Struck,
};

/// How far the log's time may be off while a minority's clocks are.
const OFF_MAX_US: i64 = 1_000_000;

/// What a node logs whose clock is off.
const ALARM: &str = "this machine's clock is off the median of the members'";

fn file(folder: &Path, node: u64) -> PathBuf {
    folder.join(format!("clock-{node}"))
}

/// The environment of nodes whose clocks are set by files in `folder`.
pub(crate) fn env(tools: &Tools, folder: &Path) -> Res<BTreeMap<u64, Vec<(String, String)>>> {
    let library = tools.faketime.as_ref().map_err(Clone::clone)?;
    let mut env = BTreeMap::new();
    for node in 1..=3 {
        let file = file(folder, node);
        fs::write(&file, "+0").map_err(words)?;
        let pairs = [
            ("LD_PRELOAD", library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        env.insert(node, pairs.map(|(name, value)| (name.to_owned(), value)).to_vec());
    }
    Ok(env)
}

/// One node's clock is off for two seconds, the leader's first, then a follower's. The log's time may
/// not follow it.
pub(super) async fn jump(world: &mut World, round: u64) -> Res<Struck> {
    let leader = world.cluster.leader().await?;
    let victim = if round.is_multiple_of(2) { leader } else { pick(&world.cluster.others(leader)) };
    let jump = pick(&["+3600", "-3600", "+315360000", "-315360000", "+0 x2"]);
    let ids = world.cluster.ids();
    let client = world.cluster.client(&ids, Duration::from_secs(5))?;
    let probe = Team::found(&client, format!("probe-{}", world.teams)).await?;
    let clock = file(world.folder.path(), victim);
    let struck = now();
    fs::write(&clock, jump).map_err(words)?;
    for number in 0..20 {
        let contact = format!("at-{number}");
        let sent = i64::try_from(clock::wall().0).map_err(words)?;
        let logged = probe.log_time_us(&client, contact).await?;
        let answered = i64::try_from(clock::wall().0).map_err(words)?;
        if logged < sent - OFF_MAX_US || logged > answered + OFF_MAX_US {
            fs::write(&clock, "+0").map_err(words)?;
            let off = logged - answered;
            return Err(format!("clock of node {victim} at {jump}: log time is off by {off} µs"));
        }
        pause(100).await;
    }
    fs::write(&clock, "+0").map_err(words)?;
    // At double speed it takes a second to be off by one.
    if jump != "+0 x2" && !world.cluster.log(victim).contains(ALARM) {
        return Err(format!("node {victim} at {jump} did not say that its clock is off"));
    }
    Ok(struck)
}
