//! From a call as it was sent to a command for the log: the only way in.
//!
//! | File | Owns |
//! |---|---|
//! | `call` | the closed list of changing calls, their fingerprint |
//! | `assign`, `reps`, `groups`, `campaigns`, `teams` | one call each: every field checked |
//!
//! What comes out is well formed: ids, lengths, emails, windows, lists. Whether it may happen is for
//! `apply` to say.

mod assign;
mod call;
mod campaigns;
mod groups;
mod reps;
mod teams;
#[cfg(test)]
mod tests;

pub(super) use call::command;
pub use call::{Answer, Call};
