//! One team: all that belongs to it, and how it answers a command.
//!
//! Owns that an answer is given once per request and that a rejected command changes nothing else.
//! What the commands do is in `rep_commands`, `group_commands`, `campaign_commands` and `assign`.

use std::sync::Arc;

use imbl::OrdMap;

use super::{
    Assignment, Campaign, CampaignId, CampaignState, Command, GroupId, Operation, Outcome,
    OwnerKind, Rejection, RepId, Reply, RequestKey, ResourceKind, Target, TargetKind, TeamId, Time,
    Via, assign,
    assignments::Assignments,
    coverage,
    digest::Sum,
    group::GroupState,
    record::{Answer, AnswerRecord, RepUid, TeamRecord},
    reps::Reps,
    requests::{Memory, Requests},
    state::At,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Team {
    pub(super) record: TeamRecord,
    pub(super) reps: Reps,
    pub(super) groups: OrdMap<GroupId, GroupState>,
    pub(super) campaigns: OrdMap<CampaignId, Arc<Campaign>>,
    pub(super) assignments: Assignments,
    pub(super) requests: Requests,
    /// `[owner, default group]`, for campaigns without targets and calls without campaign (S0-5).
    pub(super) default_targets: Arc<[Target]>,
    pub(super) sum: Sum,
}

/// What an operation came to.
pub(super) enum Done {
    /// An assignment that was not there before, and remembers the request.
    Made(Reply),
    /// An assign for which there was an open assignment of the same work.
    Existing(Arc<Assignment>),
    /// Anything else.
    Changed(Outcome),
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
    /// A team with its empty default group.
    pub(super) fn new(id: TeamId, display_name: String, create_time: Time) -> Self {
        let record = TeamRecord { id, display_name, create_time, last_rep: RepUid(0) };
        let mut team = Self::bare(record);
        let group = default_group();
        let state = GroupState::new(&mut team.sum, group.clone(), "All reps".into(), create_time);
        team.groups.insert(group, state);
        team
    }

    /// A team without anything, not even the default group.
    pub(super) fn bare(record: TeamRecord) -> Self {
        let mut sum = Sum::new(record.id.clone());
        sum.add(&record);
        let kinds = vec![OwnerKind::Contact, OwnerKind::Lead, OwnerKind::Account];
        let ring = TargetKind::Group(default_group());
        let default_targets = [TargetKind::Owner(kinds), ring]
            .map(|kind| Target { kind, include_unavailable: false });
        Self {
            record,
            reps: Reps::default(),
            groups: OrdMap::new(),
            campaigns: OrdMap::new(),
            assignments: Assignments::default(),
            requests: Requests::default(),
            default_targets: Arc::new(default_targets),
            sum,
        }
    }

    /// Performs the command, unless its request was answered before.
    pub(super) fn answer(&mut self, command: &Command, at: At) -> Result<Reply, Rejection> {
        let request = command.request.as_ref();
        if let Some(answer) = request.and_then(|key| self.recall(key, at.now)) {
            return answer;
        }
        self.requests.forget_expired(&mut self.sum, at.now);
        let answer = match self.perform_wholly(command, at) {
            Ok(Done::Made(reply)) => return Ok(reply),
            Ok(Done::Existing(assignment)) => Answer::Existing(assignment),
            Ok(Done::Changed(outcome)) => Answer::Other(Ok(outcome)),
            Err(rejection) => Answer::Other(Err(rejection)),
        };
        self.remember(request, answer, at)
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
            self.requests.remember(&mut self.sum, Arc::new(record));
        }
        reply
    }

    /// What the request was answered, if it was; the refusal, if it was another request.
    fn recall(&self, key: &RequestKey, now: Time) -> Option<Result<Reply, Rejection>> {
        let (fingerprint, answer) = match self.requests.find(&key.id)? {
            Memory::Assignment(id) => {
                let record = self.assignments.get(id)?;
                (record.request.as_ref()?.fingerprint, Ok(record.first_reply()))
            }
            Memory::Answer(position) => {
                let record = self.requests.answer(position, now)?;
                (record.request.fingerprint, record.answer.reply(record.position))
            }
        };
        if fingerprint == key.fingerprint {
            Some(answer)
        } else {
            Some(Err(Rejection::RequestIdReused))
        }
    }

    /// Does all of an operation, or nothing.
    fn perform_wholly(&mut self, command: &Command, at: At) -> Result<Done, Rejection> {
        if matches!(command.operation, Operation::AssignContact { .. }) {
            return self.perform(command, at); // Refuses before it changes anything.
        }
        let before = self.clone(); // Costs little: the maps are shared until they change.
        let result = self.perform(command, at).and_then(|done| {
            if coverage::is_guarded(&command.operation) {
                coverage::guard(&before, self, at.now)?;
            }
            Ok(done)
        });
        if result.is_err() {
            *self = before;
        }
        result
    }

    /// Does an operation; on a rejection, possibly only a part of it.
    fn perform(&mut self, command: &Command, at: At) -> Result<Done, Rejection> {
        let Command { request, principal, team: _, operation } = command;
        let now = at.now;
        let outcome = match operation {
            Operation::AssignContact { contact, via, owners } => {
                return assign::assign(self, request.as_ref(), contact, via, owners, at);
            }
            Operation::CreateTeam { display_name: _ } => {
                let id = self.record.id.to_string();
                Err(Rejection::AlreadyExists { kind: ResourceKind::Team, id })
            }
            Operation::CreateRep { rep, display_name, email, external_ids, disabled } => {
                self.create_rep(rep, display_name, email.as_deref(), external_ids, *disabled, now)
            }
            Operation::DeleteRep { rep } => self.delete_rep(rep),
            Operation::SetOutOfOffice { rep, start, end, note } => {
                self.set_out_of_office(rep, *start, *end, note, principal, now)
            }
            Operation::ClearOutOfOffice { rep, start, end } => {
                self.clear_out_of_office(rep, *start, *end, now)
            }
            Operation::CreateGroup { group, display_name, members } => {
                self.create_group(group, display_name, members, now)
            }
            Operation::DeleteGroup { group } => self.delete_group(group),
            Operation::AddGroupMembers { group, members } => {
                self.add_group_members(group, members, now)
            }
            Operation::RemoveGroupMember { group, rep } => self.remove_group_member(group, rep),
            Operation::CreateCampaign { campaign, display_name, targets } => {
                self.create_campaign(campaign, display_name, targets.as_deref(), now)
            }
            Operation::UpdateCampaign { campaign, targets, display_name } => {
                self.update_campaign(campaign, targets.as_ref(), display_name.as_deref(), now)
            }
            Operation::LaunchCampaign { campaign } => self.launch_campaign(campaign, now),
            Operation::PauseCampaign { campaign } => {
                self.step_campaign(campaign, CampaignState::Running, CampaignState::Paused, now)
            }
            Operation::ResumeCampaign { campaign } => {
                self.step_campaign(campaign, CampaignState::Paused, CampaignState::Running, now)
            }
            Operation::CancelCampaign { campaign } => self.cancel_campaign(campaign, now),
        };
        outcome.map(Done::Changed)
    }

    /// The targets of a call.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotFound`], [`Rejection::CampaignNotRunning`].
    pub(super) fn targets_via(&self, via: &Via) -> Result<Targets, Rejection> {
        let Via::Campaign(campaign) = via else {
            return Ok(Targets::Default(Arc::clone(&self.default_targets)));
        };
        let campaign = self.campaign(campaign)?;
        match campaign.state {
            CampaignState::Running | CampaignState::Paused => Ok(match &campaign.targets {
                None => Targets::Default(Arc::clone(&self.default_targets)),
                Some(_) => Targets::Inline(Arc::clone(campaign)),
            }),
            state @ (CampaignState::Draft | CampaignState::Cancelled) => {
                Err(Rejection::CampaignNotRunning { campaign: campaign.id.clone(), state })
            }
        }
    }

    /// The targets of a campaign, its own or the team's.
    pub(super) fn targets_of<'a>(&'a self, campaign: &'a Campaign) -> &'a [Target] {
        campaign.targets.as_deref().unwrap_or(&self.default_targets)
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
    pub(super) fn group(&self, id: &GroupId) -> Result<&GroupState, Rejection> {
        let not_found = || Rejection::NotFound { kind: ResourceKind::Group, id: id.to_string() };
        self.groups.get(id).ok_or_else(not_found)
    }

    /// The active campaigns that name this group, or this rep, as a target.
    pub(super) fn campaigns_naming(&self, named: &Named<'_>) -> Vec<CampaignId> {
        let names = |target: &Target| match (&target.kind, named) {
            (TargetKind::Group(group), Named::Group(wanted)) => group == *wanted,
            (TargetKind::Rep(rep), Named::Rep(wanted)) => rep == *wanted,
            (TargetKind::Owner(_) | TargetKind::Group(_) | TargetKind::Rep(_), _) => false,
        };
        let naming = coverage::active(self).filter(|c| self.targets_of(c).iter().any(names));
        naming.map(|campaign| campaign.id.clone()).collect()
    }
}

/// What a target can name.
pub(super) enum Named<'a> {
    Group(&'a GroupId),
    Rep(&'a RepId),
}

/// A shared list of targets that outlives a change of the team.
pub(super) enum Targets {
    Default(Arc<[Target]>),
    Inline(Arc<Campaign>),
}

impl std::ops::Deref for Targets {
    type Target = [Target];

    fn deref(&self) -> &[Target] {
        match self {
            Self::Default(targets) => targets,
            Self::Inline(campaign) => campaign.targets.as_deref().unwrap_or_default(),
        }
    }
}
