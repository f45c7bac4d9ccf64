//! Changes of teams.

use crate::{
    api::{names, text, violations::Violations},
    proto::turnwise::v1::{CreateTeamRequest, Team},
    routing::Operation,
};

use super::call::Draft;

pub(super) fn create(r: &CreateTeamRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let none = Team::default();
    let written = r.team.as_ref().unwrap_or(&none);
    let team = wrong.take("team_id", names::id(&r.team_id));
    let display_name = wrong.take("team.display_name", text::display_name(&written.display_name));
    let request_id = wrong.take("request_id", names::request_id(&r.request_id));
    wrong.finish((|| {
        Some(Draft {
            team: team?,
            request_id: request_id?,
            operation: Operation::CreateTeam { display_name: display_name? },
        })
    })())
}
