//! What is salvaged of a damaged log: sound stretches of what was written, and never anything else.

use std::collections::BTreeMap;

use turnwise::consensus::log::{Disk as _, Log, LogError, Salvage};

use crate::{
    damage::several_segments,
    memdisk::MemDisk,
    model::{Model, entries},
};

fn salvage(disk: &MemDisk) -> Result<Salvage, LogError> {
    Log::salvage(disk)
}

/// Names and bytes.
fn files(disk: &MemDisk) -> Vec<(String, Vec<u8>)> {
    let names = disk.list().unwrap().into_iter();
    names.map(|name| (name.clone(), disk.contents(&name))).collect()
}

/// All entries that the log ever held: lengths by index and term.
fn written(states: &[Model]) -> BTreeMap<(u64, u64), usize> {
    let all = states.iter().flat_map(|state| &state.entries);
    all.map(|entry| ((entry.index, entry.term), entry.data.len())).collect()
}

/// Checks that every stretch is a piece of what was written, entry after entry.
fn check(salvage: &Salvage, written: &BTreeMap<(u64, u64), usize>, what: &str) {
    for stretch in &salvage.stretches {
        for (next, entry) in (stretch.base.0 + 1..).zip(&stretch.entries) {
            assert_eq!(entry.index, next, "{what}: without gaps");
            let len = written.get(&(entry.index, entry.term));
            let len = *len.unwrap_or_else(|| panic!("{what}: nobody wrote {entry:?}"));
            assert_eq!(&entry.data, &entries(entry.index, 1, entry.term, len)[0].data, "{what}");
        }
    }
    let ends = salvage.stretches.iter().filter(|stretch| stretch.is_end).count();
    assert!(ends <= 1 && salvage.stretches[1..].iter().all(|stretch| !stretch.is_end), "{what}");
}

#[test]
fn of_a_sound_log_all_is_had_in_one_stretch_and_nothing_is_changed() {
    let (disk, states) = several_segments();
    let before = files(&disk);
    let found = salvage(&disk).unwrap();
    assert_eq!((found.stretches.len(), found.damage.len()), (1, 0));
    let whole = states.last().unwrap();
    let stretch = &found.stretches[0];
    assert!(stretch.is_end);
    assert_eq!((stretch.base, &stretch.entries), (whole.base, &whole.entries));
    assert_eq!(stretch.hard_state, whole.hard_state);
    assert_eq!(files(&disk), before);
}

#[test]
fn whatever_bit_flips_or_file_is_cut_or_lost_what_is_had_was_written_and_damage_is_told() {
    let (disk, states) = several_segments();
    let (whole, written) = (states.last().unwrap(), written(&states));
    let (mut kept_end, mut lost_end) = (0, 0);
    let mut look = |disk: &MemDisk, what: &str| {
        let found = match salvage(disk) {
            Ok(found) => found,
            Err(error) => panic!("{what}: {error}"),
        };
        check(&found, &written, what);
        let newest = &found.stretches[0];
        let is_whole = newest.entries == whole.entries && newest.is_end;
        // A write that was never synced may be cut without a word, as a crash cuts it.
        let told = !found.damage.is_empty() || newest.last().0 == whole.last();
        assert!(is_whole || told, "{what}: {:?}", found.damage);
        if newest.is_end { kept_end += 1 } else { lost_end += 1 }
    };
    for name in disk.list().unwrap() {
        let len = disk.contents(&name).len() as u64;
        for offset in 0..len {
            let flipped = disk.fork();
            flipped.flip(&name, offset, 1 << (offset % 8));
            look(&flipped, &format!("{name} {offset}"));
        }
        for cut in (0..len).step_by(7) {
            let short = disk.fork();
            short.cut(&name, cut);
            look(&short, &format!("{name} cut at {cut}"));
        }
    }
    // That the last one is missing leaves no trace.
    let names = disk.list().unwrap();
    for name in &names[..names.len() - 1] {
        let lost = disk.fork();
        lost.lose(name);
        look(&lost, &format!("{name} lost"));
    }
    assert!(kept_end > 1_000 && lost_end > 1_000, "{kept_end} {lost_end}");
}

#[test]
fn damage_in_an_old_segment_leaves_the_newer_ones_whole() {
    let (disk, states) = several_segments();
    let names = disk.list().unwrap();
    disk.flip(&names[0], 700, 1);
    let found = salvage(&disk).unwrap();
    assert_eq!(found.stretches.len(), 2, "{found:?}");
    let newest = &found.stretches[0];
    assert!(newest.is_end && newest.base.0 > 0, "it begins with the second segment");
    assert_eq!(newest.last().0, states.last().unwrap().last());
    assert_eq!(newest.hard_state, states.last().unwrap().hard_state);
}

#[test]
fn without_a_segment_there_is_nothing_to_salvage() {
    assert!(matches!(salvage(&MemDisk::new()), Err(LogError::Missing)));
}
