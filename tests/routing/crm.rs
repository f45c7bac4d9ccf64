//! A year of a real CRM through one least-open group: 8,800 opportunities by their engage dates, closed
//! by their close dates, at most 40 open for each of 35 agents, two of whom are away for a month.
//!
//! The data is looked for at `TURNWISE_CRM_DIR`, then beside the project; where neither is there, dates
//! of the same shape are made up. Log time is the CRM's, so a year takes seconds; ticks come when they
//! are due, as the leader would send them. After every command: nobody over the limit, open counts are
//! those of the assignments, and whoever waited longest for what was given was served first.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    env,
    path::{Path, PathBuf},
};

use jiff::civil::Date;
use turnwise::routing::{
    Assign, Assignment, AssignmentId, AssignmentState, Change, Command, ContactId, Event,
    GroupSettings, LogPosition, MemberName, MemberSpec, Operation, RepId, RepSettings, Stamp,
    State, Strategy, Target, TargetKind, Time, Via,
};

use turnwise::routing::Principal;

use super::world::{group, team};

const MAX_OPEN: u32 = 40;
const AGENTS: usize = 35;
const OPPORTUNITIES: usize = 8_800;
const DAY: u64 = 24 * 60 * 60 * 1_000_000;

struct Opportunity {
    id: String,
    engaged: Option<u64>,
    closed: Option<u64>,
}

struct Crm {
    agents: Vec<String>,
    opportunities: Vec<Opportunity>,
}

fn load() -> Crm {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/crm");
    let given = env::var_os("TURNWISE_CRM_DIR").map(PathBuf::from);
    match given.or_else(|| beside.join("sales_pipeline.csv").is_file().then_some(beside)) {
        Some(folder) => {
            eprintln!("the CRM's data is that of {}", folder.display());
            read(&folder)
        }
        None => {
            eprintln!("no CRM data found: made-up dates of the same shape are used");
            made_up()
        }
    }
}

fn read(folder: &Path) -> Crm {
    let rows = |file: &str, columns: &[&str]| -> Vec<Vec<String>> {
        let mut reader = csv::Reader::from_path(folder.join(file)).unwrap();
        let header = reader.headers().unwrap().clone();
        let places: Vec<usize> =
            columns.iter().map(|c| header.iter().position(|name| name == *c).unwrap()).collect();
        let cells = |row: csv::StringRecord| places.iter().map(|i| row[*i].to_owned()).collect();
        reader.records().map(|row| cells(row.unwrap())).collect()
    };
    let day = |text: &String| {
        let date: Date = text.parse().ok()?;
        let since = date.since(Date::constant(1970, 1, 1)).unwrap();
        Some(u64::try_from(since.get_days()).unwrap() * DAY)
    };
    let agents = rows("sales_teams.csv", &["sales_agent"]);
    let agents = agents.into_iter().map(|row| slug::slugify(&row[0])).collect();
    let columns = ["opportunity_id", "engage_date", "close_date"];
    let opportunities = rows("sales_pipeline.csv", &columns).into_iter().map(|row| Opportunity {
        id: row[0].clone(),
        engaged: day(&row[1]),
        closed: day(&row[2]),
    });
    Crm { agents, opportunities: opportunities.collect() }
}

/// 430 days of arrivals, most of them closed 1 to 138 days later, some never, 500 without a date.
fn made_up() -> Crm {
    let opportunity = |i: u64| {
        let engaged = (17_000 + i * 430 / 8_300) * DAY;
        let closed = (!i.is_multiple_of(5)).then(|| engaged + (1 + i * 7_919 % 138) * DAY);
        let engaged = (i < 8_300).then_some(engaged);
        Opportunity { id: format!("OPP-{i}"), engaged, closed: engaged.and(closed) }
    };
    let agents = (0..AGENTS).map(|i| format!("agent-{i}")).collect();
    Crm { agents, opportunities: (0..8_800).map(opportunity).collect() }
}

/// The state with what is checked beside it.
struct Run {
    state: State,
    index: u64,
    /// Everything as events told it.
    seen: BTreeMap<AssignmentId, Assignment>,
    /// How many of those each rep holds.
    held: BTreeMap<RepId, u64>,
    by_contact: BTreeMap<ContactId, AssignmentId>,
    /// By who is served first.
    waiting: BTreeSet<(Reverse<i32>, AssignmentId)>,
    waiting_most: usize,
    served_after_waiting: u64,
    /// Who is on holiday, and from when to when.
    away: (Vec<RepId>, Time, Time),
    /// Contacts given to others in that time.
    given_meanwhile: u64,
    given_up: u64,
    ticks: u64,
}

impl Run {
    fn perform(&mut self, now: u64, operation: Operation) {
        self.index += 1;
        let position = LogPosition { log_index: self.index, seq: 0, term: 1 };
        let stamp = Stamp { time: Time(now), position };
        let (request, principal) = (None, Principal::default());
        let command = Command { request, principal, team: team(), etag: None, operation };
        let mut events = Vec::new();
        self.state.apply_telling(&command, stamp, &mut events).unwrap();
        events.into_iter().for_each(|event| self.saw(event));
        self.check(now);
    }

    /// What the leader does when time passes.
    fn wait_until(&mut self, now: u64) {
        while let Some(due) = self.state.next_due().filter(|due| due.0 <= now) {
            assert_eq!(self.state.due_teams(due), [team()]);
            let at = due.0.max(self.state.time().0);
            self.perform(at, Operation::Tick);
            self.ticks += 1;
            assert!(self.state.next_due() > Some(due) || self.state.next_due().is_none());
        }
    }

    fn saw(&mut self, event: Event) {
        let Change::Assignment { before, after, rep_email: _ } = event.change else { return };
        let rank = (Reverse(after.priority), after.id);
        assert_eq!(self.seen.get(&after.id), before.as_deref(), "no step is missed");
        let (away, from, until) = &self.away;
        let had = before.as_ref().and_then(|before| before.rep.as_ref());
        if let Some(rep) = after.rep.as_ref().filter(|rep| Some(*rep) != had)
            && *from <= event.time
            && event.time < *until
        {
            assert!(!away.contains(rep), "{rep} is away at {}: {after:?}", event.time.0);
            self.given_meanwhile += 1;
        }
        match after.state {
            AssignmentState::Pending => assert!(self.waiting.insert(rank)),
            AssignmentState::Assigned if self.waiting.contains(&rank) => {
                assert_eq!(self.waiting.first(), Some(&rank), "the first in the queue is served");
                self.waiting.remove(&rank);
                self.served_after_waiting += 1;
            }
            AssignmentState::Assigned if before.is_none() => {
                assert!(self.waiting.is_empty(), "nobody new is served before those who wait");
            }
            AssignmentState::Unassigned if self.waiting.remove(&rank) => self.given_up += 1,
            AssignmentState::Cancelled => drop(self.waiting.remove(&rank)),
            AssignmentState::Assigned
            | AssignmentState::Offered
            | AssignmentState::Unassigned
            | AssignmentState::Closed => {}
        }
        self.waiting_most = self.waiting_most.max(self.waiting.len());
        self.by_contact.insert(after.contact.clone(), after.id);
        for (assignment, by) in [(before.as_deref(), -1), (Some(&*after), 1)] {
            if let Some(assignment) = assignment.filter(|assignment| assignment.state.is_held()) {
                let held = self.held.entry(assignment.rep.clone().unwrap()).or_default();
                *held = held.checked_add_signed(by).unwrap();
            }
        }
        self.seen.insert(after.id, (*after).clone());
    }

    /// What was added up step by step is what there is.
    fn recount(&self) {
        let mut held = BTreeMap::new();
        for assignment in self.seen.values().filter(|assignment| assignment.state.is_held()) {
            *held.entry(assignment.rep.clone().unwrap()).or_default() += 1;
        }
        let told = self.held.iter().filter(|(_, count)| **count > 0);
        assert!(told.eq(&held), "{:?}, {held:?}", self.held);
    }

    fn check(&self, now: u64) {
        if self.index.is_multiple_of(256) {
            self.recount();
        }
        for rep in self.state.reps(&team(), None, usize::MAX).unwrap() {
            let counted = self.held.get(&rep.id).copied().unwrap_or(0);
            assert_eq!(rep.open_count, counted, "P10, {} at {now}", rep.id);
            assert!(counted <= u64::from(MAX_OPEN), "P10, {} at {now}", rep.id);
        }
    }
}

#[test]
fn p10_a_year_of_a_crm_by_least_open_keeps_every_limit_and_serves_the_queue_in_order() {
    let crm = load();
    assert_eq!((crm.agents.len(), crm.opportunities.len()), (AGENTS, OPPORTUNITIES));
    let start = crm.opportunities.iter().filter_map(|o| o.engaged).min().unwrap() - DAY;
    // Two agents are away for a month in the middle of the year.
    let (away_from, away_until) = (Time(start + 240 * DAY), Time(start + 270 * DAY));
    let on_holiday: Vec<_> = crm.agents[..2].iter().map(|agent| RepId::new(agent)).collect();
    let mut run = Run {
        state: State::new(),
        index: 0,
        seen: BTreeMap::new(),
        held: BTreeMap::new(),
        by_contact: BTreeMap::new(),
        waiting: BTreeSet::new(),
        waiting_most: 0,
        served_after_waiting: 0,
        away: (on_holiday.clone(), away_from, away_until),
        given_meanwhile: 0,
        given_up: 0,
        ticks: 0,
    };
    let (labels, time_zone) = (BTreeMap::new(), String::new());
    run.perform(start, Operation::CreateTeam { display_name: "CRM".into(), labels, time_zone });
    for agent in &crm.agents {
        let settings = RepSettings { max_open: MAX_OPEN, ..RepSettings::default() };
        run.perform(start, Operation::CreateRep { rep: RepId::new(agent), settings });
    }
    let member = |agent: &String| MemberSpec {
        member: MemberName::Rep(RepId::new(agent)),
        payload: String::new(),
        weight: 1,
    };
    let members = crm.agents.iter().map(member).collect();
    let settings = GroupSettings { strategy: Strategy::LeastOpen, ..GroupSettings::default() };
    run.perform(start, Operation::CreateGroup { group: group("all"), settings, members });
    let rule = turnwise::routing::RuleId::new("least-open");
    let targets = vec![Target { wait_us: 7 * DAY, ..Target::new(TargetKind::Group(group("all"))) }];
    let display_name = "Least open, a week at most".to_owned();
    let labels = BTreeMap::new();
    run.perform(start, Operation::CreateRule { rule: rule.clone(), display_name, labels, targets });

    for rep in on_holiday {
        let (from, until) = (Some(away_from), Some(away_until));
        let note = "a month".to_owned();
        run.perform(start, Operation::SetOutOfOffice { rep, start: from, end: until, note });
    }

    // Closings come before arrivals of the same day; those without a date arrive at the end.
    let end = crm.opportunities.iter().filter_map(|o| o.closed).max().unwrap() + DAY;
    let mut days: BTreeMap<(u64, bool, usize), &Opportunity> = BTreeMap::new();
    for (i, opportunity) in crm.opportunities.iter().enumerate() {
        days.insert((opportunity.engaged.unwrap_or(end), true, i), opportunity);
        opportunity.closed.map(|day| days.insert((day, false, i), opportunity));
    }
    let via = Via::Rule(rule);
    for ((day, is_new, i), opportunity) in days {
        let now = day + u64::try_from(i).unwrap();
        run.wait_until(now);
        let contact = ContactId::new(&opportunity.id);
        if is_new {
            let assign = Assign::new(contact, via.clone());
            run.perform(now, Operation::AssignContact(assign));
        } else {
            let assignment = run.by_contact[&contact];
            // One that nobody got in time is given up.
            run.perform(
                now,
                if run.seen[&assignment].state == AssignmentState::Assigned {
                    Operation::CloseAssignment { assignment }
                } else {
                    Operation::CancelAssignment { assignment }
                },
            );
        }
    }
    // What is left is closed, oldest first, until nobody waits.
    let mut now = end + u64::try_from(OPPORTUNITIES).unwrap();
    while !run.waiting.is_empty() {
        now += DAY / 24;
        run.wait_until(now);
        let oldest = run.seen.values().find(|a| a.state == AssignmentState::Assigned).unwrap().id;
        run.perform(now, Operation::CloseAssignment { assignment: oldest });
    }
    eprintln!(
        "8,800 opportunities: at most {} waited at once, {} were served after waiting, {} waited a week \
         in vain, {} ticks",
        run.waiting_most, run.served_after_waiting, run.given_up, run.ticks
    );
    assert!(run.given_meanwhile > 100, "while they are away there is work, and others get it");
    assert_eq!(run.seen.len(), OPPORTUNITIES);
    assert!(
        run.waiting_most > 100 && run.served_after_waiting > 100,
        "the queue filled and drained"
    );
    assert!(run.ticks > 0, "waits ended by themselves");
    run.recount();
    assert_eq!(run.state.hash(), run.state.recomputed_hash());
}
