//! What others are told of a change of what people set up: the resource as it was and as it is.
//!
//! Assignments tell of themselves, step by step, in `assign`.

use std::sync::Arc;

use super::{
    Change, GroupAction, MemberSpec, Operation, Rep, RepId, RotationAction,
    team::{Resource, Team, named},
};

impl Team {
    /// Tells what an operation changed in the resource it is about: after what came before the command,
    /// ahead of what followed from it.
    pub(super) fn tell(&mut self, before: &Self, operation: &Operation) {
        let change = match named(operation) {
            Resource::None | Resource::Assignment => None,
            Resource::Team => {
                let (before, after) = (before.view(), self.view());
                let changed = before != after;
                let (before, after) = (Box::new(before), Box::new(after));
                changed.then_some(Change::Team { before: Some(before), after: Some(after) })
            }
            Resource::Rep(id) => {
                let (before, after) = (before.seen(id), self.seen(id));
                (before != after).then_some(Change::Rep { before, after })
            }
            Resource::Rule(id) => {
                let rule = |team: &Self| team.rules.get(id).map(Arc::clone);
                let (before, after) = (rule(before), rule(self));
                (before != after).then_some(Change::Rule { before, after })
            }
            Resource::Campaign(id) => {
                let campaign = |team: &Self| team.campaigns.get(id).map(Arc::clone);
                let (before, after) = (campaign(before), campaign(self));
                (before != after).then_some(Change::Campaign { before, after })
            }
            Resource::Token(id) => {
                let token = |team: &Self| team.tokens.get(id).map(Arc::clone);
                let (before, after) = (token(before), token(self));
                (before != after).then_some(Change::Token { before, after })
            }
            Resource::Group(_) if before.sum == self.sum => None,
            Resource::Group(id) => match (group_action(operation), rotation_action(operation)) {
                (Some(action), _) => {
                    let revision = |team: &Self| Some(team.groups.get(id)?.record.meta.revision);
                    let (before, after) = (revision(before), revision(self));
                    Some(Change::Group { group: id.clone(), before, after, action })
                }
                (None, Some((campaign, action))) => {
                    Some(Change::Rotation { group: id.clone(), campaign, action })
                }
                (None, None) => None,
            },
        };
        change.into_iter().for_each(|change| self.outbox.insert(before.outbox.len(), change));
    }

    fn seen(&self, id: &RepId) -> Option<Box<Rep>> {
        self.reps.find(id).ok().map(|rep| Box::new(rep.view()))
    }
}

fn group_action(operation: &Operation) -> Option<GroupAction> {
    let names = |members: &[MemberSpec]| members.iter().map(|m| m.member.clone()).collect();
    if let Operation::CreateGroup { members, .. } = operation {
        return Some(GroupAction::Created(names(members)));
    }
    if let Operation::AddGroupMembers { members, .. } = operation {
        return Some(GroupAction::MembersAdded(names(members)));
    }
    if let Operation::RemoveGroupMember { member, .. } = operation {
        return Some(GroupAction::MemberRemoved(member.clone()));
    }
    if let Operation::UpdateGroupMember { member, .. } = operation {
        return Some(GroupAction::MemberUpdated(member.clone()));
    }
    let is_updated = matches!(operation, Operation::UpdateGroup { .. });
    let is_deleted = matches!(operation, Operation::DeleteGroup { .. });
    let is_reordered = matches!(operation, Operation::ReorderGroup { .. });
    is_updated
        .then_some(GroupAction::Updated)
        .or_else(|| is_deleted.then_some(GroupAction::Deleted))
        .or_else(|| is_reordered.then_some(GroupAction::Reordered))
}

fn rotation_action(operation: &Operation) -> Option<(Option<super::CampaignId>, RotationAction)> {
    if let Operation::ResetRotation { group: _, campaign } = operation {
        return Some((campaign.clone(), RotationAction::Reset));
    }
    if let Operation::AdjustRotation { group: _, campaign, member, credits, reason } = operation {
        let (member, credits, reason) = (member.clone(), *credits, reason.clone());
        return Some((campaign.clone(), RotationAction::Adjusted { member, credits, reason }));
    }
    None
}
