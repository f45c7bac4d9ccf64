//! The state as a plain value, for a snapshot: its records and nothing derived from them.
//!
//! Owns that saving and loading loses nothing, and that an image which contradicts itself is refused
//! rather than believed. How it becomes bytes, with which version, is the caller's affair.

use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use super::{
    AssignmentState, Campaign, State, TargetKind, Via, coverage,
    digest::Sum,
    group::{GroupState, Rotation},
    limits::{ANSWERS_PER_TEAM_MAX, OUT_OF_OFFICE_INTERVALS_MAX, REPS_PER_TEAM_MAX, WEIGHT_MAX},
    record::{
        AnswerRecord, AssignmentRecord, ClockRecord, GroupRecord, MemberRecord, RepRecord,
        RotationRecord, TeamRecord, TurnsRecord,
    },
    ring::{Ring, Seat},
    state::ENGINE_VERSION,
    team::{Team, default_group, is_default},
};

/// Numbers that count up stay below this, so that counting on never overflows.
const COUNT_MAX: u64 = u64::MAX / 2;

/// All records of a [`State`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    clock: ClockRecord,
    teams: Vec<TeamImage>,
}

/// All records of a team. Lists are in the order in which the state keeps them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct TeamImage {
    team: TeamRecord,
    reps: Vec<Arc<RepRecord>>,
    groups: Vec<GroupRecord>,
    members: Vec<MemberRecord>,
    campaigns: Vec<Arc<Campaign>>,
    rotations: Vec<RotationRecord>,
    turns: Vec<TurnsRecord>,
    assignments: Vec<Arc<AssignmentRecord>>,
    answers: Vec<Arc<AnswerRecord>>,
}

/// Why an image is not that of any state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// It was made by rules that this program does not have.
    #[error("engine version {version} is not known, only {ENGINE_VERSION}")]
    EngineVersion {
        /// Of the image.
        version: u32,
    },
    /// Two records claim the same id, email, place or work, or records are out of order.
    #[error("{what} `{id}` is there twice or out of order")]
    Duplicate {
        /// What kind of record.
        what: &'static str,
        /// Which.
        id: String,
    },
    /// A record names something that is not there.
    #[error("{what} `{id}` names something that does not exist")]
    Dangling {
        /// What kind of record.
        what: &'static str,
        /// Which.
        id: String,
    },
    /// A record holds what no command can have made.
    #[error("{what} `{id}` holds an impossible value")]
    Impossible {
        /// What kind of record.
        what: &'static str,
        /// Which.
        id: String,
    },
}

impl State {
    /// All records. Shares the large ones with the state.
    #[must_use]
    pub fn image(&self) -> Image {
        let Self { clock, teams, total: _ } = self;
        Image { clock: *clock, teams: teams.values().map(|team| team.image()).collect() }
    }

    /// The state of an image.
    ///
    /// # Errors
    ///
    /// [`ImageError`], if the records contradict each other.
    pub fn from_image(image: Image) -> Result<Self, ImageError> {
        let Image { clock, teams } = image;
        if clock.engine_version != ENGINE_VERSION {
            return Err(ImageError::EngineVersion { version: clock.engine_version });
        }
        let mut state = Self { clock, teams: OrdMap::new(), total: 0 };
        for image in teams {
            let id = image.team.id.clone();
            let last = state.teams.get_max().map(|(last, _)| last);
            check(last.is_none_or(|last| *last < id), duplicate("team", &id))?;
            let team = load(image, &clock)?;
            state.total = state.total.wrapping_add(team.sum.total());
            state.teams.insert(id, Arc::new(team));
        }
        Ok(state)
    }
}

impl Team {
    fn image(&self) -> TeamImage {
        let Self {
            record,
            reps,
            groups,
            campaigns,
            assignments,
            requests,
            default_targets: _,
            sum: _,
        } = self;
        TeamImage {
            team: record.clone(),
            reps: reps.iter().map(|rep| Arc::clone(&rep.record)).collect(),
            groups: groups.values().map(|group| group.record.clone()).collect(),
            members: groups.values().flat_map(GroupState::member_records).collect(),
            campaigns: campaigns.values().map(Arc::clone).collect(),
            rotations: groups.values().flat_map(GroupState::rotation_records).collect(),
            turns: groups.values().flat_map(GroupState::turns_records).collect(),
            assignments: assignments.iter().map(Arc::clone).collect(),
            answers: requests.answers().map(Arc::clone).collect(),
        }
    }

    /// The hash of all its records, from the records themselves.
    pub(super) fn recomputed_total(&self) -> u128 {
        let TeamImage {
            team,
            reps,
            groups,
            members,
            campaigns,
            rotations,
            turns,
            assignments,
            answers,
        } = self.image();
        let mut sum = Sum::new(team.id.clone());
        sum.add(&team);
        reps.iter().for_each(|record| sum.add(&**record));
        groups.iter().for_each(|record| sum.add(record));
        members.iter().for_each(|record| sum.add(record));
        campaigns.iter().for_each(|record| sum.add(&**record));
        rotations.iter().for_each(|record| sum.add(record));
        turns.iter().for_each(|record| sum.add(record));
        assignments.iter().for_each(|record| sum.add(&**record));
        answers.iter().for_each(|record| sum.add(&**record));
        sum.total()
    }
}

fn load(image: TeamImage, clock: &ClockRecord) -> Result<Team, ImageError> {
    let TeamImage {
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
    check(team.last_rep.0 <= COUNT_MAX, impossible("team", &team.id))?;
    let mut team = Team::bare(team);
    load_reps(&mut team, reps)?;
    load_groups(&mut team, groups, members)?;
    load_campaigns(&mut team, campaigns)?;
    load_rotations(&mut team, rotations, turns)?;
    load_assignments(&mut team, assignments)?;
    load_answers(&mut team, answers, clock)?;
    Ok(team)
}

fn load_reps(team: &mut Team, reps: Vec<Arc<RepRecord>>) -> Result<(), ImageError> {
    check(reps.len() <= REPS_PER_TEAM_MAX, impossible("team", &team.record.id))?;
    let mut last = 0;
    for record in reps {
        let away = &record.out_of_office;
        let fits = away.intervals().len() <= OUT_OF_OFFICE_INTERVALS_MAX;
        check(away.is_well_formed() && fits, impossible("rep", &record.id))?;
        check(record.uid.0 <= team.record.last_rep.0, impossible("rep", &record.id))?;
        let is_new = last < record.uid.0 && team.reps.check_unique(&record).is_ok();
        check(is_new, duplicate("rep", &record.id))?;
        last = record.uid.0;
        team.reps.insert(&mut team.sum, Arc::unwrap_or_clone(record));
    }
    Ok(())
}

fn load_groups(
    team: &mut Team,
    groups: Vec<GroupRecord>,
    members: Vec<MemberRecord>,
) -> Result<(), ImageError> {
    for record in groups {
        check(record.last_key <= COUNT_MAX, impossible("group", &record.id))?;
        check(!team.groups.contains_key(&record.id), duplicate("group", &record.id))?;
        team.sum.add(&record);
        let (id, ring) = (record.id.clone(), Ring::default());
        team.groups.insert(id, GroupState { record, ring, rotations: OrdMap::new() });
    }
    for record in members {
        team.sum.add(&record);
        let MemberRecord { group: id, key, rep, weight, last_added_time } = record;
        let group = team.groups.get_mut(&id).ok_or_else(|| dangling("member of", &id))?;
        check(team.reps.get(rep).is_some(), dangling("member of", &id))?;
        let in_range =
            (1..=group.record.last_key).contains(&key) && (1..=WEIGHT_MAX).contains(&weight);
        check(in_range, impossible("member of", &id))?;
        let is_new = group.ring.seat(rep).is_none() && group.ring.at(key).is_none();
        check(is_new, duplicate("member of", &id))?;
        group.ring.insert(rep, Seat { key, weight, last_added_time });
    }
    for (id, group) in &team.groups {
        check(is_default(id) || !group.ring.is_empty(), impossible("group", id))?;
    }
    let default = default_group();
    let size = team.groups.get(&default).map(|group| group.ring.len());
    check(size == Some(team.reps.len()), impossible("group", &default))
}

fn load_campaigns(team: &mut Team, campaigns: Vec<Arc<Campaign>>) -> Result<(), ImageError> {
    for campaign in campaigns {
        let id = campaign.id.clone();
        team.sum.add(&*campaign);
        let old = team.campaigns.insert(id.clone(), campaign);
        check(old.is_none(), duplicate("campaign", &id))?;
    }
    for campaign in coverage::active(team) {
        let exists = |kind: &TargetKind| match kind {
            TargetKind::Owner(_) => true,
            TargetKind::Group(group) => team.groups.contains_key(group),
            TargetKind::Rep(rep) => team.reps.find(rep).is_ok(),
        };
        let all = team.targets_of(campaign).iter().all(|target| exists(&target.kind));
        check(all, dangling("campaign", &campaign.id))?;
    }
    Ok(())
}

fn load_rotations(
    team: &mut Team,
    rotations: Vec<RotationRecord>,
    turns: Vec<TurnsRecord>,
) -> Result<(), ImageError> {
    const WHAT: &str = "rotation of";
    for record in rotations {
        team.sum.add(&record);
        let RotationRecord { group: id, campaign, cursor, last_pick_time } = record;
        let known = campaign.as_ref().is_none_or(|id| team.campaigns.contains_key(id));
        check(known, dangling(WHAT, &id))?;
        let group = team.groups.get_mut(&id).ok_or_else(|| dangling(WHAT, &id))?;
        check(cursor.key <= group.record.last_key, impossible(WHAT, &id))?;
        let rotation = Rotation { cursor, last_pick_time, turns: OrdMap::new() };
        let old = group.rotations.insert(campaign, rotation);
        check(old.is_none(), duplicate(WHAT, &id))?;
    }
    for record in turns {
        team.sum.add(&record);
        let TurnsRecord { group: id, campaign, key, turns } = record;
        let group = team.groups.get_mut(&id).ok_or_else(|| dangling(WHAT, &id))?;
        check(group.ring.at(key).is_some(), dangling(WHAT, &id))?;
        check((1..=COUNT_MAX).contains(&turns), impossible(WHAT, &id))?;
        let rotation = group.rotations.get_mut(&campaign).ok_or_else(|| dangling(WHAT, &id))?;
        check(rotation.turns.insert(key, turns).is_none(), duplicate(WHAT, &id))?;
    }
    Ok(())
}

fn load_assignments(
    team: &mut Team,
    assignments: Vec<Arc<AssignmentRecord>>,
) -> Result<(), ImageError> {
    const WHAT: &str = "assignment";
    let mut last = None;
    for record in assignments {
        let AssignmentRecord { assignment, rep, request, first } = &*record;
        let id = assignment.id;
        check(last < Some(id), duplicate(WHAT, &id))?;
        last = Some(id);
        if let Via::Campaign(campaign) = &assignment.via {
            check(team.campaigns.contains_key(campaign), dangling(WHAT, &id))?;
        }
        let has_rep = match assignment.state {
            AssignmentState::Assigned => true,
            AssignmentState::Unassigned => false,
        };
        let agrees = rep.is_some() == has_rep
            && assignment.rep.is_some() == has_rep
            && assignment.target_index.is_some() == has_rep;
        check(agrees, impossible(WHAT, &id))?;
        check(first.as_ref().is_none_or(|first| first.id == id), impossible(WHAT, &id))?;
        if let Some(rep) = *rep {
            check(rep.0 <= team.record.last_rep.0, dangling(WHAT, &id))?;
            let holder = team.reps.get(rep).map(|rep| &rep.record.id);
            let same = holder.is_none_or(|holder| Some(holder) == assignment.rep.as_ref());
            check(same, dangling(WHAT, &id))?;
            team.reps.count_open(rep);
        }
        let work = (assignment.contact.clone(), assignment.via.clone());
        check(team.assignments.open(&work).is_none(), duplicate(WHAT, &id))?;
        if let Some(key) = request {
            check(team.requests.find(&key.id).is_none(), duplicate("request", &key.id))?;
            team.requests.made(&mut team.sum, key, id);
        }
        team.assignments.insert(&mut team.sum, record);
    }
    Ok(())
}

fn load_answers(
    team: &mut Team,
    answers: Vec<Arc<AnswerRecord>>,
    clock: &ClockRecord,
) -> Result<(), ImageError> {
    const WHAT: &str = "request";
    check(answers.len() <= ANSWERS_PER_TEAM_MAX, impossible("team", &team.record.id))?;
    let mut last = None;
    for record in answers {
        let id = &record.request.id;
        let age = (record.position, record.time);
        let is_newer = last.is_none_or(|last: (_, _)| last.0 < age.0 && last.1 <= age.1);
        check(is_newer && team.requests.find(id).is_none(), duplicate(WHAT, id))?;
        check(record.time <= clock.time, impossible(WHAT, id))?;
        last = Some(age);
        team.requests.remember(&mut team.sum, record);
    }
    Ok(())
}

fn check(holds: bool, fault: Fault<'_>) -> Result<(), ImageError> {
    if holds { Ok(()) } else { Err(fault.into()) }
}

/// An [`ImageError`] that has not happened: nothing is written out before it does.
struct Fault<'a> {
    make: fn(&'static str, String) -> ImageError,
    what: &'static str,
    id: &'a dyn std::fmt::Display,
}

impl From<Fault<'_>> for ImageError {
    fn from(Fault { make, what, id }: Fault<'_>) -> Self {
        make(what, id.to_string())
    }
}

fn duplicate<'a>(what: &'static str, id: &'a dyn std::fmt::Display) -> Fault<'a> {
    Fault { make: |what, id| ImageError::Duplicate { what, id }, what, id }
}

fn dangling<'a>(what: &'static str, id: &'a dyn std::fmt::Display) -> Fault<'a> {
    Fault { make: |what, id| ImageError::Dangling { what, id }, what, id }
}

fn impossible<'a>(what: &'static str, id: &'a dyn std::fmt::Display) -> Fault<'a> {
    Fault { make: |what, id| ImageError::Impossible { what, id }, what, id }
}
