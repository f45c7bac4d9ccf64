//! Why a call can't be answered now: the second of the three kinds of error.
//!
//! Nothing here is replicated or remembered. Each variant says whether the call may have taken
//! effect; whichever it is, trying again with the same request id is safe.

use std::time::Duration;

use crate::consensus::NodeId;

/// The service could not do it now. A rule never says this ([`crate::routing::Rejection`] does), and
/// the node is not broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// No leader is known: an election is under way, or a majority is out of reach. Not done.
    #[error("no leader is known")]
    NoLeader,
    /// This node does not lead. Not done.
    #[error("this node does not lead")]
    NotLeader {
        /// Who does, if known.
        leader: Option<NodeId>,
    },
    /// The leader changed, or the connection to it broke, while the call was under way. Perhaps done.
    #[error("the leader changed while the call was under way")]
    LeadershipLost,
    /// More calls are waiting than the node takes. Not done.
    #[error("too many calls are waiting")]
    Overloaded,
    /// The call does not fit one log entry. Not done, and no retry will help.
    #[error("the call takes {len} bytes of the log, at most {max} fit one entry")]
    TooLarge {
        /// Encoded length in bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// The time ran out. Perhaps done.
    #[error("the time ran out")]
    DeadlineExceeded,
    /// The node is stopping. Not done.
    #[error("the node is stopping")]
    ShuttingDown,
    /// The leader is known but can't be reached. Not done.
    #[error("the leader can't be reached")]
    LeaderUnreachable,
}

impl Unavailable {
    /// How long to wait before trying again: about as long as the cause usually lasts.
    #[must_use]
    pub fn retry_delay(self) -> Duration {
        Duration::from_millis(match self {
            // An election takes one to two election timeouts, 300 to 600 ms by default.
            Self::NoLeader | Self::LeaderUnreachable => 200,
            Self::NotLeader { .. } => 50,
            Self::LeadershipLost
            | Self::Overloaded
            | Self::TooLarge { .. }
            | Self::DeadlineExceeded => 100,
            // Another node takes the call at once.
            Self::ShuttingDown => 10,
        })
    }
}
