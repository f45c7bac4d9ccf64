//! Members of a group that is larger than an answer or a call: all pages of them, and what a reorder takes.

use tonic::Code;
use turnwise::proto::turnwise::v1::{
    self as pb, group_member::Member, remove_group_member_request as remove,
};

use crate::nodes::{Node, Nodes, member, why};

const GROUP: &str = "teams/t/groups/big";

/// Group `big` of reps `r0` to `r4`.
async fn big(node: &Node) {
    node.set_up().await;
    let mut reps = node.reps().await;
    for id in ["r0", "r1", "r2", "r3", "r4", "r5"] {
        let request = pb::CreateRepRequest {
            parent: "teams/t".to_owned(),
            rep_id: id.to_owned(),
            rep: Some(pb::Rep::default()),
            ..Default::default()
        };
        reps.create_rep(request).await.unwrap();
    }
    let heavy = pb::GroupMember { weight: Some(3), ..member("r2") };
    let group = pb::Group {
        members: vec![member("r0"), member("r1"), heavy, member("r3"), member("r4")],
        ..Default::default()
    };
    let request = pb::CreateGroupRequest {
        parent: "teams/t".to_owned(),
        group_id: "big".to_owned(),
        group: Some(group),
        ..Default::default()
    };
    node.groups().await.create_group(request).await.unwrap();
}

/// A page of two: the ids in it, and the token of the next.
async fn page(node: &Node, token: &str) -> (Vec<String>, String) {
    let request = pb::ListGroupMembersRequest {
        parent: GROUP.to_owned(),
        page_size: 2,
        page_token: token.to_owned(),
    };
    let page = node.groups().await.list_group_members(request).await.unwrap().into_inner();
    let id = |member: &pb::GroupMember| match member.member.as_ref().unwrap() {
        Member::Rep(name) => name.strip_prefix("teams/t/reps/").unwrap().to_owned(),
        other @ (Member::Option(_) | Member::Group(_)) => panic!("{other:?}"),
    };
    (page.members.iter().map(id).collect(), page.next_page_token)
}

async fn remove(node: &Node, id: &str) {
    let request = pb::RemoveGroupMemberRequest {
        name: GROUP.to_owned(),
        member: Some(remove::Member::Rep(format!("teams/t/reps/{id}"))),
        ..Default::default()
    };
    node.groups().await.remove_group_member(request).await.unwrap();
}

#[tokio::test]
async fn members_come_in_ring_order_page_by_page_and_as_the_group_has_them() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    big(node).await;
    let (first, next) = page(node, "").await;
    let (second, next) = page(node, &next).await;
    let (third, end) = page(node, &next).await;
    assert_eq!([first, second, third].concat(), ["r0", "r1", "r2", "r3", "r4"]);
    assert_eq!(end, "");

    let mut groups = node.groups().await;
    let all = pb::ListGroupMembersRequest { parent: GROUP.to_owned(), ..Default::default() };
    let all = groups.list_group_members(all).await.unwrap().into_inner();
    let get = pb::GetGroupRequest { name: GROUP.to_owned() };
    let group = groups.get_group(get).await.unwrap().into_inner().group.unwrap();
    assert_eq!(all.members, group.members, "with weight, key and time");
    assert_eq!(all.members[2].weight, Some(3));
}

#[tokio::test]
async fn a_member_that_leaves_or_joins_between_pages_costs_no_other_its_place() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    big(node).await;
    let (first, next) = page(node, "").await;
    // The one at which the page ended, the one that would be next, and one that joins.
    remove(node, "r1").await;
    remove(node, "r2").await;
    let join = pb::AddGroupMemberRequest {
        name: GROUP.to_owned(),
        members: vec![member("r5")],
        ..Default::default()
    };
    node.groups().await.add_group_member(join).await.unwrap();
    let (second, next) = page(node, &next).await;
    let (third, end) = page(node, &next).await;
    assert_eq!([first, second, third].concat(), ["r0", "r1", "r3", "r4", "r5"]);
    assert_eq!(end, "");
}

#[tokio::test]
async fn wrong_fields_of_a_list_of_members_are_named() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    big(node).await;
    let mut groups = node.groups().await;
    let wrong = pb::ListGroupMembersRequest {
        parent: "teams/t".to_owned(),
        page_size: -1,
        page_token: "03".to_owned(),
    };
    let refused = groups.list_group_members(wrong).await.unwrap_err();
    assert_eq!(why(&refused).2, ["parent", "page_size", "page_token"]);
    let unknown =
        pb::ListGroupMembersRequest { parent: format!("{GROUP}-not"), ..Default::default() };
    let refused = groups.list_group_members(unknown).await.unwrap_err();
    assert_eq!(why(&refused).1, "RESOURCE_NOT_FOUND");
}

#[tokio::test]
async fn a_reorder_that_fits_no_message_or_no_entry_is_refused_with_that() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    big(node).await;
    let mut groups = node.groups().await;
    let mut reorder = async |count: usize, id_len: usize| {
        let id = |n: usize| format!("teams/t/reps/{n:0id_len$}");
        let request = pb::ReorderGroupRequest {
            name: GROUP.to_owned(),
            members: (0..count).map(id).collect(),
            ..Default::default()
        };
        let refused = groups.reorder_group(request).await.unwrap_err();
        (refused.code(), why(&refused).1)
    };
    assert_eq!(reorder(4_000, 128).await, (Code::InvalidArgument, "CALL_TOO_LARGE".to_owned()));
    let large = (Code::ResourceExhausted, "MESSAGE_TOO_LARGE".to_owned());
    assert_eq!(reorder(100_000, 9).await, large);
    // What the proto says always fits, does: it reaches the rules.
    assert_eq!(reorder(3_800, 128).await.1, "INVALID_REORDER");
    assert_eq!(reorder(28_000, 10).await.1, "INVALID_REORDER");
}
