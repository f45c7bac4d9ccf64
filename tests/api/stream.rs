//! `AssignContacts`: order, items that fail alone, a stream that outlives its leader.

use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming};
use turnwise::proto::turnwise::v1::{
    AssignContactRequest, AssignContactsRequest, AssignContactsResponse,
    assign_contacts_response::Result as ItemResult,
};

use crate::nodes::{Mode, Node, Nodes, contact, why};

struct Stream {
    items: mpsc::Sender<AssignContactsRequest>,
    answers: Streaming<AssignContactsResponse>,
}

impl Stream {
    async fn open(node: &Node) -> Self {
        let (items, sent) = mpsc::channel(4_096);
        let mut routing = node.routing().await;
        let answers = routing.assign_contacts(ReceiverStream::new(sent)).await.unwrap();
        Self { items, answers: answers.into_inner() }
    }

    async fn send(&self, request: AssignContactRequest) {
        self.items.send(AssignContactsRequest { request: Some(request) }).await.unwrap();
    }

    /// The next answer's number, and the rep or the reason.
    async fn next(&mut self) -> (u64, String) {
        let answer = self.answers.next().await.unwrap().unwrap();
        let said = match answer.result.unwrap() {
            ItemResult::Response(done) => done.assignment.unwrap().rep,
            ItemResult::Status(refused) => format!("{} {}", refused.reason, refused.field),
        };
        (answer.item, said)
    }
}

#[tokio::test]
async fn answers_come_in_the_order_of_the_items_each_with_its_own_status() {
    let nodes = Nodes::one().await;
    nodes.leader().set_up().await;
    let mut stream = Stream::open(nodes.leader()).await;
    stream.send(contact("1")).await;
    stream.send(contact("a b")).await;
    stream.send(AssignContactRequest { parent: "teams/nobody".to_owned(), ..contact("2") }).await;
    stream.items.send(AssignContactsRequest { request: None }).await.unwrap();
    stream.send(contact("2")).await;
    let expected = [
        "teams/t/reps/a",
        "INVALID_FIELD contact",
        "INVALID_FIELD campaign",
        "INVALID_FIELD parent",
        "teams/t/reps/b",
    ];
    for (number, said) in (0..).zip(expected) {
        assert_eq!(stream.next().await, (number, said.to_owned()));
    }
    drop(stream.items);
    assert!(stream.answers.next().await.is_none(), "the stream ends well");
}

#[tokio::test]
async fn two_thousand_items_are_taken_in_order() {
    let nodes = Nodes::one().await;
    nodes.leader().set_up().await;
    let mut stream = Stream::open(nodes.leader()).await;
    for i in 0..2_000 {
        stream.send(contact(&i.to_string())).await;
    }
    let ring = ["a", "b", "c"].map(|r| format!("teams/t/reps/{r}"));
    for (number, rep) in (0..2_000).zip(ring.iter().cycle()) {
        assert_eq!(stream.next().await, (number, rep.clone()));
    }
}

#[tokio::test]
async fn a_lost_leader_costs_the_unanswered_items_and_not_the_stream() {
    let nodes = Nodes::start(2).await;
    nodes.leader().set_up().await;
    for at in [nodes.leader(), nodes.follower()] {
        nodes.leader().set(Mode::Serve);
        let mut stream = Stream::open(at).await;
        let id = |n: u64| format!("{}-{n}", at.id);
        stream.send(contact(&id(0))).await;
        assert!(stream.next().await.1.starts_with("teams/t/reps/"));

        nodes.leader().set(Mode::Hold);
        stream.send(contact(&id(1))).await;
        stream.send(contact(&id(2))).await;
        nodes.leader().holds(2).await;
        nodes.leader().set(Mode::Lose);
        assert_eq!(stream.next().await, (1, "LEADERSHIP_LOST ".to_owned()));
        assert_eq!(stream.next().await, (2, "LEADERSHIP_LOST ".to_owned()));

        nodes.leader().set(Mode::Serve);
        stream.send(contact(&id(1))).await;
        let (number, rep) = stream.next().await;
        assert_eq!(number, 3);
        assert!(rep.starts_with("teams/t/reps/"), "{rep}");
    }
}

#[tokio::test]
async fn an_item_over_the_limit_ends_the_stream_after_the_answers_before_it() {
    let nodes = Nodes::one().await;
    nodes.leader().set_up().await;
    let mut stream = Stream::open(nodes.leader()).await;
    stream.send(contact("1")).await;
    stream.send(contact(&"x".repeat(64 * 1024))).await;
    assert_eq!(stream.next().await, (0, "teams/t/reps/a".to_owned()));
    let refused = stream.answers.next().await.unwrap().unwrap_err();
    assert_eq!(why(&refused), (Code::ResourceExhausted, "MESSAGE_TOO_LARGE".to_owned(), vec![]));
}

#[tokio::test]
async fn an_item_that_is_only_tried_out_is_answered_and_changes_nothing() {
    let nodes = Nodes::start(2).await;
    nodes.leader().set_up().await;
    let before = nodes.leader().hash().await;
    for node in &nodes.nodes {
        let mut stream = Stream::open(node).await;
        for number in 0..3 {
            let dry = AssignContactRequest { validate_only: true, ..contact(&number.to_string()) };
            stream.send(dry).await;
            let answer = stream.answers.next().await.unwrap().unwrap();
            let Some(ItemResult::Response(tried)) = answer.result else { panic!("{answer:?}") };
            let assignment = tried.assignment.unwrap();
            let seen = (assignment.name.as_str(), assignment.rep.as_str());
            assert_eq!(seen, ("", "teams/t/reps/a"), "nobody's turn was used");
            assert_eq!((tried.position, assignment.position), (None, None));
            assert_eq!((answer.item, node.hash().await), (number, before));
        }
    }
    // Between those in earnest, too: each sees what was answered before it.
    let mut stream = Stream::open(nodes.follower()).await;
    let items = [(0, false, "a"), (1, true, "b"), (2, false, "b"), (3, true, "c")];
    for (number, validate_only, rep) in items {
        let id = number.to_string();
        stream.send(AssignContactRequest { validate_only, ..contact(&id) }).await;
        assert_eq!(stream.next().await, (number, format!("teams/t/reps/{rep}")));
    }
}
