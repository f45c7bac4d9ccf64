//! Was it fair: what a group's members got and were passed over for, from the decisions kept.
//!
//! Owns nothing and is paid for by nobody but its reader: no pick counts anything for it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Assignment, Cause, GroupId, MemberName, Reason, Rejection, State, Step, TargetKind,
    TargetOutcome, TeamId, Time,
    group::name,
    record::Occupant,
    team::{Targets, Team},
};

/// How a group's work was shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupReport {
    /// Which group.
    pub group: GroupId,
    /// From when on decisions were counted.
    pub since: Option<Time>,
    /// Decisions counted.
    pub decisions: u64,
    /// In ring order; then former members, by id.
    pub members: Vec<RepReport>,
}

/// What one member got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepReport {
    /// Who.
    pub member: MemberName,
    /// 1-based place in the ring; `None` if no longer a member.
    pub place: Option<u64>,
    /// Times they were picked from this group's ring, as [`State::report`] counts.
    pub turns: u64,
    /// Times a contact of their own came to them, in the whole team.
    pub owner_hits: u64,
    /// Times they were named as passed over in this group's ring, by reason.
    pub passed_over: BTreeMap<Reason, u64>,
    /// Open assignments they hold now, in the whole team.
    pub open: u64,
}

impl State {
    /// How a group's work was shared, since a time or in all that is kept.
    ///
    /// Owner hits are counted from the histories of the assignments, and so are turns: one whose offer
    /// was turned down, or whose work was taken away, was a turn. A history does not say by which group a
    /// turn was. That of the latest decision is known; an earlier one counts where the assignment goes by
    /// this group and no other, and the rep is still a member. Who was passed over is known of the latest
    /// decision only, and only members named there count (at most 16 a target).
    ///
    /// # Errors
    ///
    /// [`Rejection::NotFound`].
    pub fn report(
        &self,
        team: &TeamId,
        group: &GroupId,
        since: Option<Time>,
    ) -> Result<GroupReport, Rejection> {
        let team = self.at(team)?;
        let state = team.group(group)?;
        let mut members: BTreeMap<MemberName, RepReport> = BTreeMap::new();
        for (place, (occupant, _)) in (1..).zip(state.ring.members()) {
            let Some(name) = name(occupant, &team.reps) else { continue };
            let open = match occupant {
                Occupant::Rep(uid) => team.reps.get(*uid).map_or(0, |rep| rep.open),
                Occupant::Option(_) | Occupant::Group(_) => 0,
            };
            members.insert(name.clone(), RepReport { place: Some(place), open, ..nothing(name) });
        }
        let present: BTreeSet<MemberName> = members.keys().cloned().collect();
        let is_member = |name: &MemberName| present.contains(name);
        let mut decisions = 0;
        for record in team.assignments.iter() {
            let assignment = &*record.assignment;
            let is_in_time = |time: Time| since.is_none_or(|since| time >= since);
            let mut of = |name: MemberName, count: &mut dyn FnMut(&mut RepReport)| {
                count(members.entry(name.clone()).or_insert_with(|| nothing(name)));
            };
            for rep in given(&assignment.history, Cause::Owner, is_in_time) {
                of(rep, &mut |report| report.owner_hits += 1);
            }
            let (earlier, latest) = by_decision(assignment);
            if goes_only_by(team, assignment, group) {
                for rep in given(earlier, Cause::Rotation, is_in_time).filter(&is_member) {
                    of(rep, &mut |report| report.turns += 1);
                }
            }
            if !is_in_time(assignment.decision.time) {
                continue;
            }
            let mut is_counted = false;
            for trace in &assignment.decision.targets {
                if trace.target.kind != TargetKind::Group(group.clone()) {
                    continue;
                }
                is_counted = true;
                if trace.outcome == TargetOutcome::Picked {
                    let mut rep = given(latest, Cause::Rotation, is_in_time);
                    rep.next().into_iter().for_each(|rep| of(rep, &mut |r| r.turns += 1));
                }
                for passed in &trace.skipped.named {
                    let count = &mut |report: &mut RepReport| {
                        *report.passed_over.entry(passed.reason).or_default() += 1;
                    };
                    of(MemberName::Rep(passed.rep.clone()), count);
                }
            }
            if let Some(picked) = assignment.option.as_ref().filter(|option| option.group == *group)
            {
                is_counted = true;
                of(MemberName::Option(picked.option.clone()), &mut |report| report.turns += 1);
            }
            decisions += u64::from(is_counted);
        }
        let mut members: Vec<RepReport> = members.into_values().collect();
        members.sort_by_key(|report| (report.place.is_none(), report.place));
        Ok(GroupReport { group: group.clone(), since, decisions, members })
    }
}

/// Whom the steps of this cause name.
fn given(
    steps: &[Step],
    cause: Cause,
    is_in_time: impl Fn(Time) -> bool,
) -> impl Iterator<Item = MemberName> {
    let steps = steps.iter().filter(move |step| step.cause == cause && is_in_time(step.time));
    steps.filter_map(|step| step.rep.clone().map(MemberName::Rep))
}

/// The history before the latest decision, and from it on.
fn by_decision(assignment: &Assignment) -> (&[Step], &[Step]) {
    let history = assignment.history.as_slice();
    let is_decided = |step: &Step| assignment.decided().is_some_and(|d| std::ptr::eq(d, step));
    let place = history.iter().position(is_decided).unwrap_or(history.len());
    history.split_at_checked(place).unwrap_or((history, &[]))
}

/// Whether this is the one group that its targets name, as they are and as the decision tried them.
fn goes_only_by(team: &Team, assignment: &Assignment, group: &GroupId) -> bool {
    let targets = team.standing_targets(&assignment.via).unwrap_or(Targets::None);
    let tried = assignment.decision.targets.iter().map(|trace| &trace.target);
    let mut groups = targets.iter().chain(tried).filter_map(|target| match &target.kind {
        TargetKind::Group(group) => Some(group),
        TargetKind::Owner(_) | TargetKind::Rep(_) => None,
    });
    let mut is_named = false;
    groups.all(|other| {
        is_named = true;
        other == group
    }) && is_named
}

fn nothing(member: MemberName) -> RepReport {
    let passed_over = BTreeMap::new();
    RepReport { member, place: None, turns: 0, owner_hits: 0, passed_over, open: 0 }
}
