//! What the API's codes mean, in words for people, and as the codes that programs see. Pure.

use super::names;
use crate::proto::turnwise::v1::{
    AssignmentState, Cause, OwnerKind, PassOverReason, PassedOver, TargetTrace,
};

/// The name of an enum's value without the name of the enum: `ASSIGNED` of
/// `ASSIGNMENT_STATE_ASSIGNED`.
pub(crate) fn value(name: &'static str, prefix: &str) -> &'static str {
    name.strip_prefix(prefix).unwrap_or(name)
}

/// A state as programs see it.
pub(crate) fn state(state: AssignmentState) -> &'static str {
    value(state.as_str_name(), "ASSIGNMENT_STATE_")
}

/// A cause as programs see it.
pub(crate) fn cause(cause: Cause) -> &'static str {
    value(cause.as_str_name(), "CAUSE_")
}

/// Why a contact is with whom it is: "it is with them: …".
pub(crate) fn because(cause: Cause) -> &'static str {
    match cause {
        Cause::Owner => "they own the contact in the CRM",
        Cause::Rotation => "it was their turn",
        Cause::Rep => "they are named as a target",
        Cause::LastRep => "they had the contact last",
        Cause::Option => "it was this option's turn",
        Cause::Manual => "the call named them",
        Cause::Claim => "they took it themselves",
        Cause::Reassign => "somebody gave it to them",
        Cause::Accept => "they accepted the offer",
        Cause::Waiting => "nobody was available, so it waits",
        Cause::NoTarget => "nobody could take it",
        Cause::CampaignCancelled => "its campaign was cancelled",
        Cause::Reject => "the offer was turned down",
        Cause::OfferTimeout => "the offer was not answered in time",
        Cause::Unassign => "it was taken away",
        Cause::Close => "the work was done",
        Cause::Cancel => "it was called off",
        Cause::Unspecified => "for a reason this version does not know",
    }
}

/// Why somebody was passed over: "ana …".
pub(crate) fn passed_over_because(reason: PassOverReason) -> &'static str {
    match reason {
        PassOverReason::OutOfOffice => "out of office",
        PassOverReason::Disabled => "disabled",
        PassOverReason::OffHours => "outside working hours",
        PassOverReason::NotOnline => "not online",
        PassOverReason::AtCapacity => "has as many open contacts as they may",
        PassOverReason::PeriodCap => "had as many turns as the group's cap allows",
        PassOverReason::RejectedBefore => "turned this contact down before",
        PassOverReason::Excluded => "it was just taken from them",
        PassOverReason::Credit => "owed a turn",
        PassOverReason::Unspecified => "for a reason this version does not know",
    }
}

/// Everyone a target passed over, each with the reason; those who are not named are counted.
pub(crate) fn passed_over(trace: &TargetTrace, name: impl Fn(&str) -> String) -> Vec<String> {
    let named = |passed_over: &PassedOver| {
        let reason = passed_over_because(passed_over.reason());
        format!("{} {reason}", name(&passed_over.rep))
    };
    let mut all: Vec<String> = trace.passed_over.iter().map(named).collect();
    let named = u64::try_from(all.len()).unwrap_or(u64::MAX);
    let unnamed = trace.passed_over_total.saturating_sub(named);
    if unnamed > 0 {
        all.push(format!("{unnamed} more"));
    }
    all
}

/// The word for an owner's kind on the command line.
pub(crate) fn owner_word(kind: OwnerKind) -> &'static str {
    match kind {
        OwnerKind::Contact => "contact",
        OwnerKind::Lead => "lead",
        OwnerKind::Account => "account",
        OwnerKind::Opportunity => "opportunity",
        OwnerKind::Unspecified => "unspecified",
    }
}

/// Reads such a word, for clap.
pub(crate) fn owner_kind(text: &str) -> Result<OwnerKind, String> {
    let kinds = [OwnerKind::Contact, OwnerKind::Lead, OwnerKind::Account, OwnerKind::Opportunity];
    let found = kinds.into_iter().find(|kind| owner_word(*kind) == text);
    found.ok_or("not one of contact, lead, account, opportunity".to_owned())
}

/// Things in a sentence: `ana, bo and cem`.
pub(crate) fn and(things: &[String]) -> String {
    match things {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// `1 turn`, `2 turns`.
pub(crate) fn count(number: u64, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {one}s"),
    }
}

/// A resource as people type it: `rep ana`, `campaign spring`, `assignment 5-3`.
pub(crate) fn resource(name: &str) -> String {
    let mut parts = name.rsplit('/');
    let (id, kind) = (parts.next().unwrap_or(name), parts.next().unwrap_or_default());
    let kind = match kind {
        "routingRules" => "rule",
        "rotations" => {
            let group = names::id(name.rsplit_once("/rotations/").map_or("", |(group, _)| group));
            return match id {
                "-" => format!("rotation of group {group}"),
                campaign => format!("rotation of group {group} in campaign {campaign}"),
            };
        }
        plural => plural.strip_suffix('s').unwrap_or(plural),
    };
    format!("{kind} {id}").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{and, count, passed_over, resource};
    use crate::proto::turnwise::v1::{PassOverReason, PassedOver, TargetTrace};

    #[test]
    fn who_was_passed_over_is_named_with_the_reason_and_the_rest_is_counted() {
        let reason = PassOverReason::OutOfOffice.into();
        let rep = "teams/t/reps/bo".to_owned();
        let mut trace = TargetTrace {
            passed_over: vec![PassedOver { rep, reason }],
            passed_over_total: 1,
            ..TargetTrace::default()
        };
        let name = |name: &str| name.trim_start_matches("teams/t/reps/").to_owned();
        assert_eq!(passed_over(&trace, name), ["bo out of office"]);
        trace.passed_over_total = 18;
        assert_eq!(passed_over(&trace, name), ["bo out of office", "17 more"]);
    }

    #[test]
    fn resources_are_named_as_people_type_them() {
        for (name, expected) in [
            ("teams/t/reps/ana", "rep ana"),
            ("teams/t/routingRules/r", "rule r"),
            ("teams/t", "team t"),
            ("teams/t/assignments/5-3", "assignment 5-3"),
            ("teams/t/groups/west/rotations/-", "rotation of group west"),
            ("teams/t/groups/west/rotations/c", "rotation of group west in campaign c"),
        ] {
            assert_eq!(resource(name), expected);
        }
    }

    #[test]
    fn lists_and_numbers_read_like_sentences() {
        let list = |words: &[&str]| and(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        assert_eq!([list(&[]), list(&["a"]), list(&["a", "b", "c"])], ["", "a", "a, b and c"]);
        assert_eq!([count(1, "turn"), count(0, "turn")], ["1 turn", "0 turns"]);
    }
}
