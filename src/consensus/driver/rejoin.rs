//! From a data directory that lost what was durable to a member under a new id, without an operator.
//!
//! What a node acknowledged, or whom it voted for, may be what is damaged: under that id it is never heard
//! again. Instead it asks the members to be admitted in the place of what it was, as any node is that joins,
//! and begins with nothing. A file in the directory, `rejoin`, says how far it has come; it is replaced in one
//! step, so that a crash anywhere leaves it at one stage or the other:
//!
//! 1. The new incarnation is drawn and durable, before anybody is asked. From here on there is no way back,
//!    since somebody may have been told. Log and snapshots stay as they are until a leader has admitted the
//!    node: were the others lost, they might be the best there is.
//! 2. Admitted, it renames log and snapshots, so that somebody can look at them. What was put aside before goes.
//! 3. Only then the new log is made, by the road of all who join.
//! 4. The file stays, and says which id the directory has had: its node starts as it always did.
//!
//! Everything but the asking is synchronous, and over any [`Disk`].

use std::{io, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use prost::Message as _;

use super::{
    StartError,
    join::{self, Admission, JoinError, Joined, Patience, enter},
};
use crate::{
    consensus::{
        Incarnation, NodeId, StateMachine,
        log::{Disk, DiskFile, Identity, Log, LogConfig, LogError, RealDisk},
    },
    planted::{self, Bug},
    proto::turnwise::{
        log::v1::{RejoinNote, RejoinStage},
        peer::v1::{Admitted, JoinRequest},
    },
};

const NOTE: &str = "rejoin";
const NEW_NOTE: &str = "rejoin.tmp";
/// Added to the names of what is put aside.
const ASIDE: &str = ".rotten";
/// What is put aside.
const DATA: [&str; 2] = [".log", ".snap"];
const NOTE_LEN_MAX: u64 = 64 << 10;
/// Where somebody listens and nobody leads, about a minute.
const PATIENCE: Patience = Patience { rounds: 60, pause: Duration::from_secs(1) };

/// A node whose data was damaged, and how it may come back.
#[derive(Debug, Clone)]
pub struct Rejoining<'a> {
    /// Where its data lies.
    pub data_dir: &'a Path,
    /// Peer addresses of the other members, `host:port`. Empty = there is nobody to ask.
    pub ask: Vec<String>,
    /// Where it serves the other nodes.
    pub peer_address: String,
    /// Where it serves clients.
    pub client_address: String,
}

/// A directory's own word on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Of which cluster.
    pub cluster_id: u128,
    /// The ids that it has had. Never empty.
    pub was: Vec<NodeId>,
    /// Of the directory under the last of those.
    pub lost_incarnation: Incarnation,
    /// What it asks with, and has from then on.
    pub incarnation: Incarnation,
    /// What was found damaged.
    pub found: String,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Asks,
    PutsAside,
    Begins,
    Back(NodeId),
}

impl Note {
    /// Whose place it asks for: its own, of before.
    #[must_use]
    pub fn lost(&self) -> NodeId {
        self.was.last().copied().unwrap_or(NodeId(0))
    }

    /// Whose directory it is, once it is a member's again.
    #[must_use]
    pub fn back(&self) -> Option<Joined> {
        match self.stage {
            Stage::Back(node_id) => Some(Joined { cluster_id: self.cluster_id, node_id }),
            Stage::Asks | Stage::PutsAside | Stage::Begins => None,
        }
    }

    fn encode(&self) -> Vec<u8> {
        let (stage, node_id) = match self.stage {
            Stage::Asks => (RejoinStage::Asks, 0),
            Stage::PutsAside => (RejoinStage::PutsAside, 0),
            Stage::Begins => (RejoinStage::Begins, 0),
            Stage::Back(node_id) => (RejoinStage::Back, node_id.0),
        };
        let note = RejoinNote {
            cluster_id: Bytes::copy_from_slice(&self.cluster_id.to_be_bytes()),
            lost_node_ids: self.was.iter().map(|id| id.0).collect(),
            lost_incarnation: Bytes::copy_from_slice(&self.lost_incarnation.0.to_be_bytes()),
            incarnation: Bytes::copy_from_slice(&self.incarnation.0.to_be_bytes()),
            stage: stage.into(),
            node_id,
            found: self.found.clone(),
        };
        let mut bytes = note.encode_to_vec();
        let crc = crc32c::crc32c(&bytes);
        bytes.extend(crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
            return None;
        }
        let note = RejoinNote::decode(body).ok()?;
        let number = |bytes: &Bytes| bytes.as_ref().try_into().ok().map(u128::from_be_bytes);
        let was: Option<Vec<NodeId>> =
            note.lost_node_ids.iter().map(|id| NodeId::some(*id)).collect();
        Some(Self {
            cluster_id: number(&note.cluster_id)?,
            was: was.filter(|was| !was.is_empty())?,
            lost_incarnation: Incarnation(number(&note.lost_incarnation)?),
            incarnation: Incarnation(number(&note.incarnation)?),
            stage: match note.stage() {
                RejoinStage::Unspecified => return None,
                RejoinStage::Asks => Stage::Asks,
                RejoinStage::PutsAside => Stage::PutsAside,
                RejoinStage::Begins => Stage::Begins,
                RejoinStage::Back => Stage::Back(NodeId::some(note.node_id)?),
            },
            found: note.found,
        })
    }

    /// Replaces the one that is there, durably, in one step.
    fn save<D: Disk>(&self, disk: &D) -> io::Result<()> {
        if disk.list()?.iter().any(|name| name == NEW_NOTE) {
            disk.remove(NEW_NOTE)?;
        }
        let file = disk.create(NEW_NOTE)?;
        file.write_at(&self.encode(), 0)?;
        file.sync()?;
        disk.rename(NEW_NOTE, NOTE)?;
        disk.sync_dir()
    }
}

/// What a directory says about coming back; `None` where it never had to.
///
/// # Errors
/// [`StartError::Note`] where that is damaged itself; [`StartError::Log`] where it can't be read.
pub fn note<D: Disk>(disk: &D, path: &Path) -> Result<Option<Note>, StartError> {
    let failed = |action, source| {
        let source = LogError::Io { action, file: NOTE.to_owned(), source };
        StartError::Log { path: path.to_owned(), source }
    };
    let names = disk.list().map_err(|error| failed("list", error))?;
    if !names.iter().any(|name| name == NOTE) {
        return Ok(None);
    }
    let read = || {
        let file = disk.open(NOTE)?;
        let len = usize::try_from(file.len()?.min(NOTE_LEN_MAX)).unwrap_or_default();
        let mut bytes = vec![0; len];
        file.read_exact_at(&mut bytes, 0).map(|()| bytes)
    };
    let bytes = read().map_err(|error| failed("read", error))?;
    let damaged = || StartError::Note { path: path.to_owned() };
    Note::decode(&bytes).map(Some).ok_or_else(damaged)
}

/// The first step: a directory in which `damage` was found becomes one that asks to be taken back. `mine` is
/// whose it must be, if the caller knows; `draw` gives any number, not the same twice.
///
/// # Errors
/// `damage` itself, where there is no way back: it is no rot, nothing sound says whose directory this is, or it
/// is somebody else's. [`JoinError::Io`]. The same call may be made again.
pub fn give_up<D: Disk>(
    disk: &D,
    path: &Path,
    damage: StartError,
    mine: Option<Joined>,
    draw: impl FnOnce() -> u128,
) -> Result<Note, JoinError> {
    let failed = |source| JoinError::Io { path: path.to_owned(), source };
    if !damage.is_rot() {
        return Err(damage.into());
    }
    let before = note(disk, path)?;
    if let Some(before) = before.as_ref().filter(|before| before.back().is_none()) {
        return Ok(before.clone());
    }
    let whose = Log::whose_if_sound(disk)
        .map_err(|source| StartError::Log { path: path.to_owned(), source })?;
    let whose = whose.map(|it| {
        let Identity { cluster_id, node_id, incarnation, .. } = it;
        (Joined { cluster_id, node_id }, incarnation)
    });
    // What says whom it came back as last time says it too.
    let noted = before.as_ref().and_then(|note| Some((note.back()?, note.incarnation)));
    let is_mine = |(whose, _): &(Joined, Incarnation)| mine.is_none_or(|mine| mine == *whose);
    let Some((Joined { cluster_id, node_id }, incarnation)) = whose.or(noted).filter(is_mine)
    else {
        return Err(damage.into());
    };
    let mut was = before.map(|before| before.was).unwrap_or_default();
    was.push(node_id);
    let drawn = Incarnation(draw().max(1));
    let note = Note {
        cluster_id,
        was,
        lost_incarnation: incarnation,
        incarnation: planted::choose(Bug::RottenKeepsItsId, incarnation, drawn),
        found: found(&damage),
        stage: Stage::Asks,
    };
    note.save(disk).map_err(failed)?;
    Ok(note)
}

/// The last steps: with the leader's answer, the directory becomes a member's again, under a new id.
///
/// # Errors
/// [`JoinError`]. The same call may be made again with the same answer, and the note as it is then.
pub fn come_back<S: StateMachine, D: Disk>(
    disk: &Arc<D>,
    path: &Path,
    log: LogConfig,
    note: Note,
    admitted: Admitted,
) -> Result<Joined, JoinError> {
    let failed = |source| JoinError::Io { path: path.to_owned(), source };
    if admitted.cluster_id.as_ref() != note.cluster_id.to_be_bytes() {
        return Err(JoinError::Refused { why: "it answers for another cluster".to_owned() });
    }
    let mut note = note;
    if note.stage == Stage::Asks {
        // Of one time only: what is kept here may be large.
        remove_aside(&**disk).map_err(failed)?;
        note.stage = Stage::PutsAside;
        note.save(&**disk).map_err(failed)?;
    }
    if note.stage == Stage::PutsAside {
        put_aside(&**disk).map_err(failed)?;
        note.stage = Stage::Begins;
        note.save(&**disk).map_err(failed)?;
    }
    if let Some(joined) = arrive(&**disk, path, &mut note)? {
        return Ok(joined);
    }
    enter::<S, D>(disk, path, log, note.incarnation, admitted)?;
    let joined = arrive(&**disk, path, &mut note)?;
    joined.ok_or_else(|| StartError::Rejoining { path: path.to_owned() }.into())
}

/// The new log is there: nothing is left to do but to note it.
fn arrive<D: Disk>(disk: &D, path: &Path, note: &mut Note) -> Result<Option<Joined>, JoinError> {
    if note.stage == Stage::Begins {
        let whose =
            Log::whose(disk).map_err(|source| StartError::Log { path: path.to_owned(), source })?;
        let Some(Identity { node_id, .. }) = whose else { return Ok(None) };
        note.stage = Stage::Back(node_id);
        note.save(disk).map_err(|source| JoinError::Io { path: path.to_owned(), source })?;
    }
    Ok(note.back())
}

fn put_aside<D: Disk>(disk: &D) -> io::Result<()> {
    for name in disk.list()?.iter().filter(|name| DATA.iter().any(|data| name.ends_with(data))) {
        let aside = format!("{name}{ASIDE}");
        disk.rename(name, &aside)?;
        tracing::warn!(file = aside, "put aside, for whoever wants to look at it");
    }
    disk.sync_dir()
}

fn remove_aside<D: Disk>(disk: &D) -> io::Result<()> {
    for name in disk.list()?.iter().filter(|name| name.ends_with(ASIDE)) {
        disk.remove(name)?;
    }
    disk.sync_dir()
}

/// Whose directory this is, where it had another id before, and goes on where it was on its way back.
///
/// # Errors
/// [`JoinError`]. The same call may be made again.
pub async fn go_on<S: StateMachine>(
    rejoining: &Rejoining<'_>,
    may_ask: bool,
) -> Result<Option<Note>, JoinError> {
    let path = rejoining.data_dir;
    let disk = open(path)?;
    let Some(mut note) = note(&*disk, path)? else { return Ok(None) };
    if arrive(&*disk, path, &mut note)?.is_some() {
        return Ok(Some(note));
    }
    if !may_ask {
        return Err(StartError::Rejoining { path: path.to_owned() }.into());
    }
    ask_and_come_back::<S>(rejoining, &disk, note).await.map(Some)
}

/// Gives up what the directory was, for `damage`, and makes it a member's again.
///
/// # Errors
/// [`JoinError`]; `damage` itself, where there is no way back. The same call may be made again; after a
/// restart, [`go_on`].
pub async fn rejoin<S: StateMachine>(
    rejoining: &Rejoining<'_>,
    damage: StartError,
    mine: Option<Joined>,
) -> Result<Note, JoinError> {
    let path = rejoining.data_dir;
    if rejoining.ask.is_empty() {
        return Err(damage.into());
    }
    let disk = open(path)?;
    let note = give_up(&*disk, path, damage, mine, rand::random)?;
    ask_and_come_back::<S>(rejoining, &disk, note).await
}

async fn ask_and_come_back<S: StateMachine>(
    rejoining: &Rejoining<'_>,
    disk: &Arc<RealDisk>,
    note: Note,
) -> Result<Note, JoinError> {
    let (path, lost) = (rejoining.data_dir, note.lost());
    tracing::warn!(
        node = lost.0,
        found = note.found,
        "the data directory is damaged: under this id the node never comes back. It asks the other members for \
         a new one, and takes its data from them"
    );
    let request = JoinRequest {
        lost_node_id: lost.0,
        lost_incarnation: note.lost_incarnation.0.to_be_bytes().to_vec().into(),
        incarnation: note.incarnation.0.to_be_bytes().to_vec().into(),
        peer_address: rejoining.peer_address.clone(),
        client_address: rejoining.client_address.clone(),
        ..join::request::<S>()
    };
    let admitted = match join::ask(&rejoining.ask, &request, PATIENCE).await {
        Admission::Granted(admitted) => admitted,
        Admission::Refused { why } => {
            let found = note.found;
            return Err(JoinError::NotTakenBack { path: path.to_owned(), found, node: lost, why });
        }
        Admission::Nobody { last } => {
            let (found, asked) = (note.found, rejoining.ask.join(", "));
            return Err(JoinError::NotYetBack { path: path.to_owned(), found, asked, last });
        }
    };
    let mut back = note.clone();
    let joined = come_back::<S, _>(disk, path, LogConfig::default(), note, admitted)?;
    back.stage = Stage::Back(joined.node_id);
    tracing::warn!(
        was = lost.0,
        node = joined.node_id.0,
        "back under a new id, with nothing yet; waiting for the leader"
    );
    Ok(back)
}

fn open(path: &Path) -> Result<Arc<RealDisk>, StartError> {
    let disk = RealDisk::open(path);
    disk.map(Arc::new).map_err(|source| StartError::Disk { path: path.to_owned(), source })
}

/// What is damaged, without what to type: nobody has to.
fn found(damage: &StartError) -> String {
    if let StartError::Log { source: LogError::Rot { segment, offset, damage }, .. } = damage {
        return format!("{segment} is damaged at byte {offset}: {damage}");
    }
    if let StartError::Gap { snapshot, base, .. } = damage {
        return format!(
            "its newest sound snapshot ends at index {snapshot}, and its log begins after {base}"
        );
    }
    damage.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes() -> Vec<Note> {
        let note = |stage| Note {
            cluster_id: 7 << 100,
            was: vec![NodeId(3), NodeId(5)],
            lost_incarnation: Incarnation(11),
            incarnation: Incarnation(12),
            found: "the log is damaged".to_owned(),
            stage,
        };
        [Stage::Asks, Stage::PutsAside, Stage::Begins, Stage::Back(NodeId(9))].map(note).to_vec()
    }

    #[test]
    fn a_note_is_read_as_it_was_written_or_not_at_all() {
        for note in notes() {
            let bytes = note.encode();
            assert_eq!(Note::decode(&bytes), Some(note));
            for at in 0..bytes.len() {
                for bit in 0..8 {
                    let mut flipped = bytes.clone();
                    flipped[at] ^= 1 << bit;
                    assert_eq!(Note::decode(&flipped), None, "bit {bit} of byte {at}");
                }
                assert_eq!(Note::decode(&bytes[..at]), None, "cut at {at}");
            }
        }
    }

    #[test]
    fn a_directory_is_a_members_again_only_at_the_end() {
        let back: Vec<_> = notes().iter().map(Note::back).collect();
        let end = Joined { cluster_id: 7 << 100, node_id: NodeId(9) };
        assert_eq!(back, [None, None, None, Some(end)]);
    }

    #[test]
    fn a_note_that_is_damaged_ends_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(dir.path()).unwrap();
        assert_eq!(note(&disk, dir.path()).unwrap(), None);
        for saved in notes() {
            saved.save(&disk).unwrap();
            assert_eq!(note(&disk, dir.path()).unwrap(), Some(saved));
        }
        std::fs::write(dir.path().join(NOTE), b"torn").unwrap();
        let refused = note(&disk, dir.path()).unwrap_err();
        assert!(matches!(refused, StartError::Note { .. }), "{refused:?}");
    }
}
