//! Changes of campaigns.

use crate::{
    api::{
        instant, names, text,
        violations::{Violations, Wrong},
    },
    proto::turnwise::v1 as pb,
    routing::{CampaignId, Operation, Route, TeamId},
};

use super::{
    draft::{Common, Draft, Mask},
    targets::targets,
};

pub(super) fn create(r: &pb::CreateCampaignRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let none = pb::Campaign::default();
    let written = r.campaign.as_ref().unwrap_or(&none);
    let team = wrong.take("parent", names::team(&r.parent));
    let campaign = wrong.take("campaign_id", names::new_campaign(&r.campaign_id));
    let display_name =
        wrong.take("campaign.display_name", text::display_name(&written.display_name));
    let labels = text::labels(&mut wrong, "campaign.labels", &written.labels);
    let route = route(&mut wrong, team.as_ref(), written.targets.as_ref(), &written.routing_rule);
    let common = Common::take(&mut wrong, &r.request_id, r.validate_only);
    wrong.finish((|| {
        let (campaign, display_name, route) = (campaign?, display_name?, route?);
        let operation = Operation::CreateCampaign { campaign, display_name, labels, route };
        Some(common?.draft(team?, operation))
    })())
}

pub(super) fn update(r: &pb::UpdateCampaignRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let none = pb::Campaign::default();
    let written = r.campaign.as_ref().unwrap_or(&none);
    let named = wrong.take("campaign.name", names::campaign(&written.name));
    let team = named.as_ref().map(|(team, _)| team);
    let mask = Mask::read(
        &mut wrong,
        r.update_mask.as_ref(),
        &[
            ("display_name", !written.display_name.is_empty()),
            ("targets", written.targets.is_some()),
            ("routing_rule", !written.routing_rule.is_empty()),
            ("labels", !written.labels.is_empty()),
        ],
    );
    let display_name = mask
        .has("display_name")
        .then(|| wrong.take("campaign.display_name", text::display_name(&written.display_name)));
    let labels =
        mask.has("labels").then(|| text::labels(&mut wrong, "campaign.labels", &written.labels));
    let (by_targets, by_rule) = (mask.has("targets"), mask.has("routing_rule"));
    // What the mask leaves out does not take part: one of the two replaces the other.
    let targets = written.targets.as_ref().filter(|_| by_targets);
    let rule = if by_rule { written.routing_rule.as_str() } else { "" };
    let route = (by_targets || by_rule).then(|| route(&mut wrong, team, targets, rule));
    let common = Common::with_etag(&mut wrong, &r.request_id, &r.etag, r.validate_only);
    wrong.finish((|| {
        let (team, campaign) = named?;
        let operation = Operation::UpdateCampaign {
            campaign,
            display_name: display_name.flatten(),
            labels,
            route: route.flatten(),
        };
        Some(common?.draft(team, operation))
    })())
}

pub(super) fn delete(r: &pb::DeleteCampaignRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let common = Common::with_etag(&mut wrong, &r.request_id, &r.etag, r.validate_only);
    let allow_missing = r.allow_missing;
    step(wrong, &r.name, common, |campaign| Operation::DeleteCampaign { campaign, allow_missing })
}

pub(super) fn schedule(r: &pb::ScheduleCampaignRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let common = Common::with_etag(&mut wrong, &r.request_id, &r.etag, r.validate_only);
    let launch_time = r.launch_time.as_ref();
    let launch_time = launch_time.and_then(|t| wrong.take("launch_time", instant::time(t)));
    step(wrong, &r.name, common, |campaign| Operation::ScheduleCampaign { campaign, launch_time })
}

pub(super) fn launch(r: &pb::LaunchCampaignRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let common = Common::with_etag(&mut wrong, &r.request_id, &r.etag, r.validate_only);
    step(wrong, &r.name, common, |campaign| Operation::LaunchCampaign { campaign })
}

pub(super) fn pause(r: &pb::PauseCampaignRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let common = Common::with_etag(&mut wrong, &r.request_id, &r.etag, r.validate_only);
    step(wrong, &r.name, common, |campaign| Operation::PauseCampaign { campaign })
}

pub(super) fn resume(r: &pb::ResumeCampaignRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let common = Common::with_etag(&mut wrong, &r.request_id, &r.etag, r.validate_only);
    step(wrong, &r.name, common, |campaign| Operation::ResumeCampaign { campaign })
}

pub(super) fn cancel(r: &pb::CancelCampaignRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let common = Common::with_etag(&mut wrong, &r.request_id, &r.etag, r.validate_only);
    step(wrong, &r.name, common, |campaign| Operation::CancelCampaign { campaign })
}

fn step(
    mut wrong: Violations,
    name: &str,
    common: Option<Common>,
    operation: impl FnOnce(CampaignId) -> Operation,
) -> Result<Draft, Violations> {
    let named = wrong.take("name", names::campaign(name));
    wrong.finish((|| {
        let (team, campaign) = named?;
        Some(common?.draft(team, operation(campaign)))
    })())
}

/// By targets of its own, by a rule, or by the team's default.
fn route(
    wrong: &mut Violations,
    team: Option<&TeamId>,
    written: Option<&pb::TargetList>,
    rule: &str,
) -> Option<Route> {
    const RULE: &str = "campaign.routing_rule";
    match (written, rule) {
        (None, "") => Some(Route::Default),
        (None, rule) => {
            let rule = names::rule(rule).and_then(|named| names::within(team, named));
            wrong.take(RULE, rule).map(Route::Rule)
        }
        (Some(list), "") => {
            let targets = targets(wrong, "campaign.targets.targets", team, &list.targets);
            Some(Route::Targets(targets))
        }
        (Some(_), _) => {
            wrong.add(RULE, Wrong::new("a campaign has a rule or targets of its own, not both"));
            None
        }
    }
}
