//! A caller: one operation at a time, retried by the production retry machine until it is answered.
//!
//! All tries of an operation carry one request id; some operations are called on two nodes at once.
//! It checks what a caller can check: that all answers to one operation are equal (I2), and that an
//! operation called after another was answered comes after it in the log. What it was told is kept
//! for the end, when it must be in every node's state (I1).

use std::{rc::Rc, time::Duration};

use bytes::Bytes;
use turnwise::{
    client::retry::{self, Policy, Retry, Step},
    codec,
    consensus::NodeId,
    routing::{Command, LogPosition, Outcome, Rejection},
};

use crate::{
    checks,
    marks::{Mark, Marks},
    plan::{MS, S},
    process::{Answer, Call, What},
    rng::Rng,
    workload,
};

const POLICY: Policy = Policy {
    pause_min: Duration::from_millis(20),
    pause_max: Duration::from_millis(400),
    attempt_max: Duration::from_millis(900),
};

/// What a client wants of the world.
#[derive(Debug)]
pub(crate) enum Wish {
    /// Send this to node `endpoint`, counted from 0.
    Send { endpoint: usize, call: Call },
    /// Call [`Client::woke`] then.
    Wake { at_us: u64, token: u64 },
    /// Call [`Client::next`] then.
    Next { at_us: u64 },
}

/// What all clients together have been told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The greatest position and log index in any answer.
    pub(crate) position: LogPosition,
    pub(crate) index: u64,
    /// Everything that was acknowledged.
    pub(crate) done: Vec<(Command, checks::Outcome)>,
    pub(crate) reads: u64,
    next_call: u64,
}

#[derive(Debug)]
struct Lane {
    retry: Retry,
    /// The call or timer that is waited for.
    token: u64,
    is_calling: bool,
    is_done: bool,
}

#[derive(Debug)]
struct Operation {
    /// `None` = a read.
    command: Option<(Command, Bytes)>,
    /// What had been answered to anybody before this was called.
    after_position: LogPosition,
    after_index: u64,
    /// Whom its lanes go to.
    nodes: Rc<[usize]>,
    lanes: Vec<Lane>,
    answer: Option<checks::Outcome>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Client {
    id: usize,
    /// The nodes that it knows of, counted from 0.
    nodes: Rc<[usize]>,
    rng: Rng,
    founding: Vec<turnwise::routing::Operation>,
    founding_len: u64,
    left: u64,
    /// Never gives up any more.
    insists: bool,
    /// What was answered, to be asked again some time.
    past: Vec<(Command, Bytes, checks::Outcome)>,
    made: u64,
    think_max_us: u64,
    current: Option<Operation>,
}

impl Client {
    pub(crate) fn new(id: usize, seed: u64, nodes: usize, left: u64, think_max_us: u64) -> Self {
        let rng = Rng::stream(seed, &format!("workload {id}"));
        let mut founding = if id == 0 { workload::founding() } else { Vec::new() };
        founding.reverse();
        Self {
            id,
            nodes: (0..nodes).collect(),
            rng,
            founding_len: u64::try_from(founding.len()).unwrap(),
            founding,
            left,
            insists: false,
            past: Vec::new(),
            made: 0,
            think_max_us,
            current: None,
        }
    }

    /// These are the nodes from now on.
    pub(crate) fn learns(&mut self, nodes: Rc<[usize]>) {
        self.nodes = nodes;
    }

    /// Whether everything that others build upon is there.
    pub(crate) fn has_founded(&self) -> bool {
        self.made > self.founding_len || (self.made == self.founding_len && self.current.is_none())
    }

    pub(crate) fn is_done(&self) -> bool {
        self.current.is_none() && self.left == 0 && self.founding.is_empty()
    }

    /// Asks for nothing new, and gives up nothing.
    pub(crate) fn stop(&mut self) {
        self.left = 0;
        self.insists = true;
    }

    /// Begins the next operation, if there is one and none is under way.
    pub(crate) fn next(
        &mut self,
        now_us: u64,
        wall_us: u64,
        told: &mut Told,
        marks: &mut Marks,
    ) -> Vec<Wish> {
        if self.is_done() || self.current.is_some() {
            return Vec::new();
        }
        let is_founding = !self.founding.is_empty();
        let mut answer = None;
        let command = if let Some(operation) = self.founding.pop() {
            Some(self.new_command(operation))
        } else {
            self.left -= 1;
            match self.rng.next() % 100 {
                0..15 => None,
                15..25 if !self.past.is_empty() => {
                    marks.hit(Mark::AskedAgain);
                    let (command, bytes, outcome) = &self.past[self.rng.index(self.past.len())];
                    answer = Some(outcome.clone());
                    Some((command.clone(), bytes.clone()))
                }
                _ => {
                    let operation = workload::operation(&mut self.rng, wall_us);
                    Some(self.new_command(operation))
                }
            }
        };
        let twice =
            !is_founding && command.is_some() && self.nodes.len() > 1 && self.rng.chance(80);
        if twice {
            marks.hit(Mark::TwoNodesAtOnce);
        }
        let first = self.rng.index(self.nodes.len());
        let count = if twice { 2 } else { 1 };
        let lanes = (0..count).map(|lane| self.lane(now_us, first + lane)).collect();
        self.current = Some(Operation {
            command,
            after_position: if answer.is_some() { LogPosition::default() } else { told.position },
            after_index: told.index,
            nodes: Rc::clone(&self.nodes),
            lanes,
            answer,
        });
        (0..count).flat_map(|lane| self.step(lane, retry::Event::Start, now_us, told)).collect()
    }

    fn new_command(&mut self, operation: turnwise::routing::Operation) -> (Command, Bytes) {
        self.made += 1;
        let request = format!("client-{}-{}", self.id, self.made);
        let command = workload::command(&request, operation);
        let bytes = codec::encode(&command);
        (command, bytes)
    }

    fn lane(&mut self, now_us: u64, first: usize) -> Lane {
        let patience_us = self.rng.between(500 * MS, 6 * S);
        let deadline = Duration::from_micros(now_us + patience_us);
        let retry = Retry::new(POLICY, self.nodes.len(), first, deadline);
        Lane { retry, token: 0, is_calling: false, is_done: false }
    }

    /// A time waited for has come: a pause is over, or a try took too long.
    pub(crate) fn woke(
        &mut self,
        token: u64,
        now_us: u64,
        told: &mut Told,
        marks: &mut Marks,
    ) -> Vec<Wish> {
        let Some(lane) = self.lane_of(token) else { return Vec::new() };
        let event = if self.current.as_ref().is_some_and(|it| it.lanes[lane].is_calling) {
            retry::Event::Answered(retry::Answer::Unreachable)
        } else {
            retry::Event::Woke
        };
        let wishes = self.step(lane, event, now_us, told);
        self.after_step(wishes, now_us, told, marks)
    }

    /// A node answered.
    pub(crate) fn answered(
        &mut self,
        call: u64,
        answer: Answer,
        now_us: u64,
        told: &mut Told,
        marks: &mut Marks,
    ) -> Vec<Wish> {
        let Some(lane) = self.lane_of(call) else { return Vec::new() };
        let try_again = match answer {
            Answer::Done { term, outcome } => {
                self.done(lane, term, *outcome, told, marks);
                return self.after_step(Vec::new(), now_us, told, marks);
            }
            Answer::Read { applied } => {
                told.index = told.index.max(applied);
                told.reads += 1;
                self.finish(lane);
                return self.after_step(Vec::new(), now_us, told, marks);
            }
            Answer::NotLeader { leader } => {
                let nodes = self.current.as_ref().map(|operation| &operation.nodes);
                let place = |NodeId(id)| {
                    let node = usize::try_from(id - 1).unwrap();
                    nodes?.iter().position(|it| *it == node)
                };
                retry::Answer::Unavailable { retry_delay: None, leader: leader.and_then(place) }
            }
            Answer::Lost => retry::Answer::Unavailable { retry_delay: None, leader: None },
            Answer::Overloaded => retry::Answer::Overloaded { retry_delay: None },
            Answer::Refused => retry::Answer::Unreachable,
        };
        let wishes = self.step(lane, retry::Event::Answered(try_again), now_us, told);
        self.after_step(wishes, now_us, told, marks)
    }

    fn lane_of(&self, token: u64) -> Option<usize> {
        let lanes = &self.current.as_ref()?.lanes;
        lanes.iter().position(|lane| !lane.is_done && lane.token == token)
    }

    fn finish(&mut self, lane: usize) {
        if let Some(operation) = &mut self.current {
            operation.lanes[lane].is_done = true;
        }
    }

    fn done(
        &mut self,
        lane: usize,
        term: u64,
        outcome: checks::Outcome,
        told: &mut Told,
        marks: &mut Marks,
    ) {
        let operation = self.current.as_mut().expect("it has lanes");
        let (command, bytes) = operation.command.as_ref().expect("a read is answered otherwise");
        match &outcome {
            Ok(reply) => {
                assert!(
                    reply.position > operation.after_position,
                    "{command:?} is at {:?}; {:?} was answered before it was called",
                    reply.position,
                    operation.after_position
                );
                told.position = told.position.max(reply.position);
                told.index = told.index.max(reply.position.log_index);
                if let Outcome::Assigned(assigned) = &reply.outcome
                    && assigned.existing
                {
                    marks.hit(Mark::ExistingAssignment);
                }
                if reply.position.term != term {
                    marks.hit(Mark::RetryAfterFailover);
                }
            }
            Err(rejection) => {
                assert!(*rejection != Rejection::RequestIdReused, "{command:?}");
                marks.hit(Mark::Rejected);
            }
        }
        match &operation.answer {
            Some(first) => {
                assert_eq!(*first, outcome, "two answers to {command:?}");
                marks.hit(Mark::RetryAnswered);
            }
            None => {
                told.done.push((command.clone(), outcome.clone()));
                self.past.push((command.clone(), bytes.clone(), outcome.clone()));
                operation.answer = Some(outcome);
            }
        }
        operation.lanes[lane].is_done = true;
    }

    fn step(
        &mut self,
        lane: usize,
        event: retry::Event,
        now_us: u64,
        told: &mut Told,
    ) -> Vec<Wish> {
        let draw = self.rng.next();
        let client = self.id;
        let Some(operation) = &mut self.current else { return Vec::new() };
        let what = match &operation.command {
            Some((_, bytes)) => What::Propose(bytes.clone()),
            None => What::Read { at_least: operation.after_index },
        };
        let nodes = &operation.nodes;
        let lane = &mut operation.lanes[lane];
        told.next_call += 1;
        lane.token = told.next_call;
        let token = lane.token;
        match lane.retry.step(event, Duration::from_micros(now_us), draw) {
            Step::Send { endpoint, until } => {
                lane.is_calling = true;
                let call = Call { client, id: token, what };
                let endpoint = nodes[endpoint];
                vec![Wish::Send { endpoint, call }, Wish::Wake { at_us: micros(until), token }]
            }
            Step::Wait { until } => {
                lane.is_calling = false;
                vec![Wish::Wake { at_us: micros(until), token }]
            }
            Step::GiveUp => {
                lane.is_done = true;
                Vec::new()
            }
        }
    }

    /// Goes on once all lanes are done. A caller who was told to give up either does, and never
    /// learns what became of it, or asks again under the same request id.
    fn after_step(
        &mut self,
        mut wishes: Vec<Wish>,
        now_us: u64,
        told: &mut Told,
        marks: &mut Marks,
    ) -> Vec<Wish> {
        let Some(operation) = &self.current else { return wishes };
        if operation.lanes.iter().any(|lane| !lane.is_done) {
            return wishes;
        }
        let is_founding = self.made <= self.founding_len;
        if operation.answer.is_none() && operation.command.is_some() {
            marks.hit(Mark::GaveUp);
            if self.insists || is_founding || self.rng.chance(500) {
                let first = self.rng.index(self.nodes.len());
                let lane = self.lane(now_us, first);
                if let Some(operation) = &mut self.current {
                    operation.nodes = Rc::clone(&self.nodes);
                    operation.lanes = vec![lane];
                }
                return self.step(0, retry::Event::Start, now_us, told);
            }
        }
        self.current = None;
        wishes.push(Wish::Next { at_us: now_us + self.rng.between(0, self.think_max_us) });
        wishes
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap()
}
