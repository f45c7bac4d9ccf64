//! The words of scripts: lengths of time, targets, members, and how answers are told.

use std::collections::BTreeMap;

use turnwise::routing::{
    Assignment, Cause, Cursor, Group, GroupId, MemberName, MemberSpec, OptionId, OwnerKind,
    OwnerRef, OwnerType, Rejection, RepId, Target, TargetKind, TargetOutcome, TargetTrace,
};

/// `90s`, `10m`, `2h`, `30d`, `1ms`, in microseconds.
pub(crate) fn span(text: &str) -> u64 {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let number: u64 = digits.trim_start_matches('+').parse().unwrap_or_else(|_| panic!("{text}?"));
    let unit = match text.trim_start_matches('+').trim_start_matches(|c: char| c.is_numeric()) {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        other => panic!("{text}: `{other}` is no unit of time"),
    };
    number * unit
}

/// `Ana Bo*3 text:Hello group:inner`.
pub(crate) fn members(list: &str, are_options: bool) -> Vec<MemberSpec> {
    let member = |word: &str| {
        let (name, weight) = word.split_once('*').unwrap_or((word, "1"));
        MemberSpec {
            member: member(name, are_options),
            payload: if are_options { format!("say {name}") } else { String::new() },
            weight: weight.parse().unwrap(),
        }
    };
    let members = list.split_whitespace().map(member);
    members
        .map(|spec| match spec.member {
            MemberName::Group(_) => MemberSpec { payload: String::new(), ..spec },
            MemberName::Rep(_) | MemberName::Option(_) => spec,
        })
        .collect()
}

pub(crate) fn member(name: &str, is_option: bool) -> MemberName {
    match name.strip_prefix("group:") {
        Some(inner) => MemberName::Group(GroupId::new(inner)),
        None if is_option => MemberName::Option(OptionId::new(name)),
        None => MemberName::Rep(RepId::new(name)),
    }
}

pub(crate) fn email(rep: &str) -> String {
    format!("{}@example.com", rep.to_lowercase())
}

const KINDS: [(&str, OwnerKind); 4] = [
    ("contact", OwnerKind::Contact),
    ("lead", OwnerKind::Lead),
    ("account", OwnerKind::Account),
    ("opportunity", OwnerKind::Opportunity),
];

fn owner_kind(word: &str) -> OwnerKind {
    KINDS.iter().find(|(name, _)| *name == word).unwrap_or_else(|| panic!("{word}?")).1
}

/// `owner`, `owner(account lead) even if out`, `group west wait 10m online accept 2m`, `rep Ana`.
pub(crate) fn targets(text: &str) -> Vec<Target> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty() && *part != "nobody");
    parts.map(target).collect()
}

fn target(text: &str) -> Target {
    let (kind, mut rest) = if let Some(owner) = text.strip_prefix("owner") {
        let (kinds, rest) = match owner.strip_prefix('(') {
            Some(list) => list.split_once(')').unwrap(),
            None => ("contact lead account", owner),
        };
        (TargetKind::Owner(kinds.split_whitespace().map(owner_kind).collect()), rest)
    } else {
        let (what, rest) = text.split_once(' ').unwrap_or_else(|| panic!("target `{text}`?"));
        let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let kind = match what {
            "group" => TargetKind::Group(GroupId::new(name)),
            "rep" => TargetKind::Rep(RepId::new(name)),
            _ => panic!("target `{text}`?"),
        };
        (kind, rest)
    };
    let mut target = Target::new(kind);
    rest = rest.trim();
    while !rest.is_empty() {
        let (word, more) = rest.split_once(' ').unwrap_or((rest, ""));
        if let Some(more) = rest.strip_prefix("even if out") {
            target.include_unavailable = true;
            rest = more.trim();
            continue;
        }
        let (next, after) = more.split_once(' ').unwrap_or((more, ""));
        match word {
            "online" => {
                target.require_online = true;
                rest = more.trim();
                continue;
            }
            "wait" => target.wait_us = span(next),
            "accept" => target.accept_timeout_us = span(next),
            _ => panic!("`{rest}` of target `{text}`?"),
        }
        rest = after.trim();
    }
    target
}

/// `contact=Ana`, `account=x@other.org`, `lead=queue`, `lead=queue:Ana`, by the rep's email.
pub(crate) fn owner(word: &str) -> OwnerRef {
    let (kind, who) = word.split_once('=').unwrap_or_else(|| panic!("owner `{word}`?"));
    let (owner_type, who) = match who.strip_prefix("queue") {
        Some(rest) => (OwnerType::Queue, rest.trim_start_matches(':')),
        None => (OwnerType::User, who),
    };
    let address = if who.contains('@') { who.to_owned() } else { email(who) };
    let email = (!who.is_empty()).then_some(address);
    OwnerRef { kind: owner_kind(kind), owner_type, email, external_id: None }
}

/// The name of a refusal, as callers see it, and what it says.
pub(crate) fn refusal(rejection: &Rejection) -> String {
    let debug = format!("{rejection:?}");
    let name = debug.split(|c: char| !c.is_alphanumeric()).next().unwrap();
    let mut reason = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !reason.is_empty() {
            reason.push('_');
        }
        reason.extend(letter.to_uppercase());
    }
    format!("refused: {reason}, {rejection}")
}

pub(crate) fn upper(debug: &impl std::fmt::Debug) -> String {
    let mut text = String::new();
    for letter in format!("{debug:?}").chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(letter.to_uppercase());
    }
    text
}

/// Where an assignment stands, in a line.
pub(crate) fn standing(assignment: &Assignment) -> String {
    let contact = &assignment.contact;
    let state = upper(&assignment.state);
    let mut text = match (&assignment.rep, &assignment.option) {
        (_, Some(option)) => format!("{contact}: option {} of {}", option.option, option.group),
        (Some(rep), None) => format!("{contact}: {rep}"),
        (None, None) => format!("{contact}: nobody"),
    };
    text.push_str(&format!(", {state}"));
    let why = match assignment.cause {
        Cause::Owner => "they own it",
        Cause::Rotation => "it was their turn",
        Cause::Rep => "the target names them",
        Cause::LastRep => "they had the contact before",
        Cause::Option => "it was its turn",
        Cause::Waiting => "it waits",
        Cause::NoTarget => "no target gave anybody",
        Cause::Manual => "the call named them",
        Cause::Claim => "they took it",
        Cause::Reassign => "somebody gave it to them",
        Cause::Accept => "they accepted",
        Cause::Unassign => "it was taken from them",
        Cause::Close => "it was closed",
        Cause::Cancel => "it was cancelled",
        Cause::Reject => "they refused",
        Cause::OfferTimeout => "they did not answer in time",
        Cause::CampaignCancelled => "its campaign was cancelled",
    };
    format!("{text} ({why})")
}

/// What one target did, in a line.
pub(crate) fn trace(trace: &TargetTrace, groups: &BTreeMap<GroupId, Group>) -> String {
    let place = trace.index + 1;
    let what = match &trace.target.kind {
        TargetKind::Owner(_) => "owner".to_owned(),
        TargetKind::Rep(rep) if trace.is_last_rep => format!("last rep {rep}"),
        TargetKind::Rep(rep) => format!("rep {rep}"),
        TargetKind::Group(group) => format!("group {group}"),
    };
    let outcome = match trace.outcome {
        TargetOutcome::Picked => "picked",
        TargetOutcome::NoOwner => "no owner given",
        TargetOutcome::OwnerIsQueue => "the owner is a queue",
        TargetOutcome::OwnerNotARep => "the owner is no rep",
        TargetOutcome::NoEligible => "nobody may have it",
        TargetOutcome::Waiting => "nobody may have it yet",
    };
    let mut text = format!("{place}. {what}: {outcome}");
    if let (TargetKind::Group(group), Some(before), Some(after)) =
        (&trace.target.kind, trace.cursor_before, trace.cursor_after)
    {
        let at = |cursor| cursor_name(cursor, groups.get(group));
        text.push_str(&format!(", cursor {} to {}", at(before), at(after)));
    }
    for step in &trace.inner {
        let at = |cursor| cursor_name(cursor, groups.get(&step.group));
        let (group, before, after) = (&step.group, at(step.before), at(step.after));
        text.push_str(&format!("; inside, group {group}: cursor {before} to {after}"));
    }
    let named = &trace.skipped.named;
    if !named.is_empty() {
        let each: Vec<String> =
            named.iter().map(|p| format!("{} {}", p.rep, upper(&p.reason))).collect();
        text.push_str(&format!("; passed over {}", each.join(", ")));
        let more = trace.skipped.total - u64::try_from(named.len()).unwrap();
        if more > 0 {
            text.push_str(&format!(" and {more} more"));
        }
    }
    text
}

pub(crate) fn cursor_name(cursor: Cursor, group: Option<&Group>) -> String {
    if cursor == Cursor::default() {
        return "the start".to_owned();
    }
    let members = group.into_iter().flat_map(|group| &group.members);
    let name = members.filter(|m| m.key == cursor.key).map(|m| name(&m.name)).next();
    let name = name.unwrap_or_else(|| format!("a place that was ({})", cursor.key));
    if cursor.round > 0 { format!("{name}, round {}", cursor.round + 1) } else { name }
}

pub(crate) fn name(member: &MemberName) -> String {
    match member {
        MemberName::Rep(rep) => rep.to_string(),
        MemberName::Option(option) => option.to_string(),
        MemberName::Group(group) => format!("group:{group}"),
    }
}
