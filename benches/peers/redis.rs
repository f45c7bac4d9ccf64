//! A client of Redis for what is compared: assign, assign many.
//!
//! A call is the script, and a `WAIT` for one replica behind it in the same packet. `WAIT` is for what its own
//! connection wrote, and holds the connection up until a replica has it; callers that share a connection would
//! wait one after the other. So each caller has its own, unless the job says otherwise.

use std::{borrow::Cow, ops::Range};

use redis::{AsyncConnectionConfig, Client, Pipeline, RedisError, aio::MultiplexedConnection};

use super::{
    check::{Answer, Answers},
    job::{BATCH, DETAILS, Job, contact_id, ring},
};
use ::turnwise::load::{Failed, Target};

/// How many replicas are waited for.
const REPLICAS: u64 = 1;
/// How long for, in milliseconds: on a busy machine a hundred are not always enough, and nothing is gained by
/// giving up early.
const WAIT_MS: u64 = 1_000;

/// Connections that know the script by its digest.
struct Connections {
    connections: Vec<MultiplexedConnection>,
    digest: String,
}

impl Connections {
    async fn new(address: &str, job: Job) -> Self {
        let client = Client::open(format!("redis://{address}/")).unwrap();
        let mut connections = Vec::new();
        for _ in 0..job.connections {
            // By default a call is given up after half a second.
            let config = AsyncConnectionConfig::new().set_response_timeout(None);
            let connection = client.get_multiplexed_async_connection_with_config(&config).await;
            connections.push(connection.unwrap());
        }
        let first = &mut connections[0];
        let mut load = redis::cmd("SCRIPT");
        load.arg("LOAD").arg(include_str!("assign.lua"));
        let digest = load.query_async(first).await.unwrap();
        for group in job.groups() {
            let mut push = redis::cmd("RPUSH");
            push.arg(ring_key(group)).arg(ring().collect::<Vec<_>>());
            push.exec_async(first).await.unwrap();
        }
        Self { connections, digest }
    }

    /// Whoever is answered knows that one replica has it.
    async fn assign(
        &self,
        caller: usize,
        group: u32,
        contacts: Range<u64>,
    ) -> Result<Vec<Answer>, Failed> {
        let mut pipeline = Pipeline::new();
        pipeline.cmd("EVALSHA").arg(&self.digest).arg(3);
        pipeline.arg(format!("cursor:{group}")).arg(ring_key(group));
        pipeline.arg(format!("assignments:{group}")).arg(DETAILS);
        for contact in contacts.clone() {
            pipeline.arg(contact_id(contact));
        }
        pipeline.cmd("WAIT").arg(REPLICAS).arg(WAIT_MS);
        let mut connection = self.connections[caller % self.connections.len()].clone();
        let (turns, replicas): (Vec<(u64, String)>, u64) =
            pipeline.query_async(&mut connection).await.map_err(failed)?;
        if replicas < REPLICAS {
            // It is done on the primary, and may be lost with it.
            return Err(Failed(Cow::Borrowed("NOT_REPLICATED")));
        }
        let answers = contacts.zip(&turns);
        Ok(answers.map(|(it, (seq, rep))| Answer::new(it, group, *seq, rep)).collect())
    }
}

fn ring_key(group: u32) -> String {
    format!("ring:{group}")
}

fn failed(error: RedisError) -> Failed {
    Failed(error.code().map_or(Cow::Borrowed("UNAVAILABLE"), |code| Cow::Owned(code.to_owned())))
}

/// The script for one contact, and a `WAIT`.
pub(crate) struct Assign {
    connections: Connections,
    job: Job,
    pub(crate) answers: Answers,
}

impl Assign {
    pub(crate) async fn new(addresses: &[String], job: Job) -> Self {
        let connections = Connections::new(&addresses[0], job).await;
        Self { connections, job, answers: Answers::of(job.callers) }
    }
}

impl Target for Assign {
    async fn call(&self, caller: usize, number: u64) -> Result<(), Failed> {
        self.answers.ask(1);
        let group = self.job.group(number);
        let answers = self.connections.assign(caller, group, number..number + 1).await?;
        self.answers.add(caller, answers);
        Ok(())
    }
}

/// The script for 64 contacts, and a `WAIT`.
pub(crate) struct AssignBatch {
    connections: Connections,
    job: Job,
    pub(crate) answers: Answers,
}

impl AssignBatch {
    pub(crate) async fn new(addresses: &[String], job: Job) -> Self {
        let connections = Connections::new(&addresses[0], job).await;
        Self { connections, job, answers: Answers::of(job.callers) }
    }
}

impl Target for AssignBatch {
    const PIECES: u64 = BATCH;

    async fn call(&self, caller: usize, number: u64) -> Result<(), Failed> {
        let contacts = Job::batch(number);
        self.answers.ask(contacts.clone().count() as u64);
        let group = self.job.group(number);
        let answers = self.connections.assign(caller, group, contacts).await?;
        self.answers.add(caller, answers);
        Ok(())
    }
}
