//! What routing promises, shown on `State::apply` alone: behaviours under their ids, the vectors, the
//! properties, and a comparison with a model written apart.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests stand outside test functions"
)]

mod image;
mod limits;
#[path = "../model/mod.rs"]
mod model;
mod properties;
mod random;
mod reads;
mod requests;
mod s0;
mod s1;
mod vectors;
mod world;
