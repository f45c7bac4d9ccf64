//! What can be done to routing rules: create, update, delete.
//!
//! Each may leave the team half changed when it refuses; `team` puts it back. A change of targets is
//! judged twice: here by what a launch needs, for campaigns that are routing, and by the guard in
//! `team`.

use std::sync::Arc;

use super::{
    Cause, Labels, Rejection, ResourceKind, Rule, RuleId, Target, Via, coverage,
    settings::Route,
    state::At,
    team::{Done, Team},
    team_commands::{new_meta, set, touch},
};

impl Team {
    pub(super) fn create_rule(
        &mut self,
        id: &RuleId,
        display_name: &str,
        labels: &Labels,
        targets: &[Target],
        at: At,
    ) -> Result<Done, Rejection> {
        if self.rules.contains_key(id) {
            let id = id.to_string();
            return Err(Rejection::AlreadyExists { kind: ResourceKind::Rule, id });
        }
        self.check_targets(targets)?;
        self.check_rule_name(id, display_name)?;
        let rule = Rule {
            id: id.clone(),
            display_name: display_name.to_owned(),
            targets: targets.to_vec(),
            meta: new_meta(labels, at),
        };
        self.sum.add(&rule);
        self.rules.insert(id.clone(), Arc::new(rule));
        Ok(Done::Rule(id.clone()))
    }

    pub(super) fn update_rule(
        &mut self,
        id: &RuleId,
        (display_name, labels): (Option<&str>, Option<&Labels>),
        targets: Option<&[Target]>,
        by: &str,
        at: At,
    ) -> Result<Done, Rejection> {
        let old = Arc::clone(self.rule(id)?);
        self.check_targets(targets.unwrap_or_default())?;
        let mut rule = Rule::clone(&old);
        if let Some(name) = display_name {
            self.check_rule_name(id, name)?;
            name.clone_into(&mut rule.display_name);
        }
        set(&mut rule.meta.labels, labels);
        if let Some(targets) = targets {
            rule.targets = targets.to_vec();
        }
        if rule == *old {
            return Ok(Done::Rule(id.clone()));
        }
        touch(&mut rule.meta, at);
        let reroutes = rule.targets != old.targets;
        self.sum.replace(Some(&*old), &rule);
        self.rules.insert(id.clone(), Arc::new(rule));
        if reroutes {
            let is_default = self.record.default_rule.as_ref() == Some(id);
            let goes_by_it = move |route: &Route| match route {
                Route::Default => is_default,
                Route::Rule(rule) => rule == id,
                Route::Targets(_) => false,
            };
            self.retargeted(goes_by_it, at)?;
            self.restart_routed(|team, via| team.goes_by(via, goes_by_it), by, at);
        }
        Ok(Done::Rule(id.clone()))
    }

    /// What waited by it is left to be claimed.
    pub(super) fn delete_rule(
        &mut self,
        id: &RuleId,
        allow_missing: bool,
        by: &str,
        at: At,
    ) -> Result<Done, Rejection> {
        let rule = match self.rule(id) {
            Err(_) if allow_missing => return Ok(Done::Deleted),
            found => Arc::clone(found?),
        };
        let route = Route::Rule(id.clone());
        let using = coverage::active(self).filter(|campaign| campaign.route == route);
        let campaigns: Vec<_> = using.map(|campaign| campaign.id.clone()).collect();
        let is_default = self.record.default_rule.as_ref() == Some(id);
        if !campaigns.is_empty() || is_default {
            return Err(Rejection::RuleInUse { rule: id.clone(), campaigns, is_default });
        }
        self.sum.remove(&*rule);
        self.rules.remove(id);
        self.assignments.waiting.rouse_all();
        let via = Via::Rule(id.clone());
        self.strand_all(&via, Cause::NoTarget, by, at);
        Ok(Done::Deleted)
    }

    /// Leaves all that wait or are offered by this way to be claimed.
    pub(super) fn strand_all(&mut self, via: &Via, cause: Cause, by: &str, at: At) {
        let waiting = &self.assignments.waiting;
        let mut ids: Vec<_> = waiting.all().into_iter().chain(waiting.timed()).collect();
        ids.sort();
        ids.dedup();
        let by_it = |id: &super::AssignmentId| self.assignments.is_via(*id, via);
        let ids: Vec<_> = ids.into_iter().filter(by_it).collect();
        ids.into_iter().for_each(|id| self.strand(id, cause, by, at));
    }

    fn check_rule_name(&self, id: &RuleId, display_name: &str) -> Result<(), Rejection> {
        let mut others = self.rules.values().filter(|rule| rule.id != *id);
        match others.find(|rule| rule.display_name == display_name) {
            None => Ok(()),
            Some(other) => Err(Rejection::DisplayNameTaken { rule: other.id.clone() }),
        }
    }
}
