//! Resource names of the API from the ids that people type, and back.

/// `teams/{team}`.
pub(crate) fn team(team: &str) -> String {
    format!("teams/{team}")
}

/// `teams/{team}/reps/{rep}`.
pub(crate) fn rep(team: &str, rep: &str) -> String {
    format!("teams/{team}/reps/{rep}")
}

/// `teams/{team}/groups/{group}`.
pub(crate) fn group(team: &str, group: &str) -> String {
    format!("teams/{team}/groups/{group}")
}

/// `teams/{team}/campaigns/{campaign}`.
pub(crate) fn campaign(team: &str, campaign: &str) -> String {
    format!("teams/{team}/campaigns/{campaign}")
}

/// `teams/{team}/routingRules/{rule}`.
pub(crate) fn rule(team: &str, rule: &str) -> String {
    format!("teams/{team}/routingRules/{rule}")
}

/// `teams/{team}/tokens/{token}`.
pub(crate) fn token(team: &str, token: &str) -> String {
    format!("teams/{team}/tokens/{token}")
}

/// `teams/{team}/assignments/{assignment}`.
pub(crate) fn assignment(team: &str, assignment: &str) -> String {
    format!("teams/{team}/assignments/{assignment}")
}

/// `teams/{team}/groups/{group}/rotations/{campaign}`; without a campaign, `-` in its place.
pub(crate) fn rotation(team: &str, group: &str, campaign: Option<&str>) -> String {
    format!("teams/{team}/groups/{group}/rotations/{}", campaign.unwrap_or("-"))
}

/// The last id of a name: `ana` of `teams/sales/reps/ana`. Empty of an empty name.
pub(crate) fn id(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
