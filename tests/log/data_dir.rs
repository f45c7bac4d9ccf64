//! Damage to a whole data directory, log and snapshot: what opens is what was there, or it is refused with
//! words.
//!
//! The parts have tests of their own (`damage`, `snapshot`); this one is of what a node starts from.

use std::{error::Error, path::Path, sync::Arc};

use turnwise::{
    consensus::{
        HardState, Incarnation, NodeId,
        driver::{DataDir, Founding, Opened, StartError, write_snapshot},
        log::{Batch, LogConfig, snapshot::SnapshotId},
    },
    routing::State,
};

use crate::{memdisk::MemDisk, model::entries};

const LAST: u64 = 11;

fn open(disk: &MemDisk, founds: bool) -> Result<Opened<State, MemDisk>, StartError> {
    let voters = vec![NodeId(1), NodeId(2), NodeId(3)];
    let dir = DataDir {
        path: Path::new("memory"),
        cluster_id: 7,
        node_id: NodeId(1),
        log: LogConfig { segment_bytes: 4 << 10 },
        founding: founds.then_some(Founding { voters, incarnation: Incarnation(9) }),
    };
    dir.open(Arc::new(disk.clone()))
}

/// Ten entries, of which a snapshot holds the first four. All of it is durable, and the log says so.
fn directory() -> MemDisk {
    let disk = MemDisk::new();
    let Opened { store, mut log, recovered, machine, .. } = open(&disk, true).unwrap();
    for first in [2, 6, 9] {
        let count = if first == 2 { 4 } else { 3 };
        let hard_state = Some(HardState { term: 1, vote: 2, commit: first });
        let entries = entries(first, count, 1, 300);
        log.write(&Batch { hard_state, entries: &entries, reset: None, sync: true }).unwrap();
    }
    assert_eq!(log.last_index(), LAST);
    let id = SnapshotId { index: 5, term: 1 };
    write_snapshot(&store, id, &recovered.snapshot.meta, &machine).unwrap();
    store.remove_before(id).unwrap();
    log.vouch().unwrap();
    disk.restart();
    disk
}

/// What a node would start from, as far as it must not differ; or the words with which it refuses.
fn start(disk: &MemDisk) -> Result<(u64, u64, u64, HardState, u128), String> {
    let words = |error: StartError| {
        let mut words = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            words = format!("{words}: {error}");
            source = error.source();
        }
        words
    };
    let opened = open(disk, false).map_err(words)?;
    let recovered = &opened.recovered;
    let whole = entries(2, 4, 1, 300).into_iter().chain(entries(6, 3, 1, 300));
    let whole: Vec<_> = whole.chain(entries(9, 3, 1, 300)).collect();
    let skipped = usize::try_from(recovered.base.0 - 1).unwrap();
    assert_eq!(recovered.entries, whole[skipped..]);
    let (snapshot, last) = (recovered.snapshot.index, opened.log.last_index());
    Ok((recovered.base.0, snapshot, last, recovered.hard_state, opened.machine.hash()))
}

/// Every way to damage one byte, or to cut one file.
fn each_damage(mut check: impl FnMut(&str, Result<(u64, u64, u64, HardState, u128), String>)) {
    let disk = directory();
    for name in disk.file_names() {
        for at in 0..disk.contents(&name).len() as u64 {
            let flipped = disk.fork();
            flipped.flip(&name, at, 1 << (at % 8));
            check(&format!("{name}: byte {at} flipped"), start(&flipped));
            let cut = disk.fork();
            cut.cut(&name, at);
            check(&format!("{name}: cut at {at}"), start(&cut));
        }
    }
}

#[test]
fn a_data_directory_with_a_bad_byte_or_a_cut_file_reads_back_right_or_is_refused_with_words() {
    let whole = start(&directory()).unwrap();
    assert_eq!((whole.1, whole.2), (5, LAST));
    let (mut right, mut refused) = (0, 0);
    each_damage(|what, started| match started {
        Ok(same) => {
            assert_eq!(same, whole, "{what}");
            right += 1;
        }
        Err(words) => {
            let tells = ["damaged", "format version", "belongs to", "holds no log"];
            assert!(tells.iter().any(|text| words.contains(text)), "{what}: {words}");
            refused += 1;
        }
    });
    assert!(right > 100 && refused > 5_000, "{right} right, {refused} refused");
}
