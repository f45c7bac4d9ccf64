//! What routing promises, shown on `State::apply` alone: behaviours under their ids, the vectors, the
//! properties, and a comparison with a model written apart.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests stand outside test functions"
)]

mod access;
mod crm;
mod events;
mod image;
mod limits;
#[path = "../model/mod.rs"]
mod model;
mod offers;
mod promises;
mod properties;
#[expect(clippy::wildcard_enum_match_arm, reason = "looks at a few of the operations")]
mod random;
mod reads;
mod requests;
mod rings;
mod s0;
mod s1;
mod s2;
mod s3;
mod s4;
mod settings;
mod vectors;
mod waiting;
#[expect(
    clippy::wildcard_enum_match_arm,
    clippy::collapsible_match,
    reason = "looks at a few of the operations"
)]
mod wishes;
mod world;
