//! How a command ends that did not work: an exit code that scripts can rely on, what went wrong, and
//! what to type.

use std::{io::Write as _, process::ExitCode};

use crate::client;

/// Shown at the end of `turnwise --help`.
pub(super) const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 refused or failed; 2 wrong usage or configuration; 3 no node could serve it in \
time (running it again is safe); 4 a node can't go on: its disk failed, its data is damaged, or the \
cluster refuses it; 5 a node met a defect of Turnwise; 130 interrupted.

Example: turnwise dev       three nodes on this machine, with commands to try";

/// The exit codes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It was done.
    Done,
    /// It was refused, or went wrong.
    Failed,
    /// It was not understood.
    Usage,
    /// No node could serve it in time.
    Unavailable,
    /// A node can't go on: disk, damage, or refused by its cluster.
    Fault,
    /// A node met a defect of ours.
    Defect,
    /// Ctrl-C.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Unavailable => 3,
            Exit::Fault => 4,
            Exit::Defect => 5,
            Exit::Interrupted => 130,
        })
    }
}

/// A command that did not work.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
    advice: Option<String>,
}

impl Failure {
    /// It was refused, or went wrong.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: message.into(), advice: None }
    }

    /// It was not understood.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into(), advice: None }
    }

    /// A node can't go on.
    pub(crate) fn fault(message: impl Into<String>) -> Self {
        Self { exit: Exit::Fault, message: message.into(), advice: None }
    }

    /// A node met a defect of ours.
    pub(crate) fn defect(message: impl Into<String>) -> Self {
        Self { exit: Exit::Defect, message: message.into(), advice: None }
    }

    /// Ctrl-C came first.
    pub(crate) fn interrupted() -> Self {
        Self { exit: Exit::Interrupted, message: "interrupted".to_owned(), advice: None }
    }

    /// What to type.
    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Writes it to stderr and gives the exit code.
    pub(super) fn report(self) -> ExitCode {
        let advice = self.advice.map(|advice| format!("\n  {advice}")).unwrap_or_default();
        // Where stderr is gone there is nobody to tell, and the exit code still says it.
        drop(writeln!(std::io::stderr().lock(), "error: {}{advice}", self.message));
        self.exit.into()
    }
}

/// An error and all its causes in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

const WHO: &str = "\
Say who you are: --token-file FILE, or TURNWISE_TOKEN in the environment. `turnwise token create` makes a \
credential, `turnwise token rotate` gives another one for a lost one; an admin of the team types them.";
const ROLES: &str = "\
docs/SECURITY.md has the table of roles; an admin of the team changes one with `turnwise token update`.";

/// Turns an error of the client into a failure to do `what`.
pub(crate) fn to(what: impl std::fmt::Display) -> impl FnOnce(client::Error) -> Failure {
    move |error| {
        let message = format!("cannot {what}: {error}");
        match &error {
            client::Error::Refused(status) if status.code() == tonic::Code::Unauthenticated => {
                Failure::failed(message).advise(WHO)
            }
            client::Error::Refused(status) if status.code() == tonic::Code::PermissionDenied => {
                Failure::failed(message).advise(ROLES)
            }
            client::Error::Refused(_) => Failure::failed(message),
            client::Error::Unavailable { .. } => {
                let failure = Failure { exit: Exit::Unavailable, message, advice: None };
                failure.advise(
                    "It is safe to run it again. `turnwise cluster status` shows which nodes answer; \
                     --endpoints says where they are; `turnwise dev` starts some to try with.",
                )
            }
        }
    }
}

impl From<client::Error> for Failure {
    fn from(error: client::Error) -> Self {
        to("go on")(error)
    }
}

/// Shows what clap has to say: help and version on stdout with 0, errors on stderr with 2.
pub(super) fn of_clap(error: &clap::Error) -> ExitCode {
    drop(error.print());
    if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() }
}
