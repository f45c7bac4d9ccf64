//! From a call as it was sent to a command for the log: the only way in.
//!
//! | File | Owns |
//! |---|---|
//! | `call` | the closed list of changing calls, their fingerprint |
//! | `draft` | what all of them have in common; field masks |
//! | `assign`, `life` | a contact, a batch of them, a preview; the steps of an assignment's life |
//! | `reps`, `groups`, `members`, `rules`, `campaigns`, `teams`, `tokens` | a few calls each: every field checked |
//! | `targets` | the ordered targets that rules and campaigns have |
//!
//! What comes out is well formed: ids, lengths, emails, windows, lists. Whether it may happen is for
//! `apply` to say.

mod assign;
mod call;
mod campaigns;
mod draft;
mod groups;
mod life;
mod members;
mod reps;
mod rules;
mod targets;
mod teams;
#[cfg(test)]
mod tests;
mod tokens;

pub(super) use assign::{CheckedPreview, preview};
pub use call::{Answer, Call};
pub(super) use call::{Checked, command};
