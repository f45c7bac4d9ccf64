//! The state as a plain value, for a snapshot: its records and nothing derived from them.
//!
//! Owns that saving and loading loses nothing, and that an image which contradicts itself is refused
//! rather than believed. How it becomes bytes, with which version, is the caller's affair. An image of
//! an earlier version (`v1`) becomes one of this (`from_v1`).

mod bulk;
mod from_v1;
mod parts;
mod v1;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Campaign, GroupKind, Revision, Rule, State, Target, TargetKind, TeamId, Time, Token, coverage,
    digest::Sum,
    engine::{ENGINE_VERSION_MAX, ENGINE_VERSION_MIN},
    filter::Class,
    group::{GroupState, Rotation},
    limits::{
        ANSWERS_PER_TEAM_MAX, CREDITS_MAX, OPTIONS_MAX, OPTIONS_MIN, OUT_OF_OFFICE_INTERVALS_MAX,
        REPS_PER_TEAM_MAX, TOKEN_GROUPS_MAX, TOKENS_PER_TEAM_MAX, WEIGHT_MAX,
    },
    pages::Packed,
    record::{
        Answer, AnswerRecord, AssignmentAnswer, AssignmentRecord, CapRecord, ClockRecord,
        GroupRecord, HoursRecord, MemberRecord, Occupant, RepRecord, RotationRecord, TeamRecord,
        TurnsRecord,
    },
    ring::Seat,
    settings::Route,
    team::{Team, default_group, is_default},
    together::in_turn,
    token::Role,
};
use crate::planted::{self, Bug};

use parts::Inner;

pub use parts::{Loading, Part, Source};
pub use v1::ImageV1;

/// Numbers that count up stay below this, so that counting on never overflows.
const COUNT_MAX: u64 = u64::MAX / 2;

/// All records of a [`State`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    clock: ClockRecord,
    teams: Vec<TeamImage>,
    /// Of all teams; behind everything else, because version 2 had none.
    tokens: Vec<(TeamId, Arc<Token>)>,
}

/// What version 2 held: all but the tokens.
#[derive(Debug, Deserialize)]
pub struct ImageV2 {
    clock: ClockRecord,
    teams: Vec<OldTeamImage>,
}

impl From<ImageV2> for Image {
    fn from(ImageV2 { clock, teams }: ImageV2) -> Self {
        ImageV3 { clock, teams, tokens: Vec::new() }.into()
    }
}

/// What version 4 held: answers about assignments as they are, not packed, with all others.
#[derive(Debug, Deserialize)]
pub struct ImageV4 {
    clock: ClockRecord,
    teams: Vec<TeamImage<Packed<AssignmentRecord>, ()>>,
    tokens: Vec<(TeamId, Arc<Token>)>,
}

impl From<ImageV4> for Image {
    fn from(ImageV4 { clock, teams, tokens }: ImageV4) -> Self {
        Self { clock, teams: teams.into_iter().map(TeamImage::packed).collect(), tokens }
    }
}

/// What version 3 held: assignments as they are as well.
#[derive(Debug, Deserialize)]
pub struct ImageV3 {
    clock: ClockRecord,
    teams: Vec<OldTeamImage>,
    tokens: Vec<(TeamId, Arc<Token>)>,
}

impl From<ImageV3> for Image {
    fn from(ImageV3 { clock, teams, tokens }: ImageV3) -> Self {
        Self { clock, teams: teams.into_iter().map(TeamImage::packed).collect(), tokens }
    }
}

/// All records of a team, but for its tokens. Lists are in the order in which the state keeps them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct TeamImage<A = Packed<AssignmentRecord>, B = Packed<AnswerRecord<AssignmentAnswer>>> {
    team: TeamRecord,
    reps: Vec<Arc<RepRecord>>,
    hours: Vec<HoursRecord>,
    groups: Vec<GroupRecord>,
    members: Vec<MemberRecord>,
    rules: Vec<Arc<Rule>>,
    campaigns: Vec<Arc<Campaign>>,
    rotations: Vec<RotationRecord>,
    turns: Vec<TurnsRecord>,
    caps: Vec<CapRecord>,
    assignments: A,
    assignment_answers: B,
    /// All others; in versions 1 to 4 those about assignments too, in one order.
    answers: Vec<Arc<AnswerRecord>>,
}

/// As versions 1 to 3 had it.
type OldTeamImage = TeamImage<Vec<AssignmentRecord>, ()>;

/// Why an image is not that of any state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// It was made by rules that this program does not have.
    #[error(
        "engine version {version} is not known, only {ENGINE_VERSION_MIN} to {ENGINE_VERSION_MAX}"
    )]
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
        let Self { clock, teams, total: _, dues: _ } = self;
        let tokens = teams.iter().flat_map(|(id, team)| {
            team.tokens.values().map(move |token| (id.clone(), Arc::clone(token)))
        });
        Image {
            clock: *clock,
            teams: teams.values().map(|team| team.image()).collect(),
            tokens: tokens.collect(),
        }
    }

    /// The state of an image.
    ///
    /// # Errors
    ///
    /// [`ImageError`], if the records contradict each other.
    pub fn from_image(image: Image) -> Result<Self, ImageError> {
        let Image { clock, teams, tokens } = image;
        let mut loading = Loading::new(in_turn);
        loading.take(Part(Inner::Clock(clock)))?;
        for image in teams {
            image.parts().try_for_each(|inner| loading.take(Part(inner)))?;
        }
        loading.take(Part(Inner::Tokens(tokens)))?;
        Ok(loading.state())
    }
}

impl Team {
    fn image(&self) -> TeamImage {
        let Self {
            record,
            reps,
            groups,
            rules,
            campaigns,
            tokens: _,
            assignments,
            requests,
            rollovers: _,
            default_targets: _,
            is_fresh: _,
            outbox: _,
            taken: _,
            sum: _,
        } = self;
        let (assignment_answers, answers) = if planted::is(Bug::RequestsMissingFromSnapshot) {
            (Packed::default(), Vec::new())
        } else {
            (requests.assignment_answers(), requests.answers().map(Arc::clone).collect())
        };
        TeamImage {
            team: record.clone(),
            reps: reps.iter().map(|rep| Arc::clone(&rep.record)).collect(),
            hours: reps.iter().filter_map(super::reps::RepState::hours_record).collect(),
            groups: groups.values().map(|group| group.record.clone()).collect(),
            members: groups.values().flat_map(GroupState::member_records).collect(),
            rules: rules.values().map(Arc::clone).collect(),
            campaigns: campaigns.values().map(Arc::clone).collect(),
            rotations: groups.values().flat_map(GroupState::rotation_records).collect(),
            turns: groups.values().flat_map(GroupState::turns_records).collect(),
            caps: groups.values().flat_map(GroupState::cap_records).collect(),
            assignments: assignments.packed(),
            assignment_answers,
            answers,
        }
    }

    /// The hash of all its records, from the records themselves.
    pub(super) fn recomputed_total(&self) -> u128 {
        let TeamImage {
            team,
            reps,
            hours,
            groups,
            members,
            rules,
            campaigns,
            rotations,
            turns,
            caps,
            assignments: _,
            assignment_answers: _,
            answers: _,
        } = self.image();
        let mut sum = Sum::new(team.id.clone());
        sum.add(&team);
        reps.iter().for_each(|record| sum.add(&**record));
        hours.iter().for_each(|record| sum.add(record));
        groups.iter().for_each(|record| sum.add(record));
        members.iter().for_each(|record| sum.add(record));
        rules.iter().for_each(|record| sum.add(&**record));
        campaigns.iter().for_each(|record| sum.add(&**record));
        rotations.iter().for_each(|record| sum.add(record));
        turns.iter().for_each(|record| sum.add(record));
        caps.iter().for_each(|record| sum.add(record));
        self.assignments.count(&mut sum);
        self.requests.count(&mut sum);
        self.tokens.values().for_each(|token| sum.add(&**token));
        sum.total()
    }
}

fn load_tokens(state: &mut State, tokens: Vec<(TeamId, Arc<Token>)>) -> Result<(), ImageError> {
    for (id, token) in tokens {
        let team = state.teams.get_mut(&id).ok_or_else(|| dangling("token", &token.id))?;
        let team = Arc::make_mut(team);
        let fits = match &token.role {
            Role::Admin | Role::Manager | Role::Router | Role::Rep(_) | Role::Viewer => true,
            Role::GroupManager(groups) => (1..=TOKEN_GROUPS_MAX).contains(&groups.len()),
        };
        check(fits, impossible("token", &token.id))?;
        let before = team.sum.total();
        team.sum.add(&*token);
        state.total = state.total.wrapping_sub(before).wrapping_add(team.sum.total());
        let token_id = token.id.clone();
        let old = team.tokens.insert(token_id.clone(), token);
        check(old.is_none(), duplicate("token", &token_id))?;
        check(team.tokens.len() <= TOKENS_PER_TEAM_MAX, impossible("team", &id))?;
    }
    Ok(())
}

fn load_reps(
    team: &mut Team,
    reps: Vec<Arc<RepRecord>>,
    hours: Vec<HoursRecord>,
) -> Result<(), ImageError> {
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
        team.reps.insert(&mut team.sum, Arc::unwrap_or_clone(record), None);
    }
    for HoursRecord { rep, hours } in hours {
        let holder = team.reps.get(rep).map(|rep| (rep.record.id.clone(), rep.hours.is_none()));
        let (id, is_first) = holder.ok_or_else(|| dangling("hours of rep", &rep.0))?;
        check(is_first, duplicate("hours of rep", &id))?;
        check(hours.open.is_well_formed(), impossible("hours of rep", &id))?;
        team.reps.set_hours(&mut team.sum, rep, Some(hours));
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
        team.groups.insert(record.id.clone(), GroupState::bare(record));
    }
    for record in members {
        team.sum.add(&record);
        let MemberRecord { group: id, key, occupant, payload, weight, last_added_time } = record;
        let exists = match &occupant {
            Occupant::Rep(rep) => team.reps.get(*rep).is_some(),
            Occupant::Group(inner) => team.groups.contains_key(inner),
            Occupant::Option(_) => true,
        };
        check(exists, dangling("member of", &id))?;
        let group = team.groups.get_mut(&id).ok_or_else(|| dangling("member of", &id))?;
        let kind = match &occupant {
            Occupant::Rep(_) => GroupKind::Reps,
            Occupant::Group(_) | Occupant::Option(_) => GroupKind::Options,
        };
        let in_range =
            (1..=group.record.last_key).contains(&key) && (1..=WEIGHT_MAX).contains(&weight);
        check(in_range && group.is_of(kind), impossible("member of", &id))?;
        let is_new = group.ring.seat(&occupant).is_none() && group.ring.at(key).is_none();
        check(is_new, duplicate("member of", &id))?;
        if !payload.is_empty() {
            group.payloads.insert(key, payload);
        }
        if let Occupant::Rep(rep) = &occupant {
            team.reps.joins(*rep, &id);
        }
        group.ring.insert(occupant, Seat { key, weight, last_added_time }, Class::Barred);
    }
    for (id, group) in &team.groups {
        let fits = match group.record.kind {
            GroupKind::Reps => is_default(id) || !group.ring.is_empty(),
            GroupKind::Options => (OPTIONS_MIN..=OPTIONS_MAX).contains(&group.ring.len()),
        };
        check(fits, impossible("group", id))?;
    }
    let default = default_group();
    let size = team.groups.get(&default).map(|group| group.ring.len());
    check(size == Some(team.reps.len()), impossible("group", &default))
}

fn load_rules(team: &mut Team, rules: Vec<Arc<Rule>>) -> Result<(), ImageError> {
    for rule in rules {
        let id = rule.id.clone();
        check(all_exist(team, &rule.targets), dangling("routing rule", &id))?;
        team.sum.add(&*rule);
        let old = team.rules.insert(id.clone(), rule);
        check(old.is_none(), duplicate("routing rule", &id))?;
    }
    let default = team.record.default_rule.as_ref();
    let exists = default.is_none_or(|rule| team.rules.contains_key(rule));
    check(exists, dangling("team", &team.record.id))
}

fn load_campaigns(team: &mut Team, campaigns: Vec<Arc<Campaign>>) -> Result<(), ImageError> {
    for campaign in campaigns {
        let id = campaign.id.clone();
        team.sum.add(&*campaign);
        let old = team.campaigns.insert(id.clone(), campaign);
        check(old.is_none(), duplicate("campaign", &id))?;
    }
    for campaign in coverage::active(team) {
        let exists = match &campaign.route {
            Route::Default => true,
            Route::Rule(rule) => team.rules.contains_key(rule),
            Route::Targets(targets) => all_exist(team, targets),
        };
        check(exists, dangling("campaign", &campaign.id))?;
    }
    Ok(())
}

fn all_exist(team: &Team, targets: &[Target]) -> bool {
    targets.iter().all(|target| match &target.kind {
        TargetKind::Owner(_) => true,
        TargetKind::Group(group) => team.groups.contains_key(group),
        TargetKind::Rep(rep) => team.reps.find(rep).is_ok(),
    })
}

fn load_rotations(
    team: &mut Team,
    rotations: Vec<RotationRecord>,
    turns: Vec<TurnsRecord>,
    caps: Vec<CapRecord>,
) -> Result<(), ImageError> {
    const WHAT: &str = "rotation of";
    for record in rotations {
        team.sum.add(&record);
        let RotationRecord { group: id, campaign, cursor, last_pick_time, restart_time } = record;
        let known = campaign.as_ref().is_none_or(|id| team.campaigns.contains_key(id));
        check(known, dangling(WHAT, &id))?;
        let group = team.groups.get_mut(&id).ok_or_else(|| dangling(WHAT, &id))?;
        check(cursor.key <= group.record.last_key, impossible(WHAT, &id))?;
        let rotation = Rotation { cursor, last_pick_time, restart_time, ..Rotation::default() };
        let old = group.rotations.insert(campaign, rotation);
        check(old.is_none(), duplicate(WHAT, &id))?;
    }
    for record in turns {
        team.sum.add(&record);
        let TurnsRecord { group: id, campaign, key, turns, credits } = record;
        let group = team.groups.get_mut(&id).ok_or_else(|| dangling(WHAT, &id))?;
        check(group.ring.at(key).is_some(), dangling(WHAT, &id))?;
        let in_range = turns <= COUNT_MAX && (-CREDITS_MAX..=CREDITS_MAX).contains(&credits);
        check(in_range && (turns > 0 || credits != 0), impossible(WHAT, &id))?;
        let rotation = group.rotations.get_mut(&campaign).ok_or_else(|| dangling(WHAT, &id))?;
        let is_new = !rotation.turns.contains_key(&key) && !rotation.credits.contains_key(&key);
        check(is_new, duplicate(WHAT, &id))?;
        if turns > 0 {
            rotation.turns.insert(key, turns);
        }
        if credits != 0 {
            rotation.credits.insert(key, credits);
        }
    }
    for record in caps {
        const WHAT: &str = "cap of";
        team.sum.add(&record);
        let CapRecord { group: id, key, window, picks } = record;
        let group = team.groups.get_mut(&id).ok_or_else(|| dangling(WHAT, &id))?;
        check(group.ring.at(key).is_some(), dangling(WHAT, &id))?;
        check(group.caps.insert(key, (window, picks)).is_none(), duplicate(WHAT, &id))?;
    }
    Ok(())
}

fn load_answers(
    team: &mut Team,
    answers: Vec<Arc<AnswerRecord>>,
    mut ages: Vec<(Revision, Time)>,
    clock: &ClockRecord,
) -> Result<(), ImageError> {
    const WHAT: &str = "request";
    let count = ages.len() + answers.len();
    check(count <= ANSWERS_PER_TEAM_MAX, impossible("team", &team.record.id))?;
    let mut last = None;
    for record in answers {
        let id = &record.request.id;
        let age = (Revision::from(record.position), record.time);
        let is_known = team.requests.find(id, &team.assignments).is_some();
        check(last < Some(age.0) && !is_known, duplicate(WHAT, id))?;
        let is_other = matches!(record.answer, Answer::Other(_));
        check(record.time <= clock.time && is_other, impossible(WHAT, id))?;
        last = Some(age.0);
        ages.push(age);
        team.requests.remember(&mut team.sum, Arc::unwrap_or_clone(record));
    }
    ages.sort_unstable();
    let misplaced = ages.array_windows().find(|[one, next]| one.0 == next.0 || one.1 > next.1);
    match misplaced {
        Some([_, (position, _)]) => Err(duplicate("answer", position).into()),
        None => Ok(()),
    }
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
