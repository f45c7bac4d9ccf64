//! What can be done to campaigns: create, update, delete, and the steps of their life.
//!
//! Each may leave the team half changed when it refuses; `team` puts it back. A change of route is
//! judged twice: here by what a launch needs, if the campaign is routing, and by the guard in `team`.

use std::sync::Arc;

use super::{
    Campaign, CampaignId, CampaignState, Cause, Labels, Rejection, ResourceKind, Time, Via,
    coverage,
    settings::Route,
    state::At,
    team::{Done, Team},
    team_commands::{new_meta, set, touch},
};

impl Team {
    pub(super) fn create_campaign(
        &mut self,
        id: &CampaignId,
        display_name: &str,
        labels: &Labels,
        route: &Route,
        at: At,
    ) -> Result<Done, Rejection> {
        if self.campaigns.contains_key(id) {
            let id = id.to_string();
            return Err(Rejection::AlreadyExists { kind: ResourceKind::Campaign, id });
        }
        self.check_route(route)?;
        let campaign = Campaign {
            id: id.clone(),
            display_name: display_name.to_owned(),
            route: route.clone(),
            state: CampaignState::Draft,
            launch_time: None,
            meta: new_meta(labels, at),
        };
        self.sum.add(&campaign);
        self.campaigns.insert(id.clone(), Arc::new(campaign));
        Ok(Done::Campaign(id.clone()))
    }

    pub(super) fn update_campaign(
        &mut self,
        id: &CampaignId,
        (display_name, labels): (Option<&str>, Option<&Labels>),
        route: Option<&Route>,
        by: &str,
        at: At,
    ) -> Result<Done, Rejection> {
        let old = Arc::clone(self.campaign(id)?);
        if let Some(route) = route {
            self.check_route(route)?;
        }
        if old.state == CampaignState::Cancelled {
            return Err(Rejection::WrongCampaignState { campaign: id.clone(), state: old.state });
        }
        self.change_campaign(id, at, |campaign| {
            if let Some(name) = display_name {
                name.clone_into(&mut campaign.display_name);
            }
            set(&mut campaign.meta.labels, labels);
            set(&mut campaign.route, route);
        });
        if route.is_some_and(|route| *route != old.route) {
            if coverage::routes(old.state) {
                coverage::check_available_now(self, self.campaign(id)?, at.now)?;
            }
            let via = Via::Campaign(id.clone());
            self.restart_routed(|_, other| *other == via, by, at);
        }
        Ok(Done::Campaign(id.clone()))
    }

    /// Its assignments stay; its places in the rings go.
    pub(super) fn delete_campaign(
        &mut self,
        id: &CampaignId,
        allow_missing: bool,
    ) -> Result<Done, Rejection> {
        let campaign = match self.campaign(id) {
            Err(_) if allow_missing => return Ok(Done::Deleted),
            found => Arc::clone(found?),
        };
        let state = campaign.state;
        if state != CampaignState::Cancelled {
            return Err(Rejection::WrongCampaignState { campaign: id.clone(), state });
        }
        let key = Some(id.clone());
        let with_place = self.groups.iter().filter(|(_, g)| g.rotations.contains_key(&key));
        let with_place: Vec<_> = with_place.map(|(group, _)| group.clone()).collect();
        for group in &with_place {
            if let Some(group) = self.groups.get_mut(group) {
                group.drop_rotation(&mut self.sum, &key);
            }
        }
        self.sum.remove(&*campaign);
        self.campaigns.remove(id);
        self.assignments.waiting.rouse_all();
        Ok(Done::Deleted)
    }

    pub(super) fn schedule_campaign(
        &mut self,
        id: &CampaignId,
        launch_time: Option<Time>,
        at: At,
    ) -> Result<Done, Rejection> {
        let from = [CampaignState::Draft, CampaignState::Scheduled];
        self.step_campaign(id, &from, CampaignState::Scheduled, at)?;
        self.change_campaign(id, at, |campaign| campaign.launch_time = launch_time);
        Ok(Done::Campaign(id.clone()))
    }

    pub(super) fn launch_campaign(&mut self, id: &CampaignId, at: At) -> Result<Done, Rejection> {
        let from = [CampaignState::Draft, CampaignState::Scheduled];
        self.step_campaign(id, &from, CampaignState::Running, at)?;
        coverage::check_available_now(self, self.campaign(id)?, at.now)?;
        Ok(Done::Campaign(id.clone()))
    }

    /// From one of some states to another; a campaign in any other is refused, also in that one.
    pub(super) fn step_campaign(
        &mut self,
        id: &CampaignId,
        from: &[CampaignState],
        to: CampaignState,
        at: At,
    ) -> Result<Done, Rejection> {
        let state = self.campaign(id)?.state;
        if !from.contains(&state) {
            return Err(Rejection::WrongCampaignState { campaign: id.clone(), state });
        }
        self.change_campaign(id, at, |campaign| campaign.state = to);
        Ok(Done::Campaign(id.clone()))
    }

    /// From any state, so that cancelling twice is no error. Nobody is lost: what waits by it or is
    /// offered can be claimed.
    pub(super) fn cancel_campaign(
        &mut self,
        id: &CampaignId,
        by: &str,
        at: At,
    ) -> Result<Done, Rejection> {
        self.campaign(id)?;
        self.change_campaign(id, at, |campaign| campaign.state = CampaignState::Cancelled);
        self.strand_all(&Via::Campaign(id.clone()), Cause::CampaignCancelled, by, at);
        Ok(Done::Campaign(id.clone()))
    }

    fn check_route(&self, route: &Route) -> Result<(), Rejection> {
        match route {
            Route::Default => Ok(()),
            Route::Rule(rule) => self.rule(rule).map(drop),
            Route::Targets(targets) => self.check_targets(targets),
        }
    }

    fn change_campaign(&mut self, id: &CampaignId, at: At, change: impl FnOnce(&mut Campaign)) {
        let Some(campaign) = self.campaigns.get_mut(id) else { return };
        let mut new = Campaign::clone(campaign);
        change(&mut new);
        if new != **campaign {
            touch(&mut new.meta, at);
            self.sum.replace(Some(&**campaign), &new);
            *campaign = Arc::new(new);
        }
    }
}
