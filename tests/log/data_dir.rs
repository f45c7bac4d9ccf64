//! Damage to a whole data directory, log and snapshot: what opens is what was there, or it is refused with
//! words.
//!
//! The parts have tests of their own (`damage`, `snapshot`); this one is of what a node starts from.

use std::{error::Error, path::Path, sync::Arc};

use prost::Message as _;
use turnwise::{
    consensus::{
        Entry, EntryKind, HardState, Incarnation, NodeId, Versions,
        driver::{DataDir, Founding, Opened, StartError, write_snapshot},
        log::{Batch, LogConfig, snapshot::SnapshotId},
    },
    proto::turnwise::log::v1::BatchVersion,
    replica::VERSIONS,
    routing::State,
};

use crate::{memdisk::MemDisk, model::entries};

const LAST: u64 = 11;
pub(crate) const CLUSTER_ID: u128 = 7;
pub(crate) const SEGMENT_BYTES: u64 = 4 << 10;

pub(crate) fn open(disk: &MemDisk, founds: bool) -> Result<Opened<State, MemDisk>, StartError> {
    open_with(disk, founds, VERSIONS)
}

fn open_with(
    disk: &MemDisk,
    founds: bool,
    versions: Versions,
) -> Result<Opened<State, MemDisk>, StartError> {
    open_as(disk, 1, founds, versions)
}

pub(crate) fn open_as(
    disk: &MemDisk,
    node: u64,
    founds: bool,
    versions: Versions,
) -> Result<Opened<State, MemDisk>, StartError> {
    let voters = vec![NodeId(1), NodeId(2), NodeId(3)];
    let dir = DataDir {
        path: Path::new("memory"),
        cluster_id: CLUSTER_ID,
        node_id: NodeId(node),
        versions,
        log: LogConfig { segment_bytes: SEGMENT_BYTES },
        founding: founds.then_some(Founding { voters, incarnation: Incarnation(9) }),
    };
    dir.open(Arc::new(disk.clone()))
}

/// Ten entries, of which a snapshot holds the first four. All of it is durable, and the log says so.
pub(crate) fn directory() -> MemDisk {
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

/// All that is on a disk.
fn contents(disk: &MemDisk) -> Vec<(String, Vec<u8>)> {
    disk.file_names().into_iter().map(|name| (name.clone(), disk.contents(&name))).collect()
}

#[test]
fn a_directory_of_a_version_that_the_build_lacks_is_refused_and_left_as_it_is() {
    let disk = directory();
    let before = contents(&disk);
    // By its snapshot, from either side.
    for versions in [Versions { min: 3, max: 4 }, Versions { min: 1, max: 1 }] {
        let Err(StartError::Version { version, .. }) = open_with(&disk, false, versions) else {
            panic!("{versions} is started");
        };
        assert_eq!(version, 2, "what the build needs is said");
        assert!(contents(&disk) == before, "nothing was written");
    }
    // By an entry, though the snapshot is of a version that it has.
    let Opened { mut log, .. } = open(&disk, false).unwrap();
    let said = BatchVersion { cluster_version: 3 }.encode_to_vec();
    let entry = Entry { index: LAST + 1, term: 1, kind: EntryKind::Normal, data: said.into() };
    log.write(&Batch { entries: &[entry], sync: true, ..Batch::default() }).unwrap();
    drop(log);
    disk.restart();
    let before = contents(&disk);
    let refused = open_with(&disk, false, Versions { min: 2, max: 2 }).unwrap_err();
    assert!(matches!(refused, StartError::Version { version: 3, .. }), "{refused}");
    assert!(refused.to_string().contains("Start a build that has version 3"), "{refused}");
    assert!(contents(&disk) == before, "nothing was written");
    open_with(&disk, false, Versions { min: 2, max: 3 }).unwrap();
}
