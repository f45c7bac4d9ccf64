//! Power cuts and dying processes at every operation: what was synced is there, batches are whole.

use std::sync::Arc;

use turnwise::consensus::log::{Batch, Log};
use turnwise::consensus::{Entry, HardState};

use crate::memdisk::{Dice, MemDisk};
use crate::model::{Model, SMALL, append, batch, create, entries, hard_state, identity, open};

/// A log, and every state that a crash may leave it in.
struct Run {
    disk: MemDisk,
    log: Option<Log<MemDisk>>,
    /// The last durable state, and all that were attempted after it.
    states: Vec<Model>,
    /// Up to here entries may be gone.
    compacted: u64,
}

impl Run {
    fn new(disk: MemDisk) -> Self {
        let log = Some(create(&disk));
        Self { disk, log, states: vec![Model::new()], compacted: 0 }
    }

    fn now(&self) -> &Model {
        self.states.last().unwrap()
    }

    /// Writes a batch; false where the disk failed.
    fn write(&mut self, batch: &Batch<'_>) -> bool {
        let mut model = self.now().clone();
        model.write(batch);
        self.states.push(model);
        let written = self.log.as_mut().unwrap().write(batch).is_ok();
        if written && batch.sync {
            self.states.drain(..self.states.len() - 1);
        }
        written
    }

    fn compact(&mut self, through: u64) -> bool {
        self.compacted = self.compacted.max(through);
        let dropped = self.log.as_mut().unwrap().compact(through);
        dropped.and_then(|dropped| dropped.remove(&self.disk)).is_ok()
    }

    /// The machine stops as `stop` says, and starts again.
    fn restart(&mut self, stop: impl FnOnce(&MemDisk)) -> Result<(), String> {
        self.log = None;
        stop(&self.disk);
        let (log, recovered) = open(&self.disk).map_err(|error| format!("refused: {error}"))?;
        let matching = |state: &&Model| state.matches(&recovered, self.compacted);
        let Some(state) = self.states.iter().rev().find(matching) else {
            return Err(format!("{recovered:?}\n is none of\n{:?}", self.states));
        };
        self.states = vec![state.clone()];
        self.log = Some(log);
        Ok(())
    }

    /// Everything reads back as it was written.
    fn check_reads(&self) {
        let log = self.log.as_ref().unwrap();
        let model = self.now();
        let first = log.first_index();
        assert_eq!(log.last_index(), model.last());
        let expected = &model.entries[(first - 1 - model.base.0) as usize..];
        assert_eq!(log.read(first, model.last() + 1, u64::MAX).unwrap(), expected);
        for index in first - 1..=model.last() {
            assert_eq!(log.term(index), Some(model.term(index)), "{index}");
        }
    }
}

/// A fixed history with everything in it. False as soon as the disk fails.
fn history(run: &mut Run) -> bool {
    run.write(&batch(&entries(1, 4, 1, 300), Some(hard_state(1, 2, 0)), true))
        && run.write(&batch(&[], Some(hard_state(1, 2, 4)), false))
        && run.write(&batch(&entries(5, 5, 1, 500), None, true))
        && run.write(&batch(&entries(10, 2, 1, 700), None, false))
        && run.write(&batch(&entries(8, 3, 2, 300), Some(hard_state(2, 1, 7)), true))
        && run.compact(7)
        && run.write(&batch(&entries(11, 3, 2, 600), Some(hard_state(2, 1, 9)), true))
        && run.write(&batch(&entries(14, 6, 2, 600), Some(hard_state(2, 1, 13)), false))
        && run.write(&batch(&entries(20, 2, 2, 600), Some(hard_state(2, 1, 19)), true))
        && run.compact(18)
        && run.write(&batch(&entries(22, 2, 3, 900), Some(hard_state(3, 3, 20)), true))
        && run.write(&Batch {
            hard_state: Some(hard_state(4, 0, 40)),
            entries: &[],
            reset: Some((40, 4)),
            sync: true,
        })
        && run.compact(40)
        && run.write(&batch(&entries(41, 5, 4, 800), Some(hard_state(4, 1, 42)), true))
}

#[test]
fn a_power_cut_at_any_operation_loses_nothing_that_was_synced() {
    let mut operation = 0;
    loop {
        let disk = MemDisk::new();
        let mut run = Run::new(disk.clone());
        disk.fail_after(operation);
        let finished = history(&mut run);
        for seed in 0..40 {
            let disk = disk.fork();
            let mut run = Run {
                disk: disk.clone(),
                log: None,
                states: run.states.clone(),
                compacted: run.compacted,
            };
            run.restart(|disk| disk.crash(seed))
                .unwrap_or_else(|why| panic!("operation {operation}, seed {seed}: {why}"));
            run.check_reads();
            let next = entries(run.now().last() + 1, 1, 9, 10);
            append(run.log.as_mut().unwrap(), &next);
        }
        if finished {
            break;
        }
        operation += 1;
    }
    assert!(operation > 40, "{operation}");
}

#[test]
fn a_power_cut_at_any_operation_of_a_start_loses_nothing() {
    for history_seed in 0..20 {
        let disk = MemDisk::new();
        let mut run = Run::new(disk.clone());
        // A start after a torn write, with segments behind it and left-over files.
        disk.fail_after(17 + 2 * history_seed);
        history(&mut run);
        run.log = None;
        disk.crash(history_seed);
        let mut operation = 0;
        let mut finished = false;
        while !finished {
            for seed in 0..10 {
                let disk = disk.fork();
                disk.fail_after(operation);
                finished = open(&disk).is_ok();
                let mut run =
                    Run { disk, log: None, states: run.states.clone(), compacted: run.compacted };
                run.restart(|disk| disk.crash(seed)).unwrap_or_else(|why| {
                    panic!("{history_seed}, operation {operation}, seed {seed}: {why}")
                });
                run.check_reads();
            }
            operation += 1;
        }
        assert!(operation > 4, "{operation}");
    }
}

#[test]
fn a_power_cut_while_a_log_is_made_leaves_it_whole_or_not_at_all() {
    let mut finished = false;
    for operation in 0.. {
        for seed in 0..20 {
            let disk = MemDisk::new();
            disk.fail_after(operation);
            let made = Log::create(Arc::new(disk.clone()), identity(), SMALL, (3, 1));
            finished = made.is_ok();
            disk.crash(seed);
            if Log::exists(&disk).unwrap() {
                assert_eq!(open(&disk).unwrap().1.base_index, 3);
            } else {
                assert!(!finished, "a log that was made is gone");
                drop(Log::create(Arc::new(disk), identity(), SMALL, (3, 1)).unwrap());
            }
        }
        if finished {
            break;
        }
    }
}

/// After a failed sync the page cache shows what the disk does not have. A start must not believe it
/// without writing it again.
#[test]
fn what_a_start_found_after_a_failed_sync_survives_a_power_cut() {
    for seed in 0..20 {
        let disk = MemDisk::new();
        let mut log = create(&disk);
        append(&mut log, &entries(1, 2, 1, 600));
        disk.fail_syncs(1);
        let lost = entries(3, 2, 1, 600);
        log.write(&Batch { entries: &lost, sync: true, ..Batch::default() }).unwrap_err();
        disk.restart();
        let (_, shown) = open(&disk).unwrap();
        assert_eq!(shown.entries.len(), 4, "the page cache still shows it");
        disk.crash(seed);
        let (_, recovered) = open(&disk).unwrap();
        assert_eq!(recovered.entries, shown.entries);
    }
}

/// Random batches, compactions, spares, restarts, power cuts and failing disks.
#[test]
fn a_random_life_with_crashes_loses_nothing_that_was_synced() {
    let (mut restarts, mut lost) = (0, 0);
    for seed in 0..300 {
        let mut dice = Dice(seed);
        let disk = MemDisk::new();
        let mut run = Run::new(disk.clone());
        for step in 0..60 {
            if dice.below(12) == 0 {
                disk.fail_after(dice.below(6) as u64);
            }
            let alive = step_once(&mut run, &mut dice);
            if alive && dice.below(10) > 0 {
                continue;
            }
            let attempted = run.states.len();
            let crash_seed = dice.next();
            let kill = dice.below(3) == 0;
            run.restart(|disk| if kill { disk.restart() } else { disk.crash(crash_seed) })
                .unwrap_or_else(|why| panic!("seed {seed}, step {step}: {why}"));
            run.check_reads();
            restarts += 1;
            lost += usize::from(attempted > 1);
        }
    }
    assert!(restarts > 1000 && lost > 300, "{restarts} {lost}");
}

/// Does one random thing; false where the disk failed.
fn step_once(run: &mut Run, dice: &mut Dice) -> bool {
    let model = run.now().clone();
    let HardState { term, vote, commit } = model.hard_state;
    let last = model.last();
    let floor = commit.max(model.base.0).max(run.compacted.min(last));
    let sync = dice.below(3) > 0;
    match dice.below(20) {
        0 => {
            let (index, term) = (last + 1 + dice.below(5) as u64, term + 1);
            let hard_state = Some(hard_state(term, 0, index));
            run.write(&Batch { hard_state, entries: &[], reset: Some((index, term)), sync: true })
        }
        1..4 => {
            let through = model.base.0 + dice.below((floor - model.base.0) as usize + 1) as u64;
            run.compact(through)
        }
        4 => {
            let log = run.log.as_mut().unwrap();
            let Some(request) = log.spare_wanted() else { return true };
            match request.fill(&run.disk) {
                Ok(spare) => log.offer_spare(spare),
                Err(_) => log.spare_failed(),
            }
            true
        }
        5..8 => {
            let commit = floor + dice.below((last - floor) as usize + 1) as u64;
            let hard_state = Some(hard_state(term, vote, commit));
            run.write(&Batch { hard_state, entries: &[], reset: None, sync })
        }
        kind => {
            let conflict = kind < 11 && floor < last;
            let back = if conflict { dice.below((last - floor) as usize) as u64 + 1 } else { 0 };
            let term = if conflict { term + 1 } else { term };
            let first = last + 1 - back;
            let entries: Vec<Entry> = (0..1 + dice.below(4) as u64)
                .flat_map(|at| entries(first + at, 1, term, dice.below(900)))
                .collect();
            let vote = dice.below(4) as u64;
            let hard_state =
                (conflict || dice.below(2) == 0).then_some(hard_state(term, vote, commit));
            run.write(&Batch { hard_state, entries: &entries, reset: None, sync })
        }
    }
}
