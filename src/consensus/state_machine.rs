//! What consensus asks of the thing that it replicates.

use std::io::Write;

use bytes::Bytes;

use super::fault::Fault;

/// A deterministic state: equal batches in equal order give equal states and equal replies.
pub trait StateMachine: Sized + Send + 'static {
    /// What one command comes to.
    type Reply: Send + 'static;
    /// The state before the first command.
    fn empty() -> Self;

    /// Applies one batch; one reply for each command, in order.
    ///
    /// # Errors
    /// A [`Fault`] if a command does not decode: never skipped, since others may understand it.
    fn apply(
        &mut self,
        index: u64,
        term: u64,
        stamp_us: u64,
        commands: &[Bytes],
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

    /// Reads what [`StateMachine::save`] wrote, by this or any earlier version.
    ///
    /// # Errors
    /// `InvalidData` where the bytes make no state.
    fn load(body: &[u8]) -> std::io::Result<Self>;
}
