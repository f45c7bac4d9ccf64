//! What each refusal becomes.

use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;
use crate::{
    consensus::NodeId,
    routing::{
        AssignmentId, AssignmentState, CampaignId, CampaignState, GroupId, KindRule, MemberName,
        Rejection, RepId, ResourceKind, RuleId, TeamId,
    },
};

fn every_rejection() -> Vec<(Rejection, Code, &'static str)> {
    use Code::{Aborted, AlreadyExists, FailedPrecondition, InvalidArgument, NotFound};
    let (rep, group) = (RepId::new("r"), GroupId::new("g"));
    let member = MemberName::Rep(rep.clone());
    let (rule, assignment) = (RuleId::new("u"), AssignmentId { log_index: 5, seq: 3, item: 1 });
    let (rules, assigned) = (vec![rule.clone()], AssignmentState::Assigned);
    let campaign = CampaignId::new("c");
    let campaigns = vec![campaign.clone()];
    let groups = vec![group.clone()];
    let gap = Interval { start: Time(1_700_000_000_000_000), end: Time::FOREVER };
    let kind = ResourceKind::Rep;
    let state = CampaignState::Draft;
    vec![
        (Rejection::NotFound { kind, id: "r".to_owned() }, NotFound, "RESOURCE_NOT_FOUND"),
        (
            Rejection::AlreadyExists { kind, id: "r".to_owned() },
            AlreadyExists,
            "RESOURCE_ALREADY_EXISTS",
        ),
        (Rejection::EmailTaken { rep: rep.clone() }, AlreadyExists, "EMAIL_TAKEN"),
        (
            Rejection::ExternalIdTaken { rep: rep.clone(), system: "s".to_owned() },
            AlreadyExists,
            "EXTERNAL_ID_TAKEN",
        ),
        (
            Rejection::AlreadyMember { member: member.clone(), group: group.clone() },
            AlreadyExists,
            "ALREADY_MEMBER",
        ),
        (Rejection::NotAMember { member, group: group.clone() }, NotFound, "NOT_A_MEMBER"),
        (Rejection::RequestIdReused, InvalidArgument, "REQUEST_ID_REUSED"),
        (
            Rejection::GroupTooSmall { groups: groups.clone() },
            FailedPrecondition,
            "GROUP_TOO_SMALL",
        ),
        (
            Rejection::TooMany { what: "reps".to_owned(), limit: 9 },
            FailedPrecondition,
            "LIMIT_REACHED",
        ),
        (Rejection::DefaultGroupImmutable, FailedPrecondition, "DEFAULT_GROUP_IMMUTABLE"),
        (
            Rejection::GroupInUse {
                group: group.clone(),
                campaigns: campaigns.clone(),
                rules: rules.clone(),
                groups: vec![],
            },
            FailedPrecondition,
            "GROUP_IN_USE",
        ),
        (
            Rejection::RepInUse { rep: rep.clone(), campaigns: vec![], rules },
            FailedPrecondition,
            "REP_IN_USE",
        ),
        (
            Rejection::LastAvailableRep { team: None, campaigns, groups: groups.clone(), gap },
            FailedPrecondition,
            "LAST_AVAILABLE_REP",
        ),
        (
            Rejection::GroupHasNoAvailableRep { campaign: campaign.clone(), groups },
            FailedPrecondition,
            "GROUP_HAS_NO_AVAILABLE_REP",
        ),
        (
            Rejection::CampaignNotRunning { campaign: campaign.clone(), state },
            FailedPrecondition,
            "CAMPAIGN_NOT_RUNNING",
        ),
        (
            Rejection::WrongCampaignState { campaign, state },
            FailedPrecondition,
            "WRONG_CAMPAIGN_STATE",
        ),
        (Rejection::TooManyIntervals { limit: 100 }, FailedPrecondition, "TOO_MANY_INTERVALS"),
        (Rejection::EmptyWindow, InvalidArgument, "EMPTY_WINDOW"),
        (Rejection::DisplayNameTaken { rule: rule.clone() }, AlreadyExists, "DISPLAY_NAME_TAKEN"),
        (Rejection::EtagMismatch { kind, id: "r".to_owned() }, Aborted, "ETAG_MISMATCH"),
        (
            Rejection::GroupTooLarge { group: group.clone(), limit: 100 },
            FailedPrecondition,
            "GROUP_TOO_LARGE",
        ),
        (Rejection::GroupCycle { group: group.clone() }, InvalidArgument, "GROUP_CYCLE"),
        (Rejection::NestedTooDeep { limit: 4 }, InvalidArgument, "GROUP_CYCLE"),
        (
            Rejection::PayloadsTooLarge { group: group.clone(), limit: 9 },
            FailedPrecondition,
            "PAYLOADS_TOO_LARGE",
        ),
        (
            Rejection::GroupKindMismatch { group: group.clone(), what: KindRule::LeastOpen },
            InvalidArgument,
            "GROUP_KIND_MISMATCH",
        ),
        (Rejection::InvalidReorder { group }, InvalidArgument, "INVALID_REORDER"),
        (
            Rejection::RuleInUse { rule, campaigns: vec![], is_default: true },
            FailedPrecondition,
            "RULE_IN_USE",
        ),
        (Rejection::TeamInUse { campaigns: vec![], open: 3 }, FailedPrecondition, "TEAM_IN_USE"),
        (
            Rejection::NotOffered { assignment, rep: rep.clone() },
            FailedPrecondition,
            "NOT_OFFERED_TO_REP",
        ),
        (Rejection::RepDisabled { rep }, FailedPrecondition, "REP_DISABLED"),
        (Rejection::AlreadyClaimed { assignment, state: assigned }, Aborted, "ALREADY_CLAIMED"),
        (
            Rejection::WrongAssignmentState { assignment, state: assigned },
            FailedPrecondition,
            "WRONG_ASSIGNMENT_STATE",
        ),
        (
            Rejection::Item { index: 7, rejection: Box::new(Rejection::EmptyWindow) },
            InvalidArgument,
            "EMPTY_WINDOW",
        ),
    ]
}

#[test]
fn a_rejection_has_the_canonical_code_and_its_reason() {
    let team = TeamId::new("t");
    for (rejection, code, reason) in every_rejection() {
        let status = rejected(&team, &rejection);
        let info = status.get_details_error_info().expect("every status has one");
        assert_eq!((status.code(), info.reason.as_str()), (code, reason), "{rejection}");
        assert_eq!(info.domain, "turnwise");
        assert!(status.message().contains("; "), "what to do next: {}", status.message());
        assert!(
            status.get_details_retry_info().is_none(),
            "the same call fails again: {rejection}"
        );
    }
}

#[test]
fn s0_23_the_last_available_rep_is_explained() {
    let gap = Interval { start: Time(1_700_000_000_000_000), end: Time(1_700_000_060_000_000) };
    let status = rejected(
        &TeamId::new("t"),
        &Rejection::LastAvailableRep {
            team: Some(TeamId::new("t")),
            campaigns: vec![CampaignId::new("c")],
            groups: vec![GroupId::new("g")],
            gap,
        },
    );
    let details = status.get_error_details();
    let metadata = &details.error_info().unwrap().metadata;
    for (key, value) in [
        ("team", "teams/t"),
        ("campaigns", "teams/t/campaigns/c"),
        ("groups", "teams/t/groups/g"),
        ("gap_start_time", "2023-11-14T22:13:20Z"),
        ("gap_end_time", "2023-11-14T22:14:20Z"),
    ] {
        assert_eq!(metadata.get(key).map(String::as_str), Some(value));
    }
    let violation = &details.precondition_failure().unwrap().violations[0];
    assert_eq!(violation.r#type, "LAST_AVAILABLE_REP");
}

#[test]
fn what_is_unavailable_says_when_to_try_again() {
    use Unavailable as U;
    for (cause, code, reason) in [
        (U::NoLeader, Code::Unavailable, "NO_LEADER"),
        (U::NotLeader { leader: Some(NodeId(2)) }, Code::Unavailable, "NOT_LEADER"),
        (U::LeadershipLost, Code::Unavailable, "LEADERSHIP_LOST"),
        (U::LeaderUnreachable, Code::Unavailable, "LEADER_UNREACHABLE"),
        (U::ShuttingDown, Code::Unavailable, "SHUTTING_DOWN"),
        (U::Overloaded, Code::ResourceExhausted, "OVERLOADED"),
        (U::DeadlineExceeded, Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
    ] {
        let status = unavailable(cause);
        let details = status.get_error_details();
        assert_eq!((status.code(), &*details.error_info().unwrap().reason), (code, reason));
        assert_eq!(details.retry_info().unwrap().retry_delay, Some(cause.retry_delay()));
        // An item of a stream says the same.
        let item = item(&status);
        assert_eq!((item.code, item.reason.as_str()), (i32::from(code), reason));
        assert!(item.retry_delay.is_some());
    }
}

#[test]
fn a_status_survives_the_way_between_nodes() {
    let sent = unavailable(Unavailable::NotLeader { leader: Some(NodeId(3)) });
    let got = from_peer(to_peer(&sent));
    assert_eq!(
        (got.code(), got.message(), got.details()),
        (sent.code(), sent.message(), sent.details())
    );
}

/// Details travel base64-coded in a header, and clients refuse header lists of more than 16 KiB.
#[test]
fn the_largest_status_fits_the_headers() {
    let id = "x".repeat(128);
    let team = TeamId::new(&id);
    let status = rejected(
        &team,
        &Rejection::LastAvailableRep {
            team: Some(team.clone()),
            campaigns: vec![CampaignId::new(&id); 1_000],
            groups: vec![GroupId::new(&id); 1_000],
            gap: Interval { start: Time(0), end: Time::FOREVER },
        },
    );
    assert!(status.message().contains("and 995 more"));
    assert!(status.details().len() * 4 / 3 + status.message().len() < 14 * 1024);

    let mut violations = Violations::default();
    for i in 0..100 {
        let wrong = crate::api::violations::Wrong::new("x".repeat(120));
        violations.add(format!("rep.external_ids[{id}{i}]"), wrong);
    }
    let status = invalid(&violations);
    assert!(status.details().len() * 4 / 3 + status.message().len() < 14 * 1024);
}

/// Texts are for people: states and rules in words, and not one and the same advice for all.
#[test]
fn states_and_rules_are_said_in_words_with_what_to_do_next() {
    let team = TeamId::new("t");
    let said = |rejection: &Rejection| rejected(&team, rejection).message().to_owned();
    let id = AssignmentId { log_index: 5, seq: 3, item: 0 };
    let campaign = CampaignId::new("c");
    let group = GroupId::new("g");
    let mut texts = Vec::new();
    use AssignmentState::{Assigned, Cancelled, Closed, Offered, Pending, Unassigned};
    for state in [Pending, Offered, Assigned, Unassigned, Closed, Cancelled] {
        texts.push(said(&Rejection::WrongAssignmentState { assignment: id, state }));
        texts.push(said(&Rejection::AlreadyClaimed { assignment: id, state }));
    }
    use CampaignState as C;
    for state in [C::Draft, C::Scheduled, C::Running, C::Paused, C::Cancelled] {
        texts.push(said(&Rejection::WrongCampaignState { campaign: campaign.clone(), state }));
    }
    for state in [C::Draft, C::Scheduled, C::Cancelled] {
        texts.push(said(&Rejection::CampaignNotRunning { campaign: campaign.clone(), state }));
    }
    use KindRule as K;
    for what in [
        K::LeastOpen,
        K::RequireOnline,
        K::PeriodCap,
        K::AcceptTimeout,
        K::RepMember,
        K::OptionMember,
        K::Payload,
        K::Credits,
    ] {
        texts.push(said(&Rejection::GroupKindMismatch { group: group.clone(), what }));
    }
    for text in &texts {
        let (what, to_do) = text.split_once("; ").expect(text);
        assert!(!what.is_empty() && !to_do.is_empty(), "{text}");
        assert!(!text.contains("STATE") && !text.contains("its state"), "{text}");
    }
    let different: std::collections::BTreeSet<&String> = texts.iter().collect();
    assert_eq!(different.len(), texts.len(), "{texts:#?}");
    assert_eq!(
        texts[8],
        "`teams/t/assignments/5-3` is closed; nothing more can be done with it: assign the contact \
         again if there is new work"
    );
    let cancelled = Rejection::CampaignNotRunning { campaign, state: C::Cancelled };
    assert!(said(&cancelled).ends_with("; use another campaign"), "a launch would not help");

    let in_use = |campaigns: &[CampaignId], open| {
        said(&Rejection::TeamInUse { campaigns: campaigns.to_vec(), open })
    };
    assert!(in_use(&[], 3).starts_with("`teams/t` still has open assignments (3); "));
    let campaigns = [CampaignId::new("c")];
    assert!(
        in_use(&campaigns, 0).starts_with("`teams/t` still has the active teams/t/campaigns/c; ")
    );
}

#[test]
fn what_uses_a_resource_is_named() {
    let team = TeamId::new("t");
    let rejection = Rejection::GroupInUse {
        group: GroupId::new("g"),
        campaigns: vec![CampaignId::new("c")],
        rules: vec![RuleId::new("r")],
        groups: vec![GroupId::new("h")],
    };
    let status = rejected(&team, &rejection);
    for name in ["teams/t/campaigns/c", "teams/t/routingRules/r", "teams/t/groups/h"] {
        assert!(status.message().contains(name), "{}", status.message());
    }
    let details = status.get_error_details();
    assert_eq!(details.precondition_failure().unwrap().violations.len(), 3);
    assert_eq!(details.error_info().unwrap().metadata["routing_rules"], "teams/t/routingRules/r");
}

#[test]
fn a_refused_item_of_a_batch_is_named() {
    let inner = Box::new(Rejection::CampaignNotRunning {
        campaign: CampaignId::new("c"),
        state: CampaignState::Draft,
    });
    let status = rejected(&TeamId::new("t"), &Rejection::Item { index: 7, rejection: inner });
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().metadata["item"], "7");
    assert_eq!(details.bad_request().unwrap().field_violations[0].field, "requests[7]");
}
