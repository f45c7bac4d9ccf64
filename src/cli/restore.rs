//! `turnwise restore`: a backup becomes a member of a new cluster.

use std::path::PathBuf;

use serde_json::Value;

use super::{
    Context,
    backup::read,
    failure::Failure,
    founding::{NewMember, not_founded},
};

pub(super) const EXAMPLE: &str = "\
Writes the data directory of one founding member of a new cluster. Do it on each member with the same \
file, --new-cluster and --members, then start them. The new cluster goes on where the backup ends: its \
log positions are greater than all in it, rotations go on with the next in turn, and a request that is \
repeated gets its first answer. What was acknowledged after the backup is not in it.

No node runs in the directory meanwhile, and it is empty or not there.

Example:
  turnwise restore monday.turnwise --new-cluster $(turnwise cluster new-id) --node-id 1 \\
    --members 1=127.0.0.1:7401 --data-dir restored";

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The backup
    file: PathBuf,
    #[command(flatten)]
    member: NewMember,
}

const COLUMNS: &[&str] =
    &["cluster_id", "node", "data_dir", "backup_index", "log_index", "term", "teams", "state_hash"];

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { file, member } = arguments;
    let voters = member.voters()?;
    let backup = read(file)?;
    let founded = backup.restore(&member.member(&voters)).map_err(|error| not_founded(&error))?;
    let row: Vec<Value> = vec![
        format!("{:032x}", member.cluster_id()).into(),
        member.node_id().into(),
        member.data_dir.display().to_string().into(),
        backup.about.log_index.into(),
        founded.index.into(),
        founded.term.into(),
        backup.state.team_count().into(),
        format!("{:032x}", backup.about.state_hash).into(),
    ];
    context.output.record(COLUMNS, row)?;
    member.next(&voters, "file");
    Ok(())
}
