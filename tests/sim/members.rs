//! Who changes the members: an operator, and machines that join, with a token or because their disks are
//! rotten. Only some seeds have them.
//!
//! It decides what is wanted and remembers what was asked; the world carries it out (`world::members`).
//! It never does what no cluster could come back from: a disk is lost only where a majority of others has
//! read the newest configuration, and then nobody else goes before that one is replaced or removed.

use std::collections::{BTreeMap, BTreeSet};

use turnwise::{
    consensus::{Change, Incarnation, NodeId, Ticket, TokenHash, Versions, driver::Note},
    proto::turnwise::peer::v1::Admitted,
    replica::VERSIONS,
};

use crate::{
    memdisk::MemDisk,
    plan::{Fault, MS, S},
    rng::Rng,
};

/// How the members change in a seed.
#[derive(Debug, Clone)]
pub(crate) struct Growth {
    /// Machines that may join in the whole run.
    pub(crate) spares: usize,
    /// Between how many members it goes to and fro.
    pub(crate) sizes: Vec<usize>,
    /// Pause between two ideas of the operator, at most.
    pub(crate) gap_max_us: u64,
}

impl Growth {
    /// In some seeds; in each if `always`.
    pub(crate) fn draw(seed: u64, always: bool) -> Option<Self> {
        let mut rng = Rng::stream(seed, "growth");
        (rng.chance(180) || always).then(|| Self {
            spares: 12,
            sizes: rng.pick(&[&[3, 5][..], &[3, 5], &[3, 4, 5], &[1, 3], &[1, 2, 3, 5]]).to_vec(),
            gap_max_us: rng.pick(&[500 * MS, 2 * S, 4 * S]),
        })
    }

    /// Nobody wants anything; machines come back by themselves.
    pub(crate) fn none(nodes: usize, rejoins: usize) -> Self {
        Self { spares: rejoins, sizes: vec![nodes], gap_max_us: S }
    }

    /// Rot and wrong clocks strike a minority that is drawn once; here a minority is another one now and
    /// then. A lost disk is the operator's affair.
    pub(crate) fn goes_with(&self, fault: Fault, founders: usize) -> bool {
        let smallest = self.sizes.iter().copied().min().unwrap_or_default().min(founders);
        let is_of_minority = matches!(fault, Fault::Rot | Fault::Wipe | Fault::OldCopy);
        let is_clock = matches!(fault, Fault::ClockJump | Fault::ClockRate);
        !is_of_minority && (!is_clock || smallest >= 3)
    }
}

/// What an operator wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A token, and then so many machines that join with it: one will not be let in twice.
    Token {
        hash: TokenHash,
        ttl_us: u64,
        replaces: Option<NodeId>,
        machines: usize,
    },
    Remove {
        node: NodeId,
    },
}

/// When something was asked, and under which number; 0 = it was not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) id: u64,
    /// Ask (again) then.
    pub(crate) until_us: u64,
}

#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) wanted: Wanted,
    pub(crate) asked: Asked,
}

/// A machine on its way to become a member's.
#[derive(Debug)]
pub(crate) struct Joiner {
    pub(crate) disk: MemDisk,
    /// The newest version that its build has.
    pub(crate) newest: u32,
    pub(crate) by: By,
    pub(crate) replaces: Option<NodeId>,
    /// Of the present run of its process.
    pub(crate) incarnation: Option<Incarnation>,
    pub(crate) admitted: Option<Admitted>,
    pub(crate) asked: Asked,
}

/// What a machine shows to be admitted.
#[derive(Debug)]
pub(crate) enum By {
    Token(TokenHash),
    /// It was this node, and what its directory says of that in the present run of its process.
    Rot(NodeId, Option<Note>),
}

impl Joiner {
    pub(crate) fn with_token(newest: u32, token: TokenHash, replaces: Option<NodeId>) -> Self {
        Self::new(MemDisk::new(), newest, By::Token(token), replaces)
    }

    /// Its disk is rotten, under this id.
    pub(crate) fn rotten(disk: MemDisk, newest: u32, lost: NodeId) -> Self {
        Self::new(disk, newest, By::Rot(lost, None), Some(lost))
    }

    fn new(disk: MemDisk, newest: u32, by: By, replaces: Option<NodeId>) -> Self {
        let (incarnation, admitted, asked) = (None, None, Asked::default());
        Self { disk, newest, by, replaces, incarnation, admitted, asked }
    }

    /// Operations of its disk after which its power may fail.
    pub(crate) fn steps(&self) -> u64 {
        match self.by {
            By::Token(_) => 25,
            By::Rot(..) => 50,
        }
    }

    /// Its machine loses power, and starts again.
    pub(crate) fn crash(&mut self, seed: u64) {
        self.disk.crash(seed);
        self.incarnation = None;
        if let By::Rot(_, note) = &mut self.by {
            *note = None;
        }
        self.admitted = None;
        self.asked = Asked::default();
    }

    pub(crate) fn change(&self) -> Option<Change> {
        let incarnation = self.incarnation.filter(|_| self.admitted.is_none())?;
        let ticket = match &self.by {
            By::Token(token) => Ticket::Token(*token),
            By::Rot(node, note) => {
                Ticket::Lost { node: *node, incarnation: note.as_ref()?.lost_incarnation }
            }
        };
        Some(Change::Join {
            ticket,
            incarnation,
            peer_address: String::new(),
            client_address: String::new(),
            versions: Versions { max: self.newest, ..VERSIONS },
        })
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Operator {
    pub(crate) rng: Rng,
    pub(crate) growth: Growth,
    /// Otherwise it only leads in machines that come back.
    pub(crate) has_ideas: bool,
    pub(crate) tasks: Vec<Task>,
    pub(crate) joiners: Vec<Joiner>,
    /// Machines that may still join.
    pub(crate) spares: usize,
    /// How many members there should be.
    pub(crate) want: usize,
    pub(crate) idea_at_us: u64,
    /// Who was said to lead.
    pub(crate) leader: Option<NodeId>,
    /// Who was to be removed when it led.
    pub(crate) led: BTreeSet<NodeId>,
    /// When a machine that was removed is started again.
    pub(crate) returns: Vec<(u64, usize)>,
    returned: BTreeMap<usize, u32>,
    pub(crate) power_cuts: u64,
    pub(crate) power_cut_us: u64,
    next_ask: u64,
}

impl Operator {
    pub(crate) fn new(seed: u64, growth: Growth, has_ideas: bool) -> Self {
        let mut rng = Rng::stream(seed, "members");
        Self {
            want: rng.pick(&growth.sizes),
            rng,
            spares: growth.spares,
            growth,
            has_ideas,
            tasks: Vec::new(),
            joiners: Vec::new(),
            idea_at_us: 2 * S,
            leader: None,
            led: BTreeSet::new(),
            returns: Vec::new(),
            returned: BTreeMap::new(),
            power_cuts: 0,
            power_cut_us: 0,
            next_ask: 0,
        }
    }

    pub(crate) fn wants(&mut self, wanted: Wanted) {
        self.tasks.push(Task { wanted, asked: Asked::default() });
    }

    /// A token for so many machines, each of which uses up a spare.
    pub(crate) fn wants_token(&mut self, replaces: Option<NodeId>) {
        let machines = if self.spares > 1 && self.rng.chance(250) { 2 } else { 1 };
        self.spares -= machines;
        let mut hash = [0; 32];
        for bytes in hash.chunks_mut(8) {
            bytes.copy_from_slice(&self.rng.next().to_le_bytes());
        }
        let ttl_us = self.rng.pick(&[2 * S, 20 * S, 3_600 * S]);
        self.wants(Wanted::Token { hash: TokenHash(hash), ttl_us, replaces, machines });
    }

    /// Those of whom it is under way that they go.
    pub(crate) fn leaving(&self) -> BTreeSet<NodeId> {
        let asked = self.tasks.iter().filter_map(|task| match &task.wanted {
            Wanted::Token { replaces, .. } => *replaces,
            Wanted::Remove { node } => Some(*node),
        });
        asked.chain(self.joiners.iter().filter_map(|joiner| joiner.replaces)).collect()
    }

    /// How many are on their way in, beside those who take somebody's place.
    pub(crate) fn coming(&self) -> usize {
        let is_more = |task: &&Task| matches!(task.wanted, Wanted::Token { replaces: None, .. });
        let joiners = self.joiners.iter().filter(|joiner| joiner.replaces.is_none());
        self.tasks.iter().filter(is_more).count() + joiners.count()
    }

    pub(crate) fn next_ask(&mut self, now_us: u64) -> Asked {
        self.next_ask += 1;
        Asked { id: self.next_ask, until_us: now_us + self.rng.between(800 * MS, 2_500 * MS) }
    }

    /// A machine was told that it is none of the cluster's any more. Some are started again all the same.
    pub(crate) fn sent_away(&mut self, node: usize, now_us: u64) {
        let times = self.returned.entry(node).or_default();
        if *times < 2 && self.rng.chance(600) {
            *times += 1;
            self.returns.push((now_us + self.rng.between(500 * MS, 5 * S), node));
        }
    }

    /// Nothing is under way.
    pub(crate) fn is_done(&self) -> bool {
        self.tasks.is_empty() && self.joiners.is_empty() && self.returns.is_empty()
    }
}
