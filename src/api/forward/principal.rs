//! Who asks, as one node tells another.

use crate::{
    proto::turnwise::peer::v1 as peer,
    routing::{Bearer, Principal, Revision, TeamId, TokenId},
};

/// As `ForwardRequest` holds it: a name, or a bearer.
pub(super) fn written(principal: &Principal) -> (String, Option<peer::Bearer>) {
    match principal {
        Principal::Trusted(name) => (name.clone(), None),
        Principal::Token(Bearer { team, token, secret_revision }) => {
            let Revision { log_index, seq } = *secret_revision;
            let bearer = peer::Bearer {
                team: team.to_string(),
                token: token.to_string(),
                secret_log_index: log_index,
                secret_seq: seq,
            };
            (String::new(), Some(bearer))
        }
    }
}

/// Who that is.
pub(super) fn read(name: String, bearer: Option<peer::Bearer>) -> Principal {
    match bearer {
        None => Principal::Trusted(name),
        Some(peer::Bearer { team, token, secret_log_index, secret_seq }) => {
            Principal::Token(Bearer {
                team: TeamId::new(&team),
                token: TokenId::new(&token),
                secret_revision: Revision { log_index: secret_log_index, seq: secret_seq },
            })
        }
    }
}
