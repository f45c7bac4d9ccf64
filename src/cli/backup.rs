//! `turnwise backup`: the state of a live cluster in one file, and whether a file is one.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::{
    Context,
    change::say,
    failure::{Failure, chain},
    time,
};
use crate::{
    backup::{self, Backup, BackupError},
    client::BackupPart,
};

pub(super) const EXAMPLE: &str = "\
The file holds everything that was acknowledged before the command began: teams, reps, rotations, \
assignments, and the answers to repeated requests. It is written beside FILE under the name \
FILE.partial, read back and checked, and gets its name only when it is whole. No call of the cluster \
waits for it. It holds personal data: keep it as you keep the data directories.

Ends with 0 if the file is sound, with 4 if it is damaged.

Example: turnwise backup monday.turnwise
         turnwise backup verify monday.turnwise";

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Arguments {
    /// Where the backup goes
    #[arg(required = true)]
    file: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Check every byte of a backup, and say what it is
    #[command(after_help = "Ends with 0 if the file is sound, with 4 if it is damaged.\n\n\
                            Example: turnwise backup verify monday.turnwise")]
    Verify {
        /// The backup
        file: PathBuf,
    },
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<(), Failure> {
    match (arguments.command, arguments.file) {
        (Some(Command::Verify { file }), _) => show(context, &file, &read(&file)?),
        (None, Some(file)) => take(context, &file, arguments.force).await,
        (None, None) => Err(Failure::usage("say where the backup goes")),
    }
}

/// Takes a backup from the cluster.
async fn take(context: &Context, file: &Path, force: bool) -> Result<(), Failure> {
    is_free(file, force)?;
    let client = context.client()?;
    let mut partial = Partial::create(file)?;
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {bytes} {msg} ({bytes_per_sec})") {
        bar.set_style(style);
    }
    let each = |part| {
        match part {
            BackupPart::Begin(metadata) => {
                bar.set_message(format!("of the state at index {}", metadata.log_index));
                bar.set_position(0);
                partial.restart()?;
            }
            BackupPart::Bytes(bytes) => {
                partial.write(&bytes)?;
                bar.inc(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            }
        }
        Ok::<(), Failure>(())
    };
    let received = client.backup(each).await;
    bar.finish_and_clear();
    received?;
    partial.sync()?;
    let backup = read(&partial.path)?;
    is_free(file, force)?;
    partial.finish(file)?;
    show(context, file, &backup)
}

fn is_free(file: &Path, force: bool) -> Result<(), Failure> {
    if force || fs::symlink_metadata(file).is_err() {
        return Ok(());
    }
    Err(Failure::failed(format!("{} is there already", file.display()))
        .advise("choose another name, or replace it with --force"))
}

/// The file before it is whole. Removed again, unless it gets its name.
struct Partial {
    path: PathBuf,
    file: File,
    is_finished: bool,
}

impl Partial {
    fn create(file: &Path) -> Result<Self, Failure> {
        let mut name = file.as_os_str().to_owned();
        name.push(".partial");
        let path = PathBuf::from(name);
        let opened =
            OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&path);
        let file = opened.map_err(|error| failed("create", &path, &error))?;
        Ok(Self { path, file, is_finished: false })
    }

    fn failed(&self, what: &str, error: &io::Error) -> Failure {
        failed(what, &self.path, error)
    }

    fn restart(&mut self) -> Result<(), Failure> {
        use io::Seek as _;
        let restarted = self.file.set_len(0).and_then(|()| self.file.rewind());
        restarted.map_err(|error| self.failed("write", &error))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).map_err(|error| self.failed("write", &error))
    }

    fn sync(&self) -> Result<(), Failure> {
        self.file.sync_all().map_err(|error| self.failed("sync", &error))
    }

    /// Gives a synced file its name, durably.
    fn finish(mut self, file: &Path) -> Result<(), Failure> {
        fs::rename(&self.path, file).map_err(|error| self.failed("rename", &error))?;
        self.is_finished = true;
        let folder = match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        };
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| failed("sync", folder, &error))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_finished
            && let Err(error) = fs::remove_file(&self.path)
        {
            say(&format!("{} is left over: {error}", self.path.display()));
        }
    }
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot {what} {}: {error}", path.display()))
}

/// Reads a backup, or says why it is none.
pub(super) fn read(file: &Path) -> Result<Backup, Failure> {
    backup::read(file).map_err(|error| {
        let chain = chain(&error);
        match error {
            BackupError::Open { .. } | BackupError::Snapshot { .. } => Failure::failed(chain),
            BackupError::Damaged(_)
            | BackupError::Meta { .. }
            | BackupError::State { .. }
            | BackupError::Hash { .. } => {
                Failure::fault(chain).advise("use another backup; nothing of this one was used")
            }
        }
    })
}

const COLUMNS: &[&str] = &[
    "file",
    "cluster_id",
    "node",
    "log_index",
    "term",
    "leader_time",
    "taken_time",
    "teams",
    "state_hash",
    "image_version",
    "engine_version",
    "bytes",
];

fn show(context: &Context, file: &Path, backup: &Backup) -> Result<(), Failure> {
    let about = &backup.about;
    let row: Vec<Value> = vec![
        file.display().to_string().into(),
        format!("{:032x}", about.cluster_id).into(),
        about.node_id.0.into(),
        about.log_index.into(),
        about.term.into(),
        time::of_micros(about.leader_time.0),
        time::of_micros(about.taken.0),
        backup.state.team_count().into(),
        format!("{:032x}", about.state_hash).into(),
        about.image_version.into(),
        about.engine_version.into(),
        backup.file_len.into(),
    ];
    context.output.record(COLUMNS, row)
}
