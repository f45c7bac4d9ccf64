//! Who may call what: credentials, roles, streams whose token goes away.
//!
//! | File | Shows |
//! |---|---|
//! | `matrix` | every call, by everybody, against the table in `access.txt` |
//! | `credentials` | one answer for every credential that opens nothing |
//! | `changes` | what a token's role, end and secret become takes effect at once; who did what is told |
//! | `events` | what the holder of a token sees of what happened |
//! | `streams` | streams whose token is deleted while they are open |
//!
//! Here are the people: a team `t` with a token of each role, and a team `u` of others.

mod changes;
mod credentials;
mod events;
mod matrix;
mod streams;

use tonic::{Code, Status};
use turnwise::{
    client::{Call, Client, Credential, Error, Options},
    credentials::{hash, of_operator, of_token},
    events::Bounds,
    proto::turnwise::v1::{
        self as pb, RoleKind, assign_contact_request::Via, group_member, target::Kind,
    },
    routing::{SecretHash, State},
};

use crate::nodes::{Node, Nodes};

/// Secrets are random; here they are told apart by a number.
fn secret(number: u32) -> String {
    format!("{number:064x}")
}

fn operator() -> String {
    of_operator(&secret(1))
}

/// The tokens of team `t`, by id, with the numbers of their secrets.
const TOKENS: [(&str, u32, RoleKind); 6] = [
    ("admin", 2, RoleKind::Admin),
    ("manager", 3, RoleKind::Manager),
    ("west-lead", 4, RoleKind::GroupManager),
    ("router", 5, RoleKind::Router),
    ("ana", 6, RoleKind::Rep),
    ("viewer", 7, RoleKind::Viewer),
];
/// The number of the secret of the admin of team `u`.
const OTHER: u32 = 8;

/// What the holder of a token of team `t` shows.
fn credential(token: &str) -> String {
    let (_, number, _) = TOKENS.iter().find(|(id, ..)| *id == token).unwrap();
    of_token("t", token, &secret(*number))
}

fn t(rest: &str) -> String {
    format!("teams/t/{rest}")
}

/// A client of one node that shows this.
fn client(node: &Node, credential: &str) -> Client {
    let credential = Some(Credential::new(credential).unwrap());
    let options = Options { credential, ..Options::default() };
    Client::new(&[node.address.to_string()], options).unwrap()
}

async fn ask<C: Call + Send>(client: &Client, call: C) -> Result<C::Answer, Status> {
    client.call(call).await.map_err(|error| match error {
        Error::Refused(status) => *status,
        Error::Unavailable { .. } => panic!("{error}"),
    })
}

fn role(kind: RoleKind) -> pb::Role {
    let groups = if kind == RoleKind::GroupManager { vec![t("groups/west")] } else { Vec::new() };
    let rep = if kind == RoleKind::Rep { t("reps/ana") } else { String::new() };
    pb::Role { kind: kind.into(), groups, rep }
}

fn new_token(team: &str, id: &str, number: u32, role: pb::Role) -> pb::CreateTokenRequest {
    pb::CreateTokenRequest {
        parent: format!("teams/{team}"),
        token_id: id.to_owned(),
        token: Some(pb::Token { role: Some(role), ..Default::default() }),
        secret_sha256: hash(&secret(number)).to_vec().into(),
        ..Default::default()
    }
}

fn member(rep: &str) -> pb::GroupMember {
    let member = Some(group_member::Member::Rep(t(&format!("reps/{rep}"))));
    pb::GroupMember { member, ..Default::default() }
}

fn group(id: &str, members: &[&str]) -> pb::CreateGroupRequest {
    let members = members.iter().map(|rep| member(rep)).collect();
    pb::CreateGroupRequest {
        parent: "teams/t".to_owned(),
        group_id: id.to_owned(),
        group: Some(pb::Group { members, ..Default::default() }),
        ..Default::default()
    }
}

/// A contact for a rep.
fn contact(id: &str, rep: &str) -> pb::AssignContactRequest {
    pb::AssignContactRequest {
        parent: "teams/t".to_owned(),
        contact: id.to_owned(),
        via: Some(Via::Rep(t(&format!("reps/{rep}")))),
        ..Default::default()
    }
}

/// A team with somebody of every role and something to do for each; any number of nodes can begin there.
struct World {
    state: State,
    applied: u64,
    /// Names of an assignment of `ana`, one of `bo`, and one that waits for a person.
    anas: String,
    bos: String,
    free: String,
}

impl World {
    async fn new() -> Self {
        let nodes = Self::nodes_at(1, State::default(), 0).await;
        let by = client(nodes.leader(), &operator());
        for id in ["t", "u"] {
            let team = pb::CreateTeamRequest { team_id: id.to_owned(), ..Default::default() };
            ask(&by, team).await.unwrap();
        }
        for id in ["ana", "bo", "cy"] {
            let rep = pb::Rep { email: format!("{id}@example.com"), ..Default::default() };
            let create = pb::CreateRepRequest {
                parent: "teams/t".to_owned(),
                rep_id: id.to_owned(),
                rep: Some(rep),
                ..Default::default()
            };
            ask(&by, create).await.unwrap();
        }
        ask(&by, group("west", &["ana", "cy"])).await.unwrap();
        ask(&by, group("east", &["bo", "cy"])).await.unwrap();
        let rule = |id: &str, targets| pb::CreateRoutingRuleRequest {
            parent: "teams/t".to_owned(),
            routing_rule_id: id.to_owned(),
            routing_rule: Some(pb::RoutingRule {
                display_name: id.to_owned(),
                targets,
                ..Default::default()
            }),
            ..Default::default()
        };
        let to_east =
            pb::Target { kind: Some(Kind::Group(t("groups/east"))), ..Default::default() };
        ask(&by, rule("east", vec![to_east])).await.unwrap();
        ask(&by, rule("nobody", Vec::new())).await.unwrap();
        let campaign = pb::CreateCampaignRequest {
            parent: "teams/t".to_owned(),
            campaign_id: "run".to_owned(),
            campaign: Some(pb::Campaign {
                routing_rule: t("routingRules/east"),
                ..Default::default()
            }),
            ..Default::default()
        };
        ask(&by, campaign).await.unwrap();
        let mut names = Vec::new();
        for (id, via) in [
            ("1", Via::Rep(t("reps/ana"))),
            ("2", Via::Rep(t("reps/bo"))),
            ("3", Via::RoutingRule(t("routingRules/nobody"))),
        ] {
            let request = pb::AssignContactRequest { via: Some(via), ..contact(id, "ana") };
            names.push(ask(&by, request).await.unwrap().assignment.unwrap().name);
        }
        for (id, number, kind) in TOKENS {
            ask(&by, new_token("t", id, number, role(kind))).await.unwrap();
        }
        ask(&by, new_token("u", "admin", OTHER, role(RoleKind::Admin))).await.unwrap();
        let look = |state: &State, at: turnwise::replica::ReadAt| (state.clone(), at.applied_index);
        let (state, applied) = nodes.leader().replica.read(look).await.unwrap();
        let [anas, bos, free] = names.try_into().unwrap();
        Self { state, applied, anas, bos, free }
    }

    /// So many nodes that begin with it; node 1 leads.
    async fn nodes(&self, n: u64) -> Nodes {
        Self::nodes_at(n, self.state.clone(), self.applied).await
    }

    async fn nodes_at(n: u64, state: State, applied: u64) -> Nodes {
        let operator = SecretHash(hash(&secret(1)));
        Nodes::going_on(n, Bounds::default(), state, applied, Some(operator)).await
    }
}

/// An answer to somebody who may not know: nothing of secrets, hashes and people is in it.
#[track_caller]
fn tells_nothing(refused: &Status) {
    let text = format!("{refused:?} {}", String::from_utf8_lossy(refused.details()));
    assert!(!text.contains('@'), "an email: {text}");
    for number in 0..32 {
        assert!(!text.contains(&secret(number)), "a secret: {text}");
        let hash: String =
            hash(&secret(number)).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        assert!(!text.contains(&hash), "a hash: {text}");
    }
}

fn is_refused(answer: &Result<(), Status>) -> Option<Code> {
    let code = answer.as_ref().err().map(Status::code);
    code.filter(|code| [Code::PermissionDenied, Code::Unauthenticated].contains(code))
}
