//! From the reply to a command to the answer of the call that made it.

use std::collections::HashSet;

use prost::Message as _;
use tonic::Status;

use crate::{
    proto::turnwise::v1 as pb,
    routing::{Assigned, Assignment, AssignmentId, LogPosition, Outcome, TeamId, Time},
};

use super::{
    command::{Answer, Call},
    convert,
    limits::BATCH_ANSWER_LEN_MAX,
    status,
};

/// The answer to `call`; without a position for one that was only tried out. `now` is for computed
/// fields only.
///
/// # Errors
/// Internal, if the outcome is not one of such a call: a defect.
pub(super) fn answer(
    call: &Call,
    team: &TeamId,
    outcome: Outcome,
    position: Option<LogPosition>,
    now: Time,
) -> Result<Answer, Status> {
    let position = position.map(convert::position);
    let at = Parts { team, position, now };
    let answer = match call {
        Call::AssignContact(_) => at.assigned(outcome).map(Answer::AssignContact),
        Call::BatchAssignContacts(_) => at.batch(outcome).map(Answer::BatchAssignContacts),
        Call::CreateRep(_) => at
            .rep(outcome)
            .map(|rep| Answer::CreateRep(pb::CreateRepResponse { rep: Some(rep), position })),
        Call::UpdateRep(_) => at
            .rep(outcome)
            .map(|rep| Answer::UpdateRep(pb::UpdateRepResponse { rep: Some(rep), position })),
        Call::SetOutOfOffice(_) => at.rep(outcome).map(|rep| {
            Answer::SetOutOfOffice(pb::SetOutOfOfficeResponse { rep: Some(rep), position })
        }),
        Call::ClearOutOfOffice(_) => at.rep(outcome).map(|rep| {
            Answer::ClearOutOfOffice(pb::ClearOutOfOfficeResponse { rep: Some(rep), position })
        }),
        Call::SetPresence(_) => at
            .rep(outcome)
            .map(|rep| Answer::SetPresence(pb::SetPresenceResponse { rep: Some(rep), position })),
        Call::CreateGroup(_) => at.group(outcome).map(|group| {
            Answer::CreateGroup(pb::CreateGroupResponse { group: Some(group), position })
        }),
        Call::UpdateGroup(_) => at.group(outcome).map(|group| {
            Answer::UpdateGroup(pb::UpdateGroupResponse { group: Some(group), position })
        }),
        Call::AddGroupMember(_) => at.group(outcome).map(|group| {
            Answer::AddGroupMember(pb::AddGroupMemberResponse { group: Some(group), position })
        }),
        Call::RemoveGroupMember(_) => at.group(outcome).map(|group| {
            Answer::RemoveGroupMember(pb::RemoveGroupMemberResponse {
                group: Some(group),
                position,
            })
        }),
        Call::UpdateGroupMember(_) => at.group(outcome).map(|group| {
            Answer::UpdateGroupMember(pb::UpdateGroupMemberResponse {
                group: Some(group),
                position,
            })
        }),
        Call::ReorderGroup(_) => at.group(outcome).map(|group| {
            Answer::ReorderGroup(pb::ReorderGroupResponse { group: Some(group), position })
        }),
        Call::ResetRotation(_) => at.rotation(outcome).map(|rotation| {
            Answer::ResetRotation(pb::ResetRotationResponse { rotation: Some(rotation), position })
        }),
        Call::AdjustRotation(_) => at.rotation(outcome).map(|rotation| {
            Answer::AdjustRotation(pb::AdjustRotationResponse {
                rotation: Some(rotation),
                position,
            })
        }),
        Call::CreateRoutingRule(_) => at.rule(outcome).map(|routing_rule| {
            Answer::CreateRoutingRule(pb::CreateRoutingRuleResponse {
                routing_rule: Some(routing_rule),
                position,
            })
        }),
        Call::UpdateRoutingRule(_) => at.rule(outcome).map(|routing_rule| {
            Answer::UpdateRoutingRule(pb::UpdateRoutingRuleResponse {
                routing_rule: Some(routing_rule),
                position,
            })
        }),
        Call::CreateCampaign(_) => at.campaign(outcome).map(|campaign| {
            Answer::CreateCampaign(pb::CreateCampaignResponse {
                campaign: Some(campaign),
                position,
            })
        }),
        Call::UpdateCampaign(_) => at.campaign(outcome).map(|campaign| {
            Answer::UpdateCampaign(pb::UpdateCampaignResponse {
                campaign: Some(campaign),
                position,
            })
        }),
        Call::ScheduleCampaign(_) => at.campaign(outcome).map(|campaign| {
            Answer::ScheduleCampaign(pb::ScheduleCampaignResponse {
                campaign: Some(campaign),
                position,
            })
        }),
        Call::LaunchCampaign(_) => at.campaign(outcome).map(|campaign| {
            Answer::LaunchCampaign(pb::LaunchCampaignResponse {
                campaign: Some(campaign),
                position,
            })
        }),
        Call::PauseCampaign(_) => at.campaign(outcome).map(|campaign| {
            Answer::PauseCampaign(pb::PauseCampaignResponse { campaign: Some(campaign), position })
        }),
        Call::ResumeCampaign(_) => at.campaign(outcome).map(|campaign| {
            Answer::ResumeCampaign(pb::ResumeCampaignResponse {
                campaign: Some(campaign),
                position,
            })
        }),
        Call::CancelCampaign(_) => at.campaign(outcome).map(|campaign| {
            Answer::CancelCampaign(pb::CancelCampaignResponse {
                campaign: Some(campaign),
                position,
            })
        }),
        Call::CreateTeam(_) => at
            .team(outcome)
            .map(|team| Answer::CreateTeam(pb::CreateTeamResponse { team: Some(team), position })),
        Call::UpdateTeam(_) => at
            .team(outcome)
            .map(|team| Answer::UpdateTeam(pb::UpdateTeamResponse { team: Some(team), position })),
        Call::CreateToken(_) => at.token(outcome).map(|token| {
            Answer::CreateToken(pb::CreateTokenResponse { token: Some(token), position })
        }),
        Call::UpdateToken(_) => at.token(outcome).map(|token| {
            Answer::UpdateToken(pb::UpdateTokenResponse { token: Some(token), position })
        }),
        Call::AcceptAssignment(_) => at.assignment(outcome).map(|assignment| {
            Answer::AcceptAssignment(pb::AcceptAssignmentResponse {
                assignment: Some(assignment),
                position,
            })
        }),
        Call::RejectAssignment(_) => at.assignment(outcome).map(|assignment| {
            Answer::RejectAssignment(pb::RejectAssignmentResponse {
                assignment: Some(assignment),
                position,
            })
        }),
        Call::ClaimAssignment(_) => at.assignment(outcome).map(|assignment| {
            Answer::ClaimAssignment(pb::ClaimAssignmentResponse {
                assignment: Some(assignment),
                position,
            })
        }),
        Call::ReassignAssignment(_) => at.assignment(outcome).map(|assignment| {
            Answer::ReassignAssignment(pb::ReassignAssignmentResponse {
                assignment: Some(assignment),
                position,
            })
        }),
        Call::UnassignAssignment(_) => at.assignment(outcome).map(|assignment| {
            Answer::UnassignAssignment(pb::UnassignAssignmentResponse {
                assignment: Some(assignment),
                position,
            })
        }),
        Call::CloseAssignment(_) => at.assignment(outcome).map(|assignment| {
            Answer::CloseAssignment(pb::CloseAssignmentResponse {
                assignment: Some(assignment),
                position,
            })
        }),
        Call::CancelAssignment(_) => at.assignment(outcome).map(|assignment| {
            Answer::CancelAssignment(pb::CancelAssignmentResponse {
                assignment: Some(assignment),
                position,
            })
        }),
        Call::DeleteRep(_) => {
            at.deleted(&outcome).then_some(Answer::DeleteRep(pb::DeleteRepResponse { position }))
        }
        Call::DeleteGroup(_) => at
            .deleted(&outcome)
            .then_some(Answer::DeleteGroup(pb::DeleteGroupResponse { position })),
        Call::DeleteRoutingRule(_) => at
            .deleted(&outcome)
            .then_some(Answer::DeleteRoutingRule(pb::DeleteRoutingRuleResponse { position })),
        Call::DeleteCampaign(_) => at
            .deleted(&outcome)
            .then_some(Answer::DeleteCampaign(pb::DeleteCampaignResponse { position })),
        Call::DeleteTeam(_) => {
            at.deleted(&outcome).then_some(Answer::DeleteTeam(pb::DeleteTeamResponse { position }))
        }
        Call::DeleteToken(_) => at
            .deleted(&outcome)
            .then_some(Answer::DeleteToken(pb::DeleteTokenResponse { position })),
    };
    answer.ok_or_else(|| {
        tracing::error!(%team, "the reply is of another kind than the call");
        status::internal()
    })
}

/// What every answer is made of; each method gives `None` for an outcome of another kind.
///
/// What was only tried out has no place in the log, and so no etag and no name made of one.
#[derive(Clone, Copy)]
struct Parts<'a> {
    team: &'a TeamId,
    position: Option<pb::LogPosition>,
    now: Time,
}

impl Parts<'_> {
    fn assigned(self, outcome: Outcome) -> Option<pb::AssignContactResponse> {
        let Outcome::Assigned(assigned) = outcome else { return None };
        let is_there = assigned.existing;
        Some(self.response(assigned, is_there))
    }

    fn batch(self, outcome: Outcome) -> Option<pb::BatchAssignContactsResponse> {
        let Outcome::Batch(items) = outcome else { return None };
        // One that a later item finds existing may have been made by an earlier one.
        let made: HashSet<AssignmentId> =
            items.iter().filter(|item| !item.existing).map(|item| item.assignment.id).collect();
        let response = |item: Assigned| {
            let is_there = !made.contains(&item.assignment.id);
            self.response(item, is_there)
        };
        let responses = items.into_iter().map(response).collect();
        let mut batch = pb::BatchAssignContactsResponse { responses, position: self.position };
        shed(&mut batch);
        Some(batch)
    }

    fn response(self, assigned: Assigned, is_there: bool) -> pb::AssignContactResponse {
        let Assigned { assignment, existing } = assigned;
        let assignment = Some(self.an_assignment(&assignment, is_there));
        pb::AssignContactResponse { assignment, existing, position: self.position }
    }

    fn assignment(self, outcome: Outcome) -> Option<pb::Assignment> {
        let Outcome::Assignment(assignment) = outcome else { return None };
        Some(self.an_assignment(&assignment, true))
    }

    /// `is_there`: it was made before the call.
    fn an_assignment(self, assignment: &Assignment, is_there: bool) -> pb::Assignment {
        let mut sent = convert::assignment(self.team, assignment);
        if self.position.is_none() {
            let made = sent.position.take();
            for step in sent.history.iter_mut().filter(|step| step.position == made) {
                step.position = None;
            }
            let made = made.map_or(0, |made| made.log_index);
            for decision in sent.decision.iter_mut().filter(|found| found.log_index == made) {
                decision.log_index = 0;
            }
            if !is_there {
                sent.name.clear();
            }
        }
        sent
    }

    fn rep(self, outcome: Outcome) -> Option<pb::Rep> {
        let Outcome::Rep(rep) = outcome else { return None };
        let mut sent = convert::rep(self.team, rep, self.now);
        self.seal(&mut sent.etag);
        Some(sent)
    }

    fn group(self, outcome: Outcome) -> Option<pb::Group> {
        let mut sent = if let Outcome::LargeGroup { group, member_count } = outcome {
            pb::Group { member_count, ..convert::group(self.team, group) }
        } else if let Outcome::Group(group) = outcome {
            convert::group(self.team, group)
        } else {
            return None;
        };
        self.seal(&mut sent.etag);
        Some(sent)
    }

    fn rotation(self, outcome: Outcome) -> Option<pb::Rotation> {
        let Outcome::Rotation(rotation) = outcome else { return None };
        let log_index = self.position.map_or(0, |position| position.log_index);
        Some(convert::rotation(self.team, rotation, log_index))
    }

    fn rule(self, outcome: Outcome) -> Option<pb::RoutingRule> {
        let Outcome::Rule(rule) = outcome else { return None };
        let mut sent = convert::rule(self.team, rule);
        self.seal(&mut sent.etag);
        Some(sent)
    }

    fn campaign(self, outcome: Outcome) -> Option<pb::Campaign> {
        let Outcome::Campaign(campaign, warnings) = outcome else { return None };
        let mut sent = convert::campaign(self.team, campaign, &warnings);
        self.seal(&mut sent.etag);
        Some(sent)
    }

    fn team(self, outcome: Outcome) -> Option<pb::Team> {
        let Outcome::Team(team) = outcome else { return None };
        let mut sent = convert::team(team);
        self.seal(&mut sent.etag);
        Some(sent)
    }

    fn token(self, outcome: Outcome) -> Option<pb::Token> {
        let Outcome::Token(token) = outcome else { return None };
        let mut sent = convert::token(self.team, token);
        self.seal(&mut sent.etag);
        Some(sent)
    }

    fn deleted(self, outcome: &Outcome) -> bool {
        *outcome == Outcome::Deleted
    }

    fn seal(self, etag: &mut String) {
        if self.position.is_none() {
            etag.clear();
        }
    }
}

/// Leaves out of a batch what is longest, if it would not fit an answer: it took effect all the same.
fn shed(batch: &mut pb::BatchAssignContactsResponse) {
    let assignments = |batch: &mut pb::BatchAssignContactsResponse,
                       leave_out: fn(&mut pb::Assignment)| {
        batch.responses.iter_mut().filter_map(|r| r.assignment.as_mut()).for_each(leave_out);
    };
    if batch.encoded_len() > BATCH_ANSWER_LEN_MAX {
        assignments(batch, |a| {
            a.decision = None;
            a.history.clear();
        });
    }
    if batch.encoded_len() > BATCH_ANSWER_LEN_MAX {
        assignments(batch, |a| {
            if let Some(option) = a.option.as_mut() {
                option.payload.clear();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(of: impl Fn() -> pb::Assignment) -> pb::BatchAssignContactsResponse {
        let response =
            || pb::AssignContactResponse { assignment: Some(of()), ..Default::default() };
        pb::BatchAssignContactsResponse {
            responses: (0..1_000).map(|_| response()).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn a_batch_that_would_not_fit_an_answer_leaves_out_what_is_longest() {
        let explained = |len: usize| {
            let step = pb::HistoryEntry { principal: "x".repeat(len), ..Default::default() };
            let option = pb::AssignedOption { payload: "p".repeat(3_000), ..Default::default() };
            pb::Assignment {
                history: vec![step],
                decision: Some(pb::Decision::default()),
                option: Some(option),
                ..Default::default()
            }
        };
        let mut short = batch(|| explained(100));
        let whole = short.clone();
        shed(&mut short);
        assert_eq!(short, whole);

        let mut long = batch(|| explained(3_000));
        shed(&mut long);
        assert!(long.encoded_len() <= BATCH_ANSWER_LEN_MAX);
        let first = long.responses[0].assignment.as_ref().unwrap();
        assert_eq!((first.history.len(), &first.decision), (0, &None));
        assert_eq!(first.option.as_ref().unwrap().payload.len(), 3_000);

        let of_4_kib = || {
            let option = pb::AssignedOption { payload: "p".repeat(4_300), ..Default::default() };
            pb::Assignment { option: Some(option), ..Default::default() }
        };
        let mut longest = batch(of_4_kib);
        shed(&mut longest);
        assert!(longest.encoded_len() <= BATCH_ANSWER_LEN_MAX);
    }
}
