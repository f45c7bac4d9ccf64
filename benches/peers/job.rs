//! The job that every peer does: contacts of groups, each group with a ring of twelve reps.
//!
//! Who serves a contact is whose turn it is: the group's rotation sequence number, modulo twelve. A contact
//! that comes again gets the answer of before. Groups are the run's own, so that every run begins at zero.

/// How many reps take turns in each group.
pub(crate) const RING: u64 = 12;
/// How many contacts one call of a batched form assigns.
pub(crate) const BATCH: u64 = 64;
/// How many groups a run may have.
const GROUPS_MAX: u32 = 1_000;

/// How a peer is driven.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job {
    /// Which run on this peer it is: no two share a group.
    pub(crate) run: u32,
    /// 1 is a hot group.
    pub(crate) groups: u32,
    /// How many callers there are at the most, each with one call at a time.
    pub(crate) callers: usize,
    /// How many connections they share.
    pub(crate) connections: usize,
}

impl Job {
    /// The groups of this run.
    pub(crate) fn groups(&self) -> impl Iterator<Item = u32> {
        assert!((1..=GROUPS_MAX).contains(&self.groups), "1 to {GROUPS_MAX} groups");
        (0..self.groups).map(|group| self.run * GROUPS_MAX + group)
    }

    /// Which group an operation is for.
    pub(crate) fn group(&self, number: u64) -> u32 {
        let group = u32::try_from(number % u64::from(self.groups)).expect("less than a u32");
        self.run * GROUPS_MAX + group
    }

    /// The contacts of an operation of a batched form.
    pub(crate) fn batch(number: u64) -> std::ops::Range<u64> {
        number * BATCH..(number + 1) * BATCH
    }
}

/// A contact's id, as callers of Turnwise would have it.
pub(crate) fn contact_id(contact: u64) -> String {
    format!("contact-{contact:016x}")
}

/// The reps of every group, in the order of their turns.
pub(crate) fn ring() -> impl Iterator<Item = String> {
    (0..RING).map(rep)
}

/// Whose turn it is at a rotation sequence number.
pub(crate) fn rep(seq: u64) -> String {
    format!("rep-{:02}", seq % RING)
}

/// What is kept of an assignment beside contact, sequence number and rep: with them some 250 bytes.
pub(crate) const DETAILS: &str = "teams/bench/campaigns/spring state=ASSIGNED cause=ROUND_ROBIN \
    request=00000010000000000000000000000000 time=2026-11-23T09:00:00.000000Z \
    target=1 owner_changed=true engine=1 source=web-form-contact-us";
