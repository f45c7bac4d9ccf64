//! Three real processes, real disks, the real client: what a cluster promises while its parts fail.
//!
//! | File | Shows |
//! |---|---|
//! | `access` | a token made on one node opens all; one deleted opens none, whoever leads |
//! | `kills` | SIGKILL at any moment loses and duplicates nothing; answers survive snapshots and restarts |
//! | `forwarding` | any node serves any call; without a majority the answer says when to try again |
//! | `stale_reads` | a leader that was paused does not answer from the past |
//! | `catching_up` | a node that was away comes back by snapshot, though its sender dies |
//! | `disks` | a failed fsync ends the node; no acknowledgement before the fsyncs that cover it |
//! | `identity` | a node with somebody else's data, or with none, is refused |
//! | `stopping` | SIGTERM on the leader fails no call |
//! | `input` | bad input changes nothing on any node; metrics count what happened |
//! | `every_call` | every call there is, each on another node than the one before |
//! | `races` | calls that race from several nodes: the guard, claims, capacities, the same work |
//! | `events` | every node tells the same; a watcher misses nothing while nodes die |
//! | `timers` | what happens by time alone, on an idle cluster |
//! | `membership` | nodes join, are replaced and removed, under load |
//! | `rejoin` | a node whose disk lost what was durable comes back by itself, under a new id |
//! | `upgrade` | two builds in one cluster, where they are compiled in |
//! | `verify` | a node's data against its own log |
//! | `backups` | a backup under load, restored; a survivor of three, recovered |
//! | `crm` | a whole CRM, while the leader is killed |
//!
//! `harness` starts and ends the processes, `crowd` is the load, `service` is what tests ask of a
//! cluster, `wire` records the calls that went out, `reference` is the rotation computed once more,
//! `preload` makes a disk fail or stall.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected ends"
)]

mod access;
mod backups;
mod catching_up;
mod crm;
mod crowd;
mod disks;
mod events;
mod every_call;
mod forwarding;
mod harness;
mod identity;
mod input;
mod kills;
mod membership;
#[path = "../support/ports.rs"]
mod ports;
mod preload;
mod races;
mod reference;
mod rejoin;
mod service;
mod stale_reads;
mod stopping;
mod timers;
#[cfg(feature = "next")]
mod upgrade;
mod verify;
mod wire;
