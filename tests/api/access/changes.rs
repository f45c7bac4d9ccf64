//! What a token's role, end and secret become takes effect at once, on any node; who did what is told.

use tonic::Code;
use turnwise::{
    credentials::{hash, of_token},
    proto::turnwise::v1::{self as pb, EventType, RoleKind},
};

use super::{OTHER, World, ask, client, contact, credential, new_token, operator, role, secret, t};
use crate::nodes::why;

#[tokio::test]
async fn s1_3_only_an_administrator_or_a_member_of_the_team_may_set_somebody_away() {
    let world = World::new().await;
    let nodes = world.nodes(2).await;
    let away = || pb::SetOutOfOfficeRequest { name: t("reps/ana"), ..Default::default() };
    for node in &nodes.nodes {
        let before = node.picture().await;
        for other in [
            of_token("u", "admin", &secret(OTHER)),
            credential("router").replace("router", "viewer").replace(&secret(5), &secret(7)),
        ] {
            let refused = ask(&client(node, &other), away()).await.unwrap_err();
            let expected = (Code::PermissionDenied, "PERMISSION_DENIED".to_owned(), Vec::new());
            assert_eq!(why(&refused), expected);
        }
        assert_eq!(node.picture().await, before);
    }
    for who in ["admin", "ana", "west-lead", "router"] {
        let answer = ask(&client(nodes.follower(), &credential(who)), away()).await;
        assert_eq!(answer.is_ok(), who != "router", "{who}");
    }
    ask(&client(nodes.follower(), &operator()), away()).await.unwrap();
}

#[tokio::test]
async fn s0_18_a_manager_sets_somebody_away_and_the_event_and_the_rep_say_who_it_was() {
    let world = World::new().await;
    let nodes = world.nodes(2).await;
    for (who, by) in [("manager", "manager"), ("west-lead", "west-lead")] {
        let node = nodes.follower();
        let away = pb::SetOutOfOfficeRequest { name: t("reps/ana"), ..Default::default() };
        let rep = ask(&client(node, &credential(who)), away).await.unwrap().rep.unwrap();
        assert_eq!(rep.out_of_office_set_by, by);
        let list = pb::ListEventsRequest { parent: "teams/t".to_owned(), ..Default::default() };
        let events = ask(&client(node, &credential("viewer")), list).await.unwrap().events;
        let told = events.last().unwrap();
        assert_eq!((told.principal.as_str(), told.resource.as_str()), (by, "teams/t/reps/ana"));
        assert_eq!(told.r#type(), EventType::OutOfOffice);
        let back = pb::ClearOutOfOfficeRequest { name: t("reps/ana"), ..Default::default() };
        ask(&client(node, &operator()), back).await.unwrap();
    }
}

#[tokio::test]
async fn the_history_of_an_assignment_names_the_token_and_the_operator() {
    let world = World::new().await;
    let nodes = world.nodes(2).await;
    let node = nodes.follower();
    let router = client(node, &credential("router"));
    let assigned = ask(&router, contact("x", "cy")).await.unwrap().assignment.unwrap();
    assert_eq!(assigned.history[0].principal, "router");
    let close = pb::CloseAssignmentRequest { name: assigned.name, ..Default::default() };
    let closed = ask(&client(node, &operator()), close).await.unwrap().assignment.unwrap();
    assert_eq!(closed.history.last().unwrap().principal, "operator");
}

#[tokio::test]
async fn a_token_is_made_read_listed_changed_and_deleted_and_no_answer_has_its_secret() {
    let world = World::new().await;
    let nodes = world.nodes(1).await;
    let node = nodes.leader();
    let admin = client(node, &credential("admin"));
    let create = pb::CreateTokenRequest {
        request_id: "once".to_owned(),
        ..new_token("t", "new", 21, role(RoleKind::GroupManager))
    };
    let made = ask(&admin, create.clone()).await.unwrap();
    assert_eq!(ask(&admin, create.clone()).await.unwrap(), made, "a retry has the same answer");
    let again = pb::CreateTokenRequest { secret_sha256: vec![0; 32].into(), ..create };
    let reused = ask(&admin, again).await.unwrap_err();
    assert_eq!(why(&reused).1, "REQUEST_ID_REUSED");
    let made = made.token.unwrap();
    assert_eq!((made.name.as_str(), &made.expire_time), ("teams/t/tokens/new", &None));
    assert_eq!(made.role, Some(role(RoleKind::GroupManager)));
    let get = pb::GetTokenRequest { name: made.name.clone() };
    assert_eq!(ask(&admin, get).await.unwrap().token, Some(made.clone()));
    let list = |filter: &str| pb::ListTokensRequest {
        parent: "teams/t".to_owned(),
        filter: filter.to_owned(),
        page_size: 2,
        ..Default::default()
    };
    let page = ask(&admin, list("")).await.unwrap();
    assert_eq!(
        page.tokens.iter().map(|t| &*t.name).collect::<Vec<_>>(),
        ["teams/t/tokens/admin", "teams/t/tokens/ana"]
    );
    assert_eq!(page.next_page_token, "ana");
    for (filter, found) in [
        ("role.kind = \"GROUP_MANAGER\"", vec!["new", "west-lead"]),
        ("role.rep = \"teams/t/reps/ana\"", vec!["ana"]),
    ] {
        let tokens = ask(&admin, list(filter)).await.unwrap().tokens;
        let ids: Vec<&str> = tokens.iter().map(|t| t.name.rsplit('/').next().unwrap()).collect();
        assert_eq!(ids, found, "{filter}");
    }
    let stale = pb::UpdateTokenRequest {
        token: Some(pb::Token { display_name: "N".to_owned(), ..made.clone() }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["display_name".to_owned()] }),
        etag: made.etag.clone(),
        ..Default::default()
    };
    let changed = ask(&admin, stale.clone()).await.unwrap().token.unwrap();
    assert_eq!((changed.display_name.as_str(), &changed.role), ("N", &made.role));
    assert_eq!(why(&ask(&admin, stale).await.unwrap_err()).1, "ETAG_MISMATCH");
    let list = pb::ListEventsRequest { parent: "teams/t".to_owned(), ..Default::default() };
    let events = ask(&admin, list).await.unwrap();
    let text = format!("{events:?} {made:?} {changed:?} {page:?}");
    let bytes = format!("{:?}", hash(&secret(21)));
    assert!(text.contains("tokens/new") && !text.contains(bytes.trim_matches(['[', ']'])));
}

#[tokio::test]
async fn wrong_fields_of_a_token_are_named() {
    let world = World::new().await;
    let nodes = world.nodes(1).await;
    let admin = client(nodes.leader(), &credential("admin"));
    let with = |role: pb::Role| new_token("t", "new", 21, role);
    let of = |kind: RoleKind, groups: &[&str], rep: &str| pb::Role {
        kind: kind.into(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        rep: rep.to_owned(),
    };
    let viewer = || with(role(RoleKind::Viewer));
    let ending = |seconds| {
        let mut create = viewer();
        let end = Some(prost_types::Timestamp { seconds, nanos: 0 });
        create.token.as_mut().unwrap().expire_time = end;
        create
    };
    let many: Vec<String> = (0..101).map(|i| t(&format!("groups/{i}"))).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let west = "teams/t/groups/west";
    for (request, field) in [
        (pb::CreateTokenRequest { secret_sha256: vec![0; 31].into(), ..viewer() }, "secret_sha256"),
        (pb::CreateTokenRequest { secret_sha256: vec![0; 33].into(), ..viewer() }, "secret_sha256"),
        (pb::CreateTokenRequest { secret_sha256: vec![].into(), ..viewer() }, "secret_sha256"),
        (pb::CreateTokenRequest { token_id: "a/b".to_owned(), ..viewer() }, "token_id"),
        (pb::CreateTokenRequest { token_id: "operator".to_owned(), ..viewer() }, "token_id"),
        (pb::CreateTokenRequest { token: None, ..viewer() }, "token.role"),
        (with(of(RoleKind::Unspecified, &[], "")), "token.role.kind"),
        (with(pb::Role { kind: 99, ..Default::default() }), "token.role.kind"),
        (with(of(RoleKind::GroupManager, &[], "")), "token.role.groups"),
        (with(of(RoleKind::GroupManager, &many, "")), "token.role.groups"),
        (with(of(RoleKind::GroupManager, &[west, west], "")), "token.role.groups[1]"),
        (with(of(RoleKind::GroupManager, &["teams/u/groups/x"], "")), "token.role.groups[0]"),
        (with(of(RoleKind::Manager, &[west], "")), "token.role.groups"),
        (with(of(RoleKind::Rep, &[], "")), "token.role.rep"),
        (with(of(RoleKind::Rep, &[], "teams/u/reps/x")), "token.role.rep"),
        (with(of(RoleKind::Viewer, &[], "teams/t/reps/ana")), "token.role.rep"),
        (ending(1_000_000_000), "token.expire_time"),
        (ending(-1), "token.expire_time"),
    ] {
        let refused = ask(&admin, request).await.unwrap_err();
        let (code, _, fields) = why(&refused);
        assert_eq!((code, fields), (Code::InvalidArgument, vec![field.to_owned()]));
    }
    let forged = pb::CreateTokenRequest { token_id: "operator".to_owned(), ..viewer() };
    let why_not = ask(&admin, forged).await.unwrap_err();
    assert!(why_not.message().contains("events and histories"), "{why_not}");
    ask(&admin, pb::CreateTokenRequest { token_id: "operator2".to_owned(), ..viewer() })
        .await
        .unwrap();
    ask(&admin, with(of(RoleKind::GroupManager, &["teams/t/groups/none"], "")))
        .await
        .map_err(|refused| assert_eq!(why(&refused).1, "RESOURCE_NOT_FOUND"))
        .unwrap_err();
    // As many as may be, and none of them is there.
    let most = ask(&admin, with(of(RoleKind::GroupManager, &many[..100], ""))).await;
    assert_eq!(why(&most.unwrap_err()).1, "RESOURCE_NOT_FOUND");
    ask(&admin, ending(4_000_000_000)).await.unwrap();
    for (request, field) in [
        (pb::UpdateTokenRequest::default(), "token.name"),
        (
            pb::UpdateTokenRequest {
                token: Some(pb::Token { name: t("tokens/ana"), ..Default::default() }),
                ..Default::default()
            },
            "update_mask",
        ),
        (
            pb::UpdateTokenRequest {
                token: Some(pb::Token { name: t("tokens/ana"), ..Default::default() }),
                update_mask: Some(prost_types::FieldMask { paths: vec!["role".to_owned()] }),
                ..Default::default()
            },
            "token.role",
        ),
        (
            pb::UpdateTokenRequest {
                token: Some(pb::Token { name: t("tokens/ana"), ..Default::default() }),
                secret_sha256: vec![0; 16].into(),
                ..Default::default()
            },
            "secret_sha256",
        ),
    ] {
        let (code, _, fields) = why(&ask(&admin, request).await.unwrap_err());
        assert_eq!((code, fields[0].as_str()), (Code::InvalidArgument, field));
    }
}

#[tokio::test]
async fn a_changed_role_takes_effect_with_the_next_call_on_every_node() {
    let world = World::new().await;
    let nodes = world.nodes(2).await;
    let admin = client(nodes.leader(), &credential("admin"));
    let of_west = client(nodes.follower(), &credential("viewer"));
    let create = || pb::CreateRepRequest {
        parent: "teams/t".to_owned(),
        rep_id: "new".to_owned(),
        ..Default::default()
    };
    let refused = ask(&of_west, create()).await.unwrap_err();
    assert!(refused.message().contains("a viewer's"), "{refused}");
    assert!(refused.message().contains("a manager of the team"), "{refused}");
    let promote = pb::UpdateTokenRequest {
        token: Some(pb::Token {
            name: t("tokens/viewer"),
            role: Some(role(RoleKind::Manager)),
            ..Default::default()
        }),
        ..Default::default()
    };
    ask(&admin, promote).await.unwrap();
    ask(&of_west, create()).await.unwrap();
}

/// A node remembers what it compared. A token that gets a former secret again has another one than it
/// remembers: it is refused no more than once.
#[tokio::test]
async fn a_token_that_gets_its_former_secret_again_is_let_in_again() {
    let world = World::new().await;
    let nodes = world.nodes(2).await;
    let admin = client(nodes.leader(), &credential("admin"));
    let viewer = client(nodes.follower(), &credential("viewer"));
    let get = || pb::GetTeamRequest { name: "teams/t".to_owned() };
    let rotate = |number| pb::UpdateTokenRequest {
        token: Some(pb::Token { name: t("tokens/viewer"), ..Default::default() }),
        secret_sha256: hash(&secret(number)).to_vec().into(),
        ..Default::default()
    };
    ask(&viewer, get()).await.unwrap();
    ask(&admin, rotate(21)).await.unwrap();
    ask(&admin, rotate(7)).await.unwrap();
    let first = ask(&viewer, get()).await;
    assert!(first.is_ok() || first.unwrap_err().code() == Code::Unauthenticated);
    ask(&viewer, get()).await.unwrap();
}

#[tokio::test]
async fn a_token_that_expires_opens_nothing_from_then_on() {
    let world = World::new().await;
    let nodes = world.nodes(1).await;
    let node = nodes.leader();
    let soon = turnwise::clock::wall().0 + 1_000_000;
    let (seconds, micros) = (soon / 1_000_000, soon % 1_000_000);
    let end = prost_types::Timestamp {
        seconds: i64::try_from(seconds).unwrap(),
        nanos: i32::try_from(micros).unwrap() * 1_000,
    };
    let mut create = new_token("t", "brief", 21, role(RoleKind::Router));
    create.token.as_mut().unwrap().expire_time = Some(end);
    ask(&client(node, &operator()), create).await.unwrap();
    let brief = client(node, &of_token("t", "brief", &secret(21)));
    for number in 0.. {
        match ask(&brief, contact(&number.to_string(), "cy")).await {
            Ok(_) => {}
            Err(refused) => {
                assert_eq!(why(&refused).1, "UNAUTHENTICATED");
                assert!(turnwise::clock::wall().0 >= soon);
                return;
            }
        }
    }
}

#[tokio::test]
async fn a_node_that_is_behind_asks_the_leader_before_it_refuses_a_new_token() {
    let world = World::new().await;
    let nodes = world.nodes(2).await;
    nodes.follower().fall_behind().await;
    let admin = client(nodes.leader(), &credential("admin"));
    ask(&admin, new_token("t", "new", 21, role(RoleKind::Viewer))).await.unwrap();
    let new = client(nodes.follower(), &of_token("t", "new", &secret(21)));
    ask(&new, pb::GetTeamRequest { name: "teams/t".to_owned() }).await.unwrap();
    let wrong = client(nodes.follower(), &of_token("t", "new", &secret(22)));
    let refused = ask(&wrong, pb::GetTeamRequest { name: "teams/t".to_owned() }).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
}
