//! Carries raft-rs's slog records over to tracing, so that a node writes one log.
//!
//! A record is formatted only if somebody listens at its level.

use std::fmt::{self, Write as _};

use slog::{Drain, KV as _, Level, Logger, Never, OwnedKVList, Record};

use crate::consensus::NodeId;

/// A logger for raft-rs whose lines carry this node's id and the target `raft`.
pub fn raft_logger(node: NodeId) -> Logger {
    Logger::root(Bridge { node }, slog::o!())
}

struct Bridge {
    node: NodeId,
}

impl Drain for Bridge {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, context: &OwnedKVList) -> Result<(), Never> {
        // A tracing event's level is fixed where it is written, hence one line for each.
        macro_rules! pass_on {
            ($level:ident) => {
                if tracing::enabled!(target: "raft", tracing::Level::$level) {
                    let line = line(record, context);
                    tracing::event!(
                        target: "raft", tracing::Level::$level, node = %self.node, "{line}"
                    );
                }
            };
        }
        match record.level() {
            Level::Critical | Level::Error => pass_on!(ERROR),
            Level::Warning => pass_on!(WARN),
            Level::Info => pass_on!(INFO),
            Level::Debug => pass_on!(DEBUG),
            Level::Trace => pass_on!(TRACE),
        }
        Ok(())
    }
}

fn line(record: &Record<'_>, context: &OwnedKVList) -> String {
    let mut pairs = Pairs(record.msg().to_string());
    // The serializer below never fails; a pair that refuses to be formatted is left out.
    if record.kv().serialize(record, &mut pairs).is_err()
        || context.serialize(record, &mut pairs).is_err()
    {
        pairs.0.push_str(" (fields missing)");
    }
    pairs.0
}

struct Pairs(String);

impl slog::Serializer for Pairs {
    fn emit_arguments(&mut self, key: slog::Key, value: &fmt::Arguments<'_>) -> slog::Result {
        write!(self.0, " {key}={value}").map_err(slog::Error::from)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use super::raft_logger;
    use crate::consensus::NodeId;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_record_of_raft_rs_becomes_a_line_with_level_node_and_fields() {
        let captured = Captured::default();
        let writer = captured.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::INFO)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let logger = raft_logger(NodeId(3)).new(slog::o!("raft_id" => 3));
            slog::warn!(logger, "became follower"; "term" => 7);
            slog::trace!(logger, "too quiet");
        });
        let text = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("WARN raft: became follower term=7 raft_id=3 node=3"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
