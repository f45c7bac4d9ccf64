//! The closed list of calls that change something.

use xxhash_rust::xxh3::Xxh3;

use crate::{
    api::violations::Violations,
    routing::{Command, Operation, RequestId, RequestKey, TeamId},
};

use super::{assign, campaigns, groups, reps, teams};

/// Any call that changes something, as it was sent.
///
/// The list is the one of `peer.v1`, so that no call can be added that a follower can't pass on.
pub use crate::proto::turnwise::peer::v1::forward_request::Call;
/// The answer to such a call.
pub use crate::proto::turnwise::peer::v1::forward_response::Result as Answer;

/// A call that was read, before it is known who made it.
pub(super) struct Draft {
    pub(super) team: TeamId,
    pub(super) request_id: Option<RequestId>,
    pub(super) operation: Operation,
}

/// Reads a call.
///
/// # Errors
/// Every field that is wrong.
pub(in crate::api) fn command(call: &Call, principal: &str) -> Result<Command, Violations> {
    let Draft { team, request_id, operation } = match call {
        Call::AssignContact(r) => assign::assign_contact(r),
        Call::CreateRep(r) => reps::create(r),
        Call::DeleteRep(r) => reps::delete(r),
        Call::SetOutOfOffice(r) => reps::set_out_of_office(r),
        Call::ClearOutOfOffice(r) => reps::clear_out_of_office(r),
        Call::CreateGroup(r) => groups::create(r),
        Call::DeleteGroup(r) => groups::delete(r),
        Call::AddGroupMember(r) => groups::add_member(r),
        Call::RemoveGroupMember(r) => groups::remove_member(r),
        Call::CreateCampaign(r) => campaigns::create(r),
        Call::UpdateCampaign(r) => campaigns::update(r),
        Call::LaunchCampaign(r) => campaigns::launch(r),
        Call::PauseCampaign(r) => campaigns::pause(r),
        Call::ResumeCampaign(r) => campaigns::resume(r),
        Call::CancelCampaign(r) => campaigns::cancel(r),
        Call::CreateTeam(r) => teams::create(r),
    }?;
    let request = request_id.map(|id| RequestKey { id, fingerprint: fingerprint(call) });
    Ok(Command { request, principal: principal.to_owned(), team, operation })
}

/// Tells a retry from another call under the same request id.
///
/// The bytes begin with the number of the call in `ForwardRequest`, so equal bodies of two methods
/// differ; they hold the request id too, which is harmless, as only calls of one id are compared.
/// Kept in the log and the state: a change here, or of a field number, makes retries across an
/// upgrade look like other calls.
fn fingerprint(call: &Call) -> u128 {
    let mut bytes = Vec::with_capacity(call.encoded_len());
    call.encode(&mut bytes);
    let mut hash = Xxh3::new();
    hash.update(b"turnwise call 1\0");
    hash.update(&bytes);
    hash.digest128()
}

#[cfg(test)]
mod tests {
    use super::{Call, fingerprint};
    use crate::proto::turnwise::v1::{LaunchCampaignRequest, PauseCampaignRequest};

    #[test]
    fn s0_equal_bodies_of_two_methods_have_two_fingerprints() {
        let (name, request_id) = ("teams/a/campaigns/b".to_owned(), "r".to_owned());
        let launch = LaunchCampaignRequest { name: name.clone(), request_id: request_id.clone() };
        let launch = Call::LaunchCampaign(launch);
        let pause = Call::PauseCampaign(PauseCampaignRequest { name, request_id });
        assert_eq!(fingerprint(&launch), fingerprint(&launch.clone()));
        assert_ne!(fingerprint(&launch), fingerprint(&pause));
    }

    #[test]
    fn a_fingerprint_never_changes() {
        let call = Call::LaunchCampaign(LaunchCampaignRequest {
            name: "teams/a/campaigns/b".to_owned(),
            request_id: "r".to_owned(),
        });
        assert_eq!(format!("{:032x}", fingerprint(&call)), "c928ef7c447599fe9f94f5c512391603");
    }
}
