//! One team: all that belongs to it, and how it answers a command.
//!
//! Owns that an answer is given once per request, that a rejected command changes nothing else, and the
//! order in which things happen. What the commands do is in `…_commands`, `assign` and `life`; what
//! happens by itself in `drain`.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use super::{
    Assignment, AssignmentId, Campaign, CampaignId, CampaignState, Command, GroupId, Operation,
    Outcome, OwnerKind, Rejection, RepId, Reply, RequestKey, ResourceKind, Revision, Rule, RuleId,
    Target, TargetKind, Time, Token, TokenId, Via,
    assign::Routed,
    assignments::Assignments,
    coverage,
    digest::Sum,
    event::Change,
    group::{GroupState, RotationKey},
    life,
    record::{Answer, AnswerRecord, AssignmentRecord, TeamRecord},
    reps::Reps,
    requests::{Memory, Requests},
    settings::Route,
    state::At,
};
use crate::planted::{self, Bug};

#[derive(Debug, Clone)]
pub(super) struct Team {
    pub(super) record: TeamRecord,
    pub(super) reps: Reps,
    pub(super) groups: OrdMap<GroupId, GroupState>,
    pub(super) rules: OrdMap<RuleId, Arc<Rule>>,
    pub(super) campaigns: OrdMap<CampaignId, Arc<Campaign>>,
    pub(super) tokens: OrdMap<TokenId, Arc<Token>>,
    pub(super) assignments: Assignments,
    pub(super) requests: Requests,
    /// Ends of cap windows in which somebody had all their picks.
    pub(super) rollovers: OrdSet<(Time, GroupId)>,
    /// `[owner, default group]`, for calls by no other rule (S0-5).
    pub(super) default_targets: Arc<[Target]>,
    /// Loaded, and not caught up since.
    pub(super) is_fresh: bool,
    /// What happened in the command at hand.
    pub(super) outbox: Vec<Change>,
    /// Work that was taken from somebody and is about to be somebody else's, as it was.
    pub(super) taken: Option<Arc<Assignment>>,
    pub(super) sum: Sum,
}

/// What an operation came to.
pub(super) enum Done {
    /// An assign.
    Routed(Routed),
    /// A batch of them, each as it was when its turn was over; those marked were there already.
    Batch(Vec<(Arc<Assignment>, bool)>),
    /// A step of an assignment's life.
    Step(AssignmentId),
    Team,
    Rep(RepId),
    Group(GroupId),
    Rotation(GroupId, RotationKey),
    Rule(RuleId),
    Campaign(CampaignId),
    Token(TokenId),
    Deleted,
    Ticked,
}

/// What is remembered of a request.
enum Recalled {
    Nothing,
    Answer(Box<Result<Reply, Rejection>>),
    /// An answer, given at this place in the log, that counts no more.
    Expired(Revision),
}

/// Whether this is the group whose members are all reps (S0-16).
pub(super) fn is_default(group: &GroupId) -> bool {
    group.as_str() == DEFAULT_GROUP
}

/// The id of that group.
pub(super) fn default_group() -> GroupId {
    GroupId::new(DEFAULT_GROUP)
}

const DEFAULT_GROUP: &str = "default";

impl Team {
    /// A team without anything, not even the default group.
    pub(super) fn bare(record: TeamRecord) -> Self {
        let mut sum = Sum::new(record.id.clone());
        sum.add(&record);
        let kinds = vec![OwnerKind::Contact, OwnerKind::Lead, OwnerKind::Account];
        let ring = TargetKind::Group(default_group());
        let default_targets = [TargetKind::Owner(kinds), ring].map(Target::new);
        Self {
            record,
            reps: Reps::default(),
            groups: OrdMap::new(),
            rules: OrdMap::new(),
            campaigns: OrdMap::new(),
            tokens: OrdMap::new(),
            assignments: Assignments::default(),
            requests: Requests::default(),
            rollovers: OrdSet::new(),
            default_targets: Arc::new(default_targets),
            is_fresh: false,
            outbox: Vec::new(),
            taken: None,
            sum,
        }
    }

    /// Performs the command, unless its request was answered before.
    pub(super) fn answer(&mut self, command: &Command, at: At) -> Result<Reply, Rejection> {
        let request = command.request.as_ref();
        let recalled = request.map_or(Recalled::Nothing, |key| self.recall(key, at.now));
        if let Recalled::Answer(answer) = recalled {
            if planted::is(Bug::RetryTakesNewIndex) {
                return answer.map(|reply| Reply { position: at.position, ..reply });
            }
            return *answer;
        }
        self.requests.forget_expired(&mut self.sum, at.now);
        if let Recalled::Expired(position) = recalled {
            self.requests.drop_answer(&mut self.sum, position);
        }
        self.drop_ended(command, at.now);
        self.catch_up(at);
        let done = self.permits(command).and_then(|()| self.perform_wholly(command, at));
        let shared = |id: AssignmentId| Arc::clone(&self.kept(id).assignment);
        let answer = match done {
            // It remembers the request itself.
            Ok(Done::Routed(Routed::Made(id))) => return Ok(self.kept(id).first_reply()),
            Ok(Done::Routed(Routed::Existing(id))) => Answer::Existing(shared(id)),
            Ok(Done::Batch(items)) => Answer::Batch(items),
            Ok(Done::Step(id)) => Answer::Step(shared(id)),
            Ok(Done::Team) => Answer::other(Ok(Outcome::Team(self.view()))),
            Ok(Done::Rep(id)) => {
                Answer::other(self.reps.find(&id).map(|rep| Outcome::Rep(rep.view())))
            }
            Ok(Done::Group(id)) => {
                let answered = |group: &GroupState| group.answered(&self.reps);
                Answer::other(self.group(&id).map(answered))
            }
            Ok(Done::Rotation(id, key)) => {
                let answered =
                    |group: &GroupState| group.answered_rotation(&key, &self.reps, at.now);
                Answer::other(self.group(&id).map(answered))
            }
            Ok(Done::Rule(id)) => {
                Answer::other(self.rule(&id).map(|rule| Outcome::Rule(Rule::clone(rule))))
            }
            Ok(Done::Campaign(id)) => Answer::other(self.campaign(&id).map(|campaign| {
                let warnings = coverage::warnings(self, campaign, at.now);
                Outcome::Campaign(Campaign::clone(campaign), warnings)
            })),
            Ok(Done::Token(id)) => {
                Answer::other(self.token(&id).map(|token| Outcome::Token(Token::clone(token))))
            }
            Ok(Done::Deleted) => Answer::other(Ok(Outcome::Deleted)),
            Ok(Done::Ticked) => Answer::other(Ok(Outcome::Ticked)),
            Err(rejection) => Answer::other(Err(rejection)),
        };
        self.remember(request, answer, at)
    }

    /// The assignment that the command at hand made, found or changed.
    fn kept(&self, id: AssignmentId) -> Arc<AssignmentRecord> {
        self.assignments.get(id).expect("what has ended is dropped before a command, not by it")
    }

    /// Gives an answer, and remembers it for the request.
    pub(super) fn remember(
        &mut self,
        request: Option<&RequestKey>,
        answer: Answer,
        at: At,
    ) -> Result<Reply, Rejection> {
        let reply = answer.reply(at.position);
        if let Some(request) = request.cloned() {
            let record = AnswerRecord { request, position: at.position, time: at.now, answer };
            self.requests.remember(&mut self.sum, record);
        }
        reply
    }

    /// What the request was answered, if it was; the refusal, if it was another request.
    fn recall(&self, key: &RequestKey, now: Time) -> Recalled {
        let Some(memory) = self.requests.find(&key.id, &self.assignments) else {
            return Recalled::Nothing;
        };
        let answered = match memory {
            Memory::Assignment(id) => self.assignments.get(id).and_then(|record| {
                Some((record.request.as_ref()?.fingerprint, Ok(record.first_reply())))
            }),
            Memory::Answer(position) => self.requests.answer(position, now),
        };
        match (answered.filter(|_| !planted::is(Bug::RetryNotRecognised)), memory) {
            (Some((fingerprint, answer)), _) if fingerprint == key.fingerprint => {
                Recalled::Answer(Box::new(answer))
            }
            (Some(_), _) => Recalled::Answer(Box::new(Err(Rejection::RequestIdReused))),
            (None, Memory::Answer(position)) => Recalled::Expired(position),
            (None, Memory::Assignment(_)) => Recalled::Nothing,
        }
    }

    /// Does all of an operation, with the drain that may follow from it, or nothing.
    fn perform_wholly(&mut self, command: &Command, at: At) -> Result<Done, Rejection> {
        if matches!(command.operation, Operation::AssignContact(_) | Operation::Tick) {
            // Refuses before it changes anything, and makes nobody eligible.
            return self.perform(command, at);
        }
        if matches!(named(&command.operation), Resource::Assignment) {
            // Refuses before it changes anything, is about nothing that has an etag, and tells of itself.
            let before = self.sum.total();
            let done = self.perform(command, at);
            if done.is_ok() {
                self.drain(at);
            } else {
                debug_assert_eq!(
                    before,
                    self.sum.total(),
                    "a step that is refused changes nothing"
                );
            }
            return done;
        }
        // Costs little, but for what changes from then on: what both share is copied first.
        let before = self.clone();
        let result = match (self.check_etag(command), self.perform(command, at)) {
            (Ok(()), result) => result,
            // What is missing is reported before what has changed.
            (Err(_), Err(missing @ Rejection::NotFound { .. })) => Err(missing),
            (Err(changed), _) => Err(changed),
        };
        let result = result.and_then(|done| {
            if coverage::is_guarded(&command.operation) {
                coverage::guard(&before, self, at.now)?;
            }
            Ok(done)
        });
        match result {
            Ok(done) => {
                self.tell(&before, &command.operation);
                if !matches!(command.operation, Operation::AssignBatch { .. }) {
                    self.drain(at);
                }
                Ok(done)
            }
            Err(rejection) => {
                *self = before;
                Err(rejection)
            }
        }
    }

    /// Does an operation; on a rejection, possibly only a part of it.
    fn perform(&mut self, command: &Command, at: At) -> Result<Done, Rejection> {
        let Command { request, principal, team: _, etag: _, operation } = command;
        let by = principal.name();
        let step = |id: &AssignmentId| life::Asked { id: *id, by, at };
        match operation {
            Operation::AssignContact(asked) => {
                self.assign(asked, request.as_ref(), 0, by, at).map(Done::Routed)
            }
            Operation::AssignBatch { items } => {
                let mut routed = Vec::with_capacity(items.len());
                for (index, item) in (0..).zip(items) {
                    let refused = |rejection| {
                        let rejection = Box::new(rejection);
                        Rejection::Item { index, rejection }
                    };
                    let (id, existing) =
                        match self.assign(item, None, index, by, at).map_err(refused)? {
                            Routed::Made(id) => (id, false),
                            Routed::Existing(id) => (id, true),
                        };
                    routed.push((Arc::clone(&self.kept(id).assignment), existing));
                }
                Ok(Done::Batch(routed))
            }
            Operation::Tick => Ok(Done::Ticked),
            Operation::CreateTeam { .. } => {
                let id = self.record.id.to_string();
                Err(Rejection::AlreadyExists { kind: ResourceKind::Team, id })
            }
            Operation::UpdateTeam { change } => self.update_team(change, by, at),
            Operation::DeleteTeam { allow_missing: _ } => self.check_unused(),
            Operation::CreateRep { rep, settings } => self.create_rep(rep, settings, at),
            Operation::UpdateRep { rep, change } => self.update_rep(rep, change, at),
            Operation::DeleteRep { rep, open, allow_missing } => {
                self.delete_rep(rep, *open, *allow_missing, by, at)
            }
            Operation::SetOutOfOffice { rep, start, end, note } => {
                self.set_out_of_office(rep, (*start, *end), note, by, at)
            }
            Operation::ClearOutOfOffice { rep, start, end } => {
                self.clear_out_of_office(rep, *start, *end, at)
            }
            Operation::SetPresence { rep, online, ttl_us } => {
                self.set_presence(rep, *online, *ttl_us, at)
            }
            Operation::RenewHours { rep, hours } => self.renew_hours(rep, hours, at),
            Operation::CreateGroup { group, settings, members } => {
                self.create_group(group, settings, members, at)
            }
            Operation::UpdateGroup { group, change } => self.update_group(group, change, at),
            Operation::DeleteGroup { group, allow_missing } => {
                self.delete_group(group, *allow_missing, at)
            }
            Operation::AddGroupMembers { group, members } => {
                self.add_group_members(group, members, at)
            }
            Operation::RemoveGroupMember { group, member } => {
                self.remove_group_member(group, member, at)
            }
            Operation::UpdateGroupMember { group, member, weight, payload } => {
                self.update_group_member(group, member, *weight, payload.as_deref(), at)
            }
            Operation::ReorderGroup { group, members } => self.reorder_group(group, members, at),
            Operation::ResetRotation { group, campaign } => {
                self.reset_rotation(group, campaign.as_ref(), at)
            }
            Operation::AdjustRotation { group, campaign, member, credits, reason: _ } => {
                self.adjust_rotation(group, campaign.as_ref(), member, *credits)
            }
            Operation::CreateRule { rule, display_name, labels, targets } => {
                self.create_rule(rule, display_name, labels, targets, at)
            }
            Operation::UpdateRule { rule, display_name, labels, targets } => {
                let texts = (display_name.as_deref(), labels.as_ref());
                self.update_rule(rule, texts, targets.as_deref(), by, at)
            }
            Operation::DeleteRule { rule, allow_missing } => {
                self.delete_rule(rule, *allow_missing, by, at)
            }
            Operation::CreateCampaign { campaign, display_name, labels, route } => {
                self.create_campaign(campaign, display_name, labels, route, at)
            }
            Operation::UpdateCampaign { campaign, display_name, labels, route } => {
                let texts = (display_name.as_deref(), labels.as_ref());
                self.update_campaign(campaign, texts, route.as_ref(), by, at)
            }
            Operation::DeleteCampaign { campaign, allow_missing } => {
                self.delete_campaign(campaign, *allow_missing)
            }
            Operation::ScheduleCampaign { campaign, launch_time } => {
                self.schedule_campaign(campaign, *launch_time, at)
            }
            Operation::LaunchCampaign { campaign } => self.launch_campaign(campaign, at),
            Operation::PauseCampaign { campaign } => {
                self.step_campaign(campaign, &[CampaignState::Running], CampaignState::Paused, at)
            }
            Operation::ResumeCampaign { campaign } => {
                self.step_campaign(campaign, &[CampaignState::Paused], CampaignState::Running, at)
            }
            Operation::CancelCampaign { campaign } => self.cancel_campaign(campaign, by, at),
            Operation::CreateToken { token, settings } => self.create_token(token, settings, at),
            Operation::UpdateToken { token, change } => self.update_token(token, change, at),
            Operation::DeleteToken { token, allow_missing } => {
                self.delete_token(token, *allow_missing)
            }
            Operation::AcceptAssignment { assignment, rep } => {
                self.accept(rep.as_ref(), step(assignment))
            }
            Operation::RejectAssignment { assignment, rep } => {
                self.reject(rep.as_ref(), step(assignment))
            }
            Operation::ClaimAssignment { assignment, rep } => self.claim(rep, step(assignment)),
            Operation::ReassignAssignment { assignment, to } => {
                self.reassign(to.as_ref(), step(assignment))
            }
            Operation::UnassignAssignment { assignment } => self.unassign(step(assignment)),
            Operation::CloseAssignment { assignment } => self.close(step(assignment)),
            Operation::CancelAssignment { assignment } => self.cancel(step(assignment)),
        }
    }

    /// # Errors
    ///
    /// [`Rejection::EtagMismatch`], if the resource is there and is not as the caller knows it.
    fn check_etag(&self, command: &Command) -> Result<(), Rejection> {
        let Some(wanted) = command.etag else { return Ok(()) };
        match self.revision(&command.operation) {
            Some((revision, kind, id)) if revision != wanted => {
                Err(Rejection::EtagMismatch { kind, id })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Of the configured resource that an operation is about, if it is there.
    fn revision(&self, operation: &Operation) -> Option<(Revision, ResourceKind, String)> {
        match named(operation) {
            Resource::None | Resource::Assignment => None,
            Resource::Team => {
                let id = self.record.id.to_string();
                Some((self.record.meta.revision, ResourceKind::Team, id))
            }
            Resource::Rep(id) => {
                let rep = self.reps.find(id).ok()?;
                Some((rep.record.meta.revision, ResourceKind::Rep, id.to_string()))
            }
            Resource::Group(id) => {
                let group = self.groups.get(id)?;
                Some((group.record.meta.revision, ResourceKind::Group, id.to_string()))
            }
            Resource::Rule(id) => {
                let rule = self.rules.get(id)?;
                Some((rule.meta.revision, ResourceKind::Rule, id.to_string()))
            }
            Resource::Campaign(id) => {
                let campaign = self.campaigns.get(id)?;
                Some((campaign.meta.revision, ResourceKind::Campaign, id.to_string()))
            }
            Resource::Token(id) => {
                let token = self.tokens.get(id)?;
                Some((token.meta.revision, ResourceKind::Token, id.to_string()))
            }
        }
    }

    /// The targets of a new call.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotFound`], [`Rejection::CampaignNotRunning`].
    pub(super) fn targets_via(&self, via: &Via) -> Result<Targets, Rejection> {
        self.check_routes(via)?;
        self.standing_targets(via)
    }

    /// That no campaign which is there, but does not run, is to route.
    ///
    /// # Errors
    ///
    /// [`Rejection::CampaignNotRunning`].
    pub(super) fn check_routes(&self, via: &Via) -> Result<(), Rejection> {
        let campaign = match via {
            Via::Campaign(campaign) => self.campaigns.get(campaign),
            Via::DefaultRule | Via::Rule(_) | Via::Group(_) | Via::Rep(_) => None,
        };
        match campaign {
            Some(campaign) if !coverage::routes(campaign.state) => {
                let (campaign, state) = (campaign.id.clone(), campaign.state);
                Err(Rejection::CampaignNotRunning { campaign, state })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The targets of a call, whatever the state of its campaign.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotFound`].
    pub(super) fn standing_targets(&self, via: &Via) -> Result<Targets, Rejection> {
        match via {
            Via::DefaultRule | Via::Rep(_) => Ok(self.default_rule_targets()),
            Via::Rule(rule) => Ok(Targets::Rule(Arc::clone(self.rule(rule)?))),
            Via::Group(group) => {
                self.group(group)?;
                Ok(Targets::One([Target::new(TargetKind::Group(group.clone()))]))
            }
            Via::Campaign(campaign) => {
                let campaign = self.campaign(campaign)?;
                Ok(match &campaign.route {
                    Route::Default => self.default_rule_targets(),
                    Route::Rule(rule) => Targets::Rule(Arc::clone(self.rule(rule)?)),
                    Route::Targets(_) => Targets::Inline(Arc::clone(campaign)),
                })
            }
        }
    }

    fn default_rule_targets(&self) -> Targets {
        let rule = self.record.default_rule.as_ref().and_then(|rule| self.rules.get(rule));
        match rule {
            Some(rule) => Targets::Rule(Arc::clone(rule)),
            None => Targets::Default(Arc::clone(&self.default_targets)),
        }
    }

    /// The targets of a route; none if it names a rule that is not there.
    pub(super) fn targets_of<'a>(&'a self, route: &'a Route) -> &'a [Target] {
        let rule = match route {
            Route::Targets(targets) => return targets,
            Route::Default => self.record.default_rule.as_ref(),
            Route::Rule(rule) => Some(rule),
        };
        match rule {
            Some(rule) => self.rules.get(rule).map_or(&[], |rule| &rule.targets),
            None => &self.default_targets,
        }
    }

    /// # Errors
    ///
    /// [`Rejection::NotFound`].
    pub(super) fn campaign(&self, id: &CampaignId) -> Result<&Arc<Campaign>, Rejection> {
        let not_found = || Rejection::NotFound { kind: ResourceKind::Campaign, id: id.to_string() };
        self.campaigns.get(id).ok_or_else(not_found)
    }

    /// # Errors
    ///
    /// [`Rejection::NotFound`].
    pub(super) fn rule(&self, id: &RuleId) -> Result<&Arc<Rule>, Rejection> {
        let not_found = || Rejection::NotFound { kind: ResourceKind::Rule, id: id.to_string() };
        self.rules.get(id).ok_or_else(not_found)
    }

    /// # Errors
    ///
    /// [`Rejection::NotFound`].
    pub(super) fn group(&self, id: &GroupId) -> Result<&GroupState, Rejection> {
        let not_found = || Rejection::NotFound { kind: ResourceKind::Group, id: id.to_string() };
        self.groups.get(id).ok_or_else(not_found)
    }
}

/// What an operation is about, if it is one thing.
pub(super) enum Resource<'a> {
    None,
    /// A step of its life.
    Assignment,
    Team,
    Rep(&'a RepId),
    Group(&'a GroupId),
    Rule(&'a RuleId),
    Campaign(&'a CampaignId),
    Token(&'a TokenId),
}

/// Which one that is.
pub(super) fn named(operation: &Operation) -> Resource<'_> {
    match operation {
        Operation::CreateTeam { .. }
        | Operation::UpdateTeam { .. }
        | Operation::DeleteTeam { .. } => Resource::Team,
        Operation::CreateRep { rep, .. }
        | Operation::UpdateRep { rep, .. }
        | Operation::DeleteRep { rep, .. }
        | Operation::SetOutOfOffice { rep, .. }
        | Operation::ClearOutOfOffice { rep, .. }
        | Operation::SetPresence { rep, .. }
        | Operation::RenewHours { rep, .. } => Resource::Rep(rep),
        Operation::CreateGroup { group, .. }
        | Operation::UpdateGroup { group, .. }
        | Operation::DeleteGroup { group, .. }
        | Operation::AddGroupMembers { group, .. }
        | Operation::RemoveGroupMember { group, .. }
        | Operation::UpdateGroupMember { group, .. }
        | Operation::ReorderGroup { group, .. }
        | Operation::ResetRotation { group, .. }
        | Operation::AdjustRotation { group, .. } => Resource::Group(group),
        Operation::CreateRule { rule, .. }
        | Operation::UpdateRule { rule, .. }
        | Operation::DeleteRule { rule, .. } => Resource::Rule(rule),
        Operation::CreateCampaign { campaign, .. }
        | Operation::UpdateCampaign { campaign, .. }
        | Operation::DeleteCampaign { campaign, .. }
        | Operation::ScheduleCampaign { campaign, .. }
        | Operation::LaunchCampaign { campaign }
        | Operation::PauseCampaign { campaign }
        | Operation::ResumeCampaign { campaign }
        | Operation::CancelCampaign { campaign } => Resource::Campaign(campaign),
        Operation::CreateToken { token, .. }
        | Operation::UpdateToken { token, .. }
        | Operation::DeleteToken { token, .. } => Resource::Token(token),
        Operation::AcceptAssignment { .. }
        | Operation::RejectAssignment { .. }
        | Operation::ClaimAssignment { .. }
        | Operation::ReassignAssignment { .. }
        | Operation::UnassignAssignment { .. }
        | Operation::CloseAssignment { .. }
        | Operation::CancelAssignment { .. } => Resource::Assignment,
        Operation::AssignContact(_) | Operation::AssignBatch { .. } | Operation::Tick => {
            Resource::None
        }
    }
}

/// A shared list of targets that outlives a change of the team.
pub(super) enum Targets {
    None,
    Default(Arc<[Target]>),
    Inline(Arc<Campaign>),
    Rule(Arc<Rule>),
    One([Target; 1]),
}

impl std::ops::Deref for Targets {
    type Target = [Target];

    fn deref(&self) -> &[Target] {
        match self {
            Self::None => &[],
            Self::Default(targets) => targets,
            Self::Inline(campaign) => match &campaign.route {
                Route::Targets(targets) => targets,
                Route::Default | Route::Rule(_) => &[],
            },
            Self::Rule(rule) => &rule.targets,
            Self::One(target) => target,
        }
    }
}

/// What a target can name.
pub(super) enum Named<'a> {
    Group(&'a GroupId),
    Rep(&'a RepId),
}

impl Named<'_> {
    pub(super) fn is_among(&self, targets: &[Target]) -> bool {
        targets.iter().any(|target| match (&target.kind, self) {
            (TargetKind::Group(group), Named::Group(wanted)) => group == *wanted,
            (TargetKind::Rep(rep), Named::Rep(wanted)) => rep == *wanted,
            (TargetKind::Owner(_) | TargetKind::Group(_) | TargetKind::Rep(_), _) => false,
        })
    }
}
