//! What a node tells about itself: log lines, raft-rs's log lines, metrics.
//!
//! | File | Owns |
//! |---|---|
//! | `logging` | the tracing subscriber, to stderr |
//! | `raft_log` | raft-rs's slog records as tracing events, with the node's id |
//! | `metrics` | every metric, in an explicit registry |
//! | `calls` | counts gRPC calls by method and code |
//!
//! Personal data (emails, contact ids) reaches none of them.

mod calls;
mod logging;
mod metrics;
mod raft_log;

pub use calls::{CallMetricsLayer, CountedBody, CountedCall, CountedCalls};
pub use logging::init;
pub use metrics::{CallLabels, Metrics, Role};
pub use raft_log::raft_logger;
