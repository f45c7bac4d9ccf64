//! A disk of our own under a real node: what was not synced is lost, torn or kept at a power cut.
//!
//! A FUSE file system of one directory over `tests/support/memdisk`, the disk that the simulator uses.
//! Nothing is cached by the kernel, so every call of the node arrives here. Mounted by the suite itself,
//! as root, without libfuse.
//!
//! It can stand still at a [`Moment`]: from then on no call is answered and nothing changes, until the node
//! is killed and the power goes, so a power cut can be in the middle of what a node does for a millisecond.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use fuser::{
    BackgroundSession, BsdFileFlags, Config, Errno, FileAttr, FileHandle, FileType, Filesystem,
    FopenFlags, Generation, INodeNo, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, TimeOrNow,
    WriteFlags,
};
use turnwise::consensus::log::{Disk as _, DiskFile as _};

use crate::{
    cluster::{Res, words},
    memdisk::{MemDisk, MemFile},
};

/// A mounted disk. Dropped, it is unmounted; its node must have ended.
pub(crate) struct FuseDisk {
    disk: MemDisk,
    shared: Arc<Shared>,
    folder: PathBuf,
    _session: BackgroundSession,
}

struct Shared {
    names: Mutex<Names>,
    /// No sync returns while it is set.
    stalls: AtomicBool,
    /// Every sync fails while it is set.
    fails: AtomicBool,
    /// Everything that changes something is refused, as on a file system that turned read-only.
    read_only: AtomicBool,
    /// At which call it stands still, and how many like it pass before.
    awaited: Mutex<Option<(Moment, u64)>>,
    /// One of the three below.
    power: AtomicU8,
}

/// All is well.
const ON: u8 = 0;
/// No call is answered.
const STILL: u8 = 1;
/// Every call fails, and changes nothing. Whoever called has been killed.
const OFF: u8 = 2;

/// Something that a node does with its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Writes or syncs a snapshot that is not whole yet.
    SnapshotWrite,
    /// Gives a snapshot that is whole its name.
    SnapshotName,
    /// Puts a segment without what a snapshot covers in the place of the last one, or removes that one: as every
    /// start does.
    LogCut,
}

impl Moment {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::SnapshotWrite => "while a snapshot was written",
            Self::SnapshotName => "as a snapshot got its name",
            Self::LogCut => "while the log was written anew without what a snapshot covers",
        }
    }

    /// The moments of a kind of call, on a file of this name.
    fn of(call: CallOf, name: &str) -> Option<Self> {
        let is_snapshot = name.ends_with(".snap.tmp");
        let is_log = name.ends_with(".log") || name.ends_with(".log.tmp");
        match call {
            CallOf::Write | CallOf::Sync => is_snapshot.then_some(Self::SnapshotWrite),
            CallOf::Rename if is_snapshot => Some(Self::SnapshotName),
            CallOf::Rename | CallOf::Remove => is_log.then_some(Self::LogCut),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum CallOf {
    Write,
    Sync,
    Rename,
    Remove,
}

#[derive(Default)]
struct Names {
    by_name: BTreeMap<String, u64>,
    files: BTreeMap<u64, MemFile>,
    last: u64,
}

impl FuseDisk {
    /// Mounts an empty disk on a new folder.
    pub(crate) fn mount(folder: &Path) -> Res<Self> {
        std::fs::create_dir(folder).map_err(words)?;
        let disk = MemDisk::new();
        let shared = Arc::new(Shared {
            names: Mutex::default(),
            stalls: AtomicBool::new(false),
            fails: AtomicBool::new(false),
            read_only: AtomicBool::new(false),
            awaited: Mutex::default(),
            power: AtomicU8::new(ON),
        });
        let system = System { disk: disk.clone(), shared: Arc::clone(&shared) };
        let session = fuser::spawn_mount(system, folder, &Config::default()).map_err(words)?;
        Ok(Self { disk, shared, folder: folder.to_owned(), _session: session })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The power goes: each write that was not synced is kept, lost or torn. The node must have ended.
    pub(crate) fn cut_power(&self, seed: u64) {
        let mut names = self.shared.names();
        names.by_name.clear();
        names.files.clear();
        self.disk.crash(seed);
        self.shared.power.store(ON, Ordering::SeqCst);
    }

    /// Lets it stand still at such a call, after so many like it.
    pub(crate) fn stand_still_at(&self, moment: Moment, after: u64) {
        *self.shared.awaited() = Some((moment, after));
    }

    /// Whether it stands still. If it does not, it will not any more.
    pub(crate) fn stands_still(&self) -> bool {
        self.shared.power.load(Ordering::SeqCst) == STILL
    }

    /// From now on every call fails. Its node has been killed, and ends once its calls are answered.
    pub(crate) fn lose_power(&self) {
        *self.shared.awaited() = None;
        self.shared.power.store(OFF, Ordering::SeqCst);
    }

    /// From now on every sync fails, or none does.
    pub(crate) fn fail_syncs(&self, fail: bool) {
        self.shared.fails.store(fail, Ordering::SeqCst);
    }

    /// From now on no sync returns; or all that wait do.
    pub(crate) fn stall_syncs(&self, stall: bool) {
        self.shared.stalls.store(stall, Ordering::SeqCst);
    }

    /// From now on nothing can be changed (EROFS), or all can again.
    pub(crate) fn set_read_only(&self, read_only: bool) {
        self.shared.read_only.store(read_only, Ordering::SeqCst);
    }

    /// Leaves so much room; `None` = as much as one likes.
    pub(crate) fn leave_room(&self, bytes: Option<u64>) {
        match bytes {
            Some(bytes) => self.disk.fill(bytes),
            None => self.disk.limit(None),
        }
    }

    /// Everything is well again.
    pub(crate) fn heal(&self) {
        self.fail_syncs(false);
        self.stall_syncs(false);
        self.set_read_only(false);
        self.leave_room(None);
    }
}

impl Drop for FuseDisk {
    fn drop(&mut self) {
        // Whoever waits for a sync could not be unmounted.
        self.heal();
        self.lose_power();
    }
}

impl Shared {
    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn awaited(&self) -> MutexGuard<'_, Option<(Moment, u64)>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a call may be done. Waits while the disk stands still, which it does from here on if this is
    /// the call that it waits for.
    fn passes(&self, call: CallOf, name: &str) -> Result<(), Errno> {
        let mut awaited = self.awaited();
        if let Some((moment, left)) = awaited.as_mut()
            && Moment::of(call, name) == Some(*moment)
        {
            match left.checked_sub(1) {
                Some(fewer) => *left = fewer,
                None => {
                    *awaited = None;
                    self.power.store(STILL, Ordering::SeqCst);
                }
            }
        }
        drop(awaited);
        self.is_on()
    }

    fn is_on(&self) -> Result<(), Errno> {
        loop {
            match self.power.load(Ordering::SeqCst) {
                ON => return Ok(()),
                STILL => std::thread::sleep(Duration::from_millis(1)),
                _ => return Err(Errno::EIO),
            }
        }
    }
}

struct System {
    disk: MemDisk,
    shared: Arc<Shared>,
}

const ROOT: u64 = 1;
/// The kernel is to remember nothing.
const TTL: Duration = Duration::ZERO;

fn errno(error: &io::Error) -> Errno {
    match error.kind() {
        io::ErrorKind::NotFound => Errno::ENOENT,
        io::ErrorKind::AlreadyExists => Errno::EEXIST,
        io::ErrorKind::StorageFull => Errno::ENOSPC,
        _ => Errno::EIO,
    }
}

fn attr(inode: u64, len: u64) -> FileAttr {
    let is_root = inode == ROOT;
    FileAttr {
        ino: INodeNo(inode),
        size: len,
        blocks: len.div_ceil(512),
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind: if is_root { FileType::Directory } else { FileType::RegularFile },
        perm: if is_root { 0o700 } else { 0o600 },
        nlink: if is_root { 2 } else { 1 },
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 512,
        flags: 0,
    }
}

impl System {
    fn text(name: &OsStr) -> Result<&str, Errno> {
        name.to_str().ok_or(Errno::EINVAL)
    }

    fn may_change(&self) -> Result<(), Errno> {
        self.shared.is_on()?;
        if self.shared.read_only.load(Ordering::SeqCst) { Err(Errno::EROFS) } else { Ok(()) }
    }

    fn find(&self, name: &OsStr) -> Result<FileAttr, Errno> {
        self.shared.is_on()?;
        let name = Self::text(name)?;
        let mut names = self.shared.names();
        let inode = match names.by_name.get(name) {
            Some(inode) => *inode,
            None => {
                let file = self.disk.open(name).map_err(|error| errno(&error))?;
                names.insert(name, file)
            }
        };
        names.attr(inode)
    }

    fn make(&self, name: &OsStr) -> Result<FileAttr, Errno> {
        self.may_change()?;
        let name = Self::text(name)?;
        let mut names = self.shared.names();
        let file = self.disk.create(name).map_err(|error| errno(&error))?;
        let inode = names.insert(name, file);
        names.attr(inode)
    }

    fn on_file<T>(
        &self,
        inode: INodeNo,
        act: impl FnOnce(&MemFile) -> io::Result<T>,
    ) -> Result<T, Errno> {
        let names = self.shared.names();
        let file = names.files.get(&inode.0).ok_or(Errno::EIO)?;
        act(file).map_err(|error| errno(&error))
    }

    /// Waits while syncs stall, away from the thread that serves everything else.
    fn when_not_stalled(&self, reply: impl FnOnce(&Self) + Send + 'static) {
        let again = Self { disk: self.disk.clone(), shared: Arc::clone(&self.shared) };
        if !self.shared.stalls.load(Ordering::SeqCst) {
            return reply(&again);
        }
        std::thread::spawn(move || {
            while again.shared.stalls.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
            reply(&again);
        });
    }

    fn name_of(&self, inode: INodeNo) -> String {
        let names = self.shared.names();
        let mut all = names.by_name.iter();
        all.find(|(_, of)| **of == inode.0).map(|(name, _)| name.clone()).unwrap_or_default()
    }

    fn sync(&self, act: impl FnOnce() -> Result<(), Errno>) -> Result<(), Errno> {
        if self.shared.fails.load(Ordering::SeqCst) {
            self.disk.fail_syncs(1);
        }
        act()
    }
}

impl Names {
    fn insert(&mut self, name: &str, file: MemFile) -> u64 {
        self.last = self.last.max(ROOT) + 1;
        self.by_name.insert(name.to_owned(), self.last);
        self.files.insert(self.last, file);
        self.last
    }

    fn attr(&self, inode: u64) -> Result<FileAttr, Errno> {
        if inode == ROOT {
            return Ok(attr(ROOT, 0));
        }
        let file = self.files.get(&inode).ok_or(Errno::ENOENT)?;
        Ok(attr(inode, file.len().map_err(|error| errno(&error))?))
    }
}

fn empty(reply: ReplyEmpty, outcome: Result<(), Errno>) {
    match outcome {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

impl Filesystem for System {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.find(name) {
            Ok(attr) => reply.entry(&TTL, &attr, Generation(0)),
            Err(error) => reply.error(error),
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.shared.names().attr(inode.0) {
            Ok(attr) => reply.attr(&TTL, &attr),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        inode: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<std::time::SystemTime>,
        _fh: Option<FileHandle>,
        _crtime: Option<std::time::SystemTime>,
        _chgtime: Option<std::time::SystemTime>,
        _bkuptime: Option<std::time::SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let cut = match size {
            Some(len) => {
                self.may_change().and_then(|()| self.on_file(inode, |file| file.set_len(len)))
            }
            None => Ok(()),
        };
        let attr = cut.and_then(|()| self.shared.names().attr(inode.0));
        match attr {
            Ok(attr) => reply.attr(&TTL, &attr),
            Err(error) => reply.error(error),
        }
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn create(
        &self,
        _: &Request,
        _: INodeNo,
        name: &OsStr,
        _mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        match self.make(name) {
            Ok(attr) => {
                let flags = FopenFlags::FOPEN_DIRECT_IO;
                reply.created(&TTL, &attr, Generation(0), FileHandle(0), flags);
            }
            Err(error) => reply.error(error),
        }
    }

    fn read(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut buffer = vec![0; usize::try_from(size).unwrap_or(0)];
        match self.on_file(inode, |file| file.read_at(&mut buffer, offset)) {
            Ok(count) => reply.data(&buffer[..count]),
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        bytes: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let write = || {
            self.shared.passes(CallOf::Write, &self.name_of(inode))?;
            self.on_file(inode, |file| file.write_at(bytes, offset))
        };
        match self.may_change().and_then(|()| write()) {
            Ok(()) => reply.written(u32::try_from(bytes.len()).unwrap_or(u32::MAX)),
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // There is nothing to do, now or later. A process that is killed could not end while it is asked.
        reply.error(Errno::ENOSYS);
    }

    fn fsync(&self, _: &Request, inode: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.when_not_stalled(move |system| {
            let name = system.name_of(inode);
            let sync = || system.sync(|| system.on_file(inode, |file| file.sync()));
            empty(reply, system.shared.passes(CallOf::Sync, &name).and_then(|()| sync()));
        });
    }

    fn fsyncdir(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.when_not_stalled(move |system| {
            let sync = || match system.shared.fails.load(Ordering::SeqCst) {
                true => Err(Errno::EIO),
                false => system.disk.sync_dir().map_err(|error| errno(&error)),
            };
            empty(reply, system.shared.is_on().and_then(|()| sync()));
        });
    }

    fn unlink(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let unlink = || {
            self.may_change()?;
            let name = Self::text(name)?;
            self.shared.passes(CallOf::Remove, name)?;
            let mut names = self.shared.names();
            self.disk.remove(name).map_err(|error| errno(&error))?;
            // Whoever has it open goes on.
            names.by_name.remove(name);
            Ok(())
        };
        empty(reply, unlink());
    }

    fn rename(
        &self,
        _: &Request,
        _: INodeNo,
        from: &OsStr,
        _: INodeNo,
        to: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let rename = || {
            self.may_change()?;
            let (from, to) = (Self::text(from)?, Self::text(to)?);
            self.shared.passes(CallOf::Rename, from)?;
            let mut names = self.shared.names();
            self.disk.rename(from, to).map_err(|error| errno(&error))?;
            if let Some(inode) = names.by_name.remove(from) {
                names.by_name.insert(to.to_owned(), inode);
            }
            Ok(())
        };
        empty(reply, rename());
    }

    fn readdir(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let names = self.disk.file_names();
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        for (place, name) in (1_u64..).zip(&names).skip(from) {
            // Their numbers are told by `lookup`.
            if reply.add(INodeNo(u64::MAX), place, FileType::RegularFile, name) {
                break;
            }
        }
        reply.ok();
    }
}
