//! The calls that decide whose turn it is, and the one that only tells.

use std::collections::BTreeSet;

use crate::{
    api::{
        convert::{owner_kind, owner_type},
        limits::{PREVIEW_CHANGES_MAX, PREVIEW_COUNT_MAX},
        names, paging, text,
        violations::{Violations, Wrong},
    },
    proto::turnwise::v1::{
        self as pb, assign_contact_request, campaign_retarget, hypothetical_change,
    },
    routing::{
        Assign, ContactId, Labels, Operation, OwnerKind, OwnerRef, OwnerType, Preview, Route,
        TeamId, Via, kind, limits::BATCH_MAX,
    },
};

use super::{
    draft::{Common, Draft},
    members, targets,
};

/// Stands in a preview for a contact never seen. Ids have no spaces, so it is nobody's.
const NEVER_SEEN: &str = "a contact never seen";

pub(super) fn one(r: &pb::AssignContactRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let team = wrong.take("parent", names::team(&r.parent));
    let contact = wrong.take("contact", names::contact(&r.contact));
    let rest = assign(&mut wrong, "", team.as_ref(), r);
    let common = Common::take(&mut wrong, &r.request_id, r.validate_only);
    wrong.finish((|| {
        let operation = Operation::AssignContact(rest?.of(contact?));
        Some(common?.draft(team?, operation))
    })())
}

pub(super) fn batch(r: &pb::BatchAssignContactsRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let team = wrong.take("parent", names::team(&r.parent));
    if r.requests.is_empty() {
        wrong.add("requests", Wrong::new("at least one"));
    }
    let mut items = Vec::with_capacity(r.requests.len().min(BATCH_MAX));
    if r.requests.len() > BATCH_MAX {
        wrong.add("requests", Wrong::new(format!("at most {BATCH_MAX}")));
    } else {
        for (i, item) in r.requests.iter().enumerate() {
            items.extend(batch_item(&mut wrong, &format!("requests[{i}]."), team.as_ref(), item));
        }
    }
    let common = Common::take(&mut wrong, &r.request_id, r.validate_only);
    wrong.finish((|| Some(common?.draft(team?, Operation::AssignBatch { items })))())
}

fn batch_item(
    wrong: &mut Violations,
    at: &str,
    team: Option<&TeamId>,
    item: &pb::AssignContactRequest,
) -> Option<Assign> {
    if !item.parent.is_empty() {
        let parent = names::team(&item.parent);
        let parent = parent.and_then(|parent| names::within(team, (parent, ())));
        wrong.take(format!("{at}parent"), parent);
    }
    if !item.request_id.is_empty() {
        wrong.add(format!("{at}request_id"), Wrong::new("one for the batch, none for its items"));
    }
    if item.validate_only {
        wrong.add(format!("{at}validate_only"), Wrong::new("for the batch, not for its items"));
    }
    let contact = wrong.take(format!("{at}contact"), names::contact(&item.contact));
    let rest = assign(wrong, at, team, item);
    Some(rest?.of(contact?))
}

/// A preview that was read.
#[derive(Debug)]
pub(in crate::api) struct CheckedPreview {
    pub(in crate::api) team: TeamId,
    pub(in crate::api) preview: Preview,
    /// The first pick is for a contact that the caller named.
    pub(in crate::api) is_named: bool,
}

/// Reads the call that tells who would be next.
///
/// # Errors
/// Every field that is wrong.
pub(in crate::api) fn preview(
    r: &pb::PreviewAssignContactRequest,
) -> Result<CheckedPreview, Violations> {
    let mut wrong = Violations::default();
    let none = pb::AssignContactRequest::default();
    let request = r.request.as_ref().unwrap_or(&none);
    let team = wrong.take("request.parent", names::team(&request.parent));
    let is_named = !request.contact.is_empty();
    let contact = if is_named {
        wrong.take("request.contact", names::contact(&request.contact))
    } else {
        Some(ContactId::new(NEVER_SEEN))
    };
    let assign = assign(&mut wrong, "request.", team.as_ref(), request);
    if !request.request_id.is_empty() {
        wrong.add("request.request_id", Wrong::new("a preview is not remembered; leave it out"));
    }
    if request.validate_only {
        wrong.add("request.validate_only", Wrong::new("a preview changes nothing; leave it out"));
    }
    let count = wrong.take("count", paging::count(r.count, 1, PREVIEW_COUNT_MAX));
    let mut changes = Vec::new();
    if r.changes.len() > PREVIEW_CHANGES_MAX {
        wrong.add("changes", Wrong::new(format!("at most {PREVIEW_CHANGES_MAX}")));
    } else {
        for (i, change) in r.changes.iter().enumerate() {
            changes.extend(supposed(&mut wrong, &format!("changes[{i}]"), team.as_ref(), change));
        }
    }
    wrong.finish((|| {
        let preview = Preview { changes, assign: assign?.of(contact?), count: count? };
        Some(CheckedPreview { team: team?, preview, is_named })
    })())
}

/// A supposed change as the operation that would make it.
fn supposed(
    wrong: &mut Violations,
    at: &str,
    team: Option<&TeamId>,
    written: &pb::HypotheticalChange,
) -> Option<Operation> {
    use hypothetical_change::Change;
    match &written.change {
        None => {
            let one = "one of `rep_out_of_office`, `group_member_added`, `campaign_retargeted`";
            wrong.take(at, Err(Wrong::new(one)))
        }
        Some(Change::RepOutOfOffice(name)) => {
            let rep = names::rep(name).and_then(|named| names::within(team, named));
            let rep = wrong.take(format!("{at}.rep_out_of_office"), rep)?;
            let (start, end, note) = (None, None, String::new());
            Some(Operation::SetOutOfOffice { rep, start, end, note })
        }
        Some(Change::GroupMemberAdded(pb::GroupMemberAddition { group, member })) => {
            let at = format!("{at}.group_member_added");
            let group = names::group(group).and_then(|named| names::within(team, named));
            let group = wrong.take(format!("{at}.group"), group);
            let none = pb::GroupMember::default();
            let member = member.as_ref().unwrap_or(&none);
            let member = members::member_spec(wrong, &format!("{at}.member"), team, member);
            Some(Operation::AddGroupMembers { group: group?, members: vec![member?] })
        }
        Some(Change::CampaignRetargeted(pb::CampaignRetarget { campaign, by })) => {
            let at = format!("{at}.campaign_retargeted");
            let campaign = names::campaign(campaign).and_then(|named| names::within(team, named));
            let campaign = wrong.take(format!("{at}.campaign"), campaign);
            let route = match by {
                None => Some(Route::Default),
                Some(campaign_retarget::By::RoutingRule(name)) => {
                    let rule = names::rule(name).and_then(|named| names::within(team, named));
                    wrong.take(format!("{at}.routing_rule"), rule).map(Route::Rule)
                }
                Some(campaign_retarget::By::Targets(list)) => {
                    let field = format!("{at}.targets.targets");
                    let targets = targets::targets(wrong, &field, team, &list.targets);
                    Some(Route::Targets(targets))
                }
            };
            let (display_name, labels) = (None, None);
            let (campaign, route) = (campaign?, Some(route?));
            Some(Operation::UpdateCampaign { campaign, display_name, labels, route })
        }
    }
}

/// All of an assign but the contact, which a preview may leave out.
struct WithoutContact {
    via: Via,
    owners: Vec<OwnerRef>,
    prefer_last_rep: bool,
    priority: i32,
    labels: Labels,
}

impl WithoutContact {
    fn of(self, contact: ContactId) -> Assign {
        let Self { via, owners, prefer_last_rep, priority, labels } = self;
        Assign { contact, via, owners, prefer_last_rep, priority, labels }
    }
}

/// `at` is the path of the request, with its dot.
fn assign(
    wrong: &mut Violations,
    at: &str,
    team: Option<&TeamId>,
    r: &pb::AssignContactRequest,
) -> Option<WithoutContact> {
    use assign_contact_request::Via as Sent;
    let via = match &r.via {
        None => Some(Via::DefaultRule),
        Some(Sent::Campaign(name)) => {
            let campaign = names::campaign(name).and_then(|named| names::within(team, named));
            wrong.take(format!("{at}campaign"), campaign).map(Via::Campaign)
        }
        Some(Sent::RoutingRule(name)) => {
            let rule = names::rule(name).and_then(|named| names::within(team, named));
            wrong.take(format!("{at}routing_rule"), rule).map(Via::Rule)
        }
        Some(Sent::Group(name)) => {
            let group = names::group(name).and_then(|named| names::within(team, named));
            wrong.take(format!("{at}group"), group).map(Via::Group)
        }
        Some(Sent::Rep(name)) => {
            let rep = names::rep(name).and_then(|named| names::within(team, named));
            wrong.take(format!("{at}rep"), rep).map(Via::Rep)
        }
    };
    let owners = owners(wrong, at, &r.owners);
    let labels = text::labels(wrong, &format!("{at}labels"), &r.labels);
    let (prefer_last_rep, priority) = (r.prefer_last_rep, r.priority);
    Some(WithoutContact { via: via?, owners, prefer_last_rep, priority, labels })
}

fn owners(wrong: &mut Violations, at: &str, written: &[pb::OwnerRef]) -> Vec<OwnerRef> {
    let mut seen = BTreeSet::new();
    let mut owners = Vec::new();
    for (i, owner) in written.iter().enumerate() {
        let at = format!("{at}owners[{i}]");
        let Some(kind) = wrong.take(format!("{at}.kind"), owner_kind(owner.kind)) else { continue };
        if !seen.insert(kind) {
            wrong.add(format!("{at}.kind"), Wrong::new("at most one owner of each kind"));
            // Only as many kinds exist as can be listed; the rest would repeat this.
            break;
        }
        owners.extend(owner_ref(wrong, &at, kind, owner));
    }
    owners
}

fn owner_ref(
    wrong: &mut Violations,
    at: &str,
    kind: OwnerKind,
    written: &pb::OwnerRef,
) -> Option<OwnerRef> {
    let owner_type = wrong.take(format!("{at}.type"), owner_type(written.r#type));
    let email = wrong.take(format!("{at}.email"), text::email(&written.email));
    let external_id = match &written.external_id {
        None => Some(None),
        Some(pb::ExternalId { system, id }) => {
            let system = names::id::<kind::Request>(system);
            let system = wrong.take(format!("{at}.external_id.system"), system);
            let id = wrong.take(format!("{at}.external_id.id"), text::external_id(id));
            system.zip(id).map(|(system, id)| Some((system.as_str().to_owned(), id)))
        }
    };
    let owner =
        OwnerRef { kind, owner_type: owner_type?, email: email?, external_id: external_id? };
    if owner.owner_type == OwnerType::User && owner.email.is_none() && owner.external_id.is_none() {
        wrong.add(at, Wrong::new("a person needs an email or an external id"));
    }
    Some(owner)
}
