//! Version 1 of every format, byte for byte: what was written once is read for ever, and what is
//! written now is what the page in `docs/formats` says.
//!
//! To add a version, keep these and add files; never write these again.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use turnwise::consensus::log::snapshot::{SnapshotId, SnapshotStore};
use turnwise::consensus::log::{Batch, Disk};
use turnwise::consensus::{Entry, EntryKind};

use crate::memdisk::MemDisk;
use crate::model::{CLUSTER, append, batch, create, entries, entry, hard_state, identity, open};

const SEGMENT: &str = "00000000000000000002.log";
const SNAPSHOT: &str = "00000000000000000700-00000000000000000009.snap";

fn golden(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Leaves what was written in the build's own directory, from where a new version's file comes.
fn compare(name: &str, written: &[u8]) {
    std::fs::write(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name), written).unwrap();
    let golden = golden(name);
    let differing = golden.iter().zip(written).position(|(old, new)| old != new);
    let mut around = String::new();
    if let Some(at) = differing {
        let range = at.saturating_sub(8)..(at + 24).min(golden.len()).min(written.len());
        write!(around, " golden {:02x?}, now {:02x?}", &golden[range.clone()], &written[range])
            .unwrap();
    }
    assert_eq!(differing, None, "{name} differs;{around}");
    assert_eq!(golden.len(), written.len(), "{name}");
}

/// A second segment with every type of record, behind one that was compacted.
fn write_segment() -> MemDisk {
    let disk = MemDisk::new();
    let mut log = create(&disk);
    append(&mut log, &entries(1, 3, 1, 900));
    log.write(&batch(&entries(4, 2, 2, 400), Some(hard_state(2, 3, 3)), true)).unwrap();
    log.compact(3).unwrap().remove(&disk).unwrap();
    let kinds = |entry: Entry, kind| Entry { kind, ..entry };
    let mixed = [
        kinds(entry(5, 3, "join"), EntryKind::ConfChange),
        kinds(entry(6, 3, ""), EntryKind::ConfChangeV2),
        entry(7, 3, "turn"),
    ];
    log.write(&batch(&mixed, None, false)).unwrap();
    log.write(&Batch {
        hard_state: Some(hard_state(4, 1, 20)),
        entries: &entries(21, 2, 4, 30),
        reset: Some((20, 4)),
        sync: true,
    })
    .unwrap();
    log.write(&batch(&[], Some(hard_state(4, 1, 22)), false)).unwrap();
    disk
}

#[test]
fn a_segment_is_written_as_version_1() {
    let disk = write_segment();
    compare("log-v1.segment", &disk.contents(SEGMENT));
}

#[test]
fn a_segment_of_version_1_is_read() {
    let disk = MemDisk::new();
    disk.put(SEGMENT, &golden("log-v1.segment"));
    let (log, recovered) = open(&disk).unwrap();
    assert_eq!(recovered.identity, identity());
    assert_eq!((recovered.base_index, recovered.base_term), (20, 4));
    assert_eq!(recovered.hard_state, hard_state(4, 1, 22));
    assert_eq!(recovered.entries, entries(21, 2, 4, 30));
    assert_eq!(recovered.torn_tail, None);
    assert_eq!(log.read(21, 23, u64::MAX).unwrap(), entries(21, 2, 4, 30));
}

/// The same file with its last two batches lost: the types before them are read too.
#[test]
fn a_segment_of_version_1_is_read_up_to_a_torn_batch() {
    let disk = MemDisk::new();
    let mut bytes = golden("log-v1.segment");
    let reset = bytes.windows(8).position(|window| window == [16, 0, 0, 0, 4, 0, 0, 0]).unwrap();
    bytes[reset..].fill(0);
    disk.put(SEGMENT, &bytes);
    let (_, recovered) = open(&disk).unwrap();
    assert_eq!((recovered.base_index, recovered.base_term), (3, 1));
    assert_eq!(recovered.hard_state, hard_state(2, 3, 3));
    let kinds: Vec<_> = recovered.entries.iter().map(|entry| (entry.index, entry.kind)).collect();
    let (normal, change, change_v2) =
        (EntryKind::Normal, EntryKind::ConfChange, EntryKind::ConfChangeV2);
    assert_eq!(kinds, [(4, normal), (5, change), (6, change_v2), (7, normal)]);
}

fn store(disk: &MemDisk) -> Arc<SnapshotStore<MemDisk>> {
    SnapshotStore::open(Arc::new(disk.clone()), CLUSTER, 1).unwrap()
}

#[test]
fn a_snapshot_is_written_as_version_1() {
    let disk = MemDisk::new();
    let id = SnapshotId { index: 700, term: 9 };
    let mut writer = store(&disk).create(id, b"members: 1, 2, 3").unwrap();
    writer.write_all(b"whose turn it is").unwrap();
    writer.finish().unwrap();
    assert_eq!(disk.list().unwrap(), [SNAPSHOT]);
    compare("snapshot-v1.snap", &disk.contents(SNAPSHOT));
}

#[test]
fn a_snapshot_of_version_1_is_read() {
    let disk = MemDisk::new();
    disk.put(SNAPSHOT, &golden("snapshot-v1.snap"));
    let mut snapshot = store(&disk).newest().unwrap().snapshot.unwrap();
    assert_eq!(snapshot.id(), SnapshotId { index: 700, term: 9 });
    assert_eq!(snapshot.meta(), b"members: 1, 2, 3");
    assert_eq!(snapshot.read_body(16).unwrap(), b"whose turn it is");
}
