//! Turnwise decides whose turn it is: a replicated, durable gRPC service for sharing contacts among
//! people.
//!
//! The map of the modules; `docs/ARCHITECTURE.md` tells where to start.
//!
//! | Module | Owns | Never |
//! |---|---|---|
//! | [`routing`] | whose turn it is | async, clocks, randomness, I/O, bytes |

pub mod consensus;
pub mod routing;
