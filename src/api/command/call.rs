//! The closed list of calls that change something.

use xxhash_rust::xxh3::Xxh3;

use crate::{
    api::violations::Violations,
    routing::{Command, Principal, RequestKey, Time},
};

use super::{assign, campaigns, draft::Draft, groups, life, members, reps, rules, teams, tokens};

/// Any call that changes something, as it was sent.
///
/// The list is the one of `peer.v1`, so that no call can be added that a follower can't pass on.
pub use crate::proto::turnwise::peer::v1::forward_request::Call;
/// The answer to such a call.
pub use crate::proto::turnwise::peer::v1::forward_response::Result as Answer;

/// A call that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) struct Checked {
    /// For the log.
    pub(in crate::api) command: Command,
    /// Only to see what would come of it (AIP-163).
    pub(in crate::api) validate_only: bool,
}

/// Reads a call. Working hours are expanded from `now` on; a new token ends after it.
///
/// # Errors
/// Every field that is wrong.
pub(in crate::api) fn command(
    call: &Call,
    principal: &Principal,
    now: Time,
) -> Result<Checked, Violations> {
    let Draft { team, request_id, etag, validate_only, operation } = match call {
        Call::AssignContact(r) => assign::one(r),
        Call::BatchAssignContacts(r) => assign::batch(r),
        Call::AcceptAssignment(r) => life::accept(r),
        Call::RejectAssignment(r) => life::reject(r),
        Call::ClaimAssignment(r) => life::claim(r),
        Call::ReassignAssignment(r) => life::reassign(r),
        Call::UnassignAssignment(r) => life::unassign(r),
        Call::CloseAssignment(r) => life::close(r),
        Call::CancelAssignment(r) => life::cancel(r),
        Call::CreateRep(r) => reps::create(r, now),
        Call::UpdateRep(r) => reps::update(r, now),
        Call::DeleteRep(r) => reps::delete(r),
        Call::SetOutOfOffice(r) => reps::set_out_of_office(r),
        Call::ClearOutOfOffice(r) => reps::clear_out_of_office(r),
        Call::SetPresence(r) => reps::set_presence(r),
        Call::CreateGroup(r) => groups::create(r),
        Call::UpdateGroup(r) => groups::update(r),
        Call::DeleteGroup(r) => groups::delete(r),
        Call::AddGroupMember(r) => members::add(r),
        Call::RemoveGroupMember(r) => members::remove(r),
        Call::UpdateGroupMember(r) => members::update(r),
        Call::ReorderGroup(r) => members::reorder(r),
        Call::ResetRotation(r) => members::reset_rotation(r),
        Call::AdjustRotation(r) => members::adjust_rotation(r),
        Call::CreateRoutingRule(r) => rules::create(r),
        Call::UpdateRoutingRule(r) => rules::update(r),
        Call::DeleteRoutingRule(r) => rules::delete(r),
        Call::CreateCampaign(r) => campaigns::create(r),
        Call::UpdateCampaign(r) => campaigns::update(r),
        Call::DeleteCampaign(r) => campaigns::delete(r),
        Call::ScheduleCampaign(r) => campaigns::schedule(r),
        Call::LaunchCampaign(r) => campaigns::launch(r),
        Call::PauseCampaign(r) => campaigns::pause(r),
        Call::ResumeCampaign(r) => campaigns::resume(r),
        Call::CancelCampaign(r) => campaigns::cancel(r),
        Call::CreateTeam(r) => teams::create(r),
        Call::UpdateTeam(r) => teams::update(r),
        Call::DeleteTeam(r) => teams::delete(r),
        Call::CreateToken(r) => tokens::create(r, now),
        Call::UpdateToken(r) => tokens::update(r),
        Call::DeleteToken(r) => tokens::delete(r),
    }?;
    let request = request_id.map(|id| RequestKey { id, fingerprint: fingerprint(call) });
    let command = Command { request, principal: principal.clone(), team, etag, operation };
    Ok(Checked { command, validate_only })
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

    fn launch() -> Call {
        Call::LaunchCampaign(LaunchCampaignRequest {
            name: "teams/a/campaigns/b".to_owned(),
            request_id: "r".to_owned(),
            ..Default::default()
        })
    }

    #[test]
    fn s0_equal_bodies_of_two_methods_have_two_fingerprints() {
        let pause = Call::PauseCampaign(PauseCampaignRequest {
            name: "teams/a/campaigns/b".to_owned(),
            request_id: "r".to_owned(),
            ..Default::default()
        });
        assert_eq!(fingerprint(&launch()), fingerprint(&launch()));
        assert_ne!(fingerprint(&launch()), fingerprint(&pause));
    }

    #[test]
    fn a_fingerprint_never_changes() {
        assert_eq!(format!("{:032x}", fingerprint(&launch())), "c928ef7c447599fe9f94f5c512391603");
    }
}
