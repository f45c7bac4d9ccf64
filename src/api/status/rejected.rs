//! What each refusal of a rule becomes.

use tonic::{Code, Status};

use crate::{
    api::{
        convert,
        instant::rfc3339,
        limits::NAMED_RESOURCES_MAX,
        names::{self, campaign_name, group_name, rep_name, rule_name, team_name},
    },
    proto::turnwise::v1::ErrorReason as R,
    routing::{
        AssignmentId, AssignmentState, CampaignId, CampaignState, GroupId, Interval, KindRule,
        Needed, Rejection, ResourceKind, Role, RuleId, TeamId, Time,
    },
};

use super::Answer;

/// A rule said no. `team` is the one that the call was about.
pub(in crate::api) fn rejected(team: &TeamId, rejection: &Rejection) -> Status {
    answer(team, rejection).status()
}

fn failed(reason: R) -> Answer {
    Answer::new(Code::FailedPrecondition, reason)
}

fn exists(reason: R) -> Answer {
    Answer::new(Code::AlreadyExists, reason)
}

fn wrong(reason: R) -> Answer {
    Answer::new(Code::InvalidArgument, reason)
}

fn answer(team: &TeamId, rejection: &Rejection) -> Answer {
    let of = Names(team);
    match rejection {
        Rejection::NotFound { kind, id } => {
            let name = of.resource(*kind, id);
            Answer::new(Code::NotFound, R::ResourceNotFound)
                .about("resource", &name)
                .saying(format!("`{name}` does not exist; check the name, or create it first"))
        }
        Rejection::AlreadyExists { kind, id } => {
            let name = of.resource(*kind, id);
            exists(R::ResourceAlreadyExists)
                .about("resource", &name)
                .saying(format!("`{name}` exists already; use it, or choose another id"))
        }
        Rejection::EmailTaken { rep } => {
            let rep = rep_name(team, rep);
            exists(R::EmailTaken)
                .about("rep", &rep)
                .field("rep.email", "unique in the team, in any letter case")
                .saying(format!("the email belongs to `{rep}`; use that rep, or another email"))
        }
        Rejection::ExternalIdTaken { rep, system } => {
            let rep = rep_name(team, rep);
            exists(R::ExternalIdTaken)
                .about("rep", &rep)
                .about("system", system)
                .field(&format!("rep.external_ids[{system}]"), "unique in the team")
                .saying(format!(
                    "the external id of system `{system}` belongs to `{rep}`; use that rep, or \
                     another id"
                ))
        }
        Rejection::DisplayNameTaken { rule } => {
            let rule = rule_name(team, rule);
            exists(R::DisplayNameTaken)
                .about("routing_rule", &rule)
                .field("routing_rule.display_name", "unique among the rules of the team")
                .saying(format!("the name belongs to `{rule}`; use that rule, or another name"))
        }
        Rejection::AlreadyMember { member, group } => {
            let (member, group) = (convert::member_name(team, member), group_name(team, group));
            exists(R::AlreadyMember).about("member", &member).about("group", &group).saying(
                format!("`{member}` is in `{group}` already, in the same place; leave it out"),
            )
        }
        Rejection::NotAMember { member, group } => {
            let (member, group) = (convert::member_name(team, member), group_name(team, group));
            Answer::new(Code::NotFound, R::NotAMember)
                .about("member", &member)
                .about("group", &group)
                .saying(format!("`{member}` is not in `{group}`; list its members"))
        }
        Rejection::EtagMismatch { kind, id } => {
            let name = of.resource(*kind, id);
            Answer::new(Code::Aborted, R::EtagMismatch)
                .about("resource", &name)
                .violation(&name)
                .saying(format!("`{name}` has changed; read it again, then change what it is now"))
        }
        Rejection::Unauthenticated => unauthenticated(),
        Rejection::PermissionDenied { token, role, needed } => {
            Answer::new(Code::PermissionDenied, R::PermissionDenied).about("token", token).saying(
                format!(
                    "token `{token}` is {}: this takes {}; use such a token, or ask whoever \
                     administers the team",
                    spoken_role(role),
                    spoken_needed(*needed),
                ),
            )
        }
        Rejection::RequestIdReused => wrong(R::RequestIdReused)
            .field("request_id", "one id for each intended call")
            .saying("the request id was used for a different call; use a fresh id for a new call"),
        Rejection::GroupTooSmall { groups } => {
            let groups = of.groups(groups);
            failed(R::GroupTooSmall).about("groups", &groups).violation(&groups).saying(format!(
                "it would leave {groups} without a member, or with one option; add another first, or \
                 delete the group"
            ))
        }
        Rejection::GroupTooLarge { group, limit } => {
            let group = group_name(team, group);
            failed(R::GroupTooLarge)
                .about("group", &group)
                .about("limit", limit)
                .violation(&group)
                .saying(format!("`{group}` can have at most {limit} members; remove some first"))
        }
        Rejection::GroupCycle { group } => {
            let group = group_name(team, group);
            wrong(R::GroupCycle)
                .about("group", &group)
                .field("members", "none leads back to the group itself")
                .saying(format!("`{group}` would contain itself; leave one of the links out"))
        }
        Rejection::NestedTooDeep { limit } => wrong(R::GroupCycle)
            .about("limit", limit)
            .field("members", "a chain of groups in groups has an end")
            .saying(format!("groups nest at most {limit} deep; put the options into fewer groups")),
        Rejection::PayloadsTooLarge { group, limit } => {
            let group = group_name(team, group);
            failed(R::PayloadsTooLarge)
                .about("group", &group)
                .about("limit_bytes", limit)
                .violation(&group)
                .saying(format!(
                    "the payloads of `{group}` can have {limit} bytes together; send references \
                     instead of contents"
                ))
        }
        Rejection::GroupKindMismatch { group, what } => {
            let group = group_name(team, group);
            let (field, text) = kind_rule(*what, &group);
            wrong(R::GroupKindMismatch).about("group", &group).about("what", field).saying(text)
        }
        Rejection::InvalidReorder { group } => {
            let group = group_name(team, group);
            wrong(R::InvalidReorder)
                .about("group", &group)
                .field("members", "all members of the group, each once")
                .saying(format!("the list is not exactly the members of `{group}`; read it again"))
        }
        Rejection::TooMany { what, limit } => failed(R::LimitReached)
            .about("what", what)
            .about("limit", limit)
            .violation(&team_name(team))
            .saying(format!("a team can have at most {limit} {what}; remove some first")),
        Rejection::DefaultGroupImmutable => failed(R::DefaultGroupImmutable)
            .violation(&names::child_name(team, "groups", "default"))
            .saying("the default group's members follow the team's reps; use a group of your own"),
        Rejection::GroupInUse { group, campaigns, rules, groups } => {
            let group = group_name(team, group);
            let users = [of.campaigns(campaigns), of.rules(rules), of.groups(groups)];
            of.in_use(R::GroupInUse, "group", &group, &users, "name something else there first")
        }
        Rejection::RepInUse { rep, campaigns, rules } => {
            let rep = rep_name(team, rep);
            let users = [of.campaigns(campaigns), of.rules(rules), String::new()];
            of.in_use(R::RepInUse, "rep", &rep, &users, "name somebody else there first")
        }
        Rejection::RuleInUse { rule, campaigns, is_default } => {
            let rule = rule_name(team, rule);
            let default = if *is_default { team_name(team) } else { String::new() };
            let users = [of.campaigns(campaigns), String::new(), default];
            of.in_use(R::RuleInUse, "routing_rule", &rule, &users, "name another rule there first")
        }
        Rejection::TeamInUse { campaigns, open } => {
            let (team, campaigns) = (team_name(team), of.campaigns(campaigns));
            let by_campaigns = (!campaigns.is_empty()).then(|| format!("the active {campaigns}"));
            let by_work = (*open > 0).then(|| format!("open assignments ({open})"));
            let users: Vec<String> = by_campaigns.into_iter().chain(by_work).collect();
            failed(R::TeamInUse)
                .about("team", &team)
                .about("campaigns", &campaigns)
                .about("open_assignments", open)
                .violation(&team)
                .saying(format!(
                    "`{team}` still has {}; cancel its campaigns, and close or cancel its \
                     assignments first",
                    users.join(" and ")
                ))
        }
        Rejection::LastAvailableRep { team: whole, campaigns, groups, gap } => {
            last_available(of, whole.as_ref(), campaigns, groups, gap)
        }
        Rejection::GroupHasNoAvailableRep { campaign, groups } => {
            let (campaign, groups) = (campaign_name(team, campaign), of.groups(groups));
            failed(R::GroupHasNoAvailableRep)
                .about("campaign", &campaign)
                .about("groups", &groups)
                .violation(&groups)
                .saying(format!(
                    "nobody whom `{campaign}` can route to is available; add an available rep to one \
                     of its groups, or mark one of its reps as back, first"
                ))
        }
        Rejection::CampaignNotRunning { campaign, state } => {
            let campaign = campaign_name(team, campaign);
            failed(R::CampaignNotRunning)
                .about("campaign", &campaign)
                .about("state", convert::campaign_state(*state).as_str_name())
                .violation(&campaign)
                .saying(format!("`{campaign}` {}", not_running(*state)))
        }
        Rejection::WrongCampaignState { campaign, state } => {
            let campaign = campaign_name(team, campaign);
            failed(R::WrongCampaignState)
                .about("campaign", &campaign)
                .about("state", convert::campaign_state(*state).as_str_name())
                .violation(&campaign)
                .saying(format!("`{campaign}` {}", wrong_campaign_state(*state)))
        }
        Rejection::RepDisabled { rep } => {
            let rep = rep_name(team, rep);
            failed(R::RepDisabled)
                .about("rep", &rep)
                .violation(&rep)
                .saying(format!("`{rep}` is disabled; enable them first, or choose somebody else"))
        }
        Rejection::AlreadyClaimed { assignment, state } => {
            let answer = Answer::new(Code::Aborted, R::AlreadyClaimed);
            of.assignment(answer, *assignment, *state, "take another")
        }
        Rejection::WrongAssignmentState { assignment, state } => {
            let answer = failed(R::WrongAssignmentState);
            of.assignment(answer, *assignment, *state, next_step(*state))
        }
        Rejection::NotOffered { assignment, rep } => {
            let (name, rep) = (names::assignment_name(team, *assignment), rep_name(team, rep));
            failed(R::NotOfferedToRep)
                .about("assignment", &name)
                .about("rep", &rep)
                .violation(&name)
                .saying(format!(
                    "`{name}` is not offered to `{rep}` now but to somebody else; there is nothing left to \
                     answer"
                ))
        }
        Rejection::Item { index, rejection } => {
            let at = format!("requests[{index}]");
            let inner = answer(team, rejection);
            let text = format!("{at}: {} (nothing of the batch was done)", inner.text);
            inner.about("item", index).field(&at, "refused, and with it the batch").saying(text)
        }
        Rejection::TooManyIntervals { limit } => failed(R::TooManyIntervals)
            .about("limit", limit)
            .saying(format!("a rep can have at most {limit} separate absences; clear some first")),
        Rejection::EmptyWindow => wrong(R::EmptyWindow)
            .field("end_time", "must be after start_time and after now")
            .saying("the window ends before it starts; nothing can be away in it"),
    }
}

fn last_available(
    of: Names<'_>,
    whole: Option<&TeamId>,
    campaigns: &[CampaignId],
    groups: &[GroupId],
    gap: &Interval,
) -> Answer {
    let (campaigns, groups) = (of.campaigns(campaigns), of.groups(groups));
    let answer = failed(R::LastAvailableRep)
        .about("campaigns", &campaigns)
        .about("groups", &groups)
        .gap(gap)
        .violation(if whole.is_some() { &groups } else { &campaigns });
    let answer = match whole {
        Some(team) => answer.about("team", team_name(team)),
        None => answer,
    };
    answer.saying(format!(
        "it would leave nobody available for {campaigns} {}; make another rep available first, or \
         cancel the campaign",
        spoken(gap)
    ))
}

/// One answer for every credential that is not valid, so that nothing can be learnt by trying.
pub(super) fn unauthenticated() -> Answer {
    Answer::new(Code::Unauthenticated, R::Unauthenticated).saying(
        "no valid credential; send `authorization: Bearer tw_…` with a token of the team that exists \
         and has not expired",
    )
}

fn spoken_role(role: &Role) -> String {
    match role {
        Role::Admin => "an admin's".to_owned(),
        Role::Manager => "a manager's".to_owned(),
        Role::GroupManager(groups) => {
            format!("that of a manager of {}", list(groups, |group| format!("`{group}`")))
        }
        Role::Router => "a router's".to_owned(),
        Role::Rep(rep) => format!("that of rep `{rep}`"),
        Role::Viewer => "a viewer's".to_owned(),
    }
}

fn spoken_needed(needed: Needed) -> &'static str {
    match needed {
        Needed::Operator => "the operator's token",
        Needed::TokenOfTheTeam => "a token of the team that is named",
        Needed::Admin => "an admin of the team",
        Needed::Manager => "a manager of the team",
        Needed::ManagerOfTheGroup => "a manager of the group",
        Needed::ManagerOfTheRepOrSelf => "a manager of the rep, or the rep",
        Needed::Router => "a router of the team",
        Needed::RouterOrOwnRep => "a router of the team, or the rep whose work it is",
    }
}

/// What does not go with a group of its kind: for programs, and for people.
fn kind_rule(what: KindRule, group: &str) -> (&'static str, String) {
    let options = |without: &str, what_to_do: &str| {
        format!("`{group}` is a group of options, {without}; {what_to_do}")
    };
    match what {
        KindRule::LeastOpen => {
            let text = options("which have no open work to compare", "use ROUND_ROBIN for it");
            ("strategy", text)
        }
        KindRule::RequireOnline => {
            let text = options("which are never offline", "leave `require_online` unset");
            ("require_online", text)
        }
        KindRule::PeriodCap => {
            let text = options("which have no cap", "leave `period_cap` unset");
            ("period_cap", text)
        }
        KindRule::AcceptTimeout => {
            let text =
                options("where nobody accepts", "leave `accept_timeout` of its target unset");
            ("accept_timeout", text)
        }
        KindRule::RepMember => {
            let text = options("which takes no rep as a member", "use a group of reps for reps");
            ("rep", text)
        }
        KindRule::OptionMember => (
            "option",
            format!(
                "`{group}` is a group of reps, with no options or groups in it and in no other \
                 group; use a group of options"
            ),
        ),
        KindRule::Payload => (
            "payload",
            "only options have a payload; leave `payload` of reps and groups unset".to_owned(),
        ),
        KindRule::Credits => (
            "credits",
            format!(
                "`{group}` goes by LEAST_OPEN, where nobody is owed a turn; use ROUND_ROBIN for it"
            ),
        ),
        KindRule::CampaignCredits => (
            "campaign",
            format!(
                "`{group}` has one cursor for all campaigns (cursor_scope GROUP), which is its \
                 rotation `-`; adjust that one"
            ),
        ),
    }
}

/// Why a campaign routes nothing, and what to do.
fn not_running(state: CampaignState) -> &'static str {
    match state {
        CampaignState::Draft => "is a draft and routes no contacts yet; launch it first",
        CampaignState::Scheduled => {
            "is scheduled and routes no contacts until it is launched; launch it first"
        }
        CampaignState::Running | CampaignState::Paused => "routes contacts again; call again",
        CampaignState::Cancelled => {
            "is cancelled, for good, and routes no contacts; use another campaign"
        }
    }
}

/// What a campaign is, so that it can't take the step, and what it can.
fn wrong_campaign_state(state: CampaignState) -> &'static str {
    match state {
        CampaignState::Draft => {
            "is a draft, which runs only once it is launched; launch it, or cancel it if it is to be \
             deleted"
        }
        CampaignState::Scheduled => {
            "is scheduled and does not run yet; launch it, or cancel it if it is to be deleted"
        }
        CampaignState::Running => {
            "is running; pause it if it is to be paused, or cancel it if it is to be deleted"
        }
        CampaignState::Paused => {
            "is paused; resume it if it is to run, or cancel it if it is to be deleted"
        }
        CampaignState::Cancelled => "is cancelled, for good; create another campaign",
    }
}

/// What an assignment is: `teams/t/assignments/5-3 …`.
fn assignment_state(state: AssignmentState) -> &'static str {
    match state {
        AssignmentState::Pending => "waits for somebody to become available",
        AssignmentState::Offered => "is offered to a rep who has yet to answer",
        AssignmentState::Assigned => "is with a rep, who has it",
        AssignmentState::Unassigned => "is with nobody",
        AssignmentState::Closed => "is closed",
        AssignmentState::Cancelled => "is cancelled",
    }
}

/// What can be done to an assignment in a state that does not allow what was asked.
fn next_step(state: AssignmentState) -> &'static str {
    match state {
        AssignmentState::Pending | AssignmentState::Unassigned => {
            "claim it or reassign it to a rep first, or cancel it"
        }
        AssignmentState::Offered => "accept or reject the offer first, or cancel the assignment",
        AssignmentState::Assigned => {
            "there is no offer left to answer: close, unassign or reassign it"
        }
        AssignmentState::Closed | AssignmentState::Cancelled => {
            "nothing more can be done with it: assign the contact again if there is new work"
        }
    }
}

/// Names of what is in the team.
#[derive(Clone, Copy)]
struct Names<'a>(&'a TeamId);

impl Names<'_> {
    fn resource(self, kind: ResourceKind, id: &str) -> String {
        let collection = match kind {
            // The id of the rejection: on CreateTeam it is the same as the call's team.
            ResourceKind::Team => return format!("teams/{id}"),
            ResourceKind::Rep => "reps",
            ResourceKind::Group => "groups",
            ResourceKind::Rule => "routingRules",
            ResourceKind::Campaign => "campaigns",
            ResourceKind::Assignment => "assignments",
            ResourceKind::Token => "tokens",
        };
        names::child_name(self.0, collection, id)
    }

    fn groups(self, groups: &[GroupId]) -> String {
        list(groups, |group| group_name(self.0, group))
    }

    fn campaigns(self, campaigns: &[CampaignId]) -> String {
        list(campaigns, |campaign| campaign_name(self.0, campaign))
    }

    fn rules(self, rules: &[RuleId]) -> String {
        list(rules, |rule| rule_name(self.0, rule))
    }

    /// `users` are campaigns, rules, and whatever else.
    fn in_use(
        self,
        reason: R,
        kind: &str,
        name: &str,
        [campaigns, rules, others]: &[String; 3],
        what_to_do: &str,
    ) -> Answer {
        let users: Vec<_> =
            [campaigns, rules, others].into_iter().filter(|u| !u.is_empty()).cloned().collect();
        let mut answer = failed(reason).about(kind, name);
        for (key, users) in [("campaigns", campaigns), ("routing_rules", rules), ("others", others)]
        {
            if !users.is_empty() {
                answer = answer.about(key, users).violation(users);
            }
        }
        answer.saying(format!("`{name}` is named by {}; {what_to_do}", users.join(", ")))
    }

    fn assignment(
        self,
        answer: Answer,
        assignment: AssignmentId,
        state: AssignmentState,
        what_to_do: &str,
    ) -> Answer {
        let name = names::assignment_name(self.0, assignment);
        let text = format!("`{name}` {}; {what_to_do}", assignment_state(state));
        answer
            .about("assignment", &name)
            .about("state", convert::assignment_state(state).as_str_name())
            .violation(&name)
            .saying(text)
    }
}

/// Names for people and for metadata: the first few, and how many more.
fn list<T>(things: &[T], name: impl Fn(&T) -> String) -> String {
    let named: Vec<_> = things.iter().take(NAMED_RESOURCES_MAX).map(name).collect();
    let more = things.len() - named.len();
    let named = named.join(", ");
    if more == 0 { named } else { format!("{named} and {more} more") }
}

fn spoken(gap: &Interval) -> String {
    let start = rfc3339(gap.start);
    if gap.end == Time::FOREVER {
        return format!("from {start} on");
    }
    format!("from {start} until {}", rfc3339(gap.end))
}
