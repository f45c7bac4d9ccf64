//! Leader time: what a command's stamp says, whatever the wall clocks do.
//!
//! A stamp is an anchor plus the leader's own monotonic elapsed time. The anchor, set on election, is
//! the greater of the last committed stamp and the median of the members' wall clocks, where a clock
//! that was not heard of yet counts as far behind: while a majority of the clocks is right, leader time
//! may wait for them, and never runs ahead of them. From there
//! leader time follows the wall clock by at most 0.1%, unless that clock is more than a second from
//! the median: then it is not followed, and an alarm is due. So no jump of any clock moves a window,
//! a retention or a deadline by more than a second. It reads no clock itself.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::NodeId;
use crate::planted::{self, Bug};

/// What the driver's clocks said when an input came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Microseconds since some moment of this process; never goes back.
    pub monotonic_us: u64,
    /// Microseconds since the Unix epoch; may jump.
    pub wall_us: u64,
}

/// A wall clock farther than this from the median is not followed: 1 s.
const FOLLOW_LIMIT_US: u64 = 1_000_000;
/// Leader time gains or loses at most one part in this many on its way to the wall clock.
const SLEW_DIVISOR: u64 = 1_000;

/// See the module.
#[derive(Debug)]
pub(super) struct LeaderClock {
    /// How many clocks there are, ours among them.
    members: usize,
    /// Each peer's wall clock less our monotonic one, as of the last frame from it. Not less our wall
    /// clock: that may jump before the peer is heard again, and would take the peer's along.
    peers: BTreeMap<NodeId, i64>,
    anchor: Option<Anchor>,
}

#[derive(Debug, Clone, Copy)]
struct Anchor {
    stamp_us: u64,
    monotonic_us: u64,
}

impl LeaderClock {
    /// Of one of `members` nodes.
    pub(super) fn new(members: usize) -> Self {
        Self { members, peers: BTreeMap::new(), anchor: None }
    }

    /// Notes who has a clock that counts: those with a vote.
    pub(super) fn set_members(&mut self, voters: &BTreeSet<NodeId>) {
        self.members = voters.len();
        self.peers.retain(|peer, _| voters.contains(peer));
    }

    /// Notes what a peer's wall clock said.
    pub(super) fn heard(&mut self, peer: NodeId, peer_wall_us: u64, now: Now) {
        self.peers.insert(peer, difference(peer_wall_us, now.monotonic_us));
    }

    /// How far our wall clock is from the median of the members', if by more than a second.
    pub(super) fn alarm_us(&self, now: Now) -> Option<i64> {
        let off = difference(self.median_us(now), now.wall_us);
        (off.unsigned_abs() > FOLLOW_LIMIT_US).then_some(off)
    }

    /// Starts to give stamps, none of them before `last_committed_us`.
    pub(super) fn elected(&mut self, last_committed_us: u64, now: Now) {
        let own = planted::is(Bug::TimeFromOwnClock);
        let stamp_us = last_committed_us.max(if own { now.wall_us } else { self.median_us(now) });
        self.anchor = Some(Anchor { stamp_us, monotonic_us: now.monotonic_us });
    }

    /// Leader time now, for the leader.
    pub(super) fn stamp_us(&mut self, now: Now) -> u64 {
        let follow = self.alarm_us(now).is_none();
        let Some(anchor) = &mut self.anchor else { return 0 };
        let elapsed = now.monotonic_us.saturating_sub(anchor.monotonic_us);
        let unslewed = anchor.stamp_us.saturating_add(elapsed);
        let slew = elapsed / SLEW_DIVISOR;
        let stamp = if !follow {
            unslewed
        } else if now.wall_us > unslewed {
            now.wall_us.min(unslewed.saturating_add(slew))
        } else {
            now.wall_us.max(unslewed.saturating_sub(slew))
        };
        // Re-anchored only once the slew is a whole microsecond, or none would ever add up.
        if slew > 0 {
            *anchor = Anchor { stamp_us: stamp, monotonic_us: now.monotonic_us };
        }
        stamp
    }

    /// The median of the members' wall clocks: a majority of all clocks is there or later. Two of
    /// five nodes with wrong clocks and their leader are a majority too; without counting the two that
    /// are not heard of, the wrong ones would set the time.
    fn median_us(&self, now: Now) -> u64 {
        let ours = difference(now.wall_us, now.monotonic_us);
        let mut all: Vec<i64> = self.peers.values().copied().chain([ours]).collect();
        all.sort_unstable_by(|a, b| b.cmp(a));
        let median = all.get(self.members / 2).or(all.last()).copied().unwrap_or(ours);
        now.monotonic_us.saturating_add_signed(median)
    }
}

/// `a - b`, as far as it can be said.
fn difference(a: u64, b: u64) -> i64 {
    let difference = i128::from(a) - i128::from(b);
    let bound = i64::MAX / 4;
    i64::try_from(difference).unwrap_or(bound).clamp(-bound, bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000_000;

    fn at(monotonic_us: u64, wall_us: u64) -> Now {
        Now { monotonic_us, wall_us }
    }

    #[test]
    fn a_jump_of_the_leaders_clock_moves_nothing() {
        let mut clock = LeaderClock::new(3);
        clock.heard(NodeId(2), 10 * HOUR, at(0, 10 * HOUR));
        clock.heard(NodeId(3), 10 * HOUR, at(0, 10 * HOUR));
        clock.elected(0, at(0, 10 * HOUR));
        let jumped = at(1_000_000, 20 * HOUR);
        clock.heard(NodeId(2), 10 * HOUR + 1_000_000, jumped);
        clock.heard(NodeId(3), 10 * HOUR + 1_000_000, jumped);
        assert_eq!(clock.stamp_us(jumped), 10 * HOUR + 1_000_000);
        assert!(clock.alarm_us(jumped).is_some());
    }

    #[test]
    fn a_clock_that_jumps_before_an_election_takes_no_peers_clock_along() {
        let mut clock = LeaderClock::new(3);
        clock.heard(NodeId(2), 10 * HOUR, at(0, 10 * HOUR));
        clock.heard(NodeId(3), 10 * HOUR, at(0, 10 * HOUR));
        // Node 3 is down when our clock jumps and node 2 votes for us.
        let jumped = at(1_000_000, 20 * HOUR);
        clock.heard(NodeId(2), 10 * HOUR + 1_000_000, jumped);
        clock.elected(0, jumped);
        assert_eq!(clock.stamp_us(jumped), 10 * HOUR + 1_000_000);
    }

    #[test]
    fn an_elected_node_with_a_wrong_clock_starts_from_the_median() {
        let mut clock = LeaderClock::new(3);
        let now = at(0, 20 * HOUR);
        clock.heard(NodeId(2), 10 * HOUR, now);
        clock.heard(NodeId(3), 10 * HOUR, now);
        clock.elected(0, now);
        assert_eq!(clock.stamp_us(now), 10 * HOUR);
    }

    #[test]
    fn two_wrong_clocks_of_five_do_not_set_the_time_while_others_are_not_heard() {
        let mut clock = LeaderClock::new(5);
        let now = at(0, 10 * HOUR);
        clock.heard(NodeId(2), 20 * HOUR, now);
        clock.heard(NodeId(3), 20 * HOUR, now);
        clock.elected(0, now);
        assert_eq!(clock.stamp_us(now), 10 * HOUR);
    }

    #[test]
    fn stamps_never_start_before_what_was_committed() {
        let mut clock = LeaderClock::new(3);
        clock.elected(30 * HOUR, at(0, 10 * HOUR));
        assert_eq!(clock.stamp_us(at(0, 10 * HOUR)), 30 * HOUR);
    }

    #[test]
    fn leader_time_follows_the_wall_clock_by_at_most_a_thousandth() {
        let mut clock = LeaderClock::new(3);
        clock.elected(0, at(0, HOUR));
        // The wall clock ran half a second ahead within ten seconds.
        let stamp = clock.stamp_us(at(10_000_000, HOUR + 10_500_000));
        assert_eq!(stamp, HOUR + 10_010_000);
        let mut last = stamp;
        for step in 1..=100_000 {
            let now = at(10_000_000 + step * 100, HOUR + 10_500_000 + step * 100);
            let next = clock.stamp_us(now);
            assert!(next >= last, "{step}: {next} < {last}");
            last = next;
        }
        assert!(last > HOUR + 20_010_000, "small steps add up: {last}");
    }
}
