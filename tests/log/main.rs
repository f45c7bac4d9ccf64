//! The durable log and the snapshot files, over a disk that does the worst that a disk may do.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "test code"
)]

#[path = "../support/memdisk.rs"]
mod memdisk;

mod crash;
mod damage;
mod data_dir;
mod golden;
mod log;
mod model;
mod rejoin;
mod salvage;
mod snapshot;
