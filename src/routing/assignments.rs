//! The assignments of one team, found by id, by their work, by contact and by campaign.
//!
//! Owns that there is one open assignment per work, the work being (contact, via). Every change keeps
//! the indexes and the hash.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use super::{
    AssignmentId, CampaignId, ContactId, Via, digest::Sum, read::AssignmentFilter,
    record::AssignmentRecord,
};

/// What at most one open assignment is about.
pub(super) type Work = (ContactId, Via);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Assignments {
    /// By age.
    by_id: OrdMap<AssignmentId, Arc<AssignmentRecord>>,
    open: OrdMap<Work, AssignmentId>,
    by_contact: OrdSet<(ContactId, AssignmentId)>,
    by_campaign: OrdSet<(CampaignId, AssignmentId)>,
}

impl Assignments {
    pub(super) fn get(&self, id: AssignmentId) -> Option<&AssignmentRecord> {
        self.by_id.get(&id).map(|record| &**record)
    }

    /// The open assignment of this work.
    pub(super) fn open(&self, work: &Work) -> Option<&AssignmentRecord> {
        self.open.get(work).and_then(|id| self.get(*id))
    }

    /// By age.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<AssignmentRecord>> {
        self.by_id.values()
    }

    /// By age, from the first one after `after`.
    pub(super) fn list(
        &self,
        filter: &AssignmentFilter,
        after: Option<AssignmentId>,
        limit: usize,
    ) -> Vec<&AssignmentRecord> {
        let AssignmentFilter { contact, campaign } = filter;
        let in_campaign = |record: &&AssignmentRecord| match (campaign, &record.assignment.via) {
            (None, _) => true,
            (Some(wanted), Via::Campaign(campaign)) => wanted == campaign,
            (Some(_), Via::DefaultRule) => false,
        };
        match (contact, campaign) {
            (Some(contact), _) => {
                let ids = listed(&self.by_contact, contact, after);
                ids.filter_map(|id| self.get(id)).filter(in_campaign).take(limit).collect()
            }
            (None, Some(campaign)) => {
                let ids = listed(&self.by_campaign, campaign, after);
                ids.filter_map(|id| self.get(id)).take(limit).collect()
            }
            (None, None) => {
                let all = super::read::after(&self.by_id, after.as_ref());
                all.map(|(_, record)| &**record).take(limit).collect()
            }
        }
    }

    /// Takes a new assignment.
    ///
    /// # Panics
    ///
    /// If there is one with its id: a position of the log was given to two commands.
    pub(super) fn insert(&mut self, sum: &mut Sum, record: Arc<AssignmentRecord>) {
        sum.add(&*record);
        let assignment = &record.assignment;
        let (id, contact) = (assignment.id, assignment.contact.clone());
        if let Via::Campaign(campaign) = &assignment.via {
            self.by_campaign.insert((campaign.clone(), id));
        }
        self.by_contact.insert((contact.clone(), id));
        self.open.insert((contact, assignment.via.clone()), id);
        let old = self.by_id.insert(id, record);
        assert!(old.is_none(), "two commands at one position of the log: {id}");
    }

    /// Changes what no index reads: not the id, contact or via.
    pub(super) fn replace(&mut self, sum: &mut Sum, record: AssignmentRecord) {
        let id = record.assignment.id;
        sum.replace(self.get(id), &record);
        self.by_id.insert(id, Arc::new(record));
    }
}

fn listed<K: Ord + Clone>(
    index: &OrdSet<(K, AssignmentId)>,
    key: &K,
    after: Option<AssignmentId>,
) -> impl Iterator<Item = AssignmentId> {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let least = AssignmentId { log_index: 0, seq: 0 };
    let start = match after {
        Some(id) => Excluded((key.clone(), id)),
        None => Included((key.clone(), least)),
    };
    let range = index.range((start, Unbounded));
    range.take_while(move |(of, _)| of == key).map(|(_, id)| *id)
}
