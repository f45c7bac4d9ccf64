//! Bugs put in on purpose, so that the simulator can show that it finds them.
//!
//! Each place in the program that a bug can be planted in asks `is`, which is constantly false: the
//! bugs are only compiled in under the feature `planted`, which no build without debug assertions
//! takes, and even there each is out until a test puts it in for its own thread. Owns the list and the
//! switch; what a bug does stands where it is planted.

#[cfg(not(feature = "planted"))]
use bytes::Bytes;

#[cfg(all(feature = "planted", not(debug_assertions)))]
compile_error!("the feature `planted` compiles bugs in; no build that anybody could ship takes it");

macro_rules! bugs {
    ($($name:ident = $text:literal,)*) => {
        /// A bug.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Bug {
            $(#[doc = $text] $name,)*
        }

        impl Bug {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// What is wrong, in words.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

bugs! {
    NoFsync = "no fsync at all",
    AcknowledgedBeforeFsync = "acknowledged before the fsync",
    MessagesBeforeFsync = "persisted messages sent before the fsync",
    GoesOnAfterFailedFsync = "goes on after a failed fsync",
    FullSegmentNotSynced = "a full segment is left without a sync",
    NameNotSynced = "a new segment's name is not synced",
    SnapshotNotSynced = "a snapshot's bytes are not synced",
    VoteNotPersisted = "vote not persisted",
    TermNotPersisted = "term and vote not persisted",
    TruncatedOneTooLate = "conflicting suffix cut one entry too late",
    RotTakenForTornTail = "the log is cut at a rotten middle",
    LogCutBeforeSnapshot = "log cut before the snapshot is durable",
    LogCutPastSnapshot = "log cut past the snapshot",
    AppliedBehindState = "applied index not that of the state on restart",
    RequestsMissingFromSnapshot = "remembered requests missing from the snapshot",
    SnapshotWithoutMembers = "a snapshot forgets the members",
    ChangeBeforeOwnCommit = "the members are changed before the leader committed in its term",
    ChangeToldAtAppend = "a change of the members is acknowledged when it is appended",
    ChangeNotPersisted = "a change of the members takes effect before its commit is on the disk",
    PromotedFarBehind = "a learner is promoted before it has caught up",
    TokenNotSpent = "a join token is not spent by the node it admits",
    RemovedLeaderStays = "a leader that was removed goes on leading",
    EmptyDiskRejoins = "an emptied disk rejoins under the old id",
    OldCopyLetIn = "an old copy of a disk is let in",
    RottenKeepsItsId = "a node whose log is rotten comes back under its old id",
    LocalRead = "a read without ReadIndex",
    LeaseRead = "a read by lease, under pauses",
    ReadBeforeOwnCommit = "a new leader reads before it committed in its term",
    ReadJoinsEarlierIndex = "a read joins a ReadIndex that is under way",
    WaitersOutliveLeadership = "who waits is not told that leadership was lost",
    OwnClockInApply = "apply reads the node's own clock",
    TimeFromOwnClock = "a new leader starts from its own clock, not the median",
    HashMapOrder = "a batch applied in the order of a HashMap",
    OutOfOfficeOnLeaderOnly = "out-of-office applied on the leader only",
    RetryTakesNewIndex = "the answer to a retry names a new log position",
    RetryNotRecognised = "a retry takes effect again",
    CursorResetOnMemberChange = "a change of a group's members resets its cursor",
    GuardForgotten = "the guard against a second open assignment is gone",
    CapacityOffByOne = "one assignment more than max_open",
    RulesOfTheProgram = "apply goes by the build's version, not the state's",
    RaisedWithoutAsking = "the version is raised without asking the members",
    LaterVersionTaken = "what is of a later version is taken all the same",
}

/// Whether this bug is in.
#[cfg(not(feature = "planted"))]
pub(crate) const fn is(_: Bug) -> bool {
    false
}

/// What is right; the wrong one, if this bug is in.
pub(crate) fn choose<T>(bug: Bug, wrong: T, right: T) -> T {
    if is(bug) { wrong } else { right }
}

/// Notes whether the node at hand leads, for bugs that need to know.
#[cfg(not(feature = "planted"))]
pub(crate) const fn note_leads(_: bool) {}

/// Whether the node at hand leads.
#[cfg(not(feature = "planted"))]
pub(crate) const fn leads() -> bool {
    true
}

/// Notes the newest version that the node at hand has, for a bug that goes by it.
#[cfg(not(feature = "planted"))]
pub(crate) const fn note_newest(_: u32) {}

/// The version by which a command is applied: the state's.
#[cfg(not(feature = "planted"))]
pub(crate) const fn rules(of_state: u32) -> u32 {
    of_state
}

/// The commands of a batch in the order in which they are applied: theirs.
#[cfg(not(feature = "planted"))]
pub(crate) fn in_order(commands: &[Bytes]) -> impl Iterator<Item = &Bytes> {
    commands.iter()
}

#[cfg(feature = "planted")]
pub use switch::plant;
#[cfg(feature = "planted")]
pub(crate) use switch::{in_order, is, leads, note_leads, note_newest, rules};

#[cfg(feature = "planted")]
mod switch {
    use std::{cell::Cell, collections::HashMap};

    use bytes::Bytes;

    use super::Bug;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
        static LEADS: Cell<bool> = const { Cell::new(true) };
        static NEWEST: Cell<u32> = const { Cell::new(0) };
    }

    /// Puts this bug in, and all others out, for what this thread does from now on.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }

    pub(crate) fn is(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }

    pub(crate) fn note_leads(leads: bool) {
        LEADS.set(leads);
    }

    pub(crate) fn leads() -> bool {
        LEADS.get()
    }

    pub(crate) fn note_newest(version: u32) {
        NEWEST.set(version);
    }

    pub(crate) fn rules(of_state: u32) -> u32 {
        if is(Bug::RulesOfTheProgram) { NEWEST.get().max(of_state) } else { of_state }
    }

    pub(crate) fn in_order(commands: &[Bytes]) -> impl Iterator<Item = &Bytes> {
        if is(Bug::HashMapOrder) {
            let held: HashMap<usize, &Bytes> = commands.iter().enumerate().collect();
            return held.into_values().collect::<Vec<_>>().into_iter();
        }
        commands.iter().collect::<Vec<_>>().into_iter()
    }
}
