//! Every call of the public services, by everybody, over the wire, against `access.txt`.
//!
//! The calls are in earnest and well formed; each meets a state of its own. A call that is refused
//! changes nothing; of one that is not, it is enough here that it was not refused for who asked.

use std::{collections::BTreeSet, ops::ControlFlow, pin::Pin};

use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::{Code, Status};
use turnwise::{
    client::{Call, Client, Error, Options, Watched},
    credentials::of_token,
    proto::{
        PUBLIC_FILE_DESCRIPTOR_SET,
        turnwise::v1::{
            self as pb, RoleKind, reassign_assignment_request::To,
            remove_group_member_request::Member as Removed,
        },
    },
};

use super::{
    OTHER, World, ask, client, contact, credential, group, is_refused, member, new_token, operator,
    role, secret, t, tells_nothing,
};

const TABLE: &str = include_str!("../access.txt");

/// The columns of the table.
const CALLERS: [&str; 9] =
    ["operator", "admin", "manager", "west-lead", "router", "ana", "viewer", "other", "nobody"];

fn caller(name: &str) -> Option<String> {
    match name {
        "operator" => Some(operator()),
        "other" => Some(of_token("u", "admin", &secret(OTHER))),
        "nobody" => None,
        token => Some(credential(token)),
    }
}

type Asked = Pin<Box<dyn Future<Output = Result<(), Status>> + Send>>;

/// A call, and what it is about where that matters.
struct Row {
    method: String,
    about: &'static str,
    ask: Box<dyn Fn(Client) -> Asked>,
}

fn row<C: Call + Send + Sync>(about: &'static str, call: C) -> Row {
    let method = C::PATH.strip_prefix("/turnwise.v1.").unwrap().to_owned();
    let ask = move |client: Client| -> Asked {
        let call = call.clone();
        Box::pin(async move { ask(&client, call).await.map(drop) })
    };
    Row { method, about, ask: Box::new(ask) }
}

fn refused(error: Error) -> Status {
    match error {
        Error::Refused(status) => *status,
        Error::Unavailable { .. } => panic!("{error}"),
    }
}

/// The calls that are not answered once.
fn streams() -> [Row; 3] {
    let assign = |client: Client| -> Asked {
        Box::pin(async move {
            let mut came = Ok(());
            let each = |_, answer: Result<_, Error>| {
                came = answer.map(drop).map_err(refused);
                Ok::<_, Error>(())
            };
            client.assign_many([contact("9", "cy")], 1, each).await.map_err(refused)?;
            came
        })
    };
    let watch = |client: Client| -> Asked {
        Box::pin(async move {
            let enough = |_: Watched| Ok::<_, Error>(ControlFlow::Break(()));
            client.watch_events("teams/t", 0, enough).await.map_err(refused)
        })
    };
    let backup = |client: Client| -> Asked {
        Box::pin(async move { client.backup(|_| Ok::<_, Error>(())).await.map_err(refused) })
    };
    [
        Row {
            method: "RoutingService/AssignContacts".to_owned(),
            about: "",
            ask: Box::new(assign),
        },
        Row { method: "EventService/WatchEvents".to_owned(), about: "", ask: Box::new(watch) },
        Row { method: "ClusterService/Backup".to_owned(), about: "", ask: Box::new(backup) },
    ]
}

#[expect(clippy::needless_update, reason = "some requests have no more fields than are named")]
fn rows(world: &World) -> Vec<Row> {
    let parent = || "teams/t".to_owned();
    let (anas, bos, free) = (&world.anas, &world.bos, &world.free);
    let hour = Some(prost_types::Duration { seconds: 3_600, nanos: 0 });
    macro_rules! rows {
        ($($request:ident $about:literal { $($field:ident: $value:expr),* $(,)? })*) => {
            vec![$(row($about, pb::$request { $($field: $value,)* ..Default::default() }),)*]
        };
    }
    let team = || pb::Team { name: parent(), display_name: "T".to_owned(), ..Default::default() };
    let token = pb::Token {
        name: t("tokens/viewer"),
        role: Some(role(RoleKind::Router)),
        ..Default::default()
    };
    let rep = pb::Rep { name: t("reps/ana"), max_open: 9, ..Default::default() };
    let west =
        pb::Group { name: t("groups/west"), display_name: "W".to_owned(), ..Default::default() };
    let heavy = |rep| Some(pb::GroupMember { weight: Some(2), ..member(rep) });
    let order = |ids: [&str; 2]| ids.map(|id| t(&format!("reps/{id}"))).to_vec();
    let rule = || pb::RoutingRule { display_name: "R".to_owned(), ..Default::default() };
    let campaign = pb::Campaign {
        name: t("campaigns/run"),
        display_name: "C".to_owned(),
        ..Default::default()
    };
    let online = || pb::PresenceState::Online.into();
    let items = vec![pb::AssignContactRequest { parent: String::new(), ..contact("9", "cy") }];
    let mut rows = rows! {
        CreateTeamRequest "" { team_id: "new".to_owned() }
        GetTeamRequest "" { name: parent() }
        ListTeamsRequest "" {}
        UpdateTeamRequest "" { team: Some(team()) }
        DeleteTeamRequest "" { name: parent() }
        GetTokenRequest "" { name: t("tokens/viewer") }
        ListTokensRequest "" { parent: parent() }
        UpdateTokenRequest "" { token: Some(token) }
        DeleteTokenRequest "" { name: t("tokens/viewer") }
        CreateRepRequest "" { parent: parent(), rep_id: "new".to_owned() }
        GetRepRequest "" { name: t("reps/ana") }
        ListRepsRequest "" { parent: parent() }
        UpdateRepRequest "ana" { rep: Some(rep) }
        DeleteRepRequest "ana" { name: t("reps/ana") }
        SetOutOfOfficeRequest "ana" { name: t("reps/ana") }
        SetOutOfOfficeRequest "bo" { name: t("reps/bo") }
        ClearOutOfOfficeRequest "ana" { name: t("reps/ana") }
        ClearOutOfOfficeRequest "bo" { name: t("reps/bo") }
        SetPresenceRequest "ana" { name: t("reps/ana"), state: online(), ttl: hour }
        SetPresenceRequest "bo" { name: t("reps/bo"), state: online(), ttl: hour }
        GetGroupRequest "" { name: t("groups/west") }
        ListGroupsRequest "" { parent: parent() }
        ListGroupMembersRequest "" { parent: t("groups/west") }
        UpdateGroupRequest "west" { group: Some(west) }
        DeleteGroupRequest "west" { name: t("groups/west") }
        AddGroupMemberRequest "west" { name: t("groups/west"), members: vec![member("bo")] }
        AddGroupMemberRequest "east" { name: t("groups/east"), members: vec![member("ana")] }
        RemoveGroupMemberRequest "west" {
            name: t("groups/west"),
            member: Some(Removed::Rep(t("reps/cy"))),
        }
        RemoveGroupMemberRequest "east" {
            name: t("groups/east"),
            member: Some(Removed::Rep(t("reps/cy"))),
        }
        UpdateGroupMemberRequest "west" { name: t("groups/west"), member: heavy("ana") }
        UpdateGroupMemberRequest "east" { name: t("groups/east"), member: heavy("bo") }
        ReorderGroupRequest "west" { name: t("groups/west"), members: order(["cy", "ana"]) }
        ReorderGroupRequest "east" { name: t("groups/east"), members: order(["cy", "bo"]) }
        GetRotationRequest "" { name: t("groups/west/rotations/-") }
        ListRotationsRequest "" { parent: t("groups/west") }
        ResetRotationRequest "west" { name: t("groups/west/rotations/-") }
        ResetRotationRequest "east" { name: t("groups/east/rotations/-") }
        AdjustRotationRequest "west" {
            name: t("groups/west/rotations/-"),
            member: t("reps/ana"),
            credits: 1,
        }
        AdjustRotationRequest "east" {
            name: t("groups/east/rotations/-"),
            member: t("reps/bo"),
            credits: 1,
        }
        GetGroupReportRequest "" { name: t("groups/west") }
        CreateRoutingRuleRequest "" {
            parent: parent(),
            routing_rule_id: "new".to_owned(),
            routing_rule: Some(rule()),
        }
        GetRoutingRuleRequest "" { name: t("routingRules/nobody") }
        ListRoutingRulesRequest "" { parent: parent() }
        UpdateRoutingRuleRequest "" {
            routing_rule: Some(pb::RoutingRule { name: t("routingRules/nobody"), ..rule() }),
        }
        DeleteRoutingRuleRequest "" { name: t("routingRules/nobody") }
        CreateCampaignRequest "" { parent: parent(), campaign_id: "new".to_owned() }
        GetCampaignRequest "" { name: t("campaigns/run") }
        ListCampaignsRequest "" { parent: parent() }
        UpdateCampaignRequest "" { campaign: Some(campaign) }
        DeleteCampaignRequest "" { name: t("campaigns/run") }
        ScheduleCampaignRequest "" { name: t("campaigns/run") }
        LaunchCampaignRequest "" { name: t("campaigns/run") }
        PauseCampaignRequest "" { name: t("campaigns/run") }
        ResumeCampaignRequest "" { name: t("campaigns/run") }
        CancelCampaignRequest "" { name: t("campaigns/run") }
        BatchAssignContactsRequest "" { parent: parent(), requests: items }
        PreviewAssignContactRequest "" { request: Some(contact("9", "cy")), count: 1 }
        GetAssignmentRequest "" { name: anas.clone() }
        ListAssignmentsRequest "" { parent: parent() }
        ExplainAssignmentRequest "" { name: anas.clone() }
        AcceptAssignmentRequest "ana's" { name: anas.clone() }
        AcceptAssignmentRequest "ana's, as ana" { name: anas.clone(), rep: t("reps/ana") }
        AcceptAssignmentRequest "ana's, as bo" { name: anas.clone(), rep: t("reps/bo") }
        AcceptAssignmentRequest "bo's" { name: bos.clone() }
        RejectAssignmentRequest "ana's" { name: anas.clone() }
        RejectAssignmentRequest "ana's, as bo" { name: anas.clone(), rep: t("reps/bo") }
        RejectAssignmentRequest "bo's" { name: bos.clone() }
        ClaimAssignmentRequest "as ana" { name: free.clone(), rep: t("reps/ana") }
        ClaimAssignmentRequest "as bo" { name: free.clone(), rep: t("reps/bo") }
        CloseAssignmentRequest "ana's" { name: anas.clone() }
        CloseAssignmentRequest "bo's" { name: bos.clone() }
        CloseAssignmentRequest "nobody's" { name: free.clone() }
        ReassignAssignmentRequest "ana's" { name: anas.clone(), to: Some(To::Rep(t("reps/bo"))) }
        UnassignAssignmentRequest "ana's" { name: anas.clone() }
        CancelAssignmentRequest "ana's" { name: anas.clone() }
        ListEventsRequest "" { parent: parent() }
        GetClusterRequest "" {}
        TransferLeaderRequest "" { node_id: 1 }
        CreateJoinTokenRequest "" {}
        RemoveMemberRequest "" { node_id: 9 }
    };
    rows.push(row("", new_token("t", "new", 20, role(RoleKind::Viewer))));
    rows.push(row("", group("new", &["cy"])));
    rows.push(row("", contact("9", "cy")));
    rows.extend(streams());
    rows
}

/// `Service/Method` of everything that reflection shows.
fn methods() -> BTreeSet<String> {
    let set = FileDescriptorSet::decode(PUBLIC_FILE_DESCRIPTOR_SET).unwrap();
    let services =
        set.file.iter().filter(|f| f.package() == "turnwise.v1").flat_map(|f| &f.service);
    let methods =
        services.flat_map(|s| s.method.iter().map(|m| format!("{}/{}", s.name(), m.name())));
    methods.collect()
}

/// What a call came to, as the table has it. One that was refused has changed nothing.
async fn outcome(world: &World, row: &Row, name: &str) -> &'static str {
    let what = format!("{} {} by {name}", row.method, row.about);
    let nodes = world.nodes(1).await;
    let node = nodes.leader();
    let before = node.picture().await;
    let client = match caller(name) {
        Some(credential) => client(node, &credential),
        None => Client::new(&[node.address.to_string()], Options::default()).unwrap(),
    };
    let answer = (row.ask)(client).await;
    if let Err(refused) = &answer {
        let malformed = [Code::InvalidArgument, Code::Unimplemented, Code::Internal, Code::Unknown];
        assert!(!malformed.contains(&refused.code()), "{what}: {refused}");
    }
    let Some(code) = is_refused(&answer) else { return "yes" };
    tells_nothing(&answer.unwrap_err());
    assert_eq!(node.picture().await, before, "{what}");
    if code == Code::PermissionDenied { "no" } else { "who?" }
}

fn line(row: &Row, cells: &[&str]) -> String {
    let what = format!("{} {}", row.method, row.about);
    let cells: String = cells.iter().map(|cell| format!("{cell:<10}")).collect();
    format!("{:<54}{}", what.trim_end(), cells.trim_end())
}

#[tokio::test]
async fn every_call_is_granted_to_those_whom_the_table_names_and_to_nobody_else() {
    let world = World::new().await;
    let rows = rows(&world);
    let covered: BTreeSet<String> = rows.iter().map(|row| row.method.clone()).collect();
    assert_eq!(covered, methods(), "each method has a row, and each row is of a method");

    let mut found = Vec::new();
    for row in &rows {
        let mut cells = Vec::new();
        for name in CALLERS {
            cells.push(outcome(&world, row, name).await);
        }
        found.push(line(row, &cells));
    }
    found.sort();
    let is_row = |line: &&str| !line.starts_with('#') && !line.trim().is_empty();
    let mut expected: Vec<&str> = TABLE.lines().filter(is_row).collect();
    expected.sort_unstable();
    let differing: Vec<_> =
        found.iter().filter(|line| !expected.contains(&line.as_str())).collect();
    let missing: Vec<_> =
        expected.iter().filter(|line| !found.iter().any(|row| row == *line)).collect();
    assert!(
        differing.is_empty() && missing.is_empty(),
        "found:\n{differing:#?}\nin access.txt:\n{missing:#?}"
    );
}

#[test]
fn the_table_names_its_callers_in_the_order_that_is_tested() {
    let head = TABLE.lines().find(|line| line.starts_with("# call")).unwrap();
    let names: Vec<&str> = head.split_whitespace().skip(2).collect();
    assert_eq!(names, CALLERS);
}
