//! Resource names, `teams/{team}/reps/{rep}`: read and written here only.

use std::fmt::Display;

use crate::routing::{
    AssignmentId, CampaignId, ContactId, GroupId, Id, MemberName, RepId, RequestId, Revision,
    RuleId, TeamId, TokenId,
};

use super::{limits::ID_LEN_MAX, violations::Wrong};

/// The place of a campaign in the name of a rotation that has none.
pub(super) const NO_CAMPAIGN: &str = "-";

/// An id by itself.
pub(super) fn id<Kind>(text: &str) -> Result<Id<Kind>, Wrong> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._:@+-".contains(&b);
    if text.is_empty() {
        return Err(Wrong::new("required"));
    }
    if text.len() > ID_LEN_MAX || !text.bytes().all(allowed) {
        return Err(Wrong::new("an id is 1 to 128 bytes of `[A-Za-z0-9._:@+-]`"));
    }
    Ok(Id::new(text))
}

/// A contact's id.
pub(super) fn contact(text: &str) -> Result<ContactId, Wrong> {
    id(text)
}

/// A campaign's id on creation: `-` means "none" in the name of a rotation.
pub(super) fn new_campaign(text: &str) -> Result<CampaignId, Wrong> {
    if text == NO_CAMPAIGN {
        return Err(Wrong::new("`-` stands for no campaign"));
    }
    id(text)
}

/// A request id; empty = none.
pub(super) fn request_id(text: &str) -> Result<Option<RequestId>, Wrong> {
    if text.is_empty() { Ok(None) } else { id(text).map(Some) }
}

/// `teams/{team}`.
pub(super) fn team(name: &str) -> Result<TeamId, Wrong> {
    let [team] = parts(name, ["teams"])?;
    id(team).map_err(|_| form(["teams"]))
}

/// `teams/{team}/reps/{rep}`.
pub(super) fn rep(name: &str) -> Result<(TeamId, RepId), Wrong> {
    child(name, "reps")
}

/// `teams/{team}/groups/{group}`.
pub(super) fn group(name: &str) -> Result<(TeamId, GroupId), Wrong> {
    child(name, "groups")
}

/// `teams/{team}/campaigns/{campaign}`.
pub(super) fn campaign(name: &str) -> Result<(TeamId, CampaignId), Wrong> {
    child(name, "campaigns")
}

/// `teams/{team}/routingRules/{rule}`.
pub(super) fn rule(name: &str) -> Result<(TeamId, RuleId), Wrong> {
    child(name, "routingRules")
}

/// `teams/{team}/tokens/{token}`.
pub(super) fn token(name: &str) -> Result<(TeamId, TokenId), Wrong> {
    child(name, "tokens")
}

/// A member of a group of `team`: resource name of a rep or a group, or id of an option.
pub(super) fn member(team: Option<&TeamId>, text: &str) -> Result<MemberName, Wrong> {
    if !text.contains('/') {
        return id(text).map(MemberName::Option);
    }
    if let Ok(named) = rep(text) {
        return within(team, named).map(MemberName::Rep);
    }
    let wrong = |_| Wrong::new("name of a rep or a group, or id of an option");
    let named = group(text).map_err(wrong)?;
    within(team, named).map(MemberName::Group)
}

/// An etag; empty = any.
pub(super) fn etag(text: &str) -> Result<Option<Revision>, Wrong> {
    if text.is_empty() {
        return Ok(None);
    }
    let parse = || {
        let (log_index, seq) = text.split_once('-')?;
        let revision = Revision { log_index: log_index.parse().ok()?, seq: seq.parse().ok()? };
        (revision.to_string() == text).then_some(revision)
    };
    parse().map(Some).ok_or_else(|| Wrong::new("not an etag of this resource; read it again"))
}

/// `teams/{team}/groups/{group}/rotations/{campaign or -}`.
pub(super) fn rotation(name: &str) -> Result<(TeamId, GroupId, Option<CampaignId>), Wrong> {
    let collections = ["teams", "groups", "rotations"];
    let [team, group, campaign] = parts(name, collections)?;
    let wrong = |_| form(collections);
    let campaign = rotation_id(campaign).map_err(wrong)?;
    Ok((id(team).map_err(wrong)?, id(group).map_err(wrong)?, campaign))
}

/// The last part of it.
pub(super) fn rotation_id(text: &str) -> Result<Option<CampaignId>, Wrong> {
    if text == NO_CAMPAIGN { Ok(None) } else { id(text).map(Some) }
}

/// And back.
pub(super) fn rotation_id_name(campaign: Option<&CampaignId>) -> &str {
    campaign.map_or(NO_CAMPAIGN, CampaignId::as_str)
}

/// `teams/{team}/assignments/{log_index}-{seq}`, with `-{item}` for the later ones of a batch.
pub(super) fn assignment(name: &str) -> Result<(TeamId, AssignmentId), Wrong> {
    let collections = ["teams", "assignments"];
    let [team, assignment] = parts(name, collections)?;
    let team = id(team).map_err(|_| form(collections))?;
    let assignment = assignment_id(assignment).ok_or_else(|| form(collections))?;
    Ok((team, assignment))
}

/// `{log_index}-{seq}` or `{log_index}-{seq}-{item}` in its one spelling.
pub(super) fn assignment_id(text: &str) -> Option<AssignmentId> {
    let (log_index, rest) = text.split_once('-')?;
    let (seq, item) = rest.split_once('-').unwrap_or((rest, "0"));
    let id = AssignmentId {
        log_index: log_index.parse().ok()?,
        seq: seq.parse().ok()?,
        item: item.parse().ok()?,
    };
    // Not `+5-07`: one thing has one name.
    (id.to_string() == text).then_some(id)
}

/// A name of the same team as `team`, which is `None` where the team itself was wrong.
pub(super) fn within<T>(team: Option<&TeamId>, named: (TeamId, T)) -> Result<T, Wrong> {
    let (of, thing) = named;
    if team.is_some_and(|team| *team != of) {
        return Err(Wrong::new("must be of the same team"));
    }
    Ok(thing)
}

pub(super) fn team_name(team: &TeamId) -> String {
    format!("teams/{team}")
}

pub(super) fn rep_name(team: &TeamId, rep: &RepId) -> String {
    child_name(team, "reps", rep)
}

pub(super) fn group_name(team: &TeamId, group: &GroupId) -> String {
    child_name(team, "groups", group)
}

pub(super) fn campaign_name(team: &TeamId, campaign: &CampaignId) -> String {
    child_name(team, "campaigns", campaign)
}

pub(super) fn rule_name(team: &TeamId, rule: &RuleId) -> String {
    child_name(team, "routingRules", rule)
}

pub(super) fn token_name(team: &TeamId, token: &TokenId) -> String {
    child_name(team, "tokens", token)
}

pub(super) fn assignment_name(team: &TeamId, assignment: AssignmentId) -> String {
    child_name(team, "assignments", assignment)
}

pub(super) fn rotation_name(
    team: &TeamId,
    group: &GroupId,
    campaign: Option<&CampaignId>,
) -> String {
    let campaign = rotation_id_name(campaign);
    format!("teams/{team}/groups/{group}/rotations/{campaign}")
}

pub(super) fn child_name(team: &TeamId, collection: &str, id: impl Display) -> String {
    format!("teams/{team}/{collection}/{id}")
}

fn child<Kind>(name: &str, collection: &'static str) -> Result<(TeamId, Id<Kind>), Wrong> {
    let collections = ["teams", collection];
    let [team, child] = parts(name, collections)?;
    let wrong = |_| form(collections);
    Ok((id(team).map_err(wrong)?, id(child).map_err(wrong)?))
}

/// The ids between the collections of a name.
fn parts<'a, const N: usize>(
    name: &'a str,
    collections: [&'static str; N],
) -> Result<[&'a str; N], Wrong> {
    if name.is_empty() {
        let Wrong { reason, description } = form(collections);
        return Err(Wrong { reason, description: format!("required; {description}") });
    }
    let mut segments = name.split('/');
    let mut ids = [""; N];
    for (id, collection) in ids.iter_mut().zip(collections) {
        if segments.next() != Some(collection) {
            return Err(form(collections));
        }
        *id = segments.next().ok_or_else(|| form(collections))?;
    }
    if segments.next().is_some() {
        return Err(form(collections));
    }
    Ok(ids)
}

fn form<const N: usize>(collections: [&'static str; N]) -> Wrong {
    let pattern: Vec<_> = collections
        .iter()
        .map(|c| format!("{c}/{{{}}}", c.strip_suffix('s').unwrap_or(c)))
        .collect();
    Wrong::new(format!("the form is `{}`; {ID_RULE}", pattern.join("/")))
}

const ID_RULE: &str = "an id is 1 to 128 bytes of `[A-Za-z0-9._:@+-]`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_as_written() {
        let (t, r) = (TeamId::new("a.B"), RepId::new("x@y.z"));
        assert_eq!(team(&team_name(&t)), Ok(t.clone()));
        assert_eq!(rep(&rep_name(&t, &r)), Ok((t.clone(), r)));
        let (g, c) = (GroupId::new("g"), CampaignId::new("c"));
        assert_eq!(group(&group_name(&t, &g)), Ok((t.clone(), g.clone())));
        assert_eq!(campaign(&campaign_name(&t, &c)), Ok((t.clone(), c.clone())));
        for campaign in [None, Some(c)] {
            let name = rotation_name(&t, &g, campaign.as_ref());
            assert_eq!(rotation(&name), Ok((t.clone(), g.clone(), campaign)));
        }
        let r = RuleId::new("r");
        assert_eq!(rule(&rule_name(&t, &r)), Ok((t.clone(), r)));
        for item in [0, 1, 999] {
            let a = AssignmentId { log_index: 7, seq: 0, item };
            assert_eq!(assignment(&assignment_name(&t, a)), Ok((t.clone(), a)));
        }
    }

    #[test]
    fn a_member_is_named_in_one_string() {
        let t = TeamId::new("t");
        let of = |text: &str| member(Some(&t), text);
        assert_eq!(of("teams/t/reps/a"), Ok(MemberName::Rep(RepId::new("a"))));
        assert_eq!(of("teams/t/groups/a"), Ok(MemberName::Group(GroupId::new("a"))));
        assert_eq!(of("a"), Ok(MemberName::Option(Id::new("a"))));
        for wrong in ["", "a b", "teams/u/reps/a", "teams/t/campaigns/a", "reps/a"] {
            assert!(of(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_etag_has_one_spelling() {
        let revision = Revision { log_index: 7, seq: 3 };
        assert_eq!(etag(&revision.to_string()), Ok(Some(revision)));
        assert_eq!(etag(""), Ok(None));
        for wrong in ["7", "7-03", "+7-3", "7-3-1", "x"] {
            assert!(etag(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn ids_are_1_to_128_bytes_of_the_alphabet() {
        let ok = |text: &str| contact(text).is_ok();
        assert!(ok("a") && ok(&"a".repeat(128)) && ok("Az09._:@+-"));
        assert!(!ok("") && !ok(&"a".repeat(129)));
        for wrong in ["a b", "a/b", "é", "a\0", "a\n", "a*", "{a}"] {
            assert!(!ok(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn names_of_another_shape_are_refused() {
        for wrong in [
            "",
            "x",
            "teams",
            "teams/",
            "teams/a/",
            "teams/a/reps",
            "teams/a/reps/",
            "teams/a/groups/b",
            "/teams/a/reps/b",
            "teams/a/reps/b/",
            "teams/a/reps/b/c",
            "teams/a b/reps/c",
            "teams/a/reps/c d",
            "Teams/a/reps/b",
        ] {
            assert!(rep(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_assignment_has_one_spelling() {
        for wrong in [
            "",
            "1",
            "1-",
            "-1",
            "+1-0",
            "01-0",
            "1-00",
            "1-4294967296",
            "1-0-0",
            "1-0-01",
            "1-0-1-1",
        ] {
            assert_eq!(assignment_id(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_name_of_another_team_is_refused() {
        let (a, b) = (TeamId::new("a"), TeamId::new("b"));
        assert!(within(Some(&a), (b.clone(), ())).is_err());
        assert!(within(Some(&b), (b.clone(), ())).is_ok());
        assert!(within(None, (b, ())).is_ok());
    }
}
