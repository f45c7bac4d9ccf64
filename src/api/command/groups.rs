//! Changes of groups.

use std::collections::BTreeSet;

use crate::{
    api::{
        limits::MEMBERS_PER_CALL_MAX,
        names, text,
        violations::{Violations, Wrong},
    },
    proto::turnwise::v1::{
        AddGroupMemberRequest, CreateGroupRequest, DeleteGroupRequest, ErrorReason, Group,
        GroupMember, RemoveGroupMemberRequest,
    },
    routing::{MemberSpec, Operation, TeamId, limits::WEIGHT_MAX},
};

use super::call::Draft;

pub(super) fn create(r: &CreateGroupRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let none = Group::default();
    let written = r.group.as_ref().unwrap_or(&none);
    let team = wrong.take("parent", names::team(&r.parent));
    let group = wrong.take("group_id", names::id(&r.group_id));
    let display_name = wrong.take("group.display_name", text::display_name(&written.display_name));
    if written.members.is_empty() {
        let empty = Wrong::new("a group needs a member").because(ErrorReason::GroupTooSmall);
        wrong.add("group.members", empty);
    }
    let members = members(&mut wrong, "group.members", team.as_ref(), &written.members);
    let request_id = wrong.take("request_id", names::request_id(&r.request_id));
    wrong.finish((|| {
        Some(Draft {
            team: team?,
            request_id: request_id?,
            operation: Operation::CreateGroup {
                group: group?,
                display_name: display_name?,
                members,
            },
        })
    })())
}

pub(super) fn delete(r: &DeleteGroupRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let named = wrong.take("name", names::group(&r.name));
    let request_id = wrong.take("request_id", names::request_id(&r.request_id));
    wrong.finish((|| {
        let (team, group) = named?;
        Some(Draft { team, request_id: request_id?, operation: Operation::DeleteGroup { group } })
    })())
}

pub(super) fn add_member(r: &AddGroupMemberRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let named = wrong.take("name", names::group(&r.name));
    if r.members.is_empty() {
        wrong.add("members", Wrong::new("at least one member"));
    }
    let team = named.as_ref().map(|(team, _)| team);
    let members = members(&mut wrong, "members", team, &r.members);
    let request_id = wrong.take("request_id", names::request_id(&r.request_id));
    wrong.finish((|| {
        let (team, group) = named?;
        let operation = Operation::AddGroupMembers { group, members };
        Some(Draft { team, request_id: request_id?, operation })
    })())
}

pub(super) fn remove_member(r: &RemoveGroupMemberRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let named = wrong.take("name", names::group(&r.name));
    let team = named.as_ref().map(|(team, _)| team);
    let rep = names::rep(&r.rep).and_then(|rep| names::within(team, rep));
    let rep = wrong.take("rep", rep);
    let request_id = wrong.take("request_id", names::request_id(&r.request_id));
    wrong.finish((|| {
        let (team, group) = named?;
        let operation = Operation::RemoveGroupMember { group, rep: rep? };
        Some(Draft { team, request_id: request_id?, operation })
    })())
}

fn members(
    wrong: &mut Violations,
    field: &str,
    team: Option<&TeamId>,
    written: &[GroupMember],
) -> Vec<MemberSpec> {
    if written.len() > MEMBERS_PER_CALL_MAX {
        wrong.add(field, Wrong::new(format!("at most {MEMBERS_PER_CALL_MAX} in one call")));
        return Vec::new();
    }
    let mut seen = BTreeSet::new();
    let mut members = Vec::with_capacity(written.len());
    for (i, member) in written.iter().enumerate() {
        let rep = names::rep(&member.rep).and_then(|rep| names::within(team, rep));
        let rep = wrong.take(format!("{field}[{i}].rep"), rep);
        let weight = member.weight.unwrap_or(1);
        if !(1..=WEIGHT_MAX).contains(&weight) {
            wrong.add(format!("{field}[{i}].weight"), Wrong::new(format!("1 to {WEIGHT_MAX}")));
        }
        let Some(rep) = rep else { continue };
        if !seen.insert(rep.clone()) {
            wrong.add(format!("{field}[{i}].rep"), Wrong::new("each rep once"));
        }
        members.push(MemberSpec { rep, weight });
    }
    members
}
