//! What clients of one team saw, as a list of calls, and what each node held in the end.
//!
//! Every call that changes something is asked again under its request id until it is answered, so at the
//! end of a run the outcome of each is known, and its place in the log.

use std::time::Duration;

use turnwise::routing::LogPosition;

/// What a client wanted. Reps are named by their number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Whose turn it is; no contact is asked for by two calls.
    Assign { contact: String },
    /// Out of office from now on; no two calls have the same note.
    Away { rep: usize, note: String },
    /// Back from now on; `request` tells one such call from another.
    Back { rep: usize, request: u64 },
    /// Whether the rep is away.
    ReadRep { rep: usize },
    /// An assignment that somebody was told of before, and of this rep.
    ReadAssignment { name: String, rep: usize },
}

/// What it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// An assignment. `digest` is a hash over all bytes of the answer.
    Assigned { position: LogPosition, name: String, rep: usize, existing: bool, digest: u128 },
    /// A change of a rep.
    Changed { position: LogPosition, digest: u128 },
    /// A rep, as read.
    Rep { away: bool, note: String },
    /// An assignment, as read; `None` = there is none of that name.
    Assignment { rep: Option<usize> },
    /// No, for good.
    Refused(String),
    /// Nothing, until the run was over.
    Nothing,
}

impl Answer {
    /// Where a change took effect.
    pub(crate) fn position(&self) -> Option<LogPosition> {
        match self {
            Self::Assigned { position, .. } | Self::Changed { position, .. } => Some(*position),
            Self::Rep { .. } | Self::Assignment { .. } | Self::Refused(_) | Self::Nothing => None,
        }
    }
}

/// One call with all its retries.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) asked: Asked,
    /// When it was sent for the first time.
    pub(crate) called: Duration,
    /// When its answer came.
    pub(crate) answered: Duration,
    pub(crate) answer: Answer,
    /// What the same request was answered when it was sent once more, to whatever node.
    pub(crate) again: Vec<Answer>,
}

/// An assignment in a node's final state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) name: String,
    pub(crate) contact: String,
    pub(crate) rep: usize,
}

/// The final state of a node, as far as it is compared.
#[derive(Debug, Clone)]
pub(crate) struct NodeState {
    pub(crate) node: u64,
    pub(crate) held: Vec<Held>,
}
