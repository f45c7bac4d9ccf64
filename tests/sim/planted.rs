//! Bugs put into the production code on purpose, one at a time: each must be found.
//!
//! `cargo test --features planted --test sim planted` looks for those that are found fast, and
//! `TURNWISE_PLANTED=long` for all of them; `TURNWISE_PLANTED=<name>` for one. Each runs the seeds from
//! 0 on until one breaks a promise, at most as many as are allowed to it here. It prints a table: the
//! bug, the seeds it took, as what it was seen. With `--features planted,next` it looks for the bugs of
//! upgrades too; all others are looked for in the same worlds as without.

use std::panic;

use turnwise::planted::{Bug, plant};

use super::{Worlds, in_parallel, run, say};

/// Within how many seeds those must be found that take more than [`SEEDS_MAX`]: some three times what it
/// took. The short form leaves them out.
const RARE: [(Bug, u64); 5] = [
    (Bug::VoteNotPersisted, 1_000),
    (Bug::LeaseRead, 400),
    (Bug::LogCutBeforeSnapshot, 200),
    (Bug::RotTakenForTornTail, 400),
    (Bug::ReadJoinsEarlierIndex, 300),
];
/// Those that only two builds in a cluster can show: looked for where both are compiled in.
const OF_UPGRADES: [Bug; 3] =
    [Bug::RulesOfTheProgram, Bug::RaisedWithoutAsking, Bug::LaterVersionTaken];
/// Those that only a change of the members can show: looked for where there always are some.
const OF_MEMBERS: [Bug; 6] = [
    Bug::ChangeBeforeOwnCommit,
    Bug::ChangeToldAtAppend,
    Bug::ChangeNotPersisted,
    Bug::PromotedFarBehind,
    Bug::TokenNotSpent,
    Bug::RemovedLeaderStays,
];
/// Within how many all others must be found.
const SEEDS_MAX: u64 = 60;

fn seeds_max(bug: Bug) -> u64 {
    let rare = RARE.iter().find(|(rare, _)| *rare == bug);
    rare.map_or(SEEDS_MAX, |(_, seeds)| *seeds)
}

/// The worlds in which it is looked for; `None` where those are not compiled in.
fn worlds(bug: Bug) -> Option<Worlds> {
    if OF_MEMBERS.contains(&bug) {
        return Some(Worlds::CHANGING_MEMBERS);
    }
    if !OF_UPGRADES.contains(&bug) {
        return Some(Worlds::ORDINARY);
    }
    #[cfg(feature = "next")]
    return Some(Worlds::TWO_BUILDS);
    #[cfg(not(feature = "next"))]
    None
}

/// What a bug was seen as, and by how many seeds.
struct Found {
    seeds: u64,
    seen_as: String,
}

fn find(bug: Bug) -> Option<Found> {
    let worlds = worlds(bug)?;
    plant(Some(bug));
    let found = (0..seeds_max(bug)).find_map(|seed| {
        let violation = run(seed, worlds).err()?;
        let seen_as = violation.lines().next().unwrap_or_default();
        Some(Found { seeds: seed + 1, seen_as: seen_as.chars().take(110).collect() })
    });
    plant(None);
    found
}

fn chosen() -> Vec<Bug> {
    let form = std::env::var("TURNWISE_PLANTED").unwrap_or_default();
    let all = Bug::ALL.iter().copied().filter(|bug| worlds(*bug).is_some());
    match form.as_str() {
        "" => all.filter(|bug| seeds_max(*bug) <= SEEDS_MAX).collect(),
        "long" => all.collect(),
        name => all.filter(|bug| format!("{bug:?}") == name).collect(),
    }
}

#[test]
fn every_planted_bug_is_found() {
    let bugs = chosen();
    // Violations are what is looked for here; each would print a trace.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let mut all = in_parallel(&bugs, find);
    panic::set_hook(hook);
    all.sort_by_key(|(bug, found)| (found.as_ref().map_or(u64::MAX, |it| it.seeds), *bug));
    say("| Planted | Seeds to find | Seen as |\n|---|---|---|");
    for (bug, found) in &all {
        let seen_as = found.as_ref().map_or("not found", |found| &found.seen_as);
        let seeds = found.as_ref().map_or(seeds_max(*bug), |found| found.seeds);
        say(&format!("| {} | {seeds} | {seen_as} |", bug.text()));
    }
    let missed: Vec<_> = all.iter().filter(|(_, found)| found.is_none()).collect();
    let missed: Vec<_> = missed.iter().map(|(bug, _)| format!("{bug:?}")).collect();
    assert!(missed.is_empty(), "not found: {}", missed.join(", "));
    assert!(!bugs.is_empty(), "no bug of that name");
}
