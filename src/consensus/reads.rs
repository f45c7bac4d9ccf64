//! Linearizable reads: which of them wait for which confirmation.
//!
//! Reads that arrive together share one ReadIndex context, and a read joins only a context made after
//! it arrived. A context is used once: a retry makes a new one, because raft-rs keys its bookkeeping
//! by context and a late acknowledgement of an old one could vouch for a read it never saw (etcd
//! #20418). It performs no reads; it says when they may be performed.

use std::collections::VecDeque;

use super::input::ReadId;
use crate::planted::{self, Bug};

/// Reads that arrived together.
#[derive(Debug)]
struct Group {
    ids: Vec<ReadId>,
    /// Ticks since they arrived.
    waited: u32,
}

#[derive(Debug)]
struct Asked {
    context: [u8; CONTEXT_LEN],
    group: Group,
    /// Ticks since this context was sent.
    age: u32,
}

const CONTEXT_LEN: usize = 24;

/// Contexts under way at once; more reads wait for the next one.
const ASKED_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct Reads {
    context_prefix: [u8; 16],
    contexts_made: u64,
    fresh: Vec<Group>,
    asked: VecDeque<Asked>,
    /// Confirmed as of an index that is not applied yet.
    confirmed: Vec<(u64, Vec<ReadId>)>,
    /// An index that a leader vouched for since this node started is applied.
    caught_up: bool,
}

impl Reads {
    /// `boot_nonce` differs between two runs of the same node.
    pub(super) fn new(node: u64, boot_nonce: u64) -> Self {
        let mut context_prefix = [0; 16];
        let prefix = node.to_be_bytes().into_iter().chain(boot_nonce.to_be_bytes());
        context_prefix.iter_mut().zip(prefix).for_each(|(to, from)| *to = from);
        Self {
            context_prefix,
            contexts_made: 0,
            fresh: Vec::new(),
            asked: VecDeque::new(),
            confirmed: Vec::new(),
            caught_up: false,
        }
    }

    /// Whether this node has applied what was acknowledged before it started. What it hears of the commit
    /// index does not tell: a heartbeat names no more than the node is known to have.
    pub(super) fn is_caught_up(&self) -> bool {
        self.caught_up
    }

    pub(super) fn arrived(&mut self, ids: Vec<ReadId>) {
        if planted::is(Bug::LocalRead) {
            self.confirmed.push((0, ids));
        } else if planted::is(Bug::ReadJoinsEarlierIndex)
            && let Some(asked) = self.asked.back_mut()
        {
            asked.group.ids.extend(ids);
        } else if !ids.is_empty() {
            self.fresh.push(Group { ids, waited: 0 });
        }
    }

    /// A context to ask the leader for, for all reads that wait for one; until the node has caught up,
    /// for its own sake too.
    pub(super) fn next_context(&mut self) -> Option<Vec<u8>> {
        let for_itself = !self.caught_up && self.asked.is_empty() && self.confirmed.is_empty();
        if self.fresh.is_empty() && !for_itself || self.asked.len() >= ASKED_MAX {
            return None;
        }
        self.contexts_made += 1;
        let mut context = [0; CONTEXT_LEN];
        let bytes = self.context_prefix.into_iter().chain(self.contexts_made.to_be_bytes());
        context.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        let fresh = std::mem::take(&mut self.fresh);
        let waited = fresh.iter().map(|group| group.waited).max().unwrap_or(0);
        let ids = fresh.into_iter().flat_map(|group| group.ids).collect();
        self.asked.push_back(Asked { context, group: Group { ids, waited }, age: 0 });
        Some(context.to_vec())
    }

    /// The leader vouches for `context` as of `index`. Contexts that are not ours are ignored.
    pub(super) fn confirmed(&mut self, context: &[u8], index: u64) {
        if let Some(at) = self.asked.iter().position(|asked| asked.context == context)
            && let Some(asked) = self.asked.remove(at)
        {
            self.confirmed.push((index, asked.group.ids));
        }
    }

    /// Reads whose index is applied.
    pub(super) fn take_ready(&mut self, applied: u64) -> Vec<ReadId> {
        let mut ready = Vec::new();
        self.confirmed.retain_mut(|(index, ids)| {
            let is_ready = *index <= applied;
            self.caught_up |= is_ready;
            if is_ready {
                ready.append(ids);
            }
            !is_ready
        });
        ready
    }

    /// Another leader: what was asked of the old one is asked again.
    pub(super) fn leader_changed(&mut self) {
        self.fresh.extend(self.asked.drain(..).map(|asked| asked.group));
    }

    /// Asks again after `retry_after` ticks; gives back what waited longer than `give_up_after`.
    pub(super) fn tick(&mut self, retry_after: u32, give_up_after: u32) -> Vec<ReadId> {
        for asked in &mut self.asked {
            asked.age += 1;
            asked.group.waited += 1;
        }
        for group in &mut self.fresh {
            group.waited += 1;
        }
        let (again, keep) =
            std::mem::take(&mut self.asked).into_iter().partition(|asked| asked.age >= retry_after);
        self.asked = keep;
        let again: VecDeque<Asked> = again;
        self.fresh.extend(again.into_iter().map(|asked| asked.group));
        let (given_up, keep): (Vec<Group>, Vec<Group>) = std::mem::take(&mut self.fresh)
            .into_iter()
            .partition(|group| group.waited >= give_up_after);
        self.fresh = keep;
        given_up.into_iter().flat_map(|group| group.ids).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_that_arrive_together_share_a_context_and_later_ones_do_not() {
        let mut reads = Reads::new(1, 9);
        reads.arrived(vec![ReadId(1), ReadId(2)]);
        let first = reads.next_context().unwrap();
        assert_eq!(reads.next_context(), None);
        reads.arrived(vec![ReadId(3)]);
        let second = reads.next_context().unwrap();
        assert_ne!(first, second);
        reads.confirmed(&first, 7);
        assert!(reads.take_ready(6).is_empty());
        assert_eq!(reads.take_ready(7), [ReadId(1), ReadId(2)]);
        reads.confirmed(&second, 7);
        assert_eq!(reads.take_ready(7), [ReadId(3)]);
    }

    #[test]
    fn a_node_asks_for_its_own_sake_until_it_has_applied_what_a_leader_vouches_for() {
        let mut reads = Reads::new(1, 9);
        let lost = reads.next_context().unwrap();
        assert_eq!(reads.next_context(), None, "one is under way");
        assert!(reads.tick(1, 1).is_empty());
        let heard = reads.next_context().unwrap();
        reads.confirmed(&lost, 1);
        assert!(reads.take_ready(9).is_empty() && !reads.is_caught_up());
        reads.confirmed(&heard, 5);
        assert_eq!(reads.next_context(), None, "it is to apply that first");
        assert!(reads.take_ready(4).is_empty() && !reads.is_caught_up());
        assert!(reads.take_ready(5).is_empty() && reads.is_caught_up());
        assert_eq!(reads.next_context(), None);
    }

    #[test]
    fn a_retry_has_a_new_context_and_the_old_one_vouches_for_nothing() {
        let mut reads = Reads::new(1, 9);
        reads.arrived(vec![ReadId(1)]);
        let old = reads.next_context().unwrap();
        assert!(reads.tick(1, 10).is_empty());
        let new = reads.next_context().unwrap();
        assert_ne!(old, new);
        reads.confirmed(&old, 1);
        assert!(reads.take_ready(9).is_empty());
        reads.confirmed(&new, 1);
        assert_eq!(reads.take_ready(9), [ReadId(1)]);
    }

    #[test]
    fn a_read_that_nobody_answers_is_given_up() {
        let mut reads = Reads::new(1, 9);
        reads.arrived(vec![ReadId(1)]);
        assert!(reads.tick(2, 3).is_empty());
        assert!(reads.next_context().is_some());
        assert!(reads.tick(2, 3).is_empty());
        assert_eq!(reads.tick(1, 3), [ReadId(1)]);
    }
}
