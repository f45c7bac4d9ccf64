//! Every call that takes an `etag`, and every one that takes `allow_missing`: what these two do there.
//!
//! Which calls those are is what reflection shows, so that none is forgotten here.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
};

use prost::Message as _;
use prost_types::FileDescriptorSet;
use turnwise::{
    client::{Call, Client, Error, Options},
    credentials::hash,
    proto::{
        PUBLIC_FILE_DESCRIPTOR_SET,
        turnwise::v1::{self as pb, remove_group_member_request::Member as Removed},
    },
};

use crate::nodes::{Nodes, member, why};

fn t(rest: &str) -> String {
    format!("teams/t/{rest}")
}

/// Requests of the public API with such a field.
fn with_field(field: &str) -> BTreeSet<String> {
    let set = FileDescriptorSet::decode(PUBLIC_FILE_DESCRIPTOR_SET).unwrap();
    let ours = set.file.iter().filter(|file| file.package() == "turnwise.v1");
    let requests = ours.flat_map(|f| &f.message_type).filter(|m| m.name().ends_with("Request"));
    let having = requests.filter(|message| message.field.iter().any(|f| f.name() == field));
    having.map(|message| message.name().to_owned()).collect()
}

type Asked = Pin<Box<dyn Future<Output = Option<String>> + Send>>;

/// The reason of a refusal, if it is one.
fn asked<C: Call + Send + Sync>(client: &Client, call: C) -> Asked {
    let client = client.clone();
    Box::pin(async move {
        match client.call(call).await {
            Ok(_) => None,
            Err(Error::Refused(status)) => Some(why(&status).1),
            Err(error @ Error::Unavailable { .. }) => panic!("{error}"),
        }
    })
}

/// Sends a request with an etag, for real or only to see what would come of it.
type Ask = Box<dyn Fn(&Client, &str, bool) -> Asked>;

/// A request by its name, what its etag is of, and how it is sent with one.
struct Row {
    request: &'static str,
    of: &'static str,
    ask: Ask,
}

macro_rules! rows {
    ($($of:literal $request:ident { $($field:ident: $value:expr),* $(,)? })*) => {
        vec![$(Row {
            request: stringify!($request),
            of: $of,
            ask: Box::new(move |client: &Client, etag: &str, validate_only: bool| {
                let etag = etag.to_owned();
                asked(client, pb::$request { etag, validate_only, $($field: $value,)* ..Default::default() })
            }),
        },)*]
    };
}

fn rows() -> Vec<Row> {
    let name = || "N".to_owned();
    let order = || ["c", "b", "a"].map(|rep| t(&format!("reps/{rep}"))).to_vec();
    let heavy = || pb::GroupMember { weight: Some(2), ..member("a") };
    rows! {
        "team" UpdateTeamRequest {
            team: Some(pb::Team { name: "teams/t".to_owned(), display_name: name(), ..Default::default() }),
        }
        "team" DeleteTeamRequest { name: "teams/t".to_owned() }
        "rep" UpdateRepRequest {
            rep: Some(pb::Rep { name: t("reps/a"), display_name: name(), ..Default::default() }),
        }
        "rep" DeleteRepRequest { name: t("reps/a") }
        "rep" SetOutOfOfficeRequest { name: t("reps/a") }
        "rep" ClearOutOfOfficeRequest { name: t("reps/a") }
        "group" UpdateGroupRequest {
            group: Some(pb::Group { name: t("groups/g"), display_name: name(), ..Default::default() }),
        }
        "group" DeleteGroupRequest { name: t("groups/g") }
        "group" AddGroupMemberRequest { name: t("groups/g"), members: vec![member("d")] }
        "group" RemoveGroupMemberRequest {
            name: t("groups/g"),
            member: Some(Removed::Rep(t("reps/a"))),
        }
        "group" UpdateGroupMemberRequest { name: t("groups/g"), member: Some(heavy()) }
        "group" ReorderGroupRequest { name: t("groups/g"), members: order() }
        "rule" UpdateRoutingRuleRequest {
            routing_rule: Some(pb::RoutingRule {
                name: t("routingRules/r"),
                display_name: name(),
                ..Default::default()
            }),
        }
        "rule" DeleteRoutingRuleRequest { name: t("routingRules/r") }
        "campaign" UpdateCampaignRequest {
            campaign: Some(pb::Campaign {
                name: t("campaigns/run"),
                display_name: name(),
                ..Default::default()
            }),
        }
        "campaign" DeleteCampaignRequest { name: t("campaigns/run") }
        "campaign" ScheduleCampaignRequest { name: t("campaigns/run") }
        "campaign" LaunchCampaignRequest { name: t("campaigns/run") }
        "campaign" PauseCampaignRequest { name: t("campaigns/run") }
        "campaign" ResumeCampaignRequest { name: t("campaigns/run") }
        "campaign" CancelCampaignRequest { name: t("campaigns/run") }
        "token" UpdateTokenRequest {
            token: Some(pb::Token { name: t("tokens/k"), display_name: name(), ..Default::default() }),
        }
        "token" DeleteTokenRequest { name: t("tokens/k") }
    }
}

async fn etags(client: &Client) -> BTreeMap<&'static str, String> {
    let team = client.call(pb::GetTeamRequest { name: "teams/t".to_owned() }).await.unwrap();
    let rep = client.call(pb::GetRepRequest { name: t("reps/a") }).await.unwrap();
    let group = pb::GetGroupRequest { name: t("groups/g") };
    let group = client.call(group).await.unwrap();
    let rule = client.call(pb::GetRoutingRuleRequest { name: t("routingRules/r") }).await.unwrap();
    let campaign = client.call(pb::GetCampaignRequest { name: t("campaigns/run") }).await.unwrap();
    let token = client.call(pb::GetTokenRequest { name: t("tokens/k") }).await.unwrap();
    [
        ("team", team.team.unwrap().etag),
        ("rep", rep.rep.unwrap().etag),
        ("group", group.group.unwrap().etag),
        ("rule", rule.routing_rule.unwrap().etag),
        ("campaign", campaign.campaign.unwrap().etag),
        ("token", token.token.unwrap().etag),
    ]
    .into()
}

/// A team with one of everything, and reps `a` to `d`.
async fn set_up() -> (Nodes, Client) {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let client = Client::new(&[node.address.to_string()], Options::default()).unwrap();
    let parent = || "teams/t".to_owned();
    let rep =
        pb::CreateRepRequest { parent: parent(), rep_id: "d".to_owned(), ..Default::default() };
    client.call(rep).await.unwrap();
    let rule = pb::RoutingRule { display_name: "R".to_owned(), ..Default::default() };
    let rule = pb::CreateRoutingRuleRequest {
        parent: parent(),
        routing_rule_id: "r".to_owned(),
        routing_rule: Some(rule),
        ..Default::default()
    };
    client.call(rule).await.unwrap();
    let role = pb::Role { kind: pb::RoleKind::Viewer.into(), ..Default::default() };
    let token = pb::CreateTokenRequest {
        parent: parent(),
        token_id: "k".to_owned(),
        token: Some(pb::Token { role: Some(role), ..Default::default() }),
        secret_sha256: hash("secret").to_vec().into(),
        ..Default::default()
    };
    client.call(token).await.unwrap();
    (nodes, client)
}

#[tokio::test]
async fn a_stale_etag_is_refused_by_every_call_that_takes_one() {
    let (nodes, client) = set_up().await;
    let rows = rows();
    let named: BTreeSet<String> = rows.iter().map(|row| row.request.to_owned()).collect();
    assert_eq!(named, with_field("etag"));

    let stale = etags(&client).await;
    for row in rows.iter().filter(|row| row.request.starts_with("Update")) {
        if row.request != "UpdateGroupMemberRequest" {
            assert_eq!((row.ask)(&client, &stale[row.of], false).await, None, "{}", row.request);
        }
    }
    let now = etags(&client).await;
    for (of, etag) in &now {
        assert_ne!(etag, &stale[of], "{of}");
    }
    let before = nodes.leader().picture().await;
    for Row { request, of, ask } in &rows {
        let refused = ask(&client, &stale[of], false).await;
        assert_eq!(refused.as_deref(), Some("ETAG_MISMATCH"), "{request}");
        assert_eq!(nodes.leader().picture().await, before, "{request}");
        // Whatever else stands in its way, it is not that.
        let checked = ask(&client, &now[of], true).await;
        assert_ne!(checked.as_deref(), Some("ETAG_MISMATCH"), "{request}");
    }
}

#[tokio::test]
async fn nothing_to_delete_is_a_success_for_who_allows_it() {
    let (nodes, client) = set_up().await;
    let mut named = BTreeSet::new();
    let before = nodes.leader().picture().await;
    macro_rules! missing {
        ($($request:ident $name:literal)*) => {$(
            named.insert(stringify!($request).to_owned());
            let delete = |allow_missing| pb::$request {
                name: $name.to_owned(),
                allow_missing,
                ..Default::default()
            };
            let refused = asked(&client, delete(false)).await;
            assert_eq!(refused.as_deref(), Some("RESOURCE_NOT_FOUND"), stringify!($request));
            assert_eq!(asked(&client, delete(true)).await, None, stringify!($request));
        )*};
    }
    missing! {
        DeleteTeamRequest "teams/none"
        DeleteRepRequest "teams/t/reps/none"
        DeleteGroupRequest "teams/t/groups/none"
        DeleteRoutingRuleRequest "teams/t/routingRules/none"
        DeleteCampaignRequest "teams/t/campaigns/none"
        DeleteTokenRequest "teams/t/tokens/none"
    }
    assert_eq!(named, with_field("allow_missing"));
    assert_eq!(nodes.leader().picture().await, before);
}
