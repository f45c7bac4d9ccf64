//! What can be done to a team: create, update, delete. Creating and deleting are completed in `state`.

use super::{
    CampaignId, Meta, Rejection, Revision, RuleId, TeamChange, TeamId, Via, coverage,
    group::GroupState,
    record::{GroupRecord, RepUid, TeamRecord},
    settings::{CursorScope, GroupKind, Route, Strategy},
    state::At,
    team::{Done, Named, Team, default_group},
};

/// Campaigns that a refusal names.
const CAMPAIGNS_NAMED_MAX: usize = 16;

impl Team {
    /// A team with its empty default group.
    pub(super) fn new(
        id: TeamId,
        display_name: &str,
        labels: &super::Labels,
        time_zone: &str,
        at: At,
    ) -> Self {
        let record = TeamRecord {
            id,
            display_name: display_name.to_owned(),
            time_zone: time_zone.to_owned(),
            default_rule: None,
            meta: new_meta(labels, at),
            last_rep: RepUid(0),
        };
        let mut team = Self::bare(record);
        let record = GroupRecord {
            id: default_group(),
            display_name: "All reps".to_owned(),
            kind: GroupKind::Reps,
            strategy: Strategy::RoundRobin,
            require_online: false,
            cursor_scope: CursorScope::Campaign,
            restart: None,
            period_cap: None,
            meta: new_meta(&super::Labels::new(), at),
            last_key: 0,
        };
        let group = GroupState::new(&mut team.sum, record);
        team.groups.insert(default_group(), group);
        team
    }

    pub(super) fn update_team(
        &mut self,
        change: &TeamChange,
        by: &str,
        at: At,
    ) -> Result<Done, Rejection> {
        let TeamChange { display_name, labels, time_zone, default_rule } = change;
        if let Some(Some(rule)) = default_rule {
            self.rule(rule)?;
        }
        let mut record = self.record.clone();
        set(&mut record.display_name, display_name.as_ref());
        set(&mut record.meta.labels, labels.as_ref());
        set(&mut record.time_zone, time_zone.as_ref());
        set(&mut record.default_rule, default_rule.as_ref());
        if record == self.record {
            return Ok(Done::Team);
        }
        let reroutes = record.default_rule != self.record.default_rule;
        touch(&mut record.meta, at);
        self.sum.remove(&self.record);
        self.record = record;
        self.sum.add(&self.record);
        if reroutes {
            self.retargeted(|route| *route == Route::Default, at)?;
            self.restart_routed(
                |team, via| team.goes_by(via, |route| *route == Route::Default),
                by,
                at,
            );
        }
        Ok(Done::Team)
    }

    /// # Errors
    ///
    /// [`Rejection::TeamInUse`].
    pub(super) fn check_unused(&self) -> Result<Done, Rejection> {
        let active = coverage::active(self).map(|campaign| campaign.id.clone());
        let campaigns: Vec<CampaignId> = active.take(CAMPAIGNS_NAMED_MAX).collect();
        let open = u64::try_from(self.assignments.open_len()).unwrap_or(u64::MAX);
        if campaigns.is_empty() && open == 0 {
            Ok(Done::Deleted)
        } else {
            Err(Rejection::TeamInUse { campaigns, open })
        }
    }

    /// Judges the RUNNING and PAUSED campaigns of these routes, whose targets have changed.
    ///
    /// # Errors
    ///
    /// [`Rejection::GroupHasNoAvailableRep`].
    pub(super) fn retargeted(
        &self,
        is_changed: impl Fn(&Route) -> bool,
        at: At,
    ) -> Result<(), Rejection> {
        let routing = coverage::active(self).filter(|c| coverage::routes(c.state));
        for campaign in routing.filter(|campaign| is_changed(&campaign.route)) {
            coverage::check_available_now(self, campaign, at.now)?;
        }
        Ok(())
    }

    /// Whether a call goes by a route of some kind.
    pub(super) fn goes_by(&self, via: &Via, is_meant: impl Fn(&Route) -> bool) -> bool {
        match via {
            Via::DefaultRule | Via::Rep(_) => is_meant(&Route::Default),
            Via::Rule(rule) => is_meant(&Route::Rule(rule.clone())),
            Via::Campaign(id) => {
                self.campaigns.get(id).is_some_and(|campaign| is_meant(&campaign.route))
            }
            Via::Group(_) => false,
        }
    }

    /// Starts all that wait by targets which have changed again at the first, in the order in which
    /// they are served; those that are offered stay.
    pub(super) fn restart_routed(
        &mut self,
        is_routed: impl Fn(&Self, &Via) -> bool,
        by: &str,
        at: At,
    ) {
        let is_routed = |id: &super::AssignmentId| {
            let record = self.assignments.get(*id);
            record.is_some_and(|record| is_routed(self, &record.assignment.via))
        };
        let is_offered = |id: &super::AssignmentId| {
            let record = self.assignments.get(*id);
            record.is_some_and(|r| r.assignment.state == super::AssignmentState::Offered)
        };
        // Told apart before any of them is started again, for then one may become the other.
        let waiting: Vec<_> =
            self.assignments.waiting.all().into_iter().filter(is_routed).collect();
        let timed = self.assignments.waiting.timed();
        let offered: Vec<_> = timed.into_iter().filter(is_offered).filter(is_routed).collect();
        offered.into_iter().chain(waiting).for_each(|id| self.restart(id, by, at));
    }

    /// The active campaigns that go to this group, or this rep.
    pub(super) fn campaigns_naming(&self, named: &Named<'_>) -> Vec<CampaignId> {
        let active = coverage::active(self);
        let naming = active.filter(|c| named.is_among(self.targets_of(&c.route)));
        naming.map(|campaign| campaign.id.clone()).collect()
    }

    /// The rules that name this group, or this rep.
    pub(super) fn rules_naming(&self, named: &Named<'_>) -> Vec<RuleId> {
        let naming = self.rules.values().filter(|rule| named.is_among(&rule.targets));
        naming.map(|rule| rule.id.clone()).collect()
    }

    pub(super) fn view(&self) -> super::Team {
        super::Team {
            id: self.record.id.clone(),
            display_name: self.record.display_name.clone(),
            time_zone: self.record.time_zone.clone(),
            default_rule: self.record.default_rule.clone(),
            meta: self.record.meta.clone(),
        }
    }
}

/// Of something made now.
pub(super) fn new_meta(labels: &super::Labels, at: At) -> Meta {
    let (labels, revision) = (labels.clone(), Revision::from(at.position));
    Meta { labels, create_time: at.now, update_time: at.now, revision }
}

/// Of something changed now.
pub(super) fn touch(meta: &mut Meta, at: At) {
    meta.update_time = at.now;
    meta.revision = Revision::from(at.position);
}

/// Sets what is to be set.
pub(super) fn set<T: Clone>(field: &mut T, new: Option<&T>) {
    if let Some(new) = new {
        field.clone_from(new);
    }
}
