//! Load, and what comes of it: work offered to something at a pace, and how long each piece took.
//!
//! | File | Owns |
//! |---|---|
//! | `plan` | how much is offered, for how long: [`Plan`] |
//! | `tickets` | which piece of work is next, and when it was due |
//! | `meter` | what is counted while it runs |
//! | `figures` | what it came to: [`Figures`] |
//! | `run` | [`run`]: callers with one call each, until the time is over |
//!
//! **Closed loop**: so many callers, each begins its next call when the last one has ended. It shows what
//! the service can do; its latencies are those of callers who wait patiently. **Open loop**: work becomes
//! due at a steady rate, whether or not what came before has ended, and latency counts from when it was
//! due. So a service that stands still for a second shows as a thousand late calls at 1,000 a second, not
//! as one ("coordinated omission": Tene, "How NOT to Measure Latency").
//!
//! It knows nothing of Turnwise: `turnwise bench` and `benches/peers` put their own targets under it.

mod figures;
mod meter;
mod plan;
mod run;
mod tickets;

pub use figures::{Figures, Moment, per_second};
pub use plan::{Pace, Plan};
pub use run::{Load, Target, run, run_with};
pub use tickets::Ticket;

use std::borrow::Cow;

/// The class of what went wrong with a piece of work, such as `UNAVAILABLE`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failed(pub Cow<'static, str>);
