//! Names of things: one type for each kind of id, and the position of a command in the log.
//!
//! An id is checked where it enters the system (`api`), not here: this module only keeps a team's id
//! from being used where a rep's is meant.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};
use smol_str::SmolStr;

/// An id of 1 to 128 bytes of `[A-Za-z0-9._:@+-]`, cheap to clone: up to 23 bytes are within it, and longer ones
/// shared.
///
/// `Kind` is never instantiated; it only tells [`TeamId`] from [`RepId`].
pub struct Id<Kind> {
    text: SmolStr,
    kind: PhantomData<fn() -> Kind>,
}

/// The kinds an [`Id`] can have.
pub mod kind {
    /// Of a team.
    #[derive(Debug)]
    pub enum Team {}
    /// Of a rep within a team.
    #[derive(Debug)]
    pub enum Rep {}
    /// Of a group within a team.
    #[derive(Debug)]
    pub enum Group {}
    /// Of a campaign within a team.
    #[derive(Debug)]
    pub enum Campaign {}
    /// Of a routing rule within a team.
    #[derive(Debug)]
    pub enum Rule {}
    /// Of an option within a group of options.
    #[derive(Debug)]
    pub enum Option {}
    /// Of a contact: the caller's own id, usually the CRM's.
    #[derive(Debug)]
    pub enum Contact {}
    /// Of an access token within a team.
    #[derive(Debug)]
    pub enum Token {}
    /// Of one intended operation of a caller (AIP-155).
    #[derive(Debug)]
    pub enum Request {}
}

/// `teams/{team}`.
pub type TeamId = Id<kind::Team>;
/// `teams/{team}/reps/{rep}`.
pub type RepId = Id<kind::Rep>;
/// `teams/{team}/groups/{group}`.
pub type GroupId = Id<kind::Group>;
/// `teams/{team}/campaigns/{campaign}`.
pub type CampaignId = Id<kind::Campaign>;
/// `teams/{team}/routingRules/{rule}`.
pub type RuleId = Id<kind::Rule>;
/// `teams/{team}/tokens/{token}`.
pub type TokenId = Id<kind::Token>;
/// An option's id within its group.
pub type OptionId = Id<kind::Option>;
/// A contact's id in the caller's system.
pub type ContactId = Id<kind::Contact>;
/// The caller's id of one intended operation; a retry carries the same one.
pub type RequestId = Id<kind::Request>;

impl<Kind> Id<Kind> {
    /// Takes the text as it is; the caller has checked its shape.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { text: SmolStr::new(text), kind: PhantomData }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

// Written out because derives would ask the same of `Kind`, which has no values.
impl<Kind> Clone for Id<Kind> {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), kind: PhantomData }
    }
}
impl<Kind> PartialEq for Id<Kind> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
impl<Kind> Eq for Id<Kind> {}
impl<Kind> PartialOrd for Id<Kind> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<Kind> Ord for Id<Kind> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}
impl<Kind> std::hash::Hash for Id<Kind> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}
impl<Kind> fmt::Debug for Id<Kind> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}
impl<Kind> fmt::Display for Id<Kind> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
impl<Kind> Serialize for Id<Kind> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}
impl<'de, Kind> Deserialize<'de> for Id<Kind> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text(PhantomData))
    }
}

/// Takes an id's text from where it lies, without a copy in between.
struct Text<Kind>(PhantomData<fn() -> Kind>);

impl<Kind> Visitor<'_> for Text<Kind> {
    type Value = Id<Kind>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Id<Kind>, E> {
        Ok(Id::new(text))
    }
}

/// Where in the log a command took effect.
///
/// Ordered by (`log_index`, `seq`): if A was answered before B was called, A's position is less.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct LogPosition {
    /// Raft index of the batch that carried the command, from 1.
    pub log_index: u64,
    /// 0-based place of the command in its batch.
    pub seq: u32,
    /// Raft term of the batch. Last, so that it never decides the order.
    pub term: u64,
}

/// `teams/{team}/assignments/{log_index}-{seq}`, or `…-{seq}-{item}` for item 1 and later of a batch:
/// the place that created it, so ids sort by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AssignmentId {
    /// Raft index of the creating entry.
    pub log_index: u64,
    /// 0-based place of the command in that entry.
    pub seq: u32,
    /// 0-based place in the command: 0 unless the command is a batch of assigns.
    pub item: u32,
}

impl fmt::Display for AssignmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.log_index, self.seq)?;
        if self.item > 0 {
            write!(f, "-{}", self.item)?;
        }
        Ok(())
    }
}

impl AssignmentId {
    /// The one that item `item` of the command at `position` makes.
    #[must_use]
    pub fn made_at(position: LogPosition, item: u32) -> Self {
        Self { log_index: position.log_index, seq: position.seq, item }
    }
}

/// Where the configuration of a resource was last changed. As an etag: `{log_index}-{seq}`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Revision {
    /// Raft index of the changing entry.
    pub log_index: u64,
    /// 0-based place in that entry.
    pub seq: u32,
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.log_index, self.seq)
    }
}

impl From<LogPosition> for Revision {
    fn from(position: LogPosition) -> Self {
        Self { log_index: position.log_index, seq: position.seq }
    }
}
