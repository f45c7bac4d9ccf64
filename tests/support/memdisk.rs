//! A disk in memory that does everything the contract of `Disk` allows, and nothing kinder.
//!
//! - A power cut ([`MemDisk::crash`]) keeps, loses or tears what was not synced: each sector of 512
//!   bytes ends as one of the versions it went through since the last sync, the file's length as one
//!   of its lengths. Creations, renamings and removals that were not followed by `sync_dir` happen or
//!   not, each by itself. The same disk and the same seed give the same outcome.
//! - A process that dies ([`MemDisk::restart`]) loses nothing that it wrote.
//! - A failed sync ([`MemDisk::fail_syncs`]) loses what was not synced and says so once: it still
//!   reads back, later syncs succeed, and a power cut takes it (Rebello 2020).
//! - From any operation on, all can fail ([`MemDisk::fail_after`]); a write that fails is half done.
//! - What was synced can rot ([`MemDisk::flip`], [`MemDisk::overwrite`]).
//!
//! Open files of before a crash or a restart fail: their process is gone.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use turnwise::consensus::log::{Disk, DiskFile};

const SECTOR: usize = 512;
const SECTOR_64: u64 = 512;

type Sector = Arc<[u8; SECTOR]>;

/// What was asked of a disk so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) creates: u64,
    pub(crate) writes: u64,
    pub(crate) bytes_written: u64,
    pub(crate) syncs: u64,
    pub(crate) dir_syncs: u64,
    pub(crate) renames: u64,
    pub(crate) removes: u64,
}

/// A disk; a clone is the same disk, a [`fork`](Self::fork) another one of equal content.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemDisk(Arc<Mutex<World>>);

#[derive(Debug, Clone, Default)]
struct World {
    inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    name_changes: Vec<NameChange>,
    next_inode: u64,
    /// Which process has the disk: files opened by an earlier one fail.
    process: u64,
    operations: u64,
    fail_after: Option<u64>,
    sync_failures: u64,
    failed_syncs: u64,
    bytes_max: Option<u64>,
    counters: Counters,
}

#[derive(Debug, Clone, Default)]
struct Inode {
    /// As programs see it.
    now: Content,
    durable: Content,
    changes: Vec<Change>,
    /// How many open files of the present process it has.
    opened: usize,
}

/// Sectors that are not there are zeros. A clone shares them until one of both is written to.
#[derive(Debug, Clone, Default)]
struct Content {
    len: u64,
    /// As far as anything but zeros was written.
    sectors: Arc<Vec<Option<Sector>>>,
    /// How many are there.
    count: usize,
}

/// A change that was not synced.
#[derive(Debug, Clone)]
enum Change {
    /// The sectors as they were after this write, and the length.
    Write {
        sectors: Vec<(usize, Option<Sector>)>,
        len: u64,
    },
    SetLen(u64),
}

#[derive(Debug, Clone)]
enum NameChange {
    Create { name: String, inode: u64 },
    Rename { from: String, to: String, inode: u64 },
    Remove { name: String, inode: u64 },
}

impl MemDisk {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Another disk with the same content, synced and not.
    pub(crate) fn fork(&self) -> Self {
        let mut world = self.world().clone();
        world.close_all();
        Self(Arc::new(Mutex::new(world)))
    }

    pub(crate) fn counters(&self) -> Counters {
        self.world().counters
    }

    /// Whether every byte of every file with this end of its name is durable.
    pub(crate) fn is_synced(&self, suffix: &str) -> bool {
        let world = self.world();
        let mut files = world.names.iter().filter(|(name, _)| name.ends_with(suffix));
        files.all(|(_, inode)| world.inodes.get(inode).is_none_or(|inode| inode.changes.is_empty()))
    }

    /// How many operations that change something were tried.
    pub(crate) fn operations(&self) -> u64 {
        self.world().operations
    }

    /// Lets `count` more operations that change something succeed, and no further one.
    pub(crate) fn fail_after(&self, count: u64) {
        let mut world = self.world();
        world.fail_after = Some(world.operations + count);
    }

    /// Lets the next `count` syncs of files fail.
    pub(crate) fn fail_syncs(&self, count: u64) {
        self.world().sync_failures = count;
    }

    /// Lets writes fail with `StorageFull` where the files would take more room than this.
    pub(crate) fn limit(&self, bytes_max: Option<u64>) {
        self.world().bytes_max = bytes_max;
    }

    /// Leaves this much room, and what is freed from now on.
    pub(crate) fn fill(&self, bytes_left: u64) {
        let used = self.world().used();
        self.limit(Some(used + bytes_left));
    }

    /// How many syncs have failed.
    pub(crate) fn failed_syncs(&self) -> u64 {
        self.world().failed_syncs
    }

    /// The process dies, the machine goes on.
    pub(crate) fn restart(&self) {
        let mut world = self.world();
        world.process += 1;
        world.close_all();
        world.fail_after = None;
        world.sync_failures = 0;
    }

    /// The power goes.
    pub(crate) fn crash(&self, seed: u64) {
        self.restart();
        let mut world = self.world();
        let mut dice = Dice(seed);
        for inode in world.inodes.values_mut() {
            inode.crash(&mut dice);
        }
        let changes = std::mem::take(&mut world.name_changes);
        let fate = Fate::draw(&mut dice, changes.len());
        let mut names = world.durable_names.clone();
        for (at, change) in changes.into_iter().enumerate() {
            if fate.keeps(at, &mut dice) {
                change.apply(&mut names);
            }
        }
        let kept: Vec<u64> = names.values().copied().collect();
        world.inodes.retain(|inode, _| kept.contains(inode));
        world.names = names.clone();
        world.durable_names = names;
    }

    /// Turns bits of a byte over, on the disk and in what programs see.
    pub(crate) fn flip(&self, name: &str, offset: u64, bits: u8) {
        let mut byte = [0];
        if self.read(name, &mut byte, offset) == 1 {
            self.overwrite(name, offset, &[byte[0] ^ bits]);
        }
    }

    /// Changes synced bytes behind everybody's back.
    pub(crate) fn overwrite(&self, name: &str, offset: u64, bytes: &[u8]) {
        self.change_content(name, |content| {
            content.write(bytes, offset);
        });
    }

    /// Cuts a file behind everybody's back.
    pub(crate) fn cut(&self, name: &str, len: u64) {
        self.change_content(name, |content| content.set_len(len));
    }

    /// Makes a file, durable at once.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        let mut world = self.world();
        let number = world.next_inode;
        world.next_inode += 1;
        let mut content = Content::default();
        content.write(bytes, 0);
        let inode = Inode { now: content.clone(), durable: content, ..Inode::default() };
        world.inodes.insert(number, inode);
        world.names.insert(name.to_owned(), number);
        world.durable_names.insert(name.to_owned(), number);
    }

    /// Removes a file, durably at once.
    pub(crate) fn lose(&self, name: &str) {
        let mut world = self.world();
        world.names.remove(name);
        world.durable_names.remove(name);
    }

    /// The names of all files.
    pub(crate) fn file_names(&self) -> Vec<String> {
        self.world().names.keys().cloned().collect()
    }

    /// A file's bytes, as programs see them. Empty where there is none.
    pub(crate) fn contents(&self, name: &str) -> Vec<u8> {
        let len = {
            let world = self.world();
            let inode = world.names.get(name).and_then(|inode| world.inodes.get(inode));
            inode.map_or(0, |inode| inode.now.len)
        };
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        self.read(name, &mut bytes, 0);
        bytes
    }

    fn read(&self, name: &str, buffer: &mut [u8], offset: u64) -> usize {
        let world = self.world();
        let inode = world.names.get(name).and_then(|inode| world.inodes.get(inode));
        inode.map_or(0, |inode| inode.now.read(buffer, offset))
    }

    fn change_content(&self, name: &str, change: impl Fn(&mut Content)) {
        let mut world = self.world();
        let World { names, inodes, .. } = &mut *world;
        if let Some(inode) = names.get(name).and_then(|inode| inodes.get_mut(inode)) {
            change(&mut inode.now);
            change(&mut inode.durable);
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, world: &mut World, inode: u64) -> MemFile {
        if let Some(inode) = world.inodes.get_mut(&inode) {
            inode.opened += 1;
        }
        MemFile { disk: self.clone(), inode, process: world.process }
    }
}

fn injected() -> io::Error {
    io::Error::other("injected fault")
}

impl World {
    /// Counts an operation that changes something; fails where it is to fail.
    fn operate(&mut self) -> io::Result<()> {
        let fails = self.fail_after.is_some_and(|after| self.operations >= after);
        self.operations += 1;
        if fails { Err(injected()) } else { Ok(()) }
    }

    /// The process that had files open is gone.
    fn close_all(&mut self) {
        self.inodes.values_mut().for_each(|inode| inode.opened = 0);
    }

    /// Gives back the room of what has no name any more, durably, and is not open.
    fn free(&mut self) {
        let named: BTreeSet<u64> = self.names.values().copied().collect();
        self.inodes.retain(|number, inode| inode.opened > 0 || named.contains(number));
    }

    fn used(&self) -> u64 {
        let sectors = self.inodes.values().map(|inode| inode.now.count).sum::<usize>();
        u64::try_from(sectors * SECTOR).unwrap_or(u64::MAX)
    }

    fn inode(&mut self, inode: u64, process: u64) -> io::Result<&mut Inode> {
        if process != self.process {
            return Err(io::Error::other("the process of this file is gone"));
        }
        self.inodes.get_mut(&inode).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Disk for MemDisk {
    type File = MemFile;

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.world().names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<MemFile> {
        let mut world = self.world();
        world.operate()?;
        if world.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = world.next_inode;
        world.next_inode += 1;
        world.counters.creates += 1;
        world.inodes.insert(inode, Inode::default());
        world.names.insert(name.to_owned(), inode);
        world.name_changes.push(NameChange::Create { name: name.to_owned(), inode });
        Ok(self.file(&mut world, inode))
    }

    fn open(&self, name: &str) -> io::Result<MemFile> {
        let mut world = self.world();
        match world.names.get(name).copied() {
            Some(inode) => Ok(self.file(&mut world, inode)),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.world();
        world.operate()?;
        let inode = world.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        world.counters.renames += 1;
        world.names.insert(to.to_owned(), inode);
        let (from, to) = (from.to_owned(), to.to_owned());
        world.name_changes.push(NameChange::Rename { from, to, inode });
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut world = self.world();
        world.operate()?;
        let inode = world.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        world.counters.removes += 1;
        world.name_changes.push(NameChange::Remove { name: name.to_owned(), inode });
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut world = self.world();
        world.operate()?;
        world.counters.dir_syncs += 1;
        world.durable_names = world.names.clone();
        world.name_changes.clear();
        world.free();
        Ok(())
    }
}

/// An open file of a [`MemDisk`].
#[derive(Debug)]
pub(crate) struct MemFile {
    disk: MemDisk,
    inode: u64,
    process: u64,
}

impl Drop for MemFile {
    fn drop(&mut self) {
        let mut world = self.disk.world();
        if let Ok(inode) = world.inode(self.inode, self.process) {
            inode.opened -= 1;
        }
    }
}

impl DiskFile for MemFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut world = self.disk.world();
        Ok(world.inode(self.inode, self.process)?.now.read(buffer, offset))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut world = self.disk.world();
        world.inode(self.inode, self.process)?;
        let allowed = world.operate();
        let full = world
            .bytes_max
            .is_some_and(|max| world.used() + u64::try_from(bytes.len()).unwrap_or(u64::MAX) > max);
        world.counters.writes += 1;
        world.counters.bytes_written += u64::try_from(bytes.len()).unwrap_or(0);
        let inode = world.inode(self.inode, self.process)?;
        let half = bytes.get(..bytes.len() / 2).unwrap_or(&[]);
        if full {
            inode.write(half, offset);
            return Err(io::ErrorKind::StorageFull.into());
        }
        if allowed.is_err() {
            inode.write(half, offset);
            return allowed;
        }
        inode.write(bytes, offset);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = self.disk.world();
        world.inode(self.inode, self.process)?;
        world.operate()?;
        world.counters.syncs += 1;
        let fails = world.sync_failures > 0;
        world.sync_failures = world.sync_failures.saturating_sub(1);
        world.failed_syncs += u64::from(fails);
        let inode = world.inode(self.inode, self.process)?;
        inode.sync(fails)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.world().inode(self.inode, self.process)?.now.len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut world = self.disk.world();
        world.inode(self.inode, self.process)?;
        world.operate()?;
        let inode = world.inode(self.inode, self.process)?;
        inode.now.set_len(len);
        inode.changes.push(Change::SetLen(len));
        Ok(())
    }
}

impl Inode {
    fn write(&mut self, bytes: &[u8], offset: u64) {
        let sectors = self.now.write(bytes, offset);
        self.changes.push(Change::Write { sectors, len: self.now.len });
    }

    /// A sync that fails forgets what there was to sync.
    fn sync(&mut self, fails: bool) -> io::Result<()> {
        let changes = std::mem::take(&mut self.changes);
        if fails {
            return Err(injected());
        }
        for change in changes {
            match change {
                Change::Write { sectors, len } => {
                    for (number, sector) in sectors {
                        self.durable.put(number, sector);
                    }
                    self.durable.len = self.durable.len.max(len);
                }
                Change::SetLen(len) => self.durable.set_len(len),
            }
        }
        Ok(())
    }

    fn crash(&mut self, dice: &mut Dice) {
        let changes = std::mem::take(&mut self.changes);
        let fate = Fate::draw(dice, changes.len());
        for (at, change) in changes.into_iter().enumerate() {
            match change {
                Change::Write { sectors, len } => {
                    for (number, sector) in sectors {
                        if fate.keeps(at, dice) {
                            self.durable.put(number, sector);
                        }
                    }
                    if fate.keeps(at, dice) {
                        self.durable.len = self.durable.len.max(len);
                    }
                }
                Change::SetLen(len) => {
                    if fate.keeps(at, dice) {
                        self.durable.set_len(len);
                    }
                }
            }
        }
        let len = self.durable.len;
        self.durable.set_len(len);
        self.now = self.durable.clone();
    }
}

impl Content {
    fn read(&self, buffer: &mut [u8], offset: u64) -> usize {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = buffer.len().min(left);
        let mut rest = buffer.get_mut(..count).unwrap_or_default();
        let (mut number, mut within) = split(offset);
        while !rest.is_empty() {
            let (part, after) = rest.split_at_mut(rest.len().min(SECTOR - within));
            match self.sector(number).and_then(|it| it.get(within..within + part.len())) {
                Some(bytes) => part.copy_from_slice(bytes),
                None => part.fill(0),
            }
            (number, within) = (number + 1, 0);
            rest = after;
        }
        count
    }

    fn sector(&self, number: usize) -> Option<&Sector> {
        self.sectors.get(number)?.as_ref()
    }

    /// Answers the sectors as they are after it.
    fn write(&mut self, bytes: &[u8], offset: u64) -> Vec<(usize, Option<Sector>)> {
        let (mut number, mut within) = split(offset);
        let mut written = Vec::with_capacity((within + bytes.len()).div_ceil(SECTOR));
        let mut rest = bytes;
        while !rest.is_empty() {
            let (part, after) = rest.split_at(rest.len().min(SECTOR - within));
            let sector = match (<&[u8; SECTOR]>::try_from(part), self.sector(number)) {
                (Ok(whole), _) => sector(whole),
                (Err(_), None) if is_zero(part) => None,
                (Err(_), old) => {
                    let mut whole = old.map_or([0; SECTOR], |old| **old);
                    if let Some(place) = whole.get_mut(within..within + part.len()) {
                        place.copy_from_slice(part);
                    }
                    sector(&whole)
                }
            };
            self.put(number, sector.clone());
            written.push((number, sector));
            (number, within) = (number + 1, 0);
            rest = after;
        }
        let end = offset + u64::try_from(bytes.len()).unwrap_or(0);
        self.len = self.len.max(end);
        written
    }

    fn put(&mut self, number: usize, sector: Option<Sector>) {
        if self.sector(number).is_none() && sector.is_none() {
            return;
        }
        let sectors = Arc::make_mut(&mut self.sectors);
        if sectors.len() <= number {
            sectors.resize(number + 1, None);
        }
        if let Some(place) = sectors.get_mut(number) {
            self.count += usize::from(sector.is_some());
            self.count -= usize::from(place.is_some());
            *place = sector;
        }
    }

    /// Also clears what lies beyond the end.
    fn set_len(&mut self, len: u64) {
        self.len = len;
        let (number, within) = split(len);
        if self.sectors.len() <= number {
            return;
        }
        let sectors = Arc::make_mut(&mut self.sectors);
        sectors.truncate(number + 1);
        if let Some(sector) = sectors.get_mut(number).and_then(Option::as_mut) {
            let beyond = Arc::make_mut(sector).get_mut(within..).unwrap_or_default();
            beyond.fill(0);
        }
        self.count = sectors.iter().flatten().count();
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    [0; SECTOR].starts_with(bytes)
}

fn sector(bytes: &[u8; SECTOR]) -> Option<Sector> {
    (!is_zero(bytes)).then(|| Arc::new(*bytes))
}

/// In which sector, and where in it.
fn split(offset: u64) -> (usize, usize) {
    let number = usize::try_from(offset / SECTOR_64).unwrap_or(usize::MAX);
    (number, usize::try_from(offset % SECTOR_64).unwrap_or(0))
}

impl NameChange {
    /// As far as it is possible after those before it did or did not happen.
    fn apply(self, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Create { name, inode } => {
                names.entry(name).or_insert(inode);
            }
            Self::Rename { from, to, inode } => {
                if names.get(&from) == Some(&inode) {
                    names.remove(&from);
                    names.insert(to, inode);
                }
            }
            Self::Remove { name, inode } => {
                if names.get(&name) == Some(&inode) {
                    names.remove(&name);
                }
            }
        }
    }
}

/// What becomes of a row of changes at a power cut.
enum Fate {
    /// None is kept.
    Lost,
    /// All before this one are kept, this one is torn, none after it is kept.
    Until(usize),
    /// Each part by itself.
    Each,
}

impl Fate {
    fn draw(dice: &mut Dice, count: usize) -> Self {
        match dice.below(4) {
            0 => Self::Until(usize::MAX),
            1 => Self::Lost,
            2 => Self::Until(dice.below(count + 1)),
            _ => Self::Each,
        }
    }

    fn keeps(&self, at: usize, dice: &mut Dice) -> bool {
        match *self {
            Self::Lost => false,
            Self::Until(end) if at != end => at < end,
            Self::Until(_) | Self::Each => dice.below(2) == 0,
        }
    }
}

/// SplitMix64: small, and the same everywhere.
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX);
        usize::try_from(self.next() % end).unwrap_or(0)
    }
}
