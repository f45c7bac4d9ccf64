//! What can be done to reps: create, delete, set out of office and clear it.
//!
//! Each may leave the team half changed when it refuses; `team` puts it back. Coverage is judged
//! there, afterwards.

use std::collections::BTreeMap;

use super::{
    GroupId, Interval, IntervalSet, Outcome, Rejection, RepId, Time,
    limits::{OUT_OF_OFFICE_INTERVALS_MAX, REPS_PER_TEAM_MAX},
    record::{RepRecord, RepUid},
    team::{Named, Team, default_group, is_default},
};

impl Team {
    pub(super) fn create_rep(
        &mut self,
        id: &RepId,
        display_name: &str,
        email: Option<&str>,
        external_ids: &BTreeMap<String, String>,
        disabled: bool,
        now: Time,
    ) -> Result<Outcome, Rejection> {
        let uid = RepUid(self.record.last_rep.0 + 1);
        let record = RepRecord {
            uid,
            id: id.clone(),
            display_name: display_name.to_owned(),
            email: email.map(str::to_owned),
            external_ids: external_ids.clone(),
            disabled,
            out_of_office: IntervalSet::default(),
            out_of_office_note: String::new(),
            out_of_office_set_by: String::new(),
            create_time: now,
        };
        self.reps.check_unique(&record)?;
        if self.reps.len() >= REPS_PER_TEAM_MAX {
            return Err(too_many("reps in a team", REPS_PER_TEAM_MAX));
        }
        self.sum.remove(&self.record);
        self.record.last_rep = uid;
        self.sum.add(&self.record);
        self.reps.insert(&mut self.sum, record);
        if let Some(group) = self.groups.get_mut(&default_group()) {
            group.add(&mut self.sum, uid, 1, now);
        }
        self.rep_outcome(id)
    }

    /// Their assignments keep their name (S0-36).
    pub(super) fn delete_rep(&mut self, id: &RepId) -> Result<Outcome, Rejection> {
        let uid = self.reps.find(id)?.record.uid;
        let memberships = self.groups.iter().filter(|(_, group)| group.ring.seat(uid).is_some());
        let memberships: Vec<(GroupId, usize)> =
            memberships.map(|(id, group)| (id.clone(), group.ring.len())).collect();
        let emptied = memberships.iter().filter(|(group, size)| *size == 1 && !is_default(group));
        let emptied: Vec<GroupId> = emptied.map(|(group, _)| group.clone()).collect();
        if !emptied.is_empty() {
            return Err(Rejection::GroupTooSmall { groups: emptied });
        }
        let campaigns = self.campaigns_naming(&Named::Rep(id));
        if !campaigns.is_empty() {
            return Err(Rejection::RepInUse { rep: id.clone(), campaigns });
        }
        for (group, _) in &memberships {
            if let Some(group) = self.groups.get_mut(group) {
                group.remove(&mut self.sum, uid);
            }
        }
        self.reps.remove(&mut self.sum, uid);
        Ok(Outcome::Deleted)
    }

    pub(super) fn set_out_of_office(
        &mut self,
        id: &RepId,
        start: Option<Time>,
        end: Option<Time>,
        note: &str,
        principal: &str,
        now: Time,
    ) -> Result<Outcome, Rejection> {
        let more = window(start, end.unwrap_or(Time::FOREVER), now)?;
        let record = &self.reps.find(id)?.record;
        let (uid, old) = (record.uid, &record.out_of_office);
        let new = old.union(more);
        if new != *old {
            let new = within_limit(new.without_ended(now))?;
            self.reps.change(&mut self.sum, uid, |rep| {
                rep.out_of_office = new;
                note.clone_into(&mut rep.out_of_office_note);
                principal.clone_into(&mut rep.out_of_office_set_by);
            });
        }
        self.rep_outcome(id)
    }

    pub(super) fn clear_out_of_office(
        &mut self,
        id: &RepId,
        start: Option<Time>,
        end: Option<Time>,
        now: Time,
    ) -> Result<Outcome, Rejection> {
        let given = end.map(|end| window(start, end, now)).transpose()?;
        let record = &self.reps.find(id)?.record;
        let (uid, old) = (record.uid, &record.out_of_office);
        let start = start.unwrap_or(now).max(now);
        let to_the_end = || old.covering(start).map(|i| Interval { start, end: i.end });
        if let Some(cut) = given.or_else(to_the_end) {
            let new = old.minus(cut);
            if new != *old {
                let new = within_limit(new.without_ended(now))?;
                self.reps.change(&mut self.sum, uid, |rep| rep.out_of_office = new);
            }
        }
        self.rep_outcome(id)
    }

    fn rep_outcome(&self, id: &RepId) -> Result<Outcome, Rejection> {
        self.reps.find(id).map(|rep| Outcome::Rep(rep.view()))
    }
}

/// `[start or now, end)`, of which nothing lies in the past.
fn window(start: Option<Time>, end: Time, now: Time) -> Result<Interval, Rejection> {
    let start = start.unwrap_or(now).max(now);
    if start < end { Ok(Interval { start, end }) } else { Err(Rejection::EmptyWindow) }
}

/// What has ended is forgotten at the next change, so that the limit counts absences to come.
fn within_limit(set: IntervalSet) -> Result<IntervalSet, Rejection> {
    if set.intervals().len() > OUT_OF_OFFICE_INTERVALS_MAX {
        let limit = u64::try_from(OUT_OF_OFFICE_INTERVALS_MAX).unwrap_or(u64::MAX);
        return Err(Rejection::TooManyIntervals { limit });
    }
    Ok(set)
}

fn too_many(what: &str, limit: usize) -> Rejection {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    Rejection::TooMany { what: what.to_owned(), limit }
}
