//! Calls through the generated clients, each on another node than the one before, with a record of
//! the paths that really went out. What to ask and what to expect is not here.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::{
    Response, Status,
    body::Body,
    codegen::{Service, http},
    transport::Channel,
};
use turnwise::{client::Call, proto::PUBLIC_FILE_DESCRIPTOR_SET};

use crate::{
    harness::{Cluster, eventually},
    service::says_when_to_retry,
};

/// A request that left: for which node, and with which path.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sent {
    node: u64,
    path: String,
}

/// A connection to one node that notes what goes over it.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    node: u64,
    channel: Channel,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Service<http::Request<Body>> for Wire {
    type Response = <Channel as Service<http::Request<Body>>>::Response;
    type Error = <Channel as Service<http::Request<Body>>>::Error;
    type Future = <Channel as Service<http::Request<Body>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.channel.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let path = request.uri().path().to_owned();
        self.sent.lock().unwrap().push(Sent { node: self.node, path });
        self.channel.call(request)
    }
}

/// Goes round the nodes of a cluster, call by call.
#[derive(Debug)]
pub(crate) struct Tour {
    wires: Vec<Wire>,
    calls: usize,
    /// Paths of calls that were answered, not refused.
    answered: BTreeSet<String>,
}

impl Tour {
    pub(crate) async fn of(cluster: &Cluster) -> Self {
        let sent = Arc::default();
        let mut wires = Vec::new();
        for node in cluster.ids() {
            let channel = cluster.channel(node).await;
            wires.push(Wire { node, channel, sent: Arc::clone(&sent) });
        }
        Self { wires, calls: 0, answered: BTreeSet::new() }
    }

    /// The node whose turn it is.
    pub(crate) fn next(&mut self) -> Wire {
        self.calls += 1;
        self.wires[self.calls % self.wires.len()].clone()
    }

    /// Makes a call on the next node; on the one after it, and so on, while the answer says that there
    /// is no leader just now. A change carries one request id, so that it is made once.
    pub(crate) async fn ask<C: Call>(
        &mut self,
        mut call: C,
        send: impl AsyncFn(Wire, C) -> Result<Response<C::Answer>, Status>,
    ) -> Result<C::Answer, Status> {
        let fresh = format!("call-{}", self.calls);
        if let Some(id) = call.request_id() {
            *id = fresh;
        }
        let answer = eventually(async || match send(self.next(), call.clone()).await {
            Err(status) if says_when_to_retry(&status) => None,
            answer => Some(answer.map(Response::into_inner)),
        });
        let answer = answer.await.expect("there is a leader in time");
        assert_eq!(self.last_path(), C::PATH, "the hand-written client calls the same path");
        if answer.is_ok() {
            self.note_answered();
        }
        answer
    }

    fn last_path(&self) -> String {
        self.wires[0].sent.lock().unwrap().last().unwrap().path.clone()
    }

    /// The call sent last was answered.
    pub(crate) fn note_answered(&mut self) {
        self.answered.insert(self.last_path());
    }

    /// Checks that every public call there is was made and answered, and that no two in a row went to
    /// the same node.
    pub(crate) fn was_complete(&self) {
        let there_are = public_paths();
        let unmade: Vec<_> = there_are.difference(&self.answered).collect();
        assert!(unmade.is_empty(), "declared, and not called here: {unmade:?}");
        let unknown: Vec<_> = self.answered.difference(&there_are).collect();
        assert!(unknown.is_empty(), "called, and declared nowhere: {unknown:?}");
        let sent = self.wires[0].sent.lock().unwrap();
        let in_a_row = sent.windows(2).find(|two| two[0].node == two[1].node);
        assert_eq!(in_a_row, None);
    }
}

/// `/package.Service/Method` of every call that the public packages declare.
fn public_paths() -> BTreeSet<String> {
    let files = FileDescriptorSet::decode(PUBLIC_FILE_DESCRIPTOR_SET).unwrap().file;
    let mut paths = BTreeSet::new();
    for file in &files {
        for service in &file.service {
            for method in &service.method {
                paths.insert(format!("/{}.{}/{}", file.package(), service.name(), method.name()));
            }
        }
    }
    paths
}
