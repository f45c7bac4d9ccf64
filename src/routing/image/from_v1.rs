//! What an image of version 1 means today: what it did not know has the value that changes nothing.
//!
//! Version 1 kept no targets with a decision, and no history: the targets that the campaign has now
//! stand for those that it had, as far as they fit what is known, and an assignment's first and present
//! state for its steps.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Image, ImageV2, OldTeamImage, TeamImage,
    v1::{self, ImageV1},
};
use crate::routing::{
    Assigned, Assignment, AssignmentId, AssignmentState, Campaign, CampaignId, CampaignState,
    Cause, ContactId, Cursor, CursorScope, Decision, Group, GroupId, GroupKind, Interval,
    IntervalSet, Labels, LogPosition, Member, MemberName, Meta, Outcome, OwnerKind, OwnerRef,
    OwnerType, PassedOver, Presence, Reason, Rejection, Rep, RepId, RequestId, RequestKey,
    ResourceKind, RestartPolicy, Revision, Route, Skipped, Step, Strategy, Target, TargetKind,
    TargetOutcome, TargetTrace, Team, TeamId, Time, Via, Warning,
    record::{
        Answer, AnswerRecord, AssignmentRecord, ClockRecord, GroupRecord, MemberRecord, Occupant,
        RepRecord, RepUid, RotationRecord, TeamRecord, TurnsRecord,
    },
    team::default_group,
};

impl From<ImageV1> for Image {
    fn from(ImageV1 { clock, teams }: ImageV1) -> Self {
        // The rules in force from here on: outcomes until now are records, not to be computed again. Those
        // of version 1 are gone; every build since takes such an image for one of the next.
        let clock = ClockRecord { engine_version: 2, time: Time(clock.time) };
        ImageV2 { clock, teams: teams.into_iter().map(team_image).collect() }.into()
    }
}

fn team_image(image: v1::TeamImage) -> OldTeamImage {
    let v1::TeamImage {
        team,
        reps,
        groups,
        members,
        campaigns,
        rotations,
        turns,
        assignments,
        answers,
    } = image;
    let targets = Targets::of(&campaigns);
    TeamImage {
        team: TeamRecord {
            id: TeamId::new(&team.id),
            display_name: team.display_name,
            time_zone: String::new(),
            default_rule: None,
            meta: meta(team.create_time),
            last_rep: RepUid(team.last_rep),
        },
        reps: reps.into_iter().map(|rep| Arc::new(rep_record(rep))).collect(),
        hours: Vec::new(),
        groups: groups.into_iter().map(group_record).collect(),
        members: members.into_iter().map(member_record).collect(),
        caps: Vec::new(),
        rules: Vec::new(),
        campaigns: campaigns.into_iter().map(|one| Arc::new(campaign(one))).collect(),
        rotations: rotations.into_iter().map(rotation_record).collect(),
        turns: turns.into_iter().map(turns_record).collect(),
        assignments: assignments
            .into_iter()
            .map(|record| assignment_record(record, &targets))
            .collect(),
        assignment_answers: (),
        answers: answers
            .into_iter()
            .map(|record| Arc::new(answer_record(record, &targets)))
            .collect(),
    }
}

fn meta(create_time: u64) -> Meta {
    Meta {
        labels: Labels::new(),
        create_time: Time(create_time),
        update_time: Time(create_time),
        revision: Revision::default(),
    }
}

fn rep_record(rep: v1::Rep) -> RepRecord {
    RepRecord {
        uid: RepUid(rep.uid),
        id: RepId::new(&rep.id),
        display_name: rep.display_name,
        email: rep.email,
        external_ids: rep.external_ids,
        disabled: rep.disabled,
        max_open: 0,
        presence: Presence::default(),
        out_of_office: intervals(&rep.out_of_office),
        out_of_office_note: rep.out_of_office_note,
        out_of_office_set_by: rep.out_of_office_set_by,
        meta: meta(rep.create_time),
    }
}

/// As they stand: a set that is none is found when the image is loaded.
fn intervals(list: &[v1::Interval]) -> IntervalSet {
    IntervalSet(list.iter().copied().map(interval).collect())
}

fn interval(v1::Interval { start, end }: v1::Interval) -> Interval {
    Interval { start: Time(start), end: Time(end) }
}

fn group_record(group: v1::Group) -> GroupRecord {
    GroupRecord {
        id: GroupId::new(&group.id),
        display_name: group.display_name,
        kind: GroupKind::Reps,
        strategy: Strategy::RoundRobin,
        require_online: false,
        cursor_scope: CursorScope::Campaign,
        restart: None,
        period_cap: None,
        meta: meta(group.create_time),
        last_key: group.last_key,
    }
}

fn member_record(member: v1::Member) -> MemberRecord {
    MemberRecord {
        group: GroupId::new(&member.group),
        key: member.key,
        occupant: Occupant::Rep(RepUid(member.rep)),
        payload: Arc::from(""),
        weight: member.weight,
        last_added_time: Time(member.last_added_time),
    }
}

fn campaign(campaign: v1::Campaign) -> Campaign {
    Campaign {
        id: CampaignId::new(&campaign.id),
        display_name: campaign.display_name,
        route: match campaign.targets {
            None => Route::Default,
            Some(list) => Route::Targets(list.into_iter().map(target).collect()),
        },
        state: campaign_state(campaign.state),
        launch_time: None,
        meta: meta(campaign.create_time),
    }
}

fn campaign_state(state: v1::CampaignState) -> CampaignState {
    match state {
        v1::CampaignState::Draft => CampaignState::Draft,
        v1::CampaignState::Running => CampaignState::Running,
        v1::CampaignState::Paused => CampaignState::Paused,
        v1::CampaignState::Cancelled => CampaignState::Cancelled,
    }
}

fn target(target: v1::Target) -> Target {
    let kind = match target.kind {
        v1::TargetKind::Owner(kinds) => {
            TargetKind::Owner(kinds.into_iter().map(owner_kind).collect())
        }
        v1::TargetKind::Group(group) => TargetKind::Group(GroupId::new(&group)),
        v1::TargetKind::Rep(rep) => TargetKind::Rep(RepId::new(&rep)),
    };
    Target { include_unavailable: target.include_unavailable, ..Target::new(kind) }
}

fn owner_kind(kind: v1::OwnerKind) -> OwnerKind {
    match kind {
        v1::OwnerKind::Contact => OwnerKind::Contact,
        v1::OwnerKind::Lead => OwnerKind::Lead,
        v1::OwnerKind::Account => OwnerKind::Account,
        v1::OwnerKind::Opportunity => OwnerKind::Opportunity,
    }
}

fn rotation_record(rotation: v1::Rotation) -> RotationRecord {
    RotationRecord {
        group: GroupId::new(&rotation.group),
        campaign: rotation.campaign.as_deref().map(CampaignId::new),
        cursor: cursor(rotation.cursor),
        last_pick_time: Some(Time(rotation.last_pick_time)),
        restart_time: None,
    }
}

fn cursor(v1::Cursor { round, key }: v1::Cursor) -> Cursor {
    Cursor { round, key }
}

fn turns_record(turns: v1::Turns) -> TurnsRecord {
    TurnsRecord {
        group: GroupId::new(&turns.group),
        campaign: turns.campaign.as_deref().map(CampaignId::new),
        key: turns.key,
        turns: turns.turns,
        credits: 0,
    }
}

fn request(v1::RequestKey { id, fingerprint }: v1::RequestKey) -> RequestKey {
    RequestKey { id: RequestId::new(&id), fingerprint }
}

fn position(v1::LogPosition { log_index, seq, term }: v1::LogPosition) -> LogPosition {
    LogPosition { log_index, seq, term }
}

fn assignment_record(record: v1::AssignmentRecord, targets: &Targets) -> AssignmentRecord {
    let first = record.first.map(|first| targets.assignment(first));
    let mut assignment = targets.assignment(record.assignment);
    if let Some(first) = &first {
        assignment.history.splice(0..0, first.history.iter().cloned());
    }
    AssignmentRecord {
        assignment: Arc::new(assignment),
        rep: record.rep.map(RepUid),
        rejected: Vec::new(),
        excluded: None,
        starts_again: false,
        request: record.request.map(request),
        first: first.map(Arc::new),
    }
}

fn answer_record(record: v1::AnswerRecord, targets: &Targets) -> AnswerRecord {
    AnswerRecord {
        request: request(record.request),
        position: position(record.position),
        time: Time(record.time),
        answer: match record.answer {
            v1::Answer::Existing(one) => Answer::Existing(Arc::new(targets.assignment(one))),
            v1::Answer::Other(Ok(done)) => Answer::Other(Box::new(Ok(outcome(done, targets)))),
            v1::Answer::Other(Err(refusal)) => Answer::Other(Box::new(Err(rejection(refusal)))),
        },
    }
}

/// The targets of each campaign, as they are now.
struct Targets(BTreeMap<String, Option<Vec<Target>>>);

impl Targets {
    fn of(campaigns: &[v1::Campaign]) -> Self {
        let targets = |list: &Vec<v1::Target>| list.iter().cloned().map(target).collect();
        let one =
            |campaign: &v1::Campaign| (campaign.id.clone(), campaign.targets.as_ref().map(targets));
        Self(campaigns.iter().map(one).collect())
    }

    fn assignment(&self, old: v1::Assignment) -> Assignment {
        let v1::AssignmentId { log_index, seq } = old.id;
        let state = match old.state {
            v1::AssignmentState::Assigned => AssignmentState::Assigned,
            v1::AssignmentState::Unassigned => AssignmentState::Unassigned,
        };
        let cause = match old.cause {
            v1::Cause::Owner => Cause::Owner,
            v1::Cause::Rotation => Cause::Rotation,
            v1::Cause::Rep => Cause::Rep,
            v1::Cause::NoTarget => Cause::NoTarget,
        };
        let rep = old.rep.as_deref().map(RepId::new);
        let via = match old.via {
            v1::Via::DefaultRule => Via::DefaultRule,
            v1::Via::Campaign(id) => Via::Campaign(CampaignId::new(&id)),
        };
        let decision = self.decision(old.decision, &via, rep.as_ref(), cause);
        let position = position(old.position);
        let step = Step {
            time: decision.time,
            position,
            principal: String::new(),
            cause,
            state,
            rep: rep.clone(),
        };
        Assignment {
            id: AssignmentId { log_index, seq, item: 0 },
            position,
            create_time: Time(old.create_time),
            update_time: decision.time,
            contact: ContactId::new(&old.contact),
            via,
            owners: old.owners.into_iter().map(owner).collect(),
            prefer_last_rep: false,
            priority: 0,
            labels: Labels::new(),
            state,
            rep,
            option: None,
            cause,
            target_index: old.target_index,
            owner_changed: old.owner_changed,
            wait_end: None,
            offer_end: None,
            rejected_by: Vec::new(),
            decision,
            history: vec![step],
        }
    }

    fn decision(
        &self,
        old: v1::Decision,
        via: &Via,
        rep: Option<&RepId>,
        cause: Cause,
    ) -> Decision {
        let trace = |(index, trace): (u32, v1::TargetTrace)| {
            let known = self.known(via, index).filter(|target| fits(target, &trace, cause));
            TargetTrace {
                index,
                target: known.cloned().unwrap_or_else(|| likely(&trace, rep, cause)),
                is_last_rep: false,
                outcome: match trace.outcome {
                    v1::TargetOutcome::Picked => TargetOutcome::Picked,
                    v1::TargetOutcome::NoOwner => TargetOutcome::NoOwner,
                    v1::TargetOutcome::OwnerIsQueue => TargetOutcome::OwnerIsQueue,
                    v1::TargetOutcome::OwnerNotARep => TargetOutcome::OwnerNotARep,
                    v1::TargetOutcome::NoEligible => TargetOutcome::NoEligible,
                },
                skipped: skipped(trace.skipped),
                cursor_before: trace.cursor_before.map(cursor),
                cursor_after: trace.cursor_after.map(cursor),
                inner: Vec::new(),
            }
        };
        Decision {
            time: Time(old.time),
            engine_version: old.engine_version,
            targets: (0..).zip(old.targets).map(trace).collect(),
        }
    }

    /// The target at that place now, where the campaign has targets of its own.
    fn known(&self, via: &Via, index: u32) -> Option<&Target> {
        let Via::Campaign(campaign) = via else { return None };
        let targets = self.0.get(campaign.as_str())?.as_ref()?;
        targets.get(usize::try_from(index).ok()?)
    }
}

/// Whether a target of that kind can have done this.
fn fits(target: &Target, trace: &v1::TargetTrace, cause: Cause) -> bool {
    let in_ring = trace.cursor_before.is_some();
    let picked = trace.outcome == v1::TargetOutcome::Picked;
    let missed_owner = !picked && trace.outcome != v1::TargetOutcome::NoEligible;
    match target.kind {
        TargetKind::Owner(_) => !in_ring && (!picked || cause == Cause::Owner),
        TargetKind::Group(_) => in_ring,
        TargetKind::Rep(_) => !in_ring && !missed_owner && (!picked || cause == Cause::Rep),
    }
}

/// What it probably was: one of the team's default, or the rep picked.
fn likely(trace: &v1::TargetTrace, rep: Option<&RepId>, cause: Cause) -> Target {
    let picked = trace.outcome == v1::TargetOutcome::Picked;
    Target::new(match rep {
        _ if trace.cursor_before.is_some() => TargetKind::Group(default_group()),
        Some(rep) if picked && cause == Cause::Rep => TargetKind::Rep(rep.clone()),
        Some(_) | None => {
            TargetKind::Owner(vec![OwnerKind::Contact, OwnerKind::Lead, OwnerKind::Account])
        }
    })
}

fn skipped(old: v1::Skipped) -> Skipped {
    let reason = |reason| match reason {
        v1::Reason::Disabled => Reason::Disabled,
        v1::Reason::OutOfOffice => Reason::OutOfOffice,
    };
    let passed_over =
        |one: v1::PassedOver| PassedOver { rep: RepId::new(&one.rep), reason: reason(one.reason) };
    Skipped {
        named: old.named.into_iter().map(passed_over).collect(),
        total: old.counts.iter().fold(0, |total: u64, (_, count)| total.saturating_add(*count)),
    }
}

fn owner(owner: v1::OwnerRef) -> OwnerRef {
    OwnerRef {
        kind: owner_kind(owner.kind),
        owner_type: match owner.owner_type {
            v1::OwnerType::User => OwnerType::User,
            v1::OwnerType::Queue => OwnerType::Queue,
        },
        email: owner.email,
        external_id: owner.external_id,
    }
}

fn outcome(old: v1::Outcome, targets: &Targets) -> Outcome {
    match old {
        v1::Outcome::Team(team) => Outcome::Team(Team {
            id: TeamId::new(&team.id),
            display_name: team.display_name,
            time_zone: String::new(),
            default_rule: None,
            meta: meta(team.create_time),
        }),
        v1::Outcome::Rep(rep) => Outcome::Rep(Rep {
            id: RepId::new(&rep.id),
            display_name: rep.display_name,
            email: rep.email,
            external_ids: rep.external_ids,
            disabled: rep.disabled,
            max_open: 0,
            hours: None,
            presence: Presence::default(),
            out_of_office: intervals(&rep.out_of_office),
            out_of_office_note: rep.out_of_office_note,
            out_of_office_set_by: rep.out_of_office_set_by,
            open_count: rep.open_count,
            meta: meta(rep.create_time),
        }),
        v1::Outcome::Group(group) => Outcome::Group(Group {
            id: GroupId::new(&group.id),
            display_name: group.display_name,
            kind: GroupKind::Reps,
            strategy: Strategy::RoundRobin,
            require_online: false,
            cursor_scope: CursorScope::Campaign,
            restart: RestartPolicy::usual(GroupKind::Reps),
            period_cap: None,
            members: group.members.into_iter().map(member).collect(),
            meta: meta(group.create_time),
        }),
        v1::Outcome::Campaign(one, warnings) => {
            Outcome::Campaign(campaign(one), warnings.into_iter().map(warning).collect())
        }
        v1::Outcome::Assigned(v1::Assigned { assignment, existing }) => {
            let assignment = Arc::new(targets.assignment(assignment));
            Outcome::Assigned(Assigned { assignment, existing })
        }
        v1::Outcome::Deleted => Outcome::Deleted,
    }
}

fn member(member: v1::MemberView) -> Member {
    Member {
        name: MemberName::Rep(RepId::new(&member.rep)),
        payload: String::new(),
        weight: member.weight,
        last_added_time: Time(member.last_added_time),
        key: member.key,
    }
}

fn warning(warning: v1::Warning) -> Warning {
    match warning {
        v1::Warning::GroupHasNoAvailableRep { group } => {
            Warning::GroupHasNoAvailableRep { group: GroupId::new(&group) }
        }
        v1::Warning::FutureGap { gap } => Warning::FutureGap { gap: interval(gap) },
    }
}

fn rejection(old: v1::Rejection) -> Rejection {
    use v1::Rejection as Old;
    let groups = |list: Vec<String>| list.iter().map(|id| GroupId::new(id)).collect();
    let campaigns = |list: Vec<String>| list.iter().map(|id| CampaignId::new(id)).collect();
    let member = |rep: String| MemberName::Rep(RepId::new(&rep));
    match old {
        Old::NotFound { kind, id } => Rejection::NotFound { kind: resource_kind(kind), id },
        Old::AlreadyExists { kind, id } => {
            Rejection::AlreadyExists { kind: resource_kind(kind), id }
        }
        Old::EmailTaken { rep } => Rejection::EmailTaken { rep: RepId::new(&rep) },
        Old::ExternalIdTaken { rep, system } => {
            Rejection::ExternalIdTaken { rep: RepId::new(&rep), system }
        }
        Old::AlreadyMember { rep, group } => {
            Rejection::AlreadyMember { member: member(rep), group: GroupId::new(&group) }
        }
        Old::NotAMember { rep, group } => {
            Rejection::NotAMember { member: member(rep), group: GroupId::new(&group) }
        }
        Old::RequestIdReused => Rejection::RequestIdReused,
        Old::GroupTooSmall { groups: list } => Rejection::GroupTooSmall { groups: groups(list) },
        Old::TooMany { what, limit } => Rejection::TooMany { what, limit },
        Old::DefaultGroupImmutable => Rejection::DefaultGroupImmutable,
        Old::GroupInUse { group, campaigns: by } => Rejection::GroupInUse {
            group: GroupId::new(&group),
            campaigns: campaigns(by),
            rules: Vec::new(),
            groups: Vec::new(),
        },
        Old::RepInUse { rep, campaigns: by } => Rejection::RepInUse {
            rep: RepId::new(&rep),
            campaigns: campaigns(by),
            rules: Vec::new(),
        },
        Old::LastAvailableRep { team, campaigns: of, groups: list, gap } => {
            Rejection::LastAvailableRep {
                team: team.as_deref().map(TeamId::new),
                campaigns: campaigns(of),
                groups: groups(list),
                gap: interval(gap),
            }
        }
        Old::GroupHasNoAvailableRep { campaign, groups: list } => {
            Rejection::GroupHasNoAvailableRep {
                campaign: CampaignId::new(&campaign),
                groups: groups(list),
            }
        }
        Old::CampaignNotRunning { campaign, state } => Rejection::CampaignNotRunning {
            campaign: CampaignId::new(&campaign),
            state: campaign_state(state),
        },
        Old::WrongCampaignState { campaign, state } => Rejection::WrongCampaignState {
            campaign: CampaignId::new(&campaign),
            state: campaign_state(state),
        },
        Old::TooManyIntervals { limit } => Rejection::TooManyIntervals { limit },
        Old::EmptyWindow => Rejection::EmptyWindow,
    }
}

fn resource_kind(kind: v1::ResourceKind) -> ResourceKind {
    match kind {
        v1::ResourceKind::Team => ResourceKind::Team,
        v1::ResourceKind::Rep => ResourceKind::Rep,
        v1::ResourceKind::Group => ResourceKind::Group,
        v1::ResourceKind::Campaign => ResourceKind::Campaign,
        v1::ResourceKind::Assignment => ResourceKind::Assignment,
    }
}
