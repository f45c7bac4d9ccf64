//! The coverage guard: while a campaign is active, somebody must be there for it.
//!
//! Owns one rule (ROUTING 3, "Guards"). There is a coverage set for the team, all its reps, while any
//! active campaign can yield one; and one for each active campaign whose targets name reps other than
//! as owners. A command is refused if a set that existed before it, and was satisfied at some instant
//! from now on, is not satisfied at that instant after it. A set is known by its campaign or team, not
//! by its members, and only disabled and out of office count. Bad states that are legal (a draft, an
//! empty default group) can so be left, and not made worse.

use super::{
    Campaign, CampaignId, CampaignState, GroupId, GroupKind, Interval, IntervalSet, Operation,
    Rejection, Target, TargetKind, Time, Warning, record::Occupant, reps::RepState, team::Team,
};

/// A coverage set, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set<'a> {
    Team,
    Campaign(&'a CampaignId),
}

/// Whether the operation is one that the guard judges. The others add people, time or campaigns, or
/// end campaigns; a launch is judged by [`check_available_now`].
pub(super) fn is_guarded(operation: &Operation) -> bool {
    match operation {
        Operation::SetOutOfOffice { .. }
        | Operation::UpdateRep { .. }
        | Operation::DeleteRep { .. }
        | Operation::RemoveGroupMember { .. }
        | Operation::UpdateRule { .. }
        | Operation::UpdateTeam { .. }
        | Operation::UpdateCampaign { .. } => true,
        Operation::CreateTeam { .. }
        | Operation::DeleteTeam { .. }
        | Operation::CreateRep { .. }
        | Operation::ClearOutOfOffice { .. }
        | Operation::SetPresence { .. }
        | Operation::RenewHours { .. }
        | Operation::CreateGroup { .. }
        | Operation::UpdateGroup { .. }
        | Operation::DeleteGroup { .. }
        | Operation::AddGroupMembers { .. }
        | Operation::UpdateGroupMember { .. }
        | Operation::ReorderGroup { .. }
        | Operation::ResetRotation { .. }
        | Operation::AdjustRotation { .. }
        | Operation::CreateRule { .. }
        | Operation::DeleteRule { .. }
        | Operation::CreateCampaign { .. }
        | Operation::DeleteCampaign { .. }
        | Operation::ScheduleCampaign { .. }
        | Operation::LaunchCampaign { .. }
        | Operation::PauseCampaign { .. }
        | Operation::ResumeCampaign { .. }
        | Operation::CancelCampaign { .. }
        | Operation::CreateToken { .. }
        | Operation::UpdateToken { .. }
        | Operation::DeleteToken { .. }
        | Operation::AssignContact(_)
        | Operation::AssignBatch { .. }
        | Operation::AcceptAssignment { .. }
        | Operation::RejectAssignment { .. }
        | Operation::ClaimAssignment { .. }
        | Operation::ReassignAssignment { .. }
        | Operation::UnassignAssignment { .. }
        | Operation::CloseAssignment { .. }
        | Operation::CancelAssignment { .. }
        | Operation::Tick => false,
    }
}

/// Whether contacts go through a campaign in this state.
pub(super) fn routes(state: CampaignState) -> bool {
    match state {
        CampaignState::Running | CampaignState::Paused => true,
        CampaignState::Draft | CampaignState::Scheduled | CampaignState::Cancelled => false,
    }
}

/// Compares a team before and after a command.
///
/// # Errors
///
/// [`Rejection::LastAvailableRep`], naming what would be left without anybody, and when.
pub(super) fn guard(before: &Team, after: &Team, now: Time) -> Result<(), Rejection> {
    let lost = |set: &Set<'_>| -> Option<Interval> {
        let gaps_after = gaps(after, *set, now);
        if gaps_after.is_empty() || !sets(after).any(|other| other == *set) {
            return None;
        }
        gaps_after.difference(&gaps(before, *set, now)).first()
    };
    let broken: Vec<_> = sets(before).filter_map(|set| Some((set, lost(&set)?))).collect();
    let Some(gap) = broken.iter().map(|(_, gap)| *gap).min() else { return Ok(()) };
    let team = broken.iter().any(|(set, _)| *set == Set::Team);
    let is_broken = |campaign: &Campaign| {
        team || broken.iter().any(|(set, _)| *set == Set::Campaign(&campaign.id))
    };
    let campaigns: Vec<_> = active(after).filter(|campaign| is_broken(campaign)).collect();
    let mut groups: Vec<GroupId> = campaigns.iter().flat_map(|c| groups_of(after, c)).collect();
    groups.sort();
    groups.dedup();
    Err(Rejection::LastAvailableRep {
        team: team.then(|| after.record.id.clone()),
        campaigns: campaigns.into_iter().map(|campaign| campaign.id.clone()).collect(),
        groups,
        gap,
    })
}

/// What a launch, and a retarget after launch, need (S0-28, S0-29).
///
/// # Errors
///
/// [`Rejection::GroupHasNoAvailableRep`].
pub(super) fn check_available_now(
    team: &Team,
    campaign: &Campaign,
    now: Time,
) -> Result<(), Rejection> {
    let reach = Reach::of(team, team.targets_of(&campaign.route));
    let team_has_one = || team.reps.iter().any(|rep| is_available(rep, now));
    let campaign_has_one = || reached(team, campaign).any(|rep| is_available(rep, now));
    let satisfied = match reach {
        Reach::Nobody => true,
        Reach::OwnersOnly => team_has_one(),
        Reach::Reps => campaign_has_one(),
    };
    if satisfied {
        return Ok(());
    }
    let groups = groups_without_available(team, campaign, now);
    Err(Rejection::GroupHasNoAvailableRep { campaign: campaign.id.clone(), groups })
}

/// What a launch would refuse, or should worry about (S0-27).
pub(super) fn warnings(team: &Team, campaign: &Campaign, now: Time) -> Vec<Warning> {
    if campaign.state == CampaignState::Cancelled {
        return Vec::new();
    }
    let groups = groups_without_available(team, campaign, now);
    let groups = groups.into_iter().map(|group| Warning::GroupHasNoAvailableRep { group });
    let gaps = match Reach::of(team, team.targets_of(&campaign.route)) {
        Reach::Nobody => IntervalSet::default(),
        Reach::OwnersOnly => gaps_among(team.reps.iter(), now),
        Reach::Reps => gaps_among(reached(team, campaign), now),
    };
    let gaps = gaps.intervals().iter().map(|gap| Warning::FutureGap { gap: *gap });
    groups.chain(gaps).collect()
}

/// Campaigns that are not cancelled (S0-22).
pub(super) fn active(team: &Team) -> impl Iterator<Item = &Campaign> {
    let campaigns = team.campaigns.values().map(|campaign| &**campaign);
    campaigns.filter(|campaign| campaign.state != CampaignState::Cancelled)
}

/// Whom a list of targets can yield.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// No targets, or options only: no rep is ever asked for.
    Nobody,
    /// Any rep may be an owner.
    OwnersOnly,
    /// Reps that a target names, or whose group it names.
    Reps,
}

impl Reach {
    fn of(team: &Team, targets: &[Target]) -> Self {
        let mut reach = Self::Nobody;
        for target in targets {
            match &target.kind {
                TargetKind::Rep(_) => return Self::Reps,
                TargetKind::Group(group) => {
                    if team.groups.get(group).is_none_or(|group| group.is_of(GroupKind::Reps)) {
                        return Self::Reps;
                    }
                }
                TargetKind::Owner(_) => reach = Self::OwnersOnly,
            }
        }
        reach
    }
}

fn sets(team: &Team) -> impl Iterator<Item = Set<'_>> {
    let reach = |campaign: &Campaign| Reach::of(team, team.targets_of(&campaign.route));
    let any = active(team).any(|campaign| reach(campaign) != Reach::Nobody);
    let own = active(team).filter(move |campaign| reach(campaign) == Reach::Reps);
    any.then_some(Set::Team).into_iter().chain(own.map(|campaign| Set::Campaign(&campaign.id)))
}

/// When, from now on, the set is not satisfied.
fn gaps(team: &Team, set: Set<'_>, now: Time) -> IntervalSet {
    match set {
        Set::Team => gaps_among(team.reps.iter(), now),
        Set::Campaign(id) => match team.campaigns.get(id) {
            Some(campaign) => gaps_among(reached(team, campaign), now),
            None => IntervalSet::default(),
        },
    }
}

/// When, from now on, none of these is there. Usually the first of them always is.
fn gaps_among<'a>(mut reps: impl Iterator<Item = &'a RepState>, now: Time) -> IntervalSet {
    let mut gaps = IntervalSet::from_now(now);
    while !gaps.is_empty()
        && let Some(rep) = reps.next()
    {
        if !rep.record.disabled {
            gaps = gaps.intersection(&rep.record.out_of_office);
        }
    }
    gaps
}

/// All reps that the campaign's targets can reach, other than as owners; some more than once.
fn reached<'a>(team: &'a Team, campaign: &'a Campaign) -> impl Iterator<Item = &'a RepState> {
    team.targets_of(&campaign.route).iter().flat_map(|target| -> Box<dyn Iterator<Item = _> + 'a> {
        match &target.kind {
            TargetKind::Owner(_) => Box::new(std::iter::empty()),
            TargetKind::Rep(rep) => Box::new(team.reps.find(rep).ok().into_iter()),
            TargetKind::Group(group) => Box::new(members(team, group)),
        }
    })
}

fn members<'a>(team: &'a Team, group: &GroupId) -> impl Iterator<Item = &'a RepState> + use<'a> {
    let ring = team.groups.get(group).map(|group| &group.ring);
    let reps = ring.into_iter().flat_map(|ring| ring.members());
    reps.filter_map(|(occupant, _)| match occupant {
        Occupant::Rep(rep) => team.reps.get(*rep),
        Occupant::Option(_) | Occupant::Group(_) => None,
    })
}

fn groups_of<'a>(team: &'a Team, campaign: &'a Campaign) -> impl Iterator<Item = GroupId> {
    team.targets_of(&campaign.route).iter().filter_map(|target| match &target.kind {
        TargetKind::Group(group) => Some(group.clone()),
        TargetKind::Owner(_) | TargetKind::Rep(_) => None,
    })
}

fn groups_without_available(team: &Team, campaign: &Campaign, now: Time) -> Vec<GroupId> {
    let mut groups: Vec<GroupId> = Vec::new();
    for group in groups_of(team, campaign) {
        let is_of_reps = team.groups.get(&group).is_none_or(|group| group.is_of(GroupKind::Reps));
        let empty = is_of_reps && !members(team, &group).any(|rep| is_available(rep, now));
        if empty && !groups.contains(&group) {
            groups.push(group);
        }
    }
    groups
}

/// Only disabled and out of office count here; hours, presence and capacity do not.
fn is_available(rep: &RepState, now: Time) -> bool {
    !rep.record.disabled && !rep.record.out_of_office.contains(now)
}
