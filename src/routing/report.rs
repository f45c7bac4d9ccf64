//! Was it fair: what a group's members got and were passed over for, from the decisions kept.
//!
//! Owns nothing and is paid for by nobody but its reader: no pick counts anything for it.

use std::collections::BTreeMap;

use super::{
    Assignment, Cause, GroupId, MemberName, Reason, Rejection, State, TargetKind, TargetOutcome,
    TeamId, Time, group::name, record::Occupant,
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
    /// Times they were picked from this group's ring.
    pub turns: u64,
    /// Contacts they got as owner, in the whole team.
    pub owner_hits: u64,
    /// Times they were named as passed over in this group's ring, by reason.
    pub passed_over: BTreeMap<Reason, u64>,
    /// Open assignments they hold now, in the whole team.
    pub open: u64,
}

impl State {
    /// How a group's work was shared, from the decisions that are kept, each assignment's latest, since
    /// a time or all of them. Only members named as passed over count as such (at most 16 a decision).
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
        let mut decisions = 0;
        for record in team.assignments.iter() {
            let assignment = &*record.assignment;
            if since.is_some_and(|since| assignment.decision.time < since) {
                continue;
            }
            let mut of = |name: MemberName, count: &mut dyn FnMut(&mut RepReport)| {
                count(members.entry(name.clone()).or_insert_with(|| nothing(name)));
            };
            let mut is_counted = false;
            if let Some(rep) = decided(assignment, Cause::Owner) {
                of(rep, &mut |report| report.owner_hits += 1);
            }
            for trace in &assignment.decision.targets {
                if trace.target.kind != TargetKind::Group(group.clone()) {
                    continue;
                }
                is_counted = true;
                if trace.outcome == TargetOutcome::Picked {
                    let rep = decided(assignment, Cause::Rotation);
                    rep.into_iter().for_each(|rep| of(rep, &mut |report| report.turns += 1));
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

/// The rep that the latest decision gave for this cause.
fn decided(assignment: &Assignment, cause: Cause) -> Option<MemberName> {
    let steps = assignment.history.iter().rev();
    let mut steps = steps.filter(|step| step.time == assignment.decision.time);
    let rep = steps.find(|step| step.cause == cause)?.rep.clone();
    rep.map(MemberName::Rep)
}

fn nothing(member: MemberName) -> RepReport {
    let passed_over = BTreeMap::new();
    RepReport { member, place: None, turns: 0, owner_hits: 0, passed_over, open: 0 }
}
