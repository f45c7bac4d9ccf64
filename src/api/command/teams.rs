//! Changes of teams.

use crate::{
    api::{
        names, text,
        violations::{Violations, Wrong},
    },
    proto::turnwise::v1::{CreateTeamRequest, DeleteTeamRequest, Team, UpdateTeamRequest},
    routing::{Operation, TeamChange},
};

use super::draft::{Common, Draft, Mask};

pub(super) fn create(r: &CreateTeamRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let none = Team::default();
    let written = r.team.as_ref().unwrap_or(&none);
    let team = wrong.take("team_id", names::id(&r.team_id));
    let display_name = wrong.take("team.display_name", text::display_name(&written.display_name));
    let labels = text::labels(&mut wrong, "team.labels", &written.labels);
    let time_zone = wrong.take("team.time_zone", time_zone(&written.time_zone));
    if !written.default_rule.is_empty() {
        wrong.add("team.default_rule", Wrong::new("a new team has no rules; update it later"));
    }
    let common = Common::take(&mut wrong, &r.request_id, r.validate_only);
    wrong.finish((|| {
        let (display_name, time_zone) = (display_name?, time_zone?);
        let operation = Operation::CreateTeam { display_name, labels, time_zone };
        Some(common?.draft(team?, operation))
    })())
}

pub(super) fn update(r: &UpdateTeamRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let none = Team::default();
    let written = r.team.as_ref().unwrap_or(&none);
    let team = wrong.take("team.name", names::team(&written.name));
    let mask = Mask::read(
        &mut wrong,
        r.update_mask.as_ref(),
        &[
            ("display_name", !written.display_name.is_empty()),
            ("default_rule", !written.default_rule.is_empty()),
            ("time_zone", !written.time_zone.is_empty()),
            ("labels", !written.labels.is_empty()),
        ],
    );
    let mut change = TeamChange::default();
    if mask.has("display_name") {
        let name = text::display_name(&written.display_name);
        change.display_name = wrong.take("team.display_name", name);
    }
    if mask.has("labels") {
        change.labels = Some(text::labels(&mut wrong, "team.labels", &written.labels));
    }
    if mask.has("time_zone") {
        change.time_zone = wrong.take("team.time_zone", time_zone(&written.time_zone));
    }
    if mask.has("default_rule") {
        change.default_rule = if written.default_rule.is_empty() {
            Some(None)
        } else {
            let rule = names::rule(&written.default_rule);
            let rule = rule.and_then(|named| names::within(team.as_ref(), named));
            wrong.take("team.default_rule", rule).map(Some)
        };
    }
    let common = Common::with_etag(&mut wrong, &r.request_id, &r.etag, r.validate_only);
    wrong.finish((|| Some(common?.draft(team?, Operation::UpdateTeam { change })))())
}

pub(super) fn delete(r: &DeleteTeamRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let team = wrong.take("name", names::team(&r.name));
    let common = Common::with_etag(&mut wrong, &r.request_id, &r.etag, r.validate_only);
    let operation = Operation::DeleteTeam { allow_missing: r.allow_missing };
    wrong.finish((|| Some(common?.draft(team?, operation)))())
}

/// Empty = not said.
fn time_zone(text: &str) -> Result<String, Wrong> {
    if text.is_empty() { Ok(String::new()) } else { text::time_zone(text) }
}
