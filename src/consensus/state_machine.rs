//! What consensus asks of the thing that it replicates.

use std::io::Write;

use bytes::Bytes;

use super::{fault::Fault, versions::Versions};

/// A deterministic state: equal batches in equal order give equal states and equal replies.
pub trait StateMachine: Sized + Send + 'static {
    /// What one command comes to.
    type Reply: Send + 'static;
    /// One thing that a command made happen. No part of the state.
    type Event: Send + 'static;

    /// The versions of the cluster that it has. Not those of some node: those of this build.
    fn versions() -> Versions;

    /// The state before the first command, at the oldest of [`StateMachine::versions`].
    fn empty() -> Self;

    /// The version of the cluster that it is at.
    fn version(&self) -> u32;

    /// Goes to the version that an entry says, before it is applied: one more, or it stays. Never back.
    ///
    /// # Errors
    /// A [`Fault`] if that version is not the next, or not one that this build has.
    fn raise(&mut self, index: u64, version: u32) -> Result<(), Fault>;

    /// Applies one batch; one reply for each command, in order. Adds what happened to `events`, in order.
    ///
    /// # Errors
    /// A [`Fault`] if a command does not decode: never skipped, since others may understand it.
    fn apply(
        &mut self,
        index: u64,
        term: u64,
        stamp_us: u64,
        commands: &[Bytes],
        events: &mut Vec<Self::Event>,
    ) -> Result<Vec<Self::Reply>, Fault>;

    /// A hash that two states share exactly if they are equal, bar chance.
    fn hash(&self) -> u128;

    /// The same from scratch: what [`StateMachine::hash`] must be, computed when it matters.
    fn recomputed_hash(&self) -> u128;

    /// The state as it is now, for a snapshot: cheap to take, read on another thread.
    fn image(&self) -> Self;

    /// Writes an image. Slow; runs on a thread of its own.
    ///
    /// # Errors
    /// Those of `out`.
    fn save(image: &Self, out: &mut dyn Write) -> std::io::Result<()>;

    /// Reads what [`StateMachine::save`] wrote, by this or any earlier version. Gives the state, and the
    /// hash that it had where it was saved: an earlier version may have hashed otherwise.
    ///
    /// # Errors
    /// `InvalidData` where the bytes make no state.
    fn load(body: &[u8]) -> std::io::Result<(Self, u128)>;
}

/// Who is told what happens. Called on the thread that owns the state: it never blocks and never waits.
pub trait EventSink<E>: Send {
    /// The state is one that was loaded, up to and with this index. How it came about is not told.
    fn loaded(&mut self, index: u64);

    /// What the entry at this index made happen, in order. Every index after the last one told comes
    /// once, also those where nothing happened.
    fn applied(&mut self, index: u64, events: Vec<E>);
}
