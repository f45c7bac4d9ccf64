//! `turnwise verify`: a stopped node's data against its own log.

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{
    Context,
    failure::{Failure, chain},
};
use crate::verify::{self, Difference, Report, VerifyError};

pub(super) const EXAMPLE: &str = "\
Every entry that the log still holds is applied again, from the oldest state there is. Each decision \
must come out as before, and each snapshot on the way must hold the state that the log leads to. \
Nothing is changed. The node must not run: stop it, or copy its directory.

Ends with 0 if everything is as it has to be, with 4 if something differs or is damaged.

Example: turnwise verify /var/lib/turnwise";

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The data directory of a stopped node, or a copy of one
    data_dir: PathBuf,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let bar = ProgressBar::new(0).with_message("entries");
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len} {msg}, {eta}") {
        bar.set_style(style);
    }
    let report = verify::verify(&arguments.data_dir, |progress| {
        bar.set_length(progress.entries_total);
        bar.set_position(progress.entries);
    });
    bar.finish_and_clear();
    let report = report.map_err(|error| {
        let chain = chain(&error);
        match error {
            VerifyError::Unreadable(_) => Failure::failed(chain)
                .advise("name the data directory of a node that does not run, or a copy of one"),
            VerifyError::Damaged(_)
            | VerifyError::NoStart { .. }
            | VerifyError::Entry(_)
            | VerifyError::Command { .. } => Failure::fault(chain),
        }
    })?;
    let rows: Vec<_> = report.named.iter().map(difference).collect();
    if report.differences == 0 {
        context.output.record(COLUMNS, summary(&report))?;
        return Ok(());
    }
    context.output.document(&whole(&report), DIFFERENCE, &rows)?;
    let failure = Failure::fault(format!(
        "{} differences in {} commands of {} entries: the state is not what the log leads to",
        report.differences, report.commands, report.entries
    ));
    Err(failure.advise(
        "keep the directory for analysis and report this; compare with `turnwise cluster status`, and \
         let the node be replaced if it differs from the others",
    ))
}

const COLUMNS: &[&str] = &[
    "cluster_id",
    "node",
    "start_index",
    "end_index",
    "entries",
    "commands",
    "decisions",
    "snapshots",
    "recorded_decisions",
    "other_engine_decisions",
    "state_hash",
    "differences",
];
const DIFFERENCE: &[&str] = &["index", "what", "text"];

fn summary(report: &Report) -> Vec<Value> {
    vec![
        format!("{:032x}", report.cluster_id).into(),
        report.node_id.into(),
        report.start_index.into(),
        report.end_index.into(),
        report.entries.into(),
        report.commands.into(),
        report.decisions.into(),
        report.snapshots.into(),
        report.recorded.into(),
        report.other_engine.into(),
        format!("{:032x}", report.state_hash).into(),
        report.differences.into(),
    ]
}

fn difference(Difference { index, what, text }: &Difference) -> Vec<Value> {
    vec![(*index).into(), what.as_str().into(), text.as_str().into()]
}

/// The same fields, and the differences that are named.
fn whole(report: &Report) -> Value {
    let named: Vec<Value> = report
        .named
        .iter()
        .map(|Difference { index, what, text }| json!({ "index": index, "what": what, "text": text }))
        .collect();
    let fields = COLUMNS.iter().map(|name| (*name).to_owned()).zip(summary(report));
    let mut fields: serde_json::Map<String, Value> = fields.collect();
    fields.insert("named".to_owned(), named.into());
    fields.into()
}
