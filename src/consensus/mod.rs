//! One order for all nodes: Raft, its log and its snapshots, over bytes that it does not understand.
//!
//! | File | Owns |
//! |---|---|
//! | `node` | raft-rs without I/O: `Input` in, `Effect` out |
//! | `input`, `effect` | what a node is told, and what it says |
//! | `storage` | the part of the log that raft-rs reads synchronously |
//! | `wire` | the one place where raft-rs's types meet ours |
//! | `batch` | what one entry carries |
//! | `reads` | which linearizable reads wait for which confirmation |
//! | `leader_clock` | leader time |
//! | `membership` | who is and was a member, and open join tokens |
//! | `marks` | what each node is known to have had on its disk |
//! | `beginning` | what a node has before its first entry |
//! | `versions` | the version of the cluster, and which ones a build understands |
//! | `state_machine` | what it asks of the thing it replicates |
//! | `entry` | what a log holds: entries, hard state |
//! | `fault` | what a node can't go on after |
//! | `log` | the durable log and the snapshot files, over a `Disk` |
//! | `peers` | streams between nodes |
//! | `driver` | performs a node's effects on threads, disk and network |
//!
//! It knows nothing of routing, of the public API, or of time zones.

mod batch;
mod beginning;
pub mod driver;
mod effect;
mod entry;
mod fault;
mod input;
mod leader_clock;
pub mod log;
mod marks;
mod membership;
mod node;
pub mod peers;
mod reads;
mod state_machine;
mod storage;
mod versions;
mod wire;

pub use batch::COMMAND_LEN_MAX;
pub use beginning::{founding_snapshot, joining_snapshot};
pub use effect::{
    Changed, Committed, Effect, Install, LogRequest, NodeStatus, NotChanged, NotProposed, Persist,
    Role,
};
pub use entry::{Entry, EntryKind, HardState, Incarnation, NodeId};
pub use fault::Fault;
pub use input::{
    Change, ChangeId, Input, NodeConfig, Proposal, ProposalId, ReadId, Recovered, Ticket,
};
pub use leader_clock::Now;
pub use marks::{Mark, Marks};
pub use membership::{
    JOIN_TOKENS_MAX, Membership, OpenToken, Record, Standing, TokenHash, written,
};
pub use node::Node;
pub use state_machine::{EventSink, StateMachine};
pub use versions::Versions;
