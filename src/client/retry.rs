//! When to send a call, where to, how long to wait, when to give up.
//!
//! Pure: no I/O, no clock, no randomness of its own. It is told the time and given a random number
//! with each event, so the same events give the same steps. It does not know what is being called;
//! whoever drives it sees to it that all tries of one change carry one request id.
//!
//! Any node serves any call, so a try that fails goes on with the next node at once: one node may be
//! down, or cut off from a leader that others still reach. After a whole round there is a pause, at least
//! as long as any node of the round asked for; it doubles from `pause_min` to `pause_max` and is drawn
//! from its upper half, so that callers who failed together do not come back together.

use std::time::Duration;

/// How patient a caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The first pause.
    pub pause_min: Duration,
    /// The longest pause, unless a node asks for a longer one.
    pub pause_max: Duration,
    /// The longest that one try may take before another node is asked.
    pub attempt_max: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            pause_min: Duration::from_millis(20),
            pause_max: Duration::from_secs(1),
            attempt_max: Duration::from_secs(3),
        }
    }
}

/// What a try came back with, where it was not final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: no connection, it broke, or the try ran out of time.
    Unreachable,
    /// The node cannot serve it now.
    Unavailable {
        /// How long the node asks to wait.
        retry_delay: Option<Duration>,
        /// Which endpoint leads, if the node said so and it is one of ours.
        leader: Option<usize>,
    },
    /// The node has too much to do; another one would pass the call on to the same leader.
    Overloaded {
        /// How long the node asks to wait.
        retry_delay: Option<Duration>,
    },
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The caller wants the call made.
    Start,
    /// A try came back.
    Answered(Answer),
    /// The time waited for has come.
    Woke,
}

/// What to do next. Times are on the clock that the events are told in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Try here, and take it for unreachable if there is no answer by then.
    Send {
        /// Which endpoint, from 0.
        endpoint: usize,
        /// When to stop waiting for the answer.
        until: Duration,
    },
    /// Do nothing until then.
    Wait {
        /// When to come back with [`Event::Woke`].
        until: Duration,
    },
    /// Nothing more can be done before the deadline.
    GiveUp,
}

/// The tries of one call.
#[derive(Debug, Clone)]
pub struct Retry {
    policy: Policy,
    endpoints: usize,
    endpoint: usize,
    deadline: Duration,
    /// Endpoints that did not fail since the last pause.
    untried: usize,
    /// The longest delay that a node has asked for since then.
    asked: Duration,
    /// Leader hints followed since the last pause: two nodes may each take the other for the leader.
    hints: usize,
    pauses: u32,
}

impl Retry {
    /// Tries over `endpoints` nodes (at least one), beginning with `first`, until `deadline`.
    #[must_use]
    pub fn new(policy: Policy, endpoints: usize, first: usize, deadline: Duration) -> Self {
        let endpoints = endpoints.max(1);
        let endpoint = first % endpoints;
        Self {
            policy,
            endpoints,
            endpoint,
            deadline,
            untried: endpoints,
            asked: Duration::ZERO,
            hints: 0,
            pauses: 0,
        }
    }

    /// Takes what happened and says what to do. `draw` is any number, drawn anew for each event.
    pub fn step(&mut self, event: Event, now: Duration, draw: u64) -> Step {
        match event {
            Event::Start | Event::Woke => self.send(now),
            Event::Answered(Answer::Unreachable) => self.try_next(now, Duration::ZERO, draw),
            Event::Answered(Answer::Unavailable { retry_delay, leader }) => {
                if let Some(leader) = leader
                    && leader < self.endpoints
                    && leader != self.endpoint
                    && self.hints < self.endpoints
                {
                    self.hints += 1;
                    self.endpoint = leader;
                    return self.send(now);
                }
                self.try_next(now, retry_delay.unwrap_or_default(), draw)
            }
            Event::Answered(Answer::Overloaded { retry_delay }) => {
                self.asked = self.asked.max(retry_delay.unwrap_or_default());
                self.pause(now, draw)
            }
        }
    }

    fn try_next(&mut self, now: Duration, asked: Duration, draw: u64) -> Step {
        self.endpoint = (self.endpoint + 1) % self.endpoints;
        self.asked = self.asked.max(asked);
        self.untried = self.untried.saturating_sub(1);
        if self.untried > 0 { self.send(now) } else { self.pause(now, draw) }
    }

    fn send(&self, now: Duration) -> Step {
        if now >= self.deadline {
            return Step::GiveUp;
        }
        let until = now.saturating_add(self.policy.attempt_max).min(self.deadline);
        Step::Send { endpoint: self.endpoint, until }
    }

    fn pause(&mut self, now: Duration, draw: u64) -> Step {
        let doubled = 2_u32.saturating_pow(self.pauses);
        let longest = self.policy.pause_min.saturating_mul(doubled).min(self.policy.pause_max);
        self.pauses = self.pauses.saturating_add(1);
        self.untried = self.endpoints;
        self.hints = 0;
        let at_least = std::mem::take(&mut self.asked);
        let half = longest / 2;
        let half_us = u64::try_from(half.as_micros()).unwrap_or(u64::MAX);
        let jitter = Duration::from_micros(draw % half_us.saturating_add(1));
        let until = now.saturating_add(half.max(at_least)).saturating_add(jitter);
        // To sit out a pause that ends after the deadline would only delay the bad news.
        if until >= self.deadline { Step::GiveUp } else { Step::Wait { until } }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{Answer, Event, Policy, Retry, Step};

    const POLICY: Policy = Policy {
        pause_min: Duration::from_millis(20),
        pause_max: Duration::from_millis(160),
        attempt_max: Duration::from_millis(500),
    };
    const UNREACHABLE: Event = Event::Answered(Answer::Unreachable);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn send(endpoint: usize, until: u64) -> Step {
        Step::Send { endpoint, until: ms(until) }
    }

    fn unavailable(retry_delay: Option<u64>, leader: Option<usize>) -> Event {
        let retry_delay = retry_delay.map(ms);
        Event::Answered(Answer::Unavailable { retry_delay, leader })
    }

    #[test]
    fn a_round_of_unreachable_nodes_costs_no_waiting() {
        let mut retry = Retry::new(POLICY, 3, 1, ms(10_000));
        assert_eq!(retry.step(Event::Start, ms(0), 0), send(1, 500));
        assert_eq!(retry.step(UNREACHABLE, ms(1), 0), send(2, 501));
        assert_eq!(retry.step(UNREACHABLE, ms(2), 0), send(0, 502));
        assert_eq!(retry.step(UNREACHABLE, ms(3), 0), Step::Wait { until: ms(13) });
        assert_eq!(retry.step(Event::Woke, ms(13), 0), send(1, 513), "the round begins anew");
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut retry = Retry::new(POLICY, 1, 0, ms(100_000));
        let pauses: Vec<Step> = (0..6).map(|_| retry.step(UNREACHABLE, ms(0), 0)).collect();
        // Without jitter a pause is half of what it may be.
        let expected = [10, 20, 40, 80, 80, 80].map(|until| Step::Wait { until: ms(until) });
        assert_eq!(pauses, expected);
    }

    #[test]
    fn another_node_is_asked_at_once_but_a_round_gets_the_longest_delay_asked_for() {
        let mut retry = Retry::new(POLICY, 3, 0, ms(10_000));
        assert_eq!(retry.step(unavailable(Some(300), None), ms(5), 0), send(1, 505));
        assert_eq!(retry.step(UNREACHABLE, ms(6), 0), send(2, 506));
        let step = retry.step(unavailable(Some(100), None), ms(7), 0);
        assert_eq!(step, Step::Wait { until: ms(307) });
        assert_eq!(retry.step(Event::Woke, ms(307), 0), send(0, 807));
        let mut alone = Retry::new(POLICY, 1, 0, ms(10_000));
        let step = alone.step(unavailable(Some(300), None), ms(5), 0);
        assert_eq!(step, Step::Wait { until: ms(305) });
    }

    #[test]
    fn a_leader_hint_is_followed_at_once_but_not_in_circles() {
        let mut retry = Retry::new(POLICY, 2, 0, ms(10_000));
        assert_eq!(retry.step(unavailable(None, Some(1)), ms(0), 0), send(1, 500));
        assert_eq!(retry.step(unavailable(None, Some(0)), ms(0), 0), send(0, 500));
        let third = retry.step(unavailable(None, Some(1)), ms(0), 0);
        assert_eq!(third, send(1, 500), "no more hints are followed, but a round is not over");
        assert_eq!(retry.step(unavailable(None, Some(0)), ms(0), 0), Step::Wait { until: ms(10) });
        for no_hint in [Some(0), Some(7)] {
            let mut alone = Retry::new(POLICY, 1, 0, ms(10_000));
            let step = alone.step(unavailable(None, no_hint), ms(0), 0);
            assert_eq!(step, Step::Wait { until: ms(10) }, "of itself, or of nobody we know");
        }
    }

    #[test]
    fn an_overloaded_leader_is_not_escaped_by_asking_another_node() {
        let mut retry = Retry::new(POLICY, 3, 2, ms(10_000));
        let overloaded = Event::Answered(Answer::Overloaded { retry_delay: Some(ms(50)) });
        assert_eq!(retry.step(overloaded, ms(0), 0), Step::Wait { until: ms(50) });
        assert_eq!(retry.step(Event::Woke, ms(50), 0), send(2, 550));
    }

    #[test]
    fn the_deadline_ends_it_and_cuts_the_last_try() {
        let mut retry = Retry::new(POLICY, 1, 0, ms(100));
        assert_eq!(retry.step(Event::Start, ms(0), 0), send(0, 100));
        assert_eq!(retry.step(UNREACHABLE, ms(95), 0), Step::GiveUp, "a pause would end too late");
        let mut late = Retry::new(POLICY, 1, 0, ms(100));
        assert_eq!(late.step(Event::Woke, ms(100), 0), Step::GiveUp);
    }

    proptest! {
        /// Whatever the nodes answer: no step lies in the past or beyond the deadline, no endpoint is
        /// made up, and nobody is asked more than a round of times without a pause between.
        #[test]
        fn it_never_hammers_and_never_outlives_its_deadline(
            answers in prop::collection::vec((0..4_usize, 0..400_u64, any::<u64>()), 1..200),
            endpoints in 1..6_usize,
        ) {
            let deadline = ms(5_000);
            let mut retry = Retry::new(POLICY, endpoints, 0, deadline);
            let mut now = ms(0);
            let mut sends_without_pause = 0;
            let mut step = retry.step(Event::Start, now, 0);
            for (kind, delay, draw) in answers {
                match step {
                    Step::GiveUp => break,
                    Step::Wait { until } => {
                        prop_assert!(until > now && until < deadline);
                        sends_without_pause = 0;
                        now = until;
                        step = retry.step(Event::Woke, now, draw);
                    }
                    Step::Send { endpoint, until } => {
                        prop_assert!(endpoint < endpoints && until > now && until <= deadline);
                        sends_without_pause += 1;
                        prop_assert!(sends_without_pause <= 2 * endpoints);
                        let event = match kind {
                            0 => UNREACHABLE,
                            1 => unavailable(Some(delay), None),
                            2 => unavailable(None, Some(usize::try_from(draw % 8).unwrap())),
                            _ => Event::Answered(Answer::Overloaded { retry_delay: None }),
                        };
                        step = retry.step(event, now, draw);
                    }
                }
            }
        }
    }
}
