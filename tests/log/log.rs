//! What goes in comes out; what cannot be is refused; what is not needed goes.

use std::error::Error;
use std::sync::Arc;

use turnwise::consensus::log::{
    Batch, Disk, DiskFile, Expected, Log, LogConfig, LogError, RealDisk,
};
use turnwise::consensus::{Entry, EntryKind, NodeId};

use crate::memdisk::MemDisk;
use crate::model::{
    CLUSTER, Model, SMALL, append, create, entries, entry, hard_state, identity, open,
};

#[test]
fn what_was_written_is_there_after_a_restart() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    let mut written = entries(1, 3, 1, 10);
    written[1].kind = EntryKind::ConfChange;
    written[2].kind = EntryKind::ConfChangeV2;
    written.push(entry(4, 2, ""));
    let batch =
        Batch { hard_state: Some(hard_state(2, 3, 4)), entries: &written, reset: None, sync: true };
    log.write(&batch).unwrap();
    assert_eq!(log.read(1, 5, u64::MAX).unwrap(), written);

    disk.restart();
    let (log, recovered) = open(&disk).unwrap();
    assert_eq!(recovered.identity, identity());
    assert_eq!(recovered.hard_state, hard_state(2, 3, 4));
    assert_eq!((recovered.base_index, recovered.base_term), (0, 0));
    assert_eq!(recovered.entries, written);
    assert_eq!(recovered.torn_tail, None);
    assert_eq!(log.hard_state(), hard_state(2, 3, 4));
    assert_eq!(log.read(2, 4, u64::MAX).unwrap(), written[1..3]);
}

#[test]
fn a_log_begins_after_the_snapshot_it_was_made_with() {
    let disk = MemDisk::new();
    let mut log = Log::create(Arc::new(disk.clone()), identity(), SMALL, (7, 3)).unwrap();
    assert_eq!((log.first_index(), log.last_index(), log.term(7)), (8, 7, Some(3)));
    append(&mut log, &entries(8, 2, 3, 5));
    disk.restart();
    let (_, recovered) = open(&disk).unwrap();
    assert_eq!((recovered.base_index, recovered.base_term), (7, 3));
    assert_eq!(recovered.hard_state, hard_state(3, 0, 7));
    assert_eq!(recovered.entries, entries(8, 2, 3, 5));
}

#[test]
fn a_batch_is_one_write_and_one_sync() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    let before = disk.counters();
    let batch = Batch {
        hard_state: Some(hard_state(1, 1, 2)),
        entries: &entries(1, 5, 1, 20),
        reset: None,
        sync: true,
    };
    log.write(&batch).unwrap();
    let after = disk.counters();
    assert_eq!((after.writes - before.writes, after.syncs - before.syncs), (1, 1));
    assert_eq!(after.dir_syncs, before.dir_syncs);

    log.write(&Batch { hard_state: Some(hard_state(1, 1, 5)), ..Batch::default() }).unwrap();
    let unsynced = disk.counters();
    assert_eq!((unsynced.writes - after.writes, unsynced.syncs), (1, after.syncs));
    log.write(&Batch { sync: true, ..Batch::default() }).unwrap();
    log.write(&Batch { sync: true, ..Batch::default() }).unwrap();
    assert_eq!(disk.counters().syncs, unsynced.syncs + 1);
    assert_eq!(disk.counters().writes, unsynced.writes);
}

#[test]
fn a_conflicting_suffix_is_replaced() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    append(&mut log, &entries(1, 6, 1, 30));
    append(&mut log, &entries(4, 1, 2, 30));
    assert_eq!(
        (log.last_index(), log.term(3), log.term(4), log.term(5)),
        (4, Some(1), Some(2), None)
    );
    append(&mut log, &entries(1, 2, 3, 30));
    append(&mut log, &entries(3, 1, 4, 30));
    let expected = [entries(1, 2, 3, 30), entries(3, 1, 4, 30)].concat();
    assert_eq!(log.read(1, 4, u64::MAX).unwrap(), expected);
    for _ in 0..3 {
        disk.restart();
        let (_, recovered) = open(&disk).unwrap();
        assert_eq!(recovered.entries, expected);
    }
}

#[test]
fn a_conflict_in_an_earlier_segment_survives_restarts() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    for index in 1..=12 {
        append(&mut log, &entries(index, 1, 1, 1000));
    }
    append(&mut log, &entries(5, 2, 2, 1000));
    let expected = [entries(1, 4, 1, 1000), entries(5, 2, 2, 1000)].concat();
    for _ in 0..3 {
        disk.restart();
        let (reopened, recovered) = open(&disk).unwrap();
        assert_eq!(recovered.entries, expected);
        log = reopened;
    }
    append(&mut log, &entries(7, 9, 3, 1000));
    append(&mut log, &entries(6, 1, 4, 1000));
    // Entry 5 is in a segment that begins after entry 12: the base has to come down to 4.
    log.compact(4).unwrap().remove(&disk).unwrap();
    assert_eq!((log.first_index(), log.term(4)), (5, Some(1)));
    disk.restart();
    let (_, recovered) = open(&disk).unwrap();
    assert_eq!((recovered.base_index, recovered.base_term), (4, 1));
    assert_eq!(recovered.entries, [entries(5, 1, 2, 1000), entries(6, 1, 4, 1000)].concat());
}

#[test]
fn a_reset_drops_everything_and_stays() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    for index in 1..=12 {
        append(&mut log, &entries(index, 1, 1, 1000));
    }
    let batch = Batch {
        hard_state: Some(hard_state(5, 0, 100)),
        entries: &entries(101, 2, 5, 8),
        reset: Some((100, 4)),
        sync: true,
    };
    log.write(&batch).unwrap();
    assert_eq!((log.first_index(), log.last_index()), (101, 102));
    assert_eq!((log.term(100), log.term(12)), (Some(4), None));
    for _ in 0..2 {
        disk.restart();
        let (_, recovered) = open(&disk).unwrap();
        assert_eq!((recovered.base_index, recovered.base_term), (100, 4));
        assert_eq!(recovered.entries, entries(101, 2, 5, 8));
        assert_eq!(recovered.hard_state, hard_state(5, 0, 100));
    }
    let segments = disk.list().unwrap();
    assert_eq!(segments.len(), 1, "{segments:?}");
}

#[test]
fn reading_stops_at_the_bytes_asked_for_but_gives_at_least_one() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    append(&mut log, &entries(1, 10, 1, 100));
    let count = |low, high, bytes_max| log.read(low, high, bytes_max).unwrap().len();
    assert_eq!(count(1, 11, 0), 1);
    assert_eq!(count(1, 11, 300), 2);
    assert_eq!(count(3, 5, u64::MAX), 2);
    assert_eq!(count(3, 3, u64::MAX), 0);
    assert!(matches!(log.read(0, 3, 9), Err(LogError::Compacted { index: 0, first: 1 })));
    assert!(matches!(log.read(9, 12, 9), Err(LogError::Beyond { index: 11, last: 10 })));
}

#[test]
fn a_batch_that_makes_no_sense_is_refused_and_changes_nothing() {
    let disk = MemDisk::new();
    let mut log = Log::create(Arc::new(disk.clone()), identity(), SMALL, (5, 1)).unwrap();
    append(&mut log, &entries(6, 2, 1, 10));
    let before = disk.operations();
    let refuse = |log: &mut Log<MemDisk>, entries: &[Entry]| {
        log.write(&Batch { entries, sync: true, ..Batch::default() }).unwrap_err()
    };
    assert!(matches!(
        refuse(&mut log, &entries(9, 1, 1, 1)),
        LogError::Gap { index: 9, expected: 8 }
    ));
    assert!(matches!(
        refuse(&mut log, &entries(5, 1, 1, 1)),
        LogError::Compacted { index: 5, first: 6 }
    ));
    let jump = [entries(8, 1, 1, 1), entries(10, 1, 1, 1)].concat();
    assert!(matches!(refuse(&mut log, &jump), LogError::Gap { index: 10, expected: 9 }));
    let long = [entry(8, 1, vec![0; Entry::DATA_LEN_MAX + 1])];
    assert!(matches!(refuse(&mut log, &long), LogError::TooLong { len: 524_289, max: 524_288 }));
    let ahead = Batch { hard_state: Some(hard_state(1, 1, 8)), ..Batch::default() };
    assert!(matches!(
        log.write(&ahead).unwrap_err(),
        LogError::CommitBeyond { commit: 8, last: 7 }
    ));
    assert_eq!(disk.operations(), before);
    append(&mut log, &[entry(8, 1, vec![7; Entry::DATA_LEN_MAX])]);
    disk.restart();
    let (_, recovered) = open(&disk).unwrap();
    assert_eq!(recovered.entries.len(), 3);
    assert_eq!(recovered.entries[2].data.len(), Entry::DATA_LEN_MAX);
}

#[test]
fn compaction_keeps_what_is_not_covered_and_bounds_the_files() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    let mut model = Model::new();
    let mut sizes = Vec::new();
    for index in 1..=300 {
        let entries = entries(index, 1, 1, 500);
        let batch = Batch {
            hard_state: Some(hard_state(1, 2, index)),
            entries: &entries,
            reset: None,
            sync: true,
        };
        log.write(&batch).unwrap();
        model.write(&batch);
        if index % 10 == 0 {
            let size = log.size_bytes();
            log.compact(index - 5).unwrap().remove(&disk).unwrap();
            assert!(log.size_bytes() <= size);
            assert!((index.saturating_sub(15)..=index - 4).contains(&log.first_index()), "{index}");
            sizes.push(disk.list().unwrap().len());
            let found = log.read(log.first_index(), index + 1, u64::MAX).unwrap();
            assert_eq!(found, model.entries[log.first_index() as usize - 1..]);
        }
        if index % 70 == 0 {
            disk.restart();
            let (reopened, recovered) = open(&disk).unwrap();
            assert!(model.matches(&recovered, index - 5), "{index}: {recovered:?}");
            log = reopened;
        }
    }
    assert!(sizes.iter().max() <= Some(&5), "{sizes:?}");
}

#[test]
fn compacting_everything_keeps_index_term_and_hard_state() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    for index in 1..=12 {
        let entries = entries(index, 1, 7, 1000);
        let hard_state = Some(hard_state(8, 3, index));
        log.write(&Batch { hard_state, entries: &entries, reset: None, sync: true }).unwrap();
    }
    log.compact(12).unwrap().remove(&disk).unwrap();
    log.compact(u64::MAX).unwrap().remove(&disk).unwrap();
    let first = log.first_index();
    assert!(first > 9, "{first}");
    disk.restart();
    let (log, recovered) = open(&disk).unwrap();
    assert_eq!((recovered.base_index + 1, recovered.base_term), (first, 7));
    assert_eq!((log.last_index(), log.hard_state()), (12, hard_state(8, 3, 12)));
}

/// Removing takes a while, so it is done elsewhere; whoever never does it finds it done by the next start.
#[test]
fn what_is_released_is_the_callers_to_remove_or_the_next_starts() {
    let segments =
        |disk: &MemDisk| disk.file_names().iter().filter(|name| name.ends_with(".log")).count();
    let disk = MemDisk::new();
    let mut log = create(&disk);
    for index in 1..=30 {
        append(&mut log, &entries(index, 1, 1, 1000));
    }
    let all = segments(&disk);
    assert!(log.compact(0).unwrap().is_empty());
    let dropped = log.compact(25).unwrap();
    // One of them is the spare now.
    assert_eq!(segments(&disk), all - 1);
    let first = log.first_index();
    assert!(first > 20 && log.read(first, 31, u64::MAX).is_ok(), "{first}");

    let other = disk.fork();
    dropped.remove(&disk).unwrap();
    let left = segments(&disk);
    assert!(left < 5, "{left}");
    other.restart();
    let (log, _) = open(&other).unwrap();
    assert_eq!((segments(&other), log.first_index()), (left, first));
    let (low, high) = (log.first_index(), log.last_index() + 1);
    assert_eq!(log.read(low, high, u64::MAX).unwrap(), entries(first, 31 - first, 1, 1000));
}

#[test]
fn a_recycled_segments_old_records_are_never_taken_for_new_ones() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    // All records have one length, so that old ones stand exactly where new ones would.
    for index in 1..=40 {
        append(&mut log, &entries(index, 1, 1, 99));
        log.compact(index).unwrap().remove(&disk).unwrap();
    }
    for index in 41..=200 {
        append(&mut log, &entries(index, 1, 1, 99));
        log.compact(index - 1).unwrap().remove(&disk).unwrap();
        let disk = disk.fork();
        disk.restart();
        let (log, recovered) = open(&disk).unwrap();
        assert_eq!((log.last_index(), recovered.torn_tail), (index, None));
    }
    assert!(disk.counters().creates <= 3, "{:?}", disk.counters());
}

#[test]
fn a_spare_filled_elsewhere_is_used_and_asked_for_once() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    let request = log.spare_wanted().unwrap();
    assert!(log.spare_wanted().is_none());
    log.spare_failed();
    drop(request);
    let spare = log.spare_wanted().unwrap().fill(&disk).unwrap();
    log.offer_spare(spare);
    assert!(log.spare_wanted().is_none());
    let creates = disk.counters().creates;
    for index in 1..=6 {
        append(&mut log, &entries(index, 1, 1, 1000));
    }
    assert_eq!(disk.counters().creates, creates);
    assert!(log.spare_wanted().is_some(), "the spare was used");
    disk.restart();
    let (_, recovered) = open(&disk).unwrap();
    assert_eq!(recovered.entries, entries(1, 6, 1, 1000));
}

#[test]
fn spares_left_over_are_removed_at_start() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    let spare = log.spare_wanted().unwrap().fill(&disk).unwrap();
    log.offer_spare(spare);
    disk.restart();
    drop(open(&disk).unwrap());
    assert_eq!(disk.list().unwrap(), ["00000000000000000002.log"]);
}

#[test]
fn after_a_failed_write_or_sync_the_log_says_nothing_any_more() {
    let fail_write: fn(&MemDisk) = |disk| disk.fail_after(0);
    let fail_sync: fn(&MemDisk) = |disk| disk.fail_syncs(1);
    for (fail, action) in [(fail_write, "write"), (fail_sync, "sync")] {
        let disk = MemDisk::new();
        let mut log = create(&disk);
        append(&mut log, &entries(1, 1, 1, 10));
        fail(&disk);
        let batch = Batch { entries: &entries(2, 1, 1, 10), sync: true, ..Batch::default() };
        let error = log.write(&batch).unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot {action} 0")), "{error}");
        assert_eq!(error.source().unwrap().to_string(), "injected fault");
        disk.restart();
        assert!(matches!(log.write(&batch), Err(LogError::Poisoned)));
        assert!(matches!(log.write(&Batch::default()), Err(LogError::Poisoned)));
        assert!(matches!(log.read(1, 2, 9), Err(LogError::Poisoned)));
        assert!(matches!(log.compact(1), Err(LogError::Poisoned)));
        assert!(log.spare_wanted().is_none());
    }
}

#[test]
fn a_full_disk_poisons_and_a_restart_with_room_goes_on() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    append(&mut log, &entries(1, 1, 1, 1000));
    disk.limit(Some(2000));
    let full =
        log.write(&Batch { entries: &entries(2, 1, 1, 1000), sync: true, ..Batch::default() });
    assert!(matches!(full, Err(LogError::Io { action: "write", .. })), "{full:?}");
    disk.restart();
    assert!(matches!(open(&disk), Err(LogError::Io { .. })), "starting needs room too");
    disk.limit(None);
    disk.crash(1);
    let (mut log, recovered) = open(&disk).unwrap();
    assert_eq!(recovered.entries, entries(1, 1, 1, 1000));
    append(&mut log, &entries(2, 1, 1, 1000));
}

#[test]
fn another_clusters_or_nodes_directory_is_refused_with_what_to_do() {
    let disk = MemDisk::new();
    drop(create(&disk));
    let open = |cluster_id, node_id| {
        let expected = Expected { cluster_id, node_id: NodeId(node_id) };
        Log::open(Arc::new(disk.clone()), expected, SMALL).unwrap_err()
    };
    let error = open(0xabc, 2);
    assert!(matches!(error, LogError::WrongCluster { found: CLUSTER, expected: 0xabc }));
    let text = error.to_string();
    assert!(text.contains("0123456789abcdef0011223344556677"), "{text}");
    assert!(text.contains("00000000000000000000000000000abc"), "{text}");
    let error = open(CLUSTER, 9);
    assert!(matches!(error, LogError::WrongNode { found: 2, expected: 9 }));
    assert!(error.to_string().contains("set the node id to 2"), "{error}");
}

#[test]
fn a_directory_holds_one_log_or_none() {
    let disk = MemDisk::new();
    assert!(!Log::exists(&disk).unwrap());
    assert!(matches!(open(&disk), Err(LogError::Missing)));
    disk.put("lock", b"");
    disk.put("notes.log", b"not ours");
    assert!(!Log::exists(&disk).unwrap());
    drop(create(&disk));
    assert!(Log::exists(&disk).unwrap());
    let again = Log::create(Arc::new(disk.clone()), identity(), SMALL, (0, 0));
    assert!(matches!(again, Err(LogError::Exists)));
    drop(open(&disk).unwrap());
    assert_eq!(disk.contents("notes.log"), b"not ours");
}

#[test]
fn segment_length_may_change_between_starts() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    for index in 1..=10 {
        append(&mut log, &entries(index, 1, 1, 1000));
    }
    let expected = Expected { cluster_id: CLUSTER, node_id: NodeId(2) };
    for (at, segment_bytes) in [16384, 4096, 65536].into_iter().enumerate() {
        disk.restart();
        let config = LogConfig { segment_bytes };
        let (mut log, recovered) = Log::open(Arc::new(disk.clone()), expected, config).unwrap();
        let last = 10 + at as u64 * 10;
        assert_eq!(recovered.entries, entries(1, last, 1, 1000));
        for index in last + 1..=last + 10 {
            append(&mut log, &entries(index, 1, 1, 1000));
        }
        log.compact(0).unwrap().remove(&disk).unwrap();
    }
}

#[test]
fn the_real_disk_keeps_a_log_too() {
    let temp = tempfile::tempdir().unwrap();
    let expected = Expected { cluster_id: CLUSTER, node_id: NodeId(2) };
    {
        let disk = Arc::new(RealDisk::open(temp.path()).unwrap());
        let mut log = Log::create(Arc::clone(&disk), identity(), SMALL, (0, 0)).unwrap();
        let spare = log.spare_wanted().unwrap().fill(&*disk).unwrap();
        log.offer_spare(spare);
        for index in 1..=50 {
            let batch =
                Batch { entries: &entries(index, 1, 1, 700), sync: true, ..Batch::default() };
            log.write(&batch).unwrap();
            log.compact(index.saturating_sub(20)).unwrap().remove(&*disk).unwrap();
        }
    }
    let disk = Arc::new(RealDisk::open(temp.path()).unwrap());
    let (log, recovered) = Log::open(Arc::clone(&disk), expected, SMALL).unwrap();
    let first = recovered.base_index + 1;
    assert!((25..=31).contains(&first), "{first}");
    assert_eq!(recovered.entries, entries(first, 51 - first, 1, 700));
    assert_eq!(log.read(first, 51, u64::MAX).unwrap(), recovered.entries);
    let names = disk.list().unwrap();
    let newest = names.iter().rev().find(|name| name.ends_with(".log")).unwrap();
    assert!(disk.open(newest).unwrap().len().unwrap() >= 4096);
}
