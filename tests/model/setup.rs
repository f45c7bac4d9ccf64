//! What people set up: reps, groups, rules, campaigns; copied before each change, and put back on a
//! refusal.

use turnwise::routing::{
    CampaignId, CampaignState, Cause, CursorScope, GroupId, GroupKind, GroupSettings, Hours,
    MemberName, MemberSpec, OpenAssignments, Operation, OwnerKind, RepChange, RepId, RepSettings,
    Revision, Route, RuleId, Strategy, Target, TargetKind, TeamId, Via,
};

use super::{At, Refusal, Team, groups::Group, guard::guard};

#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub(super) id: TeamId,
    pub(super) default_rule: Option<RuleId>,
    pub(super) revision: Revision,
    pub(super) reps: Vec<Rep>,
    pub(super) groups: Vec<Group>,
    pub(super) rules: Vec<Rule>,
    pub(super) campaigns: Vec<Campaign>,
    /// Everybody ever created, in order: a rep's number is their place.
    pub(super) reps_ever: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Rep {
    pub(super) number: usize,
    pub(super) id: RepId,
    pub(super) email: Option<String>,
    pub(super) external_ids: Vec<(String, String)>,
    pub(super) disabled: bool,
    pub(super) max_open: u32,
    hours: Option<Hours>,
    /// Until when they are online.
    online_until: u64,
    /// From, until, away or back: the last one that covers an instant tells.
    away: Vec<(u64, u64, bool)>,
    pub(super) revision: Revision,
}

#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) id: RuleId,
    display_name: String,
    pub(super) targets: Vec<Target>,
    pub(super) revision: Revision,
}

#[derive(Debug, Clone)]
pub(super) struct Campaign {
    pub(super) id: CampaignId,
    pub(super) route: Route,
    pub(super) state: CampaignState,
    pub(super) revision: Revision,
}

/// A route, the default rule if it goes by that, and the targets.
type Way = (Option<Route>, Option<RuleId>, Vec<Target>);

fn revision(at: At) -> Revision {
    Revision { log_index: at.position.log_index, seq: at.position.seq }
}

impl Rep {
    pub(super) fn is_away(&self, t: u64) -> bool {
        let covers = |&&(start, end, _): &&(u64, u64, bool)| start <= t && t < end;
        self.away.iter().rev().find(covers).is_some_and(|edit| edit.2)
    }
    pub(super) fn is_off_hours(&self, t: u64) -> bool {
        self.hours.as_ref().is_some_and(|hours| {
            let open = hours.open.intervals().iter().any(|i| i.start.0 <= t && t < i.end.0);
            t < hours.horizon.0 && !open
        })
    }
    pub(super) fn is_online(&self, t: u64) -> bool {
        t < self.online_until
    }
    pub(super) fn instants(&self) -> impl Iterator<Item = u64> + '_ {
        self.away.iter().flat_map(|&(start, end, _)| [start, end])
    }

    /// Notes an absence or its end, if that changes anything.
    fn note(&mut self, start: u64, end: u64, away: bool) {
        let mut edges = self.instants().chain([start]);
        let changes = edges.any(|t| (start..end).contains(&t) && self.is_away(t) != away);
        drop(edges);
        if changes {
            self.away.push((start, end, away));
        }
    }

    fn said(&self) -> impl PartialEq + '_ {
        let Self { email, external_ids, disabled, max_open, hours, away, .. } = self;
        (email, external_ids, disabled, max_open, hours, away)
    }
}

impl Campaign {
    /// The targets of its own.
    pub(super) fn own_targets(&self) -> &[Target] {
        match &self.route {
            Route::Targets(targets) => targets,
            Route::Default | Route::Rule(_) => &[],
        }
    }
}

impl Team {
    /// Changes what people set up, and then what follows for those who wait.
    pub(super) fn change(
        &mut self,
        operation: &Operation,
        etag: Option<Revision>,
        at: At,
    ) -> Result<(), Refusal> {
        let before = self.setup.clone();
        let done = self.setup.change(operation, etag, at);
        let done = done.and_then(|()| self.setup.check_running(&before, at));
        let guarded = done.and_then(|()| guard(&before, &self.setup, at.now));
        if guarded.is_err() {
            self.setup = before;
            return guarded;
        }
        self.setup.revise(&before, operation, at);
        if let Operation::CancelCampaign { campaign } = operation {
            self.strand(&Via::Campaign(campaign.clone()), Cause::CampaignCancelled, at);
        }
        if let Operation::DeleteRule { rule, .. } = operation {
            self.strand(&Via::Rule(rule.clone()), Cause::NoTarget, at);
        }
        // There are few ways in, and much work that came by each.
        let mut edited: Vec<(Via, bool)> = Vec::new();
        for work in &mut self.work {
            let via = &work.shown.via;
            let known = edited.iter().find(|(other, _)| other == via).map(|(_, is)| *is);
            work.from_start |= known.unwrap_or_else(|| {
                let is_edited = before.way_of(via) != self.setup.way_of(via);
                edited.push((via.clone(), is_edited));
                is_edited
            });
        }
        if let Operation::DeleteRep { rep, open: OpenAssignments::Reroute, .. } = operation
            && let Some(gone) = before.reps.iter().find(|other| other.id == *rep)
        {
            self.reroute_all_of(gone.number, at);
        }
        Ok(())
    }
}

impl Setup {
    pub(super) fn new(id: TeamId, at: At) -> Self {
        let revision = revision(at);
        Self {
            id,
            default_rule: None,
            revision,
            reps: Vec::new(),
            groups: vec![Group::new(default(), &GroupSettings::default(), revision)],
            rules: Vec::new(),
            campaigns: Vec::new(),
            reps_ever: 0,
        }
    }

    /// Notes where what people said was changed: not where it was only said again, and not where
    /// members came or went as reps.
    fn revise(&mut self, before: &Self, operation: &Operation, at: At) {
        let now = revision(at);
        let of_reps =
            matches!(operation, Operation::CreateRep { .. } | Operation::DeleteRep { .. });
        if self.default_rule != before.default_rule {
            self.revision = now;
        }
        let renewed = matches!(operation, Operation::RenewHours { .. });
        for rep in self.reps.iter_mut().filter(|_| !renewed) {
            let old = before.reps.iter().find(|old| old.number == rep.number);
            if old.is_some_and(|old| old.said() != rep.said()) {
                rep.revision = now;
            }
        }
        for group in &mut self.groups {
            let old = before.groups.iter().find(|old| old.id == group.id);
            if !of_reps && old.is_some_and(|old| old.said() != group.said()) {
                group.revision = now;
            }
        }
        for rule in &mut self.rules {
            let said = |rule: &Rule| (rule.display_name.clone(), rule.targets.clone());
            let old = before.rules.iter().find(|old| old.id == rule.id);
            if old.is_some_and(|old| said(old) != said(rule)) {
                rule.revision = now;
            }
        }
        for campaign in &mut self.campaigns {
            let said = |campaign: &Campaign| (campaign.route.clone(), campaign.state);
            let old = before.campaigns.iter().find(|old| old.id == campaign.id);
            if old.is_some_and(|old| said(old) != said(campaign)) {
                campaign.revision = now;
            }
        }
    }

    pub(super) fn rep(&mut self, id: &RepId) -> Result<&mut Rep, Refusal> {
        self.reps.iter_mut().find(|rep| rep.id == *id).ok_or("NotFound")
    }
    pub(super) fn group(&mut self, id: &GroupId) -> Result<&mut Group, Refusal> {
        self.groups.iter_mut().find(|group| group.id == *id).ok_or("NotFound")
    }
    fn rule(&mut self, id: &RuleId) -> Result<&mut Rule, Refusal> {
        self.rules.iter_mut().find(|rule| rule.id == *id).ok_or("NotFound")
    }
    fn campaign(&mut self, id: &CampaignId) -> Result<&mut Campaign, Refusal> {
        self.campaigns.iter_mut().find(|campaign| campaign.id == *id).ok_or("NotFound")
    }

    /// The rep, to whom something may be given by hand.
    pub(super) fn enabled_rep(&mut self, id: &RepId) -> Result<(usize, RepId), Refusal> {
        let rep = self.rep(id)?;
        if rep.disabled { Err("RepDisabled") } else { Ok((rep.number, rep.id.clone())) }
    }

    /// The targets that a call goes through.
    pub(super) fn targets_of(&self, via: &Via) -> Result<Vec<Target>, Refusal> {
        match via {
            Via::DefaultRule | Via::Rep(_) => Ok(self.targets_by(&Route::Default)),
            Via::Rule(id) => {
                let rule = self.rules.iter().find(|rule| rule.id == *id).ok_or("NotFound")?;
                Ok(rule.targets.clone())
            }
            Via::Group(id) => {
                self.groups.iter().find(|group| group.id == *id).ok_or("NotFound")?;
                Ok(vec![Target::new(TargetKind::Group(id.clone()))])
            }
            Via::Campaign(id) => {
                let campaign = self.campaigns.iter().find(|c| c.id == *id).ok_or("NotFound")?;
                Ok(self.targets_by(&campaign.route))
            }
        }
    }

    /// Contacts are routed by campaigns that run or are paused only.
    pub(super) fn check_runs(&self, via: &Via) -> Result<(), Refusal> {
        let Via::Campaign(id) = via else { return Ok(()) };
        let campaign = self.campaigns.iter().find(|c| c.id == *id).ok_or("NotFound")?;
        match campaign.state {
            CampaignState::Running | CampaignState::Paused => Ok(()),
            CampaignState::Draft | CampaignState::Scheduled | CampaignState::Cancelled => {
                Err("CampaignNotRunning")
            }
        }
    }

    /// By what a call finds its targets, and which: where this differs, they were edited.
    fn way_of(&self, via: &Via) -> Way {
        match via {
            Via::DefaultRule | Via::Rep(_) => self.way_by(&Route::Default),
            Via::Rule(id) => self.way_by(&Route::Rule(id.clone())),
            Via::Group(_) => self.way_by(&Route::Targets(Vec::new())),
            Via::Campaign(id) => {
                let campaign = self.campaigns.iter().find(|c| c.id == *id);
                campaign.map_or((None, None, Vec::new()), |c| self.way_by(&c.route))
            }
        }
    }

    fn way_by(&self, route: &Route) -> Way {
        let rule = if *route == Route::Default { self.default_rule.clone() } else { None };
        (Some(route.clone()), rule, self.targets_by(route))
    }

    pub(super) fn targets_by(&self, route: &Route) -> Vec<Target> {
        let by_rule = |id: &RuleId| {
            let rule = self.rules.iter().find(|rule| rule.id == *id);
            rule.map(|rule| rule.targets.clone()).unwrap_or_default()
        };
        match (route, &self.default_rule) {
            (Route::Targets(targets), _) => targets.clone(),
            (Route::Rule(id), _) | (Route::Default, Some(id)) => by_rule(id),
            (Route::Default, None) => {
                let kinds = vec![OwnerKind::Contact, OwnerKind::Lead, OwnerKind::Account];
                [TargetKind::Owner(kinds), TargetKind::Group(default())].map(Target::new).to_vec()
            }
        }
    }

    fn change(
        &mut self,
        operation: &Operation,
        etag: Option<Revision>,
        at: At,
    ) -> Result<(), Refusal> {
        if self.is_missing_and_may_be(operation) {
            return Ok(());
        }
        match operation {
            Operation::CreateGroup { settings, members, .. } => {
                let group = Group::new(default(), settings, Revision::default());
                if members.len() < group.fewest() {
                    return Err("GroupTooSmall");
                }
            }
            _ => {}
        }
        let revision = self.revision_of(operation)?.copied();
        let is_stale = revision.is_some_and(|there| etag.is_some_and(|etag| etag != there));
        match self.change_anything(operation, at) {
            Err("NotFound") => Err("NotFound"),
            _ if is_stale => Err("EtagMismatch"),
            result => result,
        }
    }

    fn change_anything(&mut self, operation: &Operation, at: At) -> Result<(), Refusal> {
        match operation {
            Operation::CreateRep { .. }
            | Operation::UpdateRep { .. }
            | Operation::DeleteRep { .. }
            | Operation::SetOutOfOffice { .. }
            | Operation::ClearOutOfOffice { .. }
            | Operation::SetPresence { .. }
            | Operation::RenewHours { .. } => self.change_reps(operation, at),
            Operation::CreateGroup { .. }
            | Operation::UpdateGroup { .. }
            | Operation::DeleteGroup { .. }
            | Operation::AddGroupMembers { .. }
            | Operation::RemoveGroupMember { .. }
            | Operation::UpdateGroupMember { .. }
            | Operation::ReorderGroup { .. }
            | Operation::ResetRotation { .. }
            | Operation::AdjustRotation { .. } => self.change_groups(operation, at),
            Operation::Tick => Ok(()),
            other => self.change_routes(other, at),
        }
    }

    /// Whether it deletes what is not there, and says that this is well.
    fn is_missing_and_may_be(&mut self, operation: &Operation) -> bool {
        match operation {
            Operation::DeleteRep { rep, allow_missing: true, .. } => self.rep(rep).is_err(),
            Operation::DeleteGroup { group, allow_missing: true } => self.group(group).is_err(),
            Operation::DeleteRule { rule, allow_missing: true } => self.rule(rule).is_err(),
            Operation::DeleteCampaign { campaign, allow_missing: true } => {
                self.campaign(campaign).is_err()
            }
            _ => false,
        }
    }

    /// The revision that an etag is compared with, of what must be there.
    fn revision_of(&mut self, operation: &Operation) -> Result<Option<&Revision>, Refusal> {
        match operation {
            Operation::UpdateTeam { .. } => Ok(Some(&self.revision)),
            Operation::UpdateRep { rep, .. }
            | Operation::DeleteRep { rep, .. }
            | Operation::SetOutOfOffice { rep, .. }
            | Operation::ClearOutOfOffice { rep, .. }
            | Operation::SetPresence { rep, .. }
            | Operation::RenewHours { rep, .. } => Ok(Some(&self.rep(rep)?.revision)),
            Operation::UpdateGroup { group, .. }
            | Operation::DeleteGroup { group, .. }
            | Operation::AddGroupMembers { group, .. }
            | Operation::RemoveGroupMember { group, .. }
            | Operation::UpdateGroupMember { group, .. }
            | Operation::ReorderGroup { group, .. }
            | Operation::ResetRotation { group, .. }
            | Operation::AdjustRotation { group, .. } => Ok(Some(&self.group(group)?.revision)),
            Operation::UpdateRule { rule, .. } | Operation::DeleteRule { rule, .. } => {
                Ok(Some(&self.rule(rule)?.revision))
            }
            Operation::UpdateCampaign { campaign, .. }
            | Operation::DeleteCampaign { campaign, .. }
            | Operation::ScheduleCampaign { campaign, .. }
            | Operation::LaunchCampaign { campaign }
            | Operation::PauseCampaign { campaign }
            | Operation::ResumeCampaign { campaign }
            | Operation::CancelCampaign { campaign } => {
                Ok(Some(&self.campaign(campaign)?.revision))
            }
            _ => Ok(None),
        }
    }

    fn change_reps(&mut self, operation: &Operation, at: At) -> Result<(), Refusal> {
        let now = at.now;
        match operation {
            Operation::CreateRep { rep, settings } => self.create_rep(rep, settings, at)?,
            Operation::UpdateRep { rep, change } => self.update_rep(rep, change)?,
            Operation::DeleteRep { rep, .. } => {
                let name = MemberName::Rep(rep.clone());
                let alone = |g: &Group| {
                    g.members.len() == 1 && g.find(&name).is_some() && g.id != default()
                };
                if self.groups.iter().any(alone) {
                    return Err("GroupTooSmall");
                }
                if self.is_target(&TargetKind::Rep(rep.clone())) {
                    return Err("RepInUse");
                }
                self.groups.iter_mut().for_each(|group| group.remove(&name));
                self.reps.retain(|r| r.id != *rep);
            }
            Operation::SetOutOfOffice { rep, start, end, note: _ } => {
                let start = start.map_or(now, |t| t.0).max(now);
                let end = end.map_or(u64::MAX, |t| t.0);
                if end <= start {
                    return Err("EmptyWindow");
                }
                self.rep(rep)?.note(start, end, true);
            }
            Operation::ClearOutOfOffice { rep, start, end } => {
                let start = start.map_or(now, |t| t.0).max(now);
                if end.is_some_and(|end| end.0 <= start) {
                    return Err("EmptyWindow");
                }
                let rep = self.rep(rep)?;
                let back = rep.instants().filter(|&t| t > start && !rep.is_away(t)).min();
                match end {
                    Some(end) => rep.note(start, end.0, false),
                    None if rep.is_away(start) => rep.note(start, back.unwrap_or(u64::MAX), false),
                    None => {}
                }
            }
            Operation::SetPresence { rep, online, ttl_us } => {
                self.rep(rep)?.online_until = if *online { now + ttl_us } else { 0 };
            }
            Operation::RenewHours { rep, hours } => {
                let rep = self.rep(rep)?;
                let further = |old: &Hours| old.say_the_same(hours) && old.horizon < hours.horizon;
                if rep.hours.as_ref().is_some_and(further) {
                    rep.hours = Some(hours.clone());
                }
            }
            other => unreachable!("{other:?}"),
        }
        Ok(())
    }

    fn create_rep(&mut self, id: &RepId, said: &RepSettings, at: At) -> Result<(), Refusal> {
        if self.reps.iter().any(|rep| rep.id == *id) {
            return Err("AlreadyExists");
        }
        let external_ids: Vec<_> = said.external_ids.clone().into_iter().collect();
        self.check_unique(None, said.email.as_ref(), &external_ids)?;
        self.reps_ever += 1;
        self.reps.push(Rep {
            number: self.reps_ever,
            id: id.clone(),
            email: said.email.clone(),
            external_ids,
            disabled: said.disabled,
            max_open: said.max_open,
            hours: said.hours.clone(),
            online_until: 0,
            away: Vec::new(),
            revision: revision(at),
        });
        let member = MemberName::Rep(id.clone());
        let group = self.group(&default())?;
        group.add(&MemberSpec { member, payload: String::new(), weight: 1 });
        group.membership_changed();
        Ok(())
    }

    fn update_rep(&mut self, id: &RepId, change: &RepChange) -> Result<(), Refusal> {
        let mut rep = self.rep(id)?.clone();
        if let Some(email) = &change.email {
            rep.email.clone_from(email);
        }
        if let Some(external_ids) = &change.external_ids {
            rep.external_ids = external_ids.clone().into_iter().collect();
        }
        self.check_unique(Some(id), rep.email.as_ref(), &rep.external_ids)?;
        rep.disabled = change.disabled.unwrap_or(rep.disabled);
        rep.max_open = change.max_open.unwrap_or(rep.max_open);
        if let Some(hours) = &change.hours {
            rep.hours.clone_from(hours);
        }
        *self.rep(id)? = rep;
        Ok(())
    }

    fn check_unique(
        &self,
        own: Option<&RepId>,
        email: Option<&String>,
        external_ids: &[(String, String)],
    ) -> Result<(), Refusal> {
        let others = || self.reps.iter().filter(|rep| Some(&rep.id) != own);
        if email.is_some() && others().any(|rep| rep.email.as_ref() == email) {
            return Err("EmailTaken");
        }
        if others().flat_map(|rep| &rep.external_ids).any(|id| external_ids.contains(id)) {
            return Err("ExternalIdTaken");
        }
        Ok(())
    }

    fn change_groups(&mut self, operation: &Operation, at: At) -> Result<(), Refusal> {
        match operation {
            Operation::CreateGroup { group: id, settings, members } => {
                if self.group(id).is_ok() {
                    return Err("AlreadyExists");
                }
                let group = Group::new(id.clone(), settings, revision(at));
                group.check_kind()?;
                self.groups.push(group);
                self.add_members(id, members)?;
            }
            Operation::UpdateGroup { group: id, change } => {
                let group = self.group(id)?;
                group.set(change);
                group.check_kind()?;
            }
            Operation::DeleteGroup { group: id, .. } => {
                if *id == default() {
                    return Err("DefaultGroupImmutable");
                }
                let name = MemberName::Group(id.clone());
                let nested = self.groups.iter().any(|group| group.find(&name).is_some());
                if nested || self.is_target(&TargetKind::Group(id.clone())) {
                    return Err("GroupInUse");
                }
                self.groups.retain(|g| g.id != *id);
            }
            Operation::AddGroupMembers { group: id, members } => {
                members.iter().try_for_each(|spec| self.check_there(&spec.member))?;
                if *id == default() {
                    return Err("DefaultGroupImmutable");
                }
                self.add_members(id, members)?;
                self.group(id)?.membership_changed();
            }
            Operation::RemoveGroupMember { group: id, member } => {
                self.check_there(member)?;
                if *id == default() {
                    return Err("DefaultGroupImmutable");
                }
                let group = self.group(id)?;
                if group.find(member).is_none() {
                    return Err("NotAMember");
                }
                if group.members.len() <= group.fewest() {
                    return Err("GroupTooSmall");
                }
                group.remove(member);
            }
            Operation::UpdateGroupMember { group: id, member, weight, payload } => {
                self.check_there(member)?;
                let group = self.group(id)?;
                let there = group.find(member).ok_or("NotAMember")?;
                if payload.is_some() && !matches!(member, MemberName::Option(_)) {
                    return Err("GroupKindMismatch");
                }
                let member = &mut group.members[there];
                member.weight = weight.unwrap_or(member.weight);
                if let Some(payload) = payload {
                    member.payload.clone_from(payload);
                }
            }
            Operation::ReorderGroup { group, members } => self.group(group)?.reorder(members)?,
            Operation::ResetRotation { group, campaign } => {
                campaign.as_ref().map_or(Ok(()), |c| self.campaign(c).map(drop))?;
                self.group(group)?.reset(campaign.as_ref());
            }
            Operation::AdjustRotation { group, campaign, member, credits, reason: _ } => {
                campaign.as_ref().map_or(Ok(()), |c| self.campaign(c).map(drop))?;
                self.check_there(member)?;
                let group = self.group(group)?;
                let there = group.find(member).ok_or("NotAMember")?;
                if group.strategy == Strategy::LeastOpen {
                    return Err("GroupKindMismatch");
                }
                if campaign.is_some() && group.scope == CursorScope::Group {
                    return Err("GroupKindMismatch");
                }
                let key = group.members[there].key;
                group.set_credit(campaign.as_ref(), key, *credits);
            }
            other => unreachable!("{other:?}"),
        }
        Ok(())
    }

    /// Refuses a member that is nowhere in the team; an option is where it is put.
    fn check_there(&mut self, member: &MemberName) -> Result<(), Refusal> {
        match member {
            MemberName::Rep(rep) => self.rep(rep).map(drop),
            MemberName::Group(inner) => self.group(inner).map(drop),
            MemberName::Option(_) => Ok(()),
        }
    }

    fn add_members(&mut self, id: &GroupId, members: &[MemberSpec]) -> Result<(), Refusal> {
        let kind = self.group(id)?.kind;
        for spec in members {
            self.check_there(&spec.member)?;
            let fits = match (&spec.member, kind) {
                (MemberName::Rep(_), GroupKind::Reps) => spec.payload.is_empty(),
                (MemberName::Option(_), GroupKind::Options) => true,
                (MemberName::Group(inner), GroupKind::Options) => {
                    spec.payload.is_empty()
                        && self.group(inner).is_ok_and(|g| g.kind == GroupKind::Options)
                }
                (MemberName::Rep(_), GroupKind::Options)
                | (MemberName::Option(_) | MemberName::Group(_), GroupKind::Reps) => false,
            };
            if !fits {
                return Err("GroupKindMismatch");
            }
            let group = self.group(id)?;
            if group.find(&spec.member).is_some() {
                return Err("AlreadyMember");
            }
            group.add(spec);
        }
        let chain: Vec<_> = self.groups.iter().map(|g| self.depth(&g.id, &[])).collect();
        if chain.iter().any(Option::is_none) {
            return Err("GroupCycle");
        }
        if chain.iter().any(|depth| depth.is_some_and(|depth| depth > 4)) {
            return Err("NestedTooDeep");
        }
        Ok(())
    }

    /// The longest chain of groups from this one inwards; `None` if it contains itself.
    fn depth(&self, id: &GroupId, outer: &[GroupId]) -> Option<usize> {
        if outer.contains(id) {
            return None;
        }
        let path = [outer, std::slice::from_ref(id)].concat();
        let group = self.groups.iter().find(|group| group.id == *id)?;
        let mut deepest = 0;
        for member in &group.members {
            if let MemberName::Group(inner) = &member.name {
                deepest = deepest.max(self.depth(inner, &path)?);
            }
        }
        Some(deepest + 1)
    }

    fn change_routes(&mut self, operation: &Operation, at: At) -> Result<(), Refusal> {
        match operation {
            Operation::UpdateTeam { change } => {
                if let Some(rule) = &change.default_rule {
                    rule.as_ref().map_or(Ok(()), |rule| self.rule(rule).map(drop))?;
                    self.default_rule.clone_from(rule);
                }
            }
            Operation::CreateRule { rule, display_name, labels: _, targets } => {
                if self.rule(rule).is_ok() {
                    return Err("AlreadyExists");
                }
                self.check_targets(targets)?;
                self.check_display_name(rule, display_name)?;
                let (id, revision) = (rule.clone(), revision(at));
                let (display_name, targets) = (display_name.clone(), targets.clone());
                self.rules.push(Rule { id, display_name, targets, revision });
            }
            Operation::UpdateRule { rule: id, display_name, labels: _, targets } => {
                targets.as_ref().map_or(Ok(()), |targets| self.check_targets(targets))?;
                if let Some(display_name) = display_name {
                    self.check_display_name(id, display_name)?;
                    self.rule(id)?.display_name.clone_from(display_name);
                }
                if let Some(targets) = targets {
                    self.rule(id)?.targets.clone_from(targets);
                }
            }
            Operation::DeleteRule { rule, .. } => {
                let route = Route::Rule(rule.clone());
                if self.default_rule.as_ref() == Some(rule)
                    || self.active().any(|campaign| campaign.route == route)
                {
                    return Err("RuleInUse");
                }
                self.rules.retain(|other| other.id != *rule);
            }
            other => self.change_campaigns(other, at)?,
        }
        Ok(())
    }

    fn check_display_name(&self, own: &RuleId, display_name: &str) -> Result<(), Refusal> {
        let taken = |rule: &Rule| rule.id != *own && rule.display_name == display_name;
        if self.rules.iter().any(taken) { Err("DisplayNameTaken") } else { Ok(()) }
    }

    /// Campaigns whose targets were edited after launch need somebody now.
    fn check_running(&self, before: &Self, at: At) -> Result<(), Refusal> {
        let edited = self.campaigns.iter().filter(|campaign| {
            let via = Via::Campaign(campaign.id.clone());
            let launched = before.check_runs(&via).is_ok() && self.check_runs(&via).is_ok();
            launched && before.way_of(&via) != self.way_of(&via)
        });
        edited.into_iter().try_for_each(|campaign| self.check_available(&campaign.id, at.now))
    }

    fn check_targets(&mut self, targets: &[Target]) -> Result<(), Refusal> {
        targets.iter().try_for_each(|target| match &target.kind {
            TargetKind::Owner(_) => Ok(()),
            TargetKind::Rep(rep) => self.rep(rep).map(drop),
            TargetKind::Group(group) => {
                let options = self.group(group)?.kind == GroupKind::Options;
                if options && target.accept_timeout_us > 0 {
                    return Err("GroupKindMismatch");
                }
                Ok(())
            }
        })
    }

    fn check_route(&mut self, route: &Route) -> Result<(), Refusal> {
        match route {
            Route::Default => Ok(()),
            Route::Rule(rule) => self.rule(rule).map(drop),
            Route::Targets(targets) => self.check_targets(targets),
        }
    }

    fn change_campaigns(&mut self, operation: &Operation, at: At) -> Result<(), Refusal> {
        use CampaignState::{Cancelled, Draft, Paused, Running, Scheduled};
        match operation {
            Operation::CreateCampaign { campaign: id, display_name: _, labels: _, route } => {
                if self.campaign(id).is_ok() {
                    return Err("AlreadyExists");
                }
                self.check_route(route)?;
                let (id, route, revision) = (id.clone(), route.clone(), revision(at));
                self.campaigns.push(Campaign { id, route, state: Draft, revision });
            }
            Operation::UpdateCampaign { campaign: id, display_name: _, labels: _, route } => {
                route.as_ref().map_or(Ok(()), |route| self.check_route(route))?;
                let campaign = self.campaign(id)?;
                if campaign.state == Cancelled {
                    return Err("WrongCampaignState");
                }
                if let Some(route) = route {
                    campaign.route.clone_from(route);
                }
            }
            Operation::DeleteCampaign { campaign: id, .. } => {
                if self.campaign(id)?.state != Cancelled {
                    return Err("WrongCampaignState");
                }
                self.campaigns.retain(|campaign| campaign.id != *id);
                self.groups.iter_mut().for_each(|group| group.forget_campaign(id));
            }
            Operation::ScheduleCampaign { campaign: id, launch_time: _ } => {
                self.step_campaign(id, &[Draft, Scheduled], Scheduled)?;
            }
            Operation::LaunchCampaign { campaign: id } => {
                self.step_campaign(id, &[Draft, Scheduled], Running)?;
                self.check_available(id, at.now)?;
            }
            Operation::PauseCampaign { campaign: id } => {
                self.step_campaign(id, &[Running], Paused)?;
            }
            Operation::ResumeCampaign { campaign: id } => {
                self.step_campaign(id, &[Paused], Running)?;
            }
            Operation::CancelCampaign { campaign: id } => {
                self.campaign(id)?.state = Cancelled;
            }
            other => unreachable!("{other:?}"),
        }
        Ok(())
    }

    fn step_campaign(
        &mut self,
        id: &CampaignId,
        from: &[CampaignState],
        to: CampaignState,
    ) -> Result<(), Refusal> {
        let campaign = self.campaign(id)?;
        if !from.contains(&campaign.state) {
            return Err("WrongCampaignState");
        }
        campaign.state = to;
        Ok(())
    }
}

fn default() -> GroupId {
    GroupId::new("default")
}
