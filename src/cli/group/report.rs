//! `turnwise group report`: who got how many turns, how many were due, why somebody got fewer.
//!
//! Pure but for the calls. What is due is an even share of the turns of those who are in the group now,
//! by weight; absences make real differences, so who got fewer is shown with what kept them away.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Which, get, members, row};
use crate::{
    cli::{
        Context,
        change::say,
        failure::{Failure, to},
        names, pages,
        time::{self, Instant},
        words,
    },
    client::Client,
    proto::turnwise::v1::{
        GetGroupReportRequest, Group, GroupReport, MemberReport, PassOverReason, Strategy,
        member_report::Member,
    },
};

pub(super) const HELP: &str = "\
turns: what they got in this group, offers that were turned down or lapsed and work that was taken away \
included, as far as the contact goes by no other group. even_share: what they would have with all turns shared evenly by \
weight; difference: what they got beyond it. owner_hits: contacts of their own, which use no turn. \
passed_over: how often and why their turn went by, in the latest decision of each contact. Counted are the \
assignments that are kept.

Examples:
  turnwise group report west --team sales
  turnwise group report west --team sales --since 2026-05-01 --output csv";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Only decisions from then on [default: all that are kept]
    #[arg(long, value_parser = time::instant)]
    since: Option<Instant>,
}

pub(super) async fn run(
    context: &Context,
    client: &Client,
    arguments: Arguments,
) -> Result<(), Failure> {
    let Arguments { which: Which { group, team }, since } = arguments;
    let request = GetGroupReportRequest {
        name: names::group(&team, &group),
        since: since.map(Instant::to_proto),
    };
    let got = client.call(request).await.map_err(to(format!("report on group `{group}`")))?;
    let report = got.report.unwrap_or_default();
    let settings = get(client, &team, &group).await?;
    let rings = pages::rotations(client, &team, &group, 0).await?.len();
    let lines = lines(&report, &settings);
    let verdict = verdict(&lines, rings, settings.strategy());

    let from = match &report.since_time {
        Some(since) => format!("since {}", time::said(Some(since))),
        None => "all that are kept".to_owned(),
    };
    say(&format!("group {group}: {}, {from}", words::count(report.decisions, "decision")));
    say(&verdict);
    let rows: Vec<Vec<Value>> = lines.iter().map(Line::cells).collect();
    let members: Vec<Value> = rows.iter().map(|row| object(row)).collect();
    let whole = json!({
        "group": group,
        "strategy": row::strategy(settings.strategy()),
        "since_time": time::show(report.since_time.as_ref()),
        "log_index": report.log_index,
        "decisions": report.decisions,
        "verdict": verdict,
        "members": members,
    });
    context.output.document(&whole, COLUMNS, &rows)
}

const COLUMNS: &[&str] = &[
    "place",
    "member",
    "weight",
    "turns",
    "even_share",
    "difference",
    "owner_hits",
    "open_count",
    "passed_over",
];

fn object(row: &[Value]) -> Value {
    COLUMNS.iter().zip(row).map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

/// What one member got.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    /// `None`: has left the group.
    place: Option<u64>,
    member: String,
    weight: u32,
    turns: u64,
    /// In tenths of a turn.
    even_share: u64,
    owner_hits: u64,
    open_count: u64,
    passed_over: BTreeMap<&'static str, u64>,
}

impl Line {
    fn cells(&self) -> Vec<Value> {
        let Self { place, member, weight, turns, even_share: share, .. } = self;
        let is_present = place.is_some();
        let passed_over = self.passed_over.iter();
        vec![
            place.map_or(Value::from("left"), Value::from),
            member.as_str().into(),
            is_present.then_some(*weight).into(),
            (*turns).into(),
            is_present.then(|| tenths(i128::from(*share))).into(),
            is_present.then(|| signed(self.difference())).into(),
            self.owner_hits.into(),
            self.open_count.into(),
            passed_over
                .map(|(reason, count)| ((*reason).to_owned(), Value::from(*count)))
                .collect(),
        ]
    }

    /// Turns beyond the even share, in tenths.
    fn difference(&self) -> i128 {
        i128::from(self.turns) * 10 - i128::from(self.even_share)
    }
}

fn tenths(tenths: i128) -> String {
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn signed(difference: i128) -> String {
    let sign = match difference {
        ..0 => "-",
        0 => "",
        1.. => "+",
    };
    let size = i128::try_from(difference.unsigned_abs()).unwrap_or(i128::MAX);
    format!("{sign}{}", tenths(size))
}

/// The members in ring order, then former ones.
fn lines(report: &GroupReport, group: &Group) -> Vec<Line> {
    let weights: BTreeMap<String, u32> = group
        .members
        .iter()
        .map(|member| (members::name(member), member.weight.unwrap_or(1)))
        .collect();
    let mut lines: Vec<Line> = report.members.iter().map(|member| line(member, &weights)).collect();
    let present = lines.iter().filter(|line| line.place.is_some());
    let (turns, weight) = present.fold((0_u128, 0_u128), |(turns, weight), line| {
        (turns + u128::from(line.turns), weight + u128::from(line.weight))
    });
    for line in &mut lines {
        // Rounded to the nearest tenth.
        let share = (turns * u128::from(line.weight) * 20 + weight).checked_div(weight * 2);
        line.even_share = share.and_then(|share| u64::try_from(share).ok()).unwrap_or(0);
    }
    lines
}

fn line(report: &MemberReport, weights: &BTreeMap<String, u32>) -> Line {
    let MemberReport { member, turns, owner_hits, passed_over, place, open_count } = report;
    let member = match member {
        Some(Member::Rep(name)) => names::id(name).to_owned(),
        Some(Member::Option(id)) => id.clone(),
        Some(Member::Group(name)) => format!("group:{}", names::id(name)),
        None => String::new(),
    };
    let reason = |reason: PassOverReason| words::value(reason.as_str_name(), "PASS_OVER_REASON_");
    Line {
        place: *place,
        weight: weights.get(&member).copied().unwrap_or(1),
        member,
        turns: *turns,
        even_share: 0,
        owner_hits: *owner_hits,
        open_count: *open_count,
        passed_over: passed_over.iter().map(|one| (reason(one.reason()), one.count)).collect(),
    }
}

/// Whether it was fair, in one line.
///
/// Each ring may be in the middle of a round, so a difference of one turn of each ring is no difference;
/// of a weighted member, of its weight.
fn verdict(lines: &[Line], rings: usize, strategy: Strategy) -> String {
    let present: Vec<&Line> = lines.iter().filter(|line| line.place.is_some()).collect();
    if present.iter().all(|line| line.turns == 0) {
        return "No turns yet.".to_owned();
    }
    if strategy == Strategy::LeastOpen {
        let open = |line: &&Line| line.open_count;
        let least = present.iter().map(open).min().unwrap_or(0);
        let most = present.iter().map(open).max().unwrap_or(0);
        return format!(
            "This group gives to whoever has the fewest open contacts, so turns need not be even: \
             open contacts now go from {least} to {most}."
        );
    }
    let rings = i128::try_from(rings.max(1)).unwrap_or(i128::MAX);
    let is_even = |line: &&Line| line.difference().abs() <= rings * 10 * i128::from(line.weight);
    let fewer: Vec<String> = present
        .iter()
        .filter(|line| !is_even(line) && line.difference() < 0)
        .map(|line| {
            let missing = tenths(line.difference().abs());
            let times: u64 = line.passed_over.values().sum();
            let reasons: Vec<String> = line
                .passed_over
                .iter()
                .map(|(reason, count)| format!("{reason} {count}"))
                .collect();
            match times {
                0 => {
                    format!("{} has {missing} turns fewer, and was never passed over", line.member)
                }
                _ => format!(
                    "{} has {missing} turns fewer, and was passed over {}: {}",
                    line.member,
                    words::count(times, "time"),
                    words::and(&reasons)
                ),
            }
        })
        .collect();
    if present.iter().all(is_even) {
        return "Even: everybody has their share of the turns.".to_owned();
    }
    if fewer.is_empty() {
        let more: Vec<String> = present
            .iter()
            .filter(|line| !is_even(line))
            .map(|line| format!("{} has {} turns more", line.member, tenths(line.difference())))
            .collect();
        return format!("Not even: {}.", more.join("; "));
    }
    format!("Not even: {}.", fewer.join("; "))
}

#[cfg(test)]
mod tests {
    use super::{Line, lines, verdict};
    use crate::proto::turnwise::v1::{
        Group, GroupMember, GroupReport, MemberReport, PassOverCount, PassOverReason, Strategy,
        group_member, member_report,
    };

    fn of(members: &[(&str, u32, u64, u64)]) -> Vec<Line> {
        let name = |rep: &str| format!("teams/t/reps/{rep}");
        let report = members.iter().zip(1..).map(|((rep, weight, turns, away), place)| {
            let reason = PassOverReason::OutOfOffice.into();
            let away = PassOverCount { reason, count: *away };
            MemberReport {
                member: Some(member_report::Member::Rep(name(rep))),
                turns: *turns,
                place: (*weight > 0).then_some(place),
                passed_over: Some(away).into_iter().filter(|away| away.count > 0).collect(),
                ..MemberReport::default()
            }
        });
        let group = members.iter().map(|(rep, weight, ..)| GroupMember {
            member: Some(group_member::Member::Rep(name(rep))),
            weight: Some(*weight),
            ..GroupMember::default()
        });
        let group = Group { members: group.collect(), ..Group::default() };
        lines(&GroupReport { members: report.collect(), ..GroupReport::default() }, &group)
    }

    fn said(members: &[(&str, u32, u64, u64)], rings: usize) -> String {
        verdict(&of(members), rings, Strategy::RoundRobin)
    }

    #[test]
    fn a_share_is_by_weight_and_of_those_who_are_there() {
        let lines = of(&[("ana", 3, 6, 0), ("bo", 1, 2, 0), ("gone", 0, 50, 0)]);
        assert_eq!([lines[0].even_share, lines[1].even_share], [60, 20]);
        let cells: Vec<String> = lines[2].cells().iter().map(ToString::to_string).collect();
        assert_eq!(cells[..6], ["\"left\"", "\"gone\"", "null", "50", "null", "null"]);
    }

    #[test]
    fn a_round_under_way_is_even() {
        assert!(
            said(&[("ana", 1, 4, 0), ("bo", 1, 3, 0), ("cem", 1, 3, 0)], 1).starts_with("Even")
        );
        assert!(said(&[("ana", 1, 5, 0), ("bo", 1, 3, 0)], 2).starts_with("Even"), "two rings");
        assert_eq!(said(&[("ana", 1, 0, 0)], 0), "No turns yet.");
    }

    #[test]
    fn who_has_fewer_is_named_with_what_kept_them_away() {
        assert_eq!(
            said(&[("ana", 1, 15, 0), ("bo", 1, 3, 12)], 1),
            "Not even: bo has 6.0 turns fewer, and was passed over 12 times: OUT_OF_OFFICE 12."
        );
        let unexplained = said(&[("ana", 1, 9, 0), ("bo", 1, 1, 0)], 1);
        assert!(unexplained.contains("never passed over"), "{unexplained}");
    }
}
