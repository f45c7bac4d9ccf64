//! The reps of one team, found by uid, id, email and external id, with how each stands now.
//!
//! Owns that those names are unique, and that indexes follow the records: everything goes through
//! `insert`, `change`, `set_hours` and `remove`, which also keep the hash. What depends on time, the
//! class of a rep and when it changes next, is worked out here and kept up by `team`.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use super::{
    GroupId, Rejection, Rep, RepId, ResourceKind, Time,
    digest::Sum,
    filter::{self, Class, Standing},
    record::{HoursRecord, RepRecord, RepUid},
    settings::Hours,
};

#[derive(Debug, Clone)]
pub(super) struct RepState {
    pub(super) record: Arc<RepRecord>,
    pub(super) hours: Option<Arc<Hours>>,
    /// Open assignments they hold: counted, not a record.
    pub(super) open: u64,
    /// The groups they are in.
    pub(super) groups: OrdSet<GroupId>,
    /// As of the last time it was worked out.
    pub(super) class: Class,
    next_change: Time,
    next_better: Time,
}

impl RepState {
    pub(super) fn view(&self) -> Rep {
        self.record.view(self.hours.clone(), self.open)
    }

    /// How many they hold with one more, or with one less.
    pub(super) fn open_after(&self, more: bool) -> u64 {
        if more { self.open + 1 } else { self.open.saturating_sub(1) }
    }

    pub(super) fn hours_record(&self) -> Option<HoursRecord> {
        let hours = Arc::clone(self.hours.as_ref()?);
        Some(HoursRecord { rep: self.record.uid, hours })
    }

    /// What filters look at; `is_capped` in the ring at hand.
    pub(super) fn standing(&self, is_capped: bool) -> Standing<'_> {
        Standing {
            uid: self.record.uid,
            disabled: self.record.disabled,
            out_of_office: &self.record.out_of_office,
            hours: self.hours.as_deref(),
            presence: self.record.presence,
            max_open: self.record.max_open,
            open: self.open,
            is_capped,
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Reps {
    /// In creation order.
    by_uid: OrdMap<RepUid, RepState>,
    by_id: OrdMap<RepId, RepUid>,
    by_email: OrdMap<String, RepUid>,
    by_external_id: OrdMap<(String, String), RepUid>,
    /// When time alone may change somebody's class.
    changes: OrdSet<(Time, RepUid)>,
    /// When it may better it.
    betters: OrdSet<(Time, RepUid)>,
}

impl Reps {
    pub(super) fn len(&self) -> usize {
        self.by_uid.len()
    }

    pub(super) fn get(&self, uid: RepUid) -> Option<&RepState> {
        self.by_uid.get(&uid)
    }

    /// # Errors
    ///
    /// [`Rejection::NotFound`].
    pub(super) fn find(&self, id: &RepId) -> Result<&RepState, Rejection> {
        let state = self.by_id.get(id).and_then(|uid| self.get(*uid));
        state.ok_or_else(|| Rejection::NotFound { kind: ResourceKind::Rep, id: id.to_string() })
    }

    pub(super) fn with_email(&self, email: &str) -> Option<&RepState> {
        self.by_email.get(email).and_then(|uid| self.get(*uid))
    }

    pub(super) fn with_external_id(&self, system_and_id: &(String, String)) -> Option<&RepState> {
        self.by_external_id.get(system_and_id).and_then(|uid| self.get(*uid))
    }

    /// In creation order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &RepState> {
        self.by_uid.values()
    }

    /// By id, from the first one after `after`.
    pub(super) fn after(&self, after: Option<&RepId>) -> impl Iterator<Item = &RepState> {
        super::read::after(&self.by_id, after).filter_map(|(_, uid)| self.get(*uid))
    }

    /// Whether id, email and external ids are free, or the rep's own.
    ///
    /// # Errors
    ///
    /// [`Rejection::AlreadyExists`], [`Rejection::EmailTaken`], [`Rejection::ExternalIdTaken`].
    pub(super) fn check_unique(&self, record: &RepRecord) -> Result<(), Rejection> {
        let is_other = |uid: RepUid| uid != record.uid;
        if self.by_id.get(&record.id).is_some_and(|uid| is_other(*uid)) {
            let id = record.id.to_string();
            return Err(Rejection::AlreadyExists { kind: ResourceKind::Rep, id });
        }
        if let Some(other) = record.email.as_ref().and_then(|email| self.with_email(email))
            && is_other(other.record.uid)
        {
            return Err(Rejection::EmailTaken { rep: other.record.id.clone() });
        }
        for (system, id) in &record.external_ids {
            if let Some(other) = self.with_external_id(&(system.clone(), id.clone()))
                && is_other(other.record.uid)
            {
                let rep = other.record.id.clone();
                return Err(Rejection::ExternalIdTaken { rep, system: system.clone() });
            }
        }
        Ok(())
    }

    /// Takes a rep who has passed [`Self::check_unique`].
    pub(super) fn insert(&mut self, sum: &mut Sum, record: RepRecord, hours: Option<Arc<Hours>>) {
        sum.add(&record);
        let uid = record.uid;
        if let Some(hours) = &hours {
            sum.add(&HoursRecord { rep: uid, hours: Arc::clone(hours) });
        }
        self.point_to(&record);
        let state = RepState {
            record: Arc::new(record),
            hours,
            open: 0,
            groups: OrdSet::new(),
            class: Class::Barred,
            next_change: Time::FOREVER,
            next_better: Time::FOREVER,
        };
        self.by_uid.insert(uid, state);
    }

    /// Changes anything but the uid; what became of it has passed [`Self::check_unique`].
    pub(super) fn change(
        &mut self,
        sum: &mut Sum,
        uid: RepUid,
        change: impl FnOnce(&mut RepRecord),
    ) {
        let Some(state) = self.by_uid.get_mut(&uid) else { return };
        sum.remove(&*state.record);
        let old = Arc::clone(&state.record);
        change(Arc::make_mut(&mut state.record));
        sum.add(&*state.record);
        let new = Arc::clone(&state.record);
        if (&old.id, &old.email, &old.external_ids) != (&new.id, &new.email, &new.external_ids) {
            self.forget(&old);
            self.point_to(&new);
        }
    }

    pub(super) fn set_hours(&mut self, sum: &mut Sum, uid: RepUid, hours: Option<Arc<Hours>>) {
        let Some(state) = self.by_uid.get_mut(&uid) else { return };
        let old = std::mem::replace(&mut state.hours, hours.clone());
        let record = |hours| HoursRecord { rep: uid, hours };
        old.into_iter().for_each(|hours| sum.remove(&record(hours)));
        hours.into_iter().for_each(|hours| sum.add(&record(hours)));
    }

    pub(super) fn remove(&mut self, sum: &mut Sum, uid: RepUid) {
        self.set_hours(sum, uid, None);
        let Some(state) = self.by_uid.remove(&uid) else { return };
        sum.remove(&*state.record);
        self.changes.remove(&(state.next_change, uid));
        self.betters.remove(&(state.next_better, uid));
        self.forget(&state.record);
    }

    fn point_to(&mut self, record: &RepRecord) {
        let uid = record.uid;
        self.by_id.insert(record.id.clone(), uid);
        if let Some(email) = &record.email {
            self.by_email.insert(email.clone(), uid);
        }
        for (system, id) in &record.external_ids {
            self.by_external_id.insert((system.clone(), id.clone()), uid);
        }
    }

    fn forget(&mut self, record: &RepRecord) {
        self.by_id.remove(&record.id);
        if let Some(email) = &record.email {
            self.by_email.remove(email);
        }
        for (system, id) in &record.external_ids {
            self.by_external_id.remove(&(system.clone(), id.clone()));
        }
    }

    /// Counts open assignments more or less; nothing if the rep is gone.
    pub(super) fn count_open(&mut self, uid: RepUid, more: bool) {
        if let Some(state) = self.by_uid.get_mut(&uid) {
            state.open = state.open_after(more);
        }
    }

    pub(super) fn joins(&mut self, uid: RepUid, group: &GroupId) {
        if let Some(state) = self.by_uid.get_mut(&uid) {
            state.groups.insert(group.clone());
        }
    }

    pub(super) fn leaves(&mut self, uid: RepUid, group: &GroupId) {
        if let Some(state) = self.by_uid.get_mut(&uid) {
            state.groups.remove(group);
        }
    }

    /// Works out a rep's class and when it changes next; gives the class before and now.
    pub(super) fn classify(&mut self, uid: RepUid, now: Time) -> Option<(Class, Class)> {
        let state = self.by_uid.get_mut(&uid)?;
        let (class, (change, better)) = {
            let standing = state.standing(false);
            (filter::class(&standing, now), filter::next_changes(&standing, now))
        };
        if change != state.next_change {
            self.changes.remove(&(state.next_change, uid));
            if change < Time::FOREVER {
                self.changes.insert((change, uid));
            }
            state.next_change = change;
        }
        if better != state.next_better {
            self.betters.remove(&(state.next_better, uid));
            if better < Time::FOREVER {
                self.betters.insert((better, uid));
            }
            state.next_better = better;
        }
        let before = std::mem::replace(&mut state.class, class);
        Some((before, class))
    }

    /// Somebody whose class time may have changed by `now`.
    pub(super) fn changed_by(&self, now: Time) -> Option<RepUid> {
        self.changes.get_min().filter(|(time, _)| *time <= now).map(|(_, uid)| *uid)
    }

    /// The next instant at which time may make somebody eligible.
    pub(super) fn next_better(&self) -> Option<Time> {
        self.betters.get_min().map(|(time, _)| *time)
    }
}
