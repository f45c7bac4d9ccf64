//! What can be read: resources as values, in order of their ids, a page at a time.
//!
//! Owns no state and changes none. `after` is the last id of the page before.

use std::{ops::Bound, sync::Arc};

use imbl::OrdMap;

use super::{
    Assignment, AssignmentId, AssignmentState, Campaign, CampaignId, ContactId, Group, GroupId,
    Member, Rejection, Rep, RepId, ResourceKind, RotationView, Rule, RuleId, State, TeamId, Time,
    Token, TokenId, Warning, coverage, group::RotationKey, team::Team,
};

/// Which assignments to list: those for which all that is given holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AssignmentFilter {
    /// Of this contact.
    pub contact: Option<ContactId>,
    /// Through this campaign.
    pub campaign: Option<CampaignId>,
    /// In this state.
    pub state: Option<AssignmentState>,
    /// Of this rep.
    pub rep: Option<RepId>,
}

impl State {
    /// A team.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotFound`].
    pub fn team(&self, team: &TeamId) -> Result<super::Team, Rejection> {
        self.at(team).map(Team::view)
    }

    /// Teams by id.
    #[must_use]
    pub fn teams(&self, after: Option<&TeamId>, limit: usize) -> Vec<super::Team> {
        self::after(&self.teams, after).map(|(_, team)| team.view()).take(limit).collect()
    }

    /// A rep.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotFound`].
    pub fn rep(&self, team: &TeamId, rep: &RepId) -> Result<Rep, Rejection> {
        self.at(team)?.reps.find(rep).map(super::reps::RepState::view)
    }

    /// Reps by id.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotFound`], if the team does not exist.
    pub fn reps(
        &self,
        team: &TeamId,
        after: Option<&RepId>,
        limit: usize,
    ) -> Result<Vec<Rep>, Rejection> {
        let reps = self.at(team)?.reps.after(after);
        Ok(reps.map(super::reps::RepState::view).take(limit).collect())
    }

    /// A group with its members in ring order.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotFound`].
    pub fn group(&self, team: &TeamId, group: &GroupId) -> Result<Group, Rejection> {
        let team = self.at(team)?;
        team.group(group).map(|group| group.view(&team.reps))
    }

    /// Members of a group in ring order, those with greater keys than `after`.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotFound`].
    pub fn group_members(
        &self,
        team: &TeamId,
        group: &GroupId,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Member>, Rejection> {
        let team = self.at(team)?;
        let members = team.group(group)?.members_after(after.unwrap_or(0), &team.reps);
        Ok(members.take(limit).collect())
    }

    /// Groups by id.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotFound`], if the team does not exist.
    pub fn groups(
        &self,
        team: &TeamId,
        after: Option<&GroupId>,
        limit: usize,
    ) -> Result<Vec<Group>, Rejection> {
        let team = self.at(team)?;
        let groups = self::after(&team.groups, after).take(limit);
        Ok(groups.map(|(_, group)| group.view(&team.reps)).collect())
    }

    /// A routing rule.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotFound`].
    pub fn rule(&self, team: &TeamId, rule: &RuleId) -> Result<Rule, Rejection> {
        self.at(team)?.rule(rule).map(|rule| Rule::clone(rule))
    }

    /// Routing rules by id.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotFound`], if the team does not exist.
    pub fn rules(
        &self,
        team: &TeamId,
        after: Option<&RuleId>,
        limit: usize,
    ) -> Result<Vec<Rule>, Rejection> {
        let rules = self::after(&self.at(team)?.rules, after).take(limit);
        Ok(rules.map(|(_, rule)| Rule::clone(rule)).collect())
    }

    /// An access token.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotFound`].
    pub fn token(&self, team: &TeamId, token: &TokenId) -> Result<Token, Rejection> {
        self.at(team)?.token(token).map(|token| Token::clone(token))
    }

    /// Access tokens by id.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotFound`], if the team does not exist.
    pub fn tokens(
        &self,
        team: &TeamId,
        after: Option<&TokenId>,
        limit: usize,
    ) -> Result<Vec<Token>, Rejection> {
        let tokens = self::after(&self.at(team)?.tokens, after).take(limit);
        Ok(tokens.map(|(_, token)| Token::clone(token)).collect())
    }

    /// A campaign, with its warnings as of [`State::time`].
    ///
    /// # Errors
    ///
    /// [`Rejection::NotFound`].
    pub fn campaign(
        &self,
        team: &TeamId,
        campaign: &CampaignId,
    ) -> Result<(Campaign, Vec<Warning>), Rejection> {
        let team = self.at(team)?;
        team.campaign(campaign).map(|campaign| self.with_warnings(team, campaign))
    }

    /// Campaigns by id, with their warnings.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotFound`], if the team does not exist.
    pub fn campaigns(
        &self,
        team: &TeamId,
        after: Option<&CampaignId>,
        limit: usize,
    ) -> Result<Vec<(Campaign, Vec<Warning>)>, Rejection> {
        let team = self.at(team)?;
        let campaigns = self::after(&team.campaigns, after).take(limit);
        Ok(campaigns.map(|(_, campaign)| self.with_warnings(team, campaign)).collect())
    }

    /// An assignment as it is now.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotFound`].
    pub fn assignment(&self, team: &TeamId, id: AssignmentId) -> Result<Assignment, Rejection> {
        let found = self.at(team)?.assignments.get(id);
        let not_found =
            || Rejection::NotFound { kind: ResourceKind::Assignment, id: id.to_string() };
        found.map(|record| Assignment::clone(&record.assignment)).ok_or_else(not_found)
    }

    /// Assignments by id, which is by age. A contact or campaign unknown to the team has none.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotFound`], if the team does not exist.
    pub fn assignments(
        &self,
        team: &TeamId,
        filter: &AssignmentFilter,
        after: Option<AssignmentId>,
        limit: usize,
    ) -> Result<Vec<Assignment>, Rejection> {
        let records = self.at(team)?.assignments.list(filter, after, limit);
        Ok(records.into_iter().map(|record| Arc::unwrap_or_clone(record.assignment)).collect())
    }

    /// Where a group stands under a campaign (`None` = `-`), and who the next `next` picks would be
    /// at `now` if nothing else happened. Before its first pick it stands at (0, 0).
    ///
    /// # Errors
    ///
    /// [`Rejection::NotFound`].
    pub fn rotation(
        &self,
        team: &TeamId,
        group: &GroupId,
        campaign: Option<&CampaignId>,
        next: usize,
        now: Time,
    ) -> Result<RotationView, Rejection> {
        let team = self.at(team)?;
        let state = team.group(group)?;
        if let Some(campaign) = campaign {
            team.campaign(campaign)?;
        }
        let key = campaign.cloned();
        let next_members = team.next_members(group, &key, next, now);
        Ok(RotationView { next_members, ..state.rotation_view(&key, &team.reps, now) })
    }

    /// The rotations of a group that have begun, the one of calls without campaign first, then by
    /// campaign; without who would be next.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotFound`].
    pub fn rotations(
        &self,
        team: &TeamId,
        group: &GroupId,
        after: Option<&RotationKey>,
        limit: usize,
        now: Time,
    ) -> Result<Vec<RotationView>, Rejection> {
        let team = self.at(team)?;
        let state = team.group(group)?;
        let keys = self::after(&state.rotations, after).take(limit);
        Ok(keys.map(|(key, _)| state.rotation_view(key, &team.reps, now)).collect())
    }

    pub(super) fn at(&self, id: &TeamId) -> Result<&Team, Rejection> {
        let not_found = || Rejection::NotFound { kind: ResourceKind::Team, id: id.to_string() };
        self.teams.get(id).map(|team| &**team).ok_or_else(not_found)
    }

    fn with_warnings(&self, team: &Team, campaign: &Campaign) -> (Campaign, Vec<Warning>) {
        (campaign.clone(), coverage::warnings(team, campaign, self.time()))
    }
}

/// The entries with greater keys than `after`, or all.
pub(super) fn after<'a, K: Ord + Clone, V: Clone>(
    map: &'a OrdMap<K, V>,
    after: Option<&K>,
) -> impl Iterator<Item = (&'a K, &'a V)> + use<'a, K, V> {
    let start = after.map_or(Bound::Unbounded, |key| Bound::Excluded(key.clone()));
    map.range((start, Bound::Unbounded))
}
