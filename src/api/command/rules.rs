//! Changes of routing rules.

use crate::{
    api::{names, text, violations::Violations},
    proto::turnwise::v1::{
        CreateRoutingRuleRequest, DeleteRoutingRuleRequest, RoutingRule, UpdateRoutingRuleRequest,
    },
    routing::Operation,
};

use super::{
    draft::{Common, Draft, Mask},
    targets::targets,
};

pub(super) fn create(r: &CreateRoutingRuleRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let none = RoutingRule::default();
    let written = r.routing_rule.as_ref().unwrap_or(&none);
    let team = wrong.take("parent", names::team(&r.parent));
    let rule = wrong.take("routing_rule_id", names::id(&r.routing_rule_id));
    let name = text::rule_name(&written.display_name);
    let display_name = wrong.take("routing_rule.display_name", name);
    let labels = text::labels(&mut wrong, "routing_rule.labels", &written.labels);
    let targets = targets(&mut wrong, "routing_rule.targets", team.as_ref(), &written.targets);
    let common = Common::take(&mut wrong, &r.request_id, r.validate_only);
    wrong.finish((|| {
        let (rule, display_name) = (rule?, display_name?);
        let operation = Operation::CreateRule { rule, display_name, labels, targets };
        Some(common?.draft(team?, operation))
    })())
}

pub(super) fn update(r: &UpdateRoutingRuleRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let none = RoutingRule::default();
    let written = r.routing_rule.as_ref().unwrap_or(&none);
    let named = wrong.take("routing_rule.name", names::rule(&written.name));
    let team = named.as_ref().map(|(team, _)| team);
    let mask = Mask::read(
        &mut wrong,
        r.update_mask.as_ref(),
        &[
            ("display_name", !written.display_name.is_empty()),
            ("targets", !written.targets.is_empty()),
            ("labels", !written.labels.is_empty()),
        ],
    );
    let display_name = mask.has("display_name").then(|| {
        let name = text::rule_name(&written.display_name);
        wrong.take("routing_rule.display_name", name)
    });
    let targets = mask
        .has("targets")
        .then(|| targets(&mut wrong, "routing_rule.targets", team, &written.targets));
    let labels = mask
        .has("labels")
        .then(|| text::labels(&mut wrong, "routing_rule.labels", &written.labels));
    let common = Common::with_etag(&mut wrong, &r.request_id, &r.etag, r.validate_only);
    wrong.finish((|| {
        let (team, rule) = named?;
        let display_name = display_name.flatten();
        let operation = Operation::UpdateRule { rule, display_name, labels, targets };
        Some(common?.draft(team, operation))
    })())
}

pub(super) fn delete(r: &DeleteRoutingRuleRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let named = wrong.take("name", names::rule(&r.name));
    let common = Common::with_etag(&mut wrong, &r.request_id, &r.etag, r.validate_only);
    wrong.finish((|| {
        let (team, rule) = named?;
        let operation = Operation::DeleteRule { rule, allow_missing: r.allow_missing };
        Some(common?.draft(team, operation))
    })())
}
