//! Damage of every kind: the log reads back right, or loses a write that was never synced, or refuses.
//!
//! "Right" is one of the states that the log had, whole; which of them may come out depends on what
//! was synced and on what the disk can still prove.

use std::sync::Arc;

use turnwise::consensus::log::{Batch, Damage, Disk, Log, LogError, Recovered};

use crate::memdisk::{Dice, MemDisk};
use crate::model::{Model, SMALL, append, batch, create, entries, hard_state, identity, open};

/// A log of three segments with truncations, and the states it had after each batch. The last batch is
/// not synced.
pub(crate) fn several_segments() -> (MemDisk, Vec<Model>) {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    let mut states = vec![Model::new()];
    let mut write = |batch: Batch<'_>| {
        log.write(&batch).unwrap();
        let mut model = states.last().unwrap().clone();
        model.write(&batch);
        states.push(model);
    };
    write(batch(&entries(1, 4, 1, 300), Some(hard_state(1, 2, 0)), true));
    write(batch(&entries(5, 3, 1, 500), Some(hard_state(1, 2, 4)), true));
    write(batch(&entries(8, 2, 1, 600), None, true));
    write(batch(&entries(7, 3, 2, 300), Some(hard_state(2, 1, 6)), true));
    write(batch(&entries(10, 3, 2, 600), Some(hard_state(2, 1, 9)), true));
    write(batch(&entries(13, 2, 2, 400), None, true));
    write(batch(&entries(12, 2, 3, 10), Some(hard_state(3, 3, 11)), true));
    write(batch(&entries(14, 3, 3, 100), None, true));
    write(batch(&[], Some(hard_state(3, 3, 16)), false));
    drop(log);
    disk.restart();
    let segments = disk.list().unwrap();
    assert_eq!(segments.len(), 3, "{segments:?}");
    (disk, states)
}

fn is_refusal(error: &LogError) -> bool {
    matches!(error, LogError::Rot { .. })
}

#[test]
fn a_flip_of_any_bit_is_harmless_or_refused_or_cuts_the_last_unsynced_write() {
    let (disk, states) = several_segments();
    let (whole, before) = (&states[states.len() - 1], &states[states.len() - 2]);
    let (mut refused, mut cut, mut harmless) = (0, 0, 0);
    for name in disk.list().unwrap() {
        for offset in 0..disk.contents(&name).len() as u64 {
            for bit in [0, 3, 7] {
                let disk = disk.fork();
                disk.flip(&name, offset, 1 << bit);
                match open(&disk) {
                    Ok((_, recovered)) if whole.matches(&recovered, 0) => harmless += 1,
                    Ok((_, recovered)) => {
                        assert!(before.matches(&recovered, 0), "{name} {offset}: {recovered:?}");
                        assert!(recovered.torn_tail.is_some(), "{name} {offset}");
                        cut += 1;
                    }
                    Err(error) => {
                        assert!(is_refusal(&error), "{name} {offset}: {error}");
                        refused += 1;
                    }
                }
            }
        }
    }
    // The last record: a head, 24 bytes of hard state, three bits of each byte.
    assert_eq!(cut, 48 * 3);
    assert!(refused > 3 * 8000, "{refused}");
    assert!(harmless > 0 && harmless < 3 * 4000, "{harmless}");
}

#[test]
fn a_file_cut_at_any_length_or_missing_is_refused() {
    let (disk, _) = several_segments();
    let names = disk.list().unwrap();
    for name in &names {
        for len in 0..disk.contents(name).len() as u64 {
            let disk = disk.fork();
            disk.cut(name, len);
            let error = open(&disk).unwrap_err();
            assert!(is_refusal(&error), "{name} {len}: {error}");
        }
    }
    for name in &names[..2] {
        let disk = disk.fork();
        disk.lose(name);
        let error = open(&disk).unwrap_err();
        let damage = matches!(error, LogError::Rot { damage: Damage::Missing { .. }, .. });
        assert!(damage, "{name}: {error}");
    }
}

#[test]
fn segments_under_each_others_names_are_refused() {
    let (disk, _) = several_segments();
    let names = disk.list().unwrap();
    for from in &names {
        for to in names.iter().filter(|to| *to != from) {
            let disk = disk.fork();
            disk.put(to, &disk.contents(from));
            assert!(is_refusal(&open(&disk).unwrap_err()), "{from} as {to}");
        }
    }
}

#[test]
fn a_segment_of_another_node_among_ours_is_refused() {
    let (disk, _) = several_segments();
    let other = MemDisk::new();
    let mut identity = identity();
    identity.incarnation.0 += 1;
    drop(Log::create(Arc::new(other.clone()), identity, SMALL, (0, 0)).unwrap());
    let first = disk.list().unwrap().remove(0);
    disk.put(&first, &other.contents(&first));
    let error = open(&disk).unwrap_err();
    assert!(matches!(error, LogError::Rot { damage: Damage::Foreign, .. }), "{error}");
}

#[test]
fn a_later_version_is_refused_by_its_number() {
    let disk = MemDisk::new();
    drop(create(&disk));
    let name = disk.list().unwrap().remove(0);
    let mut header = disk.contents(&name)[..512].to_vec();
    header[8] = 2;
    let crc = crc32c::crc32c(&header[..508]);
    header[508..].copy_from_slice(&crc.to_le_bytes());
    disk.overwrite(&name, 0, &header);
    let error = open(&disk).unwrap_err();
    assert!(matches!(error, LogError::Version { found: 2, supported: 1, .. }), "{error}");
}

/// A log with one synced batch, then one batch of five records over several sectors.
/// Answers the disk, the segment's name, and where the second batch begins and ends.
fn with_a_long_last_batch(then_synced: bool) -> (MemDisk, String, u64, u64) {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    append(&mut log, &entries(1, 2, 1, 40));
    let begin = log.size_bytes();
    let batch = Batch {
        hard_state: Some(hard_state(1, 1, 6)),
        entries: &entries(3, 4, 1, 500),
        reset: None,
        sync: then_synced,
    };
    log.write(&batch).unwrap();
    let end = log.size_bytes();
    if then_synced {
        log.write(&Batch { hard_state: Some(hard_state(1, 1, 5)), ..Batch::default() }).unwrap();
    }
    disk.restart();
    let name = disk.list().unwrap().remove(0);
    (disk, name, begin, end)
}

/// Loses each set of sectors of a written range, in turn.
fn lose_sectors(
    disk: &MemDisk,
    name: &str,
    (begin, end): (u64, u64),
    mut check: impl FnMut(u32, Result<Recovered, LogError>),
) -> u32 {
    let first = begin / 512;
    let count = u32::try_from(end.div_ceil(512) - first).unwrap();
    for lost in 1..1_u32 << count {
        let disk = disk.fork();
        for sector in (0..count).filter(|sector| lost & (1 << sector) != 0) {
            let at = (first + u64::from(sector)) * 512;
            let from = at.max(begin);
            let zeros = vec![0; (end.min(at + 512) - from) as usize];
            disk.overwrite(name, from, &zeros);
        }
        check(lost, open(&disk).map(|(_, recovered)| recovered));
    }
    count
}

#[test]
fn a_batch_torn_anywhere_before_its_sync_is_cut_whole() {
    let (disk, name, begin, end) = with_a_long_last_batch(false);
    let count = lose_sectors(&disk, &name, (begin, end), |lost, opened| {
        let recovered = opened.unwrap_or_else(|error| panic!("{lost:b}: {error}"));
        assert_eq!(recovered.entries, entries(1, 2, 1, 40), "{lost:b}");
        assert_eq!(recovered.hard_state, hard_state(0, 0, 0), "{lost:b}");
    });
    assert!(count >= 5, "{count}");
    let (_, recovered) = open(&disk).unwrap();
    assert_eq!(recovered.entries.len(), 6, "with all its sectors it stays");
}

#[test]
fn the_same_damage_after_its_sync_is_rot() {
    let (disk, name, begin, end) = with_a_long_last_batch(true);
    let count = lose_sectors(&disk, &name, (begin, end), |lost, opened| {
        let error = opened.unwrap_err();
        let LogError::Rot { offset, damage, .. } = error else { panic!("{lost:b}: {error}") };
        assert!((begin..end).contains(&offset), "{lost:b}: {offset}");
        assert_eq!(damage, Damage::Record { durable: end }, "{lost:b}");
    });
    assert!(count >= 5, "{count}");
    let (_, recovered) = open(&disk).unwrap();
    assert_eq!(recovered.hard_state, hard_state(1, 1, 5));
}

#[test]
fn rot_in_the_last_write_is_told_from_a_torn_one_once_the_log_has_vouched_for_it() {
    for vouches in [false, true] {
        let disk = MemDisk::new();
        let mut log = create(&disk);
        append(&mut log, &entries(1, 1, 1, 40));
        let begin = log.size_bytes();
        append(&mut log, &entries(2, 3, 1, 200));
        let end = log.size_bytes();
        assert_eq!(log.proven().1, begin);
        if vouches {
            log.vouch().unwrap();
            let said = log.size_bytes();
            assert!(said > end);
            log.vouch().unwrap();
            assert_eq!(log.size_bytes(), said, "once is enough");
        }
        drop(log);
        disk.restart();
        let name = disk.list().unwrap().remove(0);
        for offset in begin..end {
            let disk = disk.fork();
            disk.flip(&name, offset, 1);
            let opened = open(&disk).map(|(_, recovered)| recovered.entries);
            match opened {
                Err(error) => assert!(vouches && is_refusal(&error), "{offset}: {error}"),
                // Padding, or nobody can tell.
                Ok(all) if vouches => assert_eq!(all, entries_of_both(), "{offset}"),
                Ok(left) => assert_eq!(left, entries(1, 1, 1, 40), "{offset}"),
            }
        }
        assert_eq!(open(&disk).unwrap().1.entries, entries_of_both());
    }
}

fn entries_of_both() -> Vec<turnwise::consensus::Entry> {
    [entries(1, 1, 1, 40), entries(2, 3, 1, 200)].concat()
}

#[test]
fn the_proof_of_rot_may_itself_be_torn() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    append(&mut log, &entries(1, 1, 1, 400));
    let rotten = log.size_bytes() - 100;
    // Not synced, and longer than a sector: only its first sector gets to the disk.
    let begin = log.size_bytes();
    let entries = entries(2, 1, 1, 1000);
    log.write(&Batch { entries: &entries, ..Batch::default() }).unwrap();
    disk.restart();
    let name = disk.list().unwrap().remove(0);
    let sector = (begin / 512 + 1) * 512;
    disk.overwrite(&name, sector, &[0; 1000]);
    assert_eq!(open(&disk.fork()).unwrap().1.entries.len(), 1, "a torn tail alone is cut");
    disk.flip(&name, rotten, 1);
    let error = open(&disk).unwrap_err();
    assert!(is_refusal(&error), "{error}");
}

#[test]
fn reading_notices_rot_that_came_after_the_start() {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    append(&mut log, &entries(1, 3, 1, 100));
    let name = disk.list().unwrap().remove(0);
    let second = 512 + 144 + 60;
    disk.flip(&name, second, 4);
    assert_eq!(log.read(1, 2, u64::MAX).unwrap(), entries(1, 1, 1, 100));
    let error = log.read(1, 4, u64::MAX).unwrap_err();
    assert!(matches!(error, LogError::Rot { offset: 656, .. }), "{error}");
}

/// Everything that may come out of a mutated log is a state that it had, whole.
#[test]
fn a_hundred_thousand_random_mutations_give_a_state_it_had_or_a_refusal() {
    let (disk, states) = several_segments();
    let names = disk.list().unwrap();
    let live = names.last().unwrap();
    let before: Vec<Vec<u8>> = names.iter().map(|name| disk.contents(name)).collect();
    let (mut opened, mut refused) = (0, 0);
    let mut dice = Dice(2);
    for round in 0..100_000 {
        let disk = disk.fork();
        for _ in 0..=dice.below(3) {
            mutate(&disk, live, &before, &mut dice);
        }
        match open(&disk) {
            Ok((_, recovered)) => {
                let known = states.iter().any(|state| state.matches(&recovered, 0));
                assert!(known, "round {round}: {recovered:?}");
                opened += 1;
            }
            Err(error) => {
                assert!(is_refusal(&error), "round {round}: {error}");
                refused += 1;
            }
        }
    }
    assert!(opened > 1000 && refused > 1000, "{opened} {refused}");
}

fn mutate(disk: &MemDisk, name: &str, before: &[Vec<u8>], dice: &mut Dice) {
    let len = before.last().unwrap().len();
    let at = dice.below(len);
    let count = dice.below(200.min(len - at)) + 1;
    match dice.below(6) {
        0 => disk.flip(name, at as u64, 1 << dice.below(8)),
        1 => disk.overwrite(name, at as u64, &[dice.next() as u8]),
        2 => disk.overwrite(name, at as u64, &vec![0; count]),
        3 => {
            let noise: Vec<u8> = (0..count).map(|_| dice.next() as u8).collect();
            disk.overwrite(name, at as u64, &noise);
        }
        4 => {
            // From elsewhere in the log, at the same place or another.
            let source = &before[dice.below(before.len())];
            let from = if dice.below(2) == 0 { at } else { dice.below(len - count + 1) };
            disk.overwrite(name, at as u64, &source[from..from + count]);
        }
        _ => disk.overwrite(name, (at / 512 * 512) as u64, &vec![0; 512 * (1 + dice.below(4))]),
    }
}
