//! Changes of campaigns.

use std::collections::BTreeSet;

use prost_types::FieldMask;

use crate::{
    api::{
        convert::owner_kind,
        names, text,
        violations::{Violations, Wrong},
    },
    proto::turnwise::v1::{self as pb, target::Kind},
    routing::{CampaignId, Operation, OwnerKind, Target, TargetKind, TeamId, limits::TARGETS_MAX},
};

use super::call::Draft;

pub(super) fn create(r: &pb::CreateCampaignRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let none = pb::Campaign::default();
    let written = r.campaign.as_ref().unwrap_or(&none);
    let team = wrong.take("parent", names::team(&r.parent));
    let campaign = wrong.take("campaign_id", names::new_campaign(&r.campaign_id));
    let display_name =
        wrong.take("campaign.display_name", text::display_name(&written.display_name));
    let targets = targets(&mut wrong, team.as_ref(), written.targets.as_ref());
    let request_id = wrong.take("request_id", names::request_id(&r.request_id));
    wrong.finish((|| {
        Some(Draft {
            team: team?,
            request_id: request_id?,
            operation: Operation::CreateCampaign {
                campaign: campaign?,
                display_name: display_name?,
                targets,
            },
        })
    })())
}

pub(super) fn update(r: &pb::UpdateCampaignRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let none = pb::Campaign::default();
    let written = r.campaign.as_ref().unwrap_or(&none);
    let named = wrong.take("campaign.name", names::campaign(&written.name));
    let mask = mask(&mut wrong, r.update_mask.as_ref(), written);
    let display_name = mask
        .display_name
        .then(|| wrong.take("campaign.display_name", text::display_name(&written.display_name)));
    let team = named.as_ref().map(|(team, _)| team);
    let targets = mask.targets.then(|| targets(&mut wrong, team, written.targets.as_ref()));
    let request_id = wrong.take("request_id", names::request_id(&r.request_id));
    wrong.finish((|| {
        let (team, campaign) = named?;
        let display_name = match display_name {
            Some(checked) => Some(checked?),
            None => None,
        };
        let operation = Operation::UpdateCampaign { campaign, targets, display_name };
        Some(Draft { team, request_id: request_id?, operation })
    })())
}

pub(super) fn launch(r: &pb::LaunchCampaignRequest) -> Result<Draft, Violations> {
    step(&r.name, &r.request_id, |campaign| Operation::LaunchCampaign { campaign })
}

pub(super) fn pause(r: &pb::PauseCampaignRequest) -> Result<Draft, Violations> {
    step(&r.name, &r.request_id, |campaign| Operation::PauseCampaign { campaign })
}

pub(super) fn resume(r: &pb::ResumeCampaignRequest) -> Result<Draft, Violations> {
    step(&r.name, &r.request_id, |campaign| Operation::ResumeCampaign { campaign })
}

pub(super) fn cancel(r: &pb::CancelCampaignRequest) -> Result<Draft, Violations> {
    step(&r.name, &r.request_id, |campaign| Operation::CancelCampaign { campaign })
}

fn step(
    name: &str,
    request_id: &str,
    operation: impl FnOnce(CampaignId) -> Operation,
) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let named = wrong.take("name", names::campaign(name));
    let request_id = wrong.take("request_id", names::request_id(request_id));
    wrong.finish((|| {
        let (team, campaign) = named?;
        Some(Draft { team, request_id: request_id?, operation: operation(campaign) })
    })())
}

struct Mask {
    display_name: bool,
    targets: bool,
}

/// Which fields to change; without a mask those that are set (AIP-134).
fn mask(wrong: &mut Violations, mask: Option<&FieldMask>, written: &pb::Campaign) -> Mask {
    const FIELD: &str = "update_mask";
    let mut fields = Mask { display_name: false, targets: false };
    let paths = mask.map_or([].as_slice(), |mask| &mask.paths);
    for path in paths {
        match path.as_str() {
            "display_name" => fields.display_name = true,
            "targets" => fields.targets = true,
            "*" => fields = Mask { display_name: true, targets: true },
            _ => wrong.add(FIELD, Wrong::new("the fields are `display_name` and `targets`")),
        }
    }
    if paths.is_empty() {
        fields.display_name = !written.display_name.is_empty();
        fields.targets = written.targets.is_some();
        if !fields.display_name && !fields.targets {
            wrong.add(FIELD, Wrong::new("name a field to change, or set one"));
        }
    }
    fields
}

fn targets(
    wrong: &mut Violations,
    team: Option<&TeamId>,
    written: Option<&pb::TargetList>,
) -> Option<Vec<Target>> {
    const FIELD: &str = "campaign.targets.targets";
    let written = &written?.targets;
    if written.len() > TARGETS_MAX {
        wrong.add(FIELD, Wrong::new(format!("at most {TARGETS_MAX}")));
        return None;
    }
    let mut targets = Vec::with_capacity(written.len());
    for (i, target) in written.iter().enumerate() {
        let at = format!("{FIELD}[{i}]");
        let kind = match &target.kind {
            None => wrong.take(at, Err(Wrong::new("one of `owner`, `group`, `rep`"))),
            Some(Kind::Owner(owner)) => {
                Some(TargetKind::Owner(owner_kinds(wrong, &format!("{at}.owner.kinds"), owner)))
            }
            Some(Kind::Group(name)) => {
                let group = names::group(name).and_then(|named| names::within(team, named));
                wrong.take(format!("{at}.group"), group).map(TargetKind::Group)
            }
            Some(Kind::Rep(name)) => {
                let rep = names::rep(name).and_then(|named| names::within(team, named));
                wrong.take(format!("{at}.rep"), rep).map(TargetKind::Rep)
            }
        };
        let include_unavailable = target.include_unavailable;
        targets.extend(kind.map(|kind| Target { kind, include_unavailable }));
    }
    Some(targets)
}

fn owner_kinds(wrong: &mut Violations, field: &str, owner: &pb::OwnerTarget) -> Vec<OwnerKind> {
    if owner.kinds.is_empty() {
        return vec![OwnerKind::Contact, OwnerKind::Lead, OwnerKind::Account];
    }
    let mut kinds = Vec::new();
    let mut seen = BTreeSet::new();
    for (i, kind) in owner.kinds.iter().enumerate() {
        let at = format!("{field}[{i}]");
        let Some(kind) = wrong.take(&at, owner_kind(*kind)) else { continue };
        if !seen.insert(kind) {
            wrong.add(at, Wrong::new("each kind once"));
            // Only as many kinds exist as can be listed; the rest would repeat this.
            break;
        }
        kinds.push(kind);
    }
    kinds
}
