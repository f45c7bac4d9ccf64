//! Every list there is: 1,001 things, and how many of them a page has.

use std::collections::BTreeSet;

use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::Code;
use turnwise::proto::{PUBLIC_FILE_DESCRIPTOR_SET, turnwise::v1 as pb};

use crate::nodes::{Node, Nodes, member, why};

/// One more than a page may have.
const THINGS: usize = 1_001;
/// Not the group of the rotations, each of which tells of every member.
const BIG: &str = "teams/t/groups/n0000";
/// A team has as many tokens as a page.
const TOKENS: usize = 1_000;

fn parent() -> String {
    "teams/t".to_owned()
}

fn id(number: usize) -> String {
    format!("n{number:04}")
}

/// At least 1,001 of everything that can be listed, beside what a set-up team has.
async fn fill(node: &Node) {
    let (mut teams, mut reps, mut groups) =
        (node.teams().await, node.reps().await, node.groups().await);
    let (mut rules, mut campaigns, mut tokens) =
        (node.rules().await, node.campaigns().await, node.tokens().await);
    let mut routing = node.routing().await;
    let mut contacts = Vec::new();
    for number in 0..THINGS {
        let team = pb::CreateTeamRequest { team_id: id(number), ..Default::default() };
        teams.create_team(team).await.unwrap();
        let rep =
            pb::CreateRepRequest { parent: parent(), rep_id: id(number), ..Default::default() };
        reps.create_rep(rep).await.unwrap();
        let group = pb::CreateGroupRequest {
            parent: parent(),
            group_id: id(number),
            group: Some(pb::Group { members: vec![member("a")], ..Default::default() }),
            ..Default::default()
        };
        groups.create_group(group).await.unwrap();
        let rule = pb::CreateRoutingRuleRequest {
            parent: parent(),
            routing_rule_id: id(number),
            routing_rule: Some(pb::RoutingRule { display_name: id(number), ..Default::default() }),
            ..Default::default()
        };
        rules.create_routing_rule(rule).await.unwrap();
        if number < TOKENS {
            let role = pb::Role { kind: pb::RoleKind::Admin.into(), ..Default::default() };
            // Of what secret is all the same here, but no two may have one.
            let mut secret = [0_u8; 32];
            secret[..8].copy_from_slice(&u64::try_from(number).unwrap().to_le_bytes());
            let token = pb::CreateTokenRequest {
                parent: parent(),
                token_id: id(number),
                token: Some(pb::Token { role: Some(role), ..Default::default() }),
                secret_sha256: secret.to_vec().into(),
                ..Default::default()
            };
            tokens.create_token(token).await.unwrap();
        }
        let kind = pb::target::Kind::Group("teams/t/groups/g".to_owned());
        let targets = vec![pb::Target { kind: Some(kind), ..Default::default() }];
        let campaign = pb::CreateCampaignRequest {
            parent: parent(),
            campaign_id: id(number),
            campaign: Some(pb::Campaign {
                targets: Some(pb::TargetList { targets }),
                ..Default::default()
            }),
            ..Default::default()
        };
        let name =
            campaigns.create_campaign(campaign).await.unwrap().into_inner().campaign.unwrap().name;
        let launch = pb::LaunchCampaignRequest { name: name.clone(), ..Default::default() };
        campaigns.launch_campaign(launch).await.unwrap();
        // A rotation of group g each.
        let assign = pb::AssignContactRequest {
            parent: parent(),
            contact: id(number),
            via: Some(pb::assign_contact_request::Via::Campaign(name)),
            ..Default::default()
        };
        contacts.push(assign);
    }
    for requests in contacts.chunks(1_000) {
        let batch = pb::BatchAssignContactsRequest {
            parent: parent(),
            requests: requests.to_vec(),
            ..Default::default()
        };
        routing.batch_assign_contacts(batch).await.unwrap();
    }
    let all: Vec<String> = (0..THINGS).map(id).collect();
    for members in all.chunks(1_000) {
        let join = pb::AddGroupMemberRequest {
            name: BIG.to_owned(),
            members: members.iter().map(|id| member(id)).collect(),
            ..Default::default()
        };
        groups.add_group_member(join).await.unwrap();
    }
}

/// Names of the calls that the descriptor has for a page of something.
fn lists() -> BTreeSet<String> {
    let files = FileDescriptorSet::decode(PUBLIC_FILE_DESCRIPTOR_SET).unwrap().file;
    let messages: Vec<_> = files.iter().flat_map(|file| &file.message_type).collect();
    let is_paged = |request: &str| {
        let name = request.rsplit('.').next().unwrap();
        let message = messages.iter().find(|message| message.name() == name).unwrap();
        message.field.iter().any(|field| field.name() == "page_size")
    };
    let methods = files.iter().flat_map(|file| &file.service).flat_map(|service| &service.method);
    methods.filter(|m| is_paged(m.input_type())).map(|m| m.name().to_owned()).collect()
}

#[tokio::test]
async fn a_page_of_every_list_has_1_to_1000_and_says_where_it_goes_on() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    fill(node).await;
    let mut asked = BTreeSet::new();
    // Client, call, request, its parent, and where the answer has the items.
    macro_rules! every {
        ($($client:ident.$call:ident($request:ident { $($field:ident: $value:expr),* }).$items:ident;)*) => {$(
            let mut client = node.$client().await;
            let request = pb::$request { $($field: $value,)* ..Default::default() };
            for (page_size, got) in [(1, 1), (0, 100), (999, 999), (1_000, 1_000), (1_001, 1_000), (i32::MAX, 1_000)] {
                let request = pb::$request { page_size, ..request.clone() };
                let page = client.$call(request).await.unwrap().into_inner();
                assert_eq!(page.$items.len(), got, "{} of {page_size}", stringify!($call));
                let is_all = got == TOKENS && stringify!($call) == "list_tokens";
                assert_eq!(page.next_page_token.is_empty(), is_all, "{}", stringify!($call));
            }
            let request = pb::$request { page_size: -1, ..request };
            let refused = client.$call(request).await.unwrap_err();
            let fields = vec!["page_size".to_owned()];
            assert_eq!(why(&refused), (Code::InvalidArgument, "INVALID_FIELD".to_owned(), fields));
            let name = stringify!($request).strip_suffix("Request").unwrap();
            asked.insert(name.to_owned());
        )*};
    }
    let (ring, big) = (|| "teams/t/groups/g".to_owned(), || BIG.to_owned());
    every! {
        teams.list_teams(ListTeamsRequest {}).teams;
        reps.list_reps(ListRepsRequest { parent: parent() }).reps;
        groups.list_groups(ListGroupsRequest { parent: parent() }).groups;
        groups.list_group_members(ListGroupMembersRequest { parent: big() }).members;
        groups.list_rotations(ListRotationsRequest { parent: ring() }).rotations;
        rules.list_routing_rules(ListRoutingRulesRequest { parent: parent() }).routing_rules;
        campaigns.list_campaigns(ListCampaignsRequest { parent: parent() }).campaigns;
        tokens.list_tokens(ListTokensRequest { parent: parent() }).tokens;
        routing.list_assignments(ListAssignmentsRequest { parent: parent() }).assignments;
        events.list_events(ListEventsRequest { parent: parent() }).events;
    }
    assert_eq!(asked, lists(), "every list, and nothing else");
}
