//! Changes of a group's members, and of where its rings stand.

use std::collections::BTreeSet;

use crate::{
    api::{
        limits::MEMBERS_PER_CALL_MAX,
        names, text,
        violations::{Violations, Wrong},
    },
    proto::turnwise::v1::{
        AddGroupMemberRequest, AdjustRotationRequest, GroupMember, RemoveGroupMemberRequest,
        ReorderGroupRequest, ResetRotationRequest, UpdateGroupMemberRequest, group_member::Member,
        remove_group_member_request::Member as Removed,
    },
    routing::{
        MemberName, MemberSpec, Operation, TeamId,
        limits::{CREDITS_MAX, REPS_PER_TEAM_MAX, WEIGHT_MAX},
    },
};

use super::draft::{Common, Draft, Mask};

pub(super) fn add(r: &AddGroupMemberRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let named = wrong.take("name", names::group(&r.name));
    if r.members.is_empty() {
        wrong.add("members", Wrong::new("at least one member"));
    }
    let team = named.as_ref().map(|(team, _)| team);
    let members = members(&mut wrong, "members", team, &r.members);
    let common = Common::with_etag(&mut wrong, &r.request_id, &r.etag, r.validate_only);
    wrong.finish((|| {
        let (team, group) = named?;
        Some(common?.draft(team, Operation::AddGroupMembers { group, members }))
    })())
}

pub(super) fn remove(r: &RemoveGroupMemberRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let named = wrong.take("name", names::group(&r.name));
    let team = named.as_ref().map(|(team, _)| team);
    let member = match &r.member {
        None => wrong.take("member", Err(Wrong::new("one of `rep`, `option`, `group`"))),
        Some(Removed::Rep(rep)) => wrong.take("rep", rep_of(team, rep)),
        Some(Removed::Option(id)) => wrong.take("option", names::id(id).map(MemberName::Option)),
        Some(Removed::Group(group)) => wrong.take("group", group_of(team, group)),
    };
    let common = Common::with_etag(&mut wrong, &r.request_id, &r.etag, r.validate_only);
    wrong.finish((|| {
        let (team, group) = named?;
        Some(common?.draft(team, Operation::RemoveGroupMember { group, member: member? }))
    })())
}

pub(super) fn update(r: &UpdateGroupMemberRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let named = wrong.take("name", names::group(&r.name));
    let team = named.as_ref().map(|(team, _)| team);
    let none = GroupMember::default();
    let written = r.member.as_ref().unwrap_or(&none);
    let member = member_name(&mut wrong, "member", team, written);
    let option = match &written.member {
        Some(Member::Option(option)) => Some(option),
        Some(Member::Rep(_) | Member::Group(_)) | None => None,
    };
    let mask = Mask::read(
        &mut wrong,
        r.update_mask.as_ref(),
        &[
            ("weight", written.weight.is_some()),
            ("option.payload", option.is_some_and(|option| !option.payload.is_empty())),
        ],
    );
    let weight = mask.has("weight").then(|| weight(&mut wrong, "member", written));
    let payload = mask.has("option.payload").then(|| {
        let payload = option.map_or("", |option| option.payload.as_str());
        wrong.take("member.option.payload", text::payload(payload))
    });
    let common = Common::with_etag(&mut wrong, &r.request_id, &r.etag, r.validate_only);
    wrong.finish((|| {
        let (team, group) = named?;
        let payload = payload.flatten();
        let operation = Operation::UpdateGroupMember { group, member: member?, weight, payload };
        Some(common?.draft(team, operation))
    })())
}

pub(super) fn reorder(r: &ReorderGroupRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let named = wrong.take("name", names::group(&r.name));
    let team = named.as_ref().map(|(team, _)| team);
    let mut members = Vec::with_capacity(r.members.len().min(REPS_PER_TEAM_MAX));
    if r.members.len() > REPS_PER_TEAM_MAX {
        wrong.add("members", Wrong::new(format!("at most {REPS_PER_TEAM_MAX}")));
    } else {
        for (i, member) in r.members.iter().enumerate() {
            members.extend(wrong.take(format!("members[{i}]"), names::member(team, member)));
        }
    }
    let common = Common::with_etag(&mut wrong, &r.request_id, &r.etag, r.validate_only);
    wrong.finish((|| {
        let (team, group) = named?;
        Some(common?.draft(team, Operation::ReorderGroup { group, members }))
    })())
}

pub(super) fn reset_rotation(r: &ResetRotationRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let named = wrong.take("name", names::rotation(&r.name));
    let common = Common::take(&mut wrong, &r.request_id, r.validate_only);
    wrong.finish((|| {
        let (team, group, campaign) = named?;
        Some(common?.draft(team, Operation::ResetRotation { group, campaign }))
    })())
}

pub(super) fn adjust_rotation(r: &AdjustRotationRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let named = wrong.take("name", names::rotation(&r.name));
    let team = named.as_ref().map(|(team, ..)| team);
    let member = wrong.take("member", names::member(team, &r.member));
    if !(-CREDITS_MAX..=CREDITS_MAX).contains(&r.credits) {
        wrong.add("credits", Wrong::new(format!("-{CREDITS_MAX} to {CREDITS_MAX}")));
    }
    let reason = wrong.take("reason", text::note(&r.reason));
    let common = Common::take(&mut wrong, &r.request_id, r.validate_only);
    wrong.finish((|| {
        let (team, group, campaign) = named?;
        let operation = Operation::AdjustRotation {
            group,
            campaign,
            member: member?,
            credits: r.credits,
            reason: reason?,
        };
        Some(common?.draft(team, operation))
    })())
}

/// Members to add, each once.
pub(super) fn members(
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
        let at = format!("{field}[{i}]");
        let spec = member_spec(wrong, &at, team, member);
        if let Some(spec) = spec {
            if !seen.insert(spec.member.clone()) {
                wrong
                    .add(format!("{at}.{}", variant(&spec.member)), Wrong::new("each member once"));
            }
            members.push(spec);
        }
    }
    members
}

/// One member to add.
pub(super) fn member_spec(
    wrong: &mut Violations,
    at: &str,
    team: Option<&TeamId>,
    written: &GroupMember,
) -> Option<MemberSpec> {
    let name = member_name(wrong, at, team, written);
    let weight = weight(wrong, at, written);
    let payload = match &written.member {
        Some(Member::Option(option)) => {
            wrong.take(format!("{at}.option.payload"), text::payload(&option.payload))
        }
        Some(Member::Rep(_) | Member::Group(_)) | None => Some(String::new()),
    };
    Some(MemberSpec { member: name?, payload: payload?, weight })
}

fn member_name(
    wrong: &mut Violations,
    at: &str,
    team: Option<&TeamId>,
    written: &GroupMember,
) -> Option<MemberName> {
    match &written.member {
        None => wrong.take(at, Err(Wrong::new("one of `rep`, `option`, `group`"))),
        Some(Member::Rep(rep)) => wrong.take(format!("{at}.rep"), rep_of(team, rep)),
        Some(Member::Option(option)) => {
            let id = names::id(&option.id).map(MemberName::Option);
            wrong.take(format!("{at}.option.id"), id)
        }
        Some(Member::Group(group)) => wrong.take(format!("{at}.group"), group_of(team, group)),
    }
}

fn weight(wrong: &mut Violations, at: &str, written: &GroupMember) -> u32 {
    let weight = written.weight.unwrap_or(1);
    if !(1..=WEIGHT_MAX).contains(&weight) {
        wrong.add(format!("{at}.weight"), Wrong::new(format!("1 to {WEIGHT_MAX}")));
    }
    weight
}

fn rep_of(team: Option<&TeamId>, name: &str) -> Result<MemberName, Wrong> {
    names::rep(name).and_then(|named| names::within(team, named)).map(MemberName::Rep)
}

fn group_of(team: Option<&TeamId>, name: &str) -> Result<MemberName, Wrong> {
    names::group(name).and_then(|named| names::within(team, named)).map(MemberName::Group)
}

fn variant(name: &MemberName) -> &'static str {
    match name {
        MemberName::Rep(_) => "rep",
        MemberName::Option(_) => "option",
        MemberName::Group(_) => "group",
    }
}
