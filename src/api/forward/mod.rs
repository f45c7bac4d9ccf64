//! Calls passed on to the leader, over one stream per follower: one hop, deadline kept.
//!
//! | File | Owns |
//! |---|---|
//! | `link` | the follower's end: a queue, the stream, who waits for which answer |
//! | `serve` | the leader's end |
//! | `principal` | who asks, as one node tells another |

mod link;
mod principal;
mod serve;

pub(super) use link::{Link, Passed};
pub use serve::Forwarded;
