//! The tracing subscriber: one for the process, to stderr, as text or as JSON lines.

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, fmt, util::SubscriberInitExt as _};

use crate::config::LogFormat;

/// Starts logging for this process.
///
/// `level` is a level or a filter as [`EnvFilter`] reads it; `config` has checked it.
///
/// # Errors
///
/// A sentence, where the filter is malformed or the process logs already.
pub fn init(format: LogFormat, level: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(level).map_err(|error| format!("log_level: {error}"))?;
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).finish().try_init(),
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init(),
    };
    started.map_err(|error| error.to_string())
}
