//! A directory that lost what was durable, on its way back under a new id: a power cut after any step leaves
//! one that goes on, never one that starts as it was.

use std::{path::Path, sync::Arc};

use turnwise::{
    consensus::{
        Incarnation, NodeId,
        driver::{JoinError, Joined, Note, StartError, come_back, give_up, note},
        log::{Log, LogConfig, LogError},
    },
    proto::turnwise::{log::v1::MemberRecord, peer::v1::Admitted},
    replica::VERSIONS,
    routing::State,
};

use crate::{
    data_dir::{CLUSTER_ID, SEGMENT_BYTES, directory, open, open_as},
    memdisk::MemDisk,
};

const LOST: u64 = 1;

fn path() -> &'static Path {
    Path::new("memory")
}

fn admitted(node_id: u64) -> Admitted {
    let member = |node_id| MemberRecord { node_id, ..MemberRecord::default() };
    Admitted {
        cluster_id: CLUSTER_ID.to_be_bytes().to_vec().into(),
        node_id,
        members: [2, 3, node_id].map(member).to_vec(),
    }
}

/// The same, with nothing on its way to the disk.
fn at_rest(disk: &MemDisk) -> MemDisk {
    let rests = MemDisk::new();
    for name in disk.file_names() {
        rests.put(&name, &disk.contents(&name));
    }
    rests
}

/// A directory with a rotten middle.
fn rotten() -> MemDisk {
    let disk = at_rest(&directory());
    let log = disk.file_names().into_iter().find(|name| name.ends_with(".log")).unwrap();
    disk.flip(&log, 700, 1);
    let refused = open(&disk, false).unwrap_err();
    assert!(refused.is_rot(), "{refused:?}");
    disk
}

/// All that is on a disk and is a log's or a snapshot's, by the name that it had before it was put aside.
fn data(disk: &MemDisk, aside: &str) -> Vec<(String, Vec<u8>)> {
    let own = disk.file_names().into_iter().filter_map(|name| {
        let before = name.strip_suffix(aside)?.to_owned();
        let is_data = before.ends_with(".log") || before.ends_with(".snap");
        is_data.then(|| (before, disk.contents(&name)))
    });
    own.collect()
}

/// What one life of the process does that was `was`: all of the road, or as far as its disk lets it. Notes with
/// which data directory it asked, and has `node_id` given to it.
fn live(
    disk: &MemDisk,
    (was, node_id): (u64, u64),
    asked: &mut Vec<Incarnation>,
) -> Result<Joined, JoinError> {
    let before = note(disk, path())?;
    let going: Option<Note> = before.clone().filter(|note| note.lost() == NodeId(was));
    let note = match going {
        Some(note) if note.back().is_some() => return Ok(note.back().unwrap()),
        Some(note) => note,
        None => {
            let is = before.and_then(|note| note.back()).map_or(was, |is| is.node_id.0);
            let damage = open_as(disk, is, false, VERSIONS).expect_err("it is rotten");
            let drawn = 1_000 + u128::from(disk.operations());
            give_up(disk, path(), damage, None, || drawn)?
        }
    };
    asked.push(note.incarnation);
    let log = LogConfig { segment_bytes: SEGMENT_BYTES };
    come_back::<State, _>(&Arc::new(disk.clone()), path(), log, note, admitted(node_id))
}

/// Cuts the power after every operation of the road from `was` to `node_id`.
fn each_power_cut(disk: &MemDisk, was: u64, node_id: u64) -> MemDisk {
    let rotten = data(disk, "");
    for operations in 0.. {
        for seed in 0..8 {
            let (disk, mut asked) = (disk.fork(), Vec::new());
            disk.fail_after(operations);
            let first = live(&disk, (was, node_id), &mut asked);
            let power_cut = seed > 0;
            if power_cut {
                disk.crash(seed);
            } else {
                disk.restart();
            }
            if first.is_err() {
                let refused = open_as(&disk, was, true, VERSIONS).expect_err("never as it was");
                // The last step may have been done, and not known to be durable.
                let is_another = |error: &LogError| matches!(error, LogError::WrongNode { .. });
                let is_told = refused.is_rot()
                    || matches!(refused, StartError::Rejoining { .. })
                    || matches!(&refused, StartError::Log { source, .. } if is_another(source));
                assert!(is_told, "after {operations} operations: {refused:?}");
            }
            let joined = live(&disk, (was, node_id), &mut asked).unwrap();
            assert_eq!(joined, Joined { cluster_id: CLUSTER_ID, node_id: NodeId(node_id) });
            assert!(
                asked.iter().all(|it| *it == asked[0]),
                "{operations}: asked as two: {asked:?}"
            );
            assert!(data(&disk, ".rotten") == rotten, "{operations}: all of it is put aside");

            disk.crash(seed);
            assert_eq!(live(&disk, (was, node_id), &mut asked).unwrap(), joined, "and stays so");
            let opened = open_as(&disk, node_id, false, VERSIONS).unwrap();
            assert_eq!(opened.identity.incarnation, asked[0]);
            assert_eq!((opened.log.last_index(), opened.recovered.snapshot.index), (0, 0));
            assert!(open_as(&disk, was, true, VERSIONS).is_err(), "it is that one no more");
            if first.is_ok() {
                assert!(operations > 12, "the road has more steps than {operations}");
                return disk;
            }
        }
    }
    unreachable!("the road has an end")
}

#[test]
fn a_power_cut_at_any_step_leaves_a_directory_that_goes_on_and_asks_as_the_same() {
    let once = at_rest(&each_power_cut(&rotten(), LOST, 4));
    // What was given up is left as it was, for whoever looks; of the next time there is only that.
    let log = data(&once, "").into_iter().find(|(name, _)| name.ends_with(".log")).unwrap().0;
    once.cut(&log, 600);
    let twice = each_power_cut(&once, 4, 6);
    let note = note(&twice, path()).unwrap().unwrap();
    assert_eq!(note.was, [NodeId(1), NodeId(4)], "it knows whom its configuration means");
}

#[test]
fn until_a_leader_has_admitted_the_node_its_log_and_snapshots_stay_as_they_are() {
    let disk = rotten();
    let before = data(&disk, "");
    let damage = open(&disk, false).unwrap_err();
    let note = give_up(&disk, path(), damage, None, || 77).unwrap();
    assert_eq!((note.lost(), note.lost_incarnation), (NodeId(LOST), Incarnation(9)));
    assert!(note.found.contains("is damaged at byte"), "{}", note.found);
    assert!(data(&disk, "") == before);
    assert!(Log::salvage(&disk).is_ok(), "there is no better copy where the others are lost");
    let elsewhere = Admitted { cluster_id: vec![1; 16].into(), ..admitted(4) };
    let log = LogConfig { segment_bytes: SEGMENT_BYTES };
    let disk = Arc::new(disk);
    come_back::<State, _>(&disk, path(), log, note, elsewhere).expect_err("another cluster's");
    assert!(data(&disk, "") == before);
}

#[test]
fn only_rot_in_a_directory_that_says_whose_it_is_leads_to_a_new_id() {
    let is_given_up = |disk: &MemDisk, mine: Option<Joined>| {
        let damage = open(disk, false).expect_err("it is damaged");
        let given_up = give_up(disk, path(), damage, mine, || 77).is_ok();
        assert_eq!(note(disk, path()).unwrap().is_some(), given_up);
        given_up
    };
    let mine = |node| Some(Joined { cluster_id: CLUSTER_ID, node_id: NodeId(node) });
    assert!(is_given_up(&rotten(), mine(LOST)));
    assert!(!is_given_up(&rotten(), mine(2)), "somebody else's");
    let names = directory().file_names();
    let named = |end: &str| names.iter().filter(|name| name.ends_with(end)).collect::<Vec<_>>();

    let no_snapshot = directory();
    for name in named(".snap") {
        no_snapshot.flip(name, 40, 1);
    }
    assert!(is_given_up(&no_snapshot, mine(LOST)), "its only snapshot is rotten");
    let later = directory();
    for name in named(".snap") {
        // The version, and the header's checksum with it.
        let mut bytes = later.contents(name);
        bytes[8] = 99;
        let meta = usize::from(bytes[12]) + 256 * usize::from(bytes[13]);
        let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..60]), &bytes[64..64 + meta]);
        bytes[60..64].copy_from_slice(&crc.to_le_bytes());
        later.overwrite(name, 0, &bytes);
    }
    let refused = open(&later, false).unwrap_err();
    assert!(matches!(refused, StartError::Snapshot { .. }), "{refused:?}");
    assert!(!is_given_up(&later, None), "a later build's");
    assert!(!is_given_up(&MemDisk::new(), None), "emptied");

    // The newest header is gone: another may say it.
    let headless = directory();
    let logs = named(".log");
    headless.flip(logs.last().unwrap(), 40, 1);
    assert_eq!(is_given_up(&headless, mine(LOST)), logs.len() > 1);
    for name in logs {
        headless.flip(name, 41, 1);
    }
    headless.lose("rejoin");
    assert!(!is_given_up(&headless, None), "nothing says whose it is");
}
