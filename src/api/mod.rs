//! What callers see: the gRPC services, and everything between them and the state.
//!
//! | File | Owns |
//! |---|---|
//! | `server` | the listener: limits of connections, all public services, health, reflection |
//! | `authenticate` | who calls; nothing passes without |
//! | `routing`, `reps`, `groups`, `rules`, `campaigns`, `teams`, `tokens`, `cluster` | one service each, a thin one |
//! | `backup` | a copy of the state, sent at the pace of its caller |
//! | `connections` | how many connections clients may hold, and which thread serves one |
//! | `threads` | the threads that serve clients |
//! | `gateway` | one changing call: read it, then here if this node leads, else on to the leader |
//! | `forward` | the way to the leader and its other end |
//! | `membership` | joining, join tokens and removal, on the leader |
//! | `peers` | connections to the other nodes |
//! | `command` | from a call to a [`crate::routing::Command`], every field checked |
//! | `answer`, `convert` | from a reply, from the state, to what callers see |
//! | `reads`, `paging`, `filter` | a call that changes nothing, pages of a list, what to list |
//! | `explain` | why an assignment is with whom it is, in words |
//! | `status` | the one place that makes a `tonic::Status` |
//! | `wire` | tonic's own refusals in our words |
//! | `limits` | every bound of what callers may send |
//! | `names`, `text`, `instant`, `duration`, `violations`, `deadline`, `disk`, `process`, `health`, `stopping` | one small thing each |
//!
//! It decides nothing about turns and nothing about order. It keeps no state of its own.

mod answer;
mod authenticate;
mod backup;
mod campaigns;
mod cluster;
mod command;
mod connections;
mod convert;
mod deadline;
mod disk;
mod duration;
mod events;
mod explain;
mod filter;
mod forward;
mod gateway;
mod groups;
mod health;
mod instant;
pub mod limits;
mod membership;
mod names;
mod paging;
mod peers;
mod process;
mod reads;
mod reps;
mod routing;
mod rules;
mod server;
mod status;
mod stopping;
mod teams;
mod text;
mod threads;
mod tokens;
mod transfer;
mod violations;
mod wire;

pub use cluster::{ClusterView, NodeReporter};
pub use command::{Answer, Call};
pub use connections::accepted;
pub use forward::Forwarded;
pub use gateway::Gateway;
pub use membership::Members;
pub use peers::Peers;
pub use server::{ConnectionLimits, PublicApi, peer_services, serve};
pub use status::{DOMAIN, spelled};
pub use threads::{NetworkRuntimes, NetworkThreads};
