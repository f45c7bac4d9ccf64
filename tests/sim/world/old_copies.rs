//! Old copies of disks: taken now and then, put back later, and what must come of it.
//!
//! A copy is put back only where that must be noticed: where every other member has more of that node on its disk
//! than the copy holds, in entries that are committed. Where somebody does not, he and the copy may be a majority
//! that has forgotten what was acknowledged; no algorithm can know that, and promises would be broken. Since it is
//! noticed, nothing that such a node says may count: it is refused, and ends. Then the newest disk comes back in
//! some worlds, and in others the machine stays away, or is replaced.

use prost::Message as _;
use turnwise::{
    consensus::{EntryKind, NodeId, Recovered},
    proto::turnwise::log::v1::{BatchMarks, SnapshotMeta},
    replica::VERSIONS,
};

use super::{World, event::Event, id_of, index_of};
use crate::{marks::Mark, memdisk::MemDisk, plan::S, store};

/// What is kept of a machine's disk.
#[derive(Debug, Default)]
pub(super) struct OldDisks {
    copy: Option<Copy>,
    /// The newest one, while an old copy is in.
    newest: Option<MemDisk>,
}

impl OldDisks {
    /// Whether an old copy is in.
    pub(super) fn is_in(&self) -> bool {
        self.newest.is_some()
    }
}

#[derive(Debug)]
struct Copy {
    disk: MemDisk,
    has: Has,
}

/// How much a data directory holds, or is known to have held.
#[derive(Debug, Clone, Copy, Default)]
struct Has {
    last_index: u64,
    term: u64,
}

impl World {
    /// Copies a machine's disk; puts the copy back, where there is one and everybody would notice.
    pub(super) fn old_copy(&mut self, node: usize) {
        let machine = &self.machines[node];
        let is_hurt = machine.is_wiped || machine.is_rotten || machine.is_full;
        if machine.is_gone
            || is_hurt
            || self.plan.upgrade && machine.newest < VERSIONS.max
            || self.nemesis.has_broken_disk(node)
        {
            return;
        }
        match &machine.old.copy {
            Some(copy) if self.all_know_more(node, copy.has) => self.put_old_copy(node),
            // They may come to know it.
            Some(_) if self.disk_rng.chance(800) => {}
            Some(_) | None => {
                // As the disk would be if the power went now.
                let disk = self.machines[node].disk.fork();
                disk.crash(self.disk_rng.next());
                disk.limit(None);
                let found = self.recovered(node, &disk);
                self.machines[node].old.copy = found.map(|it| Copy { disk, has: held(&it) });
            }
        }
    }

    fn put_old_copy(&mut self, node: usize) {
        self.marks.hit(Mark::OldCopy);
        self.crash(node, true);
        self.hang_up(node);
        let machine = &mut self.machines[node];
        let copy = machine.old.copy.take().expect("there is one");
        machine.old.newest = Some(std::mem::replace(&mut machine.disk, copy.disk));
        machine.failed_syncs = machine.disk.failed_syncs();
        machine.is_wiped = true;
        self.checks.wiped(id_of(node));
    }

    /// Its peers have refused an old copy for good.
    pub(super) fn refused_as_old(&mut self, node: usize) {
        self.marks.hit(Mark::OldCopyRefused);
        self.leave(node);
        if self.operator.is_some() || self.disk_rng.chance(500) {
            return;
        }
        self.marks.hit(Mark::NewestPutBack);
        self.hang_up(node);
        let machine = &mut self.machines[node];
        machine.disk = machine.old.newest.take().expect("it was put aside");
        machine.failed_syncs = machine.disk.failed_syncs();
        machine.is_wiped = false;
        machine.is_rotten = false;
        machine.is_gone = false;
        self.checks.found_again(id_of(node));
        let rest = self.disk_rng.between(0, S);
        self.later(rest, Event::Boot { node });
    }

    /// What a node would start with from this disk, as it would be after a power cut.
    fn recovered(&self, node: usize, disk: &MemDisk) -> Option<Recovered> {
        let disk = disk.fork();
        disk.crash(self.seed);
        store::look(&disk, id_of(node))
    }

    /// Whether every other member has more of a node on its disk than this, for good.
    fn all_know_more(&self, node: usize, has: Has) -> bool {
        let members = self.checks.configs.latest().members().map(index_of);
        let mut others = members.filter(|other| *other != node);
        others.all(|other| {
            let machine = &self.machines[other];
            // Who has ended for good is asked nothing any more.
            machine.is_gone
                || !machine.is_wiped
                    && self.recovered(other, &machine.disk).is_some_and(|recovered| {
                        let known = self.marked(id_of(node), &recovered);
                        known.last_index > has.last_index || known.term > has.term
                    })
        })
    }

    /// What a data directory says of a node, as far as nobody can make it forget that.
    fn marked(&self, node: NodeId, recovered: &Recovered) -> Has {
        let meta = SnapshotMeta::decode(recovered.snapshot.meta.clone()).unwrap();
        let committed = |index: u64, term: u64| {
            self.checks.log.get(&index).is_some_and(|batch| batch.term == term)
        };
        let entries = recovered.entries.iter();
        let entries =
            entries.filter(|it| it.kind == EntryKind::Normal && committed(it.index, it.term));
        let of_entries = entries.flat_map(|it| BatchMarks::decode(it.data.clone()).unwrap().marks);
        let marks = meta.marks.into_iter().chain(of_entries).filter(|it| it.node_id == node.0);
        marks.fold(Has::default(), |known, it| Has {
            last_index: known.last_index.max(it.log_index),
            term: known.term.max(it.term),
        })
    }
}

fn held(recovered: &Recovered) -> Has {
    let last_index = recovered.entries.last().map_or(recovered.base.0, |entry| entry.index);
    Has { last_index, term: recovered.hard_state.term.max(recovered.snapshot.term) }
}
