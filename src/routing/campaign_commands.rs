//! What can be done to campaigns: create, update, and the steps of their life.
//!
//! Each may leave the team half changed when it refuses; `team` puts it back. A change of targets is
//! judged twice: here by what a launch needs, if the campaign is routing, and by the guard in `team`.

use std::sync::Arc;

use super::{
    Campaign, CampaignId, CampaignState, Outcome, Rejection, ResourceKind, Target, TargetKind,
    Time, coverage, team::Team,
};

impl Team {
    pub(super) fn create_campaign(
        &mut self,
        id: &CampaignId,
        display_name: &str,
        targets: Option<&[Target]>,
        now: Time,
    ) -> Result<Outcome, Rejection> {
        if self.campaigns.contains_key(id) {
            let id = id.to_string();
            return Err(Rejection::AlreadyExists { kind: ResourceKind::Campaign, id });
        }
        self.check_targets_exist(targets)?;
        let campaign = Campaign {
            id: id.clone(),
            display_name: display_name.to_owned(),
            targets: targets.map(<[Target]>::to_vec),
            state: CampaignState::Draft,
            create_time: now,
        };
        self.sum.add(&campaign);
        self.campaigns.insert(id.clone(), Arc::new(campaign));
        self.campaign_outcome(id, now)
    }

    pub(super) fn update_campaign(
        &mut self,
        id: &CampaignId,
        targets: Option<&Option<Vec<Target>>>,
        display_name: Option<&str>,
        now: Time,
    ) -> Result<Outcome, Rejection> {
        self.campaign(id)?;
        self.check_targets_exist(targets.and_then(|targets| targets.as_deref()))?;
        let state = self.campaign(id)?.state;
        if state == CampaignState::Cancelled {
            return Err(Rejection::WrongCampaignState { campaign: id.clone(), state });
        }
        self.change_campaign(id, |campaign| {
            if let Some(targets) = targets {
                campaign.targets.clone_from(targets);
            }
            if let Some(name) = display_name {
                name.clone_into(&mut campaign.display_name);
            }
        });
        if targets.is_some() && state != CampaignState::Draft {
            coverage::check_available_now(self, self.campaign(id)?, now)?;
        }
        self.campaign_outcome(id, now)
    }

    pub(super) fn launch_campaign(
        &mut self,
        id: &CampaignId,
        now: Time,
    ) -> Result<Outcome, Rejection> {
        let campaign = self.campaign(id)?;
        if campaign.state == CampaignState::Draft {
            coverage::check_available_now(self, campaign, now)?;
        }
        self.step_campaign(id, CampaignState::Draft, CampaignState::Running, now)
    }

    /// From one state to another; a campaign in any third is refused, and so is one already there.
    pub(super) fn step_campaign(
        &mut self,
        id: &CampaignId,
        from: CampaignState,
        to: CampaignState,
        now: Time,
    ) -> Result<Outcome, Rejection> {
        let state = self.campaign(id)?.state;
        if state != from {
            return Err(Rejection::WrongCampaignState { campaign: id.clone(), state });
        }
        self.change_campaign(id, |campaign| campaign.state = to);
        self.campaign_outcome(id, now)
    }

    /// From any state, so that cancelling twice is no error.
    pub(super) fn cancel_campaign(
        &mut self,
        id: &CampaignId,
        now: Time,
    ) -> Result<Outcome, Rejection> {
        self.campaign(id)?;
        self.change_campaign(id, |campaign| campaign.state = CampaignState::Cancelled);
        self.campaign_outcome(id, now)
    }

    fn check_targets_exist(&self, targets: Option<&[Target]>) -> Result<(), Rejection> {
        for target in targets.unwrap_or_default() {
            match &target.kind {
                TargetKind::Owner(_) => {}
                TargetKind::Group(group) => {
                    self.group(group)?;
                }
                TargetKind::Rep(rep) => {
                    self.reps.find(rep)?;
                }
            }
        }
        Ok(())
    }

    fn change_campaign(&mut self, id: &CampaignId, change: impl FnOnce(&mut Campaign)) {
        let Some(campaign) = self.campaigns.get_mut(id) else { return };
        self.sum.remove(&**campaign);
        change(Arc::make_mut(campaign));
        self.sum.add(&**campaign);
    }

    fn campaign_outcome(&self, id: &CampaignId, now: Time) -> Result<Outcome, Rejection> {
        let campaign = self.campaign(id)?;
        let warnings = coverage::warnings(self, campaign, now);
        Ok(Outcome::Campaign(Campaign::clone(campaign), warnings))
    }
}
