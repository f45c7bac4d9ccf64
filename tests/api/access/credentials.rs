//! One answer for every credential that opens nothing, whatever is wrong with it.

use tonic::{
    Code, Request, Status,
    metadata::{Ascii, MetadataValue},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use turnwise::{
    credentials::{hash, of_operator, of_token},
    proto::turnwise::v1::{self as pb, RoleKind},
};

use super::{World, ask, client, credential, new_token, operator, role, secret, t, tells_nothing};
use crate::nodes::Node;

/// A read of a team with these values of `authorization`.
async fn show(node: &Node, values: &[&[u8]]) -> Result<(), Status> {
    let mut request = Request::new(pb::GetTeamRequest { name: "teams/t".to_owned() });
    for value in values {
        let value = MetadataValue::<Ascii>::try_from(*value).unwrap();
        request.metadata_mut().append("authorization", value);
    }
    node.teams().await.get_team(request).await.map(drop)
}

async fn bearer(node: &Node, credential: &str) -> Result<(), Status> {
    show(node, &[format!("Bearer {credential}").as_bytes()]).await
}

/// What is no credential, or one that never was.
fn never_valid() -> Vec<Vec<u8>> {
    let good = secret(5);
    let flipped = |at: usize| {
        let mut wrong = good.clone().into_bytes();
        wrong[at] = if wrong[at] == b'0' { b'1' } else { b'0' };
        String::from_utf8(wrong).unwrap()
    };
    let hash: String = hash(&good).iter().map(|byte| format!("{byte:02x}")).collect();
    let bearers = [
        String::new(),
        "tw_".to_owned(),
        "tw_admin_".to_owned(),
        "tw_/_".to_owned(),
        good.clone(),
        "tw_t/router".to_owned(),
        "tw_t/router_".to_owned(),
        "router".to_owned(),
        // Of another alphabet, length or spelling.
        of_token("t", "router", &good[1..]),
        of_token("t", "router", &format!("{good}0")),
        of_token("t", "router", &secret(10).to_uppercase()),
        of_token("t", "router", &"g".repeat(64)),
        of_token("t", "router", &"0x".repeat(32)),
        of_token("t", "router", &"0".repeat(8_000)),
        credential("router").replace("tw_", "TW_"),
        credential("router").replace("tw_", "tw-"),
        credential("router").replace('/', "_"),
        credential("router").replace('/', "//"),
        credential("router").replace("t/router", "t/router/x"),
        credential("router").replace("t/router", "/router"),
        credential("router").replace("t/router", "t/"),
        credential("router").replace("t/router", "teams/t/tokens/router"),
        credential("router").replace("t/router", &format!("{}/router", "t".repeat(129))),
        format!("{} ", credential("router")),
        format!(" {}", credential("router")),
        format!("{}, {}", credential("router"), credential("admin")),
        // Well formed, and wrong.
        of_token("t", "router", &flipped(0)),
        of_token("t", "router", &flipped(31)),
        of_token("t", "router", &flipped(63)),
        of_token("t", "router", &secret(6)),
        of_token("t", "router", &secret(1)),
        of_token("t", "router", &hash),
        of_token("t", "nobody", &good),
        of_token("u", "router", &good),
        of_token("nowhere", "router", &good),
        of_token("u", "admin", &secret(2)),
        // The operator's.
        of_operator(&secret(2)),
        of_operator(&secret(1)[1..]),
        of_operator(&hash),
        of_operator(&"x".repeat(31)),
        of_token("t", "admin", &secret(1)),
        format!("{}_{}", "tw_operator", secret(1)),
    ];
    let schemes = ["Basic ", "bearer", "Bearer: ", "Token ", "Bearer\t", ""];
    let schemes = schemes.map(|scheme| format!("{scheme}{}", credential("router")));
    let mut values: Vec<Vec<u8>> =
        bearers.into_iter().map(|text| format!("Bearer {text}").into_bytes()).collect();
    values.extend(schemes.map(String::into_bytes));
    values.push(b"Bearer".to_vec());
    values.push(b"Bearer tw_t/router_\xff\xfe".to_vec());
    values.push("Bearer tw_t/rout\u{e9}r_".to_owned().into_bytes());
    values
}

#[tokio::test]
async fn every_credential_that_opens_nothing_has_the_same_answer() {
    let world = World::new().await;
    let nodes = world.nodes(2).await;
    let node = nodes.leader();
    let by = client(node, &operator());
    // Tokens that were good, and are no more. The first call makes every node know them.
    for (id, number) in [("deleted", 21), ("rotated", 22), ("expired", 23)] {
        ask(&by, new_token("t", id, number, role(RoleKind::Admin))).await.unwrap();
    }
    let of_ana = new_token("t", "of-ana", 24, role(RoleKind::Rep));
    ask(&by, of_ana).await.unwrap();
    ask(&by, new_token("u", "of-u", 25, role(RoleKind::Admin))).await.unwrap();
    let once = |id: &str, number| of_token("t", id, &secret(number));
    let lapsed = [
        once("deleted", 21),
        once("rotated", 22),
        once("expired", 23),
        once("of-ana", 24),
        of_token("u", "of-u", &secret(25)),
    ];
    for node in &nodes.nodes {
        for credential in &lapsed {
            let answer = bearer(node, credential).await;
            let code = answer.err().map(|refused| refused.code());
            assert!(code.is_none_or(|code| code == Code::PermissionDenied), "{credential}");
        }
    }
    ask(&by, pb::DeleteTokenRequest { name: t("tokens/deleted"), ..Default::default() })
        .await
        .unwrap();
    ask(
        &by,
        pb::UpdateTokenRequest {
            token: Some(pb::Token { name: t("tokens/rotated"), ..Default::default() }),
            secret_sha256: hash(&secret(26)).to_vec().into(),
            ..Default::default()
        },
    )
    .await
    .unwrap();
    let past = Some(prost_types::Timestamp { seconds: 1_000_000_000, nanos: 0 });
    ask(
        &by,
        pb::UpdateTokenRequest {
            token: Some(pb::Token {
                name: t("tokens/expired"),
                expire_time: past,
                ..Default::default()
            }),
            ..Default::default()
        },
    )
    .await
    .unwrap();
    ask(&by, pb::DeleteRepRequest { name: t("reps/ana"), ..Default::default() }).await.unwrap();
    ask(&by, pb::DeleteTeamRequest { name: "teams/u".to_owned(), ..Default::default() })
        .await
        .unwrap();

    let mut wrong: Vec<Vec<Vec<u8>>> = never_valid().into_iter().map(|value| vec![value]).collect();
    wrong.push(Vec::new());
    let good = format!("Bearer {}", credential("router")).into_bytes();
    wrong.push(vec![good.clone(), good.clone()]);
    wrong.push(vec![b"Basic eDp5".to_vec(), good.clone()]);
    for credential in &lapsed {
        wrong.push(vec![format!("Bearer {credential}").into_bytes()]);
    }
    assert!(wrong.len() >= 50, "{}", wrong.len());
    for node in &nodes.nodes {
        let first = show(node, &[]).await.unwrap_err();
        assert_eq!(first.code(), Code::Unauthenticated);
        for values in &wrong {
            let shown: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
            let what = || shown.iter().map(|v| String::from_utf8_lossy(v)).collect::<Vec<_>>();
            let Err(refused) = show(node, &shown).await else { panic!("let in: {:?}", what()) };
            assert_eq!(
                (refused.code(), refused.message(), refused.details()),
                (first.code(), first.message(), first.details()),
                "{:?}",
                what()
            );
            tells_nothing(&refused);
        }
        // What was tried beside it does not matter to a good one.
        show(node, &[&good]).await.unwrap();
        bearer(node, &once("rotated", 26)).await.unwrap();
        bearer(node, &operator()).await.unwrap();
        show(node, &[format!("bEARER {}", operator()).as_bytes()]).await.unwrap();
    }
}

#[tokio::test]
async fn a_malformed_call_and_an_unknown_one_are_not_told_from_others_without_a_credential() {
    let world = World::new().await;
    let nodes = world.nodes(1).await;
    let node = nodes.leader();
    let refused = show(node, &[]).await.unwrap_err();
    let nowhere = pb::GetTeamRequest { name: "teams/nowhere".to_owned() };
    let malformed = pb::GetTeamRequest { name: "a b".to_owned() };
    for request in [nowhere, malformed] {
        let other = node.teams().await.get_team(request).await.unwrap_err();
        assert_eq!(
            (other.code(), other.message(), other.details()),
            (refused.code(), refused.message(), refused.details())
        );
    }
}

#[tokio::test]
async fn health_and_reflection_ask_nobody() {
    let world = World::new().await;
    let nodes = world.nodes(1).await;
    let mut health = HealthClient::new(nodes.leader().channel().await);
    let request = HealthCheckRequest { service: String::new() };
    health.check(request).await.unwrap();
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest,
    };
    let mut reflection = ServerReflectionClient::new(nodes.leader().channel().await);
    let message_request = Some(MessageRequest::ListServices(String::new()));
    let request = ServerReflectionRequest { host: String::new(), message_request };
    let asked = reflection.server_reflection_info(tokio_stream::once(request)).await.unwrap();
    let answer = asked.into_inner().message().await.unwrap().unwrap();
    assert!(format!("{answer:?}").contains("turnwise.v1.TokenService"));
}

#[tokio::test]
async fn without_an_operator_nobody_is_asked_and_a_credential_is_not_looked_at() {
    let nodes = crate::nodes::Nodes::one().await;
    nodes.leader().set_up().await;
    show(nodes.leader(), &[]).await.unwrap();
    show(nodes.leader(), &[b"Bearer of what"]).await.unwrap();
}
