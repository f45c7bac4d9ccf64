//! Coverage marks: how often the moments happened that the simulator is there for.
//!
//! A mark that stays at 0 over the default run fails the test: a fault that is never injected, or a
//! path that is never taken, would otherwise look like a proof.

use std::collections::BTreeMap;

macro_rules! marks {
    ($($name:ident = $text:literal,)*) => {
        /// A moment.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Mark { $($name,)* }

        impl Mark {
            /// All of them.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As printed.
            pub(crate) fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

marks! {
    // Up to the storms: faults, as they were injected.
    MessageDropped = "messages dropped",
    MessageDoubled = "messages doubled",
    LinkCut = "links cut",
    Kill = "kills",
    PowerCut = "power cuts",
    PowerCutMidWrite = "power cuts mid-write",
    Pause = "pauses",
    ClockJump = "clock jumps",
    DiskStall = "disk stalls",
    SyncError = "fsync errors",
    DiskFull = "full disks",
    Rot = "bytes rotten",
    Wipe = "disks wiped",
    OldCopy = "old copies of disks put back",
    ClockRate = "clock rates",
    HandOver = "hand-overs",
    Storm = "storms",
    StoppedWithoutRoom = "nodes stopped without room",
    SnapshotNotSaved = "snapshots not saved",
    RotNoticed = "nodes stopped or refused for rot",
    EmptyRefused = "empty disks refused",
    FoundedAnewRefused = "disks founded anew refused by peers",
    OldCopyRefused = "old copies of disks refused by peers",
    NewestPutBack = "newest disks put back in their place",
    HelloOvertaken = "refusals overtaken by what was acknowledged since",
    SnapshotRefused = "sent snapshots refused",
    LeaderChange = "leader changes",
    Restart = "restarts",
    UnsyncedAtPowerCut = "power cuts with unsynced writes",
    TornTailCut = "torn tails cut",
    ConflictTruncated = "conflicting suffixes truncated",
    SnapshotTaken = "snapshots taken",
    SnapshotSent = "snapshots sent",
    SnapshotTransferCut = "snapshot transfers cut",
    SnapshotInstalled = "snapshots installed",
    SnapshotOnRestart = "restarts from a snapshot",
    ReceivedButNotInstalled = "restarts with a received snapshot above the log",
    LogCompacted = "log compactions",
    LogRead = "log reads",
    DelayedDisk = "persists with the fsync under way",
    ProposalLost = "proposals lost with leadership",
    NotLeader = "calls to a node that does not lead",
    Batched = "batches of several commands",
    RetryAnswered = "retries answered by the idempotency record",
    RetryAfterFailover = "retries answered in another term",
    TwoNodesAtOnce = "calls made to two nodes at once",
    AskedAgain = "answered calls made again",
    ExistingAssignment = "assignments found open",
    Rejected = "commands rejected",
    ReadServed = "reads served",
    ReadByFollower = "reads served by a follower",
    ReadRefused = "reads refused",
    GaveUp = "calls given up",
    Joined = "nodes joined",
    Promoted = "learners promoted",
    Removed = "members removed",
    LeaderRemoved = "leaders removed",
    Replaced = "members replaced",
    SnapshotToLearner = "snapshots sent to learners",
    JoinRefused = "joins refused for the token",
    JoinInterrupted = "joins interrupted by a power cut",
    ChangeNotMade = "membership changes to be asked for again",
    ChangeDuringCut = "membership changes while links were cut",
    ChangeAfterPowerCut = "membership changes right after a power cut",
    RejoinAsked = "rotten nodes that asked to come back",
    Rejoined = "rotten nodes that rejoined and were promoted",
    CopyRefused = "copies of rotten disks refused",
    RemovedEnded = "removed nodes that read so and ended",
    RemovedReturns = "removed nodes started again",
    RefusedAfterRemoval = "removed nodes refused by peers",
    // From here on: of upgrades, where two builds are compiled in.
    NewerBuild = "newer builds installed",
    OlderBuild = "older builds installed",
    Raised = "versions raised",
    RaisedBySnapshot = "versions raised by a received snapshot",
    OldBuildDoesNotStart = "old builds that refused to start",
    OldBuildStopped = "old builds stopped at an entry",
    OldBuildTurnedAway = "old builds turned away by a peer",
}

impl Mark {
    /// Those of upgrades.
    #[cfg(feature = "next")]
    pub(crate) const OF_UPGRADES: [Self; 7] = [
        Self::NewerBuild,
        Self::OlderBuild,
        Self::Raised,
        Self::RaisedBySnapshot,
        Self::OldBuildDoesNotStart,
        Self::OldBuildStopped,
        Self::OldBuildTurnedAway,
    ];

    /// All that an ordinary run can come upon.
    pub(crate) fn ordinary() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|mark| *mark < Self::NewerBuild)
    }
}

/// How often each happened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks(BTreeMap<Mark, u64>);

impl Marks {
    pub(crate) fn hit(&mut self, mark: Mark) {
        *self.0.entry(mark).or_default() += 1;
    }

    pub(crate) fn count(&self, mark: Mark) -> u64 {
        self.0.get(&mark).copied().unwrap_or_default()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (mark, count) in &other.0 {
            *self.0.entry(*mark).or_default() += count;
        }
    }

    /// The faults among them, or all the others.
    pub(crate) fn text(&self, faults: bool) -> String {
        let of_kind = Mark::ordinary().filter(|mark| (*mark <= Mark::Storm) == faults);
        of_kind
            .map(|mark| format!("{} {}", self.count(mark), mark.text()))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Those that never happened.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        Mark::ordinary().filter(|mark| self.count(*mark) == 0).map(Mark::text).collect()
    }
}
