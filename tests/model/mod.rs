//! The naive model: the same rules as `src/routing`, written apart, by scanning lists.
//!
//! Shares with the product only the words of commands and answers. It is slow and short on purpose:
//! every answer is computed from scratch, nothing is indexed, and time is asked instant by instant.
//! Not modelled: limits, warnings, texts in resources. Included by path from any test binary.

#![allow(dead_code, reason = "each test binary that includes this file uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code, included by binaries of which each needs some of it"
)]

use turnwise::routing::{
    AssignmentId, CampaignId, CampaignState, Cause, Command, ContactId, Cursor, GroupId,
    LogPosition, MemberSpec, Operation, Outcome, OwnerKind, OwnerRef, OwnerType, PassedOver,
    Reason, Rejection, RepId, Reply, RequestKey, Skipped, Stamp, Target, TargetKind, TargetOutcome,
    TargetTrace, TeamId, Time, Via,
};

/// What of an answer is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Refused, with the name of the rejection.
    Refused(String),
    /// Anything that was not an assign.
    Done(LogPosition),
    /// An assign.
    Assigned { position: LogPosition, existing: bool, assignment: Assignment },
}

/// What of an assignment is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) id: AssignmentId,
    pub(crate) position: LogPosition,
    pub(crate) contact: ContactId,
    pub(crate) via: Via,
    pub(crate) rep: Option<RepId>,
    pub(crate) cause: Cause,
    pub(crate) target_index: Option<u32>,
    pub(crate) owner_changed: bool,
    pub(crate) traces: Vec<TargetTrace>,
}

/// The product's answer in the model's words.
pub(crate) fn seen(answer: &Result<Reply, Rejection>) -> Seen {
    match answer {
        Err(rejection) => refused(rejection),
        Ok(Reply { position, outcome: Outcome::Assigned(assigned) }) => {
            let a = &assigned.assignment;
            let assignment = Assignment {
                id: a.id,
                position: a.position,
                contact: a.contact.clone(),
                via: a.via.clone(),
                rep: a.rep.clone(),
                cause: a.cause,
                target_index: a.target_index,
                owner_changed: a.owner_changed,
                traces: a.decision.targets.clone(),
            };
            Seen::Assigned { position: *position, existing: assigned.existing, assignment }
        }
        Ok(reply) => Seen::Done(reply.position),
    }
}

fn refused(rejection: &Rejection) -> Seen {
    let name = format!("{rejection:?}");
    Seen::Refused(name.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned())
}

type Refusal = &'static str;

#[derive(Debug, Default)]
pub(crate) struct Model {
    now: u64,
    teams: Vec<Team>,
}

#[derive(Debug)]
struct Team {
    id: TeamId,
    setup: Setup,
    cursors: Vec<(GroupId, Option<CampaignId>, Cursor)>,
    /// Everybody ever created, in order: a rep's number is their place.
    reps_ever: usize,
    work: Vec<Work>,
    answers: Vec<Answer>,
}

/// What people set up; copied before each change, and put back on a refusal.
#[derive(Debug, Clone)]
struct Setup {
    reps: Vec<Rep>,
    groups: Vec<Group>,
    campaigns: Vec<Campaign>,
}

#[derive(Debug, Clone)]
struct Rep {
    number: usize,
    id: RepId,
    email: Option<String>,
    external_ids: Vec<(String, String)>,
    disabled: bool,
    /// From, until, away or back: the last one that covers an instant tells.
    away: Vec<(u64, u64, bool)>,
}

#[derive(Debug, Clone)]
struct Group {
    id: GroupId,
    keys_given: u64,
    /// Key, who, weight.
    members: Vec<(u64, RepId, u32)>,
}

#[derive(Debug, Clone)]
struct Campaign {
    id: CampaignId,
    targets: Option<Vec<Target>>,
    state: CampaignState,
}

#[derive(Debug)]
struct Work {
    assignment: Assignment,
    /// The number of the rep who has it.
    rep: Option<usize>,
}

#[derive(Debug)]
struct Answer {
    key: RequestKey,
    time: u64,
    /// It made an assignment: remembered for as long as that is.
    made: bool,
    seen: Seen,
}

const DAY: u64 = 24 * 60 * 60 * 1_000_000;

impl Rep {
    fn is_away(&self, t: u64) -> bool {
        let covers = |&&(start, end, _): &&(u64, u64, bool)| start <= t && t < end;
        self.away.iter().rev().find(covers).is_some_and(|edit| edit.2)
    }
    fn is_available(&self, t: u64) -> bool {
        !self.disabled && !self.is_away(t)
    }
    fn instants(&self) -> impl Iterator<Item = u64> + '_ {
        self.away.iter().flat_map(|&(start, end, _)| [start, end])
    }
}

impl Model {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn apply(&mut self, command: &Command, stamp: Stamp) -> Seen {
        self.now = self.now.max(stamp.time.0);
        let (now, at, request) = (self.now, stamp.position, &command.request);
        let is_create = matches!(command.operation, Operation::CreateTeam { .. });
        let is_new = !self.teams.iter().any(|team| team.id == command.team);
        if is_new && is_create {
            let default = Group { id: default(), keys_given: 0, members: Vec::new() };
            let setup = Setup { reps: vec![], groups: vec![default], campaigns: vec![] };
            let id = command.team.clone();
            let (cursors, work, answers) = (vec![], vec![], vec![]);
            self.teams.push(Team { id, setup, cursors, reps_ever: 0, work, answers });
        }
        let Some(team) = self.teams.iter_mut().find(|team| team.id == command.team) else {
            return Seen::Refused("NotFound".into());
        };
        if let Some(key) = request {
            let lives = |a: &&Answer| a.key.id == key.id && (a.made || now - a.time < DAY);
            match team.answers.iter().rev().find(lives) {
                Some(old) if old.key == *key => return old.seen.clone(),
                Some(_) => return Seen::Refused("RequestIdReused".into()),
                None => {}
            }
        }
        let answer = if is_create && is_new {
            Ok(Seen::Done(at))
        } else if let Operation::AssignContact { contact, via, owners } = &command.operation {
            team.assign(contact, via, owners, now, at)
        } else {
            team.change(&command.operation, now).map(|()| Seen::Done(at))
        };
        let seen = answer.unwrap_or_else(|name| Seen::Refused(name.to_owned()));
        if let Some(key) = request.clone() {
            let made = matches!(seen, Seen::Assigned { existing: false, .. });
            team.answers.push(Answer { key, time: now, made, seen: seen.clone() });
        }
        seen
    }

    /// Open assignments of each present rep.
    pub(crate) fn open_counts(&self, team: &TeamId) -> Vec<(RepId, u64)> {
        let team = self.teams.iter().find(|t| t.id == *team).unwrap();
        let held = |rep: &Rep| team.work.iter().filter(|w| w.rep == Some(rep.number)).count();
        team.setup.reps.iter().map(|rep| (rep.id.clone(), held(rep).try_into().unwrap())).collect()
    }

    /// Every group with its members and keys in ring order.
    pub(crate) fn groups(&self, team: &TeamId) -> Vec<(GroupId, Vec<(u64, RepId)>)> {
        let team = self.teams.iter().find(|t| t.id == *team).unwrap();
        let members =
            |g: &Group| g.members.iter().map(|(key, rep, _)| (*key, rep.clone())).collect();
        team.setup.groups.iter().map(|g| (g.id.clone(), members(g))).collect()
    }

    /// Where a ring stands.
    pub(crate) fn cursor(
        &self,
        team: &TeamId,
        group: &GroupId,
        campaign: Option<&CampaignId>,
    ) -> Cursor {
        self.teams.iter().find(|t| t.id == *team).unwrap().cursor(group, campaign)
    }

    /// The campaigns there are.
    pub(crate) fn campaigns(&self, team: &TeamId) -> Vec<CampaignId> {
        let team = self.teams.iter().find(|t| t.id == *team).unwrap();
        team.setup.campaigns.iter().map(|c| c.id.clone()).collect()
    }
}

impl Team {
    fn change(&mut self, operation: &Operation, now: u64) -> Result<(), Refusal> {
        let before = self.setup.clone();
        let result =
            self.try_change(operation, now).and_then(|()| guard(&before, &self.setup, now));
        if result.is_err() {
            self.setup = before;
        }
        result
    }

    fn try_change(&mut self, operation: &Operation, now: u64) -> Result<(), Refusal> {
        let setup = &mut self.setup;
        match operation {
            Operation::CreateTeam { .. } => return Err("AlreadyExists"),
            Operation::AssignContact { .. } => unreachable!(),
            Operation::CreateRep { rep, email, external_ids, disabled, display_name: _ } => {
                let external_ids: Vec<_> = external_ids.clone().into_iter().collect();
                if setup.reps.iter().any(|r| r.id == *rep) {
                    return Err("AlreadyExists");
                }
                if email.is_some() && setup.reps.iter().any(|r| r.email == *email) {
                    return Err("EmailTaken");
                }
                if setup.reps.iter().flat_map(|r| &r.external_ids).any(|x| external_ids.contains(x))
                {
                    return Err("ExternalIdTaken");
                }
                self.reps_ever += 1;
                setup.reps.push(Rep {
                    number: self.reps_ever,
                    id: rep.clone(),
                    email: email.clone(),
                    external_ids,
                    disabled: *disabled,
                    away: Vec::new(),
                });
                setup.group(&default())?.add(rep, 1);
            }
            Operation::DeleteRep { rep } => {
                setup.rep(rep)?;
                let alone = |g: &Group| g.members.len() == 1 && g.has(rep) && g.id != default();
                if setup.groups.iter().any(alone) {
                    return Err("GroupTooSmall");
                }
                if setup.is_named(&TargetKind::Rep(rep.clone())) {
                    return Err("RepInUse");
                }
                setup.groups.iter_mut().for_each(|g| g.members.retain(|m| m.1 != *rep));
                setup.reps.retain(|r| r.id != *rep);
            }
            Operation::SetOutOfOffice { rep, start, end, note: _ } => {
                let start = start.map_or(now, |t| t.0).max(now);
                let end = end.map_or(u64::MAX, |t| t.0);
                if end <= start {
                    return Err("EmptyWindow");
                }
                setup.rep(rep)?.away.push((start, end, true));
            }
            Operation::ClearOutOfOffice { rep, start, end } => {
                let start = start.map_or(now, |t| t.0).max(now);
                if end.is_some_and(|end| end.0 <= start) {
                    return Err("EmptyWindow");
                }
                let rep = setup.rep(rep)?;
                let back = rep.instants().filter(|&t| t > start && !rep.is_away(t)).min();
                match end {
                    Some(end) => rep.away.push((start, end.0, false)),
                    None if rep.is_away(start) => {
                        rep.away.push((start, back.unwrap_or(u64::MAX), false));
                    }
                    None => {}
                }
            }
            Operation::CreateGroup { group, members, display_name: _ } => {
                if members.is_empty() {
                    return Err("GroupTooSmall");
                }
                if setup.group(group).is_ok() {
                    return Err("AlreadyExists");
                }
                let (id, keys_given, none) = (group.clone(), 0, Vec::new());
                setup.groups.push(Group { id, keys_given, members: none });
                setup.add_members(group, members)?;
            }
            Operation::DeleteGroup { group } => {
                setup.group(group)?;
                if *group == default() {
                    return Err("DefaultGroupImmutable");
                }
                if setup.is_named(&TargetKind::Group(group.clone())) {
                    return Err("GroupInUse");
                }
                setup.groups.retain(|g| g.id != *group);
                self.cursors.retain(|(g, _, _)| g != group);
            }
            Operation::AddGroupMembers { group, members } => {
                setup.group(group)?;
                members.iter().try_for_each(|m| setup.rep(&m.rep).map(|_| ()))?;
                if *group == default() {
                    return Err("DefaultGroupImmutable");
                }
                setup.add_members(group, members)?;
            }
            Operation::RemoveGroupMember { group, rep } => {
                setup.group(group)?;
                setup.rep(rep)?;
                let members = &mut setup.group(group)?.members;
                let there = members.iter().any(|m| m.1 == *rep);
                match (*group == default(), there, members.len()) {
                    (true, _, _) => return Err("DefaultGroupImmutable"),
                    (false, false, _) => return Err("NotAMember"),
                    (false, true, 1) => return Err("GroupTooSmall"),
                    (false, true, _) => members.retain(|m| m.1 != *rep),
                }
            }
            Operation::CreateCampaign { campaign, targets, display_name: _ } => {
                if setup.campaign(campaign).is_ok() {
                    return Err("AlreadyExists");
                }
                setup.check_targets(targets.as_ref())?;
                let (id, targets, state) =
                    (campaign.clone(), targets.clone(), CampaignState::Draft);
                setup.campaigns.push(Campaign { id, targets, state });
            }
            Operation::UpdateCampaign { campaign, targets, display_name: _ } => {
                setup.campaign(campaign)?;
                setup.check_targets(targets.as_ref().and_then(|t| t.as_ref()))?;
                let found = setup.campaign(campaign)?;
                if found.state == CampaignState::Cancelled {
                    return Err("WrongCampaignState");
                }
                if let Some(targets) = targets {
                    found.targets.clone_from(targets);
                    if found.state != CampaignState::Draft {
                        setup.check_launch(campaign, now)?;
                    }
                }
            }
            Operation::LaunchCampaign { campaign } => {
                if setup.campaign(campaign)?.state != CampaignState::Draft {
                    return Err("WrongCampaignState");
                }
                setup.check_launch(campaign, now)?;
                setup.campaign(campaign)?.state = CampaignState::Running;
            }
            Operation::PauseCampaign { campaign } => {
                setup.step(campaign, CampaignState::Running, CampaignState::Paused)?;
            }
            Operation::ResumeCampaign { campaign } => {
                setup.step(campaign, CampaignState::Paused, CampaignState::Running)?;
            }
            Operation::CancelCampaign { campaign } => {
                setup.campaign(campaign)?.state = CampaignState::Cancelled;
            }
        }
        Ok(())
    }

    fn cursor(&self, group: &GroupId, campaign: Option<&CampaignId>) -> Cursor {
        let here =
            |c: &&(GroupId, Option<CampaignId>, Cursor)| (&c.0, c.1.as_ref()) == (group, campaign);
        self.cursors.iter().find(here).map_or(Cursor::default(), |c| c.2)
    }

    fn assign(
        &mut self,
        contact: &ContactId,
        via: &Via,
        owners: &[OwnerRef],
        now: u64,
        position: LogPosition,
    ) -> Result<Seen, Refusal> {
        let campaign = match via {
            Via::DefaultRule => None,
            Via::Campaign(id) => Some(id),
        };
        let targets = match campaign {
            None => default_targets(),
            Some(id) => {
                let campaign = self.setup.campaign(id)?;
                if !matches!(campaign.state, CampaignState::Running | CampaignState::Paused) {
                    return Err("CampaignNotRunning");
                }
                campaign.targets.clone().unwrap_or_else(default_targets)
            }
        };
        let same = |w: &Work| w.assignment.contact == *contact && w.assignment.via == *via;
        let there = self.work.iter().position(same);
        if let Some(work) = there.map(|i| &self.work[i])
            && work.rep.is_some()
        {
            let assignment = work.assignment.clone();
            return Ok(Seen::Assigned { position, existing: true, assignment });
        }
        let mut assignment = Assignment {
            id: there.map_or(AssignmentId::from(position), |i| self.work[i].assignment.id),
            position,
            contact: contact.clone(),
            via: via.clone(),
            rep: None,
            cause: Cause::NoTarget,
            target_index: None,
            owner_changed: false,
            traces: Vec::new(),
        };
        let mut number = None;
        for (index, target) in (0..).zip(&targets) {
            let (cause, line, missed, cursor) = match &target.kind {
                TargetKind::Rep(rep) => {
                    (Cause::Rep, vec![(None, rep.clone())], TargetOutcome::NoEligible, None)
                }
                TargetKind::Owner(kinds) => {
                    let (line, missed) = self.setup.owners(kinds, owners);
                    (Cause::Owner, line, missed, None)
                }
                TargetKind::Group(group) => {
                    let cursor = self.cursor(group, campaign);
                    let line = self.setup.group(group)?.line_from(cursor);
                    (Cause::Rotation, line, TargetOutcome::NoEligible, Some(cursor))
                }
            };
            let mut passed = Vec::new();
            let mut pick = None;
            for (slot, id) in line {
                let rep = self.setup.rep(&id)?;
                let reason = if rep.disabled {
                    Reason::Disabled
                } else if rep.is_away(now) && !target.include_unavailable {
                    Reason::OutOfOffice
                } else {
                    pick = Some((slot, id, rep.number));
                    break;
                };
                passed.push(PassedOver { rep: id, reason });
            }
            let count = |of| passed.iter().filter(|p| p.reason == of).count().try_into().unwrap();
            let counts: Vec<(Reason, u64)> =
                [Reason::Disabled, Reason::OutOfOffice].map(|of| (of, count(of))).to_vec();
            let counts = counts.into_iter().filter(|(_, n)| *n > 0).collect();
            let named = passed.iter().take(16).cloned().collect();
            assignment.traces.push(TargetTrace {
                outcome: if pick.is_some() { TargetOutcome::Picked } else { missed },
                skipped: Skipped { named, counts },
                cursor_before: cursor,
                cursor_after: pick.as_ref().and_then(|p| p.0).or(cursor),
            });
            let Some((slot, id, rep_number)) = pick else { continue };
            if let (TargetKind::Group(group), Some(slot)) = (&target.kind, slot) {
                self.cursors.retain(|(g, c, _)| (g, c.as_ref()) != (group, campaign));
                self.cursors.push((group.clone(), campaign.cloned(), slot));
            }
            assignment.owner_changed =
                !owners.iter().any(|o| self.setup.mapped(o) == Some(id.clone()));
            assignment.rep = Some(id);
            assignment.cause = cause;
            assignment.target_index = Some(index);
            number = Some(rep_number);
            break;
        }
        let work = Work { assignment: assignment.clone(), rep: number };
        match there {
            Some(i) => self.work[i] = work,
            None => self.work.push(work),
        }
        Ok(Seen::Assigned { position, existing: there.is_some(), assignment })
    }
}

impl Setup {
    fn rep(&mut self, id: &RepId) -> Result<&mut Rep, Refusal> {
        self.reps.iter_mut().find(|rep| rep.id == *id).ok_or("NotFound")
    }
    fn group(&mut self, id: &GroupId) -> Result<&mut Group, Refusal> {
        self.groups.iter_mut().find(|group| group.id == *id).ok_or("NotFound")
    }
    fn campaign(&mut self, id: &CampaignId) -> Result<&mut Campaign, Refusal> {
        self.campaigns.iter_mut().find(|campaign| campaign.id == *id).ok_or("NotFound")
    }

    fn add_members(&mut self, group: &GroupId, members: &[MemberSpec]) -> Result<(), Refusal> {
        members.iter().try_for_each(|m| self.rep(&m.rep).map(|_| ()))?;
        for MemberSpec { rep, weight } in members {
            if self.group(group)?.has(rep) {
                return Err("AlreadyMember");
            }
            self.group(group)?.add(rep, *weight);
        }
        Ok(())
    }

    fn check_targets(&mut self, targets: Option<&Vec<Target>>) -> Result<(), Refusal> {
        targets.into_iter().flatten().try_for_each(|target| match &target.kind {
            TargetKind::Owner(_) => Ok(()),
            TargetKind::Group(group) => self.group(group).map(|_| ()),
            TargetKind::Rep(rep) => self.rep(rep).map(|_| ()),
        })
    }

    fn step(
        &mut self,
        id: &CampaignId,
        from: CampaignState,
        to: CampaignState,
    ) -> Result<(), Refusal> {
        let campaign = self.campaign(id)?;
        if campaign.state != from {
            return Err("WrongCampaignState");
        }
        campaign.state = to;
        Ok(())
    }

    fn check_launch(&mut self, id: &CampaignId, now: u64) -> Result<(), Refusal> {
        let mut alone = self.clone();
        alone.campaigns.retain(|c| c.id == *id);
        let satisfied = alone.sets().iter().all(|set| set.is_satisfied(now));
        if satisfied { Ok(()) } else { Err("GroupHasNoAvailableRep") }
    }

    /// Whether an active campaign has this as a target.
    fn is_named(&self, kind: &TargetKind) -> bool {
        let active = self.campaigns.iter().filter(|c| c.state != CampaignState::Cancelled);
        active.flat_map(Campaign::targets).any(|target| target.kind == *kind)
    }

    /// The reps that the owners are, in order, each once; and what to say if there is nobody.
    fn owners(
        &self,
        kinds: &[OwnerKind],
        owners: &[OwnerRef],
    ) -> (Vec<(Option<Cursor>, RepId)>, TargetOutcome) {
        let asked: Vec<&OwnerRef> =
            kinds.iter().flat_map(|kind| owners.iter().filter(move |o| o.kind == *kind)).collect();
        let mut line = Vec::new();
        for rep in asked.iter().filter_map(|owner| self.mapped(owner)) {
            if !line.contains(&(None, rep.clone())) {
                line.push((None, rep));
            }
        }
        let missed = if !line.is_empty() {
            TargetOutcome::NoEligible
        } else if asked.iter().any(|owner| owner.owner_type == OwnerType::User) {
            TargetOutcome::OwnerNotARep
        } else if !asked.is_empty() {
            TargetOutcome::OwnerIsQueue
        } else {
            TargetOutcome::NoOwner
        };
        (line, missed)
    }

    fn mapped(&self, owner: &OwnerRef) -> Option<RepId> {
        if owner.owner_type == OwnerType::Queue {
            return None;
        }
        let by_id = |rep: &&Rep| {
            owner.external_id.as_ref().is_some_and(|wanted| rep.external_ids.contains(wanted))
        };
        let by_email = |rep: &&Rep| owner.email.is_some() && rep.email == owner.email;
        let found = self.reps.iter().find(by_id).or_else(|| self.reps.iter().find(by_email));
        found.map(|rep| rep.id.clone())
    }

    /// The coverage sets there are.
    fn sets(&self) -> Vec<Set<'_>> {
        let mut sets = Vec::new();
        let active = self.campaigns.iter().filter(|c| c.state != CampaignState::Cancelled);
        for campaign in active {
            let targets = campaign.targets();
            if !targets.is_empty() && !sets.iter().any(|set: &Set<'_>| set.campaign.is_none()) {
                sets.push(Set { campaign: None, reps: self.reps.iter().collect() });
            }
            let mut ids = Vec::new();
            let mut is_empty = true;
            for target in &targets {
                match &target.kind {
                    TargetKind::Owner(_) => continue,
                    TargetKind::Rep(rep) => ids.push(rep),
                    TargetKind::Group(group) => {
                        let group = self.groups.iter().find(|g| g.id == *group).unwrap();
                        ids.extend(group.members.iter().map(|(_, rep, _)| rep));
                    }
                }
                is_empty = false;
            }
            if !is_empty {
                let reps = self.reps.iter().filter(|rep| ids.contains(&&rep.id)).collect();
                sets.push(Set { campaign: Some(&campaign.id), reps });
            }
        }
        sets
    }
}

struct Set<'a> {
    /// `None` = the team's.
    campaign: Option<&'a CampaignId>,
    reps: Vec<&'a Rep>,
}

impl Set<'_> {
    fn is_satisfied(&self, t: u64) -> bool {
        self.reps.iter().any(|rep| rep.is_available(t))
    }
}

/// A set that existed before, and was satisfied at some instant from now on, must be so after.
fn guard(before: &Setup, after: &Setup, now: u64) -> Result<(), Refusal> {
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

impl Campaign {
    fn targets(&self) -> Vec<Target> {
        self.targets.clone().unwrap_or_else(default_targets)
    }
}

impl Group {
    fn has(&self, rep: &RepId) -> bool {
        self.members.iter().any(|m| m.1 == *rep)
    }
    fn add(&mut self, rep: &RepId, weight: u32) {
        self.keys_given += 1;
        self.members.push((self.keys_given, rep.clone(), weight));
    }

    /// Everybody once, by their first slot after the cursor.
    fn line_from(&self, cursor: Cursor) -> Vec<(Option<Cursor>, RepId)> {
        let divides = |d: &u32| self.members.iter().all(|(_, _, weight)| weight % d == 0);
        let gcd = (1..=1_000).rev().find(divides).unwrap_or(1);
        let mut slots = Vec::new();
        for (key, rep, weight) in &self.members {
            slots.extend((0..weight / gcd).map(|round| (Cursor { round, key: *key }, rep)));
        }
        slots.sort();
        slots.sort_by_key(|(slot, _)| *slot <= cursor); // Stable: those beyond come first.
        let mut line: Vec<(Option<Cursor>, RepId)> = Vec::new();
        for (slot, rep) in slots {
            if !line.iter().any(|(_, other)| other == rep) {
                line.push((Some(slot), rep.clone()));
            }
        }
        line
    }
}

fn default() -> GroupId {
    GroupId::new("default")
}

fn default_targets() -> Vec<Target> {
    let owner = TargetKind::Owner(vec![OwnerKind::Contact, OwnerKind::Lead, OwnerKind::Account]);
    [owner, TargetKind::Group(default())]
        .map(|kind| Target { kind, include_unavailable: false })
        .to_vec()
}

/// The time the model has reached.
pub(crate) fn time_of(model: &Model) -> Time {
    Time(model.now)
}
