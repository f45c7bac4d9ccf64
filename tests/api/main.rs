//! The API at the wire: a real server on port 0, a real client, the real state without Raft.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

mod access;
mod bad_input;
mod calls;
mod cluster;
mod dry_runs;
mod errors_doc;
mod events;
mod explains;
mod forwarding;
mod hours;
mod life;
mod limits;
mod lists;
mod members;
mod nodes;
mod pages;
mod preconditions;
mod rings;
mod standard;
mod stream;
