//! An image in parts, in the order in which its bytes have them: one is put into the state while the next is
//! read.

use std::{convert::Infallible, iter, sync::Arc};

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    ImageError, TeamImage, bulk::Bulk, check, duplicate, impossible, load_answers, load_campaigns,
    load_groups, load_reps, load_rotations, load_rules, load_tokens,
};
use crate::routing::{
    Campaign, Rule, State, TeamId, Together, Token,
    digest::Sum,
    engine::{ENGINE_VERSION_MAX, ENGINE_VERSION_MIN},
    packed::Packable,
    pages::{Packed, Page},
    record::{
        AnswerRecord, AssignmentAnswer, AssignmentRecord, CapRecord, ClockRecord, GroupRecord,
        HoursRecord, MemberRecord, RepRecord, RotationRecord, TeamRecord, TurnsRecord,
    },
    team::Team,
};

use super::COUNT_MAX;

/// Pages in a part at most.
const PAGES_AT_ONCE: usize = 16;

/// Where values are read one after the other, in a form that has a structure's fields in order, without
/// anything between, and a list as its length, a `u64`, and its items.
pub trait Source {
    /// Why a value can't be read.
    type Error;

    /// The next value.
    ///
    /// # Errors
    /// Where the bytes are not of such a value.
    fn next<T: DeserializeOwned>(&mut self) -> Result<T, Self::Error>;
}

/// Some records of an [`Image`](super::Image).
#[derive(Debug)]
pub struct Part(pub(super) Inner);

#[derive(Debug)]
pub(super) enum Inner {
    Clock(ClockRecord),
    /// All of a team but its assignments and answers.
    Team(Box<TeamHead>),
    /// Of the team that came last.
    Assignments(Pile<AssignmentRecord>),
    /// Likewise, after all its assignments.
    AssignmentAnswers(Pile<AnswerRecord<AssignmentAnswer>>),
    /// All others of the team that came last, which is whole then.
    Answers(Vec<Arc<AnswerRecord>>),
    Tokens(Vec<(TeamId, Arc<Token>)>),
}

/// Some pages.
#[derive(Debug)]
pub(super) struct Pile<R: Packable> {
    pages: Vec<Arc<Page<R>>>,
    /// Of all their records; `None` if one can't be read.
    sum: Option<Sum>,
}

impl<R: Packable> Pile<R> {
    /// The first pages of those that come; `None` where none comes any more.
    fn next<E>(
        team: &TeamId,
        pages: &mut impl Iterator<Item = Result<Arc<Page<R>>, E>>,
    ) -> Option<Result<Self, E>> {
        let pages: Result<Vec<_>, E> = pages.take(PAGES_AT_ONCE).collect();
        let is_over = pages.as_ref().is_ok_and(Vec::is_empty);
        (!is_over).then(|| {
            let pages = pages?;
            let mut sum = Sum::new(team.clone());
            let sum = pages.iter().try_for_each(|page| page.checked(&mut sum)).map(|()| sum);
            Ok(Self { pages, sum })
        })
    }

    /// The pages, if all of them can be read, whose records the team's sum counts from now on.
    pub(super) fn counted(
        self,
        team: &mut Team,
        what: &'static str,
    ) -> Result<Vec<Arc<Page<R>>>, ImageError> {
        let Self { pages, sum } = self;
        let unread = impossible(what, &team.record.id);
        team.sum.merge(&sum.ok_or(unread)?);
        Ok(pages)
    }

    /// All of these pages.
    fn all(team: TeamId, pages: Packed<R>) -> impl Iterator<Item = Self> {
        let mut pages = pages.0.into_iter().map(Ok::<_, Infallible>);
        iter::from_fn(move || {
            let Ok(pile) = Self::next(&team, &mut pages)?;
            Some(pile)
        })
    }

    /// All of a list of pages.
    fn read<S: Source>(
        team: &TeamId,
        source: &mut S,
        mut give: impl FnMut(Self),
    ) -> Result<(), S::Error> {
        let pages: u64 = source.next()?;
        let mut pages = (0..pages).map(|_| source.next::<Arc<Page<R>>>());
        while let Some(pile) = Self::next(team, &mut pages) {
            give(pile?);
        }
        Ok(())
    }
}

/// What [`TeamImage`] has before its assignments.
#[derive(Debug, Deserialize)]
pub(super) struct TeamHead {
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
}

impl<A: Into<Packed<AssignmentRecord>>> TeamImage<A, ()> {
    pub(super) fn packed(self) -> TeamImage {
        let Self {
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
            assignments,
            assignment_answers: (),
            answers,
        } = self;
        let (mut parted, mut others) = (Vec::new(), Vec::new());
        for record in answers {
            match Arc::unwrap_or_clone(record).parted() {
                Ok(record) => parted.push(record),
                Err(record) => others.push(Arc::new(record)),
            }
        }
        TeamImage {
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
            assignments: assignments.into(),
            assignment_answers: parted.into(),
            answers: others,
        }
    }
}

impl TeamImage {
    /// Not all records are unpacked at once.
    pub(super) fn parts(self) -> impl Iterator<Item = Inner> {
        let Self {
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
            assignments,
            assignment_answers,
            answers,
        } = self;
        let head = TeamHead {
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
        };
        let id = head.team.id.clone();
        let assignments = Pile::all(id.clone(), assignments).map(Inner::Assignments);
        let told = Pile::all(id, assignment_answers).map(Inner::AssignmentAnswers);
        let head = iter::once(Inner::Team(Box::new(head)));
        head.chain(assignments).chain(told).chain(iter::once(Inner::Answers(answers)))
    }
}

impl Part {
    /// Reads an [`Image`](super::Image), and gives each part as soon as it is read.
    ///
    /// # Errors
    /// Those of the source.
    pub fn read_all<S: Source>(source: &mut S, mut give: impl FnMut(Self)) -> Result<(), S::Error> {
        give(Self(Inner::Clock(source.next()?)));
        let teams: u64 = source.next()?;
        for _ in 0..teams {
            let head: Box<TeamHead> = source.next()?;
            let id = head.team.id.clone();
            give(Self(Inner::Team(head)));
            Pile::read(&id, source, |pile| give(Self(Inner::Assignments(pile))))?;
            Pile::read(&id, source, |pile| give(Self(Inner::AssignmentAnswers(pile))))?;
            give(Self(Inner::Answers(source.next()?)));
        }
        give(Self(Inner::Tokens(source.next()?)));
        Ok(())
    }
}

/// A state whose parts are coming.
pub struct Loading {
    state: State,
    team: Option<(Team, Bulk)>,
    together: Together,
}

impl Loading {
    /// Nothing has come.
    #[must_use]
    pub fn new(together: Together) -> Self {
        Self { state: State::new(), team: None, together }
    }

    /// Puts the next part into the state.
    ///
    /// # Errors
    /// [`ImageError`], if its records contradict each other or what came before.
    pub fn take(&mut self, part: Part) -> Result<(), ImageError> {
        match (part.0, &mut self.team) {
            (Inner::Clock(clock), _) => {
                let version = clock.engine_version;
                if !(ENGINE_VERSION_MIN..=ENGINE_VERSION_MAX).contains(&version) {
                    return Err(ImageError::EngineVersion { version });
                }
                self.state.clock = clock;
            }
            (Inner::Team(head), _) => {
                let id = head.team.id.clone();
                let last = self.state.teams.get_max().map(|(last, _)| last);
                check(last.is_none_or(|last| *last < id), duplicate("team", &id))?;
                let team = begun(*head)?;
                self.team = Some((team, Bulk::new()));
            }
            (Inner::Assignments(pile), Some((team, bulk))) => bulk.take(team, pile)?,
            (Inner::AssignmentAnswers(pile), Some((team, bulk))) => {
                bulk.take_answers(team, pile, self.state.clock.time)?;
            }
            (Inner::Answers(answers), team) => {
                if let Some(team) = team.take() {
                    self.finish(team, answers)?;
                }
            }
            (Inner::Assignments(_) | Inner::AssignmentAnswers(_), None) => {}
            (Inner::Tokens(tokens), _) => load_tokens(&mut self.state, tokens)?,
        }
        Ok(())
    }

    fn finish(
        &mut self,
        (mut team, bulk): (Team, Bulk),
        answers: Vec<Arc<AnswerRecord>>,
    ) -> Result<(), ImageError> {
        let ages = bulk.put(&mut team, self.together)?;
        load_answers(&mut team, answers, ages, &self.state.clock)?;
        let now = self.state.clock.time;
        let reps: Vec<_> = team.reps.iter().map(|rep| rep.record.uid).collect();
        for uid in reps {
            team.reps.classify(uid, now);
        }
        let groups: Vec<_> = team.groups.keys().cloned().collect();
        groups.iter().for_each(|group| team.seat_all(group, now));
        team.is_fresh = true;

        let State { clock: _, teams, total, dues } = &mut self.state;
        let id = team.record.id.clone();
        *total = total.wrapping_add(team.sum.total());
        team.next_due().into_iter().for_each(|due| drop(dues.insert((due, id.clone()))));
        teams.insert(id, Arc::new(team));
        Ok(())
    }

    /// The state of all that came.
    #[must_use]
    pub fn state(self) -> State {
        self.state
    }
}

fn begun(head: TeamHead) -> Result<Team, ImageError> {
    let TeamHead { team, reps, hours, groups, members, rules, campaigns, rotations, turns, caps } =
        head;
    check(team.last_rep.0 <= COUNT_MAX, impossible("team", &team.id))?;
    let mut team = Team::bare(team);
    load_reps(&mut team, reps, hours)?;
    load_groups(&mut team, groups, members)?;
    load_rules(&mut team, rules)?;
    load_campaigns(&mut team, campaigns)?;
    load_rotations(&mut team, rotations, turns, caps)?;
    Ok(team)
}
