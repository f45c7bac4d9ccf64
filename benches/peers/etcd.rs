//! A client of etcd for what is compared: put, assign, assign many, read.
//!
//! The few messages needed are written out here, with the field numbers of etcd's `rpc.proto`; what is not
//! used of them is left out. Everything goes to the leader, which saves etcd one hop for every call.

use std::borrow::Cow;

use tokio::sync::Mutex;
use tonic::{
    Request,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;

use super::{
    check::{Answer, Answers},
    job::{BATCH, DETAILS, Job, contact_id, rep},
};
use ::turnwise::load::{Failed, Target};

/// How often a compare-and-set is tried before a call is given up.
const ATTEMPTS_MAX: usize = 10_000;
/// Of the value that is only put, in bytes.
const VALUE_LEN: usize = 256;

// --- Messages ---

#[derive(Clone, PartialEq, prost::Message)]
struct Header {
    #[prost(uint64, tag = "2")]
    member_id: u64,
    #[prost(int64, tag = "3")]
    revision: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct StatusRequest {}

#[derive(Clone, PartialEq, prost::Message)]
struct StatusResponse {
    #[prost(message, optional, tag = "1")]
    header: Option<Header>,
    /// The leader's id.
    #[prost(uint64, tag = "4")]
    leader: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct KeyValue {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    /// The store's revision when it was last put.
    #[prost(int64, tag = "3")]
    mod_revision: i64,
    #[prost(bytes = "vec", tag = "5")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RangeRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    /// From this member's memory, without asking whether it still leads.
    #[prost(bool, tag = "7")]
    serializable: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RangeResponse {
    #[prost(message, repeated, tag = "2")]
    kvs: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PutRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PutResponse {}

/// Is equal, as the result's default says.
#[derive(Clone, PartialEq, prost::Message)]
struct Compare {
    #[prost(enumeration = "CompareTarget", tag = "2")]
    target: i32,
    #[prost(bytes = "vec", tag = "3")]
    key: Vec<u8>,
    #[prost(oneof = "Expected", tags = "5, 6")]
    expected: Option<Expected>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
enum CompareTarget {
    Version = 0,
    Create = 1,
    Mod = 2,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Expected {
    #[prost(int64, tag = "5")]
    CreateRevision(i64),
    #[prost(int64, tag = "6")]
    ModRevision(i64),
}

#[derive(Clone, PartialEq, prost::Message)]
struct RequestOp {
    #[prost(oneof = "Op", tags = "1, 2")]
    op: Option<Op>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Op {
    #[prost(message, tag = "1")]
    Range(RangeRequest),
    #[prost(message, tag = "2")]
    Put(PutRequest),
}

#[derive(Clone, PartialEq, prost::Message)]
struct ResponseOp {
    /// Puts answer with nothing that is of use here.
    #[prost(message, optional, tag = "1")]
    range: Option<RangeResponse>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct TxnRequest {
    #[prost(message, repeated, tag = "1")]
    compare: Vec<Compare>,
    #[prost(message, repeated, tag = "2")]
    success: Vec<RequestOp>,
    #[prost(message, repeated, tag = "3")]
    failure: Vec<RequestOp>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct TxnResponse {
    #[prost(message, optional, tag = "1")]
    header: Option<Header>,
    #[prost(bool, tag = "2")]
    succeeded: bool,
    #[prost(message, repeated, tag = "3")]
    responses: Vec<ResponseOp>,
}

impl Compare {
    fn unchanged_since(key: String, revision: i64) -> Self {
        let expected = Some(Expected::ModRevision(revision));
        Self { target: CompareTarget::Mod.into(), key: key.into(), expected }
    }

    fn absent(key: String) -> Self {
        let expected = Some(Expected::CreateRevision(0));
        Self { target: CompareTarget::Create.into(), key: key.into(), expected }
    }
}

fn put(key: String, value: String) -> RequestOp {
    RequestOp { op: Some(Op::Put(PutRequest { key: key.into(), value: value.into() })) }
}

fn range(key: String) -> RequestOp {
    RequestOp { op: Some(Op::Range(RangeRequest { key: key.into(), serializable: false })) }
}

// --- Connections ---

/// Connections to the leader.
#[derive(Debug)]
pub(crate) struct Connections(Vec<Grpc<Channel>>);

impl Connections {
    /// Asks each member who leads, and connects to that one.
    pub(crate) async fn to_leader(addresses: &[String], connections: usize) -> Self {
        for address in addresses {
            let one = Self(vec![connect(address).await]);
            let path = "/etcdserverpb.Maintenance/Status";
            let status: StatusResponse = one.ask(0, path, StatusRequest {}).await.unwrap();
            if status.header.is_some_and(|header| header.member_id == status.leader) {
                let mut all = Vec::new();
                for _ in 0..connections {
                    all.push(connect(address).await);
                }
                return Self(all);
            }
        }
        panic!("none of {addresses:?} says that it leads");
    }

    async fn ask<Q, A>(&self, caller: usize, path: &'static str, request: Q) -> Result<A, Failed>
    where
        Q: prost::Message + Send + Sync + 'static,
        A: prost::Message + Default + Send + Sync + 'static,
    {
        let mut grpc = self.0[caller % self.0.len()].clone();
        grpc.ready().await.map_err(|_| Failed(Cow::Borrowed("UNAVAILABLE")))?;
        let (path, codec) = (PathAndQuery::from_static(path), ProstCodec::<Q, A>::default());
        match grpc.unary(Request::new(request), path, codec).await {
            Ok(answer) => Ok(answer.into_inner()),
            Err(status) => Err(Failed(Cow::Owned(format!("{:?}", status.code())))),
        }
    }

    async fn txn(&self, caller: usize, request: TxnRequest) -> Result<TxnResponse, Failed> {
        self.ask(caller, "/etcdserverpb.KV/Txn", request).await
    }

    async fn range(&self, caller: usize, request: RangeRequest) -> Result<RangeResponse, Failed> {
        self.ask(caller, "/etcdserverpb.KV/Range", request).await
    }
}

async fn connect(address: &str) -> Grpc<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    Grpc::new(endpoint.tcp_nodelay(true).connect().await.unwrap())
}

// --- Put and read ---

/// A plain put of 256 bytes, each under a key of its own.
#[derive(Debug)]
pub(crate) struct Put {
    connections: Connections,
    run: u32,
}

impl Put {
    pub(crate) async fn new(addresses: &[String], job: Job) -> Self {
        let connections = Connections::to_leader(addresses, job.connections).await;
        Self { connections, run: job.run }
    }
}

impl Target for Put {
    async fn call(&self, caller: usize, number: u64) -> Result<(), Failed> {
        let key = format!("put/{}/{}", self.run, contact_id(number)).into();
        let request = PutRequest { key, value: vec![b'x'; VALUE_LEN] };
        let _answer: PutResponse =
            self.connections.ask(caller, "/etcdserverpb.KV/Put", request).await?;
        Ok(())
    }
}

/// A linearizable read of one key of 256 bytes.
#[derive(Debug)]
pub(crate) struct Read {
    connections: Connections,
    key: Vec<u8>,
}

impl Read {
    /// Puts what is read.
    pub(crate) async fn new(addresses: &[String], job: Job) -> Self {
        let put = Put::new(addresses, job).await;
        put.call(0, 0).await.unwrap();
        let key = format!("put/{}/{}", job.run, contact_id(0)).into();
        Self { connections: put.connections, key }
    }
}

impl Target for Read {
    async fn call(&self, caller: usize, _number: u64) -> Result<(), Failed> {
        let request = RangeRequest { key: self.key.clone(), serializable: false };
        let answer = self.connections.range(caller, request).await?;
        let found = answer.kvs.first().is_some_and(|kv| kv.value.len() == VALUE_LEN);
        if found { Ok(()) } else { Err(Failed(Cow::Borrowed("NOT_FOUND"))) }
    }
}

// --- Assign ---

/// The next sequence number of a group, and when it last moved. Both are 0 for a group without assignments.
#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    next: u64,
    mod_revision: i64,
}

impl Cursor {
    fn of(answer: Option<&RangeResponse>) -> Result<Self, Failed> {
        let Some(kv) = answer.and_then(|answer| answer.kvs.first()) else {
            return Ok(Self::default());
        };
        let text = std::str::from_utf8(&kv.value).ok();
        let next = text.and_then(|text| text.parse().ok()).ok_or_else(unreadable)?;
        Ok(Self { next, mod_revision: kv.mod_revision })
    }
}

fn cursor_key(group: u32) -> String {
    format!("cursor/{group}")
}

fn assignment_key(group: u32, contact: u64) -> String {
    format!("assignment/{group}/{}", contact_id(contact))
}

fn assignment(seq: u64) -> String {
    format!("{seq} {} {DETAILS}", rep(seq))
}

fn answer(contact: u64, group: u32, assignment: &KeyValue) -> Result<Answer, Failed> {
    let text = std::str::from_utf8(&assignment.value).map_err(|_| unreadable())?;
    let mut words = text.split(' ');
    let seq = words.next().and_then(|seq| seq.parse().ok()).ok_or_else(unreadable)?;
    Ok(Answer::new(contact, group, seq, words.next().unwrap_or_default()))
}

fn unreadable() -> Failed {
    Failed(Cow::Borrowed("UNREADABLE"))
}

/// Get the cursor, then compare-and-set cursor and assignment; again if another was faster.
#[derive(Debug)]
pub(crate) struct Assign {
    connections: Connections,
    job: Job,
    pub(crate) answers: Answers,
}

impl Assign {
    pub(crate) async fn new(addresses: &[String], job: Job) -> Self {
        let connections = Connections::to_leader(addresses, job.connections).await;
        Self { connections, job, answers: Answers::of(job.callers) }
    }

    async fn assign(&self, caller: usize, group: u32, contact: u64) -> Result<Answer, Failed> {
        // An old cursor does no harm, the comparison finds it: so this read is the cheaper one.
        let request = RangeRequest { key: cursor_key(group).into(), serializable: true };
        let mut cursor = Cursor::of(Some(&self.connections.range(caller, request).await?))?;
        for _ in 0..ATTEMPTS_MAX {
            let seq = cursor.next;
            let (cursor_key, key) = (cursor_key(group), assignment_key(group, contact));
            let request = TxnRequest {
                compare: vec![
                    Compare::unchanged_since(cursor_key.clone(), cursor.mod_revision),
                    Compare::absent(key.clone()),
                ],
                success: vec![
                    put(cursor_key.clone(), (seq + 1).to_string()),
                    put(key.clone(), assignment(seq)),
                ],
                // What the next attempt has to know, without a call of its own.
                failure: vec![range(cursor_key), range(key)],
            };
            let said = self.connections.txn(caller, request).await?;
            if said.succeeded {
                return Ok(Answer::new(contact, group, seq, &rep(seq)));
            }
            let mut ranges = said.responses.iter().map(|response| response.range.as_ref());
            cursor = Cursor::of(ranges.next().flatten())?;
            if let Some(existing) = ranges.next().flatten().and_then(|range| range.kvs.first()) {
                return answer(contact, group, existing);
            }
        }
        Err(Failed(Cow::Borrowed("CONFLICT")))
    }
}

impl Target for Assign {
    async fn call(&self, caller: usize, number: u64) -> Result<(), Failed> {
        self.answers.ask(1);
        let answer = self.assign(caller, self.job.group(number), number).await?;
        self.answers.add(caller, [answer]);
        Ok(())
    }
}

/// 64 assigns in one transaction, by the sole writer of each group: it knows the cursor and has no rival.
#[derive(Debug)]
pub(crate) struct AssignBatch {
    connections: Connections,
    job: Job,
    /// By group, what its writer knows. Whoever holds the lock is the writer.
    cursors: Vec<Mutex<Cursor>>,
    pub(crate) answers: Answers,
}

impl AssignBatch {
    pub(crate) async fn new(addresses: &[String], job: Job) -> Self {
        let connections = Connections::to_leader(addresses, job.connections).await;
        let cursors = job.groups().map(|_| Mutex::default()).collect();
        Self { connections, job, cursors, answers: Answers::of(job.callers) }
    }

    async fn assign(&self, caller: usize, number: u64) -> Result<Vec<Answer>, Failed> {
        let group = self.job.group(number);
        let place = usize::try_from(number % self.cursors.len() as u64).unwrap();
        let mut cursor = self.cursors[place].lock().await;
        let mut open: Vec<u64> = Job::batch(number).collect();
        let mut answers = Vec::with_capacity(open.len());
        for _ in 0..ATTEMPTS_MAX {
            let key = |contact: &u64| assignment_key(group, *contact);
            let turns = || open.iter().zip(cursor.next..);
            let next = cursor.next + open.len() as u64;
            let moved = Compare::unchanged_since(cursor_key(group), cursor.mod_revision);
            let puts = turns().map(|(contact, seq)| put(key(contact), assignment(seq)));
            let request = TxnRequest {
                compare: open.iter().map(|it| Compare::absent(key(it))).chain([moved]).collect(),
                success: puts.chain([put(cursor_key(group), next.to_string())]).collect(),
                // All that is in a request is in etcd's log, so what is seldom needed is not in this one.
                failure: Vec::new(),
            };
            let said = self.connections.txn(caller, request).await?;
            if said.succeeded {
                let turns = turns().map(|(it, seq)| Answer::new(*it, group, seq, &rep(seq)));
                answers.extend(turns);
                let mod_revision = said.header.map_or(0, |header| header.revision);
                *cursor = Cursor { next, mod_revision };
                return Ok(answers);
            }
            // Some have an assignment already, or this writer did not learn of its last success.
            let keys = open.iter().map(key).chain([cursor_key(group)]);
            let read = TxnRequest { success: keys.map(range).collect(), ..TxnRequest::default() };
            let said = self.connections.txn(caller, read).await?;
            let mut ranges = said.responses.iter().map(|response| response.range.as_ref());
            let mut left = Vec::new();
            for contact in open {
                match ranges.next().flatten().and_then(|range| range.kvs.first()) {
                    Some(existing) => answers.push(answer(contact, group, existing)?),
                    None => left.push(contact),
                }
            }
            *cursor = Cursor::of(ranges.next().flatten())?;
            open = left;
            if open.is_empty() {
                return Ok(answers);
            }
        }
        Err(Failed(Cow::Borrowed("CONFLICT")))
    }
}

impl Target for AssignBatch {
    const PIECES: u64 = BATCH;

    async fn call(&self, caller: usize, number: u64) -> Result<(), Failed> {
        self.answers.ask(Job::batch(number).count() as u64);
        let answers = self.assign(caller, number).await?;
        self.answers.add(caller, answers);
        Ok(())
    }
}
