//! A call that changes nothing: answered by the node that was asked, linearizable.

use prost::Message;
use tonic::{Response, Status};

use crate::{
    replica::{ReadAt, Replica},
    routing::{Reading, Rejection, State, TeamId},
};

use super::{
    authenticate::Caller, deadline::Deadline, limits::ANSWER_LEN_MAX, status,
    violations::Violations,
};

/// Looks at the state of a team, if the caller may. `look` runs on the thread that owns the state: it
/// copies what is needed, and the answer is made of it elsewhere.
pub(super) async fn read<T: Send + 'static>(
    replica: &Replica,
    caller: Caller,
    reading: Reading,
    team: &TeamId,
    look: impl FnOnce(&State, ReadAt) -> Result<T, Rejection> + Send + 'static,
) -> Result<T, Status> {
    let Caller { principal, time } = caller;
    let of = team.clone();
    let look = move |state: &State, at: ReadAt| {
        state.may_read(&principal, Some(&of), reading, at.now)?;
        look(state, at)
    };
    let seen = time.or_late(replica.read(look)).await.flatten();
    let seen = seen.map_err(status::unavailable)?;
    seen.map_err(|rejection| status::rejected(team, &rejection))
}

/// The same off the thread that owns the state, on a copy that may be changed: for what costs more
/// than a look.
pub(super) async fn on_copy<T: Send + 'static>(
    replica: &Replica,
    caller: Caller,
    reading: Reading,
    team: &TeamId,
    look: impl FnOnce(State, ReadAt) -> Result<T, Rejection> + Send + 'static,
) -> Result<T, Status> {
    let time = caller.time;
    let copy = |state: &State, at| Ok((state.clone(), at));
    let (state, at) = read(replica, caller, reading, team, copy).await?;
    off_thread(time, team, move || look(state, at)).await
}

/// The same for a command that is tried out on the copy: the state says whether its principal may.
pub(super) async fn tried<T: Send + 'static>(
    replica: &Replica,
    time: Deadline,
    team: &TeamId,
    look: impl FnOnce(State, ReadAt) -> Result<T, Rejection> + Send + 'static,
) -> Result<T, Status> {
    let copied = time.or_late(replica.read(|state, at| (state.clone(), at))).await.flatten();
    let (state, at) = copied.map_err(status::unavailable)?;
    off_thread(time, team, move || look(state, at)).await
}

async fn off_thread<T: Send + 'static>(
    time: Deadline,
    team: &TeamId,
    look: impl FnOnce() -> Result<T, Rejection> + Send + 'static,
) -> Result<T, Status> {
    let looking = tokio::task::spawn_blocking(look);
    let seen = time.or_late(looking).await.map_err(status::unavailable)?;
    let seen = seen.map_err(|error| {
        tracing::error!(%team, %error, "a look at a copy of the state failed");
        status::internal()
    })?;
    seen.map_err(|rejection| status::rejected(team, &rejection))
}

/// What was read from a request, or a status that names every wrong field.
pub(super) fn checked<T>(wrong: Violations, built: Option<T>) -> Result<T, Status> {
    wrong.finish(built).map_err(|violations| status::invalid(&violations))
}

/// An answer, if it fits a message.
pub(super) fn fitting<M: Message>(answer: M) -> Result<Response<M>, Status> {
    if answer.encoded_len() > ANSWER_LEN_MAX {
        return Err(status::answer_too_large());
    }
    Ok(Response::new(answer))
}
