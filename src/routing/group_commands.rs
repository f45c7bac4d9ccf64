//! What can be done to groups: create, delete, add members, remove one.
//!
//! Each may leave the team half changed when it refuses; `team` puts it back. Coverage is judged
//! there, afterwards.

use super::{
    GroupId, MemberSpec, Outcome, Rejection, RepId, ResourceKind, Time,
    group::GroupState,
    limits::WEIGHT_MAX,
    record::RepUid,
    team::{Named, Team, is_default},
};

impl Team {
    pub(super) fn create_group(
        &mut self,
        id: &GroupId,
        display_name: &str,
        members: &[MemberSpec],
        now: Time,
    ) -> Result<Outcome, Rejection> {
        if members.is_empty() {
            return Err(Rejection::GroupTooSmall { groups: vec![id.clone()] });
        }
        if self.groups.contains_key(id) {
            let id = id.to_string();
            return Err(Rejection::AlreadyExists { kind: ResourceKind::Group, id });
        }
        let members = self.resolved(members)?;
        let group = GroupState::new(&mut self.sum, id.clone(), display_name.to_owned(), now);
        self.groups.insert(id.clone(), group);
        self.add_resolved(id, members, now)
    }

    pub(super) fn delete_group(&mut self, id: &GroupId) -> Result<Outcome, Rejection> {
        self.editable(id)?;
        let campaigns = self.campaigns_naming(&Named::Group(id));
        if !campaigns.is_empty() {
            return Err(Rejection::GroupInUse { group: id.clone(), campaigns });
        }
        if let Some(group) = self.groups.remove(id) {
            group.forget(&mut self.sum);
        }
        Ok(Outcome::Deleted)
    }

    pub(super) fn add_group_members(
        &mut self,
        id: &GroupId,
        members: &[MemberSpec],
        now: Time,
    ) -> Result<Outcome, Rejection> {
        self.group(id)?;
        let members = self.resolved(members)?;
        self.editable(id)?;
        self.add_resolved(id, members, now)
    }

    pub(super) fn remove_group_member(
        &mut self,
        id: &GroupId,
        rep: &RepId,
    ) -> Result<Outcome, Rejection> {
        self.group(id)?;
        let uid = self.reps.find(rep)?.record.uid;
        let ring = &self.editable(id)?.ring;
        if ring.seat(uid).is_none() {
            return Err(Rejection::NotAMember { rep: rep.clone(), group: id.clone() });
        }
        if ring.len() == 1 {
            return Err(Rejection::GroupTooSmall { groups: vec![id.clone()] });
        }
        if let Some(group) = self.groups.get_mut(id) {
            group.remove(&mut self.sum, uid);
        }
        self.group_outcome(id)
    }

    /// The group, unless its membership is automatic.
    fn editable(&self, id: &GroupId) -> Result<&GroupState, Rejection> {
        let group = self.group(id)?;
        if is_default(id) { Err(Rejection::DefaultGroupImmutable) } else { Ok(group) }
    }

    fn resolved(&self, members: &[MemberSpec]) -> Result<Vec<(RepId, RepUid, u32)>, Rejection> {
        let resolve = |member: &MemberSpec| {
            let uid = self.reps.find(&member.rep)?.record.uid;
            // The API refuses other weights; whatever stands in the log needs one outcome.
            Ok((member.rep.clone(), uid, member.weight.clamp(1, WEIGHT_MAX)))
        };
        members.iter().map(resolve).collect()
    }

    fn add_resolved(
        &mut self,
        id: &GroupId,
        members: Vec<(RepId, RepUid, u32)>,
        now: Time,
    ) -> Result<Outcome, Rejection> {
        for (rep, uid, weight) in members {
            let Some(group) = self.groups.get_mut(id) else { break };
            if group.ring.seat(uid).is_some() {
                return Err(Rejection::AlreadyMember { rep, group: id.clone() });
            }
            group.add(&mut self.sum, uid, weight, now);
        }
        self.group_outcome(id)
    }

    fn group_outcome(&self, id: &GroupId) -> Result<Outcome, Rejection> {
        self.group(id).map(|group| Outcome::Group(group.view(&self.reps)))
    }
}
