//! Whether a data directory holds what its log says: every decision is made again and compared (P9).
//!
//! From the oldest state there is (the founding one, where the log still reaches back that far), the
//! committed entries are applied again, by two states at once: one that goes on, and one that is saved
//! and loaded now and then, as a node does. Both have to decide alike and have the same hash after every
//! entry; and where the directory has a snapshot further on, its state and the decisions recorded in it
//! have to be the same. It changes nothing, and repairs nothing.

use std::{io, path::Path};

use crate::{
    codec,
    consensus::{
        Committed, Fault, StateMachine,
        driver::{Contents, StartError},
    },
    routing::{
        Assignment, AssignmentFilter, Change, Event, LogPosition, Rejection, Reply, Stamp, State,
        TeamId, Time,
    },
};

/// Differences that a report names; more are counted.
pub const DIFFERENCES_NAMED_MAX: usize = 100;
/// Entries after which the second state is saved and loaded.
const RELOAD_EVERY: u64 = 1_024;
/// Assignments of a snapshot that are compared at a time.
const COMPARED_AT_ONCE: usize = 1_000;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Of which cluster the directory is.
    pub cluster_id: u128,
    /// Of which node.
    pub node_id: u64,
    /// The state that it began with holds everything up to here.
    pub start_index: u64,
    /// The last entry applied.
    pub end_index: u64,
    /// Entries applied.
    pub entries: u64,
    /// Commands in them.
    pub commands: u64,
    /// Steps of assignments that were decided twice and compared.
    pub decisions: u64,
    /// Snapshots on the way or at the end that were compared.
    pub snapshots: u64,
    /// Decisions recorded in those that were compared with the ones made again.
    pub recorded: u64,
    /// Decisions recorded in those by rules that this program does not have. They, and the hash of a
    /// state with one, can't be compared.
    pub other_engine: u64,
    /// Hash of the state at the end.
    pub state_hash: u128,
    /// How many differences were found.
    pub differences: u64,
    /// The first of them, at most [`DIFFERENCES_NAMED_MAX`].
    pub named: Vec<Difference>,
}

/// Something that is not as it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// After which entry.
    pub index: u64,
    /// Where: a command, an assignment, a snapshot.
    pub what: String,
    /// What it should be, and what it is.
    pub text: String,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Entries applied.
    pub entries: u64,
    /// Entries to apply.
    pub entries_total: u64,
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is no such directory, or a node runs in it.
    #[error(transparent)]
    Unreadable(StartError),
    /// The log in it is damaged, or missing.
    #[error(transparent)]
    Damaged(StartError),
    /// There is no sound state to begin with.
    #[error(
        "no sound snapshot reaches the log, which begins after index {base_index}; restore the \
         directory from a backup, or let the node be replaced"
    )]
    NoStart {
        /// Index of the entry before the first one in the log.
        base_index: u64,
        /// What is wrong with the newest snapshot, if there is one.
        source: Option<io::Error>,
    },
    /// An entry can't be read by this program.
    #[error("an entry of the log can't be read")]
    Entry(#[from] Fault),
    /// A command can't be read by this program.
    #[error("command {seq} of entry {index} can't be read")]
    Command {
        /// Which entry.
        index: u64,
        /// 0-based place in it.
        seq: u32,
        /// Why.
        source: codec::DecodeError,
    },
}

/// Verifies the data directory of a stopped node, or a copy.
///
/// # Errors
/// [`VerifyError`] where nothing can be said. A difference is no error: the report names it.
pub fn verify(path: &Path, mut progress: impl FnMut(Progress)) -> Result<Report, VerifyError> {
    let contents = Contents::look(path).map_err(|error| match error {
        StartError::Disk { .. } => VerifyError::Unreadable(error),
        StartError::Log { .. }
        | StartError::Snapshot { .. }
        | StartError::Empty { .. }
        | StartError::Gap { .. }
        | StartError::Note { .. }
        | StartError::Rejoining { .. }
        | StartError::Version { .. }
        | StartError::State { .. }
        | StartError::NotAMember { .. }
        | StartError::Thread(_) => VerifyError::Damaged(error),
    })?;
    let mut report = Report {
        cluster_id: contents.cluster_id,
        node_id: contents.node_id.0,
        ..Report::default()
    };
    let (mut state, start) = start(&contents, &mut report)?;
    let mut other = reloaded(&state, start, &mut report);
    let entries_total = contents.commit_index.saturating_sub(start);
    (report.start_index, report.end_index) = (start, start);
    for entry in contents.committed(start) {
        let entry = entry?;
        let index = entry.index;
        let made = apply(&mut state, &entry)?;
        let again = apply(&mut other, &entry)?;
        report.compare(index, &made, &again);
        if state.hash() != other.hash() {
            report.differs(
                index,
                "state".to_owned(),
                "a state loaded from its image goes on otherwise",
            );
            other = state.clone();
        }
        report.entries += 1;
        report.end_index = index;
        if contents.snapshots.contains(&index) {
            report.compare_snapshot(&contents, index, &state);
        }
        if report.entries.is_multiple_of(RELOAD_EVERY) {
            other = reloaded(&state, index, &mut report);
            progress(Progress { entries: report.entries, entries_total });
        }
    }
    if state.hash() != state.recomputed_hash() {
        let text = "the running hash is not that of the records";
        report.differs(report.end_index, "state".to_owned(), text);
    }
    report.state_hash = state.hash();
    progress(Progress { entries: report.entries, entries_total });
    Ok(report)
}

/// The oldest state that the log goes on from, and its index.
fn start(contents: &Contents, report: &mut Report) -> Result<(State, u64), VerifyError> {
    // The founding snapshot, at index 1, holds nothing.
    if contents.base_index <= 1 {
        return Ok((State::new(), contents.base_index.max(1)));
    }
    let mut source = None;
    for &index in contents.snapshots.iter().filter(|index| **index >= contents.base_index) {
        match contents.state(index) {
            Ok(state) => return Ok((state, index)),
            Err(error) => {
                report.differs(index, "snapshot".to_owned(), &error.to_string());
                source = Some(error);
            }
        }
    }
    Err(VerifyError::NoStart { base_index: contents.base_index, source })
}

/// The state as a node has it that loads it from a snapshot.
fn reloaded(state: &State, index: u64, report: &mut Report) -> State {
    State::from_image(state.image()).unwrap_or_else(|error| {
        report.differs(index, "state".to_owned(), &format!("its image is refused: {error}"));
        state.clone()
    })
}

type Made = (Vec<Result<Reply, Rejection>>, Vec<Event>);

fn apply(state: &mut State, entry: &Committed) -> Result<Made, VerifyError> {
    let &Committed { index, term, stamp_us, version, .. } = entry;
    StateMachine::raise(state, index, version)?;
    let (mut replies, mut events) = (Vec::with_capacity(entry.commands.len()), Vec::new());
    for (seq, bytes) in (0..).zip(&entry.commands) {
        let command = codec::decode(bytes);
        let command = command.map_err(|source| VerifyError::Command { index, seq, source })?;
        let position = LogPosition { log_index: index, seq, term };
        let stamp = Stamp { time: Time(stamp_us), position };
        replies.push(state.apply_telling(&command, stamp, &mut events));
    }
    Ok((replies, events))
}

impl Report {
    fn differs(&mut self, index: u64, what: String, text: &str) {
        self.differences += 1;
        if self.named.len() < DIFFERENCES_NAMED_MAX {
            self.named.push(Difference { index, what, text: text.to_owned() });
        }
    }

    /// What an entry came to, and what it came to again.
    fn compare(&mut self, index: u64, made: &Made, again: &Made) {
        for (seq, (one, other)) in made.0.iter().zip(&again.0).enumerate() {
            self.commands += 1;
            if one != other {
                let text = format!("answered {one:?}, and again {other:?}");
                self.differs(index, format!("command {seq}"), &text);
            }
        }
        let steps = |events: &[Event]| {
            events.iter().filter(|event| matches!(event.change, Change::Assignment { .. })).count()
        };
        self.decisions += u64::try_from(steps(&made.1)).unwrap_or(u64::MAX);
        if made.1 != again.1 {
            let text = format!("made happen {:?}, and again {:?}", made.1, again.1);
            self.differs(index, "events".to_owned(), &text);
        }
    }

    /// The snapshot of a node at this index, and the state that the log leads to.
    fn compare_snapshot(&mut self, contents: &Contents, index: u64, state: &State) {
        let saved: State = match contents.state(index) {
            Ok(saved) => saved,
            Err(error) => return self.differs(index, "snapshot".to_owned(), &error.to_string()),
        };
        self.snapshots += 1;
        let others_before = self.other_engine;
        let mut after = None;
        loop {
            let teams = saved.teams(after.as_ref(), COMPARED_AT_ONCE);
            let Some(last) = teams.last() else { break };
            after = Some(last.id.clone());
            teams.iter().for_each(|team| self.compare_team(index, &team.id, state, &saved));
        }
        if self.other_engine == others_before && saved.hash() != state.hash() {
            let text = format!(
                "its hash is {:032x}; the log leads to {:032x}",
                saved.hash(),
                state.hash()
            );
            self.differs(index, "snapshot".to_owned(), &text);
        }
    }

    fn compare_team(&mut self, index: u64, team: &TeamId, state: &State, saved: &State) {
        let filter = AssignmentFilter::default();
        let mut after = None;
        loop {
            let recorded = saved.assignments(team, &filter, after, COMPARED_AT_ONCE);
            let recorded = recorded.unwrap_or_default();
            let Some(last) = recorded.last() else { return };
            after = Some(last.id);
            for recorded in &recorded {
                self.compare_assignment(index, team, state, recorded);
            }
        }
    }

    fn compare_assignment(
        &mut self,
        index: u64,
        team: &TeamId,
        state: &State,
        recorded: &Assignment,
    ) {
        let made = match state.assignment(team, recorded.id) {
            Ok(made) if made.decision.engine_version != recorded.decision.engine_version => {
                self.other_engine += 1;
                return;
            }
            made => made,
        };
        self.recorded += 1;
        if made.as_ref() != Ok(recorded) {
            let what = format!("teams/{team}/assignments/{}", recorded.id);
            let text = format!("recorded {recorded:?}; the log leads to {made:?}");
            self.differs(index, what, &text);
        }
    }
}
