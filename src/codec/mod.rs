//! Commands to bytes of the log and back: `routing::Command` and `turnwise.log.v1.Command`.
//!
//! These bytes outlive a version. A field that is missing in old bytes has the meaning it had then; an
//! operation that this version does not know is an error, never skipped. It judges no rule: what it
//! decodes was checked before it was proposed.
//!
//! | File | Owns |
//! |---|---|
//! | `write` | operations as messages |
//! | `read` | messages as operations |
//! | `values` | what operations carry, both ways |

mod read;
#[cfg(test)]
mod tests;
mod values;
mod write;

use bytes::Bytes;
use prost::Message as _;

use crate::{
    proto::turnwise::log::v1 as log,
    routing::{Command, Principal, RequestId, RequestKey, TeamId},
};

/// Bytes that are no command of this version.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not the wire format.
    #[error("not a command")]
    Wire(#[from] prost::DecodeError),
    /// The operation is unset or of a later version.
    #[error("the operation is unknown")]
    Operation,
    /// A field that must be set is not, or holds an unknown value.
    #[error("field `{0}` is missing or unknown")]
    Field(&'static str),
}

/// The bytes of a command in the log.
#[must_use]
pub fn encode(command: &Command) -> Bytes {
    let Command { request, principal, team, etag, operation } = command;
    let (request_id, fingerprint) = match request {
        None => (String::new(), Bytes::new()),
        Some(RequestKey { id, fingerprint }) => {
            (id.as_str().to_owned(), fingerprint.to_be_bytes().to_vec().into())
        }
    };
    let message = log::Command {
        request_id,
        fingerprint,
        principal: match principal {
            Principal::Trusted(name) => name.clone(),
            Principal::Token(_) => String::new(),
        },
        bearer: match principal {
            Principal::Trusted(_) => None,
            Principal::Token(bearer) => Some(write::bearer(bearer)),
        },
        team: team.as_str().to_owned(),
        etag: etag.map(write::revision),
        operation: Some(write::operation(operation)),
    };
    message.encode_to_vec().into()
}

/// The command that bytes of the log stand for.
///
/// # Errors
/// [`DecodeError`] if this version can't read it; the caller stops rather than skip it.
pub fn decode(bytes: &Bytes) -> Result<Command, DecodeError> {
    let message = log::Command::decode(bytes.clone())?;
    let request = if message.request_id.is_empty() {
        None
    } else {
        let fingerprint: [u8; 16] = message
            .fingerprint
            .as_ref()
            .try_into()
            .map_err(|_| DecodeError::Field("fingerprint"))?;
        Some(RequestKey {
            id: RequestId::new(&message.request_id),
            fingerprint: u128::from_be_bytes(fingerprint),
        })
    };
    Ok(Command {
        request,
        principal: match message.bearer {
            None => Principal::Trusted(message.principal),
            Some(bearer) => Principal::Token(read::bearer(bearer)?),
        },
        team: TeamId::new(&message.team),
        etag: message.etag.map(read::revision),
        operation: read::operation(message.operation.ok_or(DecodeError::Operation)?)?,
    })
}
