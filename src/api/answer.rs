//! From the reply to a command to the answer of the call that made it.

use tonic::Status;

use crate::{
    proto::turnwise::v1 as pb,
    routing::{Assigned, Outcome, Reply, TeamId, Time},
};

use super::{
    command::{Answer, Call},
    convert, status,
};

/// The answer to `call`. `now` is for computed fields only.
///
/// # Errors
/// Internal, if the reply is not one to such a call: a defect.
pub(super) fn answer(
    call: &Call,
    team: &TeamId,
    reply: Reply,
    now: Time,
) -> Result<Answer, Status> {
    let Reply { position, outcome } = reply;
    let at = Parts { team, position: Some(convert::position(position)), now };
    let answer = match call {
        Call::AssignContact(_) => at.assigned(outcome).map(Answer::AssignContact),
        Call::CreateRep(_) => at
            .rep(outcome)
            .map(|(rep, position)| Answer::CreateRep(pb::CreateRepResponse { rep, position })),
        Call::DeleteRep(_) => at
            .deleted(outcome)
            .map(|position| Answer::DeleteRep(pb::DeleteRepResponse { position })),
        Call::SetOutOfOffice(_) => at.rep(outcome).map(|(rep, position)| {
            Answer::SetOutOfOffice(pb::SetOutOfOfficeResponse { rep, position })
        }),
        Call::ClearOutOfOffice(_) => at.rep(outcome).map(|(rep, position)| {
            Answer::ClearOutOfOffice(pb::ClearOutOfOfficeResponse { rep, position })
        }),
        Call::CreateGroup(_) => at.group(outcome).map(|(group, position)| {
            Answer::CreateGroup(pb::CreateGroupResponse { group, position })
        }),
        Call::DeleteGroup(_) => at
            .deleted(outcome)
            .map(|position| Answer::DeleteGroup(pb::DeleteGroupResponse { position })),
        Call::AddGroupMember(_) => at.group(outcome).map(|(group, position)| {
            Answer::AddGroupMember(pb::AddGroupMemberResponse { group, position })
        }),
        Call::RemoveGroupMember(_) => at.group(outcome).map(|(group, position)| {
            Answer::RemoveGroupMember(pb::RemoveGroupMemberResponse { group, position })
        }),
        Call::CreateCampaign(_) => at.campaign(outcome).map(|(campaign, position)| {
            Answer::CreateCampaign(pb::CreateCampaignResponse { campaign, position })
        }),
        Call::UpdateCampaign(_) => at.campaign(outcome).map(|(campaign, position)| {
            Answer::UpdateCampaign(pb::UpdateCampaignResponse { campaign, position })
        }),
        Call::LaunchCampaign(_) => at.campaign(outcome).map(|(campaign, position)| {
            Answer::LaunchCampaign(pb::LaunchCampaignResponse { campaign, position })
        }),
        Call::PauseCampaign(_) => at.campaign(outcome).map(|(campaign, position)| {
            Answer::PauseCampaign(pb::PauseCampaignResponse { campaign, position })
        }),
        Call::ResumeCampaign(_) => at.campaign(outcome).map(|(campaign, position)| {
            Answer::ResumeCampaign(pb::ResumeCampaignResponse { campaign, position })
        }),
        Call::CancelCampaign(_) => at.campaign(outcome).map(|(campaign, position)| {
            Answer::CancelCampaign(pb::CancelCampaignResponse { campaign, position })
        }),
        Call::CreateTeam(_) => at
            .team(outcome)
            .map(|(team, position)| Answer::CreateTeam(pb::CreateTeamResponse { team, position })),
    };
    answer.ok_or_else(|| {
        tracing::error!(%team, "the reply is of another kind than the call");
        status::internal()
    })
}

/// What every answer is made of; each method gives `None` for an outcome of another kind.
struct Parts<'a> {
    team: &'a TeamId,
    position: Option<pb::LogPosition>,
    now: Time,
}

type Position = Option<pb::LogPosition>;

impl Parts<'_> {
    fn assigned(self, outcome: Outcome) -> Option<pb::AssignContactResponse> {
        let Outcome::Assigned(Assigned { assignment, existing }) = outcome else { return None };
        let assignment = Some(convert::assignment(self.team, assignment));
        Some(pb::AssignContactResponse { assignment, existing, position: self.position })
    }

    fn rep(self, outcome: Outcome) -> Option<(Option<pb::Rep>, Position)> {
        let Outcome::Rep(rep) = outcome else { return None };
        Some((Some(convert::rep(self.team, rep, self.now)), self.position))
    }

    fn group(self, outcome: Outcome) -> Option<(Option<pb::Group>, Position)> {
        let Outcome::Group(group) = outcome else { return None };
        Some((Some(convert::group(self.team, group)), self.position))
    }

    fn campaign(self, outcome: Outcome) -> Option<(Option<pb::Campaign>, Position)> {
        let Outcome::Campaign(campaign, warnings) = outcome else { return None };
        Some((Some(convert::campaign(self.team, campaign, &warnings)), self.position))
    }

    fn team(self, outcome: Outcome) -> Option<(Option<pb::Team>, Position)> {
        let Outcome::Team(team) = outcome else { return None };
        Some((Some(convert::team(team)), self.position))
    }

    fn deleted(self, outcome: Outcome) -> Option<Position> {
        (outcome == Outcome::Deleted).then_some(self.position)
    }
}
