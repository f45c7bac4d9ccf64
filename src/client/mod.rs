//! The Rust client: finds a node that answers, and retries what is safe to retry.
//!
//! | File | Owns |
//! |---|---|
//! | `retry` | when to send where, wait, or give up: a pure state machine, which the simulator drives too |
//! | `answer` | what a failed call means: final, or worth another try |
//! | `calls` | the calls there are |
//! | `connection` | [`Client`]: channels to several nodes, unary calls |
//! | `window` | which items of a stream are unsent, unanswered, done: pure |
//! | `stream` | many assigns over one stream, resumed on another node when it breaks |
//! | `watch` | events over one stream, resumed on another node without a gap |
//! | `backup` | a backup over one stream, begun anew on another node when it breaks |
//!
//! It knows the generated messages and nothing else of this crate. Every intended change gets one
//! fresh request id, which all its retries carry: that is what makes retrying safe.

mod answer;
mod backup;
mod calls;
mod connection;
pub mod retry;
mod stream;
mod watch;
mod window;

pub use answer::Error;
pub use backup::BackupPart;
pub use calls::Call;
pub use connection::{Client, Credential, CredentialError, EndpointError, Options};
pub use watch::Watched;
