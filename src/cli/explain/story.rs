//! An assignment and its decision as sentences. Pure.

use super::cast::Cast;
use crate::{
    cli::{names, targets, time, words},
    proto::turnwise::v1::{
        Assignment, AssignmentState, Cause, Cursor, GroupChoice, HistoryEntry, OwnerKind, Strategy,
        Target, TargetOutcome, TargetTrace, target::Kind,
    },
};

/// A sentence and the part of the story it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sentence {
    /// How things are, and how it came.
    Now(String),
    /// What a target did.
    Decision(String),
    /// A detail of what the target before it did.
    Detail(String),
    /// What happened since.
    Since(String),
}

impl Sentence {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Now(text) | Self::Decision(text) | Self::Detail(text) | Self::Since(text) => text,
        }
    }

    /// The name of its part.
    pub(super) fn part(&self) -> &'static str {
        match self {
            Self::Now(_) => "now",
            Self::Decision(_) | Self::Detail(_) => "decision",
            Self::Since(_) => "history",
        }
    }
}

/// The sentences under headings, without a line break at the end.
pub(super) fn laid_out(sentences: &[Sentence]) -> String {
    let (mut text, mut part, mut number) = (String::new(), "now", 0_usize);
    for sentence in sentences {
        if sentence.part() != part {
            part = sentence.part();
            text.push_str(match part {
                "decision" => "\nHow it was decided:\n",
                _ => "\nWhat happened:\n",
            });
        }
        let line = match sentence {
            Sentence::Now(line) => format!("{line}\n"),
            Sentence::Decision(line) => {
                number += 1;
                format!("{number:>3}. {line}\n")
            }
            Sentence::Detail(line) => format!("     {line}\n"),
            Sentence::Since(line) => format!("  {line}\n"),
        };
        text.push_str(&line);
    }
    text.trim_end().to_owned()
}

/// The whole story.
pub(super) fn told(
    assignment: &Assignment,
    choice: Option<&GroupChoice>,
    cast: &Cast,
) -> Vec<Sentence> {
    let now = now(assignment, choice, cast);
    let mut story = vec![Sentence::Now(now), Sentence::Now(origin(assignment))];
    if !assignment.rejected_by.is_empty() {
        let reps: Vec<String> = assignment.rejected_by.iter().map(|rep| cast.rep(rep)).collect();
        let line = format!("It will not be offered again to {}.", words::and(&reps));
        story.push(Sentence::Now(line));
    }
    let traces = assignment.decision.iter().flat_map(|decision| &decision.targets);
    for trace in traces {
        story.extend(target(assignment, choice, trace, cast));
    }
    // The first step is the beginning itself; alone it says nothing that was not said.
    if assignment.history.len() > 1 {
        let mut had = "";
        for entry in &assignment.history {
            story.push(Sentence::Since(step(entry, had, choice, cast)));
            had = &entry.rep;
        }
    }
    story
}

/// How things are.
fn now(assignment: &Assignment, choice: Option<&GroupChoice>, cast: &Cast) -> String {
    let contact = &assignment.contact;
    let because = because(assignment.cause(), choice);
    let rep = cast.rep(&assignment.rep);
    match assignment.state() {
        AssignmentState::Assigned => format!("{contact} is with {rep}: {because}."),
        AssignmentState::Offered => {
            let until = time::said(assignment.expire_time.as_ref());
            format!("{contact} is offered to {rep} until {until}, who has yet to accept.")
        }
        AssignmentState::Pending => match &assignment.wait_end_time {
            Some(end) => format!(
                "{contact} is waiting for somebody to become available, until {}.",
                time::said(Some(end))
            ),
            None => format!("{contact} is waiting for somebody to become available."),
        },
        AssignmentState::Unassigned => format!(
            "Nobody has {contact}: {because}. A person can claim it; if it comes again, it is tried \
             again."
        ),
        AssignmentState::Closed => match &assignment.option {
            Some(option) => format!(
                "{contact} got option {} of group {}: {}.",
                option.id,
                names::id(&option.group),
                words::because(Cause::Option)
            ),
            None if assignment.rep.is_empty() => format!("{contact} is done; nobody had it."),
            None => format!("{contact} is done; {rep} had it."),
        },
        AssignmentState::Cancelled => format!("{contact} was called off."),
        AssignmentState::Unspecified => {
            format!("{contact} is in a state this version does not know.")
        }
    }
}

/// How the group chose that the decision picked somebody from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    ByTurn,
    /// With what is known of how many they had open.
    FewestOpen(Option<u64>),
    /// Not known for certain.
    Unknown,
}

impl How {
    fn of(choice: Option<&GroupChoice>) -> Self {
        let Some(choice) = choice else { return Self::Unknown };
        match choice.strategy() {
            Strategy::RoundRobin => Self::ByTurn,
            Strategy::LeastOpen if !choice.group_changed => Self::FewestOpen(choice.open_count),
            Strategy::LeastOpen | Strategy::Unspecified => Self::Unknown,
        }
    }
}

/// Why they have it, where a group's choice is one by turn only if it is known to be.
fn because(cause: Cause, choice: Option<&GroupChoice>) -> &'static str {
    match (cause, How::of(choice)) {
        (Cause::Rotation, How::FewestOpen(_) | How::Unknown) => "the group chose them",
        (cause, _) => words::because(cause),
    }
}

/// When and how it came.
fn origin(assignment: &Assignment) -> String {
    let names = [
        ("by campaign", &assignment.campaign),
        ("by rule", &assignment.routing_rule),
        ("by group", &assignment.group),
        ("for rep", &assignment.requested_rep),
    ];
    let way = names.iter().find(|(_, name)| !name.is_empty());
    let way = match way {
        Some((word, name)) => format!("{word} {}", names::id(name)),
        None => "by the team's default rule".to_owned(),
    };
    let (came, id) = (time::said(assignment.create_time.as_ref()), names::id(&assignment.name));
    format!("It came at {came} {way} and is assignment {id}.")
}

/// What one target did.
fn target(
    assignment: &Assignment,
    choice: Option<&GroupChoice>,
    trace: &TargetTrace,
    cast: &Cast,
) -> Vec<Sentence> {
    let target = trace.target.clone().unwrap_or_default();
    let what = described(&target, trace.implicit, cast);
    let is_picked = trace.outcome() == TargetOutcome::Picked;
    let passed_over = words::passed_over(trace, |rep| format!("{}:", cast.rep(rep)));
    let outcome = match trace.outcome() {
        TargetOutcome::Picked => match picked(assignment, How::of(choice), trace, cast) {
            Some(who) => format!("{who}."),
            None => "somebody was found.".to_owned(),
        },
        TargetOutcome::NoOwner => "no owner was given with the contact.".to_owned(),
        TargetOutcome::OwnerIsQueue => "the owner is a queue, which is nobody.".to_owned(),
        TargetOutcome::OwnerNotARep => "the owner is not a rep of the team.".to_owned(),
        TargetOutcome::NoEligible => "nobody could take it.".to_owned(),
        TargetOutcome::Waiting => "nobody could take it, so it waits here.".to_owned(),
        TargetOutcome::Unspecified => "an outcome this version does not know.".to_owned(),
    };
    let mut story = vec![Sentence::Decision(format!("{what}: {outcome}"))];
    story.extend(passed_over.iter().map(|who| Sentence::Detail(format!("Passed over {who}."))));
    if is_picked && let Some(line) = choice.and_then(certainty) {
        story.push(Sentence::Detail(line));
    }
    if let Some(Kind::Group(group)) = &target.kind {
        let both = (trace.cursor_before, trace.cursor_after);
        let moved = moved(group, both, is_picked, given(assignment), cast);
        story.extend(moved.map(Sentence::Detail));
    }
    for ring in &trace.inner_moves {
        let inner = names::id(&ring.group);
        let both = (ring.cursor_before, ring.cursor_after);
        let moved = moved(&ring.group, both, is_picked, None, cast);
        story.extend(moved.map(|line| Sentence::Detail(format!("Inside, group {inner}: {line}"))));
    }
    story
}

/// A target in words, with what was asked of it.
fn described(target: &Target, is_last_rep: bool, cast: &Cast) -> String {
    let mut what = match &target.kind {
        _ if is_last_rep => "Whoever had the contact last".to_owned(),
        Some(Kind::Owner(owner)) => {
            let kinds: Vec<OwnerKind> = owner.kinds().collect();
            let kinds = match kinds.as_slice() {
                [] => vec![OwnerKind::Contact, OwnerKind::Lead, OwnerKind::Account],
                kinds => kinds.to_vec(),
            };
            let kinds: Vec<&str> = kinds.into_iter().map(words::owner_word).collect();
            format!("The owner of the {}", kinds.join(", or else of the "))
        }
        Some(Kind::Group(group)) => format!("The next in group {}", names::id(group)),
        Some(Kind::Rep(rep)) => format!("Rep {}", cast.rep(rep)),
        None => targets::show(target),
    };
    if target.require_online {
        what.push_str(", only who is online");
    }
    if target.include_unavailable {
        what.push_str(", even if away");
    }
    what
}

/// What to add where a group may have chosen otherwise than it does now.
fn certainty(choice: &GroupChoice) -> Option<String> {
    let how = match choice.strategy() {
        Strategy::RoundRobin => "the next in its ring comes first",
        Strategy::LeastOpen => "who has the fewest open contacts comes first",
        Strategy::Unspecified => return None,
    };
    let group = names::id(&choice.group);
    choice.group_changed.then(|| format!("Group {group} was changed since; as it is now, {how}."))
}

/// Whom a target gave, and how that reads.
fn picked(assignment: &Assignment, how: How, trace: &TargetTrace, cast: &Cast) -> Option<String> {
    if let Some(option) = &assignment.option {
        return Some(format!("it was the turn of option {}", option.id));
    }
    let kind = trace.target.as_ref().and_then(|target| target.kind.as_ref())?;
    let who = cast.rep(given(assignment)?);
    Some(match kind {
        Kind::Group(_) => match how {
            How::ByTurn => format!("it was the turn of {who}"),
            How::Unknown => format!("{who} was chosen"),
            How::FewestOpen(open) => {
                let open = open.map(|open| words::count(open, "open contact"));
                let open = open.map(|open| format!(" ({open})")).unwrap_or_default();
                format!(
                    "{who} had the fewest open contacts for their weight{open}, of those who could \
                     take it; among equals the next in the ring comes first"
                )
            }
        },
        Kind::Owner(_) => who,
        Kind::Rep(_) if trace.implicit => who,
        Kind::Rep(_) => "got it".to_owned(),
    })
}

/// The rep whom the targets gave when they were last walked; whoever has it now may have got it later.
fn given(assignment: &Assignment) -> Option<&str> {
    let is_by_target = |entry: &&HistoryEntry| match entry.cause() {
        Cause::Owner | Cause::Rotation | Cause::Rep | Cause::LastRep => !entry.rep.is_empty(),
        Cause::Unspecified
        | Cause::NoTarget
        | Cause::Option
        | Cause::Manual
        | Cause::Claim
        | Cause::Reassign
        | Cause::CampaignCancelled
        | Cause::Waiting
        | Cause::Accept
        | Cause::Reject
        | Cause::OfferTimeout
        | Cause::Unassign
        | Cause::Close
        | Cause::Cancel => false,
    };
    let last = assignment.history.iter().rev().find(is_by_target);
    let rep = last.map_or(assignment.rep.as_str(), |entry| entry.rep.as_str());
    (!rep.is_empty()).then_some(rep)
}

/// Where the ring stood and went, by names.
fn moved(
    group: &str,
    (before, after): (Option<Cursor>, Option<Cursor>),
    is_picked: bool,
    given: Option<&str>,
    cast: &Cast,
) -> Option<String> {
    let (before, after) = (before?, after?);
    let team = group.split('/').nth(1).unwrap_or_default();
    let place = |cursor| cast.place(team, group, cursor);
    let stayed = before == after;
    Some(match (place(before), place(after)) {
        (Some(before), Some(_)) if stayed && is_picked => match given.map(|rep| cast.rep(rep)) {
            Some(who) if who != before => format!(
                "That was a turn beyond their share: the last turn is still that of {before}."
            ),
            Some(_) | None => format!("The ring came round to {before} again."),
        },
        (Some(before), _) if stayed => {
            format!("No turn was used: the last turn is still that of {before}.")
        }
        (None, _) if stayed && is_picked => {
            "That was a turn beyond their share: the ring is still at its start.".to_owned()
        }
        (None, _) if stayed => "No turn was used: the ring is still at its start.".to_owned(),
        (before, after) => {
            let after = after.unwrap_or_else(|| "nobody".to_owned());
            match before {
                None => format!("The ring was at its start; the last turn is now that of {after}."),
                Some(before) => format!(
                    "The last turn before was that of {before}; the last turn is now that of {after}."
                ),
            }
        }
    })
}

/// One step in its life, by whoever had it before.
fn step(entry: &HistoryEntry, had: &str, choice: Option<&GroupChoice>, cast: &Cast) -> String {
    let at = time::said(entry.time.as_ref());
    let (rep, had) = (cast.rep(&entry.rep), cast.rep(had));
    let given = match entry.state() {
        AssignmentState::Offered => "offered to",
        AssignmentState::Unspecified
        | AssignmentState::Assigned
        | AssignmentState::Unassigned
        | AssignmentState::Pending
        | AssignmentState::Closed
        | AssignmentState::Cancelled => "given to",
    };
    let because = because(entry.cause(), choice);
    let what = match entry.cause() {
        Cause::Owner | Cause::Rotation | Cause::Rep | Cause::LastRep => {
            format!("{given} {rep}: {because}")
        }
        Cause::Option => because.to_owned(),
        Cause::Manual => format!("given to {rep}, whom the call named"),
        Cause::Claim => format!("taken by {rep}"),
        Cause::Reassign if rep.is_empty() => format!("taken from {had}"),
        Cause::Reassign => format!("given to {rep} by somebody"),
        Cause::Accept => format!("accepted by {rep}"),
        Cause::Reject => format!("turned down by {had}"),
        Cause::OfferTimeout => format!("not answered in time by {had}"),
        Cause::Unassign => format!("taken away from {had}, now with nobody"),
        Cause::Close => "done".to_owned(),
        Cause::Cancel => "called off".to_owned(),
        Cause::Waiting => "nobody was available; it waits".to_owned(),
        Cause::NoTarget => "nobody could take it; now with nobody".to_owned(),
        Cause::CampaignCancelled => "its campaign was cancelled; now with nobody".to_owned(),
        Cause::Unspecified => "something this version does not know".to_owned(),
    };
    let who = match entry.principal.as_str() {
        "" => String::new(),
        principal => format!(" (asked by {principal})"),
    };
    format!("{at}: {what}{who}.")
}

#[cfg(test)]
mod tests {
    use super::{Sentence, laid_out, told};
    use crate::{
        cli::explain::cast::Cast,
        proto::turnwise::v1::{
            Assignment, AssignmentState, Cause, Cursor, Decision, Group, GroupChoice, GroupMember,
            HistoryEntry, OwnerKind, OwnerTarget, PassOverReason, PassedOver, Strategy, Target,
            TargetOutcome, TargetTrace, group_member::Member, target::Kind,
        },
    };

    fn rep(id: &str) -> String {
        format!("teams/t/reps/{id}")
    }

    fn west() -> Group {
        let member = |(id, key): (&str, u64)| GroupMember {
            member: Some(Member::Rep(rep(id))),
            key,
            ..GroupMember::default()
        };
        Group {
            name: "teams/t/groups/west".to_owned(),
            members: [("ana", 3), ("bo", 4), ("cem", 5)].map(member).into(),
            ..Group::default()
        }
    }

    fn trace(outcome: TargetOutcome, kind: Kind) -> TargetTrace {
        let target = Some(Target { kind: Some(kind), ..Target::default() });
        TargetTrace { outcome: outcome.into(), target, ..TargetTrace::default() }
    }

    /// c-3 passed bo over and went to cem.
    fn assignment() -> Assignment {
        let owner = OwnerTarget { kinds: vec![OwnerKind::Lead.into()] };
        let reason = PassOverReason::OutOfOffice.into();
        let time = Some(prost_types::Timestamp { seconds: 1_000, nanos: 0 });
        let ring = TargetTrace {
            passed_over: vec![PassedOver { rep: rep("bo"), reason }],
            passed_over_total: 1,
            cursor_before: Some(Cursor { round: 0, key: 3 }),
            cursor_after: Some(Cursor { round: 0, key: 5 }),
            ..trace(TargetOutcome::Picked, Kind::Group("teams/t/groups/west".to_owned()))
        };
        let first = HistoryEntry {
            time,
            cause: Cause::Rotation.into(),
            state: AssignmentState::Assigned.into(),
            rep: rep("cem"),
            ..HistoryEntry::default()
        };
        Assignment {
            name: "teams/t/assignments/9-0".to_owned(),
            contact: "c-3".to_owned(),
            campaign: "teams/t/campaigns/spring".to_owned(),
            state: AssignmentState::Assigned.into(),
            rep: rep("cem"),
            cause: Cause::Rotation.into(),
            create_time: time,
            decision: Some(Decision {
                time,
                targets: vec![trace(TargetOutcome::NoOwner, Kind::Owner(owner)), ring],
                ..Decision::default()
            }),
            history: vec![first],
            ..Assignment::default()
        }
    }

    fn by(strategy: Strategy) -> GroupChoice {
        let (group, strategy) = ("teams/t/groups/west".to_owned(), strategy.into());
        GroupChoice { group, strategy, ..GroupChoice::default() }
    }

    fn story(assignment: &Assignment, group: &Group) -> String {
        told_of(assignment, group, Some(&by(Strategy::RoundRobin)))
    }

    fn told_of(assignment: &Assignment, group: &Group, choice: Option<&GroupChoice>) -> String {
        let mut cast = Cast::default();
        cast.enrol(group);
        laid_out(&told(assignment, choice, &cast))
    }

    #[test]
    fn s2_5_a_pick_by_load_is_no_turn_and_what_is_not_known_is_not_told() {
        let by_load = GroupChoice { open_count: Some(2), ..by(Strategy::LeastOpen) };
        let told = told_of(&assignment(), &west(), Some(&by_load));
        assert!(told.starts_with("c-3 is with cem: the group chose them."), "{told}");
        let line = "  2. The next in group west: cem had the fewest open contacts for their weight (2 \
                    open contacts), of those who could take it; among equals the next in the ring comes \
                    first.";
        assert!(told.contains(line), "{told}");
        assert!(!told.contains("it was the turn of"), "{told}");

        let uncounted = GroupChoice { open_count: None, ..by_load.clone() };
        let told = told_of(&assignment(), &west(), Some(&uncounted));
        assert!(told.contains("for their weight, of those who could take it"), "{told}");

        let changed = GroupChoice { group_changed: true, open_count: None, ..by_load };
        for unknown in [Some(&changed), None] {
            let told = told_of(&assignment(), &west(), unknown);
            assert!(told.contains("The next in group west: cem was chosen."), "{told}");
            assert!(!told.contains("turn of cem.\n     Passed"), "{told}");
        }
        let told = told_of(&assignment(), &west(), Some(&changed));
        let line =
            "Group west was changed since; as it is now, who has the fewest open contacts comes";
        assert!(told.contains(line), "{told}");
    }

    #[test]
    fn s4_8_a_sales_manager_reads_names_reasons_and_where_the_ring_went() {
        let expected = "\
c-3 is with cem: it was their turn.
It came at 1970-01-01 00:16:40 UTC by campaign spring and is assignment 9-0.

How it was decided:
  1. The owner of the lead: no owner was given with the contact.
  2. The next in group west: it was the turn of cem.
     Passed over bo: out of office.
     The last turn before was that of ana; the last turn is now that of cem.";
        assert_eq!(story(&assignment(), &west()), expected);
    }

    #[test]
    fn what_happened_since_is_told_and_does_not_change_whose_turn_it_was() {
        let mut moved_on = assignment();
        moved_on.rep = rep("ana");
        moved_on.cause = Cause::Reassign.into();
        moved_on.history.push(HistoryEntry {
            time: Some(prost_types::Timestamp { seconds: 1_060, nanos: 0 }),
            cause: Cause::Reassign.into(),
            state: AssignmentState::Assigned.into(),
            rep: rep("ana"),
            ..HistoryEntry::default()
        });
        let told = story(&moved_on, &west());
        assert!(told.starts_with("c-3 is with ana: somebody gave it to them."), "{told}");
        assert!(told.contains("it was the turn of cem."), "{told}");
        let since = "What happened:
  1970-01-01 00:16:40 UTC: given to cem: it was their turn.
  1970-01-01 00:17:40 UTC: given to ana by somebody.";
        assert!(told.ends_with(since), "{told}");
    }

    #[test]
    fn a_ring_that_came_round_to_the_same_rep_used_a_turn_and_a_credit_is_told_apart() {
        let mut again = assignment();
        again.decision.as_mut().unwrap().targets[1].cursor_before =
            Some(Cursor { round: 0, key: 5 });
        let told = story(&again, &west());
        assert!(told.contains("The ring came round to cem again."), "{told}");
        again.rep = rep("ana");
        again.history[0].rep = rep("ana");
        let told = story(&again, &west());
        assert!(told.contains("it was the turn of ana."), "{told}");
        assert!(
            told.contains("a turn beyond their share: the last turn is still that of cem"),
            "{told}"
        );
    }

    #[test]
    fn an_offer_that_was_turned_down_names_who_did() {
        let mut offered = assignment();
        offered.history[0].state = AssignmentState::Offered.into();
        let entry = |cause: Cause| HistoryEntry { cause: cause.into(), ..HistoryEntry::default() };
        offered.history.extend([entry(Cause::Reject), entry(Cause::Waiting)]);
        let told = story(&offered, &west());
        assert!(told.contains("offered to cem: it was their turn."), "{told}");
        assert!(told.contains("turned down by cem."), "{told}");
    }

    #[test]
    fn a_place_whose_member_left_is_not_given_to_another() {
        let mut group = west();
        group.members.remove(0);
        let told = story(&assignment(), &group);
        assert!(told.contains("The last turn before was that of a member who has left"), "{told}");
    }

    #[test]
    fn nobody_and_waiting_say_what_can_be_done() {
        let mut nobody = assignment();
        nobody.rep.clear();
        nobody.state = AssignmentState::Unassigned.into();
        nobody.cause = Cause::NoTarget.into();
        nobody.decision = Some(Decision::default());
        let told = story(&nobody, &west());
        assert!(
            told.starts_with("Nobody has c-3: nobody could take it. A person can claim"),
            "{told}"
        );
        nobody.state = AssignmentState::Pending.into();
        nobody.wait_end_time = Some(prost_types::Timestamp { seconds: 2_000, nanos: 0 });
        let told = story(&nobody, &west());
        assert!(
            told.contains("waiting for somebody to become available, until 1970-01-01 00:33:20"),
            "{told}"
        );
    }

    #[test]
    fn each_sentence_knows_its_part() {
        let mut cast = Cast::default();
        cast.enrol(&west());
        let parts: Vec<&str> =
            told(&assignment(), None, &cast).iter().map(Sentence::part).collect();
        assert_eq!(parts, ["now", "now", "decision", "decision", "decision", "decision"]);
    }
}
