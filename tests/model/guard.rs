//! Coverage: sets of reps of whom somebody must be there; launches; and what names what.

use turnwise::routing::{CampaignId, CampaignState, GroupKind, MemberName, Target, TargetKind};

use super::{
    Refusal,
    setup::{Campaign, Rep, Setup},
};

/// A coverage set.
struct Set<'a> {
    /// `None` = the team's.
    campaign: Option<&'a CampaignId>,
    reps: Vec<&'a Rep>,
}

impl Set<'_> {
    fn is_satisfied(&self, t: u64) -> bool {
        self.reps.iter().any(|rep| !rep.disabled && !rep.is_away(t))
    }
}

/// A set that existed before, and was satisfied at some instant from now on, must be so after.
pub(super) fn guard(before: &Setup, after: &Setup, now: u64) -> Result<(), Refusal> {
    let edges = before.reps.iter().chain(&after.reps).flat_map(Rep::instants);
    let instants: Vec<u64> = edges.chain([now]).filter(|t| (now..u64::MAX).contains(t)).collect();
    let (sets_before, sets_after) = (before.sets(), after.sets());
    let lost = sets_before.iter().any(|old| {
        let new = sets_after.iter().find(|new| new.campaign == old.campaign);
        let is_lost = |t: &u64| old.is_satisfied(*t) && new.is_some_and(|n| !n.is_satisfied(*t));
        instants.iter().any(is_lost)
    });
    if lost { Err("LastAvailableRep") } else { Ok(()) }
}

impl Setup {
    /// Campaigns that are not cancelled.
    pub(super) fn active(&self) -> impl Iterator<Item = &Campaign> {
        self.campaigns.iter().filter(|c| c.state != CampaignState::Cancelled)
    }

    /// What a launch, and an edit after it, need.
    pub(super) fn check_available(&self, id: &CampaignId, now: u64) -> Result<(), Refusal> {
        let mut alone = self.clone();
        alone.campaigns.retain(|c| c.id == *id);
        let satisfied = alone.sets().iter().all(|set| set.is_satisfied(now));
        if satisfied { Ok(()) } else { Err("GroupHasNoAvailableRep") }
    }

    /// The coverage sets there are.
    fn sets(&self) -> Vec<Set<'_>> {
        let mut sets: Vec<Set<'_>> = Vec::new();
        for campaign in self.active() {
            let targets = self.targets_by(&campaign.route);
            let is_owner = |target: &Target| matches!(target.kind, TargetKind::Owner(_));
            let mut reached: Option<Vec<&Rep>> = None;
            for target in &targets {
                match &target.kind {
                    TargetKind::Owner(_) => {}
                    TargetKind::Rep(id) => {
                        let named = self.reps.iter().filter(|rep| rep.id == *id);
                        reached.get_or_insert_default().extend(named);
                    }
                    TargetKind::Group(id) => {
                        let Some(group) = self.groups.iter().find(|g| g.id == *id) else {
                            continue;
                        };
                        if group.kind == GroupKind::Options {
                            continue;
                        }
                        let here =
                            |rep: &&Rep| group.find(&MemberName::Rep(rep.id.clone())).is_some();
                        reached.get_or_insert_default().extend(self.reps.iter().filter(here));
                    }
                }
            }
            let yields_reps = reached.is_some() || targets.iter().any(is_owner);
            if yields_reps && !sets.iter().any(|set| set.campaign.is_none()) {
                sets.push(Set { campaign: None, reps: self.reps.iter().collect() });
            }
            if let Some(reps) = reached {
                sets.push(Set { campaign: Some(&campaign.id), reps });
            }
        }
        sets
    }

    /// Whether a rule, or an active campaign's own targets, name this.
    pub(super) fn is_target(&self, kind: &TargetKind) -> bool {
        let of_rules = self.rules.iter().flat_map(|rule| &rule.targets);
        let of_campaigns = self.active().flat_map(Campaign::own_targets);
        of_rules.chain(of_campaigns).any(|target| target.kind == *kind)
    }
}
