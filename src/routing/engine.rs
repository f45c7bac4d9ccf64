//! Which versions of the rules this build has, and what is different between them.
//!
//! The state says which version is in force, never the build: so two builds in one cluster decide alike. A
//! change to any outcome of [`super::State::apply`] needs a new number here, keeps the old rules for as long
//! as a log may hold entries that were applied by them, and asks the version of the state which of the two
//! it is. Every cluster begins with the oldest version that its build has, and is raised by its log.

use super::{Time, state::At};

/// The oldest version of the rules that this build has: states of earlier ones are refused.
pub const ENGINE_VERSION_MIN: u32 = 2;
/// The newest one.
pub const ENGINE_VERSION_MAX: u32 = if cfg!(feature = "next") { 3 } else { 2 };

#[cfg(all(feature = "next", not(debug_assertions)))]
compile_error!(
    "the feature `next` has rules that no release has; no build that anybody could ship takes it"
);

/// When an absence ends that was given no end.
#[cfg(not(feature = "next"))]
pub(super) const fn absence_end(_: Option<Time>, _: At) -> Time {
    Time::FOREVER
}

/// When an absence ends that was given no end. Version 3, which no release has, lets it last a second: a
/// difference for tests of an upgrade to see.
#[cfg(feature = "next")]
pub(super) fn absence_end(start: Option<Time>, at: At) -> Time {
    if at.engine < 3 {
        return Time::FOREVER;
    }
    let start = start.unwrap_or(at.now).max(at.now);
    Time(start.0.saturating_add(1_000_000))
}
