//! The reps of one team, found by uid, id, email and external id.
//!
//! Owns uniqueness of the last three; disabled reps count. The indexes say the same as the records:
//! every change goes through `insert`, `replace` and `remove`, which also keep the hash.

use std::sync::Arc;

use imbl::OrdMap;

use super::{
    Rejection, Rep, RepId, ResourceKind,
    digest::Sum,
    record::{RepRecord, RepUid},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RepState {
    pub(super) record: Arc<RepRecord>,
    /// Open assignments they hold: counted, not a record.
    pub(super) open: u64,
}

impl RepState {
    pub(super) fn view(&self) -> Rep {
        self.record.view(self.open)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Reps {
    /// In creation order.
    by_uid: OrdMap<RepUid, RepState>,
    by_id: OrdMap<RepId, RepUid>,
    by_email: OrdMap<String, RepUid>,
    by_external_id: OrdMap<(String, String), RepUid>,
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

    /// # Errors
    ///
    /// [`Rejection::AlreadyExists`], [`Rejection::EmailTaken`], [`Rejection::ExternalIdTaken`].
    pub(super) fn check_unique(&self, record: &RepRecord) -> Result<(), Rejection> {
        if self.by_id.contains_key(&record.id) {
            let id = record.id.to_string();
            return Err(Rejection::AlreadyExists { kind: ResourceKind::Rep, id });
        }
        if let Some(other) = record.email.as_ref().and_then(|email| self.with_email(email)) {
            return Err(Rejection::EmailTaken { rep: other.record.id.clone() });
        }
        for (system, id) in &record.external_ids {
            if let Some(other) = self.with_external_id(&(system.clone(), id.clone())) {
                let rep = other.record.id.clone();
                return Err(Rejection::ExternalIdTaken { rep, system: system.clone() });
            }
        }
        Ok(())
    }

    /// Takes a rep who has passed [`Self::check_unique`].
    pub(super) fn insert(&mut self, sum: &mut Sum, record: RepRecord) {
        sum.add(&record);
        let uid = record.uid;
        self.by_id.insert(record.id.clone(), uid);
        if let Some(email) = &record.email {
            self.by_email.insert(email.clone(), uid);
        }
        for (system, id) in &record.external_ids {
            self.by_external_id.insert((system.clone(), id.clone()), uid);
        }
        self.by_uid.insert(uid, RepState { record: Arc::new(record), open: 0 });
    }

    /// Changes what no index reads: not the uid, id, email or external ids.
    pub(super) fn change(
        &mut self,
        sum: &mut Sum,
        uid: RepUid,
        change: impl FnOnce(&mut RepRecord),
    ) {
        let Some(state) = self.by_uid.get_mut(&uid) else { return };
        sum.remove(&*state.record);
        change(Arc::make_mut(&mut state.record));
        sum.add(&*state.record);
    }

    pub(super) fn remove(&mut self, sum: &mut Sum, uid: RepUid) {
        let Some(RepState { record, open: _ }) = self.by_uid.remove(&uid) else { return };
        sum.remove(&*record);
        self.by_id.remove(&record.id);
        if let Some(email) = &record.email {
            self.by_email.remove(email);
        }
        for (system, id) in &record.external_ids {
            self.by_external_id.remove(&(system.clone(), id.clone()));
        }
    }

    /// Counts one more open assignment; nothing if the rep is gone.
    pub(super) fn count_open(&mut self, uid: RepUid) {
        if let Some(state) = self.by_uid.get_mut(&uid) {
            state.open += 1;
        }
    }
}
