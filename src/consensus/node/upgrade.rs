//! The version of the cluster: followed as the log says, and raised by a leader once all members can.
//!
//! A leader raises it by one, by an entry of its own, as soon as every member of the applied configuration,
//! learners too, was heard lately and has said in its last handshake that its build has the next version;
//! while no change of the members is under way. Whoever is admitted meanwhile must have it as well.

use super::Node;
use crate::{
    consensus::{
        batch,
        effect::NotChanged,
        entry::NodeId,
        fault::Fault,
        versions::{self, Versions},
    },
    planted::{self, Bug},
    proto::turnwise::{log::v1::SnapshotMeta, peer::v1::RaftMessage},
};

impl Node {
    /// Stops at what this build does not understand, before it is taken.
    pub(super) fn understands(&self, message: &RaftMessage) -> Result<(), Fault> {
        let needed = versions::of_message(message);
        needed.map_or(Ok(()), |(index, version)| self.has_version(index, version))
    }

    fn has_version(&self, index: u64, version: u32) -> Result<(), Fault> {
        let newest = self.config.versions.max;
        if version > newest && !planted::is(Bug::LaterVersionTaken) {
            return Err(Fault::Version { index, version, before: self.version, newest });
        }
        Ok(())
    }

    /// Goes on at a snapshot's version.
    pub(super) fn adopt_version(&mut self, index: u64, meta: &SnapshotMeta) -> Result<(), Fault> {
        let version = versions::of_snapshot(meta);
        self.has_version(index, version)?;
        self.version = self.version.max(version);
        Ok(())
    }

    /// Follows what a committed entry says of the version. It goes up by one or not at all.
    pub(super) fn follow_version(&mut self, index: u64, said: u32) -> Result<(), Fault> {
        if said <= self.version {
            return Ok(());
        }
        self.has_version(index, said)?;
        if said != self.version + 1 {
            let (before, newest) = (self.version, self.config.versions.max);
            return Err(Fault::Version { index, version: said, before, newest });
        }
        tracing::info!(index, version = said, "the cluster is raised to another version");
        self.version = said;
        Ok(())
    }

    /// Proposes the next version, if all can go there.
    pub(super) fn propose_raise(&mut self) -> Result<(), Fault> {
        let next = self.version + 1;
        if self.changes.raising == Some(next)
            || !self.config.versions.has(next)
            || self.is_behind_commit()
        {
            return Ok(());
        }
        let lacks = |member: &NodeId| !self.can_go_to(*member, next);
        if self.membership.members().any(|member| lacks(&member)) {
            return Ok(());
        }
        let stamp_us = self.clock.stamp_us(self.now);
        if self.append(batch::raise(stamp_us, next))? {
            tracing::info!(version = next, "all members have the next version: raise proposed");
            self.changes.raising = Some(next);
        }
        Ok(())
    }

    fn can_go_to(&self, member: NodeId, version: u32) -> bool {
        let can = self.changes.versions(member).is_some_and(|its| its.has(version));
        (can && self.is_reachable(member)) || planted::is(Bug::RaisedWithoutAsking)
    }

    /// Whether a build may become a member's: it has the present version, and the one that is on its way.
    pub(super) fn may_have(&self, versions: Versions) -> Result<(), NotChanged> {
        if self.is_behind_commit() {
            return Err(NotChanged::Busy);
        }
        let needs = self.changes.raising.unwrap_or(0).max(self.version);
        let is_able = versions.min <= self.version && versions.max >= needs;
        if is_able { Ok(()) } else { Err(NotChanged::Version { needs, versions }) }
    }

    /// What was committed may say more of the version than this node has read.
    fn is_behind_commit(&self) -> bool {
        self.handed_out < self.raw.raft.raft_log.committed
    }
}
