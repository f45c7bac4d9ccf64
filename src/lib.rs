//! Turnwise decides whose turn it is: a replicated, durable gRPC service for sharing contacts among
//! people.
//!
//! The map of the modules; `docs/ARCHITECTURE.md` tells where to start.
//!
//! | Module | Owns | Never |
//! |---|---|---|
//! | [`routing`] | whose turn it is | async, clocks, randomness, I/O, bytes |
//! | [`api`] | what callers see: gRPC, validation, statuses, the way to the leader | turns, order |
//! | [`codec`] | commands as bytes of the log | rules |
//! | [`clock`] | the time of this machine | decisions |
//! | [`credentials`] | what callers show: how it is written, drawn, hashed | whose it is |
//! | [`backup`] | the state in one file, and new clusters made from it | rules, Raft |
//! | [`config`] | what one node is told about itself | opening anything but its file |
//! | [`telemetry`] | log lines and metrics | personal data |
//! | [`admin`] | probes and metrics over HTTP | the public API |
//! | [`client`] | the Rust client: retries what is safe | anything but the generated messages |
//! | [`cli`] | the `turnwise` command | rules of routing |
//! | [`proto`] | the generated messages and services | anything written by hand |
//! | [`consensus`] | one order for all nodes | routing, the public API |
//! | [`events`] | what happened of late, in memory | state |
//! | [`hours`] | working hours as instants: the one reader of time-zone data | what they mean |
//! | [`load`] | work offered at a pace, and how long it took | anything of Turnwise |
//! | [`planted`] | bugs for the simulator to find, in no build that ships | anything else |
//! | [`image`] | the state as bytes of a snapshot | anything else of bincode |
//! | [`replica`] | binds routing and consensus | rules, Raft |
//! | [`server`] | one node, composed | rules of any layer |
//! | [`timers`] | what the leader proposes by time alone | what is due |
//! | [`unavailable`] | why a call can't be answered now | rejections, faults |
//! | [`verify`] | a data directory held against its own log | repairs |

pub mod admin;
pub mod api;
pub mod backup;
pub mod cli;
pub mod client;
pub mod clock;
pub mod codec;
pub mod config;
pub mod consensus;
pub mod credentials;
pub mod events;
pub mod hours;
pub mod image;
pub mod load;
pub mod planted;
pub mod proto;
pub mod replica;
pub mod routing;
pub mod server;
pub mod telemetry;
pub mod timers;
pub mod unavailable;
pub mod verify;
