//! What can be done to reps: create, update, delete, out of office, presence, working hours.
//!
//! Each may leave the team half changed when it refuses; `team` puts it back. Coverage is judged
//! there, afterwards.

use std::sync::Arc;

use super::{
    GroupId, Hours, Interval, IntervalSet, OpenAssignments, Presence, Rejection, RepChange, RepId,
    RepSettings, Time,
    engine::absence_end,
    limits::{OUT_OF_OFFICE_INTERVALS_MAX, REPS_PER_TEAM_MAX},
    record::{Occupant, RepRecord, RepUid},
    state::At,
    team::{Done, Named, Team, default_group, is_default},
    team_commands::{new_meta, set, touch},
};

impl Team {
    pub(super) fn create_rep(
        &mut self,
        id: &RepId,
        settings: &RepSettings,
        at: At,
    ) -> Result<Done, Rejection> {
        let RepSettings { display_name, labels, email, external_ids, disabled, max_open, hours } =
            settings;
        let uid = RepUid(self.record.last_rep.0 + 1);
        let record = RepRecord {
            uid,
            id: id.clone(),
            display_name: display_name.clone(),
            email: email.clone(),
            external_ids: external_ids.clone(),
            disabled: *disabled,
            max_open: *max_open,
            presence: Presence::default(),
            out_of_office: IntervalSet::default(),
            out_of_office_note: String::new(),
            out_of_office_set_by: String::new(),
            meta: new_meta(labels, at),
        };
        self.reps.check_unique(&record)?;
        if self.reps.len() >= REPS_PER_TEAM_MAX {
            return Err(too_many("reps in a team", REPS_PER_TEAM_MAX));
        }
        self.sum.remove(&self.record);
        self.record.last_rep = uid;
        self.sum.add(&self.record);
        let hours = hours.clone().map(Arc::new);
        self.assignments.waiting.rouse_names(&record);
        self.reps.insert(&mut self.sum, record, hours);
        self.stands(uid, at.now, |_, _| ());
        self.join(&default_group(), Occupant::Rep(uid), "", 1, at.now);
        Ok(Done::Rep(id.clone()))
    }

    pub(super) fn update_rep(
        &mut self,
        id: &RepId,
        change: &RepChange,
        at: At,
    ) -> Result<Done, Rejection> {
        let RepChange { display_name, labels, email, external_ids, disabled, max_open, hours } =
            change;
        let rep = self.reps.find(id)?;
        let (uid, old_hours) = (rep.record.uid, rep.hours.clone());
        let mut record = RepRecord::clone(&rep.record);
        set(&mut record.display_name, display_name.as_ref());
        set(&mut record.meta.labels, labels.as_ref());
        set(&mut record.email, email.as_ref());
        set(&mut record.external_ids, external_ids.as_ref());
        set(&mut record.disabled, disabled.as_ref());
        set(&mut record.max_open, max_open.as_ref());
        let hours = hours.clone().map(|hours| hours.map(Arc::new)).unwrap_or(old_hours.clone());
        if record == *rep.record && hours == old_hours {
            return Ok(Done::Rep(id.clone()));
        }
        self.reps.check_unique(&record)?;
        touch(&mut record.meta, at);
        self.stands(uid, at.now, |reps, sum| {
            reps.change(sum, uid, |rep| *rep = record);
            if hours != old_hours {
                reps.set_hours(sum, uid, hours);
            }
        });
        Ok(Done::Rep(id.clone()))
    }

    /// Their assignments keep their name (S0-36), or are routed again.
    pub(super) fn delete_rep(
        &mut self,
        id: &RepId,
        open: OpenAssignments,
        allow_missing: bool,
        by: &str,
        at: At,
    ) -> Result<Done, Rejection> {
        let rep = match self.reps.find(id) {
            Err(_) if allow_missing => return Ok(Done::Deleted),
            found => found?,
        };
        let (uid, groups) = (rep.record.uid, rep.groups.clone());
        self.assignments.waiting.rouse_names(&rep.record);
        let is_alone = |group: &&GroupId| {
            !is_default(group) && self.groups.get(*group).is_some_and(|g| g.ring.len() == 1)
        };
        let emptied: Vec<GroupId> = groups.iter().filter(is_alone).cloned().collect();
        if !emptied.is_empty() {
            return Err(Rejection::GroupTooSmall { groups: emptied });
        }
        let named = Named::Rep(id);
        let (campaigns, rules) = (self.campaigns_naming(&named), self.rules_naming(&named));
        if !campaigns.is_empty() || !rules.is_empty() {
            return Err(Rejection::RepInUse { rep: id.clone(), campaigns, rules });
        }
        let held = self.assignments.held_by(uid);
        for group in &groups {
            self.leave(group, &Occupant::Rep(uid), at.now);
        }
        self.reps.remove(&mut self.sum, uid);
        self.delete_tokens_of(id);
        match open {
            OpenAssignments::Keep => {}
            OpenAssignments::Reroute => {
                for id in held {
                    let Some(record) = self.assignments.get(id) else { continue };
                    let record = self.remembering_first(&record);
                    self.reroute(record, by, at);
                }
            }
        }
        Ok(Done::Deleted)
    }

    pub(super) fn set_out_of_office(
        &mut self,
        id: &RepId,
        (start, end): (Option<Time>, Option<Time>),
        note: &str,
        by: &str,
        at: At,
    ) -> Result<Done, Rejection> {
        let record = &self.reps.find(id)?.record;
        let more = window(start, end.unwrap_or_else(|| absence_end(start, at)), at.now)?;
        let (uid, old) = (record.uid, &record.out_of_office);
        let new = old.union(more);
        if new != *old {
            let new = within_limit(new.without_ended(at.now))?;
            self.stands(uid, at.now, |reps, sum| {
                reps.change(sum, uid, |rep| {
                    rep.out_of_office = new;
                    note.clone_into(&mut rep.out_of_office_note);
                    by.clone_into(&mut rep.out_of_office_set_by);
                    touch(&mut rep.meta, at);
                });
            });
        }
        Ok(Done::Rep(id.clone()))
    }

    pub(super) fn clear_out_of_office(
        &mut self,
        id: &RepId,
        start: Option<Time>,
        end: Option<Time>,
        at: At,
    ) -> Result<Done, Rejection> {
        let record = &self.reps.find(id)?.record;
        let given = end.map(|end| window(start, end, at.now)).transpose()?;
        let (uid, old) = (record.uid, &record.out_of_office);
        let start = start.unwrap_or(at.now).max(at.now);
        let to_the_end = || old.covering(start).map(|i| Interval { start, end: i.end });
        if let Some(cut) = given.or_else(to_the_end) {
            let new = old.minus(cut);
            if new != *old {
                let new = within_limit(new.without_ended(at.now))?;
                self.stands(uid, at.now, |reps, sum| {
                    reps.change(sum, uid, |rep| {
                        rep.out_of_office = new;
                        touch(&mut rep.meta, at);
                    });
                });
            }
        }
        Ok(Done::Rep(id.clone()))
    }

    pub(super) fn set_presence(
        &mut self,
        id: &RepId,
        online: bool,
        ttl_us: u64,
        at: At,
    ) -> Result<Done, Rejection> {
        let uid = self.reps.find(id)?.record.uid;
        let expire_time = Time(at.now.0.saturating_add(if online { ttl_us } else { 0 }));
        self.stands(uid, at.now, |reps, sum| {
            reps.change(sum, uid, |rep| rep.presence = Presence { online, expire_time });
        });
        Ok(Done::Rep(id.clone()))
    }

    /// Nothing, if the rep has other hours by now, or these as far ahead.
    pub(super) fn renew_hours(
        &mut self,
        id: &RepId,
        hours: &Hours,
        at: At,
    ) -> Result<Done, Rejection> {
        let rep = self.reps.find(id)?;
        let uid = rep.record.uid;
        let is_newer = |old: &Arc<Hours>| old.say_the_same(hours) && old.horizon < hours.horizon;
        if rep.hours.as_ref().is_some_and(is_newer) {
            let hours = Some(Arc::new(hours.clone()));
            self.stands(uid, at.now, |reps, sum| reps.set_hours(sum, uid, hours));
        }
        Ok(Done::Rep(id.clone()))
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

pub(super) fn too_many(what: &str, limit: usize) -> Rejection {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    Rejection::TooMany { what: what.to_owned(), limit }
}
