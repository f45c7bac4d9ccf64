//! Clusters of two builds that differ in an outcome of `apply`: upgraded node by node, under load and faults.
//!
//! `cargo test --features next --test sim upgrade`. The feature compiles a later version of the rules in;
//! the older build is the same program that is told it has the earlier version alone. Beside all that holds
//! in every run: all nodes apply an entry at the same version and to the same state, the version never goes
//! back, it is not raised before every node has had a build that has it, and no build applies an entry of
//! a version that it lacks.

use super::{Mark, Marks, Worlds, in_parallel, number, run, say};

const SEEDS_DEFAULT: u64 = 40;
/// What must happen in so many of them. The others are printed.
const MUST_HAPPEN: [Mark; 4] =
    [Mark::NewerBuild, Mark::OlderBuild, Mark::Raised, Mark::OldBuildDoesNotStart];

#[test]
fn a_rolling_upgrade_breaks_no_promise() {
    let count = number("TURNWISE_SIM_SEEDS").unwrap_or(SEEDS_DEFAULT);
    let seeds = number("TURNWISE_SIM_SEED").map_or_else(|| (0..count).collect(), |it| vec![it]);
    let (mut marks, mut violations) = (Marks::default(), Vec::new());
    for (seed, result) in in_parallel(&seeds, |seed| run(seed, Worlds::TWO_BUILDS)) {
        match result {
            Ok(report) => marks.add(&report.marks),
            Err(violation) => violations.push((seed, violation)),
        }
    }
    let shown: Vec<_> = Mark::OF_UPGRADES
        .iter()
        .map(|mark| format!("{} {}", marks.count(*mark), mark.text()))
        .collect();
    say(&format!("upgrades: {} seeds, {}", seeds.len(), shown.join(", ")));
    for (seed, violation) in &violations {
        say(&format!("seed {seed}: {violation}"));
    }
    assert!(violations.is_empty(), "seed {} breaks a promise", violations[0].0);
    let missing: Vec<_> = MUST_HAPPEN.into_iter().filter(|mark| marks.count(*mark) == 0).collect();
    assert!(missing.is_empty() || seeds.len() < 20, "never happened: {missing:?}");
}
