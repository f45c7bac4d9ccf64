//! The `turnwise` command as people and scripts use it: real processes, real disks, the built binary.
//!
//! Every test starts its own cluster on free ports with its own data, and leaves nothing behind.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod admin;
mod backup;
mod bench;
mod cluster;
mod demo;
mod dev;
mod files;
mod groups;
mod health;
mod manners;
mod operations;
#[path = "../support/ports.rs"]
mod ports;
mod tokens;
mod watch;
mod work;
