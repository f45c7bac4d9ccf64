//! Snapshot files: whole, durable and what was written, or refused.

use std::io::{Read, Write};
use std::sync::Arc;

use turnwise::consensus::log::Disk;
use turnwise::consensus::log::snapshot::{
    META_LEN_MAX, SnapshotDamage, SnapshotError, SnapshotId, SnapshotStore,
};

use crate::memdisk::{Dice, MemDisk};
use crate::model::CLUSTER;

const ID: SnapshotId = SnapshotId { index: 700, term: 9 };
const CHUNK: usize = 1 << 20;

fn store(disk: &MemDisk) -> Arc<SnapshotStore<MemDisk>> {
    SnapshotStore::open(Arc::new(disk.clone()), CLUSTER, 1).unwrap()
}

fn body(len: usize) -> Vec<u8> {
    let mut dice = Dice(7);
    (0..len).map(|_| dice.next() as u8).collect()
}

fn save(store: &SnapshotStore<MemDisk>, id: SnapshotId, body: &[u8]) -> u64 {
    let mut writer = store.create(id, b"members").unwrap();
    writer.write_all(body).unwrap();
    writer.finish().unwrap()
}

#[test]
fn what_was_saved_is_loaded_whatever_its_length() {
    for len in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 5] {
        let disk = MemDisk::new();
        let store = store(&disk);
        let body = body(len);
        let file_len = save(&store, ID, &body);
        let name = disk.list().unwrap().remove(0);
        assert_eq!(disk.contents(&name).len() as u64, file_len);

        let mut reader = store.open_snapshot(ID).unwrap();
        assert_eq!((reader.id(), reader.meta()), (ID, &b"members"[..]));
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert!(read == body, "{len}");
        let mut reader = store.open_snapshot(ID).unwrap();
        assert!(reader.read_body(len as u64).unwrap() == body);
        if len > 0 {
            let short = store.open_snapshot(ID).unwrap().read_body(len as u64 - 1);
            assert!(matches!(short, Err(SnapshotError::TooLong { .. })));
        }
    }
}

#[test]
fn the_bytes_do_not_depend_on_how_they_were_handed_in() {
    let body = body(2 * CHUNK + 100);
    let file = |pieces: usize| {
        let disk = MemDisk::new();
        let mut writer = store(&disk).create(ID, b"").unwrap();
        body.chunks(pieces).for_each(|piece| writer.write_all(piece).unwrap());
        writer.finish().unwrap();
        disk.contents(&disk.list().unwrap()[0])
    };
    assert!(file(777) == file(body.len()));
}

#[test]
fn meta_bytes_have_a_limit() {
    let store = store(&MemDisk::new());
    store.create(ID, &vec![1; META_LEN_MAX]).unwrap().finish().unwrap();
    assert_eq!(store.open_snapshot(ID).unwrap().meta().len(), META_LEN_MAX);
    let over = store.create(ID, &vec![1; META_LEN_MAX + 1]);
    assert!(matches!(over.err(), Some(SnapshotError::TooLong { .. })));
}

#[test]
fn a_flip_of_any_byte_and_a_cut_at_any_length_is_refused() {
    let disk = MemDisk::new();
    save(&store(&disk), ID, &body(600));
    let name = disk.list().unwrap().remove(0);
    let len = disk.contents(&name).len() as u64;
    let verify = |disk: &MemDisk| store(disk).open_snapshot(ID).and_then(|reader| reader.verify());
    verify(&disk).unwrap();
    let typed = |error: &SnapshotError| matches!(error, SnapshotError::Damaged { .. });
    for at in 0..len {
        for bits in [1, 0x80, 0xff] {
            let disk = disk.fork();
            disk.flip(&name, at, bits);
            let error = verify(&disk).unwrap_err();
            assert!(typed(&error), "{at}: {error}");
        }
        let disk = disk.fork();
        disk.cut(&name, at);
        let error = verify(&disk).unwrap_err();
        assert!(typed(&error), "{at}: {error}");
    }
    disk.overwrite(&name, len, b"x");
    let error = verify(&disk).unwrap_err();
    let long = matches!(error, SnapshotError::Damaged { damage: SnapshotDamage::Long, .. });
    assert!(long, "{error}");
}

#[test]
fn a_chunk_left_out_repeated_or_moved_is_refused() {
    let disk = MemDisk::new();
    save(&store(&disk), ID, &vec![5; 3 * CHUNK]);
    let name = disk.list().unwrap().remove(0);
    let file = disk.contents(&name);
    let (header, rest) = file.split_at(64 + 7);
    let chunk = |n: usize| &rest[n * (CHUNK + 8)..(n + 1) * (CHUNK + 8)];
    let trailer = &rest[3 * (CHUNK + 8)..];
    for order in [&[0, 1][..], &[0, 2], &[1, 0, 2], &[0, 1, 2, 2], &[0, 0, 2]] {
        let mut bytes = header.to_vec();
        order.iter().for_each(|n| bytes.extend(chunk(*n)));
        bytes.extend(trailer);
        disk.put(&name, &bytes);
        store(&disk).open_snapshot(ID).unwrap().verify().unwrap_err();
    }
    disk.put(&name, &file);
    store(&disk).open_snapshot(ID).unwrap().verify().unwrap();
}

#[test]
fn reading_gives_no_byte_of_a_bad_chunk() {
    let disk = MemDisk::new();
    let body = body(2 * CHUNK);
    save(&store(&disk), ID, &body);
    let name = disk.list().unwrap().remove(0);
    disk.flip(&name, (64 + 7 + 8 + CHUNK + 8 + 100) as u64, 1);
    let mut read = Vec::new();
    let error = store(&disk).open_snapshot(ID).unwrap().read_to_end(&mut read).unwrap_err();
    assert!(error.to_string().contains("a chunk does not match its checksum"), "{error}");
    assert!(read == body[..CHUNK]);
}

#[test]
fn another_clusters_snapshot_or_one_under_another_name_is_refused() {
    let disk = MemDisk::new();
    let other = SnapshotStore::open(Arc::new(disk.clone()), 5, 1).unwrap();
    other.create(ID, b"").unwrap().finish().unwrap();
    let error = store(&disk).open_snapshot(ID).err().unwrap();
    assert!(matches!(error, SnapshotError::WrongCluster { found: 5, .. }), "{error}");
    disk.rename(&disk.list().unwrap()[0], "00000000000000000701-00000000000000000009.snap")
        .unwrap();
    let id = SnapshotId { index: 701, term: 9 };
    let error = other.open_snapshot(id).err().unwrap();
    assert!(matches!(error, SnapshotError::WrongSnapshot { found: ID, .. }), "{error}");
}

#[test]
fn the_newest_sound_snapshot_is_found_and_older_ones_go() {
    let disk = MemDisk::new();
    let store = store(&disk);
    assert!(store.newest().unwrap().snapshot.is_none());
    let id = |index, term| SnapshotId { index, term };
    for id in [id(10, 1), id(9, 1), id(200, 3), id(200, 2)] {
        save(&store, id, b"state");
    }
    disk.put("unrelated.snap", b"");
    assert_eq!(store.list().unwrap(), [id(9, 1), id(10, 1), id(200, 2), id(200, 3)]);
    let newest = store.newest().unwrap();
    assert_eq!(newest.snapshot.unwrap().id(), id(200, 3));
    assert!(newest.damaged.is_empty());

    disk.flip("00000000000000000200-00000000000000000003.snap", 90, 1);
    let newest = store.newest().unwrap();
    assert_eq!(newest.snapshot.unwrap().id(), id(200, 2));
    assert_eq!(newest.damaged.len(), 1, "{:?}", newest.damaged);

    store.remove_before(id(200, 2)).unwrap();
    assert_eq!(store.list().unwrap(), [id(200, 2), id(200, 3)]);
    disk.crash(1);
    assert_eq!(store.list().unwrap(), [id(200, 2), id(200, 3)]);
    assert!(disk.list().unwrap().contains(&"unrelated.snap".to_owned()));
}

#[test]
fn the_snapshot_before_the_newest_one_stays() {
    let disk = MemDisk::new();
    let store = store(&disk);
    let id = |index| SnapshotId { index, term: 1 };
    for (index, kept) in
        [(10, vec![id(10)]), (20, vec![id(10), id(20)]), (30, vec![id(20), id(30)])]
    {
        save(&store, id(index), b"state");
        store.keep_two(id(index)).unwrap();
        assert_eq!(store.list().unwrap(), kept);
    }
    // One that is newer than the one just taken came from a peer meanwhile: it is not touched.
    save(&store, id(50), b"state");
    save(&store, id(40), b"state");
    store.keep_two(id(40)).unwrap();
    assert_eq!(store.list().unwrap(), [id(30), id(40), id(50)]);
    disk.flip("00000000000000000050-00000000000000000001.snap", 90, 1);
    assert_eq!(
        store.newest().unwrap().snapshot.unwrap().id(),
        id(40),
        "there is one to go back to"
    );
}

#[test]
fn a_power_cut_while_saving_leaves_the_old_snapshot_and_maybe_the_new_one() {
    let old = SnapshotId { index: 3, term: 1 };
    let mut finished = false;
    let mut operation = 0;
    while !finished {
        for seed in 0..20 {
            let disk = MemDisk::new();
            let store_before = store(&disk);
            save(&store_before, old, b"old");
            disk.fail_after(operation);
            let saved = store_before.create(ID, b"").and_then(|mut writer| {
                drop(writer.write_all(&body(3000)));
                writer.finish()
            });
            finished = saved.is_ok();
            disk.crash(seed);
            let store = store(&disk);
            let mut found = store.newest().unwrap();
            assert!(found.damaged.is_empty(), "{operation} {seed}: {:?}", found.damaged);
            let newest = found.snapshot.as_mut().unwrap();
            let body = newest.read_body(u64::MAX).unwrap();
            assert_eq!(newest.id() == ID, body != b"old");
            assert!(!finished || newest.id() == ID, "a durable snapshot is gone");
            assert!(store.open_snapshot(old).unwrap().verify().is_ok());
            let leftover = disk.list().unwrap().iter().any(|name| name.ends_with(".tmp"));
            assert!(!leftover, "removed at start");
        }
        operation += 1;
    }
    assert!(operation >= 5, "{operation}");
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing() {
    let disk = MemDisk::new();
    let mut writer = store(&disk).create(ID, b"").unwrap();
    writer.write_all(&body(10)).unwrap();
    drop(writer);
    assert!(disk.list().unwrap().is_empty());
}

#[test]
fn a_follower_takes_the_file_in_ranges() {
    let from = MemDisk::new();
    save(&store(&from), ID, &body(5000));
    let bytes = store(&from).bytes(ID).unwrap();
    let disk = MemDisk::new();
    let receiver_store = store(&disk);
    let mut receiver = receiver_store.receive(ID, bytes.file_len()).unwrap();
    while !receiver.is_complete() {
        let range = bytes.read(receiver.received(), 1000).unwrap();
        receiver.write(receiver.received(), &range).unwrap();
    }
    assert!(bytes.read(bytes.file_len(), 1000).unwrap().is_empty());
    let again = receiver.write(0, b"x").unwrap_err();
    assert!(matches!(again, SnapshotError::OutOfOrder { offset: 0, expected } if expected > 5000));
    let beyond = receiver.write(bytes.file_len(), b"x").unwrap_err();
    assert!(matches!(beyond, SnapshotError::TooLong { .. }), "{beyond}");
    let mut reader = receiver.finish().unwrap();
    assert_eq!(reader.meta(), b"members");
    assert!(reader.read_body(5000).unwrap() == body(5000));
    for seed in 0..10 {
        let disk = disk.fork();
        disk.crash(seed);
        assert_eq!(store(&disk).newest().unwrap().snapshot.unwrap().id(), ID);
    }
}

#[test]
fn what_was_received_wrong_or_in_part_never_gets_a_name() {
    let from = MemDisk::new();
    save(&store(&from), ID, &body(5000));
    let file = store(&from).bytes(ID).unwrap().read(0, usize::MAX >> 1).unwrap();
    let disk = MemDisk::new();
    let store = store(&disk);
    let receive = |id, bytes: &[u8]| {
        let mut receiver = store.receive(id, file.len() as u64).unwrap();
        receiver.write(0, bytes).unwrap();
        receiver.finish().err()
    };
    let mut flipped = file.clone();
    flipped[3000] ^= 1;
    assert!(matches!(receive(ID, &flipped), Some(SnapshotError::Damaged { .. })));
    assert!(matches!(receive(ID, &file[..4000]), Some(SnapshotError::Damaged { .. })));
    assert!(matches!(receive(ID, &[]), Some(SnapshotError::Damaged { .. })));
    let other = SnapshotId { index: 701, term: 9 };
    assert!(matches!(receive(other, &file), Some(SnapshotError::WrongSnapshot { .. })));
    drop(store.receive(ID, 10).unwrap());
    assert!(disk.list().unwrap().is_empty(), "{:?}", disk.list());
    assert!(receive(ID, &file).is_none());
}

/// The log's own syncs wait for what another file of the disk has not written yet: never for more than a piece of it.
#[test]
fn a_long_snapshot_is_made_durable_while_it_is_written_and_received() {
    let (from, to) = (MemDisk::new(), MemDisk::new());
    let sent = store(&from);
    let mut writer = sent.create(ID, b"members").unwrap();
    let mut synced = Vec::new();
    for _ in 0..4 {
        writer.write_all(&body(CHUNK)).unwrap();
        synced.push(from.counters().syncs);
    }
    assert_eq!(synced, [0, 1, 2, 3]);
    let len = writer.finish().unwrap();
    assert!(from.counters().syncs > 3);

    let bytes = sent.bytes(ID).unwrap();
    let received = store(&to);
    let mut receiver = received.receive(ID, len).unwrap();
    while !receiver.is_complete() {
        let at = receiver.received();
        receiver.write(at, &bytes.read(at, CHUNK / 4).unwrap()).unwrap();
        assert!(to.counters().syncs + 1 >= receiver.received() / CHUNK as u64, "after {at}");
    }
    receiver.finish().unwrap();
}

/// The process has to end then, so it must not pass for an error of another kind.
#[test]
fn a_sync_that_fails_is_told_wherever_in_the_file_it_is() {
    for (len, on_the_way) in [(3 * CHUNK, true), (CHUNK - 1, false), (10, false)] {
        let disk = MemDisk::new();
        let sent = store(&disk);
        let mut writer = sent.create(ID, b"").unwrap();
        disk.fail_syncs(1);
        let failed = match writer.write_all(&body(len)) {
            Err(error) => writer.failure(error),
            Ok(()) => writer.finish().unwrap_err(),
        };
        assert!(failed.is_failed_sync(), "{len}: {failed}");
        assert!(disk.list().unwrap().is_empty(), "nothing is left of it");

        let mut receiver = sent.receive(ID, len as u64).unwrap();
        disk.fail_syncs(1);
        let failed = receiver.write(0, &body(len)).and_then(|()| receiver.finish().map(drop));
        assert!(failed.as_ref().unwrap_err().is_failed_sync(), "{len}: {failed:?}");

        let mut writer = sent.create(ID, b"").unwrap();
        disk.fail_after(0);
        let failed = match writer.write_all(&body(len)) {
            Err(error) => writer.failure(error),
            Ok(()) => {
                assert!(!on_the_way);
                writer.finish().unwrap_err()
            }
        };
        assert!(!failed.is_failed_sync(), "{len}: {failed}");
    }
}
