//! Access tokens among real nodes: one made through a node opens all at once, one deleted opens none,
//! whoever leads; and no secret is on any disk or in any log.

use std::{fs, os::unix::fs::OpenOptionsExt as _, path::Path};

use tonic::Code;
use turnwise::{
    client::{Client, Credential, Error},
    credentials::{draw, hash, of_operator, of_token},
    proto::turnwise::v1::{
        CreateTokenRequest, DeleteTokenRequest, GetTeamRequest, Role, RoleKind, Token,
        UpdateTokenRequest,
    },
};

use crate::{
    harness::{Cluster, Setup},
    service::Team,
};

const FREE: [u8; 4_096] = [0; 4_096];

/// A cluster whose nodes ask everybody who they are, and the operator's secret.
async fn guarded(folder: &Path) -> (Cluster, String) {
    let secret = draw().unwrap();
    let path = folder.join("admin.token");
    let mut file = fs::OpenOptions::new();
    let mut file = file.create_new(true).write(true).mode(0o600).open(&path).unwrap();
    std::io::Write::write_all(&mut file, of_operator(&secret).as_bytes()).unwrap();
    let env = ("TURNWISE_ADMIN_TOKEN_FILE".to_owned(), path.to_str().unwrap().to_owned());
    let setup = Setup {
        env: (1..=3).map(|id| (id, vec![env.clone()])).collect(),
        credential: Credential::new(&of_operator(&secret)).ok(),
        ..Setup::default()
    };
    (Cluster::start_with(setup).await, secret)
}

/// Gives a new token of team `t` and what its holder shows.
async fn create(by: &Client, id: &str) -> (String, String) {
    let secret = draw().unwrap();
    let role = Role { kind: RoleKind::Router.into(), ..Role::default() };
    let request = CreateTokenRequest {
        parent: "teams/t".to_owned(),
        token_id: id.to_owned(),
        token: Some(Token { role: Some(role), ..Token::default() }),
        secret_sha256: hash(&secret).to_vec().into(),
        ..CreateTokenRequest::default()
    };
    let name = by.call(request).await.unwrap().token.unwrap().name;
    (name, of_token("t", id, &secret))
}

fn is_unauthenticated<T: std::fmt::Debug>(answer: &Result<T, Error>) -> bool {
    answer.as_ref().is_err_and(|error| {
        let is_so = error.code() == Code::Unauthenticated;
        is_so && error.reason().as_deref() == Some("UNAUTHENTICATED")
    })
}

/// Every file below a folder, in one, without the stretches that are kept free for later.
fn bytes_below(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(bytes_below(&path));
        } else {
            let bytes = fs::read(path).unwrap();
            let pages = bytes.chunks(FREE.len()).filter(|page| *page != FREE.as_slice());
            all.extend(pages.flatten());
        }
    }
    all
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_every_node_at_once_and_none_once_it_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let (mut cluster, operators) = guarded(folder.path()).await;
    let team = Team::create(&cluster.client(&[1]), "t", 3).await;
    let get = || GetTeamRequest { name: "teams/t".to_owned() };
    let mut secrets = vec![operators];
    for round in 0..3 {
        // Through a follower as often as through the leader.
        for made_at in cluster.ids() {
            let id = format!("crm-{round}-{made_at}");
            let (name, credential) = create(&cluster.client(&[made_at]), &id).await;
            secrets.push(credential.rsplit('_').next().unwrap().to_owned());
            for node in cluster.ids() {
                let client = cluster.client_of(&[node], &credential);
                client.call(get()).await.unwrap();
                team.assign(&client, &format!("{id}-{node}")).await;
            }
            let last = cluster.others(made_at)[0];
            let delete = DeleteTokenRequest { name, ..DeleteTokenRequest::default() };
            cluster.client(&[last]).call(delete).await.unwrap();
            for node in cluster.ids() {
                let client = cluster.client_of(&[node], &credential);
                assert!(is_unauthenticated(&client.call(get()).await), "{id} at {node}");
                let assigned = client.call(team.request("late")).await;
                assert!(is_unauthenticated(&assigned), "{id} at {node}");
            }
        }
    }

    let (kept, credential) = create(&cluster.client(&[1]), "kept").await;
    secrets.push(credential.rsplit('_').next().unwrap().to_owned());
    let leader = cluster.leader_among(&cluster.ids()).await;
    cluster.kill(leader);
    let others = cluster.others(leader);
    for node in &others {
        let client = cluster.client_of(&[*node], &credential);
        team.assign(&client, &format!("after-{node}")).await;
    }
    // Another secret, by one of them: the other one knows, and so does the node that was away.
    let secret = draw().unwrap();
    let rotate = UpdateTokenRequest {
        token: Some(Token { name: kept.clone(), ..Token::default() }),
        secret_sha256: hash(&secret).to_vec().into(),
        ..UpdateTokenRequest::default()
    };
    cluster.client(&others[..1]).call(rotate).await.unwrap();
    let rotated = of_token("t", "kept", &secret);
    secrets.push(secret);
    cluster.restart(leader).await;
    for node in cluster.ids() {
        let old = cluster.client_of(&[node], &credential).call(get()).await;
        assert!(is_unauthenticated(&old), "at {node}");
        cluster.client_of(&[node], &rotated).call(get()).await.unwrap();
    }
    let delete = DeleteTokenRequest { name: kept, ..DeleteTokenRequest::default() };
    cluster.client(&others[1..]).call(delete).await.unwrap();
    for node in cluster.ids() {
        let gone = cluster.client_of(&[node], &rotated).call(get()).await;
        assert!(is_unauthenticated(&gone), "at {node}");
    }

    for node in cluster.ids() {
        let data = bytes_below(&cluster.data_dir(node));
        let log = cluster.log(node);
        assert!(holds(&data, "kept"), "the log is looked at");
        for secret in &secrets {
            assert!(!holds(&data, secret), "a secret in the data of node {node}");
            assert!(!log.contains(secret.as_str()), "a secret in the log of node {node}");
            let hash: String = hash(secret).iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(!log.contains(&hash), "a hash in the log of node {node}");
        }
    }
}
