//! What one seed does: how big its world is, which faults can strike there, and how often.
//!
//! Swarm testing: a seed draws a random subset of the faults. A world with every fault at once spends
//! its time electing leaders; a world with two of them reaches states that the other never sees.

use turnwise::replica::VERSIONS;

use crate::{members::Growth, rng::Rng};

/// One millisecond of simulated time; all times are microseconds.
pub(crate) const MS: u64 = 1_000;
/// One second.
pub(crate) const S: u64 = 1_000_000;

const REJOINS_MAX: usize = 10;

/// Something that the nemesis does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// A pair of nodes does not hear each other.
    Cut,
    /// One node does not hear another, which hears it.
    CutOneWay,
    /// A node hears nobody and is heard by nobody, clients included.
    Isolate,
    /// The leader hears nobody, and everybody hears it; or the other way round.
    DeafOrMute,
    /// A process dies; what it wrote stays with the operating system.
    Kill,
    /// A machine loses power: each unsynced write is kept, lost or torn.
    PowerCut,
    /// Power is lost in the middle of writing.
    PowerCutMidWrite,
    /// All machines lose power together.
    PowerCutAll,
    /// A process does not run for a while, then goes on as if nothing had been.
    Pause,
    /// A wall clock jumps; only those of a minority that is drawn once, for no time can be told where
    /// most clocks are wrong.
    ClockJump,
    /// A disk answers late.
    DiskStall,
    /// An fsync fails; the process must end.
    SyncError,
    /// A disk has no room for a while.
    DiskFull,
    /// Bits of what was synced turn over, on the disks of a minority that is drawn once. The machine
    /// may come back under another id, or refuse to.
    Rot,
    /// A disk is emptied, of the same minority, and the machine started as ever, or founded anew.
    Wipe,
    /// A disk of that minority is copied, and later the copy put back, where that must be noticed.
    OldCopy,
    /// A wall clock runs faster or slower for good; of the minority with wrong clocks.
    ClockRate,
    /// A client does not hear a node, or the node does not hear it.
    CutClient,
    /// The leader is asked to hand over.
    HandOver,
    /// A time of heavy loss on all links.
    Storm,
}

impl Fault {
    /// All of them.
    pub(crate) const ALL: [Self; 20] = [
        Self::Cut,
        Self::CutOneWay,
        Self::Isolate,
        Self::DeafOrMute,
        Self::Kill,
        Self::PowerCut,
        Self::PowerCutMidWrite,
        Self::PowerCutAll,
        Self::Pause,
        Self::ClockJump,
        Self::DiskStall,
        Self::SyncError,
        Self::DiskFull,
        Self::Rot,
        Self::Wipe,
        Self::OldCopy,
        Self::ClockRate,
        Self::CutClient,
        Self::HandOver,
        Self::Storm,
    ];
}

/// Which worlds seeds are drawn from: asked for, so that one build of the tests has all of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Worlds {
    two_builds: bool,
    members_change: bool,
}

/// The newest version of a build without the feature `next`.
const RELEASED: u32 = if cfg!(feature = "next") { VERSIONS.max - 1 } else { VERSIONS.max };

impl Worlds {
    /// One build, without what the feature `next` adds, whether that is compiled in or not. In some of them the
    /// members change.
    pub(crate) const ORDINARY: Self = Self { two_builds: false, members_change: false };
    /// The same, and in all of them the members change.
    #[cfg(feature = "planted")]
    pub(crate) const CHANGING_MEMBERS: Self = Self { two_builds: false, members_change: true };
    /// Two builds that differ in an outcome: in most of them all begin with the older one, and get the newer one
    /// by one; in the others all have the newer one.
    #[cfg(feature = "next")]
    pub(crate) const TWO_BUILDS: Self = Self { two_builds: true, members_change: false };

    /// Whether there is an upgrade in this seed, and the newest version that the first build has.
    fn builds(self, seed: u64) -> (bool, u32) {
        match (self.two_builds, Rng::stream(seed, "upgrade").chance(800)) {
            (false, _) => (false, RELEASED),
            (true, true) => (true, VERSIONS.min),
            (true, false) => (false, VERSIONS.max),
        }
    }
}

/// What links do to messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinkPlan {
    pub(crate) delay_min_us: u64,
    pub(crate) delay_max_us: u64,
    pub(crate) loss_per_mille: u64,
    pub(crate) duplicate_per_mille: u64,
    /// Messages overtake each other; otherwise a link is in order, as a stream is.
    pub(crate) reorder: bool,
}

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Founders.
    pub(crate) nodes: usize,
    /// Machines that there can be: the founders, and who may join.
    pub(crate) slots: usize,
    /// How the members change, if they do.
    pub(crate) growth: Option<Growth>,
    /// How often machines may come back under a new id because their disks are rotten.
    pub(crate) rejoins: usize,
    pub(crate) clients: usize,
    pub(crate) operations_per_client: u64,
    /// A client waits up to this long between two operations.
    pub(crate) think_max_us: u64,
    /// When faults end.
    pub(crate) faults_until_us: u64,
    /// When all must have come right again.
    pub(crate) end_us: u64,
    /// Pause between two strikes of the nemesis, at most.
    pub(crate) fault_gap_max_us: u64,
    pub(crate) faults: Vec<Fault>,
    pub(crate) link: LinkPlan,
    /// Whether a node waits for its disk before it does anything else, as the first driver does.
    pub(crate) inline_disk: bool,
    pub(crate) sync_min_us: u64,
    pub(crate) sync_max_us: u64,
    pub(crate) tick_us: u64,
    pub(crate) clock_drift_ppm_max: u64,
    pub(crate) clock_offset_max_us: u64,
    pub(crate) memory_tail_bytes: u64,
    pub(crate) retained_log_bytes: u64,
    pub(crate) snapshot_every_bytes: u64,
    pub(crate) segment_bytes: u64,
    /// All begin with an older build, and get the newer one by one.
    pub(crate) upgrade: bool,
    /// The newest version that the build has which machines begin with.
    pub(crate) newest: u32,
}

impl Plan {
    /// The plan of a seed.
    pub(crate) fn draw(seed: u64, worlds: Worlds) -> Self {
        let mut rng = Rng::stream(seed, "plan");
        let mut faults: Vec<Fault> = Fault::ALL.into_iter().filter(|_| rng.chance(300)).collect();
        if faults.is_empty() && !rng.chance(200) {
            faults.push(rng.pick(&Fault::ALL));
        }
        let delay_min_us = rng.pick(&[50, 200, MS]);
        let link = LinkPlan {
            delay_min_us,
            delay_max_us: delay_min_us + rng.pick(&[100, MS, 5 * MS, 50 * MS]),
            loss_per_mille: rng.pick(&[0, 0, 5, 30, 100]),
            duplicate_per_mille: rng.pick(&[0, 0, 10, 100]),
            reorder: rng.chance(400),
        };
        let faults_until_us = rng.between(10, 40) * S;
        let sync_min_us = rng.pick(&[50, 200, MS]);
        let nodes = rng.pick(&[3, 3, 3, 3, 3, 3, 3, 5, 5, 1]);
        // Members change in other worlds than builds do.
        let (upgrade, newest) = worlds.builds(seed);
        let growth = Growth::draw(seed, worlds.members_change).filter(|_| !upgrade);
        if let Some(growth) = &growth {
            faults.retain(|fault| growth.goes_with(*fault, nodes));
        }
        let may_rot = faults.contains(&Fault::Rot) && nodes >= 3;
        let rejoins = if may_rot && growth.is_none() && !upgrade { REJOINS_MAX } else { 0 };
        Self {
            nodes,
            slots: nodes + growth.as_ref().map_or(rejoins, |growth| growth.spares),
            growth,
            rejoins,
            clients: rng.pick(&[2, 4, 8, 16]),
            operations_per_client: 250,
            think_max_us: rng.pick(&[5 * MS, 20 * MS, 100 * MS]),
            faults_until_us,
            end_us: faults_until_us + 40 * S,
            fault_gap_max_us: rng.pick(&[300 * MS, 800 * MS, 2 * S]),
            faults,
            link,
            inline_disk: rng.chance(400),
            sync_min_us,
            sync_max_us: sync_min_us + rng.pick(&[100, 2 * MS, 15 * MS]),
            tick_us: 30 * MS,
            clock_drift_ppm_max: rng.pick(&[0, 100, 1_000]),
            clock_offset_max_us: rng.pick(&[0, 20 * MS, 400 * MS]),
            memory_tail_bytes: rng.pick(&[0, 1 << 10, 8 << 10]),
            retained_log_bytes: rng.pick(&[0, 2 << 10, 16 << 10]),
            snapshot_every_bytes: rng.pick(&[2 << 10, 8 << 10, 40 << 10]),
            segment_bytes: rng.pick(&[4 << 10, 8 << 10, 64 << 10]),
            upgrade,
            newest,
        }
    }
}
