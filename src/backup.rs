//! Backups: the whole state of a cluster in one file, and members of a new cluster made from it.
//!
//! The file is a snapshot file (`docs/formats/snapshot.md`) whose meta bytes also say how the backup came
//! about. Every byte of it is covered by a checksum, its end by a trailer, and the state by the hash that it
//! had where it was taken. What is asked of a running node is a clone of its state, which is cheap; all else
//! happens elsewhere.

use std::{
    io::{self, Write},
    path::Path,
};

use prost::Message as _;

use crate::{
    consensus::{
        NodeId,
        driver::{
            BODY_LEN_MAX, GROUP_ID, Member, Origin, RefoundError, StartError, Survivor,
            SurvivorError, is_free, refound,
        },
        log::{
            RealDisk, RealFile,
            snapshot::{SnapshotEncoder, SnapshotError, SnapshotHead, SnapshotId, SnapshotReader},
        },
    },
    image,
    proto::turnwise::log::v1::{BackupMeta, SnapshotMeta},
    routing::{State, Time},
};

/// A data directory's state, as far as it can be had.
pub type Survived = Survivor<State, RealDisk>;

/// What a backup says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// Of which cluster.
    pub cluster_id: u128,
    /// From which of its nodes.
    pub node_id: NodeId,
    /// The last entry that the state holds.
    pub log_index: u64,
    /// The node's term then, which is that of the entry or a later one.
    pub term: u64,
    /// The greatest leader time that the state has seen.
    pub leader_time: Time,
    /// When it was taken, by the node's clock.
    pub taken: Time,
    /// Hash of the state.
    pub state_hash: u128,
    /// Version of the state's image.
    pub image_version: u32,
    /// Version of the rules in force.
    pub engine_version: u32,
}

/// Where and when a state was had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Of which cluster.
    pub cluster_id: u128,
    /// From which of its nodes.
    pub node_id: NodeId,
    /// The last entry that the state holds.
    pub log_index: u64,
    /// The node's term then.
    pub term: u64,
    /// When, by the node's clock.
    pub time: Time,
}

/// A backup that was read.
#[derive(Debug)]
pub struct Backup {
    /// What it says of itself, checked.
    pub about: About,
    /// Length of the file in bytes.
    pub file_len: u64,
    /// The state.
    pub state: State,
}

/// Why a file is no backup to rely on.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It can't be opened.
    #[error("cannot open {path}")]
    Open {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It is damaged, incomplete, or none.
    #[error("it is not a sound backup")]
    Damaged(#[from] SnapshotError),
    /// It is a node's snapshot.
    #[error(
        "{path} is a snapshot out of a data directory, not a backup: the log behind it is missing. Name \
         the whole directory in `turnwise recover --from-data-dir`"
    )]
    Snapshot {
        /// The file.
        path: String,
    },
    /// What it says of itself can't be read.
    #[error("{path} is damaged: what it says of itself can't be read")]
    Meta {
        /// The file.
        path: String,
    },
    /// Its state can't be read by this program.
    #[error("the state in {path} can't be read")]
    State {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The state is not the one that was saved.
    #[error(
        "{path} is damaged: its state has the hash {found:032x}, and {expected:032x} was saved"
    )]
    Hash {
        /// The file.
        path: String,
        /// Of the state in it.
        found: u128,
        /// As saved.
        expected: u128,
    },
}

/// Why no member of a new cluster was made.
#[derive(Debug, thiserror::Error)]
pub enum FoundError {
    /// It would be the old cluster once more.
    #[error(
        "{cluster_id:032x} is the id of the cluster that this comes from; a new cluster needs an id of its \
         own, so that no node of the old one is taken for one of its members"
    )]
    SameCluster {
        /// The id.
        cluster_id: u128,
    },
    /// The directory can't be used.
    #[error(transparent)]
    Directory(#[from] RefoundError),
}

impl About {
    /// Of this state. Computes its hash anew: slow, and what is saved is what was meant.
    ///
    /// # Errors
    /// `InvalidData` where the running hash is not that of the records.
    pub fn of(taken: &Taken, state: &State) -> io::Result<Self> {
        let &Taken { cluster_id, node_id, log_index, term, time } = taken;
        let state_hash = state.recomputed_hash();
        if state_hash != state.hash() {
            let text = "the state's running hash is not that of its records";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(Self {
            cluster_id,
            node_id,
            log_index,
            term,
            leader_time: state.time(),
            taken: time,
            state_hash,
            image_version: image::VERSION,
            engine_version: state.engine_version(),
        })
    }

    /// The last entry that the state holds.
    fn last(&self) -> SnapshotId {
        SnapshotId { index: self.log_index, term: self.term }
    }
}

/// Writes a backup's bytes. Gives how many.
///
/// # Errors
/// Those of `out`.
pub fn write(about: &About, state: &State, out: impl Write) -> io::Result<u64> {
    let backup = BackupMeta {
        image_version: about.image_version,
        engine_version: about.engine_version,
        node_id: about.node_id.0,
        taken_us: about.taken.0,
    };
    let meta = SnapshotMeta {
        stamp_us: about.leader_time.0,
        state_hash: about.state_hash.to_be_bytes().to_vec().into(),
        backup: Some(backup),
        ..SnapshotMeta::default()
    };
    let meta = meta.encode_to_vec();
    let head = SnapshotHead {
        cluster_id: about.cluster_id,
        group_id: GROUP_ID,
        id: about.last(),
        meta: &meta,
    };
    let mut encoder = SnapshotEncoder::begin(out, head)?;
    image::save(state, &mut encoder)?;
    encoder.finish().map(|(_, len)| len)
}

/// Reads a backup: every checksum, the state, and its hash.
///
/// # Errors
/// [`BackupError`].
pub fn read(path: &Path) -> Result<Backup, BackupError> {
    let name = path.display().to_string();
    let opened = RealFile::open_to_read(path).and_then(|file| {
        let len = std::fs::metadata(path)?.len();
        Ok((file, len))
    });
    let (file, file_len) =
        opened.map_err(|source| BackupError::Open { path: name.clone(), source })?;
    let mut reader = SnapshotReader::open(file, name.clone())?;
    let unreadable = || BackupError::Meta { path: name.clone() };
    let meta = SnapshotMeta::decode(reader.meta()).map_err(|_| unreadable())?;
    let Some(backup) = meta.backup else {
        return Err(BackupError::Snapshot { path: name });
    };
    let expected = <[u8; 16]>::try_from(meta.state_hash.as_ref()).map_err(|_| unreadable())?;
    let expected = u128::from_be_bytes(expected);
    let (cluster_id, SnapshotId { index, term }) = (reader.cluster_id(), reader.id());
    let body = reader.read_body(BODY_LEN_MAX)?;
    let loaded = image::load(&body);
    let (state, found) =
        loaded.map_err(|source| BackupError::State { path: name.clone(), source })?;
    if found != expected {
        return Err(BackupError::Hash { path: name, found, expected });
    }
    let about = About {
        cluster_id,
        node_id: NodeId(backup.node_id),
        log_index: index,
        term,
        leader_time: Time(meta.stamp_us),
        taken: Time(backup.taken_us),
        state_hash: expected,
        image_version: backup.image_version,
        engine_version: backup.engine_version,
    };
    Ok(Backup { about, file_len, state })
}

impl Backup {
    /// Makes the data directory of a founding member of a new cluster. Gives the entry that the new
    /// cluster begins after.
    ///
    /// # Errors
    /// [`FoundError`].
    pub fn restore(&self, member: &Member<'_>) -> Result<SnapshotId, FoundError> {
        let Self { about, file_len: _, state } = self;
        let origin = Origin { last: about.last(), stamp_us: about.leader_time.0, state };
        found(about.cluster_id, member, &origin)
    }
}

/// Looks at what one node's directory still holds. Nothing in it is changed, and no node can start in it
/// for as long as the answer lives.
///
/// # Errors
/// [`SurvivorError`]; among them that there is no such directory, or that a node runs in it.
pub fn survey(path: &Path) -> Result<Survived, SurvivorError> {
    let failed = |source| StartError::Disk { path: path.to_owned(), source };
    let disk = RealDisk::open_existing(path).map_err(failed)?;
    Survivor::look(path, disk.into())
}

/// Makes the data directory of a founding member of a new cluster from what survived.
///
/// # Errors
/// [`FoundError`].
pub fn recover(survived: &Survived, member: &Member<'_>) -> Result<SnapshotId, FoundError> {
    let mut origin = survived.origin();
    origin.stamp_us = origin.stamp_us.max(survived.state.time().0);
    found(survived.cluster_id, member, &origin)
}

/// Whether a member could be made from what survived.
///
/// # Errors
/// [`FoundError`].
pub fn check(survived: &Survived, member: &Member<'_>) -> Result<(), FoundError> {
    other_cluster(survived.cluster_id, member.cluster_id)?;
    Ok(is_free(member.data_dir)?)
}

fn other_cluster(old: u128, cluster_id: u128) -> Result<(), FoundError> {
    if cluster_id == old { Err(FoundError::SameCluster { cluster_id }) } else { Ok(()) }
}

fn found(
    old: u128,
    member: &Member<'_>,
    origin: &Origin<'_, State>,
) -> Result<SnapshotId, FoundError> {
    other_cluster(old, member.cluster_id)?;
    Ok(refound(member, origin)?)
}

#[cfg(test)]
mod tests;
