//! A backup read back, and what is refused; a member of a new cluster made, from a backup and from what a
//! damaged directory still holds.

use std::{fs, path::PathBuf, sync::Arc};

use tempfile::TempDir;

use super::*;
use crate::{
    codec,
    consensus::{
        Entry, EntryKind, HardState, Incarnation,
        driver::{Contents, DataDir, Founding, Loss, Opened, write_snapshot},
        log::{Batch as Written, Identity, Log, LogConfig, snapshot::SnapshotStore},
    },
    proto::turnwise::log::v1::Batch,
    replica::VERSIONS,
    routing::{Command, LogPosition, Operation, Principal, RepId, RepSettings, Stamp, TeamId},
};

const OLD: u128 = 7;
const NEW: u128 = 8;
/// So small that a few entries fill a segment.
const SMALL: LogConfig = LogConfig { segment_bytes: 4096 };

/// One of each record there is.
fn full() -> State {
    image::load(include_bytes!("../../tests/golden/state-v3.bin")).unwrap().0
}

fn taken() -> Taken {
    Taken { cluster_id: OLD, node_id: NodeId(2), log_index: 40, term: 3, time: Time(2_000) }
}

fn file(state: &State) -> (TempDir, PathBuf, About) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backup");
    let about = About::of(&taken(), state).unwrap();
    let mut bytes = Vec::new();
    let len = write(&about, state, &mut bytes).unwrap();
    assert_eq!(u64::try_from(bytes.len()).unwrap(), len);
    fs::write(&path, bytes).unwrap();
    (folder, path, about)
}

#[test]
fn a_backup_is_read_back_as_it_was() {
    let (_folder, path, about) = file(&full());
    let backup = read(&path).unwrap();
    assert_eq!(backup.state, full());
    assert_eq!(backup.about, about);
    assert_eq!(about.state_hash, full().hash());
    assert_eq!((about.leader_time, about.taken), (full().time(), Time(2_000)));
    assert_eq!((about.log_index, about.term, about.node_id), (40, 3, NodeId(2)));
    assert_eq!(backup.file_len, fs::metadata(&path).unwrap().len());
}

#[test]
fn every_flipped_byte_and_every_length_but_the_right_one_is_refused_with_a_message() {
    let (_folder, path, _) = file(&full());
    let whole = fs::read(&path).unwrap();
    assert!(whole.len() > 1_000);
    let refused = |bytes: &[u8], what: &str| {
        fs::write(&path, bytes).unwrap();
        let error = read(&path).map(|_| ()).unwrap_err();
        let is_damage = matches!(error, BackupError::Damaged(SnapshotError::Damaged { .. }));
        assert!(is_damage, "{what}: {error:?}");
        assert!(!error.to_string().is_empty(), "{what}");
    };
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << (place % 8);
        refused(&bytes, &format!("byte {place}"));
        refused(&whole[..place], &format!("the first {place} bytes"));
    }
    refused(&[&whole[..], &[0]].concat(), "one byte more");
}

#[test]
fn what_is_sound_and_no_backup_is_refused_too() {
    let (folder, path, about) = file(&full());
    let missing = read(&folder.path().join("nothing")).map(|_| ()).unwrap_err();
    assert!(matches!(missing, BackupError::Open { .. }), "{missing}");

    // Of another state than it says.
    let mut bytes = Vec::new();
    write(&About { state_hash: 1, ..about }, &full(), &mut bytes).unwrap();
    fs::write(&path, bytes).unwrap();
    let other = read(&path).map(|_| ()).unwrap_err();
    assert!(matches!(other, BackupError::Hash { expected: 1, .. }), "{other}");

    // A snapshot out of a data directory.
    let old = old(folder.path().join("old"), 3);
    let snapshot = only(&old, ".snap");
    let error = read(&snapshot).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("turnwise recover --from-data-dir"), "{error}");
}

/// The only file whose name ends so.
fn only(dir: &Path, end: &str) -> PathBuf {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<_> = paths.filter(|path| path.to_str().unwrap().ends_with(end)).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

fn member(node: u64, cluster_id: u128, data_dir: &Path) -> Member<'_> {
    let voters: &'static [NodeId] = &[NodeId(1), NodeId(2), NodeId(3)];
    Member { cluster_id, node_id: NodeId(node), voters, data_dir }
}

/// As a node opens it that starts without `--bootstrap`.
fn open(dir: &Path, cluster_id: u128, node: u64) -> Opened<State, RealDisk> {
    let disk = Arc::new(RealDisk::open(dir).unwrap());
    let data_dir = DataDir {
        path: dir,
        cluster_id,
        node_id: NodeId(node),
        versions: VERSIONS,
        log: LogConfig::default(),
        founding: None,
    };
    data_dir.open(disk).unwrap()
}

#[test]
fn a_restored_member_starts_above_the_backup_with_its_state_and_all_members_alike() {
    let (folder, path, about) = file(&full());
    let backup = read(&path).unwrap();
    let mut snapshots = Vec::new();
    for node in [1, 2, 3] {
        let dir = folder.path().join(format!("node-{node}"));
        let founded = backup.restore(&member(node, NEW, &dir)).unwrap();
        assert_eq!(founded, SnapshotId { index: 41, term: 4 });
        snapshots.push(fs::read(only(&dir, ".snap")).unwrap());
        let opened = open(&dir, NEW, node);
        assert_eq!(opened.machine, full());
        assert_eq!(opened.identity.cluster_id, NEW);
        let recovered = &opened.recovered;
        assert_eq!((recovered.snapshot.index, recovered.base), (41, (41, 4)));
        let meta = SnapshotMeta::decode(recovered.snapshot.meta.clone()).unwrap();
        assert_eq!((meta.voters, meta.stamp_us), (vec![1, 2, 3], about.leader_time.0));
        assert_eq!((meta.member_records, meta.backup), (Vec::new(), None));
    }
    assert!(snapshots.windows(2).all(|two| two[0] == two[1]), "one founding snapshot");
}

#[test]
fn a_restore_never_writes_into_what_is_there_nor_founds_the_old_cluster_again() {
    let (folder, path, _) = file(&full());
    let backup = read(&path).unwrap();
    let same = backup.restore(&member(1, OLD, &folder.path().join("new"))).unwrap_err();
    assert!(matches!(same, FoundError::SameCluster { cluster_id: OLD }), "{same}");
    assert!(!folder.path().join("new").exists());

    let full = backup.restore(&member(1, NEW, folder.path())).unwrap_err();
    assert!(full.to_string().contains("`backup` is in it"), "{full}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was written");

    // As a file system that was just made.
    let mount = folder.path().join("mount");
    fs::create_dir_all(mount.join("lost+found")).unwrap();
    backup.restore(&member(1, NEW, &mount)).unwrap();
    let again = backup.restore(&member(1, NEW, &mount)).unwrap_err();
    assert!(matches!(again, FoundError::Directory(RefoundError::NotEmpty { .. })), "{again}");
}

/// What the entry at an index does, in a cluster as [`old`] makes it. Long, so that segments fill.
fn command(index: u64) -> Command {
    let operation = match index {
        2 => Operation::CreateTeam {
            display_name: String::new(),
            labels: [].into(),
            time_zone: String::new(),
        },
        _ => Operation::CreateRep {
            rep: RepId::new(&format!("r-{index}")),
            settings: RepSettings {
                display_name: "x".repeat(250),
                labels: [("a".to_owned(), "y".repeat(250))].into(),
                ..RepSettings::default()
            },
        },
    };
    Command {
        request: None,
        principal: Principal::default(),
        team: TeamId::new("t"),
        etag: None,
        operation,
    }
}

fn entry(index: u64) -> Entry {
    let batch = Batch {
        stamp_us: 1_000 * index,
        commands: vec![codec::encode(&command(index))],
        ..Batch::default()
    };
    Entry { index, term: 2, kind: EntryKind::Normal, data: batch.encode_to_vec().into() }
}

/// The state after the entry at this index.
fn state_at(last: u64) -> State {
    let mut state = State::new();
    for log_index in 2..=last {
        let position = LogPosition { log_index, seq: 0, term: 2 };
        state
            .apply(&command(log_index), Stamp { time: Time(1_000 * log_index), position })
            .unwrap();
    }
    state
}

/// A directory of node 1 of three: entries up to `last`, of which all but the last two are known to be
/// committed.
fn old(dir: PathBuf, last: u64) -> PathBuf {
    let disk = Arc::new(RealDisk::open(&dir).unwrap());
    let voters = vec![NodeId(1), NodeId(2), NodeId(3)];
    let founding = Some(Founding { voters, incarnation: Incarnation(1) });
    let data_dir = DataDir {
        path: &dir,
        cluster_id: OLD,
        node_id: NodeId(1),
        versions: VERSIONS,
        log: SMALL,
        founding,
    };
    let mut opened = data_dir.open::<State, _>(disk).unwrap();
    for index in 2..=last {
        let commit = index.saturating_sub(2);
        let hard_state = Some(HardState { term: 5, vote: 1, commit });
        let entries = &[entry(index)];
        opened.log.write(&Written { hard_state, entries, reset: None, sync: true }).unwrap();
    }
    dir
}

/// Adds a snapshot at this index, as a node does.
fn add_snapshot(dir: &Path, index: u64) {
    let disk = Arc::new(RealDisk::open(dir).unwrap());
    let store = SnapshotStore::open(disk, OLD, GROUP_ID).unwrap();
    let meta = SnapshotMeta { voters: vec![1, 2, 3], stamp_us: 9, ..SnapshotMeta::default() };
    let id = SnapshotId { index, term: 2 };
    write_snapshot(&store, id, &meta.encode_to_vec(), &state_at(index)).unwrap();
}

/// Names and bytes.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths.map(|path| (path.clone(), fs::read(&path).unwrap())).collect();
    files.sort();
    files
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let names = files(dir).into_iter().map(|(path, _)| path);
    names.filter(|path| path.extension().is_some_and(|end| end == "log")).collect()
}

/// Flips a bit of the record in the middle of a segment's written part.
fn rot(segment: &Path) {
    let mut bytes = fs::read(segment).unwrap();
    let written = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[written / 2] ^= 1;
    fs::write(segment, bytes).unwrap();
}

#[test]
fn a_survivor_tells_what_it_has_and_a_new_cluster_goes_on_from_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let old = old(folder.path().join("old"), 30);
    add_snapshot(&old, 12);
    let before = files(&old);
    let new = folder.path().join("new");
    {
        let survived = survey(&old).unwrap();
        assert_eq!((survived.cluster_id, survived.node_id), (OLD, NodeId(1)));
        assert_eq!((survived.snapshot_index, survived.commit_index), (12, 28));
        assert_eq!((survived.last, survived.term), (SnapshotId { index: 30, term: 2 }, 5));
        assert_eq!((survived.loss, &survived.damage[..]), (None, &[][..]));
        assert_eq!(survived.state, state_at(30));
        assert!(RealDisk::open(&old).is_err(), "no node starts in it meanwhile");
        let same = recover(&survived, &member(1, OLD, &new)).unwrap_err();
        assert!(matches!(same, FoundError::SameCluster { .. }), "{same}");
        let founded = recover(&survived, &member(1, NEW, &new)).unwrap();
        assert_eq!(founded, SnapshotId { index: 31, term: 6 }, "beyond every term that it saw");
    }
    assert_eq!(files(&old), before, "the old directory is as it was");
    let opened = open(&new, NEW, 1);
    assert_eq!(opened.machine, state_at(30));
    let meta = SnapshotMeta::decode(opened.recovered.snapshot.meta).unwrap();
    assert_eq!(meta.stamp_us, 30_000, "leader time does not go back");
}

#[test]
fn a_survivor_with_rot_above_its_snapshot_says_up_to_where_it_can_be_had() {
    let folder = tempfile::tempdir().unwrap();
    let old = old(folder.path().join("old"), 60);
    let all = segments(&old);
    assert!(all.len() >= 4, "{all:?}");
    rot(&all[1]);
    assert!(Contents::look(&old).is_err(), "as a node meets it, it is refused");
    let survived = survey(&old).unwrap();
    let last = survived.last.index;
    assert!(last > 2 && last < 60 - 2, "{last}");
    assert_eq!(survived.loss, Some(Loss { had_index: 60 }));
    assert!(survived.damage[0].contains("is damaged at byte"), "{:?}", survived.damage);
    assert_eq!(survived.state, state_at(last), "all before the damage, and nothing behind it");
    assert_eq!(survived.commit_index, 58, "what is lost of it was committed");
}

#[test]
fn rot_below_the_snapshot_and_a_rotten_snapshot_cost_nothing_while_the_rest_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let old = old(folder.path().join("old"), 60);
    rot(&segments(&old)[1]);
    add_snapshot(&old, 50);
    let survived = survey(&old).unwrap();
    assert_eq!((survived.last.index, survived.snapshot_index, survived.loss), (60, 50, None));
    assert_eq!(survived.state, state_at(60));
    assert_eq!(survived.damage.len(), 1, "told all the same");
    drop(survived);

    // The snapshot is bad instead, and the log reaches back to the founding one.
    let other = super::tests::old(folder.path().join("other"), 60);
    add_snapshot(&other, 50);
    rot(&files(&other)
        .into_iter()
        .find(|(path, _)| path.to_str().unwrap().contains("50-"))
        .unwrap()
        .0);
    let survived = survey(&other).unwrap();
    assert_eq!((survived.last.index, survived.snapshot_index, survived.loss), (60, 1, None));
    assert_eq!(survived.state, state_at(60));
    assert!(survived.damage[0].contains("snapshot 50 of term 2"), "{:?}", survived.damage);
}

#[test]
fn a_missing_segment_and_a_missing_start_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let dir = old(folder.path().join("old"), 60);
    let all = segments(&dir);
    fs::remove_file(&all[all.len() - 2]).unwrap();
    let survived = survey(&dir).unwrap();
    let last = survived.last.index;
    assert!(last > 2 && last < 58, "{last}");
    assert_eq!(survived.loss, Some(Loss { had_index: 60 }));
    assert_eq!(survived.state, state_at(last));
    drop(survived);

    // Reset at an index that no snapshot stands for.
    let gap = old(folder.path().join("gap"), 5);
    {
        let disk = Arc::new(RealDisk::open(&gap).unwrap());
        let (cluster_id, node_id) = (OLD, NodeId(1));
        let expected = crate::consensus::log::Expected { cluster_id, node_id };
        let (mut log, _) = Log::open(disk, expected, SMALL).unwrap();
        let reset = Some((90, 2));
        log.write(&Written { reset, sync: true, ..Written::default() }).unwrap();
    }
    let survived = survey(&gap).unwrap();
    assert_eq!(survived.last.index, 1, "the founding snapshot is all there is");
    assert_eq!(survived.loss, Some(Loss { had_index: 90 }));
    drop(survived);
    fs::remove_file(only(&gap, ".snap")).unwrap();
    let error = survey(&gap).unwrap_err();
    assert!(matches!(error, SurvivorError::NoSnapshot { base_index: 90, .. }), "{error}");
}

#[test]
fn a_received_snapshot_whose_log_was_not_emptied_yet_is_no_loss() {
    let folder = tempfile::tempdir().unwrap();
    let dir = old(folder.path().join("old"), 9);
    // It was received, and the process ended before the log was emptied at its index.
    add_snapshot(&dir, 40);
    let survived = survey(&dir).unwrap();
    assert_eq!((survived.last.index, survived.commit_index, survived.loss), (40, 40, None));
    assert_eq!(survived.state, state_at(40));
}

#[test]
fn a_directory_that_is_none_or_in_use_is_refused_and_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let none = folder.path().join("none");
    assert!(survey(&none).is_err());
    assert!(!none.exists());
    let dir = old(folder.path().join("old"), 4);
    let _node = RealDisk::open(&dir).unwrap();
    let in_use = survey(&dir).unwrap_err();
    assert!(matches!(in_use, SurvivorError::Start(StartError::Disk { .. })), "{in_use}");
}

/// An identity is what a log belongs to; a restored directory has one of its own.
#[test]
fn two_restores_for_one_node_are_two_data_directories() {
    let (folder, path, _) = file(&full());
    let backup = read(&path).unwrap();
    let identity = |name: &str| -> Identity {
        let dir = folder.path().join(name);
        backup.restore(&member(1, NEW, &dir)).unwrap();
        open(&dir, NEW, 1).identity
    };
    assert_ne!(identity("one").incarnation, identity("other").incarnation);
}
