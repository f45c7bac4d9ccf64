//! `turnwise recover`: a new cluster from what one node still has.

use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
};

use serde_json::Value;

use super::{
    Context,
    change::say,
    failure::{Failure, chain},
    founding::{NewMember, not_founded},
};
use crate::{
    backup::{self, Survived},
    consensus::driver::Loss,
};

pub(super) const EXAMPLE: &str = "\
For a cluster that has lost a majority of its nodes for good. Reads the data directory of a node that \
is left (nothing in it is changed, and no node may run in it), says what it has and what may be \
missing, and writes the data directory of a founding member of a new cluster. If several nodes are \
left, take the one with the greatest last_term, and of those the greatest last_index. While a majority can still come back, start it instead: then nothing is \
missing.

Example:
  turnwise recover --from-data-dir /var/lib/turnwise --new-cluster $(turnwise cluster new-id) \\
    --node-id 1 --members 1=127.0.0.1:7401 --data-dir recovered --yes";

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Data directory of the node that is left
    #[arg(long, value_name = "PATH")]
    from_data_dir: PathBuf,
    #[command(flatten)]
    member: NewMember,
    /// Write it; without this, what would come of it is shown, and asked for on a terminal
    #[arg(long)]
    yes: bool,
    /// Do without the entries that can't be read because the directory is damaged
    #[arg(long)]
    accept_damage: bool,
}

const COLUMNS: &[&str] = &[
    "cluster_id",
    "node",
    "data_dir",
    "log_index",
    "term",
    "from_cluster_id",
    "from_node",
    "snapshot_index",
    "commit_index",
    "last_index",
    "last_term",
    "lost_index",
    "teams",
    "state_hash",
    "written",
];

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { from_data_dir, member, yes, accept_damage } = arguments;
    let voters = member.voters()?;
    let survived = backup::survey(from_data_dir).map_err(|error| {
        let failure = Failure::failed(chain(&error));
        failure.advise(
            "name the data directory of a stopped node of the old cluster, or a copy of one",
        )
    })?;
    tell(&survived);
    if survived.loss.is_some() && !accept_damage {
        show(context, member, &survived, false)?;
        return Err(Failure::fault(
            "the directory is damaged, and entries that were in it are lost",
        )
        .advise(
            "look at the other nodes' directories first: one of them may have them. To do without \
                 them, add --accept-damage",
        ));
    }
    backup::check(&survived, &member.member(&voters)).map_err(|error| not_founded(&error))?;
    if !yes && !asked()? {
        show(context, member, &survived, false)?;
        return Err(Failure::failed("nothing was written").advise("add --yes to write it"));
    }
    let founded = backup::recover(&survived, &member.member(&voters));
    founded.map_err(|error| not_founded(&error))?;
    show(context, member, &survived, true)?;
    member.next(&voters, "--from-data-dir");
    Ok(())
}

/// What there is, and what may not be.
fn tell(survived: &Survived) {
    let &Survived { node_id, last, commit_index, .. } = survived;
    for damage in &survived.damage {
        say(&format!("damaged: {damage}"));
    }
    let last = last.index;
    say(&format!(
        "node {node_id} has everything up to index {last}, and knew entries up to {commit_index} to be \
         committed"
    ));
    if let Some(Loss { had_index }) = survived.loss {
        let known =
            if had_index > last { format!(" up to {had_index} at least") } else { String::new() };
        say(&format!(
            "LOST: it had entries after index {last}{known}, which can't be read any more"
        ));
    }
    if last > commit_index {
        say(&format!(
            "may be too much: of the {} entries after {commit_index} it never heard whether they were \
             acknowledged; they are kept",
            last - commit_index
        ));
    }
    say(&format!("may be missing: what was acknowledged after index {last} without this node"));
}

/// Asks on a terminal; elsewhere nobody agrees.
fn asked() -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    say("type `yes` to write it:");
    let mut line = String::new();
    let read = io::stdin().read_line(&mut line);
    read.map_err(|error| Failure::failed(format!("cannot read the answer: {error}")))?;
    Ok(line.trim() == "yes")
}

fn show(
    context: &Context,
    member: &NewMember,
    survived: &Survived,
    written: bool,
) -> Result<(), Failure> {
    let founding = survived.origin().founding();
    let row: Vec<Value> = vec![
        format!("{:032x}", member.cluster_id()).into(),
        member.node_id().into(),
        member.data_dir.display().to_string().into(),
        founding.index.into(),
        founding.term.into(),
        format!("{:032x}", survived.cluster_id).into(),
        survived.node_id.0.into(),
        survived.snapshot_index.into(),
        survived.commit_index.into(),
        survived.last.index.into(),
        survived.last.term.into(),
        survived.loss.map_or(Value::Null, |loss| loss.had_index.into()),
        survived.state.team_count().into(),
        format!("{:032x}", survived.state.hash()).into(),
        written.into(),
    ];
    context.output.record(COLUMNS, row)
}
